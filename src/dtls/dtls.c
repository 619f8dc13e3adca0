
/*
 * Copyright (C) The call recorder authors
 *
 * The DTLS 1.2 handshake (RFC 6347, RFC 5764) of one session.
 *
 * There is no cookie exchange: the peer's address was proven by STUN, and
 * DTLSv1_listen() cannot take the fragments of a large ClientHello.
 */

#include <openssl/err.h>
#include <openssl/srtp.h>
#include <openssl/x509.h>

#include "dtls/dtls_internal.h"


/* UDP payload that passes any path (RFC 8261 section 5 says 1200) */
#define CR_DTLS_MTU            1200

/*
 * RFC 6347 section 4.2.4.1 begins with 1 s and allows less; WebRTC peers do
 * 50 ms.  OpenSSL gives up at the 12th repetition.
 */
#define CR_DTLS_TIMEOUT_MIN    250000
#define CR_DTLS_TIMEOUT_MAX    2000000
/* when OpenSSL's own clock lags behind ours, see dtls_bio.c */
#define CR_DTLS_TIMEOUT_AGAIN  10000

/* RFC 5764 section 4.2 */
#define CR_DTLS_EXPORTER       "EXTRACTOR-dtls_srtp"


static cr_status_e cr_dtls_handshake(cr_dtls_t *dtls);
static cr_status_e cr_dtls_read(cr_dtls_t *dtls);
static cr_status_e cr_dtls_fail(cr_dtls_t *dtls, cr_status_e status);
static cr_status_e cr_dtls_export(cr_dtls_t *dtls);
static unsigned cr_dtls_timer(SSL *ssl, unsigned timeout_us);
static const EVP_MD *cr_dtls_hash(uint8_t hash);


cr_dtls_t *
cr_dtls_create(const cr_env_t *env, cr_dtls_cert_t *cert, bool client,
    uint8_t hash, const uint8_t *fingerprint, size_t len,
    cr_dtls_send_pt send, void *ctx)
{
    BIO        *bio;
    cr_dtls_t  *dtls;

    if (len > CR_FINGERPRINT_MAX) {
        return NULL;
    }

    dtls = cr_alloc(env, sizeof(cr_dtls_t));
    if (dtls == NULL) {
        return NULL;
    }

    dtls->env = env;
    dtls->client = client;
    dtls->hash = hash;
    dtls->fingerprint_len = (uint8_t) len;
    memcpy(dtls->fingerprint, fingerprint, len);
    dtls->send = send;
    dtls->ctx = ctx;
    dtls->deadline_us = INT64_MAX;
    dtls->timeout_us = CR_DTLS_TIMEOUT_MIN;

    dtls->ssl = SSL_new(cert->ssl_ctx);
    bio = BIO_new(cert->bio_method);

    if (dtls->ssl == NULL || bio == NULL) {
        BIO_free(bio);
        ERR_clear_error();
        cr_dtls_destroy(dtls);
        return NULL;
    }

    BIO_set_data(bio, dtls);
    SSL_set_bio(dtls->ssl, bio, bio);
    SSL_set_app_data(dtls->ssl, dtls);
    DTLS_set_timer_cb(dtls->ssl, cr_dtls_timer);
    SSL_set_mtu(dtls->ssl, CR_DTLS_MTU);

    if (client) {
        SSL_set_connect_state(dtls->ssl);

    } else {
        SSL_set_accept_state(dtls->ssl);
    }

    return dtls;
}


void
cr_dtls_destroy(cr_dtls_t *dtls)
{
    if (dtls == NULL) {
        return;
    }

    SSL_free(dtls->ssl);
    OPENSSL_cleanse(&dtls->keys, sizeof(cr_srtp_keys_t));
    cr_free(dtls->env, dtls);
}


cr_status_e
cr_dtls_set_profiles(cr_dtls_t *dtls, const uint16_t *profiles, unsigned n)
{
    char        names[128];
    size_t      len;
    unsigned    i;
    const char *name;

    len = 0;

    for (i = 0; i < n; i++) {

        switch (profiles[i]) {

        case CR_SRTP_AEAD_AES_128_GCM:
            name = "SRTP_AEAD_AES_128_GCM:";
            break;

        case CR_SRTP_AEAD_AES_256_GCM:
            name = "SRTP_AEAD_AES_256_GCM:";
            break;

        case CR_SRTP_AES128_CM_HMAC_SHA1_80:
            name = "SRTP_AES128_CM_SHA1_80:";
            break;

        default:
            return CR_UNSUPPORTED;
        }

        if (len + strlen(name) >= sizeof(names)) {
            return CR_LIMIT;
        }

        memcpy(names + len, name, strlen(name));
        len += strlen(name);
    }

    if (len == 0) {
        return CR_INVALID;
    }

    names[len - 1] = '\0';

    /* returns 0 when it succeeds */
    if (SSL_set_tlsext_use_srtp(dtls->ssl, names) != 0) {
        ERR_clear_error();
        return CR_INTERNAL;
    }

    return CR_OK;
}


