
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
 * What the file of a directive holds, without newlines at its end: at least
 * one byte, at most max with them.  The name becomes one beside nginx.conf.
 * NGX_ERROR: it was told why.
 */
ngx_int_t ngx_callrec_conf_read(ngx_conf_t *cf, ngx_str_t *name, size_t max,
    ngx_str_t *text);


/*
 * Messages between the workers, old generations' included, as unix
 * datagrams: each worker binds an abstract address made of its pid, and takes
 * messages only from its own user (SCM_CREDENTIALS).  A message is at most
 * NGX_CALLREC_MSG_MAX bytes, is delivered once or not at all (a receiver
 * that died, a full queue), and never blocks the sender.
 */
#define NGX_CALLREC_MSG_MAX     4096
#define NGX_CALLREC_PACKET_MAX  16384    /* of NGX_CALLREC_MSG_PACKET */

typedef enum {
    NGX_CALLREC_MSG_PACKET = 0,      /* ngx_rtc: forwarded datagrams */
    NGX_CALLREC_MSG_SESSION,         /* ngx_rtc: close, ICE restart */
    NGX_CALLREC_MSG_RECORDING,       /* ngx_recording: start, stop, ... */
    NGX_CALLREC_MSG_EXIT,            /* ours: reload, quit, for old workers */
    NGX_CALLREC_MSG_CONNECTION,      /* ngx_rtc: a TCP connection itself */
    NGX_CALLREC_MSG_TYPES
} ngx_callrec_msg_e;

typedef void (*ngx_callrec_msg_pt)(ngx_pid_t from, u_char *data, size_t len);

/* In a module's init_process; one handler for each type. */
void ngx_callrec_msg_handler(ngx_callrec_msg_e type,
    ngx_callrec_msg_pt handler);

/*
 * To one worker; to ourselves it is a direct call.  NGX_OK, NGX_AGAIN (too
 * much waits already), NGX_DECLINED (no such worker), NGX_ERROR.  What finds
 * the receiver's queue full is kept and tried again, for half a second if it
 * is a packet and for two seconds otherwise.
 */
ngx_int_t ngx_callrec_msg_send(ngx_pid_t to, ngx_callrec_msg_e type,
    const void *data, size_t len, ngx_log_t *log);

/*
 * The same to another worker, for NGX_CALLREC_MSG_CONNECTION: the message
 * carries a descriptor, which its handler owns.  Ours is closed, whatever
 * comes of it.
 */
typedef void (*ngx_callrec_fd_pt)(ngx_pid_t from, ngx_socket_t fd,
    u_char *data, size_t len);

void ngx_callrec_fd_handler(ngx_callrec_fd_pt handler);
ngx_int_t ngx_callrec_fd_send(ngx_pid_t to, ngx_socket_t fd,
    const void *data, size_t len, ngx_log_t *log);

/* To every living worker, ourselves included. */
void ngx_callrec_msg_broadcast(ngx_callrec_msg_e type, const void *data,
    size_t len, ngx_log_t *log);

/* Whether a pid is a living worker of ours (from shared memory + kill 0). */
ngx_uint_t ngx_callrec_worker_alive(ngx_pid_t pid);

/* A living worker of the newest generation; -1: there is none. */
ngx_pid_t ngx_callrec_worker_current(void);

/* Whether a newer configuration has been loaded than this worker's. */
ngx_uint_t ngx_callrec_superseded(void);


/*
 * How a worker ends.  RELOAD: a newer generation is there, what is going on
 * may go on here until it is over.  QUIT: end it now, in order; the event
 * loop and the thread pools still run, a worker leaves when no timer is left
 * that is not cancelable.  NOW: the process leaves when the handler returns;
 * tasks posted to a thread pool are still run, their completions are not.
 * RELOAD comes again with each further reload, QUIT may follow it (nginx -s
 * quit, worker_shutdown_timeout), NOW always comes.
 */
typedef enum {
    NGX_CALLREC_EXIT_RELOAD = 0,
    NGX_CALLREC_EXIT_QUIT,
    NGX_CALLREC_EXIT_NOW
} ngx_callrec_exit_e;

typedef void (*ngx_callrec_exit_pt)(ngx_callrec_exit_e how);

/* In a module's init_process; handlers are called in this order. */
ngx_int_t ngx_callrec_exit_handler(ngx_callrec_exit_pt handler);


extern ngx_module_t  ngx_callrec_module;

/* Stands before ngx_thread_pool_module, so that EXIT_NOW finds the pools. */
extern ngx_module_t  ngx_callrec_exit_module;


#endif /* _NGX_CALLREC_H_INCLUDED_ */
