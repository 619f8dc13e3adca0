
/*
 * Copyright (C) The call recorder authors
 *
 * A stream behind a network that loses, reorders and duplicates, with a
 * sender that answers NACKs as long as its history lasts.  Every item is
 * compared with what was sent; what was sent is delivered or in a gap.
 */


#include "rtp/stream.h"
#include "env.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>


#define MS(n)        ((int64_t) (n) * 1000)

#define PACKETS_MAX  4000
#define FLIGHT_MAX   16384
#define FIRST_SEQ    65100       /* wraps soon */


typedef struct {
    int64_t   at;
    uint32_t  index;
    bool      nack;              /* on its way to the sender */
    bool      again;             /* a retransmission */
} flight_t;


typedef struct {
    unsigned  packets;
    unsigned  loss;              /* per mille, both ways, each try */
    unsigned  burst;             /* packets lost together */
    unsigned  duplicates;        /* per mille */
    bool      rtx;               /* retransmits on a stream of its own */
    int64_t   rtt;
    int64_t   jitter;
    int64_t   history;           /* how long the sender keeps packets */
    int64_t   give_up;
    uint32_t  window;
} world_t;


typedef struct {
    uint64_t  delivered;
    uint64_t  given_up;
} outcome_t;


static flight_t  flights[FLIGHT_MAX];
static unsigned  nflights;
static bool      seen[PACKETS_MAX];         /* handed out, or in a gap */
static bool      accepted[PACKETS_MAX];     /* push said CR_OK */
static int64_t   asked_at[PACKETS_MAX];
static uint32_t  seed;


static uint32_t
rnd(uint32_t n)
{
    seed = seed * 1664525 + 1013904223;
    return n ? (uint32_t) ((uint64_t) seed * n >> 32) : 0;
}


/* A heap by time. */
static void
launch(int64_t at, uint32_t index, bool nack, bool again)
{
    unsigned  i;

    assert_true(nflights < FLIGHT_MAX);

    for (i = nflights++; i > 0 && flights[(i - 1) / 2].at > at;
         i = (i - 1) / 2)
    {
        flights[i] = flights[(i - 1) / 2];
    }

    flights[i] = (flight_t) { at, index, nack, again };
}


static flight_t
land(void)
{
    flight_t  first, last;
    unsigned  i, child;

    first = flights[0];
    last = flights[--nflights];

    for (i = 0; (child = 2 * i + 1) < nflights; i = child) {
        if (child + 1 < nflights && flights[child + 1].at < flights[child].at)
        {
            child++;
        }

        if (flights[child].at >= last.at) {
            break;
        }

        flights[i] = flights[child];
    }

    flights[i] = last;
    return first;
}


static size_t
payload_len(uint32_t index)
{
    return index % 11 == 0 ? 0 : index * 7919 % 1300;
}


static uint8_t
payload_byte(uint32_t index, size_t i)
{
    return (uint8_t) (index * 31 + i * 7);
}


static void
check(const cr_rtp_item_t *item, uint32_t *next, outcome_t *out)
{
    size_t    i;
    uint32_t  n;

    assert_int_equal(item->seq, (int64_t) FIRST_SEQ + 65536 + *next);

    if (item->gap) {
        assert_true(item->gap_packets > 0);

        for (n = 0; n < item->gap_packets; n++) {
            assert_false(accepted[*next]);
            assert_false(seen[*next]);
            seen[(*next)++] = true;
        }

        out->given_up += item->gap_packets;
        return;
    }

    assert_true(accepted[*next]);
    assert_false(seen[*next]);
    assert_int_equal(item->timestamp, *next / 3 * 3000);
    assert_int_equal(item->marker, *next % 3 == 2);
    assert_int_equal(item->ext.len, *next % 5 * 4);
    assert_int_equal(item->payload.len, payload_len(*next));

    for (i = 0; i < item->ext.len; i++) {
        assert_int_equal(item->ext.data[i], payload_byte(*next, i + 1));
    }

    for (i = 0; i < item->payload.len; i++) {
        assert_int_equal(item->payload.data[i], payload_byte(*next, i));
    }

    seen[(*next)++] = true;
    out->delivered++;
}


static void
drain(cr_rtp_stream_t *s, int64_t now, uint32_t *next, outcome_t *out)
{
    cr_rtp_item_t  item;

    while (cr_rtp_stream_pop(s, now, &item) == CR_OK) {
        check(&item, next, out);
    }
}


/* The datagram lives only until the stream was popped empty. */
static void
arrive(cr_rtp_stream_t *s, const flight_t *f, bool rtx, uint32_t *next,
    outcome_t *out)
{
    size_t       i, ext, len;
    uint8_t     *data;
    cr_rtp_t     rtp;
    cr_status_e  rc;

    ext = f->index % 5 * 4;
    len = payload_len(f->index);
    data = malloc(ext + len + 1);

    for (i = 0; i < ext; i++) {
        data[i] = payload_byte(f->index, i + 1);
    }

    for (i = 0; i < len; i++) {
        data[ext + i] = payload_byte(f->index, i);
    }

    memset(&rtp, 0, sizeof(rtp));
    rtp.seq = (uint16_t) (FIRST_SEQ + f->index);
    rtp.timestamp = f->index / 3 * 3000;
    rtp.marker = f->index % 3 == 2;
    rtp.ext_profile = 0xbede;
    rtp.ext.data = data;
    rtp.ext.len = ext;
    rtp.payload.data = data + ext;
    rtp.payload.len = len;

    rc = cr_rtp_stream_push(s, &rtp, rtx, f->at);

    if (rc == CR_OK) {
        assert_false(accepted[f->index]);
        accepted[f->index] = true;

    } else {
        assert_int_equal(rc, CR_DECLINED);
        assert_true(accepted[f->index] || seen[f->index]);
    }

    drain(s, f->at, next, out);
    free(data);
}


