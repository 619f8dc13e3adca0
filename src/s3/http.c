
/*
 * Copyright (C) The call recorder authors
 *
 * RFC 9112: an answer that is read whole, of a server that is asked once.
 */

#include "s3/head.h"

#include <strings.h>


static const uint8_t *cr_s3_http_end(const uint8_t *buf, size_t len);
static const uint8_t *cr_s3_http_value(const uint8_t *p, const uint8_t *end,
    const char *name, size_t *len);
static cr_status_e cr_s3_http_chunks(uint8_t *start, const uint8_t *end,
    bool join, cr_slice_t *body);


cr_status_e
cr_s3_http_parse(uint8_t *buf, size_t len, bool eof, unsigned *status,
    cr_slice_t *body)
{
    size_t          n, i, size;
    cr_status_e     rc;
    const uint8_t  *end, *head, *value;

    end = buf + len;
    head = cr_s3_http_end(buf, len);

    if (head == NULL) {
        return eof ? CR_INVALID : CR_AGAIN;
    }

    /* "HTTP/1.1 200", section 4 */

    if (head - buf < 12 || memcmp(buf, "HTTP/1.", 7) != 0 || buf[8] != ' ') {
        return CR_INVALID;
    }

    for (*status = 0, i = 9; i < 12; i++) {

        if (buf[i] < '0' || buf[i] > '9') {
            return CR_INVALID;
        }

        *status = *status * 10 + (unsigned) (buf[i] - '0');
    }

    body->data = head;
    body->len = (size_t) (end - head);

    /* section 6.3 */

    value = cr_s3_http_value(buf, head, "transfer-encoding", &n);

    if (value != NULL) {

        if (n != 7 || strncasecmp((const char *) value, "chunked", 7) != 0) {
            return CR_INVALID;
        }

        /* nothing is moved before all of it is there */

        rc = cr_s3_http_chunks(buf + (head - buf), end, false, body);

        if (rc == CR_OK) {
            rc = cr_s3_http_chunks(buf + (head - buf), end, true, body);
        }

        return (rc == CR_AGAIN && eof) ? CR_INVALID : rc;
    }

    value = cr_s3_http_value(buf, head, "content-length", &n);

    if (value == NULL) {
        return eof ? CR_OK : CR_AGAIN;
    }

    if (n == 0 || n > 9) {
        return CR_INVALID;
    }

    for (size = 0, i = 0; i < n; i++) {

        if (value[i] < '0' || value[i] > '9') {
            return CR_INVALID;
        }

        size = size * 10 + (size_t) (value[i] - '0');
    }

    if (body->len < size) {
        return eof ? CR_INVALID : CR_AGAIN;
    }

    body->len = size;

    return CR_OK;
}


/* Where the body begins. */

static const uint8_t *
cr_s3_http_end(const uint8_t *buf, size_t len)
{
    size_t  i;

    for (i = 4; i <= len; i++) {
        if (memcmp(buf + i - 4, "\r\n\r\n", 4) == 0) {
            return buf + i;
        }
    }

    return NULL;
}


/* The value of the first field of this name (in lower case), or NULL. */

static const uint8_t *
cr_s3_http_value(const uint8_t *p, const uint8_t *end, const char *name,
    size_t *len)
{
    size_t          n;
    const uint8_t  *last, *value;

    n = strlen(name);

    for ( ;; ) {

        last = memchr(p, '\n', (size_t) (end - p));
        if (last == NULL) {
            return NULL;
        }

        if ((size_t) (last - p) > n && p[n] == ':'
            && strncasecmp((const char *) p, name, n) == 0)
        {
            for (value = p + n + 1; value < last && *value == ' '; value++) {
                /* void */
            }

            while (last > value && (last[-1] == '\r' || last[-1] == ' ')) {
                last--;
            }

            *len = (size_t) (last - value);

            return value;
        }

        p = last + 1;
    }
}


/* Section 7.1; trailers are not looked at. */

static cr_status_e
cr_s3_http_chunks(uint8_t *start, const uint8_t *end, bool join,
    cr_slice_t *body)
{
    int             digits, v;
    size_t          size;
    uint8_t        *to;
    const uint8_t  *p, *last;

    to = start;

    for (p = start; /* void */; /* void */ ) {

        last = memchr(p, '\n', (size_t) (end - p));
        if (last == NULL) {
            return CR_AGAIN;
        }

        for (size = 0, digits = 0; p < last; p++, digits++) {
            v = (*p >= '0' && *p <= '9') ? *p - '0'
                : ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'f')
                  ? (*p | 0x20) - 'a' + 10 : -1;

            if (v < 0) {
                break;
            }

            if (digits == 7) {
                return CR_LIMIT;
            }

            size = size << 4 | (size_t) v;
        }

        if (digits == 0 || (*p != '\r' && *p != ';')) {
            return CR_INVALID;
        }

        p = last + 1;

        if (size == 0) {
            body->data = start;
            body->len = (size_t) (to - start);
            return CR_OK;
        }

        if ((size_t) (end - p) < size + 2) {
            return CR_AGAIN;
        }

        if (p[size] != '\r' || p[size + 1] != '\n') {
            return CR_INVALID;
        }

        if (join) {
            memmove(to, p, size);
            to += size;
        }

        p += size + 2;
    }
}
