
/*
 * Copyright (C) The call recorder authors
 *
 * Dependency descriptors as a hostile peer sends them: each behind a byte of
 * its length, and all of one stream.
 */


#include "rtp/dependency.h"
#include "fuzz.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t                      len;
    uint8_t                    *copy;
    cr_slice_t                  value;
    const uint8_t              *p, *end;
    cr_dependency_t             d;
    cr_dependency_structure_t   s;

    memset(&s, 0, sizeof(s));

    p = data;
    end = data + size;

    while (end - p >= 1) {
        len = p[0] < end - p - 1 ? p[0] : (size_t) (end - p - 1);
        copy = fuzz_copy(p + 1, len);
        value.data = copy;
        value.len = len;

        if (cr_dependency_parse(&value, &s, &d) == CR_OK
            && (d.nfdiffs > CR_DEPENDENCY_FDIFFS
                || (d.discardable & ~d.present) != 0))
        {
            abort();
        }

        if (s.ntemplates > CR_DEPENDENCY_TEMPLATES
            || s.ntargets > CR_DEPENDENCY_TARGETS)
        {
            abort();
        }

        free(copy);
        p += 1 + len;
    }

    return 0;
}
