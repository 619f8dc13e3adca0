
/*
 * Copyright (C) The call recorder authors
 *
 * Recordings brought back from journals, and the bodies of requests.
 */

#include "recording/recording.h"
#include "recording/request.h"
#include "env.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>


#define AT  "\"at\":\"2026-11-22T18:50:00.123Z\""

#define START                                                                 \
    "{\"ev\":\"start\",\"tMs\":0," AT ",\"v\":1,\"recordingId\":\"rec_1\","   \
    "\"callId\":\"room\",\"mode\":\"composite\",\"layout\":\"grid\","         \
    "\"startedBy\":\"bob\",\"chunkMs\":5000,"                                 \
    "\"createdAt\":\"2026-11-22T18:50:00.123Z\","                             \
    "\"idempotencyKey\":\"k\",\"requestDigest\":\"d\"}\n"

#define JOIN(t, p, s)                                                         \
    "{\"ev\":\"join\",\"tMs\":" t "," AT ",\"participantId\":\"" p "\","      \
    "\"name\":\"N\",\"sessionId\":\"" s "\"}\n"

#define OPEN(t, p, s, from)                                                   \
    "{\"ev\":\"chunk_open\",\"tMs\":" t "," AT ",\"participantId\":\"" p      \
    "\",\"sessionId\":\"" s "\",\"chunk\":1,\"file\":\"" p "/1.mkv\","        \
    "\"startMs\":" from ",\"tracks\":[]}\n"

#define TRACK(p, s, more)                                                     \
    "{\"ev\":\"track\",\"tMs\":1," AT ",\"participantId\":\"" p "\","         \
    "\"sessionId\":\"" s "\",\"track\":1,\"codec\":\"vp8\","               \
    "\"clockRate\":90000," more "}\n"

#define CLOSE(t, p, s, from, to, size)                                        \
    "{\"ev\":\"chunk_close\",\"tMs\":" t "," AT ",\"participantId\":\"" p     \
    "\",\"sessionId\":\"" s "\",\"chunk\":1,\"startMs\":" from ",\"endMs\":"  \
    to ",\"sizeBytes\":" size ",\"frames\":1}\n"

#define LEAVE(t, p, s)                                                        \
    "{\"ev\":\"leave\",\"tMs\":" t "," AT ",\"participantId\":\"" p "\","     \
    "\"sessionId\":\"" s "\",\"reason\":\"bye\"}\n"

#define STATE(t, status, rev)                                                 \
    "{\"ev\":\"state\",\"tMs\":" t "," AT ",\"status\":\"" status "\","       \
    "\"rev\":" rev "}\n"

#define STOP(t, reason)                                                       \
    "{\"ev\":\"stop\",\"tMs\":" t "," AT ",\"endReason\":\"" reason "\","     \
    "\"stoppedMs\":" t ",\"firstMediaMs\":700}\n"

#define CUT(t, kind, who)                                                     \
    "{\"ev\":\"interruption\",\"tMs\":" t "," AT ",\"kind\":\"" kind "\","    \
    "\"fromMs\":1,\"toMs\":2" who "}\n"


static cr_recording_t  rec;
static unsigned        skipped;
static int64_t         last_ms;


static cr_status_e
replay(const char *journal)
{
    return cr_recording_replay_journal(&rec, journal, strlen(journal),
                                       &skipped, &last_ms);
}


static void
a_recording_that_died_comes_back(void **state)
{
    (void) state;

    assert_int_equal(replay(START
        JOIN("500", "alice", "s1")
        OPEN("800", "alice", "s1", "700")
        STATE("800", "recording", "801")
        JOIN("900", "bob", "s2")
        CLOSE("5800", "alice", "s1", "700", "5700", "1000")
        LEAVE("6000", "bob", "s2")
        OPEN("5801", "alice", "s1", "5700")
        "{\"ev\":\"chunk_cl"), CR_OK);

    assert_int_equal(skipped, 0);
    assert_int_equal(last_ms, 6000);
    assert_string_equal(rec.recording_id, "rec_1");
    assert_string_equal(rec.idempotency_key, "k");
    assert_int_equal(rec.status, CR_RECORDING_RECORDING);
    assert_true(rec.rev >= 801);
    assert_int_equal(rec.first_media_ms, 700);
    assert_int_equal(rec.last_media_ms, 5700);
    assert_int_equal(rec.nsessions, 1);
    assert_string_equal(rec.sessions[0].id, "s1");
    assert_int_equal(rec.sessions[0].worker, 0);
    assert_int_equal(rec.sessions[0].totals.stored, 1000);
    assert_int_equal(rec.participants[0].leave_ms, -1);
    assert_int_equal(rec.participants[1].leave_ms, 6000);
}


