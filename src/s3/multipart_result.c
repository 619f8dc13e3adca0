
/*
 * Copyright (C) The call recorder authors
 *
 * What came of it.
 */

#include "s3/multipart_core.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>


#define CR_S3_RESTARTS      3        /* uploads begun anew, lists asked again */
#define CR_S3_HEAD_TRIES    6        /* for an object that should be there */
#define CR_S3_SKEW_MIN      5        /* s; a smaller correction is none */


static void cr_s3_result_part(cr_s3_multipart_t *u, int64_t now, uint32_t n,
    const cr_s3_result_t *result);
static void cr_s3_result_control(cr_s3_multipart_t *u, int64_t now,
    const cr_s3_action_t *action, const cr_s3_result_t *result);
static void cr_s3_good(cr_s3_multipart_t *u, const cr_s3_action_t *action,
    const cr_s3_result_t *result);
static void cr_s3_head(cr_s3_multipart_t *u, const cr_s3_result_t *result);
static bool cr_s3_trouble(cr_s3_multipart_t *u, int64_t now,
    cr_s3_retry_e retry, const cr_s3_result_t *result, unsigned *tries,
    int64_t *not_before);
static void cr_s3_restart(cr_s3_multipart_t *u, bool list, const char *why);
static bool cr_s3_same_etag(const char *a, const char *b);
static bool cr_s3_composite(const cr_s3_multipart_t *u,
    char etag[CR_S3_ETAG_MAX + 1]);


void
cr_s3_multipart_result(cr_s3_multipart_t *u, int64_t now,
    const cr_s3_action_t *action, const cr_s3_result_t *result)
{
    switch (action->what) {

    case CR_S3_DO_RENEW:
        u->renewing = false;

        if (result->status >= 200 && result->status < 300) {
            u->renew = false;
            break;
        }

        u->retries++;
        u->hold = now + cr_s3_backoff(u->env, ++u->slow, u->conf.backoff,
                                      u->conf.backoff_max,
                                      result->retry_after);
        break;

    case CR_S3_DO_PART:
        u->in_flight--;

        if (u->end == CR_S3_RUNNING && action->epoch == u->epoch) {
            cr_s3_result_part(u, now, action->number, result);

        } else if (u->entries[action->number - 1].state == CR_S3_PART_FLIGHT)
        {
            u->entries[action->number - 1].state = CR_S3_PART_READY;
        }

        break;

    default:
        u->control = false;

        if (u->end == CR_S3_RUNNING && action->epoch == u->epoch) {
            cr_s3_result_control(u, now, action, result);
        }
    }
}


static void
cr_s3_result_part(cr_s3_multipart_t *u, int64_t now, uint32_t n,
    const cr_s3_result_t *result)
{
    uint8_t         md5[16];
    uint64_t        offset;
    cr_s3_part_t   *part;
    cr_s3_entry_t  *e;
    cr_s3_retry_e   retry;

    e = &u->entries[n - 1];
    e->state = CR_S3_PART_READY;

    retry = cr_s3_retry(result->status, result->code);

    if (retry == CR_S3_RETRY_GOOD
        && (result->etag == NULL || result->etag[0] == '\0'
            || strlen(result->etag) > CR_S3_ETAG_MAX
            || (u->conf.check_etag && e->has_md5
                && cr_s3_md5(result->etag, md5)
                && memcmp(md5, e->md5, sizeof(md5)) != 0)))
    {
        /* other bytes were stored than were sent */
        retry = CR_S3_RETRY_LATER;
    }

    switch (retry) {

    case CR_S3_RETRY_GOOD:
        part = &u->parts[n - 1];
        part->number = n;
        part->size = cr_s3_part_bytes(u, n, &offset);
        strcpy(part->etag, result->etag);

        e->state = CR_S3_PART_STORED;
        e->tries = 0;
        u->slow = 0;

        if (u->limit < u->conf.parallel) {
            u->limit++;
        }

        break;

    case CR_S3_RETRY_GONE:
        cr_s3_restart(u, false, result->code);
        break;

    default:
        if (!cr_s3_trouble(u, now, retry, result, &e->tries, &e->not_before))
        {
            cr_s3_fail(u, result->code);
        }
    }
}


