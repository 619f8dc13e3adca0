
/*
 * Copyright (C) The call recorder authors
 *
 * A publisher's frames into chunk files.
 */


#include "ngx_callrec.h"
#include "ngx_recording_join.h"


#define NGX_RECORDING_PATH_MAX                                                \
    (NGX_RECORDING_DIR_MAX + 2 * CR_ID_MAX + sizeof("///000001000000.mkv"))


/* turns of a picture that are kept, in so many microseconds */
#define NGX_RECORDING_TURNS     10
#define NGX_RECORDING_TURNS_US  1000000


/* A copy of a frame that waits for a keyframe of the first video. */
typedef struct {
    ngx_queue_t                  queue;
    cr_frame_t                   frame;
    u_char                       data[1];
} ngx_recording_held_t;


static void ngx_recording_media_rotation(ngx_recording_join_t *j,
    ngx_recording_track_t *t, const cr_frame_t *frame);
static void ngx_recording_media_keyframe(ngx_recording_join_t *j,
    ngx_recording_track_t *t, const cr_frame_t *frame);
static ngx_uint_t ngx_recording_media_full(ngx_recording_join_t *j);
static ngx_uint_t ngx_recording_media_drop(ngx_recording_join_t *j,
    ngx_recording_track_t *t, const cr_frame_t *frame);
static void ngx_recording_media_drop_end(ngx_recording_join_t *j,
    ngx_recording_track_t *t);
static ngx_uint_t ngx_recording_media_waits(ngx_recording_join_t *j,
    ngx_recording_track_t *t, const cr_frame_t *frame);
static void ngx_recording_media_hold(ngx_recording_join_t *j,
    const cr_frame_t *frame);
static void ngx_recording_media_unhold(ngx_recording_join_t *j);
static void ngx_recording_media_append(ngx_recording_join_t *j,
    const cr_frame_t *frame);
static ngx_int_t ngx_recording_media_open(ngx_recording_join_t *j,
    int64_t time_us);
static ngx_uint_t ngx_recording_media_tracks(ngx_recording_join_t *j,
    cr_chunk_track_t *tracks);
static void ngx_recording_media_close(ngx_recording_join_t *j);
static void ngx_recording_media_restart(ngx_recording_join_t *j);
static cr_status_e ngx_recording_media_write(void *ctx, const uint8_t *data,
    size_t size);
static void ngx_recording_media_created(void *ctx, ngx_int_t rc,
    ngx_err_t err, size_t len);
static void ngx_recording_media_written(void *ctx, ngx_int_t rc,
    ngx_err_t err, size_t len);
static void ngx_recording_media_closed(void *ctx, ngx_int_t rc,
    ngx_err_t err, size_t len);
static void ngx_recording_media_failed(ngx_recording_chunk_t *c,
    ngx_err_t err);


void
ngx_recording_media_frame(ngx_recording_join_t *j, const cr_frame_t *frame)
{
    cr_chunk_action_e       action;
    ngx_recording_track_t  *t;

    t = &j->tracks[frame->track];

    if (ngx_recording_media_drop(j, t, frame)) {
        return;
    }

    if (frame->kind == CR_KIND_AUDIO) {
        ngx_recording_level_frame(j, t, frame);

    } else {

        if (frame->rotation != t->rotation) {
            ngx_recording_media_rotation(j, t, frame);
        }

        if (frame->keyframe) {
            ngx_recording_media_keyframe(j, t, frame);
        }
    }

    /* further videos go along with the first one's chunks */

    if (ngx_recording_media_waits(j, t, frame)) {
        ngx_recording_media_hold(j, frame);
        return;
    }

    action = CR_CHUNK_APPEND;

    if (frame->kind == CR_KIND_AUDIO || frame->track == j->video) {
        action = cr_chunk_policy_frame(&j->policy, frame);
    }

    switch (action) {

    case CR_CHUNK_WAIT:
        if (frame->kind == CR_KIND_AUDIO) {
            ngx_recording_media_hold(j, frame);

        } else if (t->losing) {
            ngx_recording_span_add(&t->lost, frame);
        }

        return;

    case CR_CHUNK_OPEN:
        if (j->chunk != NULL && frame->kind == CR_KIND_AUDIO) {
            /* the new one has no videos */
            ngx_recording_media_unhold(j);
        }

        ngx_recording_media_close(j);

        if (ngx_recording_media_open(j, frame->time_us) != NGX_OK) {
            ngx_recording_span_add(&t->lost, frame);
            ngx_recording_media_restart(j);
            return;
        }

        ngx_recording_media_unhold(j);

        /* fall through */

    default: /* CR_CHUNK_APPEND */
        ngx_recording_media_append(j, frame);
    }
}


