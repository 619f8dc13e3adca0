
/*
 * Copyright (C) The call recorder authors
 */

#include "s3/head.h"


static const uint8_t *cr_s3_head_line(cr_slice_t head, cr_slice_t *method,
    cr_slice_t *path, cr_slice_t *query, cr_slice_t *version);
static cr_status_e cr_s3_head_fields(const uint8_t *p, const uint8_t *end,
    const cr_s3_head_t *how, cr_sigv4_request_t *request,
    cr_sigv4_header_t *headers, cr_writer_t *w);
static const uint8_t *cr_s3_head_field(const uint8_t *p, const uint8_t *end,
    cr_sigv4_header_t *h);
static bool cr_s3_head_is(cr_slice_t name, const char *what);
static bool cr_s3_head_signed(cr_slice_t name);
static bool cr_s3_head_digest(cr_slice_t value);
static void cr_s3_head_put(cr_sigv4_request_t *request,
    cr_sigv4_header_t *headers, const char *name, cr_slice_t value,
    cr_writer_t *w);
static void cr_s3_head_write(cr_writer_t *w, const cr_sigv4_header_t *h);


size_t
cr_s3_head_size(const cr_s3_keys_t *keys, const cr_s3_head_t *how,
    cr_slice_t head)
{
    /* 1024: names of our own headers, date, digests, scope, signature */

    return 2 * head.len + how->path.len + how->host.len + keys->access.len
           + keys->session.len + 1024;
}


cr_status_e
cr_s3_head_sign(const cr_env_t *env, const cr_sigv4_key_t *key,
    const cr_s3_keys_t *keys, int64_t now, const cr_s3_head_t *how,
    cr_slice_t head, cr_writer_t *w)
{
    char                date[CR_SIGV4_TIME_SIZE];
    cr_slice_t          version;
    cr_status_e         rc;
    const uint8_t      *fields;
    cr_sigv4_header_t   headers[CR_SIGV4_HEADERS_MAX];
    cr_sigv4_request_t  request;

    if (cr_sigv4_time(date, now) != CR_OK) {
        return CR_LIMIT;
    }

    fields = cr_s3_head_line(head, &request.method, &request.path,
                             &request.query, &version);
    if (fields == NULL) {
        return CR_INVALID;
    }

    if (how->path.len != 0) {
        request.path = how->path;
    }

    cr_write_bytes(w, request.method.data, request.method.len);
    cr_write_u8(w, ' ');
    cr_write_bytes(w, request.path.data, request.path.len);

    if (request.query.len != 0) {
        cr_write_u8(w, '?');
        cr_write_bytes(w, request.query.data, request.query.len);
    }

    cr_write_u8(w, ' ');
    cr_write_bytes(w, version.data, version.len);
    cr_write_bytes(w, "\r\n", 2);

    request.headers = headers;
    request.nheaders = 0;
    request.payload = how->payload;

    rc = cr_s3_head_fields(fields, head.data + head.len, how, &request,
                           headers, w);
    if (rc != CR_OK) {
        return rc;
    }

    cr_s3_head_put(&request, headers, "X-Amz-Date",
                   (cr_slice_t) { (const uint8_t *) date,
                                  CR_SIGV4_TIME_SIZE - 1 }, w);
    cr_s3_head_put(&request, headers, "X-Amz-Content-Sha256",
                   request.payload, w);

    if (keys->session.len != 0) {
        cr_s3_head_put(&request, headers, "X-Amz-Security-Token",
                       keys->session, w);
    }

    cr_write_bytes(w, "Authorization: ", sizeof("Authorization: ") - 1);

    rc = cr_sigv4_sign(env, key, keys->access, now, &request, w);

    cr_write_bytes(w, "\r\n\r\n", 4);

    return (rc == CR_OK && w->overflow) ? CR_LIMIT : rc;
}


void
cr_s3_object_path(cr_writer_t *w, cr_slice_t bucket, cr_slice_t key)
{
    cr_write_u8(w, '/');

    if (bucket.len != 0) {
        cr_s3_encode(w, bucket, false);

        if (key.len != 0) {
            cr_write_u8(w, '/');
        }
    }

    cr_s3_encode(w, key, true);
}


/* "PUT /path?query HTTP/1.0"; returns where the fields begin. */

static const uint8_t *
cr_s3_head_line(cr_slice_t head, cr_slice_t *method, cr_slice_t *path,
    cr_slice_t *query, cr_slice_t *version)
{
    size_t          len;
    const uint8_t  *p, *last, *mark, *uri;

    last = memchr(head.data, '\n', head.len);

    if (last == NULL || last == head.data || last[-1] != '\r') {
        return NULL;
    }

    len = sizeof(" HTTP/1.x\r") - 1;
    p = memchr(head.data, ' ', (size_t) (last - head.data));

    if (p == NULL || p == head.data || (size_t) (last - p) < len + 2) {
        return NULL;
    }

    method->data = head.data;
    method->len = (size_t) (p - head.data);

    uri = p + 1;
    p = last - len;

    if (*uri != '/' || memcmp(p, " HTTP/1.", len - 2) != 0) {
        return NULL;
    }

    version->data = p + 1;
    version->len = len - 2;

    mark = memchr(uri, '?', (size_t) (p - uri));

    path->data = uri;
    path->len = (size_t) ((mark != NULL ? mark : p) - uri);
    query->data = (mark != NULL) ? mark + 1 : p;
    query->len = (size_t) (p - query->data);

    return last + 1;
}


