
/*
 * Copyright (C) The call recorder authors
 *
 * GET requests that wait for a recording to change.
 */

#ifndef _NGX_HTTP_RECORDING_WAIT_H_INCLUDED_
#define _NGX_HTTP_RECORDING_WAIT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


void ngx_http_recording_wait_init(void);

/*
 * The request waits, at most msec, until the recording's rev is larger; then
 * it gets its status.  NGX_DONE: it waits; NGX_DECLINED: it has changed, or
 * is gone, or too many wait: answer now.
 */
ngx_int_t ngx_http_recording_wait(ngx_http_request_t *r,
    const char *recording_id, int64_t rev, ngx_msec_t msec);

/* The recording is at rev now. */
void ngx_http_recording_wake(const char *recording_id, int64_t rev);


#endif /* _NGX_HTTP_RECORDING_WAIT_H_INCLUDED_ */
