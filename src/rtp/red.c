
/*
 * Copyright (C) The call recorder authors
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |1|  block PT   |     timestamp offset      |   block length    |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |0|  block PT   |  the last one, RFC 2198 section 3
 *     +-+-+-+-+-+-+-+-+
 */

#include "rtp/red.h"


#define CR_RED_F       0x80
#define CR_RED_PT      0x7f
#define CR_RED_LENGTH  10            /* bits */


unsigned
cr_red_parse(const cr_slice_t *payload, uint32_t timestamp,
    cr_red_block_t blocks[CR_RED_MAX])
{
    size_t          len[CR_RED_MAX];
    uint8_t         head;
    uint32_t        v;
    unsigned        i, n;
    const uint8_t  *p, *end;

    p = payload->data;
    end = p + payload->len;

    for (n = 0; n < CR_RED_MAX; n++) {
        p = cr_read_u8(p, end, &head);

        if (p == NULL) {
            return 0;
        }

        blocks[n].pt = head & CR_RED_PT;

        if (!(head & CR_RED_F)) {
            break;
        }

        p = cr_read_u24(p, end, &v);

        if (p == NULL) {
            return 0;
        }

        blocks[n].timestamp = timestamp - (v >> CR_RED_LENGTH);
        len[n] = v & ((1u << CR_RED_LENGTH) - 1);
    }

    if (n == CR_RED_MAX) {
        return 0;
    }

    for (i = 0; i < n; i++) {
        p = cr_read_bytes(p, end, len[i], &blocks[i].payload);

        if (p == NULL) {
            return 0;
        }
    }

    blocks[n].timestamp = timestamp;
    blocks[n].payload.data = p;
    blocks[n].payload.len = (size_t) (end - p);

    return n + 1;
}
