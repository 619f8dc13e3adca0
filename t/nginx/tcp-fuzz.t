#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# The TCP port under streams that are wrong in every way, cut anywhere, while
# a call is recorded over it: strangers are closed without a word, a proven
# connection's garbage is passed over, nothing grows, the call goes on.
#
# CALLREC_SEED=n repeats a run, CALLREC_FUZZ=n makes it n seconds long.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Disk;
use CallRecorder::Fuzz qw(bytes datagram mutated survived);
use CallRecorder::Stun;
use CallRecorder::Whip;
use IO::Select;
use List::Util qw(sum0);
use Test::More;
use Time::HiRes qw(time);

my $seed = $ENV{CALLREC_SEED} // 1 + int(time) % 1_000_000;
my $seconds = $ENV{CALLREC_FUZZ} // 10;

srand $seed;
note "CALLREC_SEED=$seed";
local $SIG{PIPE} = 'IGNORE';

my $rec = CallRecorder::Disk->new(
    http => 'recording_chunk 2s; recording_min_free 0;');
my $id = $rec->start_recording;
my $pub = $rec->publish('alice', %{ CallRecorder::Disk->media },
    tcp => undef);

my $s = CallRecorder::Whip::session($rec, call => 'room');
CallRecorder::Fuzz::known($s);

my $heard = 0;
my ($n, $frames, $closed) = (0, 0, 0);


# Frames of any datagrams, some with a length that is a lie.

sub stream
{
    my $text = '';

    for (1 .. 1 + int rand 8) {
        my $data = substr datagram(), 0, 3000;
        $data = mutated($data) if rand() < 0.5;

        my $len = rand() < 0.9 ? length $data : int rand 65536;
        $text .= pack('n', $len) . $data;
        $frames++;
    }

    return rand() < 0.2 ? mutated($text) : $text;
}

sub put
{
    my ($socket, $text) = @_;

    while (length $text) {
        my $piece = substr $text, 0,
            rand() < 0.3 ? 1 + int rand 9 : length $text, '';
        defined syswrite $socket, $piece or return;
    }
}

sub fuzz
{
    my ($until) = time + $_[0];

    while (time < $until) {
        my $socket = CallRecorder::Stun::stream('127.0.0.1', $rec->{udp});

        put($socket, stream());
        $n++;

        next if rand() < 0.5;

        my ($got, $end) = CallRecorder::Stun::slurp($socket, 0.05);
        $heard += length $got;
        $closed += $end;
    }
}

sub memory
{
    return sum0 map {
        open my $f, '<', "/proc/$_/status" or die "status: $!";
        (grep { s/^VmRSS:\s*(\d+).*/$1/s } <$f>)[0];
    } $rec->workers;
}

fuzz(2);
my $before = memory();
fuzz($seconds);

cmp_ok($n, '>', 5 * $seconds, "$n connections, $frames frames");
is($heard, 0, 'strangers hear nothing');
cmp_ok($closed, '>', 0, "and are closed ($closed)");

# sanitizers keep what is freed for a while
my $limit = $CallRecorder::Nginx::BUILD eq 'sanitize' ? 65536 : 4096;
cmp_ok(memory() - $before, '<', $limit, 'memory does not grow (KB)');


# a proven connection each; one with DTLS that fails ends its session

my ($sent, $got, $proven) = (0, 0, 0);

for (1 .. 40) {
    my $socket = CallRecorder::Stun::stream('127.0.0.1', $rec->{udp});
    my $s = CallRecorder::Whip::session($rec, call => 'room');

    put($socket, CallRecorder::Stun::framed(CallRecorder::Stun::request(
        username => "$s->{ufrag}:$s->{theirs}", password => $s->{pwd})));
    CallRecorder::Stun::next_frame($socket) or next;
    $proven++;

    for (1 .. 5) {
        my $text = stream();
        put($socket, $text);
        $sent += length $text;
    }

    $got += length +(CallRecorder::Stun::slurp($socket, 0.05))[0];
}

is($proven, 40, 'requests of sessions are answered');
cmp_ok($got, '<=', $sent, "$sent bytes sent there, $got got");


# and the call

survived($rec, $id);

$rec->leave($pub);
$rec->stop;

done_testing();
