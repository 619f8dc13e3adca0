#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# Real browsers whose network lets no UDP through to the recorder: they
# publish over TCP, and what is recorded is what they have sent.  When UDP
# fails in mid-call the page restarts ICE and goes on over TCP; when all fails,
# and the server has given it up, it comes back with a new session.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Netns;
use CallRecorder::Browser qw(browser page);
use CallRecorder::Ledger qw(ledger_ok);
use CallRecorder::Media qw(probe);
use CallRecorder::Recorder;
use Test::More;

my $SECONDS = 10;

my $rec = CallRecorder::Recorder->new(
    rtc => 'session_timeout 20s; listen ' . CallRecorder::Netns::ADDRESS
        . ':{{udp}};',
    http => 'recording_chunk 3s;',
    page());

for my $name (qw(Chromium Firefox)) {
    subtest "$name without UDP" => sub { blocked($name) };
}

subtest 'UDP fails in mid-call' => \&fails;
subtest 'all fails, for long' => \&returns;

$rec->stop;
done_testing();


# The firewall of a network that lets none of these protocols through.
sub block
{
    my $rules = 'add table inet callrec; flush table inet callrec;'
        . 'add chain inet callrec out { type filter hook output '
        . 'priority 0; };';

    for my $proto (@_) {
        $rules .= "add rule inet callrec out $proto $_ $rec->{udp} "
            . 'counter drop;' for qw(dport sport);
    }

    system('nft', $rules) == 0 or die "nft: a network namespace needs root\n";
}


# Packets that the firewall has dropped.
sub dropped
{
    my $n = 0;

    $n += $_ for qx(nft list table inet callrec) =~ /counter packets (\d+)/g;
    return $n;
}


sub connected
{
    my ($name) = @_;

    my $browser = browser($rec, 'alice', firefox => $name eq 'Firefox',
                          ledger => 1, query => 'codec=vp8');

    ok $browser->wait_event('connected', 120), "$name publishes"
        or BAIL_OUT($browser->said . $rec->error_log);

    return $browser;
}


sub blocked
{
    my ($name) = @_;

    my $seen = length $rec->error_log;

    block('udp');

    my $id = $rec->start_recording;
    my $browser = connected($name);

    like substr($rec->error_log, $seen), qr/connected over tcp/, 'over TCP';
    cmp_ok dropped(), '>', 0, 'after it has tried UDP';

    sleep $SECONDS;
    $rec->stop_recording;
    sleep 1;
    $browser->leave;
    ok $browser->wait_event('left', 60), 'it leaves' or diag $browser->said;

    my $data = $rec->wait_status($id, 'completed', 120);

    is $data->{status}, 'completed', 'the recording is completed'
        or diag explain $data->{error};
    is_deeply $data->{interruptions}, [], 'without an interruption';
    is scalar(grep { $_->{ev} eq 'gap' && $_->{packets} != 0 }
              $rec->journal($id)), 0,
        'nothing is lost';

    my ($ledger) = $browser->events('ledger');

    ledger_ok($rec, $id, 'alice', $ledger, $SECONDS / 2, $name);

    my $mix = probe($rec->folder($id) . '/outputs/composite.mp4');

    cmp_ok $mix->{format}{duration}, '>', $SECONDS - 3, 'so is the mix';
}


sub fails
{
    my $seen = length $rec->error_log;

    block();

    my $id = $rec->start_recording;
    my $browser = connected('Chromium');

    like substr($rec->error_log, $seen), qr/connected over udp/, 'over UDP';

    sleep 3;
    block('udp');

    ok $rec->wait_for(sub {
        substr($rec->error_log, $seen) =~ /goes on over tcp/ }, 60),
        'it goes on over TCP' or diag substr $rec->error_log, $seen;

    sleep $SECONDS;
    $rec->stop_recording;
    $browser->leave;
    ok $browser->wait_event('left', 60), 'it leaves' or diag $browser->said;

    my $data = $rec->wait_status($id, 'completed', 120);
    is $data->{status}, 'completed', 'the recording is completed';

    my @journal = $rec->journal($id);
    my ($start, $end) = map {
        my $ev = $_;
        my @t = map { $_->{tMs} } grep { $_->{ev} eq $ev } @journal;
        $ev eq 'join' ? $t[0] : $t[-1];
    } qw(join chunk_close);

    is scalar(grep { $_->{ev} eq 'join' } @journal), 1, 'in one session';
    cmp_ok $end - $start, '>', 1000 * $SECONDS, 'to the end';
    is scalar(grep { $_->{ev} eq 'leave' && $_->{reason} ne 'stop' }
        @journal), 0, 'that nobody has ended';
}


sub returns
{
    my $seen = length $rec->error_log;

    block();

    my $id = $rec->start_recording;
    my $browser = connected('Chromium');

    sleep 3;
    block(qw(udp tcp));

    ok $rec->wait_for(sub {
        substr($rec->error_log, $seen) =~ /session \w+ ended: consent-expired/ }, 60),
        'the server gives it up' or diag substr $rec->error_log, $seen;

    block();

    ok $rec->wait_for(sub { 2 <= (() =
        substr($rec->error_log, $seen) =~ /session \w+ connected over/g) },
        90), 'it comes back' or diag substr $rec->error_log, $seen;

    sleep 3;
    $rec->stop_recording;
    $browser->leave;
    ok $browser->wait_event('left', 60), 'it leaves' or diag $browser->said;

    my $data = $rec->wait_status($id, 'completed', 120);
    is $data->{status}, 'completed', 'the recording is completed';

    my %joined = map { $_->{sessionId} => $_->{participantId} }
        grep { $_->{ev} eq 'join' } $rec->journal($id);

    is_deeply [ values %joined ], [ qw(alice alice) ],
        'in two sessions of one participant';
}
