
/*
 * Copyright (C) The call recorder authors
 *
 * Datagrams of every protocol, from several addresses and at any time, into
 * a peer before and after it is connected.  SRTP keys are known here: what
 * is marked so is sealed first, and gets past the authentication.
 *
 * The input: one byte of options, then of each datagram
 *
 *     |0 1|2 3|4 5 6 7|  length (16 bits)  |  bytes ...
 *      how  from  delay in 2^n ms
 */

#include <stdlib.h>

#include "peer/peer_core.h"


#define LOCAL_UFRAG   "ours"
#define LOCAL_PWD     "our-password-of-22-or-so"
#define START_US      5000000

#define OPTION_CONNECTED     0x01
#define OPTION_DTLS_CLIENT   0x02
#define OPTION_H264          0x04
#define OPTION_NO_SSRC       0x08
#define OPTION_NO_TWCC       0x10
#define OPTION_NO_MEMORY     0x20
#define OPTION_KEYFRAMES     0x40

typedef enum {
    HOW_AS_IT_IS = 0,
    HOW_SRTP,
    HOW_SRTCP,
    HOW_STUN
} how_e;


typedef struct {
    long      calls;
    long      fail_at;
    uint64_t  random;
    uint8_t   sum;               /* of all bytes that came out */
} run_t;


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);


static cr_dtls_cert_t  *cert;


static void *
on_alloc(void *ctx, size_t size)
{
    run_t  *run = ctx;

    return ++run->calls == run->fail_at ? NULL : calloc(1, size);
}


static void
on_free(void *ctx, void *p)
{
    (void) ctx;

    free(p);
}


static void
on_random(void *ctx, uint8_t *p, size_t len)
{
    run_t  *run = ctx;

    while (len-- != 0) {
        run->random = run->random * 6364136223846793005 + 1;
        *p++ = (uint8_t) (run->random >> 56);
    }
}


static void
on_send(void *ctx, const cr_addr_t *to, const uint8_t *data, size_t len)
{
    run_t  *run = ctx;

    if (len == 0 || len > CR_PEER_DATAGRAM_MAX || to->family != 4) {
        abort();
    }

    while (len-- != 0) {
        run->sum ^= data[len];
    }
}


static void
on_state(void *ctx, cr_peer_state_e state, cr_peer_reason_e reason)
{
    (void) ctx;

    if ((state == CR_PEER_CLOSED) != (reason != CR_PEER_ALIVE)) {
        abort();
    }
}


static void
on_frame(void *ctx, const cr_frame_t *frame)
{
    size_t  i;
    run_t  *run = ctx;

    for (i = 0; i < frame->size; i++) {
        run->sum ^= frame->data[i];
    }

    for (i = 0; i < frame->config_size; i++) {
        run->sum ^= frame->config[i];
    }

    if (frame->track > 1) {
        abort();
    }
}


static void
on_clock(void *ctx, const cr_clock_event_t *event)
{
    (void) ctx;

    if (event->track > 1) {
        abort();
    }
}


static void
on_gap(void *ctx, const cr_gap_event_t *event)
{
    (void) ctx;

    if (event->track > 1 || event->to_us < event->from_us) {
        abort();
    }
}


static void
session_init(cr_sdp_session_t *s, uint8_t options)
{
    unsigned            i;
    cr_media_params_t  *m;

    memset(s, 0, sizeof(cr_sdp_session_t));
    strcpy(s->remote_ufrag, "theirs");
    strcpy(s->remote_pwd, "their-password-of-22-or");
    s->fingerprint_hash = CR_HASH_SHA256;
    s->fingerprint_len = 32;
    s->dtls_client = (options & OPTION_DTLS_CLIENT) != 0;
    s->nmlines = 2;
    s->nmedia = 2;

    for (i = 0; i < 2; i++) {
        m = &s->media[i];
        m->kind = i ? CR_KIND_VIDEO : CR_KIND_AUDIO;
        m->codec = i ? (options & OPTION_H264 ? CR_CODEC_H264
                                              : CR_CODEC_VP8)
                     : CR_CODEC_OPUS;
        m->mline = (uint8_t) i;
        m->pt = i ? 96 : 111;
        m->rtx_pt = i ? 97 : 0;
        m->channels = 2;
        m->clock_rate = i ? 90000 : 48000;
        m->mid[0] = (char) ('0' + i);
        m->ext_mid = 4;
        m->ext_twcc = 3;
        m->ext_video_orientation = 5;
        m->fb_nack = i == 1;
        m->fb_pli = i == 1;
        m->fb_twcc = (options & OPTION_NO_TWCC) == 0;
        m->fb_remb = true;
        m->h264_packetization_mode = 1;

        if (!(options & OPTION_NO_SSRC)) {
            m->ssrc = 0x01010101 * (i + 1);
            m->rtx_ssrc = i ? 0x03030303 : 0;
        }
    }
}


