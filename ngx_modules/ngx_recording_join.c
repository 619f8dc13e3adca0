
/*
 * Copyright (C) The call recorder authors
 */


#include "ngx_callrec.h"
#include "base/audio.h"
#include "ngx_recording_conf.h"
#include "ngx_recording_join.h"


#define NGX_RECORDING_PROGRESS_US  1000000


static ngx_int_t ngx_recording_join_table(ngx_recording_join_t *j);
static void ngx_recording_join_tracks(ngx_recording_join_t *j,
    const cr_media_params_t *media, ngx_uint_t nmedia);
static void ngx_recording_join_track(ngx_recording_track_t *t,
    const cr_media_params_t *media);
static void ngx_recording_join_ask(ngx_recording_join_t *j, int64_t now_us);
static void ngx_recording_join_progress(ngx_recording_join_t *j);
static void ngx_recording_join_written(void *ctx, ngx_int_t rc,
    ngx_err_t err, size_t len);
static void ngx_recording_join_left(void *ctx, ngx_int_t rc);
static void ngx_recording_join_free(ngx_recording_join_t *j);


ngx_recording_join_t *
ngx_recording_join_create(ngx_recording_publisher_t *pub,
    const ngx_recording_ref_t *ref,
    const ngx_recording_publisher_info_t *info,
    const cr_media_params_t *media, ngx_uint_t nmedia,
    const ngx_recording_size_t *sizes,
    const ngx_recording_publisher_handlers_t *handlers,
    const ngx_recording_publisher_stats_t *stats)
{
    ngx_int_t              rc;
    ngx_uint_t             i, ntracks;
    ngx_recording_conf_t  *rcf;
    ngx_recording_join_t  *j;

    rcf = ngx_recording_conf();
    if (rcf == NULL) {
        return NULL;
    }

    ntracks = 0;

    for (i = 0; i < nmedia; i++) {
        ntracks += cr_media_tracks(&media[i]);
    }

    j = ngx_calloc(offsetof(ngx_recording_join_t, tracks)
                   + ntracks * sizeof(ngx_recording_track_t),
                   ngx_cycle->log);
    if (j == NULL) {
        return NULL;
    }

    j->log = ngx_cycle->log;
    j->pub = pub;
    j->ref = *ref;
    j->info = *info;
    j->handlers = *handlers;
    j->base = *stats;
    j->stats = *stats;

    ngx_queue_init(&j->chunks);
    ngx_queue_init(&j->held);

    j->ntracks = ntracks;
    ngx_recording_layers_init(j, media, nmedia, sizes);
    ngx_recording_join_tracks(j, media, nmedia);

    cr_chunk_policy_init(&j->policy, ref->chunk_us, j->video < j->ntracks);

    j->sync_us = (rcf->sync == NGX_RECORDING_SYNC_INTERVAL)
                 ? (int64_t) rcf->sync_interval * 1000 : 0;
    j->synced_us = ngx_callrec_now_us();

    j->writer = ngx_recording_writer_create(rcf->thread_pool,
                                            rcf->sync
                                            != NGX_RECORDING_SYNC_OFF,
                                            j->log);
    if (j->writer == NULL) {
        ngx_free(j);
        return NULL;
    }

    ngx_recording_writer_patient(j->writer, 1);

    rc = ngx_recording_join_table(j);

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_INFO, j->log, 0,
                      "recording %s: session %s is not recorded: %s",
                      ref->recording_id, info->session_id,
                      rc == NGX_BUSY ? "a limit is reached"
                                     : "no media is taken any more");
        ngx_recording_join_free(j);
        return NULL;
    }

    ngx_recording_record_join(j);

    return j;
}


static ngx_int_t
ngx_recording_join_table(ngx_recording_join_t *j)
{
    ngx_uint_t          i;
    cr_journal_track_t  tracks[CR_TRACK_MAX];

    for (i = 0; i < j->ntracks; i++) {
        ngx_recording_record_track(j, &j->tracks[i], &tracks[i]);
    }

    return ngx_recording_table_join(&j->ref, &j->info, tracks, j->ntracks);
}


/* Matroska's numbers: video first, each kind in the order of m-lines. */
static void
ngx_recording_join_tracks(ngx_recording_join_t *j,
    const cr_media_params_t *media, ngx_uint_t nmedia)
{
    uint8_t                 number;
    ngx_uint_t              i, kind, layer;
    ngx_recording_track_t  *t;

    number = 0;

    j->video = j->ntracks;

    for (kind = CR_KIND_VIDEO; kind >= CR_KIND_AUDIO; kind--) {

        for (i = 0; i < nmedia; i++) {

            if (media[i].kind != kind) {
                continue;
            }

            if (kind == CR_KIND_VIDEO) {
                j->video = ngx_min(j->video, j->mlines[i].first);
            }

            for (layer = 0; layer < cr_media_tracks(&media[i]); layer++) {
                t = &j->tracks[j->mlines[i].first + layer];

                j->order[number] = t;

                t->mline = i;
                t->number = ++number;
                ngx_recording_join_track(t, &media[i]);
            }
        }
    }
}


