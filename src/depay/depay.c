
/*
 * Copyright (C) The call recorder authors
 */

#include "depay/depay_internal.h"

#include "base/audio.h"


#define CR_DEPAY_BUFFER_MIN   8192
#define CR_DEPAY_BUFFER_KEEP  (16 * 1024)

/* Frames in a row without a marker, of a sender that sets none. */
#define CR_DEPAY_UNMARKED     8


static void cr_depay_unmarked(cr_depay_t *d);


cr_depay_t *
cr_depay_create(const cr_env_t *env, const cr_media_params_t *params,
    cr_depay_frame_pt frame, void *ctx)
{
    cr_depay_t  *d;

    d = cr_alloc(env, sizeof(cr_depay_t));
    if (d == NULL) {
        return NULL;
    }

    d->env = *env;
    d->frame = frame;
    d->ctx = ctx;
    d->codec_id = params->codec;
    d->kind = CR_KIND_VIDEO;

    switch (params->codec) {

    case CR_CODEC_OPUS:
    case CR_CODEC_PCMU:
    case CR_CODEC_PCMA:
    case CR_CODEC_G722:
        d->kind = CR_KIND_AUDIO;
        d->config_size = cr_audio_config(d->config[0], params);
        d->streams = params->opus_streams;
        break;

    case CR_CODEC_H264:
        d->codec = &cr_depay_h264;
        d->unmarked = CR_DEPAY_UNMARKED;
        cr_depay_h264_init(d, params);

        if (params->h264_packetization_mode == 2
            && cr_h264_deint_create(d, params->h264_interleaving_depth)
               != CR_OK)
        {
            cr_free(env, d);
            return NULL;
        }

        break;

    case CR_CODEC_H265:
        d->codec = &cr_depay_h265;
        d->unmarked = CR_DEPAY_UNMARKED;
        cr_depay_h265_init(d, params);
        break;

    case CR_CODEC_VP9:
        d->codec = &cr_depay_vp9;
        break;

    case CR_CODEC_AV1:
        d->codec = &cr_depay_av1;
        break;

    default: /* CR_CODEC_VP8 */
        d->codec = &cr_depay_vp8;
        break;
    }

    return d;
}


void
cr_depay_destroy(cr_depay_t *d)
{
    cr_env_t  env;

    if (d == NULL) {
        return;
    }

    cr_h264_deint_destroy(d);

    env = d->env;
    cr_free(&env, d->buf);
    cr_free(&env, d);
}


cr_status_e
cr_depay_push(cr_depay_t *d, const cr_depay_packet_t *packet)
{
    if (d->kind == CR_KIND_AUDIO) {
        if (packet->gap || packet->payload.len == 0) {
            return CR_OK;
        }

        return d->codec_id == CR_CODEC_OPUS ? cr_depay_opus_push(d, packet)
                                            : cr_depay_pcm_push(d, packet);
    }

    return d->deint != NULL ? cr_h264_deint_push(d, packet)
                            : cr_depay_ordered(d, packet);
}


cr_status_e
cr_depay_ordered(cr_depay_t *d, const cr_depay_packet_t *packet)
{
    cr_status_e  rc;

    if (packet->gap) {
        d->lost = true;

        if (d->active) {
            d->broken = true;
            d->codec->gap(d);
        }

        return CR_OK;
    }

    if (d->active && packet->timestamp != d->timestamp) {
        cr_depay_unmarked(d);
        cr_depay_emit(d);
    }

    rc = CR_OK;

    /* no payload: padding only, sent to probe for bandwidth */

    if (packet->payload.len != 0) {
        rc = d->codec->packet(d, packet);

        if (rc != CR_OK) {
            d->broken = true;
        }
    }

    if (d->active && packet->marker) {
        d->unmarked = 0;
        cr_depay_emit(d);
    }

    return rc;
}


/*
 * The frame in the making ends without a marker.  If no packet is missing,
 * the rest was never sent: browsers throw away what waits in their queue in
 * front of a keyframe, before it gets its sequence numbers.  Or it is whole,
 * and the sender sets no markers: those of VP8, VP9 and AV1 must, those of
 * H.264 and H.265 are not relied on until there was one.  VP9 says itself
 * where frames end, and may leave out the layer that would have had the marker.
 */
static void
cr_depay_unmarked(cr_depay_t *d)
{
    if (d->broken || d->unmarked == CR_DEPAY_UNMARKED
        || d->codec_id == CR_CODEC_VP9)
    {
        return;
    }

    d->unmarked++;
    d->broken = true;
}


