
/*
 * Copyright (C) The call recorder authors
 *
 * ICE-TCP, active (RFC 6544): datagrams in RFC 4571 frames.
 */

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include "publisher.h"


/* ms; a server that does not read for so long is none */
#define STREAM_PATIENCE  10000


int
stream_connect(const publisher_t *p)
{
    int  fd, on;

    on = 1;
    fd = socket(p->answer.tcp.ss_family, SOCK_STREAM, 0);

    if (fd == -1) {
        return -1;
    }

    if (p->answer.tcp_len == 0
        || connect(fd, (const struct sockaddr *) &p->answer.tcp,
                   p->answer.tcp_len) != 0
        || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0
        || fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
    {
        close(fd);
        return -1;
    }

    return fd;
}


void
stream_send(publisher_t *p, const uint8_t *data, size_t len)
{
    size_t         n, pos;
    ssize_t        sent;
    uint8_t        frame[CR_FRAMING_HEAD + DATAGRAM_MAX];
    struct pollfd  pfd;

    cr_framing_head(frame, len);
    memcpy(frame + CR_FRAMING_HEAD, data, len);
    len += CR_FRAMING_HEAD;

    for (pos = 0; pos < len; pos += (size_t) sent) {
        n = len - pos;

        if (p->options.split != 0 && n > p->options.split) {
            n = p->options.split;
        }

        sent = send(p->fd, frame + pos, n, MSG_NOSIGNAL);

        if (sent == -1) {
            pfd.fd = p->fd;
            pfd.events = POLLOUT;

            if (errno != EAGAIN || poll(&pfd, 1, STREAM_PATIENCE) != 1) {
                /* shows when it is read */
                return;
            }

            sent = 0;
        }
    }
}


void
stream_read(publisher_t *p)
{
    size_t    len;
    ssize_t   n;
    uint8_t   buf[65536], *data, *pos;

    while ((n = recv(p->fd, buf, sizeof(buf), 0)) > 0) {
        pos = buf;

        while (cr_framing_next(&p->framing, &pos, buf + n, &data, &len)
               == CR_OK)
        {
            transport_input(p, data, len);
        }
    }

    if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        p->closed = true;
    }
}
