
/*
 * Copyright (C) The call recorder authors
 *
 * Files written in a thread pool: operations on a writer run in the order in
 * which they were given, one batch at a time; their callbacks run in the
 * event loop, in the same order.
 */

#ifndef _NGX_RECORDING_WRITER_H_INCLUDED_
#define _NGX_RECORDING_WRITER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_thread_pool.h>


typedef struct ngx_recording_writer_s  ngx_recording_writer_t;

/* err is errno when rc is NGX_ERROR; len is that of an append. */
typedef void (*ngx_recording_writer_pt)(void *ctx, ngx_int_t rc,
    ngx_err_t err, size_t len);


/* durable: what is written and closed is safe from a power cut. */
ngx_recording_writer_t *ngx_recording_writer_create(ngx_thread_pool_t *pool,
    ngx_uint_t durable, ngx_log_t *log);

/*
 * patient: nobody waits for what is asked for from now on, it may be done
 * with others' work a little later.  It is so at first of no writer, and
 * always of what is given.
 */
void ngx_recording_writer_patient(ngx_recording_writer_t *w,
    ngx_uint_t patient);

/* What was given is still done; callbacks run, then the writer is freed. */
void ngx_recording_writer_destroy(ngx_recording_writer_t *w);

/*
 * A file of our own: it must not exist; up to two folders above it are made.
 * After a failure all operations up to the next open fail with its errno,
 * and what a failed append left is cut off.
 */
ngx_int_t ngx_recording_writer_create_file(ngx_recording_writer_t *w,
    const char *path, ngx_recording_writer_pt done, void *ctx);

/*
 * A file of lines that other processes append to as well; a last line that
 * was left without its end is ended.
 */
ngx_int_t ngx_recording_writer_open_shared(ngx_recording_writer_t *w,
    const char *path, ngx_recording_writer_pt done, void *ctx);

/* One write(); the bytes are copied, tail (may be NULL) goes behind them. */
ngx_int_t ngx_recording_writer_append(ngx_recording_writer_t *w,
    const void *data, size_t len, const char *tail,
    ngx_recording_writer_pt done, void *ctx);

/* The same of memory of malloc()'s, which is the writer's in any case. */
ngx_int_t ngx_recording_writer_give(ngx_recording_writer_t *w, void *data,
    size_t len, ngx_recording_writer_pt done, void *ctx);

/*
 * fdatasync() of what was appended so far; not when one is under way that has
 * not been done yet.
 */
void ngx_recording_writer_sync(ngx_recording_writer_t *w);

/* close(), after an fdatasync() if it is to be durable. */
ngx_int_t ngx_recording_writer_close(ngx_recording_writer_t *w,
    ngx_recording_writer_pt done, void *ctx);

/* Bytes that were given and are not written yet. */
size_t ngx_recording_writer_pending(ngx_recording_writer_t *w);

/*
 * Does all that is pending in all writers now, waiting for the threads: for
 * a process that leaves.  Nothing is synced, callbacks are not called any more.
 */
void ngx_recording_writers_finish(void);


#endif /* _NGX_RECORDING_WRITER_H_INCLUDED_ */
