
/*
 * Copyright (C) The call recorder authors
 *
 * The bytes of chunk files, read back with a small EBML reader.
 */


#include "chunk/chunk.h"
#include "chunk/ebml.h"
#include "env.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>


#define ID_EBML       0x1a45dfa3
#define ID_SEGMENT    0x18538067
#define ID_CLUSTER    0x1f43b675
#define ID_TIMESTAMP  0xe7
#define ID_BLOCK      0xa3

#define UNKNOWN       UINT64_C(0x00ffffffffffffff)

#define MB            (1024 * 1024)


typedef struct {
    uint8_t            *data;
    size_t              len;
    unsigned            calls;
    unsigned            fail_at;
    cr_chunk_writer_t  *take;     /* from it; NULL: bytes are copied */
    uint8_t            *taken;
} sink_t;


static const uint8_t  opus_head[19] = "OpusHead\1\2\0\0\x80\xbb";

static const cr_chunk_track_t  tracks[] = {
    { .number = 1, .kind = CR_KIND_VIDEO, .codec = CR_CODEC_VP8,
      .width = 640, .height = 480 },
    { .number = 2, .kind = CR_KIND_AUDIO, .codec = CR_CODEC_OPUS,
      .channels = 2, .sample_rate = 48000, .config = opus_head,
      .config_size = sizeof(opus_head) }
};

static test_env_t          heap;
static sink_t              s;
static cr_chunk_writer_t  *w;


static cr_status_e
sink(void *ctx, const uint8_t *data, size_t size)
{
    sink_t  *s = ctx;

    if (++s->calls == s->fail_at) {
        return CR_LIMIT;
    }

    s->data = realloc(s->data, s->len + size);
    assert_non_null(s->data);
    memcpy(s->data + s->len, data, size);
    s->len += size;

    if (s->take != NULL) {
        s->taken = cr_chunk_writer_take(s->take);
        assert_ptr_equal(s->taken, data);
    }

    return CR_OK;
}


/* An element at p: its id, size and where its content begins. */
static const uint8_t *
element(const uint8_t *p, uint32_t *id, uint64_t *size)
{
    int       n, i;
    uint32_t  v;

    n = 1;

    while (!(p[0] & (0x80 >> (n - 1)))) {
        n++;
    }

    for (v = 0, i = 0; i < n; i++) {
        v = v << 8 | p[i];
    }

    *id = v;
    p += n;
    n = 1;

    while (!(p[0] & (0x80 >> (n - 1)))) {
        n++;
    }

    *size = p[0] & (0xff >> n);

    for (i = 1; i < n; i++) {
        *size = *size << 8 | p[i];
    }

    return p + n;
}


typedef struct {
    uint8_t         number;
    uint8_t         flags;
    int64_t         time_ms;
    const uint8_t  *data;
    size_t          len;
    unsigned        cluster;
} block_t;


/* All blocks of a file; checks that the elements fill it exactly. */
static unsigned
blocks(const sink_t *s, block_t *out, unsigned max)
{
    int64_t         cluster_ms;
    uint32_t        id;
    uint64_t        size;
    unsigned        n, clusters;
    const uint8_t  *p, *end, *cluster_end;

    n = 0;
    clusters = 0;
    end = s->data + s->len;

    p = element(s->data, &id, &size);
    assert_int_equal(id, ID_EBML);
    p = element(p + size, &id, &size);
    assert_int_equal(id, ID_SEGMENT);
    assert_true(size == UNKNOWN);

    while (p < end) {
        p = element(p, &id, &size);
        assert_true(size <= (uint64_t) (end - p));

        if (id != ID_CLUSTER) {
            p += size;
            continue;
        }

        clusters++;
        cluster_end = p + size;

        p = element(p, &id, &size);
        assert_int_equal(id, ID_TIMESTAMP);
        assert_int_equal(size, 8);
        cluster_ms = (int64_t) cr_get_u64(p);
        p += size;

        while (p < cluster_end) {
            p = element(p, &id, &size);
            assert_int_equal(id, ID_BLOCK);
            assert_true(n < max);

            out[n++] = (block_t) {
                .number = p[0] & 0x7f,
                .time_ms = cluster_ms + (int16_t) cr_get_u16(p + 1),
                .flags = p[3],
                .data = p + 4,
                .len = size - 4,
                .cluster = clusters
            };

            p += size;
        }

        assert_ptr_equal(p, cluster_end);
    }

    return n;
}


