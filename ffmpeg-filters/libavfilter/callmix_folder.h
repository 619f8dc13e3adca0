/*
 * Copyright (C) The call recorder authors
 *
 * callmix: where a recording is read from, a folder of this machine or one
 * behind URLs.  docs/callmix.md has the rules.
 */

#ifndef AVFILTER_CALLMIX_FOLDER_H
#define AVFILTER_CALLMIX_FOLDER_H


#include <stddef.h>
#include <stdint.h>

#include "libavformat/avio.h"


/* No file of a recording that is fetched may be larger. */
#define CALLMIX_FILE_MAX        (512 << 20)

/* What FFmpeg's http passes on whole. */
#define CALLMIX_URL_MAX         4000


/* ---- one GET (callmix_fetch.c) ---- */

typedef struct CallMixHttp {
    const char     *ca_file;
    int64_t         timeout;            /* microseconds without a byte */
    int64_t         retry_timeout;      /* microseconds after a failure */
    void           *log_ctx;
} CallMixHttp;


typedef struct CallMixData {
    uint8_t    *data;                   /* av_malloc() */
    size_t      size;
} CallMixData;


/* Whether s is an http or https URL that can be asked for. */
int ff_callmix_is_url(const char *s);

/*
 * Reads all that a URL has, again after failures that may pass, from where it
 * broke off if the server can.  name: for the log, since URLs hold secrets;
 * size: what the answer should have, -1 if that is not known.  AVERROR(ENOENT):
 * it is not there; AVERROR_EXIT: interrupted.
 */
int ff_callmix_fetch(const CallMixHttp *http, const char *url,
                     const char *name, int64_t size,
                     const AVIOInterruptCB *interrupt, CallMixData *data);


/* ---- a list of URLs (callmix_manifest.c) ---- */

typedef struct CallMixManifest CallMixManifest;

/* Reads it; where is a path or a URL, name what the log calls it. */
int ff_callmix_manifest_open(CallMixManifest **manifest, const char *where,
                             const char *name, const CallMixHttp *http);
void ff_callmix_manifest_close(CallMixManifest **manifest);

/*
 * The URL of a file, to be freed with av_free().  refused: NULL, or the URL
 * that the server did not accept: the list is read anew unless it has another
 * one by now.  AVERROR(ENOENT): it is not in the list; AVERROR(EACCES): the
 * list has nothing but what was refused.
 */
int ff_callmix_manifest_url(CallMixManifest *manifest, const char *file,
                            const char *refused,
                            const AVIOInterruptCB *interrupt, char **url);


/* ---- the folder and its files (callmix_folder.c) ---- */

typedef struct CallMixFolder CallMixFolder;

/* dir: a path or a base URL; manifest: instead of it.  Strings are copied. */
int ff_callmix_folder_open(CallMixFolder **folder, const char *dir,
                           const char *manifest, const CallMixHttp *http);
void ff_callmix_folder_close(CallMixFolder **folder);

/* For the log: without what is secret in a URL. */
const char *ff_callmix_folder_name(const CallMixFolder *folder);

/* Whether its files can fail to come though they exist. */
int ff_callmix_folder_is_remote(const CallMixFolder *folder);


typedef struct CallMixFile CallMixFile;

/*
 * A file by its name in the folder, which this function does not look at.  Of
 * a remote folder it begins to come, in a thread; size as above.  interrupt
 * may be NULL; the folder and what interrupt points to outlive the file.
 */
int ff_callmix_file_open(CallMixFile **file, CallMixFolder *folder,
                         const char *name, int64_t size,
                         const AVIOInterruptCB *interrupt);

/* Waits until it is there, at the first call; io belongs to the file. */
int ff_callmix_file_io(CallMixFile *file, AVIOContext **io);

void ff_callmix_file_close(CallMixFile **file);


#endif /* AVFILTER_CALLMIX_FOLDER_H */
