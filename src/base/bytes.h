
/*
 * Copyright (C) The call recorder authors
 *
 * Bounded big-endian readers and writers.  A reader takes the position, the
 * end and where to put the value; it returns the new position, or NULL when
 * the bytes do not reach, and passes a NULL position through, so that calls
 * may be chained and checked once.
 */

#ifndef CR_BYTES_H
#define CR_BYTES_H


#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <string.h>


/* A view of somebody else's bytes; not NUL-terminated. */
typedef struct {
    const uint8_t  *data;
    size_t          len;
} cr_slice_t;


/* Bytes are written while they fit; one overflow makes all that follows
 * void, so the caller checks .overflow once at the end. */
typedef struct {
    uint8_t  *start;
    uint8_t  *pos;
    uint8_t  *end;
    bool      overflow;
} cr_writer_t;


static inline uint16_t
cr_get_u16(const uint8_t *p)
{
    return (uint16_t) (p[0] << 8 | p[1]);
}


static inline uint32_t
cr_get_u24(const uint8_t *p)
{
    return (uint32_t) p[0] << 16 | (uint32_t) p[1] << 8 | p[2];
}


static inline uint32_t
cr_get_u32(const uint8_t *p)
{
    return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16
           | (uint32_t) p[2] << 8 | p[3];
}


static inline uint64_t
cr_get_u64(const uint8_t *p)
{
    return (uint64_t) cr_get_u32(p) << 32 | cr_get_u32(p + 4);
}


static inline void
cr_put_u16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t) (v >> 8);
    p[1] = (uint8_t) v;
}


static inline void
cr_put_u24(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t) (v >> 16);
    p[1] = (uint8_t) (v >> 8);
    p[2] = (uint8_t) v;
}


static inline void
cr_put_u32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t) (v >> 24);
    p[1] = (uint8_t) (v >> 16);
    p[2] = (uint8_t) (v >> 8);
    p[3] = (uint8_t) v;
}


static inline void
cr_put_u64(uint8_t *p, uint64_t v)
{
    cr_put_u32(p, (uint32_t) (v >> 32));
    cr_put_u32(p + 4, (uint32_t) v);
}


static inline const uint8_t *
cr_read_u8(const uint8_t *p, const uint8_t *end, uint8_t *v)
{
    if (p == NULL || end - p < 1) {
        return NULL;
    }

    *v = p[0];
    return p + 1;
}


static inline const uint8_t *
cr_read_u16(const uint8_t *p, const uint8_t *end, uint16_t *v)
{
    if (p == NULL || end - p < 2) {
        return NULL;
    }

    *v = cr_get_u16(p);
    return p + 2;
}


static inline const uint8_t *
cr_read_u24(const uint8_t *p, const uint8_t *end, uint32_t *v)
{
    if (p == NULL || end - p < 3) {
        return NULL;
    }

    *v = cr_get_u24(p);
    return p + 3;
}


static inline const uint8_t *
cr_read_u32(const uint8_t *p, const uint8_t *end, uint32_t *v)
{
    if (p == NULL || end - p < 4) {
        return NULL;
    }

    *v = cr_get_u32(p);
    return p + 4;
}


/* A view of the next len bytes. */
static inline const uint8_t *
cr_read_bytes(const uint8_t *p, const uint8_t *end, size_t len, cr_slice_t *v)
{
    if (p == NULL || (size_t) (end - p) < len) {
        return NULL;
    }

    v->data = p;
    v->len = len;
    return p + len;
}


static inline void
cr_writer_init(cr_writer_t *w, uint8_t *buf, size_t size)
{
    w->start = buf;
    w->pos = buf;
    w->end = buf + size;
    w->overflow = false;
}


/* Reserves len bytes and returns where they start, or NULL on overflow. */
static inline uint8_t *
cr_writer_take(cr_writer_t *w, size_t len)
{
    uint8_t  *p;

    if (w->overflow || (size_t) (w->end - w->pos) < len) {
        w->overflow = true;
        return NULL;
    }

    p = w->pos;
    w->pos += len;
    return p;
}


static inline void
cr_write_u8(cr_writer_t *w, uint8_t v)
{
    uint8_t  *p = cr_writer_take(w, 1);

    if (p != NULL) {
        *p = v;
    }
}


static inline void
cr_write_u16(cr_writer_t *w, uint16_t v)
{
    uint8_t  *p = cr_writer_take(w, 2);

    if (p != NULL) {
        cr_put_u16(p, v);
    }
}


static inline void
cr_write_u24(cr_writer_t *w, uint32_t v)
{
    uint8_t  *p = cr_writer_take(w, 3);

    if (p != NULL) {
        cr_put_u24(p, v);
    }
}


static inline void
cr_write_u32(cr_writer_t *w, uint32_t v)
{
    uint8_t  *p = cr_writer_take(w, 4);

    if (p != NULL) {
        cr_put_u32(p, v);
    }
}


static inline void
cr_write_u64(cr_writer_t *w, uint64_t v)
{
    uint8_t  *p = cr_writer_take(w, 8);

    if (p != NULL) {
        cr_put_u64(p, v);
    }
}


static inline void
cr_write_bytes(cr_writer_t *w, const void *data, size_t len)
{
    uint8_t  *p = cr_writer_take(w, len);

    if (p != NULL && len != 0) {
        memcpy(p, data, len);
    }
}


static inline size_t
cr_writer_len(const cr_writer_t *w)
{
    return (size_t) (w->pos - w->start);
}


#endif /* CR_BYTES_H */
