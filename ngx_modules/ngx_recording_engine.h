
/*
 * Copyright (C) The call recorder authors
 *
 * The engine inside: the table in shared memory, changes to a recording and
 * what follows from them, work on disk.
 */

#ifndef _NGX_RECORDING_ENGINE_H_INCLUDED_
#define _NGX_RECORDING_ENGINE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_thread_pool.h>

#include "ngx_callrec.h"
#include "ngx_recording_conf.h"
#include "ngx_recording_table.h"
#include "recording/recording.h"


#define NGX_RECORDING_CALLS    1024    /* hash buckets */
#define NGX_RECORDING_RECORDS  8       /* journal lines of one change */


/* A recording in shared memory. */
typedef struct {
    ngx_str_node_t   sn;             /* must be first; by recordingId */
    ngx_queue_t      call;           /* its call's bucket, newest first */
    ngx_queue_t      queue;          /* running; ended: longest ago first */
    ngx_pid_t        owner;          /* creates it on disk; 0: is there */
    ngx_pid_t        saver;          /* writes recording.json; 0: nobody */
    ngx_pid_t        remover;        /* removes files; 0: nobody */
    ngx_pid_t        uploader;       /* of the result; 0: nobody */
    ngx_uint_t       waiters;        /* long-polls in all workers */
    unsigned         dirty:1;        /* recording.json is to be written */
    unsigned         remove:1;       /* files are to be removed */
    unsigned         purge:1;        /* deleted, not only aborted */
    int64_t          saved_rev;      /* of recording.json */
    int64_t          t0_us;
    cr_recording_t   rec;
} ngx_recording_node_t;


typedef struct {
    ngx_rbtree_t        tree;
    ngx_rbtree_node_t   sentinel;
    ngx_queue_t         running;
    ngx_queue_t         ended;
    ngx_uint_t          active;      /* that take media */
    ngx_uint_t          recovered;   /* the root has been searched */
    ngx_pid_t           recoverer;
    ngx_uint_t          space_known;
    ngx_uint_t          space_low;   /* less than recording_min_free */
    ngx_queue_t         calls[NGX_RECORDING_CALLS];
} ngx_recording_sh_t;


typedef struct {
    ngx_recording_sh_t  *sh;
    ngx_slab_pool_t     *shpool;
} ngx_recording_zone_t;


/*
 * A change to one recording, made under the table's lock by functions of
 * recording/recording.h; what follows is done by _commit() when the lock is
 * free again: journal, messages to the workers, recording.json, files, job.
 */
typedef struct {
    ngx_recording_zone_t   *zone;
    ngx_recording_node_t   *node;
    cr_recording_t         *rec;           /* of node */
    int64_t                 now_ms;        /* recording time */
    ngx_recording_ref_t     ref;

    cr_recording_status_e   status;        /* as it was */
    int64_t                 rev;
    char                   *lines[NGX_RECORDING_RECORDS];
    ngx_uint_t              nlines;
    cr_recording_job_t      cancelled;     /* pid 0: none */

    unsigned                start:1;       /* publishers may come */
    unsigned                stop:1;        /* publishers have to go */
    unsigned                save:1;        /* recording.json */
    unsigned                job:1;         /* outputs are to be made */
    unsigned                cancel:1;
} ngx_recording_change_t;


/* ---- ngx_recording_table.c ---- */

ngx_shm_zone_t *ngx_recording_zone_add(ngx_conf_t *cf, ngx_str_t *name,
    size_t size, void *tag);

ngx_recording_zone_t *ngx_recording_zone(void);

void ngx_recording_lock(ngx_recording_zone_t *zone);
void ngx_recording_unlock(ngx_recording_zone_t *zone);

ngx_recording_node_t *ngx_recording_find_locked(ngx_recording_zone_t *zone,
    const char *recording_id);

/* The call's recordings, newest first; prev is NULL for the first. */
ngx_recording_node_t *ngx_recording_next_locked(ngx_recording_zone_t *zone,
    const char *call_id, ngx_recording_node_t *prev);

/* The call's recording that takes media, created on disk or not yet. */
ngx_recording_node_t *ngx_recording_active_locked(
    ngx_recording_zone_t *zone, const char *call_id);

/* Takes the oldest ended recordings' memory if it has to; NULL: no room. */
ngx_recording_node_t *ngx_recording_insert_locked(
    ngx_recording_zone_t *zone, const cr_recording_t *rec, int64_t t0_us);

/* A recording that is not on disk either. */
void ngx_recording_drop_locked(ngx_recording_zone_t *zone,
    ngx_recording_node_t *node);

/* Among those that something is to be done for, or those that may make
 * room for others. */
void ngx_recording_file_locked(ngx_recording_zone_t *zone,
    ngx_recording_node_t *node);

void ngx_recording_ref(const ngx_recording_node_t *node,
    ngx_recording_ref_t *ref);

/* A copy of what is known: NGX_OK or NGX_DECLINED. */
ngx_int_t ngx_recording_copy(const char *recording_id, cr_recording_t *rec);


