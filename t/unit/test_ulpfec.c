
/*
 * Copyright (C) The call recorder authors
 */

#include "rtp/ulpfec.h"
#include "env.h"
#include "parity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>


#define SSRC  0x12345678


static test_env_t    env;
static cr_ulpfec_t  *fec;
static parity_t      group;


static int
setup(void **state)
{
    (void) state;

    test_env_init(&env, 1);
    memset(&group, 0, sizeof(group));

    fec = cr_ulpfec_create(&env.env);
    assert_non_null(fec);
    cr_ulpfec_reset(fec, SSRC);

    return 0;
}


static int
teardown(void **state)
{
    (void) state;

    cr_ulpfec_destroy(fec);
    cr_ulpfec_destroy(NULL);
    assert_int_equal(env.live, 0);

    return 0;
}


/* Of many shapes: extensions, sources, padding, markers. */
static void
packet(uint16_t seq)
{
    size_t   len, i;
    uint8_t  data[PARITY_SIZE];

    len = 40 + seq * 131u % 1200;

    for (i = 0; i < len; i++) {
        data[i] = (uint8_t) (seq * 7 + i * 13);
    }

    data[0] = 0x80;
    data[1] = (uint8_t) ((seq % 3 == 0 ? 0x80 : 0) | 96);
    cr_put_u16(data + 2, seq);
    cr_put_u32(data + 4, 3000u * (seq / 3));
    cr_put_u32(data + 8, SSRC);

    if (seq % 2) {
        data[0] |= 0x10;
        cr_put_u32(data + 12, 0xbede0001);
    }

    if (seq % 5 == 0) {
        data[0] |= 0x20;
        data[len - 1] = 3;
    }

    parity_add(&group, data, len);
}


/* It arrives, in RED of one byte or not. */
static void
arrives(unsigned n, bool red)
{
    size_t    len;
    uint8_t  *copy, *red_copy;
    cr_rtp_t  rtp;

    len = group.len[n];

    /* of its exact size, so that ASan sees overreads */
    copy = malloc(len);
    assert_non_null(copy);
    memcpy(copy, group.data[n], len);
    assert_int_equal(cr_rtp_parse(copy, len, &rtp), CR_OK);

    if (red) {
        size_t  head = (size_t) (rtp.payload.data - copy);

        red_copy = malloc(len + 1);
        assert_non_null(red_copy);
        memcpy(red_copy, copy, head);
        red_copy[1] = (uint8_t) ((copy[1] & 0x80) | 118);
        red_copy[head] = 96;
        memcpy(red_copy + head + 1, copy + head, len - head);
        cr_ulpfec_media(fec, red_copy, len + 1, head, 96, 1);
        free(red_copy);

    } else {
        cr_ulpfec_media(fec, copy, len,
                        (size_t) (rtp.payload.data - copy), 96, 0);
    }

    free(copy);
}


static void
parity(uint64_t which)
{
    size_t      len;
    uint8_t     out[PARITY_SIZE + 18], *copy;
    cr_slice_t  payload;

    len = parity_payload(&group, which, out);
    copy = malloc(len);
    assert_non_null(copy);
    memcpy(copy, out, len);

    payload.data = copy;
    payload.len = len;
    cr_ulpfec_parity(fec, &payload);
    free(copy);
}


static void
assert_recovers(unsigned n)
{
    cr_rtp_t  rtp, want;

    assert_int_equal(cr_ulpfec_recover(fec, &rtp), CR_OK);
    assert_int_equal(cr_rtp_parse(group.data[n], group.len[n], &want),
                     CR_OK);

    assert_int_equal(rtp.seq, want.seq);
    assert_int_equal(rtp.pt, 96);
    assert_int_equal(rtp.marker, want.marker);
    assert_int_equal(rtp.timestamp, want.timestamp);
    assert_int_equal(rtp.ssrc, SSRC);
    assert_int_equal(rtp.padding, want.padding);
    assert_int_equal(rtp.ext_profile, want.ext_profile);
    assert_int_equal(rtp.ext.len, want.ext.len);
    assert_int_equal(rtp.payload.len, want.payload.len);
    assert_memory_equal(rtp.payload.data, want.payload.data,
                        want.payload.len);

    if (want.ext.len != 0) {
        assert_memory_equal(rtp.ext.data, want.ext.data, want.ext.len);
    }
}


static void
assert_nothing(void)
{
    cr_rtp_t  rtp;

    assert_int_equal(cr_ulpfec_recover(fec, &rtp), CR_AGAIN);
}


static void
any_one_of_a_group_is_recovered(void **state)
{
    unsigned  i, lost, n;

    (void) state;

    /* both lengths of the mask, over the end of the numbering */
    for (n = 2; n <= PARITY_MAX; n += 7) {
        for (lost = 0; lost < n; lost++) {
            memset(&group, 0, sizeof(group));
            cr_ulpfec_reset(fec, SSRC);

            for (i = 0; i < n; i++) {
                packet((uint16_t) (65530 + i));

                if (i != lost) {
                    arrives(i, i % 2);
                }
            }

            assert_nothing();
            parity((UINT64_C(1) << n) - 1);
            assert_recovers(lost);
            assert_nothing();
        }
    }
}


static void
one_recovered_helps_another(void **state)
{
    unsigned  i;

    (void) state;

    for (i = 0; i < 6; i++) {
        packet((uint16_t) (100 + i));
    }

    arrives(0, false);
    arrives(3, false);
    arrives(4, false);
    arrives(5, false);

    /* 1 and 2 are lost: this one alone is not enough */
    parity(0x0f);
    assert_nothing();

    /* of 2 and 4 alone */
    parity(0x14);
    assert_recovers(2);
    assert_recovers(1);
    assert_nothing();
}


