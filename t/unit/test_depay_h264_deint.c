
/*
 * Copyright (C) The call recorder authors
 *
 * H.264 in packetization mode 2: a sender by the book (RFC 6184 section 5)
 * that mixes NAL units up and packs them in all ways that there are.
 */


#include "depay_frames.h"


#define SPS    "\x67\x42\xc0\x16\xd9\x00\xa0\x2f\xf9\x61\x00\x00\x03\x00\x01" \
               "\x00\x00\x03\x00\x3c\x0f\x16\x2e\x48"
#define PPS    "\x68\xcb\x83\xcb\x20"

#define PICTURES  12
#define UNITS     (PICTURES + 2)
#define STEP      3000
#define DEPTH     4


typedef struct {
    size_t    len;
    uint16_t  don;
    uint32_t  timestamp;
    uint8_t   data[256];
} unit_t;


static unit_t  units[UNITS];

static const cr_media_params_t  interleaved = {
    .kind = CR_KIND_VIDEO, .codec = CR_CODEC_H264, .clock_rate = 90000,
    .h264_packetization_mode = 2, .h264_interleaving_depth = DEPTH
};


/* Parameter sets, a keyframe, and pictures of many sizes behind it. */
static void
make_units(uint16_t don)
{
    size_t    j;
    unsigned  i;
    unit_t   *u;

    for (i = 0; i < UNITS; i++) {
        u = &units[i];
        u->don = (uint16_t) (don + i);
        u->timestamp = i < 3 ? 0 : (i - 2) * STEP;

        if (i == 0) {
            u->len = sizeof(SPS) - 1;
            memcpy(u->data, SPS, u->len);
            continue;
        }

        if (i == 1) {
            u->len = sizeof(PPS) - 1;
            memcpy(u->data, PPS, u->len);
            continue;
        }

        u->len = 8 + i * 53 % 200;
        memcpy(u->data, i == 2 ? "\x65\x88" : "\x41\x9a", 2);

        for (j = 2; j < u->len; j++) {
            u->data[j] = (uint8_t) (0x80 | (i + j));
        }
    }
}


/* RFC 6184 sections 5.7 and 5.8; the packet's time is the least. */
static void
send_mtap(depay_test_t *t, const unsigned *which, unsigned n, bool wide)
{
    size_t    len;
    uint8_t   packet[1024];
    uint16_t  base;
    uint32_t  timestamp;
    unsigned  i;
    unit_t   *u;

    timestamp = UINT32_MAX;
    base = units[which[0]].don;

    for (i = 0; i < n; i++) {
        u = &units[which[i]];
        timestamp = u->timestamp < timestamp ? u->timestamp : timestamp;

        if ((int16_t) (u->don - base) < 0) {
            base = u->don;
        }
    }

    packet[0] = wide ? 27 : 26;
    cr_put_u16(packet + 1, base);
    len = 3;

    for (i = 0; i < n; i++) {
        u = &units[which[i]];
        cr_put_u16(packet + len, (uint16_t) (u->len + (wide ? 4 : 3)));
        packet[len + 2] = (uint8_t) (u->don - base);

        if (wide) {
            cr_put_u24(packet + len + 3, u->timestamp - timestamp);

        } else {
            cr_put_u16(packet + len + 3,
                       (uint16_t) (u->timestamp - timestamp));
        }

        len += wide ? 6 : 5;
        memcpy(packet + len, u->data, u->len);
        len += u->len;
    }

    assert_int_equal(depay_test_push(t, timestamp, false, packet, len),
                     CR_OK);
}


static void
send_stap(depay_test_t *t, unsigned which, unsigned n)
{
    size_t   len;
    uint8_t  packet[1024];
    unit_t  *u;

    packet[0] = 25;
    cr_put_u16(packet + 1, units[which].don);
    len = 3;

    /* those that follow each other, of one time */
    for (u = &units[which]; n-- != 0; u++) {
        cr_put_u16(packet + len, (uint16_t) u->len);
        memcpy(packet + len + 2, u->data, u->len);
        len += 2 + u->len;
    }

    assert_int_equal(depay_test_push(t, units[which].timestamp, false,
                                     packet, len), CR_OK);
}


