
/*
 * Copyright (C) The call recorder authors
 */

#include "stun/turn.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>


cr_status_e
cr_turn_credential(const uint8_t *secret, size_t secret_len, int64_t expires,
    const char *user, char *username, size_t size,
    char credential[CR_TURN_CREDENTIAL_SIZE])
{
    int       len;
    uint8_t   md[EVP_MAX_MD_SIZE];
    unsigned  n;

    len = snprintf(username, size, "%" PRId64 ":%s", expires, user);

    if (len < 0 || (size_t) len >= size || secret_len > INT_MAX) {
        return CR_LIMIT;
    }

    if (HMAC(EVP_sha1(), secret, (int) secret_len, (uint8_t *) username,
             (size_t) len, md, &n)
        == NULL)
    {
        return CR_INTERNAL;
    }

    EVP_EncodeBlock((uint8_t *) credential, md, (int) n);

    return CR_OK;
}
