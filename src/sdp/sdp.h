
/*
 * Copyright (C) The call recorder authors
 *
 * SDP offers and answers (RFC 8866, RFC 8829, RFC 9725 section 4.2).
 */

#ifndef CR_SDP_H
#define CR_SDP_H


#include "base/addr.h"
#include "base/bytes.h"
#include "base/media.h"
#include "base/status.h"


#define CR_SDP_SIZE_MAX          65536
#define CR_SDP_MLINE_MAX         16
#define CR_SDP_CANDIDATE_MAX     8
#define CR_ICE_UFRAG_MAX         256     /* RFC 8839 section 5.4 */
#define CR_ICE_PWD_MAX           256
#define CR_FINGERPRINT_MAX       64      /* SHA-512 */


typedef enum {
    CR_HASH_NONE = 0,
    CR_HASH_SHA1,
    CR_HASH_SHA256,
    CR_HASH_SHA384,
    CR_HASH_SHA512
} cr_hash_e;


/*
 * What an offer and our configuration agree on.  Plain data without
 * pointers, kept in shared memory.
 */
typedef struct {
    char               remote_ufrag[CR_ICE_UFRAG_MAX + 1];
    char               remote_pwd[CR_ICE_PWD_MAX + 1];
    uint8_t            fingerprint_hash;      /* cr_hash_e */
    uint8_t            fingerprint_len;
    uint8_t            fingerprint[CR_FINGERPRINT_MAX];
    bool               dtls_client;           /* the offer was passive */
    uint8_t            nmlines;               /* in the offer */
    uint8_t            nmedia;
    cr_media_params_t  media[CR_MEDIA_MAX];
} cr_sdp_session_t;


/* What we are ready to take. */
typedef struct {
    /* In our order of preference; the offerer's order decides among equals.
     * CR_CODEC_NONE ends a list shorter than the array. */
    uint8_t  codecs[CR_CODEC_COUNT];
    /* The offerer's order decides alone (RFC 3264 section 6.1). */
    bool     offerers_order;
    /* Opus is taken with redundancy (RFC 2198) where that is offered. */
    bool     red;
    /* Video is taken in RED and with ULPFEC (RFC 5109), likewise. */
    bool     ulpfec;
} cr_sdp_config_t;


/* What an answer says of us. */
typedef struct {
    const char  *ufrag;
    const char  *pwd;
    const char  *fingerprint;        /* "sha-256 AB:CD:..." */
    uint64_t     session_id;         /* o= line */
    uint32_t     session_version;
    cr_addr_t    candidates[CR_SDP_CANDIDATE_MAX];   /* UDP host */
    uint8_t      ncandidates;
    bool         tcp;                /* each of them also TCP passive */
    uint32_t     max_bitrate;        /* b=TIAS per video m-line, 0: none */
} cr_sdp_local_t;


/*
 * Parses an offer and negotiates it.  On any status but CR_OK *why is a
 * static sentence for the client's problem body:
 *   CR_INVALID      not SDP, or it lacks what WebRTC must have
 *   CR_DECLINED     no m-line with a codec that we take
 *   CR_UNSUPPORTED  nothing is sent, no BUNDLE, ...
 *   CR_LIMIT        more lines or m-lines than we take
 */
cr_status_e cr_sdp_negotiate(const char *offer, size_t len,
    const cr_sdp_config_t *config, cr_sdp_session_t *session,
    const char **why);

/*
 * Writes the answer: ICE-lite, rtcp-mux, BUNDLE, recvonly, end-of-candidates;
 * an m-line that was not taken is answered with port 0.  Needs the offer
 * again for those.  Returns the length, or 0 when size is too small.
 */
size_t cr_sdp_write_answer(char *buf, size_t size, const char *offer,
    size_t offer_len, const cr_sdp_session_t *session,
    const cr_sdp_local_t *local);


/* A trickle-ICE fragment, RFC 8840. */
typedef struct {
    char      ufrag[CR_ICE_UFRAG_MAX + 1];     /* "" when absent */
    char      pwd[CR_ICE_PWD_MAX + 1];
    uint16_t  ncandidates;
    bool      end_of_candidates;
} cr_sdpfrag_t;

cr_status_e cr_sdpfrag_parse(const char *text, size_t len,
    cr_sdpfrag_t *frag, const char **why);

/*
 * Writes the fragment that answers an ICE restart (RFC 9725 section 4.3.2)
 * with our new credentials and candidates.
 */
size_t cr_sdpfrag_write(char *buf, size_t size,
    const cr_sdp_session_t *session, const cr_sdp_local_t *local);


#endif /* CR_SDP_H */
