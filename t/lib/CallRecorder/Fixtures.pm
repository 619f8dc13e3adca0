package CallRecorder::Fixtures;

# Copyright (C) The call recorder authors
#
# Media for whip-publisher, made by the system's ffmpeg once and kept below
# build/: a card of one colour that flashes white and beeps for 100 ms at each
# full second, ten seconds long.

use strict;
use warnings;

use Exporter 'import';
use File::Path qw(make_path);

use CallRecorder::Nginx;

our @EXPORT_OK = qw(vp8_ivf h264_annexb opus_ogg);

my $DIR = "$CallRecorder::Nginx::ROOT/build/fixtures";


# Colour as ffmpeg has it (default teal); a keyframe each 3 seconds.
sub vp8_ivf
{
    my ($color) = @_;

    return make("vp8-%s.ivf", $color // '0x2a9d8f', sub { (
        picture($_[0]), qw(-c:v libvpx -deadline realtime -cpu-used 8
            -b:v 800k -g 90 -f ivf) ) });
}


sub h264_annexb
{
    my ($color) = @_;

    return make("h264-%s.h264", $color // '0x2a9d8f', sub { (
        picture($_[0]), qw(-c:v libx264 -profile:v baseline -preset veryfast
            -tune zerolatency -b:v 800k -g 90 -bsf:v dump_extra -f h264) ) });
}


# Frequency of the beep in hertz (default 440).
sub opus_ogg
{
    my ($frequency) = @_;

    return make("opus-%s.ogg", $frequency // 440, sub { (
        qw(-f lavfi -i),
        "aevalsrc=0.4*sin(2*PI*$_[0]*t)*lt(mod(t\\,1)\\,0.1):s=48000:d=10",
        qw(-ac 2 -c:a libopus -b:a 64k -frame_duration 20 -f ogg) ) });
}


sub picture
{
    my ($color) = @_;

    return (qw(-f lavfi -i), "color=c=$color:s=640x480:r=30:d=10,"
        . "noise=alls=8:allf=t,"
        . "drawbox=x=0:y=0:w=iw:h=ih:t=fill:c=white"
        . ":enable='lt(mod(t\\,1)\\,0.1)'", qw(-pix_fmt yuv420p));
}


# Tests run at the same time: a file appears whole, by rename.
sub make
{
    my ($name, $what, $args) = @_;

    my $file = sprintf "$DIR/$name", $what =~ s/\W//gr;

    return $file if -s $file;

    make_path($DIR);
    system(qw(ffmpeg -v error -nostdin -y), $args->($what), "$file.$$") == 0
        or die "ffmpeg cannot make $file\n";
    rename "$file.$$", $file or die "rename $file: $!\n";

    return $file;
}


1;
