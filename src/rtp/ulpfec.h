
/*
 * Copyright (C) The call recorder authors
 *
 * Forward error correction by parity of whole packets (RFC 5109, ULPFEC, of
 * one protection level, which is what WebRTC sends).
 */

#ifndef CR_ULPFEC_H
#define CR_ULPFEC_H


#include "base/env.h"
#include "rtp/rtp.h"


#define CR_ULPFEC_PACKETS  64        /* media packets remembered */
#define CR_ULPFEC_PENDING  8         /* parity packets that wait */
#define CR_ULPFEC_SIZE     1500      /* of a packet, longer ones are not had */


typedef struct cr_ulpfec_s  cr_ulpfec_t;


/* About 100 KB, all at once; NULL: no memory. */
cr_ulpfec_t *cr_ulpfec_create(const cr_env_t *env);
void cr_ulpfec_destroy(cr_ulpfec_t *f);

/* Forgets all packets: those to come are of another SSRC. */
void cr_ulpfec_reset(cr_ulpfec_t *f, uint32_t ssrc);

/*
 * A media packet as it came first (not repeated by RTX, whose header
 * extensions are others).  data is the RTP packet with its header of `head`
 * bytes (all before the payload); pt is its type and `cut` the number of
 * payload bytes to be left out, where it came wrapped in RED.
 */
void cr_ulpfec_media(cr_ulpfec_t *f, const uint8_t *data, size_t len,
    size_t head, uint8_t pt, size_t cut);

/* A parity packet's payload; what is malformed is ignored. */
void cr_ulpfec_parity(cr_ulpfec_t *f, const cr_slice_t *payload);

/*
 * The next packet that can be worked out: CR_OK, or CR_AGAIN.  It counts as
 * a media packet from then on; its bytes are valid until the next call.
 */
cr_status_e cr_ulpfec_recover(cr_ulpfec_t *f, cr_rtp_t *rtp);


#endif /* CR_ULPFEC_H */
