
/*
 * Copyright (C) The call recorder authors
 *
 * The media of a session between a publisher in memory and a peer.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "remote.h"


/* large: not for the stack */
static remote_t  r;


static void
frames_come_out_as_they_were_sent(void **state)
{
    cr_peer_stats_t  stats;

    (void) state;

    remote_connect(&r);
    remote_run(&r, 10000000);

    cr_peer_stats(r.peer, &stats);
    assert_int_equal(stats.lost, 0);
    assert_int_equal(stats.rejected, 0);
    assert_true(stats.packets > 1000);
    assert_true(stats.bytes > 500000);
    remote_assert_whole(&r, 3);
    assert_true(r.got[0] >= 500 - 2 && r.got[0] <= 500 + 10);
    assert_true(r.got[1] >= 300 - 2 && r.got[1] <= 300 + 10);
    assert_int_equal(r.keyframes, 1);

    /* media time runs as fast as the clock */
    assert_in_range(r.last_us[1] - r.first_us[1], 9900000, 10200000);
    assert_in_range(r.last_us[0] - r.first_us[0], 9900000, 10200000);

    /* reports every second, feedback while media flows */
    assert_in_range(r.rrs, 9, 13);
    assert_in_range(r.twccs, 40, 85);
    assert_int_equal(r.nacks, 0);
    assert_int_equal(r.plis, 0);
    assert_int_equal(r.rembs, 0);

    /* and both clocks were tied to the sender's */
    assert_true(r.clocks >= 2);
    assert_true(r.clock[0].from_sr);
    assert_true(r.clock[1].from_sr);

    cr_peer_close(r.peer, CR_PEER_LOCAL, r.now_us);
    assert_int_equal(r.state, CR_PEER_CLOSED);
    assert_int_equal(r.reason, CR_PEER_LOCAL);
    remote_run(&r, 100000);
    assert_int_equal(r.byes, 1);
    assert_int_equal(r.dtls_status, CR_DECLINED);
    assert_int_equal(cr_peer_deadline(r.peer), INT64_MAX);
}


static void
every_packet_lost_is_recovered_by_rtx(void **state)
{
    unsigned         i;
    cr_peer_stats_t  stats;

    (void) state;

    r.session.media[0].fb_nack = false;
    r.loss = 0;
    remote_connect(&r);
    r.loss = 100;
    remote_run(&r, 10000000);
    r.loss = 0;
    remote_run(&r, 3000000);

    cr_peer_stats(r.peer, &stats);
    assert_true(stats.lost > 100);
    assert_int_equal(stats.recovered + stats.given_up, stats.lost);

    /* of video all: 19 of 100 questions or answers are lost, too */
    assert_true(stats.recovered > 70);
    assert_in_range(r.nacks, stats.recovered, stats.recovered * 3 / 2);
    assert_int_equal(r.wrong, 0);
    assert_int_equal(r.got[1], r.sent[1] - r.began[1]);

    /* sound has no NACK here: what is lost of it is given up, and said */
    assert_in_range(r.gaps, 30, REMOTE_GAPS);

    for (i = 0; i < r.gaps; i++) {
        assert_int_equal(r.gap[i].track, 0);
    }

    assert_int_equal(r.gap_packets, stats.given_up);
    assert_true(r.gap_span_us >= (int64_t) r.gap_packets * 19000);
    assert_int_equal(r.incomplete, 0);
    assert_int_equal(r.plis, 0);

    /* 20 ms a way */
    assert_in_range(stats.rtt_us, 38000, 60000);
}


/* 100 ms are assumed, so each question is asked again before its answer. */
static void
a_long_way_is_found_out_and_asked_at_its_pace(void **state)
{
    cr_peer_stats_t  before, after;

    (void) state;

    r.delay_us = 150000;
    remote_connect(&r);
    r.loss = 20;
    remote_run(&r, 5000000);
    cr_peer_stats(r.peer, &before);
    assert_in_range(before.rtt_us, 270000, 400000);

    remote_run(&r, 60000000);
    cr_peer_stats(r.peer, &after);
    assert_in_range(after.rtt_us, 290000, 360000);

    /* a sixth of a second is waited at least: twice for each, rarely more */
    assert_true(after.recovered - before.recovered > 60);
    assert_true(after.nacks - before.nacks
                < (after.recovered - before.recovered) * 5 / 2 + 5);
}


