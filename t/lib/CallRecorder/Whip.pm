package CallRecorder::Whip;

# Copyright (C) The call recorder authors
#
# WHIP for the module tests: the configuration they share, offers, sessions.

use strict;
use warnings;

use CallRecorder::Nginx;
use CallRecorder::Stun;


# nginx with an rtc block and /whip/.  rtc: more for the block, listen: the
# block's listen; everything else as in CallRecorder::Nginx.

sub nginx
{
    my ($class, %opt) = @_;

    return CallRecorder::Nginx->new(conf($class, %opt));
}


# The same as arguments of CallRecorder::Nginx::configure().

sub conf
{
    my ($class, %opt) = @_;

    my $rtc = delete $opt{rtc} // '';
    my $listen = delete $opt{listen} // 'listen 127.0.0.1:{{udp}};';

    $opt{main} = "rtc { $listen $rtc }\n" . ($opt{main} // '');
    $opt{http} = "recording_jwt_key '$CallRecorder::Nginx::SECRET';\n"
        . ($opt{http} // '');
    $opt{server} = "location /whip/ { whip; }\n" . ($opt{server} // '');

    return %opt;
}


sub offer
{
    my ($name) = @_;

    open my $f, '<:raw',
        "$CallRecorder::Nginx::ROOT/t/fixtures/sdp/$name.offer.sdp"
        or die "$name: $!";
    local $/;
    return <$f>;
}


# POSTs an offer.  Options: call, offer (text), token (undef: none), headers,
# query, claims (hash).

sub post
{
    my ($nginx, %opt) = @_;

    my $call = $opt{call} // 'room';
    my $token = exists $opt{token} ? $opt{token} : $nginx->token(
        call => $call, perms => ['publish'], sub => 'alice',
        %{ $opt{claims} // {} });

    return $nginx->request(POST => "/whip/$call" . ($opt{query} // ''),
        token => $token,
        headers => $opt{headers} // ['Content-Type' => 'application/sdp'],
        body => $opt{offer} // offer('chromium156-av'));
}


# What a client needs of an answer: path, etag, ufrag, pwd, theirs, port.

sub session
{
    my ($nginx, %opt) = @_;

    my $res = post($nginx, %opt);

    die "POST: $res->{status} $res->{body}\n" if $res->{status} != 201;

    my ($path) = $res->{headers}{location} =~ m{^http://[^/]+(/.*)};
    my ($theirs) = ($opt{offer} // offer('chromium156-av'))
        =~ /^a=ice-ufrag:(\S+)/m;

    my $s = { path => $path, etag => $res->{headers}{etag},
              theirs => $theirs, answer => $res->{body}, call =>
              $opt{call} // 'room' };

    credentials($s, $res->{body});

    return $s;
}


sub credentials
{
    my ($s, $sdp) = @_;

    ($s->{ufrag}) = $sdp =~ /^a=ice-ufrag:(\S+)/m;
    ($s->{pwd}) = $sdp =~ /^a=ice-pwd:(\S+)/m;
    ($s->{port}) = $sdp =~ /^a=candidate:\S+ 1 udp \S+ \S+ (\d+) typ host/mi;
}


# PATCH, DELETE, ... of a session.

sub on
{
    my ($nginx, $s, $method, %opt) = @_;

    return $nginx->request($method => $opt{path} // $s->{path},
        token => exists $opt{token} ? $opt{token}
            : $nginx->token(call => $s->{call}, perms => ['publish']),
        headers => $opt{headers} // [
            $method eq 'PATCH'
                ? ('Content-Type' => 'application/trickle-ice-sdpfrag')
                : (),
            defined $opt{match} ? ('If-Match' => $opt{match}) : () ],
        defined $opt{body} ? (body => $opt{body}) : ());
}


# A connectivity check for the session from a socket (or a new one).

sub check
{
    my ($nginx, $s, %opt) = @_;

    my $socket = delete $opt{socket}
        // CallRecorder::Stun::connected('127.0.0.1', $s->{port});

    return CallRecorder::Stun::ask($socket,
        username => "$s->{ufrag}:$s->{theirs}", password => $s->{pwd},
        %opt);
}


1;
