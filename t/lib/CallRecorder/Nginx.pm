package CallRecorder::Nginx;

# Copyright (C) The call recorder authors
#
# Stock nginx with our module in a temporary folder, for the module tests:
#
#     my $nginx = CallRecorder::Nginx->new(http => 'location /whip { whip; }');
#     my $res = $nginx->request(POST => '/whip/room', body => $sdp);
#     $nginx->reload;
#     $nginx->stop;          # also checks the error log
#
# Placeholders in the texts: {{http}}, {{udp}} (free ports), {{dir}}.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use IO::Select;
use IO::Socket::INET;
use POSIX qw(WNOHANG);
use Socket qw(:all);
use Test::More ();
use Time::HiRes qw(sleep time);

our $ROOT = abs_path(dirname(__FILE__) . '/../../..');
our $NGINX = $ENV{CALLREC_NGINX} // '/usr/sbin/nginx';
our $BUILD = $ENV{BUILD} // 'release';
our $USER = $ENV{CALLREC_USER} // 'www-data';
our $SECRET = 'a secret of the tests, 32 bytes!';

my $here = $$;


sub new
{
    my ($class, %opt) = @_;

    my $self = bless {
        dir     => tempdir('callrec-nginx-XXXXXX', TMPDIR => 1, CLEANUP => 1),
        http    => free_port('tcp'),
        udp     => free_port('udp'),
        workers => $opt{workers} // 2,
        module  => $ENV{MODULE}
                   // "$ROOT/build/$BUILD/ngx_callrec_module.so",
        ignore  => $opt{ignore},
        env     => $opt{env} // {},
    }, $class;

    chmod 0755, $self->{dir};

    mkdir "$self->{dir}/$_" or die "mkdir $_: $!" for qw(temp records);
    chmod 0777, "$self->{dir}/$_" for qw(temp records);

    $self->configure(%opt);
    $self->start unless $opt{stopped};

    return $self;
}


# Writes the configuration; for a reload with another one call it again.

