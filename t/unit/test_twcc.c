
/*
 * Copyright (C) The call recorder authors
 *
 * Transport-wide feedback, read back by a decoder that knows nothing of the
 * writer, and compared with what arrived.
 */


#include "rtp/twcc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>


#define PACKETS  4000

#define ABSENT   INT64_MIN


/* What the feedback said, by packet; and what is true. */
static int64_t   said[PACKETS];
static bool      mentioned[PACKETS];
static int64_t   truth[PACKETS];

static uint32_t  seed;


static uint32_t
rnd(uint32_t n)
{
    seed = seed * 1664525 + 1013904223;
    return (uint32_t) ((uint64_t) seed * n >> 32);
}


/*
 * Decodes one feedback packet; near: a time close to it, to undo the wrap of
 * the reference time.  Packet i has the number first + i.
 */
static void
decode(const uint8_t *p, size_t len, uint16_t first, uint8_t count,
    int64_t near)
{
    int64_t   time, cycle;
    uint8_t   symbols[65536 + 14];
    uint16_t  base, chunk, index;
    unsigned  i, k, n;
    size_t    pos;

    assert_true(len >= 20 && len % 4 == 0);
    assert_int_equal(p[0], 0x8f);
    assert_int_equal(p[1], 205);
    assert_int_equal(cr_get_u16(p + 2), len / 4 - 1);
    assert_int_equal(cr_get_u32(p + 4), 0x11111111);
    assert_int_equal(cr_get_u32(p + 8), 0x22222222);

    base = cr_get_u16(p + 12);
    n = cr_get_u16(p + 14);
    assert_true(n > 0);
    assert_int_equal(p[19], count);

    cycle = (int64_t) 64000 << 24;
    time = (int64_t) cr_get_u24(p + 16) * 64000;
    time += (near - time + cycle / 2) / cycle * cycle;

    pos = 20;
    i = 0;

    while (i < n) {
        assert_true(pos + 2 <= len);
        chunk = cr_get_u16(p + pos);
        pos += 2;

        if (!(chunk & 0x8000)) {
            assert_true((chunk & 0x1fff) > 0);
            assert_true(i + (chunk & 0x1fff) <= n);

            for (k = 0; k < (chunk & 0x1fff); k++) {
                symbols[i++] = (uint8_t) (chunk >> 13 & 3);
            }

        } else if (!(chunk & 0x4000)) {
            for (k = 0; k < 14; k++) {
                symbols[i++] = chunk >> (13 - k) & 1;
            }

        } else {
            for (k = 0; k < 7; k++) {
                symbols[i++] = chunk >> (12 - 2 * k) & 3;
            }
        }
    }

    /* what a vector has to spare is zero */
    for (k = n; k < i; k++) {
        assert_int_equal(symbols[k], 0);
    }

    for (i = 0; i < n; i++) {
        index = (uint16_t) (base + i - first);
        assert_true(index < PACKETS);
        mentioned[index] = true;

        switch (symbols[i]) {

        case 0:
            said[index] = ABSENT;
            continue;

        case 1:
            assert_true(pos + 1 <= len);
            time += p[pos] * 250;
            pos += 1;
            break;

        case 2:
            assert_true(pos + 2 <= len);
            time += (int16_t) cr_get_u16(p + pos) * 250;
            pos += 2;
            break;

        default:
            fail();
        }

        said[index] = time;
    }

    assert_true(len - pos < 4);

    for ( /* void */ ; pos < len; pos++) {
        assert_int_equal(p[pos], 0);
    }
}


static unsigned
report(cr_twcc_t *twcc, uint16_t first, uint8_t *count, size_t room,
    int64_t now)
{
    uint8_t      buf[1500];
    unsigned     n;
    cr_writer_t  w;

    for (n = 0; n < 4096; n++) {
        cr_writer_init(&w, buf, room);

        if (!cr_twcc_write(twcc, &w, 0x11111111, 0x22222222)) {
            assert_false(w.overflow);
            assert_int_equal(twcc->pending, 0);
            return n;
        }

        assert_false(w.overflow);
        decode(buf, cr_writer_len(&w), first, (*count)++, now);
    }

    fail();
    return 0;
}


static void
compare(unsigned n)
{
    unsigned  i, last;

    last = 0;

    for (i = 0; i < n; i++) {
        if (truth[i] != ABSENT) {
            last = i;
        }
    }

    for (i = 0; i <= last; i++) {
        if (truth[i] == ABSENT) {
            assert_true(!mentioned[i] || said[i] == ABSENT);

        } else {
            assert_true(mentioned[i]);
            assert_true(said[i] != ABSENT);
            assert_true(said[i] <= truth[i] && said[i] > truth[i] - 250);
        }
    }
}


static void
forget(void)
{
    unsigned  i;

    for (i = 0; i < PACKETS; i++) {
        said[i] = ABSENT;
        truth[i] = ABSENT;
        mentioned[i] = false;
    }
}


