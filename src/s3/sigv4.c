
/*
 * Copyright (C) The call recorder authors
 */

#include "s3/sigv4.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <time.h>


#define CR_SIGV4_ALGORITHM  "AWS4-HMAC-SHA256"
#define CR_SIGV4_TERM       "aws4_request"

/* parameters of a presigned URL, without access key and session token */
#define CR_SIGV4_QUERY_MAX  512


static bool cr_sigv4_hmac(const uint8_t *key, size_t key_len,
    const void *data, size_t len, uint8_t mac[32]);
static void cr_sigv4_headers(cr_writer_t *w,
    const cr_sigv4_request_t *request, cr_slice_t *signed_headers);
static void cr_sigv4_write(cr_writer_t *w, const char *text);
static void cr_sigv4_slice(cr_writer_t *w, cr_slice_t slice);
static void cr_sigv4_lower(cr_writer_t *w, cr_slice_t name);
static void cr_sigv4_value(cr_writer_t *w, cr_slice_t value);
static int cr_sigv4_name_cmp(cr_slice_t a, cr_slice_t b);
static void cr_sigv4_sort(const cr_sigv4_request_t *request,
    uint8_t order[CR_SIGV4_HEADERS_MAX]);
static cr_status_e cr_sigv4_signature(const cr_sigv4_key_t *key, int64_t now,
    cr_slice_t canonical, char signature[CR_SIGV4_HEX_SIZE]);


cr_status_e
cr_sigv4_time(char buf[CR_SIGV4_TIME_SIZE], int64_t now)
{
    char       text[64];
    time_t     t;
    struct tm  tm;

    t = (time_t) now;

    if (now < 0 || gmtime_r(&t, &tm) == NULL || tm.tm_year > 9999 - 1900) {
        return CR_LIMIT;
    }

    snprintf(text, sizeof(text), "%04d%02d%02dT%02d%02d%02dZ",
             tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
             tm.tm_min, tm.tm_sec);

    memcpy(buf, text, CR_SIGV4_TIME_SIZE);

    return CR_OK;
}


void
cr_sigv4_hex(char buf[CR_SIGV4_HEX_SIZE], const uint8_t digest[32])
{
    static const char  hex[] = "0123456789abcdef";

    int  i;

    for (i = 0; i < 32; i++) {
        buf[2 * i] = hex[digest[i] >> 4];
        buf[2 * i + 1] = hex[digest[i] & 0xf];
    }

    buf[64] = '\0';
}


cr_status_e
cr_sigv4_key(cr_sigv4_key_t *key, cr_slice_t secret, cr_slice_t region,
    cr_slice_t service, int64_t now)
{
    bool         ok;
    char         date[CR_SIGV4_TIME_SIZE];
    size_t       len;
    uint8_t      of[32], a[32], b[32];
    uint8_t      buf[sizeof(key->scope) + 4 + CR_SIGV4_SECRET_MAX];
    cr_writer_t  w;

    if (secret.len == 0 || region.len == 0 || service.len == 0) {
        return CR_INVALID;
    }

    if (secret.len > CR_SIGV4_SECRET_MAX || region.len > CR_SIGV4_REGION_MAX
        || service.len > CR_SIGV4_SERVICE_MAX
        || cr_sigv4_time(date, now) != CR_OK)
    {
        return CR_LIMIT;
    }

    cr_writer_init(&w, buf, sizeof(buf));

    cr_write_bytes(&w, date, 8);
    cr_write_u8(&w, '/');
    cr_sigv4_slice(&w, region);
    cr_write_u8(&w, '/');
    cr_sigv4_slice(&w, service);
    cr_sigv4_write(&w, "/" CR_SIGV4_TERM);

    len = cr_writer_len(&w);

    /* the secret is what all HMACs begin with, after "AWS4" */

    cr_sigv4_write(&w, "AWS4");
    cr_sigv4_slice(&w, secret);

    ok = EVP_Digest(buf, cr_writer_len(&w), of, NULL, EVP_sha256(), NULL) == 1;

    if (ok && key->set && memcmp(of, key->of, sizeof(of)) == 0) {
        OPENSSL_cleanse(buf, sizeof(buf));
        return CR_OK;
    }

    ok = ok
         && cr_sigv4_hmac(buf + len, 4 + secret.len, date, 8, a)
         && cr_sigv4_hmac(a, 32, region.data, region.len, b)
         && cr_sigv4_hmac(b, 32, service.data, service.len, a)
         && cr_sigv4_hmac(a, 32, CR_SIGV4_TERM, sizeof(CR_SIGV4_TERM) - 1,
                          key->key);

    memcpy(key->of, of, sizeof(of));
    memcpy(key->scope, buf, len);
    key->scope_len = len;
    key->set = ok;

    OPENSSL_cleanse(buf, sizeof(buf));
    OPENSSL_cleanse(a, sizeof(a));
    OPENSSL_cleanse(b, sizeof(b));

    return ok ? CR_OK : CR_INTERNAL;
}


