
/*
 * Copyright (C) The call recorder authors
 *
 * DTLS handshakes between two of our sides, with loss and by hand-moved
 * clocks.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "dtls/dtls.h"
#include "env.h"


#define QUEUE_MAX   64
#define START_US    1000000


typedef struct {
    size_t   len;
    uint8_t  data[2048];
} datagram_t;


typedef struct side_s  side_t;

struct side_s {
    cr_dtls_cert_t  *cert;
    cr_dtls_t       *dtls;
    cr_status_e      status;
    /* what this side sent and nobody took yet */
    unsigned         nqueued;
    datagram_t       queue[QUEUE_MAX];
    unsigned         sent;
    size_t           largest;
};


typedef struct {
    test_env_t  env;
    int64_t     now_us;
    side_t      client;
    side_t      server;
} pair_t;


/* Whether the i-th datagram ever sent by the client or not is lost. */
typedef bool (*lose_pt)(bool client, unsigned i);


static void
on_send(void *ctx, const uint8_t *data, size_t len)
{
    side_t      *side = ctx;
    datagram_t  *d;

    assert_true(side->nqueued < QUEUE_MAX);
    assert_true(len <= sizeof(d->data));

    d = &side->queue[side->nqueued++];
    d->len = len;
    memcpy(d->data, data, len);

    side->sent++;

    if (len > side->largest) {
        side->largest = len;
    }
}


static size_t
fingerprint(const cr_dtls_cert_t *cert, uint8_t *md)
{
    size_t       n;
    const char  *p;

    p = cr_dtls_cert_fingerprint(cert);
    assert_memory_equal(p, "sha-256 ", 8);

    n = 0;

    for (p += 8; *p != '\0'; p += (p[2] == ':') ? 3 : 2) {
        md[n++] = (uint8_t) strtol((char[]) { p[0], p[1], 0 }, NULL, 16);
    }

    return n;
}


static void
pair_init(pair_t *pair)
{
    size_t   n;
    uint8_t  md[64];

    memset(pair, 0, sizeof(pair_t));
    test_env_init(&pair->env, 1);
    pair->now_us = START_US;

    pair->client.cert = cr_dtls_cert_create(1700000000);
    pair->server.cert = cr_dtls_cert_create(1700000000);
    assert_non_null(pair->client.cert);
    assert_non_null(pair->server.cert);

    n = fingerprint(pair->server.cert, md);
    assert_int_equal(n, 32);
    pair->client.dtls = cr_dtls_create(&pair->env.env, pair->client.cert,
                                       true, CR_HASH_SHA256, md, n, on_send,
                                       &pair->client);

    n = fingerprint(pair->client.cert, md);
    pair->server.dtls = cr_dtls_create(&pair->env.env, pair->server.cert,
                                       false, CR_HASH_SHA256, md, n, on_send,
                                       &pair->server);

    assert_non_null(pair->client.dtls);
    assert_non_null(pair->server.dtls);
}


static void
pair_free(pair_t *pair)
{
    cr_dtls_destroy(pair->client.dtls);
    cr_dtls_destroy(pair->server.dtls);
    cr_dtls_cert_destroy(pair->client.cert);
    cr_dtls_cert_destroy(pair->server.cert);
    assert_int_equal(pair->env.live, 0);
    /* what we leave in OpenSSL's queue, nginx would log */
    assert_int_equal(ERR_peek_error(), 0);
}


/* Delivers what from has sent; returns whether there was anything. */
static bool
deliver(pair_t *pair, side_t *from, side_t *to, lose_pt lose)
{
    unsigned    i, n, first;
    datagram_t  queue[QUEUE_MAX];

    n = from->nqueued;
    first = from->sent - n;
    memcpy(queue, from->queue, n * sizeof(datagram_t));
    from->nqueued = 0;

    for (i = 0; i < n; i++) {
        if (lose != NULL && lose(from == &pair->client, first + i)) {
            continue;
        }

        to->status = cr_dtls_input(to->dtls, queue[i].data, queue[i].len,
                                   pair->now_us);
    }

    return n != 0;
}


