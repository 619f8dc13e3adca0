
/*
 * Copyright (C) The call recorder authors
 */

#include "base/date.h"
#include "s3/credentials.h"
#include "s3/xml.h"

#include <jansson.h>
#include <openssl/crypto.h>


#define CR_S3_RENEW_MAX  900        /* seconds before they expire */


typedef struct {
    cr_s3_credentials_t  *c;
    bool                  failed;
} cr_s3_sts_t;


static cr_status_e cr_s3_credentials_done(cr_s3_credentials_t *c,
    cr_status_e rc, const char **why);
static cr_status_e cr_s3_credentials_member(const json_t *json,
    const char *name, char *to, size_t max);
static cr_status_e cr_s3_credentials_copy(char *to, size_t max,
    const char *text, size_t len);
static cr_status_e cr_s3_sts_element(void *ctx, unsigned depth,
    const char *parent, const char *name, const char *text, size_t len);
static cr_status_e cr_s3_credentials_expire(cr_s3_credentials_t *c,
    const char *text, size_t len);


cr_status_e
cr_s3_credentials_json(const char *text, size_t len, cr_s3_credentials_t *c,
    const char **why)
{
    json_t       *json;
    const char   *code;
    cr_status_e   rc;
    char          expires[64];

    memset(c, 0, sizeof(*c));

    if (len > CR_S3_DOCUMENT_MAX) {
        *why = "the answer is too long";
        return CR_LIMIT;
    }

    json = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);

    if (!json_is_object(json)) {
        json_decref(json);
        *why = "the answer is no JSON object";
        return CR_INVALID;
    }

    /* instance metadata say "Success", container endpoints nothing */

    code = json_string_value(json_object_get(json, "Code"));

    if (code != NULL && strcmp(code, "Success") != 0) {
        json_decref(json);
        *why = "the endpoint has no credentials for this role";
        return CR_DECLINED;
    }

    rc = cr_s3_credentials_member(json, "AccessKeyId", c->access,
                                  CR_SIGV4_ACCESS_MAX);

    if (rc == CR_OK) {
        rc = cr_s3_credentials_member(json, "SecretAccessKey", c->secret,
                                      CR_SIGV4_SECRET_MAX);
    }

    if (rc == CR_OK) {
        rc = cr_s3_credentials_member(json, "Token", c->session,
                                      CR_SIGV4_SESSION_MAX);
    }

    if (rc == CR_OK) {
        rc = cr_s3_credentials_member(json, "Expiration", expires,
                                      sizeof(expires) - 1);
    }

    if (rc == CR_OK && expires[0] != '\0') {
        rc = cr_s3_credentials_expire(c, expires, strlen(expires));
    }

    json_decref(json);

    return cr_s3_credentials_done(c, rc, why);
}


cr_status_e
cr_s3_credentials_sts(const char *text, size_t len, cr_s3_credentials_t *c,
    const char **why)
{
    cr_s3_sts_t  sts;
    cr_status_e  rc;

    memset(c, 0, sizeof(*c));

    if (len > CR_S3_DOCUMENT_MAX) {
        *why = "the answer is too long";
        return CR_LIMIT;
    }

    sts.c = c;
    sts.failed = false;

    rc = cr_s3_xml(text, len, cr_s3_sts_element, &sts);

    if (rc == CR_OK && sts.failed) {
        *why = "STS refused";
        cr_s3_credentials_clear(c);
        return CR_DECLINED;
    }

    return cr_s3_credentials_done(c, rc, why);
}


cr_status_e
cr_s3_credentials_file(const char *text, size_t len, const char *profile,
    cr_s3_credentials_t *c, const char **why)
{
    bool          ours, seen;
    char         *to;
    size_t        max, name_len;
    const char   *end, *equal, *last, *name, *next, *p;
    cr_status_e   rc;

    memset(c, 0, sizeof(*c));

    if (len > CR_S3_DOCUMENT_MAX) {
        *why = "the file is too long";
        return CR_LIMIT;
    }

    end = text + len;
    ours = false;
    seen = false;
    rc = CR_OK;

    for (p = text; p < end && rc == CR_OK; p = next) {

        last = memchr(p, '\n', (size_t) (end - p));
        next = (last != NULL) ? last + 1 : end;
        last = (last != NULL) ? last : end;

        while (p < last && (*p == ' ' || *p == '\t')) {
            p++;
        }

        while (last > p && (last[-1] == ' ' || last[-1] == '\t'
                            || last[-1] == '\r'))
        {
            last--;
        }

        if (p == last || *p == '#' || *p == ';') {
            continue;
        }

        if (*p == '[') {
            name = p + 1;
            name_len = (size_t) (last - name);

            /* a configuration file has "[profile name]" */

            if (name_len > 8 && memcmp(name, "profile ", 8) == 0) {
                name += 8;
                name_len -= 8;
            }

            ours = name_len == strlen(profile) + 1
                   && memcmp(name, profile, name_len - 1) == 0
                   && name[name_len - 1] == ']';
            seen = seen || ours;
            continue;
        }

        equal = memchr(p, '=', (size_t) (last - p));

        if (!ours || equal == NULL) {
            continue;
        }

        name = p;
        name_len = (size_t) (equal - p);

        while (name_len > 0 && (name[name_len - 1] == ' '
                                || name[name_len - 1] == '\t'))
        {
            name_len--;
        }

        if (name_len == 17 && memcmp(name, "aws_access_key_id", 17) == 0) {
            to = c->access;
            max = CR_SIGV4_ACCESS_MAX;

        } else if (name_len == 21
                   && memcmp(name, "aws_secret_access_key", 21) == 0)
        {
            to = c->secret;
            max = CR_SIGV4_SECRET_MAX;

        } else if (name_len == 17
                   && memcmp(name, "aws_session_token", 17) == 0)
        {
            to = c->session;
            max = CR_SIGV4_SESSION_MAX;

        } else {
            continue;
        }

        for (p = equal + 1; p < last && (*p == ' ' || *p == '\t'); p++) {
            /* void */
        }

        rc = cr_s3_credentials_copy(to, max, p, (size_t) (last - p));
    }

    if (rc == CR_OK && !seen) {
        *why = "the file has no such profile";
        cr_s3_credentials_clear(c);
        return CR_DECLINED;
    }

    return cr_s3_credentials_done(c, rc, why);
}


