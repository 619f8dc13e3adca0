
/*
 * Copyright (C) The call recorder authors
 *
 * JSON Web Tokens by libjwt.
 */


#include "auth/jwt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <jwt.h>


#define JWT_SIZE_MAX  8192       /* what fits into a request header */
#define JWT_LEEWAY    30         /* seconds; RFC 7519 section 4.1.4 */


static bool jwt_compact(const char *token, size_t len);
static cr_status_e jwt_read_claims(const json_t *root, int64_t now,
    cr_jwt_claims_t *claims, const char **why);
static bool jwt_time(const json_t *value, int64_t *time);
static bool jwt_text(char *buf, size_t max, const json_t *value);
static bool jwt_id(char *buf, const json_t *value);
static bool jwt_permissions(unsigned *permissions, const json_t *value);


cr_status_e
cr_jwt_verify(const char *token, size_t len, cr_jwt_alg_e alg,
    const uint8_t *key, size_t key_len, int64_t now, cr_jwt_claims_t *claims,
    const char **why)
{
    int          rc;
    bool         match;
    char         copy[JWT_SIZE_MAX + 1], *text;
    jwt_t       *jwt;
    json_t      *root;
    const char  *name;
    cr_status_e  status;

    memset(claims, 0, sizeof(cr_jwt_claims_t));

    /* libjwt verifies nothing when it has no key */

    if (key == NULL || key_len == 0) {
        *why = "There is no key to verify the token with.";
        return CR_INTERNAL;
    }

    if (len > JWT_SIZE_MAX || !jwt_compact(token, len)) {
        *why = "The token is too long or not of three parts in base64url.";
        return CR_INVALID;
    }

    memcpy(copy, token, len);
    copy[len] = '\0';

    /*
     * libjwt takes the algorithm from the token, so that a token could choose
     * to have our public key taken for an HMAC secret (RFC 8725 section 2.1).
     * Hence a first look without a key, which verifies nothing.
     */

    rc = jwt_decode(&jwt, copy, NULL, 0);

    if (rc != 0) {
        *why = "The token is not a JSON Web Token.";
        return (rc == ENOMEM) ? CR_NOMEM : CR_INVALID;
    }

    name = jwt_get_header(jwt, "alg");
    match = name != NULL
            && strcmp(name, alg == CR_JWT_RS256 ? "RS256" : "HS256") == 0;
    jwt_free(jwt);

    if (!match) {
        *why = "The token's algorithm is not the one that is configured.";
        return CR_AUTH;
    }

    rc = jwt_decode(&jwt, copy, key, (int) key_len);

    if (rc != 0) {
        *why = "The token's signature is wrong.";
        return (rc == ENOMEM) ? CR_NOMEM : CR_AUTH;
    }

    text = jwt_get_grants_json(jwt, NULL);
    root = (text != NULL) ? json_loads(text, 0, NULL) : NULL;

    if (root != NULL) {
        status = jwt_read_claims(root, now, claims, why);

    } else {
        *why = "The token's claims cannot be read.";
        status = CR_NOMEM;
    }

    json_decref(root);
    free(text);
    jwt_free(jwt);

    if (status != CR_OK) {
        memset(claims, 0, sizeof(cr_jwt_claims_t));
    }

    return status;
}


/*
 * RFC 7515 section 7.1: three parts with dots between.  libjwt decodes what
 * comes and writes behind its buffer when a part is empty.
 */

static bool
jwt_compact(const char *token, size_t len)
{
    char      c;
    size_t    i, part;
    unsigned  dots;

    part = 0;
    dots = 0;

    for (i = 0; i < len; i++) {
        c = token[i];

        if (c == '.') {
            if (part % 4 == 1 || part == 0) {
                return false;
            }

            part = 0;
            dots++;

        } else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
                   || (c >= '0' && c <= '9') || c == '-' || c == '_')
        {
            part++;

        } else {
            return false;
        }
    }

    return dots == 2 && part % 4 != 1 && part != 0;
}


