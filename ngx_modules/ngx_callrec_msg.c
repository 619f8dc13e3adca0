
/*
 * Copyright (C) The call recorder authors
 *
 * Messages between workers, and those that wait: a receiver's queue holds
 * net.unix.max_dgram_qlen datagrams only (10 by default), so packets are sent
 * in batches by their sender, and what finds the queue full waits here.
 */


#include "ngx_callrec_module.h"


#define NGX_CALLREC_RETRY_MSEC  2
#define NGX_CALLREC_BUSY_MAX    16


typedef struct {
    ngx_queue_t         queue;
    int64_t             expires_us;
    ngx_pid_t           to;
    ngx_callrec_msg_e   type;
    ngx_socket_t        fd;           /* -1: none */
    size_t              len;
    u_char              data[1];
} ngx_callrec_unsent_t;


/* What may wait for room in the receivers' queues. */
static const struct {
    int64_t     time_us;
    size_t      size;
    ngx_uint_t  level;              /* of the log, when one is lost */
} ngx_callrec_patience[NGX_CALLREC_LANES] = {
    { 2000000, 4 * 1024 * 1024, NGX_LOG_ERR },
    { 500000, 1024 * 1024, NGX_LOG_INFO }
};


static ngx_int_t ngx_callrec_msg_post(ngx_pid_t to, ngx_callrec_msg_e type,
    ngx_socket_t fd, const void *data, size_t len, ngx_log_t *log);
static ngx_int_t ngx_callrec_msg_keep(ngx_callrec_conf_t *ccf, ngx_pid_t to,
    ngx_callrec_msg_e type, ngx_socket_t fd, const void *data, size_t len,
    ngx_log_t *log);
static void ngx_callrec_msg_retry(ngx_event_t *ev);
static ngx_uint_t ngx_callrec_msg_retry_lane(ngx_callrec_conf_t *ccf,
    ngx_uint_t lane, ngx_log_t *log);
static ngx_int_t ngx_callrec_msg_try(ngx_callrec_conf_t *ccf,
    ngx_callrec_unsent_t *m, ngx_pid_t *busy, ngx_uint_t *nbusy,
    ngx_log_t *log);
static void ngx_callrec_msg_free(ngx_callrec_conf_t *ccf, ngx_uint_t lane,
    ngx_callrec_unsent_t *m);


