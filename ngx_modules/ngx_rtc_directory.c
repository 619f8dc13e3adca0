
/*
 * Copyright (C) The call recorder authors
 *
 * The directory of sessions in shared memory: made by the worker that
 * answers an offer, adopted by the worker that gets the first datagram.
 */


#include "ngx_rtc_module.h"


typedef struct {
    ngx_queue_t              queue;
    ngx_rtc_dir_entry_t     *entry;       /* NULL: not in use */
    char                     ufrag[NGX_RTC_UFRAG_LEN + 1];
    char                     pwd[NGX_RTC_PWD_LEN + 1];
} ngx_rtc_dir_ice_t;


typedef struct {
    ngx_queue_t              queue;
    ngx_rtc_dir_entry_t     *entry;       /* NULL: not in use */
    cr_addr_t                addr;
} ngx_rtc_dir_path_t;


struct ngx_rtc_dir_entry_s {
    ngx_queue_t              state;       /* pending or adopted */
    ngx_queue_t              id;
    ngx_queue_t              call;
    ngx_queue_t              client;

    /* the current ICE session is ice[ice_now], the other the one before */
    ngx_rtc_dir_ice_t        ice[2];
    ngx_uint_t               ice_now;
    ngx_uint_t               etag;

    ngx_rtc_dir_path_t       paths[NGX_RTC_PATHS_MAX];
    ngx_uint_t               path_next;

    ngx_recording_publisher_info_t  info;
    cr_addr_t                client_addr;
    ngx_pid_t                owner;
    int64_t                  created_us;
    ngx_uint_t               connected;

    size_t                   sdp_size;    /* of a shortened cr_sdp_session_t */
    u_char                  *sdp;
};


static ngx_queue_t *ngx_rtc_dir_bucket(ngx_queue_t *map, const void *key,
    size_t len);
static ngx_queue_t *ngx_rtc_dir_addr_bucket(ngx_queue_t *map,
    const cr_addr_t *addr, ngx_uint_t port);
static ngx_rtc_dir_entry_t *ngx_rtc_dir_find(ngx_rtc_sh_t *sh,
    const char *id);
static ngx_rtc_dir_ice_t *ngx_rtc_dir_find_ufrag(ngx_rtc_sh_t *sh,
    const u_char *ufrag, size_t len);
static const char *ngx_rtc_dir_limit(ngx_rtc_conf_t *rcf,
    const ngx_rtc_record_t *rec);
static void ngx_rtc_dir_copy(const ngx_rtc_dir_entry_t *e,
    ngx_rtc_record_t *rec);
static void ngx_rtc_dir_ice_set(ngx_rtc_sh_t *sh, ngx_rtc_dir_entry_t *e,
    ngx_uint_t i, const ngx_rtc_record_t *rec);
static void ngx_rtc_dir_remember(ngx_rtc_sh_t *sh,
    const ngx_rtc_dir_entry_t *e);
static void ngx_rtc_dir_free(ngx_rtc_conf_t *rcf, ngx_rtc_dir_entry_t *e);


void
ngx_rtc_dir_init(ngx_rtc_sh_t *sh)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_RTC_DIR_BUCKETS; i++) {
        ngx_queue_init(&sh->by_id[i]);
        ngx_queue_init(&sh->by_ufrag[i]);
        ngx_queue_init(&sh->by_path[i]);
        ngx_queue_init(&sh->by_call[i]);
        ngx_queue_init(&sh->by_client[i]);
    }

    ngx_queue_init(&sh->pending);
    ngx_queue_init(&sh->adopted);
}


