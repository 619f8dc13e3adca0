
/*
 * Copyright (C) The call recorder authors
 *
 * How sessions begin, move and end.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "remote.h"


/* large: not for the stack */
static remote_t  r;


static void
a_passive_offer_makes_us_the_dtls_client(void **state)
{
    (void) state;

    r.session.dtls_client = true;
    remote_connect(&r);
    remote_run(&r, 2000000);
    assert_true(r.got[1] > 50);
    assert_int_equal(r.wrong, 0);
}


static void
a_handshake_gets_through_heavy_loss(void **state)
{
    (void) state;

    r.loss = 300;
    remote_connect(&r);
    r.loss = 0;
    remote_run(&r, 2000000);
    assert_true(r.got[1] > 50);
    assert_int_equal(r.wrong, 0);
}


static void
a_wrong_fingerprint_closes_the_peer(void **state)
{
    (void) state;

    r.session.fingerprint[3] ^= 0x20;
    remote_begin(&r);
    remote_run(&r, 2000000);
    assert_int_equal(r.state, CR_PEER_CLOSED);
    assert_int_equal(r.reason, CR_PEER_FINGERPRINT);
    assert_string_equal(cr_peer_reason(r.reason), "fingerprint-mismatch");
    assert_int_equal(r.got[0] + r.got[1], 0);
}


static void
a_peer_that_never_comes_times_out(void **state)
{
    (void) state;

    remote_begin(&r);
    r.silent = true;
    remote_run(&r, 14900000);
    assert_int_equal(r.states, 0);
    remote_run(&r, 200000);
    assert_int_equal(r.state, CR_PEER_CLOSED);
    assert_int_equal(r.reason, CR_PEER_TIMEOUT);
}


static void
silence_expires_the_consent(void **state)
{
    (void) state;

    remote_connect(&r);
    remote_run(&r, 1000000);
    r.silent = true;
    remote_run(&r, 29000000);
    assert_int_equal(r.state, CR_PEER_CONNECTED);
    remote_run(&r, 2000000);
    assert_int_equal(r.state, CR_PEER_CLOSED);
    assert_int_equal(r.reason, CR_PEER_CONSENT_EXPIRED);
    assert_int_equal(r.byes, 0);
}


static void
checks_alone_keep_the_consent(void **state)
{
    (void) state;

    remote_connect(&r);
    r.next_us[0] = INT64_MAX;
    r.next_us[1] = INT64_MAX;
    r.last_sr_us = INT64_MAX / 2;
    remote_run(&r, 60000000);
    assert_int_equal(r.state, CR_PEER_CONNECTED);
}


static void
bye_of_all_and_silence_is_the_end(void **state)
{
    (void) state;

    remote_connect(&r);
    remote_run(&r, 1000000);
    r.next_us[0] = INT64_MAX;
    r.next_us[1] = INT64_MAX;
    remote_bye(&r, REMOTE_VIDEO_SSRC);
    remote_bye(&r, REMOTE_AUDIO_SSRC);
    remote_run(&r, 25000);
    r.silent = true;
    remote_run(&r, 5000000);
    assert_int_equal(r.state, CR_PEER_CONNECTED);
    remote_run(&r, 2000000);
    assert_int_equal(r.state, CR_PEER_CLOSED);
    assert_int_equal(r.reason, CR_PEER_BYE);
}


static void
bye_of_one_is_not(void **state)
{
    (void) state;

    remote_connect(&r);
    remote_run(&r, 1000000);
    remote_bye(&r, REMOTE_VIDEO_SSRC);
    r.no_video = true;
    remote_run(&r, 10000000);
    assert_int_equal(r.state, CR_PEER_CONNECTED);

    /* and a sender may come back */
    r.no_video = false;
    r.next_us[1] = r.now_us;
    remote_run(&r, 10000000);
    assert_int_equal(r.state, CR_PEER_CONNECTED);
}


static void
close_notify_closes(void **state)
{
    (void) state;

    remote_connect(&r);
    remote_run(&r, 500000);
    cr_dtls_close(r.dtls);
    remote_run(&r, 100000);
    assert_int_equal(r.state, CR_PEER_CLOSED);
    assert_int_equal(r.reason, CR_PEER_DTLS_CLOSED);
}


