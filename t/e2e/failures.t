#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# What fails in the middle of it: a worker, ffmpeg, all of nginx.  Every time
# the recording ends completed, what was safe is in it, and the interruption
# is in the status.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Fixtures qw(vp8_ivf h264_annexb opus_ogg);
use CallRecorder::Media qw(probe run tone_series tone_level);
use CallRecorder::Recorder;
use List::Util qw(max);
use Test::More;
use Time::HiRes qw(sleep time);

my %TONE = (alice => 440, bob => 1000);


subtest 'a worker is killed while recording' => \&worker_killed;
subtest 'ffmpeg is killed while mixing' => \&ffmpeg_killed;
subtest 'nginx is reloaded while mixing' => \&reloaded_while_mixing;
subtest 'nginx is stopped while recording and comes back' => sub {
    nginx_gone('QUIT');
};
subtest 'all of nginx is killed while recording and comes back' => sub {
    nginx_gone('KILL');
};
subtest 'all of nginx is killed while mixing and comes back' =>
    \&killed_while_mixing;

done_testing();


sub publish
{
    my ($rec, $who) = @_;

    return $rec->publish($who, audio => opus_ogg($TONE{$who}),
        video => $who eq 'alice' ? vp8_ivf() : h264_annexb('0xe9a23b'));
}


# Which worker has a participant's session, by what it logged.
sub worker_of
{
    my ($rec, $who) = @_;

    my @lines = grep { /rtc session \w+ adopted.*participant: $who/ }
        split /\n/, $rec->error_log;

    return $lines[-1] =~ /\[info\] (\d+)#/ ? $1 : die "no session of $who\n";
}


sub ffmpeg_pids
{
    my ($rec) = @_;

    return grep { CallRecorder::Nginx::cmdline($_)
                  =~ m{^\Q$rec->{dir}\E/callrec-ffmpeg} }
        map { m{/proc/(\d+)$} } glob '/proc/[0-9]*';
}


