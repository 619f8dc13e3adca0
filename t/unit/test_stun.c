
/*
 * Copyright (C) The call recorder authors
 *
 * STUN against the vectors of RFC 5769 and against damaged messages.
 */


#include "stun/stun.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>


#define PASSWORD      "VOkJxbRl1RmTxUk/WvJxBt"
#define PASSWORD_LEN  (sizeof(PASSWORD) - 1)


/* RFC 5769 section 2.1 */
static const uint8_t  rfc_request[] = {
    0x00, 0x01, 0x00, 0x58, 0x21, 0x12, 0xa4, 0x42,
    0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86,
    0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x10,
    0x53, 0x54, 0x55, 0x4e, 0x20, 0x74, 0x65, 0x73,
    0x74, 0x20, 0x63, 0x6c, 0x69, 0x65, 0x6e, 0x74,
    0x00, 0x24, 0x00, 0x04, 0x6e, 0x00, 0x01, 0xff,
    0x80, 0x29, 0x00, 0x08, 0x93, 0x2f, 0xf9, 0xb1,
    0x51, 0x26, 0x3b, 0x36, 0x00, 0x06, 0x00, 0x09,
    0x65, 0x76, 0x74, 0x6a, 0x3a, 0x68, 0x36, 0x76,
    0x59, 0x20, 0x20, 0x20, 0x00, 0x08, 0x00, 0x14,
    0x9a, 0xea, 0xa7, 0x0c, 0xbf, 0xd8, 0xcb, 0x56,
    0x78, 0x1e, 0xf2, 0xb5, 0xb2, 0xd3, 0xf2, 0x49,
    0xc1, 0xb5, 0x71, 0xa2, 0x80, 0x28, 0x00, 0x04,
    0xe5, 0x7a, 0x3b, 0xcf
};

/* RFC 5769 section 2.2 */
static const uint8_t  rfc_response4[] = {
    0x01, 0x01, 0x00, 0x3c, 0x21, 0x12, 0xa4, 0x42,
    0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86,
    0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x0b,
    0x74, 0x65, 0x73, 0x74, 0x20, 0x76, 0x65, 0x63,
    0x74, 0x6f, 0x72, 0x20, 0x00, 0x20, 0x00, 0x08,
    0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43,
    0x00, 0x08, 0x00, 0x14, 0x2b, 0x91, 0xf5, 0x99,
    0xfd, 0x9e, 0x90, 0xc3, 0x8c, 0x74, 0x89, 0xf9,
    0x2a, 0xf9, 0xba, 0x53, 0xf0, 0x6b, 0xe7, 0xd7,
    0x80, 0x28, 0x00, 0x04, 0xc0, 0x7d, 0x4c, 0x96
};

/* RFC 5769 section 2.3 */
static const uint8_t  rfc_response6[] = {
    0x01, 0x01, 0x00, 0x48, 0x21, 0x12, 0xa4, 0x42,
    0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86,
    0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x0b,
    0x74, 0x65, 0x73, 0x74, 0x20, 0x76, 0x65, 0x63,
    0x74, 0x6f, 0x72, 0x20, 0x00, 0x20, 0x00, 0x14,
    0x00, 0x02, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa,
    0xa5, 0xd3, 0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5,
    0xbe, 0xd2, 0xb9, 0xd9, 0x00, 0x08, 0x00, 0x14,
    0xa3, 0x82, 0x95, 0x4e, 0x4b, 0xe6, 0x7b, 0xf1,
    0x17, 0x84, 0xc9, 0x7c, 0x82, 0x92, 0xc2, 0x75,
    0xbf, 0xe3, 0xed, 0x41, 0x80, 0x28, 0x00, 0x04,
    0xc8, 0xfb, 0x0b, 0x4c
};

static const uint8_t  txid[CR_STUN_TXID_SIZE] = "0123456789ab";


/* A message of attributes alone; returns its whole length. */

