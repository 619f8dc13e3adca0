
/*
 * Copyright (C) The call recorder authors
 *
 * A wall clock that is set while nginx runs, for tests: preloaded, the time
 * of day is off by as many seconds as the file $WALLCLOCK says at that
 * moment.  The monotonic clock goes on as it does.
 */

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>


static char  wc_file[PATH_MAX];


/* nginx takes the environment from its workers. */
__attribute__((constructor))
static void
wc_init(void)
{
    const char  *file;

    file = getenv("WALLCLOCK");

    if (file != NULL && strlen(file) < sizeof(wc_file)) {
        strcpy(wc_file, file);
    }
}


static time_t
wc_offset(void)
{
    int      fd;
    char     text[32];
    ssize_t  n;

    fd = open(wc_file, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        return 0;
    }

    n = read(fd, text, sizeof(text) - 1);
    close(fd);

    if (n <= 0) {
        return 0;
    }

    text[n] = '\0';

    return atol(text);
}


int
clock_gettime(clockid_t id, struct timespec *ts)
{
    int  rc;

    rc = (int) syscall(SYS_clock_gettime, id, ts);

    if (rc == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
        ts->tv_sec += wc_offset();
    }

    return rc;
}


int
gettimeofday(struct timeval *tv, void *tz)
{
    struct timespec  ts;

    (void) tz;

    clock_gettime(CLOCK_REALTIME, &ts);

    tv->tv_sec = ts.tv_sec;
    tv->tv_usec = ts.tv_nsec / 1000;

    return 0;
}


time_t
time(time_t *t)
{
    struct timespec  ts;

    clock_gettime(CLOCK_REALTIME, &ts);

    if (t != NULL) {
        *t = ts.tv_sec;
    }

    return ts.tv_sec;
}
