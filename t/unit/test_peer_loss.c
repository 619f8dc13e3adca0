
/*
 * Copyright (C) The call recorder authors
 *
 * What a peer does about packets that are lost: known ones, so that what it
 * asks for and what it says of them can be compared exactly.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "remote.h"


/* large: not for the stack */
static remote_t  r;

/* Lost of video: numbers from 0 at the first that was sent, up to before. */
static struct {
    unsigned  from;
    unsigned  to;
    bool      for_good;
} lost;

static uint16_t  first_seq;


static int
setup(void **state)
{
    (void) remote_setup(state);
    memset(&lost, 0, sizeof(lost));
    first_seq = r.seq[1];

    return 0;
}


static bool
lose(remote_t *remote, unsigned video, uint16_t seq, bool again)
{
    unsigned  n = (uint16_t) (seq - first_seq);

    (void) remote;

    return video && n >= lost.from && n < lost.to
           && (!again || lost.for_good);
}


static void
the_first_packets_are_asked_for_backwards(void **state)
{
    cr_peer_stats_t  stats;

    (void) state;

    /* several frames with their keyframe, more than are asked for at once */
    lost.to = 40;
    r.lose = lose;
    remote_connect(&r);
    remote_run(&r, 5000000);

    cr_peer_stats(r.peer, &stats);
    assert_int_equal(r.wrong, 0);
    assert_int_equal(r.incomplete, 0);
    assert_int_equal(r.gaps, 0);
    assert_true(r.got[1] + 2 >= r.sent[1] - r.began[1]);
    assert_int_equal(stats.lost, 40);
    assert_int_equal(stats.recovered, 40);
    assert_int_equal(stats.given_up, 0);

    /* a keyframe was asked for beside them, once */
    assert_int_equal(r.plis, 1);

    /* and media time begins where the sender's did, not with the answers */
    assert_true(llabs(r.first_us[1] - r.first_us[0]) < 60000);
}


static void
first_packets_that_are_gone_cost_a_second(void **state)
{
    cr_peer_stats_t  stats;

    (void) state;

    lost.to = 40;
    lost.for_good = true;
    r.lose = lose;
    remote_connect(&r);
    remote_run(&r, 900000);
    assert_int_equal(r.got[1], 0);
    assert_int_equal(r.plis, 1);

    remote_run(&r, 600000);
    assert_true(r.got[1] > 10);
    assert_int_equal(r.plis, 1);
    assert_int_equal(r.keyframes, 1);

    cr_peer_stats(r.peer, &stats);
    assert_int_equal(stats.lost, 0);
    assert_in_range(r.nacks, 16 * 7, 16 * 18);
    assert_int_equal(r.gaps, 0);
}


static void
a_stream_that_begins_with_a_keyframe_is_asked_for_nothing(void **state)
{
    (void) state;

    remote_connect(&r);
    remote_run(&r, 40000);
    assert_true(r.got[1] >= 1);
    remote_run(&r, 1000000);
    assert_int_equal(r.nacks, 0);
    assert_int_equal(r.plis, 0);
}


/* Browsers say it by XR, though nothing is lost. */
static void
the_round_trip_is_known_without_loss(void **state)
{
    cr_peer_stats_t  stats;

    (void) state;

    r.xr = true;
    r.delay_us = 70000;
    remote_connect(&r);
    remote_run(&r, 3000000);
    cr_peer_stats(r.peer, &stats);
    assert_int_equal(stats.nacks, 0);
    assert_in_range(stats.rtt_us, 138000, 144000);

    r.delay_us = 20000;
    remote_run(&r, 10000000);
    cr_peer_stats(r.peer, &stats);
    assert_in_range(stats.rtt_us, 38000, 44000);
}


