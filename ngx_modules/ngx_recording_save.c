
/*
 * Copyright (C) The call recorder authors
 *
 * recording.json, and the removal of files: one worker at a time for each
 * recording.
 */


#include "ngx_recording_engine.h"
#include "ngx_recording_mix.h"


static void ngx_recording_saved(ngx_recording_task_t *task);
static ngx_int_t ngx_recording_remove_outputs(ngx_recording_task_t *task,
    const ngx_recording_ref_t *ref);
static void ngx_recording_removed(ngx_recording_task_t *task);
static ngx_recording_node_t *ngx_recording_of_task(
    ngx_recording_zone_t *zone, ngx_recording_task_t *task);


void
ngx_recording_save(const char *recording_id)
{
    char                  *text;
    ngx_recording_ref_t    ref;
    ngx_recording_node_t  *node;
    ngx_recording_task_t  *task;
    ngx_recording_zone_t  *zone;

    zone = ngx_recording_zone();
    task = NULL;

    ngx_recording_lock(zone);

    node = ngx_recording_find_locked(zone, recording_id);

    if (node == NULL || !node->dirty || node->saver != 0
        || node->remover != 0 || node->owner != 0)
    {
        ngx_recording_unlock(zone);
        return;
    }

    ngx_recording_ref(node, &ref);

    text = (node->rec.status == CR_RECORDING_DELETED)
           ? cr_recording_tombstone_json(&ngx_callrec_env, &node->rec)
           : cr_recording_status_json(&ngx_callrec_env, &node->rec);

    if (text != NULL) {
        task = ngx_recording_task(ref.dir, ngx_recording_disk_save,
                                  ngx_recording_saved);
    }

    if (task != NULL) {
        task->text = text;
        task->rev = node->rec.rev;

        node->dirty = 0;
        node->saver = ngx_pid;
    }

    ngx_recording_unlock(zone);

    if (task == NULL) {
        cr_free(&ngx_callrec_env, text);
        return;
    }

    if (ngx_recording_task_post(task) != NGX_OK) {
        ngx_recording_lock(zone);

        node = ngx_recording_find_locked(zone, recording_id);

        if (node != NULL) {
            node->dirty = 1;
            node->saver = 0;
        }

        ngx_recording_unlock(zone);
    }
}


static void
ngx_recording_saved(ngx_recording_task_t *task)
{
    char                   id[CR_ID_MAX + 1];
    ngx_uint_t             again;
    ngx_recording_node_t  *node;
    ngx_recording_zone_t  *zone;

    zone = ngx_recording_zone();
    again = 0;

    ngx_recording_lock(zone);

    node = ngx_recording_of_task(zone, task);

    if (node != NULL) {
        node->saver = 0;

        if (task->rc == NGX_OK) {
            node->saved_rev = task->rev;
            again = node->dirty;
            ngx_recording_file_locked(zone, node);

        } else {

            /* the sweep tries again */

            node->dirty = 1;
        }

        ngx_memcpy(id, node->rec.recording_id, sizeof(id));
    }

    ngx_recording_unlock(zone);

    if (again) {
        ngx_recording_save(id);
    }
}


void
ngx_recording_remove(const char *recording_id)
{
    ngx_recording_ref_t    ref;
    ngx_recording_node_t  *node;
    ngx_recording_task_t  *task;
    ngx_recording_zone_t  *zone;

    zone = ngx_recording_zone();

    ngx_recording_lock(zone);

    node = ngx_recording_find_locked(zone, recording_id);

    /* recording.json first: it says why there is nothing else */

    if (node == NULL || !node->remove || node->remover != 0
        || node->saver != 0 || node->dirty)
    {
        ngx_recording_unlock(zone);
        return;
    }

    ngx_recording_ref(node, &ref);
    node->remover = ngx_pid;

    ngx_recording_unlock(zone);

    task = ngx_recording_task(ref.dir, ngx_recording_disk_remove,
                              ngx_recording_removed);

    if (task != NULL && ngx_recording_remove_outputs(task, &ref) == NGX_OK
        && ngx_recording_task_post(task) == NGX_OK)
    {
        return;
    }

    ngx_recording_lock(zone);

    node = ngx_recording_find_locked(zone, recording_id);

    if (node != NULL) {
        node->remover = 0;
    }

    ngx_recording_unlock(zone);
}


/* A store with a path of its own has them outside of the recording's folder.
 * NGX_ERROR: the task is freed. */

static ngx_int_t
ngx_recording_remove_outputs(ngx_recording_task_t *task,
    const ngx_recording_ref_t *ref)
{
    ngx_recording_mix_conf_t  *mix;

    mix = ngx_recording_mix_conf();

    if (mix == NULL || mix->store->path.len == 0) {
        return NGX_OK;
    }

    task->outputs = ngx_pnalloc(task->pool, NGX_RECORDING_STORE_DIR_MAX);

    if (task->outputs == NULL) {
        ngx_recording_task_free(task);
        return NGX_ERROR;
    }

    ngx_recording_store_local_dir(mix->store, ref, (u_char *) task->outputs);

    return NGX_OK;
}


static void
ngx_recording_removed(ngx_recording_task_t *task)
{
    ngx_recording_node_t  *node;
    ngx_recording_zone_t  *zone;

    zone = ngx_recording_zone();

    ngx_recording_lock(zone);

    node = ngx_recording_of_task(zone, task);

    if (node != NULL) {
        node->remover = 0;

        if (task->rc == NGX_OK) {
            node->remove = 0;
            ngx_recording_file_locked(zone, node);
        }
    }

    ngx_recording_unlock(zone);
}


static ngx_recording_node_t *
ngx_recording_of_task(ngx_recording_zone_t *zone, ngx_recording_task_t *task)
{
    return ngx_recording_find_locked(zone, strrchr(task->dir, '/') + 1);
}
