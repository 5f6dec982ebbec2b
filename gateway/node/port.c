#include "gateway/node/port.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define AT_ONCE 64 /* connections that are accepted in a turn; the others wait for the next */

static void state_set(struct port *p, enum port_state to) {
    assert(to > p->state);
    p->state = to;
}

/* --- accepting ------------------------------------------------------------------------------
 */

static int accept_one(const struct port *p, struct sockaddr_storage *from) {
    socklen_t size = sizeof *from;
    memset(from, 0, sizeof *from); /* of a path there is no address */
    return accept4(p->fd, (struct sockaddr *)from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/* Without a descriptor nobody could even be turned away, and who waits would be told of again
 * and again. */
static void turn_one_away(struct port *p) {
    struct sockaddr_storage from;
    if (p->spare >= 0)
        close(p->spare);
    int fd = accept_one(p, &from);
    if (fd >= 0)
        close(fd);
    p->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static bool is_passing(int error) {
    return error == EINTR || error == ECONNABORTED || error == EPROTO;
}

static void on_pending(uv_poll_t *poll, int status, int events) {
    struct port *p = poll->data;
    (void)status; /* an error is met again at the accept */
    (void)events;
    for (unsigned i = 0; i < AT_ONCE && p->state != PORT_CLOSED; i++) {
        struct sockaddr_storage from;
        int fd = accept_one(p, &from);
        int error = errno;
        if (fd >= 0) {
            p->on_connection(p, fd, (struct sockaddr *)&from);
        } else if (error == EAGAIN) {
            return;
        } else if (!is_passing(error)) {
            p->on_connection(p, uv_translate_sys_error(error), NULL);
            turn_one_away(p);
            return;
        }
    }
}

/* --- opening --------------------------------------------------------------------------------
 */

/* The port listens. */
static const char *open_now(struct port *p, int fd, const char *text) {
    struct sockaddr_storage at;
    p->fd = fd;
    snprintf(p->address, sizeof p->address, "%s", text);
    state_set(p, PORT_OPEN);
    if (!listen_address(fd, &at))
        return strerror(errno);
    if (at.ss_family == AF_UNIX)
        return NULL;
    conn_address_set(&p->at, (const struct sockaddr *)&at);
    conn_address_text(&p->at, p->address);
    return NULL;
}

static const char *accept_from(struct port *p, int fd, const char *text) {
    const char *wrong = open_now(p, fd, text);
    int status = wrong == NULL ? uv_poll_init(p->loop, &p->poll, fd) : 0;
    p->poll.data = p;
    p->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (wrong == NULL && status == 0)
        status = uv_poll_start(&p->poll, UV_READABLE, on_pending);
    return wrong != NULL ? wrong : status != 0 ? uv_strerror(status) : NULL;
}

const char *port_open(struct port *p, const struct sockaddr_storage *at, const char *text,
                      mode_t mode) {
    int fd;
    const char *wrong = listen_open(&fd, at, mode, LISTEN_ALONE);
    return wrong != NULL ? wrong : accept_from(p, fd, text);
}

/* --- between processes ----------------------------------------------------------------------
 */

const char *port_offer(struct port *p, const struct sockaddr_storage *at, const char *text,
                       mode_t mode, enum listen_share share) {
    int fd;
    const char *wrong = listen_open(&fd, at, mode, share);
    return wrong != NULL ? wrong : open_now(p, fd, text);
}

const char *port_adopt(struct port *p, int fd, const char *text, bool shared) {
    p->shared = shared;
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    listen_loud(fd);
    return accept_from(p, fd, text);
}

/* --- its end --------------------------------------------------------------------------------
 */

void port_quiet(struct port *p) {
    if (p->state != PORT_OPEN)
        return;
    state_set(p, PORT_QUIET);
    if (!p->shared)
        listen_quiet(p->fd);
}

void port_close(struct port *p) {
    port_quiet(p);
    if (p->state != PORT_QUIET)
        return;
    state_set(p, PORT_CLOSED);
    uv_close((uv_handle_t *)&p->poll, NULL);
    close(p->fd);
    close(p->spare);
}
