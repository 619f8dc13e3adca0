
/*
 * Copyright (C) The call recorder authors
 */

#include "job/args.h"
#include "job/parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <openssl/sha.h>


static int  allocs_left;


static void *
count_alloc(void *ctx, size_t size)
{
    (void) ctx;

    return allocs_left-- == 0 ? NULL : calloc(1, size);
}


static void
plain_free(void *ctx, void *p)
{
    (void) ctx;
    free(p);
}


static const cr_env_t  env = { count_alloc, plain_free, NULL, NULL };

static const cr_job_var_t  vars[] = {
    { "recording_dir", "/var/rec/a b" },
    { "recording_id", "rec_1" },
    { "id", "short" }
};


static void
assert_expands(const char *arg, const char *expected)
{
    char  *got;

    got = cr_job_arg_expand(&env, arg, vars, 3);

    assert_non_null(got);
    assert_string_equal(got, expected);
    free(got);
}


static void
test_args_expand(void **state)
{
    char  *got;

    (void) state;
    allocs_left = -1;

    assert_expands("", "");
    assert_expands("-i", "-i");
    assert_expands("$recording_dir", "/var/rec/a b");
    assert_expands("mix=$recording_dir:x", "mix=/var/rec/a b:x");
    assert_expands("${id}entity", "shortentity");
    assert_expands("$recording_id$id", "rec_1short");
    assert_expands("100$$", "100$");

    allocs_left = 0;
    got = cr_job_arg_expand(&env, "$id", vars, 3);
    assert_null(got);
}


static void
test_args_wrong(void **state)
{
    unsigned     i;
    const char  *bad;

    static const char  *wrong[] = {
        "$", "a$", "$unknown", "${id", "${}", "$ id", "$recording", "$ID"
    };

    (void) state;
    allocs_left = -1;

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        bad = NULL;
        assert_int_equal(cr_job_arg_check(wrong[i], vars, 3, &bad),
                         CR_INVALID);
        assert_non_null(bad);
        assert_int_equal(*bad, '$');
        assert_null(cr_job_arg_expand(&env, wrong[i], vars, 3));
    }

    assert_int_equal(cr_job_arg_check("x$id", vars, 3, &bad), CR_OK);
}


static void
test_args_too_long(void **state)
{
    char   arg[2 * CR_JOB_ARG_SIZE_MAX];

    (void) state;
    allocs_left = -1;

    memset(arg, 'x', sizeof(arg));
    arg[sizeof(arg) - 1] = '\0';
    assert_null(cr_job_arg_expand(&env, arg, vars, 3));
}


/* A ledger of three parts, sent as the muxer sends them (head last), and
 * what complete has to say of it. */
static size_t
make_ledger(char *text, cr_parts_complete_t *complete)
{
    size_t         n;
    uint8_t        sums[3][32];
    unsigned       i;
    cr_part_t      part;

    static const unsigned  order[] = { 1, 2, 0 };
    static const uint64_t  sizes[] = { 100, 1000, 500 };
    static const uint64_t  offsets[] = { 0, 100, 1100 };

    for (i = 0; i < 3; i++) {
        memset(sums[i], 'a' + (int) i, 32);
    }

    n = 0;

    for (i = 0; i < 3; i++) {
        part.number = order[i];
        part.offset = offsets[order[i]];
        part.size = sizes[order[i]];
        memcpy(part.sha256, sums[order[i]], 32);
        n += cr_part_line(text + n, &part);
    }

    memset(complete, 0, sizeof(cr_parts_complete_t));
    complete->size = 1600;
    complete->parts = 3;
    SHA256((const unsigned char *) sums, sizeof(sums), complete->digest);

    return n;
}


