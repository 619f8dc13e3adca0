
/*
 * Copyright (C) The call recorder authors
 *
 * The streams of one m-section: SSRCs (RFC 5576), and the layers of
 * simulcast, by rid (RFC 8851, RFC 8853) or by SSRC group.
 */


#include "sdp/sdp_internal.h"


static void sdp_layers_by_rid(cr_media_params_t *media,
    const cr_sdp_mline_t *mline);
static void sdp_layers_by_ssrc(cr_media_params_t *media,
    const cr_sdp_mline_t *mline);
static bool sdp_rid_valid(const cr_str_t *id);
static const cr_sdp_rid_t *sdp_find_rid(const cr_sdp_mline_t *mline,
    const cr_str_t *id);
static bool sdp_rid_has_pt(const cr_sdp_rid_t *rid, uint8_t pt);
static uint32_t sdp_rtx_of(const cr_sdp_mline_t *mline, uint32_t ssrc);


/* a=rid:<id> send [<parameter>=<value>;...]; others' are not ours to take. */

void
cr_sdp_parse_rid(cr_sdp_mline_t *mline, cr_str_t value)
{
    cr_str_t       direction, id;
    cr_sdp_rid_t  *rid;

    id = cr_str_word(&value);
    direction = cr_str_word(&value);

    /* longer ones are allowed, and nobody has them */

    if (id.len > CR_RID_MAX || !sdp_rid_valid(&id)
        || !cr_str_eq(&direction, "send")
        || mline->nrids == CR_SDP_RIDS_MAX
        || sdp_find_rid(mline, &id) != NULL)
    {
        return;
    }

    rid = &mline->rids[mline->nrids++];
    rid->id = id;
    rid->parameters = cr_str_word(&value);
}


/* a=simulcast:send <streams> [recv <streams>], in either order */

void
cr_sdp_parse_simulcast(cr_sdp_mline_t *mline, cr_str_t value)
{
    cr_str_t  direction, streams;

    for ( ;; ) {
        direction = cr_str_word(&value);
        streams = cr_str_word(&value);

        if (streams.len == 0) {
            return;
        }

        if (cr_str_eq(&direction, "send")) {
            mline->simulcast = streams;
        }
    }
}


/* a=ssrc:<id> <attribute>, RFC 5576; the first one sends the media. */

void
cr_sdp_parse_ssrc(cr_sdp_mline_t *mline, cr_str_t value)
{
    uint32_t  n;
    cr_str_t  id;

    id = cr_str_word(&value);

    if (mline->ssrc == 0 && cr_str_number(&id, UINT32_MAX, &n)) {
        mline->ssrc = n;
    }
}


/*
 * a=ssrc-group:FID <media> <rtx>, a=ssrc-group:SIM <media> <media> ...,
 * which may stand behind the a=ssrc lines.
 */

void
cr_sdp_parse_ssrc_group(cr_sdp_mline_t *mline, cr_str_t value)
{
    uint32_t       ssrc;
    cr_str_t       word, semantics;
    unsigned       i, n;
    cr_sdp_fid_t  *fid;
    uint32_t       ssrcs[CR_LAYER_MAX];

    semantics = cr_str_word(&value);

    for (n = 0; n < CR_LAYER_MAX; n++) {
        word = cr_str_word(&value);

        if (!cr_str_number(&word, UINT32_MAX, &ssrc) || ssrc == 0) {
            break;
        }

        for (i = 0; i < n; i++) {
            if (ssrcs[i] == ssrc) {
                return;
            }
        }

        ssrcs[n] = ssrc;
    }

    if (n < 2) {
        return;
    }

    if (cr_str_eq(&semantics, "FID") && mline->nfids < CR_LAYER_MAX) {
        fid = &mline->fids[mline->nfids++];
        fid->media = ssrcs[0];
        fid->rtx = ssrcs[1];

    } else if (cr_str_eq(&semantics, "SIM") && mline->nsims == 0) {
        mline->nsims = (uint8_t) n;
        memcpy(mline->sims, ssrcs, n * sizeof(uint32_t));
    }
}


void
cr_sdp_fill_layers(cr_media_params_t *media, const cr_sdp_mline_t *mline)
{
    media->ssrc = mline->ssrc;

    if (mline->nfids != 0) {
        media->ssrc = mline->fids[0].media;
        media->rtx_ssrc = media->rtx_pt != 0 ? mline->fids[0].rtx : 0;
    }

    if (media->kind != CR_KIND_VIDEO) {
        return;
    }

    /* RFC 8853 section 5.2 wants packets that say which stream they are of */

    if (mline->simulcast.len != 0 && media->ext_rid != 0) {
        sdp_layers_by_rid(media, mline);
    }

    if (media->nlayers == 0 && mline->nsims != 0) {
        sdp_layers_by_ssrc(media, mline);
    }
}


