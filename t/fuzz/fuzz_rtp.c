
/*
 * Copyright (C) The call recorder authors
 *
 * Any datagram as RTP, with every extension and as RTX.
 */


#include "rtp/rtp.h"
#include "fuzz.h"


static void
inside(const cr_slice_t *s, const uint8_t *data, size_t size)
{
    if (s->len != 0 && (s->data < data || s->data + s->len > data + size)) {
        abort();
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cr_rtp_t    rtp;
    unsigned    id;
    cr_slice_t  value;

    if (cr_rtp_is_rtp(data, size) && cr_rtp_is_rtcp(data, size)) {
        abort();
    }

    if (cr_rtp_parse(data, size, &rtp) != CR_OK) {
        return 0;
    }

    inside(&rtp.ext, data, size);
    inside(&rtp.payload, data, size);

    if (rtp.payload.len + rtp.padding + CR_RTP_HEADER_SIZE > size) {
        abort();
    }

    for (id = 0; id < 256; id++) {
        if (cr_rtp_ext(&rtp, (uint8_t) id, &value)) {
            inside(&value, rtp.ext.data, rtp.ext.len);
        }
    }

    if (cr_rtp_unwrap_rtx(&rtp, 1, 2) == CR_OK) {
        inside(&rtp.payload, data, size);
    }

    return 0;
}
