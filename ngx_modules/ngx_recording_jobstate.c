
/*
 * Copyright (C) The call recorder authors
 *
 * Attempts to make the outputs, as the table knows them.
 */


#include "ngx_recording_engine.h"
#include "ngx_recording_job.h"

#include <openssl/crypto.h>


#define NGX_RECORDING_ATTEMPTS  2
#define NGX_RECORDING_TOKEN     32       /* bytes of entropy */


#define ngx_recording_set(dst, src)                                           \
    (void) ngx_cpystrn((u_char *) (dst), (u_char *) (src), sizeof(dst))


static ngx_int_t ngx_recording_job_change(ngx_recording_change_t *ch,
    const ngx_recording_ref_t *ref, ngx_uint_t attempt);
static ngx_uint_t ngx_recording_job_runs(const cr_recording_t *rec);
static void ngx_recording_job_record(ngx_recording_change_t *ch,
    const char *action, const char *error);


ngx_int_t
ngx_recording_job_begin(const ngx_recording_ref_t *ref, ngx_uint_t *attempt,
    char token[CR_JOURNAL_DIGEST_SIZE])
{
    u_char                  entropy[NGX_RECORDING_TOKEN];
    cr_recording_job_t     *job;
    ngx_recording_change_t  ch;

    if (ngx_recording_change(&ch, ref->recording_id) != NGX_OK) {
        return NGX_DECLINED;
    }

    job = &ch.rec->job;

    if ((ch.rec->status != CR_RECORDING_PROCESSING
         && ch.rec->status != CR_RECORDING_UPLOADING)
        || job->attempt != *attempt)
    {
        ngx_recording_commit(&ch);
        return NGX_DECLINED;
    }

    cr_random(&ngx_callrec_env, entropy, sizeof(entropy));

    ngx_memzero(job, sizeof(cr_recording_job_t));

    job->attempt = *attempt + 1;
    job->started_ms = ch.now_ms;
    job->heartbeat_ms = ch.now_ms;
    *ngx_hex_dump((u_char *) job->token, entropy, sizeof(entropy)) = '\0';

    ch.rec->bytes_uploaded = 0;

    if (ch.rec->status == CR_RECORDING_UPLOADING) {
        (void) cr_recording_transition(ch.rec, CR_RECORDING_PROCESSING,
                                       ch.now_ms);
    }

    ngx_recording_job_record(&ch, "start", "");

    *attempt = job->attempt;
    ngx_memcpy(token, job->token, CR_JOURNAL_DIGEST_SIZE);

    ngx_recording_commit(&ch);

    return NGX_OK;
}


ngx_int_t
ngx_recording_job_pid(const ngx_recording_ref_t *ref, ngx_uint_t attempt,
    ngx_pid_t pid)
{
    ngx_recording_change_t  ch;

    if (ngx_recording_job_change(&ch, ref, attempt) != NGX_OK) {
        return NGX_DECLINED;
    }

    ch.rec->job.pid = pid;
    ngx_recording_commit(&ch);

    return NGX_OK;
}


ngx_int_t
ngx_recording_job_find(const char *recording_id, const char *token,
    size_t len, ngx_recording_ref_t *ref, ngx_uint_t *attempt,
    cr_recording_t *copy)
{
    ngx_int_t              rc;
    ngx_recording_node_t  *node;
    ngx_recording_zone_t  *zone;

    zone = ngx_recording_zone();
    if (zone == NULL) {
        return NGX_DECLINED;
    }

    rc = NGX_DECLINED;

    ngx_recording_lock(zone);

    node = ngx_recording_find_locked(zone, recording_id);

    if (node == NULL || (!ngx_recording_job_runs(&node->rec)
                         && !node->rec.job.handed
                         && node->rec.status != CR_RECORDING_COMPLETED))
    {
        goto done;
    }

    rc = NGX_ABORT;

    if (len != 2 * NGX_RECORDING_TOKEN
        || CRYPTO_memcmp(node->rec.job.token, token, len) != 0)
    {
        goto done;
    }

    ngx_recording_ref(node, ref);
    *attempt = node->rec.job.attempt;

    if (copy != NULL) {
        *copy = node->rec;
    }

    rc = (node->rec.status == CR_RECORDING_COMPLETED || node->rec.job.handed)
         ? NGX_DONE : NGX_OK;

done:

    ngx_recording_unlock(zone);

    return rc;
}


ngx_int_t
ngx_recording_job_progress(const ngx_recording_ref_t *ref,
    ngx_uint_t attempt, int64_t out_time_ms, uint64_t bytes_uploaded)
{
    ngx_recording_change_t  ch;

    if (ngx_recording_job_change(&ch, ref, attempt) != NGX_OK) {
        return NGX_DECLINED;
    }

    cr_recording_job_progress(ch.rec, out_time_ms, bytes_uploaded,
                              ch.now_ms);
    ngx_recording_commit(&ch);

    return NGX_OK;
}


ngx_int_t
ngx_recording_job_uploading(const ngx_recording_ref_t *ref,
    ngx_uint_t attempt)
{
    ngx_recording_change_t  ch;

    if (ngx_recording_job_change(&ch, ref, attempt) != NGX_OK) {
        return NGX_DECLINED;
    }

    (void) cr_recording_transition(ch.rec, CR_RECORDING_UPLOADING,
                                   ch.now_ms);
    ngx_recording_commit(&ch);

    return NGX_OK;
}