ngx_int_t
ngx_callrec_msg_init(ngx_callrec_conf_t *ccf, ngx_cycle_t *cycle)
{
    ngx_uint_t  i;

    ccf->buffer = ngx_palloc(cycle->pool, NGX_CALLREC_LANE_BUFFER);
    if (ccf->buffer == NULL) {
        return NGX_ERROR;
    }

    ccf->retry.handler = ngx_callrec_msg_retry;
    ccf->retry.data = ccf;
    ccf->retry.log = cycle->log;

    for (i = 0; i < NGX_CALLREC_LANES; i++) {
        if (ngx_callrec_lane_open(ccf, cycle, i) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


void
ngx_callrec_msg_done(ngx_callrec_conf_t *ccf)
{
    ngx_uint_t    i;
    ngx_queue_t  *q;

    if (ccf->retry.timer_set) {
        ngx_del_timer(&ccf->retry);
    }

    for (i = 0; i < NGX_CALLREC_LANES; i++) {
        while (!ngx_queue_empty(&ccf->unsent[i])) {
            q = ngx_queue_head(&ccf->unsent[i]);
            ngx_callrec_msg_free(ccf, i, ngx_queue_data(q,
                                              ngx_callrec_unsent_t, queue));
        }

        if (ccf->lanes[i] != NULL) {
            ngx_close_connection(ccf->lanes[i]);
            ccf->lanes[i] = NULL;
        }
    }
}


void
ngx_callrec_msg_handler(ngx_callrec_msg_e type, ngx_callrec_msg_pt handler)
{
    ngx_callrec_conf()->handlers[type] = handler;
}


void
ngx_callrec_fd_handler(ngx_callrec_fd_pt handler)
{
    ngx_callrec_conf()->fd_handler = handler;
}


ngx_int_t
ngx_callrec_msg_send(ngx_pid_t to, ngx_callrec_msg_e type, const void *data,
    size_t len, ngx_log_t *log)
{
    return ngx_callrec_msg_post(to, type, (ngx_socket_t) -1, data, len, log);
}


ngx_int_t
ngx_callrec_fd_send(ngx_pid_t to, ngx_socket_t fd, const void *data,
    size_t len, ngx_log_t *log)
{
    ngx_int_t  rc;

    rc = (to == ngx_pid) ? NGX_DECLINED
                         : ngx_callrec_msg_post(to,
                               NGX_CALLREC_MSG_CONNECTION, fd, data, len,
                               log);

    (void) ngx_close_socket(fd);

    return rc;
}


static ngx_int_t
ngx_callrec_msg_post(ngx_pid_t to, ngx_callrec_msg_e type, ngx_socket_t fd,
    const void *data, size_t len, ngx_log_t *log)
{
    size_t               max;
    ngx_int_t            rc;
    ngx_callrec_conf_t  *ccf;

    ccf = ngx_callrec_conf();

    max = (type == NGX_CALLREC_MSG_PACKET) ? NGX_CALLREC_PACKET_MAX
                                           : NGX_CALLREC_MSG_MAX;

    if (len > max) {
        ngx_log_error(NGX_LOG_ALERT, log, 0,
                      "message %ui of %uz bytes is too long",
                      (ngx_uint_t) type, len);
        return NGX_ERROR;
    }

    if (to == ngx_pid) {
        if (ccf->handlers[type] == NULL) {
            return NGX_DECLINED;
        }

        ccf->handlers[type](ngx_pid, (u_char *) data, len);

        return NGX_OK;
    }

    /* never overtake what waits */

    rc = NGX_AGAIN;

    if (ngx_queue_empty(&ccf->unsent[ngx_callrec_lane_of(type)])) {
        rc = ngx_callrec_lane_send(ccf, to, type, fd, data, len, log);
    }

    if (rc == NGX_AGAIN) {
        return ngx_callrec_msg_keep(ccf, to, type, fd, data, len, log);
    }

    return rc;
}


void
ngx_callrec_msg_broadcast(ngx_callrec_msg_e type, const void *data,
    size_t len, ngx_log_t *log)
{
    ngx_uint_t             i, n;
    ngx_callrec_worker_t   workers[NGX_CALLREC_WORKERS_MAX];

    n = ngx_callrec_workers(ngx_callrec_conf(), workers);

    for (i = 0; i < n; i++) {
        (void) ngx_callrec_msg_send(workers[i].pid, type, data, len, log);
    }
}


static ngx_int_t
ngx_callrec_msg_keep(ngx_callrec_conf_t *ccf, ngx_pid_t to,
    ngx_callrec_msg_e type, ngx_socket_t fd, const void *data, size_t len,
    ngx_log_t *log)
{
    ngx_uint_t             lane;
    ngx_callrec_unsent_t  *m;

    lane = ngx_callrec_lane_of(type);

    if (ccf->unsent_size[lane] + sizeof(ngx_callrec_unsent_t) + len
        > ngx_callrec_patience[lane].size)
    {
        ngx_log_error(ngx_callrec_patience[lane].level, log, 0,
                      "too many messages wait, one to process %P is lost",
                      to);
        return NGX_AGAIN;
    }

    m = ngx_alloc(sizeof(ngx_callrec_unsent_t) + len, log);
    if (m == NULL) {
        return NGX_ERROR;
    }

    m->expires_us = ngx_callrec_now_us() + ngx_callrec_patience[lane].time_us;
    m->to = to;
    m->type = type;
    m->len = len;
    m->fd = (ngx_socket_t) -1;

    if (fd != (ngx_socket_t) -1) {
        m->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);

        if (m->fd == (ngx_socket_t) -1) {
            ngx_log_error(NGX_LOG_ERR, log, ngx_errno,
                          "fcntl(F_DUPFD_CLOEXEC) failed");
            ngx_free(m);
            return NGX_ERROR;
        }
    }

    if (len != 0) {
        ngx_memcpy(m->data, data, len);
    }

    ngx_queue_insert_tail(&ccf->unsent[lane], &m->queue);
    ccf->unsent_size[lane] += sizeof(ngx_callrec_unsent_t) + len;

    if (!ccf->retry.timer_set) {
        ngx_add_timer(&ccf->retry, NGX_CALLREC_RETRY_MSEC);
    }

    return NGX_OK;
}


static void
ngx_callrec_msg_retry(ngx_event_t *ev)
{
    ngx_uint_t           i, waiting;
    ngx_callrec_conf_t  *ccf;

    ccf = ev->data;
    waiting = 0;

    for (i = 0; i < NGX_CALLREC_LANES; i++) {
        waiting |= ngx_callrec_msg_retry_lane(ccf, i, ev->log);
    }

    if (waiting) {
        ngx_add_timer(ev, NGX_CALLREC_RETRY_MSEC);
    }
}


/* Whether something still waits.  One slow worker does not hold up others. */

static ngx_uint_t
ngx_callrec_msg_retry_lane(ngx_callrec_conf_t *ccf, ngx_uint_t lane,
    ngx_log_t *log)
{
    ngx_pid_t              busy[NGX_CALLREC_BUSY_MAX];
    ngx_uint_t             nbusy;
    ngx_queue_t           *q, *next;
    ngx_callrec_unsent_t  *m;

    nbusy = 0;

    for (q = ngx_queue_head(&ccf->unsent[lane]);
         q != ngx_queue_sentinel(&ccf->unsent[lane]);
         q = next)
    {
        next = ngx_queue_next(q);
        m = ngx_queue_data(q, ngx_callrec_unsent_t, queue);

        if (ngx_callrec_msg_try(ccf, m, busy, &nbusy, log) != NGX_AGAIN) {
            ngx_callrec_msg_free(ccf, lane, m);
        }
    }

    return !ngx_queue_empty(&ccf->unsent[lane]);
}


static ngx_int_t
ngx_callrec_msg_try(ngx_callrec_conf_t *ccf, ngx_callrec_unsent_t *m,
    ngx_pid_t *busy, ngx_uint_t *nbusy, ngx_log_t *log)
{
    ngx_int_t   rc;
    ngx_uint_t  i;

    rc = (*nbusy == NGX_CALLREC_BUSY_MAX) ? NGX_AGAIN : NGX_OK;

    for (i = 0; i < *nbusy; i++) {
        if (busy[i] == m->to) {
            rc = NGX_AGAIN;
        }
    }

    if (rc == NGX_OK) {
        rc = ngx_callrec_lane_send(ccf, m->to, m->type, m->fd, m->data,
                                     m->len, log);

        if (rc == NGX_AGAIN) {
            busy[(*nbusy)++] = m->to;
        }
    }

    if (rc != NGX_AGAIN || m->expires_us > ngx_callrec_now_us()) {
        return rc;
    }

    ngx_log_error(ngx_callrec_patience[ngx_callrec_lane_of(m->type)].level,
                  log, 0, "process %P takes no messages, one is lost", m->to);

    return NGX_DECLINED;
}


static void
ngx_callrec_msg_free(ngx_callrec_conf_t *ccf, ngx_uint_t lane,
    ngx_callrec_unsent_t *m)
{
    ccf->unsent_size[lane] -= sizeof(ngx_callrec_unsent_t) + m->len;

    ngx_queue_remove(&m->queue);

    if (m->fd != (ngx_socket_t) -1) {
        (void) ngx_close_socket(m->fd);
    }

    ngx_free(m);
}
