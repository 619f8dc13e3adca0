#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# Chunk files as other programs see them: ffmpeg encodes and packetises, our
# depacketisers and the chunk writer make files of it, ffprobe and ffmpeg read
# them, whole and cut off anywhere.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Chunks qw(rtp interleave chunks packets decoded folder);
use CallRecorder::Media;
use Test::More;

use constant FRAMES => 100;         # of video, 25 a second
use constant PACKETS => 200;        # of sound, 20 ms each

my $dir = folder();


my @sound = rtp(97, qw(-f lavfi -i), 'sine=440:48000:duration=4',
    qw(-ac 2 -c:a libopus -frame_duration 20));

my %video = (
    vp8  => [ qw(-c:v libvpx -deadline realtime -b:v 500k -g 25) ],
    h264 => [ qw(-c:v libx264 -preset ultrafast -tune zerolatency -g 25
        -pix_fmt yuv420p -bf 0) ],
);

for my $codec (sort keys %video) {
    my @picture = rtp(96, qw(-f lavfi -i), 'testsrc2=s=426x240:r=25:d=4',
        @{ $video{$codec} });

    my $frames = chunks($codec, 1900, [ "$codec:96", 'opus:97' ],
        interleave([ 90000, 48000 ], \@picture, \@sound));

    # a keyframe each second: chunks of two seconds

    is_deeply([ sort keys %$frames ], [ 1, 2 ], "$codec: two chunks");
    is(@{ $frames->{1}{1} } + @{ $frames->{2}{1} }, FRAMES,
        "$codec: every picture is in them");

    for my $n (1, 2) {
        my $file = sprintf "%s/%s/%06d.mkv", $dir, $codec, $n;
        my $probe = CallRecorder::Media::probe($file);
        my ($v, $a) = @{ $probe->{streams} };

        is($v->{codec_name}, $codec, "$codec $n: the codec of track 1");
        is("$v->{width}x$v->{height}", '426x240', "$codec $n: its size");
        is($a->{codec_name}, 'opus', "$codec $n: the codec of track 2");
        is($a->{channels}, 2, "$codec $n: its channels");

        my @seen = packets($file);

        is($seen[1][0][0], 1, "$codec $n: it begins with a keyframe");

        for my $track (1, 2) {
            is_deeply($seen[$track], $frames->{$n}{$track},
                "$codec $n: track $track has our frames and their times");
            is(scalar decoded($file, $track - 1),
                scalar @{ $frames->{$n}{$track} },
                "$codec $n: track $track decodes without an error");
        }
    }


    # Cut off anywhere, the file is readable to its last whole cluster.

    my $file = "$dir/$codec/000001.mkv";
    open my $in, '<:raw', $file or die "$file: $!";
    my $bytes = do { local $/; <$in> };

    # id, size (8 bytes, the first is the marker), content
    my @ends;
    push @ends, $+[0] + unpack 'N', $2
        while $bytes =~ /\x1f\x43\xb6\x75(\x01\0\0\0)(....)/gs;

    cmp_ok(scalar @ends, '>=', 4, "$codec: clusters of half a second");
    is($ends[-1], length $bytes, "$codec: which fill the file");

    my (@whole, @bad);

    for my $end (@ends) {
        open my $out, '>:raw', "$dir/cut.mkv" or die "cut: $!";
        print $out substr $bytes, 0, $end;
        close $out or die "cut: $!";

        push @whole, [ map { scalar @{ $_ // [] } }
            (packets("$dir/cut.mkv"))[1, 2] ];
    }

    my $head = $ends[0] - 1;

    for my $cut (map { int($head + $_ * (length($bytes) - $head) / 23) }
        0 .. 22)
    {
        open my $out, '>:raw', "$dir/cut.mkv" or die "cut: $!";
        print $out substr $bytes, 0, $cut;
        close $out or die "cut: $!";

        my ($last) = grep { $ends[$_] <= $cut } reverse 0 .. $#ends;
        my @want = defined $last ? @{ $whole[$last] } : (0, 0);
        my @have = map { scalar @{ $_ // [] } }
            (packets("$dir/cut.mkv"))[1, 2];

        push @bad, "$cut: @have, not @want"
            if $have[0] < $want[0] || $have[1] < $want[1];
    }

    is("@bad", '', "$codec: cut anywhere it keeps its whole clusters");
    is_deeply($whole[-1],
        [ map { scalar @{ $frames->{1}{$_} } } 1, 2 ],
        "$codec: and whole it has all");
}


my $frames = chunks('opus', 1900, ['opus:97'],
    interleave([ 48000 ], \@sound));

is_deeply([ sort keys %$frames ], [ 1, 2, 3 ], 'sound alone is cut on time');

for my $n (1 .. 3) {
    my $file = sprintf "%s/opus/%06d.mkv", $dir, $n;
    my @seen = packets($file);

    is_deeply($seen[1], $frames->{$n}{1}, "opus $n: our packets");
    is(scalar decoded($file, 0), scalar @{ $frames->{$n}{1} }, "opus $n: which decode");
}

cmp_ok(@{ $frames->{1}{1} } + @{ $frames->{2}{1} } + @{ $frames->{3}{1} },
    '>=', PACKETS, 'opus: and every packet is in them');

done_testing();
