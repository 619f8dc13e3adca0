
/*
 * Copyright (C) The call recorder authors
 *
 * VP8, RFC 7741.
 *
 *      0 1 2 3 4 5 6 7
 *     +-+-+-+-+-+-+-+-+
 *     |X|R|N|S|R| PID |  section 4.2
 *     +-+-+-+-+-+-+-+-+
 * X:  |I|L|T|K| RSV   |
 *     +-+-+-+-+-+-+-+-+
 * I:  |M| PictureID   |  one byte, or two when M is set
 *     +-+-+-+-+-+-+-+-+
 * L:  |   TL0PICIDX   |
 *     +-+-+-+-+-+-+-+-+
 * T/K:|TID|Y| KEYIDX  |
 *     +-+-+-+-+-+-+-+-+
 */

#include "depay/depay_internal.h"


#define CR_VP8_X          0x80
#define CR_VP8_S          0x10
#define CR_VP8_PID        0x07
#define CR_VP8_I          0x80
#define CR_VP8_L          0x40
#define CR_VP8_T          0x20
#define CR_VP8_K          0x10

/* RFC 6386 section 9.1: frame tag, start code, two sizes of 14 bits */
#define CR_VP8_INTER      0x01
#define CR_VP8_KEY_SIZE   10


/* Returns where the VP8 bytes begin, NULL: malformed.  *mask: 0, no id. */
static const uint8_t *
cr_vp8_descriptor(const uint8_t *p, const uint8_t *end, bool *start,
    uint16_t *picture_id, uint16_t *mask)
{
    uint8_t  first, ext, id;

    *mask = 0;
    id = 0;

    p = cr_read_u8(p, end, &first);
    if (p == NULL) {
        return NULL;
    }

    *start = (first & CR_VP8_S) && (first & CR_VP8_PID) == 0;

    if (first & CR_VP8_X) {
        p = cr_read_u8(p, end, &ext);
        if (p == NULL) {
            return NULL;
        }

        if (ext & CR_VP8_I) {
            p = cr_depay_picture_id(p, end, picture_id, mask);
        }

        if (ext & CR_VP8_L) {
            p = cr_read_u8(p, end, &id);
        }

        if (ext & (CR_VP8_T | CR_VP8_K)) {
            p = cr_read_u8(p, end, &id);
        }
    }

    return (p != NULL && p < end) ? p : NULL;
}


static cr_status_e
cr_vp8_packet(cr_depay_t *d, const cr_depay_packet_t *packet)
{
    bool            start;
    uint16_t        id, mask;
    cr_status_e     rc;
    const uint8_t  *p, *end;

    start = false;
    end = packet->payload.data + packet->payload.len;

    p = cr_vp8_descriptor(packet->payload.data, end, &start, &id, &mask);

    if (p == NULL) {
        d->skip = true;
        return CR_INVALID;
    }

    if (start) {
        if (d->active) {
            /* two frames of one time, without a marker between them */
            cr_depay_emit(d);
        }

        cr_depay_begin(d, packet);
    }

    if (!d->active || d->skip) {
        /* the frame's start, or something in its middle, is lost */
        return CR_OK;
    }

    rc = cr_depay_append(d, p, (size_t) (end - p));

    if (rc != CR_OK) {
        d->skip = true;
    }

    return rc;
}


static void
cr_vp8_gap(cr_depay_t *d)
{
    /*
     * A decoder bears a partition that ends early, but bytes moved up
     * into a hole are noise to it.
     */
    d->skip = true;
}


static bool
cr_vp8_finish(cr_depay_t *d, cr_frame_t *frame)
{
    uint8_t  *p;

    p = d->buf;

    if (d->len == 0) {
        return false;
    }

    if (p[0] & CR_VP8_INTER) {
        return true;
    }

    if (d->len < CR_VP8_KEY_SIZE
        || p[3] != 0x9d || p[4] != 0x01 || p[5] != 0x2a)
    {
        d->broken = true;
        return true;
    }

    frame->width = (uint16_t) ((p[7] << 8 | p[6]) & 0x3fff);
    frame->height = (uint16_t) ((p[9] << 8 | p[8]) & 0x3fff);

    if (frame->width == 0 || frame->height == 0) {
        frame->width = 0;
        frame->height = 0;
        d->broken = true;
        return true;
    }

    frame->keyframe = true;

    return true;
}


static bool
cr_vp8_begins(const cr_depay_t *d, const uint8_t *p, const uint8_t *end)
{
    bool      start;
    uint16_t  id, mask;

    (void) d;

    start = false;
    p = cr_vp8_descriptor(p, end, &start, &id, &mask);

    return p != NULL && start && !(p[0] & CR_VP8_INTER);
}


static bool
cr_vp8_picture(const cr_slice_t *payload, uint16_t *id, uint16_t *mask)
{
    bool  start;

    return cr_vp8_descriptor(payload->data, payload->data + payload->len,
                             &start, id, mask) != NULL
           && start && *mask != 0;
}


const cr_depay_codec_t  cr_depay_vp8 = {
    cr_vp8_packet,
    cr_vp8_gap,
    cr_vp8_finish,
    cr_vp8_begins,
    cr_vp8_picture
};
