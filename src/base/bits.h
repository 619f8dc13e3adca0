
/*
 * Copyright (C) The call recorder authors
 *
 * Bit fields of codec headers, the most significant bit first.
 */

#ifndef CR_BITS_H
#define CR_BITS_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>


/* Reads past the end are zeroes and set the flag. */
typedef struct {
    const uint8_t  *data;
    size_t          len;             /* in bits */
    size_t          pos;
    bool            overflow;
} cr_bits_t;


static inline void
cr_bits_init(cr_bits_t *b, const uint8_t *data, size_t len)
{
    b->data = data;
    b->len = len * 8;
    b->pos = 0;
    b->overflow = false;
}


static inline uint32_t
cr_bits_u(cr_bits_t *b, unsigned n)
{
    uint32_t  v;

    v = 0;

    while (n-- != 0) {
        v <<= 1;

        if (b->pos >= b->len) {
            b->overflow = true;
            continue;
        }

        v |= b->data[b->pos / 8] >> (7 - b->pos % 8) & 1;
        b->pos++;
    }

    return v;
}


/* ITU-T H.264 and H.265 section 9.1 and 9.2, ue(v) up to 2^32 - 2; AV1
 * section 4.10.3, uvlc(). */
static inline uint32_t
cr_bits_ue(cr_bits_t *b)
{
    unsigned  zeroes;

    zeroes = 0;

    while (cr_bits_u(b, 1) == 0) {
        if (b->overflow || ++zeroes > 31) {
            b->overflow = true;
            return 0;
        }
    }

    return (uint32_t) ((UINT64_C(1) << zeroes) - 1 + cr_bits_u(b, zeroes));
}


static inline int64_t
cr_bits_se(cr_bits_t *b)
{
    int64_t  v;

    v = cr_bits_ue(b);

    return v & 1 ? (v + 1) / 2 : -(v / 2);
}


/*
 * ITU-T H.264 and H.265 section 7.4.1.1 and 7.4.2: the bytes behind the NAL
 * header of head bytes without emulation prevention, as many as there is
 * room for.
 */
static inline void
cr_bits_rbsp(cr_bits_t *b, const uint8_t *nal, size_t len, size_t head,
    uint8_t *buf, size_t size)
{
    size_t    i, n;
    unsigned  zeroes;

    zeroes = 0;
    n = 0;

    for (i = head; i < len && n < size; i++) {

        if (zeroes >= 2 && nal[i] == 3) {
            zeroes = 0;
            continue;
        }

        zeroes = nal[i] == 0 ? zeroes + 1 : 0;
        buf[n++] = nal[i];
    }

    cr_bits_init(b, buf, n);
}


#endif /* CR_BITS_H */
