
/*
 * Copyright (C) The call recorder authors
 *
 * Sections are those of ITU-T H.264.
 */

#include "depay/h264_sets.h"

#include "base/bytes.h"
#include "base/media.h"
#include "base/bits.h"


#define CR_H264_SPS_ID_MAX     31
#define CR_H264_PPS_ID_MAX     255
#define CR_H264_AVCC_FIXED     11    /* bytes of an avcC besides the sets */
#define CR_H264_SLICE_HEAD     24    /* bytes that hold three ue(v) */


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
cr_h264_parse_sps(cr_nal_set_t *set)
{
    bool       frame_mbs_only;
    uint8_t    buf[CR_NAL_SET_SIZE], profile;
    uint32_t   id, i, n, poc_type, unit_x, unit_y;
    uint64_t   width, height, crop_x, crop_y;
    cr_bits_t  b;

    cr_bits_rbsp(&b, set->data, set->len, 1, buf, sizeof(buf));

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
cr_h264_parse_pps(cr_nal_set_t *set)
{
    uint8_t    buf[CR_H264_SLICE_HEAD];
    uint32_t   id, sps;
    cr_bits_t  b;

    cr_bits_rbsp(&b, set->data, set->len, 1, buf, sizeof(buf));

    id = cr_bits_ue(&b);
    sps = cr_bits_ue(&b);

    if (b.overflow || id > CR_H264_PPS_ID_MAX || sps > CR_H264_SPS_ID_MAX) {
        return CR_INVALID;
    }

    set->id = (uint8_t) id;
    set->sps = (uint8_t) sps;

    return CR_OK;
}


cr_status_e
cr_h264_sets_add(cr_nal_sets_t *sets, const uint8_t *nal, size_t len)
{
    cr_status_e   rc;
    cr_nal_set_t  set;

    if (len > CR_NAL_SET_SIZE) {
        return CR_LIMIT;
    }

    if (len < 2) {
        return CR_INVALID;
    }

    memset(&set, 0, sizeof(cr_nal_set_t));

    set.type = nal[0] & 0x1f;
    set.len = (uint16_t) len;
    memcpy(set.data, nal, len);

    rc = set.type == CR_H264_SPS ? cr_h264_parse_sps(&set)
                                 : cr_h264_parse_pps(&set);

    if (rc == CR_OK) {
        cr_nal_sets_put(sets, &set, CR_H264_AVCC_FIXED);
    }

    return rc;
}


const cr_nal_set_t *
cr_h264_sets_active(const cr_nal_sets_t *sets, uint8_t pps)
{
    const cr_nal_set_t  *set;

    set = cr_nal_sets_find(sets, CR_H264_PPS, pps);

    return set ? cr_nal_sets_find(sets, CR_H264_SPS, set->sps) : NULL;
}


static void
cr_h264_write_sets(const cr_nal_sets_t *sets, uint8_t type, uint8_t mask,
    cr_writer_t *w)
{
    uint8_t  *count;

    count = cr_writer_take(w, 1);

    if (count != NULL) {
        *count = (uint8_t) (mask | cr_nal_sets_write(sets, type, w));
    }
}


size_t
cr_h264_sets_avcc(const cr_nal_sets_t *sets, const cr_nal_set_t *sps,
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

    cr_bits_rbsp(&b, nal, len, 1, buf, sizeof(buf));

    *first_mb = cr_bits_ue(&b);
    cr_bits_ue(&b);                             /* slice_type */
    *pps = cr_bits_ue(&b);

    return !b.overflow;
}