sub configure
{
    my ($self, %opt) = @_;

    my $main = $opt{main} // '';
    my $http = $opt{http} // '';
    my $server = $opt{server} // '';
    my $workers = $opt{workers} // $self->{workers};

    my $conf = <<"END";
load_module $self->{module};
worker_processes $workers;
pid {{dir}}/nginx.pid;
error_log {{dir}}/error.log @{[ $opt{log} // 'info' ]};
@{[ $> == 0 ? 'user ' . ($opt{user} // $USER) . ';' : '' ]}
worker_shutdown_timeout @{[ $opt{shutdown} // '20s' ]};
$main
events { worker_connections 512; }
http {
    access_log {{dir}}/access.log;
    client_body_temp_path {{dir}}/temp/body;
    proxy_temp_path {{dir}}/temp/proxy;
    fastcgi_temp_path {{dir}}/temp/fastcgi;
    uwsgi_temp_path {{dir}}/temp/uwsgi;
    scgi_temp_path {{dir}}/temp/scgi;
    $http
    server {
        listen 127.0.0.1:{{http}};
        $server
        location = /ready { return 204; }
    }
}
END

    $conf =~ s/\{\{(http|udp|dir)\}\}/$self->{$1}/g;

    open my $f, '>', "$self->{dir}/nginx.conf" or die "nginx.conf: $!";
    print $f $conf;
    close $f or die "nginx.conf: $!";
}


# Changes the configuration's text, which is in $_.

sub edit
{
    my ($self, $how) = @_;

    local $_ = $self->slurp('nginx.conf');
    $how->();

    open my $f, '>', "$self->{dir}/nginx.conf" or die "nginx.conf: $!";
    print $f $_;
    close $f or die "nginx.conf: $!";
}


# Whether "nginx -t" likes the configuration, and what it says.

sub test
{
    my ($self) = @_;

    my $out = qx($NGINX -t -p $self->{dir} -e $self->{dir}/test.log \\
                 -c $self->{dir}/nginx.conf 2>&1);

    return ($? == 0, $out);
}


sub start
{
    my ($self) = @_;

    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        $ENV{$_} = $self->{env}{$_} for keys %{ $self->{env} };
        open STDOUT, '>', "$self->{dir}/stdout.log";
        open STDERR, '>', "$self->{dir}/stderr.log";
        exec $NGINX, '-p', $self->{dir}, '-e', "$self->{dir}/error.log",
            '-c', "$self->{dir}/nginx.conf", '-g', 'daemon off;'
            or POSIX::_exit(127);
    }

    $self->{pid} = $pid;

    $self->wait_for(sub {
        die "nginx has left:\n" . $self->complaints
            if waitpid($pid, WNOHANG) != 0;
        my $res = eval { $self->request(GET => '/ready', timeout => 1) };
        return $res && $res->{status} == 204;
    }, 20) or die "nginx does not answer:\n" . $self->complaints;
}


# Sends HUP and waits until the new workers are there and, unless old ones
# have something to do (keep => 1), the old ones gone.

sub reload
{
    my ($self, %opt) = @_;

    my %old = map { $_ => 1 } $self->workers;

    kill HUP => $self->{pid};

    return $self->wait_for(sub {
        my @now = $self->workers;
        my @fresh = grep { !$old{$_} } @now;
        return @fresh && ($opt{keep} || @fresh == @now);
    }, $opt{timeout} // 20);
}


# Pids of all workers, those that are shutting down included.

sub workers
{
    my ($self) = @_;

    open my $f, '<', "/proc/$self->{pid}/task/$self->{pid}/children"
        or return;

    return grep { cmdline($_) =~ /worker process/ } split ' ', <$f> // '';
}


sub cmdline
{
    my ($pid) = @_;

    open my $f, '<', "/proc/$pid/cmdline" or return '';
    return <$f> // '';
}


# Stops nginx and reports what should not be in its logs.

sub stop
{
    my ($self, $signal) = @_;

    return unless $self->{pid};

    my $pid = delete $self->{pid};

    kill $signal // 'QUIT', $pid;

    my $gone = $self->wait_for(sub { waitpid($pid, WNOHANG) == $pid }, 30);

    if (!$gone) {
        kill KILL => $pid;
        waitpid $pid, 0;
    }

    Test::More::ok($gone, 'nginx leaves when asked to');

    my $bad = $self->complaints;
    Test::More::is($bad, '', 'nothing alarming in the logs');

    return $gone && $bad eq '';
}


sub complaints
{
    my ($self) = @_;

    my @bad;

    for my $name (qw(error.log stderr.log stdout.log)) {
        my $take;

        for (split /\n/, $self->slurp($name)) {
            $take = 1 if /ERROR: \w+Sanitizer|runtime error:/;
            next if $self->{ignore} && /$self->{ignore}/;
            push @bad, $_
                if $take || /\[(?:alert|emerg|crit)\]/
                    || /exited (?:on signal|with code [1-9])/;
        }
    }

    return join "\n", @bad;
}


sub error_log
{
    my ($self) = @_;

    return $self->slurp('error.log');
}


sub slurp
{
    my ($self, $name) = @_;

    open my $f, '<', "$self->{dir}/$name" or return '';
    local $/;
    return <$f> // '';
}


# A token; claims as arguments, e.g. call => 'room', perms => ['publish'].

sub token
{
    my ($self, %claims) = @_;

    require CallRecorder::Token;

    return CallRecorder::Token::hs256($SECRET, %claims);
}


# One HTTP request on a connection of its own.  Options: headers (array of
# names and values), body, token, timeout, host.  Returns status, headers (hash
# of lower-case names), body.

sub request
{
    my ($self, $method, $uri, %opt) = @_;

    my $s = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1', PeerPort => $self->{http},
        Timeout  => $opt{timeout} // 10) or die "connect: $!\n";

    my @headers = @{ $opt{headers} // [] };

    push @headers, Authorization => "Bearer $opt{token}" if $opt{token};
    push @headers, 'Content-Length' => length $opt{body}
        if defined $opt{body} && !$opt{raw};

    my $text = "$method $uri HTTP/1.1\r\n"
        . 'Host: ' . ($opt{host} // "127.0.0.1:$self->{http}") . "\r\n"
        . "Connection: close\r\n";

    while (my ($name, $value) = splice @headers, 0, 2) {
        $text .= "$name: $value\r\n";
    }

    local $SIG{PIPE} = 'IGNORE';

    $s->autoflush(1);
    print $s "$text\r\n" . ($opt{body} // '');

    my $answer = '';
    my $select = IO::Select->new($s);
    my $deadline = time + ($opt{timeout} // 10);

    while ($select->can_read($deadline - time)) {
        my $n = sysread $s, $answer, 65536, length $answer;
        last unless $n;
    }

    my ($head, $body) = split /\r\n\r\n/, $answer, 2;
    my ($first, @lines) = split /\r\n/, $head // '';
    my ($status) = ($first // '') =~ m{^HTTP/1\.1 (\d{3})}
        or die "no answer to $method $uri\n";

    my %headers;

    for (@lines) {
        my ($name, $value) = split /:\s*/, $_, 2;
        $name = lc $name;
        $headers{$name} = exists $headers{$name}
            ? "$headers{$name}, $value" : $value;
    }

    if (($headers{'transfer-encoding'} // '') eq 'chunked') {
        my $plain = '';
        while ($body =~ s/^([0-9a-fA-F]+)\r\n//) {
            my $n = hex $1 or last;
            $plain .= substr $body, 0, $n, '';
            $body =~ s/^\r\n//;
        }
        $body = $plain;
    }

    return { status => $status, headers => \%headers, body => $body // '' };
}


sub wait_for
{
    my ($self, $condition, $seconds) = @_;

    my $deadline = time + $seconds;

    until ($condition->()) {
        return 0 if time > $deadline;
        sleep 0.05;
    }

    return 1;
}


# That of UDP is TCP's, too.

sub free_port
{
    my ($proto) = @_;

    for (1 .. 50) {
        my $tcp = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
            LocalPort => 0, Listen => 1) or die "free port: $!";

        return $tcp->sockport if $proto eq 'tcp'
            || IO::Socket::INET->new(LocalAddr => '127.0.0.1',
                LocalPort => $tcp->sockport, Proto => 'udp');
    }

    die "no free port\n";
}


sub DESTROY
{
    my ($self) = @_;

    return unless $$ == $here && $self->{pid};

    my @pids = ($self->{pid}, $self->workers);

    kill QUIT => $self->{pid};
    $self->wait_for(sub { waitpid($self->{pid}, WNOHANG) != 0 }, 3)
        or kill KILL => @pids;
}


1;
