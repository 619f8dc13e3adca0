
/*
 * Copyright (C) The call recorder authors
 *
 * Answers of the API: an envelope around data or an error.
 */


#include "ngx_http_recording_api.h"
#include "recording/json.h"


#define NGX_HTTP_RECORDING_ERROR_MAX    4096
#define NGX_HTTP_RECORDING_RETRY_AFTER  "5"      /* seconds */


static ngx_int_t ngx_http_recording_send(ngx_http_request_t *r,
    ngx_uint_t status, const char *before, const char *json,
    const char *after);
static ngx_int_t ngx_http_recording_etag(ngx_http_request_t *r, int64_t rev);
static ngx_int_t ngx_http_recording_cors(ngx_http_request_t *r);
static ngx_uint_t ngx_http_recording_retryable(ngx_uint_t status,
    const char *code);


ngx_int_t
ngx_http_recording_data(ngx_http_request_t *r, ngx_uint_t status,
    const char *json, int64_t rev)
{
    if (rev != 0 && ngx_http_recording_etag(r, rev) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_recording_send(r, status, "{\"success\":true,\"data\":",
                                   json, "}\n");
}


ngx_int_t
ngx_http_recording_status(ngx_http_request_t *r, ngx_uint_t status,
    const cr_recording_t *rec)
{
    char       *json;
    ngx_int_t   rc;

    json = cr_recording_status_json(&ngx_callrec_env, rec);
    if (json == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_recording_data(r, status, json, rec->rev);

    cr_free(&ngx_callrec_env, json);

    return rc;
}


ngx_int_t
ngx_http_recording_error(ngx_http_request_t *r, ngx_uint_t status,
    const char *code, const char *message, const char *recording_id)
{
    char       *json;
    ngx_int_t   rc;
    cr_json_t   j;

    cr_json_init(&j, &ngx_callrec_env, NGX_HTTP_RECORDING_ERROR_MAX);
    cr_json_open(&j, NULL, '{');
    cr_json_string(&j, "code", code);
    cr_json_string(&j, "message", message);
    cr_json_bool(&j, "retryable", ngx_http_recording_retryable(status, code));

    if (recording_id != NULL) {
        cr_json_string(&j, "recordingId", recording_id);
    }

    cr_json_close(&j, '}');

    json = cr_json_finish(&j);
    if (json == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (status == NGX_HTTP_SERVICE_UNAVAILABLE
        && ngx_http_recording_header(r, "Retry-After",
                                     NGX_HTTP_RECORDING_RETRY_AFTER)
           != NGX_OK)
    {
        cr_free(&ngx_callrec_env, json);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "recording API: %ui %s: %s", status, code, message);

    rc = ngx_http_recording_send(r, status, "{\"success\":false,\"error\":",
                                 json, "}\n");

    cr_free(&ngx_callrec_env, json);

    return rc;
}


ngx_int_t
ngx_http_recording_empty(ngx_http_request_t *r)
{
    if (ngx_http_discard_request_body(r) != NGX_OK
        || ngx_http_recording_cors(r) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = NGX_HTTP_NO_CONTENT;
    r->header_only = 1;

    return ngx_http_send_header(r);
}


ngx_int_t
ngx_http_recording_header(ngx_http_request_t *r, const char *name,
    const char *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value.len = ngx_strlen(value);
    h->value.data = ngx_pnalloc(r->pool, h->value.len);

    if (h->value.data == NULL) {
        h->hash = 0;
        return NGX_ERROR;
    }

    ngx_memcpy(h->value.data, value, h->value.len);

    return NGX_OK;
}


void
ngx_http_recording_finalize(ngx_http_request_t *r, ngx_int_t rc)
{
    ngx_connection_t  *c;

    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_http_recording_send(ngx_http_request_t *r, ngx_uint_t status,
    const char *before, const char *json, const char *after)
{
    size_t        len;
    ngx_buf_t    *b;
    ngx_int_t     rc;
    ngx_chain_t   out;

    /* an answer before the body was read */

    if (r->request_body == NULL && ngx_http_discard_request_body(r) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_recording_cors(r) != NGX_OK
        || ngx_http_recording_header(r, "Cache-Control", "no-cache")
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    len = ngx_strlen(before) + ngx_strlen(json) + ngx_strlen(after);

    b = ngx_create_temp_buf(r->pool, len);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->last = ngx_cpymem(b->last, before, ngx_strlen(before));
    b->last = ngx_cpymem(b->last, json, ngx_strlen(json));
    b->last = ngx_cpymem(b->last, after, ngx_strlen(after));
    b->last_buf = 1;
    b->last_in_chain = 1;

    r->headers_out.status = status;
    r->headers_out.content_length_n = len;

    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


static ngx_int_t
ngx_http_recording_etag(ngx_http_request_t *r, int64_t rev)
{
    u_char  value[NGX_INT64_LEN + sizeof("\"\"")];

    (void) ngx_snprintf(value, sizeof(value), "\"%L\"%Z", rev);

    if (ngx_http_recording_header(r, "ETag", (char *) value) != NGX_OK) {
        return NGX_ERROR;
    }

    /* for If-None-Match, which nginx's not_modified filter answers */

    r->headers_out.etag = (ngx_table_elt_t *) r->headers_out.headers.last->elts
                          + r->headers_out.headers.last->nelts - 1;

    return NGX_OK;
}


static ngx_int_t
ngx_http_recording_cors(ngx_http_request_t *r)
{
    ngx_str_t                      *origin;
    ngx_http_recording_loc_conf_t  *rlcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_recording_module);
    origin = &rlcf->cors_origin;

    if (origin->len == 0) {
        return NGX_OK;
    }

    /* a directive's value is NUL-terminated */

    if (ngx_http_recording_header(r, "Access-Control-Allow-Origin",
                                  (char *) origin->data) != NGX_OK
        || ngx_http_recording_header(r, "Access-Control-Expose-Headers",
                                     "ETag, Location, Retry-After") != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (origin->data[0] != '*') {
        return ngx_http_recording_header(r, "Vary", "Origin");
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_recording_retryable(ngx_uint_t status, const char *code)
{
    return status >= NGX_HTTP_INTERNAL_SERVER_ERROR
           || ngx_strcmp(code, "request_in_progress") == 0;
}
