
/*
 * Copyright (C) The call recorder authors
 */

#include "recording/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>


#define CR_JSON_FIRST_SIZE  512


static void cr_json_put(cr_json_t *j, const char *data, size_t len);
static void cr_json_name(cr_json_t *j, const char *name);
static void cr_json_text(cr_json_t *j, const char *value);
static size_t cr_json_utf8(const uint8_t *p);


void
cr_json_init(cr_json_t *j, const cr_env_t *env, size_t max)
{
    memset(j, 0, sizeof(cr_json_t));

    j->env = env;
    j->max = max;
}


char *
cr_json_finish(cr_json_t *j)
{
    char  *data;

    cr_json_put(j, "", 1);

    data = j->data;
    j->data = NULL;

    if (j->failed) {
        cr_free(j->env, data);
        return NULL;
    }

    return data;
}


void
cr_json_open(cr_json_t *j, const char *name, char bracket)
{
    cr_json_name(j, name);
    cr_json_put(j, &bracket, 1);
    j->comma = false;
}


void
cr_json_close(cr_json_t *j, char bracket)
{
    cr_json_put(j, &bracket, 1);
    j->comma = true;
}


void
cr_json_string(cr_json_t *j, const char *name, const char *value)
{
    cr_json_name(j, name);
    cr_json_text(j, value);
}


void
cr_json_int(cr_json_t *j, const char *name, int64_t value)
{
    char  buf[24];
    int   n;

    n = snprintf(buf, sizeof(buf), "%" PRId64, value);

    cr_json_name(j, name);
    cr_json_put(j, buf, (size_t) n);
}


void
cr_json_bool(cr_json_t *j, const char *name, bool value)
{
    cr_json_name(j, name);
    cr_json_put(j, value ? "true" : "false", value ? 4 : 5);
}


void
cr_json_null(cr_json_t *j, const char *name)
{
    cr_json_name(j, name);
    cr_json_put(j, "null", 4);
}


void
cr_json_hundredths(cr_json_t *j, const char *name, int64_t value)
{
    char  buf[32];
    int   n;

    n = snprintf(buf, sizeof(buf), "%" PRId64 ".%02d", value / 100,
                 (int) (value % 100));

    cr_json_name(j, name);
    cr_json_put(j, buf, (size_t) n);
}


void
cr_json_string_or_null(cr_json_t *j, const char *name, const char *value)
{
    if (value[0] == '\0') {
        cr_json_null(j, name);
    } else {
        cr_json_string(j, name, value);
    }
}


void
cr_json_int_or_null(cr_json_t *j, const char *name, int64_t value)
{
    if (value < 0) {
        cr_json_null(j, name);
    } else {
        cr_json_int(j, name, value);
    }
}


cr_status_e
cr_json_load(const char *text, size_t len, size_t flags, json_t **value)
{
    json_error_t  error;

    *value = json_loadb(text, len, flags, &error);

    if (*value != NULL) {
        return CR_OK;
    }

    switch (json_error_code(&error)) {

    case json_error_unknown:          /* where it forgets to say */
    case json_error_out_of_memory:
        return CR_NOMEM;

    default:
        return CR_INVALID;
    }
}


static void
cr_json_put(cr_json_t *j, const char *data, size_t len)
{
    char    *p;
    size_t   size;

    if (j->failed) {
        return;
    }

    if (len > j->max - j->len) {
        j->failed = true;
        return;
    }

    if (len > j->size - j->len) {
        size = j->size ? j->size * 2 : CR_JSON_FIRST_SIZE;

        while (size - j->len < len) {
            size *= 2;
        }

        p = cr_alloc(j->env, size);
        if (p == NULL) {
            j->failed = true;
            return;
        }

        if (j->len) {
            memcpy(p, j->data, j->len);
        }

        cr_free(j->env, j->data);
        j->data = p;
        j->size = size;
    }

    memcpy(j->data + j->len, data, len);
    j->len += len;
}


static void
cr_json_name(cr_json_t *j, const char *name)
{
    if (j->comma) {
        cr_json_put(j, ",", 1);
    }

    j->comma = true;

    if (name != NULL) {
        cr_json_put(j, "\"", 1);
        cr_json_put(j, name, strlen(name));
        cr_json_put(j, "\":", 2);
    }
}


/* RFC 8259 section 7; what is no UTF-8 becomes U+FFFD. */
static void
cr_json_text(cr_json_t *j, const char *value)
{
    int             n;
    char            buf[8];
    size_t          len;
    const uint8_t  *p;

    cr_json_put(j, "\"", 1);

    for (p = (const uint8_t *) value; *p != '\0'; p += len) {
        len = cr_json_utf8(p);

        if (len == 0) {
            cr_json_put(j, "\xef\xbf\xbd", 3);
            len = 1;

        } else if (*p == '"' || *p == '\\') {
            buf[0] = '\\';
            buf[1] = (char) *p;
            cr_json_put(j, buf, 2);

        } else if (*p < 0x20) {
            n = snprintf(buf, sizeof(buf), "\\u%04x", *p);
            cr_json_put(j, buf, (size_t) n);

        } else {
            cr_json_put(j, (const char *) p, len);
        }
    }

    cr_json_put(j, "\"", 1);
}


/* Length of the UTF-8 sequence (RFC 3629 section 4) at p, 0: none.  Stops at
 * the NUL by itself, which is no continuation byte. */
static size_t
cr_json_utf8(const uint8_t *p)
{
    size_t   i, len;
    uint8_t  lo, hi;

    lo = 0x80;
    hi = 0xbf;

    if (p[0] < 0x80) {
        return 1;
    }

    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        len = 2;

    } else if (p[0] >= 0xe0 && p[0] <= 0xef) {
        len = 3;
        lo = (p[0] == 0xe0) ? 0xa0 : 0x80;    /* overlong */
        hi = (p[0] == 0xed) ? 0x9f : 0xbf;    /* surrogates */

    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        len = 4;
        lo = (p[0] == 0xf0) ? 0x90 : 0x80;
        hi = (p[0] == 0xf4) ? 0x8f : 0xbf;

    } else {
        return 0;
    }

    for (i = 1; i < len; i++) {
        if (p[i] < lo || p[i] > hi) {
            return 0;
        }

        lo = 0x80;
        hi = 0xbf;
    }

    return len;
}
