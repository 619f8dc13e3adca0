
/*
 * Copyright (C) The call recorder authors
 *
 * Where chunks begin.
 */


#include "chunk/chunk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>


#define MS      1000
#define SECOND  1000000


static cr_chunk_action_e
video(cr_chunk_policy_t *p, int64_t time_us, bool keyframe)
{
    cr_frame_t  frame = {
        .kind = CR_KIND_VIDEO, .codec = CR_CODEC_VP8, .keyframe = keyframe,
        .time_us = time_us, .width = keyframe ? 640 : 0,
        .height = keyframe ? 480 : 0
    };

    return cr_chunk_policy_frame(p, &frame);
}


static cr_chunk_action_e
audio(cr_chunk_policy_t *p, int64_t time_us)
{
    cr_frame_t  frame = {
        .kind = CR_KIND_AUDIO, .codec = CR_CODEC_OPUS, .keyframe = true,
        .time_us = time_us
    };

    return cr_chunk_policy_frame(p, &frame);
}


static void
a_chunk_is_cut_on_a_keyframe_and_on_nothing_else(void **state)
{
    int64_t            t;
    cr_chunk_policy_t  p;

    (void) state;
    cr_chunk_policy_init(&p, 5 * SECOND, true);

    assert_int_equal(video(&p, 0, true), CR_CHUNK_OPEN);

    for (t = 40 * MS; t < 9 * SECOND; t += 40 * MS) {
        assert_int_equal(video(&p, t, false), CR_CHUNK_APPEND);
        assert_int_equal(audio(&p, t), CR_CHUNK_APPEND);
    }

    assert_int_equal(video(&p, 9 * SECOND, true), CR_CHUNK_OPEN);
    assert_int_equal(p.opened_us, 9 * SECOND);
}


static void
a_turned_picture_wants_a_chunk_of_its_own(void **state)
{
    cr_frame_t         frame = {
        .kind = CR_KIND_VIDEO, .codec = CR_CODEC_VP8, .rotation = 90
    };
    cr_chunk_policy_t  p;

    (void) state;
    cr_chunk_policy_init(&p, 5 * SECOND, true);

    assert_int_equal(video(&p, 0, true), CR_CHUNK_OPEN);
    assert_false(cr_chunk_policy_wants_keyframe(&p, 1000 * MS));

    /* there is no keyframe yet to begin it with */
    frame.time_us = 1040 * MS;
    assert_int_equal(cr_chunk_policy_frame(&p, &frame), CR_CHUNK_APPEND);
    assert_true(cr_chunk_policy_wants_keyframe(&p, 1040 * MS));

    frame.time_us = 1080 * MS;
    frame.keyframe = true;
    frame.width = 640;
    frame.height = 480;
    assert_int_equal(cr_chunk_policy_frame(&p, &frame), CR_CHUNK_OPEN);

    /* the same again cuts nothing */
    frame.time_us = 2080 * MS;
    assert_int_equal(cr_chunk_policy_frame(&p, &frame), CR_CHUNK_APPEND);
    assert_false(cr_chunk_policy_wants_keyframe(&p, 2080 * MS));
}


static void
a_keyframe_in_mid_chunk_does_not_cut(void **state)
{
    cr_chunk_policy_t  p;

    (void) state;
    cr_chunk_policy_init(&p, 5 * SECOND, true);

    video(&p, 0, true);
    assert_int_equal(video(&p, 2 * SECOND, true), CR_CHUNK_APPEND);

    /* but the one that was asked for ahead of the boundary does */
    assert_int_equal(video(&p, 4699 * MS, true), CR_CHUNK_APPEND);
    assert_int_equal(video(&p, 4700 * MS, true), CR_CHUNK_OPEN);
}


