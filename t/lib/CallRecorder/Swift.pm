package CallRecorder::Swift;

# Copyright (C) The call recorder authors
#
# Another real S3 that verifies signatures: OpenStack Swift with its s3api
# and tempauth, one replica.
#
#     my $s3 = CallRecorder::Swift->new;
#     $s3->{port}, $s3->{access}, $s3->{secret}, $s3->{region}

use strict;
use warnings;

use parent 'CallRecorder::Daemons';


sub new
{
    my ($class) = @_;

    my ($port, $cache, @ports) = CallRecorder::Daemons::free_ports(5);

    my $self = $class->create('swift',
        name   => 'swift',
        port   => $port,
        access => 'test:tester',
        secret => 'testing/it+well',
        region => 'us-east-1',
    );

    my $dir = $self->{dir};

    -d $_ or mkdir $_ or die "mkdir $_: $!"
        for map { "$dir/$_" } qw(srv srv/1 srv/1/sdb1 log);

    $self->write_file('swift.conf', <<"END");
[swift-hash]
swift_hash_path_suffix = $$
[storage-policy:0]
name = p0
default = yes
END

    local $ENV{SWIFT_DIR} = $dir;

    for my $type (qw(account container object)) {
        my $own = shift @ports;
        my $builder = "$dir/$type.builder";

        $self->write_file("$type.conf", <<"END");
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = $own
devices = $dir/srv/1
mount_check = false
swift_dir = $dir
user = root
workers = 0
log_level = WARNING
disable_fallocate = true
[pipeline:main]
pipeline = $type-server
[app:$type-server]
use = egg:swift#$type
[$type-replicator]
[$type-updater]
[$type-auditor]
END

        $self->run('swift-ring-builder', $builder, qw(create 6 1 1));
        $self->run('swift-ring-builder', $builder, 'add',
            "r1z1-127.0.0.1:$own/sdb1", 1);
        $self->run('swift-ring-builder', $builder, 'rebalance');
        $self->spawn($type, "swift-$type-server", "$dir/$type.conf");
        push @ports, $own;
    }

    $self->write_file('proxy.conf', <<"END");
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = $port
swift_dir = $dir
user = root
workers = 0
log_level = WARNING
[pipeline:main]
pipeline = catch_errors proxy-logging cache s3api tempauth copy slo dlo proxy-logging proxy-server
[app:proxy-server]
use = egg:swift#proxy
allow_account_management = true
account_autocreate = true
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
s3_acl = false
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = $self->{secret} .admin
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:proxy-logging]
use = egg:swift#proxy_logging
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:$cache
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
[filter:copy]
use = egg:swift#copy
END

    $self->spawn('memcached', qw(memcached -l 127.0.0.1 -u nobody -m 64 -p),
        $cache);
    $self->spawn('proxy', 'swift-proxy-server', "$dir/proxy.conf");

    for my $each ($port, $cache, @ports) {
        $self->until_ready('Swift', 120, sub {
            CallRecorder::Daemons::listens($each)
        });
    }

    return $self;
}


1;
