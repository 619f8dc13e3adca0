
/*
 * Copyright (C) The call recorder authors
 *
 * Sections are those of the AV1 bitstream and decoding process
 * specification, version 1.0.0 with errata 1.
 */

#include "depay/av1_headers.h"

#include <string.h>

#include "base/bytes.h"
#include "base/bits.h"


/* section 3 */
#define CR_AV1_SELECT      2
/* section 6.4.2 */
#define CR_AV1_BT_709      1
#define CR_AV1_SRGB        13
#define CR_AV1_IDENTITY    0
#define CR_AV1_UNSPECIFIED 2


/* Section 5.5.3 and what belongs to it; returns initial seq_level_idx and
 * seq_tier. */
static void
cr_av1_operating_points(cr_av1_seq_t *seq, cr_bits_t *b, uint8_t *level,
    uint8_t *tier)
{
    bool      delay_present;
    uint8_t   delay_bits, l, t;
    unsigned  i, n;

    delay_bits = 0;

    if (cr_bits_u(b, 1)) {              /* timing_info_present_flag */
        cr_bits_u(b, 32);
        cr_bits_u(b, 32);
        seq->equal_interval = cr_bits_u(b, 1);

        if (seq->equal_interval) {
            cr_bits_ue(b);
        }

        seq->decoder_model = cr_bits_u(b, 1);

        if (seq->decoder_model) {
            delay_bits = (uint8_t) (cr_bits_u(b, 5) + 1);
            cr_bits_u(b, 32);
            cr_bits_u(b, 5);
            seq->presentation_bits = (uint8_t) (cr_bits_u(b, 5) + 1);
        }
    }

    delay_present = cr_bits_u(b, 1);
    n = cr_bits_u(b, 5) + 1;

    for (i = 0; i < n; i++) {
        cr_bits_u(b, 12);               /* operating_point_idc */

        l = (uint8_t) cr_bits_u(b, 5);
        t = l > 7 ? (uint8_t) cr_bits_u(b, 1) : 0;

        if (i == 0) {
            *level = l;
            *tier = t;
        }

        if (seq->decoder_model && cr_bits_u(b, 1)) {
            cr_bits_u(b, delay_bits);
            cr_bits_u(b, delay_bits);
            cr_bits_u(b, 1);
        }

        if (delay_present && cr_bits_u(b, 1)) {
            cr_bits_u(b, 4);
        }
    }
}


/* The tools that change what is in a frame header. */
static void
cr_av1_tools(cr_av1_seq_t *seq, cr_bits_t *b)
{
    bool  order_hint;

    cr_bits_u(b, 4);                    /* interintra ... dual_filter */

    order_hint = cr_bits_u(b, 1);

    if (order_hint) {
        cr_bits_u(b, 2);                /* jnt_comp, ref_frame_mvs */
    }

    seq->screen_content = cr_bits_u(b, 1) ? CR_AV1_SELECT
                                          : (uint8_t) cr_bits_u(b, 1);

    seq->integer_mv = CR_AV1_SELECT;

    if (seq->screen_content > 0 && !cr_bits_u(b, 1)) {
        seq->integer_mv = (uint8_t) cr_bits_u(b, 1);
    }

    if (order_hint) {
        seq->order_bits = (uint8_t) (cr_bits_u(b, 3) + 1);
    }
}


/* Section 5.5.2; returns the third byte of the av1C without the tier. */
static uint8_t
cr_av1_color(cr_bits_t *b, uint8_t profile)
{
    bool      high, mono, twelve;
    uint8_t   matrix, position, primaries, transfer, x, y;

    high = cr_bits_u(b, 1);
    twelve = profile == 2 && high && cr_bits_u(b, 1);
    mono = profile != 1 && cr_bits_u(b, 1);

    primaries = CR_AV1_UNSPECIFIED;
    transfer = CR_AV1_UNSPECIFIED;
    matrix = CR_AV1_UNSPECIFIED;

    if (cr_bits_u(b, 1)) {
        primaries = (uint8_t) cr_bits_u(b, 8);
        transfer = (uint8_t) cr_bits_u(b, 8);
        matrix = (uint8_t) cr_bits_u(b, 8);
    }

    x = 1;
    y = 1;
    position = 0;

    if (mono) {
        cr_bits_u(b, 1);                /* color_range */

    } else if (primaries == CR_AV1_BT_709 && transfer == CR_AV1_SRGB
               && matrix == CR_AV1_IDENTITY)
    {
        x = 0;
        y = 0;

    } else {
        cr_bits_u(b, 1);

        if (profile == 1) {
            x = 0;
            y = 0;

        } else if (profile == 2) {
            x = twelve ? (uint8_t) cr_bits_u(b, 1) : 1;
            y = twelve && x ? (uint8_t) cr_bits_u(b, 1) : 0;
        }

        if (x && y) {
            position = (uint8_t) cr_bits_u(b, 2);
        }
    }

    return (uint8_t) (high << 6 | twelve << 5 | mono << 4 | x << 3 | y << 2
                      | position);
}


