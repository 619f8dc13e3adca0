
/*
 * Copyright (C) The call recorder authors
 */


#include "ngx_recording_crew.h"
#include "ngx_recording_writer.h"


#define NGX_RECORDING_WRITER_FINISH  5000    /* ms to wait for a thread */

#define NGX_RECORDING_DIR_ACCESS     0750
#define NGX_RECORDING_FILE_ACCESS    0640


typedef enum {
    NGX_RECORDING_OP_CREATE = 0,
    NGX_RECORDING_OP_SHARED,
    NGX_RECORDING_OP_APPEND,
    NGX_RECORDING_OP_SYNC,
    NGX_RECORDING_OP_CLOSE
} ngx_recording_op_e;


typedef struct {
    ngx_queue_t               queue;
    ngx_recording_op_e        type;
    ngx_err_t                 err;
    ngx_recording_writer_pt   done;
    void                     *ctx;
    size_t                    len;
    u_char                   *data;      /* bytes, or a path with its NUL */
    unsigned                  given:1;   /* data is not behind this */
    unsigned                  later:1;
} ngx_recording_op_t;


struct ngx_recording_writer_s {
    ngx_queue_t               queue;     /* of all writers */
    ngx_recording_crew_t     *crew;
    ngx_recording_work_t      work;
    ngx_log_t                *log;
    ngx_queue_t               waiting;
    size_t                    pending;
    unsigned                  patient:1;
    unsigned                  posted:1;
    unsigned                  calling:1;     /* callbacks */
    unsigned                  destroyed:1;
    unsigned                  syncing:1;
    unsigned                  durable:1;

    /* the thread's while it is posted */
    ngx_queue_t               batch;
    ngx_fd_t                  fd;
    ngx_fd_t                  dir;           /* to be synced with the file */
    ngx_err_t                 failed;
    off_t                     size;
    ngx_uint_t                shared;
    ngx_uint_t                unsynced;
};


static ngx_int_t ngx_recording_writer_add(ngx_recording_writer_t *w,
    ngx_recording_op_e type, const void *data, size_t len, const char *tail,
    ngx_recording_writer_pt done, void *ctx);
static void ngx_recording_writer_queue(ngx_recording_writer_t *w,
    ngx_recording_op_t *op);
static void ngx_recording_writer_op_free(ngx_recording_op_t *op);
static void ngx_recording_writer_post(ngx_recording_writer_t *w);
static void ngx_recording_writer_thread(ngx_recording_work_t *work);
static void ngx_recording_writer_run(ngx_recording_writer_t *w,
    ngx_recording_op_t *op);
static void ngx_recording_writer_do_create(ngx_recording_writer_t *w,
    char *path);
static void ngx_recording_writer_do_shared(ngx_recording_writer_t *w,
    char *path);
static void ngx_recording_writer_do_append(ngx_recording_writer_t *w,
    u_char *data, size_t len);
static void ngx_recording_writer_do_sync(ngx_recording_writer_t *w);
static void ngx_recording_writer_do_close(ngx_recording_writer_t *w);
static void ngx_recording_writer_close_dir(ngx_recording_writer_t *w);
static ngx_int_t ngx_recording_writer_mkdirs(ngx_recording_writer_t *w,
    char *path);
static void ngx_recording_writer_mkdir(ngx_recording_writer_t *w,
    char *path);
static ngx_fd_t ngx_recording_writer_parent(char *path);
static void ngx_recording_writer_done(ngx_recording_work_t *work);
static void ngx_recording_writer_free(ngx_recording_writer_t *w);


/* All writers of this process. */
static ngx_queue_t  ngx_recording_writers;


