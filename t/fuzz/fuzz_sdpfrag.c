
/*
 * Copyright (C) The call recorder authors
 *
 * Any text as a trickle-ICE fragment.
 */


#include "sdp/sdp.h"
#include "fuzz.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char    *why;
    cr_sdpfrag_t   frag;

    why = NULL;

    if (cr_sdpfrag_parse((const char *) data, size, &frag, &why) != CR_OK) {
        if (why == NULL) {
            abort();
        }

        return 0;
    }

    if (strlen(frag.ufrag) > CR_ICE_UFRAG_MAX
        || strlen(frag.pwd) > CR_ICE_PWD_MAX)
    {
        abort();
    }

    return 0;
}
