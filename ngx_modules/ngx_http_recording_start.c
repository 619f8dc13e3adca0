
/*
 * Copyright (C) The call recorder authors
 *
 * POST :callId/recording/start
 */


#include "ngx_http_recording_api.h"


/* What becomes of a request to start. */
typedef enum {
    NGX_HTTP_RECORDING_STARTED,
    NGX_HTTP_RECORDING_REPLAYED,           /* the same was asked before */
    NGX_HTTP_RECORDING_IN_PROGRESS,        /* and has not been answered */
    NGX_HTTP_RECORDING_KEY_REUSED,         /* not quite the same */
    NGX_HTTP_RECORDING_ACTIVE,
    NGX_HTTP_RECORDING_NOT_READY,
    NGX_HTTP_RECORDING_NO_SPACE,
    NGX_HTTP_RECORDING_FULL
} ngx_http_recording_start_e;


static ngx_int_t ngx_http_recording_start_parse(ngx_http_request_t *r,
    ngx_http_recording_ctx_t *ctx, cr_journal_start_t *start);
static ngx_int_t ngx_http_recording_start_key(ngx_http_request_t *r,
    ngx_http_recording_ctx_t *ctx, cr_journal_start_t *start);
static ngx_http_recording_start_e ngx_http_recording_start_try(
    const cr_journal_start_t *start, cr_recording_t *rec,
    ngx_recording_ref_t *ref);
static ngx_http_recording_start_e ngx_http_recording_start_known_locked(
    ngx_recording_zone_t *zone, const cr_journal_start_t *start,
    cr_recording_t *rec);
static ngx_int_t ngx_http_recording_start_create(ngx_http_request_t *r,
    cr_journal_start_t *start, const cr_recording_t *rec,
    const ngx_recording_ref_t *ref);
static void ngx_http_recording_start_done(ngx_recording_task_t *task);
static void ngx_http_recording_start_undo(const char *recording_id);
static ngx_int_t ngx_http_recording_started(ngx_http_request_t *r,
    const cr_recording_t *rec);


ngx_int_t
ngx_http_recording_start_handler(ngx_http_request_t *r,
    ngx_http_recording_ctx_t *ctx)
{
    ngx_int_t             rc;
    cr_recording_t       *rec;
    cr_journal_start_t    start;
    ngx_recording_ref_t   ref;

    rc = ngx_http_recording_start_parse(r, ctx, &start);
    if (rc != NGX_DECLINED) {
        return rc;
    }

    rec = ngx_palloc(r->pool, sizeof(cr_recording_t));
    if (rec == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    switch (ngx_http_recording_start_try(&start, rec, &ref)) {

    case NGX_HTTP_RECORDING_STARTED:
        return ngx_http_recording_start_create(r, &start, rec, &ref);

    case NGX_HTTP_RECORDING_REPLAYED:
        return ngx_http_recording_status(r, NGX_HTTP_OK, rec);

    case NGX_HTTP_RECORDING_IN_PROGRESS:
        return ngx_http_recording_error(r, NGX_HTTP_CONFLICT,
                                        "request_in_progress", "the first "
                                        "request with this Idempotency-Key "
                                        "has not been answered yet",
                                        rec->recording_id);

    case NGX_HTTP_RECORDING_KEY_REUSED:
        return ngx_http_recording_error(r, 422, "idempotency_key_reused",
                                        "this Idempotency-Key came with "
                                        "another body before", NULL);

    case NGX_HTTP_RECORDING_ACTIVE:
        return ngx_http_recording_error(r, NGX_HTTP_CONFLICT,
                                        "recording_active", "the call is "
                                        "being recorded already",
                                        rec->recording_id);

    case NGX_HTTP_RECORDING_NOT_READY:
        return ngx_http_recording_error(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                        "recovering", "recordings are being "
                                        "brought back after a restart",
                                        NULL);

    case NGX_HTTP_RECORDING_NO_SPACE:
        return ngx_http_recording_error(r, NGX_HTTP_INSUFFICIENT_STORAGE,
                                        "insufficient_storage", "the disk "
                                        "has less room than recordings need",
                                        NULL);

    default: /* NGX_HTTP_RECORDING_FULL */
        return ngx_http_recording_error(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                        "capacity", "as many recordings as "
                                        "possible are under way", NULL);
    }
}


static ngx_int_t
ngx_http_recording_start_parse(ngx_http_request_t *r,
    ngx_http_recording_ctx_t *ctx, cr_journal_start_t *start)
{
    const char          *why;
    cr_status_e          rc;
    cr_request_start_t   request;

    rc = cr_request_start_parse((char *) ctx->body.data, ctx->body.len,
                                &request, &why);

    if (rc == CR_INVALID || rc == CR_LIMIT) {
        return ngx_http_recording_error(r, NGX_HTTP_BAD_REQUEST,
                                        "invalid_request", why, NULL);
    }

    if (rc != CR_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memzero(start, sizeof(cr_journal_start_t));

    start->v = CR_JOURNAL_VERSION;
    start->chunk_ms = ngx_recording_conf()->chunk;
    start->created_at = ngx_callrec_wall_ms();

    cr_recording_make_id(&ngx_callrec_env, start->created_at,
                         start->recording_id);
    ngx_memcpy(start->call_id, ctx->call_id, sizeof(start->call_id));
    ngx_memcpy(start->mode, request.mode, sizeof(start->mode));
    ngx_memcpy(start->layout, request.layout, sizeof(start->layout));

    (void) ngx_cpystrn((u_char *) start->started_by,
                       (u_char *) (request.started_by[0] != '\0'
                                   ? request.started_by
                                   : ctx->claims.subject),
                       sizeof(start->started_by));

    return ngx_http_recording_start_key(r, ctx, start);
}


/* draft-ietf-httpapi-idempotency-key-header; keys are one call's own, so
 * that nobody learns of another call by its keys. */

static ngx_int_t
ngx_http_recording_start_key(ngx_http_request_t *r,
    ngx_http_recording_ctx_t *ctx, cr_journal_start_t *start)
{
    ngx_str_t        *value;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    static ngx_str_t  name = ngx_string("idempotency-key");

    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return NGX_DECLINED;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].key.len == name.len
            && ngx_strncmp(h[i].lowcase_key, name.data, name.len) == 0)
        {
            break;
        }
    }

    value = &h[i].value;

    if (!cr_request_key_valid((char *) value->data, value->len)) {
        return ngx_http_recording_error(r, NGX_HTTP_BAD_REQUEST,
                                        "invalid_request", "an "
                                        "Idempotency-Key is 1 to 128 visible "
                                        "characters", NULL);
    }

    ngx_memcpy(start->idempotency_key, value->data, value->len);

    if (cr_request_digest((char *) ctx->body.data, ctx->body.len,
                          start->request_digest) != CR_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_DECLINED;
}


