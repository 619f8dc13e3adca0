/*
 * Copyright (C) The call recorder authors
 *
 * A small HTTP/1.1 client (RFC 9112).  FFmpeg's own http protocol hides the
 * answer to a PUT, and what nginx answers decides what happens next.
 */

#include <stdlib.h>
#include <string.h>

#include "libavutil/avstring.h"
#include "libavutil/bprint.h"
#include "libavutil/dict.h"
#include "libavutil/error.h"
#include "libavutil/log.h"
#include "libavutil/macros.h"
#include "libavutil/mem.h"

#define CALLREC_MUXER
#include "compat/callrec.h"
#include "callrec.h"


#define MAX_HEADER      16384

/* A longer body is not read: the connection is closed. */
#define MAX_BODY        65536

/* Without a sign of life for so long a connection is broken. */
#define IO_TIMEOUT      "60000000"


struct CallRecHTTP {
    char                    host[256];
    char                    path[1024];
    char                    server[512];    /* tcp://host:port, tls://... */
    char                   *token;
    char                   *ca_file;
    const AVIOInterruptCB  *interrupt;
    void                   *log_ctx;

    URLContext             *conn;
    char                    buffer[MAX_HEADER + 1];
    int                     used;           /* bytes in buffer */
};


int
ff_callrec_http_alloc(CallRecHTTP **httpp, const char *url, const char *token,
                      const char *ca_file, const AVIOInterruptCB *interrupt,
                      void *log_ctx)
{
    CallRecHTTP *http;
    char         proto[16], host[200];
    int          port, tls;

    http = av_mallocz(sizeof(*http));
    if (!http)
        return AVERROR(ENOMEM);

    av_url_split(proto, sizeof(proto), NULL, 0, host, sizeof(host), &port,
                 http->path, sizeof(http->path), url);

    tls = !strcmp(proto, "https");

    if ((!tls && strcmp(proto, "http")) || !*host || *http->path != '/'
        || strpbrk(http->path, "?# \r\n"))
    {
        av_log(log_ctx, AV_LOG_ERROR, "%s is not a URL of the form "
               "http://host/path\n", url);
        av_free(http);
        return AVERROR(EINVAL);
    }

    if (port < 0) {
        port = tls ? 443 : 80;
        ff_url_join(http->host, sizeof(http->host), NULL, NULL, host, -1,
                    NULL);
    } else {
        ff_url_join(http->host, sizeof(http->host), NULL, NULL, host, port,
                    NULL);
    }

    ff_url_join(http->server, sizeof(http->server), tls ? "tls" : "tcp", NULL,
                host, port, NULL);

    http->token = av_strdup(token);
    http->ca_file = ca_file ? av_strdup(ca_file) : NULL;
    http->interrupt = interrupt;
    http->log_ctx = log_ctx;

    if (!http->token || (ca_file && !http->ca_file)) {
        ff_callrec_http_free(&http);
        return AVERROR(ENOMEM);
    }

    *httpp = http;
    return 0;
}


void
ff_callrec_http_free(CallRecHTTP **httpp)
{
    CallRecHTTP *http = *httpp;

    if (http) {
        ffurl_closep(&http->conn);
        av_freep(&http->token);
        av_freep(&http->ca_file);
    }

    av_freep(httpp);
}


static int
open_connection(CallRecHTTP *http)
{
    AVDictionary *options = NULL;
    int           ret;

    if (http->conn)
        return 0;

    av_dict_set(&options, "rw_timeout", IO_TIMEOUT, 0);

    if (http->ca_file) {
        av_dict_set(&options, "ca_file", http->ca_file, 0);
        av_dict_set(&options, "tls_verify", "1", 0);
    }

    ret = ffurl_open_whitelist(&http->conn, http->server, AVIO_FLAG_READ_WRITE,
                               http->interrupt, &options, "tcp,tls", NULL,
                               NULL);
    av_dict_free(&options);

    http->used = 0;
    return ret;
}


static int
write_all(CallRecHTTP *http, const uint8_t *data, size_t size)
{
    int n;

    while (size) {
        n = ffurl_write(http->conn, data, FFMIN(size, 1 << 20));
        if (n < 0)
            return n;

        data += n;
        size -= n;
    }

    return 0;
}


/* The value of a header in the header section, or NULL. */
static const char *
header_value(const char *header, const char *name)
{
    const char *line = header;
    size_t      len = strlen(name);

    while ((line = strstr(line, "\r\n"))) {
        line += 2;

        if (!av_strncasecmp(line, name, len) && line[len] == ':') {
            line += len + 1;
            return line + strspn(line, " \t");
        }
    }

    return NULL;
}


