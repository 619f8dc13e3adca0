
/*
 * Copyright (C) The call recorder authors
 *
 * A value that drifts, from what was measured of it: a straight line through
 * the points of the last minutes, and the least of what is only ever too
 * large.
 */

#ifndef CR_RTP_CLOCK_LINE_H
#define CR_RTP_CLOCK_LINE_H


#include <stdbool.h>
#include <stdint.h>


#define CR_CLOCK_PPM  150          /* the most that two clocks are apart */


/* Least squares; older points count less.  Zeroed to begin with. */
typedef struct {
    double   weight;
    double   x, y;                 /* means: seconds, microseconds */
    double   xx, xy;
    double   last;                 /* x of the last point */
    int64_t  x0_us;
    int64_t  y0_us;
} cr_clock_line_t;


/*
 * Measurements of which each is at most too large (delays on top of the
 * least one).  Zeroed to begin with.
 */
typedef struct {
    bool             known;
    int64_t          least_us;     /* let rise by what clocks drift */
    int64_t          updated_us;
    cr_clock_line_t  line;         /* through the least, over time */
} cr_clock_least_t;


void cr_clock_line_add(cr_clock_line_t *line, int64_t x_us, int64_t y_us);
/* The line's value; 0 when it has no point. */
int64_t cr_clock_line_at(const cr_clock_line_t *line, int64_t x_us);
/* Its slope in 1e-9, 0 until points of some seconds agree. */
int32_t cr_clock_line_drift(const cr_clock_line_t *line);
/* The value is another one from now on, as were the points before. */
void cr_clock_line_shift(cr_clock_line_t *line, int64_t y_us);

void cr_clock_least_add(cr_clock_least_t *l, int64_t value_us,
    int64_t now_us);
void cr_clock_least_shift(cr_clock_least_t *l, int64_t by_us);

/* What a minimum that was seen `elapsed` ago may have risen by. */
int64_t cr_clock_rise(int64_t elapsed_us);


#endif /* CR_RTP_CLOCK_LINE_H */
