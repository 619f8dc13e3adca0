
/*
 * Copyright (C) The call recorder authors
 *
 * H.264 in packetization mode 2 as a hostile peer sends it.
 */


#include "depay_packets.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cr_media_params_t  params = {
        .kind = CR_KIND_VIDEO, .codec = CR_CODEC_H264,
        .h264_packetization_mode = 2, .h264_interleaving_depth = 3
    };

    depay_packets_run(&params, data, size);

    return 0;
}
