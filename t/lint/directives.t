#!/usr/bin/perl

# Copyright (C) The call recorder authors
#
# Each directive of ngx_modules/ is documented in docs/, each documented one
# is there, and both say the same of where it may stand.  In docs/ a directive
# is
#
#     ### name
#
#     **Syntax:** `name value;`
#     **Default:** `name value;` or --
#     **Context:** main, http, server, location

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use CallRecorder::Tree qw(files slurp complain);
use Test::More;


my %contexts = (
    NGX_MAIN_CONF        => 'main',
    NGX_HTTP_MAIN_CONF   => 'http',
    NGX_HTTP_SRV_CONF    => 'server',
    NGX_HTTP_LOC_CONF    => 'location',
    NGX_HTTP_LIF_CONF    => 'if in location',
    NGX_HTTP_LMT_CONF    => 'limit_except',
);

my (%code, %docs, @wrong);

for my $file (files(qr{^ngx_modules/.*\.c$})) {
    my $text = slurp($file);

    # flags of a block of our own, as NGX_RTC_CONF
    while ($text =~ /ngx_command_t\s+\w+\[\]\s*=\s*\{(.*?)^\};/msg) {
        my $table = $1;

        while ($table =~ /ngx_string\("(\w+)"\),\s*([A-Z0-9_|\s]+?),/g) {
            my ($name, $flags) = ($1, $2);
            my @where;

            for my $flag (split /\s*\|\s*/, $flags) {
                next if $flag !~ /_CONF$/ || $flag eq 'NGX_DIRECT_CONF';

                if ($flag =~ /^NGX_(?!HTTP_|MAIN_)([A-Z]+)_CONF$/) {
                    push @where, lc $1;

                } else {
                    push @where, $contexts{$flag} // $flag;
                }
            }

            push @{ $code{$name} }, { file => $file, where => \@where };
        }
    }
}

for my $file (files(qr{^docs/.*\.md$})) {
    my @parts = split /^(#+ .*)$/m, slurp($file);

    for (my $i = 1; $i < @parts; $i += 2) {
        my ($title, $text) = @parts[$i, $i + 1];

        next unless $text =~ /^\*\*(?:Syntax|Default|Context):\*\*/m;

        if ($title !~ /^### `?(\w+)`?$/) {
            push @wrong, "$file: \"$title\" is no ### and one directive";
            next;
        }

        my $name = $1;
        my %field = $text =~ /^\*\*(Syntax|Default|Context):\*\*[ \t]*(.*?)\s*$/mg;

        for (qw(Syntax Default Context)) {
            push @wrong, "$file: $name has no **$_:**"
                unless length($field{$_} // '');
        }

        push @wrong, "$file: the syntax of $name is that of another"
            unless ($field{Syntax} // '') =~ /^[`*]*\Q$name\E\b/;

        push @{ $docs{$name} }, {
            file  => $file,
            where => [ map { s/[`*]//gr } split /\s*,\s*/,
                       $field{Context} // '' ],
        };
    }
}

complain('each documented directive has its three fields', @wrong);

complain('each directive is documented',
    map { "$code{$_}[0]{file}: $_" } grep { !$docs{$_} } sort keys %code);

complain('each documented directive is there',
    map { "$docs{$_}[0]{file}: $_" } grep { !$code{$_} } sort keys %docs);

# a name may be there twice, in blocks of different kinds
my @differ;

for my $name (grep { $docs{$_} } sort keys %code) {
    my @in_code = sort map { @{ $_->{where} } } @{ $code{$name} };
    my @in_docs = sort map { @{ $_->{where} } } @{ $docs{$name} };

    push @differ, "$name: @in_code; documented: @in_docs"
        if "@in_code" ne "@in_docs";
}

complain('documented contexts are those of the code', @differ);

done_testing();