ngx_int_t
ngx_rtc_dir_add(ngx_rtc_conf_t *rcf, const ngx_rtc_record_t *rec,
    const char **why)
{
    size_t                size;
    ngx_int_t             rc;
    ngx_rtc_sh_t         *sh;
    ngx_rtc_dir_entry_t  *e;

    sh = rcf->sh;
    rc = NGX_BUSY;

    ngx_shmtx_lock(&rcf->shpool->mutex);

    *why = ngx_rtc_dir_limit(rcf, rec);

    if (*why != NULL) {
        goto done;
    }

    if (ngx_rtc_dir_find(sh, rec->info.session_id) != NULL
        || ngx_rtc_dir_find_ufrag(sh, (u_char *) rec->ufrag,
                                  NGX_RTC_UFRAG_LEN) != NULL)
    {
        rc = NGX_ERROR;
        goto done;
    }

    *why = "the zone of the rtc block is full";

    e = ngx_slab_calloc_locked(rcf->shpool, sizeof(ngx_rtc_dir_entry_t));
    if (e == NULL) {
        goto done;
    }

    size = offsetof(cr_sdp_session_t, media)
           + rec->sdp.nmedia * sizeof(cr_media_params_t);

    e->sdp = ngx_slab_alloc_locked(rcf->shpool, size);
    if (e->sdp == NULL) {
        ngx_slab_free_locked(rcf->shpool, e);
        goto done;
    }

    ngx_memcpy(e->sdp, &rec->sdp, size);

    e->sdp_size = size;
    e->info = rec->info;
    e->client_addr = rec->client;
    e->created_us = rec->created_us;
    e->etag = 1;

    ngx_rtc_dir_ice_set(sh, e, 0, rec);

    ngx_queue_insert_tail(&sh->pending, &e->state);
    ngx_queue_insert_head(ngx_rtc_dir_bucket(sh->by_id, e->info.session_id,
                                           ngx_strlen(e->info.session_id)),
                          &e->id);
    ngx_queue_insert_head(ngx_rtc_dir_bucket(sh->by_call, e->info.call_id,
                                             ngx_strlen(e->info.call_id)),
                          &e->call);
    ngx_queue_insert_head(ngx_rtc_dir_addr_bucket(sh->by_client,
                                                  &e->client_addr, 0),
                          &e->client);

    sh->nentries++;
    sh->nhandshakes++;
    rc = NGX_OK;

done:

    ngx_shmtx_unlock(&rcf->shpool->mutex);

    return rc;
}


ngx_int_t
ngx_rtc_dir_get(ngx_rtc_conf_t *rcf, const char *id, ngx_rtc_record_t *rec)
{
    ngx_int_t             rc;
    ngx_rtc_dir_entry_t  *e;

    rc = NGX_DECLINED;

    ngx_shmtx_lock(&rcf->shpool->mutex);

    e = ngx_rtc_dir_find(rcf->sh, id);

    if (e != NULL) {
        ngx_rtc_dir_copy(e, rec);
        rc = NGX_OK;
    }

    ngx_shmtx_unlock(&rcf->shpool->mutex);

    return rc;
}


ngx_int_t
ngx_rtc_dir_credentials(ngx_rtc_conf_t *rcf, const u_char *ufrag, size_t len,
    ngx_rtc_credentials_t *cred)
{
    ngx_int_t           rc;
    ngx_rtc_dir_ice_t  *ice;

    rc = NGX_DECLINED;

    ngx_shmtx_lock(&rcf->shpool->mutex);

    ice = ngx_rtc_dir_find_ufrag(rcf->sh, ufrag, len);

    if (ice != NULL) {
        ngx_memcpy(cred->id, ice->entry->info.session_id, sizeof(cred->id));
        ngx_memcpy(cred->pwd, ice->pwd, sizeof(cred->pwd));
        cred->owner = ice->entry->owner;
        cred->previous = (ice != &ice->entry->ice[ice->entry->ice_now]);
        rc = NGX_OK;
    }

    ngx_shmtx_unlock(&rcf->shpool->mutex);

    return rc;
}


