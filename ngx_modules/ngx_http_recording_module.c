
/*
 * Copyright (C) The call recorder authors
 *
 * Directives of the recording engine and of its API.
 */


#include "ngx_http_recording_api.h"
#include "ngx_http_recording_auth_module.h"
#include "ngx_recording_engine.h"


#define NGX_RECORDING_ZONE_NAME  "recordings"
#define NGX_RECORDING_ZONE_SIZE  (16 * 1024 * 1024)
#define NGX_RECORDING_ZONE_MIN   (512 * 1024)

#define NGX_RECORDING_SYNC_INTERVAL_MS  1000
#define NGX_RECORDING_SYNC_MIN_MS       100

/* Longer roots leave no room for the ids and files below them. */
#define NGX_RECORDING_ROOT_MAX   (NGX_RECORDING_DIR_MAX - 2 * CR_ID_MAX - 3)


typedef struct {
    ngx_recording_conf_t   conf;
    ngx_str_t              thread_pool;
    ngx_path_t            *path;
} ngx_http_recording_main_conf_t;


static void *ngx_http_recording_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_recording_init_main_conf(ngx_conf_t *cf, void *conf);
static ngx_int_t ngx_http_recording_check_old(ngx_conf_t *cf,
    ngx_recording_conf_t *conf);
