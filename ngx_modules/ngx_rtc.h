
/*
 * Copyright (C) The call recorder authors
 *
 * WebRTC sessions, as the signalling (ngx_http_whip) sees them.  A session is
 * made by any worker and known to all through shared memory; the worker that
 * gets its first valid STUN request owns it from then on.
 */

#ifndef _NGX_RTC_H_INCLUDED_
#define _NGX_RTC_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "base/addr.h"
#include "ngx_recording.h"
#include "sdp/sdp.h"


#define NGX_RTC_UFRAG_LEN  12
#define NGX_RTC_PWD_LEN    24
#define NGX_RTC_ID_LEN     26


/* Our side of a session: what an answer tells. */
typedef struct {
    char         ufrag[NGX_RTC_UFRAG_LEN + 1];
    char         pwd[NGX_RTC_PWD_LEN + 1];
    ngx_uint_t   etag;              /* counts ICE sessions: 1, 2, ... */
    cr_sdp_local_t  sdp;            /* points to the members above */
} ngx_rtc_local_t;


/* Whether there is an rtc block. */
ngx_uint_t ngx_rtc_enabled(ngx_conf_t *cf);

/* The codecs that we take. */
const cr_sdp_config_t *ngx_rtc_sdp_config(void);

/*
 * Makes a session of a negotiated offer: fills info->session_id and *local.
 * client is the publisher's address, server the one on which it reached us.
 * NGX_BUSY: a limit is reached, *why names it; NGX_ERROR.
 */
ngx_int_t ngx_rtc_session_create(ngx_recording_publisher_info_t *info,
    const cr_sdp_session_t *sdp, struct sockaddr *client,
    struct sockaddr *server, ngx_rtc_local_t *local, const char **why,
    ngx_log_t *log);

/* What is known of a session: any of the pointers may be NULL. NGX_OK or
 * NGX_DECLINED. */
ngx_int_t ngx_rtc_session_find(const char *session_id,
    ngx_recording_publisher_info_t *info, cr_sdp_session_t *sdp,
    ngx_uint_t *etag);

/*
 * ICE restart with the client's new credentials; fills *sdp (for
 * cr_sdpfrag_write()) and *local.  NGX_OK, NGX_DECLINED: no such session;
 * NGX_ERROR.
 */
ngx_int_t ngx_rtc_session_restart(const char *session_id,
    const char *remote_ufrag, const char *remote_pwd,
    struct sockaddr *server, cr_sdp_session_t *sdp, ngx_rtc_local_t *local,
    ngx_log_t *log);

/* Ends a session, wherever it is.  NGX_OK or NGX_DECLINED. */
ngx_int_t ngx_rtc_session_delete(const char *session_id, ngx_log_t *log);

/*
 * NGX_OK: the call's session ended some seconds ago, and not by
 * ngx_rtc_session_delete(), so that its publisher may not know yet.
 */
ngx_int_t ngx_rtc_session_ended(const char *call_id, const char *session_id);


extern ngx_module_t  ngx_rtc_module;


#endif /* _NGX_RTC_H_INCLUDED_ */
