
/*
 * Copyright (C) The call recorder authors
 *
 * The sockets of messages between workers: unix datagrams to abstract
 * addresses.
 *
 *     name     \0 "callrec." <nonce of the shared memory> "." <pid> "." <lane>
 *     message  <version> <type> <zero> <zero> <data>
 */


#include "ngx_callrec_module.h"

#include <sys/un.h>


#define NGX_CALLREC_MSG_VERSION    1
#define NGX_CALLREC_MSG_PER_EVENT  64
#define NGX_CALLREC_MSG_SNDBUF     (4 * 1024 * 1024)


/* The descriptor of a message, beside who sent it. */
typedef union {
    struct cmsghdr      align;
    u_char              out[CMSG_SPACE(sizeof(int))];
    u_char              in[CMSG_SPACE(sizeof(int))
                           + CMSG_SPACE(sizeof(struct ucred))];
} ngx_callrec_control_t;


static socklen_t ngx_callrec_lane_addr(ngx_callrec_conf_t *ccf,
    ngx_pid_t pid, ngx_uint_t lane, struct sockaddr_un *sun);
static void ngx_callrec_lane_read(ngx_event_t *rev);
static ngx_int_t ngx_callrec_lane_recv(ngx_callrec_conf_t *ccf,
    ngx_connection_t *c);
static void ngx_callrec_lane_control(struct msghdr *msg, struct ucred *cred,
    ngx_socket_t *fd);
static void ngx_callrec_lane_message(ngx_callrec_conf_t *ccf, ngx_pid_t from,
    ngx_socket_t *fd, size_t n);


ngx_int_t
ngx_callrec_lane_open(ngx_callrec_conf_t *ccf, ngx_cycle_t *cycle,
    ngx_uint_t lane)
{
    int                  on, size;
    socklen_t            socklen;
    ngx_socket_t         s;
    ngx_connection_t    *c;
    struct sockaddr_un   sun;

    s = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (s == (ngx_socket_t) -1) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_socket_errno,
                      "socket(AF_UNIX) failed");
        return NGX_ERROR;
    }

    on = 1;

    if (setsockopt(s, SOL_SOCKET, SO_PASSCRED, &on, sizeof(int)) == -1) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_socket_errno,
                      "setsockopt(SO_PASSCRED) failed");
        goto failed;
    }

    size = NGX_CALLREC_MSG_SNDBUF;

    if (setsockopt(s, SOL_SOCKET, SO_SNDBUF, &size, sizeof(int)) == -1) {
        ngx_log_error(NGX_LOG_ALERT, cycle->log, ngx_socket_errno,
                      "setsockopt(SO_SNDBUF) failed, ignored");
    }

    socklen = ngx_callrec_lane_addr(ccf, ngx_pid, lane, &sun);

    if (bind(s, (struct sockaddr *) &sun, socklen) == -1) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_socket_errno,
                      "bind() of the message socket failed");
        goto failed;
    }

    c = ngx_get_connection(s, cycle->log);
    if (c == NULL) {
        goto failed;
    }

    /*
     * Being "idle" is the one way to hear of a graceful exit: the read
     * handler is then called with c->close set.
     */

    c->idle = (lane == NGX_CALLREC_LANE_CONTROL);
    c->data = ccf;
    c->type = SOCK_DGRAM;
    c->log_error = NGX_ERROR_ALERT;

    c->read->handler = ngx_callrec_lane_read;
    c->read->log = cycle->log;
    c->write->log = cycle->log;

    ccf->lanes[lane] = c;

    return ngx_add_event(c->read, NGX_READ_EVENT, 0);

failed:

    (void) ngx_close_socket(s);

    return NGX_ERROR;
}


