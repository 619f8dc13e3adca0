#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# Firefox, which has WebRTC code of its own around ICE and DTLS: what it says
# that it has sent is in the chunks byte by byte, what it shows and plays is in
# the mix, and it may be killed.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Netns;
use CallRecorder::Browser qw(browser page);
use CallRecorder::Ledger qw(ledger_ok recorded);
use CallRecorder::Media qw(probe run tone_series tone_level);
use CallRecorder::Recorder;
use List::Util qw(max min);
use Test::More;

# that of Firefox' fake microphone
my $TONE = 1000;
my $SECONDS = 10;

my $rec = CallRecorder::Recorder->new(
    rtc => 'listen ' . CallRecorder::Netns::ADDRESS . ':{{udp}};
            session_timeout 5s;',
    http => 'recording_chunk 3s;',
    page());

subtest 'VP8' => sub { records('vp8') };
subtest 'VP9' => sub { records('vp9') };
subtest 'AV1' => sub { records('av1') };
subtest 'killed, and back' => \&killed;

$rec->stop;
done_testing();


sub publishes
{
    my ($codec) = @_;

    my $firefox = browser($rec, 'alice', firefox => 1, ledger => 1,
                          query => "codec=$codec");

    ok $firefox->wait_event('connected', 120), 'it publishes'
        or BAIL_OUT($firefox->said . $rec->error_log);

    return $firefox;
}


sub records
{
    my ($codec) = @_;

    my $id = $rec->start_recording;
    my $firefox = publishes($codec);

    sleep $SECONDS;
    $rec->stop_recording;
    sleep 1;
    $firefox->leave;
    ok $firefox->wait_event('left', 60), 'it leaves' or diag $firefox->said;

    my $data = $rec->wait_status($id, 'completed', 120);

    is $data->{status}, 'completed', 'the recording is completed'
        or diag explain $data->{error};
    is_deeply $data->{interruptions}, [], 'without an interruption';

    my @journal = $rec->journal($id);
    my %codec = map { $_->{kind} => $_->{codec} }
        grep { $_->{ev} eq 'track' } @journal;

    is_deeply \%codec, { video => $codec, audio => 'opus' },
        'the journal names the codecs';
    is scalar(grep { $_->{ev} eq 'gap' && $_->{packets} != 0 } @journal), 0,
        'nothing is lost';

    my ($ledger) = $firefox->events('ledger');

    # in chunks AV1 is without what RTP adds to it
    ledger_ok($rec, $id, 'alice', $ledger, $SECONDS / 2, 'Firefox')
        if $codec ne 'av1';

    chunks_show($id, $codec);
    mix_shows($rec->folder($id) . '/outputs/composite.mp4', $data);
}


