#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# The UDP port under datagrams that are wrong in every way, from several
# addresses, while a call is recorded: the session goes on without a loss,
# strangers get no more bytes than they sent, nothing grows.
#
# CALLREC_SEED=n repeats a run, CALLREC_FUZZ=n makes it n seconds long.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Disk;
use CallRecorder::Fuzz qw(datagram mutated survived);
use CallRecorder::Stun;
use CallRecorder::Whip;
use IO::Select;
use List::Util qw(max sum0);
use Test::More;
use Time::HiRes qw(sleep time);

use constant SOURCES => 24;
use constant BATCH => 40;

my $seed = $ENV{CALLREC_SEED} // 1 + int(time) % 1_000_000;
my $seconds = $ENV{CALLREC_FUZZ} // 10;

srand $seed;
note "CALLREC_SEED=$seed";

my $rec = CallRecorder::Disk->new(
    http => 'recording_chunk 2s; recording_min_free 0;');
my $pub = $rec->publish('alice', %{ CallRecorder::Disk->media });
my $id = $rec->start_recording;


# One that has been POSTed and never comes: its name is known to us, not its
# password; and one whose address is proven, but nothing else.

my $known = CallRecorder::Whip::session($rec, call => 'room');
my $proven = CallRecorder::Whip::session($rec, call => 'room');

my @sockets = map {
    CallRecorder::Stun::connected('127.0.0.1', $rec->{udp})
} 1 .. SOURCES;


CallRecorder::Fuzz::known($known);


sub memory
{
    return sum0 map {
        open my $f, '<', "/proc/$_/status" or die "status: $!";
        (grep { s/^VmRSS:\s*(\d+).*/$1/s } <$f>)[0];
    } $rec->workers;
}

# What each socket got, in bytes.

sub heard
{
    my ($wait, @from) = @_;

    my %heard;
    my $select = IO::Select->new(@from);

    while (my @ready = $select->can_read($wait)) {
        for my $socket (@ready) {
            my $data = '';
            next unless defined $socket->recv($data, 65536);
            $heard{ fileno $socket } += length $data;
        }
    }

    return \%heard;
}


# ---- as much as goes in that time

sub fuzz
{
    my ($for) = @_;

    my (%in, %out);
    my ($n, $until, $slowest) = (0, time + $for, 0);

    while (time < $until) {
        for (1 .. BATCH) {
            my $socket = $sockets[rand @sockets];
            my $data = datagram();

            $data = mutated($data) if rand() < 0.5;

            my $sent = $socket->send($data);

            $in{ fileno $socket } += $sent if defined $sent;
            $n++;
        }

        my $heard = heard(0.005, @sockets);
        $out{$_} += $heard->{$_} for keys %$heard;

        next if $n % (BATCH * 50);

        my $start = time;
        $rec->status($id);
        $slowest = max($slowest, time - $start);
    }

    my $heard = heard(0.5, @sockets);
    $out{$_} += $heard->{$_} for keys %$heard;

    return ($n, \%in, \%out, $slowest);
}

fuzz(2);

my $before = memory();
my ($n, $in, $out, $slowest) = fuzz($seconds);

cmp_ok($n, '>', 500 * $seconds / 10, "$n datagrams");
is(join(' ', grep { $out->{$_} > $in->{$_} } keys %$out), '',
    'nobody gets more bytes than he has sent');
is(sum0(values %$out), 0, 'nobody gets anything, in fact');

# sanitizers keep what is freed for a while
my $limit = $CallRecorder::Nginx::BUILD eq 'sanitize' ? 65536 : 4096;
cmp_ok(memory() - $before, '<', $limit, 'memory does not grow (KB)');
cmp_ok($slowest, '<', 2, 'the workers answer');


# ---- a proven address may not be used either, to have others flooded

my ($socket) = CallRecorder::Stun::connected('127.0.0.1', $rec->{udp});

ok(CallRecorder::Whip::check($rec, $proven, socket => $socket),
    'an address is proven');
heard(0.3, $socket);

my ($sent, $got) = (0, 0);

for (1 .. 300) {
    my $data = mutated(datagram());

    next if length $data == 0;

    $sent += $socket->send($data) // 0;
    $got += $_ for values %{ heard(0.002, $socket) };
}

$got += $_ for values %{ heard(0.5, $socket) };
cmp_ok($got, '<=', $sent, "$sent bytes sent there, $got got");


# ---- and the call

cmp_ok(length $rec->error_log, '<', 200_000, 'the log is short');
survived($rec, $id);

my $res = CallRecorder::Whip::post($rec);
is($res->{status}, 201, 'a new one is taken');

$rec->leave($pub);
$rec->stop;

done_testing();
