
/*
 * Copyright (C) The call recorder authors
 *
 * Which track an RTP packet is of: by its SSRC as it was signalled or learnt;
 * an unknown one by MID (RFC 9143 section 9.2), else by payload type, and
 * among layers of simulcast by the RTP stream id (RFC 8852).
 */

#include "peer/peer_core.h"


static void cr_peer_whose_add(cr_peer_track_t *track, uint32_t ssrc,
    bool rtx);
static cr_peer_track_t *cr_peer_whose_mid(cr_peer_t *peer,
    const cr_rtp_t *rtp, bool *has_mid);
static cr_peer_track_t *cr_peer_whose_type(cr_peer_t *peer, uint8_t pt);
static bool cr_peer_whose_has_type(const cr_media_params_t *params,
    uint8_t pt);
static cr_peer_track_t *cr_peer_whose_layer(cr_peer_track_t *first,
    const cr_rtp_t *rtp, bool rtx);
static bool cr_peer_whose_is(const cr_slice_t *value, const char *name);


void
cr_peer_whose_signalled(cr_peer_track_t *track)
{
    const cr_media_params_t  *params = track->params;

    if (params->nlayers == 0) {
        cr_peer_whose_add(track, params->ssrc, false);
        cr_peer_whose_add(track, params->rtx_ssrc, true);
        return;
    }

    cr_peer_whose_add(track, params->layers[track->layer].ssrc, false);
    cr_peer_whose_add(track, params->layers[track->layer].rtx_ssrc, true);
}


static void
cr_peer_whose_add(cr_peer_track_t *track, uint32_t ssrc, bool rtx)
{
    cr_peer_t       *peer = track->peer;
    cr_peer_ssrc_t  *entry;

    if (ssrc == 0) {
        return;
    }

    entry = &peer->ssrcs[peer->nssrcs++];
    entry->ssrc = ssrc;
    entry->track = track->index;
    entry->rtx = rtx;
}


const cr_peer_ssrc_t *
cr_peer_whose(cr_peer_t *peer, const cr_rtp_t *rtp)
{
    bool              has_mid, rtx;
    unsigned          i;
    cr_peer_track_t  *track;

    for (i = 0; i < peer->nssrcs; i++) {
        if (peer->ssrcs[i].ssrc == rtp->ssrc) {
            return &peer->ssrcs[i];
        }
    }

    if (peer->nssrcs == CR_PEER_SSRC_MAX || rtp->ssrc == 0) {
        return NULL;
    }

    track = cr_peer_whose_mid(peer, rtp, &has_mid);

    if (!has_mid) {
        track = cr_peer_whose_type(peer, rtp->pt);
    }

    /* a type that was not negotiated says nothing of the SSRC */
    if (track == NULL || !cr_peer_whose_has_type(track->params, rtp->pt)) {
        return NULL;
    }

    rtx = cr_peer_fec_is_rtx(track->params, rtp->pt);
    track = cr_peer_whose_layer(track, rtp, rtx);

    if (track == NULL) {
        return NULL;
    }

    cr_peer_whose_add(track, rtp->ssrc, rtx);

    return &peer->ssrcs[peer->nssrcs - 1];
}


/* The first track of the m-line. */
static cr_peer_track_t *
cr_peer_whose_mid(cr_peer_t *peer, const cr_rtp_t *rtp, bool *has_mid)
{
    unsigned          i;
    cr_slice_t        mid;
    cr_peer_track_t  *track;

    *has_mid = false;

    for (i = 0; i < peer->ntracks; i++) {
        track = &peer->tracks[i];

        if (!cr_rtp_ext(rtp, track->params->ext_mid, &mid)) {
            continue;
        }

        *has_mid = true;

        if (cr_peer_whose_is(&mid, track->params->mid)) {
            return track;
        }
    }

    return NULL;
}


/* NULL as well when several m-lines have that type. */
static cr_peer_track_t *
cr_peer_whose_type(cr_peer_t *peer, uint8_t pt)
{
    unsigned          i;
    cr_peer_track_t  *track, *found;

    found = NULL;

    for (i = 0; i < peer->ntracks; i++) {
        track = &peer->tracks[i];

        if (track->layer != 0 || !cr_peer_whose_has_type(track->params, pt)) {
            continue;
        }

        if (found != NULL) {
            return NULL;
        }

        found = track;
    }

    return found;
}


/* PCMU is type 0; the others are 0 where they were not negotiated. */
static bool
cr_peer_whose_has_type(const cr_media_params_t *params, uint8_t pt)
{
    return pt == params->pt
           || (pt != 0 && (pt == params->rtx_pt || pt == params->red_pt
                           || pt == params->red_rtx_pt
                           || pt == params->ulpfec_pt));
}


/*
 * Among the m-line's layers.  Until the first report a sender puts the id
 * into each packet; what is repeated says whose repetition it is.  A
 * browser's very first packets are padding on the RTX streams.
 */
static cr_peer_track_t *
cr_peer_whose_layer(cr_peer_track_t *first, const cr_rtp_t *rtp, bool rtx)
{
    unsigned                  i;
    cr_slice_t                rid;
    const cr_media_params_t  *params = first->params;

    if (params->nlayers < 2) {
        return first;
    }

    if (!(rtx && cr_rtp_ext(rtp, params->ext_repaired_rid, &rid))
        && !cr_rtp_ext(rtp, params->ext_rid, &rid))
    {
        return NULL;
    }

    for (i = 0; i < params->nlayers; i++) {
        if (params->layers[i].rid[0] != '\0'
            && cr_peer_whose_is(&rid, params->layers[i].rid))
        {
            return first + i;
        }
    }

    return NULL;
}


static bool
cr_peer_whose_is(const cr_slice_t *value, const char *name)
{
    return value->len == strlen(name)
           && memcmp(value->data, name, value->len) == 0;
}
