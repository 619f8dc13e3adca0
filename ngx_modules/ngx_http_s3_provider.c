
/*
 * Copyright (C) The call recorder authors
 *
 * Credentials of endpoints: each worker asks for itself, before they expire.
 */


#include "ngx_http_s3.h"

#include <openssl/crypto.h>


#define NGX_HTTP_S3_RETRY_MIN     1000      /* ms, doubled at each failure */
#define NGX_HTTP_S3_RETRY_MAX     60000
#define NGX_HTTP_S3_RENEW_MAX     86400     /* s, also if they never expire */
#define NGX_HTTP_S3_TOKEN_MAX     16384     /* bytes of a token's file */

#define NGX_HTTP_S3_ROLES         "/latest/meta-data/iam/security-credentials/"


/* steps of a renewal */
enum {
    NGX_HTTP_S3_STEP_BEGIN = 0,
    NGX_HTTP_S3_STEP_TOKEN,              /* IMDSv2's */
    NGX_HTTP_S3_STEP_ROLE,
    NGX_HTTP_S3_STEP_CREDENTIALS
};


typedef struct {
    ngx_http_s3_provider_t  *provider;
    u_char                   text[NGX_HTTP_S3_TOKEN_MAX];
    ssize_t                  n;
    ngx_err_t                err;
} ngx_http_s3_token_task_t;


static void ngx_http_s3_provider_timer(ngx_event_t *ev);
static void ngx_http_s3_provider_renew(ngx_http_s3_provider_t *p);
static ngx_int_t ngx_http_s3_provider_read(ngx_http_s3_provider_t *p);
static void ngx_http_s3_provider_read_thread(void *data, ngx_log_t *log);
static void ngx_http_s3_provider_read_done(ngx_event_t *ev);
static ngx_int_t ngx_http_s3_provider_ask(ngx_http_s3_provider_t *p);
static ngx_int_t ngx_http_s3_provider_sts(ngx_http_s3_provider_t *p,
    ngx_str_t *request);
static void ngx_http_s3_provider_answer(void *data, ngx_uint_t status,
    cr_slice_t body);
static ngx_int_t ngx_http_s3_provider_line(ngx_http_s3_provider_t *p,
    cr_slice_t body, ngx_str_t *to);
static void ngx_http_s3_provider_parse(ngx_http_s3_provider_t *p,
    cr_slice_t body);
static void ngx_http_s3_provider_done(ngx_http_s3_provider_t *p,
    ngx_uint_t ok);


void
ngx_http_s3_provider_start(ngx_http_s3_provider_t *p, ngx_cycle_t *cycle)
{
    ngx_queue_init(&p->waiting);

    p->timer.handler = ngx_http_s3_provider_timer;
    p->timer.data = p;
    p->timer.log = cycle->log;
    p->timer.cancelable = 1;

    ngx_add_timer(&p->timer, 1);
}


ngx_uint_t
ngx_http_s3_provider_ready(ngx_http_s3_provider_t *p)
{
    return p->credentials.access[0] != '\0'
           && (p->credentials.expires == 0
               || p->credentials.expires > ngx_time());
}


ngx_int_t
ngx_http_s3_provider_wait(ngx_http_s3_provider_t *p, ngx_http_s3_ctx_t *ctx)
{
    if (ngx_http_s3_provider_ready(p)) {
        return NGX_OK;
    }

    if (p->source < NGX_HTTP_S3_CONTAINER) {
        return NGX_DECLINED;
    }

    /* between failures there is no point in waiting for the next try */

    if (p->work == NULL && p->failures) {
        return NGX_DECLINED;
    }

    ngx_queue_insert_tail(&p->waiting, &ctx->queue);
    ctx->waiting = 1;

    return NGX_AGAIN;
}


static void
ngx_http_s3_provider_timer(ngx_event_t *ev)
{
    ngx_http_s3_provider_renew(ev->data);
}


