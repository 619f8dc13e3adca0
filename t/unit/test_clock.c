
/*
 * Copyright (C) The call recorder authors
 *
 * Media clocks: sound against picture over minutes of drift, with the
 * corrections applied as docs/on-disk.md tells a reader to.
 */


#include "clock_sim.h"


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
    int64_t            late;
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
        late = corrected(&audio, audio.media[i]) - audio.capture[i];
        assert_in_range(late, MS(10), MS(40));
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
    cr_clock_least_shift(&shared.offset, -SECONDS(1));
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
    int64_t            late;
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
        late = corrected(&audio, audio.media[i]) - audio.capture[i];
        assert_in_range(late, MS(15), MS(30));
    }

    assert_in_range(worst(), 0, 10000);
}


static void
drift_is_told_in_parts_per_million(void **state)
{
    sender_t           sender;
    cr_sender_clock_t  shared;

    (void) state;
    begin();
    memset(&sender, 0, sizeof(sender));
    audio.ppm = 100;
    video.ppm = -60;
    run(&sender, &shared, SECONDS(600));

    /* a clock that is fast makes media time go too fast */
    assert_in_range(audio.events[audio.nevents - 1].drift_ppb + 1000000,
                    1000000 - 110000, 1000000 - 90000);
    assert_in_range(video.events[video.nevents - 1].drift_ppb + 1000000,
                    1000000 + 50000, 1000000 + 70000);
    /* and once known it need not be told again */
    assert_in_range(audio.nevents, 1, 20);
    assert_in_range(video.nevents, 1, 20);
}


static void
what_is_learnt_late_is_said_of_the_beginning(void **state)
{
    sender_t           sender;
    cr_sender_clock_t  shared;

    (void) state;
    begin();
    seed = 7;
    memset(&sender, 0, sizeof(sender));
    /* a queue from the start on: all comes late, and nobody knows */
    sender.queue_from = 0;
    sender.queue_to = SECONDS(12);
    sender.queue = MS(250);
    run(&sender, &shared, SECONDS(60));
    assert_in_range(bias(&audio, audio.delay), 0, 12000);
    assert_in_range(bias(&video, audio.delay), 0, 12000);
}


static void
capture_times_do_without_sender_reports(void **state)
{
    int64_t            capturer;
    sender_t           sender;
    cr_sender_clock_t  shared;

    (void) state;

    /* the capturer's clock may be another one than the sender's */
    for (capturer = -SECONDS(7200); capturer <= SECONDS(7200);
         capturer += SECONDS(7200))
    {
        begin();
        memset(&sender, 0, sizeof(sender));
        sender.capturer = capturer;
        audio.ppm = 100;
        audio.stamped = true;
        video.ppm = -100;
        video.stamped = true;
        video.sr_first = 0;

        /* it counts where there are reports as well, which may lie */
        audio.sr_first = capturer == 0 ? 0 : MS(2500);

        run(&sender, &shared, SECONDS(300));
        assert_true(audio.events[0].from_sr && video.events[0].from_sr);
        assert_in_range(worst(), 0, 10000);
        assert_in_range(bias(&audio, audio.delay), 0, 12000);
    }
}


static void
a_capture_time_that_is_none_is_ignored(void **state)
{
    bool               jumped;
    size_t             len;
    uint8_t            data[20];
    cr_slice_t         value = { data, 0 };
    cr_track_clock_t   c;
    cr_sender_clock_t  shared;

    (void) state;
    memset(data, 1, sizeof(data));
    memset(&shared, 0, sizeof(shared));
    cr_track_clock_init(&c, 90000);
    value.len = 8;
    cr_track_clock_capture(&c, &shared, &value, 0, START);
    assert_false(shared.offset.known);
    cr_track_clock_map(&c, 0, START, &jumped);

    for (len = 0; len <= sizeof(data); len++) {
        value.len = len;

        if (len != 8 && len != 16) {
            cr_track_clock_capture(&c, &shared, &value, 0, START);
            assert_false(shared.offset.known);
        }
    }

    value.len = 8;
    memset(data, 0, sizeof(data));
    cr_track_clock_capture(&c, &shared, &value, 0, START);
    assert_false(shared.offset.known);
    data[0] = 1;
    cr_track_clock_capture(&c, &shared, &value, 0, START);
    assert_true(shared.offset.known);
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
    assert_false(shared.offset.known);
    cr_track_clock_map(&c, 0, START, &jumped);
    cr_track_clock_sr(&c, &shared, 0, 0, START);
    assert_false(shared.offset.known);
    cr_track_clock_sr(&c, &shared, (uint64_t) 5 << 32, 900000, START);
    assert_false(shared.offset.known);
    cr_track_clock_sr(&c, &shared, (uint64_t) 5 << 32, 900, START + MS(10));
    assert_true(shared.offset.known);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(sound_and_picture_stay_together_for_ten_minutes),
        cmocka_unit_test(media_time_stays_near_the_truth),
        cmocka_unit_test(first_events_wait_for_all_tracks_but_not_for_ever),
        cmocka_unit_test(without_reports_the_least_delay_counts),
        cmocka_unit_test(drift_is_told_in_parts_per_million),
        cmocka_unit_test(what_is_learnt_late_is_said_of_the_beginning),
        cmocka_unit_test(capture_times_do_without_sender_reports),
        cmocka_unit_test(a_capture_time_that_is_none_is_ignored),
        cmocka_unit_test(a_report_of_another_base_is_not_believed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
