
/*
 * Copyright (C) The call recorder authors
 *
 * H.264 payloads as a hostile peer sends them.
 */


#include "depay_packets.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cr_media_params_t  params = {
        .kind = CR_KIND_VIDEO, .codec = CR_CODEC_H264, .channels = 2
    };

    /* the first bytes are what the SDP says */

    if (size != 0) {
        params.h264_sprop_len = data[0] < size ? data[0] : size;
        memcpy(params.h264_sprop, data, params.h264_sprop_len);
        data += params.h264_sprop_len;
        size -= params.h264_sprop_len;
    }

    depay_packets_run(&params, data, size);

    return 0;
}
