
/*
 * Copyright (C) The call recorder authors
 */

#include "chunk/chunk.h"


void
cr_chunk_policy_init(cr_chunk_policy_t *p, int64_t duration_us,
    bool has_video)
{
    *p = (cr_chunk_policy_t) {
        .duration_us = duration_us,
        .has_video = has_video
    };
}


static int64_t
cr_chunk_lead(const cr_chunk_policy_t *p)
{
    return p->duration_us / 2 < CR_CHUNK_LEAD_US ? p->duration_us / 2
                                                 : CR_CHUNK_LEAD_US;
}


/* FNV-1a: it only has to notice a change. */
static uint32_t
cr_chunk_hash(const cr_frame_t *frame)
{
    size_t    i;
    uint32_t  h;

    h = 2166136261u;

    for (i = 0; i < frame->config_size; i++) {
        h = (h ^ frame->config[i]) * 16777619u;
    }

    return h;
}


static void
cr_chunk_open(cr_chunk_policy_t *p, int64_t time_us, bool with_video)
{
    p->open = true;
    p->with_video = with_video;
    p->held = false;
    p->opened_us = time_us;
}


static cr_chunk_action_e
cr_chunk_video(cr_chunk_policy_t *p, const cr_frame_t *frame)
{
    bool      changed, entry;
    uint32_t  hash;

    p->video_us = frame->time_us;

    hash = cr_chunk_hash(frame);
    entry = frame->keyframe && !frame->incomplete;

    changed = p->with_video
              && (frame->codec != p->codec || hash != p->config_hash
                  || frame->rotation != p->rotation
                  || (frame->keyframe && (frame->width != p->width
                                          || frame->height != p->height)));

    if (!entry) {

        if (!p->with_video) {
            return CR_CHUNK_WAIT;
        }

        p->changed |= changed;

        return CR_CHUNK_APPEND;
    }

    if (p->with_video && !changed && !p->changed
        && frame->time_us - p->opened_us
           < p->duration_us - cr_chunk_lead(p))
    {
        return CR_CHUNK_APPEND;
    }

    p->codec = frame->codec;
    p->width = frame->width;
    p->height = frame->height;
    p->rotation = frame->rotation;
    p->config_hash = hash;
    p->changed = false;
    p->asked_us = 0;

    cr_chunk_open(p, frame->time_us, true);

    return CR_CHUNK_OPEN;
}


static cr_chunk_action_e
cr_chunk_audio(cr_chunk_policy_t *p, const cr_frame_t *frame)
{
    if (!p->open) {

        if (p->has_video) {

            if (!p->held) {
                p->held = true;
                p->held_us = frame->time_us;
            }

            if (frame->time_us - p->held_us < CR_CHUNK_HOLD_US) {
                return CR_CHUNK_WAIT;
            }
        }

        cr_chunk_open(p, frame->time_us, false);

        return CR_CHUNK_OPEN;
    }

    if (frame->time_us - p->opened_us < p->duration_us) {
        return CR_CHUNK_APPEND;
    }

    /*
     * With video it is for a keyframe to cut, unless video has stopped.  If
     * it only waits for a lost packet, the chunk closes late: what comes then
     * is no keyframe, and would have no place in the next one.
     */

    if (p->with_video
        && frame->time_us - p->video_us < p->duration_us + CR_CHUNK_LATE_US)
    {
        return CR_CHUNK_APPEND;
    }

    cr_chunk_open(p, frame->time_us, false);

    return CR_CHUNK_OPEN;
}


cr_chunk_action_e
cr_chunk_policy_frame(cr_chunk_policy_t *p, const cr_frame_t *frame)
{
    return frame->kind == CR_KIND_VIDEO ? cr_chunk_video(p, frame)
                                        : cr_chunk_audio(p, frame);
}


bool
cr_chunk_policy_wants_keyframe(cr_chunk_policy_t *p, int64_t media_us)
{
    if (!p->has_video) {
        return false;
    }

    /* media time runs ahead where a queue was taken for a pause */
    if (media_us < p->video_us) {
        media_us = p->video_us;
    }

    if (p->with_video && !p->changed
        && media_us - p->opened_us < p->duration_us - cr_chunk_lead(p))
    {
        return false;
    }

    if (p->asked_us != 0 && media_us - p->asked_us < CR_CHUNK_ASK_US) {
        return false;
    }

    p->asked_us = media_us;

    return true;
}
