
/*
 * Copyright (C) The call recorder authors
 *
 * From RTP payloads in order to whole frames: VP8 (RFC 7741), VP9 (RFC 9628),
 * AV1 (its RTP payload format, version 1.0), H.264 (RFC 6184, all
 * packetization modes), H.265 (RFC 7798), Opus (RFC 7587), G.711 and G.722
 * (RFC 3551).
 */

#ifndef CR_DEPAY_H
#define CR_DEPAY_H


#include "base/bytes.h"
#include "base/env.h"
#include "base/media.h"
#include "base/status.h"


#define CR_FRAME_SIZE_MAX  (8 * 1024 * 1024)


/* One packet in sequence order, or a hole (gap) in front of the next. */
typedef struct {
    bool        gap;
    bool        marker;
    uint32_t    timestamp;
    int64_t     arrival_us;
    cr_slice_t  payload;
} cr_depay_packet_t;


/*
 * A frame is done: frame->time_us and frame->track are the receiver's to
 * fill (arrival_us is the first packet's); pointers live until the return.
 */
typedef void (*cr_depay_frame_pt)(void *ctx, cr_frame_t *frame,
    int64_t arrival_us);


typedef struct cr_depay_s  cr_depay_t;


/* CR_CODEC_* of params chooses the depacketiser; NULL: no memory. */
cr_depay_t *cr_depay_create(const cr_env_t *env,
    const cr_media_params_t *params, cr_depay_frame_pt frame, void *ctx);
void cr_depay_destroy(cr_depay_t *d);

/*
 * CR_INVALID: the payload is malformed; what was gathered of its frame comes
 * out marked incomplete.  CR_LIMIT: the frame grew past CR_FRAME_SIZE_MAX.
 */
cr_status_e cr_depay_push(cr_depay_t *d, const cr_depay_packet_t *packet);

/*
 * Whether a stream may begin with this packet: a keyframe does, with all it
 * needs, or sound that says so (the marker bit, RFC 3551 section 4.1).
 */
bool cr_depay_begins(const cr_depay_t *d, const cr_depay_packet_t *packet);

/*
 * Whether this packet of VP8 or VP9 begins the picture behind the last one
 * that was handed out, by their picture ids: nothing is missing in between.
 */
bool cr_depay_follows(const cr_depay_t *d, const cr_slice_t *payload);

/* Whether a frame has begun that is not handed out yet, and its time stamp. */
bool cr_depay_gathers(const cr_depay_t *d, uint32_t *timestamp);

/* Hands out the frame in the making, if any, marked incomplete. */
void cr_depay_flush(cr_depay_t *d);


#endif /* CR_DEPAY_H */
