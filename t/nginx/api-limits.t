#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# A full table, a disk that fails, and configurations that cannot be.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Api;
use CallRecorder::Nginx;
use Test::More;
use Time::HiRes qw(sleep);


my $http = "$CallRecorder::Api::HTTP recording_zone small 512k;";

my $nginx = CallRecorder::Nginx->new(
    workers => 2,
    ignore  => qr/cannot be changed by a reload/,
    http    => $http,
    server  => $CallRecorder::Api::SERVER);

my $api = CallRecorder::Api->new($nginx);
my $root = "$nginx->{dir}/records/root";
my ($res, @ids);

$api->ready;


# more recordings than there is memory for, one after the other

for my $i (1 .. 30) {
    $nginx->wait_for(sub {
        $res = $api->start("one$i");
        return $res->{status} != 503;
    }, 5);
    last if $res->{status} != 201;
    push @ids, $res->{data}{recordingId};
    $api->stop("one$i");
}

is(scalar(@ids), 30, 'ended recordings make room for new ones');

my $all = grep {
    my $res = $api->get("one$_", $ids[$_ - 1]);
    $res->{status} == 200 && $res->{data}{status} eq 'failed'
        && $res->{data}{callId} eq "one$_"
} 1 .. 30;

is($all, 30, 'the status of each is known still');


# too many at a time

my $n = 0;

for (1 .. 30) {
    $res = $api->start("all$_");
    last if $res->{status} != 201;
    $n++;
}

ok($n > 3, "several fit ($n)");
is($res->{status}, 503, 'then the table is full');
is($res->{code}, 'capacity', 'and says so');
is($api->get("one$_", $ids[$_ - 1])->{status}, 200,
    'what made room is read from disk') for 1, 30;

$api->stop("all$_") for 1 .. $n;

ok($nginx->wait_for(sub { $api->start('again')->{status} == 201 }, 5),
    'there is room again');


# a reload that would lose them

my @old = $nginx->workers;

for ("$CallRecorder::Api::HTTP recording_zone small 1m;",
    "$CallRecorder::Api::HTTP recording_zone other 512k;",
    $http =~ s{records/root}{records/else}r)
{
    $nginx->configure(http => $_, server => $CallRecorder::Api::SERVER);
    kill HUP => $nginx->{pid};
    sleep 0.5;
}

is(join(' ', sort $nginx->workers), join(' ', sort @old),
    'zone and root are not changed by a reload');
like($nginx->error_log, qr/"recording_$_" cannot be changed/,
    "the log says so of the $_") for qw(zone root);


# what the disk refuses

$nginx->stop;
$nginx->configure(http => $http, server => $CallRecorder::Api::SERVER);
$nginx->start;
$api->ready;

open my $f, '>', "$root/blocked" or die $!;
close $f;

$res = $api->start('blocked');
is($res->{status}, 507, 'a folder that cannot be made');
is($res->{code}, 'storage_error', 'is a storage_error');
is($res->{error}{retryable}, JSON::PP::true(), 'that may pass');

# room for the folder and the journal, not for recording.json

mkdir "$root/full";
system(qw(mount -t tmpfs -o), 'nr_inodes=3,mode=1777', 'none',
       "$root/full") == 0
    or die 'mount: a tmpfs is needed';
$res = $api->start('full');
is($res->{status}, 507, 'a disk that becomes full at the start');
is(join(' ', glob "$root/full/*"), '', 'has nothing that would come back');
system('umount', "$root/full");

unlink "$root/blocked";
$res = $api->start('blocked');
is($res->{status}, 201, 'it leaves nothing behind');

my $id = $res->{data}{recordingId};
mkdir "$root/blocked/$id/.recording.json.tmp";
$api->stop('blocked');
sleep 0.5;
is($api->get('blocked', $id)->{data}{status}, 'failed',
    'a status that cannot be written is kept in memory');
rmdir "$root/blocked/$id/.recording.json.tmp";
ok($nginx->wait_for(sub {
    open my $f, '<', "$root/blocked/$id/recording.json" or return 0;
    local $/;
    return <$f> =~ /"status":"failed"/;
}, 5), 'and written as soon as it can be');

$nginx->stop;


# configurations

my %bad = (
    'recording_root ""'                       => qr/must not be empty/,
    'recording_zone z 100k'                   => qr/too small/,
    'recording_zone z x'                      => qr/invalid size/,
    'recording_chunk 100ms'                   => qr/between 1s and 60s/,
    'recording_root a; recording_root b'      => qr/is duplicate/,
    'recording_zone a 1m; recording_zone b 1m' => qr/is duplicate/,
    'recording_thread_pool none'              => qr/unknown thread pool/,
    'recording_root ' . 'x' x 600             => qr/too long/,
);

for (sort keys %bad) {
    my $root = /recording_root/ ? '' : 'recording_root {{dir}}/r;';

    $nginx->configure(http => "$_; $root");
    my ($good, $out) = $nginx->test;
    ok(!$good, substr($_, 0, 40) . ' is refused');
    like($out, $bad{$_}, 'and says why');
}

$nginx->configure(
    http => "recording_jwt_key '$CallRecorder::Nginx::SECRET';",
    server => $CallRecorder::Api::SERVER);
my ($good, $out) = $nginx->test;
ok(!$good, 'an API without a root is refused');
like($out, qr/needs "recording_root"/, 'and says why');

done_testing();
