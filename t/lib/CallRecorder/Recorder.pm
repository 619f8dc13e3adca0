package CallRecorder::Recorder;

# Copyright (C) The call recorder authors
#
# The whole recorder in a temporary folder: nginx with WHIP, the API, the
# location for parts and an exec hook; and what clients do with it.
#
#     my $rec = CallRecorder::Recorder->new(http => 'recording_chunk 1s;');
#     my $pub = $rec->publish('alice', video => $ivf, audio => $ogg);
#     my $id = $rec->start_recording;
#     $rec->stop_recording;
#     my $data = $rec->wait_status($id, 'completed');
#     $rec->stop;

use strict;
use warnings;

use CallRecorder::Journal;
use File::Basename qw(basename);
use File::Copy qw(copy);
use JSON::PP ();
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep time);

use parent 'CallRecorder::Nginx';

our $BIN = "$CallRecorder::Nginx::ROOT/build/$CallRecorder::Nginx::BUILD/bin";
our $FFMPEG = $ENV{FFMPEG} // "$CallRecorder::Nginx::ROOT/build/ffmpeg/ffmpeg";

my $json = JSON::PP->new->canonical->utf8;


# Options of CallRecorder::Nginx, and: mix (directives instead of the default
# "recording_mix batch" with our ffmpeg), call, rtc (directives), programs
# (copied into the folder, for an exec hook), folders (name => what is copied
# there).
sub new
{
    my ($class, %opt) = @_;

    my $mix = $opt{mix}
        // 'recording_mix batch; recording_ffmpeg {{dir}}/callrec-ffmpeg;';
    my $rtc = $opt{rtc} // '';

    my $self = $class->SUPER::new(
        %opt,
        stopped => 1,
        main => "rtc { listen 127.0.0.1:{{udp}}; $rtc } " . ($opt{main} // ''),
        http => "
            recording_root {{dir}}/records;
            recording_jwt_key '$CallRecorder::Nginx::SECRET';
            recording_parts_url http://127.0.0.1:{{http}}/parts/;
            $mix
            " . ($opt{http} // ''),
        server => '
            location /whip/ { whip; }
            location /video-calls/ { recording_api; }
            location /parts/ {
                recording_parts;
                client_max_body_size 64m;
                client_body_buffer_size 2m;
            }
            ' . ($opt{server} // ''),
    );

    $self->{call} = $opt{call} // 'room';

    # the workers' user need not be able to reach the checkout
    my %programs = (($opt{mix} ? () : ('callrec-ffmpeg' => $FFMPEG)),
        map { basename($_) => $_ } @{ $opt{programs} // [] });

    for my $name (sort keys %programs) {
        my $copy = "$self->{dir}/$name";

        copy($programs{$name}, $copy) or die "$programs{$name}: $!\n";
        chmod 0755, $copy;
    }

    for my $name (sort keys %{ $opt{folders} // {} }) {
        system('cp', '-rL', $opt{folders}{$name}, "$self->{dir}/$name") == 0
            or die "cannot copy $opt{folders}{$name}\n";
    }

    $self->start unless $opt{stopped};

    return $self;
}


# One call of the API: its status, and what the envelope holds.
sub api
{
    my ($self, $method, $path, $body, %opt) = @_;

    my $res = $self->request(
        $method, "/video-calls/$self->{call}/recording/$path",
        token => $opt{token} // $self->token(
            call => $self->{call}, perms => [qw(record read delete)]),
        defined $body
            ? (body => $json->encode($body),
               headers => [ 'Content-Type' => 'application/json' ])
            : (),
        %opt);

    $res->{json} = eval { $json->decode($res->{body}) };

    return $res;
}


sub start_recording
{
    my ($self, $body) = @_;

    my $res;

    # right after nginx has started, recordings are still being looked for
    $self->wait_for(sub {
        $res = $self->api(POST => 'start', $body // {});
        return ($res->{json}{error}{code} // '') ne 'recovering';
    }, 10);

    die "start: $res->{status} $res->{body}\n" unless $res->{status} == 201;

    return $res->{json}{data}{recordingId};
}


sub stop_recording
{
    my ($self, $body) = @_;

    my $res = $self->api(POST => 'stop', $body // {});

    die "stop: $res->{status} $res->{body}\n" unless $res->{status} == 202;

    return $res->{json}{data};
}


sub status
{
    my ($self, $id) = @_;

    my $res = $self->api(GET => $id);

    die "status: $res->{status} $res->{body}\n" unless $res->{status} == 200;

    return $res->{json}{data};
}


# Waits until the status is one of those, or any that ends a recording, and
# returns it; or what it is when time is over.
sub wait_status
{
    my ($self, $id, $want, $seconds) = @_;

    my %wanted = map { $_ => 1 } qw(completed failed aborted expired),
        ref $want ? @$want : $want;
    my $data;

    $self->wait_for(sub {
        $data = eval { $self->status($id) };
        return $data && $wanted{ $data->{status} };
    }, $seconds // 60);

    return $data;
}


# The journal of a recording, record by record.
sub journal
{
    my ($self, $id) = @_;

    return CallRecorder::Journal::journal($self, $self->{call}, $id);
}


sub folder
{
    my ($self, $id) = @_;

    return "$self->{dir}/records/$self->{call}/$id";
}


# A publisher of ours (t/tools/whip-publisher) in the background; options
# become its own.  Returns once it is connected, with { pid, log }.
sub publish
{
    my ($self, $participant, %opt) = (@_[0, 1], duration => 600, @_[2 .. $#_]);

    my $log = "$self->{dir}/publisher-$participant-"
        . ++$self->{publishers} . '.log';
    my $token = $self->token(call => $self->{call}, sub => $participant,
                             name => ucfirst $participant,
                             perms => ['publish']);
    my @args = map { ("--$_", $opt{$_} // ()) } sort keys %opt;


    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        open STDOUT, '>', $log;
        open STDERR, '>&', \*STDOUT;
        exec "$BIN/whip-publisher", '--url',
            "http://127.0.0.1:$self->{http}/whip/$self->{call}",
            '--token', $token, @args or POSIX::_exit(127);
    }

    my $pub = { pid => $pid, log => $log };

    push @{ $self->{running} }, $pub;

    $self->wait_for(sub {
        die "publisher: " . slurp_file($log)
            if waitpid($pid, WNOHANG) == $pid;
        return slurp_file($log) =~ /"connectedMs"/;
    }, 20) or die "publisher is not connected: " . slurp_file($log);

    return $pub;
}


# Ends a publisher as a client does that leaves (it DELETEs its session); the
# last JSON line of what it said.
sub leave
{
    my ($self, $pub, $signal) = @_;

    kill $signal // 'TERM', $pub->{pid};

    $self->wait_for(sub { waitpid($pub->{pid}, WNOHANG) != 0 }, 10)
        or kill KILL => $pub->{pid};

    @{ $self->{running} } = grep { $_ != $pub } @{ $self->{running} };

    my ($last) = grep { /^\{/ } reverse split /\n/, slurp_file($pub->{log});

    return $last ? $json->decode($last) : undef;
}


sub stop
{
    my ($self, @args) = @_;

    $self->leave($_) for @{ $self->{running} // [] };

    return $self->SUPER::stop(@args);
}


sub slurp_file
{
    my ($name) = @_;

    open my $f, '<', $name or return '';
    local $/;

    return <$f> // '';
}


sub DESTROY
{
    my ($self) = @_;

    kill KILL => map { $_->{pid} } @{ $self->{running} // [] };

    $self->SUPER::DESTROY;
}


1;
