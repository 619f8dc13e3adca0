
/*
 * Copyright (C) The call recorder authors
 *
 * ICE servers for the publisher: Link headers of the answer to an offer,
 * RFC 9725 section 4.6.
 */


#include "ngx_http_whip_module.h"

#include "stun/turn.h"


#define NGX_HTTP_WHIP_TURN_TTL  86400


typedef struct {
    ngx_array_t                urls;      /* of ngx_str_t */
    ngx_str_t                  secret;    /* empty: no credentials */
    time_t                     ttl;
} ngx_http_whip_server_t;


static ngx_int_t ngx_http_whip_link_url(ngx_http_request_t *r,
    ngx_str_t *url, const char *username, const char *credential);
static ngx_int_t ngx_http_whip_link_valid(ngx_str_t *url, ngx_uint_t *turn);


ngx_int_t
ngx_http_whip_link(ngx_http_request_t *r, const char *participant_id)
{
    char                       username[CR_ID_MAX + NGX_INT64_LEN + 2];
    char                       credential[CR_TURN_CREDENTIAL_SIZE];
    ngx_str_t                 *url;
    ngx_uint_t                 i, j;
    ngx_http_whip_server_t    *server;
    ngx_http_whip_loc_conf_t  *wlcf;

    wlcf = ngx_http_get_module_loc_conf(r, ngx_http_whip_module);

    if (wlcf->ice_servers == NULL) {
        return NGX_OK;
    }

    server = wlcf->ice_servers->elts;

    for (i = 0; i < wlcf->ice_servers->nelts; i++) {

        if (server[i].secret.len != 0
            && cr_turn_credential(server[i].secret.data,
                                  server[i].secret.len,
                                  ngx_time() + server[i].ttl,
                                  participant_id, username,
                                  sizeof(username), credential)
               != CR_OK)
        {
            return NGX_ERROR;
        }

        url = server[i].urls.elts;

        for (j = 0; j < server[i].urls.nelts; j++) {
            if (ngx_http_whip_link_url(r, &url[j],
                                       server[i].secret.len ? username : NULL,
                                       credential)
                != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_whip_link_url(ngx_http_request_t *r, ngx_str_t *url,
    const char *username, const char *credential)
{
    u_char     *p;
    ngx_str_t   value;

    p = ngx_pnalloc(r->pool, url->len + 256);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value.data = p;

    p = ngx_sprintf(p, "<%V>; rel=\"ice-server\"", url);

    /* "stun:" and "stuns:" have none */

    if (username != NULL && url->data[0] == 't') {
        p = ngx_sprintf(p, "; username=\"%s\"; credential=\"%s\"; "
                        "credential-type=\"password\"", username, credential);
    }

    value.len = (size_t) (p - value.data);

    return ngx_http_whip_header(r, "Link", &value);
}


char *
ngx_http_whip_ice_server(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_whip_loc_conf_t *wlcf = conf;

    ngx_str_t               *value, *url, s;
    ngx_uint_t               i, turn;
    ngx_http_whip_server_t  *server;

    if (wlcf->ice_servers == NGX_CONF_UNSET_PTR) {
        wlcf->ice_servers = ngx_array_create(cf->pool, 2,
                                             sizeof(ngx_http_whip_server_t));
        if (wlcf->ice_servers == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    server = ngx_array_push(wlcf->ice_servers);
    if (server == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(server, sizeof(ngx_http_whip_server_t));
    server->ttl = NGX_HTTP_WHIP_TURN_TTL;

    if (ngx_array_init(&server->urls, cf->pool, 2, sizeof(ngx_str_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    turn = 0;
    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "secret=", 7) == 0) {
            server->secret.data = value[i].data + 7;
            server->secret.len = value[i].len - 7;

            if (server->secret.len == 0) {
                return "has an empty secret";
            }

            continue;
        }

        if (ngx_strncmp(value[i].data, "ttl=", 4) == 0) {
            s.data = value[i].data + 4;
            s.len = value[i].len - 4;

            server->ttl = ngx_parse_time(&s, 1);

            if (server->ttl == (time_t) NGX_ERROR || server->ttl == 0) {
                return "has an invalid ttl";
            }

            continue;
        }

        if (ngx_http_whip_link_valid(&value[i], &turn) != NGX_OK) {

            /* not quoted: it may be a misspelt secret */

            return "takes stun:, stuns:, turn: and turns: URLs, "
                   "secret= and ttl=";
        }

        url = ngx_array_push(&server->urls);
        if (url == NULL) {
            return NGX_CONF_ERROR;
        }

        *url = value[i];
    }

    if (server->urls.nelts == 0) {
        return "has no URL";
    }

    if (turn && server->secret.len == 0) {
        return "needs a secret for a TURN server";
    }

    return NGX_CONF_OK;
}


/* RFC 7064, RFC 7065; and nothing that leaves the header's brackets. */

static ngx_int_t
ngx_http_whip_link_valid(ngx_str_t *url, ngx_uint_t *turn)
{
    size_t      i, len;
    ngx_uint_t  k;

    static const char *const  schemes[] = {
        "stun:", "stuns:", "turn:", "turns:"
    };

    for (k = 0; k < 4; k++) {
        len = ngx_strlen(schemes[k]);

        if (url->len > len
            && ngx_strncmp(url->data, schemes[k], len) == 0)
        {
            break;
        }
    }

    if (k == 4) {
        return NGX_DECLINED;
    }

    for (i = 0; i < url->len; i++) {
        if (url->data[i] <= ' ' || url->data[i] >= 0x7f
            || ngx_strchr("<>\"\\", url->data[i]) != NULL)
        {
            return NGX_DECLINED;
        }
    }

    *turn |= url->data[0] == 't';

    return NGX_OK;
}
