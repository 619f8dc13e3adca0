
/*
 * Copyright (C) The call recorder authors
 *
 * A sender's side of ULPFEC (RFC 5109), by the book and independent of what
 * is tested: parity over whole RTP packets.
 */

#ifndef CR_TEST_PARITY_H
#define CR_TEST_PARITY_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>


#define PARITY_MAX   48
#define PARITY_SIZE  1500


/* The packets of one group, as they are before RED. */
typedef struct {
    unsigned  n;
    size_t    len[PARITY_MAX];
    uint8_t   data[PARITY_MAX][PARITY_SIZE];
} parity_t;


void parity_add(parity_t *p, const uint8_t *data, size_t len);

/*
 * The payload of the parity packet over those packets whose bit is set in
 * which (bit n: the nth); returns its length.
 */
size_t parity_payload(const parity_t *p, uint64_t which, uint8_t *out);


#endif /* CR_TEST_PARITY_H */
