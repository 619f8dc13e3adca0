
/*
 * Copyright (C) The call recorder authors
 *
 * What the files of ngx_rtc_module share.
 *
 *     ngx_rtc_module.c      directives, shared memory, start and end
 *     ngx_rtc_addr.c        addresses
 *     ngx_rtc_api.c         what ngx_http_whip calls
 *     ngx_rtc_directory.c   sessions of all workers, in shared memory
 *     ngx_rtc_udp.c         sockets
 *     ngx_rtc_tcp*.c        connections, see ngx_rtc_tcp.h
 *     ngx_rtc_route.c       which session a datagram belongs to
 *     ngx_rtc_session.c     sessions of this worker
 *     ngx_rtc_tick.c        when they are due, and sockets read
 */

#ifndef _NGX_RTC_MODULE_H_INCLUDED_
#define _NGX_RTC_MODULE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "dtls/dtls.h"
#include "ngx_callrec.h"
#include "ngx_recording.h"
#include "ngx_rtc.h"
#include "peer/peer.h"


#define NGX_RTC_LISTEN_MAX        16
#define NGX_RTC_PATHS_MAX         4       /* addresses of one session */
#define NGX_RTC_DIR_BUCKETS       2048
#define NGX_RTC_SESSION_BUCKETS   256
#define NGX_RTC_ROUTE_BUCKETS     4096
#define NGX_RTC_FOREIGN_MAX       4096    /* routes to other workers */
#define NGX_RTC_CERT_MAX          4096
#define NGX_RTC_ENDED_MAX         512     /* remembered ends */
#define NGX_RTC_ENDED_TIME        10000000    /* for so long, us */
#define NGX_RTC_BATCH             32      /* datagrams of one recvmmsg() */
#define NGX_RTC_BATCHES           4       /* of one event */
#define NGX_RTC_POLL_BATCHES      64      /* of one tick */
#define NGX_RTC_DATAGRAM_MAX      2048
#define NGX_RTC_TICK_US           5000
#define NGX_RTC_TICK_SLOTS        256


typedef struct ngx_rtc_dir_entry_s  ngx_rtc_dir_entry_t;
typedef struct ngx_rtc_session_s    ngx_rtc_session_t;
typedef struct ngx_rtc_tcp_s        ngx_rtc_tcp_t;
typedef struct ngx_rtc_worker_s     ngx_rtc_worker_t;


/* A session that ended by itself, while its DELETE may be on the way. */
typedef struct {
    int64_t                  ended_us;
    uint32_t                 call;            /* hash of the call's id */
    char                     id[NGX_RTC_ID_LEN + 1];
} ngx_rtc_ended_t;


/* The directory in shared memory. */
typedef struct {
    ngx_queue_t              by_id[NGX_RTC_DIR_BUCKETS];
    ngx_queue_t              by_ufrag[NGX_RTC_DIR_BUCKETS];
    ngx_queue_t              by_path[NGX_RTC_DIR_BUCKETS];
    ngx_queue_t              by_call[NGX_RTC_DIR_BUCKETS];
    ngx_queue_t              by_client[NGX_RTC_DIR_BUCKETS];
    ngx_queue_t              pending;      /* no owner yet, oldest first */
    ngx_queue_t              adopted;
    ngx_uint_t               nentries;
    ngx_uint_t               nhandshakes;  /* of them not connected yet */

    ngx_rtc_ended_t          ended[NGX_RTC_ENDED_MAX];
    ngx_uint_t               ended_next;

    /* SO_COOKIE of each socket that the newest generation reads */
    ngx_uint_t               nsockets;
    uint64_t                *sockets;

    size_t                   cert_len;
    char                     cert[NGX_RTC_CERT_MAX];
} ngx_rtc_sh_t;


