#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# The four calls of the API, and what they answer to bad requests.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Api;
use CallRecorder::Nginx;
use Test::More;


my $nginx = CallRecorder::Nginx->new(
    workers => 2,
    http    => "$CallRecorder::Api::HTTP recording_max_recordings 3;",
    server  => "$CallRecorder::Api::SERVER
        location /cors/ { recording_api; recording_cors_origin *; }
        location /page/ {
            recording_api;
            recording_cors_origin https://example.com;
        }");

my $api = CallRecorder::Api->new($nginx);
my $root = "$nginx->{dir}/records/root";

ok($api->ready, 'starts are taken soon after a start');


sub refused
{
    my ($res, $status, $code, $name) = @_;

    is("$res->{status} " . ($res->{code} // ''), "$status $code", $name);
    is($res->{json}{success}, JSON::PP::false(), "$name: not a success");
    ok(length($res->{error}{message} // ''), "$name: a message");
}


# start

my $res = $api->start('room1', body => { startedBy => "Zo\x{eb} \"Z\" <z>" });
my $id = $res->{data}{recordingId};

is($res->{status}, 201, 'start is answered with 201');
like($id, qr/^rec_[0-9a-z]{26}$/, 'a recordingId');
is($res->{headers}{location}, "/video-calls/room1/recording/$id",
    'Location leads to the status');
is($res->{headers}{'content-type'}, 'application/json', 'in JSON');
like($res->{headers}{etag}, qr/^"\d+"$/, 'a strong ETag');
is($res->{data}{status}, 'starting', 'it is starting until media comes');
is($res->{data}{startedBy}, "Zo\x{eb} \"Z\" <z>", 'startedBy as it was said');
is(join(' ', sort keys %{ $res->{data} }), join(' ', sort qw(recordingId
    callId status rev mode layout startedBy createdAt firstMediaAt startedAt
    stoppedAt completedAt endReason durationMs sizeBytes interruptions
    progress outputs participants quality cost error)),
    'the status has all its fields');
ok(-s "$root/room1/$id/journal.ndjson", 'the journal has been begun');
ok(-s "$root/room1/$id/recording.json", 'recording.json is there');

$res = $api->start('room1');
refused($res, 409, 'recording_active', 'a second start');
is($res->{error}{recordingId}, $id, 'the active recording is named');

# every worker knows of it

for (1 .. 8) {
    $res = $api->get('room1', $id);
    last if $res->{status} != 200 || $res->{data}{recordingId} ne $id;
}

is($res->{status}, 200, 'each worker answers the same');


# get

my $etag = $res->{headers}{etag};

$res = $api->get('room1', $id, '', headers => ['If-None-Match' => $etag]);
is($res->{status}, 304, 'If-None-Match with the ETag');
is($res->{body}, '', '304 has no body');

$res = $api->get('room1', $id, '', headers => ['If-None-Match' => '"0"']);
is($res->{status}, 200, 'If-None-Match with another one');

$res = $api->call(HEAD => "room1/recording/$id");
is($res->{status}, 200, 'HEAD is answered like GET');
is($res->{headers}{etag}, $etag, 'with the ETag');
is($res->{body}, '', 'without a body');

refused($api->get('room1', 'rec_none'), 404, 'recording_not_found',
    'an unknown recording');
refused($api->get('room2', $id), 404, 'recording_not_found',
    'the recording of another call');
refused($api->get('room1', $id, '?wait=61'), 400, 'invalid_request',
    'too long a wait');
refused($api->get('room1', $id, '?wait=x'), 400, 'invalid_request',
    'a wait that is no number');
refused($api->get('room1', $id, '?rev=-1'), 400, 'invalid_request',
    'a rev that is no number');


# Idempotency-Key

my @key = (headers => ['Idempotency-Key' => 'key-1']);

$res = $api->start('idem', @key);
is($res->{status}, 201, 'a start with an Idempotency-Key');
my $first = $res->{data}{recordingId};

$res = $api->start('idem', @key);
is($res->{status}, 200, 'the same request again');
is($res->{data}{recordingId}, $first, 'is the same recording');

refused($api->start('idem', body => {}, @key), 422,
    'idempotency_key_reused', 'the same key with another body');

$api->stop('idem');
$res = $api->start('idem', @key);
is($res->{data}{recordingId}, $first,
    'the same recording after it has ended, too');

refused($api->start('idem', headers => ['Idempotency-Key' => 'x' x 129]),
    400, 'invalid_request', 'too long a key');
refused($api->start('idem', headers => ['Idempotency-Key' => 'a b']),
    400, 'invalid_request', 'a key with a space');


# stop

$res = $api->stop('room1');
is($res->{status}, 202, 'stop is answered with 202');
is($res->{data}{recordingId}, $id, 'it is the recording');
is($res->{data}{endReason}, 'stopped', 'endReason');
like($res->{data}{stoppedAt}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
    'stoppedAt');
is($res->{data}{status}, 'failed', 'without media it has failed');
is($res->{data}{error}{code}, 'no_media', 'and says why');

my $again = $api->stop('room1');
is($again->{status}, 202, 'stop may be repeated');
is_deeply($again->{data}, $res->{data}, 'with the same status');

refused($api->stop('never'), 404, 'recording_not_found',
    'stop of a call that was never recorded');
refused($api->stop('room1', body => { discard => JSON::PP::true() }), 409,
    'recording_ended', 'it is too late to discard');

$res = $api->start('waste');
my $waste = $res->{data}{recordingId};
$res = $api->stop('waste', body => { discard => JSON::PP::true() });
is($res->{status}, 202, 'stop with discard');
is($res->{data}{status}, 'aborted', 'it is aborted');
is($res->{data}{endReason}, 'discarded', 'endReason is discarded');
ok($nginx->wait_for(sub { !-e "$root/waste/$waste/journal.ndjson" }, 5),
    'its files are removed');
is($api->get('waste', $waste)->{data}{status}, 'aborted',
    'the status stays');


# delete

$res = $api->start('room3');
my $id3 = $res->{data}{recordingId};

for ('alice', 'alice/s1') {
    mkdir "$root/room3/$id3/$_" or die $!;
    chmod 0777, "$root/room3/$id3/$_";
}

open my $f, '>', "$root/room3/$id3/alice/s1/000001.mkv" or die $!;
close $f;
symlink $nginx->{dir}, "$root/room3/$id3/link";

$res = $api->delete('room3', $id3);
refused($res, 409, 'recording_active', 'delete of an active recording');
is($res->{error}{recordingId}, $id3, 'names it');

$res = $api->delete('room3', $id3, '?force=true');
is($res->{status}, 202, 'delete with force');
is($res->{data}{status}, 'deleted', 'it is deleted');
refused($api->get('room3', $id3), 410, 'gone', 'get afterwards');
refused($api->delete('room3', $id3), 410, 'gone', 'delete afterwards');
ok($nginx->wait_for(sub {
    opendir my $d, "$root/room3/$id3" or return 0;
    return join(' ', grep { !/^\.\.?$/ } readdir $d) eq 'recording.json';
}, 5), 'only the tombstone is left on disk');
ok(-e "$nginx->{dir}/nginx.conf", 'links are not followed');

$res = $api->delete('room1', $id);
is($res->{status}, 202, 'delete of an ended recording');
refused($api->get('room1', $id), 410, 'gone', 'get of it');
refused($api->delete('room1', 'rec_none'), 404, 'recording_not_found',
    'delete of an unknown one');


# capacity

$api->start("full$_") for 1 .. 3;
$res = $api->start('full4');
refused($res, 503, 'capacity', 'one recording too many');
ok($res->{headers}{'retry-after'}, 'says when to try again');
is($res->{error}{retryable}, JSON::PP::true(), 'is retryable');

$api->stop('full1');
$res = $api->start('full4');
is($res->{status}, 201, 'there is room again after a stop');
$api->stop("full$_") for 2 .. 4;


# bad paths, methods, bodies

for my $path ('a.b/recording/start', 'a%20b/recording/start',
    'x' x 65 . '/recording/start',
    '/recording/start', 'a//recording/start', 'a/./recording/start',
    'a/b/../recording/start', 'a%2fb/recording/stop')
{
    refused($api->call(POST => $path), 400, 'invalid_id', "POST $path");
}

for my $path ('a/recording/%2e%2e', 'a/recording/..', 'a/recording/rec%00',
    'a/recording/rec_1.mkv', 'a/recording/' . 'x' x 65, 'a/recording/')
{
    my $answer = $api->call(GET => $path);
    is($answer->{status}, 400, "GET $path");
}

my $out = $nginx->request(POST => '/video-calls/../video-calls/%2e%2e/'
    . '%2e%2e/etc/recording/start', token => $api->{token});
like($out->{status}, qr/^40[04]$/, 'a path that leads out of the location');

refused($api->call(GET => 'a'), 404, 'not_found', 'GET of a call');
refused($api->call(GET => 'a/other/b'), 404, 'not_found', 'another resource');
refused($api->call(POST => 'a/recording/start/x'), 404, 'not_found',
    'something below');

$res = $api->call(GET => 'a/recording/start');
refused($res, 405, 'method_not_allowed', 'GET start');
is($res->{headers}{allow}, 'POST', 'Allow of start');

$res = $api->call(PUT => 'a/recording/rec_1');
refused($res, 405, 'method_not_allowed', 'PUT of a recording');
is($res->{headers}{allow}, 'GET, HEAD, DELETE', 'Allow of a recording');

my @json = (headers => ['Content-Type' => 'application/json']);

for my $body ('{', '[]', '1', '"x"', '{"mode":1}', '{"mode":"x"}',
    '{"layout":[]}', '{"startedBy":{}}', '{"a":1,"a":2}', "{\"a\":\"\xff\"}",
    '[' x 5000, '{"startedBy":"' . 'x' x 129 . '"}', 'null', '{}x')
{
    refused($api->start('bad', body => $body, @json), 400,
        'invalid_request', 'start ' . substr $body, 0, 20);
}

refused($api->stop('bad', body => '{"discard":1}', @json), 400,
    'invalid_request', 'discard is no boolean');
refused($api->start('bad', body => '{}', headers =>
    ['Content-Type' => 'text/plain']), 415, 'unsupported_media_type',
    'another type');
refused($api->start('bad', body => '{}'), 415, 'unsupported_media_type',
    'no type');
refused($api->start('bad', body => '{"a":"' . 'x' x 20000 . '"}', @json),
    413, 'body_too_large', 'a large body');
refused($api->start('bad', body => "2\r\n{}\r\n0\r\n\r\n", raw => 1, headers =>
    ['Content-Type' => 'application/json', 'Transfer-Encoding' => 'chunked']),
    411, 'length_required', 'a body without a length');
refused($api->stop('bad'), 404, 'recording_not_found',
    'no bad request has left a recording');
ok(!-e "$root/bad", 'or a folder');

$res = $api->start('good', body => '{"unknown":{"x":[1]},"mode":"composite"}',
    headers => ['Content-Type' => 'application/json; charset=utf-8']);
is($res->{status}, 201, 'unknown members are ignored');
is($res->{data}{startedBy}, 'tester', "startedBy is the token's subject");
$api->stop('good');


# tokens

sub token
{
    return (token => $nginx->token(@_));
}

$res = $api->start('tok', token => undef);
refused($res, 401, 'token_missing', 'no token');
like($res->{headers}{'www-authenticate'}, qr/^Bearer/, 'WWW-Authenticate');
refused($api->start('tok', token => 'x.y.z'), 401, 'token_malformed',
    'no token at all');
refused($api->start('tok', token(call => 'tok', perms => ['record'],
    exp => time - 60)), 401, 'token_expired', 'an expired token');
refused($api->start('tok', token => CallRecorder::Token::hs256('x' x 32,
    call => 'tok', perms => ['record'])), 401, 'token_invalid',
    'a forged token');
refused($api->start('tok', token(call => 'other', perms => ['record'])),
    403, 'forbidden', 'a token for another call');
refused($api->start('tok', token(call => 'tok',
    perms => [qw(read delete publish)])), 403, 'forbidden',
    'start needs record');
refused($api->stop('good', token(call => 'good', perms => ['read'])),
    403, 'forbidden', 'stop needs record');
refused($api->get('room1', $id, '', token(call => 'room1',
    perms => [qw(record delete publish)])), 403, 'forbidden',
    'get needs read');
refused($api->delete('room1', $id, '', token(call => 'room1',
    perms => [qw(record read publish)])), 403, 'forbidden',
    'delete needs delete');


# CORS

$res = $nginx->request(OPTIONS => '/cors/room/recording/start');
is($res->{status}, 204, 'a preflight needs no token');
is($res->{headers}{'access-control-allow-origin'}, '*', 'any origin');
is($res->{headers}{'access-control-allow-methods'}, 'POST', 'the methods');
like($res->{headers}{'access-control-allow-headers'}, qr/Authorization/,
    'and headers');

$res = $nginx->request(GET => '/page/room/recording/rec_1',
    token => $api->{token});
is($res->{status}, 404, 'an answer to a page');
is($res->{headers}{'access-control-allow-origin'}, 'https://example.com',
    'names its origin');
like($res->{headers}{'access-control-expose-headers'}, qr/ETag/,
    'shows it the ETag');

$res = $api->call(OPTIONS => 'room/recording/start');
refused($res, 405, 'method_not_allowed', 'no preflight without CORS');

$nginx->stop;

done_testing();
