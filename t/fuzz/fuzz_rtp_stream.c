
/*
 * Copyright (C) The call recorder authors
 *
 * A stream driven by any steps, with memory that may run out.  The ledger
 * must come out even whatever happens.
 */


#include "rtp/stream.h"
#include "fuzz.h"


#define PACKETS_MAX  64
#define BYTES_MAX    16384


static long  live;
static long  live_max;


static void *
some_alloc(void *ctx, size_t size)
{
    /* the rest of the input decides how many succeed */
    size_t    *p;
    unsigned  *left = ctx;

    if (*left == 0) {
        return NULL;
    }

    *left -= 1;
    live += (long) size;
    live_max = live > live_max ? live : live_max;

    p = calloc(1, sizeof(size_t) * 2 + size);
    *p = size;
    return p + 2;
}


static void
some_free(void *ctx, void *p)
{
    (void) ctx;

    if (p != NULL) {
        live -= (long) ((size_t *) p)[-2];
        free((size_t *) p - 2);
    }
}


static uint64_t
drain(cr_rtp_stream_t *s, int64_t now, int64_t *next)
{
    uint64_t       n;
    cr_rtp_item_t  item;

    n = 0;

    while (cr_rtp_stream_pop(s, now, &item) == CR_OK) {

        if (item.seq != *next && *next != -1) {
            abort();
        }

        *next = item.seq + 1;

        if (item.gap) {
            n += item.gap_packets;
            *next += item.gap_packets > 1 ? item.gap_packets - 1 : 0;
            continue;
        }

        n++;

        if (item.payload.len != 0
            && (item.payload.data[0] != (uint8_t) item.payload.len
                || item.payload.data[item.payload.len - 1]
                   != (uint8_t) item.payload.len))
        {
            abort();
        }
    }

    return n;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t                       now, next, deadline;
    uint8_t                      *datagram;
    uint16_t                      seq, seqs[CR_NACK_MAX];
    uint64_t                      out;
    unsigned                      left, i, n;
    cr_env_t                      env;
    cr_rtp_t                      rtp;
    cr_rtcp_block_t               block;
    cr_rtp_stream_t              *s;
    cr_rtp_stream_config_t        config;
    const cr_rtp_stream_stats_t  *stats;

    if (size < 2) {
        return 0;
    }

    memset(&config, 0, sizeof(config));
    config.clock_rate = 90000;
    config.nack = data[0] & 1;
    config.packets_max = PACKETS_MAX;
    config.bytes_max = BYTES_MAX;
    config.give_up_us = (int64_t) (data[0] >> 1) * 10000;
    config.nack_delay_us = (data[0] >> 4) * 1000;
    config.holes_max = data[0] >> 2;
    config.lead_us = (data[0] >> 3) * 10000;

    left = data[1] == 255 ? 1000000 : data[1];
    live = 0;
    live_max = 0;

    env.alloc = some_alloc;
    env.free = some_free;
    env.random = NULL;
    env.ctx = &left;

    s = cr_rtp_stream_create(&env, &config, 1);
    if (s == NULL) {
        if (live != 0) {
            abort();
        }

        return 0;
    }

    now = 0;
    seq = 0;
    out = 0;
    next = -1;
    memset(&rtp, 0, sizeof(rtp));
    datagram = NULL;

    /* a command, a step of the number, a step of the time, a length */
    for (data += 2, size -= 2; size >= 4; data += 4, size -= 4) {
        now += data[2] * 1000;

        seq = (uint16_t) (seq + (data[0] & 0x80 ? data[1] * 257
                                                : (int8_t) data[1]));
        rtp.seq = seq;
        rtp.timestamp = data[0] & 0x40 ? (uint32_t) data[3] << 24
                                       : (uint32_t) (now * 9 / 100);
        rtp.payload.len = (size_t) data[3] * (data[0] & 0x20 ? 8 : 1);

        rtp.payload.data = malloc(rtp.payload.len + 1);
        memset((uint8_t *) rtp.payload.data, (int) rtp.payload.len,
               rtp.payload.len);

        (void) cr_rtp_stream_push(s, &rtp, data[0] & 0x10, now);

        if (data[0] & 4) {
            cr_rtp_stream_lead(s, data[3] % 32, now);
        }

        /* the one before must have been copied, or handed out, by now */
        free(datagram);
        datagram = (uint8_t *) rtp.payload.data;

        if (data[0] & 1) {
            out += drain(s, now, &next);
        }

        if (data[0] & 2) {
            for (i = 0; i < 4; i++) {
                n = cr_rtp_stream_nack(s, now, data[3] * 1000, seqs);

                if (n > CR_NACK_MAX || (n != 0 && !config.nack)) {
                    abort();
                }
            }
        }

        if (data[0] & 4) {
            cr_rtp_stream_report(s, now, &block);
        }

        if (data[0] & 8) {
            cr_rtp_stream_flush(s);
        }

        deadline = cr_rtp_stream_deadline(s);

        if ((data[0] & 0x0b) == 3 && deadline <= now) {
            abort();
        }
    }

    cr_rtp_stream_flush(s);
    out += drain(s, now, &next);
    stats = cr_rtp_stream_stats(s);

    if (out != stats->received + stats->given_up
        || stats->lost != stats->recovered + stats->reordered
                          + stats->given_up
        || cr_rtp_stream_deadline(s) != INT64_MAX
        || live_max > 256 * 1024)
    {
        abort();
    }

    cr_rtp_stream_destroy(s);
    free(datagram);

    if (live != 0) {
        abort();
    }

    return 0;
}
