#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# Stands in for ffmpeg as the exec hook of module tests: hands a small result
# in as docs/mix-protocol.md says, or does what BEHAVIOUR names.
#
#     fake-mix.pl BEHAVIOUR PARTS_URL ATTEMPT
#
# "big" hands in MiB pieces, as many as the next argument says, waiting so many
# milliseconds before each as the one after that.
#
# Says on standard error what it was answered, which nginx logs.

use strict;
use warnings;

use Digest::SHA qw(sha256 sha256_hex);
use HTTP::Tiny;
use JSON::PP ();
use MIME::Base64 qw(encode_base64);

my ($behaviour, $url, $attempt) = @ARGV;

my $token = $ENV{CALLREC_TOKEN} // '';
my $http = HTTP::Tiny->new(timeout => 10);

# head, two parts
my @parts = ('H' x 1000, 'A' x 300_000, 'B' x 77_777);

$| = 1;
$SIG{PIPE} = q(IGNORE);        # the worker that reads us may leave

if ($behaviour eq 'dies' || ($behaviour eq 'dies-once' && $attempt == 1)) {
    put(1, 1000, $parts[1]);
    print STDERR "a line before\nthe encoder has caught fire\n";
    exit 1;
}

if ($behaviour eq 'hangs') {
    sleep 1000;
}

if ($behaviour eq 'slow') {
    for (1 .. 8) {
        ask(POST => 'progress', '', 'Callrec-Out-Time-Ms' => 100 * $_);
        select undef, undef, undef, 0.25;
    }
}

if ($behaviour eq 'environment') {
    print STDERR "cwd ", ((-e 'journal.ndjson') ? 'right' : 'wrong'), "\n";
    opendir my $fds, '/proc/self/fd';
    my @open = grep { /^\d+$/ && $_ > 2 && $_ != fileno($fds) }
        readdir $fds;
    print STDERR "descriptors @open\n";
    print STDERR "arguments @ARGV[3 .. $#ARGV]\n";
    print STDERR "nice ", getpriority(0, 0), "\n";
    print STDERR "token in arguments\n" if grep { index($_, $token) >= 0 }
        @ARGV;
    print STDERR "environment ", join(' ', sort keys %ENV), "\n";
}

$token = 'f' x 64 if $behaviour eq 'forged';

# a part that comes twice, the first time with other bytes
put(1, 1000, 'x' x 300_000) if $behaviour eq 'repeats';

if ($behaviour =~ /^big/) {
    my ($pieces, $pause) = @ARGV[3, 4];
    my $offset = length $parts[0];

    @parts = ($parts[0]);

    for my $n (1 .. $pieces) {
        select undef, undef, undef, $pause / 1000;

        # no two words of it are the same
        push @parts, pack 'N*', ($n << 18) .. ($n << 18) + (1 << 18) - 1;
        put($n, $offset, $parts[-1]) or exit 1;
        $offset += length $parts[-1];

        if ($behaviour eq 'big-dies-once' && $attempt == 1
            && $n > $pieces / 2)
        {
            print STDERR "the encoder has caught fire\n";
            exit 1;
        }
    }

    # with other bytes, when those have been sent already
    if ($behaviour eq 'big-repeats') {
        select undef, undef, undef, 2;
        $parts[3] =~ tr/\0-\xff/\xff\0-\xfe/;
        put(3, length($parts[0]) + 2 * length($parts[1]), $parts[3]);
    }

} else {
    put(1, $behaviour eq 'hole' ? 1001 : 1000, $parts[1]);
    put(2, 301_000, $parts[2], $behaviour eq 'bad-digest' ? 'other' : undef)
        unless $behaviour eq 'misses';
}

put(0, 0, $parts[0]);

my $all = join '', @parts;

complete() or exit 1;

# its answer may have been lost
complete() if $behaviour eq 'insists';

# late: the recording is completed by now
ask(POST => 'progress', '') if $behaviour eq 'late';


sub complete
{
    return ask(POST => 'complete', JSON::PP->new->encode({
        sizeBytes => length($all) + ($behaviour eq 'wrong-size' ? 1 : 0),
        parts => scalar @parts,
        durationMs => $behaviour eq 'short' ? 100 : 3000,
        format => 'mp4',
        video => { codec => 'h264', width => 1280, height => 720 },
        audio => { codec => 'aac', sampleRate => 48000, channels => 2 },
        digest => sha256_hex(join '', map { sha256($_) } @parts),
    }), 'Content-Type' => 'application/json');
}


sub put
{
    my ($n, $offset, $bytes, $signed) = @_;

    return ask(PUT => "parts/$n?offset=$offset", $bytes,
        'Callrec-Out-Time-Ms' => 1000,
        'Content-Digest' => 'sha-256=:'
            . encode_base64(sha256($signed // $bytes), '') . ':');
}


sub ask
{
    my ($method, $path, $body, %headers) = @_;

    my $res;

    # callrec sends a request again when its connection broke
    for my $try (1 .. ($behaviour =~ /^big/ ? 40 : 1)) {
        select undef, undef, undef, 0.25 if $try > 1;

        $res = $http->request($method, "$url/$path", {
            content => $body,
            headers => { %headers, Authorization => "Bearer $token" },
        });

        last if $res->{status} != 599;
    }

    print STDERR "$method $path: $res->{status} ", $res->{content} // q(), "\n";

    return $res->{success};
}