ngx_int_t
ngx_rtc_dir_adopt(ngx_rtc_conf_t *rcf, const char *id, ngx_rtc_record_t *rec)
{
    ngx_int_t             rc;
    ngx_rtc_dir_entry_t  *e;

    rc = NGX_DECLINED;

    ngx_shmtx_lock(&rcf->shpool->mutex);

    e = ngx_rtc_dir_find(rcf->sh, id);

    if (e != NULL && e->owner == 0) {
        e->owner = ngx_pid;

        ngx_queue_remove(&e->state);
        ngx_queue_insert_tail(&rcf->sh->adopted, &e->state);

        ngx_rtc_dir_copy(e, rec);
        rc = NGX_OK;
    }

    ngx_shmtx_unlock(&rcf->shpool->mutex);

    return rc;
}


void
ngx_rtc_dir_connected(ngx_rtc_conf_t *rcf, const char *id)
{
    ngx_rtc_dir_entry_t  *e;

    ngx_shmtx_lock(&rcf->shpool->mutex);

    e = ngx_rtc_dir_find(rcf->sh, id);

    if (e != NULL && !e->connected) {
        e->connected = 1;
        rcf->sh->nhandshakes--;
    }

    ngx_shmtx_unlock(&rcf->shpool->mutex);
}


ngx_int_t
ngx_rtc_dir_restart(ngx_rtc_conf_t *rcf, const char *id,
    ngx_rtc_record_t *rec)
{
    ngx_int_t             rc;
    cr_sdp_session_t     *sdp;
    ngx_rtc_dir_entry_t  *e;

    rc = NGX_DECLINED;

    ngx_shmtx_lock(&rcf->shpool->mutex);

    e = ngx_rtc_dir_find(rcf->sh, id);

    if (e == NULL) {
        goto done;
    }

    if (ngx_rtc_dir_find_ufrag(rcf->sh, (u_char *) rec->ufrag,
                               NGX_RTC_UFRAG_LEN) != NULL)
    {
        rc = NGX_ERROR;
        goto done;
    }

    sdp = (cr_sdp_session_t *) e->sdp;

    ngx_memcpy(sdp->remote_ufrag, rec->sdp.remote_ufrag,
               sizeof(sdp->remote_ufrag));
    ngx_memcpy(sdp->remote_pwd, rec->sdp.remote_pwd,
               sizeof(sdp->remote_pwd));

    ngx_rtc_dir_ice_set(rcf->sh, e, 1 - e->ice_now, rec);

    e->ice_now = 1 - e->ice_now;
    e->etag++;

    ngx_rtc_dir_copy(e, rec);
    rc = NGX_OK;

done:

    ngx_shmtx_unlock(&rcf->shpool->mutex);

    return rc;
}


ngx_int_t
ngx_rtc_dir_remove(ngx_rtc_conf_t *rcf, const char *id, ngx_pid_t owner,
    ngx_pid_t *was)
{
    ngx_int_t             rc;
    ngx_rtc_dir_entry_t  *e;

    rc = NGX_DECLINED;

    ngx_shmtx_lock(&rcf->shpool->mutex);

    e = ngx_rtc_dir_find(rcf->sh, id);

    if (e != NULL && (owner == 0 || owner == e->owner)) {
        if (was != NULL) {
            *was = e->owner;
        }

        if (owner != 0) {
            ngx_rtc_dir_remember(rcf->sh, e);
        }

        ngx_rtc_dir_free(rcf, e);
        rc = NGX_OK;
    }

    ngx_shmtx_unlock(&rcf->shpool->mutex);

    return rc;
}


ngx_int_t
ngx_rtc_dir_ended(ngx_rtc_conf_t *rcf, const char *call_id, const char *id)
{
    int64_t           oldest;
    uint32_t          call;
    ngx_int_t         rc;
    ngx_uint_t        i;
    ngx_rtc_ended_t  *ended;

    rc = NGX_DECLINED;
    call = ngx_murmur_hash2((u_char *) call_id, ngx_strlen(call_id));
    oldest = ngx_callrec_now_us() - NGX_RTC_ENDED_TIME;

    ngx_shmtx_lock(&rcf->shpool->mutex);

    for (i = 0; i < NGX_RTC_ENDED_MAX; i++) {
        ended = &rcf->sh->ended[i];

        if (ended->call == call && ended->ended_us > oldest
            && ngx_strcmp(ended->id, id) == 0)
        {
            rc = NGX_OK;
            break;
        }
    }

    ngx_shmtx_unlock(&rcf->shpool->mutex);

    return rc;
}


