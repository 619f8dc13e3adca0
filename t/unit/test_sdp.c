
/*
 * Copyright (C) The call recorder authors
 *
 * Offers of real clients, and the answers to them.
 */


#include "sdp_offer.h"


static void
an_offer_is_negotiated(void **state)
{
    const cr_media_params_t  *audio, *video;

    (void) state;

    assert_int_equal(negotiate(offer), CR_OK);
    assert_string_equal(session.remote_ufrag, "QcFt");
    assert_string_equal(session.remote_pwd, "fvY84PncrAbE2RyJxg2qqh5y");
    assert_int_equal(session.fingerprint_hash, CR_HASH_SHA256);
    assert_int_equal(session.fingerprint_len, 32);
    assert_int_equal(session.fingerprint[0], 0x5b);
    assert_int_equal(session.fingerprint[31], 0x49);
    assert_false(session.dtls_client);
    assert_int_equal(session.nmlines, 2);
    assert_int_equal(session.nmedia, 2);

    audio = &session.media[0];
    assert_int_equal(audio->kind, CR_KIND_AUDIO);
    assert_int_equal(audio->codec, CR_CODEC_OPUS);
    assert_int_equal(audio->pt, 111);
    assert_int_equal(audio->rtx_pt, 0);
    assert_int_equal(audio->channels, 2);
    assert_int_equal(audio->clock_rate, 48000);
    assert_int_equal(audio->ssrc, 11);
    assert_int_equal(audio->ext_mid, 4);
    assert_int_equal(audio->ext_audio_level, 1);
    assert_string_equal(audio->mid, "0");
    assert_false(audio->fb_twcc);

    video = &session.media[1];
    assert_int_equal(video->kind, CR_KIND_VIDEO);
    assert_int_equal(video->mline, 1);
    assert_int_equal(video->codec, CR_CODEC_VP8);
    assert_int_equal(video->pt, 96);
    assert_int_equal(video->rtx_pt, 97);
    assert_int_equal(video->clock_rate, 90000);
    assert_int_equal(video->ssrc, 21);
    assert_int_equal(video->rtx_ssrc, 22);
    assert_int_equal(video->ext_twcc, 3);
    assert_int_equal(video->ext_video_orientation, 200);
    assert_true(video->fb_nack);
    assert_true(video->fb_pli);
    assert_false(video->fb_fir);
    assert_true(video->fb_twcc);
    assert_false(video->fb_remb);
}


static void
our_codec_order_decides(void **state)
{
    const cr_media_params_t  *video;

    static const uint8_t  sprop[] = {
        0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x1e, 0xda, 0x02,
        0, 0, 0, 1, 0x68, 0xce, 0x3c, 0x80
    };

    (void) state;

    /* packetization mode 1 comes behind mode 0 here, and still wins */

    assert_int_equal(cr_sdp_negotiate(offer, sizeof(offer) - 1, &h264_first,
                                      &session, &why), CR_OK);
    video = &session.media[1];
    assert_int_equal(video->codec, CR_CODEC_H264);
    assert_int_equal(video->pt, 104);
    assert_int_equal(video->rtx_pt, 107);
    assert_int_equal(video->h264_packetization_mode, 1);
    assert_int_equal(video->h264_profile_level_id[0], 0x4d);
    assert_int_equal(video->h264_profile_level_id[2], 0x28);
    assert_int_equal(video->h264_sprop_len, sizeof(sprop));
    assert_memory_equal(video->h264_sprop, sprop, sizeof(sprop));

    write_answer(offer);
    assert_answered("m=video 9 UDP/TLS/RTP/SAVPF 104 107\r\n");
    assert_answered("a=fmtp:104 level-asymmetry-allowed=1;"
                    "packetization-mode=1;profile-level-id=4d0028\r\n");
    assert_answered("a=rtpmap:107 rtx/90000\r\na=fmtp:107 apt=104\r\n");

    /* without mode 1 mode 0 will do */

    edited(offer, "packetization-mode=1", "packetization-mode=2");
    assert_int_equal(cr_sdp_negotiate(buf, strlen(buf), &h264_first,
                                      &session, &why), CR_OK);
    assert_int_equal(session.media[1].pt, 102);
    assert_int_equal(session.media[1].h264_packetization_mode, 0);
}


