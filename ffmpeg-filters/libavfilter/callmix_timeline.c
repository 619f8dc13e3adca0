/*
 * Copyright (C) The call recorder authors
 *
 * The timeline of a recording: who was there when, which chunk files hold
 * their media, and how the clocks of these map to recording time.
 */

#include <stdlib.h>
#include <string.h>

#include "libavutil/avstring.h"
#include "libavutil/error.h"
#include "libavutil/macros.h"
#include "libavutil/mem.h"

#include "callmix.h"


/* All records kept of a recording: bounds what a damaged journal costs. */
#define MAX_RECORDS         2000000
#define MAX_PARTICIPANTS    10000

/* Somebody who is back so soon has not been away. */
#define SPAN_MERGE          2000000

/* Without media for so long somebody is gone, whatever leave says. */
#define SPAN_LINGER         1000000


void
ff_callmix_timeline_init(CallMixTimeline *tl)
{
    memset(tl, 0, sizeof(*tl));
    tl->stop = CALLMIX_NEVER;
}


static void
session_free(CallMixSession *session)
{
    for (int i = 0; i < session->nb_tracks; i++) {
        av_freep(&session->tracks[i].clocks);
        av_freep(&session->tracks[i].rotations);
    }

    for (int i = 0; i < session->nb_chunks; i++)
        av_freep(&session->chunks[i].file);

    av_freep(&session->tracks);
    av_freep(&session->chunks);
    av_free(session);
}


/* A session with a camera and a screen has two, but is one's own. */
static void
disown_sessions(CallMixParticipant *p)
{
    int nb = 0;

    for (int i = 0; i < p->nb_sessions; i++) {
        if (p->sessions[i]->screen == p->screen)
            p->sessions[nb++] = p->sessions[i];
    }

    p->nb_sessions = nb;
}


void
ff_callmix_timeline_uninit(CallMixTimeline *tl)
{
    for (int i = 0; i < tl->nb_participants; i++)
        disown_sessions(tl->participants[i]);

    for (int i = 0; i < tl->nb_participants; i++) {
        CallMixParticipant *p = tl->participants[i];

        for (int j = 0; j < p->nb_sessions; j++)
            session_free(p->sessions[j]);

        av_freep(&p->sessions);
        av_freep(&p->spans);
        av_freep(&p->name);
        av_free(p);
    }

    av_freep(&tl->participants);
    tl->nb_participants = 0;
}


/* One more element at the end of an array that grows by doubling. */
static void *
array_add(CallMixTimeline *tl, void *array, int *nb, size_t size)
{
    uint8_t *ptr;

    if (tl->nb_records >= MAX_RECORDS)
        return NULL;

    memcpy(&ptr, array, sizeof(ptr));

    if (!(*nb & (*nb - 1))) {
        ptr = av_realloc_array(ptr, *nb ? 2 * *nb : 1, size);
        if (!ptr)
            return NULL;

        memcpy(array, &ptr, sizeof(ptr));
    }

    tl->nb_records++;
    return memset(ptr + (*nb)++ * size, 0, size);
}


CallMixParticipant *
ff_callmix_timeline_participant(CallMixTimeline *tl, const char *id,
                                int screen)
{
    CallMixParticipant   *p, **slot;

    for (int i = 0; i < tl->nb_participants; i++) {
        if (!strcmp(tl->participants[i]->id, id)
            && tl->participants[i]->screen == screen)
        {
            return tl->participants[i];
        }
    }

    if (tl->nb_participants >= MAX_PARTICIPANTS)
        return NULL;

    p = av_mallocz(sizeof(*p));
    if (!p)
        return NULL;

    slot = array_add(tl, &tl->participants, &tl->nb_participants,
                     sizeof(*slot));
    if (!slot) {
        av_free(p);
        return NULL;
    }

    av_strlcpy(p->id, id, sizeof(p->id));
    p->screen = screen;
    return *slot = p;
}


CallMixSession *
ff_callmix_timeline_find_session(CallMixTimeline *tl, const char *id)
{
    for (int i = 0; i < tl->nb_participants; i++) {
        CallMixParticipant *p = tl->participants[i];

        for (int j = 0; j < p->nb_sessions; j++) {
            if (!strcmp(p->sessions[j]->id, id))
                return p->sessions[j];
        }
    }

    return NULL;
}