/*
 * <alternatives> of a stream are separated by commas, one that is paused at
 * first begins with a tilde; streams are separated by semicolons.
 */

static void
sdp_layers_by_rid(cr_media_params_t *media, const cr_sdp_mline_t *mline)
{
    unsigned             i;
    cr_str_t             id, stream, streams;
    cr_layer_t          *layer;
    const cr_sdp_rid_t  *rid;

    streams = mline->simulcast;

    while (cr_str_split(&streams, ';', &stream)) {

        rid = NULL;

        while (rid == NULL && cr_str_split(&stream, ',', &id)) {

            if (id.len != 0 && id.data[0] == '~') {
                id.data++;
                id.len--;
            }

            rid = sdp_find_rid(mline, &id);

            if (rid != NULL && !sdp_rid_has_pt(rid, media->pt)) {
                rid = NULL;
            }

            for (i = 0; rid != NULL && i < media->nlayers; i++) {
                if (strlen(media->layers[i].rid) == id.len
                    && memcmp(media->layers[i].rid, id.data, id.len) == 0)
                {
                    rid = NULL;
                }
            }
        }

        if (rid == NULL) {
            continue;
        }

        if (media->nlayers == CR_LAYER_MAX) {
            return;
        }

        layer = &media->layers[media->nlayers++];
        memcpy(layer->rid, rid->id.data, rid->id.len);
    }
}


static void
sdp_layers_by_ssrc(cr_media_params_t *media, const cr_sdp_mline_t *mline)
{
    unsigned     i;
    cr_layer_t  *layer;

    for (i = 0; i < mline->nsims; i++) {
        layer = &media->layers[media->nlayers++];
        layer->ssrc = mline->sims[i];
        layer->rtx_ssrc = media->rtx_pt != 0
                          ? sdp_rtx_of(mline, layer->ssrc) : 0;
    }
}


/* RFC 8851 section 10: letters, digits, hyphens and underscores */

static bool
sdp_rid_valid(const cr_str_t *id)
{
    char    c;
    size_t  i;

    for (i = 0; i < id->len; i++) {
        c = id->data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
              || (c >= '0' && c <= '9') || c == '-' || c == '_'))
        {
            return false;
        }
    }

    return id->len != 0;
}


static const cr_sdp_rid_t *
sdp_find_rid(const cr_sdp_mline_t *mline, const cr_str_t *id)
{
    unsigned  i;

    for (i = 0; i < mline->nrids; i++) {
        if (cr_str_same(&mline->rids[i].id, id)) {
            return &mline->rids[i];
        }
    }

    return NULL;
}


/* RFC 8851 section 4: "pt=" names the formats that it may be sent in. */

static bool
sdp_rid_has_pt(const cr_sdp_rid_t *rid, uint8_t pt)
{
    uint32_t  n;
    cr_str_t  name, parameter, rest, value;

    rest = rid->parameters;

    while (cr_str_split(&rest, ';', &parameter)) {

        if (!cr_str_split(&parameter, '=', &name) || !cr_str_eq(&name, "pt"))
        {
            continue;
        }

        while (cr_str_split(&parameter, ',', &value)) {
            if (cr_str_number(&value, 127, &n) && n == pt) {
                return true;
            }
        }

        return false;
    }

    return true;
}


static uint32_t
sdp_rtx_of(const cr_sdp_mline_t *mline, uint32_t ssrc)
{
    unsigned  i;

    for (i = 0; i < mline->nfids; i++) {
        if (mline->fids[i].media == ssrc) {
            return mline->fids[i].rtx;
        }
    }

    return 0;
}


/* RFC 8853 section 5.3.2: what was kept, in the offer's order */

void
cr_sdp_write_layers(cr_writer_t *w, const cr_media_params_t *media)
{
    unsigned  i;

    if (media->nlayers == 0 || media->layers[0].rid[0] == '\0') {
        return;
    }

    for (i = 0; i < media->nlayers; i++) {
        cr_sdp_printf(w, "a=rid:%s recv\r\n", media->layers[i].rid);
    }

    cr_sdp_printf(w, "a=simulcast:recv ");

    for (i = 0; i < media->nlayers; i++) {
        cr_sdp_printf(w, "%s%s", i == 0 ? "" : ";", media->layers[i].rid);
    }

    cr_sdp_printf(w, "\r\n");
}
