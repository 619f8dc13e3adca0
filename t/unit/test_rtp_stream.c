
/*
 * Copyright (C) The call recorder authors
 *
 * One RTP stream: order, holes, what it asks for, what it gives up.
 */


#include "rtp/stream.h"
#include "env.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>


#define MS(n)  ((int64_t) (n) * 1000)


static test_env_t  memory;

static const cr_rtp_stream_config_t  usual = {
    .clock_rate = 90000,
    .nack = true,
    .packets_max = 512,
    .bytes_max = 1024 * 1024,
    .give_up_us = 1000000,
    .nack_delay_us = 10000,
    .nack_interval_us = 10000
};


static int
setup(void **state)
{
    (void) state;
    test_env_init(&memory, 1);
    return 0;
}


static int
teardown(void **state)
{
    (void) state;
    assert_int_equal(memory.live, 0);
    return 0;
}


/* A packet whose payload tells its number. */
static cr_rtp_t
packet(uint16_t seq, uint32_t timestamp)
{
    static unsigned  turn;
    static uint8_t   buffers[2][4];
    uint8_t         *bytes;
    cr_rtp_t         rtp;

    bytes = buffers[turn++ & 1];
    memset(&rtp, 0, sizeof(rtp));
    rtp.seq = seq;
    rtp.timestamp = timestamp;
    cr_put_u16(bytes, seq);
    cr_put_u16(bytes + 2, (uint16_t) ~seq);
    rtp.payload.data = bytes;
    rtp.payload.len = 4;
    return rtp;
}


static cr_status_e
push(cr_rtp_stream_t *s, uint16_t seq, int64_t now)
{
    /* the clock of the sender goes with ours */
    cr_rtp_t  rtp = packet(seq, (uint32_t) (now * 9 / 100));

    return cr_rtp_stream_push(s, &rtp, false, now);
}


#define assert_packet(s, number, now)                                        \
    do {                                                                     \
        cr_rtp_item_t  got;                                                  \
        assert_int_equal(cr_rtp_stream_pop(s, now, &got), CR_OK);            \
        assert_false(got.gap);                                               \
        assert_int_equal(got.payload.len, 4);                                \
        assert_int_equal(cr_get_u16(got.payload.data), (uint16_t) (number)); \
        assert_int_equal(cr_get_u16(got.payload.data + 2),                   \
                         (uint16_t) ~(number));                              \
    } while (0)

#define assert_gap(s, count, now)                                            \
    do {                                                                     \
        cr_rtp_item_t  got;                                                  \
        assert_int_equal(cr_rtp_stream_pop(s, now, &got), CR_OK);            \
        assert_true(got.gap);                                                \
        assert_int_equal(got.gap_packets, count);                            \
    } while (0)

#define assert_nothing(s, now)                                               \
    do {                                                                     \
        cr_rtp_item_t  got;                                                  \
        assert_int_equal(cr_rtp_stream_pop(s, now, &got), CR_AGAIN);         \
    } while (0)


static void
packets_in_order_pass_through_without_memory(void **state)
{
    long              before;
    uint32_t          i;
    cr_rtp_t          rtp;
    cr_rtp_item_t     item;
    cr_rtp_stream_t  *s;

    (void) state;
    s = cr_rtp_stream_create(&memory.env, &usual, 1);
    assert_non_null(s);
    before = memory.calls;

    for (i = 0; i < 200000; i++) {
        rtp = packet((uint16_t) (65000 + i), i * 3000);
        rtp.marker = i & 1;
        rtp.pt = 96;

        assert_int_equal(cr_rtp_stream_push(s, &rtp, false, MS(i)), CR_OK);
        assert_int_equal(cr_rtp_stream_pop(s, MS(i), &item), CR_OK);
        assert_ptr_equal(item.payload.data, rtp.payload.data);
        assert_int_equal(item.seq, 65000 + 65536 + i);
        assert_int_equal(item.timestamp, i * 3000);
        assert_int_equal(item.arrival_us, MS(i));
        assert_int_equal(item.marker, i & 1);
        assert_int_equal(item.pt, 96);
        assert_false(item.recovered);
        assert_nothing(s, MS(i));
        assert_true(cr_rtp_stream_deadline(s) == INT64_MAX);
    }

    assert_int_equal(memory.calls, before);
    assert_int_equal(cr_rtp_stream_stats(s)->received, 200000);
    assert_int_equal(cr_rtp_stream_stats(s)->bytes, 800000);
    assert_int_equal(cr_rtp_stream_stats(s)->lost, 0);
    cr_rtp_stream_destroy(s);
}


