#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# Ten simulated minutes of a call whose clocks are up to 100 ppm off, each
# publisher through a whole peer, the chunk writer and the journal; then the
# mix, in which each flash and each beep has to be where it was captured.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use File::Temp ();
use List::Util qw(max min);
use Test::More;

use CallRecorder::Media qw(median run);
use CallRecorder::Mix;


# milliseconds
use constant {
    AV_LIMIT       => 20,
    PERSONS_LIMIT  => 40,
    LENGTH_LIMIT   => 20,
};

my $seconds = 600;

# as t/tools/clockcall has them, and how many flashes and beeps may be
# missing: a change of the SSRC takes 0.3 s, and after a pause a picture
# begins with the next keyframe
my @people = qw(fast slow apart silent queued stamped stepped moved late);
my %missing = (moved => 3);
my $late_ms = 120_000;

# in a grid of 3 x 3; of eight the last two are centred
my @places = map { [ 21 + 42 * ($_ % 3), 12 + 24 * int($_ / 3) ] } 0 .. 8;
my @before = ([ 43, 60 ], [ 85, 60 ]);

my $tmp = File::Temp->newdir('clock-XXXXXX', TMPDIR => 1);
my $tools = $ENV{TOOLS} // die "TOOLS names no folder\n";
my @hz = map { 600 + 400 * $_ } 0 .. $#people;

content();

my %truth = call();
my ($seen, $heard) = CallRecorder::Mix::flashes_and_beeps("$tmp/rec",
    size => '128x72', rate => 120, places => [ @places, @before ],
    tones => \@hz);
my %off;

for my $i (0 .. $#people) {
    my @flashes = @{ $seen->{$i} // [] };

    # the last one makes room for somebody else
    @flashes = ((grep { $_ < $late_ms } @{ $seen->{ $i + 3 } // [] }),
        grep { $_ > $late_ms + 1500 } @flashes) if $i == 6 || $i == 7;

    $off{ $people[$i] } = {
        flash => \@flashes, beep => $heard->{$i} // [],
    };
}

# All are captured so long before their recording time, by the time of the
# first picture and the way: what is the same for all cannot be seen.
my $zero = median(map { offsets($truth{$_}{beep}, $off{$_}{beep}, -490) }
    @people) - 490;

for my $who (@people) {
    $off{$who}{$_} = errors($truth{$who}{$_}, $off{$who}{$_}, $zero)
        for qw(flash beep);
}

# what their clocks were told by; the last word counts
my %by = map { /"sessionId":"s-(\w+)".*"fromSr":(\w+)/ }
    grep { /"ev":"clock"/ } split /\n/, run('cat', "$tmp/rec/journal.ndjson");

is $by{silent}, 'false', 'without reports: by arrival';
is $by{$_}, 'true', "$_: by reports or capture times" for qw(fast stamped);

diag sprintf '%-8s %21s %21s %21s', 'ms', 'sound', 'picture',
    'sound - picture';

my @all;

for my $who (@people) {
    my ($beep, $flash) = @{ $off{$who} }{qw(beep flash)};
    my @beep = grep { defined } map { $_->[1] } @$beep;
    my @flash = grep { defined } map { $_->[1] } @$flash;
    my @between = between($beep, $flash);

    diag sprintf '%-8s %s %s %s', $who, map { table(@$_) } \@beep, \@flash,
        \@between;

    cmp_ok scalar(@between), '>=', ($seconds - ($who eq 'late' ? 125
        : $who eq 'moved' ? 25 : $who eq 'stepped' ? 50 : 2)),
        "$who: flashes and beeps to compare";
    cmp_ok @$beep - @beep, '<=', $missing{$who} // 0, '...no beep is missing';
    cmp_ok @$flash - @flash, '<=', ($missing{$who} // 0) + 2,
        '...no flash is missing but where the layout changes';
    cmp_ok max(map { abs } @between), '<=', AV_LIMIT,
        "...sound and picture of each second within @{[ AV_LIMIT ]} ms";

    my $drift = $beep->[-1][1] - $beep->[0][1];

    cmp_ok abs($drift), '<=', LENGTH_LIMIT, '...as long at the end';
    push @all, @beep, @flash;
}

cmp_ok max(@all) - min(@all), '<=', PERSONS_LIMIT,
    'person against person';
cmp_ok abs($seen->{length} - $heard->{length}), '<=', LENGTH_LIMIT,
    'picture and sound are equally long';
cmp_ok abs($seconds * 1000 + $zero - 25 - $seen->{length}), '<=',
    LENGTH_LIMIT, 'and as long as the call';

done_testing();


# ---- making it ----

# Two seconds; each participant has a tone of its own.
sub content {
    ffmpeg('-f', 'lavfi', '-i', "color=c=black:s=96x54:r=20,"
        . "drawbox=c=white:t=fill:"
        . "enable='between(mod(t+0.001\\,1)\\,0.5\\,0.6)'",
        qw(-t 2 -pix_fmt yuv420p -c:v libvpx -deadline realtime -cpu-used 8
           -b:v 300k -g 999 -auto-alt-ref 0 -lag-in-frames 0 -threads 1),
        "$tmp/video.ivf");

    for my $i (0 .. $#people) {
        ffmpeg('-f', 'lavfi', '-i', "aevalsrc='0.08*sin(2*PI*$hz[$i]*t)"
            . "*between(mod(t\\,1)\\,0.5\\,0.5999)':s=48000",
            qw(-t 2 -c:a libopus -b:a 48k -ac 1), "$tmp/sound$i.ogg");
    }
}


sub ffmpeg {
    run(qw(/usr/bin/ffmpeg -v error -nostdin -y), @_);
}


# When each was captured, in milliseconds.
sub call {
    my %truth;

    mkdir "$tmp/rec" or die $!;

    for (split /\n/, run("$tools/clockcall", $seconds, "$tmp/rec",
        "$tmp/video.ivf", map { "$tmp/sound$_.ogg" } 0 .. $#people))
    {
        my ($who, $what, $us) = split;
        push @{ $truth{$who}{$what} }, $us / 1000;
    }

    return %truth;
}


# ---- measuring it ----

# [time of capture, how late it is in the mix or undef] of each.
sub errors {
    my ($truth, $got, $zero) = @_;
    my $i = 0;
    my @errors;

    for my $time (@$truth) {
        my $due = $time + $zero;

        $i++ while $i < $#$got
            && abs($got->[ $i + 1 ] - $due) <= abs($got->[$i] - $due);

        my $error = @$got ? $got->[$i] - $due : 1000;
        push @errors, [ $time, abs($error) < 400 ? $error : undef ];
    }

    return \@errors;
}


sub offsets {
    return grep { defined } map { $_->[1] } @{ errors(@_) };
}


# Sound against picture, of those that were captured next to each other.
sub between {
    my ($beep, $flash) = @_;
    my $i = 0;
    my @between;

    for my $b (grep { defined $_->[1] } @$beep) {
        $i++ while $i < $#$flash
            && abs($flash->[ $i + 1 ][0] - $b->[0])
               <= abs($flash->[$i][0] - $b->[0]);

        push @between, $b->[1] - $flash->[$i][1]
            if defined $flash->[$i][1]
            && abs($flash->[$i][0] - $b->[0]) < 500;
    }

    return @between;
}


# From, to, and the 99th of a hundred.
sub table {
    my @sorted = sort { $a <=> $b } map { abs } @_;

    return sprintf '%6.1f .. %5.1f (%4.1f)', min(@_), max(@_),
        $sorted[ int(@sorted * 0.99) ];
}
