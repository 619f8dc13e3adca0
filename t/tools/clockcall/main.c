
/*
 * Copyright (C) The call recorder authors
 *
 *     clockcall SECONDS FOLDER VIDEO.ivf SOUND.ogg ...
 *
 * writes the folder of a call of so many seconds, in simulated time.  The
 * content is repeated, each participant has a sound of its own; a flash and
 * a beep of it begin half a second after each full second.  On the standard
 * output a line for each of them: participant, "flash" or "beep", and when
 * it was captured, in microseconds since the recording began.
 */

#include "call.h"
#include "../../heap.h"


#define MS(n)       ((int64_t) (n) * 1000)
#define S(n)        ((int64_t) (n) * 1000000)
#define CHUNK_US    S(5)


static const scenario_t  scenarios[] = {
    { .id = "fast", .ppm = { 100, 100 }, .delay_us = MS(20) },
    { .id = "slow", .ppm = { -100, -100 }, .ntp_ppm = 100,
      .delay_us = MS(20), .joins_us = MS(37) },
    { .id = "apart", .ppm = { 100, -100 }, .ntp_ppm = -50,
      .delay_us = MS(25), .joins_us = MS(411) },
    { .id = "silent", .ppm = { -100, 100 }, .no_reports = true,
      .delay_us = MS(20), .joins_us = MS(123) },
    { .id = "queued", .ppm = { 100, -100 }, .ntp_ppm = 30,
      .delay_us = MS(20), .queue_us = MS(300), .loss = 50, .reorder = 50,
      .joins_us = MS(250) },
    { .id = "stamped", .ppm = { -80, 100 }, .ntp_ppm = 100,
      .capture_time = true, .delay_us = MS(30), .joins_us = MS(301) },
    { .id = "stepped", .ppm = { 20, -60 }, .delay_us = MS(20),
      .step_at_us = S(130), .step_us = MS(200), .joins_us = MS(77),
      .mute_at_us = S(200), .mute_us = S(45), .stall_at_us = S(330),
      .stall_us = MS(400) },
    { .id = "moved", .ppm = { -40, 70 }, .ntp_ppm = -100,
      .delay_us = MS(20), .joins_us = MS(190), .pause_at_us = S(100),
      .pause_us = S(20), .switch_at_us = S(300) },
    { .id = "late", .ppm = { 100, 100 }, .ntp_ppm = -100,
      .delay_us = MS(20), .joins_us = S(120) },
};


static void
call_random(void *ctx, uint8_t *p, size_t len)
{
    while (len-- != 0) {
        *p++ = (uint8_t) network_random(ctx, 256);
    }
}


static void
call_journal(const cr_env_t *env, FILE *out, int64_t stop_ms)
{
    int64_t              now_us = CALL_START_US;
    folder_t             f = { .env = env, .journal = out,
                               .now_us = &now_us };
    cr_journal_record_t  rec;

    memset(&rec, 0, sizeof(rec));
    rec.at_ms = 1700000000000;

    if (stop_ms == 0) {
        rec.ev = CR_JOURNAL_START;
        rec.start.v = CR_JOURNAL_VERSION;
        strcpy(rec.start.recording_id, "rec_clock");
        strcpy(rec.start.call_id, "clock");
        strcpy(rec.start.mode, "av");
        strcpy(rec.start.layout, "grid");
        rec.start.chunk_ms = CHUNK_US / 1000;
        rec.start.created_at = rec.at_ms;

    } else {
        rec.ev = CR_JOURNAL_STOP;
        rec.t_ms = stop_ms;
        rec.at_ms += stop_ms;
        strcpy(rec.stop.end_reason, "stopped");
        rec.stop.stopped_ms = stop_ms;
    }

    folder_write(&f, &rec);
}


int
main(int argc, char **argv)
{
    char               path[512];
    FILE              *journal;
    size_t             i;
    int64_t            end_us;
    media_t            media[2];
    sender_t           p;
    cr_dtls_cert_t    *certs[2];
    const cr_env_t     env = { heap_alloc, heap_free, call_random, NULL };

    if (argc != 4 + (int) (sizeof(scenarios) / sizeof(scenarios[0]))) {
        sender_die("usage: clockcall SECONDS FOLDER VIDEO.ivf SOUND.ogg ...");
    }

    memset(media, 0, sizeof(media));
    end_us = S(atoi(argv[1]));

    if (media_open(&media[VIDEO], argv[3], 0) != NULL
        || cr_srtp_library_init() != CR_OK)
    {
        sender_die("cannot begin");
    }

    certs[0] = cr_dtls_cert_create(1700000000);
    certs[1] = cr_dtls_cert_create(1700000000);

    snprintf(path, sizeof(path), "%s/journal.ndjson", argv[2]);
    journal = fopen(path, "w");

    if (certs[0] == NULL || certs[1] == NULL || journal == NULL) {
        sender_die("cannot begin");
    }

    call_journal(&env, journal, 0);

    for (i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
        if (scenarios[i].joins_us >= end_us) {
            continue;
        }

        if (media_open(&media[AUDIO], argv[4 + i], 0) != NULL) {
            sender_die("cannot read the sound");
        }

        /* without the encoder's flush at the end */
        media[AUDIO].nframes = media[AUDIO].nframes / 50 * 50;

        memset(&p, 0, sizeof(p));
        p.s = &scenarios[i];
        p.net.random = i + 1;
        p.env = env;
        p.env.ctx = &p.net;
        p.end_us = CALL_START_US + end_us;
        p.cert = certs[0];
        p.peer_cert = certs[1];
        p.media = media;
        p.truth = stdout;
        p.now_us = CALL_START_US + p.s->joins_us;

        folder_open(&p.folder, p.s, argv[2], &env, &p.now_us,
                    (cr_media_params_t[]) {
                        { .kind = CR_KIND_AUDIO, .codec = CR_CODEC_OPUS,
                          .clock_rate = 48000, .channels = 2 },
                        { .kind = CR_KIND_VIDEO, .codec = CR_CODEC_VP8,
                          .clock_rate = 90000 } },
                    2, journal, CHUNK_US);
        sender_run(&p);
        media_close(&media[AUDIO]);
        memset(&media[AUDIO], 0, sizeof(media_t));
    }

    call_journal(&env, journal, end_us / 1000);

    if (fclose(journal) != 0) {
        sender_die("cannot write the journal");
    }

    media_close(&media[VIDEO]);
    cr_dtls_cert_destroy(certs[0]);
    cr_dtls_cert_destroy(certs[1]);

    return 0;
}
