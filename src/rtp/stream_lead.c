
/*
 * Copyright (C) The call recorder authors
 *
 * What came before the first packet that arrived: holes that may never have
 * been packets.  They lie between `next` and `origin`, and are lost ones only
 * when a packet in front of them arrives.
 */

#include "rtp/stream_impl.h"


/* What time stamps may say of how long ago the start was. */
#define LEAD_SOONER_US  2000000


void
cr_rtp_stream_lead(cr_rtp_stream_t *s, uint32_t packets, int64_t now_us)
{
    int64_t  seq, first;

    /* what is to be drained must not wait any more */
    if (!s->leading || s->drain_until > s->origin) {
        return;
    }

    s->now_us = now_us;

    if (packets == 0) {
        cr_stream_lead_end(s);
        return;
    }

    first = s->origin - packets;

    if (first >= s->next
        || s->highest - first >= s->config.packets_max
        || cr_stream_reserve(s, first, s->highest) != CR_OK)
    {
        return;
    }

    cr_stream_settle(s);

    for (seq = s->next - 1; seq >= first; seq--) {
        cr_stream_hole_add(s, seq, now_us);
    }

    s->next = first;
    s->floor = first;
    s->drain_until = first;
    s->lead_until_us = now_us + s->config.lead_us;
}


int64_t
cr_stream_lead_arrival(const cr_rtp_stream_t *s, uint32_t timestamp,
    int64_t now_us)
{
    int64_t           sooner_us;
    const cr_slot_t  *slot;

    slot = cr_stream_slot(s, s->origin);

    if (slot->state != CR_SLOT_HELD) {
        return now_us;
    }

    sooner_us = (int64_t) (int32_t) (slot->u.held.timestamp - timestamp)
                * 1000000 / s->config.clock_rate;

    return slot->time_us - (sooner_us < 0 || sooner_us > LEAD_SOONER_US
                            ? 0 : sooner_us);
}


void
cr_stream_lead_found(cr_rtp_stream_t *s, int64_t seq)
{
    s->stats.lost += (uint64_t) (s->origin - seq);
    s->origin = seq;
}


void
cr_stream_lead_end(cr_rtp_stream_t *s)
{
    for ( ; s->next < s->origin; s->next++) {
        cr_stream_hole_remove(s, s->next);
    }

    s->floor = s->origin;
    s->leading = false;
}
