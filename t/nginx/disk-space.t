#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# recording_min_free: no recording begins that the disk has no room for, and
# those under way are told.  recording_sync: what is synced, and by whom.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Disk;
use Test::More;
use Time::HiRes qw(sleep);

my $media = CallRecorder::Disk->media;


sub code
{
    my ($rec, $id) = @_;
    return ($rec->status($id)->{error} // {})->{code} // '';
}

sub errors
{
    my ($rec, $id) = @_;
    return map { $_->{code} } grep { $_->{ev} eq 'error' } $rec->journal($id);
}


subtest 'too little room' => sub {
    my $rec = CallRecorder::Disk->new(tmpfs => '40m',
        http => 'recording_min_free 20m;');

    my $id = $rec->start_recording;
    is(code($rec, $id), '', 'with enough of it there is no error');

    $rec->fill(25);
    ok($rec->wait_for(sub { code($rec, $id) eq 'disk_low' }, 5),
        'a recording that is under way is told');

    my $error = $rec->status($id)->{error};
    is($error->{stage}, 'recording', 'at its stage');
    ok($error->{retryable}, 'it may pass');
    is($rec->status($id)->{status}, 'starting', 'it goes on');

    $rec->{call} = 'other';
    my $res = $rec->api(POST => 'start', {});
    is($res->{status}, 507, 'another one is refused');
    is($res->{json}{error}{code}, 'insufficient_storage', 'with its code');
    ok($res->{json}{error}{retryable}, 'for now');
    ok(!-e "$rec->{dir}/records/other", 'and leaves nothing behind');

    $rec->fill(19);
    sleep 2.5;
    is($rec->api(POST => 'start', {})->{status}, 507,
        'a little more room is not enough');

    $rec->fill(10);
    ok($rec->wait_for(sub { $rec->api(POST => 'start', {})->{status} == 201 },
        5), 'there is room again');

    $rec->{call} = 'room';
    ok($rec->wait_for(sub { code($rec, $id) eq '' }, 3),
        'the error is over');
    is_deeply([ errors($rec, $id) ], [ 'disk_low', '' ],
        'the journal has both');

    my @low = $rec->error_log =~ /less than recording_min_free$/mg;
    is(@low, 1, 'the log says so once');

    $rec->stop('TERM');
    $rec->fill(25);
    $rec->start;
    $rec->{call} = 'third';
    $rec->wait_for(sub {
        $res = $rec->api(POST => 'start', {});
        return $res->{status} != 503;
    }, 10);
    is($res->{status}, 507, 'nothing is started right after a start of nginx');

    $rec->{call} = 'room';
    ok($rec->wait_for(sub { code($rec, $id) eq 'disk_low' }, 5),
        'what comes back is told again');

    $rec->stop;
};


# What was called for chunk files and journals while 4 seconds were recorded.

sub synced
{
    my ($sync) = @_;

    my $rec = CallRecorder::Disk->new(
        http => "recording_chunk 2s; $sync recording_min_free 0;");
    my $pub = $rec->publish('alice', %$media);
    my $id = $rec->start_recording;

    sleep 4.5;
    my $open = grep { $_->[0] eq 'fdatasync' && $_->[2] =~ /\.mkv$/ }
        $rec->calls;
    $rec->stop_recording;
    $rec->wait_status($id, 'completed');
    $rec->leave($pub);

    my @calls = $rec->calls;
    my $chunks = grep { $_->{ev} eq 'chunk_close' } $rec->journal($id);

    cmp_ok($chunks, '>=', 2, 'there are chunks');
    is((grep { $_->[1] ne 'thread' } @calls), 0, 'no call by a worker');
    $rec->stop;

    my %n = (chunks => $chunks, open => $open);

    for (@calls) {
        my ($call, undef, $path) = @$_;

        $n{chunk}++ if $call eq 'fdatasync' && $path =~ /\.mkv$/;
        $n{journal}++ if $call eq 'fdatasync' && $path =~ /ndjson$/;
        $n{folder}++ if $call eq 'fsync' && $path =~ m{/alice(?:/[^/.]+)?$};
    }

    return \%n;
}

subtest 'recording_sync off' => sub {
    my $n = synced('recording_sync off;');
    is($n->{chunk}, undef, 'no chunk is synced');
    is($n->{journal}, undef, 'no journal');
    is($n->{folder}, undef, 'no folder');
};

subtest 'recording_sync chunk' => sub {
    my $n = synced('');
    is($n->{chunk}, $n->{chunks}, 'each chunk is synced once');
    cmp_ok($n->{journal}, '>', 0, 'the journal is');
    cmp_ok($n->{folder}, '>=', $n->{chunks} + 1, 'and the folders');
};

subtest 'recording_sync interval' => sub {
    my $n = synced('recording_sync interval=300ms;');
    cmp_ok($n->{open}, '>=', 8, 'chunks are synced while they are open');
    cmp_ok($n->{open}, '<=', 17, 'not more often');
    cmp_ok($n->{journal}, '>', 0, 'the journal is');
};


for (['recording_sync often', qr/takes "off", "chunk" or "interval"/],
    ['recording_sync interval=1x', qr/invalid interval/],
    ['recording_sync interval=10ms', qr/invalid interval/],
    ['recording_sync off; recording_sync chunk', qr/is duplicate/],
    ['recording_min_free much', qr/invalid value/])
{
    my ($directive, $why) = @$_;
    my $rec = CallRecorder::Disk->new(stopped => 1, http => "$directive;");
    my ($good, $out) = $rec->test;

    ok(!$good, "$directive is refused");
    like($out, $why, 'and says why');
}

done_testing();
