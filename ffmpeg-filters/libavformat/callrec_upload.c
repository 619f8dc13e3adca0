/*
 * Copyright (C) The call recorder authors
 *
 * Sends parts in a thread of its own, so that encoding goes on meanwhile, and
 * a heartbeat each second; tries again when the server or the way to it has
 * trouble.
 */

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "libavutil/avstring.h"
#include "libavutil/base64.h"
#include "libavutil/bprint.h"
#include "libavutil/error.h"
#include "libavutil/fifo.h"
#include "libavutil/log.h"
#include "libavutil/macros.h"
#include "libavutil/mem.h"
#include "libavutil/sha.h"
#include "libavutil/thread.h"
#include "libavutil/time.h"

#include "callrec.h"


#define HEARTBEAT           1000000
#define BACKOFF_FIRST       250000
#define BACKOFF_MAX         8000000
#define ABORT_TIMEOUT       3000000

#define SHA_SIZE            32
#define BASE64_SIZE         AV_BASE64_SIZE(SHA_SIZE)


typedef struct Part {
    int         number;
    int64_t     offset;
    uint8_t    *data;
    size_t      size;
} Part;


struct CallRecUpload {
    void               *log_ctx;
    CallRecHTTP        *http;
    AVIOInterruptCB     outer;
    AVIOInterruptCB     interrupt;
    int64_t             retry_timeout;
    int                 max_parts;
    struct AVSHA       *sha;

    pthread_t           thread;
    int                 has_thread;
    pthread_mutex_t     mutex;
    pthread_cond_t      changed;

    atomic_int_least64_t    out_time;   /* ms */
    atomic_int_least64_t    deadline;   /* of the requests; 0: none */
    atomic_int              quit;

    /* under the mutex */
    AVFifo             *parts;
    int                 busy;           /* a part is out of the queue */
    int                 error;
    int                 refused;        /* nginx does not want it any more */
    int                 finish;         /* the thread ends without haste */

    /* the thread's, and everybody's after a flush */
    uint8_t            *digests;        /* SHA_SIZE bytes for each number */
    int                 nb_digests;
    int                 completed;
};


static int
interrupted(void *opaque)
{
    CallRecUpload  *up = opaque;
    int64_t         deadline = atomic_load(&up->deadline);

    if (deadline)
        return av_gettime_relative() > deadline;

    return atomic_load(&up->quit)
           || (up->outer.callback && up->outer.callback(up->outer.opaque));
}


/* Waits for a change; the mutex is held.  timeout in microseconds. */
static void
wait_changed(CallRecUpload *up, int64_t timeout)
{
    struct timespec until;
    int64_t         at = av_gettime() + timeout;

    until.tv_sec = at / 1000000;
    until.tv_nsec = at % 1000000 * 1000;

    pthread_cond_timedwait(&up->changed, &up->mutex, &until);
}


/* Whether the same request may succeed later. */
static int
is_temporary(int status)
{
    return status < 0 || status >= 500 || status == 408 || status == 429;
}


static int
request(CallRecUpload *up, const char *method, const char *path,
        const char *headers, const uint8_t *body, size_t size)
{
    int64_t     failed = 0, backoff = BACKOFF_FIRST;
    int         status;

    for ( ;; ) {
        status = ff_callrec_http_request(up->http, method, path, headers, body,
                                         size);
        if (status >= 200 && status < 300)
            return 0;

        if (atomic_load(&up->quit))
            return AVERROR_EXIT;

        if (!is_temporary(status)) {
            av_log(up->log_ctx, AV_LOG_ERROR, "%s %s: refused with %d\n",
                   method, path, status);
            pthread_mutex_lock(&up->mutex);
            up->refused = 1;
            pthread_mutex_unlock(&up->mutex);
            return AVERROR_EXTERNAL;
        }

        if (!failed)
            failed = av_gettime_relative();

        if (av_gettime_relative() - failed + backoff > up->retry_timeout) {
            av_log(up->log_ctx, AV_LOG_ERROR, "%s %s: given up\n", method,
                   path);
            return status < 0 ? status : AVERROR(EIO);
        }

        if (status < 0) {
            av_log(up->log_ctx, AV_LOG_WARNING, "%s %s: %s, trying again\n",
                   method, path, av_err2str(status));
        } else {
            av_log(up->log_ctx, AV_LOG_WARNING, "%s %s: %d, trying again\n",
                   method, path, status);
        }

        pthread_mutex_lock(&up->mutex);
        for (int64_t end = av_gettime_relative() + backoff, left;
             (left = end - av_gettime_relative()) > 0
             && !atomic_load(&up->quit); )
        {
            wait_changed(up, left);
        }
        pthread_mutex_unlock(&up->mutex);

        backoff = FFMIN(backoff * 2, BACKOFF_MAX);
    }
}


