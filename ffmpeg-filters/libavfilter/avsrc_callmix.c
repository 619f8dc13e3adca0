/*
 * Copyright (C) The call recorder authors
 *
 * callmix: a source filter that mixes a recording's folder into one picture
 * and one sound.  docs/callmix.md has its options and rules.
 */

#include <string.h>

#include "libavutil/channel_layout.h"
#include "libavutil/error.h"
#include "libavutil/log.h"
#include "libavutil/macros.h"
#include "libavutil/mathematics.h"
#include "libavutil/mem.h"
#include "libavutil/opt.h"
#include "libavutil/pixfmt.h"

#define CALLREC_FILTER
#include "compat/callrec.h"
#include "libavfilter/audio.h"
#include "callmix.h"


#define VIDEO               0
#define AUDIO               1

#define AUDIO_FRAME         1024

/* -1 dBFS: room for what the encoder adds */
#define CEILING             0.891f

/* A source is started so long before its first media are needed. */
#define START_AHEAD         3000000

/* The picture may come so long after the first sound. */
#define PICTURE_GRACE       1000000

/* People who come within this of the beginning are there from the beginning. */
#define START_GRACE         1000000

/* An unclosed chunk's owner is gone so long after its last media. */
#define LINGER              1000000


typedef struct Member {
    const CallMixParticipant   *participant;
    CallMixSource              *source;     /* NULL: not started, or over */
    int64_t                     end;        /* of its media, once known */
    int                         started;
    int                         span;       /* the present or next one */
    int                         visible;
    int                         is_new;     /* frame was not drawn yet */
    AVFrame                    *frame;      /* the latest picture */
} Member;


typedef struct CallMixContext {
    const AVClass      *class;

    char               *dir;
    char               *manifest;
    char               *ca_file;
    int64_t             timeout;
    int64_t             retry_timeout;
    int                 w;
    int                 h;
    AVRational          rate;
    int                 sample_rate;
    int                 gap;
    uint8_t             background[4];
    uint8_t             tile_color[4];

    CallMixFolder      *folder;
    CallMixTimeline     timeline;
    Member             *members;
    int                 nb_members;
    int64_t             origin;             /* recording time of output 0 */

    CallMixVideo       *video;
    int64_t             frames;             /* sent */
    int                 eof[2];

    CallMixLimiter     *limiter;
    int64_t             samples;            /* sent */
    int64_t             mixed;              /* put into the limiter */
} CallMixContext;


#define OFFSET(x)  offsetof(CallMixContext, x)
#define V  (AV_OPT_FLAG_FILTERING_PARAM | AV_OPT_FLAG_VIDEO_PARAM)
#define A  (AV_OPT_FLAG_FILTERING_PARAM | AV_OPT_FLAG_AUDIO_PARAM)

