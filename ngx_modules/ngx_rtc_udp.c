
/*
 * Copyright (C) The call recorder authors
 *
 * UDP sockets.  The master makes one per worker for each "listen"
 * (reuseport); a reload hands them to the workers of the same number.  For
 * sending, each worker keeps a duplicate, which outlives the closing of
 * listening sockets when it is asked to leave.  Sockets that a reload does
 * not hand on (fewer workers, a changed "listen") still get their share of
 * datagrams from the kernel, so the old worker goes on reading those.  That
 * may be a later reload than the one that has made it old.
 */


#include "ngx_rtc_module.h"


#define NGX_RTC_CONTROL       128
/* A datagram was never so long in its socket: the clock was set. */
#define NGX_RTC_QUEUED_MAX_US 1000000
/* what accept() needs of a listening socket, for a moment */
#define NGX_RTC_POOL_SIZE     256

/* Big enough for either family, aligned as the kernel wants it. */
typedef union {
    struct cmsghdr  align;
    u_char          in[CMSG_SPACE(sizeof(struct in_pktinfo))];
    u_char          in6[CMSG_SPACE(sizeof(struct in6_pktinfo))];
    u_char          space[NGX_RTC_CONTROL];   /* and the time */
} ngx_rtc_control_t;


static void ngx_rtc_udp_handler(ngx_connection_t *c);
static void ngx_rtc_udp_read(ngx_event_t *rev);
static ngx_int_t ngx_rtc_udp_read_batch(ngx_rtc_conf_t *rcf,
    ngx_rtc_listener_t *listener, ngx_socket_t fd, ngx_log_t *log);
static int64_t ngx_rtc_udp_control(struct msghdr *msg, cr_addr_t *addr);
static int64_t ngx_rtc_udp_wall_us(void);
static ngx_uint_t ngx_rtc_udp_handed_on(ngx_rtc_conf_t *rcf,
    ngx_socket_t fd);
static uint64_t ngx_rtc_udp_cookie(ngx_socket_t fd);


