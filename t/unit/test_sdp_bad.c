
/*
 * Copyright (C) The call recorder authors
 *
 * Offers that are damaged, incomplete, absurd, or hold what we do not take.
 */


#include "sdp_offer.h"


static void
m_lines_that_do_not_send_are_rejected(void **state)
{
    (void) state;

    assert_int_equal(negotiate(edited(offer, "a=sendonly", "a=recvonly")),
                     CR_OK);
    assert_int_equal(session.nmedia, 1);
    assert_int_equal(session.media[0].mline, 1);
    write_answer(buf);
    assert_answered("a=group:BUNDLE 1\r\n");
    assert_answered("m=audio 0 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\n"
                    "a=mid:0\r\na=inactive\r\n");

    assert_int_equal(negotiate(edited(offer, "a=sendrecv", "a=inactive")),
                     CR_OK);
    assert_int_equal(session.nmedia, 1);
    assert_int_equal(session.media[0].mline, 0);

    assert_int_equal(negotiate(edited(offer, "m=audio 9", "m=audio 0")),
                     CR_OK);
    assert_int_equal(session.nmedia, 1);

    assert_int_equal(negotiate(edited(offer, "m=audio", "m=application")),
                     CR_OK);
    assert_int_equal(session.nmedia, 1);
    write_answer(buf);
    assert_answered("m=application 0 ");
}


static void
other_codecs_are_rejected(void **state)
{
    (void) state;

    assert_int_equal(negotiate(edited(offer, "opus/", "speex/")), CR_OK);
    assert_int_equal(session.nmedia, 1);
    write_answer(buf);
    assert_answered("m=audio 0 ");

    /* what looks like RTCP beside it cannot be taken */

    assert_int_equal(negotiate(edited(offer, "111", "72")), CR_OK);
    assert_int_equal(session.nmedia, 1);

    assert_refused(edited(edited(offer, "90000", "8000"), "48000", "16000"),
                   CR_DECLINED, "codec");
}


static void
what_webrtc_must_have_is_missed(void **state)
{
    (void) state;

    assert_refused(edited(offer, "a=ice-ufrag:QcFt\r\n", ""), CR_INVALID,
                   "ice-ufrag");
    assert_refused(edited(offer, "QcFt", "Q"), CR_INVALID, "ice-ufrag");
    assert_refused(edited(offer, "QcFt", "Qc:t"), CR_INVALID, "ice-ufrag");
    assert_refused(edited(offer, "a=ice-pwd:fvY84PncrAbE2RyJxg2qqh5y\r\n",
                          ""), CR_INVALID, "ice-pwd");
    assert_refused(edited(offer, "fvY84PncrAbE2RyJxg2qqh5y", "short"),
                   CR_INVALID, "ice-pwd");
    assert_refused(edited(offer, "fingerprint:sha-256", "fingerprint:md5"),
                   CR_INVALID, "fingerprint");
    assert_refused(edited(offer, ":49\r\n", "\r\n"), CR_INVALID,
                   "wrong length");
    assert_refused(edited(offer, ":49\r\n", ":4X\r\n"), CR_INVALID,
                   "hexadecimal");
    assert_refused(edited(offer, "5B:2F", "5B-2F"), CR_INVALID,
                   "hexadecimal");
    assert_refused(edited(offer, "a=rtcp-mux\r\n", ""), CR_UNSUPPORTED,
                   "rtcp-mux");
}


static void
bundles_must_be_whole(void **state)
{
    (void) state;

    assert_refused(edited(offer, "a=group:BUNDLE 0 1\r\n", ""),
                   CR_UNSUPPORTED, "BUNDLE");
    assert_refused(edited(offer, "a=mid:1", "a=mid:0"), CR_INVALID,
                   "same a=mid");
    assert_refused(edited(offer, "a=mid:1\r\n", ""), CR_INVALID,
                   "no a=mid");
    assert_refused(edited(offer, "BUNDLE 0 1", "BUNDLE 0 1 2"), CR_INVALID,
                   "names");
    assert_refused(edited(offer, "a=mid:1", "a=mid:a b"), CR_INVALID,
                   "token");
    assert_refused(edited(edited(offer, "a=mid:1\r\n",
                                 "a=mid:12345678901234567\r\n"),
                          "BUNDLE 0 1", "BUNDLE 0 12345678901234567"),
                   CR_LIMIT, "16 characters");
}


static void
an_m_line_outside_the_bundle_is_rejected(void **state)
{
    (void) state;

    assert_int_equal(negotiate(edited(offer, "BUNDLE 0 1", "BUNDLE 1")),
                     CR_OK);
    assert_int_equal(session.nmedia, 1);
    assert_int_equal(session.media[0].mline, 1);
}


