
/*
 * Copyright (C) The call recorder authors
 *
 * The requests of an upload, through the location of the store, and what
 * their answers say.
 */


#include "ngx_recording_upload.h"
#include "ngx_callrec.h"
#include "ngx_http_s3_call.h"
#include "s3/uri.h"


#define NGX_RECORDING_UPLOAD_ARGS_MAX                                         \
    (3 * CR_S3_UPLOAD_ID_MAX + sizeof("part-number-marker=&partNumber="       \
                                      "&uploadId=&max-parts=1000") + 32)

/* bytes of one part in the body of Complete */
#define NGX_RECORDING_UPLOAD_ENTRY                                            \
    (6 * CR_S3_ETAG_MAX + sizeof("<Part><PartNumber>10000</PartNumber>"       \
                                 "<ETag></ETag></Part>"))


typedef struct {
    ngx_recording_upload_t  *up;
    cr_s3_action_t           action;
    char                     id[CR_S3_UPLOAD_ID_MAX + 1];
    char                     etag[CR_S3_ETAG_MAX + 1];
    cr_s3_error_t            error;
} ngx_recording_upload_call_t;


static ngx_int_t ngx_recording_upload_request(
    ngx_recording_upload_call_t *uc, ngx_http_s3_call_t *call);
static ngx_int_t ngx_recording_upload_args(ngx_recording_upload_call_t *uc,
    ngx_http_s3_call_t *call);
static ngx_int_t ngx_recording_upload_body(ngx_recording_upload_call_t *uc,
    ngx_http_s3_call_t *call);
static ngx_int_t ngx_recording_upload_md5(ngx_recording_upload_call_t *uc,
    ngx_http_s3_call_t *call);
static ngx_int_t ngx_recording_upload_parts(ngx_recording_upload_call_t *uc,
    ngx_http_s3_call_t *call);
static void ngx_recording_upload_answered(ngx_http_s3_call_t *call);
static void ngx_recording_upload_answer(ngx_recording_upload_call_t *uc,
    ngx_http_s3_call_t *call, cr_s3_result_t *result);
static cr_status_e ngx_recording_upload_listed(void *ctx,
    const cr_s3_part_t *part);
static void ngx_recording_upload_told(ngx_recording_upload_t *up,
    const cr_s3_action_t *action, const cr_s3_result_t *result);


static const struct {
    ngx_uint_t   method;
    ngx_str_t    name;
    const char  *what;
} ngx_recording_upload_methods[] = {
    [CR_S3_DO_CREATE] = { NGX_HTTP_POST, ngx_string("POST"), "create" },
    [CR_S3_DO_LIST] = { NGX_HTTP_GET, ngx_string("GET"), "list" },
    [CR_S3_DO_PART] = { NGX_HTTP_PUT, ngx_string("PUT"), "part" },
    [CR_S3_DO_COMPLETE] = { NGX_HTTP_POST, ngx_string("POST"), "complete" },
    [CR_S3_DO_HEAD] = { NGX_HTTP_HEAD, ngx_string("HEAD"), "head" },
    [CR_S3_DO_ABORT] = { NGX_HTTP_DELETE, ngx_string("DELETE"), "abort" }
};


static ngx_str_t  ngx_recording_upload_type_name = ngx_string("Content-Type");
static ngx_str_t  ngx_recording_upload_type = ngx_string("video/mp4");
static ngx_str_t  ngx_recording_upload_md5_name = ngx_string("Content-MD5");


void
ngx_recording_upload_call(ngx_recording_upload_t *up,
    const cr_s3_action_t *action)
{
    cr_s3_result_t                result;
    ngx_http_s3_call_t           *call;
    ngx_recording_upload_call_t  *uc;

    ngx_memzero(&result, sizeof(cr_s3_result_t));
    result.code = "";

    if (action->what == CR_S3_DO_RENEW) {

        /* s3_credentials are renewed by themselves, before they expire */

        result.status = NGX_HTTP_OK;
        ngx_recording_upload_told(up, action, &result);
        return;
    }

    call = ngx_http_s3_call_create(up->conf->ctx,
                                   ngx_recording_upload_answered, NULL);

    if (call == NULL) {
        ngx_recording_upload_told(up, action, &result);
        return;
    }

    uc = ngx_pcalloc(call->pool, sizeof(ngx_recording_upload_call_t));

    if (uc == NULL) {
        goto failed;
    }

    uc->up = up;
    uc->action = *action;
    call->data = uc;

    if (ngx_recording_upload_request(uc, call) != NGX_OK
        || ngx_http_s3_call_send(call) != NGX_OK)
    {
        goto failed;
    }

    up->calls++;

    return;

failed:

    ngx_http_s3_call_free(call);
    ngx_recording_upload_told(up, action, &result);
}


