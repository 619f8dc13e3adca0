
/*
 * Copyright (C) The call recorder authors
 *
 * Whole files are read: they are made for tests and short.
 */

#include "publisher.h"


#define FILE_MAX  (512 * 1024 * 1024)


static const char *media_ivf(media_t *m);
static const char *media_annexb(media_t *m, unsigned fps);
static const char *media_ogg(media_t *m);


static const char *
media_read(media_t *m, const char *file)
{
    long   n;
    FILE  *in;

    in = fopen(file, "rb");

    if (in == NULL) {
        return "cannot open a media file";
    }

    if (fseek(in, 0, SEEK_END) != 0 || (n = ftell(in)) < 0 || n > FILE_MAX) {
        fclose(in);
        return "a media file is too large";
    }

    rewind(in);
    m->data = malloc((size_t) n + 1);

    if (m->data == NULL || fread(m->data, 1, (size_t) n, in) != (size_t) n) {
        fclose(in);
        return "cannot read a media file";
    }

    fclose(in);
    m->len = (size_t) n;

    return NULL;
}


static bool
media_add(media_t *m, size_t offset, size_t len, bool keyframe)
{
    media_frame_t  *f;

    f = realloc(m->frames, (m->nframes + 1) * sizeof(media_frame_t));

    if (f == NULL) {
        return false;
    }

    m->frames = f;
    f += m->nframes++;
    f->offset = offset;
    f->len = len;
    f->keyframe = keyframe;

    return true;
}


const char *
media_open(media_t *m, const char *file, unsigned fps)
{
    const char  *why;

    m->payload_max = PAYLOAD_MAX;

    why = media_read(m, file);

    if (why != NULL) {
        return why;
    }

    if (m->len >= 32 && memcmp(m->data, "DKIF", 4) == 0) {
        why = media_ivf(m);

    } else if (m->len >= 4 && memcmp(m->data, "OggS", 4) == 0) {
        why = media_ogg(m);

    } else {
        why = media_annexb(m, fps);
    }

    if (why == NULL && (m->nframes == 0 || !m->frames[0].keyframe)) {
        why = "a media file does not begin with a keyframe";
    }

    return why;
}


void
media_close(media_t *m)
{
    free(m->frames);
    free(m->data);
    memset(m, 0, sizeof(media_t));
}


const media_frame_t *
media_next(media_t *m)
{
    const media_frame_t  *f = &m->frames[m->next];

    m->next = (m->next + 1) % m->nframes;

    return f;
}


void
media_to_keyframe(media_t *m)
{
    while (!m->frames[m->next].keyframe) {
        m->next = (m->next + 1) % m->nframes;
    }
}


static uint32_t
little32(const uint8_t *p)
{
    return (uint32_t) p[3] << 24 | (uint32_t) p[2] << 16
           | (uint32_t) p[1] << 8 | p[0];
}


/* 32 bytes of head; before each frame its size and 8 bytes of time */
static const char *
media_ivf(media_t *m)
{
    size_t    pos, len;
    uint32_t  rate, scale;

    if (memcmp(m->data + 8, "VP80", 4) != 0) {
        return "an IVF file is not VP8";
    }

    rate = little32(m->data + 16);
    scale = little32(m->data + 20);

    if (rate == 0 || scale == 0) {
        return "an IVF file has no frame rate";
    }

    m->codec = CR_CODEC_VP8;
    m->clock_rate = 90000;
    m->step = (uint32_t) ((uint64_t) 90000 * scale / rate);

    for (pos = 32; m->len - pos >= 12; pos += len) {
        len = little32(m->data + pos);
        pos += 12;

        if (len == 0 || len > m->len - pos) {
            return "an IVF file is damaged";
        }

        /* RFC 6386 section 9.1 */
        if (!media_add(m, pos, len, (m->data[pos] & 1) == 0)) {
            return "no memory";
        }
    }

    return NULL;
}


/* Where the next start code is, or the end; *head: how long it is. */
static size_t
start_code(const media_t *m, size_t pos, size_t *head)
{
    for ( ; pos + 3 <= m->len; pos++) {
        if (m->data[pos] == 0 && m->data[pos + 1] == 0
            && m->data[pos + 2] == 1)
        {
            *head = 3;
            return pos;
        }
    }

    *head = 0;

    return m->len;
}


/* Access units, ITU-T H.264 section 7.4.1.2.3, as far as encoders go. */
static const char *
media_annexb(media_t *m, unsigned fps)
{
    bool      vcl, key;
    size_t    pos, head, nal, begin;
    uint8_t   type;

    m->codec = CR_CODEC_H264;
    m->clock_rate = 90000;
    m->step = 90000 / fps;

    begin = start_code(m, 0, &head);
    vcl = false;
    key = false;

    for (pos = begin; pos < m->len; ) {
        nal = pos + head;

        if (nal + 1 >= m->len) {
            break;
        }

        type = m->data[nal] & 0x1f;

        /* a first slice, or what comes in front of one */
        if (vcl && ((type >= 1 && type <= 5 && (m->data[nal + 1] & 0x80))
                    || (type >= 6 && type <= 9)))
        {
            if (!media_add(m, begin, pos - begin, key)) {
                return "no memory";
            }

            begin = pos;
            vcl = false;
            key = false;
        }

        vcl |= type >= 1 && type <= 5;
        key |= type == 5;
        pos = start_code(m, nal, &head);
    }

    if (vcl && !media_add(m, begin, m->len - begin, key)) {
        return "no memory";
    }

    return m->nframes != 0 ? NULL : "neither IVF nor Ogg nor Annex B";
}


/* Pages (RFC 3533) with Opus (RFC 7845): the first two packets are heads. */
static const char *
media_ogg(media_t *m)
{
    size_t    pos, body, begin, to, n;
    uint8_t  *p, segments, lacing[255];
    unsigned  i, packets;

    m->codec = CR_CODEC_OPUS;
    m->clock_rate = 48000;
    m->step = 960;
    packets = 0;

    /* packets are moved to the front, so that each is in one piece */
    begin = 0;
    to = 0;

    for (pos = 0; m->len - pos >= 27; pos = body) {
        p = m->data + pos;
        segments = p[26];

        if (memcmp(p, "OggS", 4) != 0
            || m->len - pos < 27 + (size_t) segments)
        {
            return "an Ogg file is damaged";
        }

        memcpy(lacing, p + 27, segments);
        body = pos + 27 + segments;

        for (i = 0; i < segments; i++) {
            n = lacing[i];

            if (n > m->len - body) {
                return "an Ogg file is damaged";
            }

            memmove(m->data + to, m->data + body, n);
            to += n;
            body += n;

            if (n == 255) {
                continue;
            }

            if (packets++ >= 2 && to > begin
                && !media_add(m, begin, to - begin, true))
            {
                return "no memory";
            }

            begin = to;
        }
    }

    return NULL;
}
