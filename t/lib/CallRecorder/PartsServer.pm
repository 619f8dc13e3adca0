package CallRecorder::PartsServer;

# The nginx side of docs/mix-protocol.md for tests of the callrec muxer: keeps
# the parts, checks what it is told, and can be told to fail.

use strict;
use warnings;

use Digest::SHA qw(sha256 sha256_hex);
use IO::Socket::INET;
use JSON::PP ();
use MIME::Base64 qw(encode_base64);


# start(dir => folder, token => ..., answer => sub): answer gets the number of
# the request (1, 2, ...) and its hash (method, path) and returns a status, 0
# for a closed connection, or undef for what is right.

sub start {
    my ($class, %arg) = @_;

    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
        LocalPort => $arg{port} // 0, Listen => 8, ReuseAddr => 1)
        or die "listen: $!";
    my $self = bless { %arg, port => $listen->sockport, parent => $$ },
        $class;

    $self->{pid} = fork // die "fork: $!";

    if (!$self->{pid}) {
        $SIG{TERM} = 'DEFAULT';
        open $self->{log}, '>>', "$arg{dir}/requests" or die $!;
        $self->{log}->autoflush;
        $self->{number} = 0;

        while (my $conn = $listen->accept) {
            print {$self->{log}} "connect\n";
            $self->serve($conn);
        }

        exit 0;
    }

    return $self;
}


sub url { return "http://127.0.0.1:$_[0]{port}/recording-parts/rec_1/composite" }


sub stop {
    my $self = shift;

    return if !$self->{pid} || $self->{parent} != $$;

    kill 'TERM', $self->{pid};
    waitpid $self->{pid}, 0;
    delete $self->{pid};
}


sub DESTROY { $_[0]->stop }


# The lines of the log: "connect", or "METHOD path status {headers}".

sub requests {
    my $self = shift;

    open my $fh, '<', "$self->{dir}/requests" or die $!;
    chomp(my @lines = <$fh>);
    return @lines;
}


# What was published, or undef.

sub file {
    my $self = shift;

    return -f "$self->{dir}/result.mp4" ? "$self->{dir}/result.mp4" : undef;
}


sub complete {
    my $self = shift;

    open my $fh, '<', "$self->{dir}/complete.json" or die $!;
    return JSON::PP::decode_json(do { local $/; <$fh> });
}


sub serve {
    my ($self, $conn) = @_;

    binmode $conn;

    while (defined(my $line = <$conn>)) {
        my ($method, $target) = $line =~ m{^(\S+) (\S+) HTTP/1\.1\r\n$}
            or return;
        my %header;

        while (defined($line = <$conn>)) {
            last if $line eq "\r\n";
            $header{lc $1} = $2 if $line =~ /^([^:]+): *(.*?)\r\n$/;
        }

        my $body = '';
        read $conn, $body, $header{'content-length'} // 0;

        my %request = (method => $method, path => $target,
            header => \%header, body => $body);
        my $status;
        $status = $self->{answer}->(++$self->{number}, \%request)
            if $self->{answer};

        if (defined $status && $status == 0) {
            print {$self->{log}} "$method $target closed\n";
            return;
        }

        $status //= $self->answer(\%request);

        print {$self->{log}} "$method $target $status ",
            JSON::PP->new->canonical->encode(\%header), "\n";

        my $text = $status < 300 ? ''
            : '{"success":false,"error":{"code":"test"}}';
        print $conn "HTTP/1.1 $status Test\r\n",
            $status == 204 ? '' : 'Content-Length: ' . length($text) . "\r\n",
            "\r\n$text";
        $conn->flush;
    }
}


sub answer {
    my ($self, $request) = @_;

    my %header = %{$request->{header}};
    my $base = '/recording-parts/rec_1/composite';
    my $path = $request->{path};

    return 401 if ($header{authorization} // '') ne "Bearer $self->{token}";
    return 411 if !defined $header{'content-length'};
    return 404 if index($path, $base) != 0;
    $path = substr $path, length $base;

    if ($request->{method} eq 'PUT'
        && $path =~ m{^/parts/(\d+)\?offset=(\d+)$})
    {
        my ($number, $offset) = ($1, $2);
        my $digest = 'sha-256=:' . encode_base64(sha256($request->{body}), '')
            . ':';
        return 400 if ($header{'content-digest'} // '') ne $digest;
        return 400 if ($header{'callrec-out-time-ms'} // '') !~ /^\d+$/;

        $self->{parts}{$number} = { offset => $offset, body => $request->{body} };
        return 204;
    }

    return 404 if $request->{method} ne 'POST';

    if ($path eq '/progress') {
        return ($header{'callrec-out-time-ms'} // '') =~ /^\d+$/ ? 204 : 400;
    }

    if ($path eq '/abort') {
        return JSON::PP::decode_json($request->{body})->{error} ? 204 : 400;
    }

    return $path eq '/complete' ? $self->publish($request->{body}) : 404;
}


sub publish {
    my ($self, $body) = @_;

    my $told = JSON::PP::decode_json($body);
    my ($file, $digests, $end) = ('', '', 0);

    for my $n (0 .. $told->{parts} - 1) {
        my $part = $self->{parts}{$n} // return 422;

        return 422 if $part->{offset} != $end;
        $end += length $part->{body};
        $file .= $part->{body};
        $digests .= sha256($part->{body});
    }

    return 422 if $end != $told->{sizeBytes};
    return 422 if sha256_hex($digests) ne $told->{digest};

    for (['result.mp4', $file], ['complete.json', $body]) {
        open my $fh, '>:raw', "$self->{dir}/$_->[0]" or die $!;
        print $fh $_->[1];
        close $fh or die $!;
    }

    return 204;
}


1;
