/*
 * Copyright (C) The call recorder authors
 *
 * Reads journal.ndjson (docs/on-disk.md).  A tolerant reader: what it does
 * not know or cannot use is skipped, a last line without its end is left for
 * the next call.
 */

#include <jansson.h>
#include <string.h>

#include "libavformat/avio.h"
#include "libavutil/avstring.h"
#include "libavutil/error.h"
#include "libavutil/log.h"
#include "libavutil/macros.h"
#include "libavutil/mem.h"

#include "callmix.h"


#define LINE_MAX_SIZE   65536

/* Ten years: times beyond it are nonsense and would overflow. */
#define TIME_MAX_MS     INT64_C(315360000000)


struct CallMixJournal {
    CallMixFile    *file;
    AVIOContext    *io;                 /* the file's */
    void           *log_ctx;
    int             line;               /* number of the current one */
    int             used;               /* bytes in buffer */
    int             skip;               /* the line is too long */
    char            buffer[LINE_MAX_SIZE];
};


static const char *
get_id(const json_t *record, const char *name)
{
    const char *id = json_string_value(json_object_get(record, name));
    size_t      len;

    if (!id)
        return NULL;

    len = strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                     "abcdefghijklmnopqrstuvwxyz0123456789_-");

    return len && len <= CALLMIX_ID_MAX && !id[len] ? id : NULL;
}


/* 0: absent or out of range */
static int
get_time(const json_t *record, const char *name, int64_t scale, int64_t *time)
{
    const json_t *value = json_object_get(record, name);
    double        number;

    if (!json_is_number(value))
        return 0;

    number = json_number_value(value);
    if (!(number > -TIME_MAX_MS * scale && number < TIME_MAX_MS * scale))
        return 0;

    *time = json_is_integer(value) ? json_integer_value(value)
                                   : (int64_t)number;
    return 1;
}


/* Inside the folder: no absolute name, no part that is "..". */
static int
good_file(const char *file)
{
    const char *part = file;

    if (!*file || *file == '/' || strlen(file) > 1024)
        return 0;

    for ( ;; ) {
        size_t len = strcspn(part, "/");

        if (len == 2 && !memcmp(part, "..", 2))
            return 0;

        if (!part[len])
            return 1;

        part += len + 1;
    }
}


static int
is_screen(const json_t *record)
{
    const char *role = json_string_value(json_object_get(record, "role"));

    return role && !strcmp(role, "screen");
}


static CallMixSession *
get_session(CallMixTimeline *tl, const json_t *record)
{
    const char         *participant_id = get_id(record, "participantId");
    const char         *session_id = get_id(record, "sessionId");
    CallMixParticipant *participant;
    CallMixSession     *session;
    int                 screen;

    if (!participant_id || !session_id)
        return NULL;

    /* only its first record says whose it is */

    session = ff_callmix_timeline_find_session(tl, session_id);
    if (session)
        return session;

    screen = is_screen(record);

    participant = ff_callmix_timeline_participant(tl, participant_id, screen);
    if (!participant)
        return NULL;

    return ff_callmix_timeline_session(tl, participant, session_id);
}


static int
on_join(CallMixTimeline *tl, const json_t *record)
{
    const char         *name = json_string_value(json_object_get(record,
                                                                 "name"));
    CallMixSession     *session = get_session(tl, record);
    CallMixParticipant *participant;
    int64_t             time;

    if (!session || !get_time(record, "tMs", 1, &time))
        return AVERROR_INVALIDDATA;

    session->join = time * 1000;

    participant = ff_callmix_timeline_participant(tl, get_id(record,
                                                          "participantId"),
                                                  session->screen);
    if (name && participant) {
        av_freep(&participant->name);
        participant->name = av_strdup(name);
        if (!participant->name)
            return AVERROR(ENOMEM);
    }

    return 0;
}


/* A picture of no known size is one, too. */
static int
get_area(const json_t *track)
{
    int64_t w = json_integer_value(json_object_get(track, "width"));
    int64_t h = json_integer_value(json_object_get(track, "height"));

    return av_clip64(w, 1, 32768) * av_clip64(h, 1, 32768);
}


