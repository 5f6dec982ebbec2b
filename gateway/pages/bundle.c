#include "gateway/pages/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"

#define FILE_MOST 4194304 /* bytes */

#define JS  "text/javascript; charset=utf-8"
#define MAP "application/json"

/* The first file must be there. Files of other names are ignored. */
#define BUNDLE_TABLE(X)                                                                        \
    X("socket.io.js", JS)                                                                      \
    X("socket.io.js.map", MAP)                                                                 \
    X("socket.io.min.js", JS)                                                                  \
    X("socket.io.min.js.map", MAP)                                                             \
    X("socket.io.esm.min.js", JS)                                                              \
    X("socket.io.esm.min.js.map", MAP)                                                         \
    X("socket.io.msgpack.min.js", JS)                                                          \
    X("socket.io.msgpack.min.js.map", MAP)

struct row {
    const char *name;
    const char *path;
    const char *type;
};
#define ROW(name, type) {name, "/socket.io/" name, type},
static const struct row rows[] = {BUNDLE_TABLE(ROW)};
#undef ROW
_Static_assert(sizeof rows / sizeof *rows == BUNDLE_FILES, "bundle.files");

/* Reads all of it, or says what is wrong. */
static const char *read_all(int fd, size_t len, char *out) {
    for (size_t at = 0; at < len;) {
        ssize_t n = read(fd, out + at, len - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? strerror(errno) : "it became shorter";
        at += (size_t)n;
    }
    return NULL;
}

/* Reads from a descriptor, which the caller closes. The caller frees *out in either case. */
static const char *read_file(int fd, char **out, size_t *len) {
    struct stat st;
    if (fstat(fd, &st) != 0)
        return strerror(errno);
    if (!S_ISREG(st.st_mode))
        return "not a file";
    if (st.st_size == 0)
        return "empty";
    if (st.st_size > FILE_MOST)
        return log_text("%lld bytes: at most %d are read", (long long)st.st_size, FILE_MOST);
    *len = (size_t)st.st_size;
    *out = malloc(*len);
    return *out != NULL ? read_all(fd, *len, *out) : "out of memory";
}

static const char *add(struct bundle *b, int dir, size_t i) {
    size_t len = 0;
    const struct row *row = &rows[i];
    /* O_NONBLOCK, because a pipe of that name must not stop the start. */
    int fd = openat(dir, row->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return i == 0 ? "socket.io.js is not in it (npm's package socket.io-client has it in "
                        "its directory dist)"
                      : NULL;
    const char *wrong = fd < 0 ? strerror(errno) : read_file(fd, &b->bytes[i], &len);
    if (fd >= 0)
        close(fd);
    if (wrong != NULL)
        return log_text("%s: %s", row->name, wrong);
    asset_init(&b->files[i], row->path, row->type, (struct slice){b->bytes[i], len}, true);
    b->count++;
    return NULL;
}

/* Reads the version from the comment at the top: "... Socket.IO v4.8.4". */
static void learn_version(struct bundle *b) {
    static const char mark[] = "Socket.IO v";
    struct slice js = b->files[0].bytes;
    const char *at = memmem(js.ptr, js.len < 256 ? js.len : 256, mark, sizeof mark - 1);
    if (at == NULL)
        return;
    at += sizeof mark - 1;
    size_t left = (size_t)(js.ptr + js.len - at);
    size_t n = 0;
    while (n < left && n + 1 < sizeof b->version &&
           (at[n] == '.' || (at[n] >= '0' && at[n] <= '9')))
        n++;
    memcpy(b->version, at, n);
    b->version[n] = '\0';
}

const char *bundle_read(struct bundle *b, const char *dir) {
    const char *wrong = NULL;
    int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return strerror(errno);
    for (size_t i = 0; i < BUNDLE_FILES && wrong == NULL; i++)
        wrong = add(b, fd, i);
    close(fd);
    if (wrong != NULL)
        return wrong;
    learn_version(b);
    if (strncmp(b->version, "1.", 2) == 0 || strncmp(b->version, "2.", 2) == 0)
        return log_text("socket.io.js is version %s: version 3 and 4 work here", b->version);
    return NULL;
}

void bundle_deinit(struct bundle *b) {
    for (size_t i = 0; i < BUNDLE_FILES; i++)
        free(b->bytes[i]);
    *b = (struct bundle){.count = 0};
}

static size_t index_of(struct slice path) {
    size_t i = 0;
    while (i < BUNDLE_FILES && !slice_is(path, rows[i].path))
        i++;
    return i;
}

bool bundle_has_path(struct slice path) {
    return index_of(path) < BUNDLE_FILES;
}

const struct asset *bundle_find(const struct bundle *b, struct slice path) {
    size_t i = index_of(path);
    return i < BUNDLE_FILES && b->files[i].path != NULL ? &b->files[i] : NULL;
}
