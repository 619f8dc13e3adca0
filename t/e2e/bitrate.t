#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# Without congestion feedback a real browser stays at 300 kbit/s; with ours it
# ramps up: a noisy camera, which takes all the encoder may spend, is sent at
# several times that.  How soon and how far is a matter of the machine that
# encodes, too, and printed.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Browser qw(browser page);
use CallRecorder::Media qw(run);
use CallRecorder::Recorder;
use List::Util qw(max);
use Test::More;

# a loaded machine encodes slowly, so it has time to get there
my $seconds = 60;
my $enough_kbps = 1000;
my $max_kbps = 2500;

for my $codec (qw(vp8 h264)) {
    subtest "Chromium with $codec" => sub { ramp($codec) };
}

done_testing();


sub ramp
{
    my ($codec) = @_;

    my $rec = CallRecorder::Recorder->new(
        mix => 'recording_mix off;',
        rtc => "max_bitrate ${max_kbps}k;",
        page());
    my $camera = "$rec->{dir}/noise.mjpeg";

    run(qw(ffmpeg -v error -f lavfi -i),
        'color=gray:s=640x480:r=30:d=3,noise=alls=60:allf=t+u',
        qw(-c:v mjpeg -q:v 8 -pix_fmt yuvj420p -huffman default), $camera);

    my $id = $rec->start_recording;
    my $browser = browser($rec, 'alice', video => $camera,
                          query => "codec=$codec");

    ok $browser->wait_event('connected', 30), 'it publishes'
        or diag $browser->said;

    my $started = time;

    ok $rec->wait_for(sub {
        max(0, map { $_->{kbps} } $browser->events('rate')) > $enough_kbps;
    }, $seconds), "it gets over $enough_kbps kbit/s";

    diag sprintf '%s, after %d s; kbit/s each second: %s', $codec,
        time - $started, join ' ',
        map { $_->{kbps} } $browser->events('rate');

    # some seconds of it for the disk
    sleep 4;
    $browser->leave;
    ok $browser->wait_event('left', 10), 'it leaves' or diag $browser->said;

    $rec->stop_recording;
    is $rec->wait_status($id, 'completed')->{status}, 'completed',
        'the recording is completed';

    # and that is what lies on disk, not only what was sent
    my @closed = grep { $_->{ev} eq 'chunk_close' } $rec->journal($id);
    my @rates = map { $_->{sizeBytes} * 8 / ($_->{endMs} - $_->{startMs}) }
        grep { $_->{endMs} - $_->{startMs} > 1000 } @closed;

    cmp_ok max(@rates), '>', 0.6 * $enough_kbps, 'on disk, too' or diag "@rates";
    is scalar(grep { $_->{ev} eq 'gap' } $rec->journal($id)), 0,
        'nothing is lost';

    $rec->stop;
}