static void
a_way_that_becomes_longer_is_followed(void **state)
{
    cr_peer_stats_t  stats;

    (void) state;

    remote_connect(&r);
    r.loss = 50;
    remote_run(&r, 3000000);
    cr_peer_stats(r.peer, &stats);
    assert_in_range(stats.rtt_us, 38000, 70000);

    r.delay_us = 150000;
    remote_run(&r, 60000000);
    cr_peer_stats(r.peer, &stats);
    assert_in_range(stats.rtt_us, 240000, 420000);

    r.delay_us = 20000;
    remote_run(&r, 20000000);
    cr_peer_stats(r.peer, &stats);
    assert_in_range(stats.rtt_us, 38000, 70000);
}


static void
a_repetition_on_the_same_ssrc_does_as_well(void **state)
{
    cr_peer_stats_t  stats;

    (void) state;

    r.no_rtx = true;
    r.session.media[1].rtx_pt = 0;
    r.session.media[1].rtx_ssrc = 0;
    remote_connect(&r);
    r.loss = 50;
    remote_run(&r, 5000000);
    r.loss = 0;
    remote_run(&r, 3000000);

    cr_peer_stats(r.peer, &stats);
    assert_true(stats.recovered > 20);
    assert_int_equal(r.wrong, 0);
    assert_int_equal(r.incomplete, 0);
}


static void
what_cannot_be_had_is_given_up_and_a_keyframe_asked_for(void **state)
{
    unsigned         keyframes, i;
    cr_peer_stats_t  stats;

    (void) state;

    remote_connect(&r);
    remote_run(&r, 1000000);
    assert_int_equal(r.keyframes, 1);

    /* 300 ms of nothing, and nothing of it is kept */
    r.loss = 1000;
    remote_run(&r, 300000);
    r.loss = 0;
    memset(r.history, 0, sizeof(r.history));
    keyframes = r.keyframes;
    i = r.got[1];

    remote_run(&r, 1500000);
    /* what is behind the hole waits with it */
    assert_int_equal(r.got[1], i);
    assert_int_equal(r.plis, 0);

    remote_run(&r, 1500000);
    assert_true(r.got[1] > i);
    assert_true(r.plis >= 1);
    assert_true(r.keyframes > keyframes);
    assert_true(r.gaps >= 1);

    cr_peer_stats(r.peer, &stats);
    assert_true(stats.given_up > 10);
    assert_int_equal(stats.plis, r.plis);
    assert_int_equal(r.wrong, 0);
}


static void
all_is_learnt_without_signalled_ssrcs(void **state)
{
    (void) state;

    r.session.media[1].ssrc = 0;
    r.session.media[1].rtx_ssrc = 0;
    remote_connect(&r);
    r.loss = 20;
    remote_run(&r, 5000000);
    r.loss = 0;
    remote_run(&r, 1000000);
    assert_true(r.got[1] > 150);
    assert_int_equal(r.wrong, 0);
    assert_int_equal(r.incomplete, 0);
}


static void
payload_types_serve_without_extensions(void **state)
{
    (void) state;

    r.no_ext = true;
    r.session.media[1].ssrc = 0;
    r.session.media[1].rtx_ssrc = 0;
    remote_connect(&r);
    r.loss = 20;
    remote_run(&r, 5000000);
    r.loss = 0;
    remote_run(&r, 1000000);
    assert_true(r.got[1] > 150);
    assert_true(r.got[0] > 200);
    assert_int_equal(r.wrong, 0);
    assert_int_equal(r.twccs, 0);
}


static void
close_hands_out_what_waited_for_a_hole(void **state)
{
    unsigned  before;

    (void) state;

    remote_connect(&r);
    remote_run(&r, 500000);
    r.loss = 1000;
    remote_run(&r, 100000);
    r.loss = 0;
    memset(r.history, 0, sizeof(r.history));
    remote_run(&r, 500000);
    before = r.got[1];
    cr_peer_close(r.peer, CR_PEER_LOCAL, r.now_us);
    assert_true(r.got[1] >= before + 12);
    assert_true(r.gaps >= 1);

    /* and once only */
    before = r.got[1];
    cr_peer_close(r.peer, CR_PEER_LOCAL, r.now_us);
    assert_int_equal(r.got[1], before);
    assert_int_equal(r.states, 3);
}


