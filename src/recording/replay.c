
/*
 * Copyright (C) The call recorder authors
 *
 * A recording brought back from its journal.
 */

#include "recording/recording.h"

#include <string.h>


static cr_status_e cr_replay_start(cr_recording_t *rec,
    const cr_journal_start_t *start);
static void cr_replay_state(cr_recording_t *rec,
    const cr_journal_state_t *state, int64_t now_ms);
static cr_status_e cr_replay_join(cr_recording_t *rec,
    const cr_journal_join_t *join, int64_t now_ms);
static void cr_replay_media(cr_recording_t *rec, const char *session_id,
    int64_t from_ms, int64_t to_ms, int64_t size);
static void cr_replay_interruption(cr_recording_t *rec,
    const cr_journal_interruption_t *interruption, int64_t now_ms);
static void cr_replay_stop(cr_recording_t *rec,
    const cr_journal_stop_t *stop);
static cr_status_e cr_replay_output(cr_recording_t *rec,
    const cr_journal_output_t *output, int64_t now_ms);


cr_status_e
cr_recording_replay(cr_recording_t *rec, const cr_journal_record_t *record)
{
    const cr_journal_chunk_open_t   *open;
    const cr_journal_chunk_close_t  *close;

    if ((record->ev == CR_JOURNAL_START) != (rec->status == 0)) {
        return CR_INVALID;
    }

    switch (record->ev) {

    case CR_JOURNAL_START:
        return cr_replay_start(rec, &record->start);

    case CR_JOURNAL_STATE:
        cr_replay_state(rec, &record->state, record->t_ms);
        return CR_OK;

    case CR_JOURNAL_JOIN:
        return cr_replay_join(rec, &record->join, record->t_ms);

    case CR_JOURNAL_TRACK:
        cr_recording_track(rec, &record->track);
        return CR_OK;

    case CR_JOURNAL_CHUNK_OPEN:
        open = &record->chunk_open;
        cr_replay_media(rec, open->session_id, open->start_ms,
                        open->start_ms, 0);
        return CR_OK;

    case CR_JOURNAL_CHUNK_CLOSE:
        close = &record->chunk_close;
        cr_replay_media(rec, close->session_id, close->start_ms,
                        close->end_ms, close->size_bytes);
        return CR_OK;

    case CR_JOURNAL_LEAVE:
        return cr_recording_leave(rec, record->leave.session_id, -1,
                                  record->t_ms);

    case CR_JOURNAL_INTERRUPTION:
        cr_replay_interruption(rec, &record->interruption, record->t_ms);
        return CR_OK;

    case CR_JOURNAL_STOP:
        cr_replay_stop(rec, &record->stop);
        return CR_OK;

    case CR_JOURNAL_JOB:
        if (record->job.attempt > 0 && record->job.attempt < 1000000) {
            rec->job.attempt = (uint32_t) record->job.attempt;
        }

        return CR_OK;

    case CR_JOURNAL_OUTPUT:
        return cr_replay_output(rec, &record->output, record->t_ms);

    case CR_JOURNAL_ERROR:
        cr_recording_set_error(rec, &record->error, record->t_ms);
        return CR_OK;

    case CR_JOURNAL_DELETE:
        rec->status = CR_RECORDING_DELETED;
        return CR_OK;

    default:

        /* track, clock, gap, rotation and level concern the mix alone */

        return CR_OK;
    }
}


cr_status_e
cr_recording_replay_journal(cr_recording_t *rec, const char *journal,
    size_t len, unsigned *skipped, int64_t *last_ms)
{
    const char           *end, *line, *newline;
    cr_status_e           rc;
    cr_journal_record_t   record;

    memset(rec, 0, sizeof(cr_recording_t));

    *skipped = 0;
    *last_ms = 0;

    end = journal + len;

    /* what follows the last newline was cut off while it was written */

    for (line = journal; line < end; line = newline + 1) {
        newline = memchr(line, '\n', (size_t) (end - line));
        if (newline == NULL) {
            break;
        }

        rc = cr_journal_parse(line, (size_t) (newline - line), &record);

        if (rc == CR_NOMEM) {
            return rc;
        }

        if (rc == CR_OK) {
            rc = cr_recording_replay(rec, &record);
        }

        if (rc != CR_OK) {
            (*skipped)++;
            continue;
        }

        if (record.t_ms > *last_ms) {
            *last_ms = record.t_ms;
        }
    }

    return rec->status != 0 ? CR_OK : CR_INVALID;
}


