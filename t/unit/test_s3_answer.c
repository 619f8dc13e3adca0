
/*
 * Copyright (C) The call recorder authors
 *
 * Answers of S3 as AWS, radosgw and Swift write them, and those that are
 * wrong, too long or hostile.
 */


#include "s3/answer.h"
#include "s3/xml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>


#define HEAD  "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
#define NS    " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""


static cr_s3_error_t         error;
static cr_s3_part_t          parts[CR_S3_LIST_MAX];
static cr_s3_upload_t        uploads[4];
static size_t                n;
static cr_s3_parts_page_t    parts_page;
static cr_s3_uploads_page_t  uploads_page;
static char                  id[CR_S3_UPLOAD_ID_MAX + 1];
static char                  etag[CR_S3_ETAG_MAX + 1];


static cr_status_e
on_part(void *ctx, const cr_s3_part_t *part)
{
    assert_ptr_equal(ctx, parts);
    parts[n++] = *part;

    return CR_OK;
}


static cr_status_e
on_upload(void *ctx, const cr_s3_upload_t *upload)
{
    assert_ptr_equal(ctx, uploads);

    if (n == 4) {
        return CR_LIMIT;
    }

    uploads[n++] = *upload;

    return CR_OK;
}


static cr_status_e
initiate(const char *xml)
{
    return cr_s3_initiate_parse(xml, strlen(xml), id, &error);
}


static cr_status_e
complete(const char *xml)
{
    return cr_s3_complete_parse(xml, strlen(xml), etag, &error);
}


static cr_status_e
list_parts(const char *xml)
{
    n = 0;
    return cr_s3_parts_parse(xml, strlen(xml), &parts_page, on_part, parts,
                             &error);
}


static cr_status_e
list_uploads(const char *xml)
{
    n = 0;
    return cr_s3_uploads_parse(xml, strlen(xml), &uploads_page, on_upload,
                               uploads, &error);
}


static void
an_upload_has_an_id(void **state)
{
    (void) state;

    assert_int_equal(initiate(HEAD "<InitiateMultipartUploadResult" NS ">"
        "<Bucket>b</Bucket><Key>k&amp;\xc3\xbc</Key>"
        "<UploadId>2~abc-_.=&#x2F;</UploadId>"
        "</InitiateMultipartUploadResult>"), CR_OK);
    assert_string_equal(id, "2~abc-_.=/");

    /* a prefix is none of the name */

    assert_int_equal(initiate("<s:InitiateMultipartUploadResult xmlns:s='x'>"
        "<s:UploadId>1</s:UploadId></s:InitiateMultipartUploadResult>"),
        CR_OK);
    assert_string_equal(id, "1");

    assert_int_equal(initiate("<InitiateMultipartUploadResult/>"),
                     CR_INVALID);
    assert_int_equal(initiate("<InitiateMultipartUploadResult>"
        "<X><UploadId>1</UploadId></X></InitiateMultipartUploadResult>"),
        CR_INVALID);
    assert_int_equal(initiate("<InitiateMultipartUploadResult>"
        "<UploadId>a&#10;b</UploadId></InitiateMultipartUploadResult>"),
        CR_INVALID);
    assert_int_equal(initiate("<Other><UploadId>1</UploadId></Other>"),
                     CR_INVALID);
    assert_int_equal(initiate(""), CR_INVALID);
    assert_int_equal(initiate("{\"UploadId\":\"1\"}"), CR_INVALID);
}


static void
an_error_is_told_whatever_was_asked(void **state)
{
    const char  *xml = HEAD "<Error><Code>NoSuchUpload</Code>"
                       "<Message>The upload\nis gone.</Message>"
                       "<UploadId>x</UploadId><RequestId>tx0001</RequestId>"
                       "<Region>eu-west-1</Region></Error>";

    (void) state;

    assert_int_equal(initiate(xml), CR_DECLINED);
    assert_string_equal(id, "");
    assert_int_equal(complete(xml), CR_DECLINED);
    assert_int_equal(list_parts(xml), CR_DECLINED);
    assert_int_equal(list_uploads(xml), CR_DECLINED);
    assert_int_equal(cr_s3_error_parse(xml, strlen(xml), &error), CR_OK);

    assert_string_equal(error.code, "NoSuchUpload");
    assert_string_equal(error.message, "The upload is gone.");
    assert_string_equal(error.request_id, "tx0001");
    assert_string_equal(error.region, "eu-west-1");

    assert_int_equal(initiate("<Error/>"), CR_INVALID);
    assert_int_equal(cr_s3_error_parse("<ok/>", 5, &error), CR_INVALID);
    assert_string_equal(error.code, "");
}


