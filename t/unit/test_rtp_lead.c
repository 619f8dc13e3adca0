
/*
 * Copyright (C) The call recorder authors
 *
 * A stream whose first packets were lost: they are asked for, and are in
 * their place if they come; if not, nobody knows that they ever were.
 */


#include "rtp/stream.h"
#include "env.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>


#define MS(n)  ((int64_t) (n) * 1000)


static test_env_t        memory;
static cr_rtp_stream_t  *s;

static const cr_rtp_stream_config_t  usual = {
    .clock_rate = 90000,
    .nack = true,
    .packets_max = 512,
    .bytes_max = 1024 * 1024,
    .give_up_us = 2000000,
    .nack_delay_us = 10000,
    .nack_interval_us = 10000,
    .lead_us = 1000000
};


static int
setup(void **state)
{
    (void) state;

    test_env_init(&memory, 1);
    s = cr_rtp_stream_create(&memory.env, &usual, 1);

    return s == NULL ? -1 : 0;
}


static int
teardown(void **state)
{
    (void) state;

    cr_rtp_stream_destroy(s);
    assert_int_equal(memory.live, 0);

    return 0;
}


/* A packet of 33 ms of its own, by its number. */
static cr_status_e
push(uint16_t seq, int64_t now)
{
    cr_rtp_t        rtp;
    static uint8_t  payload[8][2];

    memset(&rtp, 0, sizeof(rtp));
    rtp.seq = seq;
    rtp.timestamp = (uint32_t) seq * 3000;
    rtp.payload.data = payload[seq % 8];
    rtp.payload.len = 2;
    cr_put_u16(payload[seq % 8], seq);

    return cr_rtp_stream_push(s, &rtp, false, now);
}


/* Pops all there is: numbers as they come, gaps as -packets. */
static unsigned
pop(int64_t now, int *out, unsigned max)
{
    unsigned       n;
    cr_rtp_item_t  item;

    n = 0;

    while (n < max && cr_rtp_stream_pop(s, now, &item) == CR_OK) {
        out[n++] = item.gap ? -(int) item.gap_packets
                            : cr_get_u16(item.payload.data);
    }

    return n;
}


#define assert_pops(now, ...)                                                \
    do {                                                                     \
        int       want[] = { __VA_ARGS__ };                                  \
        int       got[64];                                                   \
        unsigned  n_ = pop(now, got, 64);                                    \
        assert_int_equal(n_, sizeof(want) / sizeof(int));                    \
        assert_memory_equal(got, want, sizeof(want));                        \
    } while (0)


#define assert_nothing(now)                                                  \
    do {                                                                     \
        cr_rtp_item_t  item_;                                                \
        assert_int_equal(cr_rtp_stream_pop(s, now, &item_), CR_AGAIN);       \
    } while (0)


static void
what_came_before_is_asked_for_and_put_in_front(void **state)
{
    unsigned                      n;
    uint16_t                      seqs[CR_NACK_MAX];
    cr_rtp_item_t                 item;
    const cr_rtp_stream_stats_t  *stats;

    (void) state;

    assert_int_equal(push(1, 0), CR_OK);
    cr_rtp_stream_lead(s, 4, 0);
    assert_nothing(0);
    assert_int_equal(push(2, MS(5)), CR_OK);
    assert_nothing(MS(5));

    assert_int_equal(cr_rtp_stream_deadline(s), MS(10));
    n = cr_rtp_stream_nack(s, MS(10), MS(40), seqs);
    assert_int_equal(n, 4);
    assert_int_equal(seqs[0], 65533);
    assert_int_equal(seqs[3], 0);

    /* over the wrap; the one of 65533 never was */
    assert_int_equal(push(65534, MS(50)), CR_OK);
    assert_int_equal(push(0, MS(51)), CR_OK);
    cr_rtp_stream_lead(s, 0, MS(51));

    /* it is known now that 65535 is missing */
    stats = cr_rtp_stream_stats(s);
    assert_int_equal(stats->lost, 3);
    assert_int_equal(stats->recovered, 2);

    /* its time is when it would have come */
    assert_int_equal(cr_rtp_stream_pop(s, MS(51), &item), CR_OK);
    assert_int_equal(cr_get_u16(item.payload.data), 65534);
    assert_int_equal(item.arrival_us, 0);
    assert_nothing(MS(52));

    assert_int_equal(push(65535, MS(60)), CR_OK);
    assert_pops(MS(60), 65535, 0, 1, 2);

    assert_int_equal(stats->recovered, 3);
    assert_int_equal(stats->given_up, 0);
    assert_int_equal(stats->late, 0);
    assert_int_equal(cr_rtp_stream_deadline(s), INT64_MAX);
}


