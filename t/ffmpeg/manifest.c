/*
 * Copyright (C) The call recorder authors
 *
 * Manifests of callmix with damage in them, by chance: each is refused, or
 * gives nothing but URLs.  Prints TAP; built with sanitizers and run by
 * manifest.t.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libavfilter/callmix_folder.h"
#include "libavutil/error.h"
#include "libavutil/log.h"
#include "libavutil/macros.h"
#include "libavutil/mem.h"


#define RUNS        5000
#define MAX_SIZE    8000
#define MAX_PIECE   40


static const char  whole[] =
    "{\"expiresAt\":\"2999-01-01T00:00:00.000Z\",\"files\":{"
    "\"a/s/000001.mkv\":\"http://127.0.0.1:1/a?X-Amz-Signature=0\","
    "\"x\":\"https://u:p@[::1]:9/y\"},\"more\":[1,2.5,null,{\"y\":{}}]}";

static const char *const  pieces[] = {
    "[[[[[[[[[[", "{\"files\":", "99999999999999999999", "\\u0000", "\"",
    "\xff\xfe", "-1e999", ":", ",", "}", "\"expiresAt\":", "http://",
    "\"x\":\"http://h/\",", "\"x\":\"file:///etc/passwd\","
};

static int  tests;


static void
ok(int right, const char *what)
{
    printf("%sok %d - %s\n", right ? "" : "not ", ++tests, what);
}


static size_t
below(size_t n)
{
    return n ? random() % n : 0;
}


static size_t
insert(char *text, size_t size, size_t at, const char *piece, size_t len)
{
    if (size + len > MAX_SIZE)
        return size;

    memmove(text + at + len, text + at, size - at);
    memcpy(text + at, piece, len);

    return size + len;
}


/* One byte more, less or another one, or a piece of this or other texts. */
static size_t
damage(char *text, size_t size)
{
    const char *piece;
    char        copy[MAX_PIECE];
    size_t      at = below(size + 1), from, len;

    switch (below(4)) {
    case 0:
        if (at < size)
            text[at] = below(256);
        break;

    case 1:
        len = below(FFMIN(8, size - at) + 1);
        memmove(text + at, text + at + len, size - at - len);
        size -= len;
        break;

    case 2:
        piece = pieces[below(FF_ARRAY_ELEMS(pieces))];
        size = insert(text, size, at, piece, strlen(piece));
        break;

    default:
        from = below(size);
        len = below(FFMIN(MAX_PIECE, size - from) + 1);
        memcpy(copy, text + from, len);
        size = insert(text, size, at, copy, len);
    }

    return size;
}


static void
write_file(const char *path, const char *text, size_t size)
{
    FILE *f = fopen(path, "wb");

    if (!f || fwrite(text, 1, size, f) != size || fclose(f)) {
        perror(path);
        exit(1);
    }
}


/* 1: it has a URL for x, the same when it is asked again; -1: wrong. */
static int
look_up(CallMixManifest *manifest)
{
    char   *url = NULL, *other = NULL;
    int     ret, found;

    ret = ff_callmix_manifest_url(manifest, "x", NULL, NULL, &url);
    if (ret < 0)
        return ret == AVERROR(ENOENT) ? 0 : -1;

    ret = ff_callmix_manifest_url(manifest, "x", url, NULL, &other);
    found = ret == AVERROR(EACCES) && ff_callmix_is_url(url) ? 1 : -1;

    av_free(url);
    av_free(other);
    return found;
}


int
main(int argc, char **argv)
{
    const CallMixHttp   http = { .ca_file = "", .timeout = 1000000 };
    CallMixManifest    *manifest;
    char                text[MAX_SIZE];
    size_t              size;
    int                 refused = 0, found = 0, wrong = 0, n;

    if (argc < 2)
        return 1;

    av_log_set_level(AV_LOG_QUIET);

    for (int seed = 1; seed <= RUNS; seed++) {
        srandom(seed);

        size = strlen(whole);
        memcpy(text, whole, size);

        for (n = below(5); n > 0; n--)
            size = damage(text, size);

        write_file(argv[1], text, size);

        if (ff_callmix_manifest_open(&manifest, argv[1], "list", &http) < 0) {
            refused++;
            wrong += manifest != NULL;
            continue;
        }

        n = look_up(manifest);
        ff_callmix_manifest_close(&manifest);

        found += n > 0;
        wrong += n < 0;
    }

    ok(refused > RUNS / 10, "damaged manifests are refused");
    ok(found > RUNS / 10, "what is whole has its URL");
    ok(wrong == 0, "nothing else comes of them");

    printf("1..%d\n", tests);
    return 0;
}