static ngx_http_recording_start_e
ngx_http_recording_start_try(const cr_journal_start_t *start,
    cr_recording_t *rec, ngx_recording_ref_t *ref)
{
    ngx_recording_conf_t        *conf;
    ngx_recording_node_t        *node;
    ngx_recording_zone_t        *zone;
    ngx_http_recording_start_e   rc;

    conf = ngx_recording_conf();
    zone = ngx_recording_zone();

    ngx_recording_lock(zone);

    if (!zone->sh->recovered) {
        rc = NGX_HTTP_RECORDING_NOT_READY;
        goto done;
    }

    rc = ngx_http_recording_start_known_locked(zone, start, rec);

    if (rc != NGX_HTTP_RECORDING_STARTED) {
        goto done;
    }

    if (conf->min_free && !zone->sh->space_known) {
        rc = NGX_HTTP_RECORDING_NOT_READY;
        goto done;
    }

    if (conf->min_free && zone->sh->space_low) {
        rc = NGX_HTTP_RECORDING_NO_SPACE;
        goto done;
    }

    rc = NGX_HTTP_RECORDING_FULL;

    if (conf->max_recordings && zone->sh->active >= conf->max_recordings) {
        goto done;
    }

    cr_recording_init(rec, start);

    node = ngx_recording_insert_locked(zone, rec, ngx_callrec_now_us());

    if (node != NULL) {
        node->owner = ngx_pid;
        ngx_recording_ref(node, ref);
        rc = NGX_HTTP_RECORDING_STARTED;
    }

done:

    ngx_recording_unlock(zone);

    return rc;
}


static ngx_http_recording_start_e
ngx_http_recording_start_known_locked(ngx_recording_zone_t *zone,
    const cr_journal_start_t *start, cr_recording_t *rec)
{
    ngx_recording_node_t  *node;

    if (start->idempotency_key[0] != '\0') {

        for (node = ngx_recording_next_locked(zone, start->call_id, NULL);
             node != NULL;
             node = ngx_recording_next_locked(zone, start->call_id, node))
        {
            if (ngx_strcmp(node->rec.idempotency_key, start->idempotency_key)
                != 0)
            {
                continue;
            }

            *rec = node->rec;

            if (ngx_strcmp(rec->request_digest, start->request_digest) != 0)
            {
                return NGX_HTTP_RECORDING_KEY_REUSED;
            }

            return node->owner != 0 ? NGX_HTTP_RECORDING_IN_PROGRESS
                                    : NGX_HTTP_RECORDING_REPLAYED;
        }
    }

    node = ngx_recording_active_locked(zone, start->call_id);

    if (node != NULL) {
        *rec = node->rec;
        return NGX_HTTP_RECORDING_ACTIVE;
    }

    return NGX_HTTP_RECORDING_STARTED;
}


