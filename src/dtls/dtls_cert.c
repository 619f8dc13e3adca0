
/*
 * Copyright (C) The call recorder authors
 *
 * The certificate of this side: made, exported, imported.
 */

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/srtp.h>
#include <openssl/x509.h>

#include "dtls/dtls_internal.h"


#define CR_DTLS_DAY        (24 * 60 * 60)
#define CR_DTLS_VALIDITY   (10 * 365 * CR_DTLS_DAY)

/* A handshake message of a peer; certificates of 4096-bit RSA have 1.5 KB. */
#define CR_DTLS_CERT_MAX   16384

/* RFC 8827 section 6.5 wants forward secrecy; a peer may have an RSA key. */
#define CR_DTLS_CIPHERS    "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES"

/* in our order of preference, the cheapest first */
#define CR_DTLS_PROFILES                                                     \
    "SRTP_AEAD_AES_128_GCM:SRTP_AEAD_AES_256_GCM:SRTP_AES128_CM_SHA1_80"


static X509 *cr_dtls_x509_create(EVP_PKEY *key, int64_t not_before);
static cr_dtls_cert_t *cr_dtls_cert_wrap(X509 *x509, EVP_PKEY *key);
static bool cr_dtls_cert_fingerprint_init(cr_dtls_cert_t *cert);
static SSL_CTX *cr_dtls_ctx_create(X509 *x509, EVP_PKEY *key);


cr_dtls_cert_t *
cr_dtls_cert_create(int64_t not_before)
{
    X509            *x509;
    EVP_PKEY        *key;
    cr_dtls_cert_t  *cert;

    cert = NULL;
    x509 = NULL;

    /* RFC 8827 section 6.5: P-256 is what every peer has */
    key = EVP_EC_gen("P-256");

    if (key != NULL) {
        x509 = cr_dtls_x509_create(key, not_before);
    }

    if (x509 != NULL) {
        cert = cr_dtls_cert_wrap(x509, key);
    }

    if (cert == NULL) {
        X509_free(x509);
        EVP_PKEY_free(key);
    }

    ERR_clear_error();

    return cert;
}


static X509 *
cr_dtls_x509_create(EVP_PKEY *key, int64_t not_before)
{
    X509       *x509;
    uint64_t    serial;
    X509_NAME  *name;

    x509 = X509_new();
    if (x509 == NULL) {
        return NULL;
    }

    if (RAND_bytes((unsigned char *) &serial, sizeof(serial)) != 1) {
        goto failed;
    }

    /* RFC 5280 section 4.1.2.2: positive */
    serial = (serial >> 1) | 1;

    name = X509_get_subject_name(x509);

    /* RFC 5280 section 4.1.2.1: v3 is 2; peers' clocks may be behind */
    if (X509_set_version(x509, 2) != 1
        || ASN1_INTEGER_set_uint64(X509_get_serialNumber(x509), serial) != 1
        || ASN1_TIME_adj(X509_getm_notBefore(x509), (time_t) not_before, -1,
                         0) == NULL
        || ASN1_TIME_adj(X509_getm_notAfter(x509), (time_t) not_before,
                         CR_DTLS_VALIDITY / CR_DTLS_DAY, 0) == NULL
        || X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                      (const unsigned char *) "WebRTC", -1,
                                      -1, 0) != 1
        || X509_set_issuer_name(x509, name) != 1
        || X509_set_pubkey(x509, key) != 1
        || X509_sign(x509, key, EVP_sha256()) == 0)
    {
        goto failed;
    }

    return x509;

failed:

    X509_free(x509);

    return NULL;
}


/* Takes x509 and key over when it succeeds. */
static cr_dtls_cert_t *
cr_dtls_cert_wrap(X509 *x509, EVP_PKEY *key)
{
    cr_dtls_cert_t  *cert;

    cert = OPENSSL_zalloc(sizeof(cr_dtls_cert_t));
    if (cert == NULL) {
        return NULL;
    }

    cert->x509 = x509;
    cert->bio_method = cr_dtls_bio_method();
    cert->ssl_ctx = cr_dtls_ctx_create(x509, key);

    if (cert->bio_method == NULL
        || cert->ssl_ctx == NULL
        || !cr_dtls_cert_fingerprint_init(cert))
    {
        cert->x509 = NULL;
        cr_dtls_cert_destroy(cert);
        return NULL;
    }

    cert->key = key;

    return cert;
}


