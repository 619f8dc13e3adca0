
/*
 * Copyright (C) The call recorder authors
 */

#include "recording/recording.h"
#include "recording/request.h"
#include "env.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>


#define T0  1795373400123       /* 2026-11-22T18:50:00.123Z */


static cr_recording_t  rec;


static int
setup(void **state)
{
    cr_journal_start_t  start = {
        1, "rec_1", "room", "composite", "grid", "bob", 5000, T0, "key", "d"
    };

    (void) state;

    cr_recording_init(&rec, &start);

    return 0;
}


static cr_status_e
join(const char *participant, const char *session, int32_t worker,
    int64_t now_ms)
{
    cr_journal_join_t  j;

    memset(&j, 0, sizeof(j));
    strcpy(j.participant_id, participant);
    strcpy(j.session_id, session);
    strcpy(j.name, "Name");

    return cr_recording_join(&rec, &j, worker, now_ms);
}


static json_t *
status(void)
{
    char        *text;
    json_t      *json;
    test_env_t   t;

    test_env_init(&t, 1);
    text = cr_recording_status_json(&t.env, &rec);
    assert_non_null(text);

    json = json_loads(text, 0, NULL);
    assert_non_null(json);

    cr_free(&t.env, text);

    return json;
}


static const char *
string(json_t *json, const char *name)
{
    return json_string_value(json_object_get(json, name));
}


static json_int_t
integer(json_t *json, const char *name)
{
    assert_true(json_is_integer(json_object_get(json, name)));

    return json_integer_value(json_object_get(json, name));
}


