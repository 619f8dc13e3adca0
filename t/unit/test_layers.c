
/*
 * Copyright (C) The call recorder authors
 *
 * Which layer is taken as layers come and go.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "chunk/layers.h"


#define FRAME_US  40000
#define LATE_US   3600000000        /* since layers were heard of first */


static cr_layers_t  l;
static int64_t      now;
static bool         sends[CR_LAYER_MAX];
static int64_t      heard[CR_LAYER_MAX];
static int          took;           /* over, with the last frame */


static int
setup(void **state)
{
    unsigned  i;

    (void) state;

    cr_layers_init(&l, 3);
    now = 5000000;
    took = -1;

    for (i = 0; i < CR_LAYER_MAX; i++) {
        sends[i] = true;
        heard[i] = INT64_MIN;
    }

    return 0;
}


/* A frame of a layer, 320 * (layer + 1) wide. */
static bool
frame(unsigned layer, bool key)
{
    bool        taken;
    unsigned    i;
    cr_frame_t  f = {
        .kind = CR_KIND_VIDEO, .keyframe = key,
        .width = key ? (uint16_t) (320 * (layer + 1)) : 0,
        .height = key ? (uint16_t) (180 * (layer + 1)) : 0
    };

    heard[layer] = now;

    for (i = 0; i < l.n; i++) {
        cr_layers_heard(&l, i, heard[i]);
    }

    taken = cr_layers_frame(&l, layer, &f, now);

    if (taken) {
        took = (int) layer;
    }

    return taken;
}


/* Frames of all that send; each keyframe that is wanted comes. */
static void
run(int64_t us)
{
    int       wanted;
    int64_t   until;
    unsigned  i;

    for (until = now + us; now < until; now += FRAME_US) {
        wanted = cr_layers_wanted(&l, now);

        for (i = 0; i < l.n; i++) {
            if (sends[i]) {
                (void) frame(i, (int) i == wanted);
            }
        }
    }
}


static void
layers_that_begin_one_after_another_take_over(void **state)
{
    (void) state;

    sends[1] = sends[2] = false;
    assert_int_equal(cr_layers_wanted(&l, now), -1);
    assert_true(frame(0, true));
    run(1000000);
    assert_int_equal(l.current, 0);

    sends[1] = true;
    assert_true(frame(1, true));
    run(1000000);
    assert_int_equal(l.current, 1);

    sends[2] = true;
    assert_true(frame(2, true));
    run(1000000);
    assert_int_equal(l.current, 2);

    /* the others' keyframes change nothing any more */
    assert_false(frame(0, true));
    assert_false(frame(1, true));
    assert_false(frame(2, true));
    assert_int_equal(cr_layers_wanted(&l, now), -1);
}


static void
one_that_falls_silent_is_replaced_and_comes_back(void **state)
{
    unsigned  i;

    (void) state;

    for (i = 0; i < 3; i++) {
        (void) frame(i, true);
    }

    run(1000000);
    assert_int_equal(l.current, 2);

    sends[2] = false;
    run(320000);
    assert_int_equal(l.current, 2);
    assert_false(cr_layers_silent(&l, 2, now));
    run(120000);
    assert_int_equal(l.current, 1);

    /* pictures that need others do not bring it back, but it is wanted */
    sends[2] = true;
    assert_false(frame(2, false));
    assert_int_equal(cr_layers_wanted(&l, now), 2);
    assert_true(frame(2, true));
    assert_int_equal(l.current, 2);
}


static void
one_that_says_so_is_replaced_at_once(void **state)
{
    unsigned  i;

    (void) state;

    for (i = 0; i < 3; i++) {
        (void) frame(i, true);
    }

    now += FRAME_US;
    sends[2] = false;
    heard[2] = INT64_MIN;
    assert_false(frame(0, true));
    assert_int_equal(cr_layers_wanted(&l, now), 1);
    assert_true(frame(1, true));
}


