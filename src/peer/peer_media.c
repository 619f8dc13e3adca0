
/*
 * Copyright (C) The call recorder authors
 *
 * RTP of the peer: into order, to frames on the track's media clock.
 */

#include "peer/peer_core.h"


/* Held packets of the reorder windows, powers of two.  OBS repeats what is
 * up to 4000 packets old. */
#define CR_PEER_VIDEO_WINDOW    8192
#define CR_PEER_AUDIO_WINDOW    512
/* the most of buffer_max that one track of sound gets */
#define CR_PEER_AUDIO_BUFFER    (256 * 1024)

/* for packets that overtook each other */
#define CR_PEER_NACK_DELAY_US   10000
/* For an answer of what may have been in front of the first packet. */
#define CR_PEER_LEAD_VIDEO_US   1000000
#define CR_PEER_LEAD_AUDIO_US   500000
/* A track's new SSRC counts when the old one has been silent so long. */
#define CR_PEER_TAKEOVER_US     300000
/* a keyframe that was asked for and does not come */
#define CR_PEER_ASK_AGAIN_US    1000000


static cr_status_e cr_peer_media_stream(cr_peer_track_t *track,
    uint32_t ssrc);
static void cr_peer_media_started(cr_peer_track_t *track);
static void cr_peer_media_config(const cr_peer_track_t *track,
    cr_rtp_stream_config_t *config);
static void cr_peer_media_drop_stream(cr_peer_track_t *track);
static bool cr_peer_media_ext(const cr_rtp_item_t *item, uint8_t id,
    uint8_t *byte);
static bool cr_peer_media_rotation(cr_peer_track_t *track,
    const cr_rtp_item_t *item, uint16_t *rotation);
static void cr_peer_media_frame(void *ctx, cr_frame_t *frame,
    int64_t arrival_us);
static void cr_peer_media_add(cr_rtp_stream_stats_t *sum,
    const cr_rtp_stream_stats_t *s);


cr_status_e
cr_peer_media_create(cr_peer_t *peer)
{
    unsigned                  i, n, layer;
    cr_peer_track_t          *track;
    const cr_media_params_t  *params;

    n = 0;

    for (i = 0; i < peer->session.nmedia; i++) {
        n += cr_media_tracks(&peer->session.media[i]);
    }

    if (n > CR_TRACK_MAX) {
        return CR_LIMIT;
    }

    peer->tracks = cr_alloc(&peer->env, n * sizeof(cr_peer_track_t));
    if (peer->tracks == NULL) {
        return CR_NOMEM;
    }

    peer->ntracks = n;
    peer->sender.tracks = peer->session.nmedia;

    params = peer->session.media;
    layer = 0;

    for (i = 0; i < n; i++) {
        track = &peer->tracks[i];
        track->peer = peer;
        track->params = params;
        track->layer = (uint8_t) layer;
        track->index = (uint8_t) i;

        cr_track_clock_init(&track->clock, params->clock_rate);

        track->depay = cr_depay_create(&peer->env, params,
                                       cr_peer_media_frame, track);
        if (track->depay == NULL) {
            return CR_NOMEM;
        }

        if (cr_peer_fec_create(track) != CR_OK
            || cr_peer_dependency_create(track) != CR_OK)
        {
            return CR_NOMEM;
        }

        cr_peer_whose_signalled(track);

        if (++layer >= params->nlayers) {
            params++;
            layer = 0;
        }
    }

    return CR_OK;
}


void
cr_peer_media_destroy(cr_peer_t *peer)
{
    unsigned  i;

    for (i = 0; i < peer->ntracks; i++) {
        cr_rtp_stream_destroy(peer->tracks[i].stream);
        cr_depay_destroy(peer->tracks[i].depay);
        cr_ulpfec_destroy(peer->tracks[i].fec);
        cr_free(&peer->env, peer->tracks[i].dependency);
    }

    cr_free(&peer->env, peer->tracks);
}


