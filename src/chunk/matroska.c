
/*
 * Copyright (C) The call recorder authors
 */

#include "chunk/matroska.h"
#include "chunk/ebml.h"


/* RFC 8794 section 11.2 */
#define CR_EBML_HEADER              0x1a45dfa3
#define CR_EBML_VERSION             0x4286
#define CR_EBML_READ_VERSION        0x42f7
#define CR_EBML_MAX_ID_LENGTH       0x42f2
#define CR_EBML_MAX_SIZE_LENGTH     0x42f3
#define CR_EBML_DOC_TYPE            0x4282
#define CR_EBML_DOC_VERSION         0x4287
#define CR_EBML_DOC_READ_VERSION    0x4285

/* RFC 9559 section 5.1 */
#define CR_MKV_SEGMENT              0x18538067
#define CR_MKV_INFO                 0x1549a966
#define CR_MKV_TIMESTAMP_SCALE      0x2ad7b1
#define CR_MKV_MUXING_APP           0x4d80
#define CR_MKV_WRITING_APP          0x5741
#define CR_MKV_TRACKS               0x1654ae6b
#define CR_MKV_TRACK_ENTRY          0xae
#define CR_MKV_TRACK_NUMBER         0xd7
#define CR_MKV_TRACK_UID            0x73c5
#define CR_MKV_TRACK_TYPE           0x83
#define CR_MKV_FLAG_LACING          0x9c
#define CR_MKV_LANGUAGE             0x22b59c
#define CR_MKV_CODEC_ID             0x86
#define CR_MKV_CODEC_PRIVATE        0x63a2
#define CR_MKV_SEEK_PRE_ROLL        0x56bb
#define CR_MKV_VIDEO                0xe0
#define CR_MKV_PIXEL_WIDTH          0xb0
#define CR_MKV_PIXEL_HEIGHT         0xba
#define CR_MKV_PROJECTION           0x7670
#define CR_MKV_PROJECTION_TYPE      0x7671
#define CR_MKV_PROJECTION_ROLL      0x7675
#define CR_MKV_AUDIO                0xe1
#define CR_MKV_SAMPLING_FREQUENCY   0xb5
#define CR_MKV_CHANNELS             0x9f

#define CR_MKV_TYPE_VIDEO           1
#define CR_MKV_TYPE_AUDIO           2

/* nanoseconds; Opus wants 80 ms to converge (RFC 7845 section 4.6) */
#define CR_MKV_SCALE_MS             1000000
#define CR_MKV_OPUS_PRE_ROLL        80000000

#define CR_MKV_G722_RATE            16000

#define CR_MKV_RECTANGULAR          0

/* a track number that is one byte in a block */
#define CR_MKV_NUMBER_MAX           126


static const char *
cr_matroska_codec(const cr_chunk_track_t *t)
{
    switch (t->codec) {

    case CR_CODEC_VP8:
        return t->kind == CR_KIND_VIDEO ? "V_VP8" : NULL;

    case CR_CODEC_H264:
        return t->kind == CR_KIND_VIDEO && t->config_size != 0
               ? "V_MPEG4/ISO/AVC" : NULL;

    case CR_CODEC_VP9:
        return t->kind == CR_KIND_VIDEO ? "V_VP9" : NULL;

    case CR_CODEC_AV1:
        return t->kind == CR_KIND_VIDEO && t->config_size != 0
               ? "V_AV1" : NULL;

    case CR_CODEC_H265:
        return t->kind == CR_KIND_VIDEO && t->config_size != 0
               ? "V_MPEGH/ISO/HEVC" : NULL;

    case CR_CODEC_PCMU:
    case CR_CODEC_PCMA:
    case CR_CODEC_G722:
        return t->kind == CR_KIND_AUDIO && t->config_size != 0
               ? "A_MS/ACM" : NULL;

    case CR_CODEC_OPUS:
        return t->kind == CR_KIND_AUDIO && t->config_size != 0
               ? "A_OPUS" : NULL;

    default:
        return NULL;
    }
}


/* RFC 9559 section 5.1.4.1.28.46: degrees counter-clockwise, up to 180 */
static void
cr_matroska_rotation(cr_writer_t *w, uint16_t clockwise)
{
    uint8_t  *p;

    if (clockwise == 0) {
        return;
    }

    p = cr_ebml_begin(w, CR_MKV_PROJECTION);
    cr_ebml_uint(w, CR_MKV_PROJECTION_TYPE, CR_MKV_RECTANGULAR);
    cr_ebml_float(w, CR_MKV_PROJECTION_ROLL,
                  clockwise > 180 ? 360 - clockwise : -clockwise);
    cr_ebml_end(w, p);
}


