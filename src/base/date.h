
/*
 * Copyright (C) The call recorder authors
 *
 * RFC 3339 section 5.6 date-times without the C library's time zones.
 */

#ifndef CR_DATE_H
#define CR_DATE_H


#include <stddef.h>
#include <stdint.h>

#include "base/status.h"


/*
 * "2026-11-22T18:50:00Z", with or without a fraction, or with an offset in
 * place of Z: *at_ms since 1970, what is less than a millisecond cut off.
 * CR_INVALID: another form.
 */
cr_status_e cr_date_parse(const char *text, size_t len, int64_t *at_ms);


#endif /* CR_DATE_H */
