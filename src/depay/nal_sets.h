
/*
 * Copyright (C) The call recorder authors
 *
 * The parameter sets of an H.264 or H.265 stream.
 */

#ifndef CR_NAL_SETS_H
#define CR_NAL_SETS_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"


#define CR_NAL_SETS_MAX  16
#define CR_NAL_SET_SIZE  160


typedef struct {
    uint8_t   type;              /* of the NAL unit, 0: unused */
    uint8_t   id;
    uint8_t   sps;               /* of a PPS: the SPS that it refers to */
    uint8_t   chroma_format;     /* of an SPS, as the following */
    uint8_t   bit_depth_luma;    /* above 8 */
    uint8_t   bit_depth_chroma;
    uint16_t  width;
    uint16_t  height;
    uint16_t  len;
    uint32_t  used;              /* the larger, the more recently seen */
    uint8_t   data[CR_NAL_SET_SIZE];
} cr_nal_set_t;


typedef struct {
    bool          changed;       /* since it was cleared by the owner */
    uint32_t      clock;
    cr_nal_set_t  set[CR_NAL_SETS_MAX];
} cr_nal_sets_t;


/*
 * Takes a set with its members up to len and data filled in.  One with a
 * known type and id is replaced; when all places are taken, or when the sets
 * and overhead bytes would not fit into a CodecPrivate, the one seen longest
 * ago goes.
 */
void cr_nal_sets_put(cr_nal_sets_t *sets, cr_nal_set_t *set,
    size_t overhead);

/* NULL: there is none. */
const cr_nal_set_t *cr_nal_sets_find(const cr_nal_sets_t *sets,
    uint8_t type, uint8_t id);

/* Writes the sets of a type, each behind its length in 16 bits. */
unsigned cr_nal_sets_write(const cr_nal_sets_t *sets, uint8_t type,
    cr_writer_t *w);


#endif /* CR_NAL_SETS_H */
