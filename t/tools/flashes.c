
/*
 * Copyright (C) The call recorder authors
 *
 * When places of a picture become bright and tones begin:
 *
 *     flashes WIDTHxHEIGHT FPS X,Y ... < frames in yuv420p
 *     flashes tones HZ ... < samples, 48000 Hz, mono, f32le
 *
 * A line for each: the place's or the tone's number, counted from 0, and the
 * time in microseconds.  Tones are multiples of 100 Hz, so that each is
 * heard for itself.  At the end "length" and how long it was.
 */


#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define PLACES       64
#define RATE         48000
#define WINDOW       480            /* samples: one period of 100 Hz */
#define LOUD         0.04           /* half of the tones' level */
#define BRIGHT       128
#define APART_US     300000


static unsigned   nplaces;
static long long  last_us[PLACES];
static bool       on[PLACES];


static void
die(const char *what)
{
    fprintf(stderr, "flashes: %s\n", what);
    exit(1);
}


static void
see(unsigned i, bool now, long long us)
{
    if (now && !on[i] && us - last_us[i] > APART_US) {
        printf("%u %lld\n", i, us);
    }

    if (now) {
        last_us[i] = us;
    }

    on[i] = now;
}


static void
pictures(unsigned w, unsigned h, double fps, const size_t *places)
{
    size_t          size;
    unsigned        i;
    long long       n;
    unsigned char  *frame;

    size = (size_t) w * h * 3 / 2;
    frame = malloc(size);

    if (frame == NULL) {
        die("no memory");
    }

    for (n = 0; fread(frame, 1, size, stdin) == size; n++) {
        for (i = 0; i < nplaces; i++) {
            see(i, frame[places[i]] > BRIGHT, llround(n * 1e6 / fps));
        }
    }

    printf("length %lld\n", llround(n * 1e6 / fps));
    free(frame);
}


static void
tones(const unsigned *hz)
{
    float         x[WINDOW], y, delta;
    double        level;
    unsigned      i, at;
    long long     n;

    static double  re[PLACES], im[PLACES];
    static double  wave[PLACES][WINDOW][2];

    for (i = 0; i < nplaces; i++) {
        for (at = 0; at < WINDOW; at++) {
            wave[i][at][0] = cos(2 * M_PI * hz[i] * at / RATE);
            wave[i][at][1] = sin(2 * M_PI * hz[i] * at / RATE);
        }
    }

    memset(x, 0, sizeof(x));

    for (n = 0; fread(&y, sizeof(y), 1, stdin) == 1; n++) {
        at = (unsigned) (n % WINDOW);
        delta = y - x[at];
        x[at] = y;

        for (i = 0; i < nplaces; i++) {
            re[i] += delta * wave[i][at][0];
            im[i] += delta * wave[i][at][1];

            if (at % 8 == 0) {
                level = 2.0 / WINDOW * sqrt(re[i] * re[i] + im[i] * im[i]);

                /* half of the window is full */
                see(i, level > LOUD, (n - WINDOW / 2) * 1000000 / RATE);
            }
        }
    }

    printf("length %lld\n", n * 1000000 / RATE);
}


int
main(int argc, char **argv)
{
    int       i;
    size_t    places[PLACES];
    unsigned  w, h, x, y, hz[PLACES];

    if (argc < 3 || argc - 2 > PLACES) {
        die("usage: flashes WIDTHxHEIGHT FPS X,Y ... | flashes tones HZ ...");
    }

    for (i = 0; i < PLACES; i++) {
        last_us[i] = -APART_US - 1;
    }

    if (strcmp(argv[1], "tones") == 0) {
        for (i = 2; i < argc; i++) {
            hz[nplaces++] = (unsigned) atoi(argv[i]);
        }

        tones(hz);
        return 0;
    }

    if (sscanf(argv[1], "%ux%u", &w, &h) != 2) {
        die("no size");
    }

    for (i = 3; i < argc; i++) {
        if (sscanf(argv[i], "%u,%u", &x, &y) != 2 || x >= w || y >= h) {
            die("a place is not in the picture");
        }

        places[nplaces++] = (size_t) y * w + x;
    }

    pictures(w, h, atof(argv[2]), places);

    return 0;
}
