#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# Who is seen where and when: people are plain colours.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Mix;
use Test::More;


my $rec = CallRecorder::Mix->new;

my $alice = $rec->encode(seconds => 6.7,
    video => CallRecorder::Mix::picture('red', size => '320x240'),
    audio => CallRecorder::Mix::sound(440));
my $bob = $rec->encode(seconds => 2.7, codec => 'h264',
    video => CallRecorder::Mix::picture('lime', size => '640x360'),
    audio => CallRecorder::Mix::sound(660));
my $carol = $rec->encode(seconds => 3.7,
    audio => CallRecorder::Mix::sound(880));

$rec->session(id => 'alice', media => $alice, start => 300);
$rec->session(id => 'bob', media => $bob, start => 2300, leave => 5000);
$rec->session(id => 'carol', media => $carol, start => 3300);
$rec->stop(7000);
$rec->write_journal;
$rec->mix(size => '640x360');

my @two = ([162, 180], [478, 180]);
my @three = ([167, 92], [473, 92], [320, 268]);


sub colors {
    my ($frame, @places) = @_;

    return join ' ', map { $rec->color($frame, @$_) } @places;
}


is($rec->frames, 201, 'as many frames as the time from first media to stop');
is($rec->samples, 321600, 'as many samples as the time');

is(colors(0, [320, 180]), 'red', 'the first frame shows the first picture');
is(colors(0, [10, 180], [630, 10]), 'tile tile', 'a 4:3 picture has borders');
is(colors(0, [320, 2], [320, 357]), 'red red', '...and fills the height');
is(colors(59, [320, 180]), 'red', 'alone until somebody joins');
is(colors(60, @two), 'red lime', 'two beside each other from the first frame');
is(colors(60, [320, 180], [162, 40]), 'background background',
    'with a gap and a background');
is(colors(89, @two), 'red lime', 'two until somebody joins with sound only');
is(colors(90, @three), 'red lime tile', 'a plain tile for her, row centred');
is(colors(90, [40, 268], [600, 268]), 'background background',
    'beside it nothing');
is(colors(140, @three), 'red lime tile', 'three until one leaves');
is(colors(141, @two), 'red tile', 'the others move together when he leaves');
is(colors(200, @two), 'red tile', 'until the end');


$rec = CallRecorder::Mix->new;
$rec->session(id => 'alice', media => $alice, start => 300);
$rec->session(id => 'bob', media => $bob, start => 900);
$rec->stop(2000);
$rec->write_journal;
$rec->mix(size => '640x360', background => 'blue', gap => 20);

is(colors(0, [160, 180], [480, 180]), 'red lime',
    'who comes within a second is there from the first frame');
is(colors(0, [320, 180], [5, 5]), 'blue blue', 'background and gap are options');
is($rec->frames, 51, 'from the first picture on');
ok($rec->tone(660, 0, 24000) < 0.001, 'he is not heard before he speaks');
ok($rec->tone(660, 30000, 24000) > 0.15, '...and then is');


# nobody else, and then nobody at all: the end comes with the stop

$rec = CallRecorder::Mix->new;
$rec->session(id => 'bob', media => $bob, start => 0, leave => 2000);
$rec->stop(4000);
$rec->write_journal;
$rec->mix(size => '640x360');

is($rec->frames, 120, 'the mix lasts until the stop');
is(colors(59, [320, 180]), 'lime', 'alone on the whole canvas');
is(colors(59, [1, 1], [638, 358]), 'lime lime', '...without a border');
is(colors(60, [320, 180]), 'background', 'all have left: the background');


# no stop record: the machine went down

$rec = CallRecorder::Mix->new;
$rec->session(id => 'bob', media => $bob, start => 1000, unclosed => 1);
$rec->write_journal;
$rec->mix(size => '640x360');

ok(abs($rec->frames - 81) <= 1, 'without a stop the mix ends with the media')
    or diag $rec->frames;
is(colors($rec->frames - 1, [320, 180]), 'lime', 'seen until the end');


# sound only

$rec = CallRecorder::Mix->new;
$rec->session(id => 'carol', media => $carol, start => 500);
$rec->stop(2500);
$rec->write_journal;
$rec->mix(size => '640x360');

is($rec->frames, 60, 'sound alone: begins with the first sound');
is(colors(0, [320, 180]), 'tile', 'there is a tile');
ok($rec->tone(880, 0, 24000) > 0.15, 'and the tone');


done_testing();
