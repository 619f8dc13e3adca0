
/*
 * Copyright (C) The call recorder authors
 *
 * STUN, RFC 8489, with the attributes of ICE, RFC 8445 section 7.1.
 *
 *       0                   1                   2                   3
 *       0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *      +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *      |0 0|     message type          |         message length        |
 *      +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *      |                     magic cookie 0x2112A442                   |
 *      +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *      |                     transaction id (96 bits)                  |
 */


#include "stun/stun.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>


#define STUN_COOKIE            0x2112a442
#define STUN_SIZE_MAX          2048    /* section 6.1: below the path's MTU */
#define STUN_HMAC_SIZE         20
#define STUN_FINGERPRINT_XOR   0x5354554e        /* section 14.7 */

/* RFC 8489 section 18.3 */
#define ATTR_MAPPED_ADDRESS      0x0001
#define ATTR_USERNAME            0x0006
#define ATTR_INTEGRITY           0x0008
#define ATTR_ERROR_CODE          0x0009
#define ATTR_UNKNOWN_ATTRIBUTES  0x000a
#define ATTR_REALM               0x0014
#define ATTR_NONCE               0x0015
#define ATTR_INTEGRITY_SHA256    0x001c
#define ATTR_XOR_MAPPED_ADDRESS  0x0020
/* RFC 8445 section 20.1 */
#define ATTR_PRIORITY            0x0024
#define ATTR_USE_CANDIDATE       0x0025
#define ATTR_FINGERPRINT         0x8028
#define ATTR_ICE_CONTROLLED      0x8029
#define ATTR_ICE_CONTROLLING     0x802a

#define ATTR_OPTIONAL            0x8000  /* comprehension-optional and up */


static uint32_t stun_crc32(const uint8_t *data, size_t len);
static cr_status_e stun_attribute(cr_stun_msg_t *msg, uint16_t type,
    const cr_slice_t *value);
static cr_status_e stun_xor_address(const cr_stun_msg_t *msg,
    const cr_slice_t *value, cr_addr_t *addr);
static void stun_unknown(cr_stun_msg_t *msg, uint16_t type);
static bool stun_hmac(const uint8_t *data, size_t len, const char *password,
    size_t password_len, uint8_t *hmac);
static void stun_begin(cr_writer_t *w, uint16_t type, const uint8_t *txid);
static void stun_write_attribute(cr_writer_t *w, uint16_t type,
    const void *value, size_t len);
static size_t stun_finish(cr_writer_t *w, const char *password,
    size_t password_len);


bool
cr_stun_is_stun(const uint8_t *data, size_t len)
{
    return len >= CR_STUN_HEADER_SIZE && data[0] <= 3
           && cr_get_u32(data + 4) == STUN_COOKIE;
}


cr_status_e
cr_stun_parse(const uint8_t *data, size_t len, cr_stun_msg_t *msg)
{
    uint16_t        type, size;
    cr_slice_t      value, padding;
    cr_status_e     rc;
    const uint8_t  *end, *p, *start;

    memset(msg, 0, sizeof(cr_stun_msg_t));

    if (!cr_stun_is_stun(data, len) || len > STUN_SIZE_MAX
        || cr_get_u16(data + 2) != len - CR_STUN_HEADER_SIZE || len % 4 != 0)
    {
        return CR_INVALID;
    }

    msg->type = cr_get_u16(data);
    msg->txid = data + 8;
    msg->data = data;
    msg->len = len;

    p = data + CR_STUN_HEADER_SIZE;
    end = data + len;

    while (p != end) {
        start = p;

        p = cr_read_u16(p, end, &type);
        p = cr_read_u16(p, end, &size);
        p = cr_read_bytes(p, end, size, &value);
        p = cr_read_bytes(p, end, (4 - size % 4) % 4, &padding);

        if (p == NULL) {
            return CR_INVALID;
        }

        if (type == ATTR_FINGERPRINT) {

            /* section 14.7: the last one, over all bytes before it */

            if (size != 4 || p != end
                || cr_get_u32(value.data)
                   != (stun_crc32(data, (size_t) (start - data))
                       ^ STUN_FINGERPRINT_XOR))
            {
                return CR_INVALID;
            }

            msg->has_fingerprint = true;
            break;
        }

        /* section 14.5: what follows MESSAGE-INTEGRITY is not protected */

        if (msg->integrity != NULL) {
            continue;
        }

        rc = stun_attribute(msg, type, &value);
        if (rc != CR_OK) {
            return rc;
        }
    }

    return CR_OK;
}


