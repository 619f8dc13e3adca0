/*
 * Copyright (C) The call recorder authors
 *
 * One participant's sound: decoded, made stereo, and put at its exact place.
 *
 * Packets that follow each other on the track's own clock are joined by
 * counting samples; where the clock correction makes that wander from the
 * recording's time, packets are stretched by a few samples, which cannot be
 * heard.  Everything else is a gap and stays one: silence, then the exact
 * place.
 */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "libavutil/channel_layout.h"
#include "libavutil/error.h"
#include "libavutil/log.h"
#include "libavutil/macros.h"
#include "libavutil/mathematics.h"
#include "libavutil/mem.h"
#include "libswresample/swresample.h"

#include "callmix_media.h"


/* Off the expected media time by more: packets are missing (they are 2.5 to
 * 60 ms long, their times are rounded to 1 ms). */
#define GAP             2000

/* Off recording time by more: not stretched but cut, in microseconds. */
#define RESYNC          40000

/* What comes out of an Opus decoder is the encoder's look-ahead late
 * (RFC 7845, section 4.2), 6.5 ms in all modes but restricted-lowdelay; a
 * publisher's time stamps are those of the encoder's input. */
#define OPUS_LOOKAHEAD  6500

/* Stretching begins and ends at these deviations, in microseconds. */
#define STRETCH_ON      1000
#define STRETCH_OFF     250

/* A packet takes over this part of the deviation, but is stretched by no more
 * than so many samples of 1000: 20 cents. */
#define STRETCH_PART    8
#define STRETCH_MAX     12

/* Weight of one packet in the mean of the deviation. */
#define DEVIATION_MEAN  (1.0 / 16)


struct CallMixVoice {
    int                 sample_rate;
    CallMixVoiceSink    sink;
    void               *opaque;
    void               *log_ctx;

    AVCodecContext     *dec;
    AVCodecParameters  *refused;        /* no decoder takes these */
    AVFrame            *decoded;

    SwrContext         *swr;
    int                 in_format;
    int                 in_rate;
    int                 in_channels;

    const CallMixSession   *session;
    int                     track;

    int64_t             next_pos;       /* the sample after the last one */
    int64_t             next_media;     /* the media time expected next */
    double              deviation;      /* samples, a sliding mean */
    int                 stretching;
    int                 errors;
};


int
ff_callmix_voice_alloc(CallMixVoice **voicep, int sample_rate,
                       CallMixVoiceSink sink, void *opaque, void *log_ctx)
{
    CallMixVoice *voice = av_mallocz(sizeof(*voice));

    if (!voice)
        return AVERROR(ENOMEM);

    voice->decoded = av_frame_alloc();
    if (!voice->decoded) {
        av_free(voice);
        return AVERROR(ENOMEM);
    }

    voice->sample_rate = sample_rate;
    voice->sink = sink;
    voice->opaque = opaque;
    voice->log_ctx = log_ctx;
    voice->next_pos = INT64_MIN;

    *voicep = voice;
    return 0;
}


void
ff_callmix_voice_free(CallMixVoice **voicep)
{
    CallMixVoice *voice = *voicep;

    if (voice) {
        av_frame_free(&voice->decoded);
        avcodec_free_context(&voice->dec);
        avcodec_parameters_free(&voice->refused);
        swr_free(&voice->swr);
    }

    av_freep(voicep);
}


int64_t
ff_callmix_voice_end(const CallMixVoice *voice)
{
    if (voice->next_pos == INT64_MIN)
        return INT64_MIN;

    return av_rescale(voice->next_pos, 1000000, voice->sample_rate);
}


static AVFrame *
alloc_frame(const CallMixVoice *voice, int nb_samples)
{
    AVFrame *frame = av_frame_alloc();

    if (!frame)
        return NULL;

    frame->format = AV_SAMPLE_FMT_FLTP;
    frame->nb_samples = nb_samples;
    frame->sample_rate = voice->sample_rate;
    frame->ch_layout = (AVChannelLayout)AV_CHANNEL_LAYOUT_STEREO;

    if (av_frame_get_buffer(frame, 0) < 0)
        av_frame_free(&frame);

    return frame;
}


