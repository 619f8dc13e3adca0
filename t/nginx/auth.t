#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# Bearer tokens: what the configuration test says of keys, and what the API
# answers to tokens.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Nginx;
use CallRecorder::Token;
use MIME::Base64 qw(encode_base64url);
use Test::More;


my $nginx = CallRecorder::Nginx->new(stopped => 1);
my $dir = $nginx->{dir};


sub file
{
    my ($name, $text) = @_;

    open my $f, '>', "$dir/$name" or die "$name: $!";
    print $f $text;
    close $f or die "$name: $!";
}

sub accepted
{
    my ($http, $name, $words) = @_;

    $nginx->configure(http => $http);
    my ($good, $out) = $nginx->test;

    ok($good, $name) or diag($out);

    if ($words) {
        like($out, $words, "$name, and it says so");
    } else {
        unlike($out, qr/\[(warn|emerg)\]/, "$name without a warning");
    }
}

sub refused
{
    my ($http, $name, $words) = @_;

    $nginx->configure(http => $http);
    my ($good, $out) = $nginx->test;

    ok(!$good, "$name is refused");
    like($out, $words, 'the message says why');
}


my $secret = '0123456789abcdef0123456789abcdef';

system("openssl genrsa 2048 2>/dev/null > $dir/rsa.key"
       . " && openssl rsa -in $dir/rsa.key -pubout 2>/dev/null > $dir/rsa.pub"
       . " && openssl genrsa 1024 2>/dev/null | openssl rsa -pubout"
       . " 2>/dev/null > $dir/short.pub"
       . " && openssl ecparam -name prime256v1 -genkey -noout"
       . " | openssl ec -pubout 2>/dev/null > $dir/ec.pub") == 0
    or die 'openssl failed';

file('good.key', "$secret\n");
file('empty.key', "\n");
file('large.key', 'x' x 70000);

accepted("recording_jwt_key_file $dir/good.key;", 'a secret in a file');
accepted('recording_jwt_key_file good.key;', 'a file beside nginx.conf');
accepted("recording_jwt_key $secret;", 'a secret in the configuration');
accepted("recording_jwt_alg RS256; recording_jwt_key_file rsa.pub;",
         'a public key');

accepted('recording_jwt_key short;', 'a short secret', qr/5 bytes/);
accepted('recording_auth off;', 'no tokens at all',
         qr/\[warn\].*everybody who reaches/);

