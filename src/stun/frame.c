
/*
 * Copyright (C) The call recorder authors
 *
 *     0                   1
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 ...        (RFC 4571 section 2)
 *    +-------------------------------+------------------------
 *    |            LENGTH             |  STUN, DTLS, RTP or RTCP
 *    +-------------------------------+------------------------
 */

#include "stun/frame.h"


static bool cr_framing_fill(cr_framing_t *f, size_t size, uint8_t **pos,
    const uint8_t *end);


void
cr_framing_init(cr_framing_t *f, uint8_t *buf, size_t max)
{
    f->buf = buf;
    f->max = max;
    f->have = 0;
}


size_t
cr_framing_want(const cr_framing_t *f)
{
    if (f->have < CR_FRAMING_HEAD) {
        return CR_FRAMING_HEAD - f->have;
    }

    return CR_FRAMING_HEAD + cr_get_u16(f->buf) - f->have;
}


cr_status_e
cr_framing_next(cr_framing_t *f, uint8_t **pos, uint8_t *end,
    uint8_t **data, size_t *len)
{
    size_t  n;

    for ( ;; ) {

        if (f->have == 0 && end - *pos >= CR_FRAMING_HEAD) {
            n = cr_get_u16(*pos);

            if (n > f->max) {
                return CR_LIMIT;
            }

            if ((size_t) (end - *pos) >= CR_FRAMING_HEAD + n) {

                /* whole where it lies: nothing to copy */

                *data = *pos + CR_FRAMING_HEAD;
                *len = n;
                *pos = *data + n;

                if (n != 0) {
                    return CR_OK;
                }

                continue;
            }
        }

        if (!cr_framing_fill(f, CR_FRAMING_HEAD, pos, end)) {
            return CR_AGAIN;
        }

        n = cr_get_u16(f->buf);

        if (n > f->max) {
            return CR_LIMIT;
        }

        if (!cr_framing_fill(f, CR_FRAMING_HEAD + n, pos, end)) {
            return CR_AGAIN;
        }

        f->have = 0;

        if (n != 0) {
            *data = f->buf + CR_FRAMING_HEAD;
            *len = n;
            return CR_OK;
        }
    }
}


/* Whether the buffer has size bytes now. */
static bool
cr_framing_fill(cr_framing_t *f, size_t size, uint8_t **pos,
    const uint8_t *end)
{
    size_t  n;

    if (f->have < size && *pos != end) {
        n = size - f->have;

        if (n > (size_t) (end - *pos)) {
            n = (size_t) (end - *pos);
        }

        memcpy(f->buf + f->have, *pos, n);
        f->have += n;
        *pos += n;
    }

    return f->have >= size;
}
