
/*
 * Copyright (C) The call recorder authors
 *
 * When a worker wakes up for its sessions.
 *
 * Sessions wait on a wheel of slots of NGX_RTC_TICK_US each, so those that are
 * due at about the same time cost one wake-up.  Few datagrams wake the worker
 * when they come; one that would be woken too often does not wait for them,
 * but reads the sockets now and then: a recorder is in no hurry, and the
 * kernel has noted when each datagram came.  What is read at once is cheaper,
 * as long as the sockets have plenty of room for what comes meanwhile.
 *
 * The wheel is driven by a timerfd: nginx's timers know no less than 4 ms
 * where the kernel's tick has 250 Hz, and wake up in vain meanwhile.
 */


#include "ngx_rtc_module.h"

#include <sys/timerfd.h>


#define NGX_RTC_TICK_POLL_MIN  5000      /* us */
#define NGX_RTC_TICK_POLL_MAX  40000     /* a NACK may be late by so much */
#define NGX_RTC_TICK_ROOM      4         /* a part of the socket's buffer */
#define NGX_RTC_TICK_PACKET    2304      /* what the kernel counts for one */
#define NGX_RTC_TICK_LOOK_US   100000    /* after so long it is decided */
#define NGX_RTC_TICK_HOLD      3600000   /* ms, any length will do */


static void ngx_rtc_tick_handler(ngx_event_t *ev);
static void ngx_rtc_tick_run(ngx_rtc_worker_t *w, int64_t now_us);
static void ngx_rtc_tick_polling(ngx_rtc_worker_t *w, ngx_uint_t on);
static int64_t ngx_rtc_tick_interval(ngx_rtc_worker_t *w, int64_t us);
static void ngx_rtc_tick_every(ngx_rtc_worker_t *w, int64_t us);
static void ngx_rtc_tick_next(ngx_rtc_worker_t *w);
static void ngx_rtc_tick_arm(ngx_rtc_worker_t *w, int64_t tick);
static void ngx_rtc_tick_hold(ngx_event_t *ev);


ngx_int_t
ngx_rtc_tick_init(ngx_rtc_worker_t *w, ngx_cycle_t *cycle)
{
    ngx_fd_t           fd;
    ngx_uint_t         i;
    ngx_connection_t  *c;

    for (i = 0; i < NGX_RTC_TICK_SLOTS; i++) {
        ngx_queue_init(&w->wheel[i]);
    }

    w->tick = ngx_callrec_now_us() / NGX_RTC_TICK_US;
    w->tick_armed = INT64_MAX;

    w->hold.handler = ngx_rtc_tick_hold;
    w->hold.data = w;    /* its "fd" is what a debugging log shows */
    w->hold.log = cycle->log;

    fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK|TFD_CLOEXEC);
    if (fd == -1) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                      "timerfd_create() failed");
        return NGX_ERROR;
    }

    c = ngx_get_connection(fd, cycle->log);
    if (c == NULL) {
        (void) close(fd);
        return NGX_ERROR;
    }

    c->data = w;
    c->read->handler = ngx_rtc_tick_handler;
    c->read->log = cycle->log;
    c->write->log = cycle->log;

    if (ngx_add_event(c->read, NGX_READ_EVENT, 0) != NGX_OK) {
        ngx_close_connection(c);
        return NGX_ERROR;
    }

    w->ticker = c;

    return NGX_OK;
}


void
ngx_rtc_tick_done(ngx_rtc_worker_t *w)
{
    if (w->ticker != NULL) {
        ngx_close_connection(w->ticker);
        w->ticker = NULL;
    }

    if (w->hold.timer_set) {
        ngx_del_timer(&w->hold);
    }
}


void
ngx_rtc_tick_add(ngx_rtc_worker_t *w, ngx_rtc_session_t *s,
    int64_t deadline_us)
{
    int64_t  tick;

    tick = deadline_us / NGX_RTC_TICK_US + 1;

    /* what is farther away than the wheel goes round comes here again */

    tick = ngx_max(tick, w->tick + 1);
    tick = ngx_min(tick, w->tick + NGX_RTC_TICK_SLOTS - 1);

    if (s->waiting) {
        ngx_queue_remove(&s->wait);
    }

    s->waiting = 1;
    ngx_queue_insert_tail(&w->wheel[tick % NGX_RTC_TICK_SLOTS], &s->wait);

    /* not cancelable: it is what keeps a worker that was asked to leave */

    if (!w->hold.timer_set) {
        ngx_add_timer(&w->hold, NGX_RTC_TICK_HOLD);
    }

    if (!w->polling && tick < w->tick_armed) {
        ngx_rtc_tick_arm(w, tick);
    }
}


void
ngx_rtc_tick_remove(ngx_rtc_worker_t *w, ngx_rtc_session_t *s)
{
    if (s->waiting) {
        ngx_queue_remove(&s->wait);
        s->waiting = 0;
    }

    if (w->nsessions == 0 && w->hold.timer_set) {
        ngx_del_timer(&w->hold);
    }
}


void
ngx_rtc_tick_woken(ngx_rtc_worker_t *w)
{
    int64_t  now_us;

    if (w->polling || w->nsessions == 0
        || ++w->woken <= NGX_RTC_TICK_LOOK_US / NGX_RTC_TICK_POLL_MAX)
    {
        return;
    }

    now_us = ngx_callrec_now_us();

    if (now_us - w->woken_us < NGX_RTC_TICK_LOOK_US) {
        ngx_rtc_tick_polling(w, 1);
    }

    w->woken = 0;
    w->woken_us = now_us;
}


