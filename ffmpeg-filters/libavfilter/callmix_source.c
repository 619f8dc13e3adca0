/*
 * Copyright (C) The call recorder authors
 *
 * The media of one participant, read and decoded by a thread of its own a
 * little ahead of the mix.
 *
 * Sound is decoded as it is read.  Pictures wait as packets, which are small,
 * and only a few are decoded ahead.  The thread reads READ_AHEAD beyond the
 * mix; a track of which nothing came until SKEW behind what was read has
 * nothing there, and what comes later than that is dropped, so that the
 * result does not depend on which thread was faster.
 */

#include <stdatomic.h>
#include <string.h>

#include "libavutil/error.h"
#include "libavutil/fifo.h"
#include "libavutil/log.h"
#include "libavutil/macros.h"
#include "libavutil/mathematics.h"
#include "libavutil/mem.h"
#include "libavutil/thread.h"

#include "callmix_media.h"


#define READ_AHEAD      2500000
#define SKEW            1500000

/* Decoded pictures that wait. */
#define MAX_PICTURES    6

/* A picture is shown for so long at the end of the media. */
#define LAST_PICTURE    40000


/* A packet, or the parameters of those that follow. */
typedef struct Pending {
    AVPacket               *pkt;
    AVCodecParameters      *par;
} Pending;


struct CallMixSource {
    /* the thread's own */
    void               *log_ctx;
    CallMixDemux       *demux;
    CallMixVoice       *voice;
    AVCodecContext     *dec;
    AVCodecParameters  *par;            /* the last one put into pending */
    AVPacket           *pkt;
    int                 errors;
    int                 late;           /* packets dropped */

    int                 sample_rate;
    pthread_t           thread;
    int                 has_thread;
    atomic_int          quit;

    pthread_mutex_t     mutex;
    pthread_cond_t      changed;        /* signals both sides */

    /* under the mutex */
    AVFifo             *pending;        /* Pending: not decoded yet */
    AVFifo             *pictures;       /* AVFrame *, pts in recording time */
    AVFifo             *sounds;         /* AVFrame *, pts in samples */
    int64_t             time;           /* of the mix */
    int64_t             read;           /* the latest packet read */
    int64_t             video_until;    /* pictures up to here are there */
    int64_t             audio_until;
    int64_t             last_media;
    int                 decoding;       /* a packet is out of pending */
    int                 ended;          /* all was read: last_media is known */
    int                 error;          /* the thread ended by it */
};


static int
push_frame(CallMixSource *src, AVFifo *queue, AVFrame *frame)
{
    int ret;

    pthread_mutex_lock(&src->mutex);
    ret = av_fifo_write(queue, &frame, 1);
    pthread_cond_broadcast(&src->changed);
    pthread_mutex_unlock(&src->mutex);

    if (ret < 0)
        av_frame_free(&frame);

    return ret;
}


static int
push_sound(void *opaque, AVFrame *frame)
{
    CallMixSource *src = opaque;

    return push_frame(src, src->sounds, frame);
}


/* A picture that the mix may have from now on. */
static int
push_picture(CallMixSource *src, AVFrame *frame)
{
    int64_t pts = frame->pts;
    int     ret;

    ret = push_frame(src, src->pictures, frame);
    if (ret < 0)
        return ret;

    pthread_mutex_lock(&src->mutex);
    src->video_until = FFMAX(src->video_until, pts);
    pthread_mutex_unlock(&src->mutex);

    return 0;
}


/*
 * All pictures that the decoder has ready.  Each spatial layer of a VP9
 * superframe comes out of it, at one time: only the last is meant to be seen.
 */
static int
take_pictures(CallMixSource *src)
{
    AVFrame    *frame, *last = NULL;
    int         ret, pushed = 0;

    for ( ;; ) {
        frame = av_frame_alloc();
        ret = frame ? avcodec_receive_frame(src->dec, frame)
                    : AVERROR(ENOMEM);
        if (ret < 0)
            break;

        if (frame->pts == AV_NOPTS_VALUE)
            frame->pts = frame->best_effort_timestamp;

        if (frame->pts == AV_NOPTS_VALUE) {
            av_frame_free(&frame);
            continue;
        }

        if (last && last->pts != frame->pts) {
            pushed = push_picture(src, last);
            last = NULL;
            if (pushed < 0)
                break;
        }

        av_frame_free(&last);
        last = frame;
    }

    av_frame_free(&frame);

    if (last)
        pushed = push_picture(src, last);

    if (pushed < 0)
        return pushed;

    return ret == AVERROR(EAGAIN) || ret == AVERROR_EOF ? 0 : ret;
}


