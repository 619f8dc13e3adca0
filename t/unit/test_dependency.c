
/*
 * Copyright (C) The call recorder authors
 *
 * Dependency descriptors, written bit by bit.
 */

#include "rtp/dependency.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>


typedef struct {
    unsigned  n;                        /* bits */
    uint8_t   data[256];
} bits_t;


static void
put(bits_t *b, uint32_t v, unsigned n)
{
    while (n-- != 0) {
        b->data[b->n / 8] |= (uint8_t) ((v >> n & 1) << (7 - b->n % 8));
        b->n++;
    }
}


static void
mandatory(bits_t *b, bool start, bool end, unsigned id, unsigned number)
{
    memset(b, 0, sizeof(bits_t));
    put(b, start, 1);
    put(b, end, 1);
    put(b, id, 6);
    put(b, number, 16);
}


static void
flags(bits_t *b, bool structure, bool active, bool dtis, bool fdiffs,
    bool chains)
{
    put(b, structure, 1);
    put(b, active, 1);
    put(b, dtis, 1);
    put(b, fdiffs, 1);
    put(b, chains, 1);
}


/* One spatial layer, two temporal ones: L1T2 of the document's A.8.3.1. */
static void
l1t2(bits_t *b, unsigned offset)
{
    put(b, offset, 6);
    put(b, 1, 5);                       /* two decode targets */

    put(b, 0, 2);                       /* keyframe, and T0 behind it */
    put(b, 1, 2);                       /* T1 */
    put(b, 3, 2);

    put(b, 2, 2), put(b, 2, 2);         /* SS */
    put(b, 3, 2), put(b, 3, 2);         /* RR */
    put(b, 0, 2), put(b, 1, 2);         /* -D */

    put(b, 0, 1);                       /* needs nothing */
    put(b, 1, 1), put(b, 1, 4), put(b, 0, 1);   /* the second before it */
    put(b, 1, 1), put(b, 0, 4), put(b, 0, 1);   /* the one before it */

    put(b, 1, 1), put(b, 0, 1);         /* one chain: ns(3) of 1 is "10" */
                                        /* ns(1): no bits */
    put(b, 0, 4), put(b, 2, 4), put(b, 1, 4);

    put(b, 1, 1);
    put(b, 639, 16), put(b, 359, 16);
}


static cr_status_e
parse(const bits_t *b, cr_dependency_structure_t *s, cr_dependency_t *d)
{
    size_t       len;
    uint8_t     *copy;
    cr_slice_t   value;
    cr_status_e  rc;

    len = (b->n + 7) / 8;
    copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, b->data, len);

    value.data = copy;
    value.len = len;
    rc = cr_dependency_parse(&value, s, d);
    free(copy);

    return rc;
}


static void
templates_say_what_a_frame_needs(void **state)
{
    bits_t                     b;
    cr_dependency_t            d;
    cr_dependency_structure_t  s;

    (void) state;
    memset(&s, 0, sizeof(s));

    mandatory(&b, true, false, 60, 65535);
    flags(&b, true, false, false, false, false);
    l1t2(&b, 60);
    assert_int_equal(parse(&b, &s, &d), CR_OK);
    assert_true(d.start);
    assert_false(d.end);
    assert_true(d.structure);
    assert_int_equal(d.number, 65535);
    assert_int_equal(d.nfdiffs, 0);
    assert_int_equal(d.present, 3);
    assert_int_equal(d.discardable, 0);
    assert_int_equal(s.ntemplates, 3);
    assert_int_equal(s.ntargets, 2);
    assert_int_equal(s.nchains, 1);

    /* ids go round: 60 + 2 */
    mandatory(&b, true, true, 62, 0);
    assert_int_equal(parse(&b, &s, &d), CR_OK);
    assert_int_equal(d.temporal, 1);
    assert_int_equal(d.nfdiffs, 1);
    assert_int_equal(d.fdiffs[0], 1);
    assert_int_equal(d.present, 2);
    assert_int_equal(d.discardable, 2);
    assert_false(d.structure);

    mandatory(&b, true, true, 61, 1);
    assert_int_equal(parse(&b, &s, &d), CR_OK);
    assert_int_equal(d.temporal, 0);
    assert_int_equal(d.nfdiffs, 1);
    assert_int_equal(d.fdiffs[0], 2);
}


