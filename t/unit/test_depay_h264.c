
/*
 * Copyright (C) The call recorder authors
 *
 * H.264 access units out of RTP payloads.  The parameter sets are x264's.
 */


#include "depay_frames.h"


/* baseline, level 2.2, 640x360: cropped from 640x368 */
#define SPS_360   "\x67\x42\xc0\x16\xd9\x00\xa0\x2f\xf9\x70\x11\x00\x00\x03"  \
                  "\x00\x01\x00\x00\x03\x00\x14\x8f\x16\x2e\x48"
#define PPS_360   "\x68\xcb\x83\xcb\x20"

/* high, 640x360 */
#define SPS_HIGH  "\x67\x64\x00\x16\xac\xb2\x01\x40\x5f\xf2\xe0\x22\x00\x00"  \
                  "\x03\x00\x02\x00\x00\x03\x00\x29\x1e\x2c\x5c\x90"
#define PPS_HIGH  "\x68\xeb\xc3\xcb\x22\xc0"

/* high, interlaced: the height counts in pairs of macroblocks */
#define SPS_INT   "\x67\x64\x00\x16\xac\xd9\x40\xa0\x63\xf3\xe0\x22\x00\x00"  \
                  "\x03\x00\x02\x00\x00\x03\x00\x28\x3e\x28\x53\x2c"
#define PPS_INT   "\x68\xfb\xa3\xcb\x22\xc0"

/* high 4:4:4, 64x64 */
#define SPS_444   "\x67\xf4\x00\x0a\x91\x9b\x28\x84\xd8\x08\x80\x00\x00\x03"  \
                  "\x00\x80\x00\x00\x0a\x07\x89\x12\xcb"

/* first_mb_in_slice 0, slice_type 7 (I), pic_parameter_set_id 0 */
#define IDR       "\x65\x88\x84idr"
#define DELTA     "\x41\x9a" "delta"
#define DELTA_2   "\x41\x4f\x9a" "second slice"     /* first_mb 1 */
#define SEI       "\x06\x05\x01\x00\x80"

#define L(n)      "\x00\x00\x00" n


static const cr_media_params_t  h264 = {
    .kind = CR_KIND_VIDEO, .codec = CR_CODEC_H264, .clock_rate = 90000,
    .h264_packetization_mode = 1
};


static void
assert_frame(depay_test_t *t, unsigned n, bool keyframe, bool incomplete,
    const char *data, size_t len)
{
    assert_true(n < t->out.n);
    assert_int_equal(t->out.frame[n].keyframe, keyframe);
    assert_int_equal(t->out.frame[n].incomplete, incomplete);
    assert_int_equal(t->out.frame[n].size, len);
    assert_memory_equal(t->out.data[n], data, len);
}

#define FRAME(t, n, key, incomplete, bytes)                                   \
    assert_frame(t, n, key, incomplete, bytes, sizeof(bytes) - 1)


static void
single_nal_units_make_an_access_unit(void **state)
{
    depay_test_t  t;

    (void) state;
    depay_test_open(&t, &h264);

    assert_int_equal(PUSH(&t, 1, false, "\x09\xf0"), CR_OK);    /* AUD */
    assert_int_equal(PUSH(&t, 1, false, SPS_360), CR_OK);
    assert_int_equal(PUSH(&t, 1, false, PPS_360), CR_OK);
    assert_int_equal(PUSH(&t, 1, false, SEI), CR_OK);
    assert_int_equal(PUSH(&t, 1, true, IDR), CR_OK);
    assert_int_equal(PUSH(&t, 2, false, DELTA), CR_OK);
    assert_int_equal(PUSH(&t, 2, true, DELTA_2), CR_OK);

    assert_int_equal(t.out.n, 2);
    FRAME(&t, 0, true, false, L("\x05") SEI L("\x06") IDR);
    FRAME(&t, 1, false, false, L("\x07") DELTA L("\x0f") DELTA_2);

    assert_int_equal(t.out.frame[0].width, 640);
    assert_int_equal(t.out.frame[0].height, 360);
    assert_int_equal(t.out.frame[1].width, 0);

    /* ISO/IEC 14496-15: version, profile, compatibility, level, sizes */
    assert_int_equal(t.out.frame[0].config_size, 11 + 25 + 5);
    assert_memory_equal(t.out.config[0],
                        "\x01\x42\xc0\x16\xff\xe1\x00\x19" SPS_360
                        "\x01\x00\x05" PPS_360, 41);

    /* the same pointer until it changes */
    assert_ptr_equal(t.out.frame[0].config, t.out.frame[1].config);

    depay_test_close(&t);
}


