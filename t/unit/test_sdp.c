
/*
 * Copyright (C) The call recorder authors
 *
 * Offers of real clients and damaged ones, and the answers to them.
 */


#include "sdp/sdp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>


#define FINGERPRINT                                                        \
    "5B:2F:38:9E:5E:1E:D7:BC:4B:FA:5F:B8:D4:25:D6:B9:"                     \
    "FB:44:C5:44:AC:19:E0:6E:F4:C9:2A:EE:64:E8:CD:49"


static const char  offer[] =
    "v=0\r\n"
    "o=- 1 2 IN IP4 127.0.0.1\r\n"
    "s=-\r\n"
    "t=0 0\r\n"
    "a=group:BUNDLE 0 1\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 111 0\r\n"
    "c=IN IP4 0.0.0.0\r\n"
    "a=ice-ufrag:QcFt\r\n"
    "a=ice-pwd:fvY84PncrAbE2RyJxg2qqh5y\r\n"
    "a=fingerprint:sha-256 " FINGERPRINT "\r\n"
    "a=setup:actpass\r\n"
    "a=mid:0\r\n"
    "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n"
    "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n"
    "a=sendonly\r\n"
    "a=rtcp-mux\r\n"
    "a=rtpmap:111 opus/48000/2\r\n"
    "a=fmtp:111 minptime=10\r\n"
    "a=ssrc:11 cname:x\r\n"
    "m=video 9 UDP/TLS/RTP/SAVPF 96 97 102 103 104 107\r\n"
    "c=IN IP4 0.0.0.0\r\n"
    "a=ice-ufrag:QcFt\r\n"
    "a=ice-pwd:fvY84PncrAbE2RyJxg2qqh5y\r\n"
    "a=fingerprint:sha-256 " FINGERPRINT "\r\n"
    "a=setup:actpass\r\n"
    "a=mid:1\r\n"
    "a=extmap:3 http://www.ietf.org/id/"
        "draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n"
    "a=extmap:200/sendonly urn:3gpp:video-orientation\r\n"
    "a=sendrecv\r\n"
    "a=rtcp-mux\r\n"
    "a=rtcp-rsize\r\n"
    "a=rtpmap:96 VP8/90000\r\n"
    "a=rtcp-fb:96 goog-remb\r\n"
    "a=rtcp-fb:96 transport-cc\r\n"
    "a=rtcp-fb:96 nack\r\n"
    "a=rtcp-fb:96 nack pli\r\n"
    "a=rtpmap:97 rtx/90000\r\n"
    "a=fmtp:97 apt=96\r\n"
    "a=rtpmap:102 H264/90000\r\n"
    "a=fmtp:102 packetization-mode=0;profile-level-id=42001f\r\n"
    "a=rtpmap:103 rtx/90000\r\n"
    "a=fmtp:103 apt=102\r\n"
    "a=rtpmap:104 H264/90000\r\n"
    "a=fmtp:104 level-asymmetry-allowed=1; packetization-mode=1;"
        "profile-level-id=4d0028;sprop-parameter-sets=Z0LAHtoC,aM48gA==\r\n"
    "a=rtpmap:107 rtx/90000\r\n"
    "a=fmtp:107 apt=104\r\n"
    "a=ssrc:21 cname:x\r\n"
    "a=ssrc:22 cname:x\r\n"
    "a=ssrc-group:FID 21 22\r\n";

static const cr_sdp_config_t  vp8_first = {
    { CR_CODEC_OPUS, CR_CODEC_VP8, CR_CODEC_H264 }
};

static const cr_sdp_config_t  h264_first = {
    { CR_CODEC_OPUS, CR_CODEC_H264, CR_CODEC_VP8 }
};

static const cr_sdp_local_t  local = {
    .ufrag = "ours",
    .pwd = "ourpasswordourpassword",
    .fingerprint = "sha-256 AB:CD",
    .session_id = 4242424242424242,
    .session_version = 7,
    .candidates = {
        { 4, 3478, { 192, 0, 2, 1 } },
        { 6, 3478, { 0xfd, 0, [15] = 2 } }
    },
    .ncandidates = 2
};

static char              buf[2 * CR_SDP_SIZE_MAX];
static char              answer[2 * CR_SDP_SIZE_MAX];
static cr_sdp_session_t  session;
static const char       *why;


