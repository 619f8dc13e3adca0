#!/bin/sh
# What a fake camera and microphone of one participant show and play:
#
#     fake-devices.sh NAME COLOR FREQUENCY PREFIX
#
# writes PREFIX.mjpeg (640x480, 30 fps, the rate at which Chromium plays it)
# and PREFIX.wav (48 kHz), 10 s each; Chromium plays them in a loop.  A card
# of one colour with the name and a block that swings; at every full second
# it flashes white and beeps for 100 ms.

set -eu

name=$1 color=$2 frequency=$3 prefix=$4

font=$(fc-match -f '%{file}' sans:bold)

ffmpeg -v error -y -f lavfi -i "
    color=c=$color:s=640x480:r=30:d=10,
    drawtext=fontfile=$font:text='$name':fontsize=72:fontcolor=black@0.85:
        x=(w-tw)/2:y=90,
    drawtext=fontfile=$font:text='%{pts\:hms}':fontsize=32:
        fontcolor=black@0.6:x=(w-tw)/2:y=190 [card];
    color=c=black@0.35:s=60x60:r=30:d=10,format=yuva420p [block];
    [card][block] overlay=x='290+230*sin(PI*t/2.5)':y=340,
    drawbox=x=0:y=0:w=iw:h=ih:t=fill:c=white:enable='lt(mod(t\,1)\,0.1)'" \
    -c:v mjpeg -q:v 4 -pix_fmt yuvj420p -huffman default -f mjpeg \
    "$prefix.mjpeg"

ffmpeg -v error -y -f lavfi \
    -i "aevalsrc=0.4*sin(2*PI*$frequency*t)*lt(mod(t\,1)\,0.1):s=48000:d=10" \
    -ac 1 -c:a pcm_s16le "$prefix.wav"