static void
a_keyframe_is_asked_for_ahead_and_again(void **state)
{
    cr_chunk_policy_t  p;

    (void) state;
    cr_chunk_policy_init(&p, 5 * SECOND, true);

    /* at once, until there is one */
    assert_true(cr_chunk_policy_wants_keyframe(&p, 100 * MS));
    assert_false(cr_chunk_policy_wants_keyframe(&p, 1099 * MS));
    assert_true(cr_chunk_policy_wants_keyframe(&p, 1100 * MS));

    video(&p, 1200 * MS, true);
    assert_false(cr_chunk_policy_wants_keyframe(&p, 1200 * MS));

    /* the boundary is at 6.2 s */
    assert_false(cr_chunk_policy_wants_keyframe(&p, 5899 * MS));
    assert_true(cr_chunk_policy_wants_keyframe(&p, 5900 * MS));
    assert_false(cr_chunk_policy_wants_keyframe(&p, 6899 * MS));
    assert_true(cr_chunk_policy_wants_keyframe(&p, 6900 * MS));

    video(&p, 7 * SECOND, true);
    assert_false(cr_chunk_policy_wants_keyframe(&p, 8 * SECOND));

    /* media time may be ahead of ours */
    video(&p, 12000 * MS, true);
    video(&p, 16690 * MS, false);
    assert_false(cr_chunk_policy_wants_keyframe(&p, 14000 * MS));
    video(&p, 16700 * MS, false);
    assert_true(cr_chunk_policy_wants_keyframe(&p, 14010 * MS));
}


static void
a_short_chunk_has_a_shorter_lead(void **state)
{
    cr_chunk_policy_t  p;

    (void) state;
    cr_chunk_policy_init(&p, 200 * MS, true);

    video(&p, SECOND, true);
    assert_false(cr_chunk_policy_wants_keyframe(&p, 1099 * MS));
    assert_true(cr_chunk_policy_wants_keyframe(&p, 1100 * MS));
    assert_int_equal(video(&p, 1050 * MS, true), CR_CHUNK_APPEND);
    assert_int_equal(video(&p, 1100 * MS, true), CR_CHUNK_OPEN);
}


static void
sound_alone_is_cut_on_time(void **state)
{
    cr_chunk_policy_t  p;

    (void) state;
    cr_chunk_policy_init(&p, 5 * SECOND, false);

    assert_false(cr_chunk_policy_wants_keyframe(&p, 10 * SECOND));
    assert_int_equal(audio(&p, 0), CR_CHUNK_OPEN);
    assert_int_equal(audio(&p, 4980 * MS), CR_CHUNK_APPEND);
    assert_int_equal(audio(&p, 5000 * MS), CR_CHUNK_OPEN);
    assert_int_equal(audio(&p, 5020 * MS), CR_CHUNK_APPEND);
    assert_false(cr_chunk_policy_wants_keyframe(&p, 10 * SECOND));
}


static void
sound_waits_a_second_for_the_first_keyframe(void **state)
{
    cr_chunk_policy_t  p;

    (void) state;
    cr_chunk_policy_init(&p, 5 * SECOND, true);

    assert_int_equal(audio(&p, 100 * MS), CR_CHUNK_WAIT);
    assert_int_equal(video(&p, 200 * MS, false), CR_CHUNK_WAIT);
    assert_int_equal(audio(&p, 1099 * MS), CR_CHUNK_WAIT);
    assert_int_equal(video(&p, 1099 * MS, true), CR_CHUNK_OPEN);
    assert_int_equal(audio(&p, 1119 * MS), CR_CHUNK_APPEND);
}


static void
a_keyframe_ends_a_chunk_of_sound_alone(void **state)
{
    cr_chunk_policy_t  p;

    (void) state;
    cr_chunk_policy_init(&p, 5 * SECOND, true);

    assert_int_equal(audio(&p, 100 * MS), CR_CHUNK_WAIT);
    assert_int_equal(audio(&p, 1100 * MS), CR_CHUNK_OPEN);
    assert_false(p.with_video);
    assert_int_equal(audio(&p, 1120 * MS), CR_CHUNK_APPEND);

    assert_true(cr_chunk_policy_wants_keyframe(&p, 1200 * MS));
    assert_int_equal(video(&p, 1300 * MS, false), CR_CHUNK_WAIT);
    assert_int_equal(video(&p, 1400 * MS, true), CR_CHUNK_OPEN);
    assert_true(p.with_video);
}


