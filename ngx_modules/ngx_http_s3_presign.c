
/*
 * Copyright (C) The call recorder authors
 *
 * $s3_presigned_url.
 */


#include "ngx_http_s3.h"
#include "ngx_callrec.h"


static ngx_int_t ngx_http_s3_presign(ngx_http_request_t *r,
    ngx_http_s3_loc_conf_t *conf, cr_sigv4_request_t *request,
    ngx_str_t *path, ngx_str_t *host, ngx_http_variable_value_t *v);


ngx_int_t
ngx_http_s3_presigned_url(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    ngx_int_t                rc;
    ngx_str_t                args, path, host;
    cr_sigv4_header_t        header;
    cr_sigv4_request_t       request;
    ngx_http_s3_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_s3_module);

    v->not_found = 1;

    if (conf->provider == NGX_CONF_UNSET_PTR) {
        return NGX_OK;
    }

    rc = ngx_http_s3_target(r, conf, &path, &host);

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : NGX_ERROR;
    }

    ngx_str_null(&args);

    if (conf->presign_args
        && ngx_http_complex_value(r, conf->presign_args, &args) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (!ngx_http_s3_provider_ready(conf->provider)) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "s3: there are no credentials to presign with");
        return NGX_OK;
    }

    header.name = cr_s3_str("host");
    header.value = ngx_http_s3_slice(host);

    ngx_memzero(&request, sizeof(cr_sigv4_request_t));

    request.method = cr_s3_str("GET");
    request.path = ngx_http_s3_slice(path);
    request.query = ngx_http_s3_slice(args);
    request.headers = &header;
    request.nheaders = 1;

    return ngx_http_s3_presign(r, conf, &request, &path, &host, v);
}


static ngx_int_t
ngx_http_s3_presign(ngx_http_request_t *r, ngx_http_s3_loc_conf_t *conf,
    cr_sigv4_request_t *request, ngx_str_t *path, ngx_str_t *host,
    ngx_http_variable_value_t *v)
{
    u_char        *url, *last;
    size_t         size;
    cr_status_e    rc;
    cr_writer_t    w;
    cr_s3_keys_t   keys;

    keys = cr_s3_credentials_keys(&conf->provider->credentials);

    size = conf->scheme.len + host->len + path->len + 1
           + 3 * (request->query.len + keys.access.len + keys.session.len)
           + 1024;

    url = ngx_pnalloc(r->pool, size);
    if (url == NULL) {
        return NGX_ERROR;
    }

    last = ngx_sprintf(url, "%V%V%V?", &conf->scheme, host, path);

    rc = cr_sigv4_key(conf->cache, keys.secret,
                      ngx_http_s3_slice(conf->region),
                      ngx_http_s3_slice(conf->service), ngx_time());

    if (rc == CR_OK) {
        cr_writer_init(&w, last, url + size - last);
        rc = cr_sigv4_presign(&ngx_callrec_env, conf->cache, &keys,
                              ngx_time(), conf->presign_expires, request, &w);
    }

    if (rc != CR_OK) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "s3: a URL cannot be presigned: %s",
                      rc == CR_LIMIT ? "too many arguments" : "no memory");
        return NGX_OK;
    }

    v->data = url;
    v->len = w.pos - url;
    v->valid = 1;
    v->not_found = 0;
    v->no_cacheable = 0;

    return NGX_OK;
}