static void
foreign_checks_get_no_answer(void **state)
{
    unsigned         i;
    cr_peer_stats_t  stats;

    static const char  *const  users[] = {
        "ours:other", "other:" REMOTE_UFRAG, "ours", "", ":",
        LOCAL_UFRAG ":" REMOTE_UFRAG "x"
    };

    (void) state;

    remote_begin(&r);

    for (i = 0; i < 6; i++) {
        remote_stun(&r, users[i], LOCAL_PWD, true, true);
    }

    remote_stun(&r, LOCAL_UFRAG ":" REMOTE_UFRAG, "wrong", true, true);
    remote_stun(&r, LOCAL_UFRAG ":" REMOTE_UFRAG, REMOTE_PWD, true, true);
    r.last_stun_us = r.now_us + 10000000;
    remote_run(&r, 100000);

    assert_int_equal(r.stun_success, 0);
    assert_int_equal(r.stun_error, 0);
    assert_int_equal(r.states, 0);
    cr_peer_stats(r.peer, &stats);
    assert_int_equal(stats.rejected, 8);
}


static void
a_role_conflict_is_answered_487(void **state)
{
    (void) state;

    remote_begin(&r);
    remote_stun(&r, LOCAL_UFRAG ":" REMOTE_UFRAG, LOCAL_PWD, false, false);
    remote_run(&r, 50000);
    assert_int_equal(r.stun_error, 487);
    assert_int_equal(r.states, 0);
}


static void
dtls_from_an_unproven_address_is_not_looked_at(void **state)
{
    uint8_t    alert[15] = { 21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2,
                             40 };
    cr_addr_t  other;

    (void) state;

    remote_connect(&r);
    other = r.addr;
    other.port++;
    assert_int_equal(cr_peer_input(r.peer, &other, alert, 15, r.now_us),
                     CR_DECLINED);
    assert_int_equal(cr_peer_state(r.peer), CR_PEER_CONNECTED);
}


static void
nomination_moves_what_is_sent(void **state)
{
    unsigned  rrs;

    (void) state;

    remote_connect(&r);
    remote_run(&r, 1000000);
    rrs = r.rrs;

    /* the publisher is on another address from now on */
    r.addr.port = 50000;
    r.addr.ip[3] = 77;
    remote_run(&r, 1000000);
    assert_true(r.rrs <= rrs + 1);
    remote_run(&r, 4000000);
    assert_true(r.rrs >= rrs + 2);
    assert_int_equal(r.wrong, 0);
}


static void
an_address_is_of_its_transport(void **state)
{
    uint8_t    alert[15] = { 21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2,
                             40 };
    unsigned   success;
    cr_addr_t  udp;

    (void) state;

    remote_connect(&r);

    /* the same numbers, by TCP: nobody has proven that */
    udp = r.addr;
    r.addr.transport = CR_TCP;
    assert_int_equal(cr_peer_input(r.peer, &r.addr, alert, 15, r.now_us),
                     CR_DECLINED);
    assert_int_equal(cr_peer_state(r.peer), CR_PEER_CONNECTED);

    /* what answers a check goes where that came from */
    success = r.stun_success;
    remote_stun(&r, LOCAL_UFRAG ":" REMOTE_UFRAG, LOCAL_PWD, true, false);
    r.silent = true;
    remote_run(&r, 50000);
    assert_int_equal(r.stun_success, success + 1);

    /* and what is sent by itself, where the nomination was */
    success = r.rrs;
    remote_run(&r, 3000000);
    assert_true(r.rrs <= success + 1);
    r.addr = udp;
    remote_run(&r, 3000000);
    assert_true(r.rrs >= success + 2);
}


