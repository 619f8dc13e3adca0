#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# Publishers on disk: chunk files and journal of people who come and go, of a
# disk that is full or slow, of workers that are replaced or killed.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Journal;
use CallRecorder::Media qw(run);
use CallRecorder::Whip;
use File::Temp qw(tempdir);
use JSON::PP qw(decode_json);
use List::Util qw(max min);
use Test::More;
use Time::HiRes qw(sleep time);

my $tools = $ENV{TOOLS} // "$CallRecorder::Nginx::ROOT/build/release/bin";
my $media = tempdir('callrec-media-XXXXXX', TMPDIR => 1, CLEANUP => 1);

my ($nginx, %running, $mounted);

END {
    kill KILL => keys %running;
    system('umount', '-l', $mounted) if $mounted;
}


# A keyframe every second and 600 kbit/s.

run(qw(ffmpeg -v error -nostdin -f lavfi -i testsrc2=s=320x180:r=25:d=20
    -c:v libvpx -deadline realtime -cpu-used 8 -b:v 600k -minrate 600k
    -maxrate 600k -g 25), "$media/vp8.ivf");
run(qw(ffmpeg -v error -nostdin -f lavfi -i testsrc2=s=320x180:r=25:d=20
    -c:v libx264 -preset ultrafast -tune zerolatency -g 25 -pix_fmt yuv420p),
    "$media/h264.h264");
run(qw(ffmpeg -v error -nostdin -f lavfi -i sine=440:48000:duration=20
    -ac 2 -c:a libopus -frame_duration 20), "$media/sound.opus");


sub server
{
    my (%opt) = @_;

    my $mix = delete $opt{mix} // 'recording_mix off;';

    $nginx = CallRecorder::Whip->nginx(
        http   => "recording_root {{dir}}/records; $mix"
                  . ($opt{recording} // 'recording_chunk 2s;'),
        server => 'location /video-calls/ { recording_api; }', %opt);
}


# Publishes in the background; name is the participant's id.

sub publish
{
    my ($name, $seconds, @args) = @_;

    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        open STDOUT, '>', "$media/$name.out";
        open STDERR, '>', "$media/$name.err";
        exec "$tools/whip-publisher", '--url',
            "http://127.0.0.1:$nginx->{http}/whip/room", '--token',
            $nginx->token(call => 'room', sub => $name, name => "N $name",
                perms => ['publish']),
            '--duration', $seconds, @args or POSIX::_exit(127);
    }

    $running{$pid} = 1;

    return $pid;
}

sub video { return ('--video', "$media/$_[0]", '--fps', 25) }
sub sound { return ('--audio', "$media/sound.opus") }

sub wait_for
{
    for my $pid (@_) {
        waitpid $pid, 0;
        delete $running{$pid};
    }
}


sub api
{
    my ($method, $what) = @_;

    my $res = $nginx->request($method => "/video-calls/room/recording/$what",
        token => $nginx->token(call => 'room', sub => 'host',
            perms => [qw(record read)]));

    return decode_json($res->{body})->{data};
}

sub start { return api(POST => 'start')->{recordingId}; }

sub ended
{
    my ($id) = @_;

    $nginx->wait_for(sub {
        return api(GET => $id)->{status} =~ /^(?:completed|failed)$/;
    }, 10);

    return api(GET => $id);
}


# Records of one kind and participant.

sub records
{
    return CallRecorder::Journal::records($nginx, 'room', @_);
}

sub file
{
    my ($id, $record) = @_;
    return "$nginx->{dir}/records/room/$id/$record->{file}";
}


# [seconds, key?, stream] of each packet, and whether all of it decodes.

sub packets
{
    my ($file) = @_;

    my $probe = decode_json(
        run(qw(ffprobe -v quiet -of json -show_packets), $file));

    return map {
        [ $_->{pts_time}, $_->{flags} =~ /K/ ? 1 : 0, $_->{stream_index} ]
    } @{ $probe->{packets} };
}

sub decodes
{
    my ($file, $name) = @_;

    is(eval { run(qw(ffmpeg -v error -xerror -nostdin -i), $file,
        qw(-f null -)) }, '', $name) or diag($@);
}