/* ---- ngx_recording_change.c ---- */

/* NGX_OK: locked; NGX_DECLINED: no such recording. */
ngx_int_t ngx_recording_change(ngx_recording_change_t *ch,
    const char *recording_id);

/* The same of a node of the locked table. */
void ngx_recording_change_locked(ngx_recording_change_t *ch,
    ngx_recording_zone_t *zone, ngx_recording_node_t *node);

/* A record for the journal; its times are filled in. */
void ngx_recording_record(ngx_recording_change_t *ch,
    cr_journal_record_t *record);

/* Unlocks, and does what follows. */
void ngx_recording_commit(ngx_recording_change_t *ch);


/* ---- ngx_recording_state.c ---- */

/* An active recording stops; a running one is discarded.  CR_DECLINED. */
cr_status_e ngx_recording_stop(ngx_recording_change_t *ch,
    const char *end_reason, ngx_uint_t discard);

/* Ended becomes deleted, running is discarded and then deleted. */
void ngx_recording_delete(ngx_recording_change_t *ch);

/* `stopping` goes on when nobody writes any more. */
void ngx_recording_settle(ngx_recording_change_t *ch);

void ngx_recording_fail(ngx_recording_change_t *ch, const char *code,
    const char *message, const char *stage);

/*
 * What is wrong while the recording goes on, "": nothing any more.  Again the
 * same code: no change.
 */
void ngx_recording_trouble(ngx_recording_change_t *ch, const char *code,
    const char *message);

/* Session i of a worker that has died. */
void ngx_recording_lost_session(ngx_recording_change_t *ch, ngx_uint_t i);

/* Asks the job for outputs, in processing. */
void ngx_recording_run_job(const ngx_recording_ref_t *ref,
    ngx_uint_t attempt);


/* ---- ngx_recording_jobstate.c ---- */

/* An output into status and journal. */
void ngx_recording_job_put(ngx_recording_change_t *ch,
    const cr_output_t *output);


/* ---- ngx_recording_message.c ---- */

ngx_int_t ngx_recording_message_init(ngx_cycle_t *cycle);
void ngx_recording_message_start(const ngx_recording_ref_t *ref);
void ngx_recording_message_stop(const char *recording_id);
void ngx_recording_message_changed(const char *recording_id, int64_t rev);


/* ---- ngx_recording_disk.c ---- */

typedef struct ngx_recording_task_s  ngx_recording_task_t;

typedef void (*ngx_recording_task_pt)(ngx_recording_task_t *task);

/*
 * Work in the thread pool.  run is called there and may use nothing but the
 * task; done is called in the event loop afterwards, then all is freed.
 */
struct ngx_recording_task_s {
    ngx_recording_task_pt   run;
    ngx_recording_task_pt   done;
    ngx_pool_t             *pool;
    void                   *data;            /* the caller's */
    char                    dir[NGX_RECORDING_DIR_MAX];
    char                   *outputs;         /* in pool, a folder, or NULL */
    char                   *journal;         /* malloc()ed or NULL */
    char                   *text;            /* likewise; recording.json */
    size_t                  len;             /* of text that was read */
    int64_t                 rev;
    ngx_int_t               rc;
    ngx_err_t               err;
    const char             *what;            /* the call that failed */
};

/* NULL: no memory; logged. */
ngx_recording_task_t *ngx_recording_task(const char *dir,
    ngx_recording_task_pt run, ngx_recording_task_pt done);

/* NGX_ERROR: the task is freed and done not called. */
ngx_int_t ngx_recording_task_post(ngx_recording_task_t *task);
void ngx_recording_task_free(ngx_recording_task_t *task);

/* What tasks run. */
void ngx_recording_disk_create(ngx_recording_task_t *task);
void ngx_recording_disk_save(ngx_recording_task_t *task);
void ngx_recording_disk_remove(ngx_recording_task_t *task);
void ngx_recording_disk_read(ngx_recording_task_t *task);

/* dir is a call's; becomes its newest recording's, whose text is read. */
void ngx_recording_disk_newest(ngx_recording_task_t *task);

/* A whole file, NUL-terminated, malloc()ed, at most max bytes of it. */
char *ngx_recording_disk_load(const char *dir, const char *name, size_t max,
    size_t *len, ngx_err_t *err);


/* ---- ngx_recording_save.c ---- */

/* recording.json of the node is to be written: begins it if nobody does. */
void ngx_recording_save(const char *recording_id);
void ngx_recording_remove(const char *recording_id);


/* ---- ngx_recording_space.c ---- */

/* Looks how much is free, into space_low of the table. */
void ngx_recording_space_check(ngx_recording_zone_t *zone);


/* ---- ngx_recording_sweep.c, ngx_recording_recover.c ---- */

ngx_int_t ngx_recording_sweep_init(ngx_cycle_t *cycle);
void ngx_recording_recover(ngx_recording_zone_t *zone);


#endif /* _NGX_RECORDING_ENGINE_H_INCLUDED_ */