static void
keyframe_requests_keep_the_floor(void **state)
{
    unsigned  i;

    (void) state;

    remote_begin(&r);
    /* before there is anybody to ask */
    cr_peer_request_keyframe(r.peer, 1, false, r.now_us);
    remote_run(&r, 1000000);
    assert_int_equal(r.state, CR_PEER_CONNECTED);
    /* the first frame was one */
    assert_int_equal(r.plis, 0);

    for (i = 0; i < 20; i++) {
        cr_peer_request_keyframe(r.peer, 1, false, r.now_us);
        cr_peer_request_keyframe(r.peer, 0, false, r.now_us);
        cr_peer_request_keyframe(r.peer, 7, false, r.now_us);
        remote_run(&r, 10000);
    }

    /* one at once, the rest together when the floor is over */
    assert_int_equal(r.plis, 1);
    remote_run(&r, 1000000);
    assert_int_equal(r.plis, 2);
    assert_int_equal(r.keyframes, 3);
}


static void
fir_serves_where_pli_is_not_known(void **state)
{
    (void) state;

    r.session.media[1].fb_pli = false;
    r.session.media[1].fb_fir = true;
    remote_connect(&r);
    remote_run(&r, 500000);
    cr_peer_request_keyframe(r.peer, 1, false, r.now_us);
    remote_run(&r, 500000);
    assert_int_equal(r.firs, 1);
    assert_int_equal(r.plis, 0);
    assert_int_equal(r.keyframes, 2);
}


static void
remb_serves_where_transport_cc_is_not_known(void **state)
{
    (void) state;

    r.session.media[0].fb_twcc = false;
    r.session.media[1].fb_twcc = false;
    r.session.media[1].fb_remb = true;
    remote_connect(&r);
    remote_run(&r, 5000000);
    assert_true(r.rembs >= 4);
    assert_int_equal(r.twccs, 0);
}


static void
video_that_begins_without_a_keyframe_gets_one_asked_for(void **state)
{
    (void) state;

    remote_begin(&r);
    r.want_keyframe = false;
    remote_run(&r, 1000000);
    assert_int_equal(r.state, CR_PEER_CONNECTED);
    assert_int_equal(r.plis, 1);

    /* what was sent before it may still come, for a while */
    remote_run(&r, 1000000);
    assert_int_equal(r.keyframes, 1);
}


static void
orientation_becomes_rotation(void **state)
{
    (void) state;

    remote_connect(&r);
    remote_run(&r, 300000);
    assert_int_equal(r.rotation, 0);
    r.cvo = 1;
    remote_run(&r, 300000);
    r.next_us[0] = INT64_MAX;
    remote_run(&r, 300000);
    assert_int_equal(r.rotation, 90);
}


static void
a_new_ssrc_takes_a_track_over(void **state)
{
    unsigned  before;

    (void) state;

    remote_connect(&r);
    remote_run(&r, 1000000);

    /* not while the old one is there: only one of two layers is taken */
    r.video_ssrc = 0x33330001;
    r.seq[1] = 100;
    r.shift = 0x87654321;
    remote_run(&r, 100000);
    before = r.got[1];
    remote_run(&r, 100000);
    assert_int_equal(r.got[1], before);

    remote_run(&r, 2000000);
    assert_true(r.got[1] > before + 30);
    assert_true(r.plis >= 1);
    assert_true(r.keyframes >= 2);
    assert_int_equal(r.wrong, 0);

    /* its time stamps are others, the time goes on */
    assert_in_range(r.last_us[1] - r.first_us[1], 3050000, 3300000);
    /* its first packets, sent while the old one was there, were waited for */
    assert_true(r.off_us < 1500000);
}


static void
garbage_disturbs_nothing(void **state)
{
    size_t           len;
    uint8_t          buf[1500];
    unsigned         i;
    cr_peer_stats_t  stats;

    (void) state;

    remote_connect(&r);

    for (i = 0; i < 5000; i++) {
        len = test_env_next(&r.env) % sizeof(buf);
        test_env_random(&r.env, buf, len);
        assert_true(cr_peer_input(r.peer, &r.addr, buf, len, r.now_us)
                    != CR_OK || (buf[0] >= 20 && buf[0] <= 63));

        if (i % 10 == 0) {
            remote_run(&r, 1000);
        }
    }

    remote_run(&r, 1000000);
    cr_peer_stats(r.peer, &stats);
    assert_true(stats.rejected > 3000);
    assert_int_equal(r.state, CR_PEER_CONNECTED);
    assert_int_equal(r.wrong, 0);
    assert_int_equal(r.incomplete, 0);
    assert_int_equal(r.gaps, 0);
}