/* A screen may come by a session of its own. */

static void
videos_of_a_participant_are_known(void **state)
{
    char        *json;
    test_env_t   env;

    (void) state;

    assert_int_equal(replay(START
        JOIN("500", "alice", "s1")
        TRACK("alice", "s1", "\"kind\":\"audio\"")
        TRACK("alice", "s1", "\"kind\":\"video\",\"role\":\"camera\","
                             "\"mid\":\"1\",\"rid\":\"q\",\"layer\":1")
        TRACK("alice", "s1", "\"kind\":\"video\",\"role\":\"camera\","
                             "\"mid\":\"1\",\"rid\":\"f\",\"layer\":3")
        TRACK("alice", "s1", "\"kind\":\"video\",\"layer\":5")
        TRACK("alice", "s1", "\"kind\":\"video\",\"layer\":-1")
        JOIN("600", "bob", "s2")
        TRACK("bob", "s2", "\"kind\":\"video\"")
        JOIN("700", "alice", "s3")
        TRACK("alice", "s3", "\"kind\":\"video\",\"role\":\"screen\"")
        TRACK("alice", "s9", "\"kind\":\"video\",\"role\":\"screen\"")
        JOIN("800", "carol", "s4")), CR_OK);

    assert_int_equal(skipped, 0);
    assert_int_equal(rec.nparticipants, 3);
    assert_int_equal(rec.nsessions, 4);
    assert_int_equal(rec.participants[0].camera, 3);
    assert_int_equal(rec.participants[0].screen, 1);
    assert_int_equal(rec.participants[1].camera, 1);
    assert_int_equal(rec.participants[1].screen, 0);
    assert_int_equal(rec.participants[2].camera, 0);
    assert_int_equal(cr_recording_publishers(&rec), 3);

    test_env_init(&env, 1);
    json = cr_recording_status_json(&env.env, &rec);
    assert_non_null(strstr(json, "\"consent\":null,\"video\":["
                                 "{\"role\":\"camera\",\"layers\":3},"
                                 "{\"role\":\"screen\",\"layers\":1}]"));
    assert_non_null(strstr(json, "\"video\":[]"));
    cr_free(&env.env, json);
}


static void
a_whole_life_is_replayed(void **state)
{
    (void) state;

    assert_int_equal(replay(START
        JOIN("500", "alice", "s1")
        OPEN("800", "alice", "s1", "700")
        STATE("800", "recording", "801")
        CUT("2000", "worker", ",\"participantId\":\"alice\"")
        JOIN("2500", "alice", "s3")
        STOP("9000", "stopped")
        STATE("9000", "stopping", "9001")
        CLOSE("9100", "alice", "s3", "2600", "9000", "77")
        LEAVE("9100", "alice", "s3")
        STATE("9200", "processing", "9201")
        "{\"ev\":\"job\",\"tMs\":9300," AT ",\"attempt\":2,"
        "\"action\":\"start\",\"pid\":4711}\n"
        "{\"ev\":\"output\",\"tMs\":9900," AT ",\"kind\":\"composite\","
        "\"format\":\"mp4\",\"sizeBytes\":10,\"durationMs\":20,"
        "\"location\":\"x.mp4\"}\n"
        "{\"ev\":\"error\",\"tMs\":9900," AT ",\"code\":\"c\","
        "\"message\":\"m\",\"retryable\":true}\n"
        "{\"ev\":\"clock\",\"tMs\":9900," AT ",\"sessionId\":\"s\","
        "\"track\":1,\"mediaUs\":1,\"offsetUs\":1,\"driftPpb\":1,"
        "\"fromSr\":false}\n"
        STATE("10000", "completed", "10000")), CR_OK);

    assert_int_equal(skipped, 0);
    assert_int_equal(rec.status, CR_RECORDING_COMPLETED);
    assert_int_equal(rec.completed_ms, 10000);
    assert_int_equal(rec.stopped_ms, 9000);
    assert_string_equal(rec.end_reason, "stopped");
    assert_false(rec.discard);
    assert_int_equal(cr_recording_duration_ms(&rec), 8300);
    assert_int_equal(rec.nsessions, 0);
    assert_int_equal(rec.ninterruptions, 1);
    assert_int_equal(rec.job.attempt, 2);
    assert_int_equal(rec.noutputs, 1);
    assert_string_equal(rec.error.code, "c");
    assert_int_equal(rec.totals.stored, 77);
}


