
/*
 * Copyright (C) The call recorder authors
 *
 * How loud a publisher says it is (RFC 6464), second by second: one short
 * record for each in which there was something to be heard.
 */


#include "ngx_callrec.h"
#include "ngx_recording_join.h"


#define NGX_RECORDING_LEVEL_US  1000000
#define NGX_RECORDING_SILENCE   127         /* RFC 6464 section 3: -dBov */


void
ngx_recording_level_frame(ngx_recording_join_t *j, ngx_recording_track_t *t,
    const cr_frame_t *frame)
{
    if (!frame->has_level) {
        return;
    }

    if (t->leveling && frame->time_us < t->level_us) {
        /* a clock that goes back must not cost more records */
        t->leveling = 0;
    }

    if (t->leveling
        && frame->time_us - t->level_us >= NGX_RECORDING_LEVEL_US)
    {
        ngx_recording_level_end(j, t);
    }

    if (!t->leveling) {
        t->leveling = 1;
        t->level = NGX_RECORDING_SILENCE;
        t->level_us = frame->time_us;
        t->voice_us = 0;
    }

    t->level = ngx_min(t->level, frame->level);
    t->level_end_us = frame->time_us + frame->duration_us;

    if (frame->voice) {
        t->voice_us += frame->duration_us;
    }
}


void
ngx_recording_level_end(ngx_recording_join_t *j, ngx_recording_track_t *t)
{
    if (!t->leveling) {
        return;
    }

    t->leveling = 0;

    /* what nobody hears needs no record */

    if (t->level != NGX_RECORDING_SILENCE || t->voice_us != 0) {
        ngx_recording_record_level(j, t);
    }
}
