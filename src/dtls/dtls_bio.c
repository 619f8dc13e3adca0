
/*
 * Copyright (C) The call recorder authors
 *
 * The BIO between OpenSSL and datagrams in memory, and OpenSSL's timer.
 *
 * OpenSSL times its retransmissions by the system's clock, which src/ must
 * not do.  It tells its BIO of every start (BIO_CTRL_DGRAM_SET_NEXT_TIMEOUT
 * with a time) and stop (with zero) of the timer, so the deadline is kept
 * here, by the time that was passed in.  Before 3.2 the pointer is to the
 * timer itself: it is set so far ahead that it never runs out on its own,
 * and into the past when our deadline is reached.  Later versions pass a
 * copy: there the timer has the same length and runs beside ours.
 */

#include <sys/time.h>

#include "dtls/dtls_internal.h"


#define CR_DTLS_FAR_AHEAD  (365 * 24 * 60 * 60)


static int cr_dtls_bio_write(BIO *bio, const char *data, int len);
static int cr_dtls_bio_read(BIO *bio, char *buf, int size);
static long cr_dtls_bio_ctrl(BIO *bio, int cmd, long num, void *ptr);
static int cr_dtls_bio_create(BIO *bio);


BIO_METHOD *
cr_dtls_bio_method(void)
{
    BIO_METHOD  *method;

    method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "datagrams");
    if (method == NULL) {
        return NULL;
    }

    BIO_meth_set_write(method, cr_dtls_bio_write);
    BIO_meth_set_read(method, cr_dtls_bio_read);
    BIO_meth_set_ctrl(method, cr_dtls_bio_ctrl);
    BIO_meth_set_create(method, cr_dtls_bio_create);

    return method;
}


static int
cr_dtls_bio_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}


static int
cr_dtls_bio_write(BIO *bio, const char *data, int len)
{
    cr_dtls_t  *dtls = BIO_get_data(bio);

    if (len > 0) {
        dtls->send(dtls->ctx, (const uint8_t *) data, (size_t) len);
    }

    return len;
}


static int
cr_dtls_bio_read(BIO *bio, char *buf, int size)
{
    size_t      len;
    cr_dtls_t  *dtls = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);

    if (dtls->in == NULL || size <= 0) {
        BIO_set_retry_read(bio);
        return -1;
    }

    len = dtls->in_len < (size_t) size ? dtls->in_len : (size_t) size;
    memcpy(buf, dtls->in, len);

    /* what does not fit is lost, as with a socket */
    dtls->in = NULL;

    return (int) len;
}


static long
cr_dtls_bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
    cr_dtls_t       *dtls = BIO_get_data(bio);
    struct timeval  *timer;

    (void) num;

    switch (cmd) {

    case BIO_CTRL_FLUSH:
        return 1;

    case BIO_CTRL_DGRAM_SET_NEXT_TIMEOUT:
        timer = ptr;

        if (timer->tv_sec == 0 && timer->tv_usec == 0) {
            dtls->deadline_us = INT64_MAX;
            return 1;
        }

        dtls->deadline_us = dtls->now_us + dtls->timeout_us;

#if OPENSSL_VERSION_NUMBER < 0x30200000L
        dtls->openssl_timer = timer;
        timer->tv_sec += CR_DTLS_FAR_AHEAD;
#endif
        return 1;

    default:
        return 0;
    }
}


void
cr_dtls_bio_expire(cr_dtls_t *dtls)
{
    if (dtls->openssl_timer != NULL) {
        dtls->openssl_timer->tv_sec = 0;
        dtls->openssl_timer->tv_usec = 1;
    }
}
