#include "gateway/net/poller.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#define AT_ONCE 1024 /* sockets that are told in a turn; the others are in the next one */

static void on_poll(uv_poll_t *handle, int status, int events) {
    static struct epoll_event ready[AT_ONCE]; /* of one loop: on_ready does not run it */
    struct poller *p = handle->data;
    (void)status; /* an epoll set does not fail */
    (void)events;
    int count = epoll_wait(p->fd, ready, AT_ONCE, 0);
    for (int i = 0; i < count; i++) {
        unsigned which = 0;
        bool ended = (ready[i].events & (EPOLLHUP | EPOLLERR)) != 0;
        if ((ready[i].events & EPOLLIN) != 0 || ended)
            which |= POLLER_READ;
        if ((ready[i].events & EPOLLOUT) != 0 || ended)
            which |= POLLER_WRITE;
        p->on_ready(ready[i].data.ptr, which);
    }
}

int poller_open(struct poller *p, uv_loop_t *loop, void (*on_ready)(void *, unsigned)) {
    p->on_ready = on_ready;
    p->fd = epoll_create1(EPOLL_CLOEXEC);
    if (p->fd < 0)
        return uv_translate_sys_error(errno);
    int status = uv_poll_init(loop, &p->handle, p->fd);
    if (status != 0) {
        close(p->fd);
        return status;
    }
    p->handle.data = p;
    return uv_poll_start(&p->handle, UV_READABLE, on_poll);
}

void poller_close(struct poller *p, uv_close_cb on_closed) {
    uv_close((uv_handle_t *)&p->handle, on_closed);
    close(p->fd);
}

bool poller_watch(struct poller *p, int fd, unsigned before, unsigned wanted, void *socket) {
    struct epoll_event event = {.data.ptr = socket};
    if ((wanted & POLLER_READ) != 0)
        event.events |= EPOLLIN;
    if ((wanted & POLLER_WRITE) != 0)
        event.events |= EPOLLOUT;
    int how = wanted == 0 ? EPOLL_CTL_DEL : before == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    return before == wanted || epoll_ctl(p->fd, how, fd, &event) == 0;
}
