
/*
 * Copyright (C) The call recorder authors
 *
 * Sections are those of ITU-T H.264.
 */

#include "depay/h264_sets.h"

#include "base/bytes.h"
#include "base/media.h"


#define CR_H264_SPS_ID_MAX     31
#define CR_H264_PPS_ID_MAX     255
#define CR_H264_AVCC_FIXED     11    /* bytes of an avcC besides the sets */
#define CR_H264_SLICE_HEAD     24    /* bytes that hold three ue(v) */


/* Reads past the end are zeroes and set the flag. */
typedef struct {
    const uint8_t  *data;
    size_t          len;             /* in bits */
    size_t          pos;
    bool            overflow;
} cr_bits_t;


static uint32_t
cr_bits_u(cr_bits_t *b, unsigned n)
{
    uint32_t  v;

    v = 0;

    while (n-- != 0) {
        v <<= 1;

        if (b->pos >= b->len) {
            b->overflow = true;
            continue;
        }

        v |= b->data[b->pos / 8] >> (7 - b->pos % 8) & 1;
        b->pos++;
    }

    return v;
}


/* Section 9.1, ue(v) up to 2^32 - 2. */
static uint32_t
cr_bits_ue(cr_bits_t *b)
{
    unsigned  zeroes;

    zeroes = 0;

    while (cr_bits_u(b, 1) == 0) {
        if (b->overflow || ++zeroes > 31) {
            b->overflow = true;
            return 0;
        }
    }

    return (uint32_t) ((UINT64_C(1) << zeroes) - 1 + cr_bits_u(b, zeroes));
}


static int64_t
cr_bits_se(cr_bits_t *b)
{
    int64_t  v;

    v = cr_bits_ue(b);

    return v & 1 ? (v + 1) / 2 : -(v / 2);
}


/* Section 7.4.1.1: the bytes behind the NAL header without emulation
 * prevention, as many as there is room for. */
static void
cr_h264_rbsp(cr_bits_t *b, const uint8_t *nal, size_t len, uint8_t *buf,
    size_t size)
{
    size_t    i, n;
    unsigned  zeroes;

    zeroes = 0;
    n = 0;

    for (i = 1; i < len && n < size; i++) {

        if (zeroes >= 2 && nal[i] == 3) {
            zeroes = 0;
            continue;
        }

        zeroes = nal[i] == 0 ? zeroes + 1 : 0;
        buf[n++] = nal[i];
    }

    b->data = buf;
    b->len = n * 8;
    b->pos = 0;
    b->overflow = false;
}


/* Section 7.3.2.1.1.1: only to get behind it. */
static void
cr_h264_skip_scaling_list(cr_bits_t *b, unsigned size)
{
    int64_t   last, next;
    unsigned  i;

    last = 8;
    next = 8;

    for (i = 0; i < size && !b->overflow; i++) {

        if (next != 0) {
            next = (last + cr_bits_se(b) + 256) & 0xff;
        }

        last = next == 0 ? last : next;
    }
}


static bool
cr_h264_has_chroma_format(uint8_t profile)
{
    switch (profile) {

    case 100:
    case 110:
    case 122:
    case 244:
    case 44:
    case 83:
    case 86:
    case 118:
    case 128:
    case 138:
    case 139:
    case 134:
    case 135:
        return true;

    default:
        return false;
    }
}


