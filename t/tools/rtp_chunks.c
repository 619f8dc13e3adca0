
/*
 * Copyright (C) The call recorder authors
 *
 * RTP packets from the standard input, each behind its length in 16 bits,
 * into chunk files of the working folder: rtp_chunks CHUNK_MS CODEC:PT ...
 * On the standard output one line for each frame that is written:
 * file, track, keyframe, time in ms, size.
 */


#include "base/audio.h"
#include "chunk/chunk.h"
#include "depay/depay.h"
#include "rtp/rtp.h"
#include "../heap.h"

#include <stdio.h>
#include <stdlib.h>


typedef struct {
    cr_media_params_t   params;
    cr_depay_t         *depay;
    bool                started;
    int64_t             timestamp;
    int64_t             first;
    uint16_t            width;
    uint16_t            height;
    uint8_t             config[CR_CODEC_CONFIG_MAX];
    size_t              config_size;
} track_t;


static track_t             tracks[CR_MEDIA_MAX];
static unsigned            ntracks;
static cr_chunk_policy_t   policy;
static cr_chunk_writer_t  *writer;
static FILE               *file;
static unsigned            nfiles;


static void
die(const char *what)
{
    fprintf(stderr, "rtp_chunks: %s\n", what);
    exit(1);
}


static cr_status_e
write_bytes(void *ctx, const uint8_t *data, size_t size)
{
    (void) ctx;

    return fwrite(data, 1, size, file) == size ? CR_OK : CR_INTERNAL;
}


static void
close_chunk(void)
{
    if (writer == NULL) {
        return;
    }

    if (cr_chunk_writer_flush(writer) != CR_OK || fclose(file) != 0) {
        die("cannot write");
    }

    cr_chunk_writer_destroy(writer);
    writer = NULL;
}


static void
open_chunk(void)
{
    char              name[32];
    unsigned          i;
    cr_chunk_track_t  t[CR_MEDIA_MAX];

    for (i = 0; i < ntracks; i++) {
        t[i] = (cr_chunk_track_t) {
            .number = (uint8_t) (i + 1),
            .kind = tracks[i].params.kind,
            .codec = tracks[i].params.codec,
            .channels = tracks[i].params.channels,
            .sample_rate = tracks[i].params.clock_rate,
            .width = tracks[i].width,
            .height = tracks[i].height,
            .config = tracks[i].config,
            .config_size = tracks[i].config_size
        };
    }

    snprintf(name, sizeof(name), "%06u.mkv", ++nfiles);

    file = fopen(name, "wb");
    if (file == NULL) {
        die("cannot open a file");
    }

    writer = cr_chunk_writer_create(&heap_env, t, ntracks, write_bytes, NULL);
    if (writer == NULL) {
        die("cannot begin a chunk");
    }
}


static void
take_frame(void *ctx, cr_frame_t *frame, int64_t arrival_us)
{
    track_t            *t = ctx;
    int64_t             time_ms;
    cr_chunk_action_e   action;

    (void) arrival_us;

    frame->time_us = (t->timestamp - t->first) * 1000000
                     / t->params.clock_rate;
    time_ms = frame->time_us / 1000;

    if (frame->incomplete) {
        die("a frame is incomplete");
    }

    if (frame->keyframe && frame->kind == CR_KIND_VIDEO) {
        t->width = frame->width;
        t->height = frame->height;
        t->config_size = frame->config_size;

        if (frame->config_size != 0) {
            memcpy(t->config, frame->config, frame->config_size);
        }
    }

    action = cr_chunk_policy_frame(&policy, frame);

    if (action == CR_CHUNK_WAIT) {
        return;
    }

    if (action == CR_CHUNK_OPEN) {
        close_chunk();
        open_chunk();
    }

    if (cr_chunk_writer_frame(writer, (uint8_t) (t - tracks + 1), frame,
                              time_ms) != CR_OK)
    {
        die("cannot write a frame");
    }

    printf("%u %u %d %lld %zu\n", nfiles, (unsigned) (t - tracks + 1),
           frame->keyframe, (long long) time_ms, frame->size);
}


