#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# Habits of known clients, as they look on the wire.  Others are elsewhere:
# GStreamer's DTLS fragments of 256 bytes in media.t, Chromium's ClientHello
# in two datagrams, in any order, in t/unit/test_dtls_fragments.c, offers that
# browsers and GStreamer made in whip.t.  The real FFmpeg, Firefox, GStreamer
# and aiortc publish in t/e2e.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Media qw(run);
use CallRecorder::Whip;
use File::Temp qw(tempdir);
use JSON::PP qw(decode_json);
use Test::More;


my $dir = tempdir('callrec-clients-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $nginx = CallRecorder::Whip->nginx(rtc => 'nack_timeout 8s;');

run(qw(ffmpeg -v error -f lavfi -i testsrc2=s=320x240:r=30 -t 3
    -pix_fmt yuv420p -c:v libx264 -preset ultrafast -tune zerolatency
    -profile:v baseline -b:v 2M -minrate 2M -maxrate 2M -bufsize 1M
    -x264-params nal-hrd=cbr -g 30 -f h264), "$dir/v.h264");
run(qw(ffmpeg -v error -f lavfi -i sine=440 -t 3 -ac 2 -c:a libopus),
    "$dir/a.ogg");

my @media = ('--video', "$dir/v.h264", '--audio', "$dir/a.ogg");


sub arrives
{
    my ($name, @options) = @_;

    my ($status, $report, $stderr, $end)
        = CallRecorder::Whip::publish($nginx, @options);

    is($status, 0, "$name: it is published") or diag $stderr;
    is($end->{reason}, 'closed', "$name: DELETE ends it");
    is($end->{frames}, $report->{videoFrames} + $report->{audioFrames},
        "$name: every frame arrives");
    is($report->{profile}, 1, "$name: by AES-CM");

    return ($report, $end, $stderr);
}


# ---- OBS: no candidates, no PATCH, no RTX, 4000 packets of history

my ($r, $end) = arrives('OBS', @media, qw(--client obs --duration 2));

($r, $end) = arrives('OBS, a repetition 4000 packets late', @media,
    qw(--client obs --duration 3 --payload 100 --drop 500
       --repeat-late 4000));
is($r->{retransmitted}, 1, 'one packet was repeated');
cmp_ok($r->{sent}, '>', 5000, 'long after');
is($end->{recovered}, 1, 'and is in its place');
is($end->{rejected}, 0, 'no replay for SRTP');
is($r->{plis}, 0, 'no keyframe was asked for');


# ---- FFmpeg's WHIP muxer

($r, $end, my $stderr) = arrives('FFmpeg', @media,
    qw(--client ffmpeg --duration 2 --verbose));

my ($answer) = $stderr =~ /^(v=0\r\n(?:(?!^v=0).)*?a=ice-lite.*)/ms;
cmp_ok(length $answer, '<=', 8192, 'the answer is of its size');
like($answer, qr/^a=setup:active\r$/m, 'and active');

($r, $end) = arrives('FFmpeg, with loss', '--video', "$dir/v.h264",
    qw(--client ffmpeg --duration 3 --loss 3));
cmp_ok($r->{dropped}, '>', 3, 'packets were dropped');
cmp_ok($end->{recovered}, '>=', 3, 'NACKs stand alone in their datagrams');


# ---- mobile SDKs

my $token = $nginx->token(call => 'room', perms => ['publish']);

for my $value ($token, "Token $token", "Bearer") {
    my $res = CallRecorder::Whip::post($nginx, token => undef, headers =>
        ['Content-Type' => 'application/sdp', Authorization => $value]);

    is($res->{status}, 401, 'Authorization without Bearer: 401');
    is(decode_json($res->{body})->{code}, 'token_malformed', 'with its code');
    like(decode_json($res->{body})->{detail}, qr/"Bearer"/, 'and why');
    like($res->{headers}{'www-authenticate'}, qr/^Bearer .*invalid_token/,
        'and what to do');
    unlike($nginx->error_log, qr/\Q$token\E/, 'the token is not logged');
}

my $session = CallRecorder::Whip::session($nginx);

my $res = CallRecorder::Whip::on($nginx, $session, 'PATCH',
    headers => ['Content-Type' => 'application/json', 'If-Match' => '*'],
    body => '{"candidate":"candidate:1 1 udp 1 192.0.2.1 9 typ host"}');
is($res->{status}, 415, 'candidates as JSON: 415');
is($res->{headers}{'accept-patch'}, 'application/trickle-ice-sdpfrag',
    'Accept-Patch says how');
is(CallRecorder::Whip::on($nginx, $session, 'DELETE')->{status}, 200,
    'the session lives on until its DELETE');

$nginx->stop;

done_testing;
