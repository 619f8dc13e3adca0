
/*
 * Copyright (C) The call recorder authors
 *
 * Opus, RFC 7587: one packet is one frame.
 */

#include "depay/depay_internal.h"


/* RFC 6716 section 3.2.5, [R5] */
#define CR_OPUS_DURATION_MAX  120000


/*
 * RFC 6716 section 3.1; 0: the packet is malformed.  All streams of one that
 * has several are as long as the first, which says its own size (appendix B).
 */
static uint32_t
cr_opus_duration(const uint8_t *p, size_t len, bool several)
{
    uint32_t  frame, count, config;

    static const uint16_t  silk[4] = { 10000, 20000, 40000, 60000 };
    static const uint16_t  celt[4] = { 2500, 5000, 10000, 20000 };

    config = p[0] >> 3;

    if (config < 12) {
        frame = silk[config & 3];

    } else if (config < 16) {
        frame = config & 1 ? 20000 : 10000;

    } else {
        frame = celt[config & 3];
    }

    switch (p[0] & 3) {

    case 0:
        count = 1;
        break;

    case 1:
        /* two frames of one size, [R3] */
        count = several || (len & 1) ? 2 : 0;
        break;

    case 2:
        count = 2;
        break;

    default:
        count = len < 2 ? 0 : p[1] & 0x3f;
        break;
    }

    return frame * count > CR_OPUS_DURATION_MAX ? 0 : frame * count;
}


cr_status_e
cr_depay_opus_push(cr_depay_t *d, const cr_depay_packet_t *packet)
{
    uint32_t  duration;

    duration = cr_opus_duration(packet->payload.data, packet->payload.len,
                                d->streams > 1);

    if (duration == 0) {
        return CR_INVALID;
    }

    cr_depay_audio(d, packet, duration);

    return CR_OK;
}
