
/*
 * Copyright (C) The call recorder authors
 *
 * One publisher written into one recording, from table_join() to
 * table_leave().  It outlives the publisher until its last byte and record
 * are written.
 */

#ifndef _NGX_RECORDING_JOIN_H_INCLUDED_
#define _NGX_RECORDING_JOIN_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "chunk/chunk.h"
#include "chunk/layers.h"
#include "recording/journal.h"
#include "ngx_recording.h"
#include "ngx_recording_table.h"
#include "ngx_recording_writer.h"


typedef struct ngx_recording_join_s  ngx_recording_join_t;


typedef struct {
    uint32_t                            frames;        /* 0: none */
    int64_t                             from_us;
    int64_t                             to_us;
} ngx_recording_span_t;


/* Of a video's last keyframe, before anything was recorded, too. */
typedef struct {
    uint16_t                            width;         /* 0: none came */
    uint16_t                            height;
} ngx_recording_size_t;


/* An m-line; of video, its layers, which are tracks one behind another. */
typedef struct {
    ngx_uint_t                          first;         /* track */
    cr_layers_t                         layers;        /* n 1: not used */
    char                                mid[CR_MID_MAX + 1];
    char                                rids[CR_LAYER_MAX][CR_RID_MAX + 1];
    unsigned                            screen:1;
} ngx_recording_mline_t;


typedef struct {
    uint8_t                             mline;
    uint8_t                             number;        /* Matroska, 1.. */
    uint8_t                             kind;
    uint8_t                             codec;
    uint8_t                             channels;
    uint32_t                            clock_rate;
    uint16_t                            width;         /* 0: no keyframe */
    uint16_t                            height;
    uint16_t                            rotation;
    ngx_uint_t                          turns;         /* since: */
    int64_t                             turned_us;
    uint8_t                             level;         /* the loudest */
    int64_t                             level_us;      /* since */
    int64_t                             level_end_us;
    int64_t                             voice_us;
    unsigned                            leveling:1;
    unsigned                            in_chunk:1;
    unsigned                            keyed:1;       /* in this chunk */
    unsigned                            waiting:1;     /* its frames do */
    unsigned                            dropping:1;    /* buffer is full */
    unsigned                            losing:1;      /* since a failure */
    uint32_t                            dropped;
    int64_t                             asked_us;
    int64_t                             last_us;       /* frame written */
    int64_t                             interval_us;   /* to the one before */
    int64_t                             drop_from_us;
    int64_t                             drop_to_us;
    ngx_recording_span_t                gathered;      /* in this cluster */
    ngx_recording_span_t                lost;          /* not told yet */
    size_t                              config_size;
    uint8_t                             config[CR_CODEC_CONFIG_MAX];
} ngx_recording_track_t;


/* A chunk file, until it is closed in the thread. */
typedef struct {
    ngx_queue_t                         queue;
    ngx_recording_join_t               *join;
    cr_chunk_writer_t                  *mkv;           /* NULL: closing */
    ngx_uint_t                          number;
    int64_t                             start_ms;
    int64_t                             end_ms;
    ngx_uint_t                          frames;
    uint64_t                            size;          /* handed out */
    unsigned                            failed:1;
} ngx_recording_chunk_t;


/* A cluster on its way to the disk. */
typedef struct {
    ngx_recording_chunk_t              *chunk;
    ngx_recording_span_t                spans[CR_TRACK_MAX];
} ngx_recording_cluster_t;


struct ngx_recording_join_s {
    ngx_queue_t                         queue;
    ngx_log_t                          *log;
    ngx_recording_publisher_t          *pub;           /* NULL: leaving */
    ngx_recording_ref_t                 ref;
    ngx_recording_publisher_info_t      info;
    ngx_recording_publisher_handlers_t  handlers;

    ngx_recording_writer_t             *writer;
    ngx_queue_t                         chunks;        /* not closed yet */
    ngx_recording_chunk_t              *chunk;
    ngx_uint_t                          nchunks;
    int64_t                             cluster_us;    /* its first frame */
    cr_chunk_policy_t                   policy;
    ngx_queue_t                         held;          /* for a keyframe */
    size_t                              held_size;
    int64_t                             waiting_us;    /* its first video */

    int64_t                             last_media_ms;
    uint64_t                            durable;
    int64_t                             progress_us;
    int64_t                             sync_us;       /* 0: on close */
    int64_t                             synced_us;
    ngx_recording_publisher_stats_t     base;          /* at the join */
    ngx_recording_publisher_stats_t     stats;

    unsigned                            waiting:1;     /* a video is held */
    unsigned                            first_media:1;
    unsigned                            failed:1;      /* and told so */
    char                                reason[CR_JOURNAL_WORD_SIZE];

