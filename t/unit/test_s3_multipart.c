
/*
 * Copyright (C) The call recorder authors
 *
 * Multipart uploads to a store that is made up: it loses requests and
 * answers, slows down, forgets uploads, answers with errors.  What it has at
 * the end must be the file.
 */


#include "s3/multipart.h"

#include "s3_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>


#define SEC  1000000LL


static cr_s3_multipart_t  *u;


static unsigned
dice(unsigned n)
{
    return (unsigned) (test_env_next(&env) % n);
}


static void
setup(uint64_t seed, uint32_t parts, unsigned fault_in)
{
    test_env_init(&env, seed);
    memset(&sim, 0, sizeof(sim));
    memset(&conf, 0, sizeof(conf));

    conf.plan = cr_s3_plan(0, 8 * MIB, false);
    conf.parallel = 4;
    conf.deadline = 100000 * SEC;
    conf.backoff = SEC / 4;
    conf.backoff_max = 20 * SEC;
    conf.check_etag = true;

    sim.fault_in = fault_in;
    sim.size = (parts - 1) * 8 * MIB + 12345;

    u = cr_s3_multipart_create(&env.env, &conf, NULL);
    assert_non_null(u);
}


/* As the mix hands it over: the front of the file comes last. */

static void
ready_all(void)
{
    uint8_t   md5[16];
    uint32_t  n;

    for (n = 2; n <= total(); n++) {
        content(n, md5);
        assert_int_equal(cr_s3_multipart_ready(u, n, md5), CR_OK);
    }

    content(1, md5);
    assert_int_equal(cr_s3_multipart_ready(u, 1, md5), CR_OK);
    assert_int_equal(cr_s3_multipart_end(u, sim.size), CR_OK);
}


static void
store_part(const cr_s3_action_t *a, cr_s3_result_t *r, fault_e fault,
    char *etag)
{
    uint8_t  md5[16];

    sim.arrived += a->size;

    if (!sim.upload) {
        r->status = 404;
        r->code = "NoSuchUpload";
        return;
    }

    assert_int_equal(a->size, bytes(a->number));

    content(a->number, md5);
    md5[0] ^= (fault == FAULT_ETAG);

    sim.have[a->number] = a->size;
    memcpy(sim.md5[a->number], md5, 16);
    quoted(etag, md5, 0);
    r->etag = etag;
}


static void
store_list(const cr_s3_action_t *a, cr_s3_result_t *r)
{
    uint32_t      n, given;
    cr_s3_part_t  part;

    if (!sim.upload) {
        r->status = 404;
        r->code = "NoSuchUpload";
        return;
    }

    /* pages of 7 */

    for (given = 0, n = a->number + 1; n <= PARTS; n++) {

        if (sim.have[n] == 0) {
            continue;
        }

        if (given++ == 7) {
            r->truncated = true;
            return;
        }

        part.number = n;
        part.size = sim.have[n];
        quoted(part.etag, sim.md5[n], 0);
        assert_int_equal(cr_s3_multipart_listed(u, &part), CR_OK);
        r->next = n;
    }
}


static void
store_complete(cr_s3_result_t *r)
{
    static char  bare[64];

    uint8_t              md5[16];
    uint32_t             i, n;
    const cr_s3_part_t  *parts;
    char                 etag[64];

    if (!sim.upload) {
        r->status = 404;
        r->code = "NoSuchUpload";
        return;
    }

    parts = cr_s3_multipart_parts(u, &n);
    assert_int_equal(n, total());

    for (i = 1; i <= n; i++) {
        assert_int_equal(parts[i - 1].number, i);
        quoted(etag, sim.md5[i], 0);

        if (sim.have[i] == 0 || strcmp(etag, parts[i - 1].etag) != 0) {
            r->status = 400;
            r->code = "InvalidPart";
            return;
        }

        content(i, md5);
        assert_memory_equal(md5, sim.md5[i], 16);
    }

    sim.object = true;
    sim.object_size = sim.size;
    composite(sim.object_etag);
    sim.upload = false;
    memset(sim.have, 0, sizeof(sim.have));

    /* radosgw says it with quotes, without, or not at all */

    switch (dice(3)) {

    case 0:
        r->etag = sim.object_etag;
        break;

    case 1:
        snprintf(bare, sizeof(bare), "%.*s",
                 (int) strlen(sim.object_etag) - 2, sim.object_etag + 1);
        r->etag = bare;
        break;

    default:
        r->etag = "";
    }
}


