
/*
 * Copyright (C) The call recorder authors
 *
 * What a stream says in receiver reports.
 */


#include "rtp/stream.h"
#include "../heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>


#define MS(n)  ((int64_t) (n) * 1000)


static const cr_rtp_stream_config_t  usual = {
    .clock_rate = 90000,
    .nack = true,
    .packets_max = 512,
    .bytes_max = 1024 * 1024,
    .give_up_us = 1000000,
    .nack_delay_us = 10000
};


static cr_rtp_t
packet(uint16_t seq, uint32_t timestamp)
{
    cr_rtp_t  rtp;

    memset(&rtp, 0, sizeof(rtp));
    rtp.seq = seq;
    rtp.timestamp = timestamp;
    return rtp;
}


static void
reports_follow_rfc_3550(void **state)
{
    unsigned          i;
    cr_rtp_t          rtp;
    cr_rtcp_sr_t      sr;
    cr_rtp_item_t     item;
    cr_rtcp_block_t   block;
    cr_rtp_stream_t  *s;

    (void) state;
    s = cr_rtp_stream_create(&heap_env, &usual, 0x1234);
    cr_rtp_stream_report(s, 0, &block);
    assert_int_equal(block.ssrc, 0x1234);
    assert_int_equal(block.highest_seq, 0);
    assert_int_equal(block.last_sr, 0);

    /* 100 packets over the wrap, one in four lost, every other of those
     * recovered by RTX */
    for (i = 0; i < 100; i++) {
        rtp = packet((uint16_t) (65500 + i), i * 900);

        if (i % 4 != 1) {
            cr_rtp_stream_push(s, &rtp, false, MS(i * 10));

        } else if (i % 8 == 1) {
            cr_rtp_stream_push(s, &rtp, true, MS(i * 10));
        }

        while (cr_rtp_stream_pop(s, MS(i * 10), &item) == CR_OK) {
            /* void */
        }
    }

    memset(&sr, 0, sizeof(sr));
    sr.ntp = 0x1122334455667788;
    cr_rtp_stream_sr(s, &sr, MS(1000));
    cr_rtp_stream_report(s, MS(1500), &block);
    assert_int_equal(block.cumulative_lost, 25);
    assert_int_equal(block.fraction_lost, 64);
    assert_int_equal(block.highest_seq, 65500 + 99);
    assert_int_equal(block.jitter, 0);
    assert_int_equal(block.last_sr, 0x33445566);
    assert_int_equal(block.delay_since_sr, 32768);

    /* nothing new */
    cr_rtp_stream_report(s, MS(1500), &block);
    assert_int_equal(block.fraction_lost, 0);
    assert_int_equal(block.cumulative_lost, 25);

    /* more received than expected */
    for (i = 0; i < 60; i++) {
        rtp = packet((uint16_t) (65500 + 96), 96 * 900);
        cr_rtp_stream_push(s, &rtp, false, MS(1500));
    }

    cr_rtp_stream_report(s, MS(1500), &block);
    assert_int_equal(block.fraction_lost, 0);
    assert_int_equal(block.cumulative_lost, -35);
    cr_rtp_stream_destroy(s);
}


static void
jitter_converges_on_the_mean_difference(void **state)
{
    unsigned          i;
    int64_t           now;
    cr_rtp_t          rtp;
    cr_rtp_item_t     item;
    cr_rtcp_block_t   block;
    cr_rtp_stream_t  *s;

    (void) state;
    s = cr_rtp_stream_create(&heap_env, &usual, 1);

    for (i = 0; i < 500; i++) {
        /* each is 4 ms off the one before */
        now = MS(i * 10 + (i & 1) * 4);
        rtp = packet((uint16_t) i, i * 900);
        cr_rtp_stream_push(s, &rtp, false, now);
        assert_int_equal(cr_rtp_stream_pop(s, now, &item), CR_OK);
    }

    cr_rtp_stream_report(s, MS(5000), &block);
    assert_in_range(block.jitter, 350, 362);
    cr_rtp_stream_destroy(s);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(reports_follow_rfc_3550),
        cmocka_unit_test(jitter_converges_on_the_mean_difference),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