static void
what_comes_late_helps(void **state)
{
    unsigned  i;

    (void) state;

    for (i = 0; i < 4; i++) {
        packet((uint16_t) (7 + i));
    }

    parity(0x0f);
    arrives(3, true);
    arrives(0, false);
    assert_nothing();
    arrives(2, false);
    assert_recovers(1);

    /* all are there: it is of no more use */
    parity(0x0f);
    assert_nothing();
}


static void
old_parity_is_forgotten(void **state)
{
    unsigned  i;

    (void) state;

    for (i = 0; i < 3; i++) {
        packet((uint16_t) i);
    }

    arrives(0, false);
    parity(0x07);
    assert_nothing();

    /* 65536 numbers on: 1 again, which is another packet */
    memset(&group, 0, sizeof(group));

    for (i = 0; i < 48; i++) {
        packet((uint16_t) (100 + i));
        arrives(i, false);
        assert_nothing();
    }

    memset(&group, 0, sizeof(group));
    packet(1);
    arrives(0, false);
    assert_nothing();
}


static void
a_new_ssrc_begins_with_nothing(void **state)
{
    (void) state;

    packet(1);
    packet(2);
    arrives(0, false);
    cr_ulpfec_reset(fec, SSRC);
    parity(3);
    assert_nothing();
    arrives(0, false);
    assert_recovers(1);
}


/* What GStreamer 1.22's rtpulpfecenc made of four packets. */
static void
parity_of_gstreamer_is_understood(void **state)
{
    size_t    len;
    unsigned  i, lost;
    cr_slice_t  payload;

    static const char  packets[4][64] = {
        "\x80\x60\xff\xfe\x00\x0b\xdb\x28\x12\x34\x56\x78"
        "\x00\x0b\x16\x21\x2c",
        "\x90\x60\xff\xff\x00\x0b\xdb\x28\x12\x34\x56\x78\xbe\xde\x00\x01"
        "\x32\x01\x02\x03\x25\x30\x3b\x46\x51\x5c\x67\x72\x7d\x88\x93\x9e",
        "\x80\x60\x00\x00\x00\x0b\xdb\x28\x12\x34\x56\x78\x4a\x55\x60\x6b"
        "\x76\x81\x8c\x97\xa2\xad\xb8\xc3\xce\xd9\xe4\xef\xfa\x05\x10",
        "\x80\xe0\x00\x01\x00\x0b\xdb\x28\x12\x34\x56\x78\x6f\x7a\x85\x90"
        "\x9b\xa6\xb1\xbc\xc7\xd2\xdd\xe8\xf3\xfe\x09\x14\x1f\x2a\x35\x40"
        "\x4b\x56\x61\x6c\x77\x82"
    };
    static const size_t  lens[4] = { 17, 32, 31, 38 };
    static const char  fec_payload[] =
        "\x10\x80\xff\xfe\x00\x00\x00\x00\x00\x18\x00\x1a\xf0\x00"
        "\x9b\xfa\xf3\xdb\xf3\x26\x3f\x28\x40\x4f\x5e\x6d\x6c\x7b\x8a\x89"
        "\x98\xa7\xb6\xde\x4b\x56\x61\x6c\x77\x82";

    (void) state;

    for (lost = 0; lost < 4; lost++) {
        memset(&group, 0, sizeof(group));
        cr_ulpfec_reset(fec, SSRC);

        for (i = 0; i < 4; i++) {
            len = lens[i];
            parity_add(&group, (const uint8_t *) packets[i], len);

            if (i != lost) {
                arrives(i, false);
            }
        }

        payload.data = (const uint8_t *) fec_payload;
        payload.len = sizeof(fec_payload) - 1;
        cr_ulpfec_parity(fec, &payload);
        assert_recovers(lost);
    }
}


static void
what_is_malformed_recovers_nothing(void **state)
{
    size_t      len, i;
    uint8_t     out[PARITY_SIZE + 18], *copy;
    cr_slice_t  payload;

    (void) state;

    packet(1);
    packet(2);
    arrives(0, false);
    len = parity_payload(&group, 3, out);

    for (i = 0; i < len; i++) {
        copy = malloc(i ? i : 1);
        assert_non_null(copy);
        memcpy(copy, out, i);
        payload.data = copy;
        payload.len = i;
        cr_ulpfec_parity(fec, &payload);
        assert_nothing();
        free(copy);
    }

    payload.data = out;
    payload.len = len;

    /* the reserved bit; a length that is not protected; a packet that is
     * none (more sources than there are bytes) */
    out[0] ^= 0x80;
    cr_ulpfec_parity(fec, &payload);
    assert_nothing();
    out[0] ^= 0x80;

    out[8] ^= 0x7f;
    cr_ulpfec_parity(fec, &payload);
    assert_nothing();
    out[8] ^= 0x7f;

    out[0] ^= 0x0f;
    cr_put_u16(out + 8, (uint16_t) (group.len[0] - 12) ^ 4);
    cr_ulpfec_parity(fec, &payload);
    assert_nothing();
}


static void
without_memory_there_is_none(void **state)
{
    (void) state;

    env.fail_at = env.calls + 1;
    assert_null(cr_ulpfec_create(&env.env));
    env.fail_at = 0;
}


#define TEST(name)  cmocka_unit_test_setup_teardown(name, setup, teardown)


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        TEST(any_one_of_a_group_is_recovered),
        TEST(one_recovered_helps_another),
        TEST(what_comes_late_helps),
        TEST(old_parity_is_forgotten),
        TEST(a_new_ssrc_begins_with_nothing),
        TEST(parity_of_gstreamer_is_understood),
        TEST(what_is_malformed_recovers_nothing),
        TEST(without_memory_there_is_none)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
