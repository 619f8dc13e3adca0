package CallRecorder::Mix;

# Makes recording folders with known content, mixes them with our FFmpeg and
# looks at the result.  Chunks are made by the system's ffmpeg.

use strict;
use warnings;

use File::Path qw(make_path);
use File::Temp ();
use JSON::PP ();

use CallRecorder::Mkv;


my $json = JSON::PP->new->canonical;


# new(): an empty recording in a temporary folder.

sub new {
    my ($class, %arg) = @_;

    my $tmp = File::Temp->newdir('callmix-XXXXXX', TMPDIR => 1);
    my $self = bless { tmp => $tmp, dir => "$tmp", records => [], %arg },
        $class;

    $self->record(0, ev => 'start', v => 1, recordingId => 'rec_test',
        callId => 'test', chunkMs => 5000);
    return $self;
}


sub dir { return $_[0]{dir} }


sub record {
    my ($self, $ms, %record) = @_;

    push @{$self->{records}}, { tMs => $ms, %record };
}


sub system_ffmpeg {
    my @cmd = (qw(/usr/bin/ffmpeg -v error -nostdin -y), @_);

    system(@cmd) == 0 or die "@cmd failed";
}


# The frames of one publisher: video => lavfi source, audio => lavfi source,
# seconds, codec => vp8|h264, key => seconds between keyframes.

