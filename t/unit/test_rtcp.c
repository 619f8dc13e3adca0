
/*
 * Copyright (C) The call recorder authors
 *
 * RTCP, read and written.
 */


#include "rtp/rtcp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>


static uint8_t      buf[2048];
static cr_writer_t  w;


static void
begin(void)
{
    memset(buf, 0xee, sizeof(buf));
    cr_writer_init(&w, buf, sizeof(buf));
}


/* The only packet of what was written. */
static cr_rtcp_t
only(void)
{
    cr_rtcp_t       rtcp;
    const uint8_t  *pos = buf;

    assert_false(w.overflow);
    assert_int_equal(cr_rtcp_next(&pos, w.pos, &rtcp), CR_OK);
    assert_ptr_equal(pos, w.pos);
    assert_int_equal(cr_rtcp_next(&pos, w.pos, &rtcp), CR_AGAIN);
    return rtcp;
}


static void
a_compound_is_walked(void **state)
{
    uint32_t        ssrc;
    cr_rtcp_t       rtcp;
    cr_rtcp_sr_t    sr;
    const uint8_t  *pos = buf;

    (void) state;
    begin();
    sr.ntp = 0x0102030405060708;
    sr.rtp_timestamp = 9;
    sr.packets = 10;
    sr.octets = 11;
    cr_rtcp_write_sr(&w, 1, &sr);
    cr_rtcp_write_sdes(&w, 2, "name");
    cr_rtcp_write_bye(&w, 3);
    assert_false(w.overflow);
    memset(&sr, 0, sizeof(sr));

    assert_int_equal(cr_rtcp_next(&pos, w.pos, &rtcp), CR_OK);
    assert_int_equal(rtcp.type, CR_RTCP_SR);
    assert_int_equal(rtcp.ssrc, 1);
    assert_int_equal(cr_rtcp_sr(&rtcp, &sr), CR_OK);
    assert_true(sr.ntp == 0x0102030405060708);
    assert_int_equal(sr.rtp_timestamp, 9);
    assert_int_equal(sr.packets, 10);
    assert_int_equal(sr.octets, 11);
    assert_false(cr_rtcp_bye(&rtcp, 0, &ssrc));

    assert_int_equal(cr_rtcp_next(&pos, w.pos, &rtcp), CR_OK);
    assert_int_equal(rtcp.type, CR_RTCP_SDES);
    assert_int_equal(rtcp.count, 1);
    assert_int_equal(rtcp.ssrc, 2);
    assert_int_equal(cr_rtcp_sr(&rtcp, &sr), CR_DECLINED);

    assert_int_equal(cr_rtcp_next(&pos, w.pos, &rtcp), CR_OK);
    assert_int_equal(rtcp.type, CR_RTCP_BYE);
    assert_true(cr_rtcp_bye(&rtcp, 0, &ssrc));
    assert_int_equal(ssrc, 3);
    assert_false(cr_rtcp_bye(&rtcp, 1, &ssrc));
    assert_int_equal(cr_rtcp_next(&pos, w.pos, &rtcp), CR_AGAIN);
}


static void
damage_is_refused(void **state)
{
    size_t          i;
    cr_rtcp_t       rtcp;
    cr_rtcp_sr_t    sr;
    const uint8_t  *pos;

    static const struct {
        size_t   len;
        uint8_t  data[12];
    } bad[] = {
        { 3, { 0x80, 200, 0 } },
        { 4, { 0x40, 200, 0, 0 } },
        { 4, { 0x80, 191, 0, 0 } },
        { 4, { 0x80, 224, 0, 0 } },
        { 4, { 0x80, 201, 0, 1 } },
        { 7, { 0x80, 201, 0, 1, 1, 2, 3 } },
        { 4, { 0xa0, 201, 0, 0 } },
        { 8, { 0xa0, 201, 0, 1, 0, 0, 0, 0 } },
        { 8, { 0xa0, 201, 0, 1, 0, 0, 0, 5 } },
    };

    (void) state;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        pos = bad[i].data;
        assert_int_equal(cr_rtcp_next(&pos, pos + bad[i].len, &rtcp),
                         CR_INVALID);
        assert_ptr_equal(pos, bad[i].data);
    }

    /* a sender report with fewer blocks than it says */
    begin();
    cr_rtcp_write_sr(&w, 1, &(cr_rtcp_sr_t) { .ntp = 1 });
    buf[0] |= 1;
    rtcp = only();
    assert_int_equal(cr_rtcp_sr(&rtcp, &sr), CR_INVALID);
}


