
/*
 * Copyright (C) The call recorder authors
 *
 * One m-section of an offer: payload types with what rtpmap, fmtp and
 * rtcp-fb say of them, header extensions, SSRCs.
 */


#include "sdp/sdp_internal.h"


/* Defaults of RFC 6184 section 8.1: baseline, level 1. */
#define H264_DEFAULT_PROFILE  0x42
#define H264_DEFAULT_LEVEL    0x0a

#define URI_DEPENDENCY  "https://aomediacodec.github.io/av1-rtp-spec/"        \
                        "#dependency-descriptor-rtp-header-extension"
#define URI_TWCC  "http://www.ietf.org/id/"                                \
                  "draft-holmer-rmcat-transport-wide-cc-extensions-01"


static cr_status_e sdp_parse_mline(const cr_str_t *line,
    cr_sdp_mline_t *mline, const char **why);
static cr_status_e sdp_media_attribute(cr_sdp_mline_t *mline,
    const cr_str_t *name, cr_str_t value, const char **why);
static cr_sdp_payload_t *sdp_payload(cr_sdp_mline_t *mline,
    const cr_str_t *pt);
static void sdp_parse_rtpmap(cr_sdp_mline_t *mline, cr_str_t value);
static void sdp_parse_fmtp(cr_sdp_mline_t *mline, cr_str_t value);
static void sdp_parse_red(cr_sdp_payload_t *payload, cr_str_t item);
static void sdp_parse_small(const cr_str_t *item, uint8_t *v);
static void sdp_parse_fmtp_item(cr_sdp_payload_t *payload, cr_str_t item);
static void sdp_parse_rtcp_fb(cr_sdp_mline_t *mline, cr_str_t value);
static void sdp_parse_extmap(cr_sdp_mline_t *mline, cr_str_t value);


const char *const  cr_sdp_ext_uri[CR_EXT_COUNT] = {
    "urn:ietf:params:rtp-hdrext:sdes:mid",               /* RFC 9143 */
    "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",     /* RFC 8852 */
    "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
    URI_TWCC,
    "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
    "urn:ietf:params:rtp-hdrext:ssrc-audio-level",       /* RFC 6464 */
    "urn:3gpp:video-orientation",
    "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time",
    URI_DEPENDENCY,
    "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
};


cr_status_e
cr_sdp_parse_media(const cr_str_t *section, cr_sdp_mline_t *mline,
    const char **why)
{
    cr_str_t     line, name, rest, value;
    cr_status_e  rc;

    memset(mline, 0, sizeof(cr_sdp_mline_t));

    rest = *section;

    rc = cr_sdp_line(&rest, &line, why);
    if (rc != CR_OK) {
        return rc;
    }

    rc = sdp_parse_mline(&line, mline, why);

    while (rc == CR_OK) {
        rc = cr_sdp_line(&rest, &line, why);

        if (rc == CR_OK && cr_sdp_attribute(&line, &name, &value)) {
            rc = sdp_media_attribute(mline, &name, value, why);
        }
    }

    return (rc == CR_DECLINED) ? CR_OK : rc;
}


/* m=<media> <port> <proto> <fmt> ... */

