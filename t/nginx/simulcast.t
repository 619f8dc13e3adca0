#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# Layers of a video into chunk files: which are written, and what happens when
# one is switched off; screens beside cameras.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Media qw(run probe);
use CallRecorder::Recorder;
use File::Temp qw(tempdir);
use Test::More;


my $dir = tempdir('callrec-layers-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my %codec = (ivf => [qw(-c:v libvpx -deadline realtime -cpu-used 8)],
             h264 => [qw(-c:v libx264 -profile:v baseline -bf 0)]);

# three sizes, three colours

my @sizes = qw(160x120 320x240 640x480);
my @colors = qw(red lime blue);

for my $i (0 .. 2) {
    for my $type (sort keys %codec) {
        run(qw(ffmpeg -v error -f lavfi -i),
            "color=$colors[$i]:s=$sizes[$i]:r=25,format=yuv420p",
            qw(-t 2 -g 10 -b:v 200k), @{ $codec{$type} },
            $type eq 'h264' ? qw(-f h264) : (), "$dir/$i.$type");
    }
}

run(qw(ffmpeg -v error -f lavfi -i sine=440 -t 2 -c:a libopus),
    "$dir/a.ogg");


# ---- what is written

my ($rec, @journal);

for my $case (
    ['rids, the best one last', 'ivf', 0, 1, 2, []],
    ['rids, as OBS, the best one first', 'h264', 2, 1, 0,
        [client => 'obs']],
    ['SSRC groups', 'ivf', 0, 1, 2, ['by-ssrc' => undef]])
{
    my ($name, $type, @rest) = @$case;
    my $options = pop @rest;

    subtest $name => sub { highest($type, \@rest, @$options) };
}

subtest 'with loss' => sub {
    highest('ivf', [0, 1, 2], loss => 3);
};


# Publishes in these layers, the last of which may go off.