static void
ngx_recording_join_track(ngx_recording_track_t *t,
    const cr_media_params_t *media)
{
    t->kind = media->kind;
    t->codec = media->codec;
    t->clock_rate = media->clock_rate;

    if (t->kind == CR_KIND_AUDIO) {
        t->channels = ngx_max(media->channels, 1);
        t->config_size = cr_audio_config(t->config, media);
    }
}


void
ngx_recording_join_tick(ngx_recording_join_t *j, int64_t now_us)
{
    if (j->pub == NULL) {
        return;
    }

    ngx_recording_join_ask(j, now_us);

    if (j->chunk != NULL && now_us - j->cluster_us >= CR_CHUNK_CLUSTER_US) {
        ngx_recording_media_flush(j);
    }

    if (j->sync_us != 0 && now_us - j->synced_us >= j->sync_us) {
        j->synced_us = now_us;
        ngx_recording_writer_sync(j->writer);
    }

    if (now_us - j->progress_us >= NGX_RECORDING_PROGRESS_US) {
        j->progress_us = now_us;
        ngx_recording_join_progress(j);
    }
}


static void
ngx_recording_join_ask(ngx_recording_join_t *j, int64_t now_us)
{
    ngx_uint_t              i, all, boundary;
    ngx_recording_track_t  *t;

    boundary = j->policy.with_video && !j->policy.changed;
    all = cr_chunk_policy_wants_keyframe(&j->policy, now_us - j->ref.t0_us);

    for (i = 0; i < j->ntracks; i++) {
        t = &j->tracks[i];

        if (t->kind != CR_KIND_VIDEO) {
            continue;
        }

        /* a further video's may have come right before the cut */

        if ((all && ngx_recording_layers_asks(j, t))
            || (i != j->video && t->in_chunk && !t->keyed
                && now_us - t->asked_us >= CR_CHUNK_ASK_US))
        {
            t->asked_us = now_us;
            j->handlers.request_keyframe(j->handlers.ctx, i, boundary);
        }
    }
}


static void
ngx_recording_join_progress(ngx_recording_join_t *j)
{
    ngx_recording_publisher_stats_t  stats;

    stats.packets = j->stats.packets - j->base.packets;
    stats.bytes = j->stats.bytes - j->base.bytes;
    stats.lost = j->stats.lost - j->base.lost;
    stats.recovered = j->stats.recovered - j->base.recovered;
    stats.given_up = j->stats.given_up - j->base.given_up;

    j->publishers = ngx_recording_table_progress(&j->ref,
                                                 j->info.session_id,
                                                 j->last_media_ms,
                                                 j->durable, &stats);
}


void
ngx_recording_join_leave(ngx_recording_join_t *j, const char *reason)
{
    j->pub = NULL;

    ngx_recording_writer_patient(j->writer, 0);

    ngx_cpystrn((u_char *) j->reason, (u_char *) reason, sizeof(j->reason));

    ngx_recording_media_finish(j);

    /* an empty append: its callback runs when all before it is written */

    if (ngx_recording_writer_append(j->writer, NULL, 0, NULL,
                                    ngx_recording_join_written, j)
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_ALERT, j->log, 0,
                      "recording %s: session %s never leaves: no memory",
                      j->ref.recording_id, j->info.session_id);
    }
}


static void
ngx_recording_join_written(void *ctx, ngx_int_t rc, ngx_err_t err,
    size_t len)
{
    ngx_recording_join_t  *j;

    j = ctx;

    ngx_recording_join_progress(j);
    ngx_recording_lost_end(j);

    if (ngx_recording_record_leave(j, ngx_recording_join_left, j) != NGX_OK) {
        ngx_recording_join_left(j, NGX_ERROR);
    }
}


static void
ngx_recording_join_left(void *ctx, ngx_int_t rc)
{
    ngx_recording_join_t  *j;

    j = ctx;

    ngx_recording_table_leave(&j->ref, j->info.session_id, j->last_media_ms);

    ngx_queue_remove(&j->queue);
    ngx_recording_join_free(j);
}


static void
ngx_recording_join_free(ngx_recording_join_t *j)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(&j->chunks)) {
        q = ngx_queue_head(&j->chunks);
        ngx_queue_remove(q);
        ngx_free(ngx_queue_data(q, ngx_recording_chunk_t, queue));
    }

    ngx_recording_writer_destroy(j->writer);
    ngx_free(j);
}
