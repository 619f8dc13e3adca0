
/*
 * Copyright (C) The call recorder authors
 *
 * Datagrams under way: a heap by the time of their arrival.
 */

#include "call.h"


/* The queue on the way grows and shrinks to a new size each time. */
#define QUEUE_US       500000
/* what is overtaken is so much later, at most */
#define OVERTAKEN_US   120000


/* splitmix64 */
uint32_t
network_random(network_t *net, uint32_t n)
{
    uint64_t  z;

    net->random += 0x9e3779b97f4a7c15;
    z = net->random;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    z ^= z >> 31;

    return (uint32_t) (z >> 32) % n;
}


static bool
network_before(const datagram_t *a, const datagram_t *b)
{
    return a->due_us < b->due_us
           || (a->due_us == b->due_us && a->order < b->order);
}


static int64_t
network_queue(network_t *net, const scenario_t *s, int64_t now_us)
{
    if (s->queue_us == 0) {
        return 0;
    }

    while (now_us >= net->queue_at_us + QUEUE_US) {
        net->queue_at_us = net->queue_at_us == 0 ? now_us
                           : net->queue_at_us + QUEUE_US;
        net->queue_from = net->queue_to;
        net->queue_to = network_random(net, (uint32_t) s->queue_us);
    }

    return net->queue_from + (net->queue_to - net->queue_from)
                             * (now_us - net->queue_at_us) / QUEUE_US;
}


void
network_send(network_t *net, const scenario_t *s, bool to_peer,
    const uint8_t *data, size_t len, int64_t now_us)
{
    size_t       i;
    datagram_t  *d, *up;

    d = calloc(1, sizeof(datagram_t));

    if (net->n == net->size) {
        net->size = net->size ? 2 * net->size : 256;
        net->heap = realloc(net->heap, net->size * sizeof(datagram_t *));
    }

    if (d == NULL || net->heap == NULL || len > sizeof(d->data)) {
        sender_die("no memory");
    }

    d->due_us = now_us + s->delay_us + network_queue(net, s, now_us);
    d->order = net->sent++;
    d->to_peer = to_peer;
    d->len = len;
    memcpy(d->data, data, len);

    /* handshakes come through */
    if (data[0] >= 128 && network_random(net, 1000) < s->loss) {
        free(d);
        return;
    }

    if (data[0] >= 128 && network_random(net, 1000) < s->reorder) {
        d->due_us += network_random(net, OVERTAKEN_US);
    }

    for (i = net->n++; i > 0; i = (i - 1) / 2) {
        up = net->heap[(i - 1) / 2];

        if (!network_before(d, up)) {
            break;
        }

        net->heap[i] = up;
    }

    net->heap[i] = d;
}


int64_t
network_due(const network_t *net)
{
    return net->n == 0 ? INT64_MAX : net->heap[0]->due_us;
}


datagram_t *
network_take(network_t *net)
{
    size_t       i, child;
    datagram_t  *top, *last;

    top = net->heap[0];
    last = net->heap[--net->n];

    for (i = 0; (child = 2 * i + 1) < net->n; i = child) {
        child += child + 1 < net->n
                 && network_before(net->heap[child + 1], net->heap[child]);

        if (!network_before(net->heap[child], last)) {
            break;
        }

        net->heap[i] = net->heap[child];
    }

    net->heap[i] = last;

    return top;
}


void
network_done(network_t *net)
{
    while (net->n != 0) {
        free(network_take(net));
    }

    free(net->heap);
}