char *
ngx_rtc_udp_listen(ngx_conf_t *cf, ngx_rtc_conf_t *rcf, ngx_addr_t *addr)
{
    cr_addr_t        *listen;
    ngx_uint_t        i;
    ngx_listening_t  *ls;

    if (rcf->listens.nelts == NGX_RTC_LISTEN_MAX) {
        return "is given too often";
    }

    listen = ngx_array_push(&rcf->listens);
    if (listen == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_rtc_addr_from(listen, addr->sockaddr);

    for (i = 0; i < rcf->listens.nelts - 1; i++) {
        if (cr_addr_equal((cr_addr_t *) rcf->listens.elts + i, listen)) {
            return "has a duplicate address";
        }
    }

    ls = ngx_rtc_listening(cf, addr->sockaddr, addr->socklen,
                           ngx_rtc_udp_handler);
    if (ls == NULL) {
        return NGX_CONF_ERROR;
    }

    ls->type = SOCK_DGRAM;
    ls->reuseport = 1;
    ls->wildcard = ngx_inet_wildcard(addr->sockaddr);

    return NGX_CONF_OK;
}


ngx_listening_t *
ngx_rtc_listening(ngx_conf_t *cf, struct sockaddr *sockaddr,
    socklen_t socklen, ngx_connection_handler_pt handler)
{
    ngx_listening_t  *ls;

    ls = ngx_create_listening(cf, sockaddr, socklen);
    if (ls == NULL) {
        return NULL;
    }

    ls->handler = handler;
    ls->pool_size = NGX_RTC_POOL_SIZE;
    ls->logp = &cf->cycle->new_log;
    ls->log.data = &ls->addr_text;
    ls->log.handler = ngx_accept_log_error;

#if (NGX_HAVE_INET6)
    ls->ipv6only = 1;
#endif

    return ls;
}


/*
 * In the master, which may pass net.core.rmem_max; and notes for the workers
 * of older generations what the new ones will read.
 */

void
ngx_rtc_udp_tune(ngx_rtc_conf_t *rcf, ngx_cycle_t *cycle)
{
    int               size;
    uint64_t         *sockets;
    ngx_uint_t        i, n;
    ngx_rtc_sh_t     *sh;
    ngx_listening_t  *ls;

    size = (int) rcf->recv_buffer;
    ls = cycle->listening.elts;
    n = 0;

    for (i = 0; i < cycle->listening.nelts; i++) {
        if (ls[i].handler != ngx_rtc_udp_handler
            || ls[i].fd == (ngx_socket_t) -1)
        {
            continue;
        }

        if (setsockopt(ls[i].fd, SOL_SOCKET, SO_RCVBUFFORCE, &size,
                       sizeof(int))
            == -1
            && setsockopt(ls[i].fd, SOL_SOCKET, SO_RCVBUF, &size,
                          sizeof(int))
            == -1)
        {
            ngx_log_error(NGX_LOG_ALERT, cycle->log, ngx_socket_errno,
                          "setsockopt(SO_RCVBUF, %d) %V failed, ignored",
                          size, &ls[i].addr_text);
        }

        n++;
    }

    sh = rcf->sh;

    ngx_shmtx_lock(&rcf->shpool->mutex);

    if (sh->sockets != NULL) {
        ngx_slab_free_locked(rcf->shpool, sh->sockets);
    }

    /* without room for it nothing is lost, but old workers read along */

    sockets = ngx_slab_alloc_locked(rcf->shpool, (n + 1) * sizeof(uint64_t));

    sh->sockets = sockets;
    sh->nsockets = 0;

    for (i = 0; sockets != NULL && i < cycle->listening.nelts; i++) {
        if (ls[i].handler == ngx_rtc_udp_handler
            && ls[i].fd != (ngx_socket_t) -1)
        {
            sockets[sh->nsockets++] = ngx_rtc_udp_cookie(ls[i].fd);
        }
    }

    ngx_shmtx_unlock(&rcf->shpool->mutex);
}


ngx_int_t
ngx_rtc_udp_init(ngx_rtc_conf_t *rcf, ngx_cycle_t *cycle)
{
    int                  on;
    ngx_uint_t           i;
    ngx_listening_t     *ls;
    ngx_rtc_worker_t    *w;
    ngx_rtc_listener_t  *listener;

    on = 1;
    w = rcf->worker;
    ls = cycle->listening.elts;

    for (i = 0; i < cycle->listening.nelts; i++) {

        /* ours: of this worker, so it has a connection */

        if (ls[i].handler != ngx_rtc_udp_handler
            || ls[i].worker != ngx_worker || ls[i].connection == NULL)
        {
            continue;
        }

        listener = &w->listeners[w->nlisteners++];

        listener->fd = fcntl(ls[i].fd, F_DUPFD_CLOEXEC, 0);

        if (listener->fd == (ngx_socket_t) -1) {
            ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_socket_errno,
                          "fcntl(F_DUPFD_CLOEXEC) failed");
            w->nlisteners--;
            return NGX_ERROR;
        }

        if (setsockopt(listener->fd, SOL_SOCKET, SO_TIMESTAMPNS, &on,
                       sizeof(int))
            == -1)
        {
            ngx_log_error(NGX_LOG_ALERT, cycle->log, ngx_socket_errno,
                          "setsockopt(SO_TIMESTAMPNS) %V failed, ignored",
                          &ls[i].addr_text);
        }

        ngx_rtc_addr_from(&listener->addr, ls[i].sockaddr);
        listener->wildcard = ls[i].wildcard;
        listener->listening = &ls[i];

        ls[i].connection->data = listener;
        ls[i].connection->read->handler = ngx_rtc_udp_read;
    }

    return NGX_OK;
}


void
ngx_rtc_udp_drain(ngx_rtc_conf_t *rcf, ngx_log_t *log)
{
    ngx_uint_t           i;
    ngx_connection_t    *c;
    ngx_rtc_worker_t    *w;
    ngx_rtc_listener_t  *listener;

    w = rcf->worker;

    for (i = 0; i < w->nlisteners; i++) {
        listener = &w->listeners[i];

        if (listener->reader != NULL
            || ngx_rtc_udp_handed_on(rcf, listener->fd))
        {
            continue;
        }

        c = ngx_get_connection(listener->fd, log);
        if (c == NULL) {
            continue;
        }

        c->data = listener;
        c->type = SOCK_DGRAM;
        c->read->handler = ngx_rtc_udp_read;
        c->read->log = log;
        c->write->log = log;

        if (ngx_add_event(c->read, NGX_READ_EVENT, 0) != NGX_OK) {
            ngx_free_connection(c);
            c->fd = (ngx_socket_t) -1;
            continue;
        }

        listener->reader = c;
    }
}


/*
 * Right before sockets are closed that nobody else reads: what is in their
 * queues is other workers'.
 */

