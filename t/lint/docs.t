#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# Pages name files that exist, README leads to each page, and each target of
# make that README and docs/ name is one.

use strict;
use warnings;

use File::Basename qw(dirname);
use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Tree qw(root files slurp complain);
use Test::More;


my @pages = files(qr{^(?:README|docs/.*)\.md$});
my $make = join '', map { slurp($_) } 'Makefile', files(qr{^\.ci/.*\.mk$});

my (@links, @targets, %linked);

for my $page (@pages) {
    my $text = slurp($page);

    while ($text =~ /\]\(([^)#\s]+)(?:#[^)]*)?\)/g) {
        my $target = $1;

        next if $target =~ /^\w+:/;

        my $path = $target =~ m{^/} ? substr($target, 1)
            : dirname($page) eq '.' ? $target : dirname($page) . "/$target";

        push @links, "$page: $target" unless -e root() . "/$path";
        $linked{$path} = 1 if $page eq 'README.md';
    }

    # `make x` in the text, make x in an indented block, but not nginx's make
    $text =~ s/^.*\.\/configure.*$//mg;

    while ($text =~ /(?:`|^ {4}.*?\b)make((?: +[A-Za-z][\w=-]*)*)/mg) {
        for (split ' ', $1) {
            push @targets, "$page: make $_"
                unless /=/ || /^test-/ || $make =~ /^\Q$_\E:/m;
        }
    }
}

complain('links lead somewhere', @links);
complain('README leads to each page of docs/',
    grep { m{^docs/} && !$linked{$_} } @pages);
complain('what is said of make is so', @targets);

done_testing();
