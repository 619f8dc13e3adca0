
/*
 * Copyright (C) The call recorder authors
 *
 * s3_credentials: where credentials come from.  What the configuration, the
 * environment and files say is read here, once.
 */


#include "ngx_http_s3.h"
#include "ngx_callrec.h"

#include <openssl/crypto.h>


#define NGX_HTTP_S3_TIMEOUT       5000      /* ms, of one request */
#define NGX_HTTP_S3_INSTANCE_URL  "http://169.254.169.254"
#define NGX_HTTP_S3_TASKS_URL     "http://169.254.170.2"
#define NGX_HTTP_S3_STS_URL       "https://sts.amazonaws.com/"


typedef struct {
    ngx_str_t                name;
    ngx_http_s3_source_e     source;
} ngx_http_s3_source_t;


/* Of s3_credentials; others are the provider's own. */
typedef struct {
    ngx_str_t                path;
    ngx_str_t                profile;
    ngx_str_t                url;
    ngx_str_t                ca;
} ngx_http_s3_parameters_t;


static ngx_int_t ngx_http_s3_provider_parameter(ngx_http_s3_provider_t *p,
    ngx_http_s3_parameters_t *given, ngx_str_t *value);
static ngx_http_s3_provider_t *ngx_http_s3_provider_create(ngx_conf_t *cf,
    ngx_http_s3_source_e source);
static char *ngx_http_s3_provider_env(ngx_conf_t *cf,
    ngx_http_s3_provider_t *p);
static char *ngx_http_s3_provider_file(ngx_conf_t *cf,
    ngx_http_s3_provider_t *p, ngx_str_t *path, ngx_str_t *profile);
static char *ngx_http_s3_provider_endpoint(ngx_conf_t *cf,
    ngx_http_s3_provider_t *p, ngx_str_t *url, ngx_str_t *ca);


static ngx_http_s3_source_t  ngx_http_s3_sources[] = {
    { ngx_string("static"), NGX_HTTP_S3_STATIC },
    { ngx_string("env"), NGX_HTTP_S3_ENV },
    { ngx_string("file"), NGX_HTTP_S3_FILE },
    { ngx_string("container"), NGX_HTTP_S3_CONTAINER },
    { ngx_string("instance"), NGX_HTTP_S3_INSTANCE },
    { ngx_string("web_identity"), NGX_HTTP_S3_WEB_IDENTITY },
    { ngx_null_string, 0 }
};


