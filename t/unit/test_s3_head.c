
/*
 * Copyright (C) The call recorder authors
 *
 * Heads of requests as proxy_pass makes them, signed; answers of credential
 * endpoints, in any pieces.
 */


#include "s3/head.h"

#include "env.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>


/* 2013-05-24T00:00:00Z, of the examples of S3 */
#define NOW  1369353600


static test_env_t      env;
static cr_s3_head_t    how;
static cr_s3_keys_t    keys;
static cr_sigv4_key_t  key;
static uint8_t         out[16384];


static cr_slice_t
str(const char *text)
{
    return (cr_slice_t) { (const uint8_t *) text, strlen(text) };
}


static cr_status_e
sign(const char *head)
{
    size_t       size;
    cr_status_e  rc;
    cr_writer_t  w;

    size = cr_s3_head_size(&keys, &how, str(head));
    assert_true(size < sizeof(out));

    cr_writer_init(&w, out, size);
    rc = cr_s3_head_sign(&env.env, &key, &keys, NOW, &how, str(head), &w);
    out[cr_writer_len(&w)] = '\0';

    assert_int_equal(env.live, 0);

    return rc;
}


static int
setup(void **state)
{
    (void) state;

    memset(&how, 0, sizeof(how));
    memset(&keys, 0, sizeof(keys));

    keys.access = cr_s3_str("AKIAIOSFODNN7EXAMPLE");
    keys.secret = cr_s3_str("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
    how.payload = cr_s3_str(CR_SIGV4_EMPTY);

    test_env_init(&env, 1);

    return cr_sigv4_key(&key, keys.secret, cr_s3_str("us-east-1"),
                        cr_s3_str("s3"), NOW);
}


/* "GET Bucket (list objects)" of the S3 API reference */

static void
the_example_of_s3_is_signed(void **state)
{
    (void) state;

    assert_int_equal(sign("GET /?max-keys=2&prefix=J HTTP/1.0\r\n"
                          "Host: examplebucket.s3.amazonaws.com\r\n"
                          "Connection: close\r\n\r\n"), CR_OK);

    assert_string_equal((char *) out,
        "GET /?max-keys=2&prefix=J HTTP/1.0\r\n"
        "Host: examplebucket.s3.amazonaws.com\r\n"
        "Connection: close\r\n"
        "X-Amz-Date: 20130524T000000Z\r\n"
        "X-Amz-Content-Sha256: " CR_SIGV4_EMPTY "\r\n"
        "Authorization: AWS4-HMAC-SHA256 "
        "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
        " SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature="
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
        "\r\n\r\n");
}


static void
path_and_host_are_replaced(void **state)
{
    (void) state;

    how.path = cr_s3_str("/");
    how.host = cr_s3_str("examplebucket.s3.amazonaws.com");

    assert_int_equal(sign("GET /any%20where?prefix=J&max-keys=2 HTTP/1.1\r\n"
                          "hOST: 127.0.0.1:80\r\n\r\n"), CR_OK);

    assert_memory_equal(out, "GET /?prefix=J&max-keys=2 HTTP/1.1\r\n"
                        "hOST: examplebucket.s3.amazonaws.com\r\n", 70);
    assert_non_null(strstr((char *) out, "Signature="
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"));
}


static void
what_the_client_says_of_signatures_is_dropped(void **state)
{
    (void) state;

    keys.session = cr_s3_str("token");

    assert_int_equal(sign("PUT /k HTTP/1.1\r\nHost: h\r\n"
        "Authorization: Bearer theirs\r\nX-AMZ-DATE: theirs\r\n"
        "x-amz-content-sha256: theirs\r\nX-Amz-Security-Token: theirs\r\n"
        "x-amz-meta-a: ours\r\nContent-Type: text/plain\r\n"
        "Content-MD5: m\r\nRange: bytes=1-\r\n\r\n"), CR_OK);

    assert_null(strstr((char *) out, "theirs"));
    assert_non_null(strstr((char *) out, "X-Amz-Security-Token: token\r\n"));
    assert_non_null(strstr((char *) out, "SignedHeaders=content-md5;"
        "content-type;host;x-amz-content-sha256;x-amz-date;x-amz-meta-a;"
        "x-amz-security-token, "));
    assert_non_null(strstr((char *) out, "Range: bytes=1-\r\n"));
}


static void
a_digest_is_trusted_when_it_may_be(void **state)
{
    const char  *head = "PUT /k HTTP/1.1\r\nHost: h\r\n"
                        "X-Amz-Content-Sha256: 44ce7dd67c959e0d3524ffac1771df"
                        "bba87d2b6b4b4e99e42034a8b803f8b072\r\n\r\n";

    (void) state;

    how.payload = cr_s3_str(CR_SIGV4_UNSIGNED);
    assert_int_equal(sign(head), CR_OK);
    assert_non_null(strstr((char *) out, "Sha256: UNSIGNED-PAYLOAD\r\n"));

    how.trust = true;
    assert_int_equal(sign(head), CR_OK);
    assert_non_null(strstr((char *) out, "Sha256: 44ce7dd67c959e0d"));

    assert_int_equal(sign("PUT /k HTTP/1.1\r\nHost: h\r\n"
                          "X-Amz-Content-Sha256: STREAMING\r\n\r\n"), CR_OK);
    assert_non_null(strstr((char *) out, "Sha256: UNSIGNED-PAYLOAD\r\n"));
}


static void
what_is_no_head_is_refused(void **state)
{
    size_t  i;
    char    many[4096] = "GET / HTTP/1.1\r\nHost: h\r\n";

    static const char  *bad[] = {
        "", "\r\n\r\n", "GET", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/2.0\r\nHost: h\r\n\r\n", "GET /\r\nHost: h\r\n\r\n",
        "GET h HTTP/1.1\r\nHost: h\r\n\r\n",
        " / HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\n\r\nbody",
        "GET / HTTP/1.1\r\nHost: h\r\n",
        "GET / HTTP/1.1\r\nHost: h\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nnothing\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\n: v\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    };

    (void) state;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(sign(bad[i]), CR_INVALID);
    }

    for (i = 0; i < CR_SIGV4_HEADERS_MAX - 3; i++) {
        strcat(many, "x-amz-meta-a: b\r\n");
    }

    strcat(many, "\r\n");
    assert_int_equal(sign(many), CR_LIMIT);
}


static void
objects_have_paths(void **state)
{
    cr_writer_t  w;

    (void) state;

    cr_writer_init(&w, out, sizeof(out));
    cr_s3_object_path(&w, cr_s3_str("b"), cr_s3_str("a b//%41/\xc3\xbc+"));
    assert_memory_equal(out, "/b/a%20b//%2541/%C3%BC%2B", 25);
    assert_int_equal(cr_writer_len(&w), 25);

    cr_writer_init(&w, out, sizeof(out));
    cr_s3_object_path(&w, cr_s3_str("b"), cr_s3_str(""));
    assert_int_equal(cr_writer_len(&w), 2);

    cr_writer_init(&w, out, sizeof(out));
    cr_s3_object_path(&w, cr_s3_str(""), cr_s3_str("k"));
    assert_memory_equal(out, "/k", 2);

    cr_writer_init(&w, out, sizeof(out));
    cr_s3_object_path(&w, cr_s3_str(""), cr_s3_str(""));
    assert_int_equal(cr_writer_len(&w), 1);
}


/* The same whatever piece of it is there first. */

static void
answer(const char *text, cr_status_e expected, unsigned expected_status,
    const char *expected_body)
{
    size_t       i, len;
    unsigned     status;
    cr_slice_t   body;
    cr_status_e  rc;

    len = strlen(text);

    for (i = 0; i <= len; i++) {
        memcpy(out, text, i);
        rc = cr_s3_http_parse(out, i, false, &status, &body);

        if (rc != CR_AGAIN) {
            break;
        }
    }

    if (rc == CR_AGAIN) {
        rc = cr_s3_http_parse(out, len, true, &status, &body);
    }

    assert_int_equal(rc, expected);

    if (rc == CR_OK) {
        assert_int_equal(status, expected_status);
        assert_int_equal(body.len, strlen(expected_body));
        assert_memory_equal(body.data, expected_body, body.len);
    }
}


static void
answers_come_in_pieces(void **state)
{
    (void) state;

    answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", CR_OK, 200,
           "hello");
    answer("HTTP/1.0 404 No\r\n\r\nuntil the end", CR_OK, 404,
           "until the end");
    answer("HTTP/1.1 204 \r\ncontent-length:  0 \r\n\r\n", CR_OK, 204, "");
    answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
           "3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n", CR_OK,
           200, "abc0123456789");

    answer("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello", CR_INVALID, 0,
           NULL);
    answer("HTTP/1.1 200 OK\r\nContent-Length: 1e\r\n\r\n", CR_INVALID, 0,
           NULL);
    answer("HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n", CR_INVALID,
           0, NULL);
    answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", CR_INVALID, 0,
           NULL);
    answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
           "3\r\nabcd\r\n", CR_INVALID, 0, NULL);
    answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
           "ffffffff\r\n", CR_LIMIT, 0, NULL);
    answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
           CR_INVALID, 0, NULL);
    answer("HTTP/1.1 2x0 OK\r\n\r\n", CR_INVALID, 0, NULL);
    answer("SSH-2.0-x\r\n\r\n", CR_INVALID, 0, NULL);
    answer("HTTP/1.1 200 OK\r\n", CR_INVALID, 0, NULL);
    answer("", CR_INVALID, 0, NULL);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_example_of_s3_is_signed, setup),
        cmocka_unit_test_setup(path_and_host_are_replaced, setup),
        cmocka_unit_test_setup(what_the_client_says_of_signatures_is_dropped,
                               setup),
        cmocka_unit_test_setup(a_digest_is_trusted_when_it_may_be, setup),
        cmocka_unit_test_setup(what_is_no_head_is_refused, setup),
        cmocka_unit_test_setup(objects_have_paths, setup),
        cmocka_unit_test_setup(answers_come_in_pieces, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
