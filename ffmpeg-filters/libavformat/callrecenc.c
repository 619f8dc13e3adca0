/*
 * Copyright (C) The call recorder authors
 *
 * callrec: FFmpeg's MP4 muxer, its output handed to nginx in parts while it
 * is written (docs/callrec.md, docs/mix-protocol.md).
 *
 *     0     ftyp            head: stays in memory, is sent last as part 0
 *     32    moov, free
 *     ...   free, mdat      (box headers: 8 bytes each)
 *     head  media           parts 1, 2, ...: sent as they fill up
 */

#include "config.h"

#if HAVE_GETRUSAGE
#include <sys/time.h>
#include <sys/resource.h>
#endif

#include <stdlib.h>
#include <string.h>

#include "libavutil/avstring.h"
#include "libavutil/bprint.h"
#include "libavutil/dict.h"
#include "libavutil/error.h"
#include "libavutil/intreadwrite.h"
#include "libavutil/log.h"
#include "libavutil/macros.h"
#include "libavutil/mathematics.h"
#include "libavutil/mem.h"
#include "libavutil/opt.h"

#define CALLREC_MUXER
#include "compat/callrec.h"
#include "callrec.h"


#define IO_BUFFER           65536

/* The box headers between the reserved space and the media. */
#define MDAT_HEADER         16

/* Index bytes of one frame: stsz, ctts, and stco and stsc when audio and
 * video take turns; co64. */
#define VIDEO_INDEX         32
#define AUDIO_INDEX         28
#define INDEX_BASE          16384

#define DEFAULT_RATE        60
#define AAC_FRAME           1024


typedef struct CallRecContext {
    const AVClass      *class;

    char               *token;
    char               *ca_file;
    int                 part_size;
    int                 head_size;
    int64_t             duration_hint;
    int64_t             retry_timeout;

    AVFormatContext    *mp4;
    AVIOContext        *pb;
    CallRecUpload      *upload;

    uint8_t            *head;           /* everything below stream_start */
    int64_t             head_used;
    int64_t             head_alloc;
    int64_t             stream_start;   /* 0: the header is being written */
    uint8_t             mdat[MDAT_HEADER];

    uint8_t            *part;           /* part_size bytes, being filled */
    int                 part_used;
    int                 part_number;    /* of the last one queued */

    int64_t             pos;            /* of the next write */
    int64_t             stream_end;
    int                 error;

    int64_t             end_ms;         /* of the media written */
} CallRecContext;


static int
send_part(CallRecContext *rec)
{
    uint8_t *data = rec->part;
    int      size = rec->part_used;

    if (!size)
        return 0;

    rec->part = NULL;
    rec->part_used = 0;
    rec->part_number++;

    return ff_callrec_upload_part(rec->upload, rec->part_number,
                                  rec->stream_end - size, data, size);
}


/* Media, one after another. */
static int
write_stream(CallRecContext *rec, const uint8_t *buf, int size)
{
    int n, ret;

    while (size) {
        if (!rec->part) {
            rec->part = av_malloc(rec->part_size);
            if (!rec->part)
                return AVERROR(ENOMEM);
        }

        n = FFMIN(size, rec->part_size - rec->part_used);
        memcpy(rec->part + rec->part_used, buf, n);

        rec->part_used += n;
        rec->stream_end += n;
        buf += n;
        size -= n;

        if (rec->part_used == rec->part_size) {
            ret = send_part(rec);
            if (ret < 0)
                return ret;
        }
    }

    return 0;
}


/* The head grows as needed: also an index that is too long is kept whole. */
static int
write_head(CallRecContext *rec, int64_t pos, const uint8_t *buf, int size)
{
    int64_t  alloc;
    uint8_t *head;

    if (pos + size > rec->head_alloc) {
        alloc = FFMAX(pos + size, rec->head_alloc * 2);
        head = av_realloc(rec->head, alloc);
        if (!head)
            return AVERROR(ENOMEM);

        memset(head + rec->head_alloc, 0, alloc - rec->head_alloc);
        rec->head = head;
        rec->head_alloc = alloc;
    }

    memcpy(rec->head + pos, buf, size);
    rec->head_used = FFMAX(rec->head_used, pos + size);
    return 0;
}


