
/*
 * Copyright (C) The call recorder authors
 *
 * What the publisher sends: frames of known bytes, repeats, reports.
 */

#include "remote.h"


size_t
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


static void
remote_rtp_send(remote_t *r, const uint8_t *data, size_t len)
{
    uint8_t  buf[1500];

    memcpy(buf, data, len);

    /* the transport-wide number is a new one in each repetition */
    if (r->send_time) {
        /* 6.18 bits of seconds */
        cr_put_u24(buf + 17, (uint32_t) ((uint64_t) r->now_us * 262144
                                         / 1000000) & 0xffffff);

    } else if (!r->no_ext) {
        cr_put_u16(buf + 17, r->twcc_seq++);
    }

    if (cr_srtp_seal_rtp(r->srtp, buf, &len) == CR_OK) {
        remote_put(r, true, buf, len);
    }
}


/* Bytes of the header with its extensions. */
static size_t
remote_head(const remote_t *r, unsigned video)
{
    return r->no_ext ? 12 : video && r->layers ? 36 : 24;
}


/*
 * The dependency descriptor (AV1's RTP payload format, appendix A): with a
 * keyframe one of templates 0 (key), 1 (T0, needs the second before it) and
 * 2 (T1, needs the one before it, discardable).
 */
static void
remote_dependency(remote_t *r, uint8_t *p, bool key, bool start, bool end)
{
    /* flags, offset 0, two targets; layers 0 0 1; SS RR -D; fdiffs; none
     * of chains and resolutions */
    static const uint8_t  structure[] = {
        0x80, 0x01, 0x1e, 0xbc, 0x51, 0x40, 0x00
    };

    memset(p, 0, 12);
    p[1] = (uint8_t) ((start ? 0x80 : 0) | (end ? 0x40 : 0)
                      | (key ? 0 : r->sent[1] % 2 + 1));
    cr_put_u16(p + 2, (uint16_t) r->sent[1]);
    p[0] = REMOTE_EXT_DD << 4 | 2;

    if (key && start) {
        p[0] = REMOTE_EXT_DD << 4 | (2 + sizeof(structure));
        memcpy(p + 4, structure, sizeof(structure));
    }
}


static uint8_t *
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

    if (r->send_time) {
        p[16] = REMOTE_EXT_TIME << 4 | 2;
        p[20] = REMOTE_EXT_MID << 4;
        p[21] = video ? '1' : '0';
        p[22] = p[23] = 0;
        return p + 24;
    }

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
static uint8_t *
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


/* RFC 5109 section 14.2: the payload behind one byte, its type. */
static uint8_t *
remote_fec(remote_t *r, uint8_t *buf, uint8_t *p)
{
    size_t  head = remote_head(r, 1);

    parity_add(&r->parity, buf, (size_t) (p - buf));

    memmove(buf + head + 1, buf + head, (size_t) (p - buf) - head);
    buf[head] = REMOTE_VIDEO_PT;
    buf[1] = (uint8_t) ((buf[1] & 0x80) | REMOTE_VIDEO_RED_PT);

    return p + 1;
}


static void
remote_parity(remote_t *r)
{
    size_t   len;
    uint8_t  buf[1500], *p;

    p = remote_header(r, buf, 1, false);
    buf[1] = REMOTE_VIDEO_RED_PT;
    *p++ = REMOTE_ULPFEC_PT;
    len = parity_payload(&r->parity, (UINT64_C(1) << r->parity.n) - 1, p);
    r->parity.n = 0;

    /* as libwebrtc does, which keeps no parity to be repeated */
    if (r->lose_video == 0 || ++r->video_packets % r->lose_video != 0) {
        remote_rtp_send(r, buf, (size_t) (p - buf) + len);
    }
}


/* One packet of the frame in the making. */
static void
remote_packet(remote_t *r, unsigned video, bool last, const uint8_t *payload,
    size_t n)
{
    size_t   i;
    uint8_t  buf[1400], *p;

    p = remote_header(r, buf, video, video && last);

    if (!video && r->red) {
        p = remote_red(r, buf, p);
    }

    if (video && r->layers) {
        /* three more words; S says where a frame begins */
        cr_put_u32(buf + 12, 0xbede0005);
        remote_dependency(r, p, r->want_keyframe, payload[0] & 0x10, last);
        p += 12;
    }

    memcpy(p, payload, n);
    p += n;

    if (video && r->fec) {
        p = remote_fec(r, buf, p);
    }

    n = (size_t) (p - buf);

    i = cr_get_u16(buf + 2) % REMOTE_HISTORY;
    r->history[video][i].len = n;
    memcpy(r->history[video][i].data, buf, n);

    if (video) {
        if (r->lose_frame != 0 && r->sent[1] == r->lose_frame) {
            return;
        }

        if (r->lose_video != 0 && ++r->video_packets % r->lose_video == 0) {
            return;
        }

    } else if (r->lose_sound && r->sent[0] % r->lose_sound == 0) {
        return;
    }

    if (r->lose == NULL || !r->lose(r, video, cr_get_u16(buf + 2), false)) {
        remote_rtp_send(r, buf, n);
    }
}