typedef struct {
    unsigned                 configured:1;

    ngx_flag_t               tcp;
    ngx_str_t                zone_name;
    size_t                   zone_size;
    ngx_array_t              listens;         /* cr_addr_t */
    ngx_array_t              publics;         /* cr_addr_t, port may be 0 */
    ngx_int_t                max_sessions;
    ngx_int_t                max_sessions_per_address;
    ngx_int_t                max_sessions_per_call;
    ngx_int_t                max_handshakes;
    size_t                   max_bitrate;
    size_t                   recv_buffer;
    ngx_msec_t               connect_timeout;
    ngx_msec_t               session_timeout;
    ngx_msec_t               nack_timeout;
    ngx_msec_t               nack_interval;
    ngx_int_t                nack_list;
    cr_sdp_config_t          sdp;

    ngx_shm_zone_t          *shm_zone;
    ngx_rtc_sh_t            *sh;
    ngx_slab_pool_t         *shpool;
    ngx_rtc_worker_t        *worker;
} ngx_rtc_conf_t;


/* A session as it is in the directory; a copy. */
typedef struct {
    ngx_recording_publisher_info_t  info;
    cr_sdp_session_t         sdp;
    char                     ufrag[NGX_RTC_UFRAG_LEN + 1];
    char                     pwd[NGX_RTC_PWD_LEN + 1];
    ngx_uint_t               etag;
    ngx_pid_t                owner;           /* 0: not adopted yet */
    cr_addr_t                client;          /* of the POST */
    int64_t                  created_us;
} ngx_rtc_record_t;


/* What a STUN request is checked with. */
typedef struct {
    char                     id[CR_ID_MAX + 1];
    char                     pwd[NGX_RTC_PWD_LEN + 1];
    ngx_pid_t                owner;
    unsigned                 previous:1;      /* from before an ICE restart */
} ngx_rtc_credentials_t;


/* One of our sockets, as this worker has it. */
typedef struct {
    ngx_socket_t             fd;              /* a duplicate, for sending */
    cr_addr_t                addr;
    unsigned                 wildcard:1;
    ngx_listening_t         *listening;       /* its fd is -1 once closed */
    ngx_connection_t        *reader;          /* after a reload, see _udp.c */
} ngx_rtc_listener_t;


/* A datagram and its way. */
typedef struct {
    cr_addr_t                remote;
    cr_addr_t                local;
    ngx_rtc_listener_t      *listener;        /* of UDP */
    ngx_rtc_tcp_t           *tcp;             /* or the connection */
    unsigned                 forwarded:1;
} ngx_rtc_path_t;


/* Where the datagrams of an address go. */
typedef struct {
    ngx_queue_t              queue;           /* in a bucket */
    ngx_queue_t              link;            /* session's or foreign list */
    ngx_rtc_path_t           path;
    ngx_rtc_session_t       *session;         /* NULL: to another worker */
    ngx_pid_t                owner;
    ngx_msec_t               seen;
} ngx_rtc_route_t;


struct ngx_rtc_session_s {
    ngx_queue_t              queue;           /* in a bucket */
    ngx_queue_t              routes;
    ngx_uint_t               nroutes;

    ngx_recording_publisher_info_t  info;
    cr_sdp_session_t         sdp;
    char                     ufrag[NGX_RTC_UFRAG_LEN + 1];
    char                     ufrag_before[NGX_RTC_UFRAG_LEN + 1];

    cr_peer_t               *peer;
    ngx_recording_publisher_t  *publisher;
    const ngx_rtc_path_t    *path;            /* of the current datagram */
    ngx_queue_t              wait;            /* on the wheel */
    ngx_queue_t              settle;          /* see _session_input() */
    int64_t                  due_us;          /* what it waits for */
    int64_t                  stats_us;        /* when the next are due */
    int64_t                  second_us;       /* the rate is measured from */
    size_t                   second_bytes;    /* of media since then */
    uint64_t                 policed;         /* packets over the rate */
    cr_peer_reason_e         reason;
    uint32_t                 keyframes;       /* wanted, by track */
    uint32_t                 keyframes_soon;  /* of them */

