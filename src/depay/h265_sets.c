
/*
 * Copyright (C) The call recorder authors
 *
 * Sections are those of ITU-T H.265.
 */

#include "depay/h265_sets.h"

#include "base/bytes.h"
#include "base/media.h"
#include "base/bits.h"


#define CR_H265_SPS_ID_MAX     15
#define CR_H265_PPS_ID_MAX     63
#define CR_H265_HEAD           2     /* bytes of the NAL unit header */
#define CR_H265_HVCC_FIXED     32    /* of a hvcC besides three kinds of sets */
#define CR_H265_SLICE_HEAD     8     /* that hold two flags and a ue(v) */

/* in the SPS behind its first byte: general_profile_space up to
 * general_level_idc, section 7.3.3 */
#define CR_H265_PROFILE_SIZE   12


/* Section 7.3.3, behind general_level_idc. */
static void
cr_h265_skip_sub_layers(cr_bits_t *b, unsigned max_sub_layers)
{
    bool      level[8], profile[8];
    unsigned  i;

    for (i = 1; i < max_sub_layers; i++) {
        profile[i] = cr_bits_u(b, 1);
        level[i] = cr_bits_u(b, 1);
    }

    if (max_sub_layers > 1) {
        cr_bits_u(b, 2 * (9 - max_sub_layers));
    }

    for (i = 1; i < max_sub_layers; i++) {
        cr_bits_u(b, (profile[i] ? 88 : 0) + (level[i] ? 8 : 0));
    }
}


/* Section 7.3.2.2.1, up to the bit depths. */
static cr_status_e
cr_h265_parse_sps(cr_nal_set_t *set)
{
    uint8_t    buf[CR_NAL_SET_SIZE];
    uint32_t   id, chroma, luma_depth, chroma_depth;
    uint64_t   width, height, crop_x, crop_y;
    unsigned   max_sub_layers, unit_x, unit_y;
    cr_bits_t  b;

    cr_bits_rbsp(&b, set->data, set->len, CR_H265_HEAD, buf, sizeof(buf));

    set->sps = (uint8_t) cr_bits_u(&b, 4);      /* the VPS */
    max_sub_layers = cr_bits_u(&b, 3) + 1;
    cr_bits_u(&b, 1);                           /* temporal_id_nesting */
    cr_bits_u(&b, CR_H265_PROFILE_SIZE * 8);

    if (max_sub_layers > 7) {
        return CR_INVALID;
    }

    cr_h265_skip_sub_layers(&b, max_sub_layers);

    id = cr_bits_ue(&b);
    chroma = cr_bits_ue(&b);

    if (chroma == 3) {
        cr_bits_u(&b, 1);                       /* separate_colour_plane */
    }

    width = cr_bits_ue(&b);
    height = cr_bits_ue(&b);

    /* table 6-1 */
    unit_x = chroma == 1 || chroma == 2 ? 2 : 1;
    unit_y = chroma == 1 ? 2 : 1;

    crop_x = 0;
    crop_y = 0;

    if (cr_bits_u(&b, 1)) {
        crop_x = cr_bits_ue(&b);
        crop_x = (crop_x + cr_bits_ue(&b)) * unit_x;
        crop_y = cr_bits_ue(&b);
        crop_y = (crop_y + cr_bits_ue(&b)) * unit_y;
    }

    luma_depth = cr_bits_ue(&b);
    chroma_depth = cr_bits_ue(&b);

    if (b.overflow || id > CR_H265_SPS_ID_MAX || chroma > 3
        || luma_depth > 8 || chroma_depth > 8
        || crop_x >= width || crop_y >= height
        || width - crop_x > UINT16_MAX || height - crop_y > UINT16_MAX)
    {
        return CR_INVALID;
    }

    set->id = (uint8_t) id;
    set->chroma_format = (uint8_t) chroma;
    set->bit_depth_luma = (uint8_t) luma_depth;
    set->bit_depth_chroma = (uint8_t) chroma_depth;
    set->width = (uint16_t) (width - crop_x);
    set->height = (uint16_t) (height - crop_y);

    return CR_OK;
}


