
/*
 * Copyright (C) The call recorder authors
 *
 * Uploads of results to S3, while they come in and after.  One worker does
 * it for a recording; when it dies or leaves, another one goes on
 * (docs/s3-upload.md).
 */

#ifndef _NGX_RECORDING_UPLOAD_H_INCLUDED_
#define _NGX_RECORDING_UPLOAD_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>
#include <ngx_thread_pool.h>

#include "job/upload.h"
#include "ngx_recording_store.h"
#include "s3/multipart.h"


/* callrec writes nothing else, and the key is needed before it is told. */
#define NGX_RECORDING_UPLOAD_NAME  "composite.mp4"

#define NGX_RECORDING_UPLOAD_PATH_MAX                                         \
    (NGX_RECORDING_STORE_DIR_MAX + 2 * CR_ID_MAX)

#define NGX_RECORDING_UPLOAD_BEAT  1000    /* ms; looks at the table */

#define NGX_RECORDING_KEEP_CHUNKS  0
#define NGX_RECORDING_KEEP_ALL     1


/* Of the location with recording_store s3. */
struct ngx_recording_s3_conf_s {
    ngx_http_conf_ctx_t  *ctx;
    void                **loc_conf;
    ngx_str_t             location;       /* its name, ends in '/' */
    ngx_str_t             prefix;         /* of keys; "" or ends in '/' */
    size_t                part_size;
    ngx_uint_t            parallel;
};


typedef enum {
    NGX_RECORDING_UPLOAD_IDLE = 0,
    NGX_RECORDING_UPLOAD_OPEN,            /* the file, what is noted */
    NGX_RECORDING_UPLOAD_SCAN,            /* what is new in the ledger */
    NGX_RECORDING_UPLOAD_DIGEST,          /* a part's MD5 */
    NGX_RECORDING_UPLOAD_NOTE,            /* the UploadId */
    NGX_RECORDING_UPLOAD_FORGET           /* it, and files by keep_local */
} ngx_recording_upload_work_e;


/* One thing that a thread does; it uses nothing else of the upload. */
typedef struct {
    ngx_recording_upload_work_e  what;
    ngx_int_t                    rc;
    ngx_err_t                    err;
    const char                  *failed;        /* the call that did */

    u_char                       part[NGX_RECORDING_UPLOAD_PATH_MAX];
    u_char                       ledger[NGX_RECORDING_UPLOAD_PATH_MAX];
    u_char                       note[NGX_RECORDING_UPLOAD_PATH_MAX];
    u_char                       final[NGX_RECORDING_UPLOAD_PATH_MAX];

    ngx_fd_t                     fd;            /* of part, then final */
    ngx_uint_t                   no_file;       /* OPEN: the note alone */
    ngx_uint_t                   remove;        /* FORGET: final, too */
    cr_upload_note_t             noted;         /* OPEN, NOTE */
    ngx_uint_t                   has_note;      /* OPEN */
    off_t                        pos;           /* SCAN: of the ledger */
    cr_cover_t                   cover;
    uint32_t                     number;        /* DIGEST */
    uint64_t                     offset;
    uint64_t                     size;
    uint8_t                      md5[16];
} ngx_recording_upload_work_t;


typedef struct {
    ngx_queue_t                  queue;
    ngx_pool_t                  *pool;
    ngx_recording_ref_t          ref;
    ngx_uint_t                   attempt;
    const ngx_recording_s3_conf_t  *conf;

    cr_s3_multipart_t           *multipart;
    cr_s3_plan_t                 plan;
    ngx_str_t                    key;
    ngx_file_t                   file;
    ngx_event_t                  timer;
    ngx_uint_t                   calls;         /* under way */
    ngx_thread_task_t           *task;
    ngx_recording_upload_work_t *work;

    cr_cover_t                   cover;
    off_t                        ledger;        /* read up to here */
    uint32_t                     low;           /* all below are prepared */
    uint32_t                     media;         /* next behind the head */
    u_char                       prepared[CR_S3_PART_NUMBER_MAX / 8 + 1];
    char                         noted[CR_S3_UPLOAD_ID_MAX + 1];

    cr_output_t                  output;        /* when it is handed in */
    char                         trouble[160];  /* the last one */
    u_char                       url[CR_JOURNAL_LOCATION_SIZE];

    unsigned                     opened:1;
    unsigned                     kicked:1;      /* look at the ledger */
    unsigned                     handed:1;
    unsigned                     whole:1;       /* was, when it was opened */
    unsigned                     ended:1;       /* told the size */
    unsigned                     dormant:1;     /* failed, the mix goes on */
    unsigned                     abandoned:1;   /* not wanted any more */
    unsigned                     aborting:1;
    unsigned                     finished:1;    /* but for its files */
    unsigned                     over:1;
} ngx_recording_upload_t;


