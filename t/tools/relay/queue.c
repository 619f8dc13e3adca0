
/*
 * Copyright (C) The call recorder authors
 *
 * A binary heap; what is due at the same time leaves as it came.
 */

#include <stdlib.h>
#include <string.h>

#include "relay.h"


#define QUEUE_MAX  65536


static datagram_t  *heap[QUEUE_MAX];
static size_t       count;
static uint64_t     orders;


static bool
sooner(const datagram_t *a, const datagram_t *b)
{
    return a->due_us != b->due_us ? a->due_us < b->due_us
                                  : a->order < b->order;
}


static void
swap(size_t i, size_t j)
{
    datagram_t  *d = heap[i];

    heap[i] = heap[j];
    heap[j] = d;
}


bool
queue_put(int64_t due_us, unsigned source, unsigned direction,
    const uint8_t *data, size_t len)
{
    size_t       i;
    datagram_t  *d;

    if (count == QUEUE_MAX) {
        return false;
    }

    d = malloc(sizeof(datagram_t));

    if (d == NULL) {
        return false;
    }

    d->due_us = due_us;
    d->order = orders++;
    d->source = source;
    d->direction = direction;
    d->len = len;
    memcpy(d->data, data, len);

    heap[count] = d;

    for (i = count++; i > 0 && sooner(heap[i], heap[(i - 1) / 2]);
         i = (i - 1) / 2)
    {
        swap(i, (i - 1) / 2);
    }

    return true;
}


datagram_t *
queue_take(int64_t now_us)
{
    size_t       i, child;
    datagram_t  *d;

    if (count == 0 || heap[0]->due_us > now_us) {
        return NULL;
    }

    d = heap[0];
    heap[0] = heap[--count];

    for (i = 0; 2 * i + 1 < count; i = child) {
        child = 2 * i + 1;

        if (child + 1 < count && sooner(heap[child + 1], heap[child])) {
            child++;
        }

        if (!sooner(heap[child], heap[i])) {
            break;
        }

        swap(i, child);
    }

    return d;
}


int64_t
queue_due(void)
{
    return count != 0 ? heap[0]->due_us : INT64_MAX;
}