static void
complete_may_say_an_error_with_200(void **state)
{
    (void) state;

    /* blanks were sent while S3 worked */

    assert_int_equal(complete(HEAD "  \n   <Error><Code>InternalError</Code>"
        "<Message>We encountered an internal error.</Message></Error>"),
        CR_DECLINED);
    assert_string_equal(error.code, "InternalError");

    assert_int_equal(complete(HEAD "   \n<CompleteMultipartUploadResult" NS
        "><Location>http://x/b/k</Location><Bucket>b</Bucket><Key>k</Key>"
        "<ETag>&quot;3858f62230ac3c915f300c664312c11f-9&quot;</ETag>"
        "</CompleteMultipartUploadResult>"), CR_OK);
    assert_string_equal(etag, "\"3858f62230ac3c915f300c664312c11f-9\"");

    /* radosgw says it not before it is asked again */

    assert_int_equal(complete("<CompleteMultipartUploadResult><ETag></ETag>"
        "</CompleteMultipartUploadResult>"), CR_OK);
    assert_string_equal(etag, "");

    assert_int_equal(complete("<CompleteMultipartUploadResult><ETag>a</ETag>"),
                     CR_INVALID);
}


static void
parts_are_listed_page_by_page(void **state)
{
    (void) state;

    assert_int_equal(list_parts(HEAD "<ListPartsResult" NS ">"
        "<Bucket>b</Bucket><PartNumberMarker>0</PartNumberMarker>"
        "<NextPartNumberMarker>3</NextPartNumberMarker>"
        "<MaxParts>2</MaxParts><IsTruncated>true</IsTruncated>"
        "<Part><PartNumber>2</PartNumber>"
        "<LastModified>2010-11-10T20:48:34.000Z</LastModified>"
        "<ETag>\"7778aef83f66abc1fa1e8477f296d394\"</ETag>"
        "<Size>10485760</Size></Part>"
        "<Part><Size>7</Size><ETag>x</ETag><PartNumber>3</PartNumber></Part>"
        "</ListPartsResult>"), CR_OK);

    assert_true(parts_page.truncated);
    assert_int_equal(parts_page.next, 3);
    assert_int_equal(n, 2);
    assert_int_equal(parts[0].number, 2);
    assert_int_equal(parts[0].size, 10485760);
    assert_string_equal(parts[0].etag, "\"7778aef83f66abc1fa1e8477f296d394\"");
    assert_int_equal(parts[1].number, 3);

    assert_int_equal(list_parts("<ListPartsResult/>"), CR_OK);
    assert_false(parts_page.truncated);
    assert_int_equal(n, 0);
}


#define PART(number, etag, size)                                           \
    "<Part><PartNumber>" number "</PartNumber><ETag>" etag "</ETag><Size>" \
    size "</Size></Part>"

static void
parts_that_cannot_be_are_refused(void **state)
{
    (void) state;

    assert_int_equal(list_parts("<ListPartsResult>" PART("0", "a", "1")
                                "</ListPartsResult>"), CR_INVALID);
    assert_int_equal(list_parts("<ListPartsResult>" PART("10001", "a", "1")
                                "</ListPartsResult>"), CR_LIMIT);
    assert_int_equal(list_parts("<ListPartsResult>" PART("2", "a", "1")
                                PART("2", "a", "1") "</ListPartsResult>"),
                     CR_INVALID);
    assert_int_equal(list_parts("<ListPartsResult>" PART("1", "a", "-1")
                                "</ListPartsResult>"), CR_INVALID);
    assert_int_equal(list_parts("<ListPartsResult>"
                                PART("1", "a", "99999999999999999999")
                                "</ListPartsResult>"), CR_INVALID);
    assert_int_equal(list_parts("<ListPartsResult><Part>"
                                "<PartNumber>1</PartNumber></Part>"
                                "</ListPartsResult>"), CR_INVALID);
}


static void
uploads_are_listed_page_by_page(void **state)
{
    (void) state;

    assert_int_equal(list_uploads(HEAD "<ListMultipartUploadsResult" NS ">"
        "<KeyMarker/><UploadIdMarker></UploadIdMarker>"
        "<NextKeyMarker>b</NextKeyMarker>"
        "<NextUploadIdMarker>2</NextUploadIdMarker>"
        "<IsTruncated>true</IsTruncated>"
        "<Upload><Key>a</Key><UploadId>1</UploadId><Initiator><ID>i</ID>"
        "<DisplayName>d</DisplayName></Initiator>"
        "<Initiated>2010-11-10T20:48:33.000Z</Initiated></Upload>"
        "<Upload><Key>b</Key><UploadId>2</UploadId></Upload>"
        "</ListMultipartUploadsResult>"), CR_OK);

    assert_int_equal(n, 2);
    assert_string_equal(uploads[0].key, "a");
    assert_string_equal(uploads[0].upload_id, "1");
    assert_string_equal(uploads[0].initiated, "2010-11-10T20:48:33.000Z");
    assert_string_equal(uploads[1].key, "b");
    assert_string_equal(uploads[1].initiated, "");
    assert_true(uploads_page.truncated);
    assert_string_equal(uploads_page.next_key, "b");
    assert_string_equal(uploads_page.next_upload_id, "2");

    assert_int_equal(list_uploads("<ListMultipartUploadsResult><Upload>"
        "<Key>a</Key></Upload></ListMultipartUploadsResult>"), CR_INVALID);
}


