
/*
 * Copyright (C) The call recorder authors
 *
 * Requests that no client asked for, through a location of the
 * configuration: its s3_sign and proxy_pass send them over nginx's upstream,
 * with its keepalive, TLS and timeouts.
 */

#ifndef _NGX_HTTP_S3_CALL_H_INCLUDED_
#define _NGX_HTTP_S3_CALL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


typedef struct ngx_http_s3_call_s  ngx_http_s3_call_t;

/* Once, from the event loop; the call is freed when it returns. */
typedef void (*ngx_http_s3_call_pt)(ngx_http_s3_call_t *call);


/* From ngx_http_s3_call_create(); zero but for the first four. */
struct ngx_http_s3_call_s {
    ngx_pool_t                 *pool;        /* lives as long as the call */
    ngx_http_request_t         *request;     /* the parent, ours */
    ngx_http_s3_call_pt         done;
    void                       *data;

    /* the request */
    ngx_uint_t                  method;      /* NGX_HTTP_PUT */
    ngx_str_t                   method_name;
    ngx_str_t                   uri;         /* not encoded, of the location */
    ngx_str_t                   args;        /* encoded */
    ngx_buf_t                  *body;        /* memory or file; NULL: none */
    time_t                      skew;        /* s, added to our clock */

    /* the answer */
    ngx_uint_t                  status;      /* 0: none, or not whole */
    off_t                       length;      /* Content-Length, -1: none */
    time_t                      date;        /* 0: none */
    time_t                      retry_after; /* s, 0: none */
    ngx_str_t                   etag;
    ngx_str_t                   answer;      /* the body */
    ngx_str_t                   url;         /* of the object, "" unknown */

    size_t                      room;        /* of answer */
    ngx_event_t                 event;
    ngx_http_post_subrequest_t  post;
    unsigned                    over:1;
    unsigned                    broken:1;    /* too long, no memory */
};


/*
 * conf: that of the server whose location it is.  NULL: no memory.  What is
 * not sent is freed with ngx_http_s3_call_free().
 */
ngx_http_s3_call_t *ngx_http_s3_call_create(ngx_http_conf_ctx_t *conf,
    ngx_http_s3_call_pt done, void *data);

/* name and value live as long as call->pool. */
ngx_int_t ngx_http_s3_call_header(ngx_http_s3_call_t *call, ngx_str_t *name,
    ngx_str_t *value);

/* NGX_OK: done will be called, not before it returns; NGX_ERROR. */
ngx_int_t ngx_http_s3_call_send(ngx_http_s3_call_t *call);

void ngx_http_s3_call_free(ngx_http_s3_call_t *call);

/* Of a request that such a call makes; else NULL. */
ngx_http_s3_call_t *ngx_http_s3_call_of(ngx_http_request_t *r);

/*
 * Says how long its body is; called when the location is known, as
 * client_max_body_size is not for us.
 */
void ngx_http_s3_call_length(ngx_http_request_t *r);

/* The filters that take the answer. */
void ngx_http_s3_call_init(void);


#endif /* _NGX_HTTP_S3_CALL_H_INCLUDED_ */
