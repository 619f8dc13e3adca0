
/*
 * Copyright (C) The call recorder authors
 */

#include <openssl/rand.h>

#include "publisher.h"
#include "../../heap.h"


static void
env_random(void *ctx, uint8_t *buf, size_t len)
{
    (void) ctx;

    if (RAND_bytes(buf, (int) len) != 1) {
        abort();
    }
}


static void
random_name(publisher_t *p, char *buf, size_t len)
{
    size_t   i;
    uint8_t  r;

    static const char  chars[] = "abcdefghijklmnopqrstuvwxyz012345";

    for (i = 0; i < len; i++) {
        cr_random(&p->env, &r, 1);
        buf[i] = chars[r % 32];
    }

    buf[len] = '\0';
}


void
publisher_init(publisher_t *p)
{
    unsigned  i;
    uint8_t   r[8 * STREAMS + 4];

    p->fd = -1;
    p->env = (cr_env_t) { heap_alloc, heap_free, env_random, NULL };
    p->random = p->options.seed;

    cr_random(&p->env, r, sizeof(r));

    for (i = 0; i < STREAMS; i++) {
        p->streams[i].ssrc = cr_get_u32(r + 8 * i) | 1;
        p->streams[i].timestamp = cr_get_u32(r + 8 * i + 4);
        p->streams[i].seq = cr_get_u16(r + 8 * i + 2);
    }

    p->rtx_ssrc = cr_get_u32(r + 8 * STREAMS) & ~15u;

    random_name(p, p->ufrag, sizeof(p->ufrag) - 1);
    random_name(p, p->pwd, sizeof(p->pwd) - 1);
}


const char *
publisher_media(publisher_t *p)
{
    unsigned     i;
    const char  *why;

    for (i = 0; i < STREAMS; i++) {
        if (p->options.files[i] == NULL) {
            continue;
        }

        why = media_open(&p->media[i], p->options.files[i], p->options.fps);
        if (why != NULL) {
            return why;
        }

        if ((p->media[i].codec == CR_CODEC_OPUS) != (i == AUDIO)) {
            return "a media file is not of its kind";
        }
    }

    return NULL;
}


const char *
publisher_post(publisher_t *p, http_t *http)
{
    char         offer[8192];
    const char  *why;

    static char  refused[512];

    if (sdp_offer(p, offer, sizeof(offer)) == 0) {
        return "the offer is too long";
    }

    if (p->options.verbose) {
        fputs(offer, stderr);
    }

    p->started_us = monotonic_us();

    why = http_request(http, "POST", p->options.url, p->options.token,
                       "application/sdp", offer);
    if (why != NULL) {
        return why;
    }

    if (http->status != 201) {
        snprintf(refused, sizeof(refused), "the server says %d: %.400s",
                 http->status, http->body);
        return refused;
    }

    if (p->options.verbose) {
        fputs(http->body, stderr);
    }

    why = sdp_answer(p, http->body);

    return why == NULL ? transport_open(p) : why;
}


const char *
publisher_delete(const publisher_t *p, http_t *http)
{
    char         location[sizeof(http->location)];
    const char  *why;

    strcpy(location, http->location);

    why = http_request(http, "DELETE", location, p->options.token, NULL,
                       NULL);

    if (why == NULL && http->status != 200) {
        why = "the server does not know the session";
    }

    return why;
}
