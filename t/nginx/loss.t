#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# Publishers behind a bad network: what can be had again is whole in the
# chunks; what cannot is in the journal, packet by packet.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Fixtures qw(h264_annexb opus_ogg vp8_ivf);
use CallRecorder::Journal;
use CallRecorder::Loss;
use CallRecorder::Whip;
use List::Util qw(sum0);
use Test::More;

my $nginx = CallRecorder::Whip->nginx(
    rtc => 'nack_timeout 2s;',
    http => 'recording_root {{dir}}/records; recording_mix off;
             recording_chunk 2s;',
    server => 'location /video-calls/ { recording_api; }');

my @running;

END { kill KILL => grep { defined } map { $_->{pid} } @running; }


# A call: name, options of the relay, publishers as [name, options].

sub begin
{
    my ($call, $relay, @pubs) = @_;

    my $row = { call => $call };

    $nginx->wait_for(sub {
        $row->{id} = eval {
            CallRecorder::Loss::api($nginx, $call, POST => 'start')
                ->{recordingId};
        };
    }, 10) or die "no recording: $@\n";

    $row->{relay} = CallRecorder::Loss::relay($nginx->{udp}, @$relay);
    $row->{pubs} = [ map {
        my ($name, @options) = @$_;

        CallRecorder::Loss::publish($nginx, call => $call, name => $name,
            relay => $row->{relay}, options => [
                '--duration', 6, '--linger', 3, @options ]);
    } @pubs ];

    push @running, $row->{relay}, @{ $row->{pubs} };

    return $row;
}


sub end
{
    my ($row) = @_;

    for my $pub (@{ $row->{pubs} }) {
        $pub->{report} = CallRecorder::Loss::published($pub);
        is($pub->{report}{error}, undef, "$pub->{name}: it is published");
    }

    $row->{network} = CallRecorder::Loss::relay_stop($row->{relay});
    CallRecorder::Loss::api($nginx, $row->{call}, POST => 'stop');

    ok($nginx->wait_for(sub {
        CallRecorder::Loss::api($nginx, $row->{call}, GET => $row->{id})
            ->{status} eq 'completed';
    }, 20), "$row->{call}: completed");

    $_->{media} = { CallRecorder::Loss::judge($nginx, $row->{call},
        $row->{id}, $_) } for @{ $row->{pubs} };
}


# Both at once.  How long a handshake takes under loss is no question here.

my @video = (['vp8', '--video', vp8_ivf(), '--audio', opus_ogg(),
              '--audio-nack'],
             ['h264', '--video', h264_annexb(), '--audio', opus_ogg(880),
              '--audio-nack']);

my $lossy = begin('lossy', [qw(--delay 50 --loss 10 --seed 7
    --spare-handshake)], @video);
my $hopeless = begin('hopeless', [qw(--delay 20 --hopeless 2 --seed 3)],
    map { [ @$_, '--no-rtx' ] } @video);

end($_) for $lossy, $hopeless;


subtest '10 % loss at 100 ms costs nothing' => sub {
    cmp_ok($lossy->{network}{up}{dropped}, '>', 200, 'packets were dropped');
    cmp_ok($lossy->{network}{down}{dropped}, '>', 10, 'NACKs were, too');

    for my $pub (@{ $lossy->{pubs} }) {
        my ($v, $a) = @{ $pub->{media} }{qw(v a)};

        cmp_ok($v->{sent}, '>', 100, "$pub->{name}: frames were sent");
        is("@{ $v->{missing} }", '', "$pub->{name}: each frame is whole");
        is($v->{shown}, $v->{sent}, "$pub->{name}: and can be shown");
        is("@{ $a->{missing} }", '', "$pub->{name}: all sound is whole");
        is($v->{strange} + $a->{strange}, 0,
            "$pub->{name}: nothing else was made of it");
        cmp_ok($pub->{report}{nackBytes}, '<', 50_000,
            "$pub->{name}: NACKs are bounded");
    }

    # but the very last frame may lack its end, which nothing tells of
    is(join(' ', map { "$_->{track}: $_->{fromMs}-$_->{toMs} $_->{packets}" }
        grep { $_->{packets} != 0 }
        CallRecorder::Journal::records($nginx, 'lossy', $lossy->{id}, 'gap')),
        '', 'the journal has no gap');
};


subtest 'what is lost for good is in the journal, packet by packet' => sub {
    my @gaps = CallRecorder::Journal::records($nginx, 'hopeless',
        $hopeless->{id}, 'gap');

    cmp_ok($hopeless->{network}{missing}, '>', 20, 'packets are missing');
    is(sum0(map { $_->{packets} } @gaps), $hopeless->{network}{missing},
        'the gaps have exactly as many');
    is((grep { $_->{reason} ne 'lost' } @gaps), 0, 'for they were lost');
    is((grep { $_->{toMs} < $_->{fromMs} } @gaps), 0, 'each at its time');

    for my $pub (@{ $hopeless->{pubs} }) {
        my ($v, $a) = @{ $pub->{media} }{qw(v a)};

        is("@{ $v->{untrue} }", '', "$pub->{name}: the gaps of the video are "
            . 'at the times of its missing frames, and nowhere else');
        is("@{ $a->{untrue} }", '', "$pub->{name}: those of the sound, too");
        cmp_ok($v->{whole}, '<', $v->{sent}, "$pub->{name}: frames are not");
        cmp_ok($v->{whole}, '>', $v->{sent} / 2, "$pub->{name}: most are");
        cmp_ok($a->{whole}, '<', $a->{sent}, "$pub->{name}: nor all sound");
        cmp_ok($pub->{report}{plis}, '>', 1,
            "$pub->{name}: keyframes were asked for");
    }
};


$nginx->stop;

done_testing();
