
/*
 * Copyright (C) The call recorder authors
 */

#include "s3/xml.h"

#include <expat.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>


/* stands between namespace and name; no byte of XML */
#define CR_S3_XML_SEPARATOR  '\x1f'


typedef struct {
    XML_Parser     parser;
    cr_s3_xml_pt   element;
    void          *ctx;
    cr_status_e    rc;
    unsigned       depth;
    bool           leaf;            /* nothing ended since the last start */
    size_t         len;
    char           names[CR_S3_XML_DEPTH][CR_S3_XML_NAME];
    char           text[CR_S3_XML_TEXT + 1];
} cr_s3_xml_t;


static void cr_s3_xml_start(void *data, const XML_Char *name,
    const XML_Char **attributes);
static void cr_s3_xml_end(void *data, const XML_Char *name);
static void cr_s3_xml_text(void *data, const XML_Char *text, int len);
static void cr_s3_xml_doctype(void *data, const XML_Char *name,
    const XML_Char *system, const XML_Char *public, int internal);
static void cr_s3_xml_stop(cr_s3_xml_t *x, cr_status_e rc);


cr_status_e
cr_s3_xml(const char *xml, size_t len, cr_s3_xml_pt element, void *ctx)
{
    cr_s3_xml_t       *x;
    cr_status_e        rc;
    enum XML_Status    status;

    if (len > CR_S3_XML_MAX) {
        return CR_LIMIT;
    }

    x = calloc(1, sizeof(cr_s3_xml_t));
    if (x == NULL) {
        return CR_NOMEM;
    }

    x->parser = XML_ParserCreateNS(NULL, CR_S3_XML_SEPARATOR);
    if (x->parser == NULL) {
        free(x);
        return CR_NOMEM;
    }

    x->element = element;
    x->ctx = ctx;

    XML_SetUserData(x->parser, x);
    XML_SetElementHandler(x->parser, cr_s3_xml_start, cr_s3_xml_end);
    XML_SetCharacterDataHandler(x->parser, cr_s3_xml_text);
    XML_SetStartDoctypeDeclHandler(x->parser, cr_s3_xml_doctype);

    status = XML_Parse(x->parser, xml, (int) len, 1);

    if (x->rc != CR_OK) {
        rc = x->rc;

    } else if (status == XML_STATUS_OK) {
        rc = CR_OK;

    } else {
        rc = XML_GetErrorCode(x->parser) == XML_ERROR_NO_MEMORY ? CR_NOMEM
                                                                : CR_INVALID;
    }

    XML_ParserFree(x->parser);
    free(x);

    return rc;
}


static void
cr_s3_xml_start(void *data, const XML_Char *name, const XML_Char **attributes)
{
    size_t        len;
    const char   *local;
    cr_s3_xml_t  *x = data;

    (void) attributes;

    if (x->depth == CR_S3_XML_DEPTH) {
        cr_s3_xml_stop(x, CR_LIMIT);
        return;
    }

    local = strrchr(name, CR_S3_XML_SEPARATOR);
    local = (local != NULL) ? local + 1 : name;

    len = strlen(local);
    if (len > CR_S3_XML_NAME - 1) {
        len = CR_S3_XML_NAME - 1;
    }

    memcpy(x->names[x->depth], local, len);
    x->names[x->depth][len] = '\0';

    x->depth++;
    x->leaf = true;
    x->len = 0;
}


static void
cr_s3_xml_end(void *data, const XML_Char *name)
{
    cr_status_e   rc;
    cr_s3_xml_t  *x = data;

    (void) name;

    /* expat may call once more after XML_StopParser() */

    if (x->rc != CR_OK) {
        return;
    }

    if (!x->leaf) {
        x->len = 0;
    }

    x->text[x->len] = '\0';
    x->depth--;

    rc = x->element(x->ctx, x->depth,
                    x->depth != 0 ? x->names[x->depth - 1] : "",
                    x->names[x->depth], x->text, x->len);

    if (rc != CR_OK) {
        cr_s3_xml_stop(x, rc);
    }

    x->leaf = false;
}


static void
cr_s3_xml_text(void *data, const XML_Char *text, int len)
{
    cr_s3_xml_t  *x = data;

    if (x->rc != CR_OK || !x->leaf) {
        return;
    }

    if ((size_t) len > CR_S3_XML_TEXT - x->len) {
        cr_s3_xml_stop(x, CR_LIMIT);
        return;
    }

    memcpy(x->text + x->len, text, (size_t) len);
    x->len += (size_t) len;
}


static void
cr_s3_xml_doctype(void *data, const XML_Char *name, const XML_Char *system,
    const XML_Char *public, int internal)
{
    (void) name;
    (void) system;
    (void) public;
    (void) internal;

    cr_s3_xml_stop(data, CR_INVALID);
}


static void
cr_s3_xml_stop(cr_s3_xml_t *x, cr_status_e rc)
{
    if (x->rc == CR_OK) {
        x->rc = rc;
        (void) XML_StopParser(x->parser, XML_FALSE);
    }
}