static void
a_stap_is_taken_apart(void **state)
{
    depay_test_t  t;

    (void) state;
    depay_test_open(&t, &h264);

    assert_int_equal(PUSH(&t, 1, true, "\x78\x00\x19" SPS_360 "\x00\x05"
                                       PPS_360 "\x00\x06" IDR), CR_OK);
    assert_int_equal(t.out.n, 1);
    FRAME(&t, 0, true, false, L("\x06") IDR);

    depay_test_close(&t);
}


static void
a_damaged_stap_keeps_what_came_before_the_damage(void **state)
{
    size_t        i;
    depay_test_t  t;

    static const struct {
        const char  *bytes;
        size_t       len;
    } tails[] = {
        { "\x00", 1 },                      /* half a length */
        { "\x00\x09" "short", 7 },
        { "\x00\x00", 2 },                  /* an empty NAL unit */
        { "\x00\x03\x7c\x81z", 5 },         /* a FU in a STAP */
        { "\x00\x02\xe5\x88", 4 }           /* forbidden_zero_bit */
    };

    (void) state;

    for (i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
        uint8_t  p[64];

        depay_test_open(&t, &h264);

        memcpy(p, "\x78\x00\x07" DELTA, 10);
        memcpy(p + 10, tails[i].bytes, tails[i].len);

        assert_int_equal(depay_test_push(&t, 1, true, p, 10 + tails[i].len),
                         CR_INVALID);
        assert_int_equal(t.out.n, 1);
        FRAME(&t, 0, false, true, L("\x07") DELTA);

        depay_test_close(&t);
    }
}


static void
fragments_make_a_nal_unit(void **state)
{
    depay_test_t  t;

    (void) state;
    depay_test_open(&t, &h264);

    PUSH(&t, 1, false, "\x78\x00\x19" SPS_360 "\x00\x05" PPS_360);
    assert_int_equal(PUSH(&t, 1, false, "\x7c\x85\x88\x84i"), CR_OK);
    assert_int_equal(PUSH(&t, 1, false, "\x7c\x05" "d"), CR_OK);
    assert_int_equal(PUSH(&t, 1, true, "\x7c\x45r"), CR_OK);

    assert_int_equal(t.out.n, 1);
    FRAME(&t, 0, true, false, L("\x06") IDR);

    depay_test_close(&t);
}


static void
parameter_sets_may_be_fragmented_too(void **state)
{
    depay_test_t  t;

    (void) state;
    depay_test_open(&t, &h264);

    PUSH(&t, 1, false, SPS_360);
    PUSH(&t, 1, false, "\x7c\x88\xcb\x83");
    PUSH(&t, 1, false, "\x7c\x48\xcb\x20");
    PUSH(&t, 1, false, "\x1c\x89z");
    PUSH(&t, 1, false, "\x1c\x49z");
    PUSH(&t, 1, true, IDR);

    assert_int_equal(t.out.n, 1);
    FRAME(&t, 0, true, false, L("\x06") IDR);
    assert_memory_equal(t.out.config[0] + 36, PPS_360, 5);

    depay_test_close(&t);
}


