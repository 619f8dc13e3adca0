
/*
 * Copyright (C) The call recorder authors
 *
 * A sender report says what the sender's clock showed at a media time.  The
 * least transit of a track then gives how far our clock is ahead of the
 * sender's, plus that track's delay from capture to here; the least of all
 * tracks is taken for all of them, so that audio and video, which are
 * delayed differently, end up on one base.
 *
 * A report that does not fit the ones before it tells of a jump, either of
 * the sender's clock or of the track's time stamps (sound's stand still
 * while a microphone is changed).  Of the first the reports know (they come
 * sooner than any could), of the second the packets.
 */

#include "rtp/clock.h"
#include "rtp/rtp.h"

#include <string.h>


#define JUMP_US          2000000    /* nobody's jitter */
#define FIRST_WAIT_US    8000000
#define EVENT_MIN_US     2000
#define EVENT_PACE_US    1000000
/* how long what is learnt is said of a base's beginning, too */
#define LEARN_US         60000000

/* A report that is off by more tells of a jump; by less, if the next one
 * says so as well. */
#define ODD_MIN_US       8000
#define ODD_MAX_US       40000
#define NOISE_US         3000

#define CAPTURE_PACE_US  200000
#define CAPTURE_LOST_US  15000000


static int64_t
distance(int64_t a, int64_t b)
{
    return a < b ? b - a : a - b;
}


/* NTP's 32.32 seconds in microseconds. */
static int64_t
ntp_to_us(uint64_t ntp)
{
    return (int64_t) (ntp >> 32) * 1000000
           + (int64_t) (((ntp & 0xffffffff) * 1000000) >> 32);
}


/*
 * Where time stamps jumped by (a lag is positive): the beginning of the
 * newest stretches whose transit is all on this side of it, but not before
 * the last report.
 */
static int64_t
jump_place(const cr_track_clock_t *c, int64_t by_us)
{
    int64_t                    place, middle;
    unsigned                   i;
    const cr_clock_stretch_t  *s;

    /* behind the last frame, whose time is written in milliseconds */
    place = c->last_us + 1000;
    middle = c->min_transit_us + distance(by_us, 0) / 2;

    for (i = c->nstretches; i > 0; i--) {
        if (c->nstretches - i == CR_CLOCK_STRETCHES) {
            break;
        }

        s = &c->stretches[(i - 1) % CR_CLOCK_STRETCHES];

        if (s->media_us <= c->sr_media_us
            || (by_us > 0) != (s->transit_us > middle))
        {
            break;
        }

        place = s->media_us;
    }

    return place;
}


static void
jumped_stamps(cr_track_clock_t *c, int64_t by_us)
{
    int64_t  place, offset;

    place = jump_place(c, by_us);
    offset = cr_track_clock_offset(c, place);

    cr_track_clock_since(c, place);

    c->estimated = true;
    c->at_us = place;
    c->offset_us = offset + by_us;

    cr_clock_line_shift(&c->sr_line, by_us);

    if (by_us > 0) {
        /* who leaps ahead has been seen to */
        c->min_transit_us += by_us;
    }
}


/* The other tracks' reports are void until they get new ones. */
static void
stepped(cr_track_clock_t *c, cr_sender_clock_t *sender, int64_t by_us)
{
    if (c->sr_epoch == sender->epoch) {
        sender->epoch++;
        cr_clock_least_shift(&sender->offset, -by_us);
        cr_clock_least_shift(&sender->sent, -by_us);
    }

    cr_clock_line_shift(&c->sr_line, by_us);
}


/*
 * by_us: how much larger the sender's time is than was expected.  early_us:
 * how much sooner than ever the report came.
 */
static void
jump(cr_track_clock_t *c, cr_sender_clock_t *sender, int64_t by_us,
    int64_t early_us)
{
    bool  step;

    if (c->sr_epoch != sender->epoch) {
        step = true;

    } else if (by_us > 0) {
        step = early_us > by_us / 2;

    } else {
        step = c->sr_transit_us - c->min_transit_us < -by_us / 2;
    }

    if (step) {
        stepped(c, sender, by_us);

    } else {
        jumped_stamps(c, by_us);
    }
}


