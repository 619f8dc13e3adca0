#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# s3_credentials: endpoints are asked before the credentials expire, requests
# wait for the first ones, failures are told; files and the environment.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Credentials;
use CallRecorder::Nginx;
use Test::More;
use Time::HiRes qw(sleep);

my $echo = CallRecorder::Nginx::free_port('tcp');
my $dir = File::Temp->newdir('callrec-credentials-XXXXXX', TMPDIR => 1);

chmod 0755, "$dir";


sub file
{
    my ($name, $text) = @_;

    open my $f, '>', "$dir/$name" or die "$name: $!";
    print $f $text;
    close $f;

    return "$dir/$name";
}


# What arrives at the store: the access key, or the status
sub key
{
    my ($nginx, $path) = @_;

    my $res = $nginx->request(GET => $path, timeout => 20);

    return $res->{status} if $res->{status} != 200;
    return $res->{body} =~ m{Credential=([^/]+)/} ? $1 : $res->{body};
}


my $http = <<"END";
    server {
        listen 127.0.0.1:$echo;
        location / {
            return 200 "\$http_authorization|\$http_x_amz_security_token|\$http_host";
        }
    }
END

my $target = "s3_sign on; proxy_pass http://127.0.0.1:$echo;";


subtest 'by the configuration' => sub {
    my $nginx = CallRecorder::Nginx->new(http => $http,
        env => {
            AWS_ACCESS_KEY_ID => 'ENVKEY', AWS_SECRET_ACCESS_KEY => 'S',
            MY_SECRET => 'S',
        },
        server => <<"END");
        location /session {
            s3_access_key KEY;
            s3_secret_key env:MY_SECRET;
            s3_session_token TOKEN/+=;
            $target
        }
        location /env { s3_credentials env; $target }
        location /file {
            s3_credentials file path=@{[ file('aws', "[default]\n"
                . "aws_access_key_id=FILEKEY\naws_secret_access_key=S\n"
                . "[other]\naws_access_key_id=OTHERKEY\n"
                . "aws_secret_access_key=S\n") ]};
            $target
        }
        location /other {
            s3_credentials file path=$dir/aws profile=other;
            $target
        }
        location /virtual/ {
            s3_access_key KEY;
            s3_secret_key S;
            s3_endpoint http://127.0.0.1:$echo virtual;
            s3_bucket bucket;
            $target
        }
END

    my $res = $nginx->request(GET => '/session',
        headers => [Authorization => 'Bearer nginx-only']);
    like($res->{body}, qr{^AWS4-HMAC-SHA256\ Credential=KEY/\d{8}/us-east-1/s3/
        aws4_request,\ SignedHeaders=host;x-amz-content-sha256;x-amz-date;
        x-amz-security-token,\ Signature=[0-9a-f]{64}\|TOKEN/\+=\|}x,
        'a session token is sent and signed');
    unlike($res->{body}, qr/nginx-only/, 'and no token of ours');

    is(key($nginx, '/env'), 'ENVKEY', 'of the environment');
    is(key($nginx, '/file'), 'FILEKEY', 'of a file');
    is(key($nginx, '/other'), 'OTHERKEY', 'of another profile');

    like($nginx->request(GET => '/virtual/k')->{body},
        qr/\|bucket\.127\.0\.0\.1:$echo$/, 'the bucket in Host');

    $nginx->stop;
};