char *
ngx_http_s3_provider_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                      *rv;
    ngx_str_t                 *value;
    ngx_uint_t                 i;
    ngx_http_s3_source_t      *source;
    ngx_http_s3_provider_t    *p;
    ngx_http_s3_loc_conf_t    *slcf = conf;
    ngx_http_s3_parameters_t   given;

    if (slcf->provider != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (source = ngx_http_s3_sources; source->name.len; source++) {
        if (source->name.len == value[1].len
            && ngx_strncmp(source->name.data, value[1].data, value[1].len)
               == 0)
        {
            break;
        }
    }

    if (source->name.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "unknown source \"%V\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    p = ngx_http_s3_provider_create(cf, source->source);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&given, sizeof(ngx_http_s3_parameters_t));

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_http_s3_provider_parameter(p, &given, &value[i]) != NGX_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" of \"%V\"",
                               &value[i], &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    switch (source->source) {

    case NGX_HTTP_S3_STATIC:

        /* the keys' own directives make it */
        slcf->provider = NULL;
        return NGX_CONF_OK;

    case NGX_HTTP_S3_ENV:
        rv = ngx_http_s3_provider_env(cf, p);
        break;

    case NGX_HTTP_S3_FILE:
        rv = ngx_http_s3_provider_file(cf, p, &given.path, &given.profile);
        break;

    default:
        rv = ngx_http_s3_provider_endpoint(cf, p, &given.url, &given.ca);
    }

    slcf->provider = p;

    return rv;
}


/* "name=value", of those that this source has. */

static ngx_int_t
ngx_http_s3_provider_parameter(ngx_http_s3_provider_t *p,
    ngx_http_s3_parameters_t *given, ngx_str_t *value)
{
    size_t      len;
    ngx_uint_t  i;

    const struct {
        const char  *name;
        ngx_str_t   *to;
        ngx_uint_t   sources;            /* bits of ngx_http_s3_source_e */
    } parameters[] = {
        { "path=", &given->path, 1 << NGX_HTTP_S3_FILE },
        { "profile=", &given->profile, 1 << NGX_HTTP_S3_FILE },
        { "url=", &given->url, 1 << NGX_HTTP_S3_CONTAINER
                               | 1 << NGX_HTTP_S3_INSTANCE
                               | 1 << NGX_HTTP_S3_WEB_IDENTITY },
        { "ca=", &given->ca, 1 << NGX_HTTP_S3_CONTAINER
                             | 1 << NGX_HTTP_S3_WEB_IDENTITY },
        { "role=", &p->role, 1 << NGX_HTTP_S3_INSTANCE
                             | 1 << NGX_HTTP_S3_WEB_IDENTITY },
        { "session=", &p->session, 1 << NGX_HTTP_S3_WEB_IDENTITY },
        { "token_file=", &p->token_file, 1 << NGX_HTTP_S3_CONTAINER
                                         | 1 << NGX_HTTP_S3_WEB_IDENTITY }
    };

    for (i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++) {

        len = ngx_strlen(parameters[i].name);

        if (value->len > len
            && ngx_strncmp(value->data, parameters[i].name, len) == 0
            && (parameters[i].sources & 1 << p->source))
        {
            parameters[i].to->data = value->data + len;
            parameters[i].to->len = value->len - len;

            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


static ngx_http_s3_provider_t *
ngx_http_s3_provider_create(ngx_conf_t *cf, ngx_http_s3_source_e source)
{
    ngx_http_s3_provider_t   *p, **pp;
    ngx_http_s3_main_conf_t  *smcf;

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_s3_module);

    p = ngx_pcalloc(cf->pool, sizeof(ngx_http_s3_provider_t));
    if (p == NULL) {
        return NULL;
    }

    p->source = source;
    p->timeout = NGX_HTTP_S3_TIMEOUT;

    if (source >= NGX_HTTP_S3_CONTAINER) {

        pp = ngx_array_push(&smcf->providers);
        if (pp == NULL) {
            return NULL;
        }

        *pp = p;
    }

    return p;
}


ngx_http_s3_provider_t *
ngx_http_s3_provider_static(ngx_conf_t *cf, ngx_str_t *access,
    ngx_str_t *secret, ngx_str_t *session)
{
    ngx_http_s3_provider_t  *p;

    if (access->len == 0 || secret->len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"s3_access_key\" and \"s3_secret_key\" belong "
                           "together");
        return NULL;
    }

    if (access->len > CR_SIGV4_ACCESS_MAX || secret->len > CR_SIGV4_SECRET_MAX
        || session->len > CR_SIGV4_SESSION_MAX)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "an S3 key or token is too long");
        return NULL;
    }

    p = ngx_http_s3_provider_create(cf, NGX_HTTP_S3_STATIC);
    if (p == NULL) {
        return NULL;
    }

    ngx_memcpy(p->credentials.access, access->data, access->len);
    ngx_memcpy(p->credentials.secret, secret->data, secret->len);

    if (session->len) {
        ngx_memcpy(p->credentials.session, session->data, session->len);
    }

    return p;
}


ngx_str_t
ngx_http_s3_getenv(ngx_conf_t *cf, const char *name)
{
    u_char     *text;
    ngx_str_t   value;

    ngx_str_null(&value);

    text = (u_char *) getenv(name);

    if (text != NULL) {
        value.data = ngx_pnalloc(cf->pool, ngx_strlen(text) + 1);

        if (value.data != NULL) {
            value.len = ngx_strlen(text);
            ngx_memcpy(value.data, text, value.len + 1);
        }
    }

    return value;
}


static char *
ngx_http_s3_provider_env(ngx_conf_t *cf, ngx_http_s3_provider_t *p)
{
    ngx_str_t                access, secret, session;
    ngx_http_s3_provider_t  *fixed;

    access = ngx_http_s3_getenv(cf, "AWS_ACCESS_KEY_ID");
    secret = ngx_http_s3_getenv(cf, "AWS_SECRET_ACCESS_KEY");
    session = ngx_http_s3_getenv(cf, "AWS_SESSION_TOKEN");

    if (access.len == 0 || secret.len == 0) {
        return "finds no AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the "
               "environment";
    }

    fixed = ngx_http_s3_provider_static(cf, &access, &secret, &session);
    if (fixed == NULL) {
        return NGX_CONF_ERROR;
    }

    p->credentials = fixed->credentials;

    return NGX_CONF_OK;
}


