
/*
 * Copyright (C) The call recorder authors
 *
 * What happens to a recording: by the API, by limits, by publishers.
 */


#include "ngx_recording_engine.h"
#include "ngx_recording_job.h"


#define ngx_recording_set(dst, src)                                           \
    (void) ngx_cpystrn((u_char *) (dst), (u_char *) (src), sizeof(dst))


static void ngx_recording_end(ngx_recording_change_t *ch,
    cr_recording_status_e status);
static void ngx_recording_disk_over(ngx_recording_change_t *ch);
static void ngx_recording_cancel(ngx_recording_change_t *ch);


cr_status_e
ngx_recording_stop(ngx_recording_change_t *ch, const char *end_reason,
    ngx_uint_t discard)
{
    cr_journal_record_t  record;

    if (cr_recording_is_active(ch->rec)) {
        (void) cr_recording_stop(ch->rec, end_reason, discard, ch->now_ms);
        ch->stop = 1;

    } else if (discard && !cr_recording_is_ended(ch->rec)) {
        ngx_recording_set(ch->rec->end_reason, end_reason);
        ch->rec->discard = 1;

    } else {
        return CR_DECLINED;
    }

    ngx_memzero(&record, sizeof(cr_journal_record_t));

    record.ev = CR_JOURNAL_STOP;
    record.stop.stopped_ms = ch->rec->stopped_ms;
    record.stop.first_media_ms = ch->rec->first_media_ms;
    ngx_recording_set(record.stop.end_reason, end_reason);

    ngx_recording_record(ch, &record);
    ngx_recording_settle(ch);

    return CR_OK;
}


void
ngx_recording_delete(ngx_recording_change_t *ch)
{
    cr_journal_record_t  record;

    ch->node->purge = 1;

    if (!cr_recording_is_ended(ch->rec)) {
        (void) ngx_recording_stop(ch, "deleted", 1);
        return;
    }

    ngx_memzero(&record, sizeof(cr_journal_record_t));
    record.ev = CR_JOURNAL_DELETE;
    ngx_recording_record(ch, &record);

    ngx_recording_end(ch, CR_RECORDING_DELETED);
}


void
ngx_recording_settle(ngx_recording_change_t *ch)
{
    if (ch->rec->discard
        && (ch->rec->status == CR_RECORDING_PROCESSING
            || ch->rec->status == CR_RECORDING_UPLOADING))
    {
        ngx_recording_cancel(ch);

    } else if (ch->rec->status != CR_RECORDING_STOPPING
               || ch->rec->nsessions != 0)
    {
        return;
    }

    if (ch->rec->discard) {
        ngx_recording_end(ch, CR_RECORDING_ABORTED);

        if (ch->node->purge) {
            ngx_recording_end(ch, CR_RECORDING_DELETED);
        }

        return;
    }

    if (ch->rec->first_media_ms < 0) {
        ngx_recording_fail(ch, "no_media",
                           "nobody sent any media while it was recorded",
                           "recording");
        return;
    }

    /* what was missed by it is in the journal */

    ngx_recording_trouble(ch, "", "");

    (void) cr_recording_transition(ch->rec, CR_RECORDING_PROCESSING,
                                   ch->now_ms);
    ch->job = 1;
}


void
ngx_recording_fail(ngx_recording_change_t *ch, const char *code,
    const char *message, const char *stage)
{
    cr_journal_record_t  record;

    ngx_memzero(&record, sizeof(cr_journal_record_t));

    record.ev = CR_JOURNAL_ERROR;
    ngx_recording_set(record.error.code, code);
    ngx_recording_set(record.error.message, message);
    ngx_recording_set(record.error.stage, stage);

    ngx_recording_record(ch, &record);

    cr_recording_set_error(ch->rec, &record.error, ch->now_ms);
    ngx_recording_end(ch, CR_RECORDING_FAILED);
}


void
ngx_recording_trouble(ngx_recording_change_t *ch, const char *code,
    const char *message)
{
    cr_journal_record_t  record;

    if (ngx_strcmp(ch->rec->error.code, code) == 0) {
        return;
    }

    ngx_memzero(&record, sizeof(cr_journal_record_t));

    record.ev = CR_JOURNAL_ERROR;
    record.error.retryable = (code[0] != '\0');
    ngx_recording_set(record.error.code, code);
    ngx_recording_set(record.error.message, message);
    ngx_recording_set(record.error.stage, code[0] ? "recording" : "");

    ngx_recording_record(ch, &record);

    cr_recording_set_error(ch->rec, &record.error, ch->now_ms);
    ch->save = 1;

    if (code[0] != '\0') {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "recording %s: %s: %s", ch->ref.recording_id, code,
                      message);
        return;
    }

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "recording %s: the error is over", ch->ref.recording_id);
}


void
ngx_recording_lost_session(ngx_recording_change_t *ch, ngx_uint_t i)
{
    cr_journal_record_t      record;
    cr_recording_session_t  *session;

    session = &ch->rec->sessions[i];

    ngx_memzero(&record, sizeof(cr_journal_record_t));

    record.ev = CR_JOURNAL_INTERRUPTION;
    record.interruption.from_ms = session->last_media_ms;
    record.interruption.to_ms = ngx_max(ch->now_ms, session->last_media_ms);
    ngx_recording_set(record.interruption.kind, "worker");
    ngx_recording_set(record.interruption.participant_id,
                      ch->rec->participants[session->participant].id);

    ngx_recording_record(ch, &record);

    cr_recording_interrupt(ch->rec, &record.interruption, ch->now_ms);
    (void) cr_recording_leave(ch->rec, session->id, session->last_media_ms,
                              ch->now_ms);
    ngx_recording_disk_over(ch);
    ch->save = 1;
}


