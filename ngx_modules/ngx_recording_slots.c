
/*
 * Copyright (C) The call recorder authors
 *
 * How many processes run at a time, in all workers together: places in shared
 * memory.  A worker that was killed does not give its places back, so a place
 * whose process is gone is free.
 */

#include "ngx_recording_mix.h"

#include "ngx_callrec.h"


#define NGX_RECORDING_SLOTS  256


typedef struct {
    char       recording_id[CR_ID_MAX + 1];     /* "": free */
    ngx_pid_t  pid;                             /* of the process */
    ngx_pid_t  worker;                          /* while pid is 0 */
} ngx_recording_slot_t;


static ngx_recording_slot_t *ngx_recording_slots(ngx_slab_pool_t **shpool);
static ngx_uint_t ngx_recording_slot_is_free(ngx_recording_slot_t *slot);


ngx_int_t
ngx_recording_slots_init_zone(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t  *shpool;

    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    if (data != NULL || zone->shm.exists) {
        zone->data = shpool->data;
        return NGX_OK;
    }

    shpool->data = ngx_slab_calloc(shpool, NGX_RECORDING_SLOTS
                                           * sizeof(ngx_recording_slot_t));
    zone->data = shpool->data;

    return shpool->data != NULL ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_recording_slot_take(const char *recording_id, ngx_uint_t *slot)
{
    ngx_int_t              free, used;
    ngx_uint_t             i;
    ngx_slab_pool_t       *shpool;
    ngx_recording_slot_t  *slots;

    slots = ngx_recording_slots(&shpool);

    ngx_shmtx_lock(&shpool->mutex);

    free = -1;
    used = 0;

    for (i = 0; i < NGX_RECORDING_SLOTS; i++) {

        if (!ngx_recording_slot_is_free(&slots[i])) {
            used++;

        } else if (free == -1) {
            free = i;
        }
    }

    if (free == -1 || used >= ngx_recording_mix_conf()->exec_max) {
        ngx_shmtx_unlock(&shpool->mutex);
        return NGX_AGAIN;
    }

    ngx_cpystrn((u_char *) slots[free].recording_id, (u_char *) recording_id,
                sizeof(slots[free].recording_id));
    slots[free].pid = 0;
    slots[free].worker = ngx_pid;

    ngx_shmtx_unlock(&shpool->mutex);

    *slot = free;

    return NGX_OK;
}


void
ngx_recording_slot_pid(ngx_uint_t slot, ngx_pid_t pid)
{
    ngx_slab_pool_t       *shpool;
    ngx_recording_slot_t  *slots;

    slots = ngx_recording_slots(&shpool);

    ngx_shmtx_lock(&shpool->mutex);
    slots[slot].pid = pid;
    ngx_shmtx_unlock(&shpool->mutex);
}


void
ngx_recording_slot_free(ngx_uint_t slot)
{
    ngx_slab_pool_t       *shpool;
    ngx_recording_slot_t  *slots;

    slots = ngx_recording_slots(&shpool);

    ngx_shmtx_lock(&shpool->mutex);
    ngx_memzero(&slots[slot], sizeof(ngx_recording_slot_t));
    ngx_shmtx_unlock(&shpool->mutex);
}


static ngx_recording_slot_t *
ngx_recording_slots(ngx_slab_pool_t **shpool)
{
    ngx_shm_zone_t  *zone;

    zone = ngx_recording_mix_conf()->zone;
    *shpool = (ngx_slab_pool_t *) zone->shm.addr;

    return zone->data;
}


static ngx_uint_t
ngx_recording_slot_is_free(ngx_recording_slot_t *slot)
{
    ngx_pid_t  pid;

    if (slot->recording_id[0] == '\0') {
        return 1;
    }

    pid = slot->pid != 0 ? slot->pid : slot->worker;

    return kill(pid, 0) == -1 && ngx_errno == NGX_ESRCH;
}
