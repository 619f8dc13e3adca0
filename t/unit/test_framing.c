
/*
 * Copyright (C) The call recorder authors
 *
 * Datagrams out of a TCP stream (RFC 4571), wherever it is cut.
 */


#include "stun/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>


#define MAX  300


typedef struct {
    uint8_t   bytes[4096];
    size_t    len;
    unsigned  n;                   /* datagrams, null packets apart */
    size_t    lens[16];
} stream_t;


/* What the nth datagram of this length is made of. */

static uint8_t
byte_of(unsigned n, size_t i)
{
    return (uint8_t) (n * 41 + i * 7 + 1);
}


static void
add(stream_t *s, size_t len)
{
    size_t  i;

    cr_framing_head(s->bytes + s->len, len);
    s->len += CR_FRAMING_HEAD;

    for (i = 0; i < len; i++) {
        s->bytes[s->len++] = byte_of(s->n, i);
    }

    if (len != 0) {
        s->lens[s->n++] = len;
    }
}


/* Reads all of it with cuts before the bytes a and b. */

static void
assert_read(const stream_t *s, size_t a, size_t b)
{
    size_t        cuts[4], i, k, len;
    uint8_t       buf[CR_FRAMING_HEAD + MAX], input[4096], *data, *end, *p;
    unsigned      n;
    cr_framing_t  f;

    cuts[0] = 0;
    cuts[1] = a;
    cuts[2] = b;
    cuts[3] = s->len;

    memcpy(input, s->bytes, s->len);
    cr_framing_init(&f, buf, MAX);
    n = 0;

    for (k = 0; k < 3; k++) {
        p = input + cuts[k];
        end = input + cuts[k + 1];

        while (cr_framing_next(&f, &p, end, &data, &len) == CR_OK) {
            assert_in_range(n, 0, s->n - 1);
            assert_int_equal(len, s->lens[n]);

            for (i = 0; i < len; i++) {
                assert_int_equal(data[i], byte_of(n, i));
            }

            n++;
        }

        assert_ptr_equal(p, end);
    }

    assert_int_equal(n, s->n);
    assert_int_equal(f.have, 0);
    assert_int_equal(cr_framing_want(&f), CR_FRAMING_HEAD);
}


static void
datagrams_come_out_wherever_the_stream_is_cut(void **state)
{
    size_t    a, b;
    stream_t  s = { 0 };

    (void) state;

    add(&s, 20);
    add(&s, 0);
    add(&s, 1);
    add(&s, 0);
    add(&s, 0);
    add(&s, 30);

    for (a = 0; a <= s.len; a++) {
        for (b = a; b <= s.len; b++) {
            assert_read(&s, a, b);
        }
    }
}


static void
the_longest_one_is_taken(void **state)
{
    size_t    a;
    stream_t  s = { 0 };

    (void) state;

    add(&s, MAX);
    add(&s, 1);
    add(&s, MAX);

    for (a = 0; a <= s.len; a++) {
        assert_read(&s, a, s.len);
    }
}


static void
one_that_is_longer_is_refused_at_its_head(void **state)
{
    size_t        cut, len, max;
    uint8_t       buf[CR_FRAMING_HEAD + MAX], head[2], *data, *p;
    cr_framing_t  f;

    (void) state;

    for (max = MAX + 1; max <= 65535; max += 65535 - MAX - 1) {
        for (cut = 0; cut <= 2; cut++) {
            cr_framing_init(&f, buf, MAX);
            cr_framing_head(head, max);
            p = head;

            if (cut != 2) {
                assert_int_equal(cr_framing_next(&f, &p, head + cut, &data,
                                                 &len), CR_AGAIN);
            }

            assert_int_equal(cr_framing_next(&f, &p, head + 2, &data, &len),
                             CR_LIMIT);
        }
    }
}


static void
what_is_wanted_is_never_more_than_one_datagram(void **state)
{
    size_t        len, pos, want;
    uint8_t       buf[CR_FRAMING_HEAD + MAX], *data, *p;
    stream_t      s = { 0 };
    unsigned      n;
    cr_status_e   status;
    cr_framing_t  f;

    (void) state;

    add(&s, 77);
    add(&s, 0);
    add(&s, 200);

    cr_framing_init(&f, buf, MAX);
    n = 0;

    for (pos = 0; pos < s.len; pos += want) {
        want = cr_framing_want(&f);
        assert_in_range(want, 1, s.len - pos);

        p = s.bytes + pos;
        status = cr_framing_next(&f, &p, s.bytes + pos + want, &data, &len);

        assert_ptr_equal(p, s.bytes + pos + want);

        if (status == CR_OK) {
            assert_int_equal(len, s.lens[n]);
            n++;
        }
    }

    assert_int_equal(n, 2);
}


static void
a_larger_maximum_may_follow(void **state)
{
    size_t        len;
    uint8_t       buf[CR_FRAMING_HEAD + MAX], *data, *p;
    stream_t      s = { 0 };
    cr_framing_t  f;

    (void) state;

    add(&s, 100);
    add(&s, 200);

    cr_framing_init(&f, buf, 100);
    p = s.bytes;

    assert_int_equal(cr_framing_next(&f, &p, s.bytes + s.len, &data, &len),
                     CR_OK);
    assert_int_equal(len, 100);

    f.max = MAX;

    assert_int_equal(cr_framing_next(&f, &p, s.bytes + s.len, &data, &len),
                     CR_OK);
    assert_int_equal(len, 200);
    assert_int_equal(cr_framing_next(&f, &p, s.bytes + s.len, &data, &len),
                     CR_AGAIN);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(datagrams_come_out_wherever_the_stream_is_cut),
        cmocka_unit_test(the_longest_one_is_taken),
        cmocka_unit_test(one_that_is_longer_is_refused_at_its_head),
        cmocka_unit_test(what_is_wanted_is_never_more_than_one_datagram),
        cmocka_unit_test(a_larger_maximum_may_follow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
