
/*
 * Copyright (C) The call recorder authors
 *
 * What the tests of SDP share: an offer, edited copies of it, and what came
 * of it.
 */

#ifndef SDP_OFFER_H
#define SDP_OFFER_H


#include "sdp/sdp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>


#define FINGERPRINT                                                        \
    "5B:2F:38:9E:5E:1E:D7:BC:4B:FA:5F:B8:D4:25:D6:B9:"                     \
    "FB:44:C5:44:AC:19:E0:6E:F4:C9:2A:EE:64:E8:CD:49"


static const char  offer[] =
    "v=0\r\n"
    "o=- 1 2 IN IP4 127.0.0.1\r\n"
    "s=-\r\n"
    "t=0 0\r\n"
    "a=group:BUNDLE 0 1\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 111 0\r\n"
    "c=IN IP4 0.0.0.0\r\n"
    "a=ice-ufrag:QcFt\r\n"
    "a=ice-pwd:fvY84PncrAbE2RyJxg2qqh5y\r\n"
    "a=fingerprint:sha-256 " FINGERPRINT "\r\n"
    "a=setup:actpass\r\n"
    "a=mid:0\r\n"
    "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n"
    "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n"
    "a=sendonly\r\n"
    "a=rtcp-mux\r\n"
    "a=rtpmap:111 opus/48000/2\r\n"
    "a=fmtp:111 minptime=10\r\n"
    "a=ssrc:11 cname:x\r\n"
    "m=video 9 UDP/TLS/RTP/SAVPF 96 97 102 103 104 107\r\n"
    "c=IN IP4 0.0.0.0\r\n"
    "a=ice-ufrag:QcFt\r\n"
    "a=ice-pwd:fvY84PncrAbE2RyJxg2qqh5y\r\n"
    "a=fingerprint:sha-256 " FINGERPRINT "\r\n"
    "a=setup:actpass\r\n"
    "a=mid:1\r\n"
    "a=extmap:3 http://www.ietf.org/id/"
        "draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n"
    "a=extmap:200/sendonly urn:3gpp:video-orientation\r\n"
    "a=sendrecv\r\n"
    "a=rtcp-mux\r\n"
    "a=rtcp-rsize\r\n"
    "a=rtpmap:96 VP8/90000\r\n"
    "a=rtcp-fb:96 goog-remb\r\n"
    "a=rtcp-fb:96 transport-cc\r\n"
    "a=rtcp-fb:96 nack\r\n"
    "a=rtcp-fb:96 nack pli\r\n"
    "a=rtpmap:97 rtx/90000\r\n"
    "a=fmtp:97 apt=96\r\n"
    "a=rtpmap:102 H264/90000\r\n"
    "a=fmtp:102 packetization-mode=0;profile-level-id=42001f\r\n"
    "a=rtpmap:103 rtx/90000\r\n"
    "a=fmtp:103 apt=102\r\n"
    "a=rtpmap:104 H264/90000\r\n"
    "a=fmtp:104 level-asymmetry-allowed=1; packetization-mode=1;"
        "profile-level-id=4d0028;sprop-parameter-sets=Z0LAHtoC,aM48gA==\r\n"
    "a=rtpmap:107 rtx/90000\r\n"
    "a=fmtp:107 apt=104\r\n"
    "a=ssrc:21 cname:x\r\n"
    "a=ssrc:22 cname:x\r\n"
    "a=ssrc-group:FID 21 22\r\n";

static const cr_sdp_config_t  vp8_first = {
    .codecs = { CR_CODEC_OPUS, CR_CODEC_VP8, CR_CODEC_H264 }
};

static const cr_sdp_config_t  h264_first = {
    .codecs = { CR_CODEC_OPUS, CR_CODEC_H264, CR_CODEC_VP8 }
};

static const cr_sdp_local_t  local = {
    .ufrag = "ours",
    .pwd = "ourpasswordourpassword",
    .fingerprint = "sha-256 AB:CD",
    .session_id = 4242424242424242,
    .session_version = 7,
    .candidates = {
        { .family = 4, .port = 3478, .ip = { 192, 0, 2, 1 } },
        { .family = 6, .port = 3478, .ip = { 0xfd, 0, [15] = 2 } }
    },
    .ncandidates = 2
};

static char              buf[2 * CR_SDP_SIZE_MAX];
static char              answer[2 * CR_SDP_SIZE_MAX];
static cr_sdp_session_t  session;
static const char       *why;


/* Negotiates the text as it is. */

static inline cr_status_e
negotiate(const char *text)
{
    why = NULL;

    return cr_sdp_negotiate(text, strlen(text), &vp8_first, &session, &why);
}


/* Leaves the text in buf, with every occurrence of a piece replaced. */

static inline const char *
edited(const char *text, const char *from, const char *to)
{
    char        *p;
    unsigned     n;
    const char  *hit;

    static char  out[sizeof(buf)];

    p = out;

    for (n = 0; (hit = strstr(text, from)) != NULL; n++) {
        memcpy(p, text, (size_t) (hit - text));
        p += hit - text;
        p = stpcpy(p, to);
        text = hit + strlen(from);
    }

    assert_int_not_equal(n, 0);
    strcpy(p, text);

    return strcpy(buf, out);
}


static inline void
assert_refused(const char *text, cr_status_e status, const char *words)
{
    assert_int_equal(negotiate(text), status);
    assert_non_null(why);

    if (strstr(why, words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", why, words);
    }
}


static inline void
write_answer(const char *text)
{
    size_t  len;

    len = cr_sdp_write_answer(answer, sizeof(answer) - 1, text, strlen(text),
                              &session, &local);
    assert_int_not_equal(len, 0);
    answer[len] = '\0';
}


static inline void
assert_answered(const char *words)
{
    if (strstr(answer, words) == NULL) {
        fail_msg("no \"%s\" in\n%s", words, answer);
    }
}


static inline void
assert_not_answered(const char *words)
{
    if (strstr(answer, words) != NULL) {
        fail_msg("\"%s\" in\n%s", words, answer);
    }
}


static inline void
load(const char *name)
{
    FILE    *f;
    char     path[256];
    size_t   len;

    snprintf(path, sizeof(path), "t/fixtures/sdp/%s.offer.sdp", name);

    f = fopen(path, "r");
    assert_non_null(f);
    len = fread(buf, 1, sizeof(buf) - 1, f);
    fclose(f);
    buf[len] = '\0';
}


#endif /* SDP_OFFER_H */
