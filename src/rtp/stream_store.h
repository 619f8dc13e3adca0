
/*
 * Copyright (C) The call recorder authors
 *
 * Where a stream keeps the bytes of packets that have to wait: blocks of a
 * few sizes, which are used again.  For stream.c only.
 */

#ifndef CR_RTP_STREAM_STORE_H
#define CR_RTP_STREAM_STORE_H


#include "base/env.h"


#define CR_STORE_UNIT     256
#define CR_STORE_CLASSES  6            /* up to 1536 bytes */


typedef struct cr_store_block_s  cr_store_block_t;


struct cr_store_block_s {
    cr_store_block_t  *next;
    size_t             size;           /* of data */
    uint8_t            data[];
};


typedef struct {
    const cr_env_t    *env;
    cr_store_block_t  *spare[CR_STORE_CLASSES];
    size_t             spare_bytes;
    size_t             used_bytes;
} cr_store_t;


void cr_store_init(cr_store_t *store, const cr_env_t *env);
/* Frees the spare blocks; those in use are the caller's to put first. */
void cr_store_done(cr_store_t *store);

/* A block with room for size bytes, or NULL. */
cr_store_block_t *cr_store_get(cr_store_t *store, size_t size);
void cr_store_put(cr_store_t *store, cr_store_block_t *block);


#endif /* CR_RTP_STREAM_STORE_H */
