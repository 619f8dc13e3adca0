
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
    (void) state;

    remote_init(&r, 1);
    memset(&lost, 0, sizeof(lost));
    first_seq = r.seq[1];

    return 0;
}


static int
teardown(void **state)
{
    (void) state;

    remote_destroy(&r);
    assert_int_equal(r.env.live, 0);

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


int
main(void)
{
#define TEST(name)  cmocka_unit_test_setup_teardown(name, setup, teardown)

    const struct CMUnitTest  tests[] = {
        TEST(the_first_packets_are_asked_for_backwards),
        TEST(first_packets_that_are_gone_cost_a_second),
        TEST(a_stream_that_begins_with_a_keyframe_is_asked_for_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