/*
 * From this frame on the picture is turned: the journal says so for the mix,
 * and the header of the next chunk for players.
 */
static void
ngx_recording_media_rotation(ngx_recording_join_t *j,
    ngx_recording_track_t *t, const cr_frame_t *frame)
{
    if (frame->time_us - t->turned_us >= NGX_RECORDING_TURNS_US
        || frame->time_us < t->turned_us)
    {
        t->turns = 0;
        t->turned_us = frame->time_us;
    }

    if (t->turns == NGX_RECORDING_TURNS) {
        /* nobody turns a camera so often */
        return;
    }

    t->turns++;
    t->rotation = frame->rotation;

    if (frame->track != j->video) {
        j->policy.changed = 1;
    }

    ngx_recording_record_rotation(j, t->number, frame->time_us, t->rotation);
}


/* What the next chunk's header says of a video. */
static void
ngx_recording_media_keyframe(ngx_recording_join_t *j,
    ngx_recording_track_t *t, const cr_frame_t *frame)
{
    if (frame->track != j->video && !frame->incomplete
        && (!j->policy.with_video
            || frame->time_us - j->policy.video_us >= j->policy.duration_us))
    {
        /* no other video goes on: chunks are cut by this one */
        j->video = frame->track;
        j->policy.changed = 1;
    }

    if (frame->track != j->video
        && (!t->in_chunk || t->config_size != frame->config_size
            || (t->config_size != 0
                && ngx_memcmp(t->config, frame->config, t->config_size)
                   != 0)))
    {
        /* the chunk does not know it, or not so */
        t->in_chunk = 0;
        j->policy.changed = 1;
    }

    t->keyed = !frame->incomplete;

    t->width = frame->width;
    t->height = frame->height;

    if (frame->config_size != 0 && frame->config_size <= CR_CODEC_CONFIG_MAX)
    {
        t->config_size = frame->config_size;
        ngx_memcpy(t->config, frame->config, frame->config_size);
    }
}


/* Whether so much waits for the disk that no more is taken. */
static ngx_uint_t
ngx_recording_media_full(ngx_recording_join_t *j)
{
    size_t  size;

    size = ngx_recording_writer_pending(j->writer) + j->held_size;

    if (j->chunk != NULL) {
        size += cr_chunk_writer_size(j->chunk->mkv) - j->chunk->size;
    }

    return size >= j->ref.buffer;
}


static ngx_uint_t
ngx_recording_media_drop(ngx_recording_join_t *j, ngx_recording_track_t *t,
    const cr_frame_t *frame)
{
    ngx_uint_t  full;

    full = ngx_recording_media_full(j);

    if (!t->dropping) {

        if (!full) {
            return 0;
        }

        ngx_log_error(NGX_LOG_ERR, j->log, 0,
                      "recording %s: the disk is too slow, frames of session "
                      "%s are dropped",
                      j->ref.recording_id, j->info.session_id);

        t->dropping = 1;
        t->dropped = 0;
        t->drop_from_us = frame->time_us;

    } else if (!full) {

        /* video goes on with a picture that needs none of the lost */

        if (frame->keyframe && !frame->incomplete) {
            t->drop_to_us = frame->time_us;
            ngx_recording_media_drop_end(j, t);
            return 0;
        }

        j->policy.changed = 1;
    }

    t->dropped++;
    t->drop_to_us = frame->time_us + frame->duration_us;

    return 1;
}


static void
ngx_recording_media_drop_end(ngx_recording_join_t *j,
    ngx_recording_track_t *t)
{
    t->dropping = 0;

    ngx_recording_record_gap(j, t->number, t->drop_from_us, t->drop_to_us,
                             t->dropped, "buffer");
}


/*
 * The keyframe of a further video, when the first one's is expected: layers'
 * come together, and all are to begin in the next chunk.
 */
