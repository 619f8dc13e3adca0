
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

#define NGX_CALLREC_MSG_HEADER   4
#define NGX_CALLREC_LANE_BUFFER  (NGX_CALLREC_MSG_HEADER                      \
                                  + NGX_CALLREC_PACKET_MAX)


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
    u_char                  *buffer;       /* NGX_CALLREC_LANE_BUFFER */
} ngx_callrec_conf_t;


ngx_callrec_conf_t *ngx_callrec_conf(void);

/* Copies the list of workers; returns how many. */
ngx_uint_t ngx_callrec_workers(ngx_callrec_conf_t *ccf,
    ngx_callrec_worker_t *workers);

/* nginx asks this worker to leave; forced: by worker_shutdown_timeout. */
void ngx_callrec_exiting(ngx_callrec_conf_t *ccf, ngx_uint_t forced);


/* ngx_callrec_msg.c */

ngx_int_t ngx_callrec_msg_init(ngx_callrec_conf_t *ccf, ngx_cycle_t *cycle);
void ngx_callrec_msg_done(ngx_callrec_conf_t *ccf);


/* ngx_callrec_lane.c */

/* Binds this worker's socket of a lane. */
ngx_int_t ngx_callrec_lane_open(ngx_callrec_conf_t *ccf, ngx_cycle_t *cycle,
    ngx_uint_t lane);

ngx_uint_t ngx_callrec_lane_of(ngx_callrec_msg_e type);

/*
 * One datagram to another worker; fd, if not -1, is sent along and stays
 * ours.  NGX_AGAIN: the receiver's queue is full; NGX_DECLINED: there is no
 * such worker; NGX_ERROR.
 */
ngx_int_t ngx_callrec_lane_send(ngx_callrec_conf_t *ccf, ngx_pid_t to,
    ngx_callrec_msg_e type, ngx_socket_t fd, const void *data, size_t len,
    ngx_log_t *log);


#endif /* _NGX_CALLREC_MODULE_H_INCLUDED_ */