    unsigned                 waiting:1;
    unsigned                 unsettled:1;
    unsigned                 busy:1;          /* within the peer's code */
    unsigned                 refused:1;       /* the engine has no place */
    unsigned                 closed:1;
    unsigned                 forgotten:1;     /* by the directory */
    unsigned                 tcp:1;           /* what media came over */
    unsigned                 tcp_said:1;      /* the log knows */
};


struct ngx_rtc_worker_s {
    cr_dtls_cert_t          *cert;
    ngx_rtc_listener_t       listeners[NGX_RTC_LISTEN_MAX];
    ngx_uint_t               nlisteners;

    ngx_queue_t              sessions[NGX_RTC_SESSION_BUCKETS];
    ngx_uint_t               nsessions;
    ngx_queue_t              unsettled;       /* had input in this turn */
    ngx_event_t              settle;

    ngx_queue_t              routes[NGX_RTC_ROUTE_BUCKETS];
    ngx_queue_t              foreign;         /* least recently used last */
    ngx_uint_t               nforeign;

    ngx_queue_t              tcp_pending;     /* oldest first */
    ngx_uint_t               ntcp_pending;

    /* lookups for strangers, per second */
    time_t                   lookup_second;
    ngx_uint_t               lookups;

    /* datagrams on their way to another worker */
    ngx_pid_t                forward_to;
    size_t                   forward_len;
    u_char                   forward[NGX_CALLREC_PACKET_MAX];

    /* ngx_rtc_tick.c */
    ngx_connection_t        *ticker;
    ngx_event_t              hold;
    int64_t                  tick;            /* the last that was run */
    int64_t                  tick_armed;      /* not when polling */
    ngx_uint_t               woken;           /* by datagrams, since: */
    int64_t                  woken_us;
    ngx_uint_t               polls;
    ngx_uint_t               polls_empty;
    ngx_uint_t               datagrams;       /* read meanwhile */
    int64_t                  poll_us;         /* interval */
    size_t                   room;            /* of the smallest socket */
    ngx_queue_t              wheel[NGX_RTC_TICK_SLOTS];
    unsigned                 polling:1;

    ngx_event_t              sweep;
    unsigned                 draining:1;      /* superseded, see _exit() */
    unsigned                 quitting:1;

    /* bytes that begin with a word: of bytes they would follow the bits */
    uint32_t                 buffers[NGX_RTC_BATCH][NGX_RTC_DATAGRAM_MAX / 4];
};


static ngx_inline ngx_rtc_conf_t *
ngx_rtc_conf(void)
{
    return (ngx_rtc_conf_t *) ngx_get_conf(ngx_cycle->conf_ctx,
                                           ngx_rtc_module);
}


/* ngx_rtc_directory.c; all lock the zone for themselves */

void ngx_rtc_dir_init(ngx_rtc_sh_t *sh);
/* NGX_OK, NGX_BUSY with *why (a limit), NGX_ERROR (a ufrag or id taken) */
ngx_int_t ngx_rtc_dir_add(ngx_rtc_conf_t *rcf, const ngx_rtc_record_t *rec,
    const char **why);
ngx_int_t ngx_rtc_dir_get(ngx_rtc_conf_t *rcf, const char *id,
    ngx_rtc_record_t *rec);
ngx_int_t ngx_rtc_dir_credentials(ngx_rtc_conf_t *rcf, const u_char *ufrag,
    size_t len, ngx_rtc_credentials_t *cred);
/* Makes this process the owner; NGX_DECLINED: another one is, or gone. */
ngx_int_t ngx_rtc_dir_adopt(ngx_rtc_conf_t *rcf, const char *id,
    ngx_rtc_record_t *rec);
/* Its handshake is over. */
void ngx_rtc_dir_connected(ngx_rtc_conf_t *rcf, const char *id);
/* Takes ufrag, pwd and sdp.remote_*; fills all of *rec. */
ngx_int_t ngx_rtc_dir_restart(ngx_rtc_conf_t *rcf, const char *id,
    ngx_rtc_record_t *rec);
