
/*
 * Copyright (C) The call recorder authors
 *
 * The engine's work on disk, done in threads.
 */


#include "ngx_recording_engine.h"

#include <dirent.h>


#define NGX_RECORDING_DEPTH     8        /* of folders in a recording's */
#define NGX_RECORDING_TASK_MS   60000    /* that a worker waits to leave */
#define NGX_RECORDING_SNAPSHOT  "recording.json"
#define NGX_RECORDING_TMP       ".recording.json.tmp"
#define NGX_RECORDING_JOURNAL   "journal.ndjson"


static void ngx_recording_task_thread(void *data, ngx_log_t *log);
static void ngx_recording_task_done(ngx_event_t *ev);
static void ngx_recording_task_failed(ngx_recording_task_t *task,
    const char *what);
static ngx_int_t ngx_recording_disk_mkdir(ngx_recording_task_t *task);
static void ngx_recording_disk_undo(ngx_recording_task_t *task);
static ngx_int_t ngx_recording_disk_write(ngx_recording_task_t *task,
    const char *name, const char *text, ngx_uint_t newline);
static ngx_int_t ngx_recording_disk_remove_outputs(ngx_recording_task_t *task);
static ngx_int_t ngx_recording_disk_empty(int fd, ngx_uint_t depth);
static ngx_int_t ngx_recording_disk_sync(const char *dir);


ngx_recording_task_t *
ngx_recording_task(const char *dir, ngx_recording_task_pt run,
    ngx_recording_task_pt done)
{
    ngx_pool_t            *pool;
    ngx_recording_task_t  *task;

    pool = ngx_create_pool(2048, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    task = ngx_pcalloc(pool, sizeof(ngx_recording_task_t));
    if (task == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    task->run = run;
    task->done = done;
    task->pool = pool;
    (void) ngx_cpystrn((u_char *) task->dir, (u_char *) dir,
                       NGX_RECORDING_DIR_MAX);

    return task;
}


ngx_int_t
ngx_recording_task_post(ngx_recording_task_t *task)
{
    ngx_thread_task_t       *thread;
    ngx_recording_task_t   **ctx;

    thread = ngx_thread_task_alloc(task->pool, sizeof(void *));

    if (thread != NULL) {
        ctx = thread->ctx;
        *ctx = task;

        thread->handler = ngx_recording_task_thread;
        thread->event.handler = ngx_recording_task_done;
        thread->event.data = task;
        thread->event.log = ngx_cycle->log;

        if (ngx_thread_task_post(ngx_recording_conf()->thread_pool, thread)
            == NGX_OK)
        {
            /* not cancelable: a worker that is to leave waits for it */

            ngx_add_timer(&thread->event, NGX_RECORDING_TASK_MS);
            return NGX_OK;
        }
    }

    ngx_recording_task_free(task);

    return NGX_ERROR;
}


void
ngx_recording_task_free(ngx_recording_task_t *task)
{
    free(task->journal);
    free(task->text);

    ngx_destroy_pool(task->pool);
}


static void
ngx_recording_task_thread(void *data, ngx_log_t *log)
{
    ngx_recording_task_t  **ctx = data;

    (*ctx)->rc = NGX_OK;
    (*ctx)->run(*ctx);
}


static void
ngx_recording_task_done(ngx_event_t *ev)
{
    ngx_recording_task_t  *task;

    task = ev->data;

    if (ev->timedout) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "the disk is very slow with \"%s\"", task->dir);
        ev->timedout = 0;
        return;
    }

    if (ev->timer_set) {
        ngx_del_timer(ev);
    }

    if (task->rc == NGX_ERROR) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, task->err,
                      "%s failed for \"%s\"", task->what, task->dir);
    }

    task->done(task);
    ngx_recording_task_free(task);
}


void
ngx_recording_disk_create(ngx_recording_task_t *task)
{
    if (ngx_recording_disk_mkdir(task) != NGX_OK) {
        return;
    }

    if (ngx_recording_disk_write(task, NGX_RECORDING_JOURNAL, task->journal,
                                 1)
        == NGX_OK)
    {
        ngx_recording_disk_save(task);
    }

    if (task->rc != NGX_OK) {
        ngx_recording_disk_undo(task);
    }
}


/* A journal that stays would be a recording after the next start. */

static void
ngx_recording_disk_undo(ngx_recording_task_t *task)
{
    u_char       path[NGX_RECORDING_DIR_MAX + 32];
    ngx_uint_t   i;

    static const char *const  names[] = {
        NGX_RECORDING_JOURNAL, NGX_RECORDING_TMP, NGX_RECORDING_SNAPSHOT
    };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void) ngx_snprintf(path, sizeof(path), "%s/%s%Z", task->dir,
                            names[i]);
        (void) unlink((char *) path);
    }

    (void) rmdir(task->dir);
}


