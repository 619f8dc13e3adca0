
/*
 * Copyright (C) The call recorder authors
 *
 * The seam between the recording engine, which knows when outputs are to be
 * made and what became of them, and the job (ngx_recording_job.c), which
 * runs the exec hook and takes the parts in.
 */

#ifndef _NGX_RECORDING_JOB_H_INCLUDED_
#define _NGX_RECORDING_JOB_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_recording_table.h"
#include "recording/recording.h"


/* ---- by the job, for the engine ---- */

/*
 * The recording is in `processing`: every writer has left.  Called in one
 * worker, again for each further attempt; attempt is the last one there was,
 * 0: none.  NGX_OK: the job is or will be under way; NGX_AGAIN: not now
 * (concurrency limit, no connections), the engine tries again; NGX_DECLINED:
 * there is nothing to run, the engine completes it.
 */
ngx_int_t ngx_recording_job_start(const ngx_recording_ref_t *ref,
    ngx_uint_t attempt);

/*
 * About once a second, in one worker, for each recording in `processing` or
 * `uploading` that has an attempt under way, with a copy of what is known of
 * it (without one, _start() is called again): notices an attempt without
 * heartbeat (now_ms: recording time).
 */
void ngx_recording_job_check(const ngx_recording_ref_t *ref,
    const cr_recording_job_t *job, int64_t now_ms);

/* The recording is aborted or deleted: ends the attempt's process. */
void ngx_recording_job_cancel(const ngx_recording_ref_t *ref,
    const cr_recording_job_t *job);


/* ---- by the engine, for the job; from any worker ---- */

/*
 * A new attempt: it gets a number, and a token (64 hex digits, made here).
 * From now on the token of the attempt before it is refused.  NGX_DECLINED:
 * the recording is not in `processing` or `uploading` any more, or *attempt
 * (the last one that the caller knows of; 0: none) is not the last one, so
 * that another worker was faster.
 */
ngx_int_t ngx_recording_job_begin(const ngx_recording_ref_t *ref,
    ngx_uint_t *attempt, char token[CR_JOURNAL_DIGEST_SIZE]);

/* The attempt's process runs. */
ngx_int_t ngx_recording_job_pid(const ngx_recording_ref_t *ref,
    ngx_uint_t attempt, ngx_pid_t pid);

/*
 * Whose token it is.  NGX_OK; NGX_DONE: of the attempt that has handed in
 * its result; NGX_DECLINED: no such recording, or it is over (410); NGX_ABORT:
 * not the token of the attempt under way.  copy may be NULL.
 */
ngx_int_t ngx_recording_job_find(const char *recording_id,
    const char *token, size_t len, ngx_recording_ref_t *ref,
    ngx_uint_t *attempt, cr_recording_t *copy);

/* All below: NGX_DECLINED when attempt is not the one under way. */

/* A heartbeat; -1, 0: no news. */
ngx_int_t ngx_recording_job_progress(const ngx_recording_ref_t *ref,
    ngx_uint_t attempt, int64_t out_time_ms, uint64_t bytes_uploaded);

/* `processing` becomes `uploading`. */
ngx_int_t ngx_recording_job_uploading(const ngx_recording_ref_t *ref,
    ngx_uint_t attempt);

/* Into status and journal. */
ngx_int_t ngx_recording_job_output(const ngx_recording_ref_t *ref,
    ngx_uint_t attempt, const cr_output_t *output);

/* All outputs are there: `completed`. */
ngx_int_t ngx_recording_job_done(const ngx_recording_ref_t *ref,
    ngx_uint_t attempt);

/*
 * The attempt is over without a result: one more is begun by
 * ngx_recording_job_start() when it is the first and may be repeated; else
 * the recording has failed.
 */
ngx_int_t ngx_recording_job_failed(const ngx_recording_ref_t *ref,
    ngx_uint_t attempt, const cr_journal_error_t *error);

/* CPU time of an ended process, for the status' cost. */
void ngx_recording_job_cpu(const ngx_recording_ref_t *ref, int64_t cpu_ms);


#endif /* _NGX_RECORDING_JOB_H_INCLUDED_ */
