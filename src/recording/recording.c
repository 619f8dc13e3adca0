
/*
 * Copyright (C) The call recorder authors
 */

#include "recording/recording.h"

#include <string.h>


#define CR_BIT(status)  (1u << (status))

/* An estimate beyond a year is none. */
#define CR_ETA_MAX_MS   31536000000.0


static void cr_recording_touch(cr_recording_t *rec, int64_t now_ms);
static cr_participant_t *cr_recording_participant(cr_recording_t *rec,
    const cr_journal_join_t *join, int64_t now_ms);
static bool cr_recording_present(const cr_recording_t *rec,
    uint32_t participant);
static void cr_recording_add(cr_recording_totals_t *to,
    const cr_recording_totals_t *from);


static const struct {
    const char  *name;
    unsigned     next;             /* where it may go from here */
} cr_statuses[] = {
    [0] = { "", 0 },

    [CR_RECORDING_STARTING] = { "starting",
        CR_BIT(CR_RECORDING_RECORDING) | CR_BIT(CR_RECORDING_RECOVERING)
        | CR_BIT(CR_RECORDING_STOPPING) | CR_BIT(CR_RECORDING_FAILED) },

    [CR_RECORDING_RECORDING] = { "recording",
        CR_BIT(CR_RECORDING_PAUSED) | CR_BIT(CR_RECORDING_RECOVERING)
        | CR_BIT(CR_RECORDING_STOPPING) | CR_BIT(CR_RECORDING_FAILED) },

    [CR_RECORDING_PAUSED] = { "paused",
        CR_BIT(CR_RECORDING_RECORDING) | CR_BIT(CR_RECORDING_RECOVERING)
        | CR_BIT(CR_RECORDING_STOPPING) | CR_BIT(CR_RECORDING_FAILED) },

    [CR_RECORDING_RECOVERING] = { "recovering",
        CR_BIT(CR_RECORDING_RECORDING) | CR_BIT(CR_RECORDING_STOPPING)
        | CR_BIT(CR_RECORDING_FAILED) },

    [CR_RECORDING_STOPPING] = { "stopping",
        CR_BIT(CR_RECORDING_PROCESSING) | CR_BIT(CR_RECORDING_ABORTED)
        | CR_BIT(CR_RECORDING_FAILED) },

    [CR_RECORDING_PROCESSING] = { "processing",
        CR_BIT(CR_RECORDING_UPLOADING) | CR_BIT(CR_RECORDING_COMPLETED)
        | CR_BIT(CR_RECORDING_FAILED) | CR_BIT(CR_RECORDING_ABORTED) },

    /* a further attempt begins anew */
    [CR_RECORDING_UPLOADING] = { "uploading",
        CR_BIT(CR_RECORDING_PROCESSING) | CR_BIT(CR_RECORDING_COMPLETED)
        | CR_BIT(CR_RECORDING_FAILED) | CR_BIT(CR_RECORDING_ABORTED) },

    [CR_RECORDING_COMPLETED] = { "completed",
        CR_BIT(CR_RECORDING_EXPIRED) | CR_BIT(CR_RECORDING_DELETED) },

    [CR_RECORDING_FAILED] = { "failed",
        CR_BIT(CR_RECORDING_EXPIRED) | CR_BIT(CR_RECORDING_DELETED) },

    [CR_RECORDING_ABORTED] = { "aborted", CR_BIT(CR_RECORDING_DELETED) },

    [CR_RECORDING_EXPIRED] = { "expired", CR_BIT(CR_RECORDING_DELETED) },

    [CR_RECORDING_DELETED] = { "deleted", 0 }
};


void
cr_recording_make_id(const cr_env_t *env, int64_t wall_ms,
    char id[CR_JOURNAL_ID_SIZE])
{
    char     *p;
    uint8_t   entropy[16];
    unsigned  i;

    /* Crockford's base 32: no i, l, o, u */

    static const char  digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

    memcpy(id, "rec_", 4);
    p = id + 4;

    for (i = 0; i < 10; i++) {
        *p++ = digits[(uint64_t) wall_ms >> (45 - 5 * i) & 31];
    }

    cr_random(env, entropy, sizeof(entropy));

    for (i = 0; i < sizeof(entropy); i++) {
        *p++ = digits[entropy[i] & 31];
    }

    *p = '\0';
}


