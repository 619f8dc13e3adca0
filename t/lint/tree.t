#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# The shape of the tree and of its files.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Tree qw(root entries files slurp code complain);
use Test::More;

use constant LINES => 800;
use constant COLUMNS => 80;


my %allowed = map { $_ => 1 } qw(
    config src ngx_modules ffmpeg-filters conf t docs
    README.md Makefile LICENSE CHANGES .clang-format .ci .gitignore
);

complain('nothing else lies at the root', grep { !$allowed{$_} } entries());


my (@long, @wide, @tabs, @slashes, @blank, @end, @undocumented, @marker, @home);

for my $file (files(qr/./)) {
    my $path = root() . "/$file";

    next if $file =~ m{^t/(?:fuzz/corpus|fixtures|.*/fixtures)/} || !-T $path;

    my $text = slurp($file);
    my @lines = split /\n/, $text;

    push @home, "$file: $1" if $text =~ m{((?:/root|/home/\w+|/work)/[\w.-]+)};
    push @end, $file if length $text && $text !~ /\n\z/;

    next if $file =~ /\.(?:json|svg|md)$/;

    push @long, "$file: " . @lines . ' lines' if @lines > LINES;

    next unless $file =~ /\.[ch]$/;

    push @undocumented, $file if $text !~ m{\A\s*/\*\s.*?\*/}s;

    for my $n (1 .. @lines) {
        local $_ = $lines[$n - 1];

        push @wide, "$file:$n" if length > COLUMNS;
        push @tabs, "$file:$n" if /\t/;
        push @blank, "$file:$n" if /\s$/;
        push @marker, "$file:$n: $1" if /\b(TODO|FIXME|XXX+)\b/;
    }

    my $n = 0;

    for (split /\n/, code($file)) {
        $n++;
        push @slashes, "$file:$n" if m{(?<!:)//};
    }
}

complain('no file has more than ' . LINES . ' lines', @long);
complain('no C line has more than ' . COLUMNS . ' columns', @wide);
complain('no C line has a tab', @tabs);
complain('no C line ends in blanks', @blank);
complain('C comments are /* */', @slashes);
complain('each C file begins by saying what it is', @undocumented);
complain('nothing in C is left to do', @marker);
complain('each text ends with a newline', @end);
complain('no file names a path of somebody\'s machine', @home);


my @run = grep { slurp($_) =~ /\A#!/ } files(qr/./);

complain('what begins with #! can be executed, tests above all',
    (grep { !-x root() . "/$_" } @run),
    (grep { !-x root() . "/$_" } files(qr{^t/.*\.t$})));

done_testing();
