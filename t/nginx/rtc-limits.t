#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# What a session may send, and how many may be on their way.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Disk;
use CallRecorder::Whip;
use Test::More;
use Time::HiRes qw(sleep);

my $media = CallRecorder::Disk->media;
my $over = qr/sends more than \d+ bytes a second, the rest is dropped/;


# 600 kbit/s of video at four times their speed, where 400 are taken

subtest 'a session that sends too much' => sub {
    my $rec = CallRecorder::Disk->new(rtc => 'max_bitrate 100000;');
    my $pub = $rec->publish('alice', video => $media->{video}, fps => 100);
    my $id = $rec->start_recording;

    sleep 4;
    my $received = $rec->status($id)->{cost}{bytesIn};
    $rec->leave($pub);
    $rec->stop;

    my @said = $rec->error_log =~ /($over)/g;
    is(@said, 1, 'the log says so once');
    unlike($rec->error_log, qr/\[(?:notice|warn|error)\][^\n]*$over/,
        'at info');

    my ($dropped) = $rec->error_log =~ /over the rate: (\d+)/;
    cmp_ok($dropped, '>', 100, 'packets are dropped');
    cmp_ok($received, '>', 2 * 50_000, 'the rest is taken');
    cmp_ok($received, '<', 5 * 60_000, 'not more than the rate');
};


subtest 'one that does not' => sub {
    my $rec = CallRecorder::Disk->new(rtc => 'max_bitrate 600000;');
    my $pub = $rec->publish('alice', %$media);
    my $id = $rec->start_recording;

    sleep 3;
    $rec->stop_recording;
    $rec->wait_status($id, 'completed');
    $rec->leave($pub);
    $rec->stop;

    unlike($rec->error_log, $over, 'nothing is said');
    like($rec->error_log, qr/over the rate: 0\b/, 'nothing dropped');
    is((grep { $_->{ev} eq 'gap' } $rec->journal($id)), 0, 'nothing missing');
};


subtest 'who is connected is not on the way' => sub {
    my $rec = CallRecorder::Disk->new(
        rtc => 'max_handshakes 2; connect_timeout 4s;');
    my @pubs = map { $rec->publish("p$_", %$media) } 1 .. 3;

    my @status = map { CallRecorder::Whip::post($rec)->{status} } 1 .. 3;
    is("@status", '201 201 503', 'three are, two more may come');

    ok($rec->wait_for(sub {
        CallRecorder::Whip::post($rec)->{status} == 201
    }, 15), 'those that never come are given up');

    $rec->leave($_) for @pubs;
    $rec->stop;
};

done_testing();
