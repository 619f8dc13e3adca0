
/*
 * Copyright (C) The call recorder authors
 *
 * A recording as clients see it.
 */

#include "recording/recording.h"
#include "recording/json.h"

#include <string.h>


static void cr_status_ids(cr_json_t *j, const cr_recording_t *rec);
static void cr_status_at(cr_json_t *j, const char *name,
    const cr_recording_t *rec, int64_t ms);
static void cr_status_interruptions(cr_json_t *j, const cr_recording_t *rec);
static void cr_status_progress(cr_json_t *j, const cr_recording_t *rec,
    const cr_recording_totals_t *totals);
static void cr_status_outputs(cr_json_t *j, const cr_recording_t *rec);
static void cr_status_participants(cr_json_t *j, const cr_recording_t *rec);
static void cr_status_video(cr_json_t *j, const char *role,
    unsigned layers);
static void cr_status_quality(cr_json_t *j,
    const cr_recording_totals_t *totals);
static void cr_status_cost(cr_json_t *j, const cr_recording_t *rec,
    const cr_recording_totals_t *totals);
static void cr_status_error(cr_json_t *j, const cr_recording_t *rec);
static void cr_status_share(cr_json_t *j, const char *name, uint64_t part,
    uint64_t whole);
static int64_t cr_status_outputs_size(const cr_recording_t *rec);


char *
cr_recording_status_json(const cr_env_t *env, const cr_recording_t *rec)
{
    int64_t                size;
    cr_json_t              j;
    cr_recording_totals_t  totals;

    cr_recording_totals(rec, &totals);

    size = rec->noutputs ? cr_status_outputs_size(rec)
                         : (int64_t) totals.stored;

    cr_json_init(&j, env, CR_RECORDING_STATUS_MAX);

    cr_status_ids(&j, rec);
    cr_json_string(&j, "mode", rec->mode);
    cr_json_string(&j, "layout", rec->layout);
    cr_json_string_or_null(&j, "startedBy", rec->started_by);
    cr_status_at(&j, "createdAt", rec, 0);
    cr_status_at(&j, "firstMediaAt", rec, rec->first_media_ms);
    cr_status_at(&j, "startedAt", rec, rec->first_media_ms);
    cr_status_at(&j, "stoppedAt", rec, rec->stopped_ms);
    cr_status_at(&j, "completedAt", rec, rec->completed_ms);
    cr_json_string_or_null(&j, "endReason", rec->end_reason);
    cr_json_int_or_null(&j, "durationMs", cr_recording_duration_ms(rec));
    cr_json_int(&j, "sizeBytes", size);
    cr_status_interruptions(&j, rec);
    cr_status_progress(&j, rec, &totals);
    cr_status_outputs(&j, rec);
    cr_status_participants(&j, rec);
    cr_status_quality(&j, &totals);
    cr_status_cost(&j, rec, &totals);
    cr_status_error(&j, rec);
    cr_json_close(&j, '}');

    return cr_json_finish(&j);
}


char *
cr_recording_tombstone_json(const cr_env_t *env, const cr_recording_t *rec)
{
    cr_json_t  j;

    cr_json_init(&j, env, CR_RECORDING_STATUS_MAX);

    cr_status_ids(&j, rec);
    cr_json_close(&j, '}');

    return cr_json_finish(&j);
}


cr_status_e
cr_recording_status_parse(const char *json, size_t len,
    cr_recording_status_e *status, int64_t *rev)
{
    json_t       *object, *value;
    const char   *name;
    cr_status_e   rc;

    if (len > CR_RECORDING_STATUS_MAX) {
        return CR_LIMIT;
    }

    rc = cr_json_load(json, len, 0, &object);
    if (rc != CR_OK) {
        return rc;
    }

    name = json_string_value(json_object_get(object, "status"));
    value = json_object_get(object, "rev");

    *status = name ? cr_recording_status_find(name) : 0;
    *rev = json_integer_value(value);

    json_decref(object);

    return (*status != 0 && *rev > 0) ? CR_OK : CR_INVALID;
}


static void
cr_status_ids(cr_json_t *j, const cr_recording_t *rec)
{
    cr_json_open(j, NULL, '{');
    cr_json_string(j, "recordingId", rec->recording_id);
    cr_json_string(j, "callId", rec->call_id);
    cr_json_string(j, "status", cr_recording_status_name(rec->status));
    cr_json_int(j, "rev", rec->rev);
}


static void
cr_status_at(cr_json_t *j, const char *name, const cr_recording_t *rec,
    int64_t ms)
{
    char  at[CR_JOURNAL_AT_SIZE];

    if (ms < 0) {
        cr_json_null(j, name);
        return;
    }

    cr_journal_time_format(rec->created_at + ms, at);
    cr_json_string(j, name, at);
}


static void
cr_status_interruptions(cr_json_t *j, const cr_recording_t *rec)
{
    uint32_t                  i;
    const cr_interruption_t  *interruption;

    cr_json_open(j, "interruptions", '[');

    for (i = 0; i < rec->ninterruptions; i++) {
        interruption = &rec->interruptions[i];

        cr_json_open(j, NULL, '{');
        cr_json_string(j, "kind", interruption->kind);
        cr_json_string_or_null(j, "participantId",
                               interruption->participant_id);
        cr_json_int(j, "fromMs", interruption->from_ms);
        cr_json_int(j, "toMs", interruption->to_ms);
        cr_json_close(j, '}');
    }

    cr_json_close(j, ']');
}


