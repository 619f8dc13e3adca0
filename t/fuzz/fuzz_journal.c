
/*
 * Copyright (C) The call recorder authors
 *
 * Any bytes as a journal; what can be read of it must be written the same
 * and make a status that reads as one.
 */


#include "recording/recording.h"
#include "fuzz.h"

#include <string.h>


static void
fuzz_line(const char *line, size_t len)
{
    char  *again;

    static cr_journal_record_t  back, record;

    if (cr_journal_parse(line, len, &record) != CR_OK
        || record.ev == CR_JOURNAL_UNKNOWN)
    {
        return;
    }

    again = cr_journal_format(&heap_env, &record);

    if (again == NULL
        || cr_journal_parse(again, strlen(again), &back) != CR_OK
        || memcmp(&record, &back, sizeof(record)) != 0)
    {
        abort();
    }

    free(again);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char                   *text;
    int64_t                 last_ms, rev;
    unsigned                skipped;
    cr_recording_status_e   status;

    static cr_recording_t  rec;

    fuzz_line((const char *) data, size);

    if (cr_recording_replay_journal(&rec, (const char *) data, size,
                                    &skipped, &last_ms) != CR_OK)
    {
        return 0;
    }

    cr_recording_job_progress(&rec, last_ms / 2, 1, last_ms);

    text = cr_recording_status_json(&heap_env, &rec);

    if (text == NULL
        || cr_recording_status_parse(text, strlen(text), &status, &rev)
           != CR_OK
        || status != rec.status || rev != rec.rev)
    {
        abort();
    }

    free(text);

    return 0;
}
