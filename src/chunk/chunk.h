
/*
 * Copyright (C) The call recorder authors
 *
 * Chunk files: Matroska (RFC 9559), one publisher's audio and video
 * interleaved, a few seconds, starting on a keyframe.  Every cluster leaves
 * the writer whole, at most a second long, so that a file that was cut off
 * is readable to its last cluster.  See docs/on-disk.md.
 */

#ifndef CR_CHUNK_H
#define CR_CHUNK_H


#include "base/env.h"
#include "base/media.h"
#include "base/status.h"


#define CR_CHUNK_CLUSTER_US    500000
#define CR_CHUNK_CLUSTER_SIZE  32768    /* unless a frame is larger */


typedef struct {
    uint8_t         number;         /* Matroska TrackNumber: 1.. */
    uint8_t         kind;           /* cr_kind_e */
    uint8_t         codec;          /* cr_codec_e */
    uint8_t         channels;
    uint32_t        sample_rate;
    uint16_t        width;
    uint16_t        height;
    uint16_t        rotation;       /* cr_frame_t.rotation, at its start */
    const uint8_t  *config;         /* copied */
    size_t          config_size;
} cr_chunk_track_t;


/*
 * Bytes to append to the file, in order: the header with the tracks, then
 * one call for each cluster.  The bytes are the writer's again on return,
 * unless they were taken.
 */
typedef cr_status_e (*cr_chunk_write_pt)(void *ctx, const uint8_t *data,
    size_t size);


typedef struct cr_chunk_writer_s  cr_chunk_writer_t;


/* Writes the header at once; NULL: no memory, or write() failed. */
cr_chunk_writer_t *cr_chunk_writer_create(const cr_env_t *env,
    const cr_chunk_track_t *tracks, unsigned ntracks,
    cr_chunk_write_pt write, void *ctx);

/*
 * Adds a frame to the current cluster; time_ms is on the recording's clock.
 * A cluster is closed when a track in it spans CR_CHUNK_CLUSTER_US, or the
 * frame would make it larger than CR_CHUNK_CLUSTER_SIZE.
 */
cr_status_e cr_chunk_writer_frame(cr_chunk_writer_t *w, uint8_t number,
    const cr_frame_t *frame, int64_t time_ms);

/* Closes the current cluster, so that its bytes are handed out. */
cr_status_e cr_chunk_writer_flush(cr_chunk_writer_t *w);

/*
 * Within write(), for a cluster: makes the bytes the receiver's, to be given
 * back to env.
 */
uint8_t *cr_chunk_writer_take(cr_chunk_writer_t *w);

/* Bytes handed out and still held. */
uint64_t cr_chunk_writer_size(const cr_chunk_writer_t *w);

void cr_chunk_writer_destroy(cr_chunk_writer_t *w);


#define CR_CHUNK_HOLD_US      1000000   /* sound waits for a keyframe */
#define CR_CHUNK_LEAD_US      300000    /* keyframes are asked for ahead */
#define CR_CHUNK_ASK_US       1000000   /* and asked for again */
#define CR_CHUNK_LATE_US      6000000   /* pictures behind a hole may be */


/*
 * When to begin a new chunk.  The policy only decides; its owner opens and
 * closes files and sends PLI.  It looks at one video track: of a publisher
 * with several the owner shows it the first, and sets .changed when another
 * one needs a new chunk.
 */
typedef struct {
    int64_t   duration_us;          /* recording_chunk */
    bool      has_video;
    bool      open;
    bool      with_video;           /* the open chunk began on a keyframe */
    bool      held;                 /* sound waits since held_us */
    bool      changed;              /* cut as soon as there is a keyframe */
    int64_t   held_us;
    int64_t   opened_us;            /* media time of the first frame */
    int64_t   video_us;             /* of the latest video frame */
    int64_t   asked_us;             /* last keyframe request, 0: none */
    uint16_t  width;
    uint16_t  height;
    uint16_t  rotation;
    uint8_t   codec;
    uint32_t  config_hash;
} cr_chunk_policy_t;

typedef enum {
    CR_CHUNK_APPEND,                /* goes into the open chunk */
    CR_CHUNK_OPEN,                  /* first close, then begin with it */
    CR_CHUNK_WAIT                   /* no chunk yet: hold it back, or drop */
} cr_chunk_action_e;

void cr_chunk_policy_init(cr_chunk_policy_t *p, int64_t duration_us,
    bool has_video);

/*
 * Where a frame goes.  A sound frame that opens a chunk of a publisher with
 * video opens one of sound alone, in front of it what was held back.
 */
cr_chunk_action_e cr_chunk_policy_frame(cr_chunk_policy_t *p,
    const cr_frame_t *frame);

/*
 * Whether a keyframe should be asked for now, for the next boundary; a true
 * answer counts as asking.
 */
bool cr_chunk_policy_wants_keyframe(cr_chunk_policy_t *p, int64_t media_us);


#endif /* CR_CHUNK_H */
