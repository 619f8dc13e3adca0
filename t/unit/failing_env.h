
/*
 * Copyright (C) The call recorder authors
 *
 * A cr_env_t of tests: counts what is allocated and fails on demand.
 */

#ifndef FAILING_ENV_H
#define FAILING_ENV_H


#include "base/env.h"

#include <stdlib.h>
#include <string.h>


typedef struct {
    unsigned  fail_at;             /* the n-th allocation, from 1; 0: never */
    unsigned  count;
    int       live;
} failing_env_t;


static inline void *
failing_env_alloc(void *ctx, size_t size)
{
    void           *p;
    failing_env_t  *e = ctx;

    if (++e->count == e->fail_at) {
        return NULL;
    }

    p = calloc(1, size);
    if (p != NULL) {
        e->live++;
    }

    return p;
}


static inline void
failing_env_free(void *ctx, void *p)
{
    failing_env_t  *e = ctx;

    if (p != NULL) {
        e->live--;
        free(p);
    }
}


static inline void
failing_env_random(void *ctx, uint8_t *p, size_t len)
{
    (void) ctx;

    memset(p, 0x5a, len);
}


static inline cr_env_t
failing_env(failing_env_t *e, unsigned fail_at)
{
    memset(e, 0, sizeof(failing_env_t));
    e->fail_at = fail_at;

    return (cr_env_t) {
        failing_env_alloc, failing_env_free, failing_env_random, e
    };
}


#endif /* FAILING_ENV_H */
