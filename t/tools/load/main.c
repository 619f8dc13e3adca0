
/*
 * Copyright (C) The call recorder authors
 *
 * Many WHIP publishers in one process, for measuring:
 *
 *     load --url http://host:port/whip/ --token T --sessions N ...
 *     load --floor PORT --sessions N ...
 *
 * Each sends the same files from another keyframe on, sealed with AES-GCM;
 * to a floor (t/tools/floor) without WHIP, ICE and DTLS, with keys that both
 * know.  Reports in lines of JSON: when the measured time begins and ends,
 * when it has gone on for --more seconds, at the end.
 */

#include <getopt.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "floor.h"
#include "load.h"


#define CONNECT_US   60000000
/* All are connected, then they begin one after the other: a keyframe
 * interval of the bench's files, so that keyframes come all the time. */
#define BEGIN_US     2000000
#define WARM_US      2000000
#define TICK_US      1000
/* A delay of more is not made up for: a burst would measure something else. */
#define STALL_US     200000
#define EVENTS       256
/* participants of a call */
#define CALL         4
/* handshakes at a time */
#define HANDSHAKES   32


static const char  usage[] =
    "usage: load --url URL --token T | --floor PORT\n"
    "            --sessions N --seconds S --video FILE --audio FILE\n"
    "            [--more S] [--fps N]\n";


typedef struct {
    options_t     options;
    unsigned      sessions;
    unsigned      seconds;
    unsigned      more;         /* seconds */
    unsigned      floor;        /* port, 0: by WHIP */
    int           epoll;
    int64_t       late_us;      /* the longest delay of a tick */
    publisher_t  *publishers;
} load_t;


static bool
load_parse(load_t *l, int argc, char **argv)
{
    int  c;

    static const struct option  list[] = {
        { "url", required_argument, NULL, 'u' },
        { "token", required_argument, NULL, 't' },
        { "floor", required_argument, NULL, 'F' },
        { "sessions", required_argument, NULL, 'n' },
        { "seconds", required_argument, NULL, 's' },
        { "more", required_argument, NULL, 'm' },
        { "video", required_argument, NULL, 'v' },
        { "audio", required_argument, NULL, 'a' },
        { "fps", required_argument, NULL, 'f' },
        { NULL, 0, NULL, 0 }
    };

    l->options.setup = "actpass";
    l->options.profile = CR_SRTP_AEAD_AES_128_GCM;
    l->options.fps = 30;

    while ((c = getopt_long(argc, argv, "", list, NULL)) != -1) {

        switch (c) {

        case 'u': l->options.url = optarg; break;
        case 't': l->options.token = optarg; break;
        case 'F': l->floor = (unsigned) atoi(optarg); break;
        case 'n': l->sessions = (unsigned) atoi(optarg); break;
        case 's': l->seconds = (unsigned) atoi(optarg); break;
        case 'm': l->more = (unsigned) atoi(optarg); break;
        case 'v': l->options.files[VIDEO] = optarg; break;
        case 'a': l->options.files[AUDIO] = optarg; break;
        case 'f': l->options.fps = (unsigned) atoi(optarg); break;

        default:
            return false;
        }
    }

    return optind == argc && (l->options.url != NULL) != (l->floor != 0)
           && l->sessions != 0 && l->seconds != 0 && l->options.fps != 0
           && l->options.files[VIDEO] != NULL
           && l->options.files[AUDIO] != NULL;
}


static const char *
load_post(load_t *l, unsigned i)
{
    char          url[512];
    const char   *why;
    publisher_t  *p = &l->publishers[i];

    static http_t  http;

    snprintf(url, sizeof(url), "%scall%u", l->options.url, i / CALL);
    p->options.url = url;

    why = publisher_post(p, &http);

    p->options.url = NULL;

    return why;
}


