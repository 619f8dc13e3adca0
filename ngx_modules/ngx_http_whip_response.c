
/*
 * Copyright (C) The call recorder authors
 *
 * Responses: CORS headers on all of them, problem details (RFC 9457) as the
 * body of every error.
 */


#include "ngx_http_whip_module.h"


static ngx_int_t ngx_http_whip_cors(ngx_http_request_t *r);
static const char *ngx_http_whip_title(ngx_uint_t status);


ngx_int_t
ngx_http_whip_header(ngx_http_request_t *r, const char *name,
    ngx_str_t *value)
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
    h->value = *value;

    return NGX_OK;
}


ngx_int_t
ngx_http_whip_header_text(ngx_http_request_t *r, const char *name,
    const char *value)
{
    ngx_str_t  text;

    text.data = (u_char *) value;
    text.len = ngx_strlen(value);

    return ngx_http_whip_header(r, name, &text);
}


ngx_int_t
ngx_http_whip_etag(ngx_http_request_t *r, ngx_uint_t etag)
{
    ngx_str_t  value;

    value.data = ngx_pnalloc(r->pool, sizeof("\"ice-\"") + NGX_INT_T_LEN);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    value.len = ngx_sprintf(value.data, "\"ice-%ui\"", etag) - value.data;

    return ngx_http_whip_header(r, "ETag", &value);
}


ngx_int_t
ngx_http_whip_send(ngx_http_request_t *r, ngx_uint_t status,
    const char *type, ngx_str_t *body)
{
    ngx_int_t    rc;
    ngx_buf_t   *b;
    ngx_chain_t  out;

    if (ngx_http_whip_cors(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = status;
    r->headers_out.content_length_n = body ? (off_t) body->len : 0;

    if (type != NULL) {
        r->headers_out.content_type.data = (u_char *) type;
        r->headers_out.content_type.len = ngx_strlen(type);
        r->headers_out.content_type_len = r->headers_out.content_type.len;
    }

    if (body == NULL) {
        r->header_only = 1;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = body->data;
    b->last = body->data + body->len;
    b->memory = 1;
    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


ngx_int_t
ngx_http_whip_problem(ngx_http_request_t *r, ngx_uint_t status,
    const char *code, const char *detail)
{
    u_char      *p;
    size_t       size, len;
    ngx_int_t    rc;
    ngx_str_t    body;
    const char  *title;

    /* a body that was not read; no-op after it was */

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    if (status == NGX_HTTP_SERVICE_UNAVAILABLE
        && ngx_http_whip_header_text(r, "Retry-After", "5") != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    title = ngx_http_whip_title(status);
    len = ngx_strlen(detail);

    size = sizeof("{\"type\":\"about:blank\",\"title\":\"\",\"status\":,"
                  "\"detail\":\"\",\"code\":\"\"}\n")
           + ngx_strlen(title) + NGX_INT_T_LEN + ngx_strlen(code)
           + len + ngx_escape_json(NULL, (u_char *) detail, len);

    body.data = ngx_pnalloc(r->pool, size);
    if (body.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = ngx_sprintf(body.data, "{\"type\":\"about:blank\",\"title\":\"%s\","
                    "\"status\":%ui,\"detail\":\"", title, status);
    p = (u_char *) ngx_escape_json(p, (u_char *) detail, len);
    p = ngx_sprintf(p, "\",\"code\":\"%s\"}\n", code);

    body.len = (size_t) (p - body.data);

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "whip: %ui %s: %s", status, code, detail);

    return ngx_http_whip_send(r, status, "application/problem+json", &body);
}


static ngx_int_t
ngx_http_whip_cors(ngx_http_request_t *r)
{
    ngx_http_whip_loc_conf_t  *wlcf;

    wlcf = ngx_http_get_module_loc_conf(r, ngx_http_whip_module);

    if (wlcf->cors_origin.len == 0) {
        return NGX_OK;
    }

    if (ngx_http_whip_header(r, "Access-Control-Allow-Origin",
                             &wlcf->cors_origin)
        != NGX_OK
        || ngx_http_whip_header_text(r, "Access-Control-Expose-Headers",
                                     "Location, ETag, Link, Retry-After")
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (wlcf->cors_origin.len == 1 && wlcf->cors_origin.data[0] == '*') {
        return NGX_OK;
    }

    return ngx_http_whip_header_text(r, "Vary", "Origin");
}


static const char *
ngx_http_whip_title(ngx_uint_t status)
{
    ngx_uint_t  i;

    static const struct {
        ngx_uint_t   status;
        const char  *title;
    } titles[] = {
        { NGX_HTTP_BAD_REQUEST, "Bad Request" },
        { NGX_HTTP_UNAUTHORIZED, "Unauthorized" },
        { NGX_HTTP_FORBIDDEN, "Forbidden" },
        { NGX_HTTP_NOT_FOUND, "Not Found" },
        { NGX_HTTP_NOT_ALLOWED, "Method Not Allowed" },
        { NGX_HTTP_NOT_ACCEPTABLE, "Not Acceptable" },
        { NGX_HTTP_CONFLICT, "Conflict" },
        { NGX_HTTP_PRECONDITION_FAILED, "Precondition Failed" },
        { NGX_HTTP_REQUEST_ENTITY_TOO_LARGE, "Content Too Large" },
        { NGX_HTTP_UNSUPPORTED_MEDIA_TYPE, "Unsupported Media Type" },
        { NGX_HTTP_UNPROCESSABLE_CONTENT, "Unprocessable Content" },
        { NGX_HTTP_PRECONDITION_REQUIRED, "Precondition Required" },
        { NGX_HTTP_SERVICE_UNAVAILABLE, "Service Unavailable" }
    };

    for (i = 0; i < sizeof(titles) / sizeof(titles[0]); i++) {
        if (titles[i].status == status) {
            return titles[i].title;
        }
    }

    return "Internal Server Error";
}
