/*
 * Copyright (C) The call recorder authors
 *
 * The folder of a recording and its files.  Those of this machine are read
 * where they are, others come into memory, each in a thread of its own.
 */

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "libavutil/avstring.h"
#include "libavutil/bprint.h"
#include "libavutil/error.h"
#include "libavutil/log.h"
#include "libavutil/macros.h"
#include "libavutil/mem.h"
#include "libavutil/thread.h"

#include "callmix_folder.h"


#define BUFFER_SIZE     32768

/* What is itself in the path of a URL (RFC 3986, 2.3), and slashes. */
#define UNRESERVED      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" \
                        "0123456789-._~/"


struct CallMixFolder {
    char               *dir;            /* NULL: the manifest's */
    char               *name;
    char               *ca_file;
    CallMixHttp         http;
    CallMixManifest    *manifest;
    int                 remote;
};


struct CallMixFile {
    CallMixFolder      *folder;
    char               *name;
    int64_t             size;           /* as told; -1: not known */
    AVIOInterruptCB     interrupt;
    AVIOContext        *io;

    /* of a remote one */
    pthread_t           thread;
    int                 has_thread;
    atomic_int          closing;
    int                 error;
    CallMixData         data;
    size_t              pos;
};


/* ---- the folder ---- */

/* A URL without user, password, query: "https://host/path". */
static char *
plain_name(const char *where)
{
    const char *user, *host;
    size_t      len;

    if (!ff_callmix_is_url(where))
        return av_strdup(where);

    user = strstr(where, "://") + 3;
    host = user + strcspn(user, "/?");

    while (host > user && host[-1] != '@')
        host--;

    len = strcspn(host, "?");

    return av_asprintf("%.*s%.*s", (int)(user - where), where, (int)len, host);
}


static int
open_where(CallMixFolder *folder, const char *where)
{
    const char *scheme;

    folder->remote = ff_callmix_is_url(where);
    folder->name = plain_name(where);

    if (!folder->name)
        return AVERROR(ENOMEM);

    if (!folder->remote && (av_strstart(where, "http://", &scheme)
                            || av_strstart(where, "https://", &scheme)))
    {
        av_log(folder->http.log_ctx, AV_LOG_ERROR, "dir or manifest is no "
               "URL: a host, at most %d printable characters of ASCII and no "
               "\"#\" are needed\n", CALLMIX_URL_MAX);
        return AVERROR(EINVAL);
    }

    return 0;
}


int
ff_callmix_folder_open(CallMixFolder **folderp, const char *dir,
                       const char *manifest, const CallMixHttp *http)
{
    CallMixFolder *folder;
    int            ret;

    folder = av_mallocz(sizeof(*folder));
    if (!folder)
        return AVERROR(ENOMEM);

    folder->http = *http;
    folder->http.ca_file = folder->ca_file = av_strdup(http->ca_file);
    folder->dir = dir ? av_strdup(dir) : NULL;

    ret = folder->ca_file && (!dir || folder->dir)
          ? open_where(folder, dir ? dir : manifest) : AVERROR(ENOMEM);

    if (ret >= 0 && !dir) {
        ret = ff_callmix_manifest_open(&folder->manifest, manifest,
                                       folder->name, &folder->http);
        folder->remote = 1;
    }

    if (ret < 0)
        ff_callmix_folder_close(&folder);

    *folderp = folder;
    return ret;
}


void
ff_callmix_folder_close(CallMixFolder **folderp)
{
    CallMixFolder *folder = *folderp;

    if (folder) {
        ff_callmix_manifest_close(&folder->manifest);
        av_freep(&folder->dir);
        av_freep(&folder->name);
        av_freep(&folder->ca_file);
    }

    av_freep(folderp);
}


const char *
ff_callmix_folder_name(const CallMixFolder *folder)
{
    return folder->name;
}


int
ff_callmix_folder_is_remote(const CallMixFolder *folder)
{
    return folder->remote;
}


/* Puts the name behind the path, before the query. */
static int
join_url(const char *base, const char *name, char **url)
{
    AVBPrint    bp;
    size_t      len = strcspn(base, "?");
    const char *query = base + len;

    while (len && base[len - 1] == '/')
        len--;

    av_bprint_init(&bp, 256, AV_BPRINT_SIZE_UNLIMITED);
    av_bprintf(&bp, "%.*s/", (int)len, base);

    for ( ; *name; name++) {
        if (strspn(name, UNRESERVED))
            av_bprint_chars(&bp, *name, 1);
        else
            av_bprintf(&bp, "%%%02X", (uint8_t)*name);
    }

    av_bprintf(&bp, "%s", query);

    if (bp.len > CALLMIX_URL_MAX) {
        av_bprint_finalize(&bp, NULL);
        return AVERROR(ENAMETOOLONG);
    }

    return av_bprint_finalize(&bp, url);
}


/* ---- a file that comes ---- */

static int
is_closing(void *opaque)
{
    CallMixFile            *file = opaque;
    const AVIOInterruptCB  *interrupt = &file->interrupt;

    return atomic_load(&file->closing)
           || (interrupt->callback && interrupt->callback(interrupt->opaque));
}


