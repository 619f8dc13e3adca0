
/*
 * Copyright (C) The call recorder authors
 *
 * Frames to RTP packets: VP8 (RFC 7741), H.264 (RFC 6184, mode 1), Opus
 * (RFC 7587); repetitions by RTX (RFC 4588) or as they were.
 */

#include "publisher.h"


#define HEAD_SIZE    24            /* with our two header extensions */
#define NAL_AUD      9
#define NAL_FU_A     28


uint32_t
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

    /* each packet on the wire has a transport-wide number of its own */
    cr_put_u16(buf + 17, p->twcc_seq++);

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


/* A packet of head (FU indicators, descriptors) and data. */
static void
send_payload(publisher_t *p, unsigned which, bool marker,
    const uint8_t *head, size_t head_len, const uint8_t *data, size_t len)
{
    packet_t  *packet, one;
    stream_t  *s = &p->streams[which];
    uint8_t   *b;

    packet = which == VIDEO ? &p->history[s->seq % HISTORY] : &one;
    b = packet->data;

    b[0] = 0x90;
    b[1] = (uint8_t) ((marker ? 0x80 : 0)
                      | (which == VIDEO ? PT_VIDEO : PT_OPUS));
    cr_put_u16(b + 2, s->seq++);
    cr_put_u32(b + 4, s->timestamp);
    cr_put_u32(b + 8, s->ssrc);

    /* RFC 8285 section 4.2 */
    cr_put_u32(b + 12, 0xbede0002);
    b[16] = EXT_TWCC << 4 | 1;
    b[19] = EXT_MID << 4;
    b[20] = (uint8_t) ('0' + which);
    b[21] = b[22] = b[23] = 0;

    if (head_len != 0) {
        memcpy(b + HEAD_SIZE, head, head_len);
    }

    memcpy(b + HEAD_SIZE + head_len, data, len);
    packet->len = HEAD_SIZE + head_len + len;

    s->packets++;
    s->octets += (uint32_t) (head_len + len);

    send_packet(p, b, packet->len);
}


static void
send_vp8(publisher_t *p, const uint8_t *data, size_t len)
{
    size_t   pos, n;
    uint8_t  head[4];

    for (pos = 0; pos < len; pos += n) {
        n = len - pos < PAYLOAD_MAX ? len - pos : PAYLOAD_MAX;

        /* RFC 7741 section 4.2: X, S at the start; I; 15 bits of picture */
        head[0] = pos == 0 ? 0x90 : 0x80;
        head[1] = 0x80;
        cr_put_u16(head + 2, 0x8000 | p->picture_id);

        send_payload(p, VIDEO, pos + n == len, head, 4, data + pos, n);
    }

    p->picture_id = (p->picture_id + 1) & 0x7fff;
}


static void
send_nal(publisher_t *p, const uint8_t *nal, size_t len, bool last)
{
    size_t   pos, n;
    uint8_t  head[2];

    if (len <= PAYLOAD_MAX) {
        send_payload(p, VIDEO, last, NULL, 0, nal, len);
        return;
    }

    /* RFC 6184 section 5.8 */
    for (pos = 1; pos < len; pos += n) {
        n = len - pos < PAYLOAD_MAX ? len - pos : PAYLOAD_MAX;

        head[0] = (nal[0] & 0x60) | NAL_FU_A;
        head[1] = nal[0] & 0x1f;
        head[1] |= pos == 1 ? 0x80 : 0;
        head[1] |= pos + n == len ? 0x40 : 0;

        send_payload(p, VIDEO, last && pos + n == len, head, 2, nal + pos,
                     n);
    }
}


static size_t
next_nal(const uint8_t *data, size_t len, size_t pos)
{
    for ( ; pos + 3 <= len; pos++) {
        if (data[pos] == 0 && data[pos + 1] == 0 && data[pos + 2] == 1) {
            return pos;
        }
    }

    return len;
}


static void
send_h264(publisher_t *p, const uint8_t *data, size_t len)
{
    size_t  pos, end, n;

    for (pos = next_nal(data, len, 0); pos < len; pos = end) {
        pos += 3;
        end = next_nal(data, len, pos);

        /* the zero of a start code of four bytes, or trailing ones */
        for (n = end - pos; n > 0 && data[pos + n - 1] == 0; n--) {
            /* void */
        }

        if (n != 0 && (data[pos] & 0x1f) != NAL_AUD) {
            send_nal(p, data + pos, n, end == len);
        }
    }
}


void
send_frame(publisher_t *p, unsigned which)
{
    media_t              *m = &p->media[which];
    const uint8_t        *data;
    const media_frame_t  *f;

    f = media_next(m);
    data = m->data + f->offset;

    switch (m->codec) {

    case CR_CODEC_VP8:
        send_vp8(p, data, f->len);
        break;

    case CR_CODEC_H264:
        send_h264(p, data, f->len);
        break;

    default:
        if (f->len <= PAYLOAD_MAX) {
            send_payload(p, which, p->frames[which] == 0, NULL, 0, data,
                         f->len);
        }

        break;
    }

    p->frames[which]++;
    p->keyframes += which == VIDEO && f->keyframe;
    p->streams[which].timestamp += m->step;
}


void
send_again(publisher_t *p, uint16_t seq)
{
    uint8_t          buf[PACKET_MAX + 2];
    const packet_t  *old = &p->history[seq % HISTORY];

    if (old->len == 0 || cr_get_u16(old->data + 2) != seq) {
        return;
    }

    p->retransmitted++;

    if (p->options.no_rtx) {
        send_packet(p, old->data, old->len);
        return;
    }

    memcpy(buf, old->data, HEAD_SIZE);
    buf[1] = (uint8_t) ((buf[1] & 0x80) | PT_RTX);
    cr_put_u16(buf + 2, p->rtx_seq++);
    cr_put_u32(buf + 8, p->rtx_ssrc);
    cr_put_u16(buf + HEAD_SIZE, seq);
    memcpy(buf + HEAD_SIZE + 2, old->data + HEAD_SIZE, old->len - HEAD_SIZE);

    send_packet(p, buf, old->len + 2);
}
