
/*
 * Copyright (C) The call recorder authors
 *
 * G.711 and G.722 (RFC 3551 sections 4.5.2 and 4.5.14): each byte of a
 * payload is 125 us of one channel.
 */

#include "depay/depay_internal.h"


#define CR_PCM_BYTE_US   125
#define CR_PCM_SIZE_MAX  8000    /* a second */


cr_status_e
cr_depay_pcm_push(cr_depay_t *d, const cr_depay_packet_t *packet)
{
    if (packet->payload.len > CR_PCM_SIZE_MAX) {
        return CR_INVALID;
    }

    cr_depay_audio(d, packet,
                   (uint32_t) packet->payload.len * CR_PCM_BYTE_US);

    return CR_OK;
}