/* Copies what was there before and notes what of it is signed. */

static cr_status_e
cr_s3_head_fields(const uint8_t *p, const uint8_t *end,
    const cr_s3_head_t *how, cr_sigv4_request_t *request,
    cr_sigv4_header_t *headers, cr_writer_t *w)
{
    bool               host;
    cr_sigv4_header_t  h;

    host = false;

    for ( ;; ) {

        p = cr_s3_head_field(p, end, &h);
        if (p == NULL) {
            return CR_INVALID;
        }

        if (h.name.len == 0) {
            return host ? CR_OK : CR_INVALID;
        }

        if (cr_s3_head_is(h.name, "authorization")
            || cr_s3_head_is(h.name, "x-amz-date")
            || cr_s3_head_is(h.name, "x-amz-security-token"))
        {
            continue;
        }

        if (cr_s3_head_is(h.name, "x-amz-content-sha256")) {

            if (how->trust && cr_s3_head_digest(h.value)) {
                request->payload = h.value;
            }

            continue;
        }

        if (cr_s3_head_is(h.name, "host")) {

            if (host) {
                return CR_INVALID;
            }

            host = true;

            if (how->host.len != 0) {
                h.value = how->host;
            }
        }

        cr_s3_head_write(w, &h);

        if (!cr_s3_head_signed(h.name)) {
            continue;
        }

        /* room for our own three */

        if (request->nheaders + 3 == CR_SIGV4_HEADERS_MAX) {
            return CR_LIMIT;
        }

        headers[request->nheaders++] = h;
    }
}


/* An empty name at the end of the head, which must be the end of the text. */

static const uint8_t *
cr_s3_head_field(const uint8_t *p, const uint8_t *end, cr_sigv4_header_t *h)
{
    const uint8_t  *colon, *last;

    h->name = (cr_slice_t) { NULL, 0 };

    last = memchr(p, '\n', (size_t) (end - p));

    if (last == NULL || last == p || last[-1] != '\r') {
        return NULL;
    }

    if (last - p == 1) {
        return (last + 1 == end) ? end : NULL;
    }

    colon = memchr(p, ':', (size_t) (last - p));

    if (colon == NULL || colon == p) {
        return NULL;
    }

    h->name = (cr_slice_t) { p, (size_t) (colon - p) };

    p = last + 1;
    last--;
    colon++;

    while (colon < last && (*colon == ' ' || *colon == '\t')) {
        colon++;
    }

    h->value = (cr_slice_t) { colon, (size_t) (last - colon) };

    return p;
}


/* what: in lower case */

static bool
cr_s3_head_is(cr_slice_t name, const char *what)
{
    size_t   i;
    uint8_t  c;

    for (i = 0; i < name.len && what[i] != '\0'; i++) {
        c = name.data[i];
        c |= (c >= 'A' && c <= 'Z') ? 0x20 : 0;

        if (c != (uint8_t) what[i]) {
            return false;
        }
    }

    return i == name.len && what[i] == '\0';
}


static bool
cr_s3_head_signed(cr_slice_t name)
{
    return cr_s3_head_is(name, "host")
           || cr_s3_head_is(name, "content-md5")
           || cr_s3_head_is(name, "content-type")
           || (name.len > 6
               && cr_s3_head_is((cr_slice_t) { name.data, 6 }, "x-amz-"));
}


static bool
cr_s3_head_digest(cr_slice_t value)
{
    size_t  i;

    for (i = 0; i < value.len; i++) {
        if (!((value.data[i] >= '0' && value.data[i] <= '9')
              || (value.data[i] >= 'a' && value.data[i] <= 'f')))
        {
            return false;
        }
    }

    return i == 64;
}


/* One of our own, signed. */

static void
cr_s3_head_put(cr_sigv4_request_t *request, cr_sigv4_header_t *headers,
    const char *name, cr_slice_t value, cr_writer_t *w)
{
    cr_sigv4_header_t  *h = &headers[request->nheaders++];

    h->name = (cr_slice_t) { (const uint8_t *) name, strlen(name) };
    h->value = value;

    cr_s3_head_write(w, h);
}


static void
cr_s3_head_write(cr_writer_t *w, const cr_sigv4_header_t *h)
{
    cr_write_bytes(w, h->name.data, h->name.len);
    cr_write_bytes(w, ": ", 2);
    cr_write_bytes(w, h->value.data, h->value.len);
    cr_write_bytes(w, "\r\n", 2);
}
