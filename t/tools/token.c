
/*
 * Copyright (C) The call recorder authors
 *
 * Prints an HS256 token:
 *
 *     token --key-file jwt.key --call room123 [--sub alice] [--name Alice]
 *           [--perms publish,record,read,delete] [--ttl 3600]
 */


#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>
#include <jwt.h>

#include "auth/jwt.h"


static size_t read_key(const char *path, unsigned char *key, size_t size);
static char *claims(const char *call, const char *sub, const char *name,
    char *perms, long ttl);


static void
usage(void)
{
    fputs("usage: token --key-file FILE --call ID [--sub ID] [--name NAME]\n"
          "             [--perms publish,record,read,delete]"
          " [--ttl SECONDS]\n", stderr);
    exit(2);
}


int
main(int argc, char **argv)
{
    int            opt;
    char          *json, *token;
    long           ttl;
    jwt_t         *jwt;
    size_t         len;
    char           all[] = "publish,record,read,delete", *perms;
    const char    *call, *name, *path, *sub;
    unsigned char  key[4096];

    static const struct option  options[] = {
        { "key-file", required_argument, NULL, 'k' },
        { "call", required_argument, NULL, 'c' },
        { "sub", required_argument, NULL, 's' },
        { "name", required_argument, NULL, 'n' },
        { "perms", required_argument, NULL, 'p' },
        { "ttl", required_argument, NULL, 't' },
        { NULL, 0, NULL, 0 }
    };

    path = call = sub = name = NULL;
    perms = all;
    ttl = 3600;

    while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (opt) {

        case 'k':
            path = optarg;
            break;

        case 'c':
            call = optarg;
            break;

        case 's':
            sub = optarg;
            break;

        case 'n':
            name = optarg;
            break;

        case 'p':
            perms = optarg;
            break;

        case 't':
            ttl = strtol(optarg, NULL, 10);
            break;

        default:
            usage();
        }
    }

    if (path == NULL || call == NULL || optind != argc) {
        usage();
    }

    if (strcmp(call, "*") != 0 && !cr_id_valid(call, strlen(call))) {
        fputs("token: a call's id is 1 to 64 letters, digits, _ and -, or *\n",
              stderr);
        return 2;
    }

    len = read_key(path, key, sizeof(key));
    json = claims(call, sub, name, perms, ttl);

    if (jwt_new(&jwt) != 0) {
        fputs("token: no memory\n", stderr);
        return 1;
    }

    if (jwt_add_grants_json(jwt, json) != 0
        || jwt_set_alg(jwt, JWT_ALG_HS256, key, (int) len) != 0
        || (token = jwt_encode_str(jwt)) == NULL)
    {
        fputs("token: cannot be signed\n", stderr);
        return 1;
    }

    puts(token);

    free(token);
    jwt_free(jwt);
    free(json);

    return 0;
}


/* The key as nginx reads it: a newline at its end is none of it. */

static size_t
read_key(const char *path, unsigned char *key, size_t size)
{
    FILE    *f;
    size_t   len;

    f = fopen(path, "r");
    if (f == NULL) {
        perror(path);
        exit(1);
    }

    len = fread(key, 1, size, f);
    fclose(f);

    while (len != 0 && (key[len - 1] == '\n' || key[len - 1] == '\r')) {
        len--;
    }

    if (len == 0 || len == size) {
        fprintf(stderr, "%s: empty or too long\n", path);
        exit(1);
    }

    return len;
}


static char *
claims(const char *call, const char *sub, const char *name, char *perms,
    long ttl)
{
    char    *json, *word;
    json_t  *list, *root;
    time_t   now;

    now = time(NULL);
    list = json_array();

    for (word = strtok(perms, ","); word != NULL; word = strtok(NULL, ",")) {
        json_array_append_new(list, json_string(word));
    }

    root = json_pack("{s:s, s:s*, s:s*, s:o, s:I, s:I}",
                     "call", call, "sub", sub, "name", name, "perms", list,
                     "iat", (json_int_t) now, "exp", (json_int_t) now + ttl);

    json = (root != NULL) ? json_dumps(root, JSON_COMPACT) : NULL;

    if (json == NULL) {
        fputs("token: a claim is not UTF-8\n", stderr);
        exit(1);
    }

    json_decref(root);

    return json;
}
