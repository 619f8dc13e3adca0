
/*
 * Copyright (C) The call recorder authors
 *
 * What ngx_http_whip calls, in any worker.
 */


#include "ngx_rtc_module.h"


/* RFC 8839 section 5.4: 24 bits and 128 bits of randomness at least */
static const char  ngx_rtc_ice_chars[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* folder names, too: no letters that differ in case only */
static const char  ngx_rtc_id_chars[] =
    "abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrstuvwxyz234567";


static void ngx_rtc_random(char *text, size_t len, const char *chars);
static ngx_uint_t ngx_rtc_candidates(ngx_rtc_conf_t *rcf,
    struct sockaddr *server, cr_sdp_local_t *sdp);
static void ngx_rtc_candidate_add(cr_sdp_local_t *sdp,
    const cr_addr_t *addr, uint16_t port);
static void ngx_rtc_local_set(ngx_rtc_conf_t *rcf,
    const ngx_rtc_record_t *rec, ngx_rtc_local_t *local);


ngx_uint_t
ngx_rtc_enabled(ngx_conf_t *cf)
{
    ngx_rtc_conf_t  *rcf;

    rcf = (ngx_rtc_conf_t *) ngx_get_conf(cf->cycle->conf_ctx,
                                          ngx_rtc_module);

    return rcf->configured;
}


const cr_sdp_config_t *
ngx_rtc_sdp_config(void)
{
    return &ngx_rtc_conf()->sdp;
}


ngx_int_t
ngx_rtc_session_create(ngx_recording_publisher_info_t *info,
    const cr_sdp_session_t *sdp, struct sockaddr *client,
    struct sockaddr *server, ngx_rtc_local_t *local, const char **why,
    ngx_log_t *log)
{
    ngx_int_t          rc;
    ngx_rtc_conf_t    *rcf;
    ngx_rtc_record_t   rec;

    rcf = ngx_rtc_conf();

    *why = "no address to be reached at";

    if (ngx_rtc_candidates(rcf, server, &local->sdp) == 0) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "no candidate for this client: "
                      "\"public_address\" or another \"listen\" is needed");
        return NGX_ERROR;
    }

    ngx_rtc_random(info->session_id, NGX_RTC_ID_LEN, ngx_rtc_id_chars);

    ngx_memzero(&rec, sizeof(ngx_rtc_record_t));

    rec.info = *info;
    rec.sdp = *sdp;
    rec.etag = 1;
    rec.created_us = ngx_callrec_now_us();

    ngx_rtc_addr_from(&rec.client, client);
    ngx_rtc_random(rec.ufrag, NGX_RTC_UFRAG_LEN, ngx_rtc_ice_chars);
    ngx_rtc_random(rec.pwd, NGX_RTC_PWD_LEN, ngx_rtc_ice_chars);

    rc = ngx_rtc_dir_add(rcf, &rec, why);

    if (rc == NGX_BUSY) {
        ngx_log_error(NGX_LOG_WARN, log, 0, "rtc session refused: %s", *why);
        return NGX_BUSY;
    }

    if (rc != NGX_OK) {
        *why = "internal error";
        return NGX_ERROR;
    }

    ngx_rtc_local_set(rcf, &rec, local);

    return NGX_OK;
}