/* RFC 7741 section 4.2: S in the first packet, 15 bits of id. */
static uint8_t *
remote_descriptor(remote_t *r, bool first, uint8_t *p)
{
    *p++ = (uint8_t) ((first ? 0x10 : 0) | (r->fec ? 0x80 : 0));

    if (r->fec) {
        *p++ = 0x80;
        cr_put_u16(p, (uint16_t) (0x8000 | r->sent[1]));
        p += 2;
    }

    return p;
}


void
remote_media(remote_t *r, unsigned video)
{
    bool      key;
    size_t    size, pos, n, next;
    uint8_t   frame[8192], payload[REMOTE_CHUNK + 4], *p;
    unsigned  i;

    key = video && r->want_keyframe;

    if (video && r->make != NULL) {

        for (i = 0, n = r->make(key, 0, frame); n != 0; n = next) {
            memcpy(payload, frame, n);
            next = r->make(key, ++i, frame);
            remote_packet(r, 1, next == 0, payload, n);
        }

    } else {
        size = remote_frame(video, r->sent[video], key, frame);

        for (pos = 0; pos < size; pos += n) {
            n = size - pos < REMOTE_CHUNK ? size - pos : REMOTE_CHUNK;

            p = video ? remote_descriptor(r, pos == 0, payload) : payload;
            memcpy(p, frame + pos, n);

            remote_packet(r, video, pos + n == size, payload,
                          (size_t) (p - payload) + n);

            if (video && r->cut_frame != 0 && r->sent[1] == r->cut_frame) {
                break;
            }
        }
    }

    if (video) {
        r->want_keyframe = false;
    }

    if (video && r->fec) {
        remote_parity(r);
    }

    r->sent[video]++;
    r->timestamp[video] += video ? 3000 : 960;
}


void
remote_repeat(remote_t *r, unsigned video, uint16_t seq)
{
    size_t   len, head;
    uint8_t  buf[1400], *old;

    old = r->history[video][seq % REMOTE_HISTORY].data;
    len = r->history[video][seq % REMOTE_HISTORY].len;

    if (len == 0 || cr_get_u16(old + 2) != seq
        || (!video && !r->repeat_sound)
        || (r->lose != NULL && r->lose(r, video, seq, true)))
    {
        return;
    }

    if (r->no_rtx || !video) {
        remote_rtp_send(r, old, len);
        return;
    }

    /* RFC 4588 section 4 */
    head = remote_head(r, 1);
    memcpy(buf, old, head);
    memcpy(buf + head + 2, old + head, len - head);
    cr_put_u16(buf + head, seq);
    buf[1] = (uint8_t) ((old[1] & 0x80)
                        | (r->fec ? REMOTE_RED_RTX_PT : REMOTE_RTX_PT));
    cr_put_u16(buf + 2, r->rtx_seq++);
    cr_put_u32(buf + 8, REMOTE_RTX_SSRC);
    remote_rtp_send(r, buf, len + 2);
}


static void
remote_rtcp_send(remote_t *r, cr_writer_t *w)
{
    size_t  len = cr_writer_len(w);

    if (cr_srtp_seal_rtcp(r->srtp, w->start, &len) == CR_OK) {
        remote_put(r, true, w->start, len);
    }
}


void
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

    if (r->xr && r->rrtr != 0) {
        /* RFC 3611 section 4.5 */
        cr_write_u32(&w, 0x80cf0005);
        cr_write_u32(&w, r->video_ssrc);
        cr_write_u32(&w, 0x05000003);
        cr_write_u32(&w, r->rrtr_ssrc);
        cr_write_u32(&w, r->rrtr);
        cr_write_u32(&w, (uint32_t) ((r->now_us - r->rrtr_us) * 65536
                                     / 1000000));
    }

    remote_rtcp_send(r, &w);
}


void
remote_bye(remote_t *r, uint32_t ssrc)
{
    uint8_t      buf[256];
    cr_writer_t  w;

    cr_writer_init(&w, buf, sizeof(buf) - CR_SRTP_TRAILER_MAX);
    cr_rtcp_write_rr(&w, ssrc, NULL, 0);
    cr_rtcp_write_bye(&w, ssrc);
    remote_rtcp_send(r, &w);
}