static void
test_parts_verify(void **state)
{
    char                  text[4 * CR_PART_LINE_MAX];
    char                  again[4 * CR_PART_LINE_MAX];
    size_t                n, len;
    cr_part_t             part;
    const char           *why;
    cr_parts_complete_t   complete;

    (void) state;
    allocs_left = -1;

    n = make_ledger(text, &complete);
    assert_int_equal(cr_parts_verify(&env, text, n, &complete, &why), CR_OK);

    /* a part that came again counts as it came last */
    part.number = 2;
    part.offset = 1100;
    part.size = 500;
    memset(part.sha256, 'x', 32);
    len = cr_part_line(again, &part);
    memcpy(again + len, text, n);
    assert_int_equal(cr_parts_verify(&env, again, len + n, &complete, &why),
                     CR_OK);

    memcpy(text + n, again, len);
    assert_int_equal(cr_parts_verify(&env, text, n + len, &complete, &why),
                     CR_INVALID);

    allocs_left = 0;
    assert_int_equal(cr_parts_verify(&env, text, n, &complete, &why),
                     CR_NOMEM);
}


static void
test_parts_wrong(void **state)
{
    char                  text[4 * CR_PART_LINE_MAX];
    size_t                n, i;
    const char           *why;
    cr_parts_complete_t   complete, wrong;

    (void) state;
    allocs_left = -1;

    n = make_ledger(text, &complete);

    wrong = complete;
    wrong.size++;
    assert_int_equal(cr_parts_verify(&env, text, n, &wrong, &why), CR_INVALID);
    assert_string_equal(why,
                        "the parts do not add up to the announced size");

    wrong = complete;
    wrong.parts = 4;
    assert_int_equal(cr_parts_verify(&env, text, n, &wrong, &why), CR_INVALID);
    assert_string_equal(why, "a part is missing");

    wrong.parts = 2;
    assert_int_equal(cr_parts_verify(&env, text, n, &wrong, &why), CR_INVALID);

    wrong.parts = 0;
    assert_int_equal(cr_parts_verify(&env, text, n, &wrong, &why), CR_INVALID);

    wrong.parts = CR_PARTS_MAX + 1;
    assert_int_equal(cr_parts_verify(&env, text, n, &wrong, &why), CR_INVALID);

    wrong = complete;
    wrong.digest[0] ^= 1;
    assert_int_equal(cr_parts_verify(&env, text, n, &wrong, &why), CR_INVALID);
    assert_string_equal(why, "the digest of the parts differs");

    /* cut off anywhere but behind a line */
    for (i = 1; i < n; i++) {
        if (text[i - 1] != '\n') {
            assert_int_equal(cr_parts_verify(&env, text, i, &complete, &why),
                             CR_INVALID);
            assert_string_equal(why, "the ledger of parts is damaged");
        }
    }

    /* the second part moved by one byte: "1 100 1000" */
    assert_memory_equal(text, "1 100 ", 6);
    memcpy(text, "1 101 ", 6);
    assert_int_equal(cr_parts_verify(&env, text, n, &complete, &why),
                     CR_INVALID);
    assert_string_equal(why, "the parts do not join");
}


static const char  good[] =
    "{\"sizeBytes\":1600,\"parts\":3,\"durationMs\":15000,\"format\":\"mp4\","
    "\"video\":{\"codec\":\"h264\",\"width\":1280,\"height\":720},"
    "\"audio\":{\"codec\":\"aac\",\"sampleRate\":48000,\"channels\":2},"
    "\"cpuMs\":7100,"
    "\"digest\":"
    "\"00ff000000000000000000000000000000000000000000000000000000000001\"}";


