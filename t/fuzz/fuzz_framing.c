
/*
 * Copyright (C) The call recorder authors
 *
 * A stream of RFC 4571 frames in pieces: the first byte says how it is cut.
 * However it is, the same datagrams come out, and none is too long.
 */


#include "stun/frame.h"
#include "fuzz.h"


#define MAX  96


typedef struct {
    size_t       n;
    uint32_t     sum;         /* of all that came out, in order */
    cr_status_e  status;
} result_t;


static void
count(result_t *r, const uint8_t *data, size_t len)
{
    size_t  i;

    if (len == 0 || len > MAX) {
        abort();
    }

    r->n++;

    for (i = 0; i < len; i++) {
        r->sum = r->sum * 31 + data[i];
    }
}


static result_t
read_in_pieces(const uint8_t *data, size_t size, size_t piece, bool wanted)
{
    size_t        i, len, n;
    uint8_t       buf[CR_FRAMING_HEAD + MAX], *end, *out, *p, *copy;
    result_t      r = { 0, 0, CR_AGAIN };
    cr_framing_t  f;

    cr_framing_init(&f, buf, MAX);

    for (i = 0; i < size && r.status == CR_AGAIN; i += n) {
        n = wanted ? cr_framing_want(&f) : piece;

        if (n == 0) {
            abort();
        }

        if (n > size - i) {
            n = size - i;
        }

        copy = fuzz_copy(data + i, n);
        p = copy;
        end = copy + n;

        do {
            r.status = cr_framing_next(&f, &p, end, &out, &len);

            if (r.status == CR_OK) {
                count(&r, out, len);
            }

            if (wanted && r.status == CR_OK && p != end) {
                abort();
            }
        } while (r.status == CR_OK);

        if (r.status == CR_AGAIN && p != end) {
            abort();
        }

        free(copy);
    }

    return r;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    result_t  cut, exact, whole;

    if (size < 2) {
        return 0;
    }

    whole = read_in_pieces(data + 1, size - 1, size, false);
    cut = read_in_pieces(data + 1, size - 1, data[0] % 64 + 1, false);
    exact = read_in_pieces(data + 1, size - 1, 0, true);

    if (cut.n != whole.n || cut.sum != whole.sum
        || cut.status != whole.status || exact.n != whole.n
        || exact.sum != whole.sum || exact.status != whole.status)
    {
        abort();
    }

    return 0;
}
