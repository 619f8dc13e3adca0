/*
 * Copyright (C) The call recorder authors
 *
 * A look-ahead limiter.  As long as no peak exceeds the ceiling it changes
 * nothing at all.  The gain that a peak needs is spread over the look-ahead:
 * a sliding minimum, then a sliding mean of the same length, so that it is
 * down in time without a step; it recovers slowly.
 */

#include <math.h>
#include <string.h>

#include "libavutil/error.h"
#include "libavutil/macros.h"
#include "libavutil/mem.h"

#include "callmix.h"


/* seconds */
#define LOOK_AHEAD      0.005
#define RELEASE         0.200


struct CallMixLimiter {
    float       ceiling;
    float       release;                /* of the way to 1, per sample */
    int         size;                   /* of the rings, in samples */
    int         pos;

    float      *delay[2];
    float      *hold;                   /* gains after the sliding minimum */
    double      sum;                    /* of hold */

    /* the sliding minimum: candidates in rising order, a ring too */
    float      *min_gain;
    int64_t    *min_time;
    int         min_first;
    int         min_nb;
    int64_t     time;
    float       gain;                   /* the minimum, with release */
};


int
ff_callmix_limiter_alloc(CallMixLimiter **limiterp, int sample_rate,
                         float ceiling)
{
    CallMixLimiter *l = av_mallocz(sizeof(*l));

    if (!l)
        return AVERROR(ENOMEM);

    l->ceiling = ceiling;
    l->release = 1 - exp(-1 / (RELEASE * sample_rate));
    l->size = FFMAX(sample_rate * LOOK_AHEAD, 1);
    l->gain = 1;
    l->sum = l->size;

    l->delay[0] = av_calloc(l->size, sizeof(float));
    l->delay[1] = av_calloc(l->size, sizeof(float));
    l->hold = av_calloc(l->size, sizeof(float));
    l->min_gain = av_calloc(l->size + 1, sizeof(float));
    l->min_time = av_calloc(l->size + 1, sizeof(int64_t));

    if (!l->delay[0] || !l->delay[1] || !l->hold || !l->min_gain
        || !l->min_time)
    {
        ff_callmix_limiter_free(&l);
        return AVERROR(ENOMEM);
    }

    for (int i = 0; i < l->size; i++)
        l->hold[i] = 1;

    *limiterp = l;
    return 0;
}


void
ff_callmix_limiter_free(CallMixLimiter **limiterp)
{
    CallMixLimiter *l = *limiterp;

    if (l) {
        av_freep(&l->delay[0]);
        av_freep(&l->delay[1]);
        av_freep(&l->hold);
        av_freep(&l->min_gain);
        av_freep(&l->min_time);
    }

    av_freep(limiterp);
}


int
ff_callmix_limiter_delay(const CallMixLimiter *l)
{
    return l->size;
}


/* The least of the last size + 1 gains; 1 is never a candidate. */
static float
sliding_minimum(CallMixLimiter *l, float gain)
{
    int slots = l->size + 1, last;

    l->time++;

    if (l->min_nb && l->min_time[l->min_first] < l->time - l->size) {
        l->min_first = (l->min_first + 1) % slots;
        l->min_nb--;
    }

    if (gain < 1) {
        while (l->min_nb) {
            last = (l->min_first + l->min_nb - 1) % slots;
            if (l->min_gain[last] < gain)
                break;
            l->min_nb--;
        }

        last = (l->min_first + l->min_nb++) % slots;
        l->min_gain[last] = gain;
        l->min_time[last] = l->time;
    }

    return l->min_nb ? l->min_gain[l->min_first] : 1;
}


/* The gain for the sample that leaves the delay while peak enters it. */
static float
next_gain(CallMixLimiter *l, float peak)
{
    float minimum;

    minimum = sliding_minimum(l, peak > l->ceiling ? l->ceiling / peak : 1);

    l->gain += (1 - l->gain) * l->release;

    if (l->gain > 0.9999f)
        l->gain = 1;

    if (l->gain > minimum)
        l->gain = minimum;

    l->sum += l->gain - l->hold[l->pos];
    l->hold[l->pos] = l->gain;

    /* exact again, and untouched samples, once all is quiet */

    if (l->gain == 1 && l->sum > l->size - 1e-3)
        return 1;

    return FFMIN(l->sum / l->size, 1);
}


void
ff_callmix_limiter_run(CallMixLimiter *l, float *const data[2], int nb_samples)
{
    float left, right, gain;

    for (int i = 0; i < nb_samples; i++) {
        left = data[0][i];
        right = data[1][i];

        gain = next_gain(l, FFMAX(fabsf(left), fabsf(right)));

        data[0][i] = av_clipf(l->delay[0][l->pos] * gain, -l->ceiling,
                              l->ceiling);
        data[1][i] = av_clipf(l->delay[1][l->pos] * gain, -l->ceiling,
                              l->ceiling);

        l->delay[0][l->pos] = left;
        l->delay[1][l->pos] = right;
        l->pos = (l->pos + 1) % l->size;
    }
}
