
/*
 * Copyright (C) The call recorder authors
 *
 * The identification header of Opus (RFC 7845 section 5.1), which Matroska
 * has as CodecPrivate.  RTP has no such header: it follows from the channels.
 */

#ifndef CR_OPUS_H
#define CR_OPUS_H


#include <stdint.h>
#include <string.h>


#define CR_OPUS_HEAD_SIZE  19


/* Pre-skip is 0: the stream is recorded from somewhere in its middle. */
static inline void
cr_opus_head(uint8_t p[CR_OPUS_HEAD_SIZE], uint8_t channels)
{
    static const uint8_t  head[CR_OPUS_HEAD_SIZE] = {
        'O', 'p', 'u', 's', 'H', 'e', 'a', 'd',
        1,                          /* version */
        2,                          /* channels */
        0, 0,                       /* pre-skip */
        0x80, 0xbb, 0, 0,           /* 48000 Hz, little endian */
        0, 0,                       /* output gain */
        0                           /* mapping family */
    };

    memcpy(p, head, sizeof(head));

    /* family 0 knows mono and stereo */
    if (channels == 1) {
        p[9] = 1;
    }
}


#endif /* CR_OPUS_H */
