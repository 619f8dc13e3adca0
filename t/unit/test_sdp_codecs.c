
/*
 * Copyright (C) The call recorder authors
 */

#include "sdp_offer.h"


#define HEAD                                                                  \
    "v=0\r\n"                                                                 \
    "o=- 1 2 IN IP4 127.0.0.1\r\n"                                            \
    "s=-\r\n"                                                                 \
    "t=0 0\r\n"
#define TRANSPORT                                                             \
    "a=ice-ufrag:QcFt\r\n"                                                    \
    "a=ice-pwd:fvY84PncrAbE2RyJxg2qqh5y\r\n"                                  \
    "a=fingerprint:sha-256 " FINGERPRINT "\r\n"                               \
    "a=setup:actpass\r\n"                                                     \
    "a=sendonly\r\n"                                                          \
    "a=rtcp-mux\r\n"

#define VIDEO(pts, lines)                                                     \
    HEAD "m=video 9 UDP/TLS/RTP/SAVPF " pts "\r\n" TRANSPORT lines
#define AUDIO(pts, lines)                                                     \
    HEAD "m=audio 9 UDP/TLS/RTP/SAVPF " pts "\r\n" TRANSPORT lines

#define VP8   "a=rtpmap:96 VP8/90000\r\n"
#define VP9   "a=rtpmap:98 VP9/90000\r\n"
#define AV1   "a=rtpmap:45 AV1/90000\r\n"
#define H265  "a=rtpmap:49 H265/90000\r\n"


static const cr_sdp_config_t  all = {
    .codecs = { CR_CODEC_OPUS, CR_CODEC_VP8, CR_CODEC_H264, CR_CODEC_VP9,
                CR_CODEC_AV1, CR_CODEC_H265, CR_CODEC_PCMU, CR_CODEC_PCMA,
                CR_CODEC_G722 },
    .offerers_order = true,
    .red = true,
    .ulpfec = true
};


/* NULL: no codec of it is taken. */
static const cr_media_params_t *
negotiated(const char *text, const cr_sdp_config_t *config)
{
    cr_status_e  rc;
    const char  *why;

    static cr_sdp_session_t  session;

    rc = cr_sdp_negotiate(text, strlen(text), config, &session, &why);

    if (rc == CR_DECLINED) {
        return NULL;
    }

    assert_int_equal(rc, CR_OK);
    assert_int_equal(session.nmedia, 1);

    return &session.media[0];
}


/* The answer has all of these lines. */
static void
assert_answer(const char *text, const char *lines)
{
    char              buf[4096];
    size_t            len;
    const char       *why;
    cr_sdp_local_t    local;
    cr_sdp_session_t  session;

    memset(&local, 0, sizeof(cr_sdp_local_t));
    local.ufrag = "abcd";
    local.pwd = "abcdefghijklmnopqrstuv";
    local.fingerprint = "sha-256 00";

    assert_int_equal(cr_sdp_negotiate(text, strlen(text), &all, &session,
                                      &why), CR_OK);

    len = cr_sdp_write_answer(buf, sizeof(buf), text, strlen(text),
                              &session, &local);
    assert_true(len != 0);
    buf[len] = '\0';

    if (strstr(buf, lines) == NULL) {
        fail_msg("no \"%s\" in \"%s\"", lines, buf);
    }
}


static void
what_is_told_of_frames_is_listened_to(void **state)
{
    static const char  text[] =
        VIDEO("96", VP8
              "a=extmap:12 https://aomediacodec.github.io/av1-rtp-spec/"
                  "#dependency-descriptor-rtp-header-extension\r\n"
              "a=extmap:5 http://www.webrtc.org/experiments/rtp-hdrext/"
                  "playout-delay\r\n");

    (void) state;

    assert_int_equal(negotiated(text, &all)->ext_dependency, 12);
    assert_answer(text, "a=extmap:12 https://aomediacodec.github.io/"
                        "av1-rtp-spec/#dependency-descriptor-rtp-header-"
                        "extension\r\n"
                        "a=extmap:5 http://www.webrtc.org/experiments/"
                        "rtp-hdrext/playout-delay\r\n");
}


#define INTERLEAVED(depth)                                                    \
    VIDEO("102", "a=rtpmap:102 H264/90000\r\n"                                \
          "a=fmtp:102 packetization-mode=2;profile-level-id=42e01f" depth     \
          "\r\n")


