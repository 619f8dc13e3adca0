
/*
 * Copyright (C) The call recorder authors
 *
 * Any datagram as STUN; what parses is answered, and our own answers must
 * parse again.
 */


#include "stun/stun.h"
#include "fuzz.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t         len;
    uint8_t        out[256];
    cr_addr_t      from;
    cr_slice_t     ours, theirs;
    cr_stun_msg_t  answer, msg;

    if (cr_stun_parse(data, size, &msg) != CR_OK) {
        return 0;
    }

    (void) cr_stun_verify(&msg, "VOkJxbRl1RmTxUk/WvJxBt", 22);
    (void) cr_stun_username(&msg, &ours, &theirs);

    from = msg.mapped;

    len = cr_stun_write_success(out, sizeof(out), &msg, &from, "secret", 6);

    if (cr_stun_parse(out, len, &answer) != CR_OK
        || cr_stun_verify(&answer, "secret", 6) != CR_OK)
    {
        abort();
    }

    len = cr_stun_write_error(out, sizeof(out), &msg, 420, NULL, 0);

    if (cr_stun_parse(out, len, &answer) != CR_OK
        || answer.error_code != 420)
    {
        abort();
    }

    return 0;
}
