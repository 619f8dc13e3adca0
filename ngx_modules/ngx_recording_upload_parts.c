
/*
 * Copyright (C) The call recorder authors
 *
 * Which parts of a result are there, and what they are.
 *
 *     open -> scan -> digest -> ready ... handed in -> digest -> end
 *
 * One thing at a time is done on disk, by a thread; requests go on beside it.
 */


#include "ngx_recording_upload.h"
#include "ngx_recording_conf.h"


#define ngx_recording_upload_is_prepared(up, n)                               \
    ((up)->prepared[(n) / 8] & (1 << (n) % 8))


static ngx_recording_upload_work_e ngx_recording_upload_due(
    ngx_recording_upload_t *up);
static uint32_t ngx_recording_upload_total(ngx_recording_upload_t *up);
static void ngx_recording_upload_worked(ngx_event_t *ev);
static void ngx_recording_upload_opened(ngx_recording_upload_t *up);
static void ngx_recording_upload_digested(ngx_recording_upload_t *up);


void
ngx_recording_upload_work(ngx_recording_upload_t *up)
{
    ngx_recording_upload_work_e  what;

    if (up->work->what != NGX_RECORDING_UPLOAD_IDLE) {
        return;
    }

    what = ngx_recording_upload_due(up);

    if (what != NGX_RECORDING_UPLOAD_IDLE) {

        /* when the pool is full, a second later again */

        (void) ngx_recording_upload_post(up, what);
    }
}


static ngx_recording_upload_work_e
ngx_recording_upload_due(ngx_recording_upload_t *up)
{
    uint32_t                      n;
    const char                   *id;
    ngx_recording_upload_work_t  *work;

    work = up->work;

    if (!up->opened) {

        /* the file may be removed already */

        work->no_file = up->abandoned;
        return NGX_RECORDING_UPLOAD_OPEN;
    }

    if (up->multipart == NULL || up->abandoned
        || cr_s3_multipart_state(up->multipart) != CR_S3_RUNNING)
    {
        return NGX_RECORDING_UPLOAD_IDLE;
    }

    id = cr_s3_multipart_id(up->multipart);

    if (id[0] != '\0' && ngx_strcmp(id, up->noted) != 0) {
        work->noted.part_size = up->plan.size;
        (void) ngx_cpystrn((u_char *) work->noted.key, up->key.data,
                           ngx_min(up->key.len + 1, CR_UPLOAD_KEY_MAX));
        (void) ngx_cpystrn((u_char *) work->noted.upload_id, (u_char *) id,
                           sizeof(work->noted.upload_id));
        return NGX_RECORDING_UPLOAD_NOTE;
    }

    if (up->kicked && !up->ended) {
        up->kicked = 0;
        work->pos = up->ledger;
        work->cover = up->cover;
        return NGX_RECORDING_UPLOAD_SCAN;
    }

    n = ngx_recording_upload_next(up);

    if (n == 0) {
        return NGX_RECORDING_UPLOAD_IDLE;
    }

    work->number = n;
    cr_s3_plan_part(&up->plan, n, &work->offset, &work->size);

    if (up->handed && n == ngx_recording_upload_total(up)) {
        work->size = up->output.size_bytes - work->offset;
    }

    return NGX_RECORDING_UPLOAD_DIGEST;
}


uint32_t
ngx_recording_upload_next(ngx_recording_upload_t *up)
{
    uint32_t  n, first, total;
    uint64_t  offset, size;

    if (up->ended) {
        return 0;
    }

    if (up->handed) {
        total = ngx_recording_upload_total(up);

        while (up->low <= total
               && ngx_recording_upload_is_prepared(up, up->low))
        {
            up->low++;
        }

        return up->low <= total ? up->low : 0;
    }

    if (up->cover.head == 0) {
        return 0;
    }

    first = cr_s3_plan_find(&up->plan, up->cover.head - 1) + 1;
    up->media = ngx_max(up->media, first);

    n = up->media;

    if (n <= CR_S3_PART_NUMBER_MAX) {
        cr_s3_plan_part(&up->plan, n, &offset, &size);

        if (cr_cover_has(&up->cover, offset, size)) {
            return n;
        }
    }

    for (n = up->low; n < first && up->cover.top; n++) {
        cr_s3_plan_part(&up->plan, n, &offset, &size);

        if (!ngx_recording_upload_is_prepared(up, n)
            && cr_cover_has(&up->cover, offset, size))
        {
            return n;
        }
    }

    return 0;
}


static uint32_t
ngx_recording_upload_total(ngx_recording_upload_t *up)
{
    return cr_s3_plan_find(&up->plan, up->output.size_bytes - 1);
}


ngx_int_t
ngx_recording_upload_post(ngx_recording_upload_t *up,
    ngx_recording_upload_work_e what)
{
    up->work->what = what;

    up->task->handler = ngx_recording_upload_thread;
    up->task->event.handler = ngx_recording_upload_worked;
    up->task->event.data = up;
    up->task->event.log = ngx_cycle->log;

    if (ngx_thread_task_post(ngx_recording_conf()->thread_pool, up->task)
        != NGX_OK)
    {
        up->work->what = NGX_RECORDING_UPLOAD_IDLE;
        return NGX_ERROR;
    }

    /* a worker that is asked to leave waits for the thread */

    if (!up->timer.timer_set) {
        ngx_add_timer(&up->timer, NGX_RECORDING_UPLOAD_BEAT);
    }

    return NGX_OK;
}


