
/*
 * Copyright (C) The call recorder authors
 *
 * SRTP and SRTCP by libsrtp2: one session for each direction, both taking
 * any SSRC, the number of which is bounded here.
 */

#include <openssl/crypto.h>
#include <srtp2/srtp.h>

#include "base/bytes.h"
#include "srtp/srtp.h"


/* libsrtp2 keeps a stream with its replay window for every SSRC it opened */
#define CR_SRTP_SSRC_MAX       64

/* RFC 3550 sections 5.1 and 6.4.1, up to where the SSRC is whole */
#define CR_SRTP_RTP_HEADER     12
#define CR_SRTP_RTCP_HEADER    8
/* RFC 3711 section 3.4: the E bit and the SRTCP index */
#define CR_SRTP_RTCP_INDEX     4


_Static_assert(SRTP_MAX_TRAILER_LEN - SRTP_MAX_MKI_LEN + CR_SRTP_RTCP_INDEX
                   <= CR_SRTP_TRAILER_MAX,
               "CR_SRTP_TRAILER_MAX is too small");


struct cr_srtp_s {
    const cr_env_t  *env;
    srtp_t           in;
    srtp_t           out;
    size_t           tag_len;
    unsigned         nssrcs;
    uint32_t         ssrcs[CR_SRTP_SSRC_MAX];
};


typedef srtp_err_status_t (*cr_srtp_op_pt)(srtp_t session, void *packet,
    int *len);


static cr_status_e cr_srtp_session(srtp_t *session,
    const cr_srtp_keys_t *keys, srtp_ssrc_type_t type);
static cr_status_e cr_srtp_open(cr_srtp_t *srtp, uint8_t *data, size_t *len,
    uint32_t ssrc, cr_srtp_op_pt op);
static cr_status_e cr_srtp_seal(cr_srtp_t *srtp, uint8_t *data, size_t *len,
    cr_srtp_op_pt op);
static cr_status_e cr_srtp_status(srtp_err_status_t err);


cr_status_e
cr_srtp_library_init(void)
{
    switch (srtp_init()) {

    case srtp_err_status_ok:
    /* its answer to a second call: a debug module is there already */
    case srtp_err_status_bad_param:
        return CR_OK;

    default:
        return CR_INTERNAL;
    }
}


cr_srtp_t *
cr_srtp_create(const cr_env_t *env, const cr_srtp_keys_t *keys)
{
    cr_srtp_t  *srtp;

    srtp = cr_alloc(env, sizeof(cr_srtp_t));
    if (srtp == NULL) {
        return NULL;
    }

    srtp->env = env;

    /* RFC 3711 section 5.2, RFC 7714 section 14.2 */
    srtp->tag_len = keys->profile == CR_SRTP_AES128_CM_HMAC_SHA1_80 ? 10 : 16;

    if (cr_srtp_session(&srtp->in, keys, ssrc_any_inbound) != CR_OK
        || cr_srtp_session(&srtp->out, keys, ssrc_any_outbound) != CR_OK)
    {
        cr_srtp_destroy(srtp);
        return NULL;
    }

    return srtp;
}


static cr_status_e
cr_srtp_session(srtp_t *session, const cr_srtp_keys_t *keys,
    srtp_ssrc_type_t type)
{
    uint8_t            key[46];
    srtp_policy_t      policy;
    srtp_profile_t     profile;
    srtp_err_status_t  err;

    switch (keys->profile) {

    case CR_SRTP_AEAD_AES_128_GCM:
        profile = srtp_profile_aead_aes_128_gcm;
        break;

    case CR_SRTP_AEAD_AES_256_GCM:
        profile = srtp_profile_aead_aes_256_gcm;
        break;

    case CR_SRTP_AES128_CM_HMAC_SHA1_80:
        profile = srtp_profile_aes128_cm_sha1_80;
        break;

    default:
        return CR_UNSUPPORTED;
    }

    memset(&policy, 0, sizeof(srtp_policy_t));
    memcpy(key, type == ssrc_any_inbound ? keys->remote : keys->local,
           sizeof(key));

    policy.ssrc.type = type;
    policy.key = key;
    policy.window_size = CR_SRTP_REPLAY_WINDOW;
    /* a sender repeats the very packet on its own SSRC */
    policy.allow_repeat_tx = 1;

    if (srtp_crypto_policy_set_from_profile_for_rtp(&policy.rtp, profile)
            != srtp_err_status_ok
        || srtp_crypto_policy_set_from_profile_for_rtcp(&policy.rtcp, profile)
            != srtp_err_status_ok)
    {
        return CR_UNSUPPORTED;
    }

    err = srtp_create(session, &policy);

    OPENSSL_cleanse(key, sizeof(key));

    if (err != srtp_err_status_ok) {
        *session = NULL;
        return CR_NOMEM;
    }

    return CR_OK;
}


