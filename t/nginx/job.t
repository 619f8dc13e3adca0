#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# The exec hook and the location for parts, with a stand-in for ffmpeg.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Fixtures qw(vp8_ivf opus_ogg);
use CallRecorder::Recorder;
use Digest::SHA qw(sha256_hex);
use Test::More;

my $ROOT = $CallRecorder::Nginx::ROOT;
my $RESULT = 'H' x 1000 . 'A' x 300_000 . 'B' x 77_777;


good($_) for qw(good repeats slow late insists);
bad('dies', qr/the encoder has caught fire/, 'mix_failed');
bad('hangs', qr/said nothing for/, 'mix_stalled');
bad('hole', qr/the parts do not join/, 'mix_failed');
bad('misses', qr/a part is missing/, 'mix_failed');
bad('bad-digest', qr/a part is missing/, 'mix_failed');
bad('wrong-size', qr/do not add up to the announced size/, 'mix_failed');
bad('short', qr/shorter than what was recorded/, 'mix_failed');
bad('forged', qr/409/, 'mix_failed');
environment();
missing_command();
once_more();
at_most();
elsewhere();
configurations();

done_testing();


sub recorder
{
    my ($behaviour, %opt) = @_;

    my $args = $opt{args} // '';

    # a process that fails is nginx's to note
    return CallRecorder::Recorder->new(
        ignore => qr/unknown process \d+ exited/, %opt, mix => "
        recording_mix batch;
        recording_exec /usr/bin/perl {{dir}}/fake-mix.pl $behaviour
            \$recording_parts_url \$recording_attempt $args;
        " . ($opt{mix} // ''), programs => ["$ROOT/t/tools/fake-mix.pl"]);
}


# Some seconds of a publisher; the recording's id, already stopped.
sub record
{
    my ($rec, $seconds) = @_;

    my $pub = $rec->publish('alice', video => vp8_ivf(), audio => opus_ogg());
    my $id = $rec->start_recording;

    $rec->wait_status($id, 'recording', 10);
    select undef, undef, undef, $seconds // 1;
    $rec->stop_recording;
    $rec->leave($pub);

    return $id;
}


sub left_over
{
    my ($rec, $id) = @_;

    return grep { !m{/composite\.mp4$} }
        glob $rec->folder($id) . '/outputs/{.??*,*}';
}


sub good
{
    my ($behaviour) = @_;

    subtest "a process that is $behaviour" => sub {
        my $rec = recorder($behaviour);
        my $id = record($rec);
        my $data = $rec->wait_status($id, 'completed', 20);

        is $data->{status}, 'completed', 'completed';

        my ($out) = @{ $data->{outputs} };

        is $out->{kind}, 'composite', 'with an output';
        is $out->{sizeBytes}, length $RESULT, 'of the right size';
        is $out->{sha256}, sha256_hex($RESULT), 'and digest';
        like $out->{location}, qr{^file://.*/\Q$id\E/outputs/composite\.mp4$},
            'in the local store';
        ok $rec->slurp("records/room/$id/outputs/composite.mp4") eq $RESULT,
            'the file is what was sent';
        is_deeply [ left_over($rec, $id) ], [], 'nothing else is left';
        like $rec->error_log, qr/POST progress: 410/, 'a late word is refused'
            if $behaviour eq 'late';
        like $rec->error_log, qr/(POST complete: 204.*){2}/s,
            'the last request may come again' if $behaviour eq 'insists';

        $rec->stop;
    };
}


sub bad
{
    my ($behaviour, $why, $code) = @_;

    subtest "a process that $behaviour" => sub {
        my $rec = recorder($behaviour, mix => 'recording_exec_timeout 2s;');
        my $id = record($rec, $behaviour eq 'short' ? 3.5 : 1);
        my $data = $rec->wait_status($id, 'failed', 30);

        is $data->{status}, 'failed', 'failed';
        is $data->{error}{code}, $code, "code $code";
        is $data->{error}{stage}, 'processing', 'in processing';
        like $data->{error}{message}, $why, 'its last words are kept';
        is_deeply $data->{outputs}, [], 'there is no output';
        is_deeply [ left_over($rec, $id) ], [], 'nothing is left';

        # the table knows it a little before the journal
        $rec->wait_for(sub {
            (($rec->journal($id))[-1]{status} // '') eq 'failed' }, 10);

        my @jobs = grep { $_->{ev} eq 'job' && $_->{action} eq 'start' }
            $rec->journal($id);

        is scalar(@jobs), 2, 'it was tried twice';

        $rec->stop;
    };
}


sub environment
{
    subtest 'what a process finds' => sub {
        my $rec = recorder('environment',
            args => '$call_id ${recording_id} $$5',
            mix => 'recording_exec_nice ' . (getpriority(0, 0) + 7) . ';');
        my $id = record($rec);

        is $rec->wait_status($id, 'completed', 20)->{status}, 'completed',
            'completed';

        my $log = $rec->error_log;

        like $log, qr/cwd right/, 'it runs in the recording\'s folder';
        like $log, qr/descriptors *$/m, 'without descriptors of nginx';
        like $log, qr/arguments room \Q$id\E \$5/, 'variables are expanded';
        like $log, qr/nice @{[ getpriority(0, 0) + 7 ]}\b/,
            'its priority is lowered';
        unlike $log, qr/token in arguments/, 'the token is not in argv';
        like $log, qr/environment CALLREC_TOKEN PATH\b/, 'but it has it';
        unlike $log, qr/\b[0-9a-f]{64}\b/, 'and no secret is in the log';

        $rec->stop;
    };
}


sub missing_command
{
    subtest 'a command that is not there' => sub {
        my $rec = CallRecorder::Recorder->new(
            mix => 'recording_mix batch; recording_ffmpeg /no/such/ffmpeg;');
        my $id = record($rec);
        my $data = $rec->wait_status($id, 'failed', 20);

        is $data->{status}, 'failed', 'failed';
        is $data->{error}{code}, 'exec_failed', 'code exec_failed';
        like $data->{error}{message}, qr{/no/such/ffmpeg: No such file},
            'it says what is missing';

        $rec->stop;
    };
}


sub once_more
{
    subtest 'a process that dies once' => sub {
        my $rec = recorder('dies-once');
        my $id = record($rec);
        my $data = $rec->wait_status($id, 'completed', 30);

        is $data->{status}, 'completed', 'the second attempt does it';
        ok scalar(grep { $_->{kind} eq 'mix' } @{ $data->{interruptions} }),
            'and the interruption is listed';
        is_deeply [ left_over($rec, $id) ], [], 'nothing is left of the first';

        $rec->stop;
    };
}


sub at_most
{
    subtest 'at most recording_exec_max run at a time' => sub {
        my $rec = recorder('slow', mix => 'recording_exec_max 1;');
        my @ids = map { record($rec) } 1 .. 2;

        for my $id (@ids) {
            is $rec->wait_status($id, 'completed', 30)->{status}, 'completed',
                "$id is completed";
        }

        my @jobs = map {
            my $id = $_;
            my %at;
            $at{ $_->{action} } = $_->{at}
                for grep { $_->{ev} eq 'job' } $rec->journal($id);
            [ $at{start}, $at{done} ];
        } @ids;

        cmp_ok $jobs[1][0], 'ge', $jobs[0][1],
            'the second began when the first was done';

        $rec->stop;
    };
}


sub elsewhere
{
    subtest 'a store in a folder of its own' => sub {
        my $rec = recorder('good', mix => 'recording_store local {{dir}}/out/;',
                           log => 'notice');
        my $id = record($rec);
        my $data = $rec->wait_status($id, 'completed', 20);
        my $file = "$rec->{dir}/out/room/$id/composite.mp4";

        is $data->{outputs}[0]{location}, "file://$file", 'it is said where';
        ok $rec->slurp("out/room/$id/composite.mp4") eq $RESULT,
            'the result is there';
        is_deeply [ glob "$rec->{dir}/out/room/$id/{.??*,*}" ], [ $file ],
            'and nothing else';
        ok !-e $rec->folder($id) . '/outputs', 'nor in the recording\'s folder';

        is $rec->api(DELETE => $id)->{status}, 202, 'it is deleted';
        ok $rec->wait_for(sub { !-e "$rec->{dir}/out/room/$id" }, 5),
            'there, too';

        $rec->stop;
    };
}


# What nginx -t says to directives that are wrong.
sub configurations
{
    my @wrong = (
        [ 'recording_mix live;', qr/invalid value "live"/ ],
        [ 'recording_mix batch; recording_exec a $nonsense;',
          qr/unknown variable in "recording_exec" at "\$nonsense"/ ],
        [ 'recording_mix batch; recording_exec a; recording_exec b;',
          qr/"recording_exec" directive is duplicate/ ],
        [ 'recording_exec ' . join(' ', ('x') x 130) . ';',
          qr/too many arguments/ ],
        [ 'recording_exec_max 0;', qr/must be between 1 and 256/ ],
        [ 'recording_store s3;', qr/unknown store "s3": here it is "local"/ ],
        [ 'recording_store local a b;', qr/too many parameters/ ],
        [ 'recording_store local; recording_store local;',
          qr/"recording_store" directive is duplicate/ ],
        [ 'recording_store local /' . 'x' x 600 . ';',
          qr/path that is too long/ ],
    );

    for my $case (@wrong) {
        my ($directives, $why) = @$case;
        my $rec = CallRecorder::Recorder->new(mix => $directives,
                                              stopped => 1);
        my ($good, $said) = $rec->test;

        ok !$good, 'refused: ' . substr $directives, 0, 50;
        like $said, $why, 'and said why';
    }

    for my $url ('', 'recording_parts_url http://127.0.0.1/parts;') {
        my $nginx = CallRecorder::Nginx->new(stopped => 1,
            http => "recording_mix batch; $url");
        my ($good, $said) = $nginx->test;

        ok !$good, 'a mix needs the URL of the parts';
        like $said, qr/"recording_parts_url" that ends in a slash/,
            'and is told so';
    }

    my $nginx = CallRecorder::Nginx->new(stopped => 1,
        server => 'location /parts { recording_parts; }');
    my ($good, $said) = $nginx->test;

    ok !$good, 'recording_parts wants a slash at the end';
    like $said, qr/must be in a location that ends in a slash/, 'and says so';
}
