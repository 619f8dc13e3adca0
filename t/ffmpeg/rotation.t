#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# A camera that is turned while it is recorded: the journal has the frame, a
# chunk's header what players need, and the mix turns the picture.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Media qw(run);
use CallRecorder::Mix;
use CallRecorder::Mkv;
use CallRecorder::Recorder;
use Test::More;

# Clockwise from above on the left, as it was sent.
my @quadrants = qw(red lime blue yellow);

# Turned clockwise, what was below on the left is above on the left.
sub turned
{
    my ($degrees) = @_;
    my $n = $degrees / 90;

    return join ' ', map { $quadrants[($_ - $n) % 4] } 0 .. 3;
}

sub quadrants
{
    my ($size, @more) = @_;
    my ($w, $h) = map { $_ / 2 } split /x/, $size;
    my @box = map { "drawbox=c=$quadrants[$_]:t=fill:w=$w:h=$h"
        . ':x=' . ($_ == 1 || $_ == 2 ? $w : 0)
        . ':y=' . ($_ > 1 ? $h : 0) } 0 .. 3;

    return join ',', "color=c=black:s=$size:r=30", @box, @more;
}


# ---- the mix alone: every quarter turn, at its very frame

my $mix = CallRecorder::Mix->new;

$mix->session(id => 'alice', start => 0, media => $mix->encode(
    seconds => 3, key => 1, video => quadrants('320x180')));

my %from = (500 => 90, 1000 => 180, 1500 => 270, 2000 => 0, 2500 => 90);
my @turn = (ev => 'rotation', sessionId => 's-alice', track => 1);

$mix->record($_ + 50, @turn, fromMs => $_, degrees => $from{$_})
    for keys %from;

# what is no quarter turn, or of nobody
$mix->record(2900, @turn, fromMs => 100, degrees => 45);
$mix->record(2900, @turn, fromMs => 100, degrees => 450);
$mix->record(2900, @turn, fromMs => 100, degrees => 90, sessionId => 'x');
$mix->record(2900, @turn, fromMs => 100, degrees => 90, track => 2);

$mix->stop(3000);
$mix->write_journal;
$mix->mix(size => '640x360');

# upright a picture is 640x360, on its side 204x360
my @upright = ([100, 60], [540, 60], [540, 300], [100, 300]);
my @side = ([240, 60], [400, 60], [400, 300], [240, 300]);

sub looks
{
    my ($mixed, $frame, $degrees) = @_;

    return join ' ', map { $mixed->color($frame, @$_) }
        $degrees % 180 ? @side : @upright;
}

my @wrong = grep {
    my $degrees = $from{ int($_ / 15) * 500 } // 0;
    looks($mix, $_, $degrees) ne turned($degrees)
} 0 .. $mix->frames - 1;

is($mix->frames, 90, 'three seconds');
is("@wrong", '', 'each frame is turned as the journal says');
is($mix->color(20, 100, 60), 'tile', 'a portrait has borders');
is($mix->color(35, 2, 2), 'blue',
    'upside down it fills the tile');


# ---- from the wire: a publisher that turns its camera every 25 frames

my $rec = CallRecorder::Recorder->new(mix => 'recording_mix off;');
my $id = $rec->start_recording;
my $folder = $rec->folder($id);
my $ivf = "$rec->{dir}/quadrants.ivf";

run(qw(ffmpeg -v error -f lavfi -t 6 -i), quadrants('320x180'),
    qw(-pix_fmt yuv420p -c:v libvpx -deadline realtime -b:v 500k -g 30),
    $ivf);

my $publisher = $rec->publish('bob', video => $ivf, duration => 5,
    turn => 25);

$rec->wait_for(sub {
    grep { $_->{ev} eq 'leave' } $rec->journal($id);
}, 20);
$rec->leave($publisher);
$rec->stop_recording;
is($rec->wait_status($id, 'completed')->{status}, 'completed',
    'the recording is completed');

my @journal = $rec->journal($id);
my @rotations = grep { $_->{ev} eq 'rotation' } @journal;
my @chunks = grep { $_->{ev} eq 'chunk_open' } @journal;
my (@frames, %roll);

for my $chunk (@chunks) {
    my $file = "$folder/$chunk->{file}";
    my @of = grep { $_->{track} == 1 }
        @{ CallRecorder::Mkv::read_file($file)->{frames} };

    # what a player that knows Matroska does with it
    my $probe = run(
        $ENV{FFMPEG} =~ s/ffmpeg$/ffprobe/r,
        qw(-v error -select_streams v -show_entries
           stream_side_data=rotation -of csv=p=0), $file);

    $roll{ scalar @frames } = $probe =~ /(-?\d+)/ ? -$1 % 360 : 0;
    push @frames, @of;
}

cmp_ok(scalar @frames, '>=', 140, 'all frames are there');
cmp_ok(scalar @rotations, '>=', 5, 'the journal has the turns');

for my $n (0 .. $#rotations) {
    is($rotations[$n]{fromMs}, $frames[25 * ($n + 1)]{ms},
        "turn $n is at its frame");
    is($rotations[$n]{degrees}, 90 * ($n + 1) % 360, '...by 90 degrees more');
}

cmp_ok(scalar @chunks, '>=', 5, 'each turn begins a chunk');
is($roll{$_}, 90 * int($_ / 25) % 360,
    "the header of the chunk from frame $_ on says so")
    for sort { $a <=> $b } keys %roll;

my $wire = CallRecorder::Mix->new;
my $first = $frames[0]{ms};

$wire->{dir} = $folder;
$wire->mix(size => '640x360');

# each mixed frame shows the nearest; look in the middle between two turns
for my $n (1 .. $#rotations) {
    my $middle = ($rotations[$n - 1]{fromMs} + $rotations[$n]{fromMs}) / 2;
    my $frame = int(($middle - $first) * 30 / 1000);
    my $degrees = $rotations[$n - 1]{degrees};

    is(looks($wire, $frame, $degrees), turned($degrees),
        "the mix shows it upright at $middle ms");
}

$rec->stop;
done_testing();
