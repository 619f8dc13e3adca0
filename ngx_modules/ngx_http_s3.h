
/*
 * Copyright (C) The call recorder authors
 *
 * What the files of ngx_http_s3_module share.
 */

#ifndef _NGX_HTTP_S3_H_INCLUDED_
#define _NGX_HTTP_S3_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_event_connect.h>
#include <ngx_thread_pool.h>

#include "s3/credentials.h"
#include "s3/head.h"
#include "s3/sigv4.h"


#define NGX_HTTP_S3_OFF       0
#define NGX_HTTP_S3_ON        1      /* no body: signed, else as "unsigned" */
#define NGX_HTTP_S3_UNSIGNED  2      /* UNSIGNED-PAYLOAD */
#define NGX_HTTP_S3_PAYLOAD   3      /* SHA-256 of the body */

#define NGX_HTTP_S3_PATH      0
#define NGX_HTTP_S3_VIRTUAL   1

#define NGX_HTTP_S3_ANSWER_MAX  65536    /* bytes, of a credential endpoint */


typedef struct ngx_http_s3_provider_s  ngx_http_s3_provider_t;

/* status 0: there was no answer */
typedef void (*ngx_http_s3_fetch_pt)(void *data, ngx_uint_t status,
    cr_slice_t body);


/* One small HTTP request on the event loop, by a URL of the configuration. */
typedef struct {
    ngx_str_t                   text;       /* as configured */
    ngx_str_t                   host;       /* Host */
    ngx_str_t                   name;       /* of the certificate */
    ngx_str_t                   uri;
    ngx_addr_t                 *addrs;
    ngx_uint_t                  naddrs;
    ngx_ssl_t                  *ssl;        /* NULL: http */
} ngx_http_s3_url_t;


typedef enum {
    NGX_HTTP_S3_STATIC = 0,
    NGX_HTTP_S3_ENV,
    NGX_HTTP_S3_FILE,
    NGX_HTTP_S3_CONTAINER,
    NGX_HTTP_S3_INSTANCE,
    NGX_HTTP_S3_WEB_IDENTITY
} ngx_http_s3_source_e;


struct ngx_http_s3_provider_s {
    ngx_http_s3_source_e        source;

    /* by configuration */
    ngx_http_s3_url_t           url;
    ngx_str_t                   role;
    ngx_str_t                   session;
    ngx_str_t                   token_file;
    ngx_str_t                   token;      /* instead of token_file */
    ngx_thread_pool_t          *pool;       /* reads token_file */
    ngx_msec_t                  timeout;

    /* of this worker */
    cr_s3_credentials_t         credentials;
    ngx_queue_t                 waiting;    /* ngx_http_s3_ctx_t */
    ngx_event_t                 timer;
    ngx_str_t                   bearer;     /* read, or of IMDSv2 */
    ngx_str_t                   learnt;     /* the instance's role */
    ngx_uint_t                  step;
    ngx_uint_t                  failures;
    ngx_pool_t                 *work;       /* of a renewal under way */
};


typedef struct {
    ngx_uint_t                  sign;
    ngx_str_t                   region;
    ngx_str_t                   service;
    ngx_str_t                   scheme;     /* "https://" */
    ngx_str_t                   host;
    ngx_uint_t                  style;
    ngx_http_complex_value_t   *bucket;
    ngx_http_complex_value_t   *key;
    ngx_http_complex_value_t   *presign_args;
    time_t                      presign_expires;
    ngx_str_t                   access;
    ngx_str_t                   secret;
    ngx_str_t                   session;
    ngx_http_s3_provider_t     *provider;
    ngx_thread_pool_t          *pool;       /* digests of bodies in files */
    cr_sigv4_key_t             *cache;
} ngx_http_s3_loc_conf_t;


typedef struct {
    ngx_array_t                 providers;  /* ngx_http_s3_provider_t * */
} ngx_http_s3_main_conf_t;


