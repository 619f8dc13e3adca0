
/*
 * Copyright (C) The call recorder authors
 */

#include "chunk/layers.h"


static uint32_t cr_layers_area(const cr_layers_t *l, unsigned layer);
static int cr_layers_best(const cr_layers_t *l, int64_t now_us);
static bool cr_layers_takes(cr_layers_t *l, unsigned layer, int64_t now_us);


void
cr_layers_init(cr_layers_t *l, unsigned n)
{
    unsigned  i;

    *l = (cr_layers_t) { .n = n, .current = -1 };

    for (i = 0; i < n; i++) {
        l->layers[i].off = true;
        l->layers[i].missed = CR_LAYER_SILENT_FRAMES;
    }
}


void
cr_layers_size(cr_layers_t *l, unsigned layer, uint16_t width,
    uint16_t height)
{
    l->layers[layer].width = width;
    l->layers[layer].height = height;
}


void
cr_layers_heard(cr_layers_t *l, unsigned layer, int64_t heard_us)
{
    cr_layer_state_t  *s = &l->layers[layer];

    if (heard_us == INT64_MIN) {
        s->off = true;
        return;
    }

    if (s->off || heard_us > s->heard_us) {
        /* the first is as old as it is */
        s->missed = s->heard_us != 0 ? 0 : s->missed;
        s->heard_us = heard_us;
        s->off = false;
    }
}


bool
cr_layers_frame(cr_layers_t *l, unsigned layer, const cr_frame_t *frame,
    int64_t now_us)
{
    unsigned  i;

    for (i = 0; i < l->n; i++) {
        l->layers[i].missed++;
    }

    l->layers[layer].missed = 0;

    if (!frame->keyframe || frame->incomplete) {
        return false;
    }

    cr_layers_size(l, layer, frame->width, frame->height);

    if ((int) layer == l->current || !cr_layers_takes(l, layer, now_us)) {
        return false;
    }

    l->current = (int) layer;
    l->wait_us = 0;

    return true;
}


static bool
cr_layers_takes(cr_layers_t *l, unsigned layer, int64_t now_us)
{
    if (cr_layers_best(l, now_us) == (int) layer) {
        return true;
    }

    if (l->current >= 0
        && !cr_layers_silent(l, (unsigned) l->current, now_us))
    {
        return false;
    }

    /* layers' keyframes come together, in any order */

    if (l->wait_us == 0) {
        l->wait_us = now_us;
    }

    return now_us - l->wait_us >= CR_LAYER_WAIT_US;
}


static uint32_t
cr_layers_area(const cr_layers_t *l, unsigned layer)
{
    return (uint32_t) l->layers[layer].width * l->layers[layer].height;
}


/* Among equals the current one. */
static int
cr_layers_best(const cr_layers_t *l, int64_t now_us)
{
    int       best;
    unsigned  i;
    uint32_t  area, most;

    best = -1;
    most = 0;

    for (i = 0; i < l->n; i++) {
        area = cr_layers_area(l, i);

        if (cr_layers_silent(l, i, now_us)) {
            continue;
        }

        if (area > most || (area == most && (int) i == l->current)) {
            best = area != 0 ? (int) i : best;
            most = area;
        }
    }

    return best;
}


int
cr_layers_wanted(const cr_layers_t *l, int64_t now_us)
{
    int  best;

    best = cr_layers_best(l, now_us);

    return best != l->current ? best : -1;
}


bool
cr_layers_silent(const cr_layers_t *l, unsigned layer, int64_t now_us)
{
    const cr_layer_state_t  *s = &l->layers[layer];

    return s->off
           || (s->missed >= CR_LAYER_SILENT_FRAMES
               && now_us - s->heard_us >= CR_LAYER_SILENT_US);
}