static void
cr_status_progress(cr_json_t *j, const cr_recording_t *rec,
    const cr_recording_totals_t *totals)
{
    const char  *stage;

    switch (rec->status) {

    case CR_RECORDING_PROCESSING:
        stage = "mixing";
        break;

    case CR_RECORDING_UPLOADING:
        stage = "uploading";
        break;

    case CR_RECORDING_COMPLETED:
        stage = "completed";
        break;

    default:
        stage = cr_recording_is_ended(rec) ? "" : "recording";
    }

    cr_json_open(j, "progress", '{');
    cr_json_string_or_null(j, "stage", stage);

    switch (rec->status) {

    case CR_RECORDING_PROCESSING:
    case CR_RECORDING_UPLOADING:
        cr_json_hundredths(j, "pct", rec->pct);
        break;

    case CR_RECORDING_COMPLETED:
        cr_json_int(j, "pct", 100);
        break;

    default:
        cr_json_null(j, "pct");
    }

    cr_json_int(j, "bytesDurable", (int64_t) totals->stored);
    cr_json_int(j, "bytesUploaded", (int64_t) rec->bytes_uploaded);
    cr_json_int_or_null(j, "etaMs", rec->eta_ms);
    cr_json_close(j, '}');
}


static void
cr_status_outputs(cr_json_t *j, const cr_recording_t *rec)
{
    uint32_t            i;
    const cr_output_t  *output;

    cr_json_open(j, "outputs", '[');

    for (i = 0; i < rec->noutputs; i++) {
        output = &rec->outputs[i];

        cr_json_open(j, NULL, '{');
        cr_json_string(j, "kind", output->kind);
        cr_json_string_or_null(j, "participantId", output->participant_id);
        cr_json_string(j, "status", "ready");
        cr_json_string(j, "format", output->format);
        cr_json_string_or_null(j, "codec", output->codec);
        cr_json_int_or_null(j, "width", output->width ? output->width : -1);
        cr_json_int_or_null(j, "height",
                            output->height ? output->height : -1);
        cr_json_int(j, "sizeBytes", output->size_bytes);
        cr_json_int(j, "durationMs", output->duration_ms);
        cr_json_string(j, "location", output->location);
        cr_json_string_or_null(j, "sha256", output->sha256);
        cr_json_close(j, '}');
    }

    cr_json_close(j, ']');
}


static void
cr_status_participants(cr_json_t *j, const cr_recording_t *rec)
{
    uint32_t                 i;
    const cr_participant_t  *participant;

    cr_json_open(j, "participants", '[');

    for (i = 0; i < rec->nparticipants; i++) {
        participant = &rec->participants[i];

        cr_json_open(j, NULL, '{');
        cr_json_string(j, "id", participant->id);
        cr_json_string_or_null(j, "name", participant->name);
        cr_json_int(j, "joinMs", participant->join_ms);
        cr_json_int_or_null(j, "leaveMs", participant->leave_ms);
        cr_json_string_or_null(j, "consent", participant->consent);
        cr_json_open(j, "video", '[');
        cr_status_video(j, "camera", participant->camera);
        cr_status_video(j, "screen", participant->screen);
        cr_json_close(j, ']');
        cr_json_close(j, '}');
    }

    cr_json_close(j, ']');
}


static void
cr_status_video(cr_json_t *j, const char *role, unsigned layers)
{
    if (layers == 0) {
        return;
    }

    cr_json_open(j, NULL, '{');
    cr_json_string(j, "role", role);
    cr_json_int(j, "layers", layers);
    cr_json_close(j, '}');
}


/* How long pictures froze and how far sound was off, nobody measures yet. */
static void
cr_status_quality(cr_json_t *j, const cr_recording_totals_t *totals)
{
    cr_json_open(j, "quality", '{');
    cr_status_share(j, "lossPct", totals->lost,
                    totals->packets + totals->given_up);
    cr_status_share(j, "recoveredPct", totals->recovered, totals->lost);
    cr_json_null(j, "frozenMs");
    cr_json_null(j, "avSyncP99Ms");
    cr_json_close(j, '}');
}


static void
cr_status_cost(cr_json_t *j, const cr_recording_t *rec,
    const cr_recording_totals_t *totals)
{
    cr_json_open(j, "cost", '{');

    if (rec->cpu_ms < 0) {
        cr_json_null(j, "cpuSeconds");
    } else {
        cr_json_hundredths(j, "cpuSeconds", rec->cpu_ms / 10);
    }

    cr_json_int(j, "bytesIn", (int64_t) totals->received);
    cr_json_int(j, "bytesStored",
                (int64_t) (totals->stored
                           + (uint64_t) cr_status_outputs_size(rec)));
    cr_json_close(j, '}');
}


static void
cr_status_error(cr_json_t *j, const cr_recording_t *rec)
{
    if (rec->error.code[0] == '\0') {
        cr_json_null(j, "error");
        return;
    }

    cr_json_open(j, "error", '{');
    cr_json_string(j, "code", rec->error.code);
    cr_json_string(j, "message", rec->error.message);
    cr_json_string_or_null(j, "stage", rec->error.stage);
    cr_json_bool(j, "retryable", rec->error.retryable);
    cr_json_string(j, "owner", strcmp(rec->error.stage, "uploading") == 0
                               ? "destination" : "recorder");
    cr_json_close(j, '}');
}


/* A percentage with two decimals; null of nothing. */
static void
cr_status_share(cr_json_t *j, const char *name, uint64_t part, uint64_t whole)
{
    if (whole == 0) {
        cr_json_null(j, name);
        return;
    }

    if (part > whole) {
        part = whole;
    }

    cr_json_hundredths(j, name,
                       (int64_t) (10000 * ((double) part / (double) whole)));
}


static int64_t
cr_status_outputs_size(const cr_recording_t *rec)
{
    int64_t   size;
    uint32_t  i;

    size = 0;

    for (i = 0; i < rec->noutputs; i++) {
        size += rec->outputs[i].size_bytes;
    }

    return size;
}