typedef struct {
    ngx_http_request_t         *request;
    ngx_http_handler_pt         handler;    /* of proxy_pass */
    ngx_int_t                 (*create_request)(ngx_http_request_t *r);
    ngx_queue_t                 queue;      /* in provider->waiting */
    ngx_str_t                   path;       /* encoded, with s3_bucket */
    ngx_str_t                   host;
    u_char                      digest[CR_SIGV4_HEX_SIZE];
    unsigned                    waiting:1;
    unsigned                    failed:1;
    unsigned                    digested:1;
} ngx_http_s3_ctx_t;


#define ngx_http_s3_slice(str)  ((cr_slice_t) { (str).data, (str).len })


/* ngx_http_s3_sign.c */

/* Phase PRECONTENT: waits for credentials, puts itself before the proxy. */
ngx_int_t ngx_http_s3_precontent(ngx_http_request_t *r);


/* ngx_http_s3_presign.c */

/* The variable's get_handler. */
ngx_int_t ngx_http_s3_presigned_url(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


/* ngx_http_s3_digest.c */

/*
 * A thread makes the digest of the request's body; then ctx->digest is there
 * and the request is finalized with what handler returns.  Otherwise than
 * NGX_OK nothing was begun, and it is the status to answer with.
 */
ngx_int_t ngx_http_s3_digest_file(ngx_http_request_t *r,
    ngx_http_handler_pt handler);

/* Of a chain, at once: reads files.  NGX_ERROR: *err, or 0, is why. */
ngx_int_t ngx_http_s3_digest_chain(ngx_chain_t *in, uint8_t sum[32],
    ngx_err_t *err);


/* ngx_http_s3_target.c */

/*
 * Where the object of this request is, by s3_bucket, s3_key and s3_endpoint;
 * memory of r->pool.  NGX_DECLINED: there is no s3_bucket.
 */
ngx_int_t ngx_http_s3_target(ngx_http_request_t *r,
    ngx_http_s3_loc_conf_t *conf, ngx_str_t *path, ngx_str_t *host);


/* ngx_http_s3_source.c */

/* s3_credentials: the source with its parameters. */
char *ngx_http_s3_provider_set(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* Of s3_access_key, s3_secret_key and s3_session_token. */
ngx_http_s3_provider_t *ngx_http_s3_provider_static(ngx_conf_t *cf,
    ngx_str_t *access, ngx_str_t *secret, ngx_str_t *session);

/* A copy, NUL-terminated; workers have an environment of their own. */
ngx_str_t ngx_http_s3_getenv(ngx_conf_t *cf, const char *name);


/* ngx_http_s3_provider.c */

/* Begins to fetch; in each worker. */
void ngx_http_s3_provider_start(ngx_http_s3_provider_t *p,
    ngx_cycle_t *cycle);

/*
 * NGX_OK: there are credentials; NGX_AGAIN: they are being fetched, the
 * phases of ctx->request go on when that is over; NGX_DECLINED: they could
 * not be had.
 */
ngx_int_t ngx_http_s3_provider_wait(ngx_http_s3_provider_t *p,
    ngx_http_s3_ctx_t *ctx);

/* Whether there are credentials that have not expired. */
ngx_uint_t ngx_http_s3_provider_ready(ngx_http_s3_provider_t *p);


/* ngx_http_s3_fetch.c */

/* "http://host[:port][/path]"; names are resolved now. */
ngx_int_t ngx_http_s3_url(ngx_conf_t *cf, ngx_http_s3_url_t *url,
    ngx_str_t *text, ngx_str_t *ca);

/*
 * Sends the request (whole, in memory that lives as long as pool) and calls
 * handler once, not before it returns.  NGX_ERROR: it could not be begun.
 */
ngx_int_t ngx_http_s3_fetch(ngx_http_s3_url_t *url, ngx_pool_t *pool,
    ngx_str_t *request, ngx_msec_t timeout, ngx_http_s3_fetch_pt handler,
    void *data);


extern ngx_module_t  ngx_http_s3_module;


#endif /* _NGX_HTTP_S3_H_INCLUDED_ */
