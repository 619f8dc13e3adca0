
/*
 * Copyright (C) The call recorder authors
 *
 * A publisher that sends its video in three layers.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "remote.h"


#define LAYERS            3
#define EXT_RID           10
#define EXT_REPAIRED_RID  11
#define HISTORY           512
#define SSRC              0x33330000u
#define RTX               0x44440000u
#define FRAME_US          40000


typedef struct {
    bool      off;
    bool      named;              /* packets carry the id */
    bool      key;                /* is wanted */
    uint16_t  seq;
    uint16_t  rtx_seq;
    unsigned  frames;
    unsigned  lose;               /* each packet of so many */
    size_t    len[HISTORY];
    uint8_t   packets[HISTORY][400];

    /* what came out */
    unsigned  got;
    unsigned  wrong;
    unsigned  keys;
    unsigned  plis;
    uint16_t  width;
    int64_t   last_us;
} layer_t;


/* large: not for the stack */
static remote_t  r;
static layer_t   layers[LAYERS];
static bool      by_ssrc;


static uint32_t
timestamp(unsigned i, int64_t us)
{
    return 777777777u * i + (uint32_t) (us * 9 / 100);
}


static size_t
head(unsigned i, uint8_t *p, bool rtx)
{
    layer_t  *l = &layers[i];

    p[0] = 0x90;
    p[1] = rtx ? REMOTE_RTX_PT : REMOTE_VIDEO_PT | 0x80;
    cr_put_u16(p + 2, rtx ? l->rtx_seq++ : l->seq);
    cr_put_u32(p + 4, timestamp(i, r.now_us));
    cr_put_u32(p + 8, (rtx ? RTX : SSRC) + i);
    cr_put_u32(p + 12, 0xbede0001);
    p[16] = (uint8_t) ((rtx ? EXT_REPAIRED_RID : EXT_RID) << 4);
    p[17] = (uint8_t) ('a' + i);
    p[18] = REMOTE_EXT_MID << 4;
    p[19] = '1';

    if (!l->named) {
        memset(p + 16, 0, 4);
    }

    return 20;
}


static void
seal(const uint8_t *data, size_t len)
{
    uint8_t  buf[600];

    memcpy(buf, data, len);
    assert_int_equal(cr_srtp_seal_rtp(r.srtp, buf, &len), CR_OK);
    remote_put(&r, true, buf, len);
}


/* One packet of VP8: (i + 1) * 160 wide, 100 + i times the number. */
static void
send_frame(unsigned i)
{
    size_t    n;
    layer_t  *l = &layers[i];
    uint8_t  *p = l->packets[l->seq % HISTORY];

    n = head(i, p, false);

    memset(p + n, (int) (i * 50 + l->frames % 50), 110 + i);
    p[n++] = 0x10;
    p[n] = l->key ? 0x10 : 0x11;

    if (l->key) {
        memcpy(p + n + 3, "\x9d\x01\x2a\0\0\x5a\0", 7);
        p[n + 6] = (uint8_t) ((i + 1) * 160);
        p[n + 7] = (uint8_t) ((i + 1) * 160 >> 8);
    }

    n += 109 + i;
    l->len[l->seq % HISTORY] = n;
    l->key = false;

    if (l->lose == 0 || l->seq % l->lose != 0) {
        seal(p, n);
    }

    l->seq++;
    l->frames++;
}


/* RFC 4588 section 4; of nothing, as browsers probe: padding alone */
static void
send_rtx(unsigned i, uint16_t seq, bool padding)
{
    size_t          n, len;
    uint8_t         p[600];
    layer_t        *l = &layers[i];
    const uint8_t  *old = l->packets[seq % HISTORY];

    n = head(i, p, true);

    if (padding) {
        p[0] |= 0x20;
        memset(p + n, 0, 200);
        p[n + 199] = 200;
        seal(p, n + 200);
        return;
    }

    len = l->len[seq % HISTORY];

    if (len == 0 || cr_get_u16(old + 2) != seq) {
        return;
    }

    p[1] |= old[1] & 0x80;
    memcpy(p + 4, old + 4, 4);
    cr_put_u16(p + n, seq);
    memcpy(p + n + 2, old + 20, len - 20);
    seal(p, len + 2);
}


static void
send_sr(unsigned i)
{
    size_t        len;
    uint8_t       buf[256];
    int64_t       us = r.now_us + 1000000000;
    cr_writer_t   w;
    cr_rtcp_sr_t  sr;

    memset(&sr, 0, sizeof(sr));
    sr.ntp = (uint64_t) (us / 1000000) << 32
             | ((uint64_t) (us % 1000000) << 32) / 1000000;
    sr.rtp_timestamp = timestamp(i, r.now_us);

    cr_writer_init(&w, buf, sizeof(buf) - CR_SRTP_TRAILER_MAX);
    cr_rtcp_write_sr(&w, SSRC + i, &sr);
    len = cr_writer_len(&w);

    assert_int_equal(cr_srtp_seal_rtcp(r.srtp, buf, &len), CR_OK);
    remote_put(&r, true, buf, len);
}


