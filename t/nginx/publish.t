#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# Whole sessions of a real publisher over what happens to workers: reloads,
# the end, another address.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Whip;
use JSON::PP qw(decode_json);
use Test::More;
use Time::HiRes qw(sleep time);


my $tool = "$CallRecorder::Nginx::ROOT/build/$CallRecorder::Nginx::BUILD/bin/"
    . 'whip-publisher';
-x $tool or BAIL_OUT("$tool is missing: make tools");

my $nginx;
my $media = File::Temp::tempdir('callrec-media-XXXXXX', TMPDIR => 1,
    CLEANUP => 1);

system('ffmpeg', '-v', 'error',
    '-f', 'lavfi', '-i', 'testsrc2=size=320x240:rate=20',
    '-f', 'lavfi', '-i', 'sine=frequency=440', '-t', '4',
    '-map', '0:v', '-c:v', 'libvpx', '-deadline', 'realtime', '-cpu-used', '8',
    '-g', '40', '-b:v', '300k', "$media/v.ivf",
    '-map', '1:a', '-c:a', 'libopus', '-frame_duration', '20', '-t', '4',
    "$media/a.opus") == 0
    or BAIL_OUT('ffmpeg could not make media');


# Starts a publisher; reap() waits for it.

sub publish
{
    my ($seconds, @options) = @_;

    my $token = $nginx->token(call => 'room', perms => ['publish']);

    my $pid = open my $out, '-|', $tool,
        '--url', "http://127.0.0.1:$nginx->{http}/whip/room",
        '--token', $token, '--duration', $seconds,
        '--video', "$media/v.ivf", '--audio', "$media/a.opus", @options
        or die "$tool: $!";

    return { pid => $pid, out => $out };
}

sub reap
{
    my ($p) = @_;

    local $/;
    my $text = readline $p->{out};
    close $p->{out};

    my $status = $? >> 8;
    my ($last) = reverse split /\n/, $text // '';
    my $report = eval { decode_json($last) } // {};

    return { %$report, status => $status };
}

# What the log says of the sessions that have ended: reason, packets, lost.

sub ended
{
    return map {
        /rtc session (\w+) ended: (\S+), packets: (\d+), lost: (\d+)/
            ? { id => $1, reason => $2, packets => $3, lost => $4 } : ()
    } split /\n/, $nginx->error_log;
}

sub connected
{
    my ($n) = @_;

    my $found = $nginx->wait_for(sub {
        my @lines = $nginx->error_log =~ /rtc session \w+ connected/g;
        return @lines >= $n;
    }, 10);

    ok($found, $n == 1 ? 'it is connected' : "$n are connected");
}

sub gone
{
    my ($name, $seconds, @pids) = @_;

    ok($nginx->wait_for(sub {
        my %now = map { $_ => 1 } $nginx->workers;
        return !grep { $now{$_} } @pids;
    }, $seconds), $name);
}


# The longest sessions got all that their publishers have sent; the last packets
# are on their way when DELETE is done.

