
/*
 * Copyright (C) The call recorder authors
 *
 * After a start with an empty table: recordings that were not at their end
 * are brought back from their journals.
 */


#include "ngx_recording_engine.h"

#include <dirent.h>


/* A journal larger than this is not ours: it is 250 bytes a second and
 * publisher. */
#define NGX_RECORDING_JOURNAL_MAX  (256 * 1024 * 1024)


typedef struct {
    ngx_queue_t      queue;
    unsigned         skipped;
    int64_t          last_ms;
    cr_recording_t   rec;
} ngx_recording_found_t;


static void ngx_recording_recover_scan(ngx_recording_task_t *task);
static void ngx_recording_recover_call(ngx_queue_t *found, const char *root,
    const char *call_id);
static void ngx_recording_recover_dir(ngx_queue_t *found, const char *dir);
static void ngx_recording_recover_mend(const char *dir);
static void ngx_recording_recover_done(ngx_recording_task_t *task);
static void ngx_recording_recover_one(ngx_recording_zone_t *zone,
    ngx_recording_found_t *item);
static void ngx_recording_recover_go_on(ngx_recording_change_t *ch,
    ngx_recording_found_t *item);


void
ngx_recording_recover(ngx_recording_zone_t *zone)
{
    ngx_uint_t             go;
    ngx_queue_t           *found;
    ngx_recording_conf_t  *conf;
    ngx_recording_task_t  *task;

    ngx_recording_lock(zone);

    go = !zone->sh->recovered
         && (zone->sh->recoverer == 0
             || !ngx_callrec_worker_alive(zone->sh->recoverer));

    if (go) {
        zone->sh->recoverer = ngx_pid;
    }

    ngx_recording_unlock(zone);

    if (!go) {
        return;
    }

    conf = ngx_recording_conf();

    task = ngx_recording_task((char *) conf->root.data,
                              ngx_recording_recover_scan,
                              ngx_recording_recover_done);
    if (task == NULL) {
        goto failed;
    }

    found = ngx_palloc(task->pool, sizeof(ngx_queue_t));
    if (found == NULL) {
        ngx_recording_task_free(task);
        goto failed;
    }

    ngx_queue_init(found);
    task->data = found;

    if (ngx_recording_task_post(task) == NGX_OK) {
        return;
    }

failed:

    /* a second later again */

    ngx_recording_lock(zone);
    zone->sh->recoverer = 0;
    ngx_recording_unlock(zone);
}


static void
ngx_recording_recover_scan(ngx_recording_task_t *task)
{
    DIR            *dir;
    struct dirent  *entry;

    dir = opendir(task->dir);

    if (dir == NULL) {
        task->rc = NGX_ERROR;
        task->err = ngx_errno;
        task->what = "opendir()";
        return;
    }

    while ((entry = readdir(dir)) != NULL) {
        if (cr_id_valid(entry->d_name, ngx_strlen(entry->d_name))) {
            ngx_recording_recover_call(task->data, task->dir, entry->d_name);
        }
    }

    (void) closedir(dir);
}


static void
ngx_recording_recover_call(ngx_queue_t *found, const char *root,
    const char *call_id)
{
    DIR            *dir;
    u_char          path[NGX_RECORDING_DIR_MAX];
    u_char          sub[NGX_RECORDING_DIR_MAX + CR_ID_MAX + 2];
    struct dirent  *entry;

    (void) ngx_snprintf(path, sizeof(path), "%s/%s%Z", root, call_id);

    dir = opendir((char *) path);
    if (dir == NULL) {
        return;
    }

    while ((entry = readdir(dir)) != NULL) {

        if (ngx_strncmp(entry->d_name, "rec_", 4) == 0
            && cr_id_valid(entry->d_name, ngx_strlen(entry->d_name)))
        {
            (void) ngx_snprintf(sub, sizeof(sub), "%s/%s%Z", path,
                                entry->d_name);
            ngx_recording_recover_dir(found, (char *) sub);
        }
    }

    (void) closedir(dir);
}


static void
ngx_recording_recover_dir(ngx_queue_t *found, const char *dir)
{
    char                   *text;
    size_t                  len;
    int64_t                 rev;
    ngx_err_t               err;
    const char             *id;
    cr_recording_status_e   status;
    ngx_recording_found_t  *item;

    status = 0;
    rev = 0;

    text = ngx_recording_disk_load(dir, "recording.json",
                                   CR_RECORDING_STATUS_MAX, &len, &err);

    if (text != NULL) {
        (void) cr_recording_status_parse(text, len, &status, &rev);
        free(text);
    }

    if (status == CR_RECORDING_COMPLETED || status == CR_RECORDING_FAILED
        || status == CR_RECORDING_EXPIRED)
    {
        return;
    }

    text = ngx_recording_disk_load(dir, "journal.ndjson",
                                   NGX_RECORDING_JOURNAL_MAX, &len, &err);
    if (text == NULL) {
        return;
    }

    if (len != 0 && text[len - 1] != '\n') {
        ngx_recording_recover_mend(dir);
    }

    item = malloc(sizeof(ngx_recording_found_t));

    if (item != NULL
        && cr_recording_replay_journal(&item->rec, text, len, &item->skipped,
                                       &item->last_ms) == CR_OK)
    {
        id = strrchr(dir, '/') + 1;

        /* the folder's name is what the rest of the engine goes by */

        if (ngx_strcmp(id, item->rec.recording_id) == 0) {

            if (rev > item->rec.rev) {
                item->rec.rev = rev;
            }

            if (status == CR_RECORDING_ABORTED
                || status == CR_RECORDING_DELETED)
            {
                item->rec.status = status;
            }

            ngx_queue_insert_tail(found, &item->queue);
            item = NULL;
        }
    }

    free(item);
    free(text);
}


