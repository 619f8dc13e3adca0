
/*
 * Copyright (C) The call recorder authors
 *
 * The first datagram of a connection, and the connections that wait for it.
 *
 * The worker that accepts a connection reads its first datagram and nothing
 * behind it.  That must be a STUN request of a session of ours; its owner
 * gets the connection, by descriptor if it is another worker, and has it from
 * then on.  So no worker stands between a publisher and its session: neither
 * a reload nor the death of the one that accepted matters.
 */


#include "ngx_rtc_tcp.h"


/* of all connections, those that have proven nothing are at most 1/n */
#define NGX_RTC_TCP_SHARE  4


/* In front of the first datagram, with the descriptor. */
typedef struct {
    cr_addr_t  remote;
} ngx_rtc_tcp_given_t;


static ngx_int_t ngx_rtc_tcp_prove(ngx_rtc_conf_t *rcf, ngx_rtc_tcp_t *tcp,
    u_char *data, size_t len, ngx_uint_t given);
static ngx_rtc_session_t *ngx_rtc_tcp_session(ngx_rtc_conf_t *rcf,
    u_char *data, size_t len, ngx_uint_t given, ngx_pid_t *owner);
static void ngx_rtc_tcp_give(ngx_rtc_tcp_t *tcp, ngx_pid_t to,
    const u_char *data, size_t len);


/*
 * A request is there a moment after its connection: of those that wait for
 * one, the oldest are the least likely to have it.
 */

ngx_int_t
ngx_rtc_tcp_make_room(ngx_rtc_conf_t *rcf, const cr_addr_t *remote)
{
    size_t             len;
    ngx_int_t          n;
    ngx_uint_t         max;
    ngx_queue_t       *q;
    ngx_rtc_tcp_t     *tcp;
    ngx_rtc_worker_t  *w;

    n = 0;
    w = rcf->worker;
    len = remote->family == 4 ? 4 : 16;

    for (q = ngx_queue_head(&w->tcp_pending);
         q != ngx_queue_sentinel(&w->tcp_pending);
         q = ngx_queue_next(q))
    {
        tcp = ngx_queue_data(q, ngx_rtc_tcp_t, queue);

        n += tcp->remote.family == remote->family
             && ngx_memcmp(tcp->remote.ip, remote->ip, len) == 0;
    }

    if (n >= rcf->max_sessions_per_address) {
        ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                      "rtc tcp connection refused: too many of its address");
        return NGX_DECLINED;
    }

    max = ngx_min((ngx_uint_t) rcf->max_handshakes,
                  ngx_cycle->connection_n / NGX_RTC_TCP_SHARE + 1);

    if (w->ntcp_pending >= max) {
        q = ngx_queue_head(&w->tcp_pending);
        ngx_rtc_tcp_close(ngx_queue_data(q, ngx_rtc_tcp_t, queue));

        ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                      "rtc tcp connection closed for a newer one");
    }

    return NGX_OK;
}


ngx_int_t
ngx_rtc_tcp_read_first(ngx_rtc_conf_t *rcf, ngx_rtc_tcp_t *tcp)
{
    size_t             len, want;
    u_char            *p, *buf, *data;
    ssize_t            n;
    cr_status_e        status;
    ngx_connection_t  *c;

    c = tcp->connection;
    buf = (u_char *) rcf->worker->buffers;

    for ( ;; ) {
        want = cr_framing_want(&tcp->framing);

        n = c->recv(c, buf, want);

        if (n == NGX_AGAIN) {
            return NGX_AGAIN;
        }

        if (n <= 0) {
            return NGX_ERROR;
        }

        p = buf;
        status = cr_framing_next(&tcp->framing, &p, buf + n, &data, &len);

        if (status == CR_OK) {
            return ngx_rtc_tcp_prove(rcf, tcp, data, len, 0);
        }

        if (status != CR_AGAIN || tcp->framing.have == 0) {
            ngx_log_error(NGX_LOG_INFO, c->log, 0,
                          "rtc tcp connection closed: it begins with "
                          "something else than a request");
            return NGX_ERROR;
        }
    }
}


/* The first datagram.  NGX_OK: its session is ours; NGX_DONE: not ours. */

static ngx_int_t
ngx_rtc_tcp_prove(ngx_rtc_conf_t *rcf, ngx_rtc_tcp_t *tcp, u_char *data,
    size_t len, ngx_uint_t given)
{
    ngx_pid_t           owner;
    ngx_rtc_session_t  *s;

    s = ngx_rtc_tcp_session(rcf, data, len, given, &owner);

    if (s == NULL && owner != 0) {
        ngx_rtc_tcp_give(tcp, owner, data, len);
        return NGX_DONE;
    }

    if (s != NULL) {
        ngx_rtc_tcp_input(rcf, tcp, s, data, len, ngx_callrec_now_us());
    }

    if (tcp->route == NULL) {
        ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                      "rtc tcp connection closed: its first datagram is no "
                      "request of a session");
        return NGX_ERROR;
    }

    ngx_rtc_tcp_settle(rcf->worker, tcp);
    ngx_del_timer(tcp->connection->read);

    tcp->framing.max = NGX_RTC_DATAGRAM_MAX;

    return NGX_OK;
}


