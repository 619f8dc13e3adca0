#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# A recording in a real object store is mixed from there, by each of the ways
# that docs/callmix.md has: nginx that signs, nginx that redirects to presigned
# URLs, and a list of presigned URLs made by the page's own script.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Mix;
use CallRecorder::Nginx;
use CallRecorder::Radosgw;
use Test::More;


my $rec = CallRecorder::Mix->new;
my $dir = $rec->dir;
my $size = 'size=320x180';
my $prefix = 'calls/room123/rec_1';

for (['a', 'red', 600], ['b', 'blue', 900]) {
    my ($id, $color, $tone) = @$_;
    my $media = $rec->encode(seconds => 6, key => 2,
        video => CallRecorder::Mix::picture($color, size => '320x180',
            marker => 1),
        audio => CallRecorder::Mix::sound($tone));

    $rec->session(id => $id, media => $media, start => 0, chunk => 2000);
}

$rec->stop(6000);
$rec->write_journal;

my $local = $rec->framecrc("dir=$dir:$size");


my $s3 = CallRecorder::Radosgw->new;
my $store = "http://127.0.0.1:$s3->{port}";
my $tls = CallRecorder::Nginx::free_port('tcp');
my $nginx = CallRecorder::Nginx->new(stopped => 1);

system('openssl req -x509 -newkey rsa:2048 -nodes -days 2 -batch '
    . "-keyout $nginx->{dir}/tls.key -out $nginx->{dir}/tls.crt "
    . '-subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 '
    . '2> /dev/null') == 0 or die "openssl: $?";

open my $f, '>', "$nginx->{dir}/htpasswd" or die $!;
print $f "mixer:{PLAIN}password\n";
close $f;

$nginx->configure(http => <<"END", server => <<"END2");
    s3_region $s3->{region};
    s3_access_key $s3->{access};
    s3_secret_key $s3->{secret};
    s3_endpoint $store;
    s3_bucket bucket;
    client_max_body_size 100m;

    server {
        listen 127.0.0.1:$tls ssl;
        ssl_certificate {{dir}}/tls.crt;
        ssl_certificate_key {{dir}}/tls.key;
        location /files/ { s3_sign on; proxy_pass $store; }
    }
END
        location /put/   { s3_sign on; proxy_pass $store; }

        location /files/ {
            limit_except GET { deny all; }
            s3_sign on;
            proxy_pass $store;
        }

        location ~ ^/links/(?<object>.+)\$ {
            auth_basic mixers;
            auth_basic_user_file {{dir}}/htpasswd;
            try_files /none \@links;
        }

        location \@links {
            s3_key \$object;
            s3_presign_expires 60s;
            return 302 \$s3_presigned_url;
        }

        location /foreign/ {
            s3_access_key $s3->{access};
            s3_secret_key wrong;
            return 302 \$s3_presigned_url;
        }
END2

$nginx->start;

my $base = "127.0.0.1:$nginx->{http}";
my @files = map { substr $_, 1 + length $dir } "$dir/journal.ndjson",
    glob "$dir/*/*/*.mkv";

is($nginx->request(PUT => '/put/', body => '')->{status}, 200, 'a bucket');
is(@files, 7, 'a journal and six chunks');

for my $file (@files) {
    open my $fh, '<:raw', "$dir/$file" or die $!;
    my $body = do { local $/; <$fh> };
    is($nginx->request(PUT => "/put/$prefix/$file", body => $body,
        timeout => 30)->{status}, 200, "$file is in the store");
}


# A URL as an option of a filter.
sub quoted
{
    my ($text) = @_;

    return q(') . $text =~ s/([\\:])/\\$1/gr . q(');
}


sub mix
{
    my ($options) = @_;
    my $crc = eval { $rec->framecrc("$options:$size:retry_timeout=5") };

    $rec->{log} = $@ if !defined $crc;

    return $crc // 'failed';
}


is(mix('dir=' . quoted("http://$base/files/$prefix")), $local,
    'through nginx that signs: the same mix') or diag $rec->{log};

is(mix('dir=' . quoted("http://mixer:password\@$base/links/$prefix")), $local,
    'redirected to presigned URLs: the same mix') or diag $rec->{log};

is(mix('dir=' . quoted("http://mixer:wrong\@$base/links/$prefix")), 'failed',
    'another password: an error');
like($rec->{log}, qr{journal\.ndjson of http://\Q$base\E/links/$prefix: .*401},
    '...that tells neither user nor password');

is(mix('dir=' . quoted("http://$base/foreign/$prefix")), 'failed',
    'presigned with a wrong key: an error');
like($rec->{log}, qr/journal\.ndjson of .*403/, '...that says so');

is(mix('dir=' . quoted("$store/bucket/$prefix")), 'failed',
    'without a signature: an error');


# TLS: the certificate has to be good

my $secure = 'dir=' . quoted("https://127.0.0.1:$tls/files/$prefix");

is(mix("$secure:ca_file=$nginx->{dir}/tls.crt"), $local,
    'by https: the same mix') or diag $rec->{log};
is(mix($secure), 'failed', 'a certificate of nobody: an error');
like($rec->{log}, qr/certificate verify failed/, '...that says so');


# the script of docs/callmix.md

my $page = "$FindBin::Bin/../../docs/callmix.md";
open my $doc, '<', $page or die "$page: $!";
my ($script) = do { local $/; <$doc> } =~ /```python\n(.*?)```/s;
ok($script, 'docs/callmix.md has a script');

open my $python, '>', "$dir/urls.py" or die $!;
print $python $script;
close $python;

$ENV{AWS_ACCESS_KEY_ID} = $s3->{access};
$ENV{AWS_SECRET_ACCESS_KEY} = $s3->{secret};
$ENV{AWS_DEFAULT_REGION} = $s3->{region};
$ENV{AWS_CONFIG_FILE} = $ENV{AWS_SHARED_CREDENTIALS_FILE} = '/dev/null';

system("/usr/bin/python3 $dir/urls.py $store bucket $prefix "
    . "> $dir/list.json") == 0 or die "urls.py: $?";

is(mix("manifest=$dir/list.json"), $local,
    'a list of presigned URLs: the same mix') or diag $rec->{log};

# a chunk that is gone meanwhile

is($nginx->request(DELETE => "/put/$prefix/$files[2]")->{status}, 204,
    'a chunk is deleted');
unlink "$dir/$files[2]";
my $without = $rec->framecrc("dir=$dir:$size");

isnt($without, $local, 'without it: another mix');
is(mix("manifest=$dir/list.json"), $without, '...by the list');
is(mix('dir=' . quoted("http://$base/files/$prefix")), $without,
    '...by the folder');

$nginx->stop;

done_testing();
