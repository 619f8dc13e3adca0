#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# A real browser with "codecs ulpfec": its pictures come out of RED byte for
# byte, and where packets are lost, parity and repetitions bring them back
# without a stop at parity that nobody repeats.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Browser qw(browser page);
use CallRecorder::Ledger qw(recorded);
use CallRecorder::Loss;
use CallRecorder::Nginx;
use CallRecorder::Recorder;
use Test::More;

my $seconds = 10;
my $relay;

END { kill KILL => $relay->{pid} if $relay && $relay->{pid}; }

# without loss; with, and a round trip that makes libwebrtc send parity
subtest 'a clean network' => sub { records(0) };
subtest 'loss of 5 %' => sub { records(5) };

done_testing();


sub records
{
    my ($loss) = @_;

    my $port = CallRecorder::Nginx::free_port('udp');
    my $rec = CallRecorder::Recorder->new(
        mix => 'recording_mix off;',
        rtc => "codecs ulpfec; public_address 127.0.0.1:$port;",
        page());

    $relay = CallRecorder::Loss::relay($rec->{udp}, '--listen', $port,
        '--delay', 50, '--loss', $loss, '--spare-handshake');

    my $id = $rec->start_recording;
    my $browser = browser($rec, 'alice', ledger => 1, query => 'codec=vp8');

    ok $browser->wait_event('connected', 60), 'it publishes'
        or return diag $browser->said;

    sleep $seconds;
    $rec->stop_recording;
    $browser->leave;
    ok $browser->wait_event('left', 30), 'it leaves' or diag $browser->said;

    my $network = CallRecorder::Loss::relay_stop($relay);

    cmp_ok $network->{up}{dropped}, $loss ? '>' : '==', 0, 'what is lost';
    is $rec->wait_status($id, 'completed')->{status}, 'completed',
        'the recording is completed';

    my ($ledger) = $browser->events('ledger');
    my @sent = map { "$_->[1] $_->[2]" } @{ $ledger->{video} };
    my @got = @{ recorded($rec, $id, 'alice')->{video} };
    my ($next, @strange, @holes) = (0);

    for my $frame (@got) {
        my ($i) = grep { $sent[$_] eq "$frame->[1] $frame->[2]" }
            $next .. $#sent;

        if (!defined $i) {
            push @strange, $frame->[0];
            next;
        }

        # in front of a keyframe the browser throws away what waits
        push @holes, "$next to $i"
            if $next != 0 && $i > $next && !$frame->[3];
        $next = $i + 1;
    }

    is "@strange", '', 'no picture is other than it was sent';
    is "@holes", '', 'none is missing but in front of a keyframe';

    # without waiting for parity nearly all were out at the stop
    cmp_ok scalar @got, '>', 0.85 * @sent, 'and nearly all are there';
    diag scalar @got, ' of ', scalar @sent, ' pictures';

    $rec->stop;
}
