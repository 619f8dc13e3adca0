
/*
 * Copyright (C) The call recorder authors
 *
 * Tokens that are good, forged, over, damaged or signed with an algorithm of
 * the token's own choice.  They are made with OpenSSL, not with libjwt.
 */


#include "auth/jwt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>


#define NOW     1700000000
#define SECRET  "0123456789abcdef0123456789abcdef"

#define HS256   "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define RS256   "{\"alg\":\"RS256\",\"typ\":\"JWT\"}"

#define GOOD                                                               \
    "{\"call\":\"room123\",\"sub\":\"alice\",\"name\":\"Alice\","          \
    "\"perms\":[\"publish\",\"read\",\"fly\"],\"exp\":1700000100,"         \
    "\"nbf\":1699999900}"


static char             token[65536];
static cr_jwt_claims_t  claims;
static const char      *why;
static EVP_PKEY        *rsa;
static char             rsa_public[2048];


static void
base64url(const void *data, size_t len)
{
    char  *p, *start;

    start = token + strlen(token);
    EVP_EncodeBlock((unsigned char *) start, data, (int) len);

    for (p = start; *p != '\0' && *p != '='; p++) {
        *p = (*p == '+') ? '-' : (*p == '/') ? '_' : *p;
    }

    *p = '\0';
}


/* header.payload, still to be signed */

static void
unsigned_token(const char *header, const char *payload)
{
    token[0] = '\0';
    base64url(header, strlen(header));
    strcat(token, ".");
    base64url(payload, strlen(payload));
}


static void
sign_hs256(const char *header, const char *payload, const void *key,
    size_t len)
{
    unsigned  n;
    uint8_t   mac[32];

    unsigned_token(header, payload);
    HMAC(EVP_sha256(), key, (int) len, (uint8_t *) token, strlen(token), mac,
         &n);
    strcat(token, ".");
    base64url(mac, n);
}


static void
sign_rs256(const char *header, const char *payload)
{
    size_t       len;
    uint8_t      sig[512];
    EVP_MD_CTX  *ctx;

    unsigned_token(header, payload);
    len = sizeof(sig);
    ctx = EVP_MD_CTX_new();
    assert_non_null(ctx);
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, rsa),
                     1);
    assert_int_equal(EVP_DigestSign(ctx, sig, &len, (uint8_t *) token,
                                    strlen(token)), 1);
    EVP_MD_CTX_free(ctx);
    strcat(token, ".");
    base64url(sig, len);
}


static cr_status_e
verify(void)
{
    why = NULL;
    memset(&claims, 0xff, sizeof(claims));

    return cr_jwt_verify(token, strlen(token), CR_JWT_HS256,
                         (const uint8_t *) SECRET, strlen(SECRET), NOW,
                         &claims, &why);
}


static cr_status_e
verify_rs256(void)
{
    why = NULL;

    return cr_jwt_verify(token, strlen(token), CR_JWT_RS256,
                         (uint8_t *) rsa_public, strlen(rsa_public), NOW,
                         &claims, &why);
}


static void
assert_refused(cr_status_e status, const char *words)
{
    static const cr_jwt_claims_t  empty;

    assert_int_equal(verify(), status);
    assert_non_null(why);
    assert_non_null(strstr(why, words));
    assert_memory_equal(&claims, &empty, sizeof(claims));
}


static void
assert_claims_refused(const char *payload, cr_status_e status,
    const char *words)
{
    sign_hs256(HS256, payload, SECRET, strlen(SECRET));
    assert_refused(status, words);
}


static cr_status_e
verify_claims(const char *payload)
{
    sign_hs256(HS256, payload, SECRET, strlen(SECRET));
    return verify();
}


static void
a_good_token_says_who_and_what(void **state)
{
    (void) state;

    assert_int_equal(verify_claims(GOOD), CR_OK);
    assert_string_equal(claims.call, "room123");
    assert_string_equal(claims.subject, "alice");
    assert_string_equal(claims.name, "Alice");
    assert_int_equal(claims.permissions, CR_PERMIT_PUBLISH | CR_PERMIT_READ);
    assert_true(claims.expires == NOW + 100);

    assert_true(cr_jwt_permits(&claims, "room123", 7, CR_PERMIT_PUBLISH));
    assert_true(cr_jwt_permits(&claims, "room123", 7, CR_PERMIT_READ));
    assert_false(cr_jwt_permits(&claims, "room123", 7, CR_PERMIT_RECORD));
    assert_false(cr_jwt_permits(&claims, "room12", 6, CR_PERMIT_READ));
    assert_false(cr_jwt_permits(&claims, "room1234", 8, CR_PERMIT_READ));
    assert_false(cr_jwt_permits(&claims, "", 0, CR_PERMIT_READ));
}


