
/*
 * Copyright (C) The call recorder authors
 *
 * The receiver's half of draft-ietf-rmcat-gcc-02 (section 5), with the queue
 * itself in place of its gradient, and the loss-based half (section 6).
 */

#include "rtp/remb.h"


#define CR_REMB_MIN          100000
#define CR_REMB_INTERVAL_US  100000

/* Transit's least is that of the last 10 to 20 s. */
#define CR_REMB_WINDOW_US    10000000

/* More in so many intervals in a row is a queue, not jitter. */
#define CR_REMB_OVER_US      60000
#define CR_REMB_OVER         2
/* less is none */
#define CR_REMB_EMPTY_US     30000

/* What the sender and the queue need to follow. */
#define CR_REMB_FOLLOW_US    600000
#define CR_REMB_HOLD_US      1000000
/* A queue that so many decreases do not change is a longer way. */
#define CR_REMB_FUTILE       4
#define CR_REMB_SAME_US      20000

/* Of 256, in a report's interval: less is chance, more is congestion. */
#define CR_REMB_CHANCE       (256 * 2 / 100)
#define CR_REMB_CONGESTION   (256 * 10 / 100)


static bool cr_remb_interval(cr_remb_t *e);
static bool cr_remb_overuse(cr_remb_t *e);
static void cr_remb_decrease(cr_remb_t *e, int64_t now_us);
static uint64_t cr_remb_received(const cr_remb_t *e);


void
cr_remb_init(cr_remb_t *e, uint64_t max, int64_t now_us)
{
    *e = (cr_remb_t) { .max = max, .bitrate = max, .begun_us = now_us,
                       .decreased_us = now_us - CR_REMB_HOLD_US };
}


void
cr_remb_restart(cr_remb_t *e)
{
    e->timed = false;
    e->measured = false;
    e->queue_us = 0;
    e->over = 0;
}


bool
cr_remb_packet(cr_remb_t *e, size_t len, int64_t now_us)
{
    bool  fell;

    fell = false;

    if (now_us - e->begun_us > CR_REMB_SLOTS * CR_REMB_INTERVAL_US) {
        /* what came before a silence says nothing of the rate */
        e->begun_us = now_us;
        e->measured = false;
        e->nslots = 0;
        e->bytes[e->slot] = 0;
    }

    while (now_us - e->begun_us >= CR_REMB_INTERVAL_US) {
        fell |= cr_remb_interval(e);
    }

    e->bytes[e->slot] += len;

    return fell;
}


void
cr_remb_sent(cr_remb_t *e, uint32_t stamp, uint32_t rate, int64_t now_us)
{
    int64_t  transit_us;

    if (!e->timed) {
        e->timed = true;
        e->stamp = stamp;
        e->sent = 0;
        e->base_us[0] = INT64_MAX;
        e->base_us[1] = INT64_MAX;
        e->window_us = now_us;
    }

    e->sent += (int32_t) (stamp - e->stamp);
    e->stamp = stamp;

    transit_us = now_us - (e->sent / rate * 1000000
                           + e->sent % rate * 1000000 / rate);

    if (!e->measured || transit_us < e->transit_us) {
        e->measured = true;
        e->transit_us = transit_us;
    }
}


/* The interval ends. */
static bool
cr_remb_interval(cr_remb_t *e)
{
    bool     fell;
    int64_t  base_us;

    fell = false;
    e->begun_us += CR_REMB_INTERVAL_US;

    if (e->nslots < CR_REMB_SLOTS - 1) {
        e->nslots++;
    }

    if (e->measured) {
        if (e->begun_us - e->window_us >= CR_REMB_WINDOW_US) {
            e->base_us[0] = e->base_us[1];
            e->base_us[1] = INT64_MAX;
            e->window_us = e->begun_us;
        }

        if (e->transit_us < e->base_us[1]) {
            e->base_us[1] = e->transit_us;
        }

        base_us = e->base_us[0] < e->base_us[1] ? e->base_us[0]
                                                : e->base_us[1];
        e->queue_us = e->transit_us - base_us;
        e->over = e->queue_us > CR_REMB_OVER_US ? e->over + 1 : 0;
        e->measured = false;

        if (e->over >= CR_REMB_OVER
            && e->begun_us - e->decreased_us >= CR_REMB_FOLLOW_US)
        {
            fell = cr_remb_overuse(e);
        }
    }

    e->slot = (e->slot + 1) % CR_REMB_SLOTS;
    e->bytes[e->slot] = 0;

    return fell;
}


/* Packets wait.  Whether it takes a decrease. */
static bool
cr_remb_overuse(cr_remb_t *e)
{
    int64_t  change_us = e->queue_us - e->decreased_queue_us;

    if (e->queue_us <= CR_REMB_EMPTY_US || e->decreases == 0) {
        e->decreases = 0;

    } else if (change_us < -CR_REMB_SAME_US) {
        /* it becomes empty */
        e->decreases = 1;
        e->decreased_queue_us = e->queue_us;
        return false;

    } else if (e->decreases == CR_REMB_FUTILE) {
        e->decreases = 0;
        e->base_us[0] = e->transit_us;
        e->base_us[1] = e->transit_us;
        e->queue_us = 0;
        e->over = 0;
        return false;
    }

    e->decreases++;
    e->decreased_queue_us = e->queue_us;
    cr_remb_decrease(e, e->begun_us);

    return true;
}


/* To 85 % of what comes through. */
static void
cr_remb_decrease(cr_remb_t *e, int64_t now_us)
{
    uint64_t  received = cr_remb_received(e);

    if (received < e->bitrate) {
        e->bitrate = received;
    }

    e->bitrate -= e->bitrate * 15 / 100;

    if (e->bitrate < CR_REMB_MIN) {
        e->bitrate = CR_REMB_MIN < e->max ? CR_REMB_MIN : e->max;
    }

    e->decreased_us = now_us;
}


/* Bits per second, in the intervals that are over. */
static uint64_t
cr_remb_received(const cr_remb_t *e)
{
    uint64_t  bytes;
    unsigned  i, n;

    bytes = 0;
    n = e->nslots;

    if (n == 0) {
        return e->bitrate;
    }

    for (i = 1; i <= n; i++) {
        bytes += e->bytes[(e->slot + CR_REMB_SLOTS - i) % CR_REMB_SLOTS];
    }

    return bytes * 8 * 1000000 / (n * CR_REMB_INTERVAL_US);
}


uint64_t
cr_remb_report(cr_remb_t *e, uint8_t fraction_lost, int64_t now_us)
{
    if (!e->reported) {
        e->reported = true;

    } else if (now_us - e->decreased_us < CR_REMB_HOLD_US) {
        /* it was told less, and has to follow */

    } else if (fraction_lost > CR_REMB_CONGESTION) {
        cr_remb_decrease(e, now_us);

    } else if (fraction_lost <= CR_REMB_CHANCE
               && e->queue_us <= CR_REMB_EMPTY_US)
    {
        e->bitrate += e->bitrate * 8 / 100;

        if (e->bitrate > e->max) {
            e->bitrate = e->max;
        }
    }

    return e->bitrate;
}
