
/*
 * Copyright (C) The call recorder authors
 *
 * Any datagram as an RTCP compound.
 */


#include "rtp/rtcp.h"
#include "fuzz.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t         out[64];
    unsigned        i;
    uint32_t        ssrc, last_rr, delay;
    cr_rtcp_t       rtcp, again;
    cr_rtcp_sr_t    sr, same;
    cr_writer_t     w;
    cr_status_e     rc;
    const uint8_t  *pos, *last, *end;

    pos = data;
    end = data + size;

    for ( ;; ) {
        last = pos;
        rc = cr_rtcp_next(&pos, end, &rtcp);

        if (rc != CR_OK) {
            if (pos != last || (rc == CR_AGAIN) != (pos == end)) {
                abort();
            }

            return 0;
        }

        if (pos <= last || pos > end || rtcp.body.data < last
            || rtcp.body.data + rtcp.body.len > pos)
        {
            abort();
        }

        for (i = 0; cr_rtcp_bye(&rtcp, i, &ssrc); i++) {
            /* void */
        }

        if (i > 31) {
            abort();
        }

        (void) cr_rtcp_dlrr(&rtcp, 1, &last_rr, &delay);

        if (cr_rtcp_sr(&rtcp, &sr) == CR_OK) {
            cr_writer_init(&w, out, sizeof(out));
            cr_rtcp_write_sr(&w, rtcp.ssrc, &sr);
            last = out;

            if (cr_rtcp_next(&last, w.pos, &again) != CR_OK
                || cr_rtcp_sr(&again, &same) != CR_OK
                || same.ntp != sr.ntp || again.ssrc != rtcp.ssrc)
            {
                abort();
            }
        }
    }
}
