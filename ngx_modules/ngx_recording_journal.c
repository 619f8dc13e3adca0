
/*
 * Copyright (C) The call recorder authors
 *
 * Journals, by folder.  A journal is open as long as records wait for it:
 * appending is all that this process does with it, and others append too.
 * What a full or failing disk does not take is held and tried again.
 */


#include "ngx_recording_conf.h"
#include "ngx_recording_table.h"
#include "ngx_recording_writer.h"


#define NGX_RECORDING_JOURNAL_FILE   "journal.ndjson"
#define NGX_RECORDING_JOURNAL_RETRY  500             /* ms */
#define NGX_RECORDING_JOURNAL_HELD   (256 * 1024)    /* bytes */


typedef struct {
    ngx_queue_t                queue;
    ngx_recording_writer_t    *writer;
    ngx_uint_t                 pending;     /* appends */
    ngx_queue_t                held;        /* lines, to be tried again */
    size_t                     held_size;
    ngx_event_t                retry;
    unsigned                   open:1;      /* or soon will be */
    unsigned                   failing:1;   /* and told so */
    char                       dir[NGX_RECORDING_DIR_MAX];
} ngx_recording_journal_t;


typedef struct {
    ngx_queue_t                queue;
    ngx_recording_journal_t   *journal;
    ngx_recording_journal_pt   done;
    void                      *ctx;
    size_t                     len;
    u_char                     text[1];
} ngx_recording_journal_line_t;


static ngx_recording_journal_t *ngx_recording_journal_get(const char *dir,
    ngx_log_t *log);
static ngx_int_t ngx_recording_journal_open(ngx_recording_journal_t *j);
static ngx_int_t ngx_recording_journal_write(
    ngx_recording_journal_line_t *l);
static void ngx_recording_journal_hold(ngx_recording_journal_line_t *l);
static void ngx_recording_journal_retry(ngx_event_t *ev);
static void ngx_recording_journal_done(ngx_recording_journal_line_t *l,
    ngx_int_t rc);
static void ngx_recording_journal_appended(void *ctx, ngx_int_t rc,
    ngx_err_t err, size_t len);
static void ngx_recording_journal_closed(void *ctx, ngx_int_t rc,
    ngx_err_t err, size_t len);
static void ngx_recording_journal_idle(ngx_recording_journal_t *j);


static ngx_queue_t  ngx_recording_journals;