/* Stereo stays stereo, mono stays mono: swr would turn mono down by 3 dB. */
static int
open_swr(CallMixVoice *voice, const AVFrame *in)
{
    AVChannelLayout layout = AV_CHANNEL_LAYOUT_STEREO;
    AVChannelLayout from = in->ch_layout;
    int             ret;

    if (voice->swr && voice->in_format == in->format
        && voice->in_rate == in->sample_rate
        && voice->in_channels == in->ch_layout.nb_channels)
    {
        return 0;
    }

    swr_free(&voice->swr);

    if (in->ch_layout.nb_channels == 1)
        layout = (AVChannelLayout)AV_CHANNEL_LAYOUT_MONO;

    ret = swr_alloc_set_opts2(&voice->swr, &layout, AV_SAMPLE_FMT_FLTP,
                              voice->sample_rate, &from, in->format,
                              in->sample_rate, 0, voice->log_ctx);
    if (ret >= 0)
        ret = swr_init(voice->swr);

    if (ret < 0) {
        swr_free(&voice->swr);
        return ret;
    }

    voice->in_format = in->format;
    voice->in_rate = in->sample_rate;
    voice->in_channels = in->ch_layout.nb_channels;
    return 0;
}


/* Planar float stereo of our rate. */
static int
convert(CallMixVoice *voice, AVFrame **stereo)
{
    const AVFrame  *in = voice->decoded;
    AVFrame        *out;
    int             nb, ret;

    ret = open_swr(voice, in);
    if (ret < 0)
        return ret;

    nb = swr_get_out_samples(voice->swr, in->nb_samples);
    if (nb <= 0)
        return nb < 0 ? nb : AVERROR_INVALIDDATA;

    out = alloc_frame(voice, nb);
    if (!out)
        return AVERROR(ENOMEM);

    nb = swr_convert(voice->swr, out->data, nb,
                     (const uint8_t **)in->extended_data, in->nb_samples);
    if (nb < 0) {
        av_frame_free(&out);
        return nb;
    }

    if (in->ch_layout.nb_channels == 1)
        memcpy(out->data[1], out->data[0], nb * sizeof(float));

    out->nb_samples = nb;
    *stereo = out;
    return 0;
}


/* Catmull-Rom: nb samples become nb_out. */
static void
stretch(float *out, int nb_out, const float *in, int nb)
{
    for (int i = 0; i < nb_out; i++) {
        double at = (double)i * nb / nb_out;
        int    n = at;
        float  t = at - n;
        float  a = in[FFMAX(n - 1, 0)], b = in[n];
        float  c = in[FFMIN(n + 1, nb - 1)], d = in[FFMIN(n + 2, nb - 1)];

        out[i] = b + 0.5f * t * (c - a + t * (2 * a - 5 * b + 4 * c - d
                                              + t * (3 * (b - c) + d - a)));
    }
}


static int
stretch_frame(const CallMixVoice *voice, AVFrame **frame, int by)
{
    AVFrame *in = *frame;
    AVFrame *out = alloc_frame(voice, in->nb_samples + by);

    if (!out)
        return AVERROR(ENOMEM);

    for (int i = 0; i < 2; i++) {
        stretch((float *)out->data[i], out->nb_samples,
                (const float *)in->data[i], in->nb_samples);
    }

    av_frame_free(frame);
    *frame = out;
    return 0;
}


/* Takes the first nb samples off. */
static void
cut_frame(AVFrame *frame, int nb)
{
    for (int i = 0; i < 2; i++)
        frame->data[i] += nb * sizeof(float);

    frame->extended_data = frame->data;
    frame->nb_samples -= nb;
    frame->pts += nb;
}