static ngx_uint_t
ngx_recording_media_waits(ngx_recording_join_t *j, ngx_recording_track_t *t,
    const cr_frame_t *frame)
{
    if (j->chunk == NULL) {
        return 0;
    }

    if (j->waiting && frame->time_us - j->waiting_us >= CR_CHUNK_LEAD_US) {
        ngx_recording_media_unhold(j);
    }

    if (t->waiting) {
        return 1;
    }

    if (frame->kind != CR_KIND_VIDEO || frame->track == j->video
        || !frame->keyframe || frame->incomplete
        || !j->policy.with_video || j->policy.asked_us == 0)
    {
        return 0;
    }

    if (!j->waiting) {
        j->waiting = 1;
        j->waiting_us = frame->time_us;
    }

    t->waiting = 1;

    return 1;
}


static void
ngx_recording_media_hold(ngx_recording_join_t *j, const cr_frame_t *frame)
{
    ngx_recording_held_t  *h;

    h = ngx_alloc(sizeof(ngx_recording_held_t) + frame->size, j->log);
    if (h == NULL) {
        return;
    }

    h->frame = *frame;
    h->frame.data = h->data;
    h->frame.config = NULL;
    h->frame.config_size = 0;
    ngx_memcpy(h->data, frame->data, frame->size);

    j->held_size += sizeof(ngx_recording_held_t) + frame->size;
    ngx_queue_insert_tail(&j->held, &h->queue);
}


static void
ngx_recording_media_unhold(ngx_recording_join_t *j)
{
    ngx_uint_t             i;
    ngx_queue_t           *q;
    ngx_recording_held_t  *h;

    while (!ngx_queue_empty(&j->held)) {
        q = ngx_queue_head(&j->held);
        ngx_queue_remove(q);
        h = ngx_queue_data(q, ngx_recording_held_t, queue);

        if (j->chunk != NULL) {
            ngx_recording_media_append(j, &h->frame);
        }

        ngx_free(h);
    }

    j->held_size = 0;
    j->waiting = 0;

    for (i = 0; i < j->ntracks; i++) {
        j->tracks[i].waiting = 0;
    }
}


static void
ngx_recording_media_append(ngx_recording_join_t *j, const cr_frame_t *frame)
{
    int64_t                 end_ms;
    uint64_t                handed;
    cr_status_e             rc;
    ngx_recording_chunk_t  *c;
    ngx_recording_track_t  *t;

    c = j->chunk;
    t = &j->tracks[frame->track];

    if (c == NULL || !t->in_chunk) {

        if (t->losing) {
            ngx_recording_span_add(&t->lost, frame);
        }

        return;
    }

    handed = c->size;

    if (cr_chunk_writer_size(c->mkv) == handed) {
        j->cluster_us = ngx_callrec_now_us();
    }

    rc = cr_chunk_writer_frame(c->mkv, t->number, frame,
                               frame->time_us / 1000);
    if (rc != CR_OK) {
        ngx_log_error(NGX_LOG_ERR, j->log, 0,
                      "recording %s: a frame of session %s is lost: %s",
                      j->ref.recording_id, j->info.session_id,
                      rc == CR_NOMEM ? "no memory" : "it cannot be written");

        ngx_recording_record_gap(j, t->number, frame->time_us,
                                 frame->time_us + frame->duration_us, 1,
                                 "buffer");
        return;
    }

    if (c->size != handed) {
        /* the frame began a new cluster */
        j->cluster_us = ngx_callrec_now_us();
    }

    c->frames++;

    t->losing = 0;
    t->interval_us = frame->time_us - t->last_us;
    t->last_us = frame->time_us;
    ngx_recording_span_add(&t->gathered, frame);

    end_ms = (frame->time_us + frame->duration_us) / 1000;

    if (end_ms > c->end_ms) {
        c->end_ms = end_ms;
    }

    if (end_ms > j->last_media_ms) {
        j->last_media_ms = end_ms;
    }
}


