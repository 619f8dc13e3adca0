
/*
 * Copyright (C) The call recorder authors
 *
 * What to do next.
 */

#include "s3/multipart_core.h"

#include <stdio.h>
#include <string.h>


#define CR_S3_PARTS_FIRST   64       /* room at first */


static cr_status_e cr_s3_room(cr_s3_multipart_t *u, uint32_t n);
static cr_status_e cr_s3_next_part(cr_s3_multipart_t *u, int64_t now,
    cr_s3_action_t *action, int64_t *at);
static cr_status_e cr_s3_next_control(cr_s3_multipart_t *u, int64_t now,
    cr_s3_action_t *action, int64_t *at);
static bool cr_s3_all_stored(const cr_s3_multipart_t *u);


cr_s3_multipart_t *
cr_s3_multipart_create(const cr_env_t *env, const cr_s3_upload_conf_t *conf,
    const char *upload_id)
{
    cr_s3_multipart_t  *u;

    u = cr_alloc(env, sizeof(cr_s3_multipart_t));
    if (u == NULL) {
        return NULL;
    }

    u->env = env;
    u->conf = *conf;
    u->limit = conf->parallel;
    u->phase = CR_S3_DO_CREATE;

    if (upload_id != NULL && upload_id[0] != '\0'
        && strlen(upload_id) <= CR_S3_UPLOAD_ID_MAX)
    {
        strcpy(u->id, upload_id);
        u->phase = CR_S3_DO_LIST;
    }

    return u;
}


void
cr_s3_multipart_free(cr_s3_multipart_t *u)
{
    if (u != NULL) {
        cr_free(u->env, u->entries);
        cr_free(u->env, u->parts);
        cr_free(u->env, u);
    }
}


cr_status_e
cr_s3_multipart_ready(cr_s3_multipart_t *u, uint32_t n, const uint8_t md5[16])
{
    uint8_t         stored[16];
    cr_status_e     rc;
    cr_s3_entry_t  *e;

    if (n == 0 || n > CR_S3_PART_NUMBER_MAX
        || (u->total != 0 && n > u->total))
    {
        return CR_LIMIT;
    }

    rc = cr_s3_room(u, n);
    if (rc != CR_OK) {
        return rc;
    }

    e = &u->entries[n - 1];
    e->here = true;

    if (md5 != NULL) {
        e->has_md5 = true;
        memcpy(e->md5, md5, sizeof(e->md5));
    }

    /* one that a list named is taken if it can be this one */

    if (e->state == CR_S3_PART_STORED && u->conf.check_etag && e->has_md5
        && cr_s3_md5(u->parts[n - 1].etag, stored)
        && memcmp(stored, e->md5, sizeof(stored)) != 0)
    {
        e->state = CR_S3_PART_AWAITED;
    }

    if (e->state == CR_S3_PART_AWAITED) {
        e->state = CR_S3_PART_READY;
    }

    return CR_OK;
}


cr_status_e
cr_s3_multipart_end(cr_s3_multipart_t *u, uint64_t size)
{
    uint32_t        n, total;
    uint64_t        offset;
    cr_status_e     rc;
    cr_s3_entry_t  *e;

    if (size == 0) {
        return CR_INVALID;
    }

    total = cr_s3_plan_find(&u->conf.plan, size - 1);

    if (total > CR_S3_PART_NUMBER_MAX) {
        return CR_LIMIT;
    }

    rc = cr_s3_room(u, total);
    if (rc != CR_OK) {
        return rc;
    }

    u->size = size;
    u->total = total;

    for (n = 1; n <= total; n++) {
        e = &u->entries[n - 1];

        if (e->state == CR_S3_PART_STORED
            && u->parts[n - 1].size != cr_s3_part_bytes(u, n, &offset))
        {
            e->state = e->here ? CR_S3_PART_READY : CR_S3_PART_AWAITED;
        }
    }

    return CR_OK;
}