static cr_status_e
put(cr_chunk_writer_t *w, uint8_t number, int64_t time_ms, bool keyframe,
    const void *data, size_t size)
{
    cr_frame_t  frame = {
        .keyframe = keyframe, .data = data, .size = size
    };

    return cr_chunk_writer_frame(w, number, &frame, time_ms);
}


static int
setup(void **state)
{
    (void) state;

    test_env_init(&heap, 1);
    memset(&s, 0, sizeof(s));
    w = NULL;

    return 0;
}


static int
teardown(void **state)
{
    (void) state;

    cr_chunk_writer_destroy(w);
    cr_free(&heap.env, s.taken);
    assert_int_equal(heap.live, 0);
    free(s.data);

    return 0;
}


static void
create(const cr_chunk_track_t *of, unsigned n)
{
    w = cr_chunk_writer_create(&heap.env, of, n, sink, &s);
    assert_non_null(w);
}


static void
frames_are_read_back_as_they_were_written(void **state)
{
    block_t  b[8];

    (void) state;
    create(tracks, 2);
    assert_int_equal(s.calls, 1);
    assert_int_equal(cr_chunk_writer_size(w), s.len);

    assert_int_equal(put(w, 1, 100000, true, "key", 3), CR_OK);
    assert_int_equal(put(w, 2, 99990, true, "sound", 5), CR_OK);
    assert_int_equal(put(w, 1, 100040, false, "delta", 5), CR_OK);
    assert_int_equal(put(w, 2, 100010, true, "", 0), CR_OK);

    assert_int_equal(s.calls, 1);
    assert_int_equal(cr_chunk_writer_flush(w), CR_OK);
    assert_int_equal(s.calls, 2);
    assert_int_equal(cr_chunk_writer_flush(w), CR_OK);
    assert_int_equal(s.calls, 2);
    assert_int_equal(cr_chunk_writer_size(w), s.len);

    assert_int_equal(blocks(&s, b, 8), 4);

    assert_int_equal(b[0].number, 1);
    assert_int_equal(b[0].time_ms, 100000);
    assert_int_equal(b[0].flags, 0x80);
    assert_int_equal(b[0].len, 3);
    assert_memory_equal(b[0].data, "key", 3);

    /* sound that is older than the cluster has a negative offset */
    assert_int_equal(b[1].number, 2);
    assert_int_equal(b[1].time_ms, 99990);
    assert_int_equal(b[1].flags, 0x80);

    assert_int_equal(b[2].time_ms, 100040);
    assert_int_equal(b[2].flags, 0);
    assert_int_equal(b[3].len, 0);

    cr_chunk_writer_destroy(NULL);
}


static void
a_cluster_spans_half_a_second_of_a_track(void **state)
{
    int      i;
    block_t  b[128];

    (void) state;
    create(tracks, 2);

    /* video lags 1.5 s behind sound; that alone cuts no cluster */
    for (i = 0; i < 50; i++) {
        assert_int_equal(put(w, 1, 2000 + i * 20, i == 0, "v", 1), CR_OK);
        assert_int_equal(put(w, 2, 3500 + i * 20, true, "a", 1), CR_OK);
    }

    cr_chunk_writer_flush(w);
    assert_int_equal(s.calls, 1 + 2);
    assert_int_equal(blocks(&s, b, 128), 100);

    for (i = 0; i < 100; i++) {
        assert_int_equal(b[i].cluster, i < 50 ? 1 : 2);
        assert_int_equal(b[i].time_ms, (i % 2 ? 3500 : 2000) + i / 2 * 20);
    }
}


