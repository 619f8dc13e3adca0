
/*
 * Copyright (C) The call recorder authors
 *
 * Sound with redundancy (RFC 2198): what a lost packet had is in those behind
 * it.
 */

#include "peer/peer_core.h"
#include "rtp/red.h"


static void cr_peer_red_repaired(cr_peer_track_t *track);


void
cr_peer_red_packet(cr_peer_track_t *track, const cr_depay_packet_t *packet)
{
    bool               primary;
    unsigned           i, n;
    cr_red_block_t     blocks[CR_RED_MAX];
    cr_depay_packet_t  block;

    block = *packet;
    n = cr_red_parse(&packet->payload, packet->timestamp, blocks);

    for (i = 0; i < n; i++) {
        primary = i + 1 == n;

        if (blocks[i].pt != track->params->pt || blocks[i].payload.len == 0)
        {
            continue;
        }

        if (!primary) {

            /* what came by itself, or was before the first packet */
            if (!track->red_seen
                || (int32_t) (blocks[i].timestamp - track->red_timestamp)
                   <= 0)
            {
                continue;
            }

            cr_peer_red_repaired(track);
        }

        cr_peer_red_seen(track, blocks[i].timestamp);

        block.timestamp = blocks[i].timestamp;
        block.payload = blocks[i].payload;

        (void) cr_depay_push(track->depay, &block);
    }
}


void
cr_peer_red_seen(cr_peer_track_t *track, uint32_t timestamp)
{
    track->red_seen = true;
    track->red_timestamp = timestamp;
}


static void
cr_peer_red_repaired(cr_peer_track_t *track)
{
    if (track->gap_packets != 0) {
        track->gap_packets--;
        track->gap = track->gap_packets != 0;
        track->red_repaired++;
    }
}
