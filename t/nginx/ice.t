#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# The UDP port: who is answered, who is met with silence, and which worker
# takes a session.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Stun;
use CallRecorder::Whip;
use Test::More;
use Time::HiRes qw(sleep time);


my $nginx;

sub check { return CallRecorder::Whip::check($nginx, @_); }
sub session { return CallRecorder::Whip::session($nginx, @_); }
sub on { return CallRecorder::Whip::on($nginx, @_); }

sub sockets
{
    my ($n) = @_;

    return map { CallRecorder::Stun::connected('127.0.0.1', $nginx->{udp}) }
        1 .. $n;
}

sub silence
{
    my ($s, $name, %opt) = @_;

    is(check($s, tries => 1, timeout => 0.2, %opt), undef, $name);
}

# [worker's pid, session] of each adoption in the log

sub adoptions
{
    return map { /(\d+)#\d+: rtc session (\w+) adopted/ ? [$1, $2] : () }
        split /\n/, $nginx->error_log;
}

sub owner
{
    my ($s) = @_;

    my ($id) = $s->{path} =~ m{/(\w+)$};
    my ($found) = grep { $_->[1] eq $id } adoptions();
    return $found && $found->[0];
}


# ---- requests that are right

$nginx = CallRecorder::Whip->nginx;

my $s = session();
my ($socket) = sockets(1);
my $msg = check($s, socket => $socket);

ok($msg, 'a connectivity check is answered');
is($msg->{type}, 0x0101, 'with success');
is($msg->{mapped}, '127.0.0.1:' . $socket->sockport, 'and our own address');
ok(exists $msg->{attributes}{0x0008}, 'MESSAGE-INTEGRITY');
ok(exists $msg->{attributes}{0x8028}, 'FINGERPRINT');

my $heard = grep { check($s, socket => $_) } sockets(16);

is($heard, 16, 'checks from many addresses are answered, whichever worker '
    . 'they come to');
is(scalar(grep { $s->{path} =~ /$_->[1]$/ } adoptions()), 1,
    'one worker has adopted the session');


# ---- requests that are wrong

$s = session();

silence($s, 'a wrong password', password => 'x' x 24);
silence($s, 'no MESSAGE-INTEGRITY', password => undef);
silence($s, 'an unknown ufrag', username => "abcdefghijkl:$s->{theirs}");
silence($s, 'a ufrag of another length', username => "abc:$s->{theirs}");
silence($s, 'no colon', username => $s->{ufrag});
silence($s, 'nothing behind the colon', username => "$s->{ufrag}:");
silence($s, 'no username', username => '');
silence($s, 'an attribute too long',
    extra => pack('nn', 0x0025, 0xffff));

is(owner($s), undef, 'nobody has adopted the session');

my $before = adoptions();
my ($garbage) = sockets(1);
srand 1;

for my $first (0 .. 255) {
    $garbage->send(chr $first);
    $garbage->send(chr($first) . join '',
        map { chr int rand 256 } 1 .. int rand 1400);
}

$garbage->send('');
$garbage->send("\0\1\0\0\x21\x12\xa4\x42" . 'x' x 12);
$garbage->send("\0\1\xff\xfc\x21\x12\xa4\x42" . 'x' x 12);
$garbage->send("\x16\xfe\xfd" . "\0" x 60);
$garbage->send("\x80\x60" . "\0" x 1200);
$garbage->send("\x80\xc8\0\6" . "\0" x 24);
$garbage->send('x' x 9000);

ok(!IO::Select->new($garbage)->can_read(0.3),
    'garbage of every protocol is met with silence');
is(scalar adoptions(), $before, 'and adopts nothing');
is(scalar $nginx->workers, 2, 'nobody died of it');
ok(check($s), 'the session is still good');

my ($known) = sockets(1);
check($s, socket => $known);

for my $first (0 .. 255) {
    $known->send(chr($first) . 'garbage' x int rand 100);
}

ok(check($s, socket => $known),
    'garbage from a known address does not end its session');


# ---- late binding

my %owners;

for (1 .. 40) {
    my $s = session();
    check($s) or next;
    $owners{ owner($s) // '' }++;
    last if keys %owners == 2 && $_ >= 10;
}

is(scalar(grep { $_ } keys %owners), 2,
    'sessions are adopted by the worker that gets the first check');


# ---- ICE restarts

for my $when ('before the first check', 'after it') {
    my $s = session();
    my ($old, $new) = sockets(2);

    check($s, socket => $old) if $when ne 'before the first check';

    my $res = on($s, 'PATCH', match => '*',
        body => "a=ice-ufrag:ysXw\r\na=ice-pwd:vw5LmwG4y/e6dPP/zAP9Gp5k\r\n");
    is($res->{status}, 200, "an ICE restart $when");

    my $restarted = { %$s, theirs => 'ysXw' };
    CallRecorder::Whip::credentials($restarted, $res->{body});

    if ($when eq 'before the first check') {
        silence($s, 'the old credentials are no good');
    } else {
        ok(check($s, socket => $old), 'the old credentials still work');
    }

    ok(check($restarted, socket => $new), 'the new ones work');
    ok(check($restarted, socket => $_), 'on all workers') for sockets(4);
}


# ---- the end

$s = session();
($socket) = sockets(1);
check($s, socket => $socket);

my @all = map { session() } 1 .. 8;
check($_) for @all;

is(scalar(grep { on($_, 'DELETE')->{status} == 200 } @all), 8,
    'sessions are ended from any worker');
silence($_, 'an ended session is silent') for @all[0, 1];

ok($nginx->wait_for(sub {
    my $log = $nginx->error_log;
    my @ended = grep { my ($id) = $_->{path} =~ m{/(\w+)$};
        $log =~ /rtc session $id ended: closed/ } @all;
    return @ended == 8;
}, 5), 'their workers have heard of it');

ok(check($s, socket => $socket), 'others go on');

my ($victim, $other) = (owner($s), undef);

for (1 .. 60) {
    $other = session();
    check($other);
    last if owner($other) != $victim;
}

kill KILL => $victim;
$nginx->wait_for(sub { !grep { $_ == $victim } $nginx->workers }, 5);
$nginx->wait_for(sub { $nginx->workers == 2 }, 5);

ok($nginx->wait_for(sub { on($s, 'GET')->{status} == 404 }, 10),
    'a session ends with its worker');
is(on($other, 'GET')->{status}, 204, 'that of another worker goes on');
ok(check($other), 'and is answered');

$nginx->{ignore} = qr/exited on signal 9/;
$nginx->stop;


# ---- time

$nginx = CallRecorder::Whip->nginx(rtc => 'connect_timeout 1s;');

my $silent = session();
my $half = session();
check($half);

ok($nginx->wait_for(sub { on($half, 'GET')->{status} == 404 }, 10),
    'a session that is never connected ends');
ok($nginx->wait_for(sub { on($silent, 'GET')->{status} == 404 }, 10),
    'one that nobody has asked for, too');
like($nginx->error_log, qr/ended: connect-timeout/, 'the log says why');
is(on($_, 'DELETE')->{status}, 200, 'its client may end it a moment later')
    for $half, $silent;
is(on($half, 'DELETE', path => $half->{path} =~ s/room/other/r,
    token => $nginx->token(call => 'other', perms => ['publish']))->{status},
    404, 'not that of another call');

$nginx->stop;


# ---- addresses

$nginx = CallRecorder::Whip->nginx(
    listen => 'listen {{udp}}; listen [::]:{{udp}};');

$s = session();
like($s->{answer}, qr/^a=candidate:.* 127\.0\.0\.1 $nginx->{udp} /m,
    'a wildcard is told as the address of the POST');
ok(check($s), 'it is answered from there');
ok(check($s, socket => CallRecorder::Stun::connected('127.0.0.2',
    $nginx->{udp})), 'the answer leaves from the address that was asked');

my $v6 = CallRecorder::Stun::connected('::1', $nginx->{udp});
$msg = check($s, socket => $v6);
is($msg && $msg->{mapped}, '[0000:0000:0000:0000:0000:0000:0000:0001]:'
    . $v6->sockport, 'IPv6');

$nginx->stop;

done_testing();
