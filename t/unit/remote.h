
/*
 * Copyright (C) The call recorder authors
 *
 * A publisher in memory, and the network between it and a cr_peer_t: VP8
 * and Opus of known bytes, RTX, delay and loss, and a clock that is moved
 * by hand.
 */

#ifndef CR_TEST_REMOTE_H
#define CR_TEST_REMOTE_H


#include <stdio.h>

#include "peer/peer.h"
#include "rtp/rtcp.h"
#include "rtp/rtp.h"
#include "srtp/srtp.h"
#include "env.h"
#include "parity.h"


#define REMOTE_VIDEO_SSRC   0x11110001
#define REMOTE_RTX_SSRC     0x11110002
#define REMOTE_AUDIO_SSRC   0x22220001
#define REMOTE_VIDEO_PT     96
#define REMOTE_RTX_PT       97
#define REMOTE_RED_PT        63
#define REMOTE_AUDIO_PT     111
#define REMOTE_VIDEO_RED_PT 118
#define REMOTE_RED_RTX_PT   119
#define REMOTE_ULPFEC_PT    120
#define REMOTE_EXT_TWCC     3
#define REMOTE_EXT_MID      4
#define REMOTE_EXT_CVO      5
#define REMOTE_EXT_DD       6
#define REMOTE_EXT_TIME     7

#define REMOTE_HISTORY      1024
#define REMOTE_GAPS         64
#define REMOTE_WIRE         4096
#define REMOTE_CHUNK        900       /* VP8 bytes in a packet */
#define REMOTE_START_US     5000000
#define REMOTE_QUEUE_US     600000    /* of a path with a rate */
#define REMOTE_UFRAG        "theirs"
#define REMOTE_PWD          "their-password-of-22-or"
#define LOCAL_UFRAG         "ours"
#define LOCAL_PWD           "our-password-of-22-or-so"


typedef struct {
    int64_t   due_us;
    bool      to_peer;
    size_t    len;
    uint8_t   data[1600];
} remote_wire_t;


typedef struct remote_s  remote_t;

struct remote_s {
    test_env_t          env;
    int64_t             now_us;
    int64_t             delay_us;       /* one way */
    unsigned            loss;           /* per mille, both ways */
    unsigned            rate;           /* to the peer, bit/s; 0: any */
    int64_t             free_us;        /* when its queue is empty */
    unsigned            overflowed;
    cr_addr_t           addr;

    cr_dtls_cert_t     *cert;           /* the peer's */
    cr_dtls_cert_t     *remote_cert;
    cr_sdp_session_t    session;
    cr_peer_config_t    config;
    cr_peer_t          *peer;
    cr_dtls_t          *dtls;
    cr_srtp_t          *srtp;
    bool                silent;         /* sends nothing more */

    unsigned            nwire;
    remote_wire_t       wire[REMOTE_WIRE];

    /* sending */
    bool                no_rtx;         /* repeats on the media SSRC */
    bool                no_video;
    bool                no_ext;
    bool                send_time;      /* abs-send-time instead of twcc */
    bool                xr;             /* answers what asks for the RTT */
    uint32_t            rrtr;           /* the last one's, came at: */
    int64_t             rrtr_us;
    uint32_t            rrtr_ssrc;
    bool                red;            /* sound with redundancy */
    bool                layers;         /* L1T2, each second is discardable */
    unsigned            lose_frame;     /* this one, for good; 0: none */
    unsigned            cut_frame;      /* but its start, never sent */
    bool                fec;            /* video in RED, parity a frame */
    unsigned            lose_video;     /* each packet of so many */
    unsigned            video_packets;
    parity_t            parity;         /* of the frame */
    unsigned            lose_sound;     /* each packet of so many */
    bool                repeat_sound;   /* as libwebrtc does */
    /* video of another codec: the i-th packet's payload, 0: no more */
    size_t            (*make)(bool key, unsigned i, uint8_t *buf);
    /* whether a packet is lost; again: it was asked for */
    bool              (*lose)(remote_t *r, unsigned video, uint16_t seq,
                           bool again);
    uint32_t            video_ssrc;
    uint16_t            seq[2];         /* of audio, of video */
    uint16_t            rtx_seq;
    uint16_t            twcc_seq;
    uint32_t            timestamp[2];
    uint32_t            shift;          /* of video's time stamps */
    unsigned            sent[2];        /* frames, with those before */
    unsigned            began[2];       /* the first frame */
    uint8_t             cvo;
    bool                want_keyframe;
    int64_t             last_sr_us;
    int64_t             last_stun_us;
    int64_t             next_us[2];
    struct {
        size_t          len;
        uint8_t         data[1300];
    } history[2][REMOTE_HISTORY];       /* by sequence number */

