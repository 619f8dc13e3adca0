#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# The machine's wall clock is set while a recording goes on, and while nginx
# is down: recording time goes on as it did.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Disk;
use CallRecorder::Recorder;
use Test::More;
use Time::HiRes qw(sleep time);


my $so = "$CallRecorder::Nginx::ROOT/build/$CallRecorder::Nginx::BUILD/"
    . 'preload/wallclock.so';

-e $so or die "$so: $!\n";

# each time the clock is set, a chunk begins, so there is a line in the journal
my $rec = CallRecorder::Recorder->new(mix => 'recording_mix off;',
    http => 'recording_chunk 1s;', stopped => 1);
my $media = CallRecorder::Disk->media;

$rec->{env} = { LD_PRELOAD => $so, WALLCLOCK => "$rec->{dir}/wallclock" };
set_clock(0);
$rec->start;


subtest 'the clock is set in a recording' => sub {
    my $begun = time;
    my $id = $rec->start_recording;
    my $pub = $rec->publish('alice', %$media);

    for my $seconds (-3000, 3000, 0) {
        sleep 1.5;
        set_clock($seconds);
    }

    sleep 1;
    $rec->stop_recording;
    my $took = (time - $begun) * 1000;
    my $status = $rec->wait_status($id, 'completed');

    is $status->{status}, 'completed', 'it is completed';
    is $status->{endReason}, 'stopped', 'because it was stopped';

    my @journal = $rec->journal($id);

    forwards(@journal);
    cmp_ok abs($journal[-1]{tMs} - $took), '<', 3000,
        'it is as long as it was';

    my @wall = sort { $a <=> $b } map {
        my ($h, $m) = $_->{at} =~ /T(\d+):(\d+)/;
        ($h * 60 + $m) % 1440;
    } @journal;

    cmp_ok $wall[-1] - $wall[0], '>=', 49, 'and nginx saw the clock be set';

    my @end = map { [ @{$_}{qw(startMs endMs)} ] }
        grep { $_->{ev} eq 'chunk_close' } @journal;

    cmp_ok $end[-1][1], '<', $took + 1000, 'no media is later than its end';
    cmp_ok $end[-1][1] - $end[0][0], '>', 3000, '...nor missing';
};


subtest 'the clock is set back while nginx is down' => sub {
    my $id = $rec->start_recording;
    my $pub = $rec->publish('bob', %$media);

    sleep 3;
    $rec->stop;
    set_clock(-600);
    $rec->start;

    my $again = $rec->publish('bob', %$media);

    sleep 2;
    $rec->stop_recording;

    is $rec->wait_status($id, 'completed')->{status}, 'completed',
        'the recording is completed';

    my @journal = $rec->journal($id);

    forwards(@journal);

    my @opened = map { $_->{startMs} }
        grep { $_->{ev} eq 'chunk_open' } @journal;

    cmp_ok scalar @opened, '>=', 2, 'media from before and after';
    is scalar(grep { $opened[$_] < $opened[ $_ - 1 ] - 500 } 1 .. $#opened),
        0, '...in their order';
    cmp_ok $journal[-1]{tMs}, '<', 60_000, 'and no more time goes by';
};

done_testing();


sub set_clock
{
    my ($seconds) = @_;
    my $file = "$rec->{dir}/wallclock";

    open my $f, '>', "$file.new" or die "$file: $!\n";
    print $f $seconds;
    close $f or die "$file: $!\n";
    chmod 0644, "$file.new";
    rename "$file.new", $file or die "$file: $!\n";
}


# Workers write their lines by threads of their own: a few milliseconds.
sub forwards
{
    my @times = map { $_->{tMs} } @_;
    my @back = grep { $times[$_] < $times[ $_ - 1 ] - 500 } 1 .. $#times;

    is scalar @back, 0, 'recording time goes forwards' or diag "@times";
}
