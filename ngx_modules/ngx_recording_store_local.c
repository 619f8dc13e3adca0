
/*
 * Copyright (C) The call recorder authors
 *
 * The local store.  The parts of attempt N of an output are assembled in
 * ".<output>.<N>.part", what has come is noted in ".<output>.<N>.ledger"; both
 * lie beside the file that they become, so that a rename publishes it.  Parts
 * may come in different workers, and before and after a restart: the ledger
 * is all that is known of them.
 */

#include "ngx_recording_store.h"
#include "ngx_recording_conf.h"
#include "ngx_recording_job.h"

#include <ngx_event.h>
#include <openssl/evp.h>

#include "ngx_callrec.h"


#define NGX_RECORDING_STORE_BLOCK  (256 * 1024)
#define NGX_RECORDING_STORE_BEAT   5000         /* ms */


typedef struct {
    u_char  dir[NGX_RECORDING_STORE_DIR_MAX];
    u_char  part[NGX_RECORDING_STORE_DIR_MAX + 2 * CR_ID_MAX];
    u_char  ledger[NGX_RECORDING_STORE_DIR_MAX + 2 * CR_ID_MAX];
    u_char  final[NGX_RECORDING_STORE_DIR_MAX + 2 * CR_ID_MAX];
} ngx_recording_store_paths_t;


static ngx_int_t ngx_recording_store_local_part(ngx_recording_store_op_t *op);
static ngx_int_t ngx_recording_store_local_complete(
    ngx_recording_store_op_t *op);
static ngx_int_t ngx_recording_store_local_discard(
    ngx_recording_store_op_t *op);
static ngx_int_t ngx_recording_store_post(ngx_recording_store_op_t *op,
    void (*handler)(void *data, ngx_log_t *log));
static void ngx_recording_store_done(ngx_event_t *ev);
static void ngx_recording_store_part_thread(void *data, ngx_log_t *log);
static void ngx_recording_store_complete_thread(void *data, ngx_log_t *log);
static void ngx_recording_store_discard_thread(void *data, ngx_log_t *log);
static void ngx_recording_store_paths(ngx_recording_store_op_t *op,
    ngx_recording_store_paths_t *paths);
static ngx_int_t ngx_recording_store_mkdir(ngx_recording_store_op_t *op,
    u_char *dir);
static ngx_int_t ngx_recording_store_write(ngx_recording_store_op_t *op,
    ngx_fd_t fd);
static ngx_int_t ngx_recording_store_pwrite(ngx_recording_store_op_t *op,
    ngx_fd_t fd, u_char *p, size_t len, off_t offset);
static ngx_int_t ngx_recording_store_note(ngx_recording_store_op_t *op,
    u_char *ledger);
static ngx_int_t ngx_recording_store_verify(ngx_recording_store_op_t *op,
    u_char *ledger);
static ngx_int_t ngx_recording_store_digest(ngx_recording_store_op_t *op,
    ngx_fd_t fd);
static ngx_int_t ngx_recording_store_failed(ngx_recording_store_op_t *op,
    const char *why);


const ngx_recording_store_t  ngx_recording_store_local = {
    ngx_string("local"),
    ngx_null_string,
    NULL,
    ngx_recording_store_local_part,
    ngx_recording_store_local_complete,
    ngx_recording_store_local_discard
};


static ngx_int_t
ngx_recording_store_local_part(ngx_recording_store_op_t *op)
{
    return ngx_recording_store_post(op, ngx_recording_store_part_thread);
}


static ngx_int_t
ngx_recording_store_local_complete(ngx_recording_store_op_t *op)
{
    return ngx_recording_store_post(op, ngx_recording_store_complete_thread);
}


static ngx_int_t
ngx_recording_store_local_discard(ngx_recording_store_op_t *op)
{
    return ngx_recording_store_post(op, ngx_recording_store_discard_thread);
}