    /* for a test's own tracks: instead of what is done with frames and
     * RTCP otherwise */
    void              (*on_frame)(remote_t *r, const cr_frame_t *frame);
    void              (*on_rtcp)(remote_t *r, const cr_rtcp_t *rtcp);

    /* what the peer said */
    unsigned            stun_success;
    uint16_t            stun_error;
    unsigned            nacks, plis, firs, rrs, twccs, rembs, byes;
    unsigned            sound_nacks;
    uint64_t            remb_bitrate;   /* the last one's */
    cr_status_e         dtls_status;

    /* what the peer made of it */
    unsigned            got[2];         /* whole frames, audio and video */
    unsigned            incomplete;
    unsigned            keyframes;
    unsigned            wrong;          /* frames unlike any that was sent */
    int64_t             first_us[2];
    int64_t             last_us[2];
    int64_t             off_us;         /* largest media time to now */
    uint16_t            rotation;
    unsigned            gaps;
    unsigned            gap_packets;
    int64_t             gap_span_us;
    cr_gap_event_t      gap[REMOTE_GAPS];
    unsigned            clocks;
    cr_clock_event_t    clock[CR_TRACK_MAX];
    cr_peer_state_e     state;
    cr_peer_reason_e    reason;
    unsigned            states;
};


/* Two tracks, audio first; change r->session and r->config before create. */
void remote_init(remote_t *r, uint64_t seed);
bool remote_create(remote_t *r);
void remote_destroy(remote_t *r);

/* Creates the peer and runs until it is connected; asserts that it is. */
void remote_connect(remote_t *r);

/* Creates the peer, asserts that it could be. */
void remote_begin(remote_t *r);

/* Lets time go by, with everything that happens in it. */
void remote_run(remote_t *r, int64_t us);

/* Puts a datagram on the wire, to the peer or from it. */
void remote_put(remote_t *r, bool to_peer, const uint8_t *data, size_t len);

/* A datagram of the peer's arrives. */
void remote_input(remote_t *r, uint8_t *data, size_t len);

/* The n-th frame's size and bytes, as sent and as expected. */
size_t remote_frame(unsigned video, unsigned n, bool key, uint8_t *buf);

/* What the publisher sends by itself or when it is asked to. */
void remote_stun(remote_t *r, const char *username, const char *password,
    bool controlling, bool nominate);
void remote_media(remote_t *r, unsigned video);
void remote_repeat(remote_t *r, unsigned video, uint16_t seq);
void remote_sr(remote_t *r, unsigned video);
void remote_bye(remote_t *r, uint32_t ssrc);

/* All frames but `held` ones on their way came out, as they were sent. */
void remote_assert_whole(remote_t *r, unsigned held);

/* A cmocka test around a remote_t of its file: large, not for the stack. */
int remote_setup(void **state);
int remote_teardown(void **state);

#define REMOTE_TEST(f, r, setup)                                              \
    cmocka_unit_test_prestate_setup_teardown(f, setup, remote_teardown, r)


#endif /* CR_TEST_REMOTE_H */
