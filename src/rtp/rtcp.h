
/*
 * Copyright (C) The call recorder authors
 *
 * RTCP (RFC 3550 section 6) with feedback (RFC 4585, RFC 5104), reading what
 * senders report and writing what a receiver says.
 */

#ifndef CR_RTCP_H
#define CR_RTCP_H


#include "base/bytes.h"
#include "base/status.h"


typedef enum {
    CR_RTCP_SR = 200,
    CR_RTCP_RR = 201,
    CR_RTCP_SDES = 202,
    CR_RTCP_BYE = 203,
    CR_RTCP_APP = 204,
    CR_RTCP_RTPFB = 205,
    CR_RTCP_PSFB = 206,
    CR_RTCP_XR = 207
} cr_rtcp_type_e;


/* One packet of a compound. */
typedef struct {
    uint8_t     type;            /* cr_rtcp_type_e */
    uint8_t     count;           /* RC, SC or FMT */
    uint32_t    ssrc;            /* of the sender, 0 when there is none */
    cr_slice_t  body;            /* behind the 4-byte header, unpadded */
} cr_rtcp_t;


typedef struct {
    uint64_t    ntp;             /* 32.32, RFC 3550 section 4 */
    uint32_t    rtp_timestamp;
    uint32_t    packets;
    uint32_t    octets;
} cr_rtcp_sr_t;


/* A report block, RFC 3550 section 6.4.1. */
typedef struct {
    uint32_t    ssrc;
    uint8_t     fraction_lost;
    int32_t     cumulative_lost;
    uint32_t    highest_seq;
    uint32_t    jitter;
    uint32_t    last_sr;         /* middle 32 bits of the SR's NTP */
    uint32_t    delay_since_sr;  /* 1/65536 s */
} cr_rtcp_block_t;


/*
 * Reads the packet at *pos and moves *pos behind it.  CR_AGAIN at the end,
 * CR_INVALID when the rest of the compound is not RTCP.
 */
cr_status_e cr_rtcp_next(const uint8_t **pos, const uint8_t *end,
    cr_rtcp_t *rtcp);

cr_status_e cr_rtcp_sr(const cr_rtcp_t *rtcp, cr_rtcp_sr_t *sr);

/* The i-th SSRC of a BYE; false past the last. */
bool cr_rtcp_bye(const cr_rtcp_t *rtcp, unsigned i, uint32_t *ssrc);

/* What an XR says to a receiver of this SSRC (DLRR, RFC 3611 section 4.5):
 * middle bits of the NTP time it sent last, 1/65536 s since that came. */
bool cr_rtcp_dlrr(const cr_rtcp_t *rtcp, uint32_t ssrc, uint32_t *last_rr,
    uint32_t *delay_since_rr);


/* Writers append one packet; look at w->overflow afterwards. */
void cr_rtcp_write_rr(cr_writer_t *w, uint32_t ssrc,
    const cr_rtcp_block_t *blocks, unsigned nblocks);
void cr_rtcp_write_sdes(cr_writer_t *w, uint32_t ssrc, const char *cname);
/* seqs ascending in 16-bit sequence order; RFC 4585 section 6.2.1 */
void cr_rtcp_write_nack(cr_writer_t *w, uint32_t ssrc, uint32_t media_ssrc,
    const uint16_t *seqs, unsigned nseqs);
void cr_rtcp_write_pli(cr_writer_t *w, uint32_t ssrc, uint32_t media_ssrc);
void cr_rtcp_write_fir(cr_writer_t *w, uint32_t ssrc, uint32_t media_ssrc,
    uint8_t seq);
/* draft-alvestrand-rmcat-remb-03 */
void cr_rtcp_write_remb(cr_writer_t *w, uint32_t ssrc, uint64_t bitrate,
    const uint32_t *ssrcs, unsigned nssrcs);
void cr_rtcp_write_sr(cr_writer_t *w, uint32_t ssrc, const cr_rtcp_sr_t *sr);
/* XR with a receiver's time (RRTR, RFC 3611 section 4.4). */
void cr_rtcp_write_rrtr(cr_writer_t *w, uint32_t ssrc, uint64_t ntp);
void cr_rtcp_write_bye(cr_writer_t *w, uint32_t ssrc);


#endif /* CR_RTCP_H */
