
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


/*
 * What the tracks of one sender share: its NTP clock against ours.  Zeroed
 * to begin with.  tracks may be set (and changed) to the number of tracks
 * that send media: once so many have had a sender report, their first
 * events need not wait for the others.
 */
typedef struct {
    bool      known;
    uint8_t   tracks;
    uint8_t   reporting;         /* tracks with a sender report */
    uint32_t  epoch;             /* counts steps of the sender's clock */
    int64_t   offset_us;         /* ours - sender's, by the least delay */
    int64_t   updated_us;
} cr_sender_clock_t;


typedef struct {
    uint32_t  clock_rate;
    bool      started;
    int64_t   base_us;           /* local time of base_rtp */
    int64_t   base_rtp;          /* unwrapped */
    int64_t   last_rtp;          /* unwrapped */
    int64_t   last_us;           /* media time of last_rtp */
    int64_t   started_us;        /* arrival of the first packet */
    int64_t   arrival_us;        /* of the last packet */
    /* least (arrival - media time), let rise by what clocks drift */
    int64_t   min_transit_us;
    bool      late;              /* timestamps lag: a pause or a stall? */
    int64_t   late_since_us;
    int64_t   late_first_us;     /* transit then */
    int64_t   late_min_us;       /* least transit since */
    bool      reporting;         /* had a sender report ever */
    bool      sr_known;          /* had one for this base */
    bool      restarted;         /* the next packet begins a new base */
    uint32_t  sr_epoch;
    int64_t   sr_offset_us;      /* media time - sender's NTP time */
    int64_t   offset_us;         /* the estimate while no SR is known */
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

/*
 * The packets to come are of another numbering (a new SSRC): the clock is
 * anchored anew at the arrival of the first.
 */
void cr_track_clock_restart(cr_track_clock_t *c);

/* A sender report for this track (ntp 32.32) arrived. */
void cr_track_clock_sr(cr_track_clock_t *c, cr_sender_clock_t *sender,
    uint64_t ntp, uint32_t rtp_timestamp, int64_t arrival_us);

/*
 * Whether the mapping changed enough to be written down (first estimate,
 * then by more than 2 ms and not more than once a second); fills *event but
 * for its track.
 *
 * Readers apply a track's first event to all that was before it, so it is
 * kept back until it is a good one: until the sender's tracks have had their
 * sender reports, or for 8 s.  When a track ends or its recording stops
 * before that, ask once more with now_us = INT64_MAX, which waits for
 * nothing.
 */
bool cr_track_clock_event(cr_track_clock_t *c,
    const cr_sender_clock_t *sender, int64_t now_us, cr_clock_event_t *event);


#endif /* CR_RTP_CLOCK_H */