static void
times_that_do_not_fit_begin_a_cluster(void **state)
{
    block_t  b[8];

    (void) state;
    create(tracks, 2);

    assert_int_equal(put(w, 1, 50000, true, "v", 1), CR_OK);
    assert_int_equal(put(w, 2, 50000 + 32767, true, "a", 1), CR_OK);
    assert_int_equal(put(w, 1, 50000 - 32768, false, "v", 1), CR_OK);
    assert_int_equal(put(w, 1, 50000 - 32769, false, "v", 1), CR_OK);
    assert_int_equal(put(w, 2, 50000, true, "a", 1), CR_OK);
    cr_chunk_writer_flush(w);

    assert_int_equal(blocks(&s, b, 8), 5);
    assert_int_equal(b[2].time_ms, 50000 - 32768);
    assert_int_equal(b[2].cluster, 1);
    assert_int_equal(b[3].cluster, 2);
    assert_int_equal(b[3].time_ms, 50000 - 32769);
    assert_int_equal(b[4].cluster, 3);
}


static void
a_cluster_s_memory_is_bounded(void **state)
{
    int       i;
    block_t   b[8];
    uint8_t  *frame;

    (void) state;
    frame = calloc(1, 17 * MB);
    assert_non_null(frame);

    create(tracks, 2);

    for (i = 0; i < 4; i++) {
        assert_int_equal(put(w, 1, i, true, frame, 10000), CR_OK);
    }

    /* one that is larger has a cluster of its own */
    assert_int_equal(put(w, 1, 4, true, frame, 7 * MB), CR_OK);
    assert_int_equal(put(w, 1, 5, true, frame, 17 * MB), CR_LIMIT);
    cr_chunk_writer_flush(w);

    assert_int_equal(blocks(&s, b, 8), 5);
    assert_int_equal(b[2].cluster, 1);
    assert_int_equal(b[3].cluster, 2);
    assert_int_equal(b[4].cluster, 3);
    assert_int_equal(b[4].len, 7 * MB);
    assert_int_equal(s.calls, 4);

    free(frame);
}


static void
a_cluster_that_was_taken_is_the_receiver_s(void **state)
{
    block_t  b[8];

    (void) state;
    create(tracks, 2);

    s.take = w;
    assert_int_equal(put(w, 1, 0, true, "one", 3), CR_OK);
    assert_int_equal(cr_chunk_writer_flush(w), CR_OK);
    s.take = NULL;

    assert_int_equal(put(w, 1, 40, true, "two", 3), CR_OK);
    assert_int_equal(cr_chunk_writer_flush(w), CR_OK);
    assert_int_equal(blocks(&s, b, 8), 2);
    assert_memory_equal(b[1].data, "two", 3);

    cr_chunk_writer_destroy(w);
    w = NULL;
    assert_int_equal(heap.live, 1);
}


static void
sizes_take_as_few_bytes_as_they_can(void **state)
{
    size_t       i;
    uint8_t      p[8];
    uint32_t     id;
    uint64_t     size;
    cr_writer_t  w;

    static const struct {
        uint32_t  size;
        size_t    len;
    } sizes[] = {
        { 0, 1 }, { 126, 1 }, { 127, 2 }, { 16382, 2 }, { 16383, 3 },
        { 2097150, 3 }, { 2097151, 4 }, { 268435454, 4 }
    };

    (void) state;

    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        cr_writer_init(&w, p, sizeof(p));
        cr_ebml_id(&w, ID_BLOCK);
        cr_ebml_size(&w, sizes[i].size);
        assert_int_equal(cr_writer_len(&w), 1 + sizes[i].len);
        assert_ptr_equal(element(p, &id, &size), w.pos);
        assert_int_equal(size, sizes[i].size);
    }
}


