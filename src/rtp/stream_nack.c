
/*
 * Copyright (C) The call recorder authors
 *
 * The list of holes: when to ask for them (RFC 4585 section 6.2.1) and when
 * to stop waiting.
 */

#include "rtp/stream_impl.h"


#define RTT_DEFAULT_US  100000            /* while it is unknown */


void
cr_stream_hole_add(cr_rtp_stream_t *s, int64_t seq, int64_t now_us)
{
    int64_t     due;
    cr_slot_t  *slot;

    slot = cr_stream_slot(s, seq);
    slot->state = CR_SLOT_HOLE;
    slot->nacks = 0;
    slot->time_us = now_us;
    slot->u.hole.nacked_us = 0;

    if (s->holes == 0) {
        s->hole_first = seq;
        s->hole_last = seq;

    } else if (seq > s->hole_last) {
        cr_stream_slot(s, s->hole_last)->u.hole.next = (uint32_t) seq;
        slot->u.hole.prev = (uint32_t) s->hole_last;
        s->hole_last = seq;

    } else {
        cr_stream_slot(s, s->hole_first)->u.hole.prev = (uint32_t) seq;
        slot->u.hole.next = (uint32_t) s->hole_first;
        s->hole_first = seq;
    }

    s->holes++;

    due = now_us + s->config.nack_delay_us;

    if (s->config.nack && due < s->next_nack_us) {
        s->next_nack_us = due;
    }
}


void
cr_stream_hole_remove(cr_rtp_stream_t *s, int64_t seq)
{
    cr_slot_t  *slot;

    slot = cr_stream_slot(s, seq);
    slot->state = CR_SLOT_EMPTY;

    s->holes--;

    if (s->holes == 0) {
        s->next_nack_us = INT64_MAX;
        return;
    }

    if (seq == s->hole_first) {
        s->hole_first = cr_rtp_unwrap32(seq, slot->u.hole.next);

    } else if (seq == s->hole_last) {
        s->hole_last = cr_rtp_unwrap32(seq, slot->u.hole.prev);

    } else {
        cr_stream_slot(s, slot->u.hole.prev)->u.hole.next = slot->u.hole.next;
        cr_stream_slot(s, slot->u.hole.next)->u.hole.prev = slot->u.hole.prev;
    }
}


bool
cr_stream_hole_over(const cr_rtp_stream_t *s, int64_t seq, int64_t now_us)
{
    return seq < s->drain_until
           || s->highest - seq >= s->config.packets_max
           || s->store.used_bytes > s->config.bytes_max
           || (s->config.holes_max != 0
               && s->holes - (seq - s->next) > s->config.holes_max)
           || (seq < s->origin && now_us >= s->lead_until_us)
           || now_us - cr_stream_slot(s, seq)->time_us
              >= s->config.give_up_us;
}


unsigned
cr_rtp_stream_nack(cr_rtp_stream_t *s, int64_t now_us, int64_t rtt_us,
    uint16_t seqs[CR_NACK_MAX])
{
    int64_t     seq, due, interval, earliest;
    uint32_t    i;
    unsigned    n;
    cr_slot_t  *slot;

    s->now_us = now_us;

    if (now_us < s->next_nack_us) {
        return 0;
    }

    if (rtt_us <= 0) {
        rtt_us = RTT_DEFAULT_US;
    }

    /* a little more, or answers on their way would be asked for again */
    interval = rtt_us + rtt_us / 4;

    if (interval < s->config.nack_interval_us) {
        interval = s->config.nack_interval_us;
    }

    n = 0;
    earliest = INT64_MAX;
    seq = s->hole_first;

    for (i = 0; i < s->holes; i++) {
        slot = cr_stream_slot(s, seq);

        due = slot->nacks == 0 ? slot->time_us + s->config.nack_delay_us
                               : slot->u.hole.nacked_us + interval;

        if (due <= now_us && n < CR_NACK_MAX) {
            seqs[n++] = (uint16_t) (seq - s->shift);
            slot->nacks += slot->nacks != UINT16_MAX;
            slot->u.hole.nacked_us = now_us;
            due = now_us + interval;
        }

        if (due < earliest) {
            earliest = due;
        }

        seq = cr_rtp_unwrap32(seq, slot->u.hole.next);
    }

    s->next_nack_us = earliest;
    s->stats.nacks_sent += n;

    return n;
}


void
cr_rtp_stream_give_up(cr_rtp_stream_t *s, int64_t give_up_us)
{
    s->config.give_up_us = give_up_us;
}


bool
cr_rtp_stream_missing(const cr_rtp_stream_t *s, unsigned *asked)
{
    if (s->holes == 0) {
        return false;
    }

    *asked = cr_stream_slot(s, s->hole_first)->nacks;

    return true;
}


void
cr_rtp_stream_nack_off(cr_rtp_stream_t *s)
{
    s->config.nack = false;
    s->next_nack_us = INT64_MAX;
}


int64_t
cr_rtp_stream_deadline(const cr_rtp_stream_t *s)
{
    int64_t           give_up;
    const cr_slot_t  *slot;

    if (s->direct) {
        return s->now_us;
    }

    if (s->next > s->highest) {
        return INT64_MAX;
    }

    slot = cr_stream_slot(s, s->next);

    if (slot->state != CR_SLOT_HOLE
        || cr_stream_hole_over(s, s->next, s->now_us))
    {
        return s->now_us;
    }

    give_up = slot->time_us + s->config.give_up_us;

    if (s->next < s->origin && s->lead_until_us < give_up) {
        give_up = s->lead_until_us;
    }

    return s->next_nack_us < give_up ? s->next_nack_us : give_up;
}
