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
use JSON::PP qw(decode_json);
use Test::More;


my $publisher = "$ENV{TOOLS}/whip-publisher";
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


# Publishes; returns the exit status, the report, standard error, and what
# nginx says of the end: reason and numbers.

sub publish
{
    my (@options) = @_;

    my $before = length $nginx->error_log;
    my $token = $nginx->token(call => 'room', perms => ['publish']);

    my $pid = open my $out, '-|';
    defined $pid or die "fork: $!";

    if ($pid == 0) {
        open STDERR, '>', "$dir/stderr" or die "stderr: $!";
        exec $publisher, '--url', "http://127.0.0.1:$nginx->{http}/whip/room",
            '--token', $token, '--duration', 3, @options
            or die "$publisher: $!";
    }

    my $text = do { local $/; <$out> } // '';
    close $out;

    my $status = $? >> 8;
    my $stderr = do { local (@ARGV, $/) = "$dir/stderr"; <> } // '';
    my %end;

    $nginx->wait_for(sub {
        my $log = substr $nginx->error_log, $before;
        my ($reason, $numbers) = $log =~ /session \S+ ended: (\S+), (.*)/
            or return;
        %end = (reason => $reason, $numbers =~ /(\w+): (\d+)/g);
    }, 20);

    ($end{id}) = substr($nginx->error_log, $before)
        =~ /session (\S+) ended: /;

    my ($report) = reverse split /\n/, $text;

    return ($status, decode_json($report // '{}'), $stderr, \%end);
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
