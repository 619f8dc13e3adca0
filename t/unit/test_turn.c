
/*
 * Copyright (C) The call recorder authors
 *
 * Credentials for TURN servers against what the openssl command says.
 */


#include "stun/turn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>


static cr_status_e
credential(int64_t expires, char *username, size_t size, char *value)
{
    return cr_turn_credential((const uint8_t *) "north", 5, expires, "alice",
                              username, size, value);
}


static void
a_credential_is_the_hmac_of_time_and_user(void **state)
{
    char  username[32], value[CR_TURN_CREDENTIAL_SIZE];

    (void) state;

    assert_int_equal(credential(1700000000, username, sizeof(username),
                                value), CR_OK);
    assert_string_equal(username, "1700000000:alice");

    /* printf %s 1700000000:alice | openssl dgst -sha1 -hmac north -binary
     * | base64 */
    assert_string_equal(value, "Cd/49soE35ICqcJF/bCTn8Z4OyE=");
}


static void
a_name_that_does_not_fit_is_not_cut_off(void **state)
{
    char  username[17], value[CR_TURN_CREDENTIAL_SIZE];

    (void) state;

    assert_int_equal(credential(1700000000, username, 17, value), CR_OK);
    assert_int_equal(credential(1700000000, username, 16, value), CR_LIMIT);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(a_credential_is_the_hmac_of_time_and_user),
        cmocka_unit_test(a_name_that_does_not_fit_is_not_cut_off)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
