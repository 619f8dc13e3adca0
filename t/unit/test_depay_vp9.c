
/*
 * Copyright (C) The call recorder authors
 */

#include "depay_frames.h"


/* 64x48, profile 0: marker, keyframe, shown, sync code, BT.601, sizes */
#define KEY    "\x82\x49\x83\x42\x20\x03\xf0\x02\xf0" "key"
#define INTER  "\x86" "inter"

/* descriptors: B and E; B; E; neither */
#define WHOLE  "\x0c"
#define BEGIN  "\x08"
#define END    "\x04"
#define MIDDLE "\x00"

/* L, B and E; layer; TL0PICIDX.  D says: predicted from the layer below */
#define LAYER(sid)  "\x2c" sid "\x07"
#define SID0   "\x00"
#define SID1   "\x03"
#define SID2   "\x05"


static const cr_media_params_t  params = {
    .kind = CR_KIND_VIDEO, .codec = CR_CODEC_VP9
};


static void
a_frame_is_put_together(void **state)
{
    depay_test_t  t;

    (void) state;

    depay_test_open(&t, &params);

    assert_int_equal(PUSH(&t, 10, false, BEGIN KEY), CR_OK);
    assert_int_equal(PUSH(&t, 10, false, MIDDLE "AB"), CR_OK);
    assert_int_equal(PUSH(&t, 10, true, END "CD"), CR_OK);
    assert_int_equal(PUSH(&t, 20, true, WHOLE INTER), CR_OK);

    assert_int_equal(t.out.n, 2);
    assert_true(t.out.frame[0].keyframe);
    assert_false(t.out.frame[0].incomplete);
    assert_int_equal(t.out.frame[0].width, 64);
    assert_int_equal(t.out.frame[0].height, 48);
    assert_int_equal(t.out.frame[0].size, sizeof(KEY "ABCD") - 1);
    assert_memory_equal(t.out.data[0], KEY "ABCD", sizeof(KEY "ABCD") - 1);
    assert_null(t.out.frame[0].config);

    assert_false(t.out.frame[1].keyframe);
    assert_int_equal(t.out.frame[1].width, 0);

    depay_test_close(&t);
}


static void
every_field_of_the_descriptor_is_passed_over(void **state)
{
    size_t        i;
    depay_test_t  t;

    static const struct {
        const char  *data;
        size_t       len;
    } packets[] = {
#define P(bytes)  { bytes, sizeof(bytes) - 1 }
        P("\x8c\x11" KEY),                        /* picture id */
        P("\x8c\x91\x22" KEY),                    /* of 15 bits */
        P("\x2c\x20\x05" KEY),                    /* layer, TL0PICIDX */
        P("\xbc\x91\x22\x20" KEY),                /* flexible: without it */
        P("\x5c\x02" KEY),                        /* one reference */
        P("\x5c\x03\x05\x06" KEY),                /* three of them */
        P("\x0e\x00" KEY),                        /* structure, empty */
        P("\x0e\x30\x00\x20\x00\x18\x00\x40\x00\x30" KEY),
        P("\x0e\x08\x02\x04\x01\x08\x01\x02" KEY) /* a picture group */
#undef P
    };

    (void) state;

    for (i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
        depay_test_open(&t, &params);

        assert_int_equal(depay_test_push(&t, 1, true, packets[i].data,
                                         packets[i].len), CR_OK);
        assert_int_equal(t.out.n, 1);
        assert_true(t.out.frame[0].keyframe);
        assert_int_equal(t.out.frame[0].size, sizeof(KEY) - 1);
        assert_int_equal(t.out.frame[0].width, 64);

        depay_test_close(&t);
    }
}


static void
cut_descriptors_are_refused(void **state)
{
    size_t        i, len;
    depay_test_t  t;

    static const char  all[] =
        "\xfe\x91\x22\x20\x03\x05\x06\x38\x00\x20\x00\x18\x00\x40\x00\x30"
        "\x01\x08\x01\x02";

    (void) state;

    len = sizeof(all) - 1;

    for (i = 1; i <= len; i++) {
        depay_test_open(&t, &params);

        assert_int_equal(depay_test_push(&t, 1, true, all, i), CR_INVALID);
        assert_int_equal(t.out.n, 0);

        depay_test_close(&t);
    }

    depay_test_open(&t, &params);
    /* a fourth reference */
    assert_int_equal(PUSH(&t, 1, true, "\x5c\x03\x05\x07\x08" KEY),
                     CR_INVALID);
    depay_test_close(&t);
}


