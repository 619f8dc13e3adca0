#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# FFmpeg's own WHIP muxer, which t/nginx/clients.t imitates: every picture and
# every packet of sound that was in its input is in the chunks, and what the
# network loses of the video it sends again.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Netns;
use CallRecorder::Ledger qw(recorded);
use CallRecorder::Media qw(run);
use CallRecorder::Mkv;
use CallRecorder::Recorder;
use Compress::Zlib qw(crc32);
use List::Util qw(any sum0);
use Test::More;

my $SECONDS = 8;
my $ffmpeg = $ENV{FFMPEG_WHIP}
    // "$CallRecorder::Nginx::ROOT/build/ffmpeg-whip/ffmpeg";

-x $ffmpeg or BAIL_OUT("$ffmpeg is missing: make ffmpeg-whip");

my $rec = CallRecorder::Recorder->new(mix => 'recording_mix off;',
                                      http => 'recording_chunk 3s;');
my $input = "$rec->{dir}/input.mkv";

run(qw(ffmpeg -v error -f lavfi -i testsrc2=s=640x360:r=30
    -f lavfi -i sine=440 -t), $SECONDS, qw(-pix_fmt yuv420p -c:v libx264
    -preset ultrafast -tune zerolatency -profile:v baseline -b:v 1500k -g 30
    -ac 2 -ar 48000 -c:a libopus), $input);

my $source = CallRecorder::Mkv::read_file($input);
my @pictures = pictures($input);
my @sound = map { length $_->{data} } grep { $_->{track} == 2 }
    @{ $source->{frames} };

subtest 'on a clean way' => sub {
    my ($id, $end) = publish();
    my $got = recorded($rec, $id, 'ffmpeg');

    # its DELETE comes right behind its last packet
    is_deeply [ map { $_->[1] } @{ $got->{audio} } ], \@sound,
        'all sound is there';
    is_deeply [ map { pictures($_) } files($id) ], \@pictures,
        'and all pictures';
    is_deeply [ grep { $_->{ev} eq 'gap' } $rec->journal($id) ], [],
        'nothing is lost';
};

subtest 'with 3 % loss' => sub {
    my ($id, $end) = publish(3);
    my @video = @{ recorded($rec, $id, 'ffmpeg')->{video} };
    my @gaps = gaps($id, 'video');
    my %sent = map { crc32($_->{data}) => 1 }
        grep { $_->{track} == 1 } @{ $source->{frames} };
    my @other = grep { !$sent{ $_->[2] } } @video;

    # it looks for NACKs when it has something to send, so not after its last
    # picture, and late on a loaded machine
    cmp_ok scalar @video, '>=', 0.9 * @pictures, 'pictures are there';
    cmp_ok $end->{recovered}, '>=', 5, 'FFmpeg understands our NACKs';

    is_deeply [ grep { !in_gap($_->[0], @gaps) } @other ], [],
        'a picture unlike any that was sent is within a gap';
    cmp_ok @pictures - @video, '<=', $end->{given},
        'each that is missing was given up';
    cmp_ok total(@gaps) + total(gaps($id, 'audio')), '==', $end->{given},
        'gaps have all packets that were given up';

    diag "lost $end->{lost}, recovered $end->{recovered}, "
        . "given up $end->{given}, of video ", total(@gaps);
};

$rec->stop;
done_testing();


# A recording of FFmpeg's publishing, with so many percent of its packets lost
# once it is connected; its id, and what the log says of the session.
sub publish
{
    my ($loss) = @_;

    my $id = $rec->start_recording;
    my $token = $rec->token(call => 'room', sub => 'ffmpeg',
                            perms => ['publish']);
    my $before = length $rec->error_log;
    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        open STDOUT, '>', "$rec->{dir}/ffmpeg.log";
        open STDERR, '>&', \*STDOUT;
        exec $ffmpeg, qw(-nostdin -v debug -re -i), $input,
            qw(-c copy -f whip -handshake_timeout 60000 -authorization),
            $token, "http://127.0.0.1:$rec->{http}/whip/room"
            or POSIX::_exit(127);
    }

    if ($loss) {
        $rec->wait_for(sub {
            substr($rec->error_log, $before) =~ /session \w+ connected/ }, 60);
        run('nft', 'add table ip test; add chain ip test in { type filter '
            . 'hook input priority 0; }; add rule ip test in udp dport '
            . "$rec->{udp} numgen random mod 100 < $loss drop");
    }

    waitpid $pid, 0;
    is $?, 0, 'FFmpeg publishes' or diag $rec->slurp('ffmpeg.log');
    run(qw(nft delete table ip test)) if $loss;

    my %end;

    ok $rec->wait_for(sub {
        my $log = substr $rec->error_log, $before;
        @end{qw(reason lost recovered given)} = $log =~ /ended:\ (\S+), .*?
            lost:\ (\d+),\ recovered:\ (\d+),\ given\ up:\ (\d+)/x;
    }, 20), 'its session ends';
    # close_notify may overtake the DELETE on its way to the other worker
    like $end{reason}, qr/^(?:dtls-)?closed$/, 'because it said so' if !$loss;

    $rec->stop_recording;
    is $rec->wait_status($id, 'completed')->{status}, 'completed',
        'the recording is completed';

    return ($id, \%end);
}


sub gaps
{
    my ($id, $kind) = @_;

    my ($track) = map { $_->{track} } grep {
        $_->{ev} eq 'track' && $_->{kind} eq $kind } $rec->journal($id);

    return grep { $_->{ev} eq 'gap' && $_->{track} == $track }
        $rec->journal($id);
}


sub in_gap
{
    my ($ms, @gaps) = @_;

    return any { $_->{fromMs} <= $ms && $ms < $_->{toMs} } @gaps;
}


sub total
{
    return sum0 map { $_->{packets} } @_;
}


sub files
{
    my ($id) = @_;

    return map { $rec->folder($id) . "/$_->{file}" }
        grep { $_->{ev} eq 'chunk_open' } $rec->journal($id);
}


# A digest of each picture of a file.
sub pictures
{
    my ($file) = @_;

    return map { (split /,\s*/)[5] } grep { !/^#/ } split /\n/,
        run(qw(ffmpeg -v error -xerror -i), $file, qw(-map 0:v -vf),
            'settb=1/30,setpts=N', qw(-fps_mode passthrough -f framemd5 -));
}
