
/*
 * Copyright (C) The call recorder authors
 *
 * The publishers of this worker, and which of them are being recorded.
 */


#include "ngx_callrec.h"
#include "ngx_recording.h"
#include "ngx_recording_join.h"
#include "ngx_recording_table.h"


#define NGX_RECORDING_TICK  100     /* ms; keyframes are asked for by it */


struct ngx_recording_publisher_s {
    ngx_queue_t                         queue;
    ngx_log_t                          *log;
    ngx_recording_publisher_info_t      info;
    ngx_recording_publisher_handlers_t  handlers;
    ngx_recording_publisher_stats_t     stats;
    ngx_recording_join_t               *join;      /* NULL: not recorded */
    ngx_uint_t                          ntracks;
    cr_clock_event_t                    clock[CR_TRACK_MAX];
    uint8_t                             clock_known[CR_TRACK_MAX];
    ngx_recording_size_t                sizes[CR_TRACK_MAX];
    ngx_uint_t                          nmedia;
    cr_media_params_t                   media[CR_MEDIA_MAX];
};


/* Of this process, made with its first publisher. */
typedef struct {
    ngx_queue_t                         publishers;
    ngx_queue_t                         joins;     /* leaving ones too */
    ngx_event_t                         tick;
} ngx_recording_worker_t;


static ngx_recording_worker_t *ngx_recording_worker(void);
static void ngx_recording_publisher_join(ngx_recording_publisher_t *pub,
    const ngx_recording_ref_t *ref);
static void ngx_recording_publisher_leave(ngx_recording_publisher_t *pub,
    const char *reason);
static void ngx_recording_publisher_check(ngx_recording_publisher_t *pub);
static void ngx_recording_publisher_tick(ngx_event_t *ev);
static void ngx_recording_publisher_exit(ngx_callrec_exit_e how);


static ngx_recording_worker_t  *ngx_recording_the_worker;


static ngx_recording_worker_t *
ngx_recording_worker(void)
{
    ngx_recording_worker_t  *rw;

    if (ngx_recording_the_worker != NULL) {
        return ngx_recording_the_worker;
    }

    rw = ngx_pcalloc(ngx_cycle->pool, sizeof(ngx_recording_worker_t));
    if (rw == NULL) {
        return NULL;
    }

    ngx_queue_init(&rw->publishers);
    ngx_queue_init(&rw->joins);

    rw->tick.data = rw;
    rw->tick.handler = ngx_recording_publisher_tick;
    rw->tick.log = ngx_cycle->log;

    if (ngx_callrec_exit_handler(ngx_recording_publisher_exit) != NGX_OK) {
        return NULL;
    }

    ngx_recording_the_worker = rw;

    return rw;
}


ngx_recording_publisher_t *
ngx_recording_publisher_open(const ngx_recording_publisher_info_t *info,
    const cr_media_params_t *media, ngx_uint_t nmedia,
    const ngx_recording_publisher_handlers_t *handlers, ngx_log_t *log)
{
    ngx_uint_t                  i;
    ngx_recording_ref_t         ref;
    ngx_recording_worker_t     *rw;
    ngx_recording_publisher_t  *pub;

    rw = ngx_recording_worker();

    if (rw == NULL || nmedia == 0 || nmedia > CR_MEDIA_MAX
        || !cr_id_valid(info->participant_id,
                        ngx_strlen(info->participant_id))
        || !cr_id_valid(info->session_id, ngx_strlen(info->session_id)))
    {
        return NULL;
    }

    for (i = 0; i < nmedia; i++) {
        if (media[i].kind != CR_KIND_AUDIO && media[i].kind != CR_KIND_VIDEO)
        {
            return NULL;
        }
    }

    pub = ngx_calloc(sizeof(ngx_recording_publisher_t), log);
    if (pub == NULL) {
        return NULL;
    }

    pub->log = log;
    pub->info = *info;
    pub->handlers = *handlers;
    pub->nmedia = nmedia;

    for (i = 0; i < nmedia; i++) {
        pub->ntracks += cr_media_tracks(&media[i]);
    }

    if (pub->ntracks > CR_TRACK_MAX) {
        ngx_free(pub);
        return NULL;
    }

    ngx_memcpy(pub->media, media, nmedia * sizeof(cr_media_params_t));

    ngx_queue_insert_tail(&rw->publishers, &pub->queue);

    if (ngx_recording_table_active(info->call_id, &ref) == NGX_OK) {
        ngx_recording_publisher_join(pub, &ref);
    }

    return pub;
}


