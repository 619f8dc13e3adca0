
/*
 * Copyright (C) The call recorder authors
 *
 * Frames to RTP packets: VP8 (RFC 7741), H.264 (RFC 6184, mode 1), Opus
 * (RFC 7587); repetitions by RTX (RFC 4588).
 */

#include "publisher.h"


#define NAL_AUD      9
#define NAL_FU_A     28


typedef struct {
    packet_pt   packet;
    void       *ctx;
    size_t      max;               /* of a payload */
} packets_t;


static void
packets_vp8(const packets_t *out, uint16_t picture_id, const uint8_t *data,
    size_t len)
{
    size_t   pos, n;
    uint8_t  head[4];

    for (pos = 0; pos < len; pos += n) {
        n = len - pos < out->max ? len - pos : out->max;

        /* RFC 7741 section 4.2: X, S at the start; I; 15 bits of picture */
        head[0] = pos == 0 ? 0x90 : 0x80;
        head[1] = 0x80;
        cr_put_u16(head + 2, 0x8000 | picture_id);

        out->packet(out->ctx, pos + n == len, head, 4, data + pos, n);
    }
}


static void
packets_nal(const packets_t *out, const uint8_t *nal, size_t len, bool last)
{
    size_t   pos, n;
    uint8_t  head[2];

    if (len <= out->max) {
        out->packet(out->ctx, last, NULL, 0, nal, len);
        return;
    }

    /* RFC 6184 section 5.8 */
    for (pos = 1; pos < len; pos += n) {
        n = len - pos < out->max ? len - pos : out->max;

        head[0] = (nal[0] & 0x60) | NAL_FU_A;
        head[1] = nal[0] & 0x1f;
        head[1] |= pos == 1 ? 0x80 : 0;
        head[1] |= pos + n == len ? 0x40 : 0;

        out->packet(out->ctx, last && pos + n == len, head, 2, nal + pos, n);
    }
}


size_t
next_nal(const uint8_t *data, size_t len, size_t pos)
{
    for ( ; pos + 3 <= len; pos++) {
        if (data[pos] == 0 && data[pos + 1] == 0 && data[pos + 2] == 1) {
            return pos;
        }
    }

    return len;
}


size_t
nal_size(const uint8_t *nal, size_t len)
{
    /* the zero of a start code of four bytes, or trailing ones */
    while (len > 0 && nal[len - 1] == 0) {
        len--;
    }

    return len;
}


static void
packets_h264(const packets_t *out, const uint8_t *data, size_t len)
{
    size_t  pos, end, n;

    for (pos = next_nal(data, len, 0); pos < len; pos = end) {
        pos += 3;
        end = next_nal(data, len, pos);
        n = nal_size(data + pos, end - pos);

        if (n != 0 && (data[pos] & 0x1f) != NAL_AUD) {
            packets_nal(out, data + pos, n, end == len);
        }
    }
}


void
packets_of(const media_t *m, const media_frame_t *f, uint16_t picture_id,
    packet_pt packet, void *ctx)
{
    packets_t       out = { packet, ctx, m->payload_max };
    const uint8_t  *data = m->data + f->offset;

    switch (m->codec) {

    case CR_CODEC_VP8:
        packets_vp8(&out, picture_id, data, f->len);
        break;

    case CR_CODEC_H264:
        packets_h264(&out, data, f->len);
        break;

    default:
        if (f->len <= PAYLOAD_MAX) {
            packet(ctx, false, NULL, 0, data, f->len);
        }

        break;
    }
}


/* All but the transport-wide number, which is of the datagram. */
void
packet_head(publisher_t *p, unsigned which, bool marker, uint8_t *b)
{
    stream_t  *s = &p->streams[which];

    b[0] = 0x90;
    b[1] = (uint8_t) ((marker ? 0x80 : 0)
                      | (which == AUDIO ? PT_OPUS : PT_VIDEO));
    cr_put_u16(b + 2, s->seq++);
    cr_put_u32(b + 4, s->timestamp);
    cr_put_u32(b + 8, s->ssrc);

    /* RFC 8285 section 4.2 */
    cr_put_u32(b + 12, 0xbede0002);
    b[16] = EXT_TWCC << 4 | 1;
    cr_put_u16(b + 17, 0);
    b[19] = EXT_MID << 4;
    b[20] = which == AUDIO ? '0' : '1';
    b[21] = b[22] = b[23] = 0;

    if (p->options.layers > 1 && !p->options.by_ssrc && which != AUDIO) {
        b[21] = EXT_RID << 4;
        b[22] = (uint8_t) ('0' + which - VIDEO);
    }

    /* 3GPP TS 26.114 section 7.4.5: with a frame's last packet */
    if (p->options.turn != 0 && which == VIDEO && marker) {
        b[21] = EXT_ORIENTATION << 4;
        b[22] = (uint8_t) (p->frames[VIDEO] / p->options.turn % 4);
    }

    if (p->options.level > 0 && which == AUDIO) {
        b[21] = EXT_LEVEL << 4;
        b[22] = (uint8_t) p->options.level;
    }
}


/* Each packet on the wire has a transport-wide number of its own. */
void
packet_number(publisher_t *p, uint8_t *b)
{
    cr_put_u16(b + 17, p->twcc_seq++);
}


size_t
packet_rtx(publisher_t *p, unsigned which, uint8_t *to, const uint8_t *data,
    size_t len)
{
    memcpy(to, data, HEAD_SIZE);
    to[1] = (uint8_t) ((to[1] & 0x80) | PT_RTX);
    cr_put_u16(to + 2, p->rtx_seq++);
    cr_put_u32(to + 8, p->rtx_ssrc + which - VIDEO);

    if (to[21] == EXT_RID << 4) {
        to[21] = EXT_REPAIRED_RID << 4;
    }

    memcpy(to + HEAD_SIZE, data + 2, 2);
    memcpy(to + HEAD_SIZE + 2, data + HEAD_SIZE, len - HEAD_SIZE);

    return len + 2;
}
