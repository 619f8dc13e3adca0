
/*
 * Copyright (C) The call recorder authors
 *
 * The records of journal.ndjson (docs/on-disk.md), written and read by one
 * table: what is formatted here is what is parsed here.
 */

#ifndef CR_JOURNAL_H
#define CR_JOURNAL_H


#include "base/env.h"
#include "base/media.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>


#define CR_JOURNAL_ID_SIZE        65      /* CR_ID_MAX and the NUL */
#define CR_JOURNAL_NAME_SIZE      129     /* CR_NAME_MAX and the NUL */
#define CR_JOURNAL_WORD_SIZE      33      /* mode, reason, stage, ... */
#define CR_JOURNAL_KEY_SIZE       129
#define CR_JOURNAL_FILE_SIZE      256
#define CR_JOURNAL_MESSAGE_SIZE   513
#define CR_JOURNAL_LOCATION_SIZE  513
#define CR_JOURNAL_DIGEST_SIZE    65      /* SHA-256 in hex */
#define CR_JOURNAL_TRACKS         CR_TRACK_MAX

#define CR_JOURNAL_VERSION        1

/* No record is longer; what is longer in a file is no record of ours. */
#define CR_JOURNAL_LINE_MAX       16384

/* "2026-11-22T18:50:00.123Z" and the NUL. */
#define CR_JOURNAL_AT_SIZE        25


typedef enum {
    CR_JOURNAL_UNKNOWN = 0,          /* of a later version: skip it */
    CR_JOURNAL_START,
    CR_JOURNAL_STATE,
    CR_JOURNAL_JOIN,
    CR_JOURNAL_TRACK,
    CR_JOURNAL_CHUNK_OPEN,
    CR_JOURNAL_CHUNK_CLOSE,
    CR_JOURNAL_CLOCK,
    CR_JOURNAL_GAP,
    CR_JOURNAL_LEAVE,
    CR_JOURNAL_INTERRUPTION,
    CR_JOURNAL_STOP,
    CR_JOURNAL_JOB,
    CR_JOURNAL_OUTPUT,
    CR_JOURNAL_ERROR,
    CR_JOURNAL_DELETE,
    CR_JOURNAL_ROTATION,
    CR_JOURNAL_LEVEL
} cr_journal_ev_e;


typedef struct {
    int64_t  v;                                     /* CR_JOURNAL_VERSION */
    char     recording_id[CR_JOURNAL_ID_SIZE];
    char     call_id[CR_JOURNAL_ID_SIZE];
    char     mode[CR_JOURNAL_WORD_SIZE];
    char     layout[CR_JOURNAL_WORD_SIZE];
    char     started_by[CR_JOURNAL_NAME_SIZE];
    int64_t  chunk_ms;
    int64_t  created_at;                            /* ms since 1970 */
    char     idempotency_key[CR_JOURNAL_KEY_SIZE];  /* "": none */
    char     request_digest[CR_JOURNAL_DIGEST_SIZE];
} cr_journal_start_t;

typedef struct {
    char     status[CR_JOURNAL_WORD_SIZE];
    int64_t  rev;
} cr_journal_state_t;

typedef struct {
    char  participant_id[CR_JOURNAL_ID_SIZE];
    char  name[CR_JOURNAL_NAME_SIZE];
    char  session_id[CR_JOURNAL_ID_SIZE];
    char  role[CR_JOURNAL_WORD_SIZE];               /* "screen", or "" */
} cr_journal_join_t;

typedef struct {
    char     participant_id[CR_JOURNAL_ID_SIZE];
    char     session_id[CR_JOURNAL_ID_SIZE];
    int64_t  track;                                 /* Matroska, 1.. */
    uint8_t  kind;                                  /* cr_kind_e */
    uint8_t  codec;                                 /* cr_codec_e */
    int64_t  clock_rate;
    int64_t  channels;
    char     role[CR_JOURNAL_WORD_SIZE];            /* video: camera, screen */
    char     mid[CR_MID_MAX + 1];                   /* "": none */
    char     rid[CR_RID_MAX + 1];                   /* "": none */
    int64_t  layer;                                 /* 1.., 0: the only one */
} cr_journal_track_t;

typedef struct {
    int64_t  track;
    uint8_t  kind;                                  /* cr_kind_e */
    uint8_t  codec;                                 /* cr_codec_e */
    int64_t  width;                                 /* 0: left out */
    int64_t  height;
} cr_journal_chunk_track_t;

typedef struct {
    char                      participant_id[CR_JOURNAL_ID_SIZE];
    char                      session_id[CR_JOURNAL_ID_SIZE];
    int64_t                   chunk;                /* 1.. */
    char                      file[CR_JOURNAL_FILE_SIZE];
    int64_t                   start_ms;
    unsigned                  ntracks;
    cr_journal_chunk_track_t  tracks[CR_JOURNAL_TRACKS];
} cr_journal_chunk_open_t;

typedef struct {
    char     participant_id[CR_JOURNAL_ID_SIZE];
    char     session_id[CR_JOURNAL_ID_SIZE];
    int64_t  chunk;
    int64_t  start_ms;
    int64_t  end_ms;
    int64_t  size_bytes;
    int64_t  frames;
} cr_journal_chunk_close_t;

typedef struct {
    char     session_id[CR_JOURNAL_ID_SIZE];
    int64_t  track;
    int64_t  media_us;
    int64_t  offset_us;
    int64_t  drift_ppb;
    bool     from_sr;
} cr_journal_clock_t;

