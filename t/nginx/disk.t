#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# A disk that is slow, hangs, is full or fails while a call is recorded: the
# worker answers, memory is bounded, and the journal says exactly which frames
# are missing.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Disk;
use CallRecorder::Media qw(run);
use Errno qw(EIO ENOSPC);
use JSON::PP qw(decode_json);
use List::Util qw(max sum0);
use Test::More;
use Time::HiRes qw(sleep time);

my $media = CallRecorder::Disk->media;


# [ms, key?, track] of all packets in the files that the journal names.
sub packets
{
    my ($rec, $id) = @_;

    my @packets;

    for my $open (grep { $_->{ev} eq 'chunk_open' } $rec->journal($id)) {
        my $file = $rec->folder($id) . "/$open->{file}";
        my $first = 1;

        next unless -s $file;

        my $probe = decode_json(run(qw(ffprobe -v quiet -of json
            -show_packets -show_streams), $file));
        my %track = map { $_->{index} => $_->{codec_type} }
            @{ $probe->{streams} };

        for (@{ $probe->{packets} // [] }) {
            push @packets, [ $_->{pts_time} * 1000, $_->{flags} =~ /K/ ? 1 : 0,
                             $track{ $_->{stream_index} } ];
        }
    }

    return @packets;
}


# Every hole between frames of a track is in the ledger, with its frames.
sub ledger
{
    my ($rec, $id, $reason) = @_;

    my @journal = $rec->journal($id);
    my %kind = map { $_->{track} => $_->{kind} }
        grep { $_->{ev} eq 'track' } @journal;
    my @gaps = grep { $_->{ev} eq 'gap' } @journal;
    my @packets = packets($rec, $id);

    cmp_ok(scalar @gaps, '>', 0, 'there are gaps');
    is((grep { $_->{reason} ne $reason } @gaps), 0, "all by $reason");

    my %frame = (video => 40, audio => 20);

    for my $kind (sort keys %frame) {
        my @times = sort { $a->[0] <=> $b->[0] }
            grep { $_->[2] eq $kind } @packets;
        my ($missing, $untold, $nokey) = (0, 0, 0);
        my $told = sum0 map { $_->{packets} }
            grep { $kind{ $_->{track} } eq $kind } @gaps;

        for (1 .. $#times) {
            my ($from, $to) = ($times[$_ - 1][0], $times[$_][0]);
            my $n = int(($to - $from) / $frame{$kind} + 0.5) - 1;

            next if $n < 1;

            $missing += $n;
            $nokey++ if $kind eq 'video' && !$times[$_][1];
            $untold++ unless grep {
                $kind{ $_->{track} } eq $kind
                && $_->{fromMs} <= $from + $frame{$kind} + 25
                && $_->{toMs} >= $to - $frame{$kind} - 25
            } @gaps;
        }

        is($untold, 0, "$kind: each hole is told");
        is($nokey, 0, 'and ends with a keyframe') if $kind eq 'video';
        cmp_ok(abs($missing - $told), '<=', 2,
            "$kind: $missing frames are missing, $told in the ledger");
    }
}


sub code
{
    my ($rec, $id) = @_;
    return ($rec->status($id)->{error} // {})->{code} // '';
}

sub memory
{
    my ($rec) = @_;

    return max map {
        open my $f, '<', "/proc/$_/status" or die "status: $!";
        (grep { s/^VmRSS:\s*(\d+).*/$1/s } <$f>)[0];
    } $rec->workers;
}

# The slowest of n answers, in seconds.
sub slowest
{
    my ($rec, $id, $n) = @_;

    my $slowest = 0;

    for (1 .. $n) {
        my $start = time;
        $rec->status($id);
        $slowest = max($slowest, time - $start);
        sleep 0.1;
    }

    return $slowest;
}

sub finish
{
    my ($rec, $id, $pub) = @_;

    $rec->stop_recording;
    is($rec->wait_status($id, 'completed', 30)->{status}, 'completed',
        'the recording is completed');
    is($rec->status($id)->{error}, undef, 'without an error');
    $rec->leave($pub);

    $rec->{ignore} = qr/No space left|Input\/output error/;
    unlike($rec->error_log, qr/exited on signal/, 'no worker has died');
}


subtest 'a disk that hangs' => sub {
    my $rec = CallRecorder::Disk->new(workers => 1,
        http => 'recording_chunk 2s; recording_buffer 200k;
                 recording_min_free 0;');
    my $pub = $rec->publish('alice', %$media);
    my $id = $rec->start_recording;

    sleep 3;
    $rec->disk(5000);
    cmp_ok(slowest($rec, $id, 60), '<', 1, 'the worker answers');
    $rec->disk(0);
    sleep 6;

    finish($rec, $id, $pub);
    like($rec->error_log, qr/the disk is too slow/, 'the log says why');
    is((grep { $_->[1] ne 'thread' } $rec->calls), 0,
        'no call by a worker');
    ledger($rec, $id, 'buffer');
    $rec->stop;
};


# Kilobytes that the worker grows by in 8 s, with nothing written.
sub growth
{
    my ($buffer) = @_;

    my $rec = CallRecorder::Disk->new(workers => 1,
        http => "recording_chunk 2s; recording_buffer $buffer;
                 recording_min_free 0;");
    my $pub = $rec->publish('alice', video => $media->{video}, fps => 250);
    my $id = $rec->start_recording;

    sleep 3;
    my $before = memory($rec);

    $rec->disk(9000);
    sleep 8;
    my $growth = memory($rec) - $before;

    $rec->disk(0);
    sleep 1.5;
    finish($rec, $id, $pub);
    $rec->stop;

    return $growth;
}

# sanitizers keep what is freed: memory is measured without them
subtest 'memory while a disk hangs' => sub {
    my ($small, $large) = map { growth($_) } qw(200k 64m);

    cmp_ok($small, '<', 400, "grows by recording_buffer ($small KB)");
    cmp_ok($large, '>', $small + 150, "or as much as comes ($large KB)");
} if $CallRecorder::Nginx::BUILD ne 'sanitize';


for ([ 'a disk that fails', EIO, 'disk_io' ],
    [ 'a disk that is full', ENOSPC, 'disk_full' ])
{
    my ($name, $errno, $code) = @$_;

    subtest $name => sub {
        my $rec = CallRecorder::Disk->new(
            http => 'recording_chunk 2s; recording_min_free 0;');
        my $pub = $rec->publish('alice', %$media);
        my $id = $rec->start_recording;

        sleep 2.5;
        $rec->disk(0, $errno);

        ok($rec->wait_for(sub { code($rec, $id) eq $code }, 5), $code);
        is($rec->status($id)->{status}, 'recording', 'it goes on');
        ok($rec->status($id)->{error}{retryable}, 'it may pass');
        sleep 2;

        $rec->disk(0);
        ok($rec->wait_for(sub { code($rec, $id) eq '' }, 6),
            'the error is over when the disk is better');
        sleep 2;

        finish($rec, $id, $pub);
        ledger($rec, $id, 'disk');

        is_deeply([ map { $_->{code} } grep { $_->{ev} eq 'error' }
            $rec->journal($id) ], [ $code, '' ], 'the journal has both');

        my @journal = $rec->journal($id);
        my %closed = map { $_->{chunk} => $_ }
            grep { $_->{ev} eq 'chunk_close' } @journal;
        my %sizes = map {
            $_->{chunk} => -s $rec->folder($id) . "/$_->{file}"
        } grep { $_->{ev} eq 'chunk_open' } @journal;

        is((grep { ($sizes{$_} // -1) != $closed{$_}{sizeBytes} }
            keys %closed), 0, 'closed chunks are there and whole');
        $rec->stop;
    };
}

done_testing();
