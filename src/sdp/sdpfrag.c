
/*
 * Copyright (C) The call recorder authors
 *
 * Fragments of SDP that carry candidates and new ICE credentials
 * (RFC 8840 section 9, RFC 9725 section 4.3).  We are ICE-lite: candidates
 * are counted and checked for form, nobody connects to them.
 */


#include "sdp/sdp_internal.h"


#define SDPFRAG_CANDIDATES_MAX  256


static cr_status_e sdpfrag_attribute(cr_sdpfrag_t *frag,
    const cr_str_t *name, const cr_str_t *value, const char **why);
static bool sdpfrag_copy(char *buf, const cr_str_t *value);
static bool sdpfrag_candidate(cr_str_t value);


cr_status_e
cr_sdpfrag_parse(const char *text, size_t len, cr_sdpfrag_t *frag,
    const char **why)
{
    bool         any;
    cr_str_t     line, name, rest, value;
    unsigned     lines;
    cr_status_e  rc;

    memset(frag, 0, sizeof(cr_sdpfrag_t));

    if (len > CR_SDP_SIZE_MAX) {
        *why = "The fragment is larger than 64 KiB.";
        return CR_LIMIT;
    }

    rest.data = text;
    rest.len = len;
    any = false;

    for (lines = 0; ; lines++) {
        rc = cr_sdp_line(&rest, &line, why);

        if (rc == CR_DECLINED) {
            break;
        }

        if (rc != CR_OK) {
            return rc;
        }

        if (lines == CR_SDP_LINES_MAX) {
            *why = "The fragment has too many lines.";
            return CR_LIMIT;
        }

        if (line.data[0] == 'm') {
            continue;
        }

        if (!cr_sdp_attribute(&line, &name, &value)) {
            *why = "A line of the fragment is neither a= nor m=.";
            return CR_INVALID;
        }

        any = true;

        rc = sdpfrag_attribute(frag, &name, &value, why);
        if (rc != CR_OK) {
            return rc;
        }
    }

    if (!any) {
        *why = "The fragment is empty.";
        return CR_INVALID;
    }

    if (frag->pwd[0] != '\0' && frag->ufrag[0] == '\0') {
        *why = "The fragment has an a=ice-pwd but no a=ice-ufrag.";
        return CR_INVALID;
    }

    return CR_OK;
}


static cr_status_e
sdpfrag_attribute(cr_sdpfrag_t *frag, const cr_str_t *name,
    const cr_str_t *value, const char **why)
{
    if (cr_str_eq(name, "ice-ufrag")) {
        if (!cr_sdp_ice_valid(value, CR_ICE_UFRAG_MIN, CR_ICE_UFRAG_MAX)
            || !sdpfrag_copy(frag->ufrag, value))
        {
            *why = "The fragment has a bad or a second a=ice-ufrag.";
            return CR_INVALID;
        }

    } else if (cr_str_eq(name, "ice-pwd")) {
        if (!cr_sdp_ice_valid(value, CR_ICE_PWD_MIN, CR_ICE_PWD_MAX)
            || !sdpfrag_copy(frag->pwd, value))
        {
            *why = "The fragment has a bad or a second a=ice-pwd.";
            return CR_INVALID;
        }

    } else if (cr_str_eq(name, "candidate")) {
        if (!sdpfrag_candidate(*value)) {
            *why = "An a=candidate of the fragment is malformed.";
            return CR_INVALID;
        }

        if (frag->ncandidates == SDPFRAG_CANDIDATES_MAX) {
            *why = "The fragment has more than 256 candidates.";
            return CR_LIMIT;
        }

        frag->ncandidates++;

    } else if (cr_str_eq(name, "end-of-candidates")) {
        frag->end_of_candidates = true;
    }

    return CR_OK;
}


/* The same value may stand in every m-section of a bundle. */

static bool
sdpfrag_copy(char *buf, const cr_str_t *value)
{
    if (buf[0] != '\0') {
        return cr_str_eq(value, buf);
    }

    memcpy(buf, value->data, value->len);
    buf[value->len] = '\0';

    return true;
}


/*
 * RFC 8839 section 5.1: foundation, component, transport, priority,
 * address, port, "typ", type, then pairs that we do not look at.
 */

static bool
sdpfrag_candidate(cr_str_t value)
{
    uint32_t  n;
    unsigned  i;
    cr_str_t  words[8];

    for (i = 0; i < 8; i++) {
        words[i] = cr_str_word(&value);
    }

    return cr_sdp_ice_valid(&words[0], 1, 32)
           && cr_str_number(&words[1], 256, &n)
           && cr_str_token(&words[2])
           && cr_str_number(&words[3], UINT32_MAX, &n)
           && words[4].len != 0
           && cr_str_number(&words[5], 65535, &n)
           && cr_str_eq(&words[6], "typ")
           && cr_str_token(&words[7]);
}


size_t
cr_sdpfrag_write(char *buf, size_t size, const cr_sdp_session_t *session,
    const cr_sdp_local_t *local)
{
    cr_writer_t               w;
    const cr_media_params_t  *media;

    cr_writer_init(&w, (uint8_t *) buf, size);

    cr_sdp_printf(&w, "a=ice-lite\r\n");

    media = &session->media[0];

    if (media->mid[0] != '\0') {
        cr_sdp_write_bundle(&w, session);
    }

    cr_sdp_printf(&w, "m=%s 9 UDP/TLS/RTP/SAVPF %u\r\n",
                  media->kind == CR_KIND_AUDIO ? "audio" : "video",
                  media->pt);

    if (media->mid[0] != '\0') {
        cr_sdp_printf(&w, "a=mid:%s\r\n", media->mid);
    }

    cr_sdp_write_ice(&w, local);
    cr_sdp_write_candidates(&w, local);

    return w.overflow ? 0 : cr_writer_len(&w);
}
