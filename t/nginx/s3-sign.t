#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# s3_sign and $s3_presigned_url against servers that verify signatures: Ceph's
# radosgw and OpenStack Swift.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Credentials;
use CallRecorder::Nginx;
use CallRecorder::Radosgw;
use CallRecorder::Swift;
use Digest::SHA qw(sha256_hex);
use Encode qw(encode_utf8);
use Test::More;

binmode Test::More->builder->$_, ':encoding(UTF-8)'
    for qw(output failure_output todo_output);

my $big = join '', map { chr(($_ * 7919) >> 8 & 0xff) } 1 .. 3_000_000;

for my $class (qw(Radosgw Swift)) {
    subtest $class => sub { server("CallRecorder::$class"->new) };
}

done_testing();


# Every byte that is not unreserved, but slashes.
sub encode
{
    my ($key) = @_;

    $key = encode_utf8($key);
    $key =~ s{([^A-Za-z0-9._~/-])}{sprintf '%%%02X', ord $1}ge;

    return $key;
}


# Text of XML
sub plain
{
    my ($text) = @_;

    my %entity = (amp => '&', lt => '<', gt => '>', quot => '"', apos => "'",
        '#39' => "'", '#34' => '"');

    return ($text // '') =~ s/&([^;]+);/$entity{$1} \/\/ "&$1;"/ger;
}


sub error_code
{
    my ($res) = @_;

    return $res->{body} =~ m{<Code>(\w+)</Code>} ? $1 : '';
}


sub server
{
    my ($s3) = @_;

    my $store = "127.0.0.1:$s3->{port}";
    my ($tamper, $http2, $closed) = map {
        CallRecorder::Nginx::free_port('tcp')
    } 1 .. 3;

    my $nginx = CallRecorder::Nginx->new(stopped => 1);

    open my $f, '>', "$nginx->{dir}/secret" or die "secret: $!";
    print $f "$s3->{secret}\n";
    close $f;

    my $endpoints = CallRecorder::Credentials->new(dir => $nginx->{dir},
        access => $s3->{access}, secret => $s3->{secret}, plain => 1);

    $nginx->configure(log => 'debug', http => <<"END", server => <<"END2");
    s3_region $s3->{region};
    s3_access_key $s3->{access};
    s3_secret_key file:{{dir}}/secret;
    s3_endpoint http://$store;
    client_body_buffer_size 64k;
    client_max_body_size 100m;

    # no bucket of the module's: the URI is that of proxy_pass
    server {
        listen 127.0.0.1:{{udp}};
        location /plain/ { s3_sign on; proxy_pass http://$store/; }
        location / { s3_sign payload; proxy_pass http://$store; }
    }

    upstream stores {
        server 127.0.0.1:$closed max_fails=0;
        server $store;
    }

    server {
        listen 127.0.0.1:$http2 http2;
        s3_bucket bucket;
        location /on/      { s3_sign on; proxy_pass http://$store; }
        location /payload/ { s3_sign payload; proxy_pass http://$store; }
    }

    # changes what was signed, on its way
    server {
        listen 127.0.0.1:$tamper;
        location / {
            proxy_pass http://$store;
            proxy_set_header Host \$http_host;
            proxy_set_header X-Amz-Meta-Who mallory;
        }
    }
END
        s3_bucket bucket;

        location /on/       { s3_sign on; proxy_pass http://$store; }
        location /payload/  { s3_sign payload; proxy_pass http://$store; }
        location /unsigned/ { s3_sign unsigned; proxy_pass http://$store; }

        location /keepalive/ {
            s3_sign payload;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_pass http://$store;
        }

        location /wrong/ {
            s3_sign on;
            s3_access_key $s3->{access};
            s3_secret_key wrong;
            proxy_pass http://$store;
        }

        location /tampered/ {
            s3_sign on;
            proxy_pass http://127.0.0.1:$tamper;
        }

        location /next/ { s3_sign payload; proxy_pass http://stores; }

        location /set/ {
            s3_sign payload;
            proxy_method PUT;
            proxy_set_body "set to \$arg_to";
            proxy_pass http://$store;
        }

        location = /gate {
            auth_request /on/dir/one;
            proxy_pass http://127.0.0.1:{{http}}/ready;
        }

        location = /closed {
            auth_request /wrong/dir/one;
            proxy_pass http://127.0.0.1:{{http}}/ready;
        }

        location /endpoint/ {
            s3_sign on;
            s3_credentials instance url=@{[ $endpoints->url ]};
            proxy_pass http://$store;
        }

        location /presign/ { return 200 \$s3_presigned_url; }

        location /url {
            s3_key \$arg_key;
            return 200 \$s3_presigned_url;
        }

        location /args {
            s3_key \$arg_key;
            s3_presign_args response-content-type=video/x-test;
            return 200 \$s3_presigned_url;
        }

        location /short {
            s3_key \$arg_key;
            s3_presign_expires 1s;
            return 200 \$s3_presigned_url;
        }
END2

    $nginx->start;

    my $req = sub { $nginx->request(@_, timeout => 30) };

    my $res = $req->(PUT => '/on/', body => '');
    is($res->{status}, 200, 'a bucket is made') or diag($res->{body});

    subtest 'keys of any kind' => sub {
        my $n = 0;

        for my $key ('plain', 'a b+c', '100%', '%41', 'ünï/ćödé.txt', 'a//b',
            '~x-_.y', 'q?u=e&r#s', q{=$@:;,!*()'"}, 'a/b/c/d')
        {
            my $body = "content of $n";
            my $uri = encode($key);

            $n++;

            is($req->(PUT => "/on/$uri", body => $body)->{status}, 200,
                "PUT $key");

            for my $how (qw(on payload unsigned keepalive)) {
                $res = $req->(GET => "/$how/$uri");
                is("$res->{status} $res->{body}", "200 $body",
                    "GET $key ($how)");
            }

            $res = $req->(HEAD => "/on/$uri");
            is($res->{status}, 200, "HEAD $key");
            is($res->{headers}{'content-length'}, length $body, 'its length');

            # the one that the store has is this one
            $res = $req->(GET => '/on/?list-type=2&prefix=' . encode($key));
            my ($listed) = $res->{body} =~ m{<Key>(.*?)</Key>};
            is(plain($listed), encode_utf8($key), "$key is listed");

            my $url = $req->(GET => "/presign/$uri")->{body};
            is(qx(curl -s --globoff --path-as-is '$url'), $body,
                "presigned $key");

            is($req->(DELETE => "/on/$uri")->{status}, 204, "DELETE $key");
            is($req->(GET => "/on/$uri")->{status}, 404, 'it is gone');
        }
    };

    subtest 'queries' => sub {
        $req->(PUT => "/on/$_", body => $_) for 'dir/one', 'dir/two+3', 'x';

        for my $query ('list-type=2&prefix=dir%2F', 'prefix=dir/&list-type=2',
            'prefix=dir/&delimiter=&max-keys=1000', 'prefix=dir%2f')
        {
            $res = $req->(GET => "/on/?$query");
            is($res->{status}, 200, $query);
            is(() = $res->{body} =~ m{<Key>dir/}g, 2, 'both are listed');
        }

        for my $query ('prefix=dir/two%2B', 'uploads', 'uploads=') {
            is($req->(GET => "/on/?$query")->{status}, 200, $query);
        }
    };

    subtest 'ranges' => sub {
        $res = $req->(GET => '/on/dir/two%2B3', headers => [Range => 'bytes=1-3']);
        is($res->{status}, 206, 'a part');
        is($res->{body}, 'ir/', 'of it');
    };

    subtest 'bodies in files' => sub {
        for my $how (qw(on payload unsigned keepalive)) {
            is($req->(PUT => "/$how/big", body => $big)->{status}, 200,
                "PUT ($how)");
            $res = $req->(GET => "/$how/big");
            is(sha256_hex($res->{body}), sha256_hex($big), 'GET');
        }
    };

    subtest 'the digest that a request brings' => sub {
        my @sum = ('X-Amz-Content-Sha256' => sha256_hex('right'));

        is($req->(PUT => '/on/digest', body => 'right',
            headers => \@sum)->{status}, 200, 'is signed');
        is($req->(PUT => '/on/digest', body => 'wrong',
            headers => \@sum)->{status}, 400, 'and checked by the store');
        is($req->(PUT => '/payload/digest', body => 'wrong',
            headers => \@sum)->{status}, 200, 'but not if we make our own');
    };

    subtest 'headers of requests' => sub {
        is($req->(PUT => '/on/meta', body => 'x', headers => [
            'X-Amz-Meta-Who' => '  alice   and bob ',
            'Content-Type' => 'text/x-test',
            'Authorization' => 'Bearer of-nginx',
            'X-Amz-Date' => '19700101T000000Z',
            'X-Amz-Security-Token' => 'none',
        ])->{status}, 200, 'what we sign is ours');

        $res = $req->(HEAD => '/on/meta');
        like($res->{headers}{'x-amz-meta-who'} // '', qr/^alice +and bob$/,
            'metadata');
        is($res->{headers}{'content-type'}, 'text/x-test', 'type');
    };

    subtest 'proxy_pass chooses the URI' => sub {
        local $nginx->{http} = $nginx->{udp};

        is($req->(PUT => '/plain/bucket/a%20b', body => 'x')->{status}, 200,
            'with a URI of its own');
        is($req->(GET => '/bucket//a%20b')->{status}, 404,
            'and without, as it came');
        is($req->(GET => '/bucket/a%20b?')->{body}, 'x', 'or so');
    };

    subtest 'any way to the store' => sub {
        for (1 .. 4) {
            is($req->(PUT => '/next/next', body => "$_$big")->{status}, 200,
                'the next server is asked when one is down');
            is(substr($req->(GET => '/next/next')->{body}, 0, 1), $_,
                'and for reading');
        }

        is($req->(GET => '/set/set?to=x')->{status}, 200, 'proxy_set_body');
        is($req->(GET => '/on/set')->{body}, 'set to x', 'is signed, too');

        is($req->(GET => '/gate')->{status}, 204, 'a subrequest');
        is($req->(GET => '/closed')->{status}, 403, 'that is refused');

        my $curl = "curl -s --http2-prior-knowledge http://127.0.0.1:$http2";

        open my $f, '>', "$nginx->{dir}/big" or die "big: $!";
        print $f $big;
        close $f;

        for my $how (qw(on payload)) {
            is(qx($curl/$how/two -T $nginx->{dir}/big -w '%{http_code}'), '200',
                "HTTP/2 ($how)");
            is(sha256_hex(qx($curl/$how/two)), sha256_hex($big), 'and back');
            is(qx($curl/$how/three -T - -w '%{http_code}' < $nginx->{dir}/big),
                '200', 'of unknown length');
            is(sha256_hex(qx($curl/$how/three)), sha256_hex($big),
                'and back');
        }

        is(qx(curl -s http://127.0.0.1:$nginx->{http}/payload/four -T - \\
              -w '%{http_code}' < $nginx->{dir}/big), '200',
            'in chunks of HTTP/1.1');
        is(sha256_hex($req->(GET => '/on/four')->{body}), sha256_hex($big),
            'and back');
    };

    subtest 'presigned URLs' => sub {
        my $url = $req->(GET => '/url?key=dir/one')->{body};

        is(qx(curl -s '$url'), 'dir/one', 'GET');
        is(qx(curl -s -r 1-3 '$url'), 'ir/', 'a range');
        is(qx(curl -s -o /dev/null -w '%{http_code}' -X DELETE '$url'), '403',
            'not DELETE');
        my $other = $url =~ s{dir/one}{dir/two%2B3}r;
        is(qx(curl -s -o /dev/null -w '%{http_code}' '$other'), '403',
            'not another object');

        $url = $req->(GET => '/args?key=dir/one')->{body};
        like(qx(curl -s -i '$url'), qr{^content-type: video/x-test}mi,
            's3_presign_args');

        $url = $req->(GET => '/short?key=dir/one')->{body};
        sleep 3;
        is(qx(curl -s -o /dev/null -w '%{http_code}' '$url'), '403',
            'not when it has expired');
    };

    subtest 'forged' => sub {
        $res = $req->(GET => '/wrong/dir/one');
        is($res->{status}, 403, 'a wrong secret');
        is(error_code($res), 'SignatureDoesNotMatch', 'and why');

        $res = $req->(PUT => '/tampered/x', body => 'y',
            headers => ['X-Amz-Meta-Who' => 'alice']);
        is($res->{status}, 403, 'a header that was changed');
        is($req->(GET => '/on/x')->{body}, 'x', 'nothing was stored');
    };

    is($req->(GET => '/endpoint/dir/one')->{body}, 'dir/one',
        'with credentials of an endpoint');

    unlike($nginx->error_log, qr/\Q$s3->{secret}\E/,
        'the secret is in no log, not even of debugging');

    $nginx->stop;
    $s3->stop;
}