static cr_status_e
sdp_parse_mline(const cr_str_t *line, cr_sdp_mline_t *mline,
    const char **why)
{
    uint32_t           pt;
    unsigned           i;
    cr_str_t           port, piece, rest, word;
    cr_sdp_payload_t  *payload;

    rest.data = line->data + 2;
    rest.len = line->len - 2;

    mline->media = cr_str_word(&rest);
    port = cr_str_word(&rest);
    mline->proto = cr_str_word(&rest);
    mline->format = cr_str_word(&rest);

    word = mline->proto;

    while (cr_str_split(&word, '/', &piece)) {
        if (!cr_str_token(&piece)) {
            mline->proto.len = 0;
        }
    }

    if (!cr_str_token(&mline->media) || !cr_str_token(&mline->format)
        || mline->proto.len == 0
        || !cr_str_number(&port, 65535, &mline->port))
    {
        *why = "An m-line is not \"media port proto format ...\".";
        return CR_INVALID;
    }

    for (word = mline->format; word.len != 0; word = cr_str_word(&rest)) {
        if (!cr_str_number(&word, 127, &pt)) {
            continue;
        }

        for (i = 0; i < mline->npayloads && mline->payloads[i].pt != pt; i++)
        {
            /* void */
        }

        if (i < mline->npayloads) {
            continue;
        }

        if (i == CR_SDP_PAYLOADS_MAX) {
            *why = "An m-line has more than 64 payload types.";
            return CR_LIMIT;
        }

        payload = &mline->payloads[mline->npayloads++];
        payload->pt = (uint8_t) pt;
        payload->codec = cr_sdp_static_codec(&mline->media, payload->pt);
        payload->apt = CR_SDP_UNSAID;
        payload->red_of = CR_SDP_UNSAID;
        payload->interleaving_depth = CR_SDP_UNSAID;
        payload->profile = CR_SDP_UNSAID;
        payload->level = CR_SDP_UNSAID;
        payload->profile_level_id[0] = H264_DEFAULT_PROFILE;
        payload->profile_level_id[2] = H264_DEFAULT_LEVEL;
    }

    return CR_OK;
}


static cr_status_e
sdp_media_attribute(cr_sdp_mline_t *mline, const cr_str_t *name,
    cr_str_t value, const char **why)
{
    cr_status_e  rc;

    rc = cr_sdp_common(&mline->common, name, &value, why);

    if (rc != CR_DECLINED) {
        return rc;
    }

    if (cr_str_eq(name, "mid")) {
        if (!cr_str_token(&value)) {
            *why = "An a=mid is not a token.";
            return CR_INVALID;
        }

        mline->mid = value;

    } else if (cr_str_eq(name, "bundle-only")) {
        mline->bundle_only = true;

    } else if (cr_str_eq(name, "rtcp-mux")
               || cr_str_eq(name, "rtcp-mux-only"))
    {
        mline->rtcp_mux = true;

    } else if (cr_str_eq(name, "rtcp-rsize")) {
        mline->rtcp_rsize = true;

    } else if (cr_str_eq(name, "rtpmap")) {
        sdp_parse_rtpmap(mline, value);

    } else if (cr_str_eq(name, "fmtp")) {
        sdp_parse_fmtp(mline, value);

    } else if (cr_str_eq(name, "rtcp-fb")) {
        sdp_parse_rtcp_fb(mline, value);

    } else if (cr_str_eq(name, "extmap")) {
        sdp_parse_extmap(mline, value);

    } else if (cr_str_eq(name, "ssrc")) {
        cr_sdp_parse_ssrc(mline, value);

    } else if (cr_str_eq(name, "ssrc-group")) {
        cr_sdp_parse_ssrc_group(mline, value);

    } else if (cr_str_eq(name, "rid")) {
        cr_sdp_parse_rid(mline, value);

    } else if (cr_str_eq(name, "simulcast")) {
        cr_sdp_parse_simulcast(mline, value);

    } else if (cr_str_eq(name, "content")) {
        mline->screen = cr_str_eq(&value, "slides");
    }

    return CR_OK;
}


/* NULL when the m-line does not list it: such a description is ignored. */

static cr_sdp_payload_t *
sdp_payload(cr_sdp_mline_t *mline, const cr_str_t *pt)
{
    uint32_t  n;
    unsigned  i;

    if (!cr_str_number(pt, 127, &n)) {
        return NULL;
    }

    for (i = 0; i < mline->npayloads; i++) {
        if (mline->payloads[i].pt == n) {
            return &mline->payloads[i];
        }
    }

    return NULL;
}


/* a=rtpmap:<pt> <encoding>/<clock rate>[/<channels>] */

