
/*
 * Copyright (C) The call recorder authors
 *
 * Receiver reports: RFC 3550 section 6.4.1, appendix A.3 (loss) and A.8
 * (jitter).
 */

#include "rtp/stream_impl.h"


#define LOST_MAX   0x7fffff
#define LOST_MIN   (-0x800000)


void
cr_stream_report_packet(cr_rtp_stream_t *s, const cr_rtp_t *rtp, bool newest,
    int64_t now_us)
{
    int64_t              seq, arrival, transit, d;
    cr_stream_report_t  *r = &s->report;

    if (!r->started) {
        cr_stream_report_restart(s, rtp->seq);
    }

    seq = cr_rtp_unwrap16(r->highest, rtp->seq);

    if (seq > r->highest) {
        r->highest = seq;
    }

    r->received++;

    if (!newest) {
        return;
    }

    arrival = now_us * s->config.clock_rate / 1000000;
    transit = (uint32_t) ((uint64_t) arrival - rtp->timestamp);

    if (r->timed) {
        d = (int32_t) ((uint32_t) transit - (uint32_t) r->transit);
        d = d < 0 ? -d : d;
        r->jitter += d - ((r->jitter + 8) >> 4);
    }

    r->transit = transit;
    r->timed = true;
}


void
cr_stream_report_restart(cr_rtp_stream_t *s, uint16_t seq)
{
    cr_stream_report_t  *r = &s->report;

    r->started = true;
    r->timed = false;
    r->base = seq;
    r->highest = seq;
    r->received = 0;
    r->expected_prior = 0;
    r->received_prior = 0;
}


void
cr_rtp_stream_sr(cr_rtp_stream_t *s, const cr_rtcp_sr_t *sr, int64_t now_us)
{
    s->report.sr_known = true;
    s->report.last_sr = (uint32_t) (sr->ntp >> 16);
    s->report.last_sr_us = now_us;
}


void
cr_rtp_stream_report(cr_rtp_stream_t *s, int64_t now_us,
    cr_rtcp_block_t *block)
{
    int64_t              lost, delay;
    uint64_t             expected, interval, received;
    cr_stream_report_t  *r = &s->report;

    memset(block, 0, sizeof(*block));
    block->ssrc = s->ssrc;

    if (r->started) {
        expected = (uint64_t) (r->highest - r->base + 1);
        interval = expected - r->expected_prior;
        received = r->received - r->received_prior;

        r->expected_prior = expected;
        r->received_prior = r->received;

        if (interval > received) {
            /* all lost would be 256, which does not fit */
            lost = (int64_t) (((interval - received) << 8) / interval);
            block->fraction_lost = lost > 255 ? 255 : (uint8_t) lost;
        }

        lost = (int64_t) (expected - r->received);
        lost = lost > LOST_MAX ? LOST_MAX : lost;
        lost = lost < LOST_MIN ? LOST_MIN : lost;

        block->cumulative_lost = (int32_t) lost;
        block->highest_seq = (uint32_t) r->highest;
        block->jitter = (uint32_t) (r->jitter >> 4);
    }

    if (r->sr_known) {
        delay = now_us - r->last_sr_us;

        block->last_sr = r->last_sr;
        block->delay_since_sr = delay <= 0 ? 0
            : delay >= (int64_t) 65535 * 1000000 ? UINT32_MAX
            : (uint32_t) (delay * 65536 / 1000000);
    }
}


const cr_rtp_stream_stats_t *
cr_rtp_stream_stats(const cr_rtp_stream_t *s)
{
    return &s->stats;
}
