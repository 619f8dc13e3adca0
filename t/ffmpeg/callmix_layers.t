#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# VP9 in spatial layers, from RTP to the mix: what is seen is the uppermost
# one.  ffmpeg's decoder hands all of them out.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Chunks qw(chunks folder);
use CallRecorder::Media qw(run);
use CallRecorder::Mix;
use CallRecorder::Mkv;
use Test::More;

my $seconds = 4;
my $dir = folder();
my $mix = CallRecorder::Mix->new;

# each layer has its colour; all are keyframes, for a picture in layers to be
# made of them; it comes half a picture late, just when the mix looks for it

my @layers = map { [ layer(@$_) ] }
    ([ 'red', '480x270' ], [ 'blue', '960x540' ], [ 'lime', '1920x1080' ]);
my ($seq, @packets) = (0);

for my $i (0 .. 25 * $seconds - 1) {
    for my $sid (0 .. $#layers) {

        my $time = 3600 * $i + ($i ? 1800 : 0);

        # I, L, B and E
        push @packets, pack 'C C n N N C C C C a*', 0x80,
            ($sid == $#layers ? 0x80 : 0) | 96, $seq++, $time, 1, 0xac,
            $i & 0x7f, $sid << 1 | ($sid ? 1 : 0), $i & 0xff,
            $layers[$sid][$i];
    }
}

my $made = chunks('layers', 10_000, [ 'vp9:96' ], @packets);

is_deeply([ sort keys %$made ], [ 1 ], 'a chunk');
is(scalar @{ $made->{1}{1} }, 25 * $seconds, 'of whole pictures');
mkdir "$mix->{dir}/p" or die;
rename "$dir/layers", "$mix->{dir}/p/s" or die;

$mix->record(0, ev => 'join', participantId => 'p', sessionId => 's',
    name => 'p');
$mix->record(10, ev => 'chunk_open', participantId => 'p', sessionId => 's',
    chunk => 1, startMs => 0, file => 'p/s/000001.mkv',
    tracks => [{ track => 1, kind => 'video', codec => 'vp9' }]);
$mix->stop(1000 * $seconds);
$mix->write_journal;
$mix->mix(size => '160x90', gap => 0, rate => 25);

is($mix->frames, 25 * $seconds, 'as long as the call');

my %seen;

$seen{ $mix->color($_, 80, 45) }++ for 5 .. 25 * $seconds - 10;

is_deeply([ keys %seen ], [ 'lime' ], 'the uppermost layer alone is seen')
    or diag explain \%seen;

done_testing();


sub layer
{
    my ($color, $size) = @_;

    my $file = "$dir/$color.mkv";

    run(qw(ffmpeg -v error -nostdin -f lavfi -i),
        "color=c=$color:s=$size:r=25:d=$seconds", qw(-pix_fmt yuv420p -g 1
        -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 1M), $file);

    return map { $_->{data} }
        @{ CallRecorder::Mkv::read_file($file)->{frames} };
}
