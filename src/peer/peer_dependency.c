
/*
 * Copyright (C) The call recorder authors
 *
 * Whether pictures can be shown although one is missing: the dependency
 * descriptor says which ones need it.  A hole in a layer that is discarded by
 * all others asks for no keyframe.
 */

#include "peer/peer_core.h"


cr_status_e
cr_peer_dependency_create(cr_peer_track_t *track)
{
    if (track->params->ext_dependency == 0
        || track->params->kind != CR_KIND_VIDEO)
    {
        return CR_OK;
    }

    track->dependency = cr_alloc(&track->peer->env,
                                 sizeof(cr_peer_dependency_t));

    return track->dependency != NULL ? CR_OK : CR_NOMEM;
}


/* Whether all that the frame needs was whole, and could itself be shown. */
static bool
cr_peer_dependency_met(const cr_peer_dependency_t *t,
    const cr_dependency_t *d)
{
    uint16_t  number;
    unsigned  i, place;

    for (i = 0; i < d->nfdiffs; i++) {
        number = (uint16_t) (d->number - d->fdiffs[i]);
        place = number % CR_PEER_DEPENDENCY_FRAMES;

        if (!(t->shown >> place & 1) || t->numbers[place] != number) {
            return false;
        }
    }

    return true;
}


void
cr_peer_dependency_packet(cr_peer_track_t *track, const cr_rtp_item_t *item)
{
    cr_rtp_t               rtp;
    unsigned               place;
    cr_slice_t             value;
    cr_status_e            rc;
    cr_dependency_t        d;
    cr_peer_dependency_t  *t = track->dependency;

    memset(&rtp, 0, sizeof(cr_rtp_t));
    rtp.ext_profile = item->ext_profile;
    rtp.ext = item->ext;

    rc = cr_rtp_ext(&rtp, track->params->ext_dependency, &value)
         ? cr_dependency_parse(&value, &t->structure, &d) : CR_DECLINED;

    if (rc != CR_OK) {
        /* nothing that could be relied on */
        t->known = false;
        t->whole = false;

        if (t->doubt) {
            t->doubt = false;
            track->keyframe_lacks = true;
        }

        return;
    }

    t->known = true;

    if (d.start) {
        t->number = d.number;
        t->whole = cr_peer_dependency_met(t, &d);

        if (t->doubt && !t->whole) {
            t->doubt = false;
            track->keyframe_lacks = true;
        }
    }

    place = d.number % CR_PEER_DEPENDENCY_FRAMES;

    if (d.number != t->number) {
        t->whole = false;
    }

    if (d.end && t->whole) {
        t->numbers[place] = d.number;
        t->shown |= UINT64_C(1) << place;
        t->whole = false;
    }
}


bool
cr_peer_dependency_gap(cr_peer_track_t *track)
{
    cr_peer_dependency_t  *t = track->dependency;

    if (t == NULL || !t->known) {
        return false;
    }

    t->whole = false;
    t->doubt = true;

    return true;
}


void
cr_peer_dependency_reset(cr_peer_track_t *track)
{
    if (track->dependency != NULL) {
        memset(track->dependency, 0, sizeof(cr_peer_dependency_t));
    }
}