cr_status_e
cr_sigv4_canonical(const cr_env_t *env, const cr_sigv4_request_t *request,
    cr_slice_t *text, cr_slice_t *signed_headers)
{
    size_t                    i, size;
    uint8_t                  *buf;
    cr_status_e               rc;
    cr_writer_t               w;
    const cr_sigv4_header_t  *h;

    if (request->nheaders > CR_SIGV4_HEADERS_MAX
        || request->path.len > CR_S3_URI_MAX
        || request->query.len > CR_S3_URI_MAX)
    {
        return CR_LIMIT;
    }

    size = request->method.len + 3 * request->path.len
           + 3 * request->query.len + CR_S3_PARAMS_MAX
           + request->payload.len + 16;

    for (i = 0; i < request->nheaders; i++) {
        h = &request->headers[i];

        if (h->name.len + h->value.len > CR_SIGV4_VALUES_MAX) {
            return CR_LIMIT;
        }

        size += 2 * h->name.len + h->value.len + 4;
    }

    buf = cr_alloc(env, size);
    if (buf == NULL) {
        return CR_NOMEM;
    }

    cr_writer_init(&w, buf, size);

    cr_sigv4_slice(&w, request->method);
    cr_write_u8(&w, '\n');
    cr_s3_path(&w, request->path);
    cr_write_u8(&w, '\n');

    rc = cr_s3_query(env, &w, request->query);

    if (rc != CR_OK) {
        cr_free(env, buf);
        return rc;
    }

    cr_sigv4_headers(&w, request, signed_headers);

    cr_write_u8(&w, '\n');
    cr_sigv4_slice(&w, request->payload);

    if (w.overflow) {
        cr_free(env, buf);
        return CR_INTERNAL;
    }

    text->data = buf;
    text->len = cr_writer_len(&w);

    return CR_OK;
}


/* CanonicalHeaders, an empty line and SignedHeaders. */

static void
cr_sigv4_headers(cr_writer_t *w, const cr_sigv4_request_t *request,
    cr_slice_t *signed_headers)
{
    size_t                    i;
    uint8_t                   order[CR_SIGV4_HEADERS_MAX];
    cr_slice_t                last;
    const cr_sigv4_header_t  *h;

    cr_sigv4_sort(request, order);

    last = (cr_slice_t) { NULL, 0 };

    for (i = 0; i < request->nheaders; i++) {
        h = &request->headers[order[i]];

        if (i != 0 && cr_sigv4_name_cmp(last, h->name) == 0) {
            cr_write_u8(w, ',');

        } else {
            cr_write_u8(w, '\n');
            cr_sigv4_lower(w, h->name);
            cr_write_u8(w, ':');
        }

        cr_sigv4_value(w, h->value);
        last = h->name;
    }

    cr_sigv4_write(w, "\n\n");

    signed_headers->data = w->pos;

    for (i = 0; i < request->nheaders; i++) {
        h = &request->headers[order[i]];

        if (i != 0 && cr_sigv4_name_cmp(last, h->name) == 0) {
            continue;
        }

        if (i != 0) {
            cr_write_u8(w, ';');
        }

        cr_sigv4_lower(w, h->name);
        last = h->name;
    }

    signed_headers->len = (size_t) (w->pos - signed_headers->data);
}


