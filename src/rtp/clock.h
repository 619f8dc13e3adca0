
/*
 * Copyright (C) The call recorder authors
 *
 * From RTP timestamps to the local monotonic clock.
 *
 * The media clock of a track is linear in its RTP timestamp and anchored at
 * the arrival of its first packet, so chunk files can be written at once.
 * What is learnt later (least transit delay, sender reports that tie audio
 * and video to one sender clock, drift) comes out as corrections.
 */

#ifndef CR_RTP_CLOCK_H
#define CR_RTP_CLOCK_H


#include "base/media.h"


/* What the tracks of one sender share: its NTP clock against ours. */
typedef struct {
    bool     known;
    int64_t  offset_us;          /* ours - sender's, by the least delay */
} cr_sender_clock_t;


typedef struct {
    uint32_t  clock_rate;
    bool      started;
    int64_t   base_us;           /* local time of base_rtp */
    int64_t   base_rtp;          /* unwrapped */
    int64_t   last_rtp;          /* unwrapped */
    int64_t   last_us;           /* media time of last_rtp */
    bool      sr_known;
    int64_t   sr_rtp;            /* unwrapped */
    int64_t   sr_ntp_us;         /* sender's clock */
    int64_t   min_transit_us;    /* least (arrival - media time) seen */
    bool      reported;
    int64_t   reported_offset_us;
    int64_t   reported_us;       /* when */
} cr_track_clock_t;


void cr_track_clock_init(cr_track_clock_t *c, uint32_t clock_rate);

/*
 * Media time of an RTP timestamp, in microseconds of the local clock.  A
 * jump of the timestamp that arrival times do not confirm (new SSRC, device
 * switch, paused tab) re-anchors the clock; *jumped says so.
 */
int64_t cr_track_clock_map(cr_track_clock_t *c, uint32_t timestamp,
    int64_t arrival_us, bool *jumped);

/* A sender report for this track (ntp 32.32) arrived. */
void cr_track_clock_sr(cr_track_clock_t *c, cr_sender_clock_t *sender,
    uint64_t ntp, uint32_t rtp_timestamp, int64_t arrival_us);

/*
 * Whether the mapping changed enough to be written down (first estimate,
 * then by more than 2 ms and not more than once a second); fills *event but
 * for its track.
 */
bool cr_track_clock_event(cr_track_clock_t *c,
    const cr_sender_clock_t *sender, int64_t now_us, cr_clock_event_t *event);


#endif /* CR_RTP_CLOCK_H */