static const AVOption callmix_options[] = {
    { "dir", "set the recording's folder, or its URL", OFFSET(dir),
      AV_OPT_TYPE_STRING, { .str = NULL }, 0, 0, V | A },
    { "manifest", "set the list of URLs of the recording's files",
      OFFSET(manifest), AV_OPT_TYPE_STRING, { .str = NULL }, 0, 0, V | A },
    { "ca_file", "set the certificates that https servers are checked with",
      OFFSET(ca_file), AV_OPT_TYPE_STRING,
      { .str = "/etc/ssl/certs/ca-certificates.crt" }, 0, 0, V | A },
    { "timeout", "set how long a server may be silent", OFFSET(timeout),
      AV_OPT_TYPE_DURATION, { .i64 = 30000000 }, 1000, INT64_C(3600000000),
      V | A },
    { "retry_timeout", "set how long a file is tried again",
      OFFSET(retry_timeout), AV_OPT_TYPE_DURATION, { .i64 = 30000000 }, 0,
      INT64_C(86400000000), V | A },
    { "size", "set the size of the picture", OFFSET(w),
      AV_OPT_TYPE_IMAGE_SIZE, { .str = "1280x720" }, 0, 0, V },
    { "s", "set the size of the picture", OFFSET(w),
      AV_OPT_TYPE_IMAGE_SIZE, { .str = "1280x720" }, 0, 0, V },
    { "rate", "set the frame rate", OFFSET(rate),
      AV_OPT_TYPE_VIDEO_RATE, { .str = "30" }, 1, 240, V },
    { "r", "set the frame rate", OFFSET(rate),
      AV_OPT_TYPE_VIDEO_RATE, { .str = "30" }, 1, 240, V },
    { "sample_rate", "set the sample rate", OFFSET(sample_rate),
      AV_OPT_TYPE_INT, { .i64 = 48000 }, 8000, 192000, A },
    { "background", "set the color of the canvas", OFFSET(background),
      AV_OPT_TYPE_COLOR, { .str = "#101418" }, 0, 0, V },
    { "tile_color", "set the color of tiles", OFFSET(tile_color),
      AV_OPT_TYPE_COLOR, { .str = "#1E242B" }, 0, 0, V },
    { "gap", "set the pixels between tiles", OFFSET(gap),
      AV_OPT_TYPE_INT, { .i64 = 8 }, 0, 256, V },
    { NULL }
};

AVFILTER_DEFINE_CLASS(callmix);


static int64_t
video_time(const CallMixContext *mix)
{
    return mix->origin + av_rescale_q(mix->frames, av_inv_q(mix->rate),
                                      AV_TIME_BASE_Q);
}


static int64_t
audio_time(const CallMixContext *mix)
{
    return mix->origin + av_rescale(mix->samples, 1000000, mix->sample_rate);
}


static int
start_sources(AVFilterContext *ctx, int64_t time)
{
    CallMixContext *mix = ctx->priv;
    Member         *m;
    int             ret;

    for (int i = 0; i < mix->nb_members; i++) {
        m = &mix->members[i];

        if (m->started || m->participant->spans[0].start > time + START_AHEAD)
            continue;

        ret = ff_callmix_source_start(&m->source, m->participant, mix->folder,
                                      mix->sample_rate, ctx);
        if (ret < 0)
            return ret;

        m->started = 1;
    }

    return 0;
}


/* What was asked of sources since is of no use when one of them failed. */
static int
check_sources(const CallMixContext *mix)
{
    int ret = 0;

    for (int i = 0; i < mix->nb_members && ret >= 0; i++) {
        if (mix->members[i].source)
            ret = ff_callmix_source_error(mix->members[i].source);
    }

    return ret;
}


/* Where somebody's media end, once that is known. */
static int64_t
member_end(Member *m)
{
    if (m->source)
        m->end = ff_callmix_source_end(m->source);

    return m->end;
}


/* The end of the output; CALLMIX_NEVER: not known yet. */
static int64_t
end_time(CallMixContext *mix)
{
    int64_t end = INT64_MIN;

    if (mix->timeline.stop != CALLMIX_NEVER)
        return mix->timeline.stop;

    for (int i = 0; i < mix->nb_members; i++)
        end = FFMAX(end, member_end(&mix->members[i]));

    return end;
}


/*
 * Output time 0 is the first picture; the first sound, if that is more than
 * PICTURE_GRACE earlier.
 */
static int
find_origin(AVFilterContext *ctx)
{
    CallMixContext    *mix = ctx->priv;
    const CallMixSpan *span;
    int64_t            first = CALLMIX_NEVER, picture = CALLMIX_NEVER, limit;
    int                ret;

    for (int i = 0; i < mix->nb_members; i++)
        first = FFMIN(first, mix->members[i].participant->spans[0].start);

    mix->origin = first;
    limit = first + PICTURE_GRACE;

    ret = start_sources(ctx, first);
    if (ret < 0)
        return ret;

    for (int i = 0; i < mix->nb_members; i++) {
        span = &mix->members[i].participant->spans[0];

        if (span->has_video && span->start <= limit) {
            picture = FFMIN(picture,
                            ff_callmix_source_next_video(mix->members[i].source,
                                                         limit));
        }
    }

    if (picture != CALLMIX_NEVER)
        mix->origin = picture;

    return check_sources(mix);
}


