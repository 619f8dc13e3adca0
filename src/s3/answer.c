
/*
 * Copyright (C) The call recorder authors
 */

#include "s3/answer.h"
#include "s3/xml.h"

#include <stdio.h>


typedef enum {
    CR_S3_PRESENT_ID = 0x01,
    CR_S3_PRESENT_NUMBER = 0x02,
    CR_S3_PRESENT_ETAG = 0x04,
    CR_S3_PRESENT_SIZE = 0x08,
    CR_S3_PRESENT_KEY = 0x10
} cr_s3_present_e;


typedef struct {
    const char            *root;       /* the element we want */
    bool                   found;
    bool                   failed;     /* it is an <Error> */
    unsigned               present;    /* cr_s3_present_e, of an entry */
    unsigned               entries;
    uint32_t               number;     /* of the part before */
    cr_s3_error_t         *error;

    const char            *leaf;       /* below the root, the one wanted */
    char                  *text;       /* of the leaf */
    size_t                 text_max;
    cr_s3_parts_page_t    *parts;
    cr_s3_uploads_page_t  *uploads;

    cr_s3_part_t           part;
    cr_s3_upload_t         upload;
    cr_s3_part_pt          on_part;
    cr_s3_upload_pt        on_upload;
    void                  *ctx;
} cr_s3_answer_t;


static cr_status_e cr_s3_answer(cr_s3_answer_t *a, const char *xml,
    size_t len);
static cr_status_e cr_s3_answer_leaf(cr_s3_answer_t *a, const char *xml,
    size_t len);
static cr_status_e cr_s3_answer_element(void *ctx, unsigned depth,
    const char *parent, const char *name, const char *text, size_t len);
static cr_status_e cr_s3_answer_part(cr_s3_answer_t *a, const char *name,
    const char *text, size_t len);
static cr_status_e cr_s3_answer_upload(cr_s3_answer_t *a, const char *name,
    const char *text, size_t len);
static cr_status_e cr_s3_answer_parts(cr_s3_answer_t *a, const char *name,
    const char *text, size_t len);
static cr_status_e cr_s3_answer_uploads(cr_s3_answer_t *a, const char *name,
    const char *text, size_t len);
static void cr_s3_answer_error(cr_s3_answer_t *a, const char *name,
    const char *text, size_t len);
static cr_status_e cr_s3_answer_copy(char *to, size_t max, const char *text,
    size_t len);
static void cr_s3_answer_cut(char *to, size_t size, const char *text,
    size_t len);
static cr_status_e cr_s3_answer_number(uint64_t *to, uint64_t max,
    const char *text, size_t len);


cr_status_e
cr_s3_initiate_parse(const char *xml, size_t len,
    char upload_id[CR_S3_UPLOAD_ID_MAX + 1], cr_s3_error_t *error)
{
    cr_s3_answer_t  a = { 0 };

    a.root = "InitiateMultipartUploadResult";
    a.leaf = "UploadId";
    a.text = upload_id;
    a.text_max = CR_S3_UPLOAD_ID_MAX;
    a.error = error;

    return cr_s3_answer_leaf(&a, xml, len);
}


cr_status_e
cr_s3_complete_parse(const char *xml, size_t len,
    char etag[CR_S3_ETAG_MAX + 1], cr_s3_error_t *error)
{
    cr_s3_answer_t  a = { 0 };

    a.root = "CompleteMultipartUploadResult";
    a.leaf = "ETag";
    a.text = etag;
    a.text_max = CR_S3_ETAG_MAX;
    a.error = error;

    etag[0] = '\0';

    return cr_s3_answer(&a, xml, len);
}


cr_status_e
cr_s3_parts_parse(const char *xml, size_t len, cr_s3_parts_page_t *page,
    cr_s3_part_pt part, void *ctx, cr_s3_error_t *error)
{
    cr_s3_answer_t  a = { 0 };

    memset(page, 0, sizeof(*page));

    a.root = "ListPartsResult";
    a.parts = page;
    a.on_part = part;
    a.ctx = ctx;
    a.error = error;

    return cr_s3_answer(&a, xml, len);
}


cr_status_e
cr_s3_uploads_parse(const char *xml, size_t len, cr_s3_uploads_page_t *page,
    cr_s3_upload_pt upload, void *ctx, cr_s3_error_t *error)
{
    cr_s3_answer_t  a = { 0 };

    memset(page, 0, sizeof(*page));

    a.root = "ListMultipartUploadsResult";
    a.uploads = page;
    a.on_upload = upload;
    a.ctx = ctx;
    a.error = error;

    return cr_s3_answer(&a, xml, len);
}


cr_status_e
cr_s3_error_parse(const char *xml, size_t len, cr_s3_error_t *error)
{
    cr_status_e     rc;
    cr_s3_answer_t  a = { 0 };

    a.root = "Error";
    a.error = error;

    rc = cr_s3_answer(&a, xml, len);

    return (rc == CR_DECLINED) ? CR_OK : rc == CR_OK ? CR_INVALID : rc;
}


