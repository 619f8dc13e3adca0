
/*
 * Copyright (C) The call recorder authors
 */

#include <netdb.h>
#include <strings.h>
#include <sys/time.h>
#include <unistd.h>

#include "publisher.h"


#define TIMEOUT_S  10


static int
http_connect(const char *host, const char *port)
{
    int               fd;
    struct timeval    tv = { TIMEOUT_S, 0 };
    struct addrinfo   hints, *list, *a;

    memset(&hints, 0, sizeof(hints));
    hints.ai_socktype = SOCK_STREAM;

    if (getaddrinfo(host, port, &hints, &list) != 0) {
        return -1;
    }

    fd = -1;

    for (a = list; a != NULL && fd == -1; a = a->ai_next) {
        fd = socket(a->ai_family, a->ai_socktype, a->ai_protocol);

        if (fd != -1 && connect(fd, a->ai_addr, a->ai_addrlen) != 0) {
            close(fd);
            fd = -1;
        }
    }

    freeaddrinfo(list);

    if (fd != -1) {
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
    }

    return fd;
}


/* http://host[:port]/path, with an IPv6 address in brackets */
static const char *
http_parse(const char *url, char host[256], char port[8])
{
    size_t       n;
    const char  *p, *end;

    if (strncmp(url, "http://", 7) != 0) {
        return NULL;
    }

    p = url + 7;
    end = p + strcspn(p, "/");

    if (*p == '[') {
        n = strcspn(++p, "]");

    } else {
        n = strcspn(p, ":/");
    }

    if (n >= 256 || p + n > end) {
        return NULL;
    }

    memcpy(host, p, n);
    host[n] = '\0';

    p += n + (p[n] == ']');
    strcpy(port, "80");

    if (*p == ':') {
        n = (size_t) (end - ++p);

        if (n == 0 || n >= 8) {
            return NULL;
        }

        memcpy(port, p, n);
        port[n] = '\0';
    }

    return *end == '\0' ? "/" : end;
}


static bool
http_write(int fd, const char *data, size_t len)
{
    ssize_t  n;

    while (len != 0) {
        n = send(fd, data, len, MSG_NOSIGNAL);

        if (n <= 0) {
            return false;
        }

        data += n;
        len -= (size_t) n;
    }

    return true;
}


static const char *
http_response(http_t *http, int fd, const char *url)
{
    char     *p, *end, *body;
    size_t    n;
    ssize_t   got;

    static char  buf[131072];

    n = 0;

    while (n < sizeof(buf) - 1) {
        got = recv(fd, buf + n, sizeof(buf) - 1 - n, 0);

        if (got < 0) {
            return "no answer";
        }

        if (got == 0) {
            break;
        }

        n += (size_t) got;
    }

    buf[n] = '\0';

    if (sscanf(buf, "HTTP/%*d.%*d %d", &http->status) != 1) {
        return "not an HTTP answer";
    }

    body = strstr(buf, "\r\n\r\n");

    if (body == NULL) {
        return "half an HTTP answer";
    }

    body += 4;
    http->body_len = n - (size_t) (body - buf);

    if (http->body_len >= sizeof(http->body)) {
        return "too long an answer";
    }

    memcpy(http->body, body, http->body_len + 1);
    http->location[0] = '\0';

    for (p = strstr(buf, "\r\n"); p < body - 4; p = strstr(p, "\r\n")) {
        p += 2;

        if (strncasecmp(p, "location:", 9) != 0) {
            continue;
        }

        p += 9 + strspn(p + 9, " ");
        end = strstr(p, "\r\n");

        /* relative to the host that answered */
        n = *p == '/' ? 7 + strcspn(url + 7, "/") : 0;

        if (n + (size_t) (end - p) >= sizeof(http->location)) {
            return "too long a Location";
        }

        memcpy(http->location, url, n);
        memcpy(http->location + n, p, (size_t) (end - p));
        http->location[n + (size_t) (end - p)] = '\0';
    }

    return NULL;
}


const char *
http_request(http_t *http, const char *method, const char *url,
    const char *token, const char *type, const char *body)
{
    int          fd, n;
    char         host[256], port[8], head[8192];
    const char  *path, *why;

    memset(http, 0, sizeof(http_t));

    path = http_parse(url, host, port);

    if (path == NULL) {
        return "not an http:// URL";
    }

    n = snprintf(head, sizeof(head),
                 "%s %s HTTP/1.0\r\n"
                 "Host: %s%s%s:%s\r\n"
                 "%s%s%s"
                 "%s%s%s"
                 "Content-Length: %zu\r\n"
                 "\r\n",
                 method, path,
                 strchr(host, ':') ? "[" : "", host,
                 strchr(host, ':') ? "]" : "", port,
                 token ? "Authorization: Bearer " : "", token ? token : "",
                 token ? "\r\n" : "",
                 type ? "Content-Type: " : "", type ? type : "",
                 type ? "\r\n" : "",
                 body ? strlen(body) : 0);

    if (n < 0 || n >= (int) sizeof(head)) {
        return "too long a request";
    }

    fd = http_connect(host, port);

    if (fd == -1) {
        return "nobody listens there";
    }

    why = "the request was cut off";

    if (http_write(fd, head, (size_t) n)
        && (body == NULL || http_write(fd, body, strlen(body))))
    {
        why = http_response(http, fd, url);
    }

    close(fd);

    return why;
}
