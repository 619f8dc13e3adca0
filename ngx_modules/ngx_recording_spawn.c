
/*
 * Copyright (C) The call recorder authors
 */

#include "ngx_recording_spawn.h"

#include <spawn.h>
#include <sys/resource.h>


#define NGX_RECORDING_SPAWN_READS  16       /* of one event */


static ngx_err_t ngx_recording_spawn_exec(ngx_recording_child_t *child,
    char *const argv[], char *const envp[], const char *dir, ngx_fd_t out);
static void ngx_recording_spawn_read(ngx_event_t *ev);
static void ngx_recording_spawn_output(ngx_recording_child_t *child,
    u_char *p, size_t len);
static void ngx_recording_spawn_line(ngx_recording_child_t *child);
static void ngx_recording_spawn_close(ngx_recording_child_t *child);


/* Of this process alone: a worker's children are nobody else's business. */
static ngx_queue_t  ngx_recording_children = {
    &ngx_recording_children, &ngx_recording_children
};


ngx_uint_t
ngx_recording_spawn_possible(ngx_log_t *log)
{
    ngx_fd_t  fds[2];

    if (ngx_cycle->free_connection_n == 0
        && ngx_cycle->reusable_connections_n == 0)
    {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "no free connection for the output of a process");
        return 0;
    }

    if (pipe2(fds, O_CLOEXEC) == -1) {
        ngx_log_error(NGX_LOG_ERR, log, ngx_errno, "pipe2() failed");
        return 0;
    }

    (void) close(fds[0]);
    (void) close(fds[1]);

    return 1;
}


ngx_recording_child_t *
ngx_recording_spawn(char *const argv[], char *const envp[], const char *dir,
    ngx_int_t nice, const char *name, ngx_recording_child_pt ended,
    void *data, ngx_err_t *err, ngx_log_t *log)
{
    ngx_fd_t                fds[2];
    ngx_connection_t       *c;
    ngx_recording_child_t  *child;

    child = ngx_calloc(sizeof(ngx_recording_child_t), log);
    if (child == NULL) {
        *err = NGX_ENOMEM;
        return NULL;
    }

    if (pipe2(fds, O_CLOEXEC) == -1) {
        *err = ngx_errno;
        ngx_free(child);
        return NULL;
    }

    c = NULL;

    if (ngx_nonblocking(fds[0]) != -1) {
        c = ngx_get_connection(fds[0], log);
    }

    if (c == NULL) {
        *err = NGX_EMFILE;
        goto failed;
    }

    child->ended = ended;
    child->data = data;
    child->output = c;
    ngx_cpystrn((u_char *) child->name, (u_char *) name, sizeof(child->name));

    c->data = child;
    c->log = log;
    c->read->log = log;
    c->read->handler = ngx_recording_spawn_read;
    c->recv = NULL;

    if (ngx_add_event(c->read, NGX_READ_EVENT, NGX_LEVEL_EVENT) != NGX_OK) {
        *err = NGX_EMFILE;
        goto failed;
    }

    *err = ngx_recording_spawn_exec(child, argv, envp, dir, fds[1]);

    if (*err != 0) {
        ngx_del_event(c->read, NGX_READ_EVENT, 0);
        goto failed;
    }

    (void) close(fds[1]);

    if (setpriority(PRIO_PROCESS, child->pid, (int) nice) == -1
        && ngx_errno != NGX_ESRCH)
    {
        ngx_log_error(NGX_LOG_WARN, log, ngx_errno,
                      "setpriority(%P, %i) failed", child->pid, nice);
    }

    ngx_queue_insert_tail(&ngx_recording_children, &child->queue);

    return child;

failed:

    if (c != NULL) {
        c->fd = (ngx_socket_t) -1;
        ngx_free_connection(c);
    }

    (void) close(fds[0]);
    (void) close(fds[1]);
    ngx_free(child);

    return NULL;
}


