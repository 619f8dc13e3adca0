
/*
 * Copyright (C) The call recorder authors
 *
 * H.264, RFC 6184: single NAL units, STAP-A and FU-A, which is all that
 * packetization modes 0 and 1 have.
 */

#include "depay/depay_internal.h"


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

    if (type == 0 || type > CR_H264_SLICE_IDR || d->first_slice) {
        return;
    }

    d->first_slice = true;

    if (!cr_h264_slice(nal, len, &first_mb, &pps)) {
        d->broken = true;
        return;
    }

    /* a hole before the frame may have been the frame's */

    if (first_mb != 0) {
        d->broken = true;
    }

    if (type == CR_H264_SLICE_IDR && pps <= UINT8_MAX) {
        d->keyframe = true;
        d->idr_pps = (uint8_t) pps;
    }
}


static cr_status_e
cr_h264_nal(cr_depay_t *d, const uint8_t *nal, size_t len)
{
    uint8_t      length[4];
    cr_status_e  rc;

    if (nal[0] & CR_H264_FORBIDDEN) {
        return CR_INVALID;
    }

    switch (nal[0] & CR_H264_TYPE) {

    case CR_H264_SPS:
    case CR_H264_PPS:
        return cr_h264_sets_add(&d->sets, nal, len);

    case CR_H264_AUD:
    case CR_H264_FILLER:
        return CR_OK;

    default:
        break;
    }

    rc = cr_depay_reserve(d, sizeof(length) + len);
    if (rc != CR_OK) {
        d->skip = true;
        return rc;
    }

    cr_h264_look(d, nal, len);

    cr_put_u32(length, (uint32_t) len);
    (void) cr_depay_append(d, length, sizeof(length));

    return cr_depay_append(d, nal, len);
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


/* The open fragmented NAL unit never gets whole. */
static void
cr_h264_fu_drop(cr_depay_t *d)
{
    if (d->fu) {
        d->fu = false;
        d->len = d->fu_start;
        d->broken = true;
    }
}


static cr_status_e
cr_h264_fu_end(cr_depay_t *d)
{
    size_t       len;
    uint8_t     *nal;
    cr_status_e  rc;

    d->fu = false;

    nal = d->buf + d->fu_start + 4;
    len = d->len - d->fu_start - 4;

    switch (nal[0] & CR_H264_TYPE) {

    case CR_H264_SPS:
    case CR_H264_PPS:
        rc = cr_h264_sets_add(&d->sets, nal, len);
        d->len = d->fu_start;
        return rc;

    case CR_H264_AUD:
    case CR_H264_FILLER:
        d->len = d->fu_start;
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
    uint8_t      head[5];
    cr_status_e  rc;

    if (len < 3 || (p[0] & CR_H264_FORBIDDEN)
        || (p[1] & CR_H264_TYPE) == 0
        || (p[1] & CR_H264_TYPE) >= CR_H264_STAP_A)
    {
        cr_h264_fu_drop(d);
        return CR_INVALID;
    }

    if (p[1] & CR_H264_FU_START) {
        cr_h264_fu_drop(d);

        /* place for the length, and the NAL header put together again */
        memset(head, 0, 4);
        head[4] = (p[0] & CR_H264_NRI) | (p[1] & CR_H264_TYPE);

        d->fu_start = d->len;

        rc = cr_depay_append(d, head, sizeof(head));
        if (rc != CR_OK) {
            d->skip = true;
            return rc;
        }

        d->fu = true;

    } else if (!d->fu) {
        /* its start is lost; without a hole there never was one */
        d->broken = true;
        return CR_OK;
    }

    rc = cr_depay_append(d, p + 2, len - 2);
    if (rc != CR_OK) {
        cr_h264_fu_drop(d);
        d->skip = true;
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
        cr_depay_begin(d, packet);
    }

    if (d->skip) {
        return CR_OK;
    }

    type = p[0] & CR_H264_TYPE;

    if (type == CR_H264_FU_A) {
        return cr_h264_fu(d, p, len);
    }

    cr_h264_fu_drop(d);

    if (type == CR_H264_STAP_A) {
        return cr_h264_stap(d, p + 1, p + len);
    }

    if (type == 0) {
        return CR_INVALID;
    }

    if (type > CR_H264_STAP_A) {
        /* STAP-B, MTAP, FU-B: packetization mode 2 alone */
        return CR_UNSUPPORTED;
    }

    return cr_h264_nal(d, p, len);
}


static void
cr_h264_gap(cr_depay_t *d)
{
    cr_h264_fu_drop(d);
}


static bool
cr_h264_finish(cr_depay_t *d, cr_frame_t *frame)
{
    size_t                size;
    unsigned              next;
    const cr_h264_set_t  *sps;

    cr_h264_fu_drop(d);

    sps = d->keyframe ? cr_h264_sets_active(&d->sets, d->idr_pps) : NULL;

    if (sps != NULL && (d->sets.changed || d->config_size == 0)) {

        next = d->config_index ^ 1;
        size = cr_h264_sets_avcc(&d->sets, sps, d->config[next],
                                 CR_CODEC_CONFIG_MAX);

        if (size != 0) {
            d->sets.changed = false;
            d->config_index = next;
            d->config_size = size;

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

    if (d->config_size != 0) {
        frame->config = d->config[d->config_index];
        frame->config_size = d->config_size;
    }

    return d->len != 0;
}


void
cr_depay_h264_init(cr_depay_t *d, const cr_media_params_t *params)
{
    size_t          len;
    const uint8_t  *p, *end, *nal;

    /* Annex B: each set behind 00 00 01, with zeroes before that or not */

    p = params->h264_sprop;
    end = p + (params->h264_sprop_len < sizeof(params->h264_sprop)
               ? params->h264_sprop_len : sizeof(params->h264_sprop));
    nal = NULL;

    for ( ;; ) {

        if (end - p < 3 || memcmp(p, "\0\0\1", 3) == 0) {

            if (nal != NULL) {
                len = (size_t) ((end - p < 3 ? end : p) - nal);

                while (len > 0 && nal[len - 1] == 0) {
                    len--;
                }

                if (len != 0 && ((nal[0] & CR_H264_TYPE) == CR_H264_SPS
                                 || (nal[0] & CR_H264_TYPE) == CR_H264_PPS))
                {
                    /* a bad one is as good as none: they come in band */
                    (void) cr_h264_sets_add(&d->sets, nal, len);
                }
            }

            if (end - p < 3) {
                break;
            }

            p += 3;
            nal = p;
            continue;
        }

        p++;
    }
}


const cr_depay_codec_t  cr_depay_h264 = {
    cr_h264_packet,
    cr_h264_gap,
    cr_h264_finish
};
