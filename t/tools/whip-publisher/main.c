
/*
 * Copyright (C) The call recorder authors
 *
 * Publishes files by WHIP until the duration is over or a signal comes
 * (SIGTERM, SIGINT).  Reports in lines of JSON: one when it is connected, one
 * at the end.  Exit status: 0 published, 1 could not (the reason is on
 * standard error), 2 wrong usage, 3 the server closed before the end.
 */

#include <getopt.h>
#include <signal.h>
#include <time.h>

#include "log.h"


#define CONNECT_US  15000000


static const char  usage[] =
    "usage: whip-publisher --url URL [options]\n"
    "  --token T            Authorization: Bearer T\n"
    "  --video FILE         IVF with VP8, or H.264 in Annex B (--fps N)\n"
    "  --audio FILE         Opus in Ogg, packets of 20 ms\n"
    "  --duration S         seconds, 10\n"
    "  --setup WHAT         actpass, active or passive\n"
    "  --srtp-profile NAME  gcm128, gcm256 or cm\n"
    "  --dtls-mtu N         datagrams of the handshake\n"
    "  --loss PCT --seed N  own packets that are not sent\n"
    "  --migrate S          another address after so many seconds\n"
    "  --tcp                to a TCP candidate\n"
    "  --to-tcp             the address of --migrate is one\n"
    "  --split N            bytes of a write to it, at most\n"
    "  --ipv6               to an IPv6 candidate\n"
    "  --via HOST:PORT      instead of the candidate\n"
    "  --log FILE           a line for each frame\n"
    "  --linger S           answer NACKs so long after the last frame\n"
    "  --audio-nack         of sound, too\n"
    "  --audio-repeat       likewise, though not offered, as browsers do\n"
    "  --client WHO         obs or ffmpeg: their offer and their habits\n"
    "  --payload N          bytes of a packet's payload, at most\n"
    "  --audio-level N      of each packet of sound (RFC 6464's byte)\n"
    "  --layer FILE         another layer of the video, as often as three\n"
    "  --by-ssrc            layers by a=ssrc-group:SIM\n"
    "  --off FROM:TO        the last layer is off, seconds\n"
    "  --turn N             a quarter turn after each N frames\n"
    "  --drop N             the Nth packet of video is not sent at first\n"
    "  --repeat-late N      packets that a repetition is late\n"
    "  --no-rtx             repeat on the media SSRC\n"
    "  --single-nal         H.264 in packetization mode 0; slices must fit\n"
    "  --bye                leave by BYE and close_notify, not by DELETE\n"
    "  --no-delete          leave without a word\n"
    "  --wrong-fingerprint  in the offer\n"
    "  --replay             everything twice, and old packets\n"
    "  --garbage            what is no packet, too\n"
    "  --verbose            SDP to standard error\n";


static volatile sig_atomic_t  stopped;


static void
on_signal(int sig)
{
    (void) sig;

    stopped = 1;
}


static bool
options_profile(options_t *o, const char *name)
{
    o->profile = strcmp(name, "gcm128") == 0 ? CR_SRTP_AEAD_AES_128_GCM
                 : strcmp(name, "gcm256") == 0 ? CR_SRTP_AEAD_AES_256_GCM
                 : strcmp(name, "cm") == 0 ? CR_SRTP_AES128_CM_HMAC_SHA1_80
                 : 0;

    return o->profile != 0;
}


static bool
options_client(options_t *o, const char *name)
{
    if (strcmp(name, "obs") == 0) {
        o->client = CLIENT_OBS;
        o->no_rtx = true;

    } else if (strcmp(name, "ffmpeg") == 0) {
        o->client = CLIENT_FFMPEG;
        o->setup = "passive";

    } else {
        return false;
    }

    o->profile = CR_SRTP_AES128_CM_HMAC_SHA1_80;

    return true;
}


