
/*
 * Copyright (C) The call recorder authors
 */

#include "rtp/clock_line.h"


/* After so many seconds a point counts half. */
#define HALF_S         100.0
/*
 * What the points' spread is weighed against, in s^2: measured with an error
 * of 3 ms, a drift of 100 ppm shows in points that are 30 s apart.
 */
#define DOUBT_S2       900.0
#define PPM_MAX        300.0
/* A least value that falls by more was not known before. */
#define LEARN_US       3000


void
cr_clock_line_add(cr_clock_line_t *line, int64_t x_us, int64_t y_us)
{
    double  x, y, dx, dy, keep;

    if (line->weight == 0) {
        line->x0_us = x_us;
        line->y0_us = y_us;
    }

    x = (double) (x_us - line->x0_us) / 1e6;
    y = (double) (y_us - line->y0_us);

    dx = x > line->last ? x - line->last : 0;
    keep = HALF_S / (HALF_S + dx);
    line->last = x;

    line->weight = line->weight * keep + 1;
    line->xx *= keep;
    line->xy *= keep;

    dx = x - line->x;
    dy = y - line->y;

    line->x += dx / line->weight;
    line->y += dy / line->weight;
    line->xx += dx * (x - line->x);
    line->xy += dx * (y - line->y);
}


/* Microseconds per second. */
static double
slope(const cr_clock_line_t *line)
{
    double  ppm;

    ppm = line->xy / (line->xx + DOUBT_S2);

    return ppm > PPM_MAX ? PPM_MAX : ppm < -PPM_MAX ? -PPM_MAX : ppm;
}


int64_t
cr_clock_line_at(const cr_clock_line_t *line, int64_t x_us)
{
    double  x;

    x = (double) (x_us - line->x0_us) / 1e6;

    return line->y0_us + (int64_t) (line->y + slope(line) * (x - line->x));
}


int32_t
cr_clock_line_drift(const cr_clock_line_t *line)
{
    return (int32_t) (slope(line) * 1000);
}


void
cr_clock_line_shift(cr_clock_line_t *line, int64_t y_us)
{
    line->y0_us += y_us;
}


int64_t
cr_clock_rise(int64_t elapsed_us)
{
    return elapsed_us > 0 ? elapsed_us / 1000000 * CR_CLOCK_PPM
                            + elapsed_us % 1000000 * CR_CLOCK_PPM / 1000000
                          : 0;
}


void
cr_clock_least_add(cr_clock_least_t *l, int64_t value_us, int64_t now_us)
{
    int64_t  risen, fall;

    risen = l->least_us + cr_clock_rise(now_us - l->updated_us);

    if (!l->known) {
        l->known = true;
        l->least_us = value_us;

    } else if (value_us < risen) {
        l->least_us = value_us;
        fall = cr_clock_line_at(&l->line, now_us) - value_us;

        if (fall > LEARN_US) {
            cr_clock_line_shift(&l->line, -fall);
        }

    } else {
        l->least_us = risen;
    }

    l->updated_us = now_us;
    cr_clock_line_add(&l->line, now_us, l->least_us);
}


void
cr_clock_least_shift(cr_clock_least_t *l, int64_t by_us)
{
    l->least_us += by_us;
    cr_clock_line_shift(&l->line, by_us);
}