ngx_recording_writer_t *
ngx_recording_writer_create(ngx_thread_pool_t *pool, ngx_uint_t durable,
    ngx_log_t *log)
{
    ngx_recording_writer_t  *w;

    w = ngx_calloc(sizeof(ngx_recording_writer_t), log);
    if (w == NULL) {
        return NULL;
    }

    w->crew = ngx_recording_crew(pool);
    if (w->crew == NULL) {
        ngx_free(w);
        return NULL;
    }

    w->work.run = ngx_recording_writer_thread;
    w->work.done = ngx_recording_writer_done;
    w->work.data = w;

    w->log = log;
    w->fd = NGX_INVALID_FILE;
    w->dir = NGX_INVALID_FILE;
    w->durable = durable;

    ngx_queue_init(&w->waiting);
    ngx_queue_init(&w->batch);

    if (ngx_recording_writers.next == NULL) {
        ngx_queue_init(&ngx_recording_writers);
    }

    ngx_queue_insert_tail(&ngx_recording_writers, &w->queue);

    return w;
}


void
ngx_recording_writer_patient(ngx_recording_writer_t *w, ngx_uint_t patient)
{
    w->patient = (patient != 0);
}


void
ngx_recording_writer_destroy(ngx_recording_writer_t *w)
{
    w->destroyed = 1;

    if (!w->posted && !w->calling && ngx_queue_empty(&w->waiting)) {
        ngx_recording_writer_free(w);
    }
}


static void
ngx_recording_writer_free(ngx_recording_writer_t *w)
{
    if (w->fd != NGX_INVALID_FILE) {
        (void) ngx_close_file(w->fd);
    }

    ngx_recording_writer_close_dir(w);

    ngx_queue_remove(&w->queue);
    ngx_free(w);
}


ngx_int_t
ngx_recording_writer_create_file(ngx_recording_writer_t *w, const char *path,
    ngx_recording_writer_pt done, void *ctx)
{
    return ngx_recording_writer_add(w, NGX_RECORDING_OP_CREATE, path,
                                    ngx_strlen(path) + 1, NULL, done, ctx);
}


ngx_int_t
ngx_recording_writer_open_shared(ngx_recording_writer_t *w, const char *path,
    ngx_recording_writer_pt done, void *ctx)
{
    return ngx_recording_writer_add(w, NGX_RECORDING_OP_SHARED, path,
                                    ngx_strlen(path) + 1, NULL, done, ctx);
}


ngx_int_t
ngx_recording_writer_append(ngx_recording_writer_t *w, const void *data,
    size_t len, const char *tail, ngx_recording_writer_pt done, void *ctx)
{
    return ngx_recording_writer_add(w, NGX_RECORDING_OP_APPEND, data, len,
                                    tail, done, ctx);
}


ngx_int_t
ngx_recording_writer_give(ngx_recording_writer_t *w, void *data, size_t len,
    ngx_recording_writer_pt done, void *ctx)
{
    ngx_recording_op_t  *op;

    op = ngx_alloc(sizeof(ngx_recording_op_t), w->log);

    if (op == NULL) {
        free(data);
        return NGX_ERROR;
    }

    op->type = NGX_RECORDING_OP_APPEND;
    op->done = done;
    op->ctx = ctx;
    op->len = len;
    op->data = data;
    op->given = 1;

    ngx_recording_writer_queue(w, op);

    return NGX_OK;
}


void
ngx_recording_writer_sync(ngx_recording_writer_t *w)
{
    if (!w->syncing
        && ngx_recording_writer_add(w, NGX_RECORDING_OP_SYNC, NULL, 0, NULL,
                                    NULL, NULL)
           == NGX_OK)
    {
        w->syncing = 1;
    }
}


ngx_int_t
ngx_recording_writer_close(ngx_recording_writer_t *w,
    ngx_recording_writer_pt done, void *ctx)
{
    return ngx_recording_writer_add(w, NGX_RECORDING_OP_CLOSE, NULL, 0, NULL,
                                    done, ctx);
}


size_t
ngx_recording_writer_pending(ngx_recording_writer_t *w)
{
    return w->pending;
}