static bool
options_parse(options_t *o, int argc, char **argv)
{
    int  c;

    static const struct option  list[] = {
        { "url", required_argument, NULL, 'u' },
        { "token", required_argument, NULL, 't' },
        { "video", required_argument, NULL, 'v' },
        { "audio", required_argument, NULL, 'a' },
        { "fps", required_argument, NULL, 'f' },
        { "duration", required_argument, NULL, 'd' },
        { "setup", required_argument, NULL, 's' },
        { "srtp-profile", required_argument, NULL, 'p' },
        { "dtls-mtu", required_argument, NULL, 'm' },
        { "loss", required_argument, NULL, 'l' },
        { "seed", required_argument, NULL, 'S' },
        { "migrate", required_argument, NULL, 'M' },
        { "client", required_argument, NULL, 'C' },
        { "payload", required_argument, NULL, 'y' },
        { "audio-level", required_argument, NULL, 'e' },
        { "layer", required_argument, NULL, 'E' },
        { "by-ssrc", no_argument, NULL, 'X' },
        { "off", required_argument, NULL, 'F' },
        { "turn", required_argument, NULL, 'T' },
        { "drop", required_argument, NULL, 'o' },
        { "repeat-late", required_argument, NULL, 'r' },
        { "tcp", no_argument, NULL, 'c' },
        { "to-tcp", no_argument, NULL, 'O' },
        { "split", required_argument, NULL, 'x' },
        { "ipv6", no_argument, NULL, '6' },
        { "via", required_argument, NULL, 'i' },
        { "log", required_argument, NULL, 'L' },
        { "linger", required_argument, NULL, 'g' },
        { "audio-nack", no_argument, NULL, 'n' },
        { "audio-repeat", no_argument, NULL, 'U' },
        { "no-rtx", no_argument, NULL, 'R' },
        { "single-nal", no_argument, NULL, 'N' },
        { "bye", no_argument, NULL, 'B' },
        { "no-delete", no_argument, NULL, 'D' },
        { "wrong-fingerprint", no_argument, NULL, 'W' },
        { "replay", no_argument, NULL, 'P' },
        { "garbage", no_argument, NULL, 'G' },
        { "verbose", no_argument, NULL, 'V' },
        { NULL, 0, NULL, 0 }
    };

    o->setup = "actpass";
    o->duration = 10;
    o->fps = 30;
    o->seed = 1;
    o->layers = 1;

    while ((c = getopt_long(argc, argv, "", list, NULL)) != -1) {

        switch (c) {

        case 'u': o->url = optarg; break;
        case 't': o->token = optarg; break;
        case 'v': o->files[VIDEO] = optarg; break;
        case 'a': o->files[AUDIO] = optarg; break;
        case 'f': o->fps = (unsigned) atoi(optarg); break;
        case 'd': o->duration = atof(optarg); break;
        case 's': o->setup = optarg; break;
        case 'm': o->mtu = (unsigned) atoi(optarg); break;
        case 'l': o->loss = atof(optarg); break;
        case 'S': o->seed = strtoull(optarg, NULL, 10); break;
        case 'M': o->migrate = atof(optarg); break;
        case 'y': o->payload = (unsigned) atoi(optarg); break;
        case 'e': o->level = atoi(optarg); break;
        case 'X': o->by_ssrc = true; break;
        case 'T': o->turn = (unsigned) atoi(optarg); break;
        case 'o': o->drop = (unsigned) atoi(optarg); break;
        case 'r': o->repeat_late = (unsigned) atoi(optarg); break;
        case 'c': o->tcp = true; break;
        case 'O': o->to_tcp = true; break;
        case 'x': o->split = (unsigned) atoi(optarg); break;
        case '6': o->ipv6 = true; break;
        case 'i': o->via = optarg; break;
        case 'L': o->log = optarg; break;
        case 'g': o->linger = atof(optarg); break;
        case 'n': o->audio_nack = true; break;
        case 'U': o->audio_repeat = true; break;
        case 'R': o->no_rtx = true; break;
        case 'N': o->single_nal = true; break;
        case 'B': o->bye = true; break;
        case 'D': o->no_delete = true; break;
        case 'W': o->wrong_fingerprint = true; break;
        case 'P': o->replay = true; break;
        case 'G': o->garbage = true; break;
        case 'V': o->verbose = true; break;

        case 'E':
            if (o->layers < LAYERS_MAX) {
                o->files[VIDEO + o->layers++] = optarg;
                break;
            }

            return false;

        case 'F':
            if (sscanf(optarg, "%lf:%lf", &o->off_from, &o->off_to) == 2) {
                break;
            }

            return false;

        case 'p':
            if (options_profile(o, optarg)) {
                break;
            }

            return false;

        case 'C':
            if (options_client(o, optarg)) {
                break;
            }

            return false;

        default:
            return false;
        }
    }

    return optind == argc && o->url != NULL && o->fps != 0
           && o->payload <= PAYLOAD_MAX && o->repeat_late < HISTORY
           && (o->files[AUDIO] != NULL || o->files[VIDEO] != NULL)
           && (strcmp(o->setup, "actpass") == 0
               || strcmp(o->setup, "active") == 0
               || strcmp(o->setup, "passive") == 0);
}