static void *ngx_http_recording_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_recording_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_http_recording_root(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_recording_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_recording_sync(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_recording_api(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_http_recording_init_process(ngx_cycle_t *cycle);


static ngx_conf_enum_t  ngx_http_recording_simulcast[] = {
    { ngx_string("highest"), NGX_RECORDING_SIMULCAST_HIGHEST },
    { ngx_string("all"), NGX_RECORDING_SIMULCAST_ALL },
    { ngx_string("auto"), NGX_RECORDING_SIMULCAST_AUTO },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_http_recording_commands[] = {

    { ngx_string("recording_root"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_recording_root,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("recording_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE2,
      ngx_http_recording_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("recording_chunk"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_recording_main_conf_t, conf.chunk),
      NULL },

    { ngx_string("recording_buffer"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_recording_main_conf_t, conf.buffer),
      NULL },

    { ngx_string("recording_thread_pool"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_recording_main_conf_t, thread_pool),
      NULL },

    { ngx_string("recording_idle_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_recording_main_conf_t, conf.idle_timeout),
      NULL },

    { ngx_string("recording_max_duration"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_recording_main_conf_t, conf.max_duration),
      NULL },

    { ngx_string("recording_max_recordings"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_recording_main_conf_t, conf.max_recordings),
      NULL },

    { ngx_string("recording_sync"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_recording_sync,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("recording_simulcast"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_recording_main_conf_t, conf.simulcast),
      ngx_http_recording_simulcast },

    { ngx_string("recording_min_free"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_off_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_recording_main_conf_t, conf.min_free),
      NULL },

    { ngx_string("recording_api"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_recording_api,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("recording_cors_origin"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_recording_loc_conf_t, cors_origin),
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_recording_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    ngx_http_recording_create_main_conf,   /* create main configuration */
    ngx_http_recording_init_main_conf,     /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_recording_create_loc_conf,    /* create location configuration */
    ngx_http_recording_merge_loc_conf      /* merge location configuration */
};


ngx_module_t  ngx_http_recording_module = {
    NGX_MODULE_V1,
    &ngx_http_recording_module_ctx,        /* module context */
    ngx_http_recording_commands,           /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_recording_init_process,       /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


ngx_recording_conf_t *
ngx_recording_conf(void)
{
    ngx_http_recording_main_conf_t  *rmcf;

    rmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_recording_module);

    return (rmcf != NULL && rmcf->conf.root.len != 0) ? &rmcf->conf : NULL;
}


static void *
ngx_http_recording_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_recording_main_conf_t  *rmcf;

    rmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_recording_main_conf_t));
    if (rmcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     rmcf->conf.root = { 0, NULL };
     *     rmcf->conf.zone = NULL;
     *     rmcf->conf.thread_pool = NULL;
     *     rmcf->thread_pool = { 0, NULL };
     */

    rmcf->conf.chunk = NGX_CONF_UNSET_MSEC;
    rmcf->conf.buffer = NGX_CONF_UNSET_SIZE;
    rmcf->conf.idle_timeout = NGX_CONF_UNSET_MSEC;
    rmcf->conf.max_duration = NGX_CONF_UNSET_MSEC;
    rmcf->conf.max_recordings = NGX_CONF_UNSET_UINT;
    rmcf->conf.sync = NGX_CONF_UNSET_UINT;
    rmcf->conf.simulcast = NGX_CONF_UNSET_UINT;
    rmcf->conf.min_free = NGX_CONF_UNSET;

    return rmcf;
}


static char *
ngx_http_recording_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_recording_main_conf_t  *rmcf = conf;

    ngx_str_t   name;
    ngx_str_t  *pool;

    ngx_conf_init_msec_value(rmcf->conf.chunk, 5000);
    ngx_conf_init_size_value(rmcf->conf.buffer, 8 * 1024 * 1024);
    ngx_conf_init_msec_value(rmcf->conf.idle_timeout, 300000);
    ngx_conf_init_msec_value(rmcf->conf.max_duration, 0);
    ngx_conf_init_uint_value(rmcf->conf.max_recordings, 0);
    ngx_conf_init_uint_value(rmcf->conf.sync, NGX_RECORDING_SYNC_CHUNK);
    ngx_conf_init_uint_value(rmcf->conf.simulcast,
                             NGX_RECORDING_SIMULCAST_HIGHEST);
    ngx_conf_init_value(rmcf->conf.min_free, 1024 * 1024 * 1024);

    if (rmcf->conf.root.len == 0) {
        return NGX_CONF_OK;
    }

    if (rmcf->conf.chunk < 1000 || rmcf->conf.chunk > 60000) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"recording_chunk\" must be between 1s and 60s");
        return NGX_CONF_ERROR;
    }

    if (rmcf->conf.zone == NULL) {
        ngx_str_set(&name, NGX_RECORDING_ZONE_NAME);

        rmcf->conf.zone = ngx_recording_zone_add(cf, &name,
                                                 NGX_RECORDING_ZONE_SIZE,
                                                 &ngx_http_recording_module);
        if (rmcf->conf.zone == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (ngx_http_recording_check_old(cf, &rmcf->conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    pool = rmcf->thread_pool.len ? &rmcf->thread_pool : NULL;

    rmcf->conf.thread_pool = ngx_thread_pool_add(cf, pool);
    if (rmcf->conf.thread_pool == NULL) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* Old workers may go on with recordings after a reload: they and the new
 * ones must mean the same table and folders. */

static ngx_int_t
ngx_http_recording_check_old(ngx_conf_t *cf, ngx_recording_conf_t *conf)
{
    ngx_cycle_t                     *old;
    ngx_shm_t                       *new_shm, *old_shm;
    ngx_uint_t                       i;
    ngx_http_recording_main_conf_t  *ormcf;

    old = cf->cycle->old_cycle;

    if (ngx_is_init_cycle(old)) {
        return NGX_OK;
    }

    /* a module that this reload loads has no place in the old arrays */

    for (i = 0; old->modules[i] != &ngx_http_recording_module; i++) {
        if (old->modules[i] == NULL) {
            return NGX_OK;
        }
    }

    ormcf = ngx_http_cycle_get_module_main_conf(old,
                                                ngx_http_recording_module);

    if (ormcf == NULL || ormcf->conf.root.len == 0) {
        return NGX_OK;
    }

    new_shm = &conf->zone->shm;
    old_shm = &ormcf->conf.zone->shm;

    if (new_shm->size != old_shm->size
        || new_shm->name.len != old_shm->name.len
        || ngx_strncmp(new_shm->name.data, old_shm->name.data,
                       new_shm->name.len) != 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"recording_zone\" cannot be changed by a "
                           "reload");
        return NGX_ERROR;
    }

    if (conf->root.len != ormcf->conf.root.len
        || ngx_strncmp(conf->root.data, ormcf->conf.root.data,
                       conf->root.len) != 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"recording_root\" cannot be changed by a "
                           "reload");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void *
ngx_http_recording_create_loc_conf(ngx_conf_t *cf)
{
    /* set by ngx_pcalloc(): rlcf->cors_origin = { 0, NULL }; */

    return ngx_pcalloc(cf->pool, sizeof(ngx_http_recording_loc_conf_t));
}


static char *
ngx_http_recording_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_recording_loc_conf_t  *prev = parent;
    ngx_http_recording_loc_conf_t  *conf = child;

    ngx_http_recording_main_conf_t  *rmcf;

    ngx_conf_merge_str_value(conf->cors_origin, prev->cors_origin, "");

    if (conf->api) {
        rmcf = ngx_http_conf_get_module_main_conf(cf,
                                                  ngx_http_recording_module);

        if (rmcf->conf.root.len == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"recording_api\" needs \"recording_root\"");
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_recording_root(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_recording_main_conf_t  *rmcf = conf;

    ngx_str_t   *value;
    ngx_path_t  *path;

    if (rmcf->conf.root.len != 0) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 0) {
        return "must not be empty";
    }

    if (ngx_conf_full_name(cf->cycle, &value[1], 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    while (value[1].len > 1 && value[1].data[value[1].len - 1] == '/') {
        value[1].data[--value[1].len] = '\0';
    }

    if (value[1].len > NGX_RECORDING_ROOT_MAX) {
        return "is too long";
    }

    rmcf->conf.root = value[1];

    /* nginx makes the folder and gives it to the workers' user */

    path = ngx_pcalloc(cf->pool, sizeof(ngx_path_t));
    if (path == NULL) {
        return NGX_CONF_ERROR;
    }

    path->name = value[1];
    path->conf_file = cf->conf_file->file.name.data;
    path->line = cf->conf_file->line;

    if (ngx_add_path(cf, &path) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_recording_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_recording_main_conf_t  *rmcf = conf;

    ssize_t     size;
    ngx_str_t  *value;

    if (rmcf->conf.zone != NULL) {
        return "is duplicate";
    }

    value = cf->args->elts;

    size = ngx_parse_size(&value[2]);

    if (size == NGX_ERROR) {
        return "has an invalid size";
    }

    if (size < NGX_RECORDING_ZONE_MIN) {
        return "is too small, it takes 512k at least";
    }

    rmcf->conf.zone = ngx_recording_zone_add(cf, &value[1], size,
                                             &ngx_http_recording_module);

    return rmcf->conf.zone != NULL ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
ngx_http_recording_sync(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_recording_main_conf_t  *rmcf = conf;

    ngx_int_t   ms;
    ngx_str_t  *value, time;

    if (rmcf->conf.sync != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        rmcf->conf.sync = NGX_RECORDING_SYNC_OFF;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "chunk") == 0) {
        rmcf->conf.sync = NGX_RECORDING_SYNC_CHUNK;
        return NGX_CONF_OK;
    }

    rmcf->conf.sync = NGX_RECORDING_SYNC_INTERVAL;
    rmcf->conf.sync_interval = NGX_RECORDING_SYNC_INTERVAL_MS;

    if (ngx_strcmp(value[1].data, "interval") == 0) {
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value[1].data, "interval=", 9) != 0) {
        return "takes \"off\", \"chunk\" or \"interval\"";
    }

    time.data = value[1].data + 9;
    time.len = value[1].len - 9;

    ms = ngx_parse_time(&time, 0);

    if (ms == NGX_ERROR || ms < NGX_RECORDING_SYNC_MIN_MS) {
        return "has an invalid interval, it takes 100ms at least";
    }

    rmcf->conf.sync_interval = ms;

    return NGX_CONF_OK;
}


static char *
ngx_http_recording_api(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_recording_loc_conf_t  *rlcf = conf;

    ngx_str_t                 *value;
    ngx_http_core_loc_conf_t  *clcf;

    if (rlcf->api) {
        return "is duplicate";
    }

    rlcf->api = 1;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_recording_api_handler;

    /* what is too large is answered in JSON, by ourselves */

    clcf->client_max_body_size = 0;

    value = cf->args->elts;

    return ngx_http_recording_auth_require(cf, &value[0]) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static ngx_int_t
ngx_http_recording_init_process(ngx_cycle_t *cycle)
{
    if ((ngx_process != NGX_PROCESS_WORKER
         && ngx_process != NGX_PROCESS_SINGLE)
        || ngx_recording_conf() == NULL)
    {
        return NGX_OK;
    }

    ngx_http_recording_wait_init();

    if (ngx_recording_message_init(cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_recording_sweep_init(cycle);
}