void
ngx_rtc_dir_path(ngx_rtc_conf_t *rcf, const char *id,
    const cr_addr_t *remote)
{
    ngx_uint_t            i;
    ngx_rtc_dir_path_t   *p;
    ngx_rtc_dir_entry_t  *e;

    ngx_shmtx_lock(&rcf->shpool->mutex);

    e = ngx_rtc_dir_find(rcf->sh, id);

    if (e == NULL || e->owner != ngx_pid) {
        goto done;
    }

    for (i = 0; i < NGX_RTC_PATHS_MAX; i++) {
        if (e->paths[i].entry != NULL
            && cr_addr_equal(&e->paths[i].addr, remote))
        {
            goto done;
        }
    }

    p = &e->paths[e->path_next];
    e->path_next = (e->path_next + 1) % NGX_RTC_PATHS_MAX;

    if (p->entry != NULL) {
        ngx_queue_remove(&p->queue);
    }

    p->entry = e;
    p->addr = *remote;

    /* in front of a session that had the address before */

    ngx_queue_insert_head(ngx_rtc_dir_addr_bucket(rcf->sh->by_path, remote,
                                                  1),
                          &p->queue);

done:

    ngx_shmtx_unlock(&rcf->shpool->mutex);
}


ngx_pid_t
ngx_rtc_dir_path_owner(ngx_rtc_conf_t *rcf, const cr_addr_t *remote)
{
    ngx_pid_t            owner;
    ngx_queue_t         *q, *bucket;
    ngx_rtc_dir_path_t  *p;

    owner = 0;

    ngx_shmtx_lock(&rcf->shpool->mutex);

    bucket = ngx_rtc_dir_addr_bucket(rcf->sh->by_path, remote, 1);

    for (q = ngx_queue_head(bucket);
         q != ngx_queue_sentinel(bucket);
         q = ngx_queue_next(q))
    {
        p = ngx_queue_data(q, ngx_rtc_dir_path_t, queue);

        if (cr_addr_equal(&p->addr, remote)) {
            owner = p->entry->owner;
            break;
        }
    }

    ngx_shmtx_unlock(&rcf->shpool->mutex);

    return owner;
}


void
ngx_rtc_dir_sweep(ngx_rtc_conf_t *rcf, ngx_log_t *log)
{
    int64_t               oldest;
    ngx_pid_t             alive;
    ngx_uint_t            expired, orphaned;
    ngx_queue_t          *q, *next;
    ngx_rtc_dir_entry_t  *e;

    expired = 0;
    orphaned = 0;
    alive = ngx_pid;
    oldest = ngx_callrec_now_us() - (int64_t) rcf->connect_timeout * 1000;

    ngx_shmtx_lock(&rcf->shpool->mutex);

    while (!ngx_queue_empty(&rcf->sh->pending)) {
        q = ngx_queue_head(&rcf->sh->pending);
        e = ngx_queue_data(q, ngx_rtc_dir_entry_t, state);

        if (e->created_us > oldest) {
            break;
        }

        ngx_rtc_dir_remember(rcf->sh, e);
        ngx_rtc_dir_free(rcf, e);
        expired++;
    }

    for (q = ngx_queue_head(&rcf->sh->adopted);
         q != ngx_queue_sentinel(&rcf->sh->adopted);
         q = next)
    {
        next = ngx_queue_next(q);
        e = ngx_queue_data(q, ngx_rtc_dir_entry_t, state);

        if (e->owner == alive || e->owner == ngx_pid) {
            continue;
        }

        if (kill(e->owner, 0) == -1 && ngx_errno == NGX_ESRCH) {
            ngx_rtc_dir_remember(rcf->sh, e);
            ngx_rtc_dir_free(rcf, e);
            orphaned++;
            continue;
        }

        alive = e->owner;
    }

    ngx_shmtx_unlock(&rcf->shpool->mutex);

    if (expired != 0) {
        ngx_log_error(NGX_LOG_INFO, log, 0,
                      "%ui rtc sessions expired before the first datagram",
                      expired);
    }

    if (orphaned != 0) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "%ui rtc sessions ended with their worker", orphaned);
    }
}


