#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# A worker is killed while it writes a publisher's media: what was stored a
# second before stays readable, the recording goes on and ends completed with
# the interruption listed.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Api;
use CallRecorder::Nginx;
use File::Temp;
use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep time);


my $tool = "$CallRecorder::Nginx::ROOT/build/$CallRecorder::Nginx::BUILD/bin/"
    . 'whip-publisher';
-x $tool or BAIL_OUT("$tool is missing: make tools");

my $media = File::Temp::tempdir('callrec-media-XXXXXX', TMPDIR => 1,
    CLEANUP => 1);

system('ffmpeg', '-v', 'error',
    '-f', 'lavfi', '-i', 'testsrc2=size=320x240:rate=20',
    '-f', 'lavfi', '-i', 'sine=frequency=440', '-t', '4',
    '-map', '0:v', '-c:v', 'libvpx', '-deadline', 'realtime', '-cpu-used', '8',
    '-g', '20', '-b:v', '300k', "$media/v.ivf",
    '-map', '1:a', '-c:a', 'libopus', '-frame_duration', '20', '-t', '4',
    "$media/a.opus") == 0
    or BAIL_OUT('ffmpeg could not make media');

my $nginx = CallRecorder::Nginx->new(
    workers => 2,
    ignore  => qr/exited on signal 9/,
    main    => 'rtc { listen 127.0.0.1:{{udp}}; session_timeout 6s; }',
    http    => "$CallRecorder::Api::HTTP recording_chunk 2s;",
    server  => "$CallRecorder::Api::SERVER location /whip/ { whip; }");

my $api = CallRecorder::Api->new($nginx);
my $root = "$nginx->{dir}/records/root";

$api->ready;


sub publish
{
    my ($call, $who) = @_;

    my $token = $nginx->token(call => $call, sub => $who, name => uc $who,
        perms => ['publish']);

    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', '/dev/null';
        exec $tool, '--url', "http://127.0.0.1:$nginx->{http}/whip/$call",
            '--token', $token, '--duration', 30,
            '--video', "$media/v.ivf", '--audio', "$media/a.opus"
            or POSIX::_exit(127);
    }

    return $pid;
}

sub records
{
    my ($dir) = @_;

    open my $f, '<', "$dir/journal.ndjson" or return;
    return map { eval { JSON::PP::decode_json($_) } // () } <$f>;
}

# Seconds that ffmpeg can read of a file.

sub readable
{
    my ($file) = @_;

    my $last = 0;

    for (split /\n/, qx(ffprobe -v quiet -show_entries packet=pts_time \\
        -of csv=p=0 $file))
    {
        $last = $1 if /^([\d.]+)/ && $1 > $last;
    }

    return $last;
}

# The worker that has a recording's files open: it writes them.

sub writer
{
    my ($dir) = @_;

    for my $pid ($nginx->workers) {
        for my $fd (glob "/proc/$pid/fd/*") {
            my $file = readlink $fd // next;
            return $pid if index($file, "$dir/") == 0 && $file =~ /\.mkv$/;
        }
    }

    return;
}


my $alice = publish('room', 'alice');
my $id = $api->start('room')->{data}{recordingId};
my $dir = "$root/room/$id";

my $res = $api->wait_status('room', $id, 'recording');
is($res->{data}{status}, 'recording', 'it is recording');
ok($res->{data}{firstMediaAt}, 'media has come');
is($res->{data}{participants}[0]{id}, 'alice', "alice's");

sleep 5;

$res = $api->get('room', $id);
ok($res->{data}{progress}{bytesDurable} > 0, 'bytes are durable');
ok($res->{data}{durationMs} > 3000, 'the duration grows');
is($res->{data}{quality}{lossPct}, 0, 'nothing is lost');

my $victim = writer($dir);
ok($victim, 'a worker writes') or BAIL_OUT('nobody writes');

my $killed_ms = (time - do {
    my ($start) = records($dir);
    my ($h, $m, $s) = $start->{createdAt} =~ /T(\d+):(\d+):([\d.]+)Z/;
    my $day = int(time / 86400) * 86400;
    $day + $h * 3600 + $m * 60 + $s;
}) * 1000;

kill KILL => $victim;

ok($nginx->wait_for(sub {
    $res = $api->get('room', $id);
    return @{ $res->{data}{interruptions} // [] };
}, 10), 'the interruption is noticed');

my $cut = $res->{data}{interruptions}[0];

is($cut->{kind}, 'worker', 'as a worker\'s');
is($cut->{participantId}, 'alice', 'with the participant');
ok(abs($cut->{fromMs} - $killed_ms) < 2000,
    "since about the kill ($cut->{fromMs}, $killed_ms)");
ok($cut->{toMs} >= $cut->{fromMs}, 'until it was noticed');
is($res->{data}{status}, 'recording', 'it is still recording');

my ($last) = sort { $b->{chunk} <=> $a->{chunk} }
    grep { $_->{ev} eq 'chunk_open' } records($dir);
my $end_ms = readable("$dir/$last->{file}") * 1000;
ok($end_ms > $killed_ms - 1100,
    "what came up to a second before the kill is readable ($end_ms)");

kill TERM => $alice;
waitpid $alice, 0;

my $bob = publish('room', 'bob');
ok($nginx->wait_for(sub {
    $res = $api->get('room', $id);
    return @{ $res->{data}{participants} } == 2;
}, 10), 'others can join');
sleep 3;

$res = $api->stop('room');
is($res->{status}, 202, 'stop');

$res = $api->wait_status('room', $id, 'completed|failed');
is($res->{data}{status}, 'completed', 'it ends completed');
is(scalar(@{ $res->{data}{interruptions} }), 1, 'with the interruption');
ok($res->{data}{participants}[0]{leaveMs}, 'alice has left');
ok($res->{data}{participants}[1]{leaveMs}, 'bob has, too');

is(scalar(grep { $_->{ev} eq 'interruption' } records($dir)), 1,
    'the journal has it');

my @left = grep { $_->{ev} eq 'leave' } records($dir);
is(scalar(@left), 1, 'one session left in order');
is($left[0]{participantId}, 'bob', "bob's");

kill TERM => $bob;
waitpid $bob, 0;


# nginx is killed as a whole

$res = $api->start('hall');
$id = $res->{data}{recordingId};
$dir = "$root/hall/$id";
$alice = publish('hall', 'alice');
$api->wait_status('hall', $id, 'recording');
sleep 3;

my @pids = ($nginx->{pid}, $nginx->workers);
kill KILL => @pids;
waitpid $nginx->{pid}, 0;
kill TERM => $alice;
waitpid $alice, 0;
sleep 0.5;

$nginx->start;
$res = $api->wait_status('hall', $id, 'recovering');
is($res->{data}{status}, 'recovering', 'nginx killed: it comes back');
is($res->{data}{interruptions}[0]{kind}, 'nginx', 'with the interruption');
ok($res->{data}{participants}[0]{leaveMs}, 'nobody is there');

$alice = publish('hall', 'alice');
$res = $api->wait_status('hall', $id, 'recording');
is($res->{data}{status}, 'recording', 'with media it is recording again');
is(scalar(@{ $res->{data}{participants} }), 1, 'the same participant');
sleep 2;

$api->stop('hall');
$res = $api->wait_status('hall', $id, 'completed|failed');
is($res->{data}{status}, 'completed', 'and ends completed');

kill TERM => $alice;
waitpid $alice, 0;

$nginx->stop;

done_testing();
