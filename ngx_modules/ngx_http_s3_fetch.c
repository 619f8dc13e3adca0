
/*
 * Copyright (C) The call recorder authors
 *
 * One request to a credential endpoint, on the event loop of a worker.  There
 * is no client request that a subrequest could belong to, so this is a
 * connection of its own; the answer is parsed in src/s3.
 */


#include "ngx_http_s3.h"


typedef struct {
    ngx_http_s3_url_t      *url;
    ngx_peer_connection_t   peer;
    ngx_buf_t               out;
    ngx_buf_t               in;
    ngx_msec_t              timeout;
    ngx_event_t             failed;      /* could not connect: told later */
    ngx_http_s3_fetch_pt    handler;
    void                   *data;
} ngx_http_s3_fetch_t;


static void ngx_http_s3_fetch_failed(ngx_event_t *ev);
#if (NGX_SSL)
static ngx_int_t ngx_http_s3_url_tls(ngx_conf_t *cf, ngx_http_s3_url_t *url,
    ngx_str_t *ca);
static ngx_uint_t ngx_http_s3_fetch_tls(ngx_http_s3_fetch_t *f);
static void ngx_http_s3_fetch_tls_done(ngx_connection_t *c);
#endif
static void ngx_http_s3_fetch_write(ngx_event_t *wev);
static void ngx_http_s3_fetch_read(ngx_event_t *rev);
static void ngx_http_s3_fetch_done(ngx_http_s3_fetch_t *f, ngx_uint_t status,
    cr_slice_t body);
static void ngx_http_s3_fetch_error(ngx_http_s3_fetch_t *f, const char *what);


ngx_int_t
ngx_http_s3_url(ngx_conf_t *cf, ngx_http_s3_url_t *url, ngx_str_t *text,
    ngx_str_t *ca)
{
    size_t      skip;
    ngx_url_t   u;
    ngx_uint_t  tls;

    if (text->len > 7
        && ngx_strncasecmp(text->data, (u_char *) "http://", 7) == 0)
    {
        skip = 7;
        tls = 0;

    } else if (text->len > 8
               && ngx_strncasecmp(text->data, (u_char *) "https://", 8) == 0)
    {
        skip = 8;
        tls = 1;

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" is no http:// or https:// URL", text);
        return NGX_ERROR;
    }

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url.data = text->data + skip;
    u.url.len = text->len - skip;
    u.default_port = tls ? 443 : 80;
    u.uri_part = 1;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s in \"%V\"",
                           u.err ? u.err : "no memory", text);
        return NGX_ERROR;
    }

    url->text = *text;
    url->name = u.host;
    url->host.data = u.url.data;
    url->host.len = u.url.len - u.uri.len;
    url->uri = u.uri;
    url->addrs = u.addrs;
    url->naddrs = u.naddrs;

    if (url->uri.len == 0) {
        ngx_str_set(&url->uri, "/");
    }

    if (!tls) {
        return NGX_OK;
    }

#if (NGX_SSL)
    return ngx_http_s3_url_tls(cf, url, ca);
#else
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"%V\" needs an nginx with TLS", text);
    return NGX_ERROR;
#endif
}


#if (NGX_SSL)

static ngx_int_t
ngx_http_s3_url_tls(ngx_conf_t *cf, ngx_http_s3_url_t *url, ngx_str_t *ca)
{
    ngx_pool_cleanup_t  *cln;

    url->ssl = ngx_pcalloc(cf->pool, sizeof(ngx_ssl_t));
    if (url->ssl == NULL) {
        return NGX_ERROR;
    }

    url->ssl->log = cf->log;

    if (ngx_ssl_create(url->ssl, NGX_SSL_TLSv1_2|NGX_SSL_TLSv1_3, NULL)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        ngx_ssl_cleanup_ctx(url->ssl);
        return NGX_ERROR;
    }

    cln->handler = ngx_ssl_cleanup_ctx;
    cln->data = url->ssl;

    if (ca->len) {
        return ngx_ssl_trusted_certificate(cf, url->ssl, ca, 5);
    }

    if (SSL_CTX_set_default_verify_paths(url->ssl->ctx) != 1) {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "SSL_CTX_set_default_verify_paths() failed");
        return NGX_ERROR;
    }

    return NGX_OK;
}

