
/*
 * Copyright (C) The call recorder authors
 *
 * RTP packets, header extensions, RTX.
 */


#include "rtp/rtp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>


#define HEAD(x)  (x), 0xe0, 0x12, 0x34, 1, 2, 3, 4, 5, 6, 7, 8


/* From exactly as many bytes of the heap, so that ASan sees a step too far. */
static cr_status_e
parse(const uint8_t *data, size_t len, cr_rtp_t *rtp, uint8_t **copy)
{
    *copy = malloc(len ? len : 1);
    memcpy(*copy, data, len);
    return cr_rtp_parse(*copy, len, rtp);
}


static void
a_plain_packet(void **state)
{
    uint8_t        *copy;
    cr_rtp_t        rtp;
    cr_slice_t      value;
    const uint8_t   data[] = { HEAD(0x80), 0xaa, 0xbb };

    (void) state;
    assert_int_equal(parse(data, sizeof(data), &rtp, &copy), CR_OK);
    assert_true(rtp.marker);
    assert_int_equal(rtp.pt, 96);
    assert_int_equal(rtp.seq, 0x1234);
    assert_int_equal(rtp.timestamp, 0x01020304);
    assert_int_equal(rtp.ssrc, 0x05060708);
    assert_int_equal(rtp.ext_profile, 0);
    assert_int_equal(rtp.ext.len, 0);
    assert_int_equal(rtp.padding, 0);
    assert_int_equal(rtp.payload.len, 2);
    assert_int_equal(rtp.payload.data[0], 0xaa);
    assert_false(cr_rtp_ext(&rtp, 1, &value));
    free(copy);
}


static void
csrcs_extension_and_padding_are_cut_off(void **state)
{
    uint8_t        *copy;
    cr_rtp_t        rtp;
    const uint8_t   data[] = {
        HEAD(0xb2), 9, 9, 9, 9, 8, 8, 8, 8,
        0xbe, 0xde, 0, 1, 0x10, 0x55, 0, 0,
        0xcc, 0, 0, 3
    };

    (void) state;
    assert_int_equal(parse(data, sizeof(data), &rtp, &copy), CR_OK);
    assert_int_equal(rtp.ext_profile, 0xbede);
    assert_int_equal(rtp.ext.len, 4);
    assert_int_equal(rtp.padding, 3);
    assert_int_equal(rtp.payload.len, 1);
    assert_int_equal(rtp.payload.data[0], 0xcc);
    free(copy);
}


static void
every_truncation_is_refused_or_shorter(void **state)
{
    size_t          len;
    uint8_t        *copy;
    cr_rtp_t        rtp;
    const uint8_t   data[] = {
        HEAD(0x92), 9, 9, 9, 9, 8, 8, 8, 8,
        0xbe, 0xde, 0, 1, 0x10, 0x55, 0, 0, 0xcc, 0xdd
    };

    (void) state;

    for (len = 0; len < sizeof(data); len++) {
        assert_int_equal(parse(data, len, &rtp, &copy),
                         len < sizeof(data) - 2 ? CR_INVALID : CR_OK);
        free(copy);
    }
}


static void
padding_must_fit(void **state)
{
    uint8_t        *copy;
    cr_rtp_t        rtp;
    const uint8_t   none[] = { HEAD(0xa0) };
    const uint8_t   zero[] = { HEAD(0xa0), 0 };
    const uint8_t   more[] = { HEAD(0xa0), 0, 3 };
    const uint8_t   all[] = { HEAD(0xa0), 0, 2 };

    (void) state;
    assert_int_equal(parse(none, sizeof(none), &rtp, &copy), CR_INVALID);
    free(copy);
    assert_int_equal(parse(zero, sizeof(zero), &rtp, &copy), CR_INVALID);
    free(copy);
    assert_int_equal(parse(more, sizeof(more), &rtp, &copy), CR_INVALID);
    free(copy);
    assert_int_equal(parse(all, sizeof(all), &rtp, &copy), CR_OK);
    assert_int_equal(rtp.payload.len, 0);
    assert_int_equal(rtp.padding, 2);
    free(copy);
}


