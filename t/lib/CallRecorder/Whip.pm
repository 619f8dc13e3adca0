package CallRecorder::Whip;

# Copyright (C) The call recorder authors
#
# WHIP for the module tests: the configuration they share, offers, sessions.

use strict;
use warnings;

use CallRecorder::Nginx;
use CallRecorder::Stun;
use File::Temp;
use JSON::PP qw(decode_json);


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


# Publishes with t/tools/whip-publisher; returns the exit status, the report,
# standard error, and what nginx says of the end: reason, numbers, id.

sub publish
{
    my ($nginx, @options) = @_;

    my $before = length $nginx->error_log;
    my $token = $nginx->token(call => 'room', perms => ['publish']);
    my $stderr = File::Temp->new;

    my $pid = open my $out, '-|';
    defined $pid or die "fork: $!";

    if ($pid == 0) {
        open STDERR, '>&', $stderr or die "stderr: $!";
        exec "$ENV{TOOLS}/whip-publisher", '--url',
            "http://127.0.0.1:$nginx->{http}/whip/room", '--token', $token,
            @options or die "whip-publisher: $!";
    }

    my $text = do { local $/; <$out> } // '';
    close $out;

    my $status = $? >> 8;
    my %end;

    $nginx->wait_for(sub {
        my $log = substr $nginx->error_log, $before;
        my ($id, $reason, $numbers)
            = $log =~ /session (\S+) ended: (\S+), (.*)/ or return;
        %end = (id => $id, reason => $reason, $numbers =~ /(\w+): (\d+)/g);
    }, 20);

    my ($report) = reverse split /\n/, $text;

    seek $stderr, 0, 0;

    return ($status, decode_json($report // '{}'),
        do { local $/; <$stderr> } // '', \%end);
}


1;
