
/*
 * Copyright (C) The call recorder authors
 *
 * How much a publisher without transport-wide feedback is told that it may
 * send (REMB): the configured maximum, less where packets are lost, by the
 * rules of libwebrtc's loss-based half (draft-ietf-rmcat-gcc-02 section 6),
 * beginning with what arrives.
 */

#include "peer/peer_core.h"


/* Of 256, in a report's interval: less is chance, more is congestion. */
#define CR_PEER_REMB_CHANCE      (256 * 2 / 100)
#define CR_PEER_REMB_CONGESTION  (256 * 10 / 100)

#define CR_PEER_REMB_MIN         100000


static uint64_t cr_peer_remb_received(cr_peer_t *peer);


uint64_t
cr_peer_remb(cr_peer_t *peer, uint8_t fraction_lost)
{
    uint64_t  received, max;

    max = peer->config.max_bitrate;
    received = cr_peer_remb_received(peer);

    if (peer->remb_bitrate == 0) {
        peer->remb_bitrate = max;

    } else if (fraction_lost > CR_PEER_REMB_CONGESTION) {

        if (received < peer->remb_bitrate) {
            peer->remb_bitrate = received;
        }

        peer->remb_bitrate -= peer->remb_bitrate * 15 / 100;

    } else if (fraction_lost <= CR_PEER_REMB_CHANCE) {
        peer->remb_bitrate += peer->remb_bitrate * 8 / 100;
    }

    if (peer->remb_bitrate < CR_PEER_REMB_MIN) {
        peer->remb_bitrate = CR_PEER_REMB_MIN;
    }

    if (peer->remb_bitrate > max) {
        peer->remb_bitrate = max;
    }

    return peer->remb_bitrate;
}


/* Bits per second since the last call. */
static uint64_t
cr_peer_remb_received(cr_peer_t *peer)
{
    int64_t          elapsed_us;
    uint64_t         bytes;
    cr_peer_stats_t  stats;

    cr_peer_stats(peer, &stats);

    bytes = stats.bytes - peer->remb_bytes;
    elapsed_us = peer->now_us - peer->remb_us;

    peer->remb_bytes = stats.bytes;
    peer->remb_us = peer->now_us;

    return elapsed_us <= 0 ? 0 : bytes * 8 * 1000000 / (uint64_t) elapsed_us;
}
