#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# recording_store s3 against Ceph's radosgw: results go up while they are being
# made, in parts, and come to rest whole or not at all.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Radosgw;
use CallRecorder::S3Store;
use Test::More;

my $MIB = 1024 * 1024;

my $s3 = CallRecorder::Radosgw->new;
my $front = CallRecorder::S3Store::front($s3);

during_the_mix();
small();
a_part_that_comes_again();
an_attempt_that_dies();

$front->stop;

done_testing();


sub outputs
{
    my ($rec, $id) = @_;

    return map { m{([^/]+)$} }
        glob $rec->folder($id) . '/outputs/{.??*,*.*}';
}


sub during_the_mix
{
    subtest 'parts go up while the mix goes on' => sub {
        my $rec = CallRecorder::S3Store::recorder($s3, front => $front,
            behaviour => 'big', args => '23 150',
            store => 'part_size=5m parallel=3 prefix=of/tests/');

        # radosgw makes its pools with the first upload
        $rec->request(POST => '/direct/first?uploads=', body => '',
            timeout => 60);
        my ($first) = CallRecorder::S3Store::uploads($rec);
        $rec->request(DELETE => "/direct/first?uploadId=$first");

        my $id = CallRecorder::S3Store::record($rec);
        my $data;

        ok $rec->wait_for(sub {
            $data = $rec->status($id);
            return $data->{progress}{bytesUploaded} > 0
                || $data->{status} =~ /completed|failed/;
        }, 30), 'some have gone';
        is $data->{status}, 'processing', 'and it is still mixed';
        is $data->{progress}{bytesUploaded} % (5 * $MIB), 0,
            'what is told are whole parts';

        $data = $rec->wait_status($id, 'completed', 30);

        my $key = "of/tests/room/$id/composite.mp4";
        my ($out) = @{ $data->{outputs} };

        is $data->{status}, 'completed', 'completed';
        is scalar @{ $data->{outputs} }, 1, 'one output';
        is $out->{location}, "http://127.0.0.1:$s3->{port}/calls/$key",
            'it says where it is';
        is $data->{progress}{bytesUploaded}, $out->{sizeBytes},
            'all of it was uploaded';
        is $data->{error}, undef, 'nothing is wrong';

        my $res = CallRecorder::S3Store::object($rec, $key);

        is $res->{status}, 200, 'the object is there';
        ok $res->{body} eq CallRecorder::S3Store::big(23),
            'and byte for byte what was made';
        is $res->{headers}{'content-type'}, 'video/mp4', 'with its type';

        ok $rec->wait_for(sub { !outputs($rec, $id) }, 10),
            'nothing of it is here any more';
        ok scalar(glob $rec->folder($id) . '/alice/*/*.mkv'),
            'but the chunks are';
        is_deeply [ CallRecorder::S3Store::uploads($rec) ], [],
            'no upload is left open';

        my %put;
        $put{$_}++ for map { /^\d+ PUT .*partNumber=(\d+)/ ? $1 : () }
            CallRecorder::S3Store::requests($front);
        is_deeply \%put, { map { $_ => 1 } 1 .. 5 }, 'each part went once';

        is scalar(grep { $_->{ev} eq 'output' && $_->{location} =~ /^http/ }
            $rec->journal($id)), 1, 'the journal has the place';

        $rec->stop;
    };
}


sub small
{
    subtest 'a result of one part' => sub {
        my $rec = CallRecorder::S3Store::recorder($s3, front => $front,
            log => 'debug', behaviour => 'insists', mix => 'recording_keep_local all;');
        my $id = CallRecorder::S3Store::record($rec);
        my $data = $rec->wait_status($id, 'completed', 30);

        is $data->{status}, 'completed', 'completed';
        ok $rec->wait_for(sub {
            return join(' ', outputs($rec, $id)) eq 'composite.mp4';
        }, 10), 'recording_keep_local all: the file alone stays';
        is CallRecorder::S3Store::object($rec, "room/$id/composite.mp4")
            ->{body}, $rec->slurp("records/room/$id/outputs/composite.mp4"),
            'the object is the same';
        like $rec->error_log, qr/(POST complete: 204.*){2}/s,
            'the last request may come again';

        $rec->stop;
    };
}


sub a_part_that_comes_again
{
    subtest 'bytes that change after they were sent' => sub {
        my $rec = CallRecorder::S3Store::recorder($s3, front => $front,
            behaviour => 'big-repeats', args => '12 20',
            store => 'part_size=5m');
        my $id = CallRecorder::S3Store::record($rec);

        is $rec->wait_status($id, 'completed', 30)->{status}, 'completed',
            'completed';

        my $want = CallRecorder::S3Store::big(12);
        substr($want, 1000 + 2 * $MIB, $MIB) =~ tr/\0-\xff/\xff\0-\xfe/;

        ok CallRecorder::S3Store::object($rec, "room/$id/composite.mp4")
            ->{body} eq $want, 'the object has the last ones';

        $rec->stop;
    };
}


sub an_attempt_that_dies
{
    subtest 'an attempt that dies, and another one' => sub {
        my $rec = CallRecorder::S3Store::recorder($s3, front => $front,
            behaviour => 'big-dies-once', args => '24 20',
            store => 'part_size=5m', ignore => qr/exited with code 1/);
        my $id = CallRecorder::S3Store::record($rec);

        is $rec->wait_status($id, 'completed', 40)->{status}, 'completed',
            'completed';
        ok CallRecorder::S3Store::object($rec, "room/$id/composite.mp4")
            ->{body} eq CallRecorder::S3Store::big(24), 'the object is right';
        ok $rec->wait_for(sub {
            return !CallRecorder::S3Store::uploads($rec) && !outputs($rec, $id);
        }, 10), 'the upload of the first attempt was aborted';

        $rec->stop;
    };
}
