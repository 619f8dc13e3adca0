#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# recording_store s3 and a store that is away, refuses or comes back; what is
# deleted while it is uploaded; configurations that are wrong.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Radosgw;
use CallRecorder::S3Store;
use Test::More;

my $s3 = CallRecorder::Radosgw->new;
my $front = CallRecorder::S3Store::front($s3, '
    set $fail "$part";
    if (!-f {{dir}}/third) { set $fail ""; }
    if ($fail = 3) { return 500; }
');

troubles();
discarded();
refused();
late();
configurations();

$front->stop;

done_testing();


sub flag
{
    my ($name, $on) = @_;

    my $file = "$front->{dir}/$name";

    unlink $file;
    return unless $on;

    open my $f, '>', $file or die "$file: $!";
    close $f;
}


sub troubles
{
    subtest 'a store that is not always there' => sub {
        CallRecorder::S3Store::refuse($front, 1);
        flag('third', 1);

        my $rec = CallRecorder::S3Store::recorder($s3, front => $front,
            behaviour => 'big', args => '18 20', store => 'part_size=5m');
        my $id = CallRecorder::S3Store::record($rec);

        is $rec->wait_status($id, 'uploading', 30)->{status}, 'uploading',
            'it waits for it';
        CallRecorder::S3Store::refuse($front, 0);

        ok $rec->wait_for(sub { $rec->error_log =~ /part 3: 500/ }, 30),
            'it tells what was refused';
        is $rec->status($id)->{status}, 'uploading', 'and goes on';
        flag('third', 0);

        is $rec->wait_status($id, 'completed', 60)->{status}, 'completed',
            'completed';
        ok CallRecorder::S3Store::object($rec, "room/$id/composite.mp4")
            ->{body} eq CallRecorder::S3Store::big(18), 'the object is right';

        $rec->stop;
    };
}


sub discarded
{
    subtest 'what is deleted while it is uploaded' => sub {
        flag('third', 1);

        my $rec = CallRecorder::S3Store::recorder($s3, front => $front,
            behaviour => 'big', args => '18 20', store => 'part_size=5m');
        my $id = CallRecorder::S3Store::record($rec);

        ok $rec->wait_for(sub {
            return $rec->error_log =~ /POST complete: 204/;
        }, 30), 'it is being uploaded';
        ok $rec->wait_for(sub { CallRecorder::S3Store::uploads($rec) }, 20),
            'to the store';
        is scalar(CallRecorder::S3Store::uploads($rec)), 1, 'in an upload';
        is $rec->api(DELETE => "$id?force=true")->{status}, 202, 'it is deleted';
        ok $rec->wait_for(sub { !CallRecorder::S3Store::uploads($rec) }, 20),
            'the upload was aborted';
        is CallRecorder::S3Store::object($rec, "room/$id/composite.mp4")
            ->{status}, 404, 'there is no object';
        ok $rec->wait_for(sub { !-e $rec->folder($id) . '/outputs' }, 10),
            'and no local file';

        flag('third', 0);
        $rec->stop;
    };
}


sub failed
{
    my ($rec, $id, $code) = @_;

    my $data = $rec->wait_status($id, 'failed', 30);

    is $data->{status}, 'failed', 'failed';
    is $data->{error}{code}, $code, "code $code";
    is $data->{error}{owner}, 'destination', "not by the recorder's fault";
    is $data->{error}{stage}, 'uploading', 'in uploading';
    like $data->{outputs}[0]{location}, qr{^file://.*/composite\.mp4$},
        'the output is still here';
    ok $rec->slurp("records/room/$id/outputs/composite.mp4")
        eq CallRecorder::S3Store::big(6), 'all of it';

    return $data;
}


sub refused
{
    subtest 'a store that refuses' => sub {
        my $rec = CallRecorder::S3Store::recorder($s3, front => $front,
            behaviour => 'big', args => '6 10',
            bucket => 'elsewhere');
        my $id = CallRecorder::S3Store::record($rec);
        my $data = failed($rec, $id, 'upload_failed');

        like $data->{error}{message}, qr/NoSuchBucket/, "the store's word";

        $rec->stop;
    };
}


sub late
{
    subtest 'a store that is away for too long' => sub {
        CallRecorder::S3Store::refuse($front, 1);

        my $rec = CallRecorder::S3Store::recorder($s3, front => $front,
            behaviour => 'big', args => '6 10',
            mix => 'recording_upload_deadline 2s;');
        my $id = CallRecorder::S3Store::record($rec);

        failed($rec, $id, 'upload_deadline');
        CallRecorder::S3Store::refuse($front, 0);

        $rec->stop;
    };
}


# What nginx -t says to directives that are wrong.
sub configurations
{
    my $sign = 's3_sign on; s3_bucket b; s3_access_key a; s3_secret_key s;';

    my @wrong = (
        [ '', "location /s { $sign recording_store s3; }",
          qr/must be in a location that ends in a slash/ ],
        [ '', "location /s/ { $sign recording_store s3 part_size=4m; }",
          qr/part_size that is not between 5m and 5g/ ],
        [ '', "location /s/ { $sign recording_store s3 parallel=0; }",
          qr/parallel that is not between 1 and 16/ ],
        [ '', "location /s/ { $sign recording_store s3 'prefix=a b'; }",
          qr/prefix that is not printable/ ],
        [ '', "location /s/ { $sign recording_store s3 what=ever; }",
          qr/invalid parameter "what=ever"/ ],
        [ '', "location /s/ { $sign recording_store local; }",
          qr/unknown store "local": in a location it is "s3"/ ],
        [ 'recording_store local;',
          "location /s/ { $sign recording_store s3; }",
          qr/"recording_store" directive is duplicate/ ],
        [ '', 'location /s/ { recording_store s3; }',
          qr/needs "s3_sign" and "s3_bucket"/ ],
        [ 'recording_keep_local some;', '', qr/invalid value "some"/ ],
    );

    for my $case (@wrong) {
        my ($http, $server, $why) = @$case;
        my $nginx = CallRecorder::Nginx->new(stopped => 1, http => $http,
            server => $server);
        my ($good, $said) = $nginx->test;

        ok !$good, 'refused: ' . substr "$http$server", -40;
        like $said, $why, 'and said why';
    }
}
