#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# docs/callmix.md and docs/callrec.md name each option of the code and no
# other.

use strict;
use warnings;

use FindBin;
use Test::More;


my $ffmpeg = $ENV{FFMPEG} // die "FFMPEG names no ffmpeg of ours\n";

for (['filter=callmix', 'callmix', 'threads'], ['muxer=callrec', 'callrec']) {
    my ($what, $page, @common) = @$_;

    open my $help, '-|', $ffmpeg, '-hide_banner', '-h', $what
        or die "$ffmpeg: $!";
    my %code = map { $_ => 1 } @common,
        map { /^ +-?(\w+) +<\w+>/ ? $1 : () } <$help>;
    close $help or die "$ffmpeg -h $what failed";

    open my $docs, '<', "$FindBin::Bin/../../docs/$page.md" or die $!;
    my %docs = map { $_ => 1 }
        map { /^\| (`.*?) \|/ ? $1 =~ /`(\w+)`/g : () } grep { !/\.c`/ } <$docs>;

    cmp_ok(scalar keys %code, '>', 4, "$page has options");
    is(join(' ', sort keys %docs), join(' ', sort keys %code),
        "docs/$page.md names them all");
}

done_testing();