static int
write_data(void *opaque, callrec_write_data *buf, int size)
{
    CallRecContext *rec = opaque;
    int             ret;

    if (rec->error < 0)
        return rec->error;

    if (rec->stream_start && rec->pos == rec->stream_end)
        ret = write_stream(rec, buf, size);
    else
        ret = write_head(rec, rec->pos, buf, size);

    if (ret < 0) {
        rec->error = ret;
        return ret;
    }

    rec->pos += size;
    return size;
}


static int64_t
seek(void *opaque, int64_t offset, int whence)
{
    CallRecContext *rec = opaque;

    if (whence == AVSEEK_SIZE)
        return FFMAX(rec->stream_end, rec->head_used);

    if (whence != SEEK_SET || offset < 0)
        return AVERROR(EINVAL);

    /* back to the index: the size of mdat has just been written */

    if (rec->stream_start && offset < rec->stream_start - MDAT_HEADER) {
        memcpy(rec->mdat, rec->head + rec->stream_start - MDAT_HEADER,
               MDAT_HEADER);
    }

    return rec->pos = offset;
}


static int
check_streams(AVFormatContext *s)
{
    int nb[2] = { 0 };

    for (int i = 0; i < s->nb_streams; i++) {
        switch (s->streams[i]->codecpar->codec_type) {
        case AVMEDIA_TYPE_VIDEO:
            nb[0]++;
            break;
        case AVMEDIA_TYPE_AUDIO:
            nb[1]++;
            break;
        default:
            nb[0] = 2;
        }
    }

    if (nb[0] > 1 || nb[1] > 1) {
        av_log(s, AV_LOG_ERROR,
               "one video and one audio stream at most are possible\n");
        return AVERROR(EINVAL);
    }

    return 0;
}


/* What the index will need: docs/callrec.md. */
static int
estimate_head(AVFormatContext *s)
{
    CallRecContext *rec = s->priv_data;
    double          seconds = rec->duration_hint / 1e6, rate, size = INDEX_BASE;

    for (int i = 0; i < s->nb_streams; i++) {
        const AVStream          *st = s->streams[i];
        const AVCodecParameters *par = st->codecpar;

        if (par->codec_type == AVMEDIA_TYPE_VIDEO) {
            rate = st->avg_frame_rate.num > 0 && st->avg_frame_rate.den > 0
                   ? av_q2d(st->avg_frame_rate) : DEFAULT_RATE;
            size += seconds * rate * VIDEO_INDEX;

        } else {
            rate = (double)par->sample_rate
                   / (par->frame_size > 0 ? par->frame_size : AAC_FRAME);
            size += seconds * rate * AUDIO_INDEX;
        }
    }

    return FFMIN(size, INT_MAX / 2);
}


static int
copy_stream(AVFormatContext *mp4, const AVStream *from)
{
    AVStream   *to = avformat_new_stream(mp4, NULL);
    int         ret;

    if (!to)
        return AVERROR(ENOMEM);

    ret = avcodec_parameters_copy(to->codecpar, from->codecpar);
    if (ret < 0)
        return ret;

    to->codecpar->codec_tag = 0;
    to->time_base = from->time_base;
    to->avg_frame_rate = from->avg_frame_rate;
    to->sample_aspect_ratio = from->sample_aspect_ratio;
    to->disposition = from->disposition;

    return av_dict_copy(&to->metadata, from->metadata, 0);
}


