#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# aiortc publishes VP8 and Opus: a WebRTC written apart from libwebrtc, from
# Firefox' and from GStreamer's.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Media qw(run tone_series tone_level);
use CallRecorder::Recorder;
use Test::More;

my $SECONDS = 8;

my $rec = CallRecorder::Recorder->new(mix => 'recording_mix off;',
                                      http => 'recording_chunk 3s;');
my $token = $rec->token(call => 'room', sub => 'snake',
                        perms => ['publish']);
my $id = $rec->start_recording;

open my $publisher, '-|', '/usr/bin/python3',
    "$FindBin::Bin/aiortc-publish.py",
    "http://127.0.0.1:$rec->{http}/whip/room", $token, $SECONDS
    or die "aiortc-publish.py: $!";
my $said = do { local $/; <$publisher> };
close $publisher;

is $?, 0, 'it publishes' or diag $said, $rec->error_log;

$rec->stop_recording;
is $rec->wait_status($id, 'completed')->{status}, 'completed',
    'the recording is completed';

my @journal = $rec->journal($id);
my @chunks = grep { $_->{ev} eq 'chunk_close' } @journal;
my %open = map { $_->{chunk} => $_ }
    grep { $_->{ev} eq 'chunk_open' } @journal;

is_deeply [ grep { $_->{ev} eq 'gap' } @journal ], [], 'nothing is lost';
cmp_ok scalar(@chunks), '>=', 2, 'there are several chunks';
cmp_ok $chunks[-1]{endMs} - $chunks[0]{startMs}, '>', 1000 * ($SECONDS - 3),
    'for as long as it was there';

my ($pictures, $moved, $loud) = (0, 0, 0);

for my $chunk (@chunks) {
    my $file = $rec->folder($id) . "/$open{ $chunk->{chunk} }{file}";
    my @bars = bars($file);
    my @tone = tone_series($file, 600);

    $pictures += @bars;
    $moved += grep { $bars[$_] != $bars[ $_ - 1 ] } 1 .. $#bars;
    $loud += tone_level(\@tone, $_, $_ + 0.5) > 0.1
        for map { $_ / 2 } 2 * $chunk->{startMs} / 1000
            .. 2 * $chunk->{endMs} / 1000 - 1;
}

cmp_ok $pictures, '>', 3 * $SECONDS, 'pictures';
cmp_ok $moved, '>', 0.9 * ($pictures - @chunks), 'in which the bar moves on';
cmp_ok $loud, '>=', 2 * ($SECONDS - 4), 'and the tone';
diag sprintf '%d pictures, %d with a step, %d half seconds of tone',
    $pictures, $moved, $loud;

$rec->stop;
done_testing();


# Where the white bar begins in each picture of a file.
sub bars
{
    my ($file) = @_;

    my $raw = run(qw(ffmpeg -v error -xerror -i), $file, qw(-map 0:v -vf),
        'settb=1/30,setpts=N,scale=320:1:flags=area',
        qw(-pix_fmt gray -fps_mode passthrough -f rawvideo -));

    return map {
        my @row = unpack 'C*', $_;
        my ($first) = grep { $row[$_] > 170 } 0 .. $#row;

        $first // die "a picture without its bar in $file\n";
    } $raw =~ /(.{320})/gs;
}