ngx_int_t
ngx_recording_job_output(const ngx_recording_ref_t *ref, ngx_uint_t attempt,
    const cr_output_t *output)
{
    ngx_recording_change_t  ch;

    if (ngx_recording_job_change(&ch, ref, attempt) != NGX_OK) {
        return NGX_DECLINED;
    }

    ngx_recording_job_put(&ch, output);
    ngx_recording_commit(&ch);

    return NGX_OK;
}


void
ngx_recording_job_put(ngx_recording_change_t *ch, const cr_output_t *output)
{
    cr_journal_output_t  *to;
    cr_journal_record_t   record;

    if (cr_recording_output(ch->rec, output, ch->now_ms) != CR_OK) {
        return;
    }

    ngx_memzero(&record, sizeof(cr_journal_record_t));

    record.ev = CR_JOURNAL_OUTPUT;
    to = &record.output;

    ngx_recording_set(to->kind, output->kind);
    ngx_recording_set(to->participant_id, output->participant_id);
    ngx_recording_set(to->format, output->format);
    ngx_recording_set(to->codec, output->codec);
    ngx_recording_set(to->location, output->location);
    ngx_recording_set(to->sha256, output->sha256);
    to->width = output->width;
    to->height = output->height;
    to->size_bytes = output->size_bytes;
    to->duration_ms = output->duration_ms;

    ngx_recording_record(ch, &record);
    ch->save = 1;
}


ngx_int_t
ngx_recording_job_done(const ngx_recording_ref_t *ref, ngx_uint_t attempt)
{
    ngx_recording_change_t  ch;

    if (ngx_recording_job_change(&ch, ref, attempt) != NGX_OK) {
        return NGX_DECLINED;
    }

    ngx_recording_job_record(&ch, "done", "");
    (void) cr_recording_transition(ch.rec, CR_RECORDING_COMPLETED,
                                   ch.now_ms);
    ngx_recording_commit(&ch);

    return NGX_OK;
}


ngx_int_t
ngx_recording_job_failed(const ngx_recording_ref_t *ref, ngx_uint_t attempt,
    const cr_journal_error_t *error)
{
    int64_t                    since;
    cr_journal_record_t        record;
    ngx_recording_change_t     ch;

    if (ngx_recording_job_change(&ch, ref, attempt) != NGX_OK) {
        return NGX_DECLINED;
    }

    ngx_recording_job_record(&ch, "fail", error->message);

    if (attempt >= NGX_RECORDING_ATTEMPTS || !error->retryable) {
        ngx_recording_fail(&ch, error->code, error->message, error->stage);
        ngx_recording_commit(&ch);
        return NGX_OK;
    }

    since = ch.rec->job.started_ms;

    ngx_memzero(&record, sizeof(cr_journal_record_t));
    record.ev = CR_JOURNAL_INTERRUPTION;
    record.interruption.from_ms = since;
    record.interruption.to_ms = ch.now_ms;
    ngx_recording_set(record.interruption.kind, "mix");

    ngx_recording_record(&ch, &record);
    cr_recording_interrupt(ch.rec, &record.interruption, ch.now_ms);

    /* what the first attempt still sends is refused from now on */

    ngx_memzero(ch.rec->job.token, sizeof(ch.rec->job.token));
    ch.rec->job.pid = 0;

    if (ch.rec->status == CR_RECORDING_UPLOADING) {
        (void) cr_recording_transition(ch.rec, CR_RECORDING_PROCESSING,
                                       ch.now_ms);
    }

    ch.job = 1;
    ngx_recording_commit(&ch);

    return NGX_OK;
}


void
ngx_recording_job_cpu(const ngx_recording_ref_t *ref, int64_t cpu_ms)
{
    ngx_recording_change_t  ch;

    if (ngx_recording_change(&ch, ref->recording_id) != NGX_OK) {
        return;
    }

    cr_recording_add_cpu(ch.rec, cpu_ms, ch.now_ms);
    ch.save = 1;
    ngx_recording_commit(&ch);
}


static ngx_int_t
ngx_recording_job_change(ngx_recording_change_t *ch,
    const ngx_recording_ref_t *ref, ngx_uint_t attempt)
{
    if (ngx_recording_change(ch, ref->recording_id) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (ch->rec->job.attempt == attempt && ngx_recording_job_runs(ch->rec)) {
        return NGX_OK;
    }

    ngx_recording_commit(ch);

    return NGX_DECLINED;
}


static ngx_uint_t
ngx_recording_job_runs(const cr_recording_t *rec)
{
    return (rec->status == CR_RECORDING_PROCESSING
            || rec->status == CR_RECORDING_UPLOADING)
           && rec->job.token[0] != '\0' && !rec->job.handed;
}


static void
ngx_recording_job_record(ngx_recording_change_t *ch, const char *action,
    const char *error)
{
    cr_journal_record_t  record;

    ngx_memzero(&record, sizeof(cr_journal_record_t));

    record.ev = CR_JOURNAL_JOB;
    record.job.attempt = ch->rec->job.attempt;
    record.job.pid = ch->rec->job.pid;
    ngx_recording_set(record.job.action, action);
    ngx_recording_set(record.job.error, error);

    ngx_recording_record(ch, &record);
}
