#include "gateway/session/tides.h"

#include <string.h>

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_~";

#define UNKNOWN    '-'
#define GROUP      5
#define MORE       32U /* another group follows */
#define TIMES_MOST (1ULL << 53)

/* --- writing --------------------------------------------------------------------------------
 */

static void put_tide(struct buf *out, const struct tide *t, uint64_t time) {
    char text[16];
    size_t n = 0;
    /* Clocks of two masters differ, so either may be ahead: the last bit says which. */
    bool ahead = t->time > time;
    uint64_t left = (ahead ? t->time - time : time - t->time) << 1 | ahead;
    text[n++] = alphabet[t->term >> 6 & 63U];
    text[n++] = alphabet[t->term & 63U];
    do {
        uint64_t group = left & (MORE - 1);
        left >>= GROUP;
        text[n++] = alphabet[group | (left > 0 ? MORE : 0U)];
    } while (left > 0);
    buf_append(out, text, n);
}

void tides_put(struct buf *out, const struct tide *tides, unsigned count, uint64_t time) {
    for (unsigned i = 0; i < count; i++) {
        const struct tide *t = &tides[i];
        if (t->settled && t->time > 0 && t->time <= TIMES_MOST && time <= TIMES_MOST)
            put_tide(out, t, time);
        else
            buf_char(out, UNKNOWN);
    }
}

/* --- reading --------------------------------------------------------------------------------
 */

/* Cuts off one character. 64: it is none of the alphabet, or nothing is left. */
static unsigned take(struct slice *at) {
    const char *found = at->len > 0 && at->ptr[0] != '\0' ? strchr(alphabet, at->ptr[0]) : NULL;
    if (found == NULL)
        return 64;
    *at = (struct slice){at->ptr + 1, at->len - 1};
    return (unsigned)(found - alphabet);
}

static bool take_tide(struct slice *at, struct tide_said *out, uint64_t time) {
    unsigned high = take(at), low = take(at), group = MORE;
    uint64_t apart = 0;
    for (unsigned shift = 0; (group & MORE) != 0; shift += GROUP) {
        group = take(at);
        if (group == 64 || shift > 54)
            return false;
        apart |= (uint64_t)(group & (MORE - 1)) << shift;
    }
    if (high == 64 || low == 64)
        return false;
    bool ahead = (apart & 1) != 0;
    apart >>= 1;
    if (!ahead && apart >= time)
        return false;
    *out = (struct tide_said){.time = ahead ? time + apart : time - apart,
                              .term = (uint16_t)(high << 6 | low)};
    return out->time <= TIMES_MOST;
}

bool tides_take(struct slice *at, struct tide_said *out, unsigned count, uint64_t time) {
    for (unsigned i = 0; i < count; i++) {
        out[i] = (struct tide_said){.time = 0};
        if (at->len > 0 && at->ptr[0] == UNKNOWN)
            *at = (struct slice){at->ptr + 1, at->len - 1};
        else if (!take_tide(at, &out[i], time))
            return false;
    }
    return true;
}
