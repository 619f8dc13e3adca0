#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# Bad input everywhere: each gets its answer, or silence on UDP, and leaves no
# session, no file, no descriptor and no memory behind.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Fixtures qw(vp8_ivf opus_ogg);
use CallRecorder::Recorder;
use CallRecorder::Stun;
use CallRecorder::Whip;
use File::Find ();
use Test::More;


my $ROOT = $CallRecorder::Nginx::ROOT;
my $SANITIZE = $CallRecorder::Nginx::BUILD eq 'sanitize';

# one session at a time: a bad one that stayed would keep the good one out

my $rec = CallRecorder::Recorder->new(
    rtc => 'max_sessions 1; connect_timeout 10s;',
    ignore => qr/unknown process \d+ exited/,
    mix => 'recording_mix batch; recording_exec_timeout 1h;
            recording_exec /usr/bin/perl {{dir}}/fake-mix.pl hangs
                $recording_parts_url $recording_attempt;',
    programs => ["$ROOT/t/tools/fake-mix.pl"]);

my $offer = CallRecorder::Whip::offer('chromium156-av');
my @sdp = ('Content-Type' => 'application/sdp');
my @json = ('Content-Type' => 'application/json');
my $unknown = 'rec_' . '0' x 26;

sub may
{
    my ($call, @perms) = @_;

    return (token => $rec->token(call => $call, perms => \@perms));
}

my @all = may('*', qw(publish record read delete));


# name => [status, code or undef for nginx's own page, request]