static size_t
message(uint8_t *buf, const void *attributes, size_t len)
{
    cr_put_u16(buf, CR_STUN_BINDING_REQUEST);
    cr_put_u16(buf + 2, (uint16_t) len);
    cr_put_u32(buf + 4, 0x2112a442);
    memcpy(buf + 8, txid, sizeof(txid));
    memcpy(buf + CR_STUN_HEADER_SIZE, attributes, len);

    return CR_STUN_HEADER_SIZE + len;
}


static void
request_of_the_rfc_is_read_and_verified(void **state)
{
    cr_slice_t     ours, theirs;
    cr_stun_msg_t  msg;

    (void) state;

    assert_true(cr_stun_is_stun(rfc_request, sizeof(rfc_request)));
    assert_int_equal(cr_stun_parse(rfc_request, sizeof(rfc_request), &msg),
                     CR_OK);
    assert_int_equal(msg.type, CR_STUN_BINDING_REQUEST);
    assert_int_equal(msg.priority, 0x6e0001ff);
    assert_true(msg.controlled);
    assert_false(msg.controlling);
    assert_false(msg.use_candidate);
    assert_true(msg.tie_breaker == 0x932ff9b151263b36ULL);
    assert_true(msg.has_fingerprint);
    assert_int_equal(msg.nunknown, 0);

    assert_int_equal(cr_stun_username(&msg, &ours, &theirs), CR_OK);
    assert_int_equal(ours.len, 4);
    assert_memory_equal(ours.data, "evtj", 4);
    assert_int_equal(theirs.len, 4);
    assert_memory_equal(theirs.data, "h6vY", 4);

    assert_int_equal(cr_stun_verify(&msg, PASSWORD, PASSWORD_LEN), CR_OK);
    assert_int_equal(cr_stun_verify(&msg, PASSWORD, PASSWORD_LEN - 1),
                     CR_AUTH);
    assert_int_equal(cr_stun_verify(&msg, "", 0), CR_AUTH);
}


static void
responses_of_the_rfc_are_read_and_verified(void **state)
{
    cr_stun_msg_t  msg;

    static const uint8_t  ip4[] = { 192, 0, 2, 1 };
    static const uint8_t  ip6[] = {
        0x20, 0x01, 0x0d, 0xb8, 0x12, 0x34, 0x56, 0x78,
        0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77
    };

    (void) state;

    assert_int_equal(cr_stun_parse(rfc_response4, sizeof(rfc_response4),
                                   &msg), CR_OK);
    assert_int_equal(msg.type, CR_STUN_BINDING_SUCCESS);
    assert_int_equal(msg.mapped.family, 4);
    assert_int_equal(msg.mapped.port, 32853);
    assert_memory_equal(msg.mapped.ip, ip4, 4);
    assert_int_equal(cr_stun_verify(&msg, PASSWORD, PASSWORD_LEN), CR_OK);

    assert_int_equal(cr_stun_parse(rfc_response6, sizeof(rfc_response6),
                                   &msg), CR_OK);
    assert_int_equal(msg.mapped.family, 6);
    assert_int_equal(msg.mapped.port, 32853);
    assert_memory_equal(msg.mapped.ip, ip6, 16);
    assert_int_equal(cr_stun_verify(&msg, PASSWORD, PASSWORD_LEN), CR_OK);
}


static void
every_changed_bit_is_noticed(void **state)
{
    size_t         i;
    uint8_t        buf[sizeof(rfc_request)];
    unsigned       bit;
    cr_stun_msg_t  msg;

    (void) state;

    for (i = 0; i < sizeof(buf); i++) {
        for (bit = 0; bit < 8; bit++) {
            memcpy(buf, rfc_request, sizeof(buf));
            buf[i] ^= (uint8_t) (1 << bit);

            if (cr_stun_parse(buf, sizeof(buf), &msg) != CR_OK) {
                continue;
            }

            /* the FINGERPRINT became another attribute or part of one;
             * then the integrity still protects all before it */

            assert_false(msg.has_fingerprint);

            if (i < 100) {
                assert_int_equal(cr_stun_verify(&msg, PASSWORD,
                                                PASSWORD_LEN), CR_AUTH);
            }
        }
    }
}


