
/*
 * Copyright (C) The call recorder authors
 *
 * Media clocks: jumps, and audio against video over minutes of drift, with
 * the corrections applied as docs/on-disk.md tells a reader to.
 */


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


static uint32_t
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
} sender_t;


static track_t  audio, video;


static uint32_t
rtp_time(const track_t *t, int64_t at)
{
    return t->rtp_base + (uint32_t) (at * (1000000 + t->ppm) / 1000000
                                     * t->rate / 1000000);
}


static uint64_t
ntp_time(const sender_t *sender, int64_t at)
{
    int64_t   us;

    us = SECONDS(3900000000) + at + at * sender->ppm / 1000000;

    if (sender->step_at != 0 && at >= sender->step_at) {
        us += sender->step;
    }

    return (uint64_t) (us / 1000000) << 32
           | ((uint64_t) (us % 1000000) << 32) / 1000000;
}


static int64_t
path(const sender_t *sender, const track_t *t, int64_t at)
{
    int64_t  delay;

    delay = t->delay + (t->jitter ? rnd((uint32_t) t->jitter) : 0);

    if (at >= sender->queue_from && at < sender->queue_to) {
        delay += sender->queue;
    }

    return delay;
}


static void
step(track_t *t, const sender_t *sender, cr_sender_clock_t *shared,
    int64_t at)
{
    bool     jumped;
    int64_t  arrival;

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
    }

    if (at % 100000 == 0
        && cr_track_clock_event(&t->clock, shared, START + at,
                                &t->events[t->nevents]))
    {
        t->nevents++;
        assert_true(t->nevents < EVENTS_MAX);
    }
}


/* Recording time of a media time, by the records; docs/on-disk.md. */
static int64_t
corrected(const track_t *t, int64_t media)
{
    unsigned                 i;
    const cr_clock_event_t  *e;

    if (t->nevents == 0) {
        return media;
    }

    for (i = 0; i + 1 < t->nevents; i++) {
        if (media < t->events[i + 1].media_us) {
            break;
        }
    }

    e = &t->events[i];
    return media + e->offset_us
           + e->drift_ppb * (media - e->media_us) / 1000000000;
}


static void
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


static void
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
static int64_t
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


static void
sound_and_picture_stay_together_for_ten_minutes(void **state)
{
    int                round;
    sender_t           sender;
    cr_sender_clock_t  shared;

    (void) state;

    for (round = 0; round < 16; round++) {
        seed = (uint32_t) round;
        begin();
        memset(&sender, 0, sizeof(sender));
        sender.ppm = round & 1 ? 100 : -100;
        audio.ppm = round & 2 ? 100 : -100;
        video.ppm = round & 4 ? 100 : -100;

        if (round & 8) {
            sender.queue_from = SECONDS(200);
            sender.queue_to = SECONDS(230);
            sender.queue = MS(400);
        }

        run(&sender, &shared, SECONDS(600));
        assert_true(audio.events[0].from_sr && video.events[0].from_sr);
        assert_in_range(worst(), 0, 10000);
        /* and not by writing all the time */
        assert_in_range(audio.nevents, 1, 120);
        assert_in_range(video.nevents, 1, 120);
    }
}


static void
media_time_stays_near_the_truth(void **state)
{
    int64_t            bias;
    unsigned           i;
    sender_t           sender;
    cr_sender_clock_t  shared;

    (void) state;
    begin();
    memset(&sender, 0, sizeof(sender));
    audio.ppm = 100;
    video.ppm = -100;
    sender.ppm = 50;
    run(&sender, &shared, SECONDS(600));

    for (i = 0; i < audio.nsamples; i++) {
        bias = corrected(&audio, audio.media[i]) - audio.capture[i];
        assert_in_range(bias, MS(10), MS(40));
    }
}


