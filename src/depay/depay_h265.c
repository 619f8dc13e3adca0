
/*
 * Copyright (C) The call recorder authors
 *
 * H.265, RFC 7798: single NAL units, aggregation packets and fragmentation
 * units, in transmission order (sprop-max-don-diff 0).
 *
 *     +---------------+---------------+
 *     |0|1|2|3|4|5|6|7|0|1|2|3|4|5|6|7|  section 1.1.4
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |F|   Type    |  LayerId  | TID |
 *     +-------------+-----------------+
 */

#include "depay/depay_internal.h"
#include "depay/h265_sets.h"


/* sections 4.4.2 and 4.4.3 */
#define CR_H265_AP         48
#define CR_H265_FU         49

#define CR_H265_HEAD       2
#define CR_H265_FORBIDDEN  0x80
#define CR_H265_TYPE_MASK  0x7e

#define CR_H265_FU_START   0x80
#define CR_H265_FU_END     0x40
#define CR_H265_FU_TYPE    0x3f


/* What a NAL unit says of its frame. */
static void
cr_h265_look(cr_depay_t *d, const uint8_t *nal, size_t len)
{
    bool      first;
    uint8_t   type;
    uint32_t  pps;

    type = CR_H265_TYPE(nal);

    if (type > CR_H265_VCL_MAX || d->nal.first_slice) {
        return;
    }

    d->nal.first_slice = true;

    if (!cr_h265_slice(nal, len, &first, &pps)) {
        d->broken = true;
        return;
    }

    /* a hole before the frame may have been the frame's */

    if (!first) {
        d->broken = true;
    }

    if (type >= CR_H265_IRAP && type <= CR_H265_CRA && pps <= UINT8_MAX) {
        d->nal.keyframe = true;
        d->nal.pps = (uint8_t) pps;
    }
}


/* What is of no use in the frame: sets are remembered. */
static bool
cr_h265_aside(cr_depay_t *d, const uint8_t *nal, size_t len,
    cr_status_e *rc)
{
    *rc = CR_OK;

    switch (CR_H265_TYPE(nal)) {

    case CR_H265_VPS:
    case CR_H265_SPS:
    case CR_H265_PPS:
        *rc = cr_h265_sets_add(&d->nal.sets, nal, len);
        return true;

    case CR_H265_AUD:
    case CR_H265_FILLER:
        return true;

    default:
        return false;
    }
}


static cr_status_e
cr_h265_nal(cr_depay_t *d, const uint8_t *nal, size_t len)
{
    cr_status_e  rc;

    if (len < CR_H265_HEAD || (nal[0] & CR_H265_FORBIDDEN)) {
        return CR_INVALID;
    }

    if (cr_h265_aside(d, nal, len, &rc)) {
        return rc;
    }

    cr_h265_look(d, nal, len);

    return cr_depay_nal_add(d, nal, len);
}


static cr_status_e
cr_h265_ap(cr_depay_t *d, const uint8_t *p, const uint8_t *end)
{
    uint16_t     len;
    cr_slice_t   nal;
    cr_status_e  rc, result;

    result = CR_OK;

    while (p < end) {
        p = cr_read_u16(p, end, &len);
        p = cr_read_bytes(p, end, len, &nal);

        if (p == NULL || len < CR_H265_HEAD
            || CR_H265_TYPE(nal.data) >= CR_H265_AP)
        {
            return CR_INVALID;
        }

        rc = cr_h265_nal(d, nal.data, nal.len);
        if (rc != CR_OK) {
            result = rc;
        }
    }

    return result;
}


static cr_status_e
cr_h265_fu_end(cr_depay_t *d)
{
    size_t       len;
    uint8_t     *nal;
    cr_status_e  rc;

    d->nal.fu = false;

    nal = d->buf + d->nal.fu_start + 4;
    len = d->len - d->nal.fu_start - 4;

    if (cr_h265_aside(d, nal, len, &rc)) {
        d->len = d->nal.fu_start;
        return rc;
    }

    cr_h265_look(d, nal, len);
    cr_put_u32(nal - 4, (uint32_t) len);

    return CR_OK;
}


static cr_status_e
cr_h265_fu(cr_depay_t *d, const uint8_t *p, size_t len)
{
    uint8_t      head[CR_H265_HEAD], type;
    cr_status_e  rc;

    if (len < CR_H265_HEAD + 2 || (p[0] & CR_H265_FORBIDDEN)
        || (p[2] & CR_H265_FU_TYPE) >= CR_H265_AP)
    {
        cr_depay_fu_drop(d);
        return CR_INVALID;
    }

    type = p[2] & CR_H265_FU_TYPE;

    if (p[2] & CR_H265_FU_START) {
        /* the NAL header put together again */
        head[0] = (uint8_t) ((p[0] & ~CR_H265_TYPE_MASK) | type << 1);
        head[1] = p[1];

        rc = cr_depay_fu_begin(d, head, sizeof(head));
        if (rc != CR_OK) {
            return rc;
        }

    } else if (!d->nal.fu) {
        /* its start is lost; without a hole there never was one */
        d->broken = true;
        return CR_OK;
    }

    rc = cr_depay_fu_add(d, p + 3, len - 3);
    if (rc != CR_OK) {
        return rc;
    }

    return p[2] & CR_H265_FU_END ? cr_h265_fu_end(d) : CR_OK;
}


