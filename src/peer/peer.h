
/*
 * Copyright (C) The call recorder authors
 *
 * One WebRTC publisher: ICE-lite, DTLS, SRTP, RTP and RTCP put together,
 * without sockets or clocks.  Datagrams and the time go in; datagrams,
 * frames and a deadline come out.
 */

#ifndef CR_PEER_H
#define CR_PEER_H


#include "base/addr.h"
#include "base/env.h"
#include "base/media.h"
#include "base/status.h"
#include "dtls/dtls.h"
#include "sdp/sdp.h"
#include "stun/stun.h"


#define CR_PEER_DATAGRAM_MAX  1500

#define CR_PEER_PATIENCE_US   2000000
#define CR_PEER_STUCK_US      10000000


typedef enum {
    CR_PEER_NEW,              /* no valid STUN request yet */
    CR_PEER_CONNECTING,       /* DTLS */
    CR_PEER_CONNECTED,        /* media may flow */
    CR_PEER_CLOSED
} cr_peer_state_e;


/* Why a peer was closed; cr_peer_reason() has the word for logs. */
typedef enum {
    CR_PEER_ALIVE = 0,
    CR_PEER_LOCAL,            /* cr_peer_close() */
    CR_PEER_DTLS_CLOSED,      /* close_notify */
    CR_PEER_DTLS_FAILED,
    CR_PEER_FINGERPRINT,
    CR_PEER_CONSENT_EXPIRED,  /* RFC 7675 */
    CR_PEER_TIMEOUT,          /* never connected */
    CR_PEER_BYE,
    CR_PEER_ERROR
} cr_peer_reason_e;


typedef struct {
    int64_t   connect_timeout_us;   /* creation to connected */
    int64_t   consent_timeout_us;   /* no authenticated datagram */
    int64_t   give_up_us;           /* see rtp/stream.h; longer, up to twice,
                                       where the round trip is long */
    int64_t   nack_interval_us;     /* between two NACKs of a packet */
    uint32_t  nack_list;            /* missing at a time, of a track */
    int64_t   pli_interval_us;      /* floor between two of one track */
    uint32_t  max_bitrate;          /* for REMB; transport-cc has no say */
    size_t    buffer_max;           /* bytes held for reordering, all tracks */
} cr_peer_config_t;


typedef struct {
    uint64_t  packets;
    uint64_t  bytes;
    uint64_t  lost;
    uint64_t  recovered;
    uint64_t  given_up;
    uint64_t  nacks;
    uint64_t  plis;
    uint64_t  frames;
    uint64_t  rejected;             /* datagrams that failed a check */
    int64_t   rtt_us;
} cr_peer_stats_t;


/*
 * All are called from within cr_peer_input(), _timeout(), _close(); none may
 * destroy the peer.
 */
typedef struct {
    void  (*send)(void *ctx, const cr_addr_t *to, const uint8_t *data,
              size_t len);
    void  (*state)(void *ctx, cr_peer_state_e state,
              cr_peer_reason_e reason);
    void  (*frame)(void *ctx, const cr_frame_t *frame);
    void  (*clock)(void *ctx, const cr_clock_event_t *event);
    void  (*gap)(void *ctx, const cr_gap_event_t *event);
    void   *ctx;
} cr_peer_handlers_t;


typedef struct cr_peer_s  cr_peer_t;


/* session and config are copied.  NULL: no memory. */
cr_peer_t *cr_peer_create(const cr_env_t *env, cr_dtls_cert_t *cert,
    const cr_sdp_session_t *session, const char *local_ufrag,
    const char *local_pwd, const cr_peer_config_t *config,
    const cr_peer_handlers_t *handlers, int64_t now_us);
void cr_peer_destroy(cr_peer_t *peer);

/*
 * A datagram of any protocol from an address; data may be changed.  CR_OK:
 * it was ours and authentic (so the address may be remembered for this
 * peer); anything else: silence is the answer to it.
 */
cr_status_e cr_peer_input(cr_peer_t *peer, const cr_addr_t *from,
    uint8_t *data, size_t len, int64_t now_us);

/* Does what is due and returns the next deadline; INT64_MAX: none. */
int64_t cr_peer_timeout(cr_peer_t *peer, int64_t now_us);

/* The next deadline as it is after cr_peer_input(). */
int64_t cr_peer_deadline(const cr_peer_t *peer);

/* ICE restart: both sides' new credentials; the old stay valid until the
 * first request with the new ones. */
cr_status_e cr_peer_restart(cr_peer_t *peer, const char *local_ufrag,
    const char *local_pwd, const char *remote_ufrag,
    const char *remote_pwd);

/*
 * Nothing can be sent there any more (a TCP connection was closed): another
 * proven address serves, if there is one, until the publisher nominates.
 */
void cr_peer_path_lost(cr_peer_t *peer, const cr_addr_t *addr);

/*
 * Asks for a keyframe (PLI or FIR), not more often than the floor; a call
 * under the floor is remembered and sent when the floor is over.  patient: it
 * waits until no packet is missing, for CR_PEER_PATIENCE_US at most, or
 * _STUCK_US where repetitions do not get through: browsers throw away what
 * they have not sent yet when a keyframe comes, repetitions as well, and those
 * they never send again.
 */
void cr_peer_request_keyframe(cr_peer_t *peer, unsigned track, bool patient,
    int64_t now_us);

/* When the last packet of a track came that was no repetition; INT64_MIN:
 * none ever, or its sender has said BYE since. */
int64_t cr_peer_heard_us(const cr_peer_t *peer, unsigned track);

/* Flushes what is held (frames come out), sends BYE and close_notify. */
void cr_peer_close(cr_peer_t *peer, cr_peer_reason_e reason,
    int64_t now_us);

cr_peer_state_e cr_peer_state(const cr_peer_t *peer);
void cr_peer_stats(const cr_peer_t *peer, cr_peer_stats_t *stats);
const char *cr_peer_reason(cr_peer_reason_e reason);


#endif /* CR_PEER_H */
