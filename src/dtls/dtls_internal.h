
/*
 * Copyright (C) The call recorder authors
 *
 * What dtls.c and dtls_cert.c share.
 */

#ifndef CR_DTLS_INTERNAL_H
#define CR_DTLS_INTERNAL_H


#include <openssl/bio.h>
#include <openssl/ssl.h>

#include "dtls/dtls.h"


struct cr_dtls_cert_s {
    SSL_CTX     *ssl_ctx;          /* for both roles */
    BIO_METHOD  *bio_method;       /* see dtls_bio.c */
    X509        *x509;
    EVP_PKEY    *key;
    /* "sha-256 " and 32 times "AB:", the last colon being the NUL */
    char         fingerprint[8 + 32 * 3];
};


struct cr_dtls_s {
    const cr_env_t  *env;
    SSL             *ssl;
    bool             client;
    bool             done;            /* the handshake */
    bool             mismatch;        /* of the fingerprint */
    cr_status_e      failed;          /* what ended it, or CR_OK */

    uint8_t          hash;
    uint8_t          fingerprint_len;
    uint8_t          fingerprint[CR_FINGERPRINT_MAX];

    cr_srtp_keys_t   keys;

    cr_dtls_send_pt  send;
    void            *ctx;

    /* the datagram that OpenSSL may read next; NULL: none */
    const uint8_t   *in;
    size_t           in_len;

    /* the retransmission timer, see dtls_bio.c */
    int64_t          now_us;
    int64_t          deadline_us;
    int64_t          timeout_us;
    struct timeval  *openssl_timer;
};


/*
 * The datagram BIO: reads cr_dtls_t.in, writes through cr_dtls_t.send, and
 * learns from OpenSSL when its retransmission timer starts and stops.
 */
BIO_METHOD *cr_dtls_bio_method(void);

/* Makes OpenSSL believe that its timer is over. */
void cr_dtls_bio_expire(cr_dtls_t *dtls);

/* SSL_CTX_set_cert_verify_callback(): compares the fingerprint. */
int cr_dtls_verify(X509_STORE_CTX *store, void *arg);


#endif /* CR_DTLS_INTERNAL_H */
