package CallRecorder::Mkv;

# Reads the frames of a Matroska file that the system's ffmpeg wrote, and
# writes chunk files as docs/on-disk.md describes them.

use strict;
use warnings;

# EBML ids
use constant {
    EBML => 0x1A45DFA3, SEGMENT => 0x18538067, INFO => 0x1549A966,
    SCALE => 0x2AD7B1, MUXER => 0x4D80, WRITER => 0x5741,
    TRACKS => 0x1654AE6B, TRACK => 0xAE, NUMBER => 0xD7, UID => 0x73C5,
    TYPE => 0x83, CODEC => 0x86, PRIVATE => 0x63A2, VIDEO => 0xE0,
    WIDTH => 0xB0, HEIGHT => 0xBA, AUDIO => 0xE1, RATE => 0xB5,
    CHANNELS => 0x9F, CLUSTER => 0x1F43B675, TIME => 0xE7,
    SIMPLE => 0xA3, GROUP => 0xA0, BLOCK => 0xA1, REFERENCE => 0xFB,
};

my %nested = map { $_ => 1 } SEGMENT, INFO, TRACKS, TRACK, VIDEO, AUDIO,
    CLUSTER;


sub vint {
    my ($data, $pos, $keep) = @_;

    my $first = ord substr $data, $pos, 1;
    my $len = 1;
    $len++ while $len < 8 && !($first & (0x80 >> ($len - 1)));

    my $value = $keep ? $first : $first & (0xFF >> $len);
    my $ones = !$keep && $value == (0xFF >> $len);

    for my $i (1 .. $len - 1) {
        my $byte = ord substr $data, $pos + $i, 1;
        $value = $value << 8 | $byte;
        $ones &&= $byte == 0xFF;
    }

    return ($ones ? -1 : $value, $pos + $len);
}


sub uint {
    my $value = 0;

    $value = $value << 8 | $_ for unpack 'C*', shift;
    return $value;
}


# Calls $take->($id, $data or undef for the beginning of a nested one).

sub walk {
    my ($data, $take) = @_;
    my $pos = 0;

    while ($pos < length $data) {
        (my $id, $pos) = vint($data, $pos, 1);
        (my $size, $pos) = vint($data, $pos, 0);

        if ($nested{$id}) {
            $take->($id, undef);
            next;
        }

        $take->($id, substr $data, $pos, $size);
        $pos += $size;
    }
}


# { tracks => [{ number, type, codec, private, width, height, ... }],
#   frames => [{ track, ms, key, data }] }

sub read_file {
    my $file = shift;

    open my $fh, '<:raw', $file or die "$file: $!";
    my $data = do { local $/; <$fh> };
    close $fh;

    my (@tracks, @frames, $time);
    my %field = (
        NUMBER, 'number', TYPE, 'type', WIDTH, 'width', HEIGHT, 'height',
        CHANNELS, 'channels');

    my $block = sub {
        my ($body, $key) = @_;
        my ($number, $pos) = vint($body, 0, 0);
        my ($offset, $flags) = unpack 's>C', substr $body, $pos, 3;

        push @frames, {
            track => $number,
            ms    => $time + $offset,
            key   => $key // ($flags & 0x80 ? 1 : 0),
            data  => substr($body, $pos + 3),
        };
    };

    walk($data, sub {
        my ($id, $body) = @_;

        if ($id == TRACK) {
            push @tracks, {};

        } elsif ($id == CODEC) {
            $tracks[-1]{codec} = $body;

        } elsif ($id == PRIVATE) {
            $tracks[-1]{private} = $body;

        } elsif ($field{$id} && @tracks) {
            $tracks[-1]{$field{$id}} = uint($body);

        } elsif ($id == TIME) {
            $time = uint($body);

        } elsif ($id == SIMPLE) {
            $block->($body);

        } elsif ($id == GROUP) {
            my ($inner, $key) = (undef, 1);
            walk($body, sub {
                $inner = $_[1] if $_[0] == BLOCK;
                $key = 0 if $_[0] == REFERENCE;
            });
            $block->($inner, $key);
        }
    });

    return { tracks => \@tracks, frames => \@frames };
}


sub element {
    my ($id, $body) = @_;
    my $name = pack 'N', $id;

    $name =~ s/^\0+//;
    return $name . pack('N', length($body) | 0x10000000) . $body;
}


sub number {
    my ($id, $value) = @_;

    return element($id, pack 'N', $value);
}


# Track 1 is video and track 2 is audio, whatever their numbers were, unless
# there are more.

sub write_file {
    my ($file, $tracks, $frames) = @_;

    my $entries = '';
    my %number = map { $_->{number} => @$tracks > 2 ? $_->{number} : $_->{type} }
        @$tracks;

    for my $t (@$tracks) {
        my $private = $t->{private};
        my $kind;

        if ($t->{type} == 1) {
            $kind = element(VIDEO, number(WIDTH, $t->{width})
                                   . number(HEIGHT, $t->{height}));
        } else {
            # pre-skip 0
            substr($private, 10, 2) = "\0\0" if $t->{codec} eq 'A_OPUS';
            $kind = element(AUDIO, element(RATE, pack 'd>', 48000)
                                   . number(CHANNELS, $t->{channels}));
        }

        $entries .= element(TRACK,
            number(NUMBER, $number{ $t->{number} })
            . number(UID, $number{ $t->{number} })
            . number(TYPE, $t->{type}) . element(CODEC, $t->{codec})
            . (defined $private ? element(PRIVATE, $private) : '') . $kind);
    }

    my ($body, $start, $blocks) = ('', undef, '');

    my $flush = sub {
        $body .= element(CLUSTER, number(TIME, $start) . $blocks)
            if length $blocks;
        $blocks = '';
    };

    for my $f (@$frames) {
        if (!length $blocks || $f->{ms} - $start >= 500) {
            $flush->();
            $start = $f->{ms};
        }

        $blocks .= element(SIMPLE, pack('Cs>C', 0x80 | $number{$f->{track}},
            $f->{ms} - $start, $f->{key} ? 0x80 : 0) . $f->{data});
    }

    $flush->();

    open my $fh, '>:raw', $file or die "$file: $!";
    print $fh
        element(EBML, number(0x4286, 1) . number(0x42F7, 1)
            . number(0x42F2, 4) . number(0x42F3, 8)
            . element(0x4282, 'matroska') . number(0x4287, 4)
            . number(0x4285, 2)),
        pack('N', SEGMENT), "\x01" . "\xFF" x 7,
        element(INFO, number(SCALE, 1000000) . element(MUXER, 'test')
            . element(WRITER, 'test')),
        element(TRACKS, $entries), $body;
    close $fh or die "$file: $!";
}


1;
