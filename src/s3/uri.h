
/*
 * Copyright (C) The call recorder authors
 *
 * Paths and queries as S3 wants them signed: every byte but the unreserved
 * ones of RFC 3986 section 2.3 as %XX in upper case, once.
 */

#ifndef CR_S3_URI_H
#define CR_S3_URI_H


#include "base/bytes.h"
#include "base/env.h"
#include "base/status.h"


#define CR_S3_PARAMS_MAX  64          /* of a query */
#define CR_S3_URI_MAX     65536       /* bytes of a path, of a query */


#define cr_s3_str(text)                                                     \
    ((cr_slice_t) { (const uint8_t *) "" text, sizeof(text) - 1 })


/* Bytes that are not encoded yet: a key, a value; a key's slashes stay. */
void cr_s3_encode(cr_writer_t *w, cr_slice_t plain, bool slashes);

/*
 * A path as it stands in a request line, encoded or not or in part: what is
 * encoded is decoded first, a '%' without two hex digits is itself.  Nothing
 * is normalised: "//" and "/../" are of a key as well.  An empty one is "/".
 */
void cr_s3_path(cr_writer_t *w, cr_slice_t path);

/*
 * A query in the same way, '+' being a space (so do S3 servers read it), its
 * parameters in order, each with its '='.  CR_LIMIT: more than
 * CR_S3_PARAMS_MAX or CR_S3_URI_MAX; else w says whether it fitted.
 */
cr_status_e cr_s3_query(const cr_env_t *env, cr_writer_t *w,
    cr_slice_t query);

/* Decodes a path in place of buf, which holds path.len bytes; the length. */
size_t cr_s3_decode(uint8_t *buf, cr_slice_t path);


#endif /* CR_S3_URI_H */