static SSL_CTX *
cr_dtls_ctx_create(X509 *x509, EVP_PKEY *key)
{
    SSL_CTX  *ctx;

    ctx = SSL_CTX_new(DTLS_method());
    if (ctx == NULL) {
        return NULL;
    }

    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_max_cert_list(ctx, CR_DTLS_CERT_MAX);
    SSL_CTX_set_options(ctx, SSL_OP_NO_QUERY_MTU | SSL_OP_NO_TICKET
                                 | SSL_OP_NO_RENEGOTIATION
                                 | SSL_OP_NO_COMPRESSION);

    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                       NULL);
    SSL_CTX_set_cert_verify_callback(ctx, cr_dtls_verify, NULL);

    /* SSL_CTX_set_tlsext_use_srtp() returns 0 when it succeeds */
    if (SSL_CTX_set_min_proto_version(ctx, DTLS1_2_VERSION) != 1
        || SSL_CTX_set_max_proto_version(ctx, DTLS1_2_VERSION) != 1
        || SSL_CTX_set_cipher_list(ctx, CR_DTLS_CIPHERS) != 1
        || SSL_CTX_set_tlsext_use_srtp(ctx, CR_DTLS_PROFILES) != 0
        || SSL_CTX_use_certificate(ctx, x509) != 1
        || SSL_CTX_use_PrivateKey(ctx, key) != 1)
    {
        SSL_CTX_free(ctx);
        return NULL;
    }

    return ctx;
}


static bool
cr_dtls_cert_fingerprint_init(cr_dtls_cert_t *cert)
{
    char          *p;
    unsigned       i, len;
    unsigned char  md[EVP_MAX_MD_SIZE];

    static const char  hex[] = "0123456789ABCDEF";

    if (X509_digest(cert->x509, EVP_sha256(), md, &len) != 1) {
        return false;
    }

    p = cert->fingerprint;
    memcpy(p, "sha-256 ", 8);
    p += 8;

    for (i = 0; i < len; i++) {
        *p++ = hex[md[i] >> 4];
        *p++ = hex[md[i] & 0x0f];
        *p++ = (i + 1 < len) ? ':' : '\0';
    }

    return true;
}


cr_dtls_cert_t *
cr_dtls_cert_import(const char *pem, size_t len)
{
    BIO             *bio;
    X509            *x509;
    EVP_PKEY        *key;
    cr_dtls_cert_t  *cert;

    if (len > INT32_MAX) {
        return NULL;
    }

    cert = NULL;
    x509 = NULL;
    key = NULL;

    bio = BIO_new_mem_buf(pem, (int) len);

    if (bio != NULL) {
        /* an empty passphrase, or OpenSSL would ask for one at a terminal */
        key = PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *) "");
        x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    }

    /* SSL_CTX_use_PrivateKey() sees to it that they belong together */
    if (key != NULL && x509 != NULL) {
        cert = cr_dtls_cert_wrap(x509, key);
    }

    if (cert == NULL) {
        X509_free(x509);
        EVP_PKEY_free(key);
    }

    BIO_free(bio);
    ERR_clear_error();

    return cert;
}


size_t
cr_dtls_cert_export(const cr_dtls_cert_t *cert, char *buf, size_t size)
{
    BIO     *bio;
    char    *data;
    long     n;
    size_t   len;

    len = 0;

    bio = BIO_new(BIO_s_mem());

    if (bio != NULL
        && PEM_write_bio_PrivateKey(bio, cert->key, NULL, NULL, 0, NULL,
                                    NULL) == 1
        && PEM_write_bio_X509(bio, cert->x509) == 1)
    {
        n = BIO_get_mem_data(bio, &data);

        if (n > 0 && (size_t) n <= size) {
            memcpy(buf, data, (size_t) n);
            len = (size_t) n;
        }
    }

    BIO_free(bio);
    ERR_clear_error();

    return len;
}


const char *
cr_dtls_cert_fingerprint(const cr_dtls_cert_t *cert)
{
    return cert->fingerprint;
}


void
cr_dtls_cert_destroy(cr_dtls_cert_t *cert)
{
    if (cert == NULL) {
        return;
    }

    SSL_CTX_free(cert->ssl_ctx);
    BIO_meth_free(cert->bio_method);
    X509_free(cert->x509);
    EVP_PKEY_free(cert->key);
    OPENSSL_free(cert);
}
