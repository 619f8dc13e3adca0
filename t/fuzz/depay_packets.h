
/*
 * Copyright (C) The call recorder authors
 *
 * The depacketisers' fuzzers: the input is a row of packets, each a byte of
 * flags, a byte of length and that many bytes of payload.
 */

#ifndef DEPAY_PACKETS_H
#define DEPAY_PACKETS_H


#include "depay/depay.h"
#include "fuzz.h"


#define PACKET_MARKER    0x01
#define PACKET_GAP       0x02
#define PACKET_NEW_TIME  0x04


/* Reads all of the frame, for the sanitizers, and checks what it promises. */
static inline void
depay_packets_frame(void *ctx, cr_frame_t *frame, int64_t arrival_us)
{
    size_t    i;
    unsigned  bits;

    (void) ctx;
    (void) arrival_us;

    bits = 0;

    for (i = 0; i < frame->size; i++) {
        bits |= frame->data[i];
    }

    for (i = 0; i < frame->config_size; i++) {
        bits |= frame->config[i];
    }

    if (bits > 0xff || frame->size == 0
        || frame->size > CR_FRAME_SIZE_MAX
        || frame->config_size > CR_CODEC_CONFIG_MAX
        || (frame->keyframe && frame->kind == CR_KIND_VIDEO
            && (frame->width == 0 || frame->height == 0))
        || (frame->keyframe && frame->config_size == 0
            && frame->codec != CR_CODEC_VP8
            && frame->codec != CR_CODEC_VP9))
    {
        abort();
    }
}


static inline void
depay_packets_run(const cr_media_params_t *params, const uint8_t *data,
    size_t size)
{
    uint8_t            *copy;
    cr_depay_t         *d;
    const uint8_t      *p, *end;
    cr_depay_packet_t   packet;

    packet = (cr_depay_packet_t) { .timestamp = 0 };

    d = cr_depay_create(&heap_env, params, depay_packets_frame, NULL);
    if (d == NULL) {
        return;
    }

    p = data;
    end = data + size;

    while (end - p >= 2) {
        packet.marker = p[0] & PACKET_MARKER;
        packet.gap = p[0] & PACKET_GAP;
        packet.timestamp += p[0] & PACKET_NEW_TIME;
        packet.payload.len = p[1] < end - p - 2 ? p[1]
                                                : (size_t) (end - p - 2);
        p += 2;

        copy = fuzz_copy(p, packet.payload.len);
        packet.payload.data = copy;

        (void) cr_depay_begins(d, &packet);
        (void) cr_depay_push(d, &packet);

        free(copy);
        p += packet.payload.len;
    }

    cr_depay_flush(d);
    cr_depay_destroy(d);
}


#endif /* DEPAY_PACKETS_H */