/* Of attributes that come twice the first one counts (section 14). */

static cr_status_e
stun_attribute(cr_stun_msg_t *msg, uint16_t type, const cr_slice_t *value)
{
    switch (type) {

    case ATTR_USERNAME:
        if (msg->username.data == NULL) {
            msg->username = *value;
        }

        return CR_OK;

    case ATTR_INTEGRITY:
        if (value->len != STUN_HMAC_SIZE) {
            return CR_INVALID;
        }

        msg->integrity = value->data;
        return CR_OK;

    case ATTR_PRIORITY:
        if (value->len != 4) {
            return CR_INVALID;
        }

        if (msg->priority == 0) {
            msg->priority = cr_get_u32(value->data);
        }

        return CR_OK;

    case ATTR_USE_CANDIDATE:
        msg->use_candidate = true;
        return CR_OK;

    case ATTR_ICE_CONTROLLING:
    case ATTR_ICE_CONTROLLED:
        if (value->len != 8) {
            return CR_INVALID;
        }

        if (!msg->controlling && !msg->controlled) {
            msg->controlling = (type == ATTR_ICE_CONTROLLING);
            msg->controlled = (type == ATTR_ICE_CONTROLLED);
            msg->tie_breaker = cr_get_u64(value->data);
        }

        return CR_OK;

    case ATTR_ERROR_CODE:
        if (value->len < 4) {
            return CR_INVALID;
        }

        msg->error_code = (uint16_t) ((value->data[2] & 7) * 100
                                      + value->data[3]);
        return CR_OK;

    case ATTR_XOR_MAPPED_ADDRESS:
        return stun_xor_address(msg, value, &msg->mapped);

    case ATTR_MAPPED_ADDRESS:
    case ATTR_UNKNOWN_ATTRIBUTES:
    case ATTR_REALM:
    case ATTR_NONCE:
    case ATTR_INTEGRITY_SHA256:
        return CR_OK;

    default:
        if (type < ATTR_OPTIONAL) {
            stun_unknown(msg, type);
        }

        return CR_OK;
    }
}


static void
stun_unknown(cr_stun_msg_t *msg, uint16_t type)
{
    unsigned  i;

    for (i = 0; i < msg->nunknown; i++) {
        if (msg->unknown[i] == type) {
            return;
        }
    }

    if (msg->nunknown < CR_STUN_UNKNOWN_MAX) {
        msg->unknown[msg->nunknown++] = type;
    }
}


/* Section 14.2: the address is XORed with the cookie and the id after it. */

static cr_status_e
stun_xor_address(const cr_stun_msg_t *msg, const cr_slice_t *value,
    cr_addr_t *addr)
{
    size_t  i, len;

    if (value->len < 4) {
        return CR_INVALID;
    }

    switch (value->data[1]) {

    case 1:
        len = 4;
        break;

    case 2:
        len = 16;
        break;

    default:
        return CR_INVALID;
    }

    if (value->len != 4 + len) {
        return CR_INVALID;
    }

    memset(addr, 0, sizeof(cr_addr_t));
    addr->family = (len == 4) ? 4 : 6;
    addr->port = (uint16_t) (cr_get_u16(value->data + 2)
                             ^ (STUN_COOKIE >> 16));

    for (i = 0; i < len; i++) {
        addr->ip[i] = value->data[4 + i] ^ msg->data[4 + i];
    }

    return CR_OK;
}


