
/*
 * Copyright (C) The call recorder authors
 */

#include "depay_frames.h"


/* 64x48 by x265, without the last bytes of the VUI */
#define VPS  "\x40\x01\x0c\x01\xff\xff\x01\x60\x00\x00\x03\x00\x90\x00\x00"   \
             "\x03\x00\x00\x03\x00\x1e\x95\x94\x09"
#define SPS  "\x42\x01\x01\x01\x60\x00\x00\x03\x00\x90\x00\x00\x03\x00\x00"   \
             "\x03\x00\x1e\xa0\x20\x83\x16\x59\x59\x52\x93\x0b\xc0\x5a\x02"   \
             "\x00\x00\x03\x00\x02\x00\x00\x03\x00\x32\x10"
#define PPS  "\x44\x01\xc0\x73\xc0\x89"
#define AP   "\x60\x01"
#define SETS  AP "\x00\x18" VPS "\x00\x29" SPS "\x00\x06" PPS

/* first_slice_segment_in_pic_flag, no_output_of_prior_pics_flag, PPS 0 */
#define IDR     "\x28\x01\xaf" "idr"
#define IDR_2   "\x28\x01\x2f" "2nd"
#define TRAIL   "\x02\x01\xd0" "trail"
#define SEI     "\x4e\x01\x05\x00"
#define AUD     "\x46\x01\x50"

#define SIZE(bytes)  (sizeof(bytes) - 1)


static const cr_media_params_t  params = {
    .kind = CR_KIND_VIDEO, .codec = CR_CODEC_H265
};


static void
sets_go_to_the_config(void **state)
{
    depay_test_t  t;

    static const char  head[] =
        "\x01\x01\x60\x00\x00\x00\x90\x00\x00\x00\x00\x00\x1e"
        "\xf0\x00\xfc\xfd\xf8\xf8\x00\x00\x0f\x03"
        "\x20\x00\x01\x00\x18" VPS "\x21\x00\x01\x00\x29" SPS
        "\x22\x00\x01\x00\x06" PPS;

    (void) state;

    depay_test_open(&t, &params);

    assert_int_equal(PUSH(&t, 1, false, SETS), CR_OK);
    assert_int_equal(PUSH(&t, 1, false, AUD), CR_OK);
    assert_int_equal(PUSH(&t, 1, true, IDR), CR_OK);

    assert_int_equal(t.out.n, 1);
    assert_true(t.out.frame[0].keyframe);
    assert_false(t.out.frame[0].incomplete);
    assert_int_equal(t.out.frame[0].width, 64);
    assert_int_equal(t.out.frame[0].height, 48);
    assert_int_equal(t.out.frame[0].size, 4 + SIZE(IDR));
    assert_memory_equal(t.out.data[0], "\0\0\0\x06" IDR, 4 + SIZE(IDR));
    assert_int_equal(t.out.frame[0].config_size, SIZE(head));
    assert_memory_equal(t.out.config[0], head, SIZE(head));

    assert_int_equal(PUSH(&t, 2, true, TRAIL), CR_OK);
    assert_int_equal(t.out.n, 2);
    assert_false(t.out.frame[1].keyframe);
    assert_ptr_equal(t.out.frame[1].config, t.out.frame[0].config);

    depay_test_close(&t);
}


static void
sets_of_the_offer_are_known(void **state)
{
    depay_test_t       t;
    cr_media_params_t  offered;

    static const char  sprop[] =
        "\0\0\0\1" VPS "\0\0\0\1" SPS "\0\0\0\1" PPS "\0\0\0\1" AUD;

    (void) state;

    offered = params;
    memcpy(offered.h264_sprop, sprop, SIZE(sprop));
    offered.h264_sprop_len = SIZE(sprop);

    depay_test_open(&t, &offered);
    PUSH(&t, 1, true, IDR);
    assert_true(t.out.frame[0].keyframe);
    assert_int_equal(t.out.frame[0].width, 64);
    depay_test_close(&t);
}


static void
without_its_sets_a_picture_is_no_entry(void **state)
{
    depay_test_t  t;

    (void) state;

    depay_test_open(&t, &params);
    PUSH(&t, 1, true, IDR);
    PUSH(&t, 2, false, SPS);
    PUSH(&t, 2, false, PPS);
    PUSH(&t, 2, true, IDR);
    /* the VPS alone was missing */
    PUSH(&t, 3, false, VPS);
    PUSH(&t, 3, true, IDR);

    assert_int_equal(t.out.n, 3);
    assert_false(t.out.frame[0].keyframe);
    assert_false(t.out.frame[1].keyframe);
    assert_true(t.out.frame[2].keyframe);
    depay_test_close(&t);
}


static void
nal_units_are_aggregated(void **state)
{
    depay_test_t  t;

    (void) state;

    depay_test_open(&t, &params);

    assert_int_equal(PUSH(&t, 1, true, AP "\x00\x04" SEI "\x00\x06" IDR
                          "\x00\x06" IDR_2), CR_OK);
    assert_int_equal(t.out.n, 1);
    assert_false(t.out.frame[0].incomplete);
    assert_memory_equal(t.out.data[0],
                        "\0\0\0\4" SEI "\0\0\0\6" IDR "\0\0\0\6" IDR_2,
                        12 + SIZE(SEI IDR IDR_2));

    depay_test_close(&t);
}


