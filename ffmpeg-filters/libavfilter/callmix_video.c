/*
 * Copyright (C) The call recorder authors
 *
 * Composes the picture.  A few canvases take turns: one that nobody behind
 * us holds any more is brought up to date by drawing only those tiles whose
 * picture is not the one that it shows.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libavutil/dict.h"
#include "libavutil/error.h"
#include "libavutil/frame.h"
#include "libavutil/imgutils.h"
#include "libavutil/macros.h"
#include "libavutil/mem.h"
#include "libavutil/pixfmt.h"
#include "libswscale/swscale.h"

#define CALLREC_FILTER
#include "compat/callrec.h"
#include "callmix.h"


/* Canvases kept; more that are on their way are not used again. */
#define MAX_CANVASES    16

#define ROTATION_KEY    "callmix_rotation"

/* Scalers write whole vectors. */
#define SCALED_ALIGN    64


typedef struct Scaler {
    struct SwsContext  *sws;
    int                 w;              /* what it was made for */
    int                 h;
    int                 format;
    int                 matrix;
    int                 range;
} Scaler;


typedef struct Tile {
    const void     *key;
    CallMixRect     rect;
    AVFrame        *picture;            /* the latest; empty: none yet */
    int64_t         serial;             /* of picture, 0: none */

    Scaler          scaler;
    AVFrame        *scaled;             /* picture, not turned yet */
    int64_t         scaled_serial;
    CallMixRect     fit;                /* of the turned picture */
    int             rotation;           /* degrees, clockwise */
    int             error;
} Tile;


/* What a canvas shows in a tile. */
typedef struct Painted {
    int64_t         serial;
    CallMixRect     fit;
} Painted;


typedef struct Canvas {
    AVFrame        *frame;
    Painted        *painted;
    int64_t         layout;
} Canvas;


struct CallMixVideo {
    AVFilterContext    *ctx;
    int                 w;
    int                 h;
    int                 gap;
    uint8_t             background[3];
    uint8_t             tile_color[3];

    Tile              **tiles;
    int                 nb_tiles;
    int64_t             layout;         /* counts the changes */
    int64_t             serial;         /* counts the pictures */

    Canvas              canvases[MAX_CANVASES];
    int                 nb_canvases;
    AVFrame            *last;           /* what was sent last */
    int                 changed;
};


typedef struct DrawJob {
    CallMixVideo       *video;
    Canvas             *canvas;
    int                *dirty;          /* numbers of tiles */
    int                 nb_dirty;
} DrawJob;


/* RGB to BT.601, limited range */
static void
rgb_to_yuv(uint8_t yuv[3], const uint8_t *rgb)
{
    int r = rgb[0], g = rgb[1], b = rgb[2];

    yuv[0] = (66 * r + 129 * g + 25 * b + 128 + (16 << 8)) >> 8;
    yuv[1] = (-38 * r - 74 * g + 112 * b + 128 + (128 << 8)) >> 8;
    yuv[2] = (112 * r - 94 * g - 18 * b + 128 + (128 << 8)) >> 8;
}


int
ff_callmix_video_alloc(CallMixVideo **videop, AVFilterContext *ctx, int w,
                       int h, int gap, const uint8_t background[4],
                       const uint8_t tile[4])
{
    CallMixVideo *video = av_mallocz(sizeof(*video));

    if (!video)
        return AVERROR(ENOMEM);

    video->ctx = ctx;
    video->w = w;
    video->h = h;
    video->gap = gap;
    video->changed = 1;
    rgb_to_yuv(video->background, background);
    rgb_to_yuv(video->tile_color, tile);

    *videop = video;
    return 0;
}


static void
free_tile(Tile **tilep)
{
    Tile *tile = *tilep;

    if (tile) {
        av_frame_free(&tile->picture);
        av_frame_free(&tile->scaled);
        sws_freeContext(tile->scaler.sws);
    }

    av_freep(tilep);
}


void
ff_callmix_video_free(CallMixVideo **videop)
{
    CallMixVideo *video = *videop;

    if (!video)
        return;

    for (int i = 0; i < video->nb_tiles; i++)
        free_tile(&video->tiles[i]);

    for (int i = 0; i < video->nb_canvases; i++) {
        av_frame_free(&video->canvases[i].frame);
        av_freep(&video->canvases[i].painted);
    }

    av_frame_free(&video->last);
    av_freep(&video->tiles);
    av_freep(videop);
}


