
/*
 * Copyright (C) The call recorder authors
 *
 * JSON Web Tokens (RFC 7519) by libjwt, and what ours say.
 */

#ifndef CR_JWT_H
#define CR_JWT_H


#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>


#define CR_ID_MAX    64          /* [A-Za-z0-9_-]{1,64} */
#define CR_NAME_MAX  128         /* bytes of UTF-8 */
#define CR_ROLE_MAX  6


typedef enum {
    CR_JWT_HS256 = 1,
    CR_JWT_RS256
} cr_jwt_alg_e;


enum {
    CR_PERMIT_PUBLISH = 0x01,
    CR_PERMIT_RECORD = 0x02,
    CR_PERMIT_READ = 0x04,
    CR_PERMIT_DELETE = 0x08
};


/* {"call":"room123","sub":"alice","name":"Alice","perms":["publish"],
 *  "nbf":..,"exp":..}; "call":"*" is every call. */
typedef struct {
    char      call[CR_ID_MAX + 1];      /* "" when absent: no call at all */
    char      subject[CR_ID_MAX + 1];   /* "" when absent */
    char      name[CR_NAME_MAX + 1];
    char      role[CR_ROLE_MAX + 1];    /* "camera", "screen" or "" */
    unsigned  permissions;              /* CR_PERMIT_* */
    int64_t   expires;                  /* seconds since 1970 */
} cr_jwt_claims_t;


/*
 * Checks signature, algorithm (pinned: alg is what the configuration says,
 * never what the token says), exp (required) and nbf with 30 s of leeway.
 * key is the secret (HS256) or the public key in PEM (RS256).  On any status
 * but CR_OK *why is a static sentence and the claims are empty:
 *   CR_INVALID  it is no token
 *   CR_AUTH     wrong algorithm or signature, not valid yet, or a claim is
 *               missing or of the wrong kind
 *   CR_EXPIRED  genuine, but over
 */
cr_status_e cr_jwt_verify(const char *token, size_t len, cr_jwt_alg_e alg,
    const uint8_t *key, size_t key_len, int64_t now, cr_jwt_claims_t *claims,
    const char **why);

/* Whether the claims allow a CR_PERMIT_* in this call. */
bool cr_jwt_permits(const cr_jwt_claims_t *claims, const char *call,
    size_t call_len, unsigned permission);

/* An id as URLs, folders and JSON carry it: [A-Za-z0-9_-]{1,64}. */
bool cr_id_valid(const char *id, size_t len);

/* What a session sends: "camera" or "screen". */
bool cr_role_valid(const char *role, size_t len);


#endif /* CR_JWT_H */
