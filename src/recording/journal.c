
/*
 * Copyright (C) The call recorder authors
 */

#include "recording/journal.h"
#include "recording/json.h"

#include <stdint.h>
#include <string.h>


typedef enum {
    CR_FIELD_ID,                  /* [A-Za-z0-9_-]{1,64} */
    CR_FIELD_ID_OPT,              /* left out when "" */
    CR_FIELD_STRING,
    CR_FIELD_STRING_OPT,
    CR_FIELD_FILE,                /* relative, without ".." */
    CR_FIELD_INT,
    CR_FIELD_INT_OPT,             /* left out when 0 */
    CR_FIELD_INT_NULL,            /* null when negative */
    CR_FIELD_BOOL,
    CR_FIELD_AT,                  /* ms since 1970, as RFC 3339 */
    CR_FIELD_KIND,
    CR_FIELD_CODEC,
    CR_FIELD_TRACKS
} cr_field_e;


/* RFC 7493 section 2.2: what every JSON reader takes exactly, and far from
 * where sums of ours overflow. */
#define CR_JOURNAL_INT_MAX  (INT64_C(1) << 53)


typedef struct {
    const char  *name;
    uint16_t     type;
    uint16_t     offset;
    uint16_t     size;
} cr_field_t;


typedef struct {
    const char        *name;
    cr_journal_ev_e    ev;
    const cr_field_t  *fields;
} cr_event_t;


#define CR_FIELD(record, type, name, member)                                  \
    { name, CR_FIELD_##type, offsetof(record, member),                        \
      sizeof(((record *) 0)->member) }

#define CR_F(ev, type, name, member)                                          \
    CR_FIELD(cr_journal_record_t, type, name, ev.member)

#define CR_END  { NULL, 0, 0, 0 }


static cr_status_e cr_journal_fields_parse(json_t *object,
    const cr_field_t *fields, void *base);
static cr_status_e cr_journal_field_parse(json_t *value,
    const cr_field_t *field, void *base);
static cr_status_e cr_journal_string_parse(json_t *value,
    const cr_field_t *field, char *to);
static cr_status_e cr_journal_tracks_parse(json_t *value,
    cr_journal_chunk_open_t *chunk);
static void cr_journal_fields_format(cr_json_t *j, const cr_field_t *fields,
    const void *base);
static void cr_journal_field_format(cr_json_t *j, const cr_field_t *field,
    const void *base);
static bool cr_journal_int_parse(json_t *value, int64_t *to);
static bool cr_journal_file_valid(const char *file);


static const cr_field_t  cr_start_fields[] = {
    CR_F(start, INT, "v", v),
    CR_F(start, ID, "recordingId", recording_id),
    CR_F(start, ID, "callId", call_id),
    CR_F(start, STRING, "mode", mode),
    CR_F(start, STRING, "layout", layout),
    CR_F(start, STRING_OPT, "startedBy", started_by),
    CR_F(start, INT, "chunkMs", chunk_ms),
    CR_F(start, AT, "createdAt", created_at),
    CR_F(start, STRING_OPT, "idempotencyKey", idempotency_key),
    CR_F(start, STRING_OPT, "requestDigest", request_digest),
    CR_END
};

static const cr_field_t  cr_state_fields[] = {
    CR_F(state, STRING, "status", status),
    CR_F(state, INT, "rev", rev),
    CR_END
};

static const cr_field_t  cr_join_fields[] = {
    CR_F(join, ID, "participantId", participant_id),
    CR_F(join, STRING_OPT, "name", name),
    CR_F(join, ID, "sessionId", session_id),
    CR_F(join, STRING_OPT, "role", role),
    CR_END
};

static const cr_field_t  cr_track_fields[] = {
    CR_F(track, ID, "participantId", participant_id),
    CR_F(track, ID, "sessionId", session_id),
    CR_F(track, INT, "track", track),
    CR_F(track, KIND, "kind", kind),
    CR_F(track, CODEC, "codec", codec),
    CR_F(track, INT, "clockRate", clock_rate),
    CR_F(track, INT_OPT, "channels", channels),
    CR_F(track, STRING_OPT, "role", role),
    CR_F(track, STRING_OPT, "mid", mid),
    CR_F(track, STRING_OPT, "rid", rid),
    CR_F(track, INT_OPT, "layer", layer),
    CR_END
};