static void
a_call_from_start_to_end(void **state)
{
    json_t                 *json, *item;
    cr_output_t             output;
    cr_recording_totals_t   totals = { 1000, 1100, 90, 10, 8, 2 };

    (void) state;

    assert_true(cr_recording_is_active(&rec));
    assert_int_equal(cr_recording_duration_ms(&rec), -1);

    assert_int_equal(join("alice", "s1", 10, 500), CR_OK);
    assert_int_equal(rec.status, CR_RECORDING_STARTING);

    cr_recording_first_media(&rec, 700, 800);
    assert_int_equal(rec.status, CR_RECORDING_RECORDING);

    assert_int_equal(join("bob", "s2", 11, 2000), CR_OK);
    cr_recording_first_media(&rec, 2100, 2200);
    assert_int_equal(rec.first_media_ms, 700);

    assert_int_equal(cr_recording_progress(&rec, "s1", 5000, &totals, 5100),
                     CR_OK);
    assert_int_equal(cr_recording_duration_ms(&rec), 4300);

    json = status();
    assert_string_equal(string(json, "status"), "recording");
    assert_string_equal(string(json, "createdAt"),
                        "2026-11-22T18:50:00.123Z");
    assert_string_equal(string(json, "firstMediaAt"),
                        "2026-11-22T18:50:00.823Z");
    assert_true(json_is_null(json_object_get(json, "stoppedAt")));
    assert_int_equal(integer(json, "sizeBytes"), 1000);
    item = json_object_get(json, "quality");
    assert_true(json_real_value(json_object_get(item, "lossPct")) > 10.8);
    assert_true(json_real_value(json_object_get(item, "recoveredPct"))
                == 80.0);
    json_decref(json);

    assert_int_equal(cr_recording_stop(&rec, "stopped", false, 10700),
                     CR_OK);
    assert_int_equal(cr_recording_stop(&rec, "idle", false, 10800),
                     CR_DECLINED);
    assert_int_equal(cr_recording_duration_ms(&rec), 10000);
    assert_int_equal(join("eve", "s3", 11, 10900), CR_DECLINED);

    assert_int_equal(cr_recording_leave(&rec, "s1", 10600, 10900), CR_OK);
    assert_int_equal(cr_recording_leave(&rec, "s1", 10600, 10900),
                     CR_DECLINED);
    assert_int_equal(cr_recording_leave(&rec, "s2", 10600, 10900), CR_OK);
    assert_int_equal(rec.nsessions, 0);
    assert_int_equal(rec.participants[0].leave_ms, 10900);

    assert_int_equal(cr_recording_transition(&rec, CR_RECORDING_PROCESSING,
                                             11000), CR_OK);
    rec.job.started_ms = 11000;
    cr_recording_job_progress(&rec, 5000, 600, 12000);

    json = status();
    item = json_object_get(json, "progress");
    assert_string_equal(string(item, "stage"), "mixing");
    assert_true(json_real_value(json_object_get(item, "pct")) == 49.5);
    assert_int_equal(integer(item, "etaMs"), 1000);
    assert_int_equal(integer(item, "bytesUploaded"), 600);
    json_decref(json);

    /* never back, never 100 before it is there */

    cr_recording_job_progress(&rec, 4000, 500, 12100);
    assert_int_equal(rec.pct, 4950);
    cr_recording_job_progress(&rec, 20000, 700, 13000);
    assert_int_equal(rec.pct, 9900);

    assert_int_equal(cr_recording_transition(&rec, CR_RECORDING_UPLOADING,
                                             13000), CR_OK);

    /* 1500 of 4711 bytes in a second, when the mix was handed in with 500 */

    rec.job.handed = true;
    rec.job.handed_ms = 13000;
    rec.job.handed_bytes = 500;
    cr_recording_upload_progress(&rec, 1500, 4711, 14000);

    json = status();
    item = json_object_get(json, "progress");
    assert_string_equal(string(item, "stage"), "uploading");
    assert_int_equal(integer(item, "bytesUploaded"), 1500);
    assert_int_equal(integer(item, "etaMs"), 3211);
    assert_int_equal(rec.pct, 9900 * 1500 / 4711);
    json_decref(json);

    cr_recording_upload_progress(&rec, 4711, 4711, 14000);
    assert_int_equal(rec.pct, 9900);

    memset(&output, 0, sizeof(output));
    strcpy(output.kind, "composite");
    strcpy(output.format, "mp4");
    strcpy(output.location, "outputs/composite.mp4");
    output.size_bytes = 4711;
    output.duration_ms = 10000;
    output.width = 1280;
    output.height = 720;
    assert_int_equal(cr_recording_output(&rec, &output, 13100), CR_OK);
    assert_int_equal(cr_recording_output(&rec, &output, 13100), CR_OK);
    assert_int_equal(rec.noutputs, 1);

    cr_recording_add_cpu(&rec, 2500, 13150);
    assert_int_equal(cr_recording_transition(&rec, CR_RECORDING_COMPLETED,
                                             13200), CR_OK);
    assert_true(cr_recording_is_ended(&rec));

    json = status();
    assert_string_equal(string(json, "status"), "completed");
    assert_string_equal(string(json, "endReason"), "stopped");
    assert_string_equal(string(json, "completedAt"),
                        "2026-11-22T18:50:13.323Z");
    assert_int_equal(integer(json, "durationMs"), 10000);
    assert_int_equal(integer(json, "sizeBytes"), 4711);
    item = json_array_get(json_object_get(json, "outputs"), 0);
    assert_int_equal(integer(item, "width"), 1280);
    assert_true(json_is_null(json_object_get(item, "codec")));
    item = json_object_get(json, "cost");
    assert_true(json_real_value(json_object_get(item, "cpuSeconds")) == 2.5);
    assert_int_equal(integer(item, "bytesStored"), 5711);
    item = json_array_get(json_object_get(json, "participants"), 1);
    assert_string_equal(string(item, "id"), "bob");
    json_decref(json);
}


static void
only_the_ways_of_the_design_are_there(void **state)
{
    unsigned  from, n, to;

    static const char *const  ways[] = {
        [CR_RECORDING_STARTING] = "recording recovering stopping failed",
        [CR_RECORDING_RECORDING] = "paused recovering stopping failed",
        [CR_RECORDING_PAUSED] = "recording recovering stopping failed",
        [CR_RECORDING_RECOVERING] = "recording stopping failed",
        [CR_RECORDING_STOPPING] = "processing aborted failed",
        [CR_RECORDING_PROCESSING] = "uploading completed failed aborted",
        [CR_RECORDING_UPLOADING] = "processing completed failed aborted",
        [CR_RECORDING_COMPLETED] = "expired deleted",
        [CR_RECORDING_FAILED] = "expired deleted",
        [CR_RECORDING_ABORTED] = "deleted",
        [CR_RECORDING_EXPIRED] = "deleted",
        [CR_RECORDING_DELETED] = ""
    };

    (void) state;

    n = 0;

    for (from = CR_RECORDING_STARTING; from <= CR_RECORDING_DELETED; from++) {
        for (to = CR_RECORDING_STARTING; to <= CR_RECORDING_DELETED; to++) {
            setup(NULL);
            rec.status = (cr_recording_status_e) from;

            if (cr_recording_transition(&rec, (cr_recording_status_e) to, 50)
                == CR_OK)
            {
                n++;
                assert_non_null(strstr(ways[from], cr_recording_status_name(
                                           (cr_recording_status_e) to)));
                assert_int_equal(rec.status, to);
                assert_int_equal(rec.rev, 50);

            } else {
                assert_int_equal(rec.status, from);
                assert_int_equal(rec.rev, 1);
            }
        }

        assert_int_equal(cr_recording_status_find(cr_recording_status_name(
                             (cr_recording_status_e) from)), from);
    }

    assert_int_equal(n, 32);
    assert_int_equal(cr_recording_status_find("resting"), 0);
}


