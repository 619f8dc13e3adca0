
/*
 * Copyright (C) The call recorder authors
 *
 * What is known of one recording, and how it may change.  Plain data
 * without pointers: it lives in shared memory.  All `_ms` are recording time
 * (docs/on-disk.md) unless they are called `_at`: milliseconds since 1970.
 */

#ifndef CR_RECORDING_H
#define CR_RECORDING_H


#include "base/env.h"
#include "base/status.h"
#include "recording/journal.h"

#include <stdbool.h>
#include <stdint.h>


#define CR_RECORDING_PARTICIPANTS   64
#define CR_RECORDING_SESSIONS       64    /* that write at the same time */
#define CR_RECORDING_INTERRUPTIONS  32
#define CR_RECORDING_OUTPUTS        8

/* recording.json is never longer. */
#define CR_RECORDING_STATUS_MAX     (128 * 1024)


typedef enum {
    CR_RECORDING_STARTING = 1,    /* no media yet */
    CR_RECORDING_RECORDING,
    CR_RECORDING_PAUSED,
    CR_RECORDING_RECOVERING,      /* after a restart, no media yet */
    CR_RECORDING_STOPPING,        /* what is held is written */
    CR_RECORDING_PROCESSING,
    CR_RECORDING_UPLOADING,
    CR_RECORDING_COMPLETED,
    CR_RECORDING_FAILED,
    CR_RECORDING_ABORTED,         /* discarded */
    CR_RECORDING_EXPIRED,
    CR_RECORDING_DELETED
} cr_recording_status_e;


typedef struct {
    char      id[CR_JOURNAL_ID_SIZE];
    char      name[CR_JOURNAL_NAME_SIZE];
    char      consent[CR_JOURNAL_WORD_SIZE];   /* "": unknown */
    uint8_t   camera;                          /* its layers, 0: none */
    uint8_t   screen;
    int64_t   join_ms;
    int64_t   leave_ms;                        /* -1: is there */
} cr_participant_t;


/* Totals of one session, or of all that are over. */
typedef struct {
    uint64_t  stored;                          /* bytes, durable */
    uint64_t  received;                        /* bytes */
    uint64_t  packets;
    uint64_t  lost;
    uint64_t  recovered;
    uint64_t  given_up;
} cr_recording_totals_t;


/* Somebody who writes into the recording right now. */
typedef struct {
    char                   id[CR_JOURNAL_ID_SIZE];
    uint32_t               participant;        /* index */
    int32_t                worker;             /* pid */
    int64_t                last_media_ms;
    cr_recording_totals_t  totals;
} cr_recording_session_t;


typedef struct {
    char     kind[CR_JOURNAL_WORD_SIZE];
    char     participant_id[CR_JOURNAL_ID_SIZE];
    int64_t  from_ms;
    int64_t  to_ms;
} cr_interruption_t;


typedef struct {
    char     kind[CR_JOURNAL_WORD_SIZE];       /* composite, ... */
    char     participant_id[CR_JOURNAL_ID_SIZE];
    char     format[CR_JOURNAL_WORD_SIZE];
    char     codec[CR_JOURNAL_WORD_SIZE];
    int64_t  width;
    int64_t  height;
    int64_t  size_bytes;
    int64_t  duration_ms;
    char     location[CR_JOURNAL_LOCATION_SIZE];
    char     sha256[CR_JOURNAL_DIGEST_SIZE];
} cr_output_t;


typedef struct {
    char  code[CR_JOURNAL_WORD_SIZE];          /* "": no error */
    char  message[CR_JOURNAL_MESSAGE_SIZE];
    char  stage[CR_JOURNAL_WORD_SIZE];
    bool  retryable;
} cr_recording_error_t;


/* The attempt to make the outputs that is under way. */
typedef struct {
    uint32_t  attempt;                         /* 1.., 0: none yet */
    int32_t   pid;                             /* 0: none */
    int64_t   started_ms;
    int64_t   heartbeat_ms;
    int64_t   out_time_ms;                     /* output written so far */
    char      token[CR_JOURNAL_DIGEST_SIZE];   /* "": no attempt runs */
    bool      handed;                          /* its result is uploaded */
    int64_t   handed_ms;                       /* since */
    uint64_t  handed_bytes;                    /* uploaded by then */
} cr_recording_job_t;


typedef struct {
    char                    recording_id[CR_JOURNAL_ID_SIZE];
    char                    call_id[CR_JOURNAL_ID_SIZE];
    char                    mode[CR_JOURNAL_WORD_SIZE];
    char                    layout[CR_JOURNAL_WORD_SIZE];
    char                    started_by[CR_JOURNAL_NAME_SIZE];
    char                    end_reason[CR_JOURNAL_WORD_SIZE];
    char                    idempotency_key[CR_JOURNAL_KEY_SIZE];
    char                    request_digest[CR_JOURNAL_DIGEST_SIZE];

    cr_recording_status_e   status;
    bool                    discard;           /* stop keeps nothing */
    int64_t                 rev;
    int64_t                 chunk_ms;
    int64_t                 created_at;
    int64_t                 first_media_ms;    /* -1: none came */
    int64_t                 last_media_ms;     /* -1 */
    int64_t                 stopped_ms;        /* -1: not stopped */
    int64_t                 completed_ms;      /* -1: not at its end */
    int64_t                 active_ms;         /* last sign of a publisher */

    uint32_t                nparticipants;
    uint32_t                nsessions;
    uint32_t                ninterruptions;
    uint32_t                noutputs;

    cr_recording_totals_t   totals;            /* of sessions that left */
    uint64_t                bytes_uploaded;
    int32_t                 pct;               /* of the stage, in 1/100 */
    int64_t                 eta_ms;            /* -1: unknown */
    int64_t                 cpu_ms;            /* -1: unknown */

    cr_recording_job_t      job;
    cr_recording_error_t    error;

    cr_recording_session_t  sessions[CR_RECORDING_SESSIONS];
    cr_participant_t        participants[CR_RECORDING_PARTICIPANTS];
    cr_interruption_t       interruptions[CR_RECORDING_INTERRUPTIONS];
    cr_output_t             outputs[CR_RECORDING_OUTPUTS];
} cr_recording_t;


