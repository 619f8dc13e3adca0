#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# Keys of bearer tokens: what the configuration test says of them.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Nginx;
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

$nginx->{ignore} = qr/./;

done_testing;