/* Reads up to the end of a header section; its length. */
static int
read_header(CallRecHTTP *http)
{
    char   *end;
    int     n;

    for ( ;; ) {
        http->buffer[http->used] = 0;
        end = strstr(http->buffer, "\r\n\r\n");
        if (end)
            return end + 4 - http->buffer;

        if (http->used == MAX_HEADER)
            return AVERROR_INVALIDDATA;

        n = ffurl_read(http->conn, (uint8_t *)http->buffer + http->used,
                       MAX_HEADER - http->used);
        if (n == 0)
            return AVERROR_EOF;
        if (n < 0)
            return n;

        http->used += n;
    }
}


static void
take(CallRecHTTP *http, int n)
{
    http->used -= n;
    memmove(http->buffer, http->buffer + n, http->used);
}


/* Passes over the body and logs its beginning if it tells of an error. */
static int
read_body(CallRecHTTP *http, int64_t length, int status)
{
    int logged = status < 400, n;

    while (length) {
        if (!http->used) {
            n = ffurl_read(http->conn, (uint8_t *)http->buffer, MAX_HEADER);
            if (n <= 0)
                return n ? n : AVERROR_EOF;

            http->used = n;
        }

        n = FFMIN(http->used, length);

        if (!logged) {
            av_log(http->log_ctx, AV_LOG_WARNING, "nginx says %d: %.*s\n",
                   status, FFMIN(n, 500), http->buffer);
            logged = 1;
        }

        take(http, n);
        length -= n;
    }

    return 0;
}


static int
read_answer(CallRecHTTP *http)
{
    const char *value;
    int64_t     length = 0;
    int         header, status, keep, ret;

    do {
        header = read_header(http);
        if (header < 0)
            return header;

        if (strncmp(http->buffer, "HTTP/1.", 7)
            || strlen(http->buffer) < 12)
        {
            return AVERROR_INVALIDDATA;
        }

        http->buffer[header - 2] = 0;
        status = atoi(http->buffer + 9);

        if (status < 100 || status > 599)
            return AVERROR_INVALIDDATA;

        keep = !strncmp(http->buffer, "HTTP/1.1", 8);

        value = header_value(http->buffer, "Connection");
        if (value && !av_strncasecmp(value, "close", 5))
            keep = 0;

        if (header_value(http->buffer, "Transfer-Encoding"))
            keep = 0;

        value = header_value(http->buffer, "Content-Length");
        if (value)
            length = strtoll(value, NULL, 10);
        else if (status != 204 && status >= 200)
            keep = 0;

        take(http, header);

    } while (status < 200);

    if (length < 0 || length > MAX_BODY)
        keep = 0;
    else if (keep || length) {
        ret = read_body(http, length, status);
        if (ret < 0)
            keep = 0;
    }

    if (!keep)
        ffurl_closep(&http->conn);

    return status;
}


static int
request(CallRecHTTP *http, const AVBPrint *header, const uint8_t *body,
        size_t size)
{
    int ret, status;

    ret = open_connection(http);
    if (ret < 0)
        return ret;

    ret = write_all(http, header->str, header->len);
    if (ret >= 0 && size)
        ret = write_all(http, body, size);

    /* a server that refuses a body answers before it has all of it */

    status = read_answer(http);

    if (ret < 0 || status < 0)
        ffurl_closep(&http->conn);

    return ret < 0 && status < 0 ? ret : status;
}


int
ff_callrec_http_request(CallRecHTTP *http, const char *method,
                        const char *path, const char *headers,
                        const uint8_t *body, size_t size)
{
    AVBPrint    header;
    int         reused = http->conn != NULL, ret;

    av_bprint_init(&header, 0, AV_BPRINT_SIZE_UNLIMITED);
    av_bprintf(&header, "%s %s%s HTTP/1.1\r\n"
               "Host: %s\r\n"
               "User-Agent: callrec\r\n"
               "Authorization: Bearer %s\r\n"
               "Content-Length: %zu\r\n"
               "%s\r\n", method, http->path, path, http->host, http->token,
               size, headers);

    if (!av_bprint_is_complete(&header)) {
        av_bprint_finalize(&header, NULL);
        return AVERROR(ENOMEM);
    }

    ret = request(http, &header, body, size);

    /* the server may close a kept connection just when we use it again */

    if (reused && (ret == AVERROR_EOF || ret == AVERROR(EPIPE)
                   || ret == AVERROR(ECONNRESET)))
    {
        ret = request(http, &header, body, size);
    }

    av_bprint_finalize(&header, NULL);
    return ret;
}