static void
a_payload_type_must_mean_one_codec(void **state)
{
    (void) state;

    assert_refused(edited(offer, "96", "111"), CR_INVALID, "payload type");
}


static void
bundle_only_is_no_rejection(void **state)
{
    (void) state;

    edited(edited(offer, "m=video 9", "m=video 0"), "a=mid:1\r\n",
           "a=mid:1\r\na=bundle-only\r\n");
    assert_int_equal(negotiate(buf), CR_OK);
    assert_int_equal(session.nmedia, 2);

    /* but without a bundle it is one */

    edited(buf, "a=group:BUNDLE 0 1\r\n", "");
    assert_int_equal(negotiate(buf), CR_OK);
    assert_int_equal(session.nmedia, 1);
    assert_int_equal(session.media[0].kind, CR_KIND_AUDIO);
}


static void
limits_hold(void **state)
{
    char      line[64];
    char     *p;
    unsigned  i;

    static char  text[2 * CR_SDP_SIZE_MAX];

    (void) state;

    /* m-lines */

    for (i = 0; i < CR_SDP_MLINE_MAX; i++) {
        strcat(text, "m=video 0 RTP/SAVPF 96\r\n");
    }

    strcat(strcpy(buf, offer), text);
    assert_refused(buf, CR_LIMIT, "16 m-lines");

    /* m-lines that send */

    p = stpcpy(text, "a=group:BUNDLE 0 1");

    for (i = 0; i < CR_MEDIA_MAX; i++) {
        p += sprintf(p, " x%u", i);
    }

    edited(offer, "a=group:BUNDLE 0 1", text);

    for (i = 0; i < CR_MEDIA_MAX; i++) {
        sprintf(line, "a=mid:x%u\r\n", i);
        strcat(buf, "m=audio 9 RTP/SAVPF 111\r\na=rtcp-mux\r\n"
               "a=rtpmap:111 opus/48000/2\r\n");
        strcat(buf, line);
    }

    assert_refused(buf, CR_LIMIT, "8 m-lines");

    /* payload types */

    p = stpcpy(text, "UDP/TLS/RTP/SAVPF 96");

    for (i = 0; i < 64; i++) {
        p += sprintf(p, " %u %u", i, i);
    }

    assert_refused(edited(offer, "UDP/TLS/RTP/SAVPF 96", text), CR_LIMIT,
                   "64 payload types");

    /* lines */

    p = stpcpy(text, offer);

    for (i = 0; i < 4100; i++) {
        p = stpcpy(p, "a=x\n");
    }

    assert_refused(text, CR_LIMIT, "too many lines");

    p = stpcpy(text, "v=0\r\na=");
    memset(p, 'x', 9000);
    p[9000] = '\0';
    assert_refused(text, CR_LIMIT, "too long");

    memset(text, 'x', CR_SDP_SIZE_MAX + 1);
    text[CR_SDP_SIZE_MAX + 1] = '\0';
    assert_refused(text, CR_LIMIT, "64 KiB");
}


static void
what_is_not_sdp_is_invalid(void **state)
{
    (void) state;

    assert_refused("", CR_INVALID, "o= line");
    assert_refused("hello", CR_INVALID, "letter=value");
    assert_refused("{\"type\":\"offer\"}\r\n", CR_INVALID, "letter=value");
    assert_refused("o=-\r\n", CR_INVALID, "v=0");
    assert_refused("v=1\r\n", CR_INVALID, "v=0");
    assert_refused("v=0\r\n", CR_INVALID, "o= line");
    assert_refused("v=0\r\no=-\r\n", CR_INVALID, "no m-line");
    assert_refused(edited(offer, "s=-\r\n", "\r\n"), CR_INVALID,
                   "letter=value");
    assert_refused(edited(offer, "s=-", "s=-\ra=ice-lite"), CR_INVALID,
                   "control");
    assert_refused(edited(offer, "m=audio 9", "m=audio 99999"), CR_INVALID,
                   "m-line");
    assert_refused(edited(offer, "m=audio 9", "m=audio"), CR_INVALID,
                   "m-line");
    assert_refused(edited(offer, "m=audio 9 UDP/TLS/RTP/SAVPF 111 0",
                          "m=audio"), CR_INVALID, "m-line");
    assert_refused(edited(offer, "9 UDP/", "9 UDP//"), CR_INVALID, "m-line");

    strcpy(buf, offer);
    buf[20] = '\0';
    assert_int_equal(cr_sdp_negotiate(buf, sizeof(offer) - 1, &vp8_first,
                                      &session, &why), CR_INVALID);
}


