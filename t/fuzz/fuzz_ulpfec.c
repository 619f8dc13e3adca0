
/*
 * Copyright (C) The call recorder authors
 *
 * Media and parity as a hostile peer sends them: a byte that says which, a
 * byte of length, and so many bytes.
 */


#include "rtp/ulpfec.h"
#include "fuzz.h"


static void
fuzz_recover(cr_ulpfec_t *fec)
{
    size_t    i;
    unsigned  bits, n;
    cr_rtp_t  rtp;

    bits = 0;

    for (n = 0; cr_ulpfec_recover(fec, &rtp) == CR_OK; n++) {
        for (i = 0; i < rtp.payload.len; i++) {
            bits |= rtp.payload.data[i];
        }

        /* each comes of a parity packet of its own */
        if (n == CR_ULPFEC_PENDING || rtp.ssrc != 1) {
            abort();
        }
    }

    if (bits > 0xff) {
        abort();
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t          len;
    uint8_t        *copy;
    cr_rtp_t        rtp;
    cr_slice_t      payload;
    cr_ulpfec_t    *fec;
    const uint8_t  *p, *end;

    fec = cr_ulpfec_create(&heap_env);
    if (fec == NULL) {
        return 0;
    }

    cr_ulpfec_reset(fec, 1);

    p = data;
    end = data + size;

    while (end - p >= 2) {
        len = p[1] < end - p - 2 ? p[1] : (size_t) (end - p - 2);
        copy = fuzz_copy(p + 2, len);

        if (p[0] & 1) {
            payload.data = copy;
            payload.len = len;
            cr_ulpfec_parity(fec, &payload);

        } else if (cr_rtp_parse(copy, len, &rtp) == CR_OK) {
            cr_ulpfec_media(fec, copy, len,
                            (size_t) (rtp.payload.data - copy), rtp.pt,
                            rtp.payload.len != 0 ? p[0] >> 1 & 1 : 0);
        }

        free(copy);
        fuzz_recover(fec);
        p += 2 + len;
    }

    cr_ulpfec_destroy(fec);

    return 0;
}