static int
decode_picture(CallMixSource *src, const Pending *pending)
{
    int ret;

    if (pending->par) {
        if (ff_callmix_decoder_fits(src->dec, pending->par))
            return 0;

        if (src->dec) {
            avcodec_send_packet(src->dec, NULL);
            take_pictures(src);
        }

        ret = ff_callmix_decoder_open(&src->dec, pending->par, src->log_ctx);
        return ret == AVERROR(ENOMEM) ? ret : 0;
    }

    if (!src->dec)
        return 0;

    ret = avcodec_send_packet(src->dec, pending->pkt);
    if (ret >= 0)
        ret = take_pictures(src);

    if (ret < 0 && ret != AVERROR(ENOMEM)) {
        if (!src->errors++) {
            av_log(src->log_ctx, AV_LOG_WARNING, "picture at %.3f s: %s\n",
                   pending->pkt->pts / 1e6, av_err2str(ret));
        }

        ret = 0;
    }

    return ret;
}


static void
free_pending(Pending *pending)
{
    av_packet_free(&pending->pkt);
    avcodec_parameters_free(&pending->par);
}


static int
push_pending(CallMixSource *src, Pending *pending)
{
    int ret;

    pthread_mutex_lock(&src->mutex);
    ret = av_fifo_write(src->pending, pending, 1);
    pthread_mutex_unlock(&src->mutex);

    if (ret < 0)
        free_pending(pending);

    return ret;
}


/* Puts a packet into pending, behind its parameters if they are new. */
static int
push_packet(CallMixSource *src, const CallMixPacketInfo *info, int64_t time)
{
    Pending pending = { NULL };
    int     rotation, ret;

    if (!ff_callmix_same_parameters(src->par, info->par)) {
        if (!src->par)
            src->par = avcodec_parameters_alloc();

        pending.par = avcodec_parameters_alloc();

        if (!src->par || !pending.par
            || avcodec_parameters_copy(src->par, info->par) < 0
            || avcodec_parameters_copy(pending.par, info->par) < 0)
        {
            avcodec_parameters_free(&pending.par);
            return AVERROR(ENOMEM);
        }

        ret = push_pending(src, &pending);
        if (ret < 0)
            return ret;

        pending.par = NULL;
    }

    pending.pkt = av_packet_clone(src->pkt);
    if (!pending.pkt)
        return AVERROR(ENOMEM);

    rotation = ff_callmix_session_rotation(info->session, info->track,
                                           pending.pkt->pts);
    if (rotation) {
        ret = ff_callmix_video_set_rotation(pending.pkt, rotation);
        if (ret < 0) {
            free_pending(&pending);
            return ret;
        }
    }

    pending.pkt->pts = time;
    pending.pkt->dts = AV_NOPTS_VALUE;

    return push_pending(src, &pending);
}


static int
read_packet(CallMixSource *src)
{
    CallMixPacketInfo   info;
    int64_t             time, end;
    int                 ret;

    ret = ff_callmix_demux_read(src->demux, src->pkt, &info);
    if (ret < 0)
        return ret;

    time = ff_callmix_session_time(info.session, info.track, src->pkt->pts);

    if (src->read != INT64_MIN && time < src->read - SKEW) {
        if (!src->late++) {
            av_log(src->log_ctx, AV_LOG_WARNING,
                   "media at %.3f s come too late in their chunk\n",
                   time / 1e6);
        }

        av_packet_unref(src->pkt);
        return 0;
    }

    if (info.is_video)
        ret = push_packet(src, &info, time);
    else
        ret = ff_callmix_voice_decode(src->voice, src->pkt, &info);

    av_packet_unref(src->pkt);

    if (ret < 0)
        return ret;

    end = ff_callmix_voice_end(src->voice);

    pthread_mutex_lock(&src->mutex);
    src->read = FFMAX(src->read, time);
    src->audio_until = FFMAX3(src->audio_until, end, src->read - SKEW);
    src->last_media = FFMAX3(src->last_media, end,
                             info.is_video ? time + LAST_PICTURE : time);
    pthread_cond_broadcast(&src->changed);
    pthread_mutex_unlock(&src->mutex);

    return 0;
}


/* All sound is there, while pictures may still wait to be decoded. */
static int
end_reading(CallMixSource *src)
{
    int64_t end;
    int     ret;

    ff_callmix_demux_free(&src->demux);

    ret = ff_callmix_voice_decode(src->voice, NULL, NULL);
    end = ff_callmix_voice_end(src->voice);

    pthread_mutex_lock(&src->mutex);
    src->last_media = FFMAX(src->last_media, end);
    src->audio_until = CALLMIX_NEVER;
    src->ended = 1;
    pthread_mutex_unlock(&src->mutex);

    return ret;
}


