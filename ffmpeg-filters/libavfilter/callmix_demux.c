/*
 * Copyright (C) The call recorder authors
 *
 * Reads the chunk files of one participant, in the order in which they begin.
 */

#include <stdlib.h>
#include <string.h>

#include "libavformat/avformat.h"
#include "libavutil/avstring.h"
#include "libavutil/log.h"
#include "libavutil/macros.h"
#include "libavutil/mathematics.h"
#include "libavutil/mem.h"

#include "callmix_media.h"


typedef struct ChunkRef {
    const CallMixSession   *session;
    const CallMixChunk     *chunk;
    CallMixPick             pick;
    int64_t                 start;
} ChunkRef;


struct CallMixDemux {
    CallMixFolder      *folder;
    AVIOInterruptCB     interrupt;
    void               *log_ctx;
    ChunkRef           *chunks;
    int                 nb_chunks;
    int                 next;           /* the chunk to open */
    CallMixFile        *ahead;          /* chunk next, if it is on its way */
    CallMixFile        *file;           /* chunk next - 1 */
    AVFormatContext    *fmt;            /* of file, or NULL */
    int                 video_index;    /* -1: none */
    int                 audio_index;
};


static int
compare_chunks(const void *a, const void *b)
{
    const ChunkRef *l = a, *r = b;

    if (l->start != r->start)
        return FFDIFFSIGN(l->start, r->start);

    return FFDIFFSIGN(l->chunk->number, r->chunk->number);
}


int
ff_callmix_demux_alloc(CallMixDemux **demuxp,
                       const CallMixParticipant *participant,
                       CallMixFolder *folder,
                       const AVIOInterruptCB *interrupt, void *log_ctx)
{
    const CallMixSession *session;
    CallMixDemux         *demux;
    ChunkRef             *ref;
    int                   nb = 0;

    for (int i = 0; i < participant->nb_sessions; i++)
        nb += participant->sessions[i]->nb_chunks;

    demux = av_mallocz(sizeof(*demux));
    if (!demux)
        return AVERROR(ENOMEM);

    demux->folder = folder;
    demux->interrupt = *interrupt;
    demux->log_ctx = log_ctx;
    demux->chunks = av_calloc(FFMAX(nb, 1), sizeof(*demux->chunks));

    if (!demux->chunks) {
        av_free(demux);
        return AVERROR(ENOMEM);
    }

    for (int i = 0; i < participant->nb_sessions; i++) {
        session = participant->sessions[i];

        for (int j = 0; j < session->nb_chunks; j++) {
            ref = &demux->chunks[demux->nb_chunks];
            ref->session = session;
            ref->chunk = &session->chunks[j];

            if (!ff_callmix_chunk_pick(participant, session, ref->chunk,
                                       &ref->pick))
            {
                continue;
            }

            ref->start = ff_callmix_chunk_start(session, ref->chunk,
                                                &ref->pick);
            demux->nb_chunks++;
        }
    }

    qsort(demux->chunks, demux->nb_chunks, sizeof(*demux->chunks),
          compare_chunks);

    *demuxp = demux;
    return 0;
}


static void
close_chunk(CallMixDemux *demux)
{
    avformat_close_input(&demux->fmt);
    ff_callmix_file_close(&demux->file);
}


void
ff_callmix_demux_free(CallMixDemux **demuxp)
{
    CallMixDemux *demux = *demuxp;

    if (demux) {
        close_chunk(demux);
        ff_callmix_file_close(&demux->ahead);
        av_freep(&demux->chunks);
    }

    av_freep(demuxp);
}


/* Streams are in the order of the tracks that the journal names. */
static int
take_stream(const AVFormatContext *fmt, int number, enum AVMediaType type)
{
    return number >= 0 && number < fmt->nb_streams
           && fmt->streams[number]->codecpar->codec_type == type ? number : -1;
}


/* The next chunk begins to come, unless it does already. */
static int
fetch_ahead(CallMixDemux *demux)
{
    const CallMixChunk *chunk;

    if (demux->ahead || demux->next == demux->nb_chunks)
        return 0;

    chunk = demux->chunks[demux->next].chunk;

    return ff_callmix_file_open(&demux->ahead, demux->folder, chunk->file,
                                chunk->size, &demux->interrupt);
}


