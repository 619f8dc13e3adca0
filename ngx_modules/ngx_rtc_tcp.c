
/*
 * Copyright (C) The call recorder authors
 *
 * ICE-TCP, passive (RFC 6544): datagrams in RFC 4571 frames over connections
 * to the port numbers of UDP, for publishers whose network lets no UDP
 * through.  Here, from a connection's making to its end.
 */


#include "ngx_rtc_tcp.h"


/* what waits for a publisher that does not read; and in the kernel */
#define NGX_RTC_TCP_QUEUE   65536
#define NGX_RTC_TCP_SNDBUF  65536
/* reads of one event */
#define NGX_RTC_TCP_READS   4


static void ngx_rtc_tcp_read(ngx_event_t *rev);
static ngx_int_t ngx_rtc_tcp_read_frames(ngx_rtc_conf_t *rcf,
    ngx_rtc_tcp_t *tcp);
static void ngx_rtc_tcp_keep(ngx_rtc_tcp_t *tcp, const u_char *data,
    size_t len, ngx_uint_t begun);
static void ngx_rtc_tcp_write(ngx_event_t *wev);
static void ngx_rtc_tcp_break(ngx_rtc_tcp_t *tcp);


ngx_rtc_tcp_t *
ngx_rtc_tcp_create(ngx_rtc_conf_t *rcf, ngx_connection_t *c,
    const cr_addr_t *remote)
{
    int             on, size;
    ngx_pool_t     *pool;
    ngx_rtc_tcp_t  *tcp;

    tcp = ngx_alloc(sizeof(ngx_rtc_tcp_t), ngx_cycle->log);
    if (tcp == NULL) {
        return NULL;
    }

    ngx_memzero(tcp, offsetof(ngx_rtc_tcp_t, buf));

    tcp->connection = c;
    tcp->remote = *remote;
    tcp->pending = 1;
    cr_framing_init(&tcp->framing, (u_char *) tcp->buf,
                    NGX_RTC_TCP_FIRST_MAX);

    /* given away or kept, it has no use for what accept() has made for it */

    pool = c->pool;

    c->pool = NULL;
    c->sockaddr = NULL;
    c->log = ngx_cycle->log;
    c->log_error = NGX_ERROR_INFO;
    c->data = tcp;

    c->read->log = c->log;
    c->write->log = c->log;
    c->read->handler = ngx_rtc_tcp_read;
    c->write->handler = ngx_rtc_tcp_write;

    if (pool != NULL) {
        ngx_destroy_pool(pool);
    }

    on = 1;
    size = NGX_RTC_TCP_SNDBUF;

    if (setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(int)) == -1
        || setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(int)) == -1
        || fcntl(c->fd, F_SETFD, FD_CLOEXEC) == -1)
    {
        ngx_log_error(NGX_LOG_INFO, c->log, ngx_errno,
                      "rtc tcp connection could not be set up, ignored");
    }

    ngx_queue_insert_tail(&rcf->worker->tcp_pending, &tcp->queue);
    rcf->worker->ntcp_pending++;

    ngx_add_timer(c->read, NGX_RTC_TCP_FIRST_MSEC);

    return tcp;
}


void
ngx_rtc_tcp_start(ngx_rtc_tcp_t *tcp)
{
    ngx_event_t  *rev;

    rev = tcp->connection->read;

    if (rev->ready) {
        ngx_rtc_tcp_read(rev);

    } else if (ngx_handle_read_event(rev, 0) != NGX_OK) {
        ngx_rtc_tcp_lost(ngx_rtc_conf(), tcp);
    }
}


