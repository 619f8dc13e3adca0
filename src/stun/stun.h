
/*
 * Copyright (C) The call recorder authors
 *
 * STUN messages (RFC 8489) as an ICE-lite agent (RFC 8445) needs them.
 */

#ifndef CR_STUN_H
#define CR_STUN_H


#include "base/addr.h"
#include "base/bytes.h"
#include "base/status.h"


#define CR_STUN_HEADER_SIZE       20
#define CR_STUN_TXID_SIZE         12
#define CR_STUN_UNKNOWN_MAX       8

/* RFC 8489 section 18.1: method binding, by class */
#define CR_STUN_BINDING_REQUEST     0x0001
#define CR_STUN_BINDING_INDICATION  0x0011
#define CR_STUN_BINDING_SUCCESS     0x0101
#define CR_STUN_BINDING_ERROR       0x0111


/* A parsed message; the slices point into the datagram. */
typedef struct {
    uint16_t        type;
    const uint8_t  *txid;                 /* CR_STUN_TXID_SIZE bytes */
    cr_slice_t      username;
    uint32_t        priority;             /* 0: absent (FFmpeg's muxer) */
    bool            use_candidate;
    bool            controlling;
    bool            controlled;
    uint64_t        tie_breaker;
    bool            has_fingerprint;      /* and it is right */
    const uint8_t  *integrity;            /* HMAC-SHA1 value, or NULL */
    uint16_t        error_code;           /* of an error response */
    cr_addr_t       mapped;               /* of a success response */
    /* comprehension-required attributes that we do not know */
    uint16_t        unknown[CR_STUN_UNKNOWN_MAX];
    uint8_t         nunknown;
    const uint8_t  *data;                 /* the datagram */
    size_t          len;
} cr_stun_msg_t;


/* Whether a datagram is STUN by RFC 7983: first byte 0..3, magic cookie. */
bool cr_stun_is_stun(const uint8_t *data, size_t len);

/*
 * Parses one datagram.  CR_INVALID when lengths do not add up or a
 * FINGERPRINT is wrong.
 */
cr_status_e cr_stun_parse(const uint8_t *data, size_t len,
    cr_stun_msg_t *msg);

/*
 * Checks MESSAGE-INTEGRITY (RFC 8489 section 14.5) with the short-term
 * password.  CR_AUTH when it is absent or wrong.
 */
cr_status_e cr_stun_verify(const cr_stun_msg_t *msg, const char *password,
    size_t password_len);

/*
 * Splits USERNAME "ours:theirs" (RFC 8445 section 7.2.2).  CR_INVALID when
 * there is no colon or a part is empty.
 */
cr_status_e cr_stun_username(const cr_stun_msg_t *msg, cr_slice_t *ours,
    cr_slice_t *theirs);

/*
 * Writes a Binding success response with XOR-MAPPED-ADDRESS,
 * MESSAGE-INTEGRITY and FINGERPRINT; returns its length, 0 when it does not
 * fit into size bytes.
 */
size_t cr_stun_write_success(uint8_t *buf, size_t size,
    const cr_stun_msg_t *request, const cr_addr_t *mapped,
    const char *password, size_t password_len);

/*
 * Writes a Binding error response (400, 401, 420 with UNKNOWN-ATTRIBUTES,
 * 487).  Without a password (NULL) it has no MESSAGE-INTEGRITY.
 */
size_t cr_stun_write_error(uint8_t *buf, size_t size,
    const cr_stun_msg_t *request, uint16_t code, const char *password,
    size_t password_len);

/*
 * Writes a Binding request, as tests, the load generator and full ICE
 * peers send it.
 */
size_t cr_stun_write_request(uint8_t *buf, size_t size, const uint8_t *txid,
    const char *username, const char *password, uint32_t priority,
    bool controlling, uint64_t tie_breaker, bool use_candidate);


#endif /* CR_STUN_H */
