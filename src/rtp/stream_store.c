
/*
 * Copyright (C) The call recorder authors
 */

#include "rtp/stream_store.h"


/* Spare blocks beyond this go back to the allocator. */
#define SPARE_MAX  (64 * 1024)


void
cr_store_init(cr_store_t *store, const cr_env_t *env)
{
    unsigned  i;

    store->env = env;
    store->spare_bytes = 0;
    store->used_bytes = 0;

    for (i = 0; i < CR_STORE_CLASSES; i++) {
        store->spare[i] = NULL;
    }
}


void
cr_store_done(cr_store_t *store)
{
    unsigned           i;
    cr_store_block_t  *b;

    for (i = 0; i < CR_STORE_CLASSES; i++) {
        while ((b = store->spare[i]) != NULL) {
            store->spare[i] = b->next;
            cr_free(store->env, b);
        }
    }
}


cr_store_block_t *
cr_store_get(cr_store_t *store, size_t size)
{
    size_t             class;
    cr_store_block_t  *b;

    class = size == 0 ? 0 : (size - 1) / CR_STORE_UNIT;
    size = (class + 1) * CR_STORE_UNIT;

    if (class < CR_STORE_CLASSES && store->spare[class] != NULL) {
        b = store->spare[class];
        store->spare[class] = b->next;
        store->spare_bytes -= size;

    } else {
        b = cr_alloc(store->env, sizeof(cr_store_block_t) + size);

        if (b == NULL) {
            return NULL;
        }

        b->size = size;
    }

    store->used_bytes += size;
    return b;
}


void
cr_store_put(cr_store_t *store, cr_store_block_t *block)
{
    size_t  class;

    store->used_bytes -= block->size;

    class = block->size / CR_STORE_UNIT - 1;

    if (class >= CR_STORE_CLASSES
        || store->spare_bytes + block->size > SPARE_MAX)
    {
        cr_free(store->env, block);
        return;
    }

    block->next = store->spare[class];
    store->spare[class] = block;
    store->spare_bytes += block->size;
}