static int
keep_digest(CallRecUpload *up, int number, const uint8_t *digest)
{
    uint8_t *digests;

    if (number >= up->nb_digests) {
        digests = av_realloc_array(up->digests, number + 1, SHA_SIZE);
        if (!digests)
            return AVERROR(ENOMEM);

        memset(digests + (size_t)up->nb_digests * SHA_SIZE, 0,
               (size_t)(number + 1 - up->nb_digests) * SHA_SIZE);
        up->digests = digests;
        up->nb_digests = number + 1;
    }

    memcpy(up->digests + (size_t)number * SHA_SIZE, digest, SHA_SIZE);
    return 0;
}


static int
send_part(CallRecUpload *up, const Part *part)
{
    uint8_t     digest[SHA_SIZE];
    char        base64[BASE64_SIZE], path[64], headers[256];
    int         ret;

    av_sha_init(up->sha, 256);
    av_sha_update(up->sha, part->data, part->size);
    av_sha_final(up->sha, digest);

    ret = keep_digest(up, part->number, digest);
    if (ret < 0)
        return ret;

    av_base64_encode(base64, sizeof(base64), digest, sizeof(digest));

    snprintf(path, sizeof(path), "/parts/%d?offset=%" PRId64, part->number,
             part->offset);
    snprintf(headers, sizeof(headers),
             "Content-Type: application/octet-stream\r\n"
             "Content-Digest: sha-256=:%s:\r\n"
             "Callrec-Out-Time-Ms: %" PRId64 "\r\n", base64,
             (int64_t)atomic_load(&up->out_time));

    return request(up, "PUT", path, headers, part->data, part->size);
}


static int
send_heartbeat(CallRecUpload *up)
{
    char headers[64];

    snprintf(headers, sizeof(headers), "Callrec-Out-Time-Ms: %" PRId64 "\r\n",
             (int64_t)atomic_load(&up->out_time));

    return request(up, "POST", "/progress", headers, NULL, 0);
}


static void *
run(void *opaque)
{
    CallRecUpload  *up = opaque;
    int64_t         next = av_gettime_relative(), now;
    Part            part;
    int             ret = 0;

    pthread_mutex_lock(&up->mutex);

    while (ret >= 0 && !up->finish && !atomic_load(&up->quit)) {
        now = av_gettime_relative();

        if (now >= next) {
            next = now + HEARTBEAT;
            pthread_mutex_unlock(&up->mutex);
            ret = send_heartbeat(up);
            pthread_mutex_lock(&up->mutex);

        } else if (av_fifo_read(up->parts, &part, 1) >= 0) {
            up->busy = 1;
            pthread_mutex_unlock(&up->mutex);
            ret = send_part(up, &part);
            av_free(part.data);
            pthread_mutex_lock(&up->mutex);
            up->busy = 0;
            pthread_cond_broadcast(&up->changed);

        } else {
            wait_changed(up, next - now);
        }
    }

    if (ret < 0)
        up->error = ret;

    pthread_cond_broadcast(&up->changed);
    pthread_mutex_unlock(&up->mutex);
    return NULL;
}


int
ff_callrec_upload_start(CallRecUpload **upp, const CallRecUploadParams *params)
{
    CallRecUpload  *up;
    int             ret;

    up = av_mallocz(sizeof(*up));
    if (!up)
        return AVERROR(ENOMEM);

    pthread_mutex_init(&up->mutex, NULL);
    pthread_cond_init(&up->changed, NULL);
    atomic_init(&up->out_time, 0);
    atomic_init(&up->deadline, 0);
    atomic_init(&up->quit, 0);

    up->log_ctx = params->log_ctx;
    up->outer = params->interrupt;
    up->interrupt.callback = interrupted;
    up->interrupt.opaque = up;
    up->retry_timeout = params->retry_timeout;
    up->max_parts = params->queue;

    up->sha = av_sha_alloc();
    up->parts = av_fifo_alloc2(params->queue, sizeof(Part), 0);

    if (!up->sha || !up->parts) {
        ret = AVERROR(ENOMEM);
        goto fail;
    }

    ret = ff_callrec_http_alloc(&up->http, params->url, params->token,
                                params->ca_file, &up->interrupt, up->log_ctx);
    if (ret < 0)
        goto fail;

    ret = pthread_create(&up->thread, NULL, run, up);
    if (ret) {
        ret = AVERROR(ret);
        goto fail;
    }

    up->has_thread = 1;
    *upp = up;
    return 0;

fail:
    ff_callrec_upload_free(&up, NULL);
    return ret;
}


