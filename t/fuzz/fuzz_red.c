
/*
 * Copyright (C) The call recorder authors
 *
 * Sound with redundancy as a hostile peer sends it.
 */


#include "rtp/red.h"
#include "fuzz.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t          i, sum;
    unsigned        bits, j, n;
    cr_slice_t      payload;
    cr_red_block_t  blocks[CR_RED_MAX];

    payload.data = data;
    payload.len = size;

    n = cr_red_parse(&payload, 1000, blocks);

    if (n > CR_RED_MAX) {
        abort();
    }

    sum = 0;
    bits = 0;

    for (j = 0; j < n; j++) {
        sum += blocks[j].payload.len;

        for (i = 0; i < blocks[j].payload.len; i++) {
            bits |= blocks[j].payload.data[i];
        }
    }

    /* each has a head of its own */
    if (bits > 0xff || (n != 0 && sum + 4 * (n - 1) + 1 != size)) {
        abort();
    }

    return 0;
}
