
/*
 * Copyright (C) The call recorder authors
 *
 * What the depacketisers share: the frame in the making.
 */

#ifndef CR_DEPAY_INTERNAL_H
#define CR_DEPAY_INTERNAL_H


#include "depay/depay.h"
#include "depay/av1_headers.h"
#include "depay/nal_sets.h"


#define CR_VP9_FRAMES_MAX  8         /* of a superframe, annex B */


typedef struct {
    /* One packet of the frame, whose gathering has begun. */
    cr_status_e  (*packet)(cr_depay_t *d, const cr_depay_packet_t *packet);
    /* A hole: the frame in the making, if any, lacks packets. */
    void         (*gap)(cr_depay_t *d);
    /* Fills codec-specific members in; false: there is nothing to emit. */
    bool         (*finish)(cr_depay_t *d, cr_frame_t *frame);
    /* Whether a payload, not empty, begins a keyframe. */
    bool         (*begins)(const cr_depay_t *d, const uint8_t *p,
                      const uint8_t *end);
    /* The id of the picture that a payload begins, of 7 or 15 bits (*mask);
     * false: it begins none, or says none.  NULL: the codec has no ids. */
    bool         (*picture)(const cr_slice_t *payload, uint16_t *id,
                     uint16_t *mask);
} cr_depay_codec_t;


/* H.264 and H.265 */
typedef struct {
    bool           fu;           /* a fragmented NAL unit is open */
    bool           first_slice;  /* the AU's first VCL NAL unit came */
    bool           keyframe;
    uint8_t        pps;          /* of the keyframe */
    size_t         fu_start;     /* of its length field in buf */
    cr_nal_sets_t  sets;
} cr_depay_nal_t;


typedef struct {
    uint8_t        sid;          /* of the latest layer frame */
    bool           ended;        /* it has its last packet */
    unsigned       nframes;
    size_t         start[CR_VP9_FRAMES_MAX];
    unsigned       nsizes;       /* the scalability structure's */
    uint16_t       width[CR_VP9_FRAMES_MAX];
    uint16_t       height[CR_VP9_FRAMES_MAX];
} cr_depay_vp9_t;


typedef struct {
    bool           fragment;     /* an OBU is open */
    bool           first_frame;  /* the first frame header came */
    bool           keyframe;
    size_t         start;        /* of the open OBU in buf */
    uint16_t       width;
    uint16_t       height;
    cr_av1_seq_t   seq;
} cr_depay_av1_t;


/* H.264 in packetization mode 2: NAL units that wait for their turn. */
typedef struct cr_h264_deint_s  cr_h264_deint_t;


struct cr_depay_s {
    cr_env_t                 env;
    const cr_depay_codec_t  *codec;        /* NULL: audio */
    cr_depay_frame_pt        frame;
    void                    *ctx;
    uint8_t                  kind;
    uint8_t                  codec_id;
    uint8_t                  streams;      /* Opus, of a packet; 0: one */

    cr_h264_deint_t         *deint;        /* NULL: they come in order */

    bool                     lost;         /* since a frame began */

    /* the frame in the making */
    bool                     active;
    bool                     broken;       /* lacks packets */
    bool                     skip;         /* the rest is of no use */
    uint8_t                  unmarked;     /* frames, since the last marker */
    uint32_t                 timestamp;
    int64_t                  arrival_us;
    bool                     numbered;     /* it has: */
    uint16_t                 picture_id;
    uint8_t                 *buf;
    size_t                   len;
    size_t                   size;

    union {
        cr_depay_nal_t       nal;
        cr_depay_vp9_t       vp9;
        cr_depay_av1_t       av1;
    };

    /* of the frames; a change moves to the other buffer */
    unsigned                 config_index;
    size_t                   config_size;
    uint8_t                  config[2][CR_CODEC_CONFIG_MAX];
};


