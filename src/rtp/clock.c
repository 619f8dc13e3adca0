
/*
 * Copyright (C) The call recorder authors
 *
 * transit = arrival - media time of a packet.  Its minimum belongs to a
 * packet that met no queue.  Clocks drift, so the minimum may rise, but not
 * faster than clocks do; queues and paths may, and are not followed.
 *
 * A sender report says what the sender's clock showed at a media time.  The
 * least transit of a track then gives how far our clock is ahead of the
 * sender's, plus that track's delay from capture to here; the least of all
 * tracks is taken for all of them, so that audio and video, which are
 * delayed differently, end up on one base.
 */

#include "rtp/clock.h"
#include "rtp/rtp.h"

#include <string.h>


#define JUMP_US          2000000    /* nobody's jitter */
#define SETTLE_US        250000     /* to tell a pause from a stall */
#define DRIFT_PPM        150        /* the most that clocks are apart */
#define STEP_US          500000     /* of the sender's clock */
#define FIRST_WAIT_US    8000000
#define EVENT_MIN_US     2000
#define EVENT_PACE_US    1000000


void
cr_track_clock_init(cr_track_clock_t *c, uint32_t clock_rate)
{
    memset(c, 0, sizeof(*c));
    c->clock_rate = clock_rate;
}


static int64_t
media_time(const cr_track_clock_t *c, int64_t rtp)
{
    return c->base_us + (rtp - c->base_rtp) * 1000000 / c->clock_rate;
}


/* What a minimum that was seen `elapsed` ago may have risen by. */
static int64_t
drift(int64_t elapsed_us)
{
    return elapsed_us > 0 ? elapsed_us / 1000000 * DRIFT_PPM
                            + elapsed_us % 1000000 * DRIFT_PPM / 1000000
                          : 0;
}


static int64_t
min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}


static int64_t
distance(int64_t a, int64_t b)
{
    return a < b ? b - a : a - b;
}


/*
 * Begins a new line at rtp such that its packet had the least transit: the
 * offset that was learnt stays right.  Media time never goes back.
 */
static int64_t
anchor(cr_track_clock_t *c, int64_t rtp, int64_t arrival_us)
{
    int64_t  media;

    media = arrival_us - c->min_transit_us;

    if (media <= c->last_us) {
        media = c->last_us + 1;
    }

    c->base_rtp = rtp;
    c->base_us = media;
    c->sr_known = false;
    c->restarted = false;
    c->late = false;

    return media;
}


/*
 * Media time lags behind arrival by seconds.  After a stall of the network
 * packets come faster than real time until the lag is gone; after a pause
 * of the sender the lag stays.
 */
static bool
paused(cr_track_clock_t *c, int64_t transit, int64_t arrival_us)
{
    int64_t  elapsed;

    if (!c->late) {
        c->late = true;
        c->late_since_us = arrival_us;
        c->late_first_us = transit;
        c->late_min_us = transit;
    }

    c->late_min_us = min(c->late_min_us, transit);
    elapsed = arrival_us - c->late_since_us;

    if (elapsed < SETTLE_US) {
        return false;
    }

    if (c->late_first_us - c->late_min_us <= elapsed / 4) {
        return true;
    }

    /* catching up: look at the next stretch */
    c->late = false;
    return false;
}


int64_t
cr_track_clock_map(cr_track_clock_t *c, uint32_t timestamp,
    int64_t arrival_us, bool *jumped)
{
    int64_t  rtp, media, transit, least;

    *jumped = false;

    if (!c->started) {
        c->started = true;
        c->base_rtp = timestamp;
        c->base_us = arrival_us;
        c->last_rtp = timestamp;
        c->last_us = arrival_us;
        c->started_us = arrival_us;
        c->arrival_us = arrival_us;
        return arrival_us;
    }

    rtp = cr_rtp_unwrap32(c->last_rtp, timestamp);
    media = media_time(c, rtp);
    transit = arrival_us - media;
    least = c->min_transit_us + drift(arrival_us - c->arrival_us);

    if (c->restarted || transit < least - JUMP_US) {
        *jumped = true;

    } else if (transit <= least + JUMP_US) {
        c->late = false;
        c->min_transit_us = min(transit, least);

    } else {
        *jumped = paused(c, transit, arrival_us);
    }

    if (*jumped) {
        media = anchor(c, rtp, arrival_us);
    }

    if (arrival_us > c->arrival_us) {
        c->arrival_us = arrival_us;
    }

    c->last_rtp = rtp;
    c->last_us = media;

    return media;
}


void
cr_track_clock_restart(cr_track_clock_t *c)
{
    c->restarted = c->started;
    c->sr_known = false;
}


/* NTP's 32.32 seconds in microseconds. */
static int64_t
ntp_to_us(uint64_t ntp)
{
    return (int64_t) (ntp >> 32) * 1000000
           + (int64_t) (((ntp & 0xffffffff) * 1000000) >> 32);
}


void
cr_track_clock_sr(cr_track_clock_t *c, cr_sender_clock_t *sender,
    uint64_t ntp, uint32_t rtp_timestamp, int64_t arrival_us)
{
    bool     step;
    int64_t  media, offset, candidate;

    /* NTP 0: the sender has no clock, RFC 3550 section 6.4.1 */
    if (!c->started || ntp == 0) {
        return;
    }

    media = media_time(c, cr_rtp_unwrap32(c->last_rtp, rtp_timestamp));

    if (distance(arrival_us, media + c->min_transit_us) > JUMP_US) {
        /* of another base, before its packets or after */
        return;
    }

    offset = media - ntp_to_us(ntp);
    candidate = offset + c->min_transit_us;

    step = c->sr_known && c->sr_epoch == sender->epoch
           && distance(offset, c->sr_offset_us) > STEP_US;

    if (!sender->known) {
        sender->known = true;
        sender->offset_us = candidate;

    } else if (step) {
        /* the other tracks' reports are void until they get new ones */
        sender->epoch++;
        sender->offset_us += offset - c->sr_offset_us;

    } else {
        sender->offset_us = min(candidate, sender->offset_us
                                + drift(arrival_us - sender->updated_us));
    }

    sender->updated_us = arrival_us;

    if (!c->reporting) {
        c->reporting = true;
        sender->reporting++;
    }

    c->sr_known = true;
    c->sr_epoch = sender->epoch;
    c->sr_offset_us = offset;
}


bool
cr_track_clock_event(cr_track_clock_t *c, const cr_sender_clock_t *sender,
    int64_t now_us, cr_clock_event_t *event)
{
    bool  settled;

    if (!c->started) {
        return false;
    }

    if (c->sr_known && c->sr_epoch == sender->epoch) {
        c->offset_us = sender->offset_us - c->sr_offset_us;

    } else if (!c->reporting) {
        c->offset_us = c->min_transit_us;
    }

    if (c->reported) {
        if (distance(c->offset_us, c->reported_offset_us) <= EVENT_MIN_US
            || now_us - c->reported_us < EVENT_PACE_US)
        {
            return false;
        }

    } else {
        settled = c->reporting && sender->tracks != 0
                  && sender->reporting >= sender->tracks;

        if (!settled && now_us - c->started_us < FIRST_WAIT_US) {
            return false;
        }
    }

    c->reported = true;
    c->reported_offset_us = c->offset_us;
    c->reported_us = now_us != INT64_MAX ? now_us : c->arrival_us;

    event->from_sr = c->reporting;
    event->media_us = c->last_us;
    event->offset_us = c->offset_us;
    event->drift_ppb = 0;

    return true;
}
