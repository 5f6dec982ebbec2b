/*
 * libFuzzer on UTF-8: any bytes, whole, in pieces, and against a plain reading of RFC 3629.
 * What is valid must be the same bytes after it was decoded and encoded.
 */
#include "common/utf8.h"
#include "tests/fuzz/fuzz.h"

/* The length of the character at the front, or 0. */
static size_t plain(const unsigned char *s, size_t len) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0xc0 ? 2 : 0;
    if (n == 0 || n > len || s[0] > 0xf7)
        return 0;
    uint32_t c = n == 1 ? s[0] : s[0] & (0x7fU >> n);
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (s[i] & 0x3fU);
    }
    return c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : n;
}

static bool plain_valid(struct slice s) {
    size_t at = 0, n = 1;
    for (; at < s.len && n > 0; at += n)
        n = plain((const unsigned char *)s.ptr + at, s.len - at);
    return n > 0;
}

static bool in_pieces(struct slice s) {
    struct fuzz_dice dice = fuzz_dice_of(s);
    uint32_t state = UTF8_ACCEPT;
    for (size_t at = 0, n; at < s.len && state != UTF8_REJECT; at += n) {
        n = fuzz_throw(&dice, 12);
        n = n > s.len - at ? s.len - at : n;
        state = utf8_feed(state, s.ptr + at, n);
    }
    return state == UTF8_ACCEPT;
}

static void again(struct slice s) {
    char out[4];
    size_t next;
    for (size_t at = 0; at < s.len; at = next) {
        uint32_t c = utf8_decode(s, at, &next);
        check(next > at && next <= s.len);
        check(utf8_encode(out, c) == next - at && memcmp(out, s.ptr + at, next - at) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice all = {(const char *)data, size};
    bool valid = utf8_valid(all);
    check(valid == plain_valid(all));
    check(valid == in_pieces(all));
    if (valid)
        again(all);
    return 0;
}