/* posix_spawn(): no copy of the worker's page tables, as fork() makes. */
static ngx_err_t
ngx_recording_spawn_exec(ngx_recording_child_t *child, char *const argv[],
    char *const envp[], const char *dir, ngx_fd_t out)
{
    int                          rc;
    pid_t                        pid;
    sigset_t                     none, all;
    posix_spawnattr_t            attr;
    posix_spawn_file_actions_t   actions;

    if (posix_spawn_file_actions_init(&actions) != 0) {
        return NGX_ENOMEM;
    }

    if (posix_spawnattr_init(&attr) != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return NGX_ENOMEM;
    }

    sigemptyset(&none);
    sigfillset(&all);

    rc = posix_spawn_file_actions_addchdir_np(&actions, dir);

    if (rc == 0) {
        rc = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO,
                                              "/dev/null", O_RDONLY, 0);
    }

    if (rc == 0) {
        rc = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    }

    if (rc == 0) {
        rc = posix_spawn_file_actions_adddup2(&actions, out, STDERR_FILENO);
    }

    if (rc == 0) {
        /* nginx's sockets are not close-on-exec: a child that kept the
         * listening ones would keep the port */
        rc = posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    }

    if (rc == 0) {
        posix_spawnattr_setsigmask(&attr, &none);
        posix_spawnattr_setsigdefault(&attr, &all);
        posix_spawnattr_setpgroup(&attr, 0);

        rc = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK
                                             |POSIX_SPAWN_SETSIGDEF
                                             |POSIX_SPAWN_SETPGROUP);
    }

    if (rc == 0) {
        rc = posix_spawnp(&pid, argv[0], &actions, &attr, argv, envp);
    }

    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);

    if (rc == 0) {
        child->pid = pid;
    }

    return rc;
}


static void
ngx_recording_spawn_read(ngx_event_t *ev)
{
    u_char                  buf[4096];
    ssize_t                 n;
    ngx_uint_t              i;
    ngx_connection_t       *c;
    ngx_recording_child_t  *child;

    c = ev->data;
    child = c->data;

    /* level-triggered: what a loud child has left brings another event */

    for (i = 0; /* void */; i++) {

        if (i == NGX_RECORDING_SPAWN_READS) {
            return;
        }

        n = read(c->fd, buf, sizeof(buf));

        if (n == -1 && ngx_errno == NGX_EINTR) {
            continue;
        }

        if (n == -1 && ngx_errno == NGX_EAGAIN) {
            return;
        }

        if (n <= 0) {
            break;
        }

        ngx_recording_spawn_output(child, buf, n);
    }

    ngx_recording_spawn_line(child);
    ngx_recording_spawn_close(child);

    child->ended(child);

    ngx_free(child);
}


/* Whole lines go to the log, the last ones are kept. */
static void
ngx_recording_spawn_output(ngx_recording_child_t *child, u_char *p, size_t len)
{
    u_char  *end;

    for (end = p + len; p < end; p++) {

        if (*p == LF || *p == CR
            || child->line_len == sizeof(child->line))
        {
            ngx_recording_spawn_line(child);
        }

        if (*p >= 0x20) {
            child->line[child->line_len++] = *p;
        }
    }
}


static void
ngx_recording_spawn_line(ngx_recording_child_t *child)
{
    size_t   len, cut;
    u_char  *p;

    len = child->line_len;
    child->line_len = 0;

    if (len == 0) {
        return;
    }

    ngx_log_error(NGX_LOG_NOTICE, child->output->log, 0, "%s: %*s",
                  child->name, len, child->line);

    /* the tail keeps the newest: the oldest bytes make room */

    len = ngx_min(len, NGX_RECORDING_SPAWN_TAIL / 2);
    cut = child->len + len + 2 > NGX_RECORDING_SPAWN_TAIL
          ? child->len + len + 2 - NGX_RECORDING_SPAWN_TAIL : 0;

    ngx_memmove(child->tail, child->tail + cut, child->len - cut);
    child->len -= cut;

    p = child->tail + child->len;

    if (child->len != 0) {
        *p++ = ';';
        *p++ = ' ';
    }

    p = ngx_cpymem(p, child->line, len);
    child->len = p - child->tail;
}


static void
ngx_recording_spawn_close(ngx_recording_child_t *child)
{
    ngx_queue_remove(&child->queue);
    ngx_close_connection(child->output);
    child->output = NULL;
}


void
ngx_recording_kill(ngx_pid_t pid, ngx_log_t *log)
{
    /* pid 0 or 1 would be ourselves, or everybody */

    if (pid > 1 && kill(-pid, SIGKILL) == -1 && ngx_errno != NGX_ESRCH) {
        ngx_log_error(NGX_LOG_ERR, log, ngx_errno, "kill(%P) failed", -pid);
    }
}


void
ngx_recording_spawn_forget(void)
{
    ngx_queue_t            *q;
    ngx_recording_child_t  *child;

    while (!ngx_queue_empty(&ngx_recording_children)) {
        q = ngx_queue_head(&ngx_recording_children);
        child = ngx_queue_data(q, ngx_recording_child_t, queue);

        ngx_recording_spawn_close(child);
        ngx_free(child);
    }
}