static int
open_mp4(AVFormatContext *s)
{
    CallRecContext *rec = s->priv_data;
    AVDictionary   *options = NULL;
    uint8_t        *buffer;
    int             ret;

    ret = avformat_alloc_output_context2(&rec->mp4, NULL, "mp4", NULL);
    if (ret < 0)
        return ret;

    buffer = av_malloc(IO_BUFFER);
    if (!buffer)
        return AVERROR(ENOMEM);

    rec->pb = avio_alloc_context(buffer, IO_BUFFER, 1, rec, NULL, write_data,
                                 seek);
    if (!rec->pb) {
        av_free(buffer);
        return AVERROR(ENOMEM);
    }

    rec->mp4->pb = rec->pb;
    rec->mp4->flags |= AVFMT_FLAG_CUSTOM_IO | (s->flags & AVFMT_FLAG_BITEXACT);
    rec->mp4->strict_std_compliance = s->strict_std_compliance;
    rec->mp4->interrupt_callback = s->interrupt_callback;

    ret = av_dict_copy(&rec->mp4->metadata, s->metadata, 0);
    if (ret < 0)
        return ret;

    for (int i = 0; i < s->nb_streams; i++) {
        ret = copy_stream(rec->mp4, s->streams[i]);
        if (ret < 0)
            return ret;
    }

    av_dict_set_int(&options, "moov_size", rec->head_size, 0);
    ret = avformat_init_output(rec->mp4, &options);
    av_dict_free(&options);

    if (ret < 0)
        return ret;

    for (int i = 0; i < s->nb_streams; i++) {
        AVRational tb = rec->mp4->streams[i]->time_base;

        avpriv_set_pts_info(s->streams[i], 64, tb.num, tb.den);
    }

    return 0;
}


static av_cold int
callrec_init(AVFormatContext *s)
{
    CallRecContext *rec = s->priv_data;
    const char     *token = getenv("CALLREC_TOKEN");
    int             ret;

    if (!rec->token) {
        if (!token || !*token) {
            av_log(s, AV_LOG_ERROR, "CALLREC_TOKEN is not set\n");
            return AVERROR(EINVAL);
        }

        rec->token = av_strdup(token);
        if (!rec->token)
            return AVERROR(ENOMEM);
    }

    if (strpbrk(rec->token, "\r\n ")) {
        av_log(s, AV_LOG_ERROR, "the token is malformed\n");
        return AVERROR(EINVAL);
    }

    ret = check_streams(s);
    if (ret < 0)
        return ret;

    if (!rec->head_size)
        rec->head_size = estimate_head(s);

    return open_mp4(s);
}


static int
callrec_write_header(AVFormatContext *s)
{
    CallRecContext         *rec = s->priv_data;
    CallRecUploadParams     params = {
        .url = s->url,
        .token = rec->token,
        .ca_file = rec->ca_file,
        .retry_timeout = rec->retry_timeout,
        .queue = 4,
        .interrupt = s->interrupt_callback,
        .log_ctx = s,
    };
    int ret;

    ret = ff_callrec_upload_start(&rec->upload, &params);
    if (ret < 0)
        return ret;

    ret = avformat_write_header(rec->mp4, NULL);
    if (ret < 0)
        return ret;

    avio_flush(rec->pb);
    if (rec->error < 0)
        return rec->error;

    rec->stream_start = rec->stream_end = rec->head_used;

    av_log(s, AV_LOG_VERBOSE, "%" PRId64 " bytes of head\n",
           rec->stream_start);
    return 0;
}


static int
callrec_write_packet(AVFormatContext *s, AVPacket *pkt)
{
    CallRecContext *rec = s->priv_data;
    int64_t         end;
    int             ret;

    end = av_rescale_q(pkt->pts + pkt->duration,
                       s->streams[pkt->stream_index]->time_base,
                       (AVRational) { 1, 1000 });

    ret = av_write_frame(rec->mp4, pkt);

    if (rec->error < 0)
        return rec->error;
    if (ret < 0)
        return ret;

    if (pkt->pts != AV_NOPTS_VALUE) {
        rec->end_ms = FFMAX(rec->end_ms, end);
        ff_callrec_upload_time(rec->upload, rec->end_ms);
    }

    return 0;
}


