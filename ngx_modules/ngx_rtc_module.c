
/*
 * Copyright (C) The call recorder authors
 *
 * WebRTC over UDP and TCP: directives, shared memory, and how a worker
 * starts and ends.
 */


#include "ngx_rtc_module.h"

#include "srtp/srtp.h"


#define NGX_RTC_CONF           0x02000000

#define NGX_RTC_ZONE_MIN       (64 * ngx_pagesize)
#define NGX_RTC_SWEEP_MSEC     5000
/* browsers' clocks may be behind ours */
#define NGX_RTC_CERT_LEEWAY    86400


static void *ngx_rtc_create_conf(ngx_cycle_t *cycle);
static char *ngx_rtc_init_conf(ngx_cycle_t *cycle, void *conf);
static char *ngx_rtc_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_rtc_listen(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_rtc_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_rtc_public_address(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_rtc_codecs(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static ngx_int_t ngx_rtc_check_old(ngx_cycle_t *cycle, ngx_rtc_conf_t *rcf);
static ngx_int_t ngx_rtc_init_zone(ngx_shm_zone_t *shm_zone, void *data);
static ngx_int_t ngx_rtc_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_rtc_init_process(ngx_cycle_t *cycle);
static void ngx_rtc_exit(ngx_callrec_exit_e how);
static void ngx_rtc_sweep(ngx_event_t *ev);


static ngx_conf_num_bounds_t  ngx_rtc_positive = {
    ngx_conf_check_num_bounds, 1, 1000000
};


static ngx_command_t  ngx_rtc_commands[] = {

    { ngx_string("rtc"),
      NGX_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_NOARGS,
      ngx_rtc_block,
      0,
      0,
      NULL },

    { ngx_string("listen"),
      NGX_RTC_CONF|NGX_DIRECT_CONF|NGX_CONF_TAKE1,
      ngx_rtc_listen,
      0,
      0,
      NULL },

    { ngx_string("tcp"),
      NGX_RTC_CONF|NGX_DIRECT_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      0,
      offsetof(ngx_rtc_conf_t, tcp),
      NULL },

    { ngx_string("zone"),
      NGX_RTC_CONF|NGX_DIRECT_CONF|NGX_CONF_TAKE2,
      ngx_rtc_zone,
      0,
      0,
      NULL },

    { ngx_string("public_address"),
      NGX_RTC_CONF|NGX_DIRECT_CONF|NGX_CONF_TAKE1,
      ngx_rtc_public_address,
      0,
      0,
      NULL },

    { ngx_string("max_sessions"),
      NGX_RTC_CONF|NGX_DIRECT_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      0,
      offsetof(ngx_rtc_conf_t, max_sessions),
      &ngx_rtc_positive },

    { ngx_string("max_sessions_per_address"),
      NGX_RTC_CONF|NGX_DIRECT_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      0,
      offsetof(ngx_rtc_conf_t, max_sessions_per_address),
      &ngx_rtc_positive },

    { ngx_string("max_sessions_per_call"),
      NGX_RTC_CONF|NGX_DIRECT_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      0,
      offsetof(ngx_rtc_conf_t, max_sessions_per_call),
      &ngx_rtc_positive },

    { ngx_string("max_handshakes"),
      NGX_RTC_CONF|NGX_DIRECT_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      0,
      offsetof(ngx_rtc_conf_t, max_handshakes),
      &ngx_rtc_positive },

    { ngx_string("max_bitrate"),
      NGX_RTC_CONF|NGX_DIRECT_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      0,
      offsetof(ngx_rtc_conf_t, max_bitrate),
      NULL },

    { ngx_string("recv_buffer"),
      NGX_RTC_CONF|NGX_DIRECT_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      0,
      offsetof(ngx_rtc_conf_t, recv_buffer),
      NULL },

    { ngx_string("connect_timeout"),
      NGX_RTC_CONF|NGX_DIRECT_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      0,
      offsetof(ngx_rtc_conf_t, connect_timeout),
      NULL },

    { ngx_string("session_timeout"),
      NGX_RTC_CONF|NGX_DIRECT_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      0,
      offsetof(ngx_rtc_conf_t, session_timeout),
      NULL },

    { ngx_string("nack_timeout"),
      NGX_RTC_CONF|NGX_DIRECT_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      0,
      offsetof(ngx_rtc_conf_t, nack_timeout),
      NULL },

    { ngx_string("nack_interval"),
      NGX_RTC_CONF|NGX_DIRECT_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      0,
      offsetof(ngx_rtc_conf_t, nack_interval),
      NULL },

    { ngx_string("nack_list"),
      NGX_RTC_CONF|NGX_DIRECT_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      0,
      offsetof(ngx_rtc_conf_t, nack_list),
      &ngx_rtc_positive },

    { ngx_string("codecs"),
      NGX_RTC_CONF|NGX_DIRECT_CONF|NGX_CONF_1MORE,
      ngx_rtc_codecs,
      0,
      0,
      NULL },

      ngx_null_command
};


static ngx_core_module_t  ngx_rtc_module_ctx = {
    ngx_string("rtc"),
    ngx_rtc_create_conf,
    ngx_rtc_init_conf
};


ngx_module_t  ngx_rtc_module = {
    NGX_MODULE_V1,
    &ngx_rtc_module_ctx,               /* module context */
    ngx_rtc_commands,                  /* module directives */
    NGX_CORE_MODULE,                   /* module type */
    NULL,                              /* init master */
    ngx_rtc_init_module,               /* init module */
    ngx_rtc_init_process,              /* init process */
    NULL,                              /* init thread */
    NULL,                              /* exit thread */
    NULL,                              /* exit process */
    NULL,                              /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
ngx_rtc_create_conf(ngx_cycle_t *cycle)
{
    ngx_rtc_conf_t  *rcf;

    rcf = ngx_pcalloc(cycle->pool, sizeof(ngx_rtc_conf_t));
    if (rcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&rcf->listens, cycle->pool, 2, sizeof(cr_addr_t))
        != NGX_OK
        || ngx_array_init(&rcf->publics, cycle->pool, 2, sizeof(cr_addr_t))
        != NGX_OK)
    {
        return NULL;
    }

    rcf->tcp = NGX_CONF_UNSET;
    rcf->max_sessions = NGX_CONF_UNSET;
    rcf->max_sessions_per_address = NGX_CONF_UNSET;
    rcf->max_sessions_per_call = NGX_CONF_UNSET;
    rcf->max_handshakes = NGX_CONF_UNSET;
    rcf->max_bitrate = NGX_CONF_UNSET_SIZE;
    rcf->recv_buffer = NGX_CONF_UNSET_SIZE;
    rcf->connect_timeout = NGX_CONF_UNSET_MSEC;
    rcf->session_timeout = NGX_CONF_UNSET_MSEC;
    rcf->nack_timeout = NGX_CONF_UNSET_MSEC;
    rcf->nack_interval = NGX_CONF_UNSET_MSEC;
    rcf->nack_list = NGX_CONF_UNSET;

    return rcf;
}


static char *
ngx_rtc_init_conf(ngx_cycle_t *cycle, void *conf)
{
    ngx_rtc_conf_t  *rcf = conf;

    ngx_conf_t  cf;
    ngx_uint_t  i;

    if (!rcf->configured) {
        return NGX_CONF_OK;
    }

    if (rcf->listens.nelts == 0) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "no \"listen\" in the \"rtc\" block");
        return NGX_CONF_ERROR;
    }

    ngx_conf_init_value(rcf->tcp, 1);
    ngx_conf_init_value(rcf->max_sessions, 1000);
    ngx_conf_init_value(rcf->max_sessions_per_address, 100);
    ngx_conf_init_value(rcf->max_sessions_per_call, 100);
    ngx_conf_init_value(rcf->max_handshakes, 500);
    ngx_conf_init_size_value(rcf->max_bitrate, 2500000);
    ngx_conf_init_size_value(rcf->recv_buffer, 4 * 1024 * 1024);
    ngx_conf_init_msec_value(rcf->connect_timeout, 30000);
    ngx_conf_init_msec_value(rcf->session_timeout, 30000);
    ngx_conf_init_msec_value(rcf->nack_timeout, 3000);
    ngx_conf_init_msec_value(rcf->nack_interval, 10);
    ngx_conf_init_value(rcf->nack_list, 4096);

    if (rcf->sdp.codecs[0] == CR_CODEC_NONE) {
        for (i = 1; i < CR_CODEC_COUNT; i++) {
            rcf->sdp.codecs[i - 1] = (uint8_t) i;
        }

        rcf->sdp.offerers_order = 1;
    }

    if (rcf->zone_name.len == 0) {
        ngx_str_set(&rcf->zone_name, "rtc");
        rcf->zone_size = 16 * 1024 * 1024;
    }

    if (ngx_rtc_check_old(cycle, rcf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&cf, sizeof(ngx_conf_t));
    cf.cycle = cycle;
    cf.pool = cycle->pool;
    cf.log = cycle->log;

    rcf->shm_zone = ngx_shared_memory_add(&cf, &rcf->zone_name,
                                          rcf->zone_size, &ngx_rtc_module);
    if (rcf->shm_zone == NULL) {
        return NGX_CONF_ERROR;
    }

    rcf->shm_zone->init = ngx_rtc_init_zone;
    rcf->shm_zone->data = rcf;

    return rcf->tcp ? ngx_rtc_tcp_listen(&cf, rcf) : NGX_CONF_OK;
}


/*
 * Old workers go on with their sessions after a reload, and datagrams find
 * them by the directory: both generations must mean the same one.
 */

static ngx_int_t
ngx_rtc_check_old(ngx_cycle_t *cycle, ngx_rtc_conf_t *rcf)
{
    ngx_cycle_t     *old;
    ngx_rtc_conf_t  *orcf;

    old = cycle->old_cycle;

    if (ngx_is_init_cycle(old)) {
        return NGX_OK;
    }

    /* NULL: this reload loads the module */

    orcf = (ngx_rtc_conf_t *) ngx_get_conf(old->conf_ctx, ngx_rtc_module);

    if (orcf == NULL || !orcf->configured) {
        return NGX_OK;
    }

    if (rcf->zone_size != orcf->zone_size
        || rcf->zone_name.len != orcf->zone_name.len
        || ngx_strncmp(rcf->zone_name.data, orcf->zone_name.data,
                       rcf->zone_name.len) != 0)
    {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "\"zone\" cannot be changed by a reload");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static char *
ngx_rtc_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char            *rv;
    ngx_conf_t       save;
    ngx_rtc_conf_t  *rcf;

    rcf = (ngx_rtc_conf_t *) ngx_get_conf(cf->cycle->conf_ctx,
                                          ngx_rtc_module);

    if (rcf->configured) {
        return "is duplicate";
    }

    rcf->configured = 1;

    save = *cf;
    cf->cmd_type = NGX_RTC_CONF;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    return rv;
}


static char *
ngx_rtc_listen(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_rtc_conf_t  *rcf = conf;

    char        *rv;
    ngx_str_t   *value;
    ngx_url_t    u;
    ngx_uint_t   i;

    value = cf->args->elts;

    ngx_memzero(&u, sizeof(ngx_url_t));
    u.url = value[1];
    u.listen = 1;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK || u.no_port
        || u.family == AF_UNIX)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s in \"%V\"",
                           u.err ? u.err : "no port", &value[1]);
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < u.naddrs; i++) {
        rv = ngx_rtc_udp_listen(cf, rcf, &u.addrs[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_rtc_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_rtc_conf_t  *rcf = conf;

    ssize_t     size;
    ngx_str_t  *value;

    if (rcf->zone_name.len != 0) {
        return "is duplicate";
    }

    value = cf->args->elts;

    size = ngx_parse_size(&value[2]);

    if (size == NGX_ERROR || value[1].len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid zone \"%V %V\"",
                           &value[1], &value[2]);
        return NGX_CONF_ERROR;
    }

    if (size < (ssize_t) NGX_RTC_ZONE_MIN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" is too small, it needs %uz bytes",
                           &value[1], (size_t) NGX_RTC_ZONE_MIN);
        return NGX_CONF_ERROR;
    }

    rcf->zone_name = value[1];
    rcf->zone_size = (size_t) size;

    return NGX_CONF_OK;
}