/* Whether the point is one of the line, perhaps after a jump. */
static bool
fits(cr_track_clock_t *c, cr_sender_clock_t *sender, int64_t media,
    int64_t ahead, int64_t early_us)
{
    bool     again;
    int64_t  off, odd;

    off = ahead - cr_clock_line_at(&c->sr_line, media);

    odd = c->sr_noise_us * 4;
    odd = odd < ODD_MIN_US ? ODD_MIN_US : odd > ODD_MAX_US ? ODD_MAX_US : odd;

    if (distance(off, 0) <= odd) {
        c->sr_noise_us += (distance(off, 0) - c->sr_noise_us) / 8;
        c->sr_odd_us = 0;
        return true;
    }

    again = c->sr_odd_us != 0 && distance(off, c->sr_odd_us) <= odd;
    c->sr_odd_us = off;

    if (!again && distance(off, 0) <= ODD_MAX_US) {
        return false;
    }

    c->sr_odd_us = 0;
    jump(c, sender, off, early_us);

    return true;
}


/* The sender's clock showed ntp_us at the time stamp. */
static void
known(cr_track_clock_t *c, cr_sender_clock_t *sender, int64_t ntp_us,
    uint32_t rtp_timestamp, int64_t early_us, int64_t arrival_us)
{
    int64_t  media, ahead;

    media = cr_track_clock_media(c, cr_rtp_unwrap32(c->last_rtp,
                                                    rtp_timestamp));

    if (distance(arrival_us, media + c->min_transit_us) > JUMP_US) {
        /* of another base, before its packets or after */
        return;
    }

    ahead = ntp_us - media;

    if (!c->sr_known) {
        memset(&c->sr_line, 0, sizeof(c->sr_line));
        c->sr_noise_us = NOISE_US;
        c->sr_odd_us = 0;

    } else if (!fits(c, sender, media, ahead, early_us)) {
        return;
    }

    cr_clock_line_add(&c->sr_line, media, ahead);

    c->sr_known = true;
    c->sr_epoch = sender->epoch;
    c->sr_media_us = media;
    c->sr_transit_us = c->min_transit_us;

    cr_clock_least_add(&sender->offset,
                       c->min_transit_us
                       - cr_clock_line_at(&c->sr_line, media), arrival_us);

    if (!c->reporting) {
        c->reporting = true;
        sender->reporting++;
    }
}


void
cr_track_clock_sr(cr_track_clock_t *c, cr_sender_clock_t *sender,
    uint64_t ntp, uint32_t rtp_timestamp, int64_t arrival_us)
{
    int64_t  ntp_us, early_us;

    /* NTP 0: the sender has no clock, RFC 3550 section 6.4.1 */
    if (!c->started || ntp == 0) {
        return;
    }

    if (c->capturing && arrival_us - c->capture_us > CAPTURE_LOST_US) {
        c->capturing = false;
        c->sr_known = false;
    }

    if (c->capturing) {
        return;
    }

    ntp_us = ntp_to_us(ntp);

    /* with the step that this report may be the first to show, too */
    early_us = sender->sent.known && c->sr_epoch == sender->epoch
                   ? sender->sent.least_us - (arrival_us - ntp_us) : 0;

    known(c, sender, ntp_us, rtp_timestamp, early_us, arrival_us);

    cr_clock_least_add(&sender->sent, arrival_us - ntp_us, arrival_us);
}