static void
answer(const cr_s3_action_t *a)
{
    char            etag[64];
    fault_e         fault;
    cr_s3_result_t  r = { 0 };

    fault = FAULT_NONE;

    if (sim.fault_in != 0 && dice(sim.fault_in) == 0) {
        fault = sim.only != 0 ? sim.only : dice(FAULT_GONE);
    }

    r.status = 200;
    r.code = "";
    r.wall = 1700000000;

    if (a->what == CR_S3_DO_RENEW) {
        sim.expired = false;
        cr_s3_multipart_result(u, sim.now, a, &r);
        return;
    }

    if (fault != FAULT_NONE) {
        sim.faults++;
    }

    if (sim.expired) {
        r.status = 400;
        r.code = "ExpiredToken";
        fault = FAULT_500;

    } else if (cr_s3_multipart_skew(u) != sim.clock_off) {
        r.status = 403;
        r.code = "RequestTimeTooSkewed";
        r.date = r.wall + sim.clock_off;
        fault = FAULT_500;

    } else if (fault == FAULT_LOST) {
        r.status = 0;

    } else if (fault == FAULT_500) {
        r.status = 500;
        r.code = dice(2) ? "InternalError" : "";

    } else if (fault == FAULT_SLOW) {
        r.status = 503;
        r.code = dice(2) ? "SlowDown" : "";
        r.retry_after = dice(3);

    } else if (fault == FAULT_200 && a->what == CR_S3_DO_COMPLETE) {
        r.code = "InternalError";

    } else {
        if (fault == FAULT_GONE) {
            sim.upload = false;
            memset(sim.have, 0, sizeof(sim.have));
        }

        switch (a->what) {

        case CR_S3_DO_CREATE:
            sim.upload = true;
            memset(sim.have, 0, sizeof(sim.have));
            sprintf(sim.id, "id%u", ++sim.uploads);
            r.upload_id = sim.id;
            break;

        case CR_S3_DO_LIST:
            store_list(a, &r);
            break;

        case CR_S3_DO_PART:
            store_part(a, &r, fault, etag);
            break;

        case CR_S3_DO_COMPLETE:
            store_complete(&r);
            break;

        case CR_S3_DO_HEAD:

            if (sim.object) {
                r.size = sim.object_size;
                r.etag = sim.object_etag;

            } else {
                r.status = 404;
            }

            break;

        default: /* CR_S3_DO_ABORT */
            r.status = sim.upload ? 204 : 404;
            sim.upload = false;
        }

        if (fault == FAULT_MUTE) {
            memset(&r, 0, sizeof(r));
            r.code = "";
        }
    }

    cr_s3_multipart_result(u, sim.now, a, &r);
}


/* One step of time; false: it is over. */

static bool
step(void)
{
    int64_t         at;
    unsigned        i, k, parts;
    pending_t       p;
    cr_status_e     rc;
    cr_s3_action_t  action;

    for ( ;; ) {

        rc = cr_s3_multipart_next(u, sim.now, &action, &at);

        if (rc != CR_OK) {
            break;
        }

        assert_true(sim.queued < QUEUE);
        sim.queue[sim.queued].action = action;
        sim.queue[sim.queued].at = sim.now + SEC / 10 + dice(2000000);
        sim.queued++;

        for (parts = 0, i = 0; i < sim.queued; i++) {
            parts += (sim.queue[i].action.what == CR_S3_DO_PART);
        }

        sim.most = parts > sim.most ? parts : sim.most;
    }

    if (sim.queued == 0) {
        if (rc == CR_DECLINED) {
            return false;
        }

        assert_true(at > sim.now);
        sim.now = at;
        return true;
    }

    for (k = 0, i = 1; i < sim.queued; i++) {
        k = sim.queue[i].at < sim.queue[k].at ? i : k;
    }

    if (rc == CR_AGAIN && at < sim.queue[k].at) {
        sim.now = at > sim.now ? at : sim.now;
    }

    p = sim.queue[k];
    sim.queue[k] = sim.queue[--sim.queued];
    sim.now = p.at > sim.now ? p.at : sim.now;
    answer(&p.action);

    return true;
}


static void
run(void)
{
    unsigned  n;

    for (n = 0; step(); n++) {
        assert_true(n < 100000);
    }
}


