#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# ICE-TCP (RFC 6544): media over connections to the port number of UDP, and
# whoever else connects there.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Fixtures qw(vp8_ivf h264_annexb opus_ogg);
use CallRecorder::Journal;
use CallRecorder::Loss;
use CallRecorder::Recorder;
use CallRecorder::Stun;
use CallRecorder::Whip;
use IO::Select;
use Socket qw(SOL_SOCKET SO_RCVBUF);
use Test::More;
use Time::HiRes qw(sleep time);

my @vp8 = ('--video', vp8_ivf(), '--audio', opus_ogg());
my @h264 = ('--video', h264_annexb(), '--audio', opus_ogg());
my @sound = ('--audio', opus_ogg());

my $nginx;
my $calls = 0;


sub nginx { return CallRecorder::Recorder->new(mix => 'recording_mix off;', @_); }
sub session { return CallRecorder::Whip::session($nginx, @_); }
sub stream { return CallRecorder::Stun::stream('127.0.0.1', $nginx->{udp}); }
sub framed { return CallRecorder::Stun::framed(@_); }

sub request
{
    my ($s, %opt) = @_;

    return CallRecorder::Stun::request(
        username => "$s->{ufrag}:$s->{theirs}", password => $s->{pwd}, %opt);
}

# A connection that is the session's; its socket.

sub proven
{
    my ($s, $socket) = @_;

    $socket //= stream();
    syswrite $socket, framed(request($s));

    my $msg = CallRecorder::Stun::next_frame($socket);
    return $msg && $msg->{type} == 0x0101 ? $socket : undef;
}

# Whether the server closes it, without a byte.

