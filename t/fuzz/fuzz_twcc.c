
/*
 * Copyright (C) The call recorder authors
 *
 * Any arrivals, and feedback in any room: two bytes a step, the step of the
 * number (or far jumps and writes) and of the time.
 */


#include "rtp/twcc.h"
#include "fuzz.h"


#define STEP_WRITE  0xff
#define STEP_JUMP   0xfe


static void
report(cr_twcc_t *twcc, size_t room)
{
    uint8_t      *buf;
    int64_t       base;
    uint32_t      pending;
    cr_writer_t   w;

    buf = malloc(room + 1);

    for ( ;; ) {
        base = twcc->base_seq;
        pending = twcc->pending;
        cr_writer_init(&w, buf, room);

        if (!cr_twcc_write(twcc, &w, 1, 2)) {
            break;
        }

        if (w.overflow || cr_writer_len(&w) % 4 != 0
            || cr_writer_len(&w) != (size_t) (cr_get_u16(buf + 2) + 1) * 4
            || twcc->base_seq <= base || twcc->pending >= pending)
        {
            abort();
        }
    }

    if (w.overflow ? room >= 28 : twcc->pending != 0) {
        abort();
    }

    free(buf);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t    now, s;
    uint16_t   seq;
    uint32_t   pending;
    cr_twcc_t  twcc;

    cr_twcc_init(&twcc);
    now = 0;
    seq = 0;

    for ( /* void */ ; size >= 2; data += 2, size -= 2) {

        switch (data[0]) {

        case STEP_WRITE:
            report(&twcc, (size_t) data[1] * 6);
            continue;

        case STEP_JUMP:
            seq = (uint16_t) (seq + data[1] * 257);
            now += (int64_t) data[1] * 40000;
            break;

        default:
            seq = (uint16_t) (seq + (int8_t) data[0]);
            now += data[1] * 100;
        }

        cr_twcc_packet(&twcc, seq, now);

        pending = 0;

        for (s = twcc.base_seq; s <= twcc.last_seq; s++) {
            pending += twcc.arrival_us[s & (CR_TWCC_WINDOW - 1)]
                       != INT64_MIN;
        }

        if (pending != twcc.pending
            || twcc.last_seq - twcc.base_seq >= CR_TWCC_WINDOW)
        {
            abort();
        }
    }

    report(&twcc, 1200);

    return 0;
}
