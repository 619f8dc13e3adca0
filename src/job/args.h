
/*
 * Copyright (C) The call recorder authors
 *
 * The command line of an exec hook: arguments with $variables, without a
 * shell.
 */

#ifndef CR_JOB_ARGS_H
#define CR_JOB_ARGS_H


#include "base/env.h"
#include "base/status.h"


#define CR_JOB_ARGS_MAX  128
#define CR_JOB_ARG_SIZE_MAX  4096


/* A name without the dollar sign, and its value; both NUL-terminated. */
typedef struct {
    const char  *name;
    const char  *value;
} cr_job_var_t;


/*
 * Checks that every $name and ${name} in a template is one of the variables
 * (values do not matter) and that no dollar sign stands alone; "$$" is a
 * dollar sign.  CR_INVALID with *bad pointing at the wrong place.
 */
cr_status_e cr_job_arg_check(const char *arg, const cr_job_var_t *vars,
    unsigned nvars, const char **bad);

/*
 * Expands one template into a string to be freed with cr_free(); NULL when
 * there is no memory, the template is wrong or the result is longer than
 * CR_JOB_ARG_SIZE_MAX.
 */
char *cr_job_arg_expand(const cr_env_t *env, const char *arg,
    const cr_job_var_t *vars, unsigned nvars);


#endif /* CR_JOB_ARGS_H */
