
/*
 * Copyright (C) The call recorder authors
 *
 * The head of a Matroska file: EBML header, Segment, Info, Tracks.
 */

#ifndef CR_MATROSKA_H
#define CR_MATROSKA_H


#include "base/bytes.h"
#include "chunk/chunk.h"


/* RFC 9559 section 5.1 */
#define CR_MKV_CLUSTER       0x1f43b675
#define CR_MKV_TIMESTAMP     0xe7
#define CR_MKV_SIMPLE_BLOCK  0xa3

/* The largest head that cr_matroska_head() writes. */
#define CR_MATROSKA_HEAD_MAX                                                  \
    (256 + CR_TRACK_MAX * (160 + CR_CODEC_CONFIG_MAX))


/* false: a track is not one we can describe. */
bool cr_matroska_head(cr_writer_t *w, const cr_chunk_track_t *tracks,
    unsigned ntracks);


#endif /* CR_MATROSKA_H */
