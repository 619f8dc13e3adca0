
/*
 * Copyright (C) The call recorder authors
 *
 * What t/tools/load and t/tools/floor agree on.
 */

#ifndef CR_FLOOR_H
#define CR_FLOOR_H


#include "dtls/dtls.h"

#include <string.h>


/* SSRCs of the i-th publisher: sound, pictures */
#define FLOOR_SSRC(i)       (4 * (i) + 4)
#define FLOOR_SESSION(ssrc) ((ssrc) / 4 - 1)


/* the same for both directions */
static inline void
floor_keys(unsigned i, cr_srtp_keys_t *keys)
{
    memset(keys, 0, sizeof(cr_srtp_keys_t));

    keys->profile = CR_SRTP_AEAD_AES_128_GCM;
    keys->key_len = 16;
    keys->salt_len = 12;

    memset(keys->remote, 'k', 28);
    memcpy(keys->remote, &i, sizeof(i));
    memcpy(keys->local, keys->remote, 28);
}


#endif /* CR_FLOOR_H */
