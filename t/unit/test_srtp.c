
/*
 * Copyright (C) The call recorder authors
 *
 * SRTP round trips, replays and forgeries with every profile.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "srtp/srtp.h"
#include "env.h"


typedef struct {
    test_env_t  env;
    cr_srtp_t  *a;
    cr_srtp_t  *b;
} pair_t;

typedef struct {
    size_t      len;
    uint8_t     data[1500];
} packet_t;


static const uint16_t  profiles[] = { CR_SRTP_AEAD_AES_128_GCM,
                                      CR_SRTP_AEAD_AES_256_GCM,
                                      CR_SRTP_AES128_CM_HMAC_SHA1_80 };


static void
pair_init(pair_t *pair, uint16_t profile)
{
    uint8_t         tmp[46];
    cr_srtp_keys_t  keys;

    test_env_init(&pair->env, profile);
    memset(&keys, 0, sizeof(keys));

    keys.profile = profile;
    keys.key_len = profile == CR_SRTP_AEAD_AES_256_GCM ? 32 : 16;
    keys.salt_len = profile == CR_SRTP_AES128_CM_HMAC_SHA1_80 ? 14 : 12;
    test_env_random(&pair->env, keys.local, 46);
    test_env_random(&pair->env, keys.remote, 46);

    assert_int_equal(cr_srtp_library_init(), CR_OK);
    pair->a = cr_srtp_create(&pair->env.env, &keys);

    memcpy(tmp, keys.local, 46);
    memcpy(keys.local, keys.remote, 46);
    memcpy(keys.remote, tmp, 46);
    pair->b = cr_srtp_create(&pair->env.env, &keys);

    assert_non_null(pair->a);
    assert_non_null(pair->b);
}


static void
pair_free(pair_t *pair)
{
    cr_srtp_destroy(pair->a);
    cr_srtp_destroy(pair->b);
    assert_int_equal(pair->env.live, 0);
}


static void
rtp(packet_t *p, uint32_t ssrc, uint16_t seq, size_t payload)
{
    memset(p, 0, sizeof(packet_t));
    p->len = 12 + payload;
    p->data[0] = 0x80;
    p->data[1] = 96;
    cr_put_u16(p->data + 2, seq);
    cr_put_u32(p->data + 8, ssrc);
    memset(p->data + 12, seq & 0xff, payload);
}


static void
rtcp(packet_t *p, uint32_t ssrc, size_t words)
{
    memset(p, 0, sizeof(packet_t));
    p->len = 4 + 4 * words;
    p->data[0] = 0x80;
    p->data[1] = 201;
    cr_put_u16(p->data + 2, (uint16_t) words);
    cr_put_u32(p->data + 4, ssrc);
}


static void
what_is_sealed_opens_to_the_same(void **state)
{
    pair_t    pair;
    packet_t  p, q;
    unsigned  i, n;

    (void) state;

    for (i = 0; i < 3; i++) {
        pair_init(&pair, profiles[i]);

        for (n = 0; n < 100; n++) {
            rtp(&p, 7, (uint16_t) (65500 + n), 13 * n);
            q = p;
            assert_int_equal(cr_srtp_seal_rtp(pair.a, p.data, &p.len),
                             CR_OK);
            assert_true(p.len > q.len);
            assert_true(p.len <= q.len + CR_SRTP_TRAILER_MAX);
            assert_int_equal(cr_srtp_open_rtp(pair.b, p.data, &p.len),
                             CR_OK);
            assert_int_equal(p.len, q.len);
            assert_memory_equal(p.data, q.data, q.len);

            rtcp(&p, 9, 1 + n % 20);
            q = p;
            assert_int_equal(cr_srtp_seal_rtcp(pair.b, p.data, &p.len),
                             CR_OK);
            assert_true(p.len <= q.len + CR_SRTP_TRAILER_MAX);
            assert_int_equal(cr_srtp_open_rtcp(pair.a, p.data, &p.len),
                             CR_OK);
            assert_int_equal(p.len, q.len);
            assert_memory_equal(p.data, q.data, q.len);
        }

        pair_free(&pair);
    }
}


static void
a_replay_is_declined(void **state)
{
    pair_t    pair;
    packet_t  p, q;
    unsigned  i;

    (void) state;

    for (i = 0; i < 3; i++) {
        pair_init(&pair, profiles[i]);

        rtp(&p, 7, 100, 50);
        assert_int_equal(cr_srtp_seal_rtp(pair.a, p.data, &p.len), CR_OK);
        q = p;
        assert_int_equal(cr_srtp_open_rtp(pair.b, p.data, &p.len), CR_OK);
        p = q;
        assert_int_equal(cr_srtp_open_rtp(pair.b, p.data, &p.len),
                         CR_DECLINED);

        rtcp(&p, 7, 1);
        assert_int_equal(cr_srtp_seal_rtcp(pair.a, p.data, &p.len), CR_OK);
        q = p;
        assert_int_equal(cr_srtp_open_rtcp(pair.b, p.data, &p.len), CR_OK);
        p = q;
        assert_int_equal(cr_srtp_open_rtcp(pair.b, p.data, &p.len),
                         CR_DECLINED);

        pair_free(&pair);
    }
}


static void
a_packet_8000_late_is_taken_and_8200_late_is_not(void **state)
{
    pair_t    pair;
    packet_t  p, late, later;
    unsigned  i;

    (void) state;

    pair_init(&pair, CR_SRTP_AEAD_AES_128_GCM);

    for (i = 0; i <= 8400; i++) {
        rtp(&p, 7, (uint16_t) (60000 + i), 10);
        assert_int_equal(cr_srtp_seal_rtp(pair.a, p.data, &p.len), CR_OK);

        if (i == 200) {
            later = p;
            continue;
        }

        if (i == 400) {
            late = p;
            continue;
        }

        assert_int_equal(cr_srtp_open_rtp(pair.b, p.data, &p.len), CR_OK);
    }

    assert_int_equal(cr_srtp_open_rtp(pair.b, later.data, &later.len),
                     CR_DECLINED);
    assert_int_equal(cr_srtp_open_rtp(pair.b, late.data, &late.len), CR_OK);

    pair_free(&pair);
}


static void
a_sender_may_repeat_a_packet(void **state)
{
    pair_t    pair;
    packet_t  p;

    (void) state;

    pair_init(&pair, CR_SRTP_AES128_CM_HMAC_SHA1_80);
    rtp(&p, 7, 100, 50);
    assert_int_equal(cr_srtp_seal_rtp(pair.a, p.data, &p.len), CR_OK);
    rtp(&p, 7, 100, 50);
    assert_int_equal(cr_srtp_seal_rtp(pair.a, p.data, &p.len), CR_OK);
    pair_free(&pair);
}


static void
a_changed_byte_anywhere_is_refused(void **state)
{
    pair_t    pair;
    packet_t  p, q, r;
    unsigned  i, n;

    (void) state;

    for (i = 0; i < 3; i++) {
        pair_init(&pair, profiles[i]);

        rtp(&p, 7, 100, 50);
        assert_int_equal(cr_srtp_seal_rtp(pair.a, p.data, &p.len), CR_OK);
        rtcp(&r, 7, 5);
        assert_int_equal(cr_srtp_seal_rtcp(pair.a, r.data, &r.len), CR_OK);

        for (n = 0; n < p.len; n++) {
            q = p;
            q.data[n] ^= 0x40;
            assert_int_not_equal(cr_srtp_open_rtp(pair.b, q.data, &q.len),
                                 CR_OK);
        }

        for (n = 0; n < r.len; n++) {
            q = r;
            q.data[n] ^= 0x40;
            assert_int_not_equal(cr_srtp_open_rtcp(pair.b, q.data, &q.len),
                                 CR_OK);
        }

        q = p;
        q.data[20] ^= 1;
        assert_int_equal(cr_srtp_open_rtp(pair.b, q.data, &q.len), CR_AUTH);

        for (n = 0; n < p.len; n++) {
            q = p;
            q.len = n;
            assert_int_not_equal(cr_srtp_open_rtp(pair.b, q.data, &q.len),
                                 CR_OK);
        }

        for (n = 0; n < r.len; n++) {
            q = r;
            q.len = n;
            assert_int_not_equal(cr_srtp_open_rtcp(pair.b, q.data, &q.len),
                                 CR_OK);
        }

        /* none of this has harmed the true ones */
        assert_int_equal(cr_srtp_open_rtp(pair.b, p.data, &p.len), CR_OK);
        assert_int_equal(cr_srtp_open_rtcp(pair.b, r.data, &r.len), CR_OK);

        pair_free(&pair);
    }
}


