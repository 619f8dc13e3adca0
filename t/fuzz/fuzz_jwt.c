
/*
 * Copyright (C) The call recorder authors
 *
 * Any text as a token, and any text as the claims of a token that is
 * rightly signed.
 */


#include "auth/jwt.h"
#include "fuzz.h"

#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>


#define SECRET  "0123456789abcdef0123456789abcdef"
#define HEADER  "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
#define CLAIMS  4000


static size_t
base64url(char *out, const uint8_t *data, size_t len)
{
    char  *p;

    EVP_EncodeBlock((unsigned char *) out, data, (int) len);

    for (p = out; *p != '\0' && *p != '='; p++) {
        *p = (*p == '+') ? '-' : (*p == '/') ? '_' : *p;
    }

    *p = '\0';

    return (size_t) (p - out);
}


static void
verify(const char *token, size_t len)
{
    const char       *why;
    cr_status_e       rc;
    cr_jwt_claims_t   claims;

    why = NULL;
    rc = cr_jwt_verify(token, len, CR_JWT_HS256, (const uint8_t *) SECRET,
                       strlen(SECRET), 1700000000, &claims, &why);

    if (rc != CR_OK) {
        if (why == NULL || claims.permissions != 0) {
            abort();
        }

        return;
    }

    if (claims.call[0] != '\0' && strcmp(claims.call, "*") != 0
        && !cr_id_valid(claims.call, strlen(claims.call)))
    {
        abort();
    }

    if (claims.subject[0] != '\0'
        && !cr_id_valid(claims.subject, strlen(claims.subject)))
    {
        abort();
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char      token[2 * CLAIMS];
    size_t    len;
    uint8_t   mac[32];
    unsigned  n;

    verify((const char *) data, size);

    if (size > CLAIMS) {
        return 0;
    }

    strcpy(token, HEADER);
    len = strlen(HEADER);
    len += base64url(token + len, data, size);

    HMAC(EVP_sha256(), SECRET, (int) strlen(SECRET), (uint8_t *) token, len,
         mac, &n);

    token[len++] = '.';
    len += base64url(token + len, mac, n);

    verify(token, len);

    return 0;
}
