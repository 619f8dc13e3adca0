
/*
 * Copyright (C) The call recorder authors
 *
 * AV1, RTP Payload Format For AV1, version 1.0.
 *
 *      0 1 2 3 4 5 6 7
 *     +-+-+-+-+-+-+-+-+
 *     |Z|Y| W |N|-|-|-|  section 4.4, the aggregation header
 *     +-+-+-+-+-+-+-+-+
 *
 * OBU elements follow, each behind its size; the last of W has none.  Out
 * comes a temporal unit in the low-overhead format: OBUs with sizes, without
 * temporal delimiters.
 */

#include "depay/depay_internal.h"


#define CR_AV1_Z  0x80       /* the first element continues an OBU */
#define CR_AV1_Y  0x40       /* the last element is to be continued */
#define CR_AV1_W  0x30
#define CR_AV1_N  0x08       /* a coded video sequence begins */



/* The av1C with the sequence header that was taken. */
static void
cr_av1_config(cr_depay_t *d, const uint8_t *obu, size_t len)
{
    size_t    size;
    uint8_t  *p;

    size = CR_AV1_AV1C_HEAD + len;

    if (size > CR_CODEC_CONFIG_MAX) {
        /* what it begins with is needed, the rest is in band, too */
        size = CR_AV1_AV1C_HEAD;
    }

    p = d->config[d->config_index ^ 1];

    memcpy(p, d->av1.seq.av1c, CR_AV1_AV1C_HEAD);
    memcpy(p + CR_AV1_AV1C_HEAD, obu, size - CR_AV1_AV1C_HEAD);

    if (size != d->config_size
        || memcmp(p, d->config[d->config_index], size) != 0)
    {
        cr_depay_config(d, size);
    }
}


/* What a whole OBU, its header included, says of its temporal unit. */
static void
cr_av1_look(cr_depay_t *d, const uint8_t *obu, size_t head, size_t len)
{
    cr_depay_av1_t  *av1 = &d->av1;

    switch (CR_AV1_TYPE(obu[0])) {

    case CR_AV1_SEQUENCE_HEADER:
        if (cr_av1_sequence(&av1->seq, obu + head, len - head) == CR_OK) {
            cr_av1_config(d, obu, len);
        }

        return;

    case CR_AV1_FRAME_HEADER:
    case CR_AV1_FRAME:
        if (!av1->first_frame) {
            av1->first_frame = true;
            av1->keyframe = cr_av1_keyframe(&av1->seq, obu + head,
                                            len - head, &av1->width,
                                            &av1->height);
        }

        return;

    default:
        return;
    }
}


/*
 * The OBU from start to the end of the buffer is whole: gives it a size, if
 * it has none, or takes it away again.
 */
static cr_status_e
cr_av1_close(cr_depay_t *d, size_t start)
{
    size_t          head, len, n;
    uint8_t        *obu, size[CR_AV1_LEB128_MAX];
    uint32_t        content;
    cr_status_e     rc;
    const uint8_t  *p;

    obu = d->buf + start;
    len = d->len - start;
    head = obu[0] & CR_AV1_EXTENSION ? 2 : 1;

    if (len < head || (obu[0] & CR_AV1_FORBIDDEN)) {
        d->len = start;
        return CR_INVALID;
    }

    switch (CR_AV1_TYPE(obu[0])) {

    case CR_AV1_TEMPORAL_DELIMITER:
    case CR_AV1_TILE_LIST:
    case CR_AV1_PADDING:
        /* section 5: none of them should be here */
        d->len = start;
        return CR_OK;

    default:
        break;
    }

    if (obu[0] & CR_AV1_HAS_SIZE) {
        p = cr_av1_leb128(obu + head, obu + len, &content);

        if (p == NULL || content > (size_t) (obu + len - p)) {
            d->len = start;
            return CR_INVALID;
        }

        /* bytes behind it belong to nothing */
        head = (size_t) (p - obu);
        d->len = start + head + content;

    } else {
        n = cr_av1_write_leb128(size, (uint32_t) (len - head));

        rc = cr_depay_reserve(d, n);
        if (rc != CR_OK) {
            d->skip = true;
            return rc;
        }

        obu = d->buf + start;

        memmove(obu + head + n, obu + head, len - head);
        memcpy(obu + head, size, n);
        obu[0] |= CR_AV1_HAS_SIZE;
        d->len += n;
        head += n;
    }

    cr_av1_look(d, obu, head, d->len - start);

    return CR_OK;
}


/* The open OBU never gets whole. */
static void
cr_av1_drop(cr_depay_t *d)
{
    if (d->av1.fragment) {
        d->av1.fragment = false;
        d->len = d->av1.start;
        d->broken = true;
    }
}


static cr_status_e
cr_av1_element(cr_depay_t *d, const cr_slice_t *element, bool continues,
    bool continued)
{
    size_t          start;
    cr_status_e     rc;
    cr_depay_av1_t  *av1 = &d->av1;

    if (continues) {

        if (!av1->fragment) {
            /* its start is lost */
            d->broken = true;
            return CR_OK;
        }

        start = av1->start;

    } else {
        cr_av1_drop(d);
        start = d->len;
    }

    rc = cr_depay_append(d, element->data, element->len);

    if (rc != CR_OK) {
        d->len = start;
        av1->fragment = false;
        d->skip = true;
        return rc;
    }

    av1->fragment = continued;
    av1->start = start;

    return continued || d->len == start ? CR_OK : cr_av1_close(d, start);
}


static cr_status_e
cr_av1_packet(cr_depay_t *d, const cr_depay_packet_t *packet)
{
    bool            last;
    uint8_t         head;
    uint32_t        size;
    unsigned        i, n;
    cr_slice_t      element;
    cr_status_e     rc, result;
    const uint8_t  *p, *end;

    p = packet->payload.data;
    end = p + packet->payload.len;
    result = CR_OK;

    head = *p++;
    n = (head & CR_AV1_W) >> 4;

    if (!d->active) {
        cr_depay_begin(d, packet);

        d->av1.fragment = false;
        d->av1.first_frame = false;
        d->av1.keyframe = false;
    }

    for (i = 1; p < end && !d->skip; i++) {

        size = (uint32_t) (end - p);

        if (i != n) {
            p = cr_av1_leb128(p, end, &size);
        }

        p = cr_read_bytes(p, end, size, &element);

        if (p == NULL) {
            cr_av1_drop(d);
            return CR_INVALID;
        }

        last = p == end;

        rc = cr_av1_element(d, &element, i == 1 && (head & CR_AV1_Z),
                            last && (head & CR_AV1_Y));
        if (rc != CR_OK) {
            result = rc;
        }
    }

    return result;
}


static bool
cr_av1_finish(cr_depay_t *d, cr_frame_t *frame)
{
    cr_av1_drop(d);

    if (!d->av1.first_frame) {
        /* what is here belongs to a frame whose header is lost */
        d->broken = true;
    }

    if (d->av1.keyframe) {
        frame->keyframe = true;
        frame->width = d->av1.width;
        frame->height = d->av1.height;
    }

    return d->len != 0;
}


static bool
cr_av1_begins(const cr_depay_t *d, const uint8_t *p, const uint8_t *end)
{
    (void) d;
    (void) end;

    return (p[0] & (CR_AV1_N | CR_AV1_Z)) == CR_AV1_N;
}


const cr_depay_codec_t  cr_depay_av1 = {
    cr_av1_packet,
    cr_av1_drop,
    cr_av1_finish,
    cr_av1_begins,
    NULL
};
