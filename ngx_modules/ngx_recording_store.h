
/*
 * Copyright (C) The call recorder authors
 *
 * Where results go.  The parts of an output come one by one over HTTP
 * (ngx_http_recording_parts.c) in whatever worker; a store keeps them, and on
 * complete makes them the output, whole or not at all.
 */

#ifndef _NGX_RECORDING_STORE_H_INCLUDED_
#define _NGX_RECORDING_STORE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "job/parts.h"
#include "ngx_recording_table.h"
#include "recording/recording.h"


typedef struct ngx_recording_store_s     ngx_recording_store_t;
typedef struct ngx_recording_store_op_s  ngx_recording_store_op_t;
typedef struct ngx_recording_s3_conf_s   ngx_recording_s3_conf_t;

/* Called once, in the event loop, when the operation is over. */
typedef void (*ngx_recording_store_done_pt)(ngx_recording_store_op_t *op);

/* One operation on an output; it and its pool live until done(). */
struct ngx_recording_store_op_s {
    ngx_recording_store_t        *store;
    ngx_pool_t                   *pool;
    ngx_log_t                    *log;
    ngx_recording_ref_t           ref;
    ngx_uint_t                    attempt;
    u_char                        output[CR_ID_MAX + 1];   /* "composite" */

    /* part */
    cr_part_t                     part;
    ngx_chain_t                  *body;     /* in memory or in a file */

    /* complete */
    cr_parts_complete_t           complete;
    cr_output_t                   result;   /* kind, sizes, sha256, location */

    ngx_recording_store_done_pt   done;
    void                         *data;

    /* set by the store */
    ngx_recording_store_done_pt   next;     /* of s3: the caller's done */
    uint64_t                      stored;   /* part: bytes of the output */
    unsigned                      later:1;  /* the store ends the job itself,
                                               complete is not the end */

    /*
     * NGX_OK; NGX_DECLINED: what was sent is wrong (why says how), repeating
     * it is of no use; NGX_ERROR: we failed (err, why), it may be repeated.
     */
    ngx_int_t                     rc;
    ngx_err_t                     err;
    const char                   *why;
};


/* NGX_OK: done() will be called; NGX_ERROR: it could not be begun. */
struct ngx_recording_store_s {
    ngx_str_t    name;
    ngx_str_t    path;       /* local: "" is the recording's own folder */
    const ngx_recording_s3_conf_t  *s3;
    ngx_int_t  (*part)(ngx_recording_store_op_t *op);
    ngx_int_t  (*complete)(ngx_recording_store_op_t *op);
    /* removes what has come of an attempt's output */
    ngx_int_t  (*discard)(ngx_recording_store_op_t *op);
};


extern const ngx_recording_store_t  ngx_recording_store_local;

/* In the recording's own folder first. */
extern const ngx_recording_store_t  ngx_recording_store_s3;

#define NGX_RECORDING_STORE_DIR_MAX  (NGX_RECORDING_DIR_MAX + 3 * CR_ID_MAX)

/* The folder of a recording's outputs in a local store, NUL-terminated. */
void ngx_recording_store_local_dir(const ngx_recording_store_t *store,
    const ngx_recording_ref_t *ref, u_char dir[NGX_RECORDING_STORE_DIR_MAX]);


#endif /* _NGX_RECORDING_STORE_H_INCLUDED_ */