static void
rtcp_is_told_from_rtp(void **state)
{
    unsigned       type;
    uint8_t        data[12] = { 0x80 };

    (void) state;

    for (type = 0; type < 256; type++) {
        data[1] = (uint8_t) type;
        assert_int_equal(cr_rtp_is_rtcp(data, 12),
                         type >= 192 && type <= 223);
        assert_int_equal(cr_rtp_is_rtp(data, 12), type < 192 || type > 223);
    }

    assert_false(cr_rtp_is_rtp(data, 11));
    assert_false(cr_rtp_is_rtcp(data, 3));
    data[0] = 0x40;
    assert_false(cr_rtp_is_rtp(data, 12));
    data[1] = 200;
    assert_false(cr_rtp_is_rtcp(data, 12));
}


static void
one_byte_extensions(void **state)
{
    uint8_t        *copy;
    cr_rtp_t        rtp;
    cr_slice_t      value;
    const uint8_t   data[] = {
        HEAD(0x90), 0xbe, 0xde, 0, 5,
        0x31, 0xaa, 0xbb,          /* 3: two bytes */
        0, 0,                      /* padding */
        0x10, 0x77,                /* 1: one byte */
        0x40, 0x99,                /* 4: one byte */
        0xf0, 0x50, 0x66,          /* 15 stops */
        0x20, 0x11, 0, 0, 0, 0, 0, 0
    };

    const uint8_t   ended[] = {
        HEAD(0x90), 0xbe, 0xde, 0, 2,
        0x10, 0x77,
        0x01,                      /* padding must have no length */
        0x20, 0x11, 0, 0, 0
    };

    (void) state;
    assert_int_equal(parse(data, sizeof(data), &rtp, &copy), CR_OK);
    assert_int_equal(rtp.ext.len, 20);
    assert_true(cr_rtp_ext(&rtp, 3, &value));
    assert_int_equal(value.len, 2);
    assert_int_equal(value.data[1], 0xbb);
    assert_true(cr_rtp_ext(&rtp, 1, &value));
    assert_int_equal(value.len, 1);
    assert_int_equal(value.data[0], 0x77);
    assert_true(cr_rtp_ext(&rtp, 4, &value));
    assert_int_equal(value.data[0], 0x99);
    assert_false(cr_rtp_ext(&rtp, 5, &value));
    assert_false(cr_rtp_ext(&rtp, 2, &value));
    assert_false(cr_rtp_ext(&rtp, 15, &value));
    assert_false(cr_rtp_ext(&rtp, 0, &value));
    free(copy);

    assert_int_equal(parse(ended, sizeof(ended), &rtp, &copy), CR_OK);
    assert_true(cr_rtp_ext(&rtp, 1, &value));
    assert_false(cr_rtp_ext(&rtp, 2, &value));
    free(copy);
}


static void
two_byte_extensions(void **state)
{
    uint8_t        *copy;
    cr_rtp_t        rtp;
    cr_slice_t      value;
    const uint8_t   data[] = {
        HEAD(0x90), 0x10, 0x07, 0, 3,
        3, 0,                      /* 3: empty */
        0,
        200, 3, 1, 2, 3,           /* 200: three bytes */
        15, 1, 0x44,               /* 15 is an id like any other */
        7,                         /* cut off */
    };

    (void) state;
    assert_int_equal(parse(data, sizeof(data), &rtp, &copy), CR_OK);
    assert_true(cr_rtp_ext(&rtp, 3, &value));
    assert_int_equal(value.len, 0);
    assert_true(cr_rtp_ext(&rtp, 200, &value));
    assert_int_equal(value.len, 3);
    assert_int_equal(value.data[2], 3);
    assert_true(cr_rtp_ext(&rtp, 15, &value));
    assert_int_equal(value.data[0], 0x44);
    assert_false(cr_rtp_ext(&rtp, 7, &value));
    free(copy);
}