void
cr_recording_init(cr_recording_t *rec, const cr_journal_start_t *start)
{
    memset(rec, 0, sizeof(cr_recording_t));

    memcpy(rec->recording_id, start->recording_id, sizeof(rec->recording_id));
    memcpy(rec->call_id, start->call_id, sizeof(rec->call_id));
    memcpy(rec->mode, start->mode, sizeof(rec->mode));
    memcpy(rec->layout, start->layout, sizeof(rec->layout));
    memcpy(rec->started_by, start->started_by, sizeof(rec->started_by));
    memcpy(rec->idempotency_key, start->idempotency_key,
           sizeof(rec->idempotency_key));
    memcpy(rec->request_digest, start->request_digest,
           sizeof(rec->request_digest));

    rec->status = CR_RECORDING_STARTING;
    rec->rev = 1;
    rec->chunk_ms = start->chunk_ms;
    rec->created_at = start->created_at;
    rec->first_media_ms = -1;
    rec->last_media_ms = -1;
    rec->stopped_ms = -1;
    rec->completed_ms = -1;
    rec->eta_ms = -1;
    rec->cpu_ms = -1;
}


cr_status_e
cr_recording_transition(cr_recording_t *rec, cr_recording_status_e status,
    int64_t now_ms)
{
    if (!(cr_statuses[rec->status].next & CR_BIT(status))) {
        return CR_DECLINED;
    }

    rec->status = status;

    switch (status) {

    case CR_RECORDING_PROCESSING:
    case CR_RECORDING_UPLOADING:
        rec->pct = 0;
        rec->eta_ms = -1;
        break;

    case CR_RECORDING_COMPLETED:
        /* the token stays: the last request may come again */
        rec->completed_ms = now_ms;
        rec->eta_ms = -1;
        rec->job.pid = 0;
        break;

    case CR_RECORDING_FAILED:
    case CR_RECORDING_ABORTED:
        rec->completed_ms = now_ms;
        rec->eta_ms = -1;
        rec->job.pid = 0;
        memset(&rec->job.token, 0, sizeof(rec->job.token));
        break;

    default:
        break;
    }

    cr_recording_touch(rec, now_ms);

    return CR_OK;
}


bool
cr_recording_is_active(const cr_recording_t *rec)
{
    return cr_recording_status_is_active(rec->status);
}


bool
cr_recording_status_is_active(cr_recording_status_e status)
{
    return status >= CR_RECORDING_STARTING
           && status <= CR_RECORDING_RECOVERING;
}


bool
cr_recording_is_ended(const cr_recording_t *rec)
{
    return rec->status >= CR_RECORDING_COMPLETED;
}


cr_status_e
cr_recording_join(cr_recording_t *rec, const cr_journal_join_t *join,
    int32_t worker, int64_t now_ms)
{
    cr_participant_t        *participant;
    cr_recording_session_t  *session;

    if (!cr_recording_is_active(rec)) {
        return CR_DECLINED;
    }

    if (rec->nsessions == CR_RECORDING_SESSIONS
        || cr_recording_session(rec, join->session_id) != NULL)
    {
        return CR_LIMIT;
    }

    participant = cr_recording_participant(rec, join, now_ms);
    if (participant == NULL) {
        return CR_LIMIT;
    }

    session = &rec->sessions[rec->nsessions++];

    memset(session, 0, sizeof(cr_recording_session_t));
    memcpy(session->id, join->session_id, sizeof(session->id));

    session->participant = (uint32_t) (participant - rec->participants);
    session->worker = worker;
    session->last_media_ms = now_ms;

    rec->active_ms = now_ms;
    cr_recording_touch(rec, now_ms);

    return CR_OK;
}


void
cr_recording_track(cr_recording_t *rec, const cr_journal_track_t *track)
{
    uint8_t                  *most, layers;
    cr_participant_t         *participant;
    cr_recording_session_t   *session;

    session = cr_recording_session(rec, track->session_id);

    if (session == NULL || track->kind != CR_KIND_VIDEO
        || track->layer < 0 || track->layer > CR_LAYER_MAX)
    {
        return;
    }

    participant = &rec->participants[session->participant];

    most = strcmp(track->role, "screen") == 0 ? &participant->screen
                                              : &participant->camera;
    layers = track->layer > 1 ? (uint8_t) track->layer : 1;

    if (layers > *most) {
        *most = layers;
    }
}


cr_status_e
cr_recording_progress(cr_recording_t *rec, const char *session_id,
    int64_t last_media_ms, const cr_recording_totals_t *totals,
    int64_t now_ms)
{
    cr_recording_session_t  *session;

    session = cr_recording_session(rec, session_id);
    if (session == NULL) {
        return CR_DECLINED;
    }

    session->totals = *totals;
    rec->active_ms = now_ms;

    if (last_media_ms > session->last_media_ms) {
        session->last_media_ms = last_media_ms;
    }

    if (rec->first_media_ms >= 0 && last_media_ms > rec->last_media_ms) {
        rec->last_media_ms = last_media_ms;
    }

    cr_recording_touch(rec, now_ms);

    return CR_OK;
}