static ngx_int_t
ngx_recording_media_open(ngx_recording_join_t *j, int64_t time_us)
{
    char                    path[NGX_RECORDING_PATH_MAX];
    ngx_uint_t              n;
    cr_chunk_track_t        tracks[CR_TRACK_MAX];
    ngx_recording_held_t   *h;
    ngx_recording_chunk_t  *c;

    c = ngx_calloc(sizeof(ngx_recording_chunk_t), j->log);
    if (c == NULL) {
        return NGX_ERROR;
    }

    c->join = j;
    c->number = j->nchunks + 1;
    c->start_ms = time_us / 1000;

    if (!ngx_queue_empty(&j->held)) {
        h = ngx_queue_data(ngx_queue_head(&j->held), ngx_recording_held_t,
                           queue);
        c->start_ms = ngx_min(c->start_ms, h->frame.time_us / 1000);
    }

    c->end_ms = c->start_ms;

    ngx_sprintf((u_char *) path, "%s/%s/%s/%06ui.mkv%Z", j->ref.dir,
                j->info.participant_id, j->info.session_id, c->number);

    if (ngx_recording_writer_create_file(j->writer, path,
                                         ngx_recording_media_created, c)
        != NGX_OK)
    {
        ngx_free(c);
        return NGX_ERROR;
    }

    j->nchunks++;
    ngx_queue_insert_tail(&j->chunks, &c->queue);

    n = ngx_recording_media_tracks(j, tracks);

    /* before the first cluster's bytes, and so before its records */
    ngx_recording_record_chunk_open(j, c, path + ngx_strlen(j->ref.dir) + 1);

    c->mkv = cr_chunk_writer_create(&ngx_callrec_env, tracks, n,
                                    ngx_recording_media_write, c);
    j->chunk = c;

    if (c->mkv == NULL) {
        return NGX_ERROR;
    }

    if (!j->first_media) {
        j->first_media = 1;
        ngx_recording_table_first_media(&j->ref, j->info.participant_id,
                                        c->start_ms);
    }

    return NGX_OK;
}


/*
 * What the chunk to be opened has, in order; a chunk of sound alone has no
 * video.
 */
static ngx_uint_t
ngx_recording_media_tracks(ngx_recording_join_t *j, cr_chunk_track_t *tracks)
{
    ngx_uint_t              i, n;
    cr_chunk_track_t       *ct;
    ngx_recording_track_t  *t;

    n = 0;

    ngx_recording_layers_choose(j);

    for (i = 0; i < j->ntracks; i++) {
        t = j->order[i];

        t->in_chunk = t->kind == CR_KIND_AUDIO
                      || (j->policy.with_video && t->width != 0
                          && ngx_recording_layers_chosen(j, t));

        if (!t->in_chunk) {
            continue;
        }

        t->keyed = 0;

        ct = &tracks[n++];

        ct->number = t->number;
        ct->kind = t->kind;
        ct->codec = t->codec;
        ct->channels = t->channels;
        ct->sample_rate = t->clock_rate;
        ct->width = t->width;
        ct->height = t->height;
        ct->rotation = t->rotation;
        ct->config = t->config;
        ct->config_size = t->config_size;
    }

    return n;
}


static void
ngx_recording_media_close(ngx_recording_join_t *j)
{
    ngx_recording_chunk_t  *c;

    c = j->chunk;

    if (c == NULL) {
        return;
    }

    ngx_recording_media_flush(j);

    cr_chunk_writer_destroy(c->mkv);
    c->mkv = NULL;
    j->chunk = NULL;

    /* without memory it is freed together with the join */

    (void) ngx_recording_writer_close(j->writer, ngx_recording_media_closed,
                                      c);
}


/* After a failure: the next keyframe begins a chunk anew. */
static void
ngx_recording_media_restart(ngx_recording_join_t *j)
{
    ngx_uint_t  i;

    for (i = 0; i < j->ntracks; i++) {
        j->tracks[i].losing |= j->tracks[i].in_chunk;
    }

    ngx_recording_media_close(j);

    cr_chunk_policy_init(&j->policy, j->ref.chunk_us, j->policy.has_video);
    j->policy.asked_us = ngx_callrec_now_us() - j->ref.t0_us;
}


void
ngx_recording_media_flush(ngx_recording_join_t *j)
{
    if (j->chunk != NULL && j->chunk->mkv != NULL
        && cr_chunk_writer_flush(j->chunk->mkv) != CR_OK)
    {
        ngx_log_error(NGX_LOG_ERR, j->log, 0,
                      "recording %s: a cluster of session %s is lost: no "
                      "memory", j->ref.recording_id, j->info.session_id);
    }
}


