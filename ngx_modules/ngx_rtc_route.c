
/*
 * Copyright (C) The call recorder authors
 *
 * Which session a datagram belongs to.
 *
 *     known address, not a STUN request     its session, or its worker
 *     STUN request                          by the ufrag in its USERNAME:
 *         of a session of this worker       that session
 *         of nobody's, integrity right      adopted: ours from now on
 *         of another worker's, right        forwarded, the address is noted
 *     anything else                         by its address in the directory,
 *                                           forwarded; or silence
 *
 * A datagram is forwarded once only.
 */


#include "ngx_rtc_module.h"

#include "stun/stun.h"


/* a second's lookups in the directory on behalf of strangers */
#define NGX_RTC_LOOKUPS_MAX   20000
/* how long a route to another worker is believed */
#define NGX_RTC_FOREIGN_MSEC  1000


/* In front of each datagram of a forwarded batch. */
typedef struct {
    uint16_t   len;
    cr_addr_t  remote;
    cr_addr_t  local;
} ngx_rtc_forward_t;


static void ngx_rtc_route_request(ngx_rtc_conf_t *rcf,
    const ngx_rtc_path_t *path, ngx_rtc_route_t *route,
    const cr_stun_msg_t *stun, u_char *data, size_t len, int64_t now_us);
static ngx_int_t ngx_rtc_route_verify(ngx_rtc_conf_t *rcf,
    const cr_stun_msg_t *stun, const cr_slice_t *ours,
    ngx_rtc_credentials_t *cred);
static void ngx_rtc_route_stranger(ngx_rtc_conf_t *rcf,
    const ngx_rtc_path_t *path, u_char *data, size_t len);
static ngx_uint_t ngx_rtc_route_may_look(ngx_rtc_worker_t *w);
static ngx_queue_t *ngx_rtc_route_bucket(ngx_rtc_worker_t *w,
    const cr_addr_t *remote);
static ngx_rtc_route_t *ngx_rtc_route_find(ngx_rtc_worker_t *w,
    const cr_addr_t *remote);
static ngx_uint_t ngx_rtc_route_foreign_valid(ngx_rtc_conf_t *rcf,
    ngx_rtc_route_t *route);
static void ngx_rtc_route_foreign(ngx_rtc_worker_t *w,
    const ngx_rtc_path_t *path, ngx_pid_t owner);
static void ngx_rtc_route_set(ngx_rtc_route_t *route,
    const ngx_rtc_path_t *path);
static void ngx_rtc_route_forward(ngx_rtc_worker_t *w, ngx_pid_t to,
    const ngx_rtc_path_t *path, const u_char *data, size_t len);


void
ngx_rtc_route_init(ngx_rtc_worker_t *w)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_RTC_ROUTE_BUCKETS; i++) {
        ngx_queue_init(&w->routes[i]);
    }

    ngx_queue_init(&w->foreign);
}


void
ngx_rtc_route_done(ngx_rtc_worker_t *w)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(&w->foreign)) {
        q = ngx_queue_head(&w->foreign);
        ngx_rtc_route_drop(w, ngx_queue_data(q, ngx_rtc_route_t, link));
    }
}


void
ngx_rtc_route_datagram(ngx_rtc_conf_t *rcf, const ngx_rtc_path_t *path,
    u_char *data, size_t len, int64_t now_us)
{
    cr_stun_msg_t      stun;
    ngx_rtc_route_t   *route;
    ngx_rtc_worker_t  *w;

    w = rcf->worker;
    route = ngx_rtc_route_find(w, &path->remote);

    if (cr_stun_is_stun(data, len)) {

        if (cr_stun_parse(data, len, &stun) != CR_OK) {
            return;
        }

        if (stun.type == CR_STUN_BINDING_REQUEST) {
            ngx_rtc_route_request(rcf, path, route, &stun, data, len,
                                  now_us);
            return;
        }
    }

    if (route == NULL) {
        ngx_rtc_route_stranger(rcf, path, data, len);
        return;
    }

    if (route->session != NULL) {
        route->seen = ngx_current_msec;
        ngx_rtc_session_input(rcf, route->session, path, data, len, now_us);
        return;
    }

    if (!path->forwarded && ngx_rtc_route_foreign_valid(rcf, route)) {
        ngx_rtc_route_forward(w, route->owner, path, data, len);
    }
}


