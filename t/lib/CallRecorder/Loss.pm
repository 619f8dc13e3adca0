package CallRecorder::Loss;

# Copyright (C) The call recorder authors
#
# Publishers behind a bad network (t/tools/relay), and what of theirs is in
# the chunk files: judged by content, frame by frame, against the log of what
# whip-publisher sent.

use strict;
use warnings;

use CallRecorder::Journal qw(records);
use CallRecorder::Mkv;
use CallRecorder::Nginx;
use CallRecorder::Recorder;
use Digest::SHA qw(sha256_hex);
use IO::Handle;
use JSON::PP qw(decode_json);
use POSIX ();

my $BIN = $CallRecorder::Recorder::BIN;

# A publisher's last frames: nobody misses what nothing follows.
my $TAIL_US = 1_000_000;


# Starts a relay in front of a UDP port: { pid, out, in, port }.
sub relay
{
    my ($to, @options) = @_;

    pipe my $commands, my $in or die "pipe: $!\n";
    $in->autoflush(1);

    my $pid = open my $out, '-|';
    defined $pid or die "fork: $!\n";

    if ($pid == 0) {
        open STDIN, '<&', $commands;
        close $in;
        exec "$BIN/relay", '--to', $to, @options or POSIX::_exit(127);
    }

    my $line = <$out> // die "relay @options: it does not start\n";

    return { pid => $pid, out => $out, in => $in,
             port => decode_json($line)->{port} };
}


# Changes an option of its while it runs: relay_set($relay, 'up-rate', 400).
sub relay_set
{
    my ($relay, $option, $value) = @_;

    print { $relay->{in} } "$option $value\n";
}


# Ends it; its counters.
sub relay_stop
{
    my ($relay) = @_;

    kill TERM => delete $relay->{pid};

    my $line = readline $relay->{out};
    close $relay->{out};

    return decode_json($line);
}


# A publisher in the background: { pid, log, out }.
sub publish
{
    my ($nginx, %opt) = @_;

    my $name = $opt{name};
    my $pub = { name => $name, log => "$nginx->{dir}/$opt{call}-$name.log",
                out => "$nginx->{dir}/$opt{call}-$name.out" };
    my $token = $nginx->token(call => $opt{call}, sub => $name,
        perms => ['publish']);

    $pub->{pid} = fork // die "fork: $!\n";

    if ($pub->{pid} == 0) {
        open STDOUT, '>', $pub->{out};
        open STDERR, '>&', \*STDOUT;
        exec "$BIN/whip-publisher", '--url',
            "http://127.0.0.1:$nginx->{http}/whip/$opt{call}", '--token',
            $token, '--via', "127.0.0.1:$opt{relay}{port}", '--log',
            $pub->{log}, @{ $opt{options} } or POSIX::_exit(127);
    }

    return $pub;
}