subtest 'what is wrong is told at start' => sub {
    my $nginx = CallRecorder::Nginx->new(stopped => 1);

    for (
        [qr/needs "s3_access_key"/, 's3_sign on;'],
        [qr/belong together/, 's3_access_key K;'],
        [qr/the environment has no NO_SUCH/, 's3_secret_key env:NO_SUCH;'],
        [qr/failed \(2: No such file/, "s3_secret_key file:$dir/no;"],
        [qr/none" is empty/, 's3_secret_key file:' . file('none', "\n") . ';'],
        [qr/has a character that no key has/, 's3_access_key "a b";'],
        [qr/unknown source "dns"/, 's3_credentials dns;'],
        [qr/invalid parameter "path=x" of "instance"/,
            's3_credentials instance path=x;'],
        [qr/no such profile/, 's3_credentials file path='
            . file('other', "[other]\n") . ';'],
        [qr/needs "path="/, 's3_credentials file;'],
        [qr/finds no AWS_ACCESS_KEY_ID/, 's3_credentials env;'],
        [qr/needs "token_file="/, 's3_credentials web_identity;'],
        [qr/needs "url="/, 's3_credentials container;'],
        [qr/is no http/, 's3_endpoint ftp://x;'],
        [qr/scheme, host and port/, 's3_endpoint http://x/y;'],
        [qr/neither "path" nor/, 's3_endpoint http://x dns;'],
        [qr/stands beside/, 's3_credentials instance; s3_access_key a;'],
        [qr/beside it/, 's3_credentials static;'],
    ) {
        my ($expected, $conf) = @$_;

        $nginx->configure(server => "location /x { $conf }");
        my ($ok, $out) = $nginx->test;
        ok(!$ok, "refused: $conf");
        like($out, $expected, 'and why');
    }
};


subtest 'by endpoints' => sub {
    my $endpoints = CallRecorder::Credentials->new(dir => "$dir", life => 8);
    my $url = $endpoints->url;

    my $nginx = CallRecorder::Nginx->new(http => $http, workers => 1,
        env => { AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE
            => file('pod', "pod-token\n") },
        server => <<"END");
        location /instance { s3_credentials instance url=$url; $target }
        location /container {
            s3_credentials container url=$url/container?id=1;
            $target
        }
        location /web {
            s3_credentials web_identity url=$url/sts session=calls
                role=arn:aws:iam::1:role/r
                token_file=@{[ file('web', "web.token\n") ]};
            $target
        }
END

    my %first;

    for my $path (qw(/instance /container /web)) {
        $first{$path} = key($nginx, $path);
        like($first{$path}, qr/^KEY\d+$/, "$path has a key");
    }

    is(key($nginx, '/web'), $first{'/web'}, 'it is kept');
    like($nginx->request(GET => '/web')->{body}, qr/\|session\|/,
        'with its token');

    for my $path (sort keys %first) {
        ok($nginx->wait_for(sub { key($nginx, $path) ne $first{$path} }, 20),
            "$path is renewed");
    }

    my @statuses = map { /(\d+)$/ } $endpoints->log;
    is(grep({ $_ != 200 } @statuses), 0, 'they were asked in the right way');
    is(grep({ / 503 / } split /\n/, $nginx->slurp('access.log')), 0,
        'no request was without credentials meanwhile');

    subtest 'that fail' => sub {
        $endpoints->fail(1);

        ok($nginx->wait_for(sub { key($nginx, '/instance') eq '503' }, 30),
            'when the last ones have expired, requests get 503');
        like($nginx->error_log, qr{has no credentials for us: status 500},
            'the log says why');

        $endpoints->fail(0);

        ok($nginx->wait_for(sub { key($nginx, '/instance') =~ /^KEY/ }, 90),
            'and it goes on by itself');
    };

    unlike($nginx->error_log, qr/SECRET|pod-token|web\.token/,
        'no secret is in the log');

    $nginx->stop;
};


subtest 'by TLS' => sub {
    my $endpoints = CallRecorder::Credentials->new(dir => "$dir", life => 600);
    my $port = CallRecorder::Nginx::free_port('tcp');

    for my $name (qw(localhost elsewhere)) {
        system("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -batch "
            . "-keyout $dir/$name.key -out $dir/$name.crt -subj /CN=$name "
            . "-addext subjectAltName=DNS:$name 2> /dev/null") == 0
            or die "openssl: $?";
    }

    my $web = "url=https://localhost:$port/sts session=calls "
        . "role=arn:aws:iam::1:role/r token_file=$dir/web";
    my $server = sub {
        my ($name) = @_;
        return $http . <<"END";
    server {
        listen localhost:$port ssl;
        ssl_certificate $dir/$name.crt;
        ssl_certificate_key $dir/$name.key;
        location / { proxy_http_version 1.1;
                     proxy_pass @{[ $endpoints->url ]}; }
    }
END
    };

    for (['localhost', 'localhost', qr/^KEY/, 'its authority'],
         ['localhost', 'elsewhere', 503, 'another authority'],
         ['elsewhere', 'elsewhere', 503, 'another name'])
    {
        my ($has, $ca, $expected, $what) = @$_;

        my $nginx = CallRecorder::Nginx->new(workers => 1,
            http => $server->($has), server => "location /web {
                s3_credentials web_identity $web ca=$dir/$ca.crt; $target }");

        ref $expected
            ? like(key($nginx, '/web'), $expected, "a certificate of $what")
            : is(key($nginx, '/web'), $expected, "a certificate of $what");

        like($nginx->error_log, qr/the certificate is not to be trusted/,
            'the log says why') unless ref $expected;

        $nginx->stop;
    }
};


subtest 'endpoints that do not answer' => sub {
    my $silent = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
        LocalPort => 0, Listen => 5) or die "listen: $!";
    my $closed = CallRecorder::Nginx::free_port('tcp');

    my $nginx = CallRecorder::Nginx->new(http => $http, workers => 1,
        server => <<"END");
        location /silent {
            s3_credentials instance url=http://127.0.0.1:@{[ $silent->sockport ]};
            $target
        }
        location /closed {
            s3_credentials instance url=http://127.0.0.1:$closed;
            $target
        }
END

    is(key($nginx, '/closed'), 503, 'nobody listens');
    is(key($nginx, '/silent'), 503, 'nobody speaks');
    like($nginx->error_log, qr/timed out/, 'the log says why');

    $nginx->stop;
};

done_testing();