static void
remb_follows_what_the_network_bears(void **state)
{
    uint64_t  low;

    (void) state;

    r.session.media[0].fb_twcc = false;
    r.session.media[1].fb_twcc = false;
    r.session.media[1].fb_remb = true;
    remote_connect(&r);
    remote_run(&r, 5000000);
    assert_int_equal(r.remb_bitrate, r.config.max_bitrate);

    /* some chance loss changes nothing */
    r.loss = 10;
    remote_run(&r, 5000000);
    assert_int_equal(r.remb_bitrate, r.config.max_bitrate);

    /* a third is lost: less than what arrives, about 0.5 Mbit/s */
    r.loss = 330;
    remote_run(&r, 5000000);
    low = r.remb_bitrate;
    assert_in_range(low, 100000, 500000);

    /* and again up to what is configured, in half a minute */
    r.loss = 0;
    remote_run(&r, 10000000);
    assert_true(r.remb_bitrate > low * 3 / 2);
    remote_run(&r, 40000000);
    assert_int_equal(r.remb_bitrate, r.config.max_bitrate);
}


/* Nobody answers: what is asked for must be bounded in number and time. */
static void
nacks_are_bounded_however_much_is_lost(void **state)
{
    cr_peer_stats_t  before, after;

    (void) state;

    remote_connect(&r);
    remote_run(&r, 1000000);
    cr_peer_stats(r.peer, &before);

    /* 120 packets, for good */
    first_seq = r.seq[1];
    lost.to = 120;
    lost.for_good = true;
    r.lose = lose;
    remote_run(&r, 6000000);
    cr_peer_stats(r.peer, &after);

    /* once in 1.25 round trips, of 100 ms until one is known, for 2 s */
    assert_int_equal(after.given_up, 120);
    assert_in_range(after.nacks - before.nacks, 120 * 12, 120 * 17);
    assert_int_equal(r.nacks, after.nacks);
}


static void
a_list_of_missing_packets_has_an_end(void **state)
{
    cr_peer_stats_t  stats;

    (void) state;

    r.config.nack_list = 50;
    remote_connect(&r);
    remote_run(&r, 1000000);

    first_seq = r.seq[1];
    lost.to = 120;
    r.lose = lose;
    remote_run(&r, 3000000);
    cr_peer_stats(r.peer, &stats);

    /* the oldest are given up at once, the others are asked for */
    assert_int_equal(stats.given_up, 120 - 50);
    assert_int_equal(stats.recovered, 50);
    assert_int_equal(r.gap_packets, 120 - 50);
}


/* Sent are about 560 kbit/s, whatever is told. */
static void
remb_tells_of_a_queue(bool send_time)
{
    unsigned  told;

    r.session.media[0].fb_twcc = false;
    r.session.media[1].fb_twcc = false;
    r.session.media[1].fb_remb = true;

    if (send_time) {
        r.send_time = true;
        r.session.media[0].ext_abs_send_time = REMOTE_EXT_TIME;
        r.session.media[1].ext_abs_send_time = REMOTE_EXT_TIME;
    }

    /* over the wrap of the 6 bits of seconds */
    remote_connect(&r);
    remote_run(&r, 70000000);
    assert_int_equal(r.remb_bitrate, r.config.max_bitrate);
    assert_int_equal(r.wrong, 0);
    told = r.rembs;

    r.rate = 400000;

    while (r.rembs == told || r.remb_bitrate == r.config.max_bitrate) {
        remote_run(&r, 10000);
        assert_int_equal(r.overflowed, 0);
    }

    /* 85 % of what came in 0.7 s, of pictures from 200 bytes to 4200 */
    assert_in_range(r.remb_bitrate, 200000, 500000);
}


static void
remb_by_time_stamps_tells_of_a_queue_before_it_is_full(void **state)
{
    (void) state;
    remb_tells_of_a_queue(false);
}


static void
remb_by_send_times_tells_of_a_queue_before_it_is_full(void **state)
{
    (void) state;
    remb_tells_of_a_queue(true);
}


/* A second's worth is lost for good, again and again. */
static void
keyframes_are_asked_for_on_giving_up_and_not_before(void **state)
{
    unsigned  i;

    (void) state;

    remote_connect(&r);
    remote_run(&r, 1000000);
    r.lose = lose;
    lost.for_good = true;

    for (i = 0; i < 3; i++) {
        first_seq = r.seq[1];
        lost.to = 60;
        remote_run(&r, 1900000);
        assert_int_equal(r.plis, i);
        remote_run(&r, 2100000);
        assert_int_equal(r.plis, i + 1);
    }

    /* losses close together share one: the floor is half a second */
    r.plis = 0;
    first_seq = r.seq[1];
    lost.to = 1;
    remote_run(&r, 200000);
    first_seq = r.seq[1];
    remote_run(&r, 200000);
    first_seq = r.seq[1];
    remote_run(&r, 4000000);
    assert_in_range(r.plis, 1, 2);
    assert_int_equal(r.wrong, 0);
}