static void
an_offer_cut_anywhere_is_safe(void **state)
{
    size_t       len;
    char        *copy;
    cr_status_e  rc;

    (void) state;

    for (len = 0; len < sizeof(offer); len++) {
        copy = malloc(len + 1);
        assert_non_null(copy);
        memcpy(copy, offer, len);

        rc = cr_sdp_negotiate(copy, len, &h264_first, &session, &why);

        if (rc == CR_OK) {
            assert_int_not_equal(session.nmedia, 0);
            assert_int_not_equal(cr_sdp_write_answer(answer, sizeof(answer),
                                 copy, len, &session, &local), 0);
        }

        free(copy);
    }

    assert_int_equal(rc, CR_OK);
}


static void
odd_attributes_are_ignored(void **state)
{
    const cr_media_params_t  *audio, *video;

    (void) state;

    edited(offer, "a=sendonly\r\n",
           "a=sendonly\r\n"
           "a=rtpmap:999 x/1\r\na=rtpmap:x\r\na=rtpmap\r\na=fmtp:1\r\n"
           "a=rtcp-fb:5 nack\r\na=fmtp:111 =;;apt;=5;apt=x;\r\n"
           "a=extmap:0 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n"
           "a=extmap:15 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n"
           "a=extmap:300 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n"
           "a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n"
           "a=extmap:9/recvonly urn:3gpp:video-orientation\r\n"
           "a=extmap:8/inactive urn:3gpp:video-orientation\r\n"
           "a=extmap\r\na=extmap:7\r\n"
           "a=ssrc:x\r\na=ssrc:99999999999\r\na=ssrc-group:FID 1\r\n"
           "a=ssrc-group:FID 5 5\r\na=ssrc-group:SIM 5 6\r\n");

    assert_int_equal(negotiate(buf), CR_OK);
    audio = &session.media[0];
    assert_int_equal(audio->ext_rid, 0);
    assert_int_equal(audio->ext_audio_level, 1);
    assert_int_equal(audio->ext_video_orientation, 0);
    assert_int_equal(audio->ssrc, 11);
    assert_int_equal(audio->rtx_ssrc, 0);

    /* transport-cc without its extension cannot work: REMB then */

    edited(offer, "a=extmap:3 ", "a=extmap:3/recvonly ");
    assert_int_equal(negotiate(buf), CR_OK);
    video = &session.media[1];
    assert_false(video->fb_twcc);
    assert_true(video->fb_remb);
    write_answer(buf);
    assert_answered("goog-remb");
    assert_not_answered("transport-cc");
}


static void
parameter_sets_that_do_not_fit_are_left_out(void **state)
{
    static const char  sprop[] = "Z0LAHtoC,aM48gA==";

    char      big[1024];
    char     *p;
    unsigned  i;

    (void) state;

    memset(big, 'A', sizeof(big));
    big[sizeof(big) - 1] = '\0';
    edited(offer, sprop, big);
    assert_int_equal(cr_sdp_negotiate(buf, strlen(buf), &h264_first,
                                      &session, &why), CR_OK);
    assert_int_equal(session.media[1].h264_sprop_len, 0);

    edited(offer, sprop, "Z0LA*toC,aM48gA==");
    assert_int_equal(cr_sdp_negotiate(buf, strlen(buf), &h264_first,
                                      &session, &why), CR_OK);
    assert_int_equal(session.media[1].h264_sprop_len, 0);

    /* many small ones */

    p = big;

    for (i = 0; i < 100; i++) {
        p = stpcpy(p, "AAAA,");
    }

    edited(offer, sprop, big);
    assert_int_equal(cr_sdp_negotiate(buf, strlen(buf), &h264_first,
                                      &session, &why), CR_OK);
    assert_int_equal(session.media[1].h264_sprop_len, 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(m_lines_that_do_not_send_are_rejected),
        cmocka_unit_test(other_codecs_are_rejected),
        cmocka_unit_test(what_webrtc_must_have_is_missed),
        cmocka_unit_test(bundles_must_be_whole),
        cmocka_unit_test(an_m_line_outside_the_bundle_is_rejected),
        cmocka_unit_test(a_payload_type_must_mean_one_codec),
        cmocka_unit_test(bundle_only_is_no_rejection),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(what_is_not_sdp_is_invalid),
        cmocka_unit_test(an_offer_cut_anywhere_is_safe),
        cmocka_unit_test(odd_attributes_are_ignored),
        cmocka_unit_test(parameter_sets_that_do_not_fit_are_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