# Waits for its end; its report, with an error if it had one.
sub published
{
    my ($pub) = @_;

    waitpid delete $pub->{pid}, 0;

    my ($last) = grep { /^\{/ } reverse split /\n/,
        CallRecorder::Recorder::slurp_file($pub->{out});
    my $report = $last ? decode_json($last) : {};

    $report->{error} = CallRecorder::Recorder::slurp_file($pub->{out})
        if $? != 0;

    return $report;
}


sub api
{
    my ($nginx, $call, $method, $what) = @_;

    my $res = $nginx->request($method => "/video-calls/$call/recording/$what",
        token => $nginx->token(call => $call, sub => 'host',
            perms => [qw(record read)]));

    return decode_json($res->{body})->{data}
        // die "$method $what: $res->{status} $res->{body}\n";
}


# H.264 as whip-publisher digests it.
sub digest
{
    my ($codec, $data) = @_;

    return sha256_hex($data) if $codec ne 'V_MPEG4/ISO/AVC';

    my $units = '';

    for (my $pos = 0; $pos + 4 < length $data; ) {
        my $len = unpack 'N', substr $data, $pos, 4;
        my $type = ord(substr $data, $pos + 4, 1) & 0x1f;

        $units .= substr $data, $pos, 4 + $len if $type < 7 || $type > 9;
        $pos += 4 + $len;
    }

    return sha256_hex($units);
}


# What of a publisher's frames is in the chunks: for v and a { sent, whole,
# shown, strange, missing => [indices], untrue => [...] }.  shown: whole back to its keyframe;
# strange: frames in the chunks, but for the end, that were never sent so, which
# is what an incomplete one is.
sub judge
{
    my ($nginx, $call, $id, $pub) = @_;

    my %sent = (v => [], a => []);

    open my $log, '<', $pub->{log} or die "$pub->{log}: $!\n";

    while (my $line = <$log>) {
        my ($kind, $us, $rtp, $key, undef, $digest) = split ' ', $line;

        push @{ $sent{$kind} }, { us => $us, rtp => $rtp, key => $key,
                                  digest => $digest };
    }

    close $log;

    my %chunks = (v => [], a => []);

    for my $open (records($nginx, $call, $id, 'chunk_open', $pub->{name})) {
        my $file = CallRecorder::Mkv::read_file(
            "$nginx->{dir}/records/$call/$id/$open->{file}");
        my %codec = map { $_->{number} => $_->{codec} } @{ $file->{tracks} };

        for my $f (@{ $file->{frames} }) {
            my $codec = $codec{ $f->{track} };

            push @{ $chunks{ $codec =~ /^V/ ? 'v' : 'a' } },
                [ digest($codec, $f->{data}), $f->{ms} ];
        }
    }

    my %result = map {
        $_ => compare($sent{$_}, $chunks{$_}, $_ eq 'v' ? 90 : 48)
    } qw(v a);

    for my $kind (qw(v a)) {
        $result{$kind}{untrue} = [ untrue($nginx, $call, $id, $pub->{name},
            $kind, $sent{$kind}, $result{$kind}{ms}) ];
    }

    return %result;
}


# What the journal's gaps of a track say wrongly, frame by frame: those in a
# gap must be the ones that are missing, by media time and from the first to
# the last that is whole.  A missing one's time is told by RTP time stamps.
sub untrue
{
    my ($nginx, $call, $id, $name, $kind, $sent, $ms) = @_;

    my ($track) = map { $_->{track} }
        grep { $_->{kind} eq ($kind eq 'v' ? 'video' : 'audio') }
        records($nginx, $call, $id, 'track', $name);
    my @gaps = grep { $_->{track} == $track }
        records($nginx, $call, $id, 'gap', $name);
    my @whole = sort { $a <=> $b } keys %$ms or return 'no frame is whole';
    my ($first, $last) = @whole[0, -1];
    my $rate = $kind eq 'v' ? 90 : 48;
    my @untrue;

    for my $i ($first .. $last) {
        my $ticks = ($sent->[$i]{rtp} - $sent->[$first]{rtp}) % 2**32;
        my $at = $ms->{$i} // $ms->{$first} + $ticks / $rate;
        # a millisecond for what was rounded
        my $slack = defined $ms->{$i} ? -1.5 : 1.5;
        my $in = grep { $at > $_->{fromMs} - $slack
                        && $at < $_->{toMs} + $slack } @gaps;

        push @untrue, ($in ? 'whole in a gap' : 'missing in none')
            . " $i at $at ms" if !!$in == !!defined $ms->{$i};
    }

    return @untrue;
}


# Both lists are in order (found: of digest and time): a frame is the next one
# sent with that content; of several, as in silence, the nearest in time (rate:
# RTP ticks in a millisecond).
sub compare
{
    my ($sent, $found, $rate) = @_;

    my (%where, %whole, %ms);
    my ($next, $strange, $tail) = (0, 0, 0);
    my ($zero_rtp, $zero_ms);

    push @{ $where{ $sent->[$_]{digest} } }, $_ for 0 .. $#$sent;

    for my $frame (@$found) {
        my ($digest, $ms) = @$frame;
        my $list = $where{$digest} // [];

        shift @$list while @$list && $list->[0] < $next;

        if (!@$list) {
            $tail++;
            next;
        }

        my $off = sub {
            my $ticks = ($sent->[ $_[0] ]{rtp} - $zero_rtp) % 2**32;
            return abs $zero_ms + $ticks / $rate - $ms;
        };

        shift @$list while defined $zero_ms && @$list > 1
            && $off->($list->[1]) <= $off->($list->[0]);

        # not the last frame of all: nobody can know that it goes on
        $strange += $tail;
        $tail = 0;
        $next = shift @$list;
        ($zero_rtp, $zero_ms) = ($sent->[$next]{rtp}, $ms)
            unless defined $zero_ms;
        $ms{$next} = $ms;
        $whole{ $next++ } = 1;
    }

    my %r = (sent => 0, whole => 0, shown => 0, strange => $strange,
             missing => [], ms => \%ms);
    my $end = @$sent ? $sent->[-1]{us} - $TAIL_US : 0;
    my $chain = 0;

    for my $i (grep { $sent->[$_]{us} <= $end } 0 .. $#$sent) {
        $chain = $whole{$i} && ($chain || $sent->[$i]{key});

        $r{sent}++;
        $r{whole}++ if $whole{$i};
        $r{shown}++ if $chain;
        push @{ $r{missing} }, $i unless $whole{$i};
    }

    return \%r;
}


1;