static void
sdp_parse_rtpmap(cr_sdp_mline_t *mline, cr_str_t value)
{
    cr_str_t           pt;
    cr_sdp_payload_t  *payload;

    pt = cr_str_word(&value);
    value = cr_str_word(&value);

    payload = sdp_payload(mline, &pt);
    if (payload == NULL) {
        return;
    }

    payload->rtx = cr_str_case_eq(&value, "rtx/90000")
                   || cr_str_case_eq(&value, "rtx/48000");
    payload->red = cr_str_case_eq(&value, "red/48000/2")
                   || cr_str_case_eq(&value, "red/90000");
    payload->ulpfec = cr_str_case_eq(&value, "ulpfec/90000");
    payload->codec = cr_sdp_codec(&mline->media, &value);
    payload->opus.channels = cr_sdp_multiopus(&mline->media, &value);

    if (payload->opus.channels != 0) {
        payload->codec = CR_CODEC_OPUS;
    }
}


/* a=fmtp:<pt> name=value;name=value, or of RED: <pt>/<pt> */

static void
sdp_parse_fmtp(cr_sdp_mline_t *mline, cr_str_t value)
{
    cr_str_t           item, pt;
    cr_sdp_payload_t  *payload;

    pt = cr_str_word(&value);

    payload = sdp_payload(mline, &pt);
    if (payload == NULL) {
        return;
    }

    while (cr_str_split(&value, ';', &item)) {
        item = cr_str_word(&item);

        if (memchr(item.data, '=', item.len) == NULL) {
            sdp_parse_red(payload, item);

        } else {
            sdp_parse_fmtp_item(payload, item);
        }
    }
}


static void
sdp_parse_red(cr_sdp_payload_t *payload, cr_str_t item)
{
    bool      first;
    uint32_t  n;
    cr_str_t  pt;

    first = true;

    while (cr_str_split(&item, '/', &pt)) {

        if (!cr_str_number(&pt, 127, &n)
            || (!first && n != payload->red_of))
        {
            payload->red_of = CR_SDP_UNSAID;
            return;
        }

        payload->red_of = (uint8_t) n;
        first = false;
    }
}


/* A number that is none, or too large, is as good as none. */

static void
sdp_parse_small(const cr_str_t *item, uint8_t *v)
{
    uint32_t  n;

    if (cr_str_number(item, CR_SDP_UNSAID - 1, &n)) {
        *v = (uint8_t) n;
    }
}


static void
sdp_parse_fmtp_item(cr_sdp_payload_t *payload, cr_str_t item)
{
    int       digit;
    size_t    i;
    uint32_t  n;
    cr_str_t  name;

    if (!cr_str_split(&item, '=', &name)) {
        return;
    }

    if (cr_str_case_eq(&name, "apt")) {
        if (cr_str_number(&item, 127, &n)) {
            payload->apt = (uint8_t) n;
        }

    } else if (cr_str_case_eq(&name, "packetization-mode")) {
        payload->packetization_mode = 255;

        if (cr_str_number(&item, 254, &n)) {
            payload->packetization_mode = (uint8_t) n;
        }

    } else if (cr_str_case_eq(&name, "sprop-interleaving-depth")) {
        sdp_parse_small(&item, &payload->interleaving_depth);

    } else if (cr_str_case_eq(&name, "num_streams")) {
        sdp_parse_small(&item, &payload->opus.streams);

    } else if (cr_str_case_eq(&name, "coupled_streams")) {
        sdp_parse_small(&item, &payload->opus.coupled);

    } else if (cr_str_case_eq(&name, "channel_mapping")) {
        cr_sdp_multiopus_mapping(payload, item);

    } else if (cr_str_case_eq(&name, "sprop-parameter-sets")) {
        payload->sprop[0] = item;

    } else if (cr_str_case_eq(&name, "sprop-vps")) {
        payload->sprop[0] = item;

    } else if (cr_str_case_eq(&name, "sprop-sps")) {
        payload->sprop[1] = item;

    } else if (cr_str_case_eq(&name, "sprop-pps")) {
        payload->sprop[2] = item;

    } else if (cr_str_case_eq(&name, "tx-mode")) {
        payload->interleaved |= !cr_str_case_eq(&item, "SRST");

    } else if (cr_str_case_eq(&name, "sprop-max-don-diff")) {
        payload->interleaved |= !cr_str_eq(&item, "0");

    } else if (cr_str_case_eq(&name, "profile-id")
               || cr_str_case_eq(&name, "profile"))
    {
        sdp_parse_small(&item, &payload->profile);

    } else if (cr_str_case_eq(&name, "level-id")
               || cr_str_case_eq(&name, "level-idx"))
    {
        sdp_parse_small(&item, &payload->level);

    } else if (cr_str_case_eq(&name, "tier-flag")
               || cr_str_case_eq(&name, "tier"))
    {
        sdp_parse_small(&item, &payload->tier);

    } else if (cr_str_case_eq(&name, "profile-level-id")) {
        memset(payload->profile_level_id, 0, 3);

        for (i = 0; item.len == 6 && i < 6; i++) {
            digit = item.data[i] | 0x20;

            if (digit >= '0' && digit <= '9') {
                digit -= '0';

            } else if (digit >= 'a' && digit <= 'f') {
                digit -= 'a' - 10;

            } else {
                memset(payload->profile_level_id, 0, 3);
                return;
            }

            payload->profile_level_id[i / 2] |=
                                   (uint8_t) (i % 2 ? digit : digit << 4);
        }
    }
}