void
cr_track_clock_capture(cr_track_clock_t *c, cr_sender_clock_t *sender,
    const cr_slice_t *value, uint32_t rtp_timestamp, int64_t arrival_us)
{
    int64_t  ntp_us, early_us;

    if (!c->started || (value->len != 8 && value->len != 16)
        || cr_get_u64(value->data) == 0
        || (c->capturing && c->sr_known
            && arrival_us - c->capture_us < CAPTURE_PACE_US))
    {
        return;
    }

    ntp_us = ntp_to_us(cr_get_u64(value->data));

    /* capturer's clock = sender's clock + the offset, signed 32.32 */
    if (value->len == 16) {
        ntp_us -= (int64_t) (int32_t) cr_get_u32(value->data + 8) * 1000000
                  + (int64_t) ((uint64_t) cr_get_u32(value->data + 12)
                               * 1000000 >> 32);
    }

    if (!c->capturing) {
        c->capturing = true;
        c->sr_known = false;
    }

    c->capture_us = arrival_us;

    early_us = sender->offset.known && c->sr_epoch == sender->epoch
                   ? sender->offset.least_us - (arrival_us - ntp_us) : 0;

    known(c, sender, ntp_us, rtp_timestamp, early_us, arrival_us);
}


static void
estimate(cr_track_clock_t *c, const cr_sender_clock_t *sender)
{
    if (c->sr_known && c->sr_epoch == sender->epoch) {
        c->offset_us = cr_clock_line_at(&sender->offset.line, c->arrival_us)
                       + cr_clock_line_at(&c->sr_line, c->last_us);
        c->drift_ppb = cr_clock_line_drift(&sender->offset.line)
                       + cr_clock_line_drift(&c->sr_line);

    } else if (!c->reporting) {
        if (!c->transit.known || c->transit.updated_us != c->arrival_us) {
            cr_clock_least_add(&c->transit, c->min_transit_us,
                               c->arrival_us);
        }

        c->offset_us = cr_clock_line_at(&c->transit.line, c->arrival_us);
        c->drift_ppb = cr_clock_line_drift(&c->transit.line);

    } else {
        return;
    }

    c->at_us = c->last_us;
    c->estimated = true;
}


/* Where the next event holds from, if one is due. */
static bool
due(const cr_track_clock_t *c, const cr_sender_clock_t *sender,
    int64_t now_us, int64_t *media_us)
{
    bool     settled, learning;
    int64_t  told;

    *media_us = c->since_us;

    if (!c->reported) {
        settled = c->reporting && sender->tracks != 0
                  && sender->reporting >= sender->tracks;

        return settled || now_us - c->started_us >= FIRST_WAIT_US;
    }

    if (!c->told) {
        return true;
    }

    if (now_us - c->told_us < EVENT_PACE_US) {
        return false;
    }

    learning = c->arrival_us - c->since_arrival_us < LEARN_US;

    if (learning
        && distance(cr_track_clock_offset(c, c->since_us),
                    c->told_offset_us) > EVENT_MIN_US)
    {
        return true;
    }

    told = c->told_offset_us + (c->last_us - c->told_media_us) / 1000
                               * c->told_drift_ppb / 1000000;

    if (!learning) {
        *media_us = c->last_us;
    }

    return distance(cr_track_clock_offset(c, c->last_us), told)
           > EVENT_MIN_US;
}


bool
cr_track_clock_event(cr_track_clock_t *c, const cr_sender_clock_t *sender,
    int64_t now_us, cr_clock_event_t *event)
{
    int64_t  media_us;

    if (!c->started) {
        return false;
    }

    if (c->npending != 0) {
        *event = c->pending[0];
        memmove(&c->pending[0], &c->pending[1],
                --c->npending * sizeof(cr_clock_event_t));
        c->reported = true;
        return true;
    }

    estimate(c, sender);

    if (!due(c, sender, now_us, &media_us)) {
        return false;
    }

    c->reported = true;
    c->told = true;
    c->told_us = now_us != INT64_MAX ? now_us : c->arrival_us;
    c->told_media_us = media_us;
    c->told_offset_us = cr_track_clock_offset(c, media_us);
    c->told_drift_ppb = c->drift_ppb;

    event->from_sr = c->reporting;
    event->media_us = media_us;
    event->offset_us = c->told_offset_us;
    event->drift_ppb = c->told_drift_ppb;

    return true;
}
