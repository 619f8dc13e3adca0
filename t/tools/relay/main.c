
/*
 * Copyright (C) The call recorder authors
 *
 * Passes datagrams on between publishers and a server, and loses, delays,
 * reorders and repeats them.  Each publisher gets a socket of its own towards
 * the server.  Says {"port":N} when it is ready, and in a line of JSON what it
 * did when SIGTERM or SIGINT comes.  A line "up-rate 400" on standard input
 * changes what the option of that name said.  Exit status: 0, 1 no socket, 2
 * wrong usage.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "relay.h"


#define SOURCES       64
/* as a busy machine needs it */
#define SOCKET_BYTES  (4 * 1024 * 1024)


static const char  usage[] =
    "usage: relay --to PORT [options]       all on 127.0.0.1\n"
    "  --listen PORT         any that is free\n"
    "  --seed N              of all decisions, 1\n"
    "  --delay MS            one way\n"
    "  --jitter MS           on top of it, without reordering\n"
    "  --loss PCT            at random, or\n"
    "  --burst N             in bursts of N datagrams on average\n"
    "  --reorder PCT         that come later by\n"
    "  --reorder-delay MS    20\n"
    "  --duplicate PCT\n"
    "  --rate KBIT           per second, behind a queue of\n"
    "  --queue MS            200\n"
    "  up-, down- in front of any of those (--up-loss 5): that way only\n"
    "  --hopeless PCT        RTP numbers upwards of which no copy arrives\n"
    "  --spare N             the first datagrams of a publisher each way\n"
    "  --spare-handshake     STUN and DTLS are not lost\n";


typedef struct {
    const char  *name;
    size_t       offset;
} setting_t;

static const setting_t  settings[] = {
    { "delay", offsetof(profile_t, delay) },
    { "jitter", offsetof(profile_t, jitter) },
    { "loss", offsetof(profile_t, loss) },
    { "burst", offsetof(profile_t, burst) },
    { "reorder", offsetof(profile_t, reorder) },
    { "reorder-delay", offsetof(profile_t, reorder_delay) },
    { "duplicate", offsetof(profile_t, duplicate) },
    { "rate", offsetof(profile_t, rate) },
    { "queue", offsetof(profile_t, queue) }
};

#define SETTINGS  (sizeof(settings) / sizeof(settings[0]))


typedef struct {
    int                 fd;          /* towards the server */
    struct sockaddr_in  addr;
    unsigned            datagrams[2];
    link_t              links[2];
} source_t;


static volatile sig_atomic_t  stopped;

static profile_t   profiles[2];
static counters_t  counters[2];
static source_t    sources[SOURCES];
static unsigned    nsources;
static int         listening;
static uint16_t    server_port;
static bool        commanded = true;         /* standard input is open */
static uint64_t    seed = 1;
static double      hopeless;
static unsigned    spare;
static bool        spare_handshake;


static void
on_signal(int sig)
{
    (void) sig;

    stopped = 1;
}