cr_status_e
cr_sigv4_sign(const cr_env_t *env, const cr_sigv4_key_t *key,
    cr_slice_t access, int64_t now, const cr_sigv4_request_t *request,
    cr_writer_t *w)
{
    char         signature[CR_SIGV4_HEX_SIZE];
    cr_slice_t   text, names;
    cr_status_e  rc;

    rc = cr_sigv4_canonical(env, request, &text, &names);
    if (rc != CR_OK) {
        return rc;
    }

    rc = cr_sigv4_signature(key, now, text, signature);

    if (rc == CR_OK) {
        cr_sigv4_write(w, CR_SIGV4_ALGORITHM " Credential=");
        cr_sigv4_slice(w, access);
        cr_write_u8(w, '/');
        cr_write_bytes(w, key->scope, key->scope_len);
        cr_sigv4_write(w, ", SignedHeaders=");
        cr_sigv4_slice(w, names);
        cr_sigv4_write(w, ", Signature=");
        cr_sigv4_write(w, signature);

        rc = w->overflow ? CR_LIMIT : CR_OK;
    }

    cr_free(env, (void *) text.data);

    return rc;
}


cr_status_e
cr_sigv4_presign(const cr_env_t *env, const cr_sigv4_key_t *key,
    const cr_s3_keys_t *keys, int64_t now, uint32_t expires,
    const cr_sigv4_request_t *request, cr_writer_t *w)
{
    char                signature[CR_SIGV4_HEX_SIZE];
    char                date[CR_SIGV4_TIME_SIZE], seconds[16];
    size_t              i, size;
    uint8_t            *buf, *start;
    cr_slice_t          text, names;
    cr_status_e         rc;
    cr_writer_t         q;
    cr_sigv4_request_t  presigned;

    if (expires == 0 || expires > CR_SIGV4_EXPIRES_MAX
        || keys->access.len > CR_SIGV4_ACCESS_MAX
        || keys->session.len > CR_SIGV4_SESSION_MAX
        || request->query.len > CR_S3_URI_MAX
        || request->nheaders > CR_SIGV4_HEADERS_MAX
        || cr_sigv4_time(date, now) != CR_OK)
    {
        return CR_LIMIT;
    }

    size = request->query.len + CR_SIGV4_QUERY_MAX
           + 3 * (keys->access.len + keys->session.len + key->scope_len);

    for (i = 0; i < request->nheaders; i++) {
        size += 3 * (request->headers[i].name.len + 1);
    }

    buf = cr_alloc(env, size);
    if (buf == NULL) {
        return CR_NOMEM;
    }

    cr_writer_init(&q, buf, size);

    if (request->query.len != 0) {
        cr_sigv4_slice(&q, request->query);
        cr_write_u8(&q, '&');
    }

    snprintf(seconds, sizeof(seconds), "%u", (unsigned) expires);

    cr_sigv4_write(&q, "X-Amz-Algorithm=" CR_SIGV4_ALGORITHM
                       "&X-Amz-Credential=");
    cr_s3_encode(&q, keys->access, false);
    cr_sigv4_write(&q, "%2F");
    cr_s3_encode(&q, (cr_slice_t) { key->scope, key->scope_len }, false);
    cr_sigv4_write(&q, "&X-Amz-Date=");
    cr_sigv4_write(&q, date);
    cr_sigv4_write(&q, "&X-Amz-Expires=");
    cr_sigv4_write(&q, seconds);

    if (keys->session.len != 0) {
        cr_sigv4_write(&q, "&X-Amz-Security-Token=");
        cr_s3_encode(&q, keys->session, false);
    }

    presigned = *request;
    presigned.payload = cr_s3_str(CR_SIGV4_UNSIGNED);

    /* the names of the signed headers are of the query: their form first */

    rc = cr_sigv4_canonical(env, &presigned, &text, &names);

    if (rc == CR_OK) {
        cr_sigv4_write(&q, "&X-Amz-SignedHeaders=");
        cr_s3_encode(&q, names, false);
        cr_free(env, (void *) text.data);

        presigned.query = (cr_slice_t) { buf, cr_writer_len(&q) };

        rc = q.overflow ? CR_INTERNAL
                        : cr_sigv4_canonical(env, &presigned, &text, &names);
    }

    if (rc != CR_OK) {
        cr_free(env, buf);
        return rc;
    }

    rc = cr_sigv4_signature(key, now, text, signature);
    cr_free(env, (void *) text.data);

    if (rc == CR_OK) {
        start = w->pos;
        rc = cr_s3_query(env, w, presigned.query);
        cr_sigv4_write(w, "&X-Amz-Signature=");
        cr_sigv4_write(w, signature);

        if (rc != CR_OK || w->overflow) {
            w->pos = start;
            rc = (rc != CR_OK) ? rc : CR_LIMIT;
        }
    }

    cr_free(env, buf);

    return rc;
}


