
/*
 * Copyright (C) The call recorder authors
 *
 * Two tracks of one sender with any timestamps, arrivals and sender reports:
 * media time never runs far from arrival without a jump, and a jump never
 * goes back.
 */


#include "base/bytes.h"
#include "rtp/clock.h"

#include <stdlib.h>


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool                jumped;
    int64_t             now, media, last[2], newest[2];
    unsigned            k;
    uint32_t            rtp[2];
    cr_clock_event_t    event;
    cr_track_clock_t    c[2];
    cr_sender_clock_t   sender;

    cr_track_clock_init(&c[0], 48000);
    cr_track_clock_init(&c[1], 90000);
    memset(&sender, 0, sizeof(sender));

    now = 1000000;
    memset(rtp, 0, sizeof(rtp));
    memset(newest, 0, sizeof(newest));

    for (k = 0; k < 2; k++) {
        last[k] = INT64_MIN;
    }

    for ( /* void */ ; size >= 8; data += 8, size -= 8) {
        k = data[0] & 1;
        now += (int64_t) data[1] << (data[0] >> 5) * 3;

        if (data[0] & 2) {
            rtp[k] = cr_get_u32(data + 4);

        } else {
            rtp[k] += cr_get_u16(data + 2);
        }

        if (data[0] & 4) {
            cr_track_clock_sr(&c[k], &sender, cr_get_u64(data), rtp[k], now);

        } else {
            media = cr_track_clock_map(&c[k], rtp[k], now, &jumped);

            if (jumped && media <= last[k]) {
                abort();
            }

            /* only what is late may be far off */
            if (!jumped && media - now > 600000000) {
                abort();
            }

            last[k] = media;
        }

        if (data[0] & 8) {
            if (cr_track_clock_event(&c[k], &sender, now, &event)
                && event.media_us != last[k])
            {
                abort();
            }
        }
    }

    for (k = 0; k < 2; k++) {
        (void) cr_track_clock_event(&c[k], &sender, INT64_MAX, &event);
    }

    return 0;
}