/* Ends a line that was cut off, so that the next record is a line again. */

static void
ngx_recording_recover_mend(const char *dir)
{
    int     fd;
    u_char  path[NGX_RECORDING_DIR_MAX + 32];

    (void) ngx_snprintf(path, sizeof(path), "%s/journal.ndjson%Z", dir);

    fd = open((char *) path, O_WRONLY|O_APPEND|O_NOFOLLOW|O_CLOEXEC);
    if (fd == -1) {
        return;
    }

    if (write(fd, "\n", 1) != 1) {

        /* the record after it is lost with it */
    }

    (void) close(fd);
}


static void
ngx_recording_recover_done(ngx_recording_task_t *task)
{
    ngx_queue_t            *found, *q;
    ngx_recording_zone_t   *zone;
    ngx_recording_found_t  *item;

    zone = ngx_recording_zone();
    found = task->data;

    while (!ngx_queue_empty(found)) {
        q = ngx_queue_head(found);
        ngx_queue_remove(q);

        item = ngx_queue_data(q, ngx_recording_found_t, queue);

        ngx_recording_recover_one(zone, item);
        free(item);
    }

    ngx_recording_lock(zone);

    if (task->rc == NGX_OK) {
        zone->sh->recovered = 1;
    }

    zone->sh->recoverer = 0;

    ngx_recording_unlock(zone);
}


static void
ngx_recording_recover_one(ngx_recording_zone_t *zone,
    ngx_recording_found_t *item)
{
    int64_t                 t0_us;
    ngx_recording_node_t   *node;
    ngx_recording_change_t  ch;

    /* the monotonic clock may be another machine start's */

    t0_us = ngx_callrec_now_us()
            - (ngx_callrec_wall_ms() - item->rec.created_at) * 1000;

    ngx_recording_lock(zone);

    if (ngx_recording_find_locked(zone, item->rec.recording_id) != NULL) {
        ngx_recording_unlock(zone);
        return;
    }

    node = ngx_recording_insert_locked(zone, &item->rec, t0_us);

    if (node == NULL) {
        ngx_recording_unlock(zone);

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "recording %s cannot be brought back: the zone is full",
                      item->rec.recording_id);
        return;
    }

    ngx_recording_change_locked(&ch, zone, node);

    /* a clock that was set back does not make time run backwards */

    if (ch.now_ms < item->last_ms) {
        node->t0_us -= (item->last_ms - ch.now_ms) * 1000;
        ngx_recording_change_locked(&ch, zone, node);
    }

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "recording %s of call %s comes back, it was %s, "
                  "%ud damaged journal lines", ch.ref.recording_id,
                  ch.ref.call_id, cr_recording_status_name(ch.rec->status),
                  item->skipped);

    ngx_recording_recover_go_on(&ch, item);
    ngx_recording_commit(&ch);
}


static void
ngx_recording_recover_go_on(ngx_recording_change_t *ch,
    ngx_recording_found_t *item)
{
    cr_journal_record_t      record;
    cr_recording_session_t  *session;

    ch->save = 1;

    if (ch->rec->status == CR_RECORDING_DELETED
        || ch->rec->status == CR_RECORDING_ABORTED)
    {
        ch->node->remove = 1;
        return;
    }

    if (cr_recording_is_ended(ch->rec)) {
        return;
    }

    if (ngx_strcmp(ch->rec->end_reason, "deleted") == 0) {
        ch->node->purge = 1;
    }

    ngx_memzero(&record, sizeof(cr_journal_record_t));

    record.ev = CR_JOURNAL_INTERRUPTION;
    record.interruption.from_ms = item->last_ms;
    record.interruption.to_ms = ch->now_ms;
    ngx_memcpy(record.interruption.kind, "nginx", sizeof("nginx"));

    ngx_recording_record(ch, &record);
    cr_recording_interrupt(ch->rec, &record.interruption, ch->now_ms);

    while (ch->rec->nsessions != 0) {
        session = &ch->rec->sessions[0];
        (void) cr_recording_leave(ch->rec, session->id,
                                  session->last_media_ms, item->last_ms);
    }

    /* publishers get the whole time to come back */

    ch->rec->active_ms = ch->now_ms;

    if (cr_recording_is_active(ch->rec)) {
        (void) cr_recording_transition(ch->rec, CR_RECORDING_RECOVERING,
                                       ch->now_ms);
        ngx_recording_trouble(ch, "", "");
        ch->start = 1;
        return;
    }

    /* the attempt that was under way has lost its token, a new one begins */

    if (ch->rec->status == CR_RECORDING_UPLOADING) {
        (void) cr_recording_transition(ch->rec, CR_RECORDING_PROCESSING,
                                       ch->now_ms);
    }

    ngx_recording_settle(ch);

    if (ch->rec->status == CR_RECORDING_PROCESSING) {
        ch->job = 1;
    }
}