static void
a_hole_is_asked_for_and_filled(void **state)
{
    cr_rtp_t          rtp;
    uint16_t          seqs[CR_NACK_MAX];
    cr_rtp_item_t     item;
    cr_rtp_stream_t  *s;

    (void) state;
    s = cr_rtp_stream_create(&memory.env, &usual, 1);

    assert_int_equal(push(s, 65534, MS(0)), CR_OK);
    assert_packet(s, 65534, MS(0));
    assert_int_equal(push(s, 1, MS(5)), CR_OK);
    assert_nothing(s, MS(5));

    /* not before the delay for reordering, then once per RTT */
    assert_int_equal(cr_rtp_stream_deadline(s), MS(15));
    assert_int_equal(cr_rtp_stream_nack(s, MS(14), MS(100), seqs), 0);
    assert_int_equal(cr_rtp_stream_nack(s, MS(15), MS(100), seqs), 2);
    assert_int_equal(seqs[0], 65535);
    assert_int_equal(seqs[1], 0);
    assert_int_equal(cr_rtp_stream_nack(s, MS(110), MS(100), seqs), 0);
    assert_true(cr_rtp_stream_deadline(s) >= MS(115));
    assert_true(cr_rtp_stream_deadline(s) <= MS(150));
    assert_int_equal(cr_rtp_stream_nack(s, MS(150), MS(100), seqs), 2);

    rtp = packet(0, 7);
    assert_int_equal(cr_rtp_stream_push(s, &rtp, true, MS(160)), CR_OK);
    assert_int_equal(cr_rtp_stream_push(s, &rtp, true, MS(161)),
                     CR_DECLINED);
    assert_nothing(s, MS(161));

    rtp = packet(65535, 7);
    assert_int_equal(cr_rtp_stream_push(s, &rtp, true, MS(170)), CR_OK);
    assert_int_equal(cr_rtp_stream_pop(s, MS(170), &item), CR_OK);
    assert_true(item.recovered);
    assert_int_equal(item.arrival_us, MS(170));
    assert_int_equal(item.seq, 65535 + 65536);
    assert_int_equal(cr_rtp_stream_pop(s, MS(170), &item), CR_OK);
    assert_true(item.recovered);
    assert_int_equal(item.arrival_us, MS(160));
    assert_packet(s, 1, MS(170));
    assert_nothing(s, MS(170));
    assert_true(cr_rtp_stream_deadline(s) == INT64_MAX);

    assert_int_equal(cr_rtp_stream_stats(s)->lost, 2);
    assert_int_equal(cr_rtp_stream_stats(s)->recovered, 2);
    assert_int_equal(cr_rtp_stream_stats(s)->duplicates, 1);
    assert_int_equal(cr_rtp_stream_stats(s)->nacks_sent, 4);
    cr_rtp_stream_destroy(s);
}


static void
nacks_are_a_floor_apart_however_short_the_rtt(void **state)
{
    uint16_t          seqs[CR_NACK_MAX];
    cr_rtp_stream_t  *s;

    (void) state;
    s = cr_rtp_stream_create(&memory.env, &usual, 1);
    push(s, 1, 0);
    assert_packet(s, 1, 0);
    push(s, 3, 0);
    assert_int_equal(cr_rtp_stream_nack(s, MS(10), 100, seqs), 1);
    assert_int_equal(cr_rtp_stream_nack(s, MS(20) - 1, 100, seqs), 0);
    assert_int_equal(cr_rtp_stream_nack(s, MS(20), 100, seqs), 1);
    cr_rtp_stream_destroy(s);
}


static void
many_holes_are_asked_for_in_several_calls(void **state)
{
    unsigned          i;
    uint16_t          seqs[CR_NACK_MAX];
    cr_rtp_stream_t  *s;

    (void) state;
    s = cr_rtp_stream_create(&memory.env, &usual, 1);
    push(s, 1000, 0);
    assert_packet(s, 1000, 0);
    push(s, 1301, 0);

    assert_int_equal(cr_rtp_stream_nack(s, MS(10), MS(50), seqs), 128);
    assert_true(cr_rtp_stream_deadline(s) <= MS(10));
    assert_int_equal(cr_rtp_stream_nack(s, MS(10), MS(50), seqs), 128);
    assert_int_equal(cr_rtp_stream_nack(s, MS(10), MS(50), seqs), 44);

    for (i = 0; i < 44; i++) {
        assert_int_equal(seqs[i], 1001 + 256 + i);
    }

    assert_int_equal(cr_rtp_stream_nack(s, MS(10), MS(50), seqs), 0);
    cr_rtp_stream_destroy(s);
}