/* Section 7.3.2.1.1, up to the cropping. */
static cr_status_e
cr_h264_parse_sps(cr_h264_set_t *set)
{
    bool       frame_mbs_only;
    uint8_t    buf[CR_H264_SET_SIZE], profile;
    uint32_t   id, i, n, poc_type, unit_x, unit_y;
    uint64_t   width, height, crop_x, crop_y;
    cr_bits_t  b;

    cr_h264_rbsp(&b, set->data, set->len, buf, sizeof(buf));

    profile = (uint8_t) cr_bits_u(&b, 8);
    cr_bits_u(&b, 16);                          /* constraints, level */
    id = cr_bits_ue(&b);

    set->chroma_format = 1;
    set->bit_depth_luma = 0;
    set->bit_depth_chroma = 0;

    if (cr_h264_has_chroma_format(profile)) {
        n = cr_bits_ue(&b);

        if (n > 3) {
            return CR_INVALID;
        }

        set->chroma_format = (uint8_t) n;

        if (n == 3 && cr_bits_u(&b, 1)) {
            /* separate_colour_plane_flag: ChromaArrayType 0 */
            n = 0;
        }

        set->bit_depth_luma = (uint8_t) (cr_bits_ue(&b) & 7);
        set->bit_depth_chroma = (uint8_t) (cr_bits_ue(&b) & 7);
        cr_bits_u(&b, 1);                       /* qpprime_y_zero... */

        if (cr_bits_u(&b, 1)) {
            for (i = 0; i < (set->chroma_format == 3 ? 12u : 8u); i++) {
                if (cr_bits_u(&b, 1)) {
                    cr_h264_skip_scaling_list(&b, i < 6 ? 16 : 64);
                }
            }
        }

    } else {
        n = 1;
    }

    /* table 6-1; ChromaArrayType 0 crops by single samples */
    unit_x = n == 1 || n == 2 ? 2 : 1;
    unit_y = n == 1 ? 2 : 1;

    cr_bits_ue(&b);                             /* log2_max_frame_num */
    poc_type = cr_bits_ue(&b);

    if (poc_type == 0) {
        cr_bits_ue(&b);

    } else if (poc_type == 1) {
        cr_bits_u(&b, 1);
        cr_bits_se(&b);
        cr_bits_se(&b);
        n = cr_bits_ue(&b);

        if (n > 255) {
            return CR_INVALID;
        }

        for (i = 0; i < n; i++) {
            cr_bits_se(&b);
        }
    }

    cr_bits_ue(&b);                             /* max_num_ref_frames */
    cr_bits_u(&b, 1);                           /* gaps_in_frame_num */

    width = ((uint64_t) cr_bits_ue(&b) + 1) * 16;
    height = ((uint64_t) cr_bits_ue(&b) + 1) * 16;
    frame_mbs_only = cr_bits_u(&b, 1);

    if (!frame_mbs_only) {
        height *= 2;
        unit_y *= 2;
        cr_bits_u(&b, 1);                       /* mb_adaptive... */
    }

    cr_bits_u(&b, 1);                           /* direct_8x8_inference */

    crop_x = 0;
    crop_y = 0;

    if (cr_bits_u(&b, 1)) {
        crop_x = cr_bits_ue(&b);
        crop_x = (crop_x + cr_bits_ue(&b)) * unit_x;
        crop_y = cr_bits_ue(&b);
        crop_y = (crop_y + cr_bits_ue(&b)) * unit_y;
    }

    if (b.overflow || id > CR_H264_SPS_ID_MAX || poc_type > 2
        || crop_x >= width || crop_y >= height
        || width - crop_x > UINT16_MAX || height - crop_y > UINT16_MAX)
    {
        return CR_INVALID;
    }

    set->id = (uint8_t) id;
    set->width = (uint16_t) (width - crop_x);
    set->height = (uint16_t) (height - crop_y);

    return CR_OK;
}


/* Section 7.3.2.2. */
static cr_status_e
cr_h264_parse_pps(cr_h264_set_t *set)
{
    uint8_t    buf[CR_H264_SLICE_HEAD];
    uint32_t   id, sps;
    cr_bits_t  b;

    cr_h264_rbsp(&b, set->data, set->len, buf, sizeof(buf));

    id = cr_bits_ue(&b);
    sps = cr_bits_ue(&b);

    if (b.overflow || id > CR_H264_PPS_ID_MAX || sps > CR_H264_SPS_ID_MAX) {
        return CR_INVALID;
    }

    set->id = (uint8_t) id;
    set->sps = (uint8_t) sps;

    return CR_OK;
}


/* The set seen longest ago, of those seen since; unused places have 0. */
static cr_h264_set_t *
cr_h264_sets_oldest(cr_h264_sets_t *sets, uint32_t since)
{
    unsigned        i;
    cr_h264_set_t  *set, *oldest;

    oldest = NULL;

    for (i = 0; i < CR_H264_SETS_MAX; i++) {
        set = &sets->set[i];

        if (set->used >= since
            && (oldest == NULL || set->used < oldest->used))
        {
            oldest = set;
        }
    }

    return oldest;
}


/* An avcC of all sets shall fit into CR_CODEC_CONFIG_MAX. */
static void
cr_h264_sets_trim(cr_h264_sets_t *sets)
{
    size_t    size;
    unsigned  i;

    for ( ;; ) {
        size = CR_H264_AVCC_FIXED;

        for (i = 0; i < CR_H264_SETS_MAX; i++) {
            if (sets->set[i].type != 0) {
                size += 2u + sets->set[i].len;
            }
        }

        if (size <= CR_CODEC_CONFIG_MAX) {
            return;
        }

        memset(cr_h264_sets_oldest(sets, 1), 0, sizeof(cr_h264_set_t));
    }
}


