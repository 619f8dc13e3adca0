
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
        cmocka_unit_test(a_packet_without_a_valid_duration_is_dropped),
        cmocka_unit_test(a_hole_leaves_the_next_packet_whole),
        cmocka_unit_test(the_config_is_an_opus_head_with_the_channels)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