/* A browser that has a keyframe to send throws away the repetitions that it has
 * not sent yet: where there is time, they go first. */
static void
keyframes_that_can_wait_are_asked_for_when_nothing_is_missing(void **state)
{
    unsigned  next;

    (void) state;

    r.lose = lose;
    r.xr = true;
    r.config.give_up_us = 20000000;
    remote_connect(&r);
    remote_run(&r, 1000000);
    cr_peer_request_keyframe(r.peer, 1, true, r.now_us);
    remote_run(&r, 100000);
    assert_int_equal(r.plis, 1);

    /* some are missing, and do not come */
    remote_run(&r, 1000000);
    next = (uint16_t) (r.seq[1] - first_seq);
    lost.from = next;
    lost.to = next + 5;
    lost.for_good = true;
    remote_run(&r, 500000);
    assert_true(r.nacks > 5);
    cr_peer_request_keyframe(r.peer, 1, true, r.now_us);
    remote_run(&r, 1000000);
    cr_peer_request_keyframe(r.peer, 1, true, r.now_us);
    remote_run(&r, 500000);
    assert_int_equal(r.plis, 1);

    /* now they do */
    lost.for_good = false;
    remote_run(&r, 300000);
    assert_int_equal(r.plis, 2);
    assert_int_equal(r.gaps, 0);

    /* patience ends */
    remote_run(&r, 3000000);
    next = (uint16_t) (r.seq[1] - first_seq);
    lost.from = next;
    lost.to = next + 5;
    lost.for_good = true;
    remote_run(&r, 500000);
    cr_peer_request_keyframe(r.peer, 1, true, r.now_us);
    remote_run(&r, CR_PEER_STUCK_US - 50000);
    assert_int_equal(r.plis, 2);
    remote_run(&r, 150000);
    assert_int_equal(r.plis, 3);

    /* and whoever has none does not wait for who has */
    remote_run(&r, 1000000);
    cr_peer_request_keyframe(r.peer, 1, true, r.now_us);
    remote_run(&r, 100000);
    assert_int_equal(r.plis, 3);
    cr_peer_request_keyframe(r.peer, 1, false, r.now_us);
    remote_run(&r, 100000);
    assert_int_equal(r.plis, 4);
    assert_int_equal(r.gaps, 0);
}


static void
keyframes_wait_less_for_what_was_hardly_asked_for(void **state)
{
    unsigned  next;

    (void) state;

    r.lose = lose;
    r.config.give_up_us = 20000000;
    r.config.nack_interval_us = 700000;
    remote_connect(&r);
    remote_run(&r, 1000000);
    next = (uint16_t) (r.seq[1] - first_seq);
    lost.from = next;
    lost.to = next + 5;
    lost.for_good = true;
    remote_run(&r, 100000);
    cr_peer_request_keyframe(r.peer, 1, true, r.now_us);
    remote_run(&r, CR_PEER_PATIENCE_US - 50000);
    assert_int_equal(r.plis, 0);
    remote_run(&r, 100000);
    assert_int_equal(r.plis, 1);
    assert_int_equal(r.gaps, 0);
}


/* The next picture of several packets is cut; runs until it was sent. */
static void
cut_a_picture(void)
{
    uint8_t  buf[8192];

    r.cut_frame = r.sent[1] + 1;

    while (remote_frame(1, r.cut_frame, false, buf) <= REMOTE_CHUNK) {
        r.cut_frame++;
    }

    while (r.sent[1] <= r.cut_frame) {
        remote_run(&r, 1000);
    }
}


