
/*
 * Copyright (C) The call recorder authors
 *
 * What src/ may not get for itself: memory and entropy.  (Time is an
 * argument of every call that needs it: `now`, in microseconds of a
 * monotonic clock.)
 */

#ifndef CR_ENV_H
#define CR_ENV_H


#include <stddef.h>
#include <stdint.h>


typedef struct {
    /* Returns size zeroed bytes, or NULL. */
    void  *(*alloc)(void *ctx, size_t size);
    /* Takes back what alloc() returned; NULL is allowed. */
    void   (*free)(void *ctx, void *p);
    /* Fills p with len unpredictable bytes. */
    void   (*random)(void *ctx, uint8_t *p, size_t len);
    void    *ctx;
} cr_env_t;


static inline void *
cr_alloc(const cr_env_t *env, size_t size)
{
    return env->alloc(env->ctx, size);
}


static inline void
cr_free(const cr_env_t *env, void *p)
{
    env->free(env->ctx, p);
}


static inline void
cr_random(const cr_env_t *env, uint8_t *p, size_t len)
{
    env->random(env->ctx, p, len);
}


#endif /* CR_ENV_H */
