
/*
 * Copyright (C) The call recorder authors
 *
 * POST: an offer in, an answer out (RFC 9725 section 4.2).
 */


#include "ngx_http_whip_module.h"


#define NGX_HTTP_WHIP_ANSWER_MAX  65536


static ngx_int_t ngx_http_whip_refuse(ngx_http_request_t *r,
    cr_status_e status, const char *why);
static ngx_int_t ngx_http_whip_created(ngx_http_request_t *r,
    ngx_http_whip_ctx_t *ctx, const cr_sdp_session_t *sdp,
    const ngx_rtc_local_t *local);
static ngx_int_t ngx_http_whip_location(ngx_http_request_t *r,
    const char *session_id);
static ngx_int_t ngx_http_whip_base(ngx_http_request_t *r, ngx_str_t *base);


ngx_int_t
ngx_http_whip_post(ngx_http_request_t *r, ngx_http_whip_ctx_t *ctx)
{
    ngx_int_t          rc;
    const char        *why;
    cr_status_e        status;
    ngx_rtc_local_t    local;
    cr_sdp_session_t  *sdp;
    ngx_connection_t  *c;

    c = r->connection;
    why = "internal error";

    sdp = ngx_palloc(r->pool, sizeof(cr_sdp_session_t));
    if (sdp == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    status = cr_sdp_negotiate((char *) ctx->body.data, ctx->body.len,
                              ngx_rtc_sdp_config(), sdp, &why);

    if (status != CR_OK) {
        return ngx_http_whip_refuse(r, status, why);
    }

    /* a wildcard "listen": which address the client has used */

    if (ngx_connection_local_sockaddr(c, NULL, 0) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_rtc_session_create(&ctx->info, sdp, c->sockaddr,
                                c->local_sockaddr, &local, &why, c->log);

    if (rc == NGX_BUSY) {
        return ngx_http_whip_problem(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                     "capacity", "There is no room for "
                                     "another session at the moment.");
    }

    if (rc != NGX_OK) {
        return ngx_http_whip_problem(r, NGX_HTTP_INTERNAL_SERVER_ERROR,
                                     "internal", why);
    }

    rc = ngx_http_whip_created(r, ctx, sdp, &local);

    if (rc == NGX_ERROR || rc >= NGX_HTTP_SPECIAL_RESPONSE) {

        /* nobody will ever use it */

        (void) ngx_rtc_session_delete(ctx->info.session_id, c->log);
    }

    return rc;
}


static ngx_int_t
ngx_http_whip_refuse(ngx_http_request_t *r, cr_status_e status,
    const char *why)
{
    switch (status) {

    case CR_INVALID:
        return ngx_http_whip_problem(r, NGX_HTTP_BAD_REQUEST,
                                     "sdp_malformed", why);

    case CR_DECLINED:
        return ngx_http_whip_problem(r, NGX_HTTP_NOT_ACCEPTABLE,
                                     "no_common_codec", why);

    case CR_UNSUPPORTED:
        return ngx_http_whip_problem(r, NGX_HTTP_UNPROCESSABLE_CONTENT,
                                     "sdp_unsupported", why);

    case CR_LIMIT:
        return ngx_http_whip_problem(r, NGX_HTTP_UNPROCESSABLE_CONTENT,
                                     "sdp_too_much", why);

    default:
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "negotiation failed: %i", (ngx_int_t) status);

        return ngx_http_whip_problem(r, NGX_HTTP_INTERNAL_SERVER_ERROR,
                                     "internal", "Internal error.");
    }
}


static ngx_int_t
ngx_http_whip_created(ngx_http_request_t *r, ngx_http_whip_ctx_t *ctx,
    const cr_sdp_session_t *sdp, const ngx_rtc_local_t *local)
{
    ngx_str_t  answer;

    answer.data = ngx_pnalloc(r->pool, NGX_HTTP_WHIP_ANSWER_MAX);
    if (answer.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    answer.len = cr_sdp_write_answer((char *) answer.data,
                                     NGX_HTTP_WHIP_ANSWER_MAX,
                                     (char *) ctx->body.data, ctx->body.len,
                                     sdp, &local->sdp);
    if (answer.len == 0) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "the answer to an offer of %uz bytes does not fit",
                      ctx->body.len);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_whip_location(r, ctx->info.session_id) != NGX_OK
        || ngx_http_whip_etag(r, local->etag) != NGX_OK
        || ngx_http_whip_header_text(r, "Accept-Patch",
                                     "application/trickle-ice-sdpfrag")
        != NGX_OK
        || ngx_http_whip_link(r, ctx->info.participant_id) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "whip: session %s, call: %s, participant: %s",
                  ctx->info.session_id, ctx->info.call_id,
                  ctx->info.participant_id);

    return ngx_http_whip_send(r, NGX_HTTP_CREATED, "application/sdp",
                              &answer);
}


/* The session's URL: the request's own, absolute, with the session's id. */

static ngx_int_t
ngx_http_whip_location(ngx_http_request_t *r, const char *session_id)
{
    u_char           *p;
    size_t            escaped;
    ngx_str_t         base;
    ngx_table_elt_t  *h;

    if (ngx_http_whip_base(r, &base) != NGX_OK) {
        return NGX_ERROR;
    }

    escaped = 2 * ngx_escape_uri(NULL, r->uri.data, r->uri.len,
                                 NGX_ESCAPE_URI);

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    p = ngx_pnalloc(r->pool, base.len + r->uri.len + escaped
                             + 1 + ngx_strlen(session_id));
    if (p == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
    ngx_str_set(&h->key, "Location");
    h->value.data = p;

    p = ngx_cpymem(p, base.data, base.len);
    p = (u_char *) ngx_escape_uri(p, r->uri.data, r->uri.len,
                                  NGX_ESCAPE_URI);
    *p++ = '/';
    p = ngx_cpymem(p, session_id, ngx_strlen(session_id));

    h->value.len = (size_t) (p - h->value.data);

    r->headers_out.location = h;

    return NGX_OK;
}


static ngx_int_t
ngx_http_whip_base(ngx_http_request_t *r, ngx_str_t *base)
{
    u_char                    *p;
    ngx_str_t                  host, scheme;
    ngx_http_whip_loc_conf_t  *wlcf;
    u_char                     addr[NGX_SOCKADDR_STRLEN];

    wlcf = ngx_http_get_module_loc_conf(r, ngx_http_whip_module);

    if (wlcf->base_url != NULL) {
        if (ngx_http_complex_value(r, wlcf->base_url, base) != NGX_OK) {
            return NGX_ERROR;
        }

        if (base->len != 0 && base->data[base->len - 1] == '/') {
            base->len--;
        }

        return NGX_OK;
    }

    ngx_str_set(&scheme, "http");

#if (NGX_HTTP_SSL)
    if (r->connection->ssl) {
        ngx_str_set(&scheme, "https");
    }
#endif

    if (r->headers_in.host != NULL) {
        host = r->headers_in.host->value;

    } else if (r->headers_in.server.len != 0) {

        /* HTTP/2: ":authority"; the port is lost */

        host = r->headers_in.server;

    } else {
        host.data = addr;
        host.len = NGX_SOCKADDR_STRLEN;

        if (ngx_connection_local_sockaddr(r->connection, &host, 1)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    base->data = ngx_pnalloc(r->pool, scheme.len + 3 + host.len);
    if (base->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(base->data, scheme.data, scheme.len);
    p = ngx_cpymem(p, "://", 3);
    p = ngx_cpymem(p, host.data, host.len);

    base->len = (size_t) (p - base->data);

    return NGX_OK;
}
