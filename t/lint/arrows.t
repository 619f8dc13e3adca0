#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# Who may know whom.  src/ is plain C without I/O: base, the protocols on it,
# the peer that composes them.  nginx is known in ngx_modules/ alone, FFmpeg
# in ffmpeg-filters/ alone, and these two do not know each other.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Tree qw(files code complain);
use Test::More;


# folder => what it may include besides itself and base
my %arrows = (
    auth      => [],
    base      => [],
    chunk     => [],
    depay     => [],
    dtls      => ['sdp'],
    job       => ['auth'],
    peer      => [qw(depay dtls rtp sdp srtp stun)],
    recording => [],
    rtp       => [],
    s3        => [],
    sdp       => [],
    srtp      => ['dtls'],
    stun      => [],
);

# headers from outside the tree that src/ may have
my %outside = map { $_ => 1 } (
    (map { "$_.h" } qw(assert ctype errno inttypes limits math setjmp stdarg
        stdbool stddef stdint stdio stdlib string strings)),
    'expat.h', 'jansson.h', 'jwt.h', 'srtp2/srtp.h',
    'time.h',                          # struct tm, without the clock
    'sys/time.h',                      # struct timeval of OpenSSL's BIOs
);

# calls that reach out of the process, or ask it for time and entropy
my $reaching = join '|', qw(
    socket bind connect listen accept accept4 send sendto sendmsg sendmmsg
    recv recvfrom recvmsg recvmmsg poll epoll_wait select
    open openat creat read write pread pwrite close fopen fdopen freopen
    fread fwrite fclose fprintf vfprintf printf puts putchar perror unlink
    rename mkdir stat fstat opendir
    time gettimeofday clock clock_gettime localtime localtime_r
    localtime strftime sleep usleep nanosleep
    getenv setenv system popen fork execve getpid rand srand random
    getrandom pthread_create pthread_mutex_lock signal sigaction
);


my (@foreign, @include, @arrow, @reach, @unknown);

for my $file (files(qr{^src/.*\.[ch]$})) {
    my ($folder) = $file =~ m{^src/([^/]+)/};
    my $line = 0;

    if (!defined $folder || !$arrows{$folder}) {
        push @unknown, "$file: its folder is not in this test's table";
        next;
    }

    my %may = map { $_ => 1 } $folder, 'base', @{ $arrows{$folder} };

    for (split /\n/, code($file)) {
        $line++;

        if (/^\s*#\s*include\s+"([^"]+)"/) {
            my $name = $1;

            if ($name !~ m{^([a-z][a-z0-9]*)/[a-z0-9_]+\.h$}) {
                push @include, "$file:$line: \"$name\" is not \"folder/name.h\"";

            } elsif (!$may{$1}) {
                push @arrow, "$file:$line: $folder includes $name";
            }

        } elsif (/^\s*#\s*include\s+<([^>]+)>/) {
            push @include, "$file:$line: <$1>"
                unless $outside{$1} || $1 =~ m{^openssl/};

        } else {
            push @foreign, "$file:$line: $1"
                if /\b((?:ngx|NGX|av|AV|sws|swr)_\w+)/;
            push @reach, "$file:$line: $1()"
                if /(?<![\w.>])($reaching)\s*\(/;
        }
    }
}

complain('src/ has only folders that this test knows', @unknown);
complain('src/ includes its own headers and few others', @include);
complain('src/: base <- protocols <- peer', @arrow);
complain('src/ holds no name of nginx or FFmpeg', @foreign);
complain('src/ reaches for no socket, file, clock or entropy', @reach);


my (@glue, @filters);

for my $file (files(qr{^(?:ngx_modules|ffmpeg-filters)/.*\.[ch]$})) {
    my $line = 0;

    for (split /\n/, code($file)) {
        $line++;

        if ($file =~ /^ngx/) {
            push @glue, "$file:$line: $_" if /\bav_\w+|#\s*include.*\blibav/;

        } else {
            push @filters, "$file:$line: $_" if /\bngx_\w+/;
        }
    }
}

complain('ngx_modules/ does not know FFmpeg', @glue);
complain('ffmpeg-filters/ does not know nginx', @filters);

done_testing();
