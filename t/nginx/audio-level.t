#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# What a publisher says of its sound (RFC 6464) is in the journal, by seconds.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Media qw(run);
use CallRecorder::Recorder;
use Test::More;

my $rec = CallRecorder::Recorder->new(mix => 'recording_mix off;');
my $ogg = "$rec->{dir}/a.ogg";

run(qw(ffmpeg -v error -f lavfi -i sine=440 -t 3 -c:a libopus), $ogg);

my $id = $rec->start_recording;

# of alice 23 dB below the most, with voice in it; of bob silence; carol says
# nothing of it

my @publishers = map { $rec->publish($_->[0], audio => $ogg, duration => 4,
    @{ $_->[1] }) } ['alice', ['audio-level' => 23 | 0x80]],
    ['bob', ['audio-level' => 127]], ['carol', []];

$rec->wait_for(sub {
    3 == grep { $_->{ev} eq 'leave' } $rec->journal($id);
}, 30);
$rec->leave($_) for @publishers;
$rec->stop_recording;
$rec->wait_status($id, 'completed');

my @journal = $rec->journal($id);
my %who = map { $_->{sessionId} => $_->{participantId} }
    grep { $_->{ev} eq 'join' } @journal;
my @levels = grep { $_->{ev} eq 'level' } @journal;

is(join(' ', sort map { $who{ $_->{sessionId} } } @levels),
    join(' ', ('alice') x @levels), 'silence and no word need no record');

# a second each, and what remains
cmp_ok(scalar @levels, '>=', 3, 'alice has a record a second');
cmp_ok(scalar @levels, '<=', 6, '...and not more');

for my $n (0 .. $#levels) {
    my $level = $levels[$n];
    my $span = $level->{toMs} - $level->{fromMs};

    is($level->{track}, 1, "$n: the track");
    is($level->{level}, -23, "$n: how loud, in dB");
    cmp_ok(abs($level->{voiceMs} - $span), '<=', 40, "$n: voice all the time");
    cmp_ok($span, '<=', 1020, "$n: a second");
    cmp_ok(abs($level->{fromMs} - $levels[$n - 1]{toMs}), '<=', 21,
        "$n: where the one before it ended") if $n;
}

$rec->stop;
done_testing();
