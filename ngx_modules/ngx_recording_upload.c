
/*
 * Copyright (C) The call recorder authors
 *
 * Drives src/s3/multipart: gives it the parts that have come, sends what it
 * wants sent, and ends the recording when it is at its end.  What is known of
 * the result comes from the disk (ngx_recording_upload_parts.c) and the table
 * alone: parts may come in other workers.
 */


#include "ngx_recording_upload.h"
#include "ngx_callrec.h"
#include "ngx_recording_mix.h"


#define NGX_RECORDING_UPLOAD_BACKOFF      250000     /* us */
#define NGX_RECORDING_UPLOAD_BACKOFF_MAX  30000000


static ngx_recording_upload_t *ngx_recording_upload_find(
    const ngx_recording_ref_t *ref, ngx_uint_t attempt);
static ngx_recording_upload_t *ngx_recording_upload_create(
    const ngx_recording_ref_t *ref, ngx_uint_t attempt);
static ngx_int_t ngx_recording_upload_key(ngx_recording_upload_t *up);
static void ngx_recording_upload_timer(ngx_event_t *ev);
static void ngx_recording_upload_watch(ngx_recording_upload_t *up);
static void ngx_recording_upload_limit(ngx_recording_upload_t *up);
static int64_t ngx_recording_upload_pump(ngx_recording_upload_t *up);
static void ngx_recording_upload_over(ngx_recording_upload_t *up);
static void ngx_recording_upload_stored(ngx_recording_upload_t *up);
static void ngx_recording_upload_journaled(void *ctx, ngx_int_t rc);
static void ngx_recording_upload_forget(ngx_recording_upload_t *up,
    ngx_uint_t remove);
static void ngx_recording_upload_free(ngx_recording_upload_t *up);


/* Those of this worker. */
static ngx_queue_t  ngx_recording_uploads;


void
ngx_recording_upload_kick(const ngx_recording_ref_t *ref, ngx_uint_t attempt)
{
    ngx_recording_upload_t  *up;

    up = ngx_recording_upload_find(ref, attempt);

    if (up == NULL) {

        if (ngx_recording_mix_conf()->store->s3 == NULL) {
            ngx_recording_upload_failed(ref, attempt, "upload_failed",
                                        "there is no S3 store any more");
            return;
        }

        if (ngx_exiting || ngx_recording_upload_take(ref, attempt) != NGX_OK) {
            return;
        }

        up = ngx_recording_upload_create(ref, attempt);

        if (up == NULL) {
            ngx_recording_upload_release(ref);
            return;
        }
    }

    up->kicked |= !up->handed;
    ngx_recording_upload_run(up);
}


void
ngx_recording_upload_abandon(const ngx_recording_ref_t *ref,
    ngx_uint_t attempt)
{
    ngx_recording_upload_t  *up;

    up = ngx_recording_upload_find(ref, attempt);

    if (up == NULL) {

        /* who does it, notices by itself */

        if (ngx_recording_upload_taken(ref)) {
            return;
        }

        up = ngx_recording_upload_create(ref, attempt);

        if (up == NULL) {
            return;
        }

        up->abandoned = 1;
    }

    ngx_recording_upload_run(up);
}


static ngx_recording_upload_t *
ngx_recording_upload_find(const ngx_recording_ref_t *ref, ngx_uint_t attempt)
{
    ngx_queue_t             *q;
    ngx_recording_upload_t  *up;

    if (ngx_recording_uploads.next == NULL) {
        ngx_queue_init(&ngx_recording_uploads);
    }

    for (q = ngx_queue_head(&ngx_recording_uploads);
         q != ngx_queue_sentinel(&ngx_recording_uploads);
         q = ngx_queue_next(q))
    {
        up = ngx_queue_data(q, ngx_recording_upload_t, queue);

        if (up->attempt == attempt
            && ngx_strcmp(up->ref.recording_id, ref->recording_id) == 0)
        {
            return up;
        }
    }

    return NULL;
}


