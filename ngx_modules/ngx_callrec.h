
/*
 * Copyright (C) The call recorder authors
 *
 * What all our nginx modules share: messages between workers, a microsecond
 * clock, the environment that src/ asks for.
 */

#ifndef _NGX_CALLREC_H_INCLUDED_
#define _NGX_CALLREC_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "base/env.h"
#include "base/status.h"


/* CLOCK_MONOTONIC in microseconds: the same in all processes. */
int64_t ngx_callrec_now_us(void);

/* CLOCK_REALTIME in milliseconds since 1970. */
int64_t ngx_callrec_wall_ms(void);

/* malloc(), free() and RAND_bytes() for src/. */
extern const cr_env_t  ngx_callrec_env;


/*
 * Messages between the workers, old generations' included, as unix
 * datagrams: each worker binds an abstract address made of its pid, and takes
 * messages only from its own user (SCM_CREDENTIALS).  A message is at most
 * NGX_CALLREC_MSG_MAX bytes, is delivered once or not at all (a receiver
 * that died, a full queue), and never blocks the sender.
 */
#define NGX_CALLREC_MSG_MAX  4096

typedef enum {
    NGX_CALLREC_MSG_PACKET = 0,      /* ngx_rtc: a forwarded datagram */
    NGX_CALLREC_MSG_SESSION,         /* ngx_rtc: close, ICE restart */
    NGX_CALLREC_MSG_RECORDING,       /* ngx_recording: start, stop, ... */
    NGX_CALLREC_MSG_TYPES
} ngx_callrec_msg_e;

typedef void (*ngx_callrec_msg_pt)(ngx_pid_t from, u_char *data, size_t len);

/* In a module's init_process; one handler for each type. */
void ngx_callrec_msg_handler(ngx_callrec_msg_e type,
    ngx_callrec_msg_pt handler);

/* To one worker; to ourselves it is a direct call. NGX_OK, NGX_AGAIN (queue
 * full), NGX_DECLINED (no such worker), NGX_ERROR. */
ngx_int_t ngx_callrec_msg_send(ngx_pid_t to, ngx_callrec_msg_e type,
    const void *data, size_t len, ngx_log_t *log);

/* To every living worker, ourselves included. */
void ngx_callrec_msg_broadcast(ngx_callrec_msg_e type, const void *data,
    size_t len, ngx_log_t *log);

/* Whether a pid is a living worker of ours (from shared memory + kill 0). */
ngx_uint_t ngx_callrec_worker_alive(ngx_pid_t pid);


extern ngx_module_t  ngx_callrec_module;


#endif /* _NGX_CALLREC_H_INCLUDED_ */
