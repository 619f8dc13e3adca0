
/*
 * Copyright (C) The call recorder authors
 *
 * What the files of ICE-TCP share.
 *
 *     ngx_rtc_tcp_listen.c  where connections come from
 *     ngx_rtc_tcp_first.c   until they are a session's
 *     ngx_rtc_tcp.c         connections
 */

#ifndef _NGX_RTC_TCP_H_INCLUDED_
#define _NGX_RTC_TCP_H_INCLUDED_


#include "ngx_rtc_module.h"

#include "stun/frame.h"


/* until the first datagram is proven */
#define NGX_RTC_TCP_FIRST_MSEC  5000
#define NGX_RTC_TCP_FIRST_MAX   1024


struct ngx_rtc_tcp_s {
    ngx_queue_t              queue;           /* of those that are pending */
    ngx_connection_t        *connection;
    ngx_rtc_route_t         *route;           /* NULL: nothing is proven */
    cr_addr_t                remote;
    cr_framing_t             framing;

    u_char                  *out;             /* NULL: nothing waits */
    size_t                   out_pos;
    size_t                   out_last;

    unsigned                 pending:1;
    unsigned                 busy:1;          /* do not free */
    unsigned                 closing:1;
    unsigned                 full:1;          /* something was dropped */

    uint32_t                 buf[(CR_FRAMING_HEAD + NGX_RTC_DATAGRAM_MAX + 3)
                                 / 4];
};


/* ngx_rtc_tcp.c */

/* Takes c over, unless it returns NULL. */
ngx_rtc_tcp_t *ngx_rtc_tcp_create(ngx_rtc_conf_t *rcf, ngx_connection_t *c,
    const cr_addr_t *remote);
/* Waits for input, or takes what is there. */
void ngx_rtc_tcp_start(ngx_rtc_tcp_t *tcp);
void ngx_rtc_tcp_input(ngx_rtc_conf_t *rcf, ngx_rtc_tcp_t *tcp,
    ngx_rtc_session_t *s, u_char *data, size_t len, int64_t now_us);
/* The session goes on, if it has another path or gets one in time. */
void ngx_rtc_tcp_lost(ngx_rtc_conf_t *rcf, ngx_rtc_tcp_t *tcp);
/* A moment later, while its input is handled. */
void ngx_rtc_tcp_close(ngx_rtc_tcp_t *tcp);


/* ngx_rtc_tcp_listen.c */

/* Closes what accept() or ngx_get_connection() has made. */
void ngx_rtc_tcp_reject(ngx_connection_t *c);


/* ngx_rtc_tcp_first.c */

/* NGX_DECLINED: there are too many of this address. */
ngx_int_t ngx_rtc_tcp_make_room(ngx_rtc_conf_t *rcf,
    const cr_addr_t *remote);
/* NGX_OK: it is its session's, NGX_DONE: gone to another worker. */
ngx_int_t ngx_rtc_tcp_read_first(ngx_rtc_conf_t *rcf, ngx_rtc_tcp_t *tcp);
/* It waits for its first datagram no more. */
void ngx_rtc_tcp_settle(ngx_rtc_worker_t *w, ngx_rtc_tcp_t *tcp);


#endif /* _NGX_RTC_TCP_H_INCLUDED_ */
