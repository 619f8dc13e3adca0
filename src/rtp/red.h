
/*
 * Copyright (C) The call recorder authors
 *
 * Redundant audio data (RFC 2198).
 */

#ifndef CR_RED_H
#define CR_RED_H


#include "base/bytes.h"
#include "base/status.h"


#define CR_RED_MAX  16               /* blocks of one packet */


typedef struct {
    uint8_t     pt;
    uint32_t    timestamp;
    cr_slice_t  payload;
} cr_red_block_t;


/*
 * Takes the blocks out of a payload, whose packet has that timestamp: the
 * redundant ones as they stand there, behind them the primary one.  Returns
 * how many, 0 when the payload is malformed.
 */
unsigned cr_red_parse(const cr_slice_t *payload, uint32_t timestamp,
    cr_red_block_t blocks[CR_RED_MAX]);


#endif /* CR_RED_H */
