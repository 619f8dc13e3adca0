
/*
 * Copyright (C) The call recorder authors
 *
 * The request is a subrequest of a parent that is never run, on a connection
 * that is none: it has no descriptor, takes no bytes and has no events.  (So
 * do HTTP/2's streams.)  The answer goes no further than to the filters here.
 */


#include "ngx_http_s3_call.h"
#include "ngx_http_s3.h"


#define NGX_HTTP_S3_CALL_ROOM  4096
#define NGX_HTTP_S3_CALL_MAX   (1024 * 1024)    /* 1000 parts: 300 KB */


/* What a connection points to; outlives the parent's own pool. */
typedef struct {
    ngx_http_s3_call_t      call;
    ngx_connection_t        connection;
    ngx_event_t             read;
    ngx_event_t             write;
    ngx_log_t               log;
    ngx_http_log_ctx_t      log_ctx;
    ngx_http_connection_t   http;
    ngx_http_addr_conf_t    addr;
    struct sockaddr         sockaddr;
} ngx_http_s3_background_t;


static ngx_int_t ngx_http_s3_call_done(ngx_http_request_t *r, void *data,
    ngx_int_t rc);
static void ngx_http_s3_call_event(ngx_event_t *ev);
static void ngx_http_s3_call_url(ngx_http_request_t *r,
    ngx_http_s3_call_t *call);
static ngx_int_t ngx_http_s3_call_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_http_s3_call_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static void ngx_http_s3_call_append(ngx_http_s3_call_t *call, u_char *p,
    size_t len);
static ngx_chain_t *ngx_http_s3_call_send_chain(ngx_connection_t *c,
    ngx_chain_t *in, off_t limit);


static ngx_http_output_header_filter_pt  ngx_http_s3_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_s3_next_body_filter;

static ngx_str_t  ngx_http_s3_nobody = ngx_string("background");