static void
a_hole_is_given_up_in_time_and_what_comes_later_declined(void **state)
{
    cr_rtp_t          rtp;
    cr_rtp_item_t     item;
    cr_rtp_stream_t  *s;

    (void) state;
    s = cr_rtp_stream_create(&memory.env, &usual, 1);
    push(s, 10, MS(0));
    assert_packet(s, 10, MS(0));
    push(s, 12, MS(1));
    push(s, 14, MS(21));
    assert_nothing(s, MS(1000));

    assert_int_equal(cr_rtp_stream_pop(s, MS(1001), &item), CR_OK);
    assert_true(item.gap);
    assert_int_equal(item.gap_packets, 1);
    assert_int_equal(item.seq, 11 + 65536);
    assert_packet(s, 12, MS(1001));
    assert_nothing(s, MS(1001));
    assert_nothing(s, MS(1020));

    rtp = packet(11, 0);
    assert_int_equal(cr_rtp_stream_push(s, &rtp, false, MS(1020)),
                     CR_DECLINED);
    rtp = packet(12, 90);
    assert_int_equal(cr_rtp_stream_push(s, &rtp, false, MS(1020)),
                     CR_DECLINED);
    assert_int_equal(cr_rtp_stream_stats(s)->late, 1);
    assert_int_equal(cr_rtp_stream_stats(s)->duplicates, 1);

    assert_gap(s, 1, MS(1021));
    assert_packet(s, 14, MS(1021));
    assert_nothing(s, MS(1021));
    assert_int_equal(cr_rtp_stream_stats(s)->given_up, 2);
    assert_int_equal(cr_rtp_stream_stats(s)->received, 3);
    cr_rtp_stream_destroy(s);
}


static void
without_nack_the_deadline_is_giving_up(void **state)
{
    uint16_t                seqs[CR_NACK_MAX];
    cr_rtp_stream_t        *s;
    cr_rtp_stream_config_t  config = usual;

    (void) state;
    config.nack = false;
    s = cr_rtp_stream_create(&memory.env, &config, 1);
    push(s, 1, MS(0));
    assert_packet(s, 1, MS(0));
    push(s, 3, MS(4));
    assert_nothing(s, MS(4));
    assert_int_equal(cr_rtp_stream_deadline(s), MS(1004));
    assert_int_equal(cr_rtp_stream_nack(s, MS(500), MS(50), seqs), 0);
    cr_rtp_stream_destroy(s);
}


static void
the_window_forces_the_oldest_holes(void **state)
{
    unsigned                i;
    cr_rtp_stream_t        *s;
    cr_rtp_stream_config_t  config = usual;

    (void) state;
    config.packets_max = 16;
    s = cr_rtp_stream_create(&memory.env, &config, 1);
    push(s, 0, 0);
    assert_packet(s, 0, 0);

    for (i = 2; i <= 16; i++) {
        assert_int_equal(push(s, (uint16_t) i, i), CR_OK);
        assert_nothing(s, i);
    }

    assert_int_equal(push(s, 17, 17), CR_OK);
    assert_gap(s, 1, 17);

    for (i = 2; i <= 17; i++) {
        assert_packet(s, i, 17);
    }

    assert_nothing(s, 17);
    cr_rtp_stream_destroy(s);
}


static void
held_bytes_are_bounded(void **state)
{
    unsigned                i;
    cr_rtp_item_t           item;
    cr_rtp_stream_t        *s;
    cr_rtp_stream_config_t  config = usual;

    (void) state;
    config.bytes_max = 2048;
    s = cr_rtp_stream_create(&memory.env, &config, 1);
    push(s, 0, 0);
    assert_packet(s, 0, 0);

    for (i = 2; i < 300; i++) {
        assert_int_equal(push(s, (uint16_t) i, i), CR_OK);

        while (cr_rtp_stream_pop(s, i, &item) == CR_OK) {
            /* the hole goes as soon as too much waits behind it */
        }
    }

    assert_int_equal(cr_rtp_stream_stats(s)->given_up, 1);
    assert_true(memory.live < 20);

    /* nobody pops: memory stays bounded all the same */
    for (i = 301; i < 800; i++) {
        push(s, (uint16_t) i, i);
    }

    assert_true(memory.live < 40);
    cr_rtp_stream_destroy(s);
}