sub every_packet
{
    my @reports = @_;

    my ($sent, $got) = (0, 0);
    $sent += $_->{sent} for @reports;
    $got += $_->{packets} for (sort { $b->{packets} <=> $a->{packets} }
        ended())[0 .. $#reports];

    cmp_ok($got, '>=', $sent - 10 * @reports, 'and with every packet');
}


# ---- from the offer to DELETE, in all ways

$nginx = CallRecorder::Whip->nginx(rtc => 'session_timeout 2s;');

my %ways = (
    'as browsers do' => [],
    'as a DTLS server' => ['--setup', 'passive'],
    'with AES-256-GCM' => ['--srtp-profile', 'gcm256'],
    'with AES-CM and SHA-1' => ['--srtp-profile', 'cm'],
    'with a ClientHello in several datagrams' => ['--dtls-mtu', 300],
    'with garbage among it' => ['--garbage'],
    'with everything twice' => ['--replay'],
);

my %running = map { $_ => publish(2, @{ $ways{$_} }) } sort keys %ways;

for my $name (sort keys %running) {
    my $report = reap($running{$name});

    is($report->{status}, 0, "a session $name");
    cmp_ok($report->{connectedMs}, '>=', 0, 'is connected');
    cmp_ok($report->{twcc}, '>', 0, 'gets congestion feedback');
    cmp_ok($report->{reports}, '>', 0, 'and receiver reports');
}

ok($nginx->wait_for(sub { ended() == keys %ways }, 5), 'all have ended');
is(scalar(grep { $_->{reason} =~ /^(bye|dtls-closed|closed)$/ } ended()),
    scalar keys %ways, 'because the publishers left');
is(scalar(grep { $_->{lost} } ended()), 0, 'without a loss');

my $report = reap(publish(1, '--wrong-fingerprint'));
isnt($report->{status}, 0, 'a wrong fingerprint is not connected');
ok($nginx->wait_for(sub {
    grep { $_->{reason} eq 'fingerprint-mismatch' } ended() }, 5),
    'the log says why');

reap(publish(1, '--no-delete'));
ok($nginx->wait_for(sub {
    grep { $_->{reason} eq 'consent-expired' } ended() }, 10),
    'one that just disappears ends by session_timeout');

$report = reap(publish(4, '--migrate', 2));
is($report->{status}, 0, 'a session that changes its address in between');
my ($last) = reverse ended();
like($last->{reason}, qr/^(bye|dtls-closed|closed)$/, 'goes on to its end');
cmp_ok($last->{packets} + $last->{lost}, '>=', 0.95 * $report->{sent},
    'from the new address, too');

$nginx->stop;


# ---- reload

for my $case (['as many', 2, 2], ['fewer', 3, 1], ['more', 1, 3]) {
    my ($name, $before, $after) = @$case;

    $nginx = CallRecorder::Whip->nginx(workers => $before);

    my @p = map { publish(6) } 1 .. 4;
    connected(4);

    my @old = $nginx->workers;
    $nginx->configure(CallRecorder::Whip->conf(workers => $after));
    ok($nginx->reload(keep => 1), "a reload with $name workers");

    # what is forwarded waits for a worker that is held up

    $nginx->wait_for(sub {
        !grep { CallRecorder::Nginx::cmdline($_) =~ /worker process(?! is)/ }
            @old
    }, 5);

    kill STOP => @old;
    sleep 0.3;
    kill CONT => @old;

    my @late = map { publish(2) } 1 .. 4;
    is(scalar(grep { reap($_)->{status} == 0 } @late), 4,
        'new sessions are connected at once');

    my @reports = map { reap($_) } @p;

    is(scalar(grep { $_->{status} == 0 && !$_->{closedByServer} } @reports),
        4, 'old ones go on');
    ok($nginx->wait_for(sub { ended() == 8 }, 5), 'to their end');
    is(scalar(grep { $_->{lost} } ended()), 0, 'without a loss')
        or diag($nginx->error_log =~ /(ended: .*)/g);

    every_packet(@reports);

    gone('the old workers leave', 5, @old);
    $nginx->stop;
}


# ---- several reloads: a socket that was handed on at first is not any more

$nginx = CallRecorder::Whip->nginx(workers => 2);

my @p = map { publish(8) } 1 .. 8;
connected(8);

my @first = $nginx->workers;

for my $workers (2, 3, 1, 2, 2) {
    $nginx->configure(CallRecorder::Whip->conf(workers => $workers));
    ok($nginx->reload(keep => 1), "then a reload with $workers workers");
}

my @reports = map { reap($_) } @p;

is(scalar(grep { $_->{status} == 0 && !$_->{closedByServer} } @reports), 8,
    'sessions go on');
ok($nginx->wait_for(sub { ended() == 8 }, 5), 'to their end');
is(scalar(grep { $_->{lost} } ended()), 0, 'without a loss')
    or diag($nginx->error_log =~ /(ended: .*)/g);
every_packet(@reports);

gone('the first workers leave', 5, @first);
$nginx->stop;


# ---- another "listen"

$nginx = CallRecorder::Whip->nginx;

my $p = publish(5);
connected(1);

my @old = $nginx->workers;
$nginx->{udp} = CallRecorder::Nginx::free_port('udp');
$nginx->configure(CallRecorder::Whip->conf);
ok($nginx->reload(keep => 1), 'a reload with another port');
is(reap(publish(1))->{status}, 0, 'new sessions use it');
$report = reap($p);
is($report->{status}, 0, 'the old one stays on its own');
ok(!$report->{closedByServer}, 'to its end');
$nginx->wait_for(sub { ended() == 2 }, 5);
is(scalar(grep { $_->{lost} } ended()), 0, 'without a loss');
gone('the old workers leave', 5, @old);
$nginx->stop;


# ---- the end

for my $case (['QUIT', 'quit', 0], ['TERM', 'stop', 0],
    ['QUIT', 'quit soon after a reload', 1])
{
    my ($signal, $name, $reload) = @$case;

    $nginx = CallRecorder::Whip->nginx;

    my $p = publish(20);
    connected(1);

    if ($reload) {
        ok($nginx->reload(keep => 1), 'a reload');
    }

    my $started = time;
    $nginx->stop($signal);
    cmp_ok(time - $started, '<', 5, "$name does not wait for sessions");

    ok(reap($p)->{closedByServer}, 'they are told');
    is((ended())[0]{reason}, 'closed', 'and closed in order');
}

$nginx = CallRecorder::Whip->nginx(shutdown => '1s');
$p = publish(20);
connected(1);
@old = $nginx->workers;
ok($nginx->reload(keep => 1), 'a reload with worker_shutdown_timeout 1s');
gone('the old workers leave after it', 5, @old);
ok(reap($p)->{closedByServer}, 'the publisher is told');
$nginx->stop;

done_testing();
