
/*
 * Copyright (C) The call recorder authors
 *
 * Any bytes as the body of start, stop, and as a recording.json.
 */


#include "recording/recording.h"
#include "recording/request.h"
#include "fuzz.h"

#include <string.h>


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t                 rev;
    const char             *body, *why;
    cr_request_stop_t       stop;
    cr_request_start_t      start;
    cr_recording_status_e   status;

    body = (const char *) data;

    if (cr_request_start_parse(body, size, &start, &why) == CR_OK
        && (strcmp(start.mode, "composite") != 0
            || strlen(start.started_by) >= sizeof(start.started_by)))
    {
        abort();
    }

    (void) cr_request_stop_parse(body, size, &stop, &why);
    (void) cr_request_key_valid(body, size);

    if (cr_recording_status_parse(body, size, &status, &rev) == CR_OK
        && (rev <= 0 || cr_recording_status_name(status)[0] == '\0'))
    {
        abort();
    }

    return 0;
}
