#!/bin/sh
#
# Copyright (C) The call recorder authors
#
# build.sh SUITE OUTDIR [objects]
#
# Builds an FFmpeg of our own: the unmodified source that Debian's SUITE has,
# our filter and muxer laid over it, configured to what a mix needs.  The
# results are OUTDIR/ffmpeg and OUTDIR/ffprobe; with "objects" only our own
# files are compiled, to see whether they fit that version.
#
# environment:
#     JOBS            compilers at a time (all processors)
#     EXTRA_CFLAGS    more options for them

set -eu

die()
{
    echo "build: $*" >&2
    exit 1
}

[ $# -ge 2 ] || die "usage: build.sh SUITE OUTDIR [objects]"

here=$(cd "$(dirname "$0")" && pwd)
suite=$1
mkdir -p "$2"
out=$(cd "$2" && pwd)
what=${3:-}

"$here/../.ci/debian-source" ffmpeg "$suite" "$out/src"
"$here/overlay.sh" "$out/src"


ccache=$(command -v ccache > /dev/null && echo "ccache " || :)

# the decoders of what publishers send, the encoders and containers of what a
# mix becomes, and what tests look at both with

set -- --cc="${ccache}gcc" --extra-cflags="${EXTRA_CFLAGS:-}" \
    --extra-libs=-ljansson \
    --disable-everything --disable-autodetect --disable-doc --disable-debug \
    --disable-ffplay --disable-avdevice \
    --enable-gpl --enable-version3 --enable-pthreads \
    --enable-libx264 --enable-libdav1d --enable-openssl \
    --enable-swscale --enable-swresample \
    --enable-demuxer=matroska,mov,wav \
    --enable-decoder=vp8,vp9,h264,hevc,libdav1d,opus,pcm_mulaw,pcm_alaw \
    --enable-decoder=adpcm_g722,aac,pcm_s16le,pcm_f32le \
    --enable-decoder=rawvideo,wrapped_avframe \
    --enable-parser=vp8,vp9,h264,hevc,opus,av1,aac \
    --enable-bsf=h264_mp4toannexb,aac_adtstoasc,vp9_superframe \
    --enable-bsf=extract_extradata,null \
    --enable-encoder=libx264,aac,pcm_s16le,pcm_f32le,rawvideo \
    --enable-encoder=wrapped_avframe \
    --enable-muxer=callrec,mp4,mov,null,framecrc,framemd5,wav,rawvideo \
    --enable-muxer=pcm_f32le \
    --enable-protocol=file,pipe,http,https,tcp,tls \
    --enable-filter=callmix,format,scale,aresample,aformat,null,anull,fps \
    --enable-filter=setpts,asetpts,trim,atrim,split,asplit,volume,setparams \
    --enable-filter=nullsink,anullsink,transpose,hflip,vflip

mkdir -p "$out/obj"
cd "$out/obj"

wanted="$*
$(cat "$out/src/.debian-source")
$(grep -h 'callmix\|callrec' "$out/src/libavfilter/allfilters.c" \
       "$out/src/libavformat/allformats.c")"

if [ ! -f configured ] || [ "$(cat configured)" != "$wanted" ]; then
    "$out/src/configure" "$@" > configure.log 2>&1 || {
        tail -20 configure.log >&2
        die "configure failed, see $out/obj/ffbuild/config.log"
    }

    for name in callmix_filter callrec_muxer libx264_encoder opus_decoder; do
        grep -qi "define CONFIG_$name 1" config_components.h \
            || die "configure left out $name"
    done

    echo "$wanted" > configured
fi


set -- -j "${JOBS:-$(nproc)}"

if [ "$what" = objects ]; then
    for file in "$here"/libavfilter/*.c "$here"/libavformat/*.c; do
        object=${file#"$here"/}
        set -- "$@" "${object%.c}.o"
    done
fi

make "$@" > make.log 2>&1 || {
    grep -n 'error' make.log >&2 || tail -20 make.log >&2
    die "make failed, see $out/obj/make.log"
}

if grep 'call\(mix\|rec\).*warning:' make.log >&2; then
    die "warnings in our own files"
fi

if [ "$what" != objects ]; then
    cp ffmpeg ffprobe "$out/"
fi
