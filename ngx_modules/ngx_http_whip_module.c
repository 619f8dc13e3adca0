
/*
 * Copyright (C) The call recorder authors
 *
 * WHIP (RFC 9725): <location>/<callId> takes offers,
 * <location>/<callId>/<sessionId> is the session that an offer made.
 */


#include "ngx_http_whip_module.h"

#include "ngx_callrec.h"
#include "ngx_http_callrec.h"
#include "ngx_http_recording_auth_module.h"


#define NGX_HTTP_WHIP_ENDPOINT  0
#define NGX_HTTP_WHIP_SESSION   1


typedef struct {
    ngx_uint_t    method;
    ngx_uint_t    body;            /* has one, and of which type */
    ngx_str_t     type;
    ngx_int_t   (*handler)(ngx_http_request_t *r, ngx_http_whip_ctx_t *ctx);
} ngx_http_whip_route_t;


static ngx_int_t ngx_http_whip_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_whip_path(ngx_http_request_t *r,
    ngx_http_whip_ctx_t *ctx, ngx_uint_t *what);
static ngx_int_t ngx_http_whip_options(ngx_http_request_t *r,
    ngx_uint_t what);
static ngx_int_t ngx_http_whip_not_allowed(ngx_http_request_t *r,
    ngx_uint_t what);
static ngx_int_t ngx_http_whip_read(ngx_http_request_t *r,
    const ngx_http_whip_route_t *route);
static void ngx_http_whip_body(ngx_http_request_t *r);
static ngx_int_t ngx_http_whip_identify(ngx_http_request_t *r,
    ngx_http_whip_ctx_t *ctx, const cr_jwt_claims_t *claims);
static ngx_int_t ngx_http_whip_arg(ngx_http_request_t *r, const char *name,
    char *dst, size_t size);
static ngx_uint_t ngx_http_whip_name_valid(const char *name);
static ngx_int_t ngx_http_whip_get(ngx_http_request_t *r,
    ngx_http_whip_ctx_t *ctx);
static ngx_int_t ngx_http_whip_delete(ngx_http_request_t *r,
    ngx_http_whip_ctx_t *ctx);