/* As browsers do in front of a keyframe; no number is missing. */
static void
a_picture_that_its_sender_gave_up_is_a_gap(void **state)
{
    unsigned         keyframes;
    cr_peer_stats_t  stats;

    (void) state;

    remote_connect(&r);
    remote_run(&r, 1000000);
    keyframes = r.keyframes;

    cut_a_picture();
    r.want_keyframe = true;
    remote_run(&r, 1000000);

    assert_int_equal(r.wrong, 0);
    assert_int_equal(r.incomplete, 1);
    assert_int_equal(r.gaps, 1);
    assert_int_equal(r.gap[0].packets, 0);
    assert_in_range(r.gap[0].to_us - r.gap[0].from_us, 30000, 40000);

    /* none was asked for: it came by itself */
    assert_int_equal(r.plis, 0);
    assert_int_equal(r.keyframes, keyframes + 1);

    /* without a keyframe behind it one is asked for */
    cut_a_picture();
    remote_run(&r, 1000000);
    assert_int_equal(r.incomplete, 2);
    assert_int_equal(r.gaps, 2);
    assert_int_equal(r.plis, 1);
    assert_int_equal(r.keyframes, keyframes + 2);

    cr_peer_stats(r.peer, &stats);
    assert_int_equal(stats.lost, 0);
}


static void
a_long_way_is_waited_for_longer(void **state)
{
    cr_peer_stats_t  stats;

    (void) state;

    r.delay_us = 200000;
    remote_connect(&r);
    r.loss = 20;
    remote_run(&r, 20000000);
    r.loss = 0;
    remote_run(&r, 4000000);
    cr_peer_stats(r.peer, &stats);
    assert_true(stats.rtt_us > 300000);

    /* twenty round trips are more than the 2 s that are configured */
    first_seq = r.seq[1];
    lost.to = 1;
    lost.for_good = true;
    r.lose = lose;
    r.gaps = 0;
    remote_run(&r, 2600000);
    lost.for_good = false;
    remote_run(&r, 2000000);
    assert_int_equal(r.gaps, 0);
}


/* Neither side said anything of NACK for sound; libwebrtc answers it. */
static void
sound_is_asked_for_though_nobody_offered_it(void **state)
{
    (void) state;

    assert_false(r.session.media[0].fb_nack);

    r.lose_sound = 10;
    r.repeat_sound = true;
    r.delay_us = 150000;
    remote_connect(&r);
    remote_run(&r, 20000000);

    assert_in_range(r.sound_nacks, 90, 130);
    assert_int_equal(r.gaps, 0);
    assert_int_equal(r.incomplete, 0);
    assert_int_equal(r.wrong, 0);
    assert_true(r.got[0] + 40 >= r.sent[0] - r.began[0]);
}


static void
sound_that_nobody_repeats_is_asked_for_no_more(void **state)
{
    unsigned  nacks;

    (void) state;

    r.lose_sound = 10;
    remote_connect(&r);
    remote_run(&r, 5000000);
    nacks = r.sound_nacks;
    assert_in_range(nacks, 16, 400);
    assert_true(r.gaps >= 15);

    /* and what is behind a hole is not held back for long */
    r.off_us = 0;
    remote_run(&r, 20000000);
    assert_int_equal(r.sound_nacks, nacks);
    assert_true(r.off_us < 250000 + 2 * r.delay_us);
    assert_int_equal(r.wrong, 0);
}


int
main(void)
{
#define TEST(f)  REMOTE_TEST(f, &r, setup)

    const struct CMUnitTest  tests[] = {
        TEST(the_first_packets_are_asked_for_backwards),
        TEST(first_packets_that_are_gone_cost_a_second),
        TEST(a_stream_that_begins_with_a_keyframe_is_asked_for_nothing),
        TEST(nacks_are_bounded_however_much_is_lost),
        TEST(a_list_of_missing_packets_has_an_end),
        TEST(keyframes_are_asked_for_on_giving_up_and_not_before),
        TEST(keyframes_that_can_wait_are_asked_for_when_nothing_is_missing),
        TEST(keyframes_wait_less_for_what_was_hardly_asked_for),
        TEST(a_picture_that_its_sender_gave_up_is_a_gap),
        TEST(a_long_way_is_waited_for_longer),
        TEST(the_round_trip_is_known_without_loss),
        TEST(sound_is_asked_for_though_nobody_offered_it),
        TEST(sound_that_nobody_repeats_is_asked_for_no_more),
        TEST(remb_follows_what_the_network_bears),
        TEST(remb_by_time_stamps_tells_of_a_queue_before_it_is_full),
        TEST(remb_by_send_times_tells_of_a_queue_before_it_is_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
