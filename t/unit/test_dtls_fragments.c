
/*
 * Copyright (C) The call recorder authors
 *
 * Handshakes with a plain OpenSSL client, which does what ours does not: a
 * ClientHello that is larger than a datagram.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/srtp.h>
#include <openssl/ssl.h>

#include "base/bytes.h"
#include "dtls/dtls.h"
#include "env.h"


#define QUEUE_MAX   64
#define FLIGHT_MAX  16
#define NOW_US      1000000


typedef struct {
    size_t    len;
    uint8_t   data[2048];
} datagram_t;


/* What the network makes of the client's first flight. */
typedef enum {
    IN_ORDER = 0,
    BACKWARDS,
    TWICE,
    TWICE_BACKWARDS
} order_e;


/* What our side sent and the client did not take yet. */
typedef struct {
    unsigned    n;
    datagram_t  datagrams[QUEUE_MAX];
} queue_t;


typedef struct {
    SSL       *ssl;
    BIO       *in;
    BIO       *out;
    X509      *x509;
    SSL_CTX   *ctx;
    EVP_PKEY  *key;
    uint8_t    fingerprint[EVP_MAX_MD_SIZE];
    unsigned   fingerprint_len;
} client_t;


static void
on_send(void *ctx, const uint8_t *data, size_t len)
{
    queue_t     *q = ctx;
    datagram_t  *d;

    assert_true(q->n < QUEUE_MAX);
    assert_true(len <= sizeof(d->data));

    d = &q->datagrams[q->n++];
    d->len = len;
    memcpy(d->data, data, len);
}


static void
client_init(client_t *c, unsigned mtu)
{
    char      host[240];
    unsigned  i;

    c->key = EVP_EC_gen("P-256");
    c->x509 = X509_new();
    X509_set_pubkey(c->x509, c->key);
    X509_gmtime_adj(X509_getm_notBefore(c->x509), 0);
    X509_gmtime_adj(X509_getm_notAfter(c->x509), 3600);
    assert_true(X509_sign(c->x509, c->key, EVP_sha256()) > 0);
    assert_int_equal(X509_digest(c->x509, EVP_sha256(), c->fingerprint,
                                 &c->fingerprint_len), 1);

    c->ctx = SSL_CTX_new(DTLS_client_method());
    SSL_CTX_set_options(c->ctx, SSL_OP_NO_QUERY_MTU);
    assert_int_equal(SSL_CTX_set_cipher_list(c->ctx, "ALL:@SECLEVEL=0"), 1);
    assert_int_equal(SSL_CTX_set_tlsext_use_srtp(c->ctx,
                         "SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_256_GCM:"
                         "SRTP_AEAD_AES_128_GCM"), 0);
    SSL_CTX_use_certificate(c->ctx, c->x509);
    SSL_CTX_use_PrivateKey(c->ctx, c->key);

    /* as long as with a post-quantum key share */
    memset(host, 'a', sizeof(host));
    host[sizeof(host) - 1] = '\0';

    for (i = 60; i < sizeof(host) - 1; i += 60) {
        host[i] = '.';
    }

    c->ssl = SSL_new(c->ctx);
    c->in = BIO_new(BIO_s_mem());
    c->out = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(c->in, -1);
    BIO_set_mem_eof_return(c->out, -1);
    SSL_set_bio(c->ssl, c->in, c->out);
    SSL_set_tlsext_host_name(c->ssl, host);
    SSL_set_mtu(c->ssl, mtu);
    SSL_set_connect_state(c->ssl);
}


static void
client_free(client_t *c)
{
    SSL_free(c->ssl);
    SSL_CTX_free(c->ctx);
    X509_free(c->x509);
    EVP_PKEY_free(c->key);
    ERR_clear_error();
}


/* To our side, a datagram of each record: a memory BIO runs them together. */
static unsigned
client_flight(client_t *c, cr_dtls_t *dtls, unsigned mtu, order_e order,
    cr_status_e *status)
{
    long       n, pos, starts[FLIGHT_MAX + 1];
    char      *data;
    unsigned   count, i, k, rounds;

    count = 0;
    n = BIO_get_mem_data(c->out, &data);

    for (pos = 0; pos < n; count++) {
        assert_true(n - pos >= 13 && count < FLIGHT_MAX);
        starts[count] = pos;
        pos += 13 + cr_get_u16((uint8_t *) data + pos + 11);
        assert_true(pos - starts[count] <= (long) mtu);
    }

    starts[count] = n;
    rounds = order >= TWICE ? 2 : 1;

    for (i = 0; i < count * rounds; i++) {
        k = i / rounds;

        if (order == BACKWARDS || order == TWICE_BACKWARDS) {
            k = count - 1 - k;
        }

        *status = cr_dtls_input(dtls, (uint8_t *) data + starts[k],
                                (size_t) (starts[k + 1] - starts[k]), NOW_US);
    }

    BIO_reset(c->out);

    return count;
}


static void
large_client_hello(unsigned mtu, unsigned at_least, order_e order)
{
    queue_t          queue;
    client_t         client;
    unsigned         i, j, first;
    cr_dtls_t       *dtls;
    test_env_t       env;
    cr_status_e      status;
    cr_dtls_cert_t  *cert;

    test_env_init(&env, 1);
    client_init(&client, mtu);
    queue.n = 0;

    cert = cr_dtls_cert_create(1700000000);
    dtls = cr_dtls_create(&env.env, cert, false, CR_HASH_SHA256,
                          client.fingerprint, client.fingerprint_len,
                          on_send, &queue);
    assert_non_null(dtls);

    first = 0;
    status = CR_AGAIN;

    for (i = 0; i < 10; i++) {

        if (SSL_do_handshake(client.ssl) == 1 && status == CR_OK) {
            break;
        }

        j = client_flight(&client, dtls, mtu, i == 0 ? order : IN_ORDER,
                          &status);
        first = i == 0 ? j : first;

        for (j = 0; j < queue.n; j++) {
            BIO_write(client.in, queue.datagrams[j].data,
                      (int) queue.datagrams[j].len);
            (void) SSL_do_handshake(client.ssl);
        }

        queue.n = 0;
    }

    assert_true(first >= at_least);
    assert_int_equal(status, CR_OK);
    assert_int_equal(SSL_get_selected_srtp_profile(client.ssl)->id,
                     CR_SRTP_AEAD_AES_128_GCM);

    client_free(&client);
    cr_dtls_destroy(dtls);
    cr_dtls_cert_destroy(cert);
    assert_int_equal(env.live, 0);
}


static void
a_client_hello_in_two_datagrams_is_taken(void **state)
{
    (void) state;

    large_client_hello(512, 2, IN_ORDER);
}


static void
their_order_does_not_matter(void **state)
{
    (void) state;

    large_client_hello(512, 2, BACKWARDS);
    large_client_hello(256, 3, BACKWARDS);
}


static void
duplicates_do_not_matter(void **state)
{
    (void) state;

    large_client_hello(512, 2, TWICE);
    large_client_hello(512, 2, TWICE_BACKWARDS);
    large_client_hello(256, 3, TWICE_BACKWARDS);
}


static void
fragments_of_256_bytes_are_taken(void **state)
{
    (void) state;

    large_client_hello(256, 3, IN_ORDER);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(a_client_hello_in_two_datagrams_is_taken),
        cmocka_unit_test(their_order_does_not_matter),
        cmocka_unit_test(duplicates_do_not_matter),
        cmocka_unit_test(fragments_of_256_bytes_are_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
