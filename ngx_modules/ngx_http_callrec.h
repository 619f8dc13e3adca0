
/*
 * Copyright (C) The call recorder authors
 *
 * What our HTTP modules share.
 */

#ifndef _NGX_HTTP_CALLREC_H_INCLUDED_
#define _NGX_HTTP_CALLREC_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * The body that ngx_http_read_client_request_body() has read, in one piece.
 * One in a file is read at once: it is small, and was written just now.
 * NGX_OK, also when there is none; NGX_DECLINED: it is longer than max; or a
 * status.
 */
ngx_int_t ngx_http_callrec_body(ngx_http_request_t *r, size_t max,
    ngx_str_t *body);


#endif /* _NGX_HTTP_CALLREC_H_INCLUDED_ */
