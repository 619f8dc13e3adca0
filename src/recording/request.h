
/*
 * Copyright (C) The call recorder authors
 *
 * The bodies of start and stop.
 */

#ifndef CR_REQUEST_H
#define CR_REQUEST_H


#include "base/status.h"
#include "recording/journal.h"

#include <stdbool.h>
#include <stddef.h>


/* More than any body that means something. */
#define CR_REQUEST_BODY_MAX  16384


typedef struct {
    char  mode[CR_JOURNAL_WORD_SIZE];
    char  layout[CR_JOURNAL_WORD_SIZE];
    char  started_by[CR_JOURNAL_NAME_SIZE];     /* "": not said */
} cr_request_start_t;


typedef struct {
    bool  discard;
} cr_request_stop_t;


/*
 * An empty body is {}; unknown members are ignored.  CR_INVALID: *why is a
 * static sentence for the client; CR_LIMIT: too long; CR_NOMEM.
 */
cr_status_e cr_request_start_parse(const char *body, size_t len,
    cr_request_start_t *request, const char **why);
cr_status_e cr_request_stop_parse(const char *body, size_t len,
    cr_request_stop_t *request, const char **why);

/* SHA-256 in hex, by which a replayed request is known; CR_INTERNAL. */
cr_status_e cr_request_digest(const char *body, size_t len,
    char digest[CR_JOURNAL_DIGEST_SIZE]);

/* An Idempotency-Key: 1 to 128 visible ASCII characters. */
bool cr_request_key_valid(const char *key, size_t len);


#endif /* CR_REQUEST_H */
