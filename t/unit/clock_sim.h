
/*
 * Copyright (C) The call recorder authors
 *
 * A sender of sound and picture with clocks of its own, simulated, and what
 * a reader of the records makes of its media times.
 */

#ifndef CR_TEST_CLOCK_SIM_H
#define CR_TEST_CLOCK_SIM_H


#include "rtp/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>


#define MS(n)        ((int64_t) (n) * 1000)
#define SECONDS(n)   ((int64_t) (n) * 1000000)

#define EVENTS_MAX   2000
#define SAMPLES_MAX  40000

/* Where our monotonic clock stands when a test begins. */
#define START        SECONDS(100000)


static uint32_t  seed;


static inline uint32_t
rnd(uint32_t n)
{
    seed = seed * 1664525 + 1013904223;
    return (uint32_t) ((uint64_t) seed * n >> 32);
}


/* A track as its sender sees it, and what came of it. */
typedef struct {
    uint32_t          rate;
    int               ppm;            /* of the RTP clock */
    uint32_t          rtp_base;
    int64_t           interval;
    int64_t           delay;          /* capture to arrival, at best */
    int64_t           jitter;
    int64_t           sr_first;       /* 0: never */
    int64_t           sr_interval;
    bool              stamped;        /* abs-capture-time instead */
    int64_t           stall_at;       /* nothing is captured, time stamps */
    int64_t           stall;          /* stand still; < 0: they leap */

    cr_track_clock_t  clock;
    cr_clock_event_t  events[EVENTS_MAX];
    unsigned          nevents;
    int64_t           media[SAMPLES_MAX];
    int64_t           capture[SAMPLES_MAX];
    unsigned          nsamples;
} track_t;


typedef struct {
    int               ppm;            /* of the sender's NTP clock */
    int64_t           step_at;        /* it is set anew then */
    int64_t           step;
    int64_t           queue_from;     /* a queue builds up on the path */
    int64_t           queue_to;
    int64_t           queue;
    int64_t           ntp;            /* at the start; 0: some day */
    int64_t           capturer;       /* its clock - the sender's */
} sender_t;


static track_t  audio, video;


static inline uint32_t
rtp_time(const track_t *t, int64_t at)
{
    if (t->stall != 0 && at >= t->stall_at) {
        at -= t->stall;
    }

    return t->rtp_base + (uint32_t) (at * (1000000 + t->ppm) / 1000000
                                     * t->rate / 1000000);
}


static inline uint64_t
ntp_time(const sender_t *sender, int64_t at)
{
    int64_t   us;

    us = (sender->ntp != 0 ? sender->ntp : SECONDS(3900000000))
         + at + at * sender->ppm / 1000000;

    if (sender->step_at != 0 && at >= sender->step_at) {
        us += sender->step;
    }

    return (uint64_t) (us / 1000000) << 32
           | ((uint64_t) (us % 1000000) << 32) / 1000000;
}


static inline int64_t
path(const sender_t *sender, const track_t *t, int64_t at)
{
    int64_t  delay;

    delay = t->delay + (t->jitter ? rnd((uint32_t) t->jitter) : 0);

    if (at >= sender->queue_from && at < sender->queue_to) {
        delay += sender->queue;
    }

    return delay;
}


/* Each second; RFC 8285 has the element's length. */
static inline void
stamp(track_t *t, const sender_t *sender, cr_sender_clock_t *shared,
    int64_t at, int64_t arrival)
{
    uint8_t     data[16];
    cr_slice_t  value = { data, sender->capturer != 0 ? 16 : 8 };

    if (!t->stamped || at % SECONDS(1) >= t->interval) {
        return;
    }

    cr_put_u64(data, ntp_time(sender, at + sender->capturer));
    cr_put_u32(data + 8, (uint32_t) (sender->capturer / SECONDS(1)));
    cr_put_u32(data + 12, 0);
    cr_track_clock_capture(&t->clock, shared, &value, rtp_time(t, at),
                           arrival);
}