    ngx_uint_t                          publishers;    /* of the call */
    unsigned                            all:1;         /* layers */
    ngx_uint_t                          video;         /* that cuts chunks */
    ngx_uint_t                          nmlines;
    ngx_recording_mline_t               mlines[CR_MEDIA_MAX];
    ngx_uint_t                          ntracks;
    /* as chunks have them: video first, the best layers in front */
    ngx_recording_track_t              *order[CR_TRACK_MAX];
    ngx_recording_track_t               tracks[1];     /* ntracks of them */
};


/* NULL: the recording does not take it, or there is no memory. */
ngx_recording_join_t *ngx_recording_join_create(
    ngx_recording_publisher_t *pub, const ngx_recording_ref_t *ref,
    const ngx_recording_publisher_info_t *info,
    const cr_media_params_t *media, ngx_uint_t nmedia,
    const ngx_recording_size_t *sizes,
    const ngx_recording_publisher_handlers_t *handlers,
    const ngx_recording_publisher_stats_t *stats);

/* The publisher must not use it any more. */
void ngx_recording_join_leave(ngx_recording_join_t *j, const char *reason);

/* What is due: keyframes asked for, clusters written, progress told. */
void ngx_recording_join_tick(ngx_recording_join_t *j, int64_t now_us);

/* ngx_recording_layers.c: which of a video's layers are written */
void ngx_recording_layers_init(ngx_recording_join_t *j,
    const cr_media_params_t *media, ngx_uint_t nmedia,
    const ngx_recording_size_t *sizes);

/* Whether a frame is to be written. */
ngx_uint_t ngx_recording_layers_frame(ngx_recording_join_t *j,
    const cr_frame_t *frame);

/* A chunk begins: which layers it is to have, in which order. */
void ngx_recording_layers_choose(ngx_recording_join_t *j);
ngx_uint_t ngx_recording_layers_chosen(ngx_recording_join_t *j,
    ngx_recording_track_t *t);

/* Whether a keyframe of this one is of use. */
ngx_uint_t ngx_recording_layers_asks(ngx_recording_join_t *j,
    ngx_recording_track_t *t);

/* ngx_recording_media.c: frames into chunk files */
void ngx_recording_media_frame(ngx_recording_join_t *j,
    const cr_frame_t *frame);

/* Hands the bytes of the current cluster to the writer. */
void ngx_recording_media_flush(ngx_recording_join_t *j);

/* Writes what is held and closes the chunk. */
void ngx_recording_media_finish(ngx_recording_join_t *j);

/* ngx_recording_lost.c: what the disk did not take */
void ngx_recording_span_add(ngx_recording_span_t *span,
    const cr_frame_t *frame);

/* Of what was gathered; NULL: no memory, it is lost. */
ngx_recording_cluster_t *ngx_recording_lost_cluster(
    ngx_recording_chunk_t *c);
void ngx_recording_lost_failed(ngx_recording_cluster_t *cl);

/* How many frames it has; the gaps before them are told. */
ngx_uint_t ngx_recording_lost_written(ngx_recording_cluster_t *cl);
void ngx_recording_lost_end(ngx_recording_join_t *j);

/* ngx_recording_level.c: how loud it is */
void ngx_recording_level_frame(ngx_recording_join_t *j,
    ngx_recording_track_t *t, const cr_frame_t *frame);
/* The second that is not over: nothing more comes. */
void ngx_recording_level_end(ngx_recording_join_t *j,
    ngx_recording_track_t *t);

/* ngx_recording_records.c: its lines in the journal */
void ngx_recording_record_join(ngx_recording_join_t *j);
void ngx_recording_record_track(ngx_recording_join_t *j,
    ngx_recording_track_t *t, cr_journal_track_t *rec);
void ngx_recording_record_chunk_open(ngx_recording_join_t *j,
    const ngx_recording_chunk_t *chunk, const char *file);
void ngx_recording_record_chunk_close(ngx_recording_join_t *j,
    const ngx_recording_chunk_t *chunk);
/* The times of events are of the local clock, as those of frames. */
void ngx_recording_record_clock(ngx_recording_join_t *j,
    const cr_clock_event_t *event);
void ngx_recording_record_lost(ngx_recording_join_t *j,
    const cr_gap_event_t *event);
void ngx_recording_record_gap(ngx_recording_join_t *j, uint8_t number,
    int64_t from_us, int64_t to_us, uint32_t packets, const char *reason);
void ngx_recording_record_rotation(ngx_recording_join_t *j, uint8_t number,
    int64_t from_us, ngx_uint_t degrees);
void ngx_recording_record_level(ngx_recording_join_t *j,
    const ngx_recording_track_t *t);
ngx_int_t ngx_recording_record_leave(ngx_recording_join_t *j,
    ngx_recording_journal_pt done, void *ctx);


#endif /* _NGX_RECORDING_JOIN_H_INCLUDED_ */
