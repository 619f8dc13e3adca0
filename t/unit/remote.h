
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


#define REMOTE_VIDEO_SSRC   0x11110001
#define REMOTE_RTX_SSRC     0x11110002
#define REMOTE_AUDIO_SSRC   0x22220001
#define REMOTE_VIDEO_PT     96
#define REMOTE_RTX_PT       97
#define REMOTE_RED_PT        63
#define REMOTE_AUDIO_PT     111
#define REMOTE_EXT_TWCC     3
#define REMOTE_EXT_MID      4
#define REMOTE_EXT_CVO      5

#define REMOTE_HISTORY      1024
#define REMOTE_WIRE         4096
#define REMOTE_CHUNK        900       /* VP8 bytes in a packet */
#define REMOTE_START_US     5000000
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
    bool                red;            /* sound with redundancy */
    unsigned            lose_sound;     /* each packet of so many */
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
    } history[REMOTE_HISTORY];          /* of video, by sequence number */

    /* what the peer said */
    unsigned            stun_success;
    uint16_t            stun_error;
    unsigned            nacks, plis, firs, rrs, twccs, rembs, byes;
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
    unsigned            clocks;
    cr_clock_event_t    clock[2];
    cr_peer_state_e     state;
    cr_peer_reason_e    reason;
    unsigned            states;
};


/* The n-th frame's size and bytes, as sent and as expected. */
static inline size_t
remote_frame(unsigned video, unsigned n, bool key, uint8_t *buf)
{
    size_t    i, size;
    uint32_t  x;

    size = video ? 200 + n * 7919 % 4000 : 20 + n % 100;
    x = n * 2654435761u + video;

    for (i = 0; i < size; i++) {
        x = x * 1664525 + 1013904223;
        buf[i] = (uint8_t) (x >> 24);
    }

    if (video) {
        /* RFC 7741 section 4.3, RFC 6386 section 9.1: 640x480 */
        buf[0] = key ? 0x10 : 0x11;

        if (key) {
            memcpy(buf + 3, "\x9d\x01\x2a\x80\x02\xe0\x01", 7);
        }

    } else {
        /* RFC 6716 section 3.1: CELT, 20 ms, one frame */
        buf[0] = 0xf8;
    }

    return size;
}


static inline bool
remote_chance(remote_t *r, unsigned per_mille)
{
    return test_env_next(&r->env) % 1000 < per_mille;
}


static inline void
remote_put(remote_t *r, bool to_peer, const uint8_t *data, size_t len)
{
    remote_wire_t  *w;

    if ((to_peer && r->silent) || len > sizeof(w->data)
        || remote_chance(r, r->loss) || r->nwire == REMOTE_WIRE)
    {
        return;
    }

    w = &r->wire[r->nwire++];
    w->due_us = r->now_us + r->delay_us;
    w->to_peer = to_peer;
    w->len = len;
    memcpy(w->data, data, len);
}


static inline void
remote_on_send(void *ctx, const cr_addr_t *to, const uint8_t *data,
    size_t len)
{
    remote_t  *r = ctx;

    if (cr_addr_equal(to, &r->addr)) {
        remote_put(r, false, data, len);
    }
}


static inline void
remote_on_state(void *ctx, cr_peer_state_e state, cr_peer_reason_e reason)
{
    remote_t  *r = ctx;

    r->state = state;
    r->reason = reason;
    r->states++;
}


static inline void
remote_on_frame(void *ctx, const cr_frame_t *frame)
{
    size_t     size;
    uint8_t    buf[8192];
    unsigned   video, n;
    remote_t  *r = ctx;

    video = frame->kind == CR_KIND_VIDEO;
    n = video ? (frame->rtp_timestamp - r->shift - 1000) / 3000
              : (frame->rtp_timestamp - 2000) / 960;

    if (r->got[video]++ == 0) {
        r->first_us[video] = frame->time_us;
    }

    r->last_us[video] = frame->time_us;

    if (llabs(r->now_us - frame->time_us) > r->off_us) {
        r->off_us = llabs(r->now_us - frame->time_us);
    }

    r->rotation = frame->rotation;
    r->keyframes += video && frame->keyframe;

    if (frame->incomplete) {
        r->incomplete++;
        return;
    }

    size = remote_frame(video, n, frame->keyframe, buf);

    r->wrong += frame->size != size || memcmp(frame->data, buf, size) != 0
                || frame->track != video
                || (video && frame->keyframe
                    && (frame->width != 640 || frame->height != 480))
                || (!video && frame->duration_us != 20000);
}


