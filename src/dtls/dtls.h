
/*
 * Copyright (C) The call recorder authors
 *
 * DTLS 1.2 with OpenSSL over memory, for the SRTP keys (RFC 5764).
 */

#ifndef CR_DTLS_H
#define CR_DTLS_H


#include "base/env.h"
#include "base/status.h"
#include "sdp/sdp.h"


#define CR_SRTP_KEYS_MAX  ((32 + 14) * 2)


/* RFC 5764 section 4.1.2, RFC 7714 section 14.2 */
typedef enum {
    CR_SRTP_AES128_CM_HMAC_SHA1_80 = 0x0001,
    CR_SRTP_AEAD_AES_128_GCM = 0x0007,
    CR_SRTP_AEAD_AES_256_GCM = 0x0008
} cr_srtp_profile_e;


typedef struct {
    uint16_t  profile;              /* cr_srtp_profile_e */
    uint8_t   remote[46];           /* master key, then salt */
    uint8_t   local[46];
    uint8_t   key_len;
    uint8_t   salt_len;
} cr_srtp_keys_t;


/* A certificate and its key, made once per process; shared by sessions. */
typedef struct cr_dtls_cert_s  cr_dtls_cert_t;

/*
 * Makes a self-signed P-256 certificate; not_before is seconds since 1970.
 */
cr_dtls_cert_t *cr_dtls_cert_create(int64_t not_before);
/* From PEM texts, so that all workers have the same one. */
cr_dtls_cert_t *cr_dtls_cert_import(const char *pem, size_t len);
/* Writes certificate and key as PEM; returns the length, 0: no room. */
size_t cr_dtls_cert_export(const cr_dtls_cert_t *cert, char *buf,
    size_t size);
/* "sha-256 AB:CD:..." for a=fingerprint, NUL-terminated. */
const char *cr_dtls_cert_fingerprint(const cr_dtls_cert_t *cert);
void cr_dtls_cert_destroy(cr_dtls_cert_t *cert);


typedef struct cr_dtls_s  cr_dtls_t;

/* A datagram to be sent; the bytes are ours again on return. */
typedef void (*cr_dtls_send_pt)(void *ctx, const uint8_t *data, size_t len);


/*
 * hash and fingerprint are the peer's from SDP.  client: we send the
 * ClientHello (the offer was passive).
 */
cr_dtls_t *cr_dtls_create(const cr_env_t *env, cr_dtls_cert_t *cert,
    bool client, uint8_t hash, const uint8_t *fingerprint, size_t len,
    cr_dtls_send_pt send, void *ctx);
void cr_dtls_destroy(cr_dtls_t *dtls);

/*
 * Before cr_dtls_start(): other SRTP profiles than the three, in order of
 * preference; other datagram sizes (UDP payload) than 1200, at least 228.
 */
cr_status_e cr_dtls_set_profiles(cr_dtls_t *dtls, const uint16_t *profiles,
    unsigned n);
cr_status_e cr_dtls_set_mtu(cr_dtls_t *dtls, unsigned mtu);

/* First byte 20..63, RFC 7983. */
bool cr_dtls_is_dtls(const uint8_t *data, size_t len);

/* Sends the ClientHello when client. */
cr_status_e cr_dtls_start(cr_dtls_t *dtls, int64_t now_us);

/*
 * Takes one datagram.  CR_AGAIN: the handshake goes on.  CR_OK: it is done
 * (see cr_dtls_keys).  CR_DECLINED: close_notify came.  CR_AUTH: the
 * fingerprint does not match.  CR_INVALID: the handshake failed.
 */
cr_status_e cr_dtls_input(cr_dtls_t *dtls, const uint8_t *data, size_t len,
    int64_t now_us);

/* Retransmits when due; CR_INVALID when tried for too long. */
cr_status_e cr_dtls_timeout(cr_dtls_t *dtls, int64_t now_us);
int64_t cr_dtls_deadline(const cr_dtls_t *dtls);

/* After CR_OK. */
cr_status_e cr_dtls_keys(cr_dtls_t *dtls, cr_srtp_keys_t *keys);

void cr_dtls_close(cr_dtls_t *dtls);


#endif /* CR_DTLS_H */
