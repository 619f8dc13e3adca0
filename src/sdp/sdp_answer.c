
/*
 * Copyright (C) The call recorder authors
 *
 * The answer to a negotiated offer (RFC 8829 section 5.3.1): an ICE-lite
 * agent (RFC 8445 section 2.5) that only receives, with everything on one
 * port.
 */


#include "sdp/sdp_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>


/* RFC 8445 section 5.1.2.2; libwebrtc's value for TCP */
#define SDP_PREF_HOST      126u
#define SDP_PREF_HOST_TCP  90u
/* RFC 6544 section 4.2: a direction */
#define SDP_PREF_PASSIVE   4u


static void sdp_write_mline(cr_writer_t *w, const cr_sdp_desc_t *desc,
    const cr_sdp_mline_t *mline, const cr_media_params_t *media,
    const cr_sdp_session_t *session, const cr_sdp_local_t *local);
static void sdp_write_payloads(cr_writer_t *w,
    const cr_media_params_t *media);
static void sdp_write_extmap(cr_writer_t *w, const cr_sdp_mline_t *mline);
static void sdp_write_rejected(cr_writer_t *w,
    const cr_sdp_mline_t *mline);
static void sdp_write_candidate(cr_writer_t *w, const cr_addr_t *addr,
    unsigned i, cr_transport_e transport);
static const cr_media_params_t *sdp_find_media(
    const cr_sdp_session_t *session, unsigned mline);


size_t
cr_sdp_write_answer(char *buf, size_t size, const char *offer,
    size_t offer_len, const cr_sdp_session_t *session,
    const cr_sdp_local_t *local)
{
    unsigned                  i;
    const char               *why;
    cr_writer_t               w;
    cr_sdp_desc_t             desc;
    cr_sdp_mline_t            mline;
    const cr_media_params_t  *media;

    if (cr_sdp_parse(offer, offer_len, &desc, &why) != CR_OK) {
        return 0;
    }

    cr_writer_init(&w, (uint8_t *) buf, size);

    cr_sdp_printf(&w, "v=0\r\n"
                  "o=- %" PRIu64 " %" PRIu32 " IN IP4 127.0.0.1\r\n"
                  "s=-\r\n"
                  "t=0 0\r\n",
                  local->session_id, local->session_version);

    if (desc.has_bundle) {
        cr_sdp_write_bundle(&w, session);
    }

    cr_sdp_printf(&w, "a=ice-lite\r\n");

    if (desc.common.extmap_allow_mixed) {
        cr_sdp_printf(&w, "a=extmap-allow-mixed\r\n");
    }

    for (i = 0; i < desc.nmlines; i++) {

        if (cr_sdp_parse_media(&desc.sections[i], &mline, &why) != CR_OK) {
            return 0;
        }

        media = sdp_find_media(session, i);

        if (media != NULL) {
            sdp_write_mline(&w, &desc, &mline, media, session, local);

        } else {
            sdp_write_rejected(&w, &mline);
        }
    }

    return w.overflow ? 0 : cr_writer_len(&w);
}


static const cr_media_params_t *
sdp_find_media(const cr_sdp_session_t *session, unsigned mline)
{
    unsigned  i;

    for (i = 0; i < session->nmedia; i++) {
        if (session->media[i].mline == mline) {
            return &session->media[i];
        }
    }

    return NULL;
}


static void
sdp_write_mline(cr_writer_t *w, const cr_sdp_desc_t *desc,
    const cr_sdp_mline_t *mline, const cr_media_params_t *media,
    const cr_sdp_session_t *session, const cr_sdp_local_t *local)
{
    cr_sdp_printf(w, "m=%.*s 9 %.*s",
                  (int) mline->media.len, mline->media.data,
                  (int) mline->proto.len, mline->proto.data);

    if (media->red_pt != 0 && media->kind == CR_KIND_AUDIO) {
        /* what is named first is sent */
        cr_sdp_printf(w, " %u", media->red_pt);
    }

    cr_sdp_printf(w, " %u", media->pt);

    if (media->rtx_pt != 0) {
        cr_sdp_printf(w, " %u", media->rtx_pt);
    }

    cr_sdp_write_fec_types(w, media);

    cr_sdp_printf(w, "\r\nc=IN IP4 0.0.0.0\r\n");

    if (local->max_bitrate != 0 && media->kind == CR_KIND_VIDEO) {
        cr_sdp_printf(w, "b=TIAS:%" PRIu32 "\r\n", local->max_bitrate);
    }

    cr_sdp_write_ice(w, local);

    cr_sdp_printf(w, "a=fingerprint:%s\r\n"
                  "a=setup:%s\r\n",
                  local->fingerprint,
                  session->dtls_client ? "active" : "passive");

    if (mline->mid.len != 0) {
        cr_sdp_printf(w, "a=mid:%.*s\r\n", (int) mline->mid.len,
                      mline->mid.data);
    }

    if (mline->common.extmap_allow_mixed && !desc->common.extmap_allow_mixed)
    {
        cr_sdp_printf(w, "a=extmap-allow-mixed\r\n");
    }

    sdp_write_extmap(w, mline);

    cr_sdp_printf(w, "a=recvonly\r\n"
                  "a=rtcp-mux\r\n");

    if (mline->rtcp_rsize) {
        cr_sdp_printf(w, "a=rtcp-rsize\r\n");
    }

    sdp_write_payloads(w, media);
    cr_sdp_write_layers(w, media);
    cr_sdp_write_candidates(w, local);
}


/* RFC 8285 section 8: the offer's ids, the direction seen from here. */

