
/*
 * Copyright (C) The call recorder authors
 *
 * A line for each frame: kind (a, v), microseconds since the connection, RTP
 * timestamp, 1 for a keyframe, bytes as they were sent, SHA-256 (of H.264: of
 * the NAL units, each behind its length in 4 bytes, without parameter sets
 * and delimiters, which a recorder keeps elsewhere).
 */

#include <errno.h>
#include <openssl/sha.h>

#include "log.h"


#define NAL_SPS  7
#define NAL_AUD  9


const char *
log_open(publisher_t *p)
{
    if (p->options.log == NULL) {
        return NULL;
    }

    p->log = fopen(p->options.log, "w");

    return p->log != NULL ? NULL : strerror(errno);
}


/* Returns how many bytes of out are to be digested. */
static size_t
log_h264(const uint8_t *data, size_t len, uint8_t *out)
{
    size_t  pos, end, n, size;

    size = 0;

    for (pos = next_nal(data, len, 0); pos < len; pos = end) {
        pos += 3;
        end = next_nal(data, len, pos);
        n = nal_size(data + pos, end - pos);

        if (n == 0 || ((data[pos] & 0x1f) >= NAL_SPS
                       && (data[pos] & 0x1f) <= NAL_AUD))
        {
            continue;
        }

        cr_put_u32(out + size, (uint32_t) n);
        memcpy(out + size + 4, data + pos, n);
        size += 4 + n;
    }

    return size;
}


void
log_frame(publisher_t *p, unsigned which, const uint8_t *data,
    const media_frame_t *f)
{
    size_t    i, len;
    uint8_t  *copy, digest[SHA256_DIGEST_LENGTH];

    if (p->log == NULL) {
        return;
    }

    len = f->len;
    /* start codes of three bytes grow to lengths of four */
    copy = malloc(2 * len);

    if (copy == NULL) {
        abort();
    }

    if (p->media[which].codec == CR_CODEC_H264) {
        len = log_h264(data, len, copy);

    } else {
        memcpy(copy, data, len);
    }

    SHA256(copy, len, digest);
    free(copy);

    fprintf(p->log, "%c %lld %u %u %zu ", which == VIDEO ? 'v' : 'a',
            (long long) (p->now_us - p->connected_us),
            p->streams[which].timestamp, f->keyframe, f->len);

    for (i = 0; i < sizeof(digest); i++) {
        fprintf(p->log, "%02x", digest[i]);
    }

    fputc('\n', p->log);
}
