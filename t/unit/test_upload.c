
/*
 * Copyright (C) The call recorder authors
 */

#include "job/upload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>


static char    ledger[16 * CR_PART_LINE_MAX];
static size_t  ledger_len;


static void
part(uint32_t number, uint64_t offset, uint64_t size)
{
    cr_part_t  p = { .number = number, .offset = offset, .size = size };

    ledger_len += cr_part_line(ledger + ledger_len, &p);
}


static int
setup(void **state)
{
    (void) state;

    ledger_len = 0;

    return 0;
}


static void
media_is_there_as_it_comes_the_head_at_last(void **state)
{
    size_t      used;
    cr_cover_t  cover = { 0 };

    (void) state;

    assert_false(cr_cover_has(&cover, 0, 1));

    part(1, 1000, 500);
    part(2, 1500, 500);
    part(3, 2000, 70);

    /* only whole lines are consumed */

    used = cr_cover_ledger(&cover, ledger, ledger_len - 1);
    assert_true(used > 0 && used < ledger_len);
    assert_true(cr_cover_has(&cover, 1000, 1000));
    assert_false(cr_cover_has(&cover, 1000, 1001));

    used += cr_cover_ledger(&cover, ledger + used, ledger_len - used);
    assert_int_equal(used, ledger_len);
    assert_true(cr_cover_has(&cover, 1999, 71));

    assert_false(cr_cover_has(&cover, 999, 2));
    part(0, 0, 1000);
    used += cr_cover_ledger(&cover, ledger + used, ledger_len - used);
    assert_int_equal(used, ledger_len);
    assert_true(cr_cover_has(&cover, 0, 2070));
    assert_false(cr_cover_has(&cover, 0, 2071));
    assert_false(cover.again);
}


static void
what_comes_again_is_noticed(void **state)
{
    cr_cover_t  cover = { 0 };

    (void) state;

    part(1, 10, 5);
    part(2, 15, 5);
    part(1, 10, 5);
    cr_cover_ledger(&cover, ledger, ledger_len);

    assert_true(cover.again);
    assert_int_equal(cover.end, 20);

    ledger_len = 0;
    memset(&cover, 0, sizeof(cover));

    part(1, 10, 5);
    part(0, 0, 10);
    part(0, 0, 10);
    cr_cover_ledger(&cover, ledger, ledger_len);

    assert_true(cover.again);
}


static void
holes_are_no_cover(void **state)
{
    cr_cover_t  cover = { 0 };

    (void) state;

    part(2, 15, 5);
    part(1, 10, 5);
    part(3, 20, 5);
    part(2, 16, 5);
    cr_cover_ledger(&cover, ledger, ledger_len);

    assert_int_equal(cover.end, 15);

    /* a damaged line ends it */

    ledger[0] = 'x';
    assert_int_equal(cr_cover_ledger(&cover, ledger, ledger_len), 0);
}


static void
a_note_comes_back_as_it_was(void **state)
{
    char              text[CR_UPLOAD_NOTE_MAX];
    size_t            len, n;
    cr_upload_note_t  note = { 8388608, "a/b/composite.mp4", "2~x/y+z=" };
    cr_upload_note_t  back;

    (void) state;

    len = cr_upload_note(text, &note);

    assert_true(len > 0);
    assert_int_equal(cr_upload_note_parse(text, len, &back), CR_OK);
    assert_int_equal(back.part_size, note.part_size);
    assert_string_equal(back.key, note.key);
    assert_string_equal(back.upload_id, note.upload_id);

    for (n = 0; n < len; n++) {
        assert_int_equal(cr_upload_note_parse(text, n, &back), CR_INVALID);
    }

    assert_int_equal(cr_upload_note_parse("0 k i\n", 6, &back), CR_INVALID);
    assert_int_equal(cr_upload_note_parse("5x k i\n", 7, &back), CR_INVALID);
    assert_int_equal(cr_upload_note_parse("5 k i\n\n", 7, &back),
                     CR_INVALID);

    /* of the greatest lengths */

    memset(note.key, 'k', CR_UPLOAD_KEY_MAX);
    memset(note.upload_id, 'i', CR_UPLOAD_ID_MAX);
    note.part_size = UINT64_MAX;
    len = cr_upload_note(text, &note);
    assert_true(len > 0);
    assert_int_equal(cr_upload_note_parse(text, len, &back), CR_OK);
    assert_int_equal(strlen(back.upload_id), CR_UPLOAD_ID_MAX);

    strcpy(note.upload_id, "a b");
    assert_int_equal(cr_upload_note(text, &note), 0);
    strcpy(note.upload_id, "");
    assert_int_equal(cr_upload_note(text, &note), 0);
    strcpy(note.upload_id, "i");
    strcpy(note.key, "k\n");
    assert_int_equal(cr_upload_note(text, &note), 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(media_is_there_as_it_comes_the_head_at_last,
                               setup),
        cmocka_unit_test_setup(what_comes_again_is_noticed, setup),
        cmocka_unit_test_setup(holes_are_no_cover, setup),
        cmocka_unit_test(a_note_comes_back_as_it_was)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