static void
ngx_rtc_tcp_read(ngx_event_t *rev)
{
    ngx_int_t          rc;
    ngx_rtc_tcp_t     *tcp;
    ngx_rtc_conf_t    *rcf;
    ngx_connection_t  *c;

    c = rev->data;
    tcp = c->data;
    rcf = ngx_rtc_conf();

    if (c->close && tcp->route != NULL) {

        /* worker_shutdown_timeout: ngx_rtc_exit() does what is to be done */

        c->close = 0;
        c->error = 0;
        return;
    }

    if (rev->timedout) {
        ngx_log_error(NGX_LOG_INFO, c->log, 0,
                      "rtc tcp connection closed: no request in time");
    }

    if (c->close || rev->timedout || tcp->closing) {
        ngx_rtc_tcp_lost(rcf, tcp);
        return;
    }

    tcp->busy = 1;

    rc = (tcp->route == NULL) ? ngx_rtc_tcp_read_first(rcf, tcp) : NGX_OK;

    if (rc == NGX_DONE) {

        /* another worker's now */

        return;
    }

    if (rc == NGX_OK) {
        rc = ngx_rtc_tcp_read_frames(rcf, tcp);
    }

    tcp->busy = 0;

    if (rc == NGX_OK) {
        ngx_post_event(rev, &ngx_posted_next_events);
        return;
    }

    if (rc != NGX_AGAIN || tcp->closing
        || ngx_handle_read_event(rev, 0) != NGX_OK)
    {
        ngx_rtc_tcp_lost(rcf, tcp);
    }
}


/* NGX_OK: there may be more, NGX_AGAIN: not yet. */

