
/*
 * Copyright (C) The call recorder authors
 *
 * H.264, RFC 6184: single NAL units, STAP-A and FU-A, which is all that
 * packetization modes 0 and 1 have; those of mode 2 become single ones in
 * depay_h264_deint.c.
 */

#include "depay/depay_internal.h"
#include "depay/h264_sets.h"


/* RFC 6184 section 5.2 and 5.4 */
#define CR_H264_STAP_A     24
#define CR_H264_FU_A       28

#define CR_H264_FORBIDDEN  0x80
#define CR_H264_NRI        0x60
#define CR_H264_TYPE       0x1f

/* section 5.8 */
#define CR_H264_FU_START   0x80
#define CR_H264_FU_END     0x40


/* What a NAL unit, whole or the beginning of one, says of its frame. */
static void
cr_h264_look(cr_depay_t *d, const uint8_t *nal, size_t len)
{
    uint8_t   type;
    uint32_t  first_mb, pps;

    type = nal[0] & CR_H264_TYPE;

    if (type == 0 || type > CR_H264_SLICE_IDR || d->nal.first_slice) {
        return;
    }

    d->nal.first_slice = true;

    if (!cr_h264_slice(nal, len, &first_mb, &pps)) {
        d->broken = true;
        return;
    }

    /* a hole before the frame may have been the frame's */

    if (first_mb != 0) {
        d->broken = true;
    }

    if (type == CR_H264_SLICE_IDR && pps <= UINT8_MAX) {
        d->nal.keyframe = true;
        d->nal.pps = (uint8_t) pps;
    }
}


static cr_status_e
cr_h264_nal(cr_depay_t *d, const uint8_t *nal, size_t len)
{
    if (nal[0] & CR_H264_FORBIDDEN) {
        return CR_INVALID;
    }

    switch (nal[0] & CR_H264_TYPE) {

    case CR_H264_SPS:
    case CR_H264_PPS:
        return cr_h264_sets_add(&d->nal.sets, nal, len);

    case CR_H264_AUD:
    case CR_H264_FILLER:
        return CR_OK;

    default:
        break;
    }

    cr_h264_look(d, nal, len);

    return cr_depay_nal_add(d, nal, len);
}


static cr_status_e
cr_h264_stap(cr_depay_t *d, const uint8_t *p, const uint8_t *end)
{
    uint16_t     len;
    cr_slice_t   nal;
    cr_status_e  rc, result;

    result = CR_OK;

    while (p < end) {
        p = cr_read_u16(p, end, &len);
        p = cr_read_bytes(p, end, len, &nal);

        if (p == NULL || len == 0
            || (nal.data[0] & CR_H264_TYPE) >= CR_H264_STAP_A)
        {
            return CR_INVALID;
        }

        rc = cr_h264_nal(d, nal.data, nal.len);
        if (rc != CR_OK) {
            result = rc;
        }
    }

    return result;
}


static cr_status_e
cr_h264_fu_end(cr_depay_t *d)
{
    size_t       len;
    uint8_t     *nal;
    cr_status_e  rc;

    d->nal.fu = false;

    nal = d->buf + d->nal.fu_start + 4;
    len = d->len - d->nal.fu_start - 4;

    switch (nal[0] & CR_H264_TYPE) {

    case CR_H264_SPS:
    case CR_H264_PPS:
        rc = cr_h264_sets_add(&d->nal.sets, nal, len);
        d->len = d->nal.fu_start;
        return rc;

    case CR_H264_AUD:
    case CR_H264_FILLER:
        d->len = d->nal.fu_start;
        return CR_OK;

    default:
        cr_h264_look(d, nal, len);
        cr_put_u32(nal - 4, (uint32_t) len);
        return CR_OK;
    }
}


static cr_status_e
cr_h264_fu(cr_depay_t *d, const uint8_t *p, size_t len)
{
    uint8_t      head;
    cr_status_e  rc;

    if (len < 3 || (p[0] & CR_H264_FORBIDDEN)
        || (p[1] & CR_H264_TYPE) == 0
        || (p[1] & CR_H264_TYPE) >= CR_H264_STAP_A)
    {
        cr_depay_fu_drop(d);
        return CR_INVALID;
    }

    if (p[1] & CR_H264_FU_START) {
        /* the NAL header put together again */
        head = (p[0] & CR_H264_NRI) | (p[1] & CR_H264_TYPE);

        rc = cr_depay_fu_begin(d, &head, 1);
        if (rc != CR_OK) {
            return rc;
        }

    } else if (!d->nal.fu) {
        /* its start is lost; without a hole there never was one */
        d->broken = true;
        return CR_OK;
    }

    rc = cr_depay_fu_add(d, p + 2, len - 2);
    if (rc != CR_OK) {
        return rc;
    }

    return p[1] & CR_H264_FU_END ? cr_h264_fu_end(d) : CR_OK;
}