static void
ngx_http_s3_provider_renew(ngx_http_s3_provider_t *p)
{
    if (p->work != NULL || ngx_exiting) {
        return;
    }

    p->work = ngx_create_pool(4096, ngx_cycle->log);
    if (p->work == NULL) {
        ngx_http_s3_provider_done(p, 0);
        return;
    }

    p->step = NGX_HTTP_S3_STEP_BEGIN;
    p->bearer = p->token;

    if (p->token_file.len) {

        if (ngx_http_s3_provider_read(p) != NGX_OK) {
            ngx_http_s3_provider_done(p, 0);
        }

        return;
    }

    if (ngx_http_s3_provider_ask(p) != NGX_OK) {
        ngx_http_s3_provider_done(p, 0);
    }
}


static ngx_int_t
ngx_http_s3_provider_read(ngx_http_s3_provider_t *p)
{
    ngx_thread_task_t         *task;
    ngx_http_s3_token_task_t  *t;

    task = ngx_thread_task_alloc(p->work, sizeof(ngx_http_s3_token_task_t));
    if (task == NULL) {
        return NGX_ERROR;
    }

    t = task->ctx;
    t->provider = p;

    task->handler = ngx_http_s3_provider_read_thread;
    task->event.handler = ngx_http_s3_provider_read_done;
    task->event.data = t;
    task->event.log = ngx_cycle->log;

    return ngx_thread_task_post(p->pool, task);
}


static void
ngx_http_s3_provider_read_thread(void *data, ngx_log_t *log)
{
    ngx_fd_t                   fd;
    ngx_http_s3_token_task_t  *t = data;

    t->n = -1;

    fd = ngx_open_file(t->provider->token_file.data, NGX_FILE_RDONLY,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        t->err = ngx_errno;
        return;
    }

    t->n = ngx_read_fd(fd, t->text, NGX_HTTP_S3_TOKEN_MAX);
    t->err = ngx_errno;

    (void) ngx_close_file(fd);
}


static void
ngx_http_s3_provider_read_done(ngx_event_t *ev)
{
    cr_slice_t                 text;
    ngx_http_s3_provider_t    *p;
    ngx_http_s3_token_task_t  *t = ev->data;

    p = t->provider;

    if (t->n == -1) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, t->err,
                      "s3: token file \"%V\" cannot be read", &p->token_file);
        ngx_http_s3_provider_done(p, 0);
        return;
    }

    text.data = t->text;
    text.len = t->n;

    if (t->n == NGX_HTTP_S3_TOKEN_MAX
        || ngx_http_s3_provider_line(p, text, &p->bearer) != NGX_OK)
    {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "s3: token file \"%V\" holds no token", &p->token_file);
        ngx_http_s3_provider_done(p, 0);
        return;
    }

    if (ngx_http_s3_provider_ask(p) != NGX_OK) {
        ngx_http_s3_provider_done(p, 0);
    }
}


/* The first line, without blanks around it; it goes into headers. */

