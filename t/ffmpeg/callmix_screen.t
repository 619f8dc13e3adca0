#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# Screens have tiles of their own, and of several layers the best is seen.
# People and screens are plain colours.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Mix;
use Test::More;


my $seconds = 2.7;
my $rec = CallRecorder::Mix->new;

my $alice = $rec->encode(seconds => $seconds,
    video => CallRecorder::Mix::picture('red', size => '320x240'),
    audio => CallRecorder::Mix::sound(440));
my $slides = $rec->encode(seconds => $seconds,
    video => CallRecorder::Mix::picture('blue', size => '640x360'),
    audio => CallRecorder::Mix::sound(880));
my $small = $rec->encode(seconds => $seconds,
    video => CallRecorder::Mix::picture('lime', size => '160x120'));


# The tracks of several media in one, numbered through; videos first.

sub together
{
    my (@media) = @_;

    my ($number, @tracks, @frames) = (0);

    for my $type (1, 2) {
        for my $media (@media) {
            for my $t (grep { $_->{type} == $type } @{ $media->{tracks} }) {
                push @tracks, { %$t, number => ++$number };
                push @frames, map { +{ %$_, track => $number } }
                    grep { $_->{track} == $t->{number} }
                    @{ $media->{frames} };
            }
        }
    }

    return { tracks => \@tracks, frames => \@frames };
}


sub colors
{
    my ($frame, @places) = @_;

    return join ' ', map { $rec->color($frame, @$_) } @places;
}


my @two = ([162, 180], [478, 180]);


# two sessions of one participant

$rec = CallRecorder::Mix->new;
$rec->session(id => 'alice', media => $alice, start => 0, leave => 2700);
$rec->session(id => 'alice', session => 's-screen', role => 'screen',
    media => $slides, start => 1500, leave => 3500);
$rec->stop(3500);
$rec->write_journal;
$rec->mix(size => '640x360');

is(colors(20, [320, 180]), 'red', 'a camera alone');
is(colors(60, @two), 'red blue', 'the screen comes beside it');
is(colors(100, [320, 180]), 'blue', 'and stays when the camera goes');
ok($rec->tone(440, 0, 24000) > 0.15, 'the camera is heard');
ok($rec->tone(880, 0, 24000) < 0.001, 'the screen is not, before it comes');
ok($rec->tone(440, 84000, 24000) > 0.15, 'both are heard');
ok($rec->tone(880, 84000, 24000) > 0.15, 'at the same time');


# two videos of one session

$rec = CallRecorder::Mix->new;
$rec->session(id => 'alice', media => together($alice, $slides), start => 0,
    roles => { 1 => 'camera', 2 => 'screen' });
$rec->stop(2700);
$rec->write_journal;
$rec->mix(size => '640x360');

is(colors(40, @two), 'red blue', 'two videos, two tiles');
ok($rec->tone(440, 24000, 24000) > 0.15, 'one sound');


# layers of one video, the best one not in front

$rec = CallRecorder::Mix->new;
$rec->session(id => 'alice', media => together($small, $alice), start => 0,
    roles => { 1 => 'camera', 2 => 'camera' });
$rec->stop(2700);
$rec->write_journal;
$rec->mix(size => '640x360');

is(colors(40, [320, 180]), 'red', 'of two layers the larger one');


# a screen of nobody else

$rec = CallRecorder::Mix->new;
$rec->session(id => 'alice', role => 'screen', media => $slides, start => 0);
$rec->stop(2700);
$rec->write_journal;
$rec->mix(size => '640x360');

is(colors(40, [320, 180]), 'blue', 'a screen alone');


# what no track record has told is a camera

$rec = CallRecorder::Mix->new;
$rec->session(id => 'alice', media => $alice, start => 0);
$rec->record(0, ev => 'track', participantId => 'alice',
    sessionId => 's-alice', track => 9, kind => 'video', codec => 'vp8',
    role => 'screen');
$rec->record(1, ev => 'track', participantId => 'alice',
    sessionId => 's-alice', track => 'x', kind => 7, role => []);
$rec->stop(2700);
$rec->write_journal;
$rec->mix(size => '640x360');

is(colors(40, [320, 180]), 'red', 'a screen that never came has no tile');

done_testing();