void
cr_srtp_destroy(cr_srtp_t *srtp)
{
    if (srtp == NULL) {
        return;
    }

    if (srtp->in != NULL) {
        (void) srtp_dealloc(srtp->in);
    }

    if (srtp->out != NULL) {
        (void) srtp_dealloc(srtp->out);
    }

    cr_free(srtp->env, srtp);
}


cr_status_e
cr_srtp_open_rtp(cr_srtp_t *srtp, uint8_t *data, size_t *len)
{
    if (*len < CR_SRTP_RTP_HEADER + srtp->tag_len) {
        return CR_INVALID;
    }

    return cr_srtp_open(srtp, data, len, cr_get_u32(data + 8),
                        srtp_unprotect);
}


cr_status_e
cr_srtp_open_rtcp(cr_srtp_t *srtp, uint8_t *data, size_t *len)
{
    if (*len < CR_SRTP_RTCP_HEADER + CR_SRTP_RTCP_INDEX + srtp->tag_len) {
        return CR_INVALID;
    }

    return cr_srtp_open(srtp, data, len, cr_get_u32(data + 4),
                        srtp_unprotect_rtcp);
}


static cr_status_e
cr_srtp_open(cr_srtp_t *srtp, uint8_t *data, size_t *len, uint32_t ssrc,
    cr_srtp_op_pt op)
{
    int          n;
    unsigned     i;
    cr_status_e  status;

    if (*len > INT32_MAX) {
        return CR_INVALID;
    }

    for (i = 0; i < srtp->nssrcs && srtp->ssrcs[i] != ssrc; i++) {
        /* void */
    }

    if (i == CR_SRTP_SSRC_MAX) {
        return CR_LIMIT;
    }

    n = (int) *len;
    status = cr_srtp_status(op(srtp->in, data, &n));

    if (status != CR_OK) {
        return status;
    }

    if (i == srtp->nssrcs) {
        srtp->ssrcs[srtp->nssrcs++] = ssrc;
    }

    *len = (size_t) n;

    return CR_OK;
}


cr_status_e
cr_srtp_seal_rtcp(cr_srtp_t *srtp, uint8_t *data, size_t *len)
{
    if (*len < CR_SRTP_RTCP_HEADER) {
        return CR_INVALID;
    }

    return cr_srtp_seal(srtp, data, len, srtp_protect_rtcp);
}


cr_status_e
cr_srtp_seal_rtp(cr_srtp_t *srtp, uint8_t *data, size_t *len)
{
    if (*len < CR_SRTP_RTP_HEADER) {
        return CR_INVALID;
    }

    return cr_srtp_seal(srtp, data, len, srtp_protect);
}


static cr_status_e
cr_srtp_seal(cr_srtp_t *srtp, uint8_t *data, size_t *len, cr_srtp_op_pt op)
{
    int          n;
    cr_status_e  status;

    if (*len > INT32_MAX) {
        return CR_INVALID;
    }

    n = (int) *len;
    status = cr_srtp_status(op(srtp->out, data, &n));

    if (status == CR_OK) {
        *len = (size_t) n;
    }

    return status;
}


static cr_status_e
cr_srtp_status(srtp_err_status_t err)
{
    switch (err) {

    case srtp_err_status_ok:
        return CR_OK;

    case srtp_err_status_auth_fail:
        return CR_AUTH;

    case srtp_err_status_replay_fail:
    case srtp_err_status_replay_old:
    case srtp_err_status_pkt_idx_old:
        return CR_DECLINED;

    case srtp_err_status_alloc_fail:
        return CR_NOMEM;

    case srtp_err_status_bad_param:
    case srtp_err_status_parse_err:
    case srtp_err_status_cipher_fail:
        return CR_INVALID;

    default:
        return CR_INTERNAL;
    }
}
