
/*
 * Copyright (C) The call recorder authors
 *
 * POST :callId/recording/stop, GET and DELETE :callId/recording/:recordingId
 */


#include "ngx_http_recording_api.h"


#define NGX_HTTP_RECORDING_WAIT_MAX  60      /* seconds */


static ngx_int_t ngx_http_recording_stop_known(ngx_http_request_t *r,
    ngx_http_recording_ctx_t *ctx, ngx_uint_t discard);
static ngx_int_t ngx_http_recording_load(ngx_http_request_t *r,
    const char *call_id, const char *recording_id,
    ngx_recording_task_pt run, ngx_recording_task_pt done);
static void ngx_http_recording_stop_loaded(ngx_recording_task_t *task);
static void ngx_http_recording_get_loaded(ngx_recording_task_t *task);
static void ngx_http_recording_delete_loaded(ngx_recording_task_t *task);
static void ngx_http_recording_delete_removed(ngx_recording_task_t *task);
static ngx_int_t ngx_http_recording_delete_disk(ngx_http_request_t *r,
    ngx_http_recording_ctx_t *ctx, const char *dir, int64_t rev);
static void ngx_http_recording_disk_delete(ngx_recording_task_t *task);
static ngx_int_t ngx_http_recording_wait_args(ngx_http_request_t *r,
    int64_t rev, ngx_msec_t *wait, int64_t *after);
static ngx_int_t ngx_http_recording_not_found(ngx_http_request_t *r);
static ngx_int_t ngx_http_recording_gone(ngx_http_request_t *r,
    const char *recording_id);


