
/*
 * Copyright (C) The call recorder authors
 *
 * The exec hook: one process for each attempt to make a recording's output.
 * The attempt ends well when the process hands in a complete result
 * (ngx_http_recording_parts.c), and ends badly when the process is gone before
 * that, or says nothing for too long.  Nobody waits for the process: it
 * outlives the worker that started it, and what is known of it is in the
 * table of recordings.
 */

#include "ngx_recording_job.h"

#include "job/args.h"
#include "ngx_callrec.h"
#include "ngx_recording_mix.h"
#include "ngx_recording_spawn.h"
#include "ngx_recording_upload.h"


/* An ended process may still have its last request under way. */
#define NGX_RECORDING_JOB_GRACE_MS  5000


typedef struct {
    ngx_recording_ref_t  ref;
    ngx_uint_t           attempt;
    ngx_uint_t           slot;
} ngx_recording_job_t;


static ngx_int_t ngx_recording_job_attempt(const ngx_recording_ref_t *ref,
    ngx_uint_t attempt, ngx_uint_t slot);
static ngx_int_t ngx_recording_job_exec(ngx_recording_job_t *job,
    const char *token);
static ngx_int_t ngx_recording_job_vars(ngx_pool_t *pool,
    ngx_recording_job_t *job, const char *token, cr_job_var_t *vars);
static char **ngx_recording_job_argv(ngx_pool_t *pool,
    const cr_job_var_t *vars);
static void ngx_recording_job_ended(ngx_recording_child_t *child);
static void ngx_recording_job_fail(const ngx_recording_ref_t *ref,
    ngx_uint_t attempt, const char *code, ngx_uint_t retryable,
    const char *fmt, ...);
static void ngx_recording_job_discard(const ngx_recording_ref_t *ref,
    ngx_uint_t attempt);
static void ngx_recording_job_discarded(ngx_recording_store_op_t *op);


const char *const  ngx_recording_exec_vars[NGX_RECORDING_EXEC_VARS] = {
    "recording_id",
    "call_id",
    "recording_dir",
    "recording_seconds",
    "recording_parts_url",
    "recording_attempt"
};


/* nginx keeps no environment of its own for us to pass on. */
static char  ngx_recording_job_path[] =
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";


ngx_int_t
ngx_recording_job_start(const ngx_recording_ref_t *ref, ngx_uint_t attempt)
{
    ngx_int_t                  rc;
    ngx_uint_t                 slot;
    ngx_recording_mix_conf_t  *mix;

    mix = ngx_recording_mix_conf();

    if (mix == NULL || mix->mix == NGX_RECORDING_MIX_OFF) {
        return NGX_DECLINED;
    }

    if (mix->store->s3 != NULL
        && ngx_recording_upload_resume(ref, attempt) == NGX_OK)
    {
        ngx_recording_upload_kick(ref, attempt);
        return NGX_OK;
    }

    if (ngx_recording_slot_take(ref->recording_id, &slot) != NGX_OK) {
        return NGX_AGAIN;
    }

    if (!ngx_recording_spawn_possible(ngx_cycle->log)) {
        ngx_recording_slot_free(slot);
        return NGX_AGAIN;
    }

    rc = ngx_recording_job_attempt(ref, attempt, slot);

    if (rc != NGX_OK) {
        ngx_recording_slot_free(slot);
    }

    /* that it failed is in the table, or another worker was faster */

    return NGX_OK;
}


