
/*
 * Copyright (C) The call recorder authors
 *
 *   0                   1                   2                   3
 *  |V=2|P|  count  |     type      |      words behind this one    |
 *  |                        SSRC of the sender                     |
 */

#include "rtp/rtcp.h"


/* RFC 3611 section 4 */
#define XR_RRTR       4
#define XR_DLRR       5
#define XR_DLRR_SIZE  12

#define RTCP_VERSION    2
#define RTCP_COUNT_MAX  31
#define SR_INFO_SIZE    24                 /* SSRC and sender's part */
#define BLOCK_SIZE      24

/* RFC 4585 section 6.2, 6.3; RFC 5104 section 4.3.1; RFC 3550 6.5 */
#define FMT_NACK        1
#define FMT_PLI         1
#define FMT_FIR         4
#define FMT_AFB         15
#define SDES_CNAME      1

#define REMB_MANTISSA_MAX  0x3ffff


cr_status_e
cr_rtcp_next(const uint8_t **pos, const uint8_t *end, cr_rtcp_t *rtcp)
{
    size_t          len, padding;
    const uint8_t  *p;

    p = *pos;

    if (p == end) {
        return CR_AGAIN;
    }

    if (end - p < 4 || p[0] >> 6 != RTCP_VERSION || p[1] < 192 || p[1] > 223)
    {
        return CR_INVALID;
    }

    len = (size_t) cr_get_u16(p + 2) * 4;

    if ((size_t) (end - p) - 4 < len) {
        return CR_INVALID;
    }

    padding = 0;

    if (p[0] & 0x20) {
        padding = len != 0 ? p[4 + len - 1] : 0;

        if (padding == 0 || padding > len) {
            return CR_INVALID;
        }
    }

    rtcp->type = p[1];
    rtcp->count = p[0] & 0x1f;
    rtcp->body.data = p + 4;
    rtcp->body.len = len - padding;
    rtcp->ssrc = rtcp->body.len >= 4 ? cr_get_u32(p + 4) : 0;

    *pos = p + 4 + len;

    return CR_OK;
}


cr_status_e
cr_rtcp_sr(const cr_rtcp_t *rtcp, cr_rtcp_sr_t *sr)
{
    const uint8_t  *p;

    if (rtcp->type != CR_RTCP_SR) {
        return CR_DECLINED;
    }

    if (rtcp->body.len < SR_INFO_SIZE + (size_t) rtcp->count * BLOCK_SIZE) {
        return CR_INVALID;
    }

    p = rtcp->body.data + 4;

    sr->ntp = cr_get_u64(p);
    sr->rtp_timestamp = cr_get_u32(p + 8);
    sr->packets = cr_get_u32(p + 12);
    sr->octets = cr_get_u32(p + 16);

    return CR_OK;
}


bool
cr_rtcp_bye(const cr_rtcp_t *rtcp, unsigned i, uint32_t *ssrc)
{
    if (rtcp->type != CR_RTCP_BYE || i >= rtcp->count
        || rtcp->body.len / 4 <= i)
    {
        return false;
    }

    *ssrc = cr_get_u32(rtcp->body.data + (size_t) i * 4);
    return true;
}


bool
cr_rtcp_dlrr(const cr_rtcp_t *rtcp, uint32_t ssrc, uint32_t *last_rr,
    uint32_t *delay_since_rr)
{
    uint8_t         type, reserved;
    uint16_t        words;
    cr_slice_t      block;
    const uint8_t  *p, *end;

    if (rtcp->type != CR_RTCP_XR || rtcp->body.len < 4) {
        return false;
    }

    p = rtcp->body.data + 4;
    end = rtcp->body.data + rtcp->body.len;

    while (p < end) {
        p = cr_read_u8(p, end, &type);
        p = cr_read_u8(p, end, &reserved);
        p = cr_read_u16(p, end, &words);
        p = cr_read_bytes(p, end, (size_t) words * 4, &block);

        if (p == NULL) {
            return false;
        }

        if (type != XR_DLRR) {
            continue;
        }

        for ( ; block.len >= XR_DLRR_SIZE; block.len -= XR_DLRR_SIZE) {

            if (cr_get_u32(block.data) == ssrc) {
                *last_rr = cr_get_u32(block.data + 4);
                *delay_since_rr = cr_get_u32(block.data + 8);
                return true;
            }

            block.data += XR_DLRR_SIZE;
        }
    }

    return false;
}


/* The header and the sender's SSRC; size: of the whole packet. */
static void
write_head(cr_writer_t *w, uint8_t count, uint8_t type, size_t size,
    uint32_t ssrc)
{
    cr_write_u8(w, (uint8_t) (RTCP_VERSION << 6 | count));
    cr_write_u8(w, type);
    cr_write_u16(w, (uint16_t) (size / 4 - 1));
    cr_write_u32(w, ssrc);
}


