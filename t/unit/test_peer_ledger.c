
/*
 * Copyright (C) The call recorder authors
 *
 * The ledger of what is lost for good is exact: known packets are lost, and
 * the gaps are compared by packets, time and track, for each codec.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "remote.h"


#define PACKETS   3                    /* of each picture */
#define FRAME_US  (100000 / 3.0)
#define SOUND_US  20000.0


/* What is lost: a run of packets, in pictures or in sound. */
typedef struct {
    unsigned  track;
    unsigned  first;
    unsigned  packets;
    /* what the journal says: from this frame to before that one */
    unsigned  from;
    unsigned  to;
} loss_t;

static const loss_t  losses[] = {
    { 1, 20 * PACKETS + 1, 1, 20, 21 },           /* of its middle */
    { 1, 30 * PACKETS, PACKETS, 30, 31 },         /* all of it */
    { 1, 40 * PACKETS, 1, 40, 41 },               /* its start */
    { 1, 50 * PACKETS + 2, 1, 50, 51 },           /* its end */
    { 1, 60 * PACKETS + 2, 2, 60, 62 },           /* and the next's start */
    { 1, 70 * PACKETS, 3 * PACKETS, 70, 73 },     /* several */
    { 1, 80 * PACKETS + 1, PACKETS + 1, 80, 82 }, /* two, from the middle */
    { 0, 100, 1, 100, 101 },
    { 0, 120, 5, 120, 125 },
};

#define LOSSES  (sizeof(losses) / sizeof(losses[0]))


/* large: not for the stack */
static remote_t  r;

static uint16_t  first_seq[2];


static bool
lose(remote_t *remote, unsigned video, uint16_t seq, bool again)
{
    unsigned  i, n = (uint16_t) (seq - first_seq[video]);

    (void) remote;
    (void) again;

    for (i = 0; i < LOSSES; i++) {
        if (losses[i].track == video && n >= losses[i].first
            && n < losses[i].first + losses[i].packets)
        {
            return true;
        }
    }

    return false;
}


static size_t
put(uint8_t *buf, const char *bytes, size_t len)
{
    memcpy(buf, bytes, len);

    return len;
}

#define PUT(bytes)  put(buf, bytes, sizeof(bytes) - 1)


/* 640x480, RFC 7741 */
static size_t
make_vp8(bool key, unsigned i, uint8_t *buf)
{
    switch (i) {
    case 0:
        return key ? PUT("\x10\x10\0\0\x9d\x01\x2a\x80\x02\xe0\x01")
                   : PUT("\x10\x11" "delta");
    case 1:
    case 2:
        return PUT("\0more");
    default:
        return 0;
    }
}


static size_t
make_vp9(bool key, unsigned i, uint8_t *buf)
{
    switch (i) {
    case 0:
        return key ? PUT("\x08\x82\x49\x83\x42\x20\x03\xf0\x02\xf0")
                   : PUT("\x48\x86" "delta");
    case 1:
        return key ? PUT("\0more") : PUT("\x40more");
    case 2:
        return key ? PUT("\x04" "end") : PUT("\x44" "end");
    default:
        return 0;
    }
}


static size_t
make_av1(bool key, unsigned i, uint8_t *buf)
{
    switch (i) {
    case 0:
        /* a sequence header's OBU; half of a frame's */
        return key ? PUT("\x18\x08\0\0\0\x02\xaf\xf7\x9b\x5f\x20\x08")
                   : PUT("\x50\x30\x30inter");
    case 1:
        return key ? PUT("\x50\x30\x10\0\x80key") : PUT("\xd0more");
    case 2:
        return PUT("\x90" "end");
    default:
        return 0;
    }
}


/* The parameter sets are x264's; a keyframe in fragments, three slices. */
static size_t
make_h264(bool key, unsigned i, uint8_t *buf)
{
    switch (i) {
    case 0:
        return key ? PUT("\x78\0\x19\x67\x42\xc0\x16\xd9\0\xa0\x2f\xf9\x70"
                         "\x11\0\0\x03\0\x01\0\0\x03\0\x14\x8f\x16\x2e\x48"
                         "\0\x05\x68\xcb\x83\xcb\x20")
                   : PUT("\x41\x9a" "delta");
    case 1:
        return key ? PUT("\x7c\x85\x88\x84idr") : PUT("\x41\x4f\x9a" "2nd");
    case 2:
        return key ? PUT("\x7c\x45" "end") : PUT("\x41\x4f\x9a" "3rd");
    default:
        return 0;
    }
}