/* The first frame shows those who come soon, with their first picture. */
static void
show_first(CallMixContext *mix)
{
    const CallMixSpan *span;
    int64_t            limit = mix->origin + START_GRACE, next;
    Member            *m;

    for (int i = 0; i < mix->nb_members; i++) {
        m = &mix->members[i];
        span = &m->participant->spans[0];

        if (span->start > limit || mix->origin >= span->end)
            continue;

        next = CALLMIX_NEVER;

        if (!m->is_new)
            next = ff_callmix_source_next_video(m->source, limit);

        if (next != CALLMIX_NEVER)
            m->is_new = ff_callmix_source_video(m->source, next, m->frame);

        m->visible = m->is_new || !span->has_video;
    }
}


static void
hide(Member *m)
{
    m->visible = 0;
    m->is_new = 0;
    av_frame_unref(m->frame);
}


/* Whether somebody is in the picture at time; frames are taken until shown. */
static void
update_visible(CallMixContext *mix, Member *m, int64_t time, int64_t shown)
{
    const CallMixParticipant   *p = m->participant;
    const CallMixSpan          *span;

    while (m->span < p->nb_spans && time >= p->spans[m->span].end) {
        hide(m);
        m->span++;
    }

    if (m->span == p->nb_spans)
        return;

    span = &p->spans[m->span];

    if (m->span == p->nb_spans - 1 && member_end(m) != CALLMIX_NEVER
        && time >= m->end + LINGER)
    {
        hide(m);
        return;
    }

    if (shown < span->start)
        return;

    if (m->is_new || !span->has_video || time >= span->start + PICTURE_GRACE)
        m->visible = 1;
}


static int
update_layout(AVFilterContext *ctx)
{
    CallMixContext *mix = ctx->priv;
    const void    **keys;
    int             nb = 0, ret;

    keys = av_calloc(FFMAX(mix->nb_members, 1), sizeof(*keys));
    if (!keys)
        return AVERROR(ENOMEM);

    for (int i = 0; i < mix->nb_members; i++) {
        if (mix->members[i].visible)
            keys[nb++] = &mix->members[i];
    }

    ret = ff_callmix_video_layout(mix->video, keys, nb);

    av_free(keys);
    return ret;
}


/* Sources that have nothing to say any more give their memory back. */
static void
free_sources(CallMixContext *mix, int64_t time)
{
    Member *m;

    for (int i = 0; i < mix->nb_members; i++) {
        m = &mix->members[i];

        if (m->source && member_end(m) != CALLMIX_NEVER
            && time > m->end + 2 * LINGER)
        {
            ff_callmix_source_free(&m->source);
        }
    }
}


