#include "gateway/auth/key_files.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "gateway/auth/jwk.h"
#include "gateway/auth/pem.h"

#define FILE_MOST 262144

static const char *read_open(int file, struct buf *out) {
    struct stat about;
    ssize_t got = 1;
    /* A pipe would keep the node waiting. */
    if (fstat(file, &about) != 0 || !S_ISREG(about.st_mode))
        return "is not a file";
    if (!buf_reserve(out, FILE_MOST + 1))
        return "there is no memory left";
    while (got > 0 && out->len <= FILE_MOST) {
        got = read(file, out->data + out->len, FILE_MOST + 1 - out->len);
        if (got > 0)
            out->len += (size_t)got;
    }
    return got < 0 ? strerror(errno) : out->len > FILE_MOST ? "is longer than 256 KiB" : NULL;
}

static const char *read_file(const char *path, struct buf *out) {
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    const char *wrong = file < 0 ? strerror(errno) : read_open(file, out);
    if (file >= 0)
        close(file);
    return wrong == NULL ? NULL : log_text("%s: %s", path, wrong);
}

static const char *add_secret(struct keys *keys, struct slice secret) {
    const char *wrong;
    struct key *k = key_from_secret(secret, &wrong);
    return k != NULL ? keys_add(keys, k) : wrong;
}

static const char *read_secret(struct keys *keys, const char *path) {
    struct buf text = {0};
    const char *wrong = read_file(path, &text);
    struct slice secret = buf_bytes(&text);
    if (secret.len > 0 && secret.ptr[secret.len - 1] == '\n')
        secret.len--;
    if (wrong == NULL)
        wrong = add_secret(keys, secret);
    if (text.data != NULL)
        OPENSSL_cleanse(text.data, text.len);
    buf_deinit(&text);
    return wrong;
}

static bool is_json(struct slice text) {
    size_t at = 0;
    while (at < text.len && strchr(" \t\r\n", text.ptr[at]) != NULL)
        at++;
    return at < text.len && text.ptr[at] == '{';
}

static const char *read_keys(struct keys *keys, const char *path) {
    struct buf text = {0};
    unsigned before = keys->count;
    const char *wrong = read_file(path, &text);
    if (wrong == NULL)
        wrong = is_json(buf_bytes(&text)) ? jwk_read(keys, buf_bytes(&text), true)
                                          : pem_read(keys, buf_bytes(&text));
    if (wrong == NULL && keys->count == before)
        wrong = "there is no key in it that can verify tokens";
    buf_deinit(&text);
    return wrong;
}

const char *key_files_read(struct keys *keys, const struct options *o, const char **flag) {
    const char *wrong = NULL;
    if (o->jwt_secret[0] != '\0') {
        *flag = "jwt-secret";
        wrong = add_secret(keys, slice_of(o->jwt_secret));
    }
    if (wrong == NULL && o->jwt_secret_file[0] != '\0') {
        *flag = "jwt-secret-file";
        wrong = read_secret(keys, o->jwt_secret_file);
    }
    if (wrong == NULL && o->jwt_keys[0] != '\0') {
        *flag = "jwt-keys";
        wrong = read_keys(keys, o->jwt_keys);
    }
    return wrong;
}
