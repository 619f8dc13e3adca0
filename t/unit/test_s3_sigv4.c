
/*
 * Copyright (C) The call recorder authors
 *
 * Signature Version 4 against the published test suite ("AKIDEXAMPLE",
 * service "service") and the examples of the S3 API reference
 * ("AKIAIOSFODNN7EXAMPLE"): canonical requests and signatures.
 */


#include "s3/sigv4.h"

#include "env.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <openssl/sha.h>


/* 2015-08-30T12:36:00Z and 2013-05-24T00:00:00Z */
#define SUITE_TIME  1440938160
#define DOCS_TIME   1369353600

#define UNRESERVED                                                         \
    "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

#define FORM_HASH                                                          \
    "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e"

#define SESSION                                                            \
    "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWL" \
    "WsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQr" \
    "mGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HF" \
    "vlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scq" \
    "Kmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="


typedef struct {
    const char  *name;
    const char  *method;
    const char  *path;
    const char  *query;
    const char  *headers;          /* after Host and X-Amz-Date */
    const char  *payload;
    const char  *canonical;        /* its SHA-256, of the string to sign */
    const char  *signature;
} vector_t;


/* get-relative and get-slash are not among them: S3 does not normalise. */

static const vector_t  suite[] = {
    { "get-header-key-duplicate", "GET", "/", "",
      "My-Header1:value2\nMy-Header1:value2\nMy-Header1:value1\n",
      CR_SIGV4_EMPTY,
      "dc7f04a3abfde8d472b0ab1a418b741b7c67174dad1551b4117b15527fbe966c",
      "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea" },
    { "get-header-value-order", "GET", "/", "",
      "My-Header1:value4\nMy-Header1:value1\nMy-Header1:value3\n"
      "My-Header1:value2\n",
      CR_SIGV4_EMPTY,
      "31ce73cd3f3d9f66977ad3dd957dc47af14df92fcd8509f59b349e9137c58b86",
      "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01" },
    { "get-header-value-trim", "GET", "/", "",
      "My-Header1: value1\nMy-Header2: \"a   b   c\"\n", CR_SIGV4_EMPTY,
      "a726db9b0df21c14f559d0a978e563112acb1b9e05476f0a6a1c7d68f28605c7",
      "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736" },
    { "get-unreserved", "GET", "/" UNRESERVED, "", "", CR_SIGV4_EMPTY,
      "6a968768eefaa713e2a6b16b589a8ea192661f098f37349f4e2c0082757446f9",
      "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f" },
    { "get-utf8", "GET", "/\xe1\x88\xb4", "", "", CR_SIGV4_EMPTY,
      "2a0a97d02205e45ce2e994789806b19270cfbbb0921b278ccf58f5249ac42102",
      "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85" },
    { "get-utf8, encoded", "GET", "/%e1%88%B4", "", "", CR_SIGV4_EMPTY,
      "2a0a97d02205e45ce2e994789806b19270cfbbb0921b278ccf58f5249ac42102",
      "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85" },
    { "get-space", "GET", "/example space/", "", "", CR_SIGV4_EMPTY,
      "63ee75631ed7234ae61b5f736dfc7754cdccfedbff4b5128a915706ee9390d86",
      "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741" },
    { "get-vanilla", "GET", "/", "", "", CR_SIGV4_EMPTY,
      "bb579772317eb040ac9ed261061d46c1f17a8133879d6129b6e1c25292927e63",
      "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
    { "get-vanilla-empty-query-key", "GET", "/", "Param1=value1", "",
      CR_SIGV4_EMPTY,
      "1e24db194ed7d0eec2de28d7369675a243488e08526e8c1c73571282f7c517ab",
      "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb" },
    { "get-vanilla-query-order-key", "GET", "/",
      "Param1=value2&Param1=Value1", "", CR_SIGV4_EMPTY,
      "704b4cef673542d84cdff252633f065e8daeba5f168b77116f8b1bcaf3d38f89",
      "eedbc4e291e521cf13422ffca22be7d2eb8146eecf653089df300a15b2382bd1" },
    { "get-vanilla-query-order-key-case", "GET", "/",
      "Param2=value2&Param1=value1", "", CR_SIGV4_EMPTY,
      "816cd5b414d056048ba4f7c5386d6e0533120fb1fcfa93762cf0fc39e2cf19e0",
      "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500" },
    { "get-vanilla-query-order-value", "GET", "/",
      "Param1=value2&Param1=value1", "", CR_SIGV4_EMPTY,
      "c968629d70850097a2d8781c9bf7edcb988b04cac14cca9be4acc3595f884606",
      "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694" },
    { "get-vanilla-query-unreserved", "GET", "/",
      UNRESERVED "=" UNRESERVED, "", CR_SIGV4_EMPTY,
      "c30d4703d9f799439be92736156d47ccfb2d879ddf56f5befa6d1d6aab979177",
      "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197" },
    { "get-vanilla-utf8-query", "GET", "/", "\xe1\x88\xb4=bar", "",
      CR_SIGV4_EMPTY,
      "eb30c5bed55734080471a834cc727ae56beb50e5f39d1bff6d0d38cb192a7073",
      "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04" },
    { "post-vanilla", "POST", "/", "", "", CR_SIGV4_EMPTY,
      "553f88c9e4d10fc9e109e2aeb65f030801b70c2f6468faca261d401ae622fc87",
      "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b" },
    { "post-header-key-sort", "POST", "/", "", "My-Header1:value1\n",
      CR_SIGV4_EMPTY,
      "9368318c2967cf6de74404b30c65a91e8f6253e0a8659d6d5319f1a812f87d65",
      "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c" },
    { "post-header-value-case", "POST", "/", "", "My-Header1:VALUE1\n",
      CR_SIGV4_EMPTY,
      "d51ced243e649e3de6ef63afbbdcbca03131a21a7103a1583706a64618606a93",
      "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d" },
    { "post-vanilla-query", "POST", "/", "Param1=value1", "", CR_SIGV4_EMPTY,
      "9d659678c1756bb3113e2ce898845a0a79dbbc57b740555917687f1b3340fbbd",
      "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11" },
    { "post-x-www-form-urlencoded", "POST", "/", "",
      "Content-Type:application/x-www-form-urlencoded\n", FORM_HASH,
      NULL,
      "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a" },
    { "post-x-www-form-urlencoded-parameters", "POST", "/", "",
      "Content-Type:application/x-www-form-urlencoded; charset=utf8\n",
      FORM_HASH, NULL,
      "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe" },
    { "post-sts-header-before", "POST", "/", "",
      "X-Amz-Security-Token:" SESSION "\n", CR_SIGV4_EMPTY,
      "c237e1b440d4c63c32ca95b5b99481081cb7b13c7e40434868e71567c1a882f6",
      "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead" },
};


/* "Signature Calculations for the Authorization Header" */

static const vector_t  docs[] = {
    { "GET Object", "GET", "/test.txt", "",
      "Range:bytes=0-9\nx-amz-content-sha256:" CR_SIGV4_EMPTY "\n",
      CR_SIGV4_EMPTY,
      "7344ae5b7ee6c3e7e6b0fe0640412a37625d1fbfff95c48bbb2dc43964946972",
      "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41" },
    { "PUT Object", "PUT", "/test$file.text", "",
      "Date:Fri, 24 May 2013 00:00:00 GMT\n"
      "x-amz-storage-class:REDUCED_REDUNDANCY\n"
      "x-amz-content-sha256:"
      "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072\n",
      "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
      "9e0e90d9c76de8fa5b200d8c849cd5b8dc7a3be3951ddb7f6a76b4158342019d",
      "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd" },
    { "GET Bucket lifecycle", "GET", "/", "lifecycle",
      "x-amz-content-sha256:" CR_SIGV4_EMPTY "\n", CR_SIGV4_EMPTY,
      "9766c798316ff2757b517bc739a67f6213b4ab36dd5da2f94eaebf79c77395ca",
      "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543" },
    { "GET Bucket (list objects)", "GET", "/", "max-keys=2&prefix=J",
      "x-amz-content-sha256:" CR_SIGV4_EMPTY "\n", CR_SIGV4_EMPTY,
      "df57d21db20da04d7fa30298dd4488ba3a2b47ca3a489c74750e0f1e7df1b9b7",
      "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7" },
};


static test_env_t         env;
static cr_sigv4_header_t  headers[CR_SIGV4_HEADERS_MAX];
static uint8_t            out[65536];


static cr_slice_t
str(const char *text)
{
    return (cr_slice_t) { (const uint8_t *) text, strlen(text) };
}


/* "Name:value\n" lines */

static size_t
parse_headers(const char *host, const char *date, const char *text)
{
    size_t       n;
    const char  *colon, *line, *p;

    headers[0] = (cr_sigv4_header_t) { str("Host"), str(host) };
    headers[1] = (cr_sigv4_header_t) { str("X-Amz-Date"), str(date) };
    n = 2;

    for (p = text; *p != '\0'; p = line + 1) {
        colon = strchr(p, ':');
        line = strchr(p, '\n');
        headers[n].name = (cr_slice_t) { (const uint8_t *) p,
                                         (size_t) (colon - p) };
        headers[n].value = (cr_slice_t) { (const uint8_t *) colon + 1,
                                          (size_t) (line - colon - 1) };
        n++;
    }

    return n;
}


static void
check(const vector_t *v, const char *host, const char *access,
    const char *secret, const char *service, int64_t now)
{
    char                hex[CR_SIGV4_HEX_SIZE], date[CR_SIGV4_TIME_SIZE];
    uint8_t             digest[32];
    cr_slice_t          text, names;
    cr_writer_t         w;
    cr_sigv4_key_t      key = { 0 };
    cr_sigv4_request_t  request;

    assert_int_equal(cr_sigv4_time(date, now), CR_OK);
    assert_int_equal(cr_sigv4_key(&key, str(secret), str("us-east-1"),
                                  str(service), now), CR_OK);

    request.method = str(v->method);
    request.path = str(v->path);
    request.query = str(v->query);
    request.payload = str(v->payload);
    request.headers = headers;
    request.nheaders = parse_headers(host, date, v->headers);

    assert_int_equal(cr_sigv4_canonical(&env.env, &request, &text, &names),
                     CR_OK);

    if (v->canonical != NULL) {
        SHA256(text.data, text.len, digest);
        cr_sigv4_hex(hex, digest);

        if (strcmp(hex, v->canonical) != 0) {
            print_error("%s:\n%.*s\n", v->name, (int) text.len, text.data);
        }

        assert_string_equal(hex, v->canonical);
    }

    cr_free(&env.env, (void *) text.data);

    cr_writer_init(&w, out, sizeof(out) - 1);
    assert_int_equal(cr_sigv4_sign(&env.env, &key, str(access), now, &request,
                                   &w), CR_OK);
    *w.pos = '\0';

    if (strcmp((char *) w.pos - 64, v->signature) != 0) {
        print_error("%s: %s\n", v->name, out);
    }

    assert_string_equal((char *) w.pos - 64, v->signature);
    assert_int_equal(env.live, 0);
}


static void
signs_the_published_suite(void **state)
{
    size_t  i;

    (void) state;

    for (i = 0; i < sizeof(suite) / sizeof(suite[0]); i++) {
        check(&suite[i], "example.amazonaws.com", "AKIDEXAMPLE",
              "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "service",
              SUITE_TIME);
    }
}


static void
signs_the_examples_of_s3(void **state)
{
    size_t  i;

    (void) state;

    for (i = 0; i < sizeof(docs) / sizeof(docs[0]); i++) {
        check(&docs[i], "examplebucket.s3.amazonaws.com",
              "AKIAIOSFODNN7EXAMPLE",
              "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "s3", DOCS_TIME);
    }
}


static void
writes_the_whole_header(void **state)
{
    (void) state;

    check(&suite[7], "example.amazonaws.com", "AKIDEXAMPLE",
          "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "service", SUITE_TIME);

    assert_string_equal((char *) out, "AWS4-HMAC-SHA256 "
        "Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=host;x-amz-date, Signature="
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
}


static cr_status_e
presign(const char *session, uint32_t expires, const char *query, size_t room)
{
    cr_status_e         rc;
    cr_writer_t         w;
    cr_s3_keys_t        keys;
    cr_sigv4_key_t      key = { 0 };
    cr_sigv4_header_t   host;
    cr_sigv4_request_t  request = { 0 };

    keys.access = str("AKIAIOSFODNN7EXAMPLE");
    keys.secret = str("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
    keys.session = str(session);

    assert_int_equal(cr_sigv4_key(&key, keys.secret, str("us-east-1"),
                                  str("s3"), DOCS_TIME), CR_OK);

    host.name = str("host");
    host.value = str("examplebucket.s3.amazonaws.com");

    request.method = str("GET");
    request.path = str("/test.txt");
    request.query = str(query);
    request.headers = &host;
    request.nheaders = 1;

    cr_writer_init(&w, out, room);
    rc = cr_sigv4_presign(&env.env, &key, &keys, DOCS_TIME, expires, &request,
                          &w);
    *w.pos = '\0';

    assert_int_equal(env.live, 0);

    return rc;
}


/* "Authenticating Requests: Using Query Parameters" */

static void
presigns_the_example_of_s3(void **state)
{
    (void) state;

    assert_int_equal(presign("", 86400, "", sizeof(out) - 1), CR_OK);
    assert_string_equal((char *) out, "X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3"
        "%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400"
        "&X-Amz-SignedHeaders=host&X-Amz-Signature="
        "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
}


static void
presigned_urls_carry_token_and_query(void **state)
{
    (void) state;

    assert_int_equal(presign("a/b+c==", 60,
                             "response-content-type=video/mp4", 4096), CR_OK);
    assert_non_null(strstr((char *) out,
                           "&X-Amz-Security-Token=a%2Fb%2Bc%3D%3D&"));
    assert_non_null(strstr((char *) out,
                           "&response-content-type=video%2Fmp4&X-Amz-Sig"));

    assert_int_equal(presign("", 0, "", 4096), CR_LIMIT);
    assert_int_equal(presign("", 604801, "", 4096), CR_LIMIT);
    assert_int_equal(presign("", 604800, "", 100), CR_LIMIT);
    assert_string_equal((char *) out, "");
}


static void
path(const char *in, const char *expected)
{
    cr_writer_t  w;

    cr_writer_init(&w, out, sizeof(out) - 1);
    cr_s3_path(&w, str(in));
    *w.pos = '\0';
    assert_string_equal((char *) out, expected);

    /* what is encoded stays so */

    cr_writer_init(&w, out, sizeof(out) - 1);
    cr_s3_path(&w, str(expected));
    *w.pos = '\0';
    assert_string_equal((char *) out, expected);
}


static void
paths_are_encoded_once(void **state)
{
    (void) state;

    path("", "/");
    path("/a b+c", "/a%20b%2Bc");
    path("/a%20b%2bc", "/a%20b%2Bc");
    path("//a//./../b/", "//a//./../b/");
    path("/100%", "/100%25");
    path("/%zz%4", "/%25zz%254");
    path("/%2525", "/%2525");
    path("/%2F", "//");
    path("/\xc3\xbc~", "/%C3%BC~");
    path("/a=b&c?d", "/a%3Db%26c%3Fd");
}


static cr_status_e
query(const char *in)
{
    cr_status_e  rc;
    cr_writer_t  w;

    cr_writer_init(&w, out, sizeof(out) - 1);
    rc = cr_s3_query(&env.env, &w, str(in));
    *w.pos = '\0';
    assert_int_equal(env.live, 0);

    return rc;
}


static void
queries_are_sorted_and_encoded_once(void **state)
{
    size_t  i;
    char    many[4096] = "";

    (void) state;

    assert_int_equal(query("b&a=1&a-b=2&a=0&&=x"), CR_OK);
    assert_string_equal((char *) out, "=x&a=0&a=1&a-b=2&b=");

    /* @#$%^, + and /,?><`";:\|][{} of the published suite */

    assert_int_equal(query("%40%23%24%25%5E=&%2B=/,?><`\";:\\|][{}"), CR_OK);
    assert_string_equal((char *) out, "%2B=%2F%2C%3F%3E%3C%60%22%3B%3A%5C"
                                      "%7C%5D%5B%7B%7D&%40%23%24%25%5E=");

    assert_int_equal(query("prefix=a+b%20c%2Bd&x=y=z"), CR_OK);
    assert_string_equal((char *) out, "prefix=a%20b%20c%2Bd&x=y%3Dz");

    for (i = 0; i < CR_S3_PARAMS_MAX; i++) {
        strcat(many, "&p");
    }

    assert_int_equal(query(many), CR_OK);
    strcat(many, "&p");
    assert_int_equal(query(many), CR_LIMIT);
}


static void
keys_are_derived_anew_when_they_must(void **state)
{
    uint8_t         first[32];
    cr_sigv4_key_t  key = { 0 };

    (void) state;

    assert_int_equal(cr_sigv4_key(&key, str("s"), str("r"), str("s3"), 0),
                     CR_OK);
    memcpy(first, key.key, 32);

    /* the cached one is taken as it is, until the day changes */

    key.key[0] ^= 1;
    assert_int_equal(cr_sigv4_key(&key, str("s"), str("r"), str("s3"), 86399),
                     CR_OK);
    assert_int_equal(key.key[0], first[0] ^ 1);

    assert_int_equal(cr_sigv4_key(&key, str("s"), str("r"), str("s3"), 86400),
                     CR_OK);
    assert_memory_not_equal(key.key, first, 32);

    assert_int_equal(cr_sigv4_key(&key, str("s"), str("r"), str("s3"), 0),
                     CR_OK);
    assert_memory_equal(key.key, first, 32);

    assert_int_equal(cr_sigv4_key(&key, str("t"), str("r"), str("s3"), 0),
                     CR_OK);
    assert_memory_not_equal(key.key, first, 32);

    assert_int_equal(cr_sigv4_key(&key, str(""), str("r"), str("s3"), 0),
                     CR_INVALID);
    assert_int_equal(cr_sigv4_key(&key, str("s"), str("r"), str("s3"), -1),
                     CR_LIMIT);
    assert_int_equal(cr_sigv4_key(&key, str("s"),
                                  (cr_slice_t) { out, 65 }, str("s3"), 0),
                     CR_LIMIT);
}


static void
nothing_is_kept_when_memory_runs_out(void **state)
{
    long  n;

    (void) state;

    for (n = 1; /* void */; n++) {
        env.calls = 0;
        env.fail_at = n;

        if (presign("token", 60, "a=b", 4096) == CR_OK) {
            break;
        }

        assert_string_equal((char *) out, "");
    }

    assert_true(n > 4);
    env.fail_at = 0;
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signs_the_published_suite),
        cmocka_unit_test(signs_the_examples_of_s3),
        cmocka_unit_test(writes_the_whole_header),
        cmocka_unit_test(presigns_the_example_of_s3),
        cmocka_unit_test(presigned_urls_carry_token_and_query),
        cmocka_unit_test(paths_are_encoded_once),
        cmocka_unit_test(queries_are_sorted_and_encoded_once),
        cmocka_unit_test(keys_are_derived_anew_when_they_must),
        cmocka_unit_test(nothing_is_kept_when_memory_runs_out),
    };

    test_env_init(&env, 1);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
