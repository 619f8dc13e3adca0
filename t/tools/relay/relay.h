
/*
 * Copyright (C) The call recorder authors
 *
 * A bad network between publishers and a UDP port on loopback: what the
 * relay's files share.
 *
 *   main.c    options, sockets, the loop, the report
 *   link.c    one direction of one publisher: what happens to a datagram
 *   queue.c   datagrams on their way, by the time of their arrival
 *   ledger.c  RTP numbers that no datagram has brought to the other side
 */

#ifndef CR_RELAY_H
#define CR_RELAY_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>


#define UP            0              /* to the server */
#define DOWN          1
#define DATAGRAM_MAX  2048


/* What a direction does; percentages, milliseconds. */
typedef struct {
    double    delay;
    double    jitter;                /* on top, evenly from 0 */
    double    loss;
    double    burst;                 /* mean length of losses, 0: random */
    double    reorder;               /* percent that come later by: */
    double    reorder_delay;
    double    duplicate;
    double    rate;                  /* kbit/s, 0: no limit */
    double    queue;                 /* in front of the limit */
} profile_t;


typedef struct {
    uint64_t  packets;
    uint64_t  bytes;
    uint64_t  dropped;               /* by loss */
    uint64_t  overflowed;            /* by the queue's end */
    uint64_t  reordered;
    uint64_t  duplicated;
    uint64_t  delivered;
} counters_t;


typedef struct {
    uint64_t  random;
    bool      bad;                   /* Gilbert-Elliott: in a burst */
    int64_t   free_us;               /* of the rate limit */
    int64_t   last_us;               /* arrival of the newest in order */
} link_t;


/* queue.c */
typedef struct {
    int64_t   due_us;
    uint64_t  order;
    unsigned  source;
    unsigned  direction;
    size_t    len;
    uint8_t   data[DATAGRAM_MAX];
} datagram_t;

/* false: no memory, or far too many */
bool queue_put(int64_t due_us, unsigned source, unsigned direction,
    const uint8_t *data, size_t len);
/* The next one if it is due; the caller frees it. */
datagram_t *queue_take(int64_t now_us);
/* INT64_MAX: there is none. */
int64_t queue_due(void);


/* link.c */
void link_init(link_t *l, uint64_t seed);
/*
 * Decides on a datagram: returns how many copies arrive (0 to 2), and when.
 * Each draws as many random numbers as any other, so that the n-th of a
 * link has the same fate in each run.  spared: it is not lost.
 */
unsigned link_decide(link_t *l, const profile_t *profile,
    counters_t *counters, size_t len, bool spared, int64_t now_us,
    int64_t due_us[2]);
/* Evenly from 0 to 1, by a key alone. */
double link_hash(uint64_t key);


/* ledger.c: streams of less than 65536 packets */
/* Whether it is RTP; key: of its stream and its number, from 0 each. */
bool ledger_sent(const uint8_t *data, size_t len, uint32_t *key);
void ledger_delivered(const uint8_t *data, size_t len);
/* Between the first and the last that came through, of all streams. */
uint64_t ledger_missing(void);


#endif /* CR_RELAY_H */