static void
interleaved_h264_says_how_deep(void **state)
{
    const cr_media_params_t  *m;

    static const char  both[] =
        VIDEO("102 103", "a=rtpmap:102 H264/90000\r\n"
              "a=fmtp:102 packetization-mode=2;profile-level-id=42e01f;"
                  "sprop-interleaving-depth=4\r\n"
              "a=rtpmap:103 H264/90000\r\n"
              "a=fmtp:103 packetization-mode=1;profile-level-id=42e01f\r\n");

    (void) state;

    m = negotiated(INTERLEAVED(";sprop-interleaving-depth=8"), &all);
    assert_int_equal(m->h264_packetization_mode, 2);
    assert_int_equal(m->h264_interleaving_depth, 8);
    assert_answer(INTERLEAVED(";sprop-interleaving-depth=8"),
                  "a=fmtp:102 level-asymmetry-allowed=1;"
                  "packetization-mode=2;deint-buf-cap=8388608;"
                  "profile-level-id=42e01f\r\n");

    /* RFC 6184 section 8.1: this mode must say it; we hold so many */
    assert_null(negotiated(INTERLEAVED(""), &all));
    assert_null(negotiated(INTERLEAVED(";sprop-interleaving-depth=255"),
                           &all));

    /* what needs no holding is better */
    assert_int_equal(negotiated(both, &all)->pt, 103);
}


#define MULTIOPUS(channels, fmtp)                                             \
    AUDIO("116 111", "a=rtpmap:116 multiopus/48000/" channels "\r\n"          \
          "a=fmtp:116 " fmtp "\r\n"                                           \
          "a=rtpmap:111 opus/48000/2\r\n")


static void
several_streams_of_opus_are_taken_as_they_are_mapped(void **state)
{
    size_t                    i;
    const cr_media_params_t  *m;

    static const char  surround[] =
        MULTIOPUS("6", "channel_mapping=0,4,1,2,3,5;coupled_streams=2;"
                       "minptime=10;num_streams=4;useinbandfec=1");
    static const char *const  bad[] = {
        MULTIOPUS("6", "channel_mapping=0,4,1,2,3,5;coupled_streams=2"),
        MULTIOPUS("6", "channel_mapping=0,4,1,2,3;coupled_streams=2;"
                       "num_streams=4"),
        MULTIOPUS("6", "channel_mapping=0,4,1,2,3,6;coupled_streams=2;"
                       "num_streams=4"),
        MULTIOPUS("6", "channel_mapping=0,4,1,2,3,x;coupled_streams=2;"
                       "num_streams=4"),
        MULTIOPUS("6", "channel_mapping=0,4,1,2,3,5;coupled_streams=5;"
                       "num_streams=4"),
        MULTIOPUS("6", "channel_mapping=0,4,1,2,3,5;coupled_streams=200;"
                       "num_streams=200"),
        MULTIOPUS("9", "channel_mapping=0,1,2,3,4,5,6,7,8;"
                       "coupled_streams=0;num_streams=9"),
        MULTIOPUS("0", "channel_mapping=0;num_streams=1"),
        MULTIOPUS("6", "minptime=10")
    };

    (void) state;

    m = negotiated(surround, &all);
    assert_int_equal(m->codec, CR_CODEC_OPUS);
    assert_int_equal(m->pt, 116);
    assert_int_equal(m->channels, 6);
    assert_int_equal(m->clock_rate, 48000);
    assert_int_equal(m->opus_streams, 4);
    assert_int_equal(m->opus_coupled, 2);
    assert_memory_equal(m->opus_mapping, "\0\4\1\2\3\5", 6);

    assert_answer(surround,
                  "a=rtpmap:116 multiopus/48000/6\r\n"
                  "a=fmtp:116 channel_mapping=0,4,1,2,3,5;coupled_streams=2;"
                  "minptime=10;num_streams=4;useinbandfec=1\r\n");

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        m = negotiated(bad[i], &all);
        assert_int_equal(m->pt, 111);
        assert_int_equal(m->channels, 2);
        assert_int_equal(m->opus_streams, 0);
    }
}


#define FEC(rtx)                                                              \
    VIDEO("96 97 118 119 120",                                                \
          VP8 "a=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n"                 \
          "a=rtpmap:118 red/90000\r\n"                                        \
          "a=rtpmap:119 rtx/90000\r\na=fmtp:119 apt=" rtx "\r\n"              \
          "a=rtpmap:120 ulpfec/90000\r\n")


