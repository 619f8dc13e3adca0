
/*
 * Copyright (C) The call recorder authors
 */

#include "depay_frames.h"
#include "depay/av1_headers.h"


/* 64x48 by libaom, with and without its size */
#define SEQ        "\x08\x00\x00\x00\x02\xaf\xf7\x9b\x5f\x20\x08"
#define SEQ_SIZED  "\x0a\x0a\x00\x00\x00\x02\xaf\xf7\x9b\x5f\x20\x08"
#define AV1C       "\x81\x00\x0c\x00" SEQ_SIZED

/* OBU_FRAME: shown keyframe, shown inter frame */
#define KEY        "\x30\x10\x00\x80" "key"
#define KEY_SIZED  "\x32\x06\x10\x00\x80" "key"
#define INTER      "\x30\x30" "inter"

/* the aggregation header */
#define Z    "\x80"
#define Y    "\x40"
#define ZY   "\xc0"
#define W0   "\x00"
#define W1   "\x10"
#define W2   "\x20"
#define W2Y  "\x60"
#define ZW1  "\x90"


static const cr_media_params_t  params = {
    .kind = CR_KIND_VIDEO, .codec = CR_CODEC_AV1
};


static void
assert_keyframe(const depay_test_t *t)
{
    assert_int_equal(t->out.n, 1);
    assert_true(t->out.frame[0].keyframe);
    assert_false(t->out.frame[0].incomplete);
    assert_int_equal(t->out.frame[0].width, 64);
    assert_int_equal(t->out.frame[0].height, 48);
    assert_int_equal(t->out.frame[0].size, sizeof(SEQ_SIZED KEY_SIZED) - 1);
    assert_memory_equal(t->out.data[0], SEQ_SIZED KEY_SIZED,
                        sizeof(SEQ_SIZED KEY_SIZED) - 1);
    assert_int_equal(t->out.frame[0].config_size, sizeof(AV1C) - 1);
    assert_memory_equal(t->out.config[0], AV1C, sizeof(AV1C) - 1);
}


static void
elements_become_obus_with_sizes(void **state)
{
    size_t        i;
    depay_test_t  t;

    static const struct {
        const char  *data;
        size_t       len;
    } packets[] = {
#define P(bytes)  { bytes, sizeof(bytes) - 1 }
        P(W0 "\x0b" SEQ "\x07" KEY),
        P(W2 "\x0b" SEQ KEY),
        /* sizes that are there already, temporal delimiter, padding */
        P(W2 "\x0c" SEQ_SIZED KEY_SIZED),
        P(W0 "\x01\x10\x0b" SEQ "\x02\x78\x00\x07" KEY),
        /* a size in more bytes than it needs, an empty element */
        P(W0 "\x8b\x00" SEQ "\x00\x87\x80\x00" KEY)
#undef P
    };

    (void) state;

    for (i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
        depay_test_open(&t, &params);
        assert_int_equal(depay_test_push(&t, 1, true, packets[i].data,
                                         packets[i].len), CR_OK);
        assert_keyframe(&t);
        depay_test_close(&t);
    }
}


static void
obus_go_on_over_packets(void **state)
{
    depay_test_t  t;

    (void) state;

    depay_test_open(&t, &params);
    assert_int_equal(PUSH(&t, 1, false, W2Y "\x0b" SEQ "\x30\x10"), CR_OK);
    assert_int_equal(PUSH(&t, 1, false, ZY "\x02\x00\x80"), CR_OK);
    assert_int_equal(PUSH(&t, 1, true, ZW1 "key"), CR_OK);
    assert_keyframe(&t);
    depay_test_close(&t);

    /* in its header */
    depay_test_open(&t, &params);
    assert_int_equal(PUSH(&t, 1, false, Y "\x01\x08"), CR_OK);
    assert_int_equal(PUSH(&t, 1, true, Z "\x0a\x00\x00\x00\x02\xaf\xf7\x9b"
                          "\x5f\x20\x08" "\x07" KEY), CR_OK);
    assert_keyframe(&t);
    depay_test_close(&t);
}


static void
layers_stay_in_one_temporal_unit(void **state)
{
    depay_test_t  t;

    (void) state;

    depay_test_open(&t, &params);

    /* with the extension: spatial layers 0 and 1 */
    assert_int_equal(PUSH(&t, 1, false, W2 "\x0b" SEQ "\x34\x00\x10\x00"),
                     CR_OK);
    assert_int_equal(PUSH(&t, 1, true, W1 "\x34\x08\x30"), CR_OK);

    assert_int_equal(t.out.n, 1);
    assert_true(t.out.frame[0].keyframe);
    assert_memory_equal(t.out.data[0],
                        SEQ_SIZED "\x36\x00\x02\x10\x00\x36\x08\x01\x30",
                        sizeof(SEQ_SIZED) - 1 + 9);

    depay_test_close(&t);
}