cr_status_e
cr_h264_sets_add(cr_h264_sets_t *sets, const uint8_t *nal, size_t len)
{
    unsigned        i;
    cr_status_e     rc;
    cr_h264_set_t  *set, new;

    if (len > CR_H264_SET_SIZE) {
        return CR_LIMIT;
    }

    if (len < 2) {
        return CR_INVALID;
    }

    memset(&new, 0, sizeof(cr_h264_set_t));

    new.type = nal[0] & 0x1f;
    new.len = (uint16_t) len;
    memcpy(new.data, nal, len);

    rc = new.type == CR_H264_SPS ? cr_h264_parse_sps(&new)
                                 : cr_h264_parse_pps(&new);
    if (rc != CR_OK) {
        return rc;
    }

    new.used = ++sets->clock;

    for (i = 0; i < CR_H264_SETS_MAX; i++) {
        set = &sets->set[i];

        if (set->type == new.type && set->id == new.id) {

            if (set->len == len && memcmp(set->data, nal, len) == 0) {
                set->used = new.used;
                return CR_OK;
            }

            break;
        }
    }

    if (i == CR_H264_SETS_MAX) {
        set = cr_h264_sets_oldest(sets, 0);
    }

    *set = new;
    sets->changed = true;

    cr_h264_sets_trim(sets);

    return CR_OK;
}


static const cr_h264_set_t *
cr_h264_sets_find(const cr_h264_sets_t *sets, uint8_t type, uint8_t id)
{
    unsigned  i;

    for (i = 0; i < CR_H264_SETS_MAX; i++) {
        if (sets->set[i].type == type && sets->set[i].id == id) {
            return &sets->set[i];
        }
    }

    return NULL;
}


const cr_h264_set_t *
cr_h264_sets_active(const cr_h264_sets_t *sets, uint8_t pps)
{
    const cr_h264_set_t  *set;

    set = cr_h264_sets_find(sets, CR_H264_PPS, pps);

    return set ? cr_h264_sets_find(sets, CR_H264_SPS, set->sps) : NULL;
}


static void
cr_h264_write_sets(const cr_h264_sets_t *sets, uint8_t type, uint8_t mask,
    cr_writer_t *w)
{
    uint8_t              *count;
    unsigned              i;
    const cr_h264_set_t  *set;

    count = cr_writer_take(w, 1);

    if (count == NULL) {
        return;
    }

    *count = mask;

    for (i = 0; i < CR_H264_SETS_MAX; i++) {
        set = &sets->set[i];

        if (set->type == type) {
            (*count)++;
            cr_write_u16(w, set->len);
            cr_write_bytes(w, set->data, set->len);
        }
    }
}


size_t
cr_h264_sets_avcc(const cr_h264_sets_t *sets, const cr_h264_set_t *sps,
    uint8_t *p, size_t size)
{
    uint8_t      profile;
    cr_writer_t  w;

    cr_writer_init(&w, p, size);

    profile = sps->data[1];

    cr_write_u8(&w, 1);                         /* version */
    cr_write_bytes(&w, sps->data + 1, 3);
    cr_write_u8(&w, 0xff);                      /* lengths of 4 bytes */

    cr_h264_write_sets(sets, CR_H264_SPS, 0xe0, &w);
    cr_h264_write_sets(sets, CR_H264_PPS, 0, &w);

    if (profile == 100 || profile == 110 || profile == 122
        || profile == 144)
    {
        cr_write_u8(&w, 0xfc | sps->chroma_format);
        cr_write_u8(&w, 0xf8 | sps->bit_depth_luma);
        cr_write_u8(&w, 0xf8 | sps->bit_depth_chroma);
        cr_write_u8(&w, 0);                     /* SPS extensions */
    }

    return w.overflow ? 0 : cr_writer_len(&w);
}


bool
cr_h264_slice(const uint8_t *nal, size_t len, uint32_t *first_mb,
    uint32_t *pps)
{
    uint8_t    buf[CR_H264_SLICE_HEAD];
    cr_bits_t  b;

    cr_h264_rbsp(&b, nal, len, buf, sizeof(buf));

    *first_mb = cr_bits_ue(&b);
    cr_bits_ue(&b);                             /* slice_type */
    *pps = cr_bits_ue(&b);

    return !b.overflow;
}
