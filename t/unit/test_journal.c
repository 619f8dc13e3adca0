
/*
 * Copyright (C) The call recorder authors
 */

#include "recording/journal.h"
#include "env.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>


#define RECORDS  17

#define AT  "\"tMs\":1,\"at\":\"2026-11-22T18:50:00.123Z\""


static void
time_is_written_and_read(void **state)
{
    char      at[CR_JOURNAL_AT_SIZE];
    int64_t   ms;
    unsigned  i;

    static const struct {
        int64_t      ms;
        const char  *at;
    } times[] = {
        { 0, "1970-01-01T00:00:00.000Z" },
        { 1, "1970-01-01T00:00:00.001Z" },
        { -1, "1969-12-31T23:59:59.999Z" },
        { 951782399999, "2000-02-28T23:59:59.999Z" },
        { 951782400000, "2000-02-29T00:00:00.000Z" },
        { 951868800000, "2000-03-01T00:00:00.000Z" },
        { 1795373400123, "2026-11-22T18:50:00.123Z" },
        { 4107542399000, "2100-02-28T23:59:59.000Z" },
        { 4107542400000, "2100-03-01T00:00:00.000Z" },
        { 253402300799999, "9999-12-31T23:59:59.999Z" },
        { -62167219200000, "0000-01-01T00:00:00.000Z" }
    };

    (void) state;

    for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        cr_journal_time_format(times[i].ms, at);
        assert_string_equal(at, times[i].at);

        assert_int_equal(cr_journal_time_parse(at, strlen(at), &ms), CR_OK);
        assert_int_equal(ms, times[i].ms);
    }

    cr_journal_time_format(INT64_MAX, at);
    assert_string_equal(at, "9999-12-31T23:59:59.999Z");

    cr_journal_time_format(INT64_MIN, at);
    assert_string_equal(at, "0000-01-01T00:00:00.000Z");
}


static void
time_survives_every_day_of_400_years(void **state)
{
    char     at[CR_JOURNAL_AT_SIZE];
    int64_t  day, ms;

    (void) state;

    for (day = 0; day < 146097; day++) {
        cr_journal_time_format(day * 86400000 + 4711, at);
        assert_int_equal(cr_journal_time_parse(at, 24, &ms), CR_OK);
        assert_int_equal(ms, day * 86400000 + 4711);
    }
}


static void
other_times_are_refused(void **state)
{
    int64_t   ms;
    unsigned  i;

    static const char *const  times[] = {
        "", "2026-11-22T18:50:00Z", "2026-11-22T18:50:00.123+00:00",
        "2026-13-22T18:50:00.123Z", "2026-00-22T18:50:00.123Z",
        "2026-11-32T18:50:00.123Z", "2026-11-22T24:50:00.123Z",
        "2026-11-22T18:60:00.123Z", "2026-11-22T18:50:61.123Z",
        "2026-11-22 18:50:00.123Z", "2026-11-2xT18:50:00.123Z"
    };

    (void) state;

    for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        assert_int_equal(cr_journal_time_parse(times[i], strlen(times[i]),
                                               &ms),
                         CR_INVALID);
    }
}


