#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# What people and machines do to the clocks of a real browser in the middle of
# a call: a muted track, another microphone, another camera, a frozen tab, a
# process that stands still.  Afterwards sound and picture are where the page
# itself saw and heard them.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Browser qw(browser page);
use CallRecorder::Media qw(median run);
use CallRecorder::Mix;
use CallRecorder::Recorder;
use Test::More;
use Time::Piece ();


# milliseconds
use constant LIMIT => 40;

my $rec = CallRecorder::Recorder->new(mix => 'recording_mix off;', page());

run("$FindBin::Bin/fake-devices.sh", 'Alice', '#2a9d8f', 1000,
    "$rec->{dir}/alice");

my $id = $rec->start_recording;
my $browser = browser($rec, 'alice', video => "$rec->{dir}/alice.mjpeg",
    audio => "$rec->{dir}/alice.wav", measure => 1,
    steps => "$FindBin::Bin/clock-steps.mjs");

ok $browser->wait_event('connected', 60), 'it publishes'
    or diag $browser->said;

for (1 .. 120) {
    last if grep { $_->{name} eq 'done' } $browser->events('step');
    last if $browser->events('error');
    sleep 1;
}

$browser->leave;
ok $browser->wait_event('left', 30), 'it leaves' or diag $browser->said;

$rec->stop_recording;
is $rec->wait_status($id, 'completed')->{status}, 'completed',
    'the recording is completed';

my ($seen, $heard) = CallRecorder::Mix::flashes_and_beeps($rec->folder($id),
    size => '128x72', rate => 120, places => [[ 64, 6 ]], tones => [1000]);

# The mix begins with the first picture; wall-clock time tells which flash of
# the page's is which, no more.
my ($source) = $browser->events('source');
my @journal = $rec->journal($id);
my ($first) = grep {
    $_->{ev} eq 'chunk_open' && grep { $_->{kind} eq 'video' } @{$_->{tracks}}
} @journal;
my $zero = wall_ms($journal[0]{createdAt}) + $first->{startMs};

my @flashes = late($seen->{0}, $source->{flashes});
my @beeps = late($heard->{0}, $source->{beeps});
my @steps = $browser->events('step');
my %phase;

for my $i (0 .. $#steps - 1) {
    my ($from, $to) = map { $_->{at} } @steps[$i, $i + 1];
    my @of = map { [ map { $_->[1] } grep {
        $_->[0] >= $from && $_->[0] < $to } @$_ ] } \@flashes, \@beeps;

    $phase{ $steps[$i]{name} } = \@of;
    diag sprintf '%-16s pictures %s, sound %s ms late', $steps[$i]{name},
        map { join(' ', map { sprintf '%.0f', $_ } @$_) || '-' } @of;
}

is scalar @{ $phase{muting}[1] }, 0, 'who is muted is not heard'
    or diag "@{ $phase{muting}[1] }";

my ($picture, $sound) = map { median(@$_) } @{ $phase{calm} };

for my $name ('calm', 'muted', 'other microphone', 'other camera', 'frozen',
    'stopped')
{
    my ($flash, $beep) = @{ $phase{$name} };

    cmp_ok scalar @$flash, '>=', 4, "$name: flashes are seen";
    cmp_ok scalar @$beep, '>=', 4, '...beeps are heard';
    cmp_ok abs(median(@$beep) - median(@$flash)), '<=', LIMIT,
        '...sound and picture are together';
    cmp_ok abs(median(@$beep) - $sound), '<=', LIMIT,
        '...sound is where it was';
    cmp_ok abs(median(@$flash) - $picture), '<=', LIMIT,
        '...pictures are where they were';
}

done_testing();


# [wall-clock time, how late against the page's own] of each.
sub late
{
    my ($times, $own) = @_;
    my @own = map { $_ + $source->{origin} } @$own;

    return map {
        my $time = $_ + $zero;
        my ($near) = sort { abs($a) <=> abs($b) } map { $time - $_ } @own;

        [ $time, $near ];
    } @{ $times // [] };
}


# RFC 3339, UTC, milliseconds
sub wall_ms
{
    my ($at) = @_;
    my ($seconds, $ms) = $at =~ /^(.*)\.(\d{3})Z$/ or die "no time: $at\n";

    return Time::Piece->strptime($seconds, '%Y-%m-%dT%H:%M:%S')->epoch * 1000
        + $ms;
}
