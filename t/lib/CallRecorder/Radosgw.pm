package CallRecorder::Radosgw;

# Copyright (C) The call recorder authors
#
# A real S3 that verifies signatures: Ceph's radosgw over one monitor and one
# OSD in memory.
#
#     my $s3 = CallRecorder::Radosgw->new;
#     $s3->{port}, $s3->{access}, $s3->{secret}, $s3->{region}
#
# cephx is needed: radosgw hangs without.

use strict;
use warnings;

use parent 'CallRecorder::Daemons';


sub new
{
    my ($class) = @_;

    my ($port, $mon2, $mon1) = CallRecorder::Daemons::free_ports(3);

    my $self = $class->create('radosgw',
        name   => 'radosgw',
        port   => $port,
        access => 'CALLRECTEST',
        secret => 'radosgw/secret+of=the~tests',
        region => 'default',
    );

    my $dir = $self->{dir};

    mkdir "$dir/$_" or die "mkdir $_: $!" for qw(mon osd rgw log);

    my ($fsid, $osd) = map { $self->uuid } 1 .. 2;

    # long paths do not fit a unix socket's name: relative ones are none
    $self->write_file('ceph.conf', <<"END");
[global]
fsid = $fsid
mon host = [v2:127.0.0.1:$mon2/0,v1:127.0.0.1:$mon1/0]
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
auth allow insecure global id reclaim = true
public network = 127.0.0.0/8
cluster network = 127.0.0.0/8
ms bind ipv6 = false
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd objectstore = memstore
osd max object name len = 2048
osd heartbeat grace = 60
memstore device bytes = 4294967296
mon allow pool size one = true
mon warn on pool no redundancy = false
mon data avail warn = 1
mon max pg per osd = 10000
mgr initial modules =
mon mgr mkfs grace = 1000000
log file = $dir/log/\$name.log
admin socket =
pid file =
run dir = $dir
mon data = $dir/mon
osd data = $dir/osd
keyring = $dir/keyring
[client.rgw]
rgw data = $dir/rgw
rgw frontends = beast endpoint=127.0.0.1:$port
rgw thread pool size = 32
rgw dns name = localhost
rgw enable usage log = false
debug rgw = 1
END

    my @conf = ('-c', "$dir/ceph.conf");
    my @keyring = ('--keyring', "$dir/keyring");
    my $key = sub {
        my ($name, @caps) = @_;
        $self->run('ceph-authtool', "$dir/keyring", '--gen-key', '-n', $name,
            map { ('--cap', @$_) } @caps);
    };

    $self->write_file('keyring', '');
    $key->('mon.', [mon => 'allow *']);
    $key->('client.admin', [mon => 'allow *'], [osd => 'allow *'],
        [mgr => 'allow *']);
    $key->('client.rgw', [mon => 'allow rw'], [osd => 'allow rwx'],
        [mgr => 'allow rw']);
    $key->('osd.0', [mon => 'allow profile osd'], [osd => 'allow *']);

    $self->run(qw(monmaptool --create --fsid), $fsid, '--addv', 'a',
        "[v2:127.0.0.1:$mon2,v1:127.0.0.1:$mon1]", "$dir/monmap");
    $self->run('ceph-mon', @conf, qw(--mkfs -i a --monmap), "$dir/monmap",
        @keyring);
    $self->spawn('mon', 'ceph-mon', @conf, qw(-f -i a));
    $self->until_ready('the monitor', 60, sub {
        CallRecorder::Daemons::listens($mon2)
    });

    $self->run('ceph', @conf, '--connect-timeout', 60, 'osd', 'new', $osd);
    $self->run('ceph-osd', @conf, qw(-i 0 --mkfs --osd-uuid), $osd);
    $self->run('ceph', @conf, qw(osd crush add osd.0 1.0 root=default
        host=localhost));
    $self->spawn('osd', 'ceph-osd', @conf, qw(-f -i 0));

    $self->spawn('rgw', 'radosgw', @conf, qw(-f -n client.rgw), @keyring);
    $self->until_ready('radosgw', 180, sub {
        CallRecorder::Daemons::listens($port)
    });

    $self->run('radosgw-admin', @conf, qw(-n client.rgw), @keyring,
        qw(user create --uid=t --display-name=t),
        "--access-key=$self->{access}", "--secret-key=$self->{secret}");

    return $self;
}


sub uuid
{
    open my $f, '<', '/proc/sys/kernel/random/uuid' or die "uuid: $!";
    chomp(my $uuid = <$f>);
    return $uuid;
}


1;