/* One of each event, all members set. */
static unsigned
records(cr_journal_record_t *rec)
{
    unsigned  i;

    memset(rec, 0, RECORDS * sizeof(cr_journal_record_t));

    for (i = 0; i < RECORDS; i++) {
        rec[i].ev = (cr_journal_ev_e) (CR_JOURNAL_START + i);
        rec[i].t_ms = 1234 + i;
        rec[i].at_ms = 1795373400123 + i;
    }

    rec[0].start = (cr_journal_start_t) {
        1, "rec_1", "room", "composite", "grid", "bob", 5000, 1795373400123,
        "key", "digest"
    };
    rec[1].state = (cr_journal_state_t) { "recording", 17 };
    rec[2].join = (cr_journal_join_t) { "alice", "Al\"i\\ce\n\x01 \xc3\xa9",
                                        "s1", "screen" };
    rec[3].track = (cr_journal_track_t) { "alice", "s1", 2, CR_KIND_VIDEO,
                                          CR_CODEC_VP8, 90000, 0, "camera",
                                          "v0", "hi", 3 };
    rec[4].chunk_open = (cr_journal_chunk_open_t) {
        "alice", "s1", 1, "alice/s1/000001.mkv", -3, 2,
        { { 1, CR_KIND_VIDEO, CR_CODEC_VP8, 640, 480 },
          { 2, CR_KIND_AUDIO, CR_CODEC_OPUS, 0, 0 } }
    };
    rec[5].chunk_close = (cr_journal_chunk_close_t) { "alice", "s1", 1, 10,
                                                      5010, 4096, 300 };
    rec[6].clock = (cr_journal_clock_t) { "s1", 1, 1000, -20, 300, true };
    rec[7].gap = (cr_journal_gap_t) { "s1", 1, 20, 30, 3, "lost" };
    rec[8].leave = (cr_journal_leave_t) { "alice", "s1", "bye" };
    rec[9].interruption = (cr_journal_interruption_t) { "worker", 5, 10,
                                                        "alice" };
    rec[10].stop = (cr_journal_stop_t) { "stopped", 100, -1 };
    rec[11].job = (cr_journal_job_t) { 1, "fail", 4711, "no memory" };
    rec[12].output = (cr_journal_output_t) {
        "composite", "alice", "mp4", "h264", 1280, 720, 1000, 2000,
        "outputs/composite.mp4", "abc"
    };
    rec[13].error = (cr_journal_error_t) { "disk_full", "no room", "mixing",
                                           true };
    rec[15].rotation = (cr_journal_rotation_t) { "s1", 1, 2000, 270 };
    rec[16].level = (cr_journal_level_t) { "s1", 2, 1000, 2000, -23, 640 };

    return RECORDS;
}


static void
what_is_written_is_read(void **state)
{
    char                 *line;
    unsigned              i, n;
    test_env_t            t;
    cr_journal_record_t   rec[RECORDS], back;

    (void) state;

    test_env_init(&t, 1);
    n = records(rec);

    for (i = 0; i < n; i++) {
        line = cr_journal_format(&t.env, &rec[i]);
        assert_non_null(line);
        assert_null(strchr(line, '\n'));

        assert_int_equal(cr_journal_parse(line, strlen(line), &back), CR_OK);
        assert_memory_equal(&back, &rec[i], sizeof(back));

        cr_free(&t.env, line);
    }

    assert_int_equal(t.live, 0);
}


static void
a_line_is_as_documented(void **state)
{
    char                 *line;
    test_env_t            t;
    cr_journal_record_t   rec[RECORDS];

    (void) state;

    test_env_init(&t, 1);
    records(rec);

    line = cr_journal_format(&t.env, &rec[4]);
    assert_string_equal(line,
        "{\"ev\":\"chunk_open\",\"tMs\":1238,"
        "\"at\":\"2026-11-22T18:50:00.127Z\",\"participantId\":\"alice\","
        "\"sessionId\":\"s1\",\"chunk\":1,\"file\":\"alice/s1/000001.mkv\","
        "\"startMs\":-3,\"tracks\":[{\"track\":1,\"kind\":\"video\","
        "\"codec\":\"vp8\",\"width\":640,\"height\":480},"
        "{\"track\":2,\"kind\":\"audio\",\"codec\":\"opus\"}]}");
    cr_free(&t.env, line);

    line = cr_journal_format(&t.env, &rec[10]);
    assert_non_null(strstr(line, "\"firstMediaMs\":null"));
    cr_free(&t.env, line);

    /* names come from outside: no UTF-8 must not make it no JSON */

    strcpy(rec[2].join.name, "a\xff\xc3(\xed\xa0\x80\xf4\x90\x80\x80z\xe2");
    line = cr_journal_format(&t.env, &rec[2]);
    assert_int_equal(cr_journal_parse(line, strlen(line), &rec[3]), CR_OK);
    assert_non_null(strstr(line, "a\xef\xbf\xbd\xef\xbf\xbd("));
    cr_free(&t.env, line);

    rec[0].ev = CR_JOURNAL_UNKNOWN;
    assert_null(cr_journal_format(&t.env, &rec[0]));
}


