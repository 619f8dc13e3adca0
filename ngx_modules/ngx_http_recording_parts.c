
/*
 * Copyright (C) The call recorder authors
 *
 * The location that takes results in from the callrec muxer, part by part
 * (docs/mix-protocol.md).
 */

#include "ngx_http_recording_api.h"
#include "ngx_recording_job.h"
#include "ngx_recording_mix.h"


#define NGX_HTTP_RECORDING_COMPLETE_MAX  4096

/* How much shorter than the recording a result may be: callmix begins with the
 * picture, when there was sound a second before it. */
#define NGX_HTTP_RECORDING_SHORT_MS      2000


/* Of one request. */
typedef struct {
    ngx_recording_store_op_t   op;
    cr_parts_path_t            path;
    int64_t                    recorded_ms;    /* how long it has to be */
    ngx_http_request_t        *request;
} ngx_http_recording_parts_ctx_t;


static ngx_int_t ngx_http_recording_parts_find(ngx_http_request_t *r,
    ngx_http_recording_parts_ctx_t *ctx, ngx_int_t *rc);
static ngx_int_t ngx_http_recording_parts_empty(ngx_http_request_t *r,
    ngx_http_recording_parts_ctx_t *ctx);
static void ngx_http_recording_parts_put(ngx_http_request_t *r);
static void ngx_http_recording_parts_complete(ngx_http_request_t *r);
static void ngx_http_recording_parts_begin(
    ngx_http_recording_parts_ctx_t *ctx,
    ngx_int_t (*operation)(ngx_recording_store_op_t *op));
static void ngx_http_recording_parts_done(ngx_recording_store_op_t *op);
static ngx_int_t ngx_http_recording_parts_tell(
    ngx_http_recording_parts_ctx_t *ctx);
static ngx_int_t ngx_http_recording_parts_failed(
    ngx_http_recording_parts_ctx_t *ctx);
static ngx_int_t ngx_http_recording_parts_error(ngx_http_request_t *r,
    ngx_uint_t status, const char *code, const char *message);
static ngx_int_t ngx_http_recording_parts_offset(ngx_http_request_t *r,
    cr_part_t *part);
static ngx_table_elt_t *ngx_http_recording_parts_header(
    ngx_http_request_t *r, const char *name);
static int64_t ngx_http_recording_parts_out_time(ngx_http_request_t *r);


ngx_int_t
ngx_http_recording_parts_handler(ngx_http_request_t *r)
{
    ngx_int_t                        rc;
    ngx_str_t                        tail;
    ngx_uint_t                       put;
    ngx_http_core_loc_conf_t        *clcf;
    ngx_http_recording_parts_ctx_t  *ctx;

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_recording_parts_ctx_t));
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->request = r;
    ngx_http_set_ctx(r, ctx, ngx_http_recording_mix_module);

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    /* a rewrite may have left less than the location's name */

    tail.len = r->uri.len - ngx_min(clcf->name.len, r->uri.len);
    tail.data = r->uri.data + r->uri.len - tail.len;

    if (cr_parts_path((char *) tail.data, tail.len, &ctx->path) != CR_OK) {
        return ngx_http_recording_parts_error(r, NGX_HTTP_NOT_FOUND,
                                              "not_found", "no such URL");
    }

    put = (ctx->path.action == CR_PARTS_PUT);

    if (r->method != (put ? NGX_HTTP_PUT : NGX_HTTP_POST)) {
        return ngx_http_recording_parts_error(r, NGX_HTTP_NOT_ALLOWED,
                                   "method_not_allowed",
                                   put ? "parts are PUT" : "it has to be POST");
    }

    if (ngx_http_recording_parts_find(r, ctx, &rc) != NGX_OK) {
        return rc;
    }

    switch (ctx->path.action) {

    case CR_PARTS_PUT:

        if (r->headers_in.content_length_n <= 0) {
            return ngx_http_recording_parts_error(r, NGX_HTTP_LENGTH_REQUIRED,
                                  "length_required",
                                  "a part has a Content-Length over zero");
        }

        r->request_body_in_single_buf = 1;
        rc = ngx_http_read_client_request_body(r,
                                               ngx_http_recording_parts_put);
        break;

    case CR_PARTS_COMPLETE:

        if (r->headers_in.content_length_n <= 0
            || r->headers_in.content_length_n
               > NGX_HTTP_RECORDING_COMPLETE_MAX)
        {
            return ngx_http_recording_parts_error(r, NGX_HTTP_BAD_REQUEST,
                                  "invalid_request",
                                  "the body is empty, or too long");
        }

        r->request_body_in_single_buf = 1;
        rc = ngx_http_read_client_request_body(r,
                                          ngx_http_recording_parts_complete);
        break;

    default:
        return ngx_http_recording_parts_empty(r, ctx);
    }

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