static ngx_int_t
ngx_recording_writer_add(ngx_recording_writer_t *w, ngx_recording_op_e type,
    const void *data, size_t len, const char *tail,
    ngx_recording_writer_pt done, void *ctx)
{
    size_t               tail_len;
    ngx_recording_op_t  *op;

    tail_len = tail ? ngx_strlen(tail) : 0;

    op = ngx_alloc(sizeof(ngx_recording_op_t) + len + tail_len, w->log);
    if (op == NULL) {
        return NGX_ERROR;
    }

    op->type = type;
    op->done = done;
    op->ctx = ctx;
    op->len = len + tail_len;
    op->data = (u_char *) op + sizeof(ngx_recording_op_t);
    op->given = 0;

    if (len != 0) {
        ngx_memcpy(op->data, data, len);
    }

    if (tail_len != 0) {
        ngx_memcpy(op->data + len, tail, tail_len);
    }

    ngx_recording_writer_queue(w, op);

    return NGX_OK;
}


static void
ngx_recording_writer_queue(ngx_recording_writer_t *w, ngx_recording_op_t *op)
{
    op->err = 0;
    op->later = (op->given || w->patient);

    if (op->type == NGX_RECORDING_OP_APPEND) {
        w->pending += op->len;
    }

    ngx_queue_insert_tail(&w->waiting, &op->queue);

    if (w->posted && !op->later) {

        /* it is behind what was in no hurry */

        ngx_recording_crew_hurry(w->crew);
    }

    ngx_recording_writer_post(w);
}


static void
ngx_recording_writer_op_free(ngx_recording_op_t *op)
{
    if (op->given) {
        free(op->data);
    }

    ngx_free(op);
}


static void
ngx_recording_writer_post(ngx_recording_writer_t *w)
{
    ngx_uint_t           later;
    ngx_queue_t         *q;
    ngx_recording_op_t  *op;

    if (w->posted || ngx_queue_empty(&w->waiting)) {
        return;
    }

    ngx_queue_add(&w->batch, &w->waiting);
    ngx_queue_init(&w->waiting);

    later = 1;

    for (q = ngx_queue_head(&w->batch);
         q != ngx_queue_sentinel(&w->batch);
         q = ngx_queue_next(q))
    {
        op = ngx_queue_data(q, ngx_recording_op_t, queue);
        later &= op->later;
    }

    w->posted = 1;
    ngx_recording_crew_post(w->crew, &w->work, later);
}


static void
ngx_recording_writer_thread(ngx_recording_work_t *work)
{
    ngx_queue_t             *q;
    ngx_recording_writer_t  *w;

    w = work->data;

    for (q = ngx_queue_head(&w->batch);
         q != ngx_queue_sentinel(&w->batch);
         q = ngx_queue_next(q))
    {
        ngx_recording_writer_run(w, ngx_queue_data(q, ngx_recording_op_t,
                                                   queue));
    }
}


static void
ngx_recording_writer_run(ngx_recording_writer_t *w, ngx_recording_op_t *op)
{
    switch (op->type) {

    case NGX_RECORDING_OP_CREATE:
        ngx_recording_writer_do_create(w, (char *) op->data);
        break;

    case NGX_RECORDING_OP_SHARED:
        ngx_recording_writer_do_shared(w, (char *) op->data);
        break;

    case NGX_RECORDING_OP_APPEND:
        if (w->failed == 0) {
            ngx_recording_writer_do_append(w, op->data, op->len);
        }

        break;

    case NGX_RECORDING_OP_SYNC:
        ngx_recording_writer_do_sync(w);
        break;

    default: /* NGX_RECORDING_OP_CLOSE */
        ngx_recording_writer_do_close(w);
        break;
    }

    op->err = w->failed;
}


static void
ngx_recording_writer_do_create(ngx_recording_writer_t *w, char *path)
{
    int  flags;

    flags = O_CREAT|O_EXCL|O_WRONLY|O_CLOEXEC;

    ngx_recording_writer_do_close(w);

    w->shared = 0;
    w->size = 0;
    w->failed = 0;

    w->fd = open(path, flags, NGX_RECORDING_FILE_ACCESS);

    if (w->fd == NGX_INVALID_FILE && ngx_errno == NGX_ENOENT
        && ngx_recording_writer_mkdirs(w, path) == NGX_OK)
    {
        w->fd = open(path, flags, NGX_RECORDING_FILE_ACCESS);
    }

    if (w->fd == NGX_INVALID_FILE) {
        w->failed = ngx_errno;
        return;
    }

    if (w->durable) {
        w->dir = ngx_recording_writer_parent(path);
        w->unsynced = 1;
    }
}


