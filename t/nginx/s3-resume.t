#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# Workers, and all of nginx, are killed in the middle of an upload to S3:
# another one goes on with it, and sends at most one part twice.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Radosgw;
use CallRecorder::S3Store;
use Test::More;
use Time::HiRes qw(sleep);

my $MIB = 1024 * 1024;
my $PIECES = 33;
my $PARTS = 7;                   # of 5 MiB, the last is shorter

my $s3 = CallRecorder::Radosgw->new;
my $front = CallRecorder::S3Store::front($s3);
my $rec = CallRecorder::S3Store::recorder($s3, front => $front,
    behaviour => 'big', args => "$PIECES 60", workers => 2,
    store => 'part_size=5m', ignore => qr/exited on signal 9/);

# radosgw makes its pools with the first upload
$rec->request(POST => '/direct/first?uploads=', body => '', timeout => 60);

subtest "a worker is killed with $_ MiB uploaded, during the mix",
    \&killed, 0, $_, \&kill_uploader for 0, 10;

subtest "a worker is killed with $_ MiB uploaded, after the mix",
    \&killed, 1, $_, \&kill_uploader for 15;

subtest 'all of nginx is killed, after the mix', \&killed, 1, 15, \&kill_all;

subtest 'a reload during the mix', \&killed, 0, 10,
    sub { $rec->reload(keep => 1) };

$rec->stop;
$front->stop;

done_testing();


sub killed
{
    my ($after, $mib, $strike) = @_;

    CallRecorder::S3Store::refuse($front, $after);

    my $id = CallRecorder::S3Store::record($rec);
    my $data;

    if ($after) {
        ok $rec->wait_for(sub {
            return $rec->error_log =~ /\Q$id\E#1: POST complete: 204/;
        }, 30), 'the mix is done';
        CallRecorder::S3Store::refuse($front, 0);
    }

    $rec->wait_for(sub {
        $data = $rec->status($id);
        return ($data->{progress}{bytesUploaded} >= $mib * $MIB
                && uploader($rec, $id))
            || $data->{status} =~ /completed|failed/;
    }, 30);

    like $data->{status}, $after ? qr/uploading/ : qr/processing/,
        'it is not done yet';

    $strike->($rec, $id);

    $data = $rec->wait_status($id, 'completed', 40);

    is $data->{status}, 'completed', 'completed';
    ok CallRecorder::S3Store::object($rec, "room/$id/composite.mp4")->{body}
        eq CallRecorder::S3Store::big($PIECES), 'the object is right';

    my @requests = grep { /\Q$id\E/ && !/^503/ }
        CallRecorder::S3Store::requests($front);
    my %put;

    $put{$_}++ for map { /^\d+ PUT .*partNumber=(\d+)/ ? $1 : () } @requests;

    my $sent = 0;

    $sent += $_ for values %put;

    is scalar(keys %put), $PARTS, 'all parts were sent';
    cmp_ok $sent, '<=', $PARTS + 1, 'at most one of them twice';
    is scalar(grep { /POST .*uploads=/ } @requests), 1,
        'in one upload' or diag join "\n", @requests;
}


# The worker that has the result open, but for the moment of a part's write.
sub uploader
{
    my ($rec, $id) = @_;

    my $dir = $rec->folder($id) . '/outputs/';

    for my $pid ($rec->workers) {
        for my $fd (glob "/proc/$pid/fd/*") {
            my $file = readlink $fd // next;

            return $pid if index($file, $dir) == 0
                && $file =~ /composite\.(?:\d+\.part|mp4)$/;
        }
    }

    return;
}


sub kill_uploader
{
    my ($rec, $id) = @_;

    my $pid = uploader($rec, $id);

    ok $pid, 'a worker uploads' or return;
    kill KILL => $pid;
}


sub kill_all
{
    my ($rec) = @_;

    my @pids = ($rec->{pid}, $rec->workers);

    kill KILL => @pids;
    waitpid $rec->{pid}, 0;
    sleep 0.2;
    $rec->start;
}