cr_status_e
cr_stun_verify(const cr_stun_msg_t *msg, const char *password,
    size_t password_len)
{
    size_t   len;
    uint8_t  buf[STUN_SIZE_MAX], hmac[STUN_HMAC_SIZE];

    if (msg->integrity == NULL) {
        return CR_AUTH;
    }

    /*
     * Section 14.5: over all before the attribute, with the length as if
     * it were the last one.
     */

    len = (size_t) (msg->integrity - 4 - msg->data);
    memcpy(buf, msg->data, len);
    cr_put_u16(buf + 2, (uint16_t) (len + 4 + STUN_HMAC_SIZE
                                    - CR_STUN_HEADER_SIZE));

    if (!stun_hmac(buf, len, password, password_len, hmac)) {
        return CR_INTERNAL;
    }

    if (CRYPTO_memcmp(hmac, msg->integrity, STUN_HMAC_SIZE) != 0) {
        return CR_AUTH;
    }

    return CR_OK;
}


static bool
stun_hmac(const uint8_t *data, size_t len, const char *password,
    size_t password_len, uint8_t *hmac)
{
    unsigned  n;

    n = 0;

    return HMAC(EVP_sha1(), password, (int) password_len, data, len, hmac, &n)
           != NULL && n == STUN_HMAC_SIZE;
}


cr_status_e
cr_stun_username(const cr_stun_msg_t *msg, cr_slice_t *ours,
    cr_slice_t *theirs)
{
    const uint8_t  *colon;

    if (msg->username.len == 0) {
        return CR_INVALID;
    }

    colon = memchr(msg->username.data, ':', msg->username.len);
    if (colon == NULL) {
        return CR_INVALID;
    }

    ours->data = msg->username.data;
    ours->len = (size_t) (colon - msg->username.data);
    theirs->data = colon + 1;
    theirs->len = msg->username.len - ours->len - 1;

    return (ours->len != 0 && theirs->len != 0) ? CR_OK : CR_INVALID;
}


size_t
cr_stun_write_success(uint8_t *buf, size_t size,
    const cr_stun_msg_t *request, const cr_addr_t *mapped,
    const char *password, size_t password_len)
{
    size_t       i, len;
    uint8_t      value[20];
    cr_writer_t  w;

    cr_writer_init(&w, buf, size);
    stun_begin(&w, CR_STUN_BINDING_SUCCESS, request->txid);

    len = (mapped->family == 4) ? 4 : 16;
    value[0] = 0;
    value[1] = (mapped->family == 4) ? 1 : 2;
    cr_put_u16(value + 2, (uint16_t) (mapped->port ^ (STUN_COOKIE >> 16)));

    for (i = 0; i < len; i++) {
        value[4 + i] = mapped->ip[i] ^ request->data[4 + i];
    }

    stun_write_attribute(&w, ATTR_XOR_MAPPED_ADDRESS, value, 4 + len);

    return stun_finish(&w, password, password_len);
}


size_t
cr_stun_write_error(uint8_t *buf, size_t size, const cr_stun_msg_t *request,
    uint16_t code, const char *password, size_t password_len)
{
    size_t       i, len;
    uint8_t      value[64];
    const char  *reason;
    cr_writer_t  w;

    cr_writer_init(&w, buf, size);
    stun_begin(&w, CR_STUN_BINDING_ERROR, request->txid);

    /* section 14.8 */

    switch (code) {

    case 400:
        reason = "Bad Request";
        break;

    case 401:
        reason = "Unauthenticated";
        break;

    case 420:
        reason = "Unknown Attribute";
        break;

    case 487:
        reason = "Role Conflict";
        break;

    default:
        reason = "Server Error";
        break;
    }

    len = strlen(reason);
    value[0] = 0;
    value[1] = 0;
    value[2] = (uint8_t) (code / 100);
    value[3] = (uint8_t) (code % 100);
    memcpy(value + 4, reason, len);
    stun_write_attribute(&w, ATTR_ERROR_CODE, value, 4 + len);

    if (code == 420) {
        for (i = 0; i < request->nunknown; i++) {
            cr_put_u16(value + 2 * i, request->unknown[i]);
        }

        stun_write_attribute(&w, ATTR_UNKNOWN_ATTRIBUTES, value, 2 * i);
    }

    return stun_finish(&w, password, password_len);
}