static inline void
remote_on_clock(void *ctx, const cr_clock_event_t *event)
{
    remote_t  *r = ctx;

    r->clocks++;
    r->clock[event->track] = *event;
}


static inline void
remote_on_gap(void *ctx, const cr_gap_event_t *event)
{
    remote_t  *r = ctx;

    r->gaps++;
    r->gap_packets += event->packets;
    r->gap_span_us += event->to_us - event->from_us;
}


static inline void
remote_dtls_send(void *ctx, const uint8_t *data, size_t len)
{
    remote_put(ctx, true, data, len);
}


static inline size_t
remote_fingerprint(const cr_dtls_cert_t *cert, uint8_t *md)
{
    size_t       n;
    const char  *p;

    n = 0;

    for (p = cr_dtls_cert_fingerprint(cert) + 8; *p != '\0';
         p += (p[2] == ':') ? 3 : 2)
    {
        md[n++] = (uint8_t) strtol((char[]) { p[0], p[1], 0 }, NULL, 16);
    }

    return n;
}


/* Two tracks, audio first; change r->session and r->config before create. */
static inline void
remote_init(remote_t *r, uint64_t seed)
{
    cr_media_params_t  *m;

    memset(r, 0, sizeof(remote_t));
    test_env_init(&r->env, seed);
    (void) cr_srtp_library_init();

    r->now_us = REMOTE_START_US;
    r->delay_us = 20000;
    r->addr = (cr_addr_t) { .family = 4, .port = 40000,
                            .ip = { 192, 0, 2, 1 } };
    r->dtls_status = CR_AGAIN;
    r->video_ssrc = REMOTE_VIDEO_SSRC;
    r->seq[0] = 65000;
    r->seq[1] = 65100;
    r->timestamp[0] = 2000;
    r->timestamp[1] = 1000;
    r->want_keyframe = true;

    r->cert = cr_dtls_cert_create(1700000000);
    r->remote_cert = cr_dtls_cert_create(1700000000);

    r->config.connect_timeout_us = 15000000;
    r->config.consent_timeout_us = 30000000;
    r->config.give_up_us = 2000000;
    r->config.pli_interval_us = 500000;
    r->config.max_bitrate = 2500000;
    r->config.buffer_max = 8 * 1024 * 1024;

    strcpy(r->session.remote_ufrag, REMOTE_UFRAG);
    strcpy(r->session.remote_pwd, REMOTE_PWD);
    r->session.fingerprint_hash = CR_HASH_SHA256;
    r->session.fingerprint_len = (uint8_t)
        remote_fingerprint(r->remote_cert, r->session.fingerprint);
    r->session.nmlines = 2;
    r->session.nmedia = 2;

    m = &r->session.media[0];
    m->kind = CR_KIND_AUDIO;
    m->codec = CR_CODEC_OPUS;
    m->pt = REMOTE_AUDIO_PT;
    m->channels = 2;
    m->clock_rate = 48000;
    strcpy(m->mid, "0");
    m->ext_mid = REMOTE_EXT_MID;
    m->ext_twcc = REMOTE_EXT_TWCC;
    m->fb_twcc = true;

    m = &r->session.media[1];
    m->kind = CR_KIND_VIDEO;
    m->codec = CR_CODEC_VP8;
    m->mline = 1;
    m->pt = REMOTE_VIDEO_PT;
    m->rtx_pt = REMOTE_RTX_PT;
    m->clock_rate = 90000;
    m->ssrc = REMOTE_VIDEO_SSRC;
    m->rtx_ssrc = REMOTE_RTX_SSRC;
    strcpy(m->mid, "1");
    m->ext_mid = REMOTE_EXT_MID;
    m->ext_twcc = REMOTE_EXT_TWCC;
    m->ext_video_orientation = REMOTE_EXT_CVO;
    m->fb_nack = true;
    m->fb_pli = true;
    m->fb_twcc = true;
}


static inline bool
remote_create(remote_t *r)
{
    size_t              n;
    uint8_t             md[64];
    cr_peer_handlers_t  handlers = {
        remote_on_send, remote_on_state, remote_on_frame, remote_on_clock,
        remote_on_gap, r
    };

    r->peer = cr_peer_create(&r->env.env, r->cert, &r->session, LOCAL_UFRAG,
                             LOCAL_PWD, &r->config, &handlers, r->now_us);
    if (r->peer == NULL) {
        return false;
    }

    n = remote_fingerprint(r->cert, md);
    r->dtls = cr_dtls_create(&r->env.env, r->remote_cert,
                             !r->session.dtls_client, CR_HASH_SHA256, md, n,
                             remote_dtls_send, r);

    return r->dtls != NULL;
}


