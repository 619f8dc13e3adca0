
/*
 * Copyright (C) The call recorder authors
 */

#include "chunk/ebml.h"


void
cr_ebml_id(cr_writer_t *w, uint32_t id)
{
    if (id > 0xffffff) {
        cr_write_u32(w, id);

    } else if (id > 0xffff) {
        cr_write_u24(w, id);

    } else if (id > 0xff) {
        cr_write_u16(w, (uint16_t) id);

    } else {
        cr_write_u8(w, (uint8_t) id);
    }
}


void
cr_ebml_size(cr_writer_t *w, uint32_t size)
{
    /* all ones means "unknown" */

    if (size < 0x7f) {
        cr_write_u8(w, (uint8_t) (0x80 | size));

    } else if (size < 0x3fff) {
        cr_write_u16(w, (uint16_t) (0x4000 | size));

    } else if (size < 0x1fffff) {
        cr_write_u24(w, 0x200000 | size);

    } else {
        cr_write_u32(w, 0x10000000 | size);
    }
}


void
cr_ebml_uint(cr_writer_t *w, uint32_t id, uint64_t v)
{
    unsigned  n;

    n = 1;

    while (n < 8 && v >> (n * 8) != 0) {
        n++;
    }

    cr_ebml_id(w, id);
    cr_ebml_size(w, n);

    while (n-- != 0) {
        cr_write_u8(w, (uint8_t) (v >> (n * 8)));
    }
}


void
cr_ebml_float(cr_writer_t *w, uint32_t id, double v)
{
    uint64_t  bits;

    memcpy(&bits, &v, sizeof(bits));

    cr_ebml_id(w, id);
    cr_ebml_size(w, sizeof(bits));
    cr_write_u64(w, bits);
}


void
cr_ebml_string(cr_writer_t *w, uint32_t id, const char *s)
{
    cr_ebml_binary(w, id, (const uint8_t *) s, strlen(s));
}


void
cr_ebml_binary(cr_writer_t *w, uint32_t id, const uint8_t *data, size_t len)
{
    cr_ebml_id(w, id);
    cr_ebml_size(w, (uint32_t) len);
    cr_write_bytes(w, data, len);
}


uint8_t *
cr_ebml_begin(cr_writer_t *w, uint32_t id)
{
    cr_ebml_id(w, id);

    return cr_writer_take(w, 4);
}


void
cr_ebml_end(cr_writer_t *w, uint8_t *size)
{
    if (size != NULL) {
        cr_put_u32(size, 0x10000000 | (uint32_t) (w->pos - size - 4));
    }
}


void
cr_ebml_put_size8(uint8_t *p, uint64_t size)
{
    cr_put_u64(p, UINT64_C(0x0100000000000000) | size);
}
