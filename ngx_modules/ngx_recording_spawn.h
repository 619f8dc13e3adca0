
/*
 * Copyright (C) The call recorder authors
 *
 * Child processes of a worker: started without a shell and without waiting,
 * their output in the log, their end told by the end of their output.
 */

#ifndef _NGX_RECORDING_SPAWN_H_INCLUDED_
#define _NGX_RECORDING_SPAWN_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>


/* The last words that are kept of a child: they fit into an error message. */
#define NGX_RECORDING_SPAWN_TAIL  440


typedef struct ngx_recording_child_s  ngx_recording_child_t;

/*
 * The child has closed its output, which is as good as its end.  Last words
 * are child->tail; child is freed on return.
 */
typedef void (*ngx_recording_child_pt)(ngx_recording_child_t *child);

struct ngx_recording_child_s {
    ngx_queue_t             queue;      /* of this worker's children */
    ngx_pid_t               pid;
    ngx_connection_t       *output;
    ngx_recording_child_pt  ended;
    void                   *data;
    size_t                  len;        /* of tail */
    u_char                  tail[NGX_RECORDING_SPAWN_TAIL];
    size_t                  line_len;   /* of a line that is not whole */
    u_char                  line[NGX_MAX_ERROR_STR / 2];
    char                    name[64];   /* in front of its lines in the log */
};


/* Whether descriptors and connections are left for one more; logged. */
ngx_uint_t ngx_recording_spawn_possible(ngx_log_t *log);

/*
 * Starts argv in folder dir with environment envp, priority lowered by nice,
 * standard input from /dev/null, output and errors into our log, no other
 * descriptor, a process group of its own.  argv, envp and dir are not kept.
 * NULL, with *err, when it could not be started.
 */
ngx_recording_child_t *ngx_recording_spawn(char *const argv[],
    char *const envp[], const char *dir, ngx_int_t nice, const char *name,
    ngx_recording_child_pt ended, void *data, ngx_err_t *err,
    ngx_log_t *log);

/* Kills a child and what it started; its ended() is still called. */
void ngx_recording_kill(ngx_pid_t pid, ngx_log_t *log);

/* The worker ends: children go on without us, ended() is not called. */
void ngx_recording_spawn_forget(void);


#endif /* _NGX_RECORDING_SPAWN_H_INCLUDED_ */