static ngx_int_t
ngx_recording_upload_request(ngx_recording_upload_call_t *uc,
    ngx_http_s3_call_t *call)
{
    ngx_recording_upload_t  *up;

    up = uc->up;

    call->method = ngx_recording_upload_methods[uc->action.what].method;
    call->method_name = ngx_recording_upload_methods[uc->action.what].name;
    call->skew = cr_s3_multipart_skew(up->multipart);

    call->uri.len = up->conf->location.len + up->key.len;
    call->uri.data = ngx_pnalloc(call->pool, call->uri.len);
    if (call->uri.data == NULL) {
        return NGX_ERROR;
    }

    ngx_sprintf(call->uri.data, "%V%V", &up->conf->location, &up->key);

    if (ngx_recording_upload_args(uc, call) != NGX_OK) {
        return NGX_ERROR;
    }

    switch (uc->action.what) {

    case CR_S3_DO_CREATE:
        return ngx_http_s3_call_header(call, &ngx_recording_upload_type_name,
                                       &ngx_recording_upload_type);

    case CR_S3_DO_PART:

        if (ngx_recording_upload_md5(uc, call) != NGX_OK) {
            return NGX_ERROR;
        }

        return ngx_recording_upload_body(uc, call);

    case CR_S3_DO_COMPLETE:
        return ngx_recording_upload_parts(uc, call);

    default:
        return NGX_OK;
    }
}


static ngx_int_t
ngx_recording_upload_args(ngx_recording_upload_call_t *uc,
    ngx_http_s3_call_t *call)
{
    u_char       *p;
    cr_slice_t    id;
    const char   *text;
    cr_writer_t   w;

    if (uc->action.what == CR_S3_DO_HEAD) {
        return NGX_OK;
    }

    call->args.data = ngx_pnalloc(call->pool, NGX_RECORDING_UPLOAD_ARGS_MAX);
    if (call->args.data == NULL) {
        return NGX_ERROR;
    }

    p = call->args.data;

    if (uc->action.what == CR_S3_DO_CREATE) {
        p = ngx_cpymem(p, "uploads=", sizeof("uploads=") - 1);

    } else {

        if (uc->action.what == CR_S3_DO_PART) {
            p = ngx_sprintf(p, "partNumber=%uD&", uc->action.number);

        } else if (uc->action.what == CR_S3_DO_LIST) {
            p = ngx_sprintf(p, "max-parts=%d&part-number-marker=%uD&",
                            CR_S3_LIST_MAX, uc->action.number);
        }

        p = ngx_cpymem(p, "uploadId=", sizeof("uploadId=") - 1);

        text = cr_s3_multipart_id(uc->up->multipart);
        id.data = (const uint8_t *) text;
        id.len = ngx_strlen(text);

        cr_writer_init(&w, p, 3 * CR_S3_UPLOAD_ID_MAX);
        cr_s3_encode(&w, id, false);
        p += cr_writer_len(&w);
    }

    call->args.len = p - call->args.data;

    return NGX_OK;
}