CallMixSession *
ff_callmix_timeline_session(CallMixTimeline *tl,
                            CallMixParticipant *participant, const char *id)
{
    CallMixSession *session, **slot;

    session = ff_callmix_timeline_find_session(tl, id);
    if (session)
        return session;

    session = av_mallocz(sizeof(*session));
    if (!session)
        return NULL;

    slot = array_add(tl, &participant->sessions, &participant->nb_sessions,
                     sizeof(*slot));
    if (!slot) {
        av_free(session);
        return NULL;
    }

    av_strlcpy(session->id, id, sizeof(session->id));
    session->screen = participant->screen;
    session->leave = CALLMIX_NEVER;
    return *slot = session;
}


int
ff_callmix_session_add_chunk(CallMixTimeline *tl, CallMixSession *session,
                             const CallMixChunk *chunk)
{
    CallMixChunk *added;

    added = array_add(tl, &session->chunks, &session->nb_chunks,
                      sizeof(*added));
    if (!added)
        return AVERROR(ENOMEM);

    *added = *chunk;
    added->file = av_strdup(chunk->file);
    return added->file ? 0 : AVERROR(ENOMEM);
}


static CallMixTrack *
find_track(const CallMixSession *session, int number)
{
    for (int i = 0; i < session->nb_tracks; i++) {
        if (session->tracks[i].number == number)
            return &session->tracks[i];
    }

    return NULL;
}


/* Found, or added; NULL: no memory or too many. */
static CallMixTrack *
get_track(CallMixTimeline *tl, CallMixSession *session, int number)
{
    CallMixTrack *track = find_track(session, number);

    if (track || session->nb_tracks >= CALLMIX_MAX_TRACKS)
        return track;

    track = array_add(tl, &session->tracks, &session->nb_tracks,
                      sizeof(*track));
    if (track)
        track->number = number;

    return track;
}


int
ff_callmix_session_add_clock(CallMixTimeline *tl, CallMixSession *session,
                             int number, const CallMixClock *clock)
{
    CallMixTrack *track = get_track(tl, session, number);
    CallMixClock *added;

    if (!track)
        return AVERROR(ENOMEM);

    /* what was said of this and later times before counts no more */

    while (track->nb_clocks > 0
           && track->clocks[track->nb_clocks - 1].media >= clock->media)
    {
        track->nb_clocks--;
        tl->nb_records--;
    }

    added = array_add(tl, &track->clocks, &track->nb_clocks, sizeof(*added));
    if (!added)
        return AVERROR(ENOMEM);

    *added = *clock;
    return 0;
}


int
ff_callmix_session_add_rotation(CallMixTimeline *tl, CallMixSession *session,
                                int number, const CallMixRotation *rotation)
{
    CallMixTrack    *track = get_track(tl, session, number);
    CallMixRotation *added = NULL;

    if (track)
        added = array_add(tl, &track->rotations, &track->nb_rotations,
                          sizeof(*added));
    if (!added)
        return AVERROR(ENOMEM);

    *added = *rotation;
    return 0;
}


int
ff_callmix_session_rotation(const CallMixSession *session, int number,
                            int64_t media)
{
    const CallMixTrack *track = find_track(session, number);

    for (int i = track ? track->nb_rotations - 1 : -1; i >= 0; i--) {
        if (track->rotations[i].media <= media)
            return track->rotations[i].degrees;
    }

    return 0;
}


int64_t
ff_callmix_session_time(const CallMixSession *session, int number,
                        int64_t media)
{
    const CallMixTrack *track = find_track(session, number);
    const CallMixClock *clock;
    int                 low, high, mid;

    if (!track || !track->nb_clocks)
        return media;

    /* the last record that begins at or before media, else the first one */

    low = 0;
    high = track->nb_clocks - 1;

    while (low < high) {
        mid = (low + high + 1) / 2;

        if (track->clocks[mid].media <= media)
            low = mid;
        else
            high = mid - 1;
    }

    clock = &track->clocks[low];

    return media + clock->offset
           + (int64_t)((double)(media - clock->media) * clock->drift_ppb / 1e9);
}