static ngx_queue_t *
ngx_rtc_dir_bucket(ngx_queue_t *map, const void *key, size_t len)
{
    return &map[ngx_murmur_hash2((u_char *) key, len) % NGX_RTC_DIR_BUCKETS];
}


static ngx_queue_t *
ngx_rtc_dir_addr_bucket(ngx_queue_t *map, const cr_addr_t *addr,
    ngx_uint_t port)
{
    u_char  key[18];
    size_t  len;

    len = addr->family == 4 ? 4 : 16;

    ngx_memcpy(key, addr->ip, len);

    if (port) {
        key[len++] = (u_char) (addr->port >> 8);
        key[len++] = (u_char) addr->port;
    }

    return ngx_rtc_dir_bucket(map, key, len);
}


static ngx_rtc_dir_entry_t *
ngx_rtc_dir_find(ngx_rtc_sh_t *sh, const char *id)
{
    ngx_queue_t          *q, *bucket;
    ngx_rtc_dir_entry_t  *e;

    bucket = ngx_rtc_dir_bucket(sh->by_id, id, ngx_strlen(id));

    for (q = ngx_queue_head(bucket);
         q != ngx_queue_sentinel(bucket);
         q = ngx_queue_next(q))
    {
        e = ngx_queue_data(q, ngx_rtc_dir_entry_t, id);

        if (ngx_strcmp(e->info.session_id, id) == 0) {
            return e;
        }
    }

    return NULL;
}


static ngx_rtc_dir_ice_t *
ngx_rtc_dir_find_ufrag(ngx_rtc_sh_t *sh, const u_char *ufrag, size_t len)
{
    ngx_queue_t        *q, *bucket;
    ngx_rtc_dir_ice_t  *ice;

    if (len != NGX_RTC_UFRAG_LEN) {
        return NULL;
    }

    bucket = ngx_rtc_dir_bucket(sh->by_ufrag, ufrag, len);

    for (q = ngx_queue_head(bucket);
         q != ngx_queue_sentinel(bucket);
         q = ngx_queue_next(q))
    {
        ice = ngx_queue_data(q, ngx_rtc_dir_ice_t, queue);

        if (ngx_memcmp(ice->ufrag, ufrag, len) == 0) {
            return ice;
        }
    }

    return NULL;
}


/* The name of a limit that one more session would pass, or NULL. */

static const char *
ngx_rtc_dir_limit(ngx_rtc_conf_t *rcf, const ngx_rtc_record_t *rec)
{
    size_t                len;
    ngx_int_t             n;
    ngx_queue_t          *q, *bucket;
    ngx_rtc_sh_t         *sh;
    ngx_rtc_dir_entry_t  *e;

    sh = rcf->sh;

    if (sh->nentries >= (ngx_uint_t) rcf->max_sessions) {
        return "max_sessions is reached";
    }

    if (sh->nhandshakes >= (ngx_uint_t) rcf->max_handshakes) {
        return "max_handshakes is reached";
    }

    n = 0;
    bucket = ngx_rtc_dir_bucket(sh->by_call, rec->info.call_id,
                                ngx_strlen(rec->info.call_id));

    for (q = ngx_queue_head(bucket);
         q != ngx_queue_sentinel(bucket);
         q = ngx_queue_next(q))
    {
        e = ngx_queue_data(q, ngx_rtc_dir_entry_t, call);

        n += ngx_strcmp(e->info.call_id, rec->info.call_id) == 0;
    }

    if (n >= rcf->max_sessions_per_call) {
        return "max_sessions_per_call is reached";
    }

    n = 0;
    len = rec->client.family == 4 ? 4 : 16;
    bucket = ngx_rtc_dir_addr_bucket(sh->by_client, &rec->client, 0);

    for (q = ngx_queue_head(bucket);
         q != ngx_queue_sentinel(bucket);
         q = ngx_queue_next(q))
    {
        e = ngx_queue_data(q, ngx_rtc_dir_entry_t, client);

        n += e->client_addr.family == rec->client.family
             && ngx_memcmp(e->client_addr.ip, rec->client.ip, len) == 0;
    }

    if (n >= rcf->max_sessions_per_address) {
        return "max_sessions_per_address is reached";
    }

    return NULL;
}