static void
packets_left_unpopped_are_kept(void **state)
{
    uint8_t           bytes[10][3];
    unsigned          i;
    cr_rtp_t          rtp;
    cr_rtp_item_t     item;
    cr_rtp_stream_t  *s;

    (void) state;
    s = cr_rtp_stream_create(&memory.env, &usual, 1);

    for (i = 0; i < 10; i++) {
        rtp = packet((uint16_t) (65530 + i), i);
        rtp.ext_profile = 0xbede;
        rtp.ext.data = bytes[i];
        rtp.ext.len = i % 3;
        memset(bytes[i], (int) i, 3);
        assert_int_equal(cr_rtp_stream_push(s, &rtp, false, i), CR_OK);
        assert_int_equal(cr_rtp_stream_deadline(s), i);
    }

    for (i = 0; i < 10; i++) {
        assert_int_equal(cr_rtp_stream_pop(s, 10, &item), CR_OK);
        assert_int_equal(cr_get_u16(item.payload.data),
                         (uint16_t) (65530 + i));
        assert_int_equal(item.arrival_us, i);
        assert_int_equal(item.ext_profile, 0xbede);
        assert_int_equal(item.ext.len, i % 3);
        assert_true(item.ext.len == 0 || item.ext.data[0] == i);
    }

    assert_nothing(s, 10);
    cr_rtp_stream_destroy(s);
}


static void
padding_only_packets_count_as_packets(void **state)
{
    cr_rtp_t          rtp;
    cr_rtp_item_t     item;
    cr_rtp_stream_t  *s;

    (void) state;
    s = cr_rtp_stream_create(&memory.env, &usual, 1);
    push(s, 1, 0);
    assert_packet(s, 1, 0);

    rtp = packet(2, 0);
    rtp.payload.len = 0;
    rtp.padding = 200;
    assert_int_equal(cr_rtp_stream_push(s, &rtp, false, 1), CR_OK);
    assert_int_equal(cr_rtp_stream_pop(s, 1, &item), CR_OK);
    assert_false(item.gap);
    assert_int_equal(item.payload.len, 0);

    rtp.seq = 4;
    assert_int_equal(cr_rtp_stream_push(s, &rtp, false, 2), CR_OK);
    push(s, 3, 3);
    assert_packet(s, 3, 3);
    assert_int_equal(cr_rtp_stream_pop(s, 3, &item), CR_OK);
    assert_int_equal(item.payload.len, 0);
    assert_int_equal(cr_rtp_stream_stats(s)->reordered, 1);
    assert_int_equal(cr_rtp_stream_stats(s)->recovered, 0);
    cr_rtp_stream_destroy(s);
}


static void
an_outage_longer_than_the_window_is_counted(void **state)
{
    cr_rtp_item_t     item;
    cr_rtp_stream_t  *s;

    (void) state;
    s = cr_rtp_stream_create(&memory.env, &usual, 1);
    push(s, 100, MS(0));
    assert_packet(s, 100, MS(0));
    push(s, 102, MS(1));
    assert_nothing(s, MS(1));

    /* timestamps went on with time: 1897 packets are lost, and 101 */
    assert_int_equal(push(s, 2000, MS(5000)), CR_DECLINED);
    assert_int_equal(push(s, 2000, MS(5000)), CR_DECLINED);
    assert_nothing(s, MS(500));
    assert_int_equal(push(s, 2002, MS(5010)), CR_LIMIT);
    assert_gap(s, 1, MS(500));
    assert_packet(s, 102, MS(500));
    assert_gap(s, 1897, MS(500));
    assert_packet(s, 2000, MS(500));
    assert_nothing(s, MS(500));

    /* what was jumped over is late, whatever it looks like */
    assert_int_equal(push(s, 1999, MS(5011)), CR_DECLINED);
    assert_int_equal(push(s, 2001, MS(5011)), CR_OK);
    assert_packet(s, 2001, MS(5011));
    assert_int_equal(cr_rtp_stream_pop(s, MS(5011), &item), CR_OK);
    assert_int_equal(item.seq, 2002 + 65536);
    assert_int_equal(cr_rtp_stream_stats(s)->given_up, 1898);
    assert_int_equal(cr_rtp_stream_stats(s)->lost, 1899);
    cr_rtp_stream_destroy(s);
}