static Tile *
find_tile(const CallMixVideo *video, const void *key)
{
    for (int i = 0; i < video->nb_tiles; i++) {
        if (video->tiles[i] && video->tiles[i]->key == key)
            return video->tiles[i];
    }

    return NULL;
}


static Tile *
alloc_tile(const void *key)
{
    Tile *tile = av_mallocz(sizeof(*tile));

    if (!tile)
        return NULL;

    tile->key = key;
    tile->picture = av_frame_alloc();
    if (!tile->picture)
        av_freep(&tile);

    return tile;
}


int
ff_callmix_video_layout(CallMixVideo *video, const void *const *keys, int nb)
{
    CallMixRect *rects;
    Tile       **tiles;
    Tile        *tile;

    tiles = av_calloc(FFMAX(nb, 1), sizeof(*tiles));
    rects = av_calloc(FFMAX(nb, 1), sizeof(*rects));

    if (!tiles || !rects) {
        av_free(tiles);
        av_free(rects);
        return AVERROR(ENOMEM);
    }

    ff_callmix_layout_grid(rects, nb, video->w, video->h, video->gap);

    /* those who stay keep their tile and with it the picture */

    for (int i = 0; i < nb; i++) {
        tile = find_tile(video, keys[i]);

        if (!tile) {
            tile = alloc_tile(keys[i]);

            if (!tile) {
                for (int j = 0; j < i; j++) {
                    if (!find_tile(video, keys[j]))
                        free_tile(&tiles[j]);
                }

                av_free(tiles);
                av_free(rects);
                return AVERROR(ENOMEM);
            }
        }

        tiles[i] = tile;
    }

    for (int i = 0; i < video->nb_tiles; i++) {
        int kept = 0;

        for (int j = 0; j < nb; j++)
            kept |= tiles[j] == video->tiles[i];

        if (!kept)
            free_tile(&video->tiles[i]);
    }

    for (int i = 0; i < nb; i++) {
        tiles[i]->rect = rects[i];
        tiles[i]->scaled_serial = 0;
    }

    av_free(video->tiles);
    av_free(rects);

    video->tiles = tiles;
    video->nb_tiles = nb;
    video->layout++;
    video->changed = 1;
    return 0;
}


void
ff_callmix_video_picture(CallMixVideo *video, const void *key, AVFrame *picture)
{
    Tile *tile = find_tile(video, key);

    if (tile) {
        av_frame_unref(tile->picture);
        av_frame_move_ref(tile->picture, picture);
        tile->serial = ++video->serial;
        video->changed = 1;
    }
}


static void
fill(AVFrame *frame, const CallMixRect *rect, const uint8_t yuv[3])
{
    for (int p = 0; p < 3; p++) {
        int      shift = p > 0;
        uint8_t *line = frame->data[p] + (rect->x >> shift)
                        + (ptrdiff_t)(rect->y >> shift) * frame->linesize[p];

        for (int y = 0; y < rect->h >> shift; y++) {
            memset(line, yuv[p], rect->w >> shift);
            line += frame->linesize[p];
        }
    }
}


int
ff_callmix_video_set_rotation(AVPacket *pkt, int degrees)
{
    char     value[16];
    uint8_t *data;
    size_t   size;

    /* decoders hand it on as the frame's metadata */

    snprintf(value, sizeof(value), "%d", degrees);
    size = sizeof(ROTATION_KEY) + strlen(value) + 1;

    data = av_packet_new_side_data(pkt, AV_PKT_DATA_STRINGS_METADATA, size);
    if (!data)
        return AVERROR(ENOMEM);

    memcpy(data, ROTATION_KEY, sizeof(ROTATION_KEY));
    memcpy(data + sizeof(ROTATION_KEY), value, strlen(value) + 1);
    return 0;
}


static int
get_rotation(const AVFrame *picture)
{
    const AVDictionaryEntry *entry;

    entry = av_dict_get(picture->metadata, ROTATION_KEY, NULL, 0);
    return entry ? atoi(entry->value) : 0;
}


/*
 * A scaler from the picture's size, format and colours to w x h: the tile's
 * size before it is turned.
 */