static cr_status_e
cr_h265_packet(cr_depay_t *d, const cr_depay_packet_t *packet)
{
    size_t          len;
    const uint8_t  *p;

    p = packet->payload.data;
    len = packet->payload.len;

    if (!d->active) {
        cr_depay_nal_begin(d, packet);
    }

    if (d->skip) {
        return CR_OK;
    }

    if (CR_H265_TYPE(p) == CR_H265_FU) {
        return cr_h265_fu(d, p, len);
    }

    cr_depay_fu_drop(d);

    if (len < CR_H265_HEAD) {
        return CR_INVALID;
    }

    if (CR_H265_TYPE(p) == CR_H265_AP) {
        return cr_h265_ap(d, p + CR_H265_HEAD, p + len);
    }

    if (CR_H265_TYPE(p) > CR_H265_AP) {
        /* PACI and what is yet to be defined */
        return CR_UNSUPPORTED;
    }

    return cr_h265_nal(d, p, len);
}


static bool
cr_h265_finish(cr_depay_t *d, cr_frame_t *frame)
{
    size_t               size;
    const cr_nal_set_t  *sps;

    cr_depay_fu_drop(d);

    sps = d->nal.keyframe ? cr_h265_sets_active(&d->nal.sets, d->nal.pps)
                          : NULL;

    if (sps != NULL && (d->nal.sets.changed || d->config_size == 0)) {

        size = cr_h265_sets_hvcc(&d->nal.sets, sps,
                                 d->config[d->config_index ^ 1],
                                 CR_CODEC_CONFIG_MAX);

        if (size != 0) {
            d->nal.sets.changed = false;
            cr_depay_config(d, size);

        } else {
            sps = NULL;
        }
    }

    if (sps != NULL) {
        /* without its parameter sets such a picture is no entry point */
        frame->keyframe = true;
        frame->width = sps->width;
        frame->height = sps->height;
    }

    return d->len != 0;
}


static void
cr_h265_sprop(cr_depay_t *d, const uint8_t *nal, size_t len)
{
    uint8_t  type;

    type = CR_H265_TYPE(nal);

    if (type >= CR_H265_VPS && type <= CR_H265_PPS) {
        /* a bad one is as good as none: they come in band */
        (void) cr_h265_sets_add(&d->nal.sets, nal, len);
    }
}


void
cr_depay_h265_init(cr_depay_t *d, const cr_media_params_t *params)
{
    cr_depay_sprop(d, params, cr_h265_sprop);
}


/* Parameter sets come first; if they are in the offer, a picture may. */
static bool
cr_h265_entry(const cr_depay_t *d, const uint8_t *nal, size_t len)
{
    bool      first;
    uint8_t   type;
    uint32_t  pps;

    if (len < CR_H265_HEAD) {
        return false;
    }

    type = CR_H265_TYPE(nal);

    return type == CR_H265_VPS
           || (type >= CR_H265_IRAP && type <= CR_H265_CRA
               && cr_h265_slice(nal, len, &first, &pps) && first
               && pps <= UINT8_MAX
               && cr_h265_sets_active(&d->nal.sets, (uint8_t) pps) != NULL);
}


static bool
cr_h265_begins(const cr_depay_t *d, const uint8_t *p, const uint8_t *end)
{
    uint8_t     head[CR_H265_HEAD + 6];
    size_t      n;
    uint16_t    len;
    cr_slice_t  nal;

    if (end - p <= CR_H265_HEAD) {
        return false;
    }

    switch (CR_H265_TYPE(p)) {

    case CR_H265_FU:
        if (!(p[2] & CR_H265_FU_START)) {
            return false;
        }

        /* the NAL header put together again, and what a slice begins with */
        n = (size_t) (end - p - 3) < 6 ? (size_t) (end - p - 3) : 6;
        head[0] = (uint8_t) ((p[0] & ~CR_H265_TYPE_MASK)
                             | (p[2] & CR_H265_FU_TYPE) << 1);
        head[1] = p[1];
        memcpy(head + CR_H265_HEAD, p + 3, n);

        return cr_h265_entry(d, head, CR_H265_HEAD + n);

    case CR_H265_AP:
        break;

    default:
        return cr_h265_entry(d, p, (size_t) (end - p));
    }

    for (p += CR_H265_HEAD; p != NULL && p < end; ) {
        p = cr_read_u16(p, end, &len);
        p = cr_read_bytes(p, end, len, &nal);

        if (p != NULL && cr_h265_entry(d, nal.data, nal.len)) {
            return true;
        }
    }

    return false;
}


const cr_depay_codec_t  cr_depay_h265 = {
    cr_h265_packet,
    cr_depay_fu_drop,
    cr_h265_finish,
    cr_h265_begins,
    NULL
};
