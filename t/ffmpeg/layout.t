#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# Builds layout.c with the layout functions of the FFmpeg that was built.

use strict;
use warnings;

use File::Basename qw(dirname);
use File::Temp ();
use FindBin;


my $ffmpeg = $ENV{FFMPEG} // die "FFMPEG names no ffmpeg of ours\n";
my $built = dirname($ffmpeg);
my $tmp = File::Temp->newdir;

my @command = ('gcc', qw(-std=gnu11 -Wall -Wextra -Werror -Wno-unused-parameter),
    qw(-Wno-sign-compare), "-I$built/obj", "-isystem", "$built/src",
    '-o', "$tmp/layout", "$FindBin::Bin/layout.c",
    "$built/obj/libavfilter/callmix_layout.o",
    "$built/obj/libavutil/libavutil.a", qw(-lm -lpthread));

system(@command) == 0 or die "@command failed\n";
system("$tmp/layout") == 0 or die "layout failed\n";
