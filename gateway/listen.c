#include "gateway/listen.h"

#include <errno.h>
#include <linux/filter.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#define UNIX    "unix:"
#define BACKLOG 4096

static const char *resolve_path(const char *path, struct sockaddr_storage *out) {
    struct sockaddr_un *un = (struct sockaddr_un *)(void *)out;
    if (path[0] != '/' || strlen(path) >= sizeof un->sun_path)
        return "after unix: there must be an absolute path of at most 107 bytes";
    memset(out, 0, sizeof *out);
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path, strlen(path) + 1);
    return NULL;
}

socklen_t listen_length(const struct sockaddr_storage *at) {
    return at->ss_family == AF_UNIX    ? sizeof(struct sockaddr_un)
           : at->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                       : sizeof(struct sockaddr_in);
}

const char *listen_resolve(const char *text, bool path_too, struct sockaddr_storage *out) {
    if (path_too && strncmp(text, UNIX, strlen(UNIX)) == 0)
        return resolve_path(text + strlen(UNIX), out);
    char host[256];
    const char *colon = strrchr(text, ':');
    size_t len = colon != NULL ? (size_t)(colon - text) : 0;
    if (len == 0 || len >= sizeof host || colon[1] == '\0')
        return path_too ? "must be HOST:PORT or unix:/PATH" : "must be HOST:PORT";
    bool bracketed = text[0] == '[' && text[len - 1] == ']';
    snprintf(host, sizeof host, "%.*s", (int)(bracketed ? len - 2 : len), text + bracketed);
    char *end;
    unsigned long port = strtoul(colon + 1, &end, 10);
    if (*end != '\0' || colon[1] < '0' || colon[1] > '9' || port > 65535)
        return "the port must be from 0 to 65535";
    struct addrinfo *found;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    int status = getaddrinfo(host, colon + 1, &hints, &found);
    if (status != 0)
        return gai_strerror(status);
    memset(out, 0, sizeof *out);
    memcpy(out, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return NULL;
}

/* A socket's file at which no process listens any more: a process that was killed leaves it. */
static const char *remove_stale(const struct sockaddr_storage *at, const char *path) {
    struct stat is;
    if (lstat(path, &is) != 0)
        return errno == ENOENT ? NULL : strerror(errno);
    if (!S_ISSOCK(is.st_mode))
        return "there is a file of that name, which is no socket";
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int status = connect(probe, (const struct sockaddr *)at, listen_length(at));
    bool stale = status != 0 && errno == ECONNREFUSED;
    close(probe);
    if (!stale)
        return "it is in use";
    return unlink(path) == 0 ? NULL : strerror(errno);
}

static const char *bind_path(int fd, const struct sockaddr_storage *at, mode_t mode) {
    const char *wrong =
        remove_stale(at, ((const struct sockaddr_un *)(const void *)at)->sun_path);
    if (wrong != NULL)
        return wrong;
    mode_t before = umask(0777 & ~mode);
    int status = bind(fd, (const struct sockaddr *)at, listen_length(at));
    int why = errno;
    umask(before);
    return status != 0 ? strerror(why) : NULL;
}

static bool switch_on(int fd, int level, int option, int on) {
    return setsockopt(fd, level, option, &on, sizeof on) == 0;
}

/* A socket that may be shared only after it is bound finds any other at its address. */
static const char *bind_address(int fd, const struct sockaddr_storage *at,
                                enum listen_share share) {
    bool good = switch_on(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (good && at->ss_family == AF_INET6)
        good = switch_on(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    if (good && share == LISTEN_FURTHER)
        good = switch_on(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    good = good && bind(fd, (const struct sockaddr *)at, listen_length(at)) == 0;
    if (good && share == LISTEN_FIRST)
        good = switch_on(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    return good ? NULL : uv_strerror(uv_translate_sys_error(errno));
}

const char *listen_open(int *fd, const struct sockaddr_storage *at, mode_t mode,
                        enum listen_share share) {
    *fd = socket(at->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (*fd < 0)
        return strerror(errno);
    const char *wrong =
        at->ss_family == AF_UNIX ? bind_path(*fd, at, mode) : bind_address(*fd, at, share);
    if (wrong == NULL && listen(*fd, BACKLOG) != 0)
        wrong = uv_strerror(uv_translate_sys_error(errno));
    if (wrong != NULL)
        close(*fd);
    return wrong;
}

bool listen_address(int fd, struct sockaddr_storage *out) {
    socklen_t size = sizeof *out;
    return getsockname(fd, (struct sockaddr *)out, &size) == 0;
}

bool listen_is_path(int fd) {
    struct sockaddr_storage at = {.ss_family = AF_UNSPEC};
    return listen_address(fd, &at) && at.ss_family == AF_UNIX;
}

void listen_quiet(int fd) {
    struct sockaddr_storage at = {.ss_family = AF_UNSPEC};
    if (listen_address(fd, &at) && at.ss_family == AF_UNIX) {
        unlink(((struct sockaddr_un *)(void *)&at)->sun_path);
        return;
    }
    /* The filter sees TCP segments: those with SYN and without ACK begin a connection. */
    enum { FLAGS_AT = 13, SYN = 0x02, ACK = 0x10 };
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, FLAGS_AT),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, SYN | ACK),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYN, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    struct sock_fprog filter = {.len = sizeof code / sizeof *code, .filter = code};
    (void)setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter);
}

void listen_loud(int fd) {
    int none = 0; /* there may be no filter, which is as good */
    (void)setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof none);
}
