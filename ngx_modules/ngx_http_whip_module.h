
/*
 * Copyright (C) The call recorder authors
 *
 * What the files of ngx_http_whip_module share.
 *
 *     ngx_http_whip_module.c     directives, paths and methods
 *     ngx_http_whip_post.c       an offer makes a session
 *     ngx_http_whip_link.c       ICE servers
 *     ngx_http_whip_patch.c      trickle ICE and ICE restarts
 *     ngx_http_whip_response.c   headers, problem bodies
 */

#ifndef _NGX_HTTP_WHIP_MODULE_H_INCLUDED_
#define _NGX_HTTP_WHIP_MODULE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_rtc.h"


#define NGX_HTTP_WHIP_BODY_MAX  CR_SDP_SIZE_MAX

#ifndef NGX_HTTP_UNPROCESSABLE_CONTENT
#define NGX_HTTP_UNPROCESSABLE_CONTENT   422
#endif
#define NGX_HTTP_PRECONDITION_REQUIRED   428     /* RFC 6585 */
#define NGX_HTTP_NOT_ACCEPTABLE          406


typedef struct {
    ngx_flag_t                 enable;
    ngx_str_t                  cors_origin;
    ngx_http_complex_value_t  *base_url;
    ngx_array_t               *ice_servers;   /* NULL: none */
} ngx_http_whip_loc_conf_t;


typedef struct {
    ngx_recording_publisher_info_t  info;     /* session_id "" on endpoints */
    ngx_str_t                  body;
} ngx_http_whip_ctx_t;


/* ngx_http_whip_post.c */

ngx_int_t ngx_http_whip_post(ngx_http_request_t *r,
    ngx_http_whip_ctx_t *ctx);


/* ngx_http_whip_link.c */

char *ngx_http_whip_ice_server(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
/* The Link headers of a new session. */
ngx_int_t ngx_http_whip_link(ngx_http_request_t *r,
    const char *participant_id);


/* ngx_http_whip_patch.c */

ngx_int_t ngx_http_whip_patch(ngx_http_request_t *r,
    ngx_http_whip_ctx_t *ctx);


/* ngx_http_whip_response.c; all return what a handler may return */

ngx_int_t ngx_http_whip_header(ngx_http_request_t *r, const char *name,
    ngx_str_t *value);
ngx_int_t ngx_http_whip_header_text(ngx_http_request_t *r, const char *name,
    const char *value);
/* ETag, strong: "ice-<n>" */
ngx_int_t ngx_http_whip_etag(ngx_http_request_t *r, ngx_uint_t etag);
/* body may be empty; type may be NULL then */
ngx_int_t ngx_http_whip_send(ngx_http_request_t *r, ngx_uint_t status,
    const char *type, ngx_str_t *body);
/* RFC 9457 */
ngx_int_t ngx_http_whip_problem(ngx_http_request_t *r, ngx_uint_t status,
    const char *code, const char *detail);


extern ngx_module_t  ngx_http_whip_module;


#endif /* _NGX_HTTP_WHIP_MODULE_H_INCLUDED_ */