/* The session of a request, adopted if it is nobody's; or whom to ask. */

static ngx_rtc_session_t *
ngx_rtc_tcp_session(ngx_rtc_conf_t *rcf, u_char *data, size_t len,
    ngx_uint_t given, ngx_pid_t *owner)
{
    ngx_uint_t              i;
    ngx_rtc_worker_t       *w;
    ngx_rtc_session_t      *s;
    ngx_rtc_credentials_t   cred;

    w = rcf->worker;
    *owner = 0;

    /* a second time, if another worker has adopted it in between */

    for (i = 0; i < 2; i++) {

        if (ngx_rtc_route_check(rcf, data, len, &cred) != NGX_OK) {
            return NULL;
        }

        if (cred.owner == ngx_pid) {
            return ngx_rtc_session_by_id(w, cred.id);
        }

        if (cred.owner != 0) {
            *owner = given ? 0 : cred.owner;
            return NULL;
        }

        if (cred.previous || w->quitting) {
            return NULL;
        }

        if (w->draining && !given) {

            /* this worker leaves soon, the session is for one that stays */

            *owner = ngx_max(ngx_callrec_worker_current(), 0);
            return NULL;
        }

        s = ngx_rtc_route_adopt(rcf, cred.id);

        if (s != NULL) {
            return s;
        }
    }

    return NULL;
}


static void
ngx_rtc_tcp_give(ngx_rtc_tcp_t *tcp, ngx_pid_t to, const u_char *data,
    size_t len)
{
    u_char                message[sizeof(ngx_rtc_tcp_given_t)
                                  + NGX_RTC_TCP_FIRST_MAX];
    ngx_socket_t          fd;
    ngx_connection_t     *c;
    ngx_rtc_tcp_given_t   given;

    c = tcp->connection;

    given.remote = tcp->remote;

    ngx_memcpy(message, &given, sizeof(ngx_rtc_tcp_given_t));
    ngx_memcpy(message + sizeof(ngx_rtc_tcp_given_t), data, len);

    /* epoll would go on with a socket that lives elsewhere */

    if ((c->read->active || c->write->active) && ngx_del_conn != NULL) {
        (void) ngx_del_conn(c, 0);
    }

    fd = fcntl(c->fd, F_DUPFD_CLOEXEC, 0);

    if (fd == (ngx_socket_t) -1) {
        ngx_log_error(NGX_LOG_ERR, c->log, ngx_errno,
                      "fcntl(F_DUPFD_CLOEXEC) failed");

    } else {
        (void) ngx_callrec_fd_send(to, fd, message,
                                   sizeof(ngx_rtc_tcp_given_t) + len,
                                   c->log);
    }

    tcp->busy = 0;
    ngx_rtc_tcp_close(tcp);
}


/* A connection that another worker has accepted. */

void
ngx_rtc_tcp_message(ngx_pid_t from, ngx_socket_t fd, u_char *data, size_t len)
{
    u_char               *p;
    ngx_int_t             rc;
    ngx_rtc_tcp_t        *tcp;
    ngx_rtc_conf_t       *rcf;
    ngx_connection_t     *c;
    ngx_rtc_tcp_given_t   given;

    if (len <= sizeof(ngx_rtc_tcp_given_t)) {
        (void) ngx_close_socket(fd);
        return;
    }

    rcf = ngx_rtc_conf();

    ngx_memcpy(&given, data, sizeof(ngx_rtc_tcp_given_t));
    p = data + sizeof(ngx_rtc_tcp_given_t);
    len -= sizeof(ngx_rtc_tcp_given_t);

    c = ngx_get_connection(fd, ngx_cycle->log);

    if (c == NULL) {
        (void) ngx_close_socket(fd);
        return;
    }

    c->type = SOCK_STREAM;
    c->recv = ngx_recv;
    c->send = ngx_send;
    c->write->ready = 1;

#if (NGX_STAT_STUB)
    (void) ngx_atomic_fetch_add(ngx_stat_active, 1);
#endif

    tcp = ngx_rtc_tcp_create(rcf, c, &given.remote);

    if (tcp == NULL) {
        ngx_rtc_tcp_reject(c);
        return;
    }

    tcp->busy = 1;

    rc = ngx_rtc_tcp_prove(rcf, tcp, p, len, 1);
    tcp->busy = 0;

    if (rc != NGX_OK || tcp->closing) {
        ngx_rtc_tcp_lost(rcf, tcp);
        return;
    }

    ngx_rtc_tcp_start(tcp);
}


void
ngx_rtc_tcp_settle(ngx_rtc_worker_t *w, ngx_rtc_tcp_t *tcp)
{
    if (tcp->pending) {
        tcp->pending = 0;
        ngx_queue_remove(&tcp->queue);
        w->ntcp_pending--;
    }
}


void
ngx_rtc_tcp_done(ngx_rtc_worker_t *w)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(&w->tcp_pending)) {
        q = ngx_queue_head(&w->tcp_pending);
        ngx_rtc_tcp_close(ngx_queue_data(q, ngx_rtc_tcp_t, queue));
    }
}
