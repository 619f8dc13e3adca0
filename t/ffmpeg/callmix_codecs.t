#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# One call of ten people, each with another codec, from RTP to the mix: each
# has a colour and a tone.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Chunks qw(rtp chunks folder);
use CallRecorder::Media qw(run);
use CallRecorder::Mix;
use CallRecorder::Mkv;
use Test::More;

my $seconds = 3;
my $dir = folder();
my $mix = CallRecorder::Mix->new;
my $n = 0;


sub packets_of
{
    my ($name, $pt, @options) = @_;
    my $file = "$dir/source-$name.mkv";

    run(qw(ffmpeg -v error -nostdin -y -f lavfi), @options, $file);

    return grep { ord(substr $_, 1, 1) != 200 } rtp($pt, '-i', $file,
        qw(-c copy), # parameter sets in band
        $name =~ /^h26/ ? ('-bsf:v', ($name eq 'h265' ? 'hevc' : 'h264')
            . '_mp4toannexb') : ());
}

# A person with what rtp_chunks made of the packets.

sub person
{
    my ($id, $kind, $codec, $track, @packets) = @_;

    my $made = chunks($id, 1000 * $seconds * 2, [ $track ], @packets);

    cmp_ok(scalar keys %$made, '>=', 1, "$id: there are chunks");
    mkdir "$mix->{dir}/$id" or die;
    rename "$dir/$id", "$mix->{dir}/$id/s" or die;

    $mix->record($n++, ev => 'join', participantId => $id, sessionId => "s-$id",
        name => $id);

    for my $chunk (sort { $a <=> $b } keys %$made) {
        $mix->record(10, ev => 'chunk_open', participantId => $id,
            sessionId => "s-$id", chunk => $chunk, startMs => 0,
            file => sprintf('%s/s/%06d.mkv', $id, $chunk),
            tracks => [{ track => 1, kind => $kind, codec => $codec }]);
    }
}


my %video = (
    vp8 => [ 'red', qw(-c:v libvpx -deadline realtime -b:v 1M) ],
    vp9 => [ 'lime', qw(-c:v libvpx-vp9 -deadline realtime -cpu-used 8
        -b:v 1M) ],
    h264 => [ 'blue', qw(-c:v libx264 -preset ultrafast -tune zerolatency) ],
    h265 => [ 'yellow', qw(-c:v libx265 -preset ultrafast -x265-params
        log-level=none:bframes=0:keyint=25:min-keyint=25) ],
);
my @videos = sort keys %video;

for my $name (@videos) {
    my ($color, @options) = @{ $video{$name} };

    person($name, 'video', $name, "$name:96", packets_of($name, 96, '-i',
        "color=c=$color:s=320x180:r=25:d=$seconds",
        qw(-g 25 -pix_fmt yuv420p), @options));
}

# 10 bits of VP9, profile 2

person('vp92', 'video', 'vp9', 'vp9:96', packets_of('vp92', 96, '-i',
    "color=c=cyan:s=320x180:r=25:d=$seconds", qw(-g 25 -pix_fmt yuv420p10le
    -profile:v 2 -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 1M)));

# AV1's RTP payload format as far as single OBUs go that fit into a packet

{
    my $file = "$dir/source-av1.ivf";

    run(qw(ffmpeg -v error -nostdin -f lavfi -i),
        "color=c=magenta:s=320x180:r=25:d=$seconds", qw(-g 25 -pix_fmt yuv420p
        -c:v libaom-av1 -usage realtime -cpu-used 8 -lag-in-frames 0
        -b:v 500k), $file);

    open my $in, '<:raw', $file or die;
    my $ivf = do { local $/; <$in> };
    my ($at, $seq, @packets) = (32, 0);

    while ($at < length $ivf) {
        my ($size, $pts) = unpack 'V Q<', substr $ivf, $at, 12;
        my $unit = substr $ivf, $at + 12, $size;
        $at += 12 + $size;

        # without the temporal delimiter; W is 0: each has its length before
        $unit =~ s/^\x12\x00//;
        my $payload = "\x00";

        while (length $unit) {
            my $head = ord $unit;
            my ($shift, $pos, $len) = (0, 1, 0);

            for (my $more = 1; $more; $shift += 7) {
                my $byte = ord substr $unit, $pos++, 1;
                $len |= ($byte & 0x7f) << $shift;
                $more = $byte & 0x80;
            }

            my $obu = chr($head & ~2) . substr $unit, $pos, $len;
            substr $unit, 0, $pos + $len, '';

            my $v = length $obu;
            $payload .= chr(($v & 0x7f) | ($v > 0x7f ? 0x80 : 0)), $v >>= 7
                while $v;
            $payload .= $obu;
        }

        push @packets, pack 'C C n N N a*', 0x80, 0x80 | 96, $seq++,
            $pts * 3600, 1, $payload;
    }

    person('av1', 'video', 'av1', 'av1:96', @packets);
}


