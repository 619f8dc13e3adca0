
/*
 * Copyright (C) The call recorder authors
 */

#include "recording/request.h"
#include "recording/json.h"

#include <openssl/evp.h>
#include <string.h>


static cr_status_e cr_request_load(const char *body, size_t len,
    json_t **object, const char **why);
static bool cr_request_word(json_t *object, const char *name,
    const char *const *words, char to[CR_JOURNAL_WORD_SIZE]);


/* The first one is the default. */
static const char *const  cr_request_modes[] = { "composite", NULL };
static const char *const  cr_request_layouts[] = { "grid", NULL };


cr_status_e
cr_request_start_parse(const char *body, size_t len,
    cr_request_start_t *request, const char **why)
{
    size_t        n;
    json_t       *object, *value;
    cr_status_e   rc;

    memset(request, 0, sizeof(cr_request_start_t));

    rc = cr_request_load(body, len, &object, why);
    if (rc != CR_OK) {
        return rc;
    }

    rc = CR_INVALID;

    if (!cr_request_word(object, "mode", cr_request_modes, request->mode)) {
        *why = "\"mode\" must be \"composite\"";
        goto done;
    }

    if (!cr_request_word(object, "layout", cr_request_layouts,
                         request->layout))
    {
        *why = "\"layout\" must be \"grid\"";
        goto done;
    }

    value = json_object_get(object, "startedBy");

    if (value != NULL) {
        n = json_string_length(value);

        if (!json_is_string(value) || n >= sizeof(request->started_by)) {
            *why = "\"startedBy\" must be a string of at most 128 bytes";
            goto done;
        }

        memcpy(request->started_by, json_string_value(value), n);
    }

    rc = CR_OK;

done:

    json_decref(object);

    return rc;
}


cr_status_e
cr_request_stop_parse(const char *body, size_t len,
    cr_request_stop_t *request, const char **why)
{
    json_t       *object, *value;
    cr_status_e   rc;

    memset(request, 0, sizeof(cr_request_stop_t));

    rc = cr_request_load(body, len, &object, why);
    if (rc != CR_OK) {
        return rc;
    }

    value = json_object_get(object, "discard");

    if (value != NULL && !json_is_boolean(value)) {
        *why = "\"discard\" must be true or false";
        rc = CR_INVALID;
    }

    request->discard = json_is_true(value);

    json_decref(object);

    return rc;
}


cr_status_e
cr_request_digest(const char *body, size_t len,
    char digest[CR_JOURNAL_DIGEST_SIZE])
{
    unsigned       i, n;
    unsigned char  md[EVP_MAX_MD_SIZE];

    static const char  hex[] = "0123456789abcdef";

    if (EVP_Digest(body, len, md, &n, EVP_sha256(), NULL) != 1 || n != 32) {
        return CR_INTERNAL;
    }

    for (i = 0; i < n; i++) {
        digest[2 * i] = hex[md[i] >> 4];
        digest[2 * i + 1] = hex[md[i] & 0xf];
    }

    digest[2 * n] = '\0';

    return CR_OK;
}


bool
cr_request_key_valid(const char *key, size_t len)
{
    size_t  i;

    if (len == 0 || len >= CR_JOURNAL_KEY_SIZE) {
        return false;
    }

    for (i = 0; i < len; i++) {
        if (key[i] < 0x21 || key[i] > 0x7e) {
            return false;
        }
    }

    return true;
}


static cr_status_e
cr_request_load(const char *body, size_t len, json_t **object,
    const char **why)
{
    cr_status_e  rc;

    *why = "the body is too long";

    if (len > CR_REQUEST_BODY_MAX) {
        return CR_LIMIT;
    }

    if (len == 0) {
        *object = json_object();
        return *object != NULL ? CR_OK : CR_NOMEM;
    }

    rc = cr_json_load(body, len, JSON_REJECT_DUPLICATES, object);

    if (rc != CR_OK) {
        *why = "the body is not JSON, or has a member twice";
        return rc;
    }

    if (!json_is_object(*object)) {
        json_decref(*object);
        *why = "the body is not a JSON object";
        return CR_INVALID;
    }

    return CR_OK;
}


static bool
cr_request_word(json_t *object, const char *name, const char *const *words,
    char to[CR_JOURNAL_WORD_SIZE])
{
    json_t      *value;
    const char  *word;

    value = json_object_get(object, name);

    word = (value == NULL) ? words[0] : json_string_value(value);

    for ( ; word != NULL && *words != NULL; words++) {
        if (strcmp(word, *words) == 0) {
            memcpy(to, *words, strlen(*words) + 1);
            return true;
        }
    }

    return false;
}
