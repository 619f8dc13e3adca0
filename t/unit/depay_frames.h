
/*
 * Copyright (C) The call recorder authors
 *
 * What the depacketiser tests share: packets in, a copy of the frames out.
 */

#ifndef DEPAY_FRAMES_H
#define DEPAY_FRAMES_H


#include "depay/depay.h"
#include "env.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>


#define FRAMES_MAX  16


typedef struct {
    unsigned    n;
    cr_frame_t  frame[FRAMES_MAX];
    int64_t     arrival_us[FRAMES_MAX];
    uint8_t     data[FRAMES_MAX][512];
    uint8_t     config[FRAMES_MAX][CR_CODEC_CONFIG_MAX];
} frames_t;


typedef struct {
    cr_depay_t     *depay;
    cr_env_t        env;
    test_env_t      failing;
    frames_t        out;
} depay_test_t;


static inline void
depay_test_frame(void *ctx, cr_frame_t *frame, int64_t arrival_us)
{
    unsigned   n;
    frames_t  *out = ctx;

    assert_true(out->n < FRAMES_MAX);

    n = out->n++;
    out->frame[n] = *frame;
    out->arrival_us[n] = arrival_us;

    memcpy(out->data[n], frame->data,
           frame->size < sizeof(out->data[n]) ? frame->size
                                              : sizeof(out->data[n]));

    if (frame->config_size != 0) {
        memcpy(out->config[n], frame->config, frame->config_size);
    }
}


static inline void
depay_test_open(depay_test_t *t, const cr_media_params_t *params)
{
    memset(t, 0, sizeof(depay_test_t));

    test_env_init(&t->failing, 1);
    t->env = t->failing.env;
    t->depay = cr_depay_create(&t->env, params, depay_test_frame, &t->out);
    assert_non_null(t->depay);
}


static inline void
depay_test_close(depay_test_t *t)
{
    cr_depay_destroy(t->depay);
    assert_int_equal(t->failing.live, 0);
}


/* The bytes are copied to their exact size, so that ASan sees overreads. */
static inline cr_status_e
depay_test_push(depay_test_t *t, uint32_t timestamp, bool marker,
    const void *data, size_t len)
{
    uint8_t            *copy;
    cr_status_e         rc;
    cr_depay_packet_t   packet;

    copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, data, len);

    packet = (cr_depay_packet_t) {
        .marker = marker,
        .timestamp = timestamp,
        .arrival_us = timestamp * 10,
        .payload = { copy, len }
    };

    rc = cr_depay_push(t->depay, &packet);

    free(copy);

    return rc;
}


static inline void
depay_test_gap(depay_test_t *t)
{
    cr_depay_packet_t  packet = { .gap = true };

    assert_int_equal(cr_depay_push(t->depay, &packet), CR_OK);
}


#define PUSH(t, ts, marker, bytes)                                            \
    depay_test_push(t, ts, marker, bytes, sizeof(bytes) - 1)


#endif /* DEPAY_FRAMES_H */
