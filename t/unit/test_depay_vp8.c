
/*
 * Copyright (C) The call recorder authors
 *
 * VP8 frames out of RTP payloads, whole, broken and hostile.
 */


#include "depay_frames.h"


static const cr_media_params_t  vp8 = {
    .kind = CR_KIND_VIDEO, .codec = CR_CODEC_VP8, .clock_rate = 90000
};

/* frame tag, start code, 640x480 with a scale of 1 in the width */
#define KEY    "\x10\x02\x00\x9d\x01\x2a\x80\x42\xe0\x01" "first"
#define INTER  "\x31\x01\x00" "inter"


static void
a_keyframe_in_one_packet_has_its_size(void **state)
{
    depay_test_t  t;

    (void) state;
    depay_test_open(&t, &vp8);

    assert_int_equal(PUSH(&t, 3000, true, "\x10" KEY), CR_OK);

    assert_int_equal(t.out.n, 1);
    assert_true(t.out.frame[0].keyframe);
    assert_false(t.out.frame[0].incomplete);
    assert_int_equal(t.out.frame[0].kind, CR_KIND_VIDEO);
    assert_int_equal(t.out.frame[0].codec, CR_CODEC_VP8);
    assert_int_equal(t.out.frame[0].width, 640);
    assert_int_equal(t.out.frame[0].height, 480);
    assert_int_equal(t.out.frame[0].rtp_timestamp, 3000);
    assert_int_equal(t.out.frame[0].size, sizeof(KEY) - 1);
    assert_int_equal(t.out.frame[0].config_size, 0);
    assert_int_equal(t.out.arrival_us[0], 30000);
    assert_memory_equal(t.out.data[0], KEY, sizeof(KEY) - 1);

    depay_test_close(&t);
}


static void
every_form_of_the_descriptor_is_taken_off(void **state)
{
    size_t        i;
    depay_test_t  t;

    static const struct {
        size_t       len;
        const char  *bytes;
    } forms[] = {
        { 1, "\x10" },
        { 2, "\x90\x00" },
        { 3, "\x90\x80\x7f" },                  /* I, 7 bits */
        { 4, "\x90\x80\x80\x01" },              /* I, 15 bits */
        { 3, "\x90\x40\x05" },                  /* L */
        { 3, "\x90\x20\x40" },                  /* T */
        { 3, "\x90\x10\x1f" },                  /* K */
        { 4, "\x90\x70\x01\x61" },              /* L, T, K */
        { 6, "\xb0\xf0\xff\xff\x01\x61" }       /* all, N */
    };

    (void) state;

    for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        uint8_t  p[64];

        depay_test_open(&t, &vp8);

        memcpy(p, forms[i].bytes, forms[i].len);
        memcpy(p + forms[i].len, INTER, sizeof(INTER) - 1);

        assert_int_equal(depay_test_push(&t, 1, true, p,
                                         forms[i].len + sizeof(INTER) - 1),
                         CR_OK);
        assert_int_equal(t.out.n, 1);
        assert_int_equal(t.out.frame[0].size, sizeof(INTER) - 1);
        assert_memory_equal(t.out.data[0], INTER, sizeof(INTER) - 1);
        assert_false(t.out.frame[0].keyframe);

        depay_test_close(&t);
    }
}


static void
a_descriptor_cut_short_is_invalid(void **state)
{
    size_t        len;
    depay_test_t  t;

    static const char  *full = "\x90\xf0\x80\x01\x02\x61";

    (void) state;

    for (len = 1; len <= 6; len++) {
        depay_test_open(&t, &vp8);

        assert_int_equal(depay_test_push(&t, 1, true, full, len),
                         CR_INVALID);
        assert_int_equal(t.out.n, 0);

        /* the next frame is none the worse for it */
        assert_int_equal(PUSH(&t, 2, true, "\x10" KEY), CR_OK);
        assert_int_equal(t.out.n, 1);
        assert_false(t.out.frame[0].incomplete);

        depay_test_close(&t);
    }
}


static void
a_frame_of_many_packets_ends_with_the_marker(void **state)
{
    depay_test_t  t;

    (void) state;
    depay_test_open(&t, &vp8);

    assert_int_equal(PUSH(&t, 1, false, "\x10" KEY), CR_OK);
    assert_int_equal(PUSH(&t, 1, false, "\x00" "second"), CR_OK);
    assert_int_equal(t.out.n, 0);
    assert_int_equal(PUSH(&t, 1, true, "\x01" "third"), CR_OK);

    assert_int_equal(t.out.n, 1);
    assert_false(t.out.frame[0].incomplete);
    assert_memory_equal(t.out.data[0], KEY "secondthird",
                        sizeof(KEY "secondthird") - 1);

    depay_test_close(&t);
}


static void
a_new_timestamp_ends_a_frame_without_marker(void **state)
{
    depay_test_t  t;

    (void) state;
    depay_test_open(&t, &vp8);

    PUSH(&t, 1, false, "\x10" KEY);
    PUSH(&t, 2, false, "\x10" INTER);

    assert_int_equal(t.out.n, 1);
    assert_true(t.out.frame[0].keyframe);

    /* and so does a second start of one timestamp */
    PUSH(&t, 2, true, "\x10" INTER);
    assert_int_equal(t.out.n, 3);

    depay_test_close(&t);
}