static void
truncated_messages_are_invalid(void **state)
{
    size_t         len;
    uint8_t        buf[sizeof(rfc_request)];
    cr_stun_msg_t  msg;

    (void) state;

    for (len = 0; len < sizeof(rfc_request); len++) {
        assert_int_equal(cr_stun_parse(rfc_request, len, &msg), CR_INVALID);
    }

    /* cut with the length put right: only between attributes is it whole */

    for (len = CR_STUN_HEADER_SIZE; len < sizeof(buf); len++) {
        memcpy(buf, rfc_request, len);
        cr_put_u16(buf + 2, (uint16_t) (len - CR_STUN_HEADER_SIZE));

        if (len == 20 || len == 40 || len == 48 || len == 60 || len == 76
            || len == 100)
        {
            assert_int_equal(cr_stun_parse(buf, len, &msg), CR_OK);

        } else {
            assert_int_equal(cr_stun_parse(buf, len, &msg), CR_INVALID);
        }
    }
}


static void
what_is_not_stun_is_told_apart(void **state)
{
    uint8_t        buf[4096], zero[2044];
    cr_stun_msg_t  msg;

    (void) state;

    memcpy(buf, rfc_request, sizeof(rfc_request));
    buf[0] = 0x16;
    assert_false(cr_stun_is_stun(buf, sizeof(rfc_request)));
    assert_int_equal(cr_stun_parse(buf, sizeof(rfc_request), &msg),
                     CR_INVALID);

    buf[0] = 0;
    buf[4] = 0;
    assert_false(cr_stun_is_stun(buf, sizeof(rfc_request)));
    assert_false(cr_stun_is_stun(rfc_request, 19));

    /* well-formed, but larger than any path carries */

    memset(zero, 0, sizeof(zero));
    message(buf, zero, sizeof(zero));
    assert_int_equal(cr_stun_parse(buf, 20 + sizeof(zero), &msg), CR_INVALID);
}


static void
attributes_behind_the_integrity_are_ignored(void **state)
{
    uint8_t        buf[256];
    size_t         len;
    cr_stun_msg_t  msg;

    static const uint8_t  extra[] = {
        0x00, 0x25, 0x00, 0x00,                            /* nominate me */
        0x00, 0x24, 0x00, 0x04, 0x01, 0x02, 0x03, 0x04,
        0x7f, 0x01, 0x00, 0x00
    };

    (void) state;

    /* the request up to its integrity, then what an attacker adds */

    len = sizeof(rfc_request) - 8;
    memcpy(buf, rfc_request, len);
    memcpy(buf + len, extra, sizeof(extra));
    len += sizeof(extra);
    cr_put_u16(buf + 2, (uint16_t) (len - CR_STUN_HEADER_SIZE));

    assert_int_equal(cr_stun_parse(buf, len, &msg), CR_OK);
    assert_int_equal(cr_stun_verify(&msg, PASSWORD, PASSWORD_LEN), CR_OK);
    assert_false(msg.use_candidate);
    assert_false(msg.has_fingerprint);
    assert_int_equal(msg.priority, 0x6e0001ff);
    assert_int_equal(msg.nunknown, 0);
}


