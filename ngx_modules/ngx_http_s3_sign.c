
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
#include "ngx_callrec.h"

#include <openssl/evp.h>


#define NGX_HTTP_S3_READ  65536


typedef struct {
    ngx_http_request_t   *request;
    ngx_chain_t          *body;
    uint8_t               digest[32];
    ngx_int_t             rc;
    ngx_err_t             err;
} ngx_http_s3_digest_t;


static void ngx_http_s3_cleanup(void *data);
static ngx_int_t ngx_http_s3_handler(ngx_http_request_t *r);
static void ngx_http_s3_body(ngx_http_request_t *r);
static ngx_int_t ngx_http_s3_pass(ngx_http_request_t *r);
static ngx_int_t ngx_http_s3_digest_post(ngx_http_request_t *r);
static void ngx_http_s3_digest_thread(void *data, ngx_log_t *log);
static ngx_int_t ngx_http_s3_digest_chain(ngx_chain_t *in, uint8_t sum[32],
    ngx_err_t *err);
static void ngx_http_s3_digest_done(ngx_event_t *ev);
static ngx_int_t ngx_http_s3_create_request(ngx_http_request_t *r);
static ngx_int_t ngx_http_s3_payload(ngx_http_request_t *r,
    ngx_http_s3_ctx_t *ctx, ngx_http_s3_loc_conf_t *conf, ngx_chain_t *body,
    cr_s3_head_t *how);
static ngx_int_t ngx_http_s3_key(ngx_http_request_t *r, ngx_str_t *key);
static ngx_uint_t ngx_http_s3_same_path(ngx_str_t *uri, u_char *raw,
    size_t len);


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

            rc = ngx_http_s3_digest_post(r);

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


/* The digest of a body in a file is made by a thread. */

static ngx_int_t
ngx_http_s3_digest_post(ngx_http_request_t *r)
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


static ngx_int_t
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

        ngx_http_finalize_request(r, ngx_http_s3_pass(r));
    }

    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_http_s3_create_request(ngx_http_request_t *r)
{
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
    ngx_http_s3_loc_conf_t  *conf;

    ctx = ngx_http_get_module_ctx(r, ngx_http_s3_module);
    conf = ngx_http_get_module_loc_conf(r, ngx_http_s3_module);

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
                          ngx_http_s3_slice(conf->service), ngx_time());

    if (status == CR_OK) {
        cr_writer_init(&w, head->pos, head->end - head->pos);
        status = cr_s3_head_sign(&ngx_callrec_env, conf->cache, &keys,
                                 ngx_time(), &how, text, &w);
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


ngx_int_t
ngx_http_s3_target(ngx_http_request_t *r, ngx_http_s3_loc_conf_t *conf,
    ngx_str_t *path, ngx_str_t *host)
{
    size_t       size;
    ngx_str_t    bucket, key;
    cr_writer_t  w;

    if (conf->bucket == NULL) {
        return NGX_DECLINED;
    }

    if (ngx_http_complex_value(r, conf->bucket, &bucket) != NGX_OK) {
        return NGX_ERROR;
    }

    if (conf->key != NULL) {
        if (ngx_http_complex_value(r, conf->key, &key) != NGX_OK) {
            return NGX_ERROR;
        }

    } else if (ngx_http_s3_key(r, &key) != NGX_OK) {
        return NGX_ERROR;
    }

    if (bucket.len == 0) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "s3: the name of the bucket is empty");
        return NGX_ERROR;
    }

    size = 3 * (bucket.len + key.len) + 2;

    path->data = ngx_pnalloc(r->pool, size);
    if (path->data == NULL) {
        return NGX_ERROR;
    }

    cr_writer_init(&w, path->data, size);

    if (conf->style == NGX_HTTP_S3_PATH) {
        *host = conf->host;
        cr_s3_object_path(&w, ngx_http_s3_slice(bucket),
                          ngx_http_s3_slice(key));

    } else {
        host->len = bucket.len + 1 + conf->host.len;
        host->data = ngx_pnalloc(r->pool, host->len);
        if (host->data == NULL) {
            return NGX_ERROR;
        }

        ngx_sprintf(host->data, "%V.%V", &bucket, &conf->host);
        cr_s3_object_path(&w, (cr_slice_t) { NULL, 0 },
                          ngx_http_s3_slice(key));
    }

    path->len = cr_writer_len(&w);

    return NGX_OK;
}


/*
 * What follows the location's name in the path as the client sent it, so
 * that "//" is kept; but not if nginx made more than that of it ("/../"), as
 * the location was chosen by what nginx made of it.
 */

static ngx_int_t
ngx_http_s3_key(ngx_http_request_t *r, ngx_str_t *key)
{
    u_char                    *p, *raw;
    size_t                     len;
    cr_slice_t                 path;
    ngx_http_core_loc_conf_t  *clcf;

    *key = r->uri;

    if (r->valid_unparsed_uri) {

        path.data = r->unparsed_uri.data;
        p = ngx_strlchr(r->unparsed_uri.data,
                        r->unparsed_uri.data + r->unparsed_uri.len, '?');
        path.len = (p != NULL) ? (size_t) (p - path.data)
                               : r->unparsed_uri.len;

        raw = ngx_pnalloc(r->pool, path.len + 1);
        if (raw == NULL) {
            return NGX_ERROR;
        }

        len = cr_s3_decode(raw, path);

        if (ngx_http_s3_same_path(&r->uri, raw, len)) {
            key->data = raw;
            key->len = len;
        }
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

#if (NGX_PCRE)
    if (clcf->regex == NULL)
#endif
    {
        if (!clcf->named && clcf->name.len <= key->len
            && ngx_strncmp(clcf->name.data, key->data, clcf->name.len) == 0)
        {
            key->data += clcf->name.len;
            key->len -= clcf->name.len;

            if (clcf->name.len
                && clcf->name.data[clcf->name.len - 1] == '/')
            {
                return NGX_OK;
            }
        }
    }

    if (key->len && key->data[0] == '/') {
        key->data++;
        key->len--;
    }

    return NGX_OK;
}


/* Whether they differ in nothing but the number of slashes. */

static ngx_uint_t
ngx_http_s3_same_path(ngx_str_t *uri, u_char *raw, size_t len)
{
    u_char  *p, *last, *end;

    p = uri->data;
    last = uri->data + uri->len;
    end = raw + len;

    while (p < last && raw < end) {

        if (*p != *raw) {
            return 0;
        }

        if (*p == '/') {
            while (p < last && *p == '/') { p++; }
            while (raw < end && *raw == '/') { raw++; }
            continue;
        }

        p++;
        raw++;
    }

    return p == last && raw == end;
}