int
ff_callmix_session_add_screen(CallMixTimeline *tl, CallMixSession *session,
                              const char *participant_id, int number)
{
    CallMixParticipant  *p;
    CallMixSession     **slot;
    CallMixTrack        *track = get_track(tl, session, number);

    p = ff_callmix_timeline_participant(tl, participant_id, 1);
    if (!p || !track)
        return AVERROR(ENOMEM);

    track->screen = 1;

    for (int i = 0; i < p->nb_sessions; i++) {
        if (p->sessions[i] == session)
            return 0;
    }

    slot = array_add(tl, &p->sessions, &p->nb_sessions, sizeof(*slot));
    if (!slot)
        return AVERROR(ENOMEM);

    *slot = session;
    return 0;
}


/* Of several layers of a video the largest one. */
int
ff_callmix_chunk_pick(const CallMixParticipant *p,
                      const CallMixSession *session,
                      const CallMixChunk *chunk, CallMixPick *pick)
{
    const CallMixTrack *track;
    int                 screen;

    pick->video = -1;
    pick->audio = -1;

    for (int i = 0; i < chunk->nb_tracks; i++) {
        track = find_track(session, chunk->tracks[i]);
        screen = session->screen || (track && track->screen);

        if (screen != p->screen)
            continue;

        if (!chunk->areas[i]) {
            if (pick->audio < 0)
                pick->audio = i;

        } else if (pick->video < 0
                   || chunk->areas[i] > chunk->areas[pick->video])
        {
            pick->video = i;
        }
    }

    return pick->video >= 0 || pick->audio >= 0;
}


int64_t
ff_callmix_chunk_start(const CallMixSession *session,
                       const CallMixChunk *chunk, const CallMixPick *pick)
{
    int i = pick->video >= 0 ? pick->video : pick->audio;

    return ff_callmix_session_time(session, chunk->tracks[i],
                                   chunk->start_ms * 1000);
}


static int
compare_spans(const void *a, const void *b)
{
    const CallMixSpan *l = a, *r = b;

    return FFDIFFSIGN(l->start, r->start);
}


/* What a participant has of a session; 0: it has no media. */
static int
session_span(const CallMixParticipant *p, const CallMixSession *session,
             CallMixSpan *span)
{
    const CallMixChunk *last = NULL;
    CallMixPick         pick;
    int64_t             end;

    for (int i = 0; i < session->nb_chunks; i++) {
        if (!ff_callmix_chunk_pick(p, session, &session->chunks[i], &pick))
            continue;

        if (!last) {
            span->start = ff_callmix_chunk_start(session, &session->chunks[i],
                                                 &pick);
            span->has_video = pick.video >= 0;
        }

        last = &session->chunks[i];
    }

    if (!last)
        return 0;

    span->end = session->leave;

    if (last->end_ms >= 0) {
        ff_callmix_chunk_pick(p, session, last, &pick);

        end = ff_callmix_chunk_start(session, last, &pick)
              + (last->end_ms - last->start_ms) * 1000;
        span->end = FFMIN(span->end, end + SPAN_LINGER);
    }

    return 1;
}


int
ff_callmix_timeline_update(CallMixTimeline *tl)
{
    CallMixParticipant *p;
    CallMixSpan        *span;
    int                 nb;

    for (int i = 0; i < tl->nb_participants; i++) {
        p = tl->participants[i];

        av_freep(&p->spans);
        p->nb_spans = 0;

        if (!p->nb_sessions)
            continue;

        p->spans = av_calloc(p->nb_sessions, sizeof(*p->spans));
        if (!p->spans)
            return AVERROR(ENOMEM);

        nb = 0;

        for (int j = 0; j < p->nb_sessions; j++)
            nb += session_span(p, p->sessions[j], &p->spans[nb]);

        qsort(p->spans, nb, sizeof(*p->spans), compare_spans);

        for (int j = 0; j < nb; j++) {
            span = p->nb_spans ? &p->spans[p->nb_spans - 1] : NULL;

            if (span && (span->end == CALLMIX_NEVER
                         || p->spans[j].start - span->end < SPAN_MERGE))
            {
                span->end = FFMAX(span->end == CALLMIX_NEVER ? 0 : span->end,
                                  p->spans[j].end);
                continue;
            }

            p->spans[p->nb_spans++] = p->spans[j];
        }
    }

    return 0;
}
