
/*
 * Copyright (C) The call recorder authors
 *
 * Video in RED (RFC 2198) with ULPFEC (RFC 5109), as browsers send it: each
 * packet is one block, of media or of parity, and both are numbered together.
 */

#include "peer/peer_core.h"
#include "rtp/red.h"


cr_status_e
cr_peer_fec_create(cr_peer_track_t *track)
{
    if (track->params->ulpfec_pt == 0) {
        return CR_OK;
    }

    track->fec = cr_ulpfec_create(&track->peer->env);

    return track->fec != NULL ? CR_OK : CR_NOMEM;
}


bool
cr_peer_fec_is_rtx(const cr_media_params_t *params, uint8_t pt)
{
    return pt != 0 && (pt == params->rtx_pt || pt == params->red_rtx_pt);
}


cr_status_e
cr_peer_fec_unwrap_rtx(const cr_peer_track_t *track, cr_rtp_t *rtp)
{
    const cr_media_params_t  *params = track->params;

    if (!cr_peer_fec_is_rtx(params, rtp->pt)) {
        return CR_INVALID;
    }

    return cr_rtp_unwrap_rtx(rtp, track->ssrc, rtp->pt == params->rtx_pt
                                               ? params->pt
                                               : params->red_pt);
}


cr_status_e
cr_peer_fec_input(cr_peer_track_t *track, cr_rtp_t *rtp, const uint8_t *data,
    size_t len, bool rtx)
{
    size_t                    cut, head;
    unsigned                  i, n;
    cr_red_block_t            blocks[CR_RED_MAX];
    const cr_media_params_t  *params = track->params;

    cut = 0;
    head = (size_t) (rtp->payload.data - data);

    if (rtp->pt == params->red_pt && rtp->payload.len != 0) {

        n = cr_red_parse(&rtp->payload, rtp->timestamp, blocks);

        if (n == 0) {
            return CR_INVALID;
        }

        for (i = 0; i + 1 < n; i++) {
            if (track->fec != NULL && blocks[i].pt == params->ulpfec_pt) {
                cr_ulpfec_parity(track->fec, &blocks[i].payload);
            }
        }

        rtp->pt = blocks[i].pt;
        cut = (size_t) (blocks[i].payload.data - rtp->payload.data);
        rtp->payload = blocks[i].payload;
    }

    if (track->fec == NULL) {
        return CR_OK;
    }

    if (rtp->pt == params->ulpfec_pt) {
        cr_ulpfec_parity(track->fec, &rtp->payload);

        /* in the stream it only takes a number */
        rtp->payload.len = 0;

    } else if (rtp->pt == params->pt && !rtx) {
        cr_ulpfec_media(track->fec, data, len, head, rtp->pt, cut);
    }

    return CR_OK;
}


void
cr_peer_fec_recover(cr_peer_track_t *track)
{
    cr_rtp_t  rtp;

    while (cr_ulpfec_recover(track->fec, &rtp) == CR_OK) {

        if (rtp.pt != track->params->pt) {
            continue;
        }

        /* without memory it is asked for again */
        (void) cr_rtp_stream_push(track->stream, &rtp, true,
                                  track->peer->now_us);
        cr_peer_media_pop(track);
    }
}


bool
cr_peer_fec_skip(cr_peer_track_t *track)
{
    uint32_t    away;
    cr_slice_t  payload;

    if (track->fec == NULL
        || !cr_rtp_stream_behind(track->stream, &payload, &away)
        || !cr_depay_follows(track->depay, &payload))
    {
        return false;
    }

    cr_rtp_stream_drain(track->stream, away);

    return true;
}


bool
cr_peer_fec_gap(cr_peer_track_t *track, uint32_t packets)
{
    if (track->fec == NULL || packets == 0) {
        return false;
    }

    track->fec_gap += packets;

    return true;
}


void
cr_peer_fec_gap_end(cr_peer_track_t *track, const cr_slice_t *payload)
{
    uint32_t  packets = track->fec_gap;

    if (packets == 0) {
        return;
    }

    track->fec_gap = 0;

    if (payload != NULL && cr_depay_follows(track->depay, payload)) {
        track->fec_lost += packets;
        return;
    }

    cr_peer_media_gap(track, packets);
}
