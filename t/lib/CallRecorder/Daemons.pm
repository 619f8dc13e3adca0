package CallRecorder::Daemons;

# Copyright (C) The call recorder authors
#
# Servers of other makers in a temporary folder, children of the test: they
# end with it, whatever its end.  Base of Radosgw and Swift.

use strict;
use warnings;

use File::Temp qw(tempdir);
use IO::Socket::INET;
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep time);

use constant PR_SET_PDEATHSIG => 1;

my $prctl = { x86_64 => 157, aarch64 => 167 }->{ (POSIX::uname())[4] };


sub create
{
    my ($class, $name, %self) = @_;

    my $self = bless {
        dir   => tempdir("callrec-$name-XXXXXX", TMPDIR => 1, CLEANUP => 1),
        owner => $$,
        pids  => [],
        %self,
    }, $class;

    return $self;
}


# Ports that nobody has, all different.
sub free_ports
{
    my ($n) = @_;

    my @sockets = map {
        IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0,
            Listen => 1) or die "free port: $!"
    } 1 .. $n;

    return map { $_->sockport } @sockets;
}


sub write_file
{
    my ($self, $name, $text) = @_;

    open my $f, '>', "$self->{dir}/$name" or die "$name: $!";
    print $f $text;
    close $f or die "$name: $!";

    return "$self->{dir}/$name";
}


# To its end, quietly; its words are told if it fails.
sub run
{
    my ($self, @command) = @_;

    my $pid = $self->launch('run.log', @command);
    waitpid $pid, 0;

    die "$command[0] failed:\n" . $self->slurp('run.log') if $?;
}


sub spawn
{
    my ($self, $name, @command) = @_;

    push @{ $self->{pids} }, $self->launch("$name.log", @command);

    return $self->{pids}[-1];
}


sub launch
{
    my ($self, $log, @command) = @_;

    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        syscall $prctl, PR_SET_PDEATHSIG, POSIX::SIGKILL(), 0, 0, 0 if $prctl;
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', "$self->{dir}/$log";
        open STDERR, '>&', \*STDOUT;
        exec @command or POSIX::_exit(127);
    }

    return $pid;
}


sub slurp
{
    my ($self, $name) = @_;

    open my $f, '<', "$self->{dir}/$name" or return '';
    local $/;
    return <$f> // '';
}


# Until the condition holds; dies when one of the servers has left.
sub until_ready
{
    my ($self, $what, $seconds, $condition) = @_;

    my $deadline = time + $seconds;

    until ($condition->()) {
        for my $pid (@{ $self->{pids} }) {
            die "$what: a server has left\n" . $self->logs
                if waitpid($pid, WNOHANG) == $pid;
        }

        die "$what is not ready\n" . $self->logs if time > $deadline;
        sleep 0.1;
    }
}


sub listens
{
    my ($port) = @_;

    return !!IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $port, Timeout => 1);
}


sub logs
{
    my ($self) = @_;

    my @tail;

    for my $path (glob "$self->{dir}/*.log $self->{dir}/log/*.log") {
        open my $f, '<', $path or next;
        my @lines = <$f>;
        splice @lines, 0, -10 if @lines > 10;
        push @tail, "== $path\n", @lines;
    }

    return join '', @tail;
}


sub stop
{
    my ($self) = @_;

    my @pids = @{ $self->{pids} };
    $self->{pids} = [];

    kill TERM => @pids if @pids;

    my $deadline = time + 5;

    for my $pid (@pids) {
        while (waitpid($pid, WNOHANG) == 0) {
            if (time > $deadline) {
                kill KILL => $pid;
                waitpid $pid, 0;
                last;
            }
            sleep 0.05;
        }
    }
}


sub DESTROY
{
    my ($self) = @_;

    return unless $$ == $self->{owner};

    local $?;
    $self->stop;
}


1;
