
/*
 * Copyright (C) The call recorder authors
 *
 * The store in S3.  What comes is kept in the recording's own folder by the
 * local store, and uploaded from there.
 */


#include "ngx_recording_upload.h"


static ngx_int_t ngx_recording_store_s3_part(ngx_recording_store_op_t *op);
static void ngx_recording_store_s3_part_done(ngx_recording_store_op_t *op);
static ngx_int_t ngx_recording_store_s3_complete(
    ngx_recording_store_op_t *op);
static void ngx_recording_store_s3_complete_done(
    ngx_recording_store_op_t *op);
static ngx_int_t ngx_recording_store_s3_discard(
    ngx_recording_store_op_t *op);
static void ngx_recording_store_s3_discard_done(
    ngx_recording_store_op_t *op);


const ngx_recording_store_t  ngx_recording_store_s3 = {
    ngx_string("s3"),
    ngx_null_string,
    NULL,
    ngx_recording_store_s3_part,
    ngx_recording_store_s3_complete,
    ngx_recording_store_s3_discard
};


static ngx_int_t
ngx_recording_store_s3_part(ngx_recording_store_op_t *op)
{
    op->later = 1;
    op->next = op->done;
    op->done = ngx_recording_store_s3_part_done;

    return ngx_recording_store_local.part(op);
}


static void
ngx_recording_store_s3_part_done(ngx_recording_store_op_t *op)
{
    if (op->rc == NGX_OK) {
        ngx_recording_upload_kick(&op->ref, op->attempt);
    }

    op->next(op);
}


static ngx_int_t
ngx_recording_store_s3_complete(ngx_recording_store_op_t *op)
{
    op->later = 1;
    op->next = op->done;
    op->done = ngx_recording_store_s3_complete_done;

    return ngx_recording_store_local.complete(op);
}


static void
ngx_recording_store_s3_complete_done(ngx_recording_store_op_t *op)
{
    if (op->rc == NGX_OK) {

        if (ngx_recording_upload_handed(&op->ref, op->attempt, &op->result)
            == NGX_OK)
        {
            ngx_recording_upload_kick(&op->ref, op->attempt);

        } else {
            op->why = "the attempt is over";
            op->rc = NGX_DECLINED;
        }
    }

    op->next(op);
}


static ngx_int_t
ngx_recording_store_s3_discard(ngx_recording_store_op_t *op)
{
    op->next = op->done;
    op->done = ngx_recording_store_s3_discard_done;

    return ngx_recording_store_local.discard(op);
}


static void
ngx_recording_store_s3_discard_done(ngx_recording_store_op_t *op)
{
    ngx_recording_upload_abandon(&op->ref, op->attempt);

    op->next(op);
}
