
/*
 * Copyright (C) The call recorder authors
 *
 * VP9 payloads as a hostile peer sends them.
 */


#include "depay_packets.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cr_media_params_t  params = {
        .kind = CR_KIND_VIDEO, .codec = CR_CODEC_VP9, .channels = 2
    };

    depay_packets_run(&params, data, size);

    return 0;
}
