
/*
 * Copyright (C) The call recorder authors
 *
 * Simulcast: which layers of a publisher's videos are written.
 */


#include "ngx_callrec.h"
#include "ngx_recording_conf.h"
#include "ngx_recording_join.h"


/* recording_simulcast auto: so many get the best layer alone */
#define NGX_RECORDING_LAYERS_FEW     4

/* What is missing between two layers is a gap, if it is worth a word. */
#define NGX_RECORDING_LAYERS_GAP_US  80000


static void ngx_recording_layers_ask(ngx_recording_join_t *j,
    ngx_recording_mline_t *m, int64_t now_us);
static void ngx_recording_layers_switched(ngx_recording_join_t *j,
    ngx_recording_mline_t *m, int before, const cr_frame_t *frame);
static void ngx_recording_layers_sort(ngx_recording_join_t *j);
static ngx_uint_t ngx_recording_layers_area(ngx_recording_track_t *t);
static ngx_uint_t ngx_recording_layers_number(ngx_recording_join_t *j,
    ngx_recording_track_t *t);


void
ngx_recording_layers_init(ngx_recording_join_t *j,
    const cr_media_params_t *media, ngx_uint_t nmedia,
    const ngx_recording_size_t *sizes)
{
    ngx_uint_t              i, layer, track;
    ngx_recording_mline_t  *m;

    track = 0;
    j->nmlines = nmedia;

    for (i = 0; i < nmedia; i++) {
        m = &j->mlines[i];

        m->first = track;
        m->screen = j->info.screen || media[i].screen;
        ngx_memcpy(m->mid, media[i].mid, sizeof(m->mid));

        cr_layers_init(&m->layers, cr_media_tracks(&media[i]));

        for (layer = 0; layer < m->layers.n; layer++, track++) {
            ngx_memcpy(m->rids[layer], media[i].layers[layer].rid,
                       sizeof(m->rids[layer]));
            cr_layers_size(&m->layers, layer, sizes[track].width,
                           sizes[track].height);
        }
    }
}


ngx_uint_t
ngx_recording_layers_frame(ngx_recording_join_t *j, const cr_frame_t *frame)
{
    int                     before;
    int64_t                 now_us;
    ngx_uint_t              i, layer;
    ngx_recording_mline_t  *m;
    ngx_recording_track_t  *t;

    t = &j->tracks[frame->track];
    m = &j->mlines[t->mline];

    if (m->layers.n == 1) {
        return 1;
    }

    now_us = ngx_callrec_now_us();
    layer = frame->track - m->first;

    for (i = 0; i < m->layers.n; i++) {
        cr_layers_heard(&m->layers, i,
                        j->handlers.heard(j->handlers.ctx, m->first + i));
    }

    before = m->layers.current;

    if (cr_layers_frame(&m->layers, layer, frame, now_us)) {
        ngx_recording_layers_switched(j, m, before, frame);
    }

    ngx_recording_layers_ask(j, m, now_us);

    return t->in_chunk || ngx_recording_layers_chosen(j, t);
}


/* A layer that would be better than the one there is, or instead of it. */
static void
ngx_recording_layers_ask(ngx_recording_join_t *j, ngx_recording_mline_t *m,
    int64_t now_us)
{
    int                     wanted;
    ngx_recording_track_t  *t;

    wanted = cr_layers_wanted(&m->layers, now_us);

    if (wanted < 0) {
        return;
    }

    t = &j->tracks[m->first + wanted];

    if (now_us - t->asked_us >= CR_CHUNK_ASK_US) {
        t->asked_us = now_us;
        j->handlers.request_keyframe(j->handlers.ctx, m->first + wanted, 0);
    }
}


static void
ngx_recording_layers_switched(ngx_recording_join_t *j,
    ngx_recording_mline_t *m, int before, const cr_frame_t *frame)
{
    int64_t                 gap_us;
    ngx_recording_track_t  *from;

    if (j->tracks[j->video].mline == j->tracks[frame->track].mline) {
        /* with this keyframe a chunk begins */
        j->video = frame->track;
        j->policy.changed = 1;
    }

    if (before < 0) {
        return;
    }

    from = &j->tracks[m->first + before];

    if (!from->in_chunk || from->last_us == 0) {
        return;
    }

    gap_us = frame->time_us - from->last_us;

    if (gap_us >= NGX_RECORDING_LAYERS_GAP_US
        && gap_us >= 2 * from->interval_us)
    {
        ngx_recording_record_gap(j, from->number, from->last_us,
                                 frame->time_us, 0, "layer");
    }
}


void
ngx_recording_layers_choose(ngx_recording_join_t *j)
{
    ngx_uint_t  simulcast;

    simulcast = ngx_recording_conf()->simulcast;

    j->all = simulcast == NGX_RECORDING_SIMULCAST_ALL
             || (simulcast == NGX_RECORDING_SIMULCAST_AUTO
                 && j->publishers > NGX_RECORDING_LAYERS_FEW);

    ngx_recording_layers_sort(j);
}


ngx_uint_t
ngx_recording_layers_chosen(ngx_recording_join_t *j,
    ngx_recording_track_t *t)
{
    int                     layer;
    ngx_recording_mline_t  *m;

    m = &j->mlines[t->mline];

    if (m->layers.n == 1) {
        return 1;
    }

    layer = (int) ngx_recording_layers_number(j, t);

    if (layer == m->layers.current) {
        return 1;
    }

    /* one that would be better begins with a keyframe of its own */

    return j->all && m->layers.current >= 0
           && ngx_recording_layers_area(t)
              <= ngx_recording_layers_area(&j->tracks[m->first
                                                      + m->layers.current])
           && !cr_layers_silent(&m->layers, layer, ngx_callrec_now_us());
}


ngx_uint_t
ngx_recording_layers_asks(ngx_recording_join_t *j, ngx_recording_track_t *t)
{
    int                     wanted;
    ngx_recording_mline_t  *m;

    m = &j->mlines[t->mline];

    if (m->layers.n == 1 || ngx_recording_layers_chosen(j, t)) {
        return 1;
    }

    /* before there is one: what is known to be the best, or any */

    wanted = cr_layers_wanted(&m->layers, ngx_callrec_now_us());

    return wanted < 0 ? m->layers.current < 0
                      : (int) ngx_recording_layers_number(j, t) == wanted;
}


static ngx_uint_t
ngx_recording_layers_number(ngx_recording_join_t *j,
    ngx_recording_track_t *t)
{
    return (t - j->tracks) - j->mlines[t->mline].first;
}


/* Readers that take the first video take the best one. */
static void
ngx_recording_layers_sort(ngx_recording_join_t *j)
{
    ngx_uint_t              i, n;
    ngx_recording_track_t  *t;

    for (i = 1; i < j->ntracks; i++) {
        t = j->order[i];

        for (n = i; n > 0; n--) {

            if (j->order[n - 1]->mline != t->mline
                || ngx_recording_layers_area(j->order[n - 1])
                   >= ngx_recording_layers_area(t))
            {
                break;
            }

            j->order[n] = j->order[n - 1];
        }

        j->order[n] = t;
    }
}


static ngx_uint_t
ngx_recording_layers_area(ngx_recording_track_t *t)
{
    return (ngx_uint_t) t->width * t->height;
}
