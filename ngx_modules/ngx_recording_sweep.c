
/*
 * Copyright (C) The call recorder authors
 *
 * Once a second, in one worker: limits, what dead workers left undone, and
 * recovery after a start; in all: publishers that missed a message.
 */


#include "ngx_recording_engine.h"
#include "ngx_recording_job.h"
#include "ngx_recording_upload.h"


#define NGX_RECORDING_SWEEP_MS      1000

/* A publisher that has not written what it holds by then never will. */
#define NGX_RECORDING_STOP_MS       30000


static void ngx_recording_sweep(ngx_event_t *ev);
static void ngx_recording_sweep_all(ngx_recording_zone_t *zone);
static void ngx_recording_sweep_one(ngx_recording_zone_t *zone,
    const char *recording_id);
static void ngx_recording_sweep_workers(ngx_recording_change_t *ch);
static void ngx_recording_sweep_limits(ngx_recording_change_t *ch);
static void ngx_recording_sweep_space(ngx_recording_change_t *ch);
static ngx_uint_t ngx_recording_dead(ngx_pid_t pid);


static ngx_event_t       ngx_recording_sweep_event;
static ngx_connection_t  ngx_recording_sweep_dummy;


ngx_int_t
ngx_recording_sweep_init(ngx_cycle_t *cycle)
{
    ngx_event_t  *ev;

    ev = &ngx_recording_sweep_event;

    ngx_memzero(ev, sizeof(ngx_event_t));
    ngx_recording_sweep_dummy.fd = (ngx_socket_t) -1;

    ev->handler = ngx_recording_sweep;
    ev->data = &ngx_recording_sweep_dummy;
    ev->log = cycle->log;
    ev->cancelable = 1;

    ngx_add_timer(ev, 1);

    return NGX_OK;
}


static void
ngx_recording_sweep(ngx_event_t *ev)
{
    ngx_recording_zone_t  *zone;

    zone = ngx_recording_zone();

    if (!ngx_exiting && ngx_callrec_worker_current() == ngx_pid) {
        ngx_recording_space_check(zone);
        ngx_recording_recover(zone);
        ngx_recording_sweep_all(zone);
    }

    /* also where old sessions go on after a reload */

    ngx_recording_publishers_check();

    ngx_add_timer(ev, NGX_RECORDING_SWEEP_MS);
}


static void
ngx_recording_sweep_all(ngx_recording_zone_t *zone)
{
    char                  *ids;
    ngx_uint_t             i, max, n;
    ngx_queue_t           *q;
    ngx_recording_node_t  *node;

    n = 0;

    ngx_recording_lock(zone);

    for (q = ngx_queue_head(&zone->sh->running);
         q != ngx_queue_sentinel(&zone->sh->running);
         q = ngx_queue_next(q))
    {
        n++;
    }

    ngx_recording_unlock(zone);

    if (n == 0) {
        return;
    }

    ids = ngx_alloc(n * (CR_ID_MAX + 1), ngx_cycle->log);
    if (ids == NULL) {
        return;
    }

    max = n;
    n = 0;

    ngx_recording_lock(zone);

    for (q = ngx_queue_head(&zone->sh->running);
         q != ngx_queue_sentinel(&zone->sh->running) && n < max;
         q = ngx_queue_next(q))
    {
        node = ngx_queue_data(q, ngx_recording_node_t, queue);
        ngx_memcpy(ids + n++ * (CR_ID_MAX + 1), node->rec.recording_id,
                   CR_ID_MAX + 1);
    }

    ngx_recording_unlock(zone);

    for (i = 0; i < n; i++) {
        ngx_recording_sweep_one(zone, ids + i * (CR_ID_MAX + 1));
    }

    ngx_free(ids);
}


