
/*
 * Copyright (C) The call recorder authors
 *
 * The REST API inside: routes, answers, long-polls.
 */

#ifndef _NGX_HTTP_RECORDING_API_H_INCLUDED_
#define _NGX_HTTP_RECORDING_API_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_recording_wait.h"
#include "ngx_recording_engine.h"
#include "recording/request.h"


typedef struct {
    ngx_str_t  cors_origin;
    unsigned   api:1;
} ngx_http_recording_loc_conf_t;


typedef struct ngx_http_recording_ctx_s  ngx_http_recording_ctx_t;

typedef ngx_int_t (*ngx_http_recording_handler_pt)(ngx_http_request_t *r,
    ngx_http_recording_ctx_t *ctx);


/* What is known of a request; the module's context of it. */
struct ngx_http_recording_ctx_s {
    char                           call_id[CR_ID_MAX + 1];
    char                           recording_id[CR_ID_MAX + 1];
    ngx_str_t                      body;
    cr_jwt_claims_t                claims;
    ngx_http_recording_handler_pt  handler;
};


ngx_int_t ngx_http_recording_api_handler(ngx_http_request_t *r);


/*
 * Handlers of the routes: they answer with ngx_http_recording_data() or
 * _error() and return its result, or return NGX_DONE and finalize the request
 * later.  The body has been read.
 */
ngx_int_t ngx_http_recording_start_handler(ngx_http_request_t *r,
    ngx_http_recording_ctx_t *ctx);
ngx_int_t ngx_http_recording_stop_handler(ngx_http_request_t *r,
    ngx_http_recording_ctx_t *ctx);
ngx_int_t ngx_http_recording_get_handler(ngx_http_request_t *r,
    ngx_http_recording_ctx_t *ctx);
ngx_int_t ngx_http_recording_delete_handler(ngx_http_request_t *r,
    ngx_http_recording_ctx_t *ctx);


/*
 * Posts a task for a request, which may go away before it is done.  Takes
 * task->data for itself.  NGX_DONE, or the result of an error answer.
 */
ngx_int_t ngx_http_recording_task(ngx_http_request_t *r,
    ngx_recording_task_t *task);

/* In the task's done: the request, or NULL when it went away. */
ngx_http_request_t *ngx_http_recording_task_request(
    ngx_recording_task_t *task);


/* ---- ngx_http_recording_respond.c ---- */

/* {"success":true,"data":...}; json is copied.  rev: an ETag, 0: none. */
ngx_int_t ngx_http_recording_data(ngx_http_request_t *r, ngx_uint_t status,
    const char *json, int64_t rev);

/* The status of a recording as data. */
ngx_int_t ngx_http_recording_status(ngx_http_request_t *r, ngx_uint_t status,
    const cr_recording_t *rec);

/* {"success":false,"error":{...}}; recording_id may be NULL. */
ngx_int_t ngx_http_recording_error(ngx_http_request_t *r, ngx_uint_t status,
    const char *code, const char *message, const char *recording_id);

ngx_int_t ngx_http_recording_header(ngx_http_request_t *r, const char *name,
    const char *value);

/* No body at all: 204. */
ngx_int_t ngx_http_recording_empty(ngx_http_request_t *r);

/* A request that was left with NGX_DONE gets its answer. */
void ngx_http_recording_finalize(ngx_http_request_t *r, ngx_int_t rc);


extern ngx_module_t  ngx_http_recording_module;


#endif /* _NGX_HTTP_RECORDING_API_H_INCLUDED_ */