static void
what_never_was_is_no_gap(void **state)
{
    unsigned                      n, asked;
    uint16_t                      seqs[CR_NACK_MAX];
    const cr_rtp_stream_stats_t  *stats;

    (void) state;

    push(100, 0);
    cr_rtp_stream_lead(s, 4, 0);
    push(101, MS(1));
    asked = 0;

    while (cr_rtp_stream_deadline(s) < MS(1000)) {
        n = cr_rtp_stream_nack(s, cr_rtp_stream_deadline(s), MS(80), seqs);
        assert_int_equal(n, 4);
        asked += n;
    }

    /* about once in a round trip, for a second */
    assert_in_range(asked, 4 * 9, 4 * 11);
    assert_nothing(MS(999));
    assert_int_equal(cr_rtp_stream_deadline(s), MS(1000));
    assert_pops(MS(1000), 100, 101);

    stats = cr_rtp_stream_stats(s);
    assert_int_equal(stats->lost, 0);
    assert_int_equal(stats->given_up, 0);

    /* and what comes after all comes too late; nor is it asked for again */
    assert_int_equal(push(99, MS(1001)), CR_DECLINED);
    assert_int_equal(stats->late, 1);
    cr_rtp_stream_lead(s, 4, MS(1002));
    assert_int_equal(cr_rtp_stream_deadline(s), INT64_MAX);
}


static void
further_back_is_asked_for_step_by_step(void **state)
{
    uint16_t                      seqs[CR_NACK_MAX];
    const cr_rtp_stream_stats_t  *stats;

    (void) state;

    push(300, 0);
    cr_rtp_stream_lead(s, 16, 0);
    assert_int_equal(push(284, MS(30)), CR_OK);
    cr_rtp_stream_lead(s, 100, MS(30));
    assert_int_equal(cr_rtp_stream_nack(s, MS(50), MS(40), seqs), 115);
    assert_int_equal(seqs[0], 184);
    assert_int_equal(seqs[99], 283);
    assert_int_equal(seqs[100], 285);

    /* what is behind the earliest one waits its whole time */
    assert_nothing(MS(1029));
    assert_pops(MS(1030), 284);
    assert_nothing(MS(1999));
    assert_pops(MS(2000), -15, 300);

    stats = cr_rtp_stream_stats(s);
    assert_int_equal(stats->lost, 16);
    assert_int_equal(stats->recovered + stats->reordered, 1);
    assert_int_equal(stats->given_up, 15);
}


static void
packets_that_changed_places_at_the_start_are_put_right(void **state)
{
    (void) state;

    push(51, 0);
    cr_rtp_stream_lead(s, 4, 0);
    push(50, MS(1));
    cr_rtp_stream_lead(s, 0, MS(1));
    assert_pops(MS(1), 50, 51);
    assert_int_equal(cr_rtp_stream_stats(s)->reordered, 1);
}


static void
flush_and_a_new_numbering_end_the_waiting(void **state)
{
    (void) state;

    push(10, 0);
    cr_rtp_stream_lead(s, 4, 0);
    cr_rtp_stream_flush(s);
    assert_pops(0, 10);

    cr_rtp_stream_destroy(s);
    s = cr_rtp_stream_create(&memory.env, &usual, 1);
    assert_non_null(s);

    push(10, 0);
    cr_rtp_stream_lead(s, 4, 0);
    assert_int_equal(push(20000, MS(1)), CR_DECLINED);
    assert_int_equal(push(20001, MS(2)), CR_LIMIT);
    cr_rtp_stream_lead(s, 4, MS(2));
    assert_pops(MS(2), 10, 0, 20000, 20001);
}


static void
any_allocation_may_fail(void **state)
{
    long           i;
    unsigned       n;
    uint16_t       seq;
    cr_rtp_item_t  item;

    (void) state;

    for (i = 1; i < 40; i++) {
        cr_rtp_stream_destroy(s);
        memory.fail_at = memory.calls + i;
        s = cr_rtp_stream_create(&memory.env, &usual, 1);

        if (s == NULL) {
            continue;
        }

        push(1000, 0);
        cr_rtp_stream_lead(s, 200, 0);

        for (seq = 999; seq > 900; seq -= 3) {
            push(seq, MS(1));
            cr_rtp_stream_lead(s, 100, MS(1));
        }

        cr_rtp_stream_flush(s);

        for (n = 0; cr_rtp_stream_pop(s, MS(2), &item) == CR_OK; n++) {
            assert_true(n < 400);
        }

        assert_true(n > 0);
    }

    memory.fail_at = 0;
}


int
main(void)
{
#define TEST(name)  cmocka_unit_test_setup_teardown(name, setup, teardown)

    const struct CMUnitTest  tests[] = {
        TEST(what_came_before_is_asked_for_and_put_in_front),
        TEST(what_never_was_is_no_gap),
        TEST(further_back_is_asked_for_step_by_step),
        TEST(packets_that_changed_places_at_the_start_are_put_right),
        TEST(flush_and_a_new_numbering_end_the_waiting),
        TEST(any_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