static void
done(void)
{
    char              etag[64];
    cr_s3_progress_t  progress;

    if (cr_s3_multipart_state(u) != CR_S3_DONE) {
        print_error("%s\n", cr_s3_multipart_error(u));
    }

    assert_int_equal(cr_s3_multipart_state(u), CR_S3_DONE);
    assert_true(sim.object);
    assert_int_equal(sim.object_size, sim.size);
    composite(etag);
    assert_string_equal(sim.object_etag, etag);
    assert_true(sim.most <= conf.parallel);

    cr_s3_multipart_progress(u, &progress);
    assert_int_equal(progress.in_flight, 0);

    cr_s3_multipart_free(u);
    assert_int_equal(env.live, 0);
}


static void
an_upload_without_trouble_sends_everything_once(void **state)
{
    cr_s3_progress_t  progress;

    (void) state;

    setup(1, PARTS, 0);
    ready_all();
    run();

    cr_s3_multipart_progress(u, &progress);
    assert_int_equal(progress.sent, sim.size);
    assert_int_equal(progress.bytes, sim.size);
    assert_int_equal(progress.parts, PARTS);
    assert_int_equal(progress.retries, 0);
    assert_int_equal(sim.most, 4);
    done();

    /* a file of less than a part */

    setup(1, 1, 0);
    ready_all();
    run();
    done();
}


static void
nothing_is_begun_before_there_are_bytes(void **state)
{
    int64_t         at;
    uint8_t         md5[16];
    cr_s3_action_t  action;

    (void) state;

    setup(1, 3, 0);
    assert_int_equal(cr_s3_multipart_next(u, 0, &action, &at), CR_AGAIN);
    assert_true(at == conf.deadline);

    /* parts go while the file grows, but it is not completed */

    content(2, md5);
    assert_int_equal(cr_s3_multipart_ready(u, 2, md5), CR_OK);

    while (!sim.have[2] || sim.queued) {
        assert_true(step());
    }

    assert_int_equal(cr_s3_multipart_next(u, sim.now, &action, &at),
                     CR_AGAIN);
    assert_string_equal(cr_s3_multipart_id(u), "id1");

    ready_all();
    run();
    assert_int_equal(sim.arrived, sim.size);
    done();
}


static void
a_thousand_uploads_with_faults_are_right(void **state)
{
    uint64_t  seed;
    unsigned  faults;

    (void) state;

    for (faults = 0, seed = 1; seed <= 1000; seed++) {
        setup(seed, 1 + seed % PARTS, 3 + seed % 20);
        sim.only = dice(FAULT_GONE);
        ready_all();
        run();
        faults += sim.faults;
        done();
    }

    assert_true(faults > 1000);
}


static void
an_upload_that_vanishes_is_begun_anew(void **state)
{
    uint64_t  seed;
    unsigned  good;

    (void) state;

    for (good = 0, seed = 1; seed <= 200; seed++) {
        setup(seed, 10, 40);
        sim.only = FAULT_GONE;
        ready_all();
        run();

        if (cr_s3_multipart_state(u) == CR_S3_DONE) {
            good++;
            done();
            continue;
        }

        assert_int_equal(cr_s3_multipart_state(u), CR_S3_FAILED);
        assert_true(sim.faults > 3);
        cr_s3_multipart_free(u);
    }

    assert_true(good > 150);
}


static void
a_restart_sends_no_part_twice_but_those_in_flight(void **state)
{
    uint64_t  seed, twice;
    unsigned  n, flight, i;

    (void) state;

    for (seed = 1; seed <= 300; seed++) {
        setup(seed, PARTS, 0);
        ready_all();

        for (n = dice(60); n > 0 && step(); n--) {
            /* void */
        }

        /* kill -9: what was in flight may have arrived or not */

        flight = 0;

        for (i = 0; i < sim.queued; i++) {
            flight += (sim.queue[i].action.what == CR_S3_DO_PART);

            if (dice(2)) {
                answer(&sim.queue[i].action);
            }
        }

        sim.queued = 0;

        {
            char  id[CR_S3_UPLOAD_ID_MAX + 1];

            strcpy(id, cr_s3_multipart_id(u));
            cr_s3_multipart_free(u);
            u = cr_s3_multipart_create(&env.env, &conf, id);
            assert_non_null(u);
        }

        ready_all();
        run();

        twice = sim.arrived - sim.size;
        assert_true(sim.arrived >= sim.size);
        assert_true(twice <= flight * conf.plan.size);
        done();
    }
}