static inline void
remote_destroy(remote_t *r)
{
    cr_peer_destroy(r->peer);
    cr_srtp_destroy(r->srtp);
    cr_dtls_destroy(r->dtls);
    cr_dtls_cert_destroy(r->cert);
    cr_dtls_cert_destroy(r->remote_cert);
    r->peer = NULL;
    r->srtp = NULL;
    r->dtls = NULL;
    r->cert = NULL;
    r->remote_cert = NULL;
}


static inline void
remote_stun(remote_t *r, const char *username, const char *password,
    bool controlling, bool nominate)
{
    size_t   n;
    uint8_t  buf[512], txid[CR_STUN_TXID_SIZE];

    cr_random(&r->env.env, txid, sizeof(txid));
    n = cr_stun_write_request(buf, sizeof(buf), txid, username, password,
                              0x7effffff, controlling, 42, nominate);
    remote_put(r, true, buf, n);
    r->last_stun_us = r->now_us;
}


static inline void
remote_rtp_send(remote_t *r, const uint8_t *data, size_t len)
{
    uint8_t  buf[1500];

    memcpy(buf, data, len);

    /* the transport-wide number is a new one in each repetition */
    if (!r->no_ext) {
        cr_put_u16(buf + 17, r->twcc_seq++);
    }

    if (cr_srtp_seal_rtp(r->srtp, buf, &len) == CR_OK) {
        remote_put(r, true, buf, len);
    }
}


static inline uint8_t *
remote_header(remote_t *r, uint8_t *p, unsigned video, bool marker)
{
    p[0] = r->no_ext ? 0x80 : 0x90;
    p[1] = (uint8_t) ((marker ? 0x80 : 0)
                      | (video ? REMOTE_VIDEO_PT : REMOTE_AUDIO_PT));
    cr_put_u16(p + 2, r->seq[video]++);
    cr_put_u32(p + 4, r->timestamp[video] + (video ? r->shift : 0));
    cr_put_u32(p + 8, video ? r->video_ssrc : REMOTE_AUDIO_SSRC);

    if (r->no_ext) {
        return p + 12;
    }

    /* RFC 8285 section 4.2: two words with twcc, mid and orientation */
    cr_put_u32(p + 12, 0xbede0002);
    p[16] = REMOTE_EXT_TWCC << 4 | 1;
    p[19] = REMOTE_EXT_MID << 4;
    p[20] = video ? '1' : '0';
    p[21] = p[22] = p[23] = 0;

    if (video && marker) {
        p[21] = REMOTE_EXT_CVO << 4;
        p[22] = r->cvo;
    }

    return p + 24;
}


/* RFC 2198: the frame before this one, and the heads of both. */
static inline uint8_t *
remote_red(remote_t *r, uint8_t *header, uint8_t *p)
{
    size_t   size;
    uint8_t  frame[8192];

    size = remote_frame(0, r->sent[0] - 1, false, frame);

    header[1] = REMOTE_RED_PT;
    p[0] = 0x80 | REMOTE_AUDIO_PT;
    cr_put_u24(p + 1, (uint32_t) (960 << 10 | size));
    p[4] = REMOTE_AUDIO_PT;
    memcpy(p + 5, frame, size);

    return p + 5 + size;
}


static inline void
remote_media(remote_t *r, unsigned video)
{
    bool      key, last;
    size_t    size, pos, n, i;
    uint8_t   frame[8192], buf[1300], *p;

    key = video && r->want_keyframe;
    size = remote_frame(video, r->sent[video], key, frame);

    for (pos = 0; pos < size; pos += n) {
        n = size - pos < REMOTE_CHUNK ? size - pos : REMOTE_CHUNK;
        last = pos + n == size;
        p = remote_header(r, buf, video, video && last);

        if (video) {
            /* RFC 7741 section 4.2: S in the first packet */
            *p++ = pos == 0 ? 0x10 : 0;

        } else if (r->red) {
            p = remote_red(r, buf, p);
        }

        memcpy(p, frame + pos, n);
        p += n;

        if (video) {
            i = cr_get_u16(buf + 2) % REMOTE_HISTORY;
            r->history[i].len = (size_t) (p - buf);
            memcpy(r->history[i].data, buf, (size_t) (p - buf));
            r->want_keyframe = false;

        } else if (r->lose_sound && r->sent[0] % r->lose_sound == 0) {
            continue;
        }

        remote_rtp_send(r, buf, (size_t) (p - buf));
    }

    r->sent[video]++;
    r->timestamp[video] += video ? 3000 : 960;
}