/* The folder, the journal's first record and recording.json: then it is
 * there and the client may know. */

static ngx_int_t
ngx_http_recording_start_create(ngx_http_request_t *r,
    cr_journal_start_t *start, const cr_recording_t *rec,
    const ngx_recording_ref_t *ref)
{
    ngx_int_t              rc;
    cr_journal_record_t    record;
    ngx_recording_task_t  *task;

    ngx_memzero(&record, sizeof(cr_journal_record_t));

    record.ev = CR_JOURNAL_START;
    record.at_ms = start->created_at;
    record.start = *start;

    task = ngx_recording_task(ref->dir, ngx_recording_disk_create,
                              ngx_http_recording_start_done);
    if (task == NULL) {
        goto failed;
    }

    task->journal = cr_journal_format(&ngx_callrec_env, &record);
    task->text = cr_recording_status_json(&ngx_callrec_env, rec);
    task->rev = rec->rev;

    if (task->journal == NULL || task->text == NULL) {
        ngx_recording_task_free(task);
        goto failed;
    }

    rc = ngx_http_recording_task(r, task);

    if (rc != NGX_DONE) {
        ngx_http_recording_start_undo(rec->recording_id);
    }

    return rc;

failed:

    ngx_http_recording_start_undo(rec->recording_id);

    return NGX_HTTP_INTERNAL_SERVER_ERROR;
}


static void
ngx_http_recording_start_done(ngx_recording_task_t *task)
{
    const char              *id;
    ngx_int_t                rc;
    cr_recording_t          *rec;
    ngx_http_request_t      *r;
    ngx_recording_change_t   ch;

    r = ngx_http_recording_task_request(task);
    id = strrchr(task->dir, '/') + 1;

    if (task->rc != NGX_OK) {
        ngx_http_recording_start_undo(id);

        if (r != NULL) {
            rc = ngx_http_recording_error(r, NGX_HTTP_INSUFFICIENT_STORAGE,
                                          "storage_error", "the recording "
                                          "cannot be stored", NULL);
            ngx_http_recording_finalize(r, rc);
        }

        return;
    }

    rec = (r != NULL) ? ngx_palloc(r->pool, sizeof(cr_recording_t)) : NULL;

    if (ngx_recording_change(&ch, id) != NGX_OK) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                      "recording %s was lost while it was started", id);

        if (r != NULL) {
            ngx_http_recording_finalize(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        }

        return;
    }

    ch.node->owner = 0;
    ch.node->saved_rev = task->rev;
    ch.start = 1;

    if (rec != NULL) {
        *rec = *ch.rec;
    }

    ngx_recording_commit(&ch);

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "recording %s of call %s has been started",
                  ch.ref.recording_id, ch.ref.call_id);

    if (r != NULL) {
        rc = (rec != NULL) ? ngx_http_recording_started(r, rec)
                           : NGX_HTTP_INTERNAL_SERVER_ERROR;
        ngx_http_recording_finalize(r, rc);
    }
}


static void
ngx_http_recording_start_undo(const char *recording_id)
{
    ngx_recording_node_t  *node;
    ngx_recording_zone_t  *zone;

    zone = ngx_recording_zone();

    ngx_recording_lock(zone);

    node = ngx_recording_find_locked(zone, recording_id);

    if (node != NULL) {
        ngx_recording_drop_locked(zone, node);
    }

    ngx_recording_unlock(zone);
}


static ngx_int_t
ngx_http_recording_started(ngx_http_request_t *r, const cr_recording_t *rec)
{
    u_char  *location;
    size_t   len;

    /* <location>/<callId>/recording/<recordingId> */

    len = r->uri.len - (sizeof("start") - 1);

    location = ngx_pnalloc(r->pool, len + CR_ID_MAX + 1);
    if (location == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    (void) ngx_sprintf(location, "%*s%s%Z", len, r->uri.data,
                       rec->recording_id);

    if (ngx_http_recording_header(r, "Location", (char *) location)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_recording_status(r, NGX_HTTP_CREATED, rec);
}