void
ngx_rtc_udp_empty(ngx_rtc_conf_t *rcf, ngx_log_t *log)
{
    ngx_uint_t           i;
    ngx_rtc_worker_t    *w;
    ngx_rtc_listener_t  *listener;

    w = rcf->worker;

    for (i = 0; i < w->nlisteners; i++) {
        listener = &w->listeners[i];

        if (listener->reader == NULL) {
            continue;
        }

        while (ngx_rtc_udp_read_batch(rcf, listener, listener->fd, log)
               == NGX_AGAIN)
        { /* void */ }
    }

    ngx_rtc_route_flush(w);
}


void
ngx_rtc_udp_done(ngx_rtc_worker_t *w)
{
    ngx_uint_t           i;
    ngx_rtc_listener_t  *listener;

    for (i = 0; i < w->nlisteners; i++) {
        listener = &w->listeners[i];

        if (listener->reader != NULL) {
            ngx_close_connection(listener->reader);
            listener->reader = NULL;

        } else {
            (void) ngx_close_socket(listener->fd);
        }
    }

    w->nlisteners = 0;
}


void
ngx_rtc_udp_send(const ngx_rtc_path_t *path, const cr_addr_t *to,
    const uint8_t *data, size_t len, ngx_log_t *log)
{
    ngx_err_t            err;
    struct iovec         iov;
    struct msghdr        msg;
    ngx_sockaddr_t       sa;
    struct cmsghdr      *cmsg;
    struct in_pktinfo   *info;
    ngx_rtc_control_t    control;
#if (NGX_HAVE_INET6)
    struct in6_pktinfo  *info6;
#endif

    if (path->listener->addr.family != to->family) {
        return;
    }

    iov.iov_base = (void *) data;
    iov.iov_len = len;

    ngx_memzero(&msg, sizeof(struct msghdr));

    msg.msg_name = &sa;
    msg.msg_namelen = ngx_rtc_addr_to(to, &sa);
    msg.msg_iov = &iov;
    msg.msg_iovlen = 1;

    if (path->listener->wildcard) {

        /* answers leave from the address that was asked */

        ngx_memzero(&control, sizeof(ngx_rtc_control_t));

        msg.msg_control = &control;
        msg.msg_controllen = sizeof(ngx_rtc_control_t);

        cmsg = CMSG_FIRSTHDR(&msg);

        if (to->family == 4) {
            cmsg->cmsg_level = IPPROTO_IP;
            cmsg->cmsg_type = IP_PKTINFO;
            cmsg->cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo));
            msg.msg_controllen = CMSG_SPACE(sizeof(struct in_pktinfo));

            info = (struct in_pktinfo *) CMSG_DATA(cmsg);
            ngx_memcpy(&info->ipi_spec_dst, path->local.ip, 4);
        }

#if (NGX_HAVE_INET6)
        else {
            cmsg->cmsg_level = IPPROTO_IPV6;
            cmsg->cmsg_type = IPV6_PKTINFO;
            cmsg->cmsg_len = CMSG_LEN(sizeof(struct in6_pktinfo));
            msg.msg_controllen = CMSG_SPACE(sizeof(struct in6_pktinfo));

            info6 = (struct in6_pktinfo *) CMSG_DATA(cmsg);
            ngx_memcpy(&info6->ipi6_addr, path->local.ip, 16);
        }
#endif
    }

    if (sendmsg(path->listener->fd, &msg, MSG_NOSIGNAL) != -1) {
        return;
    }

    err = ngx_socket_errno;

    if (err == NGX_EAGAIN || err == NGX_EINTR || err == ENOBUFS) {

        /* the network loses datagrams too: protocols send again */

        ngx_log_debug0(NGX_LOG_DEBUG_EVENT, log, err, "sendmsg() is full");
        return;
    }

    ngx_log_error(NGX_LOG_INFO, log, err, "sendmsg() to a publisher failed");
}


/* The socket from which an answer of this address can leave. */

ngx_rtc_listener_t *
ngx_rtc_udp_listener(ngx_rtc_worker_t *w, const cr_addr_t *local)
{
    ngx_uint_t           i;
    ngx_rtc_listener_t  *listener, *wildcard;

    wildcard = NULL;

    for (i = 0; i < w->nlisteners; i++) {
        listener = &w->listeners[i];

        if (cr_addr_equal(&listener->addr, local)) {
            return listener;
        }

        if (listener->wildcard && listener->addr.family == local->family
            && listener->addr.port == local->port)
        {
            wildcard = listener;
        }
    }

    return wildcard;
}


/* Marks our listening sockets; datagrams never get here. */

static void
ngx_rtc_udp_handler(ngx_connection_t *c)
{
    ngx_log_error(NGX_LOG_ALERT, c->log, 0, "rtc socket without its reader");
}


