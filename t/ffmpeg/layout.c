/*
 * Copyright (C) The call recorder authors
 *
 * Grids of 1 to 49 people on several canvases: what must hold for each of
 * them.  Prints TAP; built and run by layout.t.
 */

#include <stdio.h>
#include <string.h>

#include "libavfilter/callmix.h"


#define MAX_TILES   49


static const struct {
    int     w;
    int     h;
    int     gap;
} canvases[] = {
    { 1280, 720, 8 }, { 1920, 1080, 12 }, { 640, 360, 0 }, { 640, 480, 7 },
    { 720, 1280, 8 }, { 1000, 200, 4 }, { 64, 64, 256 },
};

static int  tests;


static void
ok(int right, const char *what, int w, int h)
{
    printf("%sok %d - %s (%dx%d)\n", right ? "" : "not ", ++tests, what, w, h);
}


static int
inside(const CallMixRect *r, int w, int h)
{
    return r->w >= 2 && r->h >= 2 && r->x >= 0 && r->y >= 0
           && r->x + r->w <= w && r->y + r->h <= h;
}


static int
even(const CallMixRect *r)
{
    return !((r->x | r->y | r->w | r->h) & 1);
}


static int
apart(const CallMixRect *a, const CallMixRect *b)
{
    return a->x + a->w <= b->x || b->x + b->w <= a->x
           || a->y + a->h <= b->y || b->y + b->h <= a->y;
}


static void
check_canvas(int w, int h, int gap)
{
    CallMixRect     tiles[MAX_TILES];
    int             is_inside = 1, is_even = 1, is_apart = 1, is_equal = 1;
    int             is_centred = 1, grows = 0, area, before = w * h + 1;

    for (int nb = 1; nb <= MAX_TILES; nb++) {
        const CallMixRect *last = &tiles[nb - 1], *first = last;

        ff_callmix_layout_grid(tiles, nb, w, h, gap);

        for (int i = 0; i < nb; i++) {
            is_inside &= inside(&tiles[i], w, h);
            is_even &= even(&tiles[i]);
            is_equal &= tiles[i].w == tiles[0].w && tiles[i].h == tiles[0].h;

            if (tiles[i].y == last->y && tiles[i].x < first->x)
                first = &tiles[i];

            for (int j = 0; j < i; j++)
                is_apart &= apart(&tiles[i], &tiles[j]);
        }

        is_centred &= first->x - (w - last->x - last->w) <= 2
                      && first->x - (w - last->x - last->w) >= -2;

        area = tiles[0].w * tiles[0].h;
        grows |= area > before;
        before = area;
    }

    if (gap < w / 8)
        ok(is_inside && is_apart, "tiles are inside and do not overlap", w, h);

    ok(is_even, "even positions and sizes", w, h);
    ok(is_equal, "all tiles are alike", w, h);
    ok(is_centred, "the last row is centred", w, h);
    ok(!grows, "more people never make larger tiles", w, h);
}


static void
check_fit(int w, int h, int num, int den, int x, int y, int fit_w, int fit_h)
{
    CallMixRect tile = { 100, 50, 640, 360 }, fit;

    fit = ff_callmix_layout_fit(&tile, w, h, (AVRational) { num, den });

    ok(fit.x == x && fit.y == y && fit.w == fit_w && fit.h == fit_h,
       "a picture is fitted and centred", w, h);
}


int
main(void)
{
    for (int i = 0; i < (int)(sizeof(canvases) / sizeof(*canvases)); i++)
        check_canvas(canvases[i].w, canvases[i].h, canvases[i].gap);

    check_fit(1280, 720, 1, 1, 100, 50, 640, 360);
    check_fit(640, 480, 1, 1, 180, 50, 480, 360);
    check_fit(360, 640, 0, 1, 318, 50, 204, 360);
    check_fit(1280, 360, 0, 0, 100, 140, 640, 180);
    check_fit(320, 360, 2, 1, 100, 50, 640, 360);
    check_fit(1000000, 1, 1, 1, 100, 228, 640, 2);
    check_fit(0, 0, 1, 1, 100, 50, 640, 360);

    printf("1..%d\n", tests);
    return 0;
}