static socklen_t
ngx_callrec_lane_addr(ngx_callrec_conf_t *ccf, ngx_pid_t pid,
    ngx_uint_t lane, struct sockaddr_un *sun)
{
    u_char  *p;

    ngx_memzero(sun, sizeof(struct sockaddr_un));

    sun->sun_family = AF_UNIX;

    /* the first byte stays zero: not a file */

    p = ngx_slprintf((u_char *) &sun->sun_path[1],
                     (u_char *) sun->sun_path + sizeof(sun->sun_path),
                     "callrec.%016xL.%P.%ui", ccf->sh->nonce, pid, lane);

    return (socklen_t) (p - (u_char *) sun);
}


static void
ngx_callrec_lane_read(ngx_event_t *rev)
{
    ngx_uint_t           i, forced;
    ngx_connection_t    *c;
    ngx_callrec_conf_t  *ccf;

    c = rev->data;
    ccf = c->data;

    if (c->close) {
        forced = c->error;

        c->close = 0;
        c->error = 0;

        if (c == ccf->lanes[NGX_CALLREC_LANE_CONTROL]) {
            ngx_callrec_exiting(ccf, forced);
        }

        return;
    }

    for (i = 0; i < NGX_CALLREC_MSG_PER_EVENT; i++) {
        if (ngx_callrec_lane_recv(ccf, c) != NGX_OK) {
            return;
        }
    }
}


static ngx_int_t
ngx_callrec_lane_recv(ngx_callrec_conf_t *ccf, ngx_connection_t *c)
{
    u_char                 *p;
    ssize_t                 n;
    ngx_err_t               err;
    ngx_socket_t            fd;
    struct iovec            iov;
    struct ucred            cred;
    struct msghdr           msg;
    ngx_callrec_control_t   control;

    ngx_memzero(&msg, sizeof(struct msghdr));

    iov.iov_base = ccf->buffer;
    iov.iov_len = NGX_CALLREC_LANE_BUFFER;

    msg.msg_iov = &iov;
    msg.msg_iovlen = 1;
    msg.msg_control = &control;
    msg.msg_controllen = sizeof(control.in);

    n = recvmsg(c->fd, &msg, MSG_CMSG_CLOEXEC);

    if (n == -1) {
        err = ngx_socket_errno;

        if (err != NGX_EAGAIN && err != NGX_EINTR) {
            ngx_log_error(NGX_LOG_ALERT, c->log, err,
                          "recvmsg() of a message failed");
        }

        return NGX_DECLINED;
    }

    ngx_callrec_lane_control(&msg, &cred, &fd);

    p = ccf->buffer;

    if (cred.uid != geteuid()
        || (msg.msg_flags & (MSG_TRUNC|MSG_CTRUNC))
        || n < NGX_CALLREC_MSG_HEADER
        || p[0] != NGX_CALLREC_MSG_VERSION
        || p[1] >= NGX_CALLREC_MSG_TYPES)
    {
        ngx_log_error(NGX_LOG_WARN, c->log, 0,
                      "message of process %P (user %d) refused",
                      (ngx_pid_t) cred.pid, (int) cred.uid);

    } else {
        ngx_callrec_lane_message(ccf, cred.pid, &fd, (size_t) n);
    }

    if (fd != (ngx_socket_t) -1) {
        (void) ngx_close_socket(fd);
    }

    return NGX_OK;
}


/* More descriptors than one do not fit, and are closed by the kernel. */

static void
ngx_callrec_lane_control(struct msghdr *msg, struct ucred *cred,
    ngx_socket_t *fd)
{
    struct cmsghdr  *cmsg;

    cred->uid = (uid_t) -1;
    cred->pid = -1;
    *fd = (ngx_socket_t) -1;

    for (cmsg = CMSG_FIRSTHDR(msg);
         cmsg != NULL;
         cmsg = CMSG_NXTHDR(msg, cmsg))
    {
        if (cmsg->cmsg_level != SOL_SOCKET) {
            continue;
        }

        if (cmsg->cmsg_type == SCM_CREDENTIALS
            && cmsg->cmsg_len == CMSG_LEN(sizeof(struct ucred)))
        {
            ngx_memcpy(cred, CMSG_DATA(cmsg), sizeof(struct ucred));
        }

        if (cmsg->cmsg_type == SCM_RIGHTS
            && cmsg->cmsg_len == CMSG_LEN(sizeof(int)))
        {
            ngx_memcpy(fd, CMSG_DATA(cmsg), sizeof(int));
        }
    }
}