void
ngx_recording_disk_save(ngx_recording_task_t *task)
{
    u_char  from[NGX_RECORDING_DIR_MAX + 32], to[NGX_RECORDING_DIR_MAX + 32];

    if (ngx_recording_disk_write(task, NGX_RECORDING_TMP, task->text, 0)
        != NGX_OK)
    {
        return;
    }

    (void) ngx_snprintf(from, sizeof(from), "%s/%s%Z", task->dir,
                        NGX_RECORDING_TMP);
    (void) ngx_snprintf(to, sizeof(to), "%s/%s%Z", task->dir,
                        NGX_RECORDING_SNAPSHOT);

    if (ngx_rename_file(from, to) == NGX_FILE_ERROR) {
        ngx_recording_task_failed(task, "rename()");
        return;
    }

    if (ngx_recording_disk_sync(task->dir) != NGX_OK) {
        ngx_recording_task_failed(task, "fsync()");
    }
}


void
ngx_recording_disk_read(ngx_recording_task_t *task)
{
    task->text = ngx_recording_disk_load(task->dir, NGX_RECORDING_SNAPSHOT,
                                         CR_RECORDING_STATUS_MAX, &task->len,
                                         &task->err);
    if (task->text != NULL) {
        return;
    }

    if (task->err == NGX_ENOENT || task->err == NGX_ENOTDIR) {
        task->rc = NGX_DECLINED;
        return;
    }

    ngx_recording_task_failed(task, "reading " NGX_RECORDING_SNAPSHOT);
}


void
ngx_recording_disk_newest(ngx_recording_task_t *task)
{
    DIR            *dir;
    size_t          n;
    char            newest[CR_ID_MAX + 1];
    struct dirent  *entry;

    newest[0] = '\0';

    dir = opendir(task->dir);
    if (dir == NULL) {
        task->rc = NGX_DECLINED;
        return;
    }

    /* ids begin with the time */

    while ((entry = readdir(dir)) != NULL) {
        n = ngx_strlen(entry->d_name);

        if (ngx_strncmp(entry->d_name, "rec_", 4) == 0
            && cr_id_valid(entry->d_name, n)
            && ngx_strcmp(entry->d_name, newest) > 0)
        {
            ngx_memcpy(newest, entry->d_name, n + 1);
        }
    }

    (void) closedir(dir);

    n = ngx_strlen(task->dir);

    if (newest[0] == '\0' || n + 1 + sizeof(newest) > NGX_RECORDING_DIR_MAX) {
        task->rc = NGX_DECLINED;
        return;
    }

    (void) ngx_snprintf((u_char *) task->dir + n, NGX_RECORDING_DIR_MAX - n,
                        "/%s%Z", newest);

    ngx_recording_disk_read(task);
}


/* Keeps recording.json; the journal goes last, so that what was not done is
 * known after a crash. */

void
ngx_recording_disk_remove(ngx_recording_task_t *task)
{
    int  fd;

    fd = open(task->dir, O_RDONLY|O_DIRECTORY|O_NOFOLLOW|O_CLOEXEC);

    if (fd == -1) {
        if (ngx_errno != NGX_ENOENT) {
            ngx_recording_task_failed(task, "open()");
        }

        return;
    }

    if (ngx_recording_disk_remove_outputs(task) != NGX_OK
        || ngx_recording_disk_empty(fd, 0) != NGX_OK)
    {
        ngx_recording_task_failed(task, "removing files");

    } else if (unlinkat(fd, NGX_RECORDING_JOURNAL, 0) == -1
               && ngx_errno != NGX_ENOENT)
    {
        ngx_recording_task_failed(task, "unlink()");
    }

    (void) close(fd);
}


static ngx_int_t
ngx_recording_disk_remove_outputs(ngx_recording_task_t *task)
{
    int        fd;
    ngx_int_t  rc;

    if (task->outputs == NULL) {
        return NGX_OK;
    }

    fd = open(task->outputs, O_RDONLY|O_DIRECTORY|O_NOFOLLOW|O_CLOEXEC);

    if (fd == -1) {
        return ngx_errno == NGX_ENOENT ? NGX_OK : NGX_ERROR;
    }

    rc = ngx_recording_disk_empty(fd, 1);

    (void) close(fd);

    if (rc == NGX_OK && rmdir(task->outputs) == -1) {
        rc = NGX_ERROR;
    }

    return rc;
}