void
ngx_recording_run_job(const ngx_recording_ref_t *ref, ngx_uint_t attempt)
{
    ngx_recording_change_t  ch;

    if (ngx_recording_job_start(ref, attempt) != NGX_DECLINED) {
        return;
    }

    /* there is nothing to be made of it: the chunks are the result */

    if (ngx_recording_change(&ch, ref->recording_id) == NGX_OK) {
        (void) cr_recording_transition(ch.rec, CR_RECORDING_COMPLETED,
                                       ch.now_ms);
        ngx_recording_commit(&ch);
    }
}


/* ---- for publishers ---- */

ngx_int_t
ngx_recording_table_active(const char *call_id, ngx_recording_ref_t *ref)
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

    node = ngx_recording_active_locked(zone, call_id);

    if (node != NULL && node->owner == 0) {
        ngx_recording_ref(node, ref);
        rc = NGX_OK;
    }

    ngx_recording_unlock(zone);

    return rc;
}


ngx_int_t
ngx_recording_table_join(const ngx_recording_ref_t *ref,
    const ngx_recording_publisher_info_t *info,
    const cr_journal_track_t *tracks, ngx_uint_t ntracks)
{
    ngx_uint_t              i;
    cr_status_e             rc;
    cr_journal_join_t       join;
    ngx_recording_change_t  ch;

    if (ngx_recording_change(&ch, ref->recording_id) != NGX_OK) {
        return NGX_DECLINED;
    }

    ngx_memzero(&join, sizeof(cr_journal_join_t));
    ngx_recording_set(join.participant_id, info->participant_id);
    ngx_recording_set(join.name, info->participant_name);
    ngx_recording_set(join.session_id, info->session_id);

    rc = cr_recording_join(ch.rec, &join, ngx_pid, ch.now_ms);

    for (i = 0; rc == CR_OK && i < ntracks; i++) {
        cr_recording_track(ch.rec, &tracks[i]);
    }

    ch.save = (rc == CR_OK);
    ngx_recording_commit(&ch);

    return rc == CR_OK ? NGX_OK : rc == CR_LIMIT ? NGX_BUSY : NGX_DECLINED;
}


void
ngx_recording_table_first_media(const ngx_recording_ref_t *ref,
    const char *participant_id, int64_t media_ms)
{
    ngx_recording_change_t  ch;

    if (ngx_recording_change(&ch, ref->recording_id) == NGX_OK) {
        cr_recording_first_media(ch.rec, media_ms, ch.now_ms);
        ngx_recording_commit(&ch);
    }
}


ngx_uint_t
ngx_recording_table_progress(const ngx_recording_ref_t *ref,
    const char *session_id, int64_t last_media_ms, uint64_t bytes_durable,
    const ngx_recording_publisher_stats_t *stats)
{
    ngx_uint_t              present;
    cr_recording_totals_t   totals;
    ngx_recording_change_t  ch;

    if (ngx_recording_change(&ch, ref->recording_id) != NGX_OK) {
        return 0;
    }

    totals.stored = bytes_durable;
    totals.received = stats->bytes;
    totals.packets = stats->packets;
    totals.lost = stats->lost;
    totals.recovered = stats->recovered;
    totals.given_up = stats->given_up;

    (void) cr_recording_progress(ch.rec, session_id, last_media_ms, &totals,
                                 ch.now_ms);
    present = cr_recording_publishers(ch.rec);
    ngx_recording_commit(&ch);

    return present;
}


void
ngx_recording_table_leave(const ngx_recording_ref_t *ref,
    const char *session_id, int64_t last_media_ms)
{
    ngx_recording_change_t  ch;

    if (ngx_recording_change(&ch, ref->recording_id) != NGX_OK) {
        return;
    }

    (void) cr_recording_leave(ch.rec, session_id, last_media_ms, ch.now_ms);
    ngx_recording_disk_over(&ch);
    ngx_recording_settle(&ch);

    ch.save = 1;
    ngx_recording_commit(&ch);
}


void
ngx_recording_table_error(const ngx_recording_ref_t *ref, const char *code,
    const char *message)
{
    ngx_recording_change_t  ch;

    if (ngx_recording_change(&ch, ref->recording_id) != NGX_OK) {
        return;
    }

    if (!cr_recording_is_ended(ch.rec)) {
        ngx_recording_trouble(&ch, code, message);
    }

    ngx_recording_commit(&ch);
}


void
ngx_recording_table_error_over(const ngx_recording_ref_t *ref)
{
    ngx_recording_change_t  ch;

    if (ngx_recording_change(&ch, ref->recording_id) != NGX_OK) {
        return;
    }

    ngx_recording_disk_over(&ch);
    ngx_recording_commit(&ch);
}


/* Another session whose writes fail tells so again. */
static void
ngx_recording_disk_over(ngx_recording_change_t *ch)
{
    if (ngx_strcmp(ch->rec->error.code, "disk_full") == 0
        || ngx_strcmp(ch->rec->error.code, "disk_io") == 0)
    {
        ngx_recording_trouble(ch, "", "");
    }
}


static void
ngx_recording_end(ngx_recording_change_t *ch, cr_recording_status_e status)
{
    if (cr_recording_transition(ch->rec, status, ch->now_ms) != CR_OK) {
        return;
    }

    if (status == CR_RECORDING_ABORTED || status == CR_RECORDING_DELETED) {
        ch->node->remove = 1;
    }
}


static void
ngx_recording_cancel(ngx_recording_change_t *ch)
{
    if (ch->rec->job.attempt != 0) {
        ch->cancel = 1;
        ch->cancelled = ch->rec->job;
    }
}
