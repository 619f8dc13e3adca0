
/*
 * Copyright (C) The call recorder authors
 *
 * Bearer tokens of requests, RFC 6750: keys by configuration, and the check
 * that the WHIP and API handlers ask for.
 */


#include "ngx_http_recording_auth_module.h"
#include "ngx_callrec.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>


#define NGX_HTTP_RECORDING_AUTH_KEY_MAX   65536
#define NGX_HTTP_RECORDING_AUTH_HMAC_MIN  32     /* RFC 7518 section 3.2 */
#define NGX_HTTP_RECORDING_AUTH_RSA_MIN   2048   /* RFC 7518 section 3.3 */


typedef struct {
    ngx_str_t                        value;
    ngx_uint_t                       checked;    /* for this algorithm */
} ngx_http_recording_auth_key_t;


typedef struct {
    ngx_flag_t                       enable;
    ngx_uint_t                       alg;        /* cr_jwt_alg_e */
    ngx_http_recording_auth_key_t   *key;
    ngx_str_t                        directive;  /* that needs the key */
} ngx_http_recording_auth_loc_conf_t;


static ngx_int_t ngx_http_recording_auth_token(ngx_http_request_t *r,
    ngx_str_t *token, const char **code, const char **message);
static ngx_int_t ngx_http_recording_auth_denied(ngx_http_request_t *r,
    const char **code, const char **message, const char *why_code,
    const char *why);
static ngx_int_t ngx_http_recording_auth_internal(ngx_http_request_t *r,
    const char **code, const char **message, const char *why);
static void *ngx_http_recording_auth_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_recording_auth_merge_loc_conf(ngx_conf_t *cf,
    void *parent, void *child);
