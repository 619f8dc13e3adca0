
/*
 * Copyright (C) The call recorder authors
 *
 * Sound whose NACK was not offered.  Browsers never offer it, but what is
 * built on libwebrtc keeps sound that it sent and repeats it when asked.  So
 * all are asked, and waited for only briefly until it shows that they
 * answer; who does not is asked no more.
 */

#include "peer/peer_core.h"


/* The longest life of a hole until answers came, or so many round trips. */
#define CR_PEER_TRY_US      600000
#define CR_PEER_TRY_ROUNDS  4
/* Of who does not answer: what comes later is only out of order. */
#define CR_PEER_REORDER_US  250000
/* Holes after which it is decided, and decided anew. */
#define CR_PEER_TRY_HOLES   16
/* So many answers will do, if there are more of them than holes left. */
#define CR_PEER_TRY_GOOD    3


int64_t
cr_peer_try_give_up(const cr_peer_track_t *track)
{
    int64_t           give_up, us;
    const cr_peer_t  *peer = track->peer;

    give_up = cr_peer_rtcp_give_up(peer);

    switch (track->nack) {

    case CR_PEER_NACK_YES:
        return give_up;

    case CR_PEER_NACK_TRIED:
        us = cr_peer_max(CR_PEER_TRY_US, CR_PEER_TRY_ROUNDS * peer->rtt_us);
        return cr_peer_min(give_up, us);

    default:
        return cr_peer_min(give_up, CR_PEER_REORDER_US);
    }
}


void
cr_peer_try_start(cr_peer_track_t *track)
{
    track->nack = track->params->fb_nack ? CR_PEER_NACK_YES
                  : track->params->kind == CR_KIND_AUDIO ? CR_PEER_NACK_TRIED
                  : CR_PEER_NACK_NO;
    track->nack_answers = 0;
    track->nack_holes = 0;
}


void
cr_peer_try_result(cr_peer_track_t *track, bool answered)
{
    bool  good;

    if (track->params->fb_nack || track->nack == CR_PEER_NACK_NO) {
        return;
    }

    track->nack_answers += answered;
    track->nack_holes += !answered;

    good = track->nack_answers > track->nack_holes;

    if (track->nack_answers + track->nack_holes < CR_PEER_TRY_HOLES
        && !(track->nack == CR_PEER_NACK_TRIED && good
             && track->nack_answers >= CR_PEER_TRY_GOOD))
    {
        return;
    }

    track->nack = good ? CR_PEER_NACK_YES : CR_PEER_NACK_NO;
    track->nack_answers = 0;
    track->nack_holes = 0;

    cr_rtp_stream_give_up(track->stream, cr_peer_try_give_up(track));

    if (!good) {
        cr_rtp_stream_nack_off(track->stream);
    }
}