static void
get_tracks(const json_t *record, CallMixChunk *chunk)
{
    const char     *kind;
    const json_t   *tracks = json_object_get(record, "tracks"), *track;
    int             number, is_video;

    for (size_t i = 0; i < json_array_size(tracks); i++) {
        if (i == CALLMIX_MAX_TRACKS)
            break;

        track = json_array_get(tracks, i);
        kind = json_string_value(json_object_get(track, "kind"));
        number = json_integer_value(json_object_get(track, "track"));
        is_video = kind && !strcmp(kind, "video");

        chunk->areas[i] = is_video ? get_area(track) : 0;
        chunk->tracks[chunk->nb_tracks++] = number;
    }
}


static int
on_track(CallMixTimeline *tl, const json_t *record)
{
    const char     *kind = json_string_value(json_object_get(record, "kind"));
    CallMixSession *session = get_session(tl, record);

    if (!session || !kind)
        return AVERROR_INVALIDDATA;

    if (session->screen || strcmp(kind, "video") || !is_screen(record))
        return 0;

    return ff_callmix_session_add_screen(tl, session,
               get_id(record, "participantId"),
               json_integer_value(json_object_get(record, "track")));
}


static int
on_chunk_open(CallMixTimeline *tl, const json_t *record)
{
    const char     *file = json_string_value(json_object_get(record, "file"));
    CallMixSession *session = get_session(tl, record);
    CallMixChunk    chunk = { .end_ms = -1, .size = -1 };

    if (!session || !file || !good_file(file)
        || !get_time(record, "startMs", 1, &chunk.start_ms))
    {
        return AVERROR_INVALIDDATA;
    }

    chunk.file = (char *)file;
    chunk.number = json_integer_value(json_object_get(record, "chunk"));

    get_tracks(record, &chunk);

    return ff_callmix_session_add_chunk(tl, session, &chunk);
}


/* -1: not told */
static int64_t
get_size(const json_t *record)
{
    const json_t *size = json_object_get(record, "sizeBytes");

    return json_is_integer(size) && json_integer_value(size) >= 0
           ? json_integer_value(size) : -1;
}


static int
on_chunk_close(CallMixTimeline *tl, const json_t *record)
{
    CallMixSession *session = get_session(tl, record);
    int64_t         end;
    int             number;

    if (!session || !get_time(record, "endMs", 1, &end) || end < 0)
        return AVERROR_INVALIDDATA;

    number = json_integer_value(json_object_get(record, "chunk"));

    for (int i = session->nb_chunks - 1; i >= 0; i--) {
        if (session->chunks[i].number == number) {
            session->chunks[i].end_ms = end;
            session->chunks[i].size = get_size(record);
            return 0;
        }
    }

    return AVERROR_INVALIDDATA;
}


static int
on_clock(CallMixTimeline *tl, const json_t *record)
{
    const char     *id = get_id(record, "sessionId");
    CallMixSession *session;
    CallMixClock    clock;

    session = id ? ff_callmix_timeline_find_session(tl, id) : NULL;

    if (!session || !get_time(record, "mediaUs", 1000, &clock.media)
        || !get_time(record, "offsetUs", 1000, &clock.offset))
    {
        return AVERROR_INVALIDDATA;
    }

    clock.drift_ppb = json_integer_value(json_object_get(record, "driftPpb"));
    clock.drift_ppb = av_clip64(clock.drift_ppb, -10000000, 10000000);

    return ff_callmix_session_add_clock(tl, session,
               json_integer_value(json_object_get(record, "track")), &clock);
}


static int
on_rotation(CallMixTimeline *tl, const json_t *record)
{
    const char      *id = get_id(record, "sessionId");
    CallMixSession  *session;
    CallMixRotation  rotation;
    int64_t          degrees;

    session = id ? ff_callmix_timeline_find_session(tl, id) : NULL;

    if (!session || !get_time(record, "fromMs", 1, &rotation.media)
        || !get_time(record, "degrees", 1, &degrees)
        || degrees < 0 || degrees > 270 || degrees % 90)
    {
        return AVERROR_INVALIDDATA;
    }

    rotation.media *= 1000;
    rotation.degrees = degrees;

    return ff_callmix_session_add_rotation(tl, session,
               json_integer_value(json_object_get(record, "track")),
               &rotation);
}