/* Until both are done or have failed, or nothing more can happen. */
static void
run(pair_t *pair, lose_pt lose)
{
    int64_t   c, s;
    unsigned  i;

    if (pair->client.status == CR_OK) {
        pair->client.status = cr_dtls_start(pair->client.dtls,
                                            pair->now_us);
        pair->server.status = cr_dtls_start(pair->server.dtls,
                                            pair->now_us);
        assert_int_equal(pair->client.status, CR_AGAIN);
        assert_int_equal(pair->server.status, CR_AGAIN);
    }

    for (i = 0; i < 200; i++) {

        if (deliver(pair, &pair->client, &pair->server, lose)
            | deliver(pair, &pair->server, &pair->client, lose))
        {
            continue;
        }

        c = cr_dtls_deadline(pair->client.dtls);
        s = cr_dtls_deadline(pair->server.dtls);

        if (c == INT64_MAX && s == INT64_MAX) {
            return;
        }

        pair->now_us = c < s ? c : s;

        if (c <= pair->now_us) {
            pair->client.status = cr_dtls_timeout(pair->client.dtls,
                                                  pair->now_us);
        }

        if (s <= pair->now_us) {
            pair->server.status = cr_dtls_timeout(pair->server.dtls,
                                                  pair->now_us);
        }
    }
}


static void
assert_keys(pair_t *pair, uint16_t profile, unsigned key, unsigned salt)
{
    cr_srtp_keys_t  c, s;

    assert_int_equal(pair->client.status, CR_OK);
    assert_int_equal(pair->server.status, CR_OK);
    assert_int_equal(cr_dtls_keys(pair->client.dtls, &c), CR_OK);
    assert_int_equal(cr_dtls_keys(pair->server.dtls, &s), CR_OK);

    assert_int_equal(c.profile, profile);
    assert_int_equal(s.profile, profile);
    assert_int_equal(c.key_len, key);
    assert_int_equal(c.salt_len, salt);
    assert_memory_equal(c.local, s.remote, key + salt);
    assert_memory_equal(c.remote, s.local, key + salt);
    assert_memory_not_equal(c.remote, c.local, key + salt);
}


static void
both_sides_get_the_keys_of_the_preferred_profile(void **state)
{
    pair_t  pair;

    (void) state;

    pair_init(&pair);
    run(&pair, NULL);
    assert_keys(&pair, CR_SRTP_AEAD_AES_128_GCM, 16, 12);

    /* no timer had to run out */
    assert_int_equal(pair.now_us, START_US);
    assert_true(pair.client.largest <= 1200);
    assert_true(pair.server.largest <= 1200);

    pair_free(&pair);
}


static void
a_client_chooses_among_profiles(void **state)
{
    pair_t  pair;

    static const uint16_t  cm[] = { CR_SRTP_AES128_CM_HMAC_SHA1_80 };
    static const uint16_t  gcm256[] = { CR_SRTP_AES128_CM_HMAC_SHA1_80,
                                        CR_SRTP_AEAD_AES_256_GCM };
    static const uint16_t  wrong[] = { 0x0002 };

    (void) state;

    pair_init(&pair);
    assert_int_equal(cr_dtls_set_profiles(pair.client.dtls, cm, 1), CR_OK);
    run(&pair, NULL);
    assert_keys(&pair, CR_SRTP_AES128_CM_HMAC_SHA1_80, 16, 14);
    pair_free(&pair);

    pair_init(&pair);
    assert_int_equal(cr_dtls_set_profiles(pair.client.dtls, gcm256, 2),
                     CR_OK);
    run(&pair, NULL);
    assert_keys(&pair, CR_SRTP_AEAD_AES_256_GCM, 32, 12);
    pair_free(&pair);

    pair_init(&pair);
    assert_int_equal(cr_dtls_set_profiles(pair.client.dtls, wrong, 1),
                     CR_UNSUPPORTED);
    assert_int_equal(cr_dtls_set_profiles(pair.client.dtls, wrong, 0),
                     CR_INVALID);
    pair_free(&pair);
}


