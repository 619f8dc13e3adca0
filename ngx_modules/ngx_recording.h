
/*
 * Copyright (C) The call recorder authors
 *
 * The recording engine, as ngx_rtc and other ingests see it: publishers come
 * and go, whether something is being recorded or not; the engine attaches
 * them to the active recording of their call in whichever worker they are.
 */

#ifndef _NGX_RECORDING_H_INCLUDED_
#define _NGX_RECORDING_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "auth/jwt.h"
#include "base/media.h"


typedef struct ngx_recording_publisher_s  ngx_recording_publisher_t;


typedef struct {
    char      call_id[CR_ID_MAX + 1];
    char      participant_id[CR_ID_MAX + 1];
    char      participant_name[CR_NAME_MAX + 1];
    char      session_id[CR_ID_MAX + 1];
    unsigned  screen:1;              /* what it sends is no camera */
} ngx_recording_publisher_info_t;


typedef struct {
    /* The engine wants a keyframe soon, for a start or a join; patient: for a
     * chunk boundary, which waits for what is missing. */
    void     (*request_keyframe)(void *ctx, ngx_uint_t track,
                 ngx_uint_t patient);
    /* When a track's last packet came, in microseconds of the local clock;
     * INT64_MIN: none ever, or its sender has switched it off. */
    int64_t  (*heard)(void *ctx, ngx_uint_t track);
    void      *ctx;
} ngx_recording_publisher_handlers_t;


typedef struct {
    uint64_t  packets;
    uint64_t  bytes;
    uint64_t  lost;
    uint64_t  recovered;
    uint64_t  given_up;
} ngx_recording_publisher_stats_t;


/*
 * A publisher is connected.  info and media are copied; NULL: no memory or a
 * limit.  All calls are made in the worker that owns the session.  Tracks are
 * counted as cr_media_tracks() says.
 */
ngx_recording_publisher_t *ngx_recording_publisher_open(
    const ngx_recording_publisher_info_t *info,
    const cr_media_params_t *media, ngx_uint_t nmedia,
    const ngx_recording_publisher_handlers_t *handlers, ngx_log_t *log);

/* Frames in order per track; copied if kept, dropped if nothing records. */
void ngx_recording_publisher_frame(ngx_recording_publisher_t *pub,
    const cr_frame_t *frame);
void ngx_recording_publisher_clock(ngx_recording_publisher_t *pub,
    const cr_clock_event_t *event);
void ngx_recording_publisher_gap(ngx_recording_publisher_t *pub,
    const cr_gap_event_t *event);

/* Totals since open, about once a second and before close. */
void ngx_recording_publisher_stats(ngx_recording_publisher_t *pub,
    const ngx_recording_publisher_stats_t *stats);

/* The session is over; what is held is still written. */
void ngx_recording_publisher_close(ngx_recording_publisher_t *pub,
    const char *reason);


#endif /* _NGX_RECORDING_H_INCLUDED_ */