/* <folder>/<participantId>/<sessionId>/<file>: the first must be there. */
static ngx_int_t
ngx_recording_writer_mkdirs(ngx_recording_writer_t *w, char *path)
{
    char  *file, *session;

    file = strrchr(path, '/');
    if (file == NULL) {
        return NGX_ERROR;
    }

    *file = '\0';

    session = strrchr(path, '/');

    if (session != NULL) {
        *session = '\0';
        ngx_recording_writer_mkdir(w, path);
        *session = '/';
    }

    ngx_recording_writer_mkdir(w, path);

    *file = '/';

    return NGX_OK;
}


/* What fails is told by the file that cannot be made. */
static void
ngx_recording_writer_mkdir(ngx_recording_writer_t *w, char *path)
{
    ngx_fd_t  dir;

    if (ngx_create_dir(path, NGX_RECORDING_DIR_ACCESS) == NGX_FILE_ERROR
        || !w->durable)
    {
        return;
    }

    dir = ngx_recording_writer_parent(path);

    if (dir != NGX_INVALID_FILE) {
        (void) fsync(dir);
        (void) ngx_close_file(dir);
    }
}


static ngx_fd_t
ngx_recording_writer_parent(char *path)
{
    char      *slash;
    ngx_fd_t   fd;

    slash = strrchr(path, '/');

    if (slash == NULL) {
        return NGX_INVALID_FILE;
    }

    *slash = '\0';
    fd = open(path, O_RDONLY|O_DIRECTORY|O_CLOEXEC);
    *slash = '/';

    return fd;
}


static void
ngx_recording_writer_do_shared(ngx_recording_writer_t *w, char *path)
{
    u_char           last;
    ngx_file_info_t  fi;

    ngx_recording_writer_do_close(w);

    w->shared = 1;
    w->failed = 0;

    w->fd = open(path, O_CREAT|O_RDWR|O_APPEND|O_CLOEXEC,
                 NGX_RECORDING_FILE_ACCESS);

    if (w->fd == NGX_INVALID_FILE) {
        w->failed = ngx_errno;
        return;
    }

    if (ngx_fd_info(w->fd, &fi) == NGX_FILE_ERROR) {
        w->failed = ngx_errno;
        return;
    }

    if (ngx_file_size(&fi) > 0
        && pread(w->fd, &last, 1, ngx_file_size(&fi) - 1) == 1
        && last != LF)
    {
        ngx_recording_writer_do_append(w, (u_char *) "\n", 1);
    }
}


static void
ngx_recording_writer_do_append(ngx_recording_writer_t *w, u_char *data,
    size_t len)
{
    size_t   n;
    ssize_t  rc;

    for (n = 0; n < len; n += rc) {
        rc = write(w->fd, data + n, len - n);

        if (rc == -1 && ngx_errno == NGX_EINTR) {
            rc = 0;
            continue;
        }

        if (rc <= 0) {
            w->failed = rc == 0 ? NGX_ENOSPC : ngx_errno;
            break;
        }
    }

    w->unsynced |= (n != 0);

    if (n == len) {
        w->size += len;
        return;
    }

    /* the file shall end with a whole cluster */

    if (!w->shared && n != 0 && ftruncate(w->fd, w->size) == -1) {
        w->size += n;
    }
}


