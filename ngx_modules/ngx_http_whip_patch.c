
/*
 * Copyright (C) The call recorder authors
 *
 * PATCH: trickle ICE and ICE restarts (RFC 9725 section 4.3).  We are
 * ICE-lite, so the client's candidates tell us nothing that its connectivity
 * checks do not; they are checked and dropped.
 */


#include "ngx_http_whip_module.h"


#define NGX_HTTP_WHIP_FRAG_MAX  8192


static ngx_int_t ngx_http_whip_trickle(ngx_http_request_t *r,
    const cr_sdpfrag_t *frag, const cr_sdp_session_t *sdp);
static ngx_int_t ngx_http_whip_restart(ngx_http_request_t *r,
    ngx_http_whip_ctx_t *ctx, const cr_sdpfrag_t *frag,
    cr_sdp_session_t *sdp);
static ngx_uint_t ngx_http_whip_if_any(ngx_str_t *if_match);
static ngx_uint_t ngx_http_whip_if_match(ngx_str_t *if_match,
    ngx_uint_t etag);


ngx_int_t
ngx_http_whip_patch(ngx_http_request_t *r, ngx_http_whip_ctx_t *ctx)
{
    ngx_str_t         *if_match;
    ngx_uint_t         etag;
    const char        *why;
    cr_status_e        status;
    cr_sdpfrag_t      *frag;
    cr_sdp_session_t  *sdp;

    why = "internal error";
    if_match = &r->headers_in.if_match->value;

    frag = ngx_pcalloc(r->pool, sizeof(cr_sdpfrag_t));
    sdp = ngx_palloc(r->pool, sizeof(cr_sdp_session_t));

    if (frag == NULL || sdp == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    status = cr_sdpfrag_parse((char *) ctx->body.data, ctx->body.len, frag,
                              &why);

    if (status != CR_OK) {
        return ngx_http_whip_problem(r,
            status == CR_LIMIT ? NGX_HTTP_UNPROCESSABLE_CONTENT
                               : NGX_HTTP_BAD_REQUEST,
            status == CR_LIMIT ? "sdpfrag_too_much" : "sdpfrag_malformed",
            why);
    }

    /* it may have ended while the body was on its way */

    if (ngx_rtc_session_find(ctx->info.session_id, &ctx->info, sdp, &etag)
        != NGX_OK)
    {
        return ngx_http_whip_problem(r, NGX_HTTP_NOT_FOUND,
                                     "session_not_found",
                                     "There is no such session.");
    }

    if (!ngx_http_whip_if_any(if_match)) {
        if (!ngx_http_whip_if_match(if_match, etag)) {
            return ngx_http_whip_problem(r, NGX_HTTP_PRECONDITION_FAILED,
                                         "precondition_failed",
                "If-Match names another ICE session than the current one.");
        }

        return ngx_http_whip_trickle(r, frag, sdp);
    }

    if (frag->ufrag[0] == '\0' || frag->pwd[0] == '\0') {
        return ngx_http_whip_problem(r, NGX_HTTP_UNPROCESSABLE_CONTENT,
                                     "ice_credentials_missing",
            "An ICE restart needs a=ice-ufrag and a=ice-pwd.");
    }

    if (ngx_strcmp(frag->ufrag, sdp->remote_ufrag) == 0
        && ngx_strcmp(frag->pwd, sdp->remote_pwd) == 0)
    {
        return ngx_http_whip_trickle(r, frag, sdp);
    }

    return ngx_http_whip_restart(r, ctx, frag, sdp);
}


static ngx_int_t
ngx_http_whip_trickle(ngx_http_request_t *r, const cr_sdpfrag_t *frag,
    const cr_sdp_session_t *sdp)
{
    if (frag->ufrag[0] != '\0'
        && ngx_strcmp(frag->ufrag, sdp->remote_ufrag) != 0)
    {
        return ngx_http_whip_problem(r, NGX_HTTP_CONFLICT,
                                     "ice_session_conflict",
            "The candidates are of another ICE session; an ICE restart "
            "needs If-Match with an asterisk.");
    }

    return ngx_http_whip_send(r, NGX_HTTP_NO_CONTENT, NULL, NULL);
}


static ngx_int_t
ngx_http_whip_restart(ngx_http_request_t *r, ngx_http_whip_ctx_t *ctx,
    const cr_sdpfrag_t *frag, cr_sdp_session_t *sdp)
{
    ngx_int_t          rc;
    ngx_str_t          body;
    ngx_rtc_local_t    local;
    ngx_connection_t  *c;

    c = r->connection;

    body.data = ngx_pnalloc(r->pool, NGX_HTTP_WHIP_FRAG_MAX);
    if (body.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_connection_local_sockaddr(c, NULL, 0) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_rtc_session_restart(ctx->info.session_id, frag->ufrag,
                                 frag->pwd, c->local_sockaddr, sdp, &local,
                                 c->log);

    if (rc == NGX_DECLINED) {
        return ngx_http_whip_problem(r, NGX_HTTP_NOT_FOUND,
                                     "session_not_found",
                                     "There is no such session.");
    }

    if (rc != NGX_OK) {
        return ngx_http_whip_problem(r, NGX_HTTP_INTERNAL_SERVER_ERROR,
                                     "internal", "Internal error.");
    }

    body.len = cr_sdpfrag_write((char *) body.data, NGX_HTTP_WHIP_FRAG_MAX,
                                sdp, &local.sdp);

    if (body.len == 0 || ngx_http_whip_etag(r, local.etag) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_whip_send(r, NGX_HTTP_OK,
                              "application/trickle-ice-sdpfrag", &body);
}


/* The asterisk, also in quotes, as the examples of RFC 9725 have it. */

static ngx_uint_t
ngx_http_whip_if_any(ngx_str_t *if_match)
{
    return (if_match->len == 1 && if_match->data[0] == '*')
           || (if_match->len == 3
               && ngx_strncmp(if_match->data, "\"*\"", 3) == 0);
}


/* RFC 9110 section 13.1.1: a list of tags, compared strongly. */

static ngx_uint_t
ngx_http_whip_if_match(ngx_str_t *if_match, ngx_uint_t etag)
{
    u_char  *p, *last, *end;
    size_t   len;
    u_char   ours[sizeof("\"ice-\"") + NGX_INT_T_LEN];

    len = ngx_sprintf(ours, "\"ice-%ui\"", etag) - ours;

    p = if_match->data;
    last = p + if_match->len;

    while (p < last) {

        if (*p == ' ' || *p == '\t' || *p == ',') {
            p++;
            continue;
        }

        end = ngx_strlchr(p, last, ',');

        if (end == NULL) {
            end = last;
        }

        while (end > p && (end[-1] == ' ' || end[-1] == '\t')) {
            end--;
        }

        if ((size_t) (end - p) == len && ngx_memcmp(p, ours, len) == 0) {
            return 1;
        }

        p = end;
    }

    return 0;
}
