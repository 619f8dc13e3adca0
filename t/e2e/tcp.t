#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# Real browsers whose network lets no UDP through to the recorder: they
# publish over TCP, and what is recorded is what they have sent.  One that has
# come over UDP goes on over TCP by an ICE restart, when UDP fails.

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

# what a page does that restarts ICE (RFC 9725 section 4.3.2)
my $RESTART = <<'END' =~ s/\n\s*/ /gr;
    (async () => {
        const { pc, resource, token } = window.whip;
        const of = (sdp, name) =>
            sdp.match(new RegExp(`^a=${name}:(.*)$`, 'm'))[1].trim();
        const put = (sdp, name, value) =>
            sdp.replace(new RegExp(`^a=${name}:.*$`, 'gm'),
                        `a=${name}:${value}`);
        await pc.setLocalDescription(
            await pc.createOffer({ iceRestart: true }));
        const ours = pc.localDescription.sdp;
        const res = await fetch(resource, {
            method: 'PATCH',
            headers: { 'Authorization': `Bearer ${token}`, 'If-Match': '*',
                       'Content-Type': 'application/trickle-ice-sdpfrag' },
            body: `a=ice-ufrag:${of(ours, 'ice-ufrag')}\r\n`
                + `a=ice-pwd:${of(ours, 'ice-pwd')}\r\n`,
        });
        const theirs = await res.text();
        let sdp = pc.currentRemoteDescription.sdp;
        for (const name of ['ice-ufrag', 'ice-pwd']) {
            sdp = put(sdp, name, of(theirs, name));
        }
        await pc.setRemoteDescription({ type: 'answer', sdp });
        return res.status;
    })()
END

my $rec = CallRecorder::Recorder->new(
    rtc => 'listen ' . CallRecorder::Netns::ADDRESS . ':{{udp}};',
    http => 'recording_chunk 3s;',
    page());

for my $name (qw(Chromium Firefox)) {
    subtest "$name without UDP" => sub { blocked($name) };
}

subtest 'UDP fails in mid-call' => \&fails;

$rec->stop;
done_testing();


# The firewall of a network that knows better, or of none.
sub udp
{
    my ($open) = @_;

    my $rules = 'add table inet callrec; flush table inet callrec;';

    $rules .= "add chain inet callrec out { type filter hook output "
        . "priority 0; }; add rule inet callrec out udp dport $rec->{udp} "
        . 'counter drop; add rule inet callrec out udp sport '
        . "$rec->{udp} counter drop;" if !$open;

    system('nft', $rules) == 0 or die "nft: a network namespace needs root\n";
}


# UDP packets that the firewall has dropped.
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

    udp(0);

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

    udp(1);

    my $id = $rec->start_recording;
    my $browser = connected('Chromium');

    like substr($rec->error_log, $seen), qr/connected over udp/, 'over UDP';

    sleep 3;
    udp(0);
    is $browser->evaluate($RESTART), 200, 'it restarts ICE';

    ok $rec->wait_for(sub {
        substr($rec->error_log, $seen) =~ /goes on over tcp/ }, 25),
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

    udp(1);
}