void
cr_s3_complete_body(cr_writer_t *w, const cr_s3_part_t *parts, size_t nparts)
{
    static const char  head[] =
        "<CompleteMultipartUpload "
        "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
    static const char  tail[] = "</CompleteMultipartUpload>";

    int     n;
    char    number[64];
    size_t  i;

    cr_write_bytes(w, head, sizeof(head) - 1);

    for (i = 0; i < nparts; i++) {
        n = snprintf(number, sizeof(number),
                     "<Part><PartNumber>%u</PartNumber><ETag>",
                     (unsigned) parts[i].number);
        cr_write_bytes(w, number, (size_t) n);
        cr_s3_xml_escape(w, parts[i].etag, strlen(parts[i].etag));
        cr_write_bytes(w, "</ETag></Part>", sizeof("</ETag></Part>") - 1);
    }

    cr_write_bytes(w, tail, sizeof(tail) - 1);
}


void
cr_s3_xml_escape(cr_writer_t *w, const char *text, size_t len)
{
    size_t       i;
    const char  *as;

    for (i = 0; i < len; i++) {

        switch (text[i]) {

        case '&':
            as = "&amp;";
            break;

        case '<':
            as = "&lt;";
            break;

        case '>':
            as = "&gt;";
            break;

        case '"':
            as = "&quot;";
            break;

        case '\'':
            as = "&apos;";
            break;

        default:

            if ((uint8_t) text[i] >= 0x20 && text[i] != 0x7f) {
                cr_write_u8(w, (uint8_t) text[i]);
            }

            continue;
        }

        cr_write_bytes(w, as, strlen(as));
    }
}


static cr_status_e
cr_s3_answer(cr_s3_answer_t *a, const char *xml, size_t len)
{
    cr_status_e  rc;

    memset(a->error, 0, sizeof(*a->error));

    rc = cr_s3_xml(xml, len, cr_s3_answer_element, a);

    if (rc != CR_OK) {
        return rc;
    }

    if (a->failed) {
        return a->error->code[0] != '\0' ? CR_DECLINED : CR_INVALID;
    }

    return a->found ? CR_OK : CR_INVALID;
}


static cr_status_e
cr_s3_answer_leaf(cr_s3_answer_t *a, const char *xml, size_t len)
{
    cr_status_e  rc;

    a->text[0] = '\0';

    rc = cr_s3_answer(a, xml, len);

    return (rc == CR_OK && a->text[0] == '\0') ? CR_INVALID : rc;
}


static cr_status_e
cr_s3_answer_element(void *ctx, unsigned depth, const char *parent,
    const char *name, const char *text, size_t len)
{
    cr_s3_answer_t  *a = ctx;

    switch (depth) {

    case 0:
        a->failed = (strcmp(name, "Error") == 0);
        a->found = (strcmp(name, a->root) == 0);
        return CR_OK;

    case 1:

        if (strcmp(parent, "Error") == 0) {
            cr_s3_answer_error(a, name, text, len);
            return CR_OK;
        }

        if (strcmp(parent, a->root) != 0) {
            return CR_OK;
        }

        if (a->parts != NULL) {
            return cr_s3_answer_parts(a, name, text, len);
        }

        if (a->uploads != NULL) {
            return cr_s3_answer_uploads(a, name, text, len);
        }

        return (a->leaf != NULL && strcmp(name, a->leaf) == 0)
               ? cr_s3_answer_copy(a->text, a->text_max, text, len) : CR_OK;

    case 2:

        if (a->parts != NULL && strcmp(parent, "Part") == 0) {
            return cr_s3_answer_part(a, name, text, len);
        }

        if (a->uploads != NULL && strcmp(parent, "Upload") == 0) {
            return cr_s3_answer_upload(a, name, text, len);
        }

        return CR_OK;

    default:
        return CR_OK;
    }
}


/* What is directly below the root; an entry ends here as well. */

static cr_status_e
cr_s3_answer_parts(cr_s3_answer_t *a, const char *name, const char *text,
    size_t len)
{
    uint64_t     n;
    unsigned     present;
    cr_status_e  rc;

    if (strcmp(name, "Part") == 0) {
        present = a->present;
        a->present = 0;

        if (present != (CR_S3_PRESENT_NUMBER|CR_S3_PRESENT_ETAG
                        |CR_S3_PRESENT_SIZE)
            || a->part.number <= a->number)
        {
            return CR_INVALID;
        }

        if (a->entries++ == CR_S3_LIST_MAX) {
            return CR_LIMIT;
        }

        a->number = a->part.number;

        return a->on_part(a->ctx, &a->part);
    }

    if (strcmp(name, "IsTruncated") == 0) {
        a->parts->truncated = (strcmp(text, "true") == 0);
        return CR_OK;
    }

    if (strcmp(name, "NextPartNumberMarker") == 0 && len != 0) {
        rc = cr_s3_answer_number(&n, CR_S3_PART_NUMBER_MAX, text, len);
        a->parts->next = (uint32_t) n;
        return rc;
    }

    return CR_OK;
}