static void
sdp_write_extmap(cr_writer_t *w, const cr_sdp_mline_t *mline)
{
    unsigned  i;

    for (i = 0; i < CR_EXT_COUNT; i++) {
        if (mline->ext[i].id != 0) {
            cr_sdp_printf(w, "a=extmap:%u%s %s\r\n", mline->ext[i].id,
                          mline->ext[i].sendonly ? "/recvonly" : "",
                          cr_sdp_ext_uri[i]);
        }
    }
}


static void
sdp_write_payloads(cr_writer_t *w, const cr_media_params_t *media)
{
    unsigned  i;

    const struct {
        bool         on;
        const char  *name;
    } feedback[] = {
        { media->fb_nack, "nack" },
        { media->fb_pli, "nack pli" },
        { media->fb_fir, "ccm fir" },
        { media->fb_twcc, "transport-cc" },
        { media->fb_remb, "goog-remb" }
    };

    cr_sdp_write_codec(w, media);

    for (i = 0; i < sizeof(feedback) / sizeof(feedback[0]); i++) {
        if (feedback[i].on) {
            cr_sdp_printf(w, "a=rtcp-fb:%u %s\r\n", media->pt,
                          feedback[i].name);
        }
    }

    if (media->rtx_pt != 0) {
        cr_sdp_printf(w, "a=rtpmap:%u rtx/%" PRIu32 "\r\n"
                      "a=fmtp:%u apt=%u\r\n", media->rtx_pt,
                      media->clock_rate, media->rtx_pt, media->pt);
    }

    cr_sdp_write_fec(w, media);
}


static void
sdp_write_rejected(cr_writer_t *w, const cr_sdp_mline_t *mline)
{
    cr_sdp_printf(w, "m=%.*s 0 %.*s %.*s\r\n"
                  "c=IN IP4 0.0.0.0\r\n",
                  (int) mline->media.len, mline->media.data,
                  (int) mline->proto.len, mline->proto.data,
                  (int) mline->format.len, mline->format.data);

    if (mline->mid.len != 0) {
        cr_sdp_printf(w, "a=mid:%.*s\r\n", (int) mline->mid.len,
                      mline->mid.data);
    }

    cr_sdp_printf(w, "a=inactive\r\n");
}


void
cr_sdp_write_bundle(cr_writer_t *w, const cr_sdp_session_t *session)
{
    unsigned  i;

    cr_sdp_printf(w, "a=group:BUNDLE");

    for (i = 0; i < session->nmedia; i++) {
        cr_sdp_printf(w, " %s", session->media[i].mid);
    }

    cr_sdp_printf(w, "\r\n");
}


void
cr_sdp_write_ice(cr_writer_t *w, const cr_sdp_local_t *local)
{
    cr_sdp_printf(w, "a=ice-ufrag:%s\r\n"
                  "a=ice-pwd:%s\r\n"
                  "a=ice-options:trickle\r\n",
                  local->ufrag, local->pwd);
}


/*
 * RFC 8839 section 5.1; priorities by RFC 8445 section 5.1.2.1.  Those of TCP
 * (RFC 6544 section 4.5) come behind all of UDP, for peers that can do no
 * better.
 */

void
cr_sdp_write_candidates(cr_writer_t *w, const cr_sdp_local_t *local)
{
    unsigned  i;

    for (i = 0; i < local->ncandidates && i < CR_SDP_CANDIDATE_MAX; i++) {
        sdp_write_candidate(w, &local->candidates[i], i, CR_UDP);
    }

    for (i = 0; local->tcp && i < local->ncandidates
                && i < CR_SDP_CANDIDATE_MAX; i++)
    {
        sdp_write_candidate(w, &local->candidates[i], i, CR_TCP);
    }

    cr_sdp_printf(w, "a=end-of-candidates\r\n");
}


static void
sdp_write_candidate(cr_writer_t *w, const cr_addr_t *addr, unsigned i,
    cr_transport_e transport)
{
    unsigned  j;
    uint32_t  foundation, local_pref, type_pref;

    if (transport == CR_UDP) {
        foundation = i + 1;
        type_pref = SDP_PREF_HOST;
        local_pref = 65535 - i;

    } else {
        foundation = CR_SDP_CANDIDATE_MAX + i + 1;
        type_pref = SDP_PREF_HOST_TCP;
        local_pref = SDP_PREF_PASSIVE << 13 | (8191 - i);
    }

    cr_sdp_printf(w, "a=candidate:%" PRIu32 " 1 %s %" PRIu32 " ", foundation,
                  transport == CR_UDP ? "udp" : "tcp",
                  type_pref << 24 | local_pref << 8 | 255);

    if (addr->family == 4) {
        cr_sdp_printf(w, "%u.%u.%u.%u", addr->ip[0], addr->ip[1],
                      addr->ip[2], addr->ip[3]);

    } else {
        for (j = 0; j < 16; j += 2) {
            cr_sdp_printf(w, "%s%x", j == 0 ? "" : ":",
                          cr_get_u16(&addr->ip[j]));
        }
    }

    cr_sdp_printf(w, " %u typ host%s\r\n", addr->port,
                  transport == CR_UDP ? "" : " tcptype passive");
}


void
cr_sdp_printf(cr_writer_t *w, const char *fmt, ...)
{
    int      n;
    size_t   left;
    va_list  args;

    if (w->overflow) {
        return;
    }

    left = (size_t) (w->end - w->pos);

    va_start(args, fmt);
    n = vsnprintf((char *) w->pos, left, fmt, args);
    va_end(args);

    if (n < 0 || (size_t) n >= left) {
        w->overflow = true;
        return;
    }

    w->pos += n;
}