cr_status_e
cr_peer_media_input(cr_peer_t *peer, uint8_t *data, size_t len)
{
    cr_rtp_t               rtp;
    cr_slice_t             value;
    cr_status_e            rc;
    cr_peer_track_t       *track;
    const cr_peer_ssrc_t  *entry;

    rc = cr_srtp_open_rtp(peer->srtp, data, &len);

    if (rc != CR_OK) {
        return rc;
    }

    peer->consent_us = peer->now_us;

    rc = cr_rtp_parse(data, len, &rtp);

    if (rc != CR_OK) {
        return rc;
    }

    /* all that the network carried is reported, whatever it is */
    if (cr_rtp_ext(&rtp, peer->twcc_ext, &value) && value.len == 2) {
        cr_twcc_packet(&peer->twcc, cr_get_u16(value.data), peer->now_us);
    }

    entry = cr_peer_whose(peer, &rtp);

    if (entry == NULL) {
        return CR_OK;
    }

    track = &peer->tracks[entry->track];
    cr_peer_remb_packet(peer, track, &rtp, len, entry->rtx);

    if (entry->rtx) {
        if (track->stream == NULL
            || cr_peer_fec_unwrap_rtx(track, &rtp) != CR_OK)
        {
            return CR_OK;
        }

    } else if (rtp.ssrc != track->ssrc || track->stream == NULL) {
        rc = cr_peer_media_stream(track, rtp.ssrc);

        if (rc != CR_OK) {
            return rc == CR_DECLINED ? CR_OK : rc;
        }

        cr_peer_lead_start(track, &rtp);
    }

    if (!entry->rtx) {
        track->packet_us = peer->now_us;
        track->bye = false;
    }

    /* a repetition has the one of its own sending, if any */
    if (!entry->rtx
        && cr_rtp_ext(&rtp, track->params->ext_abs_capture_time, &value))
    {
        cr_track_clock_capture(&track->clock, &peer->sender, &value,
                               rtp.timestamp, peer->now_us);
    }

    cr_peer_rtcp_probe(track, rtp.seq);

    if (track->params->kind == CR_KIND_VIDEO && track->params->red_pt != 0) {
        rc = cr_peer_fec_input(track, &rtp, data, len, entry->rtx);

        if (rc != CR_OK) {
            return rc;
        }
    }

    rc = cr_rtp_stream_push(track->stream, &rtp, entry->rtx, peer->now_us);

    if (track->leading && rc == CR_OK) {
        cr_peer_lead_packet(track, &rtp);
    }

    cr_peer_media_pop(track);

    if (track->fec != NULL) {
        cr_peer_fec_recover(track);
    }

    /* that it is here twice, or too late, makes it no less authentic */
    return rc == CR_NOMEM ? rc : CR_OK;
}


/*
 * Makes ssrc the one that the track is taken from.  CR_DECLINED while
 * another one is active: layers of one picture must not be mixed.
 */
static cr_status_e
cr_peer_media_stream(cr_peer_track_t *track, uint32_t ssrc)
{
    cr_peer_t               *peer = track->peer;
    cr_rtp_stream_t         *stream;
    cr_rtp_stream_config_t   config;

    if (track->stream != NULL && !track->bye
        && peer->now_us - track->packet_us < CR_PEER_TAKEOVER_US)
    {
        return CR_DECLINED;
    }

    cr_peer_try_start(track);
    cr_peer_media_config(track, &config);

    stream = cr_rtp_stream_create(&peer->env, &config, ssrc);
    if (stream == NULL) {
        return CR_NOMEM;
    }

    if (track->stream != NULL) {
        cr_peer_media_drop_stream(track);
        cr_peer_media_gap(track, 0);
        cr_track_clock_restart(&track->clock);
    }

    if (track->stream == NULL && !track->started) {
        track->started = true;
        cr_peer_media_started(track);
    }

    track->stream = stream;
    track->ssrc = ssrc;
    track->probing = false;
    track->red_seen = false;

    cr_peer_dependency_reset(track);

    if (track->fec != NULL) {
        cr_ulpfec_reset(track->fec, ssrc);
    }

    return CR_OK;
}


/* Layers that are off have no sender reports to wait for. */
static void
cr_peer_media_started(cr_peer_track_t *track)
{
    unsigned          i;
    cr_peer_t        *peer = track->peer;
    cr_peer_track_t  *other;

    for (i = 0; i < peer->ntracks; i++) {
        other = &peer->tracks[i];

        if (other != track && other->params == track->params
            && other->started)
        {
            peer->sender.tracks++;
            return;
        }
    }
}