static void
unknown_attributes_are_collected_and_named(void **state)
{
    size_t         i, len;
    uint8_t        buf[512], in[512];
    cr_stun_msg_t  msg, answer;

    uint8_t  attrs[48 + 8];

    (void) state;

    /* 12 that must be understood, the first of them twice, 1 optional */

    memset(attrs, 0, sizeof(attrs));

    for (i = 0; i < 12; i++) {
        cr_put_u16(attrs + 4 * i, (uint16_t) (0x7000 + (i > 0 ? i - 1 : 0)));
    }

    cr_put_u16(attrs + 48, 0xc057);
    cr_put_u16(attrs + 50, 4);

    len = message(in, attrs, sizeof(attrs));
    assert_int_equal(cr_stun_parse(in, len, &msg), CR_OK);
    assert_int_equal(msg.nunknown, CR_STUN_UNKNOWN_MAX);
    assert_int_equal(msg.unknown[0], 0x7000);
    assert_int_equal(msg.unknown[1], 0x7001);
    assert_int_equal(cr_stun_verify(&msg, "x", 1), CR_AUTH);

    len = cr_stun_write_error(buf, sizeof(buf), &msg, 420, PASSWORD,
                              PASSWORD_LEN);
    assert_int_not_equal(len, 0);
    assert_int_equal(cr_stun_parse(buf, len, &answer), CR_OK);
    assert_int_equal(answer.type, CR_STUN_BINDING_ERROR);
    assert_int_equal(answer.error_code, 420);
    assert_memory_equal(answer.txid, txid, sizeof(txid));
    assert_int_equal(cr_stun_verify(&answer, PASSWORD, PASSWORD_LEN), CR_OK);

    /* UNKNOWN-ATTRIBUTES comes after "Unknown Attribute" and its padding */

    assert_int_equal(cr_get_u16(buf + 48), 0x000a);
    assert_int_equal(cr_get_u16(buf + 50), 2 * CR_STUN_UNKNOWN_MAX);
    assert_int_equal(cr_get_u16(buf + 52), 0x7000);
}


static void
attributes_of_a_wrong_size_are_invalid(void **state)
{
    size_t         i, len;
    uint8_t        buf[64], attr[12];
    cr_stun_msg_t  msg;

    static const uint16_t  types[] = {
        0x0008, 0x0009, 0x0020, 0x0024, 0x8028, 0x8029, 0x802a
    };

    (void) state;

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        memset(attr, 0, sizeof(attr));
        cr_put_u16(attr, types[i]);
        cr_put_u16(attr + 2, 3);

        len = message(buf, attr, 8);
        assert_int_equal(cr_stun_parse(buf, len, &msg), CR_INVALID);
    }

    /* an address of no known family, and an IPv6 one that is too short */

    cr_put_u16(attr, 0x0020);
    cr_put_u16(attr + 2, 8);
    attr[5] = 3;
    len = message(buf, attr, 12);
    assert_int_equal(cr_stun_parse(buf, len, &msg), CR_INVALID);
    attr[5] = 2;
    len = message(buf, attr, 12);
    assert_int_equal(cr_stun_parse(buf, len, &msg), CR_INVALID);
    attr[5] = 1;
    len = message(buf, attr, 12);
    assert_int_equal(cr_stun_parse(buf, len, &msg), CR_OK);
}


static void
usernames_without_two_parts_are_invalid(void **state)
{
    size_t         i, len;
    uint8_t        buf[64], attr[8];
    cr_slice_t     ours, theirs;
    cr_stun_msg_t  msg;

    static const char *const  names[] = { "abcd", ":bcd", "abc:" };

    (void) state;

    for (i = 0; i < 3; i++) {
        cr_put_u16(attr, 0x0006);
        cr_put_u16(attr + 2, 4);
        memcpy(attr + 4, names[i], 4);
        len = message(buf, attr, 8);

        assert_int_equal(cr_stun_parse(buf, len, &msg), CR_OK);
        assert_int_equal(cr_stun_username(&msg, &ours, &theirs), CR_INVALID);
    }

    len = message(buf, attr, 0);
    assert_int_equal(cr_stun_parse(buf, len, &msg), CR_OK);
    assert_int_equal(cr_stun_username(&msg, &ours, &theirs), CR_INVALID);
}