static char *
ngx_rtc_public_address(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_rtc_conf_t  *rcf = conf;

    cr_addr_t   *addr;
    ngx_int_t    rc;
    ngx_str_t   *value;
    ngx_addr_t   parsed;

    if (rcf->publics.nelts == CR_SDP_CANDIDATE_MAX) {
        return "is given too often";
    }

    value = cf->args->elts;

    rc = ngx_parse_addr_port(cf->pool, &parsed, value[1].data, value[1].len);

    if (rc == NGX_ERROR) {
        return NGX_CONF_ERROR;
    }

    if (rc != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" is not an IP address", &value[1]);
        return NGX_CONF_ERROR;
    }

    addr = ngx_array_push(&rcf->publics);
    if (addr == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_rtc_addr_from(addr, parsed.sockaddr);

    return NGX_CONF_OK;
}


static char *
ngx_rtc_codecs(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_rtc_conf_t  *rcf = conf;

    ngx_str_t   *value;
    ngx_uint_t   given, i, k, n;

    static const struct {
        ngx_str_t   name;
        cr_codec_e  codec;
    } names[] = {
        { ngx_string("vp8"), CR_CODEC_VP8 },
        { ngx_string("vp9"), CR_CODEC_VP9 },
        { ngx_string("av1"), CR_CODEC_AV1 },
        { ngx_string("h264"), CR_CODEC_H264 },
        { ngx_string("h265"), CR_CODEC_H265 },
        { ngx_string("opus"), CR_CODEC_OPUS },
        { ngx_string("red"), CR_CODEC_NONE },
        { ngx_string("ulpfec"), CR_CODEC_NONE },
        { ngx_string("pcmu"), CR_CODEC_PCMU },
        { ngx_string("pcma"), CR_CODEC_PCMA },
        { ngx_string("g722"), CR_CODEC_G722 }
    };

    if (rcf->sdp.codecs[0] != CR_CODEC_NONE || rcf->sdp.red
        || rcf->sdp.ulpfec)
    {
        return "is duplicate";
    }

    given = 0;
    n = 0;
    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        for (k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
            if (value[i].len == names[k].name.len
                && ngx_strncmp(value[i].data, names[k].name.data,
                               value[i].len) == 0)
            {
                break;
            }
        }

        if (k == sizeof(names) / sizeof(names[0])) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "unknown codec \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }

        if (given & ((ngx_uint_t) 1 << k)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "codec \"%V\" is given twice", &value[i]);
            return NGX_CONF_ERROR;
        }

        given |= (ngx_uint_t) 1 << k;

        if (names[k].codec == CR_CODEC_NONE) {
            rcf->sdp.red |= value[i].len == sizeof("red") - 1;
            rcf->sdp.ulpfec |= value[i].len == sizeof("ulpfec") - 1;
            continue;
        }

        rcf->sdp.codecs[n++] = (uint8_t) names[k].codec;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_rtc_init_zone(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_rtc_conf_t  *orcf = data;

    ngx_rtc_conf_t  *rcf;
    cr_dtls_cert_t  *cert;

    rcf = shm_zone->data;
    rcf->shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (orcf != NULL) {
        rcf->sh = orcf->sh;
        return NGX_OK;
    }

    /* a full directory is answered with 503, it is nobody's fault */
    rcf->shpool->log_nomem = 0;

    rcf->sh = ngx_slab_calloc(rcf->shpool, sizeof(ngx_rtc_sh_t));
    if (rcf->sh == NULL) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "zone \"%V\" is too small", &shm_zone->shm.name);
        return NGX_ERROR;
    }

    ngx_rtc_dir_init(rcf->sh);

    /*
     * One certificate for all workers, and for those of the next
     * configuration: the worker that answers an offer is not the one that
     * does the handshake.
     */

    cert = cr_dtls_cert_create((int64_t) ngx_time() - NGX_RTC_CERT_LEEWAY);

    if (cert != NULL) {
        rcf->sh->cert_len = cr_dtls_cert_export(cert, rcf->sh->cert,
                                                NGX_RTC_CERT_MAX);
        cr_dtls_cert_destroy(cert);
    }

    if (rcf->sh->cert_len == 0) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "could not make a certificate for DTLS");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rtc_init_module(ngx_cycle_t *cycle)
{
    ngx_rtc_conf_t  *rcf;

    rcf = (ngx_rtc_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_rtc_module);

    if (rcf->configured) {
        ngx_rtc_udp_tune(rcf, cycle);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rtc_init_process(ngx_cycle_t *cycle)
{
    ngx_rtc_conf_t    *rcf;
    ngx_rtc_worker_t  *w;

    rcf = (ngx_rtc_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_rtc_module);

    if (!rcf->configured
        || (ngx_process != NGX_PROCESS_WORKER
            && ngx_process != NGX_PROCESS_SINGLE))
    {
        return NGX_OK;
    }

    w = ngx_pcalloc(cycle->pool, sizeof(ngx_rtc_worker_t));
    if (w == NULL) {
        return NGX_ERROR;
    }

    rcf->worker = w;

    ngx_rtc_session_init(w);
    ngx_rtc_route_init(w);
    ngx_queue_init(&w->tcp_pending);

    if (cr_srtp_library_init() != CR_OK) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "could not initialize libsrtp2");
        return NGX_ERROR;
    }

    w->cert = cr_dtls_cert_import(rcf->sh->cert, rcf->sh->cert_len);
    if (w->cert == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "could not read the certificate for DTLS");
        return NGX_ERROR;
    }

    if (ngx_rtc_udp_init(rcf, cycle) != NGX_OK
        || ngx_rtc_tick_init(w, cycle) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_callrec_msg_handler(NGX_CALLREC_MSG_PACKET, ngx_rtc_route_message);
    ngx_callrec_msg_handler(NGX_CALLREC_MSG_SESSION, ngx_rtc_session_message);
    ngx_callrec_fd_handler(ngx_rtc_tcp_message);

    if (ngx_callrec_exit_handler(ngx_rtc_exit) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_rtc_dir_sweep(rcf, cycle->log);

    w->sweep.handler = ngx_rtc_sweep;
    w->sweep.data = rcf;
    w->sweep.log = cycle->log;
    w->sweep.cancelable = 1;

    ngx_add_timer(&w->sweep, NGX_RTC_SWEEP_MSEC);

    return NGX_OK;
}


/*
 * After a reload the sessions of this worker go on until they end: there is a
 * timer that is not cancelable, which keeps the process.  Otherwise they
 * are closed, so that their last chunks are complete.
 */

static void
ngx_rtc_exit(ngx_callrec_exit_e how)
{
    ngx_rtc_conf_t    *rcf;
    ngx_rtc_worker_t  *w;

    rcf = ngx_rtc_conf();
    w = rcf->worker;

    switch (how) {

    case NGX_CALLREC_EXIT_RELOAD:
        w->draining = 1;
        ngx_rtc_udp_drain(rcf, ngx_cycle->log);
        break;

    case NGX_CALLREC_EXIT_QUIT:
        w->quitting = 1;
        ngx_rtc_session_end_all(rcf);
        ngx_rtc_tcp_done(w);
        break;

    case NGX_CALLREC_EXIT_NOW:

        if (!w->quitting) {
            ngx_rtc_udp_empty(rcf, ngx_cycle->log);
        }

        w->quitting = 1;
        ngx_rtc_session_end_all(rcf);
        ngx_rtc_tcp_done(w);
        ngx_rtc_route_done(w);
        ngx_rtc_udp_done(w);
        ngx_rtc_tick_done(w);
        cr_dtls_cert_destroy(w->cert);
        w->cert = NULL;
        break;
    }
}


static void
ngx_rtc_sweep(ngx_event_t *ev)
{
    ngx_rtc_conf_t  *rcf = ev->data;

    ngx_rtc_dir_sweep(rcf, ev->log);
    ngx_rtc_session_sweep(rcf);

    if (rcf->worker->draining) {

        /* should the message of a later reload have been lost */

        ngx_rtc_udp_drain(rcf, ev->log);
    }

    ngx_add_timer(ev, NGX_RTC_SWEEP_MSEC);
}
