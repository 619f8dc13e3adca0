
/*
 * Copyright (C) The call recorder authors
 *
 * The C library's heap as what src/ asks for.
 */

#ifndef CR_TEST_HEAP_H
#define CR_TEST_HEAP_H


#include <stdlib.h>

#include "base/env.h"


static inline void *
heap_alloc(void *ctx, size_t size)
{
    (void) ctx;

    return calloc(1, size);
}


static inline void
heap_free(void *ctx, void *p)
{
    (void) ctx;

    free(p);
}


/* Without entropy, for what asks for none. */
static const cr_env_t  heap_env = { heap_alloc, heap_free, NULL, NULL };


#endif /* CR_TEST_HEAP_H */