static void
ngx_rtc_dir_copy(const ngx_rtc_dir_entry_t *e, ngx_rtc_record_t *rec)
{
    const ngx_rtc_dir_ice_t  *ice;

    ice = &e->ice[e->ice_now];

    ngx_memzero(&rec->sdp, sizeof(cr_sdp_session_t));
    ngx_memcpy(&rec->sdp, e->sdp, e->sdp_size);
    ngx_memcpy(rec->ufrag, ice->ufrag, sizeof(rec->ufrag));
    ngx_memcpy(rec->pwd, ice->pwd, sizeof(rec->pwd));

    rec->info = e->info;
    rec->etag = e->etag;
    rec->owner = e->owner;
    rec->client = e->client_addr;
    rec->created_us = e->created_us;
}


static void
ngx_rtc_dir_ice_set(ngx_rtc_sh_t *sh, ngx_rtc_dir_entry_t *e, ngx_uint_t i,
    const ngx_rtc_record_t *rec)
{
    ngx_rtc_dir_ice_t  *ice;

    ice = &e->ice[i];

    if (ice->entry != NULL) {
        ngx_queue_remove(&ice->queue);
    }

    ice->entry = e;
    ngx_memcpy(ice->ufrag, rec->ufrag, sizeof(ice->ufrag));
    ngx_memcpy(ice->pwd, rec->pwd, sizeof(ice->pwd));

    ngx_queue_insert_head(ngx_rtc_dir_bucket(sh->by_ufrag, ice->ufrag,
                                             NGX_RTC_UFRAG_LEN),
                          &ice->queue);
}


static void
ngx_rtc_dir_remember(ngx_rtc_sh_t *sh, const ngx_rtc_dir_entry_t *e)
{
    ngx_rtc_ended_t  *ended;

    ended = &sh->ended[sh->ended_next];
    sh->ended_next = (sh->ended_next + 1) % NGX_RTC_ENDED_MAX;

    ended->ended_us = ngx_callrec_now_us();
    ended->call = ngx_murmur_hash2((u_char *) e->info.call_id,
                                   ngx_strlen(e->info.call_id));
    (void) ngx_cpystrn((u_char *) ended->id, (u_char *) e->info.session_id,
                       sizeof(ended->id));
}


static void
ngx_rtc_dir_free(ngx_rtc_conf_t *rcf, ngx_rtc_dir_entry_t *e)
{
    ngx_uint_t  i;

    ngx_queue_remove(&e->state);
    ngx_queue_remove(&e->id);
    ngx_queue_remove(&e->call);
    ngx_queue_remove(&e->client);

    for (i = 0; i < 2; i++) {
        if (e->ice[i].entry != NULL) {
            ngx_queue_remove(&e->ice[i].queue);
        }
    }

    for (i = 0; i < NGX_RTC_PATHS_MAX; i++) {
        if (e->paths[i].entry != NULL) {
            ngx_queue_remove(&e->paths[i].queue);
        }
    }

    rcf->sh->nentries--;
    rcf->sh->nhandshakes -= !e->connected;

    ngx_explicit_memzero(e->ice, sizeof(e->ice));

    ngx_slab_free_locked(rcf->shpool, e->sdp);
    ngx_slab_free_locked(rcf->shpool, e);
}
