
/*
 * Copyright (C) The call recorder authors
 *
 *  |V=2|P|  FMT=15 |    PT=205     |            length             |
 *  |                     SSRC of packet sender                     |
 *  |                      SSRC of media source                     |
 *  |      base sequence number     |      packet status count      |
 *  |                 reference time                | fb pkt. count |
 *  |         packet chunk          |  ...                          |
 *  |  recv delta   |  ...                          | zero padding  |
 */

#include "rtp/twcc.h"
#include "rtp/rtcp.h"
#include "rtp/rtp.h"


#define FMT_TWCC           15
#define HEAD_SIZE          20
/* leading losses, one vector, one large delta, padding */
#define FEEDBACK_MIN       (HEAD_SIZE + 8)

#define TICK_US            250         /* of a delta */
#define REFERENCE_TICKS    256         /* 64 ms */
#define RUN_MAX            0x1fff
#define ONE_BIT_SYMBOLS    14
#define TWO_BIT_SYMBOLS    7

#define CHUNK_ONE_BIT      0x8000
#define CHUNK_TWO_BIT      0xc000

#define NOT_HERE           INT64_MIN
#define SLOT(seq)          ((seq) & (CR_TWCC_WINDOW - 1))


/* Status symbols; the value is also the size of the delta. */
typedef enum {
    SYMBOL_LOST = 0,
    SYMBOL_SMALL = 1,
    SYMBOL_LARGE = 2
} symbol_e;


typedef struct {
    int64_t   reference;               /* in units of 64 ms */
    unsigned  n;
    uint8_t   symbols[CR_TWCC_WINDOW];
    int16_t   deltas[CR_TWCC_WINDOW];
} statuses_t;


void
cr_twcc_init(cr_twcc_t *twcc)
{
    unsigned  i;

    twcc->last_seq = -1;
    twcc->base_seq = 0;
    twcc->feedback_count = 0;
    twcc->pending = 0;

    for (i = 0; i < CR_TWCC_WINDOW; i++) {
        twcc->arrival_us[i] = NOT_HERE;
    }
}


/* Makes room for seq; what falls out of the window is never reported. */
static void
advance(cr_twcc_t *twcc, int64_t seq)
{
    int64_t  s, from;

    from = twcc->last_seq + 1;

    if (from <= seq - CR_TWCC_WINDOW) {
        from = seq - CR_TWCC_WINDOW + 1;
    }

    for (s = from; s <= seq; s++) {
        twcc->arrival_us[SLOT(s)] = NOT_HERE;
    }

    twcc->last_seq = seq;

    if (twcc->base_seq <= seq - CR_TWCC_WINDOW) {
        twcc->base_seq = seq - CR_TWCC_WINDOW + 1;
        twcc->pending = 0;

        for (s = twcc->base_seq; s < from; s++) {
            twcc->pending += twcc->arrival_us[SLOT(s)] != NOT_HERE;
        }
    }
}


/*
 * A packet that was reported lost has come: report from it on once more.
 * Senders keep what they believe lost for that.
 */
static void
step_back(cr_twcc_t *twcc, int64_t seq)
{
    int64_t  s;

    for (s = seq; s < twcc->base_seq; s++) {
        twcc->pending += twcc->arrival_us[SLOT(s)] != NOT_HERE;
    }

    twcc->base_seq = seq;
}


void
cr_twcc_packet(cr_twcc_t *twcc, uint16_t seq, int64_t now_us)
{
    int64_t  s;

    if (twcc->last_seq == -1) {
        /* one cycle up, so that earlier ones do not become negative */
        s = (int64_t) seq + 0x10000;
        twcc->base_seq = s;
        twcc->last_seq = s - 1;

    } else {
        s = cr_rtp_unwrap16(twcc->last_seq, seq);
    }

    if (s > twcc->last_seq) {
        advance(twcc, s);

    } else if (s <= twcc->last_seq - CR_TWCC_WINDOW
               || twcc->arrival_us[SLOT(s)] != NOT_HERE)
    {
        return;

    } else if (s < twcc->base_seq) {
        step_back(twcc, s);
    }

    twcc->arrival_us[SLOT(s)] = now_us;
    twcc->pending++;
}


static int64_t
floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}


/* The statuses from base_seq on, up to a delta that cannot be expressed. */
static void
collect(const cr_twcc_t *twcc, statuses_t *st)
{
    bool     first;
    int64_t  s, arrival, tick, last, delta;

    first = true;
    last = 0;
    st->n = 0;
    st->reference = 0;

    for (s = twcc->base_seq; s <= twcc->last_seq; s++) {
        arrival = twcc->arrival_us[SLOT(s)];

        if (arrival == NOT_HERE) {
            st->symbols[st->n++] = SYMBOL_LOST;
            continue;
        }

        tick = floor_div(arrival, TICK_US);

        if (first) {
            first = false;
            st->reference = floor_div(tick, REFERENCE_TICKS);
            last = st->reference * REFERENCE_TICKS;
        }

        delta = tick - last;

        if (delta < INT16_MIN || delta > INT16_MAX) {
            break;
        }

        st->deltas[st->n] = (int16_t) delta;
        st->symbols[st->n++] = delta >= 0 && delta <= UINT8_MAX
                               ? SYMBOL_SMALL : SYMBOL_LARGE;
        last = tick;
    }
}


