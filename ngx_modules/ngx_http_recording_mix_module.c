
/*
 * Copyright (C) The call recorder authors
 *
 * Directives of the exec hook, the store and the location that takes results
 * in.
 */

#include "ngx_recording_mix.h"

#include "job/args.h"
#include "ngx_http_s3.h"
#include "ngx_recording_conf.h"
#include "ngx_recording_spawn.h"
#include "ngx_recording_upload.h"


#define NGX_RECORDING_SLOTS_ZONE_SIZE  (16 * ngx_pagesize)


typedef struct {
    ngx_recording_mix_conf_t  mix;
    ngx_str_t                 ffmpeg;
} ngx_http_recording_mix_main_conf_t;


static void *ngx_http_recording_mix_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_recording_mix_init_main_conf(ngx_conf_t *cf,
    void *conf);
static char *ngx_http_recording_exec(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_recording_exec_max(ngx_conf_t *cf, void *post,
    void *data);
static char *ngx_http_recording_store(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_recording_store_local(ngx_conf_t *cf,
    ngx_recording_store_t *store);
static char *ngx_http_recording_store_s3(ngx_conf_t *cf,
    ngx_recording_store_t *store);
static ngx_int_t ngx_http_recording_mix_postconfiguration(ngx_conf_t *cf);
static char *ngx_http_recording_parts(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_http_recording_exec_default(ngx_conf_t *cf,
    ngx_http_recording_mix_main_conf_t *mcf);
static void ngx_http_recording_mix_exit_process(ngx_cycle_t *cycle);


static ngx_conf_enum_t  ngx_http_recording_mix_modes[] = {
    { ngx_string("off"), NGX_RECORDING_MIX_OFF },
    { ngx_string("batch"), NGX_RECORDING_MIX_BATCH },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_recording_keep_local[] = {
    { ngx_string("chunks"), NGX_RECORDING_KEEP_CHUNKS },
    { ngx_string("all"), NGX_RECORDING_KEEP_ALL },
    { ngx_null_string, 0 }
};


static ngx_conf_post_t  ngx_http_recording_exec_max_post = {
    ngx_http_recording_exec_max
};


/* The mix as it is without recording_exec; recording_ffmpeg goes in front.
 * The process runs in the recording's folder. */
static const char *const  ngx_http_recording_default_args[] = {
    "-hide_banner", "-nostdin", "-loglevel", "warning",
    "-filter_complex", "callmix=dir=.[v][a]",
    "-map", "[v]", "-map", "[a]",
    "-c:v", "libx264", "-preset", "veryfast", "-crf", "23",
    "-pix_fmt", "yuv420p",
    "-c:a", "aac", "-b:a", "128k",
    "-f", "callrec", "-duration_hint", "$recording_seconds",
    "$recording_parts_url",
    NULL
};


static ngx_command_t  ngx_http_recording_mix_commands[] = {

    { ngx_string("recording_mix"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_recording_mix_main_conf_t, mix.mix),
      &ngx_http_recording_mix_modes },

    { ngx_string("recording_ffmpeg"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_recording_mix_main_conf_t, ffmpeg),
      NULL },

    { ngx_string("recording_exec"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_recording_exec,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("recording_exec_max"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_recording_mix_main_conf_t, mix.exec_max),
      &ngx_http_recording_exec_max_post },

    { ngx_string("recording_exec_nice"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_recording_mix_main_conf_t, mix.exec_nice),
      NULL },

    { ngx_string("recording_exec_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_recording_mix_main_conf_t, mix.exec_timeout),
      NULL },

    { ngx_string("recording_parts_url"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_recording_mix_main_conf_t, mix.parts_url),
      NULL },

    { ngx_string("recording_store"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_recording_store,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("recording_upload_deadline"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_recording_mix_main_conf_t, mix.upload_deadline),
      NULL },

    { ngx_string("recording_keep_local"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_recording_mix_main_conf_t, mix.keep_local),
      &ngx_http_recording_keep_local },

    { ngx_string("recording_parts"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_recording_parts,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_recording_mix_module_ctx = {
    NULL,                                      /* preconfiguration */
    ngx_http_recording_mix_postconfiguration,  /* postconfiguration */

    ngx_http_recording_mix_create_main_conf,   /* create main conf */
    ngx_http_recording_mix_init_main_conf,     /* init main conf */

    NULL,                                      /* create server conf */
    NULL,                                      /* merge server conf */

    NULL,                                      /* create location conf */
    NULL                                       /* merge location conf */
};


ngx_module_t  ngx_http_recording_mix_module = {
    NGX_MODULE_V1,
    &ngx_http_recording_mix_module_ctx,        /* module context */
    ngx_http_recording_mix_commands,           /* module directives */
    NGX_HTTP_MODULE,                           /* module type */
    NULL,                                      /* init master */
    NULL,                                      /* init module */
    NULL,                                      /* init process */
    NULL,                                      /* init thread */
    NULL,                                      /* exit thread */
    ngx_http_recording_mix_exit_process,       /* exit process */
    NULL,                                      /* exit master */
    NGX_MODULE_V1_PADDING
};


ngx_recording_mix_conf_t *
ngx_recording_mix_conf(void)
{
    ngx_http_conf_ctx_t                 *ctx;
    ngx_http_recording_mix_main_conf_t  *mcf;

    ctx = (ngx_http_conf_ctx_t *) ngx_get_conf(ngx_cycle->conf_ctx,
                                               ngx_http_module);
    if (ctx == NULL) {
        return NULL;
    }

    mcf = ctx->main_conf[ngx_http_recording_mix_module.ctx_index];

    return &mcf->mix;
}


static void *
ngx_http_recording_mix_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_recording_mix_main_conf_t  *mcf;

    mcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_recording_mix_main_conf_t));
    if (mcf == NULL) {
        return NULL;
    }

    mcf->mix.mix = NGX_CONF_UNSET_UINT;
    mcf->mix.exec_max = NGX_CONF_UNSET;
    mcf->mix.exec_nice = NGX_CONF_UNSET;
    mcf->mix.exec_timeout = NGX_CONF_UNSET_MSEC;
    mcf->mix.upload_deadline = NGX_CONF_UNSET_MSEC;
    mcf->mix.keep_local = NGX_CONF_UNSET_UINT;

    return mcf;
}


static char *
ngx_http_recording_mix_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_recording_mix_main_conf_t *mcf = conf;

    ngx_str_t                  name;
    ngx_recording_mix_conf_t  *mix;

    mix = &mcf->mix;

    ngx_conf_init_uint_value(mix->mix, NGX_RECORDING_MIX_OFF);
    ngx_conf_init_value(mix->exec_max, ngx_max(ngx_ncpu, 1));
    ngx_conf_init_value(mix->exec_nice, 10);
    ngx_conf_init_msec_value(mix->exec_timeout, 30000);
    ngx_conf_init_msec_value(mix->upload_deadline, 24 * 60 * 60 * 1000);
    ngx_conf_init_uint_value(mix->keep_local, NGX_RECORDING_KEEP_CHUNKS);

    if (mix->store == NULL) {
        mix->store = ngx_pcalloc(cf->pool, sizeof(ngx_recording_store_t));
        if (mix->store == NULL) {
            return NGX_CONF_ERROR;
        }

        *mix->store = ngx_recording_store_local;
    }

    if (mix->mix == NGX_RECORDING_MIX_OFF) {
        return NGX_CONF_OK;
    }

    if (mix->parts_url.len == 0
        || mix->parts_url.data[mix->parts_url.len - 1] != '/')
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"recording_mix\" needs a \"recording_parts_url\" "
                           "that ends in a slash: the URL of the location "
                           "with \"recording_parts\"");
        return NGX_CONF_ERROR;
    }

    if (mix->exec == NULL
        && ngx_http_recording_exec_default(cf, mcf) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    ngx_str_set(&name, "recording_exec");

    mix->zone = ngx_shared_memory_add(cf, &name,
                                      NGX_RECORDING_SLOTS_ZONE_SIZE,
                                      &ngx_http_recording_mix_module);
    if (mix->zone == NULL) {
        return NGX_CONF_ERROR;
    }

    mix->zone->init = ngx_recording_slots_init_zone;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_recording_exec_default(ngx_conf_t *cf,
    ngx_http_recording_mix_main_conf_t *mcf)
{
    ngx_str_t   *arg, ffmpeg;
    ngx_uint_t   i;

    mcf->mix.exec = ngx_array_create(cf->pool, 32, sizeof(ngx_str_t));
    if (mcf->mix.exec == NULL) {
        return NGX_ERROR;
    }

    if (mcf->ffmpeg.len == 0) {
        ngx_str_set(&ffmpeg, "callrec-ffmpeg");

    } else {
        ffmpeg = mcf->ffmpeg;

        /* a bare name is looked up in PATH, anything else is a file */

        if (ngx_strlchr(ffmpeg.data, ffmpeg.data + ffmpeg.len, '/') != NULL
            && ngx_conf_full_name(cf->cycle, &ffmpeg, 0) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    arg = ngx_array_push(mcf->mix.exec);
    if (arg == NULL) {
        return NGX_ERROR;
    }

    *arg = ffmpeg;

    for (i = 0; ngx_http_recording_default_args[i] != NULL; i++) {
        arg = ngx_array_push(mcf->mix.exec);
        if (arg == NULL) {
            return NGX_ERROR;
        }

        arg->data = (u_char *) ngx_http_recording_default_args[i];
        arg->len = ngx_strlen(arg->data);
    }

    return NGX_OK;
}


static char *
ngx_http_recording_exec(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_recording_mix_main_conf_t *mcf = conf;

    ngx_str_t     *value, *arg;
    ngx_uint_t     i;
    const char    *bad;
    cr_job_var_t   vars[NGX_RECORDING_EXEC_VARS];

    if (mcf->mix.exec != NULL) {
        return "is duplicate";
    }

    if (cf->args->nelts - 1 > CR_JOB_ARGS_MAX) {
        return "has too many arguments";
    }

    for (i = 0; i < NGX_RECORDING_EXEC_VARS; i++) {
        vars[i].name = ngx_recording_exec_vars[i];
        vars[i].value = "";
    }

    mcf->mix.exec = ngx_array_create(cf->pool, cf->args->nelts - 1,
                                     sizeof(ngx_str_t));
    if (mcf->mix.exec == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        /* the configuration's strings are NUL-terminated */

        if (cr_job_arg_check((char *) value[i].data, vars,
                             NGX_RECORDING_EXEC_VARS, &bad)
            != CR_OK)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "unknown variable in \"recording_exec\" at "
                               "\"%s\"", bad);
            return NGX_CONF_ERROR;
        }

        arg = ngx_array_push(mcf->mix.exec);
        if (arg == NULL) {
            return NGX_CONF_ERROR;
        }

        *arg = value[i];
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_recording_exec_max(ngx_conf_t *cf, void *post, void *data)
{
    ngx_int_t *max = data;

    return (*max >= 1 && *max <= 256) ? NGX_CONF_OK
                                      : "must be between 1 and 256";
}


/* In http it is "local", in a location "s3": one of them. */
static char *
ngx_http_recording_store(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_recording_mix_main_conf_t *mcf = conf;

    ngx_str_t                    *value;
    ngx_uint_t                    local;
    const ngx_recording_store_t  *kind;

    if (mcf->mix.store != NULL) {
        return "is duplicate";
    }

    value = cf->args->elts;
    local = (cf->cmd_type & NGX_HTTP_MAIN_CONF) != 0;
    kind = local ? &ngx_recording_store_local : &ngx_recording_store_s3;

    if (value[1].len != kind->name.len
        || ngx_strncmp(value[1].data, kind->name.data, value[1].len) != 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "unknown store \"%V\": %s", &value[1],
                           local ? "here it is \"local\", or \"s3\" in a "
                                   "location"
                                 : "in a location it is \"s3\"");
        return NGX_CONF_ERROR;
    }

    mcf->mix.store = ngx_palloc(cf->pool, sizeof(ngx_recording_store_t));
    if (mcf->mix.store == NULL) {
        return NGX_CONF_ERROR;
    }

    *mcf->mix.store = *kind;

    return local ? ngx_http_recording_store_local(cf, mcf->mix.store)
                 : ngx_http_recording_store_s3(cf, mcf->mix.store);
}


static char *
ngx_http_recording_store_local(ngx_conf_t *cf, ngx_recording_store_t *store)
{
    ngx_str_t   *value, *path;
    ngx_path_t  *folder;

    if (cf->args->nelts > 3) {
        return "has too many parameters";
    }

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    value = cf->args->elts;
    path = &store->path;
    *path = value[2];

    if (ngx_conf_full_name(cf->cycle, path, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    while (path->len > 1 && path->data[path->len - 1] == '/') {
        path->len--;
    }

    if (path->len >= NGX_RECORDING_DIR_MAX) {
        return "has a path that is too long";
    }

    /* made at start, and given to the workers' user */

    folder = ngx_pcalloc(cf->pool, sizeof(ngx_path_t));
    if (folder == NULL) {
        return NGX_CONF_ERROR;
    }

    folder->name = *path;

    return ngx_add_path(cf, &folder) == NGX_OK ? NGX_CONF_OK
                                               : NGX_CONF_ERROR;
}


static char *
ngx_http_recording_store_s3(ngx_conf_t *cf, ngx_recording_store_t *store)
{
    u_char                    *p;
    ssize_t                    size;
    ngx_int_t                  n;
    ngx_str_t                 *value, part;
    ngx_uint_t                 i;
    ngx_recording_s3_conf_t   *s3;
    ngx_http_core_loc_conf_t  *clcf;
    ngx_http_core_srv_conf_t  *cscf;

    s3 = ngx_pcalloc(cf->pool, sizeof(ngx_recording_s3_conf_t));
    if (s3 == NULL) {
        return NGX_CONF_ERROR;
    }

    store->s3 = s3;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    cscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);

    if (clcf->named || clcf->name.len == 0
#if (NGX_PCRE)
        || clcf->regex != NULL
#endif
        || clcf->name.data[clcf->name.len - 1] != '/')
    {
        return "must be in a location that ends in a slash";
    }

    s3->ctx = cscf->ctx;
    s3->loc_conf = ((ngx_http_conf_ctx_t *) cf->ctx)->loc_conf;
    s3->location = clcf->name;
    s3->part_size = 8 * 1024 * 1024;
    s3->parallel = 1;

    value = cf->args->elts;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "prefix=", 7) == 0) {
            s3->prefix.data = value[i].data + 7;
            s3->prefix.len = value[i].len - 7;

            for (p = s3->prefix.data; *p; p++) {
                if (*p <= 0x20 || *p >= 0x7f) {
                    return "has a prefix that is not printable ASCII";
                }
            }

            if (s3->prefix.len > CR_UPLOAD_KEY_MAX / 2) {
                return "has a prefix that is too long";
            }

            continue;
        }

        if (ngx_strncmp(value[i].data, "part_size=", 10) == 0) {
            part.data = value[i].data + 10;
            part.len = value[i].len - 10;
            size = ngx_parse_size(&part);

            if (size < (ssize_t) CR_S3_PART_SIZE_MIN
                || (uint64_t) size > CR_S3_PART_SIZE_MAX)
            {
                return "has a part_size that is not between 5m and 5g";
            }

            s3->part_size = size;
            continue;
        }

        if (ngx_strncmp(value[i].data, "parallel=", 9) == 0) {
            n = ngx_atoi(value[i].data + 9, value[i].len - 9);

            if (n < 1 || n > 16) {
                return "has a parallel that is not between 1 and 16";
            }

            s3->parallel = n;
            continue;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"",
                           &value[i]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* What is configured of s3_* is known now. */
static ngx_int_t
ngx_http_recording_mix_postconfiguration(ngx_conf_t *cf)
{
    ngx_recording_store_t               *store;
    ngx_http_s3_loc_conf_t              *s3;
    ngx_http_recording_mix_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf,
                                             ngx_http_recording_mix_module);
    store = mcf->mix.store;

    if (store->s3 == NULL) {
        return NGX_OK;
    }

    s3 = store->s3->loc_conf[ngx_http_s3_module.ctx_index];

    if (s3->sign == NGX_HTTP_S3_OFF || s3->bucket == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"recording_store s3\" needs \"s3_sign\" and "
                           "\"s3_bucket\" in its location");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static char *
ngx_http_recording_parts(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_recording_parts_handler;

    if (clcf->name.len == 0 || clcf->name.data[clcf->name.len - 1] != '/') {
        return "must be in a location that ends in a slash";
    }

    return NGX_CONF_OK;
}


static void
ngx_http_recording_mix_exit_process(ngx_cycle_t *cycle)
{
    ngx_recording_spawn_forget();
}
