
/*
 * Copyright (C) The call recorder authors
 *
 * Signs what proxy_pass sends.
 *
 * A signature covers the request line, Host and some headers exactly as they
 * leave, and only proxy_pass knows these: they come from the URI part of its
 * URL, from variables, proxy_set_header, proxy_method and the rest.  So
 * nothing is foretold: the request is signed when proxy_pass has made it, in
 * a create_request of our own around its own.  Between a content handler and
 * create_request nginx has no hook, but r->aio makes
 * ngx_http_upstream_init_request() return: with the body read before, the
 * handler comes back with r->upstream made and nothing sent, and
 * ngx_http_upstream_init() is called again after the change.
 */


#include "ngx_http_s3.h"
#include "ngx_http_s3_call.h"
#include "ngx_callrec.h"


static void ngx_http_s3_cleanup(void *data);
static ngx_int_t ngx_http_s3_handler(ngx_http_request_t *r);
static void ngx_http_s3_body(ngx_http_request_t *r);
static ngx_int_t ngx_http_s3_pass(ngx_http_request_t *r);
static ngx_int_t ngx_http_s3_create_request(ngx_http_request_t *r);
static ngx_int_t ngx_http_s3_payload(ngx_http_request_t *r,
    ngx_http_s3_ctx_t *ctx, ngx_http_s3_loc_conf_t *conf, ngx_chain_t *body,
    cr_s3_head_t *how);


ngx_int_t
ngx_http_s3_precontent(ngx_http_request_t *r)
{
    ngx_int_t                rc;
    ngx_http_cleanup_t      *cln;
    ngx_http_s3_ctx_t       *ctx;
    ngx_http_s3_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_s3_module);

    if (conf->sign == NGX_HTTP_S3_OFF) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_s3_module);

    if (ctx == NULL) {
        ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_s3_ctx_t));
        if (ctx == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        ctx->request = r;

        cln = ngx_http_cleanup_add(r, 0);
        if (cln == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        cln->handler = ngx_http_s3_cleanup;
        cln->data = ctx;

        ngx_http_set_ctx(r, ctx, ngx_http_s3_module);
    }

    if (ctx->waiting) {
        return NGX_AGAIN;
    }

    rc = ctx->failed ? NGX_DECLINED
                     : ngx_http_s3_provider_wait(conf->provider, ctx);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "s3: there are no credentials to sign with");
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    if (r->content_handler == NULL) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "s3: \"s3_sign\" without \"proxy_pass\"");
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_s3_target(r, conf, &ctx->path, &ctx->host);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_s3_call_length(r);

    if (r->content_handler != ngx_http_s3_handler) {
        ctx->handler = r->content_handler;
        r->content_handler = ngx_http_s3_handler;
    }

    return NGX_DECLINED;
}


static void
ngx_http_s3_cleanup(void *data)
{
    ngx_http_s3_ctx_t  *ctx = data;

    if (ctx->waiting) {
        ngx_queue_remove(&ctx->queue);
        ctx->waiting = 0;
    }
}


static ngx_int_t
ngx_http_s3_handler(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    rc = ngx_http_read_client_request_body(r, ngx_http_s3_body);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


static void
ngx_http_s3_body(ngx_http_request_t *r)
{
    ngx_int_t                rc;
    ngx_chain_t             *cl;
    ngx_http_s3_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_s3_module);

    if (conf->sign == NGX_HTTP_S3_PAYLOAD && r->request_body) {

        for (cl = r->request_body->bufs; cl; cl = cl->next) {

            if (!cl->buf->in_file) {
                continue;
            }

            rc = ngx_http_s3_digest_file(r, ngx_http_s3_pass);

            if (rc != NGX_OK) {
                ngx_http_finalize_request(r, rc);
            }

            return;
        }
    }

    ngx_http_finalize_request(r, ngx_http_s3_pass(r));
}


static ngx_int_t
ngx_http_s3_pass(ngx_http_request_t *r)
{
    ngx_int_t           rc;
    ngx_http_s3_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_s3_module);

    r->aio = 1;
    rc = ctx->handler(r);
    r->aio = 0;

    if (rc != NGX_DONE) {
        return rc;
    }

    if (r->upstream == NULL || r->upstream->create_request == NULL) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "s3: \"s3_sign\" without \"proxy_pass\"");
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->create_request = r->upstream->create_request;
    r->upstream->create_request = ngx_http_s3_create_request;

    ngx_http_upstream_init(r);

    return NGX_DONE;
}


