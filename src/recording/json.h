
/*
 * Copyright (C) The call recorder authors
 *
 * Writes JSON (RFC 8259) into memory of the env.  Any failure makes all that
 * follows void; the caller checks once, at cr_json_finish().  Reading is
 * jansson's.
 */

#ifndef CR_JSON_H
#define CR_JSON_H


#include "base/env.h"
#include "base/status.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>


typedef struct {
    const cr_env_t  *env;
    char            *data;
    size_t           len;
    size_t           size;
    size_t           max;          /* no longer than this */
    bool             comma;        /* a value stands before this place */
    bool             failed;
} cr_json_t;


void cr_json_init(cr_json_t *j, const cr_env_t *env, size_t max);

/* The text, NUL-terminated, now the caller's (cr_free()); NULL: memory or
 * the bound did not reach. */
char *cr_json_finish(cr_json_t *j);

/* name is NULL for members of arrays and for the whole; it is not escaped. */
void cr_json_open(cr_json_t *j, const char *name, char bracket);
void cr_json_close(cr_json_t *j, char bracket);
void cr_json_string(cr_json_t *j, const char *name, const char *value);
void cr_json_int(cr_json_t *j, const char *name, int64_t value);
void cr_json_bool(cr_json_t *j, const char *name, bool value);
void cr_json_null(cr_json_t *j, const char *name);

/* value / 100 with two decimals. */
void cr_json_hundredths(cr_json_t *j, const char *name, int64_t value);

/* A string, or null when it is empty. */
void cr_json_string_or_null(cr_json_t *j, const char *name,
    const char *value);

/* A number, or null when it is negative. */
void cr_json_int_or_null(cr_json_t *j, const char *name, int64_t value);


/* CR_INVALID: no JSON, or jansson took a lack of memory for that; CR_NOMEM.
 * flags are jansson's. */
cr_status_e cr_json_load(const char *text, size_t len, size_t flags,
    json_t **value);


#endif /* CR_JSON_H */