static void
no_memory_is_no_line(void **state)
{
    char                 *line;
    unsigned              i, n;
    test_env_t            t;
    cr_journal_record_t   rec[RECORDS];

    (void) state;

    n = records(rec);

    memset(rec[13].error.message, '"', sizeof(rec[13].error.message) - 1);

    for (i = 0; i < n; i++) {
        test_env_init(&t, 1);

        for (t.fail_at = 1; /* void */; t.fail_at++) {
            t.calls = 0;
            line = cr_journal_format(&t.env, &rec[i]);

            if (line != NULL) {
                break;
            }

            assert_int_equal(t.live, 0);
        }

        assert_true(t.fail_at > 1);
        cr_free(&t.env, line);
        assert_int_equal(t.live, 0);
    }
}


static void
unknown_events_and_members_are_skipped(void **state)
{
    const char           *line;
    cr_journal_record_t   rec;

    (void) state;

    line = "{\"ev\":\"mute\",\"x\":{}," AT "}";
    assert_int_equal(cr_journal_parse(line, strlen(line), &rec), CR_OK);
    assert_int_equal(rec.ev, CR_JOURNAL_UNKNOWN);

    line = "{\"ev\":\"delete\",\"x\":[1,null]," AT "}";
    assert_int_equal(cr_journal_parse(line, strlen(line), &rec), CR_OK);
    assert_int_equal(rec.ev, CR_JOURNAL_DELETE);

    line = "{\"ev\":\"track\",\"participantId\":\"a\",\"sessionId\":\"s\","
           "\"track\":1,\"kind\":\"video\",\"codec\":\"vvc\","
           "\"clockRate\":90000," AT "}";
    assert_int_equal(cr_journal_parse(line, strlen(line), &rec), CR_OK);
    assert_int_equal(rec.track.codec, CR_CODEC_NONE);
}


static void
events_of_a_peer_become_recording_time(void **state)
{
    cr_journal_record_t    rec;
    const cr_gap_event_t   over = { .from_us = 100, .to_us = 5000 };
    const cr_gap_event_t   gap = { .from_us = 4000, .to_us = 25000,
                                   .packets = 3 };
    const cr_clock_event_t later = { .media_us = 1007900, .offset_us = -20,
                                     .drift_ppb = 50000, .from_sr = true };
    const cr_clock_event_t before = { .media_us = -9995000,
                                      .offset_us = 1000,
                                      .drift_ppb = 100000 };

    (void) state;

    /* frames' times are cut down to milliseconds, too */
    memset(&rec, 0, sizeof(rec));
    cr_journal_clock(&rec, &later, 5000);
    assert_int_equal(rec.clock.media_us, 1002000);
    assert_int_equal(rec.clock.offset_us, -20);
    assert_int_equal(rec.clock.drift_ppb, 50000);
    assert_true(rec.clock.from_sr);

    /* 10 s before the beginning, 100 ppm: 1 ms until there */
    cr_journal_clock(&rec, &before, 5000);
    assert_int_equal(rec.clock.media_us, 0);
    assert_int_equal(rec.clock.offset_us, 2000);

    assert_false(cr_journal_gap(&rec, &over, 5000));
    assert_true(cr_journal_gap(&rec, &gap, 5000));
    assert_int_equal(rec.gap.from_ms, 0);
    assert_int_equal(rec.gap.to_ms, 20);
    assert_int_equal(rec.gap.packets, 3);
    assert_string_equal(rec.gap.reason, "lost");
}


