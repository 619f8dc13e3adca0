#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# The callrec muxer against a small server (docs/mix-protocol.md).

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use File::Temp ();
use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Mix;
use CallRecorder::Nginx;
use CallRecorder::PartsServer;
use Test::More;
use Time::HiRes qw(time sleep);


my $rec = CallRecorder::Mix->new;
$rec->session(id => 'a', start => 0, media => $rec->encode(seconds => 4,
    video => 'testsrc=s=320x240:r=30', audio => CallRecorder::Mix::sound(500)));
$rec->stop(4000);
$rec->write_journal;

$ENV{CALLREC_TOKEN} = 'f00d' x 16;


# Mixes into a server of its own: the server and ffmpeg's error or ''.

sub upload {
    my (%arg) = @_;

    my $tmp = File::Temp->newdir;
    my $server = CallRecorder::PartsServer->start(dir => "$tmp", tmp => $tmp,
        token => 'f00d' x 16, answer => $arg{answer}, port => $arg{port});
    my @command = ('-filter_complex',
        'callmix=dir=' . $rec->dir . ':size=320x240[v][a]',
        qw(-map [v] -map [a] -c:v libx264 -preset ultrafast -bf 2 -c:a aac),
        @{$arg{args} // []}, '-f', 'callrec', $arg{url} // $server->url);

    my $start = time;
    eval { $rec->run(@command) };
    $server->{took} = time - $start;
    $server->stop;
    return ($server, $@);
}


sub boxes {
    my ($file) = @_;
    my (@boxes, $pos, $head);

    open my $fh, '<:raw', $file or die "$file: $!";
    for ($pos = 0; seek($fh, $pos, 0) && read($fh, $head, 16) >= 8; ) {
        my ($size, $type) = unpack 'NA4', $head;

        $size = unpack 'Q>', substr $head, 8 if $size == 1;
        push @boxes, $type;
        die "box of size $size" if $size < 8;
        $pos += $size;
    }

    die 'boxes do not fill the file' if $pos != -s $file;
    return "@boxes";
}


sub probe {
    my ($file) = @_;

    my @command = (qw(ffprobe -v error -count_frames -of csv=p=0),
        '-show_entries', 'stream=codec_name,nb_read_frames,start_time', $file);

    open my $fh, '-|', @command or die "ffprobe: $!";
    my $text = do { local $/; <$fh> };

    return join ' ', split ' ', $text;
}


my ($server, $error) = upload(args => [qw(-part_size 20000 -duration_hint 4)]);
my $file = $server->file;
my @requests = $server->requests;

is($error, '', 'a mix is handed over');
ok($file, 'it is complete: parts, size and digest are right') or BAIL_OUT('');
is(boxes($file), 'ftyp moov free free mdat', 'the index is in front');
is(probe($file), 'h264,0.000000,120 aac,0.000000,188',
    'all frames are there, nothing is late');

my @order = map { m{/parts/(\d+)} ? $1 : () } @requests;
is("@order", join(' ', 1 .. $#order, 0), 'parts in order, the head last');
ok(@order > 3, '...several of them');
is(scalar(grep { $_ eq 'connect' } @requests), 1, 'one connection');
is(scalar(grep { !/ 204 / && $_ ne 'connect' } @requests), 0,
    'all requests are accepted');
like($requests[1], qr{^POST \S+/progress 204}, 'a heartbeat comes first');
like($requests[-1], qr{^POST \S+/complete 204}, 'complete comes last');

my $told = $server->complete;
is_deeply([@$told{qw(format durationMs sizeBytes parts)}],
    ['mp4', $told->{durationMs}, -s $file, scalar @order], 'what it tells');
ok(abs($told->{durationMs} - 4000) < 50, '...the duration')
    or diag $told->{durationMs};
is_deeply($told->{video}, { codec => 'h264', width => 320, height => 240 },
    '...the picture');
is_deeply($told->{audio},
    { codec => 'aac', sampleRate => 48000, channels => 2 }, '...the sound');


# the same as FFmpeg's own MP4

my $local = $rec->dir . '/local.mp4';
my @exact = qw(-fflags +bitexact -flags:v +bitexact -flags:a +bitexact
    -threads:v 1);
$rec->run('-filter_complex', 'callmix=dir=' . $rec->dir . ':size=320x240[v][a]',
    qw(-map [v] -map [a] -c:v libx264 -preset ultrafast -bf 2 -c:a aac),
    @exact, '-moov_size', 20000, $local);
($server, $error) = upload(args => [@exact, '-head_size', 20000]);
is($error, '', 'a fixed head');

sub sha {
    open my $fh, '<:raw', shift or die $!;
    return sha256_hex(do { local $/; <$fh> });
}

is(sha($server->file), sha($local), 'byte by byte what the mp4 muxer writes');


# an index that does not fit

($server, $error) = upload(args => [qw(-head_size 1000 -part_size 9999)]);
is($error, '', 'an index longer than its place is no error');
is(boxes($server->file), 'ftyp free free mdat moov', '...it goes to the end');
is(probe($server->file), 'h264,0.000000,120 aac,0.000000,188',
    '...and is right');


# a server in trouble

my %seen;

($server, $error) = upload(args => [qw(-part_size 40000)], answer => sub {
    my ($path) = $_[1]{path} =~ m{composite/(\w+(?:/\d+)?)};

    return $seen{$path}++ ? undef
        : { 'parts/1' => 503, 'parts/2' => 0, complete => 500 }->{$path};
});
is($error, '', 'trouble that passes is no error');
ok(scalar(grep { / 503 / } $server->requests), '...503 was tried again');
ok(scalar(grep { / closed/ } $server->requests), '...a closed connection');
ok(scalar(grep { /complete 500/ } $server->requests), '...complete');
is(boxes($server->file), 'ftyp moov free free mdat', '...the file is whole');

($server, $error) = upload(args => [qw(-part_size 4096 -retry_timeout 1)],
    answer => sub { $_[1]{path} =~ m{/parts/} ? 500 : undef });
like($error, qr/given up/, 'trouble that stays is an error');
like(($server->requests)[-1], qr{/abort 204}, '...and ends with abort');
ok(!$server->file, '...and no file');


# refusals end it at once

for my $status (401, 403, 404, 409, 410, 422) {
    ($server, $error) = upload(args => [qw(-part_size 4096)],
        answer => sub { $_[1]{path} =~ m{/parts/2} ? $status : undef });

    my @last = $server->requests;
    like($error, qr/refused with $status/, "$status is an error");
    like($last[-1], qr{parts/2\S* $status }, '...nothing more is sent');
}

{
    local $ENV{CALLREC_TOKEN} = 'wrong';
    ($server, $error) = upload();
    like($error, qr/refused with 401/, 'a wrong token is refused');
    unlike($error, qr/wrong/, '...and not in the log');
}

{
    local $ENV{CALLREC_TOKEN};
    ($server, $error) = upload();
    like($error, qr/CALLREC_TOKEN is not set/, 'no token: an error');
}

($server, $error) = upload(url => 'ftp://127.0.0.1/x');
like($error, qr/is not a URL/, 'another protocol: an error');
($server, $error) = upload(url => 'http://127.0.0.1:1/x/y',
    args => [qw(-retry_timeout 0.5)]);
like($error, qr/given up/, 'nobody there: an error');
ok($server->{took} < 20, '...in good time');


# a server that takes its time

($server, $error) = upload(args => [qw(-part_size 4096)], answer => sub {
    sleep 0.05;
    return undef;
});
is($error, '', 'a slow server holds the encoder back and loses nothing');
is(boxes($server->file), 'ftyp moov free free mdat', '...the file is whole');


# by TLS, whose certificate has to be good

{
    my ($port, $tls) = map { CallRecorder::Nginx::free_port('tcp') } 1 .. 2;
    my $tmp = File::Temp->newdir;

    system('openssl req -x509 -newkey rsa:2048 -nodes -days 2 -batch '
        . "-keyout $tmp/$_.key -out $tmp/$_.crt -subj /CN=localhost "
        . '-addext subjectAltName=IP:127.0.0.1 2> /dev/null') == 0 or die "openssl: $?" for qw(right wrong);

    my $nginx = CallRecorder::Nginx->new(http => <<"END");
    server {
        listen 127.0.0.1:$tls ssl;
        ssl_certificate $tmp/right.crt;
        ssl_certificate_key $tmp/right.key;
        client_max_body_size 10m;
        location / { proxy_http_version 1.1; proxy_pass http://127.0.0.1:$port; }
    }
END

    for (['right', 1], ['wrong', 0]) {
        my ($ca, $good) = @$_;
        my ($server, $error) = upload(port => $port,
            url => "https://127.0.0.1:$tls/recording-parts/rec_1/composite",
            args => ['-ca_file', "$tmp/$ca.crt", '-retry_timeout', 1]);

        is(!!$server->file, !!$good, "https, ca_file is the $ca one: "
            . ($good ? 'the file comes' : 'nothing comes')) or diag $error;
    }

    $nginx->stop;
}

done_testing();
