
/*
 * Copyright (C) The call recorder authors
 */

#include "job/parts.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>


static const char *cr_part_number(const char *p, const char *end,
    uint64_t *value);
static cr_status_e cr_parts_chain(const cr_part_t *parts,
    const cr_parts_complete_t *complete, const char **why);


size_t
cr_part_line(char buf[CR_PART_LINE_MAX], const cr_part_t *part)
{
    int       n;
    unsigned  i;

    n = snprintf(buf, CR_PART_LINE_MAX, "%" PRIu32 " %" PRIu64 " %" PRIu64 " ",
                 part->number, part->offset, part->size);

    for (i = 0; i < CR_PART_DIGEST_SIZE; i++) {
        n += snprintf(buf + n, CR_PART_LINE_MAX - (size_t) n, "%02x",
                      part->sha256[i]);
    }

    buf[n++] = '\n';

    return (size_t) n;
}


cr_status_e
cr_parts_verify(const cr_env_t *env, const char *ledger, size_t len,
    const cr_parts_complete_t *complete, const char **why)
{
    cr_part_t    part, *parts;
    const char  *p, *end;
    cr_status_e  rc;

    if (complete->parts == 0 || complete->parts > CR_PARTS_MAX) {
        *why = "the number of parts is out of range";
        return CR_INVALID;
    }

    /* zeroed: a part that never came has size 0 */
    parts = cr_alloc(env, complete->parts * sizeof(cr_part_t));
    if (parts == NULL) {
        *why = "no memory for the list of parts";
        return CR_NOMEM;
    }

    rc = CR_OK;
    end = ledger + len;

    for (p = ledger; p != end; /* void */) {
        p = cr_part_parse_line(p, end, &part);

        if (p == NULL) {
            *why = "the ledger of parts is damaged";
            rc = CR_INVALID;
            break;
        }

        if (part.number >= complete->parts) {
            *why = "there are more parts than were announced";
            rc = CR_INVALID;
            break;
        }

        parts[part.number] = part;
    }

    if (rc == CR_OK) {
        rc = cr_parts_chain(parts, complete, why);
    }

    cr_free(env, parts);

    return rc;
}


/* Parts follow each other without hole or overlap, and their digests make
 * the one that the sender computed. */
static cr_status_e
cr_parts_chain(const cr_part_t *parts, const cr_parts_complete_t *complete,
    const char **why)
{
    uint8_t      digest[EVP_MAX_MD_SIZE];
    uint32_t     i;
    uint64_t     offset;
    EVP_MD_CTX  *md;

    md = EVP_MD_CTX_new();
    if (md == NULL || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(md);
        *why = "no SHA-256";
        return CR_INTERNAL;
    }

    offset = 0;

    for (i = 0; i < complete->parts; i++) {

        if (parts[i].size == 0) {
            *why = "a part is missing";
            break;
        }

        if (parts[i].offset != offset) {
            *why = "the parts do not join";
            break;
        }

        offset += parts[i].size;
        EVP_DigestUpdate(md, parts[i].sha256, CR_PART_DIGEST_SIZE);
    }

    EVP_DigestFinal_ex(md, digest, NULL);
    EVP_MD_CTX_free(md);

    if (i != complete->parts) {
        return CR_INVALID;
    }

    if (offset != complete->size) {
        *why = "the parts do not add up to the announced size";
        return CR_INVALID;
    }

    if (memcmp(digest, complete->digest, CR_PART_DIGEST_SIZE) != 0) {
        *why = "the digest of the parts differs";
        return CR_INVALID;
    }

    return CR_OK;
}


const char *
cr_part_parse_line(const char *p, const char *end, cr_part_t *part)
{
    int       digit;
    char      c;
    unsigned  i;
    uint64_t  number;

    p = cr_part_number(p, end, &number);
    p = cr_part_number(p, end, &part->offset);
    p = cr_part_number(p, end, &part->size);

    if (p == NULL || number > UINT32_MAX
        || end - p < 2 * CR_PART_DIGEST_SIZE + 1)
    {
        return NULL;
    }

    part->number = (uint32_t) number;

    for (i = 0; i < 2 * CR_PART_DIGEST_SIZE; i++) {
        c = *p++;

        if (c >= '0' && c <= '9') {
            digit = c - '0';

        } else if (c >= 'a' && c <= 'f') {
            digit = c - 'a' + 10;

        } else {
            return NULL;
        }

        part->sha256[i / 2] = (uint8_t) (part->sha256[i / 2] << 4 | digit);
    }

    return *p == '\n' ? p + 1 : NULL;
}


/* A decimal number and the space behind it. */
static const char *
cr_part_number(const char *p, const char *end, uint64_t *value)
{
    const char  *start;

    if (p == NULL) {
        return NULL;
    }

    start = p;
    *value = 0;

    while (p != end && *p >= '0' && *p <= '9') {

        if (p - start == 19) {
            return NULL;
        }

        *value = *value * 10 + (uint64_t) (*p++ - '0');
    }

    return (p != start && p != end && *p == ' ') ? p + 1 : NULL;
}