static void
ngx_rtc_tick_handler(ngx_event_t *ev)
{
    int64_t            now_us;
    uint64_t           expirations;
    ngx_int_t          rc;
    ngx_connection_t  *c;
    ngx_rtc_worker_t  *w;

    c = ev->data;
    w = c->data;

    if (c->close) {
        c->close = 0;
        return;
    }

    /* a periodic one goes on by being read */

    if (read(c->fd, &expirations, sizeof(uint64_t)) == -1
        && ngx_errno != NGX_EAGAIN)
    {
        ngx_log_error(NGX_LOG_ALERT, ev->log, ngx_errno,
                      "read() of a timerfd failed");
    }

    if (!w->polling) {
        w->tick_armed = INT64_MAX;
        ngx_rtc_tick_run(w, ngx_callrec_now_us());
        ngx_rtc_tick_next(w);
        return;
    }

    rc = ngx_rtc_udp_poll(ngx_rtc_conf());

    if (rc == NGX_AGAIN) {

        /* others shall have their turn in between */

        ngx_post_event(ev, &ngx_posted_next_events);
    }

    now_us = ngx_callrec_now_us();

    w->polls++;
    w->polls_empty += (rc == NGX_DECLINED);

    ngx_rtc_tick_run(w, now_us);

    if (now_us - w->woken_us < NGX_RTC_TICK_LOOK_US) {
        return;
    }

    if (w->polls_empty * 2 > w->polls || w->nsessions == 0) {
        ngx_rtc_tick_polling(w, 0);

    } else {
        ngx_rtc_tick_every(w, ngx_rtc_tick_interval(w, now_us - w->woken_us));
    }

    w->datagrams = 0;
    w->polls = 0;
    w->polls_empty = 0;
    w->woken_us = now_us;
}


/* Of polling, with as many datagrams as there were in `us`. */

static int64_t
ngx_rtc_tick_interval(ngx_rtc_worker_t *w, int64_t us)
{
    int64_t  interval;

    interval = us * (int64_t) (w->room / NGX_RTC_TICK_ROOM
                               / NGX_RTC_TICK_PACKET)
               / (int64_t) ngx_max(w->datagrams, 1);

    interval = ngx_min(interval, NGX_RTC_TICK_POLL_MAX);
    interval -= interval % NGX_RTC_TICK_US;

    return ngx_max(interval, NGX_RTC_TICK_POLL_MIN);
}


/* Sessions may end themselves in here, and put themselves on the wheel. */

static void
ngx_rtc_tick_run(ngx_rtc_worker_t *w, int64_t now_us)
{
    int64_t             from, to;
    ngx_queue_t         due, *q, *slot;
    ngx_rtc_session_t  *s;

    from = w->tick + 1;
    to = now_us / NGX_RTC_TICK_US;

    if (to < from) {
        return;
    }

    w->tick = to;

    ngx_queue_init(&due);

    for (from = ngx_max(from, to - NGX_RTC_TICK_SLOTS + 1); from <= to;
         from++)
    {
        slot = &w->wheel[from % NGX_RTC_TICK_SLOTS];

        if (!ngx_queue_empty(slot)) {
            ngx_queue_add(&due, slot);
            ngx_queue_init(slot);
        }
    }

    while (!ngx_queue_empty(&due)) {
        q = ngx_queue_head(&due);
        s = ngx_queue_data(q, ngx_rtc_session_t, wait);

        ngx_queue_remove(q);
        s->waiting = 0;

        ngx_rtc_session_due(s, now_us);
    }
}


static void
ngx_rtc_tick_polling(ngx_rtc_worker_t *w, ngx_uint_t on)
{
    w->polling = on;

    ngx_rtc_udp_watch(w, !on);

    if (!on) {
        w->poll_us = 0;
        w->tick_armed = INT64_MAX;
        ngx_rtc_tick_next(w);
        return;
    }

    w->room = ngx_rtc_udp_room(w);
    w->datagrams = 0;
    ngx_rtc_tick_every(w, NGX_RTC_TICK_POLL_MIN);
}


static void
ngx_rtc_tick_every(ngx_rtc_worker_t *w, int64_t us)
{
    struct itimerspec  its;

    if (us == w->poll_us) {
        return;
    }

    w->poll_us = us;

    its.it_interval.tv_sec = 0;
    its.it_interval.tv_nsec = us * 1000;
    its.it_value = its.it_interval;

    if (timerfd_settime(w->ticker->fd, 0, &its, NULL) == -1) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, ngx_errno,
                      "timerfd_settime() failed");
    }
}


/* Waits for the first slot with a session. */

static void
ngx_rtc_tick_next(ngx_rtc_worker_t *w)
{
    int64_t  tick;

    for (tick = w->tick + 1; tick < w->tick + NGX_RTC_TICK_SLOTS; tick++) {
        if (!ngx_queue_empty(&w->wheel[tick % NGX_RTC_TICK_SLOTS])) {
            ngx_rtc_tick_arm(w, tick);
            return;
        }
    }

    ngx_rtc_tick_arm(w, INT64_MAX);
}


/* INT64_MAX: never. */

static void
ngx_rtc_tick_arm(ngx_rtc_worker_t *w, int64_t tick)
{
    int64_t            us;
    struct itimerspec  its;

    w->tick_armed = tick;

    us = (tick == INT64_MAX) ? 0 : tick * NGX_RTC_TICK_US;

    its.it_interval.tv_sec = 0;
    its.it_interval.tv_nsec = 0;
    its.it_value.tv_sec = us / 1000000;
    its.it_value.tv_nsec = us % 1000000 * 1000;

    if (timerfd_settime(w->ticker->fd, TFD_TIMER_ABSTIME, &its, NULL) == -1) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, ngx_errno,
                      "timerfd_settime() failed");
    }
}


static void
ngx_rtc_tick_hold(ngx_event_t *ev)
{
    ngx_add_timer(ev, NGX_RTC_TICK_HOLD);
}