static const cr_field_t  cr_chunk_open_fields[] = {
    CR_F(chunk_open, ID, "participantId", participant_id),
    CR_F(chunk_open, ID, "sessionId", session_id),
    CR_F(chunk_open, INT, "chunk", chunk),
    CR_F(chunk_open, FILE, "file", file),
    CR_F(chunk_open, INT, "startMs", start_ms),
    CR_F(chunk_open, TRACKS, "tracks", ntracks),
    CR_END
};

static const cr_field_t  cr_chunk_track_fields[] = {
    CR_FIELD(cr_journal_chunk_track_t, INT, "track", track),
    CR_FIELD(cr_journal_chunk_track_t, KIND, "kind", kind),
    CR_FIELD(cr_journal_chunk_track_t, CODEC, "codec", codec),
    CR_FIELD(cr_journal_chunk_track_t, INT_OPT, "width", width),
    CR_FIELD(cr_journal_chunk_track_t, INT_OPT, "height", height),
    CR_END
};

static const cr_field_t  cr_chunk_close_fields[] = {
    CR_F(chunk_close, ID, "participantId", participant_id),
    CR_F(chunk_close, ID, "sessionId", session_id),
    CR_F(chunk_close, INT, "chunk", chunk),
    CR_F(chunk_close, INT, "startMs", start_ms),
    CR_F(chunk_close, INT, "endMs", end_ms),
    CR_F(chunk_close, INT, "sizeBytes", size_bytes),
    CR_F(chunk_close, INT, "frames", frames),
    CR_END
};

static const cr_field_t  cr_clock_fields[] = {
    CR_F(clock, ID, "sessionId", session_id),
    CR_F(clock, INT, "track", track),
    CR_F(clock, INT, "mediaUs", media_us),
    CR_F(clock, INT, "offsetUs", offset_us),
    CR_F(clock, INT, "driftPpb", drift_ppb),
    CR_F(clock, BOOL, "fromSr", from_sr),
    CR_END
};

static const cr_field_t  cr_gap_fields[] = {
    CR_F(gap, ID, "sessionId", session_id),
    CR_F(gap, INT, "track", track),
    CR_F(gap, INT, "fromMs", from_ms),
    CR_F(gap, INT, "toMs", to_ms),
    CR_F(gap, INT, "packets", packets),
    CR_F(gap, STRING, "reason", reason),
    CR_END
};

static const cr_field_t  cr_rotation_fields[] = {
    CR_F(rotation, ID, "sessionId", session_id),
    CR_F(rotation, INT, "track", track),
    CR_F(rotation, INT, "fromMs", from_ms),
    CR_F(rotation, INT, "degrees", degrees),
    CR_END
};

static const cr_field_t  cr_level_fields[] = {
    CR_F(level, ID, "sessionId", session_id),
    CR_F(level, INT, "track", track),
    CR_F(level, INT, "fromMs", from_ms),
    CR_F(level, INT, "toMs", to_ms),
    CR_F(level, INT, "level", level),
    CR_F(level, INT_OPT, "voiceMs", voice_ms),
    CR_END
};

static const cr_field_t  cr_leave_fields[] = {
    CR_F(leave, ID, "participantId", participant_id),
    CR_F(leave, ID, "sessionId", session_id),
    CR_F(leave, STRING_OPT, "reason", reason),
    CR_END
};

static const cr_field_t  cr_interruption_fields[] = {
    CR_F(interruption, STRING, "kind", kind),
    CR_F(interruption, INT, "fromMs", from_ms),
    CR_F(interruption, INT, "toMs", to_ms),
    CR_F(interruption, ID_OPT, "participantId", participant_id),
    CR_END
};

static const cr_field_t  cr_stop_fields[] = {
    CR_F(stop, STRING, "endReason", end_reason),
    CR_F(stop, INT, "stoppedMs", stopped_ms),
    CR_F(stop, INT_NULL, "firstMediaMs", first_media_ms),
    CR_END
};