static char *ngx_http_recording_auth_enable(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_http_recording_auth_key(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_recording_auth_key_file(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static ngx_int_t ngx_http_recording_auth_check_key(ngx_conf_t *cf,
    ngx_http_recording_auth_loc_conf_t *conf);
static ngx_int_t ngx_http_recording_auth_check_rsa(ngx_conf_t *cf,
    ngx_str_t *pem);


static ngx_conf_enum_t  ngx_http_recording_auth_algs[] = {
    { ngx_string("HS256"), CR_JWT_HS256 },
    { ngx_string("RS256"), CR_JWT_RS256 },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_http_recording_auth_commands[] = {

    { ngx_string("recording_auth"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_http_recording_auth_enable,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_recording_auth_loc_conf_t, enable),
      NULL },

    { ngx_string("recording_jwt_alg"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_recording_auth_loc_conf_t, alg),
      &ngx_http_recording_auth_algs },

    { ngx_string("recording_jwt_key"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_recording_auth_key,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("recording_jwt_key_file"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_recording_auth_key_file,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_recording_auth_module_ctx = {
    NULL,                                      /* preconfiguration */
    NULL,                                      /* postconfiguration */

    NULL,                                      /* create main configuration */
    NULL,                                      /* init main configuration */

    NULL,                                      /* create server configuration */
    NULL,                                      /* merge server configuration */

    ngx_http_recording_auth_create_loc_conf,   /* create location conf */
    ngx_http_recording_auth_merge_loc_conf     /* merge location conf */
};


ngx_module_t  ngx_http_recording_auth_module = {
    NGX_MODULE_V1,
    &ngx_http_recording_auth_module_ctx,       /* module context */
    ngx_http_recording_auth_commands,          /* module directives */
    NGX_HTTP_MODULE,                           /* module type */
    NULL,                                      /* init master */
    NULL,                                      /* init module */
    NULL,                                      /* init process */
    NULL,                                      /* init thread */
    NULL,                                      /* exit thread */
    NULL,                                      /* exit process */
    NULL,                                      /* exit master */
    NGX_MODULE_V1_PADDING
};


ngx_int_t
ngx_http_recording_auth(ngx_http_request_t *r, const char *call_id,
    size_t len, unsigned permission, cr_jwt_claims_t *claims,
    const char **code, const char **message)
{
    ngx_int_t                            rc;
    ngx_str_t                            token;
    const char                          *why;
    ngx_http_recording_auth_loc_conf_t  *alcf;

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_recording_auth_module);

    ngx_memzero(claims, sizeof(cr_jwt_claims_t));

    if (!alcf->enable) {

        if (len <= CR_ID_MAX) {
            ngx_memcpy(claims->call, call_id, len);
        }

        claims->permissions = CR_PERMIT_PUBLISH|CR_PERMIT_RECORD
                              |CR_PERMIT_READ|CR_PERMIT_DELETE;
        return NGX_OK;
    }

    if (alcf->key == NULL) {
        return ngx_http_recording_auth_internal(r, code, message,
                                          "this location has no key");
    }

    ngx_str_null(&token);

    rc = ngx_http_recording_auth_token(r, &token, code, message);

    if (rc != NGX_OK) {
        return rc;
    }

    switch (cr_jwt_verify((const char *) token.data, token.len, alcf->alg,
                          alcf->key->value.data, alcf->key->value.len,
                          ngx_time(), claims, &why))
    {
    case CR_OK:
        break;

    case CR_EXPIRED:
        return ngx_http_recording_auth_denied(r, code, message,
                                              "token_expired", why);

    case CR_INVALID:
        return ngx_http_recording_auth_denied(r, code, message,
                                              "token_malformed", why);

    case CR_AUTH:
        return ngx_http_recording_auth_denied(r, code, message,
                                              "token_invalid", why);

    default:
        return ngx_http_recording_auth_internal(r, code, message, why);
    }

    if (!cr_jwt_permits(claims, call_id, len, permission)) {
        *code = "forbidden";
        *message = "The token does not permit this in this call.";

        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "recording: token of \"%s\" does not permit this in "
                      "call \"%*s\"", claims->subject, len, call_id);

        return NGX_HTTP_FORBIDDEN;
    }

    return NGX_OK;
}


/* RFC 6750 section 2.1; the scheme's case does not matter (RFC 9110). */

static ngx_int_t
ngx_http_recording_auth_token(ngx_http_request_t *r, ngx_str_t *token,
    const char **code, const char **message)
{
    ngx_table_elt_t  *h;

    h = r->headers_in.authorization;

    if (h == NULL) {
        return ngx_http_recording_auth_denied(r, code, message,
                    "token_missing", "The request has no bearer token.");
    }

    *token = h->value;

    if (token->len < sizeof("Bearer ") - 1
        || ngx_strncasecmp(token->data, (u_char *) "Bearer ",
                           sizeof("Bearer ") - 1)
           != 0)
    {
        return ngx_http_recording_auth_denied(r, code, message,
                    "token_malformed",
                    "The Authorization header is not \"Bearer\" and a token.");
    }

    token->data += sizeof("Bearer ") - 1;
    token->len -= sizeof("Bearer ") - 1;

    while (token->len && token->data[0] == ' ') {
        token->data++;
        token->len--;
    }

    return NGX_OK;
}


/* Sets WWW-Authenticate as RFC 6750 section 3 has it. */

static ngx_int_t
ngx_http_recording_auth_denied(ngx_http_request_t *r, const char **code,
    const char **message, const char *why_code, const char *why)
{
    ngx_table_elt_t  *h;

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "recording: %s: %s", why_code, why);

    *code = why_code;
    *message = why;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return ngx_http_recording_auth_internal(r, code, message,
                                                "no memory");
    }

#if (nginx_version >= 1023000)
    h->next = NULL;
#endif

    h->hash = 1;
    ngx_str_set(&h->key, "WWW-Authenticate");

    if (r->headers_in.authorization == NULL) {
        ngx_str_set(&h->value, "Bearer realm=\"recording\"");

    } else {
        ngx_str_set(&h->value,
                    "Bearer realm=\"recording\", error=\"invalid_token\"");
    }

    r->headers_out.www_authenticate = h;

    return NGX_HTTP_UNAUTHORIZED;
}


static ngx_int_t
ngx_http_recording_auth_internal(ngx_http_request_t *r, const char **code,
    const char **message, const char *why)
{
    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "recording: token cannot be checked: %s", why);

    *code = "internal";
    *message = "The token cannot be checked now.";

    return NGX_HTTP_INTERNAL_SERVER_ERROR;
}


ngx_int_t
ngx_http_recording_auth_require(ngx_conf_t *cf, const ngx_str_t *directive)
{
    ngx_http_recording_auth_loc_conf_t  *alcf;

    alcf = ngx_http_conf_get_module_loc_conf(cf,
                                             ngx_http_recording_auth_module);
    alcf->directive = *directive;

    return NGX_OK;
}


static void *
ngx_http_recording_auth_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_recording_auth_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_recording_auth_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->directive = { 0, NULL };
     */

    conf->enable = NGX_CONF_UNSET;
    conf->alg = NGX_CONF_UNSET_UINT;
    conf->key = NGX_CONF_UNSET_PTR;

    return conf;
}


static char *
ngx_http_recording_auth_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child)
{
    ngx_http_recording_auth_loc_conf_t  *prev = parent;
    ngx_http_recording_auth_loc_conf_t  *conf = child;

    ngx_conf_merge_value(conf->enable, prev->enable, 1);
    ngx_conf_merge_uint_value(conf->alg, prev->alg, CR_JWT_HS256);
    ngx_conf_merge_ptr_value(conf->key, prev->key, NULL);

    if (conf->key && conf->key->checked != conf->alg
        && ngx_http_recording_auth_check_key(cf, conf) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (conf->directive.len && conf->enable && conf->key == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" needs \"recording_jwt_key_file\" or "
                           "\"recording_jwt_key\" (or \"recording_auth off\" "
                           "in a closed network)", &conf->directive);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_recording_auth_enable(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *rv;

    ngx_http_recording_auth_loc_conf_t  *alcf = conf;

    rv = ngx_conf_set_flag_slot(cf, cmd, conf);

    if (rv == NGX_CONF_OK && !alcf->enable) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"recording_auth off\": everybody who reaches "
                           "this nginx may publish, record, read and delete");
    }

    return rv;
}


static char *
ngx_http_recording_auth_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                           *value;
    ngx_http_recording_auth_loc_conf_t  *alcf = conf;

    if (alcf->key != NGX_CONF_UNSET_PTR) {
        return "is duplicate: there is one key in each block";
    }

    value = cf->args->elts;

    if (value[1].len == 0) {
        return "is empty";
    }

    alcf->key = ngx_pcalloc(cf->pool, sizeof(ngx_http_recording_auth_key_t));
    if (alcf->key == NULL) {
        return NGX_CONF_ERROR;
    }

    alcf->key->value = value[1];

    return NGX_CONF_OK;
}