static ngx_int_t
ngx_recording_job_attempt(const ngx_recording_ref_t *ref, ngx_uint_t attempt,
    ngx_uint_t slot)
{
    char                  token[CR_JOURNAL_DIGEST_SIZE];
    ngx_recording_job_t  *job;

    if (ngx_recording_job_begin(ref, &attempt, token) != NGX_OK) {
        return NGX_DECLINED;
    }

    job = ngx_alloc(sizeof(ngx_recording_job_t), ngx_cycle->log);
    if (job == NULL) {
        ngx_recording_job_fail(ref, attempt, "internal", 1, "no memory");
        return NGX_ERROR;
    }

    job->ref = *ref;
    job->attempt = attempt;
    job->slot = slot;

    if (attempt > 1) {
        /* of an attempt that nobody saw the end of */
        ngx_recording_job_discard(ref, attempt - 1);
    }

    if (ngx_recording_job_exec(job, token) != NGX_OK) {
        ngx_free(job);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_recording_job_exec(ngx_recording_job_t *job, const char *token)
{
    char                     **argv, *envp[3], secret[128];
    char                       name[64];
    ngx_err_t                  err;
    ngx_pool_t                *pool;
    cr_job_var_t               vars[NGX_RECORDING_EXEC_VARS];
    ngx_recording_child_t     *child;

    pool = ngx_create_pool(4096, ngx_cycle->log);
    if (pool == NULL) {
        goto no_memory;
    }

    if (ngx_recording_job_vars(pool, job, token, vars) != NGX_OK) {
        goto no_memory;
    }

    argv = ngx_recording_job_argv(pool, vars);
    if (argv == NULL) {
        goto no_memory;
    }

    /* not in argv, which everybody on the machine can read */

    ngx_snprintf((u_char *) secret, sizeof(secret), "CALLREC_TOKEN=%s%Z",
                 token);

    envp[0] = secret;
    envp[1] = ngx_recording_job_path;
    envp[2] = NULL;

    ngx_snprintf((u_char *) name, sizeof(name), "%s#%ui%Z",
                 job->ref.recording_id, job->attempt);

    child = ngx_recording_spawn(argv, envp, job->ref.dir,
                                ngx_recording_mix_conf()->exec_nice, name,
                                ngx_recording_job_ended, job, &err,
                                ngx_cycle->log);
    if (child == NULL) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, err,
                      "cannot run \"%s\" for %s", argv[0], name);
        ngx_recording_job_fail(&job->ref, job->attempt, "exec_failed", 0,
                               "cannot run %s: %s", argv[0], strerror(err));
        ngx_destroy_pool(pool);
        return NGX_ERROR;
    }

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0, "%s: \"%s\", pid %P",
                  name, argv[0], child->pid);

    ngx_recording_slot_pid(job->slot, child->pid);
    (void) ngx_recording_job_pid(&job->ref, job->attempt, child->pid);

    ngx_destroy_pool(pool);

    return NGX_OK;

no_memory:

    if (pool != NULL) {
        ngx_destroy_pool(pool);
    }

    ngx_recording_job_fail(&job->ref, job->attempt, "internal", 1,
                           "no memory for the command line");
    return NGX_ERROR;
}


/* The values of ngx_recording_exec_vars, in its order. */
static ngx_int_t
ngx_recording_job_vars(ngx_pool_t *pool, ngx_recording_job_t *job,
    const char *token, cr_job_var_t *vars)
{
    u_char                    *url, *seconds, *number;
    int64_t                    ms;
    ngx_str_t                 *base;
    ngx_uint_t                 i, attempt;
    cr_recording_t            *rec;
    ngx_recording_ref_t        ref;

    base = &ngx_recording_mix_conf()->parts_url;

    rec = ngx_palloc(pool, sizeof(cr_recording_t));
    url = ngx_pnalloc(pool, base->len + CR_ID_MAX + sizeof("/composite"));
    seconds = ngx_pnalloc(pool, NGX_INT64_LEN + sizeof(".000"));
    number = ngx_pnalloc(pool, NGX_INT_T_LEN + 1);

    if (rec == NULL || url == NULL || seconds == NULL || number == NULL) {
        return NGX_ERROR;
    }

    ms = 0;

    if (ngx_recording_job_find(job->ref.recording_id, token,
                               ngx_strlen(token), &ref, &attempt, rec)
        == NGX_OK)
    {
        ms = ngx_max(cr_recording_duration_ms(rec), 0);
    }

    ngx_sprintf(url, "%V%s/composite%Z", base, job->ref.recording_id);
    ngx_sprintf(seconds, "%L.%03L%Z", ms / 1000, ms % 1000);
    ngx_sprintf(number, "%ui%Z", job->attempt);

    vars[0].value = job->ref.recording_id;
    vars[1].value = job->ref.call_id;
    vars[2].value = job->ref.dir;
    vars[3].value = (char *) seconds;
    vars[4].value = (char *) url;
    vars[5].value = (char *) number;

    for (i = 0; i < NGX_RECORDING_EXEC_VARS; i++) {
        vars[i].name = ngx_recording_exec_vars[i];
    }

    return NGX_OK;
}


static char **
ngx_recording_job_argv(ngx_pool_t *pool, const cr_job_var_t *vars)
{
    char          *arg, **argv;
    size_t         len;
    ngx_str_t     *template;
    ngx_uint_t     i;
    ngx_array_t   *exec;

    exec = ngx_recording_mix_conf()->exec;
    template = exec->elts;

    argv = ngx_pcalloc(pool, (exec->nelts + 1) * sizeof(char *));
    if (argv == NULL) {
        return NULL;
    }

    for (i = 0; i < exec->nelts; i++) {
        arg = cr_job_arg_expand(&ngx_callrec_env, (char *) template[i].data,
                                vars, NGX_RECORDING_EXEC_VARS);
        if (arg == NULL) {
            return NULL;
        }

        len = ngx_strlen(arg) + 1;
        argv[i] = ngx_pnalloc(pool, len);

        if (argv[i] != NULL) {
            ngx_memcpy(argv[i], arg, len);
        }

        cr_free(&ngx_callrec_env, arg);

        if (argv[i] == NULL) {
            return NULL;
        }
    }

    return argv;
}


