
/*
 * Copyright (C) The call recorder authors
 *
 * What our modules share: the list of workers in shared memory, how they end,
 * the clock and the environment of src/.
 */


#include "ngx_callrec_module.h"

#include <openssl/rand.h>
#include <signal.h>


#define NGX_CALLREC_ZONE_SIZE  (16 * ngx_pagesize)


static void *ngx_callrec_create_conf(ngx_cycle_t *cycle);
static char *ngx_callrec_init_conf(ngx_cycle_t *cycle, void *conf);
static ngx_int_t ngx_callrec_init_zone(ngx_shm_zone_t *shm_zone, void *data);
static ngx_int_t ngx_callrec_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_callrec_init_process(ngx_cycle_t *cycle);
static void ngx_callrec_exit_process(ngx_cycle_t *cycle);
static void ngx_callrec_exit_now(ngx_cycle_t *cycle);
static ngx_int_t ngx_callrec_worker_add(ngx_callrec_conf_t *ccf,
    ngx_log_t *log);
static void ngx_callrec_worker_remove(ngx_callrec_conf_t *ccf);
static ngx_uint_t ngx_callrec_pid_alive(ngx_pid_t pid);
static void ngx_callrec_exit_message(ngx_pid_t from, u_char *data,
    size_t len);
static void ngx_callrec_exit_run(ngx_callrec_conf_t *ccf,
    ngx_callrec_exit_e how);
static void *ngx_callrec_alloc(void *ctx, size_t size);
static void ngx_callrec_free(void *ctx, void *p);
static void ngx_callrec_random(void *ctx, uint8_t *p, size_t len);


static ngx_core_module_t  ngx_callrec_module_ctx = {
    ngx_string("callrec"),
    ngx_callrec_create_conf,
    ngx_callrec_init_conf
};