static void
a_hole_drops_the_fragmented_nal_unit_alone(void **state)
{
    depay_test_t  t;

    (void) state;
    depay_test_open(&t, &h264);

    /* in its middle */
    PUSH(&t, 1, false, DELTA);
    PUSH(&t, 1, false, "\x5c\x81\x9a" "lost");
    depay_test_gap(&t);
    PUSH(&t, 1, false, "\x5c\x41" "end");
    PUSH(&t, 1, true, DELTA_2);
    FRAME(&t, 0, false, true, L("\x07") DELTA L("\x0f") DELTA_2);

    /* its end, with the marker */
    PUSH(&t, 2, false, "\x5c\x81\x9a" "lost");
    depay_test_gap(&t);
    PUSH(&t, 3, true, DELTA);
    FRAME(&t, 1, false, false, L("\x07") DELTA);

    /* its start, and so that of the access unit */
    depay_test_gap(&t);
    PUSH(&t, 4, false, "\x5c\x01" "middle");
    PUSH(&t, 4, true, "\x5c\x41" "end");
    assert_int_equal(t.out.n, 2);

    /* the first slice */
    depay_test_gap(&t);
    PUSH(&t, 5, true, DELTA_2);
    FRAME(&t, 2, false, true, L("\x0f") DELTA_2);

    /* nothing of a frame that begins right behind it */
    depay_test_gap(&t);
    PUSH(&t, 6, true, DELTA);
    FRAME(&t, 3, false, false, L("\x07") DELTA);

    depay_test_close(&t);
}


static void
fragments_out_of_turn_are_dropped(void **state)
{
    depay_test_t  t;

    (void) state;
    depay_test_open(&t, &h264);

    /* no end */
    PUSH(&t, 1, false, "\x5c\x81\x9a" "a");
    PUSH(&t, 1, true, DELTA);
    FRAME(&t, 0, false, true, L("\x07") DELTA);

    /* two starts */
    PUSH(&t, 2, false, "\x5c\x81\x9a" "a");
    PUSH(&t, 2, false, "\x5c\x81\x9a" "b");
    PUSH(&t, 2, true, "\x5c\x41" "c");
    FRAME(&t, 1, false, true, L("\x04") "\x41\x9a" "bc");

    /* too short, forbidden bit, types that cannot be */
    assert_int_equal(PUSH(&t, 3, false, "\x5c\x81"), CR_INVALID);
    assert_int_equal(PUSH(&t, 3, false, "\xdc\x81z"), CR_INVALID);
    assert_int_equal(PUSH(&t, 3, false, "\x5c\x80z"), CR_INVALID);
    assert_int_equal(PUSH(&t, 3, true, "\x5c\x98z"), CR_INVALID);
    assert_int_equal(t.out.n, 2);

    depay_test_close(&t);
}


static void
what_mode_1_does_not_have_is_refused(void **state)
{
    depay_test_t  t;

    (void) state;
    depay_test_open(&t, &h264);

    assert_int_equal(PUSH(&t, 1, false, "\x79\x00\x00\x00"), CR_UNSUPPORTED);
    assert_int_equal(PUSH(&t, 1, false, "\x7d\x81\x00"), CR_UNSUPPORTED);
    assert_int_equal(PUSH(&t, 1, false, "\x00z"), CR_INVALID);
    assert_int_equal(PUSH(&t, 1, false, "\xe5\x88"), CR_INVALID);
    PUSH(&t, 1, true, DELTA);

    assert_int_equal(t.out.n, 1);
    FRAME(&t, 0, false, true, L("\x07") DELTA);

    depay_test_close(&t);
}


static void
an_idr_without_parameter_sets_is_no_entry_point(void **state)
{
    depay_test_t  t;

    (void) state;
    depay_test_open(&t, &h264);

    PUSH(&t, 1, true, IDR);
    assert_int_equal(t.out.n, 1);
    FRAME(&t, 0, false, false, L("\x06") IDR);
    assert_int_equal(t.out.frame[0].config_size, 0);

    PUSH(&t, 2, false, SPS_360);
    PUSH(&t, 2, true, IDR);
    assert_false(t.out.frame[1].keyframe);

    PUSH(&t, 3, false, PPS_360);
    PUSH(&t, 3, true, IDR);
    assert_true(t.out.frame[2].keyframe);
    assert_int_equal(t.out.frame[2].config_size, 41);

    depay_test_close(&t);
}


