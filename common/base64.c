#include "common/base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

enum alphabets { PLAIN = 1, URL = 2 };

/* The value of each digit plus one, so that 0 means: no digit. */
static void values_init(unsigned char values[256], enum alphabets which) {
    memset(values, 0, 256);
    for (unsigned i = 0; i < 64; i++)
        values[(unsigned char)digits[i]] = (unsigned char)(i + 1);
    if ((which & URL) != 0) {
        values['-'] = values['+'];
        values['_'] = values['/'];
    }
    if ((which & PLAIN) == 0)
        values['+'] = values['/'] = 0;
}

/* Writes the three bytes of four digits. Returns false if one of them is no digit. */
static bool take_four(const unsigned char values[256], const char *in, char *to) {
    uint32_t bits = 0;
    for (unsigned i = 0; i < 4; i++) {
        unsigned value = values[(unsigned char)in[i]];
        if (value == 0)
            return false;
        bits = bits << 6 | (value - 1);
    }
    to[0] = (char)(bits >> 16);
    to[1] = (char)(bits >> 8);
    to[2] = (char)bits;
    return true;
}

/* Appends the bytes of the digits before the first '='; there must be room. Returns the bits
 * that are left over. */
static uint32_t take_digits(const unsigned char values[256], struct slice text,
                            struct buf *out) {
    char *to = out->data + out->len;
    uint32_t bits = 0;
    unsigned have = 0;
    for (size_t i = 0; i < text.len && text.ptr[i] != '=';) {
        if (have == 0 && text.len - i >= 4 && take_four(values, text.ptr + i, to)) {
            i += 4;
            to += 3;
            continue;
        }
        unsigned value = values[(unsigned char)text.ptr[i++]];
        if (value == 0)
            continue;
        bits = bits << 6 | (value - 1);
        have += 6;
        if (have < 8)
            continue;
        have -= 8;
        *to++ = (char)(bits >> have);
        bits &= (1U << have) - 1;
    }
    out->len = (size_t)(to - out->data);
    return bits;
}

static unsigned padding_of(struct slice text) {
    if (text.ptr[text.len - 1] != '=')
        return 0;
    return text.ptr[text.len - 2] != '=' ? 1 : 2;
}

bool base64_decode(struct slice text, struct buf *out) {
    unsigned char values[256];
    size_t before = out->len;
    if (text.len % 4 != 0)
        return false;
    if (text.len == 0 || !buf_reserve(out, text.len / 4 * 3))
        return true;
    values_init(values, PLAIN);
    uint32_t rest = take_digits(values, text, out);
    /* With one character that is no digit, there would be a byte less. */
    if (rest == 0 && out->len - before == text.len / 4 * 3 - padding_of(text))
        return true;
    out->len = before;
    return false;
}

bool base64url_decode(struct slice text, struct buf *out) {
    unsigned char values[256];
    size_t before = out->len;
    if (text.len % 4 == 1)
        return false;
    if (text.len == 0 || !buf_reserve(out, text.len / 4 * 3 + 3))
        return true;
    values_init(values, URL);
    uint32_t rest = take_digits(values, text, out);
    size_t wanted = text.len / 4 * 3 + text.len % 4 * 3 / 4;
    if (rest == 0 && out->len - before == wanted)
        return true;
    out->len = before;
    return false;
}

void base64url_encode(struct slice bytes, struct buf *out) {
    size_t before = out->len;
    base64_encode(bytes, out);
    if (out->failed || out->len == before)
        return;
    while (out->len > before && out->data[out->len - 1] == '=')
        out->len--;
    for (char *at = out->data + before; at < out->data + out->len; at++) {
        if (*at == '+')
            *at = '-';
        else if (*at == '/')
            *at = '_';
    }
}

void base64_read(struct slice text, struct buf *out) {
    unsigned char values[256];
    if (text.len == 0 || !buf_reserve(out, text.len / 4 * 3 + 3))
        return;
    values_init(values, PLAIN | URL);
    take_digits(values, text, out);
}

void base64_encode(struct slice bytes, struct buf *out) {
    if (bytes.len == 0 || !buf_reserve(out, (bytes.len + 2) / 3 * 4))
        return;
    const unsigned char *in = (const unsigned char *)bytes.ptr;
    char *to = out->data + out->len;
    for (size_t at = 0; at < bytes.len; at += 3, to += 4) {
        size_t left = bytes.len - at;
        uint32_t bits = (uint32_t)in[at] << 16;
        if (left > 1)
            bits |= (uint32_t)in[at + 1] << 8;
        if (left > 2)
            bits |= in[at + 2];
        to[0] = digits[bits >> 18];
        to[1] = digits[bits >> 12 & 63];
        to[2] = digits[bits >> 6 & 63];
        to[3] = digits[bits & 63];
        if (left < 3)
            to[3] = '=';
        if (left < 2)
            to[2] = '=';
    }
    out->len = (size_t)(to - out->data);
}

size_t base64_digits(struct slice text) {
    size_t n = 0;
    while (n < text.len && memchr(digits, text.ptr[n], sizeof digits - 1) != NULL)
        n++;
    return n;
}