static void
an_element_past_the_end_is_absent(void **state)
{
    uint8_t        *copy;
    cr_rtp_t        rtp;
    cr_slice_t      value;
    const uint8_t   one[] = { HEAD(0x90), 0xbe, 0xde, 0, 1, 0x13, 1, 2, 3 };
    const uint8_t   two[] = { HEAD(0x90), 0x10, 0, 0, 1, 1, 3, 1, 2 };
    const uint8_t   other[] = { HEAD(0x90), 0x20, 0, 0, 1, 1, 1, 1, 1 };

    (void) state;
    assert_int_equal(parse(one, sizeof(one), &rtp, &copy), CR_OK);
    assert_false(cr_rtp_ext(&rtp, 1, &value));
    free(copy);
    assert_int_equal(parse(two, sizeof(two), &rtp, &copy), CR_OK);
    assert_false(cr_rtp_ext(&rtp, 1, &value));
    free(copy);
    assert_int_equal(parse(other, sizeof(other), &rtp, &copy), CR_OK);
    assert_false(cr_rtp_ext(&rtp, 1, &value));
    free(copy);
}


static void
rtx_gives_the_lost_packet_back(void **state)
{
    uint8_t        *copy;
    cr_rtp_t        rtp;
    const uint8_t   data[] = { HEAD(0x80), 0xff, 0xfe, 1, 2, 3 };
    const uint8_t   probe[] = { HEAD(0xa0), 0, 0, 0, 4 };
    const uint8_t   empty[] = { HEAD(0x80), 0xff, 0xfe };
    const uint8_t   wrong[] = { HEAD(0x80), 0xff };

    (void) state;
    assert_int_equal(parse(data, sizeof(data), &rtp, &copy), CR_OK);
    assert_int_equal(cr_rtp_unwrap_rtx(&rtp, 77, 100), CR_OK);
    assert_int_equal(rtp.seq, 0xfffe);
    assert_int_equal(rtp.ssrc, 77);
    assert_int_equal(rtp.pt, 100);
    assert_true(rtp.marker);
    assert_int_equal(rtp.payload.len, 3);
    assert_int_equal(rtp.payload.data[0], 1);
    free(copy);

    assert_int_equal(parse(probe, sizeof(probe), &rtp, &copy), CR_OK);
    assert_int_equal(cr_rtp_unwrap_rtx(&rtp, 77, 100), CR_DECLINED);
    free(copy);
    assert_int_equal(parse(empty, sizeof(empty), &rtp, &copy), CR_OK);
    assert_int_equal(cr_rtp_unwrap_rtx(&rtp, 77, 100), CR_OK);
    assert_int_equal(rtp.payload.len, 0);
    free(copy);
    assert_int_equal(parse(wrong, sizeof(wrong), &rtp, &copy), CR_OK);
    assert_int_equal(cr_rtp_unwrap_rtx(&rtp, 77, 100), CR_INVALID);
    free(copy);
}


static void
counters_are_continued_over_their_wrap(void **state)
{
    (void) state;
    assert_int_equal(cr_rtp_unwrap16(65535, 0), 65536);
    assert_int_equal(cr_rtp_unwrap16(65536, 65535), 65535);
    assert_int_equal(cr_rtp_unwrap16(0, 65535), -1);
    assert_int_equal(cr_rtp_unwrap16(-1, 0), 0);
    assert_int_equal(cr_rtp_unwrap16(200000, (uint16_t) 200123), 200123);
    assert_int_equal(cr_rtp_unwrap32(0xffffffff, 0), 0x100000000);
    assert_int_equal(cr_rtp_unwrap32(0x100000000, 0xffffffff), 0xffffffff);
    assert_int_equal(cr_rtp_unwrap32(5, 0xfffffffb), -5);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(a_plain_packet),
        cmocka_unit_test(csrcs_extension_and_padding_are_cut_off),
        cmocka_unit_test(every_truncation_is_refused_or_shorter),
        cmocka_unit_test(padding_must_fit),
        cmocka_unit_test(rtcp_is_told_from_rtp),
        cmocka_unit_test(one_byte_extensions),
        cmocka_unit_test(two_byte_extensions),
        cmocka_unit_test(an_element_past_the_end_is_absent),
        cmocka_unit_test(rtx_gives_the_lost_packet_back),
        cmocka_unit_test(counters_are_continued_over_their_wrap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
