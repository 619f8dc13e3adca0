
/*
 * Copyright (C) The call recorder authors
 *
 * RTP packets (RFC 3550 section 5.1), header extensions (RFC 8285) and RTX
 * payloads (RFC 4588).
 */

#ifndef CR_RTP_H
#define CR_RTP_H


#include "base/bytes.h"
#include "base/status.h"


#define CR_RTP_HEADER_SIZE  12


typedef struct {
    bool            marker;
    uint8_t         pt;
    uint16_t        seq;
    uint32_t        timestamp;
    uint32_t        ssrc;
    uint16_t        ext_profile;       /* 0xbede, 0x100X, 0: none */
    cr_slice_t      ext;               /* the extension's words */
    cr_slice_t      payload;           /* without padding */
    uint8_t         padding;           /* bytes that were cut off */
} cr_rtp_t;


/* RFC 5761 section 4: false for RTCP types 192..223 and for non-RTP. */
bool cr_rtp_is_rtp(const uint8_t *data, size_t len);
bool cr_rtp_is_rtcp(const uint8_t *data, size_t len);

cr_status_e cr_rtp_parse(const uint8_t *data, size_t len, cr_rtp_t *rtp);

/* The element with this id, one- or two-byte form; false when absent. */
bool cr_rtp_ext(const cr_rtp_t *rtp, uint8_t id, cr_slice_t *value);

/*
 * Takes the original sequence number out of an RTX payload and changes *rtp
 * into the packet that was lost.  CR_INVALID for a payload under 2 bytes;
 * CR_DECLINED for a padding-only probe.
 */
cr_status_e cr_rtp_unwrap_rtx(cr_rtp_t *rtp, uint32_t ssrc, uint8_t pt);

/* The 64-bit continuation of a 16- or 32-bit counter that wraps: the value
 * nearest to last (RFC 3550 appendix A.1). */
int64_t cr_rtp_unwrap16(int64_t last, uint16_t v);
int64_t cr_rtp_unwrap32(int64_t last, uint32_t v);


#endif /* CR_RTP_H */
