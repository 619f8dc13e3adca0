
/*
 * Copyright (C) The call recorder authors
 *
 * Trickle-ICE fragments, with the examples of RFC 9725 section 4.3.
 */


#include "sdp/sdp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>


/* RFC 9725 section 4.3.1, its example's candidates */
static const char  trickle[] =
    "a=group:BUNDLE 0 1\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"
    "a=mid:0\r\n"
    "a=ice-ufrag:EsAw\r\n"
    "a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n"
    "a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host "
        "generation 0 ufrag EsAw network-id 1\r\n"
    "a=candidate:3471623853 1 udp 2122194687 198.51.100.2 61765 typ host "
        "generation 0 ufrag EsAw network-id 2\r\n"
    "a=candidate:473322822 1 tcp 1518280447 192.0.2.1 9 typ host tcptype "
        "active generation 0 ufrag EsAw network-id 1\r\n"
    "a=candidate:1 1 udp 1 0f11-22.local 5 typ host\r\n"
    "a=end-of-candidates\r\n";

static cr_sdpfrag_t   frag;
static const char    *why;


static cr_status_e
parse(const char *text)
{
    why = NULL;

    return cr_sdpfrag_parse(text, strlen(text), &frag, &why);
}


static void
assert_refused(const char *text, cr_status_e status, const char *words)
{
    assert_int_equal(parse(text), status);
    assert_non_null(why);
    assert_non_null(strstr(why, words));
}


static void
candidates_are_counted(void **state)
{
    (void) state;

    assert_int_equal(parse(trickle), CR_OK);
    assert_string_equal(frag.ufrag, "EsAw");
    assert_string_equal(frag.pwd, "P2uYro0UCOQ4zxjKXaWCBui1");
    assert_int_equal(frag.ncandidates, 4);
    assert_true(frag.end_of_candidates);

    assert_int_equal(parse("m=audio 9 RTP/AVP 0\na=mid:0\n"), CR_OK);
    assert_string_equal(frag.ufrag, "");
    assert_string_equal(frag.pwd, "");
    assert_int_equal(frag.ncandidates, 0);
    assert_false(frag.end_of_candidates);
}


static void
new_credentials_are_read(void **state)
{
    (void) state;

    /* the same in each m-section of a bundle */

    assert_int_equal(parse("a=ice-options:trickle ice2\r\n"
                           "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"
                           "a=mid:0\r\n"
                           "a=ice-ufrag:ysXw\r\n"
                           "a=ice-pwd:vw5LmwG4y/e6dPP/zAP9Gp5k\r\n"
                           "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n"
                           "a=mid:1\r\n"
                           "a=ice-ufrag:ysXw\r\n"
                           "a=ice-pwd:vw5LmwG4y/e6dPP/zAP9Gp5k\r\n"), CR_OK);
    assert_string_equal(frag.ufrag, "ysXw");
    assert_string_equal(frag.pwd, "vw5LmwG4y/e6dPP/zAP9Gp5k");

    assert_refused("a=ice-ufrag:ysXw\r\na=ice-ufrag:other\r\n", CR_INVALID,
                   "second a=ice-ufrag");
    assert_refused("a=ice-ufrag:ysXw\r\n"
                   "a=ice-pwd:vw5LmwG4y/e6dPP/zAP9Gp5k\r\n"
                   "a=ice-pwd:vw5LmwG4y/e6dPP/zAP9Gp5K\r\n", CR_INVALID,
                   "second a=ice-pwd");
    assert_refused("a=ice-pwd:vw5LmwG4y/e6dPP/zAP9Gp5k\r\n", CR_INVALID,
                   "no a=ice-ufrag");
    assert_refused("a=ice-ufrag:x\r\n", CR_INVALID, "bad");
    assert_refused("a=ice-pwd:x\r\n", CR_INVALID, "bad");
}


