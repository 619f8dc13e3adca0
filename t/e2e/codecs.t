#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# A real browser that asks for VP9 and for AV1 gets them, with redundant sound
# beside; what lies on disk is decoded by the ffmpeg that mixes.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Browser qw(browser page);
use CallRecorder::Media qw(run);
use CallRecorder::Recorder;
use Test::More;

my $ffmpeg = $ENV{FFMPEG}
    // "$CallRecorder::Nginx::ROOT/build/ffmpeg/ffmpeg";
my $seconds = 8;

for my $codec (qw(vp9 av1)) {
    subtest "Chromium with $codec" => sub { records($codec) };
}

done_testing();


sub records
{
    my ($codec) = @_;

    my $rec = CallRecorder::Recorder->new(
        mix => 'recording_mix off;',
        rtc => 'codecs red;',
        page());

    my $id = $rec->start_recording;
    my $browser = browser($rec, 'alice', query => "codec=$codec");

    ok $browser->wait_event('connected', 30), 'it publishes'
        or diag $browser->said;

    sleep $seconds;
    $browser->leave;
    ok $browser->wait_event('left', 10), 'it leaves' or diag $browser->said;

    $rec->stop_recording;
    is $rec->wait_status($id, 'completed')->{status}, 'completed',
        'the recording is completed';

    my @journal = $rec->journal($id);
    my ($track) = grep { $_->{ev} eq 'track' && $_->{kind} eq 'video' }
        @journal;

    is $track->{codec}, $codec, 'the journal names the codec';
    is scalar(grep { $_->{ev} eq 'gap' } @journal), 0, 'nothing is lost';

    my @chunks = grep { $_->{ev} eq 'chunk_close' } @journal;
    my %open = map { $_->{chunk} => $_ }
        grep { $_->{ev} eq 'chunk_open' } @journal;
    my ($pictures, $ms) = (0, 0);

    cmp_ok scalar @chunks, '>=', 1, 'there are chunks';

    for my $chunk (@chunks) {
        my $file = $rec->folder($id) . "/$open{ $chunk->{chunk} }{file}";
        my $probe = CallRecorder::Media::probe($file);
        my %stream = map { $_->{codec_type} => $_ } @{ $probe->{streams} };

        is $stream{audio}{codec_name}, 'opus', "chunk $chunk->{chunk}: sound";
        $ms += $chunk->{endMs} - $chunk->{startMs};

        # sound alone, until the first keyframe
        next if !$stream{video};

        is $stream{video}{codec_name}, $codec,
            "chunk $chunk->{chunk}: the codec";
        cmp_ok $stream{video}{width}, '>=', 320,
            "chunk $chunk->{chunk}: the size";

        my @lines = split /\n/, run($ffmpeg, qw(-v error -xerror -nostdin -i),
            $file, qw(-map 0:v -f framecrc -));
        $pictures += grep { !/^#/ } @lines;
    }

    cmp_ok $pictures, '>=', 3 * $seconds, 'pictures, without an error';
    cmp_ok $ms, '>', 1000 * ($seconds - 4), 'for as long as it was there';

    $rec->stop;
}
