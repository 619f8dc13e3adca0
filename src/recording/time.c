
/*
 * Copyright (C) The call recorder authors
 *
 * The times of journals and statuses.
 */

#include "base/date.h"
#include "recording/journal.h"

#include <stdio.h>
#include <string.h>


/* Years that four digits can say. */
#define CR_AT_MIN  (-62167219200000)     /* 0000-01-01T00:00:00.000Z */
#define CR_AT_MAX  253402300799999       /* 9999-12-31T23:59:59.999Z */

#define CR_DAY_MS  86400000


void
cr_journal_time_format(int64_t at_ms, char at[CR_JOURNAL_AT_SIZE])
{
    char     buf[64];
    int64_t  day, days, doe, doy, era, ms, month, year, yoe;

    if (at_ms < CR_AT_MIN) {
        at_ms = CR_AT_MIN;
    }

    if (at_ms > CR_AT_MAX) {
        at_ms = CR_AT_MAX;
    }

    days = at_ms / CR_DAY_MS;
    ms = at_ms % CR_DAY_MS;

    if (ms < 0) {
        ms += CR_DAY_MS;
        days--;
    }

    /* days since 0000-03-01 in eras of 400 years, as base/date.c has them */

    days += 719468;
    era = (days >= 0 ? days : days - 146096) / 146097;
    doe = days - era * 146097;
    yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    month = (5 * doy + 2) / 153;
    day = doy - (153 * month + 2) / 5 + 1;
    month += (month < 10) ? 3 : -9;
    year = yoe + era * 400 + (month <= 2);

    snprintf(buf, sizeof(buf), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
             (int) year, (int) month, (int) day, (int) (ms / 3600000),
             (int) (ms / 60000 % 60), (int) (ms / 1000 % 60),
             (int) (ms % 1000));

    memcpy(at, buf, CR_JOURNAL_AT_SIZE);
}


cr_status_e
cr_journal_time_parse(const char *at, size_t len, int64_t *at_ms)
{
    if (len != CR_JOURNAL_AT_SIZE - 1 || at[19] != '.' || at[23] != 'Z') {
        return CR_INVALID;
    }

    return cr_date_parse(at, len, at_ms);
}
