
/*
 * Copyright (C) The call recorder authors
 *
 * Uploads, as the table knows them.
 */


#include "ngx_recording_engine.h"
#include "ngx_recording_job.h"
#include "ngx_recording_upload.h"


#define ngx_recording_set(dst, src)                                           \
    (void) ngx_cpystrn((u_char *) (dst), (u_char *) (src), sizeof(dst))


static ngx_int_t ngx_recording_upload_change(ngx_recording_change_t *ch,
    const ngx_recording_ref_t *ref, ngx_uint_t attempt, ngx_uint_t handed);
static cr_output_t *ngx_recording_upload_output(cr_recording_t *rec);


ngx_uint_t
ngx_recording_upload_taken(const ngx_recording_ref_t *ref)
{
    ngx_uint_t              taken;
    ngx_recording_change_t  ch;

    if (ngx_recording_change(&ch, ref->recording_id) != NGX_OK) {
        return 0;
    }

    taken = ch.node->uploader != 0
            && ngx_callrec_worker_alive(ch.node->uploader);

    ngx_recording_commit(&ch);

    return taken;
}


ngx_int_t
ngx_recording_upload_take(const ngx_recording_ref_t *ref, ngx_uint_t attempt)
{
    ngx_int_t               rc;
    ngx_recording_change_t  ch;

    if (ngx_recording_upload_change(&ch, ref, attempt, 0) != NGX_OK) {
        return NGX_DECLINED;
    }

    rc = NGX_BUSY;

    if (ch.node->uploader == 0
        || !ngx_callrec_worker_alive(ch.node->uploader))
    {
        ch.node->uploader = ngx_pid;
        rc = NGX_OK;
    }

    ngx_recording_commit(&ch);

    return rc;
}


void
ngx_recording_upload_release(const ngx_recording_ref_t *ref)
{
    ngx_recording_change_t  ch;

    if (ngx_recording_change(&ch, ref->recording_id) != NGX_OK) {
        return;
    }

    if (ch.node->uploader == ngx_pid) {
        ch.node->uploader = 0;
    }

    ngx_recording_commit(&ch);
}


ngx_int_t
ngx_recording_upload_look(const ngx_recording_ref_t *ref, ngx_uint_t attempt,
    cr_output_t *output)
{
    ngx_int_t               rc;
    ngx_recording_change_t  ch;

    if (ngx_recording_upload_change(&ch, ref, attempt, 0) != NGX_OK) {
        return NGX_DECLINED;
    }

    rc = NGX_OK;

    if (ch.rec->discard) {
        rc = NGX_DECLINED;

    } else if (ch.rec->job.handed) {
        *output = *ngx_recording_upload_output(ch.rec);
        rc = NGX_DONE;
    }

    ngx_recording_commit(&ch);

    return rc;
}


