/*
 * Copyright (C) The call recorder authors
 *
 * A list of the files of a recording and the URL of each, for stores that want
 * a signature in every URL.  Signatures expire: who makes the list can make it
 * anew while a mix is under way.
 */

#include <jansson.h>
#include <string.h>
#include <time.h>

#include "libavutil/avstring.h"
#include "libavutil/error.h"
#include "libavutil/log.h"
#include "libavutil/mem.h"
#include "libavutil/parseutils.h"
#include "libavutil/thread.h"
#include "libavutil/time.h"

#include "callmix_folder.h"


/* A file takes some seconds to come. */
#define EXPIRY_MARGIN       INT64_C(30000000)


struct CallMixManifest {
    char               *where;
    char               *name;
    CallMixHttp         http;

    pthread_mutex_t     mutex;
    json_t             *root;
    int64_t             expires;        /* since the epoch; 0: not known */
};


static int
read_local(const CallMixManifest *manifest, CallMixData *data)
{
    AVIOContext *io = NULL;
    uint8_t     *more;
    unsigned     allocated = 0;
    char        *url;
    int          n, ret;

    url = av_asprintf("file:%s", manifest->where);
    if (!url)
        return AVERROR(ENOMEM);

    ret = avio_open(&io, url, AVIO_FLAG_READ);
    av_free(url);

    while (ret >= 0) {
        more = av_fast_realloc(data->data, &allocated, data->size + 65536);
        if (!more) {
            ret = AVERROR(ENOMEM);
            break;
        }

        data->data = more;

        n = avio_read(io, more + data->size, 65536);
        if (n <= 0) {
            ret = n == AVERROR_EOF ? 0 : n;
            break;
        }

        data->size += n;
        if (data->size > CALLMIX_FILE_MAX)
            ret = AVERROR(EFBIG);
    }

    avio_closep(&io);

    return ret;
}


static int
read_text(const CallMixManifest *manifest, const AVIOInterruptCB *interrupt,
          CallMixData *data)
{
    int ret;

    if (ff_callmix_is_url(manifest->where)) {
        ret = ff_callmix_fetch(&manifest->http, manifest->where,
                               manifest->name, -1, interrupt, data);
    } else {
        ret = read_local(manifest, data);
    }

    if (ret < 0 && ret != AVERROR_EXIT) {
        av_log(manifest->http.log_ctx, AV_LOG_ERROR, "%s: %s\n",
               manifest->name, av_err2str(ret));
    }

    return ret;
}


/* What is wrong with it, or NULL. */
static const char *
check(json_t *root, int64_t *expires)
{
    json_t         *files = json_object_get(root, "files"), *value;
    const char     *key;

    *expires = 0;

    if (!json_is_object(files))
        return "there is no object \"files\"";

    json_object_foreach(files, key, value) {
        if (!json_is_string(value)
            || !ff_callmix_is_url(json_string_value(value)))
        {
            return "one of the files has no http(s) URL";
        }
    }

    value = json_object_get(root, "expiresAt");

    if (value && (!json_is_string(value)
                  || av_parse_time(expires, json_string_value(value), 0) < 0))
    {
        return "\"expiresAt\" is not a time";
    }

    return NULL;
}


static int
load(CallMixManifest *manifest, const AVIOInterruptCB *interrupt)
{
    const char     *wrong;
    CallMixData     data = { NULL };
    json_error_t    error;
    json_t         *root;
    int64_t         expires = 0;
    int             ret;

    ret = read_text(manifest, interrupt, &data);
    if (ret < 0) {
        av_free(data.data);
        return ret;
    }

    root = json_loadb((const char *)data.data, data.size, 0, &error);
    av_free(data.data);

    wrong = root ? check(root, &expires) : error.text;
    if (wrong) {
        av_log(manifest->http.log_ctx, AV_LOG_ERROR,
               "%s is not a list of files: %s\n", manifest->name, wrong);
        json_decref(root);
        return AVERROR_INVALIDDATA;
    }

    json_decref(manifest->root);
    manifest->root = root;
    manifest->expires = expires;

    return 0;
}


int
ff_callmix_manifest_open(CallMixManifest **manifestp, const char *where,
                         const char *name, const CallMixHttp *http)
{
    CallMixManifest *manifest;
    int              ret;

    manifest = av_mallocz(sizeof(*manifest));
    if (!manifest)
        return AVERROR(ENOMEM);

    pthread_mutex_init(&manifest->mutex, NULL);

    manifest->http = *http;
    manifest->where = av_strdup(where);
    manifest->name = av_strdup(name);

    ret = manifest->where && manifest->name ? load(manifest, NULL)
                                            : AVERROR(ENOMEM);
    if (ret < 0)
        ff_callmix_manifest_close(&manifest);

    *manifestp = manifest;
    return ret;
}


void
ff_callmix_manifest_close(CallMixManifest **manifestp)
{
    CallMixManifest *manifest = *manifestp;

    if (manifest) {
        json_decref(manifest->root);
        pthread_mutex_destroy(&manifest->mutex);
        av_freep(&manifest->where);
        av_freep(&manifest->name);
    }

    av_freep(manifestp);
}


static const char *
find(const CallMixManifest *manifest, const char *file)
{
    return json_string_value(json_object_get(json_object_get(manifest->root,
                                                             "files"), file));
}


static int
find_fresh(CallMixManifest *manifest, const char *file, const char *refused,
           const AVIOInterruptCB *interrupt, char **url)
{
    const char *found = find(manifest, file);
    int         ret;

    if (refused ? found && !strcmp(found, refused)
                : manifest->expires
                  && av_gettime() >= manifest->expires - EXPIRY_MARGIN)
    {
        av_log(manifest->http.log_ctx, AV_LOG_VERBOSE,
               "%s is read anew\n", manifest->name);

        ret = load(manifest, interrupt);
        if (ret < 0)
            return ret;

        found = find(manifest, file);
    }

    if (!found)
        return AVERROR(ENOENT);

    if (refused && !strcmp(found, refused))
        return AVERROR(EACCES);

    *url = av_strdup(found);
    return *url ? 0 : AVERROR(ENOMEM);
}


int
ff_callmix_manifest_url(CallMixManifest *manifest, const char *file,
                        const char *refused,
                        const AVIOInterruptCB *interrupt, char **url)
{
    int ret;

    pthread_mutex_lock(&manifest->mutex);
    ret = find_fresh(manifest, file, refused, interrupt, url);
    pthread_mutex_unlock(&manifest->mutex);

    return ret;
}