static ngx_int_t
ngx_http_s3_provider_line(ngx_http_s3_provider_t *p, cr_slice_t body,
    ngx_str_t *to)
{
    size_t  n;

    for (n = 0; n < body.len && body.data[n] > 0x20 && body.data[n] < 0x7f;
         n++)
    {
        /* void */
    }

    if (n == 0 || (n < body.len && body.data[n] != CR && body.data[n] != LF)) {
        return NGX_ERROR;
    }

    to->data = ngx_pnalloc(p->work, n);
    if (to->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(to->data, body.data, n);
    to->len = n;

    return NGX_OK;
}


/* Sends the request of the next step. */

static ngx_int_t
ngx_http_s3_provider_ask(ngx_http_s3_provider_t *p)
{
    ngx_str_t  request, none;

    ngx_str_null(&none);

    request.len = p->url.host.len + p->url.uri.len + p->bearer.len
                  + p->role.len + p->learnt.len + 512;
    request.data = ngx_pnalloc(p->work, request.len);
    if (request.data == NULL) {
        return NGX_ERROR;
    }

    switch (p->source) {

    case NGX_HTTP_S3_INSTANCE:

        if (p->step == NGX_HTTP_S3_STEP_BEGIN) {
            p->step = NGX_HTTP_S3_STEP_TOKEN;

            request.len = ngx_sprintf(request.data,
                          "PUT /latest/api/token HTTP/1.1" CRLF
                          "Host: %V" CRLF
                          "X-aws-ec2-metadata-token-ttl-seconds: 300" CRLF
                          "Content-Length: 0" CRLF
                          "Connection: close" CRLF CRLF, &p->url.host)
                          - request.data;
            break;
        }

        if (p->step == NGX_HTTP_S3_STEP_TOKEN && p->role.len == 0) {
            p->step = NGX_HTTP_S3_STEP_ROLE;

        } else {
            p->step = NGX_HTTP_S3_STEP_CREDENTIALS;
        }

        request.len = ngx_sprintf(request.data,
                          "GET " NGX_HTTP_S3_ROLES "%V HTTP/1.1" CRLF
                          "Host: %V" CRLF
                          "X-aws-ec2-metadata-token: %V" CRLF
                          "Connection: close" CRLF CRLF,
                          p->step == NGX_HTTP_S3_STEP_ROLE ? &none
                          : p->role.len ? &p->role : &p->learnt,
                          &p->url.host, &p->bearer)
                      - request.data;
        break;

    case NGX_HTTP_S3_CONTAINER:
        p->step = NGX_HTTP_S3_STEP_CREDENTIALS;

        request.len = ngx_sprintf(request.data,
                          "GET %V HTTP/1.1" CRLF
                          "Host: %V" CRLF
                          "Accept: application/json" CRLF
                          "%s%V%s"
                          "Connection: close" CRLF CRLF,
                          &p->url.uri, &p->url.host,
                          p->bearer.len ? "Authorization: " : "",
                          p->bearer.len ? &p->bearer : &none,
                          p->bearer.len ? CRLF : "")
                      - request.data;
        break;

    default: /* NGX_HTTP_S3_WEB_IDENTITY */
        p->step = NGX_HTTP_S3_STEP_CREDENTIALS;

        if (ngx_http_s3_provider_sts(p, &request) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return ngx_http_s3_fetch(&p->url, p->work, &request, p->timeout,
                             ngx_http_s3_provider_answer, p);
}


static ngx_int_t
ngx_http_s3_provider_sts(ngx_http_s3_provider_t *p, ngx_str_t *request)
{
    size_t        size;
    u_char       *form, *last;
    cr_writer_t   w;

    size = 256 + 3 * (p->role.len + p->session.len + p->bearer.len);

    form = ngx_pnalloc(p->work, size);
    request->data = ngx_pnalloc(p->work, size + p->url.host.len
                                         + p->url.uri.len + 256);

    if (form == NULL || request->data == NULL) {
        return NGX_ERROR;
    }

    cr_writer_init(&w, form, size);
    cr_s3_credentials_web_identity(&w, ngx_http_s3_slice(p->role),
                                   ngx_http_s3_slice(p->session),
                                   ngx_http_s3_slice(p->bearer));

    last = ngx_sprintf(request->data,
                       "POST %V HTTP/1.1" CRLF
                       "Host: %V" CRLF
                       "Content-Type: application/x-www-form-urlencoded" CRLF
                       "Content-Length: %uz" CRLF
                       "Accept: application/xml" CRLF
                       "Connection: close" CRLF CRLF,
                       &p->url.uri, &p->url.host, cr_writer_len(&w));
    last = ngx_cpymem(last, form, cr_writer_len(&w));

    request->len = last - request->data;

    return NGX_OK;
}


static void
ngx_http_s3_provider_answer(void *data, ngx_uint_t status, cr_slice_t body)
{
    ngx_http_s3_provider_t  *p = data;

    if (status == 0) {
        ngx_http_s3_provider_done(p, 0);
        return;
    }

    /* STS says in its body why it refuses; endpoints' bodies may be anything */

    if (status != NGX_HTTP_OK) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "s3: \"%V\" has no credentials for us: status %ui",
                      &p->url.text, status);
        ngx_http_s3_provider_done(p, 0);
        return;
    }

    switch (p->step) {

    case NGX_HTTP_S3_STEP_TOKEN:

        if (ngx_http_s3_provider_line(p, body, &p->bearer) != NGX_OK) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "s3: \"%V\" gave no session token", &p->url.text);
            ngx_http_s3_provider_done(p, 0);
            return;
        }

        break;

    case NGX_HTTP_S3_STEP_ROLE:

        if (ngx_http_s3_provider_line(p, body, &p->learnt) != NGX_OK) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "s3: this instance has no role");
            ngx_http_s3_provider_done(p, 0);
            return;
        }

        break;

    default:
        ngx_http_s3_provider_parse(p, body);
        return;
    }

    if (ngx_http_s3_provider_ask(p) != NGX_OK) {
        ngx_http_s3_provider_done(p, 0);
    }
}