static int
place(CallMixVoice *voice, AVFrame **framep, int64_t media, int64_t duration)
{
    int64_t  time, late;
    AVFrame *frame = *framep;
    int      rate = voice->sample_rate, by, max, ret;

    time = ff_callmix_session_time(voice->session, voice->track, media);

    if (voice->dec->codec_id == AV_CODEC_ID_OPUS)
        time -= OPUS_LOOKAHEAD;

    frame->pts = av_rescale(time, rate, 1000000);

    if (voice->next_pos == INT64_MIN
        || llabs(media - voice->next_media) > GAP
        || llabs(frame->pts - voice->next_pos)
           > av_rescale(RESYNC, rate, 1000000))
    {
        voice->deviation = 0;
        voice->stretching = 0;
        voice->next_media = media + duration;

        if (voice->next_pos > frame->pts) {
            late = voice->next_pos - frame->pts;

            if (late >= frame->nb_samples)
                return 0;

            cut_frame(frame, late);
        }

    } else {
        voice->deviation += DEVIATION_MEAN * (frame->pts - voice->next_pos
                                              - voice->deviation);
        frame->pts = voice->next_pos;

        if (fabs(voice->deviation) * 1000000 > (double)STRETCH_ON * rate)
            voice->stretching = 1;

        if (fabs(voice->deviation) * 1000000 < (double)STRETCH_OFF * rate)
            voice->stretching = 0;

        if (voice->stretching) {
            max = frame->nb_samples * STRETCH_MAX / 1000 + 1;
            by = av_clip(lrint(voice->deviation / STRETCH_PART),
                         -max, max);

            if (by && frame->nb_samples + by > 0) {
                ret = stretch_frame(voice, framep, by);
                if (ret < 0)
                    return ret;

                frame = *framep;
                frame->pts = voice->next_pos;
                voice->deviation -= by;
            }
        }

        /* media times are rounded to 1 ms: follow them slowly */
        voice->next_media += duration;
        voice->next_media += (media + duration - voice->next_media) / 8;
    }

    voice->next_pos = frame->pts + frame->nb_samples;
    *framep = NULL;

    return voice->sink(voice->opaque, frame);
}


static int
take_frames(CallMixVoice *voice)
{
    AVFrame *frame;
    int64_t  duration;
    int      ret;

    for ( ;; ) {
        ret = avcodec_receive_frame(voice->dec, voice->decoded);
        if (ret < 0)
            return ret == AVERROR(EAGAIN) || ret == AVERROR_EOF ? 0 : ret;

        if (voice->decoded->pts == AV_NOPTS_VALUE
            || voice->decoded->nb_samples <= 0)
        {
            continue;
        }

        frame = NULL;
        duration = av_rescale(voice->decoded->nb_samples, 1000000,
                              voice->decoded->sample_rate);

        ret = convert(voice, &frame);
        if (ret < 0)
            return ret;

        ret = place(voice, &frame, voice->decoded->pts, duration);
        av_frame_free(&frame);

        if (ret < 0)
            return ret;
    }
}


/* Decoders that cannot be opened are tried once: chunks may be damaged. */
static int
open_decoder(CallMixVoice *voice, const AVCodecParameters *par)
{
    int ret;

    if (ff_callmix_decoder_fits(voice->dec, par))
        return 0;

    if (ff_callmix_same_parameters(voice->refused, par))
        return AVERROR(EINVAL);

    ret = ff_callmix_decoder_open(&voice->dec, par, voice->log_ctx);

    if (ret < 0 && ret != AVERROR(ENOMEM)) {
        if (!voice->refused)
            voice->refused = avcodec_parameters_alloc();

        if (!voice->refused
            || avcodec_parameters_copy(voice->refused, par) < 0)
        {
            return AVERROR(ENOMEM);
        }
    }

    return ret;
}


int
ff_callmix_voice_decode(CallMixVoice *voice, const AVPacket *pkt,
                        const CallMixPacketInfo *info)
{
    int64_t time;
    int     ret;

    if (pkt) {
        ret = open_decoder(voice, info->par);
        if (ret < 0)
            return ret == AVERROR(ENOMEM) ? ret : 0;

        voice->session = info->session;
        voice->track = info->track;
    }

    if (!voice->dec)
        return 0;

    time = pkt ? pkt->pts : voice->next_media;

    ret = avcodec_send_packet(voice->dec, pkt);
    if (ret >= 0)
        ret = take_frames(voice);

    if (ret < 0 && ret != AVERROR(ENOMEM) && !voice->errors++) {
        av_log(voice->log_ctx, AV_LOG_WARNING, "sound at %.3f s: %s\n",
               time / 1e6, av_err2str(ret));
    }

    return ret == AVERROR(ENOMEM) ? ret : 0;
}