/* Takes *fd, if it is of use. */

static void
ngx_callrec_lane_message(ngx_callrec_conf_t *ccf, ngx_pid_t from,
    ngx_socket_t *fd, size_t n)
{
    u_char        *p;
    ngx_socket_t   s;

    p = ccf->buffer;

    if (p[1] == NGX_CALLREC_MSG_CONNECTION) {

        if (ccf->fd_handler != NULL && *fd != (ngx_socket_t) -1) {
            s = *fd;
            *fd = (ngx_socket_t) -1;

            ccf->fd_handler(from, s, p + NGX_CALLREC_MSG_HEADER,
                            n - NGX_CALLREC_MSG_HEADER);
        }

        return;
    }

    if (ccf->handlers[p[1]] != NULL) {
        ccf->handlers[p[1]](from, p + NGX_CALLREC_MSG_HEADER,
                            n - NGX_CALLREC_MSG_HEADER);
    }
}


ngx_int_t
ngx_callrec_lane_send(ngx_callrec_conf_t *ccf, ngx_pid_t to,
    ngx_callrec_msg_e type, ngx_socket_t fd, const void *data, size_t len,
    ngx_log_t *log)
{
    u_char                  header[NGX_CALLREC_MSG_HEADER];
    ngx_err_t               err;
    ngx_uint_t              lane;
    struct iovec            iov[2];
    struct msghdr           msg;
    struct cmsghdr         *cmsg;
    struct sockaddr_un      sun;
    ngx_callrec_control_t   control;

    lane = ngx_callrec_lane_of(type);

    if (ccf->lanes[lane] == NULL) {
        return NGX_ERROR;
    }

    header[0] = NGX_CALLREC_MSG_VERSION;
    header[1] = (u_char) type;
    header[2] = 0;
    header[3] = 0;

    iov[0].iov_base = header;
    iov[0].iov_len = NGX_CALLREC_MSG_HEADER;
    iov[1].iov_base = (void *) data;
    iov[1].iov_len = len;

    ngx_memzero(&msg, sizeof(struct msghdr));

    msg.msg_name = &sun;
    msg.msg_namelen = ngx_callrec_lane_addr(ccf, to, lane, &sun);
    msg.msg_iov = iov;
    msg.msg_iovlen = 2;

    if (fd != (ngx_socket_t) -1) {
        ngx_memzero(&control, sizeof(ngx_callrec_control_t));

        msg.msg_control = &control;
        msg.msg_controllen = sizeof(control.out);

        cmsg = CMSG_FIRSTHDR(&msg);
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(sizeof(int));
        ngx_memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
    }

    if (sendmsg(ccf->lanes[lane]->fd, &msg, MSG_NOSIGNAL) != -1) {
        return NGX_OK;
    }

    err = ngx_socket_errno;

    if (err == NGX_EAGAIN || err == NGX_EINTR || err == ENOBUFS) {
        return NGX_AGAIN;
    }

    if (err == NGX_ECONNREFUSED) {
        return NGX_DECLINED;
    }

    ngx_log_error(NGX_LOG_ERR, log, err,
                  "sending message %ui to process %P failed",
                  (ngx_uint_t) type, to);

    return NGX_ERROR;
}


ngx_uint_t
ngx_callrec_lane_of(ngx_callrec_msg_e type)
{
    return (type == NGX_CALLREC_MSG_PACKET) ? NGX_CALLREC_LANE_PACKETS
                                            : NGX_CALLREC_LANE_CONTROL;
}
