#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# A worker that takes no messages for a while misses some for good, and finds
# out by itself what they said.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Fixtures qw(vp8_ivf opus_ogg);
use CallRecorder::Recorder;
use Test::More;
use Time::HiRes qw(sleep);

my $rec = CallRecorder::Recorder->new(mix => 'recording_mix off;',
    ignore => qr/takes no messages|exited on signal 9/);

my $pub = $rec->publish('alice', video => vp8_ivf(), audio => opus_ogg());

my ($owner, $session) = $rec->error_log
    =~ /\[info\] (\d+)#\d+: rtc session (\S+) connected/;
ok($owner, 'a worker has the session');

END { kill CONT => $owner if $owner }


my $id;

deaf('start', sub { $id = $rec->start_recording });

ok($rec->wait_for(sub { defined $rec->status($id)->{firstMediaAt} }, 10),
    'a start that was not heard: the session is recorded nevertheless');

deaf('stop', sub { $rec->stop_recording });

is($rec->wait_status($id, 'completed', 10)->{status}, 'completed',
    'a stop that was not heard: it is over nevertheless');

my $before = length $rec->error_log;

# a publisher that stands still, too, does not end it from its side
kill STOP => $pub->{pid};

deaf('start', sub {
    $rec->request(DELETE => "/whip/room/$session", token => $rec->token(
        call => 'room', sub => 'alice', perms => ['publish']));
});

ok($rec->wait_for(sub {
    substr($rec->error_log, $before) =~ /session \S+ ended: closed/ }, 10),
    'a DELETE that was not heard: the session ends nevertheless');

kill CONT => $pub->{pid};

$rec->stop;

done_testing();


# The session's worker stands still; what it is told meanwhile is lost, as
# other calls fill its queue.

sub deaf
{
    my ($verb, $what) = @_;

    my $seen = length $rec->error_log;

    # stopped while it waits, not while it is about to accept a connection
    sleep 0.3;
    kill STOP => $owner;
    $rec->wait_for(sub {
        open my $f, '<', "/proc/$owner/stat" or return;
        return <$f> =~ /\) T /;
    }, 5);

    for (1 .. 16) {
        local $rec->{call} = "other-$_";
        $rec->api(POST => $verb, {});
    }

    $what->();

    ok($rec->wait_for(sub {
        substr($rec->error_log, $seen) =~ /to process|takes no messages/ }, 5),
        'a message is lost');

    sleep 3;
    kill CONT => $owner;
}
