
/*
 * Copyright (C) The call recorder authors
 */

#include "relay.h"


/* what a limited link lets through at once */
#define BURST_US  5000


/* splitmix64 */
static uint64_t
mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;

    return z ^ (z >> 31);
}


double
link_hash(uint64_t key)
{
    return (double) (mix(key + 0x9e3779b97f4a7c15) >> 11) / (1ull << 53);
}


void
link_init(link_t *l, uint64_t seed)
{
    l->random = mix(seed);
    l->bad = false;
    l->free_us = INT64_MIN;
    l->last_us = INT64_MIN;
}


static double
draw(link_t *l)
{
    l->random += 0x9e3779b97f4a7c15;

    return link_hash(l->random);
}


/*
 * Gilbert's model: all is lost in the bad state, nothing in the good one;
 * left after `burst` datagrams on average, entered so that `loss` percent
 * are lost in the long run.
 */
static bool
lost(link_t *l, const profile_t *p, double random)
{
    double  loss = p->loss / 100;

    if (p->burst <= 1 || loss >= 1) {
        return random < loss;
    }

    l->bad = l->bad ? random >= 1 / p->burst
                    : random < loss / (1 - loss) / p->burst;

    return l->bad;
}


/* A token bucket and a queue of bounded time; -1: the queue is full. */
static int64_t
limit(link_t *l, const profile_t *p, size_t len, int64_t now_us)
{
    int64_t  free_us;

    if (p->rate <= 0) {
        return now_us;
    }

    free_us = l->free_us > now_us - BURST_US ? l->free_us
                                             : now_us - BURST_US;
    free_us += (int64_t) ((double) len * 8000 / p->rate);

    if (free_us - now_us > (int64_t) (p->queue * 1000)) {
        return -1;
    }

    l->free_us = free_us;

    return free_us > now_us ? free_us : now_us;
}


unsigned
link_decide(link_t *l, const profile_t *p, counters_t *counters, size_t len,
    bool spared, int64_t now_us, int64_t due_us[2])
{
    bool      gone, late, twice;
    double    jitter, again;
    int64_t   at_us;

    gone = lost(l, p, draw(l)) && !spared;
    late = draw(l) * 100 < p->reorder;
    twice = draw(l) * 100 < p->duplicate;
    jitter = draw(l) * p->jitter;
    again = draw(l) * (p->jitter > 1 ? p->jitter : 1);

    counters->packets++;
    counters->bytes += len;

    if (gone) {
        counters->dropped++;
        return 0;
    }

    at_us = limit(l, p, len, now_us);

    if (at_us < 0) {
        counters->overflowed++;
        return 0;
    }

    at_us += (int64_t) ((p->delay + jitter) * 1000);

    if (late) {
        counters->reordered++;
        at_us += (int64_t) (p->reorder_delay * 1000);

    } else {
        /* jitter alone lets nobody overtake */
        at_us = at_us > l->last_us ? at_us : l->last_us;
        l->last_us = at_us;
    }

    due_us[0] = at_us;

    if (!twice) {
        return 1;
    }

    counters->duplicated++;
    due_us[1] = at_us + (int64_t) (again * 1000);

    return 2;
}