static void
no_common_profile_is_a_failure(void **state)
{
    pair_t  pair;

    static const uint16_t  cm[] = { CR_SRTP_AES128_CM_HMAC_SHA1_80 };
    static const uint16_t  gcm[] = { CR_SRTP_AEAD_AES_128_GCM };

    (void) state;

    pair_init(&pair);
    assert_int_equal(cr_dtls_set_profiles(pair.client.dtls, cm, 1), CR_OK);
    assert_int_equal(cr_dtls_set_profiles(pair.server.dtls, gcm, 1), CR_OK);
    run(&pair, NULL);
    assert_int_equal(pair.server.status, CR_INVALID);
    pair_free(&pair);
}


static bool
lose_first_flights(bool client, unsigned i)
{
    (void) client;

    return i == 0;
}


static void
a_lost_first_flight_of_each_side_is_repeated(void **state)
{
    pair_t  pair;

    (void) state;

    pair_init(&pair);
    run(&pair, lose_first_flights);
    assert_keys(&pair, CR_SRTP_AEAD_AES_128_GCM, 16, 12);
    assert_true(pair.now_us > START_US);
    assert_true(pair.now_us < START_US + 2000000);
    pair_free(&pair);
}


static unsigned  lost_datagram;
static bool      lost_of_client;


static bool
lose_one(bool client, unsigned i)
{
    return client == lost_of_client && i == lost_datagram;
}


static void
any_one_datagram_may_be_lost(void **state)
{
    pair_t    pair;
    unsigned  n[2];

    (void) state;

    pair_init(&pair);
    run(&pair, NULL);
    n[0] = pair.server.sent;
    n[1] = pair.client.sent;
    pair_free(&pair);

    for (lost_of_client = false; ; lost_of_client = true) {

        for (lost_datagram = 0; lost_datagram < n[lost_of_client];
             lost_datagram++)
        {
            pair_init(&pair);
            run(&pair, lose_one);
            assert_keys(&pair, CR_SRTP_AEAD_AES_128_GCM, 16, 12);
            assert_true(pair.now_us > START_US);
            pair_free(&pair);
        }

        if (lost_of_client) {
            break;
        }
    }
}


static bool
lose_a_third(bool client, unsigned i)
{
    return ((i * 2 + client) * 2654435761u >> 16) % 3 == 0;
}


static void
heavy_loss_of_small_fragments_is_overcome(void **state)
{
    pair_t  pair;

    (void) state;

    pair_init(&pair);
    assert_int_equal(cr_dtls_set_mtu(pair.client.dtls, 256), CR_OK);
    assert_int_equal(cr_dtls_set_mtu(pair.server.dtls, 256), CR_OK);
    assert_int_equal(cr_dtls_set_mtu(pair.server.dtls, 20), CR_INVALID);
    run(&pair, lose_a_third);
    assert_keys(&pair, CR_SRTP_AEAD_AES_128_GCM, 16, 12);
    assert_true(pair.client.largest <= 256);
    assert_true(pair.server.largest <= 256);
    assert_true(pair.client.sent > 4);
    pair_free(&pair);
}


static bool
lose_all(bool client, unsigned i)
{
    (void) client;
    (void) i;

    return true;
}


static void
a_silent_peer_is_given_up(void **state)
{
    pair_t  pair;

    (void) state;

    pair_init(&pair);
    run(&pair, lose_all);
    assert_int_equal(pair.client.status, CR_INVALID);
    assert_int_equal(cr_dtls_deadline(pair.client.dtls), INT64_MAX);
    assert_true(pair.now_us > START_US + 10000000);
    assert_true(pair.now_us < START_US + 60000000);
    assert_true(pair.client.sent < 20);

    /* and stays so */
    assert_int_equal(cr_dtls_timeout(pair.client.dtls, pair.now_us),
                     CR_INVALID);
    assert_int_equal(cr_dtls_input(pair.client.dtls, (uint8_t *) "", 0,
                                   pair.now_us), CR_INVALID);
    pair_free(&pair);
}


