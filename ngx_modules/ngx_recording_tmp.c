
/*
 * Copyright (C) The call recorder authors
 *
 * Weak stand-ins for the publishers' and the job's half of the seams, for
 * the hour until both have landed; this file goes then.
 */


#include "ngx_recording_job.h"


#define ngx_recording_weak  __attribute__((weak))


ngx_recording_weak ngx_int_t
ngx_recording_job_start(const ngx_recording_ref_t *ref, ngx_uint_t attempt)
{
    return NGX_DECLINED;
}


ngx_recording_weak void
ngx_recording_job_check(const ngx_recording_ref_t *ref,
    const cr_recording_job_t *job, int64_t now_ms)
{
}


ngx_recording_weak void
ngx_recording_job_cancel(const ngx_recording_ref_t *ref,
    const cr_recording_job_t *job)
{
}


ngx_recording_weak void
ngx_recording_publishers_start(const ngx_recording_ref_t *ref)
{
}


ngx_recording_weak void
ngx_recording_publishers_stop(const char *recording_id)
{
}


ngx_recording_weak ngx_int_t
ngx_recording_journal_append(const char *dir, const char *line, size_t len,
    ngx_recording_journal_pt done, void *ctx, ngx_log_t *log)
{
    int        fd;
    u_char     path[NGX_RECORDING_DIR_MAX + 32];
    ngx_int_t  rc;

    (void) ngx_snprintf(path, sizeof(path), "%s/journal.ndjson%Z", dir);

    fd = open((char *) path, O_WRONLY|O_APPEND|O_CREAT, 0640);
    if (fd == -1) {
        return NGX_ERROR;
    }

    rc = dprintf(fd, "%.*s\n", (int) len, line) < 0 ? NGX_ERROR : NGX_OK;

    (void) close(fd);

    if (done != NULL) {
        done(ctx, rc);
    }

    return NGX_OK;
}