static void
a_new_numbering_is_taken_after_two_packets(void **state)
{
    cr_rtp_t          rtp;
    cr_rtcp_block_t   block;
    cr_rtp_stream_t  *s;

    (void) state;
    s = cr_rtp_stream_create(&memory.env, &usual, 1);
    push(s, 40000, MS(0));
    assert_packet(s, 40000, MS(0));
    push(s, 40002, MS(1));

    rtp = packet(7, 0x90000000);
    assert_int_equal(cr_rtp_stream_push(s, &rtp, false, MS(10)), CR_DECLINED);
    /* the old one goes on meanwhile */
    assert_int_equal(push(s, 40003, MS(11)), CR_OK);
    rtp = packet(8, 0x90000000);
    assert_int_equal(cr_rtp_stream_push(s, &rtp, false, MS(12)), CR_LIMIT);

    assert_gap(s, 1, MS(12));
    assert_packet(s, 40002, MS(12));
    assert_packet(s, 40003, MS(12));
    assert_gap(s, 0, MS(12));
    assert_packet(s, 7, MS(12));
    assert_packet(s, 8, MS(12));
    assert_nothing(s, MS(12));

    cr_rtp_stream_report(s, MS(12), &block);
    assert_int_equal(block.highest_seq, 8);
    assert_int_equal(block.cumulative_lost, 1);

    /* a second time, backwards */
    rtp = packet(65000, 0xa0000000);
    assert_int_equal(cr_rtp_stream_push(s, &rtp, false, MS(20)), CR_DECLINED);
    rtp = packet(65001, 0xa0000000);
    assert_int_equal(cr_rtp_stream_push(s, &rtp, false, MS(20)), CR_LIMIT);
    assert_gap(s, 0, MS(20));
    assert_packet(s, 65000, MS(20));
    assert_packet(s, 65001, MS(20));
    assert_nothing(s, MS(20));
    cr_rtp_stream_destroy(s);
}


static void
old_packets_sent_again_are_no_new_numbering(void **state)
{
    unsigned          i;
    cr_rtp_t          rtp;
    cr_rtp_stream_t  *s;

    (void) state;
    s = cr_rtp_stream_create(&memory.env, &usual, 1);

    for (i = 0; i < 5000; i++) {
        push(s, (uint16_t) i, MS(i));
        assert_packet(s, i, MS(i));
    }

    for (i = 1000; i < 2000; i++) {
        rtp = packet((uint16_t) i, i * 90);
        assert_int_equal(cr_rtp_stream_push(s, &rtp, false, MS(5000)),
                         CR_DECLINED);
        assert_nothing(s, MS(5000));
    }

    cr_rtp_stream_destroy(s);
}


static void
flush_drains_what_is_held(void **state)
{
    cr_rtp_stream_t  *s;

    (void) state;
    s = cr_rtp_stream_create(&memory.env, &usual, 1);
    cr_rtp_stream_flush(s);
    assert_nothing(s, 0);
    assert_true(cr_rtp_stream_deadline(s) == INT64_MAX);
    push(s, 1, 0);
    assert_packet(s, 1, 0);
    push(s, 4, 0);
    push(s, 6, 0);
    assert_nothing(s, 0);
    cr_rtp_stream_flush(s);
    assert_gap(s, 2, 0);
    assert_packet(s, 4, 0);
    assert_gap(s, 1, 0);
    assert_packet(s, 6, 0);
    assert_nothing(s, 0);

    /* and goes on */
    push(s, 8, 0);
    assert_nothing(s, 0);
    push(s, 7, 0);
    assert_packet(s, 7, 0);
    assert_packet(s, 8, 0);
    cr_rtp_stream_destroy(s);
}


static void
any_allocation_may_fail(void **state)
{
    long                     n;
    unsigned                 i;
    uint64_t                 out;
    cr_rtp_item_t            item;
    cr_rtp_stream_t         *s;
    const cr_rtp_stream_stats_t  *stats;

    (void) state;

    for (n = 1; n < 250; n++) {
        memory.calls = 0;
        memory.fail_at = n;

        s = cr_rtp_stream_create(&memory.env, &usual, 1);
        if (s == NULL) {
            assert_int_equal(memory.live, 0);
            continue;
        }

        out = 0;
        push(s, 0, 0);

        /* unpopped, with holes and out of order */
        for (i = 1; i < 300; i++) {
            if (i % 7 != 0) {
                push(s, (uint16_t) (i ^ 1), MS(i));
            }
        }

        push(s, 300, MS(300));
        cr_rtp_stream_flush(s);

        while (cr_rtp_stream_pop(s, MS(300), &item) == CR_OK) {
            out += item.gap ? item.gap_packets : 1;
        }

        stats = cr_rtp_stream_stats(s);
        assert_int_equal(out, stats->received + stats->given_up);
        assert_int_equal(stats->lost, stats->recovered + stats->reordered
                                      + stats->given_up);
        assert_in_range(out, 300, 301);
        cr_rtp_stream_destroy(s);
        assert_int_equal(memory.live, 0);
    }
}