static void
what_lacks_packets_is_incomplete(void **state)
{
    depay_test_t  t;

    (void) state;

    depay_test_open(&t, &params);

    /* the start of an OBU is lost */
    assert_int_equal(PUSH(&t, 1, true, ZW1 "end"), CR_OK);
    assert_int_equal(t.out.n, 0);

    /* its middle */
    PUSH(&t, 2, false, W2Y "\x0b" SEQ "\x30\x10");
    depay_test_gap(&t);
    PUSH(&t, 2, true, ZW1 "end");
    assert_int_equal(t.out.n, 1);
    assert_true(t.out.frame[0].incomplete);
    assert_int_equal(t.out.frame[0].size, sizeof(SEQ_SIZED) - 1);

    /* its end */
    PUSH(&t, 3, false, W2Y "\x07" INTER "\x30\x30");
    PUSH(&t, 4, true, W1 INTER);
    assert_int_equal(t.out.n, 3);
    assert_true(t.out.frame[1].incomplete);
    assert_false(t.out.frame[2].incomplete);
    assert_false(t.out.frame[2].keyframe);

    /* the frame header's packet: a tile group is left */
    PUSH(&t, 5, true, W1 "\x20" "tile");
    assert_int_equal(t.out.n, 4);
    assert_true(t.out.frame[3].incomplete);

    depay_test_close(&t);
}


static void
a_keyframe_without_its_sequence_is_none(void **state)
{
    depay_test_t  t;

    (void) state;

    depay_test_open(&t, &params);

    PUSH(&t, 1, true, W1 KEY);
    PUSH(&t, 2, true, W1 SEQ);
    PUSH(&t, 3, true, W1 KEY);

    assert_int_equal(t.out.n, 3);
    assert_false(t.out.frame[0].keyframe);
    assert_true(t.out.frame[2].keyframe);
    assert_ptr_equal(t.out.frame[2].config, t.out.frame[1].config);

    /* shown again, not shown, intra only */
    PUSH(&t, 4, true, W1 "\x18\x80");
    PUSH(&t, 5, true, W1 "\x30\x00");
    PUSH(&t, 6, true, W1 "\x30\x50");
    assert_int_equal(t.out.n, 6);
    assert_false(t.out.frame[3].keyframe);
    assert_false(t.out.frame[4].keyframe);
    assert_false(t.out.frame[5].keyframe);

    depay_test_close(&t);
}


static void
malformed_payloads_are_refused(void **state)
{
    size_t        i;
    depay_test_t  t;

    static const struct {
        const char  *data;
        size_t       len;
    } packets[] = {
#define P(bytes)  { bytes, sizeof(bytes) - 1 }
        P(W0 "\x05\x30"),                 /* larger than what is there */
        P(W0 "\x80"),                     /* a size that does not end */
        P(W0 "\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x30"),
        P(W1 "\xb0\x10"),                 /* the forbidden bit */
        P(W1 "\x34"),                     /* an extension that is not there */
        P(W1 "\x32\x09\x10")              /* an OBU larger than it is */
#undef P
    };

    (void) state;

    for (i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
        depay_test_open(&t, &params);
        assert_int_equal(depay_test_push(&t, 1, true, packets[i].data,
                                         packets[i].len), CR_INVALID);
        assert_int_equal(t.out.n, 0);
        depay_test_close(&t);
    }
}


static void
a_frame_of_another_size_says_so(void **state)
{
    uint16_t      width, height;
    cr_av1_seq_t  seq;

    (void) state;

    assert_int_equal(cr_av1_sequence(&seq, (const uint8_t *) SEQ + 1,
                                     sizeof(SEQ) - 2), CR_OK);

    /* 6 bits of width and height each, order hints of 7 bits */
    assert_int_equal(seq.width_bits, 6);
    assert_int_equal(seq.height_bits, 6);
    assert_int_equal(seq.order_bits, 7);

    /*
     * 0 00 1 | disable_cdf_update 0 | screen content 0 (each frame says it)
     * | override 1 | order hint 0000000 | 31 | 23
     */
    assert_int_equal(seq.screen_content, 2);
    assert_true(cr_av1_keyframe(&seq, (const uint8_t *) "\x12\x01\xf5\xc0",
                                4, &width, &height));
    assert_int_equal(width, 32);
    assert_int_equal(height, 24);

    /* cut off */
    assert_false(cr_av1_keyframe(&seq, (const uint8_t *) "\x12\x01", 2,
                                 &width, &height));
}


static void
cut_sequence_headers_are_refused(void **state)
{
    size_t        len;
    cr_av1_seq_t  seq;

    (void) state;

    for (len = 0; len < sizeof(SEQ) - 3; len++) {
        assert_int_equal(cr_av1_sequence(&seq, (const uint8_t *) SEQ + 1,
                                         len), CR_INVALID);
    }
}


static void
sequence_headers_of_all_kinds_are_read(void **state)
{
    cr_av1_seq_t  seq;

    (void) state;

    /*
     * reduced still picture, level 0, 4 bits of width and height: 16x9,
     * then tools, and 4:4:4 by profile 1
     */
    assert_int_equal(cr_av1_sequence(&seq,
                         (const uint8_t *) "\x38\x0c\xff\x80\x00\x00", 6),
                     CR_OK);
    assert_true(seq.reduced);
    assert_int_equal(seq.width, 16);
    assert_int_equal(seq.av1c[1], 0x20);
    assert_int_equal(seq.av1c[2] & 0x0c, 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(elements_become_obus_with_sizes),
        cmocka_unit_test(obus_go_on_over_packets),
        cmocka_unit_test(layers_stay_in_one_temporal_unit),
        cmocka_unit_test(what_lacks_packets_is_incomplete),
        cmocka_unit_test(a_keyframe_without_its_sequence_is_none),
        cmocka_unit_test(malformed_payloads_are_refused),
        cmocka_unit_test(a_frame_of_another_size_says_so),
        cmocka_unit_test(cut_sequence_headers_are_refused),
        cmocka_unit_test(sequence_headers_of_all_kinds_are_read)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