sub closes
{
    my ($name, $text, $seconds) = @_;

    local $SIG{PIPE} = 'IGNORE';

    my $socket = stream();
    syswrite $socket, $text;
    my ($got, $closed) = CallRecorder::Stun::slurp($socket, $seconds // 4);

    ok($closed, "$name: closed");
    is(length $got, 0, "$name: without a word");
}

# Publishes in a recorded call while $meanwhile runs; all frames must be in
# the chunks.

sub recorded
{
    my ($name, $seconds, $options, $meanwhile) = @_;

    my $call = 'call' . ++$calls;
    my $seen = length $nginx->error_log;
    my $id;

    # right after nginx has started, recordings are still being looked for
    ok($nginx->wait_for(sub {
        my $data = eval { CallRecorder::Loss::api($nginx, $call,
            POST => 'start') };
        return $id = $data && $data->{recordingId};
    }, 10), "$name: a recording is started");

    my $pub = CallRecorder::Loss::publish($nginx, name => 'alice',
        call => $call, relay => { port => $nginx->{udp} },
        options => ['--duration', $seconds, @$options]);

    $meanwhile->() if $meanwhile;

    my $report = CallRecorder::Loss::published($pub);
    is($report->{error}, undef, "$name: it is published");

    CallRecorder::Loss::api($nginx, $call, POST => 'stop');
    ok($nginx->wait_for(sub {
        CallRecorder::Loss::api($nginx, $call, GET => $id)->{status}
            eq 'completed' }, 20), "$name: the recording is completed");

    my %r = CallRecorder::Loss::judge($nginx, $call, $id, $pub);

    for (grep { $r{$_}{sent} } qw(v a)) {
        is("@{ $r{$_}{missing} }", '',
            "$name: all of $r{$_}{sent} frames ($_) are there");
        is($r{$_}{strange}, 0, "$name: as they were sent");
    }

    cmp_ok($r{a}{sent}, '>', 30 * ($seconds - 1), "$name: many were sent");
    is(scalar(CallRecorder::Journal::records($nginx, $call, $id, 'gap')), 0,
        "$name: without a gap");

    return substr $nginx->error_log, $seen;
}


$nginx = nginx();

subtest 'media over TCP' => sub {
    my $log = recorded('VP8', 4, ['--tcp', @vp8]);
    like($log, qr/connected over tcp/, 'the log names the transport');

    recorded('H.264, in pieces of 7 bytes', 4,
        ['--tcp', '--split', 7, @h264]);
    recorded('sound, byte by byte', 4, ['--tcp', '--split', 1, @sound]);

    $log = recorded('UDP', 3, \@vp8);
    like($log, qr/connected over udp/, 'the log names UDP, too');
};


subtest 'another path in mid-session' => sub {
    my $log = recorded('UDP, then TCP', 5,
        ['--migrate', 2, '--to-tcp', @vp8]);
    like($log, qr/goes on over tcp/, 'the log says so');

    $log = recorded('another connection', 5, ['--tcp', '--migrate', 2, @vp8]);
    like($log, qr/lost a tcp connection/, 'the old one is known to be gone');
};


subtest 'a reload' => sub {
    my @old = $nginx->workers;

    recorded('reloaded twice', 7, ['--tcp', @vp8], sub {
        for (1 .. 2) {
            sleep 2;
            ok($nginx->reload(keep => 1), 'reloaded');
        }
    });

    ok($nginx->wait_for(sub {
        my %now = map { $_ => 1 } $nginx->workers;
        return keys %now == 2 && !grep { $now{$_} } @old }, 20),
        'old workers leave with their last session');

    recorded('connects again to an old worker', 7,
        ['--tcp', '--migrate', 4, @vp8], sub {
            sleep 2;
            ok($nginx->reload(keep => 1), 'reloaded');
        });
};


subtest 'the worker that accepts is not the owner' => sub {
    my $s = session();
    my ($id) = $s->{path} =~ m{/(\w+)$};

    ok(CallRecorder::Whip::check($nginx, $s), 'a session is adopted');
    my ($owner) = $nginx->error_log
        =~ /(\d+)#\d+: rtc session $id adopted/;

    kill STOP => $owner;

    my @sockets = map { stream() } 1 .. 3;
    syswrite $_, framed(request($s)) for @sockets;

    my @early = IO::Select->new(@sockets)->can_read(0.5);
    kill CONT => $owner;

    is(scalar @early, 0, 'nobody else answers for it');

    for (@sockets) {
        my $msg = CallRecorder::Stun::next_frame($_);
        is($msg && $msg->{type}, 0x0101, 'the owner does');
        is($msg && $msg->{mapped}, '127.0.0.1:' . $_->sockport,
            'and knows the address');
    }

    ok(proven($s, $sockets[0]), 'and goes on to');
};


subtest 'who is let in' => sub {
    my $s = session();
    my $udp = CallRecorder::Stun::connected('127.0.0.1', $nginx->{udp});

    my ($got, $closed) = CallRecorder::Stun::slurp(stream(), 1);
    ok(!$closed && $got eq '', 'nothing is said first');

    my $slow = stream();

    for (split //, framed(request($s))) {
        syswrite $slow, $_;
        sleep 0.002;
    }

    my $msg = CallRecorder::Stun::next_frame($slow);
    is($msg && $msg->{type}, 0x0101, 'a request byte by byte is answered');
    is($msg && $msg->{mapped}, '127.0.0.1:' . $slow->sockport,
        'with the address');

    my $bad = request($s, password => 'x' x 24);

    closes('a wrong password', framed($bad));
    closes('no MESSAGE-INTEGRITY', framed(request($s, password => undef)));
    closes('an unknown ufrag',
        framed(request($s, username => "abcdefghijkl:$s->{theirs}")));
    closes('no request', framed("\1\1" . substr request($s), 2));
    closes('a null packet', framed('', request($s)));
    closes('65535 bytes', "\xff\xff" . 'x' x 2000);
    closes('1025 bytes', "\x04\x01");
    closes('DTLS', framed("\x16\xfe\xfd" . "\0" x 60));
    closes('RTP', framed("\x80\x60" . "\0" x 200));
    closes('noise', framed(join '', map { chr int rand 256 } 1 .. 600));
    closes('HTTP', "GET / HTTP/1.1\r\nHost: x\r\n\r\n");

    ok(proven($s), 'the session is still good');

    my $start = time;
    closes('nothing', '', 15);
    cmp_ok(time - $start, '>', 4, 'but not at once');
    closes('half a request', substr(framed(request($s)), 0, 50), 15);


    # once let in

    my $in = proven($s);
    syswrite $in, framed('', '', 'garbage', "\x80\x60" . 'x' x 100,
        "\x16\xfe\xfd" . 'x' x 50, $bad, '');
    ok(proven($s, $in), 'garbage does not end a connection that is proven');

    # a first byte of each kind; what comes next is others' business

    for my $first (0x14 .. 0x17, 0x80, 0xff) {
        syswrite $in, framed(chr($first) . 'x' x 50);
        sleep 0.05;
        my @others = map { session() } 1 .. 8;
        is(scalar(grep { CallRecorder::Whip::check($nginx, $_) } @others), 8,
            sprintf 'others get in after 0x%02x from one', $first);
        CallRecorder::Whip::on($nginx, $_, 'DELETE') for @others;
    }

    syswrite $in, "\xff\xff";
    ($got, $closed) = CallRecorder::Stun::slurp($in, 5);
    ok($closed, 'a frame that is too long does');
    is(length $got, 0, 'without a word');
    ok(CallRecorder::Whip::check($nginx, $s, socket => $udp),
        'the session goes on');

    my @many = map { proven($s) } 1 .. 8;
    is(scalar(grep { $_ } @many), 8, 'a client may connect again and again');
    ok($nginx->wait_for(sub {
        my @open = grep { !(CallRecorder::Stun::slurp($_, 0.05))[1] } @many;
        @many = @open;
        return @open <= 4 }, 5), 'but has four connections at most');

    CallRecorder::Whip::on($nginx, $s, 'DELETE');
    ok((CallRecorder::Stun::slurp($_, 5))[1], 'the end closes them')
        for @many;
    closes('a session that has ended', framed(request($s)));
};


subtest 'a client that does not read' => sub {
    my $s = session();
    my $socket = stream();
    my $id = ($s->{path} =~ m{/(\w+)$})[0];

    setsockopt $socket, SOL_SOCKET, SO_RCVBUF, 32768 or die "SO_RCVBUF: $!";
    proven($s, $socket);
    $socket->blocking(0);

    my $text = framed(request($s)) x 100;
    my $full = qr/rtc tcp connection is not read by its publisher/;
    my $sent = 0;

    ok($nginx->wait_for(sub {
        for (1 .. 100) {
            my $n = syswrite $socket, substr $text, $sent % length $text;
            last if !$n;
            $sent += $n;
        }
        return $nginx->error_log =~ $full }, 60),
        "what does not fit is dropped ($sent bytes were sent)");

    is(scalar(() = $nginx->error_log =~ /$full/g), 1, 'the log says so once');
    ok(CallRecorder::Whip::check($nginx, $s), 'the worker has not waited');

    $socket->blocking(1);
    syswrite $socket, substr $text, $sent % length $text
        if $sent % length $text;

    my ($got) = CallRecorder::Stun::slurp($socket, 5);
    my ($n, $whole) = (0, 0);

    while (length $got >= 2) {
        my $frame = substr $got, 0, 2 + unpack('n', $got), '';
        my $msg = CallRecorder::Stun::parse(substr $frame, 2);
        $n++;
        $whole++ if $msg && $msg->{type} == 0x0101;
    }

    cmp_ok($n, '>', 100, "$n answers had room");
    is($whole, $n, 'all of them whole');
    ok(proven($s, $socket), 'and then there is room again');
};


subtest 'a worker that dies' => sub {
    my $pub = $nginx->publish('bob', tcp => undef, duration => 60,
        video => vp8_ivf());
    my ($owner) = reverse $nginx->error_log
        =~ /(\d+)#\d+: rtc session \w+ connected over tcp/g;

    $nginx->{ignore} = qr/exited on signal 9/;
    kill KILL => $owner;

    ok($nginx->wait_for(sub { waitpid($pub->{pid}, 1) == $pub->{pid} }, 10),
        'the publisher knows at once');
    is($? >> 8, 3, 'that the server has closed');
    ok($nginx->wait_for(sub { $nginx->workers == 2 }, 10), 'a new one starts');

    recorded('and takes media', 3, ['--tcp', @vp8]);
};

$nginx->stop;


subtest 'many that say nothing' => sub {
    $nginx = nginx(rtc => 'max_handshakes 50; max_sessions_per_address 40;');

    my (@idle, %from);

    for my $i (1 .. 3000) {
        my $host = '127.0.0.' . (1 + $i % 100);
        my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
            PeerPort => $nginx->{udp}, LocalAddr => $host) or last;

        push @idle, $socket;
        shift @idle if @idle > 900;
        $nginx->request(GET => '/ready')->{status} == 204 or last
            if $i % 300 == 0;
        $from{$host}++;
    }

    is(scalar keys %from, 100, 'from many addresses');

    my $s = session();
    ok(proven($s), 'a client is let in meanwhile');
    is($nginx->request(GET => '/ready')->{status}, 204, 'HTTP works');

    my $fds = 0;

    for my $pid ($nginx->workers) {
        my @sockets = grep { (readlink // '') =~ /^socket/ }
            glob "/proc/$pid/fd/*";
        $fds += @sockets;
    }

    cmp_ok($fds, '<', 2 * 50 + 60, "the workers hold $fds sockets");
    like($nginx->error_log, qr/rtc tcp connection closed for a newer one/,
        'the log says so');
    @idle = ();

    # one address alone

    @idle = map { stream() } 1 .. 100;
    like($nginx->wait_for(sub {
        $nginx->error_log =~ /too many of its address/ }, 5), qr/1/,
        'an address has a limit of its own');

    my $other = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $nginx->{udp}, LocalAddr => '127.0.0.2');
    ok(proven($s, $other), 'others have theirs');

    unlike($nginx->error_log, qr/worker_connections are not enough/,
        'nginx has connections left');
    $nginx->stop;
};


subtest 'one port number for all' => sub {
    $nginx = CallRecorder::Recorder->new(mix => 'recording_mix off;',
        stopped => 1);
    $nginx->{udp} = $nginx->{http};
    $nginx->configure(
        main => 'rtc { listen {{udp}}; }',
        http => "recording_root {{dir}}/records; recording_mix off;
                 client_header_timeout 8s;
                 recording_jwt_key '$CallRecorder::Nginx::SECRET';",
        server => 'location /whip/ { whip; }
                   location /video-calls/ { recording_api; }');
    $nginx->start;

    recorded('media beside HTTP', 4, ['--tcp', @vp8], sub {
        for (1 .. 20) {
            $nginx->request(GET => '/ready')->{status} == 204 or last;
            sleep 0.1;
        }
        ok($nginx->reload(keep => 1), 'reloaded');
    });

    my $http = stream();

    for (split //, "GET /ready HTTP/1.1\r\nHost: x\r\n\r\n") {
        syswrite $http, $_;
        sleep 0.002;
    }

    my ($answer) = CallRecorder::Stun::slurp($http, 1);
    like($answer, qr/^HTTP\/1.1 204/, 'HTTP byte by byte is answered');
    syswrite $http, "GET /ready HTTP/1.1\r\nHost: x\r\n\r\n";
    ($answer) = CallRecorder::Stun::slurp($http, 1);
    like($answer, qr/^HTTP\/1.1 204/, 'and kept alive');

    my $late = stream();
    my (undef, $closed) = CallRecorder::Stun::slurp($late, 7);
    ok(!$closed, 'who says nothing is left to http');
    syswrite $late, "GET /ready HTTP/1.1\r\nHost: x\r\n\r\n";
    ($answer) = CallRecorder::Stun::slurp($late, 1);
    like($answer, qr/^HTTP\/1.1 204/, 'and answered');

    closes('a frame of nobody', framed("\0\1" . 'x' x 60));
    my $gone = stream();
    close $gone;
    is($nginx->request(GET => '/ready')->{status}, 204,
        'a client that leaves does no harm');
    $nginx->stop;
};


subtest 'without TCP' => sub {
    $nginx = nginx(rtc => 'tcp off;');

    my $s = session();
    unlike($s->{answer}, qr/ tcp /, 'the answer has no such candidate');
    is(IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $nginx->{udp}), undef, 'nobody listens');
    ok(CallRecorder::Whip::check($nginx, $s), 'UDP is as ever');

    my %opt = (http => "recording_root {{dir}}/records; recording_mix off;
                        recording_jwt_key '$CallRecorder::Nginx::SECRET';",
               server => 'location /whip/ { whip; }
                          location /video-calls/ { recording_api; }');

    $nginx->configure(%opt, main => 'rtc { listen 127.0.0.1:{{udp}}; }');
    ok($nginx->reload(keep => 1), 'it is turned on by a reload');

    recorded('on, then off', 5, ['--tcp', @vp8], sub {
        sleep 2;
        $nginx->configure(%opt,
            main => 'rtc { listen 127.0.0.1:{{udp}}; tcp off; }');
        ok($nginx->reload(keep => 1), 'and off by another');
    });

    ok($nginx->wait_for(sub { !IO::Socket::INET->new(
        PeerAddr => '127.0.0.1', PeerPort => $nginx->{udp}) }, 20),
        'nobody listens any more');
    $nginx->stop;
};

done_testing();
