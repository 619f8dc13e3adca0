
/*
 * Copyright (C) The call recorder authors
 *
 * The codecs: their names in SDP, which payload type of an offer is taken,
 * and what the answer says of it.
 */


#include "sdp/sdp_internal.h"

#include <inttypes.h>


#define RANK_NONE  UINT32_MAX

/* RFC 6184 section 8.1: the bytes that we hold in another order */
#define H264_DEINT_BUF  "deint-buf-cap=8388608;"

/* RFC 7798 section 7.1: main, level 3.1 */
#define H265_DEFAULT_PROFILE  1
#define H265_DEFAULT_LEVEL    93
#define H265_PROFILE_MAX      4         /* the range extensions */

/* AV1's RTP payload format, section 7.2.1 */
#define AV1_DEFAULT_LEVEL     5


typedef struct {
    const char  *encoding;
    const char  *media;
    uint8_t      codec;                 /* cr_codec_e */
    uint8_t      channels;              /* 0: video */
    uint8_t      pt;                    /* RFC 3551 section 6 */
    uint32_t     clock_rate;
} sdp_codec_t;


static const sdp_codec_t *sdp_find_codec(uint8_t codec);
static unsigned sdp_rank(const cr_sdp_config_t *config,
    const cr_sdp_payload_t *payload);
static bool sdp_profile_known(const cr_sdp_payload_t *payload);
static void sdp_fill_sprop(cr_media_params_t *media,
    const cr_sdp_payload_t *payload);
static size_t sdp_base64(const cr_str_t *in, uint8_t *out, size_t size);


static const sdp_codec_t  sdp_codecs[] = {
    { "opus/48000/2", "audio", CR_CODEC_OPUS, 2, CR_SDP_UNSAID, 48000 },
    { "PCMU/8000", "audio", CR_CODEC_PCMU, 1, 0, 8000 },
    { "PCMA/8000", "audio", CR_CODEC_PCMA, 1, 8, 8000 },
    /* RFC 3551 section 4.5.2: a clock of half its rate */
    { "G722/8000", "audio", CR_CODEC_G722, 1, 9, 8000 },
    { "VP8/90000", "video", CR_CODEC_VP8, 0, CR_SDP_UNSAID, 90000 },
    { "VP9/90000", "video", CR_CODEC_VP9, 0, CR_SDP_UNSAID, 90000 },
    { "AV1/90000", "video", CR_CODEC_AV1, 0, CR_SDP_UNSAID, 90000 },
    { "H264/90000", "video", CR_CODEC_H264, 0, CR_SDP_UNSAID, 90000 },
    { "H265/90000", "video", CR_CODEC_H265, 0, CR_SDP_UNSAID, 90000 }
};


#define NCODECS  (sizeof(sdp_codecs) / sizeof(sdp_codecs[0]))


uint8_t
cr_sdp_codec(const cr_str_t *media, const cr_str_t *encoding)
{
    size_t    i;
    cr_str_t  name;

    name = *encoding;

    /* RFC 8866 section 6.6: one channel need not be said */
    if (name.len > 2 && memcmp(name.data + name.len - 2, "/1", 2) == 0) {
        name.len -= 2;
    }

    for (i = 0; i < NCODECS; i++) {
        if (cr_str_case_eq(&name, sdp_codecs[i].encoding)
            && cr_str_eq(media, sdp_codecs[i].media))
        {
            return sdp_codecs[i].codec;
        }
    }

    return CR_CODEC_NONE;
}


uint8_t
cr_sdp_static_codec(const cr_str_t *media, uint8_t pt)
{
    size_t  i;

    for (i = 0; i < NCODECS; i++) {
        if (sdp_codecs[i].pt == pt && cr_str_eq(media, sdp_codecs[i].media))
        {
            return sdp_codecs[i].codec;
        }
    }

    return CR_CODEC_NONE;
}


static const sdp_codec_t *
sdp_find_codec(uint8_t codec)
{
    size_t  i;

    for (i = 0; sdp_codecs[i].codec != codec; i++) { /* void */ }

    return &sdp_codecs[i];
}


