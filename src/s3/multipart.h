
/*
 * Copyright (C) The call recorder authors
 *
 * A multipart upload as a state machine: it says which request to send next,
 * and is told what came of it.
 *
 *     create -> parts, several in flight -> complete -> head -> done
 *        |        ^
 *     resume: list
 *
 * (docs/s3-upload.md.)  All times are microseconds of a monotonic clock.
 */

#ifndef CR_S3_MULTIPART_H
#define CR_S3_MULTIPART_H


#include "base/env.h"
#include "base/status.h"
#include "s3/answer.h"
#include "s3/plan.h"


typedef struct cr_s3_multipart_s  cr_s3_multipart_t;


typedef struct {
    cr_s3_plan_t  plan;
    unsigned      parallel;       /* parts in flight, at least 1 */
    int64_t       deadline;       /* when it fails if it is not done */
    int64_t       backoff;        /* of the first try after a failure */
    int64_t       backoff_max;
    bool          check_etag;     /* ETags of parts are MD5s (no SSE-KMS) */
} cr_s3_upload_conf_t;


typedef enum {
    CR_S3_DO_CREATE = 1,          /* POST ?uploads */
    CR_S3_DO_LIST,                /* GET ?uploadId, part-number-marker */
    CR_S3_DO_PART,                /* PUT ?partNumber&uploadId */
    CR_S3_DO_COMPLETE,            /* POST ?uploadId */
    CR_S3_DO_HEAD,                /* HEAD of the object */
    CR_S3_DO_ABORT,               /* DELETE ?uploadId */
    CR_S3_DO_RENEW                /* new credentials; no request */
} cr_s3_do_e;


typedef struct {
    cr_s3_do_e   what;
    uint32_t     number;          /* PART; LIST: the marker */
    uint64_t     offset;          /* PART, of the file */
    uint64_t     size;
    uint32_t     epoch;           /* of the upload; ours */
} cr_s3_action_t;


typedef struct {
    unsigned     status;          /* of HTTP; 0: no (whole) answer */
    const char  *code;            /* of <Error>, "" none */
    unsigned     retry_after;     /* s, 0: not said */
    int64_t      date;            /* Date, s since 1970, 0: not said */
    int64_t      wall;            /* our clock then, s since 1970 */
    const char  *upload_id;       /* CREATE */
    const char  *etag;            /* PART, COMPLETE, HEAD; with quotes */
    uint64_t     size;            /* HEAD */
    bool         truncated;       /* LIST: another page, after `next` */
    uint32_t     next;
} cr_s3_result_t;


typedef enum {
    CR_S3_RUNNING = 0,
    CR_S3_DONE,                   /* the object is there, and the right one */
    CR_S3_FAILED,                 /* see cr_s3_multipart_error() */
    CR_S3_ABORTED
} cr_s3_end_e;


typedef struct {
    uint32_t  parts;              /* stored */
    uint64_t  bytes;              /* of them */
    uint64_t  sent;               /* of all tries, good or not */
    unsigned  in_flight;
    unsigned  retries;
} cr_s3_progress_t;


/* upload_id: of an upload to be resumed, else NULL.  NULL: no memory. */
cr_s3_multipart_t *cr_s3_multipart_create(const cr_env_t *env,
    const cr_s3_upload_conf_t *conf, const char *upload_id);
void cr_s3_multipart_free(cr_s3_multipart_t *u);

/*
 * The bytes of part n are here, all of them, and stay until the end; md5 may
 * be NULL.  CR_LIMIT: no such part.
 */
cr_status_e cr_s3_multipart_ready(cr_s3_multipart_t *u, uint32_t n,
    const uint8_t md5[16]);

/* The file has this size; its parts may still become ready. */
cr_status_e cr_s3_multipart_end(cr_s3_multipart_t *u, uint64_t size);

/*
 * CR_OK: do this now and call again; CR_AGAIN: nothing before *at (INT64_MAX:
 * before something else is called); CR_DECLINED: it is over.
 */
cr_status_e cr_s3_multipart_next(cr_s3_multipart_t *u, int64_t now,
    cr_s3_action_t *action, int64_t *at);

/* LIST: each part of the page, before its result. */
cr_status_e cr_s3_multipart_listed(cr_s3_multipart_t *u,
    const cr_s3_part_t *part);

/* What came of an action that next() gave. */
void cr_s3_multipart_result(cr_s3_multipart_t *u, int64_t now,
    const cr_s3_action_t *action, const cr_s3_result_t *result);

/* Another deadline than that of conf. */
void cr_s3_multipart_deadline(cr_s3_multipart_t *u, int64_t deadline);

/* Of part n, NULL: was not told. */
const uint8_t *cr_s3_multipart_md5(const cr_s3_multipart_t *u, uint32_t n);

/* Not wanted any more: what is in flight is waited for, then aborted. */
void cr_s3_multipart_abort(cr_s3_multipart_t *u);

cr_s3_end_e cr_s3_multipart_state(const cr_s3_multipart_t *u);

/* Of CR_S3_FAILED: S3's code, or "deadline", "mismatch", "memory". */
const char *cr_s3_multipart_error(const cr_s3_multipart_t *u);

/* "" before it is known.  To be kept: it is what a restart resumes by. */
const char *cr_s3_multipart_id(const cr_s3_multipart_t *u);

/* Seconds to be added to our clock in signatures. */
int64_t cr_s3_multipart_skew(const cr_s3_multipart_t *u);

/* For the body of COMPLETE: all parts in order. */
const cr_s3_part_t *cr_s3_multipart_parts(const cr_s3_multipart_t *u,
    uint32_t *n);

void cr_s3_multipart_progress(const cr_s3_multipart_t *u,
    cr_s3_progress_t *progress);


#endif /* CR_S3_MULTIPART_H */
