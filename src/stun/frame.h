
/*
 * Copyright (C) The call recorder authors
 *
 * Datagrams in a TCP stream (RFC 4571, as RFC 6544 has it): each behind its
 * length in two bytes.  A stream comes in pieces of any size; datagrams come
 * out whole.
 */

#ifndef CR_FRAME_H
#define CR_FRAME_H


#include "base/bytes.h"
#include "base/status.h"


#define CR_FRAMING_HEAD  2


typedef struct {
    uint8_t  *buf;             /* the caller's; a datagram that is in parts */
    size_t    max;             /* the longest one that is taken */
    size_t    have;            /* of it, its head included */
} cr_framing_t;


/*
 * buf has CR_FRAMING_HEAD + max bytes and lives as long as f.  A larger max
 * may be set later, if the buffer has room for it.
 */
void cr_framing_init(cr_framing_t *f, uint8_t *buf, size_t max);

/*
 * How many bytes the datagram lacks that the stream is in; or of its head,
 * when its length is not known yet.  Never 0: who reads no more than this
 * reads nothing of the next one.
 */
size_t cr_framing_want(const cr_framing_t *f);

/*
 * Takes bytes from *pos on, moves it behind them, and returns after one
 * datagram: CR_OK with *data (in the input or in f's buffer, good until the
 * next call) and *len, never 0: null packets (RFC 4571 section 2) are
 * skipped.  CR_AGAIN: all is taken and more is needed.  CR_LIMIT: a datagram
 * is longer than max; the stream is of no use any more.
 */
cr_status_e cr_framing_next(cr_framing_t *f, uint8_t **pos, uint8_t *end,
    uint8_t **data, size_t *len);

/* Writes the head of a datagram of len bytes, 65535 at most. */
static inline void
cr_framing_head(uint8_t head[CR_FRAMING_HEAD], size_t len)
{
    cr_put_u16(head, (uint16_t) len);
}


#endif /* CR_FRAME_H */
