
/*
 * Copyright (C) The call recorder authors
 *
 * H.264 in packetization mode 2: NAL units that were sent in another order
 * than they are decoded in, each with its decoding order number (RFC 6184
 * sections 5.5 and 7.2.2).
 *
 *     STAP-B | DON          | size, NAL unit | ...
 *     MTAP   | DON base     | size, DON difference, time offset, NAL unit | ...
 *     FU-B   | FU header | DON | fragment        FU-A | FU header | fragment
 */

#include "depay/depay_internal.h"


/* RFC 6184 sections 5.7.1 and 5.8 */
#define CR_H264_STAP_B     25
#define CR_H264_MTAP16     26
#define CR_H264_MTAP24     27
#define CR_H264_FU_A       28
#define CR_H264_FU_B       29

#define CR_H264_FORBIDDEN  0x80
#define CR_H264_NRI        0x60
#define CR_H264_TYPE       0x1f
#define CR_H264_FU_START   0x80
#define CR_H264_FU_END     0x40
#define CR_H264_VCL_LAST   5
#define CR_H264_NAL_LAST   23

/* held units, those of no picture included */
#define CR_H264_HELD_MAX   (2 * CR_H264_DEPTH_MAX)


typedef struct {
    uint16_t   don;
    bool       vcl;
    uint32_t   timestamp;
    int64_t    arrival_us;
    size_t     len;
    uint8_t   *data;
} cr_h264_unit_t;


struct cr_h264_deint_s {
    unsigned         depth;            /* sprop-interleaving-depth */
    unsigned         n;
    unsigned         nvcl;
    size_t           bytes;            /* of all, and of fu */
    bool             started;
    uint16_t         don;              /* of the unit before */
    unsigned         doubt;            /* units since a hole, at most */
    cr_h264_unit_t   units[CR_H264_HELD_MAX + 1];

    bool             open;             /* a unit in fragments */
    cr_h264_unit_t   fu;
    size_t           fu_size;
};


cr_status_e
cr_h264_deint_create(cr_depay_t *d, unsigned depth)
{
    d->deint = cr_alloc(&d->env, sizeof(cr_h264_deint_t));

    if (d->deint == NULL) {
        return CR_NOMEM;
    }

    d->deint->depth = depth < CR_H264_DEPTH_MAX ? depth : CR_H264_DEPTH_MAX;

    return CR_OK;
}


void
cr_h264_deint_destroy(cr_depay_t *d)
{
    unsigned          i;
    cr_h264_deint_t  *t = d->deint;

    if (t == NULL) {
        return;
    }

    for (i = 0; i < t->n; i++) {
        cr_free(&d->env, t->units[i].data);
    }

    cr_free(&d->env, t->fu.data);
    cr_free(&d->env, t);
}


/* The next unit in decoding order: section 7.2.2's DON distance. */
static cr_status_e
cr_h264_deint_pop(cr_depay_t *d)
{
    int16_t             distance, least;
    unsigned            best, i;
    cr_status_e         rc;
    cr_h264_unit_t      unit;
    cr_h264_deint_t    *t = d->deint;
    cr_depay_packet_t   packet;

    best = 0;
    least = 0;

    for (i = 0; i < t->n; i++) {
        /* what comes after its turn goes at once */
        distance = (int16_t) (t->units[i].don - t->don);

        if (i == 0 || distance < least) {
            best = i;
            least = distance;
        }
    }

    unit = t->units[best];
    t->n--;
    t->nvcl -= unit.vcl;
    t->bytes -= unit.len;

    /* as they came, where their numbers are the same */
    memmove(&t->units[best], &t->units[best + 1],
            (t->n - best) * sizeof(cr_h264_unit_t));

    memset(&packet, 0, sizeof(cr_depay_packet_t));
    packet.arrival_us = unit.arrival_us;

    if (t->doubt != 0) {
        t->doubt--;

        if (t->started && (uint16_t) (unit.don - t->don) > 1) {
            packet.gap = true;
            (void) cr_depay_ordered(d, &packet);
            packet.gap = false;
        }
    }

    t->started = true;
    t->don = unit.don;

    packet.timestamp = unit.timestamp;
    packet.payload.data = unit.data;
    packet.payload.len = unit.len;

    rc = cr_depay_ordered(d, &packet);

    cr_free(&d->env, unit.data);

    return rc;
}