refused('recording_jwt_key_file missing.key;', 'a file that is not there',
        qr/missing\.key" failed/);
refused('recording_jwt_key_file empty.key;', 'an empty file', qr/is empty/);
refused('recording_jwt_key_file large.key;', 'an absurd file',
        qr/too large/);
refused('recording_jwt_key "";', 'an empty secret', qr/is empty/);
refused("recording_jwt_key $secret; recording_jwt_key_file good.key;",
        'a second key', qr/one key in each block/);
refused("recording_jwt_key_file good.key; recording_jwt_key $secret;",
        'a second key the other way round', qr/one key in each block/);
refused('recording_jwt_alg none;', 'no algorithm', qr/invalid value "none"/);
refused('recording_jwt_key_file rsa.pub;', 'a public key as a secret',
        qr/recording_jwt_alg RS256/);
refused("recording_jwt_alg RS256; recording_jwt_key $secret;",
        'a secret as a public key', qr/not an RSA public key/);
refused('recording_jwt_alg RS256; recording_jwt_key_file rsa.key;',
        'a private key', qr/not an RSA public key/);
refused('recording_jwt_alg RS256; recording_jwt_key_file short.pub;',
        'an RSA key of 1024 bits', qr/at least 2048 bits/);
refused('recording_jwt_alg RS256; recording_jwt_key_file ec.pub;',
        'a key of an elliptic curve', qr/not an RSA public key/);

my $api = 'location /video-calls/ { recording_api; }';

$nginx->configure(http => "recording_root $dir/records;", server => $api);
my ($good, $out) = $nginx->test;
ok(!$good, 'a location that asks for tokens without a key is refused');
like($out, qr/"recording_api" needs "recording_jwt_key_file"/,
     'the message says what it needs');


# Requests.  A token that is good for this is answered with 404: there is no
# such recording.

$nginx->configure(http => "recording_root $dir/records;", server => <<"END");
    recording_jwt_key $secret;
    $api
    location /rsa/ {
        recording_jwt_alg RS256;
        recording_jwt_key_file rsa.pub;
        location /rsa/video-calls/ { recording_api; }
    }
    location /open/ {
        recording_auth off;
        location /open/video-calls/ { recording_api; }
    }
END
$nginx->start;


# Status, code and WWW-Authenticate of the answer to these headers.

sub get
{
    my ($prefix, @headers) = @_;

    my $res = $nginx->request(
        GET => "$prefix/video-calls/room1/recording/rec_none",
        headers => \@headers);

    my ($code) = $res->{body} =~ /"code"\s*:\s*"(\w+)"/;

    return join ' ', $res->{status}, $code // '-',
        $res->{headers}{'www-authenticate'} // '';
}

sub bearer
{
    my ($key, %claims) = @_;

    return (Authorization => 'Bearer '
        . CallRecorder::Token::hs256($key, %claims));
}

my %may = (call => 'room1', perms => ['read']);
my $ok = qr/^404 recording_not_found /;
my $asks = 'Bearer realm="recording"';
my $bad = "$asks, error=\"invalid_token\"";

like(get('', bearer($secret, %may)), $ok, 'a good token');
like(get('', bearer($secret, %may, call => '*')), $ok,
     'a token for every call');

my ($name, $value) = bearer($secret, %may);
$value =~ s/^Bearer /bEARER   /;
like(get('', $name => $value), $ok, 'the case of the scheme does not matter');

is(get(''), "401 token_missing $asks", 'no token');
is(get('', Authorization => 'Basic YTpi'), "401 token_malformed $bad",
   'a password');
is(get('', Authorization => 'Bearer'), "401 token_malformed $bad",
   'a scheme alone');
is(get('', Authorization => 'Bearer   '), "401 token_malformed $bad",
   'a scheme and blanks');
is(get('', Authorization => 'Bearer a.b.c'), "401 token_malformed $bad",
   'no token of this kind');
is(get('', bearer('another', %may)), "401 token_invalid $bad",
   'a forged token');
is(get('', bearer($secret, %may, exp => time - 40)),
   "401 token_expired $bad", 'an expired token');
is(get('', bearer($secret, %may, nbf => time + 90)),
   "401 token_invalid $bad", 'a token that is not valid yet');
is(get('', bearer($secret, %may, perms => 'read')),
   "401 token_invalid $bad", 'a claim of the wrong type');
is(get('', bearer($secret, %may, call => 'room2')), '403 forbidden ',
   'a token for another call');
is(get('', bearer($secret, %may, perms => ['publish', 'record'])),
   '403 forbidden ', 'a token for something else');
is(get('', bearer($secret)), '403 forbidden ', 'a token for nothing');


# The public key is no secret: nobody may sign with it.

my $public = do { open my $f, '<', "$dir/rsa.pub" or die; local $/; <$f> };

is(get('/rsa', bearer($public, %may)), "401 token_invalid $bad",
   'a token signed with the public key as a secret');
(my $stripped = $public) =~ s/\n\z//;
is(get('/rsa', bearer($stripped, %may)), "401 token_invalid $bad",
   'the same without the newline that is stripped');

my $signed = join '.', map { encode_base64url($_) }
    '{"alg":"RS256"}', '{"call":"room1","perms":["read"],"exp":9999999999}';

file('signed', $signed);
my $signature = qx(openssl dgst -sha256 -sign $dir/rsa.key $dir/signed);
like(get('/rsa', Authorization => "Bearer $signed."
         . encode_base64url($signature)), $ok, 'a token signed by RSA');
is(get('/rsa'), "401 token_missing $asks", 'no token there either');

like(get('/open'), $ok, 'no token is needed where none is asked for');

$nginx->stop;

done_testing;