static void *ngx_http_whip_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_whip_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_http_whip(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


static ngx_command_t  ngx_http_whip_commands[] = {

    { ngx_string("whip"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_whip,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("whip_cors_origin"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_whip_loc_conf_t, cors_origin),
      NULL },

    { ngx_string("whip_base_url"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_whip_loc_conf_t, base_url),
      NULL },

    { ngx_string("whip_ice_server"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_whip_ice_server,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_whip_module_ctx = {
    NULL,                              /* preconfiguration */
    NULL,                              /* postconfiguration */

    NULL,                              /* create main configuration */
    NULL,                              /* init main configuration */

    NULL,                              /* create server configuration */
    NULL,                              /* merge server configuration */

    ngx_http_whip_create_loc_conf,     /* create location configuration */
    ngx_http_whip_merge_loc_conf       /* merge location configuration */
};


ngx_module_t  ngx_http_whip_module = {
    NGX_MODULE_V1,
    &ngx_http_whip_module_ctx,         /* module context */
    ngx_http_whip_commands,            /* module directives */
    NGX_HTTP_MODULE,                   /* module type */
    NULL,                              /* init master */
    NULL,                              /* init module */
    NULL,                              /* init process */
    NULL,                              /* init thread */
    NULL,                              /* exit thread */
    NULL,                              /* exit process */
    NULL,                              /* exit master */
    NGX_MODULE_V1_PADDING
};


static const ngx_http_whip_route_t  ngx_http_whip_routes[2][5] = {

    { { NGX_HTTP_POST, 1, ngx_string("application/sdp"),
        ngx_http_whip_post },
      { NGX_HTTP_GET, 0, ngx_null_string, ngx_http_whip_get },
      { NGX_HTTP_HEAD, 0, ngx_null_string, ngx_http_whip_get },
      { 0, 0, ngx_null_string, NULL } },

    { { NGX_HTTP_PATCH, 1, ngx_string("application/trickle-ice-sdpfrag"),
        ngx_http_whip_patch },
      { NGX_HTTP_DELETE, 0, ngx_null_string, ngx_http_whip_delete },
      { NGX_HTTP_GET, 0, ngx_null_string, ngx_http_whip_get },
      { NGX_HTTP_HEAD, 0, ngx_null_string, ngx_http_whip_get },
      { 0, 0, ngx_null_string, NULL } }
};


static const char *const  ngx_http_whip_methods[] = {
    "POST, GET, HEAD, OPTIONS",
    "PATCH, DELETE, GET, HEAD, OPTIONS"
};


static ngx_int_t
ngx_http_whip_handler(ngx_http_request_t *r)
{
    ngx_int_t                        rc;
    ngx_uint_t                       what;
    const char                      *code, *message;
    cr_jwt_claims_t                  claims;
    ngx_http_whip_ctx_t             *ctx;
    const ngx_http_whip_route_t     *route;
    ngx_recording_publisher_info_t   info;

    /* an If-Match is ours to judge, also where it means nothing */
    r->disable_not_modified = 1;

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_whip_ctx_t));
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_set_ctx(r, ctx, ngx_http_whip_module);

    rc = ngx_http_whip_path(r, ctx, &what);

    if (r->method == NGX_HTTP_OPTIONS) {
        return ngx_http_whip_options(r, what);
    }

    if (rc != NGX_OK) {
        return ngx_http_whip_problem(r, NGX_HTTP_BAD_REQUEST, "bad_id",
            "Ids are 1 to 64 letters, digits, underscores or hyphens.");
    }

    for (route = ngx_http_whip_routes[what]; route->method; route++) {
        if (route->method == r->method) {
            break;
        }
    }

    if (route->method == 0) {
        return ngx_http_whip_not_allowed(r, what);
    }

    rc = ngx_http_recording_auth(r, ctx->info.call_id,
                                 ngx_strlen(ctx->info.call_id),
                                 CR_PERMIT_PUBLISH, &claims, &code, &message);
    if (rc != NGX_OK) {
        return ngx_http_whip_problem(r, (ngx_uint_t) rc, code, message);
    }

    if (what == NGX_HTTP_WHIP_SESSION) {
        rc = ngx_rtc_session_find(ctx->info.session_id, &info, NULL, NULL);

        /* DELETE tells for itself one that has just ended */

        if ((rc == NGX_OK) ? ngx_strcmp(info.call_id, ctx->info.call_id) != 0
                           : route->method != NGX_HTTP_DELETE)
        {
            return ngx_http_whip_problem(r, NGX_HTTP_NOT_FOUND,
                                         "session_not_found",
                                         "There is no such session.");
        }
    }

    if (route->method == NGX_HTTP_POST
        && ngx_http_whip_identify(r, ctx, &claims) != NGX_OK)
    {
        return ngx_http_whip_problem(r, NGX_HTTP_BAD_REQUEST,
                                     "bad_participant",
            "The participant's id, name or role is not acceptable.");
    }

    if (route->body) {
        return ngx_http_whip_read(r, route);
    }

    return route->handler(r, ctx);
}


/* The ids behind the location's prefix. */

static ngx_int_t
ngx_http_whip_path(ngx_http_request_t *r, ngx_http_whip_ctx_t *ctx,
    ngx_uint_t *what)
{
    u_char                    *p, *last, *slash;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    p = r->uri.data + ngx_min(clcf->name.len, r->uri.len);
    last = r->uri.data + r->uri.len;

    if (p < last && *p == '/') {
        p++;
    }

    slash = ngx_strlchr(p, last, '/');

    *what = (slash != NULL) ? NGX_HTTP_WHIP_SESSION : NGX_HTTP_WHIP_ENDPOINT;

    if (slash != NULL) {
        if (!cr_id_valid((char *) slash + 1, (size_t) (last - slash) - 1)) {
            return NGX_DECLINED;
        }

        ngx_memcpy(ctx->info.session_id, slash + 1,
                   (size_t) (last - slash) - 1);
        last = slash;
    }

    if (!cr_id_valid((char *) p, (size_t) (last - p))) {
        return NGX_DECLINED;
    }

    ngx_memcpy(ctx->info.call_id, p, (size_t) (last - p));

    return NGX_OK;
}


/* CORS preflight, and RFC 9725 section 4.2: no token is asked for. */

static ngx_int_t
ngx_http_whip_options(ngx_http_request_t *r, ngx_uint_t what)
{
    ngx_int_t  rc;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_whip_header_text(r, "Allow", ngx_http_whip_methods[what])
        != NGX_OK
        || ngx_http_whip_header_text(r, "Access-Control-Allow-Methods",
                                     ngx_http_whip_methods[what])
        != NGX_OK
        || ngx_http_whip_header_text(r, "Access-Control-Allow-Headers",
                                     "Authorization, Content-Type, If-Match")
        != NGX_OK
        || ngx_http_whip_header_text(r, "Access-Control-Max-Age", "86400")
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_whip_header_text(r, what == NGX_HTTP_WHIP_ENDPOINT
                                     ? "Accept-Post" : "Accept-Patch",
                             (char *) ngx_http_whip_routes[what][0].type.data)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_whip_send(r, NGX_HTTP_NO_CONTENT, NULL, NULL);
}


static ngx_int_t
ngx_http_whip_not_allowed(ngx_http_request_t *r, ngx_uint_t what)
{
    if (ngx_http_whip_header_text(r, "Allow", ngx_http_whip_methods[what])
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_whip_problem(r, NGX_HTTP_NOT_ALLOWED,
                                 "method_not_allowed",
        what == NGX_HTTP_WHIP_ENDPOINT
        ? "A WHIP endpoint takes POST, GET, HEAD and OPTIONS."
        : "A WHIP session takes PATCH, DELETE, GET, HEAD and OPTIONS.");
}


static ngx_int_t
ngx_http_whip_read(ngx_http_request_t *r, const ngx_http_whip_route_t *route)
{
    size_t      len;
    ngx_int_t   rc;
    ngx_str_t  *type;

    len = route->type.len;
    type = r->headers_in.content_type ? &r->headers_in.content_type->value
                                      : NULL;

    if (type == NULL || type->len < len
        || ngx_strncasecmp(type->data, route->type.data, len) != 0
        || (type->len > len && type->data[len] != ';'
            && type->data[len] != ' '))
    {
        if (ngx_http_whip_header_text(r, r->method == NGX_HTTP_POST
                                         ? "Accept-Post" : "Accept-Patch",
                                      (char *) route->type.data)
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_http_whip_problem(r, NGX_HTTP_UNSUPPORTED_MEDIA_TYPE,
                                     "unsupported_media_type",
            r->method == NGX_HTTP_POST
            ? "The body must be application/sdp."
            : "The body must be application/trickle-ice-sdpfrag.");
    }

    if (r->method == NGX_HTTP_PATCH && r->headers_in.if_match == NULL) {
        return ngx_http_whip_problem(r, NGX_HTTP_PRECONDITION_REQUIRED,
                                     "precondition_required",
            "If-Match is required: the ETag of the ICE session or an "
            "asterisk.");
    }

    if (r->headers_in.content_length_n > NGX_HTTP_WHIP_BODY_MAX) {
        return ngx_http_whip_problem(r, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                     "body_too_large",
                                     "The body is larger than 64 KiB.");
    }

    r->request_body_in_single_buf = 1;

    rc = ngx_http_read_client_request_body(r, ngx_http_whip_body);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


static void
ngx_http_whip_body(ngx_http_request_t *r)
{
    ngx_int_t             rc;
    ngx_http_whip_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_whip_module);

    rc = ngx_http_callrec_body(r, NGX_HTTP_WHIP_BODY_MAX, &ctx->body);

    if (rc == NGX_DECLINED) {
        rc = ngx_http_whip_problem(r, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                   "body_too_large",
                                   "The body is larger than 64 KiB.");

    } else if (rc == NGX_OK && ctx->body.len == 0) {
        rc = ngx_http_whip_problem(r, NGX_HTTP_BAD_REQUEST, "body_empty",
                                   "The request has no body.");

    } else if (rc == NGX_OK) {
        rc = (r->method == NGX_HTTP_POST) ? ngx_http_whip_post(r, ctx)
                                          : ngx_http_whip_patch(r, ctx);
    }

    ngx_http_finalize_request(r, rc);
}


/* Who publishes: by the token, or by the query where the token is silent. */

static ngx_int_t
ngx_http_whip_identify(ngx_http_request_t *r, ngx_http_whip_ctx_t *ctx,
    const cr_jwt_claims_t *claims)
{
    char                             role[CR_ROLE_MAX + 1];
    u_char                           bytes[8];
    ngx_recording_publisher_info_t  *info;

    info = &ctx->info;

    if (claims->subject[0] != '\0') {
        ngx_memcpy(info->participant_id, claims->subject,
                   sizeof(info->participant_id));

    } else if (ngx_http_whip_arg(r, "participant", info->participant_id,
                                 sizeof(info->participant_id))
               != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (info->participant_id[0] == '\0') {
        cr_random(&ngx_callrec_env, bytes, sizeof(bytes));

        ngx_memcpy(info->participant_id, "p-", 2);
        *ngx_hex_dump((u_char *) info->participant_id + 2, bytes,
                      sizeof(bytes)) = '\0';
    }

    if (claims->name[0] != '\0') {
        ngx_memcpy(info->participant_name, claims->name,
                   sizeof(info->participant_name));

    } else if (ngx_http_whip_arg(r, "name", info->participant_name,
                                 sizeof(info->participant_name))
               != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (claims->role[0] != '\0') {
        ngx_memcpy(role, claims->role, sizeof(role));

    } else if (ngx_http_whip_arg(r, "role", role, sizeof(role)) != NGX_OK
               || (role[0] != '\0'
                   && !cr_role_valid(role, ngx_strlen(role))))
    {
        return NGX_DECLINED;
    }

    info->screen = (role[0] == 's');

    if (!cr_id_valid(info->participant_id,
                     ngx_strlen(info->participant_id))
        || !ngx_http_whip_name_valid(info->participant_name))
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* An argument of the query, unescaped; "" when it is absent. */

static ngx_int_t
ngx_http_whip_arg(ngx_http_request_t *r, const char *name, char *dst,
    size_t size)
{
    u_char     *d, *s;
    size_t      len;
    ngx_str_t   value;

    dst[0] = '\0';

    if (ngx_http_arg(r, (u_char *) name, ngx_strlen(name), &value)
        != NGX_OK)
    {
        return NGX_OK;
    }

    d = ngx_pnalloc(r->pool, value.len + 1);
    if (d == NULL) {
        return NGX_ERROR;
    }

    s = value.data;
    value.data = d;

    ngx_unescape_uri(&d, &s, value.len, 0);

    len = (size_t) (d - value.data);

    if (len >= size || ngx_strlchr(value.data, d, '\0') != NULL) {
        return NGX_DECLINED;
    }

    ngx_memcpy(dst, value.data, len);
    dst[len] = '\0';

    return NGX_OK;
}


/* UTF-8 without control characters. */

static ngx_uint_t
ngx_http_whip_name_valid(const char *name)
{
    u_char    *p, *last;
    uint32_t   c;

    p = (u_char *) name;
    last = p + ngx_strlen(name);

    while (p < last) {

        if (*p < 0x80) {
            c = *p++;

        } else {
            c = ngx_utf8_decode(&p, (size_t) (last - p));
        }

        if (c > 0x10ffff || c < 0x20 || (c >= 0x7f && c < 0xa0)) {
            return 0;
        }
    }

    return 1;
}


static ngx_int_t
ngx_http_whip_get(ngx_http_request_t *r, ngx_http_whip_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_whip_send(r, NGX_HTTP_NO_CONTENT, NULL, NULL);
}


static ngx_int_t
ngx_http_whip_delete(ngx_http_request_t *r, ngx_http_whip_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    /* by BYE or close_notify a session ends before its DELETE comes */

    if (ngx_rtc_session_delete(ctx->info.session_id, r->connection->log)
        != NGX_OK
        && ngx_rtc_session_ended(ctx->info.call_id, ctx->info.session_id)
           != NGX_OK)
    {
        return ngx_http_whip_problem(r, NGX_HTTP_NOT_FOUND,
                                     "session_not_found",
                                     "There is no such session.");
    }

    return ngx_http_whip_send(r, NGX_HTTP_OK, NULL, NULL);
}


static void *
ngx_http_whip_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_whip_loc_conf_t  *wlcf;

    wlcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_whip_loc_conf_t));
    if (wlcf == NULL) {
        return NULL;
    }

    wlcf->base_url = NGX_CONF_UNSET_PTR;
    wlcf->ice_servers = NGX_CONF_UNSET_PTR;

    return wlcf;
}


static char *
ngx_http_whip_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_whip_loc_conf_t *prev = parent;
    ngx_http_whip_loc_conf_t *conf = child;

    ngx_http_core_loc_conf_t  *clcf;

    ngx_conf_merge_str_value(conf->cors_origin, prev->cors_origin, "*");
    ngx_conf_merge_ptr_value(conf->base_url, prev->base_url, NULL);
    ngx_conf_merge_ptr_value(conf->ice_servers, prev->ice_servers, NULL);

    if (!conf->enable) {
        return NGX_CONF_OK;
    }

    if (!ngx_rtc_enabled(cf)) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"whip\" needs an \"rtc\" block before \"http\"");
        return NGX_CONF_ERROR;
    }

    /* all that we take is read into memory */

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    clcf->client_body_buffer_size = ngx_max(clcf->client_body_buffer_size,
                                            NGX_HTTP_WHIP_BODY_MAX + 1);

    return NGX_CONF_OK;
}


static char *
ngx_http_whip(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_whip_loc_conf_t *wlcf = conf;

    ngx_http_core_loc_conf_t  *clcf;

    if (wlcf->enable) {
        return "is duplicate";
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

#if (NGX_PCRE)
    if (clcf->regex) {
        return "cannot be in a location given by a regular expression";
    }
#endif

    if (clcf->named || clcf->noname) {
        return "needs a location with a prefix";
    }

    wlcf->enable = 1;
    clcf->handler = ngx_http_whip_handler;

    if (ngx_http_recording_auth_require(cf, &cmd->name) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
