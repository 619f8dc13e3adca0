
/*
 * Copyright (C) The call recorder authors
 *
 * How a file is cut into the parts of a multipart upload, and what to do
 * about an answer that is not the wanted one.
 */

#ifndef CR_S3_PLAN_H
#define CR_S3_PLAN_H


#include "base/env.h"
#include "s3/answer.h"

#include <stdbool.h>
#include <stdint.h>


#define CR_S3_PART_SIZE_MIN   5242880ULL         /* all but the last part */
#define CR_S3_PART_SIZE_MAX   5368709120ULL
#define CR_S3_PLAN_STEP       2000               /* parts of one size */


/*
 * Part n is a fixed range of the file, so its number follows from its offset
 * and the other way round.  All parts have `size`, or, if `grows`, the first
 * CR_S3_PLAN_STEP have it, the next twice as much and so on: with 8 MiB
 * 10,000 parts hold 78 GiB or 484 GiB.  (R2 wants parts of one size.)
 */
typedef struct {
    uint64_t  size;
    bool      grows;
} cr_s3_plan_t;


/* A plan for a file of about this size, at least `least` bytes a part. */
cr_s3_plan_t cr_s3_plan(uint64_t expected, uint64_t least, bool grows);

/* The most bytes that the plan has parts for. */
uint64_t cr_s3_plan_max(const cr_s3_plan_t *plan);

/* Part n (from 1 on): where it begins, how long it is unless the last. */
void cr_s3_plan_part(const cr_s3_plan_t *plan, uint32_t n, uint64_t *offset,
    uint64_t *size);

/* The part that has this byte; more than CR_S3_PART_NUMBER_MAX: none. */
uint32_t cr_s3_plan_find(const cr_s3_plan_t *plan, uint64_t offset);


typedef enum {
    CR_S3_RETRY_GOOD = 0,       /* 2xx without an error */
    CR_S3_RETRY_LATER,          /* the network, the store's troubles */
    CR_S3_RETRY_SLOWER,         /* we ask too much of it */
    CR_S3_RETRY_SKEW,           /* the clocks differ too much */
    CR_S3_RETRY_RENEW,          /* the credentials have expired */
    CR_S3_RETRY_GONE,           /* no such upload (any more) */
    CR_S3_RETRY_PARTS,          /* the store has not the parts we name */
    CR_S3_RETRY_MISSING,        /* no such object (yet) */
    CR_S3_RETRY_NEVER           /* it would be the same again */
} cr_s3_retry_e;


/* status 0: no answer.  code: of the <Error>, "" if there is none. */
cr_s3_retry_e cr_s3_retry(unsigned status, const char *code);

/*
 * Microseconds to wait before try n (from 1 on): anything from nothing to
 * base * 2^(n - 1), at most `most` ("full jitter"), but not less than
 * retry_after seconds.
 */
int64_t cr_s3_backoff(const cr_env_t *env, unsigned n, int64_t base,
    int64_t most, unsigned retry_after);


#endif /* CR_S3_PLAN_H */