/* Negotiates the text as it is. */

static cr_status_e
negotiate(const char *text)
{
    why = NULL;

    return cr_sdp_negotiate(text, strlen(text), &vp8_first, &session, &why);
}


/* Leaves the text in buf, with every occurrence of a piece replaced. */

static const char *
edited(const char *text, const char *from, const char *to)
{
    char        *p;
    unsigned     n;
    const char  *hit;

    static char  out[sizeof(buf)];

    p = out;

    for (n = 0; (hit = strstr(text, from)) != NULL; n++) {
        memcpy(p, text, (size_t) (hit - text));
        p += hit - text;
        p = stpcpy(p, to);
        text = hit + strlen(from);
    }

    assert_int_not_equal(n, 0);
    strcpy(p, text);

    return strcpy(buf, out);
}


static void
assert_refused(const char *text, cr_status_e status, const char *words)
{
    assert_int_equal(negotiate(text), status);
    assert_non_null(why);

    if (strstr(why, words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", why, words);
    }
}


static void
write_answer(const char *text)
{
    size_t  len;

    len = cr_sdp_write_answer(answer, sizeof(answer) - 1, text, strlen(text),
                              &session, &local);
    assert_int_not_equal(len, 0);
    answer[len] = '\0';
}


static void
assert_answered(const char *words)
{
    if (strstr(answer, words) == NULL) {
        fail_msg("no \"%s\" in\n%s", words, answer);
    }
}


static void
assert_not_answered(const char *words)
{
    if (strstr(answer, words) != NULL) {
        fail_msg("\"%s\" in\n%s", words, answer);
    }
}


static void
load(const char *name)
{
    FILE    *f;
    char     path[256];
    size_t   len;

    snprintf(path, sizeof(path), "t/fixtures/sdp/%s.offer.sdp", name);

    f = fopen(path, "r");
    assert_non_null(f);
    len = fread(buf, 1, sizeof(buf) - 1, f);
    fclose(f);
    buf[len] = '\0';
}


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
        assert_not_answered("a=simulcast");
        assert_not_answered(" 0 UDP/TLS");
    }
}


static void
layers_are_not_echoed_and_their_ssrc_is_learnt(void **state)
{
    (void) state;

    load("chromium156-simulcast");
    assert_int_equal(negotiate(buf), CR_OK);
    assert_int_equal(session.media[1].ssrc, 0);
    assert_int_not_equal(session.media[1].ext_rid, 0);
    assert_int_not_equal(session.media[1].ext_repaired_rid, 0);
    write_answer(buf);
    assert_not_answered("a=rid");
    assert_answered("a=extmap-allow-mixed\r\n");
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
                   CR_UNSUPPORTED, "codec");
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
        strcat(buf, "m=video 9 RTP/SAVPF 96\r\na=rtcp-mux\r\n"
               "a=rtpmap:96 VP8/90000\r\n");
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


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(an_offer_is_negotiated),
        cmocka_unit_test(our_codec_order_decides),
        cmocka_unit_test(profiles_that_are_not_ours_are_passed_over),
        cmocka_unit_test(an_answer_is_written),
        cmocka_unit_test(offers_of_real_clients_are_answered),
        cmocka_unit_test(layers_are_not_echoed_and_their_ssrc_is_learnt),
        cmocka_unit_test(the_roles_of_dtls_follow_the_offer),
        cmocka_unit_test(attributes_at_session_level_count_for_all),
        cmocka_unit_test(m_lines_that_do_not_send_are_rejected),
        cmocka_unit_test(other_codecs_are_rejected),
        cmocka_unit_test(what_webrtc_must_have_is_missed),
        cmocka_unit_test(sha_256_is_preferred_among_fingerprints),
        cmocka_unit_test(bundles_must_be_whole),
        cmocka_unit_test(an_m_line_outside_the_bundle_is_rejected),
        cmocka_unit_test(a_payload_type_must_mean_one_codec),
        cmocka_unit_test(bundle_only_is_no_rejection),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(what_is_not_sdp_is_invalid),
        cmocka_unit_test(an_offer_cut_anywhere_is_safe),
        cmocka_unit_test(odd_attributes_are_ignored),
        cmocka_unit_test(parameter_sets_that_do_not_fit_are_left_out),
        cmocka_unit_test(the_bitrate_is_asked_of_video_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