static void
entities_and_doctypes_are_refused(void **state)
{
    (void) state;

    assert_int_equal(initiate("<!DOCTYPE a [<!ENTITY b \"c\">]>"
        "<InitiateMultipartUploadResult><UploadId>&b;</UploadId>"
        "</InitiateMultipartUploadResult>"), CR_INVALID);
    assert_int_equal(initiate("<!DOCTYPE a SYSTEM \"http://x/y\">"
        "<InitiateMultipartUploadResult><UploadId>1</UploadId>"
        "</InitiateMultipartUploadResult>"), CR_INVALID);
    assert_int_equal(initiate("<InitiateMultipartUploadResult><UploadId>&b;"
        "</UploadId></InitiateMultipartUploadResult>"), CR_INVALID);
}


static void
what_is_too_much_is_refused(void **state)
{
    int      i;
    char    *xml;
    size_t   len;

    (void) state;

    xml = malloc(CR_S3_XML_MAX + 2);
    assert_non_null(xml);

    /* depth */

    xml[0] = '\0';

    for (i = 0; i <= CR_S3_XML_DEPTH; i++) {
        strcat(xml, "<Error>");
    }

    assert_int_equal(initiate(xml), CR_LIMIT);

    /* one text */

    len = (size_t) sprintf(xml, "<InitiateMultipartUploadResult><UploadId>");
    memset(xml + len, 'x', CR_S3_XML_TEXT + 1);
    strcpy(xml + len + CR_S3_UPLOAD_ID_MAX + 1,
           "</UploadId></InitiateMultipartUploadResult>");
    assert_int_equal(initiate(xml), CR_LIMIT);

    memset(xml + len, 'x', CR_S3_XML_TEXT + 1);
    xml[len + CR_S3_XML_TEXT + 1] = '\0';
    assert_int_equal(initiate(xml), CR_LIMIT);

    /* entries */

    len = (size_t) sprintf(xml, "<ListPartsResult>");

    for (i = 1; i <= CR_S3_LIST_MAX + 1; i++) {
        len += (size_t) sprintf(xml + len, "<Part><PartNumber>%d</PartNumber>"
                                "<ETag>e</ETag><Size>1</Size></Part>", i);
    }

    strcpy(xml + len, "</ListPartsResult>");
    assert_int_equal(list_parts(xml), CR_LIMIT);
    assert_int_equal(n, CR_S3_LIST_MAX);

    /* all of it */

    memset(xml, ' ', CR_S3_XML_MAX + 1);
    assert_int_equal(cr_s3_initiate_parse(xml, CR_S3_XML_MAX + 1, id, &error),
                     CR_LIMIT);

    free(xml);
}


static void
the_texts_of_errors_are_cut_between_characters(void **state)
{
    char  xml[2048] = "<Error><Code>X</Code><Message>";
    int   i;

    (void) state;

    for (i = 0; i < 127; i++) {
        strcat(xml, "\xc3\xbc");
    }

    strcat(xml, "x\xc3\xbc</Message></Error>");

    assert_int_equal(cr_s3_error_parse(xml, strlen(xml), &error), CR_OK);
    assert_int_equal(strlen(error.message), 255);

    strcpy(xml, "<Error><Code>X</Code><Message>");

    for (i = 0; i < 128; i++) {
        strcat(xml, "\xc3\xbc");
    }

    strcat(xml, "</Message></Error>");

    assert_int_equal(cr_s3_error_parse(xml, strlen(xml), &error), CR_OK);
    assert_int_equal(strlen(error.message), 254);
}


static void
the_body_of_complete_is_escaped(void **state)
{
    uint8_t       buf[1024];
    cr_writer_t   w;
    cr_s3_part_t  part[2] = { { 1, 5, "\"a<&>'\x01" }, { 7, 5, "b" } };

    (void) state;

    cr_writer_init(&w, buf, sizeof(buf) - 1);
    cr_s3_complete_body(&w, part, 2);
    assert_false(w.overflow);
    *w.pos = '\0';

    assert_string_equal((char *) buf,
        "<CompleteMultipartUpload"
        " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
        "<Part><PartNumber>1</PartNumber><ETag>&quot;a&lt;&amp;&gt;&apos;"
        "</ETag></Part><Part><PartNumber>7</PartNumber><ETag>b</ETag></Part>"
        "</CompleteMultipartUpload>");

    cr_writer_init(&w, buf, 100);
    cr_s3_complete_body(&w, part, 2);
    assert_true(w.overflow);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_upload_has_an_id),
        cmocka_unit_test(an_error_is_told_whatever_was_asked),
        cmocka_unit_test(complete_may_say_an_error_with_200),
        cmocka_unit_test(parts_are_listed_page_by_page),
        cmocka_unit_test(parts_that_cannot_be_are_refused),
        cmocka_unit_test(uploads_are_listed_page_by_page),
        cmocka_unit_test(entities_and_doctypes_are_refused),
        cmocka_unit_test(what_is_too_much_is_refused),
        cmocka_unit_test(the_texts_of_errors_are_cut_between_characters),
        cmocka_unit_test(the_body_of_complete_is_escaped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
