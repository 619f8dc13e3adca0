
/*
 * Copyright (C) The call recorder authors
 *
 * The engine's configuration (ngx_http_recording_module.c), for the engine's
 * other files.
 */

#ifndef _NGX_RECORDING_CONF_H_INCLUDED_
#define _NGX_RECORDING_CONF_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_thread_pool.h>


/* What a power cut may take (docs/on-disk.md). */
typedef enum {
    NGX_RECORDING_SYNC_OFF = 0,
    NGX_RECORDING_SYNC_CHUNK,
    NGX_RECORDING_SYNC_INTERVAL
} ngx_recording_sync_e;


/* Which layers of simulcast are written. */
typedef enum {
    NGX_RECORDING_SIMULCAST_HIGHEST = 0,
    NGX_RECORDING_SIMULCAST_ALL,
    NGX_RECORDING_SIMULCAST_AUTO         /* all, where many publish */
} ngx_recording_simulcast_e;


typedef struct {
    ngx_str_t           root;            /* NUL-terminated, no '/' at its end */
    ngx_shm_zone_t     *zone;
    ngx_msec_t          chunk;
    size_t              buffer;
    ngx_thread_pool_t  *thread_pool;
    ngx_msec_t          idle_timeout;    /* 0: never */
    ngx_msec_t          max_duration;    /* 0: none */
    ngx_uint_t          max_recordings;  /* active at a time, 0: any number */
    ngx_uint_t          sync;            /* ngx_recording_sync_e */
    ngx_msec_t          sync_interval;
    ngx_uint_t          simulcast;       /* ngx_recording_simulcast_e */
    off_t               min_free;        /* bytes, 0: not looked at */
} ngx_recording_conf_t;


/*
 * The running cycle's configuration; NULL when recording_root is not set,
 * that is, when nothing can be recorded.
 */
ngx_recording_conf_t *ngx_recording_conf(void);


#endif /* _NGX_RECORDING_CONF_H_INCLUDED_ */
