#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# Runs each fuzzer on its corpus for FUZZ_SECONDS.  New inputs are kept in
# build/fuzz/new/<what>, an input that crashes it in build/fuzz/crash.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Path qw(make_path);
use Test::More;

my $t = dirname(abs_path(__FILE__));
my $build = abs_path("$t/../..") . "/build/fuzz";
my $seconds = $ENV{FUZZ_SECONDS} // 5;

make_path("$build/crash");

my @sources = glob "$t/fuzz_*.c";
plan tests => 2 * @sources;

for my $source (@sources) {
    my ($what) = $source =~ /fuzz_(\w+)\.c$/;

    my @seeds = grep { -f } glob "$t/corpus/$what/*";
    ok(@seeds > 0, "$what has a corpus");

    make_path("$build/new/$what");

    my $log = "$build/$what.log";
    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        open STDOUT, '>', $log or die "$log: $!\n";
        open STDERR, '>&', \*STDOUT or die "stderr: $!\n";
        exec "$build/fuzz_$what", "-max_total_time=$seconds", '-timeout=10',
            '-rss_limit_mb=1024', "-artifact_prefix=$build/crash/$what-",
            '-print_final_stats=1', "$build/new/$what", "$t/corpus/$what"
            or die "build/fuzz/fuzz_$what: $!\n";
    }

    waitpid $pid, 0;
    my $status = $?;

    open my $in, '<', $log or die "$log: $!\n";
    my @lines = <$in>;
    my ($runs) = map { /number_of_executed_units: (\d+)/ } @lines;

    is($status, 0, "$what survives " . ($runs // 'not even one') . ' inputs');

    if ($status) {
        splice @lines, 0, -40 if @lines > 40;
        diag(@lines);
    }
}