/* The best chunk for the statuses from i on; returns how many it takes. */
static unsigned
chunk(const statuses_t *st, unsigned i, unsigned n, uint16_t *value)
{
    unsigned  run, small, k, left;

    left = n - i;

    for (run = 1; run < left && run < RUN_MAX; run++) {
        if (st->symbols[i + run] != st->symbols[i]) {
            break;
        }
    }

    for (small = 0; small < left && small < ONE_BIT_SYMBOLS; small++) {
        if (st->symbols[i + small] == SYMBOL_LARGE) {
            break;
        }
    }

    if (small < ONE_BIT_SYMBOLS && small < left) {
        /* no one-bit vector can be filled */
        small = 0;
    }

    k = left < TWO_BIT_SYMBOLS ? left : TWO_BIT_SYMBOLS;

    if (run >= small && run >= k) {
        *value = (uint16_t) (st->symbols[i] << 13 | run);
        return run;
    }

    if (small != 0) {
        *value = CHUNK_ONE_BIT;

        for (k = 0; k < small; k++) {
            *value |= (uint16_t) (st->symbols[i + k]
                                  << (ONE_BIT_SYMBOLS - 1 - k));
        }

        return small;
    }

    *value = CHUNK_TWO_BIT;

    for (small = 0; small < k; small++) {
        *value |= (uint16_t) (st->symbols[i + small]
                              << 2 * (TWO_BIT_SYMBOLS - 1 - small));
    }

    return k;
}


/* How many statuses fit into room bytes of chunks and deltas. */
static unsigned
fit(const statuses_t *st, size_t room)
{
    size_t    used;
    unsigned  i, k, n;
    uint16_t  value;

    used = 0;

    for (i = 0; i < st->n; i += n) {
        n = chunk(st, i, st->n, &value);
        used += 2;

        for (k = 0; k < n; k++) {
            used += st->symbols[i + k];

            if (used > room) {
                /* a last chunk may be shorter */
                return used - st->symbols[i + k] > room ? i : i + k;
            }
        }
    }

    return i;
}


static void
write_statuses(cr_writer_t *w, const statuses_t *st, unsigned n)
{
    unsigned  i;
    uint16_t  value;

    for (i = 0; i < n; /* void */ ) {
        i += chunk(st, i, n, &value);
        cr_write_u16(w, value);
    }

    for (i = 0; i < n; i++) {
        if (st->symbols[i] == SYMBOL_SMALL) {
            cr_write_u8(w, (uint8_t) st->deltas[i]);

        } else if (st->symbols[i] == SYMBOL_LARGE) {
            cr_write_u16(w, (uint16_t) st->deltas[i]);
        }
    }
}


bool
cr_twcc_write(cr_twcc_t *twcc, cr_writer_t *w, uint32_t ssrc,
    uint32_t media_ssrc)
{
    size_t      room, start;
    unsigned    i, n;
    statuses_t  st;

    if (twcc->pending == 0) {
        return false;
    }

    room = (size_t) (w->end - w->pos) & ~(size_t) 3;

    if (w->overflow || room < FEEDBACK_MIN) {
        w->overflow = true;
        return false;
    }

    collect(twcc, &st);
    n = fit(&st, room - HEAD_SIZE);
    start = cr_writer_len(w);

    cr_write_u8(w, 0x80 | FMT_TWCC);
    cr_write_u8(w, CR_RTCP_RTPFB);
    cr_write_u16(w, 0);
    cr_write_u32(w, ssrc);
    cr_write_u32(w, media_ssrc);
    cr_write_u16(w, (uint16_t) twcc->base_seq);
    cr_write_u16(w, (uint16_t) n);
    cr_write_u24(w, (uint32_t) st.reference & 0xffffff);
    cr_write_u8(w, twcc->feedback_count++);
    write_statuses(w, &st, n);

    while ((cr_writer_len(w) - start) % 4 != 0) {
        cr_write_u8(w, 0);
    }

    cr_put_u16(w->start + start + 2,
               (uint16_t) ((cr_writer_len(w) - start) / 4 - 1));

    for (i = 0; i < n; i++) {
        twcc->pending -= st.symbols[i] != SYMBOL_LOST;
    }

    twcc->base_seq += n;

    return true;
}