ngx_module_t  ngx_callrec_module = {
    NGX_MODULE_V1,
    &ngx_callrec_module_ctx,           /* module context */
    NULL,                              /* module directives */
    NGX_CORE_MODULE,                   /* module type */
    NULL,                              /* init master */
    ngx_callrec_init_module,           /* init module */
    ngx_callrec_init_process,          /* init process */
    NULL,                              /* init thread */
    NULL,                              /* exit thread */
    ngx_callrec_exit_process,          /* exit process */
    NULL,                              /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_core_module_t  ngx_callrec_exit_module_ctx = {
    ngx_string("callrec_exit"),
    NULL,
    NULL
};


ngx_module_t  ngx_callrec_exit_module = {
    NGX_MODULE_V1,
    &ngx_callrec_exit_module_ctx,      /* module context */
    NULL,                              /* module directives */
    NGX_CORE_MODULE,                   /* module type */
    NULL,                              /* init master */
    NULL,                              /* init module */
    NULL,                              /* init process */
    NULL,                              /* init thread */
    NULL,                              /* exit thread */
    ngx_callrec_exit_now,              /* exit process */
    NULL,                              /* exit master */
    NGX_MODULE_V1_PADDING
};


const cr_env_t  ngx_callrec_env = {
    ngx_callrec_alloc,
    ngx_callrec_free,
    ngx_callrec_random,
    NULL
};


ngx_callrec_conf_t *
ngx_callrec_conf(void)
{
    return (ngx_callrec_conf_t *) ngx_get_conf(ngx_cycle->conf_ctx,
                                               ngx_callrec_module);
}


int64_t
ngx_callrec_now_us(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (int64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}


int64_t
ngx_callrec_wall_ms(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_REALTIME, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


ngx_uint_t
ngx_callrec_workers(ngx_callrec_conf_t *ccf, ngx_callrec_worker_t *workers)
{
    ngx_uint_t         i, n;
    ngx_callrec_sh_t  *sh;

    sh = ccf->sh;
    n = 0;

    ngx_shmtx_lock(&ccf->shpool->mutex);

    for (i = 0; i < NGX_CALLREC_WORKERS_MAX; i++) {
        if (sh->workers[i].pid != 0) {
            workers[n++] = sh->workers[i];
        }
    }

    ngx_shmtx_unlock(&ccf->shpool->mutex);

    return n;
}


ngx_uint_t
ngx_callrec_worker_alive(ngx_pid_t pid)
{
    ngx_uint_t             i, n;
    ngx_callrec_conf_t    *ccf;
    ngx_callrec_worker_t   workers[NGX_CALLREC_WORKERS_MAX];

    if (pid == ngx_pid) {
        return 1;
    }

    ccf = ngx_callrec_conf();
    n = ngx_callrec_workers(ccf, workers);

    for (i = 0; i < n; i++) {
        if (workers[i].pid == pid) {
            return ngx_callrec_pid_alive(pid);
        }
    }

    return 0;
}


ngx_pid_t
ngx_callrec_worker_current(void)
{
    ngx_uint_t             i, n, generation;
    ngx_callrec_conf_t    *ccf;
    ngx_callrec_worker_t   workers[NGX_CALLREC_WORKERS_MAX];

    ccf = ngx_callrec_conf();
    n = ngx_callrec_workers(ccf, workers);
    generation = ccf->sh->generation;

    for (i = 0; i < n; i++) {
        if (workers[i].generation == generation
            && ngx_callrec_pid_alive(workers[i].pid))
        {
            return workers[i].pid;
        }
    }

    return -1;
}


ngx_uint_t
ngx_callrec_superseded(void)
{
    ngx_callrec_conf_t  *ccf;

    ccf = ngx_callrec_conf();

    return ccf->sh->generation != ccf->generation;
}


ngx_int_t
ngx_callrec_exit_handler(ngx_callrec_exit_pt handler)
{
    ngx_callrec_conf_t  *ccf;

    ccf = ngx_callrec_conf();

    if (ccf->nexits == NGX_CALLREC_EXITS_MAX) {
        return NGX_ERROR;
    }

    ccf->exits[ccf->nexits++] = handler;

    return NGX_OK;
}


void
ngx_callrec_exiting(ngx_callrec_conf_t *ccf, ngx_uint_t forced)
{
    u_char                 how;
    ngx_uint_t             i, n;
    ngx_callrec_worker_t   workers[NGX_CALLREC_WORKERS_MAX];

    how = !forced && ngx_callrec_superseded() ? NGX_CALLREC_EXIT_RELOAD
                                              : NGX_CALLREC_EXIT_QUIT;

    if (!forced) {

        /*
         * The master does not signal workers that it has asked to leave
         * before, so the older generations hear of it from us.
         */

        n = ngx_callrec_workers(ccf, workers);

        for (i = 0; i < n; i++) {
            if (how == NGX_CALLREC_EXIT_RELOAD
                ? workers[i].generation < ccf->generation
                : workers[i].generation != ccf->generation)
            {
                (void) ngx_callrec_msg_send(workers[i].pid,
                                            NGX_CALLREC_MSG_EXIT, &how, 1,
                                            ngx_cycle->log);
            }
        }
    }

    ngx_callrec_exit_run(ccf, how);
}


static void *
ngx_callrec_create_conf(ngx_cycle_t *cycle)
{
    ngx_uint_t           i;
    ngx_callrec_conf_t  *ccf;

    ccf = ngx_pcalloc(cycle->pool, sizeof(ngx_callrec_conf_t));
    if (ccf == NULL) {
        return NULL;
    }

    for (i = 0; i < NGX_CALLREC_LANES; i++) {
        ngx_queue_init(&ccf->unsent[i]);
    }

    return ccf;
}


static char *
ngx_callrec_init_conf(ngx_cycle_t *cycle, void *conf)
{
    ngx_callrec_conf_t  *ccf = conf;

    ngx_str_t   name;
    ngx_conf_t  cf;

    /* there is no directive, so there is no ngx_conf_t to be had */

    ngx_memzero(&cf, sizeof(ngx_conf_t));
    cf.cycle = cycle;
    cf.pool = cycle->pool;
    cf.log = cycle->log;

    ngx_str_set(&name, "callrec");

    ccf->shm_zone = ngx_shared_memory_add(&cf, &name, NGX_CALLREC_ZONE_SIZE,
                                          &ngx_callrec_module);
    if (ccf->shm_zone == NULL) {
        return NGX_CONF_ERROR;
    }

    ccf->shm_zone->init = ngx_callrec_init_zone;
    ccf->shm_zone->data = ccf;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_callrec_init_zone(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_callrec_conf_t  *occf = data;

    ngx_callrec_conf_t  *ccf;

    ccf = shm_zone->data;
    ccf->shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (occf != NULL) {
        ccf->sh = occf->sh;
        ccf->generation = ccf->sh->generation + 1;
        return NGX_OK;
    }

    ccf->sh = ngx_slab_calloc(ccf->shpool, sizeof(ngx_callrec_sh_t));
    if (ccf->sh == NULL) {
        return NGX_ERROR;
    }

    ccf->generation = 1;

    if (RAND_bytes((u_char *) &ccf->sh->nonce, sizeof(uint64_t)) != 1) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "RAND_bytes() failed");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* The configuration is good and taken: from now on others are old. */

static ngx_int_t
ngx_callrec_init_module(ngx_cycle_t *cycle)
{
    ngx_callrec_conf_t  *ccf;

    ccf = (ngx_callrec_conf_t *) ngx_get_conf(cycle->conf_ctx,
                                              ngx_callrec_module);

    ccf->sh->generation = ccf->generation;

    return NGX_OK;
}


static ngx_int_t
ngx_callrec_init_process(ngx_cycle_t *cycle)
{
    ngx_callrec_conf_t  *ccf;

    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    ccf = (ngx_callrec_conf_t *) ngx_get_conf(cycle->conf_ctx,
                                              ngx_callrec_module);

    if (ngx_callrec_msg_init(ccf, cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_callrec_msg_handler(NGX_CALLREC_MSG_EXIT, ngx_callrec_exit_message);

    return ngx_callrec_worker_add(ccf, cycle->log);
}


static void
ngx_callrec_exit_process(ngx_cycle_t *cycle)
{
    ngx_callrec_conf_t  *ccf;

    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return;
    }

    ccf = (ngx_callrec_conf_t *) ngx_get_conf(cycle->conf_ctx,
                                              ngx_callrec_module);

    ngx_callrec_worker_remove(ccf);
    ngx_callrec_msg_done(ccf);
}


static void
ngx_callrec_exit_now(ngx_cycle_t *cycle)
{
    ngx_callrec_conf_t  *ccf;

    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return;
    }

    ccf = (ngx_callrec_conf_t *) ngx_get_conf(cycle->conf_ctx,
                                              ngx_callrec_module);

    ngx_callrec_exit_run(ccf, NGX_CALLREC_EXIT_NOW);
}


static ngx_int_t
ngx_callrec_worker_add(ngx_callrec_conf_t *ccf, ngx_log_t *log)
{
    ngx_uint_t             i;
    ngx_callrec_worker_t  *w, *slot;

    slot = NULL;

    ngx_shmtx_lock(&ccf->shpool->mutex);

    for (i = 0; i < NGX_CALLREC_WORKERS_MAX; i++) {
        w = &ccf->sh->workers[i];

        if (w->pid != 0
            && (w->pid == ngx_pid || !ngx_callrec_pid_alive(w->pid)))
        {
            /* a worker that had no time to say goodbye */
            w->pid = 0;
        }

        if (w->pid == 0 && slot == NULL) {
            slot = w;
        }
    }

    if (slot != NULL) {
        slot->pid = ngx_pid;
        slot->generation = ccf->generation;
    }

    ngx_shmtx_unlock(&ccf->shpool->mutex);

    if (slot == NULL) {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "more than %d worker processes", NGX_CALLREC_WORKERS_MAX);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_callrec_worker_remove(ngx_callrec_conf_t *ccf)
{
    ngx_uint_t  i;

    ngx_shmtx_lock(&ccf->shpool->mutex);

    for (i = 0; i < NGX_CALLREC_WORKERS_MAX; i++) {
        if (ccf->sh->workers[i].pid == ngx_pid) {
            ccf->sh->workers[i].pid = 0;
        }
    }

    ngx_shmtx_unlock(&ccf->shpool->mutex);
}


static ngx_uint_t
ngx_callrec_pid_alive(ngx_pid_t pid)
{
    return kill(pid, 0) == 0 || ngx_errno == NGX_EPERM;
}


static void
ngx_callrec_exit_message(ngx_pid_t from, u_char *data, size_t len)
{
    ngx_callrec_exit_run(ngx_callrec_conf(),
                         len == 1 && data[0] == NGX_CALLREC_EXIT_RELOAD
                         ? NGX_CALLREC_EXIT_RELOAD : NGX_CALLREC_EXIT_QUIT);
}


static void
ngx_callrec_exit_run(ngx_callrec_conf_t *ccf, ngx_callrec_exit_e how)
{
    ngx_uint_t  i;

    for (i = 0; i < ccf->nexits; i++) {
        ccf->exits[i](how);
    }
}


static void *
ngx_callrec_alloc(void *ctx, size_t size)
{
    return calloc(1, size);
}


static void
ngx_callrec_free(void *ctx, void *p)
{
    free(p);
}


static void
ngx_callrec_random(void *ctx, uint8_t *p, size_t len)
{
    if (RAND_bytes(p, (int) len) != 1) {

        /* passwords made of anything else would be worse than none */

        ngx_log_error(NGX_LOG_EMERG, ngx_cycle->log, 0,
                      "RAND_bytes() failed");
        abort();
    }
}
