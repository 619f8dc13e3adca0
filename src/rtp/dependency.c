
/*
 * Copyright (C) The call recorder authors
 *
 * Sections A.8.2 and A.8.3; the names of fields are those of the document.
 */

#include "rtp/dependency.h"

#include "base/bits.h"


/* A.8.3: next_layer_idc */
#define CR_DD_SAME_LAYER     0
#define CR_DD_NEXT_TEMPORAL  1
#define CR_DD_NEXT_SPATIAL   2
#define CR_DD_LAST           3

/* A.8.3: decode target indications */
#define CR_DTI_NOT_PRESENT   0
#define CR_DTI_DISCARDABLE   1

#define CR_DD_LAYERS         8       /* ids of 3 bits in all codecs */
#define CR_DD_MANDATORY      3       /* bytes */


typedef struct {
    bool  dtis;
    bool  fdiffs;
} cr_dd_custom_t;


/* A.8.1, ns(n): a number below n in as few bits as it takes. */
static uint32_t
cr_dd_ns(cr_bits_t *b, uint32_t n)
{
    unsigned  w;
    uint32_t  m, v;

    for (w = 0; n >> w != 0; w++) { /* void */ }

    m = (1u << w) - n;
    v = cr_bits_u(b, w - 1);

    return v < m ? v : (v << 1) - m + cr_bits_u(b, 1);
}


static void
cr_dd_dtis(cr_bits_t *b, unsigned n, uint32_t *present, uint32_t *discardable)
{
    uint32_t  dti;
    unsigned  i;

    *present = 0;
    *discardable = 0;

    for (i = 0; i < n; i++) {
        dti = cr_bits_u(b, 2);

        *present |= (uint32_t) (dti != CR_DTI_NOT_PRESENT) << i;
        *discardable |= (uint32_t) (dti == CR_DTI_DISCARDABLE) << i;
    }
}


/* template_layers(); returns how many spatial layers, 0: malformed. */
static unsigned
cr_dd_layers(cr_bits_t *b, cr_dependency_structure_t *s)
{
    uint8_t                    spatial, temporal;
    uint32_t                   next;
    cr_dependency_template_t  *t;

    spatial = 0;
    temporal = 0;

    do {
        if (s->ntemplates == CR_DEPENDENCY_TEMPLATES
            || spatial == CR_DD_LAYERS || temporal == CR_DD_LAYERS)
        {
            return 0;
        }

        t = &s->templates[s->ntemplates++];
        t->spatial = spatial;
        t->temporal = temporal;

        next = cr_bits_u(b, 2);

        if (next == CR_DD_NEXT_TEMPORAL) {
            temporal++;

        } else if (next == CR_DD_NEXT_SPATIAL) {
            temporal = 0;
            spatial++;
        }

    } while (next != CR_DD_LAST && !b->overflow);

    return spatial + 1u;
}


/* template_dependency_structure() */
static bool
cr_dd_structure(cr_bits_t *b, cr_dependency_structure_t *s)
{
    unsigned                   i, layers;
    cr_dependency_template_t  *t;

    memset(s, 0, sizeof(cr_dependency_structure_t));

    s->offset = (uint8_t) cr_bits_u(b, 6);
    s->ntargets = (uint8_t) (cr_bits_u(b, 5) + 1);

    layers = cr_dd_layers(b, s);

    if (layers == 0) {
        return false;
    }

    for (i = 0; i < s->ntemplates; i++) {
        t = &s->templates[i];
        cr_dd_dtis(b, s->ntargets, &t->present, &t->discardable);
    }

    for (i = 0; i < s->ntemplates; i++) {
        t = &s->templates[i];

        while (cr_bits_u(b, 1)) {
            if (t->nfdiffs == CR_DEPENDENCY_FDIFFS) {
                return false;
            }

            t->fdiffs[t->nfdiffs++] = (uint8_t) (cr_bits_u(b, 4) + 1);
        }
    }

    s->nchains = (uint8_t) cr_dd_ns(b, s->ntargets + 1u);

    if (s->nchains != 0) {
        for (i = 0; i < s->ntargets; i++) {
            (void) cr_dd_ns(b, s->nchains);
        }

        /* template_chain_fdiff */
        for (i = 0; i < (unsigned) s->ntemplates * s->nchains; i++) {
            (void) cr_bits_u(b, 4);
        }
    }

    s->resolutions = cr_bits_u(b, 1);

    for (i = 0; s->resolutions && i < layers; i++) {
        (void) cr_bits_u(b, 16);
        (void) cr_bits_u(b, 16);
    }

    return !b->overflow;
}


/* frame_dependency_definition() */
static bool
cr_dd_frame(cr_bits_t *b, const cr_dependency_structure_t *s,
    const cr_dd_custom_t *custom, const cr_dependency_template_t *t,
    cr_dependency_t *d)
{
    uint32_t  size;
    unsigned  i;

    d->spatial = t->spatial;
    d->temporal = t->temporal;
    d->present = t->present;
    d->discardable = t->discardable;

    if (custom->dtis) {
        cr_dd_dtis(b, s->ntargets, &d->present, &d->discardable);
    }

    if (!custom->fdiffs) {

        for (i = 0; i < t->nfdiffs; i++) {
            d->fdiffs[i] = t->fdiffs[i];
        }

        d->nfdiffs = t->nfdiffs;

        return !b->overflow;
    }

    for (size = cr_bits_u(b, 2); size != 0; size = cr_bits_u(b, 2)) {
        if (d->nfdiffs == CR_DEPENDENCY_FDIFFS) {
            return false;
        }

        d->fdiffs[d->nfdiffs++] = (uint16_t) (cr_bits_u(b, 4 * size) + 1);
    }

    /* what is behind them is of chains, which nobody here follows */

    return !b->overflow;
}


cr_status_e
cr_dependency_parse(const cr_slice_t *value, cr_dependency_structure_t *s,
    cr_dependency_t *d)
{
    bool                              active;
    uint8_t                           id;
    unsigned                          index;
    cr_bits_t                         b;
    cr_dd_custom_t                    custom;
    cr_dependency_structure_t         fresh;
    const cr_dependency_structure_t  *known = s;

    memset(d, 0, sizeof(cr_dependency_t));
    memset(&custom, 0, sizeof(cr_dd_custom_t));

    cr_bits_init(&b, value->data, value->len);

    d->start = cr_bits_u(&b, 1);
    d->end = cr_bits_u(&b, 1);
    id = (uint8_t) cr_bits_u(&b, 6);
    d->number = (uint16_t) cr_bits_u(&b, 16);

    if (b.overflow) {
        return CR_INVALID;
    }

    if (value->len > CR_DD_MANDATORY) {
        d->structure = cr_bits_u(&b, 1);
        active = cr_bits_u(&b, 1);
        custom.dtis = cr_bits_u(&b, 1);
        custom.fdiffs = cr_bits_u(&b, 1);
        (void) cr_bits_u(&b, 1);        /* custom_chains_flag */

        if (d->structure) {
            if (!cr_dd_structure(&b, &fresh)) {
                return CR_INVALID;
            }

            known = &fresh;
        }

        if (active) {
            (void) cr_bits_u(&b, known->ntargets);
        }
    }

    index = (unsigned) (id - known->offset) % CR_DEPENDENCY_TEMPLATES;

    if (index >= known->ntemplates) {
        return d->structure ? CR_INVALID : CR_AGAIN;
    }

    if (!cr_dd_frame(&b, known, &custom, &known->templates[index], d)) {
        return CR_INVALID;
    }

    if (d->structure) {
        *s = fresh;
    }

    return CR_OK;
}