static inline void
remote_repeat(remote_t *r, uint16_t seq)
{
    size_t   len, head;
    uint8_t  buf[1400], *old;

    old = r->history[seq % REMOTE_HISTORY].data;
    len = r->history[seq % REMOTE_HISTORY].len;

    if (len == 0 || cr_get_u16(old + 2) != seq) {
        return;
    }

    if (r->no_rtx) {
        remote_rtp_send(r, old, len);
        return;
    }

    /* RFC 4588 section 4 */
    head = r->no_ext ? 12 : 24;
    memcpy(buf, old, head);
    memcpy(buf + head + 2, old + head, len - head);
    cr_put_u16(buf + head, seq);
    buf[1] = (uint8_t) ((old[1] & 0x80) | REMOTE_RTX_PT);
    cr_put_u16(buf + 2, r->rtx_seq++);
    cr_put_u32(buf + 8, REMOTE_RTX_SSRC);
    remote_rtp_send(r, buf, len + 2);
}


static inline void
remote_rtcp_send(remote_t *r, cr_writer_t *w)
{
    size_t  len = cr_writer_len(w);

    if (cr_srtp_seal_rtcp(r->srtp, w->start, &len) == CR_OK) {
        remote_put(r, true, w->start, len);
    }
}


/* The sender's clock is 1000 s ahead, plus what NTP counts from 1900. */
static inline void
remote_sr(remote_t *r, unsigned video)
{
    uint8_t       buf[256];
    int64_t       us;
    cr_writer_t   w;
    cr_rtcp_sr_t  sr;

    us = r->now_us + 1000000000;
    memset(&sr, 0, sizeof(sr));
    sr.ntp = (uint64_t) (us / 1000000) << 32
             | ((uint64_t) (us % 1000000) << 32) / 1000000;
    sr.rtp_timestamp = video
        ? 1000 + r->shift
          + (uint32_t) ((r->now_us - REMOTE_START_US) * 9 / 100)
        : 2000 + (uint32_t) ((r->now_us - REMOTE_START_US) * 48 / 1000);

    cr_writer_init(&w, buf, sizeof(buf) - CR_SRTP_TRAILER_MAX);
    cr_rtcp_write_sr(&w, video ? r->video_ssrc : REMOTE_AUDIO_SSRC, &sr);
    cr_rtcp_write_sdes(&w, r->video_ssrc, "remote");
    remote_rtcp_send(r, &w);
}


static inline void
remote_bye(remote_t *r, uint32_t ssrc)
{
    uint8_t      buf[256];
    cr_writer_t  w;

    cr_writer_init(&w, buf, sizeof(buf) - CR_SRTP_TRAILER_MAX);
    cr_rtcp_write_rr(&w, ssrc, NULL, 0);
    cr_rtcp_write_bye(&w, ssrc);
    remote_rtcp_send(r, &w);
}


static inline void
remote_rtcp_input(remote_t *r, uint8_t *data, size_t len)
{
    unsigned        i, bit;
    uint16_t        pid, blp;
    cr_rtcp_t       rtcp;
    const uint8_t  *pos, *end, *p;

    if (r->srtp == NULL
        || cr_srtp_open_rtcp(r->srtp, data, &len) != CR_OK)
    {
        return;
    }

    pos = data;
    end = data + len;

    while (cr_rtcp_next(&pos, end, &rtcp) == CR_OK) {
        p = rtcp.body.data;

        switch (rtcp.type << 8 | rtcp.count) {

        case CR_RTCP_RTPFB << 8 | 1:
            for (i = 8; i + 4 <= rtcp.body.len; i += 4) {
                pid = cr_get_u16(p + i);
                blp = cr_get_u16(p + i + 2);
                r->nacks++;
                remote_repeat(r, pid);

                for (bit = 0; bit < 16; bit++) {
                    if (blp >> bit & 1) {
                        r->nacks++;
                        remote_repeat(r, (uint16_t) (pid + bit + 1));
                    }
                }
            }

            break;

        case CR_RTCP_RTPFB << 8 | 15:
            r->twccs++;
            break;

        case CR_RTCP_PSFB << 8 | 1:
            r->plis++;
            r->want_keyframe = true;
            break;

        case CR_RTCP_PSFB << 8 | 4:
            r->firs++;
            r->want_keyframe = true;
            break;

        case CR_RTCP_PSFB << 8 | 15:
            r->rembs++;
            break;

        default:
            r->rrs += rtcp.type == CR_RTCP_RR;
            r->byes += rtcp.type == CR_RTCP_BYE;
            break;
        }
    }
}


