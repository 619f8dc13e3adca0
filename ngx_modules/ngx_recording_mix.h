
/*
 * Copyright (C) The call recorder authors
 *
 * How outputs are made: the configuration of the exec hook and of the store,
 * for the job and the parts handler.
 */

#ifndef _NGX_RECORDING_MIX_H_INCLUDED_
#define _NGX_RECORDING_MIX_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_recording_store.h"


#define NGX_RECORDING_MIX_OFF    0
#define NGX_RECORDING_MIX_BATCH  1


typedef struct {
    ngx_uint_t              mix;           /* NGX_RECORDING_MIX_* */
    ngx_array_t            *exec;          /* of ngx_str_t templates */
    ngx_int_t               exec_max;
    ngx_int_t               exec_nice;
    ngx_msec_t              exec_timeout;  /* without a heartbeat */
    ngx_str_t               parts_url;     /* ends in '/' */
    ngx_shm_zone_t         *zone;          /* of ngx_recording_slots.c */
    ngx_recording_store_t  *store;
    ngx_msec_t              upload_deadline;
    ngx_uint_t              keep_local;    /* NGX_RECORDING_KEEP_* */
} ngx_recording_mix_conf_t;


/* The running cycle's configuration; NULL without an http block. */
ngx_recording_mix_conf_t *ngx_recording_mix_conf(void);

/* Names of the variables that recording_exec may use, in the order of
 * ngx_recording_job_vars(). */
#define NGX_RECORDING_EXEC_VARS  6

extern const char *const  ngx_recording_exec_vars[NGX_RECORDING_EXEC_VARS];


/*
 * A place among recording_exec_max processes of all workers, of which a
 * process that is gone has none.  NGX_OK, or NGX_AGAIN when all are taken.
 */
ngx_int_t ngx_recording_slot_take(const char *recording_id,
    ngx_uint_t *slot);
void ngx_recording_slot_pid(ngx_uint_t slot, ngx_pid_t pid);
void ngx_recording_slot_free(ngx_uint_t slot);

ngx_int_t ngx_recording_slots_init_zone(ngx_shm_zone_t *zone, void *data);


/* Content handler of recording_parts. */
ngx_int_t ngx_http_recording_parts_handler(ngx_http_request_t *r);


extern ngx_module_t  ngx_http_recording_mix_module;


#endif /* _NGX_RECORDING_MIX_H_INCLUDED_ */