static void
ngx_recording_sweep_one(ngx_recording_zone_t *zone, const char *recording_id)
{
    int64_t                 now_ms;
    ngx_uint_t              check, remove, save;
    cr_recording_job_t      job;
    ngx_recording_ref_t     ref;
    ngx_recording_change_t  ch;

    if (ngx_recording_change(&ch, recording_id) != NGX_OK) {
        return;
    }

    if (ch.node->owner != 0) {

        /* the worker that was asked to start it has not, and has died */

        if (ngx_recording_dead(ch.node->owner)) {
            ch.node->owner = 0;
            ngx_recording_fail(&ch, "worker_died",
                               "the server failed while it was started",
                               "starting");
        }

        ngx_recording_commit(&ch);
        return;
    }

    if (ch.node->saver != 0 && ngx_recording_dead(ch.node->saver)) {
        ch.node->saver = 0;
        ch.node->dirty = 1;
    }

    if (ch.node->remover != 0 && ngx_recording_dead(ch.node->remover)) {
        ch.node->remover = 0;
    }

    ngx_recording_sweep_workers(&ch);
    ngx_recording_sweep_limits(&ch);
    ngx_recording_sweep_space(&ch);
    ngx_recording_settle(&ch);

    save = ch.node->dirty && ch.node->saver == 0;
    remove = ch.node->remove;
    check = !ch.job && (ch.rec->status == CR_RECORDING_PROCESSING
                        || ch.rec->status == CR_RECORDING_UPLOADING);
    job = ch.rec->job;
    now_ms = ch.now_ms;
    ref = ch.ref;

    ngx_recording_commit(&ch);

    if (save) {
        ngx_recording_save(recording_id);
    }

    if (remove) {
        ngx_recording_remove(recording_id);
    }

    if (check && job.handed) {
        ngx_recording_upload_kick(&ref, job.attempt);

    } else if (check && job.token[0] == '\0') {
        ngx_recording_run_job(&ref, job.attempt);

    } else if (check) {
        ngx_recording_job_check(&ref, &job, now_ms);
    }
}


static void
ngx_recording_sweep_workers(ngx_recording_change_t *ch)
{
    ngx_uint_t               i;
    cr_recording_session_t  *session;

    for (i = ch->rec->nsessions; i-- > 0; /* void */) {

        if (ch->nlines >= NGX_RECORDING_RECORDS / 2) {

            /* the rest a second later */

            return;
        }

        session = &ch->rec->sessions[i];

        if (ngx_recording_dead(session->worker)) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "worker %P has died, session %s of recording %s "
                          "is over", (ngx_pid_t) session->worker,
                          session->id, ch->ref.recording_id);

            ngx_recording_lost_session(ch, i);

        } else if (ch->rec->status == CR_RECORDING_STOPPING
                   && ch->now_ms - ch->rec->stopped_ms
                      > NGX_RECORDING_STOP_MS)
        {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "session %s of recording %s does not end",
                          session->id, ch->ref.recording_id);

            (void) cr_recording_leave(ch->rec, session->id,
                                      session->last_media_ms, ch->now_ms);
        }
    }
}


static void
ngx_recording_sweep_limits(ngx_recording_change_t *ch)
{
    ngx_recording_conf_t  *conf;

    conf = ngx_recording_conf();

    if (!cr_recording_is_active(ch->rec)) {
        return;
    }

    if (conf->max_duration
        && ch->now_ms >= (int64_t) conf->max_duration)
    {
        (void) ngx_recording_stop(ch, "duration", 0);

    } else if (conf->idle_timeout && ch->rec->nsessions == 0
               && ch->now_ms - ch->rec->active_ms
                  >= (int64_t) conf->idle_timeout)
    {
        (void) ngx_recording_stop(ch, "idle", 0);
    }
}


/* A write that failed says more. */

static void
ngx_recording_sweep_space(ngx_recording_change_t *ch)
{
    if (!cr_recording_is_active(ch->rec)) {
        return;
    }

    if (!ch->zone->sh->space_low) {

        if (ngx_strcmp(ch->rec->error.code, "disk_low") == 0) {
            ngx_recording_trouble(ch, "", "");
        }

    } else if (ch->rec->error.code[0] == '\0') {
        ngx_recording_trouble(ch, "disk_low",
                              "less than recording_min_free is left");
    }
}


static ngx_uint_t
ngx_recording_dead(ngx_pid_t pid)
{
    return pid <= 0 || !ngx_callrec_worker_alive(pid);
}