static void
replayed_and_forged_media_changes_nothing(void **state)
{
    unsigned         i, n, got;
    uint8_t          buf[1600];
    remote_wire_t    w;
    cr_peer_stats_t  stats;

    (void) state;

    remote_connect(&r);
    n = 0;

    for (i = 0; i < 500; i++) {
        if (r.nwire != 0 && r.wire[0].to_peer && r.wire[0].data[0] >= 128) {
            w = r.wire[0];
            remote_run(&r, 25000);

            memcpy(buf, w.data, w.len);
            assert_int_equal(cr_peer_input(r.peer, &r.addr, buf, w.len,
                                           r.now_us), CR_DECLINED);
            memcpy(buf, w.data, w.len);
            buf[w.len / 2] ^= 1;
            assert_int_not_equal(cr_peer_input(r.peer, &r.addr, buf, w.len,
                                               r.now_us), CR_OK);
            n++;
        }

        remote_run(&r, 1000);
    }

    assert_true(n > 10);
    got = r.got[0];
    remote_run(&r, 1000000);
    assert_true(r.got[0] > got + 40);
    cr_peer_stats(r.peer, &stats);
    assert_int_equal(stats.rejected, 2 * n);
    remote_assert_whole(&r, 3);
}


static void
many_ssrcs_are_bounded(void **state)
{
    long      live;
    unsigned  i;

    (void) state;

    remote_connect(&r);
    remote_run(&r, 500000);
    live = r.env.live;

    for (i = 0; i < 500; i++) {
        r.video_ssrc = 0x40000000 + i;
        remote_media(&r, 1);
        remote_run(&r, 30000);
    }

    remote_run(&r, 2000000);
    assert_true(r.env.live < live + 100);
    assert_int_equal(r.state, CR_PEER_CONNECTED);
    assert_int_equal(r.wrong, 0);
}


static void
running_out_of_memory_at_any_moment_is_survived(void **state)
{
    long  n, calls;

    (void) state;

    /* how many there are to fail */
    remote_connect(&r);
    r.loss = 100;
    remote_run(&r, 1000000);
    calls = r.env.calls;
    remote_destroy(&r);
    assert_int_equal(r.env.live, 0);

    for (n = 1; n <= calls; n += 1 + n / 40) {
        remote_init(&r, 1);
        r.env.fail_at = n;

        if (remote_create(&r)) {
            remote_run(&r, 200000);
            r.loss = 100;
            remote_run(&r, 1000000);
            assert_int_equal(r.wrong, 0);
        }

        remote_destroy(&r);
        assert_int_equal(r.env.live, 0);
    }
}


#define TEST(f)  REMOTE_TEST(f, &r, remote_setup)


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        TEST(frames_come_out_as_they_were_sent),
        TEST(every_packet_lost_is_recovered_by_rtx),
        TEST(a_long_way_is_found_out_and_asked_at_its_pace),
        TEST(a_way_that_becomes_longer_is_followed),
        TEST(a_repetition_on_the_same_ssrc_does_as_well),
        TEST(what_cannot_be_had_is_given_up_and_a_keyframe_asked_for),
        TEST(all_is_learnt_without_signalled_ssrcs),
        TEST(payload_types_serve_without_extensions),
        TEST(close_hands_out_what_waited_for_a_hole),
        TEST(keyframe_requests_keep_the_floor),
        TEST(fir_serves_where_pli_is_not_known),
        TEST(remb_serves_where_transport_cc_is_not_known),
        TEST(video_that_begins_without_a_keyframe_gets_one_asked_for),
        TEST(orientation_becomes_rotation),
        TEST(a_new_ssrc_takes_a_track_over),
        TEST(garbage_disturbs_nothing),
        TEST(replayed_and_forged_media_changes_nothing),
        TEST(many_ssrcs_are_bounded),
        TEST(running_out_of_memory_at_any_moment_is_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
