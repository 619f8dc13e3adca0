
/*
 * Copyright (C) The call recorder authors
 */

#include "depay_frames.h"


static void
a_packet_is_a_frame_of_its_length(void **state)
{
    size_t        i;
    uint8_t       payload[8001];
    depay_test_t  t;

    static const struct {
        uint8_t      codec;
        const char  *config;
    } codecs[] = {
        { CR_CODEC_PCMU,
          "\x07\0\1\0\x40\x1f\0\0\x40\x1f\0\0\1\0\x08\0\0\0" },
        { CR_CODEC_PCMA,
          "\x06\0\1\0\x40\x1f\0\0\x40\x1f\0\0\1\0\x08\0\0\0" },
        { CR_CODEC_G722,
          "\x8f\2\1\0\x80\x3e\0\0\x40\x1f\0\0\1\0\x04\0\0\0" }
    };

    (void) state;

    memset(payload, 0xd5, sizeof(payload));

    for (i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++) {
        depay_test_open(&t, &(cr_media_params_t) {
            .kind = CR_KIND_AUDIO, .codec = codecs[i].codec, .channels = 1
        });

        assert_int_equal(depay_test_push(&t, 160, true, payload, 160),
                         CR_OK);
        depay_test_gap(&t);
        assert_int_equal(depay_test_push(&t, 320, false, payload, 0), CR_OK);
        assert_int_equal(depay_test_push(&t, 480, false, payload, 80),
                         CR_OK);
        assert_int_equal(depay_test_push(&t, 560, false, payload,
                                         sizeof(payload)), CR_INVALID);
        cr_depay_flush(t.depay);

        assert_int_equal(t.out.n, 2);
        assert_int_equal(t.out.frame[0].kind, CR_KIND_AUDIO);
        assert_int_equal(t.out.frame[0].codec, codecs[i].codec);
        assert_true(t.out.frame[0].keyframe);
        assert_int_equal(t.out.frame[0].rtp_timestamp, 160);
        assert_int_equal(t.out.frame[0].duration_us, 20000);
        assert_int_equal(t.out.frame[0].size, 160);
        assert_int_equal(t.out.frame[0].config_size, 18);
        assert_memory_equal(t.out.config[0], codecs[i].config, 18);
        assert_int_equal(t.out.frame[1].duration_us, 10000);

        depay_test_close(&t);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(a_packet_is_a_frame_of_its_length)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