void
ngx_rtc_route_message(ngx_pid_t from, u_char *data, size_t len)
{
    u_char             *p, *last;
    int64_t             now_us;
    ngx_rtc_conf_t     *rcf;
    ngx_rtc_path_t      path;
    ngx_rtc_forward_t   fwd;

    rcf = ngx_rtc_conf();
    now_us = ngx_callrec_now_us();

    path.tcp = NULL;
    path.forwarded = 1;

    p = data;
    last = data + len;

    while ((size_t) (last - p) >= sizeof(ngx_rtc_forward_t)) {
        ngx_memcpy(&fwd, p, sizeof(ngx_rtc_forward_t));
        p += sizeof(ngx_rtc_forward_t);

        if (fwd.len > last - p) {
            break;
        }

        path.remote = fwd.remote;
        path.local = fwd.local;
        path.listener = ngx_rtc_udp_listener(rcf->worker, &fwd.local);

        if (path.listener != NULL) {
            ngx_rtc_route_datagram(rcf, &path, p, fwd.len, now_us);
        }

        p += fwd.len;
    }
}


void
ngx_rtc_route_flush(ngx_rtc_worker_t *w)
{
    if (w->forward_len == 0) {
        return;
    }

    (void) ngx_callrec_msg_send(w->forward_to, NGX_CALLREC_MSG_PACKET,
                                w->forward, w->forward_len, ngx_cycle->log);

    w->forward_len = 0;
}


void
ngx_rtc_route_learn(ngx_rtc_conf_t *rcf, ngx_rtc_session_t *s,
    const ngx_rtc_path_t *path)
{
    ngx_queue_t       *q;
    ngx_rtc_route_t   *route, *oldest;
    ngx_rtc_worker_t  *w;

    /* most datagrams come from where the last one came from */

    if (!ngx_queue_empty(&s->routes)) {
        route = ngx_queue_data(ngx_queue_head(&s->routes), ngx_rtc_route_t,
                               link);

        if (cr_addr_equal(&route->path.remote, &path->remote)) {
            ngx_rtc_route_set(route, path);
            return;
        }
    }

    w = rcf->worker;
    route = ngx_rtc_route_find(w, &path->remote);

    if (route != NULL && route->session == s) {
        ngx_rtc_route_set(route, path);
        ngx_queue_remove(&route->link);
        ngx_queue_insert_head(&s->routes, &route->link);
        return;
    }

    if (route != NULL) {

        /* the address was another session's, which it left */

        ngx_rtc_route_drop(w, route);
    }

    if (s->nroutes == NGX_RTC_PATHS_MAX) {
        oldest = NULL;

        for (q = ngx_queue_head(&s->routes);
             q != ngx_queue_sentinel(&s->routes);
             q = ngx_queue_next(q))
        {
            route = ngx_queue_data(q, ngx_rtc_route_t, link);

            if (oldest == NULL
                || (ngx_msec_int_t) (route->seen - oldest->seen) < 0)
            {
                oldest = route;
            }
        }

        ngx_rtc_route_drop(w, oldest);
    }

    route = ngx_calloc(sizeof(ngx_rtc_route_t), ngx_cycle->log);
    if (route == NULL) {
        return;
    }

    ngx_rtc_route_set(route, path);
    route->session = s;
    route->owner = ngx_pid;
    route->seen = ngx_current_msec;

    ngx_queue_insert_head(ngx_rtc_route_bucket(w, &path->remote),
                          &route->queue);
    ngx_queue_insert_head(&s->routes, &route->link);
    s->nroutes++;

    /* a connection is never looked for */

    if (path->tcp == NULL) {
        ngx_rtc_dir_path(rcf, s->info.session_id, &path->remote);
    }
}


static void
ngx_rtc_route_set(ngx_rtc_route_t *route, const ngx_rtc_path_t *path)
{
    ngx_rtc_tcp_t  *before;

    before = route->path.tcp;
    route->path = *path;

    if (before == path->tcp) {
        return;
    }

    if (before != NULL) {

        /* the publisher has connected again from the same port */

        ngx_rtc_tcp_routed(before, NULL);
    }

    ngx_rtc_tcp_routed(path->tcp, route);
}


const ngx_rtc_path_t *
ngx_rtc_route_path(ngx_rtc_session_t *s, const cr_addr_t *remote)
{
    ngx_queue_t      *q;
    ngx_rtc_route_t  *route;

    for (q = ngx_queue_head(&s->routes);
         q != ngx_queue_sentinel(&s->routes);
         q = ngx_queue_next(q))
    {
        route = ngx_queue_data(q, ngx_rtc_route_t, link);

        if (cr_addr_equal(&route->path.remote, remote)) {
            return &route->path;
        }
    }

    return NULL;
}


void
ngx_rtc_route_forget(ngx_rtc_worker_t *w, ngx_rtc_session_t *s)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(&s->routes)) {
        q = ngx_queue_head(&s->routes);
        ngx_rtc_route_drop(w, ngx_queue_data(q, ngx_rtc_route_t, link));
    }
}