static ngx_recording_upload_t *
ngx_recording_upload_create(const ngx_recording_ref_t *ref,
    ngx_uint_t attempt)
{
    ngx_pool_t                     *pool;
    ngx_recording_upload_t         *up;
    const ngx_recording_s3_conf_t  *conf;

    conf = ngx_recording_mix_conf()->store->s3;

    if (conf == NULL) {
        return NULL;
    }

    pool = ngx_create_pool(4096, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    up = ngx_pcalloc(pool, sizeof(ngx_recording_upload_t));
    if (up == NULL) {
        goto failed;
    }

    up->pool = pool;
    up->ref = *ref;
    up->attempt = attempt;
    up->conf = conf;
    up->file.fd = NGX_INVALID_FILE;
    up->file.log = ngx_cycle->log;
    up->low = 1;
    up->plan = cr_s3_plan(0, conf->part_size, 0);

    if (ngx_recording_upload_key(up) != NGX_OK) {
        goto failed;
    }

    up->task = ngx_thread_task_alloc(pool,
                                     sizeof(ngx_recording_upload_work_t));
    if (up->task == NULL) {
        goto failed;
    }

    up->work = up->task->ctx;
    ngx_memzero(up->work, sizeof(ngx_recording_upload_work_t));
    up->work->fd = NGX_INVALID_FILE;
    ngx_recording_upload_paths(up->work, ref, attempt);

    up->timer.handler = ngx_recording_upload_timer;
    up->timer.data = up;
    up->timer.log = ngx_cycle->log;

    ngx_queue_insert_tail(&ngx_recording_uploads, &up->queue);

    return up;

failed:

    ngx_destroy_pool(pool);

    return NULL;
}


static ngx_int_t
ngx_recording_upload_key(ngx_recording_upload_t *up)
{
    size_t  len;

    len = up->conf->prefix.len + ngx_strlen(up->ref.call_id)
          + ngx_strlen(up->ref.recording_id)
          + sizeof("//" NGX_RECORDING_UPLOAD_NAME);

    up->key.data = ngx_pnalloc(up->pool, len);
    if (up->key.data == NULL) {
        return NGX_ERROR;
    }

    up->key.len = ngx_sprintf(up->key.data, "%V%s/%s/"
                              NGX_RECORDING_UPLOAD_NAME, &up->conf->prefix,
                              up->ref.call_id, up->ref.recording_id)
                  - up->key.data;

    return NGX_OK;
}


static void
ngx_recording_upload_timer(ngx_event_t *ev)
{
    ngx_recording_upload_t  *up = ev->data;

    up->kicked |= !up->handed;
    ngx_recording_upload_run(up);
}


void
ngx_recording_upload_run(ngx_recording_upload_t *up)
{
    int64_t     at;
    ngx_msec_t  wait;
    ngx_uint_t  idle;

    if (!up->over && !up->finished) {
        ngx_recording_upload_watch(up);
    }

    at = INT64_MAX;

    if (!up->over && !up->finished && (!ngx_exiting || up->abandoned)) {
        ngx_recording_upload_work(up);
        at = ngx_recording_upload_pump(up);
    }

    idle = up->calls == 0 && up->work->what == NGX_RECORDING_UPLOAD_IDLE;

    if (idle && ngx_exiting && !up->over && !up->abandoned) {

        /* another worker goes on: nothing of ours is in its way */

        ngx_recording_upload_release(&up->ref);
        up->over = 1;
    }

    if (up->over) {

        if (idle) {
            ngx_recording_upload_free(up);
            return;
        }

        at = INT64_MAX;
    }

    wait = NGX_RECORDING_UPLOAD_BEAT;
    at = (at - ngx_callrec_now_us()) / 1000 + 1;

    if (at < (int64_t) wait) {
        wait = ngx_max(at, 1);
    }

    ngx_add_timer(&up->timer, wait);
}


/* What the table says. */
static void
ngx_recording_upload_watch(ngx_recording_upload_t *up)
{
    if (!up->abandoned) {

        switch (ngx_recording_upload_look(&up->ref, up->attempt, &up->output))
        {

        case NGX_DECLINED:

            /* discarded, deleted, or another attempt's turn */

            up->abandoned = 1;
            ngx_recording_upload_release(&up->ref);
            ngx_recording_upload_limit(up);
            break;

        case NGX_DONE:

            if (!up->handed) {
                up->handed = 1;
                up->kicked = 1;
                ngx_recording_upload_limit(up);
            }

            break;

        default: /* NGX_OK */
            break;
        }
    }

    if (up->dormant && (up->handed || up->abandoned)
        && ngx_recording_upload_begin(up, up->noted) == NGX_OK)
    {
        up->dormant = 0;
    }

    if (up->abandoned && up->multipart != NULL && !up->aborting) {
        up->aborting = 1;
        cr_s3_multipart_abort(up->multipart);
    }
}


/* While the mix goes on, nothing is lost by waiting for the store. */
static void
ngx_recording_upload_limit(ngx_recording_upload_t *up)
{
    if (up->multipart != NULL && (up->handed || up->abandoned)) {
        cr_s3_multipart_deadline(up->multipart, ngx_callrec_now_us()
            + (int64_t) ngx_recording_mix_conf()->upload_deadline * 1000);
    }
}


ngx_int_t
ngx_recording_upload_begin(ngx_recording_upload_t *up, const char *id)
{
    cr_s3_upload_conf_t  conf;

    ngx_memzero(&conf, sizeof(cr_s3_upload_conf_t));

    conf.plan = up->plan;
    conf.parallel = up->conf->parallel;
    conf.deadline = INT64_MAX;
    conf.backoff = NGX_RECORDING_UPLOAD_BACKOFF;
    conf.backoff_max = NGX_RECORDING_UPLOAD_BACKOFF_MAX;
    conf.check_etag = 1;

    up->multipart = cr_s3_multipart_create(&ngx_callrec_env, &conf, id);

    if (up->multipart == NULL) {
        return NGX_ERROR;
    }

    ngx_recording_upload_limit(up);

    ngx_memzero(up->prepared, sizeof(up->prepared));
    up->low = 1;
    up->media = 0;
    up->ended = 0;

    return NGX_OK;
}


/* When it is to be called again, at the latest. */
static int64_t
ngx_recording_upload_pump(ngx_recording_upload_t *up)
{
    int64_t          at;
    const char      *id;
    cr_status_e      rc;
    cr_s3_action_t   action;

    if (!up->opened || up->multipart == NULL) {
        return INT64_MAX;
    }

    if (!up->abandoned) {

        /* all were prepared before it was handed in */

        if (up->handed && !up->ended && !up->kicked
            && up->work->what == NGX_RECORDING_UPLOAD_IDLE
            && ngx_recording_upload_next(up) == 0)
        {
            ngx_recording_upload_end(up);
        }

        /* what the store lists is compared with what is here, of all parts */

        if (up->whole && !up->ended) {
            return INT64_MAX;
        }

        /* no part is sent before a restart would know of it */

        id = cr_s3_multipart_id(up->multipart);

        if (id[0] != '\0' && ngx_strcmp(id, up->noted) != 0) {
            ngx_recording_upload_work(up);
            return INT64_MAX;
        }
    }

    while (up->multipart != NULL && !up->over) {

        rc = cr_s3_multipart_next(up->multipart, ngx_callrec_now_us(),
                                  &action, &at);

        if (rc == CR_AGAIN) {
            return at;
        }

        if (rc != CR_OK) {
            ngx_recording_upload_over(up);
            break;
        }

        ngx_recording_upload_call(up, &action);
    }

    return INT64_MAX;
}


/* The multipart is at its end. */
static void
ngx_recording_upload_over(ngx_recording_upload_t *up)
{
    u_char       message[CR_JOURNAL_MESSAGE_SIZE];
    const char  *error;

    if (up->calls != 0
        || up->work->what != NGX_RECORDING_UPLOAD_IDLE)
    {
        return;
    }

    switch (cr_s3_multipart_state(up->multipart)) {

    case CR_S3_DONE:
        ngx_recording_upload_stored(up);
        return;

    case CR_S3_ABORTED:
        ngx_recording_upload_forget(up, 0);
        return;

    default: /* CR_S3_FAILED */
        break;
    }

    error = cr_s3_multipart_error(up->multipart);

    ngx_snprintf(message, sizeof(message), "the upload failed: %s%s%s%Z",
                 error, up->trouble[0] ? ": " : "", up->trouble);

    if (up->handed || up->abandoned) {
        ngx_recording_upload_give_up(up,
                                     ngx_strcmp(error, "deadline") == 0
                                         ? "upload_deadline"
                                         : "upload_failed",
                                     (char *) message);
        return;
    }

    /* the mix is not to suffer from it: once more when it is at its end */

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "recording %s: %s; tried again when the mix is done",
                  up->ref.recording_id, message);

    cr_s3_multipart_free(up->multipart);
    up->multipart = NULL;
    up->dormant = 1;
}