static void
ngx_rtc_udp_read(ngx_event_t *rev)
{
    ngx_uint_t           i;
    ngx_rtc_conf_t      *rcf;
    ngx_connection_t    *c;
    ngx_rtc_listener_t  *listener;

    c = rev->data;

    if (c->close) {

        /* worker_shutdown_timeout: ngx_rtc_exit() does what is to be done */

        c->close = 0;
        return;
    }

    rcf = ngx_rtc_conf();
    listener = c->data;

    /* level-triggered: what is left brings another event */

    for (i = 0; i < NGX_RTC_BATCHES; i++) {
        if (ngx_rtc_udp_read_batch(rcf, listener, c->fd, rev->log)
            != NGX_AGAIN)
        {
            break;
        }
    }

    ngx_rtc_route_flush(rcf->worker);

    ngx_rtc_tick_woken(rcf->worker);
}


void
ngx_rtc_udp_watch(ngx_rtc_worker_t *w, ngx_uint_t on)
{
    ngx_uint_t           i;
    ngx_event_t         *rev;
    ngx_rtc_listener_t  *listener;

    for (i = 0; i < w->nlisteners; i++) {
        listener = &w->listeners[i];

        if (listener->reader != NULL) {
            rev = listener->reader->read;

        } else if (listener->listening->fd != (ngx_socket_t) -1) {
            rev = listener->listening->connection->read;

        } else {
            continue;
        }

        if (on && !rev->active) {
            (void) ngx_add_event(rev, NGX_READ_EVENT, 0);

        } else if (!on && rev->active) {
            (void) ngx_del_event(rev, NGX_READ_EVENT, 0);
        }
    }
}


size_t
ngx_rtc_udp_room(ngx_rtc_worker_t *w)
{
    int         size;
    size_t      room;
    socklen_t   len;
    ngx_uint_t  i;

    room = NGX_MAX_INT32_VALUE;

    for (i = 0; i < w->nlisteners; i++) {
        len = sizeof(int);

        if (getsockopt(w->listeners[i].fd, SOL_SOCKET, SO_RCVBUF, &size, &len)
            == -1)
        {
            size = 0;
        }

        room = ngx_min(room, (size_t) size);
    }

    return room;
}


ngx_int_t
ngx_rtc_udp_poll(ngx_rtc_conf_t *rcf)
{
    ngx_int_t            rc, result;
    ngx_uint_t           i, n;
    ngx_rtc_worker_t    *w;
    ngx_rtc_listener_t  *listener;

    w = rcf->worker;
    result = NGX_DECLINED;

    for (i = 0; i < w->nlisteners; i++) {
        listener = &w->listeners[i];

        if (listener->reader == NULL
            && listener->listening->fd == (ngx_socket_t) -1)
        {
            /* a newer worker's */
            continue;
        }

        for (n = 0; n < NGX_RTC_POLL_BATCHES; n++) {
            rc = ngx_rtc_udp_read_batch(rcf, listener, listener->fd,
                                        ngx_cycle->log);

            if (rc != NGX_DECLINED && result == NGX_DECLINED) {
                result = NGX_OK;
            }

            if (rc != NGX_AGAIN) {
                break;
            }
        }

        if (n == NGX_RTC_POLL_BATCHES) {
            result = NGX_AGAIN;
        }
    }

    ngx_rtc_route_flush(w);

    return result;
}


/* NGX_AGAIN: there may be more; NGX_DECLINED: there was nothing. */

