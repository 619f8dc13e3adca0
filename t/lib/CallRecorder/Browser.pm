package CallRecorder::Browser;

# Runs the demo (two browsers, one recording) on ports and in a folder of its
# own and takes apart what it prints.

use strict;
use warnings;

use Cwd ();
use Exporter 'import';
use File::Basename ();
use File::Temp ();
use IO::Socket::INET;
use JSON::PP ();

our @EXPORT_OK = qw(run_demo free_port);

my $root = Cwd::realpath(File::Basename::dirname(__FILE__) . '/../../..');


# A port that is free on TCP and UDP.
sub free_port {
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
# (of the API, decoded), path, dir }.  The folder lives as long as the result.
sub run_demo {
    my (%arg) = @_;

    my $dir = File::Temp->newdir('callrec-demo-XXXXXX', TMPDIR => 1);

    local %ENV = (%ENV, SECONDS_TO_RECORD => $arg{seconds} // 15,
                  BROWSER_LOGS => "$dir", %{ $arg{env} // {} });

    open my $out, '-|', 'bash', "$root/t/e2e/demo.sh", "$dir/run",
        free_port() or die "demo.sh: $!\n";
    my $output = do { local $/; <$out> };
    close $out;

    my %result = (status => $?, output => $output, dir => $dir);

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


1;
