package CallRecorder::Token;

# Copyright (C) The call recorder authors
#
# JSON Web Tokens for the tests, made apart from the library under test.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256);
use JSON::PP ();
use MIME::Base64 qw(encode_base64url);


# hs256(SECRET, call => ..., perms => [...], exp => ...); expires in an hour
# unless it says otherwise.

sub hs256
{
    my ($secret, %claims) = @_;

    $claims{exp} //= time + 3600;

    my $json = JSON::PP->new->canonical->utf8;

    my $signed = join '.', map { encode_base64url($json->encode($_)) }
        { alg => 'HS256', typ => 'JWT' }, \%claims;

    return "$signed." . encode_base64url(hmac_sha256($signed, $secret));
}


1;