/* Whose request it is, by its token; else NGX_DECLINED, and *rc is the result
 * of the error's answer. */
static ngx_int_t
ngx_http_recording_parts_find(ngx_http_request_t *r,
    ngx_http_recording_parts_ctx_t *ctx, ngx_int_t *rc)
{
    size_t            len;
    u_char           *token;
    char              id[CR_ID_MAX + 1];
    cr_recording_t   *rec;
    ngx_table_elt_t  *h;

    h = r->headers_in.authorization;

    if (h == NULL || h->value.len <= sizeof("Bearer ") - 1
        || ngx_strncasecmp(h->value.data, (u_char *) "Bearer ",
                           sizeof("Bearer ") - 1)
           != 0)
    {
        *rc = ngx_http_recording_parts_error(r, NGX_HTTP_UNAUTHORIZED,
                                             "token_missing",
                                             "the job's token is missing");
        return NGX_DECLINED;
    }

    token = h->value.data + sizeof("Bearer ") - 1;
    len = h->value.len - (sizeof("Bearer ") - 1);

    ngx_cpystrn((u_char *) id, (u_char *) ctx->path.recording_id,
                ctx->path.recording_id_len + 1);
    ngx_cpystrn(ctx->op.output, (u_char *) ctx->path.output,
                ctx->path.output_len + 1);

    rec = NULL;

    if (ctx->path.action == CR_PARTS_COMPLETE) {
        rec = ngx_palloc(r->pool, sizeof(cr_recording_t));
        if (rec == NULL) {
            *rc = NGX_HTTP_INTERNAL_SERVER_ERROR;
            return NGX_DECLINED;
        }
    }

    switch (ngx_recording_job_find(id, (char *) token, len, &ctx->op.ref,
                                   &ctx->op.attempt, rec))
    {
    case NGX_OK:
        if (rec != NULL) {
            ctx->recorded_ms = cr_recording_duration_ms(rec);
        }

        return NGX_OK;

    case NGX_ABORT:
        *rc = ngx_http_recording_parts_error(r, NGX_HTTP_CONFLICT,
                              "attempt_superseded",
                              "the token is not the running attempt's");
        return NGX_DECLINED;

    case NGX_DONE:
        if (ctx->path.action == CR_PARTS_COMPLETE) {

            /* it has been done, but the answer was lost */

            *rc = ngx_http_discard_request_body(r);

            if (*rc == NGX_OK) {
                *rc = ngx_http_recording_empty(r);
            }

            return NGX_DECLINED;
        }

        /* fall through */

    default:
        *rc = ngx_http_recording_parts_error(r, 410, "recording_gone",
                                   "the recording takes no results any more");
        return NGX_DECLINED;
    }
}


/* progress and abort: what they say is in the headers, or nothing. */
static ngx_int_t
ngx_http_recording_parts_empty(ngx_http_request_t *r,
    ngx_http_recording_parts_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ctx->path.action == CR_PARTS_ABORT) {

        /* why, the process tells by its last words when it ends */

        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "recording %s: attempt %ui gives up",
                      ctx->op.ref.recording_id, ctx->op.attempt);
        return ngx_http_recording_empty(r);
    }

    return ngx_http_recording_parts_tell(ctx);
}


