
/*
 * Copyright (C) The call recorder authors
 *
 * Return codes of src/.
 */

#ifndef CR_STATUS_H
#define CR_STATUS_H


typedef enum {
    CR_OK = 0,
    CR_AGAIN = -1,        /* nothing yet, call again with more input */
    CR_DECLINED = -2,     /* not ours, never an error */
    CR_INVALID = -3,      /* the peer's bytes break the protocol */
    CR_UNSUPPORTED = -4,  /* well-formed, but we do not do that */
    CR_LIMIT = -5,        /* a bound would be passed */
    CR_NOMEM = -6,
    CR_AUTH = -7,         /* integrity, fingerprint or signature is wrong */
    CR_INTERNAL = -8,     /* a library failed in a way it should not */
    CR_EXPIRED = -9       /* it was good once */
} cr_status_e;


#endif /* CR_STATUS_H */
