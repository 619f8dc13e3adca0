
/*
 * Copyright (C) The call recorder authors
 */


#include "ngx_http_callrec.h"


ngx_int_t
ngx_http_callrec_body(ngx_http_request_t *r, size_t max, ngx_str_t *body)
{
    off_t         len;
    u_char       *p;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    ngx_str_null(body);

    if (r->request_body == NULL || r->request_body->bufs == NULL) {
        return NGX_OK;
    }

    len = 0;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        len += ngx_buf_size(cl->buf);
    }

    if (len > (off_t) max) {
        return NGX_DECLINED;
    }

    p = ngx_pnalloc(r->pool, (size_t) len + 1);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body->data = p;
    body->len = (size_t) len;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        b = cl->buf;
        len = ngx_buf_size(b);

        /* the end of a body may be a buffer without memory */

        if (len == 0) {
            continue;
        }

        if (ngx_buf_in_memory(b)) {
            p = ngx_cpymem(p, b->pos, (size_t) len);
            continue;
        }

        if (ngx_read_file(b->file, p, (size_t) len, b->file_pos) != len) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        p += len;
    }

    return NGX_OK;
}