static void
padding_is_cut_off_and_bye_may_be_empty(void **state)
{
    uint32_t        ssrc;
    cr_rtcp_t       rtcp;
    const uint8_t  *pos;
    const uint8_t   padded[] = { 0xa2, 203, 0, 2, 0, 0, 0, 7, 0, 0, 0, 4 };
    const uint8_t   empty[] = { 0x80, 203, 0, 0 };

    (void) state;
    pos = padded;
    assert_int_equal(cr_rtcp_next(&pos, pos + 12, &rtcp), CR_OK);
    assert_int_equal(rtcp.body.len, 4);
    assert_true(cr_rtcp_bye(&rtcp, 0, &ssrc));
    assert_int_equal(ssrc, 7);
    assert_false(cr_rtcp_bye(&rtcp, 1, &ssrc));

    pos = empty;
    assert_int_equal(cr_rtcp_next(&pos, pos + 4, &rtcp), CR_OK);
    assert_int_equal(rtcp.ssrc, 0);
    assert_false(cr_rtcp_bye(&rtcp, 0, &ssrc));
}


static void
receiver_reports(void **state)
{
    cr_rtcp_t        rtcp;
    cr_rtcp_block_t  blocks[32];
    const uint8_t    want[] = {
        0x82, 201, 0, 13, 0, 0, 0, 9,
        0, 0, 0, 1, 64, 0xff, 0xff, 0xfe, 0, 1, 0, 2,
        0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5,
        0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    };

    (void) state;
    begin();
    memset(blocks, 0, sizeof(blocks));
    blocks[0] = (cr_rtcp_block_t) { 1, 64, -2, 0x10002, 3, 4, 5 };
    blocks[1].ssrc = 6;
    cr_rtcp_write_rr(&w, 9, blocks, 2);
    rtcp = only();
    assert_int_equal(rtcp.type, CR_RTCP_RR);
    assert_int_equal(cr_writer_len(&w), sizeof(want));
    assert_memory_equal(buf, want, sizeof(want));

    begin();
    cr_rtcp_write_rr(&w, 9, NULL, 0);
    assert_int_equal(only().count, 0);

    begin();
    cr_rtcp_write_rr(&w, 9, blocks, 32);
    assert_true(w.overflow);
}


static void
sdes_is_padded_with_at_least_one_zero(void **state)
{
    char       name[257];
    size_t     len, i;
    cr_rtcp_t  rtcp;

    (void) state;

    for (len = 0; len <= 256; len++) {
        memset(name, 'x', len);
        name[len] = '\0';
        begin();
        cr_rtcp_write_sdes(&w, 5, name);

        if (len == 256) {
            assert_true(w.overflow);
            break;
        }

        rtcp = only();
        assert_int_equal(rtcp.body.data[4], 1);
        assert_int_equal(rtcp.body.data[5], len);
        assert_memory_equal(rtcp.body.data + 6, name, len);
        assert_true(rtcp.body.len - 6 - len >= 1);
        assert_true(rtcp.body.len - 6 - len <= 4);

        for (i = 6 + len; i < rtcp.body.len; i++) {
            assert_int_equal(rtcp.body.data[i], 0);
        }
    }
}


static void
nacks_say_what_they_were_told(void **state)
{
    bool       asked[65536];
    size_t     pos;
    uint16_t   seqs[128], seq, pid, blp;
    unsigned   round, i, n, b, seed;
    cr_rtcp_t  rtcp;

    (void) state;
    seed = 1;

    for (round = 0; round < 2000; round++) {
        memset(asked, 0, sizeof(asked));
        seq = (uint16_t) (65536 - 200 + round % 300);
        n = 1 + round % 128;

        for (i = 0; i < n; i++) {
            seed = seed * 1103515245 + 12345;
            seqs[i] = seq;
            asked[seq] = true;
            seq = (uint16_t) (seq + 1 + (seed >> 16) % (round % 40 + 1));
        }

        begin();
        cr_rtcp_write_nack(&w, 1, 2, seqs, n);
        rtcp = only();
        assert_int_equal(rtcp.type, CR_RTCP_RTPFB);
        assert_int_equal(rtcp.count, 1);
        assert_int_equal(rtcp.ssrc, 1);
        assert_int_equal(cr_get_u32(rtcp.body.data + 4), 2);
        assert_true(rtcp.body.len > 8);

        for (pos = 8; pos < rtcp.body.len; pos += 4) {
            pid = cr_get_u16(rtcp.body.data + pos);
            blp = cr_get_u16(rtcp.body.data + pos + 2);
            assert_true(asked[pid]);
            asked[pid] = false;

            for (b = 0; b < 16; b++) {
                if (blp >> b & 1) {
                    assert_true(asked[(uint16_t) (pid + b + 1)]);
                    asked[(uint16_t) (pid + b + 1)] = false;
                }
            }
        }

        for (i = 0; i < 65536; i++) {
            assert_false(asked[i]);
        }
    }

    begin();
    cr_rtcp_write_nack(&w, 1, 2, seqs, 0);
    assert_int_equal(cr_writer_len(&w), 0);

    /* seventeen in a row fit into one entry */
    for (i = 0; i < 17; i++) {
        seqs[i] = (uint16_t) (65530 + i);
    }

    begin();
    cr_rtcp_write_nack(&w, 1, 2, seqs, 17);
    assert_int_equal(cr_writer_len(&w), 16);
    assert_int_equal(cr_get_u16(buf + 14), 0xffff);
}


