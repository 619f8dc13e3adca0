
/*
 * Copyright (C) The call recorder authors
 *
 * What S3 and STS answer.  The first byte chooses what was asked.
 */

#include "s3/answer.h"
#include "s3/credentials.h"
#include "fuzz.h"


static cr_status_e
on_part(void *ctx, const cr_s3_part_t *part)
{
    uint32_t  *last = ctx;

    if (part->number <= *last || part->number > CR_S3_PART_NUMBER_MAX) {
        abort();
    }

    *last = part->number;

    return CR_OK;
}


static cr_status_e
on_upload(void *ctx, const cr_s3_upload_t *upload)
{
    (void) ctx;

    return upload->key[0] != '\0' ? CR_OK : CR_DECLINED;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char                  id[CR_S3_UPLOAD_ID_MAX + 1];
    char                  etag[CR_S3_ETAG_MAX + 1];
    uint32_t              last = 0;
    const char           *text, *why;
    cr_s3_error_t         error;
    cr_s3_parts_page_t    parts;
    cr_s3_credentials_t   c;
    cr_s3_uploads_page_t  uploads;

    if (size == 0) {
        return 0;
    }

    text = (const char *) data + 1;
    size--;

    switch (data[0] % 6) {

    case 0:
        if (cr_s3_initiate_parse(text, size, id, &error) == CR_OK
            && id[0] == '\0')
        {
            abort();
        }

        break;

    case 1:
        (void) cr_s3_complete_parse(text, size, etag, &error);
        break;

    case 2:
        (void) cr_s3_parts_parse(text, size, &parts, on_part, &last, &error);
        break;

    case 3:
        (void) cr_s3_uploads_parse(text, size, &uploads, on_upload, NULL,
                                   &error);
        break;

    case 4:
        if (cr_s3_error_parse(text, size, &error) == CR_OK
            && error.code[0] == '\0')
        {
            abort();
        }

        break;

    default:
        if (cr_s3_credentials_sts(text, size, &c, &why) != CR_OK
            && c.secret[0] != '\0')
        {
            abort();
        }
    }

    return 0;
}