static inline void
step(track_t *t, const sender_t *sender, cr_sender_clock_t *shared,
    int64_t at)
{
    bool     jumped;
    int64_t  arrival;

    if (t->stall > 0 && at >= t->stall_at && at < t->stall_at + t->stall) {
        return;
    }

    if (t->sr_first != 0 && at >= t->sr_first
        && (at - t->sr_first) % t->sr_interval == 0)
    {
        cr_track_clock_sr(&t->clock, shared, ntp_time(sender, at),
                          rtp_time(t, at), START + at + t->delay);
    }

    if (at % t->interval == 0) {
        arrival = START + at + path(sender, t, at);
        assert_true(t->nsamples < SAMPLES_MAX);
        t->capture[t->nsamples] = START + at;
        t->media[t->nsamples++] =
            cr_track_clock_map(&t->clock, rtp_time(t, at), arrival, &jumped);
        assert_false(jumped);
        stamp(t, sender, shared, at, arrival);
    }

    while (at % 100000 == 0
           && cr_track_clock_event(&t->clock, shared, START + at,
                                   &t->events[t->nevents]))
    {
        t->nevents++;
        assert_true(t->nevents < EVENTS_MAX);
    }
}


/* Recording time of a media time, by the records; docs/on-disk.md. */
static inline int64_t
corrected(const track_t *t, int64_t media)
{
    unsigned                 i, k;
    const cr_clock_event_t  *e;

    if (t->nevents == 0) {
        return media;
    }

    /* the latest that says something of it, else the earliest time's */
    for (i = t->nevents; i > 0; i--) {
        if (media >= t->events[i - 1].media_us) {
            break;
        }
    }

    e = &t->events[i > 0 ? i - 1 : 0];

    for (k = 0; i == 0 && k < t->nevents; k++) {
        if (t->events[k].media_us <= e->media_us) {
            e = &t->events[k];
        }
    }

    return media + e->offset_us
           + e->drift_ppb * (media - e->media_us) / 1000000000;
}


static inline void
begin(void)
{
    memset(&audio, 0, sizeof(audio));
    memset(&video, 0, sizeof(video));

    audio.rate = 48000;
    audio.rtp_base = 0xffff0000;
    audio.interval = MS(20);
    audio.delay = MS(20);
    audio.jitter = MS(30);
    audio.sr_first = MS(2500);
    audio.sr_interval = MS(5000);

    video.rate = 90000;
    video.rtp_base = 0x7fff0000;
    video.interval = MS(30);
    video.delay = MS(140);
    video.jitter = MS(60);
    video.sr_first = MS(600);
    video.sr_interval = MS(1000);
}


static inline void
run(const sender_t *sender, cr_sender_clock_t *shared, int64_t duration)
{
    int64_t  at;

    memset(shared, 0, sizeof(*shared));
    cr_track_clock_init(&audio.clock, audio.rate);
    cr_track_clock_init(&video.clock, video.rate);

    for (at = 0; at < duration; at += MS(10)) {
        step(&audio, sender, shared, at);
        step(&video, sender, shared, at);
    }
}


/* The most that sound and picture captured at one time are apart. */
static inline int64_t
worst(void)
{
    int64_t   a, v, d, most;
    unsigned  i, k;

    most = 0;
    k = 0;

    for (i = 0; i < video.nsamples; i++) {
        while (k + 1 < audio.nsamples && audio.capture[k] < video.capture[i])
        {
            k++;
        }

        a = corrected(&audio, audio.media[k]) - audio.capture[k];
        v = corrected(&video, video.media[i]) - video.capture[i];
        d = a < v ? v - a : a - v;
        most = d > most ? d : most;
    }

    return most;
}


/* The largest error of a track, but for its delay on the way at best. */
static inline int64_t
bias(const track_t *t, int64_t delay)
{
    int64_t   b, most;
    unsigned  i;

    most = 0;

    for (i = 0; i < t->nsamples; i++) {
        b = corrected(t, t->media[i]) - t->capture[i] - delay;
        b = b < 0 ? -b : b;
        most = b > most ? b : most;
    }

    return most;
}


#endif /* CR_TEST_CLOCK_SIM_H */
