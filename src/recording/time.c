
/*
 * Copyright (C) The call recorder authors
 *
 * RFC 3339 section 5.6 date-times without the C library's time zones.
 */

#include "recording/journal.h"

#include <stdio.h>
#include <string.h>


/* Years that four digits can say. */
#define CR_AT_MIN  (-62167219200000)     /* 0000-01-01T00:00:00.000Z */
#define CR_AT_MAX  253402300799999       /* 9999-12-31T23:59:59.999Z */

#define CR_DAY_MS  86400000


static int64_t cr_time_days(int64_t year, int64_t month, int64_t day);
static int64_t cr_time_digits(const char *p, unsigned n);


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

    /*
     * Days since 0000-03-01 in eras of 400 years: with the leap day last in
     * the year, the months' lengths fit one line (153 days in 5 months).
     */

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
    size_t       i;
    int64_t      day, hour, min, month, ms, sec, year;
    const char  *form = "dddd-dd-ddTdd:dd:dd.dddZ";

    if (len != CR_JOURNAL_AT_SIZE - 1) {
        return CR_INVALID;
    }

    for (i = 0; i < len; i++) {
        if (form[i] == 'd' ? (at[i] < '0' || at[i] > '9')
                           : at[i] != form[i])
        {
            return CR_INVALID;
        }
    }

    year = cr_time_digits(at, 4);
    month = cr_time_digits(at + 5, 2);
    day = cr_time_digits(at + 8, 2);
    hour = cr_time_digits(at + 11, 2);
    min = cr_time_digits(at + 14, 2);
    sec = cr_time_digits(at + 17, 2);
    ms = cr_time_digits(at + 20, 3);

    if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23
        || min > 59 || sec > 60)
    {
        return CR_INVALID;
    }

    *at_ms = cr_time_days(year, month, day) * CR_DAY_MS + hour * 3600000
             + min * 60000 + sec * 1000 + ms;

    return CR_OK;
}


/* Days since 1970-01-01, by the same eras. */
static int64_t
cr_time_days(int64_t year, int64_t month, int64_t day)
{
    int64_t  doe, doy, era, yoe;

    year -= (month <= 2);
    era = (year >= 0 ? year : year - 399) / 400;
    yoe = year - era * 400;
    doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;

    return era * 146097 + doe - 719468;
}


static int64_t
cr_time_digits(const char *p, unsigned n)
{
    int64_t  v;

    for (v = 0; n > 0; n--) {
        v = v * 10 + (*p++ - '0');
    }

    return v;
}