cr_status_e
cr_s3_multipart_next(cr_s3_multipart_t *u, int64_t now,
    cr_s3_action_t *action, int64_t *at)
{
    if (u->end != CR_S3_RUNNING) {
        return CR_DECLINED;
    }

    if (now >= u->conf.deadline) {
        cr_s3_fail(u, "deadline");
        return CR_DECLINED;
    }

    *at = u->conf.deadline;
    memset(action, 0, sizeof(*action));
    action->epoch = u->epoch;

    if (u->abort) {

        if (u->in_flight != 0 || u->control || u->renewing) {
            return CR_AGAIN;
        }

        if (u->id[0] == '\0') {
            u->end = CR_S3_ABORTED;
            return CR_DECLINED;
        }

        u->phase = CR_S3_DO_ABORT;
    }

    if (u->renewing) {
        return CR_AGAIN;
    }

    if (now < u->hold) {
        *at = (u->hold < *at) ? u->hold : *at;
        return CR_AGAIN;
    }

    if (u->renew) {
        u->renewing = true;
        action->what = CR_S3_DO_RENEW;
        return CR_OK;
    }

    if (u->phase == CR_S3_DO_PART && cr_s3_all_stored(u)) {
        u->phase = CR_S3_DO_COMPLETE;
        u->tries = 0;
        u->not_before = 0;
    }

    if (u->phase == CR_S3_DO_PART) {
        return cr_s3_next_part(u, now, action, at);
    }

    return cr_s3_next_control(u, now, action, at);
}


static cr_status_e
cr_s3_next_part(cr_s3_multipart_t *u, int64_t now, cr_s3_action_t *action,
    int64_t *at)
{
    uint32_t        n;
    cr_s3_entry_t  *e;

    if (u->in_flight >= u->limit) {
        return CR_AGAIN;
    }

    for (n = 1; n <= u->known; n++) {
        e = &u->entries[n - 1];

        if (e->state != CR_S3_PART_READY) {
            continue;
        }

        action->size = cr_s3_part_bytes(u, n, &action->offset);

        if (e->not_before > now) {
            *at = (e->not_before < *at) ? e->not_before : *at;
            continue;
        }

        e->state = CR_S3_PART_FLIGHT;
        u->in_flight++;
        u->sent += action->size;
        action->what = CR_S3_DO_PART;
        action->number = n;

        return CR_OK;
    }

    return CR_AGAIN;
}


static cr_status_e
cr_s3_next_control(cr_s3_multipart_t *u, int64_t now, cr_s3_action_t *action,
    int64_t *at)
{
    uint32_t  n;

    if (u->control) {
        return CR_AGAIN;
    }

    if (u->not_before > now) {
        *at = (u->not_before < *at) ? u->not_before : *at;
        return CR_AGAIN;
    }

    if (u->phase == CR_S3_DO_CREATE) {

        /* not before there is something to be sent */

        for (n = 0; n < u->known; n++) {
            if (u->entries[n].state == CR_S3_PART_READY) {
                break;
            }
        }

        if (n == u->known) {
            return CR_AGAIN;
        }
    }

    u->control = true;
    action->what = u->phase;
    action->number = (u->phase == CR_S3_DO_LIST) ? u->marker : 0;

    return CR_OK;
}


static bool
cr_s3_all_stored(const cr_s3_multipart_t *u)
{
    uint32_t  n;

    if (u->total == 0 || u->in_flight != 0) {
        return false;
    }

    for (n = 0; n < u->total; n++) {
        if (u->entries[n].state != CR_S3_PART_STORED) {
            return false;
        }
    }

    return true;
}


