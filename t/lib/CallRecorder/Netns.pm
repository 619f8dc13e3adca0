package CallRecorder::Netns;

# Copyright (C) The call recorder authors
#
# A network of the test's own: the loopback, and an address of a veth pair,
# for clients that do not send to 127.0.0.1.  The kernel takes it away with
# the last process.
#
#     use CallRecorder::Netns;        # before anything is done
#     CallRecorder::Netns->ADDRESS

use strict;
use warnings;

use constant ADDRESS => '198.51.100.1';


sub import
{
    if (!$ENV{CALLREC_NETNS}) {
        $ENV{CALLREC_NETNS} = 1;
        exec 'unshare', '--net', $^X, $0, @ARGV or die "unshare: $!\n";
    }

    for ('link set lo up',
        'link add callrec0 type veth peer callrec1',
        'address add ' . ADDRESS . '/24 dev callrec0',
        'link set callrec0 up',
        'link set callrec1 up',
        # Firefox has candidates where there is a way out only
        'route add default dev callrec0')
    {
        system('ip', split / /) == 0
            or die "ip $_: a network namespace needs root\n";
    }
}


1;
