package CallRecorder::Ledger;

# Copyright (C) The call recorder authors
#
# What a browser says that it has sent (t/e2e/frame-ledger.js), compared with
# what lies in the chunks: byte for byte, frame after frame.  A browser itself
# throws away what waits in its queue when it has a keyframe to send, the rest
# of a picture included, which shows in no sequence number: such pictures are
# missing in front of a keyframe, or are cut there and told as a gap.
#
#     ledger_ok($rec, $id, 'alice', $ledger, 8, 'alice');

use strict;
use warnings;

use CallRecorder::Mkv;
use Compress::Zlib qw(crc32);
use Exporter 'import';
use Test::More;

our @EXPORT_OK = qw(compared gaps ledger_ok recorded);

my %RATE = (video => 90, audio => 48);


# The frames of a participant's session (the last one, unless it is named) by
# kind: ([ms, size, crc, keyframe, block], ...), in the order in which they were
# written.  The spatial layers of VP9, which lie in one block of a chunk, are
# frames of their own, as they are to the browser.
sub recorded
{
    my ($rec, $id, $participant, $session) = @_;

    my @journal = $rec->journal($id);

    ($session) = map { $_->{sessionId} } reverse grep {
        $_->{ev} eq 'join' && $_->{participantId} eq $participant
    } @journal if !defined $session;

    my %frames = (video => [], audio => []);
    my $block = 0;

    for my $open (grep { $_->{ev} eq 'chunk_open'
                         && $_->{sessionId} eq $session } @journal)
    {
        my %track = map { $_->{track} => $_ } @{ $open->{tracks} };
        my $file = $rec->folder($id) . "/$open->{file}";

        for my $f (@{ CallRecorder::Mkv::read_file($file)->{frames} }) {
            my ($kind, $codec) = @{ $track{ $f->{track} } }{qw(kind codec)};

            $block++;
            push @{ $frames{$kind} },
                map { [ $f->{ms}, length, crc32($_), $f->{key}, $block ] }
                $codec eq 'vp9' ? layers($f->{data}) : $f->{data};
        }
    }

    return \%frames;
}


# The gaps that the journal tells of a participant's video or audio.
sub gaps
{
    my ($rec, $id, $participant, $kind) = @_;

    my @journal = $rec->journal($id);
    my ($session) = map { $_->{sessionId} } reverse grep {
        $_->{ev} eq 'join' && $_->{participantId} eq $participant
    } @journal;
    my %is = map { $_->{track} => 1 } grep {
        $_->{ev} eq 'track' && $_->{sessionId} eq $session
            && $_->{kind} eq $kind
    } @journal;

    return grep { $_->{ev} eq 'gap' && $_->{sessionId} eq $session
                  && $is{ $_->{track} } } @journal;
}


# Finds each recorded frame in what was sent; video says whether frames may
# be missing in front of a keyframe.  Returns { strange: those that were not
# sent so, and are in no gap; holes: where sent ones are missing, and no gap
# says so; cut: how many are told to be; thrown: how many are missing in front
# of keyframes; pairs: [recorded frame, sent one] }.
sub compared
{
    my ($got, $sent, $gaps, $video) = @_;

    my %found = (strange => [], holes => [], cut => 0, thrown => 0,
                 pairs => []);
    my $last;
    my $next = beginning($got, $sent);
    my $told = sub {
        my ($from, $to) = @_;
        return scalar grep { $_->{fromMs} <= $to && $_->{toMs} > $from }
            @$gaps;
    };

    for my $frame (@$got) {
        my $i = $next;

        $i++ while $i < @$sent && ($sent->[$i][1] != $frame->[1]
                                   || $sent->[$i][2] != $frame->[2]);

        if ($i == @$sent) {
            if ($told->($frame->[0], $frame->[0])) {
                $found{cut}++;

            } else {
                push @{ $found{strange} }, join ' ', @$frame;
            }

            next;
        }

        if (defined $last && $i > $next) {
            if ($video && $frame->[3]) {
                $found{thrown} += $i - $next;

            } elsif (!$told->($last, $frame->[0])) {
                push @{ $found{holes} }, "$next to $i";
            }
        }

        push @{ $found{pairs} }, [$frame, $sent->[$i]];
        $next = $i + 1;
        $last = $frame->[0];
    }

    return \%found;
}


