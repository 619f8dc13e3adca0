/*
 * Copyright (C) The call recorder authors
 *
 * callmix: the parts of a source (callmix_source.c): reading the chunk files
 * of one participant one after another, and decoding their sound.
 */

#ifndef AVFILTER_CALLMIX_MEDIA_H
#define AVFILTER_CALLMIX_MEDIA_H


#include "libavcodec/avcodec.h"
#include "libavcodec/codec_par.h"

#include "callmix.h"


/* ---- reading chunk files (callmix_demux.c) ---- */

typedef struct CallMixDemux CallMixDemux;

/* Whose a packet is; par is valid until the next call. */
typedef struct CallMixPacketInfo {
    const AVCodecParameters    *par;
    const CallMixSession       *session;
    int                         track;
    int                         is_video;
} CallMixPacketInfo;

int ff_callmix_demux_alloc(CallMixDemux **demux,
                           const CallMixParticipant *participant,
                           CallMixFolder *folder,
                           const AVIOInterruptCB *interrupt, void *log_ctx);
void ff_callmix_demux_free(CallMixDemux **demux);

/*
 * The next packet, its times in microseconds of media time.  Chunks that are
 * missing or damaged are logged and passed over; AVERROR_EOF after the last.
 * That one exists and does not come is an error.
 */
int ff_callmix_demux_read(CallMixDemux *demux, AVPacket *pkt,
                          CallMixPacketInfo *info);


/* ---- decoding (callmix_decode.c) ---- */

/* Opens a decoder, or keeps the one that fits par already. */
int ff_callmix_decoder_open(AVCodecContext **dec, const AVCodecParameters *par,
                            void *log_ctx);

/* Whether a decoder of one decodes the other; a may be NULL. */
int ff_callmix_same_parameters(const AVCodecParameters *a,
                               const AVCodecParameters *b);

/* Whether the open decoder fits these parameters. */
int ff_callmix_decoder_fits(const AVCodecContext *dec,
                            const AVCodecParameters *par);


/* ---- sound with its exact place (callmix_voice.c) ---- */

typedef struct CallMixVoice CallMixVoice;

/* Takes over the frame: planar float stereo, pts is the sample's number. */
typedef int (*CallMixVoiceSink)(void *opaque, AVFrame *frame);

int ff_callmix_voice_alloc(CallMixVoice **voice, int sample_rate,
                           CallMixVoiceSink sink, void *opaque, void *log_ctx);
void ff_callmix_voice_free(CallMixVoice **voice);

/* pkt NULL: the end, what the decoder still holds comes out. */
int ff_callmix_voice_decode(CallMixVoice *voice, const AVPacket *pkt,
                            const CallMixPacketInfo *info);

/* Recording time up to which sound came out; INT64_MIN: none yet. */
int64_t ff_callmix_voice_end(const CallMixVoice *voice);


#endif /* AVFILTER_CALLMIX_MEDIA_H */