static void
ngx_http_recording_parts_put(ngx_http_request_t *r)
{
    ngx_table_elt_t                 *h;
    ngx_http_recording_parts_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_recording_mix_module);

    h = ngx_http_recording_parts_header(r, "content-digest");

    if (h == NULL
        || cr_content_digest((char *) h->value.data, h->value.len,
                             ctx->op.part.sha256)
           != CR_OK)
    {
        ngx_http_finalize_request(r,
            ngx_http_recording_parts_error(r, NGX_HTTP_BAD_REQUEST,
                                 "digest_required",
                                 "a part has a Content-Digest with sha-256"));
        return;
    }

    ctx->op.part.number = ctx->path.number;
    ctx->op.part.size = r->headers_in.content_length_n;

    if (ngx_http_recording_parts_offset(r, &ctx->op.part) != NGX_OK) {
        ngx_http_finalize_request(r,
            ngx_http_recording_parts_error(r, NGX_HTTP_BAD_REQUEST,
                               "invalid_request",
                               "the argument offset is missing or wrong"));
        return;
    }

    if (r->request_body == NULL || r->request_body->bufs == NULL) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    ctx->op.body = r->request_body->bufs;
    ctx->op.done = ngx_http_recording_parts_done;

    ngx_http_recording_parts_begin(ctx, ngx_recording_mix_conf()->store->part);
}


static void
ngx_http_recording_parts_complete(ngx_http_request_t *r)
{
    const char                      *why;
    ngx_buf_t                       *b;
    cr_status_e                      rc;
    ngx_http_recording_parts_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_recording_mix_module);

    if (r->request_body == NULL || r->request_body->bufs == NULL
        || r->request_body->bufs->buf->in_file)
    {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    b = r->request_body->bufs->buf;

    rc = cr_parts_complete_parse((char *) b->pos, b->last - b->pos,
                                 &ctx->op.complete, &why);
    if (rc != CR_OK) {
        ngx_http_finalize_request(r,
            ngx_http_recording_parts_error(r, NGX_HTTP_BAD_REQUEST,
                                           "invalid_request", why));
        return;
    }

    /* FFmpeg completes the file properly also when one of its stages failed */

    if ((int64_t) ctx->op.complete.duration_ms
        < ctx->recorded_ms - NGX_HTTP_RECORDING_SHORT_MS)
    {
        ngx_http_finalize_request(r,
            ngx_http_recording_parts_error(r, 422, "result_too_short",
                         "the result is shorter than what was recorded"));
        return;
    }

    if (ngx_recording_job_uploading(&ctx->op.ref, ctx->op.attempt)
        != NGX_OK)
    {
        ngx_http_finalize_request(r,
            ngx_http_recording_parts_error(r, NGX_HTTP_CONFLICT,
                                           "attempt_superseded",
                                           "the attempt is over"));
        return;
    }

    ctx->op.done = ngx_http_recording_parts_done;

    ngx_http_recording_parts_begin(ctx,
                                   ngx_recording_mix_conf()->store->complete);
}


static void
ngx_http_recording_parts_begin(ngx_http_recording_parts_ctx_t *ctx,
    ngx_int_t (*operation)(ngx_recording_store_op_t *op))
{
    ngx_http_request_t  *r;

    r = ctx->request;

    ctx->op.store = ngx_recording_mix_conf()->store;
    ctx->op.pool = r->pool;
    ctx->op.log = r->connection->log;
    ctx->op.data = ctx;

    if (operation(&ctx->op) != NGX_OK) {
        ngx_http_finalize_request(r,
            ngx_http_recording_parts_error(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                           "store_busy",
                                           "the store takes nothing now"));
        return;
    }

    /* the request is not to be freed under the thread's hands */
    r->main->blocked++;
    r->aio = 1;
}


static void
ngx_http_recording_parts_done(ngx_recording_store_op_t *op)
{
    ngx_int_t                        rc;
    ngx_connection_t                *c;
    ngx_http_request_t              *r;
    ngx_http_recording_parts_ctx_t  *ctx;

    ctx = op->data;
    r = ctx->request;
    c = r->connection;

    r->main->blocked--;
    r->aio = 0;

    if (op->rc == NGX_OK) {
        rc = ngx_http_recording_parts_tell(ctx);

    } else {
        rc = ngx_http_recording_parts_failed(ctx);
    }

    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}


