#!/bin/sh
#
# Copyright (C) The call recorder authors
#
# overlay.sh FFMPEG_TREE
#
# Lays our filter and muxer over an unmodified FFmpeg source tree.  Can be run
# again: files that did not change are not touched, lines are added once.

set -eu

die()
{
    echo "overlay: $*" >&2
    exit 1
}

[ $# -eq 1 ] || die "usage: overlay.sh FFMPEG_TREE"

here=$(cd "$(dirname "$0")" && pwd)
tree=$1

[ -f "$tree/libavfilter/allfilters.c" ] || die "$tree is not an FFmpeg tree"


# add FILE LINE BEFORE: puts LINE before the first line that matches BEFORE

add()
{
    grep -qxF -- "$2" "$1" && return 0

    awk -v line="$2" -v before="$3" '
        !done && $0 ~ before { print line; done = 1 }
        { print }
        END { exit !done }' "$1" > "$1.new" \
        || die "$1 has no line like $3"

    mv "$1.new" "$1"
}


# The spelling of the tree's own entries: a neighbour with our name.

neighbour()
{
    sed -n "s/^\(extern const [A-Za-z]* *\)$2;.*/\1$3;/p" "$1" | grep . \
        || die "$1 has no $2"
}


for file in compat/callrec.h libavfilter/*.[ch] libavfilter/*.mak \
            libavformat/*.[ch] libavformat/*.mak
do
    case $file in
        compat/*) set -- "$here/$file" ;;
        *)        set -- "$here"/$file ;;
    esac

    for from in "$@"; do
        to=$tree/${from#"$here"/}
        cmp -s "$from" "$to" || cp "$from" "$to"
    done
done

filters=$tree/libavfilter/allfilters.c
line=$(neighbour "$filters" ff_avsrc_movie ff_avsrc_callmix)
add "$filters" "$line" '#include "libavfilter/filter_list.c"'

formats=$tree/libavformat/allformats.c
line=$(neighbour "$formats" ff_mp4_muxer ff_callrec_muxer)
add "$formats" "$line" '#include "libavformat/muxer_list.c"'

for lib in filter format; do
    name=$([ $lib = filter ] && echo callmix || echo callrec)
    line="include \$(SRC_PATH)/libav$lib/$name.mak"
    file=$tree/libav$lib/Makefile
    grep -qxF -- "$line" "$file" || printf '\n%s\n' "$line" >> "$file"
done
