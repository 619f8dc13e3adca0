
/*
 * Copyright (C) The call recorder authors
 */

#include "depay/nal_sets.h"

#include "base/media.h"


/* The set seen longest ago, of those seen since; unused places have 0. */
static cr_nal_set_t *
cr_nal_sets_oldest(cr_nal_sets_t *sets, uint32_t since)
{
    unsigned       i;
    cr_nal_set_t  *set, *oldest;

    oldest = NULL;

    for (i = 0; i < CR_NAL_SETS_MAX; i++) {
        set = &sets->set[i];

        if (set->used >= since
            && (oldest == NULL || set->used < oldest->used))
        {
            oldest = set;
        }
    }

    return oldest;
}


static void
cr_nal_sets_trim(cr_nal_sets_t *sets, size_t overhead)
{
    size_t    size;
    unsigned  i;

    for ( ;; ) {
        size = overhead;

        for (i = 0; i < CR_NAL_SETS_MAX; i++) {
            if (sets->set[i].type != 0) {
                size += 2u + sets->set[i].len;
            }
        }

        if (size <= CR_CODEC_CONFIG_MAX) {
            return;
        }

        memset(cr_nal_sets_oldest(sets, 1), 0, sizeof(cr_nal_set_t));
    }
}


void
cr_nal_sets_put(cr_nal_sets_t *sets, cr_nal_set_t *new, size_t overhead)
{
    unsigned       i;
    cr_nal_set_t  *set;

    new->used = ++sets->clock;

    for (i = 0; i < CR_NAL_SETS_MAX; i++) {
        set = &sets->set[i];

        if (set->type == new->type && set->id == new->id) {

            if (set->len == new->len
                && memcmp(set->data, new->data, new->len) == 0)
            {
                set->used = new->used;
                return;
            }

            break;
        }
    }

    if (i == CR_NAL_SETS_MAX) {
        set = cr_nal_sets_oldest(sets, 0);
    }

    *set = *new;
    sets->changed = true;

    cr_nal_sets_trim(sets, overhead);
}


const cr_nal_set_t *
cr_nal_sets_find(const cr_nal_sets_t *sets, uint8_t type, uint8_t id)
{
    unsigned  i;

    for (i = 0; i < CR_NAL_SETS_MAX; i++) {
        if (sets->set[i].type == type && sets->set[i].id == id) {
            return &sets->set[i];
        }
    }

    return NULL;
}


unsigned
cr_nal_sets_write(const cr_nal_sets_t *sets, uint8_t type, cr_writer_t *w)
{
    unsigned             i, n;
    const cr_nal_set_t  *set;

    n = 0;

    for (i = 0; i < CR_NAL_SETS_MAX; i++) {
        set = &sets->set[i];

        if (set->type == type) {
            cr_write_u16(w, set->len);
            cr_write_bytes(w, set->data, set->len);
            n++;
        }
    }

    return n;
}
