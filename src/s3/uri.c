
/*
 * Copyright (C) The call recorder authors
 */

#include "s3/uri.h"

#include <stdlib.h>


typedef struct {
    cr_slice_t  name;
    cr_slice_t  value;
} cr_s3_param_t;


static const uint8_t *cr_s3_next(const uint8_t *p, const uint8_t *end,
    uint8_t *c);
static int cr_s3_hex(uint8_t c);
static bool cr_s3_unreserved(uint8_t c);
static void cr_s3_put(cr_writer_t *w, uint8_t c);
static cr_slice_t cr_s3_recode(cr_writer_t *w, const uint8_t *p,
    const uint8_t *end);
static int cr_s3_param_cmp(const void *one, const void *two);
static int cr_s3_slice_cmp(cr_slice_t a, cr_slice_t b);


void
cr_s3_encode(cr_writer_t *w, cr_slice_t plain, bool slashes)
{
    size_t  i;

    for (i = 0; i < plain.len; i++) {

        if (plain.data[i] == '/' && slashes) {
            cr_write_u8(w, '/');

        } else {
            cr_s3_put(w, plain.data[i]);
        }
    }
}


void
cr_s3_path(cr_writer_t *w, cr_slice_t path)
{
    uint8_t         c;
    const uint8_t  *p, *end;

    if (path.len == 0) {
        cr_write_u8(w, '/');
        return;
    }

    end = path.data + path.len;

    for (p = path.data; p < end; /* void */ ) {

        p = cr_s3_next(p, end, &c);

        if (c == '/') {
            cr_write_u8(w, '/');

        } else {
            cr_s3_put(w, c);
        }
    }
}


size_t
cr_s3_decode(uint8_t *buf, cr_slice_t path)
{
    uint8_t        *last;
    const uint8_t  *p, *end;

    end = path.data + path.len;
    last = buf;

    for (p = path.data; p < end; last++) {
        p = cr_s3_next(p, end, last);
    }

    return (size_t) (last - buf);
}


cr_status_e
cr_s3_query(const cr_env_t *env, cr_writer_t *w, cr_slice_t query)
{
    size_t          i, n, size;
    uint8_t        *buf;
    cr_writer_t     scratch;
    cr_s3_param_t  *params;
    const uint8_t  *p, *end, *last, *equal;

    if (query.len == 0) {
        return CR_OK;
    }

    if (query.len > CR_S3_URI_MAX) {
        return CR_LIMIT;
    }

    size = CR_S3_PARAMS_MAX * sizeof(cr_s3_param_t);

    params = cr_alloc(env, size + 3 * query.len);
    if (params == NULL) {
        return CR_NOMEM;
    }

    buf = (uint8_t *) params + size;
    cr_writer_init(&scratch, buf, 3 * query.len);

    end = query.data + query.len;
    n = 0;

    for (p = query.data; p < end; p = last + 1) {

        last = memchr(p, '&', (size_t) (end - p));
        if (last == NULL) {
            last = end;
        }

        if (last == p) {
            continue;
        }

        if (n == CR_S3_PARAMS_MAX) {
            cr_free(env, params);
            return CR_LIMIT;
        }

        equal = memchr(p, '=', (size_t) (last - p));

        params[n].name = cr_s3_recode(&scratch, p,
                                      equal != NULL ? equal : last);
        params[n].value = cr_s3_recode(&scratch,
                                       equal != NULL ? equal + 1 : last,
                                       last);
        n++;
    }

    qsort(params, n, sizeof(cr_s3_param_t), cr_s3_param_cmp);

    for (i = 0; i < n; i++) {

        if (i != 0) {
            cr_write_u8(w, '&');
        }

        cr_write_bytes(w, params[i].name.data, params[i].name.len);
        cr_write_u8(w, '=');
        cr_write_bytes(w, params[i].value.data, params[i].value.len);
    }

    cr_free(env, params);

    return CR_OK;
}


/* One byte, decoded if it is encoded; p < end. */

static const uint8_t *
cr_s3_next(const uint8_t *p, const uint8_t *end, uint8_t *c)
{
    int  high, low;

    if (*p == '%' && end - p > 2) {
        high = cr_s3_hex(p[1]);
        low = cr_s3_hex(p[2]);

        if (high >= 0 && low >= 0) {
            *c = (uint8_t) (high << 4 | low);
            return p + 3;
        }
    }

    *c = *p;

    return p + 1;
}


static int
cr_s3_hex(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    return (c >= 'a' && c <= 'f') ? c - 'a' + 10 : -1;
}


static bool
cr_s3_unreserved(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')
           || (c >= '0' && c <= '9')
           || c == '-' || c == '.' || c == '_' || c == '~';
}


static void
cr_s3_put(cr_writer_t *w, uint8_t c)
{
    static const char  hex[] = "0123456789ABCDEF";

    if (cr_s3_unreserved(c)) {
        cr_write_u8(w, c);
        return;
    }

    cr_write_u8(w, '%');
    cr_write_u8(w, (uint8_t) hex[c >> 4]);
    cr_write_u8(w, (uint8_t) hex[c & 0xf]);
}


static cr_slice_t
cr_s3_recode(cr_writer_t *w, const uint8_t *p, const uint8_t *end)
{
    uint8_t     c;
    cr_slice_t  out;

    out.data = w->pos;

    while (p < end) {

        if (*p == '+') {
            c = ' ';
            p++;

        } else {
            p = cr_s3_next(p, end, &c);
        }

        cr_s3_put(w, c);
    }

    out.len = (size_t) (w->pos - out.data);

    return out;
}


static int
cr_s3_param_cmp(const void *one, const void *two)
{
    int                   rc;
    const cr_s3_param_t  *a = one;
    const cr_s3_param_t  *b = two;

    rc = cr_s3_slice_cmp(a->name, b->name);

    return (rc != 0) ? rc : cr_s3_slice_cmp(a->value, b->value);
}


static int
cr_s3_slice_cmp(cr_slice_t a, cr_slice_t b)
{
    int     rc;
    size_t  len;

    len = a.len < b.len ? a.len : b.len;
    rc = (len != 0) ? memcmp(a.data, b.data, len) : 0;

    return (rc != 0) ? rc : (a.len > b.len) - (a.len < b.len);
}