my %bad = (
    # malformed SDP, no common codec
    'an empty offer' => [400, 'body_empty',
        POST => '/whip/room', headers => \@sdp, body => '', @all],
    'an offer that is binary' => [400, 'sdp_malformed',
        POST => '/whip/room', headers => \@sdp, @all,
        body => join '', map { chr } 0 .. 255],
    'an offer without an end' => [422, 'sdp_too_much',
        POST => '/whip/room', headers => \@sdp, @all,
        body => 'v=' . '0' x 60_000],
    'an offer with ports that are none' => [400, 'sdp_malformed',
        POST => '/whip/room', headers => \@sdp, @all,
        body => $offer =~ s/^m=audio \d+/m=audio 99999999999999999999/mr],
    'an offer with many m-lines' => [422, 'sdp_too_much',
        POST => '/whip/room', headers => \@sdp, @all,
        body => $offer . "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n" x 200],
    'an offer without a codec of ours' => [406, 'no_common_codec',
        POST => '/whip/room', headers => \@sdp, @all,
        body => $offer =~ s{^a=rtpmap:.*\r\n}{}gmr
            =~ s{^(m=\w+ \S+ \S+).*}{$1 120}gmr],

    # absurd JSON
    'JSON without an end' => [400, 'invalid_request',
        POST => '/video-calls/room/recording/start', headers => \@json, @all,
        body => '{"a":' x 3000],
    'JSON that is deep' => [400, 'invalid_request',
        POST => '/video-calls/room/recording/start', headers => \@json, @all,
        body => '[' x 8000 . ']' x 8000],
    'JSON with an absurd number' => [400, 'invalid_request',
        POST => '/video-calls/room/recording/start', headers => \@json, @all,
        body => '{"mode":1e999999999}'],
    'JSON with a zero in a name' => [400, 'invalid_request',
        POST => '/video-calls/room/recording/start', headers => \@json, @all,
        body => '{"startedBy":"a\u0000b"}'],
    'JSON in UTF-16' => [400, 'invalid_request',
        POST => '/video-calls/room/recording/stop', headers => \@json, @all,
        body => "\xff\xfe{\0}\0"],

    # ids; where nginx itself takes off the dots, it is out of the location
    'a call that leads up' => [404, undef,
        POST => '/video-calls/%2e%2e%2fetc/recording/start', @all],
    'a call that leads up and back' => [400, 'invalid_id',
        POST => '/video-calls/a/%2e%2e/b/recording/start', @all],
    'a recording that leads up' => [400, 'invalid_id',
        GET => '/video-calls/room/recording/..%2f..%2fjournal', @all],
    'a recording that leads up, to delete' => [400, 'invalid_id',
        DELETE => '/video-calls/room/recording/%2e%2e?force=true', @all],
    'a call of WHIP that leads up' => [404, undef,
        POST => '/whip/..%2fx', headers => \@sdp, body => $offer, @all],
    'a participant that leads up' => [400, 'bad_participant',
        POST => '/whip/room?participant=..%2f..%2fx', headers => \@sdp,
        body => $offer, @all],
    'a subject that leads up' => [401, 'token_invalid',
        POST => '/whip/room', headers => \@sdp, body => $offer,
        token => $rec->token(call => 'room', perms => ['publish'],
            sub => '../../x')],
    'a call in the token that leads up' => [401, 'token_invalid',
        POST => '/whip/room', headers => \@sdp, body => $offer,
        token => $rec->token(call => '../room', perms => ['publish'])],
    'a part of a recording that leads up' => [404, 'not_found',
        PUT => '/parts/x/..%2f..%2fparts/y/parts/1?offset=0', @all,
        body => 'x'],

    # oversized bodies
    'an offer over 64 KiB' => [413, 'body_too_large',
        POST => '/whip/room', headers => \@sdp, body => 'x' x 70_000, @all],
    'an offer that says it is huge' => [413, undef,
        POST => '/whip/room', @all, raw => 1, body => 'x',
        headers => [@sdp, 'Content-Length' => 1 << 40]],
    'a start over 16 KiB' => [413, 'body_too_large',
        POST => '/video-calls/room/recording/start', headers => \@json, @all,
        body => '{"a":"' . 'x' x 17_000 . '"}'],
    'a start that says it is huge' => [413, 'body_too_large',
        POST => '/video-calls/room/recording/start', @all, raw => 1,
        body => 'x', headers => [@json, 'Content-Length' => 1 << 40]],

    # tokens
    'WHIP with an expired token' => [401, 'token_expired',
        POST => '/whip/room', headers => \@sdp, body => $offer,
        token => $rec->token(call => 'room', perms => ['publish'],
            exp => time - 3600)],
    'WHIP with a forged token' => [401, 'token_invalid',
        POST => '/whip/room', headers => \@sdp, body => $offer,
        token => CallRecorder::Token::hs256('x' x 32, call => 'room',
            perms => ['publish'])],
    'start with an expired token' => [401, 'token_expired',
        POST => '/video-calls/room/recording/start',
        token => $rec->token(call => 'room', perms => ['record'],
            exp => time - 3600)],
    'start with a forged token' => [401, 'token_invalid',
        POST => '/video-calls/room/recording/start',
        token => CallRecorder::Token::hs256('x' x 32, call => 'room',
            perms => ['record'])],
    'start with an endless token' => [401, 'token_malformed',
        POST => '/video-calls/room/recording/start',
        token => 'a' x 5000 . '.b.c'],
    'start with a token for publishing' => [403, 'forbidden',
        POST => '/video-calls/room/recording/start', may('room', 'publish')],

    # unknown recordings
    'status of an unknown recording' => [404, 'recording_not_found',
        GET => "/video-calls/room/recording/$unknown", @all],
    'delete of an unknown recording' => [404, 'recording_not_found',
        DELETE => "/video-calls/room/recording/$unknown?force=true", @all],
    'stop of an unknown call' => [404, 'recording_not_found',
        POST => '/video-calls/nobody/recording/stop', @all],
    'a part of an unknown recording' => [410, 'recording_gone',
        PUT => "/parts/$unknown/composite/parts/1?offset=0", body => 'x',
        @all],
    'a part without a token' => [401, 'token_missing',
        PUT => "/parts/$unknown/composite/parts/1?offset=0", body => 'x'],
);