ngx_http_s3_call_t *
ngx_http_s3_call_create(ngx_http_conf_ctx_t *conf, ngx_http_s3_call_pt done,
    void *data)
{
    ngx_pool_t                *pool;
    ngx_connection_t          *c;
    ngx_http_request_t        *r;
    ngx_http_s3_background_t  *b;

    pool = ngx_create_pool(4096, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    b = ngx_pcalloc(pool, sizeof(ngx_http_s3_background_t));
    if (b == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    b->log = *ngx_cycle->log;
    b->log.handler = NULL;
    b->log.data = &b->log_ctx;

    b->http.conf_ctx = conf;
    b->http.addr_conf = &b->addr;
    b->addr.default_server = ngx_http_get_module_srv_conf(conf,
                                                         ngx_http_core_module);

    b->sockaddr.sa_family = AF_UNIX;

    c = &b->connection;

    c->fd = (ngx_socket_t) -1;
    c->data = &b->http;
    c->pool = pool;
    c->log = &b->log;
    c->read = &b->read;
    c->write = &b->write;
    c->send_chain = ngx_http_s3_call_send_chain;
    c->sockaddr = &b->sockaddr;
    c->socklen = sizeof(struct sockaddr);
    c->local_sockaddr = &b->sockaddr;
    c->local_socklen = sizeof(struct sockaddr);
    c->addr_text = ngx_http_s3_nobody;
    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    c->tcp_nodelay = NGX_TCP_NODELAY_DISABLED;
    c->tcp_nopush = NGX_TCP_NOPUSH_DISABLED;
    c->sendfile = 1;

    /* "active": the descriptor is not to be given to epoll */

    b->read.data = c;
    b->read.log = &b->log;
    b->read.handler = ngx_http_empty_handler;
    b->read.active = 1;

    b->write.data = c;
    b->write.log = &b->log;
    b->write.handler = ngx_http_empty_handler;
    b->write.write = 1;
    b->write.active = 1;
    b->write.ready = 1;

    b->log_ctx.connection = c;

    r = ngx_http_create_request(c);
    if (r == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    c->data = r;

    r->method = NGX_HTTP_GET;
    r->http_version = NGX_HTTP_VERSION_11;
    r->logged = 1;
    r->write_event_handler = ngx_http_request_empty_handler;

    b->call.pool = pool;
    b->call.request = r;
    b->call.done = done;
    b->call.data = data;
    b->call.length = -1;

    if (ngx_list_init(&r->headers_in.headers, r->pool, 4,
                      sizeof(ngx_table_elt_t))
        != NGX_OK)
    {
        ngx_http_s3_call_free(&b->call);
        return NULL;
    }

    return &b->call;
}


ngx_int_t
ngx_http_s3_call_header(ngx_http_s3_call_t *call, ngx_str_t *name,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&call->request->headers_in.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->lowcase_key = ngx_pnalloc(call->pool, name->len);
    if (h->lowcase_key == NULL) {
        h->value.len = 0;
        return NGX_ERROR;
    }

    h->key = *name;
    h->value = *value;
    h->hash = ngx_hash_strlow(h->lowcase_key, name->data, name->len);

    return NGX_OK;
}


ngx_int_t
ngx_http_s3_call_send(ngx_http_s3_call_t *call)
{
    ngx_buf_t           *b;
    ngx_chain_t         *cl;
    ngx_http_request_t  *r, *sr;

    r = call->request;
    b = call->body;

    call->post.handler = ngx_http_s3_call_done;
    call->post.data = call;

    if (ngx_http_subrequest(r, &call->uri, &call->args, &sr, &call->post,
                            NGX_HTTP_SUBREQUEST_BACKGROUND)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    /*
     * From here on there is a subrequest that is posted, but it is not run
     * before the posted requests are.
     */

    sr->method = call->method;
    sr->method_name = call->method_name;
    sr->headers_in.content_length_n = -1;

    if (b != NULL) {
        sr->request_body = ngx_pcalloc(r->pool,
                                       sizeof(ngx_http_request_body_t));
        cl = ngx_alloc_chain_link(r->pool);

        if (sr->request_body == NULL || cl == NULL) {
            return NGX_ERROR;
        }

        b->last_buf = 1;

        cl->buf = b;
        cl->next = NULL;

        sr->request_body->bufs = cl;
    }

    call->event.handler = ngx_http_s3_call_event;
    call->event.data = call;
    call->event.log = r->connection->log;

    ngx_http_run_posted_requests(r->connection);

    return NGX_OK;
}


void
ngx_http_s3_call_free(ngx_http_s3_call_t *call)
{
    ngx_pool_t  *pool;

    pool = call->pool;

    if (call->event.posted) {
        ngx_delete_posted_event(&call->event);
    }

    ngx_http_free_request(call->request, 0);
    ngx_destroy_pool(pool);
}


ngx_http_s3_call_t *
ngx_http_s3_call_of(ngx_http_request_t *r)
{
    if (r == r->main || r->post_subrequest == NULL
        || r->post_subrequest->handler != ngx_http_s3_call_done)
    {
        return NULL;
    }

    return r->post_subrequest->data;
}


void
ngx_http_s3_call_length(ngx_http_request_t *r)
{
    ngx_http_s3_call_t  *call;

    call = ngx_http_s3_call_of(r);

    if (call == NULL) {
        return;
    }

    if (call->body != NULL) {
        r->headers_in.content_length_n = ngx_buf_size(call->body);

    } else if (call->method & (NGX_HTTP_POST|NGX_HTTP_PUT)) {
        r->headers_in.content_length_n = 0;
    }
}


/* No error page is made, whatever it is. */

static ngx_int_t
ngx_http_s3_call_done(ngx_http_request_t *r, void *data, ngx_int_t rc)
{
    ngx_http_s3_call_t  *call = data;

    if (call->over) {
        return NGX_OK;
    }

    call->over = 1;

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        call->status = (rc == NGX_HTTP_CLIENT_CLOSED_REQUEST) ? 0 : rc;

    } else if (rc == NGX_ERROR || call->broken) {
        call->status = 0;
    }

    ngx_http_s3_call_url(r, call);

    /* its memory is needed until all who called us have returned */

    ngx_post_event(&call->event, &ngx_posted_events);

    return NGX_OK;
}


static void
ngx_http_s3_call_event(ngx_event_t *ev)
{
    ngx_http_s3_call_t  *call = ev->data;

    call->done(call);

    ngx_http_s3_call_free(call);
}


static void
ngx_http_s3_call_url(ngx_http_request_t *r, ngx_http_s3_call_t *call)
{
    ngx_http_s3_ctx_t       *ctx;
    ngx_http_s3_loc_conf_t  *conf;

    ctx = ngx_http_get_module_ctx(r, ngx_http_s3_module);

    if (ctx == NULL || ctx->path.len == 0) {
        return;
    }

    conf = ngx_http_get_module_loc_conf(r, ngx_http_s3_module);

    call->url.data = ngx_pnalloc(call->pool, conf->scheme.len + ctx->host.len
                                             + ctx->path.len);

    if (call->url.data != NULL) {
        call->url.len = ngx_sprintf(call->url.data, "%V%V%V", &conf->scheme,
                                    &ctx->host, &ctx->path)
                        - call->url.data;
    }
}


void
ngx_http_s3_call_init(void)
{
    ngx_http_s3_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_s3_call_header_filter;

    ngx_http_s3_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_s3_call_body_filter;
}


static ngx_int_t
ngx_http_s3_call_header_filter(ngx_http_request_t *r)
{
    ngx_uint_t            i;
    ngx_list_part_t      *part;
    ngx_table_elt_t      *h;
    ngx_http_s3_call_t   *call;
    ngx_http_upstream_t  *u;

    call = ngx_http_s3_call_of(r);

    if (call == NULL) {
        return ngx_http_s3_next_header_filter(r);
    }

    r->header_sent = 1;
    r->header_only = (r->method == NGX_HTTP_HEAD);

    call->status = r->headers_out.status;

    u = r->upstream;

    if (u == NULL) {
        return NGX_OK;
    }

    /* what is as long as ours is not put into a temporary file */

    if (!u->store && !u->cacheable) {
        u->buffering = 0;
    }

    call->length = u->headers_in.content_length_n;

    if (u->headers_in.etag != NULL) {
        call->etag = u->headers_in.etag->value;
    }

    if (u->headers_in.date != NULL) {
        call->date = ngx_parse_http_time(u->headers_in.date->value.data,
                                         u->headers_in.date->value.len);
        call->date = ngx_max(call->date, 0);
    }

    part = &u->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                break;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].key.len == sizeof("Retry-After") - 1
            && ngx_strncasecmp(h[i].key.data, (u_char *) "Retry-After",
                               sizeof("Retry-After") - 1)
               == 0)
        {
            call->retry_after = ngx_atotm(h[i].value.data, h[i].value.len);
            call->retry_after = ngx_max(call->retry_after, 0);
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_s3_call_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_buf_t           *b;
    ngx_http_s3_call_t  *call;

    call = ngx_http_s3_call_of(r);

    if (call == NULL) {
        return ngx_http_s3_next_body_filter(r, in);
    }

    for ( /* void */ ; in; in = in->next) {
        b = in->buf;

        if (ngx_buf_in_memory(b)) {
            ngx_http_s3_call_append(call, b->pos, b->last - b->pos);
            b->pos = b->last;

        } else if (b->in_file) {
            call->broken = 1;
            b->file_pos = b->file_last;
        }
    }

    return NGX_OK;
}


static void
ngx_http_s3_call_append(ngx_http_s3_call_t *call, u_char *p, size_t len)
{
    size_t   room;
    u_char  *data;

    if (len > NGX_HTTP_S3_CALL_MAX - call->answer.len) {
        call->broken = 1;
        return;
    }

    if (len > call->room - call->answer.len) {

        room = ngx_max(2 * call->room, NGX_HTTP_S3_CALL_ROOM);
        room = ngx_max(room, call->answer.len + len);

        data = ngx_pnalloc(call->pool, room);
        if (data == NULL) {
            call->broken = 1;
            return;
        }

        if (call->answer.len) {
            ngx_memcpy(data, call->answer.data, call->answer.len);
        }

        call->answer.data = data;
        call->room = room;
    }

    ngx_memcpy(call->answer.data + call->answer.len, p, len);
    call->answer.len += len;
}


static ngx_chain_t *
ngx_http_s3_call_send_chain(ngx_connection_t *c, ngx_chain_t *in, off_t limit)
{
    return NULL;
}
