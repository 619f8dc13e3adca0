
/*
 * Copyright (C) The call recorder authors
 *
 * A disk that is slow or fails, for tests: preloaded into nginx, it delays
 * write(), fdatasync() and fsync() of files below $SLOWDISK_DIR, or has them
 * fail, as the file $SLOWDISK_DIR.control says at that moment:
 *
 *     <delay in ms> <errno, 0: none>
 *
 * What was called is appended to $SLOWDISK_DIR.log, a line each:
 *
 *     <call> <"worker" in a main thread, else "thread"> <path>
 */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>


#define SD_MARGIN  64


static char  sd_dir[PATH_MAX];


/* nginx takes the environment from its workers. */
__attribute__((constructor))
static void
sd_init(void)
{
    const char  *dir;

    dir = getenv("SLOWDISK_DIR");

    if (dir != NULL && strlen(dir) < sizeof(sd_dir)) {
        strcpy(sd_dir, dir);
    }
}


/* Whether the file is below the folder; its path. */
static int
sd_below(int fd, char *path, size_t size)
{
    char     link[SD_MARGIN];
    size_t   len;
    ssize_t  n;

    len = strlen(sd_dir);

    if (len == 0) {
        return 0;
    }

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);

    n = readlink(link, path, size - 1);

    if (n < 0) {
        return 0;
    }

    path[n] = '\0';

    return strncmp(path, sd_dir, len) == 0 && path[len] == '/';
}


static void
sd_log(const char *call, const char *path)
{
    int   fd, n;
    char  name[PATH_MAX + SD_MARGIN], line[PATH_MAX + SD_MARGIN];

    snprintf(name, sizeof(name), "%s.log", sd_dir);

    fd = open(name, O_WRONLY|O_APPEND|O_CLOEXEC);
    if (fd == -1) {
        return;
    }

    n = snprintf(line, sizeof(line), "%s %s %s\n", call,
                 syscall(SYS_gettid) == getpid() ? "worker" : "thread",
                 path);

    if (syscall(SYS_write, fd, line, (size_t) n) != n) {
        abort();
    }

    close(fd);
}


/* The error that is to be returned, 0: none. */
static int
sd_hold(int fd, const char *call)
{
    int              control, error;
    long             delay;
    char             path[PATH_MAX], name[PATH_MAX + SD_MARGIN];
    char             text[SD_MARGIN];
    ssize_t          n;
    struct timespec  pause;

    if (!sd_below(fd, path, sizeof(path))) {
        return 0;
    }

    sd_log(call, path);

    snprintf(name, sizeof(name), "%s.control", sd_dir);

    control = open(name, O_RDONLY|O_CLOEXEC);
    if (control == -1) {
        return 0;
    }

    n = read(control, text, sizeof(text) - 1);
    close(control);

    text[n > 0 ? n : 0] = '\0';

    if (sscanf(text, "%ld %d", &delay, &error) != 2) {
        return 0;
    }

    if (delay > 0) {
        pause.tv_sec = delay / 1000;
        pause.tv_nsec = delay % 1000 * 1000000;
        nanosleep(&pause, NULL);
    }

    return error;
}


ssize_t
write(int fd, const void *data, size_t size)
{
    int       error;
    ssize_t (*next)(int, const void *, size_t);

    error = sd_hold(fd, "write");

    if (error != 0) {
        errno = error;
        return -1;
    }

    *(void **) &next = dlsym(RTLD_NEXT, "write");

    return next(fd, data, size);
}


int
fdatasync(int fd)
{
    int    error;
    int  (*next)(int);

    error = sd_hold(fd, "fdatasync");

    if (error != 0) {
        errno = error;
        return -1;
    }

    *(void **) &next = dlsym(RTLD_NEXT, "fdatasync");

    return next(fd);
}


int
fsync(int fd)
{
    int    error;
    int  (*next)(int);

    error = sd_hold(fd, "fsync");

    if (error != 0) {
        errno = error;
        return -1;
    }

    *(void **) &next = dlsym(RTLD_NEXT, "fsync");

    return next(fd);
}
