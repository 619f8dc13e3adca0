
/*
 * Copyright (C) The call recorder authors
 *
 * What an offer and we agree on: which m-lines we take, one codec for each,
 * and one transport for all (RFC 8829 section 5.3, RFC 9143).
 */


#include "sdp/sdp_internal.h"


/* What the m-lines of one offer are checked against. */
typedef struct {
    const cr_sdp_desc_t    *desc;
    const cr_sdp_config_t  *config;
    cr_sdp_session_t       *session;
    cr_str_t                mids[CR_SDP_MLINE_MAX];
    unsigned                nactive;      /* m-lines that are not port 0 */
    unsigned                nvideo;       /* that were taken */
    bool                    sender;       /* one of them would send to us */
} sdp_negotiation_t;


static cr_status_e sdp_take_mline(sdp_negotiation_t *n, unsigned index,
    const cr_sdp_mline_t *mline, const char **why);
static cr_status_e sdp_check_mid(sdp_negotiation_t *n, unsigned index,
    const cr_sdp_mline_t *mline, const char **why);
static cr_status_e sdp_check_bundle(const sdp_negotiation_t *n,
    const char **why);
static cr_status_e sdp_take_transport(sdp_negotiation_t *n,
    const cr_sdp_mline_t *mline, const char **why);
static bool sdp_proto_known(const cr_str_t *proto);
static void sdp_fill_media(cr_media_params_t *media,
    const cr_sdp_config_t *config, const cr_sdp_mline_t *mline,
    const cr_sdp_payload_t *payload);


cr_status_e
cr_sdp_negotiate(const char *offer, size_t len,
    const cr_sdp_config_t *config, cr_sdp_session_t *session,
    const char **why)
{
    unsigned           i;
    cr_status_e        rc;
    cr_sdp_desc_t      desc;
    cr_sdp_mline_t     mline;
    sdp_negotiation_t  n;

    memset(session, 0, sizeof(cr_sdp_session_t));
    memset(&n, 0, sizeof(sdp_negotiation_t));

    rc = cr_sdp_parse(offer, len, &desc, why);
    if (rc != CR_OK) {
        return rc;
    }

    n.desc = &desc;
    n.config = config;
    n.session = session;

    session->nmlines = desc.nmlines;

    for (i = 0; i < desc.nmlines; i++) {
        rc = cr_sdp_parse_media(&desc.sections[i], &mline, why);

        if (rc == CR_OK) {
            rc = sdp_check_mid(&n, i, &mline, why);
        }

        if (rc == CR_OK) {
            rc = sdp_take_mline(&n, i, &mline, why);
        }

        if (rc != CR_OK) {
            return rc;
        }
    }

    rc = sdp_check_bundle(&n, why);
    if (rc != CR_OK) {
        return rc;
    }

    if (!n.sender) {
        *why = "The offer has no audio or video m-line that sends.";
        return CR_UNSUPPORTED;
    }

    if (session->nmedia == 0) {
        *why = "The offer has no codec that is recorded here.";
        return CR_DECLINED;
    }

    return CR_OK;
}


static cr_status_e
sdp_check_mid(sdp_negotiation_t *n, unsigned index,
    const cr_sdp_mline_t *mline, const char **why)
{
    unsigned  i;

    n->mids[index] = mline->mid;

    if (mline->mid.len == 0) {
        if (n->desc->has_bundle) {
            *why = "The offer bundles, but an m-line has no a=mid.";
            return CR_INVALID;
        }

        return CR_OK;
    }

    for (i = 0; i < index; i++) {
        if (cr_str_same(&n->mids[i], &mline->mid)) {
            *why = "Two m-lines of the offer have the same a=mid.";
            return CR_INVALID;
        }
    }

    return CR_OK;
}