/* owner: only if it is his, 0: anyone's; fills *rec if it is not NULL. */
ngx_int_t ngx_rtc_dir_remove(ngx_rtc_conf_t *rcf, const char *id,
    ngx_pid_t owner, ngx_pid_t *was);
/* NGX_OK: the call's session ended a moment ago, not by DELETE. */
ngx_int_t ngx_rtc_dir_ended(ngx_rtc_conf_t *rcf, const char *call_id,
    const char *id);
void ngx_rtc_dir_path(ngx_rtc_conf_t *rcf, const char *id,
    const cr_addr_t *remote);
ngx_pid_t ngx_rtc_dir_path_owner(ngx_rtc_conf_t *rcf,
    const cr_addr_t *remote);
/* Drops what was never adopted and what belonged to the dead. */
void ngx_rtc_dir_sweep(ngx_rtc_conf_t *rcf, ngx_log_t *log);


/* ngx_rtc_addr.c */

/* Another family than IPv4 and IPv6: addr->family is 0. */
void ngx_rtc_addr_from(cr_addr_t *addr, const struct sockaddr *sa);
socklen_t ngx_rtc_addr_to(const cr_addr_t *addr, ngx_sockaddr_t *sa);


/* ngx_rtc_udp.c */

char *ngx_rtc_udp_listen(ngx_conf_t *cf, ngx_rtc_conf_t *rcf,
    ngx_addr_t *addr);
/* Of TCP, unless more is said. */
ngx_listening_t *ngx_rtc_listening(ngx_conf_t *cf, struct sockaddr *sockaddr,
    socklen_t socklen, ngx_connection_handler_pt handler);
void ngx_rtc_udp_tune(ngx_rtc_conf_t *rcf, ngx_cycle_t *cycle);
ngx_int_t ngx_rtc_udp_init(ngx_rtc_conf_t *rcf, ngx_cycle_t *cycle);
/* Goes on reading the sockets that no newer worker reads. */
void ngx_rtc_udp_drain(ngx_rtc_conf_t *rcf, ngx_log_t *log);
/* Whether datagrams are waited for, or will be polled. */
void ngx_rtc_udp_watch(ngx_rtc_worker_t *w, ngx_uint_t on);
/* Bytes that the kernel keeps for the socket that has least. */
size_t ngx_rtc_udp_room(ngx_rtc_worker_t *w);
/* Reads what there is; NGX_DECLINED: nothing, NGX_AGAIN: there is more. */
ngx_int_t ngx_rtc_udp_poll(ngx_rtc_conf_t *rcf);
/* Reads what is left in those, right before they are closed. */
void ngx_rtc_udp_empty(ngx_rtc_conf_t *rcf, ngx_log_t *log);
void ngx_rtc_udp_done(ngx_rtc_worker_t *w);
void ngx_rtc_udp_send(const ngx_rtc_path_t *path, const cr_addr_t *to,
    const uint8_t *data, size_t len, ngx_log_t *log);
ngx_rtc_listener_t *ngx_rtc_udp_listener(ngx_rtc_worker_t *w,
    const cr_addr_t *local);


/* ngx_rtc_tcp*.c */

/* When the whole configuration was read: http's listening sockets count. */
char *ngx_rtc_tcp_listen(ngx_conf_t *cf, ngx_rtc_conf_t *rcf);
/* The connection is closed later, if it cannot be sent to. */
void ngx_rtc_tcp_send(ngx_rtc_tcp_t *tcp, const uint8_t *data, size_t len);
void ngx_rtc_tcp_message(ngx_pid_t from, ngx_socket_t fd, u_char *data,
    size_t len);
/* The session's route by it; NULL: there is none any more, it is closed. */
void ngx_rtc_tcp_routed(ngx_rtc_tcp_t *tcp, ngx_rtc_route_t *route);
/* Closes those that have proven nothing; sessions have the others. */
void ngx_rtc_tcp_done(ngx_rtc_worker_t *w);