cr_status_e
cr_s3_multipart_listed(cr_s3_multipart_t *u, const cr_s3_part_t *part)
{
    uint8_t         md5[16];
    uint64_t        offset;
    cr_status_e     rc;
    cr_s3_entry_t  *e;

    if (part->number == 0 || part->number > CR_S3_PART_NUMBER_MAX
        || (u->total != 0 && part->number > u->total))
    {
        return CR_OK;
    }

    rc = cr_s3_room(u, part->number);
    if (rc != CR_OK) {
        return rc;
    }

    e = &u->entries[part->number - 1];

    /* a shorter one is whole only if the file is known to end in it */

    if (e->state == CR_S3_PART_FLIGHT
        || part->size != cr_s3_part_bytes(u, part->number, &offset)
        || (u->conf.check_etag && e->has_md5 && cr_s3_md5(part->etag, md5)
            && memcmp(md5, e->md5, sizeof(md5)) != 0))
    {
        return CR_OK;
    }

    u->parts[part->number - 1] = *part;
    e->state = CR_S3_PART_STORED;

    return CR_OK;
}


void
cr_s3_fail(cr_s3_multipart_t *u, const char *why)
{
    u->end = CR_S3_FAILED;
    snprintf(u->error, sizeof(u->error), "%s", why[0] != '\0' ? why
                                                              : "refused");
}


void
cr_s3_multipart_abort(cr_s3_multipart_t *u)
{
    u->abort = true;
    u->tries = 0;
    u->not_before = 0;
}


static cr_status_e
cr_s3_room(cr_s3_multipart_t *u, uint32_t n)
{
    uint32_t        room;
    cr_s3_part_t   *parts;
    cr_s3_entry_t  *entries;

    if (n > u->room) {

        room = (u->room != 0) ? 2 * u->room : CR_S3_PARTS_FIRST;
        room = (room > n) ? room : n;

        entries = cr_alloc(u->env, room * sizeof(cr_s3_entry_t));
        if (entries == NULL) {
            return CR_NOMEM;
        }

        parts = cr_alloc(u->env, room * sizeof(cr_s3_part_t));
        if (parts == NULL) {
            cr_free(u->env, entries);
            return CR_NOMEM;
        }

        if (u->known != 0) {
            memcpy(entries, u->entries, u->known * sizeof(cr_s3_entry_t));
            memcpy(parts, u->parts, u->known * sizeof(cr_s3_part_t));
        }

        cr_free(u->env, u->entries);
        cr_free(u->env, u->parts);

        u->entries = entries;
        u->parts = parts;
        u->room = room;
    }

    u->known = (n > u->known) ? n : u->known;

    return CR_OK;
}


uint64_t
cr_s3_part_bytes(const cr_s3_multipart_t *u, uint32_t n, uint64_t *offset)
{
    uint64_t  size;

    cr_s3_plan_part(&u->conf.plan, n, offset, &size);

    if (u->total != 0 && n == u->total) {
        size = u->size - *offset;
    }

    return size;
}


void
cr_s3_multipart_deadline(cr_s3_multipart_t *u, int64_t deadline)
{
    u->conf.deadline = deadline;
}


const uint8_t *
cr_s3_multipart_md5(const cr_s3_multipart_t *u, uint32_t n)
{
    return (n != 0 && n <= u->known && u->entries[n - 1].has_md5)
           ? u->entries[n - 1].md5 : NULL;
}


cr_s3_end_e
cr_s3_multipart_state(const cr_s3_multipart_t *u)
{
    return u->end;
}


const char *
cr_s3_multipart_error(const cr_s3_multipart_t *u)
{
    return u->error;
}


const char *
cr_s3_multipart_id(const cr_s3_multipart_t *u)
{
    return u->id;
}


int64_t
cr_s3_multipart_skew(const cr_s3_multipart_t *u)
{
    return u->skew;
}


const cr_s3_part_t *
cr_s3_multipart_parts(const cr_s3_multipart_t *u, uint32_t *n)
{
    *n = u->total;

    return u->parts;
}


void
cr_s3_multipart_progress(const cr_s3_multipart_t *u,
    cr_s3_progress_t *progress)
{
    uint32_t  n;

    memset(progress, 0, sizeof(*progress));

    for (n = 0; n < u->known; n++) {
        if (u->entries[n].state == CR_S3_PART_STORED) {
            progress->parts++;
            progress->bytes += u->parts[n].size;
        }
    }

    progress->sent = u->sent;
    progress->in_flight = u->in_flight;
    progress->retries = u->retries;
}