static void
profiles_that_are_not_ours_are_passed_over(void **state)
{
    (void) state;

    /* 4:4:4, and none at all */

    edited(edited(offer, "level-id=4d0028", "level-id=f40028"),
           "level-id=42001f", "level-id=zz001f");

    assert_int_equal(cr_sdp_negotiate(buf, strlen(buf), &h264_first,
                                      &session, &why), CR_OK);
    assert_int_equal(session.media[1].codec, CR_CODEC_VP8);
}


static void
an_answer_is_written(void **state)
{
    size_t  len, size;

    (void) state;

    assert_int_equal(negotiate(offer), CR_OK);
    write_answer(offer);

    assert_string_equal(answer,
        "v=0\r\n"
        "o=- 4242424242424242 7 IN IP4 127.0.0.1\r\n"
        "s=-\r\n"
        "t=0 0\r\n"
        "a=group:BUNDLE 0 1\r\n"
        "a=ice-lite\r\n"
        "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"
        "c=IN IP4 0.0.0.0\r\n"
        "a=ice-ufrag:ours\r\n"
        "a=ice-pwd:ourpasswordourpassword\r\n"
        "a=ice-options:trickle\r\n"
        "a=fingerprint:sha-256 AB:CD\r\n"
        "a=setup:passive\r\n"
        "a=mid:0\r\n"
        "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n"
        "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n"
        "a=recvonly\r\n"
        "a=rtcp-mux\r\n"
        "a=rtpmap:111 opus/48000/2\r\n"
        "a=fmtp:111 minptime=10;useinbandfec=1;stereo=1\r\n"
        "a=candidate:1 1 udp 2130706431 192.0.2.1 3478 typ host\r\n"
        "a=candidate:2 1 udp 2130706175 fd00:0:0:0:0:0:0:2 3478 typ host\r\n"
        "a=end-of-candidates\r\n"
        "m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\n"
        "c=IN IP4 0.0.0.0\r\n"
        "a=ice-ufrag:ours\r\n"
        "a=ice-pwd:ourpasswordourpassword\r\n"
        "a=ice-options:trickle\r\n"
        "a=fingerprint:sha-256 AB:CD\r\n"
        "a=setup:passive\r\n"
        "a=mid:1\r\n"
        "a=extmap:3 http://www.ietf.org/id/"
            "draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n"
        "a=extmap:200/recvonly urn:3gpp:video-orientation\r\n"
        "a=recvonly\r\n"
        "a=rtcp-mux\r\n"
        "a=rtcp-rsize\r\n"
        "a=rtpmap:96 VP8/90000\r\n"
        "a=rtcp-fb:96 nack\r\n"
        "a=rtcp-fb:96 nack pli\r\n"
        "a=rtcp-fb:96 transport-cc\r\n"
        "a=rtpmap:97 rtx/90000\r\n"
        "a=fmtp:97 apt=96\r\n"
        "a=candidate:1 1 udp 2130706431 192.0.2.1 3478 typ host\r\n"
        "a=candidate:2 1 udp 2130706175 fd00:0:0:0:0:0:0:2 3478 typ host\r\n"
        "a=end-of-candidates\r\n");

    /* a buffer that is too small is never overrun */

    size = strlen(answer);

    for (len = 0; len <= size; len++) {
        answer[len] = '#';
        assert_int_equal(cr_sdp_write_answer(answer, len, offer,
                                             sizeof(offer) - 1, &session,
                                             &local), 0);
        assert_int_equal(answer[len], '#');
    }

    assert_int_equal(cr_sdp_write_answer(answer, sizeof(answer), "nonsense",
                                         8, &session, &local), 0);
}