static void
little_is_needed_and_little_allowed_by_it(void **state)
{
    (void) state;

    assert_int_equal(verify_claims("{\"exp\":1700000000}"), CR_OK);
    assert_string_equal(claims.call, "");
    assert_string_equal(claims.subject, "");
    assert_int_equal(claims.permissions, 0);
    assert_false(cr_jwt_permits(&claims, "", 0, 0));
    assert_false(cr_jwt_permits(&claims, "x", 1, CR_PERMIT_READ));

    assert_int_equal(verify_claims("{\"exp\":1700000000,\"call\":\"*\","
                                   "\"perms\":[\"delete\",\"record\"]}"),
                     CR_OK);
    assert_true(cr_jwt_permits(&claims, "x", 1, CR_PERMIT_DELETE));
    assert_true(cr_jwt_permits(&claims, "x", 1, CR_PERMIT_RECORD));
    assert_false(cr_jwt_permits(&claims, "x", 1, CR_PERMIT_PUBLISH));
}


static void
a_role_is_one_of_ours_or_none(void **state)
{
    unsigned  i;

    static const char *const  others[] = {
        "\"moderator\"", "\"\"", "\"screen \"", "7", "[\"screen\"]"
    };
    char  payload[128];

    (void) state;

    assert_int_equal(verify_claims("{\"exp\":1700000000}"), CR_OK);
    assert_string_equal(claims.role, "");
    assert_int_equal(verify_claims("{\"exp\":1700000000,"
                                   "\"role\":\"screen\"}"), CR_OK);
    assert_string_equal(claims.role, "screen");
    assert_int_equal(verify_claims("{\"exp\":1700000000,"
                                   "\"role\":\"camera\"}"), CR_OK);
    assert_string_equal(claims.role, "camera");

    for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        snprintf(payload, sizeof(payload), "{\"exp\":1700000000,"
                 "\"role\":%s}", others[i]);
        assert_int_equal(verify_claims(payload), CR_OK);
        assert_string_equal(claims.role, "");
    }
}


static void
time_is_checked_with_some_leeway(void **state)
{
    (void) state;

    assert_int_equal(verify_claims("{\"exp\":1699999970}"), CR_OK);
    assert_claims_refused("{\"exp\":1699999969}", CR_EXPIRED, "expired");
    assert_claims_refused("{\"exp\":-9223372036854775808}", CR_EXPIRED,
                          "expired");
    assert_claims_refused("{\"exp\":1e15}", CR_AUTH, "exp");
    assert_claims_refused("{}", CR_AUTH, "exp");
    assert_claims_refused("{\"exp\":null}", CR_AUTH, "exp");
    assert_claims_refused("{\"exp\":\"1700000100\"}", CR_AUTH, "exp");
    assert_int_equal(verify_claims("{\"exp\":1700000100.5}"), CR_OK);
    assert_true(claims.expires == NOW + 100);

    assert_int_equal(verify_claims("{\"exp\":1700000100,"
                                   "\"nbf\":1700000030}"), CR_OK);
    assert_claims_refused("{\"exp\":1700000100,\"nbf\":1700000031}",
                          CR_AUTH, "not valid yet");
    assert_claims_refused("{\"exp\":1700000100,\"nbf\":\"0\"}", CR_AUTH,
                          "not valid yet");
}


static void
forged_tokens_are_refused(void **state)
{
    size_t  i, len;
    char   *dot, good[1024];

    (void) state;

    sign_hs256(HS256, GOOD, "another secret", 14);
    assert_refused(CR_AUTH, "signature");

    sign_hs256(HS256, GOOD, SECRET, strlen(SECRET));
    strcpy(good, token);
    len = strlen(good);

    /* every character but the last, which has bits that mean nothing */

    for (i = 0; i + 1 < len; i++) {
        strcpy(token, good);
        token[i] = (token[i] == 'A') ? 'B' : 'A';
        assert_int_not_equal(verify(), CR_OK);
    }

    /* the signature left out, in each way */

    strcpy(token, good);
    dot = strrchr(token, '.');
    dot[1] = '\0';
    assert_int_not_equal(verify(), CR_OK);
    dot[0] = '\0';
    assert_int_not_equal(verify(), CR_OK);
}


