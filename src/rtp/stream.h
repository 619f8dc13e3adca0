
/*
 * Copyright (C) The call recorder authors
 *
 * One incoming RTP stream (SSRC): puts packets in order, keeps the list of
 * the lost ones and says when to ask for them again, and when to give up.
 * Record first: a packet is waited for as long as its sender can still have
 * it (give_up_us); what is behind a hole waits with it.
 */

#ifndef CR_RTP_STREAM_H
#define CR_RTP_STREAM_H


#include "base/env.h"
#include "rtp/rtp.h"
#include "rtp/rtcp.h"


#define CR_NACK_MAX  128           /* sequence numbers in one NACK */


typedef struct {
    uint32_t  clock_rate;          /* Hz, for jitter */
    bool      nack;                /* the peer answers NACK */
    uint32_t  packets_max;         /* power of two: reorder window, e.g. 2048 */
    size_t    bytes_max;           /* of held packets, e.g. 4 MiB */
    int64_t   give_up_us;          /* a hole's longest life, e.g. 2 s */
    int64_t   nack_delay_us;       /* before the first NACK, for reordering */
    int64_t   nack_interval_us;    /* between two of a packet, at least */
    uint32_t  holes_max;           /* at a time; 0: as the window has */
    int64_t   lead_us;             /* longest wait for what _lead() asks */
} cr_rtp_stream_config_t;


/* An in-order packet, or the news that a run of packets is given up. */
typedef struct {
    bool            gap;
    /* How many, when gap; 0: the numbering began anew (other packets may
     * have been lost in between, nobody can tell). */
    uint32_t        gap_packets;
    /* Unwrapped; of the first lost if gap.  Goes on without a break: behind
     * a gap by gap_packets (by 1 where that is 0). */
    int64_t         seq;
    int64_t         arrival_us;    /* of this packet's first copy */
    bool            marker;
    bool            recovered;     /* came after a NACK */
    uint8_t         pt;
    uint32_t        timestamp;
    /* The header extension's words and the payload: owned by the stream,
     * valid until the next call on it. */
    uint16_t        ext_profile;
    cr_slice_t      ext;
    cr_slice_t      payload;
} cr_rtp_item_t;


typedef struct {
    uint64_t  received;            /* first copies */
    uint64_t  bytes;               /* of their payloads */
    uint64_t  duplicates;
    uint64_t  late;                /* came after they had been given up */
    /* holes ever seen = recovered + reordered + given up + still open */
    uint64_t  lost;
    uint64_t  recovered;           /* came after a NACK or by RTX */
    uint64_t  reordered;           /* came by themselves */
    uint64_t  given_up;
    uint64_t  nacks_sent;          /* sequence numbers asked for */
} cr_rtp_stream_stats_t;


typedef struct cr_rtp_stream_s  cr_rtp_stream_t;


cr_rtp_stream_t *cr_rtp_stream_create(const cr_env_t *env,
    const cr_rtp_stream_config_t *config, uint32_t ssrc);
void cr_rtp_stream_destroy(cr_rtp_stream_t *s);

/*
 * Takes a packet, a retransmitted one included (rtx: it came on the RTX
 * stream, so it says nothing of the network's loss or jitter).  The bytes
 * are copied if they must wait; a packet that is next in order is not, so
 * call pop() until it says CR_AGAIN before the datagram goes away (a packet
 * left unpopped is copied by the next push()).
 *
 * CR_DECLINED: a duplicate, too late, or the first packet far outside of the
 * window, which is kept until a second confirms the jump.  CR_LIMIT: this is
 * that second one; it is taken, and the stream goes on from the first of the
 * two.  In between pop() yields a gap: of the packets lost if timestamps say
 * that this is still the same numbering, else of 0.  CR_NOMEM: not taken.
 */
cr_status_e cr_rtp_stream_push(cr_rtp_stream_t *s, const cr_rtp_t *rtp,
    bool rtx, int64_t now_us);

/*
 * In front of the earliest packet that is here there should be others: that
 * many (0: there are none) are asked for, and waited for together with all
 * else.  Nobody knows whether they ever were; so those that do not come in
 * lead_us, and in front of which nothing came, are no gap and no loss.  To
 * be called before the stream's first pop(); afterwards it does nothing.
 */
void cr_rtp_stream_lead(cr_rtp_stream_t *s, uint32_t packets,
    int64_t now_us);

/* The next item in order: CR_OK, or CR_AGAIN when it has to be waited for. */
cr_status_e cr_rtp_stream_pop(cr_rtp_stream_t *s, int64_t now_us,
    cr_rtp_item_t *item);

/*
 * When pop() waits for a hole: the first payload behind it that is not empty,
 * and how many numbers it is away; false: none came.
 */
bool cr_rtp_stream_behind(const cr_rtp_stream_t *s, cr_slice_t *payload,
    uint32_t *away);

/* Gives up the holes among the next numbers. */
void cr_rtp_stream_drain(cr_rtp_stream_t *s, uint32_t numbers);

/* Gives up all holes, so that pop() drains what is held (end of session). */
void cr_rtp_stream_flush(cr_rtp_stream_t *s);

/*
 * The sequence numbers due to be asked for now (about once per RTT each),
 * ascending; returns how many.
 */
unsigned cr_rtp_stream_nack(cr_rtp_stream_t *s, int64_t now_us,
    int64_t rtt_us, uint16_t seqs[CR_NACK_MAX]);

/* Changes config.give_up_us, of holes that are there, too. */
void cr_rtp_stream_give_up(cr_rtp_stream_t *s, int64_t give_up_us);

/* Whether packets are missing and waited for; asked: how often the first of
 * them was asked for. */
bool cr_rtp_stream_missing(const cr_rtp_stream_t *s, unsigned *asked);

/* The peer does not answer: nothing is asked for any more. */
void cr_rtp_stream_nack_off(cr_rtp_stream_t *s);

/* When nack() or pop() will have something to do; INT64_MAX: never. */
int64_t cr_rtp_stream_deadline(const cr_rtp_stream_t *s);

/* A sender report came; fills a report block and starts a new interval. */
void cr_rtp_stream_sr(cr_rtp_stream_t *s, const cr_rtcp_sr_t *sr,
    int64_t now_us);
void cr_rtp_stream_report(cr_rtp_stream_t *s, int64_t now_us,
    cr_rtcp_block_t *block);

const cr_rtp_stream_stats_t *cr_rtp_stream_stats(const cr_rtp_stream_t *s);


#endif /* CR_RTP_STREAM_H */
