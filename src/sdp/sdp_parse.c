
/*
 * Copyright (C) The call recorder authors
 *
 * The text of an offer: lines, sections, and the attributes that may stand
 * at session or media level.
 */


#include "sdp/sdp_internal.h"


static cr_status_e sdp_parse_session(cr_sdp_desc_t *desc,
    const cr_str_t *line, const char **why);
static cr_status_e sdp_parse_fingerprint(cr_sdp_common_t *common,
    cr_str_t value, const char **why);
static int sdp_hex(char c);


/* The fingerprint functions that we know, RFC 8122 section 5. */

static const struct {
    const char  *name;
    uint8_t      hash;
    uint8_t      len;
    uint8_t      rank;
} sdp_hashes[] = {
    { "sha-256", CR_HASH_SHA256, 32, 4 },
    { "sha-384", CR_HASH_SHA384, 48, 3 },
    { "sha-512", CR_HASH_SHA512, 64, 2 },
    { "sha-1", CR_HASH_SHA1, 20, 1 }
};

#define NHASHES  (sizeof(sdp_hashes) / sizeof(sdp_hashes[0]))


cr_status_e
cr_sdp_parse(const char *text, size_t len, cr_sdp_desc_t *desc,
    const char **why)
{
    bool         media, origin;
    cr_str_t     line, rest, *section;
    unsigned     lines;
    const char  *start;
    cr_status_e  rc;

    memset(desc, 0, sizeof(cr_sdp_desc_t));

    if (len > CR_SDP_SIZE_MAX) {
        *why = "The session description is larger than 64 KiB.";
        return CR_LIMIT;
    }

    rest.data = text;
    rest.len = len;
    section = NULL;
    media = false;
    origin = false;

    for (lines = 0; ; lines++) {
        start = rest.data;

        rc = cr_sdp_line(&rest, &line, why);
        if (rc == CR_DECLINED) {
            break;
        }

        if (rc != CR_OK) {
            return rc;
        }

        if (lines == CR_SDP_LINES_MAX) {
            *why = "The session description has too many lines.";
            return CR_LIMIT;
        }

        if (lines == 0 && !cr_str_eq(&line, "v=0")) {
            *why = "The session description does not start with v=0.";
            return CR_INVALID;
        }

        if (line.data[0] == 'm') {
            if (desc->nmlines == CR_SDP_MLINE_MAX) {
                *why = "The offer has more than 16 m-lines.";
                return CR_LIMIT;
            }

            section = &desc->sections[desc->nmlines++];
            section->data = start;
            media = true;
        }

        if (media) {
            section->len = (size_t) (rest.data - section->data);
            continue;
        }

        if (line.data[0] == 'o') {
            origin = true;
        }

        rc = sdp_parse_session(desc, &line, why);
        if (rc != CR_OK) {
            return rc;
        }
    }

    if (!origin) {
        *why = "The session description has no o= line.";
        return CR_INVALID;
    }

    if (desc->nmlines == 0) {
        *why = "The offer has no m-line.";
        return CR_INVALID;
    }

    return CR_OK;
}


static cr_status_e
sdp_parse_session(cr_sdp_desc_t *desc, const cr_str_t *line,
    const char **why)
{
    cr_str_t     kind, name, value;
    cr_status_e  rc;

    if (!cr_sdp_attribute(line, &name, &value)) {
        return CR_OK;
    }

    if (cr_str_eq(&name, "group")) {
        kind = cr_str_word(&value);

        if (cr_str_eq(&kind, "BUNDLE") && !desc->has_bundle) {
            desc->has_bundle = true;
            desc->bundle = value;
        }

        return CR_OK;
    }

    rc = cr_sdp_common(&desc->common, &name, &value, why);

    return (rc == CR_DECLINED) ? CR_OK : rc;
}


