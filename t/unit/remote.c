
/*
 * Copyright (C) The call recorder authors
 *
 * The publisher's life, its network and what the peer hands out.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "remote.h"


static bool
remote_chance(remote_t *r, unsigned per_mille)
{
    return test_env_next(&r->env) % 1000 < per_mille;
}


void
remote_put(remote_t *r, bool to_peer, const uint8_t *data, size_t len)
{
    int64_t         due_us;
    unsigned        i;
    remote_wire_t  *w;

    if ((to_peer && r->silent) || len > sizeof(w->data)
        || remote_chance(r, r->loss) || r->nwire == REMOTE_WIRE)
    {
        return;
    }

    due_us = r->now_us + r->delay_us;

    if (to_peer && r->rate != 0) {
        if (r->free_us < r->now_us) {
            r->free_us = r->now_us;
        }

        if (r->free_us - r->now_us > REMOTE_QUEUE_US) {
            r->overflowed++;
            return;
        }

        r->free_us += (int64_t) (len * 8000000 / r->rate);
        due_us = r->free_us + r->delay_us;
    }

    for (i = r->nwire; i > 0 && r->wire[i - 1].due_us > due_us; i--) {
        r->wire[i] = r->wire[i - 1];
    }

    r->nwire++;
    w = &r->wire[i];
    w->due_us = due_us;
    w->to_peer = to_peer;
    w->len = len;
    memcpy(w->data, data, len);
}


static void
remote_on_send(void *ctx, const cr_addr_t *to, const uint8_t *data,
    size_t len)
{
    remote_t  *r = ctx;

    if (cr_addr_equal(to, &r->addr)) {
        remote_put(r, false, data, len);
    }
}


static void
remote_on_state(void *ctx, cr_peer_state_e state, cr_peer_reason_e reason)
{
    remote_t  *r = ctx;

    r->state = state;
    r->reason = reason;
    r->states++;
}


static void
remote_on_frame(void *ctx, const cr_frame_t *frame)
{
    size_t     size;
    uint8_t    buf[8192];
    unsigned   video, n;
    remote_t  *r = ctx;

    if (r->on_frame != NULL) {
        r->on_frame(r, frame);
        return;
    }

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

    if (video && r->make != NULL) {
        return;
    }

    size = remote_frame(video, n, frame->keyframe, buf);

    r->wrong += frame->size != size || memcmp(frame->data, buf, size) != 0
                || frame->track != video
                || (video && frame->keyframe
                    && (frame->width != 640 || frame->height != 480))
                || (!video && frame->duration_us != 20000);
}


static void
remote_on_clock(void *ctx, const cr_clock_event_t *event)
{
    remote_t  *r = ctx;

    r->clocks++;
    r->clock[event->track] = *event;
}


static void
remote_on_gap(void *ctx, const cr_gap_event_t *event)
{
    remote_t  *r = ctx;

    if (r->gaps < REMOTE_GAPS) {
        r->gap[r->gaps] = *event;
    }

    r->gaps++;
    r->gap_packets += event->packets;
    r->gap_span_us += event->to_us - event->from_us;
}


static void
remote_dtls_send(void *ctx, const uint8_t *data, size_t len)
{
    remote_put(ctx, true, data, len);
}


static size_t
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


void
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
    r->config.nack_interval_us = 10000;
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


bool
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


void
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


void
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


/* What the publisher does by itself, every millisecond. */
static void
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


void
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


void
remote_connect(remote_t *r)
{
    unsigned  i;

    remote_begin(r);

    for (i = 0; i < 100 && r->state != CR_PEER_CONNECTED; i++) {
        remote_run(r, 50000);
    }

    assert_int_equal(r->state, CR_PEER_CONNECTED);
    assert_int_equal(r->reason, CR_PEER_ALIVE);
}
