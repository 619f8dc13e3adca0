
/*
 * Copyright (C) The call recorder authors
 *
 * The time of a gap, where pictures do not come at even intervals.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "../heap.h"
#include "peer/peer_core.h"


static cr_peer_t        peer;
static cr_peer_track_t  track;

static unsigned         gaps;
static cr_gap_event_t   last;


static void
on_gap(void *ctx, const cr_gap_event_t *event)
{
    (void) ctx;

    last = *event;
    gaps++;
}


static void
on_frame(void *ctx, cr_frame_t *frame, int64_t arrival_us)
{
    (void) ctx;
    (void) frame;
    (void) arrival_us;
}


static void
picture(int64_t time_us, bool incomplete)
{
    cr_frame_t  frame = { 0 };

    frame.kind = CR_KIND_VIDEO;
    frame.time_us = time_us;
    frame.rtp_timestamp = (uint32_t) (time_us * 9 / 100);
    frame.incomplete = incomplete;

    cr_peer_gap_frame(&track, &frame);
    track.frames++;
}


static int
set_up(void **state)
{
    cr_media_params_t  params = { 0 };

    (void) state;

    params.kind = CR_KIND_VIDEO;
    params.codec = CR_CODEC_VP8;
    params.clock_rate = 90000;

    memset(&peer, 0, sizeof(peer));
    memset(&track, 0, sizeof(track));

    peer.handlers.gap = on_gap;
    track.peer = &peer;
    track.depay = cr_depay_create(&heap_env, &params, on_frame, NULL);
    gaps = 0;

    picture(0, false);
    picture(65000, false);

    return track.depay == NULL;
}


static int
tear_down(void **state)
{
    (void) state;

    cr_depay_destroy(track.depay);

    return 0;
}


/* Its first packets were given up before any other of it was there. */
static void
begins_with_a_broken_picture_that_was_due_later(void **state)
{
    (void) state;

    cr_peer_gap_packets(&track, 1);
    picture(98000, true);
    picture(131000, false);

    assert_int_equal(gaps, 1);
    assert_int_equal(last.from_us, 98000);
    assert_int_equal(last.to_us, 131000);
    assert_int_equal(last.packets, 1);
}


/* What is missing in between came before it. */
static void
begins_where_the_first_missing_picture_was_due(void **state)
{
    (void) state;

    cr_peer_gap_packets(&track, 4);
    picture(195000, true);
    picture(228000, false);

    assert_int_equal(gaps, 1);
    assert_int_equal(last.from_us, 130000);
    assert_int_equal(last.to_us, 228000);
    assert_int_equal(last.packets, 4);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(
            begins_with_a_broken_picture_that_was_due_later, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(
            begins_where_the_first_missing_picture_was_due, set_up,
            tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
