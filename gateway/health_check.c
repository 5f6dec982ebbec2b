#include "gateway/health_check.h"

#include <errno.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "gateway/listen.h"

/*
 * It asks /healthz and not /readyz. A node without Redis, or one that drains, does its work as
 * well as it can; to replace it would cut off clients and repair nothing.
 */
#define REQUEST "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
#define STATUS  "HTTP/1.1 200 "
#define SECONDS 2

/* A node can listen at "any address", but nothing can connect to that. */
static void any_to_loopback(struct sockaddr_storage *at) {
    struct sockaddr_in *ip4 = (struct sockaddr_in *)at;
    struct sockaddr_in6 *ip6 = (struct sockaddr_in6 *)at;
    if (at->ss_family == AF_INET && ip4->sin_addr.s_addr == htonl(INADDR_ANY))
        ip4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else if (at->ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&ip6->sin6_addr))
        ip6->sin6_addr = in6addr_loopback;
}

static in_port_t port_of(const struct sockaddr_storage *at) {
    return at->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)at)->sin6_port
                                     : ((const struct sockaddr_in *)at)->sin_port;
}

/* The limit holds for each step: connecting, sending, and each part of the answer. */
static const char *open_link(const struct sockaddr_storage *at, int *link) {
    struct timeval limit = {.tv_sec = SECONDS};
    *link = socket(at->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (*link < 0 || setsockopt(*link, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0 ||
        setsockopt(*link, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0)
        return strerror(errno);
    if (connect(*link, (const struct sockaddr *)at, listen_length(at)) != 0)
        return errno == EINPROGRESS ? "it did not take the connection in time"
                                    : strerror(errno);
    return NULL;
}

static const char *why_not(ssize_t n) {
    return n == 0            ? "it hung up without an answer"
           : errno == EAGAIN ? "it did not answer in time"
                             : strerror(errno);
}

/* Reads only the status line's beginning. */
static const char *ask(int link) {
    char answer[sizeof STATUS - 1];
    size_t have = 0;
    if (send(link, REQUEST, sizeof REQUEST - 1, MSG_NOSIGNAL) != sizeof REQUEST - 1)
        return strerror(errno);
    while (have < sizeof answer) {
        ssize_t n = recv(link, answer + have, sizeof answer - have, 0);
        if (n <= 0)
            return why_not(n);
        have += (size_t)n;
    }
    return memcmp(answer, STATUS, sizeof answer) == 0 ? NULL : "its answer is not 200";
}

/* --- by TLS ---------------------------------------------------------------------------------
 */

/* The node refuses us for the want of a certificate that it knows. It lives: an alert is a
 * whole answer of its loop, and nothing more can be asked. */
static bool wants_certificate(void) {
    switch (ERR_GET_REASON(ERR_peek_error())) {
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
        return true;
    default:
        return false;
    }
}

static const char *ask_by(SSL *ssl) {
    char answer[sizeof STATUS - 1];
    int n = SSL_connect(ssl);
    if (n == 1)
        n = SSL_write(ssl, REQUEST, sizeof REQUEST - 1);
    for (int have = 0; n > 0; have += n) {
        if (have == (int)sizeof answer)
            return memcmp(answer, STATUS, sizeof answer) == 0 ? NULL : "its answer is not 200";
        n = SSL_read(ssl, answer + have, (int)sizeof answer - have);
    }
    if (SSL_get_error(ssl, n) != SSL_ERROR_SSL)
        return why_not(n);
    return wants_certificate() ? NULL : "its TLS failed";
}

/* The certificate is not checked: it is for the name by which clients reach the node. */
static const char *ask_secretly(int link) {
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = context != NULL ? SSL_new(context) : NULL;
    const char *wrong = "out of memory";
    if (ssl != NULL && SSL_set_fd(ssl, link) == 1)
        wrong = ask_by(ssl);
    SSL_free(ssl);
    SSL_CTX_free(context);
    return wrong;
}

int health_check_run(const struct options *options) {
    struct sockaddr_storage at;
    int link = -1;
    bool internal = options->internal_listen[0] != '\0';
    const char *where = internal ? options->internal_listen : options->listen;
    const char *wrong = listen_resolve(where, !internal, &at);
    if (wrong == NULL && at.ss_family != AF_UNIX && port_of(&at) == 0)
        wrong = "port 0 tells nobody which port the node took";
    if (wrong == NULL) {
        any_to_loopback(&at);
        wrong = open_link(&at, &link);
    }
    if (wrong == NULL)
        wrong = options->tls_cert[0] != '\0' && !internal ? ask_secretly(link) : ask(link);
    if (link >= 0)
        close(link);
    if (wrong != NULL) {
        fprintf(stderr, "sluice: no healthy node at %s: %s\n", where, wrong);
        return 1;
    }
    printf("healthy\n");
    return 0;
}
