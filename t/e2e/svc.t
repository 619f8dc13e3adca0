#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# A real browser that sends its video in layers of one stream (SVC): all of
# them lie on disk, byte for byte, what decodes is the uppermost one; and
# behind a network that loses packets nothing broken is passed off as whole.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Browser qw(browser page);
use CallRecorder::Ledger qw(recorded);
use CallRecorder::Loss;
use CallRecorder::Media qw(run);
use CallRecorder::Nginx;
use CallRecorder::Recorder;
use List::Util qw(max);
use Test::More;

my $seconds = 8;
my $ffmpeg = $CallRecorder::Recorder::FFMPEG;

my $relay;

END { kill KILL => $relay->{pid} if $relay && $relay->{pid}; }

for my $case ([ vp9 => 'L3T3', 3 ], [ vp9 => 'L3T3_KEY', 3 ],
              [ vp9 => 'L1T3', 1 ], [ av1 => 'L1T3', 1 ])
{
    subtest "@$case[0, 1]" => sub { clean(@$case) };
}

subtest 'vp9 L3T3 with loss' => sub { lossy('vp9', 'L3T3') };

done_testing();


# Without loss, and to the mix.
sub clean
{
    my ($codec, $mode, $layers) = @_;

    my $rec = CallRecorder::Recorder->new(rtc => 'max_bitrate 4m;', page());
    my ($id, $ledger) = record($rec, $codec, $mode) or return;
    my $status = $rec->wait_status($id, 'completed', 180);

    is $status->{status}, 'completed', 'the recording is completed';
    is scalar(gaps($rec, $id)), 0, 'nothing is lost';

    my ($whole, $broken, $missing) = pictures($rec, $id, $ledger);

    cmp_ok scalar @$whole, '>', 5 * $seconds, 'there are pictures';
    is moments($broken), '', 'each has all its layers, as they were sent';
    is max(map { scalar @{ $_->{parts} } } @$whole), $layers,
        "up to $layers of them";

    is moments($missing), '', 'none is missing';
    decodes($rec, $id, $whole);

    my ($out) = grep { $_->{kind} eq 'composite' } @{ $status->{outputs} };
    my $mp4 = $out->{location} =~ s{^file://}{}r;
    my $shown = grep { !/^#/ } split /\n/, run($ffmpeg,
        qw(-v error -xerror -nostdin -i), $mp4, qw(-map 0:v -f framecrc -));

    cmp_ok $shown, '>=', 30 * ($seconds - 4), 'the mix has its pictures';
    $rec->stop;
}


# What is in the chunks is whole, or the journal says that it is not; what is
# not there is in the journal, too.
sub lossy
{
    my ($codec, $mode) = @_;

    my $port = CallRecorder::Nginx::free_port('udp');
    my $rec = CallRecorder::Recorder->new(
        mix => 'recording_mix off;',
        rtc => "max_bitrate 4m; nack_timeout 110ms;
                public_address 127.0.0.1:$port;",
        page());

    $relay = CallRecorder::Loss::relay($rec->{udp}, '--listen', $port,
        qw(--delay 40 --loss 10 --spare-handshake));

    my ($id, $ledger) = record($rec, $codec, $mode) or return;
    my $network = CallRecorder::Loss::relay_stop($relay);

    $rec->wait_status($id, 'completed');
    cmp_ok $network->{up}{dropped}, '>', 0, 'packets were lost';

    my @gaps = gaps($rec, $id);
    my ($whole, $broken, $missing) = pictures($rec, $id, $ledger);

    cmp_ok scalar @gaps, '>', 0, 'some for good';
    cmp_ok scalar @$whole, '>', 5 * $seconds, 'most pictures are whole';

    # a gap is told at its end, which the stop was in front of
    my $last = $whole->[-1]{ms};
    @$_ = grep { $_->{ms} < $last } @$_ for $broken, $missing;

    for (['broken', $broken], ['missing', $missing]) {
        my ($what, $pictures) = @$_;

        is moments([ grep { !told($_->{ms}, @gaps) } @$pictures ]), '',
            scalar(@$pictures) . " $what, in a gap";
    }
    $rec->stop;
}


# A recording of so many seconds: its id, and what the browser sent.
sub record
{
    my ($rec, $codec, $mode) = @_;

    my $camera = "$rec->{dir}/camera.mjpeg";

    # layers have to be worth it: less than 1280x720 makes fewer of them
    run(qw(ffmpeg -v error -f lavfi -i testsrc2=s=1280x720:r=10:d=3),
        qw(-c:v mjpeg -q:v 6 -pix_fmt yuvj420p -huffman default), $camera);

    my $id = $rec->start_recording;
    my $browser = browser($rec, 'alice', ledger => 1, video => $camera,
        steps => "$FindBin::Bin/svc-steps.mjs",
        query => "codec=$codec&svc=$mode&bitrate=4000000");

    ok $browser->wait_event('connected', 60), 'it publishes'
        or diag($browser->said), return;

    sleep $seconds;
    $rec->stop_recording;
    $browser->leave;
    ok $browser->wait_event('left', 30), 'it leaves' or diag $browser->said;

    my ($ledger) = $browser->events('ledger');

    is $ledger->{stats}{video}{scalabilityMode}, $mode, "it sent $mode";

    return ($id, $ledger);
}


# The gaps of the video.
sub gaps
{
    my ($rec, $id) = @_;

    my @journal = $rec->journal($id);
    my ($video) = map { $_->{track} }
        grep { $_->{ev} eq 'track' && $_->{kind} eq 'video' } @journal;

    return grep { $_->{ev} eq 'gap' && $_->{track} == $video } @journal;
}


# For a diagnosis.
sub moments
{
    my ($pictures) = @_;

    return join ' ', map { sprintf '%.0f', $_->{ms} } @$pictures;
}


sub told
{
    my ($ms, @gaps) = @_;

    return grep { $ms >= $_->{fromMs} - 1 && $ms < $_->{toMs} } @gaps;
}


# From the first recorded picture to the last those of the sender that are on
# disk with all their layers, those that are otherwise, and those that are
# missing though the browser sent them: { ms, parts, key, size }.
sub pictures
{
    my ($rec, $id, $ledger) = @_;

    my (@sent, @got, %sent);

    for my $f (@{ $ledger->{video} }) {
        push @sent, { rtp => $f->[0], parts => [] }
            if !@sent || $sent[-1]{rtp} != $f->[0];
        push @{ $sent[-1]{parts} }, "$f->[1] $f->[2]";
        $sent[-1]{size} = "$f->[3]x$f->[4]";
    }

    for my $f (@{ recorded($rec, $id, 'alice')->{video} }) {
        push @got, { ms => $f->[0], key => $f->[3], block => $f->[4],
                     parts => [] }
            if !@got || $got[-1]{block} != $f->[4];
        push @{ $got[-1]{parts} }, "$f->[1] $f->[2]";
    }

    push @{ $sent{ $_->{parts}[0] } }, $_ for @sent;

    # the first one is whole: a chunk begins with a keyframe
    my ($anchor) = @{ $sent{ $got[0]{parts}[0] } // [] };

    die "the first picture was never sent\n" if !$anchor;

    for my $picture (@sent) {
        my $ticks = ($picture->{rtp} - $anchor->{rtp}) & 0xffffffff;

        $ticks -= 2 ** 32 if $ticks >= 2 ** 31;
        $picture->{ms} = $got[0]{ms} + $ticks / 90;
    }

    my (@whole, @broken, @missing, $i);

    @sent = grep { $_->{ms} >= $got[0]{ms} - 2
                   && $_->{ms} <= $got[-1]{ms} + 2 } @sent;
    $i = 0;

    for my $picture (@sent) {
        if ($i == @got || $got[$i]{ms} > $picture->{ms} + 2) {
            push @missing, $picture;
            next;
        }

        my $it = $got[ $i++ ];

        $it->{size} = $picture->{size};
        push @{ abs($it->{ms} - $picture->{ms}) <= 2
                && "@{ $it->{parts} }" eq "@{ $picture->{parts} }"
                ? \@whole : \@broken }, $it;
    }

    push @broken, @got[ $i .. $#got ];

    # in front of a keyframe the browser throws away what waits to be sent
    my @keys = map { $_->{ms} } grep { $_->{key} } @whole;

    @missing = grep {
        my $ms = $_->{ms};
        !grep { $_ > $ms && $_ < $ms + 500 } @keys;
    } @missing;

    return (\@whole, \@broken, \@missing);
}


# The chunks, by the ffmpeg that mixes: without an error, and the last picture
# of each moment is the uppermost layer.
sub decodes
{
    my ($rec, $id, $whole) = @_;

    my %size;

    for my $chunk (grep { $_->{ev} eq 'chunk_open' } $rec->journal($id)) {
        next if !grep { $_->{kind} eq 'video' } @{ $chunk->{tracks} };

        my $file = $rec->folder($id) . "/$chunk->{file}";

        run($ffmpeg, qw(-v error -xerror -nostdin -i), $file, qw(-map 0:v
            -fps_mode passthrough -f framecrc), '-');

        my @frames = split /\n/, run(qw(ffprobe -v error -select_streams v
            -of csv=p=0 -show_entries), 'frame=pts,width,height', $file);

        for (@frames) {
            my ($pts, $width, $height) = split /,/;

            $size{$pts} = "${width}x$height";
        }
    }

    my @wrong = grep { $size{ $_->{ms} } ne $_->{size} } @$whole;

    is scalar keys %size, scalar @$whole, 'as many pictures decode';
    is join(', ', map { "$_->{ms}: $size{ $_->{ms} }, not $_->{size}" }
            @wrong), '', 'the uppermost layer is what they show';
}
