
/*
 * Copyright (C) The call recorder authors
 *
 * The ledger of a result that comes in parts (docs/mix-protocol.md): a text
 * with a line for each part as it was stored, "<n> <offset> <size> <sha256
 * in hex>".  A part that came again has a later line, which counts.
 */

#ifndef CR_JOB_PARTS_H
#define CR_JOB_PARTS_H


#include "base/env.h"
#include "base/status.h"

#include <stdbool.h>


#define CR_PARTS_MAX           100000     /* 100 GB in parts of 1 MiB */
#define CR_PART_LINE_MAX       128
#define CR_PART_DIGEST_SIZE    32


typedef struct {
    uint32_t  number;              /* 0 is the head, which comes last */
    uint64_t  offset;
    uint64_t  size;
    uint8_t   sha256[CR_PART_DIGEST_SIZE];
} cr_part_t;


/* What POST .../complete says of the whole. */
typedef struct {
    uint64_t  size;                /* sizeBytes */
    uint32_t  parts;               /* how many, the head included */
    uint64_t  duration_ms;
    int64_t   cpu_ms;              /* of the process, -1: not said */
    char      format[16];
    char      video_codec[16];     /* "" without video */
    char      audio_codec[16];
    uint32_t  width;
    uint32_t  height;
    uint8_t   digest[CR_PART_DIGEST_SIZE];
} cr_parts_complete_t;


/* Writes a ledger line with its newline; returns its length. */
size_t cr_part_line(char buf[CR_PART_LINE_MAX], const cr_part_t *part);

/* The line at p; returns the place behind its newline, NULL: it is none. */
const char *cr_part_parse_line(const char *p, const char *end,
    cr_part_t *part);

/*
 * Whether a ledger holds exactly what `complete` says: all parts from 0 on,
 * in order of number without hole or overlap from offset 0 (the head) to the
 * size, and the digest over their digests.  CR_INVALID with *why a static
 * sentence otherwise.
 */
cr_status_e cr_parts_verify(const cr_env_t *env, const char *ledger,
    size_t len, const cr_parts_complete_t *complete, const char **why);

/* Parses the JSON body of complete; *why as above. */
cr_status_e cr_parts_complete_parse(const char *json, size_t len,
    cr_parts_complete_t *complete, const char **why);

/*
 * Takes the SHA-256 out of a Content-Digest field (RFC 9530 section 2),
 * "sha-256=:<base64>:", maybe among other members.
 */
cr_status_e cr_content_digest(const char *value, size_t len,
    uint8_t sha256[CR_PART_DIGEST_SIZE]);

/* "/<recordingId>/<output>/parts/<n>" and the like, below the location. */
typedef enum {
    CR_PARTS_PUT,
    CR_PARTS_PROGRESS,
    CR_PARTS_COMPLETE,
    CR_PARTS_ABORT
} cr_parts_action_e;

typedef struct {
    const char         *recording_id;
    size_t              recording_id_len;
    const char         *output;
    size_t              output_len;
    cr_parts_action_e   action;
    uint32_t            number;
} cr_parts_path_t;

/* path has no leading slash; ids are checked.  CR_DECLINED: no such URL. */
cr_status_e cr_parts_path(const char *path, size_t len,
    cr_parts_path_t *parsed);


#endif /* CR_JOB_PARTS_H */