static ngx_int_t
ngx_rtc_udp_read_batch(ngx_rtc_conf_t *rcf, ngx_rtc_listener_t *listener,
    ngx_socket_t fd, ngx_log_t *log)
{
    int                i, n;
    int64_t            now_us, wall_us, queued_us;
    ngx_err_t          err;
    struct iovec       iov[NGX_RTC_BATCH];
    ngx_sockaddr_t     sa[NGX_RTC_BATCH];
    ngx_rtc_path_t     path;
    struct mmsghdr     msg[NGX_RTC_BATCH];
    ngx_rtc_worker_t  *w;
    ngx_rtc_control_t  control[NGX_RTC_BATCH];

    w = rcf->worker;

    ngx_memzero(msg, sizeof(msg));

    for (i = 0; i < NGX_RTC_BATCH; i++) {
        iov[i].iov_base = w->buffers[i];
        iov[i].iov_len = NGX_RTC_DATAGRAM_MAX;

        msg[i].msg_hdr.msg_name = &sa[i];
        msg[i].msg_hdr.msg_namelen = sizeof(ngx_sockaddr_t);
        msg[i].msg_hdr.msg_iov = &iov[i];
        msg[i].msg_hdr.msg_iovlen = 1;

        msg[i].msg_hdr.msg_control = &control[i];
        msg[i].msg_hdr.msg_controllen = sizeof(ngx_rtc_control_t);
    }

    n = recvmmsg(fd, msg, NGX_RTC_BATCH, MSG_DONTWAIT, NULL);

    if (n == -1) {
        err = ngx_socket_errno;

        if (err != NGX_EAGAIN && err != NGX_EINTR) {
            ngx_log_error(NGX_LOG_ALERT, log, err, "recvmmsg() failed");
        }

        return NGX_DECLINED;
    }

    w->datagrams += n;

    now_us = ngx_callrec_now_us();
    wall_us = ngx_rtc_udp_wall_us();

    for (i = 0; i < n; i++) {

        if (msg[i].msg_hdr.msg_flags & MSG_TRUNC) {
            continue;
        }

        path.listener = listener;
        path.tcp = NULL;
        path.local = listener->addr;
        path.forwarded = 0;

        ngx_rtc_addr_from(&path.remote, &sa[i].sockaddr);

        queued_us = wall_us
                    - ngx_rtc_udp_control(&msg[i].msg_hdr, &path.local);

        if (queued_us < 0 || queued_us > NGX_RTC_QUEUED_MAX_US) {
            queued_us = 0;
        }

        ngx_rtc_route_datagram(rcf, &path, (u_char *) w->buffers[i],
                               msg[i].msg_len, now_us - queued_us);
    }

    return n == NGX_RTC_BATCH ? NGX_AGAIN : NGX_OK;
}


/* When the datagram came, by the wall clock; and to which address. */

static int64_t
ngx_rtc_udp_control(struct msghdr *msg, cr_addr_t *addr)
{
    int64_t              us;
    struct cmsghdr      *cmsg;
    struct timespec      ts;
    struct in_pktinfo    info;
#if (NGX_HAVE_INET6)
    struct in6_pktinfo   info6;
#endif

    us = 0;

    for (cmsg = CMSG_FIRSTHDR(msg);
         cmsg != NULL;
         cmsg = CMSG_NXTHDR(msg, cmsg))
    {
        if (cmsg->cmsg_level == SOL_SOCKET
            && cmsg->cmsg_type == SCM_TIMESTAMPNS)
        {
            ngx_memcpy(&ts, CMSG_DATA(cmsg), sizeof(struct timespec));
            us = (int64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
        }

        if (cmsg->cmsg_level == IPPROTO_IP && cmsg->cmsg_type == IP_PKTINFO) {
            ngx_memcpy(&info, CMSG_DATA(cmsg), sizeof(struct in_pktinfo));
            ngx_memcpy(addr->ip, &info.ipi_addr, 4);
        }

#if (NGX_HAVE_INET6)
        if (cmsg->cmsg_level == IPPROTO_IPV6
            && cmsg->cmsg_type == IPV6_PKTINFO)
        {
            ngx_memcpy(&info6, CMSG_DATA(cmsg), sizeof(struct in6_pktinfo));
            ngx_memcpy(addr->ip, &info6.ipi6_addr, 16);
        }
#endif
    }

    return us;
}


static int64_t
ngx_rtc_udp_wall_us(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_REALTIME, &ts);

    return (int64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}


/* Whether a worker of the newest generation reads this socket. */

static ngx_uint_t
ngx_rtc_udp_handed_on(ngx_rtc_conf_t *rcf, ngx_socket_t fd)
{
    uint64_t       cookie;
    ngx_uint_t     i, found;
    ngx_rtc_sh_t  *sh;

    sh = rcf->sh;
    cookie = ngx_rtc_udp_cookie(fd);
    found = 0;

    ngx_shmtx_lock(&rcf->shpool->mutex);

    for (i = 0; i < sh->nsockets; i++) {
        found |= sh->sockets[i] == cookie;
    }

    ngx_shmtx_unlock(&rcf->shpool->mutex);

    return found;
}


/* A number that no other socket has, as long as the kernel runs. */

static uint64_t
ngx_rtc_udp_cookie(ngx_socket_t fd)
{
    uint64_t   cookie;
    socklen_t  len;

    cookie = 0;
    len = sizeof(uint64_t);

    if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) == -1) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, ngx_socket_errno,
                      "getsockopt(SO_COOKIE) failed");
    }

    return cookie;
}
