
/*
 * Copyright (C) The call recorder authors
 *
 * The table of recordings in shared memory, as the publishers in a worker
 * use it.  Publishers (ngx_recording_publisher.c) write media and journal
 * records; the table (ngx_recording_table.c) has the state and decides what
 * happens next.
 */

#ifndef _NGX_RECORDING_TABLE_H_INCLUDED_
#define _NGX_RECORDING_TABLE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "auth/jwt.h"
#include "ngx_recording.h"
#include "recording/journal.h"


#define NGX_RECORDING_DIR_MAX  512


/* What a publisher has to know of a recording; a copy, not a reference. */
typedef struct {
    char      recording_id[CR_ID_MAX + 1];
    char      call_id[CR_ID_MAX + 1];
    char      dir[NGX_RECORDING_DIR_MAX];    /* <root>/<callId>/<recId> */
    int64_t   t0_us;                         /* ngx_callrec_now_us() of 0 */
    int64_t   chunk_us;                      /* recording_chunk */
    size_t    buffer;                        /* recording_buffer, bytes */
} ngx_recording_ref_t;


/* ---- by the table, for publishers ---- */

/* The call's recording that takes media now: NGX_OK or NGX_DECLINED. */
ngx_int_t ngx_recording_table_active(const char *call_id,
    ngx_recording_ref_t *ref);

/*
 * A session begins to write into a recording.  From here to _leave() the
 * recording stays in `recording` or `stopping`.  NGX_DECLINED: it does not
 * take media any more; NGX_BUSY: a limit.
 */
ngx_int_t ngx_recording_table_join(const ngx_recording_ref_t *ref,
    const ngx_recording_publisher_info_t *info,
    const cr_journal_track_t *tracks, ngx_uint_t ntracks);

/* First keyframe (or sound of an audio-only publisher) is in a chunk. */
void ngx_recording_table_first_media(const ngx_recording_ref_t *ref,
    const char *participant_id, int64_t media_ms);

/* About once a second: totals of this session since join.  Returns how many
 * participants are there. */
ngx_uint_t ngx_recording_table_progress(const ngx_recording_ref_t *ref,
    const char *session_id, int64_t last_media_ms, uint64_t bytes_durable,
    const ngx_recording_publisher_stats_t *stats);

/* The session's last chunk is closed and its journal records are written. */
void ngx_recording_table_leave(const ngx_recording_ref_t *ref,
    const char *session_id, int64_t last_media_ms);

/* A write failed: ours to report, the recording goes on. */
void ngx_recording_table_error(const ngx_recording_ref_t *ref,
    const char *code, const char *message);

/* Where writes had failed, one did not. */
void ngx_recording_table_error_over(const ngx_recording_ref_t *ref);


/* ---- by the publishers, for the table ---- */

/* In every worker, on the table's broadcast. */
void ngx_recording_publishers_start(const ngx_recording_ref_t *ref);
void ngx_recording_publishers_stop(const char *recording_id);

/* Once a second in every worker: does what a lost broadcast has said. */
void ngx_recording_publishers_check(void);

/*
 * Appends one record (no newline) to a recording's journal from the thread
 * pool, in the order of the calls; done(ctx, rc) may be NULL: nobody waits.
 */
typedef void (*ngx_recording_journal_pt)(void *ctx, ngx_int_t rc);

ngx_int_t ngx_recording_journal_append(const char *dir, const char *line,
    size_t len, ngx_recording_journal_pt done, void *ctx, ngx_log_t *log);


#endif /* _NGX_RECORDING_TABLE_H_INCLUDED_ */
