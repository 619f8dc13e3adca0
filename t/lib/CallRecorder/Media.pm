package CallRecorder::Media;

# Judges media by its content: what is to be seen and heard, and when.  All
# decoding is done by the system's ffmpeg and ffprobe, never by our own build.
# A tool that fails or is missing dies.

use strict;
use warnings;

use Exporter 'import';
use JSON::PP ();
use List::Util qw(max min sum0);

our @EXPORT_OK = qw(
    probe boxes mean_rgb rgb_near luma_series onsets tone_series
    tone_level av_offsets_ms median run
);

use constant PI => 4 * atan2(1, 1);

# samples per second of decoded sound: enough for tones up to 3.5 kHz
use constant RATE => 8000;


# The output of a command (a list, no shell); dies when it fails.
sub run {
    my (@command) = @_;

    open my $out, '-|', @command or die "cannot run $command[0]: $!\n";
    binmode $out;

    my $text = do { local $/; <$out> } // '';

    close $out or die "failed (status " . ($? >> 8) . "): @command\n";

    return $text;
}


# ffprobe's view of a file: { format => {...}, streams => [...] }
sub probe {
    my ($file) = @_;

    return JSON::PP::decode_json(run(
        qw(ffprobe -v error -of json -show_format -show_streams), $file));
}


# The top-level boxes of an MP4: ([type, offset, size], ...)
sub boxes {
    my ($file) = @_;

    open my $in, '<:raw', $file or die "$file: $!\n";

    my ($pos, @boxes) = (0);

    while (read($in, my $header, 16) >= 8) {
        my ($size, $type, $high, $low) = unpack 'N a4 N N', $header;

        $size = $high * 2 ** 32 + $low if $size == 1;
        $size = (-s $file) - $pos if $size == 0;

        die "box $type at $pos has size $size\n" if $size < 8;

        push @boxes, [ $type, $pos, $size ];
        $pos += $size;
        seek $in, $pos, 0;
    }

    return @boxes;
}


# Mean colour (r, g, b) of a region at a time: "w:h:x:y", seconds.
sub mean_rgb {
    my ($file, $time, $region) = @_;

    my $raw = run(qw(ffmpeg -v error -ss), $time, '-i', $file,
        qw(-frames:v 1 -vf), "crop=$region,scale=1:1:flags=area,format=rgb24",
        qw(-f rawvideo -));

    length $raw == 3 or die "no frame at $time s in $file\n";

    return unpack 'C3', $raw;
}


# Whether a colour is near "#rrggbb": each channel within the tolerance.
sub rgb_near {
    my ($rgb, $name, $tolerance) = @_;

    my @want = map { hex } $name =~ /^#(..)(..)(..)$/;

    return !grep { abs($rgb->[$_] - $want[$_]) > ($tolerance // 24) } 0 .. 2;
}


# ([seconds, mean luma 0..255], ...) of a region ("w:h:x:y", or undef for
# all of the picture), one for each frame.
sub luma_series {
    my ($file, $region) = @_;

    my $crop = defined $region ? "crop=$region," : '';
    my @times = map { /([\d.]+)/ ? $1 : () } split /\n/, run(
        qw(ffprobe -v error -select_streams v:0 -show_entries
           frame=best_effort_timestamp_time -of csv=p=0), $file);
    my $raw = run(qw(ffmpeg -v error -i), $file, qw(-map 0:v:0 -vf),
        "${crop}scale=1:1:flags=area,format=gray",
        qw(-fps_mode passthrough -f rawvideo -));
    my @luma = unpack 'C*', $raw;

    @times == @luma
        or die scalar(@times) . " times, " . scalar(@luma) . " frames\n";

    return map { [ $times[$_], $luma[$_] ] } 0 .. $#luma;
}


# ([seconds, amplitude 0..1 of one frequency], ...): 10 ms windows, one each
# 2 ms; each value's time is the middle of its window.
sub tone_series {
    my ($file, $frequency) = @_;

    my $start = (grep { $_->{codec_type} eq 'audio' }
        @{ probe($file)->{streams} })[0]{start_time} // 0;
    my @s = unpack 's<*', run(qw(ffmpeg -v error -i), $file,
        qw(-map 0:a:0 -ac 1 -ar), RATE, qw(-f s16le -));
    my ($window, $hop) = (RATE / 100, RATE / 500);

    # running sums of the signal times cosine and sine
    my (@c, @q);
    my ($c, $q) = (0, 0);

    for my $i (0 .. $#s) {
        my $phase = 2 * PI * $frequency * $i / RATE;

        push @c, $c;
        push @q, $q;
        $c += $s[$i] * cos $phase;
        $q += $s[$i] * sin $phase;
    }

    my @series;

    for (my $i = 0; $i + $window < @s; $i += $hop) {
        my $re = $c[$i + $window] - $c[$i];
        my $im = $q[$i + $window] - $q[$i];

        push @series, [ $start + ($i + $window / 2) / RATE,
                        2 * sqrt($re * $re + $im * $im) / $window / 32768 ];
    }

    return @series;
}


# Largest amplitude of a frequency between two times.
sub tone_level {
    my ($series, $from, $to) = @_;

    return max 0, map { $_->[1] } grep { $_->[0] >= $from && $_->[0] < $to }
        @$series;
}


# Times at which a series rises through the middle between its low and high
# (95th percentile, so that one spike does not count), at least gap seconds
# apart.
sub onsets {
    my ($series, $gap) = @_;

    my @sorted = sort { $a <=> $b } map { $_->[1] } @$series;
    my ($low, $high) = ($sorted[@sorted * 0.2], $sorted[@sorted * 0.97]);
    my $middle = ($low + $high) / 2;
    my (@onsets, $before);

    for my $point (@$series) {
        if (defined $before && $before < $middle && $point->[1] >= $middle
            && (!@onsets || $point->[0] - $onsets[-1] >= $gap))
        {
            push @onsets, $point->[0];
        }

        $before = $point->[1];
    }

    return @onsets;
}


# For each flash the distance to the nearest beep, in milliseconds: positive
# when the sound comes late.  A flash with no beep within half a second does
# not count.
sub av_offsets_ms {
    my ($flashes, $beeps) = @_;

    my @offsets;

    for my $flash (@$flashes) {
        my ($nearest) = sort { abs $a <=> abs $b }
            map { ($_ - $flash) * 1000 } @$beeps;

        push @offsets, $nearest
            if defined $nearest && abs $nearest < 500;
    }

    return @offsets;
}


sub median {
    my @sorted = sort { $a <=> $b } @_;

    @sorted or die "median of nothing\n";

    return $sorted[@sorted / 2];
}


1;