static int
send_video(AVFilterContext *ctx)
{
    CallMixContext *mix = ctx->priv;
    int64_t         time = video_time(mix), shown;
    AVFrame        *frame;
    Member         *m;
    int             changed = 0, visible, ret;

    ret = start_sources(ctx, time);
    if (ret < 0)
        return ret;

    /* the nearest picture: half a frame's time early or late at most */

    shown = time + av_rescale_q(1, av_inv_q(mix->rate), AV_TIME_BASE_Q) / 2;

    for (int i = 0; i < mix->nb_members; i++) {
        m = &mix->members[i];

        if (m->source && ff_callmix_source_video(m->source, shown, m->frame))
            m->is_new = 1;
    }

    ret = check_sources(mix);
    if (ret < 0)
        return ret;

    if (time >= end_time(mix)) {
        mix->eof[VIDEO] = 1;
        ff_outlink_set_status(ctx->outputs[VIDEO], AVERROR_EOF, mix->frames);
        return 0;
    }

    if (mix->frames == 0) {
        show_first(mix);
        changed = 1;
    }

    for (int i = 0; i < mix->nb_members; i++) {
        m = &mix->members[i];
        visible = m->visible;
        update_visible(mix, m, time, shown);
        changed |= visible != m->visible;
    }

    if (changed) {
        ret = update_layout(ctx);
        if (ret < 0)
            return ret;
    }

    for (int i = 0; i < mix->nb_members; i++) {
        m = &mix->members[i];

        if (m->visible && m->is_new) {
            ff_callmix_video_picture(mix->video, m, m->frame);
            m->is_new = 0;
        }
    }

    ret = ff_callmix_video_frame(mix->video, &frame);
    if (ret < 0)
        return ret;

    free_sources(mix, time);

    frame->pts = mix->frames++;
    return ff_filter_frame(ctx->outputs[VIDEO], frame);
}


/* nb samples more through the limiter, in place. */
static int
mix_audio(AVFilterContext *ctx, float *const data[2], int nb)
{
    CallMixContext *mix = ctx->priv;
    int64_t         pos;
    int             ret;

    pos = av_rescale(mix->origin, mix->sample_rate, 1000000) + mix->mixed;

    ret = start_sources(ctx, av_rescale(pos, 1000000, mix->sample_rate));
    if (ret < 0)
        return ret;

    memset(data[0], 0, nb * sizeof(float));
    memset(data[1], 0, nb * sizeof(float));

    for (int i = 0; i < mix->nb_members; i++) {
        if (mix->members[i].source)
            ff_callmix_source_audio(mix->members[i].source, pos, nb, data);
    }

    ff_callmix_limiter_run(mix->limiter, data, nb);
    mix->mixed += nb;

    return check_sources(mix);
}


static int
send_audio(AVFilterContext *ctx)
{
    CallMixContext *mix = ctx->priv;
    AVFilterLink   *link = ctx->outputs[AUDIO];
    AVFrame        *frame;
    int64_t         end, total = INT64_MAX;
    int             delay = ff_callmix_limiter_delay(mix->limiter), ret;

    frame = ff_get_audio_buffer(link, FFMAX(AUDIO_FRAME, delay));
    if (!frame)
        return AVERROR(ENOMEM);

    /* the limiter is ahead of what is sent */

    if (!mix->mixed) {
        ret = mix_audio(ctx, (float *const *)frame->data, delay);
        if (ret < 0)
            goto fail;
    }

    ret = mix_audio(ctx, (float *const *)frame->data, AUDIO_FRAME);
    if (ret < 0)
        goto fail;

    end = end_time(mix);
    if (end != CALLMIX_NEVER)
        total = av_rescale(end - mix->origin, mix->sample_rate, 1000000);

    if (mix->samples >= total) {
        av_frame_free(&frame);
        mix->eof[AUDIO] = 1;
        ff_outlink_set_status(link, AVERROR_EOF, mix->samples);
        return 0;
    }

    frame->nb_samples = FFMIN(AUDIO_FRAME, total - mix->samples);
    frame->pts = mix->samples;
    mix->samples += frame->nb_samples;

    return ff_filter_frame(link, frame);

fail:
    av_frame_free(&frame);
    return ret;
}


static int
activate(AVFilterContext *ctx)
{
    CallMixContext *mix = ctx->priv;
    int64_t         video = INT64_MAX, audio = INT64_MAX;
    int             wanted = 0, ret;

    for (int i = 0; i < 2; i++) {
        if (ff_outlink_get_status(ctx->outputs[i]))
            mix->eof[i] = 1;
        else
            wanted |= ff_outlink_frame_wanted(ctx->outputs[i]);
    }

    if (!wanted)
        return FFERROR_NOT_READY;

    /* in step, whichever was asked for: sources read only a little ahead */

    if (!mix->eof[VIDEO])
        video = video_time(mix);
    if (!mix->eof[AUDIO])
        audio = audio_time(mix);

    ret = video <= audio ? send_video(ctx) : send_audio(ctx);
    if (ret < 0)
        return ret;

    ff_filter_set_ready(ctx, 100);
    return 0;
}