static bool
cr_matroska_track(cr_writer_t *w, const cr_chunk_track_t *t)
{
    uint8_t     *entry, *kind;
    uint32_t     rate;
    const char  *codec;

    codec = cr_matroska_codec(t);

    if (codec == NULL || t->number == 0 || t->number > CR_MKV_NUMBER_MAX
        || t->config_size > CR_CODEC_CONFIG_MAX)
    {
        return false;
    }

    entry = cr_ebml_begin(w, CR_MKV_TRACK_ENTRY);

    cr_ebml_uint(w, CR_MKV_TRACK_NUMBER, t->number);
    cr_ebml_uint(w, CR_MKV_TRACK_UID, t->number);
    cr_ebml_uint(w, CR_MKV_TRACK_TYPE, t->kind == CR_KIND_VIDEO
                                       ? CR_MKV_TYPE_VIDEO
                                       : CR_MKV_TYPE_AUDIO);
    cr_ebml_uint(w, CR_MKV_FLAG_LACING, 0);
    cr_ebml_string(w, CR_MKV_LANGUAGE, "und");
    cr_ebml_string(w, CR_MKV_CODEC_ID, codec);

    if (t->config_size != 0) {
        cr_ebml_binary(w, CR_MKV_CODEC_PRIVATE, t->config, t->config_size);
    }

    if (t->kind == CR_KIND_VIDEO) {
        kind = cr_ebml_begin(w, CR_MKV_VIDEO);
        cr_ebml_uint(w, CR_MKV_PIXEL_WIDTH, t->width);
        cr_ebml_uint(w, CR_MKV_PIXEL_HEIGHT, t->height);
        cr_matroska_rotation(w, t->rotation);
        cr_ebml_end(w, kind);

    } else {
        if (t->codec == CR_CODEC_OPUS) {
            cr_ebml_uint(w, CR_MKV_SEEK_PRE_ROLL, CR_MKV_OPUS_PRE_ROLL);
        }

        /* RFC 3551 section 4.5.2: G.722's RTP clock is half its rate */
        rate = t->codec == CR_CODEC_G722 ? CR_MKV_G722_RATE
                                         : t->sample_rate;

        kind = cr_ebml_begin(w, CR_MKV_AUDIO);
        cr_ebml_float(w, CR_MKV_SAMPLING_FREQUENCY, rate);
        cr_ebml_uint(w, CR_MKV_CHANNELS, t->channels);
        cr_ebml_end(w, kind);
    }

    cr_ebml_end(w, entry);

    return true;
}


bool
cr_matroska_head(cr_writer_t *w, const cr_chunk_track_t *tracks,
    unsigned ntracks)
{
    uint8_t   *p;
    unsigned   i;

    p = cr_ebml_begin(w, CR_EBML_HEADER);
    cr_ebml_uint(w, CR_EBML_VERSION, 1);
    cr_ebml_uint(w, CR_EBML_READ_VERSION, 1);
    cr_ebml_uint(w, CR_EBML_MAX_ID_LENGTH, 4);
    cr_ebml_uint(w, CR_EBML_MAX_SIZE_LENGTH, 8);
    cr_ebml_string(w, CR_EBML_DOC_TYPE, "matroska");
    cr_ebml_uint(w, CR_EBML_DOC_VERSION, 4);
    cr_ebml_uint(w, CR_EBML_DOC_READ_VERSION, 2);
    cr_ebml_end(w, p);

    /* unknown size: it ends where the file ends */
    cr_ebml_id(w, CR_MKV_SEGMENT);
    cr_write_u64(w, UINT64_C(0x01ffffffffffffff));

    p = cr_ebml_begin(w, CR_MKV_INFO);
    cr_ebml_uint(w, CR_MKV_TIMESTAMP_SCALE, CR_MKV_SCALE_MS);
    cr_ebml_string(w, CR_MKV_MUXING_APP, "callrec");
    cr_ebml_string(w, CR_MKV_WRITING_APP, "callrec");
    cr_ebml_end(w, p);

    p = cr_ebml_begin(w, CR_MKV_TRACKS);

    for (i = 0; i < ntracks; i++) {
        if (!cr_matroska_track(w, &tracks[i])) {
            return false;
        }
    }

    cr_ebml_end(w, p);

    return !w->overflow;
}