/* Takes the unit over, its data included. */
static cr_status_e
cr_h264_deint_add(cr_depay_t *d, const cr_h264_unit_t *unit)
{
    uint8_t           type;
    cr_status_e       rc, result;
    cr_h264_unit_t   *u;
    cr_h264_deint_t  *t = d->deint;

    if (!t->started && t->n == 0) {
        t->don = unit->don;
    }

    type = unit->data[0] & CR_H264_TYPE;

    u = &t->units[t->n++];
    *u = *unit;
    u->vcl = type <= CR_H264_VCL_LAST;
    t->nvcl += u->vcl;

    result = CR_OK;

    while (t->nvcl > t->depth || t->n > CR_H264_HELD_MAX
           || t->bytes > CR_FRAME_SIZE_MAX)
    {
        rc = cr_h264_deint_pop(d);

        if (rc != CR_OK) {
            result = rc;
        }
    }

    return result;
}


static cr_status_e
cr_h264_deint_copy(cr_depay_t *d, const cr_depay_packet_t *packet,
    uint16_t don, uint32_t timestamp, const cr_slice_t *nal)
{
    cr_h264_unit_t  unit;

    if (nal->len == 0 || (nal->data[0] & CR_H264_FORBIDDEN)
        || (nal->data[0] & CR_H264_TYPE) == 0
        || (nal->data[0] & CR_H264_TYPE) > CR_H264_NAL_LAST)
    {
        return CR_INVALID;
    }

    memset(&unit, 0, sizeof(cr_h264_unit_t));
    unit.don = don;
    unit.timestamp = timestamp;
    unit.arrival_us = packet->arrival_us;
    unit.len = nal->len;
    unit.data = cr_alloc(&d->env, nal->len);

    if (unit.data == NULL) {
        return CR_NOMEM;
    }

    memcpy(unit.data, nal->data, nal->len);
    d->deint->bytes += unit.len;

    return cr_h264_deint_add(d, &unit);
}


const uint8_t *
cr_h264_interleaved(const uint8_t *p, const uint8_t *end, uint8_t type,
    cr_slice_t *nal, uint16_t *don, uint32_t *offset)
{
    uint8_t   difference;
    uint16_t  len, low;

    len = 0;
    difference = 0;
    *offset = 0;

    p = cr_read_u16(p, end, &len);

    if (type != CR_H264_STAP_B) {
        /* section 5.7.2: the size counts these, too */
        low = 0;
        p = cr_read_u8(p, end, &difference);

        if (type == CR_H264_MTAP24) {
            p = cr_read_u24(p, end, offset);
            len = (uint16_t) (len < 4 ? 0 : len - 4);

        } else {
            p = cr_read_u16(p, end, &low);
            *offset = low;
            len = (uint16_t) (len < 3 ? 0 : len - 3);
        }
    }

    *don = (uint16_t) (*don + difference);

    return cr_read_bytes(p, end, len, nal);
}


static cr_status_e
cr_h264_deint_aggregate(cr_depay_t *d, const cr_depay_packet_t *packet,
    uint8_t type)
{
    uint16_t        base, don;
    uint32_t        offset;
    cr_slice_t      nal;
    cr_status_e     rc, result;
    const uint8_t  *p, *end;

    end = packet->payload.data + packet->payload.len;
    base = 0;
    result = CR_OK;

    p = cr_read_u16(packet->payload.data + 1, end, &base);

    if (p == NULL || p == end) {
        return CR_INVALID;
    }

    don = base;

    while (p < end) {

        if (type != CR_H264_STAP_B) {
            don = base;
        }

        p = cr_h264_interleaved(p, end, type, &nal, &don, &offset);

        if (p == NULL || nal.len == 0) {
            return CR_INVALID;
        }

        rc = cr_h264_deint_copy(d, packet, don, packet->timestamp + offset,
                                &nal);
        if (rc != CR_OK) {
            result = rc;
        }

        /* section 5.7.1: each one's is one more */
        don++;
    }

    return result;
}