cr_status_e
cr_recording_leave(cr_recording_t *rec, const char *session_id,
    int64_t last_media_ms, int64_t now_ms)
{
    uint32_t                 participant;
    cr_recording_session_t  *session;

    session = cr_recording_session(rec, session_id);
    if (session == NULL) {
        return CR_DECLINED;
    }

    if (rec->first_media_ms >= 0 && last_media_ms > rec->last_media_ms) {
        rec->last_media_ms = last_media_ms;
    }

    cr_recording_add(&rec->totals, &session->totals);

    participant = session->participant;
    *session = rec->sessions[--rec->nsessions];

    if (!cr_recording_present(rec, participant)) {
        rec->participants[participant].leave_ms = now_ms;
    }

    rec->active_ms = now_ms;
    cr_recording_touch(rec, now_ms);

    return CR_OK;
}


unsigned
cr_recording_publishers(const cr_recording_t *rec)
{
    unsigned  n;
    uint32_t  i;

    n = 0;

    for (i = 0; i < rec->nparticipants; i++) {
        n += rec->participants[i].leave_ms == -1;
    }

    return n;
}


cr_recording_session_t *
cr_recording_session(cr_recording_t *rec, const char *session_id)
{
    uint32_t  i;

    for (i = 0; i < rec->nsessions; i++) {
        if (strcmp(rec->sessions[i].id, session_id) == 0) {
            return &rec->sessions[i];
        }
    }

    return NULL;
}


void
cr_recording_first_media(cr_recording_t *rec, int64_t media_ms,
    int64_t now_ms)
{
    if (media_ms < 0) {
        media_ms = 0;
    }

    if (rec->first_media_ms < 0 || media_ms < rec->first_media_ms) {
        rec->first_media_ms = media_ms;
    }

    if (media_ms > rec->last_media_ms) {
        rec->last_media_ms = media_ms;
    }

    if (rec->status == CR_RECORDING_STARTING
        || rec->status == CR_RECORDING_RECOVERING)
    {
        rec->status = CR_RECORDING_RECORDING;
    }

    cr_recording_touch(rec, now_ms);
}


cr_status_e
cr_recording_stop(cr_recording_t *rec, const char *end_reason, bool discard,
    int64_t now_ms)
{
    if (!cr_recording_is_active(rec)) {
        return CR_DECLINED;
    }

    strncpy(rec->end_reason, end_reason, sizeof(rec->end_reason) - 1);
    rec->discard = discard;
    rec->stopped_ms = now_ms;

    return cr_recording_transition(rec, CR_RECORDING_STOPPING, now_ms);
}


void
cr_recording_interrupt(cr_recording_t *rec,
    const cr_journal_interruption_t *interruption, int64_t now_ms)
{
    cr_interruption_t  *to;

    if (rec->ninterruptions < CR_RECORDING_INTERRUPTIONS) {
        to = &rec->interruptions[rec->ninterruptions++];

        memcpy(to->kind, interruption->kind, sizeof(to->kind));
        memcpy(to->participant_id, interruption->participant_id,
               sizeof(to->participant_id));
        to->from_ms = interruption->from_ms;
        to->to_ms = interruption->to_ms;
    }

    cr_recording_touch(rec, now_ms);
}


cr_status_e
cr_recording_output(cr_recording_t *rec, const cr_output_t *output,
    int64_t now_ms)
{
    uint32_t  i;

    for (i = 0; i < rec->noutputs; i++) {
        if (strcmp(rec->outputs[i].kind, output->kind) == 0
            && strcmp(rec->outputs[i].participant_id,
                      output->participant_id) == 0)
        {
            break;
        }
    }

    if (i == CR_RECORDING_OUTPUTS) {
        return CR_LIMIT;
    }

    if (i == rec->noutputs) {
        rec->noutputs++;
    }

    rec->outputs[i] = *output;
    cr_recording_touch(rec, now_ms);

    return CR_OK;
}


void
cr_recording_set_error(cr_recording_t *rec, const cr_journal_error_t *error,
    int64_t now_ms)
{
    memcpy(rec->error.code, error->code, sizeof(rec->error.code));
    memcpy(rec->error.message, error->message, sizeof(rec->error.message));
    memcpy(rec->error.stage, error->stage, sizeof(rec->error.stage));
    rec->error.retryable = error->retryable;

    cr_recording_touch(rec, now_ms);
}


