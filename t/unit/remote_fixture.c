
/*
 * Copyright (C) The call recorder authors
 *
 * What the tests of a peer begin and end with, and assert alike.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "remote.h"


int
remote_setup(void **state)
{
    remote_init(*state, 1);

    return 0;
}


int
remote_teardown(void **state)
{
    remote_t  *r = *state;

    remote_destroy(r);
    assert_int_equal(r->env.live, 0);

    return 0;
}


void
remote_begin(remote_t *r)
{
    assert_true(remote_create(r));
    assert_int_equal(cr_peer_state(r->peer), CR_PEER_NEW);
}


void
remote_assert_whole(remote_t *r, unsigned held)
{
    unsigned         i;
    cr_peer_stats_t  stats;

    cr_peer_stats(r->peer, &stats);

    assert_int_equal(r->wrong, 0);
    assert_int_equal(r->incomplete, 0);
    assert_int_equal(r->gaps, 0);
    assert_int_equal(stats.given_up, 0);
    assert_int_equal(stats.frames, r->got[0] + r->got[1]);

    for (i = 0; i < 2; i++) {
        if (i == 0 || !r->no_video) {
            assert_true(r->got[i] > 0);
            assert_true(r->got[i] + held >= r->sent[i] - r->began[i]);
        }
    }
}
