#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# What happens to recordings when nginx restarts, is reloaded, or loses a
# worker; and limits, which the same timer keeps.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Api;
use CallRecorder::Nginx;
use JSON::PP ();
use POSIX qw(strftime);
use Test::More;
use Time::HiRes qw(sleep time);


my $nginx = CallRecorder::Nginx->new(
    workers => 2,
    ignore  => qr/exited on signal 9/,
    http    => $CallRecorder::Api::HTTP,
    server  => $CallRecorder::Api::SERVER);

my $api = CallRecorder::Api->new($nginx);
my $root = "$nginx->{dir}/records/root";
my $json = JSON::PP->new->canonical;

$api->ready;


sub restart
{
    $nginx->stop;
    $nginx->start;
    $api->ready;
}

# A journal as a recording leaves it that nginx died in; ago in seconds.

sub left_behind
{
    my ($call, $id, $ago, @records) = @_;

    my $dir = "$root/$call/$id";
    my $begin = time - $ago;
    my $at = sub { strftime('%Y-%m-%dT%H:%M:%S', gmtime $_[0]) . '.000Z' };

    for ("$root/$call", $dir) {
        mkdir $_;
        chmod 0777, $_;
    }

    open my $f, '>', "$dir/journal.ndjson" or die $!;
    chmod 0666, "$dir/journal.ndjson";

    unshift @records, { ev => 'start', tMs => 0, v => 1,
        recordingId => $id, callId => $call, mode => 'composite',
        layout => 'grid', startedBy => 'bob', chunkMs => 5000,
        createdAt => $at->($begin) };

    for (@records) {
        print $f ref $_ ? $json->encode({ %$_,
            at => $at->($begin + $_->{tMs} / 1000) }) . "\n" : $_;
    }

    close $f or die $!;

    return $dir;
}