static void
ngx_recording_upload_stored(ngx_recording_upload_t *up)
{
    ngx_int_t  rc;

    (void) ngx_cpystrn((u_char *) up->output.location, up->url,
                       sizeof(up->output.location));

    ngx_recording_upload_progress(&up->ref, up->attempt,
                                  up->output.size_bytes,
                                  up->output.size_bytes);

    /* nothing is removed here before the journal has it */

    up->finished = 1;
    up->work->what = NGX_RECORDING_UPLOAD_FORGET;

    rc = ngx_recording_upload_done(&up->ref, up->attempt, &up->output,
                                   ngx_recording_upload_journaled, up);

    if (rc != NGX_OK) {
        up->work->what = NGX_RECORDING_UPLOAD_IDLE;
        up->over = 1;
        return;
    }

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "recording %s is stored as \"%s\"", up->ref.recording_id,
                  up->output.location);
}


static void
ngx_recording_upload_journaled(void *ctx, ngx_int_t rc)
{
    ngx_recording_upload_t  *up = ctx;

    up->work->what = NGX_RECORDING_UPLOAD_IDLE;

    if (rc == NGX_OK) {
        ngx_recording_upload_forget(up,
            ngx_recording_mix_conf()->keep_local == NGX_RECORDING_KEEP_CHUNKS);

    } else {
        up->over = 1;
    }

    if (up->over) {
        ngx_recording_upload_run(up);
    }
}