void
ngx_recording_media_finish(ngx_recording_join_t *j)
{
    ngx_uint_t             i;
    ngx_recording_held_t  *h;

    for (i = 0; i < j->ntracks; i++) {
        if (j->tracks[i].dropping) {
            ngx_recording_media_drop_end(j, &j->tracks[i]);
        }

        ngx_recording_level_end(j, &j->tracks[i]);
    }

    if (j->chunk == NULL && !ngx_queue_empty(&j->held)) {
        /* sound that never saw a keyframe */
        h = ngx_queue_data(ngx_queue_head(&j->held), ngx_recording_held_t,
                           queue);

        if (ngx_recording_media_open(j, h->frame.time_us) != NGX_OK) {
            ngx_recording_media_close(j);
        }
    }

    ngx_recording_media_unhold(j);
    ngx_recording_media_close(j);
}


static cr_status_e
ngx_recording_media_write(void *ctx, const uint8_t *data, size_t size)
{
    ngx_int_t                 rc;
    ngx_recording_chunk_t    *c;
    ngx_recording_cluster_t  *cl;

    c = ctx;

    cl = ngx_recording_lost_cluster(c);
    if (cl == NULL) {
        return CR_NOMEM;
    }

    /* the header, while the writer is made, is small; clusters are not */

    rc = (c->mkv == NULL)
         ? ngx_recording_writer_append(c->join->writer, data, size, NULL,
                                       ngx_recording_media_written, cl)
         : ngx_recording_writer_give(c->join->writer,
                                     cr_chunk_writer_take(c->mkv), size,
                                     ngx_recording_media_written, cl);

    if (rc != NGX_OK) {
        ngx_recording_lost_failed(cl);
        ngx_free(cl);
        return CR_NOMEM;
    }

    c->size += size;

    return CR_OK;
}


static void
ngx_recording_media_created(void *ctx, ngx_int_t rc, ngx_err_t err,
    size_t len)
{
    if (rc != NGX_OK) {
        ngx_recording_media_failed(ctx, err);
    }
}


static void
ngx_recording_media_written(void *ctx, ngx_int_t rc, ngx_err_t err,
    size_t len)
{
    ngx_recording_join_t     *j;
    ngx_recording_chunk_t    *c;
    ngx_recording_cluster_t  *cl;

    cl = ctx;
    c = cl->chunk;
    j = c->join;

    if (rc != NGX_OK) {
        ngx_recording_lost_failed(cl);
        ngx_free(cl);
        ngx_recording_media_failed(c, err);
        return;
    }

    j->durable += len;

    /* a header alone may still fit onto a full disk */

    if (ngx_recording_lost_written(cl) != 0 && j->failed) {
        j->failed = 0;
        ngx_recording_table_error_over(&j->ref);
    }

    ngx_free(cl);
}


static void
ngx_recording_media_closed(void *ctx, ngx_int_t rc, ngx_err_t err,
    size_t len)
{
    ngx_recording_chunk_t  *c;

    c = ctx;

    if (rc == NGX_OK) {
        ngx_recording_record_chunk_close(c->join, c);

    } else {
        ngx_recording_media_failed(c, err);
    }

    ngx_queue_remove(&c->queue);
    ngx_free(c);
}


static void
ngx_recording_media_failed(ngx_recording_chunk_t *c, ngx_err_t err)
{
    u_char                 message[NGX_MAX_ERROR_STR], *p;
    ngx_recording_join_t  *j;

    j = c->join;

    if (!c->failed) {
        c->failed = 1;

        /* others may have been told that it is over */

        p = ngx_strerror(err, message, sizeof(message) - 1);
        *p = '\0';

        ngx_recording_table_error(&j->ref,
                                  err == NGX_ENOSPC || err == EDQUOT
                                  ? "disk_full" : "disk_io",
                                  (char *) message);
    }

    if (!j->failed) {
        j->failed = 1;

        ngx_log_error(NGX_LOG_ERR, j->log, err,
                      "recording %s: chunk %ui of session %s cannot be "
                      "written",
                      j->ref.recording_id, c->number, j->info.session_id);
    }

    if (c == j->chunk) {
        ngx_recording_media_restart(j);
    }
}