static void
video_with_parity_is_taken_where_it_is_wanted(void **state)
{
    cr_sdp_config_t           config;
    const cr_media_params_t  *m;

    (void) state;

    config = all;
    config.ulpfec = false;
    m = negotiated(FEC("118"), &config);
    assert_int_equal(m->red_pt, 0);
    assert_int_equal(m->ulpfec_pt, 0);

    m = negotiated(FEC("118"), &all);
    assert_int_equal(m->pt, 96);
    assert_int_equal(m->rtx_pt, 97);
    assert_int_equal(m->red_pt, 118);
    assert_int_equal(m->red_rtx_pt, 119);
    assert_int_equal(m->ulpfec_pt, 120);

    assert_answer(FEC("118"), "m=video 9 UDP/TLS/RTP/SAVPF "
                              "96 97 118 119 120\r\n");
    assert_answer(FEC("118"), "a=rtpmap:118 red/90000\r\n"
                              "a=rtpmap:119 rtx/90000\r\n"
                              "a=fmtp:119 apt=118\r\n"
                              "a=rtpmap:120 ulpfec/90000\r\n");

    /* RED that nobody repeats costs more than parity brings */
    m = negotiated(FEC("99"), &all);
    assert_int_equal(m->red_pt, 0);
    assert_int_equal(m->ulpfec_pt, 0);

    /* without parity; a publisher that repeats nothing */
    m = negotiated(VIDEO("96 118", VP8 "a=rtpmap:118 red/90000\r\n"), &all);
    assert_int_equal(m->red_pt, 118);
    assert_int_equal(m->red_rtx_pt, 0);
    assert_int_equal(m->ulpfec_pt, 0);
    assert_answer(VIDEO("96 118", VP8 "a=rtpmap:118 red/90000\r\n"),
                  "SAVPF 96 118\r\n");
}


static void
the_offerers_order_decides(void **state)
{
    cr_sdp_config_t           ours;
    const cr_media_params_t  *m;

    static const char  text[] = VIDEO("45 98 96", VP8 VP9 AV1);

    (void) state;

    m = negotiated(text, &all);
    assert_int_equal(m->codec, CR_CODEC_AV1);
    assert_int_equal(m->pt, 45);

    ours = all;
    ours.offerers_order = false;
    m = negotiated(text, &ours);
    assert_int_equal(m->codec, CR_CODEC_VP8);

    /* within a codec it is still for us to say */
    m = negotiated(VIDEO("97 45 99",
                         "a=rtpmap:97 H264/90000\r\n"
                         "a=fmtp:97 profile-level-id=42e01f\r\n" AV1
                         "a=rtpmap:99 H264/90000\r\n"
                         "a=fmtp:99 packetization-mode=1;"
                             "profile-level-id=42e01f\r\n"), &all);
    assert_int_equal(m->codec, CR_CODEC_H264);
    assert_int_equal(m->pt, 99);
}


static void
vp9_is_taken_in_profiles_0_and_2(void **state)
{
    const cr_media_params_t  *m;

    (void) state;

    m = negotiated(VIDEO("98", VP9), &all);
    assert_int_equal(m->codec, CR_CODEC_VP9);
    assert_int_equal(m->profile, 0);
    assert_int_equal(m->kind, CR_KIND_VIDEO);
    assert_int_equal(m->clock_rate, 90000);

    m = negotiated(VIDEO("98", VP9 "a=fmtp:98 profile-id=2\r\n"), &all);
    assert_int_equal(m->profile, 2);

    assert_null(negotiated(VIDEO("98", VP9 "a=fmtp:98 profile-id=1\r\n"),
                           &all));
    assert_null(negotiated(VIDEO("98", VP9 "a=fmtp:98 profile-id=3\r\n"),
                           &all));

    assert_answer(VIDEO("98", VP9 "a=fmtp:98 profile-id=2\r\n"),
                  "a=rtpmap:98 VP9/90000\r\na=fmtp:98 profile-id=2\r\n");
}


static void
av1_is_answered_as_it_is_offered(void **state)
{
    const cr_media_params_t  *m;

    (void) state;

    m = negotiated(VIDEO("45", AV1), &all);
    assert_int_equal(m->codec, CR_CODEC_AV1);
    assert_int_equal(m->profile, 0);
    assert_int_equal(m->level, 5);
    assert_int_equal(m->tier, 0);

    assert_answer(VIDEO("45", AV1
                        "a=fmtp:45 level-idx=9;profile=1;tier=1\r\n"),
                  "a=rtpmap:45 AV1/90000\r\n"
                  "a=fmtp:45 level-idx=9;profile=1;tier=1\r\n");

    assert_null(negotiated(VIDEO("45", AV1 "a=fmtp:45 profile=3\r\n"),
                           &all));

    /* what is no number is as good as not said */
    m = negotiated(VIDEO("45", AV1 "a=fmtp:45 level-idx=x;tier=999\r\n"),
                   &all);
    assert_int_equal(m->level, 5);
    assert_int_equal(m->tier, 0);
}