static int
read_journal(AVFilterContext *ctx)
{
    CallMixContext *mix = ctx->priv;
    CallMixJournal *journal = NULL;
    int             ret;

    ret = ff_callmix_journal_open(&journal, mix->folder, ctx);
    if (ret < 0)
        return ret;

    ret = ff_callmix_journal_read(journal, &mix->timeline);
    ff_callmix_journal_close(&journal);

    if (ret < 0)
        return ret;

    return ff_callmix_timeline_update(&mix->timeline);
}


static int
add_members(AVFilterContext *ctx)
{
    CallMixContext     *mix = ctx->priv;
    CallMixParticipant *p;
    Member             *m;

    mix->members = av_calloc(FFMAX(mix->timeline.nb_participants, 1),
                             sizeof(*mix->members));
    if (!mix->members)
        return AVERROR(ENOMEM);

    for (int i = 0; i < mix->timeline.nb_participants; i++) {
        p = mix->timeline.participants[i];

        if (!p->nb_spans)
            continue;

        m = &mix->members[mix->nb_members++];
        m->participant = p;
        m->end = CALLMIX_NEVER;
        m->frame = av_frame_alloc();
        if (!m->frame)
            return AVERROR(ENOMEM);
    }

    if (!mix->nb_members) {
        av_log(ctx, AV_LOG_ERROR, "%s has no media\n",
               ff_callmix_folder_name(mix->folder));
        return AVERROR_INVALIDDATA;
    }

    return 0;
}


/* Not in init: ffmpeg parses a graph once more to look at its pads. */
static int
open_recording(AVFilterContext *ctx)
{
    CallMixContext     *mix = ctx->priv;
    const CallMixHttp   http = {
        .ca_file = mix->ca_file ? mix->ca_file : "",
        .timeout = mix->timeout,
        .retry_timeout = mix->retry_timeout,
        .log_ctx = ctx,
    };
    int                 ret;

    ret = ff_callmix_folder_open(&mix->folder, mix->dir, mix->manifest, &http);
    if (ret < 0)
        return ret;

    ret = read_journal(ctx);
    if (ret < 0)
        return ret;

    ret = add_members(ctx);
    if (ret < 0)
        return ret;

    ret = ff_callmix_video_alloc(&mix->video, ctx, mix->w, mix->h, mix->gap,
                                 mix->background, mix->tile_color);
    if (ret < 0)
        return ret;

    ret = ff_callmix_limiter_alloc(&mix->limiter, mix->sample_rate, CEILING);
    if (ret < 0)
        return ret;

    ret = find_origin(ctx);
    if (ret < 0)
        return ret;

    av_log(ctx, AV_LOG_VERBOSE, "%d participants, begins at %.3f s\n",
           mix->nb_members, mix->origin / 1e6);
    return 0;
}


static int
config_video(AVFilterLink *link)
{
    AVFilterContext *ctx = link->src;
    CallMixContext  *mix = ctx->priv;

    link->w = mix->w;
    link->h = mix->h;
    link->time_base = av_inv_q(mix->rate);
    link->sample_aspect_ratio = (AVRational) { 1, 1 };
    callrec_set_frame_rate(link, mix->rate);

    return mix->members ? 0 : open_recording(ctx);
}


static int
config_audio(AVFilterLink *link)
{
    const CallMixContext *mix = link->src->priv;

    link->time_base = (AVRational) { 1, mix->sample_rate };
    return 0;
}


