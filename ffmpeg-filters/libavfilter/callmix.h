/*
 * Copyright (C) The call recorder authors
 *
 * callmix: the timeline of a recording as its journal tells it, and the
 * sources, the picture and the sound that are made from it.  See
 * docs/callmix.md, and docs/on-disk.md for the folder that is read.
 *
 * All times are recording time in microseconds unless a name says otherwise.
 */

#ifndef AVFILTER_CALLMIX_H
#define AVFILTER_CALLMIX_H


#include <stdint.h>

#include "libavcodec/packet.h"
#include "libavutil/frame.h"
#include "libavutil/rational.h"

#include "avfilter.h"
#include "callmix_folder.h"


#define CALLMIX_ID_MAX          64
#define CALLMIX_NEVER           INT64_MAX


/* ---- the timeline (callmix_timeline.c) ---- */

/* recording time = media time + offset + drift * (media time - media) */
typedef struct CallMixClock {
    int64_t     media;
    int64_t     offset;
    int64_t     drift_ppb;
} CallMixClock;


/* From this media time on the picture is to be turned. */
typedef struct CallMixRotation {
    int64_t     media;
    int         degrees;                /* clockwise: 0, 90, 180, 270 */
} CallMixRotation;


typedef struct CallMixTrack {
    int                 number;         /* Matroska track number */
    CallMixClock       *clocks;         /* ascending by media */
    int                 nb_clocks;
    int                 screen;         /* a video that is no camera's */
    CallMixRotation    *rotations;      /* as they came */
    int                 nb_rotations;
} CallMixTrack;


#define CALLMIX_MAX_TRACKS      32

typedef struct CallMixChunk {
    char       *file;                   /* relative to the folder */
    int         number;
    int         tracks[CALLMIX_MAX_TRACKS];     /* their numbers, in order */
    int         areas[CALLMIX_MAX_TRACKS];      /* of pictures; 0: sound */
    int         nb_tracks;
    int64_t     start_ms;               /* media time */
    int64_t     end_ms;                 /* -1: not closed */
    int64_t     size;                   /* in bytes; -1: not known */
} CallMixChunk;


typedef struct CallMixSession {
    char            id[CALLMIX_ID_MAX + 1];
    int64_t         join;
    int64_t         leave;              /* CALLMIX_NEVER: not known */
    int             screen;             /* all of it is a screen's */
    CallMixTrack   *tracks;
    int             nb_tracks;
    CallMixChunk   *chunks;
    int             nb_chunks;
} CallMixSession;


/* When somebody can be seen or heard. */
typedef struct CallMixSpan {
    int64_t     start;
    int64_t     end;                    /* CALLMIX_NEVER: until the media end */
    int         has_video;              /* the first chunk has pictures */
} CallMixSpan;


/*
 * Somebody, or somebody's screen: the sessions that are a screen's, and the
 * videos of others that are.
 */
typedef struct CallMixParticipant {
    char                id[CALLMIX_ID_MAX + 1];
    int                 screen;
    char               *name;
    CallMixSession    **sessions;
    int                 nb_sessions;
    CallMixSpan        *spans;
    int                 nb_spans;
} CallMixParticipant;


typedef struct CallMixTimeline {
    CallMixParticipant    **participants;
    int                     nb_participants;
    int64_t                 stop;       /* CALLMIX_NEVER: not stopped */
    int                     nb_records; /* that were kept, of all kinds */
} CallMixTimeline;


void ff_callmix_timeline_init(CallMixTimeline *tl);
void ff_callmix_timeline_uninit(CallMixTimeline *tl);

/* What a participant takes of a chunk: numbers in its tracks; -1: none. */
typedef struct CallMixPick {
    int         video;
    int         audio;
} CallMixPick;


/* Found, or added; NULL: no memory or too many. */
CallMixParticipant *ff_callmix_timeline_participant(CallMixTimeline *tl,
                                                    const char *id,
                                                    int screen);
CallMixSession *ff_callmix_timeline_session(CallMixTimeline *tl,
                                            CallMixParticipant *participant,
                                            const char *id);

/* Only found. */
CallMixSession *ff_callmix_timeline_find_session(CallMixTimeline *tl,
                                                 const char *id);

/* A video of the session is the screen of its participant. */
int ff_callmix_session_add_screen(CallMixTimeline *tl, CallMixSession *session,
                                  const char *participant_id, int track);

/* 0: nothing of this chunk. */
int ff_callmix_chunk_pick(const CallMixParticipant *participant,
                          const CallMixSession *session,
                          const CallMixChunk *chunk, CallMixPick *pick);

/* When the chunk begins for who takes this of it, in recording time. */
int64_t ff_callmix_chunk_start(const CallMixSession *session,
                               const CallMixChunk *chunk,
                               const CallMixPick *pick);