static ngx_int_t
ngx_recording_store_post(ngx_recording_store_op_t *op,
    void (*handler)(void *data, ngx_log_t *log))
{
    ngx_thread_task_t           *task;
    ngx_recording_store_op_t   **slot;

    task = ngx_thread_task_alloc(op->pool, sizeof(op));
    if (task == NULL) {
        return NGX_ERROR;
    }

    slot = task->ctx;
    *slot = op;

    task->handler = handler;
    task->event.handler = ngx_recording_store_done;
    task->event.data = op;
    task->event.log = op->log;

    op->rc = NGX_OK;
    op->err = 0;
    op->why = NULL;

    if (ngx_thread_task_post(ngx_recording_conf()->thread_pool, task)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_add_timer(&task->event, NGX_RECORDING_STORE_BEAT);

    return NGX_OK;
}


static void
ngx_recording_store_done(ngx_event_t *ev)
{
    ngx_recording_store_op_t  *op;

    op = ev->data;

    if (ev->timedout) {

        /*
         * The digest of a large file takes longer than an attempt may be
         * silent; and a worker that is asked to leave waits for us.
         */

        ev->timedout = 0;
        ngx_add_timer(ev, NGX_RECORDING_STORE_BEAT);

        (void) ngx_recording_job_progress(&op->ref, op->attempt, -1, 0);
        return;
    }

    if (ev->timer_set) {
        ngx_del_timer(ev);
    }

    op->done(op);
}


static void
ngx_recording_store_part_thread(void *data, ngx_log_t *log)
{
    ngx_fd_t                     fd;
    ngx_recording_store_op_t    *op;
    ngx_recording_store_paths_t  paths;

    op = *(ngx_recording_store_op_t **) data;

    ngx_recording_store_paths(op, &paths);

    if (ngx_recording_store_mkdir(op, paths.dir) != NGX_OK) {
        return;
    }

    fd = open((char *) paths.part, O_WRONLY|O_CREAT|O_CLOEXEC, 0640);
    if (fd == NGX_INVALID_FILE) {
        ngx_recording_store_failed(op, "cannot open the file of parts");
        return;
    }

    if (ngx_recording_store_write(op, fd) == NGX_OK
        && ngx_recording_store_note(op, paths.ledger) == NGX_OK)
    {
        op->stored = op->later ? 0 : op->part.offset + op->part.size;
    }

    if (ngx_close_file(fd) == NGX_FILE_ERROR && op->rc == NGX_OK) {
        ngx_recording_store_failed(op, "cannot close the file of parts");
    }
}


/* The body into the file at its place, and its digest against the one that
 * was announced; a part with a wrong one is not noted, so it does not count. */
static ngx_int_t
ngx_recording_store_write(ngx_recording_store_op_t *op, ngx_fd_t fd)
{
    off_t         offset, pos;
    size_t        n;
    u_char       *block;
    uint8_t       sum[EVP_MAX_MD_SIZE];
    ngx_int_t     rc;
    ngx_buf_t    *b;
    EVP_MD_CTX   *md;
    ngx_chain_t  *cl;

    md = EVP_MD_CTX_new();
    block = ngx_alloc(NGX_RECORDING_STORE_BLOCK, op->log);
    rc = NGX_OK;

    if (md == NULL || block == NULL
        || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1)
    {
        rc = ngx_recording_store_failed(op, "no memory");
    }

    offset = op->part.offset;

    for (cl = op->body; cl && rc == NGX_OK; cl = cl->next) {
        b = cl->buf;

        if (!b->in_file) {
            n = b->last - b->pos;
            EVP_DigestUpdate(md, b->pos, n);
            rc = ngx_recording_store_pwrite(op, fd, b->pos, n, offset);
            offset += n;
            continue;
        }

        for (pos = b->file_pos; pos < b->file_last && rc == NGX_OK; pos += n) {
            n = ngx_min(b->file_last - pos, NGX_RECORDING_STORE_BLOCK);

            if (pread(b->file->fd, block, n, pos) != (ssize_t) n) {
                rc = ngx_recording_store_failed(op, "cannot read the body");
                break;
            }

            EVP_DigestUpdate(md, block, n);
            rc = ngx_recording_store_pwrite(op, fd, block, n, offset);
            offset += n;
        }
    }

    if (rc == NGX_OK) {
        EVP_DigestFinal_ex(md, sum, NULL);

        if (ngx_memcmp(sum, op->part.sha256, CR_PART_DIGEST_SIZE) != 0) {
            op->why = "the body does not match its Content-Digest";
            rc = op->rc = NGX_DECLINED;
        }
    }

    EVP_MD_CTX_free(md);
    ngx_free(block);

    return rc;
}


static ngx_int_t
ngx_recording_store_pwrite(ngx_recording_store_op_t *op, ngx_fd_t fd,
    u_char *p, size_t len, off_t offset)
{
    ssize_t  n;

    while (len != 0) {
        n = pwrite(fd, p, len, offset);

        if (n == -1 && ngx_errno == NGX_EINTR) {
            continue;
        }

        if (n <= 0) {
            return ngx_recording_store_failed(op, "cannot write the part");
        }

        p += n;
        len -= n;
        offset += n;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_recording_store_note(ngx_recording_store_op_t *op, u_char *ledger)
{
    char      line[CR_PART_LINE_MAX];
    size_t    len;
    ssize_t   n;
    ngx_fd_t  fd;

    fd = open((char *) ledger, O_WRONLY|O_CREAT|O_APPEND|O_CLOEXEC, 0640);
    if (fd == NGX_INVALID_FILE) {
        return ngx_recording_store_failed(op, "cannot open the ledger");
    }

    len = cr_part_line(line, &op->part);
    n = write(fd, line, len);

    if (n != (ssize_t) len) {
        ngx_recording_store_failed(op, "cannot write the ledger");
    }

    if (ngx_close_file(fd) == NGX_FILE_ERROR && op->rc == NGX_OK) {
        ngx_recording_store_failed(op, "cannot close the ledger");
    }

    return op->rc;
}


static void
ngx_recording_store_complete_thread(void *data, ngx_log_t *log)
{
    ngx_fd_t                     fd, dir;
    struct stat                  st;
    ngx_recording_store_op_t    *op;
    ngx_recording_store_paths_t  paths;

    op = *(ngx_recording_store_op_t **) data;

    ngx_recording_store_paths(op, &paths);

    if (ngx_recording_store_verify(op, paths.ledger) != NGX_OK) {
        return;
    }

    fd = open((char *) paths.part, O_RDONLY|O_CLOEXEC);
    if (fd == NGX_INVALID_FILE) {
        ngx_recording_store_failed(op, "cannot open the file of parts");
        return;
    }

    if (fstat(fd, &st) == -1) {
        ngx_recording_store_failed(op, "cannot stat the file of parts");

    } else if ((uint64_t) st.st_size != op->complete.size) {
        op->why = "the file's size is not the announced one";
        op->rc = NGX_DECLINED;

    } else if (ngx_recording_store_digest(op, fd) == NGX_OK) {

        if (fdatasync(fd) == -1) {
            ngx_recording_store_failed(op, "cannot sync the output");

        } else if (ngx_rename_file(paths.part, paths.final)
                   == NGX_FILE_ERROR)
        {
            ngx_recording_store_failed(op, "cannot rename the output");
        }
    }

    (void) ngx_close_file(fd);

    if (op->rc != NGX_OK) {
        return;
    }

    /* the rename itself has to be durable before it is told */

    dir = open((char *) paths.dir, O_RDONLY|O_DIRECTORY|O_CLOEXEC);
    if (dir != NGX_INVALID_FILE) {
        (void) fsync(dir);
        (void) ngx_close_file(dir);
    }

    if (!op->later) {
        (void) ngx_delete_file(paths.ledger);
    }

    op->result.size_bytes = op->complete.size;
    op->result.duration_ms = op->complete.duration_ms;
    op->result.width = op->complete.width;
    op->result.height = op->complete.height;
    ngx_cpystrn((u_char *) op->result.kind, op->output,
                sizeof(op->result.kind));
    ngx_cpystrn((u_char *) op->result.format, (u_char *) op->complete.format,
                sizeof(op->result.format));
    ngx_snprintf((u_char *) op->result.codec, sizeof(op->result.codec),
                 "%s%s%s%Z", op->complete.video_codec,
                 op->complete.video_codec[0] && op->complete.audio_codec[0]
                     ? "+" : "",
                 op->complete.audio_codec);
    ngx_snprintf((u_char *) op->result.location, sizeof(op->result.location),
                 "file://%s%Z", paths.final);
}


static ngx_int_t
ngx_recording_store_verify(ngx_recording_store_op_t *op, u_char *ledger)
{
    u_char       *text;
    ssize_t       n;
    ngx_fd_t      fd;
    cr_status_e   rc;
    struct stat   st;

    fd = open((char *) ledger, O_RDONLY|O_CLOEXEC);
    if (fd == NGX_INVALID_FILE) {

        if (ngx_errno == NGX_ENOENT) {
            op->why = "no part has come";
            op->rc = NGX_DECLINED;
            return NGX_DECLINED;
        }

        return ngx_recording_store_failed(op, "cannot open the ledger");
    }

    text = NULL;
    n = -1;

    if (fstat(fd, &st) == 0
        && st.st_size <= (off_t) CR_PARTS_MAX * CR_PART_LINE_MAX)
    {
        text = ngx_alloc(st.st_size + 1, op->log);
    }

    if (text != NULL) {
        n = pread(fd, text, st.st_size, 0);
    }

    (void) ngx_close_file(fd);

    if (n == -1 || n != st.st_size) {
        ngx_free(text);
        return ngx_recording_store_failed(op, "cannot read the ledger");
    }

    rc = cr_parts_verify(&ngx_callrec_env, (char *) text, n, &op->complete,
                         &op->why);

    ngx_free(text);

    if (rc != CR_OK) {
        op->rc = (rc == CR_INVALID) ? NGX_DECLINED : NGX_ERROR;
        return op->rc;
    }

    return NGX_OK;
}


/* SHA-256 of the file as it lies on disk: what was written is what was
 * received part by part, and it is what the status announces. */
static ngx_int_t
ngx_recording_store_digest(ngx_recording_store_op_t *op, ngx_fd_t fd)
{
    off_t        pos;
    u_char      *block, *last;
    ssize_t      n;
    uint8_t      sum[EVP_MAX_MD_SIZE];
    EVP_MD_CTX  *md;

    md = EVP_MD_CTX_new();
    block = ngx_alloc(NGX_RECORDING_STORE_BLOCK, op->log);

    if (md == NULL || block == NULL
        || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1)
    {
        ngx_recording_store_failed(op, "no memory");
        goto done;
    }

    (void) posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);

    for (pos = 0; (uint64_t) pos < op->complete.size; pos += n) {
        n = pread(fd, block, NGX_RECORDING_STORE_BLOCK, pos);

        if (n <= 0) {
            ngx_recording_store_failed(op, "cannot read the output");
            goto done;
        }

        EVP_DigestUpdate(md, block, n);
    }

    EVP_DigestFinal_ex(md, sum, NULL);

    last = ngx_hex_dump((u_char *) op->result.sha256, sum,
                        CR_PART_DIGEST_SIZE);
    *last = '\0';

done:

    EVP_MD_CTX_free(md);
    ngx_free(block);

    return op->rc;
}


static void
ngx_recording_store_discard_thread(void *data, ngx_log_t *log)
{
    ngx_recording_store_op_t    *op;
    ngx_recording_store_paths_t  paths;

    op = *(ngx_recording_store_op_t **) data;

    ngx_recording_store_paths(op, &paths);

    if ((ngx_delete_file(paths.part) == NGX_FILE_ERROR
         && ngx_errno != NGX_ENOENT)
        || (ngx_delete_file(paths.ledger) == NGX_FILE_ERROR
            && ngx_errno != NGX_ENOENT))
    {
        ngx_recording_store_failed(op, "cannot remove what was left");
    }
}


static void
ngx_recording_store_paths(ngx_recording_store_op_t *op,
    ngx_recording_store_paths_t *paths)
{
    ngx_recording_store_local_dir(op->store, &op->ref, paths->dir);

    ngx_snprintf(paths->part, sizeof(paths->part), "%s/.%s.%ui.part%Z",
                 paths->dir, op->output, op->attempt);
    ngx_snprintf(paths->ledger, sizeof(paths->ledger), "%s/.%s.%ui.ledger%Z",
                 paths->dir, op->output, op->attempt);
    ngx_snprintf(paths->final, sizeof(paths->final), "%s/%s.%s%Z",
                 paths->dir, op->output, op->complete.format);
}


void
ngx_recording_store_local_dir(const ngx_recording_store_t *store,
    const ngx_recording_ref_t *ref, u_char dir[NGX_RECORDING_STORE_DIR_MAX])
{
    if (store->path.len == 0) {
        ngx_snprintf(dir, NGX_RECORDING_STORE_DIR_MAX, "%s/outputs%Z",
                     ref->dir);

    } else {
        ngx_snprintf(dir, NGX_RECORDING_STORE_DIR_MAX, "%V/%s/%s%Z",
                     &store->path, ref->call_id, ref->recording_id);
    }
}


/* The folder and, below a path of its own, the ones above it. */
static ngx_int_t
ngx_recording_store_mkdir(ngx_recording_store_op_t *op, u_char *dir)
{
    int      rc;
    u_char   c, *p;

    if (mkdir((char *) dir, 0750) == 0 || ngx_errno == NGX_EEXIST) {
        return NGX_OK;
    }

    if (ngx_errno != NGX_ENOENT || op->store->path.len == 0) {
        return ngx_recording_store_failed(op, "cannot make the folder");
    }

    for (p = dir + op->store->path.len + 1; ; p++) {
        c = *p;

        if (c != '/' && c != '\0') {
            continue;
        }

        *p = '\0';
        rc = mkdir((char *) dir, 0750);
        *p = c;

        if (rc == -1 && ngx_errno != NGX_EEXIST) {
            return ngx_recording_store_failed(op, "cannot make the folder");
        }

        if (c == '\0') {
            return NGX_OK;
        }
    }
}


static ngx_int_t
ngx_recording_store_failed(ngx_recording_store_op_t *op, const char *why)
{
    op->err = ngx_errno;
    op->why = why;
    op->rc = NGX_ERROR;

    return NGX_ERROR;
}
