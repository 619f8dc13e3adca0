
/*
 * Copyright (C) The call recorder authors
 *
 * A publisher whose clocks are its own.
 */

#include "call.h"
#include "rtp/rtcp.h"
#include "rtp/rtp.h"
#include "stun/stun.h"


#define CONNECT_US      500000        /* before the first frame */
#define STUN_US         2500000
/* RFC 3550 section 4: 1900 to 1970, and a day of tests */
#define NTP_EPOCH_US    (INT64_C(2208988800000000) + INT64_C(1700000000000000))

#define OURS            "ours"
#define OUR_PASSWORD    "our-password-of-22-or-so"
#define THEIRS          "theirs"
#define THEIR_PASSWORD  "their-password-of-22-or"


static const int64_t   report_us[2] = { 5000000, 1000000 };
static const int64_t   encode_us[2] = { 25000, 15000 };
static const uint32_t  encode_jitter_us[2] = { 2000, 20000 };


void
sender_die(const char *what)
{
    fprintf(stderr, "clockcall: %s\n", what);
    exit(1);
}


static void
sender_put(sender_t *p, const uint8_t *data, size_t len)
{
    network_send(&p->net, p->s, true, data, len, p->now_us);
}


static void
sender_dtls_send(void *ctx, const uint8_t *data, size_t len)
{
    sender_put(ctx, data, len);
}


static void
sender_stun(sender_t *p)
{
    size_t   n;
    uint8_t  buf[512], txid[CR_STUN_TXID_SIZE];

    cr_random(&p->env, txid, sizeof(txid));
    n = cr_stun_write_request(buf, sizeof(buf), txid, OURS ":" THEIRS,
                              OUR_PASSWORD, 0x7effffff, true, 42, true);
    sender_put(p, buf, n);
    p->stun_us = p->now_us + STUN_US;
}


/* Times since the start, in the recorder's and the sender's microseconds. */
static int64_t
sender_own(int ppm, int64_t us)
{
    return us + us * ppm / 1000000;
}


static uint64_t
sender_ntp(const sender_t *p, int64_t at_us)
{
    int64_t  us;

    us = NTP_EPOCH_US + sender_own(p->s->ntp_ppm, at_us - CALL_START_US);

    if (p->s->step_at_us != 0
        && at_us - CALL_START_US >= p->s->step_at_us)
    {
        us += p->s->step_us;
    }

    return (uint64_t) (us / 1000000) << 32
           | ((uint64_t) (us % 1000000) << 32) / 1000000;
}


static bool
sender_within(int64_t at_us, int64_t from_us, int64_t span_us)
{
    at_us -= CALL_START_US;

    return span_us != 0 && at_us >= from_us && at_us < from_us + span_us;
}


/* When the track's next frame is captured, and sent. */
static void
sender_schedule(sender_t *p, unsigned which)
{
    int64_t            begin_us;
    track_t           *t = &p->tracks[which];
    const scenario_t  *s = p->s;

    begin_us = CALL_START_US + s->joins_us + CONNECT_US + which * 7000;

    t->capture_us = begin_us + t->shift_us
                    + (int64_t) t->next * t->frame_us * 1000000
                      / (1000000 + s->ppm[which]);

    /* sound's clock counts samples: what is not captured does not count */
    if (which == AUDIO) {
        if (sender_within(t->capture_us, s->stall_at_us, s->stall_us)) {
            t->shift_us += s->stall_us;
            t->capture_us += s->stall_us;
        }

        if (sender_within(t->capture_us, s->pause_at_us, s->pause_us)) {
            t->shift_us += s->pause_us;
            t->capture_us += s->pause_us;
        }
    }

    t->due_us = t->capture_us + encode_us[which]
                + network_random(&p->net, encode_jitter_us[which]);
}


/* The head of a packet; returns its length. */
static size_t
sender_head(sender_t *p, unsigned which, bool marker, bool stamped,
    uint8_t *b)
{
    track_t  *t = &p->tracks[which];

    b[0] = 0x90;
    b[1] = (uint8_t) ((marker ? 0x80 : 0)
                      | (which == VIDEO ? PT_VIDEO : PT_OPUS));
    cr_put_u16(b + 2, t->seq++);
    cr_put_u32(b + 4, t->timestamp);
    cr_put_u32(b + 8, t->ssrc);

    /* RFC 8285 section 4.2; the transport-wide number is the datagram's */
    memset(b + 12, 0, 20);
    cr_put_u32(b + 12, stamped ? 0xbede0004 : 0xbede0002);
    b[16] = CALL_EXT_TWCC << 4 | 1;
    b[19] = CALL_EXT_MID << 4;
    b[20] = (uint8_t) ('0' + which);

    if (!stamped) {
        return 24;
    }

    b[21] = CALL_EXT_ACT << 4 | 7;
    cr_put_u64(b + 22, sender_ntp(p, t->capture_us));

    return 32;
}