# Firefox' fake camera walks round the colours, in each picture one step of
# one of both colour differences; the corners of its way are 16 and 240.
sub chunks_show
{
    my ($id, $codec) = @_;

    my ($before, $pictures, $steps, $worst) = (undef, 0, 0, 0);

    for my $open (grep { $_->{ev} eq 'chunk_open' } $rec->journal($id)) {
        next if !grep { $_->{kind} eq 'video' } @{ $open->{tracks} };

        for (walk($rec->folder($id) . "/$open->{file}", $codec)) {
            my $step = ($_ - ($before // $_)) % 896;

            $step -= 896 if $step > 448;
            $worst = $step if abs $step > abs $worst;
            $steps += $step;
            $before = $_;
            $pictures++;
        }
    }

    cmp_ok $pictures, '>=', 3 * $SECONDS, 'pictures, without an error';
    cmp_ok abs($steps), '>=', 0.5 * $pictures, 'they show how time goes on';
    diag "$codec: $pictures pictures, $steps steps of colour, "
        . "at most $worst at once";
}


# Where on its way each picture of a file is: 4 sides of 224 steps.
sub walk
{
    my ($file, $codec) = @_;

    my $decoder = $codec eq 'av1' ? 'libdav1d' : $codec;
    my $raw = run(qw(ffmpeg -v error -xerror -c:v), $decoder, '-i', $file,
        qw(-map 0:v -vf), 'settb=1/30,setpts=N,scale=1:1:flags=area',
        qw(-pix_fmt yuv444p -fps_mode passthrough -f rawvideo -));

    return map {
        my ($y, $cb, $cr) = unpack 'C3', $_;
        my ($u, $v) = map { min(224, max(0, $_ - 16)) } $cb, $cr;

        $v <= 12 ? $u : $u >= 212 ? 224 + $v
            : $v >= 212 ? 448 + 224 - $u : 672 + 224 - $v;
    } $raw =~ /(...)/gs;
}


sub mix_shows
{
    my ($file, $data) = @_;

    my $probe = probe($file);
    my %stream = map { $_->{codec_type} => $_ } @{ $probe->{streams} };

    for my $kind (qw(video audio)) {
        cmp_ok abs($stream{$kind}{duration} - $data->{durationMs} / 1000),
            '<', 0.3, "its $kind is as long as it was recorded";
    }

    my @tone = tone_series($file, $TONE);
    my @heard = grep { tone_level(\@tone, $_, $_ + 1) > 0.02 }
        0 .. $data->{durationMs} / 1000;

    # a loaded machine lets it pause
    cmp_ok scalar @heard, '>', 0.7 * $data->{durationMs} / 1000,
        'its tone is heard';

    # a tile of one colour on black; which colour, changes
    my @colors = map {
        run(qw(ffmpeg -v error -ss), $_, '-i', $file, qw(-frames:v 1 -vf),
            'crop=400:300:440:210,scale=1:1:flags=area',
            qw(-pix_fmt yuv444p -f rawvideo -));
    } 1, $data->{durationMs} / 1000 - 1;

    my @far = map { max(map { abs($_ - 128) } (unpack 'C3', $_)[1, 2]) }
        @colors;

    cmp_ok min(@far), '>', 40, 'its colours are to be seen';
    isnt $colors[0], $colors[1], 'and change';
}


sub killed
{
    my $id = $rec->start_recording;
    my $firefox = publishes('vp8');

    $rec->wait_for(sub { $rec->status($id)->{durationMs} }, 30);
    sleep 6;

    my ($connected) = $firefox->events('connected');

    # all its processes, before one of them can say good-bye for the others
    kill $_ => -$connected->{pid} for qw(STOP KILL);

    ok $rec->wait_for(sub {
        grep { $_->{ev} eq 'leave' } $rec->journal($id);
    }, 60), 'that it has gone is seen';

    my ($leave) = grep { $_->{ev} eq 'leave' } $rec->journal($id);

    is $leave->{reason}, 'consent-expired', 'by its silence';

    my $frames = recorded($rec, $id, 'alice');
    my $seconds = ($frames->{audio}[-1][0] - $frames->{audio}[0][0]) / 1000;

    cmp_ok $seconds, '>', 4, 'what it has sent is in the chunks';

    $firefox = publishes('vp8');
    sleep 4;
    $rec->stop_recording;
    $firefox->leave;
    $firefox->wait_event('left', 60);

    my $data = $rec->wait_status($id, 'completed', 120);

    is $data->{status}, 'completed', 'the recording is completed';
    is scalar @{ $data->{participants} }, 1, 'it was one participant';

    my $file = $rec->folder($id) . '/outputs/composite.mp4';
    my @tone = tone_series($file, $TONE);
    my $back = (grep { $_->{ev} eq 'join' } $rec->journal($id))[1]{tMs};
    my ($first) = map { $_->{firstMediaMs} } grep { $_->{ev} eq 'stop' }
        $rec->journal($id);
    my @seconds = map { ($_ - $first) / 1000 } $leave->{tMs}, $back,
        $data->{durationMs} + $first;

    cmp_ok tone_level(\@tone, 1, 4), '>', 0.02, 'it is heard before';
    cmp_ok tone_level(\@tone, $seconds[0] - 2, $seconds[1] - 1), '<', 0.01,
        'not while it is away';
    cmp_ok tone_level(\@tone, $seconds[2] - 2, $seconds[2]), '>', 0.02,
        'and again when it is back';
}