#endif


ngx_int_t
ngx_http_s3_fetch(ngx_http_s3_url_t *url, ngx_pool_t *pool,
    ngx_str_t *request, ngx_msec_t timeout, ngx_http_s3_fetch_pt handler,
    void *data)
{
    ngx_int_t             rc;
    ngx_addr_t           *addr;
    ngx_connection_t     *c;
    ngx_http_s3_fetch_t  *f;

    f = ngx_pcalloc(pool, sizeof(ngx_http_s3_fetch_t));
    if (f == NULL) {
        return NGX_ERROR;
    }

    f->in.start = ngx_palloc(pool, NGX_HTTP_S3_ANSWER_MAX);
    if (f->in.start == NULL) {
        return NGX_ERROR;
    }

    f->in.last = f->in.start;
    f->in.end = f->in.start + NGX_HTTP_S3_ANSWER_MAX;

    f->url = url;
    f->timeout = timeout;
    f->handler = handler;
    f->data = data;
    f->out.pos = request->data;
    f->out.last = request->data + request->len;

    /* another address at each try */

    addr = &url->addrs[ngx_random() % url->naddrs];

    f->peer.sockaddr = addr->sockaddr;
    f->peer.socklen = addr->socklen;
    f->peer.name = &addr->name;
    f->peer.get = ngx_event_get_peer;
    f->peer.log = ngx_cycle->log;
    f->peer.log_error = NGX_ERROR_ERR;

    rc = ngx_event_connect_peer(&f->peer);

    if (rc == NGX_ERROR || rc == NGX_BUSY || rc == NGX_DECLINED) {

        f->failed.handler = ngx_http_s3_fetch_failed;
        f->failed.data = f;
        f->failed.log = ngx_cycle->log;

        ngx_post_event(&f->failed, &ngx_posted_events);

        return NGX_OK;
    }

    c = f->peer.connection;

    c->data = f;
    c->pool = pool;
    c->read->handler = ngx_http_s3_fetch_read;
    c->write->handler = ngx_http_s3_fetch_write;

    /* not cancelable: a worker that leaves waits for it */

    ngx_add_timer(c->read, timeout);

    if (rc == NGX_OK) {
        ngx_post_event(c->write, &ngx_posted_events);
    }

    return NGX_OK;
}


static void
ngx_http_s3_fetch_failed(ngx_event_t *ev)
{
    ngx_http_s3_fetch_error(ev->data, "cannot connect");
}


#if (NGX_SSL)

/* 1: the handshake was begun, or could not be. */

static ngx_uint_t
ngx_http_s3_fetch_tls(ngx_http_s3_fetch_t *f)
{
    int                err;
    u_char            *name;
    socklen_t          len;
    ngx_connection_t  *c;

    c = f->peer.connection;

    if (f->url->ssl == NULL || c->ssl != NULL) {
        return 0;
    }

    err = 0;
    len = sizeof(int);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1
        || err != 0)
    {
        ngx_http_s3_fetch_error(f, "cannot connect");
        return 1;
    }

    if (ngx_ssl_create_connection(f->url->ssl, c,
                                  NGX_SSL_BUFFER|NGX_SSL_CLIENT)
        != NGX_OK)
    {
        ngx_http_s3_fetch_error(f, "no TLS");
        return 1;
    }

    name = ngx_pnalloc(c->pool, f->url->name.len + 1);
    if (name == NULL) {
        ngx_http_s3_fetch_error(f, "no memory");
        return 1;
    }

    (void) ngx_cpystrn(name, f->url->name.data, f->url->name.len + 1);

    if (SSL_set_tlsext_host_name(c->ssl->connection, (char *) name) != 1) {
        ngx_http_s3_fetch_error(f, "no TLS");
        return 1;
    }

    c->ssl->handler = ngx_http_s3_fetch_tls_done;

    if (ngx_ssl_handshake(c) != NGX_AGAIN) {
        ngx_http_s3_fetch_tls_done(c);
    }

    return 1;
}