/*
 * Every change takes the recording time and makes rev larger: by one, and to
 * at least that time, so that it never falls back when a recording is
 * brought back from a journal that does not have the last changes.
 */

/* "rec_" and a ULID in lower case: ids sort by the time they were made. */
void cr_recording_make_id(const cr_env_t *env, int64_t wall_ms,
    char id[CR_JOURNAL_ID_SIZE]);

/* As it begins, from a `start` record. */
void cr_recording_init(cr_recording_t *rec,
    const cr_journal_start_t *start);

/* CR_DECLINED: there is no way from this status to that one. */
cr_status_e cr_recording_transition(cr_recording_t *rec,
    cr_recording_status_e status, int64_t now_ms);

/* Takes media: starting, recording, paused, recovering. */
bool cr_recording_is_active(const cr_recording_t *rec);
bool cr_recording_status_is_active(cr_recording_status_e status);

/* Nothing happens any more but deletion. */
bool cr_recording_is_ended(const cr_recording_t *rec);

/*
 * A session begins to write; a participant who was there before comes back
 * in the old place.  CR_DECLINED: it takes no media; CR_LIMIT: too many.
 */
cr_status_e cr_recording_join(cr_recording_t *rec,
    const cr_journal_join_t *join, int32_t worker, int64_t now_ms);

/* One of a session's tracks: what videos its participant has. */
void cr_recording_track(cr_recording_t *rec,
    const cr_journal_track_t *track);

/* CR_DECLINED: no such session. */
cr_status_e cr_recording_progress(cr_recording_t *rec,
    const char *session_id, int64_t last_media_ms,
    const cr_recording_totals_t *totals, int64_t now_ms);
cr_status_e cr_recording_leave(cr_recording_t *rec, const char *session_id,
    int64_t last_media_ms, int64_t now_ms);

/* How many participants write right now. */
unsigned cr_recording_publishers(const cr_recording_t *rec);

cr_recording_session_t *cr_recording_session(cr_recording_t *rec,
    const char *session_id);

/* Media is in a chunk: starting and recovering become recording. */
void cr_recording_first_media(cr_recording_t *rec, int64_t media_ms,
    int64_t now_ms);

/* Active becomes stopping; CR_DECLINED: it is not active. */
cr_status_e cr_recording_stop(cr_recording_t *rec, const char *end_reason,
    bool discard, int64_t now_ms);

/* The oldest ones are kept when there are too many. */
void cr_recording_interrupt(cr_recording_t *rec,
    const cr_journal_interruption_t *interruption, int64_t now_ms);

/* Replaces an output of the same kind and participant.  CR_LIMIT. */
cr_status_e cr_recording_output(cr_recording_t *rec,
    const cr_output_t *output, int64_t now_ms);

void cr_recording_set_error(cr_recording_t *rec,
    const cr_journal_error_t *error, int64_t now_ms);

/* Output written so far; percent and ETA follow from it. */
void cr_recording_job_progress(cr_recording_t *rec, int64_t out_time_ms,
    uint64_t bytes_uploaded, int64_t now_ms);

/* So much of a result of this size (0: not known) is in the store. */
void cr_recording_upload_progress(cr_recording_t *rec, uint64_t bytes,
    uint64_t size, int64_t now_ms);

/* CPU time of a process that worked for it. */
void cr_recording_add_cpu(cr_recording_t *rec, int64_t cpu_ms,
    int64_t now_ms);

/* Of the whole: sessions that left and sessions that write. */
void cr_recording_totals(const cr_recording_t *rec,
    cr_recording_totals_t *totals);

/* First to last media; -1: none came. */
int64_t cr_recording_duration_ms(const cr_recording_t *rec);

const char *cr_recording_status_name(cr_recording_status_e status);

/* 0: no such status. */
cr_recording_status_e cr_recording_status_find(const char *name);


/*
 * One record of the journal applied to what the records before it made; the
 * first must be `start`.  CR_INVALID: it cannot follow them; the model is
 * unchanged then.  Sessions without `leave` stay, with worker 0.
 */
cr_status_e cr_recording_replay(cr_recording_t *rec,
    const cr_journal_record_t *record);

/* A whole journal; lines that are damaged or unknown are skipped and
 * counted.  CR_INVALID: there is no `start` in it; CR_NOMEM. */
cr_status_e cr_recording_replay_journal(cr_recording_t *rec,
    const char *journal, size_t len, unsigned *skipped, int64_t *last_ms);


/* The status as clients and recording.json have it, from the env's memory;
 * NULL: no memory. */
char *cr_recording_status_json(const cr_env_t *env,
    const cr_recording_t *rec);

/* What stays of a deleted recording: its ids, `deleted` and rev. */
char *cr_recording_tombstone_json(const cr_env_t *env,
    const cr_recording_t *rec);

/* Reads status and rev back from either. */
cr_status_e cr_recording_status_parse(const char *json, size_t len,
    cr_recording_status_e *status, int64_t *rev);


#endif /* CR_RECORDING_H */
