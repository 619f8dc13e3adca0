#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# A second opinion on ingest: GStreamer publishes VP8 and H.264, and the
# chunks decode to what it sent.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Media qw(probe run luma_series);
use CallRecorder::Recorder;
use List::Util qw(max);
use Test::More;

my $seconds = 7;

for my $codec (qw(VP8 H264)) {
    subtest "GStreamer with $codec" => sub { publish($codec) };
}

done_testing();


sub publish
{
    my ($codec) = @_;

    my $rec = CallRecorder::Recorder->new(mix => 'recording_mix off;',
                                          http => 'recording_chunk 3s;');
    my $token = $rec->token(call => 'room', sub => 'gst',
                            perms => ['publish']);

    my $id = $rec->start_recording;

    open my $gst, '-|', '/usr/bin/python3', "$FindBin::Bin/gst-publish.py",
        $codec, "http://127.0.0.1:$rec->{http}/whip/room", $token, $seconds
        or die "gst-publish.py: $!";
    my $said = do { local $/; <$gst> };
    close $gst;

    is $?, 0, 'it publishes' or diag $said, $rec->error_log;

    $rec->stop_recording;
    is $rec->wait_status($id, 'completed')->{status}, 'completed',
        'the recording is completed';

    my @chunks = grep { $_->{ev} eq 'chunk_close' } $rec->journal($id);

    cmp_ok scalar(@chunks), '>=', 2, 'there are several chunks';

    my ($frames, $end);

    for my $chunk (@chunks) {
        my ($open) = grep { $_->{ev} eq 'chunk_open'
                            && $_->{chunk} == $chunk->{chunk} }
            $rec->journal($id);
        my $file = $rec->folder($id) . "/$open->{file}";
        my $probe = probe($file);
        my %codecs = map { $_->{codec_type} => $_->{codec_name} }
            @{ $probe->{streams} };

        is_deeply \%codecs, { video => lc $codec, audio => 'opus' },
            "chunk $chunk->{chunk} has video and sound";

        my @luma = luma_series($file);

        $frames += @luma;
        cmp_ok max(map { $_->[1] } @luma), '<', 60, 'a ball on black';

        is run(qw(ffmpeg -v error -i), $file, qw(-f null -)), '',
            'it decodes without a complaint';

        cmp_ok $open->{startMs} - $end, '<', 100, 'no hole in between'
            if defined $end;
        $end = $chunk->{endMs};
    }

    cmp_ok abs($frames - 30 * ($end - $chunks[0]{startMs}) / 1000), '<=', 3,
        'every frame is there';

    $rec->stop;
}
