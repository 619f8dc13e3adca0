
/*
 * Copyright (C) The call recorder authors
 */

#include "parity.h"

#include <string.h>


void
parity_add(parity_t *p, const uint8_t *data, size_t len)
{
    memcpy(p->data[p->n], data, len);
    p->len[p->n++] = len;
}


size_t
parity_payload(const parity_t *p, uint64_t which, uint8_t *out)
{
    bool      wide;
    size_t    head, j, longest;
    uint8_t   bits[10], mask[6];
    unsigned  base, distance, i;

    memset(bits, 0, sizeof(bits));
    memset(mask, 0, sizeof(mask));
    longest = 0;
    base = 65536;
    wide = false;

    /* section 7.3: of each packet's first 8 bytes, the numbers replaced by
     * its length behind the first 12 */

    for (i = 0; i < p->n; i++) {
        if (!(which >> i & 1)) {
            continue;
        }

        if (base == 65536) {
            base = (unsigned) (p->data[i][2] << 8 | p->data[i][3]);
        }

        distance = ((unsigned) (p->data[i][2] << 8 | p->data[i][3]) - base)
                   & 0xffff;
        mask[distance / 8] |= (uint8_t) (0x80 >> distance % 8);
        wide |= distance >= 16;

        bits[0] ^= p->data[i][0];
        bits[1] ^= p->data[i][1];

        for (j = 4; j < 8; j++) {
            bits[j] ^= p->data[i][j];
        }

        bits[8] ^= (uint8_t) ((p->len[i] - 12) >> 8);
        bits[9] ^= (uint8_t) (p->len[i] - 12);

        if (p->len[i] - 12 > longest) {
            longest = p->len[i] - 12;
        }
    }

    bits[0] = (uint8_t) ((bits[0] & 0x3f) | (wide ? 0x40 : 0));
    bits[2] = (uint8_t) (base >> 8);
    bits[3] = (uint8_t) base;

    memcpy(out, bits, 10);
    out[10] = (uint8_t) (longest >> 8);
    out[11] = (uint8_t) longest;
    memcpy(out + 12, mask, wide ? 6 : 2);

    head = wide ? 18 : 14;
    memset(out + head, 0, longest);

    for (i = 0; i < p->n; i++) {
        for (j = 12; (which >> i & 1) && j < p->len[i]; j++) {
            out[head + j - 12] ^= p->data[i][j];
        }
    }

    return head + longest;
}
