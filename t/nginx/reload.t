#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# Configurations that come and go by a reload: the module into an nginx that
# runs already, and changes that old workers could not follow.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Fixtures qw(vp8_ivf opus_ogg);
use CallRecorder::Nginx;
use CallRecorder::Recorder;
use Test::More;


my $http = 'recording_root {{dir}}/records; recording_mix off;
            recording_jwt_key "' . $CallRecorder::Nginx::SECRET . '";';
my $server = 'location /video-calls/ { recording_api; }
              location /whip/ { whip; }';

sub rtc { return "rtc { listen 127.0.0.1:{{udp}}; $_[0] }" }


# An nginx that has been there before us.

my $nginx = CallRecorder::Nginx->new(stopped => 1);

$nginx->edit(sub { s/^load_module.*\n//m });
$nginx->start;

$nginx->configure(main => rtc(''), http => $http, server => $server);

ok($nginx->reload, 'the module is loaded by a reload');

my $uri = '/video-calls/room/recording/start';
my $token = $nginx->token(call => 'room', perms => ['record']);

ok($nginx->wait_for(sub {
    $nginx->request(POST => $uri, token => $token)->{status} =~ /201|409/
}, 10), 'and records');


# What workers of two generations have in common stays as it is.

$nginx->configure(main => rtc('zone rtc 8m;'), http => $http,
    server => $server);
refused('another size of the zone', qr/"zone" cannot be changed by a reload/);

$nginx->configure(main => rtc('zone other 16m;'), http => $http,
    server => $server);
refused('another zone', qr/"zone" cannot be changed by a reload/);

$nginx->configure(main => rtc('max_sessions 10;'), http => $http,
    server => $server);
ok($nginx->reload, 'a reload without such a change is well');

$nginx->{ignore} = qr/cannot be changed by a reload/;
$nginx->stop;


# No mix any more, while a process is at it; nobody starts another one.

$nginx = CallRecorder::Recorder->new(
    ignore   => qr/unknown process \d+ exited/,
    mix      => 'recording_mix batch;
                 recording_exec /usr/bin/perl {{dir}}/fake-mix.pl hangs
                     $recording_parts_url $recording_attempt;',
    programs => ["$CallRecorder::Nginx::ROOT/t/tools/fake-mix.pl"]);

my $pub = $nginx->publish('alice', video => vp8_ivf(), audio => opus_ogg());
my $id = $nginx->start_recording;

$nginx->wait_for(sub { defined $nginx->status($id)->{firstMediaAt} }, 10);
$nginx->leave($pub);
$nginx->stop_recording;

ok($nginx->wait_for(sub { $nginx->error_log =~ /#1: ".*", pid (\d+)/ }, 10),
    'a process makes the output');
my ($pid) = $nginx->error_log =~ /#1: ".*", pid (\d+)/;

$nginx->edit(sub { s/recording_mix batch/recording_mix off/ });
ok($nginx->reload, 'the mix is turned off');

kill KILL => $pid;
is($nginx->wait_status($id, 'completed', 20)->{status}, 'completed',
    'the recording does not wait for an output for ever');
$nginx->stop;

done_testing();


sub refused
{
    my ($what, $why) = @_;

    my @before = sort $nginx->workers;
    my $seen = length $nginx->error_log;

    kill HUP => $nginx->{pid};

    ok($nginx->wait_for(sub {
        substr($nginx->error_log, $seen) =~ $why }, 5), "$what is refused");
    is_deeply([sort $nginx->workers], \@before, 'the workers stay');
}
