
/*
 * Copyright (C) The call recorder authors
 *
 * Opus packets and their duration.
 */


#include "depay_frames.h"


static const cr_media_params_t  opus = {
    .kind = CR_KIND_AUDIO, .codec = CR_CODEC_OPUS, .clock_rate = 48000,
    .channels = 2
};


static void
a_packet_is_a_frame_of_its_toc_s_duration(void **state)
{
    size_t        i;
    depay_test_t  t;

    static const struct {
        const char  *bytes;
        size_t       len;
        uint32_t     duration_us;
    } packets[] = {
        { "\x00z", 2, 10000 },              /* SILK NB, 10 ms */
        { "\x58z", 2, 60000 },              /* SILK WB, 60 ms */
        { "\x60z", 2, 10000 },              /* hybrid, 10 ms */
        { "\x78z", 2, 20000 },              /* hybrid FB, 20 ms */
        { "\x80z", 2, 2500 },               /* CELT, 2.5 ms */
        { "\xfcz", 2, 20000 },              /* CELT FB, stereo */
        { "\xfdzz", 3, 40000 },             /* code 1 */
        { "\xfe\x01zz", 4, 40000 },         /* code 2 */
        { "\xff\x06zz", 4, 120000 },        /* code 3, 6 frames */
        { "\xf8", 1, 20000 }                /* DTX: the TOC alone */
    };

    (void) state;

    for (i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
        depay_test_open(&t, &opus);

        assert_int_equal(depay_test_push(&t, 960, i & 1, packets[i].bytes,
                                         packets[i].len), CR_OK);
        assert_int_equal(t.out.n, 1);
        assert_true(t.out.frame[0].keyframe);
        assert_false(t.out.frame[0].incomplete);
        assert_int_equal(t.out.frame[0].kind, CR_KIND_AUDIO);
        assert_int_equal(t.out.frame[0].codec, CR_CODEC_OPUS);
        assert_int_equal(t.out.frame[0].rtp_timestamp, 960);
        assert_int_equal(t.out.frame[0].duration_us,
                         packets[i].duration_us);
        assert_int_equal(t.out.frame[0].size, packets[i].len);
        assert_memory_equal(t.out.data[0], packets[i].bytes,
                            packets[i].len);

        depay_test_close(&t);
    }
}


static void
several_streams_are_one_packet(void **state)
{
    depay_test_t       t;
    cr_media_params_t  params = opus;

    (void) state;

    params.channels = 3;
    params.opus_streams = 2;
    params.opus_coupled = 1;
    memcpy(params.opus_mapping, "\0\2\1", 3);

    depay_test_open(&t, &params);

    /* two frames of one byte each, their size before them; the last
     * stream's is not said: RFC 6716 appendix B */
    assert_int_equal(depay_test_push(&t, 960, false, "\xf9\x01zz\xf9yy", 7),
                     CR_OK);
    assert_int_equal(depay_test_push(&t, 2880, false, "\xf9\x01zz\xf9yyyy",
                                     9), CR_OK);
    assert_int_equal(t.out.n, 2);
    assert_int_equal(t.out.frame[0].duration_us, 40000);
    assert_int_equal(t.out.frame[0].size, 7);
    assert_memory_equal(t.out.data[0], "\xf9\x01zz\xf9yy", 7);

    /* RFC 7845 section 5.1.1 */
    assert_int_equal(t.out.frame[0].config_size, 24);
    assert_memory_equal(t.out.frame[0].config,
                        "OpusHead\1\3\0\0\x80\xbb\0\0\0\0\1\2\1\0\2\1",
                        24);

    depay_test_close(&t);
}


/* What an encoder put there for a packet that is lost (RFC 6716 section 2.1.7)
 * or says with the least of bytes (DTX) stays there, bit by bit. */
static void
in_band_fec_and_silence_are_kept(void **state)
{
    depay_test_t  t;

    (void) state;

    depay_test_open(&t, &opus);

    /* SILK WB, 20 ms: the bits behind the TOC are voice activity and LBRR */
    assert_int_equal(depay_test_push(&t, 0, false, "\x48\xc0\x12\x34", 4),
                     CR_OK);
    assert_int_equal(depay_test_push(&t, 960, false, "\x48", 1), CR_OK);

    /* 400 ms of silence that was not sent is no frame, and no gap */
    assert_int_equal(depay_test_push(&t, 20160, true, "\x48\x80\x01", 3),
                     CR_OK);

    assert_int_equal(t.out.n, 3);
    assert_memory_equal(t.out.data[0], "\x48\xc0\x12\x34", 4);
    assert_int_equal(t.out.frame[1].size, 1);
    assert_int_equal(t.out.frame[1].duration_us, 20000);
    assert_int_equal(t.out.frame[2].rtp_timestamp, 20160);

    depay_test_close(&t);
}


static void
a_packet_without_a_valid_duration_is_dropped(void **state)
{
    size_t        i;
    depay_test_t  t;

    static const struct {
        const char  *bytes;
        size_t       len;
    } packets[] = {
        { "\x03", 1 },                      /* code 3 without its count */
        { "\x03\x00", 2 },                  /* no frames */
        { "\xff\x07", 2 },                  /* 140 ms */
        { "\x1b\x3f", 2 },                  /* 63 of 60 ms */
        { "\xfdz", 2 }                      /* code 1 of an odd size */
    };

    (void) state;
    depay_test_open(&t, &opus);

    for (i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
        assert_int_equal(depay_test_push(&t, 1, false, packets[i].bytes,
                                         packets[i].len), CR_INVALID);
    }

    assert_int_equal(PUSH(&t, 1, false, ""), CR_OK);
    assert_int_equal(t.out.n, 0);

    depay_test_close(&t);
}


static void
a_hole_leaves_the_next_packet_whole(void **state)
{
    depay_test_t  t;

    (void) state;
    depay_test_open(&t, &opus);

    depay_test_gap(&t);
    PUSH(&t, 1, false, "\xf8z");
    cr_depay_flush(t.depay);

    assert_int_equal(t.out.n, 1);
    assert_false(t.out.frame[0].incomplete);

    depay_test_close(&t);
}


static void
the_config_is_an_opus_head_with_the_channels(void **state)
{
    depay_test_t       t;
    cr_media_params_t  mono;

    (void) state;

    depay_test_open(&t, &opus);
    PUSH(&t, 1, false, "\xf8z");
    assert_int_equal(t.out.frame[0].config_size, 19);
    assert_memory_equal(t.out.config[0],
                        "OpusHead\1\2\0\0\x80\xbb\0\0\0\0\0", 19);
    depay_test_close(&t);

    mono = opus;
    mono.channels = 1;

    depay_test_open(&t, &mono);
    PUSH(&t, 1, false, "\xf8z");
    assert_int_equal(t.out.config[0][9], 1);
    depay_test_close(&t);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(a_packet_is_a_frame_of_its_toc_s_duration),
        cmocka_unit_test(several_streams_are_one_packet),
        cmocka_unit_test(in_band_fec_and_silence_are_kept),
        cmocka_unit_test(a_packet_without_a_valid_duration_is_dropped),
        cmocka_unit_test(a_hole_leaves_the_next_packet_whole),
        cmocka_unit_test(the_config_is_an_opus_head_with_the_channels)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