static void
nobody_is_silent_where_all_are(void **state)
{
    unsigned  i;

    (void) state;

    for (i = 0; i < 3; i++) {
        (void) frame(i, true);
    }

    /* a still screen: a picture of each layer a second, the best one last */
    for (i = 0; i < 9; i++) {
        now += 1000000;
        assert_false(frame(0, true));
        assert_false(frame(1, true));
        assert_false(frame(2, i % 3 == 0));
    }

    assert_int_equal(l.current, 2);
    assert_false(cr_layers_silent(&l, 0, now));

    /* in the end it is */
    for (i = 0; i < 5; i++) {
        now += 1000000;
        (void) frame(0, true);
        (void) frame(1, true);
    }

    assert_int_equal(l.current, 1);
}


static void
one_that_waits_for_a_lost_packet_is_not_silent(void **state)
{
    unsigned  i;

    (void) state;

    for (i = 0; i < 3; i++) {
        (void) frame(i, true);
    }

    for (i = 0; i < 50; i++) {
        now += FRAME_US;
        heard[2] = now;
        assert_false(frame(0, true));
        assert_false(frame(1, true));
    }

    assert_int_equal(l.current, 2);
    assert_int_equal(cr_layers_wanted(&l, now), -1);
}


static void
what_is_known_from_before_is_waited_for(void **state)
{
    unsigned  i;

    (void) state;

    /* a recording begins while layers flow: keyframes come all together */

    for (i = 0; i < 3; i++) {
        cr_layers_size(&l, i, (uint16_t) (320 * (i + 1)),
                       (uint16_t) (180 * (i + 1)));
        heard[i] = now;
    }

    assert_false(frame(0, true));
    assert_false(frame(1, true));
    assert_true(frame(2, true));
    assert_int_equal(took, 2);

    /* not for ever */

    (void) setup(state);

    for (i = 0; i < 3; i++) {
        cr_layers_size(&l, i, (uint16_t) (320 * (i + 1)),
                       (uint16_t) (180 * (i + 1)));
        heard[i] = now;
    }

    for (i = 0; i < 100 && !frame(0, true); i++) {
        now += FRAME_US;
        heard[2] = now;
    }

    assert_in_range(i, 12, 14);

    /* and not for what was off for long */

    (void) setup(state);
    cr_layers_size(&l, 2, 960, 540);
    heard[2] = now - LATE_US;
    assert_true(frame(0, true));
}


static void
sizes_that_change_are_followed(void **state)
{
    cr_frame_t  f = {
        .kind = CR_KIND_VIDEO, .keyframe = true, .width = 64, .height = 64
    };

    (void) state;

    sends[2] = false;
    (void) frame(0, true);
    (void) frame(1, true);
    assert_int_equal(l.current, 1);

    assert_false(cr_layers_frame(&l, 1, &f, now));
    assert_int_equal(cr_layers_wanted(&l, now), 0);
    assert_true(frame(0, true));

    /* equals: the one that there is; and half a picture is none */

    f.width = 320;
    f.height = 180;
    assert_false(cr_layers_frame(&l, 1, &f, now));
    f.width = 640;
    f.incomplete = true;
    assert_false(cr_layers_frame(&l, 1, &f, now));
    assert_int_equal(cr_layers_wanted(&l, now), -1);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(layers_that_begin_one_after_another_take_over,
                               setup),
        cmocka_unit_test_setup(
            one_that_falls_silent_is_replaced_and_comes_back, setup),
        cmocka_unit_test_setup(one_that_says_so_is_replaced_at_once, setup),
        cmocka_unit_test_setup(nobody_is_silent_where_all_are, setup),
        cmocka_unit_test_setup(one_that_waits_for_a_lost_packet_is_not_silent,
                               setup),
        cmocka_unit_test_setup(what_is_known_from_before_is_waited_for,
                               setup),
        cmocka_unit_test_setup(sizes_that_change_are_followed, setup)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
