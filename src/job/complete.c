
/*
 * Copyright (C) The call recorder authors
 *
 * What the callrec muxer sends of a result: URLs, Content-Digest and the
 * body of complete.
 */

#include "job/parts.h"
#include "auth/jwt.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <string.h>


static bool cr_complete_int(const json_t *object, const char *name,
    uint64_t max, uint64_t *value);
static bool cr_complete_word(const json_t *object, const char *name,
    char *word, size_t size);
static cr_status_e cr_complete_members(const json_t *root,
    cr_parts_complete_t *complete, const char **why);


cr_status_e
cr_parts_complete_parse(const char *json, size_t len,
    cr_parts_complete_t *complete, const char **why)
{
    json_t        *root;
    cr_status_e    rc;
    json_error_t   error;

    memset(complete, 0, sizeof(cr_parts_complete_t));

    root = json_loadb(json, len, JSON_REJECT_DUPLICATES, &error);

    if (!json_is_object(root)) {
        json_decref(root);
        *why = "the body is not a JSON object";
        return CR_INVALID;
    }

    rc = cr_complete_members(root, complete, why);

    json_decref(root);

    return rc;
}


static cr_status_e
cr_complete_members(const json_t *root, cr_parts_complete_t *complete,
    const char **why)
{
    long            n;
    json_t         *video, *audio;
    uint64_t        parts, width, height, cpu_ms;
    const char     *hex;
    unsigned char  *digest;

    if (!cr_complete_int(root, "sizeBytes", INT64_MAX, &complete->size)
        || !cr_complete_int(root, "parts", CR_PARTS_MAX, &parts)
        || !cr_complete_int(root, "durationMs", INT64_MAX,
                            &complete->duration_ms))
    {
        *why = "sizeBytes, parts and durationMs must be whole numbers";
        return CR_INVALID;
    }

    complete->parts = (uint32_t) parts;

    if (!cr_complete_word(root, "format", complete->format,
                          sizeof(complete->format)))
    {
        *why = "format must be a short word";
        return CR_INVALID;
    }

    video = json_object_get(root, "video");

    if (json_is_object(video)) {

        if (!cr_complete_word(video, "codec", complete->video_codec,
                              sizeof(complete->video_codec))
            || !cr_complete_int(video, "width", 65535, &width)
            || !cr_complete_int(video, "height", 65535, &height))
        {
            *why = "video must have codec, width and height";
            return CR_INVALID;
        }

        complete->width = (uint32_t) width;
        complete->height = (uint32_t) height;
    }

    audio = json_object_get(root, "audio");

    if (json_is_object(audio)
        && !cr_complete_word(audio, "codec", complete->audio_codec,
                             sizeof(complete->audio_codec)))
    {
        *why = "audio must have a codec";
        return CR_INVALID;
    }

    complete->cpu_ms = -1;

    if (json_object_get(root, "cpuMs") != NULL) {

        if (!cr_complete_int(root, "cpuMs", INT64_MAX, &cpu_ms)) {
            *why = "cpuMs must be a whole number";
            return CR_INVALID;
        }

        complete->cpu_ms = (int64_t) cpu_ms;
    }

    hex = json_string_value(json_object_get(root, "digest"));

    if (hex == NULL || strlen(hex) != 2 * CR_PART_DIGEST_SIZE
        || strspn(hex, "0123456789abcdefABCDEF") != strlen(hex))
    {
        *why = "digest must be a SHA-256 in hex";
        return CR_INVALID;
    }

    digest = OPENSSL_hexstr2buf(hex, &n);
    if (digest == NULL) {
        *why = "no memory";
        return CR_NOMEM;
    }

    memcpy(complete->digest, digest, CR_PART_DIGEST_SIZE);
    OPENSSL_free(digest);

    return CR_OK;
}


static bool
cr_complete_int(const json_t *object, const char *name, uint64_t max,
    uint64_t *value)
{
    json_t  *member;

    member = json_object_get(object, name);

    if (!json_is_integer(member) || json_integer_value(member) < 0
        || (uint64_t) json_integer_value(member) > max)
    {
        return false;
    }

    *value = (uint64_t) json_integer_value(member);

    return true;
}