static void
cr_peer_media_config(const cr_peer_track_t *track,
    cr_rtp_stream_config_t *config)
{
    bool              video;
    size_t            size, audio;
    unsigned          i, nvideo;
    const cr_peer_t  *peer = track->peer;

    nvideo = 0;

    for (i = 0; i < peer->ntracks; i++) {
        nvideo += peer->tracks[i].params->kind == CR_KIND_VIDEO;
    }

    /* sound gets an eighth of the buffer at most, pictures the rest */
    size = peer->config.buffer_max;
    audio = 0;

    if (nvideo < peer->ntracks) {
        audio = size / (nvideo != 0 ? 8 : 1) / (peer->ntracks - nvideo);
        audio = audio < CR_PEER_AUDIO_BUFFER ? audio : CR_PEER_AUDIO_BUFFER;
        size -= audio * (peer->ntracks - nvideo);
    }

    video = track->params->kind == CR_KIND_VIDEO;

    config->clock_rate = track->params->clock_rate;
    config->nack = track->nack != CR_PEER_NACK_NO;
    config->packets_max = video ? CR_PEER_VIDEO_WINDOW
                                : CR_PEER_AUDIO_WINDOW;
    config->bytes_max = video ? size / nvideo : audio;
    config->nack_delay_us = CR_PEER_NACK_DELAY_US;
    config->nack_interval_us = peer->config.nack_interval_us;
    config->holes_max = peer->config.nack_list;
    config->give_up_us = cr_peer_try_give_up(track);
    config->lead_us = video ? CR_PEER_LEAD_VIDEO_US : CR_PEER_LEAD_AUDIO_US;
}


static void
cr_peer_media_drop_stream(cr_peer_track_t *track)
{
    cr_rtp_stream_flush(track->stream);
    cr_peer_media_pop(track);
    cr_peer_fec_gap_end(track, NULL);
    cr_depay_flush(track->depay);

    cr_peer_media_add(&track->former, cr_rtp_stream_stats(track->stream));
    cr_rtp_stream_destroy(track->stream);
    track->stream = NULL;
}


void
cr_peer_media_flush(cr_peer_t *peer)
{
    unsigned          i;
    cr_peer_track_t  *track;

    for (i = 0; i < peer->ntracks; i++) {
        track = &peer->tracks[i];

        if (track->stream != NULL) {
            cr_peer_media_drop_stream(track);
            cr_peer_gap_end(track);
        }
    }
}


void
cr_peer_media_pop(cr_peer_track_t *track)
{
    bool               rotated;
    uint16_t           rotation;
    cr_rtp_item_t      item;
    cr_depay_packet_t  packet;

    while (cr_rtp_stream_pop(track->stream, track->peer->now_us, &item)
           == CR_OK
           || (cr_peer_fec_skip(track)
               && cr_rtp_stream_pop(track->stream, track->peer->now_us, &item)
                  == CR_OK))
    {
        track->leading = false;

        if (item.gap) {
            if (item.gap_packets != 0) {
                cr_peer_try_result(track, false);
            }

            if (!cr_peer_fec_gap(track, item.gap_packets)) {
                cr_peer_media_gap(track, item.gap_packets);
            }

            continue;
        }

        if (item.recovered) {
            cr_peer_try_result(track, true);
        }

        packet.gap = false;
        packet.marker = item.marker;
        packet.timestamp = item.timestamp;
        packet.arrival_us = item.arrival_us;
        packet.payload = item.payload;

        track->has_level = cr_peer_media_ext(&item,
                                             track->params->ext_audio_level,
                                             &track->level);

        if (track->params->red_pt != 0 && item.pt == track->params->red_pt) {
            cr_peer_red_packet(track, &packet);
            continue;
        }

        /* comfort noise and tones only took a number */
        if (item.pt != track->params->pt) {
            continue;
        }

        cr_peer_red_seen(track, packet.timestamp);
        cr_peer_fec_gap_end(track, &packet.payload);

        if (track->dependency != NULL && packet.payload.len != 0) {
            cr_peer_dependency_packet(track, &item);
        }

        rotated = cr_peer_media_rotation(track, &item, &rotation);

        /* a frame's last packet has it; others may begin the next frame */
        if (rotated && item.marker) {
            track->rotation = rotation;
        }

        /* what is malformed comes out as an incomplete frame */
        (void) cr_depay_push(track->depay, &packet);

        if (rotated) {
            track->rotation = rotation;
        }
    }

    /* none that waited behind the hole came with the rest */
    if (track->keyframe_lacks) {
        track->keyframe_lacks = false;
        cr_peer_rtcp_keyframe(track);
    }
}


/* An extension of one byte. */
static bool
cr_peer_media_ext(const cr_rtp_item_t *item, uint8_t id, uint8_t *byte)
{
    cr_rtp_t    rtp;
    cr_slice_t  value;

    if (id == 0) {
        return false;
    }

    memset(&rtp, 0, sizeof(cr_rtp_t));
    rtp.ext_profile = item->ext_profile;
    rtp.ext = item->ext;

    if (!cr_rtp_ext(&rtp, id, &value) || value.len != 1) {
        return false;
    }

    *byte = value.data[0];

    return true;
}


