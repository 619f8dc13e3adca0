
/*
 * Copyright (C) The call recorder authors
 *
 * What an upload that runs beside the job has to know: which bytes of the
 * result have come, by the ledger of its parts ("job/parts.h"), and the note
 * that a restart resumes by (docs/on-disk.md).
 */

#ifndef CR_JOB_UPLOAD_H
#define CR_JOB_UPLOAD_H


#include "base/status.h"
#include "job/parts.h"

#include <stdbool.h>


/* All zero at first. */
typedef struct {
    uint64_t  head;             /* its size; 0: no part has come */
    uint64_t  end;              /* from the head on all is here up to it */
    uint32_t  next;             /* the number of the part behind that */
    bool      top;              /* the head is here */
    bool      again;            /* a part came again, maybe with other bytes */
} cr_cover_t;


/*
 * What is new in a ledger, from the first byte that was not consumed yet.
 * Returns how many bytes were: whole lines.  A damaged one ends it for good.
 */
size_t cr_cover_ledger(cr_cover_t *cover, const char *ledger, size_t len);

bool cr_cover_has(const cr_cover_t *cover, uint64_t offset, uint64_t size);


#define CR_UPLOAD_KEY_MAX   1024
#define CR_UPLOAD_ID_MAX    1024
#define CR_UPLOAD_NOTE_MAX  (CR_UPLOAD_KEY_MAX + CR_UPLOAD_ID_MAX + 32)


/* An upload that has been begun. */
typedef struct {
    uint64_t  part_size;
    char      key[CR_UPLOAD_KEY_MAX + 1];
    char      upload_id[CR_UPLOAD_ID_MAX + 1];
} cr_upload_note_t;


/*
 * "<part size> <key> <UploadId>" and a newline, no NUL; returns its length.
 * 0: key or id is empty or has a byte that is not printable ASCII.
 */
size_t cr_upload_note(char buf[CR_UPLOAD_NOTE_MAX],
    const cr_upload_note_t *note);

/* CR_INVALID: it is not whole, or no note. */
cr_status_e cr_upload_note_parse(const char *text, size_t len,
    cr_upload_note_t *note);


#endif /* CR_JOB_UPLOAD_H */