static void
a_request_is_answered(void **state)
{
    size_t         len, size;
    uint8_t        out[256], req[256];
    cr_addr_t      from;
    cr_stun_msg_t  answer, msg;

    (void) state;

    len = cr_stun_write_request(req, sizeof(req), txid, "ours:their", "secret",
                                12345, true, 0x1122334455667788, true);
    assert_int_not_equal(len, 0);
    assert_int_equal(cr_stun_parse(req, len, &msg), CR_OK);
    assert_int_equal(cr_stun_verify(&msg, "secret", 6), CR_OK);
    assert_true(msg.controlling);
    assert_true(msg.use_candidate);
    assert_true(msg.has_fingerprint);
    assert_int_equal(msg.priority, 12345);
    assert_true(msg.tie_breaker == 0x1122334455667788);

    memset(&from, 0, sizeof(from));
    from.family = 6;
    from.port = 4242;
    from.ip[0] = 0xfd;
    from.ip[15] = 2;

    size = cr_stun_write_success(out, sizeof(out), &msg, &from, "secret", 6);
    assert_int_not_equal(size, 0);
    assert_int_equal(cr_stun_parse(out, size, &answer), CR_OK);
    assert_int_equal(answer.type, CR_STUN_BINDING_SUCCESS);
    assert_true(cr_addr_equal(&answer.mapped, &from));
    assert_int_equal(cr_stun_verify(&answer, "secret", 6), CR_OK);

    from.family = 4;
    size = cr_stun_write_success(out, sizeof(out), &msg, &from, "secret", 6);
    assert_int_equal(cr_stun_parse(out, size, &answer), CR_OK);
    assert_true(cr_addr_equal(&answer.mapped, &from));

    /* a buffer that is too small is never overrun */

    for (len = 0; len < size; len++) {
        assert_int_equal(cr_stun_write_success(out, len, &msg, &from,
                                               "secret", 6), 0);
    }
}


static void
a_request_without_priority_is_accepted(void **state)
{
    size_t         len;
    uint8_t        req[256];
    cr_stun_msg_t  msg;

    (void) state;

    len = cr_stun_write_request(req, sizeof(req), txid, "a:b", "secret", 0,
                                false, 1, false);
    assert_int_equal(cr_stun_parse(req, len, &msg), CR_OK);
    assert_int_equal(msg.priority, 0);
    assert_true(msg.controlled);
}


static void
errors_carry_their_code(void **state)
{
    size_t         i, len;
    uint8_t        out[256];
    cr_stun_msg_t  answer, msg;

    static const uint16_t  codes[] = { 400, 401, 487, 500 };

    (void) state;

    assert_int_equal(cr_stun_parse(rfc_request, sizeof(rfc_request), &msg),
                     CR_OK);

    for (i = 0; i < 4; i++) {
        len = cr_stun_write_error(out, sizeof(out), &msg, codes[i], NULL, 0);
        assert_int_equal(cr_stun_parse(out, len, &answer), CR_OK);
        assert_int_equal(answer.error_code, codes[i]);
        assert_null(answer.integrity);
        assert_true(answer.has_fingerprint);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(request_of_the_rfc_is_read_and_verified),
        cmocka_unit_test(responses_of_the_rfc_are_read_and_verified),
        cmocka_unit_test(every_changed_bit_is_noticed),
        cmocka_unit_test(truncated_messages_are_invalid),
        cmocka_unit_test(what_is_not_stun_is_told_apart),
        cmocka_unit_test(attributes_behind_the_integrity_are_ignored),
        cmocka_unit_test(unknown_attributes_are_collected_and_named),
        cmocka_unit_test(attributes_of_a_wrong_size_are_invalid),
        cmocka_unit_test(usernames_without_two_parts_are_invalid),
        cmocka_unit_test(a_request_is_answered),
        cmocka_unit_test(a_request_without_priority_is_accepted),
        cmocka_unit_test(errors_carry_their_code),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
