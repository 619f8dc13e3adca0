
/*
 * Copyright (C) The call recorder authors
 *
 * RFC 5109 sections 7.3 and 7.4:
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |E|L|P|X|  CC   |M| PT recovery |            SN base            |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |                          TS recovery                          |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |        length recovery        |       protection length       |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |             mask              |  32 bits more of it when L is
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-  set
 *
 * The parity is of P to PT, of the time stamp, of the length and of the bytes
 * behind the fixed header.
 */

#include "rtp/ulpfec.h"


#define CR_ULPFEC_E        0x80
#define CR_ULPFEC_L        0x40
#define CR_ULPFEC_BITS     0x3f        /* P, X, CC */
#define CR_ULPFEC_VERSION  0x80        /* RFC 3550 section 5.1 */
#define CR_ULPFEC_MARKER   0x80

#define CR_ULPFEC_SPAN     48          /* bits of the longer mask */
#define CR_ULPFEC_BODY     (CR_ULPFEC_SIZE - CR_RTP_HEADER_SIZE)


/* What the parity is of. */
typedef struct {
    uint8_t   bits;                    /* P, X, CC */
    uint8_t   type;                    /* M, PT */
    uint16_t  len;                     /* of body */
    uint32_t  timestamp;
    uint8_t   body[CR_ULPFEC_BODY];
} cr_ulpfec_bytes_t;


typedef struct {
    bool               used;
    uint16_t           seq;
    cr_ulpfec_bytes_t  bytes;
} cr_ulpfec_media_t;


typedef struct {
    bool               used;
    uint16_t           base;
    uint64_t           mask;           /* bit 47 - n is base + n */
    uint16_t           size;           /* protected bytes of body */
    cr_ulpfec_bytes_t  bytes;
} cr_ulpfec_parity_t;


struct cr_ulpfec_s {
    cr_env_t            env;
    uint32_t            ssrc;
    bool                started;
    uint16_t            newest;
    bool                fresh;         /* something came since recover() */
    unsigned            next;          /* of parity, to be used again */
    cr_ulpfec_parity_t  parity[CR_ULPFEC_PENDING];
    cr_ulpfec_media_t   media[CR_ULPFEC_PACKETS];
    uint8_t             out[CR_ULPFEC_SIZE];
};


cr_ulpfec_t *
cr_ulpfec_create(const cr_env_t *env)
{
    cr_ulpfec_t  *f;

    f = cr_alloc(env, sizeof(cr_ulpfec_t));

    if (f != NULL) {
        f->env = *env;
    }

    return f;
}


void
cr_ulpfec_destroy(cr_ulpfec_t *f)
{
    cr_env_t  env;

    if (f == NULL) {
        return;
    }

    env = f->env;
    cr_free(&env, f);
}


void
cr_ulpfec_reset(cr_ulpfec_t *f, uint32_t ssrc)
{
    unsigned  i;

    f->ssrc = ssrc;
    f->started = false;
    f->fresh = false;

    for (i = 0; i < CR_ULPFEC_PACKETS; i++) {
        f->media[i].used = false;
    }

    for (i = 0; i < CR_ULPFEC_PENDING; i++) {
        f->parity[i].used = false;
    }
}


static cr_ulpfec_media_t *
cr_ulpfec_slot(cr_ulpfec_t *f, uint16_t seq)
{
    return &f->media[seq % CR_ULPFEC_PACKETS];
}


static void
cr_ulpfec_came(cr_ulpfec_t *f, cr_ulpfec_media_t *m, uint16_t seq)
{
    m->used = true;
    m->seq = seq;

    if (!f->started || (int16_t) (seq - f->newest) > 0) {
        f->started = true;
        f->newest = seq;
    }

    f->fresh = true;
}


void
cr_ulpfec_media(cr_ulpfec_t *f, const uint8_t *data, size_t len, size_t head,
    uint8_t pt, size_t cut)
{
    size_t              n;
    uint16_t            seq;
    cr_ulpfec_media_t  *m;

    if (head < CR_RTP_HEADER_SIZE || head + cut > len
        || len - cut > CR_ULPFEC_SIZE)
    {
        return;
    }

    seq = cr_get_u16(data + 2);

    if (f->started && (int16_t) (f->newest - seq) >= CR_ULPFEC_PACKETS) {
        /* its place is another one's */
        return;
    }

    m = cr_ulpfec_slot(f, seq);

    m->bytes.bits = data[0] & CR_ULPFEC_BITS;
    m->bytes.type = (uint8_t) ((data[1] & CR_ULPFEC_MARKER) | pt);
    m->bytes.timestamp = cr_get_u32(data + 4);
    m->bytes.len = (uint16_t) (len - cut - CR_RTP_HEADER_SIZE);

    n = head - CR_RTP_HEADER_SIZE;

    memcpy(m->bytes.body, data + CR_RTP_HEADER_SIZE, n);
    memcpy(m->bytes.body + n, data + head + cut, len - head - cut);

    cr_ulpfec_came(f, m, seq);
}


