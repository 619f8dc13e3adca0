
/*
 * Copyright (C) The call recorder authors
 *
 * Who may do what: the bearer token of a request, checked by the keys that
 * its location is configured with.
 */

#ifndef _NGX_HTTP_RECORDING_AUTH_MODULE_H_INCLUDED_
#define _NGX_HTTP_RECORDING_AUTH_MODULE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "auth/jwt.h"


/*
 * Checks "Authorization: Bearer" of the main request for one of CR_PERMIT_*
 * in the call.  Never to be asked about a CORS preflight, which carries no
 * token.  Returns
 *   NGX_OK                 *claims says who it is; with "recording_auth off"
 *                          they are empty but for the call and permissions
 *   NGX_HTTP_UNAUTHORIZED  *code: token_missing, token_malformed,
 *                          token_invalid or token_expired; the response's
 *                          WWW-Authenticate is already set (RFC 6750
 *                          section 3)
 *   NGX_HTTP_FORBIDDEN     *code: forbidden; the token is good, but not for
 *                          this call or permission
 *   NGX_HTTP_INTERNAL_SERVER_ERROR  *code: internal; memory ran out, or no
 *                          key is configured
 * *code and *message are static strings for the problem body, set with any
 * result but NGX_OK.
 */
ngx_int_t ngx_http_recording_auth(ngx_http_request_t *r,
    const char *call_id, size_t len, unsigned permission,
    cr_jwt_claims_t *claims, const char **code, const char **message);

/*
 * For directives that switch on a handler which asks for tokens: notes that
 * this location needs a key.  A location which has none after the
 * configuration is merged (its own or inherited, or "recording_auth off")
 * then fails the configuration test; directive is named in the message.
 */
ngx_int_t ngx_http_recording_auth_require(ngx_conf_t *cf,
    const ngx_str_t *directive);


extern ngx_module_t  ngx_http_recording_auth_module;


#endif /* _NGX_HTTP_RECORDING_AUTH_MODULE_H_INCLUDED_ */
