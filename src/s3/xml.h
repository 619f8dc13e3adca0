
/*
 * Copyright (C) The call recorder authors
 *
 * Small XML documents, walked by expat: bounded, without DOCTYPE, so without
 * entities but the five of XML itself.
 */

#ifndef CR_S3_XML_H
#define CR_S3_XML_H


#include "base/status.h"

#include <stddef.h>


#define CR_S3_XML_MAX    4194304      /* bytes of a document */
#define CR_S3_XML_DEPTH  8
#define CR_S3_XML_NAME   48           /* bytes of a name, longer ones are cut */
#define CR_S3_XML_TEXT   16384        /* bytes of an element's text */


/*
 * At the end of each element: its name and its parent's without namespace
 * ("" for the root), its text (NUL-terminated, len bytes) without that of
 * the elements inside.  What is not CR_OK ends the walk.
 */
typedef cr_status_e (*cr_s3_xml_pt)(void *ctx, unsigned depth,
    const char *parent, const char *name, const char *text, size_t len);

/* CR_INVALID: no well-formed XML, or a DOCTYPE; CR_LIMIT: a bound above. */
cr_status_e cr_s3_xml(const char *xml, size_t len, cr_s3_xml_pt element,
    void *ctx);


#endif /* CR_S3_XML_H */