static void
credentials_and_clocks_are_put_right(void **state)
{
    (void) state;

    setup(7, 12, 0);
    sim.expired = true;
    sim.clock_off = -1200;
    ready_all();
    run();
    assert_false(sim.expired);
    assert_int_equal(cr_s3_multipart_skew(u), -1200);
    assert_int_equal(sim.arrived, sim.size);
    done();
}


static void
what_cannot_succeed_fails_with_its_code(void **state)
{
    int64_t         at;
    cr_s3_action_t  action;
    cr_s3_result_t  r = { 0 };

    (void) state;

    setup(1, 3, 0);
    ready_all();
    assert_int_equal(cr_s3_multipart_next(u, 0, &action, &at), CR_OK);
    assert_int_equal(action.what, CR_S3_DO_CREATE);

    r.status = 403;
    r.code = "AccessDenied";
    cr_s3_multipart_result(u, 0, &action, &r);
    assert_int_equal(cr_s3_multipart_next(u, 0, &action, &at), CR_DECLINED);
    assert_int_equal(cr_s3_multipart_state(u), CR_S3_FAILED);
    assert_string_equal(cr_s3_multipart_error(u), "AccessDenied");
    cr_s3_multipart_free(u);

    /* nobody answers, ever */

    setup(1, 3, 1);
    sim.only = FAULT_LOST;
    ready_all();
    run();
    assert_int_equal(cr_s3_multipart_state(u), CR_S3_FAILED);
    assert_string_equal(cr_s3_multipart_error(u), "deadline");
    assert_true(sim.now >= conf.deadline);
    cr_s3_multipart_free(u);
}


static void
another_object_is_not_taken_for_ours(void **state)
{
    (void) state;

    /* it is replaced between COMPLETE and HEAD */

    setup(1, 3, 0);
    ready_all();

    while (!sim.object) {
        assert_true(step());
    }

    sim.object_etag[1] ^= 1;
    run();
    assert_int_equal(cr_s3_multipart_state(u), CR_S3_FAILED);
    assert_string_equal(cr_s3_multipart_error(u), "mismatch");
    cr_s3_multipart_free(u);

    /* an older one of the same size, when the upload has vanished */

    setup(1, 3, 0);
    sim.object = true;
    sim.object_size = sim.size;
    strcpy(sim.object_etag, "\"old\"");
    cr_s3_multipart_free(u);
    u = cr_s3_multipart_create(&env.env, &conf, "no such upload");
    ready_all();
    run();
    assert_int_equal(sim.arrived, sim.size);
    done();
}


static void
an_upload_can_be_aborted_at_any_time(void **state)
{
    uint64_t  seed;
    unsigned  n;

    (void) state;

    for (seed = 1; seed <= 100; seed++) {
        setup(seed, 10, 10);
        sim.only = FAULT_LOST;
        ready_all();

        for (n = dice(10); n > 0 && step(); n--) {
            /* void */
        }

        if (sim.object) {
            cr_s3_multipart_free(u);
            continue;
        }

        cr_s3_multipart_abort(u);
        run();
        assert_int_equal(cr_s3_multipart_state(u), CR_S3_ABORTED);
        assert_false(sim.upload);
        cr_s3_multipart_free(u);
        assert_int_equal(env.live, 0);
    }
}


static void
memory_that_runs_out_is_told(void **state)
{
    long     n;
    uint8_t  md5[16];

    (void) state;

    for (n = 1; n <= 4; n++) {
        test_env_init(&env, 1);
        env.fail_at = n;
        u = cr_s3_multipart_create(&env.env, &conf, NULL);

        if (u == NULL) {
            assert_int_equal(n, 1);
            continue;
        }

        content(1, md5);
        assert_int_equal(cr_s3_multipart_ready(u, 1, md5),
                         n < 4 ? CR_NOMEM : CR_OK);
        cr_s3_multipart_free(u);
        assert_int_equal(env.live, 0);
    }
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_upload_without_trouble_sends_everything_once),
        cmocka_unit_test(nothing_is_begun_before_there_are_bytes),
        cmocka_unit_test(a_thousand_uploads_with_faults_are_right),
        cmocka_unit_test(an_upload_that_vanishes_is_begun_anew),
        cmocka_unit_test(a_restart_sends_no_part_twice_but_those_in_flight),
        cmocka_unit_test(credentials_and_clocks_are_put_right),
        cmocka_unit_test(what_cannot_succeed_fails_with_its_code),
        cmocka_unit_test(another_object_is_not_taken_for_ours),
        cmocka_unit_test(an_upload_can_be_aborted_at_any_time),
        cmocka_unit_test(memory_that_runs_out_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
