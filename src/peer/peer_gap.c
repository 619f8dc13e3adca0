
/*
 * Copyright (C) The call recorder authors
 *
 * What was lost for good, by its time: a gap begins with the frame that
 * lacks packets, or, where nothing of a frame is left, at the end of the one
 * before; it ends with the next frame that is whole.
 */

#include "peer/peer_core.h"


/* Pictures further apart say nothing of when the next is due. */
#define CR_PEER_INTERVAL_MAX_US  1000000


static void cr_peer_gap_event(cr_peer_track_t *track, int64_t to_us);


void
cr_peer_gap_packets(cr_peer_track_t *track, uint32_t packets)
{
    if (packets != 0 && !track->gap) {
        track->gap = true;
        track->gap_inside = cr_depay_gathers(track->depay,
                                             &track->gap_timestamp);
        track->gap_from_us = track->end_us;
    }

    track->gap_packets += packets;
}


void
cr_peer_gap_frame(cr_peer_track_t *track, const cr_frame_t *frame)
{
    int64_t  interval_us;

    /* it may come before the time at which it was thought to be due */

    if (frame->incomplete
        && (!track->gap || frame->time_us < track->gap_from_us
            || (track->gap_inside
                && frame->rtp_timestamp == track->gap_timestamp)))
    {
        track->gap = true;
        track->gap_from_us = frame->time_us;
    }

    track->gap_inside = false;

    if (track->frames == 0) {
        track->gap_from_us = frame->time_us;

    } else if (frame->kind == CR_KIND_VIDEO && !track->gap) {
        interval_us = frame->time_us - track->frame_us;

        if (interval_us > 0 && interval_us <= CR_PEER_INTERVAL_MAX_US) {
            track->interval_us = interval_us;
        }
    }

    if (!frame->incomplete) {
        cr_peer_gap_event(track, frame->time_us);
    }

    track->frame_us = frame->time_us;
    track->end_us = frame->time_us + (frame->kind == CR_KIND_VIDEO
                                      ? track->interval_us
                                      : frame->duration_us);
}


static void
cr_peer_gap_event(cr_peer_track_t *track, int64_t to_us)
{
    cr_peer_t       *peer = track->peer;
    cr_gap_event_t   event;

    if (!track->gap) {
        return;
    }

    event.track = track->index;
    event.from_us = track->gap_from_us;
    event.to_us = to_us;
    event.packets = track->gap_packets;

    if (event.from_us >= to_us) {
        /* pictures came faster than before */
        event.from_us = track->frame_us < to_us
                            ? to_us - (to_us - track->frame_us) / 2 : to_us;
    }

    track->gap = false;
    track->gap_packets = 0;

    peer->handlers.gap(peer->handlers.ctx, &event);
}


void
cr_peer_gap_end(cr_peer_track_t *track)
{
    cr_peer_gap_event(track, track->end_us > track->gap_from_us
                                 ? track->end_us
                                 : track->end_us + track->interval_us);
}
