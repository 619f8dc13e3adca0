
/*
 * Copyright (C) The call recorder authors
 *
 * A sender that obeys REMB, behind a path that becomes narrow: a queue of
 * bounded length that drops what does not fit in.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "rtp/remb.h"


#define MAX       1500000
#define PACKET    1000
#define WAY_US    20000
#define OBEYS_US  200000           /* until it sends as it is told */


/* The way, its queue, and the sender at its end. */
static struct {
    cr_remb_t  e;
    uint64_t   seed;
    int64_t    now_us;
    int64_t    next_us;            /* of the sender's packets */
    int64_t    free_us;            /* when the queue is empty */
    int64_t    queue_max_us;
    int64_t    way_us;
    int64_t    jitter_us;
    int64_t    skew;               /* the sender's clock, ppm */
    int64_t    report_us;
    int64_t    obeys_us;
    uint64_t   rate;               /* of the path */
    uint64_t   sends;              /* the sender */
    uint64_t   told;
    unsigned   sent, dropped;
    unsigned   interval, interval_dropped;
    unsigned   fell;
    uint64_t   low;
} way;


static int64_t
chance(int64_t below)
{
    way.seed = way.seed * 6364136223846793005u + 1442695040888963407u;

    return below == 0 ? 0 : (int64_t) ((way.seed >> 33) % (uint64_t) below);
}


static void
way_init(void)
{
    memset(&way, 0, sizeof(way));
    way.now_us = 1000000;
    way.next_us = way.now_us;
    way.rate = 10000000;
    way.queue_max_us = 300000;
    way.way_us = WAY_US;
    way.sends = MAX;
    way.told = MAX;
    way.low = MAX;
    way.obeys_us = INT64_MAX;
    way.report_us = way.now_us;
    cr_remb_init(&way.e, MAX, way.now_us);
}


static void
tell(uint64_t bitrate)
{
    way.low = bitrate < way.low ? bitrate : way.low;

    if (bitrate != way.told) {
        way.told = bitrate;
        way.obeys_us = way.now_us + way.way_us + OBEYS_US;
    }
}


/* The packet that is sent now. */
static void
way_packet(void)
{
    int64_t   arrival_us, stamp_us;

    way.sent++;
    way.interval++;

    if (way.free_us < way.now_us) {
        way.free_us = way.now_us;
    }

    if (way.free_us - way.now_us > way.queue_max_us) {
        way.dropped++;
        way.interval_dropped++;
        return;
    }

    way.free_us += (int64_t) (PACKET * 8 * UINT64_C(1000000) / way.rate);
    arrival_us = way.free_us + way.way_us + chance(way.jitter_us);
    stamp_us = way.now_us + way.now_us / 1000000 * way.skew;

    if (cr_remb_packet(&way.e, PACKET, arrival_us)) {
        way.fell++;
        tell(way.e.bitrate);
    }

    cr_remb_sent(&way.e, (uint32_t) (stamp_us * 9 / 100), 90000, arrival_us);
}


static void
way_run(int64_t us)
{
    int64_t  end_us = way.now_us + us;

    for ( ; way.now_us < end_us; way.now_us += 1000) {

        if (way.now_us >= way.obeys_us) {
            way.sends = way.told;
            way.obeys_us = INT64_MAX;
        }

        while (way.next_us <= way.now_us) {
            way_packet();
            way.next_us += (int64_t) (PACKET * 8 * UINT64_C(1000000)
                                      / way.sends);
        }

        if (way.now_us >= way.report_us) {
            tell(cr_remb_report(&way.e, (uint8_t) (way.interval_dropped * 255
                                        / (way.interval + 1)), way.now_us));
            way.interval = way.interval_dropped = 0;
            way.report_us += 1000000;
        }
    }
}


static void
a_wide_path_bears_all(void **state)
{
    (void) state;

    way_init();
    way.jitter_us = 40000;
    way.skew = 150;
    way_run(120000000);
    assert_int_equal(way.fell, 0);
    assert_int_equal(way.low, MAX);
}


/* Of 4 times what it bears, no more is lost than before it can be known. */
static void
a_narrow_path_is_kept_to(void **state)
{
    unsigned  i;

    static const int64_t  queues_us[] = { 200000, 300000, 400000 };

    (void) state;

    for (i = 0; i < sizeof(queues_us) / sizeof(queues_us[0]); i++) {
        way_init();
        way.queue_max_us = queues_us[i];
        way_run(15000000);
        assert_int_equal(way.told, MAX);

        way.rate = 400000;
        way_run(3000000);
        assert_true(way.sends < 400000);
        assert_true(way.dropped < 120);

        /* and then there is room, for whatever is repeated */
        way.dropped = 0;
        way_run(30000000);
        assert_int_equal(way.dropped, 0);
        assert_in_range(way.sends, 200000, 480000);

        way.rate = 10000000;
        way_run(30000000);
        assert_int_equal(way.told, MAX);
    }
}


static void
loss_without_a_queue_is_followed_too(void **state)
{
    (void) state;

    way_init();
    way_run(5000000);
    way.queue_max_us = 1000;
    way.rate = 400000;
    way_run(10000000);
    assert_true(way.sends < 480000);
}


static void
a_longer_way_is_no_queue(void **state)
{
    (void) state;

    way_init();
    way_run(5000000);
    way.way_us += 200000;
    way_run(40000000);
    assert_true(way.low > MAX / 4);
    assert_int_equal(way.told, MAX);
}


static void
another_clock_begins_anew(void **state)
{
    (void) state;

    way_init();
    way_run(5000000);
    cr_remb_restart(&way.e);
    way.now_us += 3600000000;
    way.next_us = way.report_us = way.now_us;
    way_run(5000000);
    assert_int_equal(way.fell, 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(a_wide_path_bears_all),
        cmocka_unit_test(a_narrow_path_is_kept_to),
        cmocka_unit_test(loss_without_a_queue_is_followed_too),
        cmocka_unit_test(a_longer_way_is_no_queue),
        cmocka_unit_test(another_clock_begins_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