/* One step of the thread, under the mutex; 0: nothing to do now. */
static int
step(CallMixSource *src)
{
    Pending pending;
    int     ret;

    if (av_fifo_can_read(src->pictures) < MAX_PICTURES
        && av_fifo_read(src->pending, &pending, 1) >= 0)
    {
        src->decoding = 1;
        pthread_mutex_unlock(&src->mutex);

        ret = decode_picture(src, &pending);
        free_pending(&pending);

        pthread_mutex_lock(&src->mutex);
        src->decoding = 0;
        return ret < 0 ? ret : 1;
    }

    if (!src->demux)
        return av_fifo_can_read(src->pending) ? 0 : AVERROR_EOF;

    if (src->read != INT64_MIN && src->read >= src->time + READ_AHEAD)
        return 0;

    pthread_mutex_unlock(&src->mutex);

    ret = read_packet(src);

    if (ret == AVERROR_EOF)
        ret = end_reading(src);

    pthread_mutex_lock(&src->mutex);
    return ret < 0 ? ret : 1;
}


static int
is_quitting(void *opaque)
{
    CallMixSource *src = opaque;

    return atomic_load(&src->quit);
}


static void *
run(void *opaque)
{
    CallMixSource *src = opaque;
    int            ret = 0;

    pthread_mutex_lock(&src->mutex);

    while (!is_quitting(src)) {
        ret = step(src);

        if (ret < 0)
            break;

        pthread_cond_broadcast(&src->changed);

        if (ret == 0 && !is_quitting(src))
            pthread_cond_wait(&src->changed, &src->mutex);
    }

    pthread_mutex_unlock(&src->mutex);

    if (ret == AVERROR_EOF && src->dec) {
        avcodec_send_packet(src->dec, NULL);
        take_pictures(src);

    } else if (ret < 0 && ret != AVERROR_EOF && !is_quitting(src)) {
        av_log(src->log_ctx, AV_LOG_ERROR, "reading ends: %s\n",
               av_err2str(ret));
    }

    /* the files and decoders are not needed any more */

    ff_callmix_demux_free(&src->demux);
    ff_callmix_voice_free(&src->voice);
    avcodec_free_context(&src->dec);

    pthread_mutex_lock(&src->mutex);
    src->ended = 1;
    src->error = ret == AVERROR_EOF ? 0 : FFMIN(ret, 0);
    src->video_until = CALLMIX_NEVER;
    src->audio_until = CALLMIX_NEVER;
    pthread_cond_broadcast(&src->changed);
    pthread_mutex_unlock(&src->mutex);

    return NULL;
}


int
ff_callmix_source_start(CallMixSource **srcp,
                        const CallMixParticipant *participant,
                        CallMixFolder *folder, int sample_rate, void *log_ctx)
{
    CallMixSource      *src;
    AVIOInterruptCB     interrupt = { is_quitting, NULL };
    int                 ret;

    src = av_mallocz(sizeof(*src));
    if (!src)
        return AVERROR(ENOMEM);

    pthread_mutex_init(&src->mutex, NULL);
    pthread_cond_init(&src->changed, NULL);

    atomic_init(&src->quit, 0);
    interrupt.opaque = src;

    src->log_ctx = log_ctx;
    src->sample_rate = sample_rate;
    src->time = participant->nb_spans ? participant->spans[0].start : 0;
    src->read = INT64_MIN;
    src->video_until = INT64_MIN;
    src->audio_until = INT64_MIN;
    src->last_media = INT64_MIN;

    src->pkt = av_packet_alloc();
    src->pending = av_fifo_alloc2(32, sizeof(Pending), AV_FIFO_FLAG_AUTO_GROW);
    src->pictures = av_fifo_alloc2(MAX_PICTURES, sizeof(AVFrame *),
                                   AV_FIFO_FLAG_AUTO_GROW);
    src->sounds = av_fifo_alloc2(64, sizeof(AVFrame *), AV_FIFO_FLAG_AUTO_GROW);

    if (!src->pkt || !src->pending || !src->pictures || !src->sounds) {
        ret = AVERROR(ENOMEM);
        goto fail;
    }

    ret = ff_callmix_demux_alloc(&src->demux, participant, folder, &interrupt,
                                 log_ctx);
    if (ret < 0)
        goto fail;

    ret = ff_callmix_voice_alloc(&src->voice, sample_rate, push_sound, src,
                                 log_ctx);
    if (ret < 0)
        goto fail;

    ret = pthread_create(&src->thread, NULL, run, src);
    if (ret) {
        ret = AVERROR(ret);
        goto fail;
    }

    src->has_thread = 1;
    *srcp = src;
    return 0;

fail:
    ff_callmix_source_free(&src);
    return ret;
}


static void
free_frames(AVFifo **queue)
{
    AVFrame *frame;

    while (*queue && av_fifo_read(*queue, &frame, 1) >= 0)
        av_frame_free(&frame);

    av_fifo_freep2(queue);
}