static void
cr_s3_result_control(cr_s3_multipart_t *u, int64_t now,
    const cr_s3_action_t *action, const cr_s3_result_t *result)
{
    cr_s3_retry_e  retry;

    retry = cr_s3_retry(result->status, result->code);

    if (retry == CR_S3_RETRY_GOOD) {
        u->tries = 0;
        u->slow = 0;
        u->not_before = 0;
        cr_s3_good(u, action, result);
        return;
    }

    switch (action->what) {

    case CR_S3_DO_ABORT:

        if (retry == CR_S3_RETRY_GONE || retry == CR_S3_RETRY_MISSING) {
            u->end = CR_S3_ABORTED;
            return;
        }

        break;

    case CR_S3_DO_LIST:

        if (retry == CR_S3_RETRY_GONE || retry == CR_S3_RETRY_MISSING) {

            /* perhaps it was completed before we were here */

            if (u->total != 0 && u->restarts == 0) {
                u->phase = CR_S3_DO_HEAD;
                u->unknown = true;
                u->tries = CR_S3_HEAD_TRIES - 1;
                return;
            }

            cr_s3_restart(u, false, result->code);
            return;
        }

        break;

    case CR_S3_DO_COMPLETE:

        if (retry == CR_S3_RETRY_GONE) {

            /* an answer was lost, or somebody aborted it */

            u->phase = CR_S3_DO_HEAD;
            u->unknown = true;
            u->tries = 0;
            return;
        }

        if (retry == CR_S3_RETRY_PARTS) {
            cr_s3_restart(u, true, result->code);
            return;
        }

        break;

    case CR_S3_DO_HEAD:

        if (retry == CR_S3_RETRY_MISSING) {

            if (u->tries + 1 >= CR_S3_HEAD_TRIES && u->unknown) {
                cr_s3_restart(u, false, "NoSuchUpload");
                return;
            }

            retry = CR_S3_RETRY_LATER;
        }

        break;

    default:
        break;
    }

    if (!cr_s3_trouble(u, now, retry, result, &u->tries, &u->not_before)) {
        cr_s3_fail(u, result->code);
    }
}


static void
cr_s3_good(cr_s3_multipart_t *u, const cr_s3_action_t *action,
    const cr_s3_result_t *result)
{
    switch (action->what) {

    case CR_S3_DO_CREATE:

        if (result->upload_id == NULL || result->upload_id[0] == '\0'
            || strlen(result->upload_id) > CR_S3_UPLOAD_ID_MAX)
        {
            cr_s3_fail(u, "no UploadId");
            return;
        }

        strcpy(u->id, result->upload_id);
        u->phase = CR_S3_DO_PART;
        break;

    case CR_S3_DO_LIST:

        if (result->truncated && result->next > u->marker) {
            u->marker = result->next;
            return;
        }

        u->marker = 0;
        u->phase = CR_S3_DO_PART;
        break;

    case CR_S3_DO_COMPLETE:
        u->etag[0] = '\0';

        if (result->etag != NULL && strlen(result->etag) <= CR_S3_ETAG_MAX) {
            strcpy(u->etag, result->etag);
        }

        u->unknown = false;
        u->phase = CR_S3_DO_HEAD;
        break;

    case CR_S3_DO_HEAD:
        cr_s3_head(u, result);
        break;

    default: /* CR_S3_DO_ABORT */
        u->end = CR_S3_ABORTED;
    }
}


/* Is the object ours?  By its size and, as far as we can know it, its ETag. */

static void
cr_s3_head(cr_s3_multipart_t *u, const cr_s3_result_t *result)
{
    bool         same;
    char         composite[CR_S3_ETAG_MAX + 1];
    const char  *expected;

    expected = u->etag;

    if (expected[0] == '\0' && u->conf.check_etag) {

        if (cr_s3_composite(u, composite)) {
            expected = composite;

        } else if (u->unknown) {

            /* it may be an older object: rather once more than a wrong one */

            cr_s3_restart(u, false, "mismatch");
            return;
        }
    }

    same = result->size == u->size
           && (expected[0] == '\0'
               || (result->etag != NULL
                   && cr_s3_same_etag(result->etag, expected)));

    if (same) {
        u->end = CR_S3_DONE;

    } else if (u->unknown) {
        cr_s3_restart(u, false, "mismatch");

    } else {
        cr_s3_fail(u, "mismatch");
    }
}


/* With quotes or without. */

static bool
cr_s3_same_etag(const char *a, const char *b)
{
    size_t  na, nb;

    a += (*a == '"');
    b += (*b == '"');

    na = strcspn(a, "\"");
    nb = strcspn(b, "\"");

    return na == nb && memcmp(a, b, na) == 0;
}


