
/*
 * Copyright (C) The call recorder authors
 *
 * When packets were sent, for the estimate of what a publisher without
 * transport-wide feedback may send: by abs-send-time if it is negotiated,
 * else by the time stamps of the first video that came.
 */

#include "peer/peer_core.h"


/* abs-send-time has 6.18 bits of seconds; shifted up to wrap with 32. */
#define CR_PEER_SEND_TIME_RATE  (UINT32_C(1) << 26)


void
cr_peer_remb_packet(cr_peer_t *peer, const cr_peer_track_t *track,
    const cr_rtp_t *rtp, size_t len, bool rtx)
{
    uint32_t                  stamp;
    cr_slice_t                value;
    const cr_media_params_t  *params = track->params;

    if (!peer->remb) {
        return;
    }

    peer->remb_due |= cr_remb_packet(&peer->estimate, len, peer->now_us);

    if (peer->send_time_ext != 0) {
        if (cr_rtp_ext(rtp, peer->send_time_ext, &value) && value.len == 3) {
            stamp = cr_get_u24(value.data) << 8;
            cr_remb_sent(&peer->estimate, stamp, CR_PEER_SEND_TIME_RATE,
                         peer->now_us);
        }

        return;
    }

    if (params->kind != CR_KIND_VIDEO || rtx) {
        return;
    }

    if (peer->remb_ssrc != rtp->ssrc) {
        if (peer->remb_ssrc != 0 && track->index != peer->remb_track) {
            return;
        }

        peer->remb_ssrc = rtp->ssrc;
        peer->remb_track = track->index;
        cr_remb_restart(&peer->estimate);

    } else if ((int32_t) (rtp->timestamp - peer->estimate.stamp) <= 0) {
        /* a frame's first packet alone tells, and no repetition */
        return;
    }

    cr_remb_sent(&peer->estimate, rtp->timestamp, params->clock_rate,
                 peer->now_us);
}