void
ff_callmix_source_free(CallMixSource **srcp)
{
    CallMixSource  *src = *srcp;
    Pending         pending;

    if (!src)
        return;

    if (src->has_thread) {
        pthread_mutex_lock(&src->mutex);
        atomic_store(&src->quit, 1);
        pthread_cond_broadcast(&src->changed);
        pthread_mutex_unlock(&src->mutex);
        pthread_join(src->thread, NULL);
    }

    while (src->pending && av_fifo_read(src->pending, &pending, 1) >= 0)
        free_pending(&pending);

    av_fifo_freep2(&src->pending);
    free_frames(&src->pictures);
    free_frames(&src->sounds);

    ff_callmix_demux_free(&src->demux);
    ff_callmix_voice_free(&src->voice);
    avcodec_free_context(&src->dec);
    avcodec_parameters_free(&src->par);
    av_packet_free(&src->pkt);

    pthread_cond_destroy(&src->changed);
    pthread_mutex_destroy(&src->mutex);
    av_freep(srcp);
}


/* Lets the thread read on for a mix that is at time. */
static void
advance(CallMixSource *src, int64_t time)
{
    if (time > src->time) {
        src->time = time;
        pthread_cond_broadcast(&src->changed);
    }
}


/* Whether no picture of up to time can come any more. */
static int
video_complete(const CallMixSource *src, int64_t time)
{
    if (src->video_until >= time)
        return 1;

    return !src->decoding && !av_fifo_can_read(src->pending)
           && src->read != INT64_MIN && src->read - SKEW >= time;
}


int
ff_callmix_source_video(CallMixSource *src, int64_t time, AVFrame *frame)
{
    AVFrame    *next;
    int         got = 0;

    pthread_mutex_lock(&src->mutex);
    advance(src, time);

    for ( ;; ) {
        if (av_fifo_peek(src->pictures, &next, 1, 0) >= 0) {
            if (next->pts > time)
                break;

            av_fifo_drain2(src->pictures, 1);
            av_frame_unref(frame);
            av_frame_move_ref(frame, next);
            av_frame_free(&next);
            got = 1;
            pthread_cond_broadcast(&src->changed);
            continue;
        }

        if (video_complete(src, time))
            break;

        pthread_cond_wait(&src->changed, &src->mutex);
    }

    pthread_mutex_unlock(&src->mutex);
    return got;
}


int64_t
ff_callmix_source_next_video(CallMixSource *src, int64_t limit)
{
    AVFrame    *next;
    int64_t     pts = CALLMIX_NEVER;

    pthread_mutex_lock(&src->mutex);
    advance(src, limit);

    for ( ;; ) {
        if (av_fifo_peek(src->pictures, &next, 1, 0) >= 0) {
            if (next->pts <= limit)
                pts = next->pts;
            break;
        }

        if (video_complete(src, limit))
            break;

        pthread_cond_wait(&src->changed, &src->mutex);
    }

    pthread_mutex_unlock(&src->mutex);
    return pts;
}


void
ff_callmix_source_audio(CallMixSource *src, int64_t pos, int nb_samples,
                        float *const dst[2])
{
    int64_t         until, first, last;
    const float    *from;
    AVFrame        *frame;

    until = av_rescale_rnd(pos + nb_samples, 1000000, src->sample_rate,
                           AV_ROUND_UP);

    pthread_mutex_lock(&src->mutex);
    advance(src, until);

    while (src->audio_until < until)
        pthread_cond_wait(&src->changed, &src->mutex);

    while (av_fifo_peek(src->sounds, &frame, 1, 0) >= 0
           && frame->pts < pos + nb_samples)
    {
        first = FFMAX(frame->pts, pos);
        last = FFMIN(frame->pts + frame->nb_samples, pos + nb_samples);

        for (int i = 0; i < 2; i++) {
            from = (const float *)frame->data[i];

            for (int64_t n = first; n < last; n++)
                dst[i][n - pos] += from[n - frame->pts];
        }

        if (frame->pts + frame->nb_samples > pos + nb_samples)
            break;

        av_fifo_drain2(src->sounds, 1);
        av_frame_free(&frame);
    }

    pthread_mutex_unlock(&src->mutex);
}


int64_t
ff_callmix_source_end(CallMixSource *src)
{
    int64_t end;

    pthread_mutex_lock(&src->mutex);
    end = src->ended ? src->last_media : CALLMIX_NEVER;
    pthread_mutex_unlock(&src->mutex);

    return end;
}


int
ff_callmix_source_error(CallMixSource *src)
{
    int error;

    pthread_mutex_lock(&src->mutex);
    error = src->error;
    pthread_mutex_unlock(&src->mutex);

    return error;
}