static void
ngx_recording_upload_worked(ngx_event_t *ev)
{
    ngx_recording_upload_t       *up;
    ngx_recording_upload_work_t  *work;
    ngx_recording_upload_work_e   what;

    up = ev->data;
    work = up->work;

    what = work->what;
    work->what = NGX_RECORDING_UPLOAD_IDLE;

    if (work->rc != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, work->err,
                      "recording %s, upload: %s failed",
                      up->ref.recording_id, work->failed);
    }

    switch (what) {

    case NGX_RECORDING_UPLOAD_OPEN:
        ngx_recording_upload_opened(up);
        break;

    case NGX_RECORDING_UPLOAD_SCAN:

        if (work->cover.again && !up->cover.again) {

            /* it may have been sent: all is looked at again at the end */

            ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                          "recording %s: a part came again",
                          up->ref.recording_id);
        }

        up->cover = work->cover;
        up->ledger = work->pos;

        if (up->handed && up->cover.again) {
            ngx_memzero(up->prepared, sizeof(up->prepared));
            up->cover.again = 0;
            up->low = 1;
        }

        break;

    case NGX_RECORDING_UPLOAD_DIGEST:
        ngx_recording_upload_digested(up);
        break;

    case NGX_RECORDING_UPLOAD_NOTE:

        if (work->rc == NGX_OK) {
            (void) ngx_cpystrn((u_char *) up->noted,
                               (u_char *) work->noted.upload_id,
                               sizeof(up->noted));

        } else {
            ngx_recording_upload_give_up(up, "disk_io",
                                         "the UploadId cannot be kept");
        }

        break;

    default: /* NGX_RECORDING_UPLOAD_FORGET */
        up->over = 1;
    }

    ngx_recording_upload_run(up);
}


static void
ngx_recording_upload_opened(ngx_recording_upload_t *up)
{
    const char                   *id;
    ngx_recording_upload_work_t  *work;

    work = up->work;

    if (work->rc != NGX_OK) {

        if (!up->abandoned || work->no_file) {
            ngx_recording_upload_give_up(up, "disk_io",
                                         "the result cannot be read");
        }

        return;
    }

    up->opened = 1;
    up->file.fd = work->fd;
    up->file.name.data = work->final;
    up->file.name.len = ngx_strlen(work->final);
    up->whole = up->handed;
    id = NULL;

    if (work->has_note) {

        /* as it was begun, whatever is configured now */

        up->plan.size = work->noted.part_size;
        up->key.len = ngx_strlen(work->noted.key);
        up->key.data = ngx_pnalloc(up->pool, up->key.len + 1);

        if (up->key.data == NULL) {
            ngx_recording_upload_give_up(up, "internal", "no memory");
            return;
        }

        (void) ngx_cpystrn(up->key.data, (u_char *) work->noted.key,
                           up->key.len + 1);
        (void) ngx_cpystrn((u_char *) up->noted,
                           (u_char *) work->noted.upload_id,
                           sizeof(up->noted));
        id = up->noted;

        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "recording %s, attempt %ui: its upload is resumed",
                      up->ref.recording_id, up->attempt);
    }

    if (ngx_recording_upload_begin(up, id) != NGX_OK) {
        ngx_recording_upload_give_up(up, "internal", "no memory");
    }
}


static void
ngx_recording_upload_digested(ngx_recording_upload_t *up)
{
    uint32_t                      n;
    ngx_recording_upload_work_t  *work;

    work = up->work;
    n = work->number;

    if (work->rc != NGX_OK) {
        ngx_recording_upload_give_up(up, "disk_io",
                                     "the result cannot be read");
        return;
    }

    if (up->multipart == NULL) {
        return;
    }

    /* it was asked for before the size was known, and is the last, shorter */

    if (up->handed && n >= ngx_recording_upload_total(up)
        && work->offset + work->size != (uint64_t) up->output.size_bytes)
    {
        return;
    }

    up->prepared[n / 8] |= 1 << n % 8;

    if (n == up->media) {
        up->media++;
    }

    if (up->handed && !up->kicked) {
        (void) ngx_recording_upload_next(up);

        if (up->low > ngx_recording_upload_total(up)) {
            ngx_recording_upload_end(up);
        }
    }

    if (cr_s3_multipart_ready(up->multipart, n, work->md5) != CR_OK) {
        ngx_recording_upload_give_up(up, "upload_failed",
                                     "it needs too many parts");
    }
}


void
ngx_recording_upload_end(ngx_recording_upload_t *up)
{
    if (cr_s3_multipart_end(up->multipart, up->output.size_bytes) != CR_OK) {
        ngx_recording_upload_give_up(up, "upload_failed",
                                     "it needs too many parts");
        return;
    }

    up->ended = 1;
}
