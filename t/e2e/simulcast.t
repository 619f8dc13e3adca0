#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# A real browser sends its camera in layers and a second video beside:
# which of them are written, and what becomes of the recording when the best
# layer is switched off and on again.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Browser qw(browser);
use CallRecorder::Media qw(probe run);
use CallRecorder::Recorder;
use List::Util qw(max);
use Test::More;

# of a card of 640x480, of which a browser makes no third
my @LAYERS = qw(160x120 320x240);

my ($rec, $browser, @journal);


sub events
{
    my ($event) = @_;

    return grep { $_->{ev} eq $event } @journal;
}


# The best layer of the camera and the screen's size in the newest chunk.

sub newest
{
    my ($id) = @_;

    @journal = $rec->journal($id);

    my %role = map { $_->{track} => $_->{role} // '' } events('track');
    my ($chunk) = reverse events('chunk_open');
    my %size;

    push @{ $size{ $role{ $_->{track} } } }, "$_->{width}x$_->{height}"
        for grep { $_->{kind} eq 'video' } @{ $chunk->{tracks} };

    return ([ @{ $size{camera} // [] } ], [ @{ $size{screen} // [] } ]);
}


sub wait_camera
{
    my ($id, $seconds, @sizes) = @_;

    return $rec->wait_for(sub {
        my ($camera) = eval { newest($id) };
        return $camera && "@$camera" eq "@sizes";
    }, $seconds);
}


sub layer
{
    my ($n, $on) = @_;

    return $browser->evaluate(
        "(async () => { const s = whip.pc.getSenders()"
        . ".find((s) => s.track?.kind === 'video');"
        . "const p = s.getParameters(); p.encodings[$n].active = $on;"
        . 'await s.setParameters(p); return p.encodings.length; })()');
}


sub begin
{
    my ($mode, $query) = @_;

    $rec = CallRecorder::Recorder->new(mix => 'recording_mix off;',
        http => "recording_simulcast $mode; recording_chunk 3s;",
        CallRecorder::Browser::page());

    my $id = $rec->start_recording;

    $browser = browser($rec, 'alice', query => $query);
    ok $browser->wait_event('connected', 60), 'it publishes'
        or diag $browser->said;

    return $id;
}


# All chunks decode to what the journal says of them.

sub finish
{
    my ($id) = @_;

    $browser->leave;
    ok $browser->wait_event('left', 20), 'it leaves' or diag $browser->said;

    $rec->stop_recording;
    is $rec->wait_status($id, 'completed')->{status}, 'completed',
        'it is recorded';

    @journal = $rec->journal($id);

    for my $chunk (events('chunk_open')) {
        my $file = $rec->folder($id) . "/$chunk->{file}";
        my ($first) = grep { $_->{kind} eq 'video' } @{ $chunk->{tracks} };

        next if !$first;

        my ($video) = grep { $_->{codec_type} eq 'video' }
            @{ probe($file)->{streams} };

        is "$video->{width}x$video->{height}",
            "$first->{width}x$first->{height}",
            "chunk $chunk->{chunk}: its first video";

        my @frames = grep { !/^#/ } split /\n/,
            run(qw(ffmpeg -v error -xerror -nostdin -i), $file,
                qw(-map 0:v:0 -fps_mode passthrough -f framecrc -));

        cmp_ok scalar @frames, '>', 0,
            "chunk $chunk->{chunk}: decodes from its first picture";
    }

    is scalar(grep { $_->{reason} ne 'layer' } events('gap')), 0,
        'nothing is lost';
}


subtest 'the best layer, and a screen' => sub {
    my $id = begin('highest', 'source=test&simulcast=1&screen=test');

    ok wait_camera($id, 60, $LAYERS[1]), 'the best layer is written alone';
    ok $rec->wait_for(sub { ((newest($id))[1])->[0] }, 20),
        'the screen, too';

    is layer(1, 'false'), 3, 'the best layer goes off';
    ok wait_camera($id, 20, $LAYERS[0]), 'the next one goes on';

    is layer(1, 'true'), 3, 'it comes back';
    ok wait_camera($id, 40, $LAYERS[1]), 'and is written again';

    finish($id);

    my @holes = map { $_->{toMs} - $_->{fromMs} } events('gap');

    cmp_ok max(0, @holes), '<', 3000, 'no hole but a short one'
        or diag explain [ events('gap') ];
    diag 'between layers: ', join(' ', map { "$_ ms" } @holes);

    is_deeply [ map { $_->{rid} // '' } grep { $_->{kind} eq 'video' }
        events('track') ], ['q', 'h', 'f', ''], 'all layers have a track';
};


subtest 'all layers' => sub {
    my $id = begin('all', 'source=test&simulcast=1');

    ok wait_camera($id, 60, reverse @LAYERS),
        'all are written, the largest first';
    finish($id);
};


subtest 'few people' => sub {
    my $id = begin('auto', 'source=test&simulcast=1');

    ok wait_camera($id, 60, $LAYERS[1]), 'the best layer is enough';
    finish($id);
};


done_testing;
