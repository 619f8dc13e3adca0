
/*
 * Copyright (C) The call recorder authors
 *
 * What the depacketisers share: the frame in the making.
 */

#ifndef CR_DEPAY_INTERNAL_H
#define CR_DEPAY_INTERNAL_H


#include "depay/depay.h"
#include "depay/h264_sets.h"


typedef struct {
    /* One packet of the frame, whose gathering has begun. */
    cr_status_e  (*packet)(cr_depay_t *d, const cr_depay_packet_t *packet);
    /* A hole: the frame in the making, if any, lacks packets. */
    void         (*gap)(cr_depay_t *d);
    /* Fills codec-specific members in; false: there is nothing to emit. */
    bool         (*finish)(cr_depay_t *d, cr_frame_t *frame);
} cr_depay_codec_t;


struct cr_depay_s {
    cr_env_t                 env;
    const cr_depay_codec_t  *codec;
    cr_depay_frame_pt        frame;
    void                    *ctx;
    uint8_t                  kind;
    uint8_t                  codec_id;

    /* the frame in the making */
    bool                     active;
    bool                     broken;       /* lacks packets */
    bool                     skip;         /* the rest is of no use */
    bool                     keyframe;
    uint32_t                 timestamp;
    int64_t                  arrival_us;
    uint8_t                 *buf;
    size_t                   len;
    size_t                   size;

    /* H.264 */
    bool                     fu;           /* a fragmented NAL is open */
    bool                     first_slice;  /* the AU's first VCL NAL came */
    size_t                   fu_start;     /* of its length field in buf */
    uint8_t                  idr_pps;
    cr_h264_sets_t           sets;

    /* of the frames; a change moves to the other buffer */
    unsigned                 config_index;
    size_t                   config_size;
    uint8_t                  config[2][CR_CODEC_CONFIG_MAX];
};


/* Room for n bytes at the end of the frame: CR_LIMIT, CR_NOMEM. */
cr_status_e cr_depay_reserve(cr_depay_t *d, size_t n);
cr_status_e cr_depay_append(cr_depay_t *d, const uint8_t *data, size_t len);

/* Hands the frame in the making out. */
void cr_depay_emit(cr_depay_t *d);

/* A new frame begins with this packet. */
void cr_depay_begin(cr_depay_t *d, const cr_depay_packet_t *packet);

extern const cr_depay_codec_t  cr_depay_vp8;
extern const cr_depay_codec_t  cr_depay_h264;

void cr_depay_h264_init(cr_depay_t *d, const cr_media_params_t *params);

void cr_depay_opus_init(cr_depay_t *d, const cr_media_params_t *params);
cr_status_e cr_depay_opus_push(cr_depay_t *d,
    const cr_depay_packet_t *packet);


#endif /* CR_DEPAY_INTERNAL_H */