static void
an_interruption_of_nginx_ends_all_sessions(void **state)
{
    (void) state;

    assert_int_equal(replay(START JOIN("1", "a", "s1") JOIN("2", "b", "s2")
        JOIN("3", "c", "s3") CUT("4", "worker", ",\"participantId\":\"b\"")),
        CR_OK);
    assert_int_equal(rec.nsessions, 2);

    assert_int_equal(replay(START JOIN("1", "a", "s1") JOIN("2", "b", "s2")
        CUT("4", "nginx", "")), CR_OK);
    assert_int_equal(rec.nsessions, 0);
    assert_int_equal(rec.participants[0].leave_ms, 4);
}


static void
discarded_and_deleted_ones_stay_so(void **state)
{
    (void) state;

    assert_int_equal(replay(START STOP("9", "discarded")), CR_OK);
    assert_true(rec.discard);
    assert_int_equal(rec.status, CR_RECORDING_STOPPING);

    assert_int_equal(replay(START STOP("9", "stopped")
        "{\"ev\":\"delete\",\"tMs\":10," AT "}\n"), CR_OK);
    assert_int_equal(rec.status, CR_RECORDING_DELETED);
}


static void
damage_is_skipped_and_counted(void **state)
{
    (void) state;

    assert_int_equal(replay("x\n" START "\n{}\n" START
        LEAVE("1", "a", "nobody") STATE("1", "dancing", "5")
        "{\"ev\":\"mute\",\"tMs\":70," AT "}\n"), CR_OK);
    assert_int_equal(skipped, 5);
    assert_int_equal(rec.status, CR_RECORDING_STARTING);

    assert_int_equal(replay(""), CR_INVALID);
    assert_int_equal(replay("\n\n"), CR_INVALID);
    assert_int_equal(replay(JOIN("1", "a", "s")), CR_INVALID);
    assert_int_equal(replay("{\"ev\":\"start\",\"tMs\":0," AT ",\"v\":2}\n"),
                     CR_INVALID);
}


static int  allocs_left;


static void *
failing_malloc(size_t size)
{
    return allocs_left-- > 0 ? malloc(size) : NULL;
}


static void
no_memory_loses_no_record_silently(void **state)
{
    int                  i;
    cr_status_e          rc;
    const char          *why;
    cr_request_start_t   start;
    cr_request_stop_t    stop;

    static const char  journal[] = START JOIN("1", "a", "s1")
                                   STOP("9", "stopped");

    (void) state;

    /* jansson tells some failures of memory as bad syntax: what counts is
     * that none passes for success */

    json_set_alloc_funcs(failing_malloc, free);

    for (i = 0; /* void */; i++) {
        allocs_left = i;
        rc = replay(journal);

        if (rc == CR_OK && skipped == 0) {
            break;
        }
    }

    assert_true(i > 10);
    assert_int_equal(rec.nsessions, 1);
    assert_int_equal(rec.status, CR_RECORDING_STOPPING);

    for (i = 0, rc = CR_NOMEM; rc != CR_OK; i++) {
        allocs_left = i;
        rc = cr_request_start_parse("{\"mode\":\"composite\"}", 20, &start,
                                    &why);
    }

    assert_true(i > 3);
    assert_string_equal(start.mode, "composite");

    for (i = 0, rc = CR_NOMEM; rc != CR_OK; i++) {
        allocs_left = i;
        rc = cr_request_stop_parse("", 0, &stop, &why);
        assert_true(rc == CR_OK || rc == CR_NOMEM);
    }

    json_set_alloc_funcs(malloc, free);
}