/* "String to Sign", and its HMAC */

static cr_status_e
cr_sigv4_signature(const cr_sigv4_key_t *key, int64_t now,
    cr_slice_t canonical, char signature[CR_SIGV4_HEX_SIZE])
{
    char         hex[CR_SIGV4_HEX_SIZE], date[CR_SIGV4_TIME_SIZE];
    uint8_t      mac[32], buf[sizeof(key->scope) + 128];
    cr_writer_t  w;

    if (!key->set) {
        return CR_INVALID;
    }

    if (cr_sigv4_time(date, now) != CR_OK) {
        return CR_LIMIT;
    }

    if (EVP_Digest(canonical.data, canonical.len, mac, NULL, EVP_sha256(),
                   NULL) != 1)
    {
        return CR_INTERNAL;
    }

    cr_sigv4_hex(hex, mac);
    cr_writer_init(&w, buf, sizeof(buf));

    cr_sigv4_write(&w, CR_SIGV4_ALGORITHM "\n");
    cr_sigv4_write(&w, date);
    cr_write_u8(&w, '\n');
    cr_write_bytes(&w, key->scope, key->scope_len);
    cr_write_u8(&w, '\n');
    cr_sigv4_write(&w, hex);

    if (w.overflow
        || !cr_sigv4_hmac(key->key, 32, buf, cr_writer_len(&w), mac))
    {
        return CR_INTERNAL;
    }

    cr_sigv4_hex(signature, mac);

    return CR_OK;
}


static bool
cr_sigv4_hmac(const uint8_t *key, size_t key_len, const void *data, size_t len,
    uint8_t mac[32])
{
    unsigned  n;

    return HMAC(EVP_sha256(), key, (int) key_len, data, len, mac, &n) != NULL;
}


/* By name, those of one name as they came. */

static void
cr_sigv4_sort(const cr_sigv4_request_t *request,
    uint8_t order[CR_SIGV4_HEADERS_MAX])
{
    size_t   i, j;
    uint8_t  one;

    for (i = 0; i < request->nheaders; i++) {

        one = (uint8_t) i;

        for (j = i; j > 0; j--) {

            if (cr_sigv4_name_cmp(request->headers[order[j - 1]].name,
                                  request->headers[one].name)
                <= 0)
            {
                break;
            }

            order[j] = order[j - 1];
        }

        order[j] = one;
    }
}


static int
cr_sigv4_name_cmp(cr_slice_t a, cr_slice_t b)
{
    int     x, y;
    size_t  i;

    for (i = 0; i < a.len && i < b.len; i++) {
        x = a.data[i];
        y = b.data[i];

        x |= (x >= 'A' && x <= 'Z') ? 0x20 : 0;
        y |= (y >= 'A' && y <= 'Z') ? 0x20 : 0;

        if (x != y) {
            return x - y;
        }
    }

    return (a.len > b.len) - (a.len < b.len);
}


static void
cr_sigv4_lower(cr_writer_t *w, cr_slice_t name)
{
    size_t   i;
    uint8_t  c;

    for (i = 0; i < name.len; i++) {
        c = name.data[i];
        cr_write_u8(w, (c >= 'A' && c <= 'Z') ? c | 0x20 : c);
    }
}


/* Without blanks around it, those inside it as one space. */

static void
cr_sigv4_value(cr_writer_t *w, cr_slice_t value)
{
    bool    blank, first;
    size_t  i;

    blank = false;
    first = true;

    for (i = 0; i < value.len; i++) {

        if (value.data[i] == ' ' || value.data[i] == '\t') {
            blank = true;
            continue;
        }

        if (blank && !first) {
            cr_write_u8(w, ' ');
        }

        cr_write_u8(w, value.data[i]);
        blank = false;
        first = false;
    }
}


static void
cr_sigv4_write(cr_writer_t *w, const char *text)
{
    cr_write_bytes(w, text, strlen(text));
}


static void
cr_sigv4_slice(cr_writer_t *w, cr_slice_t slice)
{
    cr_write_bytes(w, slice.data, slice.len);
}