/* What its sender gave up half-way has its next packets' numbers. */
static void
a_frame_whose_rest_was_never_sent_is_marked(void **state)
{
    depay_test_t  t;

    (void) state;
    depay_test_open(&t, &vp8);

    PUSH(&t, 1, true, "\x10" KEY);
    PUSH(&t, 2, false, "\x10" INTER);
    PUSH(&t, 3, true, "\x10" KEY);

    assert_int_equal(t.out.n, 3);
    assert_false(t.out.frame[0].incomplete);
    assert_true(t.out.frame[1].incomplete);
    assert_false(t.out.frame[2].incomplete);

    depay_test_close(&t);
}


static void
frames_of_a_sender_without_markers_are_whole(void **state)
{
    unsigned      i;
    depay_test_t  t;

    (void) state;
    depay_test_open(&t, &vp8);

    for (i = 0; i < 12; i++) {
        PUSH(&t, i, false, "\x10" KEY);
    }

    /* it takes some to be sure of it */
    assert_int_equal(t.out.n, 11);

    for (i = 0; i < 11; i++) {
        assert_int_equal(t.out.frame[i].incomplete, i < 8);
    }

    depay_test_close(&t);
}


static void
a_hole_cuts_the_frame_there_and_marks_it(void **state)
{
    depay_test_t  t;

    (void) state;
    depay_test_open(&t, &vp8);

    PUSH(&t, 1, false, "\x10" KEY);
    depay_test_gap(&t);
    PUSH(&t, 1, true, "\x00" "behind the hole");

    assert_int_equal(t.out.n, 1);
    assert_true(t.out.frame[0].incomplete);
    assert_int_equal(t.out.frame[0].size, sizeof(KEY) - 1);

    PUSH(&t, 2, true, "\x10" INTER);
    assert_int_equal(t.out.n, 2);
    assert_false(t.out.frame[1].incomplete);

    depay_test_close(&t);
}


static void
a_hole_at_the_end_marks_the_frame(void **state)
{
    depay_test_t  t;

    (void) state;
    depay_test_open(&t, &vp8);

    PUSH(&t, 1, false, "\x10" KEY);
    depay_test_gap(&t);
    PUSH(&t, 2, true, "\x10" INTER);

    assert_int_equal(t.out.n, 2);
    assert_true(t.out.frame[0].incomplete);
    assert_false(t.out.frame[1].incomplete);

    depay_test_close(&t);
}


static void
a_frame_without_its_start_is_dropped(void **state)
{
    depay_test_t  t;

    (void) state;
    depay_test_open(&t, &vp8);

    PUSH(&t, 1, true, "\x00" "the end of what we joined in");
    assert_int_equal(t.out.n, 0);

    depay_test_gap(&t);
    PUSH(&t, 2, false, "\x00" "middle");
    PUSH(&t, 2, true, "\x11" "another partition");
    assert_int_equal(t.out.n, 0);

    depay_test_close(&t);
}


static void
padding_neither_begins_nor_breaks_a_frame(void **state)
{
    depay_test_t  t;

    (void) state;
    depay_test_open(&t, &vp8);

    assert_int_equal(PUSH(&t, 1, false, ""), CR_OK);
    PUSH(&t, 1, false, "\x10" KEY);
    PUSH(&t, 1, false, "");
    PUSH(&t, 1, true, "\x00" "end");
    PUSH(&t, 1, true, "");

    assert_int_equal(t.out.n, 1);
    assert_false(t.out.frame[0].incomplete);
    assert_int_equal(t.out.frame[0].size, sizeof(KEY "end") - 1);

    depay_test_close(&t);
}


static void
a_damaged_keyframe_header_is_no_entry_point(void **state)
{
    size_t        i;
    depay_test_t  t;

    static const char  bad[][12] = {
        "\x10\x10\x02\x00\x9d\x01\x2b\x80\x02\xe0\x01",   /* start code */
        "\x10\x10\x02\x00\x9d\x01\x2a\x00\x40\xe0\x01",   /* width 0 */
        "\x10\x10\x02\x00\x9d\x01\x2a\x80\x02\x00\x80"    /* height 0 */
    };

    (void) state;

    for (i = 0; i < 3; i++) {
        depay_test_open(&t, &vp8);
        depay_test_push(&t, 1, true, bad[i], 11);

        assert_int_equal(t.out.n, 1);
        assert_true(t.out.frame[0].incomplete);
        assert_false(t.out.frame[0].keyframe);
        assert_int_equal(t.out.frame[0].width, 0);
        assert_int_equal(t.out.frame[0].height, 0);
        depay_test_close(&t);
    }

    depay_test_open(&t, &vp8);
    PUSH(&t, 1, true, "\x10\x10\x02\x00\x9d\x01");
    assert_int_equal(t.out.n, 1);
    assert_true(t.out.frame[0].incomplete);
    assert_false(t.out.frame[0].keyframe);
    depay_test_close(&t);
}


