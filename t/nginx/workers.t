#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# Workers come and go: each has its message sockets, and an idle worker that
# is asked to leave leaves.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Nginx;
use POSIX ();
use Socket qw(AF_UNIX SOCK_DGRAM pack_sockaddr_un);
use Test::More;


# Names of abstract unix sockets that the message module has bound.

sub sockets
{
    open my $f, '<', '/proc/net/unix' or die "/proc/net/unix: $!";
    return map { /\@(callrec\.[0-9a-f]{16}\.(\d+)\.\d)/ ? $2 : () } <$f>;
}

sub ours
{
    my ($nginx) = @_;

    my %workers = map { $_ => 1 } $nginx->workers;
    return scalar grep { $workers{$_} } sockets();
}


my $nginx = CallRecorder::Nginx->new;

ok($nginx->wait_for(sub { $nginx->workers == 2 }, 10), 'two workers');
ok($nginx->wait_for(sub { ours($nginx) == 4 }, 10),
    'each has its two message sockets');

ok($nginx->reload, 'a reload replaces idle workers');
ok($nginx->wait_for(sub { ours($nginx) == 4 }, 10),
    'the new ones have theirs');

my ($victim) = $nginx->workers;
kill KILL => $victim;

ok($nginx->wait_for(sub {
    my @now = $nginx->workers;
    return @now == 2 && !grep { $_ == $victim } @now;
}, 10), 'a killed worker is started again');

ok($nginx->wait_for(sub { ours($nginx) == 4 }, 5), 'and binds its sockets');

{
    my $nobody = getpwnam 'nobody';

    die "only root can be somebody else\n" if $> != 0 || !$nobody;

    open my $f, '<', '/proc/net/unix' or die "/proc/net/unix: $!";
    my ($to) = $nginx->workers;
    my ($name) = map { /\@(callrec\.\w+\.$to\.0)/ } <$f>;

    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        $> = $< = $nobody;
        socket my $s, AF_UNIX, SOCK_DGRAM, 0;
        my $sent = send $s, "\1\3\0\0", 0, pack_sockaddr_un("\0$name");
        POSIX::_exit($sent ? 0 : 1);
    }

    waitpid $pid, 0;
    is($?, 0, 'another user can send to the sockets');
    ok($nginx->wait_for(sub {
        $nginx->error_log =~ /message of process $pid .*refused/ }, 5),
        'but is not listened to');
}

$nginx->{ignore} = qr/exited on signal 9/;
my @last = $nginx->workers;

$nginx->stop;

my %last = map { $_ => 1 } @last;
is(scalar(grep { $last{$_} } sockets()), 0, 'no socket is left');

$nginx = CallRecorder::Nginx->new(workers => 1,
    main => 'master_process off;');
ok($nginx->request(GET => '/ready')->{status} == 204,
    'it works without a master');
$nginx->stop;

done_testing();
