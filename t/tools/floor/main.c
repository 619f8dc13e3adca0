
/*
 * Copyright (C) The call recorder authors
 *
 * The floor of what ingest can cost: the barest loop that receives the
 * packets of t/tools/load, opens their SRTP and writes their payload to a
 * file for each session, in pieces of 64 KB.
 *
 *     floor PORT SESSIONS FOLDER
 *
 * Ends by SIGTERM and then prints how many packets there were.
 */

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "floor.h"
#include "srtp/srtp.h"
#include "../../heap.h"


#define BATCH     32
#define PACKET    2048
#define PIECE     65536
#define RECVBUF   (16 * 1024 * 1024)


typedef struct {
    cr_srtp_t  *srtp;
    int         fd;
    size_t      len;
    uint8_t     piece[PIECE];
} session_t;


static volatile sig_atomic_t  stopped;

static unsigned               nsessions;
static session_t             *sessions;
static unsigned long long     packets;

static uint8_t                buffers[BATCH][PACKET];


static void
on_signal(int sig)
{
    (void) sig;

    stopped = 1;

    /* once more, had epoll_wait() not been reached */
    (void) alarm(1);
}


static bool
floor_open(const char *folder)
{
    char            path[1024];
    unsigned        i;
    session_t      *s;
    cr_srtp_keys_t  keys;

    sessions = calloc(nsessions, sizeof(session_t));

    if (sessions == NULL || cr_srtp_library_init() != CR_OK) {
        return false;
    }

    for (i = 0; i < nsessions; i++) {
        s = &sessions[i];

        floor_keys(i, &keys);
        s->srtp = cr_srtp_create(&heap_env, &keys);

        snprintf(path, sizeof(path), "%s/%u", folder, i);
        s->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

        if (s->srtp == NULL || s->fd == -1) {
            return false;
        }
    }

    return true;
}


static int
floor_listen(unsigned port)
{
    int                 fd, size = RECVBUF;
    struct sockaddr_in  sin = { 0 };

    sin.sin_family = AF_INET;
    sin.sin_port = htons((uint16_t) port);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    fd = socket(AF_INET, SOCK_DGRAM, 0);

    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) != 0)
    {
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    }

    return bind(fd, (struct sockaddr *) &sin, sizeof(sin)) == 0 ? fd : -1;
}


static bool
floor_packet(uint8_t *data, size_t len)
{
    size_t      head;
    unsigned    i;
    session_t  *s;

    /* STUN, and RTCP (RFC 5761 section 4) */
    if (len < 16 || data[0] < 0x80 || (data[1] >= 192 && data[1] < 224)) {
        return true;
    }

    i = FLOOR_SESSION(cr_get_u32(data + 8));

    if (i >= nsessions) {
        return true;
    }

    s = &sessions[i];

    if (cr_srtp_open_rtp(s->srtp, data, &len) != CR_OK) {
        return true;
    }

    packets++;
    head = 12;

    if (data[0] & 0x10) {
        head += 4 + 4 * (size_t) cr_get_u16(data + 14);
    }

    if (head > len) {
        return true;
    }

    len -= head;

    if (s->len + len > PIECE) {
        if (write(s->fd, s->piece, s->len) != (ssize_t) s->len) {
            return false;
        }

        s->len = 0;
    }

    memcpy(s->piece + s->len, data + head, len);
    s->len += len;

    return true;
}


static bool
floor_run(int fd)
{
    int                 i, n, ep;
    struct iovec        iov[BATCH];
    struct mmsghdr      msgs[BATCH];
    struct epoll_event  ev = { .events = EPOLLIN };

    ep = epoll_create1(0);

    if (ep == -1 || epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) != 0) {
        return false;
    }

    memset(msgs, 0, sizeof(msgs));

    for (i = 0; i < BATCH; i++) {
        iov[i].iov_base = buffers[i];
        iov[i].iov_len = PACKET;
        msgs[i].msg_hdr.msg_iov = &iov[i];
        msgs[i].msg_hdr.msg_iovlen = 1;
    }

    while (!stopped) {
        (void) epoll_wait(ep, &ev, 1, -1);

        do {
            n = recvmmsg(fd, msgs, BATCH, MSG_DONTWAIT, NULL);

            for (i = 0; i < n; i++) {
                if (!floor_packet(buffers[i], msgs[i].msg_len)) {
                    return false;
                }
            }

        } while (n == BATCH);
    }

    return true;
}


int
main(int argc, char **argv)
{
    int               fd;
    struct rlimit     files;
    struct sigaction  sa;

    nsessions = argc == 4 ? (unsigned) atoi(argv[2]) : 0;

    if (nsessions == 0) {
        fputs("usage: floor PORT SESSIONS FOLDER\n", stderr);
        return 2;
    }

    /* epoll_wait() is to be interrupted */
    memset(&sa, 0, sizeof(sa));
    sa.sa_handler = on_signal;
    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGALRM, &sa, NULL);

    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);

    fd = floor_listen((unsigned) atoi(argv[1]));

    if (fd == -1 || !floor_open(argv[3])) {
        perror("floor");
        return 1;
    }

    puts("ready");
    fflush(stdout);

    if (!floor_run(fd)) {
        perror("floor");
        return 1;
    }

    printf("%llu\n", packets);

    return 0;
}
