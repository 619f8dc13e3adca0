package CallRecorder::S3Store;

# Copyright (C) The call recorder authors
#
# A recorder whose results go to a radosgw, and what is between them: an nginx
# that counts requests and can refuse them.
#
#     my $s3 = CallRecorder::Radosgw->new;
#     my $front = CallRecorder::S3Store::front($s3, 'if (...) { return 503; }');
#     my $rec = CallRecorder::S3Store::recorder($s3, front => $front,
#         behaviour => 'big', args => '20 10', store => 'parallel=4');

use strict;
use warnings;

use CallRecorder::Fixtures qw(opus_ogg vp8_ivf);
use CallRecorder::Nginx;
use CallRecorder::Recorder;

my $ROOT = $CallRecorder::Nginx::ROOT;


# Directives for each request before it is passed on; a file "refuse" in the
# folder makes 503 of all.
sub front
{
    my ($s3, $directives) = @_;

    return CallRecorder::Nginx->new(
        http => '
            log_format s3 "$status $request_method $request_uri";
            map "$request_method:$arg_partNumber" $part {
                "~^PUT:(?<number>.+)" $number;
                default "";
            }
        ',
        server => "
            location / {
                access_log {{dir}}/s3.log s3;
                client_max_body_size 0;
                if (-f {{dir}}/refuse) { return 503; }
                @{[ $directives // '' ]}
                proxy_pass http://127.0.0.1:$s3->{port};
                proxy_set_header Host \$http_host;
                proxy_request_buffering off;
                proxy_http_version 1.1;
            }
        ");
}


sub refuse
{
    my ($front, $on) = @_;

    my $file = "$front->{dir}/refuse";

    if ($on) {
        open my $f, '>', $file or die "$file: $!";
    } else {
        unlink $file;
    }
}


# What came through it: "200 PUT /bucket/...", one by one.
sub requests
{
    my ($front) = @_;

    return split /\n/, $front->slurp('s3.log');
}


# Options: front, behaviour and args (of t/tools/fake-mix.pl), bucket, store
# (parameters), location (directives), mix, and CallRecorder::Recorder's.
sub recorder
{
    my ($s3, %opt) = @_;

    my $behaviour = $opt{behaviour} // 'good';
    my $args = $opt{args} // '';
    my $store = $opt{store} // '';
    my $via = $opt{front} ? $opt{front}{http} : $s3->{port};

    my $rec = CallRecorder::Recorder->new(%opt,
        mix => "recording_mix batch; recording_exec
            /usr/bin/perl {{dir}}/fake-mix.pl $behaviour
            \$recording_parts_url \$recording_attempt $args;
            @{[ $opt{mix} // '' ]}",
        programs => ["$ROOT/t/tools/fake-mix.pl"],
        http => "
            s3_region $s3->{region};
            s3_access_key $s3->{access};
            s3_secret_key $s3->{secret};
            s3_endpoint http://127.0.0.1:$s3->{port};
            @{[ $opt{http} // '' ]}",
        server => "
            location /store/ {
                internal;
                recording_store s3 $store;
                s3_sign on;
                s3_bucket @{[ $opt{bucket} // 'calls' ]};
                proxy_pass http://127.0.0.1:$via;
                proxy_http_version 1.1;
                proxy_set_header Connection '';
                @{[ $opt{location} // '' ]}
            }
            location /direct/ {
                s3_sign on;
                s3_bucket calls;
                proxy_pass http://127.0.0.1:$s3->{port};
            }
            @{[ $opt{server} // '' ]}");

    $rec->request(PUT => '/direct/', body => '') unless $opt{stopped};

    return $rec;
}


# A second of a publisher, then it is stopped; the recording's id.
sub record
{
    my ($rec) = @_;

    my $pub = $rec->publish('alice', video => vp8_ivf(), audio => opus_ogg());
    my $id = $rec->start_recording;

    $rec->wait_status($id, 'recording', 20);
    select undef, undef, undef, 1;
    $rec->stop_recording;
    $rec->leave($pub);

    return $id;
}


# What the result of "big" is.
sub big
{
    my ($pieces) = @_;

    return join '', 'H' x 1000,
        map { pack 'N*', ($_ << 18) .. ($_ << 18) + (1 << 18) - 1 }
        1 .. $pieces;
}


# The object, straight from the store.
sub object
{
    my ($rec, $key) = @_;

    return $rec->request(GET => "/direct/$key", timeout => 60);
}


# Uploads that have been begun and not ended.
sub uploads
{
    my ($rec) = @_;

    my $res = $rec->request(GET => '/direct/?uploads=');

    return $res->{body} =~ m{<UploadId>(.*?)</UploadId>}g;
}


1;
