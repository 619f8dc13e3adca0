
/*
 * Copyright (C) The call recorder authors
 *
 * What fuzzers have in common.
 */

#ifndef FUZZ_H
#define FUZZ_H


#include "base/bytes.h"
#include "../heap.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


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
