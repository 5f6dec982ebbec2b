#include "common/log_out.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"

/* The way to write without waiting, which depends on the kind of standard output. */
enum way {
    WAY_UNKNOWN,
    WAY_WRITE, /* a file, or a descriptor that is set not to wait */
    WAY_SEND,  /* a socket: asked not to wait at each call, since others may share it */
    WAY_POLL   /* a terminal that cannot be opened again: looked at before each write */
};

static struct {
    enum way way;
    int fd;
    dev_t device; /* of standard output, when the way was chosen */
    ino_t inode;
    struct buf kept; /* lines in order; the first one may be partly written */
    bool begun;
    uint64_t lost;
} the_out = {.fd = STDOUT_FILENO};

void log_out_guard(void) {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", O_RDWR) < 0)
            return; /* open takes the lowest free number, which is this one */
    }
}

/* Opens a file description of our own. O_NONBLOCK on the inherited one would also change it for
 * the shell, or for another process that has it. */
static int open_again(void) {
    return open("/proc/self/fd/1", O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

static void choose_way(const struct stat *is) {
    if (the_out.fd != STDOUT_FILENO)
        close(the_out.fd);
    the_out.fd = STDOUT_FILENO;
    the_out.way = S_ISSOCK(is->st_mode) ? WAY_SEND : WAY_WRITE;
    if (!S_ISFIFO(is->st_mode) && !S_ISCHR(is->st_mode))
        return;
    int fd = open_again();
    if (fd >= 0)
        the_out.fd = fd;
    else if (S_ISCHR(is->st_mode))
        the_out.way = WAY_POLL;
    else /* a pipe of another user: it is better to change it for others than to let the node
            block */
        fcntl(STDOUT_FILENO, F_SETFL, fcntl(STDOUT_FILENO, F_GETFL) | O_NONBLOCK);
}

/* Looks again at standard output, which tests replace while they run. */
static void look(void) {
    struct stat is = {.st_mode = 0};
    if (fstat(STDOUT_FILENO, &is) != 0)
        return;
    if (the_out.way != WAY_UNKNOWN && is.st_dev == the_out.device && is.st_ino == the_out.inode)
        return;
    the_out.device = is.st_dev;
    the_out.inode = is.st_ino;
    choose_way(&is);
}

static ssize_t put(const char *bytes, size_t len) {
    struct pollfd room = {.fd = the_out.fd, .events = POLLOUT};
    ssize_t n = -1;
    do {
        if (the_out.way == WAY_SEND) {
            n = send(the_out.fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        } else if (the_out.way == WAY_POLL && poll(&room, 1, 0) < 1) {
            errno = EAGAIN;
            return -1;
        } else {
            n = write(the_out.fd, bytes, len);
        }
    } while (n < 0 && errno == EINTR);
    return n;
}

static void take_from_kept(size_t len) {
    the_out.begun = the_out.kept.data[len - 1] != '\n';
    the_out.kept.len -= len;
    memmove(the_out.kept.data, the_out.kept.data + len, the_out.kept.len);
    if (the_out.kept.len == 0)
        buf_deinit(&the_out.kept);
}

/* The output refuses to be written: keeps only the rest of a line that is partly written. */
static void lose_kept(void) {
    const char *end = the_out.begun ? memchr(the_out.kept.data, '\n', the_out.kept.len) : NULL;
    size_t stays = end != NULL ? (size_t)(end - the_out.kept.data) + 1 : 0;
    for (size_t i = stays; i < the_out.kept.len; i++)
        the_out.lost += the_out.kept.data[i] == '\n';
    the_out.kept.len = stays;
    if (stays == 0)
        buf_deinit(&the_out.kept);
}

void log_out_flush(void) {
    while (the_out.kept.len > 0) {
        ssize_t n = put(the_out.kept.data, the_out.kept.len);
        if (n > 0)
            take_from_kept((size_t)n);
        else if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
            lose_kept();
        if (n <= 0)
            return;
    }
}

void log_out(struct slice line) {
    look();
    log_out_flush();
    bool fits = the_out.kept.len == 0 || the_out.kept.len + line.len <= LOG_OUT_KEPT;
    if (fits)
        buf_slice(&the_out.kept, line);
    if (!fits || the_out.kept.failed)
        the_out.lost++;
    if (the_out.kept.failed)
        buf_deinit(&the_out.kept);
    if (fits)
        log_out_flush();
}

void log_out_finish(int ms) {
    struct pollfd room = {.fd = the_out.fd, .events = POLLOUT};
    log_out_flush();
    while (the_out.kept.len > 0 && poll(&room, 1, ms) > 0) {
        size_t before = the_out.kept.len;
        log_out_flush();
        if (the_out.kept.len == before)
            break;
    }
    buf_deinit(&the_out.kept);
}

void log_out_lose(void) {
    the_out.lost++;
}

bool log_out_flows(void) {
    return the_out.kept.len == 0;
}

uint64_t log_out_lost(void) {
    return the_out.lost;
}
