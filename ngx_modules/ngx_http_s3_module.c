
/*
 * Copyright (C) The call recorder authors
 *
 * Requests to S3 signed with AWS Signature V4, and presigned URLs.
 */


#include "ngx_http_s3.h"
#include "ngx_http_s3_call.h"
#include "ngx_callrec.h"


#define NGX_HTTP_S3_SECRET_MAX  65536


static ngx_int_t ngx_http_s3_add_variables(ngx_conf_t *cf);
static ngx_int_t ngx_http_s3_postconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_s3_init_process(ngx_cycle_t *cycle);
static void *ngx_http_s3_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_s3_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_s3_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static ngx_int_t ngx_http_s3_own_keys(ngx_conf_t *cf,
    ngx_http_s3_loc_conf_t *conf);
static char *ngx_http_s3_endpoint(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_s3_secret(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


static ngx_conf_enum_t  ngx_http_s3_signs[] = {
    { ngx_string("off"), NGX_HTTP_S3_OFF },
    { ngx_string("on"), NGX_HTTP_S3_ON },
    { ngx_string("unsigned"), NGX_HTTP_S3_UNSIGNED },
    { ngx_string("payload"), NGX_HTTP_S3_PAYLOAD },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_http_s3_commands[] = {

    { ngx_string("s3_sign"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_s3_loc_conf_t, sign),
      &ngx_http_s3_signs },

    { ngx_string("s3_region"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_s3_loc_conf_t, region),
      NULL },

    { ngx_string("s3_service"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_s3_loc_conf_t, service),
      NULL },

    { ngx_string("s3_endpoint"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_s3_endpoint,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("s3_bucket"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_s3_loc_conf_t, bucket),
      NULL },

    { ngx_string("s3_key"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_s3_loc_conf_t, key),
      NULL },

    { ngx_string("s3_access_key"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_s3_secret,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_s3_loc_conf_t, access),
      NULL },

    { ngx_string("s3_secret_key"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_s3_secret,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_s3_loc_conf_t, secret),
      NULL },

    { ngx_string("s3_session_token"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_s3_secret,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_s3_loc_conf_t, session),
      NULL },

    { ngx_string("s3_credentials"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_s3_provider_set,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("s3_presign_expires"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_s3_loc_conf_t, presign_expires),
      NULL },

    { ngx_string("s3_presign_args"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_s3_loc_conf_t, presign_args),
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_s3_module_ctx = {
    ngx_http_s3_add_variables,                 /* preconfiguration */
    ngx_http_s3_postconfiguration,             /* postconfiguration */

    ngx_http_s3_create_main_conf,              /* create main configuration */
    NULL,                                      /* init main configuration */

    NULL,                                      /* create server configuration */
    NULL,                                      /* merge server configuration */

    ngx_http_s3_create_loc_conf,               /* create location conf */
    ngx_http_s3_merge_loc_conf                 /* merge location conf */
};


ngx_module_t  ngx_http_s3_module = {
    NGX_MODULE_V1,
    &ngx_http_s3_module_ctx,                   /* module context */
    ngx_http_s3_commands,                      /* module directives */
    NGX_HTTP_MODULE,                           /* module type */
    NULL,                                      /* init master */
    NULL,                                      /* init module */
    ngx_http_s3_init_process,                  /* init process */
    NULL,                                      /* init thread */
    NULL,                                      /* exit thread */
    NULL,                                      /* exit process */
    NULL,                                      /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_str_t  ngx_http_s3_url_name = ngx_string("s3_presigned_url");


static ngx_int_t
ngx_http_s3_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var;

    var = ngx_http_add_variable(cf, &ngx_http_s3_url_name,
                                NGX_HTTP_VAR_NOCACHEABLE);
    if (var == NULL) {
        return NGX_ERROR;
    }

    var->get_handler = ngx_http_s3_presigned_url;

    return NGX_OK;
}


static ngx_int_t
ngx_http_s3_postconfiguration(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PRECONTENT_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_s3_precontent;

    ngx_http_s3_call_init();

    return NGX_OK;
}


static ngx_int_t
ngx_http_s3_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                 i;
    ngx_http_s3_provider_t   **p;
    ngx_http_s3_main_conf_t   *smcf;

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    smcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_s3_module);

    if (smcf == NULL) {
        return NGX_OK;
    }

    p = smcf->providers.elts;

    for (i = 0; i < smcf->providers.nelts; i++) {
        ngx_http_s3_provider_start(p[i], cycle);
    }

    return NGX_OK;
}


static void *
ngx_http_s3_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_s3_main_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_s3_main_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&conf->providers, cf->pool, 4,
                       sizeof(ngx_http_s3_provider_t *))
        != NGX_OK)
    {
        return NULL;
    }

    return conf;
}


static void *
ngx_http_s3_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_s3_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_s3_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->region, service, scheme, host = { 0, NULL };
     *     conf->access, secret, session = { 0, NULL };
     *     conf->pool = NULL;
     *     conf->cache = NULL;
     */

    conf->sign = NGX_CONF_UNSET_UINT;
    conf->style = NGX_CONF_UNSET_UINT;
    conf->presign_expires = NGX_CONF_UNSET;
    conf->bucket = NGX_CONF_UNSET_PTR;
    conf->key = NGX_CONF_UNSET_PTR;
    conf->presign_args = NGX_CONF_UNSET_PTR;
    conf->provider = NGX_CONF_UNSET_PTR;

    return conf;
}


static char *
ngx_http_s3_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_s3_loc_conf_t  *prev = parent;
    ngx_http_s3_loc_conf_t  *conf = child;

    ngx_conf_merge_uint_value(conf->sign, prev->sign, NGX_HTTP_S3_OFF);
    ngx_conf_merge_str_value(conf->region, prev->region, "us-east-1");
    ngx_conf_merge_str_value(conf->service, prev->service, "s3");
    ngx_conf_merge_sec_value(conf->presign_expires, prev->presign_expires,
                             3600);
    ngx_conf_merge_ptr_value(conf->bucket, prev->bucket, NULL);
    ngx_conf_merge_ptr_value(conf->key, prev->key, NULL);
    ngx_conf_merge_ptr_value(conf->presign_args, prev->presign_args, NULL);

    if (conf->region.len == 0 || conf->region.len > CR_SIGV4_REGION_MAX
        || conf->service.len == 0 || conf->service.len > CR_SIGV4_SERVICE_MAX)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"s3_region\" or \"s3_service\" is empty or too "
                           "long");
        return NGX_CONF_ERROR;
    }

    if (conf->presign_expires < 1
        || conf->presign_expires > CR_SIGV4_EXPIRES_MAX)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"s3_presign_expires\" is "
                           "not between a second and a week");
        return NGX_CONF_ERROR;
    }

    if (conf->host.len == 0) {
        conf->scheme = prev->scheme;
        conf->host = prev->host;
        conf->style = prev->style;
    }

    /* the level of http{} is nobody's child, so it is looked at here */

    if (ngx_http_s3_own_keys(cf, prev) != NGX_OK
        || ngx_http_s3_own_keys(cf, conf) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (conf->provider == NGX_CONF_UNSET_PTR) {
        conf->provider = prev->provider;
    }

    if (conf->provider == NGX_CONF_UNSET_PTR) {

        if (conf->sign != NGX_HTTP_S3_OFF) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"s3_sign\" needs \"s3_access_key\" and "
                               "\"s3_secret_key\", or \"s3_credentials\"");
            return NGX_CONF_ERROR;
        }

        return NGX_CONF_OK;
    }

    /* a default of their own only where it is used: AWS in the region */

    if (conf->host.len == 0 && conf->bucket != NULL) {

        ngx_str_set(&conf->scheme, "https://");

        conf->host.len = sizeof("s3..amazonaws.com") - 1 + conf->region.len;
        conf->host.data = ngx_pnalloc(cf->pool, conf->host.len);
        if (conf->host.data == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_sprintf(conf->host.data, "s3.%V.amazonaws.com", &conf->region);
        conf->style = NGX_HTTP_S3_VIRTUAL;
    }

    conf->cache = ngx_pcalloc(cf->pool, sizeof(cr_sigv4_key_t));
    if (conf->cache == NULL) {
        return NGX_CONF_ERROR;
    }

    if (conf->sign == NGX_HTTP_S3_PAYLOAD) {
        conf->pool = ngx_thread_pool_add(cf, NULL);
        if (conf->pool == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/* A level that has any of the three keys has them all, or none of above. */

static ngx_int_t
ngx_http_s3_own_keys(ngx_conf_t *cf, ngx_http_s3_loc_conf_t *conf)
{
    const char  *wrong;

    if (conf->access.len || conf->secret.len || conf->session.len) {

        if (conf->provider == NGX_CONF_UNSET_PTR || conf->provider == NULL) {
            conf->provider = ngx_http_s3_provider_static(cf, &conf->access,
                                             &conf->secret, &conf->session);

            return conf->provider != NULL ? NGX_OK : NGX_ERROR;
        }

        if (conf->provider->source == NGX_HTTP_S3_STATIC) {
            return NGX_OK;
        }

        wrong = "\"s3_credentials\" of another source stands beside "
                "\"s3_access_key\"";

    } else if (conf->provider == NULL) {
        wrong = "\"s3_credentials static\" needs \"s3_access_key\" and "
                "\"s3_secret_key\" beside it";

    } else {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, wrong);

    return NGX_ERROR;
}


static char *
ngx_http_s3_endpoint(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t               *value;
    ngx_http_s3_loc_conf_t  *slcf = conf;

    if (slcf->host.len) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strncmp(value[1].data, "http://", 7) == 0) {
        slcf->scheme.len = 7;

    } else if (ngx_strncmp(value[1].data, "https://", 8) == 0) {
        slcf->scheme.len = 8;

    } else {
        return "is no http:// or https:// URL";
    }

    slcf->scheme.data = value[1].data;
    slcf->host.data = value[1].data + slcf->scheme.len;
    slcf->host.len = value[1].len - slcf->scheme.len;

    if (slcf->host.len && slcf->host.data[slcf->host.len - 1] == '/') {
        slcf->host.len--;
    }

    if (slcf->host.len == 0
        || ngx_strlchr(slcf->host.data, slcf->host.data + slcf->host.len, '/')
           != NULL)
    {
        return "is no URL of scheme, host and port alone";
    }

    slcf->style = NGX_HTTP_S3_PATH;

    if (cf->args->nelts == 2 || ngx_strcmp(value[2].data, "path") == 0) {
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[2].data, "virtual") == 0) {
        slcf->style = NGX_HTTP_S3_VIRTUAL;
        return NGX_CONF_OK;
    }

    return "has a style that is neither \"path\" nor \"virtual\"";
}


/* A value, "env:NAME" or "file:PATH". */

static char *
ngx_http_s3_secret(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    u_char     *text;
    ngx_str_t  *field, *value, name;

    field = (ngx_str_t *) (p + cmd->offset);

    if (field->data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len > 4 && ngx_strncmp(value[1].data, "env:", 4) == 0) {

        *field = ngx_http_s3_getenv(cf, (char *) value[1].data + 4);

        if (field->len == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\": the environment has no %s",
                               &cmd->name, value[1].data + 4);
            return NGX_CONF_ERROR;
        }

    } else if (value[1].len > 5
               && ngx_strncmp(value[1].data, "file:", 5) == 0)
    {
        name.data = value[1].data + 5;
        name.len = value[1].len - 5;

        if (ngx_callrec_conf_read(cf, &name, NGX_HTTP_S3_SECRET_MAX, field)
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }

    } else {
        *field = value[1];
    }

    for (text = field->data; text < field->data + field->len; text++) {
        if (*text <= 0x20 || *text >= 0x7f) {
            return "has a character that no key has";
        }
    }

    return field->len ? NGX_CONF_OK : "is empty";
}