static int64_t
monotonic_us(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (int64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}


static void
profile_set(unsigned direction, const setting_t *s, double value)
{
    *(double *) ((char *) &profiles[direction] + s->offset) = value;
}


/* --loss, --up-loss, --down-loss and the like */
static bool
option_profile(const char *name, const char *text)
{
    bool      up, down;
    char     *end;
    double    value;
    unsigned  i;

    up = strncmp(name, "up-", 3) == 0;
    down = strncmp(name, "down-", 5) == 0;
    name += up ? 3 : down ? 5 : 0;

    value = strtod(text, &end);

    if (end == text || *end != '\0' || value < 0) {
        return false;
    }

    for (i = 0; i < SETTINGS; i++) {
        if (strcmp(name, settings[i].name) == 0) {

            if (!down) {
                profile_set(UP, &settings[i], value);
            }

            if (!up) {
                profile_set(DOWN, &settings[i], value);
            }

            return true;
        }
    }

    return false;
}


static bool
options_parse(int argc, char **argv, uint16_t *port)
{
    int          i;
    unsigned     direction;
    const char  *name, *value;

    for (direction = UP; direction <= DOWN; direction++) {
        profiles[direction].reorder_delay = 20;
        profiles[direction].queue = 200;
    }

    for (i = 1; i < argc; i++) {

        if (strncmp(argv[i], "--", 2) != 0) {
            return false;
        }

        name = argv[i] + 2;

        if (strcmp(name, "spare-handshake") == 0) {
            spare_handshake = true;
            continue;
        }

        if (++i == argc) {
            return false;
        }

        value = argv[i];

        if (strcmp(name, "to") == 0) {
            server_port = (uint16_t) atoi(value);

        } else if (strcmp(name, "listen") == 0) {
            *port = (uint16_t) atoi(value);

        } else if (strcmp(name, "seed") == 0) {
            seed = strtoull(value, NULL, 10);

        } else if (strcmp(name, "spare") == 0) {
            spare = (unsigned) atoi(value);

        } else if (strcmp(name, "hopeless") == 0) {
            hopeless = atof(value);

        } else if (!option_profile(name, value)) {
            return false;
        }
    }

    return server_port != 0;
}


static int
open_socket(uint16_t *port)
{
    int                 fd, bytes;
    socklen_t           len;
    struct sockaddr_in  addr;

    fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd == -1) {
        return -1;
    }

    bytes = SOCKET_BYTES;
    (void) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));

    memset(&addr, 0, sizeof(addr));
    addr.sin_family = AF_INET;
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    addr.sin_port = htons(*port);
    len = sizeof(addr);

    if (bind(fd, (struct sockaddr *) &addr, len) != 0
        || getsockname(fd, (struct sockaddr *) &addr, &len) != 0)
    {
        close(fd);
        return -1;
    }

    *port = ntohs(addr.sin_port);

    return fd;
}


/* Whose datagram it is: a new publisher's if need be; NULL: one too many. */
static source_t *
source_of(const struct sockaddr_in *from)
{
    unsigned             i;
    uint16_t             any;
    source_t            *s;
    struct sockaddr_in   to;

    for (i = 0; i < nsources; i++) {
        if (sources[i].addr.sin_port == from->sin_port) {
            return &sources[i];
        }
    }

    if (nsources == SOURCES) {
        return NULL;
    }

    s = &sources[nsources];
    any = 0;
    s->fd = open_socket(&any);

    memset(&to, 0, sizeof(to));
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(server_port);

    if (s->fd == -1
        || connect(s->fd, (struct sockaddr *) &to, sizeof(to)) != 0)
    {
        return NULL;
    }

    s->addr = *from;
    link_init(&s->links[UP], seed + 2 * nsources);
    link_init(&s->links[DOWN], seed + 2 * nsources + 1);
    nsources++;

    return s;
}


/* A datagram came in: what becomes of it. */
static void
take(source_t *s, unsigned direction, const uint8_t *data, size_t len)
{
    bool      spared;
    int64_t   now_us, due_us[2];
    unsigned  i, n;
    uint32_t  key;

    now_us = monotonic_us();

    /* RFC 7983 section 7 */
    spared = s->datagrams[direction]++ < spare
             || (spare_handshake && (data[0] <= 3
                                     || (data[0] >= 20 && data[0] <= 63)));

    n = link_decide(&s->links[direction], &profiles[direction],
                    &counters[direction], len, spared, now_us, due_us);

    if (direction == UP && ledger_sent(data, len, &key) && n != 0
        && link_hash(seed << 32 ^ key) * 100 < hopeless)
    {
        counters[UP].dropped++;
        n = 0;
    }

    for (i = 0; i < n; i++) {
        if (!queue_put(due_us[i], (unsigned) (s - sources), direction, data,
                       len))
        {
            counters[direction].overflowed++;
        }
    }
}


static void
receive(int fd, source_t *s)
{
    ssize_t             n;
    uint8_t             buf[DATAGRAM_MAX];
    source_t           *whose;
    socklen_t           len;
    struct sockaddr_in  from;

    for ( ;; ) {
        len = sizeof(from);
        n = recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *) &from,
                     &len);

        if (n < 0 && errno == ECONNREFUSED) {
            continue;
        }

        if (n < 0) {
            return;
        }

        whose = s != NULL ? s : source_of(&from);

        if (whose != NULL && n > 0) {
            take(whose, s != NULL ? DOWN : UP, buf, (size_t) n);
        }
    }
}