static void
sender_rtp(sender_t *p, const uint8_t *data, size_t len)
{
    uint8_t  buf[1500];

    memcpy(buf, data, len);
    cr_put_u16(buf + 17, p->twcc_seq++);

    if (cr_srtp_seal_rtp(p->srtp, buf, &len) == CR_OK) {
        sender_put(p, buf, len);
    }
}


static void
sender_packet(void *ctx, bool marker, const uint8_t *head, size_t head_len,
    const uint8_t *data, size_t len)
{
    bool       stamped;
    track_t   *t;
    sender_t  *p = ctx;
    packet_t  *packet;
    uint16_t   at;

    t = &p->tracks[p->which];

    stamped = p->s->capture_time && t->capture_us >= t->act_us;

    if (stamped) {
        t->act_us = t->capture_us + 1000000;
    }

    at = t->seq % CALL_HISTORY;
    packet = &t->history[at];
    t->head[at] = (uint16_t) sender_head(p, p->which, marker, stamped,
                                         packet->data);
    packet->len = t->head[at];

    if (head_len != 0) {
        memcpy(packet->data + packet->len, head, head_len);
    }

    memcpy(packet->data + packet->len + head_len, data, len);
    packet->len += head_len + len;

    sender_rtp(p, packet->data, packet->len);
}


static bool
sender_silent(const sender_t *p, unsigned which)
{
    int64_t            at_us = p->tracks[which].capture_us;
    const scenario_t  *s = p->s;

    return (which == AUDIO
            && sender_within(at_us, s->mute_at_us, s->mute_us))
           || sender_within(at_us, s->pause_at_us, s->pause_us);
}


static void
sender_frame(sender_t *p, unsigned which)
{
    unsigned        per_second, n;
    track_t        *t = &p->tracks[which];
    const media_t  *m = &p->media[which];

    if (p->s->switch_at_us != 0 && !p->switched
        && t->capture_us - CALL_START_US >= p->s->switch_at_us)
    {
        p->switched = true;

        for (n = 0; n < 2; n++) {
            p->tracks[n].ssrc += 100;
            p->tracks[n].timestamp += 0x12345678;
            p->tracks[n].seq += 12345;
        }
    }

    if (!sender_silent(p, which)) {
        per_second = (unsigned) (1000000 / t->frame_us);

        /* it begins in the middle of each second of the content */
        if (t->next % per_second == per_second / 2) {
            fprintf(p->truth, "%s %s %lld\n", p->s->id,
                    which == VIDEO ? "flash" : "beep",
                    (long long) (t->capture_us - CALL_START_US));
        }

        p->which = which;
        packets_of(m, &m->frames[t->next % m->nframes], p->picture_id++,
                   sender_packet, p);
    }

    t->next++;
    t->timestamp += m->step;
    sender_schedule(p, which);
}


static void
sender_report(sender_t *p, unsigned which)
{
    uint8_t        buf[256];
    size_t         len;
    cr_writer_t    w;
    cr_rtcp_sr_t   sr;
    track_t       *t = &p->tracks[which];

    t->report_us = p->now_us + report_us[which];

    if (p->s->no_reports || p->s->capture_time || t->next == 0
        || sender_within(p->now_us, p->s->pause_at_us, p->s->pause_us))
    {
        return;
    }

    /* the next frame's time stamp and time, and what is until then; in
     * practice it is not exact */
    memset(&sr, 0, sizeof(sr));
    sr.ntp = sender_ntp(p, p->now_us);
    sr.rtp_timestamp = t->timestamp - (uint32_t) (int32_t)
        (sender_own(p->s->ppm[which], t->capture_us - p->now_us
                    + network_random(&p->net, 3000) - 1500)
         * p->media[which].clock_rate / 1000000);

    cr_writer_init(&w, buf, sizeof(buf) - CR_SRTP_TRAILER_MAX);
    cr_rtcp_write_sr(&w, t->ssrc, &sr);
    cr_rtcp_write_sdes(&w, t->ssrc, p->s->id);
    len = cr_writer_len(&w);

    if (cr_srtp_seal_rtcp(p->srtp, buf, &len) == CR_OK) {
        sender_put(p, buf, len);
    }
}


