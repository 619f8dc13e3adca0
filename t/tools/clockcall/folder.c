
/*
 * Copyright (C) The call recorder authors
 *
 * One publisher's part of a recording's folder, as the nginx module writes
 * it (docs/on-disk.md), but with files that are written at once.
 */

#include "call.h"
#include "base/audio.h"

#include <sys/stat.h>


static void folder_open_chunk(folder_t *f, int64_t time_us);
static void folder_close_chunk(folder_t *f);
static void folder_append(folder_t *f, const cr_frame_t *frame);


static void
folder_record(folder_t *f, cr_journal_record_t *rec, cr_journal_ev_e ev)
{
    memset(rec, 0, sizeof(cr_journal_record_t));

    rec->ev = ev;
    rec->t_ms = (*f->now_us - CALL_START_US) / 1000;
    rec->at_ms = 1700000000000 + rec->t_ms;
}


void
folder_write(folder_t *f, const cr_journal_record_t *rec)
{
    char  *line;

    line = cr_journal_format(f->env, rec);

    if (line == NULL) {
        sender_die("a record cannot be written");
    }

    fprintf(f->journal, "%s\n", line);
    cr_free(f->env, line);
}


void
folder_open(folder_t *f, const scenario_t *s, const char *dir,
    const cr_env_t *env, int64_t *now_us, const cr_media_params_t *media,
    unsigned nmedia, FILE *journal, int64_t chunk_us)
{
    char                 path[512];
    unsigned             i;
    cr_journal_record_t  rec;

    memset(f, 0, sizeof(folder_t));
    f->dir = dir;
    f->id = s->id;
    f->env = env;
    f->now_us = now_us;
    f->journal = journal;
    f->audio = media[AUDIO];
    cr_chunk_policy_init(&f->policy, chunk_us, true);

    snprintf(path, sizeof(path), "%s/%s", dir, f->id);
    (void) mkdir(path, 0750);
    snprintf(path, sizeof(path), "%s/%s/s-%s", dir, f->id, f->id);
    (void) mkdir(path, 0750);

    folder_record(f, &rec, CR_JOURNAL_JOIN);
    snprintf(rec.join.participant_id, CR_JOURNAL_ID_SIZE, "%s", f->id);
    snprintf(rec.join.name, CR_JOURNAL_NAME_SIZE, "%s", f->id);
    snprintf(rec.join.session_id, CR_JOURNAL_ID_SIZE, "s-%s", f->id);
    folder_write(f, &rec);

    /* video is track 1 */
    for (i = nmedia; i-- > 0; ) {
        folder_record(f, &rec, CR_JOURNAL_TRACK);
        snprintf(rec.track.participant_id, CR_JOURNAL_ID_SIZE, "%s", f->id);
        snprintf(rec.track.session_id, CR_JOURNAL_ID_SIZE, "s-%s", f->id);
        rec.track.track = i == VIDEO ? 1 : 2;
        rec.track.kind = media[i].kind;
        rec.track.codec = media[i].codec;
        rec.track.clock_rate = media[i].clock_rate;
        rec.track.channels = media[i].channels;
        folder_write(f, &rec);
    }
}


static cr_status_e
folder_bytes(void *ctx, const uint8_t *data, size_t size)
{
    folder_t  *f = ctx;

    return fwrite(data, 1, size, f->file) == size ? CR_OK : CR_INTERNAL;
}


static void
folder_open_chunk(folder_t *f, int64_t time_us)
{
    char                 path[512];
    unsigned             n;
    uint8_t              config[CR_CODEC_CONFIG_MAX];
    cr_chunk_track_t     tracks[2];
    cr_journal_record_t  rec;

    if (f->nheld != 0 && f->held[0].time_us < time_us) {
        time_us = f->held[0].time_us;
    }

    f->start_ms = time_us / 1000;
    f->end_ms = f->start_ms;
    f->nframes = 0;
    f->nchunks++;

    folder_record(f, &rec, CR_JOURNAL_CHUNK_OPEN);
    snprintf(rec.chunk_open.participant_id, CR_JOURNAL_ID_SIZE, "%s", f->id);
    snprintf(rec.chunk_open.session_id, CR_JOURNAL_ID_SIZE, "s-%s", f->id);
    snprintf(rec.chunk_open.file, CR_JOURNAL_FILE_SIZE, "%s/s-%s/%06u.mkv",
             f->id, f->id, f->nchunks);
    rec.chunk_open.chunk = f->nchunks;
    rec.chunk_open.start_ms = f->start_ms;

    memset(tracks, 0, sizeof(tracks));
    n = 0;

    if (f->policy.with_video) {
        tracks[n++] = (cr_chunk_track_t) {
            .number = 1, .kind = CR_KIND_VIDEO, .codec = CR_CODEC_VP8,
            .width = f->width, .height = f->height
        };
    }

    tracks[n] = (cr_chunk_track_t) {
        .number = 2, .kind = CR_KIND_AUDIO, .codec = CR_CODEC_OPUS,
        .channels = 2, .sample_rate = 48000, .config = config
    };
    tracks[n++].config_size = cr_audio_config(config, &f->audio);

    for (rec.chunk_open.ntracks = 0; rec.chunk_open.ntracks < n;
         rec.chunk_open.ntracks++)
    {
        rec.chunk_open.tracks[rec.chunk_open.ntracks] =
            (cr_journal_chunk_track_t) {
                .track = tracks[rec.chunk_open.ntracks].number,
                .kind = tracks[rec.chunk_open.ntracks].kind,
                .codec = tracks[rec.chunk_open.ntracks].codec,
                .width = tracks[rec.chunk_open.ntracks].width,
                .height = tracks[rec.chunk_open.ntracks].height
            };
    }

    folder_write(f, &rec);

    snprintf(path, sizeof(path), "%s/%s", f->dir, rec.chunk_open.file);
    f->file = fopen(path, "wb");

    if (f->file == NULL) {
        sender_die("cannot open a chunk");
    }

    f->writer = cr_chunk_writer_create(f->env, tracks, n, folder_bytes, f);

    if (f->writer == NULL) {
        sender_die("cannot begin a chunk");
    }
}