static void
rev_grows_with_every_change_and_with_time(void **state)
{
    int64_t  rev;

    (void) state;

    rev = rec.rev;
    join("alice", "s1", 1, 0);
    assert_true(rec.rev > rev);

    rev = rec.rev;
    cr_recording_first_media(&rec, 0, 0);
    assert_true(rec.rev > rev);

    cr_recording_leave(&rec, "s1", 10, 100000);
    assert_int_equal(rec.rev, 100000);
}


static void
tables_are_bounded(void **state)
{
    char                        id[16];
    int                         i;
    cr_output_t                 output;
    cr_journal_interruption_t   cut = { "worker", 1, 2, "" };

    (void) state;

    for (i = 0; i < CR_RECORDING_SESSIONS; i++) {
        snprintf(id, sizeof(id), "s%d", i);
        assert_int_equal(join("alice", id, 1, i), CR_OK);
    }

    assert_int_equal(join("alice", "more", 1, 99), CR_LIMIT);
    assert_int_equal(rec.nparticipants, 1);

    for (i = 0; i < CR_RECORDING_SESSIONS; i++) {
        snprintf(id, sizeof(id), "s%d", i);
        assert_int_equal(cr_recording_leave(&rec, id, 0, 100), CR_OK);
        assert_int_equal(rec.participants[0].leave_ms,
                         i == CR_RECORDING_SESSIONS - 1 ? 100 : -1);
    }

    setup(NULL);
    assert_int_equal(join("alice", "twice", 1, 0), CR_OK);
    assert_int_equal(join("bob", "twice", 1, 0), CR_LIMIT);

    setup(NULL);

    for (i = 0; i < CR_RECORDING_PARTICIPANTS; i++) {
        snprintf(id, sizeof(id), "p%d", i);
        assert_int_equal(join(id, "s", 1, i), CR_OK);
        cr_recording_leave(&rec, "s", 0, i);
    }

    assert_int_equal(join("more", "s", 1, 99), CR_LIMIT);
    assert_int_equal(join("p5", "s", 1, 99), CR_OK);
    assert_int_equal(rec.participants[5].join_ms, 5);
    assert_int_equal(rec.participants[5].leave_ms, -1);

    for (i = 0; i < CR_RECORDING_INTERRUPTIONS + 3; i++) {
        cr_recording_interrupt(&rec, &cut, i);
    }

    assert_int_equal(rec.ninterruptions, CR_RECORDING_INTERRUPTIONS);

    memset(&output, 0, sizeof(output));

    for (i = 0; i < CR_RECORDING_OUTPUTS; i++) {
        snprintf(output.kind, sizeof(output.kind), "k%d", i);
        assert_int_equal(cr_recording_output(&rec, &output, i), CR_OK);
    }

    strcpy(output.kind, "more");
    assert_int_equal(cr_recording_output(&rec, &output, i), CR_LIMIT);
}


static void
ids_sort_by_time(void **state)
{
    char        a[CR_JOURNAL_ID_SIZE], b[CR_JOURNAL_ID_SIZE];
    int64_t     ms;
    test_env_t  t;

    (void) state;

    test_env_init(&t, 1);

    cr_recording_make_id(&t.env, T0, a);
    assert_int_equal(strlen(a), 30);
    assert_int_equal(strncmp(a, "rec_", 4), 0);

    for (ms = T0 + 1; ms < T0 + 100; ms++) {
        cr_recording_make_id(&t.env, ms, b);
        assert_true(strcmp(a, b) < 0);
        memcpy(a, b, sizeof(a));
    }
}