bool
cr_sdp_pt_usable(uint8_t pt)
{
    return pt < 64 || pt > 95;
}


/* The payload type of the lowest rank; the offerer's order among equals. */

const cr_sdp_payload_t *
cr_sdp_choose(const cr_sdp_config_t *config, const cr_sdp_mline_t *mline)
{
    unsigned                 best, i, rank;
    cr_sdp_config_t          first;
    const cr_sdp_payload_t  *payload;

    payload = NULL;
    best = RANK_NONE;

    for (i = 0; i < mline->npayloads; i++) {
        rank = sdp_rank(config, &mline->payloads[i]);

        if (rank >= best) {
            continue;
        }

        best = rank;
        payload = &mline->payloads[i];

        if (config->offerers_order && config != &first) {
            /* nothing but the codec that is named first */
            memset(&first, 0, sizeof(cr_sdp_config_t));
            first.codecs[0] = payload->codec;
            config = &first;
            best = sdp_rank(config, payload);
        }
    }

    return payload;
}


static unsigned
sdp_rank(const cr_sdp_config_t *config, const cr_sdp_payload_t *payload)
{
    unsigned  i;

    if (payload->codec == CR_CODEC_NONE || !cr_sdp_pt_usable(payload->pt)
        || !sdp_profile_known(payload))
    {
        return RANK_NONE;
    }

    for (i = 0; i < sizeof(config->codecs); i++) {

        if (config->codecs[i] == CR_CODEC_NONE) {
            break;
        }

        if (config->codecs[i] == payload->codec) {

            if (payload->codec == CR_CODEC_H264
                && payload->packetization_mode != 1)
            {
                return 2 * i + 1;
            }

            return 2 * i;
        }
    }

    return RANK_NONE;
}


static bool
sdp_profile_known(const cr_sdp_payload_t *payload)
{
    uint8_t  profile = payload->profile;

    switch (payload->codec) {

    case CR_CODEC_OPUS:
        return cr_sdp_multiopus_known(payload);

    case CR_CODEC_H264:
        /* (constrained) baseline, main, high */
        return (payload->packetization_mode <= 1
                || (payload->packetization_mode == 2
                    && payload->interleaving_depth != CR_SDP_UNSAID))
               && (payload->profile_level_id[0] == 0x42
                   || payload->profile_level_id[0] == 0x4d
                   || payload->profile_level_id[0] == 0x64);

    case CR_CODEC_H265:
        return !payload->interleaved
               && (profile == CR_SDP_UNSAID
                   || (profile != 0 && profile <= H265_PROFILE_MAX));

    case CR_CODEC_VP9:
        /* 4:2:0 of 8, 10 and 12 bits */
        return profile == CR_SDP_UNSAID || profile == 0 || profile == 2;

    case CR_CODEC_AV1:
        return profile == CR_SDP_UNSAID || profile <= 2;

    default:
        return true;
    }
}


void
cr_sdp_fill_codec(cr_media_params_t *media, const cr_sdp_payload_t *payload)
{
    uint8_t             level, profile;
    const sdp_codec_t  *codec;

    codec = sdp_find_codec(payload->codec);

    media->kind = codec->channels ? CR_KIND_AUDIO : CR_KIND_VIDEO;
    media->clock_rate = codec->clock_rate;
    media->channels = codec->channels;

    profile = 0;
    level = 0;

    switch (payload->codec) {

    case CR_CODEC_OPUS:
        cr_sdp_fill_opus(media, payload);
        return;

    case CR_CODEC_H264:
        media->h264_packetization_mode = payload->packetization_mode;
        media->h264_interleaving_depth = payload->interleaving_depth;
        memcpy(media->h264_profile_level_id, payload->profile_level_id, 3);
        sdp_fill_sprop(media, payload);
        return;

    case CR_CODEC_H265:
        profile = H265_DEFAULT_PROFILE;
        level = H265_DEFAULT_LEVEL;
        sdp_fill_sprop(media, payload);
        break;

    case CR_CODEC_AV1:
        level = AV1_DEFAULT_LEVEL;
        break;

    default:
        break;
    }

    media->profile = payload->profile == CR_SDP_UNSAID ? profile
                                                       : payload->profile;
    media->level = payload->level == CR_SDP_UNSAID ? level : payload->level;
    media->tier = payload->tier;
}


