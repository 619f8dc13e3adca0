#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# When things are seen and heard: flashes and beeps of 100 ms, each second of
# media time, at the times that clocks and gaps give them.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Mix;
use Test::More;


# what one frame and the codecs may add
use constant NEAR => 20;


sub near {
    my ($got, $expected, $name) = @_;
    my $wrong = grep {
        !defined $got->[$_] || abs($got->[$_] - $expected->[$_]) > NEAR
    } 0 .. $#$expected;

    ok(@$got == @$expected && !$wrong, $name)
        or diag "got (@$got), not (@$expected)";
}


# Flashes and beeps of one person in the mix.

sub in_sync {
    my ($name, $rec, $expected, $limit) = @_;
    my @flashes = $rec->flashes(160, 90);
    my @beeps = $rec->onsets(0.05);

    near(\@flashes, $expected, "$name: flashes");
    near(\@beeps, $expected, "$name: beeps");

    my $worst = 0;

    for (0 .. $#flashes) {
        my $off = abs($flashes[$_] - ($beeps[$_] // -1000));
        $worst = $off if $off > $worst;
    }

    ok($worst <= ($limit // NEAR), "$name: picture and sound together")
        or diag $worst;
}


my $media = CallRecorder::Mix->new->encode(seconds => 6, key => 2,
    video => CallRecorder::Mix::picture('black', size => '320x180',
        flash => 1),
    audio => CallRecorder::Mix::sound(1000, beep => 1, level => 0.5));


sub mixed {
    my ($stop, $session, @records) = @_;
    my $rec = CallRecorder::Mix->new;

    # the output begins with a picture at recording time 0

    $rec->session(id => 'a', media => $media, chunk => 2000, %$session);
    $rec->record(@$_) for @records;
    $rec->stop($stop);
    $rec->write_journal;
    return $rec->mix(size => '320x180');
}


my $rec = mixed(6000, { start => 0 });
in_sync('plain', $rec, [map { $_ * 1000 } 0 .. 5]);
is($rec->frames, 180, '...exact frames');
is($rec->samples, 288000, '...exact samples');

# with another person from 0 on, this one's times can be seen

my $other = CallRecorder::Mix->new->encode(seconds => 0.5,
    video => CallRecorder::Mix::picture('blue', size => '320x180'));


# Both tracks are shifted by 250 ms: media time 1000 is recording time 1250.

sub clocks {
    my ($media_us, $offset_us, $drift) = @_;

    return map { [2500, ev => 'clock', sessionId => 's-a', track => $_,
        mediaUs => $media_us, offsetUs => $offset_us,
        driftPpb => $drift // 0, fromSr => 1] } 1, 2;
}


sub beside {
    my ($stop, $session, @records) = @_;
    my $rec = CallRecorder::Mix->new;

    $rec->session(id => 'b', media => $other, start => 0, leave => 500);
    $rec->session(id => 'a', media => $media, chunk => 2000, %$session);
    $rec->record(@$_) for @records;
    $rec->stop($stop);
    $rec->write_journal;
    return $rec->mix(size => '320x180');
}


$rec = beside(8500, { start => 2000, at => 2250 }, clocks(2000000, 250000));
in_sync('an offset', $rec, [map { 2250 + $_ * 1000 } 0 .. 5]);

# 1 % fast, a hundred times more than any real clock, so that stretching lags
# behind by some milliseconds: 6 s of media last 6.06 s

$rec = beside(8500, { start => 2000 }, clocks(2000000, 0, 10000000));
in_sync('drift', $rec, [map { 2000 + $_ * 1010 } 0 .. 5], 25);

# what was learnt at media time 4500 shifts the rest by 100 ms

$rec = beside(8500, { start => 2000 }, clocks(2000000, 0),
    clocks(4500000, 100000));
in_sync('a later correction', $rec,
    [2000, 3000, 4000, 5100, 6100, 7100]);

# what is known later of an earlier time takes the place of all from there on

$rec = beside(8500, { start => 2000 }, clocks(2000000, 0),
    clocks(4500000, 100000), clocks(3500000, 50000));
in_sync('a correction of the past', $rec,
    [2000, 3000, 4050, 5050, 6050, 7050]);

# only one track is shifted: clocks are per track

$rec = beside(8500, { start => 2000 }, (clocks(2000000, 80000))[1]);
near([$rec->flashes(160, 90)], [map { 2000 + $_ * 1000 } 0 .. 5],
    'one track: its own clock, flashes');
near([$rec->onsets(0.05)], [map { 2080 + $_ * 1000 } 0 .. 5],
    'one track: its own clock, beeps');


# gaps stay gaps

$rec = mixed(6000, { start => 0,
    keep => sub { $_[0] eq 'video' || $_[1] < 1500 || $_[1] >= 3500 } });
near([$rec->onsets(0.05)], [0, 1000, 4000, 5000],
    'sound that is missing moves nothing that comes later');
ok(!(grep { $_ } $rec->pcm(48 * 1600, 48 * 1800)), '...the gap is silent');
near([$rec->flashes(160, 90)], [map { $_ * 1000 } 0 .. 5],
    '...pictures go on');

$rec = mixed(6000, { start => 0,
    keep => sub { $_[0] eq 'audio' || $_[1] < 1500 || $_[1] >= 4000 } });
near([$rec->onsets(0.05)], [map { $_ * 1000 } 0 .. 5],
    'pictures that are missing: sound goes on');
near([$rec->flashes(160, 90)], [0, 1000, 4000, 5000],
    '...pictures are where they were');

# one packet of 20 ms

my $tone = CallRecorder::Mix->new->encode(seconds => 3,
    audio => CallRecorder::Mix::sound(500, level => 0.5));
$rec = CallRecorder::Mix->new;
$rec->session(id => 'a', media => $tone, start => 0,
    keep => sub { $_[1] < 990 || $_[1] >= 1010 });
$rec->stop(3000);
$rec->write_journal;
$rec->mix(size => '64x64');

my $silent = grep { $_ == 0 } $rec->pcm(48 * 900, 48 * 200);

ok($silent > 900 && $silent < 1010, 'one lost packet is 20 ms of silence')
    or diag $silent;
ok($rec->tone(500, 48 * 1100, 48 * 1000) > 0.45, '...and the tone goes on');

my $phase = sub {
    my @x = $rec->pcm($_[0], 96);
    return abs($x[0]) + abs($x[24]) > 0 ? atan2($x[0], $x[24]) : 99;
};
ok(abs($phase->(48 * 500) - $phase->(48 * 2500)) < 0.1,
    '...at exactly its place') or diag $phase->(48 * 500), ' ',
    $phase->(48 * 2500);

# ten chunks: no seam

$rec = CallRecorder::Mix->new;
$rec->session(id => 'a', media => $tone, start => 0, chunk => 300);
$rec->stop(3000);
$rec->write_journal;
$rec->mix(size => '64x64');

my @x = $rec->pcm(4800, 48 * 2800);
my $step = 0;

for (1 .. $#x) {
    my $d = abs($x[$_] - $x[$_ - 1]);
    $step = $d if $d > $step;
}

ok($step < 0.04, 'no click where one chunk ends and the next begins')
    or diag $step;

done_testing();