/*
 * Whether the chunk is nowhere.  S3 says so by 403 to who may not list its
 * bucket; one that was closed is taken to be there.
 */
static int
is_missing(const CallMixDemux *demux, const CallMixChunk *chunk, int error)
{
    if (error == AVERROR(ENOMEM))
        return 0;

    return !ff_callmix_folder_is_remote(demux->folder)
           || error == AVERROR(ENOENT)
           || (error == AVERROR_HTTP_FORBIDDEN && chunk->end_ms < 0);
}


static int
open_format(CallMixDemux *demux, AVIOContext *io)
{
    AVFormatContext *fmt;

    fmt = avformat_alloc_context();
    if (!fmt)
        return AVERROR(ENOMEM);

    fmt->pb = io;
    fmt->format_whitelist = av_strdup("matroska,webm");

    /* the file names all parameters, and packets are whole frames */
    fmt->flags |= AVFMT_FLAG_NOPARSE | AVFMT_FLAG_NOFILLIN;

    demux->fmt = fmt;

    return avformat_open_input(&demux->fmt, NULL, NULL, NULL);
}


static int
open_chunk(CallMixDemux *demux)
{
    const ChunkRef  *ref = &demux->chunks[demux->next];
    AVFormatContext *fmt;
    AVIOContext     *io;
    int              ret;

    ret = fetch_ahead(demux);
    if (ret < 0)
        return ret;

    demux->file = demux->ahead;
    demux->ahead = NULL;
    demux->next++;

    ret = ff_callmix_file_io(demux->file, &io);

    if (ret < 0 && !is_missing(demux, ref->chunk, ret)) {
        if (ret != AVERROR_EXIT) {
            av_log(demux->log_ctx, AV_LOG_ERROR, "%s did not come: %s\n",
                   ref->chunk->file, av_err2str(ret));
        }

        return ret;
    }

    if (ret >= 0)
        ret = open_format(demux, io);

    if (ret < 0) {
        av_log(demux->log_ctx, AV_LOG_WARNING, "%s is left out: %s\n",
               ref->chunk->file, av_err2str(ret));
        close_chunk(demux);
        return ret == AVERROR(ENOMEM) ? ret : 0;
    }

    fmt = demux->fmt;
    demux->video_index = take_stream(fmt, ref->pick.video, AVMEDIA_TYPE_VIDEO);
    demux->audio_index = take_stream(fmt, ref->pick.audio, AVMEDIA_TYPE_AUDIO);

    for (int i = 0; i < fmt->nb_streams; i++) {
        if (i != demux->video_index && i != demux->audio_index)
            fmt->streams[i]->discard = AVDISCARD_ALL;
    }

    return fetch_ahead(demux);
}


int
ff_callmix_demux_read(CallMixDemux *demux, AVPacket *pkt,
                      CallMixPacketInfo *info)
{
    const ChunkRef *ref;
    AVStream       *st;
    int             ret;

    for ( ;; ) {
        if (!demux->fmt) {
            if (demux->next == demux->nb_chunks)
                return AVERROR_EOF;

            ret = open_chunk(demux);
            if (ret < 0)
                return ret;

            continue;
        }

        ref = &demux->chunks[demux->next - 1];

        ret = av_read_frame(demux->fmt, pkt);
        if (ret < 0) {
            if (ret != AVERROR_EOF) {
                av_log(demux->log_ctx, AV_LOG_WARNING,
                       "%s is damaged, its rest is left out: %s\n",
                       ref->chunk->file, av_err2str(ret));
            }

            close_chunk(demux);

            if (ret == AVERROR(ENOMEM))
                return ret;

            continue;
        }

        if (pkt->pts != AV_NOPTS_VALUE
            && (pkt->stream_index == demux->video_index
                || pkt->stream_index == demux->audio_index))
        {
            break;
        }

        av_packet_unref(pkt);
    }

    st = demux->fmt->streams[pkt->stream_index];

    av_packet_rescale_ts(pkt, st->time_base, AV_TIME_BASE_Q);
    pkt->time_base = AV_TIME_BASE_Q;

    info->par = st->codecpar;
    info->session = ref->session;
    info->track = ref->chunk->tracks[pkt->stream_index];
    info->is_video = pkt->stream_index == demux->video_index;

    return 0;
}