static ngx_int_t
ngx_http_s3_create_request(ngx_http_request_t *r)
{
    time_t                   now;
    u_char                  *end;
    ngx_buf_t               *b, *head;
    ngx_int_t                rc;
    cr_status_e              status;
    cr_writer_t              w;
    ngx_chain_t             *cl, *body;
    cr_s3_head_t             how;
    cr_s3_keys_t             keys;
    cr_slice_t               text;
    ngx_http_s3_ctx_t       *ctx;
    ngx_http_s3_call_t      *call;
    ngx_http_s3_loc_conf_t  *conf;

    ctx = ngx_http_get_module_ctx(r, ngx_http_s3_module);
    conf = ngx_http_get_module_loc_conf(r, ngx_http_s3_module);
    call = ngx_http_s3_call_of(r);

    now = ngx_time() + (call != NULL ? call->skew : 0);

    rc = ctx->create_request(r);

    if (rc != NGX_OK) {
        return rc;
    }

    cl = r->upstream->request_bufs;
    b = cl->buf;

    /* the head, and with proxy_set_body the body behind it */

    end = ngx_strnstr(b->pos, CRLF CRLF, b->last - b->pos);

    if (end == NULL) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "s3: what is to be signed is no HTTP/1 request");
        return NGX_ERROR;
    }

    text.data = b->pos;
    text.len = end + 4 - b->pos;

    if (b->pos + text.len < b->last) {

        body = ngx_alloc_chain_link(r->pool);
        if (body == NULL) {
            return NGX_ERROR;
        }

        /* a retry sends it again from its start */

        b->pos += text.len;
        b->start = b->pos;

        body->buf = b;
        body->next = cl->next;

    } else {
        body = cl->next;
    }

    ngx_memzero(&how, sizeof(cr_s3_head_t));

    if (ngx_http_s3_payload(r, ctx, conf, body, &how) != NGX_OK) {
        return NGX_ERROR;
    }

    how.path = ngx_http_s3_slice(ctx->path);
    how.host = ngx_http_s3_slice(ctx->host);

    keys = cr_s3_credentials_keys(&conf->provider->credentials);

    head = ngx_create_temp_buf(r->pool, cr_s3_head_size(&keys, &how, text));
    if (head == NULL) {
        return NGX_ERROR;
    }

    status = cr_sigv4_key(conf->cache, keys.secret,
                          ngx_http_s3_slice(conf->region),
                          ngx_http_s3_slice(conf->service), now);

    if (status == CR_OK) {
        cr_writer_init(&w, head->pos, head->end - head->pos);
        status = cr_s3_head_sign(&ngx_callrec_env, conf->cache, &keys,
                                 now, &how, text, &w);
    }

    if (status != CR_OK) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "s3: the request cannot be signed: %s",
                      status == CR_LIMIT ? "too many headers or arguments"
                      : status == CR_INVALID ? "it is not well-formed"
                      : "no memory");
        return NGX_ERROR;
    }

    head->last = w.pos;
    head->flush = (body == NULL);

    cl->buf = head;
    cl->next = body;

    return NGX_OK;
}


static ngx_int_t
ngx_http_s3_payload(ngx_http_request_t *r, ngx_http_s3_ctx_t *ctx,
    ngx_http_s3_loc_conf_t *conf, ngx_chain_t *body, cr_s3_head_t *how)
{
    uint8_t       sum[32];
    ngx_err_t     err;
    ngx_chain_t  *cl;

    if (body == NULL && conf->sign != NGX_HTTP_S3_UNSIGNED) {
        how->payload = cr_s3_str(CR_SIGV4_EMPTY);
        return NGX_OK;
    }

    if (conf->sign != NGX_HTTP_S3_PAYLOAD) {

        /* who makes the request may know the digest already */

        how->payload = cr_s3_str(CR_SIGV4_UNSIGNED);
        how->trust = (conf->sign == NGX_HTTP_S3_ON);
        return NGX_OK;
    }

    if (!ctx->digested) {

        for (cl = body; cl; cl = cl->next) {

            if (cl->buf->in_file && !ngx_buf_in_memory(cl->buf)) {
                ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                              "s3: another body is sent than was read");
                return NGX_ERROR;
            }
        }

        if (ngx_http_s3_digest_chain(body, sum, &err) != NGX_OK) {
            return NGX_ERROR;
        }

        cr_sigv4_hex((char *) ctx->digest, sum);
    }

    how->payload.data = ctx->digest;
    how->payload.len = CR_SIGV4_HEX_SIZE - 1;

    return NGX_OK;
}
