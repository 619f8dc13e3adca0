
/*
 * Copyright (C) The call recorder authors
 *
 * Lines of SDP and pieces of them; nothing is copied.
 */


#include "sdp/sdp_internal.h"


cr_status_e
cr_sdp_line(cr_str_t *text, cr_str_t *line, const char **why)
{
    size_t       i;
    const char  *lf;

    if (text->len == 0) {
        return CR_DECLINED;
    }

    lf = memchr(text->data, '\n', text->len);

    line->data = text->data;
    line->len = (lf != NULL) ? (size_t) (lf - text->data) : text->len;

    i = line->len + (lf != NULL ? 1 : 0);
    text->data += i;
    text->len -= i;

    if (line->len != 0 && line->data[line->len - 1] == '\r') {
        line->len--;
    }

    if (line->len > CR_SDP_LINE_MAX) {
        *why = "A line of the session description is too long.";
        return CR_LIMIT;
    }

    if (line->len == 0 && text->len == 0) {
        return CR_DECLINED;
    }

    if (line->len < 2 || line->data[0] < 'a' || line->data[0] > 'z'
        || line->data[1] != '=')
    {
        *why = "A line of the session description is not \"letter=value\".";
        return CR_INVALID;
    }

    for (i = 2; i < line->len; i++) {
        if ((unsigned char) line->data[i] < ' ' && line->data[i] != '\t') {
            *why = "The session description has control characters.";
            return CR_INVALID;
        }
    }

    return CR_OK;
}


bool
cr_sdp_attribute(const cr_str_t *line, cr_str_t *name, cr_str_t *value)
{
    const char  *colon;

    if (line->len < 3 || line->data[0] != 'a') {
        return false;
    }

    name->data = line->data + 2;
    name->len = line->len - 2;
    value->data = name->data + name->len;
    value->len = 0;

    colon = memchr(name->data, ':', name->len);

    if (colon != NULL) {
        value->data = colon + 1;
        value->len = (size_t) (name->data + name->len - value->data);
        name->len = (size_t) (colon - name->data);
    }

    return true;
}


cr_str_t
cr_str_word(cr_str_t *text)
{
    cr_str_t  word;

    while (text->len != 0 && text->data[0] == ' ') {
        text->data++;
        text->len--;
    }

    word.data = text->data;
    word.len = 0;

    while (text->len != 0 && text->data[0] != ' ') {
        text->data++;
        text->len--;
        word.len++;
    }

    return word;
}


bool
cr_str_split(cr_str_t *text, char separator, cr_str_t *piece)
{
    const char  *p;

    if (text->len == 0) {
        return false;
    }

    p = memchr(text->data, separator, text->len);

    piece->data = text->data;
    piece->len = (p != NULL) ? (size_t) (p - text->data) : text->len;

    text->data += piece->len + (p != NULL ? 1 : 0);
    text->len -= piece->len + (p != NULL ? 1 : 0);

    return true;
}


bool
cr_str_eq(const cr_str_t *s, const char *literal)
{
    size_t  len;

    len = strlen(literal);

    return s->len == len && memcmp(s->data, literal, len) == 0;
}


static char
cr_str_lower(char c)
{
    return (char) (c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}


bool
cr_str_case_eq(const cr_str_t *s, const char *literal)
{
    size_t  i;

    if (s->len != strlen(literal)) {
        return false;
    }

    for (i = 0; i < s->len; i++) {
        if (cr_str_lower(s->data[i]) != cr_str_lower(literal[i])) {
            return false;
        }
    }

    return true;
}


bool
cr_str_same(const cr_str_t *a, const cr_str_t *b)
{
    return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}


bool
cr_str_token(const cr_str_t *s)
{
    size_t         i;
    unsigned char  c;

    for (i = 0; i < s->len; i++) {
        c = (unsigned char) s->data[i];

        if (c <= ' ' || c >= 0x7f || strchr("\"(),/:;<=>?@[\\]", c) != NULL) {
            return false;
        }
    }

    return s->len != 0;
}


bool
cr_str_number(const cr_str_t *s, uint32_t max, uint32_t *value)
{
    size_t    i;
    uint64_t  n;

    n = 0;

    for (i = 0; i < s->len; i++) {
        if (s->data[i] < '0' || s->data[i] > '9') {
            return false;
        }

        n = n * 10 + (uint64_t) (s->data[i] - '0');

        if (n > max) {
            return false;
        }
    }

    *value = (uint32_t) n;

    return s->len != 0;
}