int ff_callmix_session_add_chunk(CallMixTimeline *tl, CallMixSession *session,
                                 const CallMixChunk *chunk);
int ff_callmix_session_add_clock(CallMixTimeline *tl, CallMixSession *session,
                                 int track, const CallMixClock *clock);

int ff_callmix_session_add_rotation(CallMixTimeline *tl,
                                    CallMixSession *session, int track,
                                    const CallMixRotation *rotation);

/* How a picture is to be turned, in degrees clockwise. */
int ff_callmix_session_rotation(const CallMixSession *session, int track,
                                int64_t media);

/* Media time to recording time. */
int64_t ff_callmix_session_time(const CallMixSession *session, int track,
                                int64_t media);

/* Works out the spans of all participants after records were added. */
int ff_callmix_timeline_update(CallMixTimeline *tl);


/* ---- the journal (callmix_journal.c) ---- */

typedef struct CallMixJournal CallMixJournal;

int ff_callmix_journal_open(CallMixJournal **journal, CallMixFolder *folder,
                            void *log_ctx);

/* Takes in the complete lines that came since the last call. */
int ff_callmix_journal_read(CallMixJournal *journal, CallMixTimeline *tl);

void ff_callmix_journal_close(CallMixJournal **journal);


/* ---- the media of one participant (callmix_source.c) ---- */

typedef struct CallMixSource CallMixSource;

/* Starts the thread that reads and decodes; participant, folder outlive it. */
int ff_callmix_source_start(CallMixSource **source,
                            const CallMixParticipant *participant,
                            CallMixFolder *folder, int sample_rate,
                            void *log_ctx);

void ff_callmix_source_free(CallMixSource **source);

/*
 * Moves the newest picture of up to time into frame and returns 1; 0: nothing
 * new since the last call.  Waits for the decoder.
 */
int ff_callmix_source_video(CallMixSource *source, int64_t time,
                            AVFrame *frame);

/* The time of the next picture, or CALLMIX_NEVER: none until limit. */
int64_t ff_callmix_source_next_video(CallMixSource *source, int64_t limit);

/*
 * Adds the samples [pos, pos + nb_samples) to the left and right of dst; sample
 * 0 is at recording time 0.  Waits for the decoder; calls go forwards only.
 */
void ff_callmix_source_audio(CallMixSource *source, int64_t pos,
                             int nb_samples, float *const dst[2]);

/* An error that ended the thread: what it gave since is not the recording. */
int ff_callmix_source_error(CallMixSource *source);

/* Where the media end, or CALLMIX_NEVER: there is more to come. */
int64_t ff_callmix_source_end(CallMixSource *source);


/* ---- places on the canvas (callmix_layout.c) ---- */

typedef struct CallMixRect {
    int     x;
    int     y;
    int     w;
    int     h;
} CallMixRect;


/* nb tiles of the best-fitting grid, as even numbers of pixels. */
void ff_callmix_layout_grid(CallMixRect *tiles, int nb, int w, int h, int gap);

/* The picture of w:h, centred in tile and as large as fits. */
CallMixRect ff_callmix_layout_fit(const CallMixRect *tile, int w, int h,
                                  AVRational sar);


/* ---- the picture (callmix_video.c) ---- */

typedef struct CallMixVideo CallMixVideo;

int ff_callmix_video_alloc(CallMixVideo **video, AVFilterContext *ctx,
                           int w, int h, int gap, const uint8_t background[4],
                           const uint8_t tile[4]);
void ff_callmix_video_free(CallMixVideo **video);

/* Who is shown from now on, in order; keys tell people apart. */
int ff_callmix_video_layout(CallMixVideo *video, const void *const *keys,
                            int nb);

/* Says by its metadata how a packet's picture is to be turned. */
int ff_callmix_video_set_rotation(AVPacket *pkt, int degrees);

/* A new picture for one of them; its content is moved. */
void ff_callmix_video_picture(CallMixVideo *video, const void *key,
                              AVFrame *picture);

/* The canvas as a frame to send, by reference; not to be written to. */
int ff_callmix_video_frame(CallMixVideo *video, AVFrame **frame);


/* ---- the sound (callmix_limiter.c) ---- */

typedef struct CallMixLimiter CallMixLimiter;

/* ceiling: the peak that is never exceeded, 1.0 is full scale. */
int ff_callmix_limiter_alloc(CallMixLimiter **limiter, int sample_rate,
                             float ceiling);
void ff_callmix_limiter_free(CallMixLimiter **limiter);

/* The samples that it looks ahead: what comes out is that much late. */
int ff_callmix_limiter_delay(const CallMixLimiter *limiter);

/* In place, left and right with one gain. */
void ff_callmix_limiter_run(CallMixLimiter *limiter, float *const data[2],
                            int nb_samples);


#endif /* AVFILTER_CALLMIX_H */