static int
open_scaler(Tile *tile, int w, int h)
{
    const AVFrame  *in = tile->picture;
    Scaler         *scaler = &tile->scaler;
    int             format = in->format, range, matrix, flags, ret;

    matrix = in->colorspace == AVCOL_SPC_BT709 ? SWS_CS_ITU709 : SWS_CS_ITU601;
    range = in->color_range == AVCOL_RANGE_JPEG
            || format == AV_PIX_FMT_YUVJ420P;

    if (format == AV_PIX_FMT_YUVJ420P)
        format = AV_PIX_FMT_YUV420P;

    if (scaler->sws && tile->scaled && tile->scaled->width == w
        && tile->scaled->height == h && scaler->w == in->width
        && scaler->h == in->height && scaler->format == format
        && scaler->matrix == matrix && scaler->range == range)
    {
        return 0;
    }

    sws_freeContext(scaler->sws);
    av_frame_free(&tile->scaled);

    /* averaging is clean and fast downwards, and blocky upwards */

    flags = w <= in->width && h <= in->height
            ? SWS_AREA : SWS_BICUBIC;

    scaler->sws = sws_getContext(in->width, in->height, format, w, h,
                                 AV_PIX_FMT_YUV420P, flags, NULL, NULL, NULL);
    if (!scaler->sws)
        return AVERROR(EINVAL);

    ret = sws_setColorspaceDetails(scaler->sws, sws_getCoefficients(matrix),
                                   range, sws_getCoefficients(SWS_CS_ITU601),
                                   0, 0, 1 << 16, 1 << 16);
    if (ret < 0)
        return AVERROR(EINVAL);

    tile->scaled = av_frame_alloc();
    if (!tile->scaled)
        return AVERROR(ENOMEM);

    tile->scaled->format = AV_PIX_FMT_YUV420P;
    tile->scaled->width = FFALIGN(w, SCALED_ALIGN);
    tile->scaled->height = h;

    ret = av_frame_get_buffer(tile->scaled, 0);
    if (ret < 0) {
        av_frame_free(&tile->scaled);
        return ret;
    }

    tile->scaled->width = w;

    scaler->w = in->width;
    scaler->h = in->height;
    scaler->format = format;
    scaler->matrix = matrix;
    scaler->range = range;
    return 0;
}


static int
scale(Tile *tile)
{
    const AVFrame *in = tile->picture;
    AVRational     sar = in->sample_aspect_ratio;
    int            ret;

    tile->rotation = get_rotation(in);

    if (tile->rotation % 180) {
        tile->fit = ff_callmix_layout_fit(&tile->rect, in->height, in->width,
                                          av_make_q(sar.den, sar.num));
        ret = open_scaler(tile, tile->fit.h, tile->fit.w);

    } else {
        tile->fit = ff_callmix_layout_fit(&tile->rect, in->width, in->height,
                                          sar);
        ret = open_scaler(tile, tile->fit.w, tile->fit.h);
    }

    if (ret < 0)
        return ret;

    ret = sws_scale(tile->scaler.sws, (const uint8_t *const *)in->data,
                    in->linesize, 0, in->height, tile->scaled->data,
                    tile->scaled->linesize);

    return ret < 0 ? ret : 0;
}


/* Copies a plane of w x h to where it belongs when it is turned. */
static void
turn_plane(uint8_t *dst, int dst_linesize, const uint8_t *src,
           int src_linesize, int w, int h, int rotation)
{
    ptrdiff_t right, down;              /* in dst, for steps in src */

    switch (rotation) {
    case 90:
        dst += h - 1;
        right = dst_linesize;
        down = -1;
        break;

    case 180:
        dst += (ptrdiff_t)(h - 1) * dst_linesize + w - 1;
        right = -1;
        down = -dst_linesize;
        break;

    default: /* 270 */
        dst += (ptrdiff_t)(w - 1) * dst_linesize;
        right = -dst_linesize;
        down = 1;
        break;
    }

    for (int y = 0; y < h; y++) {
        for (int x = 0; x < w; x++)
            dst[x * right] = src[x];

        dst += down;
        src += src_linesize;
    }
}


static void
draw_tile(CallMixVideo *video, Canvas *canvas, int number)
{
    const CallMixRect  *fit;
    Painted            *painted = &canvas->painted[number];
    AVFrame            *frame = canvas->frame, *scaled;
    Tile               *tile = video->tiles[number];
    uint8_t            *to;
    int                 shift;

    if (tile->scaled_serial != tile->serial) {
        tile->error = scale(tile);
        tile->scaled_serial = tile->serial;
    }

    painted->serial = tile->serial;

    if (tile->error < 0)
        return;

    fit = &tile->fit;
    scaled = tile->scaled;

    if (memcmp(fit, &painted->fit, sizeof(*fit))) {
        fill(frame, &tile->rect, video->tile_color);
        painted->fit = *fit;
    }

    for (int p = 0; p < 3; p++) {
        shift = p > 0;

        to = frame->data[p] + (fit->x >> shift)
             + (ptrdiff_t)(fit->y >> shift) * frame->linesize[p];

        if (tile->rotation) {
            turn_plane(to, frame->linesize[p], scaled->data[p],
                       scaled->linesize[p], scaled->width >> shift,
                       scaled->height >> shift, tile->rotation);

        } else {
            av_image_copy_plane(to, frame->linesize[p], scaled->data[p],
                                scaled->linesize[p], fit->w >> shift,
                                fit->h >> shift);
        }
    }
}


