
/*
 * Copyright (C) The call recorder authors
 *
 * The start of a stream.  Loss shows only by what follows it, so nobody
 * would ask for what was sent before the first packet that arrived; without
 * it, nothing could be shown until the next keyframe.  Here it is asked for,
 * a few packets at a time, until the earliest is one that a stream begins
 * with.  A keyframe is asked for as well, should they never come.
 */

#include "peer/peer_core.h"


/* How many are asked for in front of the earliest, and in all. */
#define CR_PEER_LEAD_VIDEO  16
#define CR_PEER_LEAD_AUDIO  4
#define CR_PEER_LEAD_MAX    512


static bool cr_peer_lead_begins(cr_peer_track_t *track, const cr_rtp_t *rtp);


void
cr_peer_lead_start(cr_peer_track_t *track, const cr_rtp_t *first)
{
    track->leading = track->params->fb_nack;
    track->lead_seq = first->seq;
    track->lead_timestamp = first->timestamp;
    track->lead_left = CR_PEER_LEAD_MAX;

    /* of what was in front of it nobody knows whether it can be had */
    track->asked_seq = first->seq;
}


void
cr_peer_lead_packet(cr_peer_track_t *track, const cr_rtp_t *rtp)
{
    uint16_t  n;

    if ((int16_t) (rtp->seq - track->lead_seq) < 0) {
        track->lead_seq = rtp->seq;
        track->lead_timestamp = rtp->timestamp;
    }

    /* what precedes the parameter sets in their frame is of no use */

    if (rtp->timestamp == track->lead_timestamp
        && cr_peer_lead_begins(track, rtp))
    {
        track->leading = false;
        cr_rtp_stream_lead(track->stream, 0, track->peer->now_us);
        return;
    }

    if (rtp->seq != track->lead_seq) {
        return;
    }

    n = track->params->kind == CR_KIND_VIDEO ? CR_PEER_LEAD_VIDEO
                                             : CR_PEER_LEAD_AUDIO;
    n = n < track->lead_left ? n : track->lead_left;

    track->lead_left = (uint16_t) (track->lead_left - n);

    if (n != 0) {
        cr_rtp_stream_lead(track->stream, n, track->peer->now_us);
    }
}


static bool
cr_peer_lead_begins(cr_peer_track_t *track, const cr_rtp_t *rtp)
{
    cr_depay_packet_t  packet;

    memset(&packet, 0, sizeof(cr_depay_packet_t));
    packet.marker = rtp->marker;
    packet.payload = rtp->payload;

    return (rtp->pt == track->params->pt
            || track->params->kind == CR_KIND_AUDIO)
           && cr_depay_begins(track->depay, &packet);
}