static void
sound_goes_on_alone_when_video_has_stopped(void **state)
{
    cr_chunk_policy_t  p;

    (void) state;
    cr_chunk_policy_init(&p, 5 * SECOND, true);

    video(&p, 0, true);
    video(&p, 4 * SECOND, false);

    assert_int_equal(audio(&p, 14980 * MS), CR_CHUNK_APPEND);
    assert_int_equal(audio(&p, 15000 * MS), CR_CHUNK_OPEN);
    assert_false(p.with_video);

    /* and is cut on time, until a keyframe comes */
    assert_int_equal(audio(&p, 19980 * MS), CR_CHUNK_APPEND);
    assert_int_equal(audio(&p, 20000 * MS), CR_CHUNK_OPEN);
    assert_int_equal(video(&p, 20100 * MS, true), CR_CHUNK_OPEN);
}


static void
pictures_that_wait_for_a_lost_packet_keep_their_chunk(void **state)
{
    cr_chunk_policy_t  p;

    (void) state;
    cr_chunk_policy_init(&p, 2 * SECOND, true);

    video(&p, 0, true);
    video(&p, 300 * MS, false);

    /* sound goes on; pictures come after the chunk's time, and late */
    assert_int_equal(audio(&p, 2320 * MS), CR_CHUNK_APPEND);
    assert_int_equal(audio(&p, 4000 * MS), CR_CHUNK_APPEND);
    assert_int_equal(video(&p, 333 * MS, false), CR_CHUNK_APPEND);
    assert_int_equal(video(&p, 2100 * MS, true), CR_CHUNK_OPEN);
    assert_int_equal(audio(&p, 4020 * MS), CR_CHUNK_APPEND);
}


static void
a_change_of_the_picture_opens_at_once(void **state)
{
    uint8_t            config[2][4] = { { 1, 2, 3, 4 }, { 1, 2, 3, 5 } };
    cr_frame_t         frame;
    cr_chunk_policy_t  p;

    (void) state;
    cr_chunk_policy_init(&p, 5 * SECOND, true);

    frame = (cr_frame_t) {
        .kind = CR_KIND_VIDEO, .codec = CR_CODEC_H264, .keyframe = true,
        .width = 640, .height = 480, .config = config[0], .config_size = 4
    };

    assert_int_equal(cr_chunk_policy_frame(&p, &frame), CR_CHUNK_OPEN);
    assert_int_equal(cr_chunk_policy_frame(&p, &frame), CR_CHUNK_APPEND);

    frame.width = 320;
    assert_int_equal(cr_chunk_policy_frame(&p, &frame), CR_CHUNK_OPEN);

    frame.height = 240;
    assert_int_equal(cr_chunk_policy_frame(&p, &frame), CR_CHUNK_OPEN);

    frame.config = config[1];
    assert_int_equal(cr_chunk_policy_frame(&p, &frame), CR_CHUNK_OPEN);

    frame.config_size = 3;
    assert_int_equal(cr_chunk_policy_frame(&p, &frame), CR_CHUNK_OPEN);

    frame.codec = CR_CODEC_VP8;
    assert_int_equal(cr_chunk_policy_frame(&p, &frame), CR_CHUNK_OPEN);
    assert_int_equal(cr_chunk_policy_frame(&p, &frame), CR_CHUNK_APPEND);
}


