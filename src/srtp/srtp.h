
/*
 * Copyright (C) The call recorder authors
 *
 * SRTP and SRTCP (RFC 3711, RFC 7714) by libsrtp2.  The file is srtp/srtp.h
 * next to libsrtp2's <srtp2/srtp.h>.
 */

#ifndef CR_SRTP_H
#define CR_SRTP_H


#include "base/env.h"
#include "base/status.h"
#include "dtls/dtls.h"


/* Late retransmissions on the original SSRC must still be accepted. */
#define CR_SRTP_REPLAY_WINDOW  8192
#define CR_SRTP_TRAILER_MAX    64


typedef struct cr_srtp_s  cr_srtp_t;


/* Once per process before the first create; repeatable. */
cr_status_e cr_srtp_library_init(void);

/* receiver: opens with keys->remote and seals with keys->local. */
cr_srtp_t *cr_srtp_create(const cr_env_t *env, const cr_srtp_keys_t *keys);
void cr_srtp_destroy(cr_srtp_t *srtp);

/*
 * In place; *len shrinks.  CR_AUTH: forged; CR_DECLINED: replayed or too
 * old; CR_INVALID: not SRTP at all.
 */
cr_status_e cr_srtp_open_rtp(cr_srtp_t *srtp, uint8_t *data, size_t *len);
cr_status_e cr_srtp_open_rtcp(cr_srtp_t *srtp, uint8_t *data, size_t *len);

/* In place; data has CR_SRTP_TRAILER_MAX bytes of room behind *len. */
cr_status_e cr_srtp_seal_rtcp(cr_srtp_t *srtp, uint8_t *data, size_t *len);
cr_status_e cr_srtp_seal_rtp(cr_srtp_t *srtp, uint8_t *data, size_t *len);


#endif /* CR_SRTP_H */
