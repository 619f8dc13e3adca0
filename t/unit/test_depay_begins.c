
/*
 * Copyright (C) The call recorder authors
 *
 * Which packets a stream may begin with: those of a keyframe's start.
 */


#include "depay_frames.h"


/* Of H.264 (x264's) and H.265 (x265's), both 640x360 */
#define SPS_264  "\x67\x42\xc0\x16\xd9\x00\xa0\x2f\xf9\x70\x11\x00\x00\x03"   \
                 "\x00\x01\x00\x00\x03\x00\x14\x8f\x16\x2e\x48"
#define PPS_264  "\x68\xcb\x83\xcb\x20"
#define VPS_265  "\x40\x01\x0c\x01\xff\xff\x01\x60\x00\x00\x03\x00\x90\x00"   \
                 "\x00\x03\x00\x00\x03\x00\x1e\x95\x94\x09"
#define SPS_265  "\x42\x01\x01\x01\x60\x00\x00\x03\x00\x90\x00\x00\x03\x00"   \
                 "\x00\x03\x00\x1e\xa0\x20\x83\x16\x59\x59\x52\x93\x0b\xc0"   \
                 "\x5a\x02\x00\x00\x03\x00\x02\x00\x00\x03\x00\x32\x10"
#define PPS_265  "\x44\x01\xc0\x73\xc0\x89"

#define STARTCODE  "\0\0\0\1"


static depay_test_t  t;


static void
begin(cr_codec_e codec, const char *sprop, size_t len)
{
    cr_media_params_t  params = {
        .kind = codec == CR_CODEC_OPUS ? CR_KIND_AUDIO : CR_KIND_VIDEO,
        .codec = (uint8_t) codec, .channels = 2,
        .h264_packetization_mode = 1, .h264_sprop_len = (uint16_t) len
    };

    memcpy(params.h264_sprop, sprop, len);
    depay_test_open(&t, &params);
}

#define BEGIN(codec, sprop)  begin(codec, sprop, sizeof(sprop) - 1)


/* In a block of its own, so that ASan sees what is read behind it. */
static bool
begins(bool marker, const char *data, size_t len)
{
    bool               yes;
    uint8_t           *copy;
    cr_depay_packet_t  packet;

    copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, data, len);

    memset(&packet, 0, sizeof(packet));
    packet.marker = marker;
    packet.payload.data = copy;
    packet.payload.len = len;

    yes = cr_depay_begins(t.depay, &packet);
    free(copy);

    return yes;
}

#define YES(bytes)  assert_true(begins(false, bytes, sizeof(bytes) - 1))
#define NO(bytes)   assert_false(begins(false, bytes, sizeof(bytes) - 1))


static void
vp8_begins_with_a_keyframe(void **state)
{
    (void) state;
    BEGIN(CR_CODEC_VP8, "");

    YES("\x10\x10key");
    YES("\x90\x80\x05\x10key");
    NO("\x10\x11" "delta");
    NO("\x00\x10" "the middle");
    NO("\x11\x10" "another partition");
    NO("\x90\x80");
    NO("");

    depay_test_close(&t);
}


static void
vp9_begins_with_a_picture_that_needs_no_other(void **state)
{
    (void) state;
    BEGIN(CR_CODEC_VP9, "");

    YES("\x08" "key");
    YES("\x8c\x11" "key");
    NO("\x48" "delta");
    NO("\x04" "its end");
    /* L: an upper layer of it */
    NO("\x28\x02\x05" "layer");
    NO("\x8c");

    depay_test_close(&t);
}


static void
av1_begins_with_a_coded_video_sequence(void **state)
{
    (void) state;
    BEGIN(CR_CODEC_AV1, "");

    YES("\x18\x0a\x01");
    NO("\x10\x32\x01");
    NO("\x98\x0a\x01");

    depay_test_close(&t);
}


static void
h264_begins_with_its_parameter_sets(void **state)
{
    (void) state;
    BEGIN(CR_CODEC_H264, "");

    YES(SPS_264);
    YES("\x78\0\x02\x09\xf0\0\x19" SPS_264 "\0\x05" PPS_264);
    NO(PPS_264);
    NO("\x65\x88\x84idr");
    NO("\x78\0\x05" PPS_264);
    NO("\x78\0\x05\x68");
    NO("\x78\0");
    NO("\x78");
    NO("\x7c\x85\x88");
    NO("\x41\x9a" "delta");

    depay_test_close(&t);
}


static void
h264_may_have_them_in_the_offer(void **state)
{
    (void) state;
    BEGIN(CR_CODEC_H264, STARTCODE SPS_264 STARTCODE PPS_264);

    YES("\x65\x88\x84idr");
    YES("\x7c\x85\x88\x84idr");
    NO("\x7c\x05\x88\x84idr");
    NO("\x65\x4f\x9a" "second slice");
    NO("\x41\x9a" "delta");
    NO("\x7c\x85");
    NO("\x7c");

    depay_test_close(&t);
}


static void
h265_begins_with_its_parameter_sets(void **state)
{
    (void) state;
    BEGIN(CR_CODEC_H265, "");

    YES(VPS_265);
    YES("\x60\x01\0\x03\x46\x01\x50\0\x18" VPS_265);
    NO(SPS_265);
    NO("\x28\x01\xaf" "idr");
    NO("\x60\x01\0\x05\x28");
    NO("\x60\x01\0\x01\x40");
    NO("\x40\x01");
    NO("\x40");

    depay_test_close(&t);
}


static void
h265_may_have_them_in_the_offer(void **state)
{
    (void) state;
    BEGIN(CR_CODEC_H265, STARTCODE VPS_265 STARTCODE SPS_265
          STARTCODE PPS_265);

    YES("\x28\x01\xaf" "idr");
    YES("\x62\x01\x94\xaf" "idr");
    NO("\x62\x01\x14\xaf" "idr");
    NO("\x62\x01\x94");
    NO("\x28\x01\x2f" "2nd");
    NO("\x02\x01\xd0" "trail");

    depay_test_close(&t);
}


static void
sound_says_it_by_the_marker(void **state)
{
    (void) state;
    BEGIN(CR_CODEC_OPUS, "");

    assert_true(begins(true, "\xf8", 1));
    assert_false(begins(false, "\xf8", 1));

    depay_test_close(&t);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(vp8_begins_with_a_keyframe),
        cmocka_unit_test(vp9_begins_with_a_picture_that_needs_no_other),
        cmocka_unit_test(av1_begins_with_a_coded_video_sequence),
        cmocka_unit_test(h264_begins_with_its_parameter_sets),
        cmocka_unit_test(h264_may_have_them_in_the_offer),
        cmocka_unit_test(h265_begins_with_its_parameter_sets),
        cmocka_unit_test(h265_may_have_them_in_the_offer),
        cmocka_unit_test(sound_says_it_by_the_marker),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
