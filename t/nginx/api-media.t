#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# What the API does while somebody sends: one recording right after another,
# discarding, deleting, limits.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Api;
use CallRecorder::Nginx;
use File::Temp;
use Test::More;
use Time::HiRes qw(sleep time);


my $tool = "$CallRecorder::Nginx::ROOT/build/$CallRecorder::Nginx::BUILD/bin/"
    . 'whip-publisher';
-x $tool or BAIL_OUT("$tool is missing: make tools");

my $media = File::Temp::tempdir('callrec-media-XXXXXX', TMPDIR => 1,
    CLEANUP => 1);

system('ffmpeg', '-v', 'error',
    '-f', 'lavfi', '-i', 'testsrc2=size=320x240:rate=20', '-t', '4',
    '-c:v', 'libvpx', '-deadline', 'realtime', '-cpu-used', '8',
    '-g', '20', '-b:v', '300k', "$media/v.ivf") == 0
    or BAIL_OUT('ffmpeg could not make media');

my $nginx = CallRecorder::Nginx->new(
    workers => 2,
    main    => 'rtc { listen 127.0.0.1:{{udp}}; session_timeout 6s; }',
    http    => "$CallRecorder::Api::HTTP recording_chunk 1s;",
    server  => "$CallRecorder::Api::SERVER location /whip/ { whip; }");

my $api = CallRecorder::Api->new($nginx);
my $root = "$nginx->{dir}/records/root";

$api->ready;


sub publish
{
    my ($call) = @_;

    my $token = $nginx->token(call => $call, sub => 'alice',
        perms => ['publish']);

    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', '/dev/null';
        exec $tool, '--url', "http://127.0.0.1:$nginx->{http}/whip/$call",
            '--token', $token, '--duration', 60, '--video', "$media/v.ivf"
            or POSIX::_exit(127);
    }

    return $pid;
}

sub only_snapshot
{
    my ($dir) = @_;

    opendir my $d, $dir or return 0;
    return join(' ', grep { !/^\.\.?$/ } readdir $d) eq 'recording.json';
}


my $alice = publish('room');

ok($nginx->wait_for(sub {
    $nginx->error_log =~ /rtc session \w+ connected/ }, 10),
    'a publisher is connected before anything is recorded');

# one after the other

my (@ids, $res);

for (1 .. 4) {
    $res = $api->start('room');
    is($res->{status}, 201, "recording $_ starts");
    push @ids, $res->{data}{recordingId};
    $res = $api->wait_status('room', $ids[-1], 'recording');
    is($res->{data}{status}, 'recording', 'it has media');
    sleep 0.3;
    is($api->stop('room')->{status}, 202, 'it is stopped');
}

for (@ids) {
    $res = $api->wait_status('room', $_, 'completed|failed');
    is($res->{data}{status}, 'completed', 'each is completed');
    ok($res->{data}{sizeBytes} > 0, 'with media');
    ok($res->{data}{durationMs} < 10000, 'of its own time');
}

# revs of one that changes

$res = $api->start('room');
my $id = $res->{data}{recordingId};
my $rev = $res->{data}{rev};
my $n = 0;

for (1 .. 6) {
    $res = $api->get('room', $id, "?wait=5&rev=$rev");
    $n++ if $res->{data}{rev} > $rev;
    $rev = $res->{data}{rev};
}

is($n, 6, 'each wait is answered with a newer rev');

# discard

$res = $api->stop('room', body => { discard => JSON::PP::true() });
is($res->{status}, 202, 'discard');
$res = $api->wait_status('room', $id, 'aborted');
is($res->{data}{status}, 'aborted', 'it is aborted');
ok($nginx->wait_for(sub { only_snapshot("$root/room/$id") }, 5),
    'its files are removed');
sleep 1.5;
ok(only_snapshot("$root/room/$id"), 'and stay so');

# delete

$res = $api->start('room');
$id = $res->{data}{recordingId};
$api->wait_status('room', $id, 'recording');
$res = $api->delete('room', $id, '?force=true');
is($res->{status}, 202, 'delete while it is recording');
ok($nginx->wait_for(sub { $api->get('room', $id)->{status} == 410 }, 5),
    'it is gone');
ok($nginx->wait_for(sub { only_snapshot("$root/room/$id") }, 5),
    'its files are removed');
$res = $api->start('room');
is($res->{status}, 201, 'the next one can start');
$id = $res->{data}{recordingId};
$api->wait_status('room', $id, 'recording');

# limits with media

$nginx->configure(
    main => 'rtc { listen 127.0.0.1:{{udp}}; session_timeout 6s; }',
    http => "$CallRecorder::Api::HTTP recording_max_duration 3s;
        recording_idle_timeout 2s;",
    server => "$CallRecorder::Api::SERVER location /whip/ { whip; }");
$nginx->reload(keep => 1);

$api->stop('room');
is($api->wait_status('room', $id, 'completed')->{data}{status},
    'completed', 'a recording goes on over a reload');

$res = $api->start('room');
$res = $api->wait_status('room', $res->{data}{recordingId}, 'completed');
is($res->{data}{endReason}, 'duration', 'it ends when it is too long');
ok(abs($res->{data}{durationMs} - 3000) < 1500, 'in time');

$nginx->configure(
    main => 'rtc { listen 127.0.0.1:{{udp}}; session_timeout 6s; }',
    http => "$CallRecorder::Api::HTTP recording_idle_timeout 2s;",
    server => "$CallRecorder::Api::SERVER location /whip/ { whip; }");
$nginx->reload(keep => 1);

$res = $api->start('room');
$id = $res->{data}{recordingId};
$api->wait_status('room', $id, 'recording');
sleep 3;
is($api->get('room', $id)->{data}{status}, 'recording',
    'it is not idle while somebody sends');

kill TERM => $alice;
waitpid $alice, 0;

$res = $api->wait_status('room', $id, 'completed', 60);
is($res->{data}{endReason}, 'idle', 'nobody is left: it is idle');

$nginx->stop;

done_testing();