void
cr_recording_job_progress(cr_recording_t *rec, int64_t out_time_ms,
    uint64_t bytes_uploaded, int64_t now_ms)
{
    double   eta;
    int64_t  duration, spent;

    rec->job.heartbeat_ms = now_ms;

    if (out_time_ms > rec->job.out_time_ms) {
        rec->job.out_time_ms = out_time_ms;
    }

    if (bytes_uploaded > rec->bytes_uploaded) {
        rec->bytes_uploaded = bytes_uploaded;
    }

    duration = cr_recording_duration_ms(rec);

    /* 100 % is said by `completed` alone */

    if (duration > 0) {
        out_time_ms = rec->job.out_time_ms;

        if (out_time_ms > duration) {
            out_time_ms = duration;
        }

        rec->pct = (int32_t) (9900 * (out_time_ms / (double) duration));

        spent = now_ms - rec->job.started_ms;

        if (out_time_ms > 0 && spent > 0) {
            eta = (double) spent * (double) (duration - out_time_ms)
                  / (double) out_time_ms;

            rec->eta_ms = eta < CR_ETA_MAX_MS ? (int64_t) eta : -1;
        }
    }

    cr_recording_touch(rec, now_ms);
}


void
cr_recording_upload_progress(cr_recording_t *rec, uint64_t bytes,
    uint64_t size, int64_t now_ms)
{
    double   eta;
    int64_t  spent;

    rec->bytes_uploaded = bytes;

    if (rec->job.handed && size != 0 && bytes <= size) {
        rec->pct = (int32_t) (9900 * ((double) bytes / (double) size));
        rec->eta_ms = -1;

        spent = now_ms - rec->job.handed_ms;

        if (spent > 0 && bytes > rec->job.handed_bytes) {
            eta = (double) spent * (double) (size - bytes)
                  / (double) (bytes - rec->job.handed_bytes);

            rec->eta_ms = eta < CR_ETA_MAX_MS ? (int64_t) eta : -1;
        }
    }

    cr_recording_touch(rec, now_ms);
}


void
cr_recording_add_cpu(cr_recording_t *rec, int64_t cpu_ms, int64_t now_ms)
{
    rec->cpu_ms = (rec->cpu_ms < 0 ? 0 : rec->cpu_ms) + cpu_ms;
    cr_recording_touch(rec, now_ms);
}


void
cr_recording_totals(const cr_recording_t *rec, cr_recording_totals_t *totals)
{
    uint32_t  i;

    *totals = rec->totals;

    for (i = 0; i < rec->nsessions; i++) {
        cr_recording_add(totals, &rec->sessions[i].totals);
    }
}


int64_t
cr_recording_duration_ms(const cr_recording_t *rec)
{
    int64_t  end;

    if (rec->first_media_ms < 0) {
        return -1;
    }

    end = rec->stopped_ms >= 0 ? rec->stopped_ms : rec->last_media_ms;

    return end > rec->first_media_ms ? end - rec->first_media_ms : 0;
}


const char *
cr_recording_status_name(cr_recording_status_e status)
{
    return cr_statuses[status].name;
}


cr_recording_status_e
cr_recording_status_find(const char *name)
{
    unsigned  i;

    for (i = CR_RECORDING_STARTING; i <= CR_RECORDING_DELETED; i++) {
        if (strcmp(cr_statuses[i].name, name) == 0) {
            return (cr_recording_status_e) i;
        }
    }

    return (cr_recording_status_e) 0;
}


static void
cr_recording_touch(cr_recording_t *rec, int64_t now_ms)
{
    rec->rev++;

    if (rec->rev < now_ms) {
        rec->rev = now_ms;
    }
}


static cr_participant_t *
cr_recording_participant(cr_recording_t *rec, const cr_journal_join_t *join,
    int64_t now_ms)
{
    uint32_t           i;
    cr_participant_t  *participant;

    for (i = 0; i < rec->nparticipants; i++) {
        participant = &rec->participants[i];

        if (strcmp(participant->id, join->participant_id) == 0) {
            participant->leave_ms = -1;
            return participant;
        }
    }

    if (i == CR_RECORDING_PARTICIPANTS) {
        return NULL;
    }

    participant = &rec->participants[rec->nparticipants++];

    memset(participant, 0, sizeof(cr_participant_t));
    memcpy(participant->id, join->participant_id, sizeof(participant->id));
    memcpy(participant->name, join->name, sizeof(participant->name));
    participant->join_ms = now_ms;
    participant->leave_ms = -1;

    return participant;
}


static bool
cr_recording_present(const cr_recording_t *rec, uint32_t participant)
{
    uint32_t  i;

    for (i = 0; i < rec->nsessions; i++) {
        if (rec->sessions[i].participant == participant) {
            return true;
        }
    }

    return false;
}


static void
cr_recording_add(cr_recording_totals_t *to,
    const cr_recording_totals_t *from)
{
    to->stored += from->stored;
    to->received += from->received;
    to->packets += from->packets;
    to->lost += from->lost;
    to->recovered += from->recovered;
    to->given_up += from->given_up;
}