static void
offers_of_real_clients_are_answered(void **state)
{
    size_t  i;

    static const struct {
        const char  *name;
        unsigned     nmedia;
        const char  *bundle;
        uint8_t      codec;                  /* of the last m-line */
        bool         rtx;
    } real[] = {
        { "chromium156-audioonly", 1, "BUNDLE 0\r\n", CR_CODEC_OPUS, false },
        { "chromium156-av", 2, "BUNDLE 0 1\r\n", CR_CODEC_VP8, true },
        { "chromium156-canvas2video", 3, "BUNDLE 0 1 2\r\n", CR_CODEC_VP8,
          true },
        { "chromium156-mdns", 1, "BUNDLE 0\r\n", CR_CODEC_VP8, true },
        { "chromium156-screen2video", 4, "BUNDLE 0 1 2 3\r\n", CR_CODEC_VP8,
          true },
        { "chromium156-simulcast", 2, "BUNDLE 0 1\r\n", CR_CODEC_VP8, true },
        { "firefox153-av", 2, "BUNDLE 0 1\r\n", CR_CODEC_VP8, true },
        { "gstreamer122-h264", 2, "BUNDLE video0 audio1\r\n", CR_CODEC_OPUS,
          false },
        { "gstreamer122-vp8", 2, "BUNDLE video0 audio1\r\n", CR_CODEC_OPUS,
          false },
        { "roamhq-wrtc-av", 2, "BUNDLE 0 1\r\n", CR_CODEC_VP8, true },
        { "werift-av", 2, "BUNDLE 0 1\r\n", CR_CODEC_VP8, false },
    };

    (void) state;

    for (i = 0; i < sizeof(real) / sizeof(real[0]); i++) {
        load(real[i].name);

        assert_int_equal(negotiate(buf), CR_OK);
        assert_int_equal(session.nmedia, real[i].nmedia);
        assert_int_equal(session.media[real[i].nmedia - 1].codec,
                         real[i].codec);
        assert_int_equal(session.media[real[i].nmedia - 1].rtx_pt != 0,
                         real[i].rtx);
        assert_false(session.dtls_client);

        write_answer(buf);
        assert_answered(real[i].bundle);
        assert_answered("a=setup:passive\r\n");
        assert_answered("a=recvonly\r\n");
        assert_not_answered(" 0 UDP/TLS");
    }
}


static void
the_roles_of_dtls_follow_the_offer(void **state)
{
    (void) state;

    assert_int_equal(negotiate(edited(offer, "setup:actpass",
                                      "setup:passive")), CR_OK);
    assert_true(session.dtls_client);
    write_answer(buf);
    assert_answered("a=setup:active\r\n");

    assert_int_equal(negotiate(edited(offer, "setup:actpass",
                                      "setup:active")), CR_OK);
    assert_false(session.dtls_client);
    write_answer(buf);
    assert_answered("a=setup:passive\r\n");

    assert_int_equal(negotiate(edited(offer, "a=setup:actpass\r\n", "")),
                     CR_OK);
    assert_false(session.dtls_client);

    assert_refused(edited(offer, "setup:actpass", "setup:holdconn"),
                   CR_UNSUPPORTED, "holdconn");
    assert_refused(edited(offer, "setup:actpass", "setup:whatever"),
                   CR_INVALID, "a=setup");
}


