package CallRecorder::Fuzz;

# Copyright (C) The call recorder authors
#
# Datagrams that are wrong in every way.
#
#     CallRecorder::Fuzz::known(ufrag => ..., theirs => ...);
#     my $data = datagram();
#     survived($rec, $id);

use strict;
use warnings;

use CallRecorder::Stun;
use Exporter 'import';
use Test::More;

our @EXPORT_OK = qw(bytes datagram mutated survived);

my $known;


# A session whose names requests have, but not its password.
sub known
{
    ($known) = @_;
}


sub bytes
{
    my ($n) = @_;
    return join '', map { chr int rand 256 } 1 .. $n;
}

my %make = (
    noise => sub { return bytes(int rand 1500) },
    large => sub { return bytes(4) x (500 + int rand 12000) },
    stun  => sub {
        return CallRecorder::Stun::request(
            username => join(':', (rand() < 0.5 ? $known->{ufrag}
                : bytes(int rand 64)), $known->{theirs}),
            password => rand() < 0.9 ? bytes(24) : undef);
    },
    replies => sub {
        return pack('nnNa12', 0x0101 + 0x10 * int rand 2, 0,
            CallRecorder::Stun::COOKIE, bytes(12));
    },
    dtls  => sub {
        my $body = pack('CCnCnN', 1, 0, 200, 0, 0, 0) . bytes(200);
        return pack('Cnna6n', 20 + int rand 8, 0xfefd,
            int rand 2, bytes(6), length $body) . $body;
    },
    hello => sub {
        my $body = pack('n', 0xfefd) . bytes(32) . "\0\0"
            . pack('n', 2) . "\xc0\x2b" . "\1\0";
        return pack('Cnna6n', 22, 0xfeff, 0, "\0" x 6, 12 + length $body)
            . pack('CCnnCnCn', 1, 0, length $body, 0, 0, 0, 0, length $body)
            . $body;
    },
    rtp   => sub {
        return pack('CCnNN', 0x80 | int rand 64, int rand 256,
            rand 65536, rand 2 ** 32, rand 2 ** 32) . bytes(int rand 1200);
    },
    rtcp  => sub {
        return pack('CCnN', 0x80 | int rand 32, 192 + int rand 24,
            int rand 300, rand 2 ** 32) . bytes(int rand 600);
    },
);

my @kinds = sort keys %make;

sub mutated
{
    my ($data) = @_;

    for (1 .. 1 + int rand 4) {
        my $n = length $data or last;
        my $how = rand;

        if ($how < 0.5) {
            vec($data, int rand $n, 8) = int rand 256;
        } elsif ($how < 0.75) {
            substr $data, int rand $n, $n, '';
        } else {
            substr $data, int rand $n, 0, bytes(int rand 16);
        }
    }

    return $data;
}


# Of any kind, as it should be or not.
sub datagram
{
    return $make{ $kinds[rand @kinds] }->();
}


# The recorder and the call that it recorded meanwhile are none the worse.
sub survived
{
    my ($rec, $id) = @_;

    my $log = $rec->error_log;

    unlike($log, qr/exited on signal/, 'no worker has died');
    cmp_ok(scalar(() = $log =~ /\[(?:notice|warn|error|crit|alert)\]/g), '<',
        60, 'the log says little above info');

    $rec->stop_recording;
    is($rec->wait_status($id, 'completed')->{status}, 'completed',
        'the recording is completed');
    is((grep { $_->{ev} =~ /^(?:gap|interruption)$/ } $rec->journal($id)), 0,
        'nothing is missing in it');
    is((grep { $_->{ev} eq 'leave' && $_->{reason} ne 'stop' }
        $rec->journal($id)), 0, 'the session has outlived all this');
}

1;
