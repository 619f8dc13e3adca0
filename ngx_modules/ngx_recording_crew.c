
/*
 * Copyright (C) The call recorder authors
 */


#include "ngx_recording_crew.h"


#define NGX_RECORDING_CREW_MAX    32     /* threads at work */
#define NGX_RECORDING_CREW_CHECK  50     /* ms; also holds the worker */
#define NGX_RECORDING_CREW_LATER  200    /* ms; as well */


typedef struct {
    ngx_thread_task_t          task;
    ngx_recording_crew_t      *crew;
    unsigned                   posted:1;
} ngx_recording_hand_t;


struct ngx_recording_crew_s {
    ngx_thread_pool_t         *pool;
    ngx_event_t                start;     /* posted */
    ngx_event_t                later;
    ngx_event_t                check;
    ngx_uint_t                 nhands;    /* posted */
    ngx_recording_hand_t       hands[NGX_RECORDING_CREW_MAX];

    ngx_thread_mutex_t         mutex;     /* of: */
    ngx_queue_t                ready;     /* oldest first */
    ngx_queue_t                finished;
    ngx_uint_t                 running;   /* pieces */
};


static void ngx_recording_crew_start(ngx_event_t *ev);
static void ngx_recording_crew_check(ngx_event_t *ev);
static void ngx_recording_crew_hands(ngx_recording_crew_t *crew,
    ngx_uint_t n);
static void ngx_recording_crew_thread(void *data, ngx_log_t *log);
static void ngx_recording_crew_work(ngx_recording_crew_t *crew);
static void ngx_recording_crew_over(ngx_event_t *ev);
static void ngx_recording_crew_done(ngx_recording_crew_t *crew);
static void ngx_recording_crew_lock(ngx_recording_crew_t *crew);
static void ngx_recording_crew_unlock(ngx_recording_crew_t *crew);


/* Of this process: all its work is for one pool. */
static ngx_recording_crew_t  *ngx_recording_the_crew;


ngx_recording_crew_t *
ngx_recording_crew(ngx_thread_pool_t *pool)
{
    ngx_uint_t             i;
    ngx_recording_hand_t  *hand;
    ngx_recording_crew_t  *crew;

    crew = ngx_recording_the_crew;

    if (crew != NULL) {
        return crew;
    }

    crew = ngx_pcalloc(ngx_cycle->pool, sizeof(ngx_recording_crew_t));
    if (crew == NULL) {
        return NULL;
    }

    if (ngx_thread_mutex_create(&crew->mutex, ngx_cycle->log) != NGX_OK) {
        return NULL;
    }

    crew->pool = pool;

    ngx_queue_init(&crew->ready);
    ngx_queue_init(&crew->finished);

    crew->start.handler = ngx_recording_crew_start;
    crew->start.data = crew;
    crew->start.log = ngx_cycle->log;

    crew->later.handler = ngx_recording_crew_start;
    crew->later.data = crew;
    crew->later.log = ngx_cycle->log;

    crew->check.handler = ngx_recording_crew_check;
    crew->check.data = crew;
    crew->check.log = ngx_cycle->log;

    for (i = 0; i < NGX_RECORDING_CREW_MAX; i++) {
        hand = &crew->hands[i];

        hand->crew = crew;
        hand->task.ctx = crew;
        hand->task.handler = ngx_recording_crew_thread;
        hand->task.event.handler = ngx_recording_crew_over;
        hand->task.event.data = hand;
        hand->task.event.log = ngx_cycle->log;
    }

    ngx_recording_the_crew = crew;

    return crew;
}


void
ngx_recording_crew_post(ngx_recording_crew_t *crew,
    ngx_recording_work_t *work, ngx_uint_t later)
{
    work->busy = 1;
    work->posted = ngx_current_msec;

    if (later) {
        work->posted += NGX_RECORDING_CREW_LATER;
    }

    ngx_recording_crew_lock(crew);
    ngx_queue_insert_tail(&crew->ready, &work->queue);
    ngx_recording_crew_unlock(crew);

    if (!later) {
        ngx_recording_crew_hurry(crew);

    } else if (!crew->later.timer_set) {
        ngx_add_timer(&crew->later, NGX_RECORDING_CREW_LATER);
    }
}


void
ngx_recording_crew_hurry(ngx_recording_crew_t *crew)
{
    if (!crew->start.posted) {
        ngx_post_event(&crew->start, &ngx_posted_events);
    }
}


static void
ngx_recording_crew_start(ngx_event_t *ev)
{
    ngx_recording_crew_t  *crew;

    crew = ev->data;

    if (crew->later.timer_set) {
        ngx_del_timer(&crew->later);
    }

    if (crew->nhands == 0) {
        ngx_recording_crew_hands(crew, 1);
    }

    if (!crew->check.timer_set) {
        ngx_add_timer(&crew->check, NGX_RECORDING_CREW_CHECK);
    }
}


/* While there is work: a thread may hang, with others' work behind it. */

