
/*
 * Copyright (C) The call recorder authors
 *
 * VP9, RFC 9628.  The spatial layers of a picture come out together, as a
 * superframe (VP9 bitstream specification, annex B).
 *
 *      0 1 2 3 4 5 6 7
 *     +-+-+-+-+-+-+-+-+
 *     |I|P|L|F|B|E|V|Z|  section 4.2
 *     +-+-+-+-+-+-+-+-+
 * I:  |M| PICTURE ID  |  one byte, or two when M is set
 *     +-+-+-+-+-+-+-+-+
 * L:  | TID |U| SID |D|
 *     +-+-+-+-+-+-+-+-+
 *     |   TL0PICIDX   |  when F is not set
 *     +-+-+-+-+-+-+-+-+
 * P,F:|   P_DIFF    |N|  up to three
 *     +-+-+-+-+-+-+-+-+
 * V:  | N_S |Y|G|-|-|-|  and more, section 4.2.1
 *     +-+-+-+-+-+-+-+-+
 */

#include "base/bits.h"
#include "depay/depay_internal.h"


#define CR_VP9_I          0x80
#define CR_VP9_P          0x40
#define CR_VP9_L          0x20
#define CR_VP9_F          0x10
#define CR_VP9_B          0x08
#define CR_VP9_E          0x04
#define CR_VP9_V          0x02
#define CR_VP9_N          0x01
#define CR_VP9_D          0x01
#define CR_VP9_SID(l)     ((l) >> 1 & 7)
#define CR_VP9_Y          0x10
#define CR_VP9_G          0x08
#define CR_VP9_P_DIFFS    3

/* VP9 bitstream specification, sections 7.2 and 7.2.2 */
#define CR_VP9_MARKER     2
#define CR_VP9_SYNC_CODE  0x498342
#define CR_VP9_RGB        7


/* Section 4.2.1; only the sizes matter. */
static const uint8_t *
cr_vp9_structure(cr_depay_vp9_t *vp9, const uint8_t *p, const uint8_t *end)
{
    uint8_t     head, n, pg;
    unsigned    i;
    cr_slice_t  skipped;

    p = cr_read_u8(p, end, &head);
    if (p == NULL) {
        return NULL;
    }

    vp9->nsizes = 0;

    if (head & CR_VP9_Y) {
        for (i = 0; i < (head >> 5) + 1u; i++) {
            p = cr_read_u16(p, end, &vp9->width[i]);
            p = cr_read_u16(p, end, &vp9->height[i]);
        }

        if (p == NULL) {
            return NULL;
        }

        vp9->nsizes = i;
    }

    if (head & CR_VP9_G) {
        n = 0;
        p = cr_read_u8(p, end, &n);

        for (i = 0; i < n && p != NULL; i++) {
            pg = 0;
            p = cr_read_u8(p, end, &pg);
            p = cr_read_bytes(p, end, pg >> 2 & 3, &skipped);
        }
    }

    return p;
}


/*
 * Returns where the VP9 bytes begin, NULL: malformed; *layer is the octet of
 * L, zero without one.
 */
static const uint8_t *
cr_vp9_descriptor(cr_depay_vp9_t *vp9, const uint8_t *p, const uint8_t *end,
    uint8_t *flags, uint8_t *layer)
{
    uint8_t   byte;
    uint16_t  id, mask;
    unsigned  i;

    *layer = 0;

    p = cr_read_u8(p, end, flags);
    if (p == NULL) {
        return NULL;
    }

    byte = 0;

    if (*flags & CR_VP9_I) {
        p = cr_depay_picture_id(p, end, &id, &mask);
    }

    if (*flags & CR_VP9_L) {
        p = cr_read_u8(p, end, layer);

        if (!(*flags & CR_VP9_F)) {
            p = cr_read_u8(p, end, &byte);
        }
    }

    if ((*flags & CR_VP9_P) && (*flags & CR_VP9_F)) {
        byte = CR_VP9_N;

        for (i = 0; (byte & CR_VP9_N) && p != NULL; i++) {

            if (i == CR_VP9_P_DIFFS) {
                return NULL;
            }

            p = cr_read_u8(p, end, &byte);
        }
    }

    if ((*flags & CR_VP9_V) && p != NULL) {
        p = cr_vp9_structure(vp9, p, end);
    }

    return (p != NULL && p < end) ? p : NULL;
}


/* A layer's frame begins. */
static void
cr_vp9_layer(cr_depay_t *d, const cr_depay_packet_t *packet, uint8_t layer)
{
    bool             lost;
    uint8_t          sid;
    cr_depay_vp9_t  *vp9 = &d->vp9;

    sid = CR_VP9_SID(layer);

    if (d->active && (sid <= vp9->sid || vp9->nframes == CR_VP9_FRAMES_MAX))
    {
        /* two pictures of one time, without a marker between them */
        cr_depay_emit(d);
    }

    if (!d->active) {
        lost = d->lost;

        cr_depay_begin(d, packet);
        vp9->nframes = 0;

        /* an encoder may leave out layers that those above do not need */
        d->broken = sid != 0 && (lost || (layer & CR_VP9_D));
    }

    if (vp9->nframes != 0 && !vp9->ended) {
        /* the sender threw away the rest of the layer below */
        d->broken = true;
    }

    vp9->sid = sid;
    vp9->start[vp9->nframes++] = d->len;
}


