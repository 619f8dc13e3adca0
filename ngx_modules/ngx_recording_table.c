
/*
 * Copyright (C) The call recorder authors
 *
 * The table of recordings in shared memory.
 */


#include "ngx_recording_engine.h"


static ngx_int_t ngx_recording_zone_init(ngx_shm_zone_t *shm_zone,
    void *data);
static ngx_queue_t *ngx_recording_bucket(ngx_recording_zone_t *zone,
    const char *call_id);
static ngx_recording_node_t *ngx_recording_alloc_locked(
    ngx_recording_zone_t *zone);
static void ngx_recording_free_locked(ngx_recording_zone_t *zone,
    ngx_recording_node_t *node);


ngx_shm_zone_t *
ngx_recording_zone_add(ngx_conf_t *cf, ngx_str_t *name, size_t size,
    void *tag)
{
    ngx_shm_zone_t        *shm_zone;
    ngx_recording_zone_t  *zone;

    zone = ngx_pcalloc(cf->pool, sizeof(ngx_recording_zone_t));
    if (zone == NULL) {
        return NULL;
    }

    shm_zone = ngx_shared_memory_add(cf, name, size, tag);
    if (shm_zone == NULL) {
        return NULL;
    }

    if (shm_zone->data != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" is already in use", name);
        return NULL;
    }

    shm_zone->init = ngx_recording_zone_init;
    shm_zone->data = zone;

    return shm_zone;
}


static ngx_int_t
ngx_recording_zone_init(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_recording_zone_t  *ozone = data;

    ngx_uint_t             i;
    ngx_recording_sh_t    *sh;
    ngx_recording_zone_t  *zone;

    zone = shm_zone->data;
    zone->shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (ozone != NULL) {
        zone->sh = ozone->sh;
        return NGX_OK;
    }

    if (shm_zone->shm.exists) {
        zone->sh = zone->shpool->data;
        return NGX_OK;
    }

    sh = ngx_slab_calloc(zone->shpool, sizeof(ngx_recording_sh_t));
    if (sh == NULL) {
        return NGX_ERROR;
    }

    zone->sh = sh;
    zone->shpool->data = sh;

    /* a full table is an answer of ours, not an error in the log */

    zone->shpool->log_nomem = 0;

    ngx_rbtree_init(&sh->tree, &sh->sentinel, ngx_str_rbtree_insert_value);
    ngx_queue_init(&sh->running);
    ngx_queue_init(&sh->ended);

    for (i = 0; i < NGX_RECORDING_CALLS; i++) {
        ngx_queue_init(&sh->calls[i]);
    }

    return NGX_OK;
}


ngx_recording_zone_t *
ngx_recording_zone(void)
{
    ngx_recording_conf_t  *conf;

    conf = ngx_recording_conf();

    return conf != NULL ? conf->zone->data : NULL;
}


void
ngx_recording_lock(ngx_recording_zone_t *zone)
{
    ngx_shmtx_lock(&zone->shpool->mutex);
}


void
ngx_recording_unlock(ngx_recording_zone_t *zone)
{
    ngx_shmtx_unlock(&zone->shpool->mutex);
}


ngx_recording_node_t *
ngx_recording_find_locked(ngx_recording_zone_t *zone,
    const char *recording_id)
{
    uint32_t   hash;
    ngx_str_t  id;

    id.data = (u_char *) recording_id;
    id.len = ngx_strlen(recording_id);
    hash = ngx_crc32_short(id.data, id.len);

    return (ngx_recording_node_t *)
               ngx_str_rbtree_lookup(&zone->sh->tree, &id, hash);
}


ngx_recording_node_t *
ngx_recording_next_locked(ngx_recording_zone_t *zone, const char *call_id,
    ngx_recording_node_t *prev)
{
    ngx_queue_t           *bucket, *q;
    ngx_recording_node_t  *node;

    bucket = ngx_recording_bucket(zone, call_id);

    for (q = ngx_queue_next(prev != NULL ? &prev->call : bucket);
         q != bucket;
         q = ngx_queue_next(q))
    {
        node = ngx_queue_data(q, ngx_recording_node_t, call);

        if (ngx_strcmp(node->rec.call_id, call_id) == 0) {
            return node;
        }
    }

    return NULL;
}


ngx_recording_node_t *
ngx_recording_active_locked(ngx_recording_zone_t *zone, const char *call_id)
{
    ngx_recording_node_t  *node;

    node = NULL;

    do {
        node = ngx_recording_next_locked(zone, call_id, node);

    } while (node != NULL && !cr_recording_is_active(&node->rec));

    return node;
}