static char *
ngx_http_recording_auth_key_file(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_str_t                           *value;
    ngx_http_recording_auth_loc_conf_t  *alcf = conf;

    if (alcf->key != NGX_CONF_UNSET_PTR) {
        return "is duplicate: there is one key in each block";
    }

    value = cf->args->elts;

    alcf->key = ngx_pcalloc(cf->pool, sizeof(ngx_http_recording_auth_key_t));
    if (alcf->key == NULL) {
        return NGX_CONF_ERROR;
    }

    /* a newline at the end, as editors add it, is none of the key */

    return ngx_callrec_conf_read(cf, &value[1],
                                 NGX_HTTP_RECORDING_AUTH_KEY_MAX,
                                 &alcf->key->value) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static ngx_int_t
ngx_http_recording_auth_check_key(ngx_conf_t *cf,
    ngx_http_recording_auth_loc_conf_t *conf)
{
    ngx_str_t  *key;

    key = &conf->key->value;

    conf->key->checked = conf->alg;

    if (conf->alg == CR_JWT_RS256) {
        return ngx_http_recording_auth_check_rsa(cf, key);
    }

    /* a public key is known to everybody, so anybody could sign with it */

    if (key->len > 10 && ngx_strncmp(key->data, "-----BEGIN", 10) == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the JWT key is in PEM, which HS256 does not use: "
                           "\"recording_jwt_alg RS256\" is missing");
        return NGX_ERROR;
    }

    if (key->len < NGX_HTTP_RECORDING_AUTH_HMAC_MIN) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "the JWT key has %uz bytes, fewer than %d are too "
                           "easy to guess", key->len,
                           NGX_HTTP_RECORDING_AUTH_HMAC_MIN);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_recording_auth_check_rsa(ngx_conf_t *cf, ngx_str_t *pem)
{
    BIO        *bio;
    EVP_PKEY   *pkey;
    ngx_int_t   rc;

    bio = BIO_new_mem_buf(pem->data, (int) pem->len);
    if (bio == NULL) {
        return NGX_ERROR;
    }

    pkey = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);

    rc = NGX_OK;

    if (pkey == NULL || EVP_PKEY_base_id(pkey) != EVP_PKEY_RSA
        || EVP_PKEY_bits(pkey) < NGX_HTTP_RECORDING_AUTH_RSA_MIN)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the JWT key for RS256 is not an RSA public key of "
                           "at least %d bits in PEM",
                           NGX_HTTP_RECORDING_AUTH_RSA_MIN);
        rc = NGX_ERROR;
    }

    EVP_PKEY_free(pkey);
    BIO_free(bio);

    return rc;
}