static ngx_int_t
ngx_recording_upload_body(ngx_recording_upload_call_t *uc,
    ngx_http_s3_call_t *call)
{
    ngx_buf_t  *b;

    b = ngx_calloc_buf(call->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->in_file = 1;
    b->file = &uc->up->file;
    b->file_pos = uc->action.offset;
    b->file_last = uc->action.offset + uc->action.size;

    call->body = b;

    return NGX_OK;
}


static ngx_int_t
ngx_recording_upload_md5(ngx_recording_upload_call_t *uc,
    ngx_http_s3_call_t *call)
{
    ngx_str_t       sum, text;
    const uint8_t  *md5;

    md5 = cr_s3_multipart_md5(uc->up->multipart, uc->action.number);

    if (md5 == NULL) {
        return NGX_ERROR;
    }

    sum.data = (u_char *) md5;
    sum.len = 16;

    text.data = ngx_pnalloc(call->pool, ngx_base64_encoded_length(16));
    if (text.data == NULL) {
        return NGX_ERROR;
    }

    ngx_encode_base64(&text, &sum);

    return ngx_http_s3_call_header(call, &ngx_recording_upload_md5_name,
                                   &text);
}


static ngx_int_t
ngx_recording_upload_parts(ngx_recording_upload_call_t *uc,
    ngx_http_s3_call_t *call)
{
    size_t               size;
    uint32_t             n;
    ngx_buf_t           *b;
    cr_writer_t          w;
    const cr_s3_part_t  *parts;

    parts = cr_s3_multipart_parts(uc->up->multipart, &n);
    size = (size_t) n * NGX_RECORDING_UPLOAD_ENTRY + 256;

    b = ngx_create_temp_buf(call->pool, size);
    if (b == NULL) {
        return NGX_ERROR;
    }

    cr_writer_init(&w, b->pos, size);
    cr_s3_complete_body(&w, parts, n);
    b->last = b->pos + cr_writer_len(&w);

    call->body = b;

    return NGX_OK;
}


static void
ngx_recording_upload_answered(ngx_http_s3_call_t *call)
{
    cr_s3_result_t                result;
    ngx_recording_upload_t       *up;
    ngx_recording_upload_call_t  *uc;

    uc = call->data;
    up = uc->up;

    up->calls--;

    ngx_memzero(&result, sizeof(cr_s3_result_t));
    ngx_recording_upload_answer(uc, call, &result);

    if (result.status < 200 || result.status > 299 || result.code[0] != '\0')
    {
        ngx_recording_upload_trouble(up, "%s %uD: %ui %s %s",
                         ngx_recording_upload_methods[uc->action.what].what,
                         uc->action.number, (ngx_uint_t) result.status,
                         result.code, uc->error.message);
    }

    if (uc->action.what == CR_S3_DO_HEAD && call->url.len != 0
        && call->url.len < sizeof(up->url))
    {
        (void) ngx_cpystrn(up->url, call->url.data, call->url.len + 1);
    }

    ngx_recording_upload_told(up, &uc->action, &result);
    ngx_recording_upload_run(up);
}


static void
ngx_recording_upload_answer(ngx_recording_upload_call_t *uc,
    ngx_http_s3_call_t *call, cr_s3_result_t *result)
{
    size_t              len;
    const char         *xml;
    cr_status_e         rc;
    cr_s3_parts_page_t  page;

    xml = (const char *) call->answer.data;
    len = call->answer.len;

    result->status = call->status;
    result->code = uc->error.code;
    result->retry_after = ngx_min(call->retry_after, 86400);
    result->date = call->date;
    result->wall = ngx_time();

    if (call->etag.len != 0 && call->etag.len <= CR_S3_ETAG_MAX) {
        (void) ngx_cpystrn((u_char *) uc->etag, call->etag.data,
                           call->etag.len + 1);
    }

    result->etag = uc->etag;

    if (call->status < 200 || call->status > 299) {

        if (len != 0) {
            (void) cr_s3_error_parse(xml, len, &uc->error);
        }

        return;
    }

    rc = CR_OK;

    switch (uc->action.what) {

    case CR_S3_DO_CREATE:
        rc = cr_s3_initiate_parse(xml, len, uc->id, &uc->error);
        result->upload_id = uc->id;
        break;

    case CR_S3_DO_LIST:
        ngx_memzero(&page, sizeof(cr_s3_parts_page_t));
        rc = cr_s3_parts_parse(xml, len, &page, ngx_recording_upload_listed,
                               uc->up->multipart, &uc->error);
        result->truncated = (rc == CR_OK && page.truncated);
        result->next = page.next;
        break;

    case CR_S3_DO_COMPLETE:
        rc = cr_s3_complete_parse(xml, len, uc->etag, &uc->error);
        break;

    case CR_S3_DO_HEAD:
        result->size = ngx_max(call->length, 0);
        break;

    default:
        break;
    }

    /* neither what was asked for nor an error: it is not whole */

    if (rc != CR_OK && uc->error.code[0] == '\0') {
        result->status = 0;
    }
}


static cr_status_e
ngx_recording_upload_listed(void *ctx, const cr_s3_part_t *part)
{
    return cr_s3_multipart_listed(ctx, part);
}


static void
ngx_recording_upload_told(ngx_recording_upload_t *up,
    const cr_s3_action_t *action, const cr_s3_result_t *result)
{
    cr_s3_progress_t  progress;

    if (up->multipart == NULL) {
        return;
    }

    cr_s3_multipart_result(up->multipart, ngx_callrec_now_us(), action,
                           result);
    cr_s3_multipart_progress(up->multipart, &progress);

    if (!up->abandoned) {
        ngx_recording_upload_progress(&up->ref, up->attempt, progress.bytes,
                                      up->output.size_bytes);
    }
}
