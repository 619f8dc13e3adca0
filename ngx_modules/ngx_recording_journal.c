
/*
 * Copyright (C) The call recorder authors
 *
 * Journals, by folder.  A journal is open as long as records wait for it:
 * appending is all that this process does with it, and others append too.
 */


#include "ngx_recording_conf.h"
#include "ngx_recording_table.h"
#include "ngx_recording_writer.h"


#define NGX_RECORDING_JOURNAL_FILE  "journal.ndjson"


typedef struct {
    ngx_queue_t                queue;
    ngx_recording_writer_t    *writer;
    ngx_uint_t                 pending;     /* appends */
    unsigned                   open:1;      /* or soon will be */
    char                       dir[NGX_RECORDING_DIR_MAX];
} ngx_recording_journal_t;


typedef struct {
    ngx_recording_journal_t   *journal;
    ngx_recording_journal_pt   done;
    void                      *ctx;
} ngx_recording_journal_line_t;


static ngx_recording_journal_t *ngx_recording_journal_get(const char *dir,
    ngx_log_t *log);
static ngx_int_t ngx_recording_journal_open(ngx_recording_journal_t *j);
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

    l = ngx_alloc(sizeof(ngx_recording_journal_line_t), log);

    if (l == NULL) {
        ngx_recording_journal_idle(j);
        return NGX_ERROR;
    }

    l->journal = j;
    l->done = done;
    l->ctx = ctx;

    if (ngx_recording_journal_open(j) != NGX_OK
        || ngx_recording_writer_append(j->writer, line, len, "\n",
                                       ngx_recording_journal_appended, l)
           != NGX_OK)
    {
        ngx_free(l);
        ngx_recording_journal_idle(j);
        return NGX_ERROR;
    }

    j->pending++;

    return NGX_OK;
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

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, err,
                      "recording: \"%s/" NGX_RECORDING_JOURNAL_FILE
                      "\" cannot be written", j->dir);
    }

    if (l->done != NULL) {
        l->done(l->ctx, rc);
    }

    ngx_free(l);

    j->pending--;

    ngx_recording_journal_idle(j);
}


static void
ngx_recording_journal_idle(ngx_recording_journal_t *j)
{
    if (j->pending != 0) {
        return;
    }

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

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, err,
                      "recording: \"%s/" NGX_RECORDING_JOURNAL_FILE
                      "\" cannot be closed", j->dir);
    }

    if (j->pending != 0 || j->open) {
        return;
    }

    ngx_queue_remove(&j->queue);
    ngx_recording_writer_destroy(j->writer);
    ngx_free(j);
}
