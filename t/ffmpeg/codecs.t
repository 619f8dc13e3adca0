#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# Every codec, from RTP to chunk files: what ffmpeg decodes from the chunks is
# what it decodes from what it encoded.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Chunks qw(rtp chunks packets decoded folder);
use CallRecorder::Media qw(run);
use CallRecorder::Mkv;
use Test::More;

use constant FRAMES => 50;          # of video, 25 a second
use constant SIZE => '322x182';     # no multiple of a block

my $dir = folder();


# AV1 as its RTP payload format has it, which this ffmpeg does not write: the
# OBUs of an IVF file without sizes, cut where packets are full.

sub leb128
{
    my ($v) = @_;
    my $bytes = '';

    do {
        $bytes .= chr(($v & 0x7f) | ($v > 0x7f ? 0x80 : 0));
        $v >>= 7;
    } while ($v);

    return $bytes;
}

sub obus
{
    my ($unit) = @_;
    my @obus;

    while (length $unit) {
        my $head = ord $unit;
        my $n = $head & 4 ? 2 : 1;
        my ($size, $shift) = (0, 0);

        for (my $more = 1; $more; $shift += 7) {
            my $byte = ord substr $unit, $n++, 1;
            $size |= ($byte & 0x7f) << $shift;
            $more = $byte & 0x80;
        }

        # without its size; temporal delimiters are left out
        push @obus, chr($head & ~2) . ($head & 4 ? substr $unit, 1, 1 : '')
            . substr $unit, $n, $size
            if ($head >> 3 & 15) != 2;

        substr $unit, 0, $n + $size, '';
    }

    return @obus;
}

sub av1_rtp
{
    my ($pt, $file, $max, $counted) = @_;

    open my $in, '<:raw', $file or die "$file: $!";
    my $ivf = do { local $/; <$in> };
    my ($at, $seq, @packets) = (32, 0);

    while ($at < length $ivf) {
        my ($size, $pts) = unpack 'V Q<', substr $ivf, $at, 12;
        my @obus = obus(substr $ivf, $at + 12, $size);
        $at += 12 + $size;

        my $z = 0;

        while (@obus) {
            my ($room, $y, @elements) = ($max, 0);

            # at most three elements when they are counted
            while (@obus && $room > 4 && !$y
                && !($counted && @elements == 3))
            {
                my $piece = substr $obus[0], 0, $room - 3, '';
                push @elements, $piece;
                $room -= 3 + length $piece;

                length $obus[0] ? $y = 1 : shift @obus;
            }

            my $payload = '';

            for my $i (0 .. $#elements) {
                $payload .= leb128(length $elements[$i])
                    unless $counted && $i == $#elements;
                $payload .= $elements[$i];
            }

            push @packets, pack 'C C n N N C a*', 0x80,
                $pt | (@obus ? 0 : 0x80), $seq++ & 0xffff, $pts * 3600, 1,
                $z << 7 | $y << 6 | ($counted ? @elements << 4 : 0),
                $payload;
            $z = $y;
        }
    }

    return @packets;
}


sub encode
{
    my ($file, @options) = @_;

    run(qw(ffmpeg -v error -nostdin -y -f lavfi -i),
        'testsrc2=s=' . SIZE . ':r=25:d=2', qw(-g 25), @options,
        "$dir/$file");

    return "$dir/$file";
}

# The frames of all chunks are those of the source.

sub compare
{
    my ($name, $codec, $source, $frames, @format) = @_;

    my @have;

    for my $n (sort { $a <=> $b } keys %$frames) {
        my $file = sprintf '%s/%s/%06d.mkv', $dir, $name, $n;
        my ($stream) = @{ CallRecorder::Media::probe($file)->{streams} };

        is($stream->{codec_name}, $codec, "$name $n: the codec");
        is("$stream->{width}x$stream->{height}", SIZE, "$name $n: the size")
            if $stream->{codec_type} eq 'video';

        my @seen = packets($file);
        is($seen[1][0][0], 1, "$name $n: it begins with a keyframe");
        is_deeply([ map { $_->[0] } @{ $seen[1] } ],
            [ map { $_->[0] } @{ $frames->{$n}{1} } ],
            "$name $n: and we know which are");

        push @have, decoded($file, 0, @format);
    }

    my @want = decoded($source, 0, @format);

    cmp_ok(scalar @want, '>', 0, "$name: the source has frames");
    is_deeply(\@have, \@want, "$name: they are those of the source");
}


my %video = (
    vp9 => [ 'vp9', 'vp9.mkv',
        qw(-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 400k) ],
    vp9_2 => [ 'vp9', 'vp9_2.mkv',
        qw(-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 400k
            -pix_fmt yuv420p10le -profile:v 2) ],
    h265 => [ 'hevc', 'h265.mkv',
        qw(-c:v libx265 -preset ultrafast -b:v 400k -pix_fmt yuv420p
            -x265-params log-level=none:bframes=0:keyint=25:min-keyint=25) ],
);