cr_status_e
cr_dtls_set_mtu(cr_dtls_t *dtls, unsigned mtu)
{
    if (mtu > 16384 || SSL_set_mtu(dtls->ssl, mtu) == 0) {
        ERR_clear_error();
        return CR_INVALID;
    }

    return CR_OK;
}


bool
cr_dtls_is_dtls(const uint8_t *data, size_t len)
{
    /* RFC 6347 section 4.1: a record has a header of 13 bytes */
    return len >= 13 && data[0] >= 20 && data[0] <= 63;
}


cr_status_e
cr_dtls_start(cr_dtls_t *dtls, int64_t now_us)
{
    dtls->now_us = now_us;

    return dtls->client ? cr_dtls_handshake(dtls) : CR_AGAIN;
}


cr_status_e
cr_dtls_input(cr_dtls_t *dtls, const uint8_t *data, size_t len,
    int64_t now_us)
{
    cr_status_e  status;

    if (dtls->failed != CR_OK) {
        return dtls->failed;
    }

    /* an empty datagram would be the end of the connection for OpenSSL */
    if (!cr_dtls_is_dtls(data, len)) {
        return dtls->done ? CR_OK : CR_AGAIN;
    }

    dtls->now_us = now_us;
    dtls->in = data;
    dtls->in_len = len;

    status = dtls->done ? cr_dtls_read(dtls) : cr_dtls_handshake(dtls);

    dtls->in = NULL;

    return status;
}


static cr_status_e
cr_dtls_handshake(cr_dtls_t *dtls)
{
    int          n;
    cr_status_e  status;

    ERR_clear_error();

    n = SSL_do_handshake(dtls->ssl);

    if (n != 1) {
        if (SSL_get_error(dtls->ssl, n) == SSL_ERROR_WANT_READ) {
            return CR_AGAIN;
        }

        return cr_dtls_fail(dtls, dtls->mismatch ? CR_AUTH : CR_INVALID);
    }

    status = cr_dtls_export(dtls);

    if (status != CR_OK) {
        return cr_dtls_fail(dtls, status);
    }

    dtls->done = true;

    /* the datagram may hold more, close_notify for one */
    return cr_dtls_read(dtls);
}


/* After the handshake: its repeated last flight, alerts, nothing else. */
static cr_status_e
cr_dtls_read(cr_dtls_t *dtls)
{
    int      n;
    uint8_t  buf[256];

    ERR_clear_error();

    do {
        n = SSL_read(dtls->ssl, buf, sizeof(buf));
    } while (n > 0);

    switch (SSL_get_error(dtls->ssl, n)) {

    case SSL_ERROR_WANT_READ:
        /* 34 KB that the rest of the session may never need again */
        (void) SSL_free_buffers(dtls->ssl);
        ERR_clear_error();
        return CR_OK;

    case SSL_ERROR_ZERO_RETURN:
        return cr_dtls_fail(dtls, CR_DECLINED);

    default:
        return cr_dtls_fail(dtls, CR_INVALID);
    }
}


static cr_status_e
cr_dtls_fail(cr_dtls_t *dtls, cr_status_e status)
{
    dtls->failed = status;
    dtls->deadline_us = INT64_MAX;

    /* nginx logs what others leave in the queue */
    ERR_clear_error();

    return status;
}


