package CallRecorder::Stun;

# Copyright (C) The call recorder authors
#
# STUN (RFC 8489) as an ICE client speaks it, made apart from the code under
# test.

use strict;
use warnings;

use Compress::Zlib qw(crc32);
use Digest::SHA qw(hmac_sha1);
use IO::Select;
use IO::Socket::IP;
use Socket qw(SOCK_DGRAM SOCK_STREAM);

use constant COOKIE => 0x2112A442;


# request(username => 'ours:theirs', password => ..., txid => 12 bytes,
# controlled => 0): a Binding request as browsers send it.

sub request
{
    my (%opt) = @_;

    my $txid = $opt{txid} // random_txid();

    my $body = attribute(0x0006, $opt{username})
        . attribute(0x0024, pack 'N', 0x6e7f1eff)
        . attribute(0x802a, pack 'NN', 0x11223344, 0x55667788)
        . attribute(0x0025, '')
        . ($opt{extra} // '');

    my $head = sub { pack 'nnNa12', 0x0001, $_[0], COOKIE, $txid };

    if (defined $opt{password}) {
        my $signed = $head->(length($body) + 24) . $body;
        $body .= attribute(0x0008, hmac_sha1($signed, $opt{password}));
    }

    my $sum = crc32($head->(length($body) + 8) . $body) ^ 0x5354554e;

    return $head->(length($body) + 8) . $body
        . attribute(0x8028, pack 'N', $sum);
}


sub attribute
{
    my ($type, $value) = @_;

    return pack('nn', $type, length $value) . $value
        . "\0" x (-length($value) % 4);
}


# Of a datagram: type, txid, attributes (by number), mapped ("ip:port").

sub parse
{
    my ($data) = @_;

    return if length $data < 20;

    my ($type, $len, $cookie, $txid) = unpack 'nnNa12', $data;

    return if $cookie != COOKIE || $len != length($data) - 20;

    my %msg = (type => $type, txid => $txid, attributes => {});
    my $pos = 20;

    while ($pos + 4 <= length $data) {
        my ($name, $n) = unpack 'nn', substr $data, $pos, 4;
        $msg{attributes}{$name} = substr $data, $pos + 4, $n;
        $pos += 4 + $n + (-$n % 4);
    }

    if (my $value = $msg{attributes}{0x0020}) {
        my ($family, $port) = unpack 'xCn', $value;
        my $ip = substr($value, 4)
            ^ substr(pack('N', COOKIE) . $txid, 0, length($value) - 4);
        $msg{mapped} = join ':',
            $family == 1 ? join('.', unpack 'C4', $ip)
                         : '[' . join(':', unpack '(H4)8', $ip) . ']',
            $port ^ (COOKIE >> 16);
    }

    return \%msg;
}


# A socket of our own, connected to the server, so that only answers from the
# address that was asked are seen.

sub connected
{
    my ($host, $port) = @_;

    return IO::Socket::IP->new(PeerHost => $host, PeerPort => $port,
        Type => SOCK_DGRAM) // die "udp socket: $!";
}


# Sends a request up to three times and returns the parsed answer, or nothing.

sub ask
{
    my ($socket, %opt) = @_;

    my $request = request(%opt);
    my $txid = substr $request, 8, 12;

    for (1 .. $opt{tries} // 3) {
        $socket->send($request);

        while (IO::Select->new($socket)->can_read($opt{timeout} // 1)) {
            my $data = '';
            defined $socket->recv($data, 2048) or last;
            my $msg = parse($data);
            return $msg if $msg && $msg->{txid} eq $txid;
        }
    }

    return;
}


# A connection to the server's TCP port, and datagrams over it (RFC 4571).

sub stream
{
    my ($host, $port) = @_;

    return IO::Socket::IP->new(PeerHost => $host, PeerPort => $port,
        Type => SOCK_STREAM) // die "tcp connection: $!";
}


sub framed
{
    return join '', map { pack 'n/a*', $_ } @_;
}


# All bytes until the other side closes, or nothing comes for so long; and
# whether it has closed.

sub slurp
{
    my ($socket, $seconds) = @_;

    my $text = '';

    while (IO::Select->new($socket)->can_read($seconds)) {
        my $n = sysread $socket, $text, 65536, length $text;
        return ($text, 1) if !$n;
    }

    return ($text, 0);
}


# The next datagram, parsed, or nothing.

sub next_frame
{
    my ($socket, $seconds) = @_;

    my $text = '';

    while (length $text < 2 || length $text < 2 + unpack 'n', $text) {
        my $want = length $text < 2 ? 2 - length $text
            : 2 + unpack('n', $text) - length $text;

        IO::Select->new($socket)->can_read($seconds // 5) or return;
        sysread $socket, $text, $want, length $text or return;
    }

    return parse(substr $text, 2);
}


sub random_txid
{
    return join '', map { chr int rand 256 } 1 .. 12;
}


1;
