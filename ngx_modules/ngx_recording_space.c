
/*
 * Copyright (C) The call recorder authors
 *
 * How much room there is below recording_root: one worker has a thread ask,
 * all of them find the answer in shared memory.
 */


#include "ngx_recording_engine.h"

#include <sys/statvfs.h>


static void ngx_recording_space_stat(ngx_recording_task_t *task);
static void ngx_recording_space_done(ngx_recording_task_t *task);


/* A thread that hangs in a file system that does is not joined by others. */
static ngx_uint_t  ngx_recording_space_asked;


void
ngx_recording_space_check(ngx_recording_zone_t *zone)
{
    ngx_recording_conf_t  *conf;
    ngx_recording_task_t  *task;

    conf = ngx_recording_conf();

    if (conf->min_free == 0) {
        ngx_recording_lock(zone);
        zone->sh->space_known = 0;
        zone->sh->space_low = 0;
        ngx_recording_unlock(zone);
        return;
    }

    if (ngx_recording_space_asked) {
        return;
    }

    task = ngx_recording_task((char *) conf->root.data,
                              ngx_recording_space_stat,
                              ngx_recording_space_done);
    if (task == NULL) {
        return;
    }

    task->data = ngx_pcalloc(task->pool, sizeof(off_t));

    if (task->data == NULL) {
        ngx_recording_task_free(task);
        return;
    }

    ngx_recording_space_asked = (ngx_recording_task_post(task) == NGX_OK);
}


static void
ngx_recording_space_stat(ngx_recording_task_t *task)
{
    off_t           *space = task->data;
    struct statvfs   fs;

    if (statvfs(task->dir, &fs) == -1) {
        task->rc = NGX_ERROR;
        task->err = ngx_errno;
        task->what = "statvfs()";
        return;
    }

    *space = (off_t) fs.f_bavail * fs.f_frsize;
}


/* A tenth of recording_min_free keeps it from changing all the time. */

static void
ngx_recording_space_done(ngx_recording_task_t *task)
{
    off_t                  space, min;
    ngx_uint_t             low, was;
    ngx_recording_conf_t  *conf;
    ngx_recording_zone_t  *zone;

    ngx_recording_space_asked = 0;

    if (task->rc != NGX_OK) {
        return;
    }

    conf = ngx_recording_conf();
    zone = ngx_recording_zone();

    space = *(off_t *) task->data;
    min = conf->min_free;

    ngx_recording_lock(zone);

    was = zone->sh->space_low;
    low = space < (was ? min + min / 10 : min);

    zone->sh->space_known = 1;
    zone->sh->space_low = low;

    ngx_recording_unlock(zone);

    if (low && !was) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "recording: %O bytes are free in \"%V\", less than "
                      "recording_min_free", space, &conf->root);

    } else if (was && !low) {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "recording: %O bytes are free in \"%V\" again", space,
                      &conf->root);
    }
}