ngx_int_t
ngx_rtc_session_find(const char *session_id,
    ngx_recording_publisher_info_t *info, cr_sdp_session_t *sdp,
    ngx_uint_t *etag)
{
    ngx_rtc_record_t  rec;

    if (ngx_rtc_dir_get(ngx_rtc_conf(), session_id, &rec) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (info != NULL) {
        *info = rec.info;
    }

    if (sdp != NULL) {
        *sdp = rec.sdp;
    }

    if (etag != NULL) {
        *etag = rec.etag;
    }

    return NGX_OK;
}


ngx_int_t
ngx_rtc_session_restart(const char *session_id, const char *remote_ufrag,
    const char *remote_pwd, struct sockaddr *server, cr_sdp_session_t *sdp,
    ngx_rtc_local_t *local, ngx_log_t *log)
{
    ngx_int_t           rc;
    ngx_rtc_conf_t     *rcf;
    ngx_rtc_record_t    rec;
    ngx_rtc_session_t  *s;

    rcf = ngx_rtc_conf();

    if (ngx_rtc_candidates(rcf, server, &local->sdp) == 0) {
        return NGX_ERROR;
    }

    ngx_memzero(&rec, sizeof(ngx_rtc_record_t));

    ngx_rtc_random(rec.ufrag, NGX_RTC_UFRAG_LEN, ngx_rtc_ice_chars);
    ngx_rtc_random(rec.pwd, NGX_RTC_PWD_LEN, ngx_rtc_ice_chars);

    (void) ngx_cpystrn((u_char *) rec.sdp.remote_ufrag,
                       (u_char *) remote_ufrag,
                       sizeof(rec.sdp.remote_ufrag));
    (void) ngx_cpystrn((u_char *) rec.sdp.remote_pwd, (u_char *) remote_pwd,
                       sizeof(rec.sdp.remote_pwd));

    rc = ngx_rtc_dir_restart(rcf, session_id, &rec);

    if (rc != NGX_OK) {
        return rc;
    }

    if (rec.owner == ngx_pid) {
        s = ngx_rtc_session_by_id(rcf->worker, session_id);

        if (s != NULL) {
            ngx_rtc_session_restarted(s, &rec);
        }

    } else if (rec.owner != 0) {
        (void) ngx_rtc_session_tell(rec.owner, NGX_RTC_TELL_RESTART, &rec,
                                    log);
    }

    *sdp = rec.sdp;
    ngx_rtc_local_set(rcf, &rec, local);

    return NGX_OK;
}


ngx_int_t
ngx_rtc_session_delete(const char *session_id, ngx_log_t *log)
{
    ngx_pid_t           owner;
    ngx_rtc_conf_t     *rcf;
    ngx_rtc_record_t    rec;
    ngx_rtc_session_t  *s;

    rcf = ngx_rtc_conf();

    if (ngx_rtc_dir_remove(rcf, session_id, 0, &owner) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (owner == ngx_pid) {

        /* its last datagrams may wait to be polled */

        (void) ngx_rtc_udp_poll(rcf);

        s = ngx_rtc_session_by_id(rcf->worker, session_id);

        if (s != NULL) {
            ngx_rtc_session_end(rcf, s);
        }

    } else if (owner != 0) {
        ngx_memzero(&rec, sizeof(ngx_rtc_record_t));
        (void) ngx_cpystrn((u_char *) rec.info.session_id,
                           (u_char *) session_id, CR_ID_MAX + 1);
        (void) ngx_rtc_session_tell(owner, NGX_RTC_TELL_CLOSE, &rec, log);
    }

    return NGX_OK;
}


ngx_int_t
ngx_rtc_session_ended(const char *call_id, const char *session_id)
{
    return ngx_rtc_dir_ended(ngx_rtc_conf(), call_id, session_id);
}


/* chars has 64 letters, so that each takes six bits and none is likelier. */

static void
ngx_rtc_random(char *text, size_t len, const char *chars)
{
    size_t   i;
    uint8_t  bytes[CR_ID_MAX];

    cr_random(&ngx_callrec_env, bytes, len);

    for (i = 0; i < len; i++) {
        text[i] = chars[bytes[i] & 63];
    }

    text[len] = '\0';
}


/*
 * Where clients may send their media: the public addresses with the ports
 * that we listen on, or else what we listen on; a wildcard becomes the
 * address at which the client has just reached us.
 */

static ngx_uint_t
ngx_rtc_candidates(ngx_rtc_conf_t *rcf, struct sockaddr *server,
    cr_sdp_local_t *sdp)
{
    cr_addr_t       *listens, *publics, reached, addr;
    ngx_uint_t       i, k;
    ngx_sockaddr_t   sa;

    sdp->ncandidates = 0;
    sdp->tcp = rcf->tcp;
    listens = rcf->listens.elts;
    publics = rcf->publics.elts;

    for (k = 0; k < rcf->publics.nelts; k++) {
        if (publics[k].port != 0) {
            ngx_rtc_candidate_add(sdp, &publics[k], publics[k].port);
            continue;
        }

        for (i = 0; i < rcf->listens.nelts; i++) {
            if (listens[i].family == publics[k].family) {
                ngx_rtc_candidate_add(sdp, &publics[k], listens[i].port);
            }
        }
    }

    if (rcf->publics.nelts != 0) {
        return sdp->ncandidates;
    }

    ngx_rtc_addr_from(&reached, server);

    for (i = 0; i < rcf->listens.nelts; i++) {
        addr = listens[i];

        (void) ngx_rtc_addr_to(&addr, &sa);

        if (!ngx_inet_wildcard(&sa.sockaddr)) {
            ngx_rtc_candidate_add(sdp, &addr, addr.port);

        } else if (addr.family == reached.family) {
            ngx_rtc_candidate_add(sdp, &reached, addr.port);
        }
    }

    return sdp->ncandidates;
}


static void
ngx_rtc_candidate_add(cr_sdp_local_t *sdp, const cr_addr_t *addr,
    uint16_t port)
{
    cr_addr_t  *candidate;

    if (sdp->ncandidates == CR_SDP_CANDIDATE_MAX) {
        return;
    }

    candidate = &sdp->candidates[sdp->ncandidates++];

    *candidate = *addr;
    candidate->port = port;
}


static void
ngx_rtc_local_set(ngx_rtc_conf_t *rcf, const ngx_rtc_record_t *rec,
    ngx_rtc_local_t *local)
{
    uint8_t  bytes[8];

    ngx_memcpy(local->ufrag, rec->ufrag, sizeof(local->ufrag));
    ngx_memcpy(local->pwd, rec->pwd, sizeof(local->pwd));
    local->etag = rec->etag;

    /* RFC 8829 section 5.2.1: a random number of 63 bits at most */

    cr_random(&ngx_callrec_env, bytes, sizeof(bytes));

    local->sdp.session_id = cr_get_u64(bytes) >> 2;
    local->sdp.session_version = (uint32_t) rec->etag;
    local->sdp.ufrag = local->ufrag;
    local->sdp.pwd = local->pwd;
    local->sdp.fingerprint = cr_dtls_cert_fingerprint(rcf->worker->cert);
    local->sdp.max_bitrate = (uint32_t) rcf->max_bitrate;
}