static cr_status_e
jwt_read_claims(const json_t *root, int64_t now, cr_jwt_claims_t *claims,
    const char **why)
{
    int64_t        nbf;
    const json_t  *value;

    if (!jwt_time(json_object_get(root, "exp"), &claims->expires)) {
        *why = "The token has no \"exp\" or it is no time.";
        return CR_AUTH;
    }

    if (claims->expires < now - JWT_LEEWAY) {
        *why = "The token has expired.";
        return CR_EXPIRED;
    }

    value = json_object_get(root, "nbf");

    if (value != NULL && (!jwt_time(value, &nbf) || nbf > now + JWT_LEEWAY)) {
        *why = "The token is not valid yet.";
        return CR_AUTH;
    }

    value = json_object_get(root, "call");

    if (value != NULL && !jwt_id(claims->call, value)
        && !(jwt_text(claims->call, 1, value) && claims->call[0] == '*'))
    {
        *why = "The token's \"call\" is neither an id nor \"*\".";
        return CR_AUTH;
    }

    value = json_object_get(root, "sub");

    if (value != NULL && !jwt_id(claims->subject, value)) {
        *why = "The token's \"sub\" is not an id.";
        return CR_AUTH;
    }

    value = json_object_get(root, "name");

    if (value != NULL && !jwt_text(claims->name, CR_NAME_MAX, value)) {
        *why = "The token's \"name\" is not up to 128 bytes of text.";
        return CR_AUTH;
    }

    /* other services have roles, too, and others */

    value = json_object_get(root, "role");

    if (json_is_string(value)
        && cr_role_valid(json_string_value(value),
                         json_string_length(value)))
    {
        (void) jwt_text(claims->role, CR_ROLE_MAX, value);
    }

    value = json_object_get(root, "perms");

    if (value != NULL && !jwt_permissions(&claims->permissions, value)) {
        *why = "The token's \"perms\" is not a list of words.";
        return CR_AUTH;
    }

    return CR_OK;
}


/* NumericDate, RFC 7519 section 2: it may have a fraction. */

static bool
jwt_time(const json_t *value, int64_t *time)
{
    double  t;

    if (!json_is_number(value)) {
        return false;
    }

    if (json_is_integer(value)) {
        *time = json_integer_value(value);
        return true;
    }

    t = json_real_value(value);

    if (!(t > -1e15 && t < 1e15)) {
        return false;
    }

    *time = (int64_t) t;
    return true;
}


/* jansson lets only UTF-8 without NUL through. */

static bool
jwt_text(char *buf, size_t max, const json_t *value)
{
    size_t       i, len;
    const char  *text;

    if (!json_is_string(value)) {
        return false;
    }

    text = json_string_value(value);
    len = json_string_length(value);

    if (len > max) {
        return false;
    }

    for (i = 0; i < len; i++) {
        if ((unsigned char) text[i] < ' ' || text[i] == 0x7f) {
            return false;
        }
    }

    memcpy(buf, text, len);
    buf[len] = '\0';

    return true;
}


static bool
jwt_id(char *buf, const json_t *value)
{
    return json_is_string(value)
           && cr_id_valid(json_string_value(value), json_string_length(value))
           && jwt_text(buf, CR_ID_MAX, value);
}


/* Words that we do not know are permissions of other services. */

static bool
jwt_permissions(unsigned *permissions, const json_t *value)
{
    size_t         i, j;
    const json_t  *word;

    static const struct {
        const char  *word;
        unsigned     permission;
    } words[] = {
        { "publish", CR_PERMIT_PUBLISH },
        { "record", CR_PERMIT_RECORD },
        { "read", CR_PERMIT_READ },
        { "delete", CR_PERMIT_DELETE }
    };

    if (!json_is_array(value)) {
        return false;
    }

    for (i = 0; i < json_array_size(value); i++) {
        word = json_array_get(value, i);

        if (!json_is_string(word)) {
            return false;
        }

        for (j = 0; j < sizeof(words) / sizeof(words[0]); j++) {
            if (strcmp(json_string_value(word), words[j].word) == 0) {
                *permissions |= words[j].permission;
            }
        }
    }

    return true;
}


bool
cr_jwt_permits(const cr_jwt_claims_t *claims, const char *call,
    size_t call_len, unsigned permission)
{
    if ((claims->permissions & permission) != permission) {
        return false;
    }

    if (strcmp(claims->call, "*") == 0) {
        return true;
    }

    return call_len != 0 && strlen(claims->call) == call_len
           && memcmp(claims->call, call, call_len) == 0;
}


bool
cr_id_valid(const char *id, size_t len)
{
    char    c;
    size_t  i;

    if (len == 0 || len > CR_ID_MAX) {
        return false;
    }

    for (i = 0; i < len; i++) {
        c = id[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
              || (c >= '0' && c <= '9') || c == '_' || c == '-'))
        {
            return false;
        }
    }

    return true;
}


bool
cr_role_valid(const char *role, size_t len)
{
    return len == CR_ROLE_MAX
           && (memcmp(role, "camera", len) == 0
               || memcmp(role, "screen", len) == 0);
}
