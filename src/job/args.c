
/*
 * Copyright (C) The call recorder authors
 */

#include "job/args.h"

#include <stdbool.h>
#include <string.h>


static bool cr_job_name_char(char c);
static const char *cr_job_var(const char *p, const cr_job_var_t *vars,
    unsigned nvars, const char **value);


/*
 * One walk serves both: with out == NULL the result is only measured.
 * Returns its length, or (size_t) -1 with *bad set.
 */
static size_t
cr_job_arg_walk(const char *arg, const cr_job_var_t *vars, unsigned nvars,
    char *out, const char **bad)
{
    size_t       len, n;
    const char  *p, *next, *value;

    n = 0;

    for (p = arg; *p != '\0'; p = next) {

        if (*p != '$') {
            value = p;
            len = 1;
            next = p + 1;

        } else if (p[1] == '$') {
            value = p;
            len = 1;
            next = p + 2;

        } else {
            next = cr_job_var(p + 1, vars, nvars, &value);

            if (next == NULL) {
                *bad = p;
                return (size_t) -1;
            }

            len = strlen(value);
        }

        if (out != NULL) {
            memcpy(out + n, value, len);
        }

        n += len;
    }

    return n;
}


cr_status_e
cr_job_arg_check(const char *arg, const cr_job_var_t *vars, unsigned nvars,
    const char **bad)
{
    if (cr_job_arg_walk(arg, vars, nvars, NULL, bad) == (size_t) -1) {
        return CR_INVALID;
    }

    return CR_OK;
}


char *
cr_job_arg_expand(const cr_env_t *env, const char *arg,
    const cr_job_var_t *vars, unsigned nvars)
{
    char        *out;
    size_t       len;
    const char  *bad;

    len = cr_job_arg_walk(arg, vars, nvars, NULL, &bad);

    if (len == (size_t) -1 || len > CR_JOB_ARG_SIZE_MAX) {
        return NULL;
    }

    out = cr_alloc(env, len + 1);

    if (out != NULL) {
        cr_job_arg_walk(arg, vars, nvars, out, &bad);
        out[len] = '\0';
    }

    return out;
}


/* Finds the variable whose name (or {name}) stands at p; returns the place
 * behind it. */
static const char *
cr_job_var(const char *p, const cr_job_var_t *vars, unsigned nvars,
    const char **value)
{
    bool         braced;
    size_t       len;
    unsigned     i;
    const char  *name;

    braced = (*p == '{');
    name = braced ? p + 1 : p;

    for (len = 0; cr_job_name_char(name[len]); len++) { /* void */ }

    if (len == 0 || (braced && name[len] != '}')) {
        return NULL;
    }

    for (i = 0; i < nvars; i++) {
        if (strlen(vars[i].name) == len
            && memcmp(vars[i].name, name, len) == 0)
        {
            *value = vars[i].value;
            return name + len + (braced ? 1 : 0);
        }
    }

    return NULL;
}


static bool
cr_job_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}
