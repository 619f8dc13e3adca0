
/*
 * Copyright (C) The call recorder authors
 *
 * Any text as an offer; what is negotiated must be answered, and the answer
 * must read as SDP again with as many m-lines.
 */


#include "sdp/sdp.h"
#include "fuzz.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t             i, len, mlines;
    unsigned           order;
    const char        *why;
    cr_sdp_session_t   session;

    static char  answer[2 * CR_SDP_SIZE_MAX];

    static const cr_sdp_config_t  configs[] = {
        { .codecs = { CR_CODEC_OPUS, CR_CODEC_VP8, CR_CODEC_H264 } },
        { .codecs = { CR_CODEC_H264, CR_CODEC_OPUS } },
        { .codecs = { CR_CODEC_OPUS, CR_CODEC_VP9, CR_CODEC_AV1,
                      CR_CODEC_H265, CR_CODEC_PCMU, CR_CODEC_PCMA,
                      CR_CODEC_G722 },
          .offerers_order = true, .red = true }
    };

    static const cr_sdp_local_t  local = {
        .ufrag = "ours",
        .pwd = "ourpasswordourpassword",
        .fingerprint = "sha-256 "
                       "5B:2F:38:9E:5E:1E:D7:BC:4B:FA:5F:B8:D4:25:D6:B9:"
                       "FB:44:C5:44:AC:19:E0:6E:F4:C9:2A:EE:64:E8:CD:49",
        .candidates = {
            { .family = 4, .port = 3478, .ip = { 192, 0, 2, 1 } },
            { .family = 6, .port = 3478, .ip = { 1 } }
        },
        .ncandidates = 2,
        .tcp = true,
        .max_bitrate = 1000000
    };

    for (order = 0; order < sizeof(configs) / sizeof(configs[0]); order++) {

        if (cr_sdp_negotiate((const char *) data, size, &configs[order],
                             &session, &why) != CR_OK)
        {
            continue;
        }

        len = cr_sdp_write_answer(answer, sizeof(answer),
                                  (const char *) data, size, &session,
                                  &local);
        mlines = 0;

        for (i = 0; i + 4 < len; i++) {
            mlines += (answer[i] == '\n' && answer[i + 1] == 'm'
                       && answer[i + 2] == '=');
        }

        if (session.nmedia == 0 || mlines != session.nmlines) {
            abort();
        }

        /* we only receive, so another of us would not take it */

        if (cr_sdp_negotiate(answer, len, &configs[order], &session, &why)
            != CR_UNSUPPORTED)
        {
            abort();
        }
    }

    return 0;
}