static void
malformed_fragments_are_invalid(void **state)
{
    size_t  i;

    static const char *const  candidates[] = {
        "a=candidate\r\n",
        "a=candidate:1 1 udp 1 192.0.2.1 5 typ\r\n",
        "a=candidate:1 1 udp 1 192.0.2.1 5 type host\r\n",
        "a=candidate:1 1 udp 1 192.0.2.1 65536 typ host\r\n",
        "a=candidate:1 x udp 1 192.0.2.1 5 typ host\r\n",
        "a=candidate:1 1 udp 4294967296 192.0.2.1 5 typ host\r\n",
        "a=candidate:? 1 udp 1 192.0.2.1 5 typ host\r\n",
    };

    (void) state;

    assert_refused("", CR_INVALID, "empty");
    assert_refused("m=audio 9 RTP/AVP 0\r\n", CR_INVALID, "empty");
    assert_refused("v=0\r\n", CR_INVALID, "neither");
    assert_refused("a=\r\n", CR_INVALID, "neither");
    assert_refused("{}\r\n", CR_INVALID, "letter=value");

    for (i = 0; i < sizeof(candidates) / sizeof(candidates[0]); i++) {
        assert_refused(candidates[i], CR_INVALID, "malformed");
    }
}


static void
limits_hold(void **state)
{
    char     *p;
    unsigned  i;

    static char  text[2 * CR_SDP_SIZE_MAX];

    (void) state;

    p = text;

    for (i = 0; i < 257; i++) {
        p = stpcpy(p, "a=candidate:1 1 udp 1 192.0.2.1 5 typ host\r\n");
    }

    assert_refused(text, CR_LIMIT, "256 candidates");

    p = text;

    for (i = 0; i < 4097; i++) {
        p = stpcpy(p, "a=x\n");
    }

    assert_refused(text, CR_LIMIT, "too many lines");

    memset(text, 'a', CR_SDP_SIZE_MAX + 1);
    text[CR_SDP_SIZE_MAX + 1] = '\0';
    assert_refused(text, CR_LIMIT, "64 KiB");
}


static void
a_restart_is_answered(void **state)
{
    char              buf[1024];
    size_t            len, size;
    cr_sdp_session_t  session;

    static const cr_sdp_local_t  local = {
        .ufrag = "289b31b754eaa438",
        .pwd = "0b66f472495ef0ccac7bda653ab6be49ea13114472a5d10a",
        .fingerprint = "",
        .candidates = { { .family = 4, .port = 39132,
                          .ip = { 198, 51, 100, 1 } } },
        .ncandidates = 1
    };

    (void) state;

    memset(&session, 0, sizeof(session));
    session.nmedia = 2;
    session.media[0].kind = CR_KIND_AUDIO;
    session.media[0].pt = 111;
    strcpy(session.media[0].mid, "0");
    strcpy(session.media[1].mid, "1");

    len = cr_sdpfrag_write(buf, sizeof(buf), &session, &local);
    assert_int_not_equal(len, 0);
    buf[len] = '\0';
    assert_string_equal(buf,
        "a=ice-lite\r\n"
        "a=group:BUNDLE 0 1\r\n"
        "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"
        "a=mid:0\r\n"
        "a=ice-ufrag:289b31b754eaa438\r\n"
        "a=ice-pwd:0b66f472495ef0ccac7bda653ab6be49ea13114472a5d10a\r\n"
        "a=ice-options:trickle\r\n"
        "a=candidate:1 1 udp 2130706431 198.51.100.1 39132 typ host\r\n"
        "a=end-of-candidates\r\n");
    assert_int_equal(parse(buf), CR_OK);
    assert_string_equal(frag.ufrag, local.ufrag);
    assert_int_equal(frag.ncandidates, 1);

    for (size = 0; size <= len; size++) {
        assert_int_equal(cr_sdpfrag_write(buf, size, &session, &local), 0);
    }

    session.nmedia = 1;
    session.media[0].kind = CR_KIND_VIDEO;
    session.media[0].mid[0] = '\0';
    len = cr_sdpfrag_write(buf, sizeof(buf), &session, &local);
    assert_int_not_equal(len, 0);
    buf[len] = '\0';
    assert_non_null(strstr(buf, "m=video 9"));
    assert_null(strstr(buf, "a=mid"));
    assert_null(strstr(buf, "BUNDLE"));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(candidates_are_counted),
        cmocka_unit_test(new_credentials_are_read),
        cmocka_unit_test(malformed_fragments_are_invalid),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(a_restart_is_answered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