static cr_status_e
cr_dtls_export(cr_dtls_t *dtls)
{
    size_t                   key, salt;
    uint8_t                  material[CR_SRTP_KEYS_MAX];
    uint8_t                 *client, *server;
    cr_srtp_keys_t          *keys;
    SRTP_PROTECTION_PROFILE *profile;

    profile = SSL_get_selected_srtp_profile(dtls->ssl);
    if (profile == NULL) {
        return CR_INVALID;
    }

    keys = &dtls->keys;
    keys->profile = (uint16_t) profile->id;

    switch (profile->id) {

    case CR_SRTP_AEAD_AES_128_GCM:
        keys->key_len = 16;
        keys->salt_len = 12;
        break;

    case CR_SRTP_AEAD_AES_256_GCM:
        keys->key_len = 32;
        keys->salt_len = 12;
        break;

    default:
        keys->key_len = 16;
        keys->salt_len = 14;
        break;
    }

    key = keys->key_len;
    salt = keys->salt_len;

    if (SSL_export_keying_material(dtls->ssl, material, 2 * (key + salt),
                                   CR_DTLS_EXPORTER,
                                   sizeof(CR_DTLS_EXPORTER) - 1, NULL, 0, 0)
        != 1)
    {
        return CR_INTERNAL;
    }

    /* RFC 5764 section 4.2: client key, server key, client salt, server's */
    client = dtls->client ? keys->local : keys->remote;
    server = dtls->client ? keys->remote : keys->local;

    memcpy(client, material, key);
    memcpy(server, material + key, key);
    memcpy(client + key, material + 2 * key, salt);
    memcpy(server + key, material + 2 * key + salt, salt);

    OPENSSL_cleanse(material, sizeof(material));

    return CR_OK;
}


cr_status_e
cr_dtls_timeout(cr_dtls_t *dtls, int64_t now_us)
{
    int  n;

    if (dtls->failed != CR_OK) {
        return dtls->failed;
    }

    dtls->now_us = now_us;

    if (now_us >= dtls->deadline_us) {
        ERR_clear_error();
        cr_dtls_bio_expire(dtls);

        n = DTLSv1_handle_timeout(dtls->ssl);

        if (n < 0) {
            return cr_dtls_fail(dtls, CR_INVALID);
        }

        if (n == 0) {
            dtls->deadline_us = now_us + CR_DTLS_TIMEOUT_AGAIN;
        }
    }

    return dtls->done ? CR_OK : CR_AGAIN;
}


/* What OpenSSL's timer shall be, given what it was; 0: a new flight. */
static unsigned
cr_dtls_timer(SSL *ssl, unsigned timeout_us)
{
    cr_dtls_t  *dtls = SSL_get_app_data(ssl);

    if (timeout_us == 0) {
        dtls->timeout_us = CR_DTLS_TIMEOUT_MIN;

    } else if (dtls->timeout_us < CR_DTLS_TIMEOUT_MAX) {
        dtls->timeout_us *= 2;
    }

    return (unsigned) dtls->timeout_us;
}


int64_t
cr_dtls_deadline(const cr_dtls_t *dtls)
{
    return dtls->deadline_us;
}


cr_status_e
cr_dtls_keys(cr_dtls_t *dtls, cr_srtp_keys_t *keys)
{
    if (!dtls->done) {
        return CR_AGAIN;
    }

    *keys = dtls->keys;

    return CR_OK;
}


void
cr_dtls_close(cr_dtls_t *dtls)
{
    if (!dtls->done || dtls->failed != CR_OK) {
        return;
    }

    ERR_clear_error();

    if (SSL_alloc_buffers(dtls->ssl) == 1) {
        (void) SSL_shutdown(dtls->ssl);
    }

    (void) cr_dtls_fail(dtls, CR_DECLINED);
}


/*
 * Certificates are self-signed: what counts is that the one seen here is
 * the one that was announced over the signalling (RFC 8122 section 5).
 */
int
cr_dtls_verify(X509_STORE_CTX *store, void *arg)
{
    SSL            *ssl;
    X509           *x509;
    unsigned        len;
    cr_dtls_t      *dtls;
    const EVP_MD   *type;
    unsigned char   md[EVP_MAX_MD_SIZE];

    (void) arg;

    ssl = X509_STORE_CTX_get_ex_data(store,
                                     SSL_get_ex_data_X509_STORE_CTX_idx());
    dtls = SSL_get_app_data(ssl);
    x509 = X509_STORE_CTX_get0_cert(store);
    type = cr_dtls_hash(dtls->hash);

    if (x509 != NULL
        && type != NULL
        && X509_digest(x509, type, md, &len) == 1
        && len == dtls->fingerprint_len
        && CRYPTO_memcmp(md, dtls->fingerprint, len) == 0)
    {
        X509_STORE_CTX_set_error(store, X509_V_OK);
        return 1;
    }

    dtls->mismatch = true;
    X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);

    return 0;
}


static const EVP_MD *
cr_dtls_hash(uint8_t hash)
{
    switch (hash) {

    case CR_HASH_SHA1:
        return EVP_sha1();

    case CR_HASH_SHA256:
        return EVP_sha256();

    case CR_HASH_SHA384:
        return EVP_sha384();

    case CR_HASH_SHA512:
        return EVP_sha512();

    default:
        return NULL;
    }
}