void
ngx_recording_publisher_close(ngx_recording_publisher_t *pub,
    const char *reason)
{
    ngx_recording_publisher_leave(pub, reason);

    ngx_queue_remove(&pub->queue);
    ngx_free(pub);
}


static void
ngx_recording_publisher_join(ngx_recording_publisher_t *pub,
    const ngx_recording_ref_t *ref)
{
    ngx_uint_t               i;
    ngx_recording_worker_t  *rw;

    rw = ngx_recording_worker();

    pub->join = ngx_recording_join_create(pub, ref, &pub->info, pub->media,
                                          pub->nmedia, pub->sizes,
                                          &pub->handlers, &pub->stats);
    if (pub->join == NULL) {
        return;
    }

    ngx_queue_insert_tail(&rw->joins, &pub->join->queue);

    for (i = 0; i < pub->ntracks; i++) {
        if (pub->clock_known[i]) {
            ngx_recording_record_clock(pub->join, &pub->clock[i]);
        }
    }

    /* not from here: the caller may be in the middle of the session */

    if (!rw->tick.posted) {
        ngx_post_event(&rw->tick, &ngx_posted_events);
    }
}


static void
ngx_recording_publisher_leave(ngx_recording_publisher_t *pub,
    const char *reason)
{
    ngx_recording_join_t  *j;

    j = pub->join;

    if (j != NULL) {
        pub->join = NULL;
        ngx_recording_join_leave(j, reason);
    }
}


/*
 * The timer is not cancelable: a worker that is asked to leave waits for its
 * joins to be over.
 */
static void
ngx_recording_publisher_tick(ngx_event_t *ev)
{
    int64_t                  now_us;
    ngx_queue_t             *q;
    ngx_recording_worker_t  *rw;

    rw = ev->data;
    now_us = ngx_callrec_now_us();

    for (q = ngx_queue_head(&rw->joins);
         q != ngx_queue_sentinel(&rw->joins);
         q = ngx_queue_next(q))
    {
        ngx_recording_join_tick(ngx_queue_data(q, ngx_recording_join_t,
                                               queue), now_us);
    }

    if (!ngx_queue_empty(&rw->joins) && !ev->timer_set) {
        ngx_add_timer(ev, NGX_RECORDING_TICK);
    }
}


void
ngx_recording_publisher_frame(ngx_recording_publisher_t *pub,
    const cr_frame_t *frame)
{
    cr_frame_t  f;

    if (frame->track >= pub->ntracks) {
        return;
    }

    if (frame->width != 0) {
        pub->sizes[frame->track].width = frame->width;
        pub->sizes[frame->track].height = frame->height;
    }

    if (pub->join == NULL) {
        return;
    }

    f = *frame;
    f.time_us -= pub->join->ref.t0_us;

    if (f.time_us < 0) {
        /* captured before the start was accepted */
        return;
    }

    if (ngx_recording_layers_frame(pub->join, &f)) {
        ngx_recording_media_frame(pub->join, &f);
    }
}


void
ngx_recording_publisher_clock(ngx_recording_publisher_t *pub,
    const cr_clock_event_t *event)
{
    if (event->track >= pub->ntracks) {
        return;
    }

    pub->clock[event->track] = *event;
    pub->clock_known[event->track] = 1;

    if (pub->join != NULL) {
        ngx_recording_record_clock(pub->join, event);
    }
}


