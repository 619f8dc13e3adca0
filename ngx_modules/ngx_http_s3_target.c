
/*
 * Copyright (C) The call recorder authors
 *
 * Where the object of a request is.
 */


#include "ngx_http_s3.h"


static ngx_int_t ngx_http_s3_key(ngx_http_request_t *r, ngx_str_t *key);
static ngx_uint_t ngx_http_s3_same_path(ngx_str_t *uri, u_char *raw,
    size_t len);


ngx_int_t
ngx_http_s3_target(ngx_http_request_t *r, ngx_http_s3_loc_conf_t *conf,
    ngx_str_t *path, ngx_str_t *host)
{
    size_t       size;
    ngx_str_t    bucket, key;
    cr_writer_t  w;

    if (conf->bucket == NULL) {
        return NGX_DECLINED;
    }

    if (ngx_http_complex_value(r, conf->bucket, &bucket) != NGX_OK) {
        return NGX_ERROR;
    }

    if (conf->key != NULL) {
        if (ngx_http_complex_value(r, conf->key, &key) != NGX_OK) {
            return NGX_ERROR;
        }

    } else if (ngx_http_s3_key(r, &key) != NGX_OK) {
        return NGX_ERROR;
    }

    if (bucket.len == 0) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "s3: the name of the bucket is empty");
        return NGX_ERROR;
    }

    size = 3 * (bucket.len + key.len) + 2;

    path->data = ngx_pnalloc(r->pool, size);
    if (path->data == NULL) {
        return NGX_ERROR;
    }

    cr_writer_init(&w, path->data, size);

    if (conf->style == NGX_HTTP_S3_PATH) {
        *host = conf->host;
        cr_s3_object_path(&w, ngx_http_s3_slice(bucket),
                          ngx_http_s3_slice(key));

    } else {
        host->len = bucket.len + 1 + conf->host.len;
        host->data = ngx_pnalloc(r->pool, host->len);
        if (host->data == NULL) {
            return NGX_ERROR;
        }

        ngx_sprintf(host->data, "%V.%V", &bucket, &conf->host);
        cr_s3_object_path(&w, (cr_slice_t) { NULL, 0 },
                          ngx_http_s3_slice(key));
    }

    path->len = cr_writer_len(&w);

    return NGX_OK;
}


/*
 * What follows the location's name in the path as the client sent it, so
 * that "//" is kept; but not if nginx made more than that of it ("/../"), as
 * the location was chosen by what nginx made of it.
 */

static ngx_int_t
ngx_http_s3_key(ngx_http_request_t *r, ngx_str_t *key)
{
    u_char                    *p, *raw;
    size_t                     len;
    cr_slice_t                 path;
    ngx_http_core_loc_conf_t  *clcf;

    *key = r->uri;

    if (r->valid_unparsed_uri) {

        path.data = r->unparsed_uri.data;
        p = ngx_strlchr(r->unparsed_uri.data,
                        r->unparsed_uri.data + r->unparsed_uri.len, '?');
        path.len = (p != NULL) ? (size_t) (p - path.data)
                               : r->unparsed_uri.len;

        raw = ngx_pnalloc(r->pool, path.len + 1);
        if (raw == NULL) {
            return NGX_ERROR;
        }

        len = cr_s3_decode(raw, path);

        if (ngx_http_s3_same_path(&r->uri, raw, len)) {
            key->data = raw;
            key->len = len;
        }
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

#if (NGX_PCRE)
    if (clcf->regex == NULL)
#endif
    {
        if (!clcf->named && clcf->name.len <= key->len
            && ngx_strncmp(clcf->name.data, key->data, clcf->name.len) == 0)
        {
            key->data += clcf->name.len;
            key->len -= clcf->name.len;

            if (clcf->name.len
                && clcf->name.data[clcf->name.len - 1] == '/')
            {
                return NGX_OK;
            }
        }
    }

    if (key->len && key->data[0] == '/') {
        key->data++;
        key->len--;
    }

    return NGX_OK;
}


/* Whether they differ in nothing but the number of slashes. */

static ngx_uint_t
ngx_http_s3_same_path(ngx_str_t *uri, u_char *raw, size_t len)
{
    u_char  *p, *last, *end;

    p = uri->data;
    last = uri->data + uri->len;
    end = raw + len;

    while (p < last && raw < end) {

        if (*p != *raw) {
            return 0;
        }

        if (*p == '/') {

            while (p < last && *p == '/') {
                p++;
            }

            while (raw < end && *raw == '/') {
                raw++;
            }

            continue;
        }

        p++;
        raw++;
    }

    return p == last && raw == end;
}