static const cr_field_t  cr_job_fields[] = {
    CR_F(job, INT, "attempt", attempt),
    CR_F(job, STRING, "action", action),
    CR_F(job, INT_OPT, "pid", pid),
    CR_F(job, STRING_OPT, "error", error),
    CR_END
};

static const cr_field_t  cr_output_fields[] = {
    CR_F(output, STRING, "kind", kind),
    CR_F(output, ID_OPT, "participantId", participant_id),
    CR_F(output, STRING, "format", format),
    CR_F(output, STRING_OPT, "codec", codec),
    CR_F(output, INT_OPT, "width", width),
    CR_F(output, INT_OPT, "height", height),
    CR_F(output, INT, "sizeBytes", size_bytes),
    CR_F(output, INT, "durationMs", duration_ms),
    CR_F(output, STRING, "location", location),
    CR_F(output, STRING_OPT, "sha256", sha256),
    CR_END
};

static const cr_field_t  cr_error_fields[] = {
    CR_F(error, STRING, "code", code),
    CR_F(error, STRING, "message", message),
    CR_F(error, STRING_OPT, "stage", stage),
    CR_F(error, BOOL, "retryable", retryable),
    CR_END
};

static const cr_field_t  cr_no_fields[] = {
    CR_END
};


static const cr_event_t  cr_events[] = {
    { "start", CR_JOURNAL_START, cr_start_fields },
    { "state", CR_JOURNAL_STATE, cr_state_fields },
    { "join", CR_JOURNAL_JOIN, cr_join_fields },
    { "track", CR_JOURNAL_TRACK, cr_track_fields },
    { "chunk_open", CR_JOURNAL_CHUNK_OPEN, cr_chunk_open_fields },
    { "chunk_close", CR_JOURNAL_CHUNK_CLOSE, cr_chunk_close_fields },
    { "clock", CR_JOURNAL_CLOCK, cr_clock_fields },
    { "gap", CR_JOURNAL_GAP, cr_gap_fields },
    { "rotation", CR_JOURNAL_ROTATION, cr_rotation_fields },
    { "level", CR_JOURNAL_LEVEL, cr_level_fields },
    { "leave", CR_JOURNAL_LEAVE, cr_leave_fields },
    { "interruption", CR_JOURNAL_INTERRUPTION, cr_interruption_fields },
    { "stop", CR_JOURNAL_STOP, cr_stop_fields },
    { "job", CR_JOURNAL_JOB, cr_job_fields },
    { "output", CR_JOURNAL_OUTPUT, cr_output_fields },
    { "error", CR_JOURNAL_ERROR, cr_error_fields },
    { "delete", CR_JOURNAL_DELETE, cr_no_fields },
    { NULL, CR_JOURNAL_UNKNOWN, NULL }
};


static const char *const  cr_kinds[] = { NULL, "audio", "video" };
static const char *const  cr_codecs[CR_CODEC_COUNT] = {
    NULL, "opus", "vp8", "h264", "vp9", "av1", "h265", "pcmu", "pcma", "g722"
};


char *
cr_journal_format(const cr_env_t *env, const cr_journal_record_t *rec)
{
    char               at[CR_JOURNAL_AT_SIZE];
    cr_json_t          j;
    const cr_event_t  *event;

    for (event = cr_events; event->name != NULL; event++) {
        if (event->ev == rec->ev) {
            break;
        }
    }

    if (event->name == NULL) {
        return NULL;
    }

    cr_journal_time_format(rec->at_ms, at);

    cr_json_init(&j, env, CR_JOURNAL_LINE_MAX);
    cr_json_open(&j, NULL, '{');
    cr_json_string(&j, "ev", event->name);
    cr_json_int(&j, "tMs", rec->t_ms);
    cr_json_string(&j, "at", at);
    cr_journal_fields_format(&j, event->fields, rec);
    cr_json_close(&j, '}');

    return cr_json_finish(&j);
}


