
/*
 * Copyright (C) The call recorder authors
 *
 * The environment that tests give to src/: memory that is counted and can
 * run out at the n-th call, and bytes that are the same in every run.
 */

#ifndef CR_TEST_ENV_H
#define CR_TEST_ENV_H


#include <stdlib.h>

#include "base/env.h"


typedef struct {
    cr_env_t  env;
    long      calls;              /* of alloc() */
    long      fail_at;            /* this call fails, 0: none does */
    long      live;               /* not freed yet */
    uint64_t  seed;
} test_env_t;


static inline void *
test_env_alloc(void *ctx, size_t size)
{
    test_env_t  *t = ctx;
    void        *p;

    if (++t->calls == t->fail_at) {
        return NULL;
    }

    p = calloc(1, size);

    if (p != NULL) {
        t->live++;
    }

    return p;
}


static inline void
test_env_free(void *ctx, void *p)
{
    test_env_t  *t = ctx;

    if (p != NULL) {
        t->live--;
        free(p);
    }
}


/* splitmix64 */
static inline uint64_t
test_env_next(test_env_t *t)
{
    uint64_t  z;

    t->seed += 0x9e3779b97f4a7c15;
    z = t->seed;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;

    return z ^ (z >> 31);
}


static inline void
test_env_random(void *ctx, uint8_t *p, size_t len)
{
    while (len-- != 0) {
        *p++ = (uint8_t) test_env_next(ctx);
    }
}


static inline void
test_env_init(test_env_t *t, uint64_t seed)
{
    t->env.alloc = test_env_alloc;
    t->env.free = test_env_free;
    t->env.random = test_env_random;
    t->env.ctx = t;
    t->calls = 0;
    t->fail_at = 0;
    t->live = 0;
    t->seed = seed;
}


#endif /* CR_TEST_ENV_H */
