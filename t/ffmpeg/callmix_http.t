#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# A recording behind URLs is mixed as the folder that it was, frame by frame,
# whatever the server does on the way; or not at all.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::FileServer;
use CallRecorder::Mix;
use JSON::PP ();
use Test::More;


my $size = 'size=320x180';
my $media = CallRecorder::Mix->new;
my %media = map {
    $_ => $media->encode(seconds => 6, key => 2,
        video => CallRecorder::Mix::picture($_, size => '320x180', marker => 1),
        audio => CallRecorder::Mix::sound($_ eq 'red' ? 600 : 900))
} qw(red blue);


# Two people, three chunks each.
sub new_recording
{
    my (%arg) = @_;
    my $rec = CallRecorder::Mix->new;

    $rec->session(id => 'a', media => $media{red}, start => 0, chunk => 2000,
        %arg);
    $rec->session(id => 'b', media => $media{blue}, start => 0,
        chunk => 2000);
    $rec->stop(6000);
    $rec->write_journal;

    return $rec;
}


my $rec = new_recording();
my $local = $rec->framecrc('dir=' . $rec->dir . ":$size");
my @names = map { my $id = $_; map { "$id/s-$id/00000$_.mkv" } 1 .. 3 }
    qw(a b);
my @paths = ('/journal.ndjson', map { "/$_" } @names);

is(scalar(() = $local =~ /^0,/mg), 180, 'the folder itself: 180 frames');


# A URL as an option of a filter.
sub quoted
{
    my ($text) = @_;

    return q(') . $text =~ s/([\\:])/\\$1/gr . q(');
}