/* The largest that there can be, all names full of what must be escaped. */
static void
fill(void)
{
    int                         i;
    char                        id[16];
    cr_output_t                 output;
    cr_journal_error_t          error;
    cr_journal_interruption_t   cut;

    memset(rec.started_by, 1, sizeof(rec.started_by) - 1);

    for (i = 0; i < CR_RECORDING_PARTICIPANTS; i++) {
        snprintf(id, sizeof(id), "p%d", i);
        join(id, id, 1, i);
        memset(rec.participants[i].id, 'a',
               sizeof(rec.participants[i].id) - 1);
        memset(rec.participants[i].name, 1,
               sizeof(rec.participants[i].name) - 1);
    }

    memset(&cut, 'b', sizeof(cut));
    cut.kind[sizeof(cut.kind) - 1] = '\0';
    cut.participant_id[sizeof(cut.participant_id) - 1] = '\0';

    for (i = 0; i < CR_RECORDING_INTERRUPTIONS; i++) {
        cr_recording_interrupt(&rec, &cut, i);
    }

    memset(&output, 0, sizeof(output));
    memset(output.location, 1, sizeof(output.location) - 1);
    memset(output.sha256, 'f', sizeof(output.sha256) - 1);

    for (i = 0; i < CR_RECORDING_OUTPUTS; i++) {
        snprintf(output.kind, sizeof(output.kind), "k%d", i);
        cr_recording_output(&rec, &output, i);
    }

    memset(&error, 0, sizeof(error));
    strcpy(error.code, "code");
    memset(error.message, '"', sizeof(error.message) - 1);
    cr_recording_set_error(&rec, &error, 1);
}


static void
the_largest_status_fits(void **state)
{
    json_t  *json;

    (void) state;

    fill();
    json = status();
    assert_int_equal(json_array_size(json_object_get(json, "participants")),
                     CR_RECORDING_PARTICIPANTS);
    json_decref(json);
}


static void
no_memory_is_no_status(void **state)
{
    char        *text;
    test_env_t   t;

    (void) state;

    fill();
    test_env_init(&t, 1);

    for (t.fail_at = 1; /* void */; t.fail_at++) {
        t.calls = 0;
        text = cr_recording_status_json(&t.env, &rec);

        if (text != NULL) {
            break;
        }

        assert_int_equal(t.live, 0);
    }

    assert_true(t.fail_at > 3);
    cr_free(&t.env, text);
    assert_int_equal(t.live, 0);
}


static void
status_and_rev_are_read_back(void **state)
{
    char                   *text;
    int64_t                 rev;
    unsigned                i;
    test_env_t              t;
    cr_recording_status_e   st;

    static const char *const  bad[] = {
        "", "{", "[]", "{}", "{\"status\":\"x\",\"rev\":1}",
        "{\"status\":\"failed\"}", "{\"status\":\"failed\",\"rev\":\"1\"}",
        "{\"status\":\"failed\",\"rev\":0}", "{\"status\":1,\"rev\":1}"
    };

    (void) state;

    test_env_init(&t, 1);
    rec.rev = 99;

    text = cr_recording_status_json(&t.env, &rec);
    assert_int_equal(cr_recording_status_parse(text, strlen(text), &st, &rev),
                     CR_OK);
    assert_int_equal(st, CR_RECORDING_STARTING);
    assert_int_equal(rev, 99);
    cr_free(&t.env, text);

    rec.status = CR_RECORDING_DELETED;
    text = cr_recording_tombstone_json(&t.env, &rec);
    assert_string_equal(text, "{\"recordingId\":\"rec_1\",\"callId\":\"room\""
                        ",\"status\":\"deleted\",\"rev\":99}");
    cr_free(&t.env, text);

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(cr_recording_status_parse(bad[i], strlen(bad[i]),
                                                   &st, &rev), CR_INVALID);
    }

    assert_int_equal(cr_recording_status_parse(bad[0],
                                               CR_RECORDING_STATUS_MAX + 1,
                                               &st, &rev), CR_LIMIT);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(a_call_from_start_to_end, setup),
        cmocka_unit_test_setup(only_the_ways_of_the_design_are_there, setup),
        cmocka_unit_test_setup(rev_grows_with_every_change_and_with_time,
                               setup),
        cmocka_unit_test_setup(tables_are_bounded, setup),
        cmocka_unit_test_setup(ids_sort_by_time, setup),
        cmocka_unit_test_setup(the_largest_status_fits, setup),
        cmocka_unit_test_setup(no_memory_is_no_status, setup),
        cmocka_unit_test_setup(status_and_rev_are_read_back, setup)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
