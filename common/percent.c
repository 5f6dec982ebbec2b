#include "common/percent.h"

static int digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

ptrdiff_t percent_decode(struct slice from, char *out, size_t cap) {
    size_t n = 0;
    for (size_t i = 0; i < from.len; i++) {
        char c = from.ptr[i];
        if (c == '%') {
            if (i + 2 >= from.len || digit(from.ptr[i + 1]) < 0 || digit(from.ptr[i + 2]) < 0)
                return -1;
            c = (char)(digit(from.ptr[i + 1]) * 16 + digit(from.ptr[i + 2]));
            i += 2;
        }
        if (n == cap)
            return -1;
        out[n++] = c;
    }
    return (ptrdiff_t)n;
}

ptrdiff_t percent_encode_name(struct slice name, char *out, size_t cap) {
    static const char digits[] = "0123456789ABCDEF";
    size_t n = 0;
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];
        bool escape = c <= ' ' || c == 0x7f || c == '{' || c == '}';
        if (cap - n < (escape ? 3U : 1U))
            return -1;
        if (escape) {
            out[n++] = '%';
            out[n++] = digits[c >> 4];
            out[n++] = digits[c & 15];
        } else {
            out[n++] = (char)c;
        }
    }
    return (ptrdiff_t)n;
}
