#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# The lists in `config` against the files on disk.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Tree qw(files slurp code complain);
use Test::More;


my $config = slurp('config');

sub list
{
    my ($name) = @_;

    $config =~ /^\Q$name\E="\n(.*?)^"/ms or die "no $name in config\n";

    return map { s/^\s+|\s+$//gr } split /\n/, $1;
}

sub compare
{
    my ($name, $is, $should) = @_;

    my %is = map { $_ => 1 } @$is;
    my %should = map { $_ => 1 } @$should;

    complain("$name is what is on disk",
        (map { "add to $name: $_" } grep { !$is{$_} } @$should),
        (map { "not on disk, in $name: $_" } grep { !$should{$_} } @$is));
}


my @glue = list('callrec_glue');
my @src = list('callrec_src');
my @modules = list('callrec_modules');

compare('callrec_glue', \@glue,
    [ map { s{^ngx_modules/}{}r } files(qr{^ngx_modules/[^/]+\.c$}) ]);

compare('callrec_src', \@src,
    [ map { s{^src/}{}r } files(qr{^src/[^/]+/[^/]+\.c$}) ]);

compare('callrec_modules', \@modules,
    [ map { code($_) =~ /^ngx_module_t\s+(\w+)\s*=/mg }
      files(qr{^ngx_modules/.*\.c$}) ]);

is($modules[0], 'ngx_callrec_module', 'the .so is ngx_callrec_module.so');

for (['callrec_glue', @glue], ['callrec_src', @src]) {
    my ($name, @list) = @$_;
    is_deeply(\@list, [sort @list], "$name is in order");
}

# nginx makes objs/addon/<folder>/<file>.o of each
my %objects;
$objects{ s{.*?([^/]+/[^/]+)$}{$1}r }++ for @src, map { "ngx_modules/$_" } @glue;
complain('each object has a name of its own',
    grep { $objects{$_} > 1 } sort keys %objects);

done_testing();