static void
ngx_rtc_route_request(ngx_rtc_conf_t *rcf, const ngx_rtc_path_t *path,
    ngx_rtc_route_t *route, const cr_stun_msg_t *stun, u_char *data,
    size_t len, int64_t now_us)
{
    ngx_pid_t               to;
    cr_slice_t              ours, theirs;
    ngx_rtc_worker_t       *w;
    ngx_rtc_session_t      *s;
    ngx_rtc_credentials_t   cred;

    w = rcf->worker;

    if (cr_stun_username(stun, &ours, &theirs) != CR_OK) {
        return;
    }

    if (route != NULL && route->session != NULL
        && ours.len == NGX_RTC_UFRAG_LEN)
    {
        s = route->session;

        if (ngx_memcmp(ours.data, s->ufrag, ours.len) == 0
            || ngx_memcmp(ours.data, s->ufrag_before, ours.len) == 0)
        {
            route->seen = ngx_current_msec;
            ngx_rtc_session_input(rcf, s, path, data, len, now_us);
            return;
        }
    }

    if (ngx_rtc_route_verify(rcf, stun, &ours, &cred) != NGX_OK) {
        return;
    }

    if (cred.owner == ngx_pid) {
        s = ngx_rtc_session_by_id(w, cred.id);

        if (s != NULL) {
            ngx_rtc_session_input(rcf, s, path, data, len, now_us);
        }

        return;
    }

    if (path->forwarded && cred.owner != 0) {
        return;
    }

    if (cred.owner == 0) {

        /* an ICE restart came before the first datagram: the client knows */

        if (cred.previous || w->quitting) {
            return;
        }

        if (!w->draining || path->forwarded) {

            /* or another worker was faster: the client asks again */

            s = ngx_rtc_route_adopt(rcf, cred.id);

            if (s != NULL) {
                ngx_rtc_session_input(rcf, s, path, data, len, now_us);
            }

            return;
        }

        /* this worker leaves soon, the session is for one that stays */

        to = ngx_callrec_worker_current();

        if (to != -1) {
            ngx_rtc_route_forward(w, to, path, data, len);
        }

        return;
    }

    ngx_rtc_route_foreign(w, path, cred.owner);
    ngx_rtc_route_forward(w, cred.owner, path, data, len);
}