static bool
cr_complete_word(const json_t *object, const char *name, char *word,
    size_t size)
{
    size_t       len;
    const char  *value;

    value = json_string_value(json_object_get(object, name));
    len = value != NULL ? strlen(value) : 0;

    if (len == 0 || len >= size || !cr_id_valid(value, len)) {
        return false;
    }

    memcpy(word, value, len + 1);

    return true;
}


cr_status_e
cr_content_digest(const char *value, size_t len,
    uint8_t sha256[CR_PART_DIGEST_SIZE])
{
    size_t       i;
    uint8_t      out[36];
    const char  *member;

    /* the base64 of 32 bytes is 44 characters, the last one '=' */
    static const char  key[] = "sha-256=:";
    const size_t       key_len = sizeof(key) - 1;

    for (i = 0; i + key_len + 45 <= len; i++) {

        member = value + i;

        if (memcmp(member, key, key_len) != 0
            || (i != 0 && strchr(" ,", value[i - 1]) == NULL)
            || member[key_len + 42] == '=' || member[key_len + 43] != '='
            || member[key_len + 44] != ':')
        {
            continue;
        }

        if (EVP_DecodeBlock(out, (const unsigned char *) member + key_len, 44)
            != 33)
        {
            return CR_INVALID;
        }

        memcpy(sha256, out, CR_PART_DIGEST_SIZE);
        return CR_OK;
    }

    return CR_DECLINED;
}


/* The path segment at *path, which moves behind the slash that ends it. */
static bool
cr_parts_segment(const char **path, const char *end, const char **segment,
    size_t *len)
{
    const char  *slash;

    slash = memchr(*path, '/', (size_t) (end - *path));

    *segment = *path;
    *len = (size_t) ((slash != NULL ? slash : end) - *path);
    *path = slash != NULL ? slash + 1 : end;

    return *len != 0;
}


static bool
cr_parts_is(const char *segment, size_t len, const char *word)
{
    return len == strlen(word) && memcmp(segment, word, len) == 0;
}


cr_status_e
cr_parts_path(const char *path, size_t len, cr_parts_path_t *parsed)
{
    size_t       n, i;
    uint32_t     number;
    const char  *end, *segment;

    memset(parsed, 0, sizeof(cr_parts_path_t));
    end = path + len;

    if (!cr_parts_segment(&path, end, &parsed->recording_id,
                          &parsed->recording_id_len)
        || !cr_parts_segment(&path, end, &parsed->output,
                             &parsed->output_len)
        || !cr_id_valid(parsed->recording_id, parsed->recording_id_len)
        || !cr_id_valid(parsed->output, parsed->output_len)
        || !cr_parts_segment(&path, end, &segment, &n))
    {
        return CR_DECLINED;
    }

    if (path == end && path[-1] != '/') {

        if (cr_parts_is(segment, n, "progress")) {
            parsed->action = CR_PARTS_PROGRESS;
            return CR_OK;
        }

        if (cr_parts_is(segment, n, "complete")) {
            parsed->action = CR_PARTS_COMPLETE;
            return CR_OK;
        }

        if (cr_parts_is(segment, n, "abort")) {
            parsed->action = CR_PARTS_ABORT;
            return CR_OK;
        }

        return CR_DECLINED;
    }

    if (!cr_parts_is(segment, n, "parts")
        || !cr_parts_segment(&path, end, &segment, &n)
        || path != end || path[-1] == '/' || n > 6)
    {
        return CR_DECLINED;
    }

    for (number = 0, i = 0; i < n; i++) {

        if (segment[i] < '0' || segment[i] > '9') {
            return CR_DECLINED;
        }

        number = number * 10 + (uint32_t) (segment[i] - '0');
    }

    if (number >= CR_PARTS_MAX) {
        return CR_DECLINED;
    }

    parsed->action = CR_PARTS_PUT;
    parsed->number = number;

    return CR_OK;
}