cr_status_e
cr_journal_parse(const char *line, size_t len, cr_journal_record_t *rec)
{
    json_t            *object, *value;
    const char        *at, *ev;
    cr_status_e        rc;
    const cr_event_t  *event;

    memset(rec, 0, sizeof(cr_journal_record_t));

    if (len > CR_JOURNAL_LINE_MAX) {
        return CR_LIMIT;
    }

    rc = cr_json_load(line, len, 0, &object);
    if (rc != CR_OK) {
        return rc;
    }

    rc = CR_INVALID;

    ev = json_string_value(json_object_get(object, "ev"));
    at = json_string_value(json_object_get(object, "at"));
    value = json_object_get(object, "tMs");

    if (ev == NULL || at == NULL || !cr_journal_int_parse(value, &rec->t_ms)
        || rec->t_ms < 0
        || cr_journal_time_parse(at, strlen(at), &rec->at_ms) != CR_OK)
    {
        goto done;
    }

    for (event = cr_events; event->name != NULL; event++) {
        if (strcmp(event->name, ev) == 0) {
            break;
        }
    }

    if (event->name == NULL) {
        rc = CR_OK;
        goto done;
    }

    rec->ev = event->ev;
    rc = cr_journal_fields_parse(object, event->fields, rec);

done:

    json_decref(object);

    return rc;
}


static cr_status_e
cr_journal_fields_parse(json_t *object, const cr_field_t *fields, void *base)
{
    cr_status_e  rc;

    for ( ; fields->name != NULL; fields++) {
        rc = cr_journal_field_parse(json_object_get(object, fields->name),
                                    fields, base);
        if (rc != CR_OK) {
            return rc;
        }
    }

    return CR_OK;
}


static cr_status_e
cr_journal_field_parse(json_t *value, const cr_field_t *field, void *base)
{
    void               *to;
    uint8_t             i;
    const char         *text;

    to = (char *) base + field->offset;
    text = json_string_value(value);

    switch (field->type) {

    case CR_FIELD_INT_OPT:
        if (value == NULL) {
            return CR_OK;
        }

        /* fall through */

    case CR_FIELD_INT:
        return cr_journal_int_parse(value, to) ? CR_OK : CR_INVALID;

    case CR_FIELD_INT_NULL:
        if (value == NULL || json_is_null(value)) {
            *(int64_t *) to = -1;
            return CR_OK;
        }

        return cr_journal_int_parse(value, to) ? CR_OK : CR_INVALID;

    case CR_FIELD_BOOL:
        if (!json_is_boolean(value)) {
            return CR_INVALID;
        }

        *(bool *) to = json_is_true(value);
        return CR_OK;

    case CR_FIELD_AT:
        return text == NULL
               ? CR_INVALID
               : cr_journal_time_parse(text, strlen(text), to);

    case CR_FIELD_KIND:
        for (i = CR_KIND_AUDIO; text != NULL && i <= CR_KIND_VIDEO; i++) {
            if (strcmp(cr_kinds[i], text) == 0) {
                *(uint8_t *) to = i;
                return CR_OK;
            }
        }

        return CR_INVALID;

    case CR_FIELD_CODEC:
        if (text == NULL) {
            return CR_INVALID;
        }

        /* a codec of a later version stays CR_CODEC_NONE */

        for (i = CR_CODEC_OPUS; i < CR_CODEC_COUNT; i++) {
            if (strcmp(cr_codecs[i], text) == 0) {
                *(uint8_t *) to = i;
            }
        }

        return CR_OK;

    case CR_FIELD_TRACKS:
        return cr_journal_tracks_parse(value,
                                     &((cr_journal_record_t *) base)
                                         ->chunk_open);
    default:
        return cr_journal_string_parse(value, field, to);
    }
}


static cr_status_e
cr_journal_string_parse(json_t *value, const cr_field_t *field, char *to)
{
    size_t       i, len;
    const char  *text;

    if (value == NULL || json_is_null(value)) {
        return (field->type == CR_FIELD_ID_OPT
                || field->type == CR_FIELD_STRING_OPT) ? CR_OK : CR_INVALID;
    }

    if (!json_is_string(value)) {
        return CR_INVALID;
    }

    text = json_string_value(value);
    len = json_string_length(value);

    if (len >= field->size) {
        return CR_INVALID;
    }

    if (field->type == CR_FIELD_ID || field->type == CR_FIELD_ID_OPT) {

        for (i = 0; i < len; i++) {
            if (!((text[i] >= 'a' && text[i] <= 'z')
                  || (text[i] >= 'A' && text[i] <= 'Z')
                  || (text[i] >= '0' && text[i] <= '9')
                  || text[i] == '_' || text[i] == '-'))
            {
                return CR_INVALID;
            }
        }

        if (len == 0) {
            return CR_INVALID;
        }
    }

    if (field->type == CR_FIELD_FILE && !cr_journal_file_valid(text)) {
        return CR_INVALID;
    }

    memcpy(to, text, len + 1);

    return CR_OK;
}