/* As if the handshake were over; gives the publisher's side of the keys. */
static cr_srtp_t *
connected(cr_peer_t *peer, const cr_env_t *env, const cr_addr_t *from)
{
    cr_srtp_t       *remote;
    cr_srtp_keys_t   keys;

    memset(&keys, 0x55, sizeof(keys));
    keys.profile = CR_SRTP_AEAD_AES_128_GCM;
    keys.key_len = 16;
    keys.salt_len = 12;

    remote = cr_srtp_create(env, &keys);
    peer->srtp = cr_srtp_create(env, &keys);

    if (peer->srtp == NULL || remote == NULL) {
        cr_srtp_destroy(remote);
        return NULL;
    }

    peer->remote = *from;
    peer->paths[0] = *from;
    peer->npaths = 1;
    peer->consent_us = peer->now_us;
    cr_peer_rtcp_start(peer);
    peer->state = CR_PEER_CONNECTED;

    return remote;
}


static void
datagram(cr_peer_t *peer, cr_srtp_t *remote, how_e how,
    const cr_addr_t *from, const uint8_t *data, size_t len, int64_t now_us)
{
    uint8_t      *copy;
    cr_status_e   status;

    /* of the very length, for the sanitizer */
    copy = malloc(len + CR_SRTP_TRAILER_MAX + 512);

    if (copy == NULL) {
        return;
    }

    memcpy(copy, data, len);
    status = CR_OK;

    if (how == HOW_SRTP && remote != NULL) {
        status = cr_srtp_seal_rtp(remote, copy, &len);

    } else if (how == HOW_SRTCP && remote != NULL) {
        status = cr_srtp_seal_rtcp(remote, copy, &len);

    } else if (how == HOW_STUN) {
        len = cr_stun_write_request(copy, 512,
                                    (const uint8_t *) "0123456789ab",
                                    LOCAL_UFRAG ":theirs", LOCAL_PWD,
                                    len, len % 2 == 0, 7, len % 3 == 0);
    }

    if (status == CR_OK) {
        copy = realloc(copy, len != 0 ? len : 1);
        (void) cr_peer_input(peer, from, copy, len, now_us);
    }

    free(copy);
}


static void
feed(cr_peer_t *peer, cr_srtp_t *remote, cr_addr_t *from,
    const uint8_t *data, size_t size, uint8_t options)
{
    size_t    len;
    how_e     how;
    int64_t   now_us, deadline;

    now_us = START_US;

    while (size >= 3) {
        how = (how_e) (data[0] & 3);
        from->port = (uint16_t) (1000 + (data[0] >> 2 & 3));
        now_us += (int64_t) 1000 << (data[0] >> 4);
        len = cr_get_u16(data + 1) & 0x7ff;
        data += 3;
        size -= 3;
        len = len < size ? len : size;

        deadline = cr_peer_deadline(peer);

        if (now_us >= deadline) {
            deadline = cr_peer_timeout(peer, now_us);

            if (deadline <= now_us) {
                abort();
            }
        }

        datagram(peer, remote, how, from, data, len, now_us);

        if (options & OPTION_KEYFRAMES) {
            cr_peer_request_keyframe(peer, len % 3, len & 4, now_us);
        }

        data += len;
        size -= len;
    }

    (void) cr_peer_timeout(peer, now_us + 3000000);
    cr_peer_close(peer, CR_PEER_LOCAL, now_us + 3000000);

    if (cr_peer_state(peer) != CR_PEER_CLOSED
        || cr_peer_deadline(peer) != INT64_MAX)
    {
        abort();
    }
}


int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void) argc;
    (void) argv;

    cert = cr_dtls_cert_create(1700000000);

    if (cert == NULL || cr_srtp_library_init() != CR_OK) {
        abort();
    }

    return 0;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    run_t               run = { 0 };
    cr_env_t            env = { on_alloc, on_free, on_random, &run };
    cr_addr_t           from = { .family = 4, .port = 1000 };
    cr_peer_t          *peer;
    cr_srtp_t          *remote;
    cr_peer_stats_t     stats;
    cr_sdp_session_t    session;
    cr_peer_config_t    config = {
        .connect_timeout_us = 15000000, .consent_timeout_us = 30000000,
        .give_up_us = 1000000, .nack_interval_us = 10000, .nack_list = 100,
        .pli_interval_us = 500000,
        .max_bitrate = 1000000, .buffer_max = 1024 * 1024
    };
    cr_peer_handlers_t  handlers = {
        on_send, on_state, on_frame, on_clock, on_gap, NULL
    };

    if (size < 2) {
        return 0;
    }

    handlers.ctx = &run;
    run.fail_at = data[0] & OPTION_NO_MEMORY ? data[1] + 1 : 0;
    session_init(&session, data[0]);

    peer = cr_peer_create(&env, cert, &session, LOCAL_UFRAG, LOCAL_PWD,
                          &config, &handlers, START_US);
    if (peer == NULL) {
        return 0;
    }

    remote = NULL;

    if (data[0] & OPTION_CONNECTED) {
        remote = connected(peer, &env, &from);
    }

    if (remote != NULL || !(data[0] & OPTION_CONNECTED)) {
        feed(peer, remote, &from, data + 2, size - 2, data[0]);
        cr_peer_stats(peer, &stats);
    }

    cr_srtp_destroy(remote);
    cr_peer_destroy(peer);

    return 0;
}
