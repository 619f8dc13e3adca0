package CallRecorder::FileServer;

# Copyright (C) The call recorder authors
#
# Serves a folder by HTTP/1.1 as an object store does, ranges included, and can
# be told to fail.  Each answer has a process of its own; requests are read one
# after another, so that they can be counted.
#
#     my $server = CallRecorder::FileServer->new($dir, sub {
#         my ($request) = @_;     # path, query, nth of this path, range, header
#         return { status => 500 } if $request->{nth} == 1;
#         return;                 # as it should be
#     });
#
# What the sub can ask for: status => N; location => URL; body => text instead
# of the file; short => bytes after which the connection ends; stall => bytes
# after which nothing comes any more; slow => seconds that a body takes;
# chunked => 1, for an answer without its length; length => N, for one with
# another; ranges => 0; delay => seconds before the answer.

use strict;
use warnings;

use IO::Socket::INET;
use Time::HiRes qw(sleep);


sub new
{
    my ($class, $dir, $answer) = @_;

    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
        Listen => 64, ReuseAddr => 1) or die "listen: $!";
    my $self = bless { dir => $dir, answer => $answer // sub { },
        port => $listen->sockport, owner => $$ }, $class;

    pipe my $read, my $write or die "pipe: $!";
    $self->{log} = $read;

    $self->{pid} = fork // die "fork: $!";

    if ($self->{pid} == 0) {
        close $read;
        $write->autoflush;
        setpgrp;
        $SIG{TERM} = 'DEFAULT';
        $SIG{CHLD} = 'IGNORE';
        $self->{requests} = $write;
        $self->run($listen);
        exit 0;
    }

    setpgrp $self->{pid}, $self->{pid};

    return $self;
}


sub url
{
    my ($self, $path) = @_;

    return "http://127.0.0.1:$self->{port}" . ($path // '');
}


# Ends it; returns its requests, "path?query", with " N-" behind when it was
# for what begins at byte N.
sub stop
{
    my ($self) = @_;

    return if !$self->{pid} || $$ != $self->{owner};

    local $?;
    kill TERM => -$self->{pid};
    waitpid delete $self->{pid}, 0;

    my $log = $self->{log};
    chomp(my @requests = <$log>);

    return @requests;
}


sub DESTROY { $_[0]->stop }


sub run
{
    my ($self, $listen) = @_;
    my %count;

    while (1) {
        my $conn = $listen->accept or next;
        my $request = read_request($conn) or next;

        $request->{nth} = ++$count{$request->{path}};
        print { $self->{requests} } $request->{target},
            $request->{range} ? " $request->{range}-" : '', "\n";

        my $how = $self->{answer}->($request) // {};
        my $pid = fork // die "fork: $!";

        if ($pid == 0) {
            close $listen;
            $self->answer($conn, $request, $how);
            exit 0;
        }
    }
}


sub read_request
{
    my ($conn) = @_;

    my $line = <$conn> // return;
    my ($target) = $line =~ m{^GET (/\S*) HTTP/1\.1\r\n$} or return;
    my ($path, $query) = split /\?/, $target, 2;
    my %header;

    while (defined($line = <$conn>) && $line ne "\r\n") {
        $header{lc $1} = $2 if $line =~ /^([^:]+): *(.*?)\r\n$/;
    }

    my ($range) = ($header{range} // '') =~ /^bytes=(\d+)-$/;

    return { path => $path, target => $target, query => $query // '',
        range => $range // 0, header => \%header };
}


sub answer
{
    my ($self, $conn, $request, $how) = @_;

    my $path = $request->{path} =~ s/%(..)/chr hex $1/ger;
    my $body = $how->{body} // slurp("$self->{dir}$path");
    my $status = $how->{status} // ($how->{location} ? 302
        : defined $body ? 200 : 404);
    my $from = $how->{ranges} // 1 ? $request->{range} : 0;
    my $extra = $how->{location} ? "Location: $how->{location}\r\n" : '';

    if ($status != 200) {
        $body = "<Error><Code>Test</Code></Error>\n";

    } elsif ($from) {
        my $size = length $body;
        $status = $from < $size ? 206 : 416;
        $extra = sprintf "Content-Range: bytes %d-%d/%d\r\n", $from,
            $size - 1, $size if $status == 206;
        $body = $status == 206 ? substr $body, $from : '';
    }

    my $length = $how->{length} // length $body;
    $extra .= $how->{chunked} ? "Transfer-Encoding: chunked\r\n"
        : "Content-Length: $length\r\n";
    $body = sprintf("%x\r\n%s\r\n", $length, $body) . "0\r\n\r\n"
        if $how->{chunked};

    my $cut = $how->{short} // $how->{stall};
    substr($body, $cut) = '' if defined $cut && $cut < length $body;

    sleep $how->{delay} if $how->{delay};

    binmode $conn;
    $conn->autoflush;
    $SIG{PIPE} = 'IGNORE';
    print $conn "HTTP/1.1 $status Test\r\nConnection: close\r\n$extra\r\n";

    if ($how->{slow}) {
        my $step = int(length($body) / 10) + 1;

        for (my $at = 0; $at < length $body; $at += $step) {
            sleep $how->{slow} / 10;
            print $conn substr $body, $at, $step;
        }

    } else {
        print $conn $body;
    }

    sleep 600 if defined $how->{stall};
}


sub slurp
{
    my ($path) = @_;

    return if !-f $path;
    open my $f, '<:raw', $path or return;
    local $/;

    return <$f>;
}


1;
