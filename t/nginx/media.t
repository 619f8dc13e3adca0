#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# Media by WHIP from a publisher of our own into nginx with two workers: what
# arrives is what was sent, whatever happens on the way.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Media qw(run);
use CallRecorder::Whip;
use File::Temp qw(tempdir);
use Test::More;


my $dir = tempdir('callrec-media-XXXXXX', TMPDIR => 1, CLEANUP => 1);

my $nginx = CallRecorder::Whip->nginx(
    rtc => 'listen [::1]:{{udp}}; session_timeout 5s;');

my @source = (qw(-v error -f lavfi -i), 'testsrc2=s=320x240:r=30',
    qw(-t 3 -pix_fmt yuv420p -b:v 500k -g 30));

run('ffmpeg', @source, qw(-c:v libvpx -deadline realtime), "$dir/v.ivf");
run('ffmpeg', @source, qw(-c:v libx264 -profile:v baseline -f h264),
    "$dir/v.h264");
run('ffmpeg', qw(-v error -f lavfi -i sine=440 -t 3 -c:a libopus),
    "$dir/a.ogg");

run('ffmpeg', @source, qw(-c:v libx264 -profile:v baseline -x264-params
    slice-max-size=1000 -f h264), "$dir/slices.h264");

my @vp8 = ('--video', "$dir/v.ivf", '--audio', "$dir/a.ogg");
my @h264 = ('--video', "$dir/v.h264", '--audio', "$dir/a.ogg");


sub publish
{
    return CallRecorder::Whip::publish($nginx, '--duration', 3, @_);
}


sub arrives
{
    my ($name, @options) = @_;

    my ($status, $report, $stderr, $end) = publish(@options);

    is($status, 0, "$name: it is published") or diag $stderr;
    is($end->{reason}, 'closed', "$name: DELETE ends it");
    is($end->{frames}, $report->{videoFrames} + $report->{audioFrames},
        "$name: every frame arrives");
    cmp_ok($report->{connectedMs}, '<', 2000, "$name: connected soon");
    cmp_ok($report->{twcc}, '>', 10, "$name: feedback flows");
    cmp_ok($report->{reports}, '>=', 2, "$name: reports flow");

    return ($report, $end);
}


# ---- roles, profiles, codecs

my ($r) = arrives('VP8', @vp8);
is($r->{profile}, 7, 'AES-128-GCM is preferred');

($r) = arrives('H.264, passive offer', @h264,
    qw(--setup passive --srtp-profile cm));
is($r->{profile}, 1, 'AES-CM serves');

($r) = arrives('active offer, small fragments', @vp8,
    qw(--setup active --srtp-profile gcm256 --dtls-mtu 256));
is($r->{profile}, 8, 'AES-256-GCM serves');

arrives('H.264, packetization mode 0', '--video', "$dir/slices.h264",
    '--single-nal');
arrives('IPv6', @vp8, '--ipv6');
arrives('sound alone', '--audio', "$dir/a.ogg");


# ---- a bad network

my $end;

($r, $end) = arrives('5 % loss', '--video', "$dir/v.ivf", '--loss', 5);
cmp_ok($r->{dropped}, '>', 3, 'packets were dropped');
cmp_ok($end->{recovered}, '>=', 3, 'and got by RTX');

($r, $end) = arrives('5 % loss without RTX', '--video', "$dir/v.h264",
    '--loss', 5, '--no-rtx');
cmp_ok($end->{recovered}, '>=', 3, 'packets were got on their own SSRC');

arrives('another address', @vp8, '--migrate', 1);


# ---- bad manners

($r, $end) = arrives('replays', @vp8, '--replay');
cmp_ok($end->{rejected}, '>', 200, 'replays are counted');

($r, $end) = arrives('garbage and loss', '--video', "$dir/v.h264",
    '--garbage', '--loss', 2, '--seed', 3);
cmp_ok($end->{rejected}, '>', 100, 'garbage is counted');


# ---- how it ends otherwise

my ($status, $report, $stderr);

($status, $report, $stderr, $end) = publish(@vp8, '--wrong-fingerprint');
is($status, 1, 'a wrong fingerprint gets nowhere');
like($stderr, qr/DTLS handshake failed/, 'in the handshake');
is($end->{reason}, 'fingerprint-mismatch', 'and is logged');

($status, $report, $stderr, $end) = publish(@vp8, '--bye');
is($status, 0, 'a publisher leaves with BYE');
is($end->{reason}, 'dtls-closed', 'and close_notify');
is($nginx->request(DELETE => "/whip/room/$end->{id}", token =>
    $nginx->token(call => 'room', perms => ['publish']))->{status}, 200,
    'before its DELETE has come');

($status, $report, $stderr, $end) = publish(@vp8, '--no-delete');
is($status, 0, 'a publisher falls silent');
is($end->{reason}, 'consent-expired', 'and its consent expires');


$nginx->stop;

done_testing;
