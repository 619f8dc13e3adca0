
/*
 * Copyright (C) The call recorder authors
 *
 * NAL units of H.264 and H.265 on their way to length-prefixed ones.
 */

#include "depay/depay_internal.h"


void
cr_depay_nal_begin(cr_depay_t *d, const cr_depay_packet_t *packet)
{
    cr_depay_begin(d, packet);

    d->nal.fu = false;
    d->nal.first_slice = false;
    d->nal.keyframe = false;
}


cr_status_e
cr_depay_nal_add(cr_depay_t *d, const uint8_t *nal, size_t len)
{
    uint8_t      length[4];
    cr_status_e  rc;

    rc = cr_depay_reserve(d, sizeof(length) + len);

    if (rc != CR_OK) {
        d->skip = true;
        return rc;
    }

    cr_put_u32(length, (uint32_t) len);
    (void) cr_depay_append(d, length, sizeof(length));

    return cr_depay_append(d, nal, len);
}


cr_status_e
cr_depay_fu_begin(cr_depay_t *d, const uint8_t *head, size_t n)
{
    size_t       start;
    uint8_t      length[4];
    cr_status_e  rc;

    cr_depay_fu_drop(d);

    start = d->len;
    memset(length, 0, sizeof(length));

    rc = cr_depay_append(d, length, sizeof(length));

    if (rc == CR_OK) {
        rc = cr_depay_append(d, head, n);
    }

    if (rc != CR_OK) {
        d->len = start;
        d->skip = true;
        return rc;
    }

    d->nal.fu = true;
    d->nal.fu_start = start;

    return CR_OK;
}


cr_status_e
cr_depay_fu_add(cr_depay_t *d, const uint8_t *data, size_t len)
{
    cr_status_e  rc;

    rc = cr_depay_append(d, data, len);

    if (rc != CR_OK) {
        cr_depay_fu_drop(d);
        d->skip = true;
    }

    return rc;
}


void
cr_depay_fu_drop(cr_depay_t *d)
{
    if (d->nal.fu) {
        d->nal.fu = false;
        d->len = d->nal.fu_start;
        d->broken = true;
    }
}


void
cr_depay_sprop(cr_depay_t *d, const cr_media_params_t *params,
    void (*set)(cr_depay_t *d, const uint8_t *nal, size_t len))
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

                if (len != 0) {
                    set(d, nal, len);
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