size_t
cr_stun_write_request(uint8_t *buf, size_t size, const uint8_t *txid,
    const char *username, const char *password, uint32_t priority,
    bool controlling, uint64_t tie_breaker, bool use_candidate)
{
    uint8_t      value[8];
    cr_writer_t  w;

    cr_writer_init(&w, buf, size);
    stun_begin(&w, CR_STUN_BINDING_REQUEST, txid);

    stun_write_attribute(&w, ATTR_USERNAME, username, strlen(username));

    cr_put_u64(value, tie_breaker);
    stun_write_attribute(&w, controlling ? ATTR_ICE_CONTROLLING
                                         : ATTR_ICE_CONTROLLED, value, 8);

    if (priority != 0) {
        cr_put_u32(value, priority);
        stun_write_attribute(&w, ATTR_PRIORITY, value, 4);
    }

    if (use_candidate) {
        stun_write_attribute(&w, ATTR_USE_CANDIDATE, value, 0);
    }

    return stun_finish(&w, password, strlen(password));
}


static void
stun_begin(cr_writer_t *w, uint16_t type, const uint8_t *txid)
{
    cr_write_u16(w, type);
    cr_write_u16(w, 0);
    cr_write_u32(w, STUN_COOKIE);
    cr_write_bytes(w, txid, CR_STUN_TXID_SIZE);
}


static void
stun_write_attribute(cr_writer_t *w, uint16_t type, const void *value,
    size_t len)
{
    static const uint8_t  zero[4];

    cr_write_u16(w, type);
    cr_write_u16(w, (uint16_t) len);
    cr_write_bytes(w, value, len);
    cr_write_bytes(w, zero, (4 - len % 4) % 4);
}


/* Adds MESSAGE-INTEGRITY, if there is a password, and FINGERPRINT. */

static size_t
stun_finish(cr_writer_t *w, const char *password, size_t password_len)
{
    size_t   len;
    uint8_t  crc[4], hmac[STUN_HMAC_SIZE];

    if (w->overflow || cr_writer_len(w) + 40 > STUN_SIZE_MAX) {
        return 0;
    }

    if (password != NULL) {
        len = cr_writer_len(w);
        cr_put_u16(w->start + 2, (uint16_t) (len + 4 + STUN_HMAC_SIZE
                                             - CR_STUN_HEADER_SIZE));

        if (!stun_hmac(w->start, len, password, password_len, hmac)) {
            return 0;
        }

        stun_write_attribute(w, ATTR_INTEGRITY, hmac, STUN_HMAC_SIZE);
    }

    len = cr_writer_len(w);
    cr_put_u16(w->start + 2, (uint16_t) (len + 8 - CR_STUN_HEADER_SIZE));
    cr_put_u32(crc, stun_crc32(w->start, len) ^ STUN_FINGERPRINT_XOR);
    stun_write_attribute(w, ATTR_FINGERPRINT, crc, 4);

    return w->overflow ? 0 : cr_writer_len(w);
}


/* ITU V.42, four bits at a time: the table fits into one cache line. */

static uint32_t
stun_crc32(const uint8_t *data, size_t len)
{
    size_t    i;
    uint32_t  crc;

    static const uint32_t  table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac,
        0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
        0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c
    };

    crc = 0xffffffff;

    for (i = 0; i < len; i++) {
        crc ^= data[i];
        crc = table[crc & 0x0f] ^ (crc >> 4);
        crc = table[crc & 0x0f] ^ (crc >> 4);
    }

    return crc ^ 0xffffffff;
}
