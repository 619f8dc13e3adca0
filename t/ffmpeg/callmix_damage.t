#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# What is damaged or missing is left out, and the mix goes on.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Mix;
use Test::More;


my $rec = CallRecorder::Mix->new;
my %picture = map {
    $_ => $rec->encode(seconds => 6, key => 2,
        video => CallRecorder::Mix::picture($_, size => '320x180'),
        audio => CallRecorder::Mix::sound(600))
} qw(red blue);


sub new_recording {
    my (%arg) = @_;
    my $rec = CallRecorder::Mix->new;
    my @files = $rec->session(id => 'a', media => $picture{red}, start => 0,
        chunk => 2000, %arg);

    $rec->session(id => 'b', media => $picture{blue}, start => 0,
        chunk => 2000);
    $rec->stop(6000);
    return ($rec, map { $rec->dir . "/$_" } @files);
}


# 320x180: two tiles

sub both {
    my ($rec, $frame) = @_;

    return join ' ', map { $rec->color($frame, @$_) } [80, 90], [240, 90];
}


# cut in the middle of the second chunk

($rec, my @files) = new_recording();
is(@files, 3, 'three chunks');
truncate $files[1], int((-s $files[1]) / 2);
$rec->write_journal;
$rec->mix(size => '320x180');

is($rec->frames, 180, 'a chunk that was cut off: exact duration');
is(both($rec, 40), 'red blue', '...all is there before');
is(both($rec, 175), 'red blue', '...and after it');
ok($rec->tone(600, 48 * 5000, 48 * 500) > 0.3, '...with sound');
ok($rec->tone(600, 48 * 3300, 48 * 500) < 0.25, '...only one in between');


# a missing one

($rec, @files) = new_recording();
unlink $files[1];
$rec->write_journal;
$rec->mix(size => '320x180');

is($rec->frames, 180, 'a missing chunk: exact duration');
like($rec->log, qr/000002\.mkv is left out/, '...it is logged');
is(both($rec, 175), 'red blue', '...the next one is shown');
ok($rec->tone(600, 48 * 2500, 48 * 1000) < 0.25, '...nothing in its place');


# bytes in the middle are overwritten, in each of 20 ways

my $bad = 0;

for my $seed (1 .. 20) {
    srand $seed;
    ($rec, @files) = new_recording();

    for my $file (@files) {
        open my $fh, '+<:raw', $file or die $!;
        for (1 .. 10) {
            seek $fh, int rand -s $file, 0;
            print $fh join '', map { chr int rand 256 } 1 .. 1 + rand 8;
        }
        close $fh;
    }

    $rec->write_journal;
    eval { $rec->mix(size => '64x64', rate => 10) };
    $bad++ if $@ || $rec->frames != 60 || $rec->samples != 288000;
    diag $@ if $@;
}

is($bad, 0, 'chunks with garbage in them: the mix is whole each time');


# sound that no decoder takes: OpusHead of an unknown version

($rec, @files) = new_recording();
my $head = slurp($files[1]);
$head =~ s/OpusHead\x01/OpusHead\xbe/ or die 'no OpusHead';
write_file($files[1], $head);
$rec->write_journal;
$rec->mix(size => '320x180');

is($rec->frames, 180, 'a chunk with sound of an unknown kind: exact duration');
is(both($rec, 90), 'red blue', '...with its picture');
ok($rec->tone(600, 48 * 2500, 48 * 1000) < 0.25, '...without its sound');
ok($rec->tone(600, 48 * 5000, 48 * 500) > 0.3, '...the next one has sound');
is(scalar(() = $rec->log =~ /cannot decode opus/g), 1, '...logged once');


# the resolution changes from chunk to chunk, and in mid-chunk with VP8

my $wide = $rec->encode(seconds => 2, video =>
    CallRecorder::Mix::picture('red', size => '640x360'));
my $tall = $rec->encode(seconds => 2, video =>
    CallRecorder::Mix::picture('red', size => '180x320'));
my $h264 = $rec->encode(seconds => 2, codec => 'h264', video =>
    CallRecorder::Mix::picture('lime', size => '320x180'));

$rec = CallRecorder::Mix->new;
$rec->session(id => 'a', media => $wide, start => 0);
$rec->session(id => 'a', media => $tall, start => 2000, number => 1);
$rec->session(id => 'a', media => $h264, start => 4000, number => 2);
$rec->stop(6000);
$rec->write_journal;
$rec->mix(size => '320x180');

my @places = ([2, 90], [160, 90]);

for ([30, 'red red'], [59, 'red red'], [60, 'tile red'], [119, 'tile red'],
    [120, 'lime lime'], [170, 'lime lime'])
{
    my ($frame, $expected) = @$_;

    is(join(' ', map { $rec->color($frame, @$_) } @places), $expected,
        "size and codec change between chunks: frame $frame");
}


# the journal: what is not understood is skipped

($rec) = new_recording();
$rec->record(1, ev => 'something new', x => [1, 2, { y => undef }]);
$rec->record(2, ev => 'chunk_open', participantId => 'a', sessionId => 's-a',
    chunk => 9, file => '../../secret.mkv', startMs => 0, tracks => []);
$rec->record(2, ev => 'chunk_open', participantId => 'a/b', sessionId => 's',
    chunk => 9, file => 'x.mkv', startMs => 0, tracks => []);
$rec->record(2, ev => 'chunk_open', participantId => 'a', sessionId => 's-a',
    chunk => 9, file => 'x.mkv', startMs => 1e300, tracks => []);
$rec->record(2, ev => 'leave', participantId => 'a');
$rec->record(3, ev => 'clock', sessionId => 's-a', track => 'x',
    mediaUs => -9e18, offsetUs => 'y');
$rec->record(3, ev => 'join', participantId => 'z', name => 'x' x 100000,
    sessionId => 's-z');
$rec->write_journal("not json\n{\"ev\":5}\n\n[1]\n{\"ev\":\"stop\",\"stoppedMs\":9");
$rec->mix(size => '320x180');

is($rec->frames, 180, 'nonsense in the journal is skipped');
is(both($rec, 100), 'red blue', '...everything else counts');


# errors

for ([ 'no journal', sub { unlink $_[0]->dir . '/journal.ndjson' } ],
    [ 'no media', sub {
        open my $fh, '>', $_[0]->dir . '/journal.ndjson';
        print $fh qq({"ev":"stop","tMs":1,"stoppedMs":1}\n) } ])
{
    ($rec) = new_recording();
    $rec->write_journal;
    $_->[1]->($rec);
    ok(!eval { $rec->mix(size => '320x180'); 1 }, "$_->[0]: an error");
}

for ('size=63x64', 'size=65x64', 'rate=0', 'sample_rate=1', 'gap=-1') {
    my ($name, $value) = split /=/;

    ok(!eval { $rec->mix($name => $value); 1 }, "$_: an error");
}

done_testing();


sub slurp {
    my ($path) = @_;

    open my $fh, '<:raw', $path or die "$path: $!";
    local $/;
    return <$fh>;
}


sub write_file {
    my ($path, $data) = @_;

    open my $fh, '>:raw', $path or die "$path: $!";
    print $fh $data;
    close $fh or die "$path: $!";
}