void
ngx_recording_publisher_gap(ngx_recording_publisher_t *pub,
    const cr_gap_event_t *event)
{
    /* of a layer that is not written nothing is missing */

    if (pub->join != NULL && event->track < pub->ntracks
        && ngx_recording_layers_chosen(pub->join,
                                       &pub->join->tracks[event->track]))
    {
        ngx_recording_record_lost(pub->join, event);
    }
}


void
ngx_recording_publisher_stats(ngx_recording_publisher_t *pub,
    const ngx_recording_publisher_stats_t *stats)
{
    pub->stats = *stats;

    if (pub->join != NULL) {
        pub->join->stats = *stats;
    }
}


void
ngx_recording_publishers_start(const ngx_recording_ref_t *ref)
{
    ngx_queue_t                *q;
    ngx_recording_worker_t     *rw;
    ngx_recording_publisher_t  *pub;

    rw = ngx_recording_worker();
    if (rw == NULL) {
        return;
    }

    for (q = ngx_queue_head(&rw->publishers);
         q != ngx_queue_sentinel(&rw->publishers);
         q = ngx_queue_next(q))
    {
        pub = ngx_queue_data(q, ngx_recording_publisher_t, queue);

        if (ngx_strcmp(pub->info.call_id, ref->call_id) == 0) {
            ngx_recording_publisher_check(pub);
        }
    }
}


void
ngx_recording_publishers_check(void)
{
    ngx_queue_t             *q;
    ngx_recording_worker_t  *rw;

    rw = ngx_recording_the_worker;
    if (rw == NULL) {
        return;
    }

    for (q = ngx_queue_head(&rw->publishers);
         q != ngx_queue_sentinel(&rw->publishers);
         q = ngx_queue_next(q))
    {
        ngx_recording_publisher_check(ngx_queue_data(q,
                                            ngx_recording_publisher_t, queue));
    }
}


/* By the table, not by messages: those may be late, or lost. */

static void
ngx_recording_publisher_check(ngx_recording_publisher_t *pub)
{
    ngx_int_t            rc;
    ngx_recording_ref_t  ref;

    rc = ngx_recording_table_active(pub->info.call_id, &ref);

    if (pub->join != NULL) {

        if (rc == NGX_OK
            && ngx_strcmp(pub->join->ref.recording_id, ref.recording_id) == 0)
        {
            return;
        }

        ngx_recording_publisher_leave(pub, "stop");
    }

    if (rc == NGX_OK) {
        ngx_recording_publisher_join(pub, &ref);
    }
}


void
ngx_recording_publishers_stop(const char *recording_id)
{
    ngx_queue_t                *q;
    ngx_recording_worker_t     *rw;
    ngx_recording_publisher_t  *pub;

    rw = ngx_recording_worker();
    if (rw == NULL) {
        return;
    }

    for (q = ngx_queue_head(&rw->publishers);
         q != ngx_queue_sentinel(&rw->publishers);
         q = ngx_queue_next(q))
    {
        pub = ngx_queue_data(q, ngx_recording_publisher_t, queue);

        if (pub->join != NULL
            && ngx_strcmp(pub->join->ref.recording_id, recording_id) == 0)
        {
            ngx_recording_publisher_leave(pub, "stop");
        }
    }
}


static void
ngx_recording_publisher_exit(ngx_callrec_exit_e how)
{
    ngx_queue_t             *q;
    ngx_recording_worker_t  *rw;

    if (how != NGX_CALLREC_EXIT_NOW) {
        /* sessions end by ngx_rtc, and their publishers are closed by it */
        return;
    }

    rw = ngx_recording_the_worker;

    for (q = ngx_queue_head(&rw->joins);
         q != ngx_queue_sentinel(&rw->joins);
         q = ngx_queue_next(q))
    {
        ngx_recording_media_flush(ngx_queue_data(q, ngx_recording_join_t,
                                                 queue));
    }

    ngx_recording_writers_finish();
}