static void
parameter_sets_come_from_the_sdp_as_well(void **state)
{
    size_t             len;
    depay_test_t       t;
    cr_media_params_t  params;

    static const char  sprop[] = "\0\0\0\1" SPS_HIGH "\0\0\0\1" PPS_HIGH;

    (void) state;

    params = h264;
    memcpy(params.h264_sprop, sprop, sizeof(sprop) - 1);
    params.h264_sprop_len = sizeof(sprop) - 1;

    depay_test_open(&t, &params);
    PUSH(&t, 1, true, IDR);
    assert_true(t.out.frame[0].keyframe);
    assert_int_equal(t.out.frame[0].width, 640);
    assert_int_equal(t.out.frame[0].height, 360);

    /* high profile: chroma format and bit depths follow */
    assert_int_equal(t.out.frame[0].config_size, 11 + 26 + 6 + 4);
    assert_memory_equal(t.out.config[0] + 43, "\xfd\xf8\xf8\x00", 4);
    depay_test_close(&t);

    /* cut anywhere, it does no harm */
    for (len = 0; len < sizeof(sprop) - 1; len++) {
        params.h264_sprop_len = (uint16_t) len;
        depay_test_open(&t, &params);
        PUSH(&t, 1, true, IDR);
        assert_int_equal(t.out.n, 1);
        depay_test_close(&t);
    }

    params.h264_sprop_len = UINT16_MAX;
    depay_test_open(&t, &params);
    depay_test_close(&t);
}


static void
a_changed_set_changes_the_config(void **state)
{
    depay_test_t  t;

    (void) state;
    depay_test_open(&t, &h264);

    PUSH(&t, 1, false, "\x78\x00\x19" SPS_360 "\x00\x05" PPS_360);
    PUSH(&t, 1, true, IDR);

    /* said again: no change */
    PUSH(&t, 2, false, "\x78\x00\x19" SPS_360 "\x00\x05" PPS_360);
    PUSH(&t, 2, true, IDR);
    assert_ptr_equal(t.out.frame[1].config, t.out.frame[0].config);

    PUSH(&t, 3, false, SPS_INT);
    PUSH(&t, 3, false, PPS_INT);
    PUSH(&t, 3, true, IDR);
    assert_ptr_not_equal(t.out.frame[2].config, t.out.frame[0].config);
    assert_int_equal(t.out.config[2][1], 0x64);
    assert_int_equal(t.out.frame[2].width, 640);
    assert_int_equal(t.out.frame[2].height, 360);

    PUSH(&t, 4, false, SPS_444);
    PUSH(&t, 4, true, IDR);
    assert_int_equal(t.out.frame[3].width, 64);
    assert_int_equal(t.out.frame[3].height, 64);

    depay_test_close(&t);
}


/* Writes ue(v) into a string of bits. */
static void
put_ue(char *bits, uint32_t v)
{
    int  n, i;

    v++;

    for (n = 0; v >> n > 1; n++) {
        strcat(bits, "0");
    }

    for (i = n; i >= 0; i--) {
        strcat(bits, v >> i & 1 ? "1" : "0");
    }
}


static size_t
pack_bits(uint8_t *p, const char *bits)
{
    size_t  i;

    memset(p, 0, strlen(bits) / 8 + 1);

    for (i = 0; bits[i] != '\0'; i++) {
        p[i / 8] |= (uint8_t) ((bits[i] - '0') << (7 - i % 8));
    }

    return i / 8 + 1;
}