static void
a_lost_path_leaves_the_others(void **state)
{
    unsigned   rrs;
    cr_addr_t  tcp, udp;

    (void) state;

    remote_connect(&r);
    udp = r.addr;

    /* the publisher goes on over TCP, and its connection is closed */
    r.addr.transport = CR_TCP;
    remote_stun(&r, LOCAL_UFRAG ":" REMOTE_UFRAG, LOCAL_PWD, true, true);
    r.silent = true;
    remote_run(&r, 1000000);
    tcp = r.addr;
    r.addr = udp;
    rrs = r.rrs;
    remote_run(&r, 3000000);
    assert_true(r.rrs <= rrs + 1);

    cr_peer_path_lost(r.peer, &tcp);
    rrs = r.rrs;
    remote_run(&r, 3000000);
    assert_true(r.rrs >= rrs + 2);

    /* the last one too: the first valid check is the next */
    cr_peer_path_lost(r.peer, &tcp);
    cr_peer_path_lost(r.peer, &udp);
    r.addr = tcp;
    r.addr.port++;
    rrs = r.rrs;
    r.silent = false;
    remote_stun(&r, LOCAL_UFRAG ":" REMOTE_UFRAG, LOCAL_PWD, true, false);
    r.silent = true;
    remote_run(&r, 3000000);
    assert_true(r.rrs >= rrs + 2);
    assert_int_equal(r.state, CR_PEER_CONNECTED);
}


static void
an_ice_restart_changes_the_credentials(void **state)
{
    unsigned  success;

    (void) state;

    remote_connect(&r);
    assert_int_equal(cr_peer_restart(r.peer, "new", "new-password-of-22-long",
                                     "their", "whatever"), CR_OK);

    /* the old ones serve until the new ones are used */
    success = r.stun_success;
    remote_stun(&r, LOCAL_UFRAG ":" REMOTE_UFRAG, LOCAL_PWD, true, false);
    remote_run(&r, 50000);
    assert_int_equal(r.stun_success, success + 1);

    remote_stun(&r, "new:their", "new-password-of-22-long", true, true);
    remote_run(&r, 50000);
    /* (its answer is signed with what this test does not look for) */
    assert_int_equal(r.stun_success, success + 1);

    remote_stun(&r, LOCAL_UFRAG ":" REMOTE_UFRAG, LOCAL_PWD, true, false);
    remote_run(&r, 50000);
    assert_int_equal(r.stun_success, success + 1);
    assert_int_equal(r.state, CR_PEER_CONNECTED);
    assert_true(r.got[1] > 0);

    cr_peer_close(r.peer, CR_PEER_LOCAL, r.now_us);
    assert_int_equal(cr_peer_restart(r.peer, "a", "b", "c", "d"),
                     CR_DECLINED);
}


static void
sessions_that_cannot_be_are_refused(void **state)
{
    (void) state;

    r.session.nmedia = CR_MEDIA_MAX + 1;
    assert_false(remote_create(&r));
    r.session.nmedia = 2;
    r.session.fingerprint_len = 65;
    assert_false(remote_create(&r));
}


static void
every_reason_has_a_word(void **state)
{
    unsigned  i, j;

    (void) state;

    for (i = CR_PEER_ALIVE; i <= CR_PEER_ERROR; i++) {
        for (j = CR_PEER_ALIVE; j < i; j++) {
            assert_string_not_equal(cr_peer_reason(i), cr_peer_reason(j));
        }
    }
}


#define TEST(f)  REMOTE_TEST(f, &r, remote_setup)


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        TEST(a_passive_offer_makes_us_the_dtls_client),
        TEST(a_handshake_gets_through_heavy_loss),
        TEST(a_wrong_fingerprint_closes_the_peer),
        TEST(a_peer_that_never_comes_times_out),
        TEST(silence_expires_the_consent),
        TEST(checks_alone_keep_the_consent),
        TEST(bye_of_all_and_silence_is_the_end),
        TEST(bye_of_one_is_not),
        TEST(close_notify_closes),
        TEST(foreign_checks_get_no_answer),
        TEST(a_role_conflict_is_answered_487),
        TEST(dtls_from_an_unproven_address_is_not_looked_at),
        TEST(nomination_moves_what_is_sent),
        TEST(an_address_is_of_its_transport),
        TEST(a_lost_path_leaves_the_others),
        TEST(an_ice_restart_changes_the_credentials),
        TEST(sessions_that_cannot_be_are_refused),
        TEST(every_reason_has_a_word),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