static void
on_frame(remote_t *remote, const cr_frame_t *frame)
{
    unsigned  i = frame->track - 1u;
    layer_t  *l;

    if (frame->kind == CR_KIND_AUDIO) {
        assert_int_equal(frame->track, 0);
        return;
    }

    assert_in_range(i, 0, LAYERS - 1);
    l = &layers[i];

    l->got++;
    l->keys += frame->keyframe;
    l->last_us = frame->time_us;
    l->width = frame->keyframe ? frame->width : l->width;
    l->wrong += frame->incomplete || frame->size != 109 + i
                || frame->data[50] / 50 != i;
    (void) remote;
}


static void
on_rtcp(remote_t *remote, const cr_rtcp_t *rtcp)
{
    unsigned        i, n, bit;
    uint16_t        pid, blp;
    const uint8_t  *p = rtcp->body.data;

    (void) remote;

    if (rtcp->type != CR_RTCP_RTPFB && rtcp->type != CR_RTCP_PSFB) {
        return;
    }

    i = cr_get_u32(p + 4) - SSRC;

    if (rtcp->type == CR_RTCP_PSFB && rtcp->count == 1) {
        assert_in_range(i, 0, LAYERS - 1);
        layers[i].plis++;
        layers[i].key = true;
    }

    if (rtcp->type != CR_RTCP_RTPFB || rtcp->count != 1) {
        return;
    }

    assert_in_range(i, 0, LAYERS - 1);

    for (n = 8; n + 4 <= rtcp->body.len; n += 4) {
        pid = cr_get_u16(p + n);
        blp = cr_get_u16(p + n + 2);
        send_rtx(i, pid, false);

        for (bit = 0; bit < 16; bit++) {
            if (blp >> bit & 1) {
                send_rtx(i, (uint16_t) (pid + bit + 1), false);
            }
        }
    }
}


static int
setup(void **state)
{
    unsigned            i;
    cr_media_params_t  *m;

    (void) remote_setup(state);
    memset(layers, 0, sizeof(layers));

    r.no_video = true;
    r.on_frame = on_frame;
    r.on_rtcp = on_rtcp;

    m = &r.session.media[1];
    m->ssrc = 0;
    m->rtx_ssrc = 0;
    m->ext_twcc = 0;
    m->fb_twcc = false;
    m->ext_video_orientation = 0;
    m->nlayers = LAYERS;

    for (i = 0; i < LAYERS; i++) {
        layers[i].seq = (uint16_t) (65500 + 3 * i);
        layers[i].key = true;
        layers[i].named = !by_ssrc;

        if (by_ssrc) {
            m->layers[i].ssrc = SSRC + i;
            m->layers[i].rtx_ssrc = RTX + i;

        } else {
            m->layers[i].rid[0] = (char) ('a' + i);
            m->ext_rid = EXT_RID;
            m->ext_repaired_rid = EXT_REPAIRED_RID;
        }
    }

    return 0;
}


static int
setup_by_ssrc(void **state)
{
    by_ssrc = true;
    (void) setup(state);
    by_ssrc = false;

    return 0;
}


/* For so many frames' time. */
static void
run(unsigned n)
{
    unsigned  i;

    for ( ; n != 0; n--) {
        for (i = 0; i < LAYERS; i++) {
            if (!layers[i].off) {
                send_frame(i);
            }

            if (!layers[i].off && n % 25 == 0) {
                send_sr(i);
            }
        }

        remote_run(&r, FRAME_US);
    }
}


/* All that was sent came out, but what is on its way. */
static void
assert_whole(unsigned i)
{
    assert_int_equal(layers[i].wrong, 0);
    assert_in_range(layers[i].got, layers[i].frames - 1, layers[i].frames);
    assert_int_equal(layers[i].width, (i + 1) * 160);
}


static void
each_layer_is_a_track(void **state)
{
    unsigned  i;
    int64_t   first;

    (void) state;

    remote_connect(&r);
    assert_int_equal(cr_peer_heard_us(r.peer, 1), INT64_MIN);
    run(250);

    for (i = 0; i < LAYERS; i++) {
        assert_whole(i);
        assert_int_equal(layers[i].keys, 1);
        assert_int_equal(layers[i].plis, 0);
        assert_in_range(r.now_us - cr_peer_heard_us(r.peer, i + 1), 0,
                        2 * FRAME_US);
        assert_true(r.clock[i + 1].from_sr);
    }

    assert_int_equal(cr_peer_heard_us(r.peer, 1 + LAYERS), INT64_MIN);

    /* one clock: what was captured together is at the same time */
    first = layers[0].last_us + r.clock[1].offset_us;

    for (i = 1; i < LAYERS; i++) {
        assert_in_range(layers[i].last_us + r.clock[i + 1].offset_us
                        - first + 3000, 0, 6000);
    }

    assert_int_equal(r.gaps, 0);
}