sub record
{
    my ($simulcast, $seconds, $type, $layers, %options) = @_;

    $rec = CallRecorder::Recorder->new(mix => 'recording_mix off;',
        http => "recording_simulcast $simulcast; recording_chunk 2s;");

    my $id = $rec->start_recording;
    my @files = map { "$dir/$_.$type" } @$layers;

    # several options of one name
    my $pub = publish([ map { (layer => $_) } @files[1 .. $#files] ],
        'alice', video => $files[0], audio => "$dir/a.ogg", fps => 25,
        duration => $seconds, %options);

    $rec->wait_for(sub { waitpid($pub, 1) == $pub }, $seconds + 20)
        or kill KILL => $pub;

    return finish($id);
}


sub publish
{
    my ($layers, $who, %options) = @_;

    my $query = delete $options{query} // '';
    my $claims = delete $options{claims} // {};
    my $token = $rec->token(call => 'room', sub => $who,
                            perms => ['publish'], %$claims);
    my @args = map { ("--$_", $options{$_} // ()) } sort keys %options;

    while (my ($name, $value) = splice @$layers, 0, 2) {
        push @args, "--$name", $value;
    }

    my $log = "$dir/publisher";
    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        open STDOUT, '>', $log;
        open STDERR, '>&', \*STDOUT;
        exec "$CallRecorder::Recorder::BIN/whip-publisher", '--url',
            "http://127.0.0.1:$rec->{http}/whip/room$query", '--token',
            $token, @args or POSIX::_exit(127);
    }

    return $pid;
}


sub finish
{
    my ($id) = @_;

    $rec->stop_recording;
    my $status = $rec->wait_status($id, 'completed');
    is($status->{status}, 'completed', 'it is recorded');

    @journal = $rec->journal($id);

    return ($id, $status);
}


sub events
{
    my ($event) = @_;

    return grep { $_->{ev} eq $event } @journal;
}


# The size of a chunk's videos, by what the journal says and by its content.

sub videos
{
    my ($id, $open) = @_;

    my $file = $rec->folder($id) . "/$open->{file}";
    my @told = map { "$_->{width}x$_->{height}" }
        grep { $_->{kind} eq 'video' } @{ $open->{tracks} };
    my @streams = grep { $_->{codec_type} eq 'video' }
        @{ probe($file)->{streams} };

    is_deeply([ map { "$_->{width}x$_->{height}" } @streams ], \@told,
        "chunk $open->{chunk}: the journal says what is in it");

    # while layers begin one after another, only the best has its keyframe

    for my $n (0 .. ($open->{chunk} > 3 ? $#told : 0)) {
        my ($i) = grep { $sizes[$_] eq $told[$n] } 0 .. 2;
        my $rgb = unpack 'H*', run(qw(ffmpeg -v error -i), $file, '-map',
            "0:v:$n", qw(-frames:v 1 -vf), 'scale=1:1,format=rgb24',
            qw(-f rawvideo -));

        like($rgb, { red => qr/^[ef].0.0.$/, lime => qr/^0.[ef].0.$/,
                     blue => qr/^0.0.[ef].$/ }->{ $colors[$i] },
            "chunk $open->{chunk}: layer $told[$n] is $colors[$i]");
    }

    return @told;
}


sub highest
{
    my ($type, $layers, @options) = @_;

    my ($id, $status) = record('highest', 7, $type, $layers, @options,
        $layers->[2] == 2 ? (off => '2:4.5') : ());

    my @open = events('chunk_open');
    my @best;

    for my $open (@open) {
        my @videos = videos($id, $open);

        is(scalar @videos, 1, "chunk $open->{chunk}: one layer");
        push @best, @videos if !@best || $videos[0] ne $best[-1];
    }

    # layers begin one after another

    shift @best while @best && $best[0] ne '640x480';
    is("@best", $layers->[2] == 2 ? '640x480 320x240 640x480' : '640x480',
        'the best layer that arrives');

    my @tracks = events('track');
    is_deeply([ map { $_->{layer} // 0 } @tracks ], [1, 2, 3, 0],
        'all layers are told, sound has none');
    is_deeply([ map { $_->{role} // '' } @tracks ],
        ['camera', 'camera', 'camera', ''], 'and the role');

    if (!grep { ($_ // '') eq 'by-ssrc' } @options) {
        is_deeply([ map { $_->{rid} } @tracks[0 .. 2] ], [0, 1, 2],
            'and their ids');
    }

    is_deeply($status->{participants}[0]{video},
        [{ role => 'camera', layers => 3 }], 'the status says so');

    # what is missing between layers is in the ledger, and not long

    my $told = 0;

    $told += $_->{toMs} - $_->{fromMs} for
        grep { $_->{reason} eq 'layer' } events('gap');

    cmp_ok($told, '<', 2000, 'the hole is short') or diag(explain(\@journal));
    is(scalar(grep { $_->{reason} ne 'layer' && $_->{track} < 4 }
        events('gap')), 0, 'nothing else is missing of pictures');

    $rec->stop;
}


subtest 'all layers' => sub {
    my ($id) = record('all', 7, 'ivf', [0, 1, 2], off => '2.5:20');

    my %seen;
    my @chunks = map { join ' ', videos($id, $_) } events('chunk_open');

    $seen{$_}++ for @chunks;

    ok($seen{'640x480 320x240 160x120'}, 'all, the largest first')
        or diag("@chunks");
    is($chunks[-1], '320x240 160x120', 'without the one that is off')
        or diag(explain(\@journal));

    my %clocks = map { $_->{track} => 1 } events('clock');
    is_deeply([ sort keys %clocks ], [1, 2, 3, 4], 'each has a clock');

    $rec->stop;
};


subtest 'auto' => sub {
    my ($id) = record('auto', 4, 'ivf', [0, 1, 2]);

    is((map { videos($id, $_) } events('chunk_open'))[-1], '640x480',
        'few people: the best one');
    is(scalar(grep { 1 < grep { $_->{kind} eq 'video' } @{ $_->{tracks} } }
        events('chunk_open')), 0, 'alone');

    $rec->stop;
};


subtest 'auto, in a call that grows' => sub {
    $rec = CallRecorder::Recorder->new(mix => 'recording_mix off;',
        http => 'recording_simulcast auto; recording_chunk 2s;');

    my $id = $rec->start_recording;
    my @layers = map { (layer => "$dir/$_.ivf") } 1, 2;
    my @media = (video => "$dir/0.ivf", audio => "$dir/a.ogg", fps => 25);
    my @pids = publish([@layers], 'alice', @media, duration => 20);

    ok($rec->wait_for(sub { 1 < grep { $_->{ev} eq 'chunk_close' }
                            $rec->journal($id) }, 15), 'alone at first');

    # five are more than four

    push @pids, map { publish([], "guest$_", @media, duration => 8) } 1 .. 4;

    for my $pid (@pids) {
        $rec->wait_for(sub { waitpid($pid, 1) == $pid }, 60)
            or kill KILL => $pid;
    }

    finish($id);

    my ($alice) = map { $_->{sessionId} }
        grep { $_->{participantId} eq 'alice' } events('join');
    my @layered = map { scalar grep { $_->{kind} eq 'video' }
                        @{ $_->{tracks} } }
        grep { $_->{sessionId} eq $alice } events('chunk_open');

    is($layered[0], 1, 'one layer while the call is small');
    ok((grep { $_ == 3 } @layered), 'all when it has become large');
    is($layered[-1], 1, 'and one again')
        or diag("@layered");

    $rec->stop;
};


# ---- screens

subtest 'a screen beside the camera' => sub {
    $rec = CallRecorder::Recorder->new(mix => 'recording_mix off;',
        http => 'recording_chunk 2s;');

    my $id = $rec->start_recording;
    my %media = (video => "$dir/2.ivf", audio => "$dir/a.ogg",
                 duration => 3);
    my @pids = (
        publish([], 'alice', %media),
        publish([], 'alice', %media, query => '?role=screen'),
        publish([], 'bob', %media, query => '?role=camera',
            claims => { role => 'screen' }));

    for my $pid (@pids) {
        $rec->wait_for(sub { waitpid($pid, 1) == $pid }, 30)
            or kill KILL => $pid;
    }

    my (undef, $status) = finish($id);
    my %role = map { $_->{sessionId} => $_->{role} // 'camera' }
        events('join');
    my %who;

    push @{ $who{ $_->{participantId} } }, $_->{role} // 'camera'
        for events('join');

    is(join(' ', sort @{ $who{alice} }), 'camera screen',
        'two sessions of one participant');
    is_deeply($who{bob}, ['screen'], 'the token is believed, not the query');
    is_deeply([ map { $_->{role} eq $role{ $_->{sessionId} } }
        grep { $_->{kind} eq 'video' } events('track') ], [1, 1, 1],
        'their tracks say so, too');

    my %video = map { $_->{id} => $_->{video} } @{ $status->{participants} };

    is_deeply($video{alice}, [{ role => 'camera', layers => 1 },
        { role => 'screen', layers => 1 }], 'the status has both');
    is_deeply($video{bob}, [{ role => 'screen', layers => 1 }], 'or one');

    my $bad = $rec->request(POST => '/whip/room?role=cat', token =>
        $rec->token(call => 'room', perms => ['publish']),
        headers => [ 'Content-Type' => 'application/sdp' ], body => 'v=0');

    is($bad->{status}, 400, 'another role is refused');
    like($bad->{body}, qr/"bad_participant"/, 'with its reason');

    $rec->stop;
};


done_testing;