# All that was recorded is what was sent, with the sender's distances in time;
# at least so many seconds of it.
# The frames of a superframe, by its index (VP9 bitstream, annex B).
sub layers
{
    my ($data) = @_;

    my $head = ord substr $data, -1;
    my ($n, $bytes) = (($head & 7) + 1, ($head >> 3 & 3) + 1);
    my $index = 2 + $n * $bytes;

    return $data if ($head & 0xe0) != 0xc0 || $index > length $data
        || ord(substr $data, -$index, 1) != $head;

    my $pos = 0;

    return map {
        my $size = unpack 'V', substr($data, $bytes * $_ + 1 - $index, $bytes)
            . "\0" x (4 - $bytes);

        $pos += $size;
        substr $data, $pos - $size, $size;
    } 0 .. $n - 1;
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
            my @gaps = gaps($rec, $id, $participant, $kind);
            my $found = compared(\@got, \@sent, \@gaps, $kind eq 'video');
            my @pairs = @{ $found->{pairs} };

            cmp_ok scalar @got, '>', 0, "there is $kind";
            is scalar(grep { $_->{packets} != 0 } @gaps), 0,
                "$kind: no packet is given up";
            is "@{ $found->{strange} }", '', "$kind: frame by frame";
            is "@{ $found->{holes} }", '', "$kind: without a break"
                or diag 'of ', scalar @sent, ' that were sent';
            cmp_ok $found->{thrown} + $found->{cut}, '<=', 0.02 * @sent,
                "$kind: hardly any was not sent as it was encoded";

            next if !@pairs;

            my $ticks = $RATE{$kind};
            my ($first, $begin) = @{ $pairs[0] };
            my ($worst, $hole) = (0, 0);

            for my $i (1 .. $#pairs) {
                my ($frame, $from) = @{ $pairs[$i] };
                my $sent = ticks($begin, $from) / $ticks;
                my $off = abs($frame->[0] - $first->[0] - $sent);
                my $step = $frame->[0] - $pairs[ $i - 1 ][0][0];

                $worst = $off if $off > $worst;
                $hole = $step if $step > $hole;
            }

            my $span = ($pairs[-1][0][0] - $first->[0]) / 1000;

            cmp_ok $worst, '<=', 2, "$kind: at the times of the sender";
            cmp_ok $span, '>=', $seconds, "$kind: for as long as it took";
            diag sprintf '%s: %d %s frames of %d in %.1f s, '
                . 'at most %d ms apart, %d thrown away, %d cut', $name,
                scalar @pairs, $kind, scalar @sent, $span, $hole,
                $found->{thrown}, $found->{cut};
        }
    };
}


# Where in what was sent the recorded frames go on for the longest: silence is
# the same again and again.
sub beginning
{
    my ($got, $sent) = @_;

    my ($best, $longest) = (0, 0);

    for my $from (0 .. $#$sent) {
        my $n = 0;

        $n++ while $n < @$got && $from + $n < @$sent
            && $got->[$n][1] == $sent->[ $from + $n ][1]
            && $got->[$n][2] == $sent->[ $from + $n ][2];

        ($best, $longest) = ($from, $n) if $n > $longest;
    }

    return $best;
}


# From one RTP timestamp to another, over a wrap, too.
sub ticks
{
    my ($from, $to) = @_;

    my $ticks = ($to->[0] - $from->[0]) & 0xffffffff;

    return $ticks < 2 ** 31 ? $ticks : $ticks - 2 ** 32;
}


1;