static cr_status_e
cr_replay_start(cr_recording_t *rec, const cr_journal_start_t *start)
{
    if (start->v != CR_JOURNAL_VERSION) {
        return CR_INVALID;
    }

    cr_recording_init(rec, start);

    return CR_OK;
}


/* The journal may have lost lines: a status is believed as it stands. */
static void
cr_replay_state(cr_recording_t *rec, const cr_journal_state_t *state,
    int64_t now_ms)
{
    cr_recording_status_e  status;

    status = cr_recording_status_find(state->status);

    if (status == 0) {
        return;
    }

    rec->status = status;

    if (state->rev > rec->rev) {
        rec->rev = state->rev;
    }

    if (cr_recording_is_ended(rec) && rec->completed_ms < 0) {
        rec->completed_ms = now_ms;
    }
}


static cr_status_e
cr_replay_join(cr_recording_t *rec, const cr_journal_join_t *join,
    int64_t now_ms)
{
    cr_status_e            rc;
    cr_recording_status_e  status;

    /* a session may write its record just after the stop was written */

    status = rec->status;
    rec->status = CR_RECORDING_RECORDING;
    rc = cr_recording_join(rec, join, 0, now_ms);
    rec->status = status;

    return rc;
}


static void
cr_replay_media(cr_recording_t *rec, const char *session_id, int64_t from_ms,
    int64_t to_ms, int64_t size)
{
    cr_recording_status_e    status;
    cr_recording_session_t  *session;

    status = rec->status;
    cr_recording_first_media(rec, from_ms, 0);
    rec->status = status;

    if (to_ms > rec->last_media_ms) {
        rec->last_media_ms = to_ms;
    }

    if (size < 0) {
        return;
    }

    session = cr_recording_session(rec, session_id);

    if (session == NULL) {
        rec->totals.stored += (uint64_t) size;
        return;
    }

    session->totals.stored += (uint64_t) size;

    if (to_ms > session->last_media_ms) {
        session->last_media_ms = to_ms;
    }
}


/* Sessions that it ended have no `leave`: all of them, or one participant's. */
static void
cr_replay_interruption(cr_recording_t *rec,
    const cr_journal_interruption_t *interruption, int64_t now_ms)
{
    uint32_t                 i;
    const char              *participant;
    cr_recording_session_t  *session;

    for (i = rec->nsessions; i-- > 0; /* void */) {
        session = &rec->sessions[i];
        participant = rec->participants[session->participant].id;

        if (strcmp(interruption->kind, "nginx") == 0
            || strcmp(interruption->participant_id, participant) == 0)
        {
            cr_recording_leave(rec, session->id, session->last_media_ms,
                               now_ms);
        }
    }

    cr_recording_interrupt(rec, interruption, now_ms);
}


static void
cr_replay_stop(cr_recording_t *rec, const cr_journal_stop_t *stop)
{
    memcpy(rec->end_reason, stop->end_reason, sizeof(rec->end_reason));

    rec->stopped_ms = stop->stopped_ms;
    rec->discard = (strcmp(stop->end_reason, "discarded") == 0);
    rec->status = CR_RECORDING_STOPPING;

    if (stop->first_media_ms >= 0) {
        rec->first_media_ms = stop->first_media_ms;
    }
}


static cr_status_e
cr_replay_output(cr_recording_t *rec, const cr_journal_output_t *output,
    int64_t now_ms)
{
    cr_output_t  to;

    memset(&to, 0, sizeof(cr_output_t));

    memcpy(to.kind, output->kind, sizeof(to.kind));
    memcpy(to.participant_id, output->participant_id,
           sizeof(to.participant_id));
    memcpy(to.format, output->format, sizeof(to.format));
    memcpy(to.codec, output->codec, sizeof(to.codec));
    memcpy(to.location, output->location, sizeof(to.location));
    memcpy(to.sha256, output->sha256, sizeof(to.sha256));
    to.width = output->width;
    to.height = output->height;
    to.size_bytes = output->size_bytes;
    to.duration_ms = output->duration_ms;

    return cr_recording_output(rec, &to, now_ms);
}
