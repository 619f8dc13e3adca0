package CallRecorder::Tree;

# Copyright (C) The call recorder authors
#
# The repository as the lints see it: every file but what is built, fetched
# or git's own.

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter 'import';
use File::Basename qw(dirname);
use File::Find ();

our @EXPORT_OK = qw(root entries files slurp code complain);

my $root = abs_path(dirname(__FILE__) . '/../../..');


sub root
{
    return $root;
}


# What lies at the root.

sub entries
{
    opendir my $dir, $root or die "$root: $!\n";

    return sort grep { !/^(?:\.{1,2}|\.git|build)$/ } readdir $dir;
}


# Paths, relative to the root, that match.

sub files
{
    my ($pattern) = @_;

    my @found;

    File::Find::find({ no_chdir => 1, wanted => sub {
        my $path = $_ eq $root ? '' : substr $_, length("$root/");

        if (-d && $path =~ m{^(?:\.git|build)$|(?:^|/)node_modules$}) {
            $File::Find::prune = 1;

        } elsif (-f && $path =~ $pattern) {
            push @found, $path;
        }
    } }, $root);

    return sort @found;
}


sub slurp
{
    my ($path) = @_;

    open my $in, '<:raw', "$root/$path" or die "$path: $!\n";
    local $/;

    return <$in> // '';
}


# A C file with comments and what is in strings blanked, line by line as it
# was; include lines keep their names.

sub code
{
    my ($path) = @_;

    my $text = slurp($path);

    $text =~ s{
        (^[ \t]*\#[ \t]*include[^\n]*)
        | (/\*.*?\*/)
        | "((?:[^"\\\n]|\\.)*)"
        | ('(?:[^'\\\n]|\\.)+')
    }{
        my $blank = $2 // '';
        $blank =~ s/[^\n]//g;
        defined $1 ? $1 : defined $2 ? $blank : defined $3 ? '""' : "' '"
    }gmsex;

    return $text;
}


# One failed test says all that is wrong, a line each.

sub complain
{
    my ($what, @wrong) = @_;

    require Test::More;

    Test::More::ok(!@wrong, $what) or Test::More::diag(map { "$_\n" } @wrong);
}


1;