static void
damaged_lines_are_refused(void **state)
{
    unsigned              i;
    cr_journal_record_t   rec;

    static const char *const  lines[] = {
        "", "{", "[]", "1", "null", "{}",
        "{\"ev\":1," AT "}",
        "{\"ev\":\"delete\"}",
        "{\"ev\":\"delete\",\"tMs\":\"1\",\"at\":"
            "\"2026-11-22T18:50:00.123Z\"}",
        "{\"ev\":\"delete\",\"tMs\":-1,\"at\":"
            "\"2026-11-22T18:50:00.123Z\"}",
        "{\"ev\":\"delete\",\"tMs\":1,\"at\":\"now\"}",
        "{\"ev\":\"state\",\"status\":\"recording\"," AT "}",
        "{\"ev\":\"state\",\"status\":\"recording\",\"rev\":1.5," AT "}",
        "{\"ev\":\"state\",\"status\":\"recording\","
            "\"rev\":9007199254740993," AT "}",
        "{\"ev\":\"state\",\"status\":\"recording\","
            "\"rev\":99999999999999999999," AT "}",
        "{\"ev\":\"state\",\"status\":"
            "\"a word that is longer than any status\",\"rev\":1," AT "}",
        "{\"ev\":\"join\",\"participantId\":\"../x\",\"sessionId\":\"s\","
            AT "}",
        "{\"ev\":\"join\",\"participantId\":\"\",\"sessionId\":\"s\"," AT "}",
        "{\"ev\":\"join\",\"participantId\":\"a\",\"sessionId\":null," AT "}",
        "{\"ev\":\"join\",\"participantId\":\"a\\u0000\",\"sessionId\":\"s\","
            AT "}",
        "{\"ev\":\"track\",\"participantId\":\"a\",\"sessionId\":\"s\","
            "\"track\":1,\"kind\":\"smell\",\"codec\":\"vp8\","
            "\"clockRate\":1," AT "}",
        "{\"ev\":\"stop\",\"endReason\":\"x\",\"stoppedMs\":1,"
            "\"firstMediaMs\":\"x\"," AT "}",
        "{\"ev\":\"error\",\"code\":\"x\",\"message\":\"x\","
            "\"retryable\":1," AT "}",
        "{\"ev\":\"start\",\"v\":1,\"recordingId\":\"r\",\"callId\":\"c\","
            "\"mode\":\"m\",\"layout\":\"l\",\"chunkMs\":1,"
            "\"createdAt\":1," AT "}"
    };

    (void) state;

    for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        assert_int_equal(cr_journal_parse(lines[i], strlen(lines[i]), &rec),
                         CR_INVALID);
    }
}


static void
files_outside_of_the_folder_are_refused(void **state)
{
    int                   n;
    char                  line[512];
    unsigned              i;
    cr_journal_record_t   rec;

    static const char *const  files[] = {
        "", "/etc/passwd", "../x", "a/../x", "a//x", "a/", ".", "a/.x"
    };

    (void) state;

    for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        n = snprintf(line, sizeof(line), "{\"ev\":\"chunk_open\","
                     "\"participantId\":\"a\",\"sessionId\":\"s\","
                     "\"chunk\":1,\"file\":\"%s\",\"startMs\":0,"
                     "\"tracks\":[]," AT "}", files[i]);
        assert_int_equal(cr_journal_parse(line, (size_t) n, &rec),
                         CR_INVALID);
    }
}


static void
too_many_tracks_and_too_long_lines_are_refused(void **state)
{
    char                  line[CR_JOURNAL_LINE_MAX + 64];
    unsigned              i;
    cr_journal_record_t   rec;

    (void) state;

    strcpy(line, "{\"ev\":\"chunk_open\",\"participantId\":\"a\","
           "\"sessionId\":\"s\",\"chunk\":1,\"file\":\"x\",\"startMs\":0,"
           AT ",\"tracks\":[");

    for (i = 0; i <= CR_JOURNAL_TRACKS; i++) {
        strcat(line, i ? ",{\"track\":1,\"kind\":\"audio\",\"codec\":\"x\"}"
                       : "{\"track\":1,\"kind\":\"audio\",\"codec\":\"x\"}");
    }

    strcat(line, "]}");
    assert_int_equal(cr_journal_parse(line, strlen(line), &rec), CR_INVALID);

    memset(line, ' ', sizeof(line));
    assert_int_equal(cr_journal_parse(line, sizeof(line), &rec), CR_LIMIT);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(time_is_written_and_read),
        cmocka_unit_test(time_survives_every_day_of_400_years),
        cmocka_unit_test(other_times_are_refused),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(a_line_is_as_documented),
        cmocka_unit_test(no_memory_is_no_line),
        cmocka_unit_test(unknown_events_and_members_are_skipped),
        cmocka_unit_test(events_of_a_peer_become_recording_time),
        cmocka_unit_test(damaged_lines_are_refused),
        cmocka_unit_test(files_outside_of_the_folder_are_refused),
        cmocka_unit_test(too_many_tracks_and_too_long_lines_are_refused)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