for my $name (sort keys %video) {
    my ($codec, $file, @options) = @{ $video{$name} };
    my $source = encode($file, @options);

    my @packets = grep { ord(substr $_, 1, 1) != 200 }
        rtp(96, '-i', $source, qw(-c copy),
            $codec eq 'hevc' ? qw(-bsf:v hevc_mp4toannexb) : ());

    my ($ours) = $name =~ /^([a-z0-9]+)/;
    my $frames = chunks($name, 900, [ "$ours:96" ], @packets);

    is_deeply([ sort keys %$frames ], [ 1, 2 ], "$name: a chunk a second");
    compare($name, $codec, $source, $frames);
}


# Elements with and without counts, small packets and large ones.

my $av1 = encode('av1.ivf', qw(-c:v libaom-av1 -usage realtime -cpu-used 8
    -lag-in-frames 0 -b:v 400k -pix_fmt yuv420p));

for (['av1', 1200, 0], ['av1_w', 1200, 1], ['av1_small', 100, 1]) {
    my ($name, $max, $counted) = @$_;

    my $frames = chunks($name, 900, ['av1:96'],
        av1_rtp(96, $av1, $max, $counted));

    is_deeply([ sort keys %$frames ], [ 1, 2 ], "$name: a chunk a second");
    compare($name, 'av1', $av1, $frames);
}


my %sound = (
    pcmu => [ 'pcm_mulaw', 0, qw(-ar 8000 -c:a pcm_mulaw) ],
    pcma => [ 'pcm_alaw', 8, qw(-ar 8000 -c:a pcm_alaw) ],
    g722 => [ 'adpcm_g722', 9, qw(-ar 16000 -c:a g722) ],
);

for my $name (sort keys %sound) {
    my ($codec, $pt, @options) = @{ $sound{$name} };

    my $source = "$dir/$name.wav";
    run(qw(ffmpeg -v error -nostdin -f lavfi -i sine=440:d=2 -ac 1),
        @options, $source);

    my @packets = grep { ord(substr $_, 1, 1) != 200 }
        rtp($pt, '-i', $source, qw(-c copy));

    my $frames = chunks($name, 5000, [ "$name:$pt" ], @packets);
    my $file = "$dir/$name/000001.mkv";
    my ($stream) = @{ CallRecorder::Media::probe($file)->{streams} };

    is($stream->{codec_name}, $codec, "$name: the codec");
    is($stream->{sample_rate}, $name eq 'g722' ? 16000 : 8000,
        "$name: the rate");
    is($stream->{channels}, 1, "$name: one channel");

    my @pcm = map {
        run(qw(ffmpeg -v error -nostdin -i), $_, qw(-f s16le -));
    } $source, $file;

    cmp_ok(length $pcm[0], '>=', 2 * 2 * 7990, "$name: two seconds");
    ok($pcm[0] eq $pcm[1], "$name: it sounds like its source");
}

# Opus: five sounds and one below them in one packet, each in its place.

{
    my $source = "$dir/multiopus.mkv";
    my @tones = map { 300 + 200 * $_ } 0 .. 5;

    run(qw(ffmpeg -v error -nostdin -f lavfi -i),
        'aevalsrc=' . join('|', map { "0.2*sin(2*PI*$_*t)" } @tones)
            . ':d=2:c=5.1:s=48000', qw(-c:a libopus -mapping_family 1
            -b:a 384k), $source);

    my $media = CallRecorder::Mkv::read_file($source);
    my $n = 0;
    my @packets = map { pack 'C C n N N a*', 0x80, 116, $n, 960 * $n++, 1,
        $_->{data} } @{ $media->{frames} };

    # what the encoder chose is what libwebrtc names in its offer
    is(unpack('H*', substr $media->{tracks}[0]{private}, 18),
        '010402000401020305', 'multiopus: the mapping is known');

    my $frames = chunks('multiopus', 5000, ['multiopus:116'], @packets);
    my $file = "$dir/multiopus/000001.mkv";
    my ($stream) = @{ CallRecorder::Media::probe($file)->{streams} };

    is(scalar keys %$frames, 1, 'multiopus: one chunk');
    is($stream->{codec_name}, 'opus', 'multiopus: the codec');
    is($stream->{channels}, 6, 'multiopus: six channels');
    is($stream->{channel_layout}, '5.1', 'multiopus: in their order');

    # the source's time in front is what we cannot know of a live stream
    my ($want, $have) = map {
        run(qw(ffmpeg -v error -nostdin -flags2 +skip_manual -i), $_,
            qw(-f f32le -));
    } $source, $file;

    cmp_ok(length $have, '>=', 6 * 4 * 90000, 'multiopus: two seconds');
    ok(index($have, substr $want, 24 * 4800, 24 * 48000) >= 0,
        'multiopus: it sounds like its source');
}

done_testing();
