#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# Ten reloads in a minute, while two Chromiums and a Firefox are recorded: what
# they say that they have sent is in the chunks byte by byte, the API answers
# all the time, another recording is started, stopped and mixed meanwhile.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Netns;
use CallRecorder::Browser qw(browser page);
use CallRecorder::Fixtures qw(vp8_ivf opus_ogg);
use CallRecorder::Ledger qw(ledger_ok);
use CallRecorder::Recorder;
use JSON::PP qw(decode_json);
use List::Util qw(max);
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

my $RELOADS = 10;
my $SECONDS = 60;

my $rec = CallRecorder::Recorder->new(
    shutdown => '600s',
    rtc => 'listen ' . CallRecorder::Netns::ADDRESS . ':{{udp}};
            session_timeout 20s;',
    http => 'recording_chunk 4s;',
    page());

my %browser = (
    alice => browser($rec, 'alice', ledger => 1, query => 'codec=vp8'),
    bob => browser($rec, 'bob', ledger => 1, query => 'codec=vp9'),
    carol => browser($rec, 'carol', ledger => 1, firefox => 1),
);

for my $who (sort keys %browser) {
    ok $browser{$who}->wait_event('connected', 180), "$who publishes"
        or BAIL_OUT($browser{$who}->said . $rec->error_log);
}

my @first = $rec->workers;
my @owners = map { worker_of($_) } sort keys %browser;
my $id = $rec->start_recording;

$rec->wait_status($id, 'recording', 60);

my @pollers = (
    poller('status', sub { sleep 0.1; '' }),
    poller('long poll', sub { '?wait=3&rev=' . ($_[0] // 0) }),
);

# what comes with a reload; other reloads change nothing
my %change = (
    2 => sub { s/worker_processes 2/worker_processes 3/ },
    4 => sub { s/worker_processes 3/worker_processes 1/ },
    5 => sub { s/recording_chunk 4s/recording_chunk 3s/;
               s/server \{/gzip on; server { keepalive_timeout 5s;/ },
    7 => sub { s/worker_processes 1/worker_processes 2/ },
);
my ($side, $publisher);
my $began = time;

for my $i (1 .. $RELOADS) {
    sleep max(0, $began + $i * $SECONDS / $RELOADS - time);

    if ($i == 3) {
        local $rec->{call} = 'side';
        $publisher = $rec->publish('dave', video => vp8_ivf(),
                                   audio => opus_ogg());
        $side = $rec->start_recording;
        $rec->wait_status($side, 'recording', 60);
    }

    if ($i == 6) {
        local $rec->{call} = 'side';
        $rec->stop_recording;
        $rec->leave($publisher);
    }

    $rec->edit($change{$i}) if $change{$i};
    ok $rec->reload(keep => 1, timeout => 60), "reload $i";

    # once more at once
    kill HUP => $rec->{pid} if $i == 9;
}

sleep 4;

is $rec->status($id)->{status}, 'recording', 'it is being recorded';
is scalar(grep { kill 0 => $_ } @owners), 3,
    'workers stay for their sessions';

$rec->stop_recording;
sleep 1;
kill TERM => map { $_->{pid} } @pollers;

for my $who (sort keys %browser) {
    my $state = (map { $_->{state} } $browser{$who}->events('rate'))[-1];

    is $state, 'connected', "$who is still connected";
    $browser{$who}->leave;
}

for my $who (sort keys %browser) {
    ok $browser{$who}->wait_event('left', 120), "$who leaves"
        or diag $browser{$who}->said;
}

ok $rec->wait_for(sub { $rec->workers == 2 }, 60),
    'the workers leave with their sessions'
    or diag join ' ', $rec->workers, 'of', @first, 'owners', @owners;


my $data = $rec->wait_status($id, 'completed', 240);
my @journal = $rec->journal($id);

is $data->{status}, 'completed', 'the recording is completed'
    or diag explain $data->{error};
is_deeply $data->{interruptions}, [], 'without an interruption';
is scalar @{ $data->{participants} }, 3, 'of three participants';
is scalar(grep { $_->{ev} eq 'join' } @journal), 3, 'each by one session';
is_deeply [ grep { $_->{ev} eq 'gap' && $_->{packets} != 0 } @journal ], [],
    'the ledger tells of nothing that was lost';
cmp_ok $data->{durationMs}, '>', 1000 * $SECONDS, 'for as long as it took';

for my $who (sort keys %browser) {
    my ($ledger) = $browser{$who}->events('ledger');

    ledger_ok($rec, $id, $who, $ledger, 0.7 * $SECONDS, $who);

    # the counters are read a moment after the ledger
    cmp_ok abs(@{ $ledger->{video} } - $ledger->{stats}{video}{framesEncoded}),
        '<=', 5, "$who: the browser counts as many pictures";
}

my @ends = map { /ended: \S+, .*(given up: \d+)/ ? $1 : () } split /\n/,
    $rec->error_log;

is_deeply \@ends, [ ('given up: 0') x 4 ], 'no packet was given up'
    or diag grep { /ended/ } map { "$_\n" } split /\n/, $rec->error_log;

for my $poller (@pollers) {
    waitpid $poller->{pid}, 0;

    my @answers = map { [ split ] } split /\n/, $rec->slurp($poller->{log});
    my @bad = grep { $_->[0] ne '200' } @answers;

    cmp_ok scalar @answers, '>', 10, "$poller->{name}: it was asked";
    is_deeply \@bad, [], "$poller->{name}: always answered";
    diag sprintf '%s: %d answers, the slowest in %d ms', $poller->{name},
        scalar @answers, max(map { $_->[1] } @answers);
}

{
    local $rec->{call} = 'side';

    my $status = $rec->wait_status($side, 'completed', 120);

    is $status->{status}, 'completed', 'the other recording is completed';
    is_deeply $status->{interruptions}, [], 'without an interruption';
    is scalar(grep { $_->{ev} eq 'job' && $_->{action} eq 'start' }
              $rec->journal($side)), 1, 'mixed in one attempt';
}

$rec->stop;
done_testing();


# Which worker has a participant's session, by what it logged.
sub worker_of
{
    my ($who) = @_;

    my ($line) = grep { /rtc session \w+ adopted.*participant: $who/ }
        split /\n/, $rec->error_log;

    return $line =~ /\[info\] (\d+)#/ ? $1 : die "no session of $who\n";
}


# A process that asks for the status until it is killed, and notes how that
# went.
sub poller
{
    my ($name, $args) = @_;

    my $log = "$name.log";
    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        my $going = 1;
        my $rev;

        $SIG{TERM} = sub { $going = 0 };
        open my $out, '>', "$rec->{dir}/$log" or die "$log: $!";
        $out->autoflush;

        while ($going) {
            my $from = time;
            my $res = eval { $rec->api(GET => $id . $args->($rev)) };

            last if !$going;

            $rev = $res->{json}{data}{rev} if $res;
            printf $out "%s %d %s\n", $res ? $res->{status} : 'none',
                1000 * (time - $from), $rev // '';
        }

        POSIX::_exit(0);
    }

    return { name => $name, pid => $pid, log => $log };
}