bool
cr_depay_begins(const cr_depay_t *d, const cr_depay_packet_t *packet)
{
    const uint8_t  *p = packet->payload.data;

    if (d->kind == CR_KIND_AUDIO) {
        return packet->marker;
    }

    return packet->payload.len != 0
           && d->codec->begins(d, p, p + packet->payload.len);
}


bool
cr_depay_follows(const cr_depay_t *d, const cr_slice_t *payload)
{
    uint16_t  id, mask;

    return d->codec != NULL && d->codec->picture != NULL
           && !d->active && d->numbered
           && d->codec->picture(payload, &id, &mask)
           && id == ((d->picture_id + 1) & mask);
}


bool
cr_depay_gathers(const cr_depay_t *d, uint32_t *timestamp)
{
    *timestamp = d->timestamp;

    return d->active;
}


void
cr_depay_flush(cr_depay_t *d)
{
    if (d->deint != NULL) {
        cr_h264_deint_flush(d);
    }

    if (d->active) {
        d->broken = true;
        cr_depay_emit(d);
    }
}


void
cr_depay_begin(cr_depay_t *d, const cr_depay_packet_t *packet)
{
    uint16_t  mask;

    d->active = true;
    d->lost = false;
    d->broken = false;
    d->skip = false;
    d->timestamp = packet->timestamp;
    d->arrival_us = packet->arrival_us;
    d->len = 0;

    d->numbered = d->codec->picture != NULL
                  && d->codec->picture(&packet->payload, &d->picture_id,
                                       &mask);
}


cr_status_e
cr_depay_reserve(cr_depay_t *d, size_t n)
{
    size_t    size;
    uint8_t  *p;

    if (n > CR_FRAME_SIZE_MAX - d->len) {
        return CR_LIMIT;
    }

    if (d->len + n <= d->size) {
        return CR_OK;
    }

    size = d->size ? d->size * 2 : CR_DEPAY_BUFFER_MIN;

    while (size < d->len + n) {
        size *= 2;
    }

    p = cr_alloc(&d->env, size);
    if (p == NULL) {
        return CR_NOMEM;
    }

    if (d->len != 0) {
        memcpy(p, d->buf, d->len);
    }

    cr_free(&d->env, d->buf);
    d->buf = p;
    d->size = size;

    return CR_OK;
}


cr_status_e
cr_depay_append(cr_depay_t *d, const uint8_t *data, size_t len)
{
    cr_status_e  rc;

    rc = cr_depay_reserve(d, len);

    if (rc == CR_OK && len != 0) {
        memcpy(d->buf + d->len, data, len);
        d->len += len;
    }

    return rc;
}


void
cr_depay_emit(cr_depay_t *d)
{
    cr_frame_t  frame;

    memset(&frame, 0, sizeof(cr_frame_t));

    frame.kind = d->kind;
    frame.codec = d->codec_id;
    frame.rtp_timestamp = d->timestamp;

    d->active = false;

    if (d->codec->finish(d, &frame)) {
        frame.incomplete = d->broken;
        frame.data = d->buf;
        frame.size = d->len;

        if (d->config_size != 0) {
            frame.config = d->config[d->config_index];
            frame.config_size = d->config_size;
        }

        d->frame(d->ctx, &frame, d->arrival_us);
    }

    if (d->size > CR_DEPAY_BUFFER_KEEP) {
        /* a keyframe is no reason to hold its memory until the next */
        cr_free(&d->env, d->buf);
        d->buf = NULL;
        d->size = 0;
    }
}


void
cr_depay_config(cr_depay_t *d, size_t size)
{
    d->config_index ^= 1;
    d->config_size = size;
}


void
cr_depay_audio(cr_depay_t *d, const cr_depay_packet_t *packet,
    uint32_t duration_us)
{
    cr_frame_t  frame;

    memset(&frame, 0, sizeof(cr_frame_t));

    frame.kind = CR_KIND_AUDIO;
    frame.codec = d->codec_id;
    frame.keyframe = true;
    frame.rtp_timestamp = packet->timestamp;
    frame.duration_us = duration_us;
    frame.data = packet->payload.data;
    frame.size = packet->payload.len;
    frame.config = d->config[d->config_index];
    frame.config_size = d->config_size;

    d->frame(d->ctx, &frame, packet->arrival_us);
}