ngx_int_t
ngx_http_recording_stop_handler(ngx_http_request_t *r,
    ngx_http_recording_ctx_t *ctx)
{
    ngx_int_t           rc;
    const char         *why;
    cr_status_e         status;
    cr_request_stop_t   request;

    status = cr_request_stop_parse((char *) ctx->body.data, ctx->body.len,
                                   &request, &why);

    if (status == CR_INVALID || status == CR_LIMIT) {
        return ngx_http_recording_error(r, NGX_HTTP_BAD_REQUEST,
                                        "invalid_request", why, NULL);
    }

    if (status != CR_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_recording_stop_known(r, ctx, request.discard);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    /* one that ended so long ago that it is only on disk */

    return ngx_http_recording_load(r, ctx->call_id, NULL,
                                   ngx_recording_disk_newest,
                                   ngx_http_recording_stop_loaded);
}


static ngx_int_t
ngx_http_recording_stop_known(ngx_http_request_t *r,
    ngx_http_recording_ctx_t *ctx, ngx_uint_t discard)
{
    ngx_uint_t               ended;
    cr_recording_t          *rec;
    ngx_recording_node_t    *node;
    ngx_recording_zone_t    *zone;
    ngx_recording_change_t   ch;

    rec = ngx_palloc(r->pool, sizeof(cr_recording_t));
    if (rec == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    zone = ngx_recording_zone();

    ngx_recording_lock(zone);

    node = ngx_recording_active_locked(zone, ctx->call_id);

    if (node != NULL && node->owner != 0) {
        ngx_recording_unlock(zone);

        return ngx_http_recording_error(r, NGX_HTTP_CONFLICT,
                                        "request_in_progress", "the "
                                        "recording is being started", NULL);
    }

    if (node == NULL) {
        do {
            node = ngx_recording_next_locked(zone, ctx->call_id, node);

        } while (node != NULL && node->rec.status == CR_RECORDING_DELETED);
    }

    if (node == NULL) {
        ngx_recording_unlock(zone);
        return NGX_DECLINED;
    }

    ngx_recording_change_locked(&ch, zone, node);

    ended = cr_recording_is_ended(ch.rec)
            && ch.rec->status != CR_RECORDING_ABORTED;

    if (!discard) {
        (void) ngx_recording_stop(&ch, "stopped", 0);

    } else if (!ended) {
        (void) ngx_recording_stop(&ch, "discarded", 1);
    }

    *rec = *ch.rec;

    ngx_recording_commit(&ch);

    if (discard && ended) {
        return ngx_http_recording_error(r, NGX_HTTP_CONFLICT,
                                        "recording_ended", "it is too late "
                                        "to discard the recording: delete "
                                        "it", rec->recording_id);
    }

    return ngx_http_recording_status(r, NGX_HTTP_ACCEPTED, rec);
}


ngx_int_t
ngx_http_recording_get_handler(ngx_http_request_t *r,
    ngx_http_recording_ctx_t *ctx)
{
    int64_t          after;
    ngx_int_t        rc;
    ngx_msec_t       wait;
    cr_recording_t  *rec;

    rec = ngx_palloc(r->pool, sizeof(cr_recording_t));
    if (rec == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_recording_copy(ctx->recording_id, rec) != NGX_OK) {
        return ngx_http_recording_load(r, ctx->call_id, ctx->recording_id,
                                       ngx_recording_disk_read,
                                       ngx_http_recording_get_loaded);
    }

    if (ngx_strcmp(rec->call_id, ctx->call_id) != 0) {
        return ngx_http_recording_not_found(r);
    }

    if (rec->status == CR_RECORDING_DELETED) {
        return ngx_http_recording_gone(r, rec->recording_id);
    }

    rc = ngx_http_recording_wait_args(r, rec->rev, &wait, &after);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    if (wait != 0 && rec->rev <= after && !cr_recording_is_ended(rec)) {

        if (ngx_http_recording_wait(r, ctx->recording_id, after, wait)
            == NGX_DONE)
        {
            return NGX_DONE;
        }

        if (ngx_recording_copy(ctx->recording_id, rec) != NGX_OK
            || rec->status == CR_RECORDING_DELETED)
        {
            return ngx_http_recording_gone(r, ctx->recording_id);
        }
    }

    return ngx_http_recording_status(r, NGX_HTTP_OK, rec);
}


ngx_int_t
ngx_http_recording_delete_handler(ngx_http_request_t *r,
    ngx_http_recording_ctx_t *ctx)
{
    ngx_int_t                rc;
    ngx_str_t                force;
    ngx_uint_t               active;
    cr_recording_t          *rec;
    ngx_recording_change_t   ch;

    active = !(ngx_http_arg(r, (u_char *) "force", 5, &force) == NGX_OK
               && force.len == 4
               && ngx_strncmp(force.data, "true", 4) == 0);

    rec = ngx_palloc(r->pool, sizeof(cr_recording_t));
    if (rec == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_recording_change(&ch, ctx->recording_id) != NGX_OK) {
        return ngx_http_recording_load(r, ctx->call_id, ctx->recording_id,
                                       ngx_recording_disk_read,
                                       ngx_http_recording_delete_loaded);
    }

    rc = NGX_OK;

    if (ngx_strcmp(ch.rec->call_id, ctx->call_id) != 0) {
        rc = NGX_DECLINED;

    } else if (ch.rec->status == CR_RECORDING_DELETED) {
        rc = NGX_DONE;

    } else if (ch.node->owner != 0
               || (active && !cr_recording_is_ended(ch.rec)))
    {
        rc = NGX_BUSY;

    } else {
        ngx_recording_delete(&ch);
    }

    *rec = *ch.rec;

    ngx_recording_commit(&ch);

    switch (rc) {

    case NGX_DECLINED:
        return ngx_http_recording_not_found(r);

    case NGX_DONE:
        return ngx_http_recording_gone(r, rec->recording_id);

    case NGX_BUSY:
        return ngx_http_recording_error(r, NGX_HTTP_CONFLICT,
                                        "recording_active", "the recording "
                                        "is not at its end: stop it, or say "
                                        "force=true", rec->recording_id);

    default:
        return ngx_http_recording_status(r, NGX_HTTP_ACCEPTED, rec);
    }
}


/* recording.json of a recording that is not in the table; of the call's
 * newest when recording_id is NULL. */

static ngx_int_t
ngx_http_recording_load(ngx_http_request_t *r, const char *call_id,
    const char *recording_id, ngx_recording_task_pt run,
    ngx_recording_task_pt done)
{
    u_char                 dir[NGX_RECORDING_DIR_MAX];
    ngx_recording_task_t  *task;

    (void) ngx_snprintf(dir, sizeof(dir), "%V/%s%s%s%Z",
                        &ngx_recording_conf()->root, call_id,
                        recording_id != NULL ? "/" : "",
                        recording_id != NULL ? recording_id : "");

    task = ngx_recording_task((char *) dir, run, done);
    if (task == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_recording_task(r, task);
}


static void
ngx_http_recording_stop_loaded(ngx_recording_task_t *task)
{
    int64_t                 rev;
    ngx_int_t               rc;
    ngx_http_request_t     *r;
    cr_recording_status_e   status;

    r = ngx_http_recording_task_request(task);
    if (r == NULL) {
        return;
    }

    if (task->rc == NGX_OK
        && cr_recording_status_parse(task->text, task->len, &status, &rev)
           == CR_OK
        && status != CR_RECORDING_DELETED)
    {
        rc = ngx_http_recording_data(r, NGX_HTTP_ACCEPTED, task->text, rev);

    } else {
        rc = ngx_http_recording_not_found(r);
    }

    ngx_http_recording_finalize(r, rc);
}


static void
ngx_http_recording_get_loaded(ngx_recording_task_t *task)
{
    int64_t                 rev;
    ngx_int_t               rc;
    ngx_http_request_t     *r;
    cr_recording_status_e   status;

    r = ngx_http_recording_task_request(task);
    if (r == NULL) {
        return;
    }

    if (task->rc != NGX_OK
        || cr_recording_status_parse(task->text, task->len, &status, &rev)
           != CR_OK)
    {
        rc = ngx_http_recording_not_found(r);

    } else if (status == CR_RECORDING_DELETED) {
        rc = ngx_http_recording_gone(r, strrchr(task->dir, '/') + 1);

    } else {
        rc = ngx_http_recording_data(r, NGX_HTTP_OK, task->text, rev);
    }

    ngx_http_recording_finalize(r, rc);
}


static void
ngx_http_recording_delete_loaded(ngx_recording_task_t *task)
{
    int64_t                    rev;
    ngx_int_t                  rc;
    ngx_http_request_t        *r;
    cr_recording_status_e      status;
    ngx_http_recording_ctx_t  *ctx;

    r = ngx_http_recording_task_request(task);
    if (r == NULL) {
        return;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_recording_module);

    if (task->rc != NGX_OK
        || cr_recording_status_parse(task->text, task->len, &status, &rev)
           != CR_OK)
    {
        rc = ngx_http_recording_not_found(r);

    } else if (status == CR_RECORDING_DELETED) {
        rc = ngx_http_recording_gone(r, ctx->recording_id);

    } else {
        rc = ngx_http_recording_delete_disk(r, ctx, task->dir, rev);
    }

    if (rc != NGX_DONE) {
        ngx_http_recording_finalize(r, rc);
    }
}


static ngx_int_t
ngx_http_recording_delete_disk(ngx_http_request_t *r,
    ngx_http_recording_ctx_t *ctx, const char *dir, int64_t rev)
{
    cr_recording_t        *rec;
    ngx_recording_task_t  *task;

    rec = ngx_pcalloc(r->pool, sizeof(cr_recording_t));
    if (rec == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memcpy(rec->recording_id, ctx->recording_id, CR_ID_MAX + 1);
    ngx_memcpy(rec->call_id, ctx->call_id, CR_ID_MAX + 1);
    rec->status = CR_RECORDING_DELETED;
    rec->rev = rev + 1;

    task = ngx_recording_task(dir, ngx_http_recording_disk_delete,
                              ngx_http_recording_delete_removed);
    if (task == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    task->text = cr_recording_tombstone_json(&ngx_callrec_env, rec);

    if (task->text == NULL) {
        ngx_recording_task_free(task);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_recording_task(r, task);
}


static void
ngx_http_recording_disk_delete(ngx_recording_task_t *task)
{
    ngx_recording_disk_save(task);

    if (task->rc == NGX_OK) {
        ngx_recording_disk_remove(task);
    }
}


static void
ngx_http_recording_delete_removed(ngx_recording_task_t *task)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = ngx_http_recording_task_request(task);
    if (r == NULL) {
        return;
    }

    if (task->rc == NGX_OK) {
        rc = ngx_http_recording_data(r, NGX_HTTP_ACCEPTED, task->text, 0);

    } else {
        rc = ngx_http_recording_error(r, NGX_HTTP_INTERNAL_SERVER_ERROR,
                                      "storage_error", "not all files could "
                                      "be removed", NULL);
    }

    ngx_http_recording_finalize(r, rc);
}


/* ?wait=<seconds>&rev=<n>; without rev any change counts.  NGX_DECLINED:
 * they are well. */

static ngx_int_t
ngx_http_recording_wait_args(ngx_http_request_t *r, int64_t rev,
    ngx_msec_t *wait, int64_t *after)
{
    ngx_int_t  seconds;
    ngx_str_t  value;

    *wait = 0;
    *after = rev;

    if (ngx_http_arg(r, (u_char *) "rev", 3, &value) == NGX_OK) {
        *after = ngx_atoof(value.data, value.len);

        if (*after == NGX_ERROR) {
            return ngx_http_recording_error(r, NGX_HTTP_BAD_REQUEST,
                                            "invalid_request", "\"rev\" must "
                                            "be a number", NULL);
        }
    }

    if (ngx_http_arg(r, (u_char *) "wait", 4, &value) == NGX_OK) {
        seconds = ngx_atoi(value.data, value.len);

        if (seconds == NGX_ERROR || seconds > NGX_HTTP_RECORDING_WAIT_MAX) {
            return ngx_http_recording_error(r, NGX_HTTP_BAD_REQUEST,
                                            "invalid_request", "\"wait\" "
                                            "must be 0 to 60 seconds", NULL);
        }

        *wait = (ngx_msec_t) seconds * 1000;
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_recording_not_found(ngx_http_request_t *r)
{
    return ngx_http_recording_error(r, NGX_HTTP_NOT_FOUND,
                                    "recording_not_found",
                                    "the call has no such recording", NULL);
}


static ngx_int_t
ngx_http_recording_gone(ngx_http_request_t *r, const char *recording_id)
{
    return ngx_http_recording_error(r, 410, "gone",
                                    "the recording was deleted",
                                    recording_id);
}
