#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# Builds manifest.c with callmix' reader of manifests, both with sanitizers, and
# the libraries of the FFmpeg that was built.

use strict;
use warnings;

use File::Basename qw(dirname);
use File::Temp ();
use FindBin;


my $ffmpeg = $ENV{FFMPEG} // die "FFMPEG names no ffmpeg of ours\n";
my $built = dirname($ffmpeg);
my $tmp = File::Temp->newdir;

open my $f, '<', "$built/obj/ffbuild/config.mak" or die "config.mak: $!";
my @libs = map { /^EXTRALIBS(?:-av\w+|-sw\w+)?=(.*)/ ? split ' ', $1 : () } <$f>;

my @command = ('gcc', '-std=gnu11', '-g', '-fsanitize=address,undefined',
    '-fno-sanitize-recover=undefined',
    "-I$built/obj", "-I$built/src", '-o', "$tmp/manifest",
    "$FindBin::Bin/manifest.c",
    (map { "$built/src/libavfilter/callmix_$_.c" } qw(manifest fetch)),
    (map { "$built/obj/lib$_/lib$_.a" } qw(avformat avcodec swresample avutil)),
    @libs);

system(@command) == 0 or die "@command failed\n";
system("$tmp/manifest", "$tmp/list.json") == 0 or die "manifest failed\n";
