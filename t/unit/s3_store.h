
/*
 * Copyright (C) The call recorder authors
 *
 * A store of S3 that is made up, and the network before it: what they hold,
 * and what the whole file would be.
 */

#ifndef CR_TEST_S3_STORE_H
#define CR_TEST_S3_STORE_H


#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "env.h"
#include "s3/multipart.h"


#define MIB    1048576ULL
#define PARTS  40
#define QUEUE  16


typedef enum {
    FAULT_NONE = 0,
    FAULT_LOST,                  /* the request */
    FAULT_MUTE,                  /* done, but the answer is lost */
    FAULT_500,
    FAULT_SLOW,
    FAULT_ETAG,                  /* other bytes arrived */
    FAULT_200,                   /* an <Error> with 200 */
    FAULT_GONE                   /* the upload is forgotten; never by chance */
} fault_e;


typedef struct {
    cr_s3_action_t  action;
    int64_t         at;
} pending_t;


typedef struct {
    /* the store */
    bool            upload;
    unsigned        uploads;
    char            id[16];
    uint64_t        have[PARTS + 1];     /* sizes, 0: not there */
    uint8_t         md5[PARTS + 1][16];
    bool            object;
    uint64_t        object_size;
    char            object_etag[64];
    bool            expired;
    int64_t         clock_off;           /* s; requests must bring it */

    /* the network */
    unsigned        fault_in;            /* one of so many, 0: none */
    unsigned        only;                /* this fault_e, 0: any */
    unsigned        faults;
    pending_t       queue[QUEUE];
    unsigned        queued;
    unsigned        most;
    uint64_t        arrived;             /* bytes of parts */

    int64_t         now;
    uint64_t        size;
} sim_t;


static sim_t                 sim;
static test_env_t            env;
static cr_s3_upload_conf_t   conf;


static inline void
content(uint32_t n, uint8_t md5[16])
{
    EVP_Digest(&n, sizeof(n), md5, NULL, EVP_md5(), NULL);
}


static inline uint32_t
total(void)
{
    return cr_s3_plan_find(&conf.plan, sim.size - 1);
}


static inline uint64_t
bytes(uint32_t n)
{
    uint64_t  offset, size;

    cr_s3_plan_part(&conf.plan, n, &offset, &size);

    return n == total() ? sim.size - offset : size;
}


static inline void
quoted(char *to, const uint8_t md5[16], unsigned n)
{
    int  i;

    *to++ = '"';

    for (i = 0; i < 16; i++) {
        to += sprintf(to, "%02x", md5[i]);
    }

    if (n != 0) {
        to += sprintf(to, "-%u", n);
    }

    strcpy(to, "\"");
}


static inline void
composite(char *to)
{
    uint8_t      md5[16];
    unsigned     n;
    uint32_t     i;
    EVP_MD_CTX  *md = EVP_MD_CTX_new();

    EVP_DigestInit_ex(md, EVP_md5(), NULL);

    for (i = 1; i <= total(); i++) {
        content(i, md5);
        EVP_DigestUpdate(md, md5, 16);
    }

    EVP_DigestFinal_ex(md, md5, &n);
    EVP_MD_CTX_free(md);
    quoted(to, md5, total());
}


#endif /* CR_TEST_S3_STORE_H */