static int
draw_job(AVFilterContext *ctx, void *arg, int number, int nb_jobs)
{
    DrawJob *job = arg;

    for (int i = number; i < job->nb_dirty; i += nb_jobs)
        draw_tile(job->video, job->canvas, job->dirty[i]);

    return 0;
}


/* A canvas that nobody else holds. */
static Canvas *
free_canvas(CallMixVideo *video)
{
    Canvas  *canvas;
    AVFrame *frame;

    for (int i = 0; i < video->nb_canvases; i++) {
        if (av_frame_is_writable(video->canvases[i].frame))
            return &video->canvases[i];
    }

    frame = av_frame_alloc();
    if (!frame)
        return NULL;

    frame->format = AV_PIX_FMT_YUV420P;
    frame->width = video->w;
    frame->height = video->h;
    frame->sample_aspect_ratio = (AVRational) { 1, 1 };
    frame->color_range = AVCOL_RANGE_MPEG;
    frame->colorspace = AVCOL_SPC_SMPTE170M;
    frame->color_primaries = AVCOL_PRI_BT709;
    frame->color_trc = AVCOL_TRC_BT709;
    frame->chroma_location = AVCHROMA_LOC_LEFT;

    if (av_frame_get_buffer(frame, 0) < 0) {
        av_frame_free(&frame);
        return NULL;
    }

    /* all are on their way: the oldest one is let go */

    if (video->nb_canvases == MAX_CANVASES) {
        av_frame_free(&video->canvases[0].frame);
        av_freep(&video->canvases[0].painted);
        memmove(&video->canvases[0], &video->canvases[1],
                (MAX_CANVASES - 1) * sizeof(*canvas));
        video->nb_canvases--;
    }

    canvas = &video->canvases[video->nb_canvases++];
    canvas->frame = frame;
    canvas->painted = NULL;
    canvas->layout = -1;
    return canvas;
}


/* The background and empty tiles of the present layout. */
static int
paint_layout(CallMixVideo *video, Canvas *canvas)
{
    CallMixRect all = { 0, 0, video->w, video->h };

    av_freep(&canvas->painted);
    canvas->painted = av_calloc(FFMAX(video->nb_tiles, 1),
                                sizeof(*canvas->painted));
    if (!canvas->painted)
        return AVERROR(ENOMEM);

    fill(canvas->frame, &all, video->background);

    for (int i = 0; i < video->nb_tiles; i++)
        fill(canvas->frame, &video->tiles[i]->rect, video->tile_color);

    canvas->layout = video->layout;
    return 0;
}


static int
draw(CallMixVideo *video)
{
    DrawJob     job = { .video = video };
    int         ret;

    av_frame_free(&video->last);

    job.canvas = free_canvas(video);
    job.dirty = av_calloc(FFMAX(video->nb_tiles, 1), sizeof(*job.dirty));

    if (!job.canvas || !job.dirty) {
        av_free(job.dirty);
        return AVERROR(ENOMEM);
    }

    if (job.canvas->layout != video->layout) {
        ret = paint_layout(video, job.canvas);
        if (ret < 0) {
            av_free(job.dirty);
            return ret;
        }
    }

    for (int i = 0; i < video->nb_tiles; i++) {
        if (video->tiles[i]->serial != job.canvas->painted[i].serial)
            job.dirty[job.nb_dirty++] = i;
    }

    if (job.nb_dirty) {
        ff_filter_execute(video->ctx, draw_job, &job, NULL,
                          FFMIN(job.nb_dirty,
                                ff_filter_get_nb_threads(video->ctx)));
    }

    av_free(job.dirty);

    video->last = av_frame_clone(job.canvas->frame);
    return video->last ? 0 : AVERROR(ENOMEM);
}


int
ff_callmix_video_frame(CallMixVideo *video, AVFrame **frame)
{
    int ret;

    if (video->changed) {
        ret = draw(video);
        if (ret < 0)
            return ret;

        video->changed = 0;
    }

    *frame = av_frame_clone(video->last);
    return *frame ? 0 : AVERROR(ENOMEM);
}