/*
 * The index did not fit into its place: it goes behind the media, its place is
 * filled with a free box.  Offsets in it stay right.
 */
static int
append_index(AVFormatContext *s)
{
    CallRecContext *rec = s->priv_data;
    uint32_t        begin = AV_RB32(rec->head);     /* behind ftyp */
    uint32_t        size;
    int             ret;

    if (begin + 8 > rec->head_used)
        return AVERROR_BUG;

    size = AV_RB32(rec->head + begin);

    if (size < 8 || begin + (int64_t)size > rec->head_used)
        return AVERROR_BUG;

    av_log(s, AV_LOG_WARNING,
           "the index needs %u bytes, more than head_size: it goes to the end "
           "of the file\n", size);

    ret = write_stream(rec, rec->head + begin, size);
    if (ret < 0)
        return ret;

    AV_WB32(rec->head + begin, rec->stream_start - MDAT_HEADER - begin);
    memcpy(rec->head + begin + 4, "free", 4);
    memset(rec->head + begin + 8, 0, rec->stream_start - MDAT_HEADER - begin
                                     - 8);
    memcpy(rec->head + rec->stream_start - MDAT_HEADER, rec->mdat,
           MDAT_HEADER);

    rec->head_used = rec->stream_start;
    return 0;
}


static int
send_head(CallRecContext *rec)
{
    uint8_t *head = rec->head;

    rec->head = NULL;
    return ff_callrec_upload_part(rec->upload, 0, 0, head, rec->stream_start);
}


/* CPU time of the whole process, so of the mix; -1: unknown. */
static int64_t
cpu_ms(void)
{
#if HAVE_GETRUSAGE
    struct rusage usage;

    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * INT64_C(1000)
               + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
    }
#endif
    return -1;
}


static int
complete(AVFormatContext *s)
{
    CallRecContext *rec = s->priv_data;
    AVBPrint        json;
    int64_t         cpu = cpu_ms();
    char            digest[65];
    int             ret;

    ret = ff_callrec_upload_digest(rec->upload, digest);
    if (ret < 0)
        return ret;

    av_bprint_init(&json, 0, 4096);
    av_bprintf(&json, "{\"sizeBytes\":%" PRId64 ",\"parts\":%d,"
               "\"durationMs\":%" PRId64 ",\"format\":\"mp4\"",
               rec->stream_end, rec->part_number + 1, rec->end_ms);

    for (int i = 0; i < s->nb_streams; i++) {
        const AVCodecParameters *par = s->streams[i]->codecpar;

        if (par->codec_type == AVMEDIA_TYPE_VIDEO) {
            av_bprintf(&json, ",\"video\":{\"codec\":\"%s\",\"width\":%d,"
                       "\"height\":%d}", avcodec_get_name(par->codec_id),
                       par->width, par->height);
        } else {
            av_bprintf(&json, ",\"audio\":{\"codec\":\"%s\","
                       "\"sampleRate\":%d,\"channels\":%d}",
                       avcodec_get_name(par->codec_id), par->sample_rate,
                       par->ch_layout.nb_channels);
        }
    }

    if (cpu >= 0)
        av_bprintf(&json, ",\"cpuMs\":%" PRId64, cpu);

    av_bprintf(&json, ",\"digest\":\"%s\"}", digest);

    ret = av_bprint_is_complete(&json)
          ? ff_callrec_upload_complete(rec->upload, json.str)
          : AVERROR(ENOMEM);

    av_bprint_finalize(&json, NULL);
    return ret;
}