static void
cr_h264_deint_fu_drop(cr_depay_t *d)
{
    cr_h264_deint_t  *t = d->deint;

    if (t->open) {
        t->open = false;
        t->bytes -= t->fu.len;
        t->doubt = CR_H264_HELD_MAX;
    }
}


static cr_status_e
cr_h264_deint_fu_append(cr_depay_t *d, const uint8_t *data, size_t len)
{
    size_t            size;
    uint8_t          *p;
    cr_h264_deint_t  *t = d->deint;

    if (len > CR_FRAME_SIZE_MAX - t->fu.len) {
        return CR_LIMIT;
    }

    if (t->fu.len + len > t->fu_size) {
        size = 2 * (t->fu.len + len);

        p = cr_alloc(&d->env, size);
        if (p == NULL) {
            return CR_NOMEM;
        }

        if (t->fu.len != 0) {
            memcpy(p, t->fu.data, t->fu.len);
        }

        cr_free(&d->env, t->fu.data);
        t->fu.data = p;
        t->fu_size = size;
    }

    memcpy(t->fu.data + t->fu.len, data, len);
    t->fu.len += len;
    t->bytes += len;

    return CR_OK;
}


static cr_status_e
cr_h264_deint_fu(cr_depay_t *d, const cr_depay_packet_t *packet,
    uint8_t type)
{
    size_t            head;
    uint8_t           nal;
    cr_status_e       rc;
    const uint8_t    *p = packet->payload.data;
    cr_h264_unit_t    unit;
    cr_h264_deint_t  *t = d->deint;

    head = type == CR_H264_FU_B ? 4 : 2;

    if (packet->payload.len <= head || (p[0] & CR_H264_FORBIDDEN)
        || (p[1] & CR_H264_TYPE) == 0
        || (p[1] & CR_H264_TYPE) > CR_H264_NAL_LAST
        || (type == CR_H264_FU_B) != ((p[1] & CR_H264_FU_START) != 0))
    {
        cr_h264_deint_fu_drop(d);
        return CR_INVALID;
    }

    if (type == CR_H264_FU_B) {
        cr_h264_deint_fu_drop(d);

        t->open = true;
        t->fu.len = 0;
        t->fu.don = cr_get_u16(p + 2);
        t->fu.timestamp = packet->timestamp;
        t->fu.arrival_us = packet->arrival_us;

        /* the NAL header put together again */
        nal = (p[0] & CR_H264_NRI) | (p[1] & CR_H264_TYPE);
        rc = cr_h264_deint_fu_append(d, &nal, 1);

    } else if (!t->open) {
        /* its start is lost */
        return CR_OK;

    } else {
        rc = CR_OK;
    }

    if (rc == CR_OK) {
        rc = cr_h264_deint_fu_append(d, p + head, packet->payload.len - head);
    }

    if (rc != CR_OK) {
        cr_h264_deint_fu_drop(d);
        return rc;
    }

    if (!(p[1] & CR_H264_FU_END)) {
        return CR_OK;
    }

    unit = t->fu;
    memset(&t->fu, 0, sizeof(cr_h264_unit_t));
    t->fu_size = 0;
    t->open = false;

    return cr_h264_deint_add(d, &unit);
}


cr_status_e
cr_h264_deint_push(cr_depay_t *d, const cr_depay_packet_t *packet)
{
    uint8_t  type;

    if (packet->gap) {
        /* what is held, or comes now, may lack a neighbour */
        cr_h264_deint_fu_drop(d);
        d->deint->doubt = CR_H264_HELD_MAX;
        return CR_OK;
    }

    if (packet->payload.len == 0) {
        return CR_OK;
    }

    type = packet->payload.data[0] & CR_H264_TYPE;

    if (type == CR_H264_FU_A || type == CR_H264_FU_B) {
        return cr_h264_deint_fu(d, packet, type);
    }

    cr_h264_deint_fu_drop(d);

    if (type < CR_H264_STAP_B || type > CR_H264_MTAP24) {
        /* section 6.4: this mode has no others */
        return CR_INVALID;
    }

    return cr_h264_deint_aggregate(d, packet, type);
}


void
cr_h264_deint_flush(cr_depay_t *d)
{
    cr_h264_deint_fu_drop(d);

    while (d->deint->n != 0) {
        (void) cr_h264_deint_pop(d);
    }
}
