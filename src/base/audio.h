
/*
 * Copyright (C) The call recorder authors
 *
 * What Matroska has as CodecPrivate of a sound track.  RTP has no such
 * header: it follows from codec and channels.
 */

#ifndef CR_AUDIO_H
#define CR_AUDIO_H


#include <string.h>

#include "base/media.h"


#define CR_AUDIO_CONFIG_MAX  (19 + 2 + CR_OPUS_CHANNELS_MAX)


/* RFC 7845 section 5.1, little endian.  Pre-skip is 0: the stream is
 * recorded from somewhere in its middle. */
static inline size_t
cr_audio_opus(uint8_t *p, const cr_media_params_t *params)
{
    uint8_t  channels = params->channels;

    static const uint8_t  head[19] = {
        'O', 'p', 'u', 's', 'H', 'e', 'a', 'd',
        1,                          /* version */
        2,                          /* channels */
        0, 0,                       /* pre-skip */
        0x80, 0xbb, 0, 0,           /* 48000 Hz */
        0, 0,                       /* output gain */
        0                           /* mapping family */
    };

    memcpy(p, head, sizeof(head));

    /* family 0 knows mono and stereo */
    if (channels == 1) {
        p[9] = 1;
    }

    if (params->opus_streams == 0 || channels > CR_OPUS_CHANNELS_MAX) {
        return sizeof(head);
    }

    /* family 1: section 5.1.1 */
    p[9] = channels;
    p[18] = 1;
    p[19] = params->opus_streams;
    p[20] = params->opus_coupled;
    memcpy(p + 21, params->opus_mapping, channels);

    return sizeof(head) + 2 + channels;
}


/* WAVEFORMATEX of mmreg.h, little endian. */
static inline size_t
cr_audio_wave(uint8_t *p, uint16_t format, uint16_t rate, uint8_t bits)
{
    static const uint8_t  head[18] = {
        0, 0,                       /* format */
        1, 0,                       /* channels */
        0, 0, 0, 0,                 /* Hz */
        0x40, 0x1f, 0, 0,           /* 8000 bytes a second */
        1, 0,                       /* block of one byte */
        0, 0,                       /* bits of a sample */
        0, 0                        /* nothing behind it */
    };

    memcpy(p, head, sizeof(head));

    p[0] = (uint8_t) format;
    p[1] = (uint8_t) (format >> 8);
    p[4] = (uint8_t) rate;
    p[5] = (uint8_t) (rate >> 8);
    p[14] = bits;

    return sizeof(head);
}


/* Writes at most CR_AUDIO_CONFIG_MAX bytes; returns how many. */
static inline size_t
cr_audio_config(uint8_t *p, const cr_media_params_t *params)
{
    switch (params->codec) {

    case CR_CODEC_PCMA:
        return cr_audio_wave(p, 0x0006, 8000, 8);

    case CR_CODEC_PCMU:
        return cr_audio_wave(p, 0x0007, 8000, 8);

    case CR_CODEC_G722:
        return cr_audio_wave(p, 0x028f, 16000, 4);

    default: /* CR_CODEC_OPUS */
        return cr_audio_opus(p, params);
    }
}


#endif /* CR_AUDIO_H */