static void
layers_become_one_superframe(void **state)
{
    depay_test_t    t;
    const uint8_t  *index;

    (void) state;

    depay_test_open(&t, &params);

    /* sizes of two layers: 32x24 and 128x96 */
    assert_int_equal(PUSH(&t, 10, false, "\x2e\x00\x07"
                          "\x30\x00\x20\x00\x18\x00\x80\x00\x60" KEY),
                     CR_OK);
    assert_int_equal(PUSH(&t, 10, true, LAYER(SID1) INTER), CR_OK);

    assert_int_equal(t.out.n, 1);
    assert_false(t.out.frame[0].incomplete);
    assert_true(t.out.frame[0].keyframe);
    assert_int_equal(t.out.frame[0].width, 128);
    assert_int_equal(t.out.frame[0].height, 96);
    assert_int_equal(t.out.frame[0].size, sizeof(KEY INTER) - 1 + 10);

    index = t.out.data[0] + sizeof(KEY INTER) - 1;
    assert_memory_equal(index, "\xd9\x0c\0\0\0\x06\0\0\0\xd9", 10);

    /* what is shown of the next: the lower layer alone, it is no change */
    assert_int_equal(PUSH(&t, 20, true, LAYER(SID0) INTER), CR_OK);
    assert_int_equal(t.out.n, 2);
    assert_int_equal(t.out.frame[1].size, sizeof(INTER) - 1);
    assert_false(t.out.frame[1].incomplete);

    depay_test_close(&t);
}


static void
a_picture_without_its_lowest_layer_is_incomplete(void **state)
{
    depay_test_t  t;

    (void) state;

    depay_test_open(&t, &params);

    depay_test_gap(&t);
    assert_int_equal(PUSH(&t, 10, false, LAYER(SID1) INTER), CR_OK);
    assert_int_equal(PUSH(&t, 10, true, LAYER(SID2) INTER), CR_OK);

    assert_int_equal(t.out.n, 1);
    assert_true(t.out.frame[0].incomplete);

    depay_test_close(&t);
}


static void
a_frame_whose_rest_was_never_sent_is_incomplete(void **state)
{
    depay_test_t  t;

    (void) state;

    depay_test_open(&t, &params);

    /* by its own end */
    assert_int_equal(PUSH(&t, 10, false, BEGIN INTER), CR_OK);
    assert_int_equal(PUSH(&t, 20, false, WHOLE KEY), CR_OK);

    /* of a layer, the next one of the picture came */
    assert_int_equal(PUSH(&t, 30, false, "\x28" SID0 "\x07" INTER), CR_OK);
    assert_int_equal(PUSH(&t, 30, true, LAYER(SID1) INTER), CR_OK);

    /* all of a layer, and no marker: the encoder left out those above */
    assert_int_equal(PUSH(&t, 40, false, LAYER(SID0) INTER), CR_OK);
    assert_int_equal(PUSH(&t, 50, true, WHOLE KEY), CR_OK);

    assert_int_equal(t.out.n, 5);
    assert_true(t.out.frame[0].incomplete);
    assert_false(t.out.frame[1].incomplete);
    assert_true(t.out.frame[2].incomplete);
    assert_false(t.out.frame[3].incomplete);
    assert_false(t.out.frame[4].incomplete);

    depay_test_close(&t);
}


/* K-SVC (L3T3_KEY): between keyframes no layer needs the one below it, and
 * the encoder may drop any of them. */
static void
a_layer_that_stands_alone_is_whole(void **state)
{
    depay_test_t  t;

    (void) state;

    depay_test_open(&t, &params);

    assert_int_equal(PUSH(&t, 10, false, LAYER("\x02") INTER), CR_OK);
    assert_int_equal(PUSH(&t, 10, true, LAYER("\x04") INTER), CR_OK);
    assert_int_equal(PUSH(&t, 20, true, LAYER("\x04") INTER), CR_OK);

    /* behind a hole nobody knows whether there was one below */
    depay_test_gap(&t);
    assert_int_equal(PUSH(&t, 30, true, LAYER("\x02") INTER), CR_OK);
    assert_int_equal(PUSH(&t, 40, true, LAYER("\x02") INTER), CR_OK);

    assert_int_equal(t.out.n, 4);
    assert_false(t.out.frame[0].incomplete);
    assert_false(t.out.frame[1].incomplete);
    assert_true(t.out.frame[2].incomplete);
    assert_false(t.out.frame[3].incomplete);

    depay_test_close(&t);
}


