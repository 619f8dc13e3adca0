
/*
 * Copyright (C) The call recorder authors
 *
 * Events of a peer as records of the journal: the local monotonic clock
 * becomes recording time.
 */

#include "recording/journal.h"

#include <string.h>


void
cr_journal_clock(cr_journal_record_t *rec, const cr_clock_event_t *event,
    int64_t t0_us)
{
    cr_journal_clock_t  *c = &rec->clock;

    /* frames' times are cut down to milliseconds: none may slip below */
    c->media_us = event->media_us - t0_us;
    c->media_us -= c->media_us % 1000;
    c->offset_us = event->offset_us;
    c->drift_ppb = event->drift_ppb;
    c->from_sr = event->from_sr;

    if (c->media_us < 0) {
        /* learnt before the recording began: said of its beginning */
        c->offset_us += -c->media_us / 1000 * c->drift_ppb / 1000000;
        c->media_us = 0;
    }
}


bool
cr_journal_gap(cr_journal_record_t *rec, const cr_gap_event_t *event,
    int64_t t0_us)
{
    cr_journal_gap_t  *g = &rec->gap;

    if (event->to_us <= t0_us) {
        return false;
    }

    g->from_ms = event->from_us > t0_us ? (event->from_us - t0_us) / 1000 : 0;
    g->to_ms = (event->to_us - t0_us) / 1000;
    g->packets = event->packets;
    strcpy(g->reason, "lost");

    return true;
}
