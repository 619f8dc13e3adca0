
/*
 * Copyright (C) The call recorder authors
 *
 * What S3 answers to the calls of a multipart upload, and the one body that
 * such a call has.  Texts that are longer than their place make CR_LIMIT,
 * but of an error, whose texts are cut.
 */

#ifndef CR_S3_ANSWER_H
#define CR_S3_ANSWER_H


#include "base/bytes.h"
#include "base/status.h"


#define CR_S3_PART_NUMBER_MAX  10000
#define CR_S3_UPLOAD_ID_MAX    1024
#define CR_S3_ETAG_MAX         128
#define CR_S3_KEY_MAX          1024
#define CR_S3_LIST_MAX         1000     /* entries of a page */


typedef struct {
    char  code[64];                     /* "NoSuchUpload"; "" none */
    char  message[256];
    char  request_id[128];
    char  region[64];                   /* of the bucket, when it is another */
} cr_s3_error_t;


/* The ETag is with its quotes, as it came. */
typedef struct {
    uint32_t  number;                   /* 1 .. CR_S3_PART_NUMBER_MAX */
    uint64_t  size;
    char      etag[CR_S3_ETAG_MAX + 1];
} cr_s3_part_t;


typedef struct {
    bool      truncated;                /* ask again, after `next` */
    uint32_t  next;                     /* NextPartNumberMarker */
} cr_s3_parts_page_t;


typedef struct {
    char  key[CR_S3_KEY_MAX + 1];
    char  upload_id[CR_S3_UPLOAD_ID_MAX + 1];
    char  initiated[32];                /* "2010-11-10T20:48:33.000Z" */
} cr_s3_upload_t;


typedef struct {
    bool  truncated;
    char  next_key[CR_S3_KEY_MAX + 1];
    char  next_upload_id[CR_S3_UPLOAD_ID_MAX + 1];
} cr_s3_uploads_page_t;


/* Called for each entry; what is not CR_OK ends the parsing. */
typedef cr_status_e (*cr_s3_part_pt)(void *ctx, const cr_s3_part_t *part);
typedef cr_status_e (*cr_s3_upload_pt)(void *ctx,
    const cr_s3_upload_t *upload);


/*
 * All of these: CR_DECLINED and *error when the document is <Error>, with
 * whatever HTTP status it came; CR_INVALID when it is another one or no XML,
 * or something is missing.
 */
cr_status_e cr_s3_initiate_parse(const char *xml, size_t len,
    char upload_id[CR_S3_UPLOAD_ID_MAX + 1], cr_s3_error_t *error);

/*
 * CompleteMultipartUpload: 200 may come before S3 knows, with an <Error>.
 * Without an ETag it is "": radosgw has an empty one at first, and one without
 * quotes when it is asked again.
 */
cr_status_e cr_s3_complete_parse(const char *xml, size_t len,
    char etag[CR_S3_ETAG_MAX + 1], cr_s3_error_t *error);

/* ListParts, at most CR_S3_LIST_MAX parts with rising numbers. */
cr_status_e cr_s3_parts_parse(const char *xml, size_t len,
    cr_s3_parts_page_t *page, cr_s3_part_pt part, void *ctx,
    cr_s3_error_t *error);

/* ListMultipartUploads */
cr_status_e cr_s3_uploads_parse(const char *xml, size_t len,
    cr_s3_uploads_page_t *page, cr_s3_upload_pt upload, void *ctx,
    cr_s3_error_t *error);

/* Any body with an error status: CR_OK when it says what the error is. */
cr_status_e cr_s3_error_parse(const char *xml, size_t len,
    cr_s3_error_t *error);

/* The body of CompleteMultipartUpload. */
void cr_s3_complete_body(cr_writer_t *w, const cr_s3_part_t *parts,
    size_t nparts);

/* Text of an element: & < > " ' as entities, control characters left out. */
void cr_s3_xml_escape(cr_writer_t *w, const char *text, size_t len);


#endif /* CR_S3_ANSWER_H */