static void
an_sps_with_every_option_is_read(void **state)
{
    int           i;
    char          bits[1024];
    size_t        len;
    uint8_t       p[160];
    depay_test_t  t;

    (void) state;
    depay_test_open(&t, &h264);

    memcpy(p, "\x67\x64\x00\x28", 4);

    bits[0] = '\0';
    put_ue(bits, 0);                        /* id */
    put_ue(bits, 2);                        /* 4:2:2 */
    put_ue(bits, 2);                        /* 10 bits */
    put_ue(bits, 2);
    strcat(bits, "0" "1");                  /* a scaling matrix */

    for (i = 0; i < 8; i++) {
        strcat(bits, i % 2 ? "0" : "1");

        if (i % 2 == 0) {
            put_ue(bits, 2);                /* -1 */
            put_ue(bits, 14);               /* -7: the rest as the last */
        }
    }

    put_ue(bits, 0);
    put_ue(bits, 1);                        /* pic_order_cnt_type */
    strcat(bits, "0");
    put_ue(bits, 0);
    put_ue(bits, 3);
    put_ue(bits, 2);                        /* a cycle of two */
    put_ue(bits, 1);
    put_ue(bits, 2);
    put_ue(bits, 1);
    strcat(bits, "0");
    put_ue(bits, 19);                       /* 320 */
    put_ue(bits, 14);                       /* 240 */
    strcat(bits, "1" "1" "1");              /* cropped */
    put_ue(bits, 1);
    put_ue(bits, 2);
    put_ue(bits, 3);
    put_ue(bits, 4);
    strcat(bits, "0" "1");

    len = 4 + pack_bits(p + 4, bits);

    assert_int_equal(depay_test_push(&t, 1, false, p, len), CR_OK);
    PUSH(&t, 1, false, PPS_360);
    PUSH(&t, 1, true, IDR);

    assert_int_equal(t.out.frame[0].width, 320 - 2 * 3);
    assert_int_equal(t.out.frame[0].height, 240 - 7);
    assert_memory_equal(t.out.config[0] + t.out.frame[0].config_size - 4,
                        "\xfe\xfa\xfa\x00", 4);

    depay_test_close(&t);
}


static void
absurd_parameter_sets_are_refused(void **state)
{
    int           i;
    char          bits[1024];
    size_t        len;
    uint8_t       p[256];
    depay_test_t  t;

    (void) state;
    depay_test_open(&t, &h264);

    memcpy(p, "\x67\x42\x00\x28", 4);

    for (i = 0; i < 6; i++) {
        bits[0] = '\0';
        put_ue(bits, i == 0 ? 32 : 0);              /* id */
        put_ue(bits, 0);
        put_ue(bits, i == 1 ? 3 : 0);               /* poc type */
        put_ue(bits, 0);
        put_ue(bits, 1);
        strcat(bits, "0");
        put_ue(bits, i == 2 ? 4096 : 19);           /* 65552 wide */
        put_ue(bits, i == 3 ? 4294967294u : 14);
        strcat(bits, "1" "1" "1");
        put_ue(bits, i == 4 ? 160 : 0);             /* all of it */
        put_ue(bits, 0);
        put_ue(bits, i == 5 ? 4294967294u : 0);
        put_ue(bits, 0);
        strcat(bits, "01");

        len = 4 + pack_bits(p + 4, bits);
        assert_int_equal(depay_test_push(&t, 1, false, p, len), CR_INVALID);
    }

    memset(p, 0xff, sizeof(p));
    p[0] = 0x67;
    assert_int_equal(depay_test_push(&t, 1, false, p, 161), CR_LIMIT);

    assert_int_equal(PUSH(&t, 1, false, "\x67"), CR_INVALID);
    assert_int_equal(PUSH(&t, 1, false, "\x67\x64\x00\x28\x01"), CR_INVALID);

    /* chroma_format_idc 4; a cycle of 256; a PPS of SPS 32 */
    assert_int_equal(PUSH(&t, 1, false, "\x67\x64\x00\x28\x94\xff"),
                     CR_INVALID);
    assert_int_equal(PUSH(&t, 1, false,
                          "\x67\x42\x00\x28\xd4\xe0\x08\x08\xff\xff"),
                     CR_INVALID);
    assert_int_equal(PUSH(&t, 1, false, "\x68\x82\x1f"), CR_INVALID);

    PUSH(&t, 1, true, IDR);
    assert_false(t.out.frame[0].keyframe);
    assert_true(t.out.frame[0].incomplete);

    depay_test_close(&t);
}