sub journal
{
    my ($dir) = @_;

    open my $f, '<', "$dir/journal.ndjson" or return;
    return map { eval { $json->decode($_) } // () } <$f>;
}

my @alice = (
    { ev => 'state', tMs => 900, status => 'recording', rev => 900 },
    { ev => 'join', tMs => 1000, participantId => 'alice', name => 'Alice',
      sessionId => 's1' },
    { ev => 'track', tMs => 1000, participantId => 'alice',
      sessionId => 's1', track => 2, kind => 'audio', codec => 'opus',
      clockRate => 48000, channels => 2 },
    { ev => 'chunk_open', tMs => 1500, participantId => 'alice',
      sessionId => 's1', chunk => 1, file => 'alice/s1/000001.mkv',
      startMs => 1200, tracks => [] },
    { ev => 'chunk_close', tMs => 6300, participantId => 'alice',
      sessionId => 's1', chunk => 1, startMs => 1200, endMs => 6200,
      sizeBytes => 5000, frames => 250 },
);


# restart

my $res = $api->start('room', body => { startedBy => 'bob' },
    headers => ['Idempotency-Key' => 'k1']);
my $id = $res->{data}{recordingId};
my $rev = $res->{data}{rev};

$res = $api->start('ended');
my $ended = $res->{data}{recordingId};
$api->stop('ended');
sleep 0.3;
$res = $api->get('ended', $ended);

restart();

my $back = $api->get('room', $id);
is($back->{status}, 200, 'a recording is there after a restart');
is($back->{data}{status}, 'recovering', 'it is recovering');
is($back->{data}{startedBy}, 'bob', 'with what was known of it');
is($back->{data}{interruptions}[0]{kind}, 'nginx', 'and the interruption');
ok($back->{data}{rev} > $rev, 'rev has grown');

is($api->start('room')->{code}, 'recording_active', 'it is active');
is($api->start('room', body => { startedBy => 'bob' }, headers =>
    ['Idempotency-Key' => 'k1'])->{data}{recordingId}, $id,
    'its Idempotency-Key is known');

$back = $api->get('ended', $ended);
is_deeply($back->{data}, $res->{data}, 'an ended one is read from disk');
is($back->{headers}{etag}, $res->{headers}{etag}, 'with the same ETag');

$back = $api->get('ended', $ended, '',
    headers => ['If-None-Match' => $res->{headers}{etag}]);
is($back->{status}, 304, 'so If-None-Match is good for it');

$back = $api->stop('ended');
is($back->{status}, 202, 'stop of a call that has ended on disk');
is($back->{data}{recordingId}, $ended, 'is its last recording');

$back = $api->delete('ended', $ended);
is($back->{status}, 202, 'delete of one that is only on disk');
is($api->get('ended', $ended)->{code}, 'gone', 'it is gone');
ok(!-e "$root/ended/$ended/journal.ndjson", 'its files are removed');
is($api->stop('ended')->{code}, 'recording_not_found',
    'the call has none any more');

$res = $api->stop('room');
is($res->{status}, 202, 'stop works after a restart');
is($res->{data}{status}, 'failed', 'it ends');


# what died in every state

$nginx->stop;

my $rec = left_behind('crash', 'rec_01recording', 20, @alice,
    '{"ev":"chunk_open","tMs":9000,"at":"20');
my $stopping = left_behind('stop', 'rec_02stopping', 20, @alice,
    { ev => 'stop', tMs => 7000, endReason => 'stopped', stoppedMs => 7000,
      firstMediaMs => 1200 });
my $mixing = left_behind('mix', 'rec_03processing', 20, @alice,
    { ev => 'stop', tMs => 7000, endReason => 'stopped', stoppedMs => 7000,
      firstMediaMs => 1200 },
    { ev => 'state', tMs => 7100, status => 'processing', rev => 7100 },
    { ev => 'job', tMs => 7200, attempt => 1, action => 'start',
      pid => 1 });
my $discard = left_behind('dis', 'rec_04discarded', 20, @alice,
    { ev => 'stop', tMs => 7000, endReason => 'discarded',
      stoppedMs => 7000, firstMediaMs => 1200 });
my $delete = left_behind('del', 'rec_05deleted', 20, @alice,
    { ev => 'stop', tMs => 7000, endReason => 'stopped', stoppedMs => 7000,
      firstMediaMs => 1200 },
    { ev => 'state', tMs => 7000, status => 'completed', rev => 7100 },
    { ev => 'delete', tMs => 9000 });
my $done = left_behind('done', 'rec_06completed', 20, @alice,
    { ev => 'stop', tMs => 7000, endReason => 'stopped', stoppedMs => 7000,
      firstMediaMs => 1200 },
    { ev => 'state', tMs => 7000, status => 'completed', rev => 7100 });
my $dirt = left_behind('dirt', 'rec_07dirt', 20, "garbage\n", @alice,
    "\0\0\0\n", '{"ev":"join"}' . "\n", '[' x 5000 . "\n");
left_behind('liar', 'rec_08liar', 20);
rename "$root/liar/rec_08liar", "$root/liar/rec_08other";
mkdir "$root/empty";
mkdir "$root/empty/rec_09empty";

$nginx->start;
$api->ready;

$res = $api->get('crash', 'rec_01recording');
is($res->{data}{status}, 'recovering', 'recording becomes recovering');
is($res->{data}{participants}[0]{id}, 'alice', 'who was there is known');
ok($res->{data}{participants}[0]{leaveMs}, 'and is not there any more');
is($res->{data}{progress}{bytesDurable}, 5000, 'and what was stored');

my $cut = $res->{data}{interruptions}[0];
is($cut->{fromMs}, 6300, 'interrupted since the last record');
ok($cut->{toMs} > 19000 && $cut->{toMs} < 30000, 'until now');

$res = $api->stop('crash');
is($res->{status}, 202, 'it can be stopped');
$res = $api->wait_status('crash', 'rec_01recording', 'completed');
is($res->{data}{status}, 'completed', 'and is completed');

# the journal is written by a thread, a moment later
my $stop;
ok($nginx->wait_for(sub {
    ($stop) = grep { $_->{ev} eq 'stop' } journal($rec) }, 5),
    'the journal says so');
is($res->{data}{durationMs}, $stop->{stoppedMs} - 1200,
    'durationMs is from media to stop');
is($res->{data}{progress}{pct}, 100, 'to 100 %');

my @events = map { $_->{ev} } journal($rec);
ok((grep { $_ eq 'interruption' } @events), 'the journal goes on after the '
    . 'line that was cut off');

for (['stop', 'rec_02stopping', 'stopping'],
    ['mix', 'rec_03processing', 'processing'])
{
    $res = $api->wait_status($_->[0], $_->[1], 'completed');
    is($res->{data}{status}, 'completed', "$_->[2] goes on to completed");
    is($res->{data}{durationMs}, 5800, 'with the duration as it was');
}

$res = $api->wait_status('dis', 'rec_04discarded', 'aborted');
is($res->{data}{status}, 'aborted', 'a discarded one is aborted');
ok($nginx->wait_for(sub { !-e "$discard/journal.ndjson" }, 5),
    'its files are removed');

is($api->get('del', 'rec_05deleted')->{code}, 'gone',
    'a deleted one is deleted');
ok($nginx->wait_for(sub { !-e "$delete/journal.ndjson" }, 5),
    'its files are removed, too');

is($api->get('done', 'rec_06completed')->{data}{status}, 'completed',
    'one whose recording.json was lost gets a new one');
ok($nginx->wait_for(sub { -s "$done/recording.json" }, 5), 'on disk');

$res = $api->get('dirt', 'rec_07dirt');
is($res->{data}{status}, 'recovering', 'damaged lines are skipped');
is($res->{data}{progress}{bytesDurable}, 5000, 'the others are not');

is($api->get('liar', 'rec_08other')->{code}, 'recording_not_found',
    'a journal in a wrong folder is nobody\'s');
is($api->get('empty', 'rec_09empty')->{code}, 'recording_not_found',
    'an empty folder is no recording');


# a worker is killed

$res = $api->start('kill');
$id = $res->{data}{recordingId};

my ($victim) = $nginx->workers;
kill KILL => $victim;
ok($nginx->wait_for(sub { 2 == grep { $_ != $victim } $nginx->workers }, 10),
    'a killed worker is replaced');

for (1 .. 6) {
    $res = $api->get('kill', $id);
    last if ($res->{data}{status} // '') ne 'starting';
}

is($res->{data}{status}, 'starting', 'its recordings are still there');
is($api->start('kill')->{code}, 'recording_active', 'and active');

kill KILL => $_ for $nginx->workers;
sleep 1;

is($api->stop('kill')->{data}{recordingId}, $id,
    'when all workers were killed, too');


# reload

$res = $api->start('reload');
$id = $res->{data}{recordingId};
ok($nginx->reload, 'reload');
is($api->get('reload', $id)->{data}{status}, 'starting',
    'a reload keeps recordings as they are');
$api->stop('reload');


# limits

$nginx->configure(
    http => "$CallRecorder::Api::HTTP
        recording_idle_timeout 1s;
        recording_chunk 2s;",
    server => $CallRecorder::Api::SERVER);
$nginx->reload;

$res = $api->start('idle');
$res = $api->wait_status('idle', $res->{data}{recordingId}, 'failed');
is($res->{data}{endReason}, 'idle', 'nobody there: stopped as idle');

$nginx->configure(
    http => "$CallRecorder::Api::HTTP
        recording_max_duration 2s;
        recording_thread_pool disk;",
    main => 'thread_pool disk threads=2;',
    server => $CallRecorder::Api::SERVER);
$nginx->reload;

$res = $api->start('long');
$res = $api->wait_status('long', $res->{data}{recordingId}, 'failed');
is($res->{data}{endReason}, 'duration', 'too long: stopped for duration');

$nginx->stop;

done_testing();
