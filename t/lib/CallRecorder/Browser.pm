package CallRecorder::Browser;

# Real browsers: one that publishes to a CallRecorder::Recorder, and the demo
# (two of them, one recording) on ports and in a folder of its own.

use strict;
use warnings;

use CallRecorder::Media qw(run);
use Cwd ();
use Exporter 'import';
use File::Basename ();
use File::Copy qw(copy);
use File::Temp ();
use IO::Socket::INET;
use JSON::PP ();
use POSIX ();

our @EXPORT_OK = qw(browser noise page run_demo without_transport_cc);

my $root = Cwd::realpath(File::Basename::dirname(__FILE__) . '/../../..');


# A port that is free on TCP and UDP.
sub free_port
{
    for (1 .. 50) {
        my $tcp = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1)
            or next;
        my $udp = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
            LocalPort => $tcp->sockport, Proto => 'udp') or next;

        return $tcp->sockport;
    }

    die "no free port\n";
}


# run_demo(seconds => 15, env => {...}) returns { status, output, answers
# (of the API, decoded), path, dir, source (by participant) }.  The folder lives as long as the result.
sub run_demo
{
    my (%arg) = @_;

    my $dir = File::Temp->newdir('callrec-demo-XXXXXX', TMPDIR => 1);

    local %ENV = (%ENV, SECONDS_TO_RECORD => $arg{seconds} // 15,
                  BROWSER_LOGS => "$dir", %{ $arg{env} // {} });

    open my $out, '-|', 'bash', "$root/t/e2e/demo.sh", "$dir/run",
        free_port() or die "demo.sh: $!\n";
    my $output = do { local $/; <$out> };
    close $out;

    my %result = (status => $?, output => $output, dir => $dir);

    # what the browsers measured of their own devices
    for my $who (qw(alice bob)) {
        my $log = bless { log => "$dir/$who.log" }, __PACKAGE__;

        ($result{source}{$who}) = $log->events('source');
    }

    ($result{path}) = $output =~ /^path:\s+(.+)$/m;

    my $json = JSON::PP->new;
    my @answers;

    while ($output =~ /^\{$/mg) {
        my $start = $-[0];
        my ($answer) = eval { $json->decode_prefix(substr $output, $start) };

        push @answers, $answer if $answer;
    }

    $result{answers} = \@answers;

    return \%result;
}


# What a CallRecorder::Recorder needs to serve the page.
sub page
{
    return (
        server => 'location / {
            root {{dir}}/html;
            types { text/html html; application/javascript js; }
        }',
        folders => { html => "$root/conf/html" },
    );
}


# browser(RECORDER, PARTICIPANT, firefox => 1, video => FILE, audio => FILE,
# ledger => 1, measure => 1, steps => FILE, query => 'a=b') starts Chromium or Firefox on the recorder's
# page, which publishes at once.
sub browser
{
    my ($rec, $participant, %opt) = @_;

    my $token = $rec->token(call => $rec->{call}, sub => $participant,
                            perms => ['publish']);
    my $page = $opt{ledger} ? ledger_page($rec) : 'index.html';
    my $url = "http://127.0.0.1:$rec->{http}/$page?call=$rec->{call}"
        . "&join=1&raw-audio=1&" . ($opt{query} // '') . "#token=$token";
    my @args = map { $opt{$_} ? ("--$_", $opt{$_}) : () }
        qw(video audio steps);

    push @args, map { $opt{$_} ? "--$_" : () } qw(firefox ledger measure);

    pipe my $read, my $write or die "pipe: $!";

    my $log = "$rec->{dir}/browser-$participant-" . ++$rec->{browsers}
        . '.log';
    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        open STDIN, '<&', $read;
        open STDOUT, '>', $log;
        open STDERR, '>&', \*STDOUT;
        close $write;
        exec 'node', "$root/t/e2e/browser.mjs", @args, $url
            or POSIX::_exit(127);
    }

    return bless { pid => $pid, stdin => $write, log => $log },
        __PACKAGE__;
}


# A camera's file: noise takes all that an encoder may spend.
sub noise
{
    my ($rec, $size, $fps) = @_;

    my $file = "$rec->{dir}/noise.mjpeg";

    run(qw(ffmpeg -v error -f lavfi -i),
        "color=gray:s=$size:r=$fps:d=3,noise=alls=60:allf=t+u",
        qw(-c:v mjpeg -q:v 8 -pix_fmt yuvj420p -huffman default), $file);

    return $file;
}


# What the page's browsers offer of it does not reach the server.
sub without_transport_cc
{
    my ($rec) = @_;

    my $file = "$rec->{dir}/html/whip.js";
    my $text = $rec->slurp('html/whip.js');

    $text =~ s{body: pc\.localDescription\.sdp}{$&
                .replace(/a=rtcp-fb:\\d+ transport-cc\\r\\n/g, '')
                .replace(/a=extmap:\\d+ \\S*transport-wide-cc\\S*\\r\\n/g, '')}
        or die "whip.js posts something else\n";

    open my $f, '>', $file or die "$file: $!\n";
    print $f $text;
    close $f or die "$file: $!\n";
}


# The page with frame-ledger.js in front of its own scripts.
sub ledger_page
{
    my ($rec) = @_;

    my $html = "$rec->{dir}/html";
    my $text = $rec->slurp('html/index.html');

    $text =~ s{(?=<script )}{<script src="frame-ledger.js"></script>\n}
        or die "index.html has no script\n";

    open my $f, '>', "$html/ledger.html" or die "ledger.html: $!\n";
    print $f $text;
    close $f or die "ledger.html: $!\n";

    copy("$root/t/e2e/$_", "$html/$_") or die "$_: $!\n"
        for qw(frame-ledger.js frame-ledger-worker.js);

    return 'ledger.html';
}


# What it said so far, as text and as decoded lines with this event.
sub said
{
    my ($self) = @_;

    open my $f, '<', $self->{log} or return '';
    local $/;

    return <$f> // '';
}


sub events
{
    my ($self, $event) = @_;

    return grep { ($_->{event} // '') eq $event }
        map { eval { JSON::PP::decode_json($_) } // () }
        split /\n/, $self->said;
}


sub wait_event
{
    my ($self, $event, $seconds) = @_;

    for (1 .. $seconds * 10) {
        return 1 if $self->events($event);
        return 0 if $self->events('error');
        select undef, undef, undef, 0.1;
    }

    return 0;
}


# Runs a line of JavaScript in the page (Chromium), and what it returned.
sub evaluate
{
    my ($self, $code) = @_;

    my $before = $self->events('did');

    syswrite $self->{stdin}, "$code\n";

    for (1 .. 100) {
        my @did = $self->events('did');

        return $did[-1]{result} if @did > $before;
        select undef, undef, undef, 0.1;
    }

    return undef;
}


# Leaves the call as a person does.
sub leave
{
    my ($self) = @_;

    close $self->{stdin};
}


sub DESTROY
{
    my ($self) = @_;

    return unless $self->{pid};

    close $self->{stdin};

    for (1 .. 300) {
        return if waitpid($self->{pid}, POSIX::WNOHANG()) != 0;
        select undef, undef, undef, 0.1;
    }

    kill KILL => $self->{pid};
    waitpid $self->{pid}, 0;
}


1;