static void
ngx_http_s3_fetch_tls_done(ngx_connection_t *c)
{
    ngx_http_s3_fetch_t  *f;

    f = c->data;

    if (!c->ssl->handshaked) {
        ngx_http_s3_fetch_error(f, c->read->timedout ? "timed out"
                                                     : "TLS failed");
        return;
    }

    if (SSL_get_verify_result(c->ssl->connection) != X509_V_OK
        || ngx_ssl_check_host(c, &f->url->name) != NGX_OK)
    {
        ngx_http_s3_fetch_error(f, "the certificate is not to be trusted");
        return;
    }

    c->read->handler = ngx_http_s3_fetch_read;
    c->write->handler = ngx_http_s3_fetch_write;

    ngx_http_s3_fetch_write(c->write);
}

#endif


static void
ngx_http_s3_fetch_write(ngx_event_t *wev)
{
    ssize_t               n;
    ngx_connection_t     *c;
    ngx_http_s3_fetch_t  *f;

    c = wev->data;
    f = c->data;

#if (NGX_SSL)
    if (ngx_http_s3_fetch_tls(f)) {
        return;
    }
#endif

    while (f->out.pos < f->out.last) {

        n = c->send(c, f->out.pos, f->out.last - f->out.pos);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n <= 0) {
            ngx_http_s3_fetch_error(f, "cannot send");
            return;
        }

        f->out.pos += n;
    }

    if (ngx_handle_write_event(wev, 0) != NGX_OK
        || ngx_handle_read_event(c->read, 0) != NGX_OK)
    {
        ngx_http_s3_fetch_error(f, "no event");
    }
}


static void
ngx_http_s3_fetch_read(ngx_event_t *rev)
{
    ssize_t               n;
    unsigned              status;
    cr_slice_t            body;
    cr_status_e           rc;
    ngx_uint_t            eof;
    ngx_connection_t     *c;
    ngx_http_s3_fetch_t  *f;

    c = rev->data;
    f = c->data;

    if (rev->timedout) {
        ngx_http_s3_fetch_error(f, "timed out");
        return;
    }

#if (NGX_SSL)
    if (f->url->ssl != NULL && c->ssl == NULL) {
        return;
    }
#endif

    eof = 0;

    while (!eof) {

        if (f->in.last == f->in.end) {
            ngx_http_s3_fetch_error(f, "the answer is too long");
            return;
        }

        n = c->recv(c, f->in.last, f->in.end - f->in.last);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == NGX_ERROR) {
            ngx_http_s3_fetch_error(f, "the connection broke");
            return;
        }

        f->in.last += n;
        eof = (n == 0);
    }

    rc = cr_s3_http_parse(f->in.start, f->in.last - f->in.start, eof, &status,
                          &body);

    if (rc == CR_AGAIN) {

        if (ngx_handle_read_event(rev, 0) != NGX_OK) {
            ngx_http_s3_fetch_error(f, "no event");
        }

        return;
    }

    if (rc != CR_OK) {
        ngx_http_s3_fetch_error(f, "the answer is no HTTP");
        return;
    }

    ngx_http_s3_fetch_done(f, status, body);
}


static void
ngx_http_s3_fetch_error(ngx_http_s3_fetch_t *f, const char *what)
{
    cr_slice_t  none;

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "s3: \"%V\" (%V) has no credentials for us: %s",
                  &f->url->text, f->peer.name, what);

    none.data = NULL;
    none.len = 0;

    ngx_http_s3_fetch_done(f, 0, none);
}


static void
ngx_http_s3_fetch_done(ngx_http_s3_fetch_t *f, ngx_uint_t status,
    cr_slice_t body)
{
    ngx_connection_t  *c;

    c = f->peer.connection;

    if (c != NULL) {

#if (NGX_SSL)
        if (c->ssl != NULL) {
            c->ssl->no_wait_shutdown = 1;
            c->ssl->no_send_shutdown = 1;
            (void) ngx_ssl_shutdown(c);
        }
#endif

        ngx_close_connection(c);
        f->peer.connection = NULL;
    }

    f->handler(f->data, status, body);
}