static void
sender_again(sender_t *p, uint32_t ssrc, uint16_t seq)
{
    size_t           head;
    uint8_t          buf[1500];
    track_t         *t;
    const packet_t  *old;

    t = &p->tracks[ssrc == p->tracks[VIDEO].ssrc ? VIDEO : AUDIO];
    old = &t->history[seq % CALL_HISTORY];

    if (old->len == 0 || cr_get_u16(old->data + 2) != seq) {
        return;
    }

    if (t == &p->tracks[AUDIO]) {
        sender_rtp(p, old->data, old->len);
        return;
    }

    /* RFC 4588 section 4 */
    head = t->head[seq % CALL_HISTORY];
    memcpy(buf, old->data, head);
    memcpy(buf + head + 2, old->data + head, old->len - head);
    cr_put_u16(buf + head, seq);
    buf[1] = (uint8_t) ((buf[1] & 0x80) | CALL_PT_RTX);
    cr_put_u16(buf + 2, p->rtx_seq++);
    cr_put_u32(buf + 8, ssrc + 1);
    sender_rtp(p, buf, old->len + 2);
}


static void
sender_rtcp(sender_t *p, uint8_t *data, size_t len)
{
    unsigned        i, bit;
    uint16_t        pid, blp;
    uint32_t        ssrc;
    cr_rtcp_t       rtcp;
    const uint8_t  *pos, *end;

    if (p->srtp == NULL
        || cr_srtp_open_rtcp(p->srtp, data, &len) != CR_OK)
    {
        return;
    }

    pos = data;
    end = data + len;

    while (cr_rtcp_next(&pos, end, &rtcp) == CR_OK) {

        /* RFC 4585 section 6.2.1 */
        if (rtcp.type != CR_RTCP_RTPFB || rtcp.count != 1) {
            continue;
        }

        ssrc = cr_get_u32(rtcp.body.data + 4);

        for (i = 8; i + 4 <= rtcp.body.len; i += 4) {
            pid = cr_get_u16(rtcp.body.data + i);
            blp = cr_get_u16(rtcp.body.data + i + 2);
            sender_again(p, ssrc, pid);

            for (bit = 0; bit < 16; bit++) {
                if (blp >> bit & 1) {
                    sender_again(p, ssrc, (uint16_t) (pid + bit + 1));
                }
            }
        }
    }
}


static void
sender_input(sender_t *p, uint8_t *data, size_t len)
{
    cr_srtp_keys_t  keys;

    if (cr_stun_is_stun(data, len)) {
        if (!p->greeted) {
            p->greeted = true;
            (void) cr_dtls_start(p->dtls, p->now_us);
        }

    } else if (cr_dtls_is_dtls(data, len)) {
        if (cr_dtls_input(p->dtls, data, len, p->now_us) == CR_OK
            && p->srtp == NULL && cr_dtls_keys(p->dtls, &keys) == CR_OK)
        {
            p->srtp = cr_srtp_create(&p->env, &keys);
        }

    } else {
        sender_rtcp(p, data, len);
    }
}


static void
peer_send(void *ctx, const cr_addr_t *to, const uint8_t *data, size_t len)
{
    sender_t  *p = ctx;

    (void) to;

    network_send(&p->net, p->s, false, data, len, p->now_us);
}


static void
peer_state(void *ctx, cr_peer_state_e state, cr_peer_reason_e reason)
{
    (void) ctx;

    if (state == CR_PEER_CLOSED && reason != CR_PEER_LOCAL) {
        sender_die("a peer is gone");
    }
}


static void
peer_frame(void *ctx, const cr_frame_t *frame)
{
    sender_t  *p = ctx;

    folder_frame(&p->folder, frame);
}


static void
peer_clock(void *ctx, const cr_clock_event_t *event)
{
    sender_t  *p = ctx;

    folder_clock(&p->folder, event);
}


static void
peer_gap(void *ctx, const cr_gap_event_t *event)
{
    sender_t  *p = ctx;

    folder_gap(&p->folder, event);
}


static size_t
sender_fingerprint(const cr_dtls_cert_t *cert, uint8_t *md)
{
    size_t       n;
    const char  *c;

    n = 0;

    for (c = cr_dtls_cert_fingerprint(cert) + 8; *c != '\0';
         c += (c[2] == ':') ? 3 : 2)
    {
        md[n++] = (uint8_t) strtol((char[]) { c[0], c[1], 0 }, NULL, 16);
    }

    return n;
}


static void
sender_session(sender_t *p)
{
    unsigned            i;
    cr_media_params_t  *m;

    strcpy(p->session.remote_ufrag, THEIRS);
    strcpy(p->session.remote_pwd, THEIR_PASSWORD);
    p->session.fingerprint_hash = CR_HASH_SHA256;
    p->session.fingerprint_len = (uint8_t)
        sender_fingerprint(p->cert, p->session.fingerprint);
    p->session.nmlines = 2;
    p->session.nmedia = 2;

    for (i = 0; i < 2; i++) {
        m = &p->session.media[i];
        m->mline = (uint8_t) i;
        m->clock_rate = p->media[i].clock_rate;
        m->mid[0] = (char) ('0' + i);
        m->ext_mid = CALL_EXT_MID;
        m->ext_twcc = CALL_EXT_TWCC;
        m->ext_abs_capture_time = CALL_EXT_ACT;
        m->fb_twcc = true;
        m->fb_nack = true;
    }

    m = &p->session.media[AUDIO];
    m->kind = CR_KIND_AUDIO;
    m->codec = CR_CODEC_OPUS;
    m->pt = PT_OPUS;
    m->channels = 2;

    m = &p->session.media[VIDEO];
    m->kind = CR_KIND_VIDEO;
    m->codec = CR_CODEC_VP8;
    m->pt = PT_VIDEO;
    m->rtx_pt = CALL_PT_RTX;
    m->fb_pli = true;
}


