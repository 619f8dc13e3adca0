
/*
 * Copyright (C) The call recorder authors
 *
 * From a request to the handler of its route.
 */


#include "ngx_http_callrec.h"
#include "ngx_http_recording_api.h"
#include "ngx_http_recording_auth_module.h"


#define NGX_HTTP_RECORDING_SEGMENTS  4
#define NGX_HTTP_RECORDING_BODY      0x01

#define NGX_HTTP_RECORDING_HEADERS                                            \
    "Authorization, Content-Type, Idempotency-Key, If-None-Match"


/* Below the location's prefix; the first path that matches is taken. */
typedef struct {
    ngx_uint_t                      methods;
    const char                     *names;         /* of the methods */
    const char                     *path;
    unsigned                        permission;
    ngx_uint_t                      flags;
    ngx_http_recording_handler_pt   handler;
} ngx_http_recording_route_t;


static ngx_http_recording_route_t  ngx_http_recording_routes[] = {

    { NGX_HTTP_POST, "POST",
      ":callId/recording/start",
      CR_PERMIT_RECORD, NGX_HTTP_RECORDING_BODY,
      ngx_http_recording_start_handler },

    { NGX_HTTP_POST, "POST",
      ":callId/recording/stop",
      CR_PERMIT_RECORD, NGX_HTTP_RECORDING_BODY,
      ngx_http_recording_stop_handler },

    { NGX_HTTP_GET|NGX_HTTP_HEAD, "GET, HEAD",
      ":callId/recording/:recordingId",
      CR_PERMIT_READ, 0,
      ngx_http_recording_get_handler },

    { NGX_HTTP_DELETE, "DELETE",
      ":callId/recording/:recordingId",
      CR_PERMIT_DELETE, 0,
      ngx_http_recording_delete_handler },

    { 0, NULL, NULL, 0, 0, NULL }
};


typedef struct {
    ngx_http_request_t  *request;
    ngx_http_cleanup_t  *cleanup;
} ngx_http_recording_pending_t;


static ngx_http_recording_route_t *ngx_http_recording_route(
    ngx_http_request_t *r, ngx_str_t *segments, ngx_uint_t n, char *allow,
    size_t size, const char **path);
static ngx_int_t ngx_http_recording_split(ngx_http_request_t *r,
    ngx_str_t *segments, ngx_uint_t *n);
static ngx_uint_t ngx_http_recording_match(const char *path,
    ngx_str_t *segments, ngx_uint_t n);
static ngx_int_t ngx_http_recording_ids(const char *path,
    ngx_str_t *segments, ngx_http_recording_ctx_t *ctx);
static ngx_int_t ngx_http_recording_not_allowed(ngx_http_request_t *r,
    const char *allow);
static ngx_int_t ngx_http_recording_preflight(ngx_http_request_t *r,
    const char *allow);
static ngx_int_t ngx_http_recording_check_body(ngx_http_request_t *r);
static void ngx_http_recording_body_handler(ngx_http_request_t *r);
static void ngx_http_recording_forget(void *data);


ngx_int_t
ngx_http_recording_api_handler(ngx_http_request_t *r)
{
    char                             allow[64];
    ngx_int_t                        rc;
    ngx_str_t                        segments[NGX_HTTP_RECORDING_SEGMENTS];
    ngx_uint_t                       n;
    const char                      *code, *message, *path;
    ngx_http_recording_ctx_t        *ctx;
    ngx_http_recording_route_t      *route;
    ngx_http_recording_loc_conf_t   *rlcf;

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_recording_ctx_t));
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_recording_split(r, segments, &n) != NGX_OK) {
        return ngx_http_recording_error(r, NGX_HTTP_BAD_REQUEST,
                                        "invalid_id", "ids consist of 1 to "
                                        "64 of A-Z a-z 0-9 _ -", NULL);
    }

    route = ngx_http_recording_route(r, segments, n, allow, sizeof(allow),
                                     &path);

    if (path == NULL) {
        return ngx_http_recording_error(r, NGX_HTTP_NOT_FOUND, "not_found",
                                        "there is no such resource", NULL);
    }

    if (route == NULL) {
        rlcf = ngx_http_get_module_loc_conf(r, ngx_http_recording_module);

        if (r->method == NGX_HTTP_OPTIONS && rlcf->cors_origin.len != 0) {
            return ngx_http_recording_preflight(r, allow);
        }

        return ngx_http_recording_not_allowed(r, allow);
    }

    if (ngx_http_recording_ids(path, segments, ctx) != NGX_OK) {
        return ngx_http_recording_error(r, NGX_HTTP_BAD_REQUEST,
                                        "invalid_id", "ids consist of 1 to "
                                        "64 of A-Z a-z 0-9 _ -", NULL);
    }

    rc = ngx_http_recording_auth(r, ctx->call_id, ngx_strlen(ctx->call_id),
                                 route->permission, &ctx->claims, &code,
                                 &message);
    if (rc != NGX_OK) {
        return ngx_http_recording_error(r, rc, code, message, NULL);
    }

    ctx->handler = route->handler;
    ngx_http_set_ctx(r, ctx, ngx_http_recording_module);

    if (route->flags & NGX_HTTP_RECORDING_BODY) {

        rc = ngx_http_recording_check_body(r);
        if (rc != NGX_DECLINED) {
            return rc;
        }

        r->request_body_in_single_buf = 1;

        rc = ngx_http_read_client_request_body(r,
                                            ngx_http_recording_body_handler);

        return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = route->handler(r, ctx);

    if (rc == NGX_DONE) {
        r->main->count++;
    }

    return rc;
}