void
cr_s3_credentials_web_identity(cr_writer_t *w, cr_slice_t role,
    cr_slice_t session_name, cr_slice_t token)
{
    static const char  action[] =
        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=";
    static const char  name[] = "&RoleSessionName=";
    static const char  identity[] = "&WebIdentityToken=";

    cr_write_bytes(w, action, sizeof(action) - 1);
    cr_s3_encode(w, role, false);
    cr_write_bytes(w, name, sizeof(name) - 1);
    cr_s3_encode(w, session_name, false);
    cr_write_bytes(w, identity, sizeof(identity) - 1);
    cr_s3_encode(w, token, false);
}


void
cr_s3_credentials_clear(cr_s3_credentials_t *c)
{
    OPENSSL_cleanse(c, sizeof(*c));
}


cr_s3_keys_t
cr_s3_credentials_keys(const cr_s3_credentials_t *c)
{
    cr_s3_keys_t  keys;

    keys.access = (cr_slice_t) { (const uint8_t *) c->access,
                                 strlen(c->access) };
    keys.secret = (cr_slice_t) { (const uint8_t *) c->secret,
                                 strlen(c->secret) };
    keys.session = (cr_slice_t) { (const uint8_t *) c->session,
                                  strlen(c->session) };

    return keys;
}


int64_t
cr_s3_credentials_renew(const cr_s3_credentials_t *c, int64_t now)
{
    int64_t  before, left;

    if (c->expires == 0) {
        return INT64_MAX;
    }

    left = (c->expires > now) ? c->expires - now : 0;
    before = (left / 4 < CR_S3_RENEW_MAX) ? left / 4 : CR_S3_RENEW_MAX;

    return (left - before > 1) ? left - before : 1;
}


/* Depth 3: Response, Result, Credentials, and what is in it. */

static cr_status_e
cr_s3_sts_element(void *ctx, unsigned depth, const char *parent,
    const char *name, const char *text, size_t len)
{
    cr_s3_sts_t          *sts = ctx;
    cr_s3_credentials_t  *c = sts->c;

    if (depth == 0) {
        sts->failed = (strcmp(name, "ErrorResponse") == 0);
        return CR_OK;
    }

    if (depth != 3 || strcmp(parent, "Credentials") != 0) {
        return CR_OK;
    }

    if (strcmp(name, "AccessKeyId") == 0) {
        return cr_s3_credentials_copy(c->access, CR_SIGV4_ACCESS_MAX, text,
                                      len);
    }

    if (strcmp(name, "SecretAccessKey") == 0) {
        return cr_s3_credentials_copy(c->secret, CR_SIGV4_SECRET_MAX, text,
                                      len);
    }

    if (strcmp(name, "SessionToken") == 0) {
        return cr_s3_credentials_copy(c->session, CR_SIGV4_SESSION_MAX, text,
                                      len);
    }

    if (strcmp(name, "Expiration") == 0) {
        return cr_s3_credentials_expire(c, text, len);
    }

    return CR_OK;
}


static cr_status_e
cr_s3_credentials_done(cr_s3_credentials_t *c, cr_status_e rc,
    const char **why)
{
    switch (rc) {

    case CR_OK:

        if (c->access[0] != '\0' && c->secret[0] != '\0') {
            return CR_OK;
        }

        *why = "access key or secret key is missing";
        rc = CR_INVALID;
        break;

    case CR_LIMIT:
        *why = "something in it is too long";
        break;

    case CR_NOMEM:
        *why = "no memory";
        break;

    default:
        *why = "it is not of the form that credentials have";
    }

    cr_s3_credentials_clear(c);

    return rc;
}


static cr_status_e
cr_s3_credentials_member(const json_t *json, const char *name, char *to,
    size_t max)
{
    const json_t  *value;

    to[0] = '\0';
    value = json_object_get(json, name);

    if (value == NULL || json_is_null(value)) {
        return CR_OK;
    }

    if (!json_is_string(value)) {
        return CR_INVALID;
    }

    return cr_s3_credentials_copy(to, max, json_string_value(value),
                                  json_string_length(value));
}


/* They go into headers: printable ASCII alone. */

static cr_status_e
cr_s3_credentials_copy(char *to, size_t max, const char *text, size_t len)
{
    size_t  i;

    if (len > max) {
        return CR_LIMIT;
    }

    for (i = 0; i < len; i++) {
        if (text[i] <= 0x20 || text[i] >= 0x7f) {
            return CR_INVALID;
        }
    }

    memcpy(to, text, len);
    to[len] = '\0';

    return CR_OK;
}


static cr_status_e
cr_s3_credentials_expire(cr_s3_credentials_t *c, const char *text, size_t len)
{
    int64_t      at_ms;
    cr_status_e  rc;

    rc = cr_date_parse(text, len, &at_ms);

    if (rc == CR_OK) {
        c->expires = at_ms / 1000;
    }

    return rc;
}
