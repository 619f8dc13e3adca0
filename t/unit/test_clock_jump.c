
/*
 * Copyright (C) The call recorder authors
 *
 * Media clocks: what jumps, stands still, steps, wraps and begins anew.
 */


#include "clock_sim.h"


/* Takes what the clock tells into t, at once. */
static void
tell(track_t *t, const cr_sender_clock_t *shared, int64_t now)
{
    while (cr_track_clock_event(&t->clock, shared, now,
                                &t->events[t->nevents]))
    {
        t->nevents++;
    }
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
a_small_step_of_the_senders_clock_moves_nothing(void **state)
{
    int                ms;
    sender_t           sender;
    cr_sender_clock_t  shared;

    (void) state;

    for (ms = -400; ms <= 400; ms += 100) {
        begin();
        memset(&sender, 0, sizeof(sender));
        sender.step_at = SECONDS(61);
        sender.step = MS(ms);
        audio.jitter = MS(20);
        run(&sender, &shared, SECONDS(180));
        assert_in_range(worst(), 0, 12000);
        assert_in_range(bias(&audio, audio.delay), 0, 12000);
    }
}


static void
the_era_of_ntp_ends_in_2036(void **state)
{
    sender_t           sender;
    cr_sender_clock_t  shared;

    (void) state;
    begin();
    memset(&sender, 0, sizeof(sender));
    sender.ntp = (INT64_C(1) << 32) * 1000000 - SECONDS(60);
    sender.step_at = SECONDS(60);
    sender.step = -(INT64_C(1) << 32) * 1000000;
    run(&sender, &shared, SECONDS(120));
    assert_in_range(worst(), 0, 10000);
    assert_in_range(bias(&audio, audio.delay), 0, 12000);
}


static void
time_stamps_wrap_within_ten_minutes(void **state)
{
    sender_t           sender;
    cr_sender_clock_t  shared;

    (void) state;
    begin();
    memset(&sender, 0, sizeof(sender));
    audio.rtp_base = 0u - 48000 * 100;
    video.rtp_base = 0u - 90000 * 200;
    run(&sender, &shared, SECONDS(300));
    assert_in_range(worst(), 0, 10000);
    assert_in_range(bias(&audio, audio.delay), 0, 12000);
}


static void
sound_that_stood_still_is_put_right_from_there(void **state)
{
    int                ms;
    sender_t           sender;
    cr_sender_clock_t  shared;

    (void) state;

    /* another microphone: for a while nothing is captured or counted */
    for (ms = 60; ms <= 1500; ms += 180) {
        begin();
        memset(&sender, 0, sizeof(sender));
        audio.ppm = 50;
        audio.jitter = MS(10);
        audio.stall_at = SECONDS(91);
        audio.stall = MS(ms);
        run(&sender, &shared, SECONDS(180));
        assert_in_range(bias(&video, audio.delay), 0, 12000);
        assert_in_range(bias(&audio, audio.delay), 0, 12000);
    }
}


static void
time_stamps_that_leap_are_put_right_from_there(void **state)
{
    int                ms;
    sender_t           sender;
    cr_sender_clock_t  shared;

    (void) state;

    for (ms = 100; ms <= 1500; ms += 350) {
        begin();
        memset(&sender, 0, sizeof(sender));
        audio.jitter = MS(10);
        audio.stall_at = SECONDS(91);
        audio.stall = -MS(ms);
        run(&sender, &shared, SECONDS(180));
        assert_in_range(bias(&video, audio.delay), 0, 12000);
        assert_in_range(bias(&audio, audio.delay), 0, 12000);
    }
}


static void
what_came_before_a_pause_was_known_is_put_behind_it(void **state)
{
    bool               jumped;
    int64_t            at, media;
    unsigned           i;
    cr_sender_clock_t  shared;

    (void) state;
    begin();
    memset(&shared, 0, sizeof(shared));
    cr_track_clock_init(&audio.clock, 48000);

    /* a tab pauses for 20 s: its time stamps go on where they were */
    for (i = 0; i < 2000; i++) {
        at = START + MS(20 * i) + (i < 1000 ? 0 : SECONDS(20));
        media = cr_track_clock_map(&audio.clock, i * 960, at, &jumped);
        audio.capture[audio.nsamples] = at;
        audio.media[audio.nsamples++] = media;
        tell(&audio, &shared, at);
    }

    assert_in_range(bias(&audio, 0), 0, 2000);
}


static void
a_new_base_is_told_from_its_beginning(void **state)
{
    bool               jumped;
    int64_t            at, media;
    unsigned           i;
    cr_sender_clock_t  shared;
    const sender_t     sender = { .ppm = 0 };

    (void) state;
    begin();
    memset(&shared, 0, sizeof(shared));
    cr_track_clock_init(&audio.clock, 48000);

    /* the first packets of a new SSRC are 180 ms late; one SR in 5 s */
    for (i = 0; i < 3000; i++) {
        at = START + MS(20 * i);

        if (i == 1500) {
            cr_track_clock_restart(&audio.clock);
        }

        media = cr_track_clock_map(&audio.clock,
                                   i * 960 + (i < 1500 ? 0 : 77777777),
                                   at + (i >= 1500 && i < 1509 ? MS(180) : 0),
                                   &jumped);
        assert_int_equal(jumped, i == 1500);

        if (i % 250 == 50) {
            cr_track_clock_sr(&audio.clock, &shared,
                              ntp_time(&sender, at - START),
                              i * 960 + (i < 1500 ? 0 : 77777777), at);
        }

        audio.capture[audio.nsamples] = at;
        audio.media[audio.nsamples++] = media;
        tell(&audio, &shared, at);
    }

    assert_in_range(bias(&audio, 0), 0, 3000);

    for (i = 1; i < audio.nsamples; i++) {
        assert_true(audio.media[i] > audio.media[i - 1]);
    }
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
        cmocka_unit_test(a_step_of_the_senders_clock_moves_nothing),
        cmocka_unit_test(a_small_step_of_the_senders_clock_moves_nothing),
        cmocka_unit_test(the_era_of_ntp_ends_in_2036),
        cmocka_unit_test(time_stamps_wrap_within_ten_minutes),
        cmocka_unit_test(sound_that_stood_still_is_put_right_from_there),
        cmocka_unit_test(time_stamps_that_leap_are_put_right_from_there),
        cmocka_unit_test(what_came_before_a_pause_was_known_is_put_behind_it),
        cmocka_unit_test(a_new_base_is_told_from_its_beginning),
        cmocka_unit_test(a_new_base_of_timestamps_is_taken_at_once),
        cmocka_unit_test(silence_is_no_jump),
        cmocka_unit_test(a_pause_without_timestamps_is_a_jump),
        cmocka_unit_test(a_stall_with_a_burst_is_no_jump),
        cmocka_unit_test(packets_recovered_late_are_no_jump),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
