
/*
 * Copyright (C) The call recorder authors
 *
 * From RTP timestamps to the local monotonic clock.
 *
 * The media clock of a track is linear in its RTP timestamp and anchored at
 * the arrival of its first packet, so chunk files can be written at once.
 * What is learnt later (least transit delay, sender reports and capture
 * times that tie audio and video to one sender clock, drift, jumps) comes
 * out as corrections.
 */

#ifndef CR_RTP_CLOCK_H
#define CR_RTP_CLOCK_H


#include "base/bytes.h"
#include "base/media.h"
#include "rtp/clock_line.h"


#define CR_CLOCK_STRETCHES  32     /* of a quarter of a second */
#define CR_CLOCK_PENDING    6


/*
 * What the tracks of one sender share: its NTP clock against ours.  Zeroed
 * to begin with.  tracks may be set (and changed) to the number of tracks
 * that send media: once so many have had a sender report, their first
 * events need not wait for the others.
 */
typedef struct {
    uint8_t           tracks;
    uint8_t           reporting;    /* tracks with a sender report */
    uint32_t          epoch;        /* counts steps of the sender's clock */
    cr_clock_least_t  offset;       /* ours - sender's, by the least delay */
    cr_clock_least_t  sent;         /* the same, of the reports themselves */
} cr_sender_clock_t;


/* A quarter of a second of packets. */
typedef struct {
    int64_t  media_us;              /* of the first */
    int64_t  transit_us;            /* the least */
} cr_clock_stretch_t;


typedef struct {
    uint32_t            clock_rate;
    bool                started;
    int64_t             base_us;        /* local time of base_rtp */
    int64_t             base_rtp;       /* unwrapped */
    int64_t             last_rtp;       /* unwrapped */
    int64_t             last_us;        /* media time of last_rtp */
    int64_t             started_us;     /* arrival of the first packet */
    int64_t             arrival_us;     /* of the last packet */
    bool                restarted;      /* a new base begins */

    /* least (arrival - media time), let rise by what clocks drift */
    int64_t             min_transit_us;
    cr_clock_least_t    transit;        /* the same, smoothed */
    cr_clock_stretch_t  stretches[CR_CLOCK_STRETCHES];
    unsigned            nstretches;     /* ever, of this base */
    int64_t             stretch_us;     /* arrival that began the last */

    bool                late;           /* timestamps lag: pause or stall? */
    int64_t             late_since_us;
    int64_t             late_media_us;
    int64_t             late_first_us;  /* transit then */
    int64_t             late_min_us;    /* least transit since */

    /* the sender's NTP time - media time, by reports or capture times */
    bool                reporting;      /* ever */
    bool                sr_known;       /* of this base */
    bool                capturing;      /* by capture times, the last: */
    int64_t             capture_us;
    uint32_t            sr_epoch;
    cr_clock_line_t     sr_line;
    int64_t             sr_media_us;    /* of the last */
    int64_t             sr_transit_us;  /* min_transit_us then */
    int64_t             sr_noise_us;
    int64_t             sr_odd_us;      /* how far off the last one was */

    /* what holds for this base since its first packet */
    int64_t             since_us;       /* media time */
    int64_t             since_arrival_us;
    bool                estimated;
    int64_t             at_us;          /* media time of the estimate */
    int64_t             offset_us;
    int32_t             drift_ppb;

    bool                reported;       /* anything, ever */
    bool                told;           /* something of this base: */
    int64_t             told_us;        /* when */
    int64_t             told_media_us;
    int64_t             told_offset_us;
    int32_t             told_drift_ppb;
    unsigned            npending;
    cr_clock_event_t    pending[CR_CLOCK_PENDING];
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
 * The value of the header extension abs-capture-time of a packet: what is
 * not one is ignored.  A track that has it does without sender reports.
 */
void cr_track_clock_capture(cr_track_clock_t *c, cr_sender_clock_t *sender,
    const cr_slice_t *value, uint32_t rtp_timestamp, int64_t arrival_us);

/*
 * Whether the mapping changed enough to be written down (first estimate,
 * then by more than 2 ms and not more than once a second; jumps); fills
 * *event but for its track.  Call until false.
 *
 * An event takes the place of all before it from its media time on, which
 * may be in the past: a base's first minute is told again from its beginning
 * as more is learnt, and what a report tells of a jump is told from there.
 *
 * Readers apply a track's first event to all that was before it, so it is
 * kept back until it is a good one: until the sender's tracks have had their
 * sender reports, or for 8 s.  When a track ends or its recording stops
 * before that, ask once more with now_us = INT64_MAX, which waits for
 * nothing.
 */
bool cr_track_clock_event(cr_track_clock_t *c,
    const cr_sender_clock_t *sender, int64_t now_us, cr_clock_event_t *event);


/* Between clock.c and clock_report.c. */

int64_t cr_track_clock_media(const cr_track_clock_t *c, int64_t rtp);
/* The estimate at a media time. */
int64_t cr_track_clock_offset(const cr_track_clock_t *c, int64_t media_us);
/* From media time on another relation holds. */
void cr_track_clock_since(cr_track_clock_t *c, int64_t media_us);
/* To be told as it is. */
void cr_track_clock_tell(cr_track_clock_t *c, int64_t media_us,
    int64_t offset_us);


#endif /* CR_RTP_CLOCK_H */