static void
a_packet_that_memory_failed_for_is_asked_for_again(void **state)
{
    uint16_t          seqs[CR_NACK_MAX];
    cr_rtp_stream_t  *s;

    (void) state;
    s = cr_rtp_stream_create(&memory.env, &usual, 1);
    push(s, 0, 0);
    assert_packet(s, 0, 0);
    push(s, 2, 0);
    push(s, 5, 0);
    assert_int_equal(push(s, 1, 0), CR_OK);

    /* it was left unpopped, and there is no block to copy it to */
    memory.fail_at = memory.calls + 1;
    assert_int_equal(push(s, 6, 0), CR_OK);
    assert_nothing(s, 0);

    assert_int_equal(cr_rtp_stream_nack(s, MS(10), 0, seqs), 3);
    assert_int_equal(seqs[0], 1);
    assert_int_equal(seqs[1], 3);
    assert_int_equal(seqs[2], 4);
    /* an unknown RTT is taken for a usual one */
    assert_in_range(cr_rtp_stream_deadline(s), MS(60), MS(160));

    assert_int_equal(push(s, 1, MS(11)), CR_OK);
    assert_packet(s, 1, MS(11));
    assert_packet(s, 2, MS(11));
    assert_nothing(s, MS(11));
    cr_rtp_stream_destroy(s);
}


static void
a_jump_that_nothing_confirms_is_forgotten(void **state)
{
    unsigned          i;
    cr_rtp_stream_t  *s;

    (void) state;
    s = cr_rtp_stream_create(&memory.env, &usual, 1);
    push(s, 0, 0);
    assert_packet(s, 0, 0);

    /* far apart from each other, or long after */
    for (i = 0; i < 5; i++) {
        assert_int_equal(push(s, (uint16_t) (5000 + i * 1000), MS(1 + i)),
                         CR_DECLINED);
        assert_nothing(s, MS(1 + i));
    }

    assert_int_equal(push(s, 9001, MS(9000)), CR_DECLINED);
    assert_nothing(s, MS(9000));
    assert_int_equal(push(s, 1, MS(9001)), CR_OK);
    assert_packet(s, 1, MS(9001));
    assert_int_equal(cr_rtp_stream_stats(s)->lost, 0);

    /* RTX alone never confirms */
    for (i = 0; i < 3; i++) {
        cr_rtp_t  rtp = packet((uint16_t) (30000 + i), 0);

        assert_int_equal(cr_rtp_stream_push(s, &rtp, true, MS(9002)),
                         CR_DECLINED);
    }

    assert_nothing(s, MS(9002));
    cr_rtp_stream_destroy(s);
}


int
main(void)
{
#define TEST(name)  cmocka_unit_test_setup_teardown(name, setup, teardown)

    const struct CMUnitTest  tests[] = {
        TEST(packets_in_order_pass_through_without_memory),
        TEST(a_hole_is_asked_for_and_filled),
        TEST(nacks_are_a_floor_apart_however_short_the_rtt),
        TEST(many_holes_are_asked_for_in_several_calls),
        TEST(a_hole_is_given_up_in_time_and_what_comes_later_declined),
        TEST(without_nack_the_deadline_is_giving_up),
        TEST(the_window_forces_the_oldest_holes),
        TEST(held_bytes_are_bounded),
        TEST(packets_left_unpopped_are_kept),
        TEST(padding_only_packets_count_as_packets),
        TEST(an_outage_longer_than_the_window_is_counted),
        TEST(a_new_numbering_is_taken_after_two_packets),
        TEST(old_packets_sent_again_are_no_new_numbering),
        TEST(flush_drains_what_is_held),
        TEST(any_allocation_may_fail),
        TEST(a_packet_that_memory_failed_for_is_asked_for_again),
        TEST(a_jump_that_nothing_confirms_is_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