static cr_status_e
cr_s3_answer_uploads(cr_s3_answer_t *a, const char *name, const char *text,
    size_t len)
{
    unsigned               present;
    cr_s3_uploads_page_t  *page = a->uploads;

    if (strcmp(name, "Upload") == 0) {
        present = a->present;
        a->present = 0;

        if (present != (CR_S3_PRESENT_KEY|CR_S3_PRESENT_ID)) {
            return CR_INVALID;
        }

        if (a->entries++ == CR_S3_LIST_MAX) {
            return CR_LIMIT;
        }

        return a->on_upload(a->ctx, &a->upload);
    }

    if (strcmp(name, "IsTruncated") == 0) {
        page->truncated = (strcmp(text, "true") == 0);
        return CR_OK;
    }

    if (strcmp(name, "NextKeyMarker") == 0) {
        return cr_s3_answer_copy(page->next_key, CR_S3_KEY_MAX, text, len);
    }

    if (strcmp(name, "NextUploadIdMarker") == 0) {
        return cr_s3_answer_copy(page->next_upload_id, CR_S3_UPLOAD_ID_MAX,
                                 text, len);
    }

    return CR_OK;
}


static cr_status_e
cr_s3_answer_part(cr_s3_answer_t *a, const char *name, const char *text,
    size_t len)
{
    uint64_t     n;
    cr_status_e  rc;

    if (strcmp(name, "PartNumber") == 0) {
        a->present |= CR_S3_PRESENT_NUMBER;
        rc = cr_s3_answer_number(&n, CR_S3_PART_NUMBER_MAX, text, len);
        a->part.number = (uint32_t) n;
        return rc;
    }

    if (strcmp(name, "ETag") == 0) {
        a->present |= CR_S3_PRESENT_ETAG;
        return cr_s3_answer_copy(a->part.etag, CR_S3_ETAG_MAX, text, len);
    }

    if (strcmp(name, "Size") == 0) {
        a->present |= CR_S3_PRESENT_SIZE;
        return cr_s3_answer_number(&a->part.size, INT64_MAX, text, len);
    }

    return CR_OK;
}


static cr_status_e
cr_s3_answer_upload(cr_s3_answer_t *a, const char *name, const char *text,
    size_t len)
{
    if (strcmp(name, "Key") == 0) {
        a->present |= CR_S3_PRESENT_KEY;
        a->upload.initiated[0] = '\0';
        return cr_s3_answer_copy(a->upload.key, CR_S3_KEY_MAX, text, len);
    }

    if (strcmp(name, "UploadId") == 0) {
        a->present |= CR_S3_PRESENT_ID;
        return cr_s3_answer_copy(a->upload.upload_id, CR_S3_UPLOAD_ID_MAX,
                                 text, len);
    }

    if (strcmp(name, "Initiated") == 0) {
        cr_s3_answer_cut(a->upload.initiated, sizeof(a->upload.initiated),
                         text, len);
    }

    return CR_OK;
}


static void
cr_s3_answer_error(cr_s3_answer_t *a, const char *name, const char *text,
    size_t len)
{
    cr_s3_error_t  *e = a->error;

    if (strcmp(name, "Code") == 0) {
        cr_s3_answer_cut(e->code, sizeof(e->code), text, len);

    } else if (strcmp(name, "Message") == 0) {
        cr_s3_answer_cut(e->message, sizeof(e->message), text, len);

    } else if (strcmp(name, "RequestId") == 0) {
        cr_s3_answer_cut(e->request_id, sizeof(e->request_id), text, len);

    } else if (strcmp(name, "Region") == 0) {
        cr_s3_answer_cut(e->region, sizeof(e->region), text, len);
    }
}


/* Ids and ETags go into headers, URLs and XML: no control characters. */

static cr_status_e
cr_s3_answer_copy(char *to, size_t max, const char *text, size_t len)
{
    size_t  i;

    if (len > max) {
        return CR_LIMIT;
    }

    for (i = 0; i < len; i++) {
        if ((uint8_t) text[i] < 0x20 || text[i] == 0x7f) {
            return CR_INVALID;
        }
    }

    memcpy(to, text, len);
    to[len] = '\0';

    return CR_OK;
}


/* For logs and people: one line, cut between characters of UTF-8. */

static void
cr_s3_answer_cut(char *to, size_t size, const char *text, size_t len)
{
    size_t  i;

    if (len > size - 1) {
        len = size - 1;

        while (len > 0 && ((uint8_t) text[len] & 0xc0) == 0x80) {
            len--;
        }
    }

    for (i = 0; i < len; i++) {
        to[i] = ((uint8_t) text[i] < 0x20 || text[i] == 0x7f) ? ' ' : text[i];
    }

    to[len] = '\0';
}


static cr_status_e
cr_s3_answer_number(uint64_t *to, uint64_t max, const char *text, size_t len)
{
    size_t  i;

    *to = 0;

    if (len == 0 || len > 19) {
        return CR_INVALID;
    }

    for (i = 0; i < len; i++) {

        if (text[i] < '0' || text[i] > '9') {
            return CR_INVALID;
        }

        *to = *to * 10 + (uint64_t) (text[i] - '0');
    }

    return (*to > max) ? CR_LIMIT : CR_OK;
}