static int
query_formats(AVFilterContext *ctx)
{
    static const int pix_fmts[] = { AV_PIX_FMT_YUV420P, -1 };
    static const int spaces[] = { AVCOL_SPC_SMPTE170M, -1 };
    static const int ranges[] = { AVCOL_RANGE_MPEG, -1 };
    static const int sample_fmts[] = { AV_SAMPLE_FMT_FLTP, -1 };

    CallMixContext          *mix = ctx->priv;
    AVFilterFormatsConfig   *cfg;
    const int                rates[] = { mix->sample_rate, -1 };
    const AVChannelLayout    layouts[] = { AV_CHANNEL_LAYOUT_STEREO, { 0 } };
    int                      ret;

    cfg = &ctx->outputs[VIDEO]->incfg;

    ret = ff_formats_ref(ff_make_format_list(pix_fmts), &cfg->formats);
    if (ret < 0)
        return ret;

    ret = callrec_ref_colors(cfg, spaces, ranges);
    if (ret < 0)
        return ret;

    cfg = &ctx->outputs[AUDIO]->incfg;

    ret = ff_formats_ref(ff_make_format_list(sample_fmts), &cfg->formats);
    if (ret < 0)
        return ret;

    ret = ff_formats_ref(ff_make_format_list(rates), &cfg->samplerates);
    if (ret < 0)
        return ret;

    return ff_channel_layouts_ref(ff_make_channel_layout_list(layouts),
                                  &cfg->channel_layouts);
}


static int
is_set(const char *option)
{
    return option && *option;
}


static av_cold int
init(AVFilterContext *ctx)
{
    CallMixContext *mix = ctx->priv;

    ff_callmix_timeline_init(&mix->timeline);

    if (!is_set(mix->dir) == !is_set(mix->manifest)) {
        av_log(ctx, AV_LOG_ERROR, "either dir or manifest is needed\n");
        return AVERROR(EINVAL);
    }

    /* one that is there but empty is not set */

    if (!is_set(mix->dir))
        av_freep(&mix->dir);

    if (mix->w < 64 || mix->h < 64 || mix->w > 8192 || mix->h > 8192
        || (mix->w & 1) || (mix->h & 1))
    {
        av_log(ctx, AV_LOG_ERROR,
               "size: even numbers from 64 to 8192 are needed\n");
        return AVERROR(EINVAL);
    }

    return 0;
}


static av_cold void
uninit(AVFilterContext *ctx)
{
    CallMixContext *mix = ctx->priv;

    for (int i = 0; i < mix->nb_members; i++) {
        ff_callmix_source_free(&mix->members[i].source);
        av_frame_free(&mix->members[i].frame);
    }

    av_freep(&mix->members);
    ff_callmix_video_free(&mix->video);
    ff_callmix_limiter_free(&mix->limiter);
    ff_callmix_timeline_uninit(&mix->timeline);
    ff_callmix_folder_close(&mix->folder);
}


static const AVFilterPad callmix_outputs[] = {
    {
        .name         = "v",
        .type         = AVMEDIA_TYPE_VIDEO,
        .config_props = config_video,
    },
    {
        .name         = "a",
        .type         = AVMEDIA_TYPE_AUDIO,
        .config_props = config_audio,
    },
};


const CALLREC_FILTER_TYPE ff_avsrc_callmix = {
    CALLREC_FILTER_PUBLIC(name)        = "callmix",
    CALLREC_FILTER_PUBLIC(description) =
        NULL_IF_CONFIG_SMALL("Mix the recording of a call."),
    CALLREC_FILTER_PUBLIC(priv_class)  = &callmix_class,
    CALLREC_FILTER_PUBLIC(flags)       = AVFILTER_FLAG_SLICE_THREADS,
    .priv_size                         = sizeof(CallMixContext),
    .init                              = init,
    .uninit                            = uninit,
    .activate                          = activate,
    FILTER_OUTPUTS(callmix_outputs),
    FILTER_QUERY_FUNC(query_formats),
};