/* Room for n bytes at the end of the frame: CR_LIMIT, CR_NOMEM. */
cr_status_e cr_depay_reserve(cr_depay_t *d, size_t n);
cr_status_e cr_depay_append(cr_depay_t *d, const uint8_t *data, size_t len);

/* cr_depay_push() of a packet of video in decoding order. */
cr_status_e cr_depay_ordered(cr_depay_t *d, const cr_depay_packet_t *packet);

/* Hands the frame in the making out. */
void cr_depay_emit(cr_depay_t *d);

/* A new frame begins with this packet. */
void cr_depay_begin(cr_depay_t *d, const cr_depay_packet_t *packet);

/* Makes what was written to config[config_index ^ 1] the frames' config. */
void cr_depay_config(cr_depay_t *d, size_t size);

/* Hands an audio packet out as a frame. */
void cr_depay_audio(cr_depay_t *d, const cr_depay_packet_t *packet,
    uint32_t duration_us);


/*
 * The picture id of VP8 (RFC 7741 section 4.2) and VP9 (RFC 9628 section
 * 4.2): one byte, or two when its first bit is set; *mask has its bits.
 */
static inline const uint8_t *
cr_depay_picture_id(const uint8_t *p, const uint8_t *end, uint16_t *id,
    uint16_t *mask)
{
    if (p == NULL || p == end) {
        return NULL;
    }

    if (!(p[0] & 0x80)) {
        *id = p[0];
        *mask = 0x7f;
        return p + 1;
    }

    *mask = 0x7fff;
    p = cr_read_u16(p, end, id);
    *id &= *mask;

    return p;
}


/* depay_nal.c: what H.264 and H.265 have in common */

/* A new access unit begins with this packet. */
void cr_depay_nal_begin(cr_depay_t *d, const cr_depay_packet_t *packet);

/* Adds a NAL unit with its length. */
cr_status_e cr_depay_nal_add(cr_depay_t *d, const uint8_t *nal, size_t len);

/* A fragmented NAL unit: head is its NAL header. */
cr_status_e cr_depay_fu_begin(cr_depay_t *d, const uint8_t *head, size_t n);
cr_status_e cr_depay_fu_add(cr_depay_t *d, const uint8_t *data, size_t len);
/* It never gets whole. */
void cr_depay_fu_drop(cr_depay_t *d);

/* The NAL units of sprop parameters, one by one. */
void cr_depay_sprop(cr_depay_t *d, const cr_media_params_t *params,
    void (*set)(cr_depay_t *d, const uint8_t *nal, size_t len));


/* depay_h264_deint.c */
cr_status_e cr_h264_deint_create(cr_depay_t *d, unsigned depth);
void cr_h264_deint_destroy(cr_depay_t *d);
cr_status_e cr_h264_deint_push(cr_depay_t *d,
    const cr_depay_packet_t *packet);
void cr_h264_deint_flush(cr_depay_t *d);

/*
 * Takes the next unit of a STAP-B or MTAP, behind its DON: *don is the base
 * and becomes the unit's, *offset is of its time.  NULL: malformed.
 */
const uint8_t *cr_h264_interleaved(const uint8_t *p, const uint8_t *end,
    uint8_t type, cr_slice_t *nal, uint16_t *don, uint32_t *offset);


extern const cr_depay_codec_t  cr_depay_vp8;
extern const cr_depay_codec_t  cr_depay_vp9;
extern const cr_depay_codec_t  cr_depay_av1;
extern const cr_depay_codec_t  cr_depay_h264;
extern const cr_depay_codec_t  cr_depay_h265;

void cr_depay_h264_init(cr_depay_t *d, const cr_media_params_t *params);
void cr_depay_h265_init(cr_depay_t *d, const cr_media_params_t *params);

cr_status_e cr_depay_opus_push(cr_depay_t *d,
    const cr_depay_packet_t *packet);
cr_status_e cr_depay_pcm_push(cr_depay_t *d,
    const cr_depay_packet_t *packet);


#endif /* CR_DEPAY_INTERNAL_H */