/* What the store has got goes into the table, and the answer to the muxer. */
static ngx_int_t
ngx_http_recording_parts_tell(ngx_http_recording_parts_ctx_t *ctx)
{
    ngx_int_t                  rc;
    ngx_recording_store_op_t  *op;

    op = &ctx->op;

    switch (ctx->path.action) {

    case CR_PARTS_PUT:
        rc = ngx_recording_job_progress(&op->ref, op->attempt,
                             ngx_http_recording_parts_out_time(ctx->request),
                             op->stored);
        break;

    case CR_PARTS_COMPLETE:
        if (op->complete.cpu_ms >= 0) {
            ngx_recording_job_cpu(&op->ref, op->complete.cpu_ms);
        }

        rc = op->later ? NGX_OK
                       : ngx_recording_job_output(&op->ref, op->attempt,
                                                  &op->result);

        if (rc == NGX_OK && !op->later) {
            rc = ngx_recording_job_done(&op->ref, op->attempt);
        }

        break;

    default:
        rc = ngx_recording_job_progress(&op->ref, op->attempt,
                             ngx_http_recording_parts_out_time(ctx->request),
                             0);
    }

    if (rc != NGX_OK) {
        return ngx_http_recording_parts_error(ctx->request, NGX_HTTP_CONFLICT,
                                              "attempt_superseded",
                                              "the attempt is over");
    }

    return ngx_http_recording_empty(ctx->request);
}


/* The store did not do it: ours is an error, the muxer's is information. */
static ngx_int_t
ngx_http_recording_parts_failed(ngx_http_recording_parts_ctx_t *ctx)
{
    ngx_recording_store_op_t  *op;

    op = &ctx->op;

    if (op->rc == NGX_DECLINED) {
        ngx_log_error(NGX_LOG_INFO, op->log, 0, "recording %s, attempt %ui: %s",
                      op->ref.recording_id, op->attempt, op->why);

        return ngx_http_recording_parts_error(ctx->request,
                                              NGX_HTTP_BAD_REQUEST,
                                              "parts_mismatch", op->why);
    }

    ngx_log_error(NGX_LOG_ERR, op->log, op->err,
                  "recording %s, attempt %ui: %s", op->ref.recording_id,
                  op->attempt, op->why);

    if (op->err == NGX_ENOSPC) {
        return ngx_http_recording_parts_error(ctx->request,
                                              NGX_HTTP_INSUFFICIENT_STORAGE,
                                              "disk_full", op->why);
    }

    return ngx_http_recording_parts_error(ctx->request,
                                          NGX_HTTP_INTERNAL_SERVER_ERROR,
                                          "disk_io", op->why);
}


static ngx_int_t
ngx_http_recording_parts_offset(ngx_http_request_t *r, cr_part_t *part)
{
    off_t      offset;
    ngx_str_t  value;

    if (ngx_http_arg(r, (u_char *) "offset", 6, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    offset = ngx_atoof(value.data, value.len);

    if (offset == NGX_ERROR
        || offset > NGX_MAX_OFF_T_VALUE - (off_t) part->size)
    {
        return NGX_ERROR;
    }

    part->offset = offset;

    return NGX_OK;
}


/* Callrec-Out-Time-Ms; -1: not said. */
static int64_t
ngx_http_recording_parts_out_time(ngx_http_request_t *r)
{
    off_t             ms;
    ngx_table_elt_t  *h;

    h = ngx_http_recording_parts_header(r, "callrec-out-time-ms");

    if (h == NULL) {
        return -1;
    }

    ms = ngx_atoof(h->value.data, h->value.len);

    return ms == NGX_ERROR ? -1 : ms;
}


/* name is in lower case */
static ngx_table_elt_t *
ngx_http_recording_parts_header(ngx_http_request_t *r, const char *name)
{
    size_t            len;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    len = ngx_strlen(name);
    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return NULL;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].key.len == len
            && ngx_strncmp(h[i].lowcase_key, name, len) == 0)
        {
            return &h[i];
        }
    }
}


/* What is unread of the body must not be taken for the next request. */
static ngx_int_t
ngx_http_recording_parts_error(ngx_http_request_t *r, ngx_uint_t status,
    const char *code, const char *message)
{
    ngx_int_t  rc;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_recording_error(r, status, code, message, NULL);
}