static void
ngx_recording_upload_forget(ngx_recording_upload_t *up, ngx_uint_t remove)
{
    up->work->remove = remove;
    up->finished = 1;

    if (ngx_recording_upload_post(up, NGX_RECORDING_UPLOAD_FORGET) != NGX_OK) {
        up->over = 1;
    }
}


void
ngx_recording_upload_give_up(ngx_recording_upload_t *up, const char *code,
    const char *message)
{
    up->over = 1;

    if (up->abandoned) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "recording %s, attempt %ui: its upload could not be "
                      "aborted: %s", up->ref.recording_id, up->attempt,
                      message);
        return;
    }

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0, "recording %s: %s",
                  up->ref.recording_id, message);

    if (up->handed) {
        ngx_recording_upload_failed(&up->ref, up->attempt, code, message);

    } else {

        /* it is looked at again with the next part, or at the end */

        ngx_recording_upload_release(&up->ref);
    }
}


void
ngx_recording_upload_trouble(ngx_recording_upload_t *up, const char *fmt, ...)
{
    u_char   *last;
    va_list   args;

    va_start(args, fmt);
    last = ngx_vslprintf((u_char *) up->trouble,
                         (u_char *) up->trouble + sizeof(up->trouble) - 1,
                         fmt, args);
    va_end(args);

    *last = '\0';

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "recording %s, upload: %s", up->ref.recording_id,
                  up->trouble);
}


static void
ngx_recording_upload_free(ngx_recording_upload_t *up)
{
    if (up->timer.timer_set) {
        ngx_del_timer(&up->timer);
    }

    if (up->file.fd != NGX_INVALID_FILE) {
        (void) ngx_close_file(up->file.fd);
    }

    cr_s3_multipart_free(up->multipart);
    ngx_queue_remove(&up->queue);
    ngx_destroy_pool(up->pool);
}