ngx_int_t
ngx_recording_upload_handed(const ngx_recording_ref_t *ref,
    ngx_uint_t attempt, const cr_output_t *output)
{
    ngx_recording_change_t  ch;

    if (ngx_recording_job_output(ref, attempt, output) != NGX_OK
        || ngx_recording_upload_change(&ch, ref, attempt, 0) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (ngx_recording_upload_output(ch.rec) == NULL) {
        ngx_recording_commit(&ch);
        return NGX_DECLINED;
    }

    /* the process has done its work, whatever becomes of it */

    ch.rec->job.pid = 0;
    ch.rec->job.handed = 1;
    ch.rec->job.handed_ms = ch.now_ms;
    ch.rec->job.handed_bytes = ch.rec->bytes_uploaded;

    (void) cr_recording_transition(ch.rec, CR_RECORDING_UPLOADING,
                                   ch.now_ms);
    cr_recording_upload_progress(ch.rec, ch.rec->bytes_uploaded,
                                 output->size_bytes, ch.now_ms);
    ngx_recording_commit(&ch);

    return NGX_OK;
}


ngx_int_t
ngx_recording_upload_resume(const ngx_recording_ref_t *ref,
    ngx_uint_t attempt)
{
    cr_output_t             *output;
    ngx_recording_change_t   ch;

    if (ngx_recording_change(&ch, ref->recording_id) != NGX_OK) {
        return NGX_DECLINED;
    }

    output = ngx_recording_upload_output(ch.rec);

    if (output == NULL || attempt == 0 || ch.rec->job.attempt != attempt
        || ch.rec->job.token[0] != '\0'
        || ch.rec->status != CR_RECORDING_PROCESSING)
    {
        ngx_recording_commit(&ch);
        return NGX_DECLINED;
    }

    ch.rec->job.handed = 1;
    ch.rec->job.handed_ms = ch.now_ms;
    ch.rec->job.handed_bytes = 0;

    (void) cr_recording_transition(ch.rec, CR_RECORDING_UPLOADING,
                                   ch.now_ms);
    ngx_recording_commit(&ch);

    return NGX_OK;
}


void
ngx_recording_upload_progress(const ngx_recording_ref_t *ref,
    ngx_uint_t attempt, uint64_t bytes, uint64_t size)
{
    ngx_recording_change_t  ch;

    if (ngx_recording_upload_change(&ch, ref, attempt, 0) == NGX_OK) {

        if (ch.rec->bytes_uploaded != bytes) {
            cr_recording_upload_progress(ch.rec, bytes, size, ch.now_ms);
        }

        ngx_recording_commit(&ch);
    }
}


ngx_int_t
ngx_recording_upload_done(const ngx_recording_ref_t *ref, ngx_uint_t attempt,
    const cr_output_t *output, ngx_recording_journal_pt done, void *ctx)
{
    char                    *line;
    ngx_int_t                rc;
    cr_journal_record_t      record;
    ngx_recording_change_t   ch;

    if (ngx_recording_upload_change(&ch, ref, attempt, 1) != NGX_OK) {
        return NGX_DECLINED;
    }

    ngx_recording_job_put(&ch, output);

    ch.node->uploader = 0;
    ch.rec->job.handed = 0;

    (void) cr_recording_transition(ch.rec, CR_RECORDING_COMPLETED,
                                   ch.now_ms);
    ngx_recording_commit(&ch);

    /* what is behind the others in the journal says when they are there */

    ngx_memzero(&record, sizeof(cr_journal_record_t));

    record.ev = CR_JOURNAL_JOB;
    record.t_ms = ch.now_ms;
    record.at_ms = ngx_callrec_wall_ms();
    record.job.attempt = attempt;
    ngx_recording_set(record.job.action, "done");

    line = cr_journal_format(&ngx_callrec_env, &record);
    if (line == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_recording_journal_append(ref->dir, line, ngx_strlen(line), done,
                                      ctx, ngx_cycle->log);
    cr_free(&ngx_callrec_env, line);

    return rc;
}


void
ngx_recording_upload_failed(const ngx_recording_ref_t *ref,
    ngx_uint_t attempt, const char *code, const char *message)
{
    ngx_recording_change_t  ch;

    if (ngx_recording_upload_change(&ch, ref, attempt, 1) != NGX_OK) {
        return;
    }

    ch.node->uploader = 0;
    ch.rec->job.handed = 0;

    ngx_recording_fail(&ch, code, message, "uploading");
    ngx_recording_commit(&ch);
}


static ngx_int_t
ngx_recording_upload_change(ngx_recording_change_t *ch,
    const ngx_recording_ref_t *ref, ngx_uint_t attempt, ngx_uint_t handed)
{
    cr_recording_job_t  *job;

    if (ngx_recording_change(ch, ref->recording_id) != NGX_OK) {
        return NGX_DECLINED;
    }

    job = &ch->rec->job;

    if (job->attempt == attempt
        && (job->handed || (!handed && job->token[0] != '\0'))
        && (ch->rec->status == CR_RECORDING_PROCESSING
            || ch->rec->status == CR_RECORDING_UPLOADING))
    {
        return NGX_OK;
    }

    ngx_recording_commit(ch);

    return NGX_DECLINED;
}


/* The one that is in a local file; NULL: none. */
static cr_output_t *
ngx_recording_upload_output(cr_recording_t *rec)
{
    uint32_t      i;
    cr_output_t  *output;

    for (i = 0; i < rec->noutputs; i++) {
        output = &rec->outputs[i];

        if (ngx_strcmp(output->kind, "composite") == 0
            && ngx_strncmp(output->location, "file://", 7) == 0)
        {
            return output;
        }
    }

    return NULL;
}
