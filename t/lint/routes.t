#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# The table of routes in the code and the one in docs/api.md are the same,
# and so are the error codes that the API answers with.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Tree qw(files slurp complain);
use Test::More;


my $code = slurp('ngx_modules/ngx_http_recording_api.c');
my $docs = slurp('docs/api.md');

my (%code, %docs);

my %permits = (
    RECORD => 'record', READ => 'read', DELETE => 'delete',
    PUBLISH => 'publish',
);

while ($code =~ /\{\s*NGX_HTTP_\S+,\s*"([A-Z, ]+)",\s*
    "(:callId\S+)",\s*CR_PERMIT_(\w+)/gx)
{
    my ($methods, $path, $permit) = ($1, $2, $3);

    # HEAD goes with GET
    $code{"$_ $path | `$permits{$permit}`"} = 1
        for grep { $_ ne 'HEAD' } split /, /, $methods;
}

while ($docs =~ /^\| `([A-Z]+ :callId\S*)` \| (`\w+`)/mg) {
    $docs{"$1 | $2"} = 1;
}

ok(keys %code, 'there are routes');
complain('each route is documented', grep { !$docs{$_} } sort keys %code);
complain('each documented route is there',
    grep { !$code{$_} } sort keys %docs);

complain('each route has a section of its own',
    grep { my ($route) = split / \|/; $docs !~ /^## \Q$route\E$/m }
    sort keys %code);

my (%said, %listed);

for my $file (files(qr{^ngx_modules/ngx_http_recording_(?!parts|mix)\w+\.c$}))
{
    my $text = slurp($file);

    while ($text =~ /ngx_http_recording_error\(\s*r,[^"]*?"(\w+)"/g) {
        $said{$1} = 1;
    }

    while ($text =~ /\*code\s*=\s*"(\w+)"/g) {
        $said{$1} = 1;
    }
}

my ($errors) = $docs =~ /^## Errors\n(.*)/ms;

for my $line ($errors =~ /^\| (?:\d+[, ]*)+\|(.*?)\|/mg) {
    $listed{$_} = 1 for $line =~ /`(\w+)`/g;
}

ok(keys %said, 'there are errors');
complain('each error code is documented', grep { !$listed{$_} }
    sort keys %said);


# The location for parts has its own list; the status has codes, too.

sub complain_undocumented
{
    my ($name, $page, $said) = @_;

    my $text = slurp($page);

    ok(@$said, "$name: there are some");
    complain("$name: each is documented",
        grep { $text !~ /^\|.*`$_`.*\|/m } @$said);
}

my $parts = slurp('ngx_modules/ngx_http_recording_parts.c');
complain_undocumented('errors of parts', 'docs/mix-protocol.md',
    [$parts =~ /_parts_error\([^"]*?"(\w+)"/g]);

my $whip = join '', map { slurp($_) }
    files(qr{^ngx_modules/ngx_http_whip\w*\.c$});
complain_undocumented('errors of WHIP', 'docs/ngx_http_whip_module.md',
    [grep { $_ ne 'internal' } $whip =~ /_whip_problem\([^"]*?"(\w+)"/g]);

my $engine = join '', map { slurp($_) }
    files(qr{^ngx_modules/ngx_recording_\w+\.c$});
complain_undocumented('errors in the status', 'docs/api.md',
    [$engine =~ /ngx_recording_(?:job_)?fail\([^";{]*?"(\w+)"/g]);

done_testing();
