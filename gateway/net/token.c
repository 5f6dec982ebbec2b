#include "gateway/net/token.h"

#include "common/random.h"
#include "common/slice.h"

#define TOKEN_MOST 64

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

bool token_make(char *out, size_t len) {
    unsigned char bytes[TOKEN_MOST];
    if (len > TOKEN_MOST)
        return false;
    random_bytes(bytes, len);
    for (size_t i = 0; i < len; i++)
        out[i] = digits[bytes[i] & 63];
    out[len] = '\0';
    return true;
}

bool token_valid(struct slice s, size_t len) {
    bool good = s.len == len;
    for (size_t i = 0; good && i < len; i++)
        good = memchr(digits, s.ptr[i], sizeof digits - 1) != NULL;
    return good;
}
