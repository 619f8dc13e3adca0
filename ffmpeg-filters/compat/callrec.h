/*
 * Copyright (C) The call recorder authors
 *
 * What differs between FFmpeg 5.1, 7.1 and 9.0.  The only place that looks at
 * version numbers; define CALLREC_FILTER or CALLREC_MUXER before including it.
 */

#ifndef COMPAT_CALLREC_H
#define COMPAT_CALLREC_H


#if defined(CALLREC_FILTER)

#include "libavfilter/version.h"
#include "libavfilter/version_major.h"
#include "libavfilter/avfilter.h"
#include "libavfilter/filters.h"
#include "libavfilter/formats.h"

#if LIBAVFILTER_VERSION_MAJOR < 10
#include "libavfilter/internal.h"
#endif

/* FFFilter: its public part is the member p. */

#if LIBAVFILTER_VERSION_MAJOR < 11
#define CALLREC_FILTER_TYPE         AVFilter
#define CALLREC_FILTER_PUBLIC(m)    .m
#else
#define CALLREC_FILTER_TYPE         FFFilter
#define CALLREC_FILTER_PUBLIC(m)    .p.m
#endif

/* ff_filter_link(): 7.1 moved the frame rate out of AVFilterLink. */

#if LIBAVFILTER_VERSION_INT < AV_VERSION_INT(10, 4, 100)
#define callrec_set_frame_rate(link, rate)  ((link)->frame_rate = (rate))
#else
#define callrec_set_frame_rate(link, rate)                                  \
    (ff_filter_link(link)->frame_rate = (rate))
#endif

/* Colour space and range are negotiated since 7.0 (libavfilter 9.16). */

#if LIBAVFILTER_VERSION_INT < AV_VERSION_INT(9, 16, 100)
#define callrec_ref_colors(cfg, spaces, ranges)                             \
    ((void)(spaces), (void)(ranges), 0)
#else
#define callrec_ref_colors(cfg, spaces, ranges)                             \
    callrec_ref_color_lists(cfg, spaces, ranges)

static inline int
callrec_ref_color_lists(AVFilterFormatsConfig *cfg, const int *spaces,
                        const int *ranges)
{
    int ret;

    ret = ff_formats_ref(ff_make_format_list(spaces), &cfg->color_spaces);
    if (ret < 0)
        return ret;

    return ff_formats_ref(ff_make_format_list(ranges), &cfg->color_ranges);
}
#endif

#endif /* CALLREC_FILTER */


#if defined(CALLREC_MUXER)

#include "libavformat/version.h"
#include "libavformat/version_major.h"
#include "libavformat/avformat.h"
#include "libavformat/internal.h"
#include "libavformat/url.h"

#if LIBAVFORMAT_VERSION_MAJOR < 60
#include "libavcodec/codec_par.h"
#define CALLREC_MUXER_TYPE          AVOutputFormat
#define CALLREC_MUXER_PUBLIC(m)     .m
#else
#include "libavformat/mux.h"
#define CALLREC_MUXER_TYPE          FFOutputFormat
#define CALLREC_MUXER_PUBLIC(m)     .p.m
#endif

/* The data of an AVIOContext's write callback became const in 7.0. */

#if LIBAVFORMAT_VERSION_MAJOR < 61
typedef uint8_t  callrec_write_data;
#else
typedef const uint8_t  callrec_write_data;
#endif

#endif /* CALLREC_MUXER */


#endif /* COMPAT_CALLREC_H */
