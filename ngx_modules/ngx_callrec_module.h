
/*
 * Copyright (C) The call recorder authors
 *
 * What the files of ngx_callrec_module share.
 */

#ifndef _NGX_CALLREC_MODULE_H_INCLUDED_
#define _NGX_CALLREC_MODULE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_callrec.h"


#define NGX_CALLREC_WORKERS_MAX  256
#define NGX_CALLREC_EXITS_MAX    8


typedef struct {
    ngx_pid_t                pid;
    ngx_uint_t               generation;
} ngx_callrec_worker_t;


typedef struct {
    ngx_uint_t               generation;   /* of the loaded configuration */
    uint64_t                 nonce;        /* part of the sockets' names */
    ngx_callrec_worker_t     workers[NGX_CALLREC_WORKERS_MAX];
} ngx_callrec_sh_t;


/* Packets have a socket of their own, so that they never push out others. */
enum {
    NGX_CALLREC_LANE_CONTROL = 0,
    NGX_CALLREC_LANE_PACKETS,
    NGX_CALLREC_LANES
};


typedef struct {
    ngx_shm_zone_t          *shm_zone;
    ngx_callrec_sh_t        *sh;
    ngx_slab_pool_t         *shpool;
    ngx_uint_t               generation;

    ngx_callrec_msg_pt       handlers[NGX_CALLREC_MSG_TYPES];
    ngx_callrec_fd_pt        fd_handler;
    ngx_callrec_exit_pt      exits[NGX_CALLREC_EXITS_MAX];
    ngx_uint_t               nexits;

    ngx_connection_t        *lanes[NGX_CALLREC_LANES];
    ngx_queue_t              unsent[NGX_CALLREC_LANES];     /* in order */
    size_t                   unsent_size[NGX_CALLREC_LANES];
    ngx_event_t              retry;
    u_char                  *buffer;
} ngx_callrec_conf_t;


ngx_callrec_conf_t *ngx_callrec_conf(void);

/* Copies the list of workers; returns how many. */
ngx_uint_t ngx_callrec_workers(ngx_callrec_conf_t *ccf,
    ngx_callrec_worker_t *workers);

ngx_int_t ngx_callrec_msg_init(ngx_callrec_conf_t *ccf, ngx_cycle_t *cycle);
void ngx_callrec_msg_done(ngx_callrec_conf_t *ccf);

/* nginx asks this worker to leave; forced: by worker_shutdown_timeout. */
void ngx_callrec_exiting(ngx_callrec_conf_t *ccf, ngx_uint_t forced);


#endif /* _NGX_CALLREC_MODULE_H_INCLUDED_ */
