
/*
 * Copyright (C) The call recorder authors
 *
 * Clusters of SimpleBlocks (RFC 9559 sections 5.1.3 and 10).
 *
 *     SimpleBlock | size | track | time, relative, 16 bits | flags | frame
 */

#include "chunk/chunk.h"
#include "chunk/ebml.h"
#include "chunk/matroska.h"


#define CR_CLUSTER_HEAD       22    /* id, 8-byte size, 8-byte timestamp */
#define CR_BLOCK_HEAD_MAX     9
#define CR_BLOCK_HEAD         4     /* the part that its size counts */
#define CR_BLOCK_KEYFRAME     0x80

#define CR_CLUSTER_SIZE_MAX   (16 * 1024 * 1024)
#define CR_CLUSTER_MS         (CR_CHUNK_CLUSTER_US / 1000)


typedef struct {
    uint8_t            number;
    bool               seen;        /* in this cluster */
    int64_t            first_ms;
} cr_cluster_track_t;


struct cr_chunk_writer_s {
    cr_env_t            env;
    cr_chunk_write_pt   write;
    void               *ctx;
    uint64_t            written;

    uint8_t            *buf;        /* the cluster */
    size_t              len;        /* 0: none is open */
    size_t              size;
    int64_t             time_ms;    /* of the cluster */

    unsigned            ntracks;
    cr_cluster_track_t  tracks[CR_TRACK_MAX];
};


static cr_status_e
cr_chunk_write(cr_chunk_writer_t *w, const uint8_t *data, size_t size)
{
    w->written += size;

    return w->write(w->ctx, data, size);
}


static cr_status_e
cr_chunk_write_head(cr_chunk_writer_t *w, const cr_chunk_track_t *tracks,
    unsigned ntracks)
{
    uint8_t      *p;
    cr_writer_t   out;
    cr_status_e   rc;

    p = cr_alloc(&w->env, CR_MATROSKA_HEAD_MAX);
    if (p == NULL) {
        return CR_NOMEM;
    }

    cr_writer_init(&out, p, CR_MATROSKA_HEAD_MAX);

    rc = cr_matroska_head(&out, tracks, ntracks)
         ? cr_chunk_write(w, p, cr_writer_len(&out)) : CR_UNSUPPORTED;

    cr_free(&w->env, p);

    return rc;
}


cr_chunk_writer_t *
cr_chunk_writer_create(const cr_env_t *env, const cr_chunk_track_t *tracks,
    unsigned ntracks, cr_chunk_write_pt write, void *ctx)
{
    unsigned            i;
    cr_chunk_writer_t  *w;

    if (ntracks == 0 || ntracks > CR_TRACK_MAX) {
        return NULL;
    }

    w = cr_alloc(env, sizeof(cr_chunk_writer_t));
    if (w == NULL) {
        return NULL;
    }

    w->env = *env;
    w->write = write;
    w->ctx = ctx;
    w->ntracks = ntracks;

    for (i = 0; i < ntracks; i++) {
        w->tracks[i].number = tracks[i].number;
    }

    if (cr_chunk_write_head(w, tracks, ntracks) != CR_OK) {
        cr_free(env, w);
        return NULL;
    }

    return w;
}


void
cr_chunk_writer_destroy(cr_chunk_writer_t *w)
{
    cr_env_t  env;

    if (w == NULL) {
        return;
    }

    env = w->env;
    cr_free(&env, w->buf);
    cr_free(&env, w);
}


static cr_cluster_track_t *
cr_chunk_find_track(cr_chunk_writer_t *w, uint8_t number)
{
    unsigned  i;

    for (i = 0; i < w->ntracks; i++) {
        if (w->tracks[i].number == number) {
            return &w->tracks[i];
        }
    }

    return NULL;
}


static bool
cr_chunk_cluster_full(const cr_chunk_writer_t *w,
    const cr_cluster_track_t *t, size_t size, int64_t time_ms)
{
    int64_t  relative;

    if (w->len + CR_BLOCK_HEAD_MAX + size > CR_CHUNK_CLUSTER_SIZE) {
        return true;
    }

    /*
     * Each track for itself: where one lags behind the other (holes are
     * waited for), a common span would cut a cluster at every change.
     */

    if (t->seen && time_ms - t->first_ms >= CR_CLUSTER_MS) {
        return true;
    }

    relative = time_ms - w->time_ms;

    return relative < INT16_MIN || relative > INT16_MAX;
}