static void
attributes_at_session_level_count_for_all(void **state)
{
    static const char  text[] =
        "v=0\n"
        "o=- 1 2 IN IP4 127.0.0.1\n"
        "a=ice-ufrag:sess\n"
        "a=ice-pwd:sessionsessionsession12\n"
        "a=fingerprint:SHA-256 " FINGERPRINT "\n"
        "a=setup:passive\n"
        "a=sendonly\n"
        "m=video 9 RTP/SAVPF 96\n"
        "a=rtcp-mux\n"
        "a=rtpmap:96 vp8/90000\n"
        "a=rtcp-fb:* nack\n"
        "a=rtcp-fb:* goog-remb\n"
        "a=extmap-allow-mixed";

    (void) state;

    assert_int_equal(negotiate(text), CR_OK);
    assert_string_equal(session.remote_ufrag, "sess");
    assert_string_equal(session.remote_pwd, "sessionsessionsession12");
    assert_true(session.dtls_client);
    assert_true(session.media[0].fb_nack);
    assert_true(session.media[0].fb_remb);
    assert_string_equal(session.media[0].mid, "");

    /* one m-line needs neither BUNDLE nor mid */

    write_answer(text);
    assert_not_answered("a=group");
    assert_not_answered("a=mid");
    assert_answered("m=video 9 RTP/SAVPF 96\r\n");
    assert_answered("a=extmap-allow-mixed\r\n");
    assert_answered("a=rtcp-fb:96 goog-remb\r\n");

    assert_refused(edited(text, "a=sendonly", "a=recvonly"), CR_UNSUPPORTED,
                   "sends");
}


static void
sha_256_is_preferred_among_fingerprints(void **state)
{
    (void) state;

    edited(offer, "a=setup:actpass\r\n",
           "a=fingerprint:sha-1 00:11:22:33:44:55:66:77:88:99:"
           "00:11:22:33:44:55:66:77:88:99\r\n"
           "a=fingerprint:sha-999 00\r\n");
    assert_int_equal(negotiate(buf), CR_OK);
    assert_int_equal(session.fingerprint_hash, CR_HASH_SHA256);
    assert_int_equal(session.fingerprint[0], 0x5b);
}


static void
the_bitrate_is_asked_of_video_alone(void **state)
{
    char            *video;
    size_t           len;
    cr_sdp_local_t   limited;

    (void) state;

    limited = local;
    limited.max_bitrate = 2500000;

    assert_int_equal(negotiate(offer), CR_OK);
    len = cr_sdp_write_answer(answer, sizeof(answer) - 1, offer,
                              sizeof(offer) - 1, &session, &limited);
    answer[len] = '\0';

    video = strstr(answer, "m=video");
    assert_non_null(video);
    assert_non_null(strstr(video, "b=TIAS:2500000\r\n"));
    *video = '\0';
    assert_null(strstr(answer, "b=TIAS"));
}


static void
tcp_candidates_stand_behind_those_of_udp(void **state)
{
    size_t          len;
    cr_sdp_local_t  with_tcp;

    (void) state;

    with_tcp = local;
    with_tcp.tcp = true;

    assert_int_equal(negotiate(offer), CR_OK);
    len = cr_sdp_write_answer(answer, sizeof(answer) - 1, offer,
                              sizeof(offer) - 1, &session, &with_tcp);
    answer[len] = '\0';

    /* RFC 6544 section 4.5, priorities by its section 4.2 */
    assert_answered(
        "a=candidate:1 1 udp 2130706431 192.0.2.1 3478 typ host\r\n"
        "a=candidate:2 1 udp 2130706175 fd00:0:0:0:0:0:0:2 3478 typ host\r\n"
        "a=candidate:9 1 tcp 1520435199 192.0.2.1 3478 typ host "
            "tcptype passive\r\n"
        "a=candidate:10 1 tcp 1520434943 fd00:0:0:0:0:0:0:2 3478 typ host "
            "tcptype passive\r\n"
        "a=end-of-candidates\r\n");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(an_offer_is_negotiated),
        cmocka_unit_test(our_codec_order_decides),
        cmocka_unit_test(profiles_that_are_not_ours_are_passed_over),
        cmocka_unit_test(an_answer_is_written),
        cmocka_unit_test(offers_of_real_clients_are_answered),
        cmocka_unit_test(the_roles_of_dtls_follow_the_offer),
        cmocka_unit_test(attributes_at_session_level_count_for_all),
        cmocka_unit_test(sha_256_is_preferred_among_fingerprints),
        cmocka_unit_test(tcp_candidates_stand_behind_those_of_udp),
        cmocka_unit_test(the_bitrate_is_asked_of_video_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