ngx_int_t
ngx_recording_journal_append(const char *dir, const char *line, size_t len,
    ngx_recording_journal_pt done, void *ctx, ngx_log_t *log)
{
    ngx_recording_journal_t       *j;
    ngx_recording_journal_line_t  *l;

    j = ngx_recording_journal_get(dir, log);
    if (j == NULL) {
        return NGX_ERROR;
    }

    l = ngx_alloc(sizeof(ngx_recording_journal_line_t) + len, log);

    if (l == NULL) {
        ngx_recording_journal_idle(j);
        return NGX_ERROR;
    }

    l->journal = j;
    l->done = done;
    l->ctx = ctx;
    l->len = len;
    ngx_memcpy(l->text, line, len);

    /* those that are held come first */

    if (!ngx_queue_empty(&j->held)
        && j->held_size + len <= NGX_RECORDING_JOURNAL_HELD)
    {
        ngx_recording_journal_hold(l);
        return NGX_OK;
    }

    if (!ngx_queue_empty(&j->held)
        || ngx_recording_journal_write(l) != NGX_OK)
    {
        ngx_free(l);
        ngx_recording_journal_idle(j);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_recording_journal_write(ngx_recording_journal_line_t *l)
{
    ngx_recording_journal_t  *j;

    j = l->journal;

    ngx_recording_writer_patient(j->writer, l->done == NULL);

    if (ngx_recording_journal_open(j) != NGX_OK
        || ngx_recording_writer_append(j->writer, l->text, l->len, "\n",
                                       ngx_recording_journal_appended, l)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    j->pending++;

    return NGX_OK;
}


static void
ngx_recording_journal_hold(ngx_recording_journal_line_t *l)
{
    ngx_recording_journal_t  *j;

    j = l->journal;

    j->held_size += l->len;
    ngx_queue_insert_tail(&j->held, &l->queue);

    /* not cancelable: a worker that leaves tries once more */

    if (!j->retry.timer_set) {
        ngx_add_timer(&j->retry, NGX_RECORDING_JOURNAL_RETRY);
    }
}


static void
ngx_recording_journal_retry(ngx_event_t *ev)
{
    ngx_queue_t                    lines, *q;
    ngx_recording_journal_t       *j;
    ngx_recording_journal_line_t  *l;

    j = ev->data;

    if (j->pending != 0 || j->open) {
        ngx_add_timer(ev, NGX_RECORDING_JOURNAL_RETRY);
        return;
    }

    ngx_queue_init(&lines);

    if (!ngx_queue_empty(&j->held)) {
        ngx_queue_add(&lines, &j->held);
        ngx_queue_init(&j->held);
        j->held_size = 0;
    }

    while (!ngx_queue_empty(&lines)) {
        q = ngx_queue_head(&lines);
        ngx_queue_remove(q);
        l = ngx_queue_data(q, ngx_recording_journal_line_t, queue);

        if (ngx_recording_journal_write(l) != NGX_OK) {
            ngx_recording_journal_done(l, NGX_ERROR);
        }
    }

    ngx_recording_journal_idle(j);
}


static void
ngx_recording_journal_done(ngx_recording_journal_line_t *l, ngx_int_t rc)
{
    if (l->done != NULL) {
        l->done(l->ctx, rc);
    }

    ngx_free(l);
}


static ngx_recording_journal_t *
ngx_recording_journal_get(const char *dir, ngx_log_t *log)
{
    ngx_queue_t              *q;
    ngx_recording_conf_t     *rcf;
    ngx_recording_journal_t  *j;

    if (ngx_recording_journals.next == NULL) {
        ngx_queue_init(&ngx_recording_journals);
    }

    for (q = ngx_queue_head(&ngx_recording_journals);
         q != ngx_queue_sentinel(&ngx_recording_journals);
         q = ngx_queue_next(q))
    {
        j = ngx_queue_data(q, ngx_recording_journal_t, queue);

        if (ngx_strcmp(j->dir, dir) == 0) {
            return j;
        }
    }

    rcf = ngx_recording_conf();

    if (rcf == NULL || ngx_strlen(dir) >= NGX_RECORDING_DIR_MAX) {
        return NULL;
    }

    j = ngx_calloc(sizeof(ngx_recording_journal_t), log);
    if (j == NULL) {
        return NULL;
    }

    ngx_cpystrn((u_char *) j->dir, (u_char *) dir, NGX_RECORDING_DIR_MAX);

    j->writer = ngx_recording_writer_create(rcf->thread_pool,
                                            rcf->sync
                                            != NGX_RECORDING_SYNC_OFF,
                                            ngx_cycle->log);
    if (j->writer == NULL) {
        ngx_free(j);
        return NULL;
    }

    ngx_queue_init(&j->held);

    j->retry.data = j;
    j->retry.handler = ngx_recording_journal_retry;
    j->retry.log = ngx_cycle->log;

    ngx_queue_insert_tail(&ngx_recording_journals, &j->queue);

    return j;
}


static ngx_int_t
ngx_recording_journal_open(ngx_recording_journal_t *j)
{
    char  path[NGX_RECORDING_DIR_MAX + sizeof(NGX_RECORDING_JOURNAL_FILE)];

    if (j->open) {
        return NGX_OK;
    }

    ngx_sprintf((u_char *) path, "%s/" NGX_RECORDING_JOURNAL_FILE "%Z",
                j->dir);

    if (ngx_recording_writer_open_shared(j->writer, path, NULL, NULL)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    j->open = 1;

    return NGX_OK;
}


static void
ngx_recording_journal_appended(void *ctx, ngx_int_t rc, ngx_err_t err,
    size_t len)
{
    ngx_recording_journal_t       *j;
    ngx_recording_journal_line_t  *l;

    l = ctx;
    j = l->journal;

    j->pending--;

    if (rc != NGX_OK && !j->failing) {
        j->failing = 1;

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, err,
                      "recording: \"%s/" NGX_RECORDING_JOURNAL_FILE
                      "\" cannot be written", j->dir);
    }

    if (rc == NGX_OK) {
        j->failing = 0;
    }

    if (rc != NGX_OK && !ngx_exiting
        && (err == NGX_ENOSPC || err == EDQUOT || err == EIO)
        && j->held_size + l->len <= NGX_RECORDING_JOURNAL_HELD)
    {
        ngx_recording_journal_hold(l);

    } else {
        ngx_recording_journal_done(l, rc);
    }

    ngx_recording_journal_idle(j);
}


static void
ngx_recording_journal_idle(ngx_recording_journal_t *j)
{
    if (j->pending != 0) {
        return;
    }

    ngx_recording_writer_patient(j->writer, 1);

    if (j->open
        && ngx_recording_writer_close(j->writer, ngx_recording_journal_closed,
                                      j)
           == NGX_OK)
    {
        j->open = 0;
    }
}


static void
ngx_recording_journal_closed(void *ctx, ngx_int_t rc, ngx_err_t err,
    size_t len)
{
    ngx_recording_journal_t  *j;

    j = ctx;

    if (rc != NGX_OK && !j->failing) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, err,
                      "recording: \"%s/" NGX_RECORDING_JOURNAL_FILE
                      "\" cannot be closed", j->dir);
    }

    if (j->pending != 0 || j->open || j->retry.timer_set) {
        return;
    }

    ngx_queue_remove(&j->queue);
    ngx_recording_writer_destroy(j->writer);
    ngx_free(j);
}
