package CallRecorder::Api;

# Copyright (C) The call recorder authors
#
# The REST API as a client sees it:
#
#     my $api = CallRecorder::Api->new($nginx);
#     my $res = $api->start('room', body => { layout => 'grid' });
#     $res->{status}, $res->{headers}, $res->{data} or $res->{error}

use strict;
use warnings;

use CallRecorder::Nginx;
use JSON::PP ();

our $PREFIX = '/video-calls';

# For CallRecorder::Nginx->new: the least that serves the API.
our $HTTP = "recording_root {{dir}}/records/root;\n"
    . "recording_jwt_key \"$CallRecorder::Nginx::SECRET\";\n";
our $SERVER = "location $PREFIX/ { recording_api; }\n";


sub new
{
    my ($class, $nginx) = @_;

    my $self = bless { nginx => $nginx }, $class;

    $self->{token} = $nginx->token(
        call => '*', sub => 'tester', perms => [qw(record read delete)]);

    return $self;
}


# Options of CallRecorder::Nginx::request; body may be data, token undef.

sub call
{
    my ($self, $method, $path, %opt) = @_;

    my @headers = @{ $opt{headers} // [] };

    if (ref $opt{body}) {
        $opt{body} = JSON::PP->new->utf8->encode($opt{body});
        push @headers, 'Content-Type' => 'application/json';
    }

    my $res = $self->{nginx}->request($method, "$PREFIX/$path",
        token => $self->{token}, %opt, headers => \@headers);

    my $json = eval { JSON::PP->new->utf8->decode($res->{body}) };

    if ($json) {
        $res->{json} = $json;
        $res->{data} = $json->{data};
        $res->{error} = $json->{error};
        $res->{code} = $json->{error}{code} if $json->{error};
    }

    return $res;
}


sub start
{
    my ($self, $call, %opt) = @_;

    return $self->call(POST => "$call/recording/start", %opt);
}


sub stop
{
    my ($self, $call, %opt) = @_;

    return $self->call(POST => "$call/recording/stop", %opt);
}


sub get
{
    my ($self, $call, $id, $args, %opt) = @_;

    return $self->call(GET => "$call/recording/$id" . ($args // ''), %opt);
}


sub delete
{
    my ($self, $call, $id, $args, %opt) = @_;

    return $self->call(DELETE => "$call/recording/$id" . ($args // ''),
        %opt);
}


# Until starts are taken: recordings are being brought back at first.

sub ready
{
    my ($self) = @_;

    return $self->{nginx}->wait_for(sub {
        my $res = $self->start('ready', body => { mode => 'none' });
        return 0 if $res->{status} == 503;

        $res = $self->start('ready');
        return 0 if $res->{status} == 503;

        $self->delete('ready', $res->{data}{recordingId}, '?force=true');
        return 1;
    }, 10);
}


# Until the recording has one of the statuses; the last answer.

sub wait_status
{
    my ($self, $call, $id, $statuses, $seconds) = @_;

    my $res;

    $self->{nginx}->wait_for(sub {
        $res = $self->get($call, $id);
        return $res->{data} && $res->{data}{status} =~ /^(?:$statuses)$/;
    }, $seconds // 10);

    return $res;
}


1;
