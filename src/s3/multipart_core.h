
/*
 * Copyright (C) The call recorder authors
 *
 * What the two halves of a multipart upload share: what to do next, and what
 * came of it.
 */

#ifndef CR_S3_MULTIPART_CORE_H
#define CR_S3_MULTIPART_CORE_H


#include "s3/multipart.h"


typedef enum {
    CR_S3_PART_AWAITED = 0,          /* its bytes are not here yet */
    CR_S3_PART_READY,
    CR_S3_PART_FLIGHT,
    CR_S3_PART_STORED
} cr_s3_part_e;


typedef struct {
    cr_s3_part_e  state;
    bool          here;              /* its bytes are */
    bool          has_md5;
    uint8_t       md5[16];
    unsigned      tries;
    int64_t       not_before;
} cr_s3_entry_t;


struct cr_s3_multipart_s {
    const cr_env_t       *env;
    cr_s3_upload_conf_t   conf;

    cr_s3_end_e           end;
    cr_s3_do_e            phase;     /* what comes next */
    char                  error[64];
    char                  id[CR_S3_UPLOAD_ID_MAX + 1];
    char                  etag[CR_S3_ETAG_MAX + 1];  /* that COMPLETE gave */
    uint32_t              epoch;
    unsigned              restarts;

    cr_s3_entry_t        *entries;
    cr_s3_part_t         *parts;
    uint32_t              room;
    uint32_t              known;     /* the highest number with an entry */
    uint32_t              total;     /* 0: not known yet */
    uint64_t              size;

    bool                  control;   /* one that is no PART is in flight */
    unsigned              tries;     /* of it */
    int64_t               not_before;
    uint32_t              marker;    /* of LIST */

    unsigned              in_flight;
    unsigned              limit;
    unsigned              slow;      /* answers SLOWER in a row */
    int64_t               hold;      /* nothing before it */
    bool                  renew;
    bool                  renewing;
    bool                  unknown;   /* whether COMPLETE has been done */
    bool                  abort;
    int64_t               skew;

    unsigned              retries;
    uint64_t              sent;
};


/* How long part n is, and where it begins; the last is the rest. */
uint64_t cr_s3_part_bytes(const cr_s3_multipart_t *u, uint32_t n,
    uint64_t *offset);

void cr_s3_fail(cr_s3_multipart_t *u, const char *why);

/* Of an ETag that is one, with quotes or without. */
bool cr_s3_md5(const char *etag, uint8_t md5[16]);


#endif /* CR_S3_MULTIPART_CORE_H */