static void
first_events_wait_for_all_tracks_but_not_for_ever(void **state)
{
    sender_t           sender;
    cr_sender_clock_t  shared;
    cr_clock_event_t   event;
    unsigned           tracks;
    int64_t            at;

    (void) state;
    memset(&sender, 0, sizeof(sender));

    /* known to be two: at the later first report, else after 8 s */
    for (tracks = 0; tracks <= 2; tracks += 2) {
        begin();
        memset(&shared, 0, sizeof(shared));
        shared.tracks = (uint8_t) tracks;
        cr_track_clock_init(&audio.clock, audio.rate);
        cr_track_clock_init(&video.clock, video.rate);

        for (at = 0; at < SECONDS(20) && video.nevents == 0; at += MS(10)) {
            step(&audio, &sender, &shared, at);
            step(&video, &sender, &shared, at);
        }

        if (tracks == 0) {
            assert_in_range(at, SECONDS(8), SECONDS(9));
        } else {
            assert_in_range(at, MS(2500), MS(2700));
        }
    }

    /* asked at the end */
    begin();
    run(&sender, &shared, SECONDS(4));
    assert_int_equal(audio.nevents, 0);
    assert_true(cr_track_clock_event(&audio.clock, &shared, INT64_MAX,
                                     &audio.events[0]));
    assert_true(cr_track_clock_event(&video.clock, &shared, INT64_MAX,
                                     &video.events[0]));
    audio.nevents = 1;
    video.nevents = 1;
    assert_in_range(worst(), 0, 10000);

    /* which does not end it */
    audio.clock.min_transit_us -= SECONDS(1);
    shared.offset_us -= SECONDS(1);
    assert_false(cr_track_clock_event(&audio.clock, &shared,
                                      START + SECONDS(4), &event));
    assert_true(cr_track_clock_event(&audio.clock, &shared,
                                     START + SECONDS(6), &event));

    /* never started: nothing to say */
    cr_track_clock_init(&audio.clock, 48000);
    assert_false(cr_track_clock_event(&audio.clock, &shared, INT64_MAX,
                                      &event));
}


static void
without_reports_the_least_delay_counts(void **state)
{
    int64_t            bias;
    unsigned           i;
    sender_t           sender;
    cr_sender_clock_t  shared;

    (void) state;
    begin();
    seed = 3;
    memset(&sender, 0, sizeof(sender));
    audio.sr_first = 0;
    audio.ppm = 100;
    video.sr_first = 0;
    video.delay = audio.delay;
    run(&sender, &shared, SECONDS(300));
    assert_false(audio.events[0].from_sr);

    for (i = 0; i < audio.nsamples; i++) {
        bias = corrected(&audio, audio.media[i]) - audio.capture[i];
        assert_in_range(bias, MS(15), MS(30));
    }

    assert_in_range(worst(), 0, 10000);
}


static void
a_step_of_the_senders_clock_moves_nothing(void **state)
{
    int                sign;
    sender_t           sender;
    cr_sender_clock_t  shared;

    (void) state;

    for (sign = -1; sign <= 1; sign += 2) {
        begin();
        memset(&sender, 0, sizeof(sender));
        sender.step_at = SECONDS(60);
        sender.step = sign * SECONDS(7200);
        run(&sender, &shared, SECONDS(120));
        assert_in_range(worst(), 0, 10000);
    }
}


static void
a_report_of_another_base_is_not_believed(void **state)
{
    bool               jumped;
    cr_track_clock_t   c;
    cr_sender_clock_t  shared;

    (void) state;
    memset(&shared, 0, sizeof(shared));
    cr_track_clock_init(&c, 90000);
    cr_track_clock_sr(&c, &shared, (uint64_t) 5 << 32, 0, START);
    assert_false(shared.known);
    cr_track_clock_map(&c, 0, START, &jumped);
    cr_track_clock_sr(&c, &shared, 0, 0, START);
    assert_false(shared.known);
    cr_track_clock_sr(&c, &shared, (uint64_t) 5 << 32, 900000, START);
    assert_false(shared.known);
    cr_track_clock_sr(&c, &shared, (uint64_t) 5 << 32, 900, START + MS(10));
    assert_true(shared.known);
}


/* Feeds packets 20 ms apart; returns how many jumps there were. */
static unsigned
feed(cr_track_clock_t *c, uint32_t rtp, int64_t arrival, unsigned n,
    int64_t gap, int64_t *last)
{
    bool      jumped;
    unsigned  i, jumps;

    jumps = 0;

    for (i = 0; i < n; i++) {
        *last = cr_track_clock_map(c, rtp + i * 960, arrival + i * gap,
                                   &jumped);
        jumps += jumped;
    }

    return jumps;
}