sub wait_ffmpeg
{
    my ($rec, $id) = @_;

    ok $rec->wait_for(sub {
        ffmpeg_pids($rec) && ($rec->status($id)->{progress}{pct} // 0) > 0;
    }, 20), 'the mix is under way';

    return ffmpeg_pids($rec);
}


# Seconds in the composite at which a participant's tone is heard.
sub heard
{
    my ($file, $who) = @_;

    my @tone = tone_series($file, $TONE{$who});

    return grep { tone_level(\@tone, $_, $_ + 1) > 0.05 }
        0 .. int($tone[-1][0]) - 1;
}


sub composite
{
    my ($rec, $id, $data) = @_;

    is $data->{status}, 'completed', 'the recording is completed'
        or diag explain($data->{error}), $rec->error_log;

    my $file = $rec->folder($id) . '/outputs/composite.mp4';
    my $seconds = eval { probe($file)->{format}{duration} } // 0;

    cmp_ok abs($seconds - $data->{durationMs} / 1000), '<', 0.3,
        "it is as long as it was recorded ($seconds s)";

    return $file;
}


sub worker_killed
{
    my $rec = CallRecorder::Recorder->new(ignore => qr/signal 9/);
    my %pub = map { $_ => publish($rec, $_) } qw(alice bob);
    my $bob_too = worker_of($rec, 'bob') == worker_of($rec, 'alice');
    my $id = $rec->start_recording;

    $rec->wait_status($id, 'recording', 10);
    sleep 6.3;

    my $victim = worker_of($rec, 'alice');
    my $killed = time;

    kill KILL => $victim;

    sleep 2;
    $rec->leave($pub{alice}, 'KILL');
    $pub{alice} = publish($rec, 'alice');

    if ($bob_too) {
        $rec->leave($pub{bob}, 'KILL');
        $pub{bob} = publish($rec, 'bob');
    }

    sleep 5;
    $rec->stop_recording;

    my $data = $rec->wait_status($id, 'completed', 90);
    my $file = composite($rec, $id, $data);

    my ($hole) = grep { $_->{kind} eq 'worker'
                        && $_->{participantId} eq 'alice' }
        @{ $data->{interruptions} };

    ok $hole, 'the interruption is listed' or diag explain $data;

    # what the dead worker had open: readable to within a second
    my @journal = $rec->journal($id);
    my ($join) = grep { $_->{ev} eq 'join'
                        && $_->{participantId} eq 'alice' } @journal;
    my ($chunk) = grep { $_->{ev} eq 'chunk_open'
                         && $_->{sessionId} eq $join->{sessionId} }
        reverse @journal;
    my @pts = map { /([\d.]+)/ ? $1 : () } split /\n/, run(
        qw(ffprobe -v error -show_entries packet=pts_time -of csv=p=0),
        $rec->folder($id) . "/$chunk->{file}");
    my ($start) = grep { $_->{ev} eq 'start' } @journal;
    my $killed_ms = $killed * 1000 - at_ms($start->{at});

    cmp_ok max(@pts), '>', $killed_ms / 1000 - 1,
        'the open chunk is readable to within a second of the end';
    cmp_ok abs($hole->{fromMs} - $killed_ms), '<', 1500,
        'and the interruption begins there' if $hole;

    my %alice = map { $_ => 1 } heard($file, 'alice');
    my $gone = int($killed_ms / 1000);

    ok $alice{1} && $alice{ $gone - 2 }, 'alice is heard before';
    ok !$alice{ $gone + 1 }, 'not while she is away';
    ok $alice{ $gone + 5 }, 'and again when she is back'
        or diag join ' ', sort keys %alice;

    cmp_ok scalar(heard($file, 'bob')), '>=', 10, 'bob is heard throughout'
        unless $bob_too;

    $rec->stop;
}


sub record
{
    my ($rec, $seconds) = @_;

    my @pubs = map { publish($rec, $_) } qw(alice bob);
    my $id = $rec->start_recording;

    $rec->wait_status($id, 'recording', 10);
    sleep $seconds;
    $rec->stop_recording;
    $rec->leave($_) for @pubs;

    return $id;
}


sub ffmpeg_killed
{
    my $rec = CallRecorder::Recorder->new(ignore => qr/signal 9/);
    my $id = record($rec, 10);

    kill KILL => wait_ffmpeg($rec, $id);

    my $data = $rec->wait_status($id, 'completed', 90);
    my $file = composite($rec, $id, $data);

    ok scalar(grep { $_->{kind} eq 'mix' } @{ $data->{interruptions} }),
        'the interruption is listed';
    is_deeply [ glob $rec->folder($id) . '/outputs/{.??*,*}' ], [ $file ],
        'nothing is left of the first attempt';
    cmp_ok scalar(heard($file, $_)), '>=', 9, "$_ is heard throughout"
        for qw(alice bob);

    $rec->stop;
}


sub reloaded_while_mixing
{
    my $rec = CallRecorder::Recorder->new;
    my $id = record($rec, 10);
    my @pids = wait_ffmpeg($rec, $id);

    ok $rec->reload, 'workers are replaced';
    is_deeply [ ffmpeg_pids($rec) ], \@pids, 'ffmpeg goes on';

    my $data = $rec->wait_status($id, 'completed', 90);

    composite($rec, $id, $data);
    is_deeply $data->{interruptions}, [], 'without an interruption';
    is scalar(grep { $_->{ev} eq 'job' && $_->{action} eq 'start' }
              $rec->journal($id)), 1, 'in one attempt';

    $rec->stop;
}


# The end of nginx, and a new start with what is on disk and nothing else.
sub gone_and_back
{
    my ($rec, $signal) = @_;

    my @all = ($rec->{pid}, $rec->workers);

    kill $_ => $signal eq 'KILL' ? @all : $rec->{pid} for $signal;
    waitpid $rec->{pid}, 0;
    $rec->wait_for(sub { !grep { kill 0 => $_ } @all }, 10);
    unlink "$rec->{dir}/nginx.pid";
    sleep 0.5;
    $rec->start;
}


sub nginx_gone
{
    my ($signal) = @_;

    my $rec = CallRecorder::Recorder->new(ignore => qr/signal 9/);
    my $pub = publish($rec, 'alice');
    my $id = $rec->start_recording;

    $rec->wait_status($id, 'recording', 10);
    sleep 4.3;
    gone_and_back($rec, $signal);
    $rec->leave($pub, 'KILL');

    my $data = $rec->wait_status($id, [qw(recovering recording)], 10);

    like $data->{status}, qr/^(recovering|recording)$/, 'it is still going on';

    my $res = $rec->api(POST => 'start', {});

    is $res->{status}, 409, 'so another one is refused';

    $pub = publish($rec, 'alice');
    is $rec->wait_status($id, 'recording', 10)->{status}, 'recording',
        'it records when she is back';
    sleep 4;
    $rec->stop_recording;

    $data = $rec->wait_status($id, 'completed', 90);

    my $file = composite($rec, $id, $data);

    ok scalar(grep { $_->{kind} eq 'nginx' } @{ $data->{interruptions} }),
        'the interruption is listed' or diag explain $data->{interruptions};

    my @alice = heard($file, 'alice');

    cmp_ok $alice[0], '<=', 1, 'alice is heard at the beginning';
    cmp_ok $alice[-1], '>=', $data->{durationMs} / 1000 - 3,
        'and at the end';

    $rec->stop;
}


sub killed_while_mixing
{
    my $rec = CallRecorder::Recorder->new(ignore => qr/signal 9/);
    my $id = record($rec, 8);

    my @pids = wait_ffmpeg($rec, $id);
    kill KILL => @pids;
    gone_and_back($rec, 'KILL');

    my $data = $rec->wait_status($id, 'completed', 90);
    my $file = composite($rec, $id, $data);

    is_deeply [ glob $rec->folder($id) . '/outputs/{.??*,*}' ], [ $file ],
        'nothing is left of the first attempt';

    $rec->stop;
}


# "2026-11-22T18:50:00.123Z" in milliseconds since 1970
sub at_ms
{
    my ($y, $mon, $d, $h, $m, $s) = $_[0] =~
        /^(\d+)-(\d+)-(\d+)T(\d+):(\d+):([\d.]+)Z$/;

    require Time::Local;

    return 1000 * (Time::Local::timegm(0, $m, $h, $d, $mon - 1, $y) + $s);
}
