
/*
 * Copyright (C) The call recorder authors
 */

#include "s3/plan.h"

#include <string.h>


#define CR_S3_PART_ROUND   1048576ULL        /* part sizes are whole MiB */
#define CR_S3_RETRY_AFTER  3600              /* s; we wait no longer */


static uint64_t cr_s3_plan_size(const cr_s3_plan_t *plan, uint32_t step);


cr_s3_plan_t
cr_s3_plan(uint64_t expected, uint64_t least, bool grows)
{
    uint64_t      size;
    cr_s3_plan_t  plan;

    plan.grows = grows;

    /* half of the parts are kept for what was not expected */

    size = expected / (CR_S3_PART_NUMBER_MAX / 2);

    size = (size > least) ? size : least;
    size = (size > CR_S3_PART_SIZE_MIN) ? size : CR_S3_PART_SIZE_MIN;
    size = (size + CR_S3_PART_ROUND - 1) / CR_S3_PART_ROUND
           * CR_S3_PART_ROUND;

    plan.size = (size < CR_S3_PART_SIZE_MAX) ? size : CR_S3_PART_SIZE_MAX;

    return plan;
}


uint64_t
cr_s3_plan_max(const cr_s3_plan_t *plan)
{
    uint64_t  offset, size;

    cr_s3_plan_part(plan, CR_S3_PART_NUMBER_MAX, &offset, &size);

    return offset + size;
}


void
cr_s3_plan_part(const cr_s3_plan_t *plan, uint32_t n, uint64_t *offset,
    uint64_t *size)
{
    uint32_t  step;

    *offset = 0;
    n--;

    for (step = 0; n >= CR_S3_PLAN_STEP; step++) {
        *offset += CR_S3_PLAN_STEP * cr_s3_plan_size(plan, step);
        n -= CR_S3_PLAN_STEP;
    }

    *size = cr_s3_plan_size(plan, step);
    *offset += n * *size;
}


uint32_t
cr_s3_plan_find(const cr_s3_plan_t *plan, uint64_t offset)
{
    uint32_t  n, step;
    uint64_t  size;

    n = 1;

    for (step = 0; n <= CR_S3_PART_NUMBER_MAX; step++) {

        size = cr_s3_plan_size(plan, step);

        if (offset < CR_S3_PLAN_STEP * size) {
            return n + (uint32_t) (offset / size);
        }

        offset -= CR_S3_PLAN_STEP * size;
        n += CR_S3_PLAN_STEP;
    }

    return n;
}


static uint64_t
cr_s3_plan_size(const cr_s3_plan_t *plan, uint32_t step)
{
    uint64_t  size;

    size = plan->grows ? plan->size << step : plan->size;

    return (size < CR_S3_PART_SIZE_MAX) ? size : CR_S3_PART_SIZE_MAX;
}


cr_s3_retry_e
cr_s3_retry(unsigned status, const char *code)
{
    size_t  i;

    /* "Error responses" of the S3 API reference; radosgw's and Swift's */
    static const struct {
        const char     *code;
        cr_s3_retry_e   retry;
    } codes[] = {
        { "SlowDown", CR_S3_RETRY_SLOWER },
        { "Throttling", CR_S3_RETRY_SLOWER },
        { "TooManyRequests", CR_S3_RETRY_SLOWER },
        { "ServiceUnavailable", CR_S3_RETRY_SLOWER },
        { "InternalError", CR_S3_RETRY_LATER },
        { "OperationAborted", CR_S3_RETRY_LATER },
        { "RequestTimeout", CR_S3_RETRY_LATER },
        { "IncompleteBody", CR_S3_RETRY_LATER },
        { "BadDigest", CR_S3_RETRY_LATER },
        { "XAmzContentSHA256Mismatch", CR_S3_RETRY_LATER },
        { "RequestTimeTooSkewed", CR_S3_RETRY_SKEW },
        { "RequestExpired", CR_S3_RETRY_SKEW },
        { "ExpiredToken", CR_S3_RETRY_RENEW },
        { "TokenRefreshRequired", CR_S3_RETRY_RENEW },
        { "InvalidToken", CR_S3_RETRY_RENEW },
        { "NoSuchUpload", CR_S3_RETRY_GONE },
        { "InvalidPart", CR_S3_RETRY_PARTS },
        { "InvalidPartOrder", CR_S3_RETRY_PARTS },
        { "NoSuchKey", CR_S3_RETRY_MISSING },
    };

    for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (strcmp(code, codes[i].code) == 0) {
            return codes[i].retry;
        }
    }

    if (status >= 200 && status < 300) {
        return code[0] == '\0' ? CR_S3_RETRY_GOOD : CR_S3_RETRY_NEVER;
    }

    switch (status) {

    case 0:
    case 408:
    case 500:
    case 502:
    case 504:
        return CR_S3_RETRY_LATER;

    case 429:
    case 503:
        return CR_S3_RETRY_SLOWER;

    case 404:
        return code[0] == '\0' ? CR_S3_RETRY_MISSING : CR_S3_RETRY_NEVER;

    default:
        return status > 500 ? CR_S3_RETRY_LATER : CR_S3_RETRY_NEVER;
    }
}


int64_t
cr_s3_backoff(const cr_env_t *env, unsigned n, int64_t base, int64_t most,
    unsigned retry_after)
{
    int64_t   delay, least;
    uint64_t  chance;

    delay = most;

    if (n >= 1 && n <= 32 && base <= (most >> (n - 1))) {
        delay = base << (n - 1);
    }

    cr_random(env, (uint8_t *) &chance, sizeof(chance));
    delay = (int64_t) (chance % (uint64_t) (delay + 1));

    retry_after = retry_after < CR_S3_RETRY_AFTER ? retry_after
                                                  : CR_S3_RETRY_AFTER;
    least = (int64_t) retry_after * 1000000;

    return least + delay;
}