static void
bodies_of_start(void **state)
{
    unsigned             i;
    const char          *why;
    cr_request_start_t   start;

    static const struct {
        const char  *body;
        const char  *why;               /* NULL: it is good */
    } bodies[] = {
        { "", NULL },
        { "{}", NULL },
        { "{\"mode\":\"composite\",\"layout\":\"grid\"}", NULL },
        { "{\"startedBy\":\"bob\",\"other\":{\"a\":[]}}", NULL },
        { "[]", "object" },
        { "{\"mode\":null}", "mode" },
        { "{\"mode\":\"film\"}", "mode" },
        { "{\"layout\":7}", "layout" },
        { "{\"startedBy\":7}", "startedBy" },
        { "{\"mode\":\"composite\",\"mode\":\"composite\"}", "twice" },
        { "{", "JSON" },
        { "{\"a\":\"\xff\"}", "JSON" },
        { "{\"startedBy\":\"a\\u0000b\"}", "JSON" }
    };

    (void) state;

    for (i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        why = NULL;

        if (bodies[i].why == NULL) {
            assert_int_equal(cr_request_start_parse(bodies[i].body,
                                 strlen(bodies[i].body), &start, &why),
                             CR_OK);
            assert_string_equal(start.mode, "composite");
            assert_string_equal(start.layout, "grid");

        } else {
            assert_int_equal(cr_request_start_parse(bodies[i].body,
                                 strlen(bodies[i].body), &start, &why),
                             CR_INVALID);
            assert_non_null(strstr(why, bodies[i].why));
        }
    }

    assert_int_equal(cr_request_start_parse("", CR_REQUEST_BODY_MAX + 1,
                                            &start, &why), CR_LIMIT);
}


static void
bodies_of_stop(void **state)
{
    const char         *why;
    cr_request_stop_t   stop;

    (void) state;

    assert_int_equal(cr_request_stop_parse("", 0, &stop, &why), CR_OK);
    assert_false(stop.discard);
    assert_int_equal(cr_request_stop_parse("{\"discard\":true}", 16, &stop,
                                           &why), CR_OK);
    assert_true(stop.discard);
    assert_int_equal(cr_request_stop_parse("{\"discard\":null}", 16, &stop,
                                           &why), CR_INVALID);
    assert_int_equal(cr_request_stop_parse("true", 4, &stop, &why),
                     CR_INVALID);
}


static void
keys_and_digests_of_requests(void **state)
{
    char  digest[CR_JOURNAL_DIGEST_SIZE], key[CR_JOURNAL_KEY_SIZE];

    (void) state;

    memset(key, 'k', sizeof(key));

    assert_true(cr_request_key_valid(key, 1));
    assert_true(cr_request_key_valid(key, 128));
    assert_false(cr_request_key_valid(key, 129));
    assert_false(cr_request_key_valid(key, 0));
    assert_false(cr_request_key_valid("a b", 3));
    assert_false(cr_request_key_valid("\xc3\xa9", 2));

    assert_int_equal(cr_request_digest("abc", 3, digest), CR_OK);
    assert_string_equal(digest, "ba7816bf8f01cfea414140de5dae2223"
                                "b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(cr_request_digest(NULL, 0, digest), CR_OK);
    assert_string_equal(digest, "e3b0c44298fc1c149afbf4c8996fb924"
                                "27ae41e4649b934ca495991b7852b855");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(a_recording_that_died_comes_back),
        cmocka_unit_test(videos_of_a_participant_are_known),
        cmocka_unit_test(a_whole_life_is_replayed),
        cmocka_unit_test(an_interruption_of_nginx_ends_all_sessions),
        cmocka_unit_test(discarded_and_deleted_ones_stay_so),
        cmocka_unit_test(damage_is_skipped_and_counted),
        cmocka_unit_test(no_memory_loses_no_record_silently),
        cmocka_unit_test(bodies_of_start),
        cmocka_unit_test(bodies_of_stop),
        cmocka_unit_test(keys_and_digests_of_requests)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
