
/*
 * Copyright (C) The call recorder authors
 *
 * What an upload does on disk, in threads.
 */


#include "ngx_recording_upload.h"

#include <openssl/evp.h>


#define NGX_RECORDING_UPLOAD_BLOCK  (256 * 1024)


static void ngx_recording_upload_open(ngx_recording_upload_work_t *work);
static void ngx_recording_upload_scan(ngx_recording_upload_work_t *work);
static void ngx_recording_upload_digest(ngx_recording_upload_work_t *work);
static void ngx_recording_upload_note(ngx_recording_upload_work_t *work);
static void ngx_recording_upload_forget(ngx_recording_upload_work_t *work);
static void ngx_recording_upload_remove(ngx_recording_upload_work_t *work,
    u_char *name);
static void ngx_recording_upload_error(ngx_recording_upload_work_t *work,
    const char *failed);


void
ngx_recording_upload_thread(void *data, ngx_log_t *log)
{
    ngx_recording_upload_work_t  *work = data;

    work->rc = NGX_OK;
    work->err = 0;

    switch (work->what) {

    case NGX_RECORDING_UPLOAD_OPEN:
        ngx_recording_upload_open(work);
        break;

    case NGX_RECORDING_UPLOAD_SCAN:
        ngx_recording_upload_scan(work);
        break;

    case NGX_RECORDING_UPLOAD_DIGEST:
        ngx_recording_upload_digest(work);
        break;

    case NGX_RECORDING_UPLOAD_NOTE:
        ngx_recording_upload_note(work);
        break;

    default:
        ngx_recording_upload_forget(work);
    }
}


/* The descriptor stays good when the file gets its last name. */
static void
ngx_recording_upload_open(ngx_recording_upload_work_t *work)
{
    char      text[CR_UPLOAD_NOTE_MAX];
    ssize_t   n;
    ngx_fd_t  fd;

    work->has_note = 0;

    if (!work->no_file) {
        work->fd = open((char *) work->part, O_RDONLY|O_CLOEXEC);

        if (work->fd == NGX_INVALID_FILE && ngx_errno == NGX_ENOENT) {
            work->fd = open((char *) work->final, O_RDONLY|O_CLOEXEC);
        }

        if (work->fd == NGX_INVALID_FILE) {
            ngx_recording_upload_error(work, "open() of the result");
            return;
        }
    }

    fd = open((char *) work->note, O_RDONLY|O_CLOEXEC);

    if (fd == NGX_INVALID_FILE) {

        if (ngx_errno != NGX_ENOENT) {
            ngx_recording_upload_error(work, "open() of the note");
        }

        return;
    }

    n = read(fd, text, sizeof(text));

    if (n == -1) {
        ngx_recording_upload_error(work, "read() of the note");

    } else {
        work->has_note = (cr_upload_note_parse(text, n, &work->noted)
                          == CR_OK);
    }

    (void) ngx_close_file(fd);
}


static void
ngx_recording_upload_scan(ngx_recording_upload_work_t *work)
{
    char      *text;
    size_t     rest, used;
    ssize_t    n;
    ngx_fd_t   fd;

    fd = open((char *) work->ledger, O_RDONLY|O_CLOEXEC);
    if (fd == NGX_INVALID_FILE) {

        /* the first part is still being written */

        if (ngx_errno != NGX_ENOENT) {
            ngx_recording_upload_error(work, "open() of the ledger");
        }

        return;
    }

    text = malloc(NGX_RECORDING_UPLOAD_BLOCK);
    if (text == NULL) {
        ngx_recording_upload_error(work, "malloc()");
        (void) ngx_close_file(fd);
        return;
    }

    do {
        n = pread(fd, text, NGX_RECORDING_UPLOAD_BLOCK, work->pos);

        if (n == -1) {
            ngx_recording_upload_error(work, "read() of the ledger");
            break;
        }

        rest = n;
        used = cr_cover_ledger(&work->cover, text, rest);
        work->pos += used;

    } while (used != 0 && rest == NGX_RECORDING_UPLOAD_BLOCK);

    free(text);
    (void) ngx_close_file(fd);
}