void
cr_ulpfec_parity(cr_ulpfec_t *f, const cr_slice_t *payload)
{
    uint8_t              bits, type;
    uint16_t             base, length, low, size;
    uint32_t             high, timestamp;
    uint64_t             mask;
    cr_slice_t           body;
    const uint8_t       *p, *end;
    cr_ulpfec_parity_t  *r;

    p = payload->data;
    end = p + payload->len;

    bits = 0;
    mask = 0;
    low = 0;
    high = 0;

    p = cr_read_u8(p, end, &bits);
    p = cr_read_u8(p, end, &type);
    p = cr_read_u16(p, end, &base);
    p = cr_read_u32(p, end, &timestamp);
    p = cr_read_u16(p, end, &length);
    p = cr_read_u16(p, end, &size);
    p = cr_read_u16(p, end, &low);

    mask = (uint64_t) low << 32;

    if (bits & CR_ULPFEC_L) {
        p = cr_read_u32(p, end, &high);
        mask |= high;
    }

    p = cr_read_bytes(p, end, p != NULL ? size : 0, &body);

    /* section 7.3: E is reserved, what has it is to be ignored */

    if (p == NULL || mask == 0 || (bits & CR_ULPFEC_E)
        || size > CR_ULPFEC_BODY)
    {
        return;
    }

    r = &f->parity[f->next++ % CR_ULPFEC_PENDING];

    r->used = true;
    r->base = base;
    r->mask = mask;
    r->size = size;
    r->bytes.bits = bits & CR_ULPFEC_BITS;
    r->bytes.type = type;
    r->bytes.timestamp = timestamp;
    r->bytes.len = length;
    memcpy(r->bytes.body, body.data, body.len);

    f->fresh = true;
}


/* How many of its packets are not there; *seq: the last of them. */
static unsigned
cr_ulpfec_missing(cr_ulpfec_t *f, const cr_ulpfec_parity_t *r, uint16_t *seq)
{
    uint16_t                  n;
    unsigned                  i, missing;
    const cr_ulpfec_media_t  *m;

    missing = 0;

    for (i = 0; i < CR_ULPFEC_SPAN; i++) {
        if (!(r->mask >> (CR_ULPFEC_SPAN - 1 - i) & 1)) {
            continue;
        }

        n = (uint16_t) (r->base + i);
        m = cr_ulpfec_slot(f, n);

        if (!m->used || m->seq != n) {
            missing++;
            *seq = n;
        }
    }

    return missing;
}


/* What is left of the parity without the packets that are there. */
static void
cr_ulpfec_subtract(cr_ulpfec_t *f, cr_ulpfec_parity_t *r)
{
    uint16_t                  n;
    unsigned                  i, j;
    const cr_ulpfec_media_t  *m;

    for (i = 0; i < CR_ULPFEC_SPAN; i++) {
        n = (uint16_t) (r->base + i);
        m = cr_ulpfec_slot(f, n);

        if (!(r->mask >> (CR_ULPFEC_SPAN - 1 - i) & 1) || !m->used
            || m->seq != n)
        {
            continue;
        }

        r->bytes.bits ^= m->bytes.bits;
        r->bytes.type ^= m->bytes.type;
        r->bytes.timestamp ^= m->bytes.timestamp;
        r->bytes.len ^= m->bytes.len;

        for (j = 0; j < m->bytes.len && j < r->size; j++) {
            r->bytes.body[j] ^= m->bytes.body[j];
        }
    }
}


static cr_status_e
cr_ulpfec_rebuild(cr_ulpfec_t *f, cr_ulpfec_parity_t *r, uint16_t seq,
    cr_rtp_t *rtp)
{
    cr_status_e         rc;
    cr_ulpfec_media_t  *m;

    r->used = false;

    cr_ulpfec_subtract(f, r);

    if (r->bytes.len > r->size) {
        /* the rest would be in levels above, which nobody sends */
        return CR_UNSUPPORTED;
    }

    f->out[0] = CR_ULPFEC_VERSION | r->bytes.bits;
    f->out[1] = r->bytes.type;
    cr_put_u16(f->out + 2, seq);
    cr_put_u32(f->out + 4, r->bytes.timestamp);
    cr_put_u32(f->out + 8, f->ssrc);
    memcpy(f->out + CR_RTP_HEADER_SIZE, r->bytes.body, r->bytes.len);

    rc = cr_rtp_parse(f->out, CR_RTP_HEADER_SIZE + (size_t) r->bytes.len,
                      rtp);
    if (rc != CR_OK) {
        return rc;
    }

    m = cr_ulpfec_slot(f, seq);
    m->bytes = r->bytes;
    cr_ulpfec_came(f, m, seq);

    return CR_OK;
}


cr_status_e
cr_ulpfec_recover(cr_ulpfec_t *f, cr_rtp_t *rtp)
{
    uint16_t             seq;
    unsigned             i, missing;
    cr_ulpfec_parity_t  *r;

    if (!f->fresh) {
        return CR_AGAIN;
    }

    for (i = 0; i < CR_ULPFEC_PENDING; i++) {
        r = &f->parity[i];

        if (!r->used) {
            continue;
        }

        if (f->started && (int16_t) (f->newest - r->base)
                          >= CR_ULPFEC_PACKETS)
        {
            /* its first packets may have made room for others */
            r->used = false;
            continue;
        }

        seq = 0;
        missing = cr_ulpfec_missing(f, r, &seq);

        if (missing == 0) {
            r->used = false;

        } else if (missing == 1
                   && cr_ulpfec_rebuild(f, r, seq, rtp) == CR_OK)
        {
            return CR_OK;
        }
    }

    f->fresh = false;

    return CR_AGAIN;
}