static void
the_number_of_ssrcs_is_bounded(void **state)
{
    pair_t      pair;
    packet_t    p;
    unsigned    i, taken;
    cr_status_e status;

    (void) state;

    pair_init(&pair, CR_SRTP_AEAD_AES_128_GCM);
    taken = 0;

    for (i = 0; i < 1000; i++) {
        rtp(&p, 1000 + i, 1, 10);
        assert_int_equal(cr_srtp_seal_rtp(pair.a, p.data, &p.len), CR_OK);
        status = cr_srtp_open_rtp(pair.b, p.data, &p.len);
        taken += (status == CR_OK);

        if (status != CR_OK) {
            assert_int_equal(status, CR_LIMIT);
        }
    }

    assert_true(taken >= 16 && taken <= 64);

    /* those that are known go on */
    rtp(&p, 1000, 2, 10);
    assert_int_equal(cr_srtp_seal_rtp(pair.a, p.data, &p.len), CR_OK);
    assert_int_equal(cr_srtp_open_rtp(pair.b, p.data, &p.len), CR_OK);

    pair_free(&pair);
}


static void
what_cannot_be_is_refused(void **state)
{
    size_t          len;
    uint8_t         buf[80];
    pair_t          pair;
    cr_srtp_keys_t  keys;

    (void) state;

    pair_init(&pair, CR_SRTP_AEAD_AES_128_GCM);

    memset(buf, 0, sizeof(buf));
    len = 7;
    assert_int_equal(cr_srtp_seal_rtcp(pair.a, buf, &len), CR_INVALID);
    len = 11;
    assert_int_equal(cr_srtp_seal_rtp(pair.a, buf, &len), CR_INVALID);

    memset(&keys, 0, sizeof(keys));
    keys.profile = 0x0002;
    assert_null(cr_srtp_create(&pair.env.env, &keys));

    keys.profile = CR_SRTP_AEAD_AES_128_GCM;
    pair.env.fail_at = pair.env.calls + 1;
    assert_null(cr_srtp_create(&pair.env.env, &keys));
    cr_srtp_destroy(NULL);

    pair_free(&pair);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(what_is_sealed_opens_to_the_same),
        cmocka_unit_test(a_replay_is_declined),
        cmocka_unit_test(a_packet_8000_late_is_taken_and_8200_late_is_not),
        cmocka_unit_test(a_sender_may_repeat_a_packet),
        cmocka_unit_test(a_changed_byte_anywhere_is_refused),
        cmocka_unit_test(the_number_of_ssrcs_is_bounded),
        cmocka_unit_test(what_cannot_be_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