/* a=rtcp-fb:<pt or *> <name> [<parameter>], RFC 4585 section 4.2 */

static void
sdp_parse_rtcp_fb(cr_sdp_mline_t *mline, cr_str_t value)
{
    size_t             i;
    uint8_t            feedback;
    cr_str_t           pt;
    cr_sdp_payload_t  *payload;

    static const struct {
        const char  *name;
        uint8_t      feedback;
    } names[] = {
        { "nack", CR_FB_NACK },
        { "nack pli", CR_FB_PLI },
        { "ccm fir", CR_FB_FIR },
        { "transport-cc", CR_FB_TWCC },
        { "goog-remb", CR_FB_REMB }
    };

    pt = cr_str_word(&value);
    feedback = 0;

    while (value.len != 0 && value.data[0] == ' ') {
        value.data++;
        value.len--;
    }

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (cr_str_eq(&value, names[i].name)) {
            feedback = names[i].feedback;
        }
    }

    if (cr_str_eq(&pt, "*")) {
        for (i = 0; i < mline->npayloads; i++) {
            mline->payloads[i].feedback |= feedback;
        }

        return;
    }

    payload = sdp_payload(mline, &pt);

    if (payload != NULL) {
        payload->feedback |= feedback;
    }
}


/* a=extmap:<id>[/<direction>] <uri>, RFC 8285 section 8 */

static void
sdp_parse_extmap(cr_sdp_mline_t *mline, cr_str_t value)
{
    unsigned  i;
    uint32_t  n;
    cr_str_t  direction, id, uri;

    direction = cr_str_word(&value);
    uri = cr_str_word(&value);

    /*
     * 0 is padding and 15 reserved in the one-byte form; 256 and above
     * stand for ids that are yet to be chosen.
     */

    if (!cr_str_split(&direction, '/', &id) || !cr_str_number(&id, 255, &n)
        || n == 0 || n == 15)
    {
        return;
    }

    if (cr_str_eq(&direction, "recvonly")
        || cr_str_eq(&direction, "inactive"))
    {
        return;
    }

    for (i = 0; i < CR_EXT_COUNT; i++) {
        if (mline->ext[i].id == n) {
            return;
        }
    }

    for (i = 0; i < CR_EXT_COUNT; i++) {
        if (mline->ext[i].id == 0 && cr_str_eq(&uri, cr_sdp_ext_uri[i])) {
            mline->ext[i].id = (uint8_t) n;
            mline->ext[i].sendonly = cr_str_eq(&direction, "sendonly");
        }
    }
}