typedef struct {
    char     session_id[CR_JOURNAL_ID_SIZE];
    int64_t  track;
    int64_t  from_ms;
    int64_t  to_ms;
    int64_t  packets;
    char     reason[CR_JOURNAL_WORD_SIZE];          /* lost, buffer, .. */
} cr_journal_gap_t;

typedef struct {
    char     session_id[CR_JOURNAL_ID_SIZE];
    int64_t  track;
    int64_t  from_ms;                               /* media time */
    int64_t  degrees;                               /* clockwise */
} cr_journal_rotation_t;

typedef struct {
    char     session_id[CR_JOURNAL_ID_SIZE];
    int64_t  track;
    int64_t  from_ms;                               /* media time */
    int64_t  to_ms;
    int64_t  level;                                 /* the loudest, dBov */
    int64_t  voice_ms;
} cr_journal_level_t;

typedef struct {
    char  participant_id[CR_JOURNAL_ID_SIZE];
    char  session_id[CR_JOURNAL_ID_SIZE];
    char  reason[CR_JOURNAL_WORD_SIZE];
} cr_journal_leave_t;

typedef struct {
    char     kind[CR_JOURNAL_WORD_SIZE];            /* worker, nginx, mix */
    int64_t  from_ms;
    int64_t  to_ms;
    char     participant_id[CR_JOURNAL_ID_SIZE];    /* "": all */
} cr_journal_interruption_t;

typedef struct {
    char     end_reason[CR_JOURNAL_WORD_SIZE];
    int64_t  stopped_ms;
    int64_t  first_media_ms;                        /* -1: none came */
} cr_journal_stop_t;

typedef struct {
    int64_t  attempt;
    char     action[CR_JOURNAL_WORD_SIZE];          /* start, fail, done */
    int64_t  pid;                                   /* 0: left out */
    char     error[CR_JOURNAL_MESSAGE_SIZE];
} cr_journal_job_t;

typedef struct {
    char     kind[CR_JOURNAL_WORD_SIZE];            /* composite, ... */
    char     participant_id[CR_JOURNAL_ID_SIZE];    /* "": all */
    char     format[CR_JOURNAL_WORD_SIZE];
    char     codec[CR_JOURNAL_WORD_SIZE];
    int64_t  width;
    int64_t  height;
    int64_t  size_bytes;
    int64_t  duration_ms;
    char     location[CR_JOURNAL_LOCATION_SIZE];
    char     sha256[CR_JOURNAL_DIGEST_SIZE];
} cr_journal_output_t;

typedef struct {
    char  code[CR_JOURNAL_WORD_SIZE];
    char  message[CR_JOURNAL_MESSAGE_SIZE];
    char  stage[CR_JOURNAL_WORD_SIZE];
    bool  retryable;
} cr_journal_error_t;


typedef struct {
    cr_journal_ev_e  ev;
    int64_t          t_ms;                          /* recording time */
    int64_t          at_ms;                         /* wall, since 1970 */
    union {
        cr_journal_start_t         start;
        cr_journal_state_t         state;
        cr_journal_join_t          join;
        cr_journal_track_t         track;
        cr_journal_chunk_open_t    chunk_open;
        cr_journal_chunk_close_t   chunk_close;
        cr_journal_clock_t         clock;
        cr_journal_gap_t           gap;
        cr_journal_rotation_t      rotation;
        cr_journal_level_t         level;
        cr_journal_leave_t         leave;
        cr_journal_interruption_t  interruption;
        cr_journal_stop_t          stop;
        cr_journal_job_t           job;
        cr_journal_output_t        output;
        cr_journal_error_t         error;
    };
} cr_journal_record_t;


/*
 * One record as a line of JSON, NUL-terminated, without the newline, from
 * the env's memory (cr_free()); NULL: no memory, or the record is longer than
 * CR_JOURNAL_LINE_MAX.  Strings that are no UTF-8 are mended.
 */
char *cr_journal_format(const cr_env_t *env, const cr_journal_record_t *rec);

/*
 * One line (without its newline) into rec.  CR_OK, also for an unknown event
 * (ev is CR_JOURNAL_UNKNOWN); CR_INVALID: no JSON object, a member that the
 * event must have is missing or of a wrong type, an id that is no id;
 * CR_LIMIT: too long; CR_NOMEM.
 */
cr_status_e cr_journal_parse(const char *line, size_t len,
    cr_journal_record_t *rec);

/*
 * What a session's peer tells of a track's clock, or of packets that it gave
 * up, into rec->clock or rec->gap but for session and track; t0_us is the
 * recording's zero on the local monotonic clock.  false: that gap was over
 * before the recording began.
 */
void cr_journal_clock(cr_journal_record_t *rec,
    const cr_clock_event_t *event, int64_t t0_us);
bool cr_journal_gap(cr_journal_record_t *rec, const cr_gap_event_t *event,
    int64_t t0_us);

/* RFC 3339, UTC, milliseconds: "2026-11-22T18:50:00.123Z". */
void cr_journal_time_format(int64_t at_ms, char at[CR_JOURNAL_AT_SIZE]);

/* The reverse, of exactly that form; CR_INVALID otherwise. */
cr_status_e cr_journal_time_parse(const char *at, size_t len,
    int64_t *at_ms);


#endif /* CR_JOURNAL_H */