static void
deliver(void)
{
    source_t    *s;
    datagram_t  *d;

    while ((d = queue_take(monotonic_us())) != NULL) {
        s = &sources[d->source];

        if (d->direction == UP) {
            ledger_delivered(d->data, d->len);
            (void) send(s->fd, d->data, d->len, 0);

        } else {
            (void) sendto(listening, d->data, d->len, 0,
                          (struct sockaddr *) &s->addr, sizeof(s->addr));
        }

        counters[d->direction].delivered++;
        free(d);
    }
}


/* What standard input says; a line comes in one piece. */
static void
command(void)
{
    char     buf[512], *line, *rest, *value;
    ssize_t  n;

    n = read(STDIN_FILENO, buf, sizeof(buf) - 1);

    if (n <= 0) {
        commanded = false;
        return;
    }

    buf[n] = '\0';

    for (line = strtok_r(buf, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest))
    {
        value = strchr(line, ' ');

        if (value != NULL) {
            *value++ = '\0';
        }

        if (value == NULL || !option_profile(line, value)) {
            fprintf(stderr, "relay: \"%s\" is no option\n", line);
        }
    }
}


static void
run(void)
{
    int64_t          wait_us;
    unsigned         i, n;
    struct pollfd    fds[SOURCES + 2];
    struct timespec  timeout;

    while (!stopped) {
        deliver();

        wait_us = queue_due();

        if (wait_us != INT64_MAX) {
            wait_us -= monotonic_us();
        }

        wait_us = wait_us < 0 ? 0 : wait_us > 100000 ? 100000 : wait_us;

        timeout.tv_sec = 0;
        timeout.tv_nsec = (long) wait_us * 1000;

        fds[0].fd = listening;
        n = nsources;

        for (i = 0; i < n; i++) {
            fds[i + 1].fd = sources[i].fd;
        }

        /* one that is closed is not looked at */
        fds[n + 1].fd = commanded ? STDIN_FILENO : -1;

        for (i = 0; i <= n + 1; i++) {
            fds[i].events = POLLIN;
            fds[i].revents = 0;
        }

        if (ppoll(fds, n + 2, &timeout, NULL) <= 0) {
            continue;
        }

        if (fds[n + 1].revents != 0) {
            command();
        }

        for (i = 0; i <= n; i++) {
            if (fds[i].revents != 0) {
                receive(fds[i].fd, i == 0 ? NULL : &sources[i - 1]);
            }
        }
    }
}


static void
report(const char *name, const counters_t *c)
{
    printf("\"%s\":{\"packets\":%llu,\"bytes\":%llu,\"dropped\":%llu,"
           "\"overflowed\":%llu,\"reordered\":%llu,\"duplicated\":%llu,"
           "\"delivered\":%llu},",
           name, (unsigned long long) c->packets,
           (unsigned long long) c->bytes, (unsigned long long) c->dropped,
           (unsigned long long) c->overflowed,
           (unsigned long long) c->reordered,
           (unsigned long long) c->duplicated,
           (unsigned long long) c->delivered);
}


int
main(int argc, char **argv)
{
    unsigned     i;
    uint16_t     port;
    datagram_t  *d;

    port = 0;

    if (!options_parse(argc, argv, &port)) {
        fputs(usage, stderr);
        return 2;
    }

    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);

    listening = open_socket(&port);

    if (listening == -1) {
        fputs("relay: no UDP socket\n", stderr);
        return 1;
    }

    printf("{\"port\":%u}\n", port);
    fflush(stdout);

    run();

    printf("{");
    report("up", &counters[UP]);
    report("down", &counters[DOWN]);
    printf("\"sources\":%u,\"missing\":%llu}\n", nsources,
           (unsigned long long) ledger_missing());

    while ((d = queue_take(INT64_MAX)) != NULL) {
        free(d);
    }

    for (i = 0; i < nsources; i++) {
        close(sources[i].fd);
    }

    close(listening);

    return 0;
}
