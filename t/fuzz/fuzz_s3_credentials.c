
/*
 * Copyright (C) The call recorder authors
 *
 * Credentials of endpoints and files.  The first byte chooses.
 */

#include "s3/credentials.h"
#include "fuzz.h"

#include <string.h>


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char           *text, *why;
    cr_status_e           rc;
    cr_s3_credentials_t   c;

    if (size == 0) {
        return 0;
    }

    text = (const char *) data + 1;
    size--;
    why = NULL;

    if (data[0] & 1) {
        rc = cr_s3_credentials_json(text, size, &c, &why);

    } else {
        rc = cr_s3_credentials_file(text, size, "default", &c, &why);
    }

    if (rc == CR_OK) {
        if (c.access[0] == '\0' || c.secret[0] == '\0'
            || strpbrk(c.session, " \r\n") != NULL
            || cr_s3_credentials_renew(&c, 1700000000) < 1)
        {
            abort();
        }

    } else if (why == NULL || c.access[0] != '\0' || c.secret[0] != '\0') {
        abort();
    }

    return 0;
}