static cr_status_e
sdp_check_bundle(const sdp_negotiation_t *n, const char **why)
{
    unsigned  i;
    cr_str_t  mid, rest;

    if (!n->desc->has_bundle) {
        if (n->nactive > 1) {
            *why = "The offer has several m-lines and no a=group:BUNDLE.";
            return CR_UNSUPPORTED;
        }

        return CR_OK;
    }

    rest = n->desc->bundle;

    for (mid = cr_str_word(&rest); mid.len != 0; mid = cr_str_word(&rest)) {

        for (i = 0; i < n->desc->nmlines; i++) {
            if (cr_str_same(&n->mids[i], &mid)) {
                break;
            }
        }

        if (i == n->desc->nmlines) {
            *why = "The offer's a=group:BUNDLE names an a=mid that no m-line"
                   " has.";
            return CR_INVALID;
        }
    }

    return CR_OK;
}


/* Leaves an m-line that we do not take out of the session. */

static cr_status_e
sdp_take_mline(sdp_negotiation_t *n, unsigned index,
    const cr_sdp_mline_t *mline, const char **why)
{
    unsigned                 i;
    uint8_t                  direction;
    cr_status_e              rc;
    cr_media_params_t       *media;
    const cr_sdp_payload_t  *payload;

    /* RFC 9143 section 6: port 0 in a bundle-only m-line is no rejection */

    if (mline->port == 0 && !(mline->bundle_only && n->desc->has_bundle)) {
        return CR_OK;
    }

    n->nactive++;

    if (!cr_str_eq(&mline->media, "audio")
        && !cr_str_eq(&mline->media, "video"))
    {
        return CR_OK;
    }

    direction = mline->common.direction ? mline->common.direction
                                        : n->desc->common.direction;

    if (direction == CR_DIR_RECVONLY || direction == CR_DIR_INACTIVE
        || !sdp_proto_known(&mline->proto))
    {
        return CR_OK;
    }

    if (n->desc->has_bundle
        && !cr_sdp_in_group(&n->desc->bundle, &mline->mid))
    {
        return CR_OK;
    }

    n->sender = true;

    payload = cr_sdp_choose(n->config, mline);
    if (payload == NULL) {
        return CR_OK;
    }

    if (!mline->rtcp_mux) {
        *why = "An m-line of the offer has no a=rtcp-mux.";
        return CR_UNSUPPORTED;
    }

    if (mline->mid.len > CR_MID_MAX) {
        *why = "An a=mid of the offer is longer than 16 characters.";
        return CR_LIMIT;
    }

    if (cr_str_eq(&mline->media, "video") && n->nvideo == CR_VIDEO_MAX) {
        return CR_OK;
    }

    if (n->session->nmedia == CR_MEDIA_MAX) {
        *why = "The offer has more than 8 m-lines that send.";
        return CR_LIMIT;
    }

    /* RFC 9143 section 9.1: in a bundle it must mean the same everywhere */

    for (i = 0; i < n->session->nmedia; i++) {
        media = &n->session->media[i];

        if (media->pt == payload->pt && media->codec != payload->codec) {
            *why = "Two bundled m-lines use one payload type for two codecs.";
            return CR_INVALID;
        }
    }

    if (n->session->nmedia == 0) {
        rc = sdp_take_transport(n, mline, why);
        if (rc != CR_OK) {
            return rc;
        }
    }

    media = &n->session->media[n->session->nmedia++];
    media->mline = (uint8_t) index;
    sdp_fill_media(media, n->config, mline, payload);

    if (media->kind == CR_KIND_VIDEO) {
        /* nobody says so, but it is what people do */
        media->screen = mline->screen || n->nvideo != 0;
        n->nvideo++;
    }

    return CR_OK;
}


/* The first m-line that is taken has the transport of the bundle. */