static ngx_int_t
ngx_rtc_tcp_read_frames(ngx_rtc_conf_t *rcf, ngx_rtc_tcp_t *tcp)
{
    size_t             len;
    u_char            *p, *buf, *data;
    int64_t            now_us;
    ssize_t            n;
    ngx_uint_t         i;
    cr_status_e        status;
    ngx_connection_t  *c;

    c = tcp->connection;
    buf = (u_char *) rcf->worker->buffers;

    for (i = 0; i < NGX_RTC_TCP_READS; i++) {

        n = c->recv(c, buf, sizeof(rcf->worker->buffers));

        if (n == NGX_AGAIN) {
            return NGX_AGAIN;
        }

        if (n <= 0) {
            return NGX_ERROR;
        }

        p = buf;
        now_us = ngx_callrec_now_us();

        for ( ;; ) {
            status = cr_framing_next(&tcp->framing, &p, buf + n, &data,
                                     &len);

            if (status != CR_OK) {
                break;
            }

            ngx_rtc_tcp_input(rcf, tcp, tcp->route->session, data, len,
                              now_us);

            if (tcp->closing || tcp->route == NULL) {
                return NGX_ERROR;
            }
        }

        if (status != CR_AGAIN) {
            ngx_log_error(NGX_LOG_INFO, c->log, 0,
                          "rtc session %s sends a frame too long over tcp",
                          tcp->route->session->info.session_id);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


void
ngx_rtc_tcp_input(ngx_rtc_conf_t *rcf, ngx_rtc_tcp_t *tcp,
    ngx_rtc_session_t *s, u_char *data, size_t len, int64_t now_us)
{
    u_char          *aligned;
    ngx_rtc_path_t   path;

    /*
     * libsrtp2 reads words.  Both buffers begin with one, and what lies in
     * front of the datagram, its head, has served.
     */

    aligned = (u_char *) ((uintptr_t) data & ~(uintptr_t) 3);

    if (aligned != data) {
        ngx_memmove(aligned, data, len);
    }

    ngx_memzero(&path, sizeof(ngx_rtc_path_t));

    path.remote = tcp->remote;
    path.tcp = tcp;

    if (tcp->route != NULL) {
        tcp->route->seen = ngx_current_msec;
    }

    ngx_rtc_session_input(rcf, s, &path, aligned, len, now_us);
}


void
ngx_rtc_tcp_send(ngx_rtc_tcp_t *tcp, const uint8_t *data, size_t len)
{
    u_char             frame[CR_FRAMING_HEAD + NGX_RTC_DATAGRAM_MAX];
    ssize_t            n;
    ngx_connection_t  *c;

    if (tcp->closing || len > NGX_RTC_DATAGRAM_MAX) {
        return;
    }

    c = tcp->connection;

    cr_framing_head(frame, len);
    ngx_memcpy(frame + CR_FRAMING_HEAD, data, len);
    len += CR_FRAMING_HEAD;

    if (tcp->out != NULL) {
        ngx_rtc_tcp_keep(tcp, frame, len, 0);
        return;
    }

    n = c->send(c, frame, len);

    if (n == NGX_ERROR) {
        ngx_rtc_tcp_break(tcp);
        return;
    }

    n = ngx_max(n, 0);

    if ((size_t) n < len) {
        ngx_rtc_tcp_keep(tcp, frame + n, len - n, n != 0);
    }
}


/* The end of a frame that has begun must be sent; others need not be. */

static void
ngx_rtc_tcp_keep(ngx_rtc_tcp_t *tcp, const u_char *data, size_t len,
    ngx_uint_t begun)
{
    size_t             waits;
    ngx_connection_t  *c;

    c = tcp->connection;
    waits = tcp->out_last - tcp->out_pos;

    if (waits + len > NGX_RTC_TCP_QUEUE) {

        if (!tcp->full) {
            tcp->full = 1;
            ngx_log_error(NGX_LOG_INFO, c->log, 0,
                          "rtc tcp connection is not read by its publisher, "
                          "what does not fit is dropped");
        }

        return;
    }

    if (tcp->out == NULL) {
        tcp->out = ngx_alloc(NGX_RTC_TCP_QUEUE, c->log);

        if (tcp->out == NULL) {
            if (begun) {
                ngx_rtc_tcp_break(tcp);
            }

            return;
        }

        tcp->out_pos = 0;
        tcp->out_last = 0;
    }

    if (tcp->out_last + len > NGX_RTC_TCP_QUEUE) {
        ngx_memmove(tcp->out, tcp->out + tcp->out_pos, waits);
        tcp->out_pos = 0;
        tcp->out_last = waits;
    }

    ngx_memcpy(tcp->out + tcp->out_last, data, len);
    tcp->out_last += len;

    if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
        ngx_rtc_tcp_break(tcp);
    }
}


static void
ngx_rtc_tcp_write(ngx_event_t *wev)
{
    ssize_t            n;
    ngx_rtc_tcp_t     *tcp;
    ngx_connection_t  *c;

    c = wev->data;
    tcp = c->data;

    while (tcp->out != NULL && !tcp->closing) {
        n = c->send(c, tcp->out + tcp->out_pos,
                    tcp->out_last - tcp->out_pos);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == NGX_ERROR) {
            ngx_rtc_tcp_break(tcp);
            return;
        }

        tcp->out_pos += n;

        if (tcp->out_pos == tcp->out_last) {
            ngx_free(tcp->out);
            tcp->out = NULL;
            tcp->out_pos = 0;
            tcp->out_last = 0;
        }
    }

    if (ngx_handle_write_event(wev, 0) != NGX_OK) {
        ngx_rtc_tcp_break(tcp);
    }
}


/* Its session may be in the middle of something: closed a moment later. */

static void
ngx_rtc_tcp_break(ngx_rtc_tcp_t *tcp)
{
    tcp->closing = 1;

    ngx_post_event(tcp->connection->read, &ngx_posted_events);
}


void
ngx_rtc_tcp_lost(ngx_rtc_conf_t *rcf, ngx_rtc_tcp_t *tcp)
{
    cr_addr_t           remote;
    ngx_rtc_session_t  *s;

    if (tcp->route == NULL) {
        ngx_rtc_tcp_close(tcp);
        return;
    }

    s = tcp->route->session;
    remote = tcp->remote;

    ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                  "rtc session %s lost a tcp connection",
                  s->info.session_id);

    ngx_rtc_route_drop(rcf->worker, tcp->route);
    cr_peer_path_lost(s->peer, &remote);
}


void
ngx_rtc_tcp_routed(ngx_rtc_tcp_t *tcp, ngx_rtc_route_t *route)
{
    tcp->route = route;

    if (route == NULL) {
        ngx_rtc_tcp_close(tcp);
    }
}


void
ngx_rtc_tcp_close(ngx_rtc_tcp_t *tcp)
{
    if (tcp->busy) {
        tcp->closing = 1;
        return;
    }

    ngx_rtc_tcp_settle(ngx_rtc_conf()->worker, tcp);
    ngx_rtc_tcp_reject(tcp->connection);

    if (tcp->out != NULL) {
        ngx_free(tcp->out);
    }

    ngx_free(tcp);
}