static void
what_is_lost_of_each_layer_is_recovered(void **state)
{
    unsigned         i;
    cr_peer_stats_t  stats;

    (void) state;

    remote_connect(&r);
    run(10);

    for (i = 0; i < LAYERS; i++) {
        layers[i].lose = 7 + i;
    }

    run(250);

    for (i = 0; i < LAYERS; i++) {
        layers[i].lose = 0;
    }

    run(10);

    for (i = 0; i < LAYERS; i++) {
        assert_whole(i);
    }

    cr_peer_stats(r.peer, &stats);
    assert_true(stats.lost > 80);
    assert_int_equal(stats.recovered, stats.lost);
    assert_int_equal(r.gaps, 0);
}


/* Chromium's first packets: padding on RTX, which names its layer. */
static void
probes_by_rtx_come_first(void **state)
{
    unsigned  i, n;

    (void) state;

    remote_connect(&r);

    for (n = 0; n < 20; n++) {
        for (i = 0; i < LAYERS; i++) {
            send_rtx(i, 0, true);
        }

        remote_run(&r, 5000);
    }

    assert_int_equal(cr_peer_heard_us(r.peer, 1), INT64_MIN);
    run(25);

    for (i = 0; i < LAYERS; i++) {
        assert_whole(i);
        layers[i].lose = 5;
    }

    /* after the first report packets do without the id */
    for (i = 0; i < LAYERS; i++) {
        layers[i].named = false;
    }

    run(50);

    for (i = 0; i < LAYERS; i++) {
        layers[i].lose = 0;
    }

    run(10);

    for (i = 0; i < LAYERS; i++) {
        assert_whole(i);
    }
}


static void
packets_that_name_no_layer_wait(void **state)
{
    (void) state;

    remote_connect(&r);

    layers[0].named = false;
    run(5);
    assert_int_equal(layers[0].got, 0);
    assert_whole(1);

    layers[0].named = true;
    layers[0].key = true;
    run(5);
    assert_in_range(layers[0].got, 4, 5);
}


static void
a_layer_goes_and_comes_back(void **state)
{
    (void) state;

    remote_connect(&r);
    run(50);

    layers[2].off = true;
    run(100);
    assert_true(r.now_us - cr_peer_heard_us(r.peer, 3) >= 99 * FRAME_US);
    assert_whole(0);
    assert_whole(1);
    assert_whole(2);

    /* 65500 and 6 have become a small number on the way */
    layers[2].off = false;
    layers[2].key = true;
    run(50);
    assert_whole(2);
    assert_int_equal(r.gaps, 0);
    assert_in_range(r.now_us - cr_peer_heard_us(r.peer, 3), 0, 2 * FRAME_US);

    /* it may say so, too */
    remote_bye(&r, SSRC + 2);
    layers[2].off = true;
    run(5);
    assert_int_equal(cr_peer_heard_us(r.peer, 3), INT64_MIN);
    assert_int_equal(r.state, CR_PEER_CONNECTED);

    /* and may be another stream afterwards */
    cr_peer_request_keyframe(r.peer, 2, false, r.now_us);
    run(5);
    assert_int_equal(layers[1].plis, 1);
    assert_int_equal(layers[0].plis, 0);
    assert_int_equal(layers[1].keys, 2);
}


static void
memory_that_is_not_there_is_told(void **state)
{
    unsigned  n;
    bool      made;

    (void) state;

    for (n = 1; n < 200; n++) {
        r.env.fail_at = r.env.calls + n;
        made = remote_create(&r);
        r.env.fail_at = 0;

        cr_peer_destroy(r.peer);
        cr_dtls_destroy(r.dtls);
        r.peer = NULL;
        r.dtls = NULL;

        if (made) {
            break;
        }
    }

    assert_in_range(n, LAYERS + 2, 199);
}


#define TEST(f)  REMOTE_TEST(f, &r, setup)
#define TEST_SSRC(f)  REMOTE_TEST(f, &r, setup_by_ssrc)

int
main(void)
{
    const struct CMUnitTest  tests[] = {
        TEST(each_layer_is_a_track),
        TEST(what_is_lost_of_each_layer_is_recovered),
        TEST(probes_by_rtx_come_first),
        TEST(packets_that_name_no_layer_wait),
        TEST(a_layer_goes_and_comes_back),
        TEST(memory_that_is_not_there_is_told),
        TEST_SSRC(each_layer_is_a_track),
        TEST_SSRC(what_is_lost_of_each_layer_is_recovered),
        TEST_SSRC(probes_by_rtx_come_first),
        TEST_SSRC(a_layer_goes_and_comes_back)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
