
/*
 * Copyright (C) The call recorder authors
 *
 * Where ICE-TCP is accepted.  If http listens on the same port, too, the first
 * byte tells: a first datagram of at most NGX_RTC_TCP_FIRST_MAX bytes has a
 * head that begins unlike any method, TLS record or PROXY header.
 */


#include "ngx_rtc_tcp.h"

#include <ngx_http.h>


/* the largest first byte of a frame that is taken at first */
#define NGX_RTC_TCP_BYTE  (NGX_RTC_TCP_FIRST_MAX >> 8)


static ngx_uint_t ngx_rtc_tcp_share(ngx_cycle_t *cycle,
    const cr_addr_t *addr);
static ngx_uint_t ngx_rtc_tcp_covers(const ngx_listening_t *ls,
    const cr_addr_t *addr);
static void ngx_rtc_tcp_accept(ngx_connection_t *c);
static void ngx_rtc_tcp_accept_shared(ngx_connection_t *c);
static void ngx_rtc_tcp_peek(ngx_event_t *rev);


char *
ngx_rtc_tcp_listen(ngx_conf_t *cf, ngx_rtc_conf_t *rcf)
{
    socklen_t        socklen;
    cr_addr_t       *listens;
    ngx_uint_t       i;
    ngx_sockaddr_t   sa;

    listens = rcf->listens.elts;

    for (i = 0; i < rcf->listens.nelts; i++) {

        if (ngx_rtc_tcp_share(cf->cycle, &listens[i])) {
            continue;
        }

        socklen = ngx_rtc_addr_to(&listens[i], &sa);

        if (ngx_rtc_listening(cf, &sa.sockaddr, socklen, ngx_rtc_tcp_accept)
            == NULL)
        {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/* Whether http listens there, or we ourselves at all addresses. */

static ngx_uint_t
ngx_rtc_tcp_share(ngx_cycle_t *cycle, const cr_addr_t *addr)
{
    ngx_uint_t        i, found;
    ngx_listening_t  *ls;

    found = 0;
    ls = cycle->listening.elts;

    for (i = 0; i < cycle->listening.nelts; i++) {

        if (ls[i].type != SOCK_STREAM || !ngx_rtc_tcp_covers(&ls[i], addr)) {
            continue;
        }

        if (ls[i].handler == ngx_http_init_connection) {
            ls[i].handler = ngx_rtc_tcp_accept_shared;
        }

        found |= (ls[i].handler == ngx_rtc_tcp_accept_shared
                  || ls[i].handler == ngx_rtc_tcp_accept);
    }

    return found;
}


/* Whether two sockets of those addresses exclude each other. */

static ngx_uint_t
ngx_rtc_tcp_covers(const ngx_listening_t *ls, const cr_addr_t *addr)
{
    cr_addr_t       other;
    ngx_uint_t      all;
    ngx_sockaddr_t  sa;

    ngx_rtc_addr_from(&other, ls->sockaddr);

    if (other.family == 0 || other.port != addr->port) {
        return 0;
    }

    all = ngx_inet_wildcard(ls->sockaddr);

#if (NGX_HAVE_INET6)
    if (other.family == 6 && addr->family == 4) {
        return all && !ls->ipv6only;
    }
#endif

    (void) ngx_rtc_addr_to(addr, &sa);

    return other.family == addr->family
           && (all || ngx_inet_wildcard(&sa.sockaddr)
               || cr_addr_equal(&other, addr));
}


static void
ngx_rtc_tcp_accept(ngx_connection_t *c)
{
    cr_addr_t        remote;
    ngx_rtc_tcp_t   *tcp;
    ngx_rtc_conf_t  *rcf;

    rcf = ngx_rtc_conf();

    ngx_rtc_addr_from(&remote, c->sockaddr);
    remote.transport = CR_TCP;

    if (ngx_rtc_tcp_make_room(rcf, &remote) != NGX_OK) {
        ngx_rtc_tcp_reject(c);
        return;
    }

    tcp = ngx_rtc_tcp_create(rcf, c, &remote);

    if (tcp == NULL) {
        ngx_rtc_tcp_reject(c);
        return;
    }

    ngx_rtc_tcp_start(tcp);
}


/* Of a listening socket of http. */

static void
ngx_rtc_tcp_accept_shared(ngx_connection_t *c)
{
    c->read->handler = ngx_rtc_tcp_peek;

    ngx_add_timer(c->read, NGX_RTC_TCP_FIRST_MSEC);
    ngx_reusable_connection(c, 1);

    if (c->read->ready) {
        ngx_rtc_tcp_peek(c->read);
        return;
    }

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        ngx_rtc_tcp_reject(c);
    }
}


static void
ngx_rtc_tcp_peek(ngx_event_t *rev)
{
    u_char             byte;
    ssize_t            n;
    ngx_err_t          err;
    ngx_connection_t  *c;

    c = rev->data;

    if (c->close) {
        ngx_rtc_tcp_reject(c);
        return;
    }

    byte = 0xff;
    n = 1;

    if (!rev->timedout) {
        n = recv(c->fd, &byte, 1, MSG_PEEK);
        err = ngx_socket_errno;

        if (n == -1 && (err == NGX_EAGAIN || err == NGX_EINTR)) {
            rev->ready = 0;

            if (ngx_handle_read_event(rev, 0) != NGX_OK) {
                ngx_rtc_tcp_reject(c);
            }

            return;
        }
    }

    /* http has its own opinion on who says nothing, or has left */

    if (rev->timer_set) {
        ngx_del_timer(rev);
    }

    rev->timedout = 0;
    ngx_reusable_connection(c, 0);

    if (n == 1 && byte <= NGX_RTC_TCP_BYTE) {
        ngx_rtc_tcp_accept(c);
        return;
    }

    ngx_http_init_connection(c);
}


void
ngx_rtc_tcp_reject(ngx_connection_t *c)
{
    ngx_pool_t  *pool;

#if (NGX_STAT_STUB)
    (void) ngx_atomic_fetch_add(ngx_stat_active, -1);
#endif

    pool = c->pool;

    ngx_close_connection(c);

    if (pool != NULL) {
        ngx_destroy_pool(pool);
    }
}