/* ngx_rtc_route.c */

void ngx_rtc_route_init(ngx_rtc_worker_t *w);
void ngx_rtc_route_done(ngx_rtc_worker_t *w);
void ngx_rtc_route_datagram(ngx_rtc_conf_t *rcf, const ngx_rtc_path_t *path,
    u_char *data, size_t len, int64_t now_us);
void ngx_rtc_route_message(ngx_pid_t from, u_char *data, size_t len);
void ngx_rtc_route_flush(ngx_rtc_worker_t *w);
/* NGX_OK: a request of a session, rightly signed; fills *cred. */
ngx_int_t ngx_rtc_route_check(ngx_rtc_conf_t *rcf, const u_char *data,
    size_t len, ngx_rtc_credentials_t *cred);
/* NULL: another worker was faster, or no memory. */
ngx_rtc_session_t *ngx_rtc_route_adopt(ngx_rtc_conf_t *rcf, const char *id);
/* The address is proven to be the session's. */
void ngx_rtc_route_learn(ngx_rtc_conf_t *rcf, ngx_rtc_session_t *s,
    const ngx_rtc_path_t *path);
const ngx_rtc_path_t *ngx_rtc_route_path(ngx_rtc_session_t *s,
    const cr_addr_t *remote);
void ngx_rtc_route_forget(ngx_rtc_worker_t *w, ngx_rtc_session_t *s);
/* Closes its connection, too. */
void ngx_rtc_route_drop(ngx_rtc_worker_t *w, ngx_rtc_route_t *route);


/* ngx_rtc_tick.c */

ngx_int_t ngx_rtc_tick_init(ngx_rtc_worker_t *w, ngx_cycle_t *cycle);
void ngx_rtc_tick_done(ngx_rtc_worker_t *w);
/* ngx_rtc_session_due() will be called, perhaps sooner; once only. */
void ngx_rtc_tick_add(ngx_rtc_worker_t *w, ngx_rtc_session_t *s,
    int64_t deadline_us);
void ngx_rtc_tick_remove(ngx_rtc_worker_t *w, ngx_rtc_session_t *s);
/* Datagrams have woken the worker. */
void ngx_rtc_tick_woken(ngx_rtc_worker_t *w);


/* ngx_rtc_session.c */

void ngx_rtc_session_init(ngx_rtc_worker_t *w);
ngx_rtc_session_t *ngx_rtc_session_open(ngx_rtc_conf_t *rcf,
    const ngx_rtc_record_t *rec);
ngx_rtc_session_t *ngx_rtc_session_by_id(ngx_rtc_worker_t *w,
    const char *id);
/* The session may be gone afterwards. */
void ngx_rtc_session_input(ngx_rtc_conf_t *rcf, ngx_rtc_session_t *s,
    const ngx_rtc_path_t *path, u_char *data, size_t len, int64_t now_us);
void ngx_rtc_session_due(ngx_rtc_session_t *s, int64_t now_us);
void ngx_rtc_session_restarted(ngx_rtc_session_t *s,
    const ngx_rtc_record_t *rec);
void ngx_rtc_session_end(ngx_rtc_conf_t *rcf, ngx_rtc_session_t *s);
void ngx_rtc_session_end_all(ngx_rtc_conf_t *rcf);
/* Does what a lost message of the kinds below has said. */
void ngx_rtc_session_sweep(ngx_rtc_conf_t *rcf);
void ngx_rtc_session_message(ngx_pid_t from, u_char *data, size_t len);
ngx_int_t ngx_rtc_session_tell(ngx_pid_t owner, ngx_uint_t op,
    const ngx_rtc_record_t *rec, ngx_log_t *log);

#define NGX_RTC_TELL_CLOSE    1
#define NGX_RTC_TELL_RESTART  2


#endif /* _NGX_RTC_MODULE_H_INCLUDED_ */
