package CallRecorder::Credentials;

# Copyright (C) The call recorder authors
#
# The credential endpoints of clouds, for tests: instance metadata (IMDSv2),
# a container's, and STS.  Each answer has an access key of its own, KEY<n>,
# that lives for a few seconds.
#
#     my $c = CallRecorder::Credentials->new(dir => $folder, life => 8);
#     $c->url; $c->fail(1); $c->log;

use strict;
use warnings;

use IO::Socket::INET;
use POSIX qw(strftime);


sub new
{
    my ($class, %self) = @_;

    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
        LocalPort => 0, Listen => 16, ReuseAddr => 1) or die "listen: $!";

    my $self = bless {
        life => 8, access => 'KEY', secret => 'SECRET', %self,
        port => $listen->sockport, owner => $$,
    }, $class;

    $self->{pid} = fork // die "fork: $!";

    if ($self->{pid} == 0) {
        $SIG{TERM} = 'DEFAULT';
        while (my $s = $listen->accept) {
            $self->serve($s);
        }
        POSIX::_exit(0);
    }

    return $self;
}


sub url { return "http://127.0.0.1:$_[0]{port}" }


# From now on (or no longer) nothing but 500s.
sub fail
{
    my ($self, $fail) = @_;

    my $name = "$self->{dir}/fail";

    if ($fail) {
        open my $f, '>', $name or die "$name: $!";

    } else {
        unlink $name;
    }
}


# "METHOD path status" lines.
sub log
{
    my ($self) = @_;

    open my $f, '<', "$self->{dir}/endpoints.log" or return;
    chomp(my @lines = <$f>);

    return @lines;
}


sub serve
{
    my ($self, $s) = @_;

    my ($head, $body) = ('', '');

    while (index($head, "\r\n\r\n") < 0) {
        sysread $s, $head, 4096, length $head or return;
    }

    ($head, $body) = split /(?<=\r\n)\r\n/, $head, 2;

    my ($length) = $head =~ /^Content-Length: (\d+)/mi;

    while (length $body < ($length // 0)) {
        sysread $s, $body, 4096, length $body or return;
    }

    my ($method, $path) = $head =~ m{^(\S+) (\S+) HTTP/1\.1\r\n} or return;
    my ($status, $text) = -e "$self->{dir}/fail" ? (500, 'later')
        : $self->answer("$method $path", $head, $body);

    open my $log, '>>', "$self->{dir}/endpoints.log" or die "log: $!";
    print $log "$method $path $status\n";
    close $log;

    # in two pieces, and every second time in chunks
    my $fields = "HTTP/1.1 $status Status\r\nConnection: close\r\n";

    $s->autoflush(1);

    if ($self->{served}++ % 2) {
        my $half = int(length($text) / 2);
        print $s "${fields}Transfer-Encoding: chunked\r\n\r\n";
        printf $s "%x\r\n%s\r\n", length $_, $_
            for grep { length } substr($text, 0, $half), substr $text, $half;
        print $s "0\r\n\r\n";

    } else {
        print $s "${fields}Content-Length: " . length($text) . "\r\n\r\n";
        print $s $text;
    }
}


sub answer
{
    my ($self, $what, $head, $body) = @_;

    my $roles = '/latest/meta-data/iam/security-credentials/';
    my $imds = $head =~ /^X-aws-ec2-metadata-token: imds-token\r$/mi;

    if ($what eq 'PUT /latest/api/token') {
        return $head =~ /^X-aws-ec2-metadata-token-ttl-seconds: \d+\r$/mi
            ? (200, 'imds-token') : (400, '');
    }

    return (401, '') if $what =~ /\Q$roles\E/ && !$imds;
    return (200, "the-role\n") if $what eq "GET $roles";
    return (200, $self->json('"Code":"Success",'))
        if $what eq "GET ${roles}the-role";

    if ($what eq 'GET /container?id=1') {
        return $head =~ /^Authorization: pod-token\r$/mi
            ? (200, $self->json('')) : (403, '{"code":"denied"}');
    }

    if ($what eq 'POST /sts') {
        return (400, '<ErrorResponse/>') unless $body eq
            'Action=AssumeRoleWithWebIdentity&Version=2011-06-15'
            . '&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr'
            . '&RoleSessionName=calls&WebIdentityToken=web.token';

        my $c = $self->next_key;

        return (200, '<AssumeRoleWithWebIdentityResponse xmlns="https://'
            . 'sts.amazonaws.com/doc/2011-06-15/">'
            . '<AssumeRoleWithWebIdentityResult><Credentials>'
            . "<AccessKeyId>$c->{access}</AccessKeyId>"
            . "<SecretAccessKey>$self->{secret}</SecretAccessKey>"
            . "<SessionToken>session</SessionToken>"
            . "<Expiration>$c->{expires}</Expiration></Credentials>"
            . '</AssumeRoleWithWebIdentityResult>'
            . '</AssumeRoleWithWebIdentityResponse>');
    }

    return (404, '');
}


sub next_key
{
    my ($self) = @_;

    $self->{n}++;

    return {
        access  => $self->{access} . ($self->{plain} ? '' : $self->{n}),
        expires => strftime('%Y-%m-%dT%H:%M:%SZ', gmtime time + $self->{life}),
    };
}


sub json
{
    my ($self, $more) = @_;

    my $c = $self->next_key;
    my $token = $self->{plain} ? '' : '"Token":"session",';

    return qq({$more"AccessKeyId":"$c->{access}",)
        . qq("SecretAccessKey":"$self->{secret}",$token)
        . qq("Expiration":"$c->{expires}"});
}


sub DESTROY
{
    my ($self) = @_;

    return unless $$ == $self->{owner} && $self->{pid};

    local $?;
    kill TERM => $self->{pid};
    waitpid $self->{pid}, 0;
}


1;
