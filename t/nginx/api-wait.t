#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# GET that waits for a change: in every worker, up to its time, and until
# nginx leaves.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Api;
use CallRecorder::Nginx;
use Test::More;
use Time::HiRes qw(sleep time);


my $nginx = CallRecorder::Nginx->new(
    workers => 2,
    http    => $CallRecorder::Api::HTTP,
    server  => $CallRecorder::Api::SERVER);

my $api = CallRecorder::Api->new($nginx);
$api->ready;


# A client in a process of its own; its answer comes through a pipe.

sub background
{
    my (@get) = @_;

    pipe my $out, my $in or die "pipe: $!";

    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        close $out;
        my $begin = time;
        my $res = eval { $api->get(@get, timeout => 20) } // {};
        print $in join ' ', $res->{status} // 0,
            $res->{data}{status} // '-', $res->{data}{rev} // 0,
            time - $begin;
        close $in;
        POSIX::_exit(0);
    }

    close $in;

    return { pid => $pid, out => $out };
}

sub answer
{
    my ($client) = @_;

    my $line = readline $client->{out};
    waitpid $client->{pid}, 0;

    return split ' ', $line // '';
}


my $res = $api->start('room');
my $id = $res->{data}{recordingId};
my $rev = $res->{data}{rev};

# time is over

my $begin = time;
$res = $api->get('room', $id, '?wait=1');
my $took = time - $begin;

is($res->{status}, 200, 'the time is over without a change');
is($res->{data}{rev}, $rev, 'the status as it was');
ok($took >= 0.9 && $took < 3, "after a second ($took)");

# an old rev

$begin = time;
$res = $api->get('room', $id, '?wait=20&rev=0');
ok(time - $begin < 1, 'an older rev is answered at once');

# several clients, so that each worker has some

my @clients = map { background('room', $id, "?wait=15&rev=$rev") } 1 .. 8;
sleep 0.7;
$api->stop('room');

for (@clients) {
    my ($status, $state, $new, $waited) = answer($_);
    is("$status $state", '200 failed', 'a stop is told');
    ok($new > $rev && $waited < 5, "at once ($waited)");
}

$begin = time;
$res = $api->get('room', $id, '?wait=20');
ok(time - $begin < 1, 'an ended recording is answered at once');

# clients that go away

$res = $api->start('leave');
my $leave = $res->{data}{recordingId};

for (1 .. 5) {
    eval { $api->get('leave', $leave, '?wait=20', timeout => 0.2) };
}

$res = $api->delete('leave', $leave, '?force=true');
is($res->{status}, 202, 'clients that went away do no harm');

# deleted while somebody waits

$res = $api->start('del');
$id = $res->{data}{recordingId};
@clients = map { background('del', $id, '?wait=15') } 1 .. 4;
sleep 0.7;
$api->delete('del', $id, '?force=true');
is((answer($_))[0], 410, 'a waiting client learns of the deletion')
    for @clients;

# nginx leaves

$res = $api->start('quit');
$id = $res->{data}{recordingId};
@clients = map { background('quit', $id, '?wait=60') } 1 .. 4;
sleep 0.7;
$begin = time;
$nginx->stop;
ok(time - $begin < 10, 'nobody is waited for when nginx leaves');
is((answer($_))[0], 200, 'clients get their answer') for @clients;

done_testing();