static void
a_change_without_a_whole_keyframe_asks_for_one(void **state)
{
    uint8_t            config[2][4] = { { 1, 2, 3, 4 }, { 1, 2, 3, 5 } };
    cr_frame_t         frame;
    cr_chunk_policy_t  p;

    (void) state;
    cr_chunk_policy_init(&p, 5 * SECOND, true);

    frame = (cr_frame_t) {
        .kind = CR_KIND_VIDEO, .codec = CR_CODEC_H264, .keyframe = true,
        .width = 640, .height = 480, .config = config[0], .config_size = 4
    };

    assert_int_equal(cr_chunk_policy_frame(&p, &frame), CR_CHUNK_OPEN);
    assert_false(cr_chunk_policy_wants_keyframe(&p, SECOND));

    /* a keyframe that lacks packets is no place to begin */
    frame.width = 320;
    frame.incomplete = true;
    frame.time_us = SECOND;
    assert_int_equal(cr_chunk_policy_frame(&p, &frame), CR_CHUNK_APPEND);
    assert_true(cr_chunk_policy_wants_keyframe(&p, SECOND));

    frame.incomplete = false;
    assert_int_equal(cr_chunk_policy_frame(&p, &frame), CR_CHUNK_OPEN);
    assert_false(cr_chunk_policy_wants_keyframe(&p, 2 * SECOND));

    /* nor is a frame in the middle with new parameters */
    frame.keyframe = false;
    frame.width = 0;
    frame.height = 0;
    frame.config = config[1];
    assert_int_equal(cr_chunk_policy_frame(&p, &frame), CR_CHUNK_APPEND);
    assert_true(cr_chunk_policy_wants_keyframe(&p, 3 * SECOND));
}


static void
another_track_s_change_cuts_with_the_next_keyframe(void **state)
{
    cr_chunk_policy_t  p;

    (void) state;
    cr_chunk_policy_init(&p, 5 * SECOND, true);

    video(&p, 0, true);
    assert_false(cr_chunk_policy_wants_keyframe(&p, SECOND));

    p.changed = true;
    assert_true(cr_chunk_policy_wants_keyframe(&p, SECOND));
    assert_int_equal(video(&p, 1100 * MS, false), CR_CHUNK_APPEND);
    assert_int_equal(video(&p, 1200 * MS, true), CR_CHUNK_OPEN);
    assert_false(cr_chunk_policy_wants_keyframe(&p, 2 * SECOND));
}


static void
a_keyframe_that_lacks_packets_begins_nothing(void **state)
{
    cr_frame_t         frame;
    cr_chunk_policy_t  p;

    (void) state;
    cr_chunk_policy_init(&p, 5 * SECOND, true);

    frame = (cr_frame_t) {
        .kind = CR_KIND_VIDEO, .codec = CR_CODEC_VP8, .keyframe = true,
        .incomplete = true, .width = 640, .height = 480
    };

    assert_int_equal(cr_chunk_policy_frame(&p, &frame), CR_CHUNK_WAIT);

    video(&p, 0, true);
    frame.time_us = 6 * SECOND;
    assert_int_equal(cr_chunk_policy_frame(&p, &frame), CR_CHUNK_APPEND);
    assert_int_equal(p.opened_us, 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(a_chunk_is_cut_on_a_keyframe_and_on_nothing_else),
        cmocka_unit_test(a_turned_picture_wants_a_chunk_of_its_own),
        cmocka_unit_test(a_keyframe_in_mid_chunk_does_not_cut),
        cmocka_unit_test(a_keyframe_is_asked_for_ahead_and_again),
        cmocka_unit_test(a_short_chunk_has_a_shorter_lead),
        cmocka_unit_test(sound_alone_is_cut_on_time),
        cmocka_unit_test(sound_waits_a_second_for_the_first_keyframe),
        cmocka_unit_test(a_keyframe_ends_a_chunk_of_sound_alone),
        cmocka_unit_test(sound_goes_on_alone_when_video_has_stopped),
        cmocka_unit_test(
            pictures_that_wait_for_a_lost_packet_keep_their_chunk),
        cmocka_unit_test(a_change_of_the_picture_opens_at_once),
        cmocka_unit_test(a_change_without_a_whole_keyframe_asks_for_one),
        cmocka_unit_test(another_track_s_change_cuts_with_the_next_keyframe),
        cmocka_unit_test(a_keyframe_that_lacks_packets_begins_nothing)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
