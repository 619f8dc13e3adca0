
/*
 * Copyright (C) The call recorder authors
 *
 * What the workers tell one another about recordings.
 */


#include "ngx_recording_engine.h"
#include "ngx_http_recording_wait.h"


typedef enum {
    NGX_RECORDING_MSG_START = 1,
    NGX_RECORDING_MSG_STOP,
    NGX_RECORDING_MSG_CHANGED
} ngx_recording_msg_e;


typedef struct {
    ngx_uint_t           type;
    int64_t              rev;                /* CHANGED */
    ngx_recording_ref_t  ref;                /* START: all of it */
} ngx_recording_msg_t;


static void ngx_recording_message_handler(ngx_pid_t from, u_char *data,
    size_t len);
static void ngx_recording_message_send(ngx_recording_msg_t *msg);


ngx_int_t
ngx_recording_message_init(ngx_cycle_t *cycle)
{
    ngx_callrec_msg_handler(NGX_CALLREC_MSG_RECORDING,
                            ngx_recording_message_handler);

    return NGX_OK;
}


void
ngx_recording_message_start(const ngx_recording_ref_t *ref)
{
    ngx_recording_msg_t  msg;

    ngx_memzero(&msg, sizeof(ngx_recording_msg_t));
    msg.type = NGX_RECORDING_MSG_START;
    msg.ref = *ref;

    ngx_recording_message_send(&msg);
}


void
ngx_recording_message_stop(const char *recording_id)
{
    ngx_recording_msg_t  msg;

    ngx_memzero(&msg, sizeof(ngx_recording_msg_t));
    msg.type = NGX_RECORDING_MSG_STOP;
    (void) ngx_cpystrn((u_char *) msg.ref.recording_id,
                       (u_char *) recording_id,
                       sizeof(msg.ref.recording_id));

    ngx_recording_message_send(&msg);
}


void
ngx_recording_message_changed(const char *recording_id, int64_t rev)
{
    ngx_recording_msg_t  msg;

    ngx_memzero(&msg, sizeof(ngx_recording_msg_t));
    msg.type = NGX_RECORDING_MSG_CHANGED;
    msg.rev = rev;
    (void) ngx_cpystrn((u_char *) msg.ref.recording_id,
                       (u_char *) recording_id,
                       sizeof(msg.ref.recording_id));

    ngx_recording_message_send(&msg);
}


static void
ngx_recording_message_send(ngx_recording_msg_t *msg)
{
    ngx_callrec_msg_broadcast(NGX_CALLREC_MSG_RECORDING, msg,
                              sizeof(ngx_recording_msg_t), ngx_cycle->log);
}


static void
ngx_recording_message_handler(ngx_pid_t from, u_char *data, size_t len)
{
    ngx_recording_msg_t  msg;

    if (len != sizeof(ngx_recording_msg_t) || ngx_recording_conf() == NULL) {
        return;
    }

    ngx_memcpy(&msg, data, sizeof(ngx_recording_msg_t));

    switch (msg.type) {

    case NGX_RECORDING_MSG_START:
        ngx_recording_publishers_start(&msg.ref);
        break;

    case NGX_RECORDING_MSG_STOP:
        ngx_recording_publishers_stop(msg.ref.recording_id);
        break;

    case NGX_RECORDING_MSG_CHANGED:
        ngx_http_recording_wake(msg.ref.recording_id, msg.rev);
        break;

    default:
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                      "unknown recording message %ui from %P", msg.type,
                      from);
    }
}
