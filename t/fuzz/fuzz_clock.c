
/*
 * Copyright (C) The call recorder authors
 *
 * Two tracks of one sender with any timestamps, arrivals, sender reports and
 * capture times: media time never runs far from arrival without a jump, a
 * jump never goes back, and events come to an end.
 */


#include "base/bytes.h"
#include "rtp/clock.h"
#include "fuzz.h"


static void
tell(cr_track_clock_t *c, const cr_sender_clock_t *sender, int64_t now,
    int64_t newest)
{
    unsigned          n;
    cr_clock_event_t  event;

    for (n = 0; cr_track_clock_event(c, sender, now, &event); n++) {

        /* of the future nothing is known, but for a frame's millisecond */
        if (n > CR_CLOCK_PENDING || event.media_us > newest + 1000
            || event.drift_ppb > 600000 || event.drift_ppb < -600000)
        {
            abort();
        }
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool                jumped;
    int64_t             now, media, last[2], newest[2];
    unsigned            k;
    uint32_t            rtp[2];
    cr_slice_t          value;
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

        if ((data[0] & 20) == 20) {
            value.data = data;
            value.len = size < 24 ? size : data[3] % 24;
            cr_track_clock_capture(&c[k], &sender, &value, rtp[k], now);

        } else if (data[0] & 4) {
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
            newest[k] = media > newest[k] ? media : newest[k];
        }

        if (data[0] & 8) {
            tell(&c[k], &sender, now, newest[k]);
        }
    }

    for (k = 0; k < 2; k++) {
        tell(&c[k], &sender, INT64_MAX, newest[k]);
    }

    return 0;
}
