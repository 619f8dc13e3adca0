
/*
 * Copyright (C) The call recorder authors
 *
 * Weak stand-ins for the job's half of the seam, for
 * the hour until it has landed; this file goes then.
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