static void
nal_units_are_fragmented(void **state)
{
    depay_test_t  t;

    (void) state;

    depay_test_open(&t, &params);
    PUSH(&t, 1, false, SETS);

    /* type 20 behind 49 and the FU header */
    assert_int_equal(PUSH(&t, 1, false, "\x62\x01\x94\xaf"), CR_OK);
    assert_int_equal(PUSH(&t, 1, false, "\x62\x01\x14" "id"), CR_OK);
    assert_int_equal(PUSH(&t, 1, true, "\x62\x01\x54" "r"), CR_OK);

    assert_int_equal(t.out.n, 1);
    assert_true(t.out.frame[0].keyframe);
    assert_memory_equal(t.out.data[0], "\0\0\0\6" IDR, 4 + SIZE(IDR));

    /* a parameter set in two */
    assert_int_equal(PUSH(&t, 2, false, "\x62\x01\xa2\xc0\x73"), CR_OK);
    assert_int_equal(PUSH(&t, 2, false, "\x62\x01\x62\xc0\x89"), CR_OK);
    assert_int_equal(PUSH(&t, 2, true, IDR), CR_OK);
    assert_ptr_equal(t.out.frame[1].config, t.out.frame[0].config);
    assert_int_equal(t.out.frame[1].size, 4 + SIZE(IDR));

    depay_test_close(&t);
}


static void
what_lacks_packets_is_incomplete(void **state)
{
    depay_test_t  t;

    (void) state;

    depay_test_open(&t, &params);

    /* the first slice of the picture */
    PUSH(&t, 1, true, IDR_2);
    assert_true(t.out.frame[0].incomplete);

    /* a fragment's middle, start, end */
    PUSH(&t, 2, false, IDR);
    PUSH(&t, 2, false, "\x62\x01\x94\x2f");
    depay_test_gap(&t);
    PUSH(&t, 2, true, "\x62\x01\x54" "r");
    assert_int_equal(t.out.n, 2);
    assert_true(t.out.frame[1].incomplete);
    assert_int_equal(t.out.frame[1].size, 4 + SIZE(IDR));

    PUSH(&t, 3, false, "\x62\x01\x54" "r");
    PUSH(&t, 3, true, IDR);
    assert_true(t.out.frame[2].incomplete);

    PUSH(&t, 4, false, "\x62\x01\x94\xaf");
    PUSH(&t, 4, true, IDR_2);
    assert_true(t.out.frame[3].incomplete);
    assert_int_equal(t.out.frame[3].size, 4 + SIZE(IDR_2));

    depay_test_close(&t);
}


static void
malformed_payloads_are_refused(void **state)
{
    size_t        i;
    depay_test_t  t;

    static const struct {
        const char   *data;
        size_t        len;
        cr_status_e   rc;
    } packets[] = {
#define P(bytes, rc)  { bytes, SIZE(bytes), rc }
        P("\x28", CR_INVALID),                       /* half a header */
        P("\xa8\x01\xaf", CR_INVALID),               /* the forbidden bit */
        P(AP "\x00", CR_INVALID),                    /* half a length */
        P(AP "\x00\x05" SEI, CR_INVALID),            /* a length too large */
        P(AP "\x00\x01\x28", CR_INVALID),
        P(AP "\x00\x02" AP, CR_INVALID),             /* one in another */
        P("\x62\x01\x94", CR_INVALID),               /* nothing in it */
        P("\x62\x01\xb0\x01", CR_INVALID),           /* an AP in pieces */
        P("\x64\x01\x00\x00", CR_UNSUPPORTED),       /* PACI */
        P("\x42\x01\x01", CR_INVALID),               /* sets cut off */
        P("\x44\x01", CR_INVALID),
        P("\x44\x01\x00", CR_INVALID)
#undef P
    };

    (void) state;

    for (i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
        depay_test_open(&t, &params);
        assert_int_equal(depay_test_push(&t, 1, true, packets[i].data,
                                         packets[i].len), packets[i].rc);
        assert_int_equal(t.out.n, 0);
        depay_test_close(&t);
    }
}


static void
cut_sets_are_refused(void **state)
{
    size_t        len;
    depay_test_t  t;

    (void) state;

    /* the bit depths end in byte 22 */
    for (len = 2; len < 22; len++) {
        depay_test_open(&t, &params);
        assert_int_equal(depay_test_push(&t, 1, true, SPS, len), CR_INVALID);
        depay_test_close(&t);
    }
}


static void
memory_may_run_out(void **state)
{
    unsigned      i;
    depay_test_t  t;

    (void) state;

    for (i = 1; i <= 2; i++) {
        depay_test_open(&t, &params);
        t.failing.fail_at = t.failing.calls + 1;

        assert_int_equal(i == 1 ? PUSH(&t, 1, true, IDR)
                                : PUSH(&t, 1, true, "\x62\x01\x94\xaf"),
                         CR_NOMEM);
        assert_int_equal(t.out.n, 0);

        assert_int_equal(PUSH(&t, 2, true, TRAIL), CR_OK);
        assert_int_equal(t.out.n, 1);
        depay_test_close(&t);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(sets_go_to_the_config),
        cmocka_unit_test(sets_of_the_offer_are_known),
        cmocka_unit_test(without_its_sets_a_picture_is_no_entry),
        cmocka_unit_test(nal_units_are_aggregated),
        cmocka_unit_test(nal_units_are_fragmented),
        cmocka_unit_test(what_lacks_packets_is_incomplete),
        cmocka_unit_test(malformed_payloads_are_refused),
        cmocka_unit_test(cut_sets_are_refused),
        cmocka_unit_test(memory_may_run_out)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
