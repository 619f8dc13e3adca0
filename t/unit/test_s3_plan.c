
/*
 * Copyright (C) The call recorder authors
 *
 * How files are cut into parts, how long to wait, what answers mean.
 */


#include "s3/plan.h"

#include "env.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>


#define MIB  1048576ULL
#define SEC  1000000LL


static test_env_t  env;


static void
plans_have_room(void **state)
{
    uint32_t      n;
    uint64_t      at, next, size;
    cr_s3_plan_t  plan;

    (void) state;

    plan = cr_s3_plan(0, 0, false);
    assert_int_equal(plan.size, CR_S3_PART_SIZE_MIN);

    plan = cr_s3_plan(1ULL << 40, 8 * MIB, false);
    assert_true(cr_s3_plan_max(&plan) >= 2ULL << 40);
    assert_int_equal(plan.size % MIB, 0);

    plan = cr_s3_plan(0, 8 * MIB, true);
    assert_true(cr_s3_plan_max(&plan) >= 480ULL << 30);

    for (next = 0, n = 1; n <= CR_S3_PART_NUMBER_MAX; n++) {
        cr_s3_plan_part(&plan, n, &at, &size);
        assert_int_equal(at, next);
        assert_int_equal(cr_s3_plan_find(&plan, at), n);
        assert_int_equal(cr_s3_plan_find(&plan, at + size - 1), n);
        next = at + size;
    }

    assert_int_equal(next, cr_s3_plan_max(&plan));
    assert_true(cr_s3_plan_find(&plan, next) > CR_S3_PART_NUMBER_MAX);

    plan = cr_s3_plan(UINT64_MAX, 0, true);
    assert_int_equal(plan.size, CR_S3_PART_SIZE_MAX);
}


static void
waiting_is_random_and_bounded(void **state)
{
    int      i;
    int64_t  delay, most;

    (void) state;

    test_env_init(&env, 1);

    for (most = 0, i = 0; i < 1000; i++) {
        delay = cr_s3_backoff(&env.env, 3, SEC, 60 * SEC, 0);
        assert_in_range(delay, 0, 4 * SEC);
        most = delay > most ? delay : most;
        assert_in_range(cr_s3_backoff(&env.env, 60, SEC, 60 * SEC, 0), 0,
                        60 * SEC);
        assert_in_range(cr_s3_backoff(&env.env, 1, SEC, 60 * SEC, 7), 7 * SEC,
                        8 * SEC);
    }

    assert_true(most > 3 * SEC);
}


static void
answers_mean_what_is_to_be_done(void **state)
{
    (void) state;

    assert_int_equal(cr_s3_retry(200, ""), CR_S3_RETRY_GOOD);
    assert_int_equal(cr_s3_retry(204, ""), CR_S3_RETRY_GOOD);
    assert_int_equal(cr_s3_retry(200, "InternalError"), CR_S3_RETRY_LATER);
    assert_int_equal(cr_s3_retry(200, "AccessDenied"), CR_S3_RETRY_NEVER);
    assert_int_equal(cr_s3_retry(0, ""), CR_S3_RETRY_LATER);
    assert_int_equal(cr_s3_retry(500, ""), CR_S3_RETRY_LATER);
    assert_int_equal(cr_s3_retry(507, ""), CR_S3_RETRY_LATER);
    assert_int_equal(cr_s3_retry(503, ""), CR_S3_RETRY_SLOWER);
    assert_int_equal(cr_s3_retry(429, "whatever"), CR_S3_RETRY_SLOWER);
    assert_int_equal(cr_s3_retry(503, "SlowDown"), CR_S3_RETRY_SLOWER);
    assert_int_equal(cr_s3_retry(403, "RequestTimeTooSkewed"),
                     CR_S3_RETRY_SKEW);
    assert_int_equal(cr_s3_retry(400, "ExpiredToken"), CR_S3_RETRY_RENEW);
    assert_int_equal(cr_s3_retry(404, "NoSuchUpload"), CR_S3_RETRY_GONE);
    assert_int_equal(cr_s3_retry(400, "InvalidPart"), CR_S3_RETRY_PARTS);
    assert_int_equal(cr_s3_retry(404, ""), CR_S3_RETRY_MISSING);
    assert_int_equal(cr_s3_retry(404, "NoSuchBucket"), CR_S3_RETRY_NEVER);
    assert_int_equal(cr_s3_retry(403, "AccessDenied"), CR_S3_RETRY_NEVER);
    assert_int_equal(cr_s3_retry(400, "EntityTooSmall"), CR_S3_RETRY_NEVER);
    assert_int_equal(cr_s3_retry(301, "PermanentRedirect"),
                     CR_S3_RETRY_NEVER);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans_have_room),
        cmocka_unit_test(waiting_is_random_and_bounded),
        cmocka_unit_test(answers_mean_what_is_to_be_done),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