static const char *
load_floor(load_t *l, unsigned i)
{
    publisher_t         *p = &l->publishers[i];
    struct sockaddr_in  *sin;

    floor_keys(i, &p->keys);

    p->streams[AUDIO].ssrc = FLOOR_SSRC(i);
    p->streams[VIDEO].ssrc = FLOOR_SSRC(i) + 1;
    p->answer.taken[AUDIO] = p->answer.taken[VIDEO] = true;

    sin = (struct sockaddr_in *) &p->answer.addr;
    sin->sin_family = AF_INET;
    sin->sin_port = htons((uint16_t) l->floor);
    sin->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    p->answer.addr_len = sizeof(struct sockaddr_in);

    p->srtp = cr_srtp_create(&p->env, &p->keys);
    p->connected_us = monotonic_us();
    p->stun_us = p->connected_us;
    p->stun_ok = true;
    p->sr_us = p->connected_us + i * 7919 % 1000000;

    return p->srtp != NULL ? transport_open(p) : "no memory";
}


static void
load_wait(load_t *l, int64_t until_us)
{
    int                 i, n, wait;
    int64_t             now_us;
    publisher_t        *p;
    struct epoll_event  events[EVENTS];

    now_us = monotonic_us();
    wait = until_us > now_us ? (int) ((until_us - now_us + 999) / 1000) : 0;

    n = epoll_wait(l->epoll, events, EVENTS, wait);
    now_us = monotonic_us();

    for (i = 0; i < n; i++) {
        p = events[i].data.ptr;
        p->now_us = now_us;
        transport_read(p);
    }
}


/* What is due at the first n publishers; why one failed, or NULL. */
static const char *
load_tick(load_t *l, unsigned n)
{
    int64_t       now_us;
    unsigned      i;
    publisher_t  *p;

    now_us = monotonic_us();

    for (i = 0; i < n; i++) {
        p = &l->publishers[i];
        p->now_us = now_us;
        transport_due(p);

        if (p->failed != NULL || p->closed) {
            return p->failed != NULL ? p->failed : "the server has closed";
        }
    }

    return NULL;
}


static void
load_postpone(load_t *l, int64_t us)
{
    unsigned  i;

    for (i = 0; i < l->sessions; i++) {
        l->publishers[i].streams[AUDIO].next_us += us;
        l->publishers[i].streams[VIDEO].next_us += us;
    }
}


static const char *
load_run(load_t *l, int64_t until_us)
{
    int64_t      due_us, late_us;
    const char  *why;

    due_us = monotonic_us();

    while (due_us < until_us) {
        due_us += TICK_US;
        load_wait(l, due_us);

        late_us = monotonic_us() - due_us;

        if (late_us > l->late_us) {
            l->late_us = late_us;
        }

        if (late_us > 0) {
            due_us += late_us;
        }

        if (late_us > STALL_US) {
            load_postpone(l, late_us);
        }

        why = load_tick(l, l->sessions);

        if (why != NULL) {
            return why;
        }
    }

    return NULL;
}


/* The first n send from then on; INT64_MAX: not yet. */
static void
load_begin(load_t *l, unsigned n, int64_t at_us)
{
    unsigned  i;
    int64_t   next_us;

    for (i = 0; i < n; i++) {
        next_us = at_us;

        if (at_us != INT64_MAX) {
            next_us += (int64_t) i * BEGIN_US / l->sessions;
        }

        l->publishers[i].streams[AUDIO].next_us = next_us;
        l->publishers[i].streams[VIDEO].next_us = next_us;
    }
}


static const char *
load_connect(load_t *l)
{
    int64_t             until_us;
    unsigned            i, n, connected;
    const char         *why;
    struct epoll_event  ev;

    until_us = monotonic_us() + CONNECT_US;
    n = 0;

    do {
        connected = 0;

        for (i = 0; i < n; i++) {
            connected += l->publishers[i].connected_us != 0;
        }

        if (n < l->sessions && n - connected < HANDSHAKES) {
            why = l->floor != 0 ? load_floor(l, n) : load_post(l, n);

            if (why != NULL) {
                return why;
            }

            ev.events = EPOLLIN;
            ev.data.ptr = &l->publishers[n];

            if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->publishers[n++].fd,
                          &ev) != 0)
            {
                return "epoll_ctl() failed";
            }
        }

        load_wait(l, monotonic_us() + (n < l->sessions ? 0 : TICK_US));
        load_begin(l, n, INT64_MAX);

        why = load_tick(l, n);

        if (why != NULL) {
            return why;
        }

        if (monotonic_us() > until_us) {
            return "connecting takes too long";
        }

    } while (connected < l->sessions);

    load_begin(l, l->sessions, monotonic_us());

    return NULL;
}


