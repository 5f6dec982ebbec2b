/*
 * libFuzzer on the addresses to listen at, and those that nodes advertise: any text. Names are
 * not looked up: only numbers are found.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <sys/un.h>

#include "gateway/listen.h"
#include "tests/fuzz/fuzz.h"

int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                struct addrinfo **out) {
    static struct sockaddr_storage at;
    static struct addrinfo found;
    struct sockaddr_in *in = (struct sockaddr_in *)(void *)&at;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)&at;
    memset(&at, 0, sizeof at);
    check(hints->ai_socktype == SOCK_STREAM && *port != '\0');
    bool ip4 = inet_pton(AF_INET, host, &in->sin_addr) == 1;
    if (!ip4 && inet_pton(AF_INET6, host, &in6->sin6_addr) != 1)
        return EAI_NONAME;
    at.ss_family = ip4 ? AF_INET : AF_INET6;
    in->sin_port = htons((uint16_t)strtoul(port, NULL, 10));
    found.ai_addr = (struct sockaddr *)&at;
    found.ai_addrlen = ip4 ? sizeof *in : sizeof *in6;
    *out = &found;
    return 0;
}

void freeaddrinfo(struct addrinfo *found) {
    (void)found;
}

static void resolved(const struct sockaddr_storage *at, bool path_too) {
    const struct sockaddr_un *un = (const struct sockaddr_un *)(const void *)at;
    if (at->ss_family == AF_UNIX) {
        check(path_too && un->sun_path[0] == '/');
        check(memchr(un->sun_path, '\0', sizeof un->sun_path) != NULL);
    } else {
        check(at->ss_family == AF_INET || at->ss_family == AF_INET6);
    }
    check(listen_length(at) <= sizeof *at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct sockaddr_storage at;
    char *text = fuzz_text((struct slice){(const char *)data, size});
    if (listen_resolve(text, false, &at) == NULL)
        resolved(&at, false);
    if (listen_resolve(text, true, &at) == NULL)
        resolved(&at, true);
    free(text);
    return 0;
}
