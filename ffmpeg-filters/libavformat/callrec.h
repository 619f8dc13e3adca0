/*
 * Copyright (C) The call recorder authors
 *
 * callrec: how the muxer hands a file back to nginx, docs/mix-protocol.md.
 */

#ifndef AVFORMAT_CALLREC_H
#define AVFORMAT_CALLREC_H


#include <stddef.h>
#include <stdint.h>

#include "libavformat/avio.h"


/* ---- a small HTTP/1.1 client, one kept connection (callrec_http.c) ---- */

typedef struct CallRecHTTP CallRecHTTP;

/* url is the base of all requests; token goes into each of them. */
int ff_callrec_http_alloc(CallRecHTTP **http, const char *url,
                          const char *token, const char *ca_file,
                          const AVIOInterruptCB *interrupt, void *log_ctx);
void ff_callrec_http_free(CallRecHTTP **http);

/*
 * Sends a request and reads its answer: the status code, or an error when
 * there was none.  headers: complete lines, or "".
 */
int ff_callrec_http_request(CallRecHTTP *http, const char *method,
                            const char *path, const char *headers,
                            const uint8_t *body, size_t size);


/* ---- parts on their way, in a thread (callrec_upload.c) ---- */

typedef struct CallRecUpload CallRecUpload;

typedef struct CallRecUploadParams {
    const char             *url;
    const char             *token;
    const char             *ca_file;
    int64_t                 retry_timeout;  /* microseconds */
    int                     queue;          /* parts that may wait */
    AVIOInterruptCB         interrupt;
    void                   *log_ctx;
} CallRecUploadParams;

/* The strings are copied; heartbeats begin. */
int ff_callrec_upload_start(CallRecUpload **upload,
                            const CallRecUploadParams *params);

/*
 * Queues a part and takes over its data (av_malloc()) in any case.  Waits while
 * the queue is full; an error of the upload comes out here.
 */
int ff_callrec_upload_part(CallRecUpload *upload, int number, int64_t offset,
                           uint8_t *data, size_t size);

/* The output time that heartbeats tell. */
void ff_callrec_upload_time(CallRecUpload *upload, int64_t ms);

/* Waits until all parts have arrived. */
int ff_callrec_upload_flush(CallRecUpload *upload);

/* After a flush: the SHA-256 of the parts' SHA-256s in hex, 65 bytes. */
int ff_callrec_upload_digest(const CallRecUpload *upload, char *hex);

/* After a flush: the last request; json is its body. */
int ff_callrec_upload_complete(CallRecUpload *upload, const char *json);

/* Ends the thread; unless completed, nginx is told that nothing comes. */
void ff_callrec_upload_free(CallRecUpload **upload, const char *error);


#endif /* AVFORMAT_CALLREC_H */
