#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# Without congestion feedback a real browser stays at 300 kbit/s; with ours it
# thinks within ten seconds that it may send the configured maximum, and does:
# noise takes all that the encoder may spend.  The picture is small, so that
# the machine that encodes has no say, and what was sent is judged by the time
# stamps of what was recorded.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Browser qw(browser noise page without_transport_cc);
use CallRecorder::Ledger qw(recorded);
use CallRecorder::Recorder;
use List::Util qw(max sum0);
use Test::More;

my $max_kbps = 2500;
# what a busy machine does to packets looks like a queue: the estimate may be
# on its way back from there
my $nearly = 0.9;
# of which a part is for sound and for all that is no payload
my $payload = 0.5;
my $window_ms = 2000;

subtest 'VP8' => sub { ramp('vp8', sub { }) };
subtest 'H.264' => sub { ramp('h264', sub { }) };
subtest 'VP8, by REMB' => sub { ramp('vp8', \&without_transport_cc) };

done_testing();


sub ramp
{
    my ($codec, $prepare) = @_;

    my $rec = CallRecorder::Recorder->new(
        mix => 'recording_mix off;',
        rtc => "max_bitrate ${max_kbps}k;",
        page());

    $prepare->($rec);

    my $id = $rec->start_recording;
    my $browser = browser($rec, 'alice', video => noise($rec, '320x240', 30),
                          steps => "$FindBin::Bin/rate-steps.mjs",
                          query => "codec=$codec");

    ok $browser->wait_event('connected', 60), 'it publishes'
        or return diag $browser->said;
    ok $rec->wait_for(sub {
        grep { $_->{name} eq 'done' } $browser->events('step') }, 60),
        'it is asked for ten seconds' or diag $browser->said;

    my @estimates = map { $_->{name} } grep { $_->{name} ne 'done' }
        $browser->events('step');

    cmp_ok max(0, @estimates), '>=', $nearly * $max_kbps,
        "it may send $max_kbps kbit/s" or diag "@estimates";

    $browser->leave;
    ok $browser->wait_event('left', 30), 'it leaves' or diag $browser->said;

    $rec->stop_recording;
    is $rec->wait_status($id, 'completed')->{status}, 'completed',
        'the recording is completed';

    my @rates = rates(@{ recorded($rec, $id, 'alice')->{video} });
    my $best = max(0, @rates[ grep { $_ <= $#rates } 0 .. 4 ]);

    cmp_ok $best, '>', $payload * $max_kbps,
        'and does, by what is on disk of ten seconds' or diag "@rates";
    cmp_ok max(0, @rates), '<', 1.1 * 1.024 * $max_kbps, 'but not more';
    is scalar(grep { $_->{ev} eq 'gap' } $rec->journal($id)), 0,
        'nothing is lost';
    diag "$codec: may send @estimates kbit/s, on disk ",
        join ' ', map { int } @rates;

    $rec->stop;
}


# kbit/s of each two seconds from the first frame on.
sub rates
{
    my (@frames) = @_;

    my @bytes;

    $bytes[ ($_->[0] - $frames[0][0]) / $window_ms ] += $_->[1] for @frames;
    pop @bytes;

    return map { ($_ // 0) * 8 / $window_ms } @bytes;
}