static void
the_token_does_not_choose_the_algorithm(void **state)
{
    (void) state;

    /* RFC 8725 section 2.1: no signature at all */

    unsigned_token("{\"alg\":\"none\",\"typ\":\"JWT\"}", GOOD);
    strcat(token, ".");
    assert_refused(CR_INVALID, "three parts");
    strcat(token, "AAAA");
    assert_refused(CR_AUTH, "algorithm");

    unsigned_token("{\"alg\":\"NONE\"}", GOOD);
    strcat(token, ".");
    assert_int_not_equal(verify(), CR_OK);

    /* the public key as HMAC secret */

    sign_rs256(RS256, GOOD);
    assert_int_equal(verify_rs256(), CR_OK);
    assert_string_equal(claims.subject, "alice");

    sign_hs256(HS256, GOOD, rsa_public, strlen(rsa_public));
    assert_int_equal(verify_rs256(), CR_AUTH);
    assert_non_null(strstr(why, "algorithm"));
    assert_string_equal(claims.subject, "");

    /* and the other way round */

    sign_rs256(RS256, GOOD);
    assert_refused(CR_AUTH, "algorithm");

    /* a header that names two algorithms, or none */

    sign_hs256("{\"alg\":\"RS256\",\"alg\":\"HS256\"}", GOOD, rsa_public,
               strlen(rsa_public));
    assert_int_equal(verify_rs256(), CR_AUTH);
    sign_hs256("{\"alg\":\"HS256\",\"alg\":\"RS256\"}", GOOD, rsa_public,
               strlen(rsa_public));
    assert_int_equal(verify_rs256(), CR_AUTH);

    sign_hs256("{\"typ\":\"JWT\"}", GOOD, SECRET, strlen(SECRET));
    assert_refused(CR_INVALID, "not a JSON Web Token");
    sign_hs256("{\"alg\":256}", GOOD, SECRET, strlen(SECRET));
    assert_refused(CR_INVALID, "not a JSON Web Token");

    /* another of the same family */

    sign_hs256("{\"alg\":\"HS512\"}", GOOD, SECRET, strlen(SECRET));
    assert_refused(CR_AUTH, "algorithm");
}


static void
a_wrong_public_key_verifies_nothing(void **state)
{
    char  *last;

    (void) state;

    sign_rs256(RS256, GOOD);
    last = token + strlen(token) - 8;
    *last = *last == 'A' ? 'B' : 'A';
    assert_int_equal(verify_rs256(), CR_AUTH);

    sign_rs256(RS256, GOOD);
    assert_int_equal(cr_jwt_verify(token, strlen(token), CR_JWT_RS256,
                                   (const uint8_t *) "no PEM", 6, NOW,
                                   &claims, &why), CR_AUTH);
    assert_int_equal(cr_jwt_verify(token, strlen(token), CR_JWT_RS256,
                                   (const uint8_t *) "", 0, NOW, &claims,
                                   &why), CR_INTERNAL);
}


static void
what_is_no_token_is_invalid(void **state)
{
    size_t  i;

    static const char *const  texts[] = {
        "", ".", "..", "...", "a", "a.b", "a.b.c", "eyJhbGciOiJIUzI1NiJ9",
        "eyJhbGciOiJIUzI1NiJ9.", "eyJhbGciOiJIUzI1NiJ9..", "{}.{}.{}",
        "\xff\xff.\xff.\xff", "eyJhbGciOiJIUzI1NiJ9.e30.AAAA.AAAA",
        "eyJhbGciOiJIUzI1NiJ9.e30=.AAAA", "eyJhbGciOiJIUzI1NiJ9.e30.AAAAA",
        "eyJhbGciOiJIUzI1NiJ9.e.AAAA", "eyJhbGciOiJIUzI1NiJ9..AAAA"
    };

    (void) state;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        strcpy(token, texts[i]);
        assert_refused(CR_INVALID, "three parts");
    }

    strcpy(token, "AAAA.AAAA.AAAA");
    assert_refused(CR_INVALID, "not a JSON Web Token");

    /* signed, but no object of claims inside */

    assert_claims_refused("[1]", CR_AUTH, "exp");
    assert_claims_refused("1", CR_INVALID, "not a JSON Web Token");
    assert_claims_refused("{\"exp\":1", CR_INVALID, "not a JSON Web Token");

    /* huge, and with a NUL in it */

    memset(token, 'a', 9000);
    token[9000] = '\0';
    assert_refused(CR_INVALID, "too long");

    sign_hs256(HS256, GOOD, SECRET, strlen(SECRET));
    assert_int_equal(cr_jwt_verify(token, strlen(token) + 1, CR_JWT_HS256,
                                   (const uint8_t *) SECRET, strlen(SECRET),
                                   NOW, &claims, &why), CR_INVALID);
}


