
/*
 * Copyright (C) The call recorder authors
 *
 * A publisher's lines in the journal (docs/on-disk.md).
 */


#include "ngx_callrec.h"
#include "ngx_recording_join.h"


#define ngx_recording_record_string(dst, src)                                 \
    ngx_cpystrn((u_char *) (dst), (u_char *) (src), sizeof(dst))


static void ngx_recording_record_init(cr_journal_record_t *rec,
    ngx_recording_join_t *j, cr_journal_ev_e ev);
static ngx_int_t ngx_recording_record_write(ngx_recording_join_t *j,
    const cr_journal_record_t *rec, ngx_recording_journal_pt done, void *ctx);


static void
ngx_recording_record_init(cr_journal_record_t *rec, ngx_recording_join_t *j,
    cr_journal_ev_e ev)
{
    ngx_memzero(rec, sizeof(cr_journal_record_t));

    rec->ev = ev;
    rec->t_ms = (ngx_callrec_now_us() - j->ref.t0_us) / 1000;
    rec->at_ms = ngx_callrec_wall_ms();
}


static ngx_int_t
ngx_recording_record_write(ngx_recording_join_t *j,
    const cr_journal_record_t *rec, ngx_recording_journal_pt done, void *ctx)
{
    char       *line;
    ngx_int_t   rc;

    line = cr_journal_format(&ngx_callrec_env, rec);

    if (line == NULL) {
        ngx_log_error(NGX_LOG_ERR, j->log, 0,
                      "recording %s: a journal record is lost: no memory",
                      j->ref.recording_id);
        return NGX_ERROR;
    }

    rc = ngx_recording_journal_append(j->ref.dir, line, ngx_strlen(line),
                                      done, ctx, j->log);

    cr_free(&ngx_callrec_env, line);

    return rc;
}


void
ngx_recording_record_join(ngx_recording_join_t *j)
{
    ngx_uint_t           i;
    cr_journal_record_t  rec;

    ngx_recording_record_init(&rec, j, CR_JOURNAL_JOIN);

    ngx_recording_record_string(rec.join.participant_id,
                                j->info.participant_id);
    ngx_recording_record_string(rec.join.name, j->info.participant_name);
    ngx_recording_record_string(rec.join.session_id, j->info.session_id);

    if (j->info.screen) {
        ngx_recording_record_string(rec.join.role, "screen");
    }

    (void) ngx_recording_record_write(j, &rec, NULL, NULL);

    for (i = 0; i < j->ntracks; i++) {
        ngx_recording_record_init(&rec, j, CR_JOURNAL_TRACK);
        ngx_recording_record_track(j, j->order[i], &rec.track);

        (void) ngx_recording_record_write(j, &rec, NULL, NULL);
    }
}


void
ngx_recording_record_track(ngx_recording_join_t *j, ngx_recording_track_t *t,
    cr_journal_track_t *rec)
{
    ngx_uint_t              layer;
    ngx_recording_mline_t  *m;

    m = &j->mlines[t->mline];
    layer = (t - j->tracks) - m->first;

    ngx_memzero(rec, sizeof(cr_journal_track_t));

    ngx_recording_record_string(rec->participant_id, j->info.participant_id);
    ngx_recording_record_string(rec->session_id, j->info.session_id);

    rec->track = t->number;
    rec->kind = t->kind;
    rec->codec = t->codec;
    rec->clock_rate = t->clock_rate;
    rec->channels = t->channels;

    if (t->kind == CR_KIND_VIDEO) {
        ngx_recording_record_string(rec->role,
                                    m->screen ? "screen" : "camera");
    }

    ngx_recording_record_string(rec->mid, m->mid);

    if (m->layers.n > 1) {
        rec->layer = layer + 1;
        ngx_recording_record_string(rec->rid, m->rids[layer]);
    }
}


void
ngx_recording_record_chunk_open(ngx_recording_join_t *j,
    const ngx_recording_chunk_t *chunk, const char *file)
{
    ngx_uint_t                 i;
    cr_journal_record_t        rec;
    ngx_recording_track_t     *t;
    cr_journal_chunk_track_t  *ct;

    ngx_recording_record_init(&rec, j, CR_JOURNAL_CHUNK_OPEN);

    ngx_recording_record_string(rec.chunk_open.participant_id,
                                j->info.participant_id);
    ngx_recording_record_string(rec.chunk_open.session_id,
                                j->info.session_id);
    ngx_recording_record_string(rec.chunk_open.file, file);

    rec.chunk_open.chunk = chunk->number;
    rec.chunk_open.start_ms = chunk->start_ms;

    for (i = 0; i < j->ntracks; i++) {
        t = j->order[i];

        if (!t->in_chunk) {
            continue;
        }

        ct = &rec.chunk_open.tracks[rec.chunk_open.ntracks++];

        ct->track = t->number;
        ct->kind = t->kind;
        ct->codec = t->codec;
        ct->width = t->width;
        ct->height = t->height;
    }

    (void) ngx_recording_record_write(j, &rec, NULL, NULL);
}