cr_status_e
cr_sdp_common(cr_sdp_common_t *common, const cr_str_t *name,
    const cr_str_t *value, const char **why)
{
    size_t  i;

    static const struct {
        const char  *name;
        uint8_t      value;
    } setups[] = {
        { "actpass", CR_SETUP_ACTPASS },
        { "active", CR_SETUP_ACTIVE },
        { "passive", CR_SETUP_PASSIVE },
        { "holdconn", CR_SETUP_HOLDCONN }
    }, directions[] = {
        { "sendrecv", CR_DIR_SENDRECV },
        { "sendonly", CR_DIR_SENDONLY },
        { "recvonly", CR_DIR_RECVONLY },
        { "inactive", CR_DIR_INACTIVE }
    };

    if (cr_str_eq(name, "ice-ufrag")) {
        if (!cr_sdp_ice_valid(value, CR_ICE_UFRAG_MIN, CR_ICE_UFRAG_MAX)) {
            *why = "An a=ice-ufrag is not 4 to 256 ICE characters.";
            return CR_INVALID;
        }

        common->ufrag = *value;
        return CR_OK;
    }

    if (cr_str_eq(name, "ice-pwd")) {
        if (!cr_sdp_ice_valid(value, CR_ICE_PWD_MIN, CR_ICE_PWD_MAX)) {
            *why = "An a=ice-pwd is not 22 to 256 ICE characters.";
            return CR_INVALID;
        }

        common->pwd = *value;
        return CR_OK;
    }

    if (cr_str_eq(name, "fingerprint")) {
        return sdp_parse_fingerprint(common, *value, why);
    }

    if (cr_str_eq(name, "setup")) {
        for (i = 0; i < 4; i++) {
            if (cr_str_eq(value, setups[i].name)) {
                common->setup = setups[i].value;
                return CR_OK;
            }
        }

        *why = "An a=setup is none of actpass, active, passive, holdconn.";
        return CR_INVALID;
    }

    if (cr_str_eq(name, "extmap-allow-mixed")) {
        common->extmap_allow_mixed = true;
        return CR_OK;
    }

    for (i = 0; i < 4; i++) {
        if (cr_str_eq(name, directions[i].name)) {
            common->direction = directions[i].value;
            return CR_OK;
        }
    }

    return CR_DECLINED;
}


/*
 * RFC 8122 section 5: several lines may name several functions for the same
 * certificate; one that we know is enough.  SHA-256 is what everybody
 * computes.
 */

static cr_status_e
sdp_parse_fingerprint(cr_sdp_common_t *common, cr_str_t value,
    const char **why)
{
    int       high, low;
    size_t    h, i, rank;
    uint8_t   bytes[CR_FINGERPRINT_MAX];
    cr_str_t  name;

    name = cr_str_word(&value);
    value = cr_str_word(&value);
    rank = 0;

    for (h = 0; h < NHASHES && !cr_str_case_eq(&name, sdp_hashes[h].name);
         h++)
    {
        /* void */
    }

    if (h == NHASHES) {
        return CR_OK;
    }

    if (value.len != (size_t) sdp_hashes[h].len * 3 - 1) {
        *why = "An a=fingerprint has a wrong length.";
        return CR_INVALID;
    }

    for (i = 0; i < sdp_hashes[h].len; i++) {
        high = sdp_hex(value.data[3 * i]);
        low = sdp_hex(value.data[3 * i + 1]);

        if (high < 0 || low < 0
            || (3 * i + 2 < value.len && value.data[3 * i + 2] != ':'))
        {
            *why = "An a=fingerprint is not pairs of hexadecimal digits.";
            return CR_INVALID;
        }

        bytes[i] = (uint8_t) (high << 4 | low);
    }

    for (i = 0; i < NHASHES; i++) {
        if (sdp_hashes[i].hash == common->hash) {
            rank = sdp_hashes[i].rank;
        }
    }

    if (sdp_hashes[h].rank > rank) {
        common->hash = sdp_hashes[h].hash;
        common->fingerprint_len = sdp_hashes[h].len;
        memcpy(common->fingerprint, bytes, sdp_hashes[h].len);
    }

    return CR_OK;
}


static int
sdp_hex(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c = (char) (c | 0x20);

    return (c >= 'a' && c <= 'f') ? c - 'a' + 10 : -1;
}


bool
cr_sdp_in_group(const cr_str_t *group, const cr_str_t *mid)
{
    cr_str_t  rest, word;

    rest = *group;

    for ( ;; ) {
        word = cr_str_word(&rest);

        if (word.len == 0) {
            return false;
        }

        if (cr_str_same(&word, mid)) {
            return true;
        }
    }
}


bool
cr_sdp_ice_valid(const cr_str_t *s, size_t min, size_t max)
{
    char    c;
    size_t  i;

    if (s->len < min || s->len > max) {
        return false;
    }

    for (i = 0; i < s->len; i++) {
        c = s->data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
              || (c >= '0' && c <= '9') || c == '+' || c == '/'))
        {
            return false;
        }
    }

    return true;
}
