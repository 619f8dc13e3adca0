
/*
 * Copyright (C) The call recorder authors
 *
 * Signs requests that come as lines of JSON: {"access", "secret", "session",
 * "region", "time", "expires", "method", "path", "query", "payload",
 * "headers": [[name, value], ...]}.  With expires it is presigned.  Answers
 * with the signature alone.
 */

#include "s3/sigv4.h"
#include "../heap.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


static cr_status_e sign(json_t *json, cr_writer_t *w);
static cr_slice_t member(json_t *json, const char *name);


int
main(void)
{
    char         *line;
    size_t        size;
    json_t       *json;
    uint8_t       out[65536];
    cr_status_e   rc;
    cr_writer_t   w;

    line = NULL;
    size = 0;

    while (getline(&line, &size, stdin) > 0) {

        json = json_loads(line, 0, NULL);
        if (json == NULL) {
            fprintf(stderr, "s3_sign: this is no JSON: %s", line);
            return 1;
        }

        cr_writer_init(&w, out, sizeof(out));
        rc = sign(json, &w);
        json_decref(json);

        if (rc == CR_OK) {
            printf("%.*s\n", 64, (char *) w.pos - 64);

        } else {
            printf("error %d\n", rc);
        }
    }

    free(line);

    return 0;
}


static cr_status_e
sign(json_t *json, cr_writer_t *w)
{
    size_t              i;
    json_t             *headers, *pair;
    int64_t             now;
    cr_status_e         rc;
    cr_s3_keys_t        keys;
    cr_sigv4_key_t      key = { 0 };
    cr_sigv4_header_t   list[CR_SIGV4_HEADERS_MAX];
    cr_sigv4_request_t  request;

    keys.access = member(json, "access");
    keys.secret = member(json, "secret");
    keys.session = member(json, "session");

    request.method = member(json, "method");
    request.path = member(json, "path");
    request.query = member(json, "query");
    request.payload = member(json, "payload");
    request.headers = list;

    headers = json_object_get(json, "headers");
    request.nheaders = json_array_size(headers);

    if (request.nheaders > CR_SIGV4_HEADERS_MAX) {
        return CR_LIMIT;
    }

    json_array_foreach(headers, i, pair) {
        list[i].name.data =
            (uint8_t *) json_string_value(json_array_get(pair, 0));
        list[i].name.len = json_string_length(json_array_get(pair, 0));
        list[i].value.data =
            (uint8_t *) json_string_value(json_array_get(pair, 1));
        list[i].value.len = json_string_length(json_array_get(pair, 1));
    }

    now = json_integer_value(json_object_get(json, "time"));

    rc = cr_sigv4_key(&key, keys.secret, member(json, "region"),
                      cr_s3_str("s3"), now);

    if (rc != CR_OK) {
        return rc;
    }

    json = json_object_get(json, "expires");

    if (json != NULL) {
        return cr_sigv4_presign(&heap_env, &key, &keys, now,
                                (uint32_t) json_integer_value(json), &request,
                                w);
    }

    return cr_sigv4_sign(&heap_env, &key, keys.access, now, &request, w);
}


static cr_slice_t
member(json_t *json, const char *name)
{
    json_t      *value;
    cr_slice_t   slice;

    value = json_object_get(json, name);
    slice.data = (uint8_t *) json_string_value(value);
    slice.len = json_string_length(value);

    return slice;
}