static void
a_flood_of_sets_stays_bounded(void **state)
{
    int           i;
    char          bits[64];
    size_t        len;
    uint8_t       p[160];
    depay_test_t  t;

    (void) state;
    depay_test_open(&t, &h264);

    PUSH(&t, 1, false, SPS_360);
    memset(p, 0xaa, sizeof(p));
    p[0] = 0x68;

    for (i = 1; i <= 255; i++) {
        bits[0] = '\0';
        put_ue(bits, i);
        put_ue(bits, 0);
        len = 1 + pack_bits(p + 1, bits);

        assert_int_equal(depay_test_push(&t, 1, false, p,
                                         i % 2 ? len : sizeof(p)), CR_OK);
        assert_int_equal(PUSH(&t, 1, false, SPS_360), CR_OK);
    }

    PUSH(&t, 1, false, PPS_360);
    PUSH(&t, 1, true, IDR);

    assert_true(t.out.frame[0].keyframe);
    assert_true(t.out.frame[0].config_size <= CR_CODEC_CONFIG_MAX);
    assert_true(t.out.frame[0].config_size > 41);

    depay_test_close(&t);
}


static void
an_idr_cut_short_is_marked(void **state)
{
    depay_test_t  t;

    (void) state;
    depay_test_open(&t, &h264);

    PUSH(&t, 1, false, "\x78\x00\x19" SPS_360 "\x00\x05" PPS_360);
    PUSH(&t, 1, true, "\x65");
    FRAME(&t, 0, false, true, L("\x01") "\x65");

    depay_test_close(&t);
}


static void
a_failed_allocation_costs_one_frame(void **state)
{
    unsigned           fail, i;
    frames_t           out;
    cr_env_t           env;
    cr_depay_t        *d;
    test_env_t         failing;
    cr_depay_packet_t  packet;

    static uint8_t  part[6000];

    (void) state;

    for (fail = 1; fail <= 5; fail++) {
        test_env_init(&failing, 1);
        failing.fail_at = fail;
        env = failing.env;
        memset(&out, 0, sizeof(out));

        d = cr_depay_create(&env, &h264, depay_test_frame, &out);

        if (fail == 1) {
            assert_null(d);
            continue;
        }

        for (i = 0; i < 9; i++) {
            /* three frames, each of a slice and a fragmented one */
            memset(part, 0, sizeof(part));
            memcpy(part, i % 3 == 0 ? "\x41\x9a\xff"
                         : i % 3 == 1 ? "\x5c\x81\x9a" : "\x5c\x41\x9a", 3);

            packet = (cr_depay_packet_t) {
                .timestamp = i / 3, .marker = i % 3 == 2,
                .payload = { part, sizeof(part) }
            };

            (void) cr_depay_push(d, &packet);
        }

        assert_true(out.n >= 2);
        assert_false(out.frame[out.n - 1].incomplete);
        assert_int_equal(out.frame[out.n - 1].size, 4 + 6000 + 5 + 2 * 5998);

        cr_depay_destroy(d);
        assert_int_equal(failing.live, 0);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(single_nal_units_make_an_access_unit),
        cmocka_unit_test(a_stap_is_taken_apart),
        cmocka_unit_test(a_damaged_stap_keeps_what_came_before_the_damage),
        cmocka_unit_test(fragments_make_a_nal_unit),
        cmocka_unit_test(parameter_sets_may_be_fragmented_too),
        cmocka_unit_test(a_hole_drops_the_fragmented_nal_unit_alone),
        cmocka_unit_test(fragments_out_of_turn_are_dropped),
        cmocka_unit_test(what_mode_1_does_not_have_is_refused),
        cmocka_unit_test(an_idr_without_parameter_sets_is_no_entry_point),
        cmocka_unit_test(parameter_sets_come_from_the_sdp_as_well),
        cmocka_unit_test(a_changed_set_changes_the_config),
        cmocka_unit_test(an_sps_with_every_option_is_read),
        cmocka_unit_test(absurd_parameter_sets_are_refused),
        cmocka_unit_test(a_flood_of_sets_stays_bounded),
        cmocka_unit_test(an_idr_cut_short_is_marked),
        cmocka_unit_test(a_failed_allocation_costs_one_frame)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
