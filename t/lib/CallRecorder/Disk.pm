package CallRecorder::Disk;

# Copyright (C) The call recorder authors
#
# A recorder whose disk the test has in its hands: slow, failing, small.
#
#     my $rec = CallRecorder::Disk->new(tmpfs => '40m', http => '...');
#     my $pub = $rec->publish('alice', %{ CallRecorder::Disk->media });
#     $rec->fill(25);          # megabytes of a tmpfs
#     $rec->disk(500);         # each write takes half a second
#     $rec->disk(0, EIO);      # or fails
#     $rec->calls;             # ([write, thread, path], ...)

use strict;
use warnings;

use CallRecorder::Media qw(run);
use File::Temp qw(tempdir);

use parent 'CallRecorder::Recorder';

my $here = $$;
my $media;


# Options of CallRecorder::Recorder, and: tmpfs (its size).
sub new
{
    my ($class, %opt) = @_;

    my $so = "$CallRecorder::Nginx::ROOT/build/$CallRecorder::Nginx::BUILD/"
        . 'preload/slowdisk.so';

    -e $so or die "$so: $!\n";

    my $self = $class->SUPER::new(%opt, mix => 'recording_mix off;',
        stopped => 1);

    my $records = "$self->{dir}/records";

    $self->{env} = { LD_PRELOAD => $so, SLOWDISK_DIR => $records };

    if ($opt{tmpfs}) {
        system(qw(mount -t tmpfs -o), "size=$opt{tmpfs},mode=1777", 'none',
            $records) == 0 or die "mount: a tmpfs is needed\n";
        $self->{mounted} = 1;
    }

    $self->disk(0);
    open my $log, '>', "$records.log" or die "$records.log: $!";
    chmod 0666, "$records.log";

    $self->start unless $opt{stopped};

    return $self;
}


# What is given to publish(): a keyframe each second, 600 kbit/s and a tone.
sub media
{
    return $media if $media;

    my $dir = tempdir('callrec-media-XXXXXX', TMPDIR => 1, CLEANUP => 1);

    run(qw(ffmpeg -v error -nostdin -f lavfi -i testsrc2=s=320x180:r=25:d=20
        -c:v libvpx -deadline realtime -cpu-used 8 -b:v 600k -minrate 600k
        -maxrate 600k -g 25), "$dir/vp8.ivf");
    run(qw(ffmpeg -v error -nostdin -f lavfi
        -i sine=440:48000:duration=20 -ac 2 -c:a libopus -frame_duration 20),
        "$dir/sound.opus");

    return $media = { video => "$dir/vp8.ivf", fps => 25,
                      audio => "$dir/sound.opus" };
}


# From now on each write takes that long (ms), or fails.
sub disk
{
    my ($self, $delay, $errno) = @_;

    my $name = "$self->{dir}/records.control";

    open my $f, '>', "$name.tmp" or die "$name.tmp: $!";
    print $f $delay, ' ', ($errno // 0), "\n";
    close $f or die "$name.tmp: $!";
    rename "$name.tmp", $name or die "$name: $!";
}


# So many megabytes of the tmpfs are taken.
sub fill
{
    my ($self, $megabytes) = @_;

    my $name = "$self->{dir}/records/.filler";

    open my $f, '>', $name or die "$name: $!";
    print $f "\0" x (1024 * 1024) for 1 .. $megabytes;
    close $f or die "$name: $!";
}


sub calls
{
    my ($self) = @_;

    return map { [ split / /, $_, 3 ] } split /\n/,
        $self->slurp('records.log');
}


sub DESTROY
{
    my ($self) = @_;

    $self->SUPER::DESTROY;

    system('umount', '-l', "$self->{dir}/records")
        if $$ == $here && $self->{mounted};
}


1;