static const char *
publisher_open(publisher_t *p)
{
    unsigned     i;
    const char  *why;

    publisher_init(p);

    for (i = 0; i < STREAMS; i++) {
        p->history[i] = calloc(HISTORY, sizeof(packet_t));

        if (p->history[i] == NULL) {
            return "no memory";
        }
    }

    p->cert = cr_dtls_cert_create((int64_t) time(NULL));

    if (p->cert == NULL
        || cr_srtp_library_init() != CR_OK)
    {
        return "no memory";
    }

    why = log_open(p);

    if (why == NULL) {
        why = publisher_media(p);
    }

    for (i = VIDEO; i < STREAMS && p->options.payload != 0; i++) {
        p->media[i].payload_max = p->options.payload;
    }

    return why;
}


static const char *
publisher_run(publisher_t *p, http_t *http)
{
    int64_t      until_us;
    const char  *why;

    why = publisher_post(p, http);

    if (why != NULL) {
        return why;
    }

    p->now_us = monotonic_us();

    while (p->connected_us == 0) {
        transport_run(p, p->now_us + 5000);

        if (p->failed != NULL) {
            return p->failed;
        }

        if (p->closed || p->now_us > p->started_us + CONNECT_US) {
            return p->stun_ok ? "DTLS did not come to an end"
                              : "no answer to STUN";
        }
    }

    printf("{\"connectedMs\":%lld}\n",
           (long long) (p->connected_us - p->started_us) / 1000);

    p->until_us = p->connected_us
                  + (int64_t) (p->options.duration * 1000000);
    until_us = p->until_us + (int64_t) (p->options.linger * 1000000);

    while (p->now_us < until_us && !p->closed && p->failed == NULL
           && !stopped)
    {
        transport_run(p, p->now_us + 50000);
    }

    return p->failed;
}


static void
publisher_report(const publisher_t *p)
{
    printf("{\"connectedMs\":%lld,\"profile\":%u,\"sent\":%llu,"
           "\"dropped\":%llu,\"retransmitted\":%llu,\"audioFrames\":%llu,"
           "\"videoFrames\":%llu,\"keyframes\":%llu,\"nacks\":%llu,"
           "\"nackBytes\":%llu,\"plis\":%llu,\"twcc\":%llu,"
           "\"remb\":%llu,\"reports\":%llu,\"byes\":%llu,"
           "\"closedByServer\":%s}\n",
           p->connected_us == 0
               ? -1LL : (long long) (p->connected_us - p->started_us) / 1000,
           p->keys.profile, (unsigned long long) p->sent,
           (unsigned long long) p->dropped,
           (unsigned long long) p->retransmitted,
           (unsigned long long) p->frames[AUDIO],
           (unsigned long long) p->frames[VIDEO],
           (unsigned long long) p->keyframes,
           (unsigned long long) p->nacks,
           (unsigned long long) p->nack_bytes,
           (unsigned long long) p->plis,
           (unsigned long long) p->twccs, (unsigned long long) p->rembs,
           (unsigned long long) p->reports, (unsigned long long) p->byes,
           p->closed ? "true" : "false");
}


int
main(int argc, char **argv)
{
    int          status;
    unsigned     i;
    const char  *why;

    static http_t       http;
    static publisher_t  p;

    if (!options_parse(&p.options, argc, argv)) {
        fputs(usage, stderr);
        return 2;
    }

    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    setvbuf(stdout, NULL, _IOLBF, 0);

    status = 0;

    why = publisher_open(&p);

    if (why == NULL) {
        why = publisher_run(&p, &http);
    }

    if (why != NULL) {
        fprintf(stderr, "whip-publisher: %s\n", why);
        status = 1;

    } else if (p.closed) {
        status = 3;
    }

    if (p.connected_us != 0) {
        publisher_report(&p);
    }

    if (p.options.bye && p.connected_us != 0) {
        transport_bye(&p);

    } else if (!p.options.no_delete && http.location[0] != '\0') {
        why = publisher_delete(&p, &http);

        if (why != NULL && status == 0) {
            fprintf(stderr, "whip-publisher: DELETE: %s\n", why);
            status = 1;
        }
    }

    transport_close(&p);
    cr_dtls_cert_destroy(p.cert);

    for (i = 0; i < STREAMS; i++) {
        media_close(&p.media[i]);
        free(p.history[i]);
    }

    if (p.log != NULL) {
        fclose(p.log);
    }

    return status;
}
