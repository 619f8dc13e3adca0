
/*
 * Copyright (C) The call recorder authors
 */

#include <arpa/inet.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "publisher.h"
#include "rtp/rtcp.h"
#include "rtp/rtp.h"
#include "stun/stun.h"


#define STUN_FIRST_US    50000
#define STUN_US          1000000
#define SR_US            1000000
#define TWCC_FMT         15
#define REMB_FMT         15
#define IP_UDP_SIZE      28
/* RFC 8445 section 5.1.2.1: a host candidate's */
#define STUN_PRIORITY    0x6e0001ff
/* RFC 3550 section 4: from 1900 to 1970 */
#define NTP_EPOCH        2208988800u


static int transport_udp(const publisher_t *p);


int64_t
monotonic_us(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (int64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}


void
transport_send_raw(publisher_t *p, const uint8_t *data, size_t len)
{
    if (p->over_tcp) {
        stream_send(p, data, len);
        return;
    }

    /* a refusal shows as silence */
    (void) send(p->fd, data, len, MSG_NOSIGNAL);
}


static void
on_dtls(void *ctx, const uint8_t *data, size_t len)
{
    transport_send_raw(ctx, data, len);
}


static bool
transport_socket(publisher_t *p, bool tcp)
{
    int  fd;

    fd = tcp ? stream_connect(p) : transport_udp(p);

    if (fd == -1) {
        return false;
    }

    if (p->fd != -1) {
        close(p->fd);
    }

    p->fd = fd;
    p->over_tcp = tcp;
    cr_framing_init(&p->framing, p->frame, DATAGRAM_MAX);

    return true;
}


static int
transport_udp(const publisher_t *p)
{
    int  fd;

    fd = socket(p->answer.addr.ss_family, SOCK_DGRAM | SOCK_NONBLOCK, 0);

    if (fd != -1
        && connect(fd, (const struct sockaddr *) &p->answer.addr,
                   p->answer.addr_len) != 0)
    {
        close(fd);
        return -1;
    }

    return fd;
}


const char *
transport_open(publisher_t *p)
{
    bool         client;
    size_t       n;
    uint8_t      md[64];
    const char  *f;

    n = 0;

    for (f = p->answer.fingerprint + 8; f[0] && f[1] && n < sizeof(md); ) {
        md[n++] = (uint8_t) strtol((char[]) { f[0], f[1], 0 }, NULL, 16);
        f += f[2] == ':' ? 3 : 2;
    }

    /* actpass is answered by either; what we said otherwise, stands */
    client = strcmp(p->options.setup, "active") == 0
             || (strcmp(p->options.setup, "actpass") == 0
                 && !p->answer.active);

    p->dtls = cr_dtls_create(&p->env, p->cert, client, CR_HASH_SHA256, md, n,
                             on_dtls, p);

    if (p->dtls == NULL) {
        return "no memory";
    }

    if (p->options.profile != 0
        && cr_dtls_set_profiles(p->dtls, &p->options.profile, 1) != CR_OK)
    {
        return "an SRTP profile is refused";
    }

    if (p->options.mtu != 0
        && cr_dtls_set_mtu(p->dtls, p->options.mtu) != CR_OK)
    {
        return "a DTLS MTU is refused";
    }

    if (!transport_socket(p, p->options.tcp)) {
        return p->options.tcp ? "no TCP connection" : "no UDP socket";
    }

    return NULL;
}


void
transport_close(publisher_t *p)
{
    if (p->fd != -1) {
        close(p->fd);
        p->fd = -1;
    }

    cr_dtls_destroy(p->dtls);
    cr_srtp_destroy(p->srtp);
}


static void
transport_stun(publisher_t *p)
{
    char     user[300];
    size_t   n;
    uint8_t  buf[512], txid[CR_STUN_TXID_SIZE];

    snprintf(user, sizeof(user), "%s:%s", p->answer.ufrag, p->ufrag);
    cr_random(&p->env, txid, sizeof(txid));

    n = cr_stun_write_request(buf, sizeof(buf), txid, user, p->answer.pwd,
                              p->options.client == CLIENT_FFMPEG
                                  ? 0 : STUN_PRIORITY, true, 1, true);
    transport_send_raw(p, buf, n);

    p->stun_us = p->now_us;
}


static void
transport_dtls(publisher_t *p, cr_status_e status)
{
    unsigned  i;

    switch (status) {

    case CR_AGAIN:
        return;

    case CR_OK:
        break;

    case CR_DECLINED:
        p->closed = true;
        return;

    case CR_AUTH:
        p->failed = "the server's fingerprint is not that of the answer";
        return;

    default:
        p->failed = "the DTLS handshake failed";
        return;
    }

    if (p->srtp != NULL) {
        return;
    }

    if (cr_dtls_keys(p->dtls, &p->keys) == CR_OK) {
        p->srtp = cr_srtp_create(&p->env, &p->keys);
    }

    if (p->srtp == NULL) {
        p->failed = "no SRTP";
        return;
    }

    p->connected_us = p->now_us;

    for (i = 0; i < STREAMS; i++) {
        p->streams[i].next_us = p->now_us;
    }

    p->sr_us = p->now_us;
}


/* STREAMS: none of ours */
static unsigned
stream_of(const publisher_t *p, uint32_t ssrc)
{
    unsigned  i;

    for (i = 0; i < STREAMS && p->streams[i].ssrc != ssrc; i++) {
        /* void */
    }

    return i;
}


static void
transport_nack(publisher_t *p, const cr_slice_t *body, bool alone)
{
    size_t    i;
    unsigned  bit, which;
    uint16_t  pid, blp;
    uint32_t  ssrc;

    if (body->len < 8) {
        return;
    }

    ssrc = cr_get_u32(body->data + 4);
    which = stream_of(p, ssrc);

    if (which == STREAMS
        || (which == AUDIO && !p->options.audio_nack
            && !p->options.audio_repeat)
        || (p->options.client == CLIENT_FFMPEG
            && (which == AUDIO || !alone)))
    {
        return;
    }

    for (i = 8; i + 4 <= body->len; i += 4) {
        pid = cr_get_u16(body->data + i);
        blp = cr_get_u16(body->data + i + 2);
        p->nacks++;
        send_again(p, which, pid);

        for (bit = 0; bit < 16; bit++) {
            if (blp >> bit & 1) {
                p->nacks++;
                send_again(p, which, (uint16_t) (pid + bit + 1));
            }
        }
    }
}


static void
transport_rtcp(publisher_t *p, uint8_t *data, size_t len)
{
    size_t          sealed;
    unsigned        which;
    cr_rtcp_t       rtcp;
    const uint8_t  *pos, *end;

    sealed = len;

    if (p->srtp == NULL || cr_srtp_open_rtcp(p->srtp, data, &len) != CR_OK) {
        return;
    }

    pos = data;
    end = data + len;

    while (cr_rtcp_next(&pos, end, &rtcp) == CR_OK) {

        switch (rtcp.type) {

        case CR_RTCP_RTPFB:
            if (rtcp.count == 1) {
                /* its head has 4 bytes */
                transport_nack(p, &rtcp.body, rtcp.body.len + 4 == len);
                p->nack_bytes += IP_UDP_SIZE + sealed;

            } else if (rtcp.count == TWCC_FMT) {
                p->twccs++;
            }

            break;

        case CR_RTCP_PSFB:
            if (rtcp.count == REMB_FMT) {
                p->rembs++;

            } else if (rtcp.body.len >= 8) {
                which = stream_of(p, cr_get_u32(rtcp.body.data + 4));

                if (which < STREAMS && p->media[which].nframes != 0) {
                    p->plis++;
                    media_to_keyframe(&p->media[which]);
                }
            }

            break;

        case CR_RTCP_RR:
            p->reports++;
            break;

        case CR_RTCP_BYE:
            p->byes++;
            break;

        default:
            break;
        }
    }
}


void
transport_input(publisher_t *p, uint8_t *data, size_t len)
{
    cr_stun_msg_t  msg;

    if (cr_stun_is_stun(data, len)) {

        if (cr_stun_parse(data, len, &msg) != CR_OK
            || msg.type != CR_STUN_BINDING_SUCCESS
            || cr_stun_verify(&msg, p->answer.pwd, strlen(p->answer.pwd))
               != CR_OK)
        {
            return;
        }

        if (!p->stun_ok) {
            p->stun_ok = true;
            transport_dtls(p, cr_dtls_start(p->dtls, p->now_us));
        }

    } else if (cr_dtls_is_dtls(data, len)) {
        transport_dtls(p, cr_dtls_input(p->dtls, data, len, p->now_us));

    } else if (cr_rtp_is_rtcp(data, len)) {
        transport_rtcp(p, data, len);
    }
}


static void
transport_rtcp_send(publisher_t *p, cr_writer_t *w)
{
    size_t  len = cr_writer_len(w);

    if (!w->overflow && cr_srtp_seal_rtcp(p->srtp, w->start, &len) == CR_OK)
    {
        transport_send_raw(p, w->start, len);
    }
}


/* Each stream's clock against the wall's, as of the last frame. */
static void
transport_sr(publisher_t *p, unsigned which)
{
    uint8_t           buf[256];
    int64_t           ahead_us;
    cr_writer_t       w;
    cr_rtcp_sr_t      sr;
    const stream_t   *s = &p->streams[which];
    const media_t    *m = &p->media[which];
    struct timespec   ts;

    if (s->packets == 0) {
        return;
    }

    clock_gettime(CLOCK_REALTIME, &ts);

    sr.ntp = ((uint64_t) ts.tv_sec + NTP_EPOCH) << 32
             | ((uint64_t) ts.tv_nsec << 32) / 1000000000;

    /* s->timestamp is due at s->next_us */
    ahead_us = p->now_us - s->next_us;
    sr.rtp_timestamp = s->timestamp
                       + (uint32_t) (int32_t) (ahead_us * m->clock_rate
                                               / 1000000);
    sr.packets = s->packets;
    sr.octets = s->octets;

    cr_writer_init(&w, buf, sizeof(buf) - CR_SRTP_TRAILER_MAX);
    cr_rtcp_write_sr(&w, s->ssrc, &sr);
    cr_rtcp_write_sdes(&w, s->ssrc, "publisher");
    transport_rtcp_send(p, &w);
}


void
transport_bye(publisher_t *p)
{
    uint8_t      buf[256];
    unsigned     i;
    cr_writer_t  w;

    for (i = 0; i < STREAMS && p->srtp != NULL; i++) {
        if (p->streams[i].packets != 0) {
            cr_writer_init(&w, buf, sizeof(buf) - CR_SRTP_TRAILER_MAX);
            cr_rtcp_write_rr(&w, p->streams[i].ssrc, NULL, 0);
            cr_rtcp_write_bye(&w, p->streams[i].ssrc);
            transport_rtcp_send(p, &w);
        }
    }

    cr_dtls_close(p->dtls);
}


void
transport_due(publisher_t *p)
{
    int64_t   migrate_us;
    unsigned  i;

    if (p->now_us - p->stun_us >= (p->stun_ok ? STUN_US : STUN_FIRST_US)) {
        transport_stun(p);
    }

    if (p->now_us >= cr_dtls_deadline(p->dtls)) {
        transport_dtls(p, cr_dtls_timeout(p->dtls, p->now_us));
    }

    if (p->srtp == NULL) {
        return;
    }

    migrate_us = p->connected_us + (int64_t) (p->options.migrate * 1000000);

    if (p->options.migrate > 0 && !p->migrated && p->now_us >= migrate_us) {
        p->migrated = transport_socket(p, p->options.tcp
                                          || p->options.to_tcp);
        transport_stun(p);
    }

    for (i = 0; i < STREAMS; i++) {
        while (p->media[i].nframes != 0
               && p->answer.taken[i == AUDIO ? AUDIO : VIDEO]
               && p->now_us >= p->streams[i].next_us
               && (p->until_us == 0 || p->streams[i].next_us < p->until_us))
        {
            send_frame(p, i);
            p->streams[i].next_us += (int64_t) p->media[i].step * 1000000
                                     / p->media[i].clock_rate;
        }
    }

    if (p->now_us >= p->sr_us) {
        for (i = 0; i < STREAMS; i++) {
            transport_sr(p, i);
        }

        p->sr_us = p->now_us + SR_US;
    }
}


void
transport_read(publisher_t *p)
{
    ssize_t  n;
    uint8_t  buf[DATAGRAM_MAX];

    if (p->over_tcp) {
        stream_read(p);
        return;
    }

    while ((n = recv(p->fd, buf, sizeof(buf), 0)) >= 0) {
        transport_input(p, buf, (size_t) n);
    }
}


void
transport_run(publisher_t *p, int64_t until_us)
{
    struct pollfd  pfd;

    for ( ;; ) {
        p->now_us = monotonic_us();

        if (p->now_us >= until_us || p->closed || p->failed != NULL) {
            return;
        }

        transport_read(p);
        transport_due(p);

        pfd.fd = p->fd;
        pfd.events = POLLIN;
        (void) poll(&pfd, 1, 2);
    }
}