/* Sections 7.3.2.1 and 7.3.2.3.1. */
static cr_status_e
cr_h265_parse_vps_pps(cr_nal_set_t *set)
{
    uint8_t    buf[CR_H265_SLICE_HEAD];
    uint32_t   id, sps;
    cr_bits_t  b;

    cr_bits_rbsp(&b, set->data, set->len, CR_H265_HEAD, buf, sizeof(buf));

    if (set->type == CR_H265_VPS) {
        set->id = (uint8_t) cr_bits_u(&b, 4);

        return b.overflow ? CR_INVALID : CR_OK;
    }

    id = cr_bits_ue(&b);
    sps = cr_bits_ue(&b);

    if (b.overflow || id > CR_H265_PPS_ID_MAX || sps > CR_H265_SPS_ID_MAX) {
        return CR_INVALID;
    }

    set->id = (uint8_t) id;
    set->sps = (uint8_t) sps;

    return CR_OK;
}


cr_status_e
cr_h265_sets_add(cr_nal_sets_t *sets, const uint8_t *nal, size_t len)
{
    cr_status_e   rc;
    cr_nal_set_t  set;

    if (len > CR_NAL_SET_SIZE) {
        return CR_LIMIT;
    }

    if (len <= CR_H265_HEAD) {
        return CR_INVALID;
    }

    memset(&set, 0, sizeof(cr_nal_set_t));

    set.type = CR_H265_TYPE(nal);
    set.len = (uint16_t) len;
    memcpy(set.data, nal, len);

    rc = set.type == CR_H265_SPS ? cr_h265_parse_sps(&set)
                                 : cr_h265_parse_vps_pps(&set);

    if (rc == CR_OK) {
        cr_nal_sets_put(sets, &set, CR_H265_HVCC_FIXED);
    }

    return rc;
}


const cr_nal_set_t *
cr_h265_sets_active(const cr_nal_sets_t *sets, uint8_t pps)
{
    const cr_nal_set_t  *set;

    set = cr_nal_sets_find(sets, CR_H265_PPS, pps);

    if (set != NULL) {
        set = cr_nal_sets_find(sets, CR_H265_SPS, set->sps);
    }

    return set != NULL
           && cr_nal_sets_find(sets, CR_H265_VPS, set->sps) != NULL
           ? set : NULL;
}


size_t
cr_h265_sets_hvcc(const cr_nal_sets_t *sets, const cr_nal_set_t *sps,
    uint8_t *p, size_t size)
{
    uint8_t      buf[1 + CR_H265_PROFILE_SIZE], type, *count;
    cr_bits_t    b;
    cr_writer_t  w;

    cr_bits_rbsp(&b, sps->data, sps->len, CR_H265_HEAD, buf, sizeof(buf));

    cr_writer_init(&w, p, size);

    cr_write_u8(&w, 1);                         /* version */
    cr_write_bytes(&w, buf + 1, CR_H265_PROFILE_SIZE);
    cr_write_u16(&w, 0xf000);                   /* segmentation: unknown */
    cr_write_u8(&w, 0xfc);                      /* parallelism: unknown */
    cr_write_u8(&w, 0xfc | sps->chroma_format);
    cr_write_u8(&w, 0xf8 | (sps->bit_depth_luma & 7));
    cr_write_u8(&w, 0xf8 | (sps->bit_depth_chroma & 7));
    cr_write_u16(&w, 0);                        /* frame rate: unknown */
    /* layers, whether they nest, lengths of 4 bytes */
    cr_write_u8(&w, (uint8_t) (((buf[0] >> 1 & 7) + 1) << 3
                               | (buf[0] & 1) << 2 | 3));
    cr_write_u8(&w, 3);                         /* arrays */

    for (type = CR_H265_VPS; type <= CR_H265_PPS; type++) {
        cr_write_u8(&w, type);
        cr_write_u8(&w, 0);

        count = cr_writer_take(&w, 1);

        if (count != NULL) {
            *count = (uint8_t) cr_nal_sets_write(sets, type, &w);
        }
    }

    return w.overflow ? 0 : cr_writer_len(&w);
}


bool
cr_h265_slice(const uint8_t *nal, size_t len, bool *first, uint32_t *pps)
{
    uint8_t    buf[CR_H265_SLICE_HEAD];
    cr_bits_t  b;

    cr_bits_rbsp(&b, nal, len, CR_H265_HEAD, buf, sizeof(buf));

    *first = cr_bits_u(&b, 1);

    if (CR_H265_TYPE(nal) >= CR_H265_IRAP
        && CR_H265_TYPE(nal) <= CR_H265_IRAP_MAX)
    {
        cr_bits_u(&b, 1);                       /* no_output_of_prior_pics */
    }

    *pps = cr_bits_ue(&b);

    return !b.overflow;
}
