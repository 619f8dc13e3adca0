
/*
 * Copyright (C) The call recorder authors
 *
 * Video in RED (RFC 2198) with ULPFEC (RFC 5109 section 14.1).
 */


#include "sdp/sdp_internal.h"


void
cr_sdp_fill_fec(cr_media_params_t *media, const cr_sdp_mline_t *mline)
{
    uint8_t                  red, rtx, ulpfec;
    unsigned                 i;
    const cr_sdp_payload_t  *payload;

    red = 0;
    rtx = 0;
    ulpfec = 0;

    for (i = 0; i < mline->npayloads; i++) {
        payload = &mline->payloads[i];

        if (payload->pt == 0 || payload->pt == media->pt
            || !cr_sdp_pt_usable(payload->pt))
        {
            continue;
        }

        if (payload->red && red == 0) {
            red = payload->pt;

        } else if (payload->ulpfec && ulpfec == 0) {
            ulpfec = payload->pt;
        }
    }

    for (i = 0; i < mline->npayloads && red != 0; i++) {
        payload = &mline->payloads[i];

        if (payload->rtx && payload->apt == red && rtx == 0
            && payload->pt != 0 && cr_sdp_pt_usable(payload->pt))
        {
            rtx = payload->pt;
        }
    }

    if (red == 0 || (media->rtx_pt != 0 && rtx == 0)) {
        /* what is sent in RED would not be sent again */
        return;
    }

    media->red_pt = red;
    media->red_rtx_pt = media->rtx_pt != 0 ? rtx : 0;
    media->ulpfec_pt = ulpfec;
}


void
cr_sdp_write_fec_types(cr_writer_t *w, const cr_media_params_t *media)
{
    if (media->kind != CR_KIND_VIDEO || media->red_pt == 0) {
        return;
    }

    cr_sdp_printf(w, " %u", media->red_pt);

    if (media->red_rtx_pt != 0) {
        cr_sdp_printf(w, " %u", media->red_rtx_pt);
    }

    if (media->ulpfec_pt != 0) {
        cr_sdp_printf(w, " %u", media->ulpfec_pt);
    }
}


void
cr_sdp_write_fec(cr_writer_t *w, const cr_media_params_t *media)
{
    if (media->kind != CR_KIND_VIDEO || media->red_pt == 0) {
        return;
    }

    cr_sdp_printf(w, "a=rtpmap:%u red/90000\r\n", media->red_pt);

    if (media->red_rtx_pt != 0) {
        cr_sdp_printf(w, "a=rtpmap:%u rtx/90000\r\n"
                      "a=fmtp:%u apt=%u\r\n", media->red_rtx_pt,
                      media->red_rtx_pt, media->red_pt);
    }

    if (media->ulpfec_pt != 0) {
        cr_sdp_printf(w, "a=rtpmap:%u ulpfec/90000\r\n", media->ulpfec_pt);
    }
}