static cr_status_e
cr_vp9_packet(cr_depay_t *d, const cr_depay_packet_t *packet)
{
    uint8_t         flags, layer;
    cr_status_e     rc;
    const uint8_t  *p, *end;

    end = packet->payload.data + packet->payload.len;

    p = cr_vp9_descriptor(&d->vp9, packet->payload.data, end, &flags, &layer);

    if (p == NULL) {
        d->skip = true;
        return CR_INVALID;
    }

    if (flags & CR_VP9_B) {
        if (d->active && d->skip && CR_VP9_SID(layer) > d->vp9.sid) {
            /* a layer above one that is not whole */
            return CR_OK;
        }

        cr_vp9_layer(d, packet, layer);
    }

    if (!d->active || d->skip) {
        /* the frame's start, or something in its middle, is lost */
        return CR_OK;
    }

    rc = cr_depay_append(d, p, (size_t) (end - p));
    d->vp9.ended = flags & CR_VP9_E;

    if (rc != CR_OK) {
        d->skip = true;
    }

    return rc;
}


/* Bytes moved up into a hole are noise to a decoder. */
static void
cr_vp9_gap(cr_depay_t *d)
{
    d->skip = true;
}


/* Section 7.2: whether the frame is a keyframe, its size. */
static bool
cr_vp9_keyframe(const uint8_t *p, size_t len, uint16_t *width,
    uint16_t *height)
{
    unsigned   profile;
    uint32_t   w, h;
    cr_bits_t  b;

    cr_bits_init(&b, p, len);

    if (cr_bits_u(&b, 2) != CR_VP9_MARKER) {
        return false;
    }

    profile = cr_bits_u(&b, 1);
    profile |= cr_bits_u(&b, 1) << 1;

    if (profile == 3) {
        cr_bits_u(&b, 1);
    }

    /* show_existing_frame; frame_type, 0: a keyframe */
    if (cr_bits_u(&b, 1) || cr_bits_u(&b, 1)) {
        return false;
    }

    cr_bits_u(&b, 2);                   /* show_frame, error_resilient */

    if (cr_bits_u(&b, 24) != CR_VP9_SYNC_CODE) {
        return false;
    }

    if (profile >= 2) {
        cr_bits_u(&b, 1);               /* ten_or_twelve_bit */
    }

    if (cr_bits_u(&b, 3) == CR_VP9_RGB) {
        cr_bits_u(&b, profile & 1);     /* reserved_zero */

    } else {
        cr_bits_u(&b, profile & 1 ? 4 : 1);  /* range, subsampling */
    }

    w = cr_bits_u(&b, 16) + 1;
    h = cr_bits_u(&b, 16) + 1;

    if (b.overflow || w > UINT16_MAX || h > UINT16_MAX) {
        return false;
    }

    *width = (uint16_t) w;
    *height = (uint16_t) h;

    return true;
}


/* Annex B: the sizes behind the frames. */
static cr_status_e
cr_vp9_superframe(cr_depay_t *d)
{
    size_t           size;
    uint8_t          head, index[2 + 4 * CR_VP9_FRAMES_MAX], *p;
    unsigned         i;
    cr_depay_vp9_t  *vp9 = &d->vp9;

    head = (uint8_t) (0xc0 | 3 << 3 | (vp9->nframes - 1));

    p = index;
    *p++ = head;

    for (i = 0; i < vp9->nframes; i++) {
        size = (i + 1 < vp9->nframes ? vp9->start[i + 1] : d->len)
               - vp9->start[i];

        *p++ = (uint8_t) size;
        *p++ = (uint8_t) (size >> 8);
        *p++ = (uint8_t) (size >> 16);
        *p++ = (uint8_t) (size >> 24);
    }

    *p++ = head;

    return cr_depay_append(d, index, (size_t) (p - index));
}


static bool
cr_vp9_finish(cr_depay_t *d, cr_frame_t *frame)
{
    cr_depay_vp9_t  *vp9 = &d->vp9;

    if (!vp9->ended) {
        d->broken = true;
    }

    if (vp9->nframes > 1 && vp9->start[vp9->nframes - 1] == d->len) {
        vp9->nframes--;
    }

    if (d->len == 0) {
        return false;
    }

    frame->keyframe = cr_vp9_keyframe(d->buf, d->len, &frame->width,
                                      &frame->height);

    if (vp9->nframes > 1) {

        if (frame->keyframe && vp9->sid < vp9->nsizes
            && vp9->width[vp9->sid] != 0 && vp9->height[vp9->sid] != 0)
        {
            /* the uppermost layer is what is shown */
            frame->width = vp9->width[vp9->sid];
            frame->height = vp9->height[vp9->sid];
        }

        if (cr_vp9_superframe(d) != CR_OK) {
            d->broken = true;
        }
    }

    return true;
}


static bool
cr_vp9_begins(const cr_depay_t *d, const uint8_t *p, const uint8_t *end)
{
    uint8_t         flags, layer;
    cr_depay_vp9_t  vp9;

    (void) d;

    p = cr_vp9_descriptor(&vp9, p, end, &flags, &layer);

    return p != NULL && CR_VP9_SID(layer) == 0
           && (flags & (CR_VP9_B | CR_VP9_P)) == CR_VP9_B;
}


/* The descriptor's beginning: its id, and that no layer is below. */
static bool
cr_vp9_picture(const cr_slice_t *payload, uint16_t *id, uint16_t *mask)
{
    uint8_t         flags, layer;
    const uint8_t  *p, *end;

    end = payload->data + payload->len;
    flags = 0;
    layer = 0;

    p = cr_read_u8(payload->data, end, &flags);

    if (!(flags & CR_VP9_I) || !(flags & CR_VP9_B)) {
        return false;
    }

    p = cr_depay_picture_id(p, end, id, mask);

    if (flags & CR_VP9_L) {
        p = cr_read_u8(p, end, &layer);
    }

    return p != NULL && CR_VP9_SID(layer) == 0;
}


const cr_depay_codec_t  cr_depay_vp9 = {
    cr_vp9_packet,
    cr_vp9_gap,
    cr_vp9_finish,
    cr_vp9_begins,
    cr_vp9_picture
};
