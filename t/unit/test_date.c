
/*
 * Copyright (C) The call recorder authors
 *
 * Date-times of RFC 3339 as others write them; those of the journal are in
 * test_journal.c.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/date.h"


static void
date(const char *text, int64_t expected)
{
    int64_t  at = -1;

    assert_int_equal(cr_date_parse(text, strlen(text), &at),
                     expected == -1 ? CR_INVALID : CR_OK);
    assert_true(at == expected);
}


static void
they_have_zones_and_fractions(void **state)
{
    (void) state;

    date("1970-01-01T00:00:00Z", 0);
    date("2026-11-22T23:00:00Z", 1795388400000);
    date("2026-11-22T23:00:00.5Z", 1795388400500);
    date("2026-11-22T23:00:00.123456Z", 1795388400123);
    date("2026-11-23T00:30:00+01:30", 1795388400000);
    date("2026-11-22T21:00:00.040-02:00", 1795388400040);
    date("1969-12-31T23:59:58Z", -2000);
}


static void
other_forms_are_refused(void **state)
{
    unsigned  i;

    static const char *const  texts[] = {
        "", "2026-11-22T23:00:00", "2026-11-22 23:00:00Z",
        "2026-13-22T23:00:00Z", "2026-11-22T23:00:00.Zx",
        "2026-11-22T23:00:00+0130", "2026-11-22T23:00:00+01:3x",
        "2026-11-22T23:00:00.5", "2026-11-22T23:00:00ZZ"
    };

    (void) state;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        date(texts[i], -1);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(they_have_zones_and_fractions),
        cmocka_unit_test(other_forms_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
