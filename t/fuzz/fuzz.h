
/*
 * Copyright (C) The call recorder authors
 *
 * What fuzzers have in common.
 */

#ifndef FUZZ_H
#define FUZZ_H


#include "base/bytes.h"
#include "base/env.h"

#include <stdlib.h>


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static inline void *
fuzz_alloc(void *ctx, size_t size)
{
    (void) ctx;

    return calloc(1, size);
}


static inline void
fuzz_free(void *ctx, void *p)
{
    (void) ctx;

    free(p);
}


static const cr_env_t  fuzz_env = { fuzz_alloc, fuzz_free, NULL, NULL };


/* A block of its own, so that ASan sees what is read behind it; free() it. */
static inline uint8_t *
fuzz_copy(const uint8_t *data, size_t len)
{
    uint8_t  *copy;

    copy = malloc(len != 0 ? len : 1);

    if (copy == NULL) {
        abort();
    }

    if (len != 0) {
        memcpy(copy, data, len);
    }

    return copy;
}


#endif /* FUZZ_H */
