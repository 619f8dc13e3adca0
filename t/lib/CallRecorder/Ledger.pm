package CallRecorder::Ledger;

# Copyright (C) The call recorder authors
#
# What a browser says that it has sent (t/e2e/frame-ledger.js), compared with
# what lies in the chunks: byte for byte, frame after frame.
#
#     ledger_ok($rec, $id, 'alice', $ledger, 8, 'alice');

use strict;
use warnings;

use CallRecorder::Mkv;
use Compress::Zlib qw(crc32);
use Exporter 'import';
use List::Util qw(max);
use Test::More;

our @EXPORT_OK = qw(ledger_ok recorded);

my %RATE = (video => 90, audio => 48);


# The frames of a participant's session (the last one, unless it is named) by
# kind: ([ms, size, crc, keyframe], ...), in the order in which they were written.
sub recorded
{
    my ($rec, $id, $participant, $session) = @_;

    my @journal = $rec->journal($id);

    ($session) = map { $_->{sessionId} } reverse grep {
        $_->{ev} eq 'join' && $_->{participantId} eq $participant
    } @journal if !defined $session;

    my %frames = (video => [], audio => []);

    for my $open (grep { $_->{ev} eq 'chunk_open'
                         && $_->{sessionId} eq $session } @journal)
    {
        my %kind = map { $_->{track} => $_->{kind} } @{ $open->{tracks} };
        my $file = $rec->folder($id) . "/$open->{file}";

        push @{ $frames{ $kind{ $_->{track} } } },
            [ $_->{ms}, length $_->{data}, crc32($_->{data}), $_->{key} ]
            for @{ CallRecorder::Mkv::read_file($file)->{frames} };
    }

    return \%frames;
}


# All that was recorded is what was sent, from some frame on without a break,
# with the sender's distances in time; at least so many seconds of it.
sub ledger_ok
{
    my ($rec, $id, $participant, $ledger, $seconds, $name) = @_;

    subtest "$name: what is recorded is what was sent" => sub {
        my $frames = recorded($rec, $id, $participant);

        for my $kind (qw(video audio)) {
            my @got = @{ $frames->{$kind} };
            my @sent = @{ $ledger->{$kind} // [] };
            my ($from, $n) = longest(\@got, \@sent);

            cmp_ok scalar @got, '>', 0, "there is $kind";
            is $n, scalar @got, "$kind: frame by frame"
                or diag "of ", scalar @sent, " that were sent, from $from on\n",
                    differ(\@got, \@sent, $from, $n);

            next if !$n;

            my $ticks = $RATE{$kind};
            my $span = ($got[ $n - 1 ][0] - $got[0][0]) / 1000;
            my ($worst, $hole) = (0, 0);

            for my $i (1 .. $n - 1) {
                my $sent = ticks($sent[$from], $sent[ $from + $i ]) / $ticks;
                my $off = abs($got[$i][0] - $got[0][0] - $sent);
                my $step = $got[$i][0] - $got[ $i - 1 ][0];

                $worst = $off if $off > $worst;
                $hole = $step if $step > $hole;
            }

            cmp_ok $worst, '<=', 2, "$kind: at the times of the sender";
            cmp_ok $span, '>=', $seconds, "$kind: for as long as it took";
            diag sprintf '%s: %d %s frames of %d in %.1f s, '
                . 'at most %d ms apart', $name, $n, $kind, scalar @sent,
                $span, $hole;
        }
    };
}


# Where in what was sent the recorded frames go on for the longest.
sub longest
{
    my ($got, $sent) = @_;

    my ($best, $longest) = (0, 0);

    return (0, 0) if !@$got;

    for my $from (0 .. $#$sent) {
        my $n = 0;

        $n++ while $n < @$got && $from + $n < @$sent
            && $got->[$n][1] == $sent->[ $from + $n ][1]
            && $got->[$n][2] == $sent->[ $from + $n ][2];

        ($best, $longest) = ($from, $n) if $n > $longest;
    }

    return ($best, $longest);
}


# What lies where they part.
sub differ
{
    my ($got, $sent, $from, $n) = @_;

    return map { "$_\n" } 'recorded (ms, size, crc):',
        (map { "    @$_" } grep { $_ } @$got[ max(0, $n - 2) .. $n + 4 ]),
        'sent (RTP time, size, crc):',
        (map { "    @$_" } grep { $_ }
         @$sent[ max(0, $from + $n - 2) .. $from + $n + 4 ]);
}


# From one RTP timestamp to another, over a wrap, too.
sub ticks
{
    my ($from, $to) = @_;

    my $ticks = ($to->[0] - $from->[0]) & 0xffffffff;

    return $ticks < 2 ** 31 ? $ticks : $ticks - 2 ** 32;
}


1;
