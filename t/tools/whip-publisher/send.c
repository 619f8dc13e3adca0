
/*
 * Copyright (C) The call recorder authors
 *
 * Packets, what was asked for again, and bad manners.
 */

#include "log.h"


#define HISTORY_FFMPEG  512


typedef struct {
    publisher_t  *publisher;
    unsigned      which;
} send_t;


static uint32_t
random_below(publisher_t *p, uint32_t n)
{
    uint64_t  z;

    /* splitmix64 */
    p->random += 0x9e3779b97f4a7c15;
    z = p->random;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;

    return (uint32_t) ((z ^ (z >> 31)) % n);
}


/* Bytes that are nobody's protocol, or the beginning of somebody's. */
static void
send_garbage(publisher_t *p, const uint8_t *data, size_t len)
{
    size_t   i, n;
    uint8_t  buf[DATAGRAM_MAX];

    /* RFC 7983: STUN, ZRTP, DTLS, TURN, RTP, RTCP, nothing */
    static const uint8_t  first[] = { 0, 1, 16, 22, 64, 128, 144, 200, 255 };

    n = random_below(p, PACKET_MAX);

    for (i = 0; i < n; i++) {
        buf[i] = (uint8_t) random_below(p, 256);
    }

    buf[0] = first[random_below(p, sizeof(first))];

    if (buf[0] == 0) {
        memcpy(buf, "\x00\x01\x00\x08\x21\x12\xa4\x42", 8);
    }

    if (buf[0] == 22) {
        memcpy(buf, "\x16\xfe\xfd\x00\x00", 5);
    }

    transport_send_raw(p, buf, n);

    /* a packet of ours, cut off, and with a changed byte */
    transport_send_raw(p, data, random_below(p, (uint32_t) len));

    memcpy(buf, data, len);
    buf[random_below(p, (uint32_t) len)] ^= 1;
    transport_send_raw(p, buf, len);
}


static void
send_packet(publisher_t *p, const uint8_t *data, size_t len)
{
    uint8_t  buf[PACKET_MAX + CR_SRTP_TRAILER_MAX];

    memcpy(buf, data, len);

    if (p->options.client == CLIENT_OURS || p->options.layers > 1) {
        packet_number(p, buf);

    } else {
        /* without extensions */
        buf[0] &= 0xef;
        memcpy(buf + 12, data + HEAD_SIZE, len - HEAD_SIZE);
        len -= HEAD_SIZE - 12;
    }

    if (cr_srtp_seal_rtp(p->srtp, buf, &len) != CR_OK) {
        return;
    }

    p->sent++;

    if (random_below(p, 100000) < (uint32_t) (p->options.loss * 1000)) {
        p->dropped++;
        return;
    }

    transport_send_raw(p, buf, len);

    if (p->options.replay) {
        transport_send_raw(p, buf, len);

        if (p->old.len != 0) {
            transport_send_raw(p, p->old.data, p->old.len);
        }

        if (len <= PACKET_MAX && (p->old.len == 0
                                  || random_below(p, 100) == 0))
        {
            memcpy(p->old.data, buf, len);
            p->old.len = len;
        }
    }

    if (p->options.garbage && random_below(p, 5) == 0) {
        send_garbage(p, buf, len);
    }
}


static void
send_repetition(publisher_t *p, unsigned which, uint16_t seq)
{
    uint8_t          buf[PACKET_MAX + 2];
    const packet_t  *old = &p->history[which][seq % HISTORY];

    if (old->len == 0 || cr_get_u16(old->data + 2) != seq
        || (p->options.client == CLIENT_FFMPEG
            && (uint16_t) (p->streams[which].seq - seq) > HISTORY_FFMPEG))
    {
        return;
    }

    p->retransmitted++;

    if (which == AUDIO || p->options.no_rtx) {
        send_packet(p, old->data, old->len);
        return;
    }

    send_packet(p, buf, packet_rtx(p, which, buf, old->data, old->len));
}


/* A packet of head (FU indicators, descriptors) and data. */
static void
send_payload(void *ctx, bool marker, const uint8_t *head, size_t head_len,
    const uint8_t *data, size_t len)
{
    unsigned      which;
    packet_t     *packet;
    stream_t     *s;
    uint8_t      *b;
    publisher_t  *p;

    p = ((send_t *) ctx)->publisher;
    which = ((send_t *) ctx)->which;
    s = &p->streams[which];

    packet = &p->history[which][s->seq % HISTORY];
    b = packet->data;

    /* RFC 7587 section 4.2: the first packet after silence has a marker */
    marker |= which == AUDIO && p->frames[which] == 0;

    packet_head(p, which, marker, b);

    if (head_len != 0) {
        memcpy(b + HEAD_SIZE, head, head_len);
    }

    memcpy(b + HEAD_SIZE + head_len, data, len);
    packet->len = HEAD_SIZE + head_len + len;

    s->packets++;
    s->octets += (uint32_t) (head_len + len);

    if (which == VIDEO && s->packets == p->options.drop) {
        p->sent++;
        p->dropped++;
        return;
    }

    send_packet(p, b, packet->len);

    if (p->repeat_due != 0 && s->packets >= p->repeat_due) {
        p->repeat_due = 0;
        send_repetition(p, VIDEO, p->repeat_seq);
    }
}


static bool
send_is_off(const publisher_t *p, unsigned which)
{
    double  s = (double) (p->now_us - p->connected_us) / 1000000;

    return p->options.layers > 1 && which == VIDEO + p->options.layers - 1
           && s >= p->options.off_from && s < p->options.off_to;
}


void
send_frame(publisher_t *p, unsigned which)
{
    send_t                send = { p, which };
    media_t              *m = &p->media[which];
    const media_frame_t  *f;

    f = media_next(m);

    if (send_is_off(p, which)) {
        /* as encoders do: it comes back with a keyframe */
        media_to_keyframe(m);
        p->streams[which].timestamp += m->step;
        return;
    }

    log_frame(p, which, m->data + f->offset, f);
    packets_of(m, f, p->frames[which] & 0x7fff, send_payload, &send);

    p->frames[which]++;
    p->keyframes += which != AUDIO && f->keyframe;
    p->streams[which].timestamp += m->step;
}


void
send_again(publisher_t *p, unsigned which, uint16_t seq)
{
    const stream_t  *s = &p->streams[which];

    if (which == AUDIO || p->options.repeat_late == 0) {
        send_repetition(p, which, seq);

    } else if (p->repeat_due == 0) {
        p->repeat_seq = seq;
        p->repeat_due = s->packets - (uint16_t) (s->seq - seq)
                        + p->options.repeat_late;
    }
}
