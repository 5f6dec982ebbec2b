#include "common/utf8.h"

#define HIGH_BITS UINT64_C(0x8080808080808080)

/*
 * A state inside a character says what may come: the lowest and the highest value of the next
 * byte, and how many bytes are missing. Only the byte after the lead has bounds of its own
 * (they rule out overlong forms, surrogates and what is above U+10FFFF).
 */
static inline uint32_t expect(uint32_t missing, uint32_t low, uint32_t high) {
    return missing << 16 | high << 8 | low;
}

static uint32_t lead(unsigned char c) {
    if (c < 0x80)
        return UTF8_ACCEPT;
    if (c < 0xc2 || c > 0xf4)
        return UTF8_REJECT;
    if (c < 0xe0)
        return expect(1, 0x80, 0xbf);
    if (c < 0xf0)
        return expect(2, c == 0xe0 ? 0xa0 : 0x80, c == 0xed ? 0x9f : 0xbf);
    return expect(3, c == 0xf0 ? 0x90 : 0x80, c == 0xf4 ? 0x8f : 0xbf);
}

static inline uint32_t follow(uint32_t state, unsigned char c) {
    if (c < (state & 0xff) || c > (state >> 8 & 0xff))
        return UTF8_REJECT;
    uint32_t missing = (state >> 16) - 1;
    return missing == 0 ? UTF8_ACCEPT : expect(missing, 0x80, 0xbf);
}

/* Returns the first byte that is not ASCII, or a place less than eight bytes before the end. */
static inline const char *skip_ascii(const char *p, const char *end) {
    for (; end - p >= 8; p += 8) {
        uint64_t word;
        memcpy(&word, p, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        word = __builtin_bswap64(word);
#endif
        word &= HIGH_BITS;
        if (word != 0)
            return p + __builtin_ctzll(word) / 8;
    }
    return p;
}

uint32_t utf8_feed(uint32_t state, const char *bytes, size_t len) {
    if (len == 0)
        return state;
    const char *p = bytes;
    const char *end = bytes + len;
    while (p < end && state != UTF8_REJECT) {
        if (state != UTF8_ACCEPT) {
            state = follow(state, (unsigned char)*p++);
            continue;
        }
        p = skip_ascii(p, end);
        if (p < end)
            state = lead((unsigned char)*p++);
    }
    return state;
}

bool utf8_valid(struct slice s) {
    return utf8_feed(UTF8_ACCEPT, s.ptr, s.len) == UTF8_ACCEPT;
}

uint32_t utf8_decode(struct slice s, size_t at, size_t *next) {
    unsigned char c = (unsigned char)s.ptr[at++];
    uint32_t missing = lead(c) >> 16;
    /* A lead byte keeps 7, 5, 4 or 3 bits of its own. */
    uint32_t code_point = missing == 0 ? c : c & (0x3fU >> missing);
    for (; missing > 0; missing--)
        code_point = code_point << 6 | ((unsigned char)s.ptr[at++] & 0x3fU);
    *next = at;
    return code_point;
}

size_t utf8_encode(char out[4], uint32_t code_point) {
    if (code_point < 0x80) {
        out[0] = (char)code_point;
        return 1;
    }
    size_t len = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code_point & 0x3f));
        code_point >>= 6;
    }
    out[0] = (char)((0xf00U >> len & 0xf0U) | code_point);
    return len;
}