static void
test_complete(void **state)
{
    size_t                i;
    const char           *why;
    cr_parts_complete_t   c;

    static const char  *wrong[] = {
        "", "[]", "{}", "{\"sizeBytes\":-1,\"parts\":1,\"durationMs\":1}",
        "{\"sizeBytes\":1,\"parts\":100001,\"durationMs\":1}",
        "{\"sizeBytes\":1,\"parts\":1,\"durationMs\":1,\"format\":\"mp4\","
            "\"cpuMs\":-5}",
        "{\"sizeBytes\":1.5,\"parts\":1,\"durationMs\":1}",
        "{\"sizeBytes\":1,\"parts\":1,\"durationMs\":1,\"format\":\"../x\"}",
        "{\"sizeBytes\":1,\"parts\":1,\"durationMs\":1,\"format\":\"mp4\","
            "\"digest\":\"abc\"}",
        "{\"sizeBytes\":1,\"parts\":1,\"durationMs\":1,\"format\":\"mp4\","
            "\"video\":{\"codec\":\"h264\",\"width\":70000,\"height\":1}}"
    };

    (void) state;

    assert_int_equal(cr_parts_complete_parse(good, sizeof(good) - 1, &c,
                                             &why), CR_OK);
    assert_int_equal(c.size, 1600);
    assert_int_equal(c.parts, 3);
    assert_int_equal(c.duration_ms, 15000);
    assert_int_equal(c.cpu_ms, 7100);
    assert_string_equal(c.format, "mp4");
    assert_string_equal(c.video_codec, "h264");
    assert_string_equal(c.audio_codec, "aac");
    assert_int_equal(c.width, 1280);
    assert_int_equal(c.height, 720);
    assert_int_equal(c.digest[1], 0xff);
    assert_int_equal(c.digest[31], 1);

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        why = NULL;
        assert_int_equal(cr_parts_complete_parse(wrong[i], strlen(wrong[i]),
                                                 &c, &why), CR_INVALID);
        assert_non_null(why);
    }

    for (i = 0; i < sizeof(good) - 1; i++) {
        assert_int_equal(cr_parts_complete_parse(good, i, &c, &why),
                         CR_INVALID);
    }
}


static void
test_content_digest(void **state)
{
    size_t    i;
    uint8_t   sum[32], expected[32];

    /* RFC 9530 appendix B.1 */
    static const char  field[] =
        "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";
    static const char  *wrong[] = {
        "", "sha-256=",
        "sha-512=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:",
        "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=",
        "xsha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:",
        "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBP==:",
        "sha-256=:X48E9qOokq!rvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"
    };

    (void) state;

    SHA256((const unsigned char *) "{\"hello\": \"world\"}", 18, expected);

    assert_int_equal(cr_content_digest(field, sizeof(field) - 1, sum), CR_OK);
    assert_memory_equal(sum, expected, 32);

    assert_int_equal(cr_content_digest("md5=:eA==:, "
        "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:", 66, sum),
        CR_OK);

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_not_equal(cr_content_digest(wrong[i], strlen(wrong[i]),
                                               sum), CR_OK);
    }
}


static void
test_path(void **state)
{
    size_t            i;
    cr_parts_path_t   p;

    static const struct {
        const char         *path;
        cr_parts_action_e   action;
        uint32_t            number;
    } right[] = {
        { "rec_1/composite/parts/0", CR_PARTS_PUT, 0 },
        { "rec_1/composite/parts/99999", CR_PARTS_PUT, 99999 },
        { "rec_1/composite/progress", CR_PARTS_PROGRESS, 0 },
        { "rec_1/composite/complete", CR_PARTS_COMPLETE, 0 },
        { "rec_1/composite/abort", CR_PARTS_ABORT, 0 }
    };

    static const char  *wrong[] = {
        "", "/", "rec_1", "rec_1/", "rec_1/composite", "rec_1/composite/",
        "rec_1/composite/parts", "rec_1/composite/parts/",
        "rec_1/composite/parts/x", "rec_1/composite/parts/-1",
        "rec_1/composite/parts/100000", "rec_1/composite/parts/00000000001",
        "rec_1/composite/parts/1/", "rec_1/composite/parts/1/2",
        "rec_1/composite/progress/", "../composite/progress",
        "rec_1/../progress", "rec_1//progress", "rec_1/composite/else"
    };

    (void) state;

    for (i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        assert_int_equal(cr_parts_path(right[i].path, strlen(right[i].path),
                                       &p), CR_OK);
        assert_int_equal(p.action, right[i].action);
        assert_int_equal(p.number, right[i].number);
        assert_int_equal(p.recording_id_len, 5);
        assert_memory_equal(p.recording_id, "rec_1", 5);
        assert_int_equal(p.output_len, 9);
        assert_memory_equal(p.output, "composite", 9);
    }

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(cr_parts_path(wrong[i], strlen(wrong[i]), &p),
                         CR_DECLINED);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_args_expand),
        cmocka_unit_test(test_args_wrong),
        cmocka_unit_test(test_args_too_long),
        cmocka_unit_test(test_parts_verify),
        cmocka_unit_test(test_parts_wrong),
        cmocka_unit_test(test_complete),
        cmocka_unit_test(test_content_digest),
        cmocka_unit_test(test_path),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