/* A datagram of the peer's. */
static inline void
remote_input(remote_t *r, uint8_t *data, size_t len)
{
    cr_stun_msg_t   msg;
    cr_srtp_keys_t  keys;

    if (cr_stun_is_stun(data, len)) {
        if (cr_stun_parse(data, len, &msg) == CR_OK
            && cr_stun_verify(&msg, LOCAL_PWD, strlen(LOCAL_PWD)) == CR_OK)
        {
            r->stun_success += msg.type == CR_STUN_BINDING_SUCCESS;

            if (msg.type == CR_STUN_BINDING_ERROR) {
                r->stun_error = msg.error_code;
            }

            if (r->stun_success == 1) {
                (void) cr_dtls_start(r->dtls, r->now_us);
            }
        }

    } else if (cr_dtls_is_dtls(data, len)) {
        r->dtls_status = cr_dtls_input(r->dtls, data, len, r->now_us);

        if (r->dtls_status == CR_OK && r->srtp == NULL
            && cr_dtls_keys(r->dtls, &keys) == CR_OK)
        {
            r->srtp = cr_srtp_create(&r->env.env, &keys);
            r->next_us[0] = r->now_us;
            r->next_us[1] = r->now_us;
            r->last_sr_us = r->now_us - 800000;
        }

    } else {
        remote_rtcp_input(r, data, len);
    }
}


/* What the publisher does by itself, every millisecond. */
static inline void
remote_tick(remote_t *r)
{
    if (r->now_us - r->last_stun_us
        >= (r->stun_success == 0 ? 50000 : 2500000))
    {
        remote_stun(r, LOCAL_UFRAG ":" REMOTE_UFRAG, LOCAL_PWD, true, true);
    }

    if (r->now_us >= cr_dtls_deadline(r->dtls)) {
        (void) cr_dtls_timeout(r->dtls, r->now_us);
    }

    if (r->srtp == NULL) {
        /* media times are those of the clock, whenever it begins */
        r->timestamp[0] = 2000 + (uint32_t) ((r->now_us - REMOTE_START_US)
                                             / 20000) * 960;
        r->timestamp[1] = 1000 + (uint32_t) ((r->now_us - REMOTE_START_US)
                                             * 3 / 100000) * 3000;
        r->sent[0] = (r->timestamp[0] - 2000) / 960;
        r->sent[1] = (r->timestamp[1] - 1000) / 3000;
        r->began[0] = r->sent[0];
        r->began[1] = r->sent[1];
        return;
    }

    while (r->now_us >= r->next_us[0]) {
        remote_media(r, 0);
        r->next_us[0] += 20000;
    }

    while (!r->no_video && r->now_us >= r->next_us[1]) {
        remote_media(r, 1);
        r->next_us[1] += 33333;
    }

    if (r->now_us - r->last_sr_us >= 1000000) {
        remote_sr(r, 0);
        remote_sr(r, 1);
        r->last_sr_us = r->now_us;
    }
}


/* Lets time go by, with everything that happens in it. */
static inline void
remote_run(remote_t *r, int64_t us)
{
    int64_t         until;
    unsigned        i, n;
    remote_wire_t   w;

    for (until = r->now_us + us; r->now_us < until; r->now_us += 1000) {

        if (!r->silent) {
            remote_tick(r);
        }

        for (i = 0, n = 0; i < r->nwire; i++) {
            if (r->wire[i].due_us > r->now_us) {
                break;
            }
        }

        for (n = i, i = 0; i < n; i++) {
            w = r->wire[i];

            if (w.to_peer) {
                (void) cr_peer_input(r->peer, &r->addr, w.data, w.len,
                                     r->now_us);

            } else {
                remote_input(r, w.data, w.len);
            }
        }

        /* due times are in order: all wait equally long */
        r->nwire -= n;
        memmove(&r->wire[0], &r->wire[n], r->nwire * sizeof(remote_wire_t));

        if (r->now_us >= cr_peer_deadline(r->peer)) {
            (void) cr_peer_timeout(r->peer, r->now_us);
        }
    }
}


#endif /* CR_TEST_REMOTE_H */
