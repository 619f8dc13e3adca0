#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# A real browser on a path that loses packets both ways, retransmissions and
# NACKs as well: pictures and sound are recorded as the browser encoded them,
# frame by frame.  It offers no NACK for sound, but answers it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Browser qw(browser page);
use CallRecorder::Ledger qw(ledger_ok);
use CallRecorder::Loss;
use CallRecorder::Nginx;
use CallRecorder::Recorder;
use Test::More;

my $relay;

END { kill KILL => $relay->{pid} if $relay && $relay->{pid}; }

my $port = CallRecorder::Nginx::free_port('udp');
my $rec = CallRecorder::Recorder->new(mix => 'recording_mix off;',
    rtc => "public_address 127.0.0.1:$port;", page());

$relay = CallRecorder::Loss::relay($rec->{udp}, '--listen', $port,
    qw(--delay 50 --loss 5));

my $id = $rec->start_recording;
my $browser = browser($rec, 'alice', ledger => 1, query => 'codec=vp8');

ok $browser->wait_event('connected', 90), 'it publishes'
    or diag $browser->said . $rec->error_log;

sleep 15;

# while it is still there to be asked

$rec->stop_recording;
is $rec->wait_status($id, 'completed')->{status}, 'completed',
    'the recording is completed';

$browser->leave;
ok $browser->wait_event('left', 30), 'it leaves' or diag $browser->said;

my ($ledger) = $browser->events('ledger');

ledger_ok($rec, $id, 'alice', $ledger, 8, 'alice');
is_deeply [ grep { $_->{ev} eq 'gap' && $_->{packets} != 0 }
            $rec->journal($id) ], [], 'the ledger has no gap';

my $network = CallRecorder::Loss::relay_stop($relay);

cmp_ok $network->{up}{dropped}, '>', 20, 'packets were lost'
    or diag explain($network);
cmp_ok $ledger->{stats}{audio}{retransmittedPacketsSent}, '>', 5,
    'sound was repeated';

$rec->stop;
done_testing;
