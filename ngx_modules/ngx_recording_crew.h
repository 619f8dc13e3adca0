
/*
 * Copyright (C) The call recorder authors
 *
 * Small pieces of work for a thread pool.  All that is posted in one turn of
 * the event loop, or in 200 ms if it has time, is done by one thread, one
 * piece after the other; when a piece has waited too long for its turn
 * (another one hangs), more threads come to help.
 */

#ifndef _NGX_RECORDING_CREW_H_INCLUDED_
#define _NGX_RECORDING_CREW_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_thread_pool.h>


typedef struct ngx_recording_crew_s  ngx_recording_crew_t;
typedef struct ngx_recording_work_s  ngx_recording_work_t;

typedef void (*ngx_recording_work_pt)(ngx_recording_work_t *work);


struct ngx_recording_work_s {
    ngx_recording_work_pt      run;       /* in a thread */
    ngx_recording_work_pt      done;      /* in the event loop */
    void                      *data;

    /* the crew's */
    ngx_queue_t                queue;
    ngx_msec_t                 posted;
    unsigned                   busy:1;    /* posted, and not done yet */
};


/* The crew of this process and this pool; NULL: no memory. */
ngx_recording_crew_t *ngx_recording_crew(ngx_thread_pool_t *pool);

/*
 * work must not be busy.  later: nobody waits for it, it may be done together
 * with what comes soon.  A worker that is asked to leave waits for its pieces
 * of work to be done.
 */
void ngx_recording_crew_post(ngx_recording_crew_t *crew,
    ngx_recording_work_t *work, ngx_uint_t later);

/* Somebody waits for what was posted with `later`, after all. */
void ngx_recording_crew_hurry(ngx_recording_crew_t *crew);

/*
 * For a process that leaves: does here what no thread has begun, and waits
 * for the threads, but not longer than msec.  What is still busy then has
 * not been done; no done() is called.
 */
void ngx_recording_crew_finish(ngx_recording_crew_t *crew, ngx_msec_t msec);


#endif /* _NGX_RECORDING_CREW_H_INCLUDED_ */
