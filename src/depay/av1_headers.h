
/*
 * Copyright (C) The call recorder authors
 *
 * What AV1's headers say of a stream: the sequence header, the beginning of
 * frame headers, and the av1C made of the former.
 */

#ifndef CR_AV1_HEADERS_H
#define CR_AV1_HEADERS_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"


/* AV1 bitstream specification, section 6.2.2 */
#define CR_AV1_SEQUENCE_HEADER     1
#define CR_AV1_TEMPORAL_DELIMITER  2
#define CR_AV1_FRAME_HEADER        3
#define CR_AV1_FRAME               6
#define CR_AV1_TILE_LIST           8
#define CR_AV1_PADDING             15

/* section 5.3.2 */
#define CR_AV1_TYPE(byte)          ((byte) >> 3 & 15)
#define CR_AV1_EXTENSION           0x04
#define CR_AV1_HAS_SIZE            0x02
#define CR_AV1_FORBIDDEN           0x80

#define CR_AV1_LEB128_MAX          8
#define CR_AV1_AV1C_HEAD           4


typedef struct {
    bool      known;
    bool      reduced;               /* reduced_still_picture_header */
    bool      decoder_model;
    bool      equal_interval;
    uint8_t   presentation_bits;
    uint8_t   id_bits;               /* of a frame id, 0: none */
    uint8_t   order_bits;            /* of an order hint, 0: none */
    uint8_t   screen_content;        /* 0, 1, 2: each frame says so */
    uint8_t   integer_mv;            /* the same */
    uint8_t   width_bits;
    uint8_t   height_bits;
    uint16_t  width;                 /* at most */
    uint16_t  height;
    uint8_t   av1c[CR_AV1_AV1C_HEAD];
} cr_av1_seq_t;


/* An OBU's content, behind its header. */
cr_status_e cr_av1_sequence(cr_av1_seq_t *seq, const uint8_t *p,
    size_t len);

/* Whether a frame header begins a shown keyframe, and its size. */
bool cr_av1_keyframe(const cr_av1_seq_t *seq, const uint8_t *p, size_t len,
    uint16_t *width, uint16_t *height);

/* Section 4.10.5; NULL: it does not end, or is larger than 32 bits. */
const uint8_t *cr_av1_leb128(const uint8_t *p, const uint8_t *end,
    uint32_t *v);

/* Returns how many bytes it took. */
unsigned cr_av1_write_leb128(uint8_t p[CR_AV1_LEB128_MAX], uint32_t v);


#endif /* CR_AV1_HEADERS_H */