static void
truncated_tokens_are_refused(void **state)
{
    char    *copy;
    size_t   i, len;

    (void) state;

    sign_hs256(HS256, GOOD, SECRET, strlen(SECRET));
    len = strlen(token);

    for (i = 0; i < len; i++) {
        copy = malloc(i + 1);
        assert_non_null(copy);
        memcpy(copy, token, i);

        assert_int_not_equal(cr_jwt_verify(copy, i, CR_JWT_HS256,
                                           (const uint8_t *) SECRET,
                                           strlen(SECRET), NOW, &claims,
                                           &why), CR_OK);
        free(copy);
    }
}


static void
claims_of_the_wrong_kind_are_refused(void **state)
{
    char    name[256], payload[512];
    size_t  i;

#define EXP  "{\"exp\":1700000100,"

    static const struct {
        const char  *payload;
        const char  *word;
    } bad[] = {
        { EXP "\"call\":1}", "call" },
        { EXP "\"call\":\"\"}", "call" },
        { EXP "\"call\":\"../etc\"}", "call" },
        { EXP "\"call\":\"a b\"}", "call" },
        { EXP "\"call\":\"**\"}", "call" },
        { EXP "\"call\":\"?\"}", "call" },
        { EXP "\"sub\":{}}", "sub" },
        { EXP "\"sub\":\"*\"}", "sub" },
        { EXP "\"sub\":\"" "0123456789012345678901234567890123456789"
              "0123456789012345678901234" "\"}", "sub" },
        { EXP "\"name\":[]}", "name" },
        { EXP "\"name\":\"a\\nb\"}", "name" },
        { EXP "\"perms\":\"publish\"}", "perms" },
        { EXP "\"perms\":[1]}", "perms" },
    };

    (void) state;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_claims_refused(bad[i].payload, CR_AUTH, bad[i].word);
    }

    memset(name, 'n', sizeof(name));
    name[CR_NAME_MAX] = '\0';
    snprintf(payload, sizeof(payload), EXP "\"name\":\"%s\"}", name);
    assert_int_equal(verify_claims(payload), CR_OK);
    assert_string_equal(claims.name, name);

    name[CR_NAME_MAX] = 'n';
    name[CR_NAME_MAX + 1] = '\0';
    snprintf(payload, sizeof(payload), EXP "\"name\":\"%s\"}", name);
    assert_claims_refused(payload, CR_AUTH, "name");

    /* UTF-8 stays as it is, what is none is no JSON */

    assert_int_equal(verify_claims(EXP "\"name\":\"Zo\\u00eb \xe2\x82\xac\"}"),
                     CR_OK);
    assert_string_equal(claims.name, "Zo\xc3\xab \xe2\x82\xac");
    assert_claims_refused(EXP "\"name\":\"\xff\"}", CR_INVALID, "not a JSON");
}


static void
ids_are_plain(void **state)
{
    static const char  all[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"
                               "abcdefghijklmnopqrstuvwxyz-0123456789";

    (void) state;

    assert_int_equal(sizeof(all) - 1, CR_ID_MAX);
    assert_true(cr_id_valid(all, CR_ID_MAX));
    assert_true(cr_id_valid("a", 1));
    assert_false(cr_id_valid("", 0));
    assert_false(cr_id_valid(all, CR_ID_MAX + 1));
    assert_false(cr_id_valid("a/b", 3));
    assert_false(cr_id_valid("..", 2));
    assert_false(cr_id_valid("a\0b", 3));
    assert_false(cr_id_valid("\xc3\xa4", 2));
}


static int
make_key(void **state)
{
    BIO  *bio;
    int   len;

    (void) state;

    rsa = EVP_RSA_gen(2048);
    bio = BIO_new(BIO_s_mem());

    if (rsa == NULL || bio == NULL || PEM_write_bio_PUBKEY(bio, rsa) != 1) {
        return -1;
    }

    len = BIO_read(bio, rsa_public, sizeof(rsa_public) - 1);
    BIO_free(bio);

    return len > 0 ? 0 : -1;
}


static int
free_key(void **state)
{
    (void) state;

    EVP_PKEY_free(rsa);
    return 0;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(a_good_token_says_who_and_what),
        cmocka_unit_test(little_is_needed_and_little_allowed_by_it),
        cmocka_unit_test(a_role_is_one_of_ours_or_none),
        cmocka_unit_test(time_is_checked_with_some_leeway),
        cmocka_unit_test(forged_tokens_are_refused),
        cmocka_unit_test(the_token_does_not_choose_the_algorithm),
        cmocka_unit_test(a_wrong_public_key_verifies_nothing),
        cmocka_unit_test(what_is_no_token_is_invalid),
        cmocka_unit_test(truncated_tokens_are_refused),
        cmocka_unit_test(claims_of_the_wrong_kind_are_refused),
        cmocka_unit_test(ids_are_plain),
    };

    return cmocka_run_group_tests(tests, make_key, free_key);
}
