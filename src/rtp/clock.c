
/*
 * Copyright (C) The call recorder authors
 *
 * transit = arrival - media time of a packet.  Its minimum belongs to a
 * packet that met no queue.  Clocks drift, so the minimum may rise, but not
 * faster than clocks do; queues and paths may, and are not followed.
 */

#include "rtp/clock.h"
#include "rtp/rtp.h"

#include <string.h>


#define JUMP_US          2000000    /* nobody's jitter */
#define SETTLE_US        250000     /* to tell a pause from a stall */
#define STRETCH_US       250000


void
cr_track_clock_init(cr_track_clock_t *c, uint32_t clock_rate)
{
    memset(c, 0, sizeof(*c));
    c->clock_rate = clock_rate;
}


int64_t
cr_track_clock_media(const cr_track_clock_t *c, int64_t rtp)
{
    return c->base_us + (rtp - c->base_rtp) * 1000000 / c->clock_rate;
}


int64_t
cr_track_clock_offset(const cr_track_clock_t *c, int64_t media_us)
{
    if (!c->estimated) {
        return c->min_transit_us;
    }

    return c->offset_us + (media_us - c->at_us) / 1000 * c->drift_ppb
                          / 1000000;
}


void
cr_track_clock_tell(cr_track_clock_t *c, int64_t media_us, int64_t offset_us)
{
    cr_clock_event_t  *event;

    /* of more at once than anybody waits for, the last counts */
    if (c->npending == CR_CLOCK_PENDING) {
        c->npending--;
    }

    event = &c->pending[c->npending++];

    memset(event, 0, sizeof(cr_clock_event_t));
    event->from_sr = c->reporting;
    event->media_us = media_us;
    event->offset_us = offset_us;
    event->drift_ppb = c->drift_ppb;
}


void
cr_track_clock_since(cr_track_clock_t *c, int64_t media_us)
{
    if (!c->told) {
        cr_track_clock_tell(c, c->since_us,
                            cr_track_clock_offset(c, c->since_us));
    }

    c->told = false;
    c->since_us = media_us;
    c->since_arrival_us = c->arrival_us;
}


static int64_t
min(int64_t a, int64_t b)
{
    return a < b ? a : b;
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
    c->nstretches = 0;

    cr_track_clock_since(c, media);

    return media;
}


/*
 * Media time lags behind arrival by seconds.  After a stall of the network
 * packets come faster than real time until the lag is gone; after a pause
 * of the sender the lag stays.
 */
static bool
paused(cr_track_clock_t *c, int64_t media, int64_t transit,
    int64_t arrival_us)
{
    int64_t  elapsed;

    if (!c->late) {
        c->late = true;
        c->late_since_us = arrival_us;
        c->late_media_us = media;
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


/*
 * What came while nobody knew that it was late by a pause was given times of
 * before the pause: they are put right.
 */
static void
pause_over(cr_track_clock_t *c, int64_t least)
{
    int64_t  offset;

    offset = cr_track_clock_offset(c, c->late_media_us);

    cr_track_clock_since(c, c->late_media_us);
    cr_track_clock_tell(c, c->late_media_us,
                        offset + c->late_min_us - least);
    c->told = true;
}


static void
stretch(cr_track_clock_t *c, int64_t media, int64_t transit,
    int64_t arrival_us)
{
    cr_clock_stretch_t  *s;

    if (c->nstretches == 0 || arrival_us - c->stretch_us >= STRETCH_US) {
        s = &c->stretches[c->nstretches++ % CR_CLOCK_STRETCHES];
        s->media_us = media;
        s->transit_us = transit;
        c->stretch_us = arrival_us;
        return;
    }

    s = &c->stretches[(c->nstretches - 1) % CR_CLOCK_STRETCHES];
    s->transit_us = min(s->transit_us, transit);
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
        c->since_us = arrival_us;
        c->since_arrival_us = arrival_us;
        stretch(c, arrival_us, 0, arrival_us);
        return arrival_us;
    }

    rtp = cr_rtp_unwrap32(c->last_rtp, timestamp);
    media = cr_track_clock_media(c, rtp);
    transit = arrival_us - media;
    least = c->min_transit_us + cr_clock_rise(arrival_us - c->arrival_us);

    if (c->restarted || transit < least - JUMP_US) {
        *jumped = true;

    } else if (transit <= least + JUMP_US) {
        c->late = false;
        c->min_transit_us = min(transit, least);

    } else if (paused(c, media, transit, arrival_us)) {
        *jumped = true;
        pause_over(c, least);
    }

    if (arrival_us > c->arrival_us) {
        c->arrival_us = arrival_us;
    }

    if (*jumped) {
        media = anchor(c, rtp, arrival_us);
    }

    stretch(c, media, arrival_us - media, arrival_us);

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