static int
on_leave(CallMixTimeline *tl, const json_t *record)
{
    CallMixSession *session = get_session(tl, record);
    int64_t         time;

    if (!session || !get_time(record, "tMs", 1, &time))
        return AVERROR_INVALIDDATA;

    session->leave = time * 1000;
    return 0;
}


static int
on_stop(CallMixTimeline *tl, const json_t *record)
{
    int64_t time;

    if (!get_time(record, "stoppedMs", 1, &time))
        return AVERROR_INVALIDDATA;

    tl->stop = time * 1000;
    return 0;
}


static const struct {
    const char     *name;
    int           (*take)(CallMixTimeline *tl, const json_t *record);
} events[] = {
    { "join",        on_join },
    { "track",       on_track },
    { "chunk_open",  on_chunk_open },
    { "chunk_close", on_chunk_close },
    { "clock",       on_clock },
    { "rotation",    on_rotation },
    { "leave",       on_leave },
    { "stop",        on_stop },
};


static int
take_line(CallMixJournal *journal, CallMixTimeline *tl, const char *line,
          size_t len)
{
    const char *event;
    json_t     *record;
    int         ret = 0;

    journal->line++;

    record = json_loadb(line, len, 0, NULL);
    event = json_string_value(json_object_get(record, "ev"));

    if (!event) {
        av_log(journal->log_ctx, AV_LOG_WARNING,
               "journal line %d is not a record\n", journal->line);
        json_decref(record);
        return 0;
    }

    for (int i = 0; i < FF_ARRAY_ELEMS(events); i++) {
        if (!strcmp(events[i].name, event))
            ret = events[i].take(tl, record);
    }

    if (ret == AVERROR_INVALIDDATA || ret == AVERROR(EINVAL)) {
        av_log(journal->log_ctx, AV_LOG_WARNING,
               "journal line %d (%s) is skipped\n", journal->line, event);
        ret = 0;
    }

    json_decref(record);
    return ret;
}


/* The lines in buffer; keeps the beginning of one that is not complete. */
static int
take_buffer(CallMixJournal *journal, CallMixTimeline *tl)
{
    char   *line = journal->buffer;
    char   *end, *last = journal->buffer + journal->used;
    int     ret;

    while ((end = memchr(line, '\n', last - line))) {
        if (journal->skip) {
            journal->line++;
            journal->skip = 0;
            ret = 0;

        } else {
            ret = take_line(journal, tl, line, end - line);
        }

        line = end + 1;

        if (ret < 0)
            return ret;
    }

    journal->used = last - line;
    memmove(journal->buffer, line, journal->used);

    if (journal->used == LINE_MAX_SIZE) {
        av_log(journal->log_ctx, AV_LOG_WARNING,
               "journal line %d is too long\n", journal->line + 1);
        journal->skip = 1;
        journal->used = 0;
    }

    return 0;
}


int
ff_callmix_journal_open(CallMixJournal **journalp, CallMixFolder *folder,
                        void *log_ctx)
{
    CallMixJournal *journal;
    int             ret;

    journal = av_mallocz(sizeof(*journal));
    if (!journal)
        return AVERROR(ENOMEM);

    journal->log_ctx = log_ctx;

    ret = ff_callmix_file_open(&journal->file, folder, "journal.ndjson", -1,
                               NULL);
    if (ret >= 0)
        ret = ff_callmix_file_io(journal->file, &journal->io);

    if (ret < 0) {
        av_log(log_ctx, AV_LOG_ERROR, "journal.ndjson of %s: %s\n",
               ff_callmix_folder_name(folder), av_err2str(ret));
        ff_callmix_journal_close(&journal);
    }

    *journalp = journal;
    return ret;
}


int
ff_callmix_journal_read(CallMixJournal *journal, CallMixTimeline *tl)
{
    int n, ret;

    for ( ;; ) {
        n = avio_read_partial(journal->io, journal->buffer + journal->used,
                              LINE_MAX_SIZE - journal->used);
        if (n == AVERROR_EOF || n == 0)
            return 0;
        if (n < 0)
            return n;

        journal->used += n;

        ret = take_buffer(journal, tl);
        if (ret < 0)
            return ret;
    }
}


void
ff_callmix_journal_close(CallMixJournal **journalp)
{
    CallMixJournal *journal = *journalp;

    if (journal)
        ff_callmix_file_close(&journal->file);

    av_freep(journalp);
}