void
cr_sdp_write_codec(cr_writer_t *w, const cr_media_params_t *media)
{
    const uint8_t  *id;

    if (media->codec == CR_CODEC_OPUS) {
        cr_sdp_write_opus(w, media);
        return;
    }

    cr_sdp_printf(w, "a=rtpmap:%u %s\r\n", media->pt,
                  sdp_find_codec(media->codec)->encoding);

    switch (media->codec) {

    case CR_CODEC_VP9:
        cr_sdp_printf(w, "a=fmtp:%u profile-id=%u\r\n", media->pt,
                      media->profile);
        break;

    case CR_CODEC_AV1:
        cr_sdp_printf(w, "a=fmtp:%u level-idx=%u;profile=%u;tier=%u\r\n",
                      media->pt, media->level, media->profile, media->tier);
        break;

    case CR_CODEC_H265:
        cr_sdp_printf(w, "a=fmtp:%u level-id=%u;profile-id=%u;tier-flag=%u;"
                      "tx-mode=SRST\r\n", media->pt, media->level,
                      media->profile, media->tier);
        break;

    case CR_CODEC_H264:
        id = media->h264_profile_level_id;
        cr_sdp_printf(w, "a=fmtp:%u level-asymmetry-allowed=1;"
                      "packetization-mode=%u;%s"
                      "profile-level-id=%02x%02x%02x\r\n",
                      media->pt, media->h264_packetization_mode,
                      media->h264_packetization_mode == 2
                          ? H264_DEINT_BUF : "",
                      id[0], id[1], id[2]);
        break;

    default: /* VP8, G.711, G.722: nothing */
        break;
    }
}


/*
 * sprop-parameter-sets, sprop-vps, -sps, -pps: NAL units in base64, with
 * commas between.  Sets that are damaged or do not fit are left out as a
 * whole: they come in the stream again.
 */

static void
sdp_fill_sprop(cr_media_params_t *media, const cr_sdp_payload_t *payload)
{
    size_t    len, n, size;
    unsigned  i;
    cr_str_t  nal, sprop;

    static const uint8_t  start_code[4] = { 0, 0, 0, 1 };

    len = 0;
    size = sizeof(media->h264_sprop);

    for (i = 0; i < CR_SDP_SPROP_MAX; i++) {
        sprop = payload->sprop[i];

        while (cr_str_split(&sprop, ',', &nal)) {

            if (size - len <= sizeof(start_code)) {
                return;
            }

            n = sdp_base64(&nal, media->h264_sprop + len + sizeof(start_code),
                           size - len - sizeof(start_code));
            if (n == 0) {
                return;
            }

            memcpy(media->h264_sprop + len, start_code, sizeof(start_code));
            len += sizeof(start_code) + n;
        }
    }

    media->h264_sprop_len = (uint16_t) len;
}


/* Returns the length, 0 when it is damaged or longer than size. */

static size_t
sdp_base64(const cr_str_t *in, uint8_t *out, size_t size)
{
    size_t       bits, i, n;
    uint32_t     word;
    const char  *p;

    static const char  digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "abcdefghijklmnopqrstuvwxyz0123456789+/";

    word = 0;
    bits = 0;
    n = 0;

    for (i = 0; i < in->len && in->data[i] != '='; i++) {
        p = memchr(digits, in->data[i], 64);

        if (p == NULL) {
            return 0;
        }

        word = word << 6 | (uint32_t) (p - digits);
        bits += 6;

        if (bits >= 8) {
            if (n == size) {
                return 0;
            }

            bits -= 8;
            out[n++] = (uint8_t) (word >> bits);
        }
    }

    return n;
}
