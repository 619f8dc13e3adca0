
/*
 * Copyright (C) The call recorder authors
 *
 * Sound with redundancy, video with parity and in layers, between a publisher
 * in memory and a peer.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "remote.h"


/* large: not for the stack */
static remote_t  r;


/* Begins with a keyframe of two temporal layers; the frame n behind the next
 * even one is lost for good. */
static void
lose_of_layers(unsigned n)
{
    r.session.media[1].ext_dependency = REMOTE_EXT_DD;
    r.session.media[1].fb_nack = false;
    r.layers = true;
    remote_connect(&r);
    r.want_keyframe = true;
    remote_run(&r, 1000000);
    assert_int_equal(r.gaps, 0);
    r.plis = 0;
    r.keyframes = 0;
    r.lose_frame = r.sent[1] / 2 * 2 + 10 + n;
    remote_run(&r, 3000000);
    assert_int_equal(r.gaps, 1);
    assert_int_equal(r.wrong, 0);
}


static void
what_nobody_needs_asks_for_no_keyframe(void **state)
{
    (void) state;

    lose_of_layers(1);
    assert_int_equal(r.plis, 0);
    assert_int_equal(r.keyframes, 0);
}


static void
what_others_need_asks_for_a_keyframe(void **state)
{
    (void) state;

    lose_of_layers(0);
    assert_true(r.plis > 0);
    assert_int_equal(r.keyframes, 1);
}


/* Sound that carries the packet before; of it, each n-th packet is lost. */
static void
lose_of_red(unsigned n, int64_t us)
{
    r.session.media[0].red_pt = REMOTE_RED_PT;
    r.red = true;
    remote_connect(&r);
    remote_run(&r, 1000000);

    r.lose_sound = n;
    remote_run(&r, us);
    r.lose_sound = 0;
    remote_run(&r, 2000000);
}


static void
sound_with_redundancy_survives_single_losses(void **state)
{
    cr_peer_stats_t  stats;

    (void) state;

    lose_of_red(5, 5000000);

    cr_peer_stats(r.peer, &stats);
    assert_true(stats.recovered >= 40);
    remote_assert_whole(&r, 3);
}


static void
what_redundancy_lacks_is_a_gap(void **state)
{
    cr_peer_stats_t  stats;

    (void) state;

    /* 200 ms of packets: the last one is in the one behind it */
    lose_of_red(1, 200000);

    cr_peer_stats(r.peer, &stats);
    assert_int_equal(r.wrong, 0);
    assert_int_equal(r.gaps, 1);
    assert_in_range(r.gap_packets, 8, 10);
    assert_int_equal(r.gap_span_us, 20000 * r.gap_packets);
    assert_int_equal(stats.given_up, r.gap_packets);
    assert_int_equal(stats.recovered, 1);
}


static void
parity(uint8_t ulpfec_pt)
{
    r.session.media[1].red_pt = REMOTE_VIDEO_RED_PT;
    r.session.media[1].red_rtx_pt = REMOTE_RED_RTX_PT;
    r.session.media[1].ulpfec_pt = ulpfec_pt;
    r.fec = true;
}


static void
video_with_parity_survives_single_losses(void **state)
{
    cr_peer_stats_t  stats;

    (void) state;

    parity(REMOTE_ULPFEC_PT);

    /* nothing is sent again */
    r.session.media[1].fb_nack = false;
    remote_connect(&r);
    remote_run(&r, 1000000);

    /* every sixth: one of a frame's at most, often the parity itself */
    r.lose_video = 6;
    remote_run(&r, 5000000);
    r.lose_video = 0;
    remote_run(&r, 1000000);

    cr_peer_stats(r.peer, &stats);
    assert_true(stats.recovered >= 50);
    assert_int_equal(stats.lost, stats.recovered);
    assert_int_equal(r.plis, 0);
    remote_assert_whole(&r, 3);
}


/* Libwebrtc protects with NACK, too, and does not repeat parity. */
static void
lost_parity_is_not_waited_for(void **state)
{
    (void) state;

    parity(REMOTE_ULPFEC_PT);
    remote_connect(&r);
    remote_run(&r, 1000000);

    r.no_rtx = true;
    r.lose_video = 6;

    while (r.sent[1] < 200) {
        remote_run(&r, 100000);
        assert_true(r.got[1] + 12 >= r.sent[1] - r.began[1]);
    }

    r.lose_video = 0;
    remote_run(&r, 1000000);
    assert_int_equal(r.plis, 0);
    remote_assert_whole(&r, 3);
}


static void
what_parity_lacks_is_repeated_or_a_gap(void **state)
{
    cr_peer_stats_t  stats;

    (void) state;

    parity(REMOTE_ULPFEC_PT);
    remote_connect(&r);
    remote_run(&r, 1000000);

    /* half of all: by RTX of RED */
    r.lose_video = 2;
    remote_run(&r, 2000000);
    r.lose_video = 0;
    remote_run(&r, 3000000);

    cr_peer_stats(r.peer, &stats);
    assert_true(stats.recovered >= 60);
    remote_assert_whole(&r, 3);

    /* and what nobody repeats is told as what it is */
    r.session.media[1].fb_nack = false;
    r.lose_video = 1;
    r.no_rtx = true;
    memset(r.history, 0, sizeof(r.history));
    remote_media(&r, 1);
    remote_media(&r, 1);
    r.lose_video = 0;
    memset(r.history, 0, sizeof(r.history));
    remote_run(&r, 4000000);

    assert_int_equal(r.wrong, 0);
    assert_int_equal(r.gaps, 1);
    assert_true(r.gap_packets > 2);
}


static void
video_in_red_needs_no_parity(void **state)
{
    (void) state;

    parity(0);
    remote_connect(&r);
    r.loss = 30;
    remote_run(&r, 3000000);
    r.loss = 0;
    remote_run(&r, 3000000);

    assert_int_equal(r.wrong, 0);
    assert_true(r.got[1] + 3 >= r.sent[1] - r.began[1]);
}


#define TEST(f)  REMOTE_TEST(f, &r, remote_setup)


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        TEST(what_nobody_needs_asks_for_no_keyframe),
        TEST(what_others_need_asks_for_a_keyframe),
        TEST(sound_with_redundancy_survives_single_losses),
        TEST(what_redundancy_lacks_is_a_gap),
        TEST(video_with_parity_survives_single_losses),
        TEST(lost_parity_is_not_waited_for),
        TEST(what_parity_lacks_is_repeated_or_a_gap),
        TEST(video_in_red_needs_no_parity)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
