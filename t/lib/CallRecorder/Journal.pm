package CallRecorder::Journal;

# Copyright (C) The call recorder authors
#
# The journals of recordings in the folder of a CallRecorder::Nginx.

use strict;
use warnings;

use Exporter 'import';
use JSON::PP ();

our @EXPORT_OK = qw(journal records);

my $json = JSON::PP->new->canonical->utf8;


# The journal of a recording, record by record.
sub journal
{
    my ($nginx, $call, $id) = @_;

    return map { $json->decode($_) } grep { /\S/ } split /\n/,
        $nginx->slurp("records/$call/$id/journal.ndjson");
}


# Its records of a kind, of one participant if a name is given; sessions are
# told apart by join.
sub records
{
    my ($nginx, $call, $id, $ev, $name) = @_;

    my @all = journal($nginx, $call, $id);
    my %whose = map { $_->{sessionId} => $_->{participantId} }
        grep { $_->{ev} eq 'join' } @all;

    return grep {
        $_->{ev} eq $ev
        && (!defined $name || $whose{ $_->{sessionId} } eq $name)
    } @all;
}

1;
