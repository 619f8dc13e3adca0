
/*
 * Copyright (C) The call recorder authors
 *
 * What the protocols and the recorder both say about media: codecs, the
 * negotiated parameters of an m-line, and whole frames.
 */

#ifndef CR_MEDIA_H
#define CR_MEDIA_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>


#define CR_MEDIA_MAX         8    /* m-lines we take in one session */
#define CR_MID_MAX           16
#define CR_RID_MAX           16
#define CR_LAYER_MAX         4    /* of one m-line, simulcast */
#define CR_VIDEO_MAX         4    /* m-lines of video */
/* What is received by itself: m-lines, each layer of simulcast for one. */
#define CR_TRACK_MAX         (CR_MEDIA_MAX + CR_VIDEO_MAX * (CR_LAYER_MAX - 1))
#define CR_CODEC_CONFIG_MAX  512  /* avcC, OpusHead, ... */
#define CR_H264_DEPTH_MAX    254  /* interleaved NAL units we hold */
#define CR_OPUS_CHANNELS_MAX 8    /* RFC 7845 section 5.1.1.2 */


typedef enum {
    CR_KIND_AUDIO = 1,
    CR_KIND_VIDEO = 2
} cr_kind_e;


typedef enum {
    CR_CODEC_NONE = 0,
    CR_CODEC_OPUS,
    CR_CODEC_VP8,
    CR_CODEC_H264,
    CR_CODEC_VP9,
    CR_CODEC_AV1,
    CR_CODEC_H265,
    CR_CODEC_PCMU,
    CR_CODEC_PCMA,
    CR_CODEC_G722
} cr_codec_e;

#define CR_CODEC_COUNT  (CR_CODEC_G722 + 1)


/* One stream of simulcast, as signalled; ssrc and rtx_ssrc 0: learn it. */
typedef struct {
    char      rid[CR_RID_MAX + 1];    /* RFC 8851; "": known by SSRC */
    uint32_t  ssrc;
    uint32_t  rtx_ssrc;
} cr_layer_t;


/*
 * One accepted m-line.  Plain data without pointers: it is kept in shared
 * memory between the POST and the worker that adopts the session.
 */
typedef struct {
    uint8_t   kind;                   /* cr_kind_e */
    uint8_t   codec;                  /* cr_codec_e */
    uint8_t   mline;                  /* index of the m-line in the offer */
    uint8_t   pt;                     /* RTP payload type */
    uint8_t   rtx_pt;                 /* RFC 4588, 0: none */
    uint8_t   red_pt;                 /* RFC 2198, 0: none */
    uint8_t   red_rtx_pt;             /* repeats those, 0: none */
    uint8_t   ulpfec_pt;              /* RFC 5109, of video, 0: none */
    uint8_t   channels;
    /* several Opus streams in a packet; 0 streams: one (RFC 7587) */
    uint8_t   opus_streams;
    uint8_t   opus_coupled;
    uint8_t   opus_mapping[CR_OPUS_CHANNELS_MAX];
    uint32_t  clock_rate;             /* Hz */
    uint32_t  ssrc;                   /* as signalled, 0: learn it */
    uint32_t  rtx_ssrc;               /* a=ssrc-group:FID, 0: learn it */
    char      mid[CR_MID_MAX + 1];
    bool      screen;                 /* else a camera, or sound */
    uint8_t   nlayers;                /* of simulcast, 0: there is none */
    cr_layer_t  layers[CR_LAYER_MAX]; /* in the offerer's order */
    /* RFC 8285 ids of the header extensions, 0: not negotiated */
    uint8_t   ext_mid;
    uint8_t   ext_rid;
    uint8_t   ext_repaired_rid;
    uint8_t   ext_twcc;
    uint8_t   ext_abs_send_time;
    uint8_t   ext_audio_level;
    uint8_t   ext_video_orientation;
    uint8_t   ext_abs_capture_time;
    uint8_t   ext_dependency;         /* AV1's, of any codec */
    /* RFC 4585 / RFC 5104 feedback that both sides know */
    bool      fb_nack;
    bool      fb_pli;
    bool      fb_fir;
    bool      fb_twcc;
    bool      fb_remb;
    /* VP9, AV1, H.265: as offered, or the defaults of their RTP formats */
    uint8_t   profile;
    uint8_t   level;
    uint8_t   tier;
    /* H.264, RFC 6184 section 8.1 */
    uint8_t   h264_packetization_mode;
    uint8_t   h264_interleaving_depth;
    uint8_t   h264_profile_level_id[3];
    /* Annex B bytes of sprop sets, H.265's as well */
    uint16_t  h264_sprop_len;
    uint8_t   h264_sprop[CR_CODEC_CONFIG_MAX];
} cr_media_params_t;


/*
 * Tracks are counted through the m-lines, the layers of simulcast one by one.
 */
static inline unsigned
cr_media_tracks(const cr_media_params_t *media)
{
    return media->nlayers != 0 ? media->nlayers : 1;
}


/* One whole access unit. */
typedef struct {
    uint8_t         track;            /* see cr_media_tracks() */
    uint8_t         kind;             /* cr_kind_e */
    uint8_t         codec;            /* cr_codec_e */
    bool            keyframe;         /* always true for audio */
    bool            incomplete;       /* packets were given up in it */
    /*
     * When it was captured, in microseconds of the local monotonic clock,
     * by the track's media clock: linear in the RTP timestamp.  What the
     * estimate learns later comes as cr_clock_event_t.
     */
    int64_t         time_us;
    uint32_t        duration_us;      /* audio, from the payload; else 0 */
    uint32_t        rtp_timestamp;
    bool            has_level;        /* of sound, RFC 6464: */
    bool            voice;
    uint8_t         level;            /* -dBov, 127 is silence */
    uint16_t        width;            /* keyframes of video, else 0 */
    uint16_t        height;
    uint16_t        rotation;         /* to be shown so, degrees clockwise */
    /*
     * VP8: the frame as it is.  VP9: the same, or a superframe of several
     * spatial layers.  H.264, H.265: NAL units with 4-byte lengths, parameter
     * sets left out.  AV1: OBUs with sizes, without temporal delimiters.
     * Audio: the packet's payload.
     */
    const uint8_t  *data;
    size_t          size;
    /* Matroska CodecPrivate (avcC, hvcC, av1C, OpusHead, WAVEFORMATEX), the
     * same pointer and bytes until it changes; VP8 and VP9 have none. */
    const uint8_t  *config;
    size_t          config_size;
} cr_frame_t;


/*
 * The track's media clock, corrected: from media time media_us on, capture
 * time = media time + offset_us + drift_ppb * (media time - media_us) / 1e9.
 * Both times are microseconds of the local monotonic clock.
 */
typedef struct {
    uint8_t  track;
    bool     from_sr;                 /* else from arrival times alone */
    int64_t  media_us;
    int64_t  offset_us;
    int32_t  drift_ppb;
} cr_clock_event_t;


/*
 * Packets that were given up: [from_us, to_us) of the media clock, in which
 * frames are missing or are incomplete; those that are, lie in it.  packets
 * is 0 where a frame is broken though none is known to be missing.
 */
typedef struct {
    uint8_t   track;
    int64_t   from_us;
    int64_t   to_us;
    uint32_t  packets;
} cr_gap_event_t;


#endif /* CR_MEDIA_H */