/* What an fdatasync() could not write is lost, whatever the next one says. */
static void
ngx_recording_writer_do_sync(ngx_recording_writer_t *w)
{
    if (w->fd == NGX_INVALID_FILE || !w->unsynced) {
        return;
    }

    w->unsynced = 0;

    if (fdatasync(w->fd) == -1 && w->failed == 0) {
        w->failed = ngx_errno;
    }

    /* a new file is there when its name is */

    if (w->dir != NGX_INVALID_FILE) {
        if (fsync(w->dir) == -1 && w->failed == 0) {
            w->failed = ngx_errno;
        }

        ngx_recording_writer_close_dir(w);
    }
}


static void
ngx_recording_writer_close_dir(ngx_recording_writer_t *w)
{
    if (w->dir != NGX_INVALID_FILE) {
        (void) ngx_close_file(w->dir);
        w->dir = NGX_INVALID_FILE;
    }
}


static void
ngx_recording_writer_do_close(ngx_recording_writer_t *w)
{
    if (w->fd == NGX_INVALID_FILE) {
        return;
    }

    if (w->durable) {
        ngx_recording_writer_do_sync(w);
    }

    ngx_recording_writer_close_dir(w);

    if (ngx_close_file(w->fd) == NGX_FILE_ERROR && w->failed == 0) {
        w->failed = ngx_errno;
    }

    w->fd = NGX_INVALID_FILE;
}


static void
ngx_recording_writer_done(ngx_recording_work_t *work)
{
    ngx_queue_t             *q, batch;
    ngx_recording_op_t      *op;
    ngx_recording_writer_t  *w;

    w = work->data;

    ngx_queue_init(&batch);
    ngx_queue_add(&batch, &w->batch);
    ngx_queue_init(&w->batch);

    w->posted = 0;

    /* what waits can be written while the callbacks run */
    ngx_recording_writer_post(w);

    w->calling = 1;

    while (!ngx_queue_empty(&batch)) {
        q = ngx_queue_head(&batch);
        ngx_queue_remove(q);
        op = ngx_queue_data(q, ngx_recording_op_t, queue);

        if (op->type == NGX_RECORDING_OP_APPEND) {
            w->pending -= op->len;

        } else if (op->type == NGX_RECORDING_OP_SYNC) {
            w->syncing = 0;
        }

        if (op->done != NULL) {
            op->done(op->ctx, op->err ? NGX_ERROR : NGX_OK, op->err,
                     op->len);
        }

        ngx_recording_writer_op_free(op);
    }

    w->calling = 0;

    if (w->posted || !ngx_queue_empty(&w->waiting)) {
        return;
    }

    if (w->destroyed) {
        ngx_recording_writer_free(w);
    }
}


void
ngx_recording_writers_finish(void)
{
    ngx_queue_t             *q, *o;
    ngx_recording_writer_t  *w;

    if (ngx_recording_writers.next == NULL
        || ngx_queue_empty(&ngx_recording_writers))
    {
        return;
    }

    /* a thousand files are not synced in the second that the master waits */

    for (q = ngx_queue_head(&ngx_recording_writers);
         q != ngx_queue_sentinel(&ngx_recording_writers);
         q = ngx_queue_next(q))
    {
        w = ngx_queue_data(q, ngx_recording_writer_t, queue);
        w->durable = 0;
    }

    q = ngx_queue_head(&ngx_recording_writers);
    w = ngx_queue_data(q, ngx_recording_writer_t, queue);

    ngx_recording_crew_finish(w->crew, NGX_RECORDING_WRITER_FINISH);

    for ( /* void */ ;
         q != ngx_queue_sentinel(&ngx_recording_writers);
         q = ngx_queue_next(q))
    {
        w = ngx_queue_data(q, ngx_recording_writer_t, queue);

        if (w->work.busy) {
            ngx_log_error(NGX_LOG_ALERT, w->log, 0,
                          "recording: a thread is still writing, %uz bytes "
                          "are given up", w->pending);
            continue;
        }

        for (o = ngx_queue_head(&w->waiting);
             o != ngx_queue_sentinel(&w->waiting);
             o = ngx_queue_next(o))
        {
            ngx_recording_writer_run(w, ngx_queue_data(o, ngx_recording_op_t,
                                                       queue));
        }
    }
}
