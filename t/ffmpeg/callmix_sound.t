#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# What is heard: the sum of all, never too loud, one person untouched.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Mix;
use Test::More;


sub mix {
    my ($seconds, @people) = @_;
    my $rec = CallRecorder::Mix->new;

    for my $n (0 .. $#people) {
        my ($sound, $start) = @{$people[$n]};

        $rec->session(id => "p$n", start => $start // 0,
            media => $rec->encode(seconds => $seconds, audio => $sound));
    }

    $rec->stop($seconds * 1000);
    $rec->write_journal;
    return $rec->mix(size => '64x64', rate => 5);
}


sub sound { CallRecorder::Mix::sound(@_) }

my @freqs = (310, 470, 620, 830, 1010, 1270);
my $second = 48000;

# one person

my $one = mix(3, [sound(470, level => 0.5)]);
ok(abs($one->tone(470, $second, $second) - 0.5) < 0.02,
    'one person is as loud as recorded');
ok(abs($one->tone(470, $second, $second, 1) - 0.5) < 0.02, '...on both sides');

# three who fit

my $three = mix(3, map { [sound($_, level => 0.25)] } @freqs[0 .. 2]);
for (@freqs[0 .. 2]) {
    ok(abs($three->tone($_, $second, $second) - 0.25) < 0.02,
        "$_ Hz is in the sum at its level");
}
ok($three->tone($freqs[4], $second, $second) < 0.005, 'nothing else is');

# six loud ones: 4.2 in sum

my $six = mix(3, map { [sound($_, level => 0.7)] } @freqs);
ok($six->peak <= 0.8911, 'six loud people stay below -1 dBFS')
    or diag $six->peak;
ok($six->peak > 0.7, '...and are not turned down more than needed');

my @levels = map { $six->tone($_, $second, $second) } @freqs;
my ($min, $max) = (sort { $a <=> $b } @levels)[0, -1];
ok($min > 0.08 && $max / $min < 1.1, '...all of them alike') or diag "@levels";

# what limiting adds is small: power of the tones against all power

my $power = 0;
$power += $_ * $_ for $six->pcm($second, $second);
$power /= $second;

my $tones = 0;
$tones += $_ * $_ / 2 for @levels;
ok(10 * log($tones / abs($power - $tones)) / log(10) > 15,
    '...without crackling') or diag $tones, ' ', $power;

# a loud word of a second person does not turn the first one down for long

my $pump = mix(4, [sound(470, level => 0.4)],
    ["aevalsrc='0.9*sin(2*PI*1270*t)*between(t\\,1\\,1.2)"
     . "|0.9*sin(2*PI*1270*t)*between(t\\,1\\,1.2)':s=48000:n=960"]);
ok(abs($pump->tone(470, 0.4 * $second, 0.5 * $second) - 0.4) < 0.02,
    'before a loud word all is as it was');
ok($pump->tone(470, 1.02 * $second, 0.15 * $second) < 0.37,
    'it is limited during the word');
ok(abs($pump->tone(470, 2 * $second, $second) - 0.4) < 0.02,
    'and as it was again within a second');
ok($pump->peak <= 0.8911, 'the ceiling holds');

# silence is silence

my $rec = CallRecorder::Mix->new;
$rec->session(id => 'a', start => 1000, at => 0,
    media => $rec->encode(seconds => 1, audio => sound(500)));
$rec->session(id => 'b', start => 0,
    media => $rec->encode(seconds => 3,
        video => CallRecorder::Mix::picture('red', size => '64x64')));
$rec->stop(3000);
$rec->write_journal;
$rec->mix(size => '64x64');

ok(!(grep { $_ } $rec->pcm(0, 48 * 990)), 'silence before the first sound');
ok($rec->tone(500, 48 * 1200, 48 * 500) > 0.18, 'then the sound');
ok(!(grep { $_ } $rec->pcm(48 * 2050, 48 * 900)), 'silence after the last');
is($rec->samples, 144000, 'the samples are complete');

# another rate

$rec->mix(size => '64x64', sample_rate => 44100);
is($rec->samples, 132300, 'another sample rate');

# the same twice

my ($first) = $rec->{pcm};
$rec->mix(size => '64x64', sample_rate => 44100);
ok($first eq $rec->{pcm}, 'two mixes are the same, sample by sample');

done_testing();
