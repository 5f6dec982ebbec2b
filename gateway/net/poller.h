#ifndef SLUICE_NET_POLLER_H
#define SLUICE_NET_POLLER_H

#include <stdbool.h>
#include <uv.h>

/*
 * Tells which sockets are ready: an epoll set, which the loop watches as a single descriptor.
 * libuv's own handle of a socket has 248 bytes; an idle connection is to have fewer than 500
 * with all that belongs to it. What is watched here costs its owner a descriptor and two bits.
 */
enum { POLLER_READ = 1, POLLER_WRITE = 2 };

struct poller {
    uv_poll_t handle;
    int fd;
    /* A socket is ready for what it was watched for: READ too if the peer has ended or the
     * connection broke, so that the next read says so; WRITE then, if only that was watched.
     * `socket` may have been told to be of no more interest in this turn, and must still be
     * there at the end of it. */
    void (*on_ready)(void *socket, unsigned ready);
};

/* Returns 0 or a libuv error. */
int poller_open(struct poller *p, uv_loop_t *loop, void (*on_ready)(void *, unsigned));
/* on_closed is called in a later turn, with the handle. */
void poller_close(struct poller *p, uv_close_cb on_closed);

/* Watches a descriptor for these, which was watched for `before`. 0: for nothing, or not yet.
 * A descriptor that is closed is watched no more. Returns false without memory, or if the
 * system has too many; then it is watched as before. */
bool poller_watch(struct poller *p, int fd, unsigned before, unsigned wanted, void *socket);

#endif