static void
a_bad_packet_in_a_frame_marks_it(void **state)
{
    depay_test_t  t;

    (void) state;
    depay_test_open(&t, &vp8);

    PUSH(&t, 1, false, "\x10" KEY);
    assert_int_equal(PUSH(&t, 1, false, "\x80"), CR_INVALID);
    PUSH(&t, 1, true, "\x00" "more");

    assert_int_equal(t.out.n, 1);
    assert_true(t.out.frame[0].incomplete);
    assert_int_equal(t.out.frame[0].size, sizeof(KEY) - 1);

    depay_test_close(&t);
}


static void
a_flush_hands_out_what_there_is(void **state)
{
    depay_test_t  t;

    (void) state;
    depay_test_open(&t, &vp8);

    cr_depay_flush(t.depay);
    assert_int_equal(t.out.n, 0);

    PUSH(&t, 1, false, "\x10" KEY);
    cr_depay_flush(t.depay);
    assert_int_equal(t.out.n, 1);
    assert_true(t.out.frame[0].incomplete);

    depay_test_close(&t);
}


static void
a_frame_does_not_grow_past_its_limit(void **state)
{
    size_t        i;
    uint8_t       packet[65536];
    cr_status_e   rc;
    depay_test_t  t;

    (void) state;
    depay_test_open(&t, &vp8);

    memset(packet, 0, sizeof(packet));
    PUSH(&t, 1, false, "\x10" KEY);

    rc = CR_OK;

    for (i = 0; i < CR_FRAME_SIZE_MAX / 65535 + 1 && rc == CR_OK; i++) {
        rc = depay_test_push(&t, 1, false, packet, sizeof(packet));
    }

    assert_int_equal(rc, CR_LIMIT);
    assert_int_equal(depay_test_push(&t, 1, true, packet, 2), CR_OK);

    assert_int_equal(t.out.n, 1);
    assert_true(t.out.frame[0].incomplete);
    assert_true(t.out.frame[0].size <= CR_FRAME_SIZE_MAX);

    /* its memory is given back, and the next frame is whole */
    assert_int_equal(t.failing.live, 1);

    PUSH(&t, 2, true, "\x10" KEY);
    assert_int_equal(t.out.n, 2);
    assert_false(t.out.frame[1].incomplete);

    depay_test_close(&t);
}


static void
a_failed_allocation_costs_one_frame(void **state)
{
    unsigned           fail, i;
    frames_t           out;
    cr_env_t           env;
    cr_depay_t        *d;
    cr_status_e        rc;
    test_env_t         failing;
    cr_depay_packet_t  packet;

    static uint8_t  part[6000];

    (void) state;

    memcpy(part, "\x10" KEY, sizeof(KEY));

    /* 8, 16 and 32 KB for each frame */
    for (fail = 1; fail <= 7; fail++) {
        test_env_init(&failing, 1);
        failing.fail_at = fail;
        env = failing.env;
        memset(&out, 0, sizeof(out));

        d = cr_depay_create(&env, &vp8, depay_test_frame, &out);

        if (fail == 1) {
            assert_null(d);
            continue;
        }

        rc = CR_OK;

        for (i = 0; i < 9; i++) {
            /* three frames of three packets */
            part[0] = i % 3 == 0 ? 0x10 : 0;

            packet = (cr_depay_packet_t) {
                .timestamp = i / 3, .marker = i % 3 == 2,
                .payload = { part, sizeof(part) }
            };

            if (cr_depay_push(d, &packet) == CR_NOMEM) {
                rc = CR_NOMEM;
            }
        }

        assert_int_equal(rc, CR_NOMEM);
        assert_true(out.n >= 2);
        assert_false(out.frame[out.n - 1].incomplete);
        assert_int_equal(out.frame[out.n - 1].size, 3 * 5999);

        cr_depay_destroy(d);
        assert_int_equal(failing.live, 0);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(a_keyframe_in_one_packet_has_its_size),
        cmocka_unit_test(every_form_of_the_descriptor_is_taken_off),
        cmocka_unit_test(a_descriptor_cut_short_is_invalid),
        cmocka_unit_test(a_frame_of_many_packets_ends_with_the_marker),
        cmocka_unit_test(a_new_timestamp_ends_a_frame_without_marker),
        cmocka_unit_test(a_frame_whose_rest_was_never_sent_is_marked),
        cmocka_unit_test(frames_of_a_sender_without_markers_are_whole),
        cmocka_unit_test(a_hole_cuts_the_frame_there_and_marks_it),
        cmocka_unit_test(a_hole_at_the_end_marks_the_frame),
        cmocka_unit_test(a_frame_without_its_start_is_dropped),
        cmocka_unit_test(padding_neither_begins_nor_breaks_a_frame),
        cmocka_unit_test(a_damaged_keyframe_header_is_no_entry_point),
        cmocka_unit_test(a_bad_packet_in_a_frame_marks_it),
        cmocka_unit_test(a_flush_hands_out_what_there_is),
        cmocka_unit_test(a_frame_does_not_grow_past_its_limit),
        cmocka_unit_test(a_failed_allocation_costs_one_frame)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
