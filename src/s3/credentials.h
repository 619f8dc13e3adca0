
/*
 * Copyright (C) The call recorder authors
 *
 * Access keys as the endpoints of clouds and the files of their tools say
 * them.
 */

#ifndef CR_S3_CREDENTIALS_H
#define CR_S3_CREDENTIALS_H


#include "base/bytes.h"
#include "base/status.h"
#include "s3/sigv4.h"


#define CR_S3_DOCUMENT_MAX  131072       /* bytes of an answer or a file */


typedef struct {
    char     access[CR_SIGV4_ACCESS_MAX + 1];
    char     secret[CR_SIGV4_SECRET_MAX + 1];
    char     session[CR_SIGV4_SESSION_MAX + 1];   /* "": none */
    int64_t  expires;                    /* seconds since 1970, 0: never */
} cr_s3_credentials_t;


/*
 * All of these: what is not CR_OK leaves the credentials empty and *why a
 * static sentence.  CR_DECLINED: the document says that there are none.
 */

/* Instance metadata and container endpoints: {"AccessKeyId", ...}. */
cr_status_e cr_s3_credentials_json(const char *text, size_t len,
    cr_s3_credentials_t *c, const char **why);

/* AssumeRoleWithWebIdentityResponse of STS, also AssumeRoleResponse. */
cr_status_e cr_s3_credentials_sts(const char *text, size_t len,
    cr_s3_credentials_t *c, const char **why);

/* A file as ~/.aws/credentials: profiles in brackets, name = value. */
cr_status_e cr_s3_credentials_file(const char *text, size_t len,
    const char *profile, cr_s3_credentials_t *c, const char **why);

/* The form that STS is sent; not overflown, it is whole. */
void cr_s3_credentials_web_identity(cr_writer_t *w, cr_slice_t role,
    cr_slice_t session_name, cr_slice_t token);

/* Wipes them. */
void cr_s3_credentials_clear(cr_s3_credentials_t *c);

cr_s3_keys_t cr_s3_credentials_keys(const cr_s3_credentials_t *c);

/*
 * In how many seconds to fetch new ones: a quarter of their life before they
 * expire, at most a quarter of an hour, at least 1 from now.  INT64_MAX: they
 * do not expire.
 */
int64_t cr_s3_credentials_renew(const cr_s3_credentials_t *c, int64_t now);


#endif /* CR_S3_CREDENTIALS_H */