static void
what_cannot_be_written_is_refused(void **state)
{
    size_t            i;
    cr_chunk_track_t  bad[7];

    (void) state;

    for (i = 0; i < 7; i++) {
        bad[i] = tracks[i % 2];
    }

    bad[0].codec = CR_CODEC_NONE;
    bad[1].config_size = 0;                     /* Opus without OpusHead */
    bad[2].codec = CR_CODEC_H264;               /* without avcC */
    bad[3].number = 0;
    bad[4].number = 127;
    bad[5].config_size = CR_CODEC_CONFIG_MAX + 1;
    bad[6].kind = CR_KIND_AUDIO;                /* VP8 */

    for (i = 0; i < 7; i++) {
        assert_null(cr_chunk_writer_create(&heap.env, &bad[i], 1, sink, &s));
    }

    assert_null(cr_chunk_writer_create(&heap.env, tracks, 0, sink, &s));
    assert_null(cr_chunk_writer_create(&heap.env, tracks, CR_TRACK_MAX + 1,
                                       sink, &s));
    assert_int_equal(s.calls, 0);

    create(tracks, 2);
    assert_int_equal(put(w, 3, 0, true, "x", 1), CR_INVALID);
    assert_int_equal(put(w, 1, -1, true, "x", 1), CR_INVALID);
}


static void
the_largest_head_fits(void **state)
{
    int               i;
    uint8_t           config[CR_CODEC_CONFIG_MAX];
    cr_chunk_track_t  all[CR_TRACK_MAX];

    (void) state;
    memset(config, 0xff, sizeof(config));

    for (i = 0; i < CR_TRACK_MAX; i++) {
        all[i] = tracks[i % 2];
        all[i].number = (uint8_t) (i + 1);
        all[i].config = config;
        all[i].config_size = sizeof(config);
        all[i].width = 65535;
        all[i].height = 65535;
    }

    create(all, CR_TRACK_MAX);
}


static void
a_failed_write_is_told(void **state)
{
    block_t  b[8];

    (void) state;
    s.fail_at = 1;
    assert_null(cr_chunk_writer_create(&heap.env, tracks, 2, sink, &s));

    s.calls = 0;
    s.fail_at = 2;
    create(tracks, 2);

    assert_int_equal(put(w, 1, 0, true, "lost", 4), CR_OK);
    assert_int_equal(put(w, 1, 500, true, "here", 4), CR_LIMIT);

    /* the next cluster is none the worse for it */
    assert_int_equal(put(w, 1, 540, true, "there", 5), CR_OK);
    assert_int_equal(cr_chunk_writer_flush(w), CR_OK);
    assert_int_equal(blocks(&s, b, 8), 1);
    assert_memory_equal(b[0].data, "there", 5);
}


static void
a_failed_allocation_loses_no_other_frame(void **state)
{
    int       i, n;
    block_t   b[64];
    uint8_t  *frame;
    unsigned  fail;

    frame = calloc(1, 50000);
    assert_non_null(frame);

    for (fail = 1; fail <= 4; fail++) {
        (void) setup(state);
        heap.fail_at = fail;
        w = cr_chunk_writer_create(&heap.env, tracks, 2, sink, &s);

        if (fail <= 2) {
            assert_null(w);
            (void) teardown(state);
            continue;
        }

        n = 0;

        for (i = 0; i < 4; i++) {
            n += put(w, 1, i * 40, true, frame, 50000) == CR_OK;
        }

        /* one buffer, used again */
        assert_int_equal(n, fail == 3 ? 3 : 4);
        cr_chunk_writer_flush(w);
        assert_int_equal(blocks(&s, b, 64), n);

        (void) teardown(state);
    }

    free(frame);
}


#define TEST(f)  cmocka_unit_test_setup_teardown(f, setup, teardown)


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        TEST(frames_are_read_back_as_they_were_written),
        TEST(a_cluster_spans_half_a_second_of_a_track),
        TEST(times_that_do_not_fit_begin_a_cluster),
        TEST(a_cluster_s_memory_is_bounded),
        TEST(a_cluster_that_was_taken_is_the_receiver_s),
        cmocka_unit_test(sizes_take_as_few_bytes_as_they_can),
        TEST(what_cannot_be_written_is_refused),
        TEST(the_largest_head_fits),
        TEST(a_failed_write_is_told),
        cmocka_unit_test(a_failed_allocation_loses_no_other_frame)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
