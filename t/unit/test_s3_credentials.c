
/*
 * Copyright (C) The call recorder authors
 *
 * Credentials as endpoints and files say them.
 */


#include "s3/credentials.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>


static cr_s3_credentials_t  c;
static const char          *why;


static cr_status_e
json(const char *text)
{
    why = NULL;
    return cr_s3_credentials_json(text, strlen(text), &c, &why);
}


static cr_status_e
sts(const char *text)
{
    why = NULL;
    return cr_s3_credentials_sts(text, strlen(text), &c, &why);
}


static cr_status_e
file(const char *text, const char *profile)
{
    why = NULL;
    return cr_s3_credentials_file(text, strlen(text), profile, &c, &why);
}


static void
nothing(void)
{
    static const cr_s3_credentials_t  empty;

    assert_memory_equal(&c, &empty, sizeof(c));
    assert_non_null(why);
}


/* "Retrieve security credentials from instance metadata" */

static void
an_instance_has_credentials(void **state)
{
    (void) state;

    assert_int_equal(json("{\n  \"Code\" : \"Success\",\n"
        "  \"LastUpdated\" : \"2012-04-26T16:39:16Z\",\n"
        "  \"Type\" : \"AWS-HMAC\",\n"
        "  \"AccessKeyId\" : \"ASIAIOSFODNN7EXAMPLE\",\n"
        "  \"SecretAccessKey\" :"
        " \"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\",\n"
        "  \"Token\" : \"token==\",\n"
        "  \"Expiration\" : \"2017-05-17T15:09:54Z\"\n}"), CR_OK);

    assert_string_equal(c.access, "ASIAIOSFODNN7EXAMPLE");
    assert_string_equal(c.secret, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
    assert_string_equal(c.session, "token==");
    assert_int_equal(c.expires, 1495033794);
}


static void
a_container_has_credentials(void **state)
{
    cr_s3_keys_t  keys;

    (void) state;

    assert_int_equal(json("{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"S\","
                          "\"RoleArn\":\"R\",\"Token\":null}"), CR_OK);
    assert_string_equal(c.session, "");
    assert_int_equal(c.expires, 0);

    keys = cr_s3_credentials_keys(&c);
    assert_int_equal(keys.access.len, 1);
    assert_int_equal(keys.secret.data[0], 'S');
    assert_int_equal(keys.session.len, 0);
}


static void
answers_without_credentials_leave_nothing(void **state)
{
    char  *big;

    (void) state;

    assert_int_equal(json("{\"Code\":\"AssumeRoleUnauthorizedAccess\"}"),
                     CR_DECLINED);
    nothing();
    assert_int_equal(json("<html>"), CR_INVALID);
    nothing();
    assert_int_equal(json("[]"), CR_INVALID);
    nothing();
    assert_int_equal(json("{\"AccessKeyId\":\"A\"}"), CR_INVALID);
    nothing();
    assert_int_equal(json("{\"AccessKeyId\":1,\"SecretAccessKey\":\"S\"}"),
                     CR_INVALID);
    nothing();
    assert_int_equal(json("{\"AccessKeyId\":\"A\\r\\nX: y\","
                          "\"SecretAccessKey\":\"S\"}"), CR_INVALID);
    nothing();
    assert_int_equal(json("{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"S\","
                          "\"Expiration\":\"soon\"}"), CR_INVALID);
    nothing();

    big = malloc(CR_S3_DOCUMENT_MAX + 1);
    assert_non_null(big);
    memset(big, ' ', CR_S3_DOCUMENT_MAX + 1);
    assert_int_equal(cr_s3_credentials_json(big, CR_S3_DOCUMENT_MAX + 1, &c,
                                            &why), CR_LIMIT);
    nothing();

    strcpy(big, "{\"SecretAccessKey\":\"S\",\"AccessKeyId\":\"");
    memset(big + strlen(big), 'x', CR_SIGV4_ACCESS_MAX + 1);
    strcpy(strchr(big, 'x') + CR_SIGV4_ACCESS_MAX + 1, "\"}");
    assert_int_equal(json(big), CR_LIMIT);
    nothing();
    free(big);
}


/* the example of AssumeRoleWithWebIdentity in the STS API reference */

static void
sts_has_credentials(void **state)
{
    (void) state;

    assert_int_equal(sts("<AssumeRoleWithWebIdentityResponse"
        " xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n"
        "<AssumeRoleWithWebIdentityResult>\n<Credentials>\n"
        "<SessionToken>AQoDYXdzEE0a8ANXXXXXXXXNO1ewxE5TijQyp+IEXAMPLE"
        "</SessionToken>\n"
        "<SecretAccessKey>wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEY"
        "</SecretAccessKey>\n<Expiration>2014-10-24T23:00:23Z</Expiration>\n"
        "<AccessKeyId>ASgeIAIOSFODNN7EXAMPLE</AccessKeyId>\n</Credentials>\n"
        "<Provider>www.amazon.com</Provider>"
        "</AssumeRoleWithWebIdentityResult>\n<ResponseMetadata>"
        "<RequestId>ad4156e9-bce1-11e2-82e6-6b6efEXAMPLE</RequestId>"
        "</ResponseMetadata></AssumeRoleWithWebIdentityResponse>"), CR_OK);

    assert_string_equal(c.access, "ASgeIAIOSFODNN7EXAMPLE");
    assert_string_equal(c.secret, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEY");
    assert_string_equal(c.session,
                        "AQoDYXdzEE0a8ANXXXXXXXXNO1ewxE5TijQyp+IEXAMPLE");
    assert_int_equal(c.expires, 1414191623);

    assert_int_equal(sts("<ErrorResponse><Error><Code>InvalidIdentityToken"
                         "</Code></Error></ErrorResponse>"), CR_DECLINED);
    nothing();
    assert_int_equal(sts("<A><B><Credentials><AccessKeyId>a</AccessKeyId>"
                         "</Credentials></B></A>"), CR_INVALID);
    nothing();
    assert_int_equal(sts("{}"), CR_INVALID);
    nothing();
}


static void
a_profile_has_credentials(void **state)
{
    const char  *text =
        "# a comment\r\n"
        "[default]\n"
        "aws_access_key_id=A1\n"
        "aws_secret_access_key = S1=+/\n"
        "\n"
        "[ other ]\n"
        "aws_access_key_id = no\n"
        "[other]\r\n"
        "  aws_access_key_id\t=  A2 \r\n"
        "; aws_access_key_id = no\n"
        "region = eu-west-1\n"
        "aws_secret_access_key = S2\n"
        "aws_session_token = T2\n"
        "[profile third]\n"
        "aws_access_key_id = A3\n"
        "aws_secret_access_key = S3";

    (void) state;

    assert_int_equal(file(text, "default"), CR_OK);
    assert_string_equal(c.access, "A1");
    assert_string_equal(c.secret, "S1=+/");
    assert_string_equal(c.session, "");

    assert_int_equal(file(text, "other"), CR_OK);
    assert_string_equal(c.access, "A2");
    assert_string_equal(c.secret, "S2");
    assert_string_equal(c.session, "T2");

    assert_int_equal(file(text, "third"), CR_OK);
    assert_string_equal(c.secret, "S3");

    assert_int_equal(file(text, "fourth"), CR_DECLINED);
    nothing();
    assert_int_equal(file("[a]\naws_access_key_id = A", "a"), CR_INVALID);
    nothing();
    assert_int_equal(file("[a]\naws_access_key_id = A B\n"
                          "aws_secret_access_key = S", "a"), CR_INVALID);
    nothing();
    assert_int_equal(file("", "default"), CR_DECLINED);
    nothing();
}


static void
they_are_renewed_before_they_expire(void **state)
{
    (void) state;

    memset(&c, 0, sizeof(c));
    assert_true(cr_s3_credentials_renew(&c, 1000) == INT64_MAX);

    c.expires = 1000 + 6 * 3600;
    assert_int_equal(cr_s3_credentials_renew(&c, 1000), 6 * 3600 - 900);

    c.expires = 1000 + 900;
    assert_int_equal(cr_s3_credentials_renew(&c, 1000), 675);

    c.expires = 1000 + 8;
    assert_int_equal(cr_s3_credentials_renew(&c, 1000), 6);

    c.expires = 999;
    assert_int_equal(cr_s3_credentials_renew(&c, 1000), 1);
}


static void
the_form_for_sts_is_encoded(void **state)
{
    uint8_t      buf[512];
    cr_writer_t  w;

    (void) state;

    cr_writer_init(&w, buf, sizeof(buf) - 1);
    cr_s3_credentials_web_identity(&w, cr_s3_str("arn:aws:iam::1:role/r"),
                                   cr_s3_str("nginx"), cr_s3_str("a.b+c="));
    *w.pos = '\0';

    assert_string_equal((char *) buf,
        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15"
        "&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr&RoleSessionName=nginx"
        "&WebIdentityToken=a.b%2Bc%3D");
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_instance_has_credentials),
        cmocka_unit_test(a_container_has_credentials),
        cmocka_unit_test(answers_without_credentials_leave_nothing),
        cmocka_unit_test(sts_has_credentials),
        cmocka_unit_test(a_profile_has_credentials),
        cmocka_unit_test(they_are_renewed_before_they_expire),
        cmocka_unit_test(the_form_for_sts_is_encoded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
