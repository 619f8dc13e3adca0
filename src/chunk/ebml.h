
/*
 * Copyright (C) The call recorder authors
 *
 * EBML elements (RFC 8794), written into a cr_writer_t.
 */

#ifndef CR_EBML_H
#define CR_EBML_H


#include "base/bytes.h"


/* Ids are written as RFC 9559 prints them, their length marker included. */
void cr_ebml_id(cr_writer_t *w, uint32_t id);

/* A size in as few bytes as it takes, up to 2^28 - 2. */
void cr_ebml_size(cr_writer_t *w, uint32_t size);

void cr_ebml_uint(cr_writer_t *w, uint32_t id, uint64_t v);
void cr_ebml_float(cr_writer_t *w, uint32_t id, double v);
void cr_ebml_string(cr_writer_t *w, uint32_t id, const char *s);
void cr_ebml_binary(cr_writer_t *w, uint32_t id, const uint8_t *data,
    size_t len);

/* A master element: its size is patched in by _end(). */
uint8_t *cr_ebml_begin(cr_writer_t *w, uint32_t id);
void cr_ebml_end(cr_writer_t *w, uint8_t *size);

/* An 8-byte size at p. */
void cr_ebml_put_size8(uint8_t *p, uint64_t size);


#endif /* CR_EBML_H */
