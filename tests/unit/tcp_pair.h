#ifndef SLUICE_TESTS_TCP_PAIR_H
#define SLUICE_TESTS_TCP_PAIR_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

/* A connection of the loopback: a socket as conn_accept wants it, and its peer, which blocks.
 * room: bytes of the peer's receive buffer; 0: as it is. */
struct tcp_pair {
    int fd;
    int peer;
    struct sockaddr_storage from;
};

static inline struct tcp_pair tcp_pair_make(int room) {
    struct tcp_pair p;
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t size = sizeof at;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &size), 0);
    p.peer = socket(AF_INET, SOCK_STREAM, 0);
    if (room != 0)
        setsockopt(p.peer, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    assert_int_equal(connect(p.peer, (struct sockaddr *)&at, sizeof at), 0);
    size = sizeof p.from;
    p.fd = accept4(listener, (struct sockaddr *)&p.from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(p.fd >= 0);
    close(listener);
    return p;
}

#endif