static void
ngx_recording_upload_digest(ngx_recording_upload_work_t *work)
{
    u_char      *block;
    ssize_t      n;
    uint64_t     pos, end;
    EVP_MD_CTX  *md;

    md = EVP_MD_CTX_new();
    block = malloc(NGX_RECORDING_UPLOAD_BLOCK);

    if (md == NULL || block == NULL
        || EVP_DigestInit_ex(md, EVP_md5(), NULL) != 1)
    {
        ngx_recording_upload_error(work, "EVP_DigestInit_ex()");
        goto done;
    }

    end = work->offset + work->size;

    for (pos = work->offset; pos < end; pos += n) {
        n = pread(work->fd, block,
                  ngx_min(end - pos, NGX_RECORDING_UPLOAD_BLOCK), pos);

        if (n <= 0) {
            ngx_recording_upload_error(work, "read() of the result");
            goto done;
        }

        EVP_DigestUpdate(md, block, n);
    }

    EVP_DigestFinal_ex(md, work->md5, NULL);

done:

    EVP_MD_CTX_free(md);
    free(block);
}


/* Under another name first: a note is whole or not there. */
static void
ngx_recording_upload_note(ngx_recording_upload_work_t *work)
{
    char      text[CR_UPLOAD_NOTE_MAX];
    size_t    len;
    u_char    temp[NGX_RECORDING_UPLOAD_PATH_MAX + 8];
    ngx_fd_t  fd;

    len = cr_upload_note(text, &work->noted);

    if (len == 0) {
        ngx_set_errno(NGX_EILSEQ);
        ngx_recording_upload_error(work, "UploadId cannot be noted");
        return;
    }

    ngx_snprintf(temp, sizeof(temp), "%s.new%Z", work->note);

    fd = open((char *) temp, O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC, 0640);
    if (fd == NGX_INVALID_FILE) {
        ngx_recording_upload_error(work, "open() of a note");
        return;
    }

    if (write(fd, text, len) != (ssize_t) len || fdatasync(fd) == -1) {
        ngx_recording_upload_error(work, "write() of a note");
    }

    (void) ngx_close_file(fd);

    if (work->rc == NGX_OK
        && ngx_rename_file(temp, work->note) == NGX_FILE_ERROR)
    {
        ngx_recording_upload_error(work, "rename() of a note");
    }
}


static void
ngx_recording_upload_forget(ngx_recording_upload_work_t *work)
{
    ngx_recording_upload_remove(work, work->note);
    ngx_recording_upload_remove(work, work->ledger);

    if (work->remove) {
        ngx_recording_upload_remove(work, work->final);
    }
}


static void
ngx_recording_upload_remove(ngx_recording_upload_work_t *work, u_char *name)
{
    if (ngx_delete_file(name) == NGX_FILE_ERROR && ngx_errno != NGX_ENOENT) {
        ngx_recording_upload_error(work, "unlink()");
    }
}


void
ngx_recording_upload_paths(ngx_recording_upload_work_t *work,
    const ngx_recording_ref_t *ref, ngx_uint_t attempt)
{
    u_char  dir[NGX_RECORDING_STORE_DIR_MAX];

    ngx_recording_store_local_dir(&ngx_recording_store_local, ref, dir);

    ngx_snprintf(work->part, sizeof(work->part), "%s/.composite.%ui.part%Z",
                 dir, attempt);
    ngx_snprintf(work->ledger, sizeof(work->ledger),
                 "%s/.composite.%ui.ledger%Z", dir, attempt);
    ngx_snprintf(work->note, sizeof(work->note),
                 "%s/.composite.%ui.upload%Z", dir, attempt);
    ngx_snprintf(work->final, sizeof(work->final), "%s/"
                 NGX_RECORDING_UPLOAD_NAME "%Z", dir);
}


static void
ngx_recording_upload_error(ngx_recording_upload_work_t *work,
    const char *failed)
{
    work->err = ngx_errno;
    work->failed = failed;
    work->rc = NGX_ERROR;
}