/* Whether it is worth another try, and when. */

static bool
cr_s3_trouble(cr_s3_multipart_t *u, int64_t now, cr_s3_retry_e retry,
    const cr_s3_result_t *result, unsigned *tries, int64_t *not_before)
{
    int64_t  skew;

    switch (retry) {

    case CR_S3_RETRY_SKEW:
        skew = (result->date != 0) ? result->date - result->wall : u->skew;

        if (skew - u->skew > CR_S3_SKEW_MIN || u->skew - skew > CR_S3_SKEW_MIN)
        {
            u->skew = skew;
            u->retries++;
            return true;
        }

        break;

    case CR_S3_RETRY_RENEW:

        /* all in flight will say so: once is enough */

        u->renew = true;
        break;

    case CR_S3_RETRY_SLOWER:
        u->limit = (u->limit > 1) ? u->limit / 2 : 1;
        u->hold = now + cr_s3_backoff(u->env, ++u->slow, u->conf.backoff,
                                      u->conf.backoff_max,
                                      result->retry_after);
        break;

    case CR_S3_RETRY_LATER:
        break;

    default:
        return false;
    }

    ++*tries;
    u->retries++;
    *not_before = now + cr_s3_backoff(u->env, *tries, u->conf.backoff,
                                      u->conf.backoff_max,
                                      result->retry_after);

    return true;
}


/* list: what the store has is asked anew; else another upload is begun. */

static void
cr_s3_restart(cr_s3_multipart_t *u, bool list, const char *why)
{
    uint32_t        n;
    cr_s3_entry_t  *e;

    if (u->restarts++ == CR_S3_RESTARTS) {
        cr_s3_fail(u, why);
        return;
    }

    u->tries = 0;
    u->not_before = 0;
    u->marker = 0;
    u->unknown = false;
    u->retries++;

    if (list) {
        u->phase = CR_S3_DO_LIST;

    } else {
        u->phase = CR_S3_DO_CREATE;
        u->id[0] = '\0';
        u->epoch++;
    }

    for (n = 0; n < u->known; n++) {
        e = &u->entries[n];

        if (e->state == CR_S3_PART_STORED) {
            e->state = e->here ? CR_S3_PART_READY : CR_S3_PART_AWAITED;
        }
    }
}


/* "d41d8cd98f00b204e9800998ecf8427e", with its quotes or without. */

bool
cr_s3_md5(const char *etag, uint8_t md5[16])
{
    int     high, low;
    size_t  i, len;

    len = strlen(etag);

    if (len == 34 && etag[0] == '"' && etag[33] == '"') {
        etag++;

    } else if (len != 32) {
        return false;
    }

    for (i = 0; i < 16; i++) {
        high = OPENSSL_hexchar2int((unsigned char) etag[2 * i]);
        low = OPENSSL_hexchar2int((unsigned char) etag[2 * i + 1]);

        if (high < 0 || low < 0) {
            return false;
        }

        md5[i] = (uint8_t) (high << 4 | low);
    }

    return true;
}


/* MD5 of the parts' MD5s, and their number: what S3 calls the whole. */

static bool
cr_s3_composite(const cr_s3_multipart_t *u, char etag[CR_S3_ETAG_MAX + 1])
{
    bool         ok;
    int          len;
    uint8_t      md5[16];
    uint32_t     n;
    EVP_MD_CTX  *md;

    md = EVP_MD_CTX_new();
    ok = md != NULL && EVP_DigestInit_ex(md, EVP_md5(), NULL) == 1;

    for (n = 0; ok && n < u->total; n++) {

        if (u->entries[n].has_md5) {
            memcpy(md5, u->entries[n].md5, sizeof(md5));

        } else {
            ok = cr_s3_md5(u->parts[n].etag, md5);
        }

        ok = ok && EVP_DigestUpdate(md, md5, sizeof(md5)) == 1;
    }

    ok = ok && EVP_DigestFinal_ex(md, md5, NULL) == 1;

    EVP_MD_CTX_free(md);

    if (!ok) {
        return false;
    }

    len = snprintf(etag, CR_S3_ETAG_MAX, "\"");

    for (n = 0; n < 16; n++) {
        len += snprintf(etag + len, 3, "%02x", md5[n]);
    }

    snprintf(etag + len, 16, "-%u\"", (unsigned) u->total);

    return true;
}