sub encode {
    my ($self, %arg) = @_;

    my $file = $self->{dir} . '/encode.mkv';
    my $key = $arg{key} // 5;
    my (@in, @out);

    if ($arg{video}) {
        push @in, qw(-f lavfi -t), $arg{seconds}, '-i', $arg{video};
        push @out, '-force_key_frames', "expr:gte(t,n_forced*$key)",
            qw(-g 9999 -pix_fmt yuv420p),
            ($arg{codec} // 'vp8') eq 'h264'
            ? qw(-c:v libx264 -preset ultrafast -tune zerolatency -qp 18
                 -threads 1)
            : qw(-c:v libvpx -deadline realtime -cpu-used 8 -b:v 4M -qmin 2
                 -qmax 20 -auto-alt-ref 0 -lag-in-frames 0 -threads 1);
    }

    if ($arg{audio}) {
        push @in, qw(-f lavfi -t), $arg{seconds}, '-i', $arg{audio};
        push @out, qw(-c:a libopus -b:a 96k -ac 2 -ar 48000);
    }

    system_ffmpeg(@in, @out, $file);

    my $media = CallRecorder::Mkv::read_file($file);
    unlink $file;

    # media time begins at 0; packets of sound last 20 ms, which the muxer
    # rounded with the encoder's delay in it

    for my $t (@{$media->{tracks}}) {
        my @frames = grep { $_->{track} == $t->{number} } @{$media->{frames}};
        my ($first, $n) = ($frames[0]{ms}, 0);

        $_->{ms} = $t->{type} == 2 ? 20 * $n++ : $_->{ms} - $first
            for @frames;
    }

    return $media;
}


# Writes the chunks of one session and their records.  media (from encode),
# start: media time of its beginning in ms, id, session, at: recording time
# of join (start), leave: recording time, chunk: ms, offset: recording time -
# media time in ms, for the clock of the records only, unclosed.

sub session {
    my ($self, %arg) = @_;

    my $id = $arg{id};
    my $session = $arg{session} // "s-$id";
    my $chunk = $arg{chunk} // 5000;
    my $offset = $arg{offset} // 0;
    my $media = $arg{media};
    my @tracks = @{$media->{tracks}};
    my ($video) = map { $_->{number} } grep { $_->{type} == 1 } @tracks;
    my %kind = map { $_->{number} => $_->{type} == 1 ? 'video' : 'audio' }
        @tracks;
    my %name = (V_VP8 => 'vp8', 'V_MPEG4/ISO/AVC' => 'h264', A_OPUS => 'opus');

    my @frames = sort { $a->{ms} <=> $b->{ms} || $a->{track} <=> $b->{track} }
        map { +{ %$_, ms => $_->{ms} + $arg{start} } } @{$media->{frames}};

    @frames = grep { $arg{keep}->($kind{$_->{track}}, $_->{ms}) } @frames
        if $arg{keep};

    my $at = $arg{at} // $arg{start} + $offset;

    $self->record($at, ev => 'join', participantId => $id, name => ucfirst $id,
        sessionId => $session, $arg{role} ? (role => $arg{role}) : ());

    # roles: of tracks, by their numbers
    for my $number (sort keys %{ $arg{roles} // {} }) {
        $self->record($at, ev => 'track', participantId => $id,
            sessionId => $session, track => 0 + $number, kind => 'video',
            codec => 'vp8', role => $arg{roles}{$number});
    }

    my ($number, @part, @files) = ($arg{number} // 0);
    make_path("$self->{dir}/$id/$session");

    my $flush = sub {
        return if !@part;

        my $name = sprintf '%s/%s/%06d.mkv', $id, $session, ++$number;
        CallRecorder::Mkv::write_file("$self->{dir}/$name", \@tracks, \@part);
        push @files, $name;

        my ($start, $end) = ($part[0]{ms}, $part[-1]{ms} + 20);
        my @of = (participantId => $id, sessionId => $session,
            chunk => $number);

        $self->record($start + $offset, ev => 'chunk_open', @of,
            file => $name, startMs => $start, tracks => [ map { +{
                track => $arg{roles} ? $_->{number} : $_->{type}, kind => $kind{$_->{number}},
                codec => $name{$_->{codec}}, width => $_->{width} // 0,
                height => $_->{height} // 0 } } @tracks ]);
        $self->record($end + $offset, ev => 'chunk_close', @of,
            startMs => $start, endMs => $end, frames => scalar @part,
            sizeBytes => -s "$self->{dir}/$name")
            if !$arg{unclosed};
        @part = ();
    };

    for my $f (@frames) {
        my $boundary = @part && $f->{ms} - $part[0]{ms} >= $chunk
            && (!defined $video || $f->{track} == $video && $f->{key});

        $flush->() if $boundary;
        push @part, $f;
    }

    $flush->();

    $self->record($arg{leave}, ev => 'leave', participantId => $id,
        sessionId => $session, reason => 'closed') if defined $arg{leave};

    return @files;
}


sub stop {
    my ($self, $ms) = @_;

    $self->record($ms, ev => 'stop', endReason => 'stopped', stoppedMs => $ms);
}


# Writes the journal, records in the order of their times.

sub write_journal {
    my ($self, $tail) = @_;

    open my $fh, '>', "$self->{dir}/journal.ndjson" or die $!;
    print $fh $json->encode($_), "\n"
        for sort { $a->{tMs} <=> $b->{tMs} } @{$self->{records}};
    print $fh $tail if defined $tail;
    close $fh or die $!;
}


# ---- mixing ----

sub ffmpeg {
    return $ENV{FFMPEG} // die "FFMPEG names no ffmpeg of ours\n";
}


# Runs our FFmpeg; returns what it wrote to stderr, dies if it fails.

sub run {
    my ($self, @args) = @_;

    my $log = "$self->{dir}/ffmpeg.log";
    my $pid = fork // die "fork: $!";

    if (!$pid) {
        open STDERR, '>', $log or die $!;
        exec ffmpeg(), qw(-nostdin -hide_banner -y), @args or exit 127;
    }

    my $late = 0;
    local $SIG{ALRM} = sub { $late = 1; kill 'KILL', $pid };

    alarm 120;
    waitpid $pid, 0;
    my $status = $?;
    alarm 0;

    die "ffmpeg @args: hangs\n" if $late;

    open my $fh, '<', $log or die $!;
    my $text = do { local $/; <$fh> };
    die "ffmpeg @args: status $status\n$text" if $status;
    return $text;
}


# Mixes into raw files, so that every pixel and sample can be looked at.

sub mix {
    my ($self, %option) = @_;

    my ($w, $h) = split /x/, $option{size} //= '640x360';
    my $options = join ':', map { "$_=$option{$_}" } sort keys %option;

    $self->{log} = $self->run('-filter_complex',
        "callmix=dir=$self->{dir}:$options\[v][a]",
        '-map', '[v]', qw(-c:v rawvideo -f rawvideo), "$self->{dir}/v.yuv",
        '-map', '[a]', qw(-c:a pcm_f32le -f f32le), "$self->{dir}/a.f32");

    $self->{w} = $w;
    $self->{h} = $h;
    $self->{frame_size} = $w * $h * 3 / 2;

    open my $fh, '<:raw', "$self->{dir}/v.yuv" or die $!;
    $self->{video} = $fh;
    $self->{frames} = (-s $fh) / $self->{frame_size};

    open my $pcm, '<:raw', "$self->{dir}/a.f32" or die $!;
    my $data = do { local $/; <$pcm> };
    $self->{samples} = length($data) / 8;
    $self->{pcm} = $data;
    return $self;
}


# The checksum of each frame of what callmix makes with these options; the log
# is in {log} then.

sub framecrc {
    my ($self, $options) = @_;
    my $file = "$self->{dir}/mix.crc";

    $self->{log} = $self->run('-filter_complex', "callmix=$options\[v][a]",
        '-map', '[v]', '-map', '[a]', qw(-c:v rawvideo -c:a pcm_f32le),
        qw(-f framecrc), $file);

    open my $fh, '<', $file or die $!;
    local $/;
    return <$fh>;
}


sub frames  { return $_[0]{frames} }
sub samples { return $_[0]{samples} }
sub log     { return $_[0]{log} }


# Of long recordings: mixes any folder and returns when places of the picture
# become bright and when tones (multiples of 100 Hz) begin, in milliseconds of
# the mix: ({ PLACE => [...], length => ms }, { TONE => [...], length => ms }),
# both counted from 0.  size, rate, places => [[x, y], ...], tones => [Hz, ...].
# Nothing but the sound is kept meanwhile: pictures would be gigabytes.

sub flashes_and_beeps {
    my ($dir, %arg) = @_;
    my $tmp = File::Temp->newdir('callmix-XXXXXX', TMPDIR => 1);
    my $tools = $ENV{TOOLS} // die "TOOLS names no folder\n";
    my $places = join ' ', map { join ',', @$_ } @{$arg{places}};

    my $seen = _times(ffmpeg() . " -nostdin -v error -filter_complex "
        . "'callmix=dir=$dir:size=$arg{size}:rate=$arg{rate}:gap=0[v][a]' "
        . "-map '[v]' -c:v rawvideo -f rawvideo pipe:1 "
        . "-map '[a]' -ac 1 -c:a pcm_f32le -f f32le -y $tmp/a.f32 "
        . "| $tools/flashes $arg{size} $arg{rate} $places");

    return $seen, _times("$tools/flashes tones @{$arg{tones}} < $tmp/a.f32");
}


sub _times {
    my ($command) = @_;
    my %times;

    open my $fh, '-|', $command or die "$command: $!";

    while (<$fh>) {
        my ($which, $us) = split;

        if ($which eq 'length') {
            $times{length} = $us / 1000;
        } else {
            push @{ $times{$which} }, $us / 1000;
        }
    }

    close $fh or die "failed: $command";
    return \%times;
}


# (Y, U, V) of a pixel of a frame.

sub pixel {
    my ($self, $n, $x, $y) = @_;
    my ($w, $h) = @$self{qw(w h)};
    my $at = $n * $self->{frame_size};

    my @yuv;

    for my $offset ($y * $w + $x,
        $w * $h + int($y / 2) * $w / 2 + int($x / 2),
        $w * $h * 5 / 4 + int($y / 2) * $w / 2 + int($x / 2))
    {
        seek $self->{video}, $at + $offset, 0 or die $!;
        read $self->{video}, my $byte, 1 or die "frame $n is not there\n";
        push @yuv, ord $byte;
    }

    return @yuv;
}


my %colors = (                              # BT.601, limited range
    red => [81, 90, 240], lime => [145, 54, 34], blue => [41, 240, 110],
    yellow => [210, 16, 146], white => [235, 128, 128],
    black => [16, 128, 128], magenta => [106, 202, 222],
    cyan => [170, 166, 16], background => [33, 129, 127],
    tile => [45, 130, 126],
);


# The name of the colour nearest to a pixel.

sub color {
    my ($self, $n, $x, $y) = @_;
    my @is = $self->pixel($n, $x, $y);
    my ($best, $distance);

    for my $name (sort keys %colors) {
        my $d = 0;
        $d += ($is[$_] - $colors{$name}[$_]) ** 2 for 0 .. 2;
        ($best, $distance) = ($name, $d) if !defined $best || $d < $distance;
    }

    return $best;
}


# Samples of one channel.

sub pcm {
    my ($self, $from, $nb, $channel) = @_;
    my @both = unpack 'f<*', substr $self->{pcm}, $from * 8, $nb * 8;

    return map { $both[2 * $_ + ($channel // 0)] } 0 .. $#both / 2;
}


# The beginnings of what is louder than level, in ms: an onset is preceded by
# 50 ms of silence.

sub onsets {
    my ($self, $level, $from, $nb) = @_;
    my ($loud, $n, @onsets) = (-1e9, 0);

    $from //= 0;

    for my $x ($self->pcm($from, $nb // $self->{samples} - $from)) {
        if (abs $x > $level) {
            push @onsets, ($from + $n) / 48 if $n - $loud > 2400;
            $loud = $n;
        }
        $n++;
    }

    return @onsets;
}


# The times of frames, in ms, at which a place becomes white.

sub flashes {
    my ($self, $x, $y) = @_;
    my ($before, @flashes) = (0);

    for my $n (0 .. $self->{frames} - 1) {
        my $now = $self->color($n, $x, $y) eq 'white';

        push @flashes, $n * 1000 / 30 if $now && !$before;
        $before = $now;
    }

    return @flashes;
}


# Amplitude of a frequency in samples [from, from + nb), by Goertzel.

sub tone {
    my ($self, $freq, $from, $nb, $channel) = @_;
    my $c = 2 * cos(2 * 3.14159265358979 * $freq / 48000);
    my ($s1, $s2) = (0, 0);

    for my $x ($self->pcm($from, $nb, $channel)) {
        ($s1, $s2) = ($x + $c * $s1 - $s2, $s1);
    }

    my $power = $s1 * $s1 + $s2 * $s2 - $c * $s1 * $s2;
    return 2 / $nb * sqrt($power > 0 ? $power : 0);
}


sub peak {
    my ($self) = @_;
    my $peak = 0;

    for (unpack 'f<*', $self->{pcm}) {
        $peak = abs if abs > $peak;
    }

    return $peak;
}


# ---- content ----

# A plain colour, or with a white flash of 100 ms every second.

sub picture {
    my ($color, %arg) = @_;
    my $size = $arg{size} // '640x480';
    my $rate = $arg{rate} // 30;
    my $source = "color=c=$color:s=$size:r=$rate";

    $source .= ",drawbox=c=white:t=fill:enable='lt(mod(t+0.001\\,1)\\,0.1)'"
        if $arg{flash};
    $source .= "[m];color=c=white:s=32x32:r=$rate\[box];"
        . "[m][box]overlay=x='mod(n*8\\,W)'" if $arg{marker};
    return $source;
}


# A tone, or a beep of 100 ms every second.

sub sound {
    my ($freq, %arg) = @_;
    my $level = $arg{level} // 0.2;
    my $expr = "$level*sin(2*PI*$freq*t)";

    $expr .= '*lt(mod(t\\,1)\\,0.1)' if $arg{beep};
    return "aevalsrc='$expr|$expr':s=48000:n=960";
}


1;
