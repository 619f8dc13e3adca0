
/*
 * Copyright (C) The call recorder authors
 *
 * AWS Signature Version 4 as S3 has it: the header Authorization, and queries
 * of presigned URLs.  ("Authenticating Requests" of the S3 API reference.)
 */

#ifndef CR_S3_SIGV4_H
#define CR_S3_SIGV4_H


#include "base/bytes.h"
#include "base/env.h"
#include "base/status.h"
#include "s3/uri.h"


#define CR_SIGV4_TIME_SIZE     17       /* "20150830T123600Z" and NUL */
#define CR_SIGV4_HEX_SIZE      65       /* SHA-256 in hex and NUL */
#define CR_SIGV4_HEADERS_MAX   64
#define CR_SIGV4_VALUES_MAX    65536    /* bytes of all headers */
#define CR_SIGV4_SECRET_MAX    256
#define CR_SIGV4_REGION_MAX    64
#define CR_SIGV4_SERVICE_MAX   32
#define CR_SIGV4_ACCESS_MAX    256
#define CR_SIGV4_SESSION_MAX   8192     /* bytes of a session token */
#define CR_SIGV4_EXPIRES_MAX   604800   /* a presigned URL's, a week */

#define CR_SIGV4_UNSIGNED      "UNSIGNED-PAYLOAD"

/* SHA-256 of no bytes at all */
#define CR_SIGV4_EMPTY                                                      \
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


typedef struct {
    cr_slice_t  access;
    cr_slice_t  secret;
    cr_slice_t  session;                /* empty: none */
} cr_s3_keys_t;


typedef struct {
    cr_slice_t  name;                   /* in any case */
    cr_slice_t  value;
} cr_sigv4_header_t;


/* All of these headers are signed, host must be among them. */
typedef struct {
    cr_slice_t                method;
    cr_slice_t                path;     /* as sent */
    cr_slice_t                query;    /* as sent, without '?' */
    cr_slice_t                payload;  /* hex, or CR_SIGV4_UNSIGNED */
    const cr_sigv4_header_t  *headers;
    size_t                    nheaders;
} cr_sigv4_request_t;


/* The key of one day, region, service and secret; all 0 at first. */
typedef struct {
    uint8_t  of[32];                    /* SHA-256 of what it is made of */
    uint8_t  key[32];
    bool     set;
    uint8_t  scope[8 + CR_SIGV4_REGION_MAX + CR_SIGV4_SERVICE_MAX + 16];
    size_t   scope_len;                 /* "20150830/us-east-1/s3/..." */
} cr_sigv4_key_t;


/* now: seconds since 1970.  CR_LIMIT: before 1970 or after 9999. */
cr_status_e cr_sigv4_time(char buf[CR_SIGV4_TIME_SIZE], int64_t now);

void cr_sigv4_hex(char buf[CR_SIGV4_HEX_SIZE], const uint8_t digest[32]);

/*
 * Derives the signing key anew if it is not that of now, region, service and
 * secret already.  CR_INVALID: one of them is empty; CR_LIMIT: too long.
 */
cr_status_e cr_sigv4_key(cr_sigv4_key_t *key, cr_slice_t secret,
    cr_slice_t region, cr_slice_t service, int64_t now);

/*
 * The canonical request and, as the part of it before the payload's hash,
 * the names of signed headers.  To be freed with cr_free(env, text.data).
 */
cr_status_e cr_sigv4_canonical(const cr_env_t *env,
    const cr_sigv4_request_t *request, cr_slice_t *text,
    cr_slice_t *signed_headers);

/*
 * Writes the value of Authorization; now is the time of key and x-amz-date.
 * CR_LIMIT: too many headers or parameters, or w is too short.
 */
cr_status_e cr_sigv4_sign(const cr_env_t *env, const cr_sigv4_key_t *key,
    cr_slice_t access, int64_t now, const cr_sigv4_request_t *request,
    cr_writer_t *w);

/*
 * Writes the whole query of a presigned URL: that of the request, X-Amz-*,
 * and the signature.  request->payload is not used, expires is in seconds.
 */
cr_status_e cr_sigv4_presign(const cr_env_t *env, const cr_sigv4_key_t *key,
    const cr_s3_keys_t *keys, int64_t now, uint32_t expires,
    const cr_sigv4_request_t *request, cr_writer_t *w);


#endif /* CR_S3_SIGV4_H */