sub refused
{
    my ($name) = @_;

    my ($status, $code, $method, $uri, %opt) = @{ $bad{$name} };
    my $res = $rec->request($method, $uri, %opt);
    my ($said) = $res->{body} =~ /"code"\s*:\s*"(\w+)"/;

    return ("$res->{status} " . ($said // '-'),
            "$status " . ($code // '-'));
}

sub files
{
    my @found;

    File::Find::find({ no_chdir => 1, wanted => sub { push @found, $_ } },
        "$rec->{dir}/records");

    return join "\n", sort @found;
}

# Descriptors and KB of memory of all workers.

sub held
{
    my ($fds, $kb) = (0, 0);

    for my $pid ($rec->workers) {
        my @open = glob "/proc/$pid/fd/*";
        $fds += @open;

        CallRecorder::Recorder::slurp_file("/proc/$pid/status")
            =~ /^VmRSS:\s*(\d+)/m and $kb += $1;
    }

    return ($fds, $kb);
}


$rec->wait_for(sub {
    $rec->request(POST => '/video-calls/nobody/recording/stop', @all)
        ->{status} == 404
}, 10);

my $files = files();

for my $name (sort keys %bad) {
    my ($got, $wanted) = refused($name);
    is($got, $wanted, $name);
}

# nginx waits a while for what is announced

delete @bad{ grep { /huge/ } keys %bad };


# ---- again and again: nothing grows

refused($_) for (sort keys %bad) x 3;

my ($fds, $kb) = held();

for (1 .. 15) {
    refused($_) for sort keys %bad;
}

my ($fds_after, $kb_after) = held();

cmp_ok($fds_after, '<=', $fds, 'no descriptor is left');

# a sanitizer keeps what is freed
cmp_ok($kb_after, '<', $kb + 1024, 'no memory is left') if !$SANITIZE;

is(files(), $files, 'no file is left');


# ---- UDP: silence, with a session that is there

my $s = CallRecorder::Whip::session($rec);
my $socket = CallRecorder::Stun::connected('127.0.0.1', $rec->{udp});
my $stranger = CallRecorder::Stun::connected('127.0.0.1', $rec->{udp});

ok(CallRecorder::Whip::check($rec, $s, socket => $socket),
    'the address of a session is proven');

# each protocol of RFC 7983, cut anywhere

my %whole = (
    'STUN' => pack('nnNa12', 1, 0, 0x2112a442, 'transaction0'),
    'a STUN response' => pack('nnNa12', 0x101, 0, 0x2112a442, 'transaction0'),
    'a STUN indication' => pack('nnNa12', 0x11, 0, 0x2112a442,
        'transaction0'),
    'a TURN allocation' => pack('nnNa12nnN', 3, 8, 0x2112a442,
        'transaction0', 0x19, 4, 17 << 24),
    'TURN channel data' => pack('nn', 0x4000, 8) . 'x' x 8,
    'a DTLS alert' => "\x16\xfe\xfd" =~ s/^\x16/\x15/r . "\0" x 8 . "\0\2\2\50",
    'a ClientHello' => "\x16\xfe\xff" . "\0" x 8 . "\0\x40\1\0\0\x34\0\0"
        . "\0\0\0\0\0\x34\xfe\xfd" . 'r' x 50,
    'RTP' => pack('CCnNN', 0x80, 96, 1, 1, 1) . 'x' x 40,
    'RTCP' => pack('CCnN', 0x81, 201, 7, 1) . 'x' x 24,
    'ZRTP' => "\x10\0\0\1ZRTP" . 'x' x 20,
);

for my $name (sort keys %whole) {
    my $len = length $whole{$name};

    # whole, an alert of the client itself would be believed

    $stranger->send(substr $whole{$name}, 0, $_) for 0 .. $len;
    $socket->send(substr $whole{$name}, 0, $_) for 0 .. $len - 1;

    ok(!IO::Select->new($stranger)->can_read(0.05),
        "$name from a stranger is met with silence");
}

ok(CallRecorder::Whip::check($rec, $s, socket => $socket),
    'the session is still there');
is($rec->request(DELETE => $s->{path}, @all)->{status}, 200,
    'until it is ended');
is(scalar $rec->workers, 2, 'no worker died');


# ---- a wrong fingerprint while it is recorded

my $id = $rec->start_recording;
my @media = ('--video', vp8_ivf(), '--audio', opus_ogg());

isnt(system("$CallRecorder::Recorder::BIN/whip-publisher", '--url',
    "http://127.0.0.1:$rec->{http}/whip/room", '--token',
    $rec->token(call => 'room', sub => 'mallory', perms => ['publish']),
    '--duration', 1, '--wrong-fingerprint', @media), 0,
    'a wrong fingerprint is not connected');

is($rec->status($id)->{status}, 'starting', 'it is not recorded');
is_deeply($rec->status($id)->{participants}, [], 'nor named');
ok(!-e $rec->folder($id) . '/mallory', 'and has no folder');


# ---- the one place for a session is free; replays and garbage are not written

my $pub = $rec->publish('alice', video => vp8_ivf(), audio => opus_ogg(),
    replay => undef, garbage => undef);
ok($pub, 'a good publisher finds room');
$rec->wait_status($id, 'recording', 10);
select undef, undef, undef, 2;
$rec->stop_recording;
$rec->leave($pub);

my $data = $rec->wait_status($id, 'processing', 10);
is($data->{status}, 'processing', 'it is recorded');
is($data->{quality}{lossPct}, 0, 'without a loss');
is(scalar(grep { $_->{ev} eq 'gap' } $rec->journal($id)), 0,
    'and without a gap');


# ---- what the mixing process might do wrong

my ($pid, $token);

$rec->wait_for(sub {
    ($pid) = $rec->error_log =~ /perl", pid (\d+)/ or return;
    ($token) = CallRecorder::Recorder::slurp_file("/proc/$pid/environ")
        =~ /CALLREC_TOKEN=([0-9a-f]+)/;
    return $token;
}, 10);

ok($token, 'it has a token');

my $digest = 'sha-256=:' . 'A' x 43 . '=:';
my @digest = ('Content-Digest' => $digest);
my $part = "/parts/$id/composite/parts";

%bad = (
    'another token' => [409, 'attempt_superseded', PUT => "$part/1?offset=0",
        headers => \@digest, body => 'x', token => 'f' x 64],
    'a token of the API' => [409, 'attempt_superseded',
        PUT => "$part/1?offset=0", headers => \@digest, body => 'x', @all],
    'no digest' => [400, 'digest_required', PUT => "$part/1?offset=0",
        body => 'x'],
    'a wrong digest' => [400, 'parts_mismatch', PUT => "$part/1?offset=0",
        headers => \@digest, body => 'x'],
    'no offset' => [400, 'invalid_request', PUT => "$part/1",
        headers => \@digest, body => 'x'],
    'an absurd offset' => [400, 'invalid_request',
        PUT => "$part/1?offset=9223372036854775807", headers => \@digest,
        body => 'x'],
    'an offset below zero' => [400, 'invalid_request',
        PUT => "$part/1?offset=-1", headers => \@digest, body => 'x'],
    'a number that is none' => [404, 'not_found', PUT => "$part/x?offset=0",
        headers => \@digest, body => 'x'],
    'an absurd number' => [404, 'not_found',
        PUT => "$part/99999999999?offset=0", headers => \@digest,
        body => 'x'],
    'an empty part' => [411, 'length_required', PUT => "$part/1?offset=0",
        headers => \@digest, body => ''],
    'a part that says it is huge' => [413, undef, PUT => "$part/1?offset=0",
        headers => [@digest, 'Content-Length' => 1 << 40], raw => 1,
        body => 'x'],
    'another output' => [404, 'not_found',
        PUT => "/parts/$id/a.b/parts/1?offset=0",
        headers => \@digest, body => 'x'],
    'GET of a part' => [405, 'method_not_allowed', GET => "$part/1"],
    'no JSON at the end' => [400, 'invalid_request',
        POST => "/parts/$id/composite/complete", body => '[' x 4000],
    'numbers below zero at the end' => [400, 'invalid_request',
        POST => "/parts/$id/composite/complete",
        body => '{"sizeBytes":-1,"parts":-1,"durationMs":-1}'],
    'a long end' => [400, 'invalid_request',
        POST => "/parts/$id/composite/complete", body => 'x' x 5000],
);

for my $name (sort keys %bad) {
    my ($status, $code, $method, $uri, %opt) = @{ $bad{$name} };
    $bad{$name} = [$status, $code, $method, $uri, token => $token, %opt];

    my ($got, $wanted) = refused($name);
    is($got, $wanted, "parts: $name");
}

is($rec->status($id)->{status}, 'processing', 'the attempt goes on');
is($rec->request(POST => "/parts/$id/composite/progress", body => '',
    token => $token, headers => ['Callrec-Out-Time-Ms' => '9' x 30])
    ->{status}, 204, 'an absurd progress is none');
cmp_ok($rec->status($id)->{progress}{pct} // 0, '<=', 100,
    'never more than 100 %');

is($rec->request(DELETE => "/video-calls/room/recording/$id?force=true",
    @all)->{status}, 202, 'it is deleted');
ok($rec->wait_for(sub { !kill 0, $pid }, 10), 'its process is ended');
ok($rec->wait_for(sub {
    return files() =~ s{^.*/records(?:/room(?:/\Q$id\E(?:/recording\.json)?)?)?$}
        {}gmr =~ /^\n*$/;
}, 10), 'only the tombstone is left') or diag(files());

$rec->stop;

done_testing();