static void
ngx_recording_crew_check(ngx_event_t *ev)
{
    ngx_uint_t             more, waiting;
    ngx_recording_work_t  *work;
    ngx_recording_crew_t  *crew;

    crew = ev->data;

    ngx_recording_crew_done(crew);

    ngx_recording_crew_lock(crew);

    more = 0;
    waiting = !ngx_queue_empty(&crew->ready);

    if (waiting) {
        work = ngx_queue_data(ngx_queue_head(&crew->ready),
                              ngx_recording_work_t, queue);

        more = ((ngx_msec_int_t) (ngx_current_msec - work->posted)
                >= NGX_RECORDING_CREW_CHECK);
    }

    ngx_recording_crew_unlock(crew);

    if (more) {
        ngx_recording_crew_hands(crew, ngx_max(crew->nhands, 1));
    }

    if ((waiting || crew->nhands != 0) && !ev->timer_set) {
        ngx_add_timer(ev, NGX_RECORDING_CREW_CHECK);
    }
}


/* n more, if there are any. */

static void
ngx_recording_crew_hands(ngx_recording_crew_t *crew, ngx_uint_t n)
{
    ngx_uint_t             i;
    ngx_recording_hand_t  *hand;

    for (i = 0; i < NGX_RECORDING_CREW_MAX && n != 0; i++) {
        hand = &crew->hands[i];

        if (hand->posted) {
            continue;
        }

        /* the pool's queue is full: the check tries again */

        if (ngx_thread_task_post(crew->pool, &hand->task) != NGX_OK) {
            return;
        }

        hand->posted = 1;
        crew->nhands++;
        n--;
    }
}


static void
ngx_recording_crew_thread(void *data, ngx_log_t *log)
{
    ngx_recording_crew_work(data);
}


static void
ngx_recording_crew_work(ngx_recording_crew_t *crew)
{
    ngx_queue_t           *q;
    ngx_recording_work_t  *work;

    ngx_recording_crew_lock(crew);

    while (!ngx_queue_empty(&crew->ready)) {
        q = ngx_queue_head(&crew->ready);
        ngx_queue_remove(q);
        crew->running++;

        ngx_recording_crew_unlock(crew);

        work = ngx_queue_data(q, ngx_recording_work_t, queue);
        work->run(work);

        ngx_recording_crew_lock(crew);

        ngx_queue_insert_tail(&crew->finished, q);
        crew->running--;
    }

    ngx_recording_crew_unlock(crew);
}


static void
ngx_recording_crew_over(ngx_event_t *ev)
{
    ngx_uint_t             more;
    ngx_recording_hand_t  *hand;
    ngx_recording_crew_t  *crew;

    hand = ev->data;
    crew = hand->crew;

    hand->posted = 0;
    crew->nhands--;

    ngx_recording_crew_done(crew);

    /* what came when the thread had just looked for the last time */

    ngx_recording_crew_lock(crew);
    more = !ngx_queue_empty(&crew->ready);
    ngx_recording_crew_unlock(crew);

    if (crew->nhands != 0) {
        return;
    }

    if (more && !crew->later.timer_set) {
        ngx_recording_crew_hands(crew, 1);

    } else if (crew->check.timer_set) {
        ngx_del_timer(&crew->check);
    }
}


static void
ngx_recording_crew_done(ngx_recording_crew_t *crew)
{
    ngx_queue_t            finished, *q;
    ngx_recording_work_t  *work;

    ngx_queue_init(&finished);

    ngx_recording_crew_lock(crew);

    if (!ngx_queue_empty(&crew->finished)) {
        ngx_queue_add(&finished, &crew->finished);
        ngx_queue_init(&crew->finished);
    }

    ngx_recording_crew_unlock(crew);

    while (!ngx_queue_empty(&finished)) {
        q = ngx_queue_head(&finished);
        ngx_queue_remove(q);

        work = ngx_queue_data(q, ngx_recording_work_t, queue);
        work->busy = 0;
        work->done(work);
    }
}


void
ngx_recording_crew_finish(ngx_recording_crew_t *crew, ngx_msec_t msec)
{
    ngx_queue_t           *q;
    ngx_recording_work_t  *work;

    ngx_recording_crew_work(crew);

    ngx_recording_crew_lock(crew);

    while (crew->running != 0 && msec-- != 0) {
        ngx_recording_crew_unlock(crew);
        ngx_msleep(1);
        ngx_recording_crew_lock(crew);
    }

    for (q = ngx_queue_head(&crew->finished);
         q != ngx_queue_sentinel(&crew->finished);
         q = ngx_queue_next(q))
    {
        work = ngx_queue_data(q, ngx_recording_work_t, queue);
        work->busy = 0;
    }

    ngx_recording_crew_unlock(crew);
}


static void
ngx_recording_crew_lock(ngx_recording_crew_t *crew)
{
    (void) ngx_thread_mutex_lock(&crew->mutex, ngx_cycle->log);
}


static void
ngx_recording_crew_unlock(ngx_recording_crew_t *crew)
{
    (void) ngx_thread_mutex_unlock(&crew->mutex, ngx_cycle->log);
}
