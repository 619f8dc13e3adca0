
/*
 * Copyright (C) The call recorder authors
 *
 *   0                   1                   2                   3
 *  |V=2|P|X|  CC   |M|     PT      |       sequence number         |
 *  |                           timestamp                           |
 *  |                             SSRC                              |
 *  |                         CSRC (0..15)                          |
 *  |      ext. profile             |      words                    |  if X
 *  |                     header extension                          |
 *  |                         payload ...   | padding | length      |  if P
 */

#include "rtp/rtp.h"


#define RTP_VERSION       2

/* RFC 8285 section 4.2 and 4.3 */
#define EXT_ONE_BYTE      0xbede
#define EXT_TWO_BYTE      0x1000
#define EXT_TWO_BYTE_MASK 0xfff0
#define EXT_ID_PADDING    0
#define EXT_ID_STOP       15


/* RFC 5761 section 4: the second byte tells RTCP from RTP. */
static bool
rtcp_type(uint8_t type)
{
    return type >= 192 && type <= 223;
}


bool
cr_rtp_is_rtp(const uint8_t *data, size_t len)
{
    return len >= CR_RTP_HEADER_SIZE && data[0] >> 6 == RTP_VERSION
           && !rtcp_type(data[1]);
}


bool
cr_rtp_is_rtcp(const uint8_t *data, size_t len)
{
    return len >= 4 && data[0] >> 6 == RTP_VERSION && rtcp_type(data[1]);
}


cr_status_e
cr_rtp_parse(const uint8_t *data, size_t len, cr_rtp_t *rtp)
{
    size_t          csrcs, words;
    const uint8_t  *p, *end;

    if (!cr_rtp_is_rtp(data, len)) {
        return CR_INVALID;
    }

    p = data;
    end = data + len;

    rtp->marker = p[1] >> 7;
    rtp->pt = p[1] & 0x7f;
    rtp->seq = cr_get_u16(p + 2);
    rtp->timestamp = cr_get_u32(p + 4);
    rtp->ssrc = cr_get_u32(p + 8);
    rtp->ext_profile = 0;
    rtp->ext.data = NULL;
    rtp->ext.len = 0;
    rtp->padding = 0;

    csrcs = (size_t) (data[0] & 0x0f) * 4;
    p += CR_RTP_HEADER_SIZE;

    if ((size_t) (end - p) < csrcs) {
        return CR_INVALID;
    }

    p += csrcs;

    if (data[0] & 0x10) {
        if (end - p < 4) {
            return CR_INVALID;
        }

        rtp->ext_profile = cr_get_u16(p);
        words = cr_get_u16(p + 2);

        p = cr_read_bytes(p + 4, end, words * 4, &rtp->ext);
        if (p == NULL) {
            return CR_INVALID;
        }
    }

    if (data[0] & 0x20) {
        if (p == end || end[-1] == 0 || end[-1] > end - p) {
            return CR_INVALID;
        }

        rtp->padding = end[-1];
        end -= rtp->padding;
    }

    rtp->payload.data = p;
    rtp->payload.len = (size_t) (end - p);

    return CR_OK;
}


static bool
ext_one_byte(const cr_slice_t *ext, uint8_t id, cr_slice_t *value)
{
    size_t          len;
    uint8_t         head;
    const uint8_t  *p, *end;

    p = ext->data;
    end = p + ext->len;

    while (p < end) {
        head = *p++;

        if (head == EXT_ID_PADDING) {
            continue;
        }

        /* section 4.2: padding with a length ends it, too */
        if (head >> 4 == EXT_ID_STOP || head >> 4 == EXT_ID_PADDING) {
            return false;
        }

        len = (head & 0x0f) + 1;

        if ((size_t) (end - p) < len) {
            return false;
        }

        if (head >> 4 == id) {
            value->data = p;
            value->len = len;
            return true;
        }

        p += len;
    }

    return false;
}


static bool
ext_two_byte(const cr_slice_t *ext, uint8_t id, cr_slice_t *value)
{
    uint8_t         len, eid;
    const uint8_t  *p, *end;

    p = ext->data;
    end = p + ext->len;

    while (p < end) {
        eid = *p++;

        if (eid == EXT_ID_PADDING) {
            continue;
        }

        p = cr_read_u8(p, end, &len);

        if (p == NULL || end - p < len) {
            return false;
        }

        if (eid == id) {
            value->data = p;
            value->len = len;
            return true;
        }

        p += len;
    }

    return false;
}


bool
cr_rtp_ext(const cr_rtp_t *rtp, uint8_t id, cr_slice_t *value)
{
    if (id == EXT_ID_PADDING || rtp->ext.len == 0) {
        return false;
    }

    if (rtp->ext_profile == EXT_ONE_BYTE) {
        return ext_one_byte(&rtp->ext, id, value);
    }

    if ((rtp->ext_profile & EXT_TWO_BYTE_MASK) == EXT_TWO_BYTE) {
        return ext_two_byte(&rtp->ext, id, value);
    }

    return false;
}


cr_status_e
cr_rtp_unwrap_rtx(cr_rtp_t *rtp, uint32_t ssrc, uint8_t pt)
{
    if (rtp->payload.len == 0 && rtp->padding != 0) {
        return CR_DECLINED;
    }

    if (rtp->payload.len < 2) {
        return CR_INVALID;
    }

    rtp->seq = cr_get_u16(rtp->payload.data);
    rtp->payload.data += 2;
    rtp->payload.len -= 2;
    rtp->ssrc = ssrc;
    rtp->pt = pt;

    return CR_OK;
}


int64_t
cr_rtp_unwrap16(int64_t last, uint16_t v)
{
    return last + (int16_t) (v - (uint16_t) last);
}


int64_t
cr_rtp_unwrap32(int64_t last, uint32_t v)
{
    return last + (int32_t) (v - (uint32_t) last);
}