static void
a_wrong_fingerprint_ends_the_handshake(void **state)
{
    size_t    n;
    pair_t    pair;
    uint8_t   md[64];
    side_t   *side;
    unsigned  i;

    (void) state;

    for (i = 0; i < 2; i++) {
        pair_init(&pair);
        side = i ? &pair.client : &pair.server;
        cr_dtls_destroy(side->dtls);

        n = fingerprint(i ? pair.server.cert : pair.client.cert, md);
        md[31] ^= 1;
        side->dtls = cr_dtls_create(&pair.env.env, side->cert, i == 1,
                                    CR_HASH_SHA256, md, n, on_send, side);
        run(&pair, NULL);
        assert_int_equal(side->status, CR_AUTH);
        assert_int_not_equal((i ? &pair.server : &pair.client)->status,
                             CR_OK);
        pair_free(&pair);
    }
}


static void
an_unknown_hash_matches_nothing(void **state)
{
    size_t   n;
    pair_t   pair;
    uint8_t  md[64];

    (void) state;

    pair_init(&pair);
    cr_dtls_destroy(pair.server.dtls);
    n = fingerprint(pair.client.cert, md);
    pair.server.dtls = cr_dtls_create(&pair.env.env, pair.server.cert, false,
                                      CR_HASH_NONE, md, n, on_send,
                                      &pair.server);
    run(&pair, NULL);
    assert_int_equal(pair.server.status, CR_AUTH);
    pair_free(&pair);

    pair_init(&pair);
    assert_null(cr_dtls_create(&pair.env.env, pair.server.cert, false,
                               CR_HASH_SHA512, md, 65, on_send, NULL));
    pair_free(&pair);
}


static void
every_hash_of_a_fingerprint_is_known(void **state)
{
    BIO            *bio;
    char            pem[4096];
    X509           *x509;
    size_t          n;
    pair_t          pair;
    uint8_t         md[64];
    unsigned        i, len;
    const EVP_MD   *types[] = { EVP_sha1(), EVP_sha384(), EVP_sha512() };

    static const uint8_t  hashes[] = { CR_HASH_SHA1, CR_HASH_SHA384,
                                       CR_HASH_SHA512 };

    (void) state;

    for (i = 0; i < 3; i++) {
        pair_init(&pair);
        n = cr_dtls_cert_export(pair.client.cert, pem, sizeof(pem));
        assert_true(n > 0);

        bio = BIO_new_mem_buf(pem, (int) n);
        x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        assert_non_null(x509);
        assert_int_equal(X509_digest(x509, types[i], md, &len), 1);
        X509_free(x509);
        BIO_free(bio);

        cr_dtls_destroy(pair.server.dtls);
        pair.server.dtls = cr_dtls_create(&pair.env.env, pair.server.cert,
                                          false, hashes[i], md, len, on_send,
                                          &pair.server);
        run(&pair, NULL);
        assert_keys(&pair, CR_SRTP_AEAD_AES_128_GCM, 16, 12);
        pair_free(&pair);
    }
}


static void
close_notify_is_told_apart(void **state)
{
    pair_t  pair;

    (void) state;

    pair_init(&pair);
    run(&pair, NULL);
    assert_keys(&pair, CR_SRTP_AEAD_AES_128_GCM, 16, 12);

    cr_dtls_close(pair.client.dtls);
    assert_int_equal(pair.client.nqueued, 1);
    assert_true(deliver(&pair, &pair.client, &pair.server, NULL));
    assert_int_equal(pair.server.status, CR_DECLINED);

    /* once only */
    cr_dtls_close(pair.client.dtls);
    assert_int_equal(pair.client.nqueued, 0);
    pair_free(&pair);

    /* nothing to say before the handshake */
    pair_init(&pair);
    cr_dtls_close(pair.client.dtls);
    assert_int_equal(pair.client.nqueued, 0);
    pair_free(&pair);
}


static void
garbage_is_passed_over(void **state)
{
    size_t      len;
    pair_t      pair;
    uint8_t     buf[1500];
    unsigned    i, j;
    cr_status_e status;

    (void) state;

    for (j = 0; j < 2; j++) {
        pair_init(&pair);

        if (j == 1) {
            run(&pair, NULL);
        }

        for (i = 0; i < 2000; i++) {
            len = test_env_next(&pair.env) % sizeof(buf);
            test_env_random(&pair.env, buf, len);

            if (len != 0) {
                buf[0] = (uint8_t) (24 + buf[0] % 40);
            }

            status = cr_dtls_input(pair.server.dtls, buf, len, pair.now_us);
            assert_int_equal(status, j ? CR_OK : CR_AGAIN);
        }

        if (j == 0) {
            run(&pair, NULL);
        }

        assert_keys(&pair, CR_SRTP_AEAD_AES_128_GCM, 16, 12);
        pair_free(&pair);
    }
}