/* Section 5.5.1. */
cr_status_e
cr_av1_sequence(cr_av1_seq_t *seq, const uint8_t *p, size_t len)
{
    uint8_t       color, level, profile, tier;
    uint32_t      width, height;
    cr_bits_t     b;
    cr_av1_seq_t  s;

    memset(&s, 0, sizeof(cr_av1_seq_t));
    cr_bits_init(&b, p, len);

    level = 0;
    tier = 0;

    profile = (uint8_t) cr_bits_u(&b, 3);
    cr_bits_u(&b, 1);                   /* still_picture */
    s.reduced = cr_bits_u(&b, 1);

    if (s.reduced) {
        level = (uint8_t) cr_bits_u(&b, 5);

    } else {
        cr_av1_operating_points(&s, &b, &level, &tier);
    }

    s.width_bits = (uint8_t) (cr_bits_u(&b, 4) + 1);
    s.height_bits = (uint8_t) (cr_bits_u(&b, 4) + 1);
    width = cr_bits_u(&b, s.width_bits) + 1;
    height = cr_bits_u(&b, s.height_bits) + 1;

    if (!s.reduced && cr_bits_u(&b, 1)) {
        s.id_bits = (uint8_t) (cr_bits_u(&b, 4) + 2);
        s.id_bits = (uint8_t) (s.id_bits + cr_bits_u(&b, 3) + 1);
    }

    cr_bits_u(&b, 3);                   /* superblocks, two filters */

    s.screen_content = CR_AV1_SELECT;
    s.integer_mv = CR_AV1_SELECT;

    if (!s.reduced) {
        cr_av1_tools(&s, &b);
    }

    cr_bits_u(&b, 3);                   /* superres, cdef, restoration */

    color = cr_av1_color(&b, profile);

    if (b.overflow || profile > 2 || width > UINT16_MAX
        || height > UINT16_MAX)
    {
        return CR_INVALID;
    }

    s.known = true;
    s.width = (uint16_t) width;
    s.height = (uint16_t) height;

    /* AV1 Codec ISO Media File Format Binding, section 2.3.3 */
    s.av1c[0] = 0x81;
    s.av1c[1] = (uint8_t) (profile << 5 | level);
    s.av1c[2] = (uint8_t) (tier << 7 | color);

    *seq = s;

    return CR_OK;
}


/* Sections 5.9.2 and 5.9.5. */
bool
cr_av1_keyframe(const cr_av1_seq_t *seq, const uint8_t *p, size_t len,
    uint16_t *width, uint16_t *height)
{
    bool       screen_content, override;
    uint32_t   w, h;
    cr_bits_t  b;

    cr_bits_init(&b, p, len);

    *width = seq->width;
    *height = seq->height;

    if (!seq->known) {
        return false;
    }

    if (seq->reduced) {
        return len != 0;
    }

    /* show_existing_frame; frame_type, 0: a keyframe; show_frame */
    if (cr_bits_u(&b, 1) || cr_bits_u(&b, 2) != 0 || !cr_bits_u(&b, 1)
        || b.overflow)
    {
        return false;
    }

    if (seq->decoder_model && !seq->equal_interval) {
        cr_bits_u(&b, seq->presentation_bits);
    }

    cr_bits_u(&b, 1);                   /* disable_cdf_update */

    screen_content = seq->screen_content == CR_AV1_SELECT
                     ? cr_bits_u(&b, 1) : seq->screen_content;

    if (screen_content && seq->integer_mv == CR_AV1_SELECT) {
        cr_bits_u(&b, 1);
    }

    cr_bits_u(&b, seq->id_bits);

    override = cr_bits_u(&b, 1);
    cr_bits_u(&b, seq->order_bits);

    /* behind a decoder model's times it would be a long way */
    if (!override || seq->decoder_model) {
        return !b.overflow;
    }

    w = cr_bits_u(&b, seq->width_bits) + 1;
    h = cr_bits_u(&b, seq->height_bits) + 1;

    if (b.overflow || w > UINT16_MAX || h > UINT16_MAX) {
        return false;
    }

    *width = (uint16_t) w;
    *height = (uint16_t) h;

    return true;
}


const uint8_t *
cr_av1_leb128(const uint8_t *p, const uint8_t *end, uint32_t *v)
{
    uint8_t   byte;
    uint64_t  value;
    unsigned  i;

    value = 0;

    for (i = 0; i < CR_AV1_LEB128_MAX; i++) {
        p = cr_read_u8(p, end, &byte);

        if (p == NULL) {
            return NULL;
        }

        value |= (uint64_t) (byte & 0x7f) << (7 * i);

        if (!(byte & 0x80)) {
            *v = (uint32_t) value;
            return value <= UINT32_MAX ? p : NULL;
        }
    }

    return NULL;
}


unsigned
cr_av1_write_leb128(uint8_t p[CR_AV1_LEB128_MAX], uint32_t v)
{
    unsigned  n;

    n = 0;

    do {
        p[n] = (uint8_t) ((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
        n++;
        v >>= 7;
    } while (v != 0);

    return n;
}
