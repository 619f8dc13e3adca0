/*
 * Copyright (C) The call recorder authors
 *
 * GETs by FFmpeg's http protocol.  A file comes whole before it is used: the
 * reader never waits in mid-file, a server never for a mix that is slower
 * than it, and what is broken off is told from what is damaged.
 */

#include <inttypes.h>
#include <string.h>

#include "libavutil/avstring.h"
#include "libavutil/dict.h"
#include "libavutil/error.h"
#include "libavutil/log.h"
#include "libavutil/macros.h"
#include "libavutil/mem.h"
#include "libavutil/time.h"

#include "callmix_folder.h"


#define BLOCK_SIZE      65536

/* Less than this between two failures is no progress. */
#define PROGRESS        65536

/* Between tries: doubling. */
#define BACKOFF         250000
#define BACKOFF_MAX     8000000

#define SLEEP_STEP      50000


typedef struct Fetch {
    const CallMixHttp      *http;
    const char             *url;
    const char             *name;
    const AVIOInterruptCB  *interrupt;
    int64_t                 expected;   /* -1: not known */
    uint8_t                *data;
    unsigned                allocated;
    size_t                  used;
} Fetch;


int
ff_callmix_is_url(const char *s)
{
    const char *host;

    if (!av_strstart(s, "http://", &host) && !av_strstart(s, "https://", &host))
        return 0;

    if (!*host || strchr("/?:@", *host) || strlen(s) > CALLMIX_URL_MAX)
        return 0;

    while (*s > ' ' && *s < 0x7f && *s != '#')
        s++;

    return !*s;
}


static int
interrupted(const Fetch *fetch)
{
    return fetch->interrupt && fetch->interrupt->callback
           && fetch->interrupt->callback(fetch->interrupt->opaque);
}


static int
open_url(Fetch *fetch, AVIOContext **io)
{
    AVDictionary *options = NULL;
    int           ret;

    /* the timeout of connecting is tcp's own */

    av_dict_set_int(&options, "rw_timeout", fetch->http->timeout, 0);
    av_dict_set_int(&options, "timeout", fetch->http->timeout, 0);
    av_dict_set(&options, "protocol_whitelist", "http,https,tcp,tls", 0);
    av_dict_set(&options, "user_agent", "callmix", 0);
    av_dict_set(&options, "icy", "0", 0);
    av_dict_set(&options, "tls_verify", "1", 0);
    av_dict_set(&options, "ca_file", fetch->http->ca_file, 0);

    /* no Range where none is needed */

    av_dict_set(&options, "seekable", "0", 0);
    av_dict_set_int(&options, "offset", fetch->used, 0);

    ret = avio_open2(io, fetch->url, AVIO_FLAG_READ, fetch->interrupt,
                     &options);

    av_dict_free(&options);
    return ret;
}


/* What one answer brings, behind what is there already. */
static int
read_body(Fetch *fetch, AVIOContext *io)
{
    int64_t     length = avio_size(io);
    uint8_t    *data;
    int         n;

    for ( ;; ) {
        if (FFMAX(length, (int64_t)fetch->used) > CALLMIX_FILE_MAX)
            return AVERROR(EFBIG);

        /* what a server announces is not allocated before it comes */

        data = av_fast_realloc(fetch->data, &fetch->allocated,
                               fetch->used + BLOCK_SIZE);
        if (!data)
            return AVERROR(ENOMEM);

        fetch->data = data;

        n = avio_read_partial(io, data + fetch->used, BLOCK_SIZE);
        if (n <= 0)
            break;

        fetch->used += n;
    }

    if (n < 0 && n != AVERROR_EOF)
        return n;

    /* a connection that is closed is its end, too, for http */

    if (length < 0)
        length = fetch->expected;

    return length < 0 || fetch->used >= length ? 0 : AVERROR(EIO);
}


/* One request; 0: all is there. */
static int
try_once(Fetch *fetch)
{
    AVIOContext *io = NULL;
    int          ret;

    ret = open_url(fetch, &io);
    if (ret >= 0)
        ret = read_body(fetch, io);

    avio_closep(&io);

    return ret;
}


static int
may_pass(int error)
{
    switch (error) {
    case AVERROR_EXIT:
    case AVERROR_HTTP_BAD_REQUEST:
    case AVERROR_HTTP_UNAUTHORIZED:
    case AVERROR_HTTP_FORBIDDEN:
    case AVERROR_HTTP_NOT_FOUND:
    case AVERROR_PROTOCOL_NOT_FOUND:
    case AVERROR_OPTION_NOT_FOUND:
    case AVERROR(EFBIG):
    case AVERROR(EINVAL):
    case AVERROR(ENOMEM):
        return 0;
    }

    return 1;
}


static void
wait_for(const Fetch *fetch, int64_t us)
{
    int64_t end = av_gettime_relative() + us;

    while (av_gettime_relative() < end && !interrupted(fetch))
        av_usleep(SLEEP_STEP);
}


/* Until it is there, or hardly more came of it for retry_timeout. */
static int
try_until(Fetch *fetch)
{
    const CallMixHttp  *http = fetch->http;
    size_t              before, most = 0;
    int64_t             now, deadline = 0, backoff = BACKOFF;
    int                 ret;

    for ( ;; ) {
        before = fetch->used;
        ret = try_once(fetch);

        if (interrupted(fetch))
            return AVERROR_EXIT;

        if (ret >= 0 || !may_pass(ret))
            return ret;

        now = av_gettime_relative();

        if (fetch->used >= most + PROGRESS || !deadline) {
            most = fetch->used;
            deadline = now + http->retry_timeout;
            backoff = BACKOFF;
        }

        if (now >= deadline)
            return ret;

        av_log(http->log_ctx, AV_LOG_WARNING, "%s: %s, is tried again\n",
               fetch->name, av_err2str(ret));

        /* a server without ranges, or not what it was before */

        if (fetch->used == before)
            fetch->used = 0;

        wait_for(fetch, FFMIN(backoff, deadline - now));
        backoff = FFMIN(2 * backoff, BACKOFF_MAX);
    }
}


int
ff_callmix_fetch(const CallMixHttp *http, const char *url, const char *name,
                 int64_t size, const AVIOInterruptCB *interrupt,
                 CallMixData *data)
{
    Fetch fetch = {
        .http = http,
        .url = url,
        .name = name,
        .interrupt = interrupt,
        .expected = size,
    };
    int   ret;

    ret = try_until(&fetch);
    if (ret < 0) {
        av_free(fetch.data);
        return ret == AVERROR_HTTP_NOT_FOUND ? AVERROR(ENOENT) : ret;
    }

    if (size >= 0 && fetch.used != size) {
        av_log(http->log_ctx, AV_LOG_WARNING,
               "%s has %zu bytes, the journal tells of %" PRId64 "\n",
               name, fetch.used, size);
    }

    data->data = fetch.data;
    data->size = fetch.used;
    return 0;
}