static void
what_is_dtls_is_seen_by_its_first_byte(void **state)
{
    uint8_t  buf[13] = { 22, 0xfe, 0xfd };

    (void) state;

    assert_true(cr_dtls_is_dtls(buf, 13));
    assert_false(cr_dtls_is_dtls(buf, 12));
    buf[0] = 19;
    assert_false(cr_dtls_is_dtls(buf, 13));
    buf[0] = 63;
    assert_true(cr_dtls_is_dtls(buf, 13));
    buf[0] = 64;
    assert_false(cr_dtls_is_dtls(buf, 13));
    assert_false(cr_dtls_is_dtls(buf, 0));
}


static void
a_certificate_survives_export_and_import(void **state)
{
    char             pem[4096], other[4096];
    size_t           n;
    cr_dtls_cert_t  *a, *b;

    (void) state;

    a = cr_dtls_cert_create(1700000000);
    assert_non_null(a);

    memset(pem, 0, sizeof(pem));
    n = cr_dtls_cert_export(a, pem, sizeof(pem));
    assert_true(n > 0 && n < sizeof(pem));
    assert_int_equal(cr_dtls_cert_export(a, other, n - 1), 0);

    b = cr_dtls_cert_import(pem, n);
    assert_non_null(b);
    assert_string_equal(cr_dtls_cert_fingerprint(a),
                        cr_dtls_cert_fingerprint(b));
    assert_int_equal(cr_dtls_cert_export(b, other, sizeof(other)), n);
    assert_memory_equal(pem, other, n);
    cr_dtls_cert_destroy(b);

    /* a half of it, the key of one and the certificate of another */
    assert_null(cr_dtls_cert_import(pem, n / 2));
    assert_null(cr_dtls_cert_import("", 0));

    b = cr_dtls_cert_create(1700000000);
    memset(other, 0, sizeof(other));
    assert_true(cr_dtls_cert_export(b, other, sizeof(other)) > 0);
    strcpy(strstr(other, "-----BEGIN CERT"), strstr(pem, "-----BEGIN CERT"));
    assert_null(cr_dtls_cert_import(other, strlen(other)));

    cr_dtls_cert_destroy(a);
    cr_dtls_cert_destroy(b);
    cr_dtls_cert_destroy(NULL);
    assert_int_equal(ERR_peek_error(), 0);
}


static void
running_out_of_memory_is_survived(void **state)
{
    pair_t   pair;
    uint8_t  md[32];

    (void) state;

    pair_init(&pair);
    pair.env.fail_at = pair.env.calls + 1;
    memset(md, 0, sizeof(md));
    assert_null(cr_dtls_create(&pair.env.env, pair.server.cert, false,
                               CR_HASH_SHA256, md, 32, on_send, NULL));
    cr_dtls_destroy(NULL);
    pair_free(&pair);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(both_sides_get_the_keys_of_the_preferred_profile),
        cmocka_unit_test(a_client_chooses_among_profiles),
        cmocka_unit_test(no_common_profile_is_a_failure),
        cmocka_unit_test(a_lost_first_flight_of_each_side_is_repeated),
        cmocka_unit_test(any_one_datagram_may_be_lost),
        cmocka_unit_test(heavy_loss_of_small_fragments_is_overcome),
        cmocka_unit_test(a_silent_peer_is_given_up),
        cmocka_unit_test(a_wrong_fingerprint_ends_the_handshake),
        cmocka_unit_test(an_unknown_hash_matches_nothing),
        cmocka_unit_test(every_hash_of_a_fingerprint_is_known),
        cmocka_unit_test(close_notify_is_told_apart),
        cmocka_unit_test(garbage_is_passed_over),
        cmocka_unit_test(what_is_dtls_is_seen_by_its_first_byte),
        cmocka_unit_test(a_certificate_survives_export_and_import),
        cmocka_unit_test(running_out_of_memory_is_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
