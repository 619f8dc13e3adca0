
/*
 * Copyright (C) The call recorder authors
 *
 * The inside of a stream, for stream*.c only.
 *
 * Packets are numbered 64 bits wide, beginning at their 16-bit number plus
 * one cycle.  The ring holds what lies between `next`, the one to hand out,
 * and `highest`, the newest seen: packets that wait, holes, and skips (one
 * slot for a jump of the numbering).  Holes are linked in order, oldest
 * first, so neither NACK nor giving up ever looks at packets.
 *
 * The packet at `next` is never copied: it stays in the caller's datagram
 * (`direct`) and is handed out by the next pop.
 */

#ifndef CR_RTP_STREAM_IMPL_H
#define CR_RTP_STREAM_IMPL_H


#include "rtp/stream.h"
#include "rtp/stream_store.h"


typedef enum {
    CR_SLOT_EMPTY = 0,
    CR_SLOT_HOLE,
    CR_SLOT_HELD,
    CR_SLOT_SKIP
} cr_slot_state_e;


typedef struct {
    uint8_t                state;      /* cr_slot_state_e */
    uint8_t                pt;
    bool                   marker;
    bool                   recovered;
    uint16_t               ext_profile;
    uint16_t               nacks;      /* hole: how often asked for */
    int64_t                time_us;    /* arrival; hole: first noticed */
    union {
        struct {
            cr_store_block_t  *block;  /* extension, payload */
            uint32_t           timestamp;
            uint32_t           ext_len;
            uint32_t           payload_len;
        } held;
        struct {
            int64_t            nacked_us;
            uint32_t           prev;   /* low bits of a number */
            uint32_t           next;
        } hole;
        struct {
            uint32_t           packets;
        } skip;
    } u;
} cr_slot_t;


/* What the network did, without what came on an RTX stream (RFC 3550 A). */
typedef struct {
    bool      started;
    bool      timed;                   /* transit is known */
    bool      sr_known;
    int64_t   base;
    int64_t   highest;
    uint64_t  received;
    uint64_t  expected_prior;
    uint64_t  received_prior;
    int64_t   transit;
    int64_t   jitter;                  /* scaled by 16 */
    uint32_t  last_sr;
    int64_t   last_sr_us;
} cr_stream_report_t;


struct cr_rtp_stream_s {
    cr_env_t                env;
    cr_rtp_stream_config_t  config;
    uint32_t                ssrc;
    bool                    started;

    int64_t                 next;
    int64_t                 highest;
    int64_t                 shift;     /* our number - the wire's */
    int64_t                 skipped;   /* a user's number - ours */
    int64_t                 floor;     /* before it: another numbering */
    int64_t                 drain_until;
    int64_t                 origin;    /* the earliest known to exist */
    int64_t                 lead_until_us;
    bool                    leading;   /* nothing was handed out yet */
    int64_t                 now_us;    /* of the last call */
    int64_t                 last_us;   /* arrival of highest */
    uint32_t                last_timestamp;

    bool                    direct;    /* direct_item is at next */
    cr_rtp_item_t           direct_item;
    cr_store_block_t       *out;       /* of the item handed out */

    cr_slot_t              *ring;
    uint32_t                capacity;  /* power of two */
    uint8_t                *delivered; /* a bit per number */
    cr_store_t              store;

    int64_t                 hole_first;
    int64_t                 hole_last;
    uint32_t                holes;
    int64_t                 next_nack_us;

    /* the first packet of what may be a new numbering */
    bool                    suspect;
    uint16_t                suspect_seq;
    cr_slot_t               suspect_slot;

    cr_stream_report_t      report;
    cr_rtp_stream_stats_t   stats;
};


static inline cr_slot_t *
cr_stream_slot(const cr_rtp_stream_t *s, int64_t seq)
{
    return &s->ring[(uint32_t) seq & (s->capacity - 1)];
}


/* stream.c */
/* Makes the ring reach from first, which is next or before it, to last. */
cr_status_e cr_stream_reserve(cr_rtp_stream_t *s, int64_t first,
    int64_t last);
/* A packet still in the caller's datagram that was not popped must wait. */
void cr_stream_settle(cr_rtp_stream_t *s);


/* stream_lead.c */
/* When a packet in front of all that was known would have come, had it not
 * been lost: the track's clock may begin with it. */
int64_t cr_stream_lead_arrival(const cr_rtp_stream_t *s, uint32_t timestamp,
    int64_t now_us);
/* A packet fills a hole in front of all that was known to exist. */
void cr_stream_lead_found(cr_rtp_stream_t *s, int64_t seq);
/* Forgets the holes in front of it. */
void cr_stream_lead_end(cr_rtp_stream_t *s);


/* stream_nack.c */
/* seq is behind every other hole, or (lost again) before every other. */
void cr_stream_hole_add(cr_rtp_stream_t *s, int64_t seq, int64_t now_us);
void cr_stream_hole_remove(cr_rtp_stream_t *s, int64_t seq);
/* Whether a hole, with none but holes before it, is waited for no more. */
bool cr_stream_hole_over(const cr_rtp_stream_t *s, int64_t seq,
    int64_t now_us);

/* stream_report.c */
/* newest: in order, so good for jitter */
void cr_stream_report_packet(cr_rtp_stream_t *s, const cr_rtp_t *rtp,
    bool newest, int64_t now_us);
/* The numbering began anew at seq. */
void cr_stream_report_restart(cr_rtp_stream_t *s, uint16_t seq);


#endif /* CR_RTP_STREAM_IMPL_H */