sub largest_hole
{
    my (@times) = @_;
    @times = sort { $a <=> $b } @times;
    return max(0, map { $times[$_] - $times[$_ - 1] } 1 .. $#times);
}


server();

subtest 'who was there before the start, who comes, and who goes' => sub {
    my @early = (publish('vp8', 8, video('vp8.ivf'), sound()),
        publish('h264', 8, video('h264.h264'), sound()),
        publish('deaf', 8, sound()));

    sleep 1.5;
    my $id = start();
    sleep 1;
    my $late = publish('late', 2, video('vp8.ivf'), sound());
    sleep 4;
    my $data = api(POST => 'stop');
    $data = ended($id);
    wait_for(@early, $late);

    is($data->{status}, 'completed', 'it is completed');

    my %codec = (vp8 => 'vp8', h264 => 'h264', late => 'vp8');

    for my $name (qw(vp8 h264 late deaf)) {
        my ($join) = records($id, join => $name);
        my @tracks = records($id, track => $name);
        my @open = records($id, chunk_open => $name);
        my @close = records($id, chunk_close => $name);
        my ($leave) = records($id, leave => $name);

        is($join->{name}, "N $name", "$name: has joined");
        is_deeply([ map { "$_->{track} $_->{kind} $_->{codec}" } @tracks ],
            $name eq 'deaf' ? ['1 audio opus']
            : [ "1 video $codec{$name}", '2 audio opus' ],
            "$name: has its tracks");
        is($leave->{reason}, 'stop', "$name: leaves by the stop")
            if $name ne 'late';
        ok($leave, "$name: has left");

        cmp_ok(scalar @open, '>=', $name eq 'late' ? 1 : 2,
            "$name: has chunks");
        is(@close, @open, "$name: which are closed");

        cmp_ok($open[0]{startMs}, '<', 400,
            "$name: begins with the recording") if $name ne 'late';
        cmp_ok($join->{tMs}, '>=', 900, "$name: joins when it comes")
            if $name eq 'late';

        my @times;

        for my $i (0 .. $#open) {
            my $file = file($id, $open[$i]);
            my @packets = packets($file);
            my ($first) = grep { $_->[2] == 0 } @packets;

            is(-s $file, $close[$i]{sizeBytes}, "$name $i: its size");
            is(@packets, $close[$i]{frames}, "$name $i: its frames");
            is($first->[1], 1, "$name $i: it begins with a keyframe");
            is(sprintf('%.0f', 1000 * min(map { $_->[0] } @packets)),
                $open[$i]{startMs}, "$name $i: its start");
            decodes($file, "$name $i: it decodes");

            push @times, map { $_->[0] } grep { $_->[2] == 0 } @packets;
        }

        cmp_ok(largest_hole(@times), '<', $name eq 'deaf' ? 0.05 : 0.09,
            "$name: nothing is missing between chunks");
    }

    is(records($id, 'gap'), 0, 'nothing was lost');
    cmp_ok(scalar(records($id, 'clock', 'vp8')), '>=', 2,
        'the clocks are told');
    is_deeply([ sort map { $_->{id} } @{ $data->{participants} } ],
        [qw(deaf h264 late vp8)], 'the status names all of them');
};


subtest 'a disk that is too slow costs frames, and the journal says which'
=> sub {
    $nginx->configure(CallRecorder::Whip->conf(
        http => 'recording_root {{dir}}/records; recording_mix off;
                 recording_chunk 2s; recording_buffer 16k;',
        server => 'location /video-calls/ { recording_api; }'));
    ok($nginx->reload, 'a buffer that is smaller than a cluster');

    my $pid = publish('slow', 5, video('vp8.ivf'), sound());
    sleep 1;
    my $id = start();
    sleep 3;
    api(POST => 'stop');
    my $data = ended($id);
    wait_for($pid);

    is($data->{status}, 'completed', 'it is completed');

    my @gaps = records($id, 'gap');

    cmp_ok(scalar @gaps, '>', 0, 'there are gaps');
    is((grep { $_->{reason} ne 'buffer' } @gaps), 0, 'by the buffer');
    is((grep { $_->{packets} < 1 || $_->{toMs} < $_->{fromMs} } @gaps), 0,
        'which say when, and how many frames');

    for my $open (records($id, 'chunk_open')) {
        decodes(file($id, $open), "chunk $open->{chunk} decodes");
    }

    like($nginx->error_log, qr/the disk is too slow/, 'the log says so');
};


subtest 'a reload in the middle costs no frame' => sub {
    $nginx->configure(CallRecorder::Whip->conf(
        http => 'recording_root {{dir}}/records; recording_mix off;
                 recording_chunk 2s;',
        server => 'location /video-calls/ { recording_api; }'));
    $nginx->reload;

    my $pid = publish('constant', 6, video('vp8.ivf'), sound());
    sleep 1;
    my $id = start();
    sleep 1.5;
    ok($nginx->reload(keep => 1), 'reloaded');
    sleep 2;
    api(POST => 'stop');
    is(ended($id)->{status}, 'completed', 'it is completed');
    wait_for($pid);

    my @times;

    push @times, map { $_->[0] } grep { $_->[2] == 0 }
        packets(file($id, $_)) for records($id, 'chunk_open');

    cmp_ok(max(@times) - min(@times), '>', 2.5, 'all the time is there');
    cmp_ok(largest_hole(@times), '<', 0.09, 'without a hole');
    is(records($id, 'gap'), 0, 'and without a gap in the journal');
};


subtest 'a worker that is killed leaves what came until a second ago' => sub {
    my $pid = publish('victim', 8, video('vp8.ivf'), sound(), '--no-delete');
    sleep 1;
    my $id = start();
    sleep 3.2;

    my @workers = $nginx->workers;
    my ($join) = records($id, 'join');
    my $killed = $join->{tMs} / 1000 + 3.2;
    kill KILL => @workers;

    ok($nginx->wait_for(sub {
        my @now = $nginx->workers;
        return @now && !grep { my $w = $_; grep { $_ == $w } @workers } @now;
    }, 10), 'new workers come');

    my @open = records($id, 'chunk_open');
    my @packets = packets(file($id, $open[-1]));

    cmp_ok(max(map { $_->[0] } @packets), '>', $killed - 1,
        'the last chunk reaches to the second before');
    decodes(file($id, $_), "chunk $_->{chunk} decodes") for @open;

    api(POST => 'stop');
    my $data = ended($id);
    is($data->{status}, 'completed', 'the recording is completed all the same');
    is($data->{interruptions}[0]{kind}, 'worker', 'with the interruption');

    kill TERM => $pid;
    wait_for($pid);
    $nginx->{ignore} = qr/exited on signal 9/;
};


subtest 'nginx -s stop writes what it holds' => sub {
    my $pid = publish('last', 6, video('vp8.ivf'), sound());
    sleep 1;
    my $id = start();
    sleep 2.3;

    my ($open) = records($id, 'chunk_open', 'last');
    my @before = packets(file($id, $open));
    $nginx->stop('TERM');
    wait_for($pid);

    my @open = records($id, 'chunk_open', 'last');
    my @packets = map { packets(file($id, $_)) } @open;

    cmp_ok(scalar @packets, '>', scalar @before, 'more than was written');
    decodes(file($id, $_), "chunk $_->{chunk} decodes") for @open;
};


subtest 'a full disk is told, and the worker lives' => sub {
    server(stopped => 1,
        recording => 'recording_chunk 2s; recording_min_free 0;');

    my $records = "$nginx->{dir}/records";
    system(qw(mount -t tmpfs -o), 'size=300k,mode=1777', 'none', $records) == 0
        or die 'mount: a tmpfs is needed';
    $mounted = $records;

    $nginx->start;

    my $pid = publish('big', 7, video('vp8.ivf'), sound());
    sleep 1;
    my $id = start();

    ok($nginx->wait_for(sub {
        return (api(GET => $id)->{error} // {})->{code};
    }, 8), 'there is an error');

    is(api(GET => $id)->{error}{code}, 'disk_full', 'the disk is full');

    my ($open) = records($id, 'chunk_open');
    decodes(file($id, $open), 'what was written decodes');

    unlike($nginx->error_log, qr/exited on signal/, 'no worker died');

    api(POST => 'stop');
    ended($id);
    wait_for($pid);

    $nginx->{ignore} = qr/No space left on device/;
    $nginx->stop;
    is(system('umount', $records), 0, 'no file is left open');
    undef $mounted;
};

done_testing();