static cr_status_e
cr_chunk_reserve(cr_chunk_writer_t *w, size_t n)
{
    size_t    size;
    uint8_t  *p;

    if (w->len + n <= w->size) {
        return CR_OK;
    }

    size = w->len + n > CR_CHUNK_CLUSTER_SIZE ? w->len + n
                                              : CR_CHUNK_CLUSTER_SIZE;

    p = cr_alloc(&w->env, size);
    if (p == NULL) {
        return CR_NOMEM;
    }

    if (w->len != 0) {
        memcpy(p, w->buf, w->len);
    }

    cr_free(&w->env, w->buf);
    w->buf = p;
    w->size = size;

    return CR_OK;
}


static void
cr_chunk_cluster_begin(cr_chunk_writer_t *w, int64_t time_ms)
{
    unsigned     i;
    cr_writer_t  out;

    cr_writer_init(&out, w->buf, CR_CLUSTER_HEAD);

    cr_ebml_id(&out, CR_MKV_CLUSTER);
    cr_writer_take(&out, 8);
    cr_ebml_id(&out, CR_MKV_TIMESTAMP);
    cr_ebml_size(&out, 8);
    cr_write_u64(&out, (uint64_t) time_ms);

    w->len = cr_writer_len(&out);
    w->time_ms = time_ms;

    for (i = 0; i < w->ntracks; i++) {
        w->tracks[i].seen = false;
    }
}


cr_status_e
cr_chunk_writer_frame(cr_chunk_writer_t *w, uint8_t number,
    const cr_frame_t *frame, int64_t time_ms)
{
    cr_writer_t          out;
    cr_status_e          rc;
    cr_cluster_track_t  *t;

    t = cr_chunk_find_track(w, number);

    if (t == NULL || time_ms < 0) {
        return CR_INVALID;
    }

    if (frame->size > CR_CLUSTER_SIZE_MAX - CR_CLUSTER_HEAD
                      - CR_BLOCK_HEAD_MAX)
    {
        return CR_LIMIT;
    }

    if (w->len != 0 && cr_chunk_cluster_full(w, t, frame->size, time_ms)) {
        rc = cr_chunk_writer_flush(w);
        if (rc != CR_OK) {
            return rc;
        }
    }

    rc = cr_chunk_reserve(w, CR_CLUSTER_HEAD + CR_BLOCK_HEAD_MAX
                             + frame->size);
    if (rc != CR_OK) {
        return rc;
    }

    if (w->len == 0) {
        cr_chunk_cluster_begin(w, time_ms);
    }

    if (!t->seen) {
        t->seen = true;
        t->first_ms = time_ms;
    }

    cr_writer_init(&out, w->buf + w->len, w->size - w->len);

    cr_ebml_id(&out, CR_MKV_SIMPLE_BLOCK);
    cr_ebml_size(&out, (uint32_t) (CR_BLOCK_HEAD + frame->size));
    cr_write_u8(&out, 0x80 | number);
    cr_write_u16(&out, (uint16_t) (time_ms - w->time_ms));
    cr_write_u8(&out, frame->keyframe ? CR_BLOCK_KEYFRAME : 0);
    cr_write_bytes(&out, frame->data, frame->size);

    w->len += cr_writer_len(&out);

    return CR_OK;
}


cr_status_e
cr_chunk_writer_flush(cr_chunk_writer_t *w)
{
    size_t  len;

    if (w->len == 0) {
        return CR_OK;
    }

    len = w->len;
    w->len = 0;

    /* the size counts what is behind it */
    cr_ebml_put_size8(w->buf + 4, len - 12);

    return cr_chunk_write(w, w->buf, len);
}


uint8_t *
cr_chunk_writer_take(cr_chunk_writer_t *w)
{
    uint8_t  *buf;

    buf = w->buf;

    w->buf = NULL;
    w->size = 0;

    return buf;
}


uint64_t
cr_chunk_writer_size(const cr_chunk_writer_t *w)
{
    return w->written + w->len;
}
