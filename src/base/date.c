
/*
 * Copyright (C) The call recorder authors
 */

#include "base/date.h"

#include <stdbool.h>


#define CR_DATE_TIME  19        /* "2026-11-22T18:50:00" */


static bool cr_date_form(const char *text, const char *form);
static int64_t cr_date_days(int64_t year, int64_t month, int64_t day);
static int64_t cr_date_digits(const char *p, unsigned n);


cr_status_e
cr_date_parse(const char *text, size_t len, int64_t *at_ms)
{
    size_t   i;
    int64_t  day, hour, min, month, ms, offset, sec, unit, year;

    if (len <= CR_DATE_TIME || !cr_date_form(text, "dddd-dd-ddTdd:dd:dd")) {
        return CR_INVALID;
    }

    year = cr_date_digits(text, 4);
    month = cr_date_digits(text + 5, 2);
    day = cr_date_digits(text + 8, 2);
    hour = cr_date_digits(text + 11, 2);
    min = cr_date_digits(text + 14, 2);
    sec = cr_date_digits(text + 17, 2);

    if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23
        || min > 59 || sec > 60)
    {
        return CR_INVALID;
    }

    i = CR_DATE_TIME;
    ms = 0;

    if (text[i] == '.') {
        unit = 100;

        for (i++; i < len && text[i] >= '0' && text[i] <= '9'; i++) {
            ms += (text[i] - '0') * unit;
            unit /= 10;
        }
    }

    offset = 0;

    if (len - i == 6 && (cr_date_form(text + i, "+dd:dd")
                         || cr_date_form(text + i, "-dd:dd")))
    {
        offset = cr_date_digits(text + i + 1, 2) * 60
                 + cr_date_digits(text + i + 4, 2);
        offset = (text[i] == '+') ? offset : -offset;

    } else if (len - i != 1 || text[i] != 'Z') {
        return CR_INVALID;
    }

    *at_ms = ((cr_date_days(year, month, day) * 24 + hour) * 60 + min - offset)
             * 60000 + sec * 1000 + ms;

    return CR_OK;
}


/* Digits where the form has a "d". */
static bool
cr_date_form(const char *text, const char *form)
{
    for ( /* void */ ; *form != '\0'; form++, text++) {
        if (*form == 'd' ? (*text < '0' || *text > '9') : *text != *form) {
            return false;
        }
    }

    return true;
}


/*
 * Days since 1970-01-01, by eras of 400 years since 0000-03-01: with the leap
 * day last in the year, the months' lengths fit one line (153 days in 5
 * months).
 */
static int64_t
cr_date_days(int64_t year, int64_t month, int64_t day)
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
cr_date_digits(const char *p, unsigned n)
{
    int64_t  v;

    for (v = 0; n > 0; n--) {
        v = v * 10 + (*p++ - '0');
    }

    return v;
}
