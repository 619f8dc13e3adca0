
/*
 * Copyright (C) The call recorder authors
 *
 * What the callrec muxer sends: the body of complete, the ledger, URLs and
 * Content-Digest.  The first byte chooses.
 */

#include "job/parts.h"
#include "fuzz.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t               sum[CR_PART_DIGEST_SIZE];
    const char           *text, *why;
    cr_parts_path_t       path;
    cr_parts_complete_t   complete = { 0 };

    if (size < 2) {
        return 0;
    }

    text = (const char *) data + 2;
    size -= 2;

    switch (data[0] % 4) {

    case 0:
        if (cr_parts_complete_parse(text, size, &complete, &why) == CR_OK
            && complete.parts > CR_PARTS_MAX)
        {
            abort();
        }

        break;

    case 1:
        complete.parts = data[1];
        complete.size = 1600;
        (void) cr_parts_verify(&heap_env, text, size, &complete, &why);
        break;

    case 2:
        if (cr_parts_path(text, size, &path) == CR_OK
            && (path.recording_id_len == 0 || path.recording_id_len > 64
                || path.output_len == 0 || path.output_len > 64))
        {
            abort();
        }

        break;

    default:
        (void) cr_content_digest(text, size, sum);
    }

    return 0;
}
