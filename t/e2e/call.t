#!/usr/bin/perl

# The main job, judged by what is to be seen and heard: two real browsers with
# fake cameras and microphones call, one MP4 comes out.  Runs the demo itself.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use File::Temp ();
use JSON::PP ();
use List::Util qw(max sum0);
use POSIX qw(floor);
use Test::More;

use CallRecorder::Browser qw(run_demo);
use CallRecorder::Media qw(probe boxes mean_rgb rgb_near luma_series onsets
    tone_series tone_level av_offsets_ms median);


my $seconds = 15;
my $demo = run_demo(seconds => $seconds,
                    env => { BROWSER_OPTIONS => '--measure' });

is $demo->{status}, 0, 'the demo ends well' or diag $demo->{output};

my $file = $demo->{path};
my $status = $demo->{answers}[-1]{data};


subtest 'the status tells what happened' => sub {
    is $status->{status}, 'completed', 'completed';
    is $status->{endReason}, 'stopped', 'because it was stopped';
    is scalar @{ $status->{participants} }, 2, 'two participants';
    is_deeply [ sort map { $_->{id} } @{ $status->{participants} } ],
        [qw(alice bob)], 'by their ids';
    is_deeply $status->{interruptions}, [], 'without an interruption';
    is $status->{error}, undef, 'and without an error';
    cmp_ok $status->{cost}{cpuSeconds} // 0, '>', 0, 'it says what it cost';

    my ($out) = grep { $_->{kind} eq 'composite' } @{ $status->{outputs} };

    is $out->{sizeBytes}, -s $file, 'the size is the file\'s';
    like $out->{sha256}, qr/^[0-9a-f]{64}$/, 'there is a SHA-256';
    is $out->{sha256}, (split ' ', `sha256sum $file`)[0], 'the file\'s own';
    is "$out->{width}x$out->{height}", '1280x720', 'the picture\'s size';
};


subtest 'the container' => sub {
    my $probe = probe($file);
    my %stream = map { $_->{codec_type} => $_ } @{ $probe->{streams} };

    is $stream{video}{codec_name}, 'h264', 'H.264';
    is $stream{audio}{codec_name}, 'aac', 'AAC';
    is "$stream{video}{width}x$stream{video}{height}", '1280x720', '720p';
    is $stream{video}{r_frame_rate}, '30/1', '30 frames a second';

    cmp_ok abs($probe->{format}{duration} - $status->{durationMs} / 1000),
        '<', 0.3, 'as long as the status says';
    cmp_ok $probe->{format}{duration}, '>=', $seconds,
        'and not shorter than people talked';

    my %at = map { $_->[0] => $_->[1] } boxes($file);

    cmp_ok $at{moov}, '<', $at{mdat}, 'the index is in front of the data';
};


# Where the tiles are is the mix's business; that both people are to be seen,
# each in a half of the picture, is ours.
my %person = (
    alice => { color => '#2a9d8f', tone => 440 },
    bob => { color => '#e9a23b', tone => 1000 },
);
my @halves = ('60:60:290:330', '60:60:930:330');

subtest 'both people are to be seen' => sub {
    my @seen;

    for my $time (0.5, $seconds / 2 + 0.5, $seconds - 1.5) {
        for my $half (0, 1) {
            my @rgb = tile_rgb($half, $time);

            my ($who) = grep { rgb_near(\@rgb, $person{$_}{color}, 40) }
                sort keys %person;

            ok $who, "somebody in half $half at $time s" or diag "@rgb";
            $seen[$half]{ $who // 'nobody' } = 1;
            $person{$who}{half} = $half if $who;
        }
    }

    like join(' ', map { join '+', sort keys %$_ } @seen),
        qr/^(alice bob|bob alice)$/, 'each in the same half all the time';
};


subtest 'the first frame shows them' => sub {
    my ($r, $g, $b) = mean_rgb($file, 0, '1280:720:0:0');

    cmp_ok max($r, $g, $b), '>', 40, 'it is not black';
};


my $late = max map { abs } map { person_sync($_) } sort keys %person;

cmp_ok $late, '<', 40, 'sound and picture of each are within 40 ms';


# By how many milliseconds the recording moves sound against picture:
# Chromium's fake devices do not begin at the same moment, so what counts is
# the difference to what its page saw and heard.
sub person_sync {
    my ($name) = @_;

    my $me = $person{$name};
    my @tone = tone_series($file, $me->{tone});
    my @beeps = onsets(\@tone, 0.5);
    my @flashes = onsets(
        [ luma_series($file, $halves[ $me->{half} // 0 ]) ], 0.5);

    subtest "${name}'s sound" => sub {
        cmp_ok scalar(@beeps), '>=', $seconds - 3, 'a beep each second';

        my @gaps = map { $beeps[$_] - $beeps[$_ - 1] } 1 .. $#beeps;

        cmp_ok abs(median(@gaps) - 1), '<', 0.01, 'one second apart';
        cmp_ok tone_level(\@tone, 1, $seconds - 1), '>', 0.1, 'loud enough';
    };

    my @offsets = av_offsets_ms(\@flashes, \@beeps);

    cmp_ok scalar(@offsets), '>=', $seconds - 4, "$name flashes and beeps";
    my $source = $demo->{source}{$name};
    my @at_source = av_offsets_ms(
        map { [ map { $_ / 1000 } @$_ ] } @{$source}{qw(flashes beeps)});

    cmp_ok scalar(@at_source), '>=', $seconds - 4, 'in its page, too';
    diag "$name: sound after picture by ", join(' ',
        map { sprintf '%.0f', $_ } @offsets), ' ms, at the source by ',
        join ' ', map { sprintf '%.0f', $_ } @at_source;

    return shift_ms(\@offsets, \@at_source);
}


# The recording's offsets against the source's, flash by flash: a loaded
# machine moves the fake devices against each other in the middle of it.  The
# page saw a few flashes before the recording began; how many, is where the
# differences agree best.  A second is a whole round.
sub shift_ms
{
    my ($recorded, $source) = @_;

    my @best;

    for my $before (0 .. 6) {
        my @diff = map {
            my $ms = $recorded->[$_] - $source->[ $_ + $before ];
            $ms - 1000 * floor($ms / 1000 + 0.5);
        } grep { $_ + $before < @$source } 0 .. $#$recorded;

        next if @diff < @$recorded;

        my $median = median(@diff);
        my $spread = sum0(map { abs($_ - $median) } @diff);

        @best = ($spread, $median) if !@best || $spread < $best[0];
    }

    return $best[1] // 1000;
}


# A colour between two flashes: the one of three looks that is least bright.
sub tile_rgb {
    my ($half, $time) = @_;

    my @looks = map { [ mean_rgb($file, $time + $_, $halves[$half]) ] }
        0, 0.25, 0.5;

    return @{ (sort { sum0(@$a) <=> sum0(@$b) } @looks)[0] };
}


done_testing();