static void
a_frame_may_say_it_itself(void **state)
{
    bits_t                     b;
    cr_dependency_t            d;
    cr_dependency_structure_t  s;

    (void) state;
    memset(&s, 0, sizeof(s));

    mandatory(&b, true, true, 3, 1);
    flags(&b, true, false, false, false, false);
    l1t2(&b, 3);
    assert_int_equal(parse(&b, &s, &d), CR_OK);

    mandatory(&b, true, true, 4, 9);
    flags(&b, false, true, true, true, true);
    put(&b, 1, 2);                      /* active_decode_targets_bitmask */
    put(&b, 3, 2), put(&b, 0, 2);       /* R- */
    put(&b, 1, 2), put(&b, 3, 4);       /* 4 before it */
    put(&b, 2, 2), put(&b, 0x20, 8);    /* 33 */
    put(&b, 3, 2), put(&b, 0xfff, 12);  /* 4096 */
    put(&b, 0, 2);
    put(&b, 7, 8);                      /* the chain's */

    assert_int_equal(parse(&b, &s, &d), CR_OK);
    assert_int_equal(d.present, 1);
    assert_int_equal(d.discardable, 0);
    assert_int_equal(d.nfdiffs, 3);
    assert_int_equal(d.fdiffs[0], 4);
    assert_int_equal(d.fdiffs[1], 33);
    assert_int_equal(d.fdiffs[2], 4096);
}


static void
without_its_structure_it_has_a_number(void **state)
{
    bits_t                     b;
    cr_dependency_t            d;
    cr_dependency_structure_t  s;

    (void) state;
    memset(&s, 0, sizeof(s));

    mandatory(&b, true, false, 5, 77);
    assert_int_equal(parse(&b, &s, &d), CR_AGAIN);
    assert_true(d.start);
    assert_int_equal(d.number, 77);
}


static void
what_is_cut_or_too_much_changes_nothing(void **state)
{
    bits_t                     b, whole;
    unsigned                   i;
    cr_dependency_t            d;
    cr_dependency_structure_t  s, before;

    (void) state;
    memset(&s, 0, sizeof(s));

    mandatory(&whole, true, true, 3, 1);
    flags(&whole, true, false, false, false, false);
    l1t2(&whole, 3);
    assert_int_equal(parse(&whole, &s, &d), CR_OK);
    before = s;

    for (i = 0; i + 8 <= whole.n; i += 8) {
        b = whole;
        b.n = i;

        if (i == 24) {
            /* a descriptor without more: of the structure before */
            assert_int_equal(parse(&b, &s, &d), CR_OK);

        } else {
            assert_int_equal(parse(&b, &s, &d), CR_INVALID);
        }

        assert_memory_equal(&s, &before, sizeof(s));
    }

    /* templates without end */
    mandatory(&b, true, true, 0, 1);
    flags(&b, true, false, false, false, false);
    put(&b, 0, 11);

    for (i = 0; i < 900; i++) {
        put(&b, 0, 2);
    }

    assert_int_equal(parse(&b, &s, &d), CR_INVALID);

    /* temporal layers without end */
    mandatory(&b, true, true, 0, 1);
    flags(&b, true, false, false, false, false);
    put(&b, 0, 11);

    for (i = 0; i < 20; i++) {
        put(&b, 1, 2);
    }

    put(&b, 3, 2);
    b.n += 800;
    assert_int_equal(parse(&b, &s, &d), CR_INVALID);
    assert_memory_equal(&s, &before, sizeof(s));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(templates_say_what_a_frame_needs),
        cmocka_unit_test(a_frame_may_say_it_itself),
        cmocka_unit_test(without_its_structure_it_has_a_number),
        cmocka_unit_test(what_is_cut_or_too_much_changes_nothing)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
