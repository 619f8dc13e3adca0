
/*
 * Copyright (C) The call recorder authors
 *
 * Time-limited credentials of a TURN server that shares a secret with us
 * (draft-uberti-behave-turn-rest-00 section 2.2, as coturn has it).
 */

#ifndef CR_TURN_H
#define CR_TURN_H


#include "base/status.h"

#include <stddef.h>
#include <stdint.h>


/* base64 of SHA-1's 20 bytes, and a zero */
#define CR_TURN_CREDENTIAL_SIZE  29


/*
 * username becomes "<expires>:<user>", expires in seconds since 1970.
 * CR_LIMIT: it does not fit; CR_INTERNAL: no HMAC.
 */
cr_status_e cr_turn_credential(const uint8_t *secret, size_t secret_len,
    int64_t expires, const char *user, char *username, size_t size,
    char credential[CR_TURN_CREDENTIAL_SIZE]);


#endif /* CR_TURN_H */