ngx_recording_node_t *
ngx_recording_insert_locked(ngx_recording_zone_t *zone,
    const cr_recording_t *rec, int64_t t0_us)
{
    ngx_recording_node_t  *node;

    node = ngx_recording_alloc_locked(zone);
    if (node == NULL) {
        return NULL;
    }

    node->rec = *rec;
    node->t0_us = t0_us;

    node->sn.str.data = (u_char *) node->rec.recording_id;
    node->sn.str.len = ngx_strlen(node->rec.recording_id);
    node->sn.node.key = ngx_crc32_short(node->sn.str.data, node->sn.str.len);

    ngx_rbtree_insert(&zone->sh->tree, &node->sn.node);
    ngx_queue_insert_head(ngx_recording_bucket(zone, rec->call_id),
                          &node->call);
    ngx_queue_insert_tail(&zone->sh->running, &node->queue);

    if (cr_recording_is_active(rec)) {
        zone->sh->active++;
    }

    return node;
}


void
ngx_recording_drop_locked(ngx_recording_zone_t *zone,
    ngx_recording_node_t *node)
{
    if (cr_recording_is_active(&node->rec)) {
        zone->sh->active--;
    }

    ngx_recording_free_locked(zone, node);
}


void
ngx_recording_file_locked(ngx_recording_zone_t *zone,
    ngx_recording_node_t *node)
{
    ngx_queue_remove(&node->queue);

    /* until it is safe on disk there is something to do for it */

    if (cr_recording_is_ended(&node->rec) && !node->remove
        && node->saved_rev == node->rec.rev)
    {
        ngx_queue_insert_tail(&zone->sh->ended, &node->queue);

    } else {
        ngx_queue_insert_tail(&zone->sh->running, &node->queue);
    }
}


void
ngx_recording_ref(const ngx_recording_node_t *node, ngx_recording_ref_t *ref)
{
    ngx_recording_conf_t  *conf;

    conf = ngx_recording_conf();

    ngx_memcpy(ref->recording_id, node->rec.recording_id,
               sizeof(ref->recording_id));
    ngx_memcpy(ref->call_id, node->rec.call_id, sizeof(ref->call_id));

    (void) ngx_snprintf((u_char *) ref->dir, NGX_RECORDING_DIR_MAX,
                        "%V/%s/%s%Z", &conf->root, ref->call_id,
                        ref->recording_id);

    ref->t0_us = node->t0_us;
    ref->chunk_us = node->rec.chunk_ms * 1000;
    ref->buffer = conf->buffer;
}


ngx_int_t
ngx_recording_copy(const char *recording_id, cr_recording_t *rec)
{
    ngx_recording_node_t  *node;
    ngx_recording_zone_t  *zone;

    zone = ngx_recording_zone();

    ngx_recording_lock(zone);

    node = ngx_recording_find_locked(zone, recording_id);

    if (node != NULL) {
        *rec = node->rec;
    }

    ngx_recording_unlock(zone);

    return node != NULL ? NGX_OK : NGX_DECLINED;
}


static ngx_queue_t *
ngx_recording_bucket(ngx_recording_zone_t *zone, const char *call_id)
{
    uint32_t  hash;

    hash = ngx_crc32_short((u_char *) call_id, ngx_strlen(call_id));

    return &zone->sh->calls[hash % NGX_RECORDING_CALLS];
}


static ngx_recording_node_t *
ngx_recording_alloc_locked(ngx_recording_zone_t *zone)
{
    ngx_queue_t           *q;
    ngx_recording_node_t  *ended, *node;

    for ( ;; ) {
        node = ngx_slab_calloc_locked(zone->shpool,
                                      sizeof(ngx_recording_node_t));
        if (node != NULL) {
            return node;
        }

        if (ngx_queue_empty(&zone->sh->ended)) {
            return NULL;
        }

        /* the one that ended longest ago, which is safe on disk */

        q = ngx_queue_head(&zone->sh->ended);
        ended = ngx_queue_data(q, ngx_recording_node_t, queue);

        ngx_recording_free_locked(zone, ended);
    }
}


static void
ngx_recording_free_locked(ngx_recording_zone_t *zone,
    ngx_recording_node_t *node)
{
    ngx_rbtree_delete(&zone->sh->tree, &node->sn.node);
    ngx_queue_remove(&node->call);
    ngx_queue_remove(&node->queue);

    ngx_slab_free_locked(zone->shpool, node);
}