static int
fetch_url(CallMixFile *file, const char *url, const AVIOInterruptCB *interrupt)
{
    return ff_callmix_fetch(&file->folder->http, url, file->name, file->size,
                            interrupt, &file->data);
}


/* What expired keys and signatures are answered by. */
static int
is_refusal(int error)
{
    return error == AVERROR_HTTP_BAD_REQUEST
           || error == AVERROR_HTTP_UNAUTHORIZED
           || error == AVERROR_HTTP_FORBIDDEN;
}


static int
fetch_listed(CallMixFile *file, const AVIOInterruptCB *interrupt)
{
    CallMixManifest *manifest = file->folder->manifest;
    char            *url = NULL, *other = NULL;
    int              ret, again;

    ret = ff_callmix_manifest_url(manifest, file->name, NULL, interrupt, &url);
    if (ret < 0)
        return ret;

    ret = fetch_url(file, url, interrupt);

    if (is_refusal(ret)) {
        again = ff_callmix_manifest_url(manifest, file->name, url, interrupt,
                                        &other);
        if (again >= 0)
            ret = fetch_url(file, other, interrupt);
        else if (again != AVERROR(EACCES))
            ret = again;
    }

    av_free(url);
    av_free(other);
    return ret;
}


static int
fetch_joined(CallMixFile *file, const AVIOInterruptCB *interrupt)
{
    char   *url;
    int     ret;

    ret = join_url(file->folder->dir, file->name, &url);
    if (ret < 0)
        return ret;

    ret = fetch_url(file, url, interrupt);

    av_free(url);
    return ret;
}


static void *
run(void *opaque)
{
    CallMixFile            *file = opaque;
    const AVIOInterruptCB   interrupt = { is_closing, file };

    file->error = file->folder->manifest ? fetch_listed(file, &interrupt)
                                         : fetch_joined(file, &interrupt);
    return NULL;
}


static int
read_data(void *opaque, uint8_t *buf, int size)
{
    CallMixFile *file = opaque;

    size = FFMIN(size, file->data.size - file->pos);
    if (size <= 0)
        return AVERROR_EOF;

    memcpy(buf, file->data.data + file->pos, size);
    file->pos += size;

    return size;
}


static int64_t
seek_data(void *opaque, int64_t offset, int whence)
{
    CallMixFile *file = opaque;

    whence &= ~AVSEEK_FORCE;

    if (whence == AVSEEK_SIZE)
        return file->data.size;

    if (whence == SEEK_CUR)
        offset += file->pos;
    else if (whence == SEEK_END)
        offset += file->data.size;

    if (offset < 0 || offset > file->data.size)
        return AVERROR(EINVAL);

    return file->pos = offset;
}


static int
open_data(CallMixFile *file)
{
    uint8_t *buffer;

    buffer = av_malloc(BUFFER_SIZE);
    if (!buffer)
        return AVERROR(ENOMEM);

    file->io = avio_alloc_context(buffer, BUFFER_SIZE, 0, file, read_data,
                                  NULL, seek_data);
    if (!file->io) {
        av_free(buffer);
        return AVERROR(ENOMEM);
    }

    return 0;
}


/* ---- any file ---- */

int
ff_callmix_file_open(CallMixFile **filep, CallMixFolder *folder,
                     const char *name, int64_t size,
                     const AVIOInterruptCB *interrupt)
{
    CallMixFile *file;
    int          ret;

    file = av_mallocz(sizeof(*file));
    if (!file)
        return AVERROR(ENOMEM);

    file->folder = folder;
    file->size = size;
    file->name = av_strdup(name);
    atomic_init(&file->closing, 0);

    if (interrupt)
        file->interrupt = *interrupt;

    if (!file->name) {
        av_free(file);
        return AVERROR(ENOMEM);
    }

    if (folder->remote) {
        ret = pthread_create(&file->thread, NULL, run, file);
        if (ret) {
            ff_callmix_file_close(&file);
            return AVERROR(ret);
        }

        file->has_thread = 1;
    }

    *filep = file;
    return 0;
}


static void
join_thread(CallMixFile *file)
{
    if (file->has_thread)
        pthread_join(file->thread, NULL);

    file->has_thread = 0;
}


static int
open_local(CallMixFile *file)
{
    char   *url;
    int     ret;

    url = av_asprintf("file:%s/%s", file->folder->dir, file->name);
    if (!url)
        return AVERROR(ENOMEM);

    ret = avio_open(&file->io, url, AVIO_FLAG_READ);

    av_free(url);
    return ret;
}


int
ff_callmix_file_io(CallMixFile *file, AVIOContext **io)
{
    int ret = 0;

    join_thread(file);

    if (file->error < 0)
        return file->error;

    if (!file->io)
        ret = file->folder->remote ? open_data(file) : open_local(file);

    *io = file->io;
    return ret;
}


void
ff_callmix_file_close(CallMixFile **filep)
{
    CallMixFile *file = *filep;

    if (file) {
        atomic_store(&file->closing, 1);
        join_thread(file);

        if (!file->folder->remote) {
            avio_closep(&file->io);

        } else if (file->io) {
            av_freep(&file->io->buffer);
            avio_context_free(&file->io);
        }

        av_freep(&file->data.data);
        av_freep(&file->name);
    }

    av_freep(filep);
}