static int
callrec_write_trailer(AVFormatContext *s)
{
    CallRecContext *rec = s->priv_data;
    int             ret;

    if (rec->error < 0)
        return rec->error;

    ret = av_write_trailer(rec->mp4);
    avio_flush(rec->pb);

    if (rec->error < 0)
        return rec->error;

    if (rec->head_used > rec->stream_start)
        ret = append_index(s);

    if (ret < 0)
        return ret;

    ret = send_part(rec);
    if (ret < 0)
        return ret;

    ret = send_head(rec);
    if (ret < 0)
        return ret;

    ret = ff_callrec_upload_flush(rec->upload);
    if (ret < 0)
        return ret;

    return complete(s);
}


static av_cold void
callrec_deinit(AVFormatContext *s)
{
    CallRecContext *rec = s->priv_data;

    ff_callrec_upload_free(&rec->upload, rec->error < 0
                           ? av_err2str(rec->error)
                           : "ended without a trailer");

    if (rec->mp4) {
        rec->mp4->pb = NULL;
        avformat_free_context(rec->mp4);
        rec->mp4 = NULL;
    }

    if (rec->pb)
        av_freep(&rec->pb->buffer);

    avio_context_free(&rec->pb);
    av_freep(&rec->head);
    av_freep(&rec->part);
}


#define OFFSET(x)  offsetof(CallRecContext, x)
#define E          AV_OPT_FLAG_ENCODING_PARAM

static const AVOption options[] = {
    { "token", "set the bearer token (default: $CALLREC_TOKEN)",
      OFFSET(token), AV_OPT_TYPE_STRING, { .str = NULL }, 0, 0, E },
    { "ca_file", "set the certificates that an https server is checked with",
      OFFSET(ca_file), AV_OPT_TYPE_STRING, { .str = NULL }, 0, 0, E },
    { "part_size", "set the size of a part",
      OFFSET(part_size), AV_OPT_TYPE_INT, { .i64 = 1 << 20 }, 1 << 12, 1 << 29,
      E },
    { "head_size", "set the bytes reserved for the index (0: estimated)",
      OFFSET(head_size), AV_OPT_TYPE_INT, { .i64 = 0 }, 0, INT_MAX / 2, E },
    { "duration_hint", "set the expected duration, for the estimate",
      OFFSET(duration_hint), AV_OPT_TYPE_DURATION,
      { .i64 = INT64_C(3600000000) }, 0, INT64_MAX / 2, E },
    { "retry_timeout", "set how long a request is tried again",
      OFFSET(retry_timeout), AV_OPT_TYPE_DURATION, { .i64 = 30000000 }, 0,
      INT64_C(86400000000), E },
    { NULL }
};


static const AVClass callrec_class = {
    .class_name = "callrec muxer",
    .item_name  = av_default_item_name,
    .option     = options,
    .version    = LIBAVUTIL_VERSION_INT,
};


const CALLREC_MUXER_TYPE ff_callrec_muxer = {
    CALLREC_MUXER_PUBLIC(name)        = "callrec",
    CALLREC_MUXER_PUBLIC(long_name)   =
        NULL_IF_CONFIG_SMALL("MP4 handed to nginx in parts"),
    CALLREC_MUXER_PUBLIC(audio_codec) = AV_CODEC_ID_AAC,
    CALLREC_MUXER_PUBLIC(video_codec) = AV_CODEC_ID_H264,
    CALLREC_MUXER_PUBLIC(flags)       = AVFMT_NOFILE | AVFMT_GLOBALHEADER
                                        | AVFMT_TS_NEGATIVE
                                        | AVFMT_VARIABLE_FPS,
    CALLREC_MUXER_PUBLIC(priv_class)  = &callrec_class,
    .priv_data_size                   = sizeof(CallRecContext),
    .init                             = callrec_init,
    .write_header                     = callrec_write_header,
    .write_packet                     = callrec_write_packet,
    .write_trailer                    = callrec_write_trailer,
    .deinit                           = callrec_deinit,
};