/* 3GPP TS 26.114 section 7.4.5: quarter turns in the two low bits */
static bool
cr_peer_media_rotation(cr_peer_track_t *track, const cr_rtp_item_t *item,
    uint16_t *rotation)
{
    uint8_t  byte;

    if (!cr_peer_media_ext(item, track->params->ext_video_orientation,
                           &byte))
    {
        return false;
    }

    *rotation = (uint16_t) ((byte & 3) * 90);

    return true;
}


void
cr_peer_media_gap(cr_peer_track_t *track, uint32_t packets)
{
    cr_depay_packet_t  packet;

    memset(&packet, 0, sizeof(cr_depay_packet_t));
    packet.gap = true;
    packet.arrival_us = track->peer->now_us;

    cr_peer_gap_packets(track, packets);
    (void) cr_depay_push(track->depay, &packet);

    if (!cr_peer_dependency_gap(track)) {
        track->keyframe_lacks = true;
    }
}


static void
cr_peer_media_frame(void *ctx, cr_frame_t *frame, int64_t arrival_us)
{
    bool              jumped;
    cr_peer_track_t  *track = ctx;
    cr_peer_t        *peer = track->peer;

    frame->track = track->index;
    frame->time_us = cr_track_clock_map(&track->clock, frame->rtp_timestamp,
                                        arrival_us, &jumped);

    if (frame->kind == CR_KIND_AUDIO && track->has_level) {
        /* section 3 of RFC 6464: V, and the level */
        frame->has_level = true;
        frame->voice = track->level >> 7;
        frame->level = track->level & 0x7f;
    }

    if (frame->kind == CR_KIND_VIDEO) {
        frame->rotation = track->rotation;

        if (frame->keyframe && !frame->incomplete) {
            track->keyframe_seen = true;
            track->keyframe_awaited = false;
            track->keyframe_due = false;
            track->keyframe_lacks = false;
            track->keyframe_doubt = false;

        } else if (!track->keyframe_seen || track->keyframe_doubt
                   || (track->keyframe_awaited
                       && peer->now_us - track->keyframe_asked_us
                          >= CR_PEER_ASK_AGAIN_US))
        {
            track->keyframe_lacks = true;
            track->keyframe_doubt = false;
        }

        if (frame->incomplete && !track->gap) {
            /* nothing was lost: its sender gave it up, for a keyframe? */
            track->keyframe_doubt = true;
        }
    }

    cr_peer_gap_frame(track, frame);

    track->frames++;

    peer->handlers.frame(peer->handlers.ctx, frame);
}


void
cr_peer_media_clock(cr_peer_t *peer, bool at_end)
{
    unsigned          i;
    cr_clock_event_t  event;

    for (i = 0; i < peer->ntracks; i++) {
        while (cr_track_clock_event(&peer->tracks[i].clock, &peer->sender,
                                    at_end ? INT64_MAX : peer->now_us,
                                    &event))
        {
            event.track = (uint8_t) i;
            peer->handlers.clock(peer->handlers.ctx, &event);
        }
    }
}


static void
cr_peer_media_add(cr_rtp_stream_stats_t *sum, const cr_rtp_stream_stats_t *s)
{
    sum->received += s->received;
    sum->bytes += s->bytes;
    sum->lost += s->lost;
    sum->recovered += s->recovered;
    sum->reordered += s->reordered;
    sum->given_up += s->given_up;
    sum->nacks_sent += s->nacks_sent;
}


void
cr_peer_stats(const cr_peer_t *peer, cr_peer_stats_t *stats)
{
    uint64_t               parity, repaired;
    unsigned               i;
    cr_rtp_stream_stats_t  sum;

    parity = 0;
    repaired = 0;

    memset(&sum, 0, sizeof(cr_rtp_stream_stats_t));
    memset(stats, 0, sizeof(cr_peer_stats_t));

    for (i = 0; i < peer->ntracks; i++) {
        cr_peer_media_add(&sum, &peer->tracks[i].former);

        if (peer->tracks[i].stream != NULL) {
            cr_peer_media_add(&sum,
                              cr_rtp_stream_stats(peer->tracks[i].stream));
        }

        stats->frames += peer->tracks[i].frames;
        parity += peer->tracks[i].fec_lost;
        repaired += peer->tracks[i].red_repaired;
    }

    stats->packets = sum.received;
    stats->bytes = sum.bytes;
    /* what only came in another order was not lost */
    stats->lost = sum.lost - sum.reordered - parity;
    stats->recovered = sum.recovered + repaired;
    stats->given_up = sum.given_up - repaired - parity;
    stats->nacks = sum.nacks_sent;
    stats->plis = peer->plis;
    stats->rejected = peer->rejected;
    stats->rtt_us = peer->rtt_us;
}