static void
the_rest_of_a_lower_layer_is_not_all_of_it(void **state)
{
    depay_test_t  t;

    (void) state;

    depay_test_open(&t, &params);

    depay_test_gap(&t);
    assert_int_equal(PUSH(&t, 10, false, "\x24\x00\x07" "end"), CR_OK);
    assert_int_equal(PUSH(&t, 10, true, LAYER("\x02") INTER), CR_OK);

    assert_int_equal(t.out.n, 1);
    assert_true(t.out.frame[0].incomplete);

    depay_test_close(&t);
}


static void
layers_above_a_hole_are_left_out(void **state)
{
    depay_test_t  t;

    (void) state;

    depay_test_open(&t, &params);

    assert_int_equal(PUSH(&t, 10, false, "\x28\x00\x07" INTER), CR_OK);
    depay_test_gap(&t);
    assert_int_equal(PUSH(&t, 10, false, "\x24\x00\x07" "end"), CR_OK);
    assert_int_equal(PUSH(&t, 10, true, LAYER(SID1) INTER), CR_OK);

    assert_int_equal(t.out.n, 1);
    assert_true(t.out.frame[0].incomplete);
    assert_int_equal(t.out.frame[0].size, sizeof(INTER) - 1);

    depay_test_close(&t);
}


static void
a_lost_start_is_waited_out(void **state)
{
    depay_test_t  t;

    (void) state;

    depay_test_open(&t, &params);

    assert_int_equal(PUSH(&t, 10, false, MIDDLE "AB"), CR_OK);
    assert_int_equal(PUSH(&t, 10, true, END "CD"), CR_OK);
    assert_int_equal(t.out.n, 0);

    /* the marker is lost: the next time ends the picture */
    assert_int_equal(PUSH(&t, 20, false, BEGIN KEY), CR_OK);
    depay_test_gap(&t);
    assert_int_equal(PUSH(&t, 30, true, WHOLE INTER), CR_OK);

    assert_int_equal(t.out.n, 2);
    assert_true(t.out.frame[0].incomplete);
    assert_false(t.out.frame[1].incomplete);

    depay_test_close(&t);
}


static void
profiles_are_told_apart(void **state)
{
    size_t        i;
    depay_test_t  t;

    static const struct {
        const char  *data;
        size_t       len;
        bool         key;
    } frames[] = {
#define F(bytes, key)  { WHOLE bytes, sizeof(WHOLE bytes) - 1, key }
        F("\x82\x49\x83\x42\x20\x03\xf0\x02\xf0", true),
        /* profile 1: 4:4:4 */
        F("\xa2\x49\x83\x42\x20\x00\x7e\x00\x5e\x00", true),
        /* profile 2: 10 bits */
        F("\x92\x49\x83\x42\x10\x01\xf8\x01\x78", true),
        F("\x82\x49\x83\x43\x20\x03\xf0\x02\xf0", false),  /* sync code */
        F("\x42\x49\x83\x42\x20\x03\xf0\x02\xf0", false),  /* marker */
        F("\x82\x49\x83\x42\x20\x03", false),              /* cut off */
        F("\x88", false)                                   /* shown again */
#undef F
    };

    (void) state;

    for (i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
        depay_test_open(&t, &params);

        assert_int_equal(depay_test_push(&t, 1, true, frames[i].data,
                                         frames[i].len), CR_OK);
        assert_int_equal(t.out.n, 1);
        assert_int_equal(t.out.frame[0].keyframe, frames[i].key);
        assert_int_equal(t.out.frame[0].width, frames[i].key ? 64 : 0);
        assert_int_equal(t.out.frame[0].height, frames[i].key ? 48 : 0);

        depay_test_close(&t);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(a_frame_is_put_together),
        cmocka_unit_test(every_field_of_the_descriptor_is_passed_over),
        cmocka_unit_test(cut_descriptors_are_refused),
        cmocka_unit_test(layers_become_one_superframe),
        cmocka_unit_test(a_picture_without_its_lowest_layer_is_incomplete),
        cmocka_unit_test(a_frame_whose_rest_was_never_sent_is_incomplete),
        cmocka_unit_test(a_layer_that_stands_alone_is_whole),
        cmocka_unit_test(the_rest_of_a_lower_layer_is_not_all_of_it),
        cmocka_unit_test(layers_above_a_hole_are_left_out),
        cmocka_unit_test(a_lost_start_is_waited_out),
        cmocka_unit_test(profiles_are_told_apart)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