static void
folder_close_chunk(folder_t *f)
{
    cr_journal_record_t  rec;

    if (f->writer == NULL) {
        return;
    }

    if (cr_chunk_writer_flush(f->writer) != CR_OK || fclose(f->file) != 0) {
        sender_die("cannot write a chunk");
    }

    folder_record(f, &rec, CR_JOURNAL_CHUNK_CLOSE);
    snprintf(rec.chunk_close.participant_id, CR_JOURNAL_ID_SIZE, "%s",
             f->id);
    snprintf(rec.chunk_close.session_id, CR_JOURNAL_ID_SIZE, "s-%s", f->id);
    rec.chunk_close.chunk = f->nchunks;
    rec.chunk_close.start_ms = f->start_ms;
    rec.chunk_close.end_ms = f->end_ms;
    rec.chunk_close.size_bytes = (int64_t) cr_chunk_writer_size(f->writer);
    rec.chunk_close.frames = (int64_t) f->nframes;
    folder_write(f, &rec);

    cr_chunk_writer_destroy(f->writer);
    f->writer = NULL;
}


static void
folder_append(folder_t *f, const cr_frame_t *frame)
{
    int64_t  end_ms;

    if (frame->kind == CR_KIND_VIDEO && !f->policy.with_video) {
        return;
    }

    if (cr_chunk_writer_frame(f->writer,
                              frame->kind == CR_KIND_VIDEO ? 1 : 2, frame,
                              frame->time_us / 1000) != CR_OK)
    {
        sender_die("a frame cannot be written");
    }

    end_ms = (frame->time_us + frame->duration_us) / 1000;
    f->end_ms = end_ms > f->end_ms ? end_ms : f->end_ms;
    f->nframes++;
}


void
folder_frame(folder_t *f, const cr_frame_t *frame)
{
    cr_frame_t         fr;
    unsigned           i;
    cr_chunk_action_e  action;

    fr = *frame;
    fr.time_us -= CALL_START_US;

    if (fr.kind == CR_KIND_VIDEO && fr.keyframe) {
        f->width = fr.width;
        f->height = fr.height;
    }

    action = cr_chunk_policy_frame(&f->policy, &fr);

    if (action == CR_CHUNK_WAIT) {
        if (fr.kind == CR_KIND_AUDIO
            && f->nheld < sizeof(f->held) / sizeof(f->held[0]))
        {
            fr.data = malloc(fr.size);

            if (fr.data == NULL) {
                sender_die("no memory");
            }

            memcpy((uint8_t *) fr.data, frame->data, fr.size);
            f->held[f->nheld++] = fr;
        }

        return;
    }

    if (action == CR_CHUNK_OPEN) {
        folder_close_chunk(f);
        folder_open_chunk(f, fr.time_us);

        for (i = 0; i < f->nheld; i++) {
            folder_append(f, &f->held[i]);
            free((uint8_t *) f->held[i].data);
        }

        f->nheld = 0;
    }

    folder_append(f, &fr);
}


void
folder_clock(folder_t *f, const cr_clock_event_t *event)
{
    cr_journal_record_t  rec;

    folder_record(f, &rec, CR_JOURNAL_CLOCK);
    snprintf(rec.clock.session_id, CR_JOURNAL_ID_SIZE, "s-%s", f->id);
    cr_journal_clock(&rec, event, CALL_START_US);
    rec.clock.track = event->track == VIDEO ? 1 : 2;
    folder_write(f, &rec);
}


void
folder_gap(folder_t *f, const cr_gap_event_t *event)
{
    cr_journal_record_t  rec;

    folder_record(f, &rec, CR_JOURNAL_GAP);
    snprintf(rec.gap.session_id, CR_JOURNAL_ID_SIZE, "s-%s", f->id);

    if (cr_journal_gap(&rec, event, CALL_START_US)) {
        rec.gap.track = event->track == VIDEO ? 1 : 2;
        folder_write(f, &rec);
    }
}


void
folder_close(folder_t *f)
{
    cr_journal_record_t  rec;

    folder_close_chunk(f);

    folder_record(f, &rec, CR_JOURNAL_LEAVE);
    snprintf(rec.leave.participant_id, CR_JOURNAL_ID_SIZE, "%s", f->id);
    snprintf(rec.leave.session_id, CR_JOURNAL_ID_SIZE, "s-%s", f->id);
    snprintf(rec.leave.reason, CR_JOURNAL_WORD_SIZE, "stop");
    folder_write(f, &rec);
}
