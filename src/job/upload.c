
/*
 * Copyright (C) The call recorder authors
 */

#include "job/upload.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>


static void cr_cover_part(cr_cover_t *cover, const cr_part_t *part);
static size_t cr_upload_word(const char *p, const char *end, char stop,
    char *word, size_t max);


size_t
cr_cover_ledger(cr_cover_t *cover, const char *ledger, size_t len)
{
    cr_part_t    part;
    const char  *p, *next, *end;

    end = ledger + len;

    for (p = ledger; p != end; p = next) {
        next = cr_part_parse_line(p, end, &part);

        if (next == NULL) {
            break;
        }

        cr_cover_part(cover, &part);
    }

    return (size_t) (p - ledger);
}


static void
cr_cover_part(cr_cover_t *cover, const cr_part_t *part)
{
    if (part->number == 0) {
        cover->again |= cover->top;
        cover->top = true;
        return;
    }

    if (cover->next == 0) {

        /* the first one begins where the head ends */

        if (part->number != 1) {
            return;
        }

        cover->head = part->offset;
        cover->end = part->offset;
        cover->next = 1;
    }

    if (part->number < cover->next) {
        cover->again = true;

    } else if (part->number == cover->next && part->offset == cover->end) {
        cover->end += part->size;
        cover->next++;
    }
}


bool
cr_cover_has(const cr_cover_t *cover, uint64_t offset, uint64_t size)
{
    return cover->next != 0 && offset + size <= cover->end
           && (cover->top || offset >= cover->head);
}


size_t
cr_upload_note(char buf[CR_UPLOAD_NOTE_MAX], const cr_upload_note_t *note)
{
    int          n;
    const char  *p;

    for (p = note->key; *p > ' ' && *p < 0x7f; p++) { /* void */ }

    if (*p != '\0' || p == note->key) {
        return 0;
    }

    for (p = note->upload_id; *p > ' ' && *p < 0x7f; p++) { /* void */ }

    if (*p != '\0' || p == note->upload_id) {
        return 0;
    }

    n = snprintf(buf, CR_UPLOAD_NOTE_MAX, "%" PRIu64 " %s %s\n",
                 note->part_size, note->key, note->upload_id);

    return (n > 0 && n < CR_UPLOAD_NOTE_MAX) ? (size_t) n : 0;
}


cr_status_e
cr_upload_note_parse(const char *text, size_t len, cr_upload_note_t *note)
{
    char         size[21], *stop;
    size_t       n;
    const char  *p, *end;

    p = text;
    end = text + len;

    n = cr_upload_word(p, end, ' ', size, sizeof(size) - 1);
    if (n == 0) {
        return CR_INVALID;
    }

    note->part_size = strtoull(size, &stop, 10);
    if (*stop != '\0' || note->part_size == 0) {
        return CR_INVALID;
    }

    p += n + 1;

    n = cr_upload_word(p, end, ' ', note->key, CR_UPLOAD_KEY_MAX);
    if (n == 0) {
        return CR_INVALID;
    }

    p += n + 1;

    n = cr_upload_word(p, end, '\n', note->upload_id, CR_UPLOAD_ID_MAX);

    return (n != 0 && p + n + 1 == end) ? CR_OK : CR_INVALID;
}


/* Up to stop, which must follow; its length, 0: it is none. */
static size_t
cr_upload_word(const char *p, const char *end, char stop, char *word,
    size_t max)
{
    size_t  n;

    for (n = 0; p + n != end && p[n] > ' ' && p[n] < 0x7f && n != max; n++) {
        word[n] = p[n];
    }

    word[n] = '\0';

    return (p + n != end && p[n] == stop) ? n : 0;
}