/* ---- ngx_recording_upload.c ---- */

/*
 * More has come of the attempt's result, or it may be that nobody uploads
 * it; in any worker.
 */
void ngx_recording_upload_kick(const ngx_recording_ref_t *ref,
    ngx_uint_t attempt);

/* What was begun for an attempt that came to nothing is aborted. */
void ngx_recording_upload_abandon(const ngx_recording_ref_t *ref,
    ngx_uint_t attempt);

/* Does what is due. */
void ngx_recording_upload_run(ngx_recording_upload_t *up);

/* A multipart, of an upload that is resumed if id is not NULL. */
ngx_int_t ngx_recording_upload_begin(ngx_recording_upload_t *up,
    const char *id);

/* It has failed; the caller returns to ngx_recording_upload_run(). */
void ngx_recording_upload_give_up(ngx_recording_upload_t *up,
    const char *code, const char *message);

/* For the log and the status. */
void ngx_recording_upload_trouble(ngx_recording_upload_t *up,
    const char *fmt, ...);


/* ---- ngx_recording_upload_parts.c ---- */

/* Begins what is due on disk, if nothing is under way there. */
void ngx_recording_upload_work(ngx_recording_upload_t *up);
ngx_int_t ngx_recording_upload_post(ngx_recording_upload_t *up,
    ngx_recording_upload_work_e what);

/* A part that is whole and has no digest yet; 0: none. */
uint32_t ngx_recording_upload_next(ngx_recording_upload_t *up);

/* All have one, and the result's size is known. */
void ngx_recording_upload_end(ngx_recording_upload_t *up);


/* ---- ngx_recording_upload_call.c ---- */

/* Sends what is to be done; the multipart is told what came of it. */
void ngx_recording_upload_call(ngx_recording_upload_t *up,
    const cr_s3_action_t *action);


/* ---- ngx_recording_upload_disk.c ---- */

/* Handlers of a task whose context is the work. */
void ngx_recording_upload_thread(void *data, ngx_log_t *log);

/* The names of what belongs to an attempt. */
void ngx_recording_upload_paths(ngx_recording_upload_work_t *work,
    const ngx_recording_ref_t *ref, ngx_uint_t attempt);


/* ---- ngx_recording_upload_state.c: the table ---- */

/* Whether a worker that lives uploads it. */
ngx_uint_t ngx_recording_upload_taken(const ngx_recording_ref_t *ref);

/*
 * This worker uploads.  NGX_BUSY: another one does; NGX_DECLINED: there is
 * nothing to be uploaded of that attempt.
 */
ngx_int_t ngx_recording_upload_take(const ngx_recording_ref_t *ref,
    ngx_uint_t attempt);
void ngx_recording_upload_release(const ngx_recording_ref_t *ref);

/*
 * NGX_OK: the mix goes on; NGX_DONE: it is handed in, as *output;
 * NGX_DECLINED: it is not wanted any more.
 */
ngx_int_t ngx_recording_upload_look(const ngx_recording_ref_t *ref,
    ngx_uint_t attempt, cr_output_t *output);

/* The result is whole and in a local file: `uploading`. */
ngx_int_t ngx_recording_upload_handed(const ngx_recording_ref_t *ref,
    ngx_uint_t attempt, const cr_output_t *output);

/*
 * After a restart: NGX_OK if the result had been handed in, it is now again;
 * NGX_DECLINED: there is none.
 */
ngx_int_t ngx_recording_upload_resume(const ngx_recording_ref_t *ref,
    ngx_uint_t attempt);

void ngx_recording_upload_progress(const ngx_recording_ref_t *ref,
    ngx_uint_t attempt, uint64_t bytes, uint64_t size);

/*
 * It is where it belongs: `completed`.  NGX_OK: done will be called when that
 * is in the journal; NGX_DECLINED: it is not wanted any more.
 */
ngx_int_t ngx_recording_upload_done(const ngx_recording_ref_t *ref,
    ngx_uint_t attempt, const cr_output_t *output,
    ngx_recording_journal_pt done, void *ctx);
void ngx_recording_upload_failed(const ngx_recording_ref_t *ref,
    ngx_uint_t attempt, const char *code, const char *message);


#endif /* _NGX_RECORDING_UPLOAD_H_INCLUDED_ */
