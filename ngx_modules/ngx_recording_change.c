
/*
 * Copyright (C) The call recorder authors
 *
 * Changes to a recording, and what follows from each.
 */


#include "ngx_recording_engine.h"
#include "ngx_recording_job.h"


static void ngx_recording_record_state(ngx_recording_change_t *ch);
static void ngx_recording_write_journal(ngx_recording_change_t *ch);
static void ngx_recording_journal_done(void *ctx, ngx_int_t rc);


ngx_int_t
ngx_recording_change(ngx_recording_change_t *ch, const char *recording_id)
{
    ngx_recording_node_t  *node;
    ngx_recording_zone_t  *zone;

    zone = ngx_recording_zone();

    ngx_recording_lock(zone);

    node = ngx_recording_find_locked(zone, recording_id);

    if (node == NULL) {
        ngx_recording_unlock(zone);
        return NGX_DECLINED;
    }

    ngx_recording_change_locked(ch, zone, node);

    return NGX_OK;
}


void
ngx_recording_change_locked(ngx_recording_change_t *ch,
    ngx_recording_zone_t *zone, ngx_recording_node_t *node)
{
    ngx_memzero(ch, sizeof(ngx_recording_change_t));

    ch->zone = zone;
    ch->node = node;
    ch->rec = &node->rec;
    ch->now_ms = (ngx_callrec_now_us() - node->t0_us) / 1000;
    ch->status = node->rec.status;
    ch->rev = node->rec.rev;

    ngx_recording_ref(node, &ch->ref);
}


void
ngx_recording_record(ngx_recording_change_t *ch,
    cr_journal_record_t *record)
{
    char  *line;

    record->t_ms = ch->now_ms;
    record->at_ms = ngx_callrec_wall_ms();

    if (ch->nlines == NGX_RECORDING_RECORDS) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                      "too many journal records in a change of %s",
                      ch->ref.recording_id);
        return;
    }

    line = cr_journal_format(&ngx_callrec_env, record);

    if (line == NULL) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "no memory for a journal record of %s",
                      ch->ref.recording_id);
        return;
    }

    ch->lines[ch->nlines++] = line;
}


void
ngx_recording_commit(ngx_recording_change_t *ch)
{
    int64_t                rev;
    ngx_uint_t             attempt, waiters;
    ngx_recording_node_t  *node;

    node = ch->node;

    if (ch->rec->status != ch->status) {
        ngx_recording_record_state(ch);
        ch->save = 1;

        ch->zone->sh->active += cr_recording_is_active(ch->rec);
        ch->zone->sh->active -= cr_recording_status_is_active(ch->status);
    }

    if (ch->save) {
        node->dirty = 1;
        ngx_recording_file_locked(ch->zone, node);
    }

    rev = ch->rec->rev;
    waiters = node->waiters;
    attempt = ch->rec->job.attempt;

    ngx_recording_unlock(ch->zone);

    ngx_recording_write_journal(ch);

    if (ch->start) {
        ngx_recording_message_start(&ch->ref);
    }

    if (ch->stop) {
        ngx_recording_message_stop(ch->ref.recording_id);
    }

    if (waiters && rev != ch->rev) {
        ngx_recording_message_changed(ch->ref.recording_id, rev);
    }

    if (ch->cancel) {
        ngx_recording_job_cancel(&ch->ref, &ch->cancelled);
    }

    if (ch->save) {
        ngx_recording_save(ch->ref.recording_id);
    }

    if (ch->job) {
        ngx_recording_run_job(&ch->ref, attempt);
    }
}


static void
ngx_recording_record_state(ngx_recording_change_t *ch)
{
    cr_journal_record_t  record;

    ngx_memzero(&record, sizeof(cr_journal_record_t));

    record.ev = CR_JOURNAL_STATE;
    record.state.rev = ch->rec->rev;

    (void) ngx_cpystrn((u_char *) record.state.status,
                       (u_char *) cr_recording_status_name(ch->rec->status),
                       sizeof(record.state.status));

    ngx_recording_record(ch, &record);

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "recording %s of call %s is %s", ch->ref.recording_id,
                  ch->ref.call_id, record.state.status);
}


static void
ngx_recording_write_journal(ngx_recording_change_t *ch)
{
    ngx_uint_t  i;

    for (i = 0; i < ch->nlines; i++) {

        if (ngx_recording_journal_append(ch->ref.dir, ch->lines[i],
                                         ngx_strlen(ch->lines[i]),
                                         ngx_recording_journal_done, NULL,
                                         ngx_cycle->log)
            != NGX_OK)
        {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "journal of %s could not be written",
                          ch->ref.recording_id);
        }

        cr_free(&ngx_callrec_env, ch->lines[i]);
    }
}


static void
ngx_recording_journal_done(void *ctx, ngx_int_t rc)
{
    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "a journal record could not be written");
    }
}
