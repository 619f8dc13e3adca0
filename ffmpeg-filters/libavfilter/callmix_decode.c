/*
 * Copyright (C) The call recorder authors
 *
 * Decoders are kept from one chunk to the next: sound goes on without a seam.
 */

#include <string.h>

#include "libavutil/error.h"
#include "libavutil/log.h"

#include "callmix_media.h"


int
ff_callmix_decoder_fits(const AVCodecContext *dec,
                        const AVCodecParameters *par)
{
    if (!dec || dec->codec_id != par->codec_id
        || dec->extradata_size != par->extradata_size)
    {
        return 0;
    }

    return !par->extradata_size
           || !memcmp(dec->extradata, par->extradata, par->extradata_size);
}


int
ff_callmix_same_parameters(const AVCodecParameters *a,
                           const AVCodecParameters *b)
{
    return a && a->codec_id == b->codec_id
           && a->extradata_size == b->extradata_size
           && (!a->extradata_size
               || !memcmp(a->extradata, b->extradata, a->extradata_size));
}


int
ff_callmix_decoder_open(AVCodecContext **decp, const AVCodecParameters *par,
                        void *log_ctx)
{
    const AVCodec  *codec;
    AVCodecContext *dec;
    int             ret;

    if (ff_callmix_decoder_fits(*decp, par))
        return 0;

    avcodec_free_context(decp);

    codec = avcodec_find_decoder(par->codec_id);
    if (!codec) {
        av_log(log_ctx, AV_LOG_WARNING, "no decoder for %s\n",
               avcodec_get_name(par->codec_id));
        return AVERROR_DECODER_NOT_FOUND;
    }

    dec = avcodec_alloc_context3(codec);
    if (!dec)
        return AVERROR(ENOMEM);

    ret = avcodec_parameters_to_context(dec, par);
    if (ret >= 0) {
        dec->pkt_timebase = AV_TIME_BASE_Q;
        /* participants are decoded beside each other */
        dec->thread_count = 1;
        ret = avcodec_open2(dec, codec, NULL);
    }

    if (ret < 0) {
        av_log(log_ctx, AV_LOG_WARNING, "cannot decode %s: %s\n", codec->name,
               av_err2str(ret));
        avcodec_free_context(&dec);
        return ret;
    }

    *decp = dec;
    return 0;
}