static void
a_new_base_of_timestamps_is_taken_at_once(void **state)
{
    int64_t           last;
    cr_track_clock_t  c;

    (void) state;
    cr_track_clock_init(&c, 48000);
    assert_int_equal(feed(&c, 1000, START, 50, MS(20), &last), 0);
    assert_int_equal(last, START + MS(980));
    assert_int_equal(feed(&c, 0x70000000, START + MS(1000), 50, MS(20),
                          &last), 1);
    assert_int_equal(last, START + MS(1980));

    /* backwards it takes a moment to be sure */
    assert_int_equal(feed(&c, 0x60000000, START + MS(2000), 50, MS(20),
                          &last), 1);
    assert_int_equal(last, START + MS(2980));
}


static void
silence_is_no_jump(void **state)
{
    int64_t           last;
    cr_track_clock_t  c;

    (void) state;
    cr_track_clock_init(&c, 48000);
    assert_int_equal(feed(&c, 0, START, 50, MS(20), &last), 0);
    /* DTX: an hour, timestamps go on */
    assert_int_equal(feed(&c, 48000 * 3600, START + SECONDS(3600), 50,
                          MS(20), &last), 0);
    assert_int_equal(last, START + SECONDS(3600) + MS(980));
}


static void
a_pause_without_timestamps_is_a_jump(void **state)
{
    int64_t           last;
    cr_track_clock_t  c;

    (void) state;
    cr_track_clock_init(&c, 48000);
    assert_int_equal(feed(&c, 0, START, 50, MS(20), &last), 0);
    assert_int_equal(feed(&c, 48000, START + SECONDS(61), 100, MS(20),
                          &last), 1);
    assert_int_equal(last, START + SECONDS(61) + MS(99 * 20));
}


static void
a_stall_with_a_burst_is_no_jump(void **state)
{
    int64_t           last;
    cr_track_clock_t  c;

    (void) state;
    cr_track_clock_init(&c, 48000);
    assert_int_equal(feed(&c, 0, START, 50, MS(20), &last), 0);
    /* five seconds late, and then twice as fast until it has caught up */
    assert_int_equal(feed(&c, 48000, START + SECONDS(6), 500, MS(10),
                          &last), 0);
    assert_int_equal(feed(&c, 48000 * 11, START + SECONDS(11), 50, MS(20),
                          &last), 0);
    assert_int_equal(last, START + SECONDS(11) + MS(980));
}


static void
packets_recovered_late_are_no_jump(void **state)
{
    bool              jumped;
    int64_t           last;
    unsigned          i;
    cr_track_clock_t  c;

    (void) state;
    cr_track_clock_init(&c, 48000);
    assert_int_equal(feed(&c, 0, START, 50, MS(20), &last), 0);

    /* every other one 3 s late */
    for (i = 50; i < 500; i++) {
        last = cr_track_clock_map(&c, i * 960, START + MS(i * 20)
                                  + (i & 1 ? SECONDS(3) : 0), &jumped);
        assert_false(jumped);
        assert_int_equal(last, START + MS(i * 20));
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(sound_and_picture_stay_together_for_ten_minutes),
        cmocka_unit_test(media_time_stays_near_the_truth),
        cmocka_unit_test(first_events_wait_for_all_tracks_but_not_for_ever),
        cmocka_unit_test(without_reports_the_least_delay_counts),
        cmocka_unit_test(a_step_of_the_senders_clock_moves_nothing),
        cmocka_unit_test(a_report_of_another_base_is_not_believed),
        cmocka_unit_test(a_new_base_of_timestamps_is_taken_at_once),
        cmocka_unit_test(silence_is_no_jump),
        cmocka_unit_test(a_pause_without_timestamps_is_a_jump),
        cmocka_unit_test(a_stall_with_a_burst_is_no_jump),
        cmocka_unit_test(packets_recovered_late_are_no_jump),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