int
ff_callrec_upload_part(CallRecUpload *up, int number, int64_t offset,
                       uint8_t *data, size_t size)
{
    Part    part = { number, offset, data, size };
    int     ret;

    pthread_mutex_lock(&up->mutex);

    while (!up->error && !av_fifo_can_write(up->parts))
        pthread_cond_wait(&up->changed, &up->mutex);

    ret = up->error ? up->error : av_fifo_write(up->parts, &part, 1);

    pthread_cond_broadcast(&up->changed);
    pthread_mutex_unlock(&up->mutex);

    if (ret < 0)
        av_free(data);

    return ret;
}


void
ff_callrec_upload_time(CallRecUpload *up, int64_t ms)
{
    atomic_store(&up->out_time, ms);
}


int
ff_callrec_upload_flush(CallRecUpload *up)
{
    int ret;

    pthread_mutex_lock(&up->mutex);

    while (!up->error && (up->busy || av_fifo_can_read(up->parts)))
        pthread_cond_wait(&up->changed, &up->mutex);

    ret = up->error;
    pthread_mutex_unlock(&up->mutex);
    return ret;
}


int
ff_callrec_upload_digest(const CallRecUpload *up, char *hex)
{
    struct AVSHA   *sha = av_sha_alloc();
    uint8_t         digest[SHA_SIZE];

    if (!sha)
        return AVERROR(ENOMEM);

    av_sha_init(sha, 256);
    av_sha_update(sha, up->digests, (size_t)up->nb_digests * SHA_SIZE);
    av_sha_final(sha, digest);
    av_free(sha);

    for (int i = 0; i < SHA_SIZE; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);

    return 0;
}


/* The thread has no part in the last requests. */
static void
stop_thread(CallRecUpload *up)
{
    if (!up->has_thread)
        return;

    pthread_mutex_lock(&up->mutex);
    up->finish = 1;
    pthread_cond_broadcast(&up->changed);
    pthread_mutex_unlock(&up->mutex);

    pthread_join(up->thread, NULL);
    up->has_thread = 0;
}


int
ff_callrec_upload_complete(CallRecUpload *up, const char *json)
{
    int ret;

    stop_thread(up);

    if (up->error)
        return up->error;

    ret = request(up, "POST", "/complete", "Content-Type: application/json\r\n",
                  (const uint8_t *)json, strlen(json));
    up->error = ret;
    up->completed = ret >= 0;
    return ret;
}


static void
send_abort(CallRecUpload *up, const char *error)
{
    AVBPrint json;

    av_bprint_init(&json, 0, 4096);
    av_bprintf(&json, "{\"error\":\"");

    for (const char *p = error; *p; p++) {
        if (*p == '"' || *p == '\\')
            av_bprintf(&json, "\\%c", *p);
        else if ((unsigned char)*p >= 0x20)
            av_bprint_chars(&json, *p, 1);
    }

    av_bprintf(&json, "\"}");

    atomic_store(&up->deadline, av_gettime_relative() + ABORT_TIMEOUT);

    if (av_bprint_is_complete(&json)) {
        ff_callrec_http_request(up->http, "POST", "/abort",
                                "Content-Type: application/json\r\n",
                                (const uint8_t *)json.str, json.len);
    }

    av_bprint_finalize(&json, NULL);
}


void
ff_callrec_upload_free(CallRecUpload **upp, const char *error)
{
    CallRecUpload  *up = *upp;
    Part            part;

    if (!up)
        return;

    atomic_store(&up->quit, 1);
    stop_thread(up);

    if (error && up->http && !up->completed && !up->refused)
        send_abort(up, error);

    while (up->parts && av_fifo_read(up->parts, &part, 1) >= 0)
        av_free(part.data);

    av_fifo_freep2(&up->parts);
    ff_callrec_http_free(&up->http);
    av_freep(&up->sha);
    av_freep(&up->digests);

    pthread_cond_destroy(&up->changed);
    pthread_mutex_destroy(&up->mutex);
    av_freep(upp);
}