char *
ngx_recording_disk_load(const char *dir, const char *name, size_t max,
    size_t *len, ngx_err_t *err)
{
    int          fd;
    char        *text;
    u_char       path[NGX_RECORDING_DIR_MAX + 32];
    size_t       size;
    ssize_t      n;
    struct stat  st;

    (void) ngx_snprintf(path, sizeof(path), "%s/%s%Z", dir, name);

    fd = open((char *) path, O_RDONLY|O_NOFOLLOW|O_CLOEXEC);
    if (fd == -1) {
        *err = ngx_errno;
        return NULL;
    }

    text = NULL;

    if (fstat(fd, &st) == -1) {
        *err = ngx_errno;
        goto done;
    }

    size = ngx_min((size_t) st.st_size, max);

    text = malloc(size + 1);
    if (text == NULL) {
        *err = ngx_errno;
        goto done;
    }

    for (*len = 0; *len < size; *len += n) {
        n = read(fd, text + *len, size - *len);

        if (n == -1) {
            *err = ngx_errno;
            free(text);
            text = NULL;
            goto done;
        }

        if (n == 0) {
            break;
        }
    }

    text[*len] = '\0';

done:

    (void) close(fd);

    return text;
}


static void
ngx_recording_task_failed(ngx_recording_task_t *task, const char *what)
{
    task->err = ngx_errno;
    task->rc = NGX_ERROR;
    task->what = what;
}


/* <root>/<callId>/<recordingId>; the root is there. */

static ngx_int_t
ngx_recording_disk_mkdir(ngx_recording_task_t *task)
{
    char  *slash;

    slash = strrchr(task->dir, '/');

    *slash = '\0';

    if (mkdir(task->dir, 0750) == -1 && ngx_errno != NGX_EEXIST) {
        ngx_recording_task_failed(task, "mkdir()");
        *slash = '/';
        return NGX_ERROR;
    }

    *slash = '/';

    if (mkdir(task->dir, 0750) == -1) {
        ngx_recording_task_failed(task, "mkdir()");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_recording_disk_write(ngx_recording_task_t *task, const char *name,
    const char *text, ngx_uint_t newline)
{
    int         fd;
    u_char      path[NGX_RECORDING_DIR_MAX + 32];
    size_t      len;
    ssize_t     n;
    ngx_uint_t  failed;

    (void) ngx_snprintf(path, sizeof(path), "%s/%s%Z", task->dir, name);

    fd = open((char *) path, O_WRONLY|O_CREAT|O_TRUNC|O_NOFOLLOW|O_CLOEXEC,
              0640);
    if (fd == -1) {
        ngx_recording_task_failed(task, "open()");
        return NGX_ERROR;
    }

    failed = 0;

    for (len = ngx_strlen(text); len != 0; len -= n) {
        n = write(fd, text, len);

        if (n <= 0) {
            failed = 1;
            break;
        }

        text += n;
    }

    if (!failed && newline) {
        failed = (write(fd, "\n", 1) != 1);
    }

    if (failed || fsync(fd) == -1) {
        ngx_recording_task_failed(task, "write()");
        (void) close(fd);
        return NGX_ERROR;
    }

    if (close(fd) == -1) {
        ngx_recording_task_failed(task, "close()");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_recording_disk_empty(int fd, ngx_uint_t depth)
{
    int             copy, sub;
    DIR            *dir;
    ngx_int_t       rc;
    const char     *name;
    struct dirent  *entry;

    copy = dup(fd);
    if (copy == -1) {
        return NGX_ERROR;
    }

    dir = fdopendir(copy);
    if (dir == NULL) {
        (void) close(copy);
        return NGX_ERROR;
    }

    rc = NGX_OK;

    while ((entry = readdir(dir)) != NULL) {
        name = entry->d_name;

        if (ngx_strcmp(name, ".") == 0 || ngx_strcmp(name, "..") == 0
            || (depth == 0 && (ngx_strcmp(name, NGX_RECORDING_SNAPSHOT) == 0
                               || ngx_strcmp(name, NGX_RECORDING_JOURNAL)
                                  == 0)))
        {
            continue;
        }

        if (unlinkat(fd, name, 0) == 0 || ngx_errno == NGX_ENOENT) {
            continue;
        }

        sub = (depth < NGX_RECORDING_DEPTH)
              ? openat(fd, name, O_RDONLY|O_DIRECTORY|O_NOFOLLOW|O_CLOEXEC)
              : -1;

        if (sub == -1) {
            rc = NGX_ERROR;
            continue;
        }

        if (ngx_recording_disk_empty(sub, depth + 1) != NGX_OK
            || unlinkat(fd, name, AT_REMOVEDIR) == -1)
        {
            rc = NGX_ERROR;
        }

        (void) close(sub);
    }

    (void) closedir(dir);

    return rc;
}


static ngx_int_t
ngx_recording_disk_sync(const char *dir)
{
    int        fd;
    ngx_int_t  rc;

    fd = open(dir, O_RDONLY|O_DIRECTORY|O_CLOEXEC);
    if (fd == -1) {
        return NGX_ERROR;
    }

    rc = fsync(fd) == -1 ? NGX_ERROR : NGX_OK;

    (void) close(fd);

    return rc;
}