void
cr_rtcp_write_rr(cr_writer_t *w, uint32_t ssrc, const cr_rtcp_block_t *blocks,
    unsigned nblocks)
{
    unsigned                i;
    const cr_rtcp_block_t  *b;

    if (nblocks > RTCP_COUNT_MAX) {
        w->overflow = true;
        return;
    }

    write_head(w, (uint8_t) nblocks, CR_RTCP_RR,
               8 + (size_t) nblocks * BLOCK_SIZE, ssrc);

    for (i = 0; i < nblocks; i++) {
        b = &blocks[i];

        cr_write_u32(w, b->ssrc);
        cr_write_u8(w, b->fraction_lost);
        cr_write_u24(w, (uint32_t) b->cumulative_lost & 0xffffff);
        cr_write_u32(w, b->highest_seq);
        cr_write_u32(w, b->jitter);
        cr_write_u32(w, b->last_sr);
        cr_write_u32(w, b->delay_since_sr);
    }
}


void
cr_rtcp_write_sdes(cr_writer_t *w, uint32_t ssrc, const char *cname)
{
    size_t  len, size;

    len = strlen(cname);

    if (len > 255) {
        w->overflow = true;
        return;
    }

    /* at least one zero ends the chunk, more fill the word */
    size = (8 + 2 + len + 4) & ~(size_t) 3;

    write_head(w, 1, CR_RTCP_SDES, size, ssrc);
    cr_write_u8(w, SDES_CNAME);
    cr_write_u8(w, (uint8_t) len);
    cr_write_bytes(w, cname, len);

    for (len += 10; len < size; len++) {
        cr_write_u8(w, 0);
    }
}


/*
 *  |            PID                |             BLP               |
 *
 * PID is lost, and PID + i + 1 where bit i of BLP is set.
 */

void
cr_rtcp_write_nack(cr_writer_t *w, uint32_t ssrc, uint32_t media_ssrc,
    const uint16_t *seqs, unsigned nseqs)
{
    size_t    start, size;
    uint16_t  pid, blp, distance;
    unsigned  i;

    if (nseqs == 0) {
        return;
    }

    start = cr_writer_len(w);

    write_head(w, FMT_NACK, CR_RTCP_RTPFB, 4, ssrc);
    cr_write_u32(w, media_ssrc);

    for (i = 0; i < nseqs; /* void */ ) {
        pid = seqs[i++];
        blp = 0;

        while (i < nseqs) {
            distance = (uint16_t) (seqs[i] - pid);

            if (distance > 16) {
                break;
            }

            if (distance != 0) {
                blp |= (uint16_t) (1 << (distance - 1));
            }

            i++;
        }

        cr_write_u16(w, pid);
        cr_write_u16(w, blp);
    }

    if (!w->overflow) {
        size = cr_writer_len(w) - start;
        cr_put_u16(w->start + start + 2, (uint16_t) (size / 4 - 1));
    }
}


void
cr_rtcp_write_pli(cr_writer_t *w, uint32_t ssrc, uint32_t media_ssrc)
{
    write_head(w, FMT_PLI, CR_RTCP_PSFB, 12, ssrc);
    cr_write_u32(w, media_ssrc);
}


void
cr_rtcp_write_fir(cr_writer_t *w, uint32_t ssrc, uint32_t media_ssrc,
    uint8_t seq)
{
    /* the media SSRC of the header is unused, RFC 5104 section 4.3.1.2 */
    write_head(w, FMT_FIR, CR_RTCP_PSFB, 20, ssrc);
    cr_write_u32(w, 0);
    cr_write_u32(w, media_ssrc);
    cr_write_u8(w, seq);
    cr_write_u24(w, 0);
}


void
cr_rtcp_write_remb(cr_writer_t *w, uint32_t ssrc, uint64_t bitrate,
    const uint32_t *ssrcs, unsigned nssrcs)
{
    uint8_t   exponent;
    unsigned  i;

    if (nssrcs > 255) {
        w->overflow = true;
        return;
    }

    for (exponent = 0; bitrate > REMB_MANTISSA_MAX; exponent++) {
        bitrate >>= 1;
    }

    write_head(w, FMT_AFB, CR_RTCP_PSFB, 20 + (size_t) nssrcs * 4, ssrc);
    cr_write_u32(w, 0);
    cr_write_bytes(w, "REMB", 4);
    cr_write_u8(w, (uint8_t) nssrcs);
    cr_write_u24(w, (uint32_t) exponent << 18 | (uint32_t) bitrate);

    for (i = 0; i < nssrcs; i++) {
        cr_write_u32(w, ssrcs[i]);
    }
}


void
cr_rtcp_write_sr(cr_writer_t *w, uint32_t ssrc, const cr_rtcp_sr_t *sr)
{
    write_head(w, 0, CR_RTCP_SR, 4 + SR_INFO_SIZE, ssrc);
    cr_write_u64(w, sr->ntp);
    cr_write_u32(w, sr->rtp_timestamp);
    cr_write_u32(w, sr->packets);
    cr_write_u32(w, sr->octets);
}


void
cr_rtcp_write_rrtr(cr_writer_t *w, uint32_t ssrc, uint64_t ntp)
{
    write_head(w, 0, CR_RTCP_XR, 20, ssrc);
    cr_write_u8(w, XR_RRTR);
    cr_write_u8(w, 0);
    cr_write_u16(w, 2);
    cr_write_u64(w, ntp);
}


void
cr_rtcp_write_bye(cr_writer_t *w, uint32_t ssrc)
{
    write_head(w, 1, CR_RTCP_BYE, 8, ssrc);
}
