
/*
 * Copyright (C) The call recorder authors
 *
 * Canonical requests of any path, query and header; the parts of the input
 * stand between newlines.  The whole of it as the head of a request, and as
 * the answer to one.
 */

#include "s3/head.h"
#include "fuzz.h"

#include <string.h>


static cr_slice_t
part(const uint8_t **p, const uint8_t *end)
{
    cr_slice_t      slice;
    const uint8_t  *last;

    slice.data = *p;
    last = memchr(*p, '\n', (size_t) (end - *p));
    slice.len = (size_t) ((last != NULL ? last : end) - *p);
    *p = (last != NULL) ? last + 1 : end;

    return slice;
}


/* What is canonical once stays so. */

static void
canonical_path(cr_slice_t path)
{
    uint8_t      *one, *two;
    cr_writer_t   a, b;

    one = malloc(3 * path.len + 1);
    two = malloc(3 * path.len + 1);

    if (one == NULL || two == NULL) {
        abort();
    }

    cr_writer_init(&a, one, 3 * path.len + 1);
    cr_s3_path(&a, path);

    cr_writer_init(&b, two, 3 * path.len + 1);
    cr_s3_path(&b, (cr_slice_t) { one, cr_writer_len(&a) });

    if (a.overflow || b.overflow || cr_writer_len(&a) != cr_writer_len(&b)
        || memcmp(one, two, cr_writer_len(&a)) != 0)
    {
        abort();
    }

    free(one);
    free(two);
}


static void
head(const cr_sigv4_key_t *key, const cr_s3_keys_t *keys, cr_slice_t text)
{
    size_t        size;
    uint8_t      *buf;
    cr_writer_t   w;
    cr_s3_head_t  how = { { NULL, 0 }, { NULL, 0 }, { NULL, 0 }, true };

    how.payload = cr_s3_str(CR_SIGV4_UNSIGNED);
    size = cr_s3_head_size(keys, &how, text);

    buf = malloc(size);
    if (buf == NULL) {
        abort();
    }

    cr_writer_init(&w, buf, size);

    /* the size that is asked for is enough */

    if (cr_s3_head_sign(&heap_env, key, keys, 0, &how, text, &w) == CR_OK
        && (cr_writer_len(&w) < 4 || memcmp(w.pos - 4, "\r\n\r\n", 4) != 0))
    {
        abort();
    }

    if (w.overflow) {
        abort();
    }

    free(buf);
}


static void
answer(const uint8_t *data, size_t size)
{
    uint8_t      *buf;
    unsigned      status;
    cr_slice_t    body;

    buf = malloc(size + 1);
    if (buf == NULL) {
        abort();
    }

    memcpy(buf, data, size);

    if (cr_s3_http_parse(buf, size, false, &status, &body) == CR_OK
        && (body.data < buf || body.data + body.len > buf + size))
    {
        abort();
    }

    free(buf);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t              i;
    uint8_t             out[4096];
    cr_writer_t         w;
    cr_s3_keys_t        keys;
    const uint8_t      *p, *end;
    cr_sigv4_key_t      key = { 0 };
    cr_sigv4_header_t   headers[8];
    cr_sigv4_request_t  request;

    p = data;
    end = data + size;

    request.method = part(&p, end);
    request.path = part(&p, end);
    request.query = part(&p, end);
    request.payload = part(&p, end);
    request.headers = headers;
    keys.access = part(&p, end);
    keys.session = part(&p, end);
    keys.secret = cr_s3_str("secret");

    for (i = 0; i < 8 && p < end; i++) {
        headers[i].name = part(&p, end);
        headers[i].value = part(&p, end);
    }

    request.nheaders = i;

    canonical_path(request.path);

    if (cr_sigv4_key(&key, keys.secret, cr_s3_str("us-east-1"),
                     cr_s3_str("s3"), (int64_t) size * 1000000) != CR_OK)
    {
        abort();
    }

    head(&key, &keys, (cr_slice_t) { data, size });
    answer(data, size);

    cr_writer_init(&w, out, sizeof(out));
    (void) cr_sigv4_sign(&heap_env, &key, keys.access, 0, &request, &w);

    cr_writer_init(&w, out, sizeof(out));
    (void) cr_sigv4_presign(&heap_env, &key, &keys, 0, 60, &request, &w);

    return 0;
}