static cr_status_e
cr_h264_packet(cr_depay_t *d, const cr_depay_packet_t *packet)
{
    size_t          len;
    uint8_t         type;
    const uint8_t  *p;

    p = packet->payload.data;
    len = packet->payload.len;

    if (!d->active) {
        cr_depay_nal_begin(d, packet);
    }

    if (d->skip) {
        return CR_OK;
    }

    type = p[0] & CR_H264_TYPE;

    if (type == CR_H264_FU_A) {
        return cr_h264_fu(d, p, len);
    }

    cr_depay_fu_drop(d);

    if (type == CR_H264_STAP_A) {
        return cr_h264_stap(d, p + 1, p + len);
    }

    if (type == 0) {
        return CR_INVALID;
    }

    if (type > CR_H264_STAP_A) {
        /* STAP-B, MTAP, FU-B: not in this mode */
        return CR_UNSUPPORTED;
    }

    return cr_h264_nal(d, p, len);
}


static bool
cr_h264_finish(cr_depay_t *d, cr_frame_t *frame)
{
    size_t               size;
    unsigned             next;
    const cr_nal_set_t  *sps;

    cr_depay_fu_drop(d);

    sps = d->nal.keyframe ? cr_h264_sets_active(&d->nal.sets, d->nal.pps)
                          : NULL;

    if (sps != NULL && (d->nal.sets.changed || d->config_size == 0)) {

        next = d->config_index ^ 1;
        size = cr_h264_sets_avcc(&d->nal.sets, sps, d->config[next],
                                 CR_CODEC_CONFIG_MAX);

        if (size != 0) {
            d->nal.sets.changed = false;
            cr_depay_config(d, size);

        } else {
            sps = NULL;
        }
    }

    if (sps != NULL) {
        /* without its parameter sets an IDR picture is no entry point */
        frame->keyframe = true;
        frame->width = sps->width;
        frame->height = sps->height;
    }

    return d->len != 0;
}


static void
cr_h264_sprop(cr_depay_t *d, const uint8_t *nal, size_t len)
{
    if ((nal[0] & CR_H264_TYPE) == CR_H264_SPS
        || (nal[0] & CR_H264_TYPE) == CR_H264_PPS)
    {
        /* a bad one is as good as none: they come in band */
        (void) cr_h264_sets_add(&d->nal.sets, nal, len);
    }
}


void
cr_depay_h264_init(cr_depay_t *d, const cr_media_params_t *params)
{
    cr_depay_sprop(d, params, cr_h264_sprop);
}


/* Parameter sets come first; if they are in the offer, a picture may. */
static bool
cr_h264_entry(const cr_depay_t *d, const uint8_t *nal, size_t len)
{
    uint32_t  first_mb, pps;

    switch (nal[0] & CR_H264_TYPE) {

    case CR_H264_SPS:
        return true;

    case CR_H264_SLICE_IDR:
        return cr_h264_slice(nal, len, &first_mb, &pps) && first_mb == 0
               && pps <= UINT8_MAX
               && cr_h264_sets_active(&d->nal.sets, (uint8_t) pps) != NULL;

    default:
        return false;
    }
}


static bool
cr_h264_begins(const cr_depay_t *d, const uint8_t *p, const uint8_t *end)
{
    uint8_t     type;
    uint16_t    don, len;
    uint32_t    offset;
    cr_slice_t  nal;

    type = p[0] & CR_H264_TYPE;

    if (d->deint != NULL && type > CR_H264_STAP_A && type < CR_H264_FU_A) {

        for (p = cr_read_u16(p + 1, end, &don); p != NULL && p < end; ) {
            p = cr_h264_interleaved(p, end, type, &nal, &don, &offset);

            if (p != NULL && nal.len != 0
                && cr_h264_entry(d, nal.data, nal.len))
            {
                return true;
            }
        }

        return false;
    }

    if (type == CR_H264_FU_A) {
        /* the type is where a NAL unit has it */
        return end - p > 2 && (p[1] & CR_H264_FU_START)
               && cr_h264_entry(d, p + 1, (size_t) (end - p - 1));
    }

    if (type != CR_H264_STAP_A) {
        return cr_h264_entry(d, p, (size_t) (end - p));
    }

    for (p++; p != NULL && p < end; ) {
        p = cr_read_u16(p, end, &len);
        p = cr_read_bytes(p, end, len, &nal);

        if (p != NULL && len != 0 && cr_h264_entry(d, nal.data, nal.len)) {
            return true;
        }
    }

    return false;
}


const cr_depay_codec_t  cr_depay_h264 = {
    cr_h264_packet,
    cr_depay_fu_drop,
    cr_h264_finish,
    cr_h264_begins,
    NULL
};