ngx_int_t
ngx_http_recording_task(ngx_http_request_t *r, ngx_recording_task_t *task)
{
    ngx_http_cleanup_t            *cln;
    ngx_http_recording_pending_t  *pending;

    pending = ngx_palloc(task->pool, sizeof(ngx_http_recording_pending_t));
    cln = ngx_http_cleanup_add(r, 0);

    if (pending == NULL || cln == NULL) {
        ngx_recording_task_free(task);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    pending->request = r;
    pending->cleanup = cln;
    task->data = pending;

    if (ngx_recording_task_post(task) != NGX_OK) {
        return ngx_http_recording_error(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                        "overloaded", "the thread pool's "
                                        "queue is full", NULL);
    }

    cln->handler = ngx_http_recording_forget;
    cln->data = pending;

    return NGX_DONE;
}


ngx_http_request_t *
ngx_http_recording_task_request(ngx_recording_task_t *task)
{
    ngx_http_recording_pending_t  *pending;

    pending = task->data;

    if (pending->request != NULL) {
        pending->cleanup->handler = NULL;
    }

    return pending->request;
}


static void
ngx_http_recording_forget(void *data)
{
    ngx_http_recording_pending_t  *pending = data;

    pending->request = NULL;
}


/*
 * The path below the location, in segments.  What nginx has changed in it
 * (escapes, "..", "//") holds no valid id.
 */

static ngx_int_t
ngx_http_recording_split(ngx_http_request_t *r, ngx_str_t *segments,
    ngx_uint_t *n)
{
    u_char                    *end, *p, *slash;
    size_t                     len;
    ngx_http_core_loc_conf_t  *clcf;

    len = r->unparsed_uri.len;

    p = ngx_strlchr(r->unparsed_uri.data, r->unparsed_uri.data + len, '?');
    if (p != NULL) {
        len = p - r->unparsed_uri.data;
    }

    if (r == r->main && r->uri_changes == NGX_HTTP_MAX_URI_CHANGES + 1
        && (len != r->uri.len
            || ngx_memcmp(r->uri.data, r->unparsed_uri.data, len) != 0))
    {
        return NGX_DECLINED;
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    p = r->uri.data + ngx_min(clcf->name.len, r->uri.len);
    end = r->uri.data + r->uri.len;

    if (p < end && *p == '/') {
        p++;
    }

    for (*n = 0; *n < NGX_HTTP_RECORDING_SEGMENTS && p <= end; (*n)++) {
        slash = ngx_strlchr(p, end, '/');

        if (slash == NULL) {
            slash = end;
        }

        segments[*n].data = p;
        segments[*n].len = slash - p;
        p = slash + 1;
    }

    return NGX_OK;
}


/* *path is NULL when there is nothing there; a route that is NULL: not with
 * this method. */

static ngx_http_recording_route_t *
ngx_http_recording_route(ngx_http_request_t *r, ngx_str_t *segments,
    ngx_uint_t n, char *allow, size_t size, const char **path)
{
    u_char                      *last, *p;
    ngx_http_recording_route_t  *route;

    *path = NULL;

    p = (u_char *) allow;
    last = p + size - 1;

    for (route = ngx_http_recording_routes; route->path != NULL; route++) {

        if (*path == NULL
            && ngx_http_recording_match(route->path, segments, n))
        {
            *path = route->path;
        }

        if (*path == NULL || ngx_strcmp(*path, route->path) != 0) {
            continue;
        }

        if (r->method & route->methods) {
            return route;
        }

        p = ngx_slprintf(p, last, "%s%s", p == (u_char *) allow ? "" : ", ",
                         route->names);
    }

    *p = '\0';

    return NULL;
}


static ngx_uint_t
ngx_http_recording_match(const char *path, ngx_str_t *segments, ngx_uint_t n)
{
    size_t      len;
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        len = strcspn(path, "/");

        if (path[0] != ':'
            && (segments[i].len != len
                || ngx_strncmp(segments[i].data, path, len) != 0))
        {
            return 0;
        }

        path += len;

        if (*path == '\0') {
            return i + 1 == n;
        }

        path++;
    }

    return 0;
}


static ngx_int_t
ngx_http_recording_ids(const char *path, ngx_str_t *segments,
    ngx_http_recording_ctx_t *ctx)
{
    char    *to;
    size_t   len;

    for ( ;; ) {
        len = strcspn(path, "/");

        if (path[0] == ':') {

            if (!cr_id_valid((char *) segments->data, segments->len)) {
                return NGX_DECLINED;
            }

            to = ngx_strncmp(path, ":callId", len) == 0 ? ctx->call_id
                                                        : ctx->recording_id;

            ngx_memcpy(to, segments->data, segments->len);
            to[segments->len] = '\0';
        }

        path += len;

        if (*path == '\0') {
            return NGX_OK;
        }

        path++;
        segments++;
    }
}


static ngx_int_t
ngx_http_recording_not_allowed(ngx_http_request_t *r, const char *allow)
{
    if (ngx_http_recording_header(r, "Allow", allow) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_recording_error(r, NGX_HTTP_NOT_ALLOWED,
                                    "method_not_allowed",
                                    "the resource does not have this method",
                                    NULL);
}


/* Fetch standard, "CORS protocol": never asks for a token. */

static ngx_int_t
ngx_http_recording_preflight(ngx_http_request_t *r, const char *allow)
{
    if (ngx_http_recording_header(r, "Access-Control-Allow-Methods", allow)
        != NGX_OK
        || ngx_http_recording_header(r, "Access-Control-Allow-Headers",
                                     NGX_HTTP_RECORDING_HEADERS) != NGX_OK
        || ngx_http_recording_header(r, "Access-Control-Max-Age", "86400")
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_recording_empty(r);
}


static ngx_int_t
ngx_http_recording_check_body(ngx_http_request_t *r)
{
    size_t      len;
    ngx_str_t  *type;

    static ngx_str_t  json = ngx_string("application/json");

    if (r->headers_in.content_length_n > CR_REQUEST_BODY_MAX) {
        return ngx_http_recording_error(r, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                        "body_too_large",
                                        "the body is larger than 16 KiB",
                                        NULL);
    }

    if (r->headers_in.chunked) {
        return ngx_http_recording_error(r, NGX_HTTP_LENGTH_REQUIRED,
                                        "length_required",
                                        "the body needs a Content-Length",
                                        NULL);
    }

    if (r->headers_in.content_length_n <= 0) {
        return NGX_DECLINED;
    }

    if (r->headers_in.content_type != NULL) {
        type = &r->headers_in.content_type->value;

        for (len = 0; len < type->len; len++) {
            if (type->data[len] == ';' || type->data[len] == ' ') {
                break;
            }
        }

        if (len == json.len
            && ngx_strncasecmp(type->data, json.data, len) == 0)
        {
            return NGX_DECLINED;
        }
    }

    return ngx_http_recording_error(r, NGX_HTTP_UNSUPPORTED_MEDIA_TYPE,
                                    "unsupported_media_type",
                                    "the body must be application/json",
                                    NULL);
}


static void
ngx_http_recording_body_handler(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_http_recording_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_recording_module);

    rc = ngx_http_callrec_body(r, CR_REQUEST_BODY_MAX, &ctx->body);

    if (rc == NGX_DECLINED) {
        rc = NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;

    } else if (rc == NGX_OK) {
        rc = ctx->handler(r, ctx);
    }

    if (rc != NGX_DONE) {
        ngx_http_finalize_request(r, rc);
    }
}