static void
ask(cr_rtp_stream_t *s, const world_t *w, int64_t now)
{
    uint16_t  seqs[CR_NACK_MAX], index;
    int64_t   at;
    unsigned  i, n;

    while ((n = cr_rtp_stream_nack(s, now, w->rtt, seqs)) != 0) {
        for (i = 0; i < n; i++) {
            index = (uint16_t) (seqs[i] - FIRST_SEQ);
            assert_true(index < w->packets);
            assert_true(i == 0 || (int16_t) (seqs[i] - seqs[i - 1]) > 0);
            assert_false(accepted[index]);
            assert_false(seen[index]);
            assert_true(now - asked_at[index] >= w->rtt);
            assert_true(now - asked_at[index] >= MS(10));
            asked_at[index] = now;

            if (rnd(1000) >= w->loss) {
                at = now + w->rtt / 2 + rnd((uint32_t) w->jitter);
                launch(at, index, true, false);
            }
        }
    }
}


static outcome_t
simulate(const world_t *w)
{
    int64_t           now, deadline, sent_at;
    uint32_t          next;
    unsigned          i, lost;
    flight_t          f;
    outcome_t         out;
    test_env_t        env;
    cr_rtp_stream_t  *s;

    const cr_rtp_stream_config_t  config = {
        .clock_rate = 90000, .nack = true, .packets_max = w->window,
        .bytes_max = 8 * 1024 * 1024, .give_up_us = w->give_up,
        .nack_delay_us = MS(5), .nack_interval_us = MS(10)
    };

    const cr_rtp_stream_stats_t  *stats;

    test_env_init(&env, 1);
    s = cr_rtp_stream_create(&env.env, &config, 1);
    assert_non_null(s);
    memset(seen, 0, sizeof(seen));
    memset(accepted, 0, sizeof(accepted));
    memset(&out, 0, sizeof(out));
    nflights = 0;
    next = 0;
    lost = 0;

    for (i = 0; i < w->packets; i++) {
        asked_at[i] = -MS(1000000);
        sent_at = MS(i * 2);

        if (lost == 0 && i != 0 && i != w->packets - 1
            && rnd(1000) < w->loss)
        {
            lost = 1 + rnd(w->burst);
        }

        /* the first opens the stream, the last closes the ledger */
        if (lost != 0 && i != w->packets - 1) {
            lost--;
            continue;
        }

        launch(sent_at + w->rtt / 2
               + (i ? rnd((uint32_t) w->jitter) + 1 : 0), i, false, false);

        if (rnd(1000) < w->duplicates) {
            launch(sent_at + w->rtt / 2 + rnd(100000) + 1, i, false, false);
        }
    }

    while (nflights != 0 || cr_rtp_stream_deadline(s) != INT64_MAX) {
        deadline = cr_rtp_stream_deadline(s);

        if (nflights != 0 && flights[0].at <= deadline) {
            f = land();
            now = f.at;

            if (f.nack) {
                sent_at = MS(f.index * 2);

                if (now - sent_at <= w->history && rnd(1000) >= w->loss) {
                    launch(now + w->rtt / 2 + rnd((uint32_t) w->jitter),
                           f.index, false, true);
                }

            } else {
                arrive(s, &f, f.again && w->rtx, &next, &out);
            }

        } else {
            now = deadline;
            drain(s, now, &next, &out);
            ask(s, w, now);
            /* whatever was due is done */
            assert_true(cr_rtp_stream_deadline(s) > now);
        }
    }

    assert_int_equal(next, w->packets);
    assert_int_equal(out.delivered + out.given_up, w->packets);

    stats = cr_rtp_stream_stats(s);
    assert_int_equal(stats->received, out.delivered);
    assert_int_equal(stats->given_up, out.given_up);
    assert_int_equal(stats->lost, stats->recovered + stats->reordered
                                  + stats->given_up);

    cr_rtp_stream_destroy(s);
    assert_int_equal(env.live, 0);

    return out;
}


static void
everything_sent_is_delivered_or_in_the_ledger(void **state)
{
    world_t   w;
    unsigned  round;

    (void) state;

    for (round = 0; round < 200; round++) {
        seed = round * 7 + 1;

        w.packets = 500 + rnd(1500);
        w.loss = rnd(300);
        w.burst = 1 + rnd(2) * rnd(40);
        w.duplicates = rnd(100);
        w.rtx = rnd(2);
        w.rtt = MS(5 + rnd(300));
        w.jitter = rnd(2) * rnd(60000);
        w.history = MS(200 + rnd(3000));
        w.give_up = MS(100 + rnd(2000));
        w.window = 64u << rnd(6);

        (void) simulate(&w);
    }
}


static void
nothing_is_given_up_that_the_sender_still_has(void **state)
{
    unsigned   i;
    outcome_t  out;
    world_t    w = {
        .packets = PACKETS_MAX, .burst = 1, .rtx = true, .jitter = MS(5),
        .history = MS(3000), .give_up = MS(3000), .window = 4096
    };

    static const struct {
        int64_t   rtt;
        unsigned  loss;
    } paths[] = {
        { MS(20), 200 }, { MS(100), 50 }, { MS(100), 100 }, { MS(100), 200 },
        { MS(300), 50 },
    };

    (void) state;

    for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        seed = i;
        w.rtt = paths[i].rtt;
        w.loss = paths[i].loss;
        out = simulate(&w);
        assert_int_equal(out.given_up, 0);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(everything_sent_is_delivered_or_in_the_ledger),
        cmocka_unit_test(nothing_is_given_up_that_the_sender_still_has),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