static void
sender_open(sender_t *p)
{
    size_t                    n;
    uint8_t                   md[64];
    unsigned                  i;
    const cr_peer_handlers_t  handlers = {
        peer_send, peer_state, peer_frame, peer_clock, peer_gap, p
    };
    const cr_peer_config_t    config = {
        .connect_timeout_us = 15000000,
        .consent_timeout_us = 30000000,
        .give_up_us = 2000000,
        .pli_interval_us = 500000,
        .max_bitrate = 2500000,
        .buffer_max = 8 * 1024 * 1024
    };

    p->now_us = CALL_START_US + p->s->joins_us;
    p->addr = (cr_addr_t) { .family = 4, .port = 40000,
                            .ip = { 192, 0, 2, 1 } };
    p->stun_us = p->now_us;
    sender_session(p);

    p->peer = cr_peer_create(&p->env, p->peer_cert, &p->session, OURS,
                             OUR_PASSWORD, &config, &handlers, p->now_us);
    n = sender_fingerprint(p->peer_cert, md);
    p->dtls = cr_dtls_create(&p->env, p->cert, true, CR_HASH_SHA256, md, n,
                             sender_dtls_send, p);

    for (i = 0; i < 2; i++) {
        p->tracks[i].ssrc = 1000 + 2 * i;
        /* the time stamps wrap within a minute, the numbers sooner */
        p->tracks[i].timestamp = 0u - p->media[i].clock_rate * 40;
        p->tracks[i].seq = 65000;
        p->tracks[i].frame_us = (int64_t) p->media[i].step * 1000000
                                / p->media[i].clock_rate;
        p->tracks[i].history = calloc(CALL_HISTORY, sizeof(packet_t));
        p->tracks[i].head = calloc(CALL_HISTORY, sizeof(uint16_t));

        if (p->tracks[i].history == NULL || p->tracks[i].head == NULL) {
            sender_die("no memory");
        }

        sender_schedule(p, i);
        p->tracks[i].report_us = p->tracks[i].due_us + 700000 - i * 200000;
    }

    if (p->peer == NULL || p->dtls == NULL) {
        sender_die("no memory");
    }
}


static int64_t
min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}


static void
sender_due(sender_t *p)
{
    unsigned     i;
    datagram_t  *d;

    while (p->now_us >= network_due(&p->net)) {
        d = network_take(&p->net);

        if (d->to_peer) {
            (void) cr_peer_input(p->peer, &p->addr, d->data, d->len,
                                 p->now_us);

        } else {
            sender_input(p, d->data, d->len);
        }

        free(d);
    }

    if (p->now_us >= p->stun_us) {
        sender_stun(p);
    }

    for (i = 0; i < 2 && p->srtp != NULL; i++) {
        if (p->now_us >= p->tracks[i].due_us) {
            sender_frame(p, i);
        }

        if (p->now_us >= p->tracks[i].report_us) {
            sender_report(p, i);
        }
    }

    if (p->now_us >= cr_peer_deadline(p->peer)) {
        (void) cr_peer_timeout(p->peer, p->now_us);
    }
}


void
sender_run(sender_t *p)
{
    int64_t   next_us;
    unsigned  i;

    sender_open(p);

    while (p->now_us < p->end_us) {
        sender_due(p);

        next_us = min(network_due(&p->net), cr_peer_deadline(p->peer));
        next_us = min(next_us, p->stun_us);

        for (i = 0; i < 2; i++) {
            next_us = min(next_us, p->tracks[i].due_us);
            next_us = min(next_us, p->tracks[i].report_us);
        }

        if (p->srtp == NULL && p->now_us >= p->tracks[0].due_us) {
            sender_die("it does not connect");
        }

        /* what is due at once is done at once, but time goes on */
        p->now_us = next_us > p->now_us ? next_us : p->now_us + 1;
    }

    p->now_us = p->end_us;
    cr_peer_close(p->peer, CR_PEER_LOCAL, p->now_us);
    folder_close(&p->folder);

    cr_peer_destroy(p->peer);
    cr_srtp_destroy(p->srtp);
    cr_dtls_destroy(p->dtls);
    network_done(&p->net);

    for (i = 0; i < 2; i++) {
        free(p->tracks[i].history);
        free(p->tracks[i].head);
    }
}