static void
h265_is_taken_in_transmission_order(void **state)
{
    const cr_media_params_t  *m;

    static const uint8_t  sets[] = "\0\0\0\1\x40\1\0\0\0\1\x42\1\0\0\0\1"
                                   "\x44\1";

    (void) state;

    m = negotiated(VIDEO("49", H265
                         "a=fmtp:49 sprop-vps=QAE=;sprop-sps=QgE=;"
                             "sprop-pps=RAE=\r\n"), &all);
    assert_int_equal(m->codec, CR_CODEC_H265);
    assert_int_equal(m->profile, 1);
    assert_int_equal(m->level, 93);
    assert_int_equal(m->h264_sprop_len, sizeof(sets) - 1);
    assert_memory_equal(m->h264_sprop, sets, sizeof(sets) - 1);

    assert_answer(VIDEO("49", H265 "a=fmtp:49 level-id=180;profile-id=2;"
                        "tier-flag=1;tx-mode=SRST\r\n"),
                  "a=fmtp:49 level-id=180;profile-id=2;tier-flag=1;"
                  "tx-mode=SRST\r\n");

    assert_null(negotiated(VIDEO("49", H265 "a=fmtp:49 tx-mode=MRST\r\n"),
                           &all));
    assert_null(negotiated(VIDEO("49", H265
                                 "a=fmtp:49 sprop-max-don-diff=2\r\n"),
                           &all));
    assert_null(negotiated(VIDEO("49", H265 "a=fmtp:49 profile-id=9\r\n"),
                           &all));
}


static void
static_types_need_no_rtpmap(void **state)
{
    const cr_media_params_t  *m;

    (void) state;

    m = negotiated(AUDIO("0", ""), &all);
    assert_int_equal(m->codec, CR_CODEC_PCMU);
    assert_int_equal(m->pt, 0);
    assert_int_equal(m->channels, 1);
    assert_int_equal(m->clock_rate, 8000);
    assert_int_equal(m->kind, CR_KIND_AUDIO);

    assert_int_equal(negotiated(AUDIO("9 0", ""), &all)->codec,
                     CR_CODEC_G722);
    assert_int_equal(negotiated(AUDIO("8", "a=rtpmap:8 PCMA/8000/1\r\n"),
                                &all)->codec, CR_CODEC_PCMA);

    /* it says that it is something else */
    assert_null(negotiated(AUDIO("0", "a=rtpmap:0 L16/8000\r\n"), &all));
    assert_null(negotiated(VIDEO("0", ""), &all));

    assert_answer(AUDIO("8", ""), "a=rtpmap:8 PCMA/8000\r\n");
}


static void
redundancy_is_asked_for_where_it_is_offered(void **state)
{
    cr_sdp_config_t           none;
    const cr_media_params_t  *m;

    static const char  text[] = AUDIO("111 63",
                                      "a=rtpmap:111 opus/48000/2\r\n"
                                      "a=rtpmap:63 red/48000/2\r\n"
                                      "a=fmtp:63 111/111\r\n");

    (void) state;

    m = negotiated(text, &all);
    assert_int_equal(m->pt, 111);
    assert_int_equal(m->red_pt, 63);

    /* what is named first is sent */
    assert_answer(text, "m=audio 9 UDP/TLS/RTP/SAVPF 63 111\r\n");
    assert_answer(text, "a=rtpmap:63 red/48000/2\r\n"
                        "a=fmtp:63 111/111\r\n");

    none = all;
    none.red = false;
    assert_int_equal(negotiated(text, &none)->red_pt, 0);

    /* of other codecs, of several, of nothing */
    assert_int_equal(negotiated(AUDIO("111 63 0",
                                      "a=rtpmap:111 opus/48000/2\r\n"
                                      "a=rtpmap:63 red/48000/2\r\n"
                                      "a=fmtp:63 0/0\r\n"),
                                &all)->red_pt, 0);
    assert_int_equal(negotiated(AUDIO("111 63 0",
                                      "a=rtpmap:111 opus/48000/2\r\n"
                                      "a=rtpmap:63 red/48000/2\r\n"
                                      "a=fmtp:63 111/0\r\n"),
                                &all)->red_pt, 0);
    assert_int_equal(negotiated(AUDIO("111 63",
                                      "a=rtpmap:111 opus/48000/2\r\n"
                                      "a=rtpmap:63 red/48000/2\r\n"),
                                &all)->red_pt, 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(what_is_told_of_frames_is_listened_to),
        cmocka_unit_test(interleaved_h264_says_how_deep),
        cmocka_unit_test(several_streams_of_opus_are_taken_as_they_are_mapped),
        cmocka_unit_test(video_with_parity_is_taken_where_it_is_wanted),
        cmocka_unit_test(the_offerers_order_decides),
        cmocka_unit_test(vp9_is_taken_in_profiles_0_and_2),
        cmocka_unit_test(av1_is_answered_as_it_is_offered),
        cmocka_unit_test(h265_is_taken_in_transmission_order),
        cmocka_unit_test(static_types_need_no_rtpmap),
        cmocka_unit_test(redundancy_is_asked_for_where_it_is_offered)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
