
/*
 * Copyright (C) The call recorder authors
 *
 * GET requests that wait for a recording to change: in a queue of the worker
 * that has them; the table counts them, so that changes nobody waits for
 * are not told.
 */


#include "ngx_http_recording_api.h"


#define NGX_HTTP_RECORDING_WAITERS  1024    /* in one worker */


typedef struct {
    ngx_queue_t          queue;
    ngx_event_t          timer;
    ngx_http_request_t  *request;
    int64_t              rev;
    char                 recording_id[CR_ID_MAX + 1];
} ngx_http_recording_waiter_t;


static void ngx_http_recording_wait_timeout(ngx_event_t *ev);
static void ngx_http_recording_wait_answer(
    ngx_http_recording_waiter_t *waiter);
static void ngx_http_recording_wait_cleanup(void *data);
static void ngx_http_recording_wait_exit(ngx_callrec_exit_e how);


static ngx_queue_t  ngx_http_recording_waiters;
static ngx_uint_t   ngx_http_recording_nwaiters;


void
ngx_http_recording_wait_init(void)
{
    ngx_queue_init(&ngx_http_recording_waiters);
    ngx_http_recording_nwaiters = 0;

    (void) ngx_callrec_exit_handler(ngx_http_recording_wait_exit);
}


ngx_int_t
ngx_http_recording_wait(ngx_http_request_t *r, const char *recording_id,
    int64_t rev, ngx_msec_t msec)
{
    ngx_uint_t                    wait;
    ngx_http_cleanup_t           *cln;
    ngx_recording_node_t         *node;
    ngx_recording_zone_t         *zone;
    ngx_http_recording_waiter_t  *waiter;

    if (ngx_http_recording_nwaiters == NGX_HTTP_RECORDING_WAITERS
        || ngx_exiting)
    {
        return NGX_DECLINED;
    }

    waiter = ngx_pcalloc(r->pool, sizeof(ngx_http_recording_waiter_t));
    cln = ngx_http_cleanup_add(r, 0);

    if (waiter == NULL || cln == NULL) {
        return NGX_DECLINED;
    }

    zone = ngx_recording_zone();

    ngx_recording_lock(zone);

    node = ngx_recording_find_locked(zone, recording_id);
    wait = (node != NULL && node->rec.rev <= rev);

    if (wait) {
        node->waiters++;
    }

    ngx_recording_unlock(zone);

    if (!wait) {
        return NGX_DECLINED;
    }

    waiter->request = r;
    waiter->rev = rev;
    (void) ngx_cpystrn((u_char *) waiter->recording_id,
                       (u_char *) recording_id, CR_ID_MAX + 1);

    ngx_queue_insert_tail(&ngx_http_recording_waiters, &waiter->queue);
    ngx_http_recording_nwaiters++;

    cln->handler = ngx_http_recording_wait_cleanup;
    cln->data = waiter;

    waiter->timer.handler = ngx_http_recording_wait_timeout;
    waiter->timer.data = waiter;
    waiter->timer.log = r->connection->log;

    ngx_add_timer(&waiter->timer, msec);

    /* clients that go away are noticed */

    r->read_event_handler = ngx_http_test_reading;

    return NGX_DONE;
}


void
ngx_http_recording_wake(const char *recording_id, int64_t rev)
{
    ngx_queue_t                  *next, *q;
    ngx_http_recording_waiter_t  *waiter;

    for (q = ngx_queue_head(&ngx_http_recording_waiters);
         q != ngx_queue_sentinel(&ngx_http_recording_waiters);
         q = next)
    {
        next = ngx_queue_next(q);
        waiter = ngx_queue_data(q, ngx_http_recording_waiter_t, queue);

        /* from its own event: other requests must not end inside of one */

        if (rev > waiter->rev && !waiter->timer.posted
            && ngx_strcmp(waiter->recording_id, recording_id) == 0)
        {
            ngx_post_event(&waiter->timer, &ngx_posted_events);
        }
    }
}


static void
ngx_http_recording_wait_timeout(ngx_event_t *ev)
{
    ngx_http_recording_wait_answer(ev->data);
}


static void
ngx_http_recording_wait_answer(ngx_http_recording_waiter_t *waiter)
{
    ngx_int_t            rc;
    cr_recording_t      *rec;
    ngx_http_request_t  *r;

    r = waiter->request;
    r->read_event_handler = ngx_http_block_reading;

    rec = ngx_palloc(r->pool, sizeof(cr_recording_t));

    if (rec == NULL) {
        rc = NGX_HTTP_INTERNAL_SERVER_ERROR;

    } else if (ngx_recording_copy(waiter->recording_id, rec) != NGX_OK
               || rec->status == CR_RECORDING_DELETED)
    {
        rc = ngx_http_recording_error(r, 410, "gone",
                                      "the recording was deleted",
                                      waiter->recording_id);

    } else {
        rc = ngx_http_recording_status(r, NGX_HTTP_OK, rec);
    }

    ngx_http_recording_wait_cleanup(waiter);
    ngx_http_recording_finalize(r, rc);
}


static void
ngx_http_recording_wait_cleanup(void *data)
{
    ngx_http_recording_waiter_t  *waiter = data;

    ngx_recording_node_t  *node;
    ngx_recording_zone_t  *zone;

    if (waiter->request == NULL) {
        return;
    }

    waiter->request = NULL;

    ngx_queue_remove(&waiter->queue);
    ngx_http_recording_nwaiters--;

    if (waiter->timer.timer_set) {
        ngx_del_timer(&waiter->timer);
    }

    if (waiter->timer.posted) {
        ngx_delete_posted_event(&waiter->timer);
    }

    zone = ngx_recording_zone();

    ngx_recording_lock(zone);

    node = ngx_recording_find_locked(zone, waiter->recording_id);

    if (node != NULL && node->waiters != 0) {
        node->waiters--;
    }

    ngx_recording_unlock(zone);
}


/* A worker that leaves answers at once; clients ask the next one. */

static void
ngx_http_recording_wait_exit(ngx_callrec_exit_e how)
{
    ngx_queue_t                  *q;
    ngx_http_recording_waiter_t  *waiter;

    if (how == NGX_CALLREC_EXIT_NOW) {
        return;
    }

    while (!ngx_queue_empty(&ngx_http_recording_waiters)) {
        q = ngx_queue_head(&ngx_http_recording_waiters);
        waiter = ngx_queue_data(q, ngx_http_recording_waiter_t, queue);

        ngx_http_recording_wait_answer(waiter);
    }
}
