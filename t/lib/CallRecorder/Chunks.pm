# Copyright (C) The call recorder authors
#
# RTP packets that ffmpeg makes, and the chunk files that rtp_chunks makes of
# such packets.

package CallRecorder::Chunks;

use strict;
use warnings;

use Cwd qw(getcwd);
use Exporter qw(import);
use File::Path qw(mkpath);
use File::Temp qw(tempdir);
use FindBin;

use CallRecorder::Media qw(run);
use IO::Select;
use IO::Socket::UNIX;
use JSON::PP ();
use Socket qw(SOCK_DGRAM);
use Test::More;

our @EXPORT_OK = qw(rtp interleave chunks packets decoded folder);

my $tools = $ENV{TOOLS} // "$FindBin::Bin/../../build/release/bin";
my $dir = tempdir('callrec-chunk-XXXXXX', TMPDIR => 1, CLEANUP => 1);


# The folder of all that is made here.

sub folder
{
    return $dir;
}


# The packets that ffmpeg makes of an input and its options.  A unix socket
# loses nothing.

sub rtp
{
    my ($pt, @input) = @_;

    my $path = "$dir/rtp";
    unlink $path;

    my $in = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $path)
        or die "$path: $!";

    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        open STDOUT, '>', '/dev/null';
        exec qw(ffmpeg -v error -nostdin -bitexact), @input,
            qw(-strict experimental -f rtp -packetsize 1200 -payload_type),
            $pt, qw(-type datagram), "unix:$path" or die "ffmpeg: $!";
    }

    my @packets;
    my $select = IO::Select->new($in);

    for (;;) {
        if ($select->can_read(0.05)) {
            $in->recv(my $packet, 65536);
            push @packets, $packet;
            next;
        }

        last if waitpid($pid, 1) == $pid && !$select->can_read(0);
    }

    is($?, 0, "ffmpeg packetised payload type $pt");

    return @packets;
}


sub rtp_time
{
    my ($packet) = @_;
    return unpack 'x4 N', $packet;
}


# The packets of several streams, in the order of their times.

sub interleave
{
    my ($rates, @streams) = @_;

    my @all;

    for my $i (0 .. $#streams) {
        my @rtp = grep { ord(substr $_, 1, 1) != 200 } @{ $streams[$i] };
        my $first = rtp_time($rtp[0]);
        my $n = 0;

        push @all, map {
            [ ((rtp_time($_) - $first) & 0xffffffff) / $rates->[$i], $n++,
              $_ ]
        } @rtp;
    }

    return map { $_->[2] }
        sort { $a->[0] <=> $b->[0] || $a->[1] <=> $b->[1] } @all;
}


# Chunks in a folder of their own; returns the frames by file and track:
# [keyframe, ms, size].

sub chunks
{
    my ($name, $ms, $args, @packets) = @_;

    mkpath("$dir/$name");
    my $home = getcwd();

    chdir "$dir/$name" or die "$name: $!";

    open my $raw, '>:raw', 'packets' or die "packets: $!";
    print $raw pack('n/a*', $_) for @packets;
    close $raw or die "packets: $!";

    my $tool = $tools =~ m{^/} ? $tools : "$home/$tools";
    my $text = qx("$tool/rtp_chunks" $ms @$args < packets);
    is($?, 0, "$name: all packets are understood");

    chdir $home or die "$home: $!";

    my %frames;

    for (split /\n/, $text) {
        my ($file, $track, @frame) = split;
        push @{ $frames{$file}{$track} }, \@frame;
    }

    return \%frames;
}


# The packets of a file as ffprobe sees them, by track: [keyframe, ms, size].

sub packets
{
    my ($file) = @_;

    my $probe = JSON::PP::decode_json(
        qx(ffprobe -v quiet -of json -show_packets "$file") || '{}');

    my @tracks;

    for (@{ $probe->{packets} // [] }) {
        push @{ $tracks[ $_->{stream_index} + 1 ] }, [
            $_->{flags} =~ /K/ ? 1 : 0,
            int($_->{pts_time} * 1000 + 0.5),
            $_->{size}
        ];
    }

    return @tracks;
}


# How many frames of a stream decode, or, when wanted as a list, a hash of
# each; further arguments are ffmpeg's for the output.

sub decoded
{
    my ($file, $stream, @args) = @_;

    my @frames = map { (split /,\s*/)[5] } grep { !/^#/ } split /\n/,
        run(qw(ffmpeg -v error -xerror -nostdin -i), $file, '-map',
            "0:$stream", @args, qw(-fps_mode passthrough -f framemd5 -));

    return wantarray ? @frames : scalar @frames;
}


1;
