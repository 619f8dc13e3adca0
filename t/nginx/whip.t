#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# WHIP (RFC 9725): every status with its headers and problem body.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Whip;
use Digest::SHA qw(hmac_sha1_base64);
use JSON::PP qw(decode_json);
use Test::More;


my $nginx = CallRecorder::Whip->nginx(rtc => 'connect_timeout 5s;',
    server => 'location /narrow/ { whip; whip_cors_origin https://a.example;
                   whip_base_url https://rec.example/x/; }
        location /files/ { whip; client_body_in_file_only clean; }
        location /ice/ {
            whip;
            whip_ice_server stun:stun.example:3478;
            whip_ice_server turn:turn.example?transport=udp
                            turns:turn.example secret=north-star ttl=2h;
        }');


sub problem
{
    my ($res, $status, $code, $name) = @_;

    subtest $name => sub {
        is($res->{status}, $status, "status $status");
        is($res->{headers}{'content-type'}, 'application/problem+json',
            'a problem body');
        is($res->{headers}{'access-control-allow-origin'}, '*',
            'a browser may read it');

        my $body = eval { decode_json($res->{body}) } // {};

        is($body->{status}, $status, 'its status');
        is($body->{code}, $code, 'its code');
        is($body->{type}, 'about:blank', 'its type');
        ok(length($body->{title} // ''), 'its title');
        ok(length($body->{detail} // ''), 'its detail');
    };
}

sub post { return CallRecorder::Whip::post($nginx, @_); }
sub on { return CallRecorder::Whip::on($nginx, @_); }
sub token { return $nginx->token(call => 'room', perms => ['publish'], @_); }

my $frag = 'application/trickle-ice-sdpfrag';


# ---- an offer and its answer

my $res = post();

is($res->{status}, 201, 'an offer is answered with 201');
is($res->{headers}{'content-type'}, 'application/sdp', 'by an SDP');
like($res->{headers}{location},
    qr{^http://127\.0\.0\.1:$nginx->{http}/whip/room/[a-z2-7]{26}$},
    'Location is absolute');
is($res->{headers}{etag}, '"ice-1"', 'ETag is strong');
is($res->{headers}{'access-control-allow-origin'}, '*', 'CORS: origin');
like($res->{headers}{'access-control-expose-headers'}, qr/$_/,
    "CORS: $_ is exposed") for qw(Location ETag Link);
like($res->{headers}{'accept-patch'}, qr/$frag/, 'Accept-Patch');
like($res->{body}, qr/^a=ice-lite\r$/m, 'the answer is ICE-lite');
like($res->{body}, qr/^a=setup:passive\r$/m, 'and passive');
like($res->{body}, qr/^a=candidate:\S+ 1 udp \d+ 127\.0\.0\.1 $nginx->{udp} /mi,
    'it has our address');
like($res->{body}, qr/^b=TIAS:2500000\r$/m, 'and the bitrate');

my $first = $res->{body};
$res = post();
my ($print) = $first =~ /^a=fingerprint:(.*)\r$/m;
like($res->{body}, qr/^a=fingerprint:\Q$print\E\r$/m,
    'all answers have the same fingerprint');
unlike($res->{body}, qr/^a=ice-pwd:\Q@{[ $first =~ m{^a=ice-pwd:(\S+)}m ]}\E\r$/m,
    'and credentials of their own');

$res = post(headers => ['Content-Type' => 'Application/SDP; charset=utf-8']);
is($res->{status}, 201, 'parameters of the type do not matter');

for my $name (qw(chromium156-audioonly chromium156-mdns firefox153-av
    gstreamer122-h264 gstreamer122-vp8 werift-av))
{
    $res = post(offer => CallRecorder::Whip::offer($name));
    is($res->{status}, 201, "offer of $name");
}

$res = $nginx->request(POST => '/narrow/room', token => token(),
    headers => ['Content-Type' => 'application/sdp'],
    body => CallRecorder::Whip::offer('chromium156-av'));
is($res->{status}, 201, 'another location');
is($res->{headers}{'access-control-allow-origin'}, 'https://a.example',
    'whip_cors_origin');
is($res->{headers}{vary}, 'Origin', 'with Vary');
like($res->{headers}{location}, qr{^https://rec\.example/x/narrow/room/\w+$},
    'whip_base_url');

$res = $nginx->request(POST => '/whip/room', token => token(),
    host => 'calls.example:8443',
    headers => ['Content-Type' => 'application/sdp'],
    body => CallRecorder::Whip::offer('chromium156-av'));
like($res->{headers}{location}, qr{^http://calls\.example:8443/whip/room/},
    'Location has the host of the request');


# ---- ICE servers

$res = $nginx->request(POST => '/ice/room', token => token(sub => 'alice'),
    headers => ['Content-Type' => 'application/sdp'],
    body => CallRecorder::Whip::offer('chromium156-av'));
is($res->{status}, 201, 'ICE servers');

my @link = split /, (?=<)/, $res->{headers}{link};
is(@link, 3, 'a Link for each URL');
is($link[0], '<stun:stun.example:3478>; rel="ice-server"', 'STUN');

my ($user, $pass)
    = $link[1] =~ /; username="(\d+:alice)"; credential="(.{27}=)"; /;
ok($user, 'TURN') or diag $link[1];
like($link[1], qr/^<turn:turn\.example\?transport=udp>; rel="ice-server"; /,
    'its URL');
like($link[1], qr/; credential-type="password"$/, 'and type');
like($link[2], qr/^<turns:turn\.example>;.* credential="\Q$pass\E"/,
    'TURN over TLS has the same credentials');
is($pass, hmac_sha1_base64($user, 'north-star') . '=',
    'the password is that of the user name');
cmp_ok(abs(($user =~ /(\d+)/)[0] - time - 7200), '<', 10, 'for two hours');

$res = $nginx->request(OPTIONS => '/ice/room');
is($res->{headers}{link}, undef, 'nobody gets them without a token');
unlike($nginx->error_log, qr/north-star|\Q$pass\E/, 'nothing is logged');


# ---- who may publish

problem(post(token => undef), 401, 'token_missing', 'no token');
$res = post(token => undef);
like($res->{headers}{'www-authenticate'}, qr/^Bearer/, 'WWW-Authenticate');
problem(post(token => 'nonsense'), 401, 'token_malformed',
    'a token that is none');
problem(post(token => token(exp => time - 3600)), 401, 'token_expired',
    'an expired token');
problem(post(token => CallRecorder::Token::hs256('another secret', call => 'room',
    perms => ['publish'])), 401, 'token_invalid', 'a forged token');
problem(post(token => token(call => 'other')), 403, 'forbidden',
    'a token of another call');
problem(post(token => token(perms => ['read'])), 403, 'forbidden',
    'a token that does not permit to publish');


# ---- participants

problem(post(token => token(), query => '?participant=../x'), 400,
    'bad_participant', 'a participant that is no id');
problem(post(token => token(), query => '?participant=' . 'x' x 65), 400,
    'bad_participant', 'a participant that is too long');
problem(post(token => token(), query => '?name=%ff%fe'), 400,
    'bad_participant', 'a name that is not UTF-8');
problem(post(token => token(), query => '?name=a%00b'), 400,
    'bad_participant', 'a name with a zero');
problem(post(token => token(), query => '?name=' . 'x' x 129), 400,
    'bad_participant', 'a name that is too long');

is(post(token => token(), query => '?participant=bob&name=B%C3%B6b')->{status},
    201, 'id and name by the query');
like($nginx->error_log, qr/call: room, participant: bob/, 'are taken');
is(post(token => token())->{status}, 201, 'neither');
like($nginx->error_log, qr/participant: p-[0-9a-f]{16}/, 'gives an id');


# ---- ids

problem($nginx->request(POST => "/whip/$_", token => token(),
    headers => ['Content-Type' => 'application/sdp'], body => 'x'),
    400, 'bad_id', "call id $_")
    for 'a%20b', 'x' x 65, '%C3%A4', 'a.b', '';
is($nginx->request(POST => '/whip/a%00', token => token(), body => 'x')
    ->{status}, 400, 'call id with a zero: nginx refuses it itself');
is($nginx->request(POST => '/whip/..%2fetc', token => token(),
    body => 'x')->{status}, 404, 'a path with dots leaves the location');
problem($nginx->request(DELETE => '/whip/room/a/b', token => token()),
    400, 'bad_id', 'a session id with a slash');


# ---- bodies

problem(post(headers => ['Content-Type' => 'text/plain']), 415,
    'unsupported_media_type', 'another content type');
problem(post(headers => []), 415, 'unsupported_media_type',
    'no content type');
problem(post(headers => ['Content-Type' => 'application/sdpx']), 415,
    'unsupported_media_type', 'a longer content type');
problem(post(offer => ''), 400, 'body_empty', 'an empty body');
problem(post(offer => "v=0\r\n"), 400, 'sdp_malformed', 'half an offer');
problem(post(offer => "\0\1\2" x 1000), 400, 'sdp_malformed', 'garbage');

my $offer = CallRecorder::Whip::offer('chromium156-av');

problem(post(offer => $offer =~ s/a=fingerprint:.*?\r\n//gr), 400,
    'sdp_malformed', 'an offer without a fingerprint');
problem(post(offer => $offer =~ s/a=sendonly|a=sendrecv/a=recvonly/gr), 422,
    'sdp_unsupported', 'an offer that wants to receive');
problem(post(offer => $offer =~ s/a=group:BUNDLE.*?\r\n//r), 422,
    'sdp_unsupported', 'an offer without BUNDLE');
problem(post(offer => $offer =~ s{(a=rtpmap:\d+ )[\w-]+/}{$1X/}gr),
    406, 'no_common_codec', 'an offer without a codec of ours');
problem(post(offer => $offer . "a=x:y\r\n" x 9000), 413, 'body_too_large',
    'a body over 64 KiB');
problem($nginx->request(POST => '/whip/room', token => token(), raw => 1,
    headers => ['Content-Type' => 'application/sdp',
                'Transfer-Encoding' => 'chunked'],
    body => sprintf("%x\r\n%s\r\n", 40000, 'x' x 40000) x 3 . "0\r\n\r\n"),
    413, 'body_too_large', 'a chunked body over 64 KiB');

$res = $nginx->request(POST => '/whip/room', token => token(), raw => 1,
    headers => ['Content-Type' => 'application/sdp',
                'Transfer-Encoding' => 'chunked'],
    body => sprintf("%x\r\n%s\r\n0\r\n\r\n", length $offer, $offer));
is($res->{status}, 201, 'a chunked offer');

$res = $nginx->request(POST => '/files/room', token => token(),
    headers => ['Content-Type' => 'application/sdp'], body => $offer);
is($res->{status}, 201, 'an offer that nginx has put into a file');


# ---- methods

for my $method (qw(OPTIONS)) {
    $res = $nginx->request($method => '/whip/room',
        headers => ['Origin' => 'https://a.example',
                    'Access-Control-Request-Method' => 'POST']);
    is($res->{status}, 204, 'a preflight needs no token');
    is($res->{headers}{'accept-post'}, 'application/sdp', 'Accept-Post');
    like($res->{headers}{'access-control-allow-methods'}, qr/POST/,
        'POST is allowed');
    like($res->{headers}{'access-control-allow-headers'}, qr/Authorization/,
        'so is Authorization');

    $res = $nginx->request($method => '/whip/room/abc');
    is($res->{status}, 204, 'a preflight of a session');
    like($res->{headers}{'access-control-allow-methods'},
        qr/PATCH, DELETE/, 'PATCH and DELETE are allowed');
    like($res->{headers}{'access-control-allow-headers'}, qr/If-Match/,
        'so is If-Match');
}

for my $method (qw(GET HEAD)) {
    $res = $nginx->request($method => '/whip/room', token => token());
    is($res->{status}, 204, "$method of an endpoint");
    is($res->{body}, '', 'has no body');
}

for my $method (qw(PUT PATCH DELETE TRACEX)) {
    $res = $nginx->request($method => '/whip/room', token => token());
    problem($res, 405, 'method_not_allowed', "$method of an endpoint");
    like($res->{headers}{allow}, qr/POST/, 'Allow has POST');
}

my $s = CallRecorder::Whip::session($nginx);

for my $method (qw(POST PUT)) {
    $res = on($s, $method);
    problem($res, 405, 'method_not_allowed', "$method of a session");
    like($res->{headers}{allow}, qr/PATCH, DELETE/, 'Allow has PATCH');
}

for my $method (qw(GET HEAD)) {
    is(on($s, $method)->{status}, 204, "$method of a session");
}


# ---- sessions: trickle ICE

my $candidates = "a=ice-ufrag:$s->{theirs}\r\n"
    . "a=ice-pwd:@{[ $offer =~ /^a=ice-pwd:(\S+)/m ]}\r\n"
    . "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n"
    . "a=candidate:1 1 udp 2122260223 192.0.2.1 61764 typ host\r\n"
    . "a=end-of-candidates\r\n";

$res = on($s, 'PATCH', match => $s->{etag}, body => $candidates);
is($res->{status}, 204, 'candidates are taken');
is($res->{body}, '', 'without a body');
is($res->{headers}{etag}, undef, 'and without an ETag');
is(on($s, 'PATCH', match => '"a", "ice-1"', body => $candidates)->{status},
    204, 'a list of tags');
is(on($s, 'PATCH', match => '*', body => $candidates)->{status}, 204,
    'an asterisk with the same credentials is no restart');

problem(on($s, 'PATCH', body => $candidates), 428, 'precondition_required',
    'no If-Match');
problem(on($s, 'PATCH', match => '"ice-2"', body => $candidates), 412,
    'precondition_failed', 'another tag');
problem(on($s, 'PATCH', match => 'W/"ice-1"', body => $candidates), 412,
    'precondition_failed', 'a weak tag');
problem(on($s, 'PATCH', match => $s->{etag},
    body => "a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\n"), 409,
    'ice_session_conflict', 'candidates of another ICE session');
problem(on($s, 'PATCH', match => $s->{etag}, body => "nonsense\r\n"), 400,
    'sdpfrag_malformed', 'a malformed fragment');
problem(on($s, 'PATCH', match => $s->{etag},
    body => 'a=candidate:1 1 udp x'), 400, 'sdpfrag_malformed',
    'a malformed candidate');
problem(on($s, 'PATCH', headers => ['Content-Type' => 'application/json',
    'If-Match' => $s->{etag}], body => '{"candidate":""}'), 415,
    'unsupported_media_type', 'candidates as JSON');
problem(on($s, 'PATCH', match => $s->{etag}, body => $candidates x 400), 413,
    'body_too_large', 'a fragment over 64 KiB');
problem(on($s, 'PATCH', match => $s->{etag}, body => $candidates,
    token => undef), 401, 'token_missing', 'PATCH without a token');
problem(on($s, 'PATCH', match => $s->{etag}, body => $candidates,
    token => token(call => 'other')), 403, 'forbidden',
    'PATCH with a token of another call');
problem($nginx->request(PATCH => '/whip/room/abc', token => token(),
    headers => ['Content-Type' => $frag, 'If-Match' => '*'], body => 'x'),
    404, 'session_not_found', 'PATCH of an unknown session');


# ---- sessions: ICE restart

my $restart = "a=ice-ufrag:ysXw\r\na=ice-pwd:vw5LmwG4y/e6dPP/zAP9Gp5k\r\n";

problem(on($s, 'PATCH', match => '*', body => "a=end-of-candidates\r\n"),
    422, 'ice_credentials_missing', 'a restart without credentials');

$res = on($s, 'PATCH', match => '*', body => $restart);
is($res->{status}, 200, 'an ICE restart');
is($res->{headers}{'content-type'}, $frag, 'is answered by a fragment');
is($res->{headers}{etag}, '"ice-2"', 'with a new ETag');
unlike($res->{body}, qr/^a=ice-ufrag:\Q$s->{ufrag}\E\r$/m,
    'and a new ufrag');
like($res->{body}, qr/^a=candidate:.* $nginx->{udp} /m, 'and our address');

problem(on($s, 'PATCH', match => '"ice-1"', body => $restart), 412,
    'precondition_failed', 'the tag of before');
is(on($s, 'PATCH', match => '"*"', body => $restart =~ s/ysXw/ysXx/r)->{status},
    200, 'another restart, with the asterisk in quotes as in the RFC');


# ---- the end of a session

problem(on($s, 'DELETE', token => undef), 401, 'token_missing',
    'DELETE without a token');
problem(on($s, 'DELETE', path => $s->{path} =~ s/room/other/r,
    token => token(call => 'other')), 404, 'session_not_found',
    'DELETE by another call');
$res = on($s, 'DELETE', match => '"something"');
is($res->{status}, 200, 'DELETE, whatever If-Match says');
is($res->{body}, '', 'without a body');
problem(on($s, 'DELETE'), 404, 'session_not_found', 'DELETE again');
problem(on($s, 'GET'), 404, 'session_not_found', 'GET afterwards');

$nginx->stop;


# ---- limits

for my $limit (
    ['max_sessions 2;', 'the server', sub { "room$_[0]" }],
    ['max_sessions_per_call 2;', 'a call', sub { 'room' }],
    ['max_handshakes 2;', 'the way in', sub { "room$_[0]" }],
    ['max_sessions_per_address 2;', 'an address', sub { "room$_[0]" }])
{
    my ($directive, $name, $call) = @$limit;

    $nginx = CallRecorder::Whip->nginx(rtc => $directive);

    my @s = map { CallRecorder::Whip::session($nginx, call => $call->($_)) }
        1 .. 2;

    $res = post(call => $call->(3));
    problem($res, 503, 'capacity', "$name is full");
    like($res->{headers}{'retry-after'}, qr/^\d+$/, 'Retry-After');

    is(on($s[0], 'DELETE')->{status}, 200, 'when one leaves');
    is(post(call => $call->(3))->{status}, 201, 'there is room again');

    $nginx->stop;
}


# ---- configurations

for my $case (
    [qr/no "listen"/, listen => ''],
    [qr/invalid port|no port|not valid/, listen => 'listen 127.0.0.1:99999;'],
    [qr/duplicate address/, rtc => 'listen 127.0.0.1:{{udp}};'],
    [qr/unknown codec "theora"/, rtc => 'codecs theora;'],
    [qr/given twice/, rtc => 'codecs opus opus;'],
    [qr/not an IP address/, rtc => 'public_address example.com;'],
    [qr/too small/, rtc => 'zone rtc 64k;'],
    [qr/unknown directive "nonsense"/, rtc => 'nonsense on;'],
    [qr/regular expression/, server => 'location ~ ^/x { whip; }'])
{
    my ($words, %opt) = @$case;

    $nginx = CallRecorder::Nginx->new(stopped => 1,
        CallRecorder::Whip->conf(%opt));
    my ($good, $out) = $nginx->test;

    ok(!$good, "$opt{(keys %opt)[0]} is refused") or diag($out);
    like($out, $words, 'the message says why');
}

$nginx = CallRecorder::Nginx->new(stopped => 1,
    http => "recording_jwt_key '$CallRecorder::Nginx::SECRET';",
    server => 'location /whip/ { whip; }');
my ($good, $out) = $nginx->test;
ok(!$good, 'whip without an rtc block is refused');
like($out, qr/needs an "rtc" block/, 'the message says why');

$nginx = CallRecorder::Whip->nginx(rtc => 'codecs h264 opus;
    public_address 203.0.113.7; public_address 203.0.113.8:9999;
    public_address 2001:db8::7; max_bitrate 1m;',
    listen => 'listen {{udp}}; listen [::]:{{udp}};');
$res = post();
is($res->{status}, 201, 'public addresses');
like($res->{body}, qr/^a=candidate:.* 203\.0\.113\.7 $nginx->{udp} /m,
    'with the port of "listen"');
like($res->{body}, qr/^a=candidate:.* 203\.0\.113\.8 9999 /m,
    'with a port of its own');
like($res->{body}, qr/^a=candidate:.* 2001:db8:[0:]*:7 $nginx->{udp} /m,
    'IPv6');
unlike($res->{body}, qr/^a=candidate:.* 127\.0\.0\.1 /m, 'no private one');
like($res->{body}, qr/^m=video 9 \S+ \d+/m, 'there is video');
like($res->{body}, qr/H264/, 'the codec of the directive');
unlike($res->{body}, qr/VP8/, 'and no other');
like($res->{body}, qr/^b=TIAS:1048576\r$/m, 'max_bitrate');
$nginx->stop;


# ---- ICE servers that are refused

for (['turn:turn.example', 'needs a secret', 'TURN without a secret'],
     ['stun:a secret=', 'empty secret', 'an empty secret'],
     ['turn:a secret=north-star ttl=soon', 'invalid ttl', 'a bad ttl'],
     ['secret=north-star', 'has no URL', 'a secret alone'],
     ['http://a secret=north-star', 'takes stun:', 'another scheme'],
     ['turn:a secrets=north-star', 'takes stun:', 'a misspelt secret'],
     ["'stun:a>,<stun:b'", 'takes stun:', 'a URL that leaves its brackets'])
{
    my ($args, $why, $name) = @$_;

    $nginx->configure(CallRecorder::Whip->conf(
        http => "whip_ice_server $args;"));

    my ($good, $out) = $nginx->test;

    ok(!$good, "$name is refused");
    like($out, qr/"whip_ice_server" directive .*$why/, 'and why');
    unlike($out, qr/north-star/, 'without its secret');
}

done_testing();
