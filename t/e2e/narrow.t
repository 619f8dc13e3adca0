#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# A real browser behind a path that becomes narrow, and wide again: what it
# sends follows, and nothing that it sent is missing in the recording.  With
# transport-wide feedback, and with REMB, as for clients without that.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Browser qw(browser noise page without_transport_cc);
use CallRecorder::Ledger qw(compared gaps recorded);
use CallRecorder::Loss;
use CallRecorder::Nginx;
use CallRecorder::Recorder;
use List::Util qw(sum0);
use Test::More;

# a loaded machine encodes slowly, so it has time to get there
my $seconds = 90;
my $max_kbps = 1500;
my $wide_kbps = 900;
my $narrow_kbps = 400;

my $relay;

END { kill KILL => $relay->{pid} if $relay && $relay->{pid}; }

subtest 'transport-wide feedback' => sub { narrow(sub { }) };
subtest 'REMB' => sub { narrow(\&without_transport_cc) };

done_testing();


sub narrow
{
    my ($prepare) = @_;

    my $port = CallRecorder::Nginx::free_port('udp');
    my $rec = CallRecorder::Recorder->new(
        mix => 'recording_mix off;',
        rtc => "max_bitrate ${max_kbps}k; public_address 127.0.0.1:$port;",
        page());

    $relay = CallRecorder::Loss::relay($rec->{udp}, '--listen', $port,
        '--delay', 20);
    $prepare->($rec);

    my $id = $rec->start_recording;
    my $browser = browser($rec, 'alice', ledger => 1,
                          video => noise($rec, '640x480', 20),
                          query => 'codec=vp8');

    ok $browser->wait_event('connected', 60), 'it publishes'
        or return diag $browser->said . $rec->error_log;

    ok follows($rec, $browser, sub { $_[0] > $wide_kbps }),
        "it gets over $wide_kbps kbit/s";

    CallRecorder::Loss::relay_set($relay, 'up-rate', $narrow_kbps);
    ok follows($rec, $browser, sub { $_[0] > 0 && $_[0] < $narrow_kbps }),
        "on a path of $narrow_kbps kbit/s it sends less than that";

    # some of it for the disk, with the keyframe of a chunk
    sleep 6;
    CallRecorder::Loss::relay_set($relay, 'up-rate', 0);
    ok follows($rec, $browser, sub { $_[0] > $wide_kbps }),
        "then more than $wide_kbps kbit/s again";

    diag 'kbit/s each second: ', join ' ',
        map { $_->{kbps} } $browser->events('rate');

    $rec->stop_recording;
    $browser->leave;
    ok $browser->wait_event('left', 30), 'it leaves' or diag $browser->said;

    my $network = CallRecorder::Loss::relay_stop($relay);

    cmp_ok $network->{up}{overflowed}, '>', 0, 'packets were dropped';
    is $rec->wait_status($id, 'completed')->{status}, 'completed',
        'the recording is completed';
    nothing_missing($rec, $id, $browser);
    not_above($rec, $id);

    $rec->stop;
}


# Whether three seconds in a row, from now on, are so.
sub follows
{
    my ($rec, $browser, $so) = @_;

    my $from = () = $browser->events('rate');

    return $rec->wait_for(sub {
        my @rates = map { $_->{kbps} } $browser->events('rate');
        my $row = 0;

        for my $kbps (@rates[ $from .. $#rates ]) {
            $row = $so->($kbps) ? $row + 1 : 0;
            return 1 if $row == 3;
        }

        return 0;
    }, $seconds);
}


# What is recorded is what was sent, picture by picture; what is not is told.
sub nothing_missing
{
    my ($rec, $id, $browser) = @_;

    my @gaps = gaps($rec, $id, 'alice', 'video');
    my ($ledger) = $browser->events('ledger');
    my @sent = @{ $ledger->{video} };
    my @got = @{ recorded($rec, $id, 'alice')->{video} };
    my $found = compared(\@got, \@sent, \@gaps, 1);

    is "@{ $found->{strange} }", '', 'no picture is other than it was sent';
    is "@{ $found->{holes} }", '',
        'none is missing but in front of a keyframe';
    cmp_ok scalar @{ $found->{pairs} }, '>', 0.85 * @sent,
        'and nearly all are there';
    diag scalar @got, ' of ', scalar @sent,
        " pictures, $found->{thrown} thrown away, $found->{cut} cut";

    my $gaps = join ', ', map { "$_->{fromMs}-$_->{toMs} ms: $_->{packets}" }
        grep { $_->{packets} != 0 } @gaps;

    # for a keyframe that it has to send it throws away its queue, repetitions
    # too, which it then believes to have been sent: they never come.  A chunk's
    # boundary waits for them, but there are keyframes of its own.
    my $packets = sum0 map { $_->{packets} } @gaps;

    cmp_ok $packets, '<=', 16, 'hardly a packet of the video is given up'
        or diag $gaps;
    diag "given up: $packets: $gaps" if $packets;

    my ($ended) = $rec->error_log =~ /session \S+ ended: \S+, (.*)/;
    diag $ended // 'no end in the log';

    for my $kind (qw(video audio)) {
        my $stats = $ledger->{stats}{$kind};
        diag "$kind: ", join ' ', map { "$_ $stats->{$_}" } sort keys %$stats;
    }
}


# By what lies on disk; what the browser counts has padding in it.
sub not_above
{
    my ($rec, $id) = @_;

    my @rates = map { $_->{sizeBytes} * 8 / ($_->{endMs} - $_->{startMs}) }
        grep { $_->{ev} eq 'chunk_close' && $_->{endMs} - $_->{startMs} > 2000 }
        $rec->journal($id);

    is scalar(grep { $_ > 1.2 * $max_kbps * 1.024 } @rates), 0,
        'it never sent more than it was told to' or diag "@rates";
}