my %sound = (
    pcmu => [ 440, 0, qw(-ar 8000 -ac 1 -c:a pcm_mulaw) ],
    pcma => [ 660, 8, qw(-ar 8000 -ac 1 -c:a pcm_alaw) ],
    g722 => [ 880, 9, qw(-ar 16000 -ac 1 -c:a g722) ],
);

for my $name (sort keys %sound) {
    my ($tone, $pt, @options) = @{ $sound{$name} };
    my $file = "$dir/source-$name.wav";

    run(qw(ffmpeg -v error -nostdin -f lavfi -i),
        "aevalsrc=0.1*sin(2*PI*$tone*t):d=$seconds:s=48000", @options, $file);
    person($name, 'audio', $name, "$name:$pt",
        grep { ord(substr $_, 1, 1) != 200 } rtp($pt, '-i', $file,
            qw(-c copy)));
}

# a tone of its own in each of the six channels

{
    my $file = "$dir/source-multiopus.mkv";
    my $i = 0;

    run(qw(ffmpeg -v error -nostdin -f lavfi -i), 'aevalsrc=' . join('|',
        map { "0.1*sin(2*PI*$_*t)" } 1100, 1300, 1500, 60, 1700, 1900)
        . ":d=$seconds:c=5.1:s=48000", qw(-c:a libopus -mapping_family 1
        -b:a 384k), $file);

    person('multiopus', 'audio', 'opus', 'multiopus:116',
        map { my $seq = $i++; pack 'C C n N N a*', 0x80, 116, $seq,
            960 * $seq, 1, $_->{data} }
        @{ CallRecorder::Mkv::read_file($file)->{frames} });
}


$mix->stop(1000 * $seconds);
$mix->write_journal;
$mix->mix(size => '800x450', gap => 0);

is($mix->frames, 30 * $seconds, 'as long as the call');
unlike($mix->log, qr/no decoder|cannot decode|left out|damaged/,
    'all that was recorded is decoded');

# ten people, four in a row, the last two in the middle; those who begin in
# the same moment are in any order

my @tiles = map { my ($row, $column) = (int($_ / 4), $_ % 4);
    [200 * $column + 100 + ($row == 2 ? 200 : 0), 112 * $row + 113] } 0 .. 9;
my @seen = sort map { $mix->color(45, @$_) } @tiles;

is_deeply(\@seen, [ sort((map { $video{$_}[0] } @videos), qw(cyan magenta),
    ('tile') x 4) ], 'each picture is seen, in its colour');


sub level
{
    my ($tone, $channel) = @_;

    return $mix->tone($tone, 48000, 48000, $channel);
}

for my $name (sort keys %sound) {
    my $tone = $sound{$name}[0];

    ok(abs(level($tone, $_) - 0.1) < 0.015, "$name is heard at its level")
        or diag level($tone, $_)
        for 0, 1;
}

# left, right, centre, surround on the left and on the right

ok(abs(level(1100, 0) - 0.1) < 0.015, 'multiopus: left');
ok(level(1100, 1) < 0.005, '...and nowhere else');
ok(abs(level(1300, 1) - 0.1) < 0.015, 'multiopus: right');
ok(abs(level(1500, $_) - 0.0707) < 0.015, 'multiopus: centre') for 0, 1;
ok(level(1700, 0) > 0.05 && level(1700, 1) < 0.005,
    'multiopus: surround left');
ok(level(1900, 1) > 0.05 && level(1900, 0) < 0.005,
    'multiopus: surround right');

done_testing();