static cr_status_e
cr_journal_tracks_parse(json_t *value, cr_journal_chunk_open_t *chunk)
{
    size_t       i, n;
    cr_status_e  rc;

    n = json_array_size(value);

    if (!json_is_array(value) || n > CR_JOURNAL_TRACKS) {
        return CR_INVALID;
    }

    for (i = 0; i < n; i++) {
        rc = cr_journal_fields_parse(json_array_get(value, i),
                                     cr_chunk_track_fields,
                                     &chunk->tracks[i]);
        if (rc != CR_OK) {
            return rc;
        }
    }

    chunk->ntracks = (unsigned) n;

    return CR_OK;
}


static bool
cr_journal_int_parse(json_t *value, int64_t *to)
{
    json_int_t  n;

    n = json_integer_value(value);

    if (!json_is_integer(value) || n < -CR_JOURNAL_INT_MAX
        || n > CR_JOURNAL_INT_MAX)
    {
        return false;
    }

    *to = n;

    return true;
}


static bool
cr_journal_file_valid(const char *file)
{
    size_t  n;

    for ( ;; ) {
        n = strcspn(file, "/");

        if (n == 0 || file[0] == '.') {
            return false;
        }

        if (file[n] == '\0') {
            return true;
        }

        file += n + 1;
    }
}


static void
cr_journal_fields_format(cr_json_t *j, const cr_field_t *fields,
    const void *base)
{
    for ( ; fields->name != NULL; fields++) {
        cr_journal_field_format(j, fields, base);
    }
}


static void
cr_journal_field_format(cr_json_t *j, const cr_field_t *field,
    const void *base)
{
    char                            at[CR_JOURNAL_AT_SIZE];
    uint8_t                         id;
    unsigned                        i;
    const void                     *from;
    const cr_journal_chunk_open_t  *chunk;

    from = (const char *) base + field->offset;

    switch (field->type) {

    case CR_FIELD_INT_OPT:
        if (*(const int64_t *) from == 0) {
            return;
        }

        /* fall through */

    case CR_FIELD_INT:
        cr_json_int(j, field->name, *(const int64_t *) from);
        return;

    case CR_FIELD_INT_NULL:
        cr_json_int_or_null(j, field->name, *(const int64_t *) from);
        return;

    case CR_FIELD_BOOL:
        cr_json_bool(j, field->name, *(const bool *) from);
        return;

    case CR_FIELD_AT:
        cr_journal_time_format(*(const int64_t *) from, at);
        cr_json_string(j, field->name, at);
        return;

    case CR_FIELD_KIND:
        id = *(const uint8_t *) from;
        cr_json_string(j, field->name,
                       id == CR_KIND_VIDEO ? "video" : "audio");
        return;

    case CR_FIELD_CODEC:
        id = *(const uint8_t *) from;
        cr_json_string(j, field->name,
                       id >= CR_CODEC_OPUS && id < CR_CODEC_COUNT
                       ? cr_codecs[id] : "unknown");
        return;

    case CR_FIELD_TRACKS:
        chunk = &((const cr_journal_record_t *) base)->chunk_open;

        cr_json_open(j, field->name, '[');

        for (i = 0; i < chunk->ntracks && i < CR_JOURNAL_TRACKS; i++) {
            cr_json_open(j, NULL, '{');
            cr_journal_fields_format(j, cr_chunk_track_fields,
                                     &chunk->tracks[i]);
            cr_json_close(j, '}');
        }

        cr_json_close(j, ']');
        return;

    case CR_FIELD_ID_OPT:
    case CR_FIELD_STRING_OPT:
        if (((const char *) from)[0] == '\0') {
            return;
        }

        /* fall through */

    default:
        cr_json_string(j, field->name, from);
    }
}
