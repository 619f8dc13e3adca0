
/*
 * Copyright (C) The call recorder authors
 *
 * Signs the head of an HTTP/1 request as it is about to be sent, and reads
 * the answer of a small one.
 */

#ifndef CR_S3_HEAD_H
#define CR_S3_HEAD_H


#include "base/bytes.h"
#include "base/env.h"
#include "base/status.h"
#include "s3/sigv4.h"


typedef struct {
    cr_slice_t  path;         /* encoded, instead of the head's; "": as is */
    cr_slice_t  host;         /* instead of the head's; "": as is */
    cr_slice_t  payload;      /* hex, or CR_SIGV4_UNSIGNED */
    bool        trust;        /* a hex x-amz-content-sha256 of the head counts
                                 instead of payload */
} cr_s3_head_t;


/* How many bytes the signed head has at most. */
size_t cr_s3_head_size(const cr_s3_keys_t *keys, const cr_s3_head_t *how,
    cr_slice_t head);

/*
 * Writes the head, from the request line to the empty line, with
 * Authorization, X-Amz-Date, X-Amz-Content-Sha256 and X-Amz-Security-Token
 * instead of what it has of them.  Host, Content-MD5, Content-Type and all
 * X-Amz-* are signed.  CR_INVALID: it is no head of HTTP/1, or has no Host;
 * CR_LIMIT: too many headers or parameters.
 */
cr_status_e cr_s3_head_sign(const cr_env_t *env, const cr_sigv4_key_t *key,
    const cr_s3_keys_t *keys, int64_t now, const cr_s3_head_t *how,
    cr_slice_t head, cr_writer_t *w);

/* "/bucket/key", or "/key" without a bucket; encoded. */
void cr_s3_object_path(cr_writer_t *w, cr_slice_t bucket, cr_slice_t key);


/*
 * The answer in buf, CR_AGAIN while it is not whole; eof: no more comes.  A
 * body in chunks is put together in place.
 */
cr_status_e cr_s3_http_parse(uint8_t *buf, size_t len, bool eof,
    unsigned *status, cr_slice_t *body);


#endif /* CR_S3_HEAD_H */
