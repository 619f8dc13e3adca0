
/*
 * Copyright (C) The call recorder authors
 *
 * SHA-256 of what is sent; of a body in a file a thread makes it.
 */


#include "ngx_http_s3.h"

#include <openssl/evp.h>


#define NGX_HTTP_S3_READ  65536


typedef struct {
    ngx_http_request_t   *request;
    ngx_http_handler_pt   handler;
    ngx_chain_t          *body;
    uint8_t               digest[32];
    ngx_int_t             rc;
    ngx_err_t             err;
} ngx_http_s3_digest_t;


static void ngx_http_s3_digest_thread(void *data, ngx_log_t *log);
static void ngx_http_s3_digest_done(ngx_event_t *ev);


ngx_int_t
ngx_http_s3_digest_file(ngx_http_request_t *r, ngx_http_handler_pt handler)
{
    ngx_thread_task_t       *task;
    ngx_http_s3_digest_t    *d;
    ngx_http_s3_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_s3_module);

    task = ngx_thread_task_alloc(r->pool, sizeof(ngx_http_s3_digest_t));
    if (task == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    d = task->ctx;
    d->request = r;
    d->body = r->request_body->bufs;
    d->handler = handler;

    task->handler = ngx_http_s3_digest_thread;
    task->event.handler = ngx_http_s3_digest_done;
    task->event.data = d;
    task->event.log = r->connection->log;

    if (ngx_thread_task_post(conf->pool, task) != NGX_OK) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    r->main->blocked++;
    r->aio = 1;

    return NGX_OK;
}


static void
ngx_http_s3_digest_thread(void *data, ngx_log_t *log)
{
    ngx_http_s3_digest_t  *d = data;

    d->rc = ngx_http_s3_digest_chain(d->body, d->digest, &d->err);
}


ngx_int_t
ngx_http_s3_digest_chain(ngx_chain_t *in, uint8_t sum[32], ngx_err_t *err)
{
    off_t        at;
    u_char      *buf;
    ssize_t      n;
    ngx_buf_t   *b;
    EVP_MD_CTX  *md;

    *err = 0;

    buf = NULL;
    md = EVP_MD_CTX_new();

    if (md == NULL || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1) {
        goto failed;
    }

    for ( /* void */ ; in; in = in->next) {

        b = in->buf;

        if (ngx_buf_in_memory(b)) {

            if (EVP_DigestUpdate(md, b->pos, b->last - b->pos) != 1) {
                goto failed;
            }

            continue;
        }

        if (!b->in_file) {
            continue;
        }

        if (buf == NULL) {
            buf = malloc(NGX_HTTP_S3_READ);
            if (buf == NULL) {
                goto failed;
            }
        }

        for (at = b->file_pos; at < b->file_last; at += n) {

            n = pread(b->file->fd, buf,
                      ngx_min(b->file_last - at, NGX_HTTP_S3_READ), at);

            if (n <= 0) {
                *err = (n == -1) ? ngx_errno : 0;
                goto failed;
            }

            if (EVP_DigestUpdate(md, buf, n) != 1) {
                goto failed;
            }
        }
    }

    if (EVP_DigestFinal_ex(md, sum, NULL) != 1) {
        goto failed;
    }

    free(buf);
    EVP_MD_CTX_free(md);

    return NGX_OK;

failed:

    free(buf);
    EVP_MD_CTX_free(md);

    return NGX_ERROR;
}


static void
ngx_http_s3_digest_done(ngx_event_t *ev)
{
    ngx_connection_t      *c;
    ngx_http_s3_ctx_t     *ctx;
    ngx_http_request_t    *r;
    ngx_http_s3_digest_t  *d = ev->data;

    r = d->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    r->main->blocked--;
    r->aio = 0;

    if (d->rc != NGX_OK) {
        ngx_log_error(NGX_LOG_CRIT, c->log, d->err,
                      "s3: the body cannot be read again");
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);

    } else {
        ctx = ngx_http_get_module_ctx(r, ngx_http_s3_module);

        cr_sigv4_hex((char *) ctx->digest, d->digest);
        ctx->digested = 1;

        ngx_http_finalize_request(r, d->handler(r));
    }

    ngx_http_run_posted_requests(c);
}