static void
ngx_http_s3_provider_parse(ngx_http_s3_provider_t *p, cr_slice_t body)
{
    cr_status_e           rc;
    const char           *why;
    cr_s3_credentials_t   c;

    if (p->source == NGX_HTTP_S3_WEB_IDENTITY) {
        rc = cr_s3_credentials_sts((char *) body.data, body.len, &c, &why);

    } else {
        rc = cr_s3_credentials_json((char *) body.data, body.len, &c, &why);
    }

    OPENSSL_cleanse((void *) body.data, body.len);

    if (rc == CR_OK && c.expires != 0 && c.expires <= ngx_time()) {
        why = "they have expired";
        rc = CR_EXPIRED;
    }

    if (rc != CR_OK) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "s3: credentials of \"%V\" are of no use: %s",
                      &p->url.text, why);
        ngx_http_s3_provider_done(p, 0);
        return;
    }

    p->credentials = c;
    cr_s3_credentials_clear(&c);

    ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                  "s3: new credentials of \"%V\" for %L s", &p->url.text,
                  p->credentials.expires
                      ? p->credentials.expires - ngx_time() : (int64_t) 0);

    ngx_http_s3_provider_done(p, 1);
}


/* Sets the time of the next renewal and lets those who wait go on. */

static void
ngx_http_s3_provider_done(ngx_http_s3_provider_t *p, ngx_uint_t ok)
{
    int64_t              after;
    ngx_queue_t         *q, waiting;
    ngx_connection_t    *c;
    ngx_http_s3_ctx_t   *ctx;
    ngx_http_request_t  *r;

    if (p->work != NULL) {

        ngx_str_null(&p->bearer);
        ngx_str_null(&p->learnt);
        ngx_destroy_pool(p->work);
        p->work = NULL;
    }

    if (ok) {
        p->failures = 0;
        after = cr_s3_credentials_renew(&p->credentials, ngx_time());
        after = ngx_min(after, NGX_HTTP_S3_RENEW_MAX) * 1000;

    } else {
        after = NGX_HTTP_S3_RETRY_MIN << ngx_min(p->failures, 6);
        after = ngx_min(after, NGX_HTTP_S3_RETRY_MAX);
        p->failures++;
    }

    /* cancelable, and not in all workers at once */

    ngx_add_timer(&p->timer, after - after / 8
                             + ngx_random() % (after / 8 + 1));

    ngx_queue_init(&waiting);

    if (!ngx_queue_empty(&p->waiting)) {
        ngx_queue_add(&waiting, &p->waiting);
        ngx_queue_init(&p->waiting);
    }

    while (!ngx_queue_empty(&waiting)) {

        q = ngx_queue_head(&waiting);
        ngx_queue_remove(q);

        ctx = ngx_queue_data(q, ngx_http_s3_ctx_t, queue);
        ctx->waiting = 0;
        ctx->failed = !ngx_http_s3_provider_ready(p);

        r = ctx->request;
        c = r->connection;

        r->write_event_handler(r);
        ngx_http_run_posted_requests(c);
    }
}