/* The parameter sets are x265's; likewise. */
static size_t
make_h265(bool key, unsigned i, uint8_t *buf)
{
    switch (i) {
    case 0:
        return key ? PUT("\x60\x01\0\x18\x40\x01\x0c\x01\xff\xff\x01\x60\0"
                         "\0\x03\0\x90\0\0\x03\0\0\x03\0\x1e\x95\x94\x09"
                         "\0\x29\x42\x01\x01\x01\x60\0\0\x03\0\x90\0\0"
                         "\x03\0\0\x03\0\x1e\xa0\x20\x83\x16\x59\x59\x52"
                         "\x93\x0b\xc0\x5a\x02\0\0\x03\0\x02\0\0\x03\0"
                         "\x32\x10\0\x06\x44\x01\xc0\x73\xc0\x89")
                   : PUT("\x02\x01\xd0" "delta");
    case 1:
        return key ? PUT("\x62\x01\x94\xaf" "idr") : PUT("\x02\x01\x50" "2nd");
    case 2:
        return key ? PUT("\x62\x01\x54" "end") : PUT("\x02\x01\x50" "3rd");
    default:
        return 0;
    }
}


/* Media time of a track's n-th frame. */
static int64_t
frame_us(unsigned track, unsigned n)
{
    return r.first_us[track]
           + (int64_t) (n * (track == 1 ? FRAME_US : SOUND_US));
}


static const cr_gap_event_t *
gap_from(unsigned track, int64_t from_us)
{
    unsigned  i;

    for (i = 0; i < r.gaps; i++) {
        if (r.gap[i].track == track
            && llabs(r.gap[i].from_us - from_us) <= 2)
        {
            return &r.gap[i];
        }
    }

    return NULL;
}


static void
ledger(cr_codec_e codec, size_t (*make)(bool key, unsigned i, uint8_t *buf),
    unsigned incomplete)
{
    unsigned               i;
    cr_peer_stats_t        stats;
    const cr_gap_event_t  *gap;

    remote_init(&r, 1);
    r.session.media[1].codec = (uint8_t) codec;
    r.session.media[0].fb_nack = false;
    r.config.give_up_us = 200000;
    r.make = make;
    r.lose = lose;
    first_seq[0] = r.seq[0];
    first_seq[1] = r.seq[1];

    remote_connect(&r);
    remote_run(&r, 5000000);

    assert_int_equal(r.gaps, LOSSES);

    for (i = 0; i < LOSSES; i++) {
        gap = gap_from(losses[i].track, frame_us(losses[i].track,
                                                 losses[i].from));
        assert_non_null(gap);
        assert_int_equal(gap->packets, losses[i].packets);
        assert_true(llabs(gap->to_us - frame_us(gap->track, losses[i].to))
                    <= 2);
    }

    cr_peer_stats(r.peer, &stats);
    assert_int_equal(stats.given_up, r.gap_packets);
    assert_int_equal(stats.lost, r.gap_packets);
    assert_int_equal(r.wrong, 0);
    assert_int_equal(r.incomplete, incomplete);

    remote_destroy(&r);
    assert_int_equal(r.env.live, 0);
}


/* Without its start nothing of a picture of VP8 or VP9 is handed out. */

static void
of_vp8_and_sound(void **state)
{
    (void) state;
    ledger(CR_CODEC_VP8, make_vp8, 4);
}


static void
of_vp9(void **state)
{
    (void) state;
    ledger(CR_CODEC_VP9, make_vp9, 4);
}


/* Nor is anything of a picture that was a single OBU. */

static void
of_av1(void **state)
{
    (void) state;
    ledger(CR_CODEC_AV1, make_av1, 0);
}


/* Each slice that is left of a picture is of use. */

static void
of_h264(void **state)
{
    (void) state;
    ledger(CR_CODEC_H264, make_h264, 7);
}


static void
of_h265(void **state)
{
    (void) state;
    ledger(CR_CODEC_H265, make_h265, 7);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(of_vp8_and_sound),
        cmocka_unit_test(of_vp9),
        cmocka_unit_test(of_av1),
        cmocka_unit_test(of_h264),
        cmocka_unit_test(of_h265),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