static void
send_fragments(depay_test_t *t, unsigned which)
{
    size_t         pos, n, head;
    uint8_t        packet[64];
    const unit_t  *u = &units[which];

    for (pos = 1; pos < u->len; pos += n) {
        n = u->len - pos < 20 ? u->len - pos : 20;
        head = pos == 1 ? 4 : 2;

        packet[0] = (uint8_t) ((u->data[0] & 0x60) | (pos == 1 ? 29 : 28));
        packet[1] = (uint8_t) ((u->data[0] & 0x1f) | (pos == 1 ? 0x80 : 0)
                               | (pos + n == u->len ? 0x40 : 0));
        cr_put_u16(packet + 2, u->don);
        memcpy(packet + head, u->data + pos, n);

        assert_int_equal(depay_test_push(t, u->timestamp, false, packet,
                                         head + n), CR_OK);
    }
}


static void
assert_picture(const depay_test_t *t, unsigned n, unsigned picture)
{
    const unit_t  *u = &units[picture + 2];

    assert_int_equal(t->out.frame[n].rtp_timestamp, u->timestamp);
    assert_int_equal(t->out.frame[n].size, 4 + u->len);
    assert_int_equal(cr_get_u32(t->out.data[n]), u->len);
    assert_memory_equal(t->out.data[n] + 4, u->data, u->len);
}


static void
pictures_come_out_in_the_order_of_decoding(void **state)
{
    unsigned      i, j, k, round, order[PICTURES];
    test_env_t    random;
    depay_test_t  t;

    (void) state;
    test_env_init(&random, 7);

    for (round = 0; round < 200; round++) {
        /* over the end of the numbers as well */
        make_units((uint16_t) (round * 331 - 5));
        depay_test_open(&t, &interleaved);

        for (i = 0; i < PICTURES; i++) {
            order[i] = i + 2;
        }

        /* none has more than DEPTH in front of it that follow it */
        for (i = 0; i < PICTURES; i++) {
            j = i - (unsigned) (test_env_next(&random) % (i % DEPTH + 1));
            k = order[i];
            order[i] = order[j];
            order[j] = k;
        }

        send_stap(&t, 0, 2);

        for (i = 0; i < PICTURES; i += k) {
            k = 1;

            switch (test_env_next(&random) % 4) {

            case 0:
                send_stap(&t, order[i], 1);
                break;

            case 1:
                send_fragments(&t, order[i]);
                break;

            default:
                k = i + 2 <= PICTURES ? 2 : 1;
                send_mtap(&t, order + i, k, test_env_next(&random) & 1);
                break;
            }
        }

        cr_depay_flush(t.depay);

        assert_int_equal(t.out.n, PICTURES);
        assert_true(t.out.frame[0].keyframe);
        assert_int_equal(t.out.frame[0].width, 640);

        for (i = 0; i < PICTURES; i++) {
            assert_picture(&t, i, i);

            /* flushing cannot tell whether the last one is whole */
            assert_int_equal(t.out.frame[i].incomplete, i == PICTURES - 1);
        }

        depay_test_close(&t);
    }
}


static void
a_lost_unit_breaks_its_neighbour_alone(void **state)
{
    unsigned      i;
    depay_test_t  t;

    static const unsigned  order[] = { 2, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 13 };

    (void) state;
    make_units(0);
    depay_test_open(&t, &interleaved);
    send_stap(&t, 0, 2);

    for (i = 0; i < PICTURES; i++) {
        if (order[i] == 5) {
            depay_test_gap(&t);
            continue;
        }

        send_stap(&t, order[i], 1);
    }

    cr_depay_flush(t.depay);
    assert_int_equal(t.out.n, PICTURES - 1);

    /* the one before it may have been longer */
    for (i = 0; i < PICTURES - 2; i++) {
        assert_picture(&t, i, i < 3 ? i : i + 1);
        assert_int_equal(t.out.frame[i].incomplete, i == 2);
    }

    depay_test_close(&t);
}