/* After a complete result this is news to nobody: the attempt is over. */
static void
ngx_recording_job_ended(ngx_recording_child_t *child)
{
    ngx_recording_job_t  *job;

    job = child->data;

    ngx_recording_slot_free(job->slot);

    if (child->len != 0) {
        ngx_recording_job_fail(&job->ref, job->attempt, "mix_failed", 1,
                               "the mixing process ended without a result: "
                               "%*s", child->len, child->tail);
    } else {
        ngx_recording_job_fail(&job->ref, job->attempt, "mix_failed", 1,
                               "the mixing process ended without a result");
    }

    ngx_free(job);
}


void
ngx_recording_job_check(const ngx_recording_ref_t *ref,
    const cr_recording_job_t *job, int64_t now_ms)
{
    int64_t                    silent;
    ngx_recording_mix_conf_t  *mix;

    /* also after a reload that turned the mix off */

    mix = ngx_recording_mix_conf();

    if (mix == NULL) {
        return;
    }

    silent = now_ms - ngx_max(job->heartbeat_ms, job->started_ms);

    if (silent > (int64_t) mix->exec_timeout) {
        ngx_recording_kill(job->pid, ngx_cycle->log);
        ngx_recording_job_fail(ref, job->attempt, "mix_stalled", 1,
                               "the mixing process said nothing for %L s",
                               silent / 1000);
        return;
    }

    /* its worker would have told, had it not ended before the process */

    if (silent > NGX_RECORDING_JOB_GRACE_MS && job->pid > 1
        && kill(job->pid, 0) == -1 && ngx_errno == NGX_ESRCH)
    {
        ngx_recording_job_fail(ref, job->attempt, "mix_failed", 1,
                               "the mixing process is gone");
    }
}


void
ngx_recording_job_cancel(const ngx_recording_ref_t *ref,
    const cr_recording_job_t *job)
{
    if (job->token[0] != '\0') {
        ngx_recording_kill(job->pid, ngx_cycle->log);
    }
}


static void
ngx_recording_job_fail(const ngx_recording_ref_t *ref, ngx_uint_t attempt,
    const char *code, ngx_uint_t retryable, const char *fmt, ...)
{
    u_char              *last;
    va_list              args;
    cr_journal_error_t   error;

    ngx_memzero(&error, sizeof(cr_journal_error_t));

    va_start(args, fmt);
    last = ngx_vslprintf((u_char *) error.message,
                         (u_char *) error.message + sizeof(error.message) - 1,
                         fmt, args);
    va_end(args);

    *last = '\0';

    ngx_cpystrn((u_char *) error.code, (u_char *) code, sizeof(error.code));
    ngx_cpystrn((u_char *) error.stage, (u_char *) "processing",
                sizeof(error.stage));
    error.retryable = retryable;

    if (ngx_recording_job_failed(ref, attempt, &error) == NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "recording %s, attempt %ui: %s", ref->recording_id,
                      attempt, error.message);

        ngx_recording_job_discard(ref, attempt);
    }
}


/* What the store has got of an attempt that came to nothing. */
static void
ngx_recording_job_discard(const ngx_recording_ref_t *ref, ngx_uint_t attempt)
{
    ngx_pool_t                *pool;
    ngx_recording_store_op_t  *op;

    pool = ngx_create_pool(4096, ngx_cycle->log);
    if (pool == NULL) {
        return;
    }

    op = ngx_pcalloc(pool, sizeof(ngx_recording_store_op_t));
    if (op == NULL) {
        ngx_destroy_pool(pool);
        return;
    }

    op->store = ngx_recording_mix_conf()->store;
    op->pool = pool;
    op->log = ngx_cycle->log;
    op->ref = *ref;
    op->attempt = attempt;
    ngx_cpystrn(op->output, (u_char *) "composite", sizeof(op->output));
    op->done = ngx_recording_job_discarded;

    if (op->store->discard(op) != NGX_OK) {
        ngx_destroy_pool(pool);
    }
}


static void
ngx_recording_job_discarded(ngx_recording_store_op_t *op)
{
    if (op->rc != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, op->err,
                      "recording %s, attempt %ui: %s", op->ref.recording_id,
                      op->attempt, op->why);
    }

    ngx_destroy_pool(op->pool);
}
