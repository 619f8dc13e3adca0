
/*
 * Copyright (C) The call recorder authors
 */

#include "rtp/red.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>


/* A copy of its exact size, so that ASan sees overreads. */
static unsigned
parse(const char *data, size_t len, cr_red_block_t blocks[CR_RED_MAX],
    uint8_t **copy)
{
    cr_slice_t  payload;

    *copy = malloc(len ? len : 1);
    assert_non_null(*copy);
    memcpy(*copy, data, len);

    payload.data = *copy;
    payload.len = len;

    return cr_red_parse(&payload, 10000, blocks);
}


static void
the_primary_block_may_be_alone(void **state)
{
    uint8_t         *copy;
    cr_red_block_t   blocks[CR_RED_MAX];

    (void) state;

    assert_int_equal(parse("\x6f" "abc", 4, blocks, &copy), 1);
    assert_int_equal(blocks[0].pt, 111);
    assert_int_equal(blocks[0].timestamp, 10000);
    assert_int_equal(blocks[0].payload.len, 3);
    assert_memory_equal(blocks[0].payload.data, "abc", 3);
    free(copy);

    /* DTX: nothing in it */
    assert_int_equal(parse("\x6f", 1, blocks, &copy), 1);
    assert_int_equal(blocks[0].payload.len, 0);
    free(copy);
}


static void
redundant_blocks_have_their_own_times(void **state)
{
    uint8_t         *copy;
    cr_red_block_t   blocks[CR_RED_MAX];

    (void) state;

    /* 1920 and 960 before it, of 2 and 3 bytes */
    assert_int_equal(parse("\xef\x1e\x00\x02\xef\x0f\x00\x03\x6f"
                           "abcdefg", 16, blocks, &copy), 3);
    assert_int_equal(blocks[0].timestamp, 10000 - 1920);
    assert_int_equal(blocks[0].payload.len, 2);
    assert_memory_equal(blocks[0].payload.data, "ab", 2);
    assert_int_equal(blocks[1].timestamp, 10000 - 960);
    assert_int_equal(blocks[1].pt, 111);
    assert_memory_equal(blocks[1].payload.data, "cde", 3);
    assert_int_equal(blocks[2].timestamp, 10000);
    assert_memory_equal(blocks[2].payload.data, "fg", 2);
    free(copy);
}


static void
what_is_cut_or_too_much_is_refused(void **state)
{
    char             many[4 * CR_RED_MAX + 1];
    size_t           i, len;
    uint8_t         *copy;
    cr_red_block_t   blocks[CR_RED_MAX];

    (void) state;

    for (len = 0; len < 14; len++) {
        assert_int_equal(parse("\xef\x1e\x00\x02\xef\x0f\x00\x03\x6f"
                               "abcde", len, blocks, &copy), 0);
        free(copy);
    }

    for (i = 0; i < CR_RED_MAX; i++) {
        memcpy(many + 4 * i, "\xef\0\0\0", 4);
    }

    many[4 * CR_RED_MAX] = '\x6f';

    assert_int_equal(parse(many, sizeof(many), blocks, &copy), 0);
    free(copy);
    assert_int_equal(parse(many + 4, sizeof(many) - 4, blocks, &copy),
                     CR_RED_MAX);
    free(copy);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(the_primary_block_may_be_alone),
        cmocka_unit_test(redundant_blocks_have_their_own_times),
        cmocka_unit_test(what_is_cut_or_too_much_is_refused)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