static ngx_int_t
ngx_rtc_route_verify(ngx_rtc_conf_t *rcf, const cr_stun_msg_t *stun,
    const cr_slice_t *ours, ngx_rtc_credentials_t *cred)
{
    if (!ngx_rtc_route_may_look(rcf->worker)
        || ngx_rtc_dir_credentials(rcf, ours->data, ours->len, cred)
           != NGX_OK
        || cr_stun_verify(stun, cred->pwd, NGX_RTC_PWD_LEN) != CR_OK)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_int_t
ngx_rtc_route_check(ngx_rtc_conf_t *rcf, const u_char *data, size_t len,
    ngx_rtc_credentials_t *cred)
{
    cr_slice_t     ours, theirs;
    cr_stun_msg_t  stun;

    if (!cr_stun_is_stun(data, len)
        || cr_stun_parse(data, len, &stun) != CR_OK
        || stun.type != CR_STUN_BINDING_REQUEST
        || cr_stun_username(&stun, &ours, &theirs) != CR_OK)
    {
        return NGX_DECLINED;
    }

    return ngx_rtc_route_verify(rcf, &stun, &ours, cred);
}


ngx_rtc_session_t *
ngx_rtc_route_adopt(ngx_rtc_conf_t *rcf, const char *id)
{
    ngx_rtc_record_t    rec;
    ngx_rtc_session_t  *s;

    if (ngx_rtc_dir_adopt(rcf, id, &rec) != NGX_OK) {
        return NULL;
    }

    s = ngx_rtc_session_open(rcf, &rec);

    if (s == NULL) {
        (void) ngx_rtc_dir_remove(rcf, id, ngx_pid, NULL);
    }

    return s;
}


/* Media or DTLS from an address that this worker does not know. */

static void
ngx_rtc_route_stranger(ngx_rtc_conf_t *rcf, const ngx_rtc_path_t *path,
    u_char *data, size_t len)
{
    ngx_pid_t          owner;
    ngx_rtc_worker_t  *w;

    w = rcf->worker;

    if (path->forwarded || !ngx_rtc_route_may_look(w)) {
        return;
    }

    owner = ngx_rtc_dir_path_owner(rcf, &path->remote);

    if (owner == 0 || owner == ngx_pid) {
        return;
    }

    ngx_rtc_route_foreign(w, path, owner);
    ngx_rtc_route_forward(w, owner, path, data, len);
}


static ngx_uint_t
ngx_rtc_route_may_look(ngx_rtc_worker_t *w)
{
    if (w->lookup_second != ngx_time()) {
        w->lookup_second = ngx_time();
        w->lookups = 0;
    }

    return w->lookups++ < NGX_RTC_LOOKUPS_MAX;
}


static ngx_queue_t *
ngx_rtc_route_bucket(ngx_rtc_worker_t *w, const cr_addr_t *remote)
{
    u_char  key[18];
    size_t  len;

    len = remote->family == 4 ? 4 : 16;

    ngx_memcpy(key, remote->ip, len);
    key[len++] = (u_char) (remote->port >> 8);
    key[len++] = (u_char) remote->port;

    return &w->routes[ngx_murmur_hash2(key, len) % NGX_RTC_ROUTE_BUCKETS];
}


static ngx_rtc_route_t *
ngx_rtc_route_find(ngx_rtc_worker_t *w, const cr_addr_t *remote)
{
    ngx_queue_t      *q, *bucket;
    ngx_rtc_route_t  *route;

    bucket = ngx_rtc_route_bucket(w, remote);

    for (q = ngx_queue_head(bucket);
         q != ngx_queue_sentinel(bucket);
         q = ngx_queue_next(q))
    {
        route = ngx_queue_data(q, ngx_rtc_route_t, queue);

        if (cr_addr_equal(&route->path.remote, remote)) {
            return route;
        }
    }

    return NULL;
}


/* Asks the directory again once a second; a route that is wrong is freed. */

static ngx_uint_t
ngx_rtc_route_foreign_valid(ngx_rtc_conf_t *rcf, ngx_rtc_route_t *route)
{
    ngx_pid_t          owner;
    ngx_rtc_worker_t  *w;

    if (ngx_current_msec - route->seen < NGX_RTC_FOREIGN_MSEC) {
        return 1;
    }

    w = rcf->worker;
    owner = ngx_rtc_dir_path_owner(rcf, &route->path.remote);

    if (owner == 0 || owner == ngx_pid) {
        ngx_rtc_route_drop(w, route);
        return 0;
    }

    route->owner = owner;
    route->seen = ngx_current_msec;

    ngx_queue_remove(&route->link);
    ngx_queue_insert_head(&w->foreign, &route->link);

    return 1;
}


static void
ngx_rtc_route_foreign(ngx_rtc_worker_t *w, const ngx_rtc_path_t *path,
    ngx_pid_t owner)
{
    ngx_queue_t      *q;
    ngx_rtc_route_t  *route;

    route = ngx_rtc_route_find(w, &path->remote);

    if (route != NULL) {
        if (route->session == NULL) {
            route->owner = owner;
            route->seen = ngx_current_msec;
            return;
        }

        ngx_rtc_route_drop(w, route);
    }

    if (w->nforeign == NGX_RTC_FOREIGN_MAX) {
        q = ngx_queue_last(&w->foreign);
        ngx_rtc_route_drop(w, ngx_queue_data(q, ngx_rtc_route_t, link));
    }

    route = ngx_calloc(sizeof(ngx_rtc_route_t), ngx_cycle->log);
    if (route == NULL) {
        return;
    }

    route->path = *path;
    route->owner = owner;
    route->seen = ngx_current_msec;

    ngx_queue_insert_head(ngx_rtc_route_bucket(w, &path->remote),
                          &route->queue);
    ngx_queue_insert_head(&w->foreign, &route->link);
    w->nforeign++;
}


void
ngx_rtc_route_drop(ngx_rtc_worker_t *w, ngx_rtc_route_t *route)
{
    if (route->path.tcp != NULL) {
        ngx_rtc_tcp_routed(route->path.tcp, NULL);
    }

    ngx_queue_remove(&route->queue);
    ngx_queue_remove(&route->link);

    if (route->session != NULL) {
        route->session->nroutes--;

    } else {
        w->nforeign--;
    }

    ngx_free(route);
}


static void
ngx_rtc_route_forward(ngx_rtc_worker_t *w, ngx_pid_t to,
    const ngx_rtc_path_t *path, const u_char *data, size_t len)
{
    u_char             *p;
    ngx_rtc_forward_t   fwd;

    if (w->forward_len != 0
        && (w->forward_to != to
            || sizeof(w->forward) - w->forward_len < sizeof(fwd) + len))
    {
        ngx_rtc_route_flush(w);
    }

    ngx_memzero(&fwd, sizeof(ngx_rtc_forward_t));

    fwd.len = (uint16_t) len;
    fwd.remote = path->remote;
    fwd.local = path->local;

    p = w->forward + w->forward_len;
    p = ngx_cpymem(p, &fwd, sizeof(ngx_rtc_forward_t));
    (void) ngx_cpymem(p, data, len);

    w->forward_to = to;
    w->forward_len += sizeof(ngx_rtc_forward_t) + len;
}
