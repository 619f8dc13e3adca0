
/*
 * Copyright (C) The call recorder authors
 *
 * What a sender without transport-wide feedback may send (REMB,
 * draft-alvestrand-rmcat-remb-03): the configured maximum, less while packets
 * wait in a queue on the way, or are lost.  The queue is what transit, the
 * arrival less the time of sending, has above its least of late.
 */

#ifndef CR_RTP_REMB_H
#define CR_RTP_REMB_H


#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>


#define CR_REMB_SLOTS  8


typedef struct {
    uint64_t  max;                     /* bits per second */
    uint64_t  bitrate;                 /* may be sent */
    bool      reported;                /* it was told */

    /* when packets were sent, 32 bits wide on the wire */
    bool      timed;
    uint32_t  stamp;
    int64_t   sent;                    /* in the stamp's units */

    /* intervals of arrival */
    int64_t   begun_us;
    bool      measured;                /* a transit in this one, the least: */
    int64_t   transit_us;
    int64_t   base_us[2];              /* the least of half a window */
    int64_t   window_us;               /* when the newer one began */
    int64_t   queue_us;                /* in the last interval */
    unsigned  over;                    /* intervals in a row */

    uint64_t  bytes[CR_REMB_SLOTS];    /* by interval */
    unsigned  slot;
    unsigned  nslots;                  /* that are over */

    int64_t   decreased_us;
    int64_t   decreased_queue_us;      /* the queue then */
    unsigned  decreases;               /* in a row, without any effect */
} cr_remb_t;


void cr_remb_init(cr_remb_t *e, uint64_t max, int64_t now_us);

/*
 * A packet of len came, of any stream.  true: less may be sent from now on,
 * which is to be told at once.
 */
bool cr_remb_packet(cr_remb_t *e, size_t len, int64_t now_us);

/* It was sent at stamp, in units of 1/rate s from anywhere on: of one clock
 * until cr_remb_restart(). */
void cr_remb_sent(cr_remb_t *e, uint32_t stamp, uint32_t rate,
    int64_t now_us);
void cr_remb_restart(cr_remb_t *e);

/* With each report: what may be sent, by the share that was lost in its
 * interval as well (of 256, RFC 3550 section 6.4.1). */
uint64_t cr_remb_report(cr_remb_t *e, uint8_t fraction_lost, int64_t now_us);


#endif /* CR_RTP_REMB_H */