void
ngx_recording_record_chunk_close(ngx_recording_join_t *j,
    const ngx_recording_chunk_t *chunk)
{
    cr_journal_record_t  rec;

    ngx_recording_record_init(&rec, j, CR_JOURNAL_CHUNK_CLOSE);

    ngx_recording_record_string(rec.chunk_close.participant_id,
                                j->info.participant_id);
    ngx_recording_record_string(rec.chunk_close.session_id,
                                j->info.session_id);

    rec.chunk_close.chunk = chunk->number;
    rec.chunk_close.start_ms = chunk->start_ms;
    rec.chunk_close.end_ms = chunk->end_ms;
    rec.chunk_close.size_bytes = chunk->size;
    rec.chunk_close.frames = chunk->frames;

    (void) ngx_recording_record_write(j, &rec, NULL, NULL);
}


void
ngx_recording_record_clock(ngx_recording_join_t *j,
    const cr_clock_event_t *event)
{
    cr_journal_record_t  rec;

    ngx_recording_record_init(&rec, j, CR_JOURNAL_CLOCK);

    ngx_recording_record_string(rec.clock.session_id, j->info.session_id);

    rec.clock.track = j->tracks[event->track].number;
    cr_journal_clock(&rec, event, j->ref.t0_us);

    (void) ngx_recording_record_write(j, &rec, NULL, NULL);
}


void
ngx_recording_record_lost(ngx_recording_join_t *j,
    const cr_gap_event_t *event)
{
    cr_journal_record_t  rec;

    ngx_recording_record_init(&rec, j, CR_JOURNAL_GAP);

    ngx_recording_record_string(rec.gap.session_id, j->info.session_id);

    rec.gap.track = j->tracks[event->track].number;

    if (cr_journal_gap(&rec, event, j->ref.t0_us)) {
        (void) ngx_recording_record_write(j, &rec, NULL, NULL);
    }
}


void
ngx_recording_record_gap(ngx_recording_join_t *j, uint8_t number,
    int64_t from_us, int64_t to_us, uint32_t packets, const char *reason)
{
    cr_journal_record_t  rec;

    ngx_recording_record_init(&rec, j, CR_JOURNAL_GAP);

    ngx_recording_record_string(rec.gap.session_id, j->info.session_id);
    ngx_recording_record_string(rec.gap.reason, reason);

    rec.gap.track = number;
    rec.gap.from_ms = from_us / 1000;
    rec.gap.to_ms = to_us / 1000;
    rec.gap.packets = packets;

    (void) ngx_recording_record_write(j, &rec, NULL, NULL);
}


void
ngx_recording_record_rotation(ngx_recording_join_t *j, uint8_t number,
    int64_t from_us, ngx_uint_t degrees)
{
    cr_journal_record_t  rec;

    ngx_recording_record_init(&rec, j, CR_JOURNAL_ROTATION);

    ngx_recording_record_string(rec.rotation.session_id, j->info.session_id);

    rec.rotation.track = number;
    rec.rotation.from_ms = from_us / 1000;
    rec.rotation.degrees = degrees;

    (void) ngx_recording_record_write(j, &rec, NULL, NULL);
}


void
ngx_recording_record_level(ngx_recording_join_t *j,
    const ngx_recording_track_t *t)
{
    cr_journal_record_t  rec;

    ngx_recording_record_init(&rec, j, CR_JOURNAL_LEVEL);

    ngx_recording_record_string(rec.level.session_id, j->info.session_id);

    rec.level.track = t->number;
    rec.level.from_ms = t->level_us / 1000;
    rec.level.to_ms = t->level_end_us / 1000;
    rec.level.level = -(int64_t) t->level;
    rec.level.voice_ms = t->voice_us / 1000;

    (void) ngx_recording_record_write(j, &rec, NULL, NULL);
}


ngx_int_t
ngx_recording_record_leave(ngx_recording_join_t *j,
    ngx_recording_journal_pt done, void *ctx)
{
    cr_journal_record_t  rec;

    ngx_recording_record_init(&rec, j, CR_JOURNAL_LEAVE);

    ngx_recording_record_string(rec.leave.participant_id,
                                j->info.participant_id);
    ngx_recording_record_string(rec.leave.session_id, j->info.session_id);
    ngx_recording_record_string(rec.leave.reason, j->reason);

    return ngx_recording_record_write(j, &rec, done, ctx);
}