static void
what_is_not_of_this_mode_is_refused(void **state)
{
    size_t        i;
    depay_test_t  t;

    static const struct {
        const char  *bytes;
        size_t       len;
    } packets[] = {
        { "\x65\x88\x84idr", 6 },               /* single */
        { "\x78\x00\x02\x65\x88", 5 },          /* STAP-A */
        { "\x19\x00", 2 },                      /* STAP-B, cut */
        { "\x19\x00\x00", 3 },
        { "\x19\x00\x00\x00\x05\x65", 6 },
        { "\x19\x00\x00\x00\x00", 5 },
        { "\x19\x00\x00\x00\x01\x78", 6 },      /* a STAP in a STAP */
        { "\x19\x00\x00\x00\x01\xe5", 6 },      /* the forbidden bit */
        { "\x1a\x00\x00\x00\x04\x00\x00\x00", 8 },
        { "\x1a\x00\x00\x00\x02\x00\x00\x00\x65", 9 },
        { "\x1b\x00\x00\x00\x05\x00\x00\x00", 8 },
        { "\x1d\x85\x00\x00", 4 },              /* FU-B, nothing in it */
        { "\x1d\x05\x00\x00x", 5 },             /* not a start */
        { "\x1c\x85x", 3 },                     /* FU-A, a start */
        { "\x1d\x80\x00\x00x", 5 },
        { "\x1d\x98\x00\x00x", 5 },
        { "\x1e", 1 }, { "\x1f", 1 }, { "\x00", 1 }
    };

    (void) state;

    for (i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
        depay_test_open(&t, &interleaved);
        assert_int_equal(depay_test_push(&t, 0, true, packets[i].bytes,
                                         packets[i].len), CR_INVALID);
        cr_depay_flush(t.depay);
        assert_int_equal(t.out.n, 0);
        depay_test_close(&t);
    }
}


static void
what_is_held_is_bounded(void **state)
{
    unsigned      i;
    uint8_t       packet[] = "\x19\x00\x00\x00\x03\x06\x05\x80";
    depay_test_t  t;

    (void) state;
    depay_test_open(&t, &interleaved);

    /* units of no picture, which are not counted by the depth */
    for (i = 0; i < 5000; i++) {
        cr_put_u16(packet + 1, (uint16_t) i);
        assert_int_equal(depay_test_push(&t, 0, false, packet,
                                         sizeof(packet) - 1), CR_OK);
        assert_true(t.failing.live < 2 * CR_H264_DEPTH_MAX + 5);
    }

    depay_test_close(&t);
}


static void
each_allocation_may_fail(void **state)
{
    long          n;
    unsigned      i;
    test_env_t    failing;
    cr_depay_t   *d;
    depay_test_t  t;

    (void) state;
    make_units(0);

    for (n = 1; n <= 2; n++) {
        test_env_init(&failing, 1);
        failing.fail_at = n;
        d = cr_depay_create(&failing.env, &interleaved, depay_test_frame,
                            NULL);
        assert_null(d);
        assert_int_equal(failing.live, 0);
    }

    for (n = 1; n < 40; n++) {
        depay_test_open(&t, &interleaved);
        t.failing.fail_at = t.failing.calls + n;

        for (i = 0; i < UNITS; i++) {
            uint8_t  packet[300];

            packet[0] = 25;
            cr_put_u16(packet + 1, units[i].don);
            cr_put_u16(packet + 3, (uint16_t) units[i].len);
            memcpy(packet + 5, units[i].data, units[i].len);

            (void) depay_test_push(&t, units[i].timestamp, false, packet,
                                   5 + units[i].len);
        }

        cr_depay_flush(t.depay);
        depay_test_close(&t);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(pictures_come_out_in_the_order_of_decoding),
        cmocka_unit_test(a_lost_unit_breaks_its_neighbour_alone),
        cmocka_unit_test(what_is_not_of_this_mode_is_refused),
        cmocka_unit_test(what_is_held_is_bounded),
        cmocka_unit_test(each_allocation_may_fail)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