static void
take_packet(const uint8_t *data, size_t len)
{
    int64_t            timestamp;
    track_t           *t;
    cr_rtp_t           rtp;
    cr_depay_packet_t  packet;

    if (!cr_rtp_is_rtp(data, len)) {
        /* the sender's reports */
        return;
    }

    if (cr_rtp_parse(data, len, &rtp) != CR_OK) {
        die("a packet is malformed");
    }

    for (t = tracks; t < tracks + ntracks; t++) {
        if (t->params.pt == rtp.pt) {
            break;
        }
    }

    if (t == tracks + ntracks) {
        die("a packet of an unknown payload type");
    }

    timestamp = cr_rtp_unwrap32(t->started ? t->timestamp : rtp.timestamp,
                                rtp.timestamp);

    if (!t->started) {
        t->started = true;
        t->first = timestamp;

    } else if (timestamp != t->timestamp) {
        /* before its time changes: a frame may end by that alone */
        cr_depay_flush(t->depay);
    }

    t->timestamp = timestamp;

    packet = (cr_depay_packet_t) {
        .marker = rtp.marker,
        .timestamp = rtp.timestamp,
        .payload = rtp.payload
    };

    if (cr_depay_push(t->depay, &packet) != CR_OK) {
        die("a payload is malformed");
    }
}


static void
add_track(const char *arg)
{
    size_t       i;
    track_t     *t;
    const char  *pt;

    static const struct {
        const char  *name;
        uint8_t      codec;
        uint8_t      channels;              /* 0: video */
        uint32_t     clock_rate;
    } codecs[] = {
        { "vp8", CR_CODEC_VP8, 0, 90000 },
        { "vp9", CR_CODEC_VP9, 0, 90000 },
        { "av1", CR_CODEC_AV1, 0, 90000 },
        { "h264", CR_CODEC_H264, 0, 90000 },
        { "h265", CR_CODEC_H265, 0, 90000 },
        { "opus", CR_CODEC_OPUS, 2, 48000 },
        { "multiopus", CR_CODEC_OPUS, 6, 48000 },
        { "pcmu", CR_CODEC_PCMU, 1, 8000 },
        { "pcma", CR_CODEC_PCMA, 1, 8000 },
        { "g722", CR_CODEC_G722, 1, 8000 }
    };

    pt = strchr(arg, ':');

    if (pt == NULL || ntracks == CR_MEDIA_MAX) {
        die("usage: rtp_chunks CHUNK_MS CODEC:PT ...");
    }

    t = &tracks[ntracks++];
    t->params.pt = (uint8_t) atoi(pt + 1);

    for (i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++) {
        if (strncmp(arg, codecs[i].name, (size_t) (pt - arg)) == 0
            && codecs[i].name[pt - arg] == '\0')
        {
            break;
        }
    }

    if (i == sizeof(codecs) / sizeof(codecs[0])) {
        die("an unknown codec");
    }

    t->params.codec = codecs[i].codec;
    t->params.clock_rate = codecs[i].clock_rate;
    t->params.channels = codecs[i].channels;

    if (codecs[i].channels > 2) {
        t->params.opus_streams = 4;
        t->params.opus_coupled = 2;
        memcpy(t->params.opus_mapping, "\0\4\1\2\3\5", 6);
    }

    if (codecs[i].channels == 0) {
        t->params.kind = CR_KIND_VIDEO;

    } else {
        t->params.kind = CR_KIND_AUDIO;
        t->config_size = cr_audio_config(t->config, &t->params);
    }

    t->depay = cr_depay_create(&heap_env, &t->params, take_frame, t);
    if (t->depay == NULL) {
        die("no memory");
    }
}


int
main(int argc, char **argv)
{
    int      i;
    bool     has_video;
    size_t   len;
    uint8_t  data[65536];

    has_video = false;

    for (i = 2; i < argc; i++) {
        add_track(argv[i]);
        has_video |= tracks[i - 2].params.kind == CR_KIND_VIDEO;
    }

    if (ntracks == 0) {
        add_track("");
    }

    cr_chunk_policy_init(&policy, atoll(argv[1]) * 1000, has_video);

    while (fread(data, 1, 2, stdin) == 2) {
        len = cr_get_u16(data);

        if (fread(data, 1, len, stdin) != len) {
            die("the input is cut off");
        }

        take_packet(data, len);
    }

    close_chunk();

    for (i = 0; i < (int) ntracks; i++) {
        cr_depay_destroy(tracks[i].depay);
    }

    return 0;
}