static cr_status_e
sdp_take_transport(sdp_negotiation_t *n, const cr_sdp_mline_t *mline,
    const char **why)
{
    uint8_t                 setup;
    const cr_str_t         *pwd, *ufrag;
    cr_sdp_session_t       *session;
    const cr_sdp_common_t  *above, *common, *own;

    own = &mline->common;
    above = &n->desc->common;
    session = n->session;

    ufrag = own->ufrag.len != 0 ? &own->ufrag : &above->ufrag;
    pwd = own->pwd.len != 0 ? &own->pwd : &above->pwd;

    if (ufrag->len == 0 || pwd->len == 0) {
        *why = "The offer has no a=ice-ufrag or no a=ice-pwd.";
        return CR_INVALID;
    }

    memcpy(session->remote_ufrag, ufrag->data, ufrag->len);
    memcpy(session->remote_pwd, pwd->data, pwd->len);

    common = own->hash != CR_HASH_NONE ? own : above;

    if (common->hash == CR_HASH_NONE) {
        *why = "The offer has no a=fingerprint of a known hash function.";
        return CR_INVALID;
    }

    session->fingerprint_hash = common->hash;
    session->fingerprint_len = common->fingerprint_len;
    memcpy(session->fingerprint, common->fingerprint,
           common->fingerprint_len);

    /* RFC 8842 section 5: without a=setup an offer means actpass */

    setup = own->setup != CR_SETUP_NONE ? own->setup : above->setup;

    if (setup == CR_SETUP_HOLDCONN) {
        *why = "The offer has a=setup:holdconn.";
        return CR_UNSUPPORTED;
    }

    session->dtls_client = (setup == CR_SETUP_PASSIVE);

    return CR_OK;
}


/* RFC 8829 section 5.1.2: all of these mean the same today. */

static bool
sdp_proto_known(const cr_str_t *proto)
{
    size_t  i;

    static const char *const  protos[] = {
        "UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "TCP/DTLS/RTP/SAVPF",
        "TCP/DTLS/RTP/SAVP", "RTP/SAVPF", "RTP/SAVP", "RTP/AVPF", "RTP/AVP"
    };

    for (i = 0; i < sizeof(protos) / sizeof(protos[0]); i++) {
        if (cr_str_eq(proto, protos[i])) {
            return true;
        }
    }

    return false;
}


static void
sdp_fill_media(cr_media_params_t *media, const cr_sdp_config_t *config,
    const cr_sdp_mline_t *mline, const cr_sdp_payload_t *payload)
{
    unsigned                 i;
    const cr_sdp_payload_t  *other;

    media->codec = payload->codec;
    media->pt = payload->pt;

    cr_sdp_fill_codec(media, payload);

    memcpy(media->mid, mline->mid.data != NULL ? mline->mid.data : "",
           mline->mid.len);

    for (i = 0; i < mline->npayloads; i++) {
        other = &mline->payloads[i];

        if (other->pt == payload->pt || other->pt == 0
            || !cr_sdp_pt_usable(other->pt))
        {
            continue;
        }

        if (other->rtx && other->apt == payload->pt && media->rtx_pt == 0) {
            media->rtx_pt = other->pt;
        }

        if (config->red && other->red && other->red_of == payload->pt
            && payload->codec == CR_CODEC_OPUS && media->red_pt == 0)
        {
            media->red_pt = other->pt;
        }
    }

    if (config->ulpfec && media->kind == CR_KIND_VIDEO) {
        cr_sdp_fill_fec(media, mline);
    }

    media->ext_mid = mline->ext[CR_EXT_MID].id;
    media->ext_rid = mline->ext[CR_EXT_RID].id;
    media->ext_repaired_rid = mline->ext[CR_EXT_REPAIRED_RID].id;
    media->ext_twcc = mline->ext[CR_EXT_TWCC].id;
    media->ext_abs_send_time = mline->ext[CR_EXT_ABS_SEND_TIME].id;
    media->ext_audio_level = mline->ext[CR_EXT_AUDIO_LEVEL].id;
    media->ext_video_orientation = mline->ext[CR_EXT_VIDEO_ORIENTATION].id;
    media->ext_abs_capture_time = mline->ext[CR_EXT_ABS_CAPTURE_TIME].id;
    media->ext_dependency = mline->ext[CR_EXT_DEPENDENCY].id;

    cr_sdp_fill_layers(media, mline);

    /* transport-cc feedback can only name packets that carry its number */

    media->fb_nack = (payload->feedback & CR_FB_NACK) != 0;
    media->fb_pli = (payload->feedback & CR_FB_PLI) != 0;
    media->fb_fir = (payload->feedback & CR_FB_FIR) != 0;
    media->fb_twcc = (payload->feedback & CR_FB_TWCC) != 0
                     && media->ext_twcc != 0;
    media->fb_remb = (payload->feedback & CR_FB_REMB) != 0
                     && !media->fb_twcc;
}