static void
requests_for_keyframes(void **state)
{
    const uint8_t  pli[] = { 0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2 };
    const uint8_t  fir[] = {
        0x84, 206, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 7, 0, 0, 0
    };

    (void) state;
    begin();
    cr_rtcp_write_pli(&w, 1, 2);
    assert_int_equal(cr_writer_len(&w), sizeof(pli));
    assert_memory_equal(buf, pli, sizeof(pli));

    begin();
    cr_rtcp_write_fir(&w, 1, 2, 7);
    assert_int_equal(cr_writer_len(&w), sizeof(fir));
    assert_memory_equal(buf, fir, sizeof(fir));
}


static void
remb_has_a_mantissa_of_18_bits(void **state)
{
    unsigned        i;
    uint64_t        got;
    const uint32_t  ssrcs[] = { 5, 6 };
    const uint64_t  rates[] = {
        0, 1, 262143, 262144, 2500000, 10000000000, UINT64_MAX
    };

    (void) state;

    for (i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        begin();
        cr_rtcp_write_remb(&w, 1, rates[i], ssrcs, 2);
        (void) only();
        assert_int_equal(cr_writer_len(&w), 28);
        assert_int_equal(buf[0], 0x8f);
        assert_int_equal(buf[1], 206);
        assert_int_equal(cr_get_u32(buf + 8), 0);
        assert_memory_equal(buf + 12, "REMB", 4);
        assert_int_equal(buf[16], 2);
        got = (uint64_t) (cr_get_u24(buf + 17) & 0x3ffff) << (buf[17] >> 2);
        assert_true(got <= rates[i]);
        assert_true(rates[i] - got <= rates[i] >> 17);
        assert_int_equal(cr_get_u32(buf + 24), 6);
    }
}


static void
an_xr_tells_the_round_trip(void **state)
{
    size_t          len;
    uint32_t        last_rr, delay;
    cr_rtcp_t       rtcp;
    const uint8_t  *pos;

    /* RFC 3611 section 4: of no interest, then two sub-blocks of a DLRR */
    static const uint8_t  xr[] =
        "\x80\xcf\0\x0b\0\0\0\x01"
        "\x04\0\0\x02" "11112222"
        "\x05\0\0\x06" "\0\0\0\x07" "abcd" "efgh"
        "\0\0\0\x08\0\x01\0\0\0\0\x80\0";

    (void) state;

    begin();
    cr_rtcp_write_rrtr(&w, 7, 0x0102030405060708);
    assert_int_equal(cr_writer_len(&w), 20);
    assert_memory_equal(buf, "\x80\xcf\0\x04\0\0\0\x07\x04\0\0\x02"
                        "\1\2\3\4\5\6\7\x08", 20);

    pos = xr;
    assert_int_equal(cr_rtcp_next(&pos, xr + sizeof(xr) - 1, &rtcp), CR_OK);
    assert_true(cr_rtcp_dlrr(&rtcp, 8, &last_rr, &delay));
    assert_int_equal(last_rr, 0x10000);
    assert_int_equal(delay, 0x8000);
    assert_true(cr_rtcp_dlrr(&rtcp, 7, &last_rr, &delay));
    assert_false(cr_rtcp_dlrr(&rtcp, 9, &last_rr, &delay));

    /* cut anywhere */
    for (len = rtcp.body.len; len-- > 0; ) {
        rtcp.body.len = len;
        assert_false(cr_rtcp_dlrr(&rtcp, 8, &last_rr, &delay));
    }
}


static void
writers_stop_at_the_end(void **state)
{
    size_t           size;
    uint8_t         *small;
    const uint16_t   seqs[] = { 1, 100, 200 };

    (void) state;

    for (size = 0; size < 40; size++) {
        small = malloc(size ? size : 1);
        cr_writer_init(&w, small, size);
        cr_rtcp_write_nack(&w, 1, 2, seqs, 3);
        assert_int_equal(w.overflow, size < 24);

        cr_writer_init(&w, small, size);
        cr_rtcp_write_sdes(&w, 1, "0123456789");
        assert_int_equal(w.overflow, size < 24);
        free(small);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(a_compound_is_walked),
        cmocka_unit_test(damage_is_refused),
        cmocka_unit_test(padding_is_cut_off_and_bye_may_be_empty),
        cmocka_unit_test(receiver_reports),
        cmocka_unit_test(sdes_is_padded_with_at_least_one_zero),
        cmocka_unit_test(nacks_say_what_they_were_told),
        cmocka_unit_test(requests_for_keyframes),
        cmocka_unit_test(remb_has_a_mantissa_of_18_bits),
        cmocka_unit_test(an_xr_tells_the_round_trip),
        cmocka_unit_test(writers_stop_at_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
