/*
 * Copyright (C) The call recorder authors
 *
 * Places on the canvas: pure functions.
 */

#include "libavutil/macros.h"
#include "libavutil/mathematics.h"

#include "callmix.h"


/* Tiles are as wide as most cameras' pictures, if there is room. */
#define TILE_W      16
#define TILE_H      9


/* The chroma planes have half the size: everything is even. */
static int
even(int n)
{
    return n & ~1;
}


/* A tile's size in a grid of so many columns and rows. */
static void
tile_size(int columns, int rows, int w, int h, int gap, int *tile_w,
          int *tile_h)
{
    *tile_w = (w - gap * (columns + 1)) / columns;
    *tile_h = (h - gap * (rows + 1)) / rows;

    if (*tile_w * TILE_H > *tile_h * TILE_W)
        *tile_w = *tile_h * TILE_W / TILE_H;
    else
        *tile_h = *tile_w * TILE_H / TILE_W;

    *tile_w = FFMAX(even(*tile_w), 2);
    *tile_h = FFMAX(even(*tile_h), 2);
}


void
ff_callmix_layout_grid(CallMixRect *tiles, int nb, int w, int h, int gap)
{
    int columns = 1, rows = nb, tile_w = 0, tile_h = 0;
    int x, y, tw, th, in_row;

    /* alone on the canvas: no frame around it */

    if (nb == 1)
        gap = 0;

    gap = even(gap);

    for (int c = 1; c <= nb; c++) {
        int r = (nb + c - 1) / c;

        tile_size(c, r, w, h, gap, &tw, &th);

        if (tw * th > tile_w * tile_h) {
            columns = c;
            rows = r;
            tile_w = tw;
            tile_h = th;
        }
    }

    y = (h - rows * tile_h - (rows - 1) * gap) / 2;

    for (int i = 0; i < nb; i++) {
        if (i % columns == 0) {
            in_row = FFMIN(columns, nb - i);
            x = (w - in_row * tile_w - (in_row - 1) * gap) / 2;
        }

        tiles[i].x = even(x);
        tiles[i].y = even(y);
        tiles[i].w = tile_w;
        tiles[i].h = tile_h;

        x += tile_w + gap;

        if (i % columns == columns - 1)
            y += tile_h + gap;
    }
}


CallMixRect
ff_callmix_layout_fit(const CallMixRect *tile, int w, int h, AVRational sar)
{
    CallMixRect rect = *tile;
    int64_t     shape_w = w, shape_h = h;

    if (sar.num > 0 && sar.den > 0) {
        shape_w *= sar.num;
        shape_h *= sar.den;
    }

    if (shape_w <= 0 || shape_h <= 0)
        return rect;

    if (shape_w * tile->h > shape_h * tile->w)
        rect.h = av_rescale(tile->w, shape_h, shape_w);
    else
        rect.w = av_rescale(tile->h, shape_w, shape_h);

    /* one pixel less than full is full */

    rect.w = av_clip(even(rect.w + 1), 2, tile->w);
    rect.h = av_clip(even(rect.h + 1), 2, tile->h);

    rect.x += even((tile->w - rect.w) / 2);
    rect.y += even((tile->h - rect.h) / 2);

    return rect;
}
