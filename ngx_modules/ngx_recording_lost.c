
/*
 * Copyright (C) The call recorder authors
 *
 * Which frames the disk did not take: known only when the write of their
 * cluster has failed, and told in the journal when one behind them is written.
 */


#include "ngx_recording_join.h"


static void ngx_recording_lost_merge(ngx_recording_span_t *to,
    const ngx_recording_span_t *from);
static void ngx_recording_lost_tell(ngx_recording_join_t *j, ngx_uint_t i,
    int64_t next_us);


void
ngx_recording_span_add(ngx_recording_span_t *span, const cr_frame_t *frame)
{
    ngx_recording_span_t  one;

    one.frames = 1;
    one.from_us = frame->time_us;
    one.to_us = frame->time_us + frame->duration_us;

    ngx_recording_lost_merge(span, &one);
}


static void
ngx_recording_lost_merge(ngx_recording_span_t *to,
    const ngx_recording_span_t *from)
{
    if (from->frames == 0) {
        return;
    }

    if (to->frames == 0) {
        *to = *from;
        return;
    }

    to->frames += from->frames;
    to->from_us = ngx_min(to->from_us, from->from_us);
    to->to_us = ngx_max(to->to_us, from->to_us);
}


ngx_recording_cluster_t *
ngx_recording_lost_cluster(ngx_recording_chunk_t *c)
{
    ngx_uint_t                i;
    ngx_recording_join_t     *j;
    ngx_recording_cluster_t  *cl;

    j = c->join;

    cl = ngx_alloc(sizeof(ngx_recording_cluster_t), j->log);

    for (i = 0; i < j->ntracks; i++) {

        if (cl != NULL) {
            cl->spans[i] = j->tracks[i].gathered;

        } else {
            ngx_recording_lost_merge(&j->tracks[i].lost,
                                     &j->tracks[i].gathered);
        }

        j->tracks[i].gathered.frames = 0;
    }

    if (cl != NULL) {
        cl->chunk = c;
    }

    return cl;
}


void
ngx_recording_lost_failed(ngx_recording_cluster_t *cl)
{
    ngx_uint_t             i;
    ngx_recording_join_t  *j;

    j = cl->chunk->join;

    for (i = 0; i < j->ntracks; i++) {
        ngx_recording_lost_merge(&j->tracks[i].lost, &cl->spans[i]);
    }
}


ngx_uint_t
ngx_recording_lost_written(ngx_recording_cluster_t *cl)
{
    ngx_uint_t             i, frames;
    ngx_recording_join_t  *j;

    j = cl->chunk->join;
    frames = 0;

    for (i = 0; i < j->ntracks; i++) {

        if (cl->spans[i].frames != 0) {
            frames += cl->spans[i].frames;
            ngx_recording_lost_tell(j, i, cl->spans[i].from_us);
        }
    }

    return frames;
}


void
ngx_recording_lost_end(ngx_recording_join_t *j)
{
    ngx_uint_t  i;

    for (i = 0; i < j->ntracks; i++) {
        ngx_recording_lost_tell(j, i, 0);
    }
}


static void
ngx_recording_lost_tell(ngx_recording_join_t *j, ngx_uint_t i,
    int64_t next_us)
{
    ngx_recording_track_t  *t;

    t = &j->tracks[i];

    if (t->lost.frames == 0) {
        return;
    }

    ngx_recording_record_gap(j, t->number, t->lost.from_us,
                             ngx_max(t->lost.to_us, next_us),
                             t->lost.frames, "disk");
    t->lost.frames = 0;
}