static char *
ngx_http_s3_provider_file(ngx_conf_t *cf, ngx_http_s3_provider_t *p,
    ngx_str_t *path, ngx_str_t *profile)
{
    u_char       *name;
    ngx_str_t     text;
    cr_status_e   rc;
    const char   *why;

    if (path->len == 0) {
        return "needs \"path=\" for a file";
    }

    if (profile->len == 0) {
        ngx_str_set(profile, "default");
    }

    name = ngx_pnalloc(cf->pool, profile->len + 1);

    if (name == NULL
        || ngx_callrec_conf_read(cf, path, CR_S3_DOCUMENT_MAX, &text)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    (void) ngx_cpystrn(name, profile->data, profile->len + 1);

    rc = cr_s3_credentials_file((char *) text.data, text.len, (char *) name,
                                &p->credentials, &why);

    OPENSSL_cleanse(text.data, text.len);
    (void) ngx_pfree(cf->pool, text.data);

    if (rc != CR_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "profile \"%V\" of \"%V\": %s", profile, path, why);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_s3_provider_endpoint(ngx_conf_t *cf, ngx_http_s3_provider_t *p,
    ngx_str_t *url, ngx_str_t *ca)
{
    ngx_str_t  relative;

    switch (p->source) {

    case NGX_HTTP_S3_CONTAINER:

        if (url->len == 0) {
            *url = ngx_http_s3_getenv(cf,
                                      "AWS_CONTAINER_CREDENTIALS_FULL_URI");
        }

        if (url->len == 0) {
            relative = ngx_http_s3_getenv(cf,
                                "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");

            if (relative.len == 0) {
                return "needs \"url=\" or AWS_CONTAINER_CREDENTIALS_FULL_URI "
                       "or ..._RELATIVE_URI in the environment";
            }

            url->len = sizeof(NGX_HTTP_S3_TASKS_URL) - 1 + relative.len;
            url->data = ngx_pnalloc(cf->pool, url->len);
            if (url->data == NULL) {
                return NGX_CONF_ERROR;
            }

            ngx_sprintf(url->data, NGX_HTTP_S3_TASKS_URL "%V", &relative);
        }

        if (p->token_file.len == 0) {
            p->token_file = ngx_http_s3_getenv(cf,
                                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
        }

        p->token = ngx_http_s3_getenv(cf,
                                      "AWS_CONTAINER_AUTHORIZATION_TOKEN");
        break;

    case NGX_HTTP_S3_INSTANCE:

        if (url->len == 0) {
            ngx_str_set(url, NGX_HTTP_S3_INSTANCE_URL);
        }

        break;

    default: /* NGX_HTTP_S3_WEB_IDENTITY */

        if (url->len == 0) {
            ngx_str_set(url, NGX_HTTP_S3_STS_URL);
        }

        if (p->token_file.len == 0) {
            p->token_file = ngx_http_s3_getenv(cf,
                                    "AWS_WEB_IDENTITY_TOKEN_FILE");
        }

        if (p->role.len == 0) {
            p->role = ngx_http_s3_getenv(cf, "AWS_ROLE_ARN");
        }

        if (p->session.len == 0) {
            p->session = ngx_http_s3_getenv(cf, "AWS_ROLE_SESSION_NAME");
        }

        if (p->session.len == 0) {
            ngx_str_set(&p->session, "nginx");
        }

        if (p->token_file.len == 0 || p->role.len == 0) {
            return "needs \"token_file=\" and \"role=\", or "
                   "AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN in the "
                   "environment";
        }
    }

    if (ca->len && ngx_conf_full_name(cf->cycle, ca, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (p->token_file.len) {

        if (ngx_conf_full_name(cf->cycle, &p->token_file, 1) != NGX_OK) {
            return NGX_CONF_ERROR;
        }

        p->pool = ngx_thread_pool_add(cf, NULL);
        if (p->pool == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    return ngx_http_s3_url(cf, &p->url, url, ca) == NGX_OK ? NGX_CONF_OK
                                                           : NGX_CONF_ERROR;
}