static int64_t
load_cpu_us(void)
{
    struct rusage  r;

    getrusage(RUSAGE_SELF, &r);

    return (int64_t) (r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000
           + r.ru_utime.tv_usec + r.ru_stime.tv_usec;
}


static void
load_report(const load_t *l, const char *when, int64_t cpu_us)
{
    unsigned            i;
    publisher_t         sum;
    const publisher_t  *p;

    memset(&sum, 0, sizeof(publisher_t));

    for (i = 0; i < l->sessions; i++) {
        p = &l->publishers[i];

        sum.sent += p->sent;
        sum.dropped += p->dropped;
        sum.nacks += p->nacks;
        sum.plis += p->plis;
    }

    printf("{\"at\":\"%s\",\"sent\":%llu,\"unsent\":%llu,"
           "\"nacks\":%llu,\"plis\":%llu,"
           "\"lateUs\":%lld,\"cpuUs\":%lld,\"timeUs\":%lld}\n",
           when, (unsigned long long) sum.sent,
           (unsigned long long) sum.dropped,
           (unsigned long long) sum.nacks, (unsigned long long) sum.plis,
           (long long) l->late_us, (long long) (load_cpu_us() - cpu_us),
           (long long) monotonic_us());
}


static const char *
load_measure(load_t *l)
{
    int64_t      cpu_us;
    const char  *why;

    why = load_connect(l);

    if (why == NULL) {
        why = load_run(l, monotonic_us() + BEGIN_US + WARM_US);
    }

    if (why != NULL) {
        return why;
    }

    l->late_us = 0;
    cpu_us = load_cpu_us();

    load_report(l, "begin", cpu_us);

    why = load_run(l, monotonic_us() + (int64_t) l->seconds * 1000000);

    load_report(l, "end", cpu_us);

    if (why == NULL && l->more != 0) {
        why = load_run(l, monotonic_us() + (int64_t) l->more * 1000000);
    }

    load_report(l, "more", cpu_us);

    return why;
}


/* The media files and the certificate are the same for all. */
static const char *
load_open(load_t *l)
{
    unsigned         i;
    const char      *why;
    publisher_t     *p;
    cr_dtls_cert_t  *cert;

    l->epoll = epoll_create1(0);
    l->publishers = calloc(l->sessions, sizeof(publisher_t));
    cert = cr_dtls_cert_create((int64_t) time(NULL));

    if (l->epoll == -1 || l->publishers == NULL || cert == NULL
        || cr_srtp_library_init() != CR_OK)
    {
        return "no memory";
    }

    l->publishers[0].options = l->options;
    why = publisher_media(&l->publishers[0]);

    if (why == NULL) {
        why = load_packets(l->publishers[0].media);
    }

    for (i = 0; i < l->sessions && why == NULL; i++) {
        p = &l->publishers[i];

        if (i != 0) {
            memcpy(p->media, l->publishers[0].media, sizeof(p->media));
        }

        p->options = l->options;
        p->cert = cert;
        publisher_init(p);

        /* each begins elsewhere in the files */
        p->media[AUDIO].next = p->media[AUDIO].nframes / l->sessions * i;
        p->media[VIDEO].next = (unsigned) ((uint64_t) i
                                           * p->media[VIDEO].nframes
                                           / l->sessions);
        media_to_keyframe(&p->media[VIDEO]);
    }

    return why;
}


int
main(int argc, char **argv)
{
    unsigned       i;
    const char    *why;
    struct rlimit  files;

    static load_t  l;

    if (!load_parse(&l, argc, argv)) {
        fputs(usage, stderr);
        return 2;
    }

    setvbuf(stdout, NULL, _IOLBF, 0);

    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);

    why = load_open(&l);

    if (why == NULL) {
        why = load_measure(&l);
    }

    if (why != NULL) {
        fprintf(stderr, "load: %s\n", why);
        return 1;
    }

    for (i = 0; i < l.sessions && l.floor == 0; i++) {
        transport_bye(&l.publishers[i]);
    }

    load_report(&l, "over", 0);

    return 0;
}