static void
random_arrivals_are_reported_as_they_were(void **state)
{
    static cr_twcc_t  twcc;
    size_t            room;
    int64_t           now, reported;
    uint8_t           count;
    uint16_t          first;
    unsigned          round, i, k, n, loss, swap, spread, span;
    unsigned          other;
    unsigned          order[PACKETS];

    (void) state;

    for (round = 0; round < 3000; round++) {
        seed = round;
        forget();
        cr_twcc_init(&twcc);

        n = 1 + rnd(1500);
        first = (uint16_t) rnd(65536);
        loss = rnd(3) == 0 ? rnd(85) : rnd(20);
        swap = rnd(2) * rnd(30);
        span = 1 + rnd(60);
        spread = rnd(4) == 0 ? 300000 : 1 + rnd(20000);
        room = rnd(3) == 0 ? 28 + rnd(100) : 200 + rnd(1000);
        count = 0;

        /* somewhere, often near the wrap of the reference time */
        now = ((int64_t) 64000 << 24) * (int64_t) (1 + rnd(4)) - 1000000
              + rnd(2000000);

        for (i = 0; i < n; i++) {
            order[i] = i;
        }

        for (i = 0; i < n; i++) {
            if (rnd(100) < swap) {
                k = i + rnd(span);
                k = k < n ? k : n - 1;
                other = order[i];
                order[i] = order[k];
                order[k] = other;
            }
        }

        reported = now;

        for (i = 0; i < n; i++) {
            now += rnd(spread);

            if (rnd(100) < loss) {
                continue;
            }

            cr_twcc_packet(&twcc, (uint16_t) (first + order[i]), now);

            if (truth[order[i]] == ABSENT) {
                truth[order[i]] = now;
            }

            if (rnd(50) == 0) {
                /* a duplicate changes nothing */
                cr_twcc_packet(&twcc, (uint16_t) (first + order[i]),
                               now + 5000);
            }

            if (now - reported > 50000
                || twcc.last_seq - twcc.base_seq >= CR_TWCC_WINDOW / 2)
            {
                report(&twcc, first, &count, room, now);
                reported = now;
            }
        }

        report(&twcc, first, &count, room, now);
        compare(n);
    }
}


static void
packets_late_for_their_report_are_reported_again(void **state)
{
    static cr_twcc_t  twcc;
    uint8_t           count;

    (void) state;
    forget();
    cr_twcc_init(&twcc);
    count = 0;

    cr_twcc_packet(&twcc, 10, truth[0] = 1000000);
    cr_twcc_packet(&twcc, 12, truth[2] = 1010000);
    report(&twcc, 10, &count, 1200, 1010000);
    assert_true(mentioned[1] && said[1] == ABSENT);

    cr_twcc_packet(&twcc, 11, truth[1] = 1070000);
    assert_int_equal(twcc.pending, 2);
    assert_int_equal(report(&twcc, 10, &count, 1200, 1070000), 1);
    compare(3);
}


static void
a_hole_beyond_the_window_does_no_harm(void **state)
{
    static cr_twcc_t  twcc;
    uint8_t           count;

    (void) state;
    forget();
    cr_twcc_init(&twcc);
    count = 0;

    cr_twcc_packet(&twcc, 65000, 1000000);
    cr_twcc_packet(&twcc, 65001, 1000000);
    cr_twcc_packet(&twcc, (uint16_t) (65000 + 3000), truth[3000] = 1500000);
    assert_int_equal(twcc.pending, 1);
    report(&twcc, 65000, &count, 1200, 1500000);
    assert_int_equal(said[3000], 1500000);

    /* far back: not ours any more */
    cr_twcc_packet(&twcc, 65000, 1600000);
    assert_int_equal(twcc.pending, 0);
}


static void
a_delta_out_of_range_splits_the_feedback(void **state)
{
    static cr_twcc_t  twcc;
    uint8_t           count;

    (void) state;
    forget();
    cr_twcc_init(&twcc);
    count = 0;

    cr_twcc_packet(&twcc, 1, truth[0] = 1000000);
    cr_twcc_packet(&twcc, 2, truth[1] = 9500000);
    cr_twcc_packet(&twcc, 5, truth[4] = 90000000);
    assert_int_equal(report(&twcc, 1, &count, 1200, 9500000), 3);
    assert_int_equal(said[0], 1000000);
    assert_int_equal(said[1], 9500000);
    compare(5);
}


static void
no_room_is_an_overflow(void **state)
{
    static cr_twcc_t  twcc;
    uint8_t           buf[64];
    cr_writer_t       w;

    (void) state;
    cr_twcc_init(&twcc);
    cr_writer_init(&w, buf, 27);
    assert_false(cr_twcc_write(&twcc, &w, 1, 2));
    assert_false(w.overflow);

    cr_twcc_packet(&twcc, 1, 0);
    assert_false(cr_twcc_write(&twcc, &w, 1, 2));
    assert_true(w.overflow);
    assert_int_equal(twcc.pending, 1);
}


static void
steady_arrivals_cost_little(void **state)
{
    static cr_twcc_t  twcc;
    uint8_t           buf[1200];
    unsigned          i;
    cr_writer_t       w;

    (void) state;
    cr_twcc_init(&twcc);

    for (i = 0; i < 100; i++) {
        cr_twcc_packet(&twcc, (uint16_t) (65500 + i), i * 1000);
    }

    cr_writer_init(&w, buf, sizeof(buf));
    assert_true(cr_twcc_write(&twcc, &w, 1, 2));
    /* head, one run, a byte each */
    assert_int_equal(cr_writer_len(&w), (20 + 2 + 100 + 3) / 4 * 4);
    assert_false(cr_twcc_write(&twcc, &w, 1, 2));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(random_arrivals_are_reported_as_they_were),
        cmocka_unit_test(packets_late_for_their_report_are_reported_again),
        cmocka_unit_test(a_hole_beyond_the_window_does_no_harm),
        cmocka_unit_test(a_delta_out_of_range_splits_the_feedback),
        cmocka_unit_test(no_room_is_an_overflow),
        cmocka_unit_test(steady_arrivals_cost_little),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