# What a server's folder is mixed to, or undef when ffmpeg failed, and all
# requests that it made; path is that of dir.
sub mix
{
    my ($server, $options, $path) = @_;
    my $crc = eval {
        $rec->framecrc('dir=' . quoted($server->url($path // '/'))
            . ":$size$options")
    };

    $rec->{log} = $@ if !defined $crc;

    return $crc, $server->stop;
}


sub same
{
    my ($what, $options, $answer) = @_;
    my $server = CallRecorder::FileServer->new($rec->dir, $answer);
    my ($crc, @requests) = mix($server, $options);

    ok(defined $crc && $crc eq $local, "$what: the same mix")
        or diag $rec->{log};

    return @requests;
}


# ---- a base URL ----

is_deeply([sort(same('a server', ''))], [sort @paths],
    '...each file was asked for once');

my $server = CallRecorder::FileServer->new($rec->dir, sub {
    my ($request) = @_;

    return if $request->{query} eq 'Policy=x%2Fy&Signature=secret'
        && $request->{path} =~ s{^/deep/er}{};
    return { status => 403 };
});
my ($crc, @requests) = mix($server, '',
    '/deep/er//?Policy=x%2Fy&Signature=secret');

is($crc, $local, 'a base URL with a query: it goes with each file');
is($requests[0], '/deep/er/journal.ndjson?Policy=x%2Fy&Signature=secret',
    '...behind its path');

$server = CallRecorder::FileServer->new($rec->dir);
my $store = $server->url;
my $door = CallRecorder::FileServer->new($rec->dir, sub {
    my ($request) = @_;

    return { location => "$store$request->{path}?X-Amz-Signature=secret" };
});
($crc) = mix($door, '');

is($crc, $local, 'redirected to presigned URLs: the same mix');
is_deeply([sort $server->stop],
    [sort map { "$_?X-Amz-Signature=secret" } @paths], '...of each file');


# ---- failures that pass ----

same('503, twice each', '', sub {
    return $_[0]{nth} < 3 ? { status => 503 } : ()
});

same('429 once', '', sub { return $_[0]{nth} == 1 ? { status => 429 } : () });

@requests = same('an answer cut short', '', sub {
    return $_[0]{nth} == 1 ? { short => 1000 } : ()
});
is(scalar(grep { / 1000-$/ } @requests), 7, '...it goes on where it ended');

@requests = same('cut short by a server without ranges', '', sub {
    return { ranges => 0, $_[0]{nth} == 1 ? (short => 1000) : () }
});
is(scalar(grep { / 1000-$/ } @requests), 7, '...what it cannot do was tried');

same('cut short again and again', '', sub {
    return $_[0]{path} =~ /2\.mkv$/ && $_[0]{nth} < 4 ? { short => 1500 } : ()
});

same('without a length', '', sub { return { chunked => 1 } });

same('cut short without a length', '', sub {
    return $_[0]{path} =~ /mkv$/ && $_[0]{nth} == 1
        ? { chunked => 1, short => 1000 } : ()
});

same('nothing at all, once', '', sub {
    return $_[0]{nth} == 1 ? { short => 0 } : ()
});

same('silence in mid-file', ':timeout=1', sub {
    return $_[0]{path} =~ /2\.mkv$/ && $_[0]{nth} == 1 ? { stall => 500 } : ()
});

same('slow, but not silent', '', sub {
    return $_[0]{path} =~ /a.*1\.mkv$/ ? { slow => 1 } : ()
});

# faults of all these kinds by chance, up to three for each file

my @faults = (sub { +{ status => 500 } }, sub { +{ status => 429 } },
    sub { +{ short => int rand 4000 } }, sub { +{ chunked => 1 } },
    sub { +{ chunked => 1, short => int rand 4000 } },
    sub { +{ short => int rand 4000, ranges => 0 } },
    sub { +{ delay => rand 0.2 } }, sub { +{ slow => rand 0.5 } });

for my $seed (1 .. 5) {
    srand $seed;
    same("faults by chance, seed $seed", '', sub {
        return $_[0]{nth} <= 3 && rand() < 0.6 ? $faults[rand @faults]->() : ()
    });
}


# ---- what is not there ----

my $absent = new_recording();
unlink $absent->dir . "/$names[1]";
my $without = $absent->framecrc('dir=' . $absent->dir . ":$size");

$server = CallRecorder::FileServer->new($absent->dir);
($crc) = mix($server, '');

isnt($without, $local, 'a chunk that is not there: another mix');
is($crc, $without, '...but the same as of the folder');
like($rec->{log}, qr/\Q$names[1]\E is left out/, '...it is logged');

my $open = new_recording(unclosed => 1);
unlink $open->dir . "/$names[2]";
$without = $open->framecrc('dir=' . $open->dir . ":$size");

# as S3 answers who may not list the bucket
my $forbid = sub { return $_[0]{path} eq "/$names[2]" ? { status => 403 } : () };

($crc) = mix(CallRecorder::FileServer->new($open->dir, $forbid), '');
is($crc, $without, '403 of a chunk that was not closed: it is not there');

($crc) = mix(CallRecorder::FileServer->new($rec->dir, $forbid), '');
is($crc, undef, '403 of a closed chunk: an error');
like($rec->{log}, qr/\Q$names[2]\E did not come: .*403/, '...that tells which');


# ---- failures that do not pass: no mix with a hole in it ----

for (['500', sub { +{ status => 500 } }], ['401', sub { +{ status => 401 } }],
    ['cut short', sub { +{ short => 100, ranges => 0 } }],
    ['cut short after some bytes', sub { +{ short => 10 } }],
    # the other files may be silent, too, where a machine is slow
    ['silent', sub { +{ stall => 0 } }, ':timeout=3:retry_timeout=8'])
{
    my ($what, $answer, $options) = @$_;

    ($crc) = mix(CallRecorder::FileServer->new($rec->dir, sub {
        return $_[0]{path} eq "/$names[4]" ? $answer->() : ()
    }), $options // ':retry_timeout=1');

    is($crc, undef, "a chunk always $what: an error");
    like($rec->{log}, qr/\Q$names[4]\E did not come/, '...that tells which');
}

# what no mix should follow or swallow

for (['a redirection to a file', sub { +{ location => "file://$rec->{dir}" } }],
    ['a redirection to itself', sub { +{ location => $_[0]{path} } }],
    ['a terabyte', sub { +{ length => 1 << 40 } }])
{
    my ($what, $answer) = @$_;

    ($crc) = mix(CallRecorder::FileServer->new($rec->dir, sub {
        return $_[0]{path} eq "/$names[4]" ? $answer->(@_) : ()
    }), ':retry_timeout=0');

    is($crc, undef, "$what: an error");
    like($rec->{log}, qr/\Q$names[4]\E did not come/, '...that tells where');
}

# the third chunk is on its way when the mix ends: run() has a limit of its own

$server = CallRecorder::FileServer->new($rec->dir, sub {
    return $_[0]{path} =~ /3\.mkv$/ ? { stall => 100 } : ()
});
$rec->run('-filter_complex', 'callmix=dir=' . quoted($server->url)
    . ":$size:timeout=600:retry_timeout=600[v][a]",
    qw(-map [v] -map [a] -t 0.5 -f null -));
@requests = $server->stop;
ok(scalar(grep { /3\.mkv$/ } @requests), 'it was asked for');
pass('a mix that ends does not wait for files that are on their way');

($crc) = mix(CallRecorder::FileServer->new("$rec->{dir}/a"), '',
    '/x?token=secret');
is($crc, undef, 'no journal: an error');
like($rec->{log}, qr{journal\.ndjson of http://127\.0\.0\.1:\d+/x: },
    '...that tells where');

for ('user:secret@', 'user:p@secret@', 'secret@', '') {
    ok(!eval { $rec->framecrc('dir=' . quoted("http://${_}127.0.0.1:1/x/y?secret")
        . ":$size:retry_timeout=0"); 1 }, "nobody listens at \"$_\": an error");

    # the first line is the command's
    my $log = $@ =~ s/^.*\n//r;
    like($log, qr{ of http://127\.0\.0\.1:1/x/y: }, '...that tells where');
    unlike($log, qr/secret/, '...and nothing else');
}

for ('http://', 'http:///x', 'https://h/a b', 'http://h/x#y',
    'http://h/' . 'x' x 4000)
{
    ok(!eval { $rec->framecrc('dir=' . quoted($_) . ":$size"); 1 },
        substr($_, 0, 20) . ': an error');
}

for ('', 'dir=/nowhere:manifest=/nowhere:', 'dir=:manifest=:') {
    ok(!eval { $rec->framecrc("$_$size"); 1 }, "options \"$_\": an error");
    like($@, qr/either dir or manifest/, '...that says so');
}


# ---- a manifest ----

my $json = JSON::PP->new->canonical;
my $manifest = "$rec->{dir}/list.json";


sub list
{
    my ($url, $query, %arg) = @_;

    return $json->encode({ %arg, files => { map {
        $_ => "$url/$_" . ($query ? "?$query" : '')
    } 'journal.ndjson', @names } });
}


sub write_file
{
    my ($path, $text) = @_;

    open my $f, '>', "$path.new" or die $!;
    print $f $text;
    close $f or die $!;
    rename "$path.new", $path or die $!;
}


# What a manifest is mixed to.
sub mix_list
{
    my ($where, $options) = @_;
    my $crc = eval { $rec->framecrc("manifest=$where:$size" . ($options // '')) };

    $rec->{log} = $@ if !defined $crc;

    return $crc;
}


my $signed = sub {
    return $_[0]{path} =~ /list/ || $_[0]{query} eq 'X-Amz-Signature=secret'
        ? () : { status => 403 };
};

$server = CallRecorder::FileServer->new($rec->dir, $signed);
write_file($manifest, list($server->url, 'X-Amz-Signature=secret'));
is(mix_list($manifest), $local, 'a manifest in a file: the same mix');

is(mix_list(quoted($server->url('/list.json?X-Amz-Signature=other'))), $local,
    'a manifest behind a URL: the same mix');
$server->stop;

$server = CallRecorder::FileServer->new($absent->dir);
my $list = $json->decode(list($server->url));
delete $list->{files}{$names[1]};
write_file($manifest, $json->encode($list));
$without = $absent->framecrc('dir=' . $absent->dir . ":$size");
is(mix_list($manifest), $without, 'a file that it does not list is not there');
delete $list->{files}{'journal.ndjson'};
write_file($manifest, $json->encode($list));
is(mix_list($manifest), undef, 'a manifest without the journal: an error');
$server->stop;

# from the fourth file on the signatures of before count no more

my $served = 0;
$server = CallRecorder::FileServer->new($rec->dir, sub {
    my ($request) = @_;
    my $good = $served++ < 3 ? 'old' : 'new';

    if ($request->{path} eq '/list.json') {
        $served--;
        return { body => list($request->{header}{host} =~ s{^}{http://}r,
            $good) };
    }

    return $request->{query} eq $good ? () : { status => 403 };
});
$crc = mix_list(quoted($server->url('/list.json')));
@requests = $server->stop;
is($crc, $local, 'signatures that expire meanwhile: the same mix')
    or diag $rec->{log};
my $read = grep { $_ eq '/list.json' } @requests;
ok($read >= 2 && $read < 7, '...the list was read anew, not for each file')
    or diag "@requests";

# refused for good: the list brings nothing new

$server = CallRecorder::FileServer->new($rec->dir, sub {
    return $_[0]{path} eq "/$names[4]" ? { status => 403 } : ()
});
write_file($manifest, list($server->url));
is(mix_list($manifest), undef, 'refused for good: an error');
like($rec->{log}, qr/\Q$names[4]\E did not come: .*403/, '...that tells which');
@requests = $server->stop;
is(scalar(grep { $_ eq "/$names[4]" } @requests), 1, '...asked for once');

# its time is over: a new one before it is used

$served = 0;
$server = CallRecorder::FileServer->new($rec->dir, sub {
    my ($request) = @_;

    return $request->{query} eq 'new' ? () : { status => 500 }
        if $request->{path} ne '/list.json';

    my @about = $served++ ? ('new', expiresAt => '2999-01-01T00:00:00Z')
        : ('old', expiresAt => '2020-01-01T00:00:00.000Z');
    return { body => list($request->{header}{host} =~ s{^}{http://}r, @about) };
});
$crc = mix_list(quoted($server->url('/list.json')));
@requests = $server->stop;
is($crc, $local, 'expiresAt has passed: the list is read anew before');
is(scalar(grep { /old$/ } @requests), 0, '...nothing of the old one is used');

# what is no manifest

for (['nothing', ''], ['no JSON', '{"files":{'], ['a list', '["x"]'],
    ['no files', '{"file":{}}'], ['files as a list', '{"files":["http://h/"]}'],
    ['a number', '{"files":{"journal.ndjson":1}}'],
    ['a file', '{"files":{"journal.ndjson":"file:///etc/passwd"}}'],
    ['a path', '{"files":{"journal.ndjson":"/etc/passwd"}}'],
    ['a line end', '{"files":{"journal.ndjson":"http://h/x\r\ny"}}'],
    ['a bad time', '{"files":{},"expiresAt":"soon"}'],
    ['a time as number', '{"files":{},"expiresAt":5}'])
{
    my ($what, $text) = @$_;

    write_file($manifest, $text);
    is(mix_list($manifest), undef, "a manifest that is or has $what: an error");
    like($rec->{log}, qr/list\.json is not a list of files: /,
        '...that says so');
}

is(mix_list("$rec->{dir}/none.json"), undef, 'a manifest that is not there');
like($rec->{log}, qr/none\.json: No such file/, '...that says so');


# ---- secrets stay out of the log ----

$server = CallRecorder::FileServer->new($rec->dir, $signed);
write_file($manifest, list($server->url, 'X-Amz-Signature=secret'));
my $log = $rec->run(qw(-v verbose -filter_complex),
    "callmix=manifest=$manifest:$size\[v][a]", qw(-map [v] -map [a] -f null -));
unlike($log, qr/secret/, 'no signature is logged');
$server->stop;

done_testing();
